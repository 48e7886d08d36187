"""Exercises of notebook 15: influence functions."""

import functools

import numpy as np

from course_utils.exercises import case, expect

# Answers in 32 bits pass too; the slips lie further apart than this.
told = functools.partial(expect, rtol=1e-4, atol=1e-6)
ONE_EACH = "One number per training example: shape (n,)."
BENDS = "This is taken at the moved parameters, where it bends; (15.3) is its slope times the move."


def sigma(z):
    return 1 / (1 + np.exp(-z))


def ridge(X, y, l2, weights):
    """The least of (1/n) sum_i weights_i (x_i' theta - y_i)^2 / 2 + l2/2 |theta|^2, (d,)."""
    n, d = X.shape
    return np.linalg.solve((X.T * weights) @ X / n + l2 * np.eye(d), (X.T * weights) @ y / n)


def logistic(X, y, l2, weights):
    """The same for the logistic loss of labels 0 and 1, by Newton's method."""
    n, d = X.shape
    theta = np.zeros(d)
    for _ in range(20):
        p = sigma(X @ theta)
        H = (X.T * (weights * p * (1 - p))) @ X / n + l2 * np.eye(d)
        theta = theta - np.linalg.solve(H, X.T @ (weights * (p - y)) / n + l2 * theta)
    return theta


def first_order(measured, n):
    """How far a removal moves measured(weights), to first order, (n, ...).

    From fits with a tiny imaginary weight more on one example: real and imaginary parts do not mix,
    so nothing is lost to rounding.
    """
    tiny = 1e-30
    return np.array([-np.imag(measured(1 + 1j * tiny * e)) / tiny for e in np.eye(n)])


# --- 15.1 · The score of a training point ---------------------------------------------------------


def scores_of_each(f, X, y, l2, theta, x_t, y_t, right, says, slips):
    told(f(X, y, l2, theta, x_t, y_t), right, says, slips, form=ONE_EACH)


@case("15.1")
def scores_by_hand(f):
    X, y = np.array([[1.0], [1.0], [2.0]]), np.array([0.0, 2.0, 6.5])
    one = np.array([1.0])
    top = -4.0 * np.array([1.0, -1.0, -9.0])  # r_t r_i x_i; right: over 15
    gone = np.array([15 / 14, 13 / 14, 2 / 11])  # what the three refits predict
    slips = {
        "The sign: positive is for a removal that raises the test loss.": top / -15,
        "A removal is epsilon = -1/n. Where is the 1/n?": top / 5,
        "That is Koh and Liang's derivative, -n times the score.": top / -5,
        "1/n, not 1/(n - 1): a removal is epsilon = -1/n.": top / 10,
        "1/n stands once.": top / 45,
        "Which curvature does the penalty add to H?": top / 6,
        "H belongs to the risk, a mean: X'X / n, then the penalty.": top / 27,
        "Beside the mean X'X / n the penalty is l2, not n l2.": top / 33,
        "The test loss has no penalty: its gradient is r_t x_t.": top / 60,
        "The gradient of the test loss is r_t x_t. Where is r_t?": top / -60,
        "g_i is the gradient of one loss. Where is r_i?": -4.0 * X[:, 0] / 15,
        "Half the squared residual: its derivative is r, not 2 r.": top / 3.75,
        "Half a squared residual: its derivative is r, never 2 r.": top / 7.5,
        "Where is the inverse of H?": top / 3,
        "H itself, where its inverse should be.": top * 5 / 3,
        "g_i is the gradient of one loss, without the penalty.": -4 * np.array([4, 2, -6]) / 15,
        "These are exact refits; (15.3) is asked, first order.": 0.5 * (gone - 5) ** 2 - 8,
        BENDS: 0.5 * (top / -60 - 4) ** 2 - 8,  # the prediction moves by r_i x_i / 15
    }
    says = (
        "For x = 1, 1, 2 with y = 0, 2, 6.5, l2 = 3, theta = 1 and the test example x = 1, y = 5 "
        "the scores are -0.2667, 0.2667 and 2.4."
    )
    scores_of_each(f, X, y, 3.0, one, one, 5.0, top / 15, says, slips)


@case("15.1")
def scores_are_slopes_of_the_refits(f):
    draw = np.random.default_rng(151)
    X, y, x_t = draw.normal(size=(40, 3)), draw.normal(size=40), np.ones(3)
    theta = ridge(X, y, 0.1, np.ones(40))
    slope = first_order(lambda weights: 0.5 * (x_t @ ridge(X, y, 0.1, weights) - 1) ** 2, 40)
    H = X.T @ X / 40 + 0.1 * np.eye(3)
    part = lambda inverse: (x_t @ theta - 1) * (X @ theta - y) * (X @ (inverse @ x_t)) / 40
    slips = {
        "X.T @ X / n + l2 adds l2 to every entry; the penalty adds it to the diagonal.": part(
            np.linalg.inv(X.T @ X / 40 + 0.1)
        ),
        "1 / H inverts each entry; the inverse of the matrix is meant.": part(1 / H),
    }
    says = (
        "With three features the scores are not the derivative of the refit by an example's "
        "weight. Is the whole matrix H inverted?"
    )
    scores_of_each(f, X, y, 0.1, theta, x_t, 1.0, slope, says, slips)


@case("15.1", hidden=True)
def scores_of_other_shapes(f):
    draw = np.random.default_rng(15)
    for n, d, l2 in [(30, 4, 0.3), (12, 20, 0.05)]:
        X, y, x_t = draw.normal(size=(n, d)), draw.normal(size=n), draw.normal(size=d)
        theta = ridge(X, y, l2, np.ones(n))
        M = np.linalg.inv(X.T @ X + n * l2 * np.eye(d))
        kept = 1 - np.sum((X @ M) * X, axis=1)  # 1 - leverage: what is exact but for this factor
        moved = [x_t @ (ridge(X, y, l2, weights) - theta) for weights in 1 - np.eye(n)]
        right = (x_t @ theta - 0.7) * np.array(moved) * kept
        says = f"Wrong for {n} examples of {d} features: n is their number, len(y)."
        scores_of_each(f, X, y, l2, theta, x_t, 0.7, right, says, {})


@case("15.1", hidden=True)
def what_is_fitted_perfectly_has_no_score(f):
    draw = np.random.default_rng(16)
    X, y, x_t = draw.normal(size=(9, 2)), draw.normal(size=9), draw.normal(size=2)
    theta = ridge(X, y, 0.2, 1.0 - (np.arange(9) == 4))
    y[4] = X[4] @ theta  # with it the fit is the same
    slope = first_order(lambda weights: 0.5 * (x_t @ ridge(X, y, 0.2, weights) - 3) ** 2, 9)
    says = "Wrong where one training example, number 4 from 0, has no residual: its score is 0."
    scores_of_each(f, X, y, 0.2, theta, x_t, 3.0, slope, says, {})
    says = "A test example that is fitted perfectly: no removal changes its loss to first order."
    scores_of_each(f, X, y, 0.2, theta, x_t, float(x_t @ theta), np.zeros(9), says, {})


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
        "H is a mean, X'y a sum: theta solves H theta = X'y / n.": (3 * fit - h * y) / (1 - h),
        "This is how far the prediction moves; where to?": right - fit,
        "These are residuals; a prediction is wanted.": right - y,
        "Residuals with the sign changed; a prediction is wanted.": y - right,
        "A residual is the prediction minus y; here it has the other sign.": 2 * y - right,
    }
    says = "For x = 1, 1, 2 with y = 0, 1, 7 and l2 = 3 the predictions are 15/14, 1 and 2/11."
    told(f(X, y, 3.0), right, says, slips, form="One prediction per example.")


@case("15.2")
def loo_is_the_refit(f):
    draw = np.random.default_rng(152)
    X, y = draw.normal(size=(12, 3)), draw.normal(size=12)
    A = X.T @ X / 12 + 0.1  # the slip: 0.1 in every entry
    fit, h = X @ np.linalg.solve(A, X.T @ y / 12), np.diag(X @ np.linalg.solve(A, X.T)) / 12
    slips = {
        "+ l2 adds l2 to every entry; the penalty adds it to the diagonal.": fit
        + h * (fit - y) / (1 - h)
    }
    says = "A refit predicts something else. Leverage: h_ii = x_i' H^-1 x_i / n, with l2 in H?"
    told(f(X, y, 0.1), ridge_without_each(X, y, 0.1), says, slips)


@case("15.2", hidden=True)
def loo_of_other_shapes(f):
    draw = np.random.default_rng(25)
    for n, d, l2 in [(20, 5, 0.02), (9, 14, 0.3)]:
        X, y = draw.normal(size=(n, d)), draw.normal(size=n)
        says = f"Wrong for {n} examples of {d} features: n is their number, len(y)."
        told(f(X, y, l2), ridge_without_each(X, y, l2), says)


@case("15.2", hidden=True)
def loo_of_an_example_that_nobody_resembles(f):
    X, y, l2 = np.array([[1.0, 0.0], [2.0, 0.0], [0.0, 1.0]]), np.array([1.0, 2.0, 1.0]), 0.03
    says = "The last example alone has its feature: without it the prediction there is 0."
    told(f(X, y, l2), ridge_without_each(X, y, l2), says)


# --- 15.3 · What will the probability do? ---------------------------------------------------------


def two_classes(seed, n, d, l2):
    """Examples (n, d) and labels (n,), the fit to them (d,), and a test example (d,)."""
    draw = np.random.default_rng(seed)
    X, x_t = draw.normal(size=(n, d)), draw.normal(size=d)
    y = (X[:, 0] + draw.normal(size=n) > 0) * 1
    return X, y, logistic(X, y, l2, np.ones(n)), x_t


def hessians(X, y, l2, theta):
    """Where a slip in H leads to: what is said of it, and that H."""
    n, d = X.shape
    p = sigma(X @ theta)
    M, penalty = (X.T * (p * (1 - p))) @ X / n, l2 * np.eye(d)
    return {
        "Where is the penalty in H?": M,
        "In H the penalty is l2, not n l2.": M + n * penalty,
        "In H the penalty is l2, not l2 / n.": M + penalty / n,
        "l2 is added to the diagonal of H, not to every entry.": M + l2,
        "H is a mean over examples, not a sum.": n * M + penalty,
        "In H each x x' has the weight p (1 - p).": X.T @ X / n + penalty,
        "In H each x x' has its own weight p (1 - p).": np.mean(p * (1 - p)) * X.T @ X / n
        + penalty,
        "The weight in H is p (1 - p), not p.": (X.T * p) @ X / n + penalty,
    }


def hessian(X, y, l2, theta):
    """The right one, of the risk."""
    p = sigma(X @ theta)
    return (X.T * (p * (1 - p))) @ X / len(y) + l2 * np.eye(len(theta))


def chance_without_each(X, y, l2, x_t):
    """First-order change of the probability of label 1 for each removal, (n,)."""
    return first_order(lambda weights: sigma(x_t @ logistic(X, y, l2, weights)), len(y))


def chance_slips(X, y, l2, theta, x_t, right):
    n = len(y)
    p, p_t, H = sigma(X @ theta), sigma(x_t @ theta), hessian(X, y, l2, theta)
    part = lambda H, g: p_t * (1 - p_t) * g @ np.linalg.solve(H, x_t) / n
    g = (p - y)[:, None] * X
    h = p * (1 - p) * np.sum(X.T * np.linalg.solve(H, X.T), axis=0) / n
    gone = [logistic(X, y, l2, weights) for weights in 1 - np.eye(n)]
    return {
        "This is one step, (15.6), over 1 - h: first order is asked.": right / (1 - h),
        "These are real refits; first order is asked.": sigma(gone @ x_t) - p_t,
        BENDS: sigma(x_t @ theta + right / (p_t * (1 - p_t))) - p_t,
        "The sign: two minus signs cancel in (15.2).": -right,
        "A removal is epsilon = -1/n. Where is the 1/n?": n * right,
        "That is the derivative by epsilon: what is epsilon for a removal?": -n * right,
        "1/n, not 1/(n - 1): a removal is epsilon = -1/n.": n / (n - 1) * right,
        "1/n stands once.": right / n,
        **{hint: part(wrong, g) for hint, wrong in hessians(X, y, l2, theta).items()},
        "g_i is the gradient of one loss, without the penalty.": part(H, g + l2 * theta),
        "g_i is the gradient of one loss. Where is p_i - y_i?": part(H, X),
        "Labels are 0 and 1 here, not -1 and 1.": part(H, (p - 2 * y + 1)[:, None] * X),
        "This is the logit's change; what is the slope of sigma?": right / (p_t * (1 - p_t)),
        "The slope of sigma is not sigma itself. Or is this the loss with label 0?": right
        / (1 - p_t),
        "This is the change of the loss with label 1.": -right / p_t,
        "The change is wanted, not the new probability.": right + p_t,
        "Where is the inverse of H?": p_t * (1 - p_t) * g @ x_t / n,
    }


@case("15.3")
def chances_by_hand(f):
    X, y, l2 = np.array([[1.0], [1.0], [2.0]]), np.array([0, 0, 1]), 0.1
    theta, x_t = np.array([0.0]), np.array([2.4])
    right = np.array([1.0, 1.0, -2.0]) / 6
    says = (
        "For x = 1, 1, 2 with y = 0, 0, 1, l2 = 0.1, theta = 0 and the test example x = 2.4 the "
        "changes are 1/6, 1/6 and -1/3."
    )
    slips = chance_slips(X, y, l2, theta, x_t, right)
    told(f(X, y, l2, theta, x_t), right, says, slips, form=ONE_EACH)


@case("15.3")
def chances_are_slopes_of_the_refits(f):
    X, y, theta, x_t = two_classes(154, 25, 3, 0.1)
    right = chance_without_each(X, y, 0.1, x_t)
    says = (
        "Refits with an example a little lighter and heavier disagree: this is not the first-order "
        "change."
    )
    slips = chance_slips(X, y, 0.1, theta, x_t, right)
    told(f(X, y, 0.1, theta, x_t), right, says, slips, form=ONE_EACH)


@case("15.3", hidden=True)
def chances_of_other_shapes(f):
    for seed, n, d in [(31, 40, 4), (32, 6, 9)]:
        X, y, theta, x_t = two_classes(seed, n, d, 0.3)
        says = f"Wrong for {n} examples of {d} features: n is their number, len(y)."
        told(f(X, y, 0.3, theta, x_t), chance_without_each(X, y, 0.3, x_t), says)


@case("15.3", hidden=True)
def chances_of_a_test_example_without_ink(f):
    X, y, theta, x_t = two_classes(33, 15, 3, 0.2)
    says = "A test example of zeros has probability 1/2 whatever theta is: nothing can change it."
    told(f(X, y, 0.2, theta, 0 * x_t), np.zeros(15), says)


# --- 15.4 · Which refit was it? -------------------------------------------------------------------

SENSES = "fixed-weight", "refit-mean"


def word(said):
    """The answer as a word, also where NumPy wraps it; a truth value becomes "True"."""
    return str(np.asarray(said))


def invented(seed, shift, slope, n, size):
    """Scores, shift, and the real changes in both senses; a few are large."""
    draw = np.random.default_rng(seed)
    real = 0.01 * size * draw.normal(size=n)
    real[:6] = size * draw.uniform(1, 2, size=6)  # all of one sign
    fixed = slope * real + 1e-4 * size * draw.normal(size=n)
    other = (fixed + shift) / slope  # then refit-mean predictions fit as well
    return fixed, shift, dict(zip(SENSES, (real, other)))


def tells_both(f, scores, shift, reals, where):
    """Assert that an answer tells the senses of two series of real changes."""
    said = {sense: word(f(scores, shift, real)) for sense, real in reals.items()}
    right = all(said[sense] == sense for sense in said)
    assert set(said.values()) <= set(SENSES), (
        "The answer is one of the words fixed-weight and refit-mean."
    )
    turned = all(word(f(scores, -shift, real)) == sense for sense, real in reals.items())
    assert right or not turned, (
        "The sign of shift: if real is 0 in the refit-mean sense, is the fixed-weight score shift "
        "or -shift?"
    )
    assert len(set(said.values())) == 2, (
        f"{where} it says the same for both. Correlation, rank and slope are blind to a constant, "
        "a few large changes outweigh it in a mean, one example near 0 is too few, and it has a "
        "sign."
    )
    assert right, (
        f"{where} it takes one for the other. If real is 0 in the refit-mean sense, is the "
        "fixed-weight score shift or -shift?"
    )


@case("15.4")
def senses_by_hand(f):
    scores = np.array([-1.0, 0.0, 1.0, 2.0])
    reals = np.array([-2.0, 0.0, 2.0, 4.0]), np.array([-1.0, 1.0, 3.0, 5.0])
    where = "For scores -1, 0, 1, 2 and shift 0.5, real changes -2, 0, 2, 4 or -1, 1, 3, 5,"
    tells_both(f, scores, 0.5, dict(zip(SENSES, reals)), where)


@case("15.4")
def senses_of_invented_changes(f):
    for seed, shift, slope, n in [(1, 0.02, 0.6, 60), (2, -0.02, 0.6, 60), (41, 0.03, 0.4, 80)]:
        tells_both(f, *invented(seed, shift, slope, n, 1.0), f"With shift {shift}")


@case("15.4")
def senses_of_small_changes(f):
    scores, shift, reals = invented(3, 2e-6, 0.6, 60, 1e-4)
    said = [word(f(scores, shift, reals[sense])) for sense in SENSES]
    says = "A fixed threshold does not know the scale: compare with shift."
    assert said == list(SENSES), says


@case("15.4")
def senses_of_real_refits(f):
    senses_of_a_fit(f, 156, 40, 3, 0.2)


def senses_of_a_fit(f, seed, n, d, l2):
    X, y, theta, x_t = two_classes(seed, n, d, l2)
    p_t = sigma(x_t @ theta)
    s = p_t * (1 - p_t) * np.linalg.solve(hessian(X, y, l2, theta), x_t) / n
    scores, shift = (sigma(X @ theta) - y) * (X @ s), l2 * theta @ s
    for sense, scale in zip(SENSES, (1.0, n / (n - 1))):
        rows = scale * (1 - np.eye(n))
        real = np.array([sigma(x_t @ logistic(X, y, l2, weights)) - p_t for weights in rows])
        assert word(f(scores, shift, real)) == sense, (
            f"Refits of a logistic regression in the sense {sense} are taken for the other."
        )


@case("15.4", hidden=True)
def senses_at_every_scale_and_with_either_sign(f):
    for seed, shift, slope, size in [
        (45, 0.03, 0.5, 1.0),
        (42, -3e-7, 0.8, 1e-5),
        (43, 3.0, 1.0, 100.0),
        (44, 1e-3, 0.7, 1.0),
    ]:
        scores, shift, reals = invented(seed, shift, slope, 80, size)
        for sense, real in reals.items():
            for flip in (1, -1):
                said = word(f(flip * scores, flip * shift, flip * real))
                assert said == sense, (
                    f"Refits {sense}, shift {flip * shift}: it says {said}: compare with shift, "
                    "whatever its size."
                )


@case("15.4", hidden=True)
def senses_of_other_refits(f):
    senses_of_a_fit(f, 157, 30, 2, 0.5)


# --- 15.5 · Self-influence ------------------------------------------------------------------------


def own_losses(X, y, theta):
    return np.log(1 + np.exp((1 - 2 * y) * (X @ theta)))


def own_rises(X, y, l2):
    """To first order, how much the loss of each example rises without it, (n,)."""
    n = len(y)
    return np.diag(first_order(lambda w: own_losses(X, y, logistic(X, y, l2, w)), n))


def own_slips(X, y, l2, theta, right):
    n = len(y)
    p, H = sigma(X @ theta), hessian(X, y, l2, theta)
    form_of = lambda H: np.sum(X.T * np.linalg.solve(H, X.T), axis=0) / n
    r, form, before = p - y, form_of(H), own_losses(X, y, theta)
    gone = [own_losses(X, y, logistic(X, y, l2, weights)) for weights in 1 - np.eye(n)]
    heavy = r[:, None] * X + l2 * theta  # the slip: the penalty in each gradient
    return {
        "The gradient stands on both sides: p - y is squared.": abs(r) * form,
        "p - y is squared: self-influence has no sign.": r * form,
        "And the gradient of the loss, p - y?": form,
        "Where is the 1/n?": n * right,
        "1/n, not 1/(n - 1): a removal is epsilon = -1/n.": n / (n - 1) * right,
        "1/n stands once.": right / n,
        "Never negative: g and H^-1 g make a square.": -right,
        "That is the derivative by epsilon: what is epsilon for a removal?": -n * right,
        "This is the leverage: p (1 - p) for the squared gradient.": p * (1 - p) * form,
        **{hint: r**2 * form_of(wrong) for hint, wrong in hessians(X, y, l2, theta).items()},
        "g_i is the gradient of one loss, without the penalty.": np.sum(
            heavy.T * np.linalg.solve(H, heavy.T), axis=0
        )
        / n,
        "This is one step, (15.6), over 1 - h: first order is asked.": right
        / (1 - p * (1 - p) * form),
        "These are real refits; first order is asked.": np.diag(gone) - before,
        BENDS: np.log(1 + np.exp((1 - 2 * y) * (X @ theta + r * form))) - before,
        "This is the change of the example's own probability.": p * (1 - p) * r * form,
        "Where is the inverse of H?": r**2 * np.sum(X**2, axis=1) / n,
    }


@case("15.5")
def own_losses_by_hand(f):
    X, y = np.array([[1.0], [1.0], [2.0]]), np.array([0, 0, 1])
    theta, right = np.array([0.0]), np.array([5, 5, 20]) / 36
    says = "For x = 1, 1, 2 with y = 0, 0, 1, l2 = 0.1 and theta = 0 it is 5/36, 5/36 and 5/9."
    told(f(X, y, 0.1, theta), right, says, own_slips(X, y, 0.1, theta, right), form=ONE_EACH)


@case("15.5")
def own_losses_are_slopes_of_the_refits(f):
    X, y, theta, _ = two_classes(157, 25, 2, 0.1)
    right = own_rises(X, y, 0.1)
    says = "A refit with the example a little lighter disagrees."
    told(f(X, y, 0.1, theta), right, says, own_slips(X, y, 0.1, theta, right), form=ONE_EACH)


@case("15.5", hidden=True)
def own_losses_of_other_shapes(f):
    for seed, n, d in [(51, 50, 5), (52, 5, 8)]:
        X, y, theta, _ = two_classes(seed, n, d, 0.2)
        says = f"Wrong for {n} examples of {d} features: n is their number, len(y)."
        told(f(X, y, 0.2, theta), own_rises(X, y, 0.2), says)


@case("15.5", hidden=True)
def own_losses_of_copies(f):
    X, y, _, _ = two_classes(53, 12, 3, 0.05)
    X[5] = 0  # an example without ink holds nothing
    X, y = np.tile(X, (2, 1)), np.tile(y, 2)
    theta = logistic(X, y, 0.05, np.ones(24))
    says = "Wrong where each example occurs twice and one is all zeros, which gives it 0."
    told(f(X, y, 0.05, theta), own_rises(X, y, 0.05), says)
