"""Exercises of notebook 11: rates of the heavy ball, its best pair, and what changes underway."""

import numpy as np

from course_utils.exercises import case, expect, expect_all_digits

ONE = "One number."


def matrix(h, step_size, momentum):
    """One step of the heavy ball along a mode, on (e_k, e_(k-1))."""
    return np.array([[1 + momentum - step_size * h, -momentum], [1.0, 0.0]])


def growth(matrices, num_rounds=3000):
    """How much a run grows in a round of these steps, from the second half of a long run."""
    state, logs = np.array([1.0, 0.3]), []
    for _ in range(num_rounds):
        for M in matrices:
            state = M @ state
        size = np.linalg.norm(state)
        state, logs = state / size, [*logs, np.log(size)]
    return np.exp(np.mean(logs[num_rounds // 2 :]))


def finite(got, hint):
    try:
        good = bool(np.all(np.isfinite(np.asarray(got, complex))))
    except (TypeError, ValueError):
        return
    assert good, hint


# --- 11.1 · The rate ------------------------------------------------------------------------------

COMPLEX = "Not finite: the roots are complex here. What is their modulus?"


@case("11.1")
def rate_of_complex_roots(f):
    got = f(2.0, 0.25, 0.49)
    finite(got, COMPLEX)
    slips = {
        "That is descent's factor |1 - step_size * h|: momentum is missing.": 0.5,
        "The product of the roots is momentum; the modulus of one is its square root.": 0.49,
        "That is the real part: the modulus of a complex root has an imaginary part, too.": 0.495,
        "For complex roots the modulus is not the real plus the imaginary part.": 0.495
        + np.sqrt(0.49 - 0.495**2),
        "Both roots: give the larger modulus alone.": [0.7, 0.7],
    }
    says = "For h = 2, step_size = 0.25 and momentum = 0.49 the rate is 0.7."
    expect(got, 0.7, says, slips, form=ONE)


@case("11.1")
def rate_of_a_shallow_mode(f):
    got = f(2.0, 0.03, 0.49)
    right, other = 0.5 * (1.43 + np.sqrt(1.43**2 - 1.96)), 0.5 * (1.43 - np.sqrt(1.43**2 - 1.96))
    slips = {
        "sqrt(momentum) is right on complex roots alone: here both are real.": 0.7,
        "That is descent's factor |1 - step_size * h|: momentum is missing.": 0.94,
        "That is the smaller root: the larger one decides.": other,
        "That is the product of the roots.": 0.49,
        "That is twice the root: divide by 2.": 2 * right,
        "That is half the sum of the roots: their difference is missing.": 0.715,
        "(1 - momentum) times the step is an average's: (11.1) takes the whole step.": 0.5
        * (1.4594 + np.sqrt(1.4594**2 - 1.96)),
        "The curvature h is missing: the step is step_size * h.": 0.5
        * (1.46 + np.sqrt(1.46**2 - 1.96)),
        "Both roots: give the larger modulus alone.": [right, other],
    }
    says = "For h = 2, step_size = 0.03 and momentum = 0.49 the rate is 0.8607."
    expect(got, right, says, slips, form=ONE)


@case("11.1")
def rate_beyond_the_limit(f):
    got = f(1.0, 3.2, 0.49)
    root = np.sqrt(1.71**2 - 1.96)
    right, other = 0.5 * (1.71 + root), 0.5 * (1.71 - root)
    slips = {
        "A rate is a modulus: the root that is largest in size is negative here.": -other,
        "A rate is a modulus: without its sign.": -right,
        "That is the smaller modulus: the larger one decides.": other,
        "sqrt(momentum) is right on complex roots alone: here both are real.": 0.7,
    }
    says = "For h = 1, step_size = 3.2 and momentum = 0.49 the run grows by 1.3459 a step."
    expect(got, right, says, slips, form=ONE)


@case("11.1", hidden=True)
def rate_just_below_the_limit(f):
    """Stable, beyond the complex roots: two negative real ones."""
    says = "For h = 1, step_size = 2.95 and momentum = 0.49 the rate is 0.9249."
    expect(f(1.0, 2.95, 0.49), 0.5 * (1.46 + np.sqrt(1.46**2 - 1.96)), says, form=ONE, rtol=1e-5)


@case("11.1", hidden=True)
def rate_is_that_of_a_long_run(f):
    draw = np.random.default_rng(111)
    for _ in range(12):
        h, momentum = 10 ** draw.uniform(-2, 2), draw.uniform(0.02, 0.95)
        step_size = draw.uniform(0.02, 4) / h
        got = f(float(h), float(step_size), float(momentum))
        right = growth([matrix(h, step_size, momentum)])
        says = (
            f"For h = {h:.4g}, step_size = {step_size:.4g}, momentum = {momentum:.3f} a long run "
            f"has the rate {right:.3f}."
        )
        expect(got, right, says, form=ONE, rtol=0, atol=5e-3)
        roots = np.abs(np.linalg.eigvals(matrix(h, step_size, momentum)))
        expect(got, roots.max(), says, form=ONE, rtol=1e-6)


# --- 11.2 · The best pair -------------------------------------------------------------------------

PAIR = "Two numbers: the step size, then the momentum."


@case("11.2")
def best_pair_by_hand(f):
    slips = {
        "That is the square root of the momentum: square it.": (0.16, 0.6),
        "In the momentum take the square roots of the curvatures.": (0.16, (15 / 17) ** 2),
        "In the momentum take the square roots of the curvatures, and square the ratio.": (
            0.16,
            15 / 17,
        ),
        "That is the square root of the step size: square it.": (0.4, 0.36),
        "That is descent's best step: with momentum it may be longer.": (2 / 17, 0.36),
        "That is descent's best pair: its momentum is 0.": (2 / 17, 0.0),
        "Square roots of the curvatures in the step size: sqrt(h_max) + sqrt(h_min).": (
            (2 / 17) ** 2,
            0.36,
        ),
        "1 / h_max is too short: h_max may stand at the far edge of (11.5).": (1 / 16, 0.36),
        "Both squares are missing: these are the square roots of the two.": (0.4, 0.6),
        "Take the square roots of the curvatures in both, and square the step size, too.": (
            2 / 17,
            (15 / 17) ** 2,
        ),
        "Take the square roots of the curvatures in both, then square both.": (2 / 17, 15 / 17),
        "Take the square roots of the curvatures in both.": ((2 / 17) ** 2, (15 / 17) ** 2),
        "sqrt(momentum) is positive: high minus low. Then square it.": (0.16, -0.6),
        "sqrt(momentum) is positive: high minus low. Then square both.": (0.4, -0.6),
        "Both at the near edge: h_max belongs at (1 + sqrt(momentum))^2.": (0.01, 0.36),
        "The other way round: step size first, then momentum.": (0.36, 0.16),
        "step_size * h_max = 2 (1 + momentum) is the limit of stability, not the edge of (11.5).": (
            2 * 1.36 / 16,
            0.36,
        ),
    }
    says = "For curvatures from 1 to 16 it is (0.16, 0.36)."
    expect(f(1.0, 16.0), (0.16, 0.36), says, slips, form=PAIR)


@case("11.2")
def best_pair_of_other_units(f):
    slips = {
        "Right for h_min = 1 alone: the momentum depends on h_max / h_min.": (
            0.0016,
            (39 / 41) ** 2,
        ),
        "The step size is in units of 1 / curvature.": (0.16, 0.36),
    }
    says = "For curvatures from 100 to 1600 it is (0.0016, 0.36): a hundredth of the step."
    expect(f(100.0, 1600.0), (0.0016, 0.36), says, slips, form=PAIR)


@case("11.2", hidden=True)
def best_pair_has_the_lowest_rate(f):
    draw = np.random.default_rng(112)
    for _ in range(3):
        h_min = 10 ** draw.uniform(-2, 1)
        h_max = h_min * 10 ** draw.uniform(0.3, 3)
        got = f(float(h_min), float(h_max))
        says = f"For curvatures from {h_min:.4g} to {h_max:.4g} another pair has a lower rate."
        expect(np.shape(got), (2,), "It gives two numbers.")
        h = np.geomspace(h_min, h_max, 30)

        def slowest(step_size, momentum):
            rates = [np.linalg.eigvals(matrix(one, step_size, momentum)) for one in h]
            return np.abs(rates).max()

        mine = slowest(*map(float, got))
        near = [slowest(got[0] * a, got[1] * b) for a in (0.98, 1, 1.02) for b in (0.99, 1)]
        tried = [
            slowest(pull / h_max, momentum)
            for pull in np.linspace(0.5, 3.9, 18)
            for momentum in np.linspace(0, 0.98, 20)
        ]
        assert mine < min(near + tried) + 1e-6, says


@case("11.2", hidden=True)
def best_pair_of_a_long_valley(f):
    says = "For curvatures from 1e-6 to 1 it is (3.992, 0.996008)."
    expect_all_digits(
        f(1e-6, 1.0), ((2 / 1.001) ** 2, (0.999 / 1.001) ** 2), says, form=PAIR, near=1e-3
    )


# --- 11.3 · Curvature that alternates -------------------------------------------------------------


@case("11.3")
def alternation_by_hand(f):
    M1, M2 = matrix(0.5, 0.4, 0.25), matrix(4.0, 0.4, 0.25)
    got = f(0.5, 4.0, 0.4, 0.25)
    finite(got, "Not finite: a root of a negative number?")
    both = M2 @ M1
    stretch = np.linalg.norm(both, 2)
    right = np.abs(np.linalg.eigvals(both)).max()
    rates = [np.abs(np.linalg.eigvals(M)).max() for M in (M1, M2)]
    slips = {
        "The rates of the two steps do not multiply: their matrices do.": np.prod(rates),
        "Per two steps: you have taken the square root.": np.sqrt(right),
        "The mean curvature is not what the run meets: multiply the two matrices.": 0.25,
        "That is the first curvature twice.": rates[0] ** 2,
        "That is a rate of one matrix alone: multiply the two.": rates[1],
        "The larger of the two rates is not the answer: multiply the matrices.": rates[0],
        "A rate is a modulus: the larger eigenvalue is negative.": -right,
        "A rate is a modulus: take abs before the largest.": -0.0625 / right,
        "That is the smaller eigenvalue: the larger one decides.": 0.0625 / right,
        "That is how far one round can stretch; in the long run eigenvalues decide.": stretch,
        "Sum of the matrices? One step follows the other: a product.": np.abs(
            np.linalg.eigvals(M1 + M2)
        ).max(),
        "`*` multiplies entry by entry: use @.": np.abs(np.linalg.eigvals(M1 * M2)).max(),
    }
    says = "For h_1 = 0.5, h_2 = 4, step_size = 0.4 and momentum = 0.25 it is 0.7882."
    expect(got, right, says, slips, form=ONE, rtol=1e-5)


@case("11.3")
def alternation_at_the_best_pair(f):
    """The case that the prediction is about."""
    right = (8 / 3 + np.sqrt(64 / 9 - 64 / 81)) / 2
    slips = {
        "The rates of the two steps do not multiply: their matrices do.": 4 / 9,
        "Per two steps: you have taken the square root.": np.sqrt(right),
    }
    says = "Right in the example, but not for h_1 = 1, h_2 = 25, step_size = 1/9, momentum = 4/9."
    expect(f(1.0, 25.0, 1 / 9, 4 / 9), right, says, slips, form=ONE, rtol=1e-5)


@case("11.3", hidden=True)
def alternation_of_complex_eigenvalues(f):
    got = f(0.9, 1.4, 1.0, 0.5)
    finite(got, "Not finite where the product of the matrices has complex eigenvalues.")
    says = "Where the eigenvalues of the product are complex their modulus is the momentum."
    expect(got, 0.5, says, form=ONE, rtol=1e-5)


@case("11.3", hidden=True)
def alternation_is_that_of_a_long_run(f):
    draw = np.random.default_rng(113)
    for _ in range(10):
        pulls, momentum = draw.uniform(0.01, 3.5, 2), draw.uniform(0.05, 0.95)
        step_size = 10 ** draw.uniform(-1, 1)
        h_1, h_2 = pulls / step_size
        got = f(float(h_1), float(h_2), float(step_size), float(momentum))
        steps = [matrix(h, step_size, momentum) for h in (h_1, h_2)]
        right = growth(steps)
        says = (
            f"For h_1 = {h_1:.3g}, h_2 = {h_2:.3g}, step_size = {step_size:.3g}, momentum = "
            f"{momentum:.2f} a long run grows by {right:.3f} in two steps."
        )
        expect(got, right, says, form=ONE, rtol=5e-3, atol=5e-3)


# --- 11.4 · Look first ----------------------------------------------------------------------------

LIKE = "New weights of the shape of w."


@case("11.4")
def nesterov_by_hand(f):
    w, before = np.array([1.0, 2.0]), np.array([1.5, 1.0])
    gradient = lambda w: np.array([2.0, 0.5]) * w
    got = f(w, before, gradient, 0.1, 0.9)
    kept = np.all(w == [1, 2]) and np.all(before == [1.5, 1])
    assert kept, "Your function has changed an array that it was given: +=, -= write into it."
    y, back = w + 0.9 * (w - before), w + 0.9 * (before - w)
    slips = {
        "That is the heavy ball: Nesterov takes the gradient at y.": y - 0.1 * gradient(w),
        "The step starts at y, too, not at w.": w - 0.1 * gradient(y),
        "y looks backwards: it is w + momentum * (w - w_before).": back - 0.1 * gradient(back),
        "The gradient belongs at y, not at w_before.": y - 0.1 * gradient(before),
        "Uphill: the step is subtracted.": y + 0.1 * gradient(y),
        "step_size is not shortened by 1 - momentum.": y - 0.01 * gradient(y),
        "That is y alone: the step is missing.": y,
        "That is descent: momentum is missing.": w - 0.1 * gradient(w),
        "First look ahead, then step: here the step came first.": w
        - 0.1 * gradient(w)
        + 0.9 * (w - 0.1 * gradient(w) - w),
    }
    says = "For the example the new weights are [0.44, 2.755]."
    expect(got, y - 0.1 * gradient(y), says, slips, form=LIKE)


@case("11.4")
def nesterov_without_a_past(f):
    w = np.array([3.0])
    got = f(w, w, lambda w: w**3, 0.01, 0.5)
    slips = {"Without a past y is w: is w_before taken as 0?": 4.5 - 0.01 * 4.5**3}
    expect(got, [3.0 - 0.27], "Where w_before is w it is a step of descent.", slips, form=LIKE)


@case("11.4", hidden=True)
def nesterov_on_a_cost_with_changing_curvature(f):
    draw = np.random.default_rng(114)
    w, before = draw.normal(size=(3, 2)), draw.normal(size=(3, 2))
    places = []

    def gradient(place):
        places.append(np.array(place))
        return np.sinh(2 * np.asarray(place))

    got = f(w, before, gradient, 0.07, 0.6)
    y = 1.6 * w - 0.6 * before
    says = (
        "Right where the gradient is linear, not where curvature changes: is the gradient taken "
        "at y itself?"
    )
    expect(got, y - 0.07 * np.sinh(2 * y), says, form=LIKE, rtol=1e-5, atol=1e-6)


# --- 11.5 · The noise floor -----------------------------------------------------------------------


def floor_by_covariances(h, step_size, momentum, c, batch):
    """The variance that a step leaves as it is, from the equation of the 2 x 2 covariance."""
    M = matrix(h, step_size, momentum)
    fresh = np.diag([step_size**2 * c / batch, 0.0])
    return np.linalg.solve(np.eye(4) - np.kron(M, M), fresh.ravel())[0]


@case("11.5")
def floor_by_hand(f):
    got = f(2.0, 0.2, 0.75, 3.0, 4)
    right = floor_by_covariances(2.0, 0.2, 0.75, 3.0, 4)
    slips = {
        "That is the floor of descent: momentum is missing.": 0.2 * 0.75 / (2 * 1.6),
        "That is the limit of small steps: step_size * h is not small here.": 0.15,
        "The batch size is missing: it divides c.": 4 * right,
        "Too small, by a factor that depends on the momentum alone: below 2.": right / 1.75,
        "Too small, by a factor that grows with the momentum beyond all bounds.": right / 4,
        "A variance, not a standard deviation.": np.sqrt(right),
        "A factor step_size too much: in the limit of small steps it is proportional to it.": 0.2
        * right,
        "A factor h is off: the steeper the valley, the smaller the variance.": 2 * right,
        "That is the variance of the noise in one step.": 0.04 * 0.75,
        "c is a variance already: do not square it.": 3 * right,
    }
    says = "For h = 2, step_size = 0.2, momentum = 0.75, c = 3 and batch = 4 it is 0.1694."
    expect(got, right, says, slips, form=ONE)


@case("11.5")
def floor_of_descent(f):
    slips = {"That is the limit of small steps: step_size * h is not small here.": 0.25}
    expect(
        f(1.0, 0.5, 0.0, 1.0, 1), 1 / 3, "Descent's floor, momentum = 0, is 1/3.", slips, form=ONE
    )


@case("11.5")
def floor_near_the_limit_of_stability(f):
    right = floor_by_covariances(1.0, 3.0, 0.6, 1.0, 2)
    slips = {"With momentum = 0.6 steps up to step_size * h = 3.2 are stable.": np.inf}
    says = "For h = 1, step_size = 3, momentum = 0.6, c = 1 and batch = 2 the variance is finite."
    expect(f(1.0, 3.0, 0.6, 1.0, 2), right, says, slips, form=ONE)
    got = f(1.0, 3.5, 0.6, 1.0, 2)
    says = (
        "For step_size * h = 3.5 and momentum = 0.6 the run is unstable: the variance grows, inf."
    )
    expect(got, np.inf, says, form=ONE)


@case("11.5", hidden=True)
def floor_of_many(f):
    draw = np.random.default_rng(115)
    for _ in range(12):
        h, momentum, c = 10 ** draw.uniform(-1, 1), draw.uniform(0, 0.98), draw.uniform(0.1, 5)
        step_size, batch = draw.uniform(0.02, 0.95) * 2 * (1 + momentum) / h, draw.integers(1, 50)
        given = float(h), float(step_size), float(momentum), float(c), int(batch)
        says = (
            "For h = {:.3g}, step_size = {:.3g}, momentum = {:.2f}, c = {:.2f}, batch = {} it is "
        )
        right = floor_by_covariances(*given)
        expect(f(*given), right, says.format(*given) + f"{right:.4g}.", form=ONE)
    says = "For step_size * h = 2.2 and momentum = 0.2 the run is stable, and the variance finite."
    expect(f(1.0, 2.2, 0.2, 1.0, 1), floor_by_covariances(1.0, 2.2, 0.2, 1.0, 1), says, form=ONE)


@case("11.5", hidden=True)
def floor_of_an_unstable_run(f):
    for given in [(1.0, 4.5, 0.9, 1.0, 1), (2.0, 1.1, 0.0, 1.0, 8)]:
        expect(f(*given), np.inf, "Where the run is unstable the variance grows: inf.", form=ONE)
