"""Closed forms of gradient descent against an honest loop, and against independent solvers."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.linear_model import Ridge

from course_utils import dynamics


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def psd(rng, h):
    """A symmetric matrix with curvatures ``h`` in a random orthogonal basis."""
    Q, _ = np.linalg.qr(rng.normal(size=(len(h), len(h))))
    return (Q * np.asarray(h, dtype=float)) @ Q.T


def loop(A, b, w0, step_size, num_steps):
    iterates = [w0]
    for _ in range(num_steps):
        iterates.append(iterates[-1] - step_size * (A @ iterates[-1] + b))
    return np.stack(iterates)


@pytest.mark.parametrize("step_size", [0.1, 0.5, 0.99, 1.01])
def test_iterates_equal_the_loop_for_stable_and_unstable_steps(rng, step_size):
    A, b, w0 = psd(rng, [2.0, 1.0, 0.1]), rng.normal(size=3), rng.normal(size=3)
    got = dynamics.gd_iterates(A, b, w0, step_size, jnp.arange(41))
    np.testing.assert_allclose(got, loop(A, b, w0, step_size, 40), rtol=1e-11, atol=1e-12)


def test_iterates_drift_along_a_flat_direction_with_a_slope(rng):
    A, b, w0 = psd(rng, [1.0, 0.5, 0.0]), rng.normal(size=3), rng.normal(size=3)
    exact = dynamics.gd_iterates(A, b, w0, 0.3, jnp.arange(200))
    np.testing.assert_allclose(exact, loop(A, b, w0, 0.3, 199), atol=1e-10)
    assert np.linalg.norm(exact[-1]) > np.linalg.norm(exact[-100]) + 1  # it does drift


def test_iterates_stand_still_where_there_is_neither_curvature_nor_slope():
    A, b = np.diag([1.0, 0.0]), np.array([1.0, 0.0])
    got = dynamics.gd_iterates(A, b, np.array([0.0, 7.0]), 0.5, jnp.array([0, 10, 1000]))
    np.testing.assert_array_equal(got[:, 1], 7.0)


def test_excess_loss_equals_the_cost_of_the_loop_above_its_minimum(rng):
    A, b, w0 = psd(rng, np.arange(1.0, 11.0)), rng.normal(size=10), rng.normal(size=10)
    h, Q = np.linalg.eigh(A)
    w_star = -np.linalg.solve(A, b)
    got = dynamics.excess_loss(h, Q.T @ (w0 - w_star), 0.15, jnp.arange(31))
    cost = [0.5 * w @ A @ w + b @ w for w in loop(A, b, w0, 0.15, 30)]
    floor = 0.5 * w_star @ A @ w_star + b @ w_star
    np.testing.assert_allclose(got, np.array(cost) - floor, rtol=1e-9, atol=1e-13)


def test_a_step_just_below_the_largest_stable_one_shrinks_and_just_above_grows(rng):
    A, w0 = psd(rng, [3.0, 1.0, 0.2]), rng.normal(size=3)
    eta = float(dynamics.largest_stable_step(A))
    assert eta == pytest.approx(2 / 3, rel=1e-12)
    size = lambda s: np.linalg.norm(loop(A, np.zeros(3), w0, s, 4000)[-1])
    assert size(0.99 * eta) < 1e-6 < 1e6 < size(1.01 * eta)


@pytest.mark.parametrize("tol", [0.5, 1e-3, 1e-9])
def test_steps_to_tolerance_is_the_first_step_that_a_loop_reaches_it(rng, tol):
    h, error, step_size = np.array([1.0, 0.1, 0.01]), rng.normal(size=3), 1.9
    excess = np.array([0.5 * h @ ((1 - step_size * h) ** (2 * k) * error**2) for k in range(3000)])
    first = int(np.argmax(excess <= tol * excess[0]))
    assert first > 0  # the loop was long enough
    assert dynamics.steps_to_tolerance(h, error, step_size, tol) == first


def test_steps_to_tolerance_compiles_nothing_even_when_given_jax_arrays(caplog):
    given = jnp.array([1.0, 1e-3]), jnp.ones(2), jnp.asarray(1.5)
    with jax.log_compiles():
        steps = dynamics.steps_to_tolerance(*given, 1e-9)
        assert "compil" not in caplog.text
        jnp.asarray(steps) ** 12345  # premise: a compilation would show
        assert "compil" in caplog.text


def test_steps_to_tolerance_refuses_a_step_that_diverges():
    with pytest.raises(ValueError, match="step_size must lie between 0 and 0.5: got 0.6"):
        dynamics.steps_to_tolerance(np.array([4.0, 1.0]), np.ones(2), 0.6, 1e-3)


@pytest.mark.parametrize("tol", [0.0, 1.0, -1.0])
def test_steps_to_tolerance_refuses_a_tolerance_outside_0_and_1(tol):
    with pytest.raises(ValueError, match="tol must lie between 0 and 1"):
        dynamics.steps_to_tolerance(np.ones(2), np.ones(2), 0.5, tol)


def test_steps_to_tolerance_gives_up_beyond_its_limit():
    with pytest.raises(ValueError, match="more than 100 steps"):
        dynamics.steps_to_tolerance(np.array([1.0, 1e-9]), np.ones(2), 1.0, 1e-12, limit=100)


def test_descent_from_zero_ends_at_the_pseudo_inverse_solution(rng):
    Phi, t = rng.normal(size=(5, 20)), rng.normal(size=5)
    A, b, _ = dynamics.least_squares(Phi, t)
    got = dynamics.min_cost_projection(A, b, np.zeros(20))
    np.testing.assert_allclose(got, np.linalg.pinv(Phi) @ t, atol=1e-10)


def test_descent_from_elsewhere_keeps_the_part_that_costs_nothing(rng):
    Phi, t, w0 = rng.normal(size=(5, 20)), rng.normal(size=5), rng.normal(size=20)
    A, b, _ = dynamics.least_squares(Phi, t)
    got = dynamics.min_cost_projection(A, b, w0)
    pinv = np.linalg.pinv(Phi)
    np.testing.assert_allclose(got, pinv @ t + (np.eye(20) - pinv @ Phi) @ w0, atol=1e-10)
    assert np.linalg.norm(got - pinv @ t) > 1  # the two limits do differ


def test_least_squares_gives_the_mean_cost(rng):
    Phi, t, w = rng.normal(size=(7, 3)), rng.normal(size=7), rng.normal(size=3)
    A, b, c = dynamics.least_squares(Phi, t)
    cost = 0.5 * np.mean((Phi @ w - t) ** 2)
    assert float(0.5 * w @ A @ w + b @ w + c) == pytest.approx(cost, rel=1e-12)


def test_ridge_agrees_with_scikit_learn_whose_penalty_is_n_times_ours(rng):
    Phi, t, l2 = rng.normal(size=(30, 4)), rng.normal(size=30), 0.3
    oracle = Ridge(alpha=30 * l2, fit_intercept=False, solver="cholesky").fit(Phi, t).coef_
    np.testing.assert_allclose(dynamics.ridge(Phi, t, l2), oracle, rtol=1e-10)


def test_shrinkage_factors_turn_the_unpenalised_fit_into_ridge_and_early_stopping(rng):
    Phi, t = rng.normal(size=(30, 4)), rng.normal(size=30)
    A, b, _ = dynamics.least_squares(Phi, t)
    h, Q = np.linalg.eigh(A)
    full = Q.T @ -np.linalg.solve(A, b)
    np.testing.assert_allclose(
        Q @ (dynamics.ridge_factors(h, 0.3) * full), dynamics.ridge(Phi, t, 0.3), rtol=1e-10
    )
    np.testing.assert_allclose(
        Q @ (dynamics.early_stopping_factors(h, 0.2, 17) * full),
        loop(A, b, np.zeros(4), 0.2, 17)[-1],
        rtol=1e-10,
    )


def test_steps_to_tolerance_is_zero_at_the_minimum():
    assert dynamics.steps_to_tolerance(np.ones(2), np.zeros(2), 0.5, 1e-3) == 0
