"""Independent code says the same: fits of scikit-learn, solvers and eigenvalues of SciPy."""

import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.linalg
import scipy.sparse.linalg
from sklearn.datasets import load_breast_cancer, load_iris
from sklearn.linear_model import LogisticRegression, Ridge

from course_utils import (
    CG,
    Exact,
    FittedModel,
    check_influence,
    compose,
    curvature,
    group_influence,
    influence,
    influence_on_params,
    leave_one_out,
    models,
    solvers,
    trees,
)

pytestmark = pytest.mark.usefixtures("no_unexpected_warning")


def standardised(load, every):
    X, y = load(return_X_y=True)
    X, y = X[::every], y[::every]
    return (X - X.mean(axis=0)) / X.std(axis=0), y


# --------------------------------------------------------------------------------------
# scikit-learn: its optimum, and its refits
# --------------------------------------------------------------------------------------

# Each fit minimises C sum w_i loss_i + |w|^2 / 2, which is C n R with C = 1 / (n l2).
TWO, THREE = standardised(load_breast_cancer, 2), standardised(load_iris, 1)
BINARY = compose(models.linear, models.logistic_loss)
SOFTMAX = compose(models.linear, models.cross_entropy)
CASES = {
    "logistic": (BINARY, TWO, lambda fit: fit.coef_[0], 0.05),
    "softmax": (SOFTMAX, THREE, lambda fit: fit.coef_.T, 0.05),
}


def fitted(X, y, l2, weights):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # rounding ends some line searches before 1e-12
        solver = dict(solver="newton-cholesky", tol=1e-12, max_iter=100)
        done = LogisticRegression(C=1 / (len(y) * l2), fit_intercept=False, **solver)
        return done.fit(X, y, sample_weight=weights)


@pytest.mark.parametrize("removal", ["fixed-weight", "refit-mean"])
@pytest.mark.parametrize("name", CASES)
def test_refits_by_scikit_learn_move_as_the_influence_on_params_says(name, removal):
    loss, (X, y), as_matrix, l2 = CASES[name]
    n, fit = len(y), lambda weights: as_matrix(fitted(X, y, l2, weights))
    params = {"w": fit(np.ones(n))}
    model = FittedModel(loss, params, (X, y), l2=l2, removal=removal)
    chosen = np.arange(3, n, 20)
    real = leave_one_out(fit, lambda w: w, n, chosen, removal=removal)
    real = np.moveaxis(real, -1, 0)
    plain = influence_on_params(model, chosen, solver=Exact())["w"]
    better = influence_on_params(model, chosen, corrected=True, solver=Exact())["w"]
    error = lambda got: np.linalg.norm(got - real) / np.linalg.norm(real)
    assert error(better) < 0.02 and error(better) < error(plain) / 4


def largest_leverage(loss, w, data, l2, chosen):
    """The largest eigenvalue of H^-1 times the part of H that is a chosen point's own."""
    flat = lambda v, z: loss({"w": v.reshape(w.shape)}, z)
    each = np.asarray(jax.vmap(jax.hessian(flat), (None, 0))(jnp.ravel(w), data))
    H = each.mean(axis=0) + l2 * np.eye(w.size)
    return max(scipy.linalg.eigvalsh(own / len(each), H)[-1] for own in each[chosen])


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=pytest.mark.slow if name == "softmax" else ()) for name in CASES],
)
def test_refits_by_scikit_learn_change_the_loss_as_the_scores_say(name):
    loss, (X, y), as_matrix, _ = CASES[name]
    l2, n = 1.0, len(y)  # so much that first order is nearly all there is
    params = {"w": as_matrix(fitted(X, y, l2, np.ones(n)))}
    test = X[1::40], y[1::40]
    losses = lambda w: np.asarray(jax.vmap(loss, (None, 0))({"w": jnp.asarray(w)}, test))
    chosen = np.arange(0, n, 10)
    leverage = largest_leverage(loss, params["w"], (X, y), l2, chosen)
    assert leverage < 0.1
    model = FittedModel(loss, params, (X, y), l2=l2, removal="refit-mean")
    # scikit-learn fits n - 1 points, and knows nothing of weights
    without = lambda i: as_matrix(fitted(*(np.delete(a, i, 0) for a in (X, y)), l2, None))
    real = np.stack([losses(without(i)) - losses(params["w"]) for i in chosen], axis=1)
    ours = leave_one_out(model, lambda params: losses(params["w"]), indices=chosen)
    np.testing.assert_allclose(ours, real, atol=1e-6 * np.abs(real).max())
    for solver in [CG(), Exact()]:
        found = influence(model, test, solver=solver)
        gap = np.abs(found.scores[:, chosen] - real).max()
        # what is left out: that part in the move, and the second derivative of the test loss
        assert gap < 2 * leverage * np.abs(real).max()
        assert (check_influence(found.scores[:, chosen], real).spearman > 0.99).all()


def test_a_ridge_regression_of_scikit_learn_without_a_group_is_one_newton_step_away():
    X, y = TWO[0], TWO[0] @ np.linspace(-1, 1, 30) + np.sin(np.arange(len(TWO[0])))
    n, l2, groups = len(y), 0.1, [[4], np.arange(50), np.arange(100, 220, 3)]
    ridge = lambda X, y, alpha: Ridge(alpha=alpha, fit_intercept=False, tol=1e-12).fit(X, y).coef_
    full = ridge(X, y, n * l2)  # |Xw - y|^2 + n l2 |w|^2 = 2 n R
    loss = compose(lambda w, x: x @ w, models.squared_error)
    moves = group_influence(
        FittedModel(loss, full, (X, y), l2=l2, removal="refit-mean"),
        *(np.eye(30), groups),
        **dict(order="newton", solver=Exact()),
        test_loss_fn=lambda w, e: e @ w,  # the params themselves
    )
    for move, group in zip(moves.T, groups, strict=True):
        rest = [np.delete(a, group, 0) for a in (X, y)]
        expected = ridge(*rest, len(rest[1]) * l2) - full
        np.testing.assert_allclose(move, expected, atol=1e-9 * np.abs(expected).max())


# --------------------------------------------------------------------------------------
# SciPy: iterates, solutions, eigenvalues
# --------------------------------------------------------------------------------------

RNG = np.random.default_rng(0)
Q, _ = np.linalg.qr(RNG.normal(size=(40, 40)))
A = (Q * np.geomspace(1e-2, 1, 40)) @ Q.T
B = RNG.normal(size=40)


@pytest.mark.parametrize("M", [None, np.diag(1 / np.diag(A))], ids=["plain", "jacobi"])
def test_cg_takes_the_steps_of_scipy(M):
    start = RNG.normal(size=40)
    for k in [1, 2, 5, 15]:  # later ones part by rounding, and meet at the solution
        theirs, _ = scipy.sparse.linalg.cg(A, B, start, rtol=0, maxiter=k, M=M)
        ours, info = solvers.cg(A, B, start, tol=1e-14, maxiter=k, M=M)
        assert info.num_steps == k
        np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-11)
    theirs, _ = scipy.sparse.linalg.cg(A, B, rtol=1e-12, M=M)
    ours, _ = solvers.cg(A, B, tol=1e-12, M=M)
    np.testing.assert_allclose(ours, theirs, atol=1e-9)  # two residuals of 1e-11 over 1e-2


def test_direct_is_scipys_solve_of_a_positive_definite_matrix():
    theirs = scipy.linalg.solve(A, B, assume_a="pos")
    np.testing.assert_allclose(solvers.direct(A, B)[0], theirs, rtol=1e-11, atol=1e-13)


def test_the_ends_of_a_hessians_spectrum_are_those_of_scipy():
    (X, y), theta = TWO, np.linspace(-1, 1, 30)
    params = {"w": jnp.asarray(theta)}
    H = curvature.hessian_mvp(BINARY, params, (X, y), l2=1e-3, batch_size=100)
    product = jax.jit(lambda v: trees.ravel(H(trees.unravel(v, params))))
    operator = scipy.sparse.linalg.LinearOperator((30, 30), lambda v: np.asarray(product(v)))
    theirs = scipy.sparse.linalg.eigsh(operator, 3, return_eigenvectors=False)
    ours = jax.jit(lambda key: curvature.lanczos(H, params, 25, key=key))(jax.random.key(0))
    np.testing.assert_allclose(ours.eigenvalues[-3:], np.sort(theirs), rtol=1e-10)
    top = curvature.power_iteration(H, params, 300, key=jax.random.key(0))
    np.testing.assert_allclose(top.value, theirs.max(), rtol=1e-10)
    q = 1 / (1 + np.exp(-X @ theta))  # and of the matrix that NumPy writes down
    written = (X * (q * (1 - q))[:, None]).T @ X / len(X) + 1e-3 * np.eye(30)
    np.testing.assert_allclose(jax.vmap(product)(jnp.eye(30)), written, atol=1e-14)
    estimate = curvature.hutchinson_trace(H, params, 200, key=jax.random.key(1))
    assert abs(estimate.value - np.trace(written)) < 4 * estimate.standard_error
