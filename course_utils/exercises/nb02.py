"""Exercises of notebook 2: conditioning and double descent."""

import itertools

import numpy as np

from course_utils import dynamics
from course_utils.exercises import SHAPES, called, case, expect, untouched


def with_shapes(f, *args, shapes):
    """What ``f`` gives; where it stops because shapes do not fit, ``shapes`` says which would."""
    return called(f, *args, advice={SHAPES: f"Shapes do not fit. {shapes}"})


def both(got, X, T):
    """Z_train and Z_test as arrays, of real numbers and of the shapes of X and T."""
    assert isinstance(got, (tuple, list)) and len(got) == 2, "Return two arrays: Z_train, Z_test."
    for Z, like, name in zip(got, (X, T), ("train", "test")):
        form = f"Z_{name} keeps the shape of X_{name}."
        expect(np.zeros_like(Z), np.zeros(like.shape), form, form=form)
    return np.asarray(got[0]), np.asarray(got[1])


# --- 2.1 · Standardise ----------------------------------------------------------------------------


def standardized(f, X, T):
    D = X.shape[1]
    shapes = f"The mean and the deviation have shape ({D},), one number per column of X_train."
    return both(with_shapes(f, X.copy(), T.copy(), shapes=shapes), X, T)


@case("2.1")
def one_column_varies(f):
    X, T = np.array([[1.0, 7], [1, 7], [5, 7], [5, 7]]), np.array([[9.0, 8]])
    Z, S = standardized(f, X, T)
    mu, deviation, together = X.mean(axis=0), np.array([2.0, 1]), np.vstack([X, T])
    assert not np.isnan(Z[:, 1]).any(), "The second column is constant: 0 / 0?"
    across = lambda g: g(X, axis=1, keepdims=True)
    slips = {
        "It is centred, not scaled.": X - mu,
        "It is scaled, not centred.": X / deviation,
        "Divided by the variance? The deviation is its root.": (X - mu) / deviation**2,
        "The deviation has 1/N in it, not 1/(N - 1).": (X - mu) / [np.sqrt(16 / 3), 1],
        "The test rows were counted, too.": (X - together.mean(axis=0)) / together.std(axis=0),
        "One mean and deviation for all? They are meant per column.": (X - X.mean()) / X.std(),
        "These are statistics per row; they are meant per column.": (X - across(np.mean))
        / across(np.std),
        "First the mean, then the division: here the mean was not divided.": X / deviation - mu,
        "This lies between 0 and 1: divided by the range?": (X - X.min(axis=0)) / [4, 1],
        "A constant column is centred, too.": np.column_stack([(X[:, 0] - 3) / 2, X[:, 1]]),
    }
    says = "1, 1, 5, 5 have mean 3 and variance 4: they become -1, -1, 1, 1, and the 7s become 0."
    expect(Z, [[-1, 0], [-1, 0], [1, 0], [1, 0]], says, slips)
    assert not np.isnan(S).any(), "Z_test has a 0 / 0: whose mean and deviation are meant?"
    slips = {
        "By their own statistics single test rows become 0: take the training set's.": 0 * T,
        "X_test is left as it is.": T,
        "X_test is centred, not scaled.": T - mu,
        "X_test is scaled, not centred.": T / deviation,
        "A feature that is constant in training need not be so in the test set: only centred.": [
            [3, 0]
        ],
    }
    says = "The test row 9, 8 becomes 3, 1: a constant feature is only centred, 8 - 7 = 1."
    expect(S, [[3, 1]], says, slips)


@case("2.1")
def several_test_rows(f):
    draw = np.random.default_rng(210)
    X, T = draw.normal(size=(6, 3)) * [1, 30, 0.5] + 4, draw.normal(size=(4, 3)) + 4
    Z, S = standardized(f, X, T)
    line = lambda A: np.column_stack([(A[:, j] - X[:, j].mean()) / X[:, j].std() for j in range(3)])
    expect(Z, line(X), "Wrong for 6 rows of 3 columns.", rtol=1e-3, atol=1e-3)
    slips = {
        "The test rows became those of their own statistics.": (T - T.mean(axis=0)) / T.std(axis=0),
        "The test rows have lost their own mean: subtract the training mean.": (T - T.mean(axis=0))
        / X.std(axis=0),
        "The test rows are divided by their own deviation.": (T - X.mean(axis=0)) / T.std(axis=0),
    }
    expect(S, line(T), "Wrong for 4 test rows of 3 columns.", slips, rtol=1e-3, atol=1e-3)
    alone = standardized(f, X, T[1:2])[1]
    expect(S[1:2], alone, "A test row depends on the others.", rtol=1e-3, atol=1e-3)


@case("2.1")
def constant_but_for_rounding(f):
    X, T = np.full((10, 1), 0.3), np.array([[0.4]])
    Z, S = standardized(f, X, T)
    says = "Ten times 0.3 has deviation 6e-17 by rounding: is it constant?"
    expect(Z, np.zeros((10, 1)), says, atol=1e-6)
    expect(S, [[0.1]], says, rtol=1e-5)


@case("2.1")
def almost_constant(f):
    X = np.array([[1e-9, 1.0], [3e-9, 1.000005], [2e-9, 0.999995]])
    T = np.array([[4e-9, 1.00001]])
    Z, S = standardized(f, X, T)
    line = lambda A: (A - X.mean(axis=0)) / X.std(axis=0)
    varies = "{} vary, if little: constant is only a column whose entries are all the same."
    for j, name in enumerate(("1e-9, 3e-9, 2e-9", "1, 1.000005, 0.999995")):
        expect(Z[:, j], line(X)[:, j], varies.format(name), atol=0.1)
    expect(S, line(T), "The test rows are not mapped as the training rows.", atol=0.2)


@case("2.1")
def arguments_stay(f):
    X, T = np.array([[1.0, 5], [3, 5], [5, 5]]), np.array([[2.0, 6]])
    with untouched("The arguments have been changed: X -= ... works in place.", X, T):
        f(X, T)


@case("2.1", hidden=True)
def columns_of_all_sizes(f):
    draw = np.random.default_rng(21)
    X = draw.normal(size=(40, 5)) * [1, 20, 0.01, 3, 0] + 7
    T = draw.normal(size=(9, 5)) + 7
    Z, S = standardized(f, X, T)
    expect(Z.mean(axis=0), np.zeros(5), "Z_train is not centred.", atol=1e-3)
    says = "The deviations were near 1, 20, 0.01, 3 and 0; 0.01 is no 0."
    expect(Z.std(axis=0), [1.0, 1, 1, 1, 0], says, atol=1e-3)
    for j in range(4):
        mapped = np.polyval(np.polyfit(X[:, j], Z[:, j], 1), T[:, j])
        says = f"Column {j} of the test set is mapped in another way than in training."
        expect(S[:, j], mapped, says, rtol=1e-3, atol=1e-3)
    says = "A column that is constant in training is only centred."
    expect(S[:, 4], T[:, 4] - 7, says, rtol=1e-4)


@case("2.1", hidden=True)
def constant_and_large(f):
    large = 0.3 * 2**20
    X, T = np.full((10, 2), [large, -2.0]), np.array([[large + 100, -5.0], [0.0, 0.0]])
    Z, S = standardized(f, X, T)
    says = "Ten times 314572.8 is constant, with a deviation of 6e-11 by rounding."
    expect(Z, np.zeros((10, 2)), says, atol=0.5)
    expect(S, T - [large, -2], says, rtol=1e-2, atol=0.5)


@case("2.1", hidden=True)
def constant_or_tiny(f):
    X = np.array([[1e-15, 0.3], [3e-15, 0.3], [2e-15, 0.3]])
    Z, _ = standardized(f, X, X)
    says = "1e-15, 3e-15, 2e-15 vary: is a deviation compared with a fixed number?"
    expect(Z, np.column_stack([np.array([-1, 1, 0]) * 1.5**0.5, np.zeros(3)]), says, atol=0.01)


@case("2.1", hidden=True)
def one_training_row(f):
    X, T = np.array([[2.0, -1, 5]]), np.array([[3.0, -1, 0], [2, 2, 2]])
    Z, S = standardized(f, X, T)
    says = "With one training row every column is constant, and only centred."
    expect(Z, np.zeros((1, 3)), says)
    expect(S, T - X, says)


# --- 2.2 · The expected error of the shortest fit -------------------------------------------------


def risk(f, N, D, noise, norm_w):
    try:
        return f(N, D, noise, norm_w)
    except ZeroDivisionError:
        raise AssertionError(
            f"Division by 0 at N = {N}, D = {D}: what is the mean there?"
        ) from None


ONE_NUMBER = "Signal and noise together are one number."


@case("2.2")
def more_examples_than_weights(f):
    slips = {
        "Errors are squared: noise squared.": 1.0,
        "Where is the 1 of r - c - 1?": 4 * 3 / 7,
        "Which of N and D is r, which is c? G' G has c rows and c columns.": 4 * 10 / -8,
        "The trace has one term for each direction of w: not N.": 4 * 10 / 6,
        "One direction alone? The trace has one term for each.": 4 / 6,
        "Without the noise of a new target: only w is compared with w*.": 6.0,
        "This is a root: the mean of squares is wanted.": 2**0.5,
        "Nothing is missing where N > D; the rows span all directions.": 2 + 25 * 0.7,
        "The signal that is missing cannot be negative.": 2 + 25 * (1 - 10 / 3),
    }
    says = "For N = 10, D = 3, noise 2 and norm_w 5 the answer is 2."
    expect(risk(f, 10, 3, 2.0, 5.0), 2.0, says, slips, form=ONE_NUMBER)


@case("2.2")
def fewer_examples_than_weights(f):
    quiet = {
        "Errors are squared: norm_w squared.": 5 * 0.7,
        "That is the share that is seen; it is the rest that is missing.": 25 * 0.3,
        "The missing signal is missing.": 0.0,
        "All of w* is missing? Three rows show a part of it.": 25.0,
        "How many of ten directions can three rows span?": 25 * (1 - 10 / 3),
        "The share of directions is one of squares already.": 25 * 0.7**2,
    }
    says = "With next to no noise, N = 3, D = 10 and norm_w 5, it is 17.5: what do 3 rows not show?"
    expect(risk(f, 3, 10, 1e-9, 5.0), 17.5, says, quiet, form=ONE_NUMBER)
    noisy = {
        "Few examples have noise as well.": 17.5,
        "Errors are squared: noise squared.": 17.5 + 2 * 3 / 6,
        "Which matrix is inverted when N < D, and how many curvatures has it?": 17.5 + 4 * 10 / 6,
        "Where is the 1 of r - c - 1?": 17.5 + 4 * 3 / 7,
        "Noise adds to the error: here it comes out negative.": 17.5 - 4 * 10 / 8,
        "r - c - 1 with r < c? Which matrix has an inverse when N < D?": 17.5 - 4 * 3 / 8,
        "Without the noise of a new target: only w is compared with w*.": 19.5 + 4,
        "Only the noise? A part of w* is missing as well.": 2.0,
    }
    says = "For N = 3, D = 10, noise 2 and norm_w 5 the answer is 19.5."
    expect(risk(f, 3, 10, 2.0, 5.0), 19.5, says, noisy, form=ONE_NUMBER)


@case("2.2")
def the_peak(f):
    for N in (10, 11, 9):
        says = f"At N = {N}, D = 10 the mean is infinite, np.inf. Look from both sides of N = D."
        minus = {f"Infinite at N = {N}, but not minus infinity.": -np.inf}
        expect(risk(f, N, 10, 0.1, 1.0), np.inf, says, minus, form=ONE_NUMBER)
    for N, right in [(8, 0.2 + 0.08), (12, 0.1)]:
        says = f"Wrong at N = {N}, D = 10."
        slips = {f"At N = {N}, D = 10 the mean is finite.": np.inf}
        expect(risk(f, N, 10, 0.1, 1.0), right, says, slips, form=ONE_NUMBER)


@case("2.2", hidden=True)
def other_sizes(f):
    sizes = [(N, 30) for N in (7, 28, 29, 30, 31, 32, 90)]
    for N, D in [*sizes, (1, 4), (1, 3), (1, 2), (2, 2), (1, 1), (2, 1), (3, 1), (600, 500)]:
        right = dynamics.min_norm_risk(N, D, noise=0.7, norm_w=1.9)
        expect(risk(f, N, D, 0.7, 1.9), right, f"Wrong for N = {N}, D = {D}.", form=ONE_NUMBER)


@case("2.2", hidden=True)
def mean_of_4000_fits(f):
    draw = np.random.default_rng(24)
    for N, D in [(5, 14), (16, 4)]:
        Phi = draw.normal(size=(4000, N, D))
        w = draw.normal(size=D)
        t = Phi @ w + 1.5 * draw.normal(size=(4000, N))
        gaps = np.sum((np.einsum("rdn,rn->rd", np.linalg.pinv(Phi), t) - w) ** 2, axis=1)
        got = risk(f, N, D, 1.5, float(np.linalg.norm(w)))
        says = f"4,000 fits with N = {N}, D = {D} have another mean."
        expect(got, gaps.mean(), says, form=ONE_NUMBER, rtol=0.06)


# --- 2.3 · The shortest solution ------------------------------------------------------------------


def fit(f, Phi, t):
    N, D = Phi.shape
    K = min(N, D)
    shapes = (
        f"For Phi {Phi.shape} and t {t.shape} svd with full_matrices=False gives U {N, K}, size "
        f"({K},) and Qt {K, D}, before any are left out; w should have shape ({D},)."
    )
    try:
        return with_shapes(f, Phi.copy(), t.copy(), shapes=shapes)
    except np.linalg.LinAlgError as error:
        if "ingular" not in str(error):
            raise
        rank = np.linalg.matrix_rank(Phi)
        raise AssertionError(
            f"The matrix to be inverted has no inverse here: Phi {Phi.shape} has rank {rank}."
        ) from None


def not_shortest(Phi, t):
    """Hint: the value that a slip leads to, for Phi of full rank."""
    U, size, Qt = np.linalg.svd(Phi, full_matrices=False)
    part = lambda power: Qt.T @ (U.T @ t * size**power)
    right = part(-1)
    return {
        "Multiplied, not divided, by the singular values.": part(1),
        "Turned and turned back, but not divided by size.": part(0),
        "Divided by size twice, as by the curvatures.": part(-2),
        "Divided by a root of size: size is sqrt(N h_i) already.": Qt.T
        @ (U.T @ t / np.sqrt(len(t) * size)),
        "Divided by the root of size; (2.5) divides by size itself.": part(-0.5),
        "Divided by the roots of the curvatures: they lack the N in (2.5).": len(t) ** 0.5 * right,
        "The sign is the other one.": -right,
        "This is Phi w, one number per row; its weights w are wanted, one per column.": Phi @ right,
        "This is the matrix that makes w of the targets; w itself is wanted.": np.linalg.pinv(Phi),
    }


ONE_EACH = "One weight per column of Phi, shape (D,)."


@case("2.3")
def more_rows_than_columns(f):
    Phi, t = np.array([[2.0, 0], [0, 1], [0, 1]]), np.array([2.0, 1, 3])
    says = "2 w = 2 gives w = 1, and w = 1 and w = 3 together w = 2: the answer is [1, 2]."
    slips = not_shortest(Phi, t)
    for parts in ([1, -2], [-1, 2]):  # which depends on the signs that svd happens to choose
        slips[f"Are {parts} the parts along the q_i? They are still to be turned back."] = parts
    expect(fit(f, Phi, t), [1.0, 2.0], says, slips, form=ONE_EACH)


@case("2.3")
def fewer_rows_than_columns(f):
    draw = np.random.default_rng(3)
    Phi, t = draw.normal(size=(3, 5)), draw.normal(size=3)
    got = fit(f, Phi, t)
    fits = np.shape(got) == (5,) and np.allclose(Phi @ np.asarray(got), t)
    says = (
        "It fits, but a shorter solution does, too. (Phi'Phi has no inverse here. What is added to "
        "it shows in w; and eigenvalues that should be 0 come out as 1e-16 of the largest, above "
        "any limit like 1e-20: squaring has lost them. The SVD of Phi has not.)"
        if fits
        else "Five weights can fit three targets, and these do not. Is U turned by its transpose, "
        "and Qt back by its own? (Phi'Phi has no inverse.)"
    )
    expect(got, np.linalg.pinv(Phi) @ t, says, not_shortest(Phi, t), form=ONE_EACH, rtol=1e-5)


@case("2.3")
def twice_the_same_column(f):
    Phi = np.array([[1.0, 1, 2], [2, 2, 0], [3, 3, 1], [1, 1, 1]])
    t = np.array([1.0, 0, 0, 0])
    got = fit(f, Phi, t)
    infinite = np.shape(got) == (3,) and not np.isfinite(got).all()
    assert not infinite, "There is an inf or nan: a singular value of 0 is still divided by."
    huge = np.shape(got) == (3,) and not np.all(np.abs(got) < 1e3)
    assert not huge, "A singular value that should be 0 comes out as 1e-16: leave it out."
    right = np.linalg.pinv(Phi, rcond=1e-10) @ t
    says = "Two columns are equal, and one singular value is 0 but for rounding: leave it out."
    expect(got, right, says, form=ONE_EACH, atol=1e-6)
    says = "Equal columns share their weight equally in the shortest solution."
    expect(fit(f, Phi, Phi @ np.array([1.0, 3, 2])), [2.0, 2, 2], says, form=ONE_EACH, atol=1e-6)


@case("2.3")
def what_counts_as_0(f):
    t = np.ones(2)
    squares = "1e-7 of the largest is small, but no 0. (Squared, in Phi'Phi, it is 1e-14.)"
    of = lambda *size: fit(f, np.diag(size), t)
    expect(of(1.0, 1e-7), [1.0, 1e7], squares, form=ONE_EACH, rtol=1e-4)
    says = "Wrong where all singular values are small: compare with the largest, size[0]."
    expect(of(1e-12, 2e-12), [1e12, 5e11], says, form=ONE_EACH, rtol=1e-4)
    says = "3e-10 of the largest is no 0 yet: the limit is 1e-10 of it."
    expect(of(1.0, 3e-10), [1.0, 1e10 / 3], says, form=ONE_EACH, rtol=1e-4)
    says = "3e-11 of the largest counts as 0 here: the limit is 1e-10 of it."
    expect(of(1.0, 3e-11), [1.0, 0.0], says, form=ONE_EACH, atol=1e-6)


@case("2.3", hidden=True)
def other_shapes_and_ranks(f):
    draw = np.random.default_rng(23)
    for N, D, rank in [(9, 4, 4), (4, 9, 4), (8, 7, 3), (5, 8, 2), (6, 6, 5), (1, 3, 1), (4, 1, 1)]:
        Phi = draw.normal(size=(N, rank)) @ draw.normal(size=(rank, D))
        t = draw.normal(size=N)
        says = (
            f"Wrong for {N} rows, {D} columns and rank {rank}: any number of singular values may "
            "be 0."
        )
        right = np.linalg.lstsq(Phi, t, rcond=1e-10)[0]
        expect(fit(f, Phi, t), right, says, form=ONE_EACH, rtol=1e-5, atol=1e-7)


# --- 2.4 · Whiten ---------------------------------------------------------------------------------

# A matrix W whitens if W W' is the inverse of the covariance. Any rotation of it does, so that not
# Z = (X - mu) W is compared, but the inner products of the rows, (X - mu) W W' (X - mu)'.


def slanted(seed, N=60, D=3):
    draw = np.random.default_rng(seed)
    mix = np.triu(np.ones((D, D))) * np.arange(1, D + 1)
    return draw.normal(size=(N, D)) @ mix + 5


def whitened(f, X, T):
    D = X.shape[1]
    shapes = (
        f"The covariance of {D} features has shape ({D}, {D}), and so has the matrix that the rows "
        f"are multiplied by; mean and h have ({D},)."
    )
    try:
        Z, S = both(with_shapes(f, X.copy(), T.copy(), shapes=shapes), X, T)
    except np.linalg.LinAlgError as error:
        raise AssertionError(
            "A matrix has no inverse or no root here. The covariance of the training rows has "
            f"both: is it taken for both sets? The error: {error}"
        ) from None
    assert np.isfinite(Z).all(), "Z_train has nan or inf: the root of something negative?"
    assert np.isfinite(S).all(), "Z_test has nan or inf: whose mean and covariance are meant?"
    return Z, S


def not_white(X):
    """What mistakes make of W W': pairs of a hint and a matrix."""
    N, D = X.shape
    Sigma, mu = np.cov(X.T, ddof=0), X.mean(axis=0)
    inverse, about_0 = np.linalg.inv(Sigma), np.linalg.inv(Sigma + np.outer(mu, mu))
    h, Q = np.linalg.eigh(Sigma)
    L, M = np.linalg.cholesky(Sigma), np.linalg.cholesky(inverse)
    side = "Cholesky on the wrong side: which stands beside the rows, the factor or its transpose?"
    late = "The covariance is that of centred data: subtract the mean before you compute it."
    yield from [
        ("Centred, perhaps turned, but not divided.", np.eye(D)),
        (
            "Standardised: the columns have deviation 1, but still vary together.",
            np.diag(1 / np.diag(Sigma)),
        ),
        ("Divided by h: the deviation along an axis is its square root.", inverse @ inverse),
        ("Multiplied by the deviations: divide by them.", Sigma),
        (
            "These are the axes of the correlations: take those of the covariance.",
            np.linalg.inv(np.corrcoef(X.T)),
        ),
        ("Divide by N, not N - 1, in the covariance.", inverse * (N - 1) / N),
        ("Too small by sqrt(N): is the covariance a mean over the rows?", inverse / N),
        ("Too large by sqrt(N): it is in there twice.", inverse * N),
        (late, about_0),
        (late, about_0 * (N - 1) / N),
        (late, about_0 / N),
        (side, np.linalg.inv(L.T @ L)),
        (side, M.T @ M),
        ("Multiplied by a Cholesky factor of Sigma: divide by it, by its inverse.", L.T @ L),
    ]
    for order in (np.arange(D), np.arange(D)[::-1]):
        yield (
            "Features were divided, then turned. Turn first; h belongs to the turned columns.",
            np.diag(1 / h[order]),
        )
        for signs in itertools.product((1, -1), repeat=D - 1):  # an axis may point either way
            V = Q[:, order] * [1, *signs]
            hint = "Turned by Q.T in place of Q: the axes are the columns of Q, the rows of Qt."
            yield hint, V.T / h[order] @ V


def is_white(Z, X):
    """Assert that Z is a whitened X, or name the mistake."""
    N, D = X.shape
    near = dict(rtol=1e-3, atol=1e-3)
    says = "Z_train: mean not 0. Subtract the training mean from all rows."
    expect(Z.mean(axis=0), np.zeros(D), says, **near)
    centred, C = X - X.mean(axis=0), Z.T @ Z / N
    if not np.allclose(C, np.eye(D), **near):
        for hint, K in not_white(X):
            assert not np.allclose(Z @ Z.T, centred @ K @ centred.T, **near), hint
    if np.allclose(C, C[0, 0] * np.eye(D), **near):
        says = "Z'Z / N is a multiple of I: is N the number of training rows, len(X_train)?"
    elif np.allclose(C, np.diag(np.diag(C)), **near):
        says = "The columns of Z_train vary apart from each other, but their variances are not 1."
    else:
        says = "Two columns of Z_train still vary together: Z'Z / N should be I."
    expect(C, np.eye(D), says, **near)
    right = centred @ np.linalg.inv(np.cov(X.T, ddof=0)) @ centred.T
    says = "Z'Z / N is I, but one matrix does not make Z_train of X_train - mu."
    expect(Z @ Z.T, right, says, **near)


def same_map(S, T, Z, X):
    """Assert that S is made of T as Z of X, or name the mistake."""
    mu = X.mean(axis=0)
    W = np.linalg.lstsq(X - mu, Z, rcond=None)[0]
    slips = {
        "X_test is left as it is: use the same matrix, and the training mean.": T,
        "The test rows have lost their own mean: use the training mean.": (T - T.mean(axis=0)) @ W,
        "X_test is multiplied, but the training mean was not subtracted.": T @ W,
        "X_test is centred, but not multiplied by the matrix.": T - mu,
    }
    says = (
        "Training rows, given again as test rows, come out differently: use the training mean "
        "and the same matrix."
    )
    expect(S, (T - mu) @ W, says, slips, rtol=1e-3, atol=1e-3)


@case("2.4")
def corners_of_a_square(f):
    X, T = np.array([[4.0, 1], [0, -1], [3, 2], [1, -2]]), np.array([[5.0, 3]])
    Z, S = whitened(f, X, T)
    is_white(Z, X)
    same_map(S, T, Z, X)


@case("2.4")
def sixty_examples_of_three_features(f):
    X = slanted(0)
    is_white(whitened(f, X, X[:7])[0], X)


@case("2.4")
def training_rows_as_test_rows(f):
    X = slanted(1)
    T = np.vstack([X[20:27], X.mean(axis=0) + 1])
    Z, S = whitened(f, X, T)
    same_map(S, T, Z, X)
    alone = whitened(f, X, T[:1])[1]
    expect(S[:1], alone, "A test row depends on the others.", rtol=1e-3, atol=1e-3)


@case("2.4", hidden=True)
def white_for_other_shapes(f):
    for N, D in [(50, 6), (9, 4), (200, 2)]:
        X, T = slanted(N, N, D), slanted(23, 5, D) - 3
        Z, S = whitened(f, X, T)
        says = f"Not white for {N} examples of {D} features: N is len(X_train)."
        expect(Z.T @ Z / N, np.eye(D), says, atol=1e-3)
        expect(Z.mean(axis=0), np.zeros(D), "Z_train: mean not 0.", atol=1e-3)
        rows, inverse = T - X.mean(axis=0), np.linalg.inv(np.cov(X.T, ddof=0))
        right = np.sqrt(np.sum(rows @ inverse * rows, axis=1))  # Mahalanobis
        says = "The test rows have other lengths than the same matrix gives them."
        expect(np.linalg.norm(S, axis=1), right, says, rtol=1e-3, atol=1e-3)
        same_map(S, T, Z, X)


@case("2.4", hidden=True)
def white_in_small_units(f):
    X = slanted(224, 30, 3) / 1e8
    Z, _ = whitened(f, X, X[:2])
    says = "In units of 1e8 the variances are near 1e-16, but no 0: add nothing to them."
    expect(Z.T @ Z / 30, np.eye(3), says, atol=1e-3)
