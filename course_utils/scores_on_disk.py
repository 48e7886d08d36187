"""``influence`` in blocks of test points on disk, so that a killed run goes on where it stopped.

A folder is named by a fingerprint of everything that the scores depend on: never by a name alone.
Blocks are written through an atomic rename and read without pickle.
"""

import hashlib
import json
import time
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any

import jax
import numpy as np

from course_utils import _fingerprint, _solver_warnings, trees
from course_utils import influence_functions as functions
from course_utils._arguments import configured
from course_utils._files import write_whole
from course_utils.fitted_model import FittedModel, Solver
from course_utils.influence_result import Influence
from course_utils.solvers import CG, INDEFINITE, STATUS, SolveInfo

PyTree = Any

_BLOCK = 128  # test points in one file
_KINDS = dict(converged=np.dtype(bool), num_steps=np.dtype("i4"), status=np.dtype("i4"))


@configured
def influence_on_disk(
    folder: str | Path,
    fit: FittedModel,
    test: PyTree,
    *,
    solver: Solver = CG(),  # noqa: B008
    test_loss_fn: Callable | None = None,
    measure: str | None = None,
    progress: bool = False,
) -> Influence:
    r"""``influence``, with finished scores kept in a folder in blocks of at most 128 test points.

    The same call again reads them, a call that was killed goes on after its last whole block, and
    either ends with the same bytes; a damaged block is computed anew. Every value that the scores
    depend on is part of the name: params, data, settings, the computation of the losses with the
    constants that it holds, the release of JAX. (What a Python callback inside a loss does cannot
    be seen.)

    Args:
        folder: where the folders of scores lie; it is made where it is missing.
        fit, test, solver, test_loss_fn, measure, progress: as for ``influence``.

    Returns:
        ``Influence`` with ``scores`` a read-only map of a file, of which one block is in memory at
        a time, and ``s_test`` ``None``.

    Raises:
        ValueError: in a run over several processes, which would write the same files; and what
            ``influence`` raises.
    """
    if jax.process_count() > 1:
        raise ValueError("influence_on_disk works in one process: several would write one file")
    functions.check_arguments(fit, solver, test_loss_fn, measure)
    test = functions.checked_examples(fit, test, "test", like_train=test_loss_fn is None)
    n_test, dtype = trees.num_rows(test), fit.theta.dtype
    convention = functions.convention(fit, test_loss_fn, measure)
    about = {"convention": convention, "n_test": n_test, "n_train": fit.n, "solver": repr(solver)}
    blocks = _Blocks(
        Path(folder).expanduser() / _name(fit, test, solver, test_loss_fn, about), about
    )
    seconds, kept = np.full(n_test, np.nan), []
    size = -(-n_test // max(1, -(-n_test // _BLOCK)))
    like: dict[str, tuple] = {name: ((size,), dtype) for name in (*SolveInfo._fields, "norms")}
    like |= {name: ((size,), kind) for name, kind in _KINDS.items()}
    like["scores"] = ((size, fit.n), dtype)

    def make(start):
        rows = np.minimum(np.arange(start, start + size), n_test - 1)
        slopes = functions.slopes_of(fit, functions.examples_at(test, rows), test_loss_fn)
        s, info, _ = functions.solve_all(fit, solver, slopes, "test points", report=False)
        norms = np.linalg.norm(slopes, axis=1)
        return info._asdict() | {"scores": fit.inner_products(s) / fit.n, "norms": norms}

    with functions.bar(n_test, "test points", progress) as advance:
        for start in range(0, n_test, max(size, 1)):
            end = min(start + size, n_test)
            block, elapsed = blocks.block(start // size, partial(make, start), like)
            seconds[start:end] = elapsed / (end - start)
            del block["scores"]  # which stay on disk
            kept.append(block)
            advance(end - start)
    empty = {name: np.zeros(0, like[name][1]) for name in like if name != "scores"}
    join = lambda name: np.concatenate([empty[name], *(block[name] for block in kept)])[:n_test]
    certificates: Any = map(join, SolveInfo._fields)
    info = functions.indefinite_if_any(fit, SolveInfo(*certificates))
    failed = info.status >= INDEFINITE  # of any row of any block: the verdict is of the matrix

    def again(k):
        here = failed[k * size : (k + 1) * size]
        rows = blocks.block(k, partial(make, k * size), like)[0]["scores"][: len(here)]
        rows[here] = np.nan
        return rows

    scores = blocks.matrix("scores", (n_test, fit.n), dtype, lambda: map(again, range(len(kept))))
    _solver_warnings.report(fit, solver, info, join("norms"), "test points")
    kind = "loss" if test_loss_fn is None else measure
    return Influence(scores, None, info, convention, seconds, kind)


def _name(fit, test, solver, measure, about):
    """32 hexadecimal digits, from everything that the scores depend on."""
    digest = hashlib.blake2b(digest_size=16)

    def add(*words):
        digest.update(json.dumps(words).encode())

    add(jax.__version__, jax.default_backend(), STATUS)
    for option in ("jax_enable_x64", "jax_default_prng_impl", "jax_threefry_partitionable"):
        add(option, getattr(jax.config, option))
    numbers, _ = fit.tree_flatten()
    for tree in (numbers, test, solver):
        add(str(jax.tree.structure(tree)))
        for leaf in map(_fingerprint.as_numbers, jax.tree.leaves(tree)):
            add(str(leaf.dtype), leaf.shape)
            digest.update(leaf.tobytes())
    add(fit.curvature, fit.removal, str(fit.batch_size), fit.free_leaves, about)
    example = lambda data: jax.tree.map(lambda a: jax.ShapeDtypeStruct(a.shape[1:], a.dtype), data)
    losses = [(fit.loss, example(fit.train))]
    losses += [(fit.of_theta(measure), example(test))] if measure is not None else []
    for loss, z in losses:  # with all that is ever taken of it, by the rules that it brings
        add(_fingerprint.of_trace(jax.make_jaxpr(jax.value_and_grad(loss))(fit.theta, z)))
        if fit.has_jvp:
            along = lambda theta, z: jax.jvp(lambda theta: loss(theta, z), (theta,), (theta,))
            add(_fingerprint.of_trace(jax.make_jaxpr(along)(fit.theta, z)))
    add(
        _fingerprint.of_trace(
            jax.make_jaxpr(lambda fit, v: fit.hessian_product()(v))(fit, fit.theta)
        )
    )
    return digest.hexdigest()


class _Blocks:
    """The folder of one computation: blocks by number, each a set of named arrays."""

    def __init__(self, folder: Path, about: dict):
        self.folder = folder
        self.folder.mkdir(parents=True, exist_ok=True)
        text = json.dumps(about, indent=1, ensure_ascii=False) + "\n"
        if not (self.folder / "about.json").exists():
            write_whole(self.folder / "about.json", lambda file: file.write(text.encode()))

    def block(self, number: int, make: Callable, like: dict) -> tuple[dict, float]:
        """The arrays of a block, read if they are there and whole, else made and written.

        With them the seconds that making took, NaN where they were read.

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
                return arrays, np.nan
        except Exception:  # missing, or damaged in one of the many ways of a zip file
            pass
        began = time.perf_counter()
        arrays = {name: np.asarray(array) for name, array in make().items()}
        write_whole(path, lambda file: np.savez(file, **arrays))
        return arrays, time.perf_counter() - began

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
            kept = np.lib.format.open_memmap(path, mode="r")
            raw = lambda rows: rows.data.cast("B")  # compared without a copy
            same = lambda start, rows: raw(kept[start : start + len(rows)]) == raw(rows)
            if (kept.shape, kept.dtype) == (shape, dtype) and all(same(*part) for part in parts()):
                return kept
        except (OSError, ValueError, EOFError):  # missing, or damaged
            pass
        write_whole(path, write)
        return np.lib.format.open_memmap(path, mode="r")
