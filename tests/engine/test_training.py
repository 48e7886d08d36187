"""Training: closed forms, plain Python loops over optax, and scikit-learn's own fits."""

import functools
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from sklearn.linear_model import LogisticRegression, Ridge

from course_utils import data, models, trees
from course_utils.training import descend, empirical_risk, minimize

L2 = 1e-2


def squared_loss(params, example):
    x, y = example
    return models.squared_error(models.linear(params, x), y)


def logistic(params, example):
    x, y = example
    return models.logistic_loss(models.linear(params, x), y)


def softmax(params, example):
    x, y = example
    return models.cross_entropy(models.linear(params, x), y)


@pytest.fixture(scope="module")
def line():
    """Least squares with 12 examples of 3 features."""
    return data.linear_regression(12, 3, noise=0.5, seed=1)


@pytest.fixture(scope="module")
def ones_and_sevens():
    train, _ = data.split(*data.digits(classes=(1, 7)), 260)
    return train


# The risk


def test_the_risk_is_the_mean_loss_plus_half_l2_times_the_squared_norm(line):
    X, y = line
    w = np.array([1.0, -2.0, 0.5])
    expected = np.mean(0.5 * (X @ w - y) ** 2) + 0.3 / 2 * (w @ w)
    risk = empirical_risk(squared_loss, line, l2=0.3)
    np.testing.assert_allclose(risk({"w": w}), expected, rtol=1e-12)


def test_a_weight_of_zero_takes_an_example_out_and_leaves_n_and_l2(line):
    X, y = line
    params = {"w": jnp.array([1.0, -2.0, 0.5])}
    without = empirical_risk(squared_loss, line, l2=0.3, weights=jnp.ones(12).at[4].set(0))
    rest = empirical_risk(squared_loss, (np.delete(X, 4, 0), np.delete(y, 4)))
    penalty = 0.3 / 2 * jnp.sum(params["w"] ** 2)
    np.testing.assert_allclose(without(params), 11 / 12 * rest(params) + penalty, rtol=1e-12)


def test_l2_may_leave_the_bias_free(line):
    params = {"w": jnp.array([1.0, -2.0, 0.5]), "b": jnp.array(7.0)}
    plain, penalised = (
        empirical_risk(squared_loss, line, l2=l2)(params) for l2 in (0.0, {"w": 0.3, "b": 0.0})
    )
    np.testing.assert_allclose(penalised - plain, 0.3 / 2 * 5.25, rtol=1e-12)


# The loop


def test_gradient_descent_on_a_quadratic_follows_its_closed_form():
    h = np.array([1.0, 0.3, 0.01])
    A = data.matrix_with_spectrum(h, seed=0)
    w0, step_size, num_steps = jnp.array([1.0, -2.0, 3.0]), 1.5, 50
    quadratic = lambda w: 0.5 * w @ A @ w
    run = descend(quadratic, w0, optax.sgd(step_size), num_steps, record=lambda w: w)
    powers = [np.linalg.matrix_power(np.eye(3) - step_size * A, t) for t in range(num_steps + 1)]
    np.testing.assert_allclose(run.records, np.stack(powers[:-1]) @ w0, rtol=1e-10)
    np.testing.assert_allclose(run.params, powers[-1] @ w0, rtol=1e-10)
    np.testing.assert_allclose(run.losses, jax.vmap(quadratic)(run.records), rtol=1e-12)
    assert run.losses.shape == (num_steps,) and run.losses[0] == quadratic(w0)


@pytest.mark.parametrize("name", ["plain", "momentum", "adam", "lbfgs"])
def test_a_run_is_a_plain_loop_over_the_optimiser(line, name):
    optimizer = {
        "plain": optax.scale(-0.1), "momentum": optax.sgd(0.1, momentum=0.9),
        "adam": optax.adam(0.05), "lbfgs": optax.lbfgs(),
    }[name]  # fmt: skip
    risk = empirical_risk(squared_loss, line, l2=L2)
    params = models.init_linear(3, bias=True)
    run = descend(squared_loss, params, optimizer, 5, data=line, l2=L2)

    @jax.jit
    def step(params, state):
        value, grad = jax.value_and_grad(risk)(params)
        extra = {"value": value, "grad": grad, "value_fn": risk} if name == "lbfgs" else {}
        updates, state = optimizer.update(grad, state, params, **extra)
        return value, optax.apply_updates(params, updates), state

    state, losses = optimizer.init(params), []
    for _ in range(5):
        value, params, state = step(params, state)
        losses.append(value)
    np.testing.assert_allclose(run.losses, losses, rtol=1e-10)
    np.testing.assert_allclose(trees.ravel(run.params), trees.ravel(params), rtol=1e-10)
    assert run.records is None


def test_the_penalty_is_added_with_data_and_without(line):
    params, optimizer = {"w": jnp.ones(3)}, optax.sgd(0.1)
    by_hand = empirical_risk(squared_loss, line, l2=0.3)
    np.testing.assert_allclose(
        descend(squared_loss, params, optimizer, 4, data=line, l2=0.3).losses,
        descend(by_hand, params, optimizer, 4).losses,
        rtol=1e-12,
    )
    shrink = descend(lambda w: 0.0 * w, jnp.array(1.0), optax.sgd(0.5), 3, l2=0.3)
    np.testing.assert_allclose(shrink.params, (1 - 0.5 * 0.3) ** 3, rtol=1e-12)


@functools.partial(jax.jit, static_argnums=(0, 1, 2))
def visits_with(n, batch_size, num_steps, key):
    count = lambda w, i: -batch_size * w[i]  # every visit moves one coordinate by 1
    run = descend(
        count, jnp.zeros(n), optax.sgd(1.0), num_steps, data=jnp.arange(n),
        batch_size=batch_size, record=lambda w: w, key=key,
    )  # fmt: skip
    return jnp.diff(jnp.vstack([run.records, run.params]), axis=0)


def visits(n, batch_size, num_steps, *, seed=0):
    """Which of n examples each step used, (num_steps, n)."""
    return np.asarray(visits_with(n, batch_size, num_steps, jax.random.key(seed)))


def test_an_epoch_goes_once_through_the_data_in_an_order_of_its_own():
    used = visits(12, 3, 12)  # three epochs of four steps
    np.testing.assert_array_equal(used.sum(axis=1), 3)
    epochs = used.reshape(3, 4, 12)
    np.testing.assert_array_equal(epochs.sum(axis=1), 1)
    assert not np.array_equal(epochs[0], epochs[1]) and not np.array_equal(epochs[1], epochs[2])


def test_the_rows_that_do_not_fill_a_batch_sit_out_and_change_with_the_epoch():
    used = visits(11, 3, 60).reshape(20, 3, 11).sum(axis=1)
    assert set(used.ravel()) == {0, 1}
    np.testing.assert_array_equal(used.sum(axis=1), 9)
    assert (used.sum(axis=0) > 0).all()
    np.testing.assert_array_equal(visits(11, 3, 5), visits(11, 3, 60)[:5])  # an epoch cut short


def test_a_key_fixes_the_batches():
    np.testing.assert_array_equal(visits(12, 3, 12, seed=1), visits(12, 3, 12, seed=1))
    assert not np.array_equal(visits(12, 3, 12, seed=1), visits(12, 3, 12, seed=2))


def test_a_batch_of_all_examples_is_the_full_batch(line):
    run = lambda **options: descend(
        squared_loss, {"w": jnp.ones(3)}, optax.sgd(0.1), 6, data=line, l2=L2, **options
    )
    np.testing.assert_allclose(
        run().losses, run(batch_size=12, key=jax.random.key(0)).losses, rtol=1e-12
    )


def test_mini_batches_train_a_network_on_digits():
    train, test = data.split(*data.digits(), 1437)

    def loss(params, example):
        x, y = example
        return models.cross_entropy(models.mlp(params, x), y)

    start = models.init_mlp((64, 16, 10), key=jax.random.key(0))
    run = descend(
        loss, start, optax.adam(1e-2), 500, data=train, batch_size=64, key=jax.random.key(1)
    )
    accuracy = lambda params: jnp.mean(jnp.argmax(models.mlp(params, test.X), 1) == test.y)
    assert accuracy(start) < 0.3 and accuracy(run.params) > 0.93


def test_runs_with_their_own_step_size_and_key_go_side_by_side_under_jit_and_vmap(line):
    def run(step_size, key):
        start, optimizer = {"w": jnp.ones(3)}, optax.sgd(step_size)
        options = dict(data=line, batch_size=4, key=key)
        return descend(squared_loss, start, optimizer, 5, **options).losses

    step_sizes, keys = jnp.array([0.01, 0.1, 0.3]), jax.random.split(jax.random.key(0), 3)
    alone = jax.jit(run)
    np.testing.assert_allclose(
        jax.jit(jax.vmap(run))(step_sizes, keys),
        [alone(s, key) for s, key in zip(step_sizes, keys)],
        rtol=1e-12,
    )


def test_derivatives_pass_through_all_the_steps():
    # On h w²/2 from w = 1 the last loss is h (1 - sh)^(2K) / 2.
    h, K = 0.7, 6
    final = lambda s: 0.5 * h * descend(lambda w: 0.5 * h * w**2, 1.0, optax.sgd(s), K).params ** 2
    expected = 0.5 * h * 2 * K * (1 - 0.4 * h) ** (2 * K - 1) * -h
    np.testing.assert_allclose(jax.grad(final)(0.4), expected, rtol=1e-10)


def test_a_derivative_of_a_run_is_the_same_from_less_memory():
    """Without remat, each step keeps the hidden layers of all 500 examples for the way back."""
    X = jax.random.normal(jax.random.key(0), (500, 3))
    y = (X[:, 0] > 0).astype(int)
    params = models.init_mlp((3, 8, 2), key=jax.random.key(1))
    loss = lambda p, z: models.cross_entropy(models.mlp(p, z[0]), z[1])

    def final(step_size, remat):
        options = dict(data=(X, y), l2=L2, batch_size=100, key=jax.random.key(2), remat=remat)
        run = descend(loss, params, optax.sgd(step_size, momentum=0.9), 20, **options)
        return run.losses[-1] + trees.norm(run.params)

    def kept(remat):
        """Bytes from the way there to the way back."""
        back = jax.eval_shape(lambda s: jax.vjp(lambda s: final(s, remat), s)[1], 0.1)
        return sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(back))

    np.testing.assert_allclose(final(0.1, True), final(0.1, False), rtol=1e-12)
    slopes = [jax.grad(final)(0.1, remat) for remat in (True, False)]
    np.testing.assert_allclose(*slopes, rtol=1e-9)
    # All that is needed: the data, and of each step 50 params, their momentum and its 100 rows.
    needed = X.nbytes + y.nbytes + 20 * (2 * 50 + 100) * 8
    assert kept(True) < 1.1 * needed < kept(False) / 5


def test_a_run_that_diverges_can_be_looked_at():
    run = descend(lambda w: w**4, 10.0, optax.sgd(1.0), 50)
    assert run.losses[1] > run.losses[0] and not np.isfinite(run.losses[-1])


def test_no_steps_leave_the_start(line):
    run = descend(squared_loss, {"w": jnp.ones(3)}, optax.adam(1.0), 0, data=line)
    np.testing.assert_array_equal(run.params["w"], 1)
    assert run.losses.shape == (0,)
    run = descend(
        squared_loss, {"w": jnp.ones(3)}, optax.adam(1.0), 0, data=line, batch_size=5,
        key=jax.random.key(0), record=lambda params: params,
    )  # fmt: skip
    assert run.records["w"].shape == (0, 3)


# The optimum


@pytest.mark.parametrize(
    "source, method, tol",
    [("digits", "newton", 1e-12), ("breast_cancer", "newton", 1e-12), ("digits", "lbfgs", 1e-10)],
)
def test_logistic_regression_from_zeros_is_that_of_scikit_learn(
    ones_and_sevens, source, method, tol
):
    X, y = ones_and_sevens if source == "digits" else data.breast_cancer()
    risk = empirical_risk(logistic, (X, y), l2=L2)
    params, info = minimize(risk, models.init_linear(X.shape[1]), method=method, tol=tol)
    assert info.converged and info.gradient_norm <= tol
    np.testing.assert_allclose(
        info.gradient_norm, trees.norm(jax.grad(risk)(params)), rtol=1e-3, atol=1e-16
    )
    theirs = LogisticRegression(
        C=1 / (len(X) * L2), fit_intercept=False, solver="newton-cholesky", tol=1e-12
    ).fit(X, y)
    # The error of the parameters is at most the gradient's norm / l2.
    np.testing.assert_allclose(params["w"], theirs.coef_[0], rtol=0, atol=2 * tol / L2)


def test_softmax_regression_from_zeros_is_that_of_scikit_learn():
    (X, y), _ = data.split(*data.digits(classes=(3, 5, 8)), 300)
    params, info = minimize(empirical_risk(softmax, (X, y), l2=L2), models.init_linear(64, 3))
    assert info.converged
    theirs = LogisticRegression(C=1 / (300 * L2), fit_intercept=False, tol=1e-10, max_iter=10_000)
    # scikit-learn stops at a gradient of 1e-10 of the mean loss: 1e-8 of the parameters, with room.
    np.testing.assert_allclose(params["w"], theirs.fit(X, y).coef_.T, rtol=0, atol=1e-6)


def test_ridge_regression_takes_newton_one_step_and_is_that_of_scikit_learn():
    X, y = data.diabetes()
    params, info = minimize(empirical_risk(squared_loss, (X, y), l2=L2), models.init_linear(10))
    assert info.converged and info.num_steps == 1
    theirs = Ridge(alpha=442 * L2, fit_intercept=False).fit(X, y)
    np.testing.assert_allclose(params["w"], theirs.coef_, rtol=1e-10)


def test_a_free_bias_is_the_intercept_of_scikit_learn():
    X, y = data.diabetes(raw=True)
    X = (X - X.mean(0)) / X.std(0) + 1  # not centred, so that the intercept has work to do
    risk = empirical_risk(squared_loss, (X, y), l2={"w": L2, "b": 0.0})
    params, info = minimize(risk, models.init_linear(10, bias=True))
    theirs = Ridge(alpha=442 * L2).fit(X, y)
    assert info.converged
    np.testing.assert_allclose(params["w"], theirs.coef_, rtol=1e-8)
    np.testing.assert_allclose(params["b"], theirs.intercept_, rtol=1e-8)


def test_refits_without_each_point_in_turn_are_one_vmap(ones_and_sevens):
    X, y = (rows[:60] for rows in ones_and_sevens)

    def fit(weights):
        risk = empirical_risk(logistic, (X, y), l2=L2, weights=weights)
        return minimize(risk, models.init_linear(64))

    params, info = jax.jit(jax.vmap(fit))(1 - jnp.eye(60))
    assert info.converged.shape == (60,) and info.converged.all()
    for i in (0, 17, 59):
        # The 1/n and the l2 of all 60 points stay: C = 1/(60 l2) for 59 points.
        theirs = LogisticRegression(
            C=1 / (60 * L2), fit_intercept=False, solver="newton-cholesky", tol=1e-12
        ).fit(np.delete(X, i, 0), np.delete(y, i))
        np.testing.assert_allclose(params["w"][i], theirs.coef_[0], atol=1e-8)


def test_a_lane_of_a_vmap_is_the_fit_alone(line):
    fit = lambda weights: minimize(
        empirical_risk(squared_loss, line, l2=L2, weights=weights),
        models.init_linear(3, bias=True),
        method="lbfgs",  # for Newton's method the test above shows it
    )
    weights = jnp.ones((3, 12)).at[1, 4].set(0).at[2, :9].set(0)
    together, alone = jax.vmap(fit)(weights), jax.jit(fit)
    for i in range(3):
        params, info = alone(weights[i])
        assert info.num_steps == together[1].num_steps[i]
        np.testing.assert_allclose(together[0]["w"][i], params["w"], rtol=1e-7)  # tol / curvature


@pytest.mark.parametrize("method", ["newton", "lbfgs"])
def test_a_curved_valley_is_followed_to_its_end(method):
    rosenbrock = lambda w: (1 - w["x"]) ** 2 + 100 * (w["y"] - w["x"] ** 2) ** 2
    start = {"x": jnp.array(0.0), "y": jnp.array(2.0)}
    hessian = jax.hessian(lambda v: rosenbrock({"x": v[0], "y": v[1]}))(jnp.array([0.0, 2.0]))
    assert jnp.linalg.eigvalsh(hessian)[0] < 0  # where Newton's step would climb
    params, info = minimize(rosenbrock, start, method=method, tol=1e-9)
    assert info.converged
    np.testing.assert_allclose([params["x"], params["y"]], 1.0, rtol=1e-8)


def test_newton_is_damped_where_its_full_step_diverges():
    f = lambda x: jnp.sqrt(1 + x**2)  # the full step goes from x to -x³
    x = 3.0
    for _ in range(3):
        x = x - jax.grad(f)(x) / jax.hessian(f)(x)
    assert abs(x) > 1e10
    x, info = minimize(f, 3.0)
    assert info.converged and abs(x) < 1e-9


def test_a_flat_place_uphill_is_no_optimum():
    f = lambda x: 1 - jnp.exp(-(x**2))
    start = 0.69  # the full step lands at -14, where the gradient is 0 to 80 digits
    full_step = start - jax.grad(f)(start) / jax.hessian(f)(start)
    assert full_step < -10 and abs(jax.grad(f)(full_step)) < 1e-80
    x, info = minimize(f, start)
    assert info.converged and abs(x) < 1e-9


@pytest.mark.parametrize("method", ["newton", "lbfgs"])
def test_a_singular_hessian_is_no_obstacle(method):
    X, y = data.linear_regression(5, 20, noise=0.3)
    params, info = minimize(
        empirical_risk(squared_loss, (X, y)), models.init_linear(20), method=method
    )
    assert info.converged
    np.testing.assert_allclose(X @ params["w"], y, atol=1e-8)


@pytest.mark.parametrize("method", ["newton", "lbfgs"])
def test_what_has_not_converged_says_so(ones_and_sevens, method):
    risk = empirical_risk(logistic, ones_and_sevens, l2=L2)
    params, info = minimize(risk, models.init_linear(64), method=method, maxiter=3)
    assert not info.converged and info.num_steps == 3
    np.testing.assert_allclose(info.gradient_norm, trees.norm(jax.grad(risk)(params)), rtol=1e-10)
    assert info.gradient_norm > 1e-10
    _, info = minimize(lambda x: jnp.sqrt(x), -1.0, method=method)  # NaN from the start
    assert not info.converged and jnp.isnan(info.gradient_norm) and info.num_steps == 0


def test_newton_gives_up_where_there_is_no_minimum():
    _, info = minimize(lambda x: x, 1.0)
    assert not info.converged and info.gradient_norm == 1


def test_a_start_at_the_optimum_takes_no_steps():
    _, info = minimize(lambda x: 0.5 * jnp.sum(x**2), jnp.zeros(3))
    assert info.converged and info.num_steps == 0


@pytest.mark.parametrize("name", ["logistic", "flat", "raw"])
def test_newton_stops_where_rounding_leaves_nothing_to_gain(name):
    risk, d, floor = {
        "logistic": lambda: (empirical_risk(logistic, data.breast_cancer(), l2=L2), 30, 1e-15),
        "flat": lambda: (empirical_risk(squared_loss, data.linear_regression(5, 20)), 20, 1e-14),
        # Raw units: features up to 300 and a loss of 12,000 leave a gradient of 1e-11.
        "raw": lambda: (empirical_risk(squared_loss, data.diabetes(raw=True), l2=L2), 10, 1e-10),
    }[name]()
    _, info = minimize(risk, models.init_linear(d), tol=0.0, maxiter=1000)
    assert info.num_steps < 100 and info.gradient_norm < floor


def test_reverse_derivatives_through_the_iteration_are_refused_by_jax():
    with pytest.raises(ValueError, match="Reverse-mode differentiation does not work"):
        jax.grad(lambda a: minimize(lambda x: (x - a) ** 2, 0.0)[0])(1.0)


@pytest.mark.slow
def test_all_of_it_works_in_float32():
    code = """
import jax, jax.numpy as jnp, numpy as np, optax
from course_utils import data, models
from course_utils.training import descend, empirical_risk, minimize
train, _ = data.split(*data.digits(classes=(1, 7)), 260)
loss = lambda params, z: models.logistic_loss(models.linear(params, z[0]), z[1])
risk = empirical_risk(loss, train, l2=1e-2)
fits = [minimize(risk, models.init_linear(64), method=m) for m in ("newton", "lbfgs")]
for params, info in fits:
    assert params["w"].dtype == info.gradient_norm.dtype == jnp.float32
    assert info.converged and info.gradient_norm <= 1e-5, info
gap = jnp.abs(fits[0][0]["w"] - fits[1][0]["w"]).max()
assert gap < 2e-5 / 1e-2, gap  # two gradients of 1e-5, over l2
run = descend(loss, models.init_linear(64), optax.sgd(0.1), 20, data=train, l2=1e-2,
              batch_size=32, key=jax.random.key(0))
assert run.losses.dtype == run.params["w"].dtype == jnp.float32
assert run.losses[-1] < run.losses[0]
print("done")
"""
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert out.stdout.strip() == "done", out.stderr


# Refusals

W = {"w": jnp.zeros(2)}
XY = (np.ones((4, 2)), np.ones(4))
SGD = optax.sgd(0.1)
KEY = jax.random.key(0)


@pytest.mark.parametrize(
    "call, error, message",
    [
        (lambda: empirical_risk(squared_loss, (XY[0], XY[1][:3])), ValueError, "but data.* has 3"),
        (lambda: empirical_risk(squared_loss, (XY[0][:0], XY[1][:0])), ValueError, "no examples"),
        (
            lambda: empirical_risk(squared_loss, (XY[0], XY[1] * np.nan)),
            ValueError,
            r"NaN or infinity in data\[1\]",
        ),
        (
            lambda: empirical_risk(squared_loss, XY, weights=jnp.ones(3)),
            ValueError,
            r"weights must have shape \(4,\): got \(3,\)",
        ),
        (lambda: empirical_risk(squared_loss, XY, l2={"v": 1.0})(W), ValueError, "l2 must be a"),
        (
            lambda: empirical_risk(lambda p, z: p["w"] * z[1], XY)(W),
            ValueError,
            r"loss_fn must return a scalar: got shape \(2,\)",
        ),
        (lambda: descend(squared_loss, W, SGD, -1, data=XY), ValueError, "num_steps must not be"),
        (
            lambda: descend(squared_loss, W, SGD, 1, data=XY, batch_size=5, key=KEY),
            ValueError,
            "batch_size must be between 1 and 4: got 5",
        ),
        (
            lambda: descend(squared_loss, W, SGD, 1, data=XY, batch_size=0, key=KEY),
            ValueError,
            "batch_size must be between 1 and 4: got 0",
        ),
        (
            lambda: descend(squared_loss, W, SGD, 1, data=XY, batch_size=2),
            TypeError,
            "batch_size and key go together",
        ),
        (
            lambda: descend(squared_loss, W, SGD, 1, data=XY, key=KEY),
            TypeError,
            "batch_size and key go together",
        ),
        (
            lambda: descend(lambda w: w**2, 1.0, SGD, 1, batch_size=2, key=KEY),
            TypeError,
            "batch_size needs data",
        ),
        (
            lambda: descend(
                squared_loss, W, SGD, 1, data=(XY[0] / 0, XY[1]), batch_size=2, key=KEY
            ),
            ValueError,
            r"NaN or infinity in data\[0\]",
        ),
        (lambda: descend(lambda w: w**2, 1, SGD, 1), ValueError, "params is int.*floating-point"),
        (lambda: descend(lambda w: w**2, np.nan, SGD, 1), ValueError, "NaN or infinity in params"),
        (lambda: minimize(lambda w: w**2, 1), ValueError, "params is int.*floating-point"),
        (lambda: minimize(lambda w: w**2, np.inf), ValueError, "NaN or infinity in params"),
        (lambda: minimize(lambda w: w**2, 1.0, method="adam"), ValueError, "unknown method 'adam'"),
        (lambda: minimize(lambda w: w**2, 1.0, tol=-1.0), ValueError, "must not be negative"),
        (lambda: minimize(lambda w: w**2, 1.0, maxiter=-1), ValueError, "must not be negative"),
        (
            lambda: minimize(jnp.sum, jnp.ones(10_001)),
            ValueError,
            "10001 parameters are too many for 'newton': take 'lbfgs'",
        ),
    ],
)
@pytest.mark.filterwarnings("ignore:divide by zero")
def test_what_makes_no_sense_is_refused_in_words(call, error, message):
    with pytest.raises(error, match=message):
        call()
