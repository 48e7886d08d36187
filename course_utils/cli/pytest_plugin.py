"""The course's plugin for pytest: notebooks compared by value, and their sliders moved.

It also says what runs together where workers share the tests, and names versions and device.
"""

import os
import platform
from collections import defaultdict
from importlib import metadata

import pytest

from course_utils.cli import compare, compilation_cache, notebooks
from course_utils.cli.setup_venv import ROOT

# Before anything imports JAX, and for every process that a test starts.
os.environ.update(compilation_cache.settings(ROOT))
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.update(notebooks.SIDE_BY_SIDE)
# Each notebook has a kernel of its own, and several may share one GPU: none may take it all.
os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")


def pytest_configure(config):
    """Teach nbval to compare by value, and to run cells as a notebook's reader does."""
    try:
        from nbval.kernel import RunningKernel
        from nbval.plugin import IPyNbCell, IPyNbFile
    except ImportError:
        return
    if getattr(IPyNbCell.runtest, "by_value", False):
        return
    execute = IPyNbCell.runtest

    def runtest(self):
        if self.cell.source.strip() and self.cell.execution_count is None:
            self.raise_cell_error("Never run: python3 -m course_utils run stores what it says")
        try:
            self.allowed = compare.tolerance(self.cell.metadata.get("tags", []))
        except ValueError as error:
            self.raise_cell_error(str(error))
        execute(self)

    def compare_outputs(self, test, ref, skip_compare=None):
        self.comparison_traceback = compare.output_differences(ref, test, self.allowed)
        return not self.comparison_traceback

    def execute_cell_input(self, cell_input, allow_stdin=None):
        # without its history IPython does not see the semicolon that holds a value back
        return self.kc.execute(
            cell_input, store_history=True, allow_stdin=allow_stdin, stop_on_error=False
        )

    def collect(self):
        yield from collect_cells(self)
        count = len(notebooks.explorers(self.nb))
        if count:
            cell = _cell(MOVE_EXPLORERS, f"{count} explorers follow their controls\n")
            item = dict(
                cell_num=len(self.nb.cells), cell=cell, options=defaultdict(bool, check=True)
            )
            yield IPyNbCell.from_parent(self, name="Explorers", **item)

    collect_cells, IPyNbFile.collect = IPyNbFile.collect, collect
    RunningKernel.execute_cell_input = execute_cell_input
    runtest.by_value = True
    IPyNbCell.runtest = runtest
    IPyNbCell.compare_outputs = compare_outputs


# Runs last, in the kernel of a notebook: each control of each Explorer is moved to all its options,
# or to both its ends, and back.
MOVE_EXPLORERS = """\
def move_explorers():
    import gc, re
    from course_utils.widgets import Explorer

    wrong = []
    found = [thing for thing in gc.get_objects() if issubclass(type(thing), Explorer)]
    for explorer in found:
        for name, control in explorer.controls.items():
            start, pictures = control.value, set()
            ends = getattr(control, "options", None) or (control.min, control.max)
            for value in [*(end for end in ends if end != start), start]:
                control.value = value
                explorer.settle()
                said = re.sub("<.*?>", "", explorer.text.value)
                if re.match(r"\\w*(Error|Exception|Exit|Interrupt)\\b", said):
                    wrong.append(f"{name} = {value}: {said}")
                pictures.add(explorer.image.value)
            if len(pictures) == 1:
                wrong.append(f"{name} leaves the picture as it was")
    assert not wrong, "; ".join(wrong)
    print(len(found), "explorers follow their controls")


move_explorers()"""


def _cell(source, printed):
    import nbformat

    output = nbformat.v4.new_output("stream", name="stdout", text=printed)
    return nbformat.v4.new_code_cell(source, outputs=[output], execution_count=1)


def pytest_collection_modifyitems(items):
    """The longest first: what is slow, then notebooks, then files of tests, then what is free."""
    items.sort(key=_place)


def _place(item):
    if item.get_closest_marker("slow") or item.get_closest_marker("browser"):
        return 0
    return 1 if item.path.suffix == ".ipynb" else 2 + _is_free(item.nodeid)


def _is_free(nodeid):
    """Whether a test may run apart from others of its file: these are many and short."""
    return nodeid.startswith(("tests/engine/", "tests/exercises/"))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """A worker takes a notebook, whose cells share a kernel, or a file of tests, or a free test."""
    from xdist.scheduler import LoadScopeScheduling

    class Scheduling(LoadScopeScheduling):
        def _split_scope(self, nodeid):
            return nodeid if _is_free(nodeid) else nodeid.partition("::")[0]

    return Scheduling(config, log)


def pytest_report_header(config):
    """The versions that matter, and JAX's backend and devices."""
    versions = ", ".join(f"{name} {_version(name)}" for name in ("jax", "jaxlib", "numpy"))
    return [f"Python {platform.python_version()}, {versions}", f"JAX runs on {_devices()}"]


def _version(name):
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "missing"


def _devices():
    try:
        import jax

        kinds = [device.device_kind for device in jax.devices()]
        return f"{jax.default_backend()}: {len(kinds)} x {kinds[0]}"
    except Exception as error:  # a header must not keep the tests from running
        return f"nothing: {type(error).__name__}: {error}"
