"""Tests run in float64, so that a tolerance of 1e-12 can say "the same arithmetic".

It is switched on here alone: an environment variable would reach the notebooks' kernels.
"""

import contextlib
import os
import sys
from unittest import mock

import jax
import numpy as np
import pytest
import turns

jax.config.update("jax_enable_x64", True)


def _compile_without_fusion_emitters():
    """They double the time that a small program takes to compile; XLA reads its flags once."""
    given = os.environ.get("XLA_FLAGS", "")  # it may name a file; of two values the last counts
    if jax.__version_info__ < (0, 11) and given[:1] in ("", "-"):  # 0.11.2 has no such flag
        flags = f"--xla_cpu_use_fusion_emitters=false {given}"
        with mock.patch.dict(os.environ, XLA_FLAGS=flags), contextlib.suppress(Exception):
            jax.devices()  # where there are none, tests that need them say so


_compile_without_fusion_emitters()

TOGETHER = 2000  # compiled programs: each takes memory maps, of which a process may have 65,530
_compiled = []  # an entry for each program since the last were dropped


def _count(event, seconds, **about):
    if event.endswith("backend_compile_duration"):  # also of what the cache on disk had
        _compiled.append(event)


jax.monitoring.register_event_duration_secs_listener(_count)


def pytest_report_header(config):
    """Which day's turn it is, for who wants the same samples again."""
    return f"samples by turns: COURSE_TURN={turns.today()}"


@pytest.fixture(autouse=True)
def settings_are_put_back():
    """Undo what a test changes for the whole process: in JAX, NumPy, matplotlib, variables."""
    folder, variables, flags = os.getcwd(), dict(os.environ), dict(jax.config.values)
    errors, printing = np.geterr(), np.get_printoptions()
    style = dict(sys.modules["matplotlib"].rcParams) if "matplotlib" in sys.modules else None
    yield
    os.chdir(folder)
    if dict(os.environ) != variables:
        os.environ.clear()
        os.environ.update(variables)
    for name, value in flags.items():
        if jax.config.values[name] != value:
            jax.config.update(name, value)
    np.seterr(**errors)
    np.set_printoptions(**printing)
    if style is not None and dict(sys.modules["matplotlib"].rcParams) != style:
        sys.modules["matplotlib"].rcParams.update(style)


@pytest.fixture(autouse=True)
def programs_are_dropped():
    """Let go of compiled programs now and then: with all of them a process ends in a crash."""
    yield
    if len(_compiled) > TOGETHER:
        jax.clear_caches()
        _compiled.clear()


@pytest.fixture
def quick_compilation(request, monkeypatch):
    """Leave out XLA's costly optimisations, also in processes that a test starts."""
    if not request.node.get_closest_marker("optimised"):
        jax.config.update("jax_disable_most_optimizations", True)
        monkeypatch.setenv("JAX_DISABLE_MOST_OPTIMIZATIONS", "1")
