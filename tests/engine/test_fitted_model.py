"""What a fitted model checks, refuses, warns of and keeps."""

import re
import warnings
from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from logistic import (
    COMPOSED,
    DENSE,
    L2,
    PARAMS,
    PULLS,
    SADDLE,
    THETA,
    XT,
    YT,
    H,
    X,
    Y,
    as_params,
    assert_agree,
    criterion,
    fitted,
    gradients,
    hessian,
    loss_fn,
    newton,
    only_warning,
    predict,
    saddle,
)
from strict import every_warning

import course_utils as cu
from course_utils import CG, Exact, FittedModel, compose, influence, models, solvers

pytestmark = pytest.mark.usefixtures("no_unexpected_warning")


def posed(loss=loss_fn, params=PARAMS, train=(X, Y), **options):
    return FittedModel(loss, params, train, **{"l2": L2, **options})


def scored(test, **options):
    return influence(fitted(), test, **options).scores


def spoiled(x, value=np.nan):
    x = np.array(x)
    x.flat[1] = value
    return x


# --------------------------------------------------------------------------------------
# Numbers that are not finite
# --------------------------------------------------------------------------------------


@pytest.mark.parametrize("batch_size", [None, 7])
def test_what_is_not_finite_is_refused_by_the_name_of_its_leaf(batch_size):
    for bad in (np.nan, np.inf):
        with pytest.raises(ValueError, match=r"NaN or infinity in params\['w'\]$"):
            posed(params={**PARAMS, "w": spoiled(PARAMS["w"], bad)}, batch_size=batch_size)
        with pytest.raises(ValueError, match=r"NaN or infinity in train\[0\]$"):
            posed(train=(spoiled(X, bad), Y), batch_size=batch_size)
        with pytest.raises(ValueError, match=r"NaN or infinity in test\[1\]$"):
            influence(fitted(batch_size=batch_size), (XT, spoiled(YT, bad)))
        with pytest.raises(ValueError, match=r"NaN or infinity in candidates\[0\]$"):
            options = dict(candidates=(spoiled(XT, bad), YT))
            influence(fitted(batch_size=batch_size), (XT, YT), **options)


@pytest.mark.parametrize("batch_size", [None, 7])
def test_a_loss_that_is_not_finite_is_refused_though_its_gradient_is(batch_size):
    rng = np.random.default_rng(0)
    A, labels = rng.normal(size=(20, 2)), rng.integers(0, 3, 20)
    in_range = lambda z, y: jnp.where(y < 3, 0.0, jnp.nan) + jax.nn.logsumexp(z) - z[y]
    loss = compose(lambda p, x: x @ p, in_range)
    slope = jax.grad(loss)(np.zeros((2, 3)), (A[0], 3))
    assert jnp.isfinite(slope).all()
    options = dict(l2=0.1, batch_size=batch_size)
    with pytest.raises(ValueError, match="NaN or infinity in the losses of the training examples"):
        FittedModel(loss, np.zeros((2, 3)), (A, labels + 1), **options)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # no optimum
        fit = FittedModel(loss, np.zeros((2, 3)), (A, labels), **options)
    with pytest.raises(ValueError, match="NaN or infinity in the value of loss_fn for test"):
        influence(fit, (A, labels + 1))
    with pytest.raises(ValueError, match="NaN or infinity in the value of loss_fn for candidates"):
        influence(fit, (A, labels), candidates=(A, labels + 1))
    with pytest.raises(ValueError, match="NaN or infinity in the value of loss_fn for data"):
        cu.grad_z(fit, (A, labels + 1))


def test_gradients_that_are_not_finite_are_refused_before_any_solve():
    root = lambda params, example: jnp.sqrt(jnp.abs(example[0] @ params["w"])) + params["b"]
    for batch_size in (None, 7):
        with pytest.raises(ValueError, match="NaN or infinity in the gradient of loss_fn in para"):
            posed(root, train=(0 * X, Y), batch_size=batch_size)
    with pytest.raises(ValueError, match="infinity in the gradient of test_loss_fn in params"):
        influence(fitted(), (0 * XT, YT), test_loss_fn=root)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # no optimum
        fit = posed(root, damping=9.0)
    with pytest.raises(ValueError, match="infinity in the gradient of loss_fn for candidates"):
        influence(fit, (XT, YT), candidates=(0 * XT, YT))


# --------------------------------------------------------------------------------------
# Trees, shapes, dtypes
# --------------------------------------------------------------------------------------


def test_wrong_trees_shapes_and_dtypes_are_refused_with_both():
    for call in (
        lambda data: influence(fitted(), data),
        lambda data: influence(fitted(), (XT, YT), candidates=data),
        lambda data: cu.grad_z(fitted(), data),
    ):
        for data, got in ((XT, r"\*\), an array"), ([XT, YT], r"\[\*, \*\]\), a list")):
            words = rf"PyTreeDef\({got}, expected PyTreeDef\(\(\*, \*\)\), a tuple: arrange its"
            with pytest.raises(ValueError, match="must match train: got " + words):
                call(data)
        with pytest.raises(ValueError, match=r"\[0\] is float64\[2\] per example, expected float6"):
            call((XT[:, :2], YT))
        with pytest.raises(ValueError, match=r"\[1\] is int64\[\] per example, expected float64"):
            call((XT, YT.astype(int)))
    with pytest.raises(ValueError, match=r"train\[0\] has 40 examples, but train\[1\] has 39"):
        posed(train=(X, Y[:39]))
    with pytest.raises(ValueError, match=r"params\['w'\] is int64\[3\], expected a floating-point"):
        posed(params={**PARAMS, "w": np.arange(3)})
    with pytest.raises(ValueError, match="l2 must be a number or a tree prefix"):
        posed(l2={"weights": 1.0})


def test_a_single_example_is_told_to_take_an_axis_of_its_own():
    alone = FittedModel(lambda p, x: p["w"] @ x * 0, PARAMS, X)  # whose examples are one array
    for call, data in (
        (lambda data: influence(fitted(), data), (XT[0], YT[0])),
        (lambda data: influence(fitted(), (XT, YT), candidates=data), (XT[0], YT[0])),
        (lambda data: cu.grad_z(alone, data), XT[0]),
    ):
        with pytest.raises(ValueError, match=r", expected .*; a single example x is x\[None\]$"):
            call(data)
        call(jax.tree.map(lambda x: x[None], data))


def test_dtypes_of_one_kind_and_named_tuples_are_no_other_data():
    class Point(NamedTuple):
        x: np.ndarray
        y: np.ndarray

    expected = influence(fitted(), (XT, YT)).scores
    assert_agree(influence(fitted(), Point(XT, YT)).scores, expected, 1e-12)
    fit = posed(train=Point(X, Y))
    assert_agree(influence(fit, (XT, YT), candidates=(X, Y)).scores, expected, 1e-12)
    whole = posed(train=(X.astype(np.float64), Y.astype(np.int32)))
    mixed = influence(whole, (XT.astype(np.float32), YT.astype(np.int64))).scores
    assert_agree(mixed, expected, 1e-6)


def test_numbers_of_the_other_byte_order_are_converted():
    turned = lambda *arrays: tuple(a.astype(a.dtype.newbyteorder(">")) for a in arrays)
    fit = posed(params={k: turned(np.asarray(v))[0] for k, v in PARAMS.items()}, train=turned(X, Y))
    assert_agree(influence(fit, turned(XT, YT)).scores, DENSE, 1e-8)


@pytest.mark.parametrize(
    ("leaf", "dtype"),
    [
        (np.array(["a"] * 40), "<U1"),
        (np.array([{}] * 40), "object"),
        (np.array(["2020-01-01"] * 40, "M8[D]"), r"datetime64\[D\]"),
    ],
)
def test_data_that_are_no_numbers_are_refused_by_leaf_and_dtype_alone(leaf, dtype):
    words = rf"\[1\] has dtype {dtype}, expected numbers or truth values$"
    with pytest.raises(ValueError, match=r"^train" + words):
        posed(train=(X, leaf))
    with pytest.raises(ValueError, match=r"^test" + words):
        influence(fitted(), (XT, leaf[:6]))


def test_lists_and_loaders_are_told_what_to_do():
    for train in (([[1.0, 2.0, 3.0]] * 3, [1.0, 1.0, 1.0]), list(zip(X, Y, strict=True))):
        with pytest.raises(ValueError, match="a list is read as a tree: stack it into an array"):
            posed(train=train)
    for call, name in ((lambda data: posed(train=data), "train"), (scored, "test")):
        with pytest.raises(TypeError, match=f"^{name} is a list_iterator, expected arrays: stack"):
            call(iter([(X, Y)]))
    with pytest.raises(ValueError, match="train has no arrays"):
        posed(train=None)
    stacked = {"w": np.zeros((2, 3)), "b": np.zeros(2)}
    with pytest.raises(
        ValueError, match=r"shape \(2,\), and leaves of checkpoints with 3 rows; st"
    ):
        cu.tracin(loss_fn, [np.zeros(3), np.zeros(3)], (X, Y), (XT, YT), [0.1, 0.1])
    assert cu.tracin(loss_fn, stacked, (X, Y), (XT, YT), [0.1, 0.1]).shape == (6, 40)


def test_whole_numbers_among_the_params_may_be_left_out():
    counted = {**PARAMS, "step": np.int32(7)}
    with pytest.raises(ValueError, match=r"params\['step'\] is int32\[\], expected a floating"):
        posed(params=counted)
    fit = posed(params=counted, select=lambda path: path != "step")
    result = influence(fit, (XT, YT))
    assert_agree(result.scores, DENSE, 1e-8)
    assert result.s_test["step"] is None
    with pytest.raises(ValueError, match="select must choose at least one of b, w"):
        posed(select=lambda path: path == "weights")


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (None, "NoneType"),
        ((1.0, 2.0), "tuple"),
        ({"a": 1.0}, "dict"),
        ([1.0], "list"),
        (np.ones(3), r"shape \(3,\)"),
        (np.int32(3), "dtype int32"),
        (1j, "dtype complex128"),
    ],
)
def test_a_loss_or_measure_that_is_no_scalar_is_refused_in_one_sentence(value, words):
    words = rf"^the loss of one example must be a scalar, got {words}(\n|$)"
    with pytest.raises(ValueError, match=words):
        posed(lambda params, z: value)
    with pytest.raises(ValueError, match=words):
        influence(fitted(), (XT, YT), test_loss_fn=lambda params, z: value)
    with pytest.raises(ValueError, match=words):
        posed(compose(predict, lambda z, y: value), curvature="ggn")


# --------------------------------------------------------------------------------------
# Options
# --------------------------------------------------------------------------------------


def test_numbers_out_of_range_are_refused():
    for damping in (-1, "0.1", np.nan, None, True):
        with pytest.raises(ValueError, match="damping must be finite and at least 0, got"):
            posed(damping=damping)
    with pytest.raises(ValueError, match=r"l2\['b'\] must be finite and at least 0, got -0.5"):
        posed(l2={"w": 0.0, "b": -0.5})
    with pytest.raises(TypeError, match="l2 must be a number or a tree of numbers, got <function"):
        posed(l2=lambda path: 0.1)
    for batch_size in (0, 1.5, True):
        with pytest.raises(ValueError, match="batch_size must be None or a positive whole number"):
            posed(batch_size=batch_size)
    with pytest.raises(ValueError, match="relative_damping must be finite and at least 0, got -1"):
        posed(relative_damping=-1)
    with pytest.raises(TypeError, match="give damping or relative_damping, not both"):
        posed(damping=0.1, relative_damping=0.1)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (dict(removal="leave-one-out"), "removal must be 'fixed-weight' or 'refit-mean', got"),
        (dict(curvature="fisher"), "curvature must be 'hessian' or 'ggn', got 'fisher'"),
        (dict(curvature="ggn"), "curvature='ggn' needs a loss_fn made by compose"),
        (dict(mesh=8), "mesh must be a jax.sharding.Mesh or None, got 8"),
        (dict(devices=8), "unexpected keyword argument 'devices'"),
        (dict(gradients="kept"), "unexpected keyword argument 'gradients'"),
        (dict(loss="mse"), "loss_fn must be a hashable function, got 'mse'"),
    ],
)
def test_an_option_that_is_unknown_is_a_type_error_that_names_it(options, words):
    with pytest.raises(TypeError, match=words):
        posed(**options)


def test_a_callable_that_cannot_be_hashed_is_refused():
    @dataclass
    class Loss:
        scale: float = 1.0

        def __call__(self, params, example):
            return self.scale * loss_fn(params, example)

    with pytest.raises(TypeError, match=r"loss_fn must be a hashable function, got .*Loss\(scale="):
        posed(Loss())


def test_settings_that_cannot_be_are_refused_by_name():
    with pytest.raises(ValueError, match="tol must be finite and at least 0, got 'a'"):
        CG(tol="a")
    with pytest.raises(ValueError, match="maxiter must be a whole number of at least 1, got 1.5"):
        CG(maxiter=1.5)


@pytest.mark.parametrize("removal", ["fixed-weight", "refit-mean"])
def test_too_few_training_points_are_refused(removal):
    with pytest.raises(ValueError, match=f"removal='{removal}' needs at least .*, got 0"):
        posed(train=(X[:0], Y[:0]), removal=removal)
    if removal == "refit-mean":
        with pytest.raises(ValueError, match="needs at least two training examples, got 1"):
            posed(train=(X[:1], Y[:1]), removal=removal)
    else:
        one = posed(params=as_params(newton(X[:1], Y[:1], L2)), train=(X[:1], Y[:1]))
        assert np.isfinite(influence(one, (XT, YT)).scores).all()


@pytest.mark.parametrize("curvature", ["hessian", "ggn"])
def test_a_relative_damping_is_a_multiple_of_the_mean_eigenvalue(curvature):
    fit = posed(COMPOSED, relative_damping=0.3, curvature=curvature)
    np.testing.assert_allclose(fit.damping, 0.3 * np.trace(H) / 4, rtol=1e-12)
    given = posed(COMPOSED, damping=fit.damping, curvature=curvature)
    assert_agree(influence(fit, (XT, YT)).scores, influence(given, (XT, YT)).scores, 1e-12)


def test_beyond_a_thousand_params_the_mean_eigenvalue_is_sampled():
    scales = np.linspace(0.5, 1.5, 1200)
    loss = lambda p, z: 0.5 * jnp.sum(scales * p**2) + z * 0.0
    fit = FittedModel(loss, jnp.zeros(1200), np.ones(2), relative_damping=0.1)
    np.testing.assert_allclose(fit.damping, 0.1, rtol=1e-9)  # of a diagonal matrix no sign errs


def test_another_damping_is_another_question_to_the_same_model():
    fit = fitted()
    more = fit.with_damping(0.4)
    assert (fit.damping, more.damping) == (0.0, 0.4)
    A = H + 0.4 * np.eye(4)
    for solver in (CG(), Exact()):  # the factor of one is not that of the other
        for asked, matrix in ((fit, H), (more, A), (fit, H)):
            expected = gradients(XT, YT, THETA) @ np.linalg.solve(matrix, gradients(X, Y, THETA).T)
            assert_agree(influence(asked, (XT, YT), solver=solver).scores, expected / 40, 1e-8)
    with pytest.raises(ValueError, match="damping must be finite and at least 0, got -0.1"):
        fit.with_damping(-0.1)


def test_what_a_solver_has_prepared_is_kept_with_the_model(monkeypatch):
    fit, prepared = posed(), []
    prepare = Exact.prepare
    monkeypatch.setattr(Exact, "prepare", lambda *args: prepared.append(1) or prepare(*args))
    jax.clear_caches()
    for _ in range(2):
        influence(fit, (XT, YT), solver=Exact())
    cu.self_influence(fit, solver=Exact())
    assert len(prepared) == 1 and len(fit._prepared) == 1


# --------------------------------------------------------------------------------------
# The optimum
# --------------------------------------------------------------------------------------


def test_params_off_the_optimum_are_warned_of_once_with_both_numbers():
    for batch_size in (None, 7):
        away = THETA + 0.1
        gradient = np.linalg.norm(gradients(X, Y, away).mean(axis=0) + L2 * away)
        typical = np.linalg.norm(gradients(X, Y, away), axis=1).mean()
        assert gradient > 1e-3 * typical
        call = lambda: posed(params=as_params(away), batch_size=batch_size)
        fit, words = only_warning(call, __file__)
        assert "not at an optimum" in words
        assert f"{gradient:.3g}" in words and f"{typical:.3g}" in words
        assert "is l2 that of the fit, in the units of a mean loss? Else fit with more" in words
        influence(fit, (XT, YT))  # the model has said it; a question does not say it again
    posed(params=as_params(THETA + 1e-6))  # no warning


@pytest.mark.parametrize("factor", [0.9, 1.1])
def test_the_warning_of_the_optimum_begins_at_a_thousandth_of_the_mean_gradient(factor):
    typical = np.linalg.norm(gradients(X, Y, THETA), axis=1).mean()
    away = THETA + np.linalg.solve(H, [factor * 1e-3 * typical, 0, 0, 0])  # where |∇R| is that
    if factor < 1:
        posed(params=as_params(away))
    else:
        with pytest.warns(RuntimeWarning, match="not at an optimum"):
            posed(params=as_params(away))


def test_a_model_at_any_params_is_posed_without_a_look():
    fit = FittedModel.at(loss_fn, as_params(THETA + 0.1), (X, Y), l2=L2)
    expected = hessian(X, Y, THETA + 0.1, L2)
    np.testing.assert_allclose(cu.dense(fit.hessian_product(), fit.theta), expected, rtol=1e-10)


def test_fixed_weight_is_the_removal_of_scikit_learn():
    from sklearn.linear_model import LogisticRegression

    C = 0.7
    of = lambda weights: (
        LogisticRegression(C=C, fit_intercept=False, tol=1e-12, max_iter=1000)
        .fit(X, Y, sample_weight=weights)
        .coef_[0]
    )
    theta = of(np.ones(40))
    loss = compose(lambda p, x: x @ p, criterion)
    fit = FittedModel(loss, theta, (X, Y), l2=1 / (C * 40))  # at its optimum: no warning
    weights = 1 - np.eye(40)[[3, 17]]
    refits, _ = cu.retrain(fit, weights)  # what "fixed-weight" means
    for w, refit in zip(weights, np.asarray(refits), strict=True):
        np.testing.assert_allclose(refit, of(w), atol=1e-7)
        assert np.abs(refit - theta).max() > 1e-3


# --------------------------------------------------------------------------------------
# A loss that changes, and losses with rules of their own
# --------------------------------------------------------------------------------------


def test_a_changed_global_is_never_ignored():
    factor = {"value": 1.0}
    loss = lambda params, z: factor["value"] * loss_fn(params, z)
    measure = lambda params, z: factor["value"] * predict(params, z[0])
    one = FittedModel(loss, PARAMS, (X, Y), l2=L2)
    ask = lambda fit: influence(fit, (XT, YT)).scores
    assert_agree(ask(one), DENSE, 1e-8)
    first = influence(fitted(), (XT, YT), test_loss_fn=measure).scores
    factor["value"] = 3.0
    refit = lambda fit: cu.retrain(fit, np.ones((1, 40)))
    for question in (ask, cu.self_influence, cu.grad_z, refit):
        with pytest.raises(ValueError, match="computes something else than when the FittedModel"):
            question(one)
    three = FittedModel(loss, as_params(newton(X, Y, L2 / 3)), (X, Y), l2=L2)
    at = newton(X, Y, L2 / 3)
    g, m = 3 * gradients(X, Y, at), 3 * gradients(XT, YT, at)
    expected = m @ np.linalg.solve(3 * hessian(X, Y, at, L2 / 3), g.T) / 40
    assert_agree(ask(three), expected, 1e-8)
    assert_agree(influence(fitted(), (XT, YT), test_loss_fn=measure).scores, 3 * first, 1e-12)
    factor["value"] = 1.0
    assert_agree(ask(one), DENSE, 1e-8)


def test_an_array_changed_in_place_in_a_closure_is_another_loss():
    offset = np.zeros(3)
    loss = lambda params, z: loss_fn(params, z) + 0.1 * offset @ params["w"]
    fit = FittedModel(loss, PARAMS, (X, Y), l2=L2)
    cu.self_influence(fit)
    offset[1] = 1e-12
    with pytest.raises(ValueError, match="computes something else"):
        cu.self_influence(fit)


class Holder:
    scale = 2.0


def test_a_changed_attribute_and_the_same_operations_on_others_are_another_loss():
    holder, swapped = Holder(), {"value": False}

    def loss(params, z):
        u, v = params["w"][0], params["w"][1]
        u, v = (v, u) if swapped["value"] else (u, v)
        return loss_fn(params, z) + 1e-9 * holder.scale * jnp.sin(u) * jnp.cos(v)

    fit = FittedModel(loss, PARAMS, (X, Y), l2=L2)
    cu.grad_z(fit)
    for change, undo in (
        (lambda: setattr(Holder, "scale", 3.0), lambda: setattr(Holder, "scale", 2.0)),
        (lambda: setattr(holder, "scale", 2.0 + 1e-12), lambda: delattr(holder, "scale")),
        (lambda: swapped.update(value=True), lambda: swapped.update(value=False)),
    ):
        change()
        with pytest.raises(ValueError, match="computes something else"):
            cu.grad_z(fit)
        undo()
        cu.grad_z(fit)


def test_a_changed_constant_in_an_inner_function_or_a_loop_is_another_loss():
    held = {"value": np.ones(3)}

    def loss(params, z):
        inner = jax.jit(lambda w: jnp.sum(held["value"] * w))
        add = lambda total, w: (total + w * held["value"][0], None)
        looped = jax.lax.scan(add, 0.0, params["w"])[0]
        return loss_fn(params, z) + 1e-9 * (inner(params["w"]) + looped)

    fit = FittedModel(loss, PARAMS, (X, Y), l2=L2)
    cu.grad_z(fit)
    for value in (np.array([1, 1, 1 + 1e-12]), np.array([1 + 1e-12, 1, 1])):
        held["value"] = value
        with pytest.raises(ValueError, match="computes something else"):
            cu.grad_z(fit)


def test_a_loss_with_a_custom_vjp_is_scored_by_gradients():
    @jax.custom_vjp
    def same(r):
        return r

    same.defvjp(lambda r: (r, None), lambda _, g: (g,))
    loss = lambda params, z: criterion(same(predict(params, z[0])), z[1])
    for batch_size in (None, 7):
        fit = posed(loss, batch_size=batch_size, curvature="hessian")
        for solver in (Exact(),):
            assert_agree(influence(fit, (XT, YT), solver=solver).scores, DENSE, 1e-8)
        with pytest.raises(TypeError, match="has a custom_vjp and no forward derivative"):
            cu.perturbation_influence(fit, (XT, YT), [0])


# --------------------------------------------------------------------------------------
# Certificates
# --------------------------------------------------------------------------------------


def ill_conditioned(condition):
    """Least squares on rotated features whose curvatures span this factor, in float32."""
    rng = np.random.default_rng(1)
    U, V = (np.linalg.qr(rng.normal(size=shape))[0] for shape in ((200, 12), (12, 12)))
    A = U * np.geomspace(1, condition**-0.5, 12) @ V * 200**0.5
    y = A @ V.T @ np.ones(12) + 0.01 * rng.normal(size=200)
    loss = lambda p, z: 0.5 * (z[0] @ p - z[1]) ** 2
    single = lambda *arrays: tuple(np.asarray(a, np.float32) for a in arrays)
    theta = np.linalg.lstsq(A, y, rcond=None)[0]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # rounded params are no optimum
        return FittedModel(loss, *single(theta), single(A, y)), single(A[:40], y[:40])


@pytest.mark.parametrize("condition", [1e2, 1e4, 1.3e6])
def test_the_exact_solver_is_trusted_as_far_as_its_residual_reaches(condition):
    fit, test = ill_conditioned(condition)
    with every_warning("always", record=True) as caught:
        result = influence(fit, test, solver=Exact())
    matrix = np.asarray(cu.dense(fit.hessian_product(), fit.theta), float)
    slopes = fit.gradients(test).astype(float)
    gap = np.linalg.norm(np.asarray(result.s_test, float) @ matrix - slopes, axis=1)
    relative, converged = gap / np.linalg.norm(slopes, axis=1), result.info.converged
    assert relative[converged].max() < 2e-5  # the tolerance is 1e-5, and rounding
    if condition < 1e6:
        assert converged.all() and not caught
    else:
        assert not converged.all() and relative[~converged].min() > 0.5e-5
        assert set(result.info.describe()) == {"converged", "stalled"}
        assert re.search(r"not converged \(stalled\), with a relative", str(caught[0].message))


@pytest.mark.parametrize("tol", [None, 0.1])
@pytest.mark.parametrize("block", [True, False])
def test_a_matrix_that_one_row_proves_indefinite_is_so_for_all(block, tol):
    """Two of the three right-hand sides lie where the curvature is positive."""
    fit = FittedModel(saddle, SADDLE, PULLS)
    ask = lambda: influence(fit, PULLS[:3], solver=CG(block=block, tol=tol))
    result, words = only_warning(ask, __file__)
    assert result.info.describe() == ["indefinite"] * 3
    assert np.isnan(result.scores).all() and not result.info.converged.any()
    np.testing.assert_allclose(result.info.min_curvature, -0.5)
    assert words.startswith("test points 0, 1, 2: the matrix is not positive definite")


def test_biases_free_of_l2_are_solved_by_cg_and_refused_by_the_factor_with_that_hint():
    """Of a softmax they are determined up to a constant: H is singular, the scores are not."""
    rng = np.random.default_rng(0)
    A, y = rng.normal(size=(60, 2)), rng.integers(0, 3, 60)
    loss = compose(models.linear, models.cross_entropy)
    params, l2 = {"w": rng.normal(size=(2, 3)), "b": np.zeros(3)}, {"w": 0.1, "b": 0.0}
    fit = FittedModel.at(loss, params, (A, y), l2=l2)  # no optimum, which nothing here asks for
    with pytest.raises(ValueError, match="matrix is singular: .*; l2 or damping cures it, and CG"):
        influence(fit, (A[:3], y[:3]), solver=Exact())
    result = influence(fit, (A[:3], y[:3]))
    g = np.asarray(fit.gradients(fit.train))
    dense = np.asarray(cu.dense(fit.hessian_product(), fit.theta))
    assert_agree(result.scores, g[:3] @ np.linalg.pinv(dense, rcond=1e-10) @ g.T / 60, 1e-8)


def test_advice_for_a_network_names_the_gauss_newton_matrix_too():
    loss = compose(
        lambda p, x: jnp.stack([p["a"], p["b"]]) * x,
        lambda z, y: 0.5 * z[0] ** 2 - 0.25 * z[1] ** 2 + y @ z,
    )
    fit = FittedModel(loss, SADDLE, (np.ones((4, 2)), PULLS))
    _, words = only_warning(lambda: influence(fit, (np.ones((3, 2)), PULLS[:3])), __file__)
    assert words.endswith('raising damping by 0.53 cures it, and so does curvature="ggn"')
    _, words = only_warning(
        lambda: influence(FittedModel(saddle, SADDLE, PULLS), PULLS[:3]), __file__
    )
    assert words.endswith("cures it")  # that loss was not composed


def test_cg_ends_by_itself_after_ten_times_p_steps_and_at_most_a_thousand():
    steps = {}
    for p in (12, 400):
        hard = jnp.asarray(np.geomspace(1, 1e-13, p))
        system = solvers.System(lambda v: hard * v, None)
        _, _, _, taken, *_ = CG(tol=0.0, block=False).solve(system, None, jnp.ones((2, p)))
        steps[p] = int(np.max(taken))
    assert steps[12] <= 120 and steps[400] == 1000


def test_an_accuracy_is_told_that_no_score_can_follow_it():
    count = lambda params, z: (predict(params, z[0]) * z[1] > 0).astype(float)
    ask = lambda: influence(fitted(), (XT, YT), test_loss_fn=count)
    result, words = only_warning(ask, __file__)
    assert not result.scores.any()
    assert words.startswith("the gradient of test_loss_fn is zero at all test points")


# --------------------------------------------------------------------------------------
# Programs
# --------------------------------------------------------------------------------------


def test_products_in_blocks_hold_no_more_than_a_block_of_gradients():
    """The compiled program's scratch memory, on a problem whose n x p matrix would take 51 MB."""
    from course_utils import fitted_model

    n, p = 8000, 800
    loss = lambda w, z: jax.nn.softplus(z @ w)
    fit = FittedModel.at(loss, jnp.zeros(p), jnp.zeros((n, p)), l2=0.1, batch_size=100)
    s = jnp.zeros((2, p))
    programs = [
        (lambda fit, x, kept=kept: fitted_model._inner_products.__wrapped__(fit, x, None, kept))
        for kept in (True, False)
    ]
    programs += [lambda fit, x: fit.hessian_product()(x[0])]
    programs += [lambda fit, x: fitted_model._survey.__wrapped__(fit)[:3]]
    for program in programs:
        memory = jax.jit(program).lower(fit, s).compile().memory_analysis()
        assert memory.temp_size_in_bytes < 8 * n * p / 10


def test_only_a_small_model_keeps_the_gradients_of_its_examples():
    assert fitted()._example_gradients.shape == (40, 4)
    assert fitted(batch_size=7)._example_gradients is None
    wide = FittedModel(lambda p, z: 0.5 * jnp.sum(p**2) + 0 * z, jnp.zeros(2**12), np.zeros(1100))
    assert wide._example_gradients is None
