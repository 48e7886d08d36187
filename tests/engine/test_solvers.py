import dataclasses
import subprocess
import sys
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from strict import every_warning

from course_utils import solvers, trees

RNG = np.random.default_rng(0)
Q, _ = np.linalg.qr(RNG.normal(size=(30, 30)))
A = (Q * np.geomspace(1e-3, 1, 30)) @ Q.T  # condition number 1000
B = RNG.normal(size=(4, 30))


direct_jit = jax.jit(solvers.direct)


def matrix_with(*eigenvalues):
    q, _ = np.linalg.qr(np.random.default_rng(1).normal(size=(len(eigenvalues),) * 2))
    return (q * np.array(eigenvalues)) @ q.T


def as_tree(flat):
    return {"w": flat[:24].reshape(4, 6), "b": (flat[24:29], flat[29])}


def tree_matvec(v):
    return trees.unravel(A @ trees.ravel(v), v)


@pytest.fixture(autouse=True)
def solvers_never_warn():
    with every_warning("error"):
        yield


# Conjugate gradients


def test_cg_solves_what_numpy_solves():
    x, info = solvers.cg(lambda v: A @ v, B[0], tol=1e-12)
    np.testing.assert_allclose(x, np.linalg.solve(A, B[0]), rtol=1e-8)
    assert info.converged and info.describe() == "converged"
    assert 20 < info.num_steps < 300 and jnp.isnan(info.scale)


def test_cg_accepts_the_matrix_itself_and_agrees_with_scipys_signature():
    expected, _ = jax.scipy.sparse.linalg.cg(jnp.asarray(A), B[0], B[1], tol=1e-10, atol=1e-9)
    x, _ = solvers.cg(A, B[0], B[1], tol=1e-10, atol=1e-9)
    np.testing.assert_allclose(x, expected, atol=1e-5)  # residual 1e-9 over smallest curvature 1e-3


def test_cg_on_a_tree_is_cg_on_its_flat_vector():
    b = as_tree(B[0])
    x, info = solvers.cg(tree_matvec, b, tol=1e-10)
    assert jax.tree.structure(x) == jax.tree.structure(b)
    expected = np.linalg.solve(A, trees.ravel(b))
    np.testing.assert_allclose(trees.ravel(x), expected, atol=1e-6 * np.abs(expected).max())


@pytest.mark.parametrize("tol", [1e-2, 1e-6, 1e-10])
def test_the_certificate_is_the_true_residual_and_it_meets_the_tolerance(tol):
    x, info = solvers.cg(A, B[0], tol=tol)
    truth = np.linalg.norm(B[0] - A @ x)
    np.testing.assert_allclose(info.residual_norm, truth, rtol=1e-9, atol=1e-12)
    assert info.residual_norm <= tol * np.linalg.norm(B[0])


def test_the_relative_tolerance_is_the_absolute_one_over_the_norm_of_b():
    for tol in np.geomspace(1e-1, 1e-9, 9):
        x, info = solvers.cg(A, B[0], tol=tol)
        y, other = solvers.cg(A, B[0], tol=0.0, atol=tol * np.linalg.norm(B[0]))
        assert info.num_steps == other.num_steps and info.converged and other.converged
        np.testing.assert_allclose(x, y, rtol=1e-9, atol=1e-12)


def test_converged_is_said_of_the_true_residual_where_the_carried_one_is_too_small():
    narrow = matrix_with(*np.geomspace(1e-4, 1, 40)).astype(np.float32)
    b = np.random.default_rng(2).normal(size=40).astype(np.float32)
    reached = []
    for tol in (1e-3, 1e-4, 1e-5, 1e-6, 1e-7):
        x, info = solvers.cg(narrow, b, tol=tol, maxiter=5000)
        truth = np.linalg.norm(np.float64(b) - np.float64(narrow) @ np.float64(x))
        rounding = np.finfo(np.float32).eps * np.linalg.norm(x)  # of A x, as A has norm 1
        np.testing.assert_allclose(info.residual_norm, truth, rtol=0.01, atol=rounding)
        assert info.converged == (info.residual_norm <= tol * np.linalg.norm(b))
        reached.append(info.describe())
    assert reached[0] == "converged" and reached[-1] == "stalled"


def test_k_distinct_eigenvalues_take_k_steps():
    x, info = solvers.cg(matrix_with(1, 1, 4, 4, 4, 9), np.arange(1.0, 7), tol=1e-12)
    assert info.converged and info.num_steps == 3


def test_the_error_bound_of_the_docstring_holds_at_every_step():
    exact = np.linalg.solve(A, B[0])
    energy = lambda e: np.sqrt(e @ A @ e)
    rate = (np.sqrt(1000) - 1) / (np.sqrt(1000) + 1)
    for k in (1, 3, 10, 25):
        x, info = solvers.cg(A, B[0], tol=1e-14, maxiter=k)
        assert info.num_steps == k
        assert energy(x - exact) <= 2 * rate**k * energy(exact)


def test_min_curvature_is_a_rayleigh_quotient_that_bounds_the_smallest_eigenvalue():
    _, info = solvers.cg(A, B[0], tol=1e-12)
    assert 1e-3 <= info.min_curvature < 0.1
    _, info = solvers.cg(2 * np.eye(3), np.ones(3))
    np.testing.assert_allclose(info.min_curvature, 2.0, rtol=1e-12)


@pytest.mark.parametrize(
    "matrix", [np.diag([1.0, -1.0]), np.diag([1.0, 0.0]), np.zeros((2, 2)), -np.eye(2)]
)
def test_a_direction_without_positive_curvature_is_reported_as_indefinite(matrix):
    assert np.linalg.eigvalsh(matrix)[0] <= 0
    _, info = solvers.cg(matrix, np.array([1.0, 0.6]))
    assert info.describe() == "indefinite" and not info.converged
    assert info.min_curvature <= 1e-16


def test_jax_itself_would_solve_an_indefinite_system_without_a_word():
    b = np.array([1.0, 0.6])
    _, info = jax.scipy.sparse.linalg.cg(lambda v: jnp.array([1.0, -1.0]) * v, b)
    assert info is None  # the reason why this solver exists


def test_a_singular_but_consistent_system_is_solved():
    singular = matrix_with(0, 0, 1, 2, 3)
    b = singular @ np.arange(5.0)
    for tol in (1e-10, 1e-14):
        x, info = solvers.cg(singular, b, tol=tol)
        assert info.describe() != "indefinite"
        np.testing.assert_allclose(x, np.linalg.pinv(singular) @ b, atol=1e-9)


def test_what_is_not_finite_is_reported_and_the_answer_is_nan():
    cases = [
        (lambda v: v, jnp.array([1.0, jnp.nan])),
        (lambda v: v, jnp.array([1.0, jnp.inf])),
        (lambda v: jnp.nan * v, jnp.ones(2)),
        (lambda v: jnp.inf * v, jnp.ones(2)),
    ]
    for matvec, b in cases:
        x, info = solvers.cg(matvec, b)
        assert info.describe() == "non-finite" and not info.converged
        assert jnp.all(jnp.isnan(x))


def test_running_out_of_steps_is_reported_with_the_iterate_and_its_residual():
    x, info = solvers.cg(A, B[0], maxiter=5)
    assert info.describe() == "maxiter" and info.num_steps == 5 and not info.converged
    np.testing.assert_allclose(info.residual_norm, np.linalg.norm(B[0] - A @ x), rtol=1e-9)


def test_a_tolerance_below_rounding_ends_as_stalled_with_the_best_answer():
    x, info = solvers.cg(A, B[0], tol=0.0, maxiter=10_000)
    assert info.describe() == "stalled" and info.num_steps < 1000
    np.testing.assert_allclose(x, np.linalg.solve(A, B[0]), rtol=1e-9)


def test_zero_right_hand_sides_and_exact_starts_take_no_step():
    x, info = solvers.cg(A, np.zeros(30))
    assert info.converged and info.num_steps == 0 and not np.any(x)
    x, info = solvers.cg(A, A @ B[0], x0=B[0])
    assert info.converged and info.num_steps == 0
    np.testing.assert_array_equal(x, B[0])


def test_the_size_of_the_right_hand_side_does_not_matter():
    narrow, b = A.astype(np.float32), B[0].astype(np.float32)
    x, info = solvers.cg(narrow, b, tol=1e-4)
    for size in np.float32([2.0**-100, 2.0**100]):  # powers of 2, which round nothing
        y, scaled = solvers.cg(narrow, size * b, tol=1e-4)
        np.testing.assert_array_equal(y / size, x)
        assert scaled.converged and scaled.num_steps == info.num_steps
        assert scaled.residual_norm == size * info.residual_norm


def test_an_inverse_as_preconditioner_takes_one_step():
    inverse = np.linalg.inv(A)
    _, plain = solvers.cg(A, B[0], tol=1e-8)
    x, info = solvers.cg(A, B[0], tol=1e-8, M=lambda r: inverse @ r)
    assert info.converged and info.num_steps == 1 < plain.num_steps
    np.testing.assert_allclose(x, inverse @ B[0], rtol=1e-6, atol=1e-6)


def test_cg_under_vmap_is_cg_one_by_one():
    solve = lambda b: solvers.cg(tree_matvec, as_tree(b), tol=1e-9)
    X, info = jax.jit(jax.vmap(solve))(np.stack([B[0], np.zeros(30), B[1]]))
    for i, b in enumerate([B[0], np.zeros(30), B[1]]):
        x, alone = solve(b)
        flat = trees.ravel(trees.take_rows(X, i))
        np.testing.assert_allclose(flat, trees.ravel(x), atol=1e-9 * 1e3)  # residual over curvature
        assert abs(info.num_steps[i] - alone.num_steps) <= 4  # sums in another order
    assert info.describe() == ["converged"] * 3


def test_one_failure_under_vmap_leaves_its_neighbours_alone():
    h = jnp.array([1.0, 2.0, -1.0])
    b = jnp.array([[1.0, 1, 0], [1, 1, 1], [jnp.nan, 0, 0]])
    X, info = jax.vmap(lambda b: solvers.cg(lambda v: h * v, b))(b)
    assert info.describe() == ["converged", "indefinite", "non-finite"]
    np.testing.assert_allclose(X[0], [1, 0.5, 0], atol=1e-12)


def solution_of(solver):
    solve = {
        "cg": lambda A, b: solvers.cg(A, b, tol=1e-13)[0],
        "direct": lambda A, b: solvers.direct(A, b)[0],
    }[solver]
    return lambda A, b: jnp.sum(jnp.sin(solve((A + A.T) / 2, b)))


@pytest.mark.parametrize("solver", ["cg", "direct"])
def test_gradients_pass_through_a_solve_as_through_numpys_inverse(solver):
    S = matrix_with(1, 2, 3, 5)
    b = np.arange(1.0, 5)
    x = np.linalg.solve(S, b)
    slope_b = np.linalg.solve(S, np.cos(x))  # d sum(sin x) = cos(x) . A^-1 (db - dA x)
    slope_A = -(np.outer(slope_b, x) + np.outer(x, slope_b)) / 2
    got_A, got_b = jax.jit(jax.grad(solution_of(solver), (0, 1)))(S, b)
    np.testing.assert_allclose(got_b, slope_b, rtol=1e-9)
    np.testing.assert_allclose(got_A, slope_A, rtol=1e-9)
    per_row = jax.vmap(jax.grad(solution_of(solver), 1), (None, 0))(S, np.stack([b, 2 * b]))
    np.testing.assert_allclose(per_row[0], slope_b, rtol=1e-9)


def test_cg_refuses_what_does_not_match():
    with pytest.raises(ValueError, match=r"b is int64\[3\], expected a floating-point dtype"):
        solvers.cg(np.eye(3), np.arange(3))
    with pytest.raises(ValueError, match=r"x0 must match b: x0 is float64\[2\], expected"):
        solvers.cg(np.eye(3), np.ones(3), np.ones(2))
    with pytest.raises(ValueError, match=r"matvec\(b\) must match b: .* is float64\[2\]"):
        solvers.cg(lambda v: v[:2], np.ones(3))


# Direct


def test_direct_solves_what_numpy_solves_on_vectors_and_trees():
    x, info = solvers.direct(A, as_tree(B[0]))
    expected = np.linalg.solve(A, trees.ravel(as_tree(B[0])))
    np.testing.assert_allclose(trees.ravel(x), expected, rtol=1e-9)
    assert info.describe() == "converged" and info.num_steps == 0
    np.testing.assert_allclose(info.min_curvature, 1e-3, rtol=0.05)  # five inverse iterations
    assert info.residual_norm < 1e-10


def test_direct_factorises_once_for_many_right_hand_sides():
    many = jax.vmap(lambda b: solvers.direct(A, b))
    X, info = many(B)
    np.testing.assert_allclose(X, np.linalg.solve(A, B.T).T, rtol=1e-9)
    assert info.describe() == ["converged"] * 4
    factors = [line for line in str(jax.make_jaxpr(many)(B)).splitlines() if "= cholesky" in line]
    assert len(factors) == 1 and "[30,30]" in factors[0]


def test_a_singular_matrix_is_refused_with_its_smallest_eigenvalue():
    x = RNG.normal(size=(40, 20))
    x[:, 19] = x[:, :19].sum(axis=1)  # one column is the sum of the others
    grams = [x.T @ x, (x.T @ x).astype(np.float32), np.zeros((20, 20)), np.ones((20, 20))]
    for gram in grams:
        with pytest.raises(
            ValueError, match=r"is singular: its smallest eigenvalue is -?\d.*damping"
        ):
            solvers.direct(gram, np.ones(20, gram.dtype))
        _, info = direct_jit(gram, np.ones(20, gram.dtype))
        assert info.describe() == "singular" and not info.converged


def test_a_positive_matrix_of_condition_number_1e5_is_not_called_singular_in_float32():
    narrow = matrix_with(1e-5, 0.1, 1.0).astype(np.float32)
    x, info = solvers.direct(narrow, np.ones(3, np.float32))
    expected = np.linalg.solve(np.float64(narrow), np.ones(3))
    assert np.abs(x - expected).max() < 0.1 * np.abs(expected).max()  # of which 1e5 eps is left
    np.testing.assert_allclose(info.min_curvature, 1e-5, rtol=0.1)


def test_direct_says_converged_of_the_residual_and_not_of_the_factor():
    """A solution of 1e5 has in float32 a residual of 1e-2 by rounding alone."""
    for smallest, word in ((0.1, "converged"), (1e-5, "stalled")):
        narrow = matrix_with(smallest, 0.3, 1.0).astype(np.float32)
        x, info = solvers.direct(narrow, np.ones(3, np.float32))
        truth = np.linalg.norm(1 - np.float64(narrow) @ np.float64(x))
        rounding = 4 * np.finfo(np.float32).eps * np.linalg.norm(x)
        np.testing.assert_allclose(info.residual_norm, truth, atol=rounding)
        assert info.describe() == word
        assert info.converged == (info.residual_norm <= 1e-5 * np.sqrt(3)) == (word == "converged")


def test_one_step_of_refinement_squares_the_error_of_a_factor():
    off = np.linalg.cholesky(1.01 * A)  # by itself it errs by one percent
    x, residual_norm, _ = solvers._refined(off, lambda X: X @ A, B)
    expected = np.linalg.solve(A, B.T).T
    np.testing.assert_allclose(x, (1 - (0.01 / 1.01) ** 2) * expected, rtol=1e-9)
    np.testing.assert_allclose(residual_norm, np.linalg.norm(B - x @ A, axis=1), rtol=1e-9)


def test_an_indefinite_matrix_is_refused_and_the_advised_damping_cures_it():
    indefinite = matrix_with(-0.3, 1, 2)
    with pytest.raises(ValueError, match=r"indefinite: its smallest eigenvalue is -0\.3; raising"):
        solvers.direct(indefinite, np.ones(3))
    try:
        solvers.direct(indefinite, np.ones(3))
    except ValueError as error:
        damping = float(str(error).split("damping by ")[1].split()[0])
    assert 0.3 < damping < 0.34
    assert solvers.direct(indefinite + damping * np.eye(3), np.ones(3))[1].converged
    x, info = direct_jit(indefinite, np.ones(3))
    assert info.describe() == "indefinite" and jnp.all(jnp.isnan(x))
    np.testing.assert_allclose(info.min_curvature, -0.3, rtol=1e-9)


def test_direct_refuses_what_is_no_symmetric_finite_matrix_of_the_right_size():
    with pytest.raises(ValueError, match=r"must match b: got shape \(3, 3\), expected \(2, 2\)"):
        solvers.direct(np.eye(3), np.ones(2))
    with pytest.raises(ValueError, match="matrix is not symmetric: entries differ by up to 2"):
        solvers.direct(np.array([[3.0, 2.0], [0.0, 3.0]]), np.ones(2))
    with pytest.raises(ValueError, match="NaN or infinity in matrix or b"):
        solvers.direct(np.diag([1.0, np.nan]), np.ones(2))
    with pytest.raises(ValueError, match="NaN or infinity in matrix or b"):
        solvers.direct(np.eye(2), np.array([1.0, np.inf]))


# Settings


SYSTEM = solvers.System(lambda v: A @ v, lambda batch_size: lambda v, key: A @ v)
SETTINGS = [
    solvers.CG(tol=1e-13),
    solvers.CG(tol=1e-13, block=False),
    solvers.Exact(),
    solvers.Arnoldi(rank=30, tol=1e-9),
    solvers.LiSSA(scale=1.0, recursion_depth=30_000, average=0.0, tol=1e-9),
]
each_setting = pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: repr(setting)[:20])


def solved(setting, rows, system=SYSTEM):
    """What a setting finds for rows, as ``FittedModel.solve`` calls it."""
    prepared = setting.prepare(system, rows[0])
    return solvers.solve_rescaled(jax.jit(partial(setting.solve, system, prepared)), rows)


@each_setting
def test_every_setting_solves_every_row_of_any_size(setting):
    """Among them one whose square overflows, and the largest power of two that there is."""
    found = solved(setting, B)
    expected = np.linalg.solve(A, B.T).T
    np.testing.assert_allclose(found.x, expected, atol=1e-8 * np.abs(expected).max())
    assert found.info.describe() == ["converged"] * 4
    truth = np.linalg.norm(B - found.x @ A, axis=1)
    np.testing.assert_allclose(found.info.residual_norm, truth, rtol=1e-6, atol=1e-11)
    exponents = np.array([-900, 0, 700, 1023 - 1 - np.frexp(np.abs(found.x[3]).max())[1]])
    sizes = np.ldexp(1.0, exponents)[:, None]
    scaled = solved(setting, sizes * B)
    np.testing.assert_array_equal(scaled.x, sizes * found.x)
    assert (scaled.info.num_steps == found.info.num_steps).all()
    assert scaled.info.describe() == ["converged"] * 4


def test_the_largest_row_there_is_comes_back_finite():
    largest = np.finfo(np.float32).max
    system = solvers.System(lambda v: v, None)
    found = solved(solvers.CG(), np.full((1, 3), largest, np.float32), system)
    np.testing.assert_array_equal(found.x, largest)
    assert found.info.converged[0]
    found = solved(solvers.CG(block=False), B, system)
    np.testing.assert_array_equal(found.x, B)  # the division on the way has rounded nothing


def test_rows_of_zeros_and_rows_that_are_not_finite_leave_their_neighbours_alone():
    rows = np.stack([B[0], np.zeros(30), np.full(30, np.nan)])
    for setting in SETTINGS[1:4]:
        found = solved(setting, rows)
        assert found.info.describe() == ["converged", "converged", "non-finite"], setting
        assert not found.x[1].any() and np.isnan(found.x[2]).all()
        np.testing.assert_allclose(found.x[0], np.linalg.solve(A, B[0]), rtol=1e-6)


def test_the_setting_lissa_is_the_function_of_every_row_with_shared_samples():
    sampled = lambda batch_size: lambda v, key: one_row(v, key) * (1 if batch_size == 3 else np.nan)
    system = solvers.System(lambda v: MEAN @ v, sampled)
    rows = np.random.default_rng(7).normal(size=(4, 5))
    options = dict(recursion_depth=200, num_samples=2, average=0.3)
    found = solved(solvers.LiSSA(batch_size=3, seed=8, **options), rows, system)
    for row, got in zip(rows, found.x):
        key = jax.random.key(8)
        expected, single = solvers.lissa(
            sampled(3), row, key=key, scale=found.info.scale[0], certify=system.matvec, **options
        )
        np.testing.assert_allclose(got, expected, rtol=1e-9)
    _, alone = solvers.lissa(sampled(3), rows[0], key=jax.random.key(0), recursion_depth=1)
    np.testing.assert_allclose(found.info.scale, alone.scale, rtol=1e-12)  # of the same 64 batches
    np.testing.assert_allclose(found.info.residual_norm[3], single.residual_norm, rtol=1e-9)
    assert found.runs.shape == (4, 2, 5)
    np.testing.assert_allclose(found.runs.mean(axis=1), found.x, rtol=1e-12)
    assert np.abs(found.runs[:, 0] - found.runs[:, 1]).max() > 1e-3  # of other samples


def test_arnoldi_solves_in_the_steepest_directions_alone_and_tells_what_it_lost():
    h, q = np.linalg.eigh(A)
    steep = q[:, -5:]
    found = solved(solvers.Arnoldi(rank=5, num_steps=30), B)
    np.testing.assert_allclose(found.x, (B @ steep / h[-5:]) @ steep.T, atol=1e-8)
    lost = np.linalg.norm(B - B @ steep @ steep.T, axis=1)
    np.testing.assert_allclose(found.info.residual_norm, lost, rtol=1e-8)
    assert found.info.describe() == ["maxiter"] * 4
    saddle = solvers.System(lambda v: A @ v - 0.5 * v, None)
    assert solved(solvers.Arnoldi(rank=30), B, saddle).info.describe() == ["indefinite"] * 4
    with pytest.raises(ValueError, match="rank must be at most the 30 params, got 31"):
        solved(solvers.Arnoldi(rank=31), B)


def test_the_default_tolerance_depends_on_the_dtype():
    info = solved(solvers.CG(), B[:1]).info
    assert info.converged[0] and info.residual_norm[0] < 1e-10 * np.linalg.norm(B[0])
    assert solvers.default_tol(np.float64) == 1e-10
    assert solvers.default_tol(np.float32) == 1e-5


@pytest.mark.parametrize("block", [True, False])
@pytest.mark.parametrize("p, steps", [(20, 200), (200, 1000)])
def test_the_default_number_of_steps_is_ten_per_number_and_at_most_a_thousand(p, steps, block):
    """A matrix that is not symmetric: conjugate gradients never arrive."""
    turn = np.kron(np.eye(p // 2), [[1.0, 0.5], [-0.5, 1.0]]) * np.linspace(1, 2, p)[:, None]
    rows = np.random.default_rng(0).normal(size=(2, p))
    info = solved(solvers.CG(block=block), rows, solvers.System(lambda v: turn @ v, None)).info
    assert (info.num_steps == steps).all() and info.describe() == ["maxiter"] * 2


def test_settings_are_values_and_refuse_nonsense():
    assert solvers.CG(tol=1e-3) == solvers.CG(tol=1e-3) != solvers.CG()
    assert hash(solvers.Exact()) == hash(solvers.Exact())
    with pytest.raises(dataclasses.FrozenInstanceError):
        solvers.CG().tol = 1.0
    for tol in (-1.0, "a", np.nan, jnp.float32(-1)):
        with pytest.raises(ValueError, match="tol must be finite and at least 0, got"):
            solvers.CG(tol=tol)
    with pytest.raises(ValueError, match=r"tol must be None or in \[0, 1\), got 1"):
        solvers.CG(tol=1.0)
    for maxiter in (0, 1.5, True):
        with pytest.raises(ValueError, match="maxiter must be a whole number of at least 1, got"):
            solvers.CG(maxiter=maxiter)
    with pytest.raises(TypeError, match="scale"):
        solvers.CG(scale=10)
    with pytest.raises(ValueError, match="num_steps must be a whole number of at least 5, got 4"):
        solvers.Arnoldi(rank=5, num_steps=4)


def test_numbers_of_jax_and_numpy_make_the_same_setting():
    settings = {solvers.LiSSA(scale=kind(30)) for kind in (float, jnp.float32, np.array)}
    assert settings == {solvers.LiSSA(scale=30.0)}
    with pytest.raises(ValueError, match="scale must be finite and positive, got -1"):
        solvers.LiSSA(scale=jnp.float32(-1))


FLOAT32 = """
import jax, jax.numpy as jnp, numpy as np
from course_utils import cg, direct
q, _ = np.linalg.qr(np.random.default_rng(0).normal(size=(50, 50)))
A = (q * np.geomspace(1e-2, 1, 50)) @ q.T
b = np.random.default_rng(1).normal(size=50)
expected = np.linalg.solve(A, b)
error = lambda x: np.abs(x - expected).max() / np.abs(expected).max()
x, info = cg(A, b)
assert x.dtype == jnp.float32 and info.residual_norm.dtype == jnp.float32
assert info.converged and error(x) < 1e-4, error(x)
x, info = cg(A, b, tol=0.0)
assert info.describe() == "stalled" and error(x) < 1e-5, (info, error(x))
x, info = direct(A, b)
assert info.converged and error(x) < 1e-5, error(x)
"""


def test_the_solvers_work_in_float32():
    subprocess.run([sys.executable, "-c", FLOAT32], check=True)


@pytest.mark.parametrize("size", [1e-25, 1e25])
def test_direct_knows_the_smallest_eigenvalue_when_its_square_leaves_float32(size):
    A = jnp.diag(jnp.array([1.0, 2.0, 3.0], jnp.float32))
    b = jnp.ones(3, jnp.float32)
    smallest = solvers.direct(A, b)[1].min_curvature
    np.testing.assert_allclose(smallest, 1.0, rtol=0.01)  # five steps of inverse iteration
    scaled = solvers.direct(jnp.float32(size) * A, b)[1].min_curvature
    np.testing.assert_allclose(scaled / np.float32(size), smallest, rtol=1e-5)  # float32


def test_cg_does_not_call_an_answer_that_overflows_converged():
    A = jnp.float32(1e-25) * jnp.eye(3, dtype=jnp.float32)
    x, info = solvers.cg(A, jnp.full(3, 1e20, jnp.float32))
    assert not np.isfinite(x).all()  # 1e45 is no float32
    assert not info.converged and info.describe() == "non-finite"


def test_cg_takes_its_preconditioner_as_a_matrix_or_as_products():
    A, b = jnp.diag(jnp.array([1.0, 10.0, 100.0])), jnp.ones(3)
    matrix, _ = solvers.cg(A, b, tol=1e-12, M=jnp.linalg.inv(A))
    products, info = solvers.cg(A, b, tol=1e-12, M=lambda r: r / jnp.diag(A))
    np.testing.assert_allclose(matrix, products, rtol=1e-12)
    assert info.num_steps == 1  # the exact inverse leaves nothing to do


# --------------------------------------------------------------------------------------
# Series: neumann and lissa
# --------------------------------------------------------------------------------------


@pytest.mark.parametrize("scale, num_terms", [(1.0, 1), (1.0, 7), (0.6, 20), (3.0, 50)])
def test_neumann_is_the_sum_of_its_terms_and_errs_as_the_docstring_says(scale, num_terms):
    x, info = solvers.neumann(A, B[0], scale=scale, num_terms=num_terms)
    term, total = B[0] / scale, 0
    for _ in range(num_terms):
        total, term = total + term, term - A @ term / scale
    np.testing.assert_allclose(x, total, rtol=1e-10, atol=1e-12)
    h, q = np.linalg.eigh(A)
    error = q.T @ (np.linalg.solve(A, B[0]) - x)
    np.testing.assert_allclose(error, (1 - h / scale) ** num_terms * (q.T @ B[0]) / h, atol=1e-9)
    np.testing.assert_allclose(info.residual_norm, np.linalg.norm(B[0] - A @ x), rtol=1e-9)
    assert info.num_steps == num_terms - 1 and info.scale == scale
    assert info.describe() == "maxiter" and not info.converged


def test_neumann_is_gradient_descent_from_zero_with_step_size_one_over_scale():
    x = np.zeros(30)
    for _ in range(12):
        x = x - (A @ x - B[1]) / 1.7
    np.testing.assert_allclose(solvers.neumann(A, B[1], scale=1.7, num_terms=12)[0], x, rtol=1e-10)


def test_neumann_converges_where_it_has_terms_enough_and_says_so():
    matrix = matrix_with(0.2, 0.5, 1.0)
    b = np.array([1.0, -2.0, 3.0])
    x, info = solvers.neumann(matrix, b, scale=1.0, num_terms=200)
    np.testing.assert_allclose(x, np.linalg.solve(matrix, b), rtol=1e-10)
    assert info.describe() == "converged" and info.converged


@pytest.mark.parametrize("scale", [1.0, 10.0, 25.0])
def test_lissa_solves_the_damped_system_whatever_the_scale(scale):
    """T3: the popular placement of the damping would solve (A + scale * damping I) x = b."""
    matrix, b = matrix_with(0.2, 0.5, 0.9), np.array([1.0, -2.0, 3.0])
    for damping in (0.0, 0.01, 0.3):
        x, info = solvers.lissa(
            matrix, b, scale=scale, damping=damping, recursion_depth=4000, average=0, tol=1e-9
        )
        expected = np.linalg.solve(matrix + damping * np.eye(3), b)
        np.testing.assert_allclose(x, expected, rtol=1e-9)
        assert info.converged and info.scale == scale


def test_the_bias_of_the_last_iterate_and_of_the_average_are_powers_of_the_factors():
    depth, scale = 40, 2.0
    h, q = np.linalg.eigh(A)
    factor, solution = 1 - (h + 0.1) / scale, (q.T @ B[2]) / (h + 0.1)
    exact = q @ solution
    options = dict(scale=scale, damping=0.1, recursion_depth=depth)
    last, _ = solvers.lissa(A, B[2], average=0.0, **options)
    np.testing.assert_allclose(q.T @ (exact - last), factor ** (depth + 1) * solution, atol=1e-10)
    half, _ = solvers.lissa(A, B[2], average=0.5, **options)
    powers = np.mean([factor ** (k + 1) for k in range(21, 41)], axis=0)  # h_21 .. h_40
    np.testing.assert_allclose(q.T @ (exact - half), powers * solution, atol=1e-10)
    everything, _ = solvers.lissa(A, B[2], average=1.0, **options)
    powers = np.mean([factor ** (k + 1) for k in range(1, 41)], axis=0)
    np.testing.assert_allclose(q.T @ (exact - everything), powers * solution, atol=1e-10)


ROWS = np.random.default_rng(4).normal(size=(50, 5))
MEAN = ROWS.T @ ROWS / 50 + 0.3 * np.eye(5)  # the mean of the matrices that are sampled


def one_row(v, key):
    row = jnp.asarray(ROWS)[jax.random.randint(key, (), 0, 50)]
    return row * (row @ v) + 0.3 * v


def lissa_draws(number, **options):
    """Solutions for ``number`` keys, and how they went."""
    keys = jax.random.split(jax.random.key(0), number)
    draw = jax.jit(jax.vmap(lambda key: solvers.lissa(one_row, jnp.ones(5), key=key, **options)))
    return draw(keys)


@pytest.mark.slow
def test_the_noise_of_lissa_has_mean_zero_and_falls_like_one_over_the_samples():
    """T8: after many steps the mean over keys is the solution, to four standard errors."""
    exact, spread = np.linalg.solve(MEAN, np.ones(5)), {}
    for num_samples in (1, 4, 16):
        x, _ = lissa_draws(
            1000, scale=20.0, recursion_depth=600, num_samples=num_samples, average=0.0
        )
        spread[num_samples] = np.var(x, axis=0).sum()
        error = np.abs(np.mean(x, axis=0) - exact)
        assert (error < 4 * np.std(x, axis=0) / 1000**0.5 + 1e-3 * np.abs(exact)).all()
    # a variance from 1000 draws is known to about 2 / sqrt(1000) of itself at worst
    np.testing.assert_allclose(spread[1] / spread[4], 4, rtol=0.15)
    np.testing.assert_allclose(spread[1] / spread[16], 16, rtol=0.15)


def test_averaging_the_tail_takes_noise_away():
    options = dict(scale=20.0, recursion_depth=1000)
    exact = np.linalg.solve(MEAN, np.ones(5))
    rms = lambda x: np.sqrt(np.mean((np.asarray(x) - exact) ** 2))
    last, half = (lissa_draws(200, average=a, **options)[0] for a in (0.0, 0.5))
    assert rms(half) < rms(last) / 2


def test_without_exact_products_a_sampled_solve_is_never_called_converged():
    options = dict(key=jax.random.key(1), scale=20.0, recursion_depth=1000)
    x, info = solvers.lissa(one_row, jnp.ones(5), **options)
    assert np.isnan(info.residual_norm) and not info.converged and info.describe() == "maxiter"
    same, info = solvers.lissa(one_row, jnp.ones(5), certify=lambda v: MEAN @ v, **options)
    np.testing.assert_array_equal(x, same)
    np.testing.assert_allclose(info.residual_norm, np.linalg.norm(1 - MEAN @ x), rtol=1e-9)
    np.testing.assert_allclose(info.min_curvature, x @ MEAN @ x / (x @ x), rtol=1e-9)
    assert info.converged and info.residual_norm < 0.1 * np.sqrt(5)


def test_the_scale_from_the_data_exceeds_the_largest_curvature_that_is_sampled():
    largest = 0.3 + (ROWS**2).sum(axis=1).max()
    _, info = lissa_draws(20, recursion_depth=1)
    assert (info.scale <= 1.1 * (1 + 1e-6) * largest).all()
    assert (info.scale > 0.7 * largest).all()  # half of it is enough for every step to contract
    _, info = solvers.lissa(A, B[0], recursion_depth=1)
    np.testing.assert_allclose(info.scale, 1.1, rtol=0.02)  # power iteration, from below


def test_a_series_that_grows_is_stopped_early():
    x, info = solvers.lissa(A, B[0], scale=0.3, recursion_depth=100_000_000)
    assert info.describe() == "diverged" and np.isnan(x).all()
    assert info.num_steps <= 64
    x, info = solvers.neumann(matrix_with(-0.5, 1.0), np.ones(2), scale=2.0, num_terms=10_000)
    assert info.describe() == "diverged" and np.isnan(x).all() and info.num_steps < 200
    x, info = lissa_draws(3, scale=0.5, recursion_depth=100_000)
    assert info.describe() == ["diverged"] * 3 and (info.num_steps < 10_000).all()


def test_an_indefinite_matrix_shows_in_the_certificate_where_the_series_has_not_grown_yet():
    matrix = np.diag([-0.01, 1.0])
    x, info = solvers.lissa(matrix, np.array([1.0, 0.0]), scale=2.0, recursion_depth=20)
    assert info.describe() == "indefinite"
    np.testing.assert_allclose(info.min_curvature, -0.01, rtol=1e-9)


def test_one_row_that_is_not_finite_does_not_spoil_the_others():
    solve = jax.vmap(lambda b: solvers.lissa(A, b, scale=2.0, damping=1.0, tol=1e-6))
    rows = np.stack([B[0], np.full(30, np.nan), B[1]])
    x, info = solve(rows)
    assert info.describe() == ["converged", "non-finite", "converged"]
    np.testing.assert_allclose(x[2], np.linalg.solve(A + np.eye(30), B[1]), rtol=1e-6)


def test_lissa_takes_trees_jit_and_vmap():
    b = as_tree(jnp.asarray(B[0]))
    flat, _ = solvers.lissa(A, trees.ravel(b), scale=2.0)
    tree, _ = jax.jit(lambda b, s: solvers.lissa(tree_matvec, b, scale=s))(b, 2.0)
    np.testing.assert_allclose(trees.ravel(tree), flat, rtol=1e-10)
    batched, _ = jax.vmap(lambda b: solvers.neumann(A, b, scale=2.0, num_terms=9))(B)
    single, _ = solvers.neumann(A, B[3], scale=2.0, num_terms=9)
    np.testing.assert_allclose(batched[3], single, rtol=1e-10)


@pytest.mark.parametrize(
    "options, error, words",
    [
        (dict(scale=0.0), ValueError, "scale must be finite and positive, got 0.0"),
        (dict(scale=-1.0), ValueError, "scale must be finite and positive, got -1.0"),
        (dict(damping=-0.1), ValueError, "damping must be finite and at least 0, got -0.1"),
        (dict(recursion_depth=0), ValueError, "recursion_depth must be a whole number of at least"),
        (dict(recursion_depth=1.5), ValueError, "recursion_depth must be a whole number of at"),
        (dict(num_samples=0), ValueError, "num_samples must be a whole number of at least 1"),
        (dict(num_samples=2), TypeError, "num_samples above 1 needs a key"),
        (dict(average=1.5), ValueError, "average must lie between 0 and 1, got 1.5"),
        (dict(tol=-1), ValueError, "tol must be finite and at least 0, got -1"),
        (dict(tol=None), ValueError, "tol must be finite and at least 0, got None"),
        (dict(damping="0.1"), ValueError, "damping must be finite and at least 0, got '0.1'"),
        (dict(scale=np.ones(2)), ValueError, "scale must be finite and positive, got array"),
        (dict(average=None), ValueError, "average must be finite and at least 0, got None"),
        (dict(recursion_depth=2**31), ValueError, "recursion_depth must be a whole number of at"),
    ],
)
def test_settings_out_of_range_are_refused_by_name(options, error, words):
    with pytest.raises(error, match=words):
        solvers.lissa(A, B[0], **options)
    if "damping" not in options and error is ValueError:
        with pytest.raises(error, match=words):
            solvers.LiSSA(**options)


def test_other_bad_input_of_a_series_is_refused():
    with pytest.raises(ValueError, match="num_terms must be a whole number of at least 1, got 0"):
        solvers.neumann(A, B[0], scale=1.0, num_terms=0)
    with pytest.raises(ValueError, match="batch_size must be a whole number of at least 1, got 0"):
        solvers.LiSSA(batch_size=0)
    with pytest.raises(ValueError, match="seed must be a whole number of at least 0, got None"):
        solvers.LiSSA(seed=None)
    with pytest.raises(ValueError, match=r"matvec\(b\) must match b"):
        solvers.lissa(lambda v, key: v[:3], B[0], scale=1.0, key=jax.random.key(0))
    with pytest.raises(ValueError, match="int64"):
        solvers.neumann(A, np.arange(30), scale=1.0, num_terms=3)
    with pytest.raises(ValueError, match="tol must be finite and at least 0, got -1"):
        solvers.neumann(A, B[0], scale=1.0, num_terms=3, tol=-1)
    with pytest.raises(ValueError, match=r"certify\(b\) must match b"):
        solvers.lissa(A, B[0], scale=1.0, certify=lambda v: v[:3])
    with pytest.raises(TypeError, match="with a key, matvec must be a function"):
        solvers.lissa(A, B[0], scale=1.0, key=jax.random.key(0))
    with pytest.raises(ValueError, match="seed must be a whole number of at least 0, got 2147483"):
        solvers.LiSSA(seed=2**31)


def test_a_series_does_not_depend_on_the_size_of_b_or_of_the_matrix():
    b = jnp.asarray(B[0], jnp.float32)
    matrix = jnp.asarray(A, jnp.float32)
    plain, told = solvers.lissa(matrix, b, scale=2.0, recursion_depth=200)
    for size in (2.0**-100, 2.0**67, 2.0**100):  # powers of 2, which round nothing
        x, info = solvers.lissa(matrix, b * size, scale=2.0, recursion_depth=200)
        np.testing.assert_allclose(x / size, plain, rtol=1e-6)
        np.testing.assert_allclose(info.min_curvature, told.min_curvature, rtol=1e-6)
        np.testing.assert_allclose(info.residual_norm / size, told.residual_norm, rtol=1e-6)
    for size in (2.0**-60, 2.0**60):
        x, info = solvers.lissa(matrix * size, b, scale=2.0 * size, recursion_depth=200)
        np.testing.assert_allclose(x * size, plain, rtol=1e-6)
        assert info.describe() == told.describe()
    saddle = np.diag([1, 0.1, -0.01]).astype(np.float32)
    for size in (1e-25, 1.0, 1e25):
        row = np.array([1, 2, 3], np.float32) * np.float32(size)
        _, info = solvers.neumann(saddle, row, scale=1.0, num_terms=400)
        assert info.describe() == "indefinite"


def test_a_failed_series_is_certified_as_such():
    x, info = solvers.lissa(-np.eye(2), np.array([3.0, 4.0]), scale=1.0)
    assert info.describe() == "diverged" and np.isnan(x).all() and np.isnan(info.residual_norm)
    x, info = solvers.neumann(np.full((2, 2), np.nan), np.ones(2), scale=1.0, num_terms=9)
    assert info.describe() == "non-finite" and np.isnan(x).all()
    x, info = solvers.lissa(np.full((2, 2), np.nan), np.ones(2))  # the scale is NaN, too
    assert info.describe() == "non-finite"


def test_averaging_many_iterates_costs_no_digits():
    matrix, b = jnp.diag(jnp.array([1, 0.7], jnp.float32)), jnp.ones(2, jnp.float32)
    x, _ = jax.jit(lambda b: solvers.lissa(matrix, b, scale=1.0, recursion_depth=100_000))(b)
    np.testing.assert_allclose(x, [1, 1 / 0.7], rtol=1e-6)


def test_a_solution_that_overflows_is_nan_as_promised():
    x, info = solvers.cg(lambda v: 1e-20 * v, jnp.full(3, 1e30, jnp.float32))
    assert info.describe() == "non-finite" and np.isnan(x).all()
