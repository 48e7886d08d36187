"""The Neumann series, and LiSSA, which sums it from samples."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from course_utils import trees
from course_utils._certificates import (
    CONVERGED,
    DIVERGED,
    INDEFINITE,
    MAXITER,
    NON_FINITE,
    SolveInfo,
    as_matvec,
    check_count,
    check_nonnegative,
    check_positive,
    default_tol,
    is_number,
    power_of_two,
    stretch,
)

PyTree = Any
Matvec = Callable[[PyTree], PyTree]


def neumann(
    matvec: Matvec, b: PyTree, *, scale: float, num_terms: int, tol: float | None = None
) -> tuple[PyTree, SolveInfo]:
    r"""Sum the first terms of the Neumann series of $A^{-1} b$.

    $$x = \frac1s \sum_{j=0}^{m-1} \Bigl(I - \frac{A}{s}\Bigr)^j b,$$

    with $s$ = ``scale`` and $m$ = ``num_terms``. Along an eigenvector of curvature $h$ the error is
    $(1 - h/s)^m$ of the solution: it shrinks if $0 < h < 2s$, slowly where $h \ll s$. The sum is
    what m steps of gradient descent on $\frac12 x^\top A x - b^\top x$ reach from 0 with step
    size 1/s.

    Args:
        matvec: $v \mapsto A v$ on pytrees like ``b``, symmetric positive definite; or A itself.
        b: pytree of floating-point arrays.
        scale: $s$, in units of A; above half of the largest eigenvalue, or the terms grow.
        num_terms: $m$, at least 1; it takes m − 1 products, and one for the residual.
        tol: relative residual that counts as converged; ``None`` is 1e-5 in float32 and 1e-10 in
            float64.

    Returns:
        ``(x, SolveInfo)``; all NaN if the status is "diverged" (then the sum was stopped) or
        "non-finite". It can be transformed by ``jit`` and ``vmap``; for derivatives take ``cg``.

    Raises:
        ValueError: if ``b`` is not floating-point, a product does not match it, ``scale`` is not
            positive, or ``num_terms`` is below 1.

    Source:
        Neumann's series; as iteration: Richardson, 1911.
    """
    check_count("num_terms", num_terms, least=1)
    check_positive("scale", scale)
    if tol is not None:
        check_nonnegative("tol", tol)
    matvec = _checked_products("matvec", matvec, b)
    always = lambda v, key: matvec(v)
    return _lissa_of_one(always, b, jax.random.key(0), scale, num_terms - 1, 1, 1, tol, matvec)


def lissa(
    matvec: Callable[..., PyTree],
    b: PyTree,
    *,
    key: jax.Array | None = None,
    scale: float | None = None,
    damping: float = 0.0,
    recursion_depth: int = 1000,
    num_samples: int = 1,
    average: float = 0.5,
    certify: Matvec | None = None,
    tol: float = 0.1,
) -> tuple[PyTree, SolveInfo]:
    r"""Solve $(A + \delta I)\,x = b$ by a recursion that needs only a sample of $A$ at each step.

    $$h_0 = b, \qquad h_{k+1} = b + h_k - \frac1s \bigl(A_k h_k + \delta\, h_k\bigr), \qquad
      x = \frac{h}{s},$$

    where $A_k$ is the matrix of a random mini-batch, $\delta$ = ``damping`` and $s$ = ``scale``.
    The damping is divided by the scale like the rest of the matrix, so that it is the one of
    ``cg``; the widespread $(1-\delta)h - A_k h/s$ solves $(A + s\delta I)x = b$ instead.

    Two errors. *Bias*: in the mean, along curvature $h_i$, the error of the last iterate is
    $(1 - (h_i + \delta)/s)^{k+1}$ of the solution, so depth must exceed $s/h_{\min}$ several times
    over. *Noise*: the iterates never settle; their variance grows as s falls. ``average`` = 0.5
    returns the mean of the last half of the iterates, which takes away most noise, and keeps the
    bias of the middle of the run, not of its end: better where the depth is ample, worse where bias
    dominates. 0 returns the last iterate, as Koh and Liang do, who average ``num_samples`` runs
    instead: their noise falls like 1/num_samples and the bias stays.

    Args:
        matvec: with ``key``, ``(v, key) -> A_k v``, such as ``hessian_sampler`` makes, unbiased for
            the products with A; without, ``v -> A v`` or A itself, and nothing is random.
        b: pytree of floating-point arrays.
        key: for the samples.
        scale: $s$, in units of A. It suffices that s exceeds half of the largest curvature of every
            mini-batch; somewhat smaller ones can still contract in mean square. ``None`` takes 1.1
            times the largest one found by power iteration on 64 batches (reported in ``info``).
        damping: $\delta$, at least 0, in units of A.
        recursion_depth: number of steps, at least 1.
        num_samples: independent runs to average, at least 1.
        average: part of the iterates, from the end, that are averaged: 0 (the last one) to 1.
        certify: $v \mapsto A v$, exact products for the residual, one of them; without it and with
            a key, ``residual_norm`` is NaN and ``converged`` false. Without a key, ``matvec``.
        tol: relative residual that counts as converged.

    Returns:
        ``(x, SolveInfo)``; all NaN if the status is "diverged" or "non-finite". A run is stopped
        where h has grown beyond 100 (k + 1) ‖b‖: where every step contracts it cannot exceed
        (k + 1) ‖b‖. It can be transformed by ``jit`` and ``vmap``, over ``matvec``, ``b``, ``key``,
        ``scale``, ``damping`` and ``tol``; for derivatives take ``cg``.

    Raises:
        TypeError: if ``num_samples`` is above 1 without a key, or ``matvec`` is a matrix with one.
        ValueError: if ``b`` is not floating-point, a product does not match it, or a number is out
            of range.

    Source:
        Agarwal, Bullins and Hazan, "Second-order stochastic optimization for machine learning in
        linear time", JMLR 18, 2017; Koh and Liang, ICML 2017, section 3.
    """
    check_lissa(scale, recursion_depth, num_samples, average, tol)
    check_nonnegative("damping", damping)
    if key is not None and not callable(matvec):
        raise TypeError("with a key, matvec must be a function (v, key) -> product")
    if key is None and num_samples > 1:
        raise TypeError("num_samples above 1 needs a key: without one all runs are the same")
    damped = lambda product: lambda v, *key: trees.add_scaled(product(v, *key), damping, v)
    if key is None and certify is None:
        certify = matvec
    extra = () if key is None else (key,)
    exact, matvec = certify, damped(_checked_products("matvec", matvec, b, *extra))
    certify = None if exact is None else damped(_checked_products("certify", exact, b))
    if scale is None:
        with jax.default_matmul_precision("highest"):
            scale = sufficient_scale(matvec, b, key)
    averaged = num_averaged(average, recursion_depth)
    sampled, key = (
        (matvec, key) if key is not None else (lambda v, key: matvec(v), jax.random.key(0))
    )
    return _lissa_of_one(
        sampled, b, key, scale, recursion_depth, num_samples, averaged, tol, certify
    )


def num_averaged(average, depth):
    return max(1, round(average * depth))


def _lissa_of_one(sampled, b, key, *settings):
    row = jax.tree.map(lambda leaf: leaf[None], trees.promote(b))
    x, info = lissa_rows(sampled, row, key, *settings)
    return trees.take_rows(x, 0), trees.take_rows(info, 0)


def lissa_rows(sampled, rows, *settings):
    """``lissa`` for several right-hand sides that share their samples: one loop for all of them.

    A solve is linear in b: as in ``cg``, each row is divided by a power of two.
    """
    times = jax.vmap(trees.scale)
    size = jax.vmap(power_of_two)(rows)  # (n,)
    with jax.default_matmul_precision("highest"):
        x, info = _lissa_loop(sampled, times(1 / size, rows), *settings)
    x = times(size, x)
    finite = jnp.isfinite(jax.vmap(trees.max_abs)(x)) | (info.status >= DIVERGED)
    status = jnp.where(finite, info.status, NON_FINITE).astype(jnp.int32)
    return x, info._replace(
        converged=info.converged & finite, residual_norm=info.residual_norm * size, status=status
    )


_STEPS_UNCHECKED = 64  # how many steps may pass before growth is looked at


def _lissa_loop(sampled, rows, key, scale, depth, num_samples, num_averaged, tol, certify):
    keys = jax.random.split(key, num_samples)
    norms = jax.vmap(trees.norm)
    b_norm = norms(rows)

    def of_sample(k, key, h):  # one step of one run, on all rows with one sample
        A_k = lambda v: sampled(v, jax.random.fold_in(key, k))
        return jax.vmap(lambda b, v: trees.add_scaled(trees.add(b, v), -1 / scale, A_k(v)))(rows, h)

    def step(k, state):
        h, mean = state
        h = jax.vmap(lambda key, h: of_sample(k, key, h))(keys, h)
        number = k + 1 - (depth - num_averaged)  # among those that are averaged, from 1
        share = jnp.where(number > 0, 1 / jnp.maximum(number, 1), 0)
        return h, trees.add_scaled(mean, share, trees.subtract(h, mean))

    def some_steps(state):
        k, h, mean, growing = state
        end = jnp.minimum(k + _STEPS_UNCHECKED, depth)
        h, mean = jax.lax.fori_loop(k, end, step, (h, mean))
        length = jax.vmap(norms)(h)  # (num_samples, n)
        fits = length <= 100 * (end + 1) * b_norm  # NaN does not
        return end, h, mean, growing | jnp.any(~fits, axis=0)

    running = lambda state: (state[0] < depth) & ~jnp.all(state[3])
    start = jax.tree.map(lambda b: jnp.broadcast_to(b, (num_samples, *b.shape)), rows)
    nothing = jnp.zeros(b_norm.shape, bool)
    state = jnp.int32(0), start, trees.zeros_like(start), nothing
    k, h, mean, growing = jax.lax.while_loop(running, some_steps, state)
    mean = trees.where(jnp.asarray(depth) > 0, mean, h)
    x = jax.tree.map(lambda mean, b: (jnp.mean(mean, 0) / scale).astype(b.dtype), mean, rows)
    return _certified(x, rows, b_norm, k, growing, scale, tol, certify)


def _certified(x, rows, b_norm, num_steps, growing, scale, tol, certify):
    """Blank the rows that failed, and say of every row how it went."""
    failed = growing | ~jnp.isfinite(jax.vmap(trees.max_abs)(x))
    broken = ~jnp.isfinite(b_norm) | ~jnp.isfinite(scale)
    residual_norm = jnp.full(b_norm.shape, jnp.nan, b_norm.dtype)
    curvature = residual_norm + jnp.inf
    if certify is not None:
        probe = jax.vmap(trees.where)(failed, rows, x)  # a matrix with NaN is told from growth
        A_x = jax.vmap(certify)(probe)
        gap = jax.vmap(trees.norm)(trees.subtract(rows, A_x))
        broken = broken | ~jnp.isfinite(gap)
        residual_norm = jnp.where(failed, jnp.nan, gap)
        length = jax.vmap(trees.norm)(probe)
        unit = lambda v: jax.vmap(trees.scale)(1 / jnp.where(length > 0, length, 1), v)
        stretch = jax.vmap(trees.vdot)(unit(probe), unit(A_x))
        curvature = jnp.where((length > 0) & ~failed, stretch, jnp.inf)
    target = (default_tol(rows) if tol is None else tol) * b_norm
    status = jnp.where(residual_norm <= target, CONVERGED, MAXITER)
    negative = curvature < -10 * trees.epsilon(rows) * scale
    status = jnp.where(negative, INDEFINITE, status)
    status = jnp.where(failed, DIVERGED, status)
    status = jnp.where(broken, NON_FINITE, status).astype(jnp.int32)
    x = trees.blank_rows(x, (status == DIVERGED) | (status == NON_FINITE))
    steps = jnp.full(b_norm.shape, num_steps, jnp.int32)
    scales = jnp.full(b_norm.shape, scale, b_norm.dtype)
    info = SolveInfo(status == CONVERGED, steps, residual_norm, curvature, scales, status)
    return x, info


_BATCHES_TRIED = 64


def sufficient_scale(matvec, like, key):
    """1.1 times the largest curvature of the matrix, or of any of 64 sampled ones."""
    start = trees.random_like(jax.random.key(0), like)
    if key is None:
        largest = stretch(matvec, start, 50)
    else:
        of_batch = lambda key: stretch(lambda v: matvec(v, key), start, 20)
        keys = jax.random.split(jax.random.fold_in(key, 1), _BATCHES_TRIED)
        largest = jnp.max(jax.lax.map(of_batch, keys))
    return jnp.where(largest == 0, 1, 1.1 * largest)  # NaN stays


def _checked_products(name, matvec, b, *key):
    """``matvec`` as a function, refused unless its products are like ``b``."""
    trees.check_floating("b", b)
    matvec = as_matvec(matvec)
    b = trees.promote(b)
    trees.check_like(f"{name}(b)", jax.eval_shape(matvec, b, *key), "b", b)
    return matvec


def check_lissa(scale, recursion_depth, num_samples, average, tol):
    if scale is not None:
        check_positive("scale", scale)
    check_count("recursion_depth", recursion_depth, least=1)
    check_count("num_samples", num_samples, least=1)
    if not is_number(average) or not 0 <= average <= 1:
        raise ValueError(f"average must lie between 0 and 1, got {average!r}")
    check_nonnegative("tol", tol)
