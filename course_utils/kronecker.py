r"""K-FAC and EK-FAC: the Fisher matrix of each layer of a network as nearly a Kronecker product.

For one example, the gradient with respect to the weights of a dense layer is an outer product,
$\nabla_W \ell = \bar a\, s^\top$: the layer's input with a 1 appended, times the gradient with
respect to the layer's output before the activation. The Fisher matrix of the layer is the mean of
$\bar a \bar a^\top \otimes s s^\top$, with (d+1)² k² entries; its two approximations here need a
matrix of side d+1 and one of side k. What couples two layers is left out.

Weights are (inputs, outputs) and raveled row by row, as everywhere in JAX, so the factor of the
inputs comes first: $(A \otimes S)\,\mathrm{vec}(V) = \mathrm{vec}(A V S)$ for symmetric A and S.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple, cast

import jax
import jax.numpy as jnp

from course_utils import trees
from course_utils._arguments import configured
from course_utils.curvature import check_batch_size
from course_utils.models import Layer, linear


class Factor(NamedTuple):
    r"""The Fisher matrix of one layer in its Kronecker-factored eigenbasis.

    $$F \approx (Q_A \otimes Q_S)\,\mathrm{diag}(\Lambda)\,(Q_A \otimes Q_S)^\top,$$

    with $A = E[\bar a \bar a^\top] = Q_A \Lambda_A Q_A^\top$ and $S = E[s s^\top] = Q_S \Lambda_S
    Q_S^\top$. A layer without bias has d inputs in place of d+1.
    """

    in_vectors: jax.Array
    """$Q_A$, shape (d+1, d+1): eigenvectors in columns, eigenvalues ascending, bias last."""
    out_vectors: jax.Array
    """$Q_S$, shape (k, k)."""
    eigenvalues: jax.Array
    r"""EK-FAC's $\Lambda_{ij} = E[(Q_A^\top \bar a)_i^2 (Q_S^\top s)_j^2]$, shape (d+1, k): the
    diagonal of F in this basis, hence the best diagonal there is for it."""
    product_eigenvalues: jax.Array
    r"""K-FAC's $(\Lambda_A)_i (\Lambda_S)_j$, shape (d+1, k): the eigenvalues of $A \otimes S$."""


@configured
def kronecker_factors(
    params: Sequence[Layer],
    X: jax.Array,
    *,
    activation: Callable[[jax.Array], jax.Array] = jnp.tanh,
    key: jax.Array | None = None,
    batch_size: int | None = None,
) -> list[Factor]:
    r"""Factor the Fisher matrix of each layer of ``models.mlp`` with ``models.cross_entropy``.

    Expectations are means over the n examples and over labels of the *model's* own distribution,
    $\mathrm{softmax}(z)$; the labels of the data play no part. With them summed out or drawn from
    it, F is the Fisher matrix, and for this loss the Gauss-Newton matrix.

    Args:
        params: one ``{"w", "b"}`` (or ``{"w"}``) per layer, floating-point.
        X: inputs, shape (n, d).
        activation: that of ``models.mlp``. It is a static argument: pass a named function, since a
            new lambda in every call is compiled in every call.
        key: a PRNG key draws one label per example, K-FAC's estimate at the price of a single
            backward pass; ``None`` sums over all k labels.
        batch_size: how many examples enter at a time; ``None`` takes all n. A number bounds the
            memory: n times k times the widths. The result is the same but for rounding.

    Returns:
        One ``Factor`` per layer, in units of nats / param². The function can be transformed by
        ``jit`` and ``vmap``, where values are not checked.

    Raises:
        ValueError: if ``params`` are no layers of floating-point matrices, X does not have shape
            (n, d) with n >= 1, ``batch_size`` is not positive, or a result is not finite.

    Source:
        Martens & Grosse, "Optimizing neural networks with Kronecker-factored approximate
        curvature", ICML 2015; George et al., "Fast approximate natural gradient descent in a
        Kronecker-factored eigenbasis", NeurIPS 2018, for the eigenvalues.
    """
    params = _layers(params)
    trees.check_floating("params", params)
    check_batch_size(batch_size)
    for i, layer in enumerate(params):
        if layer["w"].ndim != 2:
            raise ValueError(f"w of layer {i} must be (inputs, outputs): got {layer['w'].shape}")
    num_inputs = params[0]["w"].shape[0]
    if jnp.ndim(X) != 2 or jnp.shape(X)[0] < 1 or jnp.shape(X)[1] != num_inputs:
        raise ValueError(f"X must have shape (n, {num_inputs}), n >= 1: got {jnp.shape(X)}")
    factors, finite = _factors(params, X, key, activation, batch_size)
    if not isinstance(finite, jax.core.Tracer) and not finite:
        raise ValueError("NaN or infinity in X or params, or logits so large that they overflow")
    return factors


@partial(jax.jit, static_argnames=("activation", "batch_size"))
def _factors(params, X, key, activation, batch_size):
    n = len(X)
    examples = (X, None if key is None else jax.random.split(key, n))
    per_example = jax.vmap(partial(_inputs_and_gradients, params, activation))

    def second_moments(examples):
        return [(a.T @ a, jnp.einsum("ncj,nck->jk", s, s)) for a, s in per_example(*examples)]

    def squares_in(bases):
        return lambda examples: [
            ((a @ q_in) ** 2).T @ jnp.sum((s @ q_out) ** 2, axis=1)
            for (a, s), (q_in, q_out) in zip(per_example(*examples), bases)
        ]

    moments = trees.sum_over_blocks(second_moments, examples, batch_size)
    pairs = [(jnp.linalg.eigh(A / n), jnp.linalg.eigh(S / n)) for A, S in moments]
    bases = [(of_a.eigenvectors, of_s.eigenvectors) for of_a, of_s in pairs]
    squares = trees.sum_over_blocks(squares_in(bases), examples, batch_size)
    products = [  # what rounding makes negative is 0
        jnp.outer(*(jnp.maximum(found.eigenvalues, 0) for found in pair)) for pair in pairs
    ]
    factors = [Factor(*b, sq / n, product) for b, sq, product in zip(bases, squares, products)]
    return factors, jnp.isfinite(
        sum(jnp.sum(f.eigenvalues + f.product_eigenvalues) for f in factors)
    )


def _inputs_and_gradients(params, activation, x, key):
    r"""For each layer $\bar a$, shape (d+1,), and rows s with $s^\top s = E[ss^\top]$ for this x.

    The row of label c is $\sqrt{p_c}$ times the gradient for that label; that of a drawn label is
    the gradient itself. The derivative with respect to a layer's output is the derivative with
    respect to an offset of zero that is added there.
    """

    def forward(offsets):
        a, inputs = x, []
        for layer, offset in zip(params, offsets):
            inputs.append(jnp.append(a, 1) if "b" in layer else a)
            out = linear(layer, a) + offset
            a = activation(out)
        return out, (inputs, out)

    offsets = [jnp.zeros(layer["w"].shape[1], trees.dtype(params)) for layer in params]
    if key is None:
        jacobians, (inputs, z) = jax.jacrev(forward, has_aux=True)(offsets)
        p = jax.nn.softmax(z)
        rows = jnp.sqrt(p)[:, None] * (p - jnp.eye(len(p), dtype=p.dtype))
        return [(a, rows @ J) for a, J in zip(inputs, jacobians)]
    z, pull, (inputs, _) = jax.vjp(forward, offsets, has_aux=True)
    label = jax.random.categorical(key, z)
    (gradients,) = pull(jax.nn.softmax(z) - jax.nn.one_hot(label, len(z), dtype=z.dtype))
    return [(a, s[None]) for a, s in zip(inputs, gradients)]


@configured
def kronecker_solve(
    factors: Sequence[Factor],
    rows: Sequence[Layer],
    *,
    damping: float | jax.Array | Sequence[float | jax.Array],
    corrected: bool = True,
) -> list[Layer]:
    r"""Solve $(F + \delta I)\, x = v$ with the factored F, layer by layer.

    $$X = Q_A \left[\frac{Q_A^\top V Q_S}{\Lambda + \delta}\right] Q_S^\top,$$

    exact for the factored matrix; an approximation for the Fisher matrix of the network. Where
    F is zero it returns $v/\delta$.

    Args:
        factors: from ``kronecker_factors``.
        rows: v, a pytree like ``params``, or many of them: every axis in front of a layer's own is
            carried along.
        damping: $\delta > 0$, in the units of F; a number for all layers or one for each. It can
            be traced, then it is not checked. Zero is refused: S of the output layer is singular,
            since the gradients with respect to logits sum to zero.
        corrected: EK-FAC's eigenvalues; ``False`` takes K-FAC's.

    Returns:
        A list like ``rows``. The function can be transformed by ``jit``, ``vmap`` and ``grad``.

    Raises:
        ValueError: if ``rows`` do not have the layers of ``factors``, or a damping is not positive
            and finite.

    Source:
        as ``kronecker_factors``; Grosse et al., "Studying large language model generalization with
        influence functions", 2023, for the use as an inverse Hessian.
    """
    rows = _layers(rows)
    if len(rows) != len(factors):
        raise ValueError(f"rows have {len(rows)} layers, factors {len(factors)}")
    several = isinstance(damping, list | tuple) or getattr(damping, "ndim", 0) > 0
    deltas: list[Any] = list(cast(Any, damping)) if several else [damping] * len(factors)
    if len(deltas) != len(factors):
        raise ValueError(f"damping has {len(deltas)} numbers for {len(factors)} layers")
    for delta in deltas:
        if not isinstance(delta, jax.core.Tracer) and not 0 < delta < jnp.inf:
            raise ValueError(f"damping must be positive and finite: got {delta}")
    return [
        _solve_layer(i, factor, layer, delta, corrected)
        for i, (factor, layer, delta) in enumerate(zip(factors, rows, deltas))
    ]


def _solve_layer(i, factor, layer, damping, corrected):
    q_in, q_out = factor.in_vectors, factor.out_vectors
    v = layer["w"]
    if "b" in layer and v.ndim >= 2:
        if layer["b"].shape != (*v.shape[:-2], v.shape[-1]):
            raise ValueError(f"rows[{i}]: w is {v.shape} and b is {layer['b'].shape}")
        v = jnp.concatenate([v, layer["b"][..., None, :]], axis=-2)
    expected = len(q_in), len(q_out)
    if v.shape[-2:] != expected:
        raise ValueError(f"rows[{i}] is {v.shape[-2:]} with its bias, factors[{i}] is {expected}")
    spectrum = factor.eigenvalues if corrected else factor.product_eigenvalues
    x = q_in @ ((q_in.T @ v @ q_out) / (spectrum + damping)) @ q_out.T
    return {"w": x[..., :-1, :], "b": x[..., -1, :]} if "b" in layer else {"w": x}


def _layers(params):
    """``params`` as a list of layers of arrays, or a refusal that says what a layer is."""
    is_layer = lambda x: isinstance(x, dict) and "w" in x and set(x) <= {"w", "b"}
    if not isinstance(params, list | tuple) or not params or not all(map(is_layer, params)):
        raise ValueError('expected a list of layers {"w", "b"}, as from models.init_mlp')
    return [jax.tree.map(jnp.asarray, layer) for layer in params]
