r"""Products with curvature matrices, and what can be learned from products alone.

The Hessian $H$ of a loss with p parameters has p² entries; its product with a vector costs a few
gradients. Everything here is such a product, or a question that products answer. Products run at
the highest matmul precision, whatever the device's default.
"""

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from course_utils import trees
from course_utils._arguments import configured

PyTree = Any
Matvec = Callable[[PyTree], PyTree]


@configured
def hvp(f: Callable[[PyTree], jax.Array], params: PyTree, v: PyTree) -> PyTree:
    r"""Multiply the Hessian of ``f`` at ``params`` by ``v``: $\nabla^2 f(\theta)\, v$.

    The derivative of the gradient along $v$, forward over reverse: no matrix is formed, and the
    cost is about that of two gradients.

    Args:
        f: ``params -> scalar``; a mean or a sum over examples, which the result inherits.
        params: pytree of floating-point arrays.
        v: pytree with the structure, shapes and dtypes of ``params``.

    Returns:
        Pytree like ``params``, in units of loss / param when ``v`` is in units of param. It can be
        transformed by ``jit``, ``vmap`` and ``grad``.

    Raises:
        ValueError: if ``params`` is not floating-point, or ``v`` does not match it.

    Source:
        Pearlmutter, "Fast exact multiplication by the Hessian", Neural Computation 6(1), 1994.
    """
    _check_pair(params, v)
    return jax.jvp(jax.grad(f), (params,), (v,))[1]


@configured
def hvp_operator(f: Callable[[PyTree], jax.Array], params: PyTree) -> Matvec:
    r"""The map $v \mapsto \nabla^2 f(\theta)\, v$, linearised once and applied many times.

    Whatever depends on ``params`` alone is computed here and kept, so that each product costs less
    than ``hvp``: the form to hand to a solver.

    Args:
        f: ``params -> scalar``; a mean or a sum over examples, which the result inherits.
        params: pytree of floating-point arrays.

    Returns:
        A linear function from pytrees like ``params`` to pytrees like ``params``. Making it and
        applying it can be transformed by ``jit``, ``vmap`` and ``grad``.

    Raises:
        ValueError: if ``params`` is not floating-point.
    """
    trees.check_floating("params", params)
    return jax.linearize(jax.grad(f), params)[1]


@configured
def ggnvp(
    predict: Callable[[PyTree], jax.Array],
    loss: Callable[[jax.Array], jax.Array],
    params: PyTree,
    v: PyTree,
) -> PyTree:
    r"""Multiply the generalised Gauss-Newton matrix by ``v``: $J^\top H_z J\, v$.

    With outputs $z = f(\theta)$, $J = \partial f/\partial\theta$, $H_z = \nabla_z^2\,\ell(z)$ this
    is the Hessian of the loss of the linearised model. It is positive semi-definite whenever the
    loss is convex in $z$, even where the Hessian is not: conjugate gradients can then be used.
    So $z$ must be what the loss is convex in, the logits and not the probabilities.

    Args:
        predict: ``params -> z`` with the inputs closed over; ``z`` is an array of any shape.
        loss: ``z -> scalar`` with the targets closed over; a mean or a sum over examples, which the
            result inherits.
        params: pytree of floating-point arrays.
        v: pytree with the structure, shapes and dtypes of ``params``.

    Returns:
        Pytree like ``params``, in units of loss / param when ``v`` is in units of param. It can be
        transformed by ``jit``, ``vmap`` and ``grad``.

    Raises:
        ValueError: if ``params`` is not floating-point, or ``v`` does not match it.

    Source:
        Schraudolph, "Fast curvature matrix-vector products for second-order gradient descent",
        Neural Computation 14(7), 2002.
    """
    _check_pair(params, v)
    return _pull_back(predict, lambda z: hvp_operator(loss, z), params)(v)


@configured
def fvp(predict: Callable[[PyTree], jax.Array], params: PyTree, v: PyTree) -> PyTree:
    r"""Multiply the Fisher matrix of a categorical model by ``v``, in the mean over examples.

    $$F = \frac1n \sum_i J_i^\top \bigl(\mathrm{diag}(\pi_i) - \pi_i \pi_i^\top\bigr) J_i,
      \qquad \pi_i = \mathrm{softmax}(z_i).$$

    The labels are summed out under the model's own probabilities $\pi_i$; the labels of the data
    play no part. (With those one gets the "empirical Fisher", which fades as the data are fitted.)

    Args:
        predict: ``params -> z`` with the inputs closed over; logits of shape ``(n, k)``.
        params: pytree of floating-point arrays.
        v: pytree with the structure, shapes and dtypes of ``params``.

    Returns:
        Pytree like ``params``: units of nats / param when ``v`` is in units of param. It can be
        transformed by ``jit``, ``vmap`` and ``grad``.

    Raises:
        ValueError: if ``params`` is not floating-point, ``v`` does not match it, or the logits do
            not have two axes.

    Source:
        Martens, "New insights and perspectives on the natural gradient method", JMLR 21, 2020, for
        the three matrices and how they differ.
    """
    _check_pair(params, v)

    def metric(z):
        if z.ndim != 2:
            raise ValueError(f"predict must return logits of shape (n, k), got {z.shape}")
        p = jax.nn.softmax(z)  # (n, k)
        return lambda u: (p * u - p * jnp.sum(p * u, axis=1, keepdims=True)) / len(z)

    return _pull_back(predict, metric, params)(v)


@dataclass(frozen=True)
class Composition:
    """``loss(params, (x, y)) = criterion(predict(params, x), y)``, with its two parts at hand."""

    predict: Callable[[PyTree, PyTree], jax.Array]
    criterion: Callable[[jax.Array, PyTree], jax.Array]

    def __call__(self, params: PyTree, example: tuple[PyTree, PyTree]) -> jax.Array:
        x, y = example
        return self.criterion(self.predict(params, x), y)


def compose(
    predict: Callable[[PyTree, PyTree], jax.Array],
    criterion: Callable[[jax.Array, PyTree], jax.Array],
) -> Composition:
    """The loss of one example ``(x, y)``, with its parts kept apart for the Gauss-Newton matrix.

    Args:
        predict: ``(params, x) -> z`` for ONE input; ``z`` are logits or other outputs, any shape.
        criterion: ``(z, y) -> scalar``, convex in ``z`` where products shall be positive.

    Returns:
        ``loss_fn(params, (x, y)) -> scalar``. Two compositions of the same parts are equal, so
        that a compiled function is found again.
    """
    return Composition(predict, criterion)


def hessian_mvp(
    loss_fn: Callable[[PyTree, PyTree], jax.Array],
    params: PyTree,
    data: PyTree,
    *,
    l2: PyTree = 0.0,
    weights: jax.Array | None = None,
    batch_size: int | None = None,
    shards: int = 1,
    curvature: str = "hessian",
) -> Matvec:
    r"""Products with the matrix of the mean loss plus an l2 term, over a whole data set.

    $$v \mapsto \frac1n \sum_{i=1}^n w_i A_i v + \lambda v, \qquad
      A_i = \nabla^2 \ell(z_i, \theta) \;\text{ or }\; J_i^\top \nabla_z^2 \ell_i\, J_i.$$

    Args:
        loss_fn: ``(params, example) -> scalar``, the loss of ONE example.
        params: pytree of floating-point arrays.
        data: pytree whose leaves share a leading axis of n examples.
        l2: $\lambda$, a number or a tree prefix of ``params`` with numbers as leaves.
        weights: $w_i$, shape (n,); all 1 if ``None``. The sum is divided by n whatever they are.
        batch_size: how many examples enter at a time. ``None`` takes all n and keeps what depends
            on ``params`` alone between products (fastest). A number bounds the memory and computes
            that anew for each block; the result is the same, also where it does not divide n.
        shards: the number of devices that the examples are spread over, equally; then
            ``batch_size`` counts those of one device.
        curvature: ``"hessian"`` or ``"ggn"`` (Gauss-Newton; needs a loss made by ``compose``).

    Returns:
        A linear function from pytrees like ``params`` to pytrees like ``params``. Making it and
        applying it can be transformed by ``jit``, ``vmap`` and ``grad``.

    Raises:
        ValueError: if ``params`` is not floating-point, there is no example, or the leading axes of
            ``data`` differ, l2 is
            no prefix of ``params``, ``weights`` do not have shape (n,), ``batch_size`` is not
            positive, or the loss is not a scalar.
        TypeError: if ``curvature`` is unknown, or ``"ggn"`` and ``loss_fn`` was not composed.
    """
    trees.check_floating("params", params)
    check_curvature(loss_fn, curvature)
    check_batch_size(batch_size)
    n = trees.num_rows(data)
    if n == 0:
        raise ValueError("data has no examples")
    l2 = trees.broadcast_prefix(l2, params, "l2")
    if weights is not None:
        if jnp.shape(weights) != (n,):
            raise ValueError(f"weights must have shape ({n},), got {jnp.shape(weights)}")
        weights = jnp.asarray(weights, trees.dtype(params))

    summed = lambda data, weights: weighted_curvature(loss_fn, params, data, weights, curvature)
    if batch_size is None or batch_size * shards >= n:
        total = summed(data, weights)
    else:
        product = lambda v: lambda block: summed(*block)(v)
        total = lambda v: trees.sum_over_blocks(product(v), (data, weights), batch_size, shards)

    return lambda v: trees.add(trees.scale(1 / n, total(v)), trees.multiply(l2, v))


def weighted_curvature(
    loss_fn: Callable[[PyTree, PyTree], jax.Array],
    params: PyTree,
    data: PyTree,
    weights: jax.Array | None,
    curvature: str,
) -> Matvec:
    r"""$v \mapsto \sum_i w_i A_i v$ over the rows of the data, linearised once.

    Arguments and $A_i$ are those of ``hessian_mvp``; nothing is checked.
    """
    if curvature == "hessian":
        losses = jax.vmap(as_scalar(loss_fn), in_axes=(None, 0))
        return hvp_operator(lambda p: trees.weighted_sum(losses(p, data), weights), params)
    parts: Any = loss_fn
    x, y = data
    predict = lambda p: jax.vmap(lambda x: parts.predict(p, x))(x)
    criteria = jax.vmap(as_scalar(parts.criterion))
    total = lambda z: trees.weighted_sum(criteria(z, y), weights)
    return _pull_back(predict, lambda z: hvp_operator(total, z), params)


def hessian_sampler(
    loss_fn: Callable[[PyTree, PyTree], jax.Array],
    params: PyTree,
    data: PyTree,
    *,
    l2: PyTree = 0.0,
    weights: jax.Array | None = None,
    batch_size: int = 1,
    curvature: str = "hessian",
) -> Callable[[PyTree, jax.Array], PyTree]:
    r"""Products with the matrix of a random mini-batch: what ``lissa`` calls at each step.

    $$(v, \text{key}) \mapsto \frac1{|B|} \sum_{i \in B} A_i v + \lambda v,$$

    with B drawn from the key, uniformly and with replacement, so that the mean over keys is the
    product of ``hessian_mvp``. The cost does not depend on n.

    Args:
        batch_size: |B|, which may exceed n.
        loss_fn, params, data, l2, weights, curvature: as for ``hessian_mvp``.

    Returns:
        ``matvec(v, key)``, linear in v: the same key is the same matrix. It can be transformed by
        ``jit``, ``vmap`` and ``grad``.

    Raises:
        ValueError: as ``hessian_mvp``, and if there is no example.
        TypeError: as ``hessian_mvp``.
    """
    trees.check_floating("params", params)
    check_curvature(loss_fn, curvature)
    check_batch_size(batch_size)
    n = trees.num_rows(data)
    l2 = trees.broadcast_prefix(l2, params, "l2")
    if batch_size is None or n == 0:
        raise ValueError(f"a mini-batch needs a batch_size and data: got {batch_size} and {n} rows")
    whole = jax.tree.map(jnp.asarray, (data, weights))

    def matvec(v, key):
        batch, w = trees.take_rows(whole, jax.random.randint(key, (batch_size,), 0, n))
        return hessian_mvp(loss_fn, params, batch, l2=l2, weights=w, curvature=curvature)(v)

    return matvec


# --------------------------------------------------------------------------------------
# Questions that products answer
# --------------------------------------------------------------------------------------


class Eigenpair(NamedTuple):
    """An approximate eigenvalue, its unit vector, and how well they fit.

    Some eigenvalue lies within ``residual_norm`` = ‖A v − value · v‖ of ``value``.
    """

    value: jax.Array
    vector: PyTree
    residual_norm: jax.Array


@configured
def power_iteration(
    matvec: Matvec, like: PyTree, num_steps: int = 100, *, key: jax.Array
) -> Eigenpair:
    r"""The eigenvalue of largest magnitude of a symmetric matrix, by repeated products.

    $v \leftarrow A v / \lVert A v\rVert$ from a random start: the error shrinks by $|h_2/h_1|$ per
    step, so that two eigenvalues of nearly the same size, or of opposite sign, take long;
    ``residual_norm`` tells. ``lanczos`` needs fewer products, and keeps more vectors.

    Args:
        matvec: a symmetric linear map on pytrees like ``like``.
        like: pytree of floating-point arrays; its values do not matter.
        num_steps: number of products, at least 1.
        key: for the random start.

    Returns:
        ``Eigenpair(value, vector, residual_norm)``; the value is the Rayleigh quotient. It can be
        transformed by ``jit``, ``vmap`` and ``grad``.

    Raises:
        ValueError: if ``num_steps`` is below 1, or ``like`` is not floating-point.
    """
    trees.check_floating("like", like)
    like = trees.promote(like)
    if num_steps < 1:
        raise ValueError(f"num_steps must be at least 1, got {num_steps}")
    start = _normalise(trees.random_like(key, like))

    def step(_, state):
        _, av = state
        v = _normalise(av)
        return v, matvec(v)

    v, av = jax.lax.fori_loop(1, num_steps, step, (start, matvec(start)))
    value = trees.vdot(v, av)
    return Eigenpair(value, v, trees.norm(trees.add_scaled(av, -value, v)))


class Lanczos(NamedTuple):
    """Ritz values of a symmetric matrix, ascending, with their vectors and errors.

    ``eigenvalues`` (k,); ``eigenvectors``, a pytree with a leading axis of k; ``residual_norms``
    (k,), within which of each value an eigenvalue lies; ``weights`` (k,), the squared components
    of the start vector, which sum to one: with them the values are a Gauss quadrature of the
    spectral density.
    """

    eigenvalues: jax.Array
    eigenvectors: PyTree
    residual_norms: jax.Array
    weights: jax.Array


@configured
def lanczos(matvec: Matvec, like: PyTree, num_steps: int, *, key: jax.Array) -> Lanczos:
    r"""The outer eigenvalues of a symmetric matrix from ``num_steps`` products.

    An orthonormal basis $Q$ of the Krylov space of a random start makes $Q^\top A Q$ tridiagonal;
    its eigenpairs are the Ritz pairs. Each new vector is made orthogonal to all others twice, so
    no eigenvalue appears as a "ghost". Where the space is exhausted early (few distinct
    eigenvalues), a new random direction goes on, so that p steps always give the whole spectrum.

    Args:
        matvec: a symmetric linear map on pytrees like ``like``.
        like: pytree of floating-point arrays with p entries; its values do not matter.
        num_steps: k, the number of products and of vectors kept, 1 to p.
        key: for the random start.

    Returns:
        ``Lanczos(eigenvalues, eigenvectors, residual_norms, weights)``. It can be transformed by
        ``jit``, ``vmap`` and ``grad``; derivatives are NaN where eigenvalues coincide.

    Raises:
        ValueError: if ``num_steps`` is not between 1 and p, or ``like`` is not floating-point.

    Source:
        Golub and Van Loan, "Matrix Computations", 4th ed., section 10.3; Golub and Meurant,
        "Matrices, Moments and Quadrature", 2010, for the weights.
    """
    trees.check_floating("like", like)
    like, p = trees.promote(like), trees.size(like)
    if not 1 <= num_steps <= p:
        raise ValueError(f"num_steps must be between 1 and the {p} entries, got {num_steps}")
    return _lanczos(lambda q: trees.ravel(matvec(trees.unravel(q, like))), like, num_steps, key)


def _lanczos(matvec, like, num_steps, key):
    p, dtype = trees.size(like), trees.dtype(like)
    draws = jax.random.normal(key, (num_steps + 1, p), dtype)
    unit = lambda q: q / trees.norm(q)
    away = lambda q, basis: q - basis.T @ (basis @ q)  # rows of the basis that are unset are zero
    tiny = 10 * jnp.finfo(dtype).eps

    def step(j, state):
        basis, diagonal, beside, largest = state
        q = basis[j]
        image = matvec(q)
        largest = jnp.maximum(largest, trees.norm(image))
        rest = away(away(image, basis), basis)
        length = trees.norm(rest)
        exhausted = length <= tiny * largest
        fresh = away(away(unit(away(draws[j + 1], basis)), basis), basis)
        basis = basis.at[j + 1].set(unit(jnp.where(exhausted, fresh, rest)))
        diagonal = diagonal.at[j].set(q @ image)
        return basis, diagonal, beside.at[j].set(jnp.where(exhausted, 0, length)), largest

    basis = jnp.zeros((num_steps + 1, p), dtype).at[0].set(unit(draws[0]))
    zeros = jnp.zeros(num_steps, dtype)
    state = basis, zeros, zeros, jnp.zeros((), dtype)
    basis, diagonal, beside, _ = jax.lax.fori_loop(0, num_steps, step, state)
    small = jnp.diag(diagonal) + jnp.diag(beside[:-1], 1) + jnp.diag(beside[:-1], -1)
    values, s = jnp.linalg.eigh(small)  # columns of s: eigenvectors in the basis
    vectors = trees.unravel_rows(s.T @ basis[:-1], like)
    return Lanczos(values, vectors, jnp.abs(beside[-1] * s[-1]), s[0] ** 2)


class TraceEstimate(NamedTuple):
    """The estimate and its standard error (NaN for one sample)."""

    value: jax.Array
    standard_error: jax.Array


@configured
def hutchinson_trace(
    matvec: Matvec, like: PyTree, num_samples: int, *, key: jax.Array
) -> TraceEstimate:
    r"""Estimate a trace from products with random signs: $\mathrm{tr} A = \mathbb{E}[u^\top A u]$.

    Unbiased; for symmetric $A$ one sample has variance $2 \sum_{i \ne j} A_{ij}^2$: exact where $A$
    is diagonal.

    Args:
        matvec: a linear map on pytrees like ``like``.
        like: pytree of floating-point arrays; its values do not matter.
        num_samples: number of products m, at least 1; the error falls like $1/\sqrt m$.
        key: for the signs.

    Returns:
        ``TraceEstimate(value, standard_error)``. It can be transformed by ``jit``, ``vmap`` and
        ``grad``.

    Raises:
        ValueError: if ``num_samples`` is below 1, or ``like`` is not floating-point.

    Source:
        Hutchinson, "A stochastic estimator of the trace of the influence matrix", Communications in
        Statistics 19(2), 1990.
    """
    trees.check_floating("like", like)
    like = trees.promote(like)
    if num_samples < 1:
        raise ValueError(f"num_samples must be at least 1, got {num_samples}")

    def sample(key):
        u = trees.random_like(key, like, jax.random.rademacher)
        return trees.vdot(u, matvec(u))

    draws = jax.lax.map(sample, jax.random.split(key, num_samples))
    spread = jnp.std(draws, ddof=1) if num_samples > 1 else jnp.full((), jnp.nan, draws.dtype)
    return TraceEstimate(jnp.mean(draws), spread / num_samples**0.5)


# --------------------------------------------------------------------------------------
# Shared pieces
# --------------------------------------------------------------------------------------


@configured
def _pull_back(predict, metric, params):
    """v -> J^T M J v, where ``metric(z)`` is the linear map M on the outputs z."""
    z, push = jax.linearize(predict, params)  # push(v) = J v
    inner = metric(z)
    pull = jax.linear_transpose(push, params)  # pull(u) = (J^T u,)
    return lambda v: pull(inner(push(v)))[0]


def _normalise(v):
    length = trees.norm(v)
    return trees.scale(jnp.where(length > 0, 1 / length, 0), v)


def _check_pair(params, v):
    trees.check_floating("params", params)
    trees.check_like("v", v, "params", params)


def as_scalar(loss_fn: Callable[..., jax.Array]) -> Callable[..., jax.Array]:
    """``loss_fn``, refusing anything but a real scalar per example when it is traced."""

    def checked(*args):
        value = loss_fn(*args)
        if not isinstance(value, jax.Array | np.ndarray | np.generic | int | float | complex):
            got = type(value).__name__
        elif jnp.shape(value) != ():
            got = f"shape {jnp.shape(value)}"
        elif not jnp.issubdtype(jnp.result_type(value), jnp.floating):
            got = f"dtype {jnp.result_type(value)}"
        else:
            return value
        raise ValueError(f"the loss of one example must be a scalar, got {got}")

    return checked


def check_curvature(loss_fn: Hashable, curvature: str) -> None:
    """Raise ``TypeError`` unless ``curvature`` is known and ``loss_fn`` allows it."""
    if curvature not in ("hessian", "ggn"):
        raise TypeError(f"curvature must be 'hessian' or 'ggn', got {curvature!r}")
    if curvature == "ggn" and not isinstance(loss_fn, Composition):
        raise TypeError("curvature='ggn' needs a loss_fn made by compose(predict, criterion)")


def check_batch_size(batch_size: int | None) -> None:
    """Raise ``ValueError`` unless ``batch_size`` is ``None`` or a positive whole number."""
    whole = isinstance(batch_size, int | np.integer) and not isinstance(batch_size, bool)
    if batch_size is not None and not (whole and batch_size >= 1):
        raise ValueError(f"batch_size must be None or a positive whole number, got {batch_size!r}")
