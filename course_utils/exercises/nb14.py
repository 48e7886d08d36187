"""Exercises of notebook 14: training backwards, the gradient of a run, learning to learn."""

import jax
import jax.numpy as jnp
import numpy as np

from course_utils.exercises import SHAPES, called, case, expect, expect_all_digits, untouched

# --- 14.1 · Undo a step ---------------------------------------------------------------------------

BOTH = "Two arrays like w: first w, then v."


def one_step(w, v, gradient, step_size, momentum):
    v = momentum * v - step_size * gradient(w)
    return w + v, v


def undone(f, w, v, *rest):
    """What the answer gives, and the promise that its arguments are as they were."""
    w, v = np.array(w), np.array(v)
    says = "Your function has changed an array that it was given: -=, /= write into it."
    with untouched(says, w, v):
        return called(f, w, v, *rest, advice={SHAPES: "w, v and gradient(w) have one shape."})


@case("14.1")
def undo_by_hand(f):
    A = np.array([2.0, 0.5])
    gradient = lambda w: A * w
    w, v = np.array([1.0, -2.0]), np.array([0.3, 0.1])
    w2, v2 = one_step(w, v, gradient, 0.1, 0.8)
    late = (v2 + 0.1 * gradient(w2)) / 0.8
    ahead = w2 + v2
    slips = {
        "The gradient was taken at the old w: undo w first, then ask there.": (w, late),
        "v is divided by momentum, not multiplied.": (w, (v2 + 0.1 * gradient(w)) * 0.8),
        "The gradient was subtracted, so it is added back.": (w, (v2 - 0.1 * gradient(w)) / 0.8),
        "Add the gradient back first; then divide all of it by momentum.": (
            w,
            v2 / 0.8 + 0.1 * gradient(w),
        ),
        "w had v added: subtract it.": (ahead, (v2 + 0.1 * gradient(ahead)) / 0.8),
        "The step added the new v, so it is the v that you were given that is subtracted from w.": (
            w2 - late,
            late,
        ),
        "v must be undone, too.": (w, v2),
        "The step size is missing.": (w, (v2 + gradient(w)) / 0.8),
        "v is not divided by momentum.": (w, v2 + 0.1 * gradient(w)),
        "The gradient must be added back to v.": (w, v2 / 0.8),
        "That is a step on, not back.": one_step(w2, v2, gradient, 0.1, 0.8),
        "First w, then v.": (v, w),
    }
    says = "From w = [1.04, -1.82], v = [0.04, 0.18] it leads back to [1, -2] and [0.3, 0.1]."
    expect(undone(f, w2, v2, gradient, 0.1, 0.8), (w, v), says, slips, form=BOTH)


@case("14.1")
def undo_with_other_numbers(f):
    gradient = lambda w: 3 * w
    w, v = np.array([0.5]), np.array([-2.0])
    got = undone(f, *one_step(w, v, gradient, 0.25, 0.5), gradient, 0.25, 0.5)
    says = "Wrong for a step size of 0.25 and momentum 0.5: use the ones given."
    expect(got, (w, v), says, form=BOTH)


@case("14.1", hidden=True)
def undo_twenty_steps(f):
    draw = np.random.default_rng(141)
    B = draw.normal(size=(3, 2))
    gradient = lambda w: np.tanh(w - B) + 0.1 * w**3  # not linear
    w, v = start = draw.normal(size=(3, 2)), draw.normal(size=(3, 2))
    rates = draw.uniform(0.02, 0.2, 20)
    for rate in rates:
        w, v = one_step(w, v, gradient, rate, 0.9)
    for rate in rates[::-1]:
        w, v = undone(f, w, v, gradient, rate, 0.9)
        assert np.shape(w) == np.shape(v) == (3, 2), f"Weights of shape (3, 2). {BOTH}"
    says = "Twenty steps back with a gradient that is not linear do not lead to the start."
    expect((w, v), start, says, form=BOTH, rtol=1e-10, atol=1e-10)


# --- 14.2 · Undo a multiplication -----------------------------------------------------------------


def times(v, buffer, num, den):
    """The exact product of the notebook, in divmod."""
    v, remainder = divmod(v, den)
    buffer, digit = divmod(buffer * den + remainder, num)
    return v * num + digit, buffer


def same_integers(got, right, says, slips=None):
    """Integers of any size: equal, or the hint of the slip."""
    form = "Two integers: v, then the buffer."
    if not isinstance(got, (tuple, list)) or len(got) != 2:
        expect(got, (0, [0, 0]), says, form=form)  # says what is wrong with its form
    for part in got:
        whole = np.ndim(part) == 0 and not isinstance(part, (float, np.floating))
        assert whole, f"{form} Use // and %: / makes a float, which has 53 bits."
    got = tuple(map(int, got))
    if got == right:
        return
    for hint, wrong in (slips or {}).items():
        assert got != wrong, hint
    raise AssertionError(says)


@case("14.2")
def fraction_by_hand(f):
    slips = {
        "The buffer holds what rounding lost: v * den // num does not use it.": (72, 45),
        "In reverse order: what was done last, the digit, is undone first.": (72, 43),
        "That is times_fraction once more, not its inverse.": (59, 50),
        "Put the digit back before the remainder is read from the buffer.": (75, 38),
        "The remainder is missing: v * den has an end of 0.": (70, 40),
        "Take the remainder out of the buffer: divide by den.": (77, 407),
        "Put the digit, v % num, back into the buffer.": (75, 4),
        "First v, then the buffer.": (40, 77),
    }
    says = "undo_fraction(65, 45, 9, 10) should be (77, 40)."
    same_integers(f(65, 45, 9, 10), (77, 40), says, slips)


@case("14.2")
def fraction_of_a_negative(f):
    slips = {"Below 0, int() and np.fix cut towards 0; // and % go down.": (4, 4)}
    says = "undo_fraction(-1, 5, 9, 10) should be (-7, 5): // rounds down, also below 0."
    same_integers(f(-1, 5, 9, 10), (-7, 5), says, slips)


@case("14.2")
def fraction_of_a_large_one(f):
    v = 2**60 + 77
    says = "Wrong for a v of 60 bits: / makes a float, which has 53. Use // and %."
    same_integers(f(*times(v, 3, 9, 10), 9, 10), (v, 3), says)
    buffer = 2**56 + 77
    says = "Wrong for a buffer of 57 bits: / makes a float, which has 53. Use // and %."
    same_integers(f(*times(13, buffer, 9, 10), 9, 10), (13, buffer), says)
    says = "Wrong for num = 1, den = 2: use the ones given."
    same_integers(f(*times(13, 6, 1, 2), 1, 2), (13, 6), says)


@case("14.2", hidden=True)
def fraction_a_thousand_times(f):
    draw = np.random.default_rng(142)
    for num, den in [(9, 10), (99, 100), (1, 2)]:
        v, buffer, seen = int(draw.integers(-(2**50), 2**50)), 10**30 + 7, []
        for push in draw.integers(-(2**40), 2**40, 1000):
            seen.append((v, buffer, int(push)))
            v, buffer = times(v, buffer, num, den)
            v += int(push)
        for v_before, buffer_before, push in reversed(seen):
            v, buffer = f(v - push, buffer, num, den)
            says = f"For num = {num}, den = {den} and a long buffer the way back misses."
            same_integers((v, buffer), (v_before, buffer_before), says)


# --- 14.3 · The gradient of a run -----------------------------------------------------------------

EACH = "One number per step: shape (K,)."
NO_DIRECT_ROAD = "w_k enters w_{k+1} directly, too: the old dw stays, and a term is added to it."


def weights_of_a_run(gradient, w0, step_sizes, momentum):
    """The weights before each step and after the last, (K + 1, D)."""
    w, v, path = w0, np.zeros_like(w0), [w0]
    for eta in step_sizes:
        w, v = one_step(w, v, gradient, eta, momentum)
        path.append(w)
    return np.array(path)


def reversed_pass(gradient, hvp, F_gradient, path, step_sizes, momentum, slip=""):
    """The reverse pass, or what one slip makes of it."""
    dw, dv = F_gradient(path[-1]), np.zeros_like(path[0])
    found = np.zeros(len(step_sizes))
    for k in reversed(range(len(step_sizes))):
        dv = dv + dw
        found[k] = -dv @ gradient(path[k + (slip == "late")])
        to = dw if slip == "Hessian on dw" else dv
        straight = 0 if slip == "no direct road" else dw
        dw = straight - (0 if slip == "no Hessian" else step_sizes[k]) * hvp(path[k], to)
        keep = {"forgets": 0, "no momentum back": 1}.get(slip, momentum)
        dv = keep * dv
        if slip == "Hessian with the shrunk dv":
            dw = dw + step_sizes[k] * (1 - momentum) * hvp(path[k], dv / momentum)
    return found


@case("14.3")
def two_steps_by_hand(f):
    given = (lambda w: 2 * w - 1, lambda w, u: 2 * u, lambda w: w)
    etas = np.array([0.1, 0.2])
    path = weights_of_a_run(given[0], np.zeros(1), etas, 0.5)  # 0, 0.1, 0.31
    right = reversed_pass(*given, path, etas, 0.5)  # 0.341, 0.248
    slip = lambda name: reversed_pass(*given, path, etas, 0.5, name)
    slips = {
        "Each w_k also moves the gradient of its own step: the term with hvp is missing.": slip(
            "no Hessian"
        ),
        "v goes on to the next step, too: keep dv, times momentum.": slip("forgets"),
        NO_DIRECT_ROAD: slip("no direct road"),
        "dv must be multiplied by momentum from step to step.": slip("no momentum back"),
        "hvp comes before dv is multiplied by momentum.": slip("Hessian with the shrunk dv"),
        "The gradient of step k is that at w_k, before the step.": slip("late"),
        "F is judged at the last weights, path[-1], after the last step.": reversed_pass(
            given[0], given[1], lambda w: given[2](path[-2]), path, etas, 0.5
        ),
        "Only the last step: go on to the first.": np.array([0, right[1]]),
        "With respect to eta, not log eta.": right * etas,
        "The sign: a step subtracts the gradient.": -right,
        "In the order of the steps: the first step first.": right[::-1],
        "That is their sum; one number per step is asked for.": np.sum(right),
        "One number per step: path has one row more than there are steps.": np.append(right, 0),
    }
    says = "For the example it should be [0.341, 0.248]."
    advice = {SHAPES: "gradient(w), hvp(w, u) and F_gradient(w) give arrays like path[0]."}
    got = called(f, *given, path, etas, 0.5, advice=advice)
    expect(got, right, says, slips, form=EACH)


@case("14.3")
def three_steps_of_two_weights(f):
    A, b, target = np.array([[2, 0.3], [0.3, 0.5]]), np.array([1.0, -1.0]), np.full(2, 0.5)
    given = (lambda w: A @ w - b, lambda w, u: A @ u, lambda w: w - target)
    etas = np.array([0.1, 0.2, 0.05])
    path = weights_of_a_run(given[0], np.zeros(2), etas, 0.9)
    right = reversed_pass(*given, path, etas, 0.9)
    slip = lambda name: reversed_pass(*given, path, etas, 0.9, name)
    which = "w_k enters the gradient, and so v_{k+1}: of which bar is the Hessian product?"
    slips = {which: slip("Hessian on dw"), NO_DIRECT_ROAD: slip("no direct road")}
    says = "Right for one weight and two steps, wrong for two weights, three steps, momentum 0.9."
    expect(f(*given, path, etas, 0.9), right, says, slips, form=EACH)


@case("14.3")
def two_steps_without_momentum(f):
    h, w0 = np.array([1.0, 4.0, 0.5]), np.array([1.0, -1.0, 2.0])
    given = (lambda w: h * w, lambda w, v: h * v, lambda w: w**3)
    etas = np.array([0.3, 0.1])
    w1 = (1 - 0.3 * h) * w0
    w2 = (1 - 0.1 * h) * w1
    right = [-np.sum(w2**3 * (1 - 0.1 * h) * h * w0), -np.sum(w2**3 * h * w1)]
    says = "Wrong without momentum, for two steps on h w^2 / 2 from w_0 = [1, -1, 2]."
    expect(f(*given, np.array([w0, w1, w2]), etas, 0.0), right, says, form=EACH)


@case("14.3", hidden=True)
def a_run_on_a_bent_cost(f):
    draw = np.random.default_rng(143)
    B, goal, w0 = draw.normal(size=(6, 4)), draw.normal(size=4), draw.normal(size=4)
    sigma = lambda w: 1 / (1 + np.exp(-B @ w))
    gradient = lambda w: B.T @ sigma(w) / 6 + 0.2 * w**3
    hvp = lambda w, u: B.T @ (sigma(w) * (1 - sigma(w)) * (B @ u)) / 6 + 0.6 * w**2 * u
    for momentum, K in [(0.9, 5), (0.5, 1)]:
        run = lambda etas: weights_of_a_run(gradient, w0, etas, momentum)
        end = lambda etas: np.sum(np.sin(run(etas)[-1] - goal))
        etas, bumps = draw.uniform(0.1, 0.6, K), 1e-5 * np.eye(K)
        right = [(end(etas + e) - end(etas - e)) / 2e-5 for e in bumps]
        got = f(gradient, hvp, lambda w: np.cos(w - goal), run(etas), etas, momentum)
        says = f"A run of {K} on a cost that is not quadratic: is hvp asked at w_k, each time?"
        expect(got, right, says, form=EACH, rtol=1e-6, atol=1e-8)


# --- 14.4 · Three starts --------------------------------------------------------------------------

THREE = "Three numbers: MAML, first-order MAML, Reptile."


def mean_by(weights, a):
    return np.sum(weights * a) / np.sum(weights)


@case("14.4")
def starts_by_hand(f):
    h, a, eta = np.array([1.0, 2.0]), np.array([0.0, 1.0]), 0.25
    left = 1 - eta * h
    right = [mean_by(h * left**2, a), mean_by(h * left, a), mean_by(h, a)]
    with_first = lambda first: [first, *right[1:]]
    slips = {
        "MAML: the chain rule gives 1 - eta h once more; that is first-order MAML.": with_first(
            right[1]
        ),
        "MAML: the cost has the curvature h, too.": with_first(mean_by(left**2, a)),
        "MAML: h counts once, for the gradient of the cost at phi.": with_first(
            mean_by(h**2 * left**2, a)
        ),
        "MAML takes one inner step here.": with_first(mean_by(h * left**4, a)),
        "First-order MAML: its gradient h (phi - a) has the factor h.": [
            right[0],
            mean_by(left, a),
            right[2],
        ],
        "The cost at phi has the gradient h (phi - a): h is missing, in all three.": [
            mean_by(left**2, a),
            mean_by(left, a),
            0.5,
        ],
        "Reptile moves by theta - phi = eta h (theta - a): h counts.": [*right[:2], 0.5],
        "The tasks have different weights: which factor multiplies theta - a_i?": [0.5] * 3,
        "In the order MAML, first-order MAML, Reptile.": right[::-1],
        "MAML and first-order MAML are swapped.": [right[1], right[0], right[2]],
        "Divide by the sum of the weights.": [
            np.sum(h * left**2 * a),
            np.sum(h * left * a),
            np.sum(h * a),
        ],
        "Those are means over tasks, not divided by the sum of the weights.": [
            np.mean(h * left**2 * a),
            np.mean(h * left * a),
            np.mean(h * a),
        ],
    }
    says = "For h = [1, 2], a = [0, 1] and step 0.25 it should be (0.4706, 0.5714, 0.6667)."
    expect(f(h, a, eta), right, says, slips, form=THREE)


@case("14.4")
def starts_of_three_tasks(f):
    h, a, eta = np.array([1.0, 3.0, 2.0]), np.array([0.0, 1.0, -2.0]), 0.125
    left = 1 - eta * h
    right = [mean_by(h * left**2, a), mean_by(h * left, a), mean_by(h, a)]
    says = "Wrong for three tasks, h = [1, 3, 2], a = [0, 1, -2], step 0.125: any number of tasks."
    expect(f(h, a, eta), right, says, form=THREE)


@case("14.4", hidden=True)
def starts_where_each_rule_rests(f):
    draw = np.random.default_rng(144)
    for number in (2, 3, 7):
        h, a = draw.uniform(0.2, 5.0, number), draw.normal(size=number)
        eta = 0.3  # some inner steps go too far
        adapt = lambda theta: theta - eta * h * (theta - a)
        after = lambda theta: jnp.mean(h * (adapt(theta) - a) ** 2) / 2
        rules = (
            jax.grad(after),
            lambda theta: np.mean(h * (adapt(theta) - a)),
            lambda theta: np.mean(theta - adapt(theta)),
        )
        ends = []
        for rule in rules:  # linear in theta: two values give the root
            at_0, at_1 = float(rule(0.0)), float(rule(1.0))
            ends.append(at_0 / (at_0 - at_1))
        says = f"With {number} tasks, of which some inner steps go beyond a_i, the rules rest at "
        says += ", ".join(f"{end:.4f}" for end in ends)
        expect_all_digits(f(h, a, eta), ends, says, form=THREE, rtol=1e-8, atol=1e-10)


# --- 14.5 · The best next step --------------------------------------------------------------------

ONE = "One number, the step size."


@case("14.5")
def greedy_by_hand(f):
    h, c, m = np.array([1.0, 0.1]), np.array([2.0, 0.5]), np.array([1.0, 10.0])
    up = np.sum(h**2 * m)
    right = up / (np.sum(h**3 * m) + np.sum(h * c))
    slips = {
        "That is 1 / h_max: noise and the other mode count.": 1.0,
        "The noise is missing: it adds eta^2 c to m.": up / np.sum(h**3 * m),
        "The cost weighs each mode with h: one h is missing in every sum.": np.sum(h * m)
        / (np.sum(h**2 * m) + np.sum(c)),
        "m is a mean square already: no root.": np.sum(h**2 * m**0.5)
        / (np.sum(h**3 * m**0.5) + np.sum(h * c)),
        "m is a mean square already: do not square it.": np.sum(h**2 * m**2)
        / (np.sum(h**3 * m**2) + np.sum(h * c)),
        "A factor of 2: the derivative of (1 - eta h)^2 has one, and so has that of eta^2.": right
        / 2,
        "A factor 2 too much.": right * 2,
        "The noise, too, is weighed with h in the cost.": up / (np.sum(h**3 * m) + np.sum(c)),
        "One step size for all modes.": h * m * h / (h**3 * m + h * c),
    }
    says = "For h = [1, 0.1], c = [2, 0.5] and m = [1, 10] it should be 0.3595."
    expect(f(h, c, m), right, says, slips, form=ONE)


@case("14.5")
def greedy_of_one_mode(f):
    got = f(np.array([2.0]), np.array([0.0]), np.array([5.0]))
    expect(got, 0.5, "One mode without noise: one step of 1/h ends at the minimum.", form=ONE)


@case("14.5", hidden=True)
def greedy_is_the_lowest_point(f):
    draw = np.random.default_rng(145)
    for number in (1, 2, 5):
        h, c = 10.0 ** draw.uniform(-2, 0, number), 10.0 ** draw.uniform(-3, 0, number)
        m = 10.0 ** draw.uniform(-2, 2, number) / h
        cost = lambda eta: np.sum(h * ((1 - eta * h) ** 2 * m + eta**2 * c)) / 2
        left, middle, right = cost(0.0), cost(1.0), cost(2.0)  # a parabola
        lowest = 1 + (left - right) / (2 * (left - 2 * middle + right))
        got = f(h, c, m)
        says = f"With {number} modes the next cost is lowest at {lowest:.5f}, above 1/h_max or not."
        expect(got, lowest, says, form=ONE, rtol=1e-6)
