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


def excess_of_shortest_fits(rng, N, D, noise, norm_w, draws):
    """||w - w*||^2 of the shortest fit to each of many data sets, shape (draws,)."""
    w_star = rng.normal(size=D)
    w_star *= norm_w / np.linalg.norm(w_star)
    Phi = rng.normal(size=(draws, N, D))
    t = Phi @ w_star + noise * rng.normal(size=(draws, N))
    w = [np.linalg.lstsq(P, y)[0] for P, y in zip(Phi, t)]
    return np.sum((np.array(w) - w_star) ** 2, axis=1)


@pytest.mark.parametrize("N, D", [(4, 20), (10, 20), (30, 20), (80, 20), (30, 1), (1, 30)])
def test_min_norm_risk_is_the_mean_of_many_fits(rng, N, D):
    """To 4 standard errors; at least 8 away from D, where the errors' own moments are finite."""
    assert abs(N - D) >= 8
    measured = excess_of_shortest_fits(rng, N, D, 0.7, 1.3, 2000)
    error = measured.std(ddof=1) / np.sqrt(len(measured))
    assert error < 0.05 * measured.mean()  # otherwise 4 of them would allow anything
    assert abs(dynamics.min_norm_risk(N, D, noise=0.7, norm_w=1.3) - measured.mean()) < 4 * error


def test_min_norm_risk_by_hand():
    """N = 7, D = 3: 3/(7-3-1) = 1. N = 3, D = 7: 4/7 of w* unseen, and 3/(7-3-1) = 1 again."""
    assert dynamics.min_norm_risk(7, 3, noise=2.0, norm_w=9.0) == pytest.approx(4.0, rel=1e-14)
    expected = 81 * 4 / 7 + 4
    assert dynamics.min_norm_risk(3, 7, noise=2.0, norm_w=9.0) == pytest.approx(expected, rel=1e-14)


def test_min_norm_risk_is_infinite_where_examples_and_weights_are_equal_to_within_one():
    got = dynamics.min_norm_risk(np.arange(7, 14), 10, noise=0.1, norm_w=1.0)
    np.testing.assert_array_equal(np.isinf(got), [False, False, True, True, True, False, False])


def test_min_norm_risk_without_noise_is_the_part_of_w_star_that_no_example_shows():
    got = dynamics.min_norm_risk(np.array([5, 9, 10, 11, 50]), 10, noise=0.0, norm_w=2.0)
    np.testing.assert_allclose(got, [2.0, 0.4, 0.0, 0.0, 0.0], atol=1e-15)


def test_min_norm_risk_takes_arrays_of_either_size():
    N, D = np.array([[20], [40]]), np.array([5, 10, 80])
    got = dynamics.min_norm_risk(N, D, noise=0.5, norm_w=1.0)
    one_by_one = [[dynamics.min_norm_risk(n, d, noise=0.5, norm_w=1.0) for d in D] for n in N[:, 0]]
    np.testing.assert_array_equal(got, one_by_one)


@pytest.mark.parametrize(
    "sizes, values, words",
    [
        ((0, 5), (1.0, 1.0), "sizes must be at least 1: got 0 and 5"),
        ((5, -1), (1.0, 1.0), "sizes must be at least 1: got 5 and -1"),
        ((5, 9), (-1.0, 1.0), "noise must be a non-negative number: got -1.0"),
        ((5, 9), (np.inf, 1.0), "noise must be a non-negative number: got inf"),
        ((5, 9), (1.0, -2.0), "norm_w must be a non-negative number: got -2.0"),
        ((5, 9), (1.0, np.nan), "norm_w must be a non-negative number: got nan"),
    ],
)
def test_min_norm_risk_refuses(sizes, values, words):
    with pytest.raises(ValueError, match=words):
        dynamics.min_norm_risk(*sizes, noise=values[0], norm_w=values[1])
