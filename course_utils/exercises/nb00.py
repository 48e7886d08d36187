"""Exercises of notebook 0: JAX."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from course_utils.exercises import called, case, expect, expect_all_digits

# --- 0.1 · A dot product of trees -----------------------------------------------------------------


ADD_UP = "Add up within each leaf, and then over the leaves."
NO_METHODS = "A plain number is a leaf, too, and has no methods: functions of jnp take both."
TREES = {
    r"for \*: 'dict'": "Trees cannot be multiplied; their leaves can.",
    "requires ndarray or scalar": "Functions of jnp take leaves, not trees.",
    r"for \+: 'int' and 'str'": "sum of a dict goes through its keys: take its leaves.",
    "'int' object has no": NO_METHODS,
    "'float' object has no": NO_METHODS,
}


def dot(f, x, y):
    return called(f, x, y, advice=TREES)


@case("0.1")
def dot_of_two_leaves_by_hand(f):
    x = {"a": jnp.array([1.0, 2.0]), "b": jnp.array([3.0, 4.0])}
    y = {"b": jnp.array([1e3, 1e4]), "a": jnp.array([10.0, 100.0])}
    slips = {
        "One number is wanted, not one for each leaf: add these up.": [210, 43000],
        "A tree of numbers, one for each leaf: add these up.": {"a": 210, "b": 43000},
        "Add up within each leaf, too.": [3010, 40200],
        "This is x with itself. Where is y?": 30,
        "This is y with itself. Where is x?": 101010100,
        "Only the leaf a was counted.": 210,
        "Only the leaf b was counted.": 43000,
        "Leaf a met leaf b: match leaves by name, not by place.": 21430,
        "The sign: nothing is subtracted.": -43210,
        "Half of it: sum each leaf, no mean, and no 1/2 in front.": 43210 / 2,
        "The sum, not the mean.": 43210 / 4,
        "First multiply entry by entry, then add up: this is a product of sums.": 10 * 11110,
        "First multiply entry by entry: these are products of each leaf's sums.": 3 * 110
        + 7 * 11e3,
        "No square root: a dot product, not a length.": 43210**0.5,
    }
    says = "For x with a = 1, 2 and b = 3, 4 and y with a = 10, 100 and b = 1e3, 1e4: 43210."
    expect_all_digits(dot(f, x, y), 43210, says, slips, form=ADD_UP)


@case("0.1")
def dot_of_matrices_and_numbers(f):
    x, y = np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([[1, 10], [100, 1000]])
    by_entry = "Entry by entry, 1*1 + 2*10 + ...; @ and dot multiply rows by columns"
    slips = {
        f"{by_entry}.": x @ y,
        f"{by_entry}, also where all is added up after.": (x @ y).sum(),
        f"{by_entry}; this is a trace.": (x @ y).trace(),
        "One number for a matrix, too: add up over rows and columns.": [301, 4020],
        "One number for a matrix, too: this is one for each row.": [21, 4300],
    }
    says = "For x = [[[1, 2], [3, 4]]] and y = [[[1, 10], [100, 1000]]] it is 4321."
    expect_all_digits(dot(f, [x], [y]), 4321, says, slips, form=ADD_UP)
    says = "For x = [2, (jnp.array(3.0),)] and y = [10, (jnp.array(100.0),)] it is 320."
    got = dot(f, [2, (jnp.array(3.0),)], [10, (jnp.array(100.0),)])
    expect_all_digits(got, 320, says, {"A plain number is a leaf, too.": 300}, form=ADD_UP)


@case("0.1")
def dot_in_any_structure_and_with_its_sign(f):
    x = ([-0.3 * jnp.ones(2), {"c": (2.0, 0.7 * jnp.ones((2, 1, 2)))}], -1.1)
    right = 1.62 - 0.8 - 4.76 + 3.85  # leaf by leaf: -0.09
    slips = {
        "Products keep their signs: no abs.": 1.62 + 0.8 + 4.76 + 3.85,
        "The sum is negative here: no abs.": -right,
    }
    says = "A tree of lists, dicts and tuples: jax.tree finds the leaves of any nest."
    y = jax.tree.map(lambda leaf: leaf - 2.4, x)
    expect_all_digits(dot(f, x, y), right, says, slips, form=ADD_UP)


@case("0.1", hidden=True)
def dot_of_random_trees(f):
    draw = np.random.default_rng(3)
    nest = lambda a: {"p": [a[0], {"q": (a[1], a[2])}], "o": {"r": a[3]}, "n": -a[4][0]}
    for shapes in [((4,), (), (3, 2), (2, 3, 2), (1,)), ((1, 5), (2, 2), (0,), (7,), (3,))]:
        x, y = ([draw.normal(size=shape) for shape in shapes] for _ in range(2))
        right = x[4][0] * y[4][0] + sum((a * b).sum() for a, b in zip(x[:4], y[:4]))
        says = f"Wrong for another tree, whose leaves have the shapes {shapes[:4]} and ()."
        expect_all_digits(f(nest(x), nest(y)), right, says)
        says = "Wrong for another tree, of arrays of JAX."
        x, y = (nest([jnp.asarray(leaf) for leaf in tree]) for tree in (x, y))
        expect_all_digits(f(x, y), right, says)


@case("0.1", hidden=True)
def dot_of_bare_arrays(f):
    x, y = jnp.array([[1.0, -2.0, 0.5]]), jnp.array([[3.0, 4.0, -6.0]])
    expect_all_digits(f(x, y), -8.0, "An array alone is a tree, too, with one leaf.")


# --- 0.2 · Along one direction --------------------------------------------------------------------


NO_STEP = "A difference with some h, or 32 bits? jax needs no h."
MODES = {
    "only defined for scalar-output": "f may have several outputs, and jax.grad is for one.",
    "argument to VJP function": "A vjp pulls back what has the shape of f(x); v has that of x, and "
    "is to be pushed forward.",
    "jax.jvp must be tuples": "jax.jvp wants two tuples, one of all arguments of f and one of "
    "their directions; here each holds one array.",
    "'tuple' object is not callable": "This calls a pair of results: which part of it is meant?",
}


def rate(g, f, x, v):
    return called(g, f, x, v, advice=MODES)


def operations(f: Callable, *arguments) -> float:
    """Additions and multiplications of ``f``, counted in its program."""
    counted: dict = jax.jit(f).lower(*arguments).cost_analysis() or {}
    return counted["flops"]


@case("0.2")
def rate_of_one_output_by_hand(g):
    slips = {
        "This is f(x) and its rate, two things: which of the two is asked for?": (3, 13),
        "This is f(x) itself, not its derivative.": 3,
        "x and v have changed places.": 16,
        "v keeps its length: it is not made 1.": 13 / 5**0.5,
        "This is the rate along (1, 1): where is v?": 7,
        "The rate along v is one number; these are the partial derivatives.": [6, 1],
        "The rate along v is one number: add up what each coordinate contributes.": [12, 1],
        "The sign: x moves along v, not against it.": -13,
        "Half of it.": 6.5,
        "Twice too large.": 26,
        "A difference with some h, here 1, up: the derivative is wanted.": 33,
        "A difference with some h, here 1, up and down: the derivative is wanted.": 17,
        "This is f(x + v): how fast does f change?": 36,
    }
    says = "For f = x[0]**2 * x[1], x = 1, 3 and v = 2, 1 the answer is 13."
    got = rate(g, lambda x: x[0] ** 2 * x[1], jnp.array([1.0, 3.0]), jnp.array([2.0, 1.0]))
    form = "It has the shape of f(x), here ()."
    expect_all_digits(got, 13, says, slips, form=form, few=NO_STEP, near=1e-2)


@case("0.2")
def rate_of_each_output(g):
    M = jnp.array([[1.0, 2.0], [0.0, 1.0], [5.0, 0.0]])
    x, v = jnp.array([0.1, 0.7]), jnp.array([1.0, 2.0])
    form = "It has the shape of f(x), here (3,)."
    slips = {
        "This is f(x) itself, not its derivative.": M @ x**2,
        "f has three outputs; each has a rate of its own.": 9.6,
        "This is the whole Jacobian: where is v?": 2 * M * x,
    }
    says = "For x = .1, .7 and v = 1, 2 the squares of x change at the rates .2 and 2.8."
    got = rate(g, lambda x: M @ x**2, x, v)
    expect_all_digits(got, [5.8, 2.8, 1.0], says, slips, form=form, few=NO_STEP, near=1e-3)


@case("0.2")
def rate_in_one_pass(g):
    draw = np.random.default_rng(64)
    first, last = draw.normal(size=(64, 64)) / 8, draw.normal(size=(8, 64)) / 8
    f = lambda x: last @ jnp.tanh(first @ x)
    x, v = jnp.asarray(draw.normal(size=(2, 64)))
    right = last @ ((1 - jnp.tanh(first @ x) ** 2) * (first @ v))
    got = rate(g, f, x, v)  # rounding leaves a central difference about ten digits
    expect_all_digits(got, right, "Wrong for a network of 64 inputs.", few=NO_STEP, rtol=1e-11)
    try:
        passes = operations(lambda x, v: g(f, x, v), x, v) / operations(f, x)
    except jax.errors.JAXTypeError:
        raise AssertionError(
            "It should work inside jax.jit, too: neither NumPy nor float() can take what is traced."
        ) from None
    assert passes < 6, (
        f"Right, for the price of {passes:.0f} evaluations of f: never make the Jacobian, push v "
        "through once."
    )


@case("0.2")
def rate_has_the_shape_of_the_output(g):
    x, v = jnp.array([[1.0, 0.0, 2.0], [0.0, 1.0, 1.0]]), jnp.array([[0.0, 1.0, 0.0]] * 2)
    says = "Wrong for f = x @ x.T, with x and v of shape (2, 3)."
    form = "It has the shape of f(x), here (2, 2)."
    got = rate(g, lambda x: x @ x.T, x, v)
    expect_all_digits(got, [[0.0, 1.0], [1.0, 2.0]], says, form=form)


@case("0.2", hidden=True)
def rate_for_random_inputs(g):
    draw = np.random.default_rng(4)
    for shape in [(5,), (5, 2), (5, 2, 3)]:
        M, x, v = (draw.normal(size=size) for size in [(3, 5), shape, shape])
        right = np.cos(np.tensordot(M, x, 1)) * np.tensordot(M, v, 1)
        got = g(lambda x: jnp.sin(jnp.tensordot(M, x, 1)), jnp.asarray(x), jnp.asarray(v))
        says = f"Wrong for the sine of a matrix times x, with x and v of shape {shape}."
        expect_all_digits(got, right, says, few=NO_STEP)


@case("0.2", hidden=True)
def rate_of_a_function_with_a_kink(g):
    x, v = jnp.array([-1.5, 2.0, -0.5]), jnp.array([4.0, 1.0, -2.0])
    says = "Wrong for f = abs(x), whose slope is -1 or 1."
    expect_all_digits(g(jnp.abs, x, v), [-4.0, 1.0, 2.0], says, few=NO_STEP)
    says = "Along v = 0 nothing changes."
    expect_all_digits(g(jnp.abs, x, 0 * v), [0.0, 0.0, 0.0], says, few=NO_STEP)


# --- 0.3 · One gradient per example ---------------------------------------------------------------


LIKE_PARAMS = "One tree like params, each leaf with a new axis of length N in front."
NOT_MAPPED = "params is the same for all examples, without an axis of them: what does in_axes say?"
BATCH = {
    "only defined for scalar-output": "jax.grad wants one number, the loss of one example; here it "
    "is given many losses. The gradient first, then the batch.",
    "its rank should be at least 1": NOT_MAPPED,
    "inconsistent sizes": NOT_MAPPED,
}


def each(f, loss, params, X, y):
    got = called(f, loss, params, X, y, advice=BATCH)
    assert not callable(got), "This is a function: call it on params, X and y."
    return got


@case("0.3")
def gradients_of_two_squares_by_hand(f):
    loss = lambda p, x, y: (p["w"] * x - y) ** 2
    X, y = jnp.array([1.0, 3.0]), jnp.array([1.0, 2.0])
    got = each(f, loss, {"w": 2.0}, X, y)
    g = np.array([2.0, 24.0])
    slips = {
        "One gradient for the batch, the mean: one per example is wanted.": g.mean(),
        "One gradient for the batch, the sum: one per example is wanted.": g.sum(),
        "Each row is its own loss's: no 1/N.": g / 2,
        "Each row is its own loss's: no factor N.": 2 * g,
        "The sign: the gradient points uphill.": -g,
        "Reversed: row i belongs to example i.": g[::-1],
        "N times the mean: each example has its own.": 0 * g + g.mean(),
        "N times the sum: each example has its own.": 0 * g + g.sum(),
    }
    slips = {hint: {"w": wrong} for hint, wrong in slips.items()} | {
        "These are the losses, not their gradients.": [1.0, 16.0],
        "By params, the first argument: this is the gradient by x.": [4.0, 16.0],
        "By params, the first argument: this is the gradient by y.": [-2.0, -8.0],
        "One tree like params, not a list of trees: stack them.": [{"w": 2.0}, {"w": 24.0}],
        "Losses and gradients: the gradients alone are wanted.": ([1.0, 16.0], {"w": g}),
    }
    says = "For the loss (w x - y)**2, w = 2, X = 1, 3 and y = 1, 2 the answer is {'w': [2, 24]}."
    expect_all_digits(got, {"w": g}, says, slips, form=LIKE_PARAMS)
    got = each(f, loss, {"w": 2.0}, X[1:], y[1:])
    expect_all_digits(got, {"w": g[1:]}, "Wrong for a single example.", form=LIKE_PARAMS)


@case("0.3")
def gradients_in_any_tree(f):
    p = [{"W": jnp.array([[0.3, -0.7], [1.1, 0.2]])}, (0.5, jnp.zeros(3))]
    X, y = np.arange(12.0).reshape(3, 2, 2) / 10, np.array([0.1, -0.4, 0.9])
    loss = lambda p, x, y: jnp.sin(jnp.sum(p[0]["W"] * x)) * p[1][0] * y + p[1][1] @ p[1][1]
    got = each(f, loss, p, X, y)
    z = jnp.sum(p[0]["W"] * X, axis=(1, 2))
    by_W = (0.5 * y * jnp.cos(z))[:, None, None] * X
    right = [by_W, y * jnp.sin(z), np.zeros((3, 3))]
    assert jax.tree.structure(got) == jax.tree.structure(p), (
        "One tree like params, which may be any nest, here a list of a dict and a tuple."
    )
    slips = {
        "Each leaf gets its new axis in front, not behind.": [np.moveaxis(by_W, 0, -1), *right[1:]],
        "Each row is its own loss's: no 1/N.": [leaf / 3 for leaf in right],
    }
    says = "Wrong for examples of shape (2, 2): loss takes one example, and need not take a batch."
    expect_all_digits(jax.tree.leaves(got), right, says, slips, form=LIKE_PARAMS)


@case("0.3")
def gradients_of_a_classifier(f):
    draw = np.random.default_rng(200)
    W, X = jnp.asarray(draw.normal(size=(4, 3))), jnp.asarray(draw.normal(size=(5, 4)))
    y = jnp.array([0, 2, 1, 1, 0])
    got = each(f, lambda W, x, y: jax.nn.logsumexp(x @ W) - (x @ W)[y], W, X, y)
    off = jax.nn.softmax(X @ W) - jax.nn.one_hot(y, 3)  # by the scores of each example, (5, 3)
    slips = {
        "One gradient for the batch, the mean: one per example is wanted.": X.T @ off / 5,
        "One gradient for the batch, the sum: one per example is wanted.": X.T @ off,
    }
    says = "Wrong for a classifier with W of shape (4, 3), which is the whole tree, and 5 examples."
    right = X[:, :, None] * off[:, None, :]
    expect_all_digits(
        got, right, says, slips, form="Here params is one array: N gradients like it."
    )


@case("0.3", hidden=True)
def gradients_of_waves(f):
    draw = np.random.default_rng(6)
    for N, d in [(4, 3), (3, 3), (1, 2)]:
        X, y, a = draw.normal(size=(N, d)), draw.normal(size=N), draw.normal(size=d)
        p = [(jnp.asarray(a),), {"c": jnp.asarray(0.7)}]
        got = f(lambda p, x, y: jnp.sin(x @ p[0][0]) * p[1]["c"] * y, p, X, y)
        right = [(0.7 * y * np.cos(X @ a))[:, None] * X, y * np.sin(X @ a)]
        says = f"Of {N} examples of {d} features one does not get its own gradient."
        expect_all_digits(jax.tree.leaves(got), right, says, form=LIKE_PARAMS)


# --- 0.4 · A gradient by differences --------------------------------------------------------------


LIKE_X = "The gradient has the shape of x."
EITHER = {
    "has no attribute 'at'": "x may be an array of NumPy, which has no .at.",
    "immutable": "x may be an array of JAX, which does not change, nor do its copies: "
    "np.array(x) does.",
}


def is_array(got) -> bool:
    return isinstance(got, (np.ndarray, jax.Array))


@case("0.4")
def slopes_of_cubes_by_hand(g):
    x, h = np.array([1.0, 2.0]), 0.1
    got = called(g, lambda x: (x**3).sum(), x, h, advice=EITHER)
    assert np.array_equal(x, [1.0, 2.0]), (
        "x came back changed: make a new array for each moved coordinate."
    )
    right, bend = 3 * x**2 + h**2, 3 * h * x  # forward differences are off by the bend, too
    slips = {
        "Too exact: use the h given; here it adds h**2.": 3 * x**2,
        "A forward difference: go down by h, too.": right + bend,
        "A backward difference: go up by h, too.": right - bend,
        "Forward by h, divided by 2h: go down, too.": (right + bend) / 2,
        "The step is h each way, not h / 2.": 3 * x**2 + h**2 / 4,
        "The step is h each way, not 2h.": 3 * x**2 + 4 * h**2,
        "The step is h for each coordinate, not h * x[i].": (3 + h**2) * x**2,
        "Twice too large: from x - h to x + h is 2h.": 2 * right,
        "Mind the brackets: a / 2 * h is (a / 2) * h.": right * h**2,
        "This is how far f changes; divide by how far x moves.": right * 2 * h,
        "Coordinate 0 was forgotten.": right * [0, 1],
        "The last coordinate was forgotten.": right * [1, 0],
        "f does not change: are the arrays moved up and down one and the same?": 0 * x,
        "The sign: the value higher up minus the one lower down.": -right,
        "All moved at once: one coordinate at a time.": right.sum(),
        "All moved at once, for each entry: one coordinate at a time.": 0 * x + right.sum(),
        "This is the slope along coordinate 0 alone.": right[0],
        "Put each coordinate back before the next one moves.": right.cumsum(),
    }
    says = "For f = (x**3).sum(), x = 1, 2 and h = 0.1 the answer is 3.01, 12.01."
    expect_all_digits(got, right, says, slips, form=LIKE_X)
    assert is_array(got), "An array is wanted, not a list or a tuple."


@case("0.4")
def slopes_one_coordinate_at_a_time(g):
    f, x, h = lambda x: x[0] * x[1] ** 2 + x[2], jnp.array([1 / 3, 1 / 7, 1.0]), 0.1
    put_back = "Put each coordinate back before the next one moves"
    slips = {
        f"{put_back}: it stays higher.": [1 / 49, 2 / 7 * (1 / 3 + h), 1.0],
        f"{put_back}: it stays lower.": [1 / 49, 2 / 7 * (1 / 3 - h), 1.0],
        f"{put_back}: the moves add up.": [  # row i of tri moves coordinates 0 to i
            (f(x + h * row) - f(x - h * row)) / (2 * h) for row in jnp.tri(3)
        ],
    }
    says = "For f = x[0] * x[1]**2 + x[2] at (1/3, 1/7, 1) the answer is 1/49, 2/21, 1."
    got = called(g, f, x, h, advice=EITHER)
    expect_all_digits(got, [1 / 49, 2 / 21, 1.0], says, slips, form=LIKE_X)
    assert is_array(got), "An array is wanted, not a list or a tuple."


@case("0.4", hidden=True)
def slopes_of_a_wave(g):
    draw = np.random.default_rng(5)
    for n, h, kind in [(4, 0.3, np.array), (4, 1e-3, jnp.array), (1, 0.05, jnp.array)]:
        c, at = draw.normal(size=(2, n))
        x = kind(at)
        right = np.cos(c @ at) * np.sin(c * h) / h  # c, as h sees it
        says = f"Wrong for a sine of {n} coordinates and h = {h}: use the h given."
        got = g(lambda x: jnp.sin(x @ c), x, h)
        expect(got, right, says, form=LIKE_X, rtol=1e-8)
        assert np.array_equal(x, at), "x came back changed."
