"""Exercises of notebook 5: metrics and the natural gradient."""

import jax.numpy as jnp
import numpy as np

from course_utils.exercises import SHAPES, called, case, expect, expect_all_digits

# --- 5.1 · A step by a ruler ----------------------------------------------------------------------

WEIGHTS = "One vector, of the shape of w."
EXACT = "Right to a few digits only. Stay in 64 bits, add nothing to G, cut nothing off."
FOR_STEP = {SHAPES: "G is a matrix, grad and w are vectors: solve for a vector d with G d = grad."}


@case("5.1")
def step_by_hand(f):
    w, g = jnp.array([5.0, 5.0]), jnp.array([4.0, 0.0])
    G = jnp.array([[2.0, 1.0], [1.0, 1.0]])
    got = called(f, w, g, G, 0.5, advice=FOR_STEP)
    slips = {
        "G times the gradient: a metric turns a gradient into a step by its inverse.": [1.0, 3.0],
        "The wrong way: the cost falls against the gradient.": [7.0, 3.0],
        "That divides by the diagonal of G alone: solve with all of G.": [4.0, 5.0],
        "That is gradient descent: where is G?": [3.0, 5.0],
        "The gradient is divided by its length, and G is not used.": [4.5, 5.0],
        "The step has length 1 in the metric, times step_size: (5.3) divides by no length.": [
            4.5,
            5.5,
        ],
        "Where is the step size?": [1.0, 9.0],
        "Divided by the step size: multiply by it.": [-3.0, 13.0],
        "1 / G inverts each entry, not the matrix.": [4.0, 3.0],
        "That is the step alone: add it to w.": [-2.0, 2.0],
        "That is the d with G d = grad: now go, by the step size, from w.": [4.0, -4.0],
    }
    says = "For w = [5, 5], grad = [4, 0], G = [[2, 1], [1, 1]], step 0.5 the answer is [3, 7]."
    expect_all_digits(got, [3.0, 7.0], says, slips, form=WEIGHTS, few=EXACT)


@case("5.1")
def step_with_a_diagonal_metric(f):
    w, g, h = np.array([1.0, -2.0, 3.0]), np.array([4.0, 3.0, -2.0]), np.array([8.0, 0.5, 1.0])
    got = called(f, jnp.asarray(w), jnp.asarray(g), jnp.diag(h), 0.25, advice=FOR_STEP)
    slips = {
        "G times the gradient: a metric turns a gradient into a step by its inverse.": w
        - 0.25 * h * g,
        "By the root of the metric: (5.3) has G itself.": w - 0.25 * g / np.sqrt(h),
        "The step has a fixed length here: its length comes from grad and G.": w
        - 0.25 * (g / h) / np.linalg.norm(g / h),
    }
    says = "With G = diag(8, 0.5, 1) each entry of grad is divided by its own number."
    expect_all_digits(got, w - 0.25 * g / h, says, slips, form=WEIGHTS, few=EXACT)


@case("5.1")
def step_with_far_eigenvalues(f):
    draw = np.random.default_rng(510)
    Q, _ = np.linalg.qr(draw.normal(size=(5, 5)))
    values = np.array([1.0, 0.1, 1e-3, 1e-6, 1e-8])
    d, w = draw.normal(size=5), draw.normal(size=5)
    G = (Q * values) @ Q.T
    got = called(f, jnp.asarray(w), jnp.asarray(G @ d), jnp.asarray((G + G.T) / 2), 1.0, advice={})
    says = (
        "With eigenvalues from 1e-8 to 1 the step leads to another point. Is something added to G, "
        "or cut off, or is a part in 32 bits?"
    )
    expect(got, w - d, says, form=WEIGHTS, rtol=1e-5, atol=1e-5)


@case("5.1", hidden=True)
def step_in_other_units(f):
    draw = np.random.default_rng(51)
    for d in [1, 5]:
        A = draw.normal(size=(d, d))
        G, g, w = A @ A.T + np.eye(d), draw.normal(size=d), draw.normal(size=d)
        C = draw.normal(size=(d, d)) + 3 * np.eye(d)
        C = C * np.logspace(0, -3, d)  # one weight in thousands
        in_v = called(
            f,
            jnp.asarray(np.linalg.solve(C, w)),
            jnp.asarray(C.T @ g),
            jnp.asarray(C.T @ G @ C),
            0.3,
            advice=FOR_STEP,
        )
        values, vectors = np.linalg.eigh(G)
        right = w - 0.3 * vectors @ ((vectors.T @ g) / values)
        says = (
            f"In {d} dimensions, and with units that differ by up to a thousand, the step leads to "
            "another point: is something added to G, or cut off?"
        )
        expect(C @ np.asarray(in_v), right, says, form=WEIGHTS, rtol=1e-7, atol=1e-7)


# --- 5.2 · Pull a metric back ---------------------------------------------------------------------

METRIC = "A matrix with a row and a column for each weight."
FOR_PULL = {
    "Expected a callable|not callable": "jax.jacobian differentiates a function, and gives one: "
    "jax.jacobian(f)(w).",
    "only defined for scalar": "jax.grad is for functions that give one number; f gives k: "
    "jax.jacobian.",
    "'function' and|and 'function'": "jax.jacobian(f) is a function: call it at w.",
    SHAPES: "Shapes do not fit: the derivatives are (k, P), G_z is (k, k), the metric (P, P).",
}


@case("5.2")
def metric_by_hand(f):
    model = lambda w: jnp.array([w[0] ** 2, w[0] * w[1], w[1]])
    G_z, w = jnp.diag(jnp.array([1.0, 3.0, 2.0])), jnp.array([1.0, 2.0])
    got = called(f, model, G_z, w, advice=FOR_PULL)
    jac = np.array([[2.0, 0.0], [2.0, 1.0], [0.0, 1.0]])
    D = np.diag([1.0, 3.0, 2.0])
    slips = {
        "Where is G_z?": jac.T @ jac,
        "That is f' f'^T: it lives on the outputs. Which factor is transposed?": jac @ jac.T,
        "G_z itself, not its inverse.": jac.T @ np.linalg.inv(D) @ jac,
        "That is the Hessian of half z^T G_z z: second derivatives of f do not belong in a "
        "metric.": [[18.0, 12.0], [12.0, 5.0]],
        "The derivatives are taken at 0; they belong at w.": [[0.0, 0.0], [0.0, 2.0]],
        "G_z stands there twice.": jac.T @ D @ D @ jac,
        "That is one product, f'^T G_z: the metric has f' on both sides.": jac.T @ D,
    }
    says = "The example gives [[16, 6], [6, 5]]: is it f'^T G_z f'?"
    expect_all_digits(got, jac.T @ D @ jac, says, slips, form=METRIC)


@case("5.2")
def metric_with_a_full_G_z(f):
    M = np.array([[1.0, -1.0, 0.5], [2.0, 0.0, 1.0]])
    G_z = np.array([[2.0, 1.0], [1.0, 3.0]])
    got = called(f, lambda w: jnp.asarray(M) @ w, jnp.asarray(G_z), jnp.ones(3), advice=FOR_PULL)
    slips = {
        "Only the diagonal of G_z is used.": M.T @ np.diag(np.diag(G_z)) @ M,
        "That is the diagonal alone: return the whole matrix.": np.diag(M.T @ G_z @ M),
        "Divided by the number of outputs: (5.4) has no mean.": M.T @ G_z @ M / 2,
    }
    says = "For a linear f, z = M w, the metric is M^T G_z M, with all of G_z."
    expect_all_digits(got, M.T @ G_z @ M, says, slips, form=METRIC)


@case("5.2", hidden=True)
def metric_of_a_bent_model(f):
    draw = np.random.default_rng(52)
    A, B, root = (draw.normal(size=shape) for shape in [(6, 3), (4, 6), (4, 4)])
    G_z, w = root @ root.T, draw.normal(size=3)
    jac = B @ np.diag(1 - np.tanh(A @ w) ** 2) @ A
    model = lambda u: jnp.asarray(B) @ jnp.tanh(jnp.asarray(A) @ u)
    got = called(f, model, jnp.asarray(G_z), jnp.asarray(w), advice=FOR_PULL)
    says = (
        "For 4 outputs that bend in 3 weights: are the derivatives exact, taken at w, and the "
        "matrix whole?"
    )
    expect_all_digits(got, jac.T @ G_z @ jac, says, form=METRIC, near=1e-6)


# --- 5.3 · A Fisher matrix without a label --------------------------------------------------------

FISHER = "A matrix (P, P): the examples and the outputs are summed over."
FOR_FISHER = {
    SHAPES: "Shapes do not fit: jac is (n, k, P), G_z of all examples (n, k, k).",
    "subscript|Einstein|einsum|operand": "Check the letters of einsum: one for each axis of each "
    "factor, and two of P's axes after the arrow.",
}


def by_labels(jac, p):
    """The same by enumerating labels, in NumPy."""
    n, k, P = jac.shape
    F = np.zeros((P, P))
    for i in range(n):
        for c in range(k):
            score = jac[i].T @ (np.eye(k)[c] - p[i])
            F += p[i, c] * np.outer(score, score)
    return F / n


@case("5.3")
def fisher_by_hand(f):
    jac, p = np.array([[[1.0, 0.0], [0.0, 2.0]]]), np.array([[0.75, 0.25]])
    got = called(f, jnp.asarray(jac), jnp.asarray(p), advice=FOR_FISHER)
    J, q = jac[0], p[0]
    label = lambda c: J.T @ np.outer(np.eye(2)[c] - q, np.eye(2)[c] - q) @ J
    slips = {
        "diag(p) alone: multiply (e_c - p)(e_c - p)^T out, something is subtracted.": J.T
        @ np.diag(q)
        @ J,
        "That used the first label only: average over both, by p.": label(0),
        "That used the second label only: average over both, by p.": label(1),
        "That weighs all labels alike: label c comes with probability p_c.": (label(0) + label(1))
        / 2,
        "The sum over labels needs the weights p_c.": label(0) + label(1),
        "That is p p^T alone: where is diag(p)?": J.T @ np.outer(q, q) @ J,
        "p (1 - p) on the diagonal and nothing beside it: right for two independent yes-or-no "
        "outputs. Here the labels exclude each other.": J.T @ np.diag(q * (1 - q)) @ J,
        "The sign: an average of squares has no negative eigenvalue.": -by_labels(jac, p),
        "That is diag(p) + p p^T: look at the signs of the four terms again.": J.T
        @ (np.diag(q) + np.outer(q, q))
        @ J,
        "That is G_z, the metric of the logits: pull it back.": np.diag(q) - np.outer(q, q),
        "The identity in the place of G_z.": J.T @ J,
    }
    says = (
        "The example gives [[0.1875, -0.375], [-0.375, 0.75]]: is G_z the average of "
        "(e_c - p)(e_c - p)^T, with weights p_c?"
    )
    expect_all_digits(got, by_labels(jac, p), says, slips, form=FISHER)


@case("5.3")
def fisher_of_two_examples(f):
    jac = np.array([[[1.0, 0.0, 2.0], [0.0, 1.0, -1.0]], [[2.0, 1.0, 0.0], [1.0, 1.0, 1.0]]])
    p = np.array([[0.5, 0.5], [0.9, 0.1]])
    got = called(f, jnp.asarray(jac), jnp.asarray(p), advice=FOR_FISHER)
    right = by_labels(jac, p)
    q = p.mean(axis=0)
    J = jac.mean(axis=0)
    slips = {
        "The sum over examples: the mean is asked for.": 2 * right,
        "Divided by n and by k: the mean over examples alone.": right / 2,
        "The first example only.": by_labels(jac[:1], p[:1]),
        "The mean of jac and of p, then a product: the mean of products is meant.": by_labels(
            J[None], q[None]
        ),
    }
    says = "With two examples and three weights: the mean of f_n'^T G_z,n f_n' over n."
    expect_all_digits(got, right, says, slips, form=FISHER)


@case("5.3")
def fisher_draws_nothing(f):
    jac, p = jnp.asarray(np.arange(12.0).reshape(2, 2, 3)), jnp.asarray(np.full((2, 2), 0.5))
    first = np.asarray(called(f, jac, p, advice=FOR_FISHER))
    again = np.asarray(called(f, jac, p, advice=FOR_FISHER))
    assert np.array_equal(first, again), "Twice the same input, two results: draw no labels."


@case("5.3", hidden=True)
def fisher_averages_over_labels(f):
    draw = np.random.default_rng(53)
    for n, k, P in [(1, 3, 2), (4, 5, 7)]:
        jac, z = draw.normal(size=(n, k, P)), draw.normal(size=(n, k))
        p = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
        got = called(f, jnp.asarray(jac), jnp.asarray(p), advice=FOR_FISHER)
        says = (
            f"With {n} examples, {k} classes, {P} weights: is it right for more than two classes?"
        )
        expect_all_digits(got, by_labels(jac, p), says, form=FISHER)


# --- 5.4 · A step with the empirical Fisher -------------------------------------------------------

ERROR = "One number, the error after the step."
UNDAMPED = "Right to a few digits only: stay in 64 bits, and add nothing to F_hat."
FOR_ERROR = {
    "singular|at least two dim|2-dim": "With one weight the matrix is a number: divide by it.",
}


@case("5.4")
def error_by_hand(f):
    e, step, x = 0.4, 0.3, np.array([1.0, 2.0, 4.0])
    got = called(f, e, jnp.asarray(x), step, advice=FOR_ERROR)
    g_n, r = e * x**2, e * x
    g, F_hat = g_n.mean(), np.mean(g_n**2)
    slips = {
        "That is the true Fisher matrix, mean x^2: this one has squared gradients.": e
        - step * g / np.mean(x**2),
        "That is gradient descent: where is F_hat?": e - step * g,
        "That is gradient descent, with a sum: where is F_hat?": e - step * g_n.sum(),
        "The square of the mean gradient: the mean of the squares is meant.": e - step / g,
        "A sum in F_hat and a mean in the gradient: two means.": e - step * g / (3 * F_hat),
        "A sum in the gradient and a mean in F_hat: two means.": e - step * 3 * g / F_hat,
        "A factor 2: the derivative of half a square has none.": e - step * 2 * g / (4 * F_hat),
        "A factor 2 in the gradient, and none in F_hat.": e - step * 2 * g / F_hat,
        "That divides by the root of F_hat, as Adam does: here by F_hat itself.": e
        - step * g / np.sqrt(F_hat),
        "F_hat is the mean of g_n^2, and g_n has the error in it, too.": e
        - step * g / np.mean(x**4),
        "F_hat has squared gradients in it, not squared residuals.": e - step * g / np.mean(r**2),
        "A gradient g_n is the residual times the input; that is the residual alone.": e
        - step * r.mean() / np.mean(r**2),
        "The sign: the step goes against the gradient.": e + step * g / F_hat,
        "Multiplied by F_hat: divide.": e - step * g * F_hat,
        "That is the step alone: add it to e.": -step * g / F_hat,
        "That is how far it goes: the error after it is asked for.": step * g / F_hat,
        "The mean of ratios g_n / g_n^2: the ratio of two means is meant.": e
        - step * np.mean(1 / g_n),
        "Where is the step size?": e - g / F_hat,
        "One error: sum or average over the examples before the division.": e - step / g_n,
        "Without the error in g_n, and with it in F_hat: derive both from the same g_n.": e
        - step * np.mean(x**2) / F_hat,
    }
    says = "For e = 0.4, x = [1, 2, 4] and step 0.3 the error is 0.3423."
    expect_all_digits(got, e - step * g / F_hat, says, slips, form=ERROR, few=UNDAMPED)


@case("5.4")
def error_with_other_inputs(f):
    x = np.array([0.5, -1.0, 3.0])
    got = called(f, 2.0, jnp.asarray(x), 0.4, advice=FOR_ERROR)
    right = 2.0 - 0.4 / 2.0 * np.mean(x**2) / np.mean(x**4)
    slips = {
        "The step should fall like 1 / e: here it does not depend on e.": 2.0
        - 0.4 * np.mean(x**2) / np.mean(x**4),
        "The step should be proportional to 1 / e, not to e.": 2.0
        - 0.4 * 2.0 * np.mean(x**2) / np.mean(x**4),
    }
    says = "With e = 2, x = [0.5, -1, 3]: is F_hat the mean of the squares of the g_n?"
    expect_all_digits(got, right, says, slips, form=ERROR, few=UNDAMPED)


@case("5.4")
def error_may_change_its_sign(f):
    x = np.array([1.0, -0.5, 2.0])
    b = np.mean(x**2) / np.mean(x**4)
    for e, step in [(-0.5, 0.1), (0.1, 1.0)]:
        got = called(f, e, jnp.asarray(x), step, advice=FOR_ERROR)
        right = e - step * b / e
        slips = {
            "The error has a sign: w may lie on either side.": abs(right),
            "An absolute value of e: the gradient has its sign.": e - step * b / abs(e),
            "The step should fall like 1 / e, with its sign.": e - step * b / e**2,
        }
        says = f"With e = {e}, step {step}: has the step the sign of e, and its size?"
        expect_all_digits(got, right, says, slips, form=ERROR, few=UNDAMPED)


@case("5.4", hidden=True)
def error_as_a_run(f):
    draw = np.random.default_rng(54)
    for e in [-3.0, 1e-3, -0.2, 7.0]:
        x, eta, w_star = draw.normal(size=11) * 5, 0.05, 0.3
        residual = (w_star + e) * x - w_star * x
        G = residual * x
        right = (w_star + e) - eta * G.mean() / np.mean(G * G) - w_star
        got = called(f, e, jnp.asarray(x), eta, advice=FOR_ERROR)
        says = f"With 11 random inputs and e = {e}: has the step the sign of e, and its size?"
        expect(got, right, says, form=ERROR, rtol=1e-7, atol=1e-9)


# --- 5.5 · The Fisher matrix by sampling ----------------------------------------------------------

SCORES = "A matrix with a row and a column for each parameter."
FOR_SCORES = {
    "only defined for scalar": "log_p takes one sample: jax.grad for one, jax.vmap over samples.",
    "in_axes|vmap": "jax.vmap(..., in_axes=(None, 0)): theta is the same for all samples.",
    SHAPES: "Shapes do not fit: one score, of shape (P,), for each sample.",
}


def log_normal(theta, x):
    return -jnp.log(theta[1]) - 0.5 * (x - theta[0]) ** 2 / theta[1] ** 2


@case("5.5")
def sampling_by_hand(f):
    theta, samples = jnp.array([1.0, 2.0]), jnp.array([3.0, -1.0, 5.0])
    got = called(f, log_normal, theta, samples, advice=FOR_SCORES)
    S = np.array([[0.5, 0.0], [-0.5, 0.0], [1.0, 1.5]])
    mean = S.mean(axis=0)
    slips = {
        "That is the sum over samples: the mean is asked for.": S.T @ S,
        "In theory scores have mean zero: subtract nothing.": S.T @ S / 3 - np.outer(mean, mean),
        "With their mean subtracted, and n - 1: subtract nothing.": np.cov(S.T),
        "That is minus the mean Hessian: equal in expectation, not for three samples.": [
            [0.25, 1 / 3],
            [1 / 3, 1.25],
        ],
        "The outer product of the mean score: the mean of outer products is meant.": np.outer(
            mean, mean
        ),
        "The sign: outer products are positive.": -S.T @ S / 3,
        "Off the diagonal, too: outer products, not squares.": np.diag(np.diag(S.T @ S)) / 3,
        "That is the mean score, a vector.": mean,
        "That is a square for each parameter: outer products.": np.mean(S**2, axis=0),
    }
    says = "For N(1, 2) and samples 3, -1, 5 the answer is [[0.5, 0.5], [0.5, 0.75]]."
    expect_all_digits(got, S.T @ S / 3, says, slips, form=SCORES)


@case("5.5", hidden=True)
def sampling_of_vectors(f):
    draw = np.random.default_rng(56)
    theta, X = draw.normal(size=3), draw.normal(size=(5, 3))
    log_p = lambda theta, x: -0.5 * jnp.sum((x - theta) ** 2 * jnp.arange(1.0, 4.0))
    got = called(f, log_p, jnp.asarray(theta), jnp.asarray(X), advice=FOR_SCORES)
    S = (X - theta) * np.arange(1.0, 4.0)
    says = "With three parameters and samples that are vectors: the derivative is by theta."
    expect_all_digits(got, S.T @ S / 5, says, form=SCORES)


# --- 5.6 · Exponentiated gradient -----------------------------------------------------------------

PROBABILITIES = "Probabilities, of the shape of p."


@case("5.6")
def weights_by_hand(f):
    p, g = np.array([0.2, 0.8]), np.array([np.log(3), 0.0])
    got = called(f, jnp.asarray(p), jnp.asarray(g), 1.0, advice={})
    norm = lambda q: q / q.sum()
    slips = {
        "Not normalised: probabilities sum to 1.": p * np.exp(-g),
        "The sign: what costs more should get less.": norm(p * np.exp(g)),
        "p is gone: that starts from the uniform distribution.": norm(np.exp(-g)),
        "That is a plain gradient step: it leaves the simplex.": p - g,
        "1 - g is exp(-g) to first order only.": norm(p * (1 - g)),
        "1 - g is exp(-g) to first order only, and it is not normalised.": p * (1 - g),
        "That is the natural gradient, right to first order only: keep all of KL.": p
        * (1 - g + g @ p),
        "exp(-g p): the gradient is not multiplied by p.": norm(p * np.exp(-g * p)),
    }
    says = "For p = [0.2, 0.8], g = [log 3, 0], step 1 the answer is [1/13, 12/13]."
    expect_all_digits(got, norm(p * np.exp(-g)), says, slips, form=PROBABILITIES)


@case("5.6")
def weights_use_the_step_size(f):
    p, g = np.array([0.5, 0.3, 0.2]), np.array([1.0, -2.0, 0.5])
    got = called(f, jnp.asarray(p), jnp.asarray(g), 0.5, advice={})
    norm = lambda q: q / q.sum()
    slips = {
        "Where is the step size?": norm(p * np.exp(-g)),
        "Divided by the step size: multiply by it.": norm(p * np.exp(-g / 0.5)),
        "The step size stands before the exponential: it belongs inside.": norm(
            p - 0.5 * p * (1 - np.exp(-g))
        ),
    }
    says = "With three options and step 0.5: is it the minimiser, and do its entries sum to 1?"
    expect_all_digits(got, norm(p * np.exp(-0.5 * g)), says, slips, form=PROBABILITIES)


@case("5.6", hidden=True)
def weights_solve_the_problem(f):
    from scipy.optimize import minimize_scalar

    p, g, eta = np.array([0.35, 0.65]), np.array([0.4, 1.7]), 0.7
    both = lambda q: np.array([q, 1 - q])
    aim = lambda q: g @ both(q) + both(q) @ np.log(both(q) / p) / eta
    best = minimize_scalar(aim, bounds=(1e-9, 1 - 1e-9), method="bounded", options={"xatol": 1e-10})
    got = called(f, jnp.asarray(p), jnp.asarray(g), eta, advice={})
    says = "It does not minimise g.q + KL(q || p) / step_size."
    expect(got, both(best.x), says, form=PROBABILITIES, rtol=1e-5, atol=1e-5)


@case("5.6")
def weights_far_apart(f):
    p = np.array([0.5, 0.25, 0.25])
    for g, likely in [
        ([2000.0, 1000.0, 1001.0], [0.0, 1.0, np.exp(-1.0)]),
        ([-1000.0, -2000.0, -1999.0], [0.0, 1.0, np.exp(-1.0)]),
        ([2000.0, 0.0, 1.0], [0.0, 1.0, np.exp(-1.0)]),
        ([-2000.0, 2000.0, -1999.0], [2.0, 0.0, np.exp(-1.0)]),
    ]:
        got = called(f, jnp.asarray(p), jnp.asarray(g), 1.0, advice={})
        assert np.all(np.isfinite(np.asarray(got))), (
            f"Not finite for g = {g}: exponentials overflow, or all vanish. Work with logarithms, "
            "log p - step_size g."
        )
        right = np.array(likely) / np.sum(likely)
        says = f"For p = [0.5, 0.25, 0.25], g = {g}, step 1 something is lost."
        expect_all_digits(got, right, says, form=PROBABILITIES)


@case("5.6")
def weights_of_zero(f):
    for p, g, right in [
        ([0.0, 1.0], [-1.0, 0.0], [0.0, 1.0]),
        ([0.0, 1.0], [-2000.0, 0.0], [0.0, 1.0]),
        ([0.0, 0.5, 0.5], [-2000.0, 0.0, np.log(3.0)], [0.0, 0.75, 0.25]),
    ]:
        got = np.asarray(called(f, jnp.asarray(p), jnp.asarray(g), 1.0, advice={}))
        assert np.all(np.isfinite(got)), (
            f"Not finite for p = {p}, g = {np.round(g, 2).tolist()}: the smallest g may stand where"
            " p is 0. Work with logarithms, log p - step_size g."
        )
        assert got.shape != (len(p),) or got[0] == 0, (
            f"For p = {p} the first is {got[0]:.2g}: is something added to p?"
        )
        says = f"For p = {p}: a probability of 0 changes nothing for the others."
        expect_all_digits(got, right, says, form=PROBABILITIES)
