"""Cases run as in a lesson, whose set-up asks for exact products on a GPU; but compile faster."""

import jax
import pytest


@pytest.fixture(autouse=True)
def exact_products(quick_compilation):
    with jax.default_matmul_precision("highest"):
        yield
