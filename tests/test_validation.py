import numpy as np
import pytest

from course_utils import influence_on_params, leave_one_out
from course_utils.solvers import Exact

L2 = 0.3
X = np.random.default_rng(0).normal(size=(12, 3))
Y = X @ np.array([1.0, -2.0, 0.5]) + np.random.default_rng(1).normal(size=12)


def fit(weights):
    """The minimiser of (1/n) sum w_i (x_i.theta - y_i)^2 / 2 + l2/2 |theta|^2."""
    A = (X * weights[:, None]).T @ X / len(X) + L2 * np.eye(3)
    return np.linalg.solve(A, X.T @ (weights * Y) / len(X))


def test_fixed_weight_drops_a_term_and_refit_mean_fits_the_mean_of_the_others():
    full = fit(np.ones(12))
    for removal, count in (("fixed-weight", 12), ("refit-mean", 11)):
        moves = leave_one_out(fit, lambda theta: theta, 12, [3, 0], removal=removal)
        for column, i in enumerate([3, 0]):
            x, y = np.delete(X, i, axis=0), np.delete(Y, i)
            refit = np.linalg.solve(x.T @ x / count + L2 * np.eye(3), x.T @ y / count)
            np.testing.assert_allclose(moves[:, column], refit - full, rtol=1e-10)


@pytest.mark.parametrize("removal", ["fixed-weight", "refit-mean"])
def test_influence_estimates_the_change_of_the_removal_that_it_names(removal):
    loss = lambda theta, z: 0.5 * (z[0] @ theta - z[1]) ** 2
    real = leave_one_out(fit, lambda theta: theta, 12, range(12), removal=removal)
    leverage = np.einsum("ij,ij->i", X, np.linalg.solve(X.T @ X + 12 * L2 * np.eye(3), X.T).T)
    guess = influence_on_params(
        loss, fit(np.ones(12)), (X, Y), np.arange(12), l2=L2, removal=removal, solver=Exact()
    )
    error = np.abs(np.asarray(guess) / (1 - leverage)[:, None] - real.T).max()
    # exact for the dropped term; refit-mean also rescales the matrix, by 1/n of itself
    assert error < (1e-12 if removal == "fixed-weight" else 0.15) * np.abs(real).max()


def test_the_shape_is_that_of_the_measure_and_then_the_indices():
    shape = lambda measure, indices: np.shape(
        leave_one_out(fit, measure, 12, indices, removal="fixed-weight")
    )
    assert shape(lambda theta: theta @ theta, [1, 2]) == (2,)
    assert shape(lambda theta: X[:5] @ theta, [1, 2]) == (5, 2)
    assert shape(lambda theta: X[:5] @ theta, []) == (5, 0)


def test_removing_a_point_that_carries_no_weight_changes_nothing():
    blind = lambda weights: fit(np.r_[weights[:11], 1.0])  # never looks at the last weight
    assert leave_one_out(blind, np.sum, 12, [11], removal="fixed-weight") == 0.0


def test_what_cannot_be_left_out_is_refused():
    call = lambda n=12, indices=(0,), removal="fixed-weight", measure=np.sum: leave_one_out(
        fit, measure, n, indices, removal=removal
    )
    with pytest.raises(TypeError, match="removal must be 'fixed-weight' or 'refit-mean', got 'l"):
        call(removal="loo")
    with pytest.raises(TypeError, match="removal"):
        leave_one_out(fit, np.sum, 12, [0])
    with pytest.raises(ValueError, match="indices must lie in 0 to 11, got 0 to 12"):
        call(indices=[0, 12])
    with pytest.raises(ValueError, match="indices must be whole numbers"):
        call(indices=[0.5])
    with pytest.raises(ValueError, match="'refit-mean' needs more training examples, got n = 1"):
        call(n=1, removal="refit-mean")
    with pytest.raises(ValueError, match="measured values of the fit with all points are not fin"):
        call(measure=lambda theta: np.nan * theta)
    drops = iter([0.0, np.inf])
    with pytest.raises(ValueError, match="measured values of the fit without point 7 are not"):
        call(indices=[7], measure=lambda theta: next(drops))


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.int64])
def test_counts_and_truth_values_can_be_measured(dtype):
    fit = lambda weights: weights
    measure = lambda weights: np.array([weights[0] > 0.5, weights[1] > 0.5], dtype)
    got = leave_one_out(fit, measure, 3, [0, 2], removal="fixed-weight")
    np.testing.assert_array_equal(got, [[-1, 0], [0, 0]])
