"""Cases run as in a lesson, whose set-up asks for exact products also on a GPU."""

import jax
import pytest


@pytest.fixture(autouse=True)
def exact_products():
    with jax.default_matmul_precision("highest"):
        yield
