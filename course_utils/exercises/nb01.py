"""Exercises of notebook 1: gradient descent on a quadratic cost.

Answers are given JAX arrays throughout, but for exercise 1.3, whose loop is NumPy's.
"""

import jax.numpy as jnp
import numpy as np

from course_utils.exercises import called, case, expect, expect_all_digits

VECTOR = "The weights are one vector, shape (D,)."
EIGH = {"Eigh?Result|sequence by non-int": "eigh gives two things: curvatures and eigenvectors."}
FITS = "incompatible shapes|same shape|core dimension|broadcast together"


def reals(got):
    """``got`` as an array, to look into before ``expect`` does; empty if it is none of reals."""
    try:
        found = np.asarray(got)
    except Exception:  # of unequal lengths, say
        return np.empty(0)
    return found if found.dtype.kind in "fiu" else np.empty(0)


def has_nan(got):
    return bool(np.isnan(reals(got)).any())


def on_jax(*arrays):
    return [jnp.asarray(one, dtype=float) for one in arrays]


# --- 1.1 · Skip the steps -------------------------------------------------------------------------


def descent(A, b, w0, step_size, k):
    """The weights after k steps, step by step."""
    w = np.array(w0)
    for _ in range(k):
        w = w - step_size * (A @ w + b)
    return w


A_3 = np.array([[4.0, 1.0, 0.0], [1.0, 3.0, 1.0], [0.0, 1.0, 2.0]])  # curvatures 4.73, 3, 1.27
B_3, W_3 = np.array([1.0, -2.0, 0.5]), np.array([3.0, 0.0, -1.0])


ANY_D = EIGH | {FITS: "A has shape (D, D), b and w0 have (D,), for any D."}


def after(f, A, b, w0, step_size, k):
    """The answer's weights after k steps."""
    return called(f, *on_jax(A, b, w0), step_size, k, advice=ANY_D)


def expect_the_loop(f, A, b, w0, step_size, k, says, slips=None):
    got = after(f, A, b, w0, step_size, k)
    why = "Is a part of it float32, or found by a loop that stops early?"
    expect_all_digits(got, descent(A, b, w0, step_size, k), says, slips, form=VECTOR, few=why)


@case("1.1")
def three_steps_by_hand(f):
    A, b, w0 = np.array([[2.0, 1.0], [1.0, 2.0]]), np.array([-2.0, -1.0]), np.array([3.0, 0.0])
    w_star, e0 = np.array([1.0, 0.0]), np.array([2.0, 0.0])
    loop = lambda k: descent(A, b, w0, 0.4, k)
    half = np.full((2, 2), 0.5)  # projects on the direction of curvature 3; 1 - half: curvature 1
    times = lambda steep, shallow: steep * half + shallow * (np.eye(2) - half)
    steep, shallow = (-0.2) ** 3, 0.6**3
    three = times(steep, shallow)
    slips = {
        "That is the error alone: add w* again.": three @ e0,
        "The first error is w0 - w*, not w0.": w_star + three @ w0,
        "The first error is w0 - w*, not w0, and w* is added at the end.": three @ w0,
        "The first error is w0 - w*, not w* - w0.": w_star - three @ e0,
        "That is w*, not yet reached.": w_star,
        "That is w_4: one step too many.": loop(4),
        "That is w_2: one step too few.": loop(2),
        "That is w_1. Where is the power k?": loop(1),
        "Three factors in a row are a power, not three times a factor.": w_star
        + times(3 * -0.2, 3 * 0.6) @ e0,
        "Three steps are a power of 1 - step_size * h, not a step three times as large.": w_star
        + times(1 - 3.6, 1 - 1.2) @ e0,
        "Uphill: which sign has step_size * h?": w_star + times(2.2**3, 1.4**3) @ e0,
        "w*: A w = -b there; yours is where A w = b.": -w_star + three @ (w0 + w_star),
        "A power of 1 - step_size * h, not exp(-step_size * h).": w_star
        + times(np.exp(-3.6), np.exp(-1.2)) @ e0,
        "Each factor counts, sign included: one of them is negative here.": w_star
        + times(-steep, shallow) @ e0,
        "h_i belongs to the axes of the eigenvectors; yours are the weights' axes.": w_star
        + [shallow, steep] * e0,
        "Curvatures are the eigenvalues of A, not its diagonal.": w_star + 0.2**3 * e0,
        "** on a matrix powers each entry.": w_star + (np.eye(2) - 0.4 * A) ** 3 @ e0,
        "Each eigenvector has a curvature of its own: these are exchanged.": w_star
        + times(shallow, steep) @ e0,
    }
    says = (
        "For A = [[2, 1], [1, 2]], b = [-2, -1], w0 = [3, 0] and steps of 0.4 the weights after "
        "3 steps are [1.208, -0.224]."
    )
    got = after(f, A, b, w0, 0.4, 3)
    length = np.linalg.norm(three @ e0)
    if has_nan(got):
        says = "Something is not a number. A factor may be negative, and then has no logarithm."
    elif reals(got).shape == (2,) and np.isclose(np.linalg.norm(reals(got) - w_star), length):
        says = "As far from w* as it should be, in another direction. In which axes is the result?"
    elif reals(got).shape == (2,) and np.isclose(np.linalg.norm(reals(got)), length):
        says = "As long as the error alone, in other axes: it still has to become weights."
    expect_all_digits(got, loop(3), says, slips, form=VECTOR)


@case("1.1")
def starts_at_w0(f):
    says = "After 0 steps the weights are still w0: every power is 1. Does the way out of the new "
    expect_the_loop(f, A_3, B_3, W_3, 0.4, 0, says + "axes undo the way in?")
    says = "After 0 steps the weights are still w0: every power is 1, that of a factor 0, too."
    expect_the_loop(f, np.diag([2.0, 1.0]), B_3[:2], W_3[:2], 0.5, 0, says)


@case("1.1")
def first_step_is_a_gradient_step(f):
    says = (
        "One step gives w0 - step_size * (A w0 + b). Which are the eigenvectors, Q's rows or its "
        "columns? Is w* where A w + b = 0?"
    )
    expect_the_loop(f, A_3, B_3, W_3, 0.4, 1, says)


@case("1.1")
def agrees_with_the_loop(f):
    says = "After 25 steps the loop is elsewhere. The power is taken of 1 - step_size * h."
    expect_the_loop(f, A_3, B_3, W_3, 0.4, 25, says)


@case("1.1", hidden=True)
def one_weight_and_many(f):
    draw = np.random.default_rng(5)
    for D, k in [(1, 4), (6, 31)]:
        G = draw.normal(size=(D, D))
        A, b = G @ G.T / D + 0.05 * np.eye(D), np.arange(1.0, D + 1)
        says = f"Wrong for D = {D} and k = {k}."
        expect_the_loop(f, A, b, np.ones(D), 1 / np.linalg.norm(A, 2), k, says)


@case("1.1", hidden=True)
def long_runs_and_equal_curvatures(f):
    says = "Wrong after 800 steps with curvatures 2, 2 and 0.01: the last is still on its way."
    expect_the_loop(f, np.diag([2.0, 0.01, 2.0]), B_3, W_3, 0.4, 800, says)


@case("1.1", hidden=True)
def beyond_the_largest_stable_step(f):
    says = "Steps of 0.5 diverge here, and the closed form knows it: w* is where A w + b = 0."
    expect_the_loop(f, A_3, B_3, W_3, 0.5, 24, says)


# --- 1.2 · The largest stable step ----------------------------------------------------------------

FIRST = "The direction that breaks first decides for all."
STOPPED = "Is a part of it float32, or was an iteration stopped early?"


def limit(f, A):
    return called(f, *on_jax(A), advice=EIGH)


@case("1.2")
def on_a_diagonal_matrix(f):
    slips = {
        "2 is the limit of the shallow direction. Which one is first?": 2.0,
        "1 is the limit of the first axis. Curvatures may come in any order.": 1.0,
        "At 1 / 5 a factor is 0; it may go on, down to -1.": 0.2,
        "That is upside down: steeper means smaller steps.": 2.5,
        "That is the largest curvature; a step size is wanted.": 5.0,
        "2 / (h_max + h_min) is best in the worst case; the limit is larger.": 1 / 3,
        "The trace is the sum of all curvatures; the steepest decides.": 0.25,
        "That is the mean curvature's limit; the steepest decides.": 0.75,
        "This norm is the root of the sum of all h**2; one decides.": 2 / 30**0.5,
    }
    got = limit(f, np.diag([2.0, 5.0, 1.0]))
    says = "For curvatures 2, 5 and 1 the answer is 0.4."
    expect_all_digits(got, 0.4, says, slips, form=FIRST, few=STOPPED)


@case("1.2")
def axes_do_not_matter(f):
    slips = {
        "Are those the entries of A? Curvatures are its eigenvalues.": 2 / 3,
        "The largest sum along a row is at least h_max, and here it is more.": 0.5,
        "That is the limit of the shallow direction.": 4 / (5 - 5**0.5),
    }
    got = limit(f, [[3.0, 1.0], [1.0, 2.0]])
    says = "A = [[3, 1], [1, 2]] has curvatures 3.618 and 1.382: the answer is 0.5528."
    expect_all_digits(got, 4 / (5 + 5**0.5), says, slips, form=FIRST, few=STOPPED)


@case("1.2", hidden=True)
def nearly_equal_curvatures(f):
    h = np.array([9.0, 8.41, 1.0, 0.25])  # no 0: its sign, and that of 2 / h, would be rounding's
    Q, _ = np.linalg.qr(np.random.default_rng(6).normal(size=(4, 4)))
    for scale in (1.0, 1e-3):
        A = scale * (Q * h) @ Q.T
        right = 2 / (9 * scale)
        says = (
            f"Curvatures 9, 8.41, 1 and 0.25, times {scale:g}: the answer is {right:.4g}. Was an "
            "iteration stopped early?"
        )
        expect_all_digits(f(*on_jax(A)), right, says, form=FIRST, few=STOPPED)


@case("1.2", hidden=True)
def one_direction(f):
    got = f(*on_jax([[8.0]]))
    expect_all_digits(got, 0.25, "A = [[8]] has one curvature, 8: the answer is 0.25.")


@case("1.2", hidden=True)
def steepest_at_right_angles_to_all_ones(f):
    got = f(*on_jax([[2.0, -1.0], [-1.0, 2.0]]))
    says = "A = [[2, -1], [-1, 2]] has curvatures 3 and 1. Where does an iteration start?"
    expect_all_digits(got, 2 / 3, says, form=FIRST, few=STOPPED)


# --- 1.3 · When will it be done? ------------------------------------------------------------------

STEP = "One whole number: the step at which the sum is small enough."


@case("1.3")
def one_mode_by_hand(f):
    slips = {
        "The cost is quadratic in the error: a factor 0.25 a step here, not 0.5.": 10,
        "tol is relative to the cost at k = 0, which is 50 here.": 8,
        "tol is relative to the value at k = 0.": 9,
        "The factor per step is 1 - step_size * h, not exp(-step_size * h).": 7,
        "One too many: the first step that meets tol counts.": 6,
        "One too few: 0.25**4 is still above 0.001. (1.5) is for steps of 1 / h_max only.": 4,
        "A step is a whole number: which is the first to meet tol?": np.log(1e-3) / np.log(0.25),
        "The cost is quadratic in the error, and a step is a whole number.": np.log(1e-3)
        / np.log(0.5),
        "That is what is left of the cost. At which step is it so small?": 0.25**5,
    }
    got = f(*on_jax([1.0], [10.0]), 0.5, 1e-3)
    says = "For one mode, h = [1], e0 = [10], step_size = 0.5 and tol = 0.001 the answer is 5."
    expect(got, 5, says, slips, form=STEP)


@case("1.3")
def reaching_it_exactly_counts(f):
    got = f(np.array([1.0]), np.array([1.0]), 0.5, 0.25)
    says = "After one step the cost is exactly a quarter, which is at most a quarter: k = 1."
    expect(got, 1, says, form=STEP)


@case("1.3")
def several_modes(f):
    slips = {
        "13 steps: is each mode weighted by its curvature h_i?": 13,
        "9 steps: is the error e0_i squared in each term?": 9,
        "14 steps: that is the slowest mode alone. The sum is there earlier.": 14,
        "5 steps: the steep mode is gone, the shallow one is not.": 5,
    }
    got = f(*on_jax([2.0, 0.2], [1.0, 2.0]), 0.8, 1e-2)
    says = "For h = [2, 0.2], e0 = [1, 2], step_size = 0.8 and tol = 0.01 it takes 10 steps."
    expect(got, 10, says, slips, form=STEP)


@case("1.3", hidden=True)
def random_spectra(f):
    for seed, eta, tol in [(1, 0.05, 0.3), (2, 0.19, 1e-4), (3, 0.1, 1e-6), (4, 0.01, 1e-6)]:
        draw = np.random.default_rng(seed)
        h, e0 = draw.uniform(0.2, 10.0, 5), draw.normal(size=5)
        powers = (1 - eta * h) ** np.arange(2000)[:, None]
        costs = np.sum(h * (powers * e0) ** 2, axis=1)
        first = int(np.argmax(costs <= tol * costs[0]))
        says = f"{first} steps are needed for tol = {tol}; some runs take hundreds of steps."
        expect(f(h, e0, eta, tol), first, says, form=STEP)


@case("1.3", hidden=True)
def tens_of_thousands_of_steps(f):
    h, e0, eta, tol = np.array([1.0, 1e-3]), np.array([1.0, 2.0]), 0.5, 3e-12
    k = np.arange(40_000)
    costs = np.exp(2 * k * np.log1p(-eta * h[1])) * h[1] * e0[1] ** 2  # the steep mode is gone
    first = int(np.argmax(costs <= tol * np.sum(h * e0**2)))
    says = f"{first} steps are needed for h = [1, 0.001], e0 = [1, 2] and tol = 3e-12."
    expect(f(h, e0, eta, tol), first, says, form=STEP)


@case("1.3", hidden=True)
def flat_directions_cost_nothing(f):
    got = f(np.array([1.0, 0.0]), np.array([3.0, 100.0]), 0.5, 1e-3)
    says = "Beside a mode of curvature 1 a flat one, h = 0, adds nothing: 5 steps."
    expect(got, 5, says, form=STEP)


# --- 1.4 · Where will it end? ---------------------------------------------------------------------

FLAT = (
    "Something is not a number: A has no inverse here. What inverts where there is curvature, and "
    "only there?"
)
NOTHING_ADDED = "Nothing is added to A, no loop is needed, and float32 is too coarse."


def bowl(Phi, t):
    """A and b of the fit of t by Phi, equation (1.1).

    Without rounding for two examples of small integers, times powers of 2: so what hangs on the
    rounding of eigenvalues that should be 0 hangs on the answer's own alone.
    """
    return Phi.T @ Phi / len(t), -Phi.T @ t / len(t)


ENDS = EIGH | {
    "'tuple'": "lstsq gives a tuple, and the solution is its first entry.",
    FITS: "A has shape (D, D), b and w0 have (D,), for any D.",
}


def expect_end(f, A, b, w0, right, says, slips=None, *, nan=FLAT):
    got = called(f, *on_jax(A, b, w0), advice=ENDS)
    says = nan if has_nan(got) else says
    expect_all_digits(got, right, says, slips, form=VECTOR, few=NOTHING_ADDED, near=5e-3)


@case("1.4")
def flat_coordinate_stays(f):
    A, b, w0 = np.diag([2.0, 0.0]), np.array([-2.0, 0.0]), np.array([5.0, 7.0])
    slips = {
        "The sign: what has curvature is taken away from w0.": [9, 7],
        "That is one gradient step, of size 1: divide by the curvature.": [-3, 7],
        "Where is b? The gradient at w0 is A w0 + b.": [0, 7],
        "The gradient at w0 is A w0 + b, not A w0 - b.": [-1, 7],
        "b alone is the gradient at 0; the run begins at w0.": [6, 7],
        "b alone is the gradient at 0; the run begins at w0. And the sign?": [4, 7],
        "Along the flat axis nothing pulls: it should keep its first value.": [1, 0],
        "That is how far w0 is moved; where to?": [-4, 0],
        "That is how far w0 is moved, and against the gradient; where to?": [4, 0],
        "The sign; and along the flat axis w0 should keep its first value.": [-1, 0],
    }
    says = "For A = diag(2, 0), b = [-2, 0] and w0 = [5, 7] the answer is [1, 7]."
    expect_end(f, A, b, w0, [1, 7], says, slips)


@case("1.4")
def full_rank_has_one_minimum(f):
    A, b = np.array([[2.0, 1.0], [1.0, 3.0]]), np.array([1.0, -1.0])
    says = "Without flat directions the end is the minimum, where A w + b = 0."
    expect_end(f, A, b, np.array([4.0, -9.0]), [-0.8, 0.6], says)


@case("1.4")
def flat_directions_may_be_turned(f):
    Phi = np.array([[1.0, 2.0, 0.0, -1.0, 1.0, 3.0], [0.0, 1.0, 1.0, 0.0, 2.0, -1.0]])
    t, w0 = np.array([1.0, -1.0]), np.arange(6.0)
    right = w0 + np.linalg.pinv(Phi) @ (t - Phi @ w0)
    slips = {
        "It fits, but nearer to w0 there is another fit: flat directions keep w0's part.": right
        - w0
        + np.linalg.pinv(Phi) @ Phi @ w0,
    }
    says = (
        "Two examples, six weights: the end should fit both, and be the nearest to w0 that does. "
        "Eigenvalues that should be 0 come out as 1e-17; is 1 / h huge there?"
    )
    expect_end(f, *bowl(Phi, t), w0, right, says, slips)


@case("1.4")
def units_do_not_matter(f):
    Phi, t, w0 = np.array([[1.0, 2.0, 0.0], [0.0, 1.0, 1.0]]), np.array([2.0, 3.0]), np.ones(3)
    right = w0 + np.linalg.pinv(Phi) @ (t - Phi @ w0)
    A, b = bowl(2**-20 * Phi, 2**-20 * t)
    says = "A cost 1e-12 times as large has its minima where it had them. Small: against what?"
    expect_end(f, A, b, w0, right, says)


@case("1.4")
def without_curvature_nothing_moves(f):
    w0 = np.array([1.0, 2.0])
    says = "For A = 0 and b = 0 nothing pulls: the run stays at w0."
    nan = f"{says} The largest curvature is 0 as well: is 0 divided by?"
    expect_end(f, np.zeros((2, 2)), np.zeros(2), w0, w0, says, nan=nan)


@case("1.4", hidden=True)
def slow_directions_are_not_flat(f):
    Phi, t = np.array([[1.0, 2.0, 2.0], [2**-6, 2**-7, -(2**-7)]]), np.array([3.0, 2**-5])
    right = np.ones(3) + np.linalg.pinv(Phi) @ (t - Phi @ np.ones(3))
    says = "One curvature is tens of thousands of times smaller than the other. Was it taken for 0?"
    expect_end(f, *bowl(Phi, t), np.ones(3), right, says)


@case("1.4", hidden=True)
def a_ten_millionth_is_a_curvature(f):
    tiny = 2.0**-23
    says = "For curvatures 1 and 1e-7 both coordinates move: flat is only what is 0 up to rounding."
    A, b = np.diag([1.0, tiny]), np.array([-1.0, -3 * tiny])
    expect_end(f, A, b, np.array([0.0, 1.0]), [1, 3], says)


@case("1.4", hidden=True)
def more_examples_than_weights(f):
    draw = np.random.default_rng(9)
    Phi, t = draw.normal(size=(9, 3)), draw.normal(size=9)
    right = np.linalg.lstsq(Phi, t, rcond=None)[0]
    says = "Nine examples, three weights: the end is the least-squares fit, whatever w0 is."
    expect_end(f, *bowl(Phi, t), draw.normal(size=3), right, says)


# --- 1.5 · Ridge, and the N that is easily lost ---------------------------------------------------

SMALL = "Is a part of it float32, or was an iteration stopped early?"


def by_more_rows(Phi, t, l2):
    """Ridge as a plain least-squares fit: the penalty is D further examples, with target 0."""
    N, D = Phi.shape
    rows = np.vstack([Phi, np.sqrt(N * l2) * np.eye(D)])
    return np.linalg.lstsq(rows, np.append(t, np.zeros(D)), rcond=None)[0]


BY_WEIGHTS = {
    FITS: "There are D weights: Phi.T @ Phi has shape (D, D), and so has the identity; Phi.T @ t "
    "has (D,).",
}


def expect_ridge(f, Phi, t, l2, says, slips=None):
    got = called(f, *on_jax(Phi, t), l2, advice=BY_WEIGHTS)
    right = by_more_rows(Phi, t, l2)
    expect_all_digits(got, right, says, slips, form=VECTOR, few=SMALL)


@case("1.5")
def one_weight_by_hand(f):
    slips = {
        "The squared errors are averaged, the penalty is not. After multiplying the gradient by N, "
        "what stands before l2?": [12 / 4.2],
        "The targets are averaged as well: 1 / N stands on both sides.": [12 / 1.2],
        "Only the targets are averaged: 1 / N stands on both sides.": [3 / 4.2],
        "The derivative of l2 / 2 * w**2 is l2 * w, without a half.": [12 / 4.4],
        "The derivative of l2 / 2 * w**2 is l2 * w, not twice that.": [12 / 5.6],
        "The derivative of half a square has no half: is Phi.T @ Phi halved?": [12 / 2.8],
        "That is the mean of the targets. Where is the penalty?": [3],
        "The sign of the penalty: it makes the weight smaller.": [12 / 3.2],
        "The sign: four targets of 3 give no negative weight.": [-2.5],
        "N stands before l2 once, not squared.": [12 / 7.2],
    }
    says = "For four examples with feature 1 and target 3, and l2 = 0.2, the answer is [2.5]."
    expect_ridge(f, np.ones((4, 1)), np.full(4, 3.0), 0.2, says, slips)


def six_examples():
    return np.random.default_rng(15).normal(size=(6, 3)), np.arange(6.0)


@case("1.5")
def three_weights(f):
    Phi, t = six_examples()
    slips = {
        "The penalty stands on the diagonal, and only there.": np.linalg.solve(
            Phi.T @ Phi + 6 * 0.1, Phi.T @ t
        ),
        "N stands before l2, not N times D.": np.linalg.solve(
            Phi.T @ Phi + 18 * 0.1 * np.eye(3), Phi.T @ t
        ),
        "The penalty shrinks each mode by a factor of its own.": np.linalg.pinv(Phi) @ t / 1.1,
        "N is the number of examples, 6 here; yours is the number of weights.": np.linalg.solve(
            Phi.T @ Phi + 3 * 0.1 * np.eye(3), Phi.T @ t
        ),
    }
    says = "With three weights the gradient of the cost is not zero at your answer."
    expect_ridge(f, Phi, t, 0.1, says, slips)


@case("1.5")
def copies_change_nothing(f):
    Phi, t = six_examples()
    says = "A mean does not notice that every example was copied; your answer does. Which N?"
    expect_ridge(f, np.tile(Phi, (2, 1)), np.tile(t, 2), 0.1, says)


@case("1.5", hidden=True)
def many_examples_and_few(f):
    draw = np.random.default_rng(9)
    for N, D, l2 in [(30, 3, 0.2), (5, 12, 0.05)]:
        Phi, t = draw.normal(size=(N, D)), draw.normal(size=N)
        says = f"With N = {N}, D = {D} the gradient is not zero at your answer."
        expect_ridge(f, Phi, t, l2, says)
