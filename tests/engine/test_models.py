"""The models: hand-made values, independent implementations, and what they refuse."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.special
import sklearn.neural_network
from hypothesis import given, settings
from hypothesis import strategies as st

from course_utils import models

PREDICTIONS = {
    "linear regression": (models.linear, lambda: models.init_linear(5, bias=True), (5,)),
    "softmax regression": (models.linear, lambda: models.init_linear(5, 3, bias=True), (5,)),
    "mlp": (models.mlp, lambda: models.init_mlp((5, 4, 3), key=jax.random.key(0)), (5,)),
    "cnn": (models.cnn, lambda: models.init_cnn((2, 4, 6), 3, key=jax.random.key(0)), (9, 6, 2)),
}


def randomised(params):
    """``params`` with every entry drawn anew, biases too, so that no term is hidden by a zero."""
    leaves, tree = jax.tree.flatten(params)
    keys = jax.random.split(jax.random.key(1), len(leaves))
    return tree.unflatten([jax.random.normal(k, leaf.shape) for k, leaf in zip(keys, leaves)])


# Predictions


@pytest.mark.parametrize("name", PREDICTIONS)
def test_a_row_of_a_batch_is_the_prediction_of_that_example(name):
    predict, init, shape = PREDICTIONS[name]
    predict, params = jax.jit(predict), randomised(init())
    X = jax.random.normal(jax.random.key(2), (2, 3, *shape))  # two leading axes
    z = predict(params, X)
    assert z.shape == (2, 3) if name == "linear regression" else (2, 3, 3)
    for i, j in np.ndindex(2, 3):
        np.testing.assert_allclose(z[i, j], predict(params, X[i, j]), rtol=1e-12)
    np.testing.assert_allclose(predict(params, X[:0, 0]), z[:0, 0])  # an empty batch stays empty


@pytest.mark.parametrize("name", PREDICTIONS)
def test_predictions_and_losses_stay_in_float32(name):
    predict, init, shape = PREDICTIONS[name]
    params = jax.tree.map(lambda leaf: leaf.astype(jnp.float32), init())
    z = predict(params, jnp.ones(shape, jnp.float32))
    assert z.dtype == jnp.float32
    assert models.squared_error(z, z).dtype == jnp.float32
    one = z if z.ndim == 0 else z[0]
    assert models.logistic_loss(one, 1).dtype == jnp.float32
    assert models.smooth_hinge(one, 0.1).dtype == jnp.float32
    assert models.cross_entropy(jnp.atleast_1d(z), 0).dtype == jnp.float32


def test_linear_is_the_affine_map():
    w, b = np.array([[1.0, 2.0], [0.0, -1.0], [3.0, 0.5]]), np.array([10.0, 20.0])
    np.testing.assert_allclose(models.linear({"w": w}, np.array([1.0, 2.0, 3.0])), [10.0, 1.5])
    np.testing.assert_allclose(models.linear({"w": w, "b": b}, np.eye(3)), w + b)
    assert models.linear({"w": w[:, 0], "b": b[0]}, np.ones(3)) == 14.0


def test_the_mlp_is_that_of_scikit_learn():
    X = np.random.default_rng(0).normal(size=(20, 5))
    for activation, ours in [("tanh", jnp.tanh), ("relu", jax.nn.relu)]:
        theirs = sklearn.neural_network.MLPRegressor(
            hidden_layer_sizes=(4, 6), activation=activation
        )
        theirs.partial_fit(X, X[:, :3])
        params = [{"w": w, "b": b} for w, b in zip(theirs.coefs_, theirs.intercepts_)]
        assert all(np.abs(layer["b"]).min() > 0 for layer in params)
        np.testing.assert_allclose(
            models.mlp(params, X, activation=ours), theirs.predict(X), rtol=1e-10, atol=1e-12
        )


@pytest.mark.parametrize("shape", [(8, 8), (7, 5), (1, 1)])
def test_the_cnn_is_made_of_the_convolutions_of_lax(shape):
    params = randomised(models.init_cnn((2, 3, 4), 5, key=jax.random.key(0)))
    x = jax.random.normal(jax.random.key(3), (6, *shape, 2))

    @jax.jit
    def by_lax(params, z):
        for layer in params["conv"]:
            z = jax.lax.conv_general_dilated(
                z, layer["w"], (2, 2), [(1, 1), (1, 1)], dimension_numbers=("NHWC", "HWIO", "NHWC")
            )
            z = jnp.tanh(z + layer["b"])
        return z.mean(axis=(1, 2)) @ params["out"]["w"] + params["out"]["b"]

    expected = by_lax(params, x)
    np.testing.assert_allclose(jax.jit(models.cnn)(params, x), expected, rtol=1e-10, atol=1e-12)


# Initial parameters


def test_the_two_networks_of_the_course_have_the_sizes_that_it_states():
    count = lambda params: sum(leaf.size for leaf in jax.tree.leaves(params))
    assert count(models.init_mlp((64, 16, 10), key=jax.random.key(0))) == 1210
    assert count(models.init_linear(64, 10)) == 640
    assert count(models.init_linear(64, 10, bias=True)) == 650


def test_activations_keep_their_size_from_layer_to_layer():
    # Square activations average to 1 for a linear net with gain 1, and for ReLU with gain sqrt(2).
    X = jax.random.normal(jax.random.key(0), (50, 400))
    for activation, gain in [(lambda a: a, 1.0), (jax.nn.relu, np.sqrt(2))]:
        params = models.init_mlp([400] * 6, gain=gain, key=jax.random.key(1))
        assert not any(layer["b"].any() for layer in params)
        # The last layer halves nothing, hence 2 for ReLU. Half of it is room for chance: the mean
        # square has a relative scatter of about sqrt(5 layers * 5 / width 400) = 0.25.
        mean_square = jnp.mean(models.mlp(params, X, activation=activation) ** 2)
        np.testing.assert_allclose(mean_square, gain**2, rtol=0.5)


def test_convolution_weights_are_scaled_by_nine_times_the_channels():
    params = models.init_cnn((16, 256), 4, key=jax.random.key(0))
    w = params["conv"][0]["w"]
    assert w.shape == (3, 3, 16, 256)
    # The standard error of a variance of 36,864 draws is sqrt(2 / 36864) = 0.7 %.
    np.testing.assert_allclose(jnp.var(w), 1 / (9 * 16), rtol=0.03)


def test_one_key_gives_one_network_and_layers_do_not_share_their_draws():
    for init in [
        lambda key: models.init_mlp((4, 4, 4), key=key),
        lambda key: models.init_cnn((4, 4, 4), 4, key=key),
    ]:
        one, same, other = (jax.tree.leaves(init(jax.random.key(s))) for s in (0, 0, 1))
        weights = [leaf for leaf in one if leaf.any()]
        assert len(weights) >= 2
        assert all((a == b).all() for a, b in zip(one, same))
        assert not any((a == b).all() for a, b in zip(one, other) if a.any())
        firsts = {float(leaf.ravel()[0] / jnp.std(leaf)) for leaf in weights}
        assert len(firsts) == len(weights)


# Losses of one example


def test_squared_error_has_the_residual_for_gradient():
    z, t = jnp.array([3.0, -1.0]), jnp.array([1.0, 1.0])
    assert models.squared_error(z, t) == 4.0
    np.testing.assert_array_equal(jax.grad(models.squared_error)(z, t), z - t)
    np.testing.assert_array_equal(jax.hessian(models.squared_error)(z, t), np.eye(2))


@pytest.mark.parametrize("z", [-750.0, -40.0, -1.0, 0.0, 2.0, 40.0, 750.0])
def test_logistic_loss_keeps_its_digits_at_any_logit(z):
    # SciPy's log_expit and expit are the independent values, exact in both tails.
    for y, sign in [(0, -1), (1, 1)]:
        np.testing.assert_allclose(
            models.logistic_loss(z, y), -scipy.special.log_expit(sign * z), rtol=1e-12
        )
        slope, curvature = jax.grad(models.logistic_loss), jax.hessian(models.logistic_loss)
        np.testing.assert_allclose(slope(z, y), -sign * scipy.special.expit(-sign * z), rtol=1e-12)
        # The curvature may round to 0 where it is below the rounding of 1.
        expected = scipy.special.expit(z) * scipy.special.expit(-z)
        np.testing.assert_allclose(curvature(z, y), expected, rtol=1e-12, atol=1e-15)


@settings(max_examples=30, deadline=None)
@given(
    z=st.lists(st.floats(-100, 100), min_size=2, max_size=6),
    shift=st.floats(-1e3, 1e3),
    data=st.data(),
)
def test_cross_entropy_is_minus_the_log_softmax(z, shift, data):
    label = data.draw(st.integers(0, len(z) - 1))
    expected = -scipy.special.log_softmax(z)[label]
    np.testing.assert_allclose(
        models.cross_entropy(jnp.array(z) + shift, label), expected, rtol=1e-10, atol=1e-10
    )


def test_the_hessian_of_cross_entropy_in_the_logits_is_diag_p_minus_ppt():
    z = jnp.array([0.3, -1.2, 2.0])
    p = scipy.special.softmax(z)
    for label in range(3):
        gradient, hessian = jax.grad(models.cross_entropy), jax.hessian(models.cross_entropy)
        np.testing.assert_allclose(gradient(z, label), p - np.eye(3)[label], rtol=1e-12)
        np.testing.assert_allclose(hessian(z, label), np.diag(p) - np.outer(p, p), atol=1e-14)


def test_cross_entropy_of_two_classes_is_the_logistic_loss():
    for z in (-3.0, 0.0, 5.0):
        for y in (0, 1):
            np.testing.assert_allclose(
                models.cross_entropy(jnp.array([0.0, z]), y), models.logistic_loss(z, y), rtol=1e-12
            )


@pytest.mark.parametrize("transform", [lambda f: f, jax.jit], ids=["plain", "jit"])
def test_a_label_that_is_no_class_gives_nan_in_the_loss_and_its_gradient(transform):
    for loss, z, labels in (
        (models.cross_entropy, np.zeros(3), (3, 7, -1, np.uint8(255))),
        (models.logistic_loss, 0.5, (-1, 2, 0.3, -1.0, np.nan)),
    ):
        value_and_slope = transform(jax.value_and_grad(loss))
        for label in labels:
            value, slope = value_and_slope(z, label)
            assert jnp.isnan(value) and jnp.isnan(slope).all(), (loss, label)


def test_the_smooth_hinge_lies_above_the_hinge_by_at_most_t_log_2():
    s = jnp.linspace(-2, 4, 601)
    corner = 300  # s = 1
    for t in (1.0, 0.1, 1e-3, 1e-8, 1e-100):
        gap = jax.vmap(models.smooth_hinge, (0, None))(s, t) - jnp.maximum(1 - s, 0)
        rounding = 1e-15  # of 1 - s
        assert (gap >= -rounding).all()
        np.testing.assert_allclose(jnp.max(gap), t * np.log(2), atol=4 * rounding)
        assert jnp.argmax(gap) == corner or t < 1e-15


@pytest.mark.parametrize("t", [1.0, 0.1, 1e-3, 1e-10, 1e-300])
def test_the_smooth_hinge_has_a_bump_of_width_t_for_curvature(t):
    u = np.array([-30.0, -2.0, 0.0, 1.5, 30.0])  # (1 - s) / t
    for ui in u:
        s = 1 - t * ui
        ui = (1 - s) / t  # what rounding of s has left of it
        p, q = scipy.special.expit(ui), scipy.special.expit(-ui)
        np.testing.assert_allclose(models.smooth_hinge(s, t), -t * scipy.special.log_expit(-ui))
        np.testing.assert_allclose(jax.grad(models.smooth_hinge)(s, t), -p, rtol=1e-12)
        curvature = jax.grad(jax.grad(models.smooth_hinge))(s, t)
        np.testing.assert_allclose(curvature, p * q / t, rtol=1e-9, atol=1e-14 / t)  # eps * 30


@pytest.mark.parametrize("s", [-3.0, 0.999, 1.0, 1.001, 3.0])
def test_temperature_zero_is_the_exact_hinge(s):
    expected, slope = max(1 - s, 0.0), {True: -1.0, False: 0.0}[s < 1] if s != 1 else -0.5
    for function in (models.smooth_hinge, jax.jit(models.smooth_hinge)):
        assert function(s, 0.0) == expected
        assert jax.grad(function)(s, 0.0) == slope
        assert jax.grad(jax.grad(function))(s, 0.0) == 0
        assert jnp.isfinite(jax.grad(function, argnums=1)(s, 0.0))


def test_a_smooth_hinge_of_many_temperatures_in_one_vmap():
    values = jax.vmap(models.smooth_hinge, (None, 0))(0.5, jnp.array([0.0, 0.1, 1.0]))
    np.testing.assert_allclose(
        values, [0.5, 0.1 * np.log1p(np.exp(5.0)), np.log1p(np.exp(0.5))], rtol=1e-12
    )


# Refusals


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: models.linear({"w": jnp.ones(3)}, jnp.ones((5, 4))), "does not end in the 3"),
        (lambda: models.linear({"w": jnp.ones(3)}, 1.0), "does not end in the 3"),
        (
            lambda: models.mlp(models.init_mlp((3, 2), key=jax.random.key(0)), jnp.ones(4)),
            "does not end in the 3",
        ),
        (
            lambda: models.cnn(models.init_cnn((1, 2), 2, key=jax.random.key(0)), jnp.ones((8, 8))),
            r"must be \(\.\.\., height, width, 1\): got shape \(8, 8\)",
        ),
        (lambda: models.init_linear(0), "must be positive: got 0"),
        (lambda: models.init_linear(3, -1), "must be positive: got -1"),
        (lambda: models.init_mlp((3,), key=jax.random.key(0)), "at least inputs and outputs"),
        (lambda: models.init_mlp((3, 0, 1), key=jax.random.key(0)), "must be positive: got 0"),
        (lambda: models.init_cnn((1,), 2, key=jax.random.key(0)), "the image's and one more"),
        (lambda: models.squared_error(jnp.ones((4, 1)), jnp.ones(4)), "differ in shape"),
        (lambda: models.logistic_loss(jnp.ones(4), 1), r"shape \(\): got \(4,\)"),
        (lambda: models.smooth_hinge(jnp.ones(4), 0.1), "jax.vmap takes a batch"),
        (lambda: models.smooth_hinge(0.5, -0.1), "must not be negative: got -0.1"),
        (lambda: models.smooth_hinge(0.5, float("nan")), "must not be negative: got nan"),
        (lambda: models.cross_entropy(jnp.ones((4, 3)), jnp.ones(4, int)), r"have shape \(k,\)"),
        (lambda: models.cross_entropy(jnp.ones(3), 1.0), "must be an integer class: got dtype"),
    ],
)
def test_what_makes_no_sense_is_refused_in_words(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize("dtype", [np.uint8, np.int32, bool, np.float32])
def test_the_logistic_loss_takes_labels_of_every_dtype(dtype):
    for label in (0, 1):
        want = np.log1p(np.exp(0.7 if label == 0 else -0.7))
        got = models.logistic_loss(0.7, np.array(label, dtype))
        np.testing.assert_allclose(got, want, rtol=1e-6)  # float32


def test_cross_entropy_takes_numpy_logits_and_labels_of_few_bits():
    np.testing.assert_allclose(models.cross_entropy(np.zeros(3), np.uint8(2)), np.log(3), rtol=1e-6)
