"""Groups of points, changed inputs, and points traced along a run of gradient descent."""

import re
import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from course_utils import (
    CG,
    Arnoldi,
    Exact,
    LiSSA,
    compose,
    group_influence,
    influence,
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


@pytest.fixture(autouse=True)
def no_unexpected_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def changes(groups=GROUPS, **options):
    """Of the predictions of ridge regression, (n_test, n_groups)."""
    options = {"l2": L2, "test_loss_fn": prediction, **options}
    return group_influence(squared, THETA, (X, Y), (XT, YT), groups, **options)


def refitted(group, removal):
    weights = np.ones(N)
    weights[group] = 0
    n = N if removal == "fixed-weight" else int(weights.sum())
    return XT @ (ridge(X, Y, weights, n) - THETA)


@pytest.mark.parametrize("solver", [CG(), Exact()])
@pytest.mark.parametrize("removal", ["fixed-weight", "refit-mean"])
def test_newton_is_the_refit_for_least_squares(removal, solver):
    got = changes(order="newton", removal=removal, solver=solver)
    expected = np.stack([refitted(group, removal) for group in GROUPS], axis=1)
    np.testing.assert_allclose(got, expected, rtol=1e-8, atol=1e-12)
    assert np.abs(got[:, 2]).max() > 0.01 and not got[:, 3].any()


@pytest.mark.parametrize("removal", ["fixed-weight", "refit-mean"])
@pytest.mark.parametrize("batch_size", [None, 7])
def test_orders_one_and_two_are_their_formulas(removal, batch_size):
    damping, tied = 0.05, L2 * (removal == "refit-mean")
    H_d = H + damping * np.eye(D)
    for order in [1, 2]:
        got = changes(order=order, removal=removal, damping=damping, batch_size=batch_size)
        for column, group in zip(got.T, GROUPS, strict=True):
            x, y, m = X[group], Y[group], len(group)
            g = (x.T @ (x @ THETA - y) + m * tied * THETA) / N
            H_U = (x.T @ x + m * tied * np.eye(D)) / N
            move = np.linalg.solve(H_d, g)
            if order == 2:
                move = move + np.linalg.solve(H_d, H_U @ move)
            np.testing.assert_allclose(column, XT @ move, rtol=1e-8, atol=1e-12)


def test_first_order_is_the_sum_of_the_members_scores():
    options = dict(l2=L2, removal="refit-mean", solver=Exact())
    scores = influence(squared, THETA, (X, Y), (XT, YT), **options).scores
    sums = np.stack([scores[:, list(group)].sum(axis=1) for group in GROUPS], axis=1)
    got = changes(test_loss_fn=None, **{k: v for k, v in options.items() if k != "l2"})
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
    error = {}
    for order in [1, 2, "newton"]:
        got = group_influence(
            *(loss, theta, (X, y), (X[:50], y[:50]), nearest),
            **dict(order=order, l2=l2, test_loss_fn=prediction, solver=Exact()),
        )
        error[order] = np.linalg.norm(got - real) / np.linalg.norm(real)
    assert error["newton"] < error[2] < error[1] / 2, error


def test_groups_take_select_and_a_composed_loss():
    loss = compose(lambda p, x: p["w"] @ x + p["b"], lambda z, y: 0.5 * (z - y) ** 2)
    shifted = Y - 0.3
    params = {"w": jnp.asarray(ridge(X, shifted, np.ones(N), N)), "b": jnp.asarray(0.3)}
    value = lambda p, z: p["w"] @ z[0] + p["b"]
    got = group_influence(
        *(loss, params, (X, Y), (XT, YT), GROUPS),
        **dict(order="newton", l2=L2, select=lambda path: path == "w", curvature="ggn"),
        test_loss_fn=value,
    )
    weights = np.ones(N)
    weights[GROUPS[2]] = 0
    move = ridge(X, shifted, weights, N) - ridge(X, shifted, np.ones(N), N)
    np.testing.assert_allclose(got[:, 2], XT @ move, rtol=1e-8)


def test_a_group_that_holds_the_fit_up_is_nan_with_advice_that_cures_it():
    alone = np.zeros((N, D))  # only point 0 knows the first weight
    alone[:, 1:] = X[:, 1:]
    alone[0, 0] = 1.0
    theta = np.linalg.lstsq(alone, Y, rcond=None)[0]
    call = lambda damping, solver: group_influence(
        *(squared, theta, (alone, Y), (XT, YT), [[5], [0]]),
        **dict(order="newton", damping=damping, test_loss_fn=prediction, solver=solver),
    )
    for solver in [Exact(), CG()]:
        with pytest.warns(RuntimeWarning, match="groups 1: ") as caught:
            got = call(0.0, solver)
        assert np.isnan(got[:, 1]).all() and np.isfinite(got[:, 0]).all()
        assert len(caught) == 1
    assert np.isfinite(call(1e-6, Exact())).all()


def test_no_group_and_no_test_point():
    assert changes([], order="newton").shape == (4, 0)
    assert changes([], order=2).shape == (4, 0)
    none = group_influence(squared, THETA, (X, Y), (XT[:0], YT[:0]), GROUPS, l2=L2)
    assert none.shape == (0, 4)


def test_groups_that_cannot_be_are_refused():
    with pytest.raises(ValueError, match="indices must lie in 0 to 39, got 2 to 40"):
        changes([[2, 40]])
    with pytest.raises(ValueError, match="an index stands twice in one group"):
        changes([[2, 3, 2]])
    with pytest.raises(ValueError, match="leaves nothing to fit"):
        changes([np.arange(N)], removal="refit-mean")
    with pytest.raises(TypeError, match="order must be 1, 2 or 'newton', got 3"):
        changes(order=3)
    with pytest.raises(TypeError, match=re.escape("takes CG(...) or Exact()")):
        changes(order="newton", solver=LiSSA())


# ---------------------------------------------------------------------------------
# Changed inputs
# ---------------------------------------------------------------------------------


@pytest.mark.parametrize("solver", [CG(), Exact()])
def test_a_perturbed_input_moves_the_test_loss_as_a_refit_says(solver):
    got = perturbation_influence(squared, THETA, (X, Y), (XT, YT), [7, 2], l2=L2, solver=solver)
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
    got = perturbation_influence(loss, THETA, train, test, [3], wrt="y", l2=L2)
    residuals = XT @ THETA - YT
    exact = residuals * (XT @ np.linalg.solve(H, X[3])) / N  # dθ/dy_i = H⁻¹ x_i / n
    np.testing.assert_allclose(got[:, 0], exact, rtol=1e-9)


def test_parts_that_cannot_be_changed_are_refused():
    call = lambda **options: perturbation_influence(
        squared, THETA, (X, Y), (XT, YT), [0], l2=L2, **options
    )
    with pytest.raises(ValueError, match="an example has no part 2"):
        call(wrt=2)
    labels = jnp.arange(N)
    with pytest.raises(ValueError, match=re.escape("train[1] is int64[1], expected a floating")):
        theta = ridge(X, np.arange(N), np.ones(N), N)
        perturbation_influence(squared, theta, (X, labels), (XT, labels[:4]), [0], wrt=1, l2=L2)


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
    for how in ["on-the-fly", "kept", "auto"]:
        got = tracin(
            *(squared, checkpoints, (X, Y), (XT, YT), np.full(num_steps, step_size)),
            gradients=how,
        )
        expected = np.zeros((4, N))
        for theta in checkpoints:
            m, g = (x * (x @ theta - y)[:, None] for x, y in [(XT, YT), (X, Y)])
            expected += step_size / N * m @ g.T
        np.testing.assert_allclose(got, expected, rtol=1e-10)
    loss = lambda theta: 0.5 * (XT @ theta - YT) ** 2
    np.testing.assert_allclose(got.sum(axis=1), loss(path[0]) - loss(path[-1]), rtol=1e-3)


def test_tracin_takes_one_step_size_for_each_checkpoint():
    with pytest.raises(ValueError, match="one per checkpoint: got shape"):
        tracin(squared, np.zeros((2, D)), (X, Y), (XT, YT), [0.1])
    with pytest.raises(ValueError, match="step_sizes"):
        tracin(squared, np.zeros((1, D)), (X, Y), (XT, YT), [np.nan])


def test_two_solves_of_one_group_are_warned_of_once():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        changes = group_influence(
            *(squared, THETA, (X, Y), (XT, YT), [[0, 1], [2]]), order=2, l2=L2, solver=CG(maxiter=1)
        )
    assert [str(w.message).split(" after")[0] for w in caught] == [
        "groups 0, 1: not converged (maxiter)"
    ]
    assert np.isfinite(changes).all()


def test_tracin_of_no_checkpoint_is_refused():
    with pytest.raises(ValueError, match="checkpoints must hold at least one"):
        tracin(squared, np.zeros((0, D)), (X, Y), (XT, YT), [])


def test_a_mesh_is_a_mesh():
    with pytest.raises(TypeError, match="mesh must be a jax.sharding.Mesh or None, got 8"):
        influence(squared, THETA, (X, Y), (XT, YT), l2=L2, mesh=8)


def test_newton_takes_a_preconditioner_and_no_low_rank():
    call = lambda solver: group_influence(
        *(squared, THETA, (X, Y), (XT, YT), GROUPS), order="newton", l2=L2, solver=solver
    )
    exact = call(Exact())
    for solver in (CG(), CG(preconditioner="jacobi"), CG(tol=1e-12, maxiter=9)):
        assert np.abs(call(solver) - exact).max() < 1e-8 * np.abs(exact).max(), solver
    with pytest.raises(TypeError, match=r"takes CG\(...\) or Exact\(\)"):
        call(Arnoldi(rank=2))
