"""Groups of points, changed inputs, and points traced along a run of gradient descent."""

import functools
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from strict import every_warning

from course_utils import (
    CG,
    Arnoldi,
    Exact,
    FittedModel,
    LiSSA,
    compose,
    group_influence,
    influence,
    influence_on_params,
    perturbation_influence,
    tracin,
)

draw = np.random.default_rng(0)
N, D = 40, 3
X = draw.normal(size=(N, D))
Y = X @ [1.0, -2.0, 0.5] + 0.5 * draw.normal(size=N)
XT, YT = draw.normal(size=(4, D)), draw.normal(size=4)
L2 = 0.1
GROUPS = [[3], [0, 1, 2, 5], np.arange(10, 25), []]


def squared(theta, example):
    x, y = example
    return 0.5 * (x @ theta - y) ** 2


def prediction(theta, example):
    return example[0] @ theta


def ridge(X, y, weights, n, l2=L2):
    """The minimum of (1/n) Σ w_i (x_i.θ - y_i)²/2 + (l2/2)|θ|²."""
    return np.linalg.solve(X.T * weights @ X / n + l2 * np.eye(D), X.T @ (weights * y) / n)


THETA = ridge(X, Y, np.ones(N), N)
H = X.T @ X / N + L2 * np.eye(D)


def fit_logistic(X, y, weights, n, l2):
    theta = np.zeros(X.shape[1])
    for _ in range(50):
        p = 1 / (1 + np.exp(y * (X @ theta)))
        g = -X.T @ (weights * y * p) / n + l2 * theta
        A = X.T * (weights * p * (1 - p)) @ X / n + l2 * np.eye(X.shape[1])
        theta = theta - np.linalg.solve(A, g)
    return theta


pytestmark = pytest.mark.usefixtures("no_unexpected_warning")


@functools.cache
def fitted(**options):
    return FittedModel(squared, THETA, (X, Y), l2=L2, **options)


def changes(groups=GROUPS, fit=None, **options):
    """Of the predictions of ridge regression, (n_test, n_groups)."""
    options = {"test_loss_fn": prediction, **options}
    return group_influence(fit or fitted(), (XT, YT), groups, **options)


def refitted(group, removal):
    weights = np.ones(N)
    weights[group] = 0
    n = N if removal == "fixed-weight" else int(weights.sum())
    return XT @ (ridge(X, Y, weights, n) - THETA)


@pytest.mark.parametrize("solver", [CG(), Exact()])
@pytest.mark.parametrize("removal", ["fixed-weight", "refit-mean"])
def test_newton_is_the_refit_for_least_squares(removal, solver):
    got = changes(fit=fitted(removal=removal), order="newton", solver=solver)
    expected = np.stack([refitted(group, removal) for group in GROUPS], axis=1)
    np.testing.assert_allclose(got, expected, rtol=1e-8, atol=1e-12)
    assert np.abs(got[:, 2]).max() > 0.01 and not got[:, 3].any()


@pytest.mark.parametrize("removal", ["fixed-weight", "refit-mean"])
@pytest.mark.parametrize("batch_size", [None, 7])
def test_orders_one_and_two_are_their_formulas(removal, batch_size):
    damping, tied = 0.05, L2 * (removal == "refit-mean")
    H_d = H + damping * np.eye(D)
    for order in [1, 2]:
        fit = fitted(removal=removal, damping=damping, batch_size=batch_size)
        got = changes(fit=fit, order=order)
        for column, group in zip(got.T, GROUPS, strict=True):
            x, y, m = X[group], Y[group], len(group)
            g = (x.T @ (x @ THETA - y) + m * tied * THETA) / N
            H_U = (x.T @ x + m * tied * np.eye(D)) / N
            move = np.linalg.solve(H_d, g)
            if order == 2:
                move = move + np.linalg.solve(H_d, H_U @ move)
            np.testing.assert_allclose(column, XT @ move, rtol=1e-8, atol=1e-12)


def test_first_order_is_the_sum_of_the_members_scores():
    fit = fitted(removal="refit-mean")
    scores = influence(fit, (XT, YT), solver=Exact()).scores
    sums = np.stack([scores[:, list(group)].sum(axis=1) for group in GROUPS], axis=1)
    got = changes(fit=fit, test_loss_fn=None, solver=Exact())
    np.testing.assert_allclose(got, sums, rtol=1e-10, atol=1e-14)


def test_on_coherent_groups_newton_beats_order_two_beats_order_one():
    """T12, with refits of a logistic regression: groups are the points nearest to one."""
    rng = np.random.default_rng(3)
    X, y = rng.normal(size=(200, 4)), np.sign(rng.normal(size=200) + 0.3)
    y = np.where(rng.random(200) < 0.8, np.sign(X @ [2.0, -1.0, 0.5, 0.0] + 1e-9), y)
    l2 = 0.01
    theta = fit_logistic(X, y, np.ones(200), 200, l2)
    nearest = [np.argsort(np.linalg.norm(X - X[i], axis=1))[:40] for i in range(12)]
    real = []
    for group in nearest:
        weights = np.ones(200)
        weights[group] = 0
        real.append(fit_logistic(X, y, weights, 200, l2) - theta)
    loss = lambda theta, z: jnp.logaddexp(0.0, -z[1] * (z[0] @ theta))
    real = np.stack([X[:50] @ move for move in real], axis=1)
    fit, error = FittedModel(loss, theta, (X, y), l2=l2), {}
    for order in [1, 2, "newton"]:
        got = group_influence(
            *(fit, (X[:50], y[:50]), nearest),
            **dict(order=order, test_loss_fn=prediction, solver=Exact()),
        )
        error[order] = np.linalg.norm(got - real) / np.linalg.norm(real)
    assert error["newton"] < error[2] < error[1] / 2, error


def test_groups_take_select_and_a_composed_loss():
    loss = compose(lambda p, x: p["w"] @ x + p["b"], lambda z, y: 0.5 * (z - y) ** 2)
    shifted = Y - 0.3
    params = {"w": jnp.asarray(ridge(X, shifted, np.ones(N), N)), "b": jnp.asarray(0.3)}
    value = lambda p, z: p["w"] @ z[0] + p["b"]
    options = dict(l2=L2, select=lambda path: path == "w", curvature="ggn")
    fit = FittedModel(loss, params, (X, Y), **options)
    got = group_influence(fit, (XT, YT), GROUPS, order="newton", test_loss_fn=value)
    weights = np.ones(N)
    weights[GROUPS[2]] = 0
    move = ridge(X, shifted, weights, N) - ridge(X, shifted, np.ones(N), N)
    np.testing.assert_allclose(got[:, 2], XT @ move, rtol=1e-8)


def test_a_group_that_holds_the_fit_up_is_nan_with_advice_that_cures_it():
    alone = np.zeros((N, D))  # only point 0 knows the first weight
    alone[:, 1:] = X[:, 1:]
    alone[0, 0] = 1.0
    theta = np.linalg.lstsq(alone, Y, rcond=None)[0]
    fit = FittedModel(squared, theta, (alone, Y))
    call = lambda fit, solver: changes([[5], [0]], fit, order="newton", solver=solver)
    for solver in [Exact(), CG()]:
        with pytest.warns(RuntimeWarning, match="^groups 1: .* their columns are NaN") as caught:
            got = call(fit, solver)
        assert np.isnan(got[:, 1]).all() and np.isfinite(got[:, 0]).all()
        (message,) = [str(w.message) for w in caught if w.category is RuntimeWarning]
        damping = float(re.search(r"raising damping by (\S+) cures it", message)[1])
        assert np.isfinite(call(fit.with_damping(damping), solver)).all()


def test_no_group_and_no_test_point():
    assert changes([], order="newton").shape == (4, 0)
    assert changes([], order=2).shape == (4, 0)
    for order in (1, 2, "newton"):
        assert group_influence(fitted(), (XT[:0], YT[:0]), GROUPS, order=order).shape == (0, 4)


def test_groups_that_cannot_be_are_refused():
    with pytest.raises(ValueError, match="indices must lie in 0 to 39, got 2 to 40"):
        changes([[2, 40]])
    with pytest.raises(ValueError, match="an index stands twice in one group"):
        changes([[2, 3, 2]])
    with pytest.raises(ValueError, match="leaves nothing to fit"):
        changes([np.arange(N)], fitted(removal="refit-mean"))
    with pytest.raises(TypeError, match="order must be 1, 2 or 'newton', got 3"):
        changes(order=3)
    for solver in (LiSSA(), Arnoldi(rank=2)):
        with pytest.raises(TypeError, match=re.escape("takes CG(...) or Exact()")):
            changes(order="newton", solver=solver)


# ---------------------------------------------------------------------------------
# Changed inputs
# ---------------------------------------------------------------------------------


@pytest.mark.parametrize("solver", [CG(), Exact()])
def test_a_perturbed_input_moves_the_test_loss_as_a_refit_says(solver):
    got = perturbation_influence(fitted(), (XT, YT), [7, 2], solver=solver)
    assert got.shape == (4, 2, D)
    loss = lambda theta: 0.5 * (XT @ theta - YT) ** 2
    for column, i in enumerate([7, 2]):
        for k in range(D):
            moved = [X.copy(), X.copy()]
            moved[0][i, k] += 1e-5
            moved[1][i, k] -= 1e-5
            up, down = (loss(ridge(x, Y, np.ones(N), N)) for x in moved)
            np.testing.assert_allclose(got[:, column, k], (up - down) / 2e-5, rtol=1e-6, atol=1e-9)


def test_any_part_of_an_example_may_be_changed():
    loss = lambda theta, z: 0.5 * (z["features"]["x"] @ theta - z["y"]) ** 2
    train = {"features": {"x": X}, "y": Y}
    test = {"features": {"x": XT}, "y": YT}
    got = perturbation_influence(FittedModel(loss, THETA, train, l2=L2), test, 3, wrt="y")
    residuals = XT @ THETA - YT
    exact = residuals * (XT @ np.linalg.solve(H, X[3])) / N  # dθ/dy_i = H⁻¹ x_i / n
    np.testing.assert_allclose(got[:, 0], exact, rtol=1e-9)


def test_parts_that_cannot_be_changed_are_refused():
    for part in (2, "x"):
        with pytest.raises(ValueError, match=f"an example has no part {part!r}"):
            perturbation_influence(fitted(), (XT, YT), [0], wrt=part)
    labels = jnp.arange(N)
    with pytest.raises(ValueError, match=re.escape("train[1] is int64[1], expected a floating")):
        theta = ridge(X, np.arange(N), np.ones(N), N)
        fit = FittedModel(squared, theta, (X, labels), l2=L2)
        perturbation_influence(fit, (XT, labels[:4]), [0], wrt=1)


# ---------------------------------------------------------------------------------
# Along a run
# ---------------------------------------------------------------------------------


def test_tracin_is_its_sum_and_its_rows_sum_to_the_drop_of_the_loss():
    step_size, num_steps = 1e-4, 50
    mean = lambda theta: jnp.mean(jax.vmap(squared, (None, 0))(theta, (X, Y)))
    path = [np.zeros(D)]
    for _ in range(num_steps):
        path.append(np.asarray(path[-1] - step_size * jax.grad(mean)(path[-1])))
    checkpoints = np.array(path[:-1])
    expected = np.zeros((4, N))
    for theta in checkpoints:
        m, g = (x * (x @ theta - y)[:, None] for x, y in [(XT, YT), (X, Y)])
        expected += step_size / N * m @ g.T
    step_sizes = np.full(num_steps, step_size)
    for batch_size in [None, 7]:
        options = dict(batch_size=batch_size)
        got = tracin(squared, checkpoints, (X, Y), (XT, YT), step_sizes, **options)
        np.testing.assert_allclose(got, expected, rtol=1e-10, atol=1e-16)
    loss = lambda theta: 0.5 * (XT @ theta - YT) ** 2
    np.testing.assert_allclose(got.sum(axis=1), loss(path[0]) - loss(path[-1]), rtol=1e-3)


def test_tracin_takes_one_step_size_for_each_checkpoint():
    with pytest.raises(ValueError, match="one per checkpoint: got shape"):
        tracin(squared, np.zeros((2, D)), (X, Y), (XT, YT), [0.1])
    with pytest.raises(ValueError, match="step_sizes"):
        tracin(squared, np.zeros((1, D)), (X, Y), (XT, YT), [np.nan])


def test_two_solves_of_one_group_are_warned_of_once():
    with every_warning("always", record=True) as caught:
        got = changes([[0, 1], [2]], test_loss_fn=None, order=2, solver=CG(maxiter=1))
    assert [str(w.message).split(" after")[0] for w in caught] == [
        "groups 0, 1: not converged (maxiter)"
    ]
    assert np.isfinite(got).all()


def test_tracin_of_no_checkpoint_is_refused():
    with pytest.raises(ValueError, match="checkpoints must hold at least one"):
        tracin(squared, np.zeros((0, D)), (X, Y), (XT, YT), [])


def test_newton_by_products_is_newton_by_a_factor():
    exact = changes(order="newton", solver=Exact())
    for solver in (CG(), CG(tol=1e-12, maxiter=9), CG(block=False)):
        got = changes(order="newton", solver=solver)
        assert np.abs(got - exact).max() < 1e-8 * np.abs(exact).max(), solver


def test_one_removed_point_is_its_one_step_correction():
    """Where outputs are linear in the params, whatever the loss."""
    fit = FittedModel(
        compose(lambda p, x: x @ p, lambda z, y: 0.5 * (z - y) ** 2), THETA, (X, Y), l2=L2
    )
    moves = influence_on_params(fit, [3, 8], corrected=True, solver=Exact())
    got = group_influence(
        fit, (XT, YT), [[3], [8]], order="newton", test_loss_fn=prediction, solver=Exact()
    )
    np.testing.assert_allclose(got, XT @ np.asarray(moves).T, rtol=1e-9)
