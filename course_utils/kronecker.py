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
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple, cast

import jax
import jax.numpy as jnp
import numpy as np

from course_utils import _arguments, trees
from course_utils._arguments import configured
from course_utils.curvature import check_batch_size
from course_utils.models import Layer, linear
from course_utils.solvers import (
    APPROXIMATION,
    CONVERGED,
    INDEFINITE,
    Setting,
    System,
    default_tol,
    residual_and_curvature,
    static,
)

PyTree = Any


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


def _solve_layer(i, factor, layer, damping, corrected, damping_of_bias=None):
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
    x = (q_in.T @ v @ q_out) / (spectrum + damping)
    if damping_of_bias is not None:
        # The bias, e, is the last row: (M - c e e^T)^-1 for each column (Sherman-Morrison), with
        # 1 - c e^T M^-1 e as a sum of positive terms.
        e, c = q_in[-1], damping - damping_of_bias
        left = e**2 @ ((spectrum + damping_of_bias) / (spectrum + damping))
        x = x + e[:, None] / (spectrum + damping) * (c * (e @ x) / left)[..., None, :]
    x = q_in @ x @ q_out.T
    return {"w": x[..., :-1, :], "b": x[..., -1, :]} if "b" in layer else {"w": x}


def _is_layer(x):
    return isinstance(x, dict) and "w" in x and set(x) <= {"w", "b"}


def _layers(params):
    """``params`` as a list of layers of arrays, or a refusal that says what a layer is."""
    if not isinstance(params, list | tuple) or not params or not all(map(_is_layer, params)):
        raise ValueError('expected a list of layers {"w", "b"}, as from models.init_mlp')
    return [jax.tree.map(jnp.asarray, layer) for layer in params]


# --------------------------------------------------------------------------------------
# As a setting of ``influence``
# --------------------------------------------------------------------------------------


@jax.tree_util.register_dataclass
@dataclass(frozen=True, eq=False, repr=False)
class Kronecker(Setting):
    r"""Another matrix in place of $H_d$, layer by layer: K-FAC's or EK-FAC's, solved exactly.

    $$x = (\hat F + D)^{-1} b, \qquad D = \mathrm{diag}(\lambda) + \text{damping} \cdot I,$$

    with $\hat F$ from ``kronecker_factors``: the Gauss-Newton matrix of ``models.mlp`` with
    ``models.cross_entropy``, without what couples two layers and with one Kronecker product for
    what is left. For a p too large for iterations: a solve is four small products per layer, and
    one product with $H_d$ alone, for the residual.

    The status is "approximation", with the residual $\lVert b - H_d x\rVert$ in the certificate. As
    that is what was asked for, ``influence`` warns only where more than half of the rows have a
    residual of at least ‖b‖, which x = 0 has too: then an order of scores may still hold, and
    their sizes do not. A larger damping brings the two matrices together. "converged": they agree
    for this b to the tolerance of ``CG``. "indefinite", and no scores: x has met negative curvature
    of $H_d$, which ``curvature="ggn"`` does not have.

    Equal to itself alone, as arrays are not compared; another one of the same shapes compiles
    nothing.

    Attributes:
        factors: one for each layer of the params that count, in their order, and of their dtype;
            where ``select`` frees some layers, the factors of those. All of the model's inputs
            should have entered them: a mean.
        corrected: EK-FAC's eigenvalues; ``False`` takes K-FAC's.

    Raises:
        TypeError: factors that are none.
        ValueError: NaN or infinity in them. In use: params that count and are no dense layers, or
            others than the factors are of; one of w and b of a layer held fixed; l2 + damping zero
            somewhere, since the factored matrix is singular.

    Source:
        Grosse et al., "Studying large language model generalization with influence functions",
        2023; as ``kronecker_factors``.
    """

    factors: Sequence[Factor]
    corrected: bool = static(True)

    def __post_init__(self):
        if isinstance(self.factors, list):  # a list and a tuple are one program
            object.__setattr__(self, "factors", tuple(self.factors))
        super().__post_init__()

    def __repr__(self) -> str:
        layers = ", ".join("×".join(map(str, jnp.shape(f.eigenvalues))) for f in self.factors)
        return f"Kronecker([{layers}], corrected={self.corrected})"

    @configured
    def check(self) -> None:
        """Raise ``TypeError`` for what are no factors, ``ValueError`` for NaN in them."""
        _arguments.one_of("corrected", self.corrected, (True, False))
        given = self.factors if isinstance(self.factors, tuple) else ()
        if not given or not all(isinstance(factor, Factor) for factor in given):
            raise TypeError("factors must be a list from kronecker_factors(params, X)")
        known = lambda a: (
            isinstance(a, jax.Array | np.ndarray) and not isinstance(a, jax.core.Tracer)
        )
        if all(map(known, jax.tree.leaves(given))):
            trees.check_flags("factors", trees.finite_flags(given))

    def check_shift(self, shift: np.ndarray) -> None:
        """Raise ``ValueError`` unless l2 + damping is positive for every param, (p,)."""
        if not shift.min() > 0:
            raise ValueError(
                "Kronecker needs l2 + damping above zero for every param, as the factored matrix "
                "is singular: give the FittedModel a damping, or l2 in each leaf"
            )

    def solves_at_once(self, p: int) -> int:
        """How many right-hand sides to batch: many, as each is a row of one product."""
        return 1024

    def prepare(self, system: System, like: jax.Array) -> None:
        """Nothing is left to do: the factors are found."""

    def solve(self, system: System, prepared: None, B: jax.Array) -> tuple:
        """The factored inverse times every row, with the residual of the matrix itself."""
        first = lambda leaf: jnp.ravel(leaf)[0]  # l2 is one number for each leaf
        shift = jax.tree.map(first, system.as_params(system.shift))
        layers = solve_rows(self.factors, system.as_params(B), shift, self.corrected)
        x = trees.ravel_rows(layers).astype(B.dtype)
        residual_norm, curvature = residual_and_curvature(system.matvec, x, B)
        of_layers = [jnp.max(factor.eigenvalues) for factor in self.factors]
        largest = jnp.max(system.shift) + jnp.max(jnp.stack(of_layers))
        met = residual_norm <= default_tol(B.dtype) * jnp.linalg.norm(B, axis=1)
        negative = curvature < -10 * jnp.finfo(B.dtype).eps * largest
        status = jnp.where(negative, INDEFINITE, jnp.where(met, CONVERGED, APPROXIMATION))
        return x, residual_norm, status, 0, curvature, np.nan, None


def solve_rows(
    factors: Sequence[Factor], rows: PyTree, shift: PyTree, corrected: bool
) -> list[Layer]:
    r"""Solve $(F + D)\, x = v$ for many v, where D is diagonal with one number for each leaf.

    Args:
        factors: one for each layer of ``rows``, in the order of its tree.
        rows: params with a leading axis, made of dense layers; ``None`` for leaves held fixed.
        shift: a positive number for each of those leaves.
        corrected: as for ``kronecker_solve``.

    Raises:
        ValueError: if ``rows`` are not made of the layers that the factors are of.
    """
    layers, shifts = _free_layers(rows), _free_layers(shift)
    if len(layers) != len(factors):
        raise ValueError(
            f"{len(factors)} factors for {len(layers)} layers of params that count: give the "
            "factors of those layers alone, in their order"
        )
    found = []
    for i, (factor, layer, numbers) in enumerate(zip(factors, layers, shifts)):
        shape = layer["w"].shape[1:]
        if len(shape) == 2:
            shape = shape[0] + ("b" in layer), shape[1]
        if shape != factor.eigenvalues.shape or layer["w"].dtype != factor.eigenvalues.dtype:
            raise ValueError(
                f"factors[{i}] is {factor.eigenvalues.dtype}{list(factor.eigenvalues.shape)}, its "
                f"layer with its bias {layer['w'].dtype}{list(shape)}: take the factors of these "
                "params, kronecker_factors(params, X)"
            )
        found.append(_solve_layer(i, factor, layer, numbers["w"], corrected, numbers.get("b")))
    return found


def _free_layers(params):
    """The layers of a pytree in its order, without those whose leaves are all ``None``."""
    layers = jax.tree.leaves(params, is_leaf=_is_layer)
    if not all(map(_is_layer, layers)):
        raise ValueError(
            'the params that count must be dense layers {"w", "b"}, as from models.init_mlp: '
            "hold the others fixed with select"
        )
    counts = [{leaf is not None for leaf in layer.values()} for layer in layers]
    if {True, False} in counts:
        raise ValueError("w and b of a layer have one factor: select both of them or none")
    return [layer for layer, count in zip(layers, counts) if True in count]
