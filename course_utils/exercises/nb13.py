"""Exercises of notebook 13: hypergradients of penalties, weights of examples, and pixels."""

import numpy as np

from course_utils.exercises import case, expect, expect_all_digits, untouched

# --- fits by least squares on stacked rows, which share no formula with the answers ---------------


def ridge_fit(u, X, Y, l2):
    """The minimum of the weighted mean of squares plus a penalty, one for each feature."""
    n, d = X.shape
    rows = np.vstack([np.sqrt(u / n)[:, None] * X, np.diag(np.sqrt(np.broadcast_to(l2, d)))])
    right = np.vstack([np.sqrt(u / n)[:, None] * Y, np.zeros((d, Y.shape[1]))])
    return np.linalg.lstsq(rows, right, rcond=None)[0]


def half_error(W, X, Y):
    return 0.5 * np.mean(np.sum((X @ W - Y) ** 2, axis=1))


def slopes(cost, at, step=1e-4):
    """Central differences of a cost, extrapolated: an entry for each entry of ``at``."""
    found = np.zeros_like(at)
    for place in np.ndindex(at.shape):
        move = np.zeros_like(at)
        move[place] = step
        near = (cost(at + move) - cost(at - move)) / (2 * step)
        far = (cost(at + 2 * move) - cost(at - 2 * move)) / (4 * step)
        found[place] = (4 * near - far) / 3
    return found


def unchanged(f, *arguments):
    """What ``f`` gives, having made sure that it leaves its arguments alone."""
    says = "Your function has changed an array that it was given: += writes into it."
    with untouched(says, *arguments):
        return f(*arguments)


def listed(numbers):
    """Numbers as an exercise's text prints them: four decimals."""
    return str((np.round(numbers, 4) + 0.0).tolist())


# --- 13.1 · A penalty for each weight -------------------------------------------------------------

ONE_EACH = "One derivative for each penalty, shape (D,)."


def patients(seed, n, n_val, D):
    draw = np.random.default_rng(seed)
    w = draw.normal(size=D)
    Phi, Phi_val = draw.normal(size=(n, D)), draw.normal(size=(n_val, D))
    t, t_val = Phi @ w + draw.normal(size=n), Phi_val @ w + draw.normal(size=n_val)
    return Phi, t, Phi_val, t_val, draw.normal(size=D) - 1


def small_example():
    Phi, t = np.array([[1.0, 0], [1, 1], [0, 2], [2, 1]]), np.array([1.0, 2, 1, 3])
    Phi_val, t_val = np.array([[1.0, 2], [1, -1]]), np.array([2.0, 1])
    return Phi, t, Phi_val, t_val, np.log([0.4, 0.1])


@case("13.1")
def penalties_by_hand(f):
    Phi, t, Phi_val, t_val, log_l2 = given = small_example()
    l2 = np.exp(log_l2)
    G = Phi.T @ Phi / 4
    H = G + np.diag(l2)
    w = np.linalg.solve(H, Phi.T @ t / 4)
    g = Phi_val.T @ (Phi_val @ w - t_val) / 2
    s = np.linalg.solve(H, g)
    right = -s * l2 * w
    pull = Phi.T @ (Phi @ w - t) / 4

    def by(w, H=H):
        g = Phi_val.T @ (Phi_val @ w - t_val) / 2
        return -np.linalg.solve(H, g) * l2 * w

    sums, means, diagonal = Phi.T @ t, Phi.T @ t / 4, np.diag(l2)
    training_mean = "J has 1/(2n) before the squares: the training rows are a mean, too."
    slips = {
        "The sign: as the penalty grows the weight gives way, dw/dtheta = -H^-1 (…).": -right,
        "Derivative by theta, not by lambda: the penalty is exp(theta_j), and so is its slope.": (
            -s * w
        ),
        "The validation cost is a mean over the validation rows, here 2; this is the sum.": (
            2 * right
        ),
        "The validation cost is a mean over its own 2 rows, not over the 4 of training.": right / 2,
        "No solve: s is H^-1 times the gradient of V, not the gradient itself.": -g * l2 * w,
        "H is the Hessian of the whole J: the penalties stand on its diagonal.": (
            -np.linalg.solve(G, g) * l2 * w
        ),
        "s comes from the gradient of the validation cost, not of the training cost.": (
            -np.linalg.solve(H, pull) * l2 * w
        ),
        "s = H^-1 g: this multiplies by H.": -(H @ g) * l2 * w,
        "log_l2 holds theta, and the penalty is exp(theta).": -s * log_l2 * w,
        "That is how w moves, the diagonal of dw/dtheta; what does it do to V?": (
            -np.diag(np.linalg.inv(H)) * l2 * w
        ),
        "That is one penalty for all weights; here each has its own.": np.sum(right),
        training_mean: by(np.linalg.solve(4 * G + diagonal, sums), 4 * G + diagonal),
        f"{training_mean} (So in the fit.)": by(np.linalg.solve(4 * G + diagonal, sums)),
        f"{training_mean} (Also what stands before t.)": by(np.linalg.solve(H, sums)),
        f"{training_mean} (Also in H.)": by(
            np.linalg.solve(4 * G + diagonal, means), 4 * G + diagonal
        ),
        "The fit and H have the penalties in them.": by(np.linalg.solve(G, means), G),
        "w is the minimum of the whole J: the penalties stand in the fit, too.": by(
            np.linalg.solve(G, means)
        ),
    }
    says = f"For the example it is {listed(right)}; w = {listed(w)}, s = {listed(s)}."
    expect(unchanged(f, *given), right, says, slips, form=ONE_EACH, rtol=1e-3, atol=1e-6)


@case("13.1")
def penalties_of_three(f):
    given = patients(131, 7, 5, 3)
    Phi, t, Phi_val, t_val, log_l2 = given
    cost = lambda theta: half_error(
        ridge_fit(np.ones(7), Phi, t[:, None], np.exp(theta)), Phi_val, t_val[:, None]
    )
    says = "Right for the example, but not for 7 training rows, 5 validation rows and 3 features."
    expect(f(*given), slopes(cost, log_l2), says, form=ONE_EACH, rtol=1e-3, atol=1e-6)


@case("13.1", hidden=True)
def penalties_are_those_of_refits(f):
    for seed, (n, n_val, D) in enumerate([(30, 20, 4), (5, 9, 8), (12, 1, 1)]):
        given = patients(seed, n, n_val, D)
        Phi, t, Phi_val, t_val, log_l2 = given
        cost = lambda theta: half_error(
            ridge_fit(np.ones(len(t)), Phi, t[:, None], np.exp(theta)), Phi_val, t_val[:, None]
        )
        says = f"Wrong for {n} training rows, {n_val} validation rows and {D} features."
        few = "Is it a difference quotient? One solve gives all digits."
        right = slopes(cost, log_l2, 1e-3)
        expect_all_digits(
            f(*given), right, says, form=ONE_EACH, few=few, near=1e-3, rtol=1e-7, atol=1e-9
        )


# --- 13.2 · The weight of an example --------------------------------------------------------------

EACH_EXAMPLE = "One derivative for each training example, shape (n,)."


def labelled(seed, n, n_val, d, k):
    draw = np.random.default_rng(seed)
    X, X_val = draw.normal(size=(n, d)), draw.normal(size=(n_val, d))
    Y, Y_val = np.eye(k)[draw.integers(k, size=n)], np.eye(k)[draw.integers(k, size=n_val)]
    return draw.uniform(0.2, 1.5, n), X, Y, X_val, Y_val, 0.2


def weight_example():
    u, X = np.array([1, 0.5, 2, 1]), np.array([[1.0, 0], [1, 1], [0, 2], [2, 1]])
    Y = np.array([[1, 0.5], [2, 0], [1, 0.5], [3, -0.5]])
    X_val, Y_val = np.array([[1.0, 2], [1, -1]]), np.array([[2, 0], [1, 0.5]])
    return u, X, Y, X_val, Y_val, 0.3


@case("13.2")
def weights_by_hand(f):
    u, X, Y, X_val, Y_val, l2 = given = weight_example()
    n, eye = 4, np.eye(2)

    def pieces(u):
        H = (X.T * u) @ X / n + l2 * eye
        W = np.linalg.solve(H, (X.T * u) @ Y / n)
        return H, W, X_val.T @ (X_val @ W - Y_val) / 2

    H, W, G = pieces(u)
    H_1, W_1, G_1 = pieces(np.ones(n))
    rows = lambda S, W=W: -np.sum((X @ W - Y) * (X @ S), axis=1) / n
    S = np.linalg.solve(H, G)
    right = rows(S)
    plain = X.T @ X / n + l2 * eye
    A = (X.T * u) @ X / np.sum(u) + l2 * eye  # means over the sum of u
    W_sum = np.linalg.solve(A, (X.T * u) @ Y / np.sum(u))
    by_sum = n * rows(np.linalg.solve(A, X_val.T @ (X_val @ W_sum - Y_val) / 2), W_sum)
    H_0 = H - l2 * eye
    W_0 = np.linalg.solve(H_0, (X.T * u) @ Y / n)
    slips = {
        "The sign: more weight on an example moves W by -H^-1 times its gradient.": -right,
        "J is a mean: each term has 1/n before it.": n * right,
        "Differentiated by u_i, u_i l_i leaves l_i: no u_i is left.": u * right,
        "No solve: S is H^-1 times the gradient of V.": rows(G),
        "The validation cost is a mean over the validation rows, here 2; this is the sum.": (
            2 * right
        ),
        "The mean is over n, not over the sum of all u.": right * n / np.sum(u),
        "The penalty does not depend on u_i: only the gradient of l_i counts.": (
            right - l2 * np.sum(W * S) / n
        ),
        "The fit and H are those for the given u, not for weights of 1.": rows(
            np.linalg.solve(H_1, G_1), W_1
        ),
        "H is the Hessian of J: u stands in it, too.": rows(np.linalg.solve(plain, G)),
        "H is the Hessian of J: the penalty stands in it, too.": rows(
            np.linalg.solve(H - l2 * eye, G)
        ),
        "That is the slope of J by u_i; V is asked for.": np.sum((X @ W - Y) ** 2, axis=1) / 8,
        "Both targets count: add the columns of (X @ W - Y) * (X @ S).": (
            -(X @ W - Y) * (X @ S) / n
        ),
        "The fit and H are means over n, too, not over the sum of all u.": by_sum / n,
        "All means are over n: the fit, H, and the derivative; none is over the sum of all u.": (
            by_sum / np.sum(u)
        ),
        "The gradient of l_i has the residual of the example, not its target.": (
            np.sum(Y * (X @ S), axis=1) / n
        ),
        "That is the residual with a target, but no output.": -np.sum(Y * (X @ S), axis=1) / n,
        "The fit and H have the penalty in them.": rows(
            np.linalg.solve(H_0, X_val.T @ (X_val @ W_0 - Y_val) / 2), W_0
        ),
    }
    says = f"For the example it is {listed(right)}."
    expect(unchanged(f, *given), right, says, slips, form=EACH_EXAMPLE, rtol=1e-3, atol=5e-5)


@case("13.2")
def weights_of_three_classes(f):
    given = labelled(132, 8, 5, 3, 3)
    u, X, Y, X_val, Y_val, l2 = given
    cost = lambda u: half_error(ridge_fit(u, X, Y, l2), X_val, Y_val)
    says = "Right for the example, but not for 8 training rows, 5 validation rows and 3 classes."
    expect(f(*given), slopes(cost, u), says, form=EACH_EXAMPLE, rtol=1e-5, atol=1e-8)


@case("13.2", hidden=True)
def weights_are_those_of_refits(f):
    for seed, shape in enumerate([(20, 10, 4, 3), (6, 3, 9, 2), (9, 1, 1, 1)]):
        u, X, Y, X_val, Y_val, l2 = labelled(seed, *shape)
        cost = lambda u: half_error(ridge_fit(u, X, Y, l2), X_val, Y_val)
        says = "Wrong for {} training rows, {} validation rows, {} features, {} targets."
        right = slopes(cost, u, 1e-3)
        got = f(u, X, Y, X_val, Y_val, l2)
        expect(got, right, says.format(*shape), form=EACH_EXAMPLE, rtol=1e-6, atol=1e-9)


@case("13.2", hidden=True)
def weights_of_zero(f):
    u, X, Y, X_val, Y_val, l2 = labelled(5, 10, 6, 3, 2)
    u[[2, 5]] = 0
    here, ahead = np.eye(10)[2], 1e-6
    cost = lambda u: half_error(ridge_fit(u, X, Y, l2), X_val, Y_val)
    right = (cost(u + ahead * here) - cost(u)) / ahead
    says = "An example of weight 0 has a derivative, too: V changes as it comes back."
    expect(np.asarray(f(u, X, Y, X_val, Y_val, l2))[2], right, says, rtol=1e-3, atol=1e-7)


# --- 13.3 · The gradient of a picture -------------------------------------------------------------

EACH_PIXEL = "One derivative for each pixel of each picture, the shape of Z."


def pixel_example():
    Z, T = np.array([[1.0, 0], [0.5, 2], [0, 1]]), np.eye(3)
    X_val, Y_val = np.array([[1.0, 1], [2, 0], [0, 1], [1, 3]]), np.eye(3)[[0, 0, 1, 2]]
    return Z, T, X_val, Y_val, 0.3


def pictures(seed, m, n_val, d, k, one_hot=True):
    draw = np.random.default_rng(seed)
    Z, X_val = draw.uniform(size=(m, d)), draw.uniform(size=(n_val, d))
    T = np.eye(k)[np.arange(m) % k] if one_hot else draw.uniform(size=(m, k))
    return Z, T, X_val, np.eye(k)[draw.integers(k, size=n_val)], 0.1


def by_refits(Z, T, X_val, Y_val, l2, step=1e-4):
    ones = np.ones(len(Z))
    return slopes(lambda Z: half_error(ridge_fit(ones, Z, T, l2), X_val, Y_val), Z, step)


@case("13.3")
def pixels_by_hand(f):
    Z, T, X_val, Y_val, l2 = given = pixel_example()
    H = Z.T @ Z / 3 + l2 * np.eye(2)
    W = np.linalg.solve(H, Z.T @ T / 3)
    G = X_val.T @ (X_val @ W - Y_val) / 4
    S = np.linalg.solve(H, G)
    both = lambda S, W=W: -((Z @ W - T) @ S.T + (Z @ S) @ W.T) / 3
    right = both(S)
    H_0 = Z.T @ Z / 3
    W_0 = np.linalg.solve(H_0, Z.T @ T / 3)
    A = Z.T @ Z + l2 * np.eye(2)
    W_sum = np.linalg.solve(A, Z.T @ T)
    slope = lambda W: X_val.T @ (X_val @ W - Y_val) / 4
    slips = {
        "The sign of (13.2): the derivative of V is minus that of <S, gradient of J>.": -right,
        "Z stands twice in <Z S, Z W - T>: this holds the first one fixed for good.": (
            -(Z @ S) @ W.T / 3
        ),
        "Z stands twice in <Z S, Z W - T>: this holds the second one fixed for good.": (
            -((Z @ W - T) @ S.T) / 3
        ),
        "J is a mean over the pictures: 1/m stands before the bracket.": 3 * right,
        "The bracket has 1/m, m the number of pictures, not of validation rows.": 0.75 * right,
        "No solve: S is H^-1 times the gradient of V.": both(G),
        "The validation cost is a mean over the validation rows, here 4; this is the sum.": (
            4 * right
        ),
        "W and S have changed places.": -((Z @ W - T) @ W.T + (Z @ W) @ S.T) / 3,
        "H is the Hessian of J: the penalty stands in it, too.": both(np.linalg.solve(H_0, G)),
        "The fit and H have the penalty in them.": both(np.linalg.solve(H_0, slope(W_0)), W_0),
        "J is a mean over the pictures: 1/m stands in the fit and in H, too.": both(
            np.linalg.solve(A, slope(W_sum)), W_sum
        ),
        "S comes from the gradient of V, not from that of the pictures' own cost.": both(
            np.linalg.solve(H, Z.T @ (Z @ W - T) / 3)
        ),
        "That is the gradient of J by Z; V is asked for.": (Z @ W - T) @ W.T / 3,
        "That is transposed: row i belongs to picture i.": right.T,
    }
    says = f"For the example it is {listed(right)}."
    expect(unchanged(f, *given), right, says, slips, form=EACH_PIXEL, rtol=1e-3, atol=5e-5)


@case("13.3")
def pixels_of_three_pictures(f):
    given = pictures(133, 3, 6, 5, 3)
    says = "Right for the example, but not for 3 pictures of 5 pixels."
    expect(f(*given), by_refits(*given), says, form=EACH_PIXEL, rtol=1e-5, atol=1e-8)


@case("13.3", hidden=True)
def pixels_are_those_of_refits(f):
    for seed, shape in enumerate([(4, 9, 6, 4), (6, 5, 4, 3), (1, 4, 3, 2)]):
        given = pictures(seed, *shape, one_hot=seed == 0)
        says = "Wrong for {} pictures, {} validation rows, {} pixels and {} classes."
        if seed:
            says += " The targets T may be any numbers."
        right = by_refits(*given, step=1e-3)
        expect(f(*given), right, says.format(*shape), form=EACH_PIXEL, rtol=1e-6, atol=1e-9)


# --- 13.4 · Pictures without descent --------------------------------------------------------------

PICTURES = "One picture in each row, shape (k, d)."


def teaches(Z, l2):
    """What ridge regression learns from pictures Z of the classes 0, 1, ..., k - 1."""
    return ridge_fit(np.ones(len(Z)), Z, np.eye(len(Z)), l2)


@case("13.4")
def pictures_by_hand(f):
    W = np.array([[0.6, 0], [0, 0.8], [0, 0]])
    s = np.array([0.6, 0.8])
    root = lambda c, sign: (1 + sign * np.sqrt(1 - 4 * c * s**2)) / (2 * s)
    place = lambda z: np.array([[z[0], 0, 0], [0, z[1], 0]])
    right = place(root(0.2, -1))
    slips = {
        "That is the other root: the pictures teach W, but fainter ones do, too.": (
            place(root(0.2, 1))
        ),
        "m l2, not l2: J is a mean over the m pictures.": place(root(0.1, -1)),
        "That is right for small singular values only: z is m l2 sigma to first order.": (
            place(0.2 * s)
        ),
        "These pictures teach W without a penalty; here there is one.": place(1 / s),
        "One picture in each row: this is transposed.": right.T,
    }
    says = f"For the example it is {listed(right)}."
    expect(f(W, 0.1), right, says, slips, form=PICTURES, rtol=1e-3, atol=5e-5)


@case("13.4")
def pictures_turned(f):
    draw = np.random.default_rng(134)
    W = draw.normal(size=(6, 3)) / 4
    got = np.asarray(f(W, 0.05))
    says = "The pictures should teach W: ridge regression on them, with targets I, gives another."
    expect(teaches(got, 0.05), W, says, form=PICTURES, rtol=1e-6, atol=1e-8)
    small = np.linalg.svd(got, compute_uv=False).max() < np.sqrt(0.15) + 1e-9
    assert small, "These pictures teach W, but fainter ones do, too: take the smaller roots."


@case("13.4")
def pictures_at_both_ends(f):
    got = np.asarray(f(np.array([[0.6, 0], [0, 0], [0, 0]]), 0.1))
    says = "Singular values may be 0: there z is 0."
    assert np.all(np.isfinite(got)), says
    expect(teaches(got, 0.1), [[0.6, 0], [0, 0], [0, 0]], says, form=PICTURES, atol=1e-8)
    for l2 in np.arange(1, 20) / 50:
        W = np.diag([1, 0.5]) / (2 * np.sqrt(2 * l2))
        got = np.asarray(f(W, l2))
        says = "At the limit itself the root is of 0, or by rounding of a little less than 0."
        assert np.all(np.isfinite(got)), says
        expect(teaches(got, l2), W, says, form=PICTURES, rtol=1e-6, atol=1e-8)


@case("13.4", hidden=True)
def pictures_of_small_singular_values(f):
    W = np.array([[0.3, 0.4], [0.4, -0.3], [0, 0]]) * [1, 4e-4]
    says = "A singular value of 0.0002 is small, but not 0."
    expect(teaches(np.asarray(f(W, 0.1)), 0.1), W, says, form=PICTURES, rtol=1e-6, atol=1e-8)


@case("13.4", hidden=True)
def pictures_of_weights_of_lower_rank(f):
    draw = np.random.default_rng(4)
    for d, k, rank in [(5, 4, 2), (7, 3, 1), (3, 3, 3)]:
        W = draw.normal(size=(d, rank)) @ draw.normal(size=(rank, k))
        W *= 0.9 / np.linalg.norm(W, 2) / (2 * np.sqrt(k * 0.02))
        got = np.asarray(f(W, 0.02))
        says = f"W has {rank} of {k} singular values above 0; where sigma is 0, z is 0."
        assert np.all(np.isfinite(got)), says
        expect(teaches(got, 0.02), W, says, form=PICTURES, rtol=1e-6, atol=1e-8)
        assert np.linalg.svd(got, compute_uv=False).max() < np.sqrt(k * 0.02), says
