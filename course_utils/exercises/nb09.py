"""Exercises of notebook 9: gradient descent on noisy gradients, and the batch that it needs."""

import numpy as np

from course_utils.exercises import case, expect, expect_all_digits

ONE = "One number."

# --- 9.1 · The expected cost ----------------------------------------------------------------------


def cost_by_steps(h, c, x0, step_size, batch, k):
    """Half of the sum of h E x^2 after k steps, one step after the other."""
    square = np.array(x0, dtype=float) ** 2
    for _ in range(k):
        square = (1 - step_size * h) ** 2 * square + step_size**2 * c / batch
    return 0.5 * np.sum(h * square)


@case("9.1")
def expected_cost_by_hand(f):
    h, c, x0 = np.array([2.0, 0.5]), np.array([2.0, 1.0]), np.array([1.0, -3.0])
    got = f(h, c, x0, 0.3, 4, 3)
    untouched = np.all(h == [2, 0.5]) and np.all(c == [2, 1]) and np.all(x0 == [1, -3])
    assert untouched, "Your function has changed an array that it was given: +=, *= write into it."
    s = 0.3 * c / (4 * h * (2 - 0.3 * h))
    fade = (1 - 0.3 * h) ** 6

    def cost(floor, fade=fade, start=x0**2):
        return 0.5 * h @ (floor + fade * (start - floor))

    right = cost(s)
    each = 0.5 * h * (s + fade * (x0**2 - s))
    slips = {
        "Each mode should be summed up: the cost is one number.": each,
        "The noise is missing: the floor s.": cost(0 * s),
        "The noise of a step is step_size * noise, so step_size counts squared in its square.": (
            cost(s / 0.3)
        ),
        "E x^2 fades with the square of 1 - step_size * h: the power is 2k.": cost(
            s, (1 - 0.3 * h) ** 3
        ),
        "The cost has a factor 1/2.": 2 * right,
        "Each mode counts with its curvature h in the cost.": 0.5 * np.sum(each * 2 / h),
        "The batch is missing: averaging over it divides the variance.": cost(4 * s),
        "The variance is divided by the batch, not by its square.": cost(s / 4),
        "The variance is divided by the batch, not by its root.": cost(2 * s),
        "The start counts squared: x0**2.": cost(s, start=x0),
        "The floor is not simply added: at step 0 there is none of it yet.": 0.5
        * h
        @ (s + fade * x0**2),
        "That floor is its limit for small steps: keep 2 - step_size * h.": cost(
            0.3 * c / (2 * 4 * h)
        ),
        "What is squared at the start is x0 alone, without the floor.": 0.5
        * h
        @ (s + fade * (x0 - s) ** 2),
        "exp(-2 step_size h k) is a limit for small steps.": cost(s, np.exp(-2 * 0.3 * h * 3)),
        "c is a variance already: do not square it.": cost(s * c),
        "One step too many.": cost(s, (1 - 0.3 * h) ** 8),
        "One step too few.": cost(s, (1 - 0.3 * h) ** 4),
        "That is the cost at the floor, after many steps; here k is 3.": 0.5 * h @ s,
        "That is a sum of squares without h, and without the 1/2.": np.sum(each * 2 / h),
    }
    expect(got, right, f"The example should give {right:.4f}.", slips, form=ONE)


@case("9.1")
def expected_cost_at_the_start(f):
    h, c, x0 = np.array([3.0, 1.0]), np.array([5.0, 2.0]), np.array([2.0, 1.0])
    says = "After 0 steps the cost is that of the start, 6.5, whatever the noise."
    slips = {"At step 0 there is no noise yet.": 6.5 + 0.5 * h @ (0.2 * c / (h * (2 - 0.2 * h)))}
    expect(f(h, c, x0, 0.2, 1, 0), 6.5, says, slips, form=ONE)


@case("9.1")
def expected_cost_of_one_mode(f):
    h, c, x0 = np.array([1.0]), np.array([8.0]), np.array([0.0])
    slips = {
        "c and h are two things: the variance of the noise, and the curvature.": 0.5 * 0.25 / 2,
    }
    says = "One mode that starts at 0, with h = 1, c = 8, step size 0.5, B = 2, has cost 0.5 at 1."
    expect(f(h, c, x0, 0.5, 2, 1), 0.5, says, slips, form=ONE)


@case("9.1", hidden=True)
def expected_cost_is_that_of_the_recursion(f):
    draw = np.random.default_rng(91)
    for modes, k in [(1, 1), (4, 7), (30, 40)]:
        h, c = draw.uniform(0.1, 2.0, modes), draw.uniform(0, 3, modes)
        x0, step_size = draw.normal(size=modes), 0.9  # beyond 1/h for some modes
        right = cost_by_steps(h, c, x0, step_size, 5, k)
        says = (
            f"With {modes} modes, some beyond 1/h, the cost after {k} steps should be {right:.6f}."
        )
        expect_all_digits(f(h, c, x0, step_size, 5, k), right, says, form=ONE)


# --- 9.2 · The best step --------------------------------------------------------------------------


@case("9.2")
def best_step_by_hand(f):
    g, H = np.array([1.0, 2.0]), np.array([[3.0, 1.0], [1.0, 2.0]])
    Sigma = np.array([[1.0, 0.5], [0.5, 6.0]])
    got = f(g, H, Sigma, 5)
    below, noise = g @ H @ g, np.trace(H @ Sigma)
    slips = {
        "The noise is missing: tr(H Sigma) / B.": 5 / below,
        "The noise counts with the curvature: tr(H Sigma), not tr(Sigma).": 5
        / (below + np.trace(Sigma) / 5),
        "That is the noise scale without the Hessian, tr(Sigma) / |g|^2.": 5
        / below
        / (1 + np.trace(Sigma) / 5 / 5),
        "Noise in the direction of g alone is too little: every direction costs.": 5
        / (below + g @ Sigma @ g / 5),
        "The noise is divided by the batch, not multiplied.": 5 / (below + 5 * noise),
        "The batch is missing: the noise of its mean is Sigma / B.": 5 / (below + noise),
        "The numerator is g @ g, without a root.": np.sqrt(5) / (below + noise / 5),
        "tr(H Sigma) is not made of the two diagonals alone.": 5
        / (below + np.diag(H) @ np.diag(Sigma) / 5),
        "That step leaves the expected cost as it was: the best one is half as long.": 10
        / (below + noise / 5),
        "The second-order term has a factor 1/2, which differentiating removes.": 2.5
        / (below + noise / 5),
        "The variance is divided by the batch, not by its root.": 5 / (below + noise / np.sqrt(5)),
        "The traces do not multiply: tr(H Sigma) is not tr(H) tr(Sigma).": 5
        / (below + np.trace(H) * np.trace(Sigma) / 5),
        "The sum of all entries is not the trace.": 5 / (below + np.sum(H @ Sigma) / 5),
        "Upside down: |g|^2 stands above.": (below + noise / 5) / 5,
        "One step size for all directions.": np.linalg.solve(H, g),
        "That is the step, not the step size.": 5 / (below + noise / 5) * g,
        "The sign: descent subtracts step_size * g, so step_size is positive.": -5
        / (below + noise / 5),
    }
    expect(got, 5 / (below + noise / 5), "The example should give 0.2747.", slips, form=ONE)


@case("9.2")
def best_step_without_noise(f):
    g, H = np.array([3.0, 4.0]), np.diag([1.0, 2.0])
    slips = {"Without noise it is |g|^2 / (g H g).": 0.5}
    says = "Without noise, for g = [3, 4] and H = diag(1, 2), it is 25/41."
    expect(f(g, H, np.zeros((2, 2)), 1), 25 / 41, says, slips, form=ONE)


@case("9.2", hidden=True)
def best_step_minimises_the_mean_cost_of_all_batches(f):
    draw = np.random.default_rng(92)
    for D, batch in [(2, 1), (3, 2), (6, 2)]:
        root = draw.normal(size=(D, D))
        H, gradients = root @ root.T / D + np.eye(D), draw.normal(size=(7, D)) + 0.5
        g = gradients.mean(axis=0)
        Sigma = (gradients - g).T @ (gradients - g) / 7
        pairs = np.stack(np.meshgrid(np.arange(7), np.arange(7)), -1).reshape(-1, 2)
        drawn = gradients[pairs[:, :batch]].mean(axis=1)  # every batch of 1, or of 2, once
        slope = np.mean(drawn @ g)
        bend = np.mean(np.sum(drawn @ H * drawn, axis=1))
        right = slope / bend  # of slope * step - bend * step^2 / 2
        says = f"With {D} weights and every batch of {batch} from 7 examples it is {right:.6f}."
        expect_all_digits(f(g, H, Sigma, batch), right, says, form=ONE)


# --- 9.3 · The noise scale at rest ----------------------------------------------------------------


@case("9.3")
def noise_scale_by_hand(f):
    h, c = np.array([2.0, 0.5]), np.array([2.0, 1.0])
    got = f(h, c, 0.4, 4)
    s = 0.4 * c / (4 * h * (2 - 0.4 * h))
    right = 3 / np.sum(h**2 * s)
    slips = {
        "That is its limit for small steps: keep 2 - step_size * h.": 2 * 4 / 0.4 * 3 / (h @ c),
        "The gradient of a mode is h x, so its square is h^2 x^2: that is the mean of x^2.": 3
        / np.sum(s),
        "The gradient of a mode is h x, so h counts squared: that is h x^2.": 3 / np.sum(h * s),
        "The sum of the modes above, the sum of the modes below: not a mode's own ratio.": np.sum(
            c / (h**2 * s)
        ),
        "One number: sum over the modes, above and below.": c / (h**2 * s),
        "Not the mean of the modes' ratios.": np.mean(c / (h**2 * s)),
        "Upside down: the noise stands above.": 1 / right,
        "Off by a factor B: above stands the noise of one example, c; below the floor s of (9.4), "
        "whose noise is that of a batch, c / B.": right / 4,
        "Below stands the mean gradient g, not g_B with the noise of its batch.": 3
        / (np.sum(h**2 * s) + 3 / 4),
        "With the root of it: |g|^2 is a square.": 3 / np.sqrt(np.sum(h**2 * s)),
        "The step size is missing in the floor.": 3 / np.sum(h**2 * s / 0.4),
        "step_size is once too often in the floor: (9.4) has it once.": 3 / np.sum(h**2 * s * 0.4),
        "That is the noise scale with the Hessian, tr(H Sigma) / g H g.": (h @ c)
        / np.sum(h**3 * s),
        "The batch stands below in the floor, not above.": 3 / np.sum(h**2 * s * 16),
        "The floor s is E x^2 already: do not square it.": 3 / np.sum(h**2 * s**2),
        "That is a cost, not the square of a gradient.": 3 / np.sum(0.5 * h * s),
    }
    expect(got, right, f"The example should give {right:.4f}.", slips, form=ONE)


@case("9.3")
def noise_scale_of_one_mode(f):
    slips = {
        "c drops out with one mode: it makes the noise, and the gradient, too.": 12.0 * 3,
    }
    says = "With one mode, h = 1, c = 3, a step size of 0.5 and B = 4 it is 12."
    expect(f(np.array([1.0]), np.array([3.0]), 0.5, 4), 12.0, says, slips, form=ONE)


@case("9.3", hidden=True)
def noise_scale_is_that_of_a_long_run(f):
    draw = np.random.default_rng(93)
    for modes in (1, 3, 40):
        h, c = 10 ** draw.uniform(-3.5, 0, modes), draw.uniform(0.1, 3, modes)
        for step_size, batch in [(0.03, 1), (1.5, 7)]:
            square, push = np.zeros(modes), step_size**2 * c / batch
            keep = (1 - step_size * h) ** 2
            for _ in range(30):  # 2^30 steps: two runs of equal length make one of twice that
                square, keep, push = keep * square + push, keep**2, push * (1 + keep)
            right = np.sum(c) / np.sum(h**2 * square)
            says = (
                f"With {modes} modes, the flattest of curvature {h.min():.4f}, step size "
                f"{step_size} and B = {batch} a run comes to rest at {right:.4f}."
            )
            expect_all_digits(f(h, c, step_size, batch), right, says, form=ONE)


# --- 9.4 · Two batch sizes ------------------------------------------------------------------------

TWO = "Two numbers: the squared length of the mean gradient, and the trace of Sigma."


@case("9.4")
def two_batches_by_hand(f):
    slips = {
        "The larger batch still has noise in it: |g|^2 + tr(Sigma) / B.": (3.5, 12.0),
        "The batches are swapped: q_small belongs to b_small.": (9.5, -12.0),
        "Divide by 1/b_small - 1/b_big, not by the difference of the batches.": (2.0, 0.75),
        "The sign of the trace: the smaller batch has the larger squares.": (2.0, -12.0),
        "Both are asked for, not their ratio.": 6.0,
        "The mean of both has the noise of both in it.": (5.75, 12.0),
        "In the other order: first the squared length, then the trace.": (12.0, 2.0),
        "That is the noise of the small batch: times b_small it is that of one example.": (
            2.0,
            6.0,
        ),
        "The first is a squared length: no root.": (np.sqrt(2), 12.0),
        "tr(Sigma) is that of one example: multiply by b_small.": (2.0, 4.5),
        "That takes the larger batch for noiseless.": (3.5, 9.0),
    }
    says = "For squares of 8 at B = 2 and of 3.5 at B = 8 it is (2, 12)."
    expect(f(8.0, 3.5, 2, 8), (2.0, 12.0), says, slips, form=TWO)


@case("9.4")
def two_batches_of_one_and_many(f):
    says = "For squares of 11 at B = 1 and of 1.1 at B = 100 it is (1, 10)."
    expect(f(11.0, 1.1, 1, 100), (1.0, 10.0), says, form=TWO)


@case("9.4", hidden=True)
def two_batches_are_right_on_average(f):
    draw = np.random.default_rng(94)
    g, scales = np.array([0.1, -0.2, 0.1]), np.array([1.0, 2.0, 0.5])
    small, big = (g + scales * draw.normal(size=(4000, 3)) / np.sqrt(batch) for batch in (2, 6))
    pairs = zip(np.sum(small**2, axis=1), np.sum(big**2, axis=1))
    got = np.array([f(float(q), float(r), 2, 6) for q, r in pairs])
    assert got.shape == (4000, 2), TWO
    right = np.array([g @ g, scales @ scales])
    error = got.std(axis=0) / np.sqrt(4000)
    says = (
        "On average over many pairs it should be unbiased. A single estimate may be negative: "
        "do not cut it off."
    )
    assert np.all(np.abs(got.mean(axis=0) - right) < 4.5 * error), says
    expect(f(1.0, 2.0, 1, 2), (3.0, -2.0), says, form=TWO)


# --- 9.5 · Noise that dies with the error ---------------------------------------------------------

PAIR = "Two numbers: the step size, and the factor by which a step multiplies E|e|^2."


@case("9.5")
def interpolation_by_hand(f):
    slips = {
        "That is the limit of the largest batches: the noise is missing.": (1.0, 0.0),
        "E(x x^T)^2 is (d + 2) I, of which I belongs to the mean: d + 1 are noise.": (
            1 / 6.25,
            1 - 1 / 6.25,
        ),
        "Without noise the best step would be 1; yours would grow without end.": (1 / 5, 4 / 5),
        "The noise scale is d + 1, not d.": (1 / 5.75, 1 - 1 / 5.75),
        "That is the factor for the length of e; asked for is that of its square.": (
            1 / 6,
            np.sqrt(5 / 6),
        ),
        "At that step size nothing is gained: the best is half of it.": (1 / 3, 1.0),
        "That is what a step takes away; asked for is what it leaves.": (1 / 6, 1 / 6),
        "The factor is not that of the mean of e: its square has the noise in it.": (
            1 / 6,
            25 / 36,
        ),
        "The batch is missing: the noise of its mean is divided by B.": (1 / 21, 20 / 21),
        "In the other order: first the step size, then the factor.": (5 / 6, 1 / 6),
        "Both are asked for: the step size, and the factor.": 1 / 6,
    }
    says = "For d = 19 and B = 4 it is (1/6, 5/6)."
    expect(f(19, 4), (1 / 6, 5 / 6), says, slips, form=PAIR)


@case("9.5")
def interpolation_of_one_at_a_time(f):
    says = "For d = 1 and B = 1 it is (1/3, 2/3)."
    expect(f(1, 1), (1 / 3, 2 / 3), says, form=PAIR)


@case("9.5", hidden=True)
def interpolation_is_exact(f):
    nodes, weights = np.polynomial.hermite_e.hermegauss(3)  # exact up to fifth powers
    weights = weights / weights.sum()
    for d, batch in [(3, 1), (2, 3), (1, 5), (5, 1)]:
        grid = np.stack(np.meshgrid(*[nodes] * (d * batch)), -1).reshape(-1, batch, d)
        chance = np.prod(np.stack(np.meshgrid(*[weights] * (d * batch)), -1), axis=-1).ravel()
        push = np.einsum("rbd,rb->rd", grid, grid[..., 0]) / batch  # at the error (1, 0, 0, ...)
        slope, bend = chance @ push[:, 0], chance @ np.sum(push**2, axis=1)
        right = slope / bend, 1 - slope**2 / bend
        says = f"For d = {d} and B = {batch} it is ({right[0]:.4f}, {right[1]:.4f})."
        expect_all_digits(f(d, batch), right, says, form=PAIR)
