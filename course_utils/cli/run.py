"""Execute notebooks on a fresh kernel and store what they say, changing as few bytes as possible.

An output that says the same as the stored one (numbers within tolerance, pictures within a few grey
levels) keeps its stored bytes, so that a diff shows what changed and nothing else.
"""

import argparse
import base64
import copy
import io
import os
import re
import subprocess
import sys
import time
from pathlib import Path

from course_utils.cli import compare, notebooks

CELL_SECONDS = 600
GREY_LEVELS = 8  # of 255: drivers and releases round a line's soft edge this differently

_COLOURS = re.compile("\x1b\\[[0-9;]*m")


class RunError(Exception):
    """A notebook cannot be executed, or must not be stored; the text says where and why."""


def execute(nb, folder, seconds=CELL_SECONDS):
    """Run every cell of ``nb``, in place, on a fresh kernel in ``folder``.

    Raises:
        RunError: if a cell raises, takes longer than ``seconds``, ends the kernel, or writes to
            stderr anything but progress bars and drivers' logs. The text names the cell.
    """
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")  # kernels may share one GPU
    for _, cell in notebooks.code_cells(nb):
        cell.outputs, cell.execution_count = [], None
    current = []
    client = NotebookClient(
        nb,
        timeout=seconds,
        kernel_name="python3",
        record_timing=False,
        store_widget_state=False,
        resources={"metadata": {"path": str(folder)}},
        on_cell_start=lambda cell, cell_index: current.append(cell_index),
    )
    try:
        client.execute(stderr=subprocess.DEVNULL)  # of the process; cells' own comes as outputs
    except (CellExecutionError, CellTimeoutError, DeadKernelError) as error:
        position = current[-1]
        where = notebooks.label(position + 1, nb.cells[position])
        if isinstance(error, CellTimeoutError):
            what = f"took longer than {seconds:g} s"
        elif isinstance(error, DeadKernelError):
            what = "ended the kernel"
        else:
            what = f"{error.ename}: {_COLOURS.sub('', error.evalue)}"
        raise RunError(f"{where}: {what}") from error
    for position, cell in notebooks.code_cells(nb):
        for output in cell.outputs:
            if output.get("name") == "stderr" and not notebooks.is_noise(output):
                raise RunError(
                    f"{notebooks.label(position, cell)} writes to stderr; cure it, or record the "
                    f"warning and print it: {output.text.strip().splitlines()[0]}"
                )


def refresh(path, seconds=CELL_SECONDS):
    """Execute the notebook in ``path`` and store it; return the cells that say new things.

    Raises:
        RunError: as ``execute``, or if a tag is malformed; the file is then as it was.
    """
    old = notebooks.read(path)
    new = copy.deepcopy(old)
    allowed = {}
    for position, cell in notebooks.code_cells(new):
        try:
            allowed[cell.id] = compare.tolerance(cell.metadata.get("tags", []))
        except ValueError as error:
            raise RunError(f"{notebooks.label(position, cell)}: {error}") from error
    execute(new, path.parent, seconds)
    same_code = notebooks.stored_hash(old) == notebooks.code_hash(old)
    new.metadata["course"] = {"code": notebooks.code_hash(new)}
    notebooks.tidy(new)
    stored = {cell.id: cell for _, cell in notebooks.code_cells(notebooks.tidy(old))}
    changed = []
    for position, cell in notebooks.code_cells(new):
        before = stored[cell.id].outputs
        if says_the_same(before, cell.outputs, allowed[cell.id], same_code):
            for output in before:
                if output.output_type == "execute_result":
                    output.execution_count = cell.execution_count
            cell.outputs = before
        elif cell.outputs != before:
            changed.append(notebooks.label(position, cell))
    notebooks.write(path, notebooks.dumps(new))
    return changed


def says_the_same(stored, fresh, allowed, same_code=True):
    """Whether the stored outputs may stand for the fresh ones.

    After a change of code an output must also look the same: one more digit printed is within every
    tolerance, and still the author's wish.
    """
    if [(o.output_type, o.get("name")) for o in stored] != [
        (o.output_type, o.get("name")) for o in fresh
    ]:
        return False
    if compare.output_differences(stored, fresh, allowed):
        return False
    for a, b in zip(stored, fresh):
        if a.output_type == "stream":
            if not (same_code or compare.same_layout(a.text, b.text)):
                return False
            continue
        for kind, value in a.data.items():
            if kind.startswith("image/"):
                if not (
                    value == b.data[kind]
                    or (kind == "image/png" and same_picture(value, b.data[kind]))
                ):
                    return False
            elif not (same_code or compare.same_layout(str(value), str(b.data[kind]))):
                return False
        if not (same_code or a.metadata == b.metadata):
            return False
    return True


def same_picture(stored, fresh):
    """Whether two PNGs, in base64, have one size and no point differs by more than a few greys."""
    import numpy as np
    from matplotlib.image import imread

    a, b = (imread(io.BytesIO(base64.b64decode(png)), format="png") for png in (stored, fresh))
    return a.shape == b.shape and float(np.abs(a - b).max()) <= GREY_LEVELS / 255


def problems(path):
    """Why the stored outputs of ``path`` cannot be relied on, or are not in stored form."""
    text = path.read_text(encoding="utf-8")
    return [*age_problems(notebooks.reads(text)), *form_problems(text)]


def age_problems(nb):
    """Whether the code is another one than the outputs were stored with."""
    if notebooks.stored_hash(nb) is None:
        return ["its outputs were never stored"]
    if notebooks.stored_hash(nb) != notebooks.code_hash(nb):
        return ["its code changed since its outputs were stored"]
    return []


def form_problems(text):
    """Whether a notebook's text is another one than its stored form."""
    tidied = notebooks.dumps(notebooks.tidy(notebooks.reads(text)))
    if tidied == text:
        return []
    return [f"it is not in stored form, first in {_first_change(text, tidied)}"]


def _first_change(text, tidied):
    for number, (a, b) in enumerate(zip(text.split("\n"), tidied.split("\n")), 1):
        if a != b:
            return f"line {number}: {a.strip()[:60]}"
    return "its last lines"


def main(argv):
    """``run [--check] [notebook ...]``; return the exit status."""
    parser = argparse.ArgumentParser(
        prog="python3 -m course_utils run", description=__doc__.splitlines()[0]
    )
    parser.add_argument(
        "notebooks", nargs="*", type=Path, help="default: every notebooks/NN_*.ipynb"
    )
    parser.add_argument(
        "--check",
        action="store_true",
        help="execute nothing; fail where stored outputs are out of form or older than the code",
    )
    args = parser.parse_args(argv)
    status = 0
    for path in args.notebooks or notebooks.solved():
        try:
            said = _check(path) if args.check else _run(path)
        except (RunError, OSError, ValueError) as error:
            status = 1
            said = str(error)
        print(f"{path.name}: {said}", flush=True)
    return status


def _check(path):
    found = problems(path)
    if found:
        raise RunError("; ".join(found))
    return "ok"


def _run(path):
    if path.resolve().parent.name == "student":
        raise RunError(
            "a student copy holds no outputs; `release` writes it, and nothing else does"
        )
    start = time.monotonic()
    changed = refresh(path)
    seconds = f"{time.monotonic() - start:.1f} s"
    if not changed:
        return f"no output changed ({seconds})"
    return "\n  ".join([f"outputs changed in {len(changed)} of its cells ({seconds})", *changed])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
