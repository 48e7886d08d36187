"""Exercises of notebook 18: the loss without a point, attacked pixels, the fewest that flip."""

import numpy as np

from course_utils.exercises import SHAPES, called, case, expect, expect_all_digits, untouched

# --- 18.1 · The loss without the point ------------------------------------------------------------

ONE_EACH = "One number for each example, shape (n,)."
ADVICE_18_1 = {
    SHAPES: "Shapes do not fit: X has (n, d), H (d, d), and X.T @ X is (d, d). "
    "All n solves at once: np.linalg.solve(H, X.T), shape (d, n)."
}


def _probability(z):
    return 0.5 * (1 + np.tanh(z / 2))


def _loss(z, y):
    return np.logaddexp(0, (1 - 2.0 * y) * z)


def _one_step_away(X, y, l2, theta):
    """Losses after one Newton step on the risk without each example, from dense matrices."""
    n, d = X.shape
    p, found = _probability(X @ theta), []
    for i in range(n):
        others = np.arange(n) != i
        H = (X[others].T * (p * (1 - p))[others]) @ X[others] / n + l2 * np.eye(d)
        # theta is the fit with all: the step answers the gradient that has gone
        move = np.linalg.solve(H, (p[i] - y[i]) * X[i] / n)
        found.append(_loss(X[i] @ (theta + move), y[i]))
    return np.array(found)


def _slips_18_1(X, y, l2, theta):
    n, d = X.shape
    z = X @ theta
    p = _probability(z)
    w, r = p * (1 - p), p - y
    H = (X.T * w) @ X / n + l2 * np.eye(d)
    q = np.sum(X.T * np.linalg.solve(H, X.T), axis=0) / n
    h = w * q
    step = r * q / (1 - h)
    ols = X.T @ X / n + l2 * np.eye(d)
    q_ols = np.sum(X.T * np.linalg.solve(ols, X.T), axis=0) / n
    with np.errstate(all="ignore"):
        slips = {
            "The sign: without its own pull the model agrees less with an example, so its loss "
            "rises.": _loss(z - step, y),
            "The division by 1 - h is missing: without the example the others give way more.": (
                _loss(z + r * q, y)
            ),
            "The leverage is h = p (1 - p) q, not q.": _loss(z + r * q / (1 - q), y),
            "The leverage is (1/n) p (1 - p) x.H^-1 x: is 1/n missing in q?": (
                _loss(z + r * n * q / (1 - n * h), y)
            ),
            "1/n counts once in q: it is there twice.": _loss(z + r * q / n / (1 - h / n), y),
            "1/n is missing in the move, though the leverage is right.": (
                _loss(z + r * n * q / (1 - h), y)
            ),
            "That is loss + self-influence: the loss to first order. Put the new logit into the "
            "loss itself.": _loss(z, y) + r**2 * q,
            "That is the self-influence, which is only the rise to first order.": r**2 * q,
            "That is the loss *with* the example.": _loss(z, y),
            "The penalty belongs to the risk, not to the loss of an example.": (
                _loss(z + step, y) + l2 / 2 * theta @ theta
            ),
            "That is the logit; its loss is asked for.": z + step,
            "That is the probability of label 1; the loss is asked for.": _probability(z + step),
            "That is how much the loss rises; add the loss with the example.": (
                _loss(z + step, y) - _loss(z, y)
            ),
            "H has no curvature in it: each example counts p (1 - p).": (
                _loss(z + r * q_ols / (1 - w * q_ols), y)
            ),
            "That is the loss for label 1 everywhere: for y = 0 the logit changes its sign.": (
                _loss(z + step, np.ones(n))
            ),
        }
        try:
            bare = np.linalg.solve(H - l2 * np.eye(d), X.T)
            q_bare = np.sum(X.T * bare, axis=0) / n
            slips["H lacks the penalty, l2 on its diagonal."] = _loss(
                z + r * q_bare / (1 - w * q_bare), y
            )
        except np.linalg.LinAlgError:
            pass
    return slips


def _without(f, X, y, l2, theta):
    with untouched("It has changed X, y or theta: work on copies.", X, y, theta):
        return called(f, X, y, l2, theta, advice=ADVICE_18_1)


@case("18.1")
def without_by_hand(f):
    X, y = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]), np.array([0, 0, 1])
    theta = np.zeros(2)
    right = _loss(np.array([10 / 19, 10 / 19, -1.0]), y)
    says = "In the example the losses at the logits (18.2) are [0.9905, 0.9905, 1.3133]."
    expect(
        _without(f, X, y, 0.25, theta), right, says, _slips_18_1(X, y, 0.25, theta), form=ONE_EACH
    )


def _fit(X, y, l2, theta, steps):
    """So many of Newton's steps towards the minimum, from ``theta``."""
    n, d = X.shape
    for _ in range(steps):
        p = _probability(X @ theta)
        H = (X.T * (p * (1 - p))) @ X / n + l2 * np.eye(d)
        theta = theta - np.linalg.solve(H, X.T @ (p - y) / n + l2 * theta)
    return theta


def _fitted(seed, n, d, l2):
    """A random problem and its fit."""
    draw = np.random.default_rng(seed)
    X, y = draw.normal(size=(n, d)), draw.integers(0, 2, n)
    return X, y, _fit(X, y, l2, np.zeros(d), 30)


@case("18.1")
def without_on_random_data(f):
    X, y, theta = _fitted(181, 12, 3, 0.05)
    says = "Wrong for 12 random examples with 3 features."
    got = _without(f, X, y, 0.05, theta)
    right = _one_step_away(X, y, 0.05, theta)
    expect(got, right, says, _slips_18_1(X, y, 0.05, theta), form=ONE_EACH)


OVERFLOW = "Logits of 1,000 and more must not overflow: np.logaddexp(0, ...) does not."


@case("18.1")
def without_at_a_large_logit(f):
    X, y, theta = np.eye(2), np.array([0, 1]), np.array([1000.0, 0.0])
    with np.errstate(all="ignore"):
        got = _without(f, X, y, 0.5, theta)
    right = [1001, _loss(-0.5 * 0.8 / (1 - 0.2), 1)]
    expect(got, right, OVERFLOW, _slips_18_1(X, y, 0.5, theta), form=ONE_EACH)


@case("18.1", hidden=True)
def without_when_features_are_many(f):
    for seed, n, d, l2 in [(182, 30, 4, 0.02), (183, 8, 20, 0.1), (184, 40, 6, 1e-3)]:
        X, y, theta = _fitted(seed, n, d, l2)
        right = _one_step_away(X, y, l2, theta)
        says = f"Wrong for {n} examples with {d} features, l2 = {l2}."
        expect_all_digits(
            _without(f, X, y, l2, theta), right, says, form=ONE_EACH, rtol=1e-7, atol=1e-10
        )


@case("18.1", hidden=True)
def without_when_logits_are_large(f):
    X = np.array([[1000.0, 0.0], [-1000.0, 0.0], [0.0, 1.0]])
    y, theta = np.array([0, 1, 1]), np.array([1.0, 0.0])
    with np.errstate(all="ignore"):
        got = _without(f, X, y, 0.5, theta)
    right = [1000 + 2e6 / 3, 1000 + 2e6 / 3, _loss(-0.5 * 4 / 7 / (1 - 1 / 7), 1)]
    expect(got, right, OVERFLOW, form=ONE_EACH)


# --- 18.2 · The pixels of every training image ----------------------------------------------------

BY_PIXEL = "One row per training image, one column per pixel: shape (n, d)."
ADVICE_18_2 = {
    SHAPES: "Shapes do not fit: F is (n, k), theta and s are (k,), W is (d, k). An array (n,) "
    "becomes a column with [:, None]."
}


def _slips_18_2(F, y, l2, theta, W, f_t, y_t):
    n, k = F.shape
    p = _probability(F @ theta)
    r, w = p - y, p * (1 - p)
    H = (F.T * w) @ F / n + l2 * np.eye(k)
    slope = (_probability(f_t @ theta) - y_t) * f_t
    s = np.linalg.solve(H, slope)
    first, second = np.outer(r, s), np.outer(w * (F @ s), theta)
    swapped = np.outer(w * (F @ theta), s)
    slips = {
        "The sign: along its result the test loss must rise.": (first + second) @ W.T / n,
        "The 1/n is missing: the loss of one example counts 1/n in the risk.": (
            -(first + second) @ W.T
        ),
        "The factor -1/n is missing, sign and all.": (first + second) @ W.T,
        "The derivative of p is p (1 - p): yours counts it p.": (
            -(first + np.outer(p * (F @ s), theta)) @ W.T / n
        ),
        "In the second term the product s.f_i is missing.": (
            -(first + np.outer(w, theta)) @ W.T / n
        ),
        "The second term is missing: as the features move, p_i moves, too, and with it the "
        "residual.": -first @ W.T / n,
        "The first term is missing: the features of image i are a factor of its gradient.": (
            -second @ W.T / n
        ),
        "That is the slope by the features; the chain rule to the pixels is missing.": (
            -(first + second) / n
        ),
        "In the second term theta is what p_i changes by, and s.f_i is a number: yours has them "
        "exchanged.": -(first + swapped) @ W.T / n,
        "The derivative of p is p (1 - p): yours counts it 1.": (
            -(first + np.outer(F @ s, theta)) @ W.T / n
        ),
        "H^-1 is missing: s = H^-1 grad m.": -(
            np.outer(r, slope) + np.outer(w * (F @ slope), theta)
        )
        @ W.T
        / n,
    }
    m = np.linalg.solve(H, slope + l2 * theta)
    slips["The gradient of m has no penalty in it: m is the test loss alone."] = (
        -(np.outer(r, m) + np.outer(w * (F @ m), theta)) @ W.T / n
    )
    try:
        bare = np.linalg.solve(H - l2 * np.eye(k), slope)
        slips["H lacks the penalty, l2 on its diagonal."] = (
            -(np.outer(r, bare) + np.outer(w * (F @ bare), theta)) @ W.T / n
        )
    except np.linalg.LinAlgError:
        pass
    slips["One row per image: yours is transposed."] = (-(first + second) @ W.T / n).T
    return slips


def _measured(F, y, l2, theta, W, f_t, y_t, i, pixel, change=1e-4):
    """The slope of the test loss by one pixel, from two refits."""
    values = []
    for sign in (1, -1):
        moved = F.copy()
        moved[i] += sign * change * W[pixel]
        values.append(_loss(f_t @ _fit(moved, y, l2, theta, 8), y_t))
    return (values[0] - values[1]) / (2 * change)


def _by_pixel(f, *given):
    with untouched("It has changed one of its arrays: work on copies.", *given):
        return called(f, *given, advice=ADVICE_18_2)


@case("18.2")
def pixels_by_hand(f):
    F, y, theta = np.array([[1.0], [-1.0]]), np.array([1, 1]), np.array([np.log(3)])
    W, f_t = np.array([[1.0], [2.0]]), np.array([1.0])
    given = F, y, 5 / 16, theta, W, f_t, 0
    by_feature = -0.75 * (np.array([-0.25, -0.75]) + np.array([1, -1]) * 3 / 16 * np.log(3))
    right = np.outer(by_feature, [1, 2])
    says = "In the example it is [[0.0330, 0.0660], [0.7170, 1.4340]]."
    expect(_by_pixel(f, *given), right, says, _slips_18_2(*given), form=BY_PIXEL)


@case("18.2")
def pixels_of_random_images(f):
    F, y, theta = _fitted(185, 9, 3, 0.1)
    W = np.random.default_rng(186).normal(size=(5, 3))
    given = F, y, 0.1, theta, W, np.array([0.5, -1.0, 2.0]), 1
    got = _by_pixel(f, *given)
    right = np.array(
        [[_measured(*given, i, pixel) for pixel in range(5)] for i in range(9)], dtype=float
    )
    says = "Refits with one pixel moved say otherwise, for 9 images of 5 pixels with 3 features."
    expect(got, right, says, _slips_18_2(*given), form=BY_PIXEL, rtol=1e-5, atol=1e-7)


@case("18.2", hidden=True)
def pixels_of_other_sizes(f):
    for seed, n, k, d, l2, y_t in [(187, 20, 6, 4, 0.02, 0), (188, 6, 4, 4, 0.3, 1)]:
        F, y, theta = _fitted(seed, n, k, l2)
        draw = np.random.default_rng(seed)
        W, f_t = draw.normal(size=(d, k)), draw.normal(size=k)
        given = F, y, l2, theta, W, f_t, y_t
        got = _by_pixel(f, *given)
        says = f"Wrong for {n} images of {d} pixels with {k} features."
        expect(np.shape(got), (n, d), BY_PIXEL)
        for i, pixel in [(0, 0), (n - 1, d - 1), (2, 1)]:
            right = _measured(*given, i, pixel)
            expect(np.asarray(got)[i, pixel], right, says, rtol=1e-5, atol=1e-7)


@case("18.2", hidden=True)
def pixels_when_logits_are_large(f):
    F, y, theta = np.array([[-900.0, 0.0], [900.0, 1.0], [0.0, 1.0]]), np.array([1, 1, 0]), [1.0, 0]
    theta, W = np.array(theta), np.eye(2)
    with np.errstate(all="ignore"):
        got = _by_pixel(f, F, y, 0.5, theta, W, np.array([0.0, 1.0]), 1)
    # p = 0, 1, 1/2; H = diag(1/2, 1/2 + 1/12); s = -(1/2) (0, 12/7)
    s, half = np.array([0.0, -6 / 7]), np.array([0.25 * -6 / 7, 0.0])
    right = -np.stack([-s, 0 * s, 0.5 * s + half]) / 3
    says = "For logits of 900 p (1 - p) is 0, not NaN: form it from p."
    expect(got, right, says, form=BY_PIXEL)


# --- 18.3 · The fewest that flip ------------------------------------------------------------------

A_NUMBER = "A whole number: how many points."


def _fewest(changes, logit):
    """By a loop, in exact arithmetic for the numbers of the cases."""
    left = sorted((c for c in changes if c * logit < 0), key=abs, reverse=True)
    now = logit
    for m, change in enumerate(left, 1):
        now += change
        if now * logit < 0:
            return m
    return -1


def _flips(f, changes, logit, says, slips=None):
    changes = np.array(changes, dtype=float)
    with untouched("It has changed `changes`: sort a copy.", changes):
        got = f(changes, logit)
    right = _fewest(changes, logit)
    expect(got, right, says, slips, form=A_NUMBER)


@case("18.3")
def fewest_by_hand(f):
    slips = {
        "That takes the largest changes of either sign: only those that push the logit to the "
        "other side help.": 1,
        "In the order given? Take the strongest first.": 4,
        "One too few: that is a position, counted from 0.": 2,
        "It is enough here. Are the strongest pushes to the other side taken first, and is "
        "it their sum that is compared?": -1,
    }
    says = "For changes [-0.25, 4, -0.5, -0.75] and logit 1.375 it is 3."
    _flips(f, [-0.25, 4.0, -0.5, -0.75], 1.375, says, slips)


@case("18.3")
def fewest_of_a_negative_logit(f):
    slips = {
        "For a negative logit positive changes lead to the other side.": -1,
        "Not the negative changes: they lead away from 0.": 1,
    }
    says = "For changes [0.5, -2, 0.75, 0.25] and logit -1 it is 2."
    _flips(f, [0.5, -2.0, 0.75, 0.25], -1.0, says, slips)


@case("18.3")
def fewest_is_never(f):
    slips = {
        "Where all together do not suffice, give -1: argmax of nothing but False is 0.": 1,
        "Where all together do not suffice, give -1, not 0.": 0,
        "Where all together do not suffice, give -1, not their number.": 2,
    }
    says = "For changes [-0.25, 0.5, -0.25] and logit 1 it is -1."
    _flips(f, [-0.25, 0.5, -0.25], 1.0, says, slips)


@case("18.3")
def fewest_at_exactly_zero(f):
    says = "A logit of exactly 0 has no other sign yet: -0.75 - 0.25 does not flip 1."
    _flips(f, [-0.125, -0.75, -0.25], 1.0, says)


@case("18.3", hidden=True)
def fewest_of_few(f):
    says = "A logit of exactly 0 has no other sign yet: -0.5 - 0.5 does not flip 1."
    _flips(f, [-0.5, -0.5], 1.0, says)
    _flips(f, np.array([]), 1.0, "Without any point it is -1.")


@case("18.3", hidden=True)
def fewest_of_random_changes(f):
    draw = np.random.default_rng(189)
    for _ in range(40):
        changes = draw.integers(-8, 9, 30) / 16
        logit = float(draw.choice([-1, 1]) * draw.integers(1, 60) / 16)
        _flips(f, changes, logit, f"Wrong for 30 random changes and logit {logit}.")
