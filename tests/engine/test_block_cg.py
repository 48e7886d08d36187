"""Conjugate gradients on several right-hand sides together, and what solves them one by one."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from course_utils import (
    CG,
    Exact,
    _block_cg,
    _compiled,
    _problem,
    compose,
    influence,
    influence_on_params,
    models,
    trees,
)
from course_utils._certificates import CONVERGED, INDEFINITE, MAXITER


def matrix_with(eigenvalues, seed=0):
    """A symmetric matrix with these eigenvalues and random eigenvectors."""
    p = len(eigenvalues)
    Q, _ = np.linalg.qr(np.random.default_rng(seed).normal(size=(p, p)))
    return (Q * np.asarray(eigenvalues)) @ Q.T


def solved(A, rows, tol=1e-10, maxiter=1000):
    A = jnp.asarray(A)
    return jax.jit(lambda rows: _block_cg.solve(lambda v: A @ v, rows, tol, maxiter))(rows)


def test_it_solves_every_row_as_a_dense_solver_does():
    A, rows = matrix_with(np.geomspace(1e-3, 1, 40)), np.random.default_rng(1).normal(size=(7, 40))
    x, info = solved(A, rows)
    expected = np.linalg.solve(A, rows.T).T
    assert info.describe() == ["converged"] * 7
    assert np.abs(x - expected).max() < 1e-8 * np.abs(expected).max()


def test_the_residuals_told_are_the_true_ones():
    """At a tolerance whose residuals are far above rounding, on whatever number of threads."""
    A, rows = matrix_with(np.geomspace(1e-3, 1, 40)), np.random.default_rng(1).normal(size=(7, 40))
    x, info = solved(A, rows, tol=1e-6)
    true = np.linalg.norm(rows - x @ A, axis=1)
    assert (true > 1e-9).any()
    np.testing.assert_allclose(info.residual_norm, true, rtol=1e-6, atol=1e-11)


@pytest.mark.parametrize("s", [2, 5, 20, 40])
def test_s_rows_of_p_numbers_take_p_over_s_steps(s):
    """The shared Krylov space is everything by then; cg alone would take about 40."""
    A, rows = matrix_with(np.linspace(1, 2, 40)), np.random.default_rng(1).normal(size=(s, 40))
    _, info = solved(A, rows)
    assert np.asarray(info.converged).all()
    assert int(np.max(info.num_steps)) <= 40 // s


def test_dependent_rows_and_a_row_of_zeros_do_no_harm():
    A, rows = matrix_with(np.geomspace(1e-2, 1, 30)), np.random.default_rng(1).normal(size=(6, 30))
    rows[1], rows[3], rows[4] = rows[0], 1e-9 * rows[2], 0
    x, info = solved(A, rows)
    assert np.asarray(info.converged).all()
    np.testing.assert_array_equal(x[4], 0)
    expected = np.linalg.solve(A, rows.T).T
    lengths = np.linalg.norm(expected, axis=1)
    assert (np.linalg.norm(x - expected, axis=1) <= 1e-7 * lengths).all()


def test_rows_of_any_size_keep_their_relative_accuracy():
    A = matrix_with(np.geomspace(1e-2, 1, 30))
    rows = np.random.default_rng(1).normal(size=(4, 30))
    sizes = np.array([1e-200, 1e-5, 1.0, 1e200])[:, None]
    small, _ = solved(A, rows)
    x, info = solved(A, sizes * rows)
    assert np.asarray(info.converged).all()
    np.testing.assert_allclose(x / sizes, small, rtol=1e-9, atol=1e-9)


def test_a_direction_without_curvature_ends_the_search():
    A = matrix_with([-0.5, *np.linspace(1, 2, 29)])
    _, info = solved(A, np.random.default_rng(1).normal(size=(4, 30)))
    assert set(np.asarray(info.status)) == {INDEFINITE}
    assert not np.asarray(info.converged).any()


def test_steps_run_out_with_the_residual_that_is_left():
    A, rows = matrix_with(np.geomspace(1e-4, 1, 60)), np.random.default_rng(1).normal(size=(3, 60))
    x, info = solved(A, rows, maxiter=5)
    assert set(np.asarray(info.status)) == {MAXITER} and np.max(info.num_steps) == 5
    np.testing.assert_allclose(info.residual_norm, np.linalg.norm(rows - x @ A, axis=1), rtol=1e-6)


def test_the_smallest_curvature_met_is_a_quotient_of_the_matrix():
    A = matrix_with(np.geomspace(1e-2, 1, 30))
    _, info = solved(A, np.random.default_rng(1).normal(size=(4, 30)))
    assert 1e-2 <= float(info.min_curvature[0]) <= 1


# --------------------------------------------------------------------------------------
# Through influence
# --------------------------------------------------------------------------------------


def two_moons(n, seed):
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 2, n)
    x = rng.normal(size=(n, 6)) + 1.5 * y[:, None]
    return x, y.astype(float)


LOSS = lambda w, z: models.logistic_loss(z[0] @ w, z[1])


def fitted(train, l2):
    w = np.zeros(6)
    for _ in range(30):
        q = 1 / (1 + np.exp(-train[0] @ w))
        g = train[0].T @ (q - train[1]) / len(q) + l2 * w
        H = (train[0].T * (q * (1 - q))) @ train[0] / len(q) + l2 * np.eye(6)
        w = w - np.linalg.solve(H, g)
    return w


def test_together_one_by_one_and_preconditioned_give_the_same_scores():
    train, test = two_moons(60, 0), two_moons(9, 1)
    w = fitted(train, 0.1)
    exact = influence(LOSS, w, train, test, solver=Exact(), l2=0.1).scores
    for solver in (CG(), CG(block=False), CG(preconditioner="jacobi")):
        result = influence(LOSS, w, train, test, solver=solver, l2=0.1)
        assert np.abs(result.scores - exact).max() < 1e-8 * np.abs(exact).max(), solver
        assert result.info.converged.all()


def test_what_the_block_leaves_is_solved_again_one_by_one():
    """Identical test points: the block's other directions lie where a singular matrix has none."""
    X = np.random.default_rng(0).normal(size=(30, 3))
    train = X[:, [0, 1, 2, 0, 1, 2]], (X @ [1.0, -1.0, 0.5] > 0).astype(float)  # rank 3 of 6
    test = train[0][[0, 0, 0, 0, 0]], train[1][[0, 0, 0, 0, 0]]
    w = np.zeros(6)
    with pytest.warns(RuntimeWarning, match="not at an optimum"):
        result = influence(LOSS, w, train, test, l2=0.0)
        alone = influence(LOSS, w, train, test, l2=0.0, solver=CG(block=False))
    assert result.info.converged.all()
    np.testing.assert_allclose(result.scores, alone.scores, rtol=1e-8)


def test_jacobi_takes_the_units_out():
    """Inputs in units from 1e-3 to 1e3: rounding keeps cg alone from ending after p = 6 steps."""
    (X, y), units = two_moons(200, 0), np.geomspace(1e-3, 1e3, 6)
    train, test = (X * units, y), (X[:5] * units, y[:5])
    w = fitted((X, y), 0.0) / units
    plain = influence(LOSS, w, train, test, solver=CG(block=False, maxiter=5000))
    cured = influence(LOSS, w, train, test, solver=CG(preconditioner="jacobi"))
    assert cured.info.converged.all() and cured.info.num_steps.max() <= 6
    assert plain.info.num_steps.min() > 6
    exact = influence(LOSS, w, train, test, solver=Exact()).scores
    assert np.abs(cured.scores - exact).max() < 1e-6 * np.abs(exact).max()


def test_the_diagonal_is_that_of_the_dense_matrix():
    A = jnp.asarray(matrix_with(np.geomspace(1e-2, 1, 7)))
    like = {"a": jnp.zeros((2, 2)), "b": jnp.zeros(3)}
    matvec = lambda v: trees.unravel(A @ trees.ravel(v), like)
    for batch_size in (None, 3):
        got = trees.diagonal(matvec, like, batch_size=batch_size)
        assert jax.tree.structure(got) == jax.tree.structure(like)
        np.testing.assert_allclose(trees.ravel(got), np.diagonal(A), rtol=1e-14)


def test_a_preconditioner_that_does_not_exist_is_refused():
    with pytest.raises(TypeError, match="preconditioner must be None or 'jacobi', got 'ssor'"):
        CG(preconditioner="ssor")


def small_cnn():
    """A convolution, tanh, and a linear layer, on 6 x 6 images."""
    rng = np.random.default_rng(0)
    params = {"k": 0.3 * rng.normal(size=(3, 3, 1, 2)), "w": 0.3 * rng.normal(size=(32, 3))}

    def predict(params, x):
        layout = jax.lax.conv_dimension_numbers(
            (1, 6, 6, 1), (3, 3, 1, 2), ("NHWC", "HWIO", "NHWC")
        )
        h = jax.lax.conv_general_dilated(
            x[None, :, :, None], params["k"], (1, 1), "VALID", dimension_numbers=layout
        )
        return jnp.tanh(h).ravel() @ params["w"]

    loss = compose(predict, lambda z, y: jax.nn.logsumexp(z) - z[y])
    data = lambda n: (rng.normal(size=(n, 6, 6)), rng.integers(0, 3, n))
    return loss, params, data(20), data(4)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:params are not at an optimum")
def test_convolutions_are_stepped_from_python_on_a_cpu_and_agree_with_the_dense_solve(monkeypatch):
    loss, params, train, test = small_cnn()
    steps = []
    counted = lambda *a: (steps.append(1), step(*a))[1]
    step = _compiled.step
    monkeypatch.setattr(_compiled, "step", counted)
    options = dict(curvature="ggn", damping=0.1)
    got = influence(loss, params, train, test, **options)
    assert (len(steps) > 0) == (jax.default_backend() == "cpu")
    exact = influence(loss, params, train, test, solver=Exact(), **options).scores
    assert np.abs(got.scores - exact).max() < 1e-8 * np.abs(exact).max()


def test_memory_bounds_how_many_are_solved_together():
    """A loss with 1000 numbers on the way, and 2^20 examples: a few vectors at a time."""
    loss = lambda w, z: jnp.sum(jnp.tanh(jnp.outer(w, jnp.ones(100)))) * z
    cost = _problem._cost.of_loss(loss, jnp.zeros(10), jnp.zeros(3))
    assert cost.largest == 1000 and cost.inputs == 1 and not cost.convolves
    assert cost.rows_at_once(1000) == 2**26 // 3_000_000
    assert cost.rows_at_once(2**40) == 1
    assert CONVERGED == 0


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:params are not at an optimum")
def test_more_right_hand_sides_than_params_are_solved_in_smaller_blocks():
    """A convolution with 6 params and 3 outputs: 4 right-hand sides for each training point."""
    rng = np.random.default_rng(0)
    params = {"k": rng.normal(size=3), "b": rng.normal(size=3)}
    predict = lambda p, x: jnp.convolve(x, p["k"], "valid") + p["b"]
    loss = compose(predict, lambda z, y: jax.nn.logsumexp(z) - z[y])
    train = rng.normal(size=(12, 5)), rng.integers(0, 3, 12)
    assert _problem._cost.of_loss(loss, params, train).convolves
    call = lambda solver: influence_on_params(
        *(loss, params, train, range(10)), corrected=True, l2=0.5, damping=0.5, solver=solver
    )
    got, exact = trees.ravel_rows(call(CG())), trees.ravel_rows(call(Exact()))
    assert np.abs(got - exact).max() < 1e-8 * np.abs(exact).max()
