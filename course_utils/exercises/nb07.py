"""Exercises of notebook 7: Adam, AdamW, and layers that cannot feel their length."""

import jax.numpy as jnp
import numpy as np
import optax

from course_utils.exercises import case, expect, expect_all_digits

# --- 7.1 · A step of Adam -------------------------------------------------------------------------

STATE = "It gives w, (m, v, k): the new weights, and the new state as a tuple of three."


def adam_reference(w, gradients, step_size, b1, b2, eps):
    """The weights and the state after Adam's steps on the given gradients, from their sums."""
    for k in range(1, len(gradients) + 1):
        past = np.stack(gradients[:k])
        age = np.arange(k - 1, -1, -1).reshape(-1, *[1] * (past.ndim - 1))
        m = np.sum((1 - b1) * b1**age * past, axis=0)
        v = np.sum((1 - b2) * b2**age * past**2, axis=0)
        m_hat, v_hat = m / (1 - b1**k), v / (1 - b2**k)
        w = w - step_size * m_hat / (np.sqrt(v_hat) + eps)
    return w, (m, v, k)


def fresh(w):
    return np.zeros_like(w), np.zeros_like(w), 0


@case("7.1")
def adam_first_step_by_hand(f):
    w, g = np.array([1.0, 1.0]), np.array([2.0, -0.5])
    state = fresh(w)
    got = f(w, g, state, 0.1, 0.9, 0.999, 0.0)
    untouched = np.all(w == 1) and np.all(g == [2, -0.5]) and not state[0].any()
    untouched = untouched and not state[1].any()
    assert untouched, "Your function has changed an array that it was given: +=, *= write into it."
    m, v = np.array([0.2, -0.05]), np.array([0.004, 0.00025])
    sign, new = np.array([1.0, -1.0]), np.array([0.9, 1.1])
    bare = w - 0.1 * m / np.sqrt(v)
    slips = {
        "No bias correction: divide m by 1 - b1**k and v by 1 - b2**k.": (bare, (m, v, 1)),
        "m is not corrected: divide it by 1 - b1**k.": (w - 0.01 * sign, (m, v, 1)),
        "v is not corrected: divide it by 1 - b2**k.": (
            w - 0.1 * sign / np.sqrt(0.001),
            (m, v, 1),
        ),
        "Uphill: the step is subtracted.": (w + 0.1 * sign, (m, v, 1)),
        "b1 and b2 are swapped: b1 belongs to m.": (
            new,
            (0.001 * g, 0.1 * g**2, 1),
        ),
        "The state keeps the uncorrected m and v.": (new, (g, g**2, 1)),
        "k counts the steps: after this one it is 1.": (new, (m, v, 0)),
        "v is a mean of squares: g**2.": (
            w - 0.1 * g / np.sqrt(np.abs(g)),
            (m, 0.001 * np.abs(g), 1),
        ),
        "v is a mean of g**2, not of m**2.": (
            w - 0.1 * g / np.sqrt(m**2),
            (m, 0.001 * m**2, 1),
        ),
        "The new state is missing: give w, (m, v, k).": new,
        "The state is one thing, a tuple of three: w, (m, v, k).": (new, m, v, 1),
        "Divided by v itself: take the root.": (w - 0.1 / g, (m, v, 1)),
        "beta and 1 - beta are swapped: the old mean keeps the large part.": (
            new,
            (0.9 * g, 0.999 * g**2, 1),
        ),
    }
    with np.errstate(all="ignore"):
        finite = np.all(np.isfinite(np.asarray(got[0], float))) if isinstance(got, tuple) else True
    assert finite, "Not finite: in the first step k is 1, not 0, or 1 - b1**k is 0."
    says = "For w = [1, 1], g = [2, -0.5] the first step gives w = [0.9, 1.1]; see the example."
    expect(got, (new, (m, v, 1)), says, slips, form=STATE)


@case("7.1")
def adam_where_eps_counts(f):
    w, g = np.array([1.0]), np.array([1e-4])
    got, _ = f(w, g, fresh(w), 0.1, 0.9, 0.999, 1e-4)
    slips = {
        "eps stands outside the root.": w - 0.1 * g / np.sqrt(g**2 + 1e-4),
        "eps is added to the corrected root, not to the root of v.": (
            w - 0.1 * g / (np.abs(g) + 1e-4 / np.sqrt(0.001))
        ),
        "eps is missing.": w - 0.1,
    }
    says = "For g = eps = 1e-4 the first step should be half of step_size."
    expect(got, w - 0.05, says, slips, rtol=1e-7)


@case("7.1")
def adam_three_steps(f):
    gradients = [np.array([1.0, 3.0]), np.array([-1.0, 0.0]), np.array([0.5, 1.0])]
    w, state = np.zeros(2), fresh(np.zeros(2))
    for number in (1, 2, 3):
        w, state = f(w, gradients[number - 1], state, 0.1, 0.5, 0.8, 1e-8)
        right = adam_reference(np.zeros(2), gradients[:number], 0.1, 0.5, 0.8, 1e-8)
        says = (
            f"Step {number} of a run is wrong, though the first is right: does the state carry the "
            "uncorrected m and v, and is k the number of this step?"
        )
        if number == 1:
            says = "Wrong for b1 = 0.5, b2 = 0.8: use the b1, b2 and step_size given."
        expect((w, state), right, says, form=STATE, rtol=1e-7)


@case("7.1", hidden=True)
def adam_is_optax_adam(f):
    draw = np.random.default_rng(71)
    w = jnp.asarray(draw.normal(size=(3, 2)))
    adam = optax.adam(0.03, b1=0.8, b2=0.95, eps=1e-3)
    theirs, memory = w, adam.init(w)
    state = jnp.zeros((3, 2)), jnp.zeros((3, 2)), 0
    for number in range(1, 8):
        g = jnp.asarray(draw.normal(size=(3, 2)) * 10.0 ** draw.integers(-4, 2, (3, 2)))
        change, memory = adam.update(g, memory)
        theirs = theirs + change
        w, state = f(w, g, state, 0.03, 0.8, 0.95, 1e-3)
        says = f"Step {number} with weights of shape (3, 2) differs from optax.adam."
        expect_all_digits(w, theirs, says, rtol=1e-9, atol=1e-11)
        expect(state[2], number, f"After {number} steps k should be {number}.")


# --- 7.2 · Where AdamW rests ----------------------------------------------------------------------

ONE = "One number."


@case("7.2")
def resting_point_at_the_wall(f):
    slips = {
        "That is ridge: l2 inside the gradient. Here the decay stands beside m/sqrt(v).": -6 / 2.8,
        "The push of Adam is a sign, not the gradient, and not w itself.": -3 / 1.8,
        "The wall stands at 1/decay, not at decay.": -0.8,
        "The sign: it rests on the side of w_star.": 1.25,
        "That is w_star: decay is missing, or one of the two walls is.": -3.0,
        "Beyond the wall it is cut off, not shortened by 1/decay.": -1.75,
        "A negative w_star does not end at 0.": 0.0,
        "That is an l1 penalty's: there the decay is a sign. Here the push is, and the decay is "
        "decay * w.": -3.0 + 0.8 / 2,
    }
    says = "For h = 2, w_star = -3 and decay = 0.8 it rests at -1.25."
    expect(f(2.0, -3.0, 0.8), -1.25, says, slips, form=ONE)


@case("7.2")
def resting_point_inside(f):
    slips = {
        "Inside the wall no decay is felt: 1/decay is 10, and w_star is nearer.": 10.0,
        "That is ridge: inside the wall AdamW does not shrink at all.": 1.0 / 0.6,
        "Inside the wall AdamW does not shrink at all.": 2.0 / 1.1,
        "It moves towards w_star, and stops there.": -2.0,
    }
    says = "For h = 0.5, w_star = 2 and decay = 0.1 it rests at w_star: 0.1 * 2 is less than 1."
    expect(f(0.5, 2.0, 0.1), 2.0, says, slips, form=ONE)
    expect(f(0.5, 0.0, 0.1), 0.0, "For w_star = 0 it rests at 0.", form=ONE)


@case("7.2")
def resting_point_at_the_other_wall(f):
    slips = {"Both walls stand at 1/decay; the sign is that of w_star.": -0.5}
    says = "For h = 0.5, w_star = 2 and decay = 2 it rests at 0.5."
    expect(f(0.5, 2.0, 2.0), 0.5, says, slips, form=ONE)


@case("7.2", hidden=True)
def resting_point_is_where_a_run_ends(f):
    draw = np.random.default_rng(72)
    h, w_star = draw.uniform(0.3, 3, 30), draw.normal(scale=3, size=30)
    decay = 10 ** draw.uniform(-1, 1, 30)
    keep = np.abs(np.abs(w_star) * decay - 1) > 0.2  # near a wall the approach is slow
    h, w_star, decay = h[keep], w_star[keep], decay[keep]
    w = m = v = np.zeros_like(h)
    num_steps = 4000
    for k in range(1, num_steps + 1):
        g = h * (w - w_star)
        m, v = 0.9 * m + 0.1 * g, 0.95 * v + 0.05 * g**2
        push = m / (1 - 0.9**k) / (np.sqrt(v / (1 - 0.95**k)) + 1e-12)
        w = w - 0.03 * (1 - k / num_steps) * (push + decay * w)
    for one in zip(h, w_star, decay, w):
        got = f(*map(float, one[:3]))
        says = "For h = {:.2f}, w_star = {:.2f}, decay = {:.2f} a run ends at {:.3f}.".format(*one)
        expect(got, one[3], says, form=ONE, rtol=0, atol=0.01)
        inside = abs(got) < 1 / one[2] - 1e-9
        exact = abs(got - one[1]) < 1e-6 if inside else abs(abs(got) - 1 / one[2]) < 1e-6
        assert exact, says


# --- 7.3 · What the turns add up to ---------------------------------------------------------------


@case("7.3")
def mean_log_cos_by_hand(f):
    shrink, grow = -np.log(0.9), np.log(2.0)
    slips = {
        "-log(1 - x) is x only to first order.": 0.1 + grow / 10,
        "To first order, and the lengths?": 0.1,
        "The lengths are missing: |w| has doubled.": shrink,
        "The ratio of the lengths is upside down.": shrink - grow / 10,
        "The lengths count once, not in every step: divide by num_steps.": shrink + grow,
        "That is the sum of all steps; the mean is asked for.": 10 * shrink + grow,
        "The sign of decay: each step keeps 1 - step_size * decay.": grow / 10 - np.log(1.1),
        "The sign: -log of something below 1 is positive.": grow / 10 - shrink,
        "The sign of the whole.": -(shrink + grow / 10),
        "That is an angle; the mean of -log cos is another number.": np.sqrt(0.2),
        "Natural logarithms.": (shrink + grow / 10) / np.log(10),
        "The logarithm of the ratio, not the ratio.": shrink + 0.2,
    }
    says = "For eta = 0.5, lambda = 0.2, 10 steps and lengths from 2 to 4 it is 0.1747."
    expect(f(0.5, 0.2, 10, 2.0, 4.0), shrink + grow / 10, says, slips, form=ONE)


@case("7.3")
def mean_log_cos_without_decay(f):
    slips = {"The ratio of the lengths is upside down.": -np.log(3.0) / 4}
    says = "Without decay, in 4 steps from length 1 to 3, it is log(3)/4."
    expect(f(0.7, 0.0, 4, 1.0, 3.0), np.log(3.0) / 4, says, slips, form=ONE)


@case("7.3", hidden=True)
def mean_log_cos_of_a_run(f):
    draw = np.random.default_rng(73)
    for num_steps, step_size, decay in [(1, 0.3, 0.5), (7, 1.0, 0.2), (60, 0.05, 3.0)]:
        a, w = draw.normal(size=3), draw.normal(size=3)
        first, turns = np.linalg.norm(w), []
        for _ in range(num_steps):
            size = np.linalg.norm(w)
            g = a / size - (a @ w) * w / size**3  # of (a . w) / |w|
            new = (1 - step_size * decay) * w - step_size * g
            turns.append(-np.log(w @ new / size / np.linalg.norm(new)))
            w = new
        got = f(step_size, decay, num_steps, first, np.linalg.norm(w))
        says = (
            f"A run of {num_steps} steps on (a . w)/|w|, with step size {step_size} and decay "
            f"{decay}, has the mean {np.mean(turns):.6f}."
        )
        expect_all_digits(got, np.mean(turns), says, form=ONE, rtol=1e-8, atol=1e-10)


# --- 7.4 · A schedule without decay ---------------------------------------------------------------

RATES = "One learning rate for each step, shape (T,)."


@case("7.4")
def schedule_by_hand(f):
    lrs, keeps = np.full(3, 0.25), np.full(3, 0.5)
    got = f(lrs, keeps)
    assert np.all(lrs == 0.25) and np.all(keeps == 0.5), "Your function has changed its arguments."
    slips = {
        "Once for the length of u, once for the gradient: C_t C_(t+1), and this is C_t squared.": [
            0.25,
            1.0,
            4.0,
        ],
        "The step is divided by C_(t+1), the gradient by C_t: not twice by C_(t+1).": [1.0, 4, 16],
        "The gradient has changed, too: g(C u) = g(u) / C.": [0.5, 1.0, 2.0],
        "That is one factor 1/C_t: the other one, of the step, is C_(t+1).": [0.25, 0.5, 1.0],
        "That is lr / keep: the decays of all earlier steps count, too, for u and, by (7.5), for "
        "its gradient.": [0.5, 0.5, 0.5],
        "C is the product of all keeps so far, not the last one twice.": [1.0, 1.0, 1.0],
        "It grows: divide by C_t C_(t+1).": [0.125, 0.03125, 0.0078125],
        "In reverse order: the decay has shrunk the last weights most.": [8.0, 2.0, 0.5],
        "One rate for each step: that is one too many.": [0.5, 2.0, 8.0, 32.0],
        "keeps is used once too often: C_0 is 1.": [2.0, 8.0, 32.0],
    }
    says = "For three halvings with lrs of 0.25 the learning rates are [0.5, 2, 8]."
    expect(got, [0.5, 2.0, 8.0], says, slips, form=RATES)


@case("7.4")
def schedule_of_unequal_steps(f):
    got = f(np.array([1.0, 2.0, 3.0]), np.array([1.0, 0.5, 0.25]))
    slips = {
        "C_t is the product of the keeps before step t; this takes a power of the first.": [
            1.0,
            2.0,
            3.0,
        ],
        "Each step has a learning rate of its own in lrs.": [1.0, 2.0, 16.0],
    }
    says = (
        "lrs and keeps may change from step to step: for lrs = [1, 2, 3] and "
        "keeps = [1, 0.5, 0.25] the rates are [1, 4, 48]."
    )
    expect(got, [1.0, 4.0, 48.0], says, slips, form=RATES)


def pull(w):
    """The gradient of a sum of (a . w) / |w| and its square: a scale-invariant loss."""
    a, c = np.array([1.0, -2.0, 0.5, 0.0, 1.0]), np.array([0.3, 1.0, 1.0, -1.0, 0.0])
    size = np.linalg.norm(w)
    unit = w / size
    at_unit = a + 2 * (c @ unit) * c
    return (at_unit - unit * (unit @ at_unit)) / size


@case("7.4", hidden=True)
def schedule_turns_as_the_run_with_decay(f):
    draw = np.random.default_rng(74)
    for num_steps in (1, 2, 50):
        lrs = draw.uniform(0.01, 0.3, num_steps)
        keeps = draw.uniform(0.6, 1.05, num_steps)
        rates = np.asarray(f(jnp.asarray(lrs), jnp.asarray(keeps)), dtype=float)
        expect(rates.shape, (num_steps,), f"For {num_steps} steps the shape should be as many.")
        w = u = draw.normal(size=5)
        for k in range(num_steps):
            w, u = keeps[k] * w - lrs[k] * pull(w), u - rates[k] * pull(u)
            off = np.abs(w / np.linalg.norm(w) - u / np.linalg.norm(u)).max()
            says = f"With random lrs and keeps the runs part at step {k + 1} of {num_steps}."
            assert off < 1e-9, says


# --- 7.5 · Equilibrium ----------------------------------------------------------------------------

TWO = "Two numbers: the length, and the angle in radians."


@case("7.5")
def equilibrium_by_hand(f):
    norm, angle = (0.5 * 9 / (0.4 * 1.8)) ** 0.25, np.arccos(0.8)
    slips = {
        "Both are limits for small eta lambda; here it is 0.2.": (
            (0.5 * 9 / 0.8) ** 0.25,
            np.sqrt(0.4),
        ),
        "The length is its limit for small eta lambda: keep 2 - eta lambda.": (
            (0.5 * 9 / 0.8) ** 0.25,
            angle,
        ),
        "sqrt(2 eta lambda) is the limit for small angles: what is the cosine?": (
            norm,
            np.sqrt(0.4),
        ),
        "The fourth root, not the square root.": (norm**2, angle),
        "That is |w|^4: take the fourth root.": (norm**4, angle),
        "In radians.": (norm, np.degrees(angle)),
        "g_unit is squared in (7.8).": ((0.5 * 3 / 0.72) ** 0.25, angle),
        "eta and lambda are swapped under the root.": ((0.4 * 9 / (0.5 * 1.8)) ** 0.25, angle),
        "eta squared over eta lambda leaves one eta.": ((0.25 * 9 / 0.72) ** 0.25, angle),
        "The angle itself, not its cosine.": (norm, 0.8),
        "The length comes first.": (angle, norm),
        "The angle of a step: its sine or its tangent is another number.": (norm, np.arcsin(0.8)),
    }
    says = "For eta = 0.5, lambda = 0.4 and g_unit = 3 it is (1.581, 0.6435)."
    expect(f(0.5, 0.4, 3.0), (norm, angle), says, slips, form=TWO)


@case("7.5", hidden=True)
def equilibrium_is_where_the_iteration_ends(f):
    for step_size, decay, g_unit in [(0.3, 0.5, 2.0), (2.0, 0.3, 0.1), (0.05, 4.0, 30.0)]:
        along, size = 1 - step_size * decay, 1.0
        for _ in range(2000):
            size, before = np.hypot(along * size, step_size * g_unit / size), size
        angle = np.arctan2(step_size * g_unit / before, along * before)
        says = (
            f"(7.8), repeated for eta = {step_size}, lambda = {decay}, g_unit = {g_unit}, ends at "
            f"{size:.4f}, with turns of {angle:.4f}."
        )
        expect(f(step_size, decay, g_unit), (size, angle), says, form=TWO, rtol=1e-6)
