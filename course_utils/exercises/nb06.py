"""Exercises of notebook 6: second-order optimisation."""

import jax.numpy as jnp
import numpy as np

from course_utils.exercises import SHAPES, called, case, expect, expect_all_digits
from course_utils.exercises.nb04 import largest_array


def tried(f, *args):
    """What ``f`` gives; where a library stops it over shapes, what is wanted."""
    return called(f, *args, advice={SHAPES: WANTED, "singular|Singular": NO_INVERSE})


WANTED = "Shapes do not fit: which index belongs to which matrix?"
NO_INVERSE = "A or S may have no inverse: use that delta is positive."


def rotation(draw, d):
    """A random orthogonal matrix, (d, d)."""
    return np.linalg.qr(draw.normal(size=(d, d)))[0]


# --- 6.1 · Turn away from saddles -----------------------------------------------------------------

STEP = "A step, with the shape of g."


@case("6.1")
def step_by_hand(f):
    H, g = np.diag([2.0, -1.0]), np.array([2.0, 3.0])
    slips = {
        "That is Newton's step: uphill along the second axis.": [-1, 3],
        "Directions of negative curvature are turned round, not left out.": [-1, 0],
        "The sign: the step is downhill, against g.": [1, 3],
        "The sign: that is uphill along the first axis.": [1, -3],
        "That is the gradient's direction alone: divide by the curvatures.": [-2, -3],
        "Divide by the sizes of the curvatures; that multiplies.": [-4, -3],
        "That stays in the axes of the eigenvectors: lead the step back.": [-3, -1],
    }
    says = "For H = diag(2, -1) and g = (2, 3) the step is (-1, -3)."
    expect(tried(f, H, g), [-1, -3], says, slips, form=STEP)


@case("6.1")
def step_turns_the_axes(f):
    H, g = np.array([[0.0, 2.0], [2.0, 0.0]]), np.array([2.0, 3.0])
    slips = {
        "Sizes of the curvatures, not of the entries of H.": [-1.5, -1],
        "Into the axes of the eigenvectors, and back: is one of the two missing?": [
            -2.5 / 2**0.5,
            0.5 / 2**0.5,
        ],
    }
    says = "For H = [[0, 2], [2, 0]] and g = (2, 3) the step is (-1, -1.5): curvatures 2 and -2."
    expect(tried(f, H, g), [-1, -1.5], says, slips, form=STEP)


@case("6.1")
def step_is_newtons_in_a_bowl(f):
    H, g = np.array([[2.0, 1.0], [1.0, 3.0]]), np.array([1.0, -2.0])
    says = "Where all curvatures are positive the step is Newton's, -H^-1 g."
    expect(tried(f, H, g), -np.linalg.solve(H, g), says, form=STEP)


@case("6.1")
def step_of_several(f):
    draw = np.random.default_rng(61)
    Q, h, g = rotation(draw, 4), np.array([-3.0, -0.1, 0.5, 2.0]), draw.normal(size=4)
    right = -sum(q * (q @ g) / abs(c) for q, c in zip(Q.T, h))
    back = -Q.T @ ((Q @ g) / abs(h))
    slips = {"The eigenvectors stand in the columns of Q: Q.T @ g leads into their axes.": back}
    h2, E = np.linalg.eigh(Q @ np.diag(h) @ Q.T)
    slips["The eigenvectors are the columns of Q: Q.T @ g comes first, Q @ last."] = -E.T @ (
        (E @ g) / abs(h2)
    )
    says = "Four weights, curvatures -3, -0.1, 0.5, 2 in turned axes: the step is not right."
    expect_all_digits(tried(f, Q @ np.diag(h) @ Q.T, g), right, says, slips, form=STEP)


@case("6.1", hidden=True)
def step_turns_with_the_axes(f):
    draw = np.random.default_rng(16)
    for d in [2, 4]:
        h = draw.normal(size=d) * np.logspace(-2, 2, d)
        g, Q = draw.normal(size=d), rotation(draw, d)
        turned = tried(f, jnp.asarray(Q @ np.diag(h) @ Q.T), jnp.asarray(Q @ g))
        says = f"{d} weights: in turned axes the step is not the turned step."
        expect(turned, Q @ (-g / abs(h)), says, form=STEP, rtol=1e-7, atol=1e-9)


# --- 6.2 · The ratio ------------------------------------------------------------------------------

NUMBER = "A ratio is one number."


@case("6.2")
def ratio_by_hand(f):
    g, G, d = np.array([-2.0, 0.0]), np.diag([2.0, 1.0]), np.array([0.5, 0.0])
    slips = {
        1.2: "The second term of the model has a half.",
        0.6: "That trusts the slope alone: the model has a second term.",
        1.25: "Upside down: measured above, promised below.",
        -0.8: "The sign: a decrease is positive above and below the line.",
        2.4: "The half belongs to the second term only.",
        0.48: "Minus the whole bracket: the second term makes the promise smaller.",
        0.4: "That is the ratio of the costs; take that of the decreases.",
        -0.15: "The difference of the two decreases; take their ratio.",
    }
    slips = {says: value for value, says in slips.items()}
    says = "g = (-2, 0), G = diag(2, 1), d = (0.5, 0): 0.75 was promised, 0.6 came, so 0.8."
    expect(tried(f, 1.0, 0.4, g, G, d), 0.8, says, slips, form=NUMBER)


@case("6.2")
def ratio_of_a_step_uphill(f):
    g, G, d = np.array([-2.0, 0.0]), np.diag([2.0, 1.0]), np.array([0.5, 0.0])
    got = tried(f, 1.0, 1.3, g, G, d)
    slips = {"A cost that has risen makes the ratio negative: no absolute values.": 0.4}
    expect(got, -0.4, "From 1.0 to 1.3, with 0.75 promised: -0.4.", slips, form=NUMBER)


@case("6.2")
def ratio_of_a_quadratic(f):
    draw = np.random.default_rng(62)
    L = draw.normal(size=(3, 3))
    G, b = L @ L.T, draw.normal(size=3)
    J = lambda w: 0.5 * w @ G @ w + b @ w + 7
    w, d = draw.normal(size=3), 5 * draw.normal(size=3)
    g = G @ w + b
    diagonal = -(g @ d + 0.5 * d @ (np.diag(G) * d))
    slips = {
        "All of G counts, not its diagonal alone.": (J(w) - J(w + d)) / diagonal,
        "Damping is no part of the model.": (J(w) - J(w + d)) / -(g @ d + 0.5 * d @ (G @ d + d)),
    }
    says = "If J is the quadratic itself the ratio is 1, whatever the step."
    expect(tried(f, J(w), J(w + d), g, G, d), 1.0, says, slips, form=NUMBER)


@case("6.2", hidden=True)
def ratio_is_ratio_of_areas(f):
    draw = np.random.default_rng(26)
    for dim in [1, 4]:
        L = draw.normal(size=(dim, dim))
        G, g, d = L @ L.T, draw.normal(size=dim), draw.normal(size=dim)
        ends = np.array([0.0, 1.0])  # the model's slope along d, integrated: it is linear
        promised = -np.mean([(g + s * G @ d) @ d for s in ends])
        for fall in [2.0, -1e-9]:
            got = tried(f, jnp.asarray(fall), jnp.asarray(0.0), *map(jnp.asarray, (g, G, d)))
            says = f"{dim} weights, and a decrease of {fall}."
            expect(got, fall / promised, says, form=NUMBER, rtol=1e-9, atol=0)


# --- 6.3 · Solve with the factors -----------------------------------------------------------------

MATRIX = "D has the shape of V, (m, k)."


def brute(A, S, V, delta):
    """D, from the large matrix."""
    m, k = V.shape
    large = np.zeros((m, k, m, k))
    for i, j in np.ndindex(m, k):
        large[i, j] = np.outer(A[i], S[j])
        large[i, j, i, j] += delta
    return np.linalg.solve(large.reshape(m * k, m * k), V.ravel()).reshape(m, k)


@case("6.3")
def solve_by_hand(f):
    A, S, delta = np.diag([1.0, 2.0]), np.diag([1.0, 4.0]), 1.0
    V = np.array([[2.0, 10.0], [6.0, 9.0]])
    root = 1.0  # of delta
    entries = lambda scale: V / scale
    a, s = np.array([1.0, 2.0]), np.array([1.0, 4.0])
    slips = {
        "Where is delta?": entries(np.outer(a, s)),
        "delta is added to the products of the eigenvalues, not to each of the two.": entries(
            np.outer(a + root, s + root)
        ),
        "That multiplies by the matrix; divide.": V * (np.outer(a, s) + delta),
        "A belongs to the rows of V, S to its columns.": entries(np.outer(s, a) + delta),
        "The eigenvalues of a Kronecker product are products, not sums.": entries(
            a[:, None] + s + delta
        ),
        "delta is added before dividing, not to the result.": entries(np.outer(a, s)) + delta,
        "The inverse of a sum is not the sum of the inverses.": entries(np.outer(a, s)) + V / delta,
        "D is a matrix like V: shape it.": np.array([1.0, 2.0, 2.0, 1.0]),
        "S is missing.": entries(a[:, None] * np.ones(2) + delta),
        "A is missing.": entries(np.ones((2, 1)) * s + delta),
        "The sign: V stands on the right side, without a minus.": [[-1, -2], [-2, -1]],
    }
    says = "For the example the answer is [[1, 2], [2, 1]]."
    expect(tried(f, A, S, V, delta), [[1, 2], [2, 1]], says, slips, form=MATRIX)


@case("6.3")
def solve_in_turned_axes(f):
    A, S = np.array([[2.0, 1.0], [1.0, 2.0]]), np.array([[3.0, -1.0], [-1.0, 3.0]])
    V, delta = np.array([[1.0, 2.0], [3.0, 5.0]]), 0.5
    right = brute(A, S, V, delta)
    (alpha, U), (sigma, Q) = np.linalg.eigh(A), np.linalg.eigh(S)
    scale = np.outer(alpha, sigma) + delta
    inside = (U.T @ V @ Q) / scale
    both = lambda c: np.linalg.solve(A + c * np.eye(2), V) @ np.linalg.inv(S + c * np.eye(2))
    slips = {
        "Lead the result back from the axes of the eigenvectors.": inside,
        "Lead V into the axes of the eigenvectors first.": U @ (V / scale) @ Q.T,
        "Divide in the axes of the eigenvectors; those of A and S are not the given ones.": V
        / (A * S + delta),
        "Where is delta?": np.linalg.solve(A, V) @ np.linalg.inv(S),
        "delta to each factor is another matrix: multiply it out.": both(delta),
        "The root of delta to each factor is another matrix: multiply it out.": both(delta**0.5),
    }
    says = "For A = [[2, 1], [1, 2]], S = [[3, -1], [-1, 3]], delta = 0.5 A D S + delta D is not V."
    expect(tried(f, A, S, V, delta), right, says, slips, form=MATRIX)


@case("6.3")
def solve_of_four_by_three(f):
    draw = np.random.default_rng(63)
    B, C, V = draw.normal(size=(4, 4)), draw.normal(size=(3, 3)), draw.normal(size=(4, 3))
    A, S = B @ B.T, C @ C.T
    (alpha, U), (sigma, Q) = np.linalg.eigh(A), np.linalg.eigh(S)
    scale = np.outer(alpha, sigma) + 0.1
    inside = lambda U, Q: (U.T @ V @ Q) / scale
    swapped = brute(S, A, V.reshape(3, 4), 0.1).reshape(4, 3)
    turned = "Are the eigenvectors in the columns? U.T and Q lead into their axes, U and Q.T back."
    slips = {
        f"{turned} Look at {where}.": value
        for where, value in {
            "both": U.T @ inside(U.T, Q.T) @ Q,
            "the way back of the columns": U @ inside(U, Q) @ Q,
            "the way back of the rows": U.T @ inside(U, Q) @ Q.T,
            "the columns": U @ inside(U, Q.T) @ Q,
            "the way there of the columns": U @ inside(U, Q.T) @ Q.T,
            "the rows": U.T @ inside(U.T, Q) @ Q.T,
            "the way there of the rows": U @ inside(U.T, Q) @ Q.T,
        }.items()
    }
    slips["The large matrix is np.kron(A, S), in this order."] = swapped
    slips["vec writes V row by row."] = np.linalg.solve(
        np.kron(S, A) + 0.1 * np.eye(12), V.ravel()
    ).reshape(4, 3)
    expect(
        tried(f, A, S, V, 0.1),
        brute(A, S, V, 0.1),
        "For random A of side 4 and S of side 3 the answer does not fit.",
        slips,
        form=MATRIX,
    )


@case("6.3")
def solve_without_inverses(f):
    A, S = np.diag([0.0, 1.0, 2.0, 3.0]), np.ones((3, 3))
    V = np.arange(12.0).reshape(4, 3)
    got = tried(f, A, S, V, 0.01)
    says = "A or S may have eigenvalues of 0: delta alone must do there."
    assert np.all(np.isfinite(np.asarray(got))), says
    expect(got, brute(A, S, V, 0.01), says, form=MATRIX)


@case("6.3")
def solve_without_the_large_matrix(f):
    m, k = 4, 3
    draw = np.random.default_rng(36)
    A, S = np.diag(draw.uniform(size=m)), np.diag(draw.uniform(size=k))
    args = [*map(jnp.asarray, (A, S, draw.normal(size=(m, k)))), 0.1]
    tried(f, *args)  # so that compilation is not looked at
    _, most = largest_array(tried, f, *args)
    assert most < (m * k) ** 2, (
        "Your function makes a matrix of shape (mk, mk), 12 x 12 here. Stay with A, S and V."
    )


@case("6.3", hidden=True)
def solve_random_ones(f):
    draw = np.random.default_rng(33)
    for m, k, delta in [(2, 2, 2.0), (4, 3, 1e-3), (4, 3, 10.0)]:
        B, C = draw.normal(size=(m, max(1, m - 1))), draw.normal(size=(k, k))
        A, S, V = B @ B.T, C @ C.T, draw.normal(size=(m, k))
        got = np.asarray(tried(f, *map(jnp.asarray, (A, S, V)), delta))
        says = f"m = {m}, k = {k}, delta = {delta}: A D S + delta D is not V."
        expect(got, brute(A, S, V, delta), says, form=MATRIX, rtol=1e-6, atol=1e-8)
        assert np.allclose(A @ got @ S + delta * got, V, atol=1e-8), says


# --- 6.4 · The factors ----------------------------------------------------------------------------

PAIR = "Two matrices: A of shape (d + 1, d + 1), and S of shape (k, k)."
BY_NAME = ("A", "S")


def pair(f, a, s):
    """A and S by their names, so that a message tells which of the two has another shape."""
    got = tried(f, a, s)
    assert isinstance(got, tuple | list) and len(got) == 2, PAIR
    return dict(zip(BY_NAME, got))


def named(pairs):
    """The slips, hint: (A, S), by name."""
    return {says: dict(zip(BY_NAME, both)) for says, both in pairs.items()}


@case("6.4")
def factors_by_hand(f):
    a, s = np.array([[1.0], [3.0]]), np.array([[1.0, -1.0], [2.0, 0.0]])
    A, S = np.array([[5.0, 2.0], [2.0, 1.0]]), np.array([[2.5, -0.5], [-0.5, 0.5]])
    first = np.array([[1.0, 2.0], [2.0, 5.0]])
    centred = np.array([[1.0, 0.0], [0.0, 0.0]]), np.array([[0.25, 0.25], [0.25, 0.25]])
    slips = {
        "No 1 appended to a.": (np.array([[5.0]]), S),
        "The 1 comes last.": (first, S),
        "Means, not sums.": (2 * A, 2 * S),
        "Means, not sums: A is a sum.": (2 * A, S),
        "Means, not sums: S is a sum.": (A, 2 * S),
        "Second moments, not covariances: no mean is taken off.": centred,
        "Second moments, not covariances: no mean is taken off S.": (A, centred[1]),
        "s is the gradient of one example already: S is the mean of s s^T, no more.": (A, S / 2),
        "S is divided by n twice; s is the gradient of one example.": (A, S / 4),
        "A comes first.": (S, A),
        "The matrix of the mean of a is not the mean of the matrices.": (
            np.array([[4.0, 2.0], [2.0, 1.0]]),
            np.array([[2.25, -0.75], [-0.75, 0.25]]),
        ),
        "A 1 is appended to a only, not to s.": (
            A,
            np.array([[2.5, -0.5, 1.5], [-0.5, 0.5, -0.5], [1.5, -0.5, 1.0]]),
        ),
        "That is examples by examples: A is inputs by inputs, S outputs by outputs.": (
            first,
            np.array([[1.0, 1.0], [1.0, 2.0]]),
        ),
    }
    says = "For the example A = [[5, 2], [2, 1]] and S = [[2.5, -0.5], [-0.5, 0.5]]."
    expect(pair(f, a, s), {"A": A, "S": S}, says, named(slips), form=PAIR)


@case("6.4")
def factors_of_several(f):
    draw = np.random.default_rng(64)
    a, s = draw.normal(size=(7, 2)) + 1, draw.normal(size=(7, 2))
    rows = np.c_[a, np.ones(7)]
    right = sum(map(np.outer, rows, rows)) / 7, sum(map(np.outer, s, s)) / 7
    slips = {
        "Second moments, not covariances.": (np.cov(rows.T, bias=True), np.cov(s.T, bias=True)),
        "Divide by n, not by n - 1.": (right[0] * 7 / 6, right[1] * 7 / 6),
        "The mean is over n, the number of examples, not over the width.": (
            right[0] * 7 / 3,
            right[1] * 7 / 2,
        ),
    }
    says = "Seven examples, two inputs, two outputs."
    expect(pair(f, a, s), dict(zip(BY_NAME, right)), says, named(slips), form=PAIR)


@case("6.4", hidden=True)
def factors_give_a_paired_design(f):
    draw = np.random.default_rng(46)
    a, s = draw.normal(size=(5, 3)), draw.normal(size=(4, 2))
    every_a, every_s = np.repeat(a, 4, axis=0), np.tile(s, (5, 1))
    rows = [np.kron(np.append(one, 1), other) for one, other in zip(every_a, every_s)]
    F = np.mean([np.outer(row, row) for row in rows], axis=0)
    A, S = tried(f, jnp.asarray(every_a), jnp.asarray(every_s))
    says = "Every a is paired with every s: there the Kronecker product should be F exactly."
    expect(np.kron(np.asarray(A), np.asarray(S)), F, says, rtol=1e-9, atol=1e-12)


# --- 6.5 · Better eigenvalues ---------------------------------------------------------------------

TABLE = "One eigenvalue for each entry of W: shape (m, k)."


@case("6.5")
def eigenvalues_by_hand(f):
    a, s = np.array([[1.0, 2.0], [3.0, 0.0]]), np.array([[1.0], [2.0]])
    I, one = np.eye(2), np.eye(1)
    slips = {
        "That is K-FAC's product of two means. Take the mean of the products.": [[12.5], [5.0]],
        "Square both: these are means of products of the coordinates.": [[3.5], [1.0]],
        "Square first, average then.": [[12.25], [1.0]],
        "A mean, not a sum.": [[37.0], [4.0]],
        "a belongs to the rows, s to the columns.": [[18.5, 2.0]],
        "The coordinates of s are squared, too.": [[9.5], [2.0]],
        "The coordinates of a are squared, too.": [[6.5], [1.0]],
    }
    says = "For the example the answer is [[18.5], [2]]."
    expect(tried(f, a, s, I, one), [[18.5], [2.0]], says, slips, form=TABLE)


@case("6.5")
def eigenvalues_in_turned_axes(f):
    draw = np.random.default_rng(65)
    a, s = draw.normal(size=(6, 3)), draw.normal(size=(6, 2))
    U, Q = rotation(draw, 3), rotation(draw, 2)
    table = lambda U, Q: np.mean(
        [np.outer((U.T @ one) ** 2, (Q.T @ other) ** 2) for one, other in zip(a, s)], axis=0
    )
    slips = {
        "The eigenvectors stand in the columns: the coordinates are U^T a, rows of a @ U.": table(
            U.T, Q.T
        ),
        "U is the wrong way round.": table(U.T, Q),
        "Q is the wrong way round.": table(U, Q.T),
        "Turn a and s into the axes of the eigenvectors first.": table(np.eye(3), np.eye(2)),
        "That is K-FAC's product of two means.": np.outer(
            np.mean((a @ U) ** 2, axis=0), np.mean((s @ Q) ** 2, axis=0)
        ),
    }
    expect(tried(f, a, s, U, Q), table(U, Q), "Six pairs, in turned axes.", slips, form=TABLE)


@case("6.5", hidden=True)
def eigenvalues_are_the_diagonal_of_fisher(f):
    draw = np.random.default_rng(56)
    a, s = draw.normal(size=(9, 4)), draw.normal(size=(9, 3))
    rows = np.einsum("ni,nj->nij", a, s).reshape(9, 12)
    F = rows.T @ rows / 9
    U, Q = np.linalg.eigh(a.T @ a / 9)[1], np.linalg.eigh(s.T @ s / 9)[1]
    turn = np.kron(U, Q)
    got = np.asarray(tried(f, *map(jnp.asarray, (a, s, U, Q))))
    says = "These are not the diagonal entries of F in the axes of the eigenvectors."
    expect(got.ravel(), np.diag(turn.T @ F @ turn), says, rtol=1e-8, atol=1e-10)
