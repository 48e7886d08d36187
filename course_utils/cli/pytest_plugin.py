"""The course's plugin for pytest: notebooks compared by value; a header that names the device."""

import os
import platform
from importlib import metadata

from course_utils.cli import compare

# Each notebook has a kernel of its own, and several may share one GPU: none may take it all.
os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")


def pytest_configure(config):
    """Teach nbval to compare by value, and to run cells as a notebook's reader does."""
    try:
        from nbval.kernel import RunningKernel
        from nbval.plugin import IPyNbCell
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

    RunningKernel.execute_cell_input = execute_cell_input
    runtest.by_value = True
    IPyNbCell.runtest = runtest
    IPyNbCell.compare_outputs = compare_outputs


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
