"""What is asked a second time compiles nothing, whatever the numbers are."""

import jax
import numpy as np
import pytest
from logistic import COMPOSED, L2, PARAMS, XT, YT, X, Y, fitted, predict

from course_utils import (
    CG,
    Arnoldi,
    Exact,
    FittedModel,
    LiSSA,
    _compiled,
    damping_sweep,
    grad_z,
    group_influence,
    influence,
    influence_on_params,
    perturbation_influence,
    retrain,
    s_test,
    self_influence,
)

TEST = XT, YT
SOLVERS = [CG(), CG(block=False), Exact(), LiSSA(recursion_depth=300), Arnoldi(rank=4)]


@pytest.fixture
def programs(monkeypatch):
    """The names of the programs that JAX has compiled so far; no cache on disk hides one."""
    jax.config.update("jax_enable_compilation_cache", False)  # put back by a fixture of all tests
    names = []

    def count(event, seconds, fun_name="?", **about):
        if event.endswith("backend_compile_duration"):
            names.append(fun_name)

    jax.monitoring.register_event_duration_secs_listener(count)
    yield names
    jax.monitoring.unregister_event_duration_listener(count)


def posed(**options):
    """The fit, with fewer examples at a time than there are."""
    return FittedModel(COMPOSED, PARAMS, (X, Y), **{"l2": L2, "batch_size": 16, **options})


margin = lambda params, z: z[1] * predict(params, z[0])
ASKED = {
    "influence": lambda fit, solver: influence(fit, TEST, solver=solver),
    "s_test": lambda fit, solver: s_test(fit, TEST, solver=solver, test_loss_fn=margin),
    "candidates": lambda fit, solver: influence(fit, TEST, candidates=TEST, solver=solver),
    "corrected": lambda fit, solver: influence(fit, TEST, corrected=True, solver=solver),
    "on params": lambda fit, solver: influence_on_params(fit, [3, 5], solver=solver),
    "self": lambda fit, solver: self_influence(fit, solver=solver),
    "groups": lambda fit, solver: group_influence(fit, TEST, [[1], [2]], order=2, solver=solver),
    "inputs": lambda fit, solver: perturbation_influence(fit, TEST, [3], solver=solver),
}


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # of noise and of what a rank leaves out
@pytest.mark.parametrize("solver", SOLVERS, ids=lambda solver: repr(solver)[:16])
def test_a_second_call_compiles_nothing_for_other_numbers_either(solver, programs):
    moved = jax.tree.map(lambda leaf: leaf + 1e-6, PARAMS)
    for name, ask in ASKED.items():
        ask(posed(), solver)
        programs.clear()
        ask(posed(), solver)
        ask(FittedModel(COMPOSED, moved, (X[::-1], Y[::-1]), l2=0.06, batch_size=16), solver)
        ask(posed(damping=0.1), solver)
        assert not programs, (name, programs)


def test_other_tolerances_depths_and_seeds_are_numbers_of_one_program(programs):
    fit = posed()
    for one, other in [
        (CG(tol=1e-3, maxiter=9), CG(tol=1e-2, maxiter=8)),
        (LiSSA(scale=2.0, tol=1.0), LiSSA(scale=3.0, recursion_depth=200, seed=1, tol=0.9)),
        (LiSSA(tol=1.0), LiSSA(tol=0.9, average=0.0)),
    ]:
        influence(fit, TEST, solver=one)
        programs.clear()
        influence(fit, TEST, solver=other)
        assert not programs, one


def test_what_takes_no_solver_compiles_once_too(programs):
    for ask in (
        lambda fit: grad_z(fit),
        lambda fit: damping_sweep(fit, TEST, [0.1, 0.2]),
        lambda fit: retrain(fit, np.ones((2, 40))),
        lambda fit: group_influence(fit, TEST, [[1], [2]], order="newton"),
    ):
        ask(posed())
        programs.clear()
        ask(posed(l2=0.05001))
        assert not programs


def test_a_first_call_compiles_few_programs(programs):
    """The survey of the fit, gradients of the test points, the solve, and inner products."""
    jax.clear_caches()
    _compiled.known_options(jax.default_backend())  # looked for once in a process
    for batch_size, most in ((None, 4), (16, 4)):
        programs.clear()
        influence(posed(batch_size=batch_size), TEST)
        assert len(programs) <= most, programs
    programs.clear()
    retrain(posed(), np.ones((2, 40)))
    assert len(programs) <= 1, programs


def test_a_compiled_function_is_compiled_once_for_each_shape_and_keeps_its_name(programs):
    @_compiled.compiled
    def doubled(x):
        """Two of it."""
        return 2 * x

    for x in (np.ones(3), np.zeros(3), np.ones(4), np.ones(3)):
        np.testing.assert_array_equal(doubled(x), 2 * x)
    assert len(programs) == 2
    assert doubled.__name__ == "doubled" and doubled.__doc__ == "Two of it."


def test_the_same_fit_is_asked_again_without_work(programs):
    """What ``Exact`` has factored is kept with the fit."""
    fit = fitted()
    first = influence(fit, TEST, solver=Exact()).scores
    kept = dict(fit._prepared)
    np.testing.assert_array_equal(influence(fit, TEST, solver=Exact()).scores, first)
    assert fit._prepared[Exact()] is kept[Exact()]
