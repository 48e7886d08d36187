"""Exercises of notebook 16: computing influence."""

import jax
import jax.numpy as jnp
import numpy as np

from course_utils.exercises import called, case, expect

# --- 16.1 · Scores without gradients --------------------------------------------------------------


def softplus_losses(seed, num_tests, n, d):
    """Arguments (losses, weights, U), and all products of U with gradients written by hand."""
    draw = np.random.default_rng(seed)
    A, w = draw.normal(size=(n, d)), draw.normal(size=d)
    U = 1000 * draw.normal(size=(num_tests, d))
    losses = jax.jit(lambda w: jnp.log1p(jnp.exp(jnp.asarray(A) @ w)))
    gradients = A / (1 + np.exp(-A @ w))[:, None]  # (n, d)
    return (losses, jnp.asarray(w), jnp.asarray(U)), U @ gradients.T


ROWS = "Rows are test points, columns training points."
JVP_NEEDS = {  # pattern in an error's first line: what to say of it
    "must be tuples or lists": "jvp takes the weights in a tuple, and the direction, too.",
    "primal and tangent shapes": "jvp takes one direction, shaped like params: one row of U.",
    "'tuple'": "jvp gives a pair: losses, derivatives.",
    "scalar-output": "grad takes a function with one number; this one gives n, one per point.",
    "VJP function": "vjp is reverse mode, from losses to weights. A direction takes jvp.",
    "0-dimensional": "The losses are a function of all weights at once, not of one of them.",
    "[Ee]xpected a callable|not callable": "jvp takes a function of the weights, and no values.",
}


def directional(f, *args):
    """What ``f`` gives; where it stops over jvp or grad, a sentence says what they take or give."""
    return called(f, *args, advice=JVP_NEEDS)


@case("16.1")
def scores_by_hand(f):
    losses = lambda w: jnp.array([w[0] ** 2, w[0] * w[1], w[1] ** 2])
    got = directional(f, losses, jnp.array([3.0, 1.0]), jnp.array([[3.0, 3.0], [0.0, 3.0]]))
    right = np.array([[6.0, 4.0, 2.0], [0.0, 3.0, 2.0]])
    values = np.array([[9.0, 3.0, 1.0], [9.0, 3.0, 1.0]])
    slips = {
        "These are the losses. jvp gives the derivatives second.": values,
        "These are the losses over n. jvp gives the derivatives second.": values / 3,
        "Rows are test points: transpose.": right.T,
        "Almost: what of the 1/n in (16.1)?": 3 * right,
        "n counts training points, here 3: not test points, not weights.": 1.5 * right,
        "The sign is that of (16.1).": -right,
    }
    says = "For the losses a², ab, b² at a = 3, b = 1 the direction (3, 3) has the scores 6, 4, 2."
    expect(got, right, says, slips, form=ROWS, rtol=1e-4)


@case("16.1")
def scores_are_derivatives_along_u(f):
    args, products = softplus_losses(1, 3, 7, 4)
    got = directional(f, *args)
    slips = {
        "n counts training points, here 7; these are divided by the test points.": products / 3,
        "n counts training points, here 7; these are divided by the weights.": products / 4,
    }
    says = "Each entry is the derivative of one loss along one row of U, over n."
    expect(got, products / 7, says, slips, form=ROWS, rtol=1e-4)
    close = "Close, as a finite difference is, or 32 bits. jvp has no step and no such error."
    expect(got, products / 7, close, rtol=1e-10)


@jax.custom_jvp
def cubed(w):
    return w**3


@cubed.defjvp
def _along_equal_entries_only(point, direction):
    """The derivative of ``cubed``; NaN unless all entries of the direction are the same."""
    (w,), (u,) = point, direction
    return w**3, jnp.where(jnp.ptp(u) == 0, 3 * w**2 * u, jnp.nan)


@case("16.1")
def scores_need_no_gradient(f):
    def losses(w):  # a loop of one turn, through which reverse mode cannot go
        body = lambda state: (state[0] + 1, cubed(state[1]))
        return jax.lax.while_loop(lambda state: state[0] < 1, body, (0, w))[1]

    try:
        got = f(losses, jnp.arange(1.0, 4.0), 2 * jnp.ones((1, 3)))
    except ValueError as error:
        assert "everse-mode" not in str(error), (
            "This takes whole gradients, by reverse mode. Forward mode will do."
        )
        raise
    assert not np.isnan(np.asarray(got)).any(), (
        "This differentiates along each weight, which is whole gradients. Only the rows of U count."
    )
    expect(got, [[2.0, 8.0, 18.0]], "For the losses w³ at 1, 2, 3 and u = 2 the scores are wrong.")


@case("16.1")
def weights_may_be_a_matrix(f):
    M = jnp.arange(12.0).reshape(3, 4)
    cubes = lambda M: jnp.sum(M, axis=1) ** 3
    right = 4 * np.sum(np.arange(12.0).reshape(3, 4), axis=1) ** 2
    says = "Wrong where params is a matrix: each U[t] has its shape."
    expect(directional(f, cubes, M, jnp.ones((1, 3, 4))), right[None], says, form=ROWS)


@case("16.1", hidden=True)
def scores_of_other_numbers_of_points(f):
    for num_tests, n, d in [(4, 4, 6), (9, 5, 2), (2, 1, 3)]:
        args, products = softplus_losses(99, num_tests, n, d)
        says = f"Wrong for {num_tests} test and {n} training points with {d} weights."
        expect(f(*args), products / n, says, form=ROWS, rtol=1e-9)


@case("16.1", hidden=True)
def scores_of_a_tall_matrix(f):
    draw = np.random.default_rng(16)
    M, U = draw.normal(size=(5, 2)), draw.normal(size=(3, 5, 2))
    losses = lambda M: jnp.sin(M[:, 0] * M[:, 1])
    slope = np.cos(M[:, 0] * M[:, 1])
    right = slope * (M[:, 1] * U[:, :, 0] + M[:, 0] * U[:, :, 1]) / 5
    expect(f(losses, jnp.asarray(M), jnp.asarray(U)), right, "Wrong for a 5 by 2 matrix.")


# --- 16.2 · Spot four bugs ------------------------------------------------------------------------


def twice(h, key):
    """The product with H = 2 I, whatever the batch."""
    return 2 * h


def small_example(num_keys, scale, damping, num_steps=40):
    """Arguments for three points and two weights; 40 steps leave less than 1e-10 of the error."""
    v = jnp.array([3.0, 6.0])
    G = jnp.array([[3.0, 3.0], [0.0, -3.0], [6.0, 0.0]])
    return twice, v, G, jax.random.split(jax.random.key(0), num_keys), scale, damping, num_steps


def scores_and_order(got, n):
    """Both parts of an answer, if they have the right form."""
    words = "Two things are wanted: the scores, and the order."
    assert isinstance(got, (tuple, list)) and len(got) == 2, words
    scores, order = got
    form = f"One score for each of the {n} training points, and all {n} in the order."
    for part in (scores, order):
        expect(np.zeros(np.shape(part)), np.zeros(n), form, form=form)
    expect(np.imag(scores), np.zeros(n), "The scores should be real numbers.")
    return np.asarray(scores), np.asarray(order)


def symptoms(f):
    """What is wrong on small examples without noise, in words that name no line."""
    of = lambda *setting: scores_and_order(f(*small_example(*setting)), 3)
    alike = lambda a, b: np.allclose(a, b, rtol=1e-6)

    def times(a, b):
        ratio = np.dot(a, b) / np.dot(b, b)
        return f"{ratio:.2g} times those" if alike(a, ratio * b) else "others"

    plain, order = of(1, 4.0, 0.0)
    rescaled, _ = of(1, 2.0, 0.0)
    repeated, _ = of(3, 4.0, 0.0)
    damped, _ = of(1, 4.0, 1.0)
    if not alike(rescaled, plain):
        yield (
            "without damping the scale should set only the speed; the scores with scale 4 are "
            f"{times(plain, rescaled)} with scale 2."
        )
    if not alike(repeated, plain):
        yield (
            "where no batch is random, three keys should give what one gives; the scores are "
            f"{times(repeated, plain)} of one key."
        )
    if alike(damped, plain):
        yield "the damping has no effect."
    elif not alike(damped, plain * 2 / 3):
        yield (
            "with H = 2 I and damping 1 the scores should be 2/3 of those without damping; they "
            f"are {times(damped, plain)}."
        )
    lowest_first = np.argsort(plain)
    if order[0] != lowest_first[0]:
        yield "the list does not begin with the point that does the most harm."
    elif not np.array_equal(order, lowest_first):
        yield "beyond its first point the list is not in order."


@case("16.2")
def scores_without_noise(f):
    right = np.array([3.0, -2.0, 2.0])
    scores, order = scores_and_order(f(*small_example(3, 4.0, 1.0)), 3)
    assert not np.dot(scores, right) < 0, "Helpful is positive, as in (16.1)."
    found = list(symptoms(f))
    if found:
        count = ["One thing is", "Two things are", "Three things are", "Four things are"]
        one = "One of them" if found[1:] else "It shows here"
        raise AssertionError(f"{count[len(found) - 1]} still wrong. {one}: {found[0]}")
    slips = {
        "The 1/n of (16.1) is missing.": 3 * right,
        "n counts the training points, here 3; there are 2 weights.": 1.5 * right,
    }
    says = "For H = 2 I, damping 1 and v = 3, 6 the scores of the three points are 3, -2 and 2."
    expect(scores, right, says, slips)
    expect(order, [1, 2, 0], "For the scores 3, -2, 2 the order is 1, 2, 0.")


@case("16.2")
def one_step_from_v(f):
    scores, _ = scores_and_order(f(*small_example(1, 4.0, 1.0, num_steps=1)), 3)
    says = (
        "With one key and one step the scores of the example are 2.8125, -1.875 and 1.875: (16.4) "
        "starts at y₀ = v."
    )
    expect(scores, [2.8125, -1.875, 1.875], says)


def noisy_problem(seed, n, p, spread=0.0):
    """matvec, v, G, and the matrix that matvec samples: the mean times 1 - spread or 1 + spread."""
    draw = np.random.default_rng(seed)
    R = np.linalg.qr(draw.normal(size=(p, p)))[0]
    A = R @ np.diag(np.linspace(0.8, 1.0, p)) @ R.T
    v, G = jnp.asarray(draw.normal(size=p)), jnp.asarray(draw.normal(size=(n, p)))

    @jax.jit
    def matvec(h, key):
        return (1 + spread * jax.random.rademacher(key, (), float)) * (A @ h)

    return matvec, v, G, A


@case("16.2")
def every_step_draws_its_batch(f):
    matvec, v, G, _ = noisy_problem(3, 6, 3)
    seen = set()

    def watched(h, key):
        note = lambda words: seen.add(np.asarray(words).tobytes())
        jax.debug.callback(note, jax.random.key_data(key))  # in a compiled loop, too
        return matvec(h, key)

    f(watched, v, G, jax.random.split(jax.random.key(1), 3), 2.0, 0.0, 5)
    jax.effects_barrier()
    says = f"Three runs of five steps should draw 15 batches, each with its key; here: {len(seen)}."
    assert len(seen) == 15, says


def is_the_mean_of_the_runs(f, num_keys, *problem):
    matvec, v, G, _ = noisy_problem(*problem, spread=0.5)
    keys = jax.random.split(jax.random.key(5), num_keys)
    scores = lambda keys: scores_and_order(f(matvec, v, G, keys, 3.0, 0.1, 5), len(G))[0]
    alone = [scores(keys[i : i + 1]) for i in range(num_keys)]
    says = f"The scores of {num_keys} keys should be the mean of those of each."
    expect(scores(keys), np.mean(alone, axis=0), says)


@case("16.2")
def runs_are_averaged(f):
    is_the_mean_of_the_runs(f, 3, 2, 6, 3)  # of two runs the median is the mean


@case("16.2", hidden=True)
def more_runs_than_weights_are_averaged(f):
    is_the_mean_of_the_runs(f, 5, 4, 7, 3)


@case("16.2", hidden=True)
def scores_of_other_problems(f):
    for seed, n, p, scale, damping, num_steps in [
        (7, 9, 4, 3.0, 0.3, 40),
        (8, 9, 4, 1.5, 0.0, 1),
        (9, 2, 6, 2.0, 0.1, 5),
    ]:
        matvec, v, G, A = noisy_problem(seed, n, p)
        keys = jax.random.split(jax.random.key(seed), 3)
        got = f(matvec, v, G, keys, scale, damping, num_steps)
        scores, order = scores_and_order(got, n)
        h, Q = np.linalg.eigh(A + damping * np.eye(p))
        arrived = 1 - (1 - h / scale) ** (num_steps + 1)  # (16.5)
        right = G @ Q @ (arrived / h * (Q.T @ v)) / n
        says = (
            f"Wrong for {n} points, scale {scale}, damping {damping} and {num_steps} steps: n is "
            "len(G)."
        )
        expect(scores, right, says, rtol=1e-5)
        expect(order, np.argsort(right), "Not from the most harmful to the most helpful.")


# --- 16.3 · One step of LiSSA ---------------------------------------------------------------------


@case("16.3")
def one_step_by_hand(f):
    y, v, Hy = np.array([2.0, -2.0]), np.array([3.0, 1.0]), np.array([4.0, 0.0])
    slips = {
        "The damping has no effect.": v + y - Hy / 4,
        "Too much damping, by the scale: what does the bracket of (16.4) hold?": v - y - Hy / 4,
        "The sign of the damping.": v + y - (Hy - 2 * y) / 4,
        "The damping is divided by the scale twice; once is enough.": v + y - (Hy + y / 2) / 4,
        "The damping multiplies y.": v + y - (Hy + 2 * v) / 4,
        "The bracket is divided by the scale.": v + y - (Hy + 2 * y),
        "The sign: the product is subtracted.": v + y + (Hy + 2 * y) / 4,
        "In each step v is added anew.": y - (Hy + 2 * y) / 4,
        "From step to step y stays, less its product.": v - (Hy + 2 * y) / 4,
        "Too much is divided: v and y are not divided by the scale.": (v - y - Hy) / 4,
        "Too much is divided: y is not divided by the scale.": v - (y + Hy) / 4,
        "Too much is divided: v is not divided by the scale.": y + (v - Hy - 2 * y) / 4,
    }
    says = "For y = 2, -2, v = 3, 1, Hy = 4, 0, scale 4 and damping 2 the next y is 3, 0."
    got = f(jnp.asarray(y), jnp.asarray(v), jnp.asarray(Hy), 4.0, 2.0)
    expect(got, [3.0, 0.0], says, slips, form="A step returns an array like y.")


def at_rest(f, A, v, scale, damping, num_steps):
    """Where the recursion ends when every batch has the matrix A; v: (p,) or (p, T)."""
    A, v = jnp.asarray(A), jnp.asarray(v)
    y = v
    for _ in range(num_steps):
        y = jnp.asarray(f(y, v, A @ y, scale, damping))
    return y / scale


@case("16.3")
def steps_end_at_the_damped_solution(f):
    A = np.array([[0.9, 0.2], [0.2, 0.4]])
    v = np.array([[1.0, 0.0, 2.0], [-1.0, 3.0, 0.5]])
    got = at_rest(f, A, v, 4.0, 0.1, 250)
    says = "At rest y / scale should solve (H + damping I) u = v; for three v at once it does not."
    right = np.linalg.solve(A + 0.1 * np.eye(2), v)
    expect(got, right, says, form="A step returns an array like y.", rtol=1e-4)


@case("16.3", hidden=True)
def steps_end_there_for_every_scale(f):
    draw = np.random.default_rng(16)
    for scale, damping in [(2.0, 0.0), (7.0, 0.3), (25.0, 0.05)]:
        R = draw.normal(size=(4, 4))
        A, v = R @ R.T, draw.normal(size=4)
        A = A / np.linalg.norm(A, 2) + np.eye(4)
        right = np.linalg.solve(A + damping * np.eye(4), v)
        says = f"Wrong for scale {scale} and damping {damping}: one line holds for every scale."
        expect(at_rest(f, A, v, scale, damping, 450), right, says, rtol=1e-4)


# --- 16.4 · Choose scale and depth ----------------------------------------------------------------


def fault_of(scale, depth, curvatures, lowest, tol):
    """What is wrong with a scale and a depth; empty if nothing is."""
    largest = np.max(curvatures)
    if not scale >= largest / 2:
        return (
            f"With scale {scale:.4g} a batch of curvature {largest:.4g} expands: the largest "
            "curvature that was sampled decides."
        )
    if not scale <= 1.5 * largest * (1 + 1e-6):
        return (
            f"A scale of {scale:.4g} is safe, but {2 * scale / largest:.3g} times as large as it "
            "must be; the text allows a factor 3."
        )
    if depth % 1 != 0:
        return f"A depth is a whole number of steps; this is {depth:.4g}."
    if depth < 1:
        return "The depth is at least 1."
    left = lambda exponent: np.abs(1 - lowest / scale) ** exponent
    exponent = f"With scale {scale:.4g} and depth {depth:.0f}: which exponent has (16.5)?"
    # At a tie, as 0.5³ = 0.125, rounding decides between two depths: both are accepted.
    if left(depth + 1) > tol * (1 + 1e-9):
        return f"{left(depth + 1):.4g} of the slowest is missing, more than {tol:.4g}. {exponent}"
    if depth > 1 and left(depth) <= tol * (1 - 1e-9):
        return f"Fewer steps are enough. {exponent}"
    return ""


def judge(got, *given):
    pair = "A pair is wanted: the scale, and the depth."
    try:
        scale, depth = map(float, got)
    except (TypeError, ValueError):
        expect(got, (1.0, 1.0), pair, form=pair)
        raise
    expect(got, (scale, depth), pair, form=pair)  # two real numbers, and no text
    fault = fault_of(scale, depth, *given)
    swapped = fault and not fault_of(depth, scale, *given)
    assert not fault, "The scale comes first, then the depth." if swapped else fault


@case("16.4")
def scale_and_depth_by_hand(f):
    given = np.array([1.0, 8.0, 2.0]), 1.0, 0.5
    judge(f(*given), *given)


@case("16.4")
def scale_is_safe_and_depth_the_smallest(f):
    for curvatures, lowest, tol in [
        ([0.5, 3.0, 8.0, 1.0], 0.01, 0.1),
        ([8.0, 2.0], 0.01, 0.1),
        ([2], 0.5, 1e-3),
    ]:
        given = np.array(curvatures), lowest, tol
        judge(f(*given), *given)


@case("16.4")
def one_step_is_the_least(f):
    given = np.array([1.0]), 0.3, 0.9
    judge(f(*given), *given)


@case("16.4", hidden=True)
def scale_of_many_batches(f):
    draw = np.random.default_rng(3)
    for _ in range(20):
        curvatures = np.exp(1.5 * draw.normal(size=30))  # a few are much larger than the rest
        given = curvatures, draw.uniform(0.001, 0.05), draw.uniform(0.001, 0.3)
        judge(f(*given), *given)
