import json
import re
import subprocess
import sys
import warnings
from collections import Counter
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from course_utils import _compiled, trees
from course_utils import influence_functions as inf
from course_utils.curvature import compose, hessian_mvp
from course_utils.solvers import CG, Arnoldi, Exact, LiSSA

# --------------------------------------------------------------------------------------
# Logistic regression, fitted and differentiated by NumPy alone
# --------------------------------------------------------------------------------------

TRACES = Counter()


def predict(params, x):
    return x @ params["w"] + params["b"]


def criterion(z, y):
    return jax.nn.softplus(-y * z)


def loss_fn(params, example):
    TRACES["loss_fn"] += 1
    x, y = example
    return criterion(predict(params, x), y)


def with_bias(X):
    return np.c_[np.ones(len(X)), X]  # the order of the leaves: b before w


def as_params(theta):
    return {"w": jnp.asarray(theta[1:]), "b": jnp.asarray(theta[0])}


def newton(X, y, l2, weights=None):
    """The exact minimiser of (1/n) sum w_i softplus(-y_i x_i.theta) + l2/2 |theta|^2."""
    X, n = with_bias(X), len(X)
    weights = np.ones(n) if weights is None else weights
    theta = np.zeros(X.shape[1])
    for _ in range(50):
        q = 1 / (1 + np.exp(y * (X @ theta)))  # probability of the other class
        gradient = -X.T @ (weights * y * q) / n + l2 * theta
        H = (X * (weights * q * (1 - q))[:, None]).T @ X / n + l2 * np.eye(X.shape[1])
        theta = theta - np.linalg.solve(H, gradient)
        if np.linalg.norm(gradient) < 1e-14:
            break
    return theta


def losses(X, y, theta):
    return np.logaddexp(0, -y * (with_bias(X) @ theta))


def gradients(X, y, theta):
    q = 1 / (1 + np.exp(y * (with_bias(X) @ theta)))
    return -(y * q)[:, None] * with_bias(X)


def hessian(X, y, theta, l2):
    q = 1 / (1 + np.exp(y * (with_bias(X) @ theta)))
    return (with_bias(X) * (q * (1 - q))[:, None]).T @ with_bias(X) / len(X) + l2 * np.eye(
        len(theta)
    )


def logistic_data(n, d, seed, mean=0.0):
    rng = np.random.default_rng(seed)
    X = mean + rng.normal(size=(n, d))
    return X, np.where(X.sum(axis=1) + rng.normal(size=n) > 0, 1.0, -1.0)


L2 = 0.05
X, Y = logistic_data(40, 3, 0)
XT, YT = logistic_data(6, 3, 1)
THETA = newton(X, Y, L2)
PARAMS = as_params(THETA)
DENSE = (
    gradients(XT, YT, THETA)
    @ np.linalg.solve(hessian(X, Y, THETA, L2), gradients(X, Y, THETA).T)
    / len(X)
)


@pytest.fixture(autouse=True)
def no_unexpected_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def scores(train=(X, Y), test=(XT, YT), params=PARAMS, **options):
    return inf.influence(loss_fn, params, train, test, **{"l2": L2, **options}).scores


def assert_agree(got, expected, eps):
    """Two score matrices agree to eps when the largest difference is eps of the largest score."""
    got, expected = np.asarray(got), np.asarray(expected)
    assert got.shape == expected.shape
    assert np.abs(got - expected).max() <= eps * np.abs(expected).max()


# --------------------------------------------------------------------------------------
# What a score is
# --------------------------------------------------------------------------------------


@pytest.mark.parametrize("solver", [CG(), Exact()])
@pytest.mark.parametrize("how", ["on-the-fly", "kept"])
def test_scores_are_those_of_a_dense_solve_in_numpy(solver, how):
    got = inf.influence(loss_fn, PARAMS, (X, Y), (XT, YT), solver=solver, l2=L2, gradients=how)
    assert_agree(got.scores, DENSE, 1e-8)
    assert got.info.describe() == ["converged"] * 6
    flat = trees.ravel_rows(got.s_test)
    expected = np.linalg.solve(hessian(X, Y, THETA, L2), gradients(XT, YT, THETA).T).T
    assert_agree(flat, expected, 1e-8)


def test_minus_n_times_a_score_is_the_derivative_of_the_test_loss_in_a_points_weight():
    got = scores(solver=Exact())
    for i in (0, 7, 23):
        after = []
        for eps in (1e-4, -1e-4):  # Koh and Liang add eps * loss_i to the mean loss
            weights = np.ones(40)
            weights[i] += 40 * eps
            after.append(losses(XT, YT, newton(X, Y, L2, weights)))
        derivative = (after[0] - after[1]) / 2e-4
        np.testing.assert_allclose(-40 * got[:, i], derivative, rtol=1e-5, atol=1e-6)  # O(eps^2)


@pytest.mark.parametrize("removal", ["fixed-weight", "refit-mean"])
def test_removing_the_most_helpful_point_raises_the_loss_and_the_most_harmful_lowers_it(removal):
    result = inf.influence(loss_fn, PARAMS, (X, Y), (XT, YT), l2=L2, removal=removal)
    before = losses(XT, YT, THETA)
    for t in range(6):
        for index, sign in ((result.helpful(1)[t, 0], 1), (result.harmful(1)[t, 0], -1)):
            weights = np.ones(40) * (40 / 39 if removal == "refit-mean" else 1)
            weights[index] = 0
            after = losses(XT, YT, newton(X, Y, L2, weights))
            assert sign * (after - before)[t] > 0
            assert sign * result.scores[t, index] > 0


def test_the_two_removals_each_estimate_their_own_refit_and_not_the_others():
    n, d, l2 = 1000, 20, 1.0
    x, y = logistic_data(n, d, 2, mean=0.2)
    xt, yt = logistic_data(5, d, 3, mean=0.2)
    assert 0.1 < (y < 0).mean() < 0.3  # unbalanced, so that l2 pulls against the data everywhere
    theta = newton(x, y, l2)
    chosen = np.arange(0, n, 25)
    real = {}
    for removal, rest in (("fixed-weight", 1.0), ("refit-mean", n / (n - 1))):
        real[removal] = np.zeros((5, len(chosen)))
        for column, i in enumerate(chosen):
            weights = np.full(n, rest)
            weights[i] = 0
            after = losses(xt, yt, newton(x, y, l2, weights))
            real[removal][:, column] = after - losses(xt, yt, theta)
    for removal in real:
        got = inf.influence(
            loss_fn, as_params(theta), (x, y), (xt, yt), l2=l2, removal=removal, solver=Exact()
        ).scores[:, chosen]
        assert_agree(got, real[removal], 0.01)
        for other in real:  # root mean squares: the difference is a constant for each test point
            error = np.linalg.norm(got - real[other]) / np.linalg.norm(real[other])
            assert error < 0.01 if other == removal else error > 0.10, (removal, other, error)


# Least squares, where leave-one-out is exact

RIDGE_L2 = 0.1
RX = np.random.default_rng(4).normal(size=(30, 4))
RY = RX @ np.arange(4.0) + np.random.default_rng(5).normal(size=30)
RXT = np.random.default_rng(6).normal(size=(5, 4))
RYT = np.random.default_rng(7).normal(size=5)
GRAM = RX.T @ RX + 30 * RIDGE_L2 * np.eye(4)
RIDGE = np.linalg.solve(GRAM, RX.T @ RY)
LEVERAGE = np.einsum("ij,ij->i", RX, np.linalg.solve(GRAM, RX.T).T)
WITHOUT = np.stack(  # each refit from its own normal equations
    [np.linalg.solve(GRAM - np.outer(x, x), RX.T @ RY - x * y) for x, y in zip(RX, RY, strict=True)]
)


def squared(theta, example):
    x, y = example
    return 0.5 * (x @ theta - y) ** 2


def prediction(theta, example):
    return example[0] @ theta


@pytest.mark.parametrize("solver", [CG(tol=1e-13), Exact()])
def test_for_ridge_the_influence_on_params_over_one_minus_leverage_is_exact(solver):
    assert LEVERAGE.max() > 0.2  # the correction matters
    moves = inf.influence_on_params(
        squared, RIDGE, (RX, RY), np.arange(30), l2=RIDGE_L2, solver=solver
    )
    assert_agree(moves / (1 - LEVERAGE)[:, None], WITHOUT - RIDGE, 1e-10)


def test_for_ridge_scores_of_a_prediction_over_one_minus_leverage_are_exact():
    change = RXT @ (WITHOUT - RIDGE).T  # (5, 30)
    got = inf.influence(
        squared,
        RIDGE,
        (RX, RY),
        (RXT, RYT),
        l2=RIDGE_L2,
        solver=Exact(),
        test_loss_fn=prediction,
    )
    assert_agree(got.scores / (1 - LEVERAGE), change, 1e-10)
    assert "test_loss_fn" in got.convention


def test_for_ridge_scores_of_the_squared_loss_miss_half_the_squared_change_of_prediction():
    change = RXT @ (WITHOUT - RIDGE).T
    residual = (RXT @ RIDGE - RYT)[:, None]
    exact = 0.5 * (residual + change) ** 2 - 0.5 * residual**2
    got = inf.influence(squared, RIDGE, (RX, RY), (RXT, RYT), l2=RIDGE_L2, solver=Exact()).scores
    assert_agree(got / (1 - LEVERAGE) + 0.5 * change**2, exact, 1e-10)


# --------------------------------------------------------------------------------------
# The halves, and the diagonal
# --------------------------------------------------------------------------------------


@pytest.mark.parametrize("removal", ["fixed-weight", "refit-mean"])
def test_scores_are_s_test_times_grad_z_over_n(removal):
    s, info = inf.s_test(loss_fn, PARAMS, (X, Y), (XT, YT), l2=L2)
    g = inf.grad_z(loss_fn, PARAMS, (X, Y), l2=L2, removal=removal)
    assert s["w"].shape == (6, 3) and g["b"].shape == (40,)
    expected = trees.ravel_rows(s) @ trees.ravel_rows(g).T / 40
    assert_agree(scores(removal=removal), expected, 1e-12)
    plain = gradients(X, Y, THETA) + (removal == "refit-mean") * L2 * THETA
    np.testing.assert_allclose(trees.ravel_rows(g), plain, atol=1e-14)


@pytest.mark.parametrize("removal", ["fixed-weight", "refit-mean"])
@pytest.mark.parametrize("solver", [CG(), Exact()])
def test_self_influence_is_the_diagonal_of_the_scores_of_the_training_set(removal, solver):
    options = dict(l2=L2, removal=removal, solver=solver)
    got = inf.self_influence(loss_fn, PARAMS, (X, Y), **options)
    assert_agree(got, np.diag(scores(test=(X, Y), **options)), 1e-9)
    assert removal == "refit-mean" or np.all(got > 0)


def test_influence_on_params_is_a_solve_for_each_index_in_the_order_asked():
    indices = np.array([5, 0, 39, 5])
    expected = np.linalg.solve(hessian(X, Y, THETA, L2), gradients(X, Y, THETA).T).T / 40
    moves = inf.influence_on_params(loss_fn, PARAMS, (X, Y), indices, l2=L2)
    assert_agree(trees.ravel_rows(moves), expected[indices], 1e-9)
    none = inf.influence_on_params(loss_fn, PARAMS, (X, Y), [], l2=L2)
    assert none["w"].shape == (0, 3)
    moves = inf.influence_on_params(loss_fn, PARAMS, (X, Y), [3], l2=L2, removal="refit-mean")
    shift = np.linalg.solve(hessian(X, Y, THETA, L2), L2 * THETA) / 40
    assert_agree(trees.ravel_rows(moves)[0], expected[3] + shift, 1e-9)


# --------------------------------------------------------------------------------------
# Options
# --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("batch_size", "how"), [(1, "kept"), (7, "on-the-fly"), (7, "kept"), (64, "on-the-fly")]
)
def test_the_block_size_changes_nothing(batch_size, how):
    assert_agree(scores(batch_size=batch_size, gradients=how), DENSE, 1e-8)


def test_many_test_points_in_several_blocks_are_the_same_as_a_few(monkeypatch):
    monkeypatch.setattr(CG, "solved_at_once", lambda self, p: 4)  # 6 test points: blocks of 3
    assert_agree(scores(), DENSE, 1e-8)
    params, train = as_params(newton(X[:39], Y[:39], L2)), (X[:39], Y[:39])
    blocks = inf.self_influence(loss_fn, params, train, l2=L2)  # 39 = 9 blocks of 4 and one of 3
    monkeypatch.setattr(CG, "solved_at_once", lambda self, p: 100)
    assert_agree(blocks, inf.self_influence(loss_fn, params, train, l2=L2), 1e-9)


def test_damping_means_the_same_in_both_solvers_and_is_no_part_of_the_fit():
    H = hessian(X, Y, THETA, L2) + 0.3 * np.eye(4)
    expected = gradients(XT, YT, THETA) @ np.linalg.solve(H, gradients(X, Y, THETA).T) / 40
    for solver in (CG(), Exact()):
        got = inf.influence(loss_fn, PARAMS, (X, Y), (XT, YT), solver=solver, l2=L2, damping=0.3)
        assert_agree(got.scores, expected, 1e-8)
        assert "damped (proximal) response with damping 0.3" in got.convention


def test_l2_may_leave_the_bias_free():
    H = hessian(X, Y, THETA, L2) - np.diag([L2, 0, 0, 0])
    g = gradients(X, Y, THETA) + np.array([0, 1, 1, 1]) * L2 * THETA
    expected = gradients(XT, YT, THETA) @ np.linalg.solve(H, g.T) / 40
    with pytest.warns(RuntimeWarning, match="not at an optimum"):  # the fit penalised the bias
        got = scores(l2={"w": L2, "b": 0.0}, removal="refit-mean")
    assert_agree(got, expected, 1e-8)


def test_selected_leaves_count_and_the_others_are_constants():
    H = hessian(X, Y, THETA, L2)[1:, 1:]
    g, gt = gradients(X, Y, THETA)[:, 1:], gradients(XT, YT, THETA)[:, 1:]
    result = inf.influence(
        loss_fn, PARAMS, (X, Y), (XT, YT), l2=L2, select=lambda path: path == "w"
    )
    assert_agree(result.scores, gt @ np.linalg.solve(H, g.T) / 40, 1e-8)
    assert result.s_test["b"] is None and result.s_test["w"].shape == (6, 3)
    assert "selected params alone" in result.convention
    with pytest.raises(ValueError, match="select must choose at least one of b, w"):
        scores(select=lambda path: path == "weights")


def test_gauss_newton_is_the_hessian_for_a_linear_model_and_needs_a_composed_loss():
    composed = compose(predict, criterion)
    for select, expected in ((None, DENSE), (lambda path: path == "w", None)):
        options = dict(l2=L2, select=select)
        got = inf.influence(composed, PARAMS, (X, Y), (XT, YT), curvature="ggn", **options)
        assert_agree(got.scores, scores(select=select) if expected is None else expected, 1e-8)
        assert "Gauss-Newton" in got.convention
    with pytest.raises(TypeError, match=r"curvature='ggn' needs a loss_fn made by compose"):
        scores(curvature="ggn")


def test_a_measured_quantity_may_have_data_of_its_own():
    margin = lambda params, x: predict(params, x)
    got = scores(test=XT, test_loss_fn=margin)
    solved = np.linalg.solve(hessian(X, Y, THETA, L2), gradients(X, Y, THETA).T)
    assert_agree(got, with_bias(XT) @ solved / 40, 1e-8)


def test_the_number_of_solves_follows_the_test_points_down_to_none():
    result = inf.influence(loss_fn, PARAMS, (X, Y), (XT[:0], YT[:0]), l2=L2)
    assert result.scores.shape == (0, 40) and result.helpful(3).shape == (0, 3)
    assert result.s_test["w"].shape == (0, 3) and result.info.converged.shape == (0,)
    one = np.asarray(scores(train=(X[:1], Y[:1]), params=as_params(newton(X[:1], Y[:1], L2))))
    assert one.shape == (6, 1) and np.all(np.isfinite(one))


def test_progress_is_silent_unless_asked_for(capfd):
    scores()
    assert capfd.readouterr() == ("", "")
    scores(progress=True)
    assert "test points solved: 100%" in capfd.readouterr().err


def test_a_second_call_of_the_same_shapes_compiles_nothing():
    options = dict(solver=CG(tol=1e-9), damping=0.01)
    first = scores(**options)
    before = TRACES["loss_fn"]
    again = scores(train=(X[::-1], Y[::-1]), **options)
    assert_agree(again, first[:, ::-1], 1e-8)
    other = as_params(newton(X, Y, 2 * L2))  # numbers are arguments and no constants
    scores(params=other, **options | {"damping": 0.02, "l2": 2 * L2})
    assert TRACES["loss_fn"] == before > 0


# --------------------------------------------------------------------------------------
# The result
# --------------------------------------------------------------------------------------


def result_with(table):
    table = np.asarray(table)
    info = inf.SolveInfo(*(np.zeros(len(table)) for _ in inf.SolveInfo._fields))
    nothing = np.zeros((len(table), 1))
    return inf.Influence(table, {"w": nothing}, info, "words", np.ones(len(table)))


def test_rankings_are_integers_with_ties_by_index_and_k_capped_at_n():
    result = result_with([[0.0, 2, -1, 2], [1, 1, 1, 1]])
    np.testing.assert_array_equal(result.helpful(2), [[1, 3], [0, 1]])
    np.testing.assert_array_equal(result.harmful(2), [[2, 0], [0, 1]])
    many = result_with(np.tile([0.0, 1.0], (1, 100)))
    np.testing.assert_array_equal(many.helpful(100)[0], np.arange(1, 200, 2))
    assert result.helpful(9).shape == (2, 4) and result.helpful(0).shape == (2, 0)
    assert np.issubdtype(result.helpful(1).dtype, np.integer)
    with pytest.raises(ValueError, match="k must not be negative, got -1"):
        result.helpful(-1)


def test_a_row_of_nan_has_no_ranking():
    result = result_with([[np.nan, np.nan], [1, 2]])
    np.testing.assert_array_equal(result.helpful(1), [[-1], [1]])
    np.testing.assert_array_equal(result.harmful(1), [[-1], [0]])


def test_a_saved_result_comes_back_whole_and_without_pickle(tmp_path):
    result = inf.influence(loss_fn, PARAMS, (X, Y), (XT, YT), l2=L2)
    result.save(tmp_path / "scores.npz")
    with np.load(tmp_path / "scores.npz", allow_pickle=False) as file:
        assert "scores" in file
    back = inf.Influence.load(tmp_path / "scores.npz")
    np.testing.assert_array_equal(back.scores, result.scores)
    jax.tree.map(np.testing.assert_array_equal, back.s_test, result.s_test)
    jax.tree.map(np.testing.assert_array_equal, back.info, result.info)
    assert back.convention == result.convention
    assert back.info.describe() == result.info.describe()


def test_the_convention_says_which_refit_is_estimated():
    sentences = {
        removal: inf.influence(loss_fn, PARAMS, (X, Y), (XT, YT), l2=L2, removal=removal).convention
        for removal in ("fixed-weight", "refit-mean")
    }
    for removal, sentence in sentences.items():
        assert removal in sentence and "positive means helpful" in sentence
        assert "damp" not in sentence and sentence.count(".") == 1


def test_the_example_of_the_readme_runs():
    from course_utils import CG, influence

    got = influence(
        loss_fn, PARAMS, (X, Y), (XT, YT), solver=CG(tol=1e-10), l2=L2, removal="fixed-weight"
    ).scores
    assert_agree(got, DENSE, 1e-8)


# --------------------------------------------------------------------------------------
# Bad input: a clear error, and nothing lost
# --------------------------------------------------------------------------------------


def spoiled(x, value=np.nan):
    x = np.array(x)
    x.flat[1] = value
    return x


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_what_is_not_finite_is_refused_by_the_name_of_its_leaf(bad):
    with pytest.raises(ValueError, match=r"NaN or infinity in params\['w'\]$"):
        scores(params={**PARAMS, "w": spoiled(PARAMS["w"], bad)})
    with pytest.raises(ValueError, match=r"NaN or infinity in train\[0\]$"):
        scores(train=(spoiled(X, bad), Y))
    with pytest.raises(ValueError, match=r"NaN or infinity in test\[1\]$"):
        scores(test=(XT, spoiled(YT, bad)))


def test_gradients_that_are_not_finite_are_refused_before_any_solve():
    root = lambda params, example: jnp.sqrt(jnp.abs(example[0] @ params["w"])) + params["b"]
    with pytest.raises(ValueError, match=r"infinity in the gradient of loss_fn in params\['w'\]$"):
        inf.influence(root, PARAMS, (0 * X, Y), (XT, YT))
    with pytest.raises(ValueError, match=r"the gradient of test_loss_fn in params\['w'\]$"):
        scores(test=(0 * XT, YT), test_loss_fn=root)
    with pytest.raises(ValueError, match=r"the gradient of loss_fn in params\['w'\]$"):
        inf.grad_z(root, PARAMS, (0 * X, Y))


def test_wrong_trees_shapes_and_dtypes_are_refused_with_both():
    with pytest.raises(ValueError, match="test must match train: got PyTreeDef.*expected PyTree"):
        scores(test=XT)
    with pytest.raises(
        ValueError, match=r"test\[0\] is float64\[2\] per example, expected float64"
    ):
        scores(test=(XT[:, :2], YT))
    with pytest.raises(ValueError, match=r"test\[1\] is int64\[\] per example, expected float64"):
        scores(test=(XT, YT.astype(int)))
    with pytest.raises(ValueError, match=r"train\[0\] has 40 examples, but train\[1\] has 39"):
        scores(train=(X, Y[:39]))
    with pytest.raises(ValueError, match=r"params\['w'\] is int64\[3\], expected a floating-point"):
        scores(params={**PARAMS, "w": np.arange(3)})
    with pytest.raises(ValueError, match=r"loss of one example must be a scalar, got shape \(3,\)"):
        inf.influence(lambda p, z: z[0] * p["w"], PARAMS, (X, Y), (XT, YT))
    with pytest.raises(ValueError, match="l2 must be a number or a tree prefix"):
        scores(l2={"weights": 1.0})


def test_numbers_out_of_range_are_refused():
    with pytest.raises(ValueError, match="damping must be finite and at least 0, got -1"):
        scores(damping=-1)
    with pytest.raises(ValueError, match="damping must be finite and at least 0, got '0.1'"):
        scores(damping="0.1")
    with pytest.raises(ValueError, match=r"l2\['b'\] must be finite and at least 0, got -0.5"):
        scores(l2={"w": 0.0, "b": -0.5})
    with pytest.raises(ValueError, match="batch_size must be None or a positive whole number"):
        scores(batch_size=0)
    with pytest.raises(ValueError, match="indices must lie in 0 to 39, got 0 to 40"):
        inf.influence_on_params(loss_fn, PARAMS, (X, Y), [0, 40], l2=L2)
    with pytest.raises(ValueError, match="indices must be whole numbers"):
        inf.influence_on_params(loss_fn, PARAMS, (X, Y), [0.5], l2=L2)


def test_too_few_training_points_are_refused():
    with pytest.raises(
        ValueError, match="'refit-mean' needs at least two training examples, got 1"
    ):
        scores(train=(X[:1], Y[:1]), removal="refit-mean")
    with pytest.raises(ValueError, match="needs at least a training example, got 0"):
        scores(train=(X[:0], Y[:0]))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (dict(removal="leave-one-out"), "removal must be 'fixed-weight' or 'refit-mean', got"),
        (dict(curvature="fisher"), "curvature must be 'hessian' or 'ggn', got 'fisher'"),
        (dict(gradients="all"), "gradients must be 'on-the-fly', 'kept' or 'auto', got 'all'"),
        (
            dict(solver="cg"),
            r"solver must be CG\(...\), .* or Exact\(\), got 'cg'",
        ),
        (
            dict(solver=CG),
            r"solver must be CG\(...\), .* or Exact\(\), got",
        ),
        (dict(devices=8), "unexpected keyword argument 'devices'"),
        (dict(depth=5), "unexpected keyword argument 'depth'"),
    ],
)
def test_an_option_that_is_unknown_is_a_type_error_that_names_it(options, words):
    with pytest.raises(TypeError, match=words):
        scores(**options)


def test_an_option_that_a_solver_does_not_use_is_a_type_error_that_names_it():
    with pytest.raises(TypeError, match="unexpected keyword argument 'tol'"):
        Exact(tol=1e-3)
    with pytest.raises(TypeError, match="unexpected keyword argument 'recursion_depth'"):
        CG(recursion_depth=5)
    with pytest.raises(TypeError, match="unexpected keyword argument 'maxiter'"):
        LiSSA(maxiter=5)


def only_warning(call):
    """The result of ``call`` and the one warning that it must give, aimed at this file."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        result = call()
    assert len(caught) == 1 and caught[0].category is RuntimeWarning
    assert caught[0].filename == __file__
    return result, str(caught[0].message)


def saddle(params, example):
    """Curvature +1 along a, -0.5 along b, and a gradient of zero in the mean."""
    return 0.5 * params["a"] ** 2 - 0.25 * params["b"] ** 2 + example @ trees.ravel(params)


SADDLE = {"a": jnp.zeros(()), "b": jnp.zeros(())}
PULLS = np.array([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]])  # their mean is zero


def test_rows_whose_matrix_is_indefinite_are_nan_and_the_advised_damping_cures_them():
    call = lambda **options: inf.influence(saddle, SADDLE, PULLS, PULLS[:3], **options)
    result, words = only_warning(call)
    assert result.info.describe() == ["converged", "converged", "indefinite"]
    assert np.isnan(result.scores[2]).all() and np.isnan(result.s_test["b"][2])
    np.testing.assert_allclose(result.scores[0], [0.25, -0.25, 0, 0], atol=1e-12)  # nothing lost
    assert re.search(r"^test points 2: .* not positive definite \(curvature -0.5 met\)", words)
    damping = float(re.search(r"raising damping by (\S+) cures it", words)[1])
    assert 0.5 < damping < 0.56
    cured = call(damping=damping)
    assert cured.info.converged.all() and np.isfinite(cured.scores).all()
    with pytest.raises(ValueError, match="indefinite: its smallest eigenvalue is -0.5; raising"):
        call(solver=Exact())
    (s, info), words = only_warning(lambda: inf.s_test(saddle, SADDLE, PULLS, PULLS[:3]))
    assert np.isnan(s["b"][2]) and "not positive definite" in words


def test_a_singular_matrix_is_refused_by_the_exact_solver_with_its_smallest_eigenvalue():
    twin = np.c_[X, X[:, 0]]  # two equal columns and no penalty
    params = as_params(np.r_[newton(X, Y, 0.0), 0.0])
    with pytest.raises(ValueError, match=r"singular: its smallest eigenvalue is -?\d.*damping"):
        inf.influence(loss_fn, params, (twin, Y), (np.c_[XT, XT[:, 0]], YT), solver=Exact())


def test_a_solve_that_turns_infinite_is_nan_and_named():
    # finite gradients, and a second derivative that overflows where the example says so
    cliff = lambda p, z: 0.5 * p**2 + z[0] * p + jnp.where(z[1] > 0, p, 0.0) ** 1.5
    data = np.array([[1.0, 1.0], [-1.0, 0.0]])
    result, words = only_warning(lambda: inf.influence(cliff, jnp.zeros(()), data, data))
    assert np.isnan(result.scores).all() and "non-finite" in words
    assert words.startswith("test points 0, 1: the solve is non-finite")


def test_running_out_of_steps_keeps_the_scores_and_warns_with_the_residual():
    call = lambda: inf.influence(loss_fn, PARAMS, (X, Y), (XT, YT), l2=L2, solver=CG(maxiter=1))
    result, words = only_warning(call)
    assert not result.info.converged.any() and np.isfinite(result.scores).all()
    flat = np.asarray(trees.ravel_rows(result.s_test))
    g = gradients(XT, YT, THETA)
    residual = np.linalg.norm(flat @ hessian(X, Y, THETA, L2) - g, axis=1)
    np.testing.assert_allclose(result.info.residual_norm, residual, rtol=1e-6)
    worst = (residual / np.linalg.norm(g, axis=1)).max()
    assert f"relative residual of up to {worst:.2g}" in words and "maxiter" in words
    assert words.startswith("test points 0, 1, 2, 3, 4 and 1 more: not converged")


def test_params_off_the_optimum_are_warned_of_once_with_both_numbers():
    away = as_params(THETA + 0.1)
    gradient = np.linalg.norm(gradients(X, Y, THETA + 0.1).mean(axis=0) + L2 * (THETA + 0.1))
    typical = np.linalg.norm(gradients(X, Y, THETA + 0.1), axis=1).mean()
    assert gradient > 1e-3 * typical
    _, words = only_warning(lambda: inf.influence(loss_fn, away, (X, Y), (XT, YT), l2=L2))
    assert "not at an optimum" in words and f"{gradient:.3g}" in words and f"{typical:.3g}" in words
    near = as_params(THETA + 1e-6)
    inf.influence(loss_fn, near, (X, Y), (XT, YT), l2=L2)  # no warning


@pytest.mark.parametrize("half", [jnp.float16, jnp.bfloat16])
def test_half_precision_is_computed_and_returned_in_float32(half):
    to = lambda tree, dtype: jax.tree.map(lambda leaf: jnp.asarray(leaf, dtype), tree)
    narrow = [to(tree, half) for tree in (PARAMS, (X, Y), (XT, YT))]
    single = [to(tree, jnp.float32) for tree in narrow]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # rounded params are no optimum
        got = inf.influence(loss_fn, *narrow, l2=L2)
        expected = inf.influence(loss_fn, *single, l2=L2)
    assert got.scores.dtype == np.float32 and got.s_test["w"].dtype == jnp.float32
    assert_agree(got.scores, expected.scores, 1e-6)


def test_products_in_blocks_hold_no_more_than_a_block_of_gradients():
    """The compiled program's scratch memory, on a problem whose n x p matrix would take 51 MB."""
    n, p, batch = 8000, 800, 100
    params = jnp.zeros(p)
    loss = lambda w, z: jax.nn.softplus(z @ w)
    setting = _compiled.Setting(loss, "hessian", batch, (True,))
    point = _compiled.Point(params, jnp.zeros((n, p)), 0.1, 0.0)
    s = jnp.zeros((2, p))
    for kept in (True, False):
        compiled = inf._scores.lower(setting, kept, point, s, params, n).compile()
        assert compiled.memory_analysis().temp_size_in_bytes < 8 * n * p / 10
    matvec = jax.jit(lambda train, v: hessian_mvp(loss, params, train, batch_size=batch)(v))
    memory = matvec.lower(point.train, params).compile().memory_analysis()
    assert memory.temp_size_in_bytes < 8 * n * p / 10


def test_everything_compiled_asks_for_the_highest_matmul_precision():
    setting = _compiled.Setting(loss_fn, "hessian", None, (True, True))
    blocks = _compiled.Setting(loss_fn, "hessian", 7, (True, True))
    point = _compiled.Point(PARAMS, (X, Y), {"w": L2, "b": L2}, 0.1)
    rows = trees.zero_rows(PARAMS, 2)
    found = lambda solver: _compiled.prepare(solver, blocks, point)
    arguments = {  # from values, before anything is traced
        solver: solver.arguments(found(solver) if solver.needs_preparation() else None)
        for solver in (CG(), Exact(), LiSSA(num_samples=2))
    }
    solve = lambda solver: _compiled.solve(solver, blocks, point, arguments[solver], rows)
    compiled = {
        "survey": lambda: _compiled.survey(setting, point),
        "gradients": lambda: _compiled.gradients(setting, loss_fn, PARAMS, (XT, YT), PARAMS),
        "prepare": lambda: found(Exact()),
        "cg": lambda: solve(CG()),
        "exact": lambda: solve(Exact()),
        "lissa": lambda: solve(LiSSA(num_samples=2)),
        "scale": lambda: found(LiSSA()),
        "kept": lambda: inf._scores(setting, True, point, rows, PARAMS, 24),
        "on-the-fly": lambda: inf._scores(setting, False, point, rows, PARAMS, 24),
    }
    for name, call in compiled.items():
        text = str(jax.make_jaxpr(call)())
        assert text.count("dot_general") > 0, name
        assert text.count("dot_general") == text.count("HIGHEST, Precision.HIGHEST"), name


FLOAT32 = """
import sys
import jax, jax.numpy as jnp, numpy as np
from sklearn.datasets import load_breast_cancer
from course_utils import CG, Exact, influence, trees

X, y = load_breast_cancer(return_X_y=True)
X, y = (X - X.mean(0)) / X.std(0), 2.0 * y - 1
l2, n, theta = 0.01, 450, np.zeros(30)
A, s = X[:n], y[:n]
for _ in range(30):  # Newton, in NumPy's float64
    q = 1 / (1 + np.exp(s * (A @ theta)))
    H = (A * (q * (1 - q))[:, None]).T @ A / n + l2 * np.eye(30)
    theta -= np.linalg.solve(H, -A.T @ (s * q) / n + l2 * theta)
g = lambda X, y: -(y / (1 + np.exp(y * (X @ theta))))[:, None] * X
dense = g(X[n:], y[n:]) @ np.linalg.solve(H, g(A, s).T) / n
error = lambda got: np.abs(got - dense).max() / np.abs(dense).max()

loss = lambda w, z: jax.nn.softplus(-z[1] * (z[0] @ w))
single = lambda *arrays: tuple(a.astype(np.float32) for a in arrays)
args = loss, theta.astype(np.float32), single(A, s), single(X[n:], y[n:])
results = {
    (type(solver).__name__, how): influence(*args, solver=solver, l2=l2, gradients=how).scores
    for solver in (CG(), Exact()) for how in ("kept", "on-the-fly")
}
for name, got in results.items():
    assert got.dtype == np.float32 and error(got) < 1e-4, (name, error(got))
a, b = results["CG", "kept"], results["CG", "on-the-fly"]
assert np.abs(a - b).max() <= 1e-5 * np.abs(a).max()
"""


def test_in_float32_both_solvers_and_both_gradient_paths_agree_with_a_dense_float64_solve():
    subprocess.run([sys.executable, "-W", "error", "-c", FLOAT32], check=True)


def test_a_warning_of_influence_on_params_names_training_points_not_positions():
    def loss(p, z):  # z[0] or z[1] chooses a coordinate whose curvature is positive or negative
        return 0.5 * z[0] * p[0] ** 2 - 0.5 * z[1] * p[1] ** 2 + z[2] * p[0] + z[3] * p[1]

    flat, along = np.ones(6), np.array([0, 1.0, -1.0, 0, 0, 0])
    data = (flat, flat, flat, along)
    with pytest.warns(RuntimeWarning, match="^training points 1, 2: the matrix is not positive"):
        moves = inf.influence_on_params(loss, jnp.array([-1.0, 0.0]), data, [5, 1, 0, 2])
    assert np.isnan(moves).any(axis=1).tolist() == [False, True, False, True]


@pytest.mark.parametrize("content", [b"words", b"", b"PK\x03\x04 cut short"])
def test_load_refuses_what_save_has_not_written(tmp_path, content):
    path = tmp_path / "other.npz"
    path.write_bytes(content)
    with pytest.raises(ValueError, match="other.npz was not written by Influence.save"):
        inf.Influence.load(path)


def test_load_says_that_a_file_is_missing(tmp_path):
    with pytest.raises(FileNotFoundError):
        inf.Influence.load(tmp_path / "none.npz")


# --------------------------------------------------------------------------------------
# LiSSA
# --------------------------------------------------------------------------------------


def test_lissa_agrees_with_the_dense_solve_as_its_noise_allows():
    setting = LiSSA(recursion_depth=4000, batch_size=8, num_samples=4)
    got = inf.influence(loss_fn, PARAMS, (X, Y), (XT, YT), l2=L2, solver=setting)
    assert_agree(got.scores, DENSE, 0.1)
    again = inf.influence(loss_fn, PARAMS, (X, Y), (XT, YT), l2=L2, solver=setting)
    np.testing.assert_array_equal(got.scores, again.scores)  # a seed is a result
    assert got.info.converged.all() and (got.info.num_steps == 4000).all()
    # the certificate is of all data: the residual of the solution that was returned
    H = hessian(X, Y, THETA, L2)
    s = np.c_[got.s_test["b"], got.s_test["w"]]
    residual = np.linalg.norm(gradients(XT, YT, THETA) - s @ H, axis=1)
    np.testing.assert_allclose(got.info.residual_norm, residual, rtol=1e-6)
    other = scores(solver=LiSSA(recursion_depth=4000, batch_size=8, num_samples=4, seed=1))
    assert not np.array_equal(other, got.scores)
    assert_agree(other, DENSE, 0.1)


def test_damping_means_the_same_to_every_solver():
    """T3: the popular recursion would damp by scale * damping."""
    damped = hessian(X, Y, THETA, L2) + 0.5 * np.eye(4)
    train_gradients = gradients(X, Y, THETA).T
    dense = gradients(XT, YT, THETA) @ np.linalg.solve(damped, train_gradients) / len(X)
    for solver in (Exact(), CG()):
        assert_agree(scores(solver=solver, damping=0.5), dense, 1e-8)
    for scale in (5.0, 10.0, 25.0):
        setting = LiSSA(scale=scale, recursion_depth=4000, batch_size=64)
        assert_agree(scores(solver=setting, damping=0.5), dense, 0.05)


def test_a_short_lissa_warns_of_its_residual_and_keeps_its_rows():
    setting = LiSSA(recursion_depth=10, batch_size=8)
    result, words = only_warning(
        lambda: inf.influence(loss_fn, PARAMS, (X, Y), (XT, YT), l2=L2, solver=setting)
    )
    worst = max(result.info.residual_norm / np.linalg.norm(gradients(XT, YT, THETA), axis=1))
    assert re.search(r"not converged \(maxiter\) after 10 steps, with a relative residual", words)
    np.testing.assert_allclose(float(re.search(r"up to (\S+);", words)[1]), worst, rtol=0.06)
    assert np.isfinite(result.scores).all()


def test_a_lissa_that_diverges_gives_nan_and_names_a_scale_that_cures_it():
    call = lambda scale: inf.influence(
        loss_fn,
        PARAMS,
        (X, Y),
        (XT, YT),
        l2=L2,
        solver=LiSSA(scale=scale, recursion_depth=5000, num_samples=8),
    )
    result, words = only_warning(lambda: call(0.05))
    assert np.isnan(result.scores).all() and (result.info.num_steps < 5000).all()
    assert result.info.describe() == ["diverged"] * 6
    advised = float(re.search(r"raise scale above (\S+), 1.1 times the largest", words)[1])
    q = 1 / (1 + np.exp(Y * (with_bias(X) @ THETA)))
    largest = (q * (1 - q) * (with_bias(X) ** 2).sum(axis=1)).max() + L2  # of one example
    np.testing.assert_allclose(advised, 1.1 * largest, rtol=0.01)
    assert_agree(call(1.01 * advised).scores, DENSE, 0.2)


def test_a_lissa_that_diverges_on_an_indefinite_matrix_names_the_damping():
    setting = LiSSA(scale=2.0, recursion_depth=2000)
    result, words = only_warning(
        lambda: inf.influence(saddle, SADDLE, PULLS, PULLS[:3], solver=setting)
    )
    assert result.info.describe() == ["converged", "converged", "diverged"]
    damping = float(
        re.search(r"not positive definite \(curvature -0.5\): raise damping by (\S+)", words)[1]
    )
    cured = inf.influence(saddle, SADDLE, PULLS, PULLS[:3], solver=setting, damping=2 * damping)
    assert np.isfinite(cured.scores).all()


def test_the_advised_scale_cures_also_where_outliers_are_rare():
    rng = np.random.default_rng(11)
    A = rng.normal(size=(1000, 4))
    A[:15] *= 60  # 64 sampled batches of one miss them in one run of three
    y = A @ np.ones(4) + rng.normal(size=1000)
    loss = lambda p, z: 0.5 * (z[0] @ p - z[1]) ** 2
    theta = np.linalg.solve(A.T @ A / 1000 + 0.01 * np.eye(4), A.T @ y / 1000)
    call = lambda **options: inf.influence(
        *(loss, theta, (A, y), (A[100:103], y[100:103])), l2=0.01, solver=LiSSA(**options)
    )
    _, words = only_warning(lambda: call(scale=0.5))
    advised = float(re.search(r"raise scale above (\S+), 1.1 times the largest", words)[1])
    np.testing.assert_allclose(advised, 1.1 * ((A**2).sum(axis=1).max() + 0.01), rtol=0.01)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it is slow, but it does not diverge
        assert np.isfinite(call(scale=1.01 * advised).scores).all()


def test_another_lissa_of_the_same_shapes_compiles_nothing():
    call = lambda **options: inf.influence(
        *(loss_fn, PARAMS, (X, Y), (XT, YT)), l2=L2, solver=LiSSA(tol=1.0, **options)
    )
    call()
    before = TRACES["loss_fn"]
    for options in (dict(recursion_depth=300), dict(seed=3), dict(average=0.0)):
        call(**options)
    call(scale=20.0)
    call(scale=30.0, recursion_depth=77)
    assert TRACES["loss_fn"] == before
    for solver in (CG(tol=1e-3), CG(maxiter=50), CG(tol=1e-8, maxiter=40)):
        inf.influence(loss_fn, PARAMS, (X, Y), (XT, YT), l2=L2, solver=solver)
    first = TRACES["loss_fn"]
    inf.influence(loss_fn, PARAMS, (X, Y), (XT, YT), l2=L2, solver=CG(tol=1e-7))
    assert TRACES["loss_fn"] == first


# --------------------------------------------------------------------------------------
# The one-step correction
# --------------------------------------------------------------------------------------

COMPOSED = compose(predict, criterion)


def test_the_correction_is_one_newton_step_of_the_refit():
    H, g = hessian(X, Y, THETA, L2), gradients(X, Y, THETA)
    q = 1 / (1 + np.exp(Y * (with_bias(X) @ THETA)))
    n, indices = len(X), np.array([7, 0, 39])
    for removal in ("fixed-weight", "refit-mean"):
        moves = inf.influence_on_params(
            COMPOSED, PARAMS, (X, Y), indices, l2=L2, removal=removal, corrected=True
        )
        for i, got in zip(indices, np.c_[moves["b"], moves["w"]]):
            x = with_bias(X)[i]
            without = H - q[i] * (1 - q[i]) * np.outer(x, x) / n
            pull = g[i]
            if removal == "refit-mean":
                without, pull = without - L2 / n * np.eye(4), pull + L2 * THETA
            np.testing.assert_allclose(got, np.linalg.solve(without, pull / n), rtol=1e-7)


def test_the_correction_is_exact_for_least_squares_under_both_removals():
    A, y = X, XT[0, 0] + X @ np.array([1.0, -1.0, 0.5]) + np.sin(np.arange(40))
    loss = compose(lambda p, x: x @ p, lambda z, y: 0.5 * (z - y) ** 2)
    ridge = lambda A, y, n, l2: np.linalg.solve(A.T @ A / n + l2 * np.eye(3), A.T @ y / n)
    full, indices = ridge(A, y, 40, L2), np.arange(40)
    for removal, n in (("fixed-weight", 40), ("refit-mean", 39)):
        got = inf.influence_on_params(
            loss, full, (A, y), indices, l2=L2, removal=removal, corrected=True, solver=Exact()
        )
        for i in indices:
            refit = ridge(np.delete(A, i, 0), np.delete(y, i), n, L2)
            np.testing.assert_allclose(got[i], refit - full, atol=1e-12)


@pytest.mark.slow
def test_the_correction_of_several_outputs_takes_damping_select_and_blocks():
    rng = np.random.default_rng(5)
    A, y = rng.normal(size=(21, 3)), rng.integers(0, 3, 21)
    parts = lambda p, x: jnp.tanh(x @ p["w"]) @ p["v"], lambda z, y: -jax.nn.log_softmax(z)[y]
    loss = compose(*parts)
    params = {"w": rng.normal(size=(3, 4)), "v": rng.normal(size=(4, 3))}
    options = dict(l2=0.1, damping=0.3, curvature="ggn", select=lambda path: path == "v")
    free = lambda v: {**params, "v": v}
    matrix = np.zeros((12, 12))
    each, slopes = [], []
    for example in zip(A, y):
        J = np.reshape(jax.jacobian(lambda v: parts[0](free(v), example[0]))(params["v"]), (3, 12))
        z = parts[0](params, example[0])
        each.append(J.T @ jax.hessian(lambda z: parts[1](z, example[1]))(z) @ J / 21)
        slopes.append(np.ravel(jax.grad(lambda v: loss(free(v), example))(params["v"])) / 21)
    matrix = sum(each) + 0.4 * np.eye(12)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # not an optimum
        got = inf.influence_on_params(
            loss, params, (A, y), np.arange(21), corrected=True, solver=CG(tol=1e-12), **options
        )
    assert got["w"] is None
    expected = [np.linalg.solve(matrix - E, g) for E, g in zip(each, slopes)]
    np.testing.assert_allclose(np.reshape(got["v"], (21, 12)), expected, rtol=1e-7, atol=1e-12)


@pytest.mark.parametrize("l2", [1, True, np.int64(1), np.float32(1), 1.0, jnp.ones(())])
def test_l2_is_a_number_of_whatever_type(l2):
    loss = compose(lambda p, x: x @ p, lambda z, y: 0.5 * (z - y) ** 2)
    ridge = lambda A, y: np.linalg.solve(A.T @ A / len(y) + np.eye(3), A.T @ y / len(y))
    full = ridge(X, Y)
    got = inf.influence_on_params(
        loss, full, (X, Y), [5], l2=l2, removal="refit-mean", corrected=True, solver=Exact()
    )
    np.testing.assert_allclose(got[0], ridge(np.delete(X, 5, 0), np.delete(Y, 5)) - full, rtol=1e-9)


def test_a_refit_that_nothing_determines_is_nan_and_named():
    A = np.array([[1.0, 0], [2, 0], [3, 0], [0, 1]])  # the last point alone holds the second weight
    y = np.array([1.0, 2.5, 2.8, 7])
    loss = compose(lambda p, x: x @ p, lambda z, y: 0.5 * (z - y) ** 2)
    theta = np.linalg.lstsq(A, y, rcond=None)[0]
    moves, words = only_warning(
        lambda: inf.influence_on_params(loss, theta, (A, y), [3, 0], corrected=True)
    )
    assert np.isnan(moves[0]).all() and np.isfinite(moves[1]).all()
    assert words.startswith(
        "training points 3: without them the fit is not determined (leverage 1)"
    )


def test_no_index_is_no_row():
    for corrected in (False, True):
        moves = inf.influence_on_params(
            COMPOSED, PARAMS, (X, Y), np.array([], int), l2=L2, corrected=corrected
        )
        assert moves["w"].shape == (0, 3) and moves["b"].shape == (0,)


def test_the_correction_needs_a_composed_loss():
    with pytest.raises(TypeError, match="corrected=True needs a loss_fn made by compose"):
        inf.influence_on_params(loss_fn, PARAMS, (X, Y), [0], l2=L2, corrected=True)


def test_a_failed_solve_of_the_correction_blanks_its_own_row_alone():
    loss = compose(
        lambda p, z: trees.ravel(p) * z, lambda z, y: 0.5 * z[0] ** 2 - 0.25 * z[1] ** 2 + y @ z
    )
    data = np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [0.0, 1.0]]), PULLS
    moves, words = only_warning(
        lambda: inf.influence_on_params(loss, SADDLE, data, [2, 0], corrected=True)
    )
    assert np.isnan(moves["b"]).tolist() == [True, False]
    assert words.startswith("training points 2: the matrix is not positive definite")


# --------------------------------------------------------------------------------------
# The cache
# --------------------------------------------------------------------------------------

MANY = logistic_data(300, 3, 9)  # three blocks of 100 test points


def cached(folder, **options):
    options = {"l2": L2, **options}
    loss = options.pop("loss", loss_fn)
    params, train = options.pop("params", PARAMS), options.pop("train", (X, Y))
    test = options.pop("test", MANY)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # changed arguments are not at an optimum
        return inf.influence(loss, params, train, test, cache_dir=folder, **options)


def blocks_of(folder):
    return sorted(folder.glob("*/*.npz"))


def contents(folder):
    return {path.name: path.read_bytes() for path in sorted(folder.glob("*/*"))}


def test_cached_scores_are_the_scores_and_are_read_the_second_time(tmp_path, monkeypatch):
    plain = inf.influence(loss_fn, PARAMS, (X, Y), MANY, l2=L2)
    first = cached(tmp_path)
    assert_agree(first.scores, plain.scores, 1e-12)
    assert first.s_test is None and np.isfinite(first.seconds).all()
    assert [path.name for path in blocks_of(tmp_path)] == [f"00000{b}.npz" for b in range(3)]
    monkeypatch.setattr(inf, "_solve_for_tests", None)  # from here on nothing can be solved
    second = cached(tmp_path)
    np.testing.assert_array_equal(first.scores, second.scores)
    for one, other in zip(first.info, second.info):
        np.testing.assert_array_equal(one, other)
    assert np.isnan(second.seconds).all()


def test_a_killed_run_resumes_and_ends_with_the_same_bytes(tmp_path, monkeypatch):
    """T11, with an interrupt between blocks."""
    whole, resumed = tmp_path / "whole", tmp_path / "resumed"
    expected = cached(whole)
    solve, calls = inf._solve_for_tests, []

    def stops(*args):
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return solve(*args)

    monkeypatch.setattr(inf, "_solve_for_tests", stops)
    with pytest.raises(KeyboardInterrupt):
        cached(resumed)
    assert len(blocks_of(resumed)) == 1
    result = cached(resumed)
    assert len(calls) == 4  # one block, the interrupt, and the two that were missing
    np.testing.assert_array_equal(result.scores, expected.scores)
    assert contents(resumed) == contents(whole)
    assert not list(resumed.glob("*/.*"))


KILLED = """
import os, sys, jax
jax.config.update("jax_enable_x64", True)
sys.path.insert(0, {tests!r})
import test_influence_functions as t
from course_utils import _cache
if sys.argv[2] == "kill":
    write = _cache.write_whole
    def dies(path, content):
        if path.name == "000001.npz":  # in the middle of a block
            path.with_name("." + path.name + ".draft").write_bytes(b"half")
            os._exit(9)
        write(path, content)
    _cache.write_whole = dies
from pathlib import Path
t.cached(Path(sys.argv[1]))
"""


def test_a_process_that_dies_while_it_writes_leaves_whole_blocks(tmp_path):
    code = KILLED.format(tests=str(Path(__file__).parent))
    run = lambda *words: subprocess.run([sys.executable, "-c", code, *words], capture_output=True)
    assert run(tmp_path / "one", "kill").returncode == 9
    assert len(blocks_of(tmp_path / "one")) == 1
    for name in ("one", "two"):
        finished = run(tmp_path / name, "finish")
        assert finished.returncode == 0, finished.stderr.decode()
    seen = contents(tmp_path / "one")
    seen.pop(".000001.npz.draft")  # what the dead process had begun stays, and harms nothing
    assert seen == contents(tmp_path / "two")


def flip_a_bit_in_the_middle(path):  # of a score
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.write_bytes(path.read_bytes()[:-100]),
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(b"no zip file"),
        flip_a_bit_in_the_middle,
        lambda path: np.savez(path, scores=np.ones((3, 4))),
        lambda path: np.savez(path, scores=np.array([{}], dtype=object)),
        lambda path: path.unlink(),
    ],
)
def test_a_damaged_block_is_computed_anew(damage, tmp_path):
    expected = cached(tmp_path)
    before = contents(tmp_path)
    damage(blocks_of(tmp_path)[1])
    assert contents(tmp_path) != before
    np.testing.assert_array_equal(cached(tmp_path).scores, expected.scores)
    assert contents(tmp_path) == before


OFFSET = {"value": 0.0}


def loss_with_a_constant(params, example):  # the same name and code, another constant
    return loss_fn(params, example) + OFFSET["value"] * jnp.sum(params["w"] ** 2)


def loss_with(constant):
    inner = jax.jit(lambda params, x: jnp.sum(constant * x) * jnp.sum(params["w"]))
    return lambda params, example: loss_fn(params, example) + inner(params, example[0])


@pytest.fixture
def named(tmp_path, monkeypatch):
    """A function that gives scores their folder, by their key, and computes none."""

    class Named(Exception):
        pass

    def stop(*arguments):
        raise Named

    def name(**options):
        with pytest.raises(Named):
            cached(tmp_path, **options)
        return len(list(tmp_path.iterdir()))

    monkeypatch.setattr(inf._kept_scores, "in_blocks", stop)
    return name


def test_every_argument_changes_the_key(named):
    moved = {**PARAMS, "b": PARAMS["b"] + 1e-9}
    table = [
        {},
        dict(params=moved),
        dict(train=(X + 1e-9 * (X > 0), Y)),
        dict(train=(X[::-1], Y[::-1])),
        dict(test=(MANY[0][:200], MANY[1][:200])),
        dict(l2=L2 + 1e-9),
        dict(l2={"b": 0.0, "w": L2}),
        dict(damping=0.1),
        dict(removal="refit-mean"),
        dict(solver=Exact()),
        dict(solver=CG(tol=1e-6)),
        dict(solver=LiSSA(recursion_depth=10)),
        dict(solver=LiSSA(recursion_depth=10, seed=1)),
        dict(gradients="on-the-fly"),
        dict(batch_size=7),
        dict(select=lambda path: path == "w"),
        dict(test_loss_fn=lambda p, z: predict(p, z[0])),
        dict(test_loss_fn=lambda p, z: 2 * predict(p, z[0])),
        dict(loss=lambda p, z: loss_fn(p, z) * 1.0000001),
        dict(loss=COMPOSED, curvature="ggn"),
        dict(loss=compose(predict, lambda z, y: criterion(z, y) + 1e-6 * z**2), curvature="ggn"),
        dict(loss=loss_with(np.ones(3))),
        dict(loss=loss_with(np.array([1.0, 1.0, 1.0 + 1e-12]))),
        dict(loss=loss_with(jnp.arange(3.0))),
    ]
    for number, options in enumerate(table, 1):
        assert named(**options) == number, options
    for options in table:  # and the same arguments find it again
        assert named(**options) == len(table)


def test_the_key_does_not_depend_on_names_or_on_the_process(tmp_path):
    def renamed(theta, point):
        x, y = point
        return criterion(predict(theta, x), y)

    cached(tmp_path)
    cached(tmp_path, loss=renamed)
    assert len(list(tmp_path.iterdir())) == 1
    code = KILLED.format(tests=str(Path(__file__).parent))
    subprocess.run([sys.executable, "-c", code, tmp_path, "finish"], check=True)
    assert len(list(tmp_path.iterdir())) == 1


CHANGING = {"value": 1.0}


def test_a_changed_global_does_not_poison_the_cache(tmp_path):
    loss = lambda params, z: CHANGING["value"] * loss_fn(params, z)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            inf.influence(loss, PARAMS, (X, Y), (XT, YT), l2=L2)  # compiled with 1
            CHANGING["value"] = 3.0
            kept = inf.influence(loss, PARAMS, (X, Y), (XT, YT), l2=L2, cache_dir=tmp_path)
            fresh = inf.influence(
                lambda params, z: 3.0 * loss_fn(params, z), PARAMS, (X, Y), (XT, YT), l2=L2
            )
    finally:
        CHANGING["value"] = 1.0
    assert_agree(kept.scores, fresh.scores, 1e-9)


def with_rule(slope):
    """A squared error whose second derivative is a rule of its own."""

    @jax.custom_jvp
    def residual(r):
        return r

    residual.defjvp(lambda at, along: (at[0], slope * along[0]))

    @jax.custom_jvp
    def square(r):
        return 0.5 * r**2

    square.defjvp(lambda at, along: (0.5 * at[0] ** 2, residual(at[0]) * along[0]))
    return lambda params, z: square(predict(params, z[0]) - z[1])


def test_rules_of_derivatives_random_bits_and_odd_constants_are_part_of_the_key(named):
    def add(number, **options):
        assert named(**options) == number

    add(1, loss=with_rule(1.0))
    add(2, loss=with_rule(3.0))
    add(3, loss=lambda p, z: loss_fn(p, z) * jax.random.uniform(jax.random.key(0)))
    key, other = jax.random.key(1), jax.random.key(2)
    add(4, loss=lambda p, z: loss_fn(p, z) * jax.random.uniform(key))
    add(5, loss=lambda p, z: loss_fn(p, z) * jax.random.uniform(other))
    half = jnp.ones(3, jnp.bfloat16)
    add(6, loss=lambda p, z: loss_fn(p, z) * half.sum().astype(float))
    add(7, solver=LiSSA(recursion_depth=9))
    before = jax.config.jax_threefry_partitionable
    jax.config.update("jax_threefry_partitionable", not before)
    try:
        add(8, solver=LiSSA(recursion_depth=9))
    finally:
        jax.config.update("jax_threefry_partitionable", before)


def test_writers_of_one_cache_do_not_disturb_each_other(tmp_path):
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(3) as pool:
        results = list(pool.map(lambda _: cached(tmp_path).scores, range(6)))
    for result in results:
        np.testing.assert_array_equal(result, results[0])
    assert len(blocks_of(tmp_path)) == 3 and not list(tmp_path.glob("*/.*"))


def test_every_byte_of_a_block_may_be_damaged(tmp_path):
    from course_utils import _cache

    folder = _cache.Cache(tmp_path, "key", {})
    arrays, like = {"a": np.arange(4.0)}, {"a": ((4,), np.dtype(float))}
    folder.block(0, lambda: arrays, like)
    path = tmp_path / "key" / "000000.npz"
    whole = path.read_bytes()
    for position in range(len(whole)):
        broken = bytearray(whole)
        broken[position] ^= 0xFF
        path.write_bytes(broken)
        np.testing.assert_array_equal(folder.block(0, lambda: arrays, like)["a"], arrays["a"])
    np.save(tmp_path / "x.npy", np.ones(3))
    path.write_bytes((tmp_path / "x.npy").read_bytes())
    np.testing.assert_array_equal(folder.block(0, lambda: arrays, like)["a"], arrays["a"])


def test_failures_are_told_again_when_scores_come_from_the_cache(tmp_path):
    call = lambda: inf.influence(saddle, SADDLE, PULLS, PULLS[:3], cache_dir=tmp_path)
    (first, words), (second, again) = only_warning(call), only_warning(call)
    assert words == again and "not positive definite" in words
    np.testing.assert_array_equal(first.scores, second.scores)
    assert np.isnan(second.scores[2]).all() and np.isfinite(second.scores[:2]).all()


def test_a_cache_of_no_test_points_and_a_folder_that_cannot_be_made(tmp_path):
    nothing = cached(tmp_path, test=(XT[:0], YT[:0]))
    assert nothing.scores.shape == (0, 40) and nothing.s_test is None
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError):
        cached(tmp_path / "file")


def test_scores_of_a_cache_lie_on_disk_and_rank_as_in_memory(tmp_path):
    plain, kept = inf.influence(loss_fn, PARAMS, (X, Y), MANY, l2=L2), cached(tmp_path)
    assert isinstance(kept.scores, np.memmap) and not kept.scores.flags.writeable
    for k in (1, 5, 40):
        np.testing.assert_array_equal(kept.helpful(k), plain.helpful(k))
        np.testing.assert_array_equal(kept.harmful(k), plain.harmful(k))


def test_a_damaged_file_of_all_scores_is_written_anew(tmp_path):
    expected = np.array(cached(tmp_path).scores)
    (path,) = tmp_path.glob("*/scores.npy")
    for damage in (flip_a_bit_in_the_middle, lambda p: p.write_bytes(b"no array"), Path.unlink):
        damage(path)
        np.testing.assert_array_equal(cached(tmp_path).scores, expected)


def test_a_finished_cache_is_read_without_writing(tmp_path, monkeypatch):
    from course_utils import _cache

    expected = np.array(cached(tmp_path).scores)
    monkeypatch.setattr(_cache, "write_whole", None)  # as in a folder that cannot be written to
    np.testing.assert_array_equal(cached(tmp_path).scores, expected)


def test_narrow_params_and_wide_data_are_read_from_the_cache_too(tmp_path):
    narrow = jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.float32), PARAMS)
    call = lambda: cached(tmp_path, params=narrow, test=(XT, YT))
    assert np.isfinite(call().seconds).all()
    again = call()
    assert np.isnan(again.seconds).all() and again.scores.dtype == np.float32


@pytest.mark.slow
def test_a_cache_holds_one_block_of_scores_in_memory(tmp_path, monkeypatch):
    """Of 20 blocks of 8 MB each: what Python's allocator has seen stays below three of them."""
    import tracemalloc

    from course_utils import _kept_scores

    monkeypatch.setattr(_kept_scores, "_CACHED_AT_ONCE", 15)
    train = np.zeros((70000, 3)), np.zeros(70000)
    train[0][:40], train[1][:40] = X, Y
    cached(tmp_path, train=train)
    tracemalloc.start()
    cached(tmp_path, train=train)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 3 * 15 * 70000 * 8


# --------------------------------------------------------------------------------------
# JSON
# --------------------------------------------------------------------------------------


def test_json_has_what_is_promised_for_every_test_point(tmp_path):
    result = inf.influence(loss_fn, PARAMS, (X, Y), (XT, YT), l2=L2)
    result.to_json(tmp_path / "scores.json", labels=YT)
    read = json.loads((tmp_path / "scores.json").read_text())
    assert read["convention"] == result.convention
    assert list(read["test_points"]) == ["0", "1", "2", "3", "4", "5"]
    for t, point in enumerate(read["test_points"].values()):
        assert set(point) == {
            *("label", "num_in_dataset", "time_calc_influence_s"),
            *("influence", "harmful", "helpful"),
        }
        assert point["label"] == YT[t] and point["num_in_dataset"] == t
        np.testing.assert_array_equal(point["influence"], result.scores[t])
        assert point["helpful"] == result.helpful(40)[t].tolist()
        assert point["harmful"] == result.harmful(40)[t].tolist()
        assert point["helpful"][0] == np.argmax(result.scores[t])
        assert 0 < point["time_calc_influence_s"] < 60
    assert [path.name for path in tmp_path.iterdir()] == ["scores.json"]


def test_json_without_times_is_the_same_file_from_a_cache(tmp_path):
    for name in ("first", "second"):
        cached(tmp_path / "cache").to_json(tmp_path / name, time=False, k=3)
    text = (tmp_path / "first").read_text()
    assert text == (tmp_path / "second").read_text()
    point = json.loads(text)["test_points"]["0"]
    assert "time_calc_influence_s" not in point and point["label"] is None
    assert len(point["helpful"]) == len(point["harmful"]) == 3
    cached(tmp_path / "cache").to_json(tmp_path / "third")
    point = json.loads((tmp_path / "third").read_text())["test_points"]["7"]
    assert point["time_calc_influence_s"] is None  # it was read, not computed


def test_json_of_a_failed_row_and_of_float32_is_valid(tmp_path):
    table = np.array([[1.5, -2.5], [np.nan, np.nan]], np.float32)
    result_with(table).to_json(tmp_path / "a", labels=["ä", "b"])
    points = json.loads((tmp_path / "a").read_text("utf-8"))["test_points"]
    assert points["0"]["influence"] == [1.5, -2.5] and points["0"]["label"] == "ä"
    assert points["1"]["influence"] == [None, None]
    assert points["1"]["helpful"] == points["1"]["harmful"] == []
    for labels in ([1, 2, 3], "ab", 3):
        with pytest.raises(ValueError, match="labels must be 2 numbers or words, one per test"):
            result_with(table).to_json(tmp_path / "b", labels=labels)
    with pytest.raises(ValueError, match=r"labels\[1\] must be a finite number or a word, got nan"):
        result_with(table).to_json(tmp_path / "b", labels=[1.0, np.nan])
    with pytest.raises(FileNotFoundError, match="there is no folder"):
        result_with(table).to_json(tmp_path / "none" / "b")
    result_with([[np.inf, 1.0]]).to_json(tmp_path / "c", labels=np.array(["x"]))
    point = json.loads((tmp_path / "c").read_text("utf-8"))["test_points"]["0"]
    assert point["influence"] == [None, 1.0] and point["helpful"] == [0, 1]
    with pytest.raises(ValueError, match="k must not be negative"):
        result_with(table).to_json(tmp_path / "b", k=-1)
    assert not (tmp_path / "b").exists()


def test_what_is_saved_can_be_loaded_also_without_solutions(tmp_path):
    for number, result in enumerate((cached(tmp_path / "cache"), result_with([[1.0, 2.0]]))):
        result.save(tmp_path / f"{number}.npz")
        loaded = inf.Influence.load(tmp_path / f"{number}.npz")
        np.testing.assert_array_equal(loaded.scores, result.scores)
        np.testing.assert_array_equal(loaded.seconds, result.seconds)
        assert (loaded.s_test is None) == (result.s_test is None)


# --------------------------------------------------------------------------------------
# Arnoldi
# --------------------------------------------------------------------------------------


def projected(rank, damping=0.0):
    """Scores with the inverse on the eigenvectors of the largest curvatures alone."""
    h, Q = np.linalg.eigh(hessian(X, Y, THETA, L2) + damping * np.eye(len(THETA)))
    h, Q = h[::-1][:rank], Q[:, ::-1][:, :rank]
    m, g = gradients(XT, YT, THETA), gradients(X, Y, THETA)
    return (m @ Q / h) @ (g @ Q).T / len(X)


def test_arnoldi_of_full_rank_is_the_dense_solve():
    rank = len(THETA)
    assert_agree(scores(solver=Arnoldi(rank=rank)), DENSE, 1e-8)
    damped = scores(solver=Arnoldi(rank=rank, num_steps=rank), damping=0.1)
    assert_agree(damped, projected(rank, 0.1), 1e-8)


def test_arnoldi_inverts_on_the_steepest_directions_and_certifies_the_rest():
    solver = Arnoldi(rank=2, num_steps=len(THETA), tol=0.0)
    call = lambda: inf.influence(loss_fn, PARAMS, (X, Y), (XT, YT), l2=L2, solver=solver)
    result, words = only_warning(call)
    assert_agree(result.scores, projected(2), 1e-8)
    s, g = np.asarray(trees.ravel_rows(result.s_test)), gradients(XT, YT, THETA)
    gap = np.linalg.norm(g - s @ hessian(X, Y, THETA, L2), axis=1)
    np.testing.assert_allclose(result.info.residual_norm, gap, rtol=1e-6)
    assert not result.info.converged.any() and "raise rank" in words
    assert "their rows are kept" in words and np.isfinite(result.scores).all()


def test_arnoldi_of_an_indefinite_matrix_is_nan_with_advice_that_cures():
    call = lambda **options: inf.influence(
        saddle, SADDLE, PULLS, PULLS[:3], solver=Arnoldi(rank=2), **options
    )
    result, words = only_warning(call)
    assert np.isnan(result.scores).all() and "curvature -0.5 met" in words
    damping = float(re.search(r"raising damping by (\S+) cures it", words)[1])
    assert np.isfinite(call(damping=damping).scores).all()


def test_settings_of_arnoldi_that_cannot_be_are_refused():
    for options, words in [
        (dict(rank=0), "rank must be a whole number of at least 1, got 0"),
        (dict(rank=3, num_steps=2), "num_steps must be a whole number of at least 3, got 2"),
        (dict(rank=1, tol=-1), "tol must be finite and at least 0"),
        (dict(rank=1, seed=None), "seed must be a whole number"),
    ]:
        with pytest.raises(ValueError, match=words):
            Arnoldi(**options)
    p = len(THETA)
    with pytest.raises(ValueError, match=f"rank must be at most the {p} params, got {p + 1}"):
        scores(solver=Arnoldi(rank=p + 1))


def test_another_call_with_arnoldi_compiles_nothing():
    call = lambda shift: scores(test=(XT + shift, YT), solver=Arnoldi(rank=len(THETA)))
    call(0.0)
    before = TRACES["loss_fn"]
    call(0.1)
    assert TRACES["loss_fn"] == before > 0
