"""Exercises of notebook 15: influence functions."""

import functools

import numpy as np

from course_utils.exercises import SHAPES, called, case, expect

# Answers in 32 bits pass too; the slips lie further apart than this.
told = functools.partial(expect, rtol=1e-4, atol=1e-6)
ONE_EACH = "One number per training example: shape (n,)."
BENDS = "This is taken at the moved parameters, where it bends; (15.3) is its slope times the move."


def with_shapes(f, X, *args):
    """What ``f`` gives; where it stops because shapes do not fit, the shapes that would."""
    n, d = X.shape
    fit = (
        f"Shapes do not fit: X has {n, d}, H {d, d}, one number per example ({n},); as a column, "
        f"({n}, 1), such numbers multiply the rows of X."
    )
    return called(f, X, *args, advice={SHAPES: fit})


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


def scores_of_each(f, X, y, l2, theta, x_t, y_t, right, says, slips=None):
    got = with_shapes(f, X, y, l2, theta, x_t, y_t)
    told(got, right, says, slips, form=ONE_EACH)


def score_slips(X, y, l2, theta, x_t, y_t, right):
    n, d = X.shape
    r, r_t, M, penalty = X @ theta - y, x_t @ theta - y_t, X.T @ X / n, l2 * np.eye(d)
    H = M + penalty
    part = lambda inverse: r_t * r * (X @ inverse @ x_t) / n
    of = lambda H: part(np.linalg.inv(H)) if np.linalg.matrix_rank(H) == d else np.full(n, np.nan)
    half = lambda gap: 0.5 * gap**2 - 0.5 * r_t**2  # the rise of the test loss
    gone = np.array([ridge(X, y, l2, weights) for weights in 1 - np.eye(n)])
    without = X @ np.linalg.solve(H, x_t) / n  # the scores but for both residuals
    p, p_t = sigma(X @ theta), sigma(x_t @ theta)  # as if the model were logistic
    K = (X.T * (p * (1 - p))) @ X / n + penalty
    return {
        "The sign: positive is for a removal that raises the test loss.": -right,
        "A removal is epsilon = -1/n. Where is the 1/n?": n * right,
        "That is Koh and Liang's derivative, -n times the score.": -n * right,
        "1/n, not 1/(n - 1): a removal is epsilon = -1/n.": n / (n - 1) * right,
        "1/n stands once.": right / n,
        "Which curvature does the penalty add to H?": of(M),
        "H belongs to the risk, a mean: X'X / n, then the penalty.": of(n * M + penalty),
        "Beside the mean X'X / n the penalty is l2, not n l2.": of(M + n * penalty),
        "X.T @ X / n + l2 adds l2 to every entry; the penalty adds it to the diagonal.": of(M + l2),
        "1 / H inverts each entry; the inverse of the matrix is meant.": part(1 / H),
        "The test loss has no penalty: its gradient is r_t x_t.": r
        * (X @ np.linalg.solve(H, r_t * x_t + l2 * theta))
        / n,
        "The gradient of the test loss is r_t x_t. Where is r_t?": r * without,
        "g_i is the gradient of one loss. Where is r_i?": r_t * without,
        "Half the squared residual: its derivative is r, not 2 r.": 4 * right,
        "Half a squared residual: its derivative is r, never 2 r.": 2 * right,
        "This is ridge regression: residuals are x'theta - y, not p - y.": (p_t - y_t)
        * (p - y)
        * without,
        "This is ridge regression: no p, neither in residuals nor in H.": (p_t - y_t)
        * (p - y)
        * (X @ np.linalg.solve(K, x_t))
        / n,
        "Where is the inverse of H?": part(np.eye(d)),
        "H itself, where its inverse should be.": part(H),
        "Is the whole matrix H inverted, or its diagonal alone?": part(np.diag(1 / np.diag(H))),
        "g_i is the gradient of one loss, without the penalty.": right
        + r_t * l2 * theta @ np.linalg.solve(H, x_t) / n,
        "These are exact refits; (15.3) is asked, first order.": half(gone @ x_t - y_t),
        BENDS: half(r_t + r * without),
    }


# Two features and three examples: what mixes them up does not fit.
ROWS = np.array([[1.0, 0], [0, 1], [1, 1]])


@case("15.1")
def scores_by_hand(f):
    y, theta, x_t = np.array([2.0, 6, 5]), np.array([1.0, 2]), np.array([1.0, 0])
    right = np.array([5.0, -4, 8]) / 6
    says = (
        "For X = [[1, 0], [0, 1], [1, 1]], y = [2, 6, 5], l2 = 1, theta = [1, 2] and the test "
        "example x = [1, 0], y = 5 the scores are 5/6, -2/3 and 4/3."
    )
    slips = score_slips(ROWS, y, 1.0, theta, x_t, 5.0, right)
    scores_of_each(f, ROWS, y, 1.0, theta, x_t, 5.0, right, says, slips)


@case("15.1")
def scores_are_slopes_of_the_refits(f):
    draw = np.random.default_rng(151)
    X, y, x_t = draw.normal(size=(40, 3)), draw.normal(size=40), np.ones(3)
    theta = ridge(X, y, 0.1, np.ones(40))
    slope = first_order(lambda weights: 0.5 * (x_t @ ridge(X, y, 0.1, weights) - 1) ** 2, 40)
    says = (
        "With three features the scores are not the derivative of the refit by an example's "
        "weight. Is the whole matrix H inverted?"
    )
    slips = score_slips(X, y, 0.1, theta, x_t, 1.0, slope)
    scores_of_each(f, X, y, 0.1, theta, x_t, 1.0, slope, says, slips)


@case("15.1", hidden=True)
def scores_of_other_shapes(f):
    draw = np.random.default_rng(15)
    for n, d, l2 in [(40, 3, 0.3), (12, 20, 0.05)]:
        X, y, x_t = draw.normal(size=(n, d)), draw.normal(size=n), draw.normal(size=d)
        theta = ridge(X, y, l2, np.ones(n))
        M = np.linalg.inv(X.T @ X + n * l2 * np.eye(d))
        kept = 1 - np.sum((X @ M) * X, axis=1)  # 1 - leverage: what is exact but for this factor
        moved = [x_t @ (ridge(X, y, l2, weights) - theta) for weights in 1 - np.eye(n)]
        right = (x_t @ theta - 0.7) * np.array(moved) * kept
        says = f"Wrong for {n} examples of {d} features: n is their number, len(y)."
        scores_of_each(f, X, y, l2, theta, x_t, 0.7, right, says)


@case("15.1", hidden=True)
def what_is_fitted_perfectly_has_no_score(f):
    draw = np.random.default_rng(16)
    X, y, x_t = draw.normal(size=(9, 2)), draw.normal(size=9), draw.normal(size=2)
    theta = ridge(X, y, 0.2, 1.0 - (np.arange(9) == 4))
    y[4] = X[4] @ theta  # with it the fit is the same
    slope = first_order(lambda weights: 0.5 * (x_t @ ridge(X, y, 0.2, weights) - 3) ** 2, 9)
    says = "Wrong where one training example, number 4 from 0, has no residual: its score is 0."
    scores_of_each(f, X, y, 0.2, theta, x_t, 3.0, slope, says)
    says = "A test example that is fitted perfectly: no removal changes its loss to first order."
    scores_of_each(f, X, y, 0.2, theta, x_t, float(x_t @ theta), np.zeros(9), says)


# --- 15.2 · Leave-one-out without leaving anyone out ----------------------------------------------


def ridge_without_each(X, y, l2):
    """What ridge predicts at x_k when the term of example k is dropped, by refits; 1/n stays."""
    n, d = X.shape
    found = np.empty(n)
    for k in range(n):
        Q, v = np.delete(X, k, axis=0), np.delete(y, k)
        found[k] = X[k] @ np.linalg.solve(Q.T @ Q + n * l2 * np.eye(d), Q.T @ v)
    return found


def loo_slips(X, y, l2, right):
    n, d = X.shape
    M, b, penalty = X.T @ X / n, X.T @ y / n, l2 * np.eye(d)

    def fit_and_leverage(H):
        if np.linalg.matrix_rank(H) < d:
            return np.full(n, np.nan), np.full(n, np.nan)
        return X @ np.linalg.solve(H, b), np.diag(X @ np.linalg.solve(H, X.T)) / n

    def corrected(H):
        fit, h = fit_and_leverage(H)
        return fit + h * (fit - y) / (1 - h)

    fit, h = fit_and_leverage(M + penalty)
    with np.errstate(divide="ignore", invalid="ignore"):
        return {
            "This is the fit with all examples.": fit,
            "First order only: where is 1 / (1 - h)?": fit + h * (fit - y),
            "The other way: without it, the fit turns away from y_i.": 2 * fit - right,
            "1 - h, not 1 + h: without it there is less to hold the fit.": fit
            + h * (fit - y) / (1 + h),
            "Beside X'X, which is a sum, the penalty is n l2.": corrected(M + penalty / n),
            "Beside X'X / n, which is a mean, the penalty is l2, not n l2.": corrected(
                M + n * penalty
            ),
            "h_ii = x_i' H^-1 x_i / n. Where is its 1/n?": fit + n * h * (fit - y) / (1 - n * h),
            "Where is the penalty in H?": corrected(M),
            "+ l2 adds l2 to every entry; the penalty adds it to the diagonal.": corrected(M + l2),
            "1/n stays: this is the mean over the other n - 1.": ridge_without_each(
                X, y, l2 * (n - 1) / n
            ),
            "H is a mean, X'y a sum: theta solves H theta = X'y / n.": (n * fit - h * y) / (1 - h),
            "This is how far the prediction moves; where to?": right - fit,
            "These are residuals; a prediction is wanted.": right - y,
            "Residuals with the sign changed; a prediction is wanted.": y - right,
            "A residual is the prediction minus y; here it has the other sign.": 2 * y - right,
        }


@case("15.2")
def loo_by_hand(f):
    y = np.array([2.0, 6, 5])
    right = np.array([14 / 19, 18 / 19, 2])
    says = (
        "For X = [[1, 0], [0, 1], [1, 1]], y = [2, 6, 5] and l2 = 1 the predictions are 14/19, "
        "18/19 and 2."
    )
    slips = loo_slips(ROWS, y, 1.0, right)
    with np.errstate(divide="ignore", invalid="ignore"):  # a leverage of 1, where 1/n is missing
        got = with_shapes(f, ROWS, y, 1.0)
    told(got, right, says, slips, form="One prediction per example.")


@case("15.2")
def loo_is_the_refit(f):
    draw = np.random.default_rng(152)
    X, y = draw.normal(size=(12, 3)), draw.normal(size=12)
    right = ridge_without_each(X, y, 0.1)
    says = "A refit predicts something else. Leverage: h_ii = x_i' H^-1 x_i / n, with l2 in H?"
    told(with_shapes(f, X, y, 0.1), right, says, loo_slips(X, y, 0.1, right))


@case("15.2", hidden=True)
def loo_of_other_shapes(f):
    draw = np.random.default_rng(25)
    for n, d, l2 in [(20, 5, 0.02), (9, 14, 0.3)]:
        X, y = draw.normal(size=(n, d)), draw.normal(size=n)
        says = f"Wrong for {n} examples of {d} features: n is their number, len(y)."
        told(with_shapes(f, X, y, l2), ridge_without_each(X, y, l2), says)


@case("15.2", hidden=True)
def loo_of_an_example_that_nobody_resembles(f):
    X, y, l2 = np.array([[1.0, 0.0], [2.0, 0.0], [0.0, 1.0]]), np.array([1.0, 2.0, 1.0]), 0.03
    says = "The last example alone has its feature: without it the prediction there is 0."
    told(with_shapes(f, X, y, l2), ridge_without_each(X, y, l2), says)


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
    y, theta, x_t = np.array([0, 0, 1]), np.zeros(2), np.array([2.0, 1])
    right = np.array([3.0, 1, -4]) / 16
    says = (
        "For X = [[1, 0], [0, 1], [1, 1]], y = [0, 0, 1], l2 = 0.25, theta = [0, 0] and the test "
        "example x = [2, 1] the changes are 3/16, 1/16 and -1/4."
    )
    slips = chance_slips(ROWS, y, 0.25, theta, x_t, right)
    told(with_shapes(f, ROWS, y, 0.25, theta, x_t), right, says, slips, form=ONE_EACH)


@case("15.3")
def chances_are_slopes_of_the_refits(f):
    X, y, theta, x_t = two_classes(154, 15, 3, 0.1)
    right = chance_without_each(X, y, 0.1, x_t)
    says = (
        "Refits with an example a little lighter and heavier disagree: this is not the first-order "
        "change."
    )
    slips = chance_slips(X, y, 0.1, theta, x_t, right)
    told(with_shapes(f, X, y, 0.1, theta, x_t), right, says, slips, form=ONE_EACH)


@case("15.3", hidden=True)
def chances_of_other_shapes(f):
    for seed, n, d in [(31, 15, 3), (32, 6, 9)]:
        X, y, theta, x_t = two_classes(seed, n, d, 0.3)
        says = f"Wrong for {n} examples of {d} features: n is their number, len(y)."
        told(with_shapes(f, X, y, 0.3, theta, x_t), chance_without_each(X, y, 0.3, x_t), says)


@case("15.3", hidden=True)
def chances_of_a_test_example_without_ink(f):
    X, y, theta, x_t = two_classes(33, 15, 3, 0.2)
    says = "A test example of zeros has probability 1/2 whatever theta is: nothing can change it."
    told(with_shapes(f, X, y, 0.2, theta, 0 * x_t), np.zeros(15), says)


# --- 15.4 · Which refit was it? -------------------------------------------------------------------

SENSES = "fixed-weight", "refit-mean"


def word(said):
    """The answer as a word, also where NumPy wraps it; a truth value becomes "True"."""
    return str(np.asarray(said))


def invented(seed, n, size, slopes=(0.6, 0.4), signs=(1,)):
    """Scores, shift, and the real changes in both senses.

    Six of the scores are large, of the signs given in turn; predictions are short of the real
    changes by one factor for the others, and by a second for these. As in (15.7) the shift is minus
    the mean of the scores.
    """
    draw = np.random.default_rng(seed)
    large, signs = np.arange(n) < 6, np.resize(signs, n)
    exact = np.where(large, signs * (0.4 + 0.08 * np.arange(n)), 0.006 * draw.normal(size=n))
    scores = size * (exact + 1e-3 * draw.normal(size=n))  # first order errs elsewhere, too
    shift = -scores.mean()
    slope = np.where(large, slopes[1], slopes[0])
    return scores, shift, dict(zip(SENSES, (size * exact / slope, (size * exact + shift) / slope)))


BY_HAND = (
    np.array([-1.0, 0.2, 0.8, 2]),
    -0.5,
    dict(zip(SENSES, (np.array([-2.0, 0.4, 1.6, 4]), np.array([-3.0, -0.6, 0.6, 3])))),
)
INVENTED = (
    invented(1, 60, 1.0),
    invented(2, 60, 1.0, signs=(-1,)),
    invented(3, 80, 1.0, slopes=(0.8, 0.8), signs=(1, 1, -1)),
)


def line(scores, real):
    """Where the line of scores on real changes meets real = 0."""
    return np.polyfit(real, scores, 1)[1]


def by_size(off):
    """What an answer says that takes ``off`` for the fixed-weight score of a real 0."""
    return lambda scores, shift, real: abs(off(scores, real)) < abs(off(scores, real) + shift)


SENSE_SLIPS = {  # hint: rules, each of which is true where an answer says "fixed-weight"
    "It says the same every time. Correlation, rank and slope are blind to a constant; which "
    "figure of the table is not?": [
        lambda scores, shift, real: True,
        lambda scores, shift, real: False,
    ],
    "It takes one for the other: the two words are exchanged, or the comparison is.": [
        lambda scores, shift, real: not by_size(line)(scores, shift, real),
    ],
    "A few large changes, predicted too small, outweigh the constant in a mean or a sum.": [
        by_size(lambda scores, real: np.mean(scores - real)),
    ],
    "One example, that with the smallest real change, is too few: its change may be far from 0. "
    "Use all.": [
        by_size(lambda scores, real: scores[np.argmin(abs(real))]),
        lambda scores, shift, real: abs(scores[np.argmin(abs(real))]) < abs(shift) / 2,
    ],
    "Near 0 some signs differ in either sense: ask with which predictions more of them agree.": [
        lambda scores, shift, real: np.all(np.sign(scores) == np.sign(real)),
    ],
    "shift has a sign: its size alone does not say on which side of 0 the other sense lies.": [
        lambda scores, shift, real: line(scores, real) < abs(shift) / 2,
        lambda scores, shift, real: line(scores, real) > -abs(shift) / 2,
    ],
    "In the fixed-weight sense the intercept is near 0, of either sign: its sign does not tell.": [
        lambda scores, shift, real: line(scores, real) > 0,
        lambda scores, shift, real: line(scores, real) < 0,
    ],
    "It looks at shift alone, which is the same for both senses.": [
        lambda scores, shift, real: shift > 0,
        lambda scores, shift, real: shift < 0,
    ],
}


def words_for(f, series, sign=1):
    """What an answer says of all series of real changes, in turn; sign: of the shift it is told."""
    return [
        word(f(scores.copy(), sign * shift, real.copy()))
        for scores, shift, reals in series
        for real in reals.values()
    ]


def tells_both(f, series, says):
    """Assert that an answer tells the two senses apart in each series, or name the slip."""
    said, right = words_for(f, series), list(SENSES) * len(series)
    assert set(said) <= set(SENSES), "The answer is one of the words fixed-weight and refit-mean."
    if said == right:
        return
    every = (BY_HAND, *INVENTED)  # the more, the better slips are told apart
    all_said, all_right = words_for(f, every), list(SENSES) * len(every)
    if all_said == all_right:  # on these the answer is right
        raise AssertionError(says)
    assert words_for(f, every, sign=-1) != all_right, (
        "The sign of shift: if real is 0 in the refit-mean sense, is the fixed-weight score shift "
        "or -shift?"
    )
    for hint, rules in SENSE_SLIPS.items():
        for rule in rules:
            slip = lambda *given: SENSES[0] if rule(*given) else SENSES[1]
            assert all_said != words_for(slip, every), hint
    raise AssertionError(says)


@case("15.4")
def senses_by_hand(f):
    says = (
        "For scores -1, 0.2, 0.8, 2 and shift -0.5 the real changes -2, 0.4, 1.6, 4 are "
        "fixed-weight and -3, -0.6, 0.6, 3 refit-mean. What is a real 0 predicted as, in each?"
    )
    tells_both(f, [BY_HAND], says)


@case("15.4")
def senses_of_invented_changes(f):
    says = "Wrong for invented scores, where predictions are too small: what is a real 0 taken for?"
    tells_both(f, INVENTED, says)


@case("15.4")
def senses_of_small_changes(f):
    says = "A fixed threshold does not know the scale: compare with shift."
    tells_both(f, [invented(4, 60, 1e-4)], says)


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
    for seed, size, signs in [(45, 1.0, (1,)), (42, 1e-5, (-1,)), (43, 100.0, (1,))]:
        for scores, shift, reals in [
            invented(seed, 80, size, (0.7, 0.5), signs),
            invented(seed, 90, size, (0.8, 0.8), (*signs, -signs[0])),
        ]:
            for sense, real in reals.items():
                said = word(f(scores, shift, real))
                assert said == sense, (
                    f"Refits {sense}, shift {shift:.2g}: it says {said}: compare with shift, "
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
    y, theta, right = np.array([0, 0, 1]), np.zeros(2), np.array([5, 5, 8]) / 24
    says = (
        "For X = [[1, 0], [0, 1], [1, 1]], y = [0, 0, 1], l2 = 0.25 and theta = [0, 0] it is 5/24, "
        "5/24 and 1/3."
    )
    slips = own_slips(ROWS, y, 0.25, theta, right)
    told(with_shapes(f, ROWS, y, 0.25, theta), right, says, slips, form=ONE_EACH)


@case("15.5")
def own_losses_are_slopes_of_the_refits(f):
    X, y, theta, _ = two_classes(157, 24, 3, 0.1)
    right = own_rises(X, y, 0.1)
    says = "A refit with the example a little lighter disagrees."
    slips = own_slips(X, y, 0.1, theta, right)
    told(with_shapes(f, X, y, 0.1, theta), right, says, slips, form=ONE_EACH)


@case("15.5", hidden=True)
def own_losses_of_other_shapes(f):
    for seed, n, d in [(51, 24, 3), (52, 5, 8)]:
        X, y, theta, _ = two_classes(seed, n, d, 0.2)
        says = f"Wrong for {n} examples of {d} features: n is their number, len(y)."
        told(with_shapes(f, X, y, 0.2, theta), own_rises(X, y, 0.2), says)


@case("15.5", hidden=True)
def own_losses_of_copies(f):
    X, y, _, _ = two_classes(53, 12, 3, 0.05)
    X[5] = 0  # an example without ink holds nothing
    X, y = np.tile(X, (2, 1)), np.tile(y, 2)
    theta = logistic(X, y, 0.05, np.ones(24))
    says = "Wrong where each example occurs twice and one is all zeros, which gives it 0."
    told(with_shapes(f, X, y, 0.05, theta), own_rises(X, y, 0.05), says)
