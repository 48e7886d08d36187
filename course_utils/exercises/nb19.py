"""Exercises of notebook 19: the fewest that turn a sign, moves of a group, greedy choice."""

import numpy as np

from course_utils.exercises import case, expect, expect_all_digits, untouched

# --- 19.1 · How few does it take? -----------------------------------------------------------------

ROWS = "The numbers of the rows, shape (m,), furthest push first."


def _called(f, *args):
    """The answer, with what to say where a library refuses."""
    try:
        with np.errstate(all="ignore"):
            return f(*args)
    except np.linalg.LinAlgError as error:
        raise AssertionError(f"A matrix that it solves with is singular: {error}") from error


def _parts(X, y, j):
    """Inverse of X^T X, coefficients, residuals, and first-order moves of coefficient j."""
    A = np.linalg.inv(X.T @ X)
    theta = A @ X.T @ y
    r = X @ theta - y
    return A, theta, r, (X @ A[:, j]) * r


def _until(order, push, wanted, extra=0):
    """The first of the order whose sum is at least what is wanted; none if it never is."""
    total, count = 0.0, 0
    for i in order:
        total, count = total + push[i], count + 1
        if total >= wanted:
            return np.array(order[: count + extra], int)
    return np.zeros(0, int)


def _by(score):
    return np.argsort(-np.asarray(score), kind="stable")


def _first_order_slips(X, y, j):
    A, theta, r, move = _parts(X, y, j)
    towards, wanted = -np.sign(theta[j]) * move, abs(theta[j])
    leverage = np.sum((X @ A) * X, axis=1)
    exact = towards / (1 - leverage)
    plain = -np.sign(theta[j]) * X[:, j] * r
    own = plain / (X.T @ X)[j, j]
    order = _by(towards)
    sums = np.cumsum(towards[order])
    found = {
        "The running sums rise, then fall again: np.searchsorted wants them to rise all the way.": (
            order[: np.searchsorted(sums, wanted) + 1]
        ),
        "These push the coefficient away from zero: look at the sign of theta[j].": _until(
            _by(-towards), -towards, wanted
        ),
        "One too many: stop as soon as the sum has come to |theta_j|.": _until(
            order, towards, wanted, 1
        ),
        "One too few: the last one is needed for the sum to come to |theta_j|.": _until(
            order, towards, wanted, -1
        ),
        "Sizes alone are added: those that push away from zero do not help.": _until(
            _by(abs(move)), abs(move), wanted
        ),
        "Sorted by size: those that push away from zero stay in the data.": _until(
            _by(abs(move)), towards, wanted
        ),
        "That is with 1/(1 - h): better, but (19.1), first order, is asked for.": _until(
            _by(exact), exact, wanted
        ),
        "The inverse of H is missing: these are gradients, not moves.": _until(
            _by(plain), plain, wanted
        ),
        "H is not diagonal: the move of theta_j needs row j of its inverse.": _until(
            _by(own), own, wanted
        ),
        "The 1/n of the moves is missing, or that of H.": _until(order, towards * len(y), wanted),
        "1/n is there twice.": _until(order, towards / len(y), wanted),
        "Sorted by residual: a push also needs x.": _until(_by(abs(r)), towards, wanted),
        "Sorted by leverage: a push also needs a residual.": _until(_by(leverage), towards, wanted),
        "Furthest push first: yours is in the order of the rows.": np.sort(
            _until(order, towards, wanted)
        ),
    }
    if theta[j] < 0:
        found |= {
            "theta[j] can be negative: it is its size that the sum has to reach.": _until(
                order, towards, theta[j]
            ),
            "theta[j] can be negative: which moves count then, and what must they reach?": _until(
                _by(-towards), -towards, theta[j]
            ),
        }
    return found


def _first_order(X, y, j):
    _, theta, _, move = _parts(X, y, j)
    towards = -np.sign(theta[j]) * move
    return _until(_by(towards), towards, abs(theta[j]))


def _asked(f, X, y, j, says):
    with untouched("It has changed X or y.", X, y):
        got = _called(f, X, y, j)
    if isinstance(got, tuple) and len(got) == 2:
        raise AssertionError(f"The rows alone are asked for. {ROWS}")
    right = _first_order(X, y, j)
    slips = {
        hint: rows
        for hint, rows in _first_order_slips(X, y, j).items()
        if len(rows) and not np.array_equal(rows, right)
    }
    if len(right):
        slips["Yours is empty: are some of the pushes that you add negative?"] = []
    slips["How many is not asked, but which rows."] = len(right)
    if np.array_equal(np.shape(got), (len(y),)) and np.asarray(got).dtype == bool:
        raise AssertionError(f"A mask of all rows; their numbers are asked for. {ROWS}")
    expect(got, right, says, slips, form=ROWS)


@case("19.1")
def fewest_by_hand(f):
    X = np.array([[-1.0, -1], [0, -2], [1, -2], [1, -1], [2, 1], [2, 1]])
    y = np.array([4.0, -1, 4, -5, 2, -5])
    says = "In the example the rows for j = 0 are 3 and 5, in this order."
    _asked(f, X, y, 0, says)


@case("19.1")
def fewest_of_a_positive_coefficient(f):
    draw = np.random.default_rng(122)
    X = draw.normal(size=(40, 3)) @ np.array([[1.0, 0.5, 0], [0, 1, 0.7], [0, 0, 1]])
    y = X @ np.array([0.3, 0.1, -0.2]) + draw.normal(size=40)
    says = "Right in the example, but not for 40 random rows, j = 0 and a positive coefficient."
    _asked(f, X, y, 0, says)
    says = "Right for positive coefficients, but not for 40 random rows and a negative one, j = 2."
    _asked(f, X, y, 2, says)


@case("19.1")
def fewest_is_none_where_it_never_turns(f):
    draw = np.random.default_rng(192)
    X = draw.normal(size=(30, 2))
    y = X @ np.array([5.0, 0.1]) + 0.2 * draw.normal(size=30)
    says = "Where all pushes towards zero are not enough, the list is empty."
    got = _called(f, X, y, 0)
    expect(got, np.zeros(0), says, form=says)
    _asked(f, X, y, 1, "With a strong and a weak coefficient it is wrong for the weak one.")


@case("19.1", hidden=True)
def fewest_where_few_push_hard(f):
    draw = np.random.default_rng(767)
    X = abs(draw.normal(size=(40, 2))) + 0.3
    y = X @ np.array([0.5, -0.3]) + draw.exponential(1.0, size=40) ** 1.5 - 0.8
    _asked(f, X, y, 0, "Wrong where a few rows push hard and most push away from zero.")


@case("19.1", hidden=True)
def fewest_against_a_loop(f):
    draw = np.random.default_rng(193)
    for n, d in [(12, 1), (25, 4), (60, 6)]:
        X = draw.normal(size=(n, d)) * np.exp(draw.normal(size=d))
        y = 0.3 * X @ draw.normal(size=d) + draw.normal(size=n)
        for j in range(d):
            _asked(f, X, y, j, f"Wrong for {n} random rows, {d} columns and j = {j}.")


# --- 19.2 · A group leaves ------------------------------------------------------------------------

MOVE = "One number for each weight, shape (d,)."


def _move_slips(H, H_U, g, order):
    inverse, eye = np.linalg.inv(H), np.eye(len(H))
    first = inverse @ g
    after = inverse @ H_U @ first
    newton = np.linalg.solve(H - H_U, g)
    found = {
        "The sign: the fit moves by minus the inverse times the gradient, and the gradient of "
        "what is left is -g_U.": -{1: first, 2: first + after, "newton": newton}[order],
    }
    if order != 1:
        found["That is first order."] = first
    if order != 2:
        found["That is second order."] = first + after
    if order != "newton":
        found["That is the Newton step."] = newton
    if order == 1:
        found["H stays as it is in first order: no inverse is missing but that of H."] = g
    if order == 2:
        found |= {
            "Those who leave give way: the second term adds to the first.": first - after,
            "That is the second term alone.": after,
            "H_U stands between two inverses; the matrices do not commute (the second term is "
            "H^-1 H_U H^-1 g).": first + inverse @ inverse @ H_U @ g,
            "H_U stands between two inverses; the matrices do not commute: H_U acts first "
            "upon H^-1 g.": first + H_U @ inverse @ first,
            "In the second term an inverse of H is missing.": first + H_U @ first,
            "In the second term H^-1 is missing on the right.": first + inverse @ H_U @ g,
            "The second term counts once, not half as in a Taylor series.": first + after / 2,
            "That is third order: stop one term earlier.": first + after + inverse @ H_U @ after,
        }
    if order == "newton":
        found |= {
            "The group takes its curvature away: H - H_U.": np.linalg.solve(H + H_U, g),
            "Its own curvature is what leaves; what is left is H - H_U.": np.linalg.solve(H_U, g)
            if abs(np.linalg.det(H_U)) > 1e-9
            else np.full(len(g), np.nan),
            "I - H^-1 H_U has still to be multiplied by H, or the move by H^-1.": np.linalg.solve(
                eye - inverse @ H_U, g
            ),
        }
    return found


def _try_move(f, H, H_U, g, order, right, says, **tolerances):
    with untouched("It has changed H, H_U or g_U.", H, H_U, g):
        got = _called(f, H, H_U, g, order)
    assert got is not None, f"For order {order!r} it gives back None."
    slips = _move_slips(H, H_U, g, order)
    expect_all_digits(got, right, says, slips, form=MOVE, **tolerances)


@case("19.2")
def move_by_hand(f):
    H, H_U = np.array([[2.0, 0], [0, 1]]), np.array([[1.0, 0.5], [0.5, 0.5]])
    g = np.array([2.0, 1])
    rights = {1: [1.0, 1], 2: [1.75, 2], "newton": [6.0, 8]}
    for order, right in rights.items():
        says = f"In the example order {order!r} gives {right}."
        _try_move(f, H, H_U, g, order, right, says, near=1e-6)


def _ridge(seed, n=12, d=4, m=3, l2=0.3):
    """Ridge regression: H, H_U, g_U, and the real move without the first m rows."""
    draw = np.random.default_rng(seed)
    X = draw.normal(size=(n, d)) * np.exp(0.3 * draw.normal(size=d))
    y = draw.normal(size=n)

    def minimum(rows):  # the rows that count, all divided by n
        augmented = np.vstack([X[rows], np.sqrt(n * l2) * np.eye(d)])
        return np.linalg.lstsq(augmented, np.append(y[rows], np.zeros(d)), rcond=None)[0]

    theta = minimum(slice(None))
    r = X @ theta - y
    H = X.T @ X / n + l2 * np.eye(d)
    return H, X[:m].T @ X[:m] / n, X[:m].T @ r[:m] / n, minimum(slice(m, None)) - theta


@case("19.2")
def newton_is_a_ridge_refit(f):
    H, H_U, g, real = _ridge(194)
    says = "For ridge regression the Newton step is the refit. The penalty stays: it is in H alone."
    _try_move(f, H, H_U, g, "newton", real, says)


@case("19.2", hidden=True)
def moves_of_larger_groups(f):
    for seed, n, d, m in [(195, 30, 6, 10), (196, 20, 3, 15), (197, 50, 8, 1)]:
        H, H_U, g, real = _ridge(seed, n, d, m, l2=0.02)
        says = f"Wrong for {m} of {n} rows and {d} weights"
        _try_move(f, H, H_U, g, "newton", real, f"{says}, Newton.")
        M = np.linalg.inv(H) @ H_U
        terms = [np.linalg.matrix_power(M, k) @ np.linalg.solve(H, g) for k in (0, 1)]
        _try_move(f, H, H_U, g, 1, terms[0], f"{says}, order 1.")
        _try_move(f, H, H_U, g, 2, sum(terms), f"{says}, order 2.")


@case("19.2", hidden=True)
def newton_of_a_group_that_owns_a_direction(f):
    H, H_U, g = np.array([[1.0]]), np.array([[0.999]]), np.array([0.5])
    says = "A group that supplies 99.9 % of the curvature: the Newton step is 1,000 times the sum."
    _try_move(f, H, H_U, g, "newton", [500.0], says)


# --- 19.3 · Greedy --------------------------------------------------------------------------------


def _refit(X, y, rows, j):
    return np.linalg.lstsq(X[rows], y[rows], rcond=None)[0][j]


def _greedy(X, y, j):
    """By refits alone."""
    left, gone = list(range(len(y))), []
    sign = np.sign(_refit(X, y, left, j))
    while sign * _refit(X, y, left, j) > 0:
        ends = [sign * _refit(X, y, [k for k in left if k != i], j) for i in left]
        gone.append(left.pop(int(np.argmin(ends))))
    return np.array(gone)


def _greedy_slip(X, y, j, *, frozen=False, plain=False, inner=False, size=False, fixed=False):
    """Greedy choice with a mistake."""
    A, theta, r, move = _parts(X, y, j)
    start = np.sum((X @ A) * X, axis=1)
    left, gone, places, sign = np.arange(len(y)), [], [], np.sign(theta[j])
    alone = _by(-sign * move / (1 - start))
    while len(left) > X.shape[1] + 1:
        A, theta, r, move = _parts(X[left], y[left], j)
        if sign * theta[j] < 0:
            return np.array(places if inner else gone)
        h = start[left] if frozen else np.sum((X[left] @ A) * X[left], axis=1)
        effect = move if plain else move / (1 - h)
        best = int(np.argmax(abs(effect) if size else -sign * effect))
        if fixed:
            best = int(np.flatnonzero(left == alone[len(gone)])[0])
        gone.append(int(left[best]))
        places.append(best)
        left = np.delete(left, best)
    return np.array(places if inner else gone)


def _try_greedy(f, X, y, j, says):
    with untouched("It has changed X or y.", X, y):
        got = _called(f, X, y, j)
    right = _greedy(X, y, j)
    slips = {
        "Numbers within the rows that are left: they should be those of X.": _greedy_slip(
            X, y, j, inner=True
        ),
        "Chosen by first order: without 1/(1 - h) it is not the real effect.": _greedy_slip(
            X, y, j, plain=True
        ),
        "All chosen from the first fit: look again after each.": _greedy_slip(X, y, j, fixed=True),
        "By size: some of these push away from zero.": _greedy_slip(X, y, j, size=True),
        "Leverages change when rows are left out: yours are those of the first fit.": _greedy_slip(
            X, y, j, frozen=True
        ),
        "One too few: the sign of the refit has not turned yet.": right[:-1],
        "That is first order, without any refit.": _first_order(X, y, j),
        "How many is not asked, but which rows.": len(right),
        "In the order in which they are left out, not sorted.": np.sort(right),
    }
    slips = {hint: rows for hint, rows in slips.items() if not np.array_equal(rows, right)}
    many = np.asarray(got)
    if many.shape == (len(right) + 1,) and np.array_equal(many[:-1], right):
        raise AssertionError("One too many: stop as soon as the sign has turned.")
    expect(got, right, says, slips, form="The numbers of the rows, shape (m,).")


@case("19.3")
def greedy_by_hand(f):
    X, y = np.array([[1.0], [1], [1], [2]]), np.array([2.0, 1, -1, -0.4])
    _try_greedy(f, X, y, 0, "In the example it is [0].")


def _greedy_data(seed, n=24, d=2, strength=0.5):
    draw = np.random.default_rng(seed)
    X = draw.standard_t(4, size=(n, d))
    X[:, -1] += 0.6 * X[:, 0]
    return X, strength * X[:, 0] - strength * X[:, -1] + draw.normal(size=n)


@case("19.3")
def greedy_of_random_rows(f):
    X, y = _greedy_data(VISIBLE)
    _try_greedy(f, X, y, 0, "Wrong for 24 random rows and a positive coefficient.")
    _try_greedy(f, X, y, 1, "Wrong for 24 random rows and a negative coefficient.")


@case("19.3", hidden=True)
def greedy_against_refits(f):
    for seed in HIDDEN:
        X, y = _greedy_data(seed)
        for j in (0, 1):
            _try_greedy(f, X, y, j, f"Wrong for 24 random rows and j = {j}: see every refit.")


VISIBLE, HIDDEN = 0, (20, 27)  # leverages of the first fit would do for 0, not for 20 and 27
