"""Conjugate gradients on several right-hand sides together, and what solves them one by one."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from course_utils import (
    CG,
    Exact,
    FittedModel,
    influence,
    influence_functions,
    influence_on_params,
    models,
    solvers,
)
from course_utils.curvature import compose
from course_utils.solvers import CONVERGED, INDEFINITE, MAXITER, STALLED


def matrix_with(eigenvalues, seed=0):
    """A symmetric matrix with these eigenvalues and random eigenvectors."""
    p = len(eigenvalues)
    Q, _ = np.linalg.qr(np.random.default_rng(seed).normal(size=(p, p)))
    return (Q * np.asarray(eigenvalues)) @ Q.T


WIDE = matrix_with(np.geomspace(1e-3, 1, 40))
ROWS = np.random.default_rng(1).normal(size=(40, 40))


@jax.jit
def _solved(A, rows, tol, maxiter):
    return solvers._block_cg(lambda V: V @ A, rows, tol, maxiter)


def solved(A, rows, tol=1e-10, maxiter=1000):
    """x, residual norms, statuses, steps and the smallest curvature, by products with A alone."""
    return _solved(A, rows, tol, maxiter)


def scaled(A, rows):
    """The same with rows of any size, as ``FittedModel.solve`` does it."""
    system = solvers.System(lambda v: A @ v, None)
    return solvers.solve_rescaled(jax.jit(partial(CG().solve, system, None)), rows)


def test_it_solves_every_row_as_a_dense_solver_does():
    x, _, status, *_ = solved(WIDE, ROWS[:7])
    expected = np.linalg.solve(WIDE, ROWS[:7].T).T
    assert (status == CONVERGED).all()
    assert np.abs(x - expected).max() < 1e-8 * np.abs(expected).max()


def test_the_residuals_told_are_the_true_ones():
    """At a tolerance whose residuals are far above rounding, on whatever number of threads."""
    x, residual_norm, *_ = solved(WIDE, ROWS[:7], tol=1e-6)
    true = np.linalg.norm(ROWS[:7] - x @ WIDE, axis=1)
    assert (true > 1e-9).any()
    np.testing.assert_allclose(residual_norm, true, rtol=1e-6, atol=1e-11)


@pytest.mark.parametrize("s", [2, 5, 20, 40])
def test_s_rows_of_p_numbers_take_p_over_s_steps(s):
    """The shared Krylov space is everything by then; cg alone would take about 40."""
    _, _, status, num_steps, _ = solved(matrix_with(np.linspace(1, 2, 40)), ROWS[:s])
    assert (status == CONVERGED).all()
    assert int(np.max(num_steps)) <= 40 // s


def test_dependent_rows_and_a_row_of_zeros_do_no_harm():
    A, rows = matrix_with(np.geomspace(1e-2, 1, 40)), ROWS[:7].copy()
    rows[1], rows[3], rows[4] = rows[0], 1e-9 * rows[2], 0
    x, _, status, num_steps, _ = solved(A, rows)
    assert (status == CONVERGED).all() and num_steps[4] == 0
    np.testing.assert_array_equal(x[4], 0)
    expected = np.linalg.solve(A, rows.T).T
    lengths = np.linalg.norm(expected, axis=1)
    assert (np.linalg.norm(x - expected, axis=1) <= 1e-7 * lengths).all()
    x, residual_norm, status, num_steps, _ = solved(A, 0 * rows)
    assert (status == CONVERGED).all() and not np.any(x) and not np.any(num_steps)


def test_rows_of_any_size_keep_their_relative_accuracy():
    sizes = np.array([1e-200, 1e-5, 1.0, 1e200])[:, None]
    small, big = scaled(WIDE, ROWS[:4]), scaled(WIDE, sizes * ROWS[:4])
    assert big.info.converged.all()
    lengths = np.linalg.norm(small.x, axis=1)
    gap = np.linalg.norm(big.x / sizes - small.x, axis=1)
    assert (gap < 1e-6 * lengths).all()  # two residuals of 1e-10 over the smallest curvature


def test_a_direction_without_curvature_ends_the_search():
    A = matrix_with([-0.5, *np.linspace(1, 2, 39)])
    x, _, status, num_steps, smallest = solved(A, ROWS[:7])
    assert (status == INDEFINITE).all()
    assert np.max(num_steps) < 40 and np.isfinite(x).all()
    flat = matrix_with([0.0, *np.linspace(1, 2, 39)])
    assert (solved(flat, ROWS[:7])[2] == INDEFINITE).all()


def test_steps_run_out_with_the_residual_that_is_left():
    A = matrix_with(np.geomspace(1e-6, 1, 40))
    x, residual_norm, status, num_steps, _ = solved(A, ROWS[:7], maxiter=3)
    assert (status == MAXITER).all() and np.max(num_steps) == 3
    true = np.linalg.norm(ROWS[:7] - x @ A, axis=1)
    np.testing.assert_allclose(residual_norm, true, rtol=1e-6)


def test_a_tolerance_below_rounding_ends_as_stalled_with_the_best_answer():
    x, _, status, num_steps, _ = solved(WIDE, ROWS[:7], tol=0.0)
    assert (status == STALLED).all() and np.max(num_steps) < 200
    expected = np.linalg.solve(WIDE, ROWS[:7].T).T
    assert np.abs(x - expected).max() < 1e-9 * np.abs(expected).max()


def test_the_smallest_curvature_met_is_a_quotient_of_the_matrix():
    *_, smallest = solved(WIDE, ROWS[:7])
    assert 1e-3 <= float(smallest) <= 1


# --------------------------------------------------------------------------------------
# Through influence
# --------------------------------------------------------------------------------------


def two_moons(n, seed):
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 2, n)
    x = rng.normal(size=(n, 6)) + 1.5 * y[:, None]
    return x, y.astype(float)


LOSS = compose(lambda w, x: x @ w, models.logistic_loss)


def fitted(train, l2):
    w = np.zeros(6)
    for _ in range(30):
        q = 1 / (1 + np.exp(-train[0] @ w))
        g = train[0].T @ (q - train[1]) / len(q) + l2 * w
        H = (train[0].T * (q * (1 - q))) @ train[0] / len(q) + l2 * np.eye(6)
        w = w - np.linalg.solve(H, g)
    return w


def test_together_and_one_by_one_give_the_same_scores():
    train, test = two_moons(60, 0), two_moons(9, 1)
    fit = FittedModel(LOSS, fitted(train, 0.1), train, l2=0.1)
    exact = influence(fit, test, solver=Exact()).scores
    for solver in (CG(), CG(block=False)):
        result = influence(fit, test, solver=solver)
        assert np.abs(result.scores - exact).max() < 1e-8 * np.abs(exact).max(), solver
        assert result.info.converged.all()


def test_what_the_block_leaves_is_solved_again_one_by_one():
    """Identical test points: the block's other directions lie where a singular matrix has none."""
    X = np.random.default_rng(0).normal(size=(30, 3))
    train = X[:, [0, 1, 2, 0, 1, 2]], (X @ [1.0, -1.0, 0.5] > 0).astype(float)  # rank 3 of 6
    test = train[0][[0, 0, 0, 0, 0]], train[1][[0, 0, 0, 0, 0]]
    with pytest.warns(RuntimeWarning, match="not at an optimum"):
        fit = FittedModel(LOSS, np.zeros(6), train)
    result = influence(fit, test)
    assert result.info.converged.all()
    H = train[0].T @ train[0] / 4 / 30  # at 0, where q (1 - q) is 1/4
    g = lambda data: data[0] * (0.5 - data[1])[:, None]
    expected = g(test) @ np.linalg.pinv(H) @ g(train).T / 30
    np.testing.assert_allclose(result.scores, expected, atol=1e-9 * np.abs(expected).max())


def test_more_right_hand_sides_than_params_are_solved_in_blocks():
    train, test = two_moons(60, 0), two_moons(20, 1)  # 20 of 6 numbers
    fit = FittedModel(LOSS, fitted(train, 0.1), train, l2=0.1)
    assert CG().solves_at_once(fit.p) == 6
    exact = influence(fit, test, solver=Exact()).scores
    found = influence(fit, test)
    assert np.abs(found.scores - exact).max() < 1e-8 * np.abs(exact).max()
    assert found.info.converged.shape == (20,) and found.info.converged.all()
    moves = influence_on_params(fit, np.arange(10), corrected=True)
    exact = influence_on_params(fit, np.arange(10), corrected=True, solver=Exact())
    assert jnp.abs(moves - exact).max() < 1e-8 * jnp.abs(exact).max()


def test_of_several_solves_of_one_point_the_worst_is_told():
    status = np.array([0, 1, 0, 0, 0, 0])
    info = solvers.SolveInfo(*[status] * 6)._replace(residual_norm=np.array([0, 1, 9, 2, 3, 0.0]))
    norms = np.array([1, 1, 100, 1, 1000, 0.0])  # relative to which the fourth is the largest
    assert influence_functions._worst(info, norms, 3).tolist() == [1, 3]
