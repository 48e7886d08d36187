"""Exercises of notebook 10: clouds of weights, independent error bars, dropout's penalty."""

import itertools

import jax.numpy as jnp
import numpy as np

from course_utils.exercises import case, expect, expect_all_digits, untouched

# --- 10.1 · The variance that stays ---------------------------------------------------------------

PER_MODE = "One variance for each mode, shape (D,)."


@case("10.1")
def variance_by_hand(f):
    h, c = np.array([4.0, 0.5]), np.array([2.0, 1.0])
    step_size, T, B = 0.2, 0.1, 8
    bottom, right = h * (2 - step_size * h), np.array([0.25, 0.225]) / [4.8, 0.95]
    slips = {
        "The noise of the mini-batch is missing: c/B.": 2 * T / bottom,
        "The shaking is missing: its variance is 2 step_size T.": step_size * c / B / bottom,
        "The shaking has the variance 2 step_size T: the 2 is missing.": (T + step_size * c / B)
        / bottom,
        "Exactly: (1 - step_size h) squared has a third term, (step_size h)**2.": (
            2 * T + step_size * c / B
        )
        / (2 * h),
        "c/B is a variance already: B is not squared.": (2 * T + step_size * c / B**2) / bottom,
        "The gradient's noise is multiplied by step_size, so its variance by step_size**2.": (
            (2 * T + c / B) / bottom
        ),
        "The mean of B gradients has the variance c/B: B is missing.": (2 * T + step_size * c)
        / bottom,
        "That is T/h, of shaking alone and short steps: the mini-batch is missing, and "
        "(step_size h)**2.": T / h,
        "The square is that of the bracket: (1 - step_size h)**2, not 1 - step_size h**2.": (
            (2 * T + step_size * c / B) / h**2
        ),
        "One of the two factors step_size in step_size**2 c/B cancels.": (
            2 * T + step_size**2 * c / B
        )
        / bottom,
        "The variance, not its root.": np.sqrt(right),
        "The variance, not its inverse.": 1 / right,
        "That is what one step adds: the variance that stays is larger.": (
            step_size**2 * c / B + 2 * step_size * T
        ),
        "A variance is multiplied by the square of 1 - step_size h.": (
            (2 * T + step_size * c / B) / h
        ),
        "Divide by 1 - (1 - step_size h)**2, which has one factor step_size more.": (
            (step_size**2 * c / B + 2 * step_size * T) / bottom
        ),
        "c is a variance already: it is not squared.": (2 * T + step_size * c**2 / B) / bottom,
        "The sign: 1 - (1 - step_size h)**2 is step_size h (2 - step_size h).": (
            (2 * T + step_size * c / B) / (h * (2 + step_size * h))
        ),
    }
    says = "For h = [4, 0.5], step_size = 0.2, T = 0.1, c = [2, 1], B = 8 it is [0.0521, 0.2368]."
    expect(f(h, step_size, T, c, B), right, says, slips, form=PER_MODE)


@case("10.1")
def variance_of_one_noise_at_a_time(f):
    h = np.array([1.0, 3.0, 0.1])
    got = f(h, 0.5, 0.4, np.zeros(3), 5)
    expect(got, 0.8 / (h * (2 - 0.5 * h)), "Wrong for c = 0, shaking alone.", form=PER_MODE)
    got = f(h, 0.5, 0.0, h.copy(), 5)
    slips = {"Here c is h, but in general h does not cancel.": np.full(3, 0.05)}
    says = "Wrong for T = 0, mini-batches alone."
    expect(got, 0.1 / (2 - 0.5 * h), says, slips, form=PER_MODE)


@case("10.1", hidden=True)
def variance_of_an_iteration(f):
    draw = np.random.default_rng(101)
    for D, B in [(1, 1), (4, 3), (6, 64)]:
        step_size, T = draw.uniform(0.05, 0.4), draw.uniform(0, 2)
        h, c = draw.uniform(0.2, 1.95 / step_size, D), draw.uniform(0, 5, D)
        # the sum of what every earlier step has left, 5,000 of them
        v = np.zeros(D)
        for _ in range(5000):
            v = (1 - step_size * h) ** 2 * v + step_size**2 * c / B + 2 * step_size * T
        with untouched("Your function has changed h or c: *= and /= write into an array.", h, c):
            got = np.array(f(h, step_size, T, c, B), dtype=float)
        says = f"For D = {D}, B = {B} an iteration of the variance ends elsewhere."
        expect(got, v, says, form=PER_MODE, rtol=1e-8)


# --- 10.2 · A step that samples the posterior -----------------------------------------------------

NEW_W = "The new w, of shape (D,)."


@case("10.2")
def posterior_step_by_hand(f):
    w, g = np.array([1.0, -2.0]), np.array([3.0, 0.5])
    A, N, B = np.array([[2.0, 1.0], [1.0, 3.0]]), 16, 4
    push = np.array([1.7, -0.4])  # A x = g
    right = w - 0.4 * push
    got = f(w.copy(), g.copy(), A.copy(), N, B)
    slips = {
        "2 B/N is right for small steps only: exactly is asked for.": w - 0.5 * push,
        "A slip in a sign: multiply 1 - (1 - step_size)**2 out once more.": w - 2 / 3 * push,
        "B and N are swapped.": w - 1.6 * push,
        "B and N are swapped, and the 2 is missing.": w - 0.8 * push,
        "Uphill: the step is subtracted.": w + 0.4 * push,
        "The gradient is multiplied by the inverse of A, not by A.": w - 0.4 * A @ g,
        "The gradient is not multiplied by the inverse of A.": w - 0.4 * g,
        "The 2 is missing.": w - 0.2 * push,
        "Of A only the diagonal was used: solve A x = g.": w - 0.4 * g / np.diag(A),
        "The inverse of a matrix is not 1/A, entry by entry.": w - 0.4 * (1 / A) @ g,
        "That is the step: subtract it from w.": 0.4 * push,
        "That is the change of w: the new w is asked for.": -0.4 * push,
        "B/N is not it: one step size of 1 - (1 - step_size)**2 cancels, and a 2 is left.": (
            w - 0.25 * push
        ),
        "That is a Newton step, of step size 1.": w - push,
        "The square of the inverse: A stands between two of them in the covariance, not in the "
        "step.": w - 0.4 * np.linalg.solve(A, push),
        "w, too, was multiplied by 1 - step_size: g is the gradient at w, which says enough.": (
            0.6 * w - 0.4 * push
        ),
    }
    says = "For w = [1, -2], g = [3, 0.5], N = 16, B = 4 and the A given it is [0.32, -1.84]."
    expect(got, right, says, slips, form=NEW_W)


@case("10.2")
def posterior_step_of_a_full_batch(f):
    A = np.diag([4.0, 0.5, 1.0])
    got = f(np.zeros(3), np.array([4.0, 1.0, -3.0]), A, 10, 10)
    says = "For B = N, from 0, with g = [4, 1, -3] and A = diag(4, 0.5, 1), it is [-1, -2, 3]."
    slips = {"B = N gives a step size of 1, not of 2.": [-2.0, -4.0, 6.0]}
    expect(got, [-1.0, -2.0, 3.0], says, slips, form=NEW_W)


@case("10.2", hidden=True)
def posterior_step_keeps_the_covariance(f):
    draw = np.random.default_rng(102)
    changed = "Your function has changed an array that it was given: -= writes into it."
    for D, N, B in [(1, 5, 1), (3, 442, 8), (6, 100, 64), (2, 7, 30)]:
        root = draw.normal(size=(D, D + 3))
        A = root @ root.T / (D + 3)
        # columns of the linear map e -> e', and of n -> e', from the answer itself
        still, gain = np.eye(D), []
        for i in range(D):
            w, g = np.eye(D)[i], A[:, i].copy()
            with untouched(changed, w, g, A):
                still[:, i] = f(w, g, A, N, B)
                gain.append(np.asarray(f(np.zeros(D), np.eye(D)[i], A, N, B), dtype=float))
        gain = np.array(gain).T
        posterior = np.linalg.inv(A) / N  # in units of tau2
        after = still @ posterior @ still.T + gain @ (A / B) @ gain.T
        says = f"For D = {D}, N = {N}, B = {B} a step changes the covariance of the posterior."
        expect_all_digits(after * N, posterior * N, says, form=NEW_W, rtol=1e-7, atol=1e-9)


# --- 10.3 · The best independent Gaussian ---------------------------------------------------------

PER_WEIGHT = "One standard deviation for each weight, shape (D,)."


@case("10.3")
def mean_field_by_hand(f):
    L = np.array([[4.0, 3.0], [3.0, 9.0]])
    inverse = np.linalg.inv(L)
    slips = {
        "That is the posterior's own standard deviation. The best independent Gaussian has "
        "another: which entries of Λ are left in E eᵀ Λ e?": np.sqrt(np.diag(inverse)),
        "The variances: take the root.": 1 / np.diag(L),
        "From the eigenvalues: but the axes of q are the weights.": (
            1 / np.sqrt(np.linalg.eigvalsh(L))
        ),
        "The posterior's own variances; and which entries of Λ are left in E eᵀ Λ e?": np.diag(
            inverse
        ),
        "A large precision is a small standard deviation: 1 over it.": np.sqrt(np.diag(L)),
        "The minimum of Λ_ii s² / 2 - log s: set Λ_ii s - 1/s to 0.": 1 / np.sqrt(2 * np.diag(L)),
        "The ½ belongs to Λ_ii s², and its derivative is Λ_ii s.": np.sqrt(2 / np.diag(L)),
        "Row sums of the matrix: under q, e_i and e_j are independent.": 1 / np.sqrt(L.sum(1)),
        "Every entry was used: only the diagonal counts.": 1 / np.sqrt(L),
        "A vector is asked for, not a diagonal matrix.": np.diag(1 / np.sqrt(np.diag(L))),
    }
    says = "For precision = [[4, 3], [3, 9]] it is [0.5, 0.3333]."
    expect(f(L), [0.5, 1 / 3], says, slips, form=PER_WEIGHT)


@case("10.3")
def mean_field_of_the_opposite_correlation(f):
    L = np.array([[1.0, -0.9], [-0.9, 1.0]])
    slips = {"Only the diagonal counts.": [np.sqrt(10.0)] * 2}
    says = "For precision = [[1, -0.9], [-0.9, 1]] it is [1, 1]."
    expect(f(L), [1.0, 1.0], says, slips, form=PER_WEIGHT)


def divergence(s, precision, mean_square):
    """KL(q || p) up to a constant, with the means of e_i e_j under q from a rule for them."""
    covariance = np.diag(s) @ mean_square @ np.diag(s)
    return 0.5 * np.sum(precision * covariance) - 0.5 * np.linalg.slogdet(covariance)[1]


@case("10.3", hidden=True)
def mean_field_has_the_smallest_divergence(f):
    draw = np.random.default_rng(103)
    signs = np.array(list(itertools.product([-1.0, 1.0], repeat=4)))  # mean 0, independent
    for scale in (1.0, 100.0):
        root = draw.normal(size=(4, 5))
        L = scale * root @ root.T
        s = np.asarray(f(L), dtype=float)
        expect(s.shape, (4,), "For a 4 by 4 matrix the shape should be (4,).")
        assert np.all(s > 0), "A standard deviation is positive."
        best = divergence(s, L, signs.T @ signs / 16)
        for i, by in itertools.product(range(4), (0.999, 1.001)):
            other = s * np.where(np.arange(4) == i, by, 1)
            higher = divergence(other, L, signs.T @ signs / 16) > best
            assert higher, f"For a 4 by 4 matrix, {by} times s[{i}] has a smaller divergence."


# --- 10.4 · Dropout of a linear model -------------------------------------------------------------

ONE = "One number."


def by_enumeration(Phi, w, t, keep):
    """The mean cost averaged over all masks, minus the mean cost."""
    cost = lambda v: 0.5 * np.mean((Phi @ v - t) ** 2)
    average = 0.0
    for mask in itertools.product([0, 1], repeat=len(w)):
        mask = np.array(mask)
        average += np.prod(np.where(mask, keep, 1 - keep)) * cost(mask * w / keep)
    return average - cost(w)


@case("10.4")
def dropout_by_hand(f):
    Phi = np.array([[1.0, 2.0], [3.0, -1.0], [-4.0, 1.0], [0.0, -2.0]])
    w, p = np.array([0.5, -1.0]), 0.8
    each = np.mean(Phi**2, axis=0) * w**2
    total = each.sum()
    slips = {
        "The variance of a mask, 0 or 1/p, is (1 - p)/p, not p/(1 - p).": p / (1 - p) / 2 * total,
        "The mask is divided by p: its variance is (1 - p)/p.": (1 - p) / 2 * total,
        "The cost has a ½.": (1 - p) / p * total,
        "The mean over examples, not the sum.": (1 - p) / (2 * p) * 4 * total,
        "The features are missing: each weight counts with the mean square of its own.": (
            (1 - p) / (2 * p) * np.sum(w**2)
        ),
        "That is the variance of a mask without 1/p: p (1 - p).": p * (1 - p) / 2 * total,
        "The mean of the square of a mask is 1/p; its variance is 1/p - 1 = (1 - p)/p.": (
            total / (2 * p)
        ),
        "(1 - p)/p**2: the square of 1/p is taken with probability p.": (
            (1 - p) / (2 * p**2) * total
        ),
        "Masks of different weights are independent: no cross terms.": (
            (1 - p) / (2 * p) * np.mean((Phi @ w) ** 2)
        ),
        "One number: sum over the weights.": (1 - p) / (2 * p) * each,
        "The weights are squared.": (1 - p) / (2 * p) * np.sum(np.mean(Phi**2, axis=0) * w),
        "The mean over the weights, too: their variances add.": (1 - p) / (2 * p) * each.mean(),
        "The mean of the square, not the square of the mean.": (
            (1 - p) / (2 * p) * np.sum(np.mean(Phi, axis=0) ** 2 * w**2)
        ),
        "p is the probability to keep.": p / (2 * (1 - p)) * total,
    }
    right = 0.125 * (26 / 4 * 0.25 + 10 / 4)
    says = "For the Phi and w of the example and keep = 0.8 it is 0.515625."
    expect(f(Phi, w, p), right, says, slips, form=ONE)


@case("10.4")
def dropout_that_keeps_all(f):
    Phi, w = np.array([[1.0, -2.0], [-1.0, 2.0]]), np.array([1.0, 3.0])
    expect(f(Phi, w, 1.0), 0.0, "For keep = 1 nothing is dropped, and the penalty is 0.", form=ONE)
    says = "For keep = 0.5, Phi = [[1, -2], [-1, 2]] and w = [1, 3] it is 18.5."
    expect(f(Phi, w, 0.5), 18.5, says, form=ONE)


@case("10.4", hidden=True)
def dropout_by_enumeration(f):
    draw = np.random.default_rng(104)
    for N, D, keep in [(1, 1, 0.3), (6, 3, 0.5), (9, 5, 0.9)]:
        Phi, w = draw.normal(1, 1, (N, D)), draw.normal(size=D)
        right = by_enumeration(Phi, w, draw.normal(size=N), keep)
        says = (
            f"For N = {N}, D = {D}, keep = {keep} the average over all {2**D} masks differs; these "
            "features do not have mean 0."
        )
        got = f(jnp.asarray(Phi), jnp.asarray(w), keep)
        expect_all_digits(got, right, says, form=ONE)


# --- 10.5 · The covariance of SGD -----------------------------------------------------------------

MATRIX = "A covariance matrix, shape (D, D)."


def solved(system, right):
    return np.linalg.solve(system, right.ravel()).reshape(right.shape)


@case("10.5")
def covariance_by_hand(f):
    A, C = np.array([[2.0, 0.5], [0.5, 1.0]]), np.array([[1.0, 0.2], [0.2, 3.0]])
    eta, B, eye = 0.3, 4, np.eye(2)
    first, second = np.kron(A, eye) + np.kron(eye, A), np.kron(A, A)
    right = solved(first - eta * second, eta / B * C)
    h, Q = np.linalg.eigh(A)
    modes = np.diag(Q.T @ C @ Q) * eta / B / (h * (2 - eta * h))
    slips = {
        "For small step sizes only: the term - eta A S A is missing.": solved(first, eta / B * C),
        "The sign of eta A S A: the variance grows.": solved(first + eta * second, eta / B * C),
        "B is missing.": solved(first - eta * second, eta * C),
        "That is eta/(2B) times the inverse of A times C, which holds if the two commute, to first "
        "order.": eta / (2 * B) * np.linalg.solve(A, C),
        "One eta of eta**2 C/B cancels.": solved(first - eta * second, eta**2 / B * C),
        "C/B is multiplied by eta**2 in one step, so by eta in the equation.": (
            solved(first - eta * second, C / B)
        ),
        "A S + S A: both sides.": solved(np.kron(A, eye), eta / B * C),
        "The covariance of one step's noise is not yet what stays.": eta**2 / B * C,
        "Mode by mode, the covariances between modes are lost.": Q @ np.diag(modes) @ Q.T,
        "The variances alone: the whole matrix is asked for.": np.diag(right),
        "Variances along the modes: turn back into the weights' own axes, all entries.": modes,
        "That is in the axes of the modes: turn back, Q S Q'.": Q.T @ right @ Q,
        "B is not squared.": solved(first - eta * second, eta / B**2 * C),
    }
    says = "For the example it is [[0.0331, -0.0176], [-0.0176, 0.1411]]."
    expect(f(A, C, eta, B), right, says, slips, form=MATRIX)


@case("10.5")
def covariance_of_a_round_cloud(f):
    A = np.array([[1.0, 0.2, 0.1], [0.2, 0.6, -0.1], [0.1, -0.1, 0.3]])
    right = 0.01 * np.linalg.inv(2 * np.eye(3) - 0.4 * A)
    h, Q = np.linalg.eigh(A)
    turned = (Q @ A @ Q.T) / (h[:, None] + h - 0.4 * np.outer(h, h))
    slips = {
        "Q on the wrong sides: to the modes by Q' C Q, and back by Q S Q'.": (
            0.01 * Q.T @ turned @ Q
        )
    }
    says = (
        "For C = A, with 3 weights, it is step_size/B times the inverse of 2 I - step_size A: the "
        "cloud is almost round."
    )
    expect(f(A, A.copy(), 0.4, 40), right, says, slips, form=MATRIX)


@case("10.5", hidden=True)
def covariance_stays(f):
    draw = np.random.default_rng(105)
    for D, low in [(2, 0.5), (4, 1e-4), (6, 0.02)]:
        Q = np.linalg.qr(draw.normal(size=(D, D)))[0]
        A = Q @ np.diag(np.geomspace(low, 3, D)) @ Q.T
        root = draw.normal(size=(D, D))
        C, eta, B = root @ root.T, draw.uniform(0.1, 0.6), int(draw.integers(1, 20))
        S = np.array(f(jnp.asarray(A), jnp.asarray(C), eta, B), dtype=float)
        expect(S.shape, (D, D), f"For D = {D} the shape should be ({D}, {D}).")
        keep = np.eye(D) - eta * A
        # what a step changes, in the axes of the modes and in units of what it takes away
        change = Q.T @ (keep @ S @ keep.T + eta**2 / B * C - S) @ Q
        lost = 1 - np.outer(*[np.diag(Q.T @ keep @ Q)] * 2)
        worst = np.abs(change / lost).max() / np.abs(S).max()
        says = f"For D = {D}, curvatures from {low}, a step changes the covariance."
        assert worst < 1e-7, says
