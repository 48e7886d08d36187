"""Exercises of notebook 4: solving with curvature."""

import sys

import jax
import jax.numpy as jnp
import numpy as np

from course_utils.exercises import called, case, expect


def to_64_bits(got, right, says, slips=None, *, form="", atol=1e-12):
    """``expect``; then once more, so closely that only 64 bits can hold."""
    expect(got, right, says, slips, form=form, rtol=1e-5, atol=1e-5)
    narrow = "Right to a few digits only: stay in 64 bits, and converge."
    expect(got, right, narrow, rtol=1e-9, atol=atol)


def tried(f, *args):
    """What ``f`` gives; where a library stops it over a usual slip, what is wanted."""
    return called(f, *args, advice=WANTED)


WANTED = {  # by the error's first line
    "must be tuples or lists": "jax.jvp takes the points and the changes as tuples: (t,), (dt,).",
    "Expected a callable|ArrayImpl' object is not callable": "jax.jvp differentiates a function: "
    "give it one of t, which calls the gradient.",
    "same tree structure": "jax.jvp needs as many changes as points: only t changes, w stays.",
    "missing 1 required positional argument: 't'": "A function of the weights alone is wanted, or "
    "of t alone: fix the other one by a lambda.",
    "missing 1 required positional argument: 'v'": "cu.cg wants a function of v that gives H v.",
    "and 'tuple'|unary -: 'tuple'|'tuple' and|v must match params: got PyTreeDef": "jax.jvp and "
    "cu.cg both give two things: take the one that is meant.",
    "only defined for scalar": "jax.grad is for functions that give one number, and a gradient "
    "gives many: jax.jvp takes its derivative along dt.",
    "contracting dimensions|ndim at least 1|VJP function": "Shapes do not fit: the pull has the "
    "shape of w, whatever the shape of t; jax.jvp gives it from dt.",
    "sequences of concrete|interpreted as an integer": "b is a vector, not a length: zeros_like.",
    "'function' and|and 'function'|operand [01] does not have enough": "matvec is a function, not "
    "a matrix: call it.",
    "key'$": "matvec takes two things here, y and the step's key.",
}


def random_spd(draw, d, least):
    """A symmetric matrix with curvatures between ``least`` and 1 + ``least``, (d, d)."""
    G = draw.normal(size=(d, d))
    return G @ G.T / np.linalg.norm(G, 2) ** 2 + least * np.eye(d)


def largest_array(function, *args):
    """What ``function`` gives, and the most entries of an array that is held or returned meanwhile.

    It sees the arrays of a program that JAX traces, and those that pass through NumPy or SciPy.
    """
    most = 0

    def look(frame, event, value):
        nonlocal most
        if event != "return":
            return
        inside = frame.f_globals.get("__name__", "").startswith("jax")  # what it holds, it returns
        for held in (value,) if inside else (value, *frame.f_locals.values()):
            if isinstance(held, np.ndarray | jax.Array):
                most = max(most, held.size)

    before = sys.getprofile()
    sys.setprofile(look)
    try:
        value = function(*args)
    finally:
        sys.setprofile(before)
    return value, most


def counted(matvec):
    """``matvec``, and a function that tells how often it has run: in a compiled loop, too."""
    runs = []

    def product(v):
        jax.debug.callback(lambda: runs.append(1))
        return matvec(v)

    def count():
        jax.effects_barrier()
        return len(runs)

    return product, count


# --- 4.1 · Conjugate gradients --------------------------------------------------------------------

PAIR = "Two things: x of shape (D,), and the length of its residual."


@case("4.1")
def cg_by_hand(f):
    A, b = np.array([[3.0, 1.0], [1.0, 2.0]]), np.array([1.0, -1.0])
    given = b.copy()
    pair = lambda x: (np.array(x), np.linalg.norm(given - A @ x))
    first, solution = np.array([2 / 3, -2 / 3]), np.array([0.6, -0.8])
    left = np.sqrt(2) / 3

    got = tried(f, lambda v: A @ v, b, 0.0, 1)
    changed = "Your function has changed b itself: r -= ... and p *= ... write into the array."
    assert np.all(b == given), changed
    slips = {
        "Sign: r is b - A x, not A x - b.": pair(-first),
        "How far along p? The first step has the length alpha.": pair(given),
        "maxiter = 1 is one step; these are two.": pair(solution),
        "maxiter = 1 allows a step; this is none.": pair(0 * given),
        "The length of b - A x, not squared.": (first, left**2),
        "The length of b - A x itself, not relative to b.": (first, 1 / 3),
        "The length of b - A x, not of x.": (first, 2 * left),
        "The second is one length, not the vector b - A x.": (first, given - A @ first),
        "x comes first, then the length.": (left, first),
    }
    says = "For A = [[3, 1], [1, 2]] and b = [1, -1] one step gives x = [2/3, -2/3] and 0.471."
    expect(got, pair(first), says, slips, form=PAIR)

    got = tried(f, lambda v: A @ v, b, 0.0, 2)
    assert np.all(b == given), changed
    says = (
        "Two dimensions, two steps: the second should end at [0.6, -0.8]. Is beta the new r.r "
        "over the old, and the second p conjugate to the first?"
    )
    to_64_bits(got, pair(solution), says, form=PAIR)


@case("4.1")
def cg_stops_in_time(f):
    x, _ = tried(f, lambda v: v, jnp.ones(3), 0.0, 9)
    assert np.all(np.isfinite(np.asarray(x))), "r = 0 after one step; the next is 0/0."
    x, _ = tried(f, lambda v: v, jnp.zeros(3), 0.1, 9)
    assert np.all(np.asarray(x) == 0), "For b = 0 the answer is 0."
    x, _ = tried(f, lambda v: 2.0 * v, jnp.ones(2), 1.5, 9)
    says = "For tol = 1.5 the start, x = 0, is good enough: the test stands before a step."
    assert np.all(np.asarray(x) == 0), says
    h, b = jnp.linspace(0.02, 1, 50), 1e-3 * jnp.ones(50)
    for tol in [1e-1, 1e-3]:
        relative = lambda b: float(tried(f, lambda v: h * v, b, tol, 500)[1] / (b @ b) ** 0.5)
        left, same = relative(b), np.isclose(relative(1024 * b), relative(b))
        why = "Are tol and the lengths squared on both sides, or on neither?"
        why = why if same else f"Is it relative to the length of b? {why}"
        assert left <= tol, f"It stops too early for tol = {tol}. {why}"
        assert left > tol / 30, f"It goes on long after tol = {tol} is met. {why}"


@case("4.1")
def cg_recomputes_the_residual(f):
    rough = lambda v: jnp.asarray(v, jnp.float32).astype(float) * 3.0  # good to seven digits
    b = jnp.array([0.1, 0.2, 0.7])
    x, left = tried(f, rough, b, 1e-12, 7)
    both = "0/0: the carried r became 0, and the loop went on. Which r does it look at? It stops "
    both += "by the carried one; the true one is returned."
    assert np.all(np.isfinite(np.asarray(x))), both
    carried = "That is the carried r. Return the length of b - matvec(x)."
    expect(left, np.linalg.norm(b - rough(jnp.asarray(x))), carried, rtol=1e-9, atol=0)


@case("4.1")
def cg_takes_one_product_a_step(f):
    h = jnp.linspace(0.1, 1, 9)
    product, count = counted(lambda v: h * v)
    tried(f, product, jnp.ones(9), 0.0, 4)
    assert count() <= 6, (  # 5; 6 if the first residual is computed, too
        f"4 steps took {count()} products. Each needs one, of p: r is carried along, and one more "
        "product, after the loop, gives the true residual."
    )


@case("4.1", hidden=True)
def cg_solves_random_systems(f):
    draw = np.random.default_rng(41)
    for d in [1, 5, 30]:
        A, b = random_spd(draw, d, 0.1), draw.normal(size=d)
        for most in [200, d + 2]:  # two more than without rounding
            x, left = tried(f, lambda v, A=A: A @ v, jnp.asarray(b), 1e-11, most)
            says = f"It stops at a residual of {left:.1e} for tol = 1e-11."
            if most < 200:
                says = (
                    f"Not done after {most} steps in {d} dimensions: is every p made conjugate to "
                    "the one before, from the second on?"
                )
            assert left < 1e-8, says
            expect(x, np.linalg.solve(A, b), says, rtol=1e-6, atol=1e-8)
            real = np.linalg.norm(b - A @ np.asarray(x))
            assert abs(left - real) < 1e-13, f"|b - Ax| is {real:.1e}, not {left:.1e}."


@case("4.1", hidden=True)
def cg_is_lowest_in_its_krylov_space(f):
    draw = np.random.default_rng(14)
    A, b = random_spd(draw, 6, 0.05), draw.normal(size=6)
    for k in range(5):
        K = np.array([np.linalg.matrix_power(A, j) @ b for j in range(k)]).reshape(k, 6)
        V = np.linalg.qr(K.T)[0]
        x = V @ np.linalg.solve(V.T @ A @ V, V.T @ b)
        says = f"After {k} steps x is not the lowest point of q in the Krylov space."
        got = tried(f, lambda v: A @ v, jnp.asarray(b), 0.0, k)
        expect(got, (x, np.linalg.norm(b - A @ x)), says, form=PAIR, atol=1e-8)


@case("4.1", hidden=True)
def cg_goes_on_where_rounding_delays_it(f):
    h = jnp.logspace(-5, 0, 60)
    for size in [1.0, 1e-9]:  # a tiny b is as good as any
        b = size * jnp.ones(60)
        left = tried(f, lambda v: h * v, b, 1e-8, 2000)[1] / jnp.linalg.norm(b)
        says = f"It stops at a relative residual of {left:.0e} for tol = 1e-8, |b| = {7.7 * size}."
        assert left < 1e-6, says


# --- 4.2 · The response of an optimum -------------------------------------------------------------

MOVE = "The move alone, a vector like w: jax.jvp and cu.cg both give two things."
WITHIN = {"rtol": 1e-4, "atol": 1e-12}  # what the text asks for


def far_off(got, move):
    """The length of the error, relative to the length of the right move."""
    return float(np.linalg.norm(np.asarray(got) - move) / np.linalg.norm(move))


@case("4.2")
def response_by_hand(f):
    J = lambda w, t: 2.0 * w[0] ** 2 + 3.0 * t * w[0]  # w* = -3 t / 4
    got = tried(f, J, jnp.array([-1.5]), jnp.array(2.0), jnp.array(0.2))
    slips = {
        "The sign: the weights give way to the pull.": [0.15],
        "The pull is still to be multiplied by the inverse of H.": [-0.6],
        "The pull is still to be multiplied by the inverse of H, and the sign.": [0.6],
        "Multiplied by H, not by its inverse.": [-2.4],
        "0 is the gradient at an optimum; its derivative by t pulls.": [0.0],
        "That is the derivative for dt = 1. Here dt = 0.2.": [-0.75],
        "Where is the derivative of the gradient by t?": [-0.05],
        "That is where the optimum arrives; its move is asked for.": [-1.65],
        "That is the optimum given; its move is asked for.": [-1.5],
    }
    says = "J = 2 w^2 + 3 t w has its optimum at w = -3 t / 4: for dt = 0.2 it moves by -0.15."
    expect(got, [-0.15], says, slips, form=MOVE, **WITHIN)


@case("4.2")
def response_of_many_weights(f):
    D, T = 100, 60  # small: this is about the arrays that it makes, not about time
    h, dt = np.logspace(-4, 0, D), np.random.default_rng(0).normal(size=T)
    repeated = lambda t: t[np.arange(D) % T]
    J = lambda w, t: jnp.sum(h * (w - repeated(t)) ** 2) / 2
    got, most = largest_array(tried, f, J, jnp.zeros(D), jnp.zeros(T), jnp.asarray(dt))
    assert most < D * D, (
        "Your program makes an array of shape (D, D), such as H. With a million weights that is "
        "8 terabytes. Use products: cu.hvp."
    )
    assert most < D * T, (
        "Your program makes an array of the derivatives of all D gradients by all entries of t. "
        "Use a product: jax.jvp along dt."
    )
    off = far_off(got, repeated(dt))
    assert off < 1e-4, (
        f"For a condition number of 10^4 the relative error is {off:.0e}: it may be that many "
        "times the residual. Is tol small enough, and all in 64 bits?"
    )


@case("4.2")
def response_hidden_by_a_small_residual(f):
    h, move = np.array([1.0, 1e-4]), np.array([1.0, 3e-4])
    J = lambda w, t: jnp.sum(h * w**2) / 2 - w @ t
    off = far_off(tried(f, J, jnp.zeros(2), jnp.zeros(2), jnp.asarray(h * move)), move)
    assert off < 1e-4, (
        f"For H = diag(1, 1e-4) and a pull of [-1, -3e-8] the relative error is {off:.0e}: there "
        "a residual of 3e-8 leaves the second weight where it is. Is tol small enough?"
    )


@case("4.2")
def response_of_several(f):
    M = np.array([[1.0, 0.5], [0.0, 2.0], [-1.0, 1.0]])
    K = np.array([[1.0, 0.6], [0.6, 1.0]])
    J = lambda w, t: jnp.sum(jnp.cosh(w - t[:, 0] @ M)) + 0.5 * w @ K @ w
    u, dt = np.array([0.4, -1.5]), np.array([[1.0], [-2.0], [0.5]])
    w = -np.linalg.solve(K, np.sinh(u))
    t = np.linalg.pinv(M.T) @ (w - u)  # w is the optimum: sinh(u) + K w = 0
    got = tried(f, J, jnp.asarray(w), jnp.asarray(t[:, None]), jnp.asarray(dt))
    bent = np.diag(np.cosh(u))
    move = lambda H: np.linalg.solve(H, bent @ M.T @ dt[:, 0])
    bent_at = lambda w, t: np.diag(np.cosh(w - t @ M))
    slips = {
        "H is taken at weights of 0; it belongs at the w given.": move(bent_at(0 * w, t) + K),
        "H is taken at targets of 0; it belongs at the t given.": move(bent_at(w, 0 * t) + K),
    }
    says = (
        "Two weights, targets of shape (3, 1): is H taken by w, at the w and t given? And is the "
    )
    says += "pull linear in dt?"
    expect(got, move(bent + K), says, slips, form=MOVE, **WITHIN)


@case("4.2", hidden=True)
def response_of_least_squares(f):
    draw = np.random.default_rng(44)
    Phi = draw.normal(size=(15, 20)) * np.logspace(-1, 0, 20)  # fewer targets than weights

    def fit(t):  # 15 targets, and the logarithm of the penalty
        H = Phi.T @ Phi / 15 + np.exp(t[15]) * np.eye(20)
        return np.linalg.solve(H, Phi.T @ t[:15] / 15)

    J = lambda w, t: jnp.mean((Phi @ w - t[:15]) ** 2) / 2 + jnp.exp(t[15]) * (w @ w) / 2
    t = np.append(draw.normal(size=15), np.log(4e-4))
    dt = np.append(20 * draw.normal(size=15), 2.0)
    move = (fit(t + 1e-6 * dt) - fit(t - 1e-6 * dt)) / 2e-6  # by refits
    off = far_off(tried(f, J, *map(jnp.asarray, (fit(t), t, dt))), move)
    assert off < 1e-4, (
        "20 weights, 15 targets and the logarithm of a penalty, condition number 4000: the "
        f"relative error is {off:.0e}. Is the solve exact enough, the move right however large, "
        "and all taken at the t given?"
    )


# --- 4.3 · The first terms ------------------------------------------------------------------------


@case("4.3")
def neumann_by_hand(f):
    b = np.array([1.0, -2.0])
    given = b.copy()
    got = tried(f, lambda v: 0.8 * v, b, 2.0, 3)
    assert np.all(b == given), "Your function has changed b itself: += writes into the array."
    slips = {
        1.96: "The sum is not yet divided by the scale.",
        1.088: "Those are four terms: b itself is the first of three.",
        0.8: "Those are two terms: j runs over 0, 1, 2.",
        0.588: "Those are j = 1, 2, 3: the first term is j = 0, b itself.",
        0.48: "The term j = 0 is missing: b itself.",
        0.62: "The matrix is divided by the scale, too: I - A/s.",
        2.18: "The sign: each term is multiplied by I - A/s.",
        3.02: "The sign, and the scale: each term is multiplied by I - A/s.",
        0.18: "The terms are added up; this is the last one alone.",
        0.49: "Divided by the scale once, not twice.",
        1.25: "This is the whole series, A^-1 b: three terms are asked for.",
        0.78: "Each term is multiplied by I - A/s; this multiplies by A/s.",
    }
    slips = {hint: number * given for number, hint in slips.items()}
    says = "For A = 0.8, b = [1, -2] and scale 2 three terms give [0.98, -1.96]."
    form = "The sum alone: a vector like b, shape (D,)."
    to_64_bits(got, 0.98 * given, says, slips, form=form)


@case("4.3")
def neumann_of_one_term(f):
    says = "num_terms = 1 is the term j = 0 alone: for b = [1, -2] and scale 2 it is [0.5, -1]."
    expect(tried(f, lambda v: 0.8 * v, np.array([1.0, -2.0]), 2.0, 1), [0.5, -1.0], says)


@case("4.3")
def neumann_inverts_a_matrix(f):
    A = jnp.array([[2.0, 1.0], [1.0, 3.0]])
    product, count = counted(lambda v: A @ v)
    says = "40 terms should give the inverse of [[2, 1], [1, 3]] times b."
    expect(tried(f, product, jnp.array([1.0, 0.0]), 4.0, 40), [0.6, -0.2], says, atol=1e-6)
    assert count() <= 40, f"{count()} products: each term needs one, from the last term."
    says = "40 products; 39 are enough. Which term needs none, and is the last one used again?"
    assert count() < 40, says


@case("4.3")
def neumann_needs_no_matrix(f):
    h = jnp.linspace(0.1, 1.0, 50)
    assert largest_array(tried, f, lambda v: h * v, jnp.ones(50), 1.0, 5)[1] < 50 * 50, (
        "Your program makes an array of shape (D, D): products with vectors are all it needs."
    )


@case("4.3", hidden=True)
def neumann_leaves_what_the_formula_says(f):
    draw = np.random.default_rng(42)
    for d, scale, terms in [(1, 0.8, 5), (4, 1.3, 2), (6, 2.0, 7), (9, 0.4, 25)]:  # 0.4: it grows
        A, b = random_spd(draw, d, 0.1), draw.normal(size=d)
        x = np.linalg.solve(A, b)
        left = np.linalg.matrix_power(np.eye(d) - A / scale, terms) @ x
        says = f"Wrong for D = {d}, scale {scale} and {terms} terms."
        got = tried(f, lambda v, A=A: A @ v, jnp.asarray(b), scale, terms)
        to_64_bits(got, x - left, says, atol=1e-9)


# --- 4.4 · Damping in its place -------------------------------------------------------------------


@case("4.4")
def lissa_by_hand(f):
    draws, b = jnp.array([0.4, 0.8]), np.array([1.0, -2.0])  # the "key" is the matrix itself
    got = tried(f, lambda y, key: key * y, jnp.asarray(b), draws, 2.0, 0.2)
    slips = {
        0.82: "The damping stands outside of the division by scale: it is still the popular form.",
        0.575: "The matrix is divided by the scale, too.",
        0.5: "Neither the matrix nor the damping is divided by the scale.",
        1.85: "y is not the solution; x is y / scale.",
        1.095: "Both steps used the first draw. Each step has its own key.",
        0.875: "Both steps used the last draw. Each step has its own key.",
        1.025: "The draws in the wrong order: keys[0] is the first step's.",
        0.175: "b is forgotten: each step adds it.",
        0.75: "Start at y = b, not at 0, and make one step for each key.",
        0.98125: "Here the damping is divided by the scale twice.",
        1.04: "The damping has no effect.",
        0.85: "One step for each key: that was the first step alone.",
        1.165: "The sign of the damping: it adds to the curvature.",
        0.4625: "Divided by the scale once, not twice.",
        0.96: "The damping multiplies y, as the matrix does, not b.",
    }
    slips = {hint: number * b for number, hint in slips.items()}
    slips["The damping multiplies y, as the matrix does: not 1."] = [0.96, -2.16]
    says = "b = [1, -2], draws 0.4 and 0.8, scale 2, damping 0.2: y = 1, 1.7, 1.85 times b."
    to_64_bits(got, 0.925 * b, says, slips, form="x alone: a vector like b, shape (D,).")


@case("4.4")
def lissa_rests_at_the_damped_solution(f):
    A, b = np.array([[0.9, 0.2], [0.2, 0.6]]), np.array([1.0, -1.0])
    given = b.copy()
    got = tried(f, lambda y, key: A @ y, b, jnp.zeros(60), 1.5, 0.1)
    assert np.all(b == given), "Your function has changed b itself: y += writes into the array."
    at = lambda added: np.linalg.solve(A + added * np.eye(2), b)
    slips = {
        "At rest it solves (A + scale * damping I) x = b.": at(0.15),
        "At rest it solves (A + damping / scale I) x = b.": at(0.1 / 1.5),
        "At rest it solves A x = b: the damping has no effect.": at(0.0),
    }
    says = "At rest y / scale should solve (A + damping I) x = b."
    expect(got, at(0.1), says, slips, atol=1e-8)


@case("4.4", hidden=True)
def lissa_of_random_matrices(f):
    draw = np.random.default_rng(43)
    for d, steps, scale, damping in [(4, 12, 3.0, 0.4), (3, 1, 20.0, 0.05), (1, 6, 1.0, 0.0)]:
        each = np.array([random_spd(draw, d, 0.0) for _ in range(steps)])
        b = draw.normal(size=d)
        y = b
        for A in each:
            y = b + (np.eye(d) - (A + damping * np.eye(d)) / scale) @ y
        matvec = lambda y, k, each=each: jnp.asarray(each)[k] @ y
        got = tried(f, matvec, jnp.asarray(b), jnp.arange(steps), scale, damping)
        says = f"Wrong for D = {d}, {steps} keys, scale {scale} and damping {damping}."
        to_64_bits(got, y / scale, says)


@case("4.4", hidden=True)
def lissa_takes_keys_of_jax(f):
    keys = jax.random.split(jax.random.key(43), 5)
    phi = jnp.array([[1.0, 0.5], [-0.5, 1.0], [0.2, -1.0]])
    index = lambda key: jax.random.randint(key, (), 0, 3)
    y = b = np.array([1.0, 2.0])
    for n in map(int, jax.vmap(index)(keys)):
        y = b + y - (phi[n] * (phi[n] @ y) + 0.3 * y) / 2.5
    matvec = lambda y, key: phi[index(key)] * (phi[index(key)] @ y)
    says = "Wrong with the keys of jax.random: each step hands its own to matvec."
    to_64_bits(tried(f, matvec, jnp.asarray(b), keys, 2.5, 0.3), y / 2.5, says)
