"""Cases run as in a lesson, whose set-up asks for exact products on a GPU; but compile faster."""

import jax
import pytest


@pytest.fixture(autouse=True)
def exact_products_compiled_quickly():
    jax.config.update("jax_disable_most_optimizations", True)
    with jax.default_matmul_precision("highest"):
        yield
