"""The package's tests compile some thousand small programs, and run each once."""

import itertools

import jax
import pytest

TESTS = itertools.count(1)
TOGETHER = 50  # tests; a process may have 65,530 memory maps, and a program takes several


@pytest.fixture(autouse=True)
def quick_compilation(request, monkeypatch):
    """Leave out XLA's costly optimisations, also in processes that a test starts.

    Programs are dropped now and then: a process with all of them would end in a segmentation fault.
    """
    if not request.node.get_closest_marker("optimised"):
        jax.config.update("jax_disable_most_optimizations", True)
        monkeypatch.setenv("JAX_DISABLE_MOST_OPTIMIZATIONS", "1")
    yield
    if next(TESTS) % TOGETHER == 0:
        jax.clear_caches()
