"""Exercises of notebook 20: few directions, the judge, few factors, and a path."""

import numpy as np
import scipy.stats

from course_utils.exercises import case, expect, untouched

# --- 20.1 · A few directions ----------------------------------------------------------------------

CHANGED = "Your function has changed what it was given."
PAIRS = "One number for each test example and each training example, shape (T, n)."
H = np.array([1.0, 2.0, 9.0])
Q = np.array([[0.0, 0.8, 0.6], [1.0, 0.0, 0.0], [0.0, -0.6, 0.8]])
SLOPES_T = np.array([[1.0, 2.0, 2.0]])
SLOPES = np.array([[3.0, 1.0, 1.0], [1.0, 4.0, -1.0]])


@case("20.1")
def arnoldi_by_hand(f):
    given = H.copy(), Q.copy(), SLOPES_T.copy(), SLOPES.copy()
    with untouched(CHANGED, *given):
        got = f(*given, 1.0, 1)
    steep = [[0.286, -0.022]]
    flat = (SLOPES_T @ Q[:, :1] / 2) @ (Q[:, :1].T @ SLOPES.T) / 2
    rows = Q.T
    turned = (SLOPES_T @ rows[:, 2:] / 10) @ (rows[:, 2:].T @ SLOPES.T) / 2
    all_but = (SLOPES_T @ Q / (H + 1)) @ (Q.T @ SLOPES.T) / 2 - steep
    slips = {
        "That keeps the flattest direction: h rises, so the steepest ones stand last.": flat,
        "The 1/n is missing: scores are for the removal of one example from a mean.": (
            np.array(steep) * 2
        ),
        "The strength belongs to h: 1/(h + strength).": np.array(steep) * 10 / 9,
        "strength is added to h, not to 1/h.": np.array(steep) * 10 * (1 / 9 + 1),
        "Divide by h + strength; yours is multiplied.": np.array(steep) * 100,
        "Divide by h + strength: it is missing.": np.array(steep) * 10,
        "An eigenvector is a column of Q, not a row.": turned,
        "All directions count here: only the k steepest should.": (
            (SLOPES_T @ Q / (H + 1)) @ (Q.T @ SLOPES.T) / 2
        ),
        "That is what the steepest direction leaves out.": all_but,
        "What is left out counts as 0; yours adds it, divided by the strength.": (
            np.array(steep)
            + (SLOPES_T @ SLOPES.T - (SLOPES_T @ Q[:, 2:]) @ (Q[:, 2:].T @ SLOPES.T)) / 2
        ),
        "The sign: positive where a training example helps.": -np.array(steep),
        "One row for each test example: yours has training examples in rows.": np.array(steep).T,
    }
    says = "In the example, with k = 1, it is [[0.286, -0.022]]."
    expect(got, steep, says, slips, form=PAIRS)


def several(seed, p, T, n):
    draw = np.random.default_rng(seed)
    root = draw.normal(size=(p + 3, p)) * 3.0 ** -np.arange(p)
    h, Q = np.linalg.eigh(root.T @ root)
    return h, Q, draw.normal(size=(T, p)), draw.normal(size=(n, p))


@case("20.1")
def arnoldi_with_all_directions(f):
    h, Q, slopes_t, slopes = several(201, 5, 3, 4)
    dense = (Q * h) @ Q.T + 0.3 * np.eye(5)
    right = slopes_t @ np.linalg.solve(dense, slopes.T) / 4
    says = "With k = p nothing is left out: it should be the solve with the whole matrix."
    expect(f(h, Q, slopes_t, slopes, 0.3, 5), right, says, form=PAIRS)


@case("20.1", hidden=True)
def arnoldi_is_the_exact_score_of_projected_slopes(f):
    for seed, p, T, n, k in [(202, 6, 2, 5, 3), (203, 8, 1, 3, 7), (204, 4, 3, 2, 1)]:
        h, Q, slopes_t, slopes = several(seed, p, T, n)
        dense = (Q * h) @ Q.T + 0.05 * np.eye(p)
        _, _, onto = np.linalg.svd((Q * h)[:, p - k :].T, full_matrices=False)
        right = slopes_t @ onto.T @ onto @ np.linalg.solve(dense, slopes.T) / n
        says = f"Wrong for p = {p}, k = {k}, {T} tests and {n} training examples."
        expect(f(h, Q, slopes_t, slopes, 0.05, k), right, says, form=PAIRS)


@case("20.1", hidden=True)
def arnoldi_without_any_direction(f):
    h, Q, slopes_t, slopes = several(205, 4, 2, 3)
    got = f(h, Q, slopes_t, slopes, 0.1, 0)
    says = "With k = 0 no direction is kept, and all scores are 0: what does -k: take then?"
    expect(got, np.zeros((2, 3)), says, form=PAIRS)


# --- 20.2 · The judge -----------------------------------------------------------------------------

ONE_EACH = "One number for each test example, shape (T,)."


def correlation(a, b):
    return np.corrcoef(a, b)[0, 1]


def right_lds(scores, kept, measured):
    predicted = np.where(kept[:, None], 0.0, scores[None]).sum(axis=2)  # (S, T)
    found = [scipy.stats.spearmanr(a, b).statistic for a, b in zip(predicted.T, measured.T)]
    return np.array(found)


def lds_slips(scores, kept, measured):
    left = (~kept) @ scores.T
    stayed = kept @ scores.T
    rank = scipy.stats.rankdata
    once = lambda x: np.argsort(x)
    each = lambda how, x: np.array([correlation(how(a), how(b)) for a, b in zip(x.T, measured.T)])
    over_tests = [
        correlation(rank(a), rank(b)) if len(a) > 1 else np.nan for a, b in zip(left, measured)
    ]
    return {
        "A score is for a removal: sum over those that are left out, not those kept.": (
            each(rank, stayed)
        ),
        "That is Pearson's correlation: of ranks it is Spearman's.": each(lambda x: x, left),
        "argsort gives the order, not the ranks: rankdata does.": each(once, left),
        "Ranks run over the subsets, for each test example; yours over the tests.": over_tests,
        "The sign: without a helpful example the loss is higher.": -each(rank, left),
        "One number for each test example: yours is their mean.": each(rank, left).mean(),
        "Each test example by itself: yours pools them.": correlation(
            rank(left.ravel()), rank(measured.ravel())
        ),
        "Mean over those left out, or sum? Subsets may differ in size.": each(
            rank, left / np.maximum((~kept).sum(axis=1), 1)[:, None]
        ),
    }


def judged(seed, S, T, n, noise):
    draw = np.random.default_rng(seed)
    scores = draw.normal(size=(T, n)) ** 3
    kept = draw.random((S, n)) < draw.uniform(0.3, 0.7, (S, 1))
    measured = (~kept) @ scores.T + noise * draw.normal(size=(S, T))
    return scores, kept, measured


@case("20.2")
def lds_by_hand(f):
    scores = np.array([[1.0, 5.0, -2.0]])
    kept = np.array([[0, 1, 1], [1, 0, 1], [1, 1, 0], [0, 0, 1]], bool)
    measured = np.array([[0.3], [0.9], [0.7], [2.0]])
    with untouched(CHANGED, scores, kept, measured):
        got = f(scores, kept, measured)
    says = "In the example it is [0.8]."
    expect(got, [0.8], says, lds_slips(scores, kept, measured), form=ONE_EACH)


@case("20.2")
def lds_of_three_tests(f):
    given = judged(221, 9, 3, 6, 2.0)
    says = "Wrong for 9 subsets of 6 examples and 3 tests."
    expect(f(*given), right_lds(*given), says, lds_slips(*given), form=ONE_EACH)


@case("20.2", hidden=True)
def lds_of_additive_effects_is_one(f):
    scores, kept, measured = judged(222, 12, 4, 10, 0.0)
    expect(f(scores, kept, measured), np.ones(4), "Where effects add up it is 1.", form=ONE_EACH)
    got = f(-scores, kept, np.exp(measured))
    expect(got, -np.ones(4), "With the signs turned round it is -1.", form=ONE_EACH)


@case("20.2", hidden=True)
def lds_with_ties(f):
    scores = np.array([[1.0, 1.0, 0.0, 3.0], [0.0, 0.0, 2.0, 2.0]])
    kept = np.random.default_rng(223).random((11, 4)) < 0.5
    measured = np.round(np.random.default_rng(224).normal(size=(11, 2)), 0)
    says = "Equal values share the mean of their ranks, as rankdata does it."
    expect(f(scores, kept, measured), right_lds(scores, kept, measured), says, form=ONE_EACH)


# --- 20.3 · Eigenvalues in Kronecker axes ---------------------------------------------------------

LAYER = "One number for each pair of an input axis and an output axis, shape (in, out)."


def layer(seed, n, c, num_in, num_out):
    draw = np.random.default_rng(seed)
    a, s = draw.normal(size=(n, num_in)), draw.normal(size=(n, c, num_out))
    P = draw.dirichlet(np.ones(c), size=n)
    s = s - np.einsum("nc,nco->no", P, s)[:, None]  # as gradients are: of mean 0 over the labels
    Q_A = np.linalg.qr(draw.normal(size=(num_in, num_in)))[0]
    Q_S = np.linalg.qr(draw.normal(size=(num_out, num_out)))[0]
    return a, s, P, Q_A, Q_S


def dense_fisher(a, s, P):
    """F with the inputs' index first, from gradients of all examples and labels."""
    n, c = P.shape
    size = a.shape[1] * s.shape[2]
    F = np.zeros((size, size))
    for i in range(n):
        for label in range(c):
            g = np.kron(a[i], s[i, label])
            F += P[i, label] * np.outer(g, g) / n
    return F


def right_diagonal(a, s, P, Q_A, Q_S):
    basis = np.kron(Q_A, Q_S)
    return np.diag(basis.T @ dense_fisher(a, s, P) @ basis).reshape(len(Q_A), len(Q_S))


@case("20.3")
def ekfac_by_hand(f):
    a = np.array([[1.0, 2.0], [3.0, 0.0]])
    s = np.array([[[1.0], [-1.0]], [[4.0], [-1.0]]])
    P = np.array([[0.5, 0.5], [0.2, 0.8]])
    Q_A = np.array([[0.6, -0.8], [0.8, 0.6]])
    given = a, s, P, Q_A, np.ones((1, 1))
    with untouched(CHANGED, *given):
        got = f(*given)
    in_axes = (a @ Q_A) ** 2
    turned = (a @ Q_A.T) ** 2
    power = np.array([1.0, 4.0])  # mean square of s, by example
    slips = {
        "That is the product of two means, K-FAC. Here each example's input meets its own s.": (
            in_axes.mean(0)[:, None] * power.mean()
        ),
        "A mean over the n examples, not their sum.": 2 * right_diagonal(*given),
        "Labels count by their probabilities P; yours counts them all alike, as a mean.": (
            (in_axes * (s**2).mean(axis=1)).mean(0)[:, None]
        ),
        "Labels count by their probabilities P; yours sums them.": (
            (in_axes * (s**2).sum(axis=1)).mean(0)[:, None]
        ),
        "P is a weight, not part of the gradient: it is not squared.": (
            (in_axes * (P[..., None] ** 2 * s**2).sum(axis=1)).mean(0)[:, None]
        ),
        "Axes are the columns of Q_A: Q_A^T a, not Q_A a.": (
            (turned * power[:, None]).mean(0)[:, None]
        ),
        "Squares come before means: the gradients' own mean over the labels is 0.": (
            0 * right_diagonal(*given)
        ),
        "s is squared, too.": (in_axes * (P[..., None] * abs(s)).sum(axis=1)).mean(0)[:, None],
        "The inputs are squared, too.": ((abs(a @ Q_A) * power[:, None]).mean(0)[:, None]),
        "a is not in the axes yet: Q_A^T a.": (a**2 * power[:, None]).mean(0)[:, None],
        "Inputs first: shape (in, out).": right_diagonal(*given).T,
        "That is its square root.": np.sqrt(right_diagonal(*given)),
    }
    says = "In the example it is [[8.9], [11.6]]."
    expect(got, [[8.9], [11.6]], says, slips, form=LAYER)


@case("20.3")
def ekfac_is_the_diagonal(f):
    given = layer(212, 7, 3, 2, 3)
    a, s, P, Q_A, Q_S = given
    power = np.einsum("nc,nco->no", P, (s @ Q_S) ** 2)
    slips = {
        "Axes are the columns of Q_S: Q_S^T s, not Q_S s.": right_diagonal(a, s, P, Q_A, Q_S.T),
        "s is not in the axes yet: Q_S^T s.": right_diagonal(a, s, P, Q_A, np.eye(3)),
        "Axes are the columns of Q_A: Q_A^T a, not Q_A a.": right_diagonal(a, s, P, Q_A.T, Q_S),
        "That is the product of two means, K-FAC.": np.outer(
            ((a @ Q_A) ** 2).mean(0), power.mean(0)
        ),
    }
    says = "Wrong for 7 examples, 3 labels, 2 inputs and 3 outputs."
    expect(f(*given), right_diagonal(*given), says, slips, form=LAYER)


@case("20.3", hidden=True)
def ekfac_for_any_gradients(f):
    for seed, shape in [(213, (5, 4, 3, 2)), (214, (1, 2, 4, 4)), (215, (6, 1, 2, 5))]:
        a, s, P, Q_A, Q_S = layer(seed, *shape)
        s = s + np.arange(1.0, 1 + s.shape[2])
        right = right_diagonal(a, s, P, Q_A, Q_S)
        says = (
            f"Wrong for n, c, in, out = {shape}, where the mean of s over the labels is not 0: "
            "mean squares are asked for, not variances."
        )
        expect(f(a, s, P, Q_A, Q_S), right, says, form=LAYER)


# --- 20.4 · A path --------------------------------------------------------------------------------


def right_tracin(slopes_t, slopes, step_sizes):
    n = slopes.shape[1]
    total = np.zeros((slopes_t.shape[1], n))
    for t in range(total.shape[0]):
        for i in range(n):
            for k, step in enumerate(step_sizes):
                total[t, i] += step * float(slopes_t[k, t] @ slopes[k, i]) / n
    return total


@case("20.4")
def tracin_by_hand(f):
    slopes_t = np.array([[[1.0, 2.0], [0.0, 1.0]], [[1.0, 0.0], [1.0, 1.0]]])
    slopes = np.array([[[2.0, 1.0], [0.0, -1.0]], [[6.0, 5.0], [-2.0, 1.0]]])
    steps = np.array([0.5, 0.1])
    with untouched(CHANGED, slopes_t, slopes, steps):
        got = f(slopes_t, slopes, steps)
    dots = np.einsum("ktp,knp->ktn", slopes_t, slopes)
    right = right_tracin(slopes_t, slopes, steps)
    norms = np.linalg.norm(slopes_t, axis=2)[:, :, None] * np.linalg.norm(slopes, axis=2)[:, None]
    slips = {
        "The 1/n is missing: a step follows the mean of n gradients.": 2 * right,
        "The step sizes are missing.": dots.sum(0) / 2,
        "Each checkpoint has its own step size.": steps.mean() * dots.sum(0) / 2,
        "Each checkpoint has its own step size: yours takes the first for all.": (
            steps[0] * dots.sum(0) / 2
        ),
        "A sum over the checkpoints, not a mean.": right / 2,
        "The sign: a score is the drop that a step along this example brings.": -right,
        "Inner products, not cosines.": np.einsum("k,ktn->tn", steps, dots / norms) / 2,
        "Only the last checkpoint counts in yours.": steps[1] * dots[1] / 2,
        "Products of gradients at the same checkpoint: yours sums the gradients first.": (
            slopes_t.sum(0) @ np.einsum("k,knp->np", steps, slopes).T / 2
        ),
        "Test examples in rows, training examples in columns: yours is turned round.": right.T,
        "Sum over the checkpoints: yours keeps them apart.": steps[:, None, None] * dots / 2,
        "One number for each pair: yours sums over the tests.": right.sum(0),
        "The step size counts once, not squared.": (np.einsum("k,ktn->tn", steps**2, dots) / 2),
    }
    says = "In the example it is [[1.3, -0.6], [0.8, -0.3]]."
    expect(got, [[1.3, -0.6], [0.8, -0.3]], says, slips, form=PAIRS)


@case("20.4")
def tracin_of_several(f):
    draw = np.random.default_rng(231)
    given = draw.normal(size=(4, 3, 5)), draw.normal(size=(4, 3, 5)), draw.random(4)
    says = "Wrong for 4 checkpoints, 3 tests, 3 training examples and 5 parameters."
    expect(f(*given), right_tracin(*given), says, form=PAIRS)


@case("20.4", hidden=True)
def tracin_with_more_training_examples_than_tests(f):
    draw = np.random.default_rng(233)
    given = draw.normal(size=(3, 2, 4)), draw.normal(size=(3, 5, 4)), draw.random(3)
    right = right_tracin(*given)
    slips = {"1/n, with n training examples; yours divides by the number of tests.": right * 5 / 2}
    says = "Wrong for 3 checkpoints, 2 tests, 5 training examples and 4 parameters."
    expect(f(*given), right, says, slips, form=PAIRS)


@case("20.4", hidden=True)
def tracin_is_complete_for_small_steps(f):
    draw = np.random.default_rng(232)
    X, y, theta = draw.normal(size=(6, 3)), draw.normal(size=6), draw.normal(size=3)
    misses = []
    for steps in (200, 400):
        step, now, path = 20.0 / steps * 0.02, theta, []
        for _ in range(steps):
            path.append(now)
            now = now - step * X.T @ (X @ now - y) / 6
        slopes = np.array([(X @ at - y)[:, None] * X for at in path])
        got = np.asarray(f(slopes, slopes, np.full(steps, step)))
        drops = ((X @ theta - y) ** 2 - (X @ now - y) ** 2) / 2
        misses.append(np.abs(got.sum(axis=1) - drops).max())
    assert 1.6 < misses[0] / misses[1] < 2.5, (
        "Summed over the training examples, it should come to the drop of the loss, up to an "
        "error in proportion to the step size."
    )
