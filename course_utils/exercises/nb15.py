"""Exercises of notebook 15: influence functions."""

import numpy as np

from course_utils.exercises import case, expect

# --- 15.2 · Leave-one-out without leaving anyone out ----------------------------------------------


def ridge_without_each(X, y, l2):
    """What ridge predicts at x_k when the term of example k is dropped, by refits; 1/n stays."""
    n, d = X.shape
    found = np.empty(n)
    for k in range(n):
        Q, v = np.delete(X, k, axis=0), np.delete(y, k)
        found[k] = X[k] @ np.linalg.solve(Q.T @ Q + n * l2 * np.eye(d), Q.T @ v)
    return found


@case("15.2")
def loo_by_hand(f):
    X, y = np.array([[1.0], [1.0], [2.0]]), np.array([0.0, 1.0, 7.0])
    square = X[:, 0] ** 2  # their sum is 6, and n l2 = 9
    fitted = lambda penalty: X[:, 0] * 15 / (6 + penalty)
    move = lambda fit, h: h * (fit - y) / (1 - h)
    fit, h = fitted(9), square / 15
    right = fit + move(fit, h)
    slips = {
        "This is the fit with all examples.": fit,
        "First order only: where is 1 / (1 - h)?": fit + h * (fit - y),
        "The other way: without it, the fit turns away from y_i.": fit - move(fit, h),
        "1 - h, not 1 + h: without it there is less to hold the fit.": fit
        + h * (fit - y) / (1 + h),
        "Beside X'X, which is a sum, the penalty is n l2.": fitted(3) + move(fitted(3), square / 9),
        "h_ii = x_i' H^-1 x_i / n. Where is its 1/n?": fit + move(fit, square / 5),
        "Where is the penalty in H?": fitted(0) + move(fitted(0), square / 6),
        "1/n stays: this is the mean over the other n - 1.": [15 / 11, 14 / 11, 1 / 4],
        "This is how far the prediction moves; where to?": right - fit,
        "These are residuals; a prediction is wanted.": right - y,
        "Residuals with the sign changed; a prediction is wanted.": y - right,
    }
    says = "For x = 1, 1, 2 with y = 0, 1, 7 and l2 = 3 the predictions are 15/14, 1 and 2/11."
    expect(f(X, y, 3.0), right, says, slips, form="One prediction per example.")


@case("15.2")
def loo_is_the_refit(f):
    draw = np.random.default_rng(152)
    X, y = draw.normal(size=(12, 3)), draw.normal(size=12)
    says = "A refit predicts something else. Leverage: h_ii = x_i' H^-1 x_i / n, with l2 in H?"
    expect(f(X, y, 0.1), ridge_without_each(X, y, 0.1), says)


@case("15.2", hidden=True)
def loo_of_other_shapes(f):
    draw = np.random.default_rng(25)
    for n, d, l2 in [(20, 5, 0.02), (9, 14, 0.3)]:
        X, y = draw.normal(size=(n, d)), draw.normal(size=n)
        says = f"Wrong for {n} examples of {d} features: n is their number, len(y)."
        expect(f(X, y, l2), ridge_without_each(X, y, l2), says)
