r"""The models of the course, as pure functions of a pytree of parameters.

Two rules hold throughout. A *prediction* takes one example or a batch of them: every axis in front
of the example's own is carried along, and ``predict(params, X)[i]`` is ``predict(params, X[i])``. A
*loss* takes one example and returns one number, so that nobody has to ask whether it is a mean or
a sum; ``jax.vmap`` makes it a loss per example, and ``training.empirical_risk`` the mean.

Linear regression, logistic regression and softmax regression are one function of the parameters,
``linear``; they differ in the loss: ``squared_error``, ``logistic_loss``, ``cross_entropy``.
"""

import math
from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp

Layer = dict[str, jax.Array]


# Predictions: one example, or any number of leading axes.


def linear(params: Layer, x: jax.Array) -> jax.Array:
    r"""An affine map of the features, $z = W^\top x + b$.

    Args:
        params: ``{"w", "b"}``: ``w`` of shape (d,) for one output or (d, k) for k of them, ``b`` of
            shape () or (k,). Without ``"b"`` the map is linear.
        x: features, shape (..., d).

    Returns:
        Shape (...) for ``w`` of shape (d,): the prediction of linear regression, or the logit of
        logistic regression. Shape (..., k) for (d, k): the logits of softmax regression.

    Raises:
        ValueError: if ``x`` and ``w`` disagree about d.
    """
    w = params["w"]
    if jnp.ndim(x) == 0 or jnp.shape(x)[-1] != w.shape[0]:
        raise ValueError(f"x of shape {jnp.shape(x)} does not end in the {w.shape[0]} inputs of w")
    return x @ w + params.get("b", 0.0)


def mlp(
    params: Sequence[Layer],
    x: jax.Array,
    *,
    activation: Callable[[jax.Array], jax.Array] = jnp.tanh,
) -> jax.Array:
    r"""A multilayer perceptron: $a_0 = x$, $a_{l+1} = \phi(W_l^\top a_l + b_l)$, none on the last.

    Args:
        params: one ``{"w", "b"}`` per layer, from ``init_mlp``.
        x: features, shape (..., d).
        activation: $\phi$, applied to each entry. The default is smooth, so that every curvature
            exists everywhere; the second derivative of ``jax.nn.relu`` is 0 wherever it exists.

    Returns:
        The outputs (logits, for ``cross_entropy``), shape (..., k).
    """
    *hidden, last = params
    for layer in hidden:
        x = activation(linear(layer, x))
    return linear(last, x)


def cnn(
    params: dict,
    x: jax.Array,
    *,
    activation: Callable[[jax.Array], jax.Array] = jnp.tanh,
) -> jax.Array:
    r"""A small convolutional network: 3 x 3 convolutions, the mean over the image, ``linear``.

    Each convolution has stride 2 and a border of one zero pixel, so it halves height and width,
    rounded up. Since the mean over positions follows, the parameters fit images of any size.

    Args:
        params: ``{"conv": [{"w", "b"}, ...], "out": {"w", "b"}}``, from ``init_cnn``.
        x: images, shape (..., height, width, channels): one image (h, w, c), or n of them.
        activation: applied to each entry after each convolution.

    Returns:
        The logits, shape (..., k).

    Raises:
        ValueError: if ``x`` has no three axes of its own, or another number of channels.

    Source:
        Springenberg et al., "Striving for simplicity: the all convolutional net", 2015 (strides in
        place of pooling).
    """
    channels = params["conv"][0]["w"].shape[2]
    if jnp.ndim(x) < 3 or jnp.shape(x)[-1] != channels:
        raise ValueError(f"x must be (..., height, width, {channels}): got shape {jnp.shape(x)}")
    for layer in params["conv"]:
        x = activation(_strided_convolution(x, layer["w"]) + layer["b"])
    return linear(params["out"], x.mean(axis=(-3, -2)))


def _strided_convolution(x: jax.Array, w: jax.Array) -> jax.Array:
    """Stride 2, zero border: (..., h, w, c) and (3, 3, c, c') to (..., ceil(h/2), ceil(w/2), c').

    Written as one matrix product with the patches: inside ``lax.scan`` on a CPU its gradient is
    several times faster than that of ``lax.conv``, and every leading axis comes for free.
    """
    height, width = x.shape[-3:-1]
    x = jnp.pad(x, [(0, 0)] * (x.ndim - 3) + [(1, 1), (1, 1), (0, 0)])
    patches = [x[..., i : i + height : 2, j : j + width : 2, :] for i in range(3) for j in range(3)]
    return jnp.concatenate(patches, axis=-1) @ w.reshape(-1, w.shape[-1])


# Parameters to start from.


def init_linear(num_features: int, num_outputs: int | None = None, *, bias: bool = False) -> Layer:
    """Zeros for ``linear``: its losses are convex, so the start does not matter.

    Args:
        num_features: d.
        num_outputs: k, for ``w`` of shape (d, k); None for one output, ``w`` of shape (d,).
        bias: whether there is a ``"b"``. The course's classifiers have none unless it says so,
            as in Koh & Liang (2017).

    Raises:
        ValueError: if a number is not positive.
    """
    _positive(num_features, *([] if num_outputs is None else [num_outputs]))
    outputs = () if num_outputs is None else (num_outputs,)
    params = {"w": jnp.zeros((num_features, *outputs))}
    return params | {"b": jnp.zeros(outputs)} if bias else params


def init_mlp(sizes: Sequence[int], *, gain: float = 1.0, key: jax.Array) -> list[Layer]:
    r"""Random weights for ``mlp``: $W_l \sim N(0, \mathrm{gain}^2/d_l)$, biases 0.

    With $d_l$ the layer's number of inputs, the size of the activations then changes little from
    layer to layer; without the division it would grow like the square root of the width.

    Args:
        sizes: inputs, hidden widths, outputs, e.g. ``(64, 16, 10)``: 1,210 parameters.
        gain: 1 suits tanh; $\sqrt 2$ suits ReLU, which loses half of the square.
        key: a PRNG key.

    Raises:
        ValueError: if there are fewer than two sizes, or one is not positive.

    Source:
        LeCun et al., "Efficient backprop", 1998; He et al., 2015, for the gain of ReLU.
    """
    if len(sizes) < 2:
        raise ValueError(f"sizes needs at least inputs and outputs: got {tuple(sizes)}")
    _positive(*sizes)
    keys = jax.random.split(key, len(sizes) - 1)
    return [
        _random_layer((inputs, outputs), gain, key=k)
        for k, inputs, outputs in zip(keys, sizes, sizes[1:])
    ]


def init_cnn(
    channels: Sequence[int], num_outputs: int, *, gain: float = 1.0, key: jax.Array
) -> dict:
    r"""Random parameters for ``cnn``, scaled as in ``init_mlp`` with $d_l = 9 c_l$ inputs.

    Args:
        channels: of the image, then of each convolution, e.g. ``(1, 8, 16)`` for grey images.
        num_outputs: k.
        gain: as in ``init_mlp``.
        key: a PRNG key.

    Returns:
        ``{"conv": [...], "out": ...}``; convolution weights have shape (3, 3, c_in, c_out).

    Raises:
        ValueError: if there is no convolution, or a number is not positive.
    """
    if len(channels) < 2:
        raise ValueError(f"channels needs the image's and one more: got {tuple(channels)}")
    _positive(*channels, num_outputs)
    *keys, last_key = jax.random.split(key, len(channels))
    conv = [
        _random_layer((3, 3, inputs, outputs), gain, key=k)
        for k, inputs, outputs in zip(keys, channels, channels[1:])
    ]
    return {"conv": conv, "out": _random_layer((channels[-1], num_outputs), gain, key=last_key)}


def _random_layer(shape: tuple[int, ...], gain: float, *, key: jax.Array) -> Layer:
    *inputs, outputs = shape
    scale = gain / math.sqrt(math.prod(inputs))
    return {"w": scale * jax.random.normal(key, shape), "b": jnp.zeros(outputs)}


def _positive(*numbers: int) -> None:
    for number in numbers:
        if number < 1:
            raise ValueError(f"numbers of units must be positive: got {number}")


# Losses of one example.


def squared_error(prediction: jax.Array, target: jax.Array) -> jax.Array:
    r"""Half the squared error of one example, $\tfrac12\|z - t\|^2$, summed over its outputs.

    The half makes the gradient in z the residual $z - t$ itself, and the Hessian in z the identity.

    Args:
        prediction: z, shape () or (k,).
        target: t, the same shape.

    Raises:
        ValueError: if the shapes differ. (Broadcasting (n, 1) against (n,) would fit n² residuals.)
    """
    if jnp.shape(prediction) != jnp.shape(target):
        raise ValueError(
            f"prediction {jnp.shape(prediction)} and target {jnp.shape(target)} differ in shape"
        )
    return 0.5 * jnp.sum((prediction - target) ** 2)


def logistic_loss(logit: jax.Array, label: jax.Array) -> jax.Array:
    r"""The negative log-likelihood of a label in {0, 1}: $\log(1 + e^{-s})$, $s = (2y-1)\,z$.

    Under the model $p(y{=}1) = \sigma(z)$. The derivative in z is $\sigma(z) - y$ and the second
    derivative $\sigma(z)(1-\sigma(z))$. Written with the margin s, it keeps its relative precision
    for a point that is fitted well, where $\log(1+e^z) - yz$ would round to 0.

    Args:
        logit: z, shape ().
        label: y, 0 or 1 (never -1), shape (). For any other number the loss and its gradient
            are NaN.

    Returns:
        Nats, shape ().

    Raises:
        ValueError: if ``logit`` is not one number.
    """
    _one_number("logit", logit)
    label = jnp.asarray(label)
    is_class = (label == 0) | (label == 1)
    minus_sign = jnp.where(is_class, jnp.where(label == 0, 1.0, -1.0), jnp.nan)
    return jnp.logaddexp(0.0, minus_sign * logit)


def cross_entropy(logits: jax.Array, label: jax.Array) -> jax.Array:
    r"""The negative log-likelihood of a class under softmax: $\log\sum_j e^{z_j} - z_y$.

    It takes logits, never probabilities: the Gauss-Newton matrix of the course is that of this
    function of z, whose Hessian is $\mathrm{diag}(p) - pp^\top$.

    Args:
        logits: z, shape (k,).
        label: y, an integer 0..k-1, shape (). For any other integer the loss and its gradient are
            NaN.

    Returns:
        Nats, shape ().

    Raises:
        ValueError: if ``logits`` is not one vector, or ``label`` not an integer.
    """
    logits = jnp.asarray(logits)
    if logits.ndim != 1:
        raise ValueError(f"logits of one example have shape (k,): got {jnp.shape(logits)}")
    label = jnp.asarray(label)
    if not jnp.issubdtype(label.dtype, jnp.integer):
        raise ValueError(f"label must be an integer class: got dtype {label.dtype}")
    is_class = (label >= 0) & (label < len(logits))
    return jnp.where(is_class, 1.0, jnp.nan) * (jax.nn.logsumexp(logits) - logits[label])


def smooth_hinge(margin: jax.Array, temperature: float) -> jax.Array:
    r"""The hinge with its corner rounded: $t\log(1 + e^{(1-s)/t})$, and $\max(1-s, 0)$ at $t = 0$.

    The hinge has second derivative 0 almost everywhere, so a support vector machine's Hessian knows
    nothing of its data. Here the second derivative is $\sigma(u)(1-\sigma(u))/t$ with
    $u = (1-s)/t$: a bump of width t around the corner. The value exceeds the hinge by at most
    $t\log 2$, reached at the corner.

    Args:
        margin: $s = yz$ with y **-1 or +1** and score z, shape ().
        temperature: t >= 0, in units of the margin; may be traced. At the corner of the exact
            hinge the derivative is taken to be -1/2, the limit for t -> 0.

    Raises:
        ValueError: if ``margin`` is not one number, or ``temperature`` is negative.

    Source:
        Koh & Liang, "Understanding black-box predictions via influence functions", 2017.
    """
    _one_number("margin", margin)
    if not isinstance(temperature, jax.core.Tracer) and not temperature >= 0:
        raise ValueError(f"temperature must not be negative: got {temperature}")
    gap = 1 - margin
    t = jnp.where(temperature > 0, temperature, 1.0)  # 1 stands in, so that no branch divides by 0
    return jnp.where(temperature > 0, t * jnp.logaddexp(0.0, gap / t), jnp.maximum(gap, 0.0))


def _one_number(name: str, value: jax.Array) -> None:
    if jnp.shape(value) != ():
        raise ValueError(
            f"{name} of one example has shape (): got {jnp.shape(value)}; jax.vmap takes a batch"
        )
