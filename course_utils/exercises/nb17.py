"""Exercises of notebook 17: corners, the proximal Bregman objective, indefinite matrices."""

from decimal import Decimal, localcontext

import jax
import jax.numpy as jnp
import numpy as np
import scipy.linalg

from course_utils.exercises import case, expect, expect_all_digits

# --- 17.1 · What the corner leaves free -----------------------------------------------------------

VECTOR = "One number for each weight, shape (d,)."


def _solved(f, M, l2, v, singular):
    """The answer, with what to say where a library refuses."""
    try:
        with np.errstate(all="ignore"):
            got = f(M, l2, v)
    except np.linalg.LinAlgError as error:
        raise AssertionError(singular) from error
    except (ValueError, TypeError, IndexError) as error:
        if "NotImplemented" in type(error).__name__:
            raise
        line = str(error).splitlines()[0]
        if M.shape[0] == 0:
            said = f"It stops where no image is on the corner: M has no row. The error: {line}"
        else:
            said = f"M holds one image a row, shape (m, d), and v is (d,). The error: {line}"
        raise AssertionError(said) from error
    number = np.issubdtype(np.asarray(got).dtype, np.number)
    assert not number or np.isfinite(np.asarray(got)).all(), singular
    return got


SINGULAR = (
    "Not for two equal images: the rows of M may depend on each other, so nothing may need an "
    "inverse of M M^T, or as many directions as rows."
)


@case("17.1")
def corner_solve_by_hand(f):
    M, v = np.array([[1.0, 1.0, 0.0]]), np.array([3.0, 1.0, 2.0])
    got = _solved(f, M, 0.5, v, SINGULAR)
    assert M.tolist() == [[1, 1, 0]] and v.tolist() == [3, 1, 2], "It has changed M or v."
    slips = {
        "That is the part that the corner holds; what it leaves free is v - P v.": [2.0, 2.0, 0.0],
        "That is P v / l2: the free part is v - P v.": [4.0, 4.0, 0.0],
        "The 1/l2 is missing: along free directions H is l2.": [1.0, -1.0, 2.0],
        "Divide by l2: yours is multiplied.": [0.5, -0.5, 1.0],
        "M^T M is no projector, since rows of M have any length: applied twice, a projector "
        "changes nothing more.": [-2.0, -6.0, 4.0],
        "The corner is missing: v / l2 is right only where M has no row.": [6.0, 2.0, 4.0],
        "1/l2 multiplies P v, too.": [4.0, 0.0, 4.0],
        "The sign: H is positive definite, so v . H^-1 v must not be negative.": [-2.0, 2.0, -4.0],
        "That is H^-1 v for t = 1, not the limit for t -> 0.": np.linalg.solve(
            0.5 * np.eye(3) + M.T @ M, v
        ),
    }
    says = "For M = [[1, 1, 0]], l2 = 0.5 and v = [3, 1, 2] it is [2, -2, 4]."
    expect(got, [2.0, -2.0, 4.0], says, slips, form=VECTOR)


@case("17.1")
def corner_solve_of_two_images(f):
    M, v = np.array([[1.0, 0.0, 0.0], [1.0, 1.0, 0.0]]), np.array([1.0, 2.0, 3.0])
    slips = {
        "Its rows are not at right angles: their parts may not be taken off each by itself.": [
            -1.5,
            0.5,
            3.0,
        ],
        "Taken off one after the other, the second part brings some of the first back: the rows "
        "are not at right angles.": [-1.0, 1.0, 3.0],
    }
    says = (
        "For M = [[1, 0, 0], [1, 1, 0]], l2 = 1 and v = [1, 2, 3] it is [0, 0, 3]: exactly, not "
        "for some small t."
    )
    expect(_solved(f, M, 1.0, v, SINGULAR), [0.0, 0.0, 3.0], says, slips, form=VECTOR, atol=1e-11)


@case("17.1")
def corner_solve_of_equal_images_and_of_none(f):
    M, v = np.array([[1.0, 1.0, 0.0]] * 2), np.array([3.0, 1.0, 2.0])
    expect(_solved(f, M, 0.5, v, SINGULAR), [2.0, -2.0, 4.0], SINGULAR, form=VECTOR)
    says = "Without any image on the corner, M of shape (0, 3), it is v / l2."
    expect(_solved(f, np.zeros((0, 3)), 0.5, v, says), [6.0, 2.0, 4.0], says, form=VECTOR)


@case("17.1", hidden=True)
def corner_solve_is_the_limit(f):
    M, v = np.array([[1.0, 0, 0, 0], [0, 1, 0, 0], [1, 1, 0, 0]]), np.arange(1.0, 5.0)
    says = "Rows may depend on each other without being equal: here the third is the others' sum."
    expect(_solved(f, M, 2.0, v, says), [0.0, 0.0, 1.5, 2.0], says, form=VECTOR)
    draw = np.random.default_rng(172)
    for m, d, rank, size in [(4, 9, 4, 1.0), (6, 9, 3, 1.0), (12, 8, 5, 30.0), (3, 40, 2, 0.02)]:
        M = size * draw.normal(size=(m, rank)) @ draw.normal(size=(rank, d))
        v, l2 = draw.normal(size=d), 10 ** draw.uniform(-2, 1)
        free = scipy.linalg.null_space(M, rcond=1e-9)
        right = free @ (free.T @ v) / l2
        says = f"Wrong for {m} random rows of which {rank} are independent, in {d} dimensions."
        expect_all_digits(
            _solved(f, M, l2, v, says), right, says, form=VECTOR, near=1e-6, rtol=1e-7, atol=1e-8
        )
        stiff = l2 * np.eye(d) + 1e7 * l2 * M.T @ M / size**2
        np.testing.assert_allclose(np.linalg.solve(stiff, v), right, atol=1e-3 / l2)


# --- 17.2 · The proximal Bregman objective --------------------------------------------------------

NUMBER = "One number."
OF_JAX = (
    "It must be differentiable by JAX: stay with jnp and jax.* from theta to the result, without "
    "np, float() or .item()."
)


@jax.jit  # compiled as one, or the cases would take seconds
def line(theta, X):
    return X * theta  # (n, 1)


@jax.jit
def half_squares(z, y):
    return 0.5 * jnp.sum((z - y) ** 2, axis=1)


@jax.jit
def softmax_net(theta, X):
    """A network with 3 inputs, 2 hidden units and 3 outputs: 12 weights."""
    return jnp.tanh(X @ theta[:6].reshape(3, 2)) @ theta[6:].reshape(2, 3)


@jax.jit
def cross_entropies(z, y):
    return jax.nn.logsumexp(z, axis=1) - z[jnp.arange(len(y)), y]


@jax.jit
def softmax_reference(theta, theta_s, j, X, y, strength):
    """Q_j from relative entropies, in place of losses and tangents."""
    z, z_s = softmax_net(theta, X), softmax_net(theta_s, X)
    D = bregman(z, z_s, y)
    near = 0.5 * strength * jnp.sum((theta - theta_s) ** 2)
    return jnp.mean(D) - cross_entropies(z, y)[j] / len(y) + near


def softmax_problem(seed, n=5):
    draw = np.random.default_rng(seed)
    X, y = jnp.asarray(draw.normal(size=(n, 3))), jnp.asarray(draw.integers(0, 3, n))
    theta_s, move = draw.normal(size=(2, 12))
    return X, y, jnp.asarray(theta_s), jnp.asarray(theta_s + 0.7 * move)


def bregman(z, z_s, y):
    """The divergences of the cross-entropy, (n,): relative entropies of softmaxes."""
    p_s = jax.nn.softmax(z_s)
    return jnp.sum(p_s * (jax.nn.log_softmax(z_s) - jax.nn.log_softmax(z)), axis=1)


@case("17.2")
def pbrf_by_hand(f):
    X, y = jnp.array([[1.0], [2.0]]), jnp.zeros((2, 1))
    theta, theta_s = jnp.array([4.0]), jnp.array([1.0])
    got = f(theta, theta_s, 0, line, half_squares, X, y, 2.0)
    slips = {
        "The loss of j is taken out: subtract it.": 24.25,
        "The loss of j has the weight 1/n.": 12.25,
        "The divergences count as a mean, not a sum.": 27.5,
        "The half is missing: strength/2 times the squared distance.": 25.25,
        "The distance is that to theta_s, not to 0.": 23.25,
        "The distance is squared.": 10.25,
        "The linear term of D is missing, so that theta_s is no minimum of D.": 23.75,
        "The linear term of D is subtracted.": 31.25,
        "The loss of j is that at theta: at theta_s it would be a constant.": 20.0,
        "D counts for all examples, j too: subtracting its loss takes it out.": 14.0,
        "The loss of j is missing.": 20.25,
        "The proximity is missing: strength/2 times the squared distance.": 7.25,
        "D subtracts the loss at theta_s, so that D is 0 there.": 17.5,
    }
    expect(got, 16.25, "In the example Q is 16.25.", slips, form=NUMBER)
    got = f(theta, theta_s, 1, line, half_squares, X, y, 2.0)
    expect(got, 4.25, "In the example with j = 1 Q is 4.25.", form=NUMBER)


@jax.jit
def softmax_slips(theta, theta_s, j, X, y, strength):
    """Q_j with other divergences: exchanged, to second order, and of squared errors."""
    z, z_s = softmax_net(theta, X), softmax_net(theta_s, X)
    near = 0.5 * strength * jnp.sum((theta - theta_s) ** 2)
    rest = near - cross_entropies(z, y)[j] / len(y)
    shares, gap = jax.nn.softmax(z_s), z - z_s
    curved = jnp.sum(shares * gap**2, axis=1) - jnp.sum(shares * gap, axis=1) ** 2
    each = bregman(z_s, z, y), curved / 2, jnp.sum(gap**2, axis=1) / 2
    return [jnp.mean(D) + rest for D in each]


@case("17.2")
def pbrf_with_cross_entropy(f):
    X, y, theta_s, theta = softmax_problem(173)
    hints = (
        "The divergence goes from theta_s to theta: its slope is taken at z_s, not at z. (For "
        "squared errors the two agree.)",
        "That is D to second order; the exact one is asked for.",
        "That is D for squared errors; `losses` may be others.",
    )
    slips = dict(zip(hints, softmax_slips(theta, theta_s, 2, X, y, 0.4)))
    got = f(theta, theta_s, 2, softmax_net, cross_entropies, X, y, 0.4)
    right = softmax_reference(theta, theta_s, 2, X, y, 0.4)
    expect(
        got,
        right,
        "Wrong for a network with cross-entropy. Is the tangent taken in z, and not in theta?",
        slips,
        form=NUMBER,
    )


def slope_of(f, *rest):
    """The function's derivative by theta, compiled."""

    def value(theta):
        return jnp.asarray(f(theta, *rest)).reshape(())

    return jax.jit(jax.grad(value))


def called_in_jax(slope, theta):
    try:
        return slope(theta)
    except (jax.errors.JAXTypeError, TypeError) as error:
        raise AssertionError(OF_JAX) from error


@case("17.2")
def pbrf_has_a_derivative(f):
    X, y, theta_s, theta = softmax_problem(174)
    slope = slope_of(f, theta_s, 1, softmax_net, cross_entropies, X, y, 0.4)
    says = "Its value is right, its derivative by theta is not: is something cut off from theta?"
    right = jax.jit(jax.grad(softmax_reference))(theta, theta_s, 1, X, y, 0.4)
    expect(called_in_jax(slope, theta), right, says)


@jax.jit
def gauss_newton_reference(theta_s, j, X, y, strength):
    """Gradient and Hessian that Q_j should have at theta_s, and its value."""
    n, p = len(y), len(theta_s)
    loss_j = lambda theta: cross_entropies(softmax_net(theta, X), y)[j]
    J = jax.jacobian(softmax_net)(theta_s, X)
    shares = jax.nn.softmax(softmax_net(theta_s, X))
    each = jax.vmap(jnp.diag)(shares) - shares[:, :, None] * shares[:, None]
    G = jnp.einsum("nap,nab,nbq->pq", J, each, J) / n
    H = G + strength * jnp.eye(p) - jax.hessian(loss_j)(theta_s) / n
    return -loss_j(theta_s) / n, -jax.grad(loss_j)(theta_s) / n, H


@case("17.2", hidden=True)
def pbrf_begins_with_the_gradient_and_the_gauss_newton_matrix(f):
    X, y, theta_s, _ = softmax_problem(175, 6)
    rest = (theta_s, 4, softmax_net, cross_entropies, X, y, 0.7)
    value, gradient, H = gauss_newton_reference(theta_s, 4, X, y, 0.7)
    expect(f(theta_s, *rest), value, "At theta_s Q is minus the loss of j by n.")
    slope = slope_of(f, *rest)
    got = called_in_jax(slope, theta_s)
    assert np.isfinite(got).all(), (
        "At theta_s its derivative is not finite: a norm has none at 0; sum the squares."
    )
    expect(got, gradient, "At theta_s its gradient should be minus that of the loss of j, by n.")
    says = "At theta_s its Hessian is not G + strength I less that of the loss of j by n."
    expect(jax.jit(jax.jacfwd(slope))(theta_s), H, says)


# --- 17.3 · A hinge without a corner --------------------------------------------------------------

EACH = "One loss for each margin, in the shape of s."


def plain_hinge(s):
    return np.maximum(1 - s, 0)


@case("17.3")
def smooth_hinge_by_hand(f):
    s, t = np.array([-3.0, 1.0, 2.0]), 0.5
    u = (1 - s) / t
    right = t * np.logaddexp(0, u)
    with np.errstate(all="ignore"):
        got = f(s, t)
    assert np.array_equal(s, [-3, 1, 2]), "Your function has changed s."
    slips = {
        "Without the factor t: at s = -3 the hinge is 4, and yours is twice that.": right / t,
        "Divided by t where it should be multiplied: at s = -3 the hinge is 4.": right / t**2,
        "1 - s, not 1 + s: s = 2 is a safe margin, and its loss is nearly 0.": (
            t * np.logaddexp(0, (1 + s) / t)
        ),
        "(1 - s)/t, not its negative: s = 2 is safe, and its loss is nearly 0.": (
            t * np.logaddexp(0, -u)
        ),
        "t is missing inside: (1 - s)/t.": t * np.logaddexp(0, 1 - s),
        "t is missing, inside and outside.": np.logaddexp(0, 1 - s),
        "t divides 1 - s once, not twice.": t * np.logaddexp(0, u / t),
        "Inside, t divides: (1 - s)/t.": t * np.logaddexp(0, (1 - s) * t),
        "Smooth, but 0 at the corner: at s = 1 it should be t log 2.": right - t * np.log(2),
        "That is the hinge itself: its corner is not rounded.": plain_hinge(s),
        "That is the squared hinge.": plain_hinge(s) ** 2,
        "One value for each s, not their sum.": right.sum(),
        "One value for each s, not their mean.": right.mean(),
        "That is its derivative by -s; the loss is asked for.": 0.5 * (1 + np.tanh(u / 2)),
    }
    says = "For s = [-3, 1, 2] and t = 0.5 it is [4.0002, 0.3466, 0.0635]."
    expect(got, right, says, slips, form=EACH)


@case("17.3")
def smooth_hinge_does_not_overflow(f):
    with np.errstate(all="ignore"):
        got = np.asarray(f(np.array([-1.0, 3.0]), 1e-3), float)
    assert np.isfinite(got).all(), (
        "exp((1 - s)/t) overflows for s = -1, t = 0.001: the log can be had without it."
    )
    expect(got, [2.0, 0.0], "For s = [-1, 3], t = 0.001 it is [2, 0], to nine digits.", form=EACH)


@case("17.3")
def smooth_hinge_at_zero_is_the_hinge(f):
    s = np.array([-3.0, 1.0, 2.0])
    with np.errstate(all="ignore"):
        try:
            got = f(s, 0.0)
        except ZeroDivisionError as error:
            raise AssertionError("t = 0 divides by zero: treat it apart.") from error
    if np.shape(got) == (3,):
        assert np.isfinite(got).all(), "t = 0 divides by zero: treat it apart."
    slips = {"At t = 0 it is the hinge, max(1 - s, 0): it must not vanish.": 0 * s}
    says = "For t = 0 and s = [-3, 1, 2] it is the hinge, [4, 0, 0]."
    expect(got, [4.0, 0.0, 0.0], says, slips, form=EACH)


def exactly(s, t):
    """The smooth hinge to forty digits."""
    with localcontext() as context:
        context.prec = 40
        s, t = Decimal(float(s)), Decimal(float(t))
        u = (1 - s) / t
        if u > 200:  # exp(-u) is below 1e-86
            return float(1 - s)
        return float(t * (1 + u.exp()).ln())


@case("17.3", hidden=True)
def smooth_hinge_to_all_digits(f):
    draw = np.random.default_rng(171)
    for t in (1e-6, 1e-4, 0.1, 2.0, 40.0):
        s = np.array([[-3.0, 1.0, 1.7], [900.0, 1 - t, 1 + 2 * t]])
        s[0, 0] += draw.normal()
        with np.errstate(all="ignore"):
            got = f(s, t)
        right = np.array([[exactly(one, t) for one in row] for row in s])
        says = f"For t = {t:g} and margins of shape (2, 3) it is another number, near s = 1."
        expect_all_digits(got, right, says, form=EACH, near=1e-9, rtol=1e-10, atol=1e-15)
    with np.errstate(all="ignore"):
        one = f(np.float64(1.0), 0.25)
    expect(one, 0.25 * np.log(2), "For the single margin s = 1, t = 0.25 it is log(2)/4.")


# --- 17.4 · Gauss-Newton scores -------------------------------------------------------------------

SCORES = "One row for each test example, one column for each training example."


@case("17.4")
def ggn_scores_by_hand(f):
    J, P = np.zeros((2, 2, 1)), np.array([[0.8, 0.2], [0.5, 0.5]])
    J[0, 0] = 1.0
    r = P - np.array([[1.0, 0.0], [1.0, 0.0]])
    J_t, r_t = np.array([[[2.0], [0.0]]] * 2), np.array([[-0.5, 0.5], [0.3, -0.3]])
    right = np.array([[0.5, 0.0], [-0.3, 0.0]])
    slips = {
        "r r^T is no second derivative: that is the empirical Fisher matrix, which vanishes where "
        "the data are fitted.": right * 0.2 / 0.14,
        "The Hessian of the loss in the logits is diag(P) - P P^T: its second part is missing.": (
            right * 0.2 / 0.52
        ),
        "J^T J without the Hessian of the loss in the logits.": right * 0.2 / 0.62,
        "G is a mean over the training examples, not a sum.": right * 0.2 / 0.28,
        "strength times I is missing.": right * 0.2 / 0.08,
        "The 1/n in front is missing.": 2 * right,
        "1/n once, in front: G has its own.": right / 2,
        "Positive is helpful, as in notebook 15: without a minus sign.": -right,
        "Without the inverse: that is an inner product of gradients.": 0.2 * right,
        SCORES: right.T,
    }
    says = "In the example the scores are [[0.5, 0], [-0.3, 0]]."
    expect(f(J_t, r_t, J, r, P, 0.12), right, says, slips, form=SCORES)


def logit_problem(seed, n=2, T=2, k=3, p=4):
    """Jacobians, residuals and probabilities, with labels of their own for the test examples."""
    draw = np.random.default_rng(seed)
    J, J_t = draw.normal(size=(n, k, p)), draw.normal(size=(T, k, p))
    P = draw.dirichlet(np.ones(k), n)
    P_t = draw.dirichlet(np.ones(k), T)
    y, y_t = draw.integers(0, k, n), draw.integers(0, k, T)
    return J_t, P_t - np.eye(k)[y_t], J, P - np.eye(k)[y], P


@jax.jit
def linearised(J, P, y, strength):
    """Hessian of the mean cross-entropy of the linearised model, and each gradient, (n, p)."""
    at_0 = jnp.zeros(J.shape[2])
    losses = lambda move: cross_entropies(jnp.log(P) + J @ move, y)
    risk = lambda move: jnp.mean(losses(move)) + 0.5 * strength * jnp.sum(move**2)
    return jax.hessian(risk)(at_0), jax.jacobian(losses)(at_0)


def scores_by_autodiff(J_t, r_t, J, r, P, strength):
    """From the model whose logits are log P + J move."""
    y = np.argmax(P - r, axis=1)  # one-hot labels
    H, slopes = map(np.asarray, linearised(J, P, y, strength))
    right = [J_t[t].T @ r_t[t] for t in range(len(J_t))]
    return np.array(right) @ scipy.linalg.solve(H, slopes.T) / len(J)


@case("17.4")
def ggn_scores_of_three_classes(f):
    problem = logit_problem(174)
    says = "Wrong for random Jacobians of 3 classes and 4 weights."
    expect(f(*problem, 0.3), scores_by_autodiff(*problem, 0.3), says, form=SCORES)


@case("17.4", hidden=True)
def ggn_scores_of_other_numbers(f):
    for seed, n, T, k, p in [(1, 7, 3, 2, 5), (2, 4, 1, 5, 30), (3, 1, 6, 4, 3)]:
        problem = logit_problem(seed, n, T, k, p)
        says = f"Wrong for {n} training and {T} test examples, {k} classes and {p} weights."
        right = scores_by_autodiff(*problem, 0.05)
        expect_all_digits(f(*problem, 0.05), right, says, form=SCORES, rtol=1e-7, atol=1e-9)


# --- 17.5 · The first negative curvature ----------------------------------------------------------


def met(A, b, maxiter=50):
    """The step, from the leading minors of the Lanczos matrix: independent of CG's recursion."""
    q, Q, size = b / np.linalg.norm(b), [], np.abs(A).sum()
    for k in range(min(maxiter, len(b))):
        Q.append(q)
        basis = np.array(Q)
        if np.linalg.eigvalsh(basis @ A @ basis.T)[0] <= 1e-12 * size:
            return k
        w = A @ q
        for _ in range(2):
            w = w - basis.T @ (basis @ w)
        if np.linalg.norm(w) < 1e-9 * size:
            return -1
        q = w / np.linalg.norm(w)
    return -1


def asked(f, A, b, maxiter=50):
    A, b = np.asarray(A, float), np.asarray(b, float)
    with np.errstate(all="ignore"):
        got = f(lambda v: A @ v, b, maxiter)
    assert got is not None, "It gives back None: where nothing is met, return -1."
    assert not isinstance(got, (tuple, list)), "The step alone: one whole number."
    assert np.shape(got) == (), f"One whole number: this has shape {np.shape(got)}."
    return float(got)


def same_step(got, right, says, slips=()):
    if got == right:
        return
    for value, hint in slips:
        assert got != value, hint
    raise AssertionError(f"{says} Yours: {got:g}.")


@case("17.5")
def negative_curvature_by_hand(f):
    slips = [
        (2, "Count from 0: the first direction, p = b, is step 0."),
        (0, "Too early: at step 0 p . A p is 1. Is the test on p . A p, with p = b at first?"),
        (-72, "That is the curvature; the step is asked for."),
        (-1, "Missed: p is the search direction, r + beta p, not the residual."),
    ]
    got = asked(f, np.diag([2.0, -1.0]), [1.0, 1.0])
    same_step(got, 1, "For A = diag(2, -1) and b = [1, 1] it is step 1.", slips)


@case("17.5")
def zero_curvature_counts(f):
    slips = [(1, "p . A p = 0 counts, too: no step length exists there.")]
    slips += [(-1, "p . A p = 0 counts, too: no step length exists there.")]
    got = asked(f, np.diag([1.0, -1.0]), [1.0, 1.0])
    same_step(got, 0, "For A = diag(1, -1) and b = [1, 1] it is step 0.", slips)


@case("17.5")
def what_b_lacks_is_not_met(f):
    says = (
        "For A = diag(2, 1, -1) and b = [1, 1, 0] it is -1: stop where r is 0, or rounding is "
        "tested."
    )
    same_step(asked(f, np.diag([2.0, 1.0, -1.0]), [1.0, 1.0, 0.0]), -1, says)
    says = "For a positive definite A it is -1."
    same_step(asked(f, [[2.0, 1.0], [1.0, 3.0]], [1.0, -2.0]), -1, says)


@case("17.5")
def negative_curvature_later(f):
    A, b = np.diag([4.0, 2.0, 1.0, -0.02]), np.array([1.0, 2.0, 3.0, 0.5])
    says = f"For A = diag(4, 2, 1, -0.02) and b = [1, 2, 3, 0.5] it is step {met(A, b)}."
    same_step(asked(f, A, b), met(A, b), says)


@case("17.5", hidden=True)
def negative_curvature_of_random_matrices(f):
    draw = np.random.default_rng(175)
    for d, low in [(6, -0.5), (12, -0.05), (12, 0.05), (20, -2.0)]:
        Q = np.linalg.qr(draw.normal(size=(d, d)))[0]
        h = np.append(draw.uniform(0.5, 3, d - 1), low)
        A, b = (Q * h) @ Q.T, draw.normal(size=d)
        right = met(A, b)
        says = f"For a random A with smallest eigenvalue {low:g}, d = {d}, it is {right}."
        same_step(asked(f, A, b), right, says)
        if right > 0:
            says = (
                f"With maxiter = {right}, products 0 to {right - 1} alone are allowed: nothing is "
                "met."
            )
            same_step(asked(f, A, b, right), -1, says)
            same_step(asked(f, A, b, right + 1), right, f"With maxiter = {right + 1} it is met.")
