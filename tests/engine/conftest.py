"""The package's tests compile some thousand small programs, and run each once."""

import pytest


@pytest.fixture(autouse=True)
def compile_quickly(quick_compilation):
    """All but those that are marked as ``optimised``."""
