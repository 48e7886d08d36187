"""Exercises of notebook 3: Taylor approximations."""

import jax
import jax.numpy as jnp
import numpy as np

from course_utils.exercises import called, case, expect

MEANT = {  # words of an error: what is wanted instead
    "Expected a callable": "To be differentiated is a function, not the value it gives.",
    "must be tuples or lists": (
        "jax.jvp wants the point and the direction each in a tuple, with one entry for each "
        "argument of the function."
    ),
    "missing .* 'tangents'": (
        "jax.jvp wants three things: a function, a tuple of points and a tuple of directions."
    ),
    "'tuple' object is not callable": (
        "jax.vjp and jax.linearize return a pair, the value and a function; take out the function."
    ),
    "scalar-output": "jax.grad is for functions that give one number; a gradient is not one.",
    "takes 1 positional argument": "That function has one argument; is v given as a second one?",
    "v must match params": (
        "curvature.hvp wants a point and a direction, both like z; jax.jvp returns a pair."
    ),
    "unexpected tree structure": (
        "The function that jax.vjp returned wants one thing, like z, without a tuple around it."
    ),
    "invalid PRNG key": "What jax.random draws is drawn from a key, its first argument.",
    "for @: .*'(function|VJP|Partial)'": "@ multiplies arrays, and one of these is a function.",
}


def tried(f, *args, **kwargs):
    """What ``f`` gives; where it stops with an error in ``MEANT``, that is said, too."""
    return called(f, *args, advice=MEANT, **kwargs)


def program(product, size):
    """What ``product(w, w)`` computes for ``size`` weights: the text of the traced program."""
    try:
        return str(jax.make_jaxpr(lambda w: product(w, w))(jnp.ones(size)))
    except jax.errors.JAXTypeError as error:
        raise AssertionError(
            "Inside jax.jit it stops. There no number is known yet: no function of NumPy, no "
            "float(...), and no `if` that looks at a number."
        ) from error


# --- 3.1 · The Hessian times a vector -------------------------------------------------------------


@case("3.1")
def product_by_hand(f):
    cubic = lambda w: w[0] ** 3 + 2 * w[0] * w[1]  # gradient (7, 2), H = [[6, 2], [2, 0]]
    got = tried(f, cubic, jnp.array([1.0, 2.0]), jnp.array([3.0, -1.0]))
    right = np.array([16.0, 6.0])
    slips = {
        "jvp returns a pair, the value and the derivative; which is H v?": [[7, 2], right],
        "vjp's function returns a tuple, one entry for each argument.": [right],
        "That is the gradient. Its derivative along v is wanted.": [7, 2],
        "That is the gradient at v. H is taken at params.": [25, 6],
        "That is the gradient times v, entry by entry.": [21, -2],
        "That is the slope along v, one number. What changes along v is the gradient.": 19,
        "That is f and its slope along v. What changes along v is the gradient.": [5, 19],
        "That is v . H v. H v alone is wanted.": 42,
        "That is H. Its product with v is wanted.": [[6, 2], [2, 0]],
        "Only the diagonal of H: the two weights are coupled.": [18, 0],
        "Are params and v swapped?": [22, 2],
        "The sign is wrong.": -right,
        "v should be used as it came, at full length.": right / np.sqrt(10),
    }
    says = "For w0^3 + 2 w0 w1 at (1, 2) and v = (3, -1) the answer is (16, 6)."
    expect(got, right, says, slips, form="H v is like the weights, shape (2,) here.", rtol=1e-4)


@case("3.1")
def product_is_exact(f):
    w = jnp.array([0.3, 1.2, -2.0])
    got, right = f(lambda w: 1e3 * jnp.sum(jnp.sin(w)), w, jnp.ones(3)), -1e3 * np.sin(w)
    expect(got, right, "Wrong for a sum of sines, where H is diagonal.", rtol=1e-3)
    says = "Right to a few digits only: is it a difference quotient, or computed in 32 bits?"
    expect(got, right, says, rtol=1e-12)


@case("3.1")
def product_of_trees(f):
    w = {"a": jnp.array([1.0, 2.0]), "b": [jnp.array(3.0)]}
    v = {"a": jnp.array([1.0, 1.0]), "b": [jnp.array(2.0)]}
    try:
        got = f(lambda w: w["b"][0] * jnp.sum(w["a"] ** 2), w, v)
    except (TypeError, AttributeError) as error:
        raise AssertionError(
            "params and v may be dictionaries or lists, which have no @ and no arithmetic. What "
            "in JAX takes a pytree as it is?"
        ) from error
    right = {"a": np.array([10.0, 14.0]), "b": [6.0]}
    slips = {"H also has entries between the leaves a and b.": {"a": [6, 6], "b": [0.0]}}
    says = "Wrong for b (a0^2 + a1^2), with a and b in a dictionary."
    expect(got, right, says, slips, form="params was a dictionary; the result should be like it.")


@case("3.1")
def product_without_a_matrix(f):
    calls = []

    def cost(w):
        calls.append(w)
        return jnp.sum(jnp.cosh(w)) + jnp.sum(w[1:] * w[:-1])

    text = program(lambda w, v: f(cost, w, v), 40)
    assert "[40,40]" not in text, (
        "For P = 40 weights the program has an array of shape (P, P). H v can be had without H."
    )
    assert len(calls) < 10, (
        f"For 40 weights f is differentiated {len(calls)} times: is that once for each column of H?"
    )


@case("3.1", hidden=True)
def product_with_five_weights(f):
    draw = np.random.default_rng(31)
    M = draw.normal(size=(5, 5))
    w, v = jnp.asarray(draw.normal(size=(2, 5)))
    cost = lambda w: 0.5 * w @ M @ w + jnp.sum(jnp.cosh(w))
    right = (M + M.T) @ v / 2 + np.cosh(w) * v
    expect(f(cost, w, v), right, "Wrong for five weights.", rtol=1e-9)
    zero = jnp.zeros(5)
    expect(f(cost, w, zero), zero, "For v = 0 the answer is 0: is something divided by v's length?")


@case("3.1", hidden=True)
def product_of_deeper_trees(f):
    draw = np.random.default_rng(13)
    p, q, s, t = jnp.asarray(draw.normal(size=(4, 3)))
    coupled = lambda w: jnp.sum(w["p"] ** 2 * w["q"][0]["r"])
    got = f(coupled, {"p": p, "q": ({"r": q}, jnp.ones(2))}, {"p": s, "q": ({"r": t}, jnp.ones(2))})
    right = {"p": 2 * q * s + 2 * p * t, "q": ({"r": 2 * p * s}, np.zeros(2))}
    expect(got, right, "Wrong for a dictionary in a tuple in a dictionary.")


# --- 3.2 · The Gauss-Newton matrix times a vector -------------------------------------------------


@case("3.2")
def one_weight_by_hand(f):
    loss = lambda z: jnp.sum((z - 3) ** 2) / 2
    w, v = jnp.array([1.0]), jnp.array([3.0])
    got = tried(f, lambda w: w**2, loss, w, v)  # f' = 2, H_z = 1
    assert not isinstance(got, tuple), "vjp's function returns a tuple with one entry; take it out."
    slips = {
        "0 is the Hessian, which includes how the model itself bends. G does not.": [0],
        "48 has the slope of the loss, squared, in the middle. Its curvature belongs there.": [48],
        "-24 has the slope of the loss in the middle. Its curvature belongs there.": [-24],
        "-4 is the gradient: the slope of the loss, pulled back.": [-4],
        "6 has one f' instead of two, one on each side of H_z.": [6],
        "6 has one f' instead of two; and is it pulled back to the weights?": 6,
        "4 is G. Its product with v is wanted.": [4],
        "36 is v . G v. G v alone is wanted.": 36,
        "2 has 1 in the place of f' v: is v forgotten, or are z and f' v exchanged?": [2],
        "-12 is the residual part of (3.7), or G with the wrong sign.": [-12],
    }
    slips = {f"In the text's example, {hint}": slip for hint, slip in slips.items()}
    says = "For w^2 and (z - 3)^2 / 2 at w = 1 with v = 3 the answer is 12."
    expect(got, [12.0], says, slips, form="G v is like params, shape (1,) here.")


@case("3.2")
def bent_loss(f):
    quartic = lambda z: jnp.sum(z**4) / 12  # H_z = z^2 = 81, at f' v = 12
    got = f(lambda w: w**2, quartic, jnp.array([3.0]), jnp.array([2.0]))
    slips = {
        "72 is f'^T f' v. Between them stands H_z, which is z^2 here.": [72],
        "648 has H_z at the weights; it belongs at the outputs, z = 9.": [648],
        "4374 is H_z times z; H_z should multiply f' v, which is 12.": [4374],
        "7776 has z and f' v the wrong way round.": [7776],
        "10368 has H_z at f' v; it belongs at the outputs, z = 9.": [10368],
        "17496 is pulled back at the outputs; f' belongs at the weights, w = 3.": [17496],
    }
    given = "For predict = w^2 and loss = z^4 / 12 at w = 3 with v = 2"
    slips = {f"{given}: {hint}": slip for hint, slip in slips.items()}
    says = f"{given} the answer is 5832."
    expect(got, [5832.0], says, slips)


@case("3.2")
def coupled_outputs(f):
    x, W = np.array([1.0, -2.0]), np.array([[0.1, 0.2, 0.3], [0.0, 0.5, 0.0]])
    V, c = np.array([[1.0, 3.0, 1.0], [1.0, 1.0, 1.0]]), np.arange(3.0)
    predict = lambda w: x @ w["layer"][0] + w["layer"][1]
    loss = lambda z: jnp.sum(z) ** 3 / 6  # every entry of H_z is sum(z)
    trees = [{"layer": [jnp.asarray(A), jnp.asarray(b)]} for A, b in [(W, np.zeros(3)), (V, c)]]
    try:
        got = f(predict, loss, *trees)
    except (TypeError, AttributeError) as error:
        assert "same tree structure" not in str(error), (
            "jax.jvp multiplies by f', and takes a direction like params. On the way back f' is "
            "transposed."
        )
        raise AssertionError(
            "params and v may be dictionaries or lists, which have no @ and no arithmetic. "
            f"({error})"
        ) from error
    z, dz = x @ W, x @ V + c
    right = lambda bent: {"layer": [np.outer(x, bent), bent]}
    slips = {
        "H_z couples the outputs: its product with f' v is not taken entry by entry.": (
            right(z.sum() * 3 * dz)
        ),
        "H_z has entries beside its diagonal, between the outputs.": right(z.sum() * dz),
        "Nothing is divided by the number of outputs.": right(np.full(3, z.sum() * dz.sum() / 3)),
    }
    says = "With three coupled outputs G v is off. Is the loss's curvature taken in all of them?"
    form = "params was a dictionary; the result should be like it."
    expect(got, right(np.full(3, z.sum() * dz.sum())), says, slips, form=form)


@case("3.2")
def outputs_of_two_axes(f):
    x, v = np.array([[1.0, 2.0], [0.0, 1.0]]), np.arange(6.0)
    predict = lambda w: x @ w.reshape(2, 3)  # z has shape (2, 3)
    loss = lambda z: jnp.sum(z[0] * z[1]) + jnp.sum(z**2)
    any_shape = "z may have any shape, (2, 3) here: use a product with H_z, not the matrix."
    try:
        got = f(predict, loss, jnp.ones(6), jnp.asarray(v))
    except (TypeError, ValueError) as error:
        raise AssertionError(f"{any_shape} ({error})") from error
    dz = x @ v.reshape(2, 3)
    right = (x.T @ (2 * dz + dz[::-1])).ravel()
    divided = "Nothing is divided by the number of outputs, or of their rows."
    slips = {f"{divided} ({n})": right / n for n in (2, 3, 6)}
    expect(got, right, f"With outputs of shape (2, 3) the product is off. {any_shape}", slips)


@case("3.2")
def gauss_newton_without_a_matrix(f):
    predict = lambda w: jnp.sin(w[:20]) * w[10:]  # 30 weights, 20 outputs
    loss = lambda z: jnp.sum(z[1:] * z[:-1]) + jnp.sum(jnp.cosh(z))
    text = program(lambda w, v: f(predict, loss, w, v), 30)
    for name, shape in {"G": (30, 30), "H_z": (20, 20), "f'": (20, 30), "f'^T": (30, 20)}.items():
        assert f"[{shape[0]},{shape[1]}]" not in text, (
            f"For 30 weights and 20 outputs the program has an array of shape {shape}. Is {name} "
            "written out? Its product with a vector will do."
        )


@case("3.2", hidden=True)
def six_outputs_of_tanh(f):
    draw = np.random.default_rng(34)
    x, w, v = (draw.normal(size=shape) for shape in [(6, 4), 8, 8])
    predict = lambda w: jnp.tanh(x @ w.reshape(4, 2))  # (6, 2)
    loss = lambda z: jnp.mean(jax.nn.logsumexp(z, axis=1) - z[:, 0])
    z = np.tanh(x @ w.reshape(4, 2))  # by hand, in NumPy
    dz = (1 - z**2) * (x @ v.reshape(4, 2))
    pi = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
    bent = (pi * dz - pi * np.sum(pi * dz, 1, keepdims=True)) / 6
    right = (x.T @ ((1 - z**2) * bent)).ravel()
    got = f(predict, loss, jnp.asarray(w), jnp.asarray(v))
    expect(got, right, "Wrong for six digits with two tanh outputs each and a softmax.")


@case("3.2", hidden=True)
def one_output_and_a_weight_without_effect(f):
    predict = lambda w: jnp.sum(w[0]["a"] ** 2)  # z has shape (); w[1] does nothing
    params = [{"a": jnp.array([1.0, 2.0])}, jnp.array(5.0)]
    ask = lambda a, b: f(predict, jnp.exp, params, [{"a": jnp.asarray(a)}, jnp.asarray(b)])
    right = [{"a": 12 * np.exp(5) * np.array([1.0, 2.0])}, 0.0]  # f' v = 6
    expect(ask([1.0, 1.0], 1.0), right, "Wrong for a model with one output, z of shape ().")
    says = "Along a weight without effect f' v and G v are 0. Is something divided by a length?"
    expect(ask([0.0, 0.0], 1.0), [{"a": np.zeros(2)}, 0.0], says)


# --- 3.3 · Power iteration ------------------------------------------------------------------------

PAIR = "A pair is wanted, in this order: the value, one number, and the vector, shape (P,)."


def after(A, v, k):
    """Rayleigh quotient and unit vector after k products, by the power of the matrix."""
    v = np.linalg.matrix_power(A, k) @ v
    v = v / np.linalg.norm(v)
    return v @ A @ v, v


@case("3.3")
def one_step_by_hand(f):
    got = tried(f, lambda v: jnp.array([2.0, 1.0]) * v, jnp.array([1.0, 1.0]), 1)
    value, v = 1.8, np.array([2.0, 1.0]) / np.sqrt(5)
    start, next_v = np.ones(2), np.array([4.0, 1.0]) / np.sqrt(17)
    lost, keeps = "A length has lost the sign of the eigenvalue", "The Rayleigh quotient keeps it."
    slips = {
        "The vector should come second: value, vector.": (v, value),
        "This belongs to the start: is there one product too few?": (1.5, start / np.sqrt(2)),
        "This is the start as it came: one product too few.": (3, start),
        "The value belongs to the vector before this one.": (1.5, v),
        "The value belongs to the vector before this one, at its full length.": (3, v),
        "This belongs to two steps: is there a product too many?": (33 / 17, next_v),
        "The value belongs to the vector after this one.": (33 / 17, v),
        "The vector is one product further than its value.": (1.8, next_v),
        f"{lost}, and it is the length of the product before. {keeps}": (np.sqrt(5), v),
        f"{lost}. {keeps}": (np.sqrt(17 / 5), v),
        "Shorten the vector to length 1 before its value is taken.": (9, [2, 1]),
        "Shorten the vector before its value is taken, too.": (9, v),
        "The vector should have length 1 after the last product, too.": (4.5, v * np.sqrt(2.5)),
        "Length 1 is the root of the sum of squares, not the largest entry.": (value, [1, 0.5]),
        "Length 1 is the root of the sum of squares, not the sum.": (value, [2 / 3, 1 / 3]),
    }
    says = "For diag(2, 1), the start (1, 1) and one step the answer is 1.8 and (2, 1) / sqrt(5)."
    expect(got, (value, v), says, slips, form=PAIR)


@case("3.3")
def signs_are_kept(f):
    A, start = np.diag([1.0, 2.0, -3.0]), np.ones(3)
    value, v = after(A, start, 3)
    slips = {
        "That is after one step of three. Is `return` inside the loop?": after(A, start, 1),
        "The value has lost its sign: is it a length?": (np.linalg.norm(A @ v), v),
        "The value has lost its sign.": (-value, v),
        "The vector should keep the signs of its entries.": (value, np.abs(v)),
        "The vector has the opposite sign.": (value, -v),
    }
    says = "Wrong for diag(1, 2, -3), where three steps lead from (1, 1, 1) along (1, 8, -27)."
    expect(f(lambda v: A @ v, jnp.asarray(start), 3), (value, v), says, slips, form=PAIR)


@case("3.3")
def whole_matrix(f):
    A, start = np.array([[2.0, -1.0], [-1.0, 2.0]]), np.array([3.0, 4.0])
    given = start.copy()
    got = f(lambda v: A @ v, given, 2)
    says = "Wrong for [[2, -1], [-1, 2]], where two steps lead from (3, 4) along (-1, 8)."
    expect(got, after(A, start, 2), says, form=PAIR)
    assert np.array_equal(given, start), (
        "The start itself has been changed: v /= ... works in place on a NumPy array."
    )


@case("3.3")
def sizes_far_from_one(f):
    A, start = np.diag([2.0, 1.0]), np.ones(2)
    value, v = after(A, start, 6)
    for size in 1e60, 1e-60:
        got_value, got_v = f(lambda v: size * A @ v, start, 6)
        says = f"Six products with a matrix of size {size:.0e} leave the range of floating point, "
        expect((got_value / size, got_v), (value, v), says + "unless each step shortens.")


@case("3.3", hidden=True)
def random_matrices(f):
    draw = np.random.default_rng(32)
    for P, k in [(6, 1), (6, 7), (3, 2), (1, 3)]:
        A, start = draw.normal(size=(P, P)), draw.normal(size=P)
        h, Q = np.linalg.eigh(A + A.T)
        v = Q @ (h**k * (Q.T @ start))  # (3.4)
        v = v / np.linalg.norm(v)
        right = np.sum(h * (Q.T @ v) ** 2), v
        got = f(lambda v: (A + A.T) @ v, start.copy(), k)
        expect(got, right, f"Wrong for {k} steps with a matrix of {P} rows.", form=PAIR)


@case("3.3", hidden=True)
def slow_progress(f):
    A, start = np.diag([1.0, 1 - 4e-6]), np.ones(2)
    says = "For curvatures 1 and 1 - 4e-6: does the loop stop before num_steps steps are done?"
    expect(f(lambda v: A @ v, start, 100), after(A, start, 100), says)


# --- 3.4 · A trace without a diagonal -------------------------------------------------------------


def sampled(f, matrix, num_samples, seed):
    """The two numbers that ``f`` gives for a matrix; products look at what they are given."""
    dim = len(matrix)

    def matvec(u):
        assert np.shape(u) == (dim,), (
            f"matvec takes one vector, shape ({dim},), and got {np.shape(u)}."
        )
        assert isinstance(u, jax.core.Tracer) or np.allclose(np.square(u), 1.0), (
            "matvec should get the signs themselves, +1 and -1."
        )
        return matrix @ u

    got = tried(f, matvec, dim, num_samples, key=jax.random.key(seed))
    form = "A pair is wanted: the estimate, and its standard error."
    got = got if isinstance(got, (tuple, list)) else np.atleast_1d(got)
    assert len(got) == 2, form
    for number in got:
        expect(0 * number, 0.0, "Both numbers should be finite.", form=form)
    return tuple(map(float, got))


SLIPS = {  # what is returned in place of the mean t of m samples and its standard error e
    "The estimate comes first, then the standard error.": lambda t, e, m: (e, t),
    "That is the sum of the samples; the trace is their mean.": lambda t, e, m: (t * m, e),
    "The estimate is divided by dim; the mean is over samples.": lambda t, e, m: (t / 2, e),
    "Both are divided by dim. The mean is over samples, and u has entries +1 and -1.": (
        lambda t, e, m: (t / 2, e / 2)
    ),
    "That is the spread of one sample; a mean of m samples spreads less.": (
        lambda t, e, m: (t, e * m**0.5)
    ),
    "That is the spread of one sample, and without ddof=1.": (
        lambda t, e, m: (t, e * (m - 1) ** 0.5)
    ),
    "That is a variance: the standard error is its square root.": lambda t, e, m: (t, e**2),
    "The spread is divided by m; 1/m belongs to the variance.": lambda t, e, m: (t, e / m**0.5),
    "Without ddof=1 a few samples seem to spread less than they do.": (
        lambda t, e, m: (t, e * (1 - 1 / m) ** 0.5)
    ),
    "m - 1 is for the spread, which ddof=1 sees to. After that it is sqrt(m).": (
        lambda t, e, m: (t, e / (1 - 1 / m) ** 0.5)
    ),
}


def expect_of_two(got, low, high, m, example=""):
    """Assert what holds for ``m`` samples each of which is ``low`` or ``high``."""
    means = low + (high - low) * np.arange(m + 1) / m
    errors = np.sqrt((high - means) * (means - low) / (m - 1))

    def nearest(of):
        pairs = [of(t, e, m) for t, e in zip(means, errors)]
        return min(pairs, key=lambda pair: np.sum(np.abs(np.subtract(got, pair))))

    says = (
        f"Each sample should be {low:g} or {high:g}, if every entry of u is +1 or -1; no {m} such "
        f"numbers have this mean and standard error. {example}"
    )
    right = nearest(lambda t, e, m: (t, e))
    expect(got, right, says.strip(), {hint: nearest(of) for hint, of in SLIPS.items()})


@case("3.4")
def four_samples(f):
    coupled = np.array([[3.0, 1.0], [1.0, 4.0]])  # trace 7, samples 9 and 5
    for seed in 0, 1:
        got = sampled(f, coupled, 4, seed)
        expect_of_two(got, 5, 9, 4, "For 9, 9, 5, 9 they are 8 and 1.")


@case("3.4")
def diagonal(f):
    says = "For diag(3, 4) every sample is 7, if all entries of u are +1 or -1: (7, 0)."
    expect(sampled(f, np.diag([3.0, 4.0]), 4, 1), (7.0, 0.0), says)


@case("3.4")
def signs_are_drawn_from_the_key(f):
    A = np.random.default_rng(3).normal(size=(5, 5))
    got = sampled(f, A + A.T, 16, 0)
    assert got[1] > 1e-9, (
        "With five rows all 16 samples are the same. Does each sample have signs of its own, and "
        "each entry too?"
    )
    assert sampled(f, A + A.T, 16, 0) == got, "The same key should give the same estimate."
    assert sampled(f, A + A.T, 16, 1) != got, (
        "Two keys gave one estimate. Are the signs drawn from `key`?"
    )


@case("3.4")
def two_samples_differ(f):
    A = np.random.default_rng(30).normal(size=(30, 30))
    assert sampled(f, A + A.T, 2, 0)[1] > 1e-9, (
        "With 30 rows two samples are the same. Is each entry of each sample drawn for itself? If "
        "half of the samples repeat the others: u and -u give the same number."
    )


@case("3.4", hidden=True)
def every_pair_of_entries(f):
    for i, j in [(0, 1), (0, 2), (1, 2)]:
        matrix = np.diag([1.0, 2.0, 3.0])
        matrix[i, j] = matrix[j, i] = 0.5
        got = sampled(f, matrix, 16, 3)
        assert 5 < got[0] < 7, "Is each entry of u a sign drawn for itself?"
        expect_of_two(got, 5, 7, 16)


@case("3.4", hidden=True)
def twelve_rows(f):
    C = np.random.default_rng(33).uniform(size=(12, 12))
    C = C @ C.T  # no entry is negative, so a common sign would add up
    exact = np.sqrt(2 * (np.sum(C**2) - np.sum(np.diag(C) ** 2)) / 200)  # (3.9)
    for seed in 5, 6:
        estimate, error = sampled(f, C, 200, seed)
        assert abs(estimate - np.trace(C)) < 5 * exact, (
            "With 12 rows the estimate is too far off. Is each entry drawn for itself, with both "
            "signs equally likely?"
        )
        assert 0.6 < error / exact < 1.7, (
            "With 12 rows (3.9) has another standard error. Is every sign drawn for itself?"
        )


@case("3.4", hidden=True)
def one_row(f):
    says = "Wrong for a matrix of one row, [[-2]], and two samples."
    expect(sampled(f, np.array([[-2.0]]), 2, 4), (-2.0, 0.0), says)
