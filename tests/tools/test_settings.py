"""What a test changes for the whole process is gone when the next one runs.

These tests run in either order: each checks that all is as it was, and then changes it.
"""

import os

import jax
import matplotlib as mpl
import numpy as np
import pytest

STATE = {
    "JAX's precision": lambda: jax.config.jax_default_matmul_precision,
    "JAX's debug flag": lambda: jax.config.jax_debug_nans,
    "a variable": lambda: os.environ.get("COURSE_TEST"),
    "a variable that was there": lambda: os.environ["PATH"],
    "the folder": os.getcwd,
    "NumPy's errors": lambda: np.geterr()["divide"],
    "NumPy's printing": lambda: np.get_printoptions()["precision"],
    "matplotlib's style": lambda: mpl.rcParams["lines.linewidth"],
}
BEFORE = {name: read() for name, read in STATE.items()}


@pytest.mark.parametrize("turn", [1, 2])
def test_whatever_a_test_changes_is_put_back(turn, tmp_path):
    assert {name: read() for name, read in STATE.items()} == BEFORE
    jax.config.update("jax_default_matmul_precision", "highest")
    jax.config.update("jax_debug_nans", True)
    os.environ.update(COURSE_TEST="1", PATH="/nowhere")
    os.chdir(tmp_path)
    np.seterr(divide="raise")
    np.set_printoptions(precision=1)
    mpl.rcParams["lines.linewidth"] = 17
    assert all(read() != BEFORE[name] for name, read in STATE.items())
