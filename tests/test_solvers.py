import dataclasses
import subprocess
import sys
import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest

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
    with warnings.catch_warnings():
        warnings.simplefilter("error")
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


def test_converged_is_said_of_the_true_residual_where_the_carried_one_is_too_small():
    narrow = matrix_with(*np.geomspace(1e-4, 1, 40)).astype(np.float32)
    b = np.random.default_rng(2).normal(size=40).astype(np.float32)
    reached = []
    for tol in (1e-3, 1e-4, 1e-5, 1e-6, 1e-7):
        x, info = solvers.cg(narrow, b, tol=tol, maxiter=5000)
        truth = np.linalg.norm(np.float64(b) - np.float64(narrow) @ np.float64(x))
        np.testing.assert_allclose(info.residual_norm, truth, rtol=0.2, atol=1e-4)  # float32
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
    for tiny in (1e-30, 1e30):
        y, tiny_info = solvers.cg(narrow, (tiny * b).astype(np.float32), tol=1e-4)
        assert abs(tiny_info.num_steps - info.num_steps) <= 2
        assert tiny_info.converged
        gap = np.abs(np.float64(y) / tiny - x).max()
        assert gap < 1e-3 * np.abs(x).max()  # float32, condition number 1000


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
    assert solvers.direct(narrow, np.ones(3, np.float32))[1].converged


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


def test_settings_solve_as_the_functions_do():
    b = as_tree(B[0])
    expected = np.linalg.solve(A, trees.ravel(b))
    for setting in (solvers.CG(tol=1e-13), solvers.Exact()):
        x, info = setting.solve(setting.prepare(tree_matvec, b), tree_matvec, b)
        np.testing.assert_allclose(trees.ravel(x), expected, rtol=1e-8)
    _, info = solvers.CG(maxiter=2).solve(None, tree_matvec, b)
    assert info.describe() == "maxiter"


def test_the_default_tolerance_depends_on_the_dtype():
    _, info = solvers.CG().solve(None, lambda v: A @ v, B[0])
    assert info.converged and info.residual_norm < 1e-10 * np.linalg.norm(B[0])
    assert solvers.default_tol(B[0]) == 1e-10
    assert solvers.default_tol(B[0].astype(np.float32)) == 1e-5


def test_settings_are_values_and_refuse_nonsense():
    assert solvers.CG(tol=1e-3) == solvers.CG(tol=1e-3) != solvers.CG()
    assert hash(solvers.Exact()) == hash(solvers.Exact())
    with pytest.raises(dataclasses.FrozenInstanceError):
        solvers.CG().tol = 1.0
    with pytest.raises(ValueError, match="tol must be None or in"):
        solvers.CG(tol=-1.0)
    with pytest.raises(ValueError, match="maxiter must be None or at least 1, got 0"):
        solvers.CG(maxiter=0)
    with pytest.raises(TypeError, match="scale"):
        solvers.CG(scale=10)


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
