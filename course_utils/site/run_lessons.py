"""Run what the sliders of lessons need, and keep the pictures that they show.

A lesson's slice is run in a plain process, since a kernel takes five seconds to start. A slow test
compares all pictures with those of the whole notebook.
"""

import ast
import contextlib
import copy
import gc
import io
import multiprocessing.connection
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path

import nbformat

from course_utils.cli import compare, notebooks
from course_utils.cli.run import RunError, execute, says_the_same
from course_utils.site.frames import draw, folder_of_frames, numbers_named
from course_utils.site.slices import slice_of

# Imported once for all notebooks. JAX must not be: its threads do not survive a fork.
_FORKED = ["IPython.core.inputtransformer2", "ipywidgets", "matplotlib.pyplot", "nbformat"]
_FORKED += ["PIL.WebPImagePlugin", "scipy.optimize", "sklearn.linear_model"]
_TOLD = 3  # the exit status of a process that has said what is wrong
_DRAW = '__import__("course_utils.site.frames", fromlist=["draw"]).draw(Out, {cells!r}, {folder!r})'


def run(path, root):
    """Run what the Explorers of the notebook in ``path`` need, and keep their frames.

    That part of the notebook is run in this process. Where it raises, or does not show what is
    stored, the whole is run on a kernel.

    Returns:
        Why the part was not enough; "" if it was.

    Raises:
        course_utils.cli.run.RunError: if a cell of the whole notebook raises.
    """
    nb, folder = notebooks.read(path), folder_of_frames(path, root)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix="draft-") as aside:
        drawn = Path(aside) / "part"
        try:
            lacking = _run_part(nb, path, drawn)
        except (Exception, SystemExit) as error:  # what the part lacks may show itself in any way
            lacking = f"{type(error).__name__}: {error}"
        if lacking:
            drawn = Path(aside) / "whole"
            run_whole(nb, path, drawn)
        for older in folder.parent.glob(f"{folder.name[:2]}-*"):
            if older != folder:
                shutil.rmtree(older, ignore_errors=True)
        if not folder.exists():  # or another build was faster
            drawn.rename(folder)
    return lacking


def _run_part(nb, path, draft):
    """Run a slice of ``nb`` and draw into ``draft``; say where it does not show what is stored."""
    main, out, shown = {"__name__": "__main__"}, {}, numbers_named(nb)
    with (
        contextlib.chdir(path.parent),
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.redirect_stderr(io.StringIO()),
    ):
        for _, cell in notebooks.code_cells(slice_of(nb)):
            body = ast.parse(cell.source).body
            last = body.pop() if cell.id in shown else None
            exec(compile(ast.Module(body, type_ignores=[]), cell.id, "exec"), main)
            if last:
                out[cell.id] = eval(compile(ast.Expression(last.value), cell.id, "eval"), main)
    gc.freeze()  # what JAX holds need not be looked through each time that figures leave garbage
    try:
        draw(out, shown, draft)
    finally:
        gc.unfreeze()
    others = [c.id for c in nb.cells if c.id in shown and not _is_stored(out[c.id], c)]
    return f"another picture in {', '.join(others)}" if others else ""


def _is_stored(explorer, cell):
    """Whether the Explorer is what the cell's stored output shows."""
    data, about = explorer._repr_mimebundle_()
    data.pop(compare.WIDGET_VIEW, None)
    fresh = nbformat.v4.new_output("display_data", data, metadata=about)
    stored = [output for output in cell.outputs if output.output_type == fresh.output_type]
    return says_the_same(stored, [fresh], compare.tolerance(cell.metadata.get("tags", [])))


def run_whole(nb, path, draft):
    """Run all of ``nb`` on a kernel, and draw its Explorers' frames into the folder ``draft``."""
    whole = copy.deepcopy(nb)
    source = _DRAW.format(cells=numbers_named(nb), folder=str(draft))
    whole.cells.append(nbformat.v4.new_code_cell(source, id="frames"))
    execute(whole, path.parent)


# Several notebooks


def main(root, *paths):
    """Run the notebooks in ``paths``, two at a time, each in a process of its own.

    Returns:
        The exit status: 1 if one could not be run. What is wrong with it stands on stderr.
    """
    os.environ.update(notebooks.SIDE_BY_SIDE, MPLBACKEND="agg")
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")  # they may share one GPU
    can_fork = sys.platform == "linux"
    context = multiprocessing.get_context("forkserver" if can_fork else "spawn")
    if can_fork:
        context.set_forkserver_preload(_FORKED)
    waiting, running, status = list(paths), {}, 0
    while waiting or running:
        while waiting and len(running) < 2:
            path = Path(waiting.pop(0)).resolve()
            process = context.Process(target=_run_and_tell, args=(path, Path(root).resolve()))
            process.start()
            running[process.sentinel] = path, process
        for sentinel in multiprocessing.connection.wait(running):
            path, process = running.pop(sentinel)
            process.join()
            if process.exitcode not in (0, _TOLD):
                print(f"{path.name}: its process ended with {process.exitcode}", file=sys.stderr)
            if process.exitcode:
                waiting, status = [], 1
    return status


def _run_and_tell(path, root):
    begun = time.monotonic()
    try:
        lacking = run(path, root)
    except (RunError, OSError, ValueError) as error:
        print(f"{path.name}: {error}", file=sys.stderr)
        sys.exit(_TOLD)
    told = f", the whole notebook ({lacking})" if lacking else ""
    print(f"  {path.name}: {time.monotonic() - begun:.0f} s{told}", flush=True)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
