"""The networks of W3 and W7, and the models of W4 with their data: seeded weights."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from course_utils import data, models

KINDS = ("logistic regression", "MLP", "CNN", "transformer")


# Layers of an MLP or a CNN in one list; a convolution is told by the four axes of its weights.


def random_layers(shapes, rng):
    """Normal weights of variance 1 / inputs, small biases."""
    return [
        {
            "w": rng.normal(size=shape) / np.sqrt(np.prod(shape[:-1])),
            "b": 0.1 * rng.normal(size=shape[-1]),
        }
        for shape in shapes
    ]


def predict(layers, x):
    """The logits of one example, by ``models.cnn`` or ``models.mlp``."""
    if layers[0]["w"].ndim == 4:
        *convolutions, out = layers
        return models.cnn({"conv": convolutions, "out": out}, x)
    return models.mlp(layers, x)


def network(kind):
    """Weights to start from, for 8 x 8 pixels: two MLPs, and a CNN of 8 and 16 channels."""
    shapes = {
        "small mlp": [(64, 8), (8, 10)],
        "mlp": [(64, 64), (64, 32), (32, 10)],
        "cnn": [(3, 3, 1, 8), (3, 3, 8, 16), (16, 10)],
    }
    return random_layers(shapes[kind], np.random.default_rng(0))


def layers_of(arrays, number):
    """The layers, out of arrays ``w0``, ``b0``, ``w1``, ..."""
    return [{"w": arrays[f"w{i}"], "b": arrays[f"b{i}"]} for i in range(number)]


def named(layers):
    """The reverse of ``layers_of``."""
    return {f"{name}{i}": a for i, layer in enumerate(layers) for name, a in layer.items()}


def multiplications(layers, height):
    """Of one forward pass of one example whose image is ``height`` pixels high (and wide)."""
    total = 0
    for layer in layers:
        if layer["w"].ndim == 4:
            height = -(-height // 2)
        total += layer["w"].size * (height**2 if layer["w"].ndim == 4 else 1)
    return total


# W4


class Task(NamedTuple):
    """A model with one batch; the loss is the mean cross entropy of all its predictions."""

    predict: Any  # (params, x) -> logits, (..., k)
    params: Any
    x: Any
    y: Any
    v: Any  # what H and G are multiplied by

    def loss(self, z):
        """The mean over all predictions; ``z`` are the logits."""
        chosen = jnp.take_along_axis(z, self.y[..., None], axis=-1)[..., 0]
        return jnp.mean(jax.nn.logsumexp(z, axis=-1) - chosen)


def task(kind, tiny, dtype):
    """The model, its seeded weights, its batch and a direction, as NumPy arrays of one dtype."""
    rng = np.random.default_rng(0)
    of_batch = jax.vmap(predict, in_axes=(None, 0))
    if kind == "logistic regression":
        (X, y), _ = data.split(*data.digits(), 1437)
        X, y, function = X[: 50 if tiny else None], y[: 50 if tiny else None], models.linear
        params = {"w": 0.1 * rng.normal(size=(64, 10)), "b": 0.1 * rng.normal(size=10)}
    elif kind == "MLP":  # 1,003,818 parameters
        sizes = (20, 16, 10) if tiny else (784, 832, 416, 10)
        params, function = random_layers(list(zip(sizes, sizes[1:])), rng), of_batch
        X, y = rng.normal(size=(8 if tiny else 512, sizes[0])), rng.integers(10, size=512)
    elif kind == "CNN":
        a, b = (4, 8) if tiny else (32, 64)
        shapes, function = [(3, 3, 1, a), (3, 3, a, b), (b, 10)], of_batch
        params, y = random_layers(shapes, rng), rng.integers(10, size=256)
        X = rng.normal(size=(8 if tiny else 256, 28, 28, 1))
    else:  # 1,008,768 parameters
        length, width = (8, 24) if tiny else (128, 192)
        params, function = random_transformer(2, width, 256, length, rng), transformer
        X, y = rng.integers(256, size=(2, 4 if tiny else 32, length))
    y = y[: len(X)].astype(np.int32)
    X = X.astype(np.int32 if X.dtype.kind == "i" else dtype)
    params = jax.tree.map(lambda a: a.astype(dtype), params)
    v = jax.tree.map(lambda a: rng.normal(size=a.shape).astype(dtype), params)
    return Task(function, params, X, y, v)


def random_transformer(num_layers, d, vocabulary, length, rng):
    """Weights of ``transformer``."""
    normal = lambda *shape: rng.normal(size=shape) / np.sqrt(shape[0])
    block = lambda: {
        "qkv": normal(d, 3 * d),
        "out": normal(d, d),
        "up": normal(d, 4 * d),
        "down": normal(4 * d, d),
    }
    return {
        "words": rng.normal(size=(vocabulary, d)),
        "places": 0.1 * rng.normal(size=(length, d)),
        "blocks": [block() for _ in range(num_layers)],
        "logits": normal(d, vocabulary),
    }


def transformer(params, words, heads=6):
    """The logits of the next word at each place, (batch, length, vocabulary)."""
    standard = lambda a: (a - a.mean(-1, keepdims=True)) / jnp.sqrt(a.var(-1, keepdims=True) + 1e-5)
    x = params["words"][words] + params["places"]  # (batch, length, d)
    batch, length, d = x.shape
    causal = jnp.tril(jnp.ones((length, length), bool))
    for block in params["blocks"]:
        split = (standard(x) @ block["qkv"]).reshape(batch, length, 3, heads, d // heads)
        q, k, v = jnp.moveaxis(split, 2, 0)
        match = jnp.einsum("bihd,bjhd->bhij", q, k) / np.sqrt(d // heads)
        weights = jax.nn.softmax(jnp.where(causal, match, -jnp.inf), axis=-1)
        seen = jnp.einsum("bhij,bjhd->bihd", weights, v).reshape(batch, length, d)
        x = x + seen @ block["out"]
        x = x + jax.nn.gelu(standard(x) @ block["up"]) @ block["down"]
    return standard(x) @ params["logits"]


def flat(tree):
    """All numbers in one vector, in the order of the leaves."""
    return np.concatenate([np.ravel(leaf) for leaf in jax.tree.leaves(tree)])


def compiled(work, task):
    """``work(task)`` as a function without arguments; the task's arrays are arguments to XLA."""
    predict, arrays = task.predict, jax.tree.map(jnp.asarray, task._replace(predict=None))
    function = jax.jit(lambda arrays: work(arrays._replace(predict=predict)))
    return lambda: flat(jax.block_until_ready(function(arrays)))


def by_hand(task):
    """H v as the gradient of ∇f · v (reverse over reverse), and J' H_z J v with H_z written out."""

    def hessian_product(task):
        slope = jax.grad(lambda params: task.loss(task.predict(params, task.x)))
        along = lambda params: sum(
            jnp.vdot(g, v) for g, v in zip(jax.tree.leaves(slope(params)), jax.tree.leaves(task.v))
        )
        return jax.grad(along)(task.params)

    def gauss_newton_product(task):
        outputs = lambda params: task.predict(params, task.x)
        z, forwards = jax.jvp(outputs, (task.params,), (task.v,))
        P = jax.nn.softmax(z)
        curved = P * (forwards - jnp.sum(P * forwards, axis=-1, keepdims=True)) / P[..., 0].size
        return jax.vjp(outputs, task.params)[1](curved)

    return {
        "HVP": compiled(hessian_product, task)(),
        "GGN product": compiled(gauss_newton_product, task)(),
    }
