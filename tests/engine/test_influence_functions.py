"""Scores against closed forms, dense solves in NumPy, and refits."""

import functools
import re
import subprocess
import sys
import warnings
from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from logistic import (
    COMPOSED,
    DENSE,
    G_TEST,
    L2,
    PARAMS,
    PULLS,
    SADDLE,
    THETA,
    XT,
    YT,
    G,
    H,
    X,
    Y,
    as_params,
    assert_agree,
    fitted,
    gradients,
    hessian,
    loss_fn,
    losses,
    newton,
    only_warning,
    predict,
    saddle,
    sample,
    with_bias,
)

import course_utils as cu
from course_utils import (
    CG,
    Arnoldi,
    Exact,
    FittedModel,
    LiSSA,
    _solver_warnings,
    compose,
    damping_sweep,
    grad_z,
    influence,
    influence_on_params,
    s_test,
    self_influence,
    trees,
)

pytestmark = pytest.mark.usefixtures("no_unexpected_warning")


def scores(solver, **options):
    return influence(fitted(**options), (XT, YT), solver=solver).scores


# --------------------------------------------------------------------------------------
# What a score is
# --------------------------------------------------------------------------------------


@pytest.mark.parametrize("solver", [CG(), CG(block=False), Exact(), Arnoldi(rank=4)], ids=repr)
@pytest.mark.parametrize("batch_size", [None, 1, 7, 64])
def test_scores_are_those_of_a_dense_solve_in_numpy(solver, batch_size):
    got = influence(fitted(batch_size=batch_size), (XT, YT), solver=solver)
    assert_agree(got.scores, DENSE, 1e-8)
    assert got.info.describe() == ["converged"] * 6
    assert got.standard_error is None and np.isfinite(got.seconds).all()
    assert_agree(trees.ravel_rows(got.s_test), np.linalg.solve(H, G_TEST.T).T, 1e-8)


def test_minus_n_times_a_score_is_the_derivative_of_the_test_loss_in_a_points_weight():
    got = scores(Exact())
    for i in (0, 7, 23):
        after = []
        for eps in (1e-4, -1e-4):  # Koh and Liang add eps * loss_i to the mean loss
            weights = np.ones(40)
            weights[i] += 40 * eps
            after.append(losses(XT, YT, newton(X, Y, L2, weights)))
        derivative = (after[0] - after[1]) / 2e-4
        np.testing.assert_allclose(-40 * got[:, i], derivative, rtol=1e-5, atol=1e-6)  # O(eps^2)


def test_the_two_removals_each_estimate_their_own_refit_and_not_the_others():
    n, d, l2 = 1000, 20, 1.0
    x, y = sample(n, d, 2, mean=0.2)
    xt, yt = sample(5, d, 3, mean=0.2)
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
    found = {}
    for removal in real:
        fit = FittedModel(loss_fn, as_params(theta), (x, y), l2=l2, removal=removal)
        found[removal] = influence(fit, (xt, yt), solver=Exact()).scores
        got = found[removal][:, chosen]
        assert_agree(got, real[removal], 0.01)
        for other in real:  # root mean squares
            error = np.linalg.norm(got - real[other]) / np.linalg.norm(real[other])
            assert error < 0.01 if other == removal else error > 0.10, (removal, other, error)
    # Their difference is a constant for each test point: that of l2 * params.
    m = gradients(xt, yt, theta)
    constant = m @ np.linalg.solve(hessian(x, y, theta, l2), l2 * theta) / n
    gap = found["refit-mean"] - found["fixed-weight"]
    np.testing.assert_allclose(gap, np.tile(constant[:, None], n), rtol=1e-8)


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


SQUARED = compose(lambda theta, x: x @ theta, lambda z, y: 0.5 * (z - y) ** 2)
CHANGE = RXT @ (WITHOUT - RIDGE).T  # of the predictions, (5, 30)
REFIT_MEAN = np.stack(
    [
        np.linalg.solve(GRAM - np.outer(x, x) - RIDGE_L2 * np.eye(4), RX.T @ RY - x * y)
        for x, y in zip(RX, RY, strict=True)
    ]
)
OWN = {"fixed-weight": WITHOUT, "refit-mean": REFIT_MEAN}


@functools.cache
def ridge(**options):
    return FittedModel(SQUARED, RIDGE, (RX, RY), l2=RIDGE_L2, **options)


def prediction(theta, example):
    return example[0] @ theta


@pytest.mark.parametrize("solver", [CG(tol=1e-13), Exact()], ids=repr)
def test_for_ridge_the_influence_on_params_over_one_minus_leverage_is_exact(solver):
    assert LEVERAGE.max() > 0.2  # the correction matters
    moves = influence_on_params(ridge(), np.arange(30), solver=solver)
    assert_agree(moves / (1 - LEVERAGE)[:, None], WITHOUT - RIDGE, 1e-10)


def test_for_ridge_scores_of_a_prediction_over_one_minus_leverage_are_exact():
    got = influence(ridge(), (RXT, RYT), solver=Exact(), test_loss_fn=prediction)
    assert_agree(got.scores / (1 - LEVERAGE), CHANGE, 1e-10)


def test_for_ridge_scores_of_the_squared_loss_miss_half_the_squared_change_of_prediction():
    residual = (RXT @ RIDGE - RYT)[:, None]
    exact = 0.5 * (residual + CHANGE) ** 2 - 0.5 * residual**2
    got = influence(ridge(), (RXT, RYT), solver=Exact()).scores
    assert_agree(got / (1 - LEVERAGE) + 0.5 * CHANGE**2, exact, 1e-10)


# --------------------------------------------------------------------------------------
# The one-step correction
# --------------------------------------------------------------------------------------


@pytest.mark.parametrize("batch_size", [None, 7])
@pytest.mark.parametrize("removal", ["fixed-weight", "refit-mean"])
def test_for_ridge_every_corrected_number_is_the_exact_refit(removal, batch_size):
    fit = ridge(removal=removal, batch_size=batch_size)
    moves = OWN[removal] - RIDGE
    options = dict(corrected=True, solver=Exact())
    got = influence_on_params(fit, [4, 0, 29], **options)
    assert_agree(got, moves[[4, 0, 29]], 1e-10)
    got = influence(fit, (RXT, RYT), test_loss_fn=prediction, **options)
    assert_agree(got.scores, RXT @ moves.T, 1e-10)
    assert "with the one-step correction" in got.convention
    slopes = RX * (RX @ RIDGE - RY)[:, None]
    got = self_influence(fit, **options)
    np.testing.assert_allclose(got, np.einsum("ij,ij->i", slopes, moves), rtol=1e-8)
    if removal == "fixed-weight":
        np.testing.assert_allclose(got, self_influence(fit) / (1 - LEVERAGE), rtol=1e-8)


def test_the_correction_is_one_newton_step_of_the_refit():
    q = 1 / (1 + np.exp(Y * (with_bias(X) @ THETA)))
    indices = np.array([7, 0, 39])
    for removal in ("fixed-weight", "refit-mean"):
        fit = fitted(COMPOSED, removal=removal)
        moves = influence_on_params(fit, indices, corrected=True)
        for i, got in zip(indices, np.c_[moves["b"], moves["w"]]):
            x = with_bias(X)[i]
            without = H - q[i] * (1 - q[i]) * np.outer(x, x) / 40
            pull = G[i]
            if removal == "refit-mean":
                without, pull = without - L2 / 40 * np.eye(4), pull + L2 * THETA
            np.testing.assert_allclose(got, np.linalg.solve(without, pull / 40), rtol=1e-7)


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
        fit = FittedModel(loss, params, (A, y), **options)
    got = influence_on_params(fit, np.arange(21), corrected=True, solver=CG(tol=1e-12))
    assert got["w"] is None
    expected = [np.linalg.solve(matrix - E, g) for E, g in zip(each, slopes)]
    np.testing.assert_allclose(np.reshape(got["v"], (21, 12)), expected, rtol=1e-7, atol=1e-12)


@pytest.mark.parametrize("l2", [1, True, np.int64(1), np.float32(1), 1.0, jnp.ones(())])
def test_l2_is_a_number_of_whatever_type(l2):
    fit_to = lambda A, y: np.linalg.solve(A.T @ A / len(y) + np.eye(3), A.T @ y / len(y))
    full = fit_to(X, Y)
    fit = FittedModel(SQUARED, full, (X, Y), l2=l2, removal="refit-mean")
    got = influence_on_params(fit, 5, corrected=True, solver=Exact())
    refit = fit_to(np.delete(X, 5, 0), np.delete(Y, 5))
    np.testing.assert_allclose(got[0], refit - full, rtol=1e-9)


def test_a_refit_that_nothing_determines_is_nan_and_named():
    A = np.array([[1.0, 0], [2, 0], [3, 0], [0, 1]])  # the last point alone holds the second weight
    y = np.array([1.0, 2.5, 2.8, 7])
    fit = FittedModel(SQUARED, np.linalg.lstsq(A, y, rcond=None)[0], (A, y))
    moves, words = only_warning(lambda: influence_on_params(fit, [3, 0], corrected=True), __file__)
    assert np.isnan(moves[0]).all() and np.isfinite(moves[1]).all()
    assert words == (
        "training points 3: without them the fit is not determined (leverage 1), and their rows "
        "are NaN"
    )
    own, again = only_warning(lambda: self_influence(fit, corrected=True), __file__)
    assert np.isnan(own).tolist() == [False, False, False, True] and again == words


def test_corrected_scores_solve_for_training_points_alone_and_certify_those(monkeypatch):
    solve, asked = FittedModel.solve, []
    counted = lambda fit, B, *args: asked.append(len(B)) or solve(fit, B, *args)
    monkeypatch.setattr(FittedModel, "solve", counted)
    result = influence(ridge(), (RXT, RYT), corrected=True, solver=Exact())
    assert asked == [2 * 30]  # the gradient and the output of each training point
    assert result.info.describe() == ["converged"] * 30 and result.scores.shape == (5, 30)
    assert result.s_test is None and result.standard_error is None


def test_an_indefinite_matrix_is_told_once_where_scores_are_corrected():
    loss = compose(
        lambda p, x: jnp.stack([p["a"], p["b"]]) * x,
        lambda z, y: 0.5 * z[0] ** 2 - 0.25 * z[1] ** 2 + y @ z,
    )
    fit = FittedModel(loss, SADDLE, (np.ones((4, 2)), PULLS))
    ask = lambda: influence(fit, (np.ones((2, 2)), PULLS[:2]), corrected=True)
    result, words = only_warning(ask, __file__)
    assert words.startswith("training points 0, 1, 2, 3: the matrix is not positive definite")
    assert "their columns are NaN" in words and np.isnan(result.scores).all()
    assert result.info.describe() == ["indefinite"] * 4
    assert (result.helpful(2) == -1).all()


def test_a_column_that_is_not_known_leaves_the_others_their_ranks():
    A, y = np.array([[1.0, 0], [2, 0], [3, 0], [0, 1]]), np.array([1.0, 2.5, 2.8, 7])
    fit = FittedModel(SQUARED, np.linalg.lstsq(A, y, rcond=None)[0], (A, y))
    result, words = only_warning(lambda: influence(fit, (A, y), corrected=True), __file__)
    assert words.startswith("training points 3: ") and words.endswith("their columns are NaN")
    assert np.isnan(result.scores[:, 3]).all() and np.isfinite(result.scores[:, :3]).all()
    for t, scores in enumerate(result.scores):
        assert result.helpful(4)[t].tolist() == [*np.argsort(-scores[:3], kind="stable"), -1]


def test_the_correction_needs_a_composed_loss_and_training_points():
    for call in (
        lambda: influence(fitted(), (XT, YT), corrected=True),
        lambda: influence_on_params(fitted(), [0], corrected=True),
        lambda: self_influence(fitted(), corrected=True),
    ):
        with pytest.raises(TypeError, match="corrected=True needs a loss_fn made by compose"):
            call()
    with pytest.raises(TypeError, match="corrected=True scores the training points: leave cand"):
        influence(fitted(COMPOSED), (XT, YT), corrected=True, candidates=(XT, YT))


# --------------------------------------------------------------------------------------
# The halves, and the diagonal
# --------------------------------------------------------------------------------------


@pytest.mark.parametrize("batch_size", [None, 7])
@pytest.mark.parametrize("removal", ["fixed-weight", "refit-mean"])
def test_scores_are_s_test_times_grad_z_over_n(removal, batch_size):
    fit = fitted(removal=removal, batch_size=batch_size)
    s, info = s_test(fit, (XT, YT))
    g = grad_z(fit)
    assert s["w"].shape == (6, 3) and g["b"].shape == (40,) and info.converged.all()
    expected = trees.ravel_rows(s) @ trees.ravel_rows(g).T / 40
    assert_agree(influence(fit, (XT, YT)).scores, expected, 1e-12)
    tied = (removal == "refit-mean") * L2 * THETA
    np.testing.assert_allclose(trees.ravel_rows(g), G + tied, atol=1e-14)
    np.testing.assert_allclose(trees.ravel_rows(grad_z(fit, (XT, YT))), G_TEST + tied, atol=1e-14)


@pytest.mark.parametrize("removal", ["fixed-weight", "refit-mean"])
@pytest.mark.parametrize("solver", [CG(), Exact()], ids=repr)
def test_self_influence_is_the_diagonal_of_the_scores_of_the_training_set(removal, solver):
    fit = fitted(removal=removal)
    got = self_influence(fit, solver=solver)
    assert_agree(got, np.diag(influence(fit, (X, Y), solver=solver).scores), 1e-9)
    assert removal == "refit-mean" or np.all(got > 0)


@pytest.mark.parametrize("batch_size", [None, 7])
def test_influence_on_params_is_a_solve_for_each_index_in_the_order_asked(batch_size):
    fit = fitted(batch_size=batch_size)
    expected = np.linalg.solve(H, G.T).T / 40
    rows = lambda indices: trees.ravel_rows(influence_on_params(fit, indices))
    assert_agree(rows([5, 0, 39, 5]), expected[[5, 0, 39, 5]], 1e-9)
    assert_agree(rows(7), expected[[7]], 1e-9)
    assert_agree(rows(np.arange(40) > 36), expected[37:], 1e-9)
    for corrected in (False, True):
        for none in ([], np.zeros(40, bool)):
            moves = influence_on_params(fitted(COMPOSED), none, corrected=corrected)
            assert moves["w"].shape == (0, 3) and moves["b"].shape == (0,)
    moves = influence_on_params(fitted(removal="refit-mean"), [3])
    assert_agree(
        trees.ravel_rows(moves)[0], expected[3] + np.linalg.solve(H, L2 * THETA) / 40, 1e-9
    )


def test_indices_that_cannot_be_are_refused_by_dtype_and_shape():
    for indices, words in (
        ([0, 40], "indices must lie in 0 to 39, got 0 to 40"),
        (-1, "indices must lie in 0 to 39, got -1 to -1"),
        ([0.5], r"whole numbers, \(k,\), or a mask, \(40,\): got float64 of shape \(1,\)"),
        (np.ones(39, bool), r"or a mask, \(40,\): got bool of shape \(39,\)"),
        ([[1]], r"got int64 of shape \(1, 1\)"),
        ("a", "got <U1 of shape"),
    ):
        with pytest.raises(ValueError, match=words):
            influence_on_params(fitted(), indices)


# --------------------------------------------------------------------------------------
# Questions
# --------------------------------------------------------------------------------------


@pytest.mark.parametrize("batch_size", [None, 7])
@pytest.mark.parametrize("removal", ["fixed-weight", "refit-mean"])
def test_candidates_are_scored_as_if_they_had_been_fitted_to(removal, batch_size):
    fit = fitted(removal=removal, batch_size=batch_size)
    xc, yc = sample(9, 3, 8)
    got = influence(fit, (XT, YT), candidates=(xc, yc))
    g = gradients(xc, yc, THETA) + (removal == "refit-mean") * L2 * THETA
    assert_agree(got.scores, G_TEST @ np.linalg.solve(H, g.T) / 40, 1e-8)
    some = influence(fit, (XT, YT), candidates=(X[3:8], Y[3:8])).scores
    assert_agree(some, influence(fit, (XT, YT)).scores[:, 3:8], 1e-9)
    assert influence(fit, (XT, YT), candidates=(xc[:0], yc[:0])).scores.shape == (6, 0)


def test_a_candidates_score_is_minus_what_adding_it_a_little_does():
    xc, yc = sample(3, 3, 8)
    got = influence(fitted(), (XT, YT), candidates=(xc, yc)).scores
    step = 1e-4
    for i in range(3):
        with_it = [
            losses(XT, YT, newton(np.r_[X, xc[i : i + 1]], np.r_[Y, yc[i]], L2 * 40 / 41, weights))
            for weights in (np.r_[np.ones(40), step], np.r_[np.ones(40), -step])
        ]  # the mean over 41 and l2 * 40 / 41: the same fit but for the new point
        slope = (with_it[0] - with_it[1]) / (2 * step)
        np.testing.assert_allclose(got[:, i], -slope, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("measure", [None, prediction])
def test_one_row_for_the_mean_or_sum_of_all_test_points(measure):
    ask = lambda **options: influence(ridge(), (RXT, RYT), test_loss_fn=measure, **options)
    each = ask()
    for aggregate, total in (("mean", each.scores.mean(axis=0)), ("sum", each.scores.sum(axis=0))):
        got = ask(aggregate=aggregate)
        assert got.scores.shape == (1, 30) and got.info.converged.shape == (1,)
        assert_agree(got.scores[0], total, 1e-8)
        s, _ = s_test(ridge(), (RXT, RYT), test_loss_fn=measure, aggregate=aggregate)
        assert_agree(s, got.s_test, 1e-12)
    with pytest.raises(TypeError, match="aggregate must be 'mean' or 'sum', got 'max'"):
        ask(aggregate="max")


def test_what_is_measured_is_named_in_words_that_are_known():
    with pytest.raises(TypeError, match="measure must be 'loss' or 'benefit', got 'margin'"):
        influence(ridge(), (RXT, RYT), test_loss_fn=prediction, measure="margin")
    with pytest.raises(TypeError, match="without one, m is the loss"):
        influence(ridge(), (RXT, RYT), measure="loss")


@pytest.mark.parametrize("batch_size", [None, 7])
@pytest.mark.parametrize("removal", ["fixed-weight", "refit-mean"])
def test_a_sweep_of_dampings_is_one_influence_for_each(removal, batch_size):
    fit = fitted(removal=removal, batch_size=batch_size, damping=0.7)  # which is not used
    dampings = [0.0, 0.01, 0.5]
    got = damping_sweep(fit, (XT, YT), dampings)
    for table, damping in zip(got, dampings, strict=True):
        expected = influence(fit.with_damping(damping), (XT, YT), solver=Exact()).scores
        assert_agree(table, expected, 1e-9)
    assert damping_sweep(fit, (XT, YT), []).shape == (0, 6, 40)
    assert damping_sweep(fit, (XT[:0], YT[:0]), dampings).shape == (3, 0, 40)
    values, vectors = fit.eigenpairs()
    np.testing.assert_allclose(values, np.linalg.eigvalsh(H), rtol=1e-10)
    margin = damping_sweep(fit, XT, [0.1], test_loss_fn=predict)[0]
    g = G + (removal == "refit-mean") * L2 * THETA
    assert_agree(margin, with_bias(XT) @ np.linalg.solve(H + 0.1 * np.eye(4), g.T) / 40, 1e-9)


def test_a_sweep_says_which_dampings_are_too_small_and_one_that_suffices():
    ask = lambda *dampings: damping_sweep(saddle_fit(), PULLS[:3], dampings)
    got, words = only_warning(lambda: ask(0.4, 0.6, 0.5), __file__)
    assert np.isnan(got[[0, 2]]).all() and np.isfinite(got[1]).all()
    assert words == (
        "dampings 0.4, 0.5: the matrix is not positive definite (the smallest eigenvalue of H is "
        "-0.5), and their scores are NaN; a damping of 0.53 cures it"
    )
    assert np.isfinite(ask(0.53)).all()
    twin = np.c_[X, X[:, 0]]  # two equal columns and no penalty: a singular matrix
    fit = FittedModel(COMPOSED, as_params(np.r_[newton(X, Y, 0.0), 0.0]), (twin, Y))
    ask = lambda damping: damping_sweep(fit, (np.c_[XT, XT[:, 0]], YT), [damping])
    got, words = only_warning(lambda: ask(0.0), __file__)
    assert np.isnan(got).all() and words.startswith("dampings 0.0: the matrix is not positive def")
    cure = r"a damping of (\S+) cures it$"  # and the Gauss-Newton matrix is singular too
    assert np.isfinite(ask(float(re.search(cure, words)[1]))).all()


def test_dampings_of_a_sweep_that_cannot_be_are_refused():
    for dampings, words in (
        ([-0.1], "a damping must be finite and at least 0, got -0.1"),
        (0.1, r"dampings must be numbers of shape \(k,\), got shape \(\)"),
    ):
        with pytest.raises(ValueError, match=words):
            damping_sweep(fitted(), (XT, YT), dampings)


def test_many_test_points_in_several_blocks_are_the_same_as_a_few(monkeypatch):
    expected = influence(fitted(), (X[:39], Y[:39])).scores
    monkeypatch.setattr(CG, "solves_at_once", lambda self, p: 4)  # 9 blocks of 4 and one of 3
    assert_agree(influence(fitted(), (X[:39], Y[:39])).scores, expected, 1e-9)
    fit = FittedModel(loss_fn, as_params(newton(X[:39], Y[:39], L2)), (X[:39], Y[:39]), l2=L2)
    blocks = self_influence(fit)
    monkeypatch.setattr(CG, "solves_at_once", lambda self, p: 100)
    assert_agree(blocks, self_influence(fit), 1e-9)


def test_damping_means_the_same_to_every_solver_and_is_no_part_of_the_fit():
    """T3: the popular recursion would damp by scale * damping."""
    dense = G_TEST @ np.linalg.solve(H + 0.5 * np.eye(4), G.T) / 40
    for solver in (Exact(), CG(), CG(block=False), Arnoldi(rank=4)):
        assert_agree(scores(solver=solver, damping=0.5), dense, 1e-8)
    for scale in (5.0, 10.0, 25.0):
        setting = LiSSA(scale=scale, recursion_depth=4000, batch_size=64)
        assert_agree(scores(solver=setting, damping=0.5), dense, 0.05)


def test_l2_may_leave_the_bias_free():
    free = H - np.diag([L2, 0, 0, 0])
    g = G + np.array([0, 1, 1, 1]) * L2 * THETA
    with pytest.warns(RuntimeWarning, match="not at an optimum"):  # the fit penalised the bias
        fit = FittedModel(loss_fn, PARAMS, (X, Y), l2={"w": L2, "b": 0.0}, removal="refit-mean")
    expected = G_TEST @ np.linalg.solve(free, g.T) / 40
    assert_agree(influence(fit, (XT, YT)).scores, expected, 1e-8)


@pytest.mark.parametrize("curvature", ["hessian", "ggn"])
def test_selected_leaves_count_and_the_others_are_constants(curvature):
    fit = fitted(COMPOSED, select=lambda path: path == "w", curvature=curvature)
    result = influence(fit, (XT, YT))
    expected = G_TEST[:, 1:] @ np.linalg.solve(H[1:, 1:], G[:, 1:].T) / 40
    assert_agree(result.scores, expected, 1e-8)  # of a linear model the two matrices are one
    assert result.s_test["b"] is None and result.s_test["w"].shape == (6, 3)
    whole = influence(fitted(COMPOSED, curvature=curvature), (XT, YT))
    assert_agree(whole.scores, DENSE, 1e-8)
    assert ("Gauss-Newton" in whole.convention) == (curvature == "ggn")


def test_a_measured_quantity_may_have_data_of_its_own():
    got = influence(fitted(), XT, test_loss_fn=predict).scores
    assert_agree(got, with_bias(XT) @ np.linalg.solve(H, G.T) / 40, 1e-8)


@pytest.mark.parametrize("solver", [CG(), Exact(), LiSSA(num_samples=2)], ids=repr)
def test_no_test_point_is_no_row(solver):
    result = influence(fitted(), (XT[:0], YT[:0]), solver=solver)
    assert result.scores.shape == (0, 40) and result.helpful(3).shape == (0, 3)
    assert result.s_test["w"].shape == (0, 3) and result.info.converged.shape == (0,)
    s, info = s_test(fitted(), (XT[:0], YT[:0]), solver=solver)
    assert s["b"].shape == (0,) and info.status.shape == (0,)


def test_progress_is_silent_unless_asked_for(capfd):
    influence(fitted(), (XT, YT))
    assert capfd.readouterr() == ("", "")
    influence(fitted(), (XT, YT), progress=True)
    assert "test points solved: 100%" in capfd.readouterr().err
    self_influence(fitted(COMPOSED), corrected=True, progress=True)
    assert "training points solved: 100%" in capfd.readouterr().err


@pytest.mark.parametrize("solver", ["cg", CG, None])
def test_a_solver_that_is_unknown_is_a_type_error_that_names_it(solver):
    with pytest.raises(TypeError, match=r"solver must be CG\(...\), .* or Exact\(\), got"):
        influence(fitted(), (XT, YT), solver=solver)


def test_an_option_that_is_not_used_is_a_type_error_that_names_it():
    for call, words in (
        (lambda: Exact(tol=1e-3), "'tol'"),
        (lambda: CG(recursion_depth=5), "'recursion_depth'"),
        (lambda: CG(preconditioner="jacobi"), "'preconditioner'"),
        (lambda: LiSSA(maxiter=5), "'maxiter'"),
        (lambda: influence(fitted(), (XT, YT), l2=0.1), "'l2'"),
        (lambda: influence(fitted(), (XT, YT), cache_dir="x"), "'cache_dir'"),
    ):
        with pytest.raises(TypeError, match=f"unexpected keyword argument {words}"):
            call()
    for option in ("l2", "damping", "removal", "curvature", "select", "batch_size", "mesh"):
        for call in (lambda **o: influence(fitted(), (XT, YT), **o), partial(grad_z, fitted())):
            words = rf"'{option}': it is an option of the fit, FittedModel\(.*, {option}=...\)$"
            with pytest.raises(TypeError, match=words):
                call(**{option: None})
    with pytest.raises(TypeError, match="the first argument is the fitted model, .* got function"):
        influence(loss_fn, (XT, YT))


# --------------------------------------------------------------------------------------
# Solves that fail
# --------------------------------------------------------------------------------------


def saddle_fit(**options):
    return FittedModel(saddle, SADDLE, PULLS, **options)


@pytest.mark.parametrize(
    "solver",
    [CG(), CG(block=False), Arnoldi(rank=2), LiSSA(scale=2.0, recursion_depth=2000)],
    ids=repr,
)
def test_an_indefinite_matrix_is_nan_in_all_rows_and_the_advised_damping_cures_it(solver):
    """Also where a series has only diverged, and on rows that see positive curvature alone."""
    ask = lambda **options: influence(saddle_fit(**options), PULLS[:3], solver=solver)
    result, words = only_warning(ask, __file__)
    assert result.info.describe() == ["indefinite"] * 3
    assert np.isnan(result.scores).all() and np.isnan(result.s_test["b"]).all()
    np.testing.assert_allclose(result.info.min_curvature, -0.5, rtol=1e-6)
    assert re.search(
        r"^test points 0, 1, 2: .* not positive definite \(curvature -0.5 met\)", words
    )
    damping = float(re.search(r"raising damping by (\S+) cures it", words)[1])
    assert 0.5 < damping < 0.56
    (s, _), again = only_warning(lambda: s_test(saddle_fit(), PULLS[:3], solver=solver), __file__)
    assert np.isnan(s["a"]).all() and again == words
    if not isinstance(solver, LiSSA):
        cured = ask(damping=damping)
    else:  # at the advised damping it takes many steps
        cured = ask(damping=2 * damping)
    assert cured.info.converged.all() and np.isfinite(cured.scores).all()


def test_the_exact_solver_refuses_an_indefinite_and_a_singular_matrix_with_its_eigenvalue():
    with pytest.raises(ValueError, match="indefinite: its smallest eigenvalue is -0.5; raising"):
        influence(saddle_fit(), PULLS[:3], solver=Exact())
    twin = np.c_[X, X[:, 0]]  # two equal columns and no penalty
    fit = FittedModel(loss_fn, as_params(np.r_[newton(X, Y, 0.0), 0.0]), (twin, Y))
    with pytest.raises(ValueError, match=r"singular: its smallest eigenvalue is -?\d.*damping"):
        influence(fit, (np.c_[XT, XT[:, 0]], YT), solver=Exact())


def test_a_solve_that_turns_infinite_is_nan_and_named():
    # finite gradients, and a second derivative that overflows where the example says so
    cliff = lambda p, z: 0.5 * p**2 + z[0] * p + jnp.where(z[1] > 0, p, 0.0) ** 1.5
    data = np.array([[1.0, 1.0], [-1.0, 0.0]])
    fit = FittedModel(cliff, jnp.zeros(()), data)
    result, words = only_warning(lambda: influence(fit, data), __file__)
    assert np.isnan(result.scores).all() and "non-finite" in words
    assert words.startswith("test points 0, 1: the solve is non-finite")


def test_running_out_of_steps_keeps_the_scores_and_warns_with_the_residual():
    for solver in (CG(maxiter=1), CG(maxiter=1, block=False)):
        ask = lambda: influence(fitted(), (XT, YT), solver=solver)
        result, words = only_warning(ask, __file__)
        assert not result.info.converged.any() and np.isfinite(result.scores).all()
        flat = np.asarray(trees.ravel_rows(result.s_test))
        residual = np.linalg.norm(flat @ H - G_TEST, axis=1)
        np.testing.assert_allclose(result.info.residual_norm, residual, rtol=1e-6)
        worst = (residual / np.linalg.norm(G_TEST, axis=1)).max()
        assert f"relative residual of up to {worst:.2g}" in words and "maxiter" in words
        assert words.startswith("test points 0, 1, 2, 3, 4 and 1 more: not converged")


def test_a_warning_of_influence_on_params_names_training_points_not_positions():
    def loss(p, z):  # z[0] and z[1] are curvatures, of which the mean of the second is negative
        return 0.5 * z[0] * p[0] ** 2 - 0.5 * z[1] * p[1] ** 2 + z[2] * p[0] + z[3] * p[1]

    flat, along = np.ones(6), np.array([0, 1.0, -1.0, 0, 0, 0])
    fit = FittedModel(loss, jnp.array([-1.0, 0.0]), (flat, flat, flat, along))
    with pytest.warns(RuntimeWarning, match="^training points 5, 1, 0, 2: the matrix is not posi"):
        moves = influence_on_params(fit, [5, 1, 0, 2])
    assert np.isnan(moves).all()


# --------------------------------------------------------------------------------------
# Precision
# --------------------------------------------------------------------------------------


FLOAT32 = """
import sys
import jax, jax.numpy as jnp, numpy as np
from sklearn.datasets import load_breast_cancer
from course_utils import CG, Exact, FittedModel, influence

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
fits = {
    how: FittedModel(loss, theta.astype(np.float32), single(A, s), l2=l2, batch_size=batch_size)
    for how, batch_size in (("kept", None), ("on-the-fly", 100))
}
results = {
    (type(solver).__name__, how): influence(fit, single(X[n:], y[n:]), solver=solver).scores
    for solver in (CG(), Exact()) for how, fit in fits.items()
}
for name, got in results.items():
    assert got.dtype == np.float32 and error(got) < 1e-4, (name, error(got))
a, b = results["CG", "kept"], results["CG", "on-the-fly"]
assert np.abs(a - b).max() <= 1e-5 * np.abs(a).max()
"""


def test_in_float32_both_solvers_and_both_gradient_paths_agree_with_a_dense_float64_solve():
    subprocess.run([sys.executable, "-W", "error", "-c", FLOAT32], check=True)


# --------------------------------------------------------------------------------------
# LiSSA
# --------------------------------------------------------------------------------------


def test_lissa_agrees_with_the_dense_solve_as_its_noise_allows():
    setting = LiSSA(recursion_depth=4000, batch_size=8, num_samples=4)
    got = influence(fitted(), (XT, YT), solver=setting)
    assert_agree(got.scores, DENSE, 0.1)
    again = influence(fitted(), (XT, YT), solver=setting)
    np.testing.assert_array_equal(got.scores, again.scores)  # a seed is a result
    assert got.info.converged.all() and (got.info.num_steps == 4000).all()
    # the certificate is of all data: the residual of the solution that was returned
    s = np.c_[got.s_test["b"], got.s_test["w"]]
    residual = np.linalg.norm(G_TEST - s @ H, axis=1)
    np.testing.assert_allclose(got.info.residual_norm, residual, rtol=1e-6)
    other = scores(solver=LiSSA(recursion_depth=4000, batch_size=8, num_samples=4, seed=1))
    assert not np.array_equal(other, got.scores)
    assert_agree(other, DENSE, 0.1)


def test_the_standard_error_is_the_spread_of_many_seeds():
    ask = lambda seed: influence(
        fitted(),
        (XT, YT),
        candidates=(X[:10], Y[:10]),
        solver=LiSSA(scale=5.0, recursion_depth=300, num_samples=8, seed=seed, tol=0.99),
    )
    results = [ask(seed) for seed in range(60)]
    spread = np.std([result.scores for result in results], axis=0, ddof=1)
    said = np.sqrt(np.mean([result.standard_error**2 for result in results], axis=0))
    # A variance from 60 seeds is known to sqrt(2/59) = 18 %, its root to 9 %; 60 entries are met.
    assert np.abs(spread / said - 1).max() < 4 * 0.5 * (2 / 59) ** 0.5
    assert abs(np.mean(spread / said) - 1) < 0.1
    assert results[0].standard_error.shape == (6, 10)


def test_the_standard_error_falls_like_the_root_of_the_number_of_runs_and_one_run_has_none():
    error = {
        runs: influence(
            fitted(),
            (XT, YT),
            solver=LiSSA(scale=5.0, recursion_depth=300, num_samples=runs, tol=0.99),
        ).standard_error
        for runs in (1, 16, 256)
    }
    assert error[1] is None
    ratio = np.sqrt(np.mean(error[16] ** 2) / np.mean(error[256] ** 2))
    assert 3 < ratio < 5.3


def test_a_short_lissa_warns_of_its_residual_keeps_its_rows_and_names_a_depth_that_suffices():
    for options in (
        dict(recursion_depth=10, batch_size=40),
        dict(recursion_depth=60, average=0.0, batch_size=40),
    ):
        ask = lambda **more: influence(
            fitted(), (XT, YT), solver=LiSSA(scale=5.0, tol=0.02, **options | more)
        )
        result, words = only_warning(ask, __file__)
        worst = max(result.info.residual_norm / np.linalg.norm(G_TEST, axis=1))
        steps = options["recursion_depth"]
        assert f"not converged (maxiter) after {steps} steps, with a relative residual" in words
        np.testing.assert_allclose(float(re.search(r"up to (\S+);", words)[1]), worst, rtol=0.06)
        assert np.isfinite(result.scores).all()
        assert "its bias is up to" in words and "along the least curvature, 0.05" in words
        assert "scale" not in words  # raising it would make the bias larger
        depth = int(re.search(r"a recursion_depth of (\S+) suffices", words)[1].replace(",", ""))
        exact = G_TEST @ np.linalg.solve(H, G.T) / 40
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # noise may be left
            assert_agree(ask(recursion_depth=depth, num_samples=8).scores, exact, 0.05)


def test_where_noise_is_the_larger_error_lissa_says_so():
    setting = LiSSA(scale=5.0, recursion_depth=2000, tol=1e-3)
    result, words = only_warning(lambda: influence(fitted(), (XT, YT), solver=setting), __file__)
    assert words.endswith("its bias is below 0.0005: raise num_samples or batch_size against noise")


def test_a_lissa_that_diverges_gives_nan_and_names_a_scale_that_cures_it():
    ask = lambda scale: influence(
        fitted(), (XT, YT), solver=LiSSA(scale=scale, recursion_depth=5000, num_samples=8)
    )
    result, words = only_warning(lambda: ask(0.05), __file__)
    assert np.isnan(result.scores).all() and (result.info.num_steps < 5000).all()
    assert result.info.describe() == ["diverged"] * 6
    advised = float(re.search(r"raise scale above (\S+), 1.1 times the largest", words)[1])
    q = 1 / (1 + np.exp(Y * (with_bias(X) @ THETA)))
    largest = (q * (1 - q) * (with_bias(X) ** 2).sum(axis=1)).max() + L2  # of one example
    np.testing.assert_allclose(advised, 1.1 * largest, rtol=0.01)
    assert_agree(ask(1.01 * advised).scores, DENSE, 0.2)


def test_the_advised_scale_cures_also_where_outliers_are_rare():
    rng = np.random.default_rng(11)
    A = rng.normal(size=(1000, 4))
    A[:15] *= 60  # 64 sampled batches of one miss them in one run of three
    y = A @ np.ones(4) + rng.normal(size=1000)
    theta = np.linalg.solve(A.T @ A / 1000 + 0.01 * np.eye(4), A.T @ y / 1000)
    fit = FittedModel(SQUARED, theta, (A, y), l2=0.01)
    ask = lambda **options: influence(fit, (A[100:103], y[100:103]), solver=LiSSA(**options))
    _, words = only_warning(lambda: ask(scale=0.5), __file__)
    advised = float(re.search(r"raise scale above (\S+), 1.1 times the largest", words)[1])
    np.testing.assert_allclose(advised, 1.1 * ((A**2).sum(axis=1).max() + 0.01), rtol=0.01)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it is slow, but it does not diverge
        assert np.isfinite(ask(scale=1.01 * advised).scores).all()


@pytest.mark.parametrize("average", [0.0, 0.3, 0.5, 1.0])
def test_the_bias_that_lissa_is_told_of_is_that_of_its_recursion(average):
    h, one = 0.01, jnp.ones(1)
    for depth in (1, 7, 300):
        x, _ = cu.lissa(lambda v: h * v, one, scale=1.0, recursion_depth=depth, average=average)
        told = _solver_warnings._bias_of_lissa(1 - h, average, depth)
        np.testing.assert_allclose(1 - h * x[0], told, rtol=1e-9)


def test_the_depth_of_the_docstring_suffices_at_the_defaults_and_nine_tenths_of_it_do_not():
    default = LiSSA()
    for h in (1e-2, 1e-4):
        bias = lambda depth: _solver_warnings._bias_of_lissa(1 - h, default.average, depth / h)
        assert bias(4.3) < default.tol / 2 < bias(0.9 * 4.3)
    assert [_solver_warnings._in_two_digits(x) for x in (3, 41.0, 3393, 3401, 100)] == [
        *("3", "41", "3,400", "3,500", "100")
    ]


# --------------------------------------------------------------------------------------
# Arnoldi
# --------------------------------------------------------------------------------------


def test_arnoldi_inverts_on_the_steepest_directions_and_certifies_the_rest():
    h, Q = np.linalg.eigh(H)
    h, Q = h[::-1][:2], Q[:, ::-1][:, :2]
    solver = Arnoldi(rank=2, num_steps=4, tol=0.0)
    result, words = only_warning(lambda: influence(fitted(), (XT, YT), solver=solver), __file__)
    assert_agree(result.scores, (G_TEST @ Q / h) @ (G @ Q).T / 40, 1e-8)
    gap = np.linalg.norm(G_TEST - np.asarray(trees.ravel_rows(result.s_test)) @ H, axis=1)
    np.testing.assert_allclose(result.info.residual_norm, gap, rtol=1e-6)
    assert not result.info.converged.any() and "raise rank" in words
    assert "not converged (a rank of 2 leaves directions out), with a relative residual" in words
    assert "their rows are kept" in words and np.isfinite(result.scores).all()


def test_settings_of_arnoldi_that_cannot_be_are_refused():
    for options, words in [
        (dict(rank=0), "rank must be a whole number of at least 1, got 0"),
        (dict(rank=3, num_steps=2), "num_steps must be a whole number of at least 3, got 2"),
        (dict(rank=1, tol=-1), "tol must be finite and at least 0"),
        (dict(rank=1, seed=None), "seed must be a whole number"),
    ]:
        with pytest.raises(ValueError, match=words):
            Arnoldi(**options)
    with pytest.raises(ValueError, match="rank must be at most the 4 params, got 5"):
        scores(solver=Arnoldi(rank=5))


# --------------------------------------------------------------------------------------
# The way from a call to a number
# --------------------------------------------------------------------------------------

# Every named function that one call enters, with all that it traces; the numbers are made by 32.
ARITHMETIC = {
    "influence_functions.py": "influence slopes_of solve_all",
    "fitted_model.py": """gradients _gradients loss of_theta params unflatten l2_gradient
        solve _solved_on_device hessian_product curvature_of block_size
        inner_products _products as_params""",
    "curvature.py": "weighted_curvature hvp_operator",
    "solvers.py": """solve_rescaled _power_of_two _certificate
        CG.solve _block_cg search look step _orthonormal _length""",
    "influence_functions.py, of failures": "indefinite_if_any blanked",
}
CHECKS = {
    "influence_functions.py": "check_arguments check_fit checked_examples",
    "fitted_model.py": "check_unchanged",
    "curvature.py": "as_scalar checked",
    "solvers.py": "__post_init__ check default_tol",
}
THE_REST = {  # the split of work into blocks, what JAX asks of a pytree, words
    "influence_functions.py": "_in_blocks bar convention",
    "fitted_model.py": "tree_flatten tree_unflatten",
    "curvature.py": "__call__",  # of a composed loss
    "solvers.py": "solves_at_once",
}
OTHER_FILES = {  # refusals, a name for the loss, operations on trees, decorators, words
    *("_arguments.py", "_fingerprint.py", "_compiled.py", "_solver_warnings.py"),
    *("trees.py", "sharding.py"),
}


def test_a_score_is_made_by_32_functions_in_four_files_and_16_check_divide_and_word_it():
    here, entered = str(Path(cu.__file__).parent), set()

    def look(frame, event, _):
        code = frame.f_code
        if event == "call" and code.co_filename.startswith(here):
            entered.add((Path(code.co_filename).name, code.co_qualname.split(".")[-1]))

    for loss in (loss_fn, COMPOSED):
        fit = FittedModel(loss, PARAMS, (X, Y), l2=L2)
        jax.clear_caches()
        sys.setprofile(look)
        try:
            influence(fit, (XT, YT))
        finally:
            sys.setprofile(None)
    route = {
        (file.split(",")[0], name.split(".")[-1])
        for part in (ARITHMETIC, CHECKS, THE_REST)
        for file, names in part.items()
        for name in names.split()
    }
    named = {(file, name) for file, name in entered if "<" not in name}
    assert {(file, name) for file, name in named if file not in OTHER_FILES} == route
    count = lambda part: sum(len(names.split()) for names in part.values())
    assert (count(ARITHMETIC), count(CHECKS) + count(THE_REST)) == (32, 16)
