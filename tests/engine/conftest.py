"""The package's tests compile some thousand small programs, and run each once."""

import pytest
from strict import every_warning


@pytest.fixture(autouse=True)
def compile_quickly(quick_compilation):
    """All but those that are marked as ``optimised``."""


@pytest.fixture
def no_unexpected_warning():
    """Every warning that a test does not expect is an error."""
    with every_warning("error"):
        yield
