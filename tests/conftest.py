"""Tests run in float64, so that a tolerance of 1e-12 can say "the same arithmetic".

It is switched on here alone: an environment variable would reach the notebooks' kernels.
"""

import jax

jax.config.update("jax_enable_x64", True)

# A worker takes a whole file, and a long one at the end would run alone: minutes, longest first
LONG = (
    *("test_colab", "test_browser", "test_students", "test_influence_functions", "test_grade"),
    *("test_setup", "test_validation", "test_problem_sets"),
)


def pytest_collection_modifyitems(items):
    """Put the longest files first."""
    place = {name: k for k, name in enumerate(LONG)}
    items.sort(key=lambda item: place.get(item.path.stem, len(LONG)))
