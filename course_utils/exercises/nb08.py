"""Exercises of notebook 8: infinite width."""

import jax.numpy as jnp
import numpy as np

from course_utils.exercises import SHAPES, called, case, expect, expect_all_digits

ONE = "One number."


# --- 8.1 · The kernel of a random ReLU network ----------------------------------------------------

WANTED_1 = {SHAPES: "x and y are two vectors of one length: x @ y and their norms are numbers."}


def kernel(f, x, y):
    """What ``f`` gives for two lists; where a library stops it, what is wanted."""
    return called(f, jnp.asarray(x), jnp.asarray(y), advice=WANTED_1)


def mean_around_the_circle(x, y):
    """The same mean by a sum over many angles, no closed form."""
    psi = np.linspace(-np.pi, np.pi, 200_000, endpoint=False)
    x, y = np.asarray(x), np.asarray(y)
    along = x / np.linalg.norm(x)
    across = y - (y @ along) * along
    length = np.linalg.norm(across)
    by_x = np.maximum(np.linalg.norm(x) * np.cos(psi), 0)
    by_y = np.maximum((y @ along) * np.cos(psi) + length * np.sin(psi), 0)
    return 2 * np.mean(by_x * by_y)


@case("8.1")
def kernel_by_hand(f):
    slips = {
        "Twice too much: cos a cos b is HALF of cos(a - b) + cos(a + b).": 3 / np.pi,
        "E r^2 = 2 is missing.": 3 / (4 * np.pi),
        "The lengths are missing: relu(w.y) is proportional to the length of y.": 1 / (2 * np.pi),
        "The lengths enter once each, not squared.": 9 / (2 * np.pi),
        "The sign of the sine: write out the integral at its two limits.": -3 / (2 * np.pi),
        "The density of the angle, 1 / (2 pi), is missing.": 3.0,
        "The density of the angle is 1 / (2 pi): the mean is over a circle.": 1.5,
        "The integral has two terms. The one with the sine does not vanish here.": 0.0,
        "That has the length of the overlap, (pi - angle) / 2 pi, without the cosines.": 0.75,
    }
    says = "For x = [1, 0] and y = [0, 3] the mean is 3 / (2 pi) = 0.4775."
    got = kernel(f, [1.0, 0.0], [0.0, 3.0])
    if np.ndim(got) == 0 and 1e-5 < abs(got - 3 / (2 * np.pi)) < 0.08:
        says = f"Close, but not exact: the closed form is asked for, no mean over draws. {says}"
    expect(got, 3 / (2 * np.pi), says, slips, form=ONE)


@case("8.1")
def kernel_of_parallel_vectors(f):
    got = kernel(f, [1.0, 0.0], [2.0, 0.0])
    slips = {
        "At angle 0 both are positive on half of the circle: pi - angle, not the angle.": 0.0,
        "The cosine is missing, or the sine: at angle 0 one term is left, pi cos(0).": 2 / np.pi,
        "The whole circle counts here; both are positive on half of it only.": 2.0,
        "Half too little: is E r^2 = 2 there?": 0.5,
        "The lengths are missing: relu(w.y) is proportional to the length of y.": 0.5,
        "The lengths enter once each, not squared.": 2.0,
    }
    says = "For x = [1, 0] and y = [2, 0] the mean is 2 E relu(w_0)^2 = 1."
    expect(got, 1.0, says, slips, form=ONE)
    says = "For y = -x one of the two is always 0, and so is the mean."
    slips = {"At angle pi nothing overlaps: pi - angle, not the angle.": -1.0}
    expect(kernel(f, [1.0, 0.0], [-1.0, 0.0]), 0.0, says, slips, form=ONE, atol=1e-6)


@case("8.1")
def kernel_survives_rounding(f):
    for x in np.random.default_rng(0).normal(size=(30, 3)):
        for y in (3 * x, -x):
            assert np.isfinite(np.asarray(kernel(f, x, y))).all(), (
                "NaN for parallel vectors: rounding makes the cosine larger than 1, and arccos has "
                "no answer. Clip it to [-1, 1]."
            )


@case("8.1")
def kernel_at_sixty_degrees(f):
    x, y = [1.0, 0.0], [0.5, np.sqrt(0.75)]
    angle, half = np.pi / 3, 1 / (2 * np.pi)
    slips = {
        "pi - angle, not the angle, is the length of the overlap.": half
        * (np.sin(angle) + angle / 2),
        "The sign: both terms add up.": half * (np.sin(angle) - (np.pi - angle) / 2),
        "The cosine belongs to the second term.": half * (np.sin(angle) + np.pi - angle),
        "sin and cos are exchanged.": half * (0.5 + (np.pi - angle) * np.sin(angle)),
        "The sine is missing.": half * (np.pi - angle) / 2,
    }
    right = half * (np.sin(angle) + (np.pi - angle) / 2)
    says = f"For two vectors of length 1 at 60 degrees the mean is {right:.4f}."
    expect(kernel(f, x, y), right, says, slips, form=ONE)


@case("8.1", hidden=True)
def kernel_of_random_vectors(f):
    draw = np.random.default_rng(81)
    for d in [2, 3, 50]:
        for size in [1.0, 0.01, 30.0]:
            x, y = draw.normal(size=d), size * draw.normal(size=d)
            says = f"Wrong for two random vectors in {d} dimensions, lengths not 1."
            expect(kernel(f, x, y), mean_around_the_circle(x, y), says, form=ONE, rtol=1e-5)


# --- 8.2 · The tangent kernel of any network ------------------------------------------------------

SQUARE = "A matrix of shape (n, n): a row and a column for each row of X."
WANTED_2 = {
    "vmap got inconsistent|vmap was requested|map its argument": "jax.vmap is to map over the rows "
    "of X alone, not over the weights: in_axes.",
    "only defined for scalar|Gradient only": "jax.grad wants one number: call f for one row of X "
    "at a time, by jax.vmap(..., (None, 0)).",
    "must be tuples or lists": "jax.jvp takes the weights and their change as tuples.",
    "'dict'|'list'|'tuple'|unsupported operand": "The gradient is a pytree like params: take its "
    "leaves, jax.tree.leaves.",
    f"{SHAPES}|concatenat|ndim": "Shapes do not fit: make each leaf of the gradients a matrix of n "
    "rows, reshape(len(X), -1).",
}


def tangent(f, *args):
    return called(f, *args, advice=WANTED_2)


def product_model(p, x):
    return p["a"] * p["b"] * x[0] + p["c"] * x[1]


def small_net(params, x):
    """tanh units with biases, in a nested pytree."""
    (W, b), rest = params["hidden"], params["out"]
    return jnp.tanh(x @ W + b) @ rest["v"] + rest["shift"]


def small_net_kernel(params, X):
    """Its kernel, by hand."""
    (W, b), v = params["hidden"], np.asarray(params["out"]["v"])
    z = np.tanh(np.asarray(X) @ np.asarray(W) + np.asarray(b))
    slope = v * (1 - z**2)
    return z @ z.T + slope @ slope.T * (np.asarray(X) @ np.asarray(X).T + 1) + 1


def small_net_weights(draw, d, m):
    leaf = lambda *shape: jnp.asarray(draw.normal(size=shape))
    return {"hidden": [leaf(d, m), leaf(m)], "out": {"v": leaf(m), "shift": leaf()}}


@case("8.2")
def tangent_by_hand(f):
    params = {"a": jnp.array(2.0), "b": jnp.array(3.0), "c": jnp.array(1.0)}
    X = jnp.array([[1.0, 1.0], [2.0, 0.0]])
    J, outputs = np.array([[3.0, 2.0, 1.0], [6.0, 4.0, 0.0]]), np.array([7.0, 12.0])
    K = J @ J.T
    total = J.sum(axis=0)
    slips = {
        "That is J itself.": J,
        "That is J^T J, a row for each weight: J J^T has a row for each example.": J.T @ J,
        "That is the product of the outputs; K is that of their gradients.": np.outer(
            outputs, outputs
        ),
        "The sum over all weights, not their mean.": K / 3,
        "Not divided by the number of examples.": K / 2,
        "That is the diagonal alone; K has an entry for each pair of examples.": np.diag(K),
        "One leaf of params only: add up the matrices of all leaves.": np.outer(J[:, 0], J[:, 0]),
        "The last leaf of params only: add up all.": np.outer(J[:, 2], J[:, 2]),
        "The leaves are added before they are multiplied: their weights are different "
        "ones.": np.outer(J.sum(axis=1), J.sum(axis=1)),
        "That is the gradient of the sum of all outputs: each row of X has its own.": np.full(
            (2, 2), total @ total
        ),
        "That is the gradient of the sum of all outputs, times itself.": total @ total,
        "A mean of matrices over the leaves: add them up.": K / 3,
        "That is a matrix of cosines: the lengths of the gradients count.": K
        / np.sqrt(np.outer(np.diag(K), np.diag(K))),
    }
    got = tangent(f, product_model, params, X)
    says = "The gradients are (3, 2, 1) and (6, 4, 0), so K = [[14, 26], [26, 52]]."
    expect(got, K, says, slips, form=SQUARE)


@case("8.2")
def tangent_of_a_network(f):
    draw = np.random.default_rng(0)
    params, X = small_net_weights(draw, 3, 4), jnp.asarray(draw.normal(size=(5, 3)))
    z = np.tanh(np.asarray(X) @ np.asarray(params["hidden"][0]) + params["hidden"][1])
    slips = {
        "Only the output weights are there: every leaf of params counts.": z @ z.T,
        "Only the output weights and their shift are there: every leaf of params counts.": z @ z.T
        + 1,
    }
    says = "Wrong for a network of 4 tanh units with biases: is every leaf there, once?"
    right = small_net_kernel(params, X)
    expect_all_digits(tangent(f, small_net, params, X), right, says, slips, form=SQUARE)


@case("8.2")
def tangent_of_a_linear_model(f):
    X = jnp.array([[1.0, 2.0], [0.0, 1.0], [3.0, -1.0]])
    linear = lambda w, x: jnp.dot(w, x)
    says = "params may be a single array: for a linear model K = X X^T."
    expect(tangent(f, linear, jnp.array([0.5, 2.0]), X), X @ X.T, says, form=SQUARE)


@case("8.2", hidden=True)
def tangent_of_nine_inputs(f):
    draw = np.random.default_rng(82)
    params, X = small_net_weights(draw, 3, 4), jnp.asarray(draw.normal(size=(9, 3)))
    says = "Wrong for 9 inputs in 3 dimensions and 4 units."
    got = tangent(f, small_net, params, X)
    expect_all_digits(got, small_net_kernel(params, X), says, form=SQUARE)


# --- 8.3 · A training run without training --------------------------------------------------------

VECTOR = "The outputs alone, shape (n,)."
WANTED_3 = {
    "integer|'float' object cannot be interpreted": "k is a whole number; K and the vectors are "
    "arrays.",
    SHAPES: "Shapes do not fit: K is (n, n), and t, f0 and the answer are (n,).",
}


def trained(f, *args):
    return called(f, *args, advice=WANTED_3)


@case("8.3")
def training_by_hand(f):
    K, t, f0 = jnp.diag(jnp.array([1.0, 0.5])), jnp.array([1.0, 0.0]), jnp.array([0.0, 2.0])
    lam, eta = np.array([1.0, 0.5]), 0.6
    error = np.array([-1.0, 2.0])
    factors = (1 - eta * lam) ** 2
    at = lambda factor: np.array([1.0, 0.0]) + factor * error
    slips = {
        "That is the error that is left; the outputs are t plus it.": factors * error,
        "f0 is forgotten: the first error is f0 - t.": at(factors * [1, 0]),
        "The sign: f_k = t + (I - eta K)^k (f0 - t).": at(-factors),
        "That starts from f0, not from t: add the error that is left to the targets.": np.array(
            [0.0, 2.0]
        )
        - factors * error,
        "One step too few: k = 2 is two steps.": at(1 - eta * lam),
        "One step too many: k = 2 is two steps.": at((1 - eta * lam) ** 3),
        "That is gradient flow, e^(-eta lambda k); a step multiplies by 1 - eta lambda.": at(
            np.exp(-2 * eta * lam)
        ),
        "K is divided by n: eta is for the sum of squares.": at((1 - eta * lam / 2) ** 2),
        "Twice the gradient: the loss has a half.": at((1 - 2 * eta * lam) ** 2),
        "The first error has no targets in it: f0 - t.": np.array([1.0, 0.0])
        + factors * [0.0, 2.0],
        "eta is missing.": at((1 - lam) ** 2),
        "eta times K to the power k: the power is of the whole bracket.": at(1 - eta * lam**2),
        # eigh sorts: 0.5 comes first, and Q exchanges the two
        "The factors belong to eigenvectors, not to entries: into their axes, and back.": at(
            factors[::-1]
        ),
        "Still in the axes of the eigenvectors: back by Q.": np.array([1.0, 0.0])
        + (factors * error)[::-1],
        "The error is not in the axes of the eigenvectors yet: Q.T comes first.": np.array(
            [1.0, 0.0]
        )
        + (factors[::-1] * error)[::-1],
    }
    says = "K = diag(1, 0.5), eta = 0.6, two steps: the factors are 0.16 and 0.49."
    got = trained(f, K, t, f0, eta, 2)
    expect(got, np.array([0.84, 0.98]), says, slips, form=VECTOR)


@case("8.3")
def training_with_a_full_matrix(f):
    K, t, f0 = np.array([[1.0, 0.6], [0.6, 1.0]]), np.array([1.0, -1.0]), np.array([0.5, 0.5])
    step = np.eye(2) - 0.5 * K
    lam, Q = np.linalg.eigh(K)
    factors = (1 - 0.5 * lam) ** 3
    slips = {
        "The power is one of matrices, not of entries: ** takes each entry's.": t
        + step**3 @ (f0 - t),
        "The modes do not mix, but the entries do: into the axes by Q.T, and back by Q.": t
        + factors * (f0 - t),
        "Still in the axes of the eigenvectors: back by Q.": t + factors * (Q.T @ (f0 - t)),
        "Q and Q.T are exchanged, or one is missing: Q @ (factors * (Q.T @ error)).": t
        + Q @ (factors * (f0 - t)),
    }
    got = trained(f, *map(jnp.asarray, (K, t, f0)), 0.5, 3)
    says = "For K = [[1, 0.6], [0.6, 1]] three steps give other outputs: are the modes mixed?"
    expect(got, t + step @ step @ step @ (f0 - t), says, slips, form=VECTOR)


@case("8.3")
def training_of_four(f):
    """Eigenvectors whose matrix is not symmetric, and a factor below 0."""
    draw = np.random.default_rng(3)
    J = draw.normal(size=(4, 6))
    K, t, f0 = J @ J.T, draw.normal(size=4), draw.normal(size=4)
    eta = 1.5 / np.linalg.eigvalsh(K)[-1]
    step = np.eye(4) - eta * K
    got = trained(f, *map(jnp.asarray, (K, t, f0)), eta, 3)
    assert np.isfinite(np.asarray(got)).all(), (
        "Not finite where 1 - eta lambda is negative, which a stable step allows."
    )
    says = "Wrong for four examples with a full K. (For two, a matrix Q of eigenvectors may be "
    says += "symmetric: does each of Q and its transpose stand in its place?)"
    expect(got, t + step @ step @ step @ (f0 - t), says, form=VECTOR)


@case("8.3")
def training_of_no_step(f):
    t, f0 = jnp.array([1.0, -1.0]), jnp.array([3.0, 5.0])
    got = trained(f, jnp.eye(2), t, f0, 0.5, 0)
    expect(got, f0, "After no step, k = 0, the outputs are f0.", form=VECTOR)
    assert np.all(np.asarray(f0) == [3.0, 5.0]), "Your function has changed f0 itself."


@case("8.3", hidden=True)
def training_of_random_kernels(f):
    draw = np.random.default_rng(83)
    for n, rank, eta, k in [(8, 4, 0.2, 1), (8, 12, 0.2, 60), (1, 1, 2.5, 6)]:
        J = draw.normal(size=(n, rank))
        K, t, f0 = J @ J.T / rank, draw.normal(size=n), draw.normal(size=n)
        outputs = f0
        for _ in range(k):
            outputs = outputs - eta * K @ (outputs - t)
        says = f"Wrong for {n} examples, a kernel of rank {min(n, rank)} and {k} steps."
        got = trained(f, *map(jnp.asarray, (K, t, f0)), eta, k)
        expect_all_digits(got, outputs, says, form=VECTOR)


@case("8.3", hidden=True)
def training_with_two_equal_inputs(f):
    t, f0 = jnp.array([1.0, 0.0]), jnp.zeros(2)
    says = "Two equal inputs make K singular; (8.4) needs no inverse of it."
    expect(trained(f, jnp.ones((2, 2)), t, f0, 0.25, 2), [0.375, 0.375], says, form=VECTOR)


@case("8.3", hidden=True)
def training_for_long(f):
    K, t, f0 = jnp.diag(jnp.array([1.0, 1e-4])), jnp.array([1.0, 1.0]), jnp.zeros(2)
    got = trained(f, K, t, f0, 1.0, 2000)
    right = np.array([1.0, 1 - (1 - 1e-4) ** 2000])
    expect_all_digits(got, right, "Wrong after 2,000 steps.", form=VECTOR)


# --- 8.4 · Predict the test outputs ---------------------------------------------------------------

TEST = "The test outputs alone, shape (n_test,)."
WANTED_4 = {SHAPES: "Shapes do not fit: K_test is (n_test, n), the answer (n_test,)."}


def tested(f, *args):
    return called(f, *args, advice=WANTED_4)


@case("8.4")
def test_by_hand(f):
    K, K_test = jnp.diag(jnp.array([1.0, 0.5])), jnp.array([[0.5, 1.0]])
    t, f0, f0_test = jnp.array([1.0, 0.0]), jnp.array([0.0, 2.0]), jnp.array([3.0])
    # errors before the two steps: (-1, 2) and (-0.2, 1.2); moves -0.8 (1.5) and -0.8 (1.1)
    slips = {
        "f0_test is missing: the random start of the test output stays.": [-2.08],
        "That is the change alone, with its sign turned.": [2.08],
        "The sign: outputs move against the error.": [5.08],
        "f0 is forgotten: the error is f - t, not -t.": [3.48],
        "That is for infinitely many steps.": [-0.5],
        "One step too few.": [1.8],
        "One step too many: k = 2.": [0.36],
        "Both steps used the first error: f moves, too.": [0.6],
        "The training outputs move before the test outputs: each step uses the error before it.": [
            1.8 + 0.8 * 1.5 - 0.8 * 1.1 - 0.8 * 0.7
        ],
        "eta is missing.": [0.4],
        "K^-1 is missing, or too much: add up the powers.": [3 + 0.5 * 0.96 - 1.28],
    }
    says = "The errors are (-1, 2), then (-0.2, 1.2): 3 - 0.8 (1.5) - 0.8 (1.1) = 0.92."
    got = tested(f, K_test, K, t, f0, f0_test, 0.8, 2)
    expect(got, [0.92], says, slips, form=TEST)


@case("8.4")
def test_on_several(f):
    draw = np.random.default_rng(0)
    J, J_test = draw.normal(size=(3, 5)), draw.normal(size=(4, 5))
    K, K_test = J @ J.T, J_test @ J.T
    t, f0, f0_test = draw.normal(size=3), draw.normal(size=3), draw.normal(size=4)
    w = np.zeros(5)
    for _ in range(6):
        w = w - 0.05 * J.T @ (f0 + J @ w - t)
    left = np.linalg.matrix_power(np.eye(3) - 0.05 * K, 6)
    whole = np.linalg.solve(K, (np.eye(3) - left) @ t)
    slips = {
        "f0 is forgotten: t - f0, not t.": f0_test + K_test @ whole,
        "That is for infinitely many steps.": f0_test + K_test @ np.linalg.solve(K, t - f0),
        "What is learnt is I - (I - eta K)^k; this is what is left.": f0_test
        + K_test @ np.linalg.solve(K, left @ (t - f0)),
    }
    says = "Wrong for three training and four test inputs with a full K. With its "
    says += "eigenvectors: does each of Q and its transpose stand in its place?"
    given = map(jnp.asarray, (K_test, K, t, f0, f0_test))
    expect(tested(f, *given, 0.05, 6), f0_test + J_test @ w, says, slips, form=TEST)


@case("8.4")
def test_where_the_kernel_is_singular(f):
    K, K_test = jnp.array([[1.0, 1.0], [1.0, 1.0]]), jnp.array([[1.0, 1.0], [0.5, 0.5]])
    t, f0, f0_test = jnp.array([1.0, 0.0]), jnp.zeros(2), jnp.array([0.0, 1.0])
    got = np.asarray(tested(f, K_test, K, t, f0, f0_test, 0.25, 2))
    singular = "K may have the eigenvalue 0 (two equal inputs): no inverse, the series (8.9)."
    assert np.isfinite(got).all(), singular
    expect(got, [0.375, 1.1875], f"{singular} Here two steps give [0.375, 1.1875].", form=TEST)
    got = tested(f, K_test, K, t, f0, f0_test, 0.25, 0)
    expect(got, f0_test, "After no step, k = 0, the test outputs are f0_test.", form=TEST)


@case("8.4", hidden=True)
def test_of_random_kernels(f):
    draw = np.random.default_rng(84)
    for n, n_test, rank, eta, k in [(7, 7, 4, 0.05, 20), (1, 2, 3, 0.3, 1)]:
        J, J_test = (draw.normal(size=(rows, rank)) for rows in (n, n_test))
        K, K_test = J @ J.T / rank, J_test @ J.T / rank
        t, f0, f0_test = (draw.normal(size=size) for size in (n, n, n_test))
        w = np.zeros(rank)
        for _ in range(k):
            w = w - eta * J.T @ (f0 + J @ w - t) / rank
        says = f"Wrong for {n} training and {n_test} test inputs, a kernel of rank {min(n, rank)}."
        given = map(jnp.asarray, (K_test, K, t, f0, f0_test))
        got = tested(f, *given, eta, k)
        expect(got, f0_test + J_test @ w, says, form=TEST)
