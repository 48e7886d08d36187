"""Finished blocks of scores on disk, so that a killed run goes on where it stopped.

A cache is a folder that is named by a fingerprint of everything that the scores depend on: never by
a name alone. Blocks are written through an atomic rename and read without pickle.
"""

import hashlib
import json
import os
import re
import uuid
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import IO, Any

import jax
import numpy as np
from jax.extend import core

from course_utils import _cost

PyTree = Any


def fingerprint(arrays: PyTree, functions: list[tuple[Callable, tuple]], settings: Any) -> str:
    """A name for one computation: 32 hexadecimal digits.

    Args:
        arrays: everything that enters by value; structure, dtypes, shapes and entries count.
        functions: pairs of a function and examples of its arguments. What counts is the traced
            computation with all constants that it has closed over, and not its name or its file;
            what a Python callback inside it does cannot be seen.
        settings: whatever ``repr`` tells apart.

    Releases of JAX and the kind of device count too: they may differ in the last bits.
    """
    digest = hashlib.blake2b(digest_size=16)

    def add(*words):
        digest.update(json.dumps(words).encode())

    def add_array(array):
        if jax.dtypes.issubdtype(jax.numpy.result_type(array), jax.dtypes.prng_key):
            array = jax.random.key_data(array)
        array = np.asarray(array)
        add(str(array.dtype), array.shape)
        digest.update(array.tobytes())

    add(jax.__version__, jax.default_backend())
    for option in ("jax_enable_x64", "jax_default_prng_impl", "jax_threefry_partitionable"):
        add(option, getattr(jax.config, option))
    add(repr(settings), _without_addresses(str(jax.tree.structure(arrays))))
    for leaf in jax.tree.leaves(arrays):
        add_array(leaf)
    for function, arguments in functions:
        traced = jax.make_jaxpr(function)(*arguments)
        add(_without_addresses(str(traced)))
        for constant in _constants(traced):
            add_array(constant)
    return digest.hexdigest()


def _without_addresses(text):
    return re.sub(r" at 0x[0-9a-f]+", "", text)


def _constants(traced):
    """Every array inside a traced computation, also inside the functions that it calls."""
    for part in _cost.parts(traced):
        if isinstance(part, core.ClosedJaxpr):
            yield from part.consts
        else:
            inputs = [x for step in part.eqns for x in step.invars]
            yield from (x.val for x in inputs if isinstance(x, core.Literal))


class Cache:
    """The folder of one computation: blocks by number, each a set of named arrays."""

    def __init__(self, folder: str | Path, key: str, about: dict):
        self.folder = Path(folder).expanduser() / key
        self.folder.mkdir(parents=True, exist_ok=True)
        text = json.dumps(about, indent=1, ensure_ascii=False) + "\n"
        if not (self.folder / "about.json").exists():
            write_whole(self.folder / "about.json", lambda file: file.write(text.encode()))

    def block(self, number: int, make: Callable[[], dict], like: dict) -> dict:
        """The arrays of a block: read if they are there and whole, else made and written.

        Args:
            number: counted from 0.
            make: returns the arrays, by name.
            like: the shape and dtype of each, by name.
        """
        path = self.folder / f"{number:06d}.npz"
        try:
            with path.open("rb") as raw, np.load(raw, allow_pickle=False) as file:
                arrays = {name: file[name] for name in like}
            if all((a.shape, a.dtype) == like[name] for name, a in arrays.items()):
                return arrays
        except Exception:  # missing, or damaged in one of the many ways of a zip file
            pass
        arrays = make()
        write_whole(path, lambda file: np.savez(file, **arrays))
        return arrays

    def matrix(
        self, name: str, shape: tuple, dtype: Any, blocks: Callable[[], Iterable[np.ndarray]]
    ) -> np.ndarray:
        """One array on disk from consecutive blocks of its rows; one is held at a time.

        Args:
            name: of the file, ``name.npy``. It is written where it does not hold these rows yet.
            shape, dtype: of the whole array; rows of the blocks beyond it are dropped.
            blocks: makes an iterator over the blocks.
        """
        path = self.folder / f"{name}.npy"
        header = np.lib.format.header_data_from_array_1_0(np.zeros(1, dtype)) | {"shape": shape}

        def parts():  # first row and content of each block
            start = 0
            for block in blocks():
                rows = np.ascontiguousarray(block[: shape[0] - start], dtype)
                yield start, rows
                start += len(rows)

        def write(file):
            np.lib.format.write_array_header_1_0(file, header)
            for _, rows in parts():
                file.write(rows.tobytes())

        try:
            kept = np.load(path, mmap_mode="r")
            raw = lambda rows: rows.data.cast("B")  # compared without a copy
            same = lambda start, rows: raw(kept[start : start + len(rows)]) == raw(rows)
            if (kept.shape, kept.dtype) == (shape, dtype) and all(same(*part) for part in parts()):
                return kept
        except (OSError, ValueError, EOFError):  # missing, or damaged
            pass
        write_whole(path, write)
        return np.load(path, mmap_mode="r")


def write_whole(path: Path, write: Callable[[IO[bytes]], Any]) -> None:
    """Put a whole file in place at once: a reader finds the old one or the new one."""
    draft = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    try:
        with draft.open("xb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, path)
    finally:
        draft.unlink(missing_ok=True)
