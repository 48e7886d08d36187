r"""Solve $A x = b$ from products with A, and say whether to believe the answer.

Functions (``cg``, ``direct``, ``neumann``, ``lissa``) take pytrees and return ``(x, SolveInfo)``.
The same methods as settings (``CG``, ``Exact``, ``LiSSA``, ``Arnoldi``; ``Kronecker`` has a module
of its own) solve for many right-hand sides at once, as rows of a matrix; ``influence`` takes those.
A certificate is made of arrays, so that ``jit`` and ``vmap`` keep it; its residual is recomputed
from the returned x, not carried along. Solvers never warn and never print: what to do about a
failure is the caller's decision.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from course_utils import _arguments, trees
from course_utils._arguments import configured
from course_utils.curvature import lanczos

PyTree = Any
Matvec = Callable[[PyTree], PyTree]

# The words of SolveInfo.status, and their numbers, from the best to the worst: code compares them.
# Up to STALLED x can be used as far as its residual allows; from INDEFINITE on x is no solution,
# and from DIVERGED on it is NaN.
STATUS = (
    *("converged", "approximation", "maxiter", "stalled"),
    *("indefinite", "diverged", "non-finite", "singular"),
)
CONVERGED, APPROXIMATION, MAXITER, STALLED, *_FAILED = range(len(STATUS))
INDEFINITE, DIVERGED, NON_FINITE, SINGULAR = _FAILED
_RUNNING, _PAUSED = -1, -2  # states of a search, which no certificate shows


class SolveInfo(NamedTuple):
    """What a solver met on its way: arrays, with one entry per right-hand side.

    Attributes:
        converged: whether the residual is within the tolerance.
        num_steps: products with the matrix that were needed (0 for ``direct``; of one sample for
            ``lissa``).
        residual_norm: ‖b − A x‖ of the returned x, recomputed; in the units of b. NaN where
            ``lissa`` has nothing to compute it with.
        min_curvature: the smallest pᵀAp / pᵀp met, an upper bound of the smallest eigenvalue
            (infinite if no step was taken); of p = x alone for ``neumann`` and ``lissa``.
        scale: the divisor of a series method; NaN where there is none.
        status: an index into ``STATUS``; ``describe()`` gives the word.
    """

    converged: jax.Array
    num_steps: jax.Array
    residual_norm: jax.Array
    min_curvature: jax.Array
    scale: jax.Array
    status: jax.Array

    def describe(self) -> str | list[str]:
        """The status in a word (a list of words for several right-hand sides).

        "converged"; "approximation": the solution for another matrix, as asked for (``Kronecker``),
        with the residual for this one; "maxiter": steps ran out, or the rank of ``Arnoldi`` did not
        suffice; "stalled": rounding stopped all progress above the tolerance; "indefinite": a
        direction with pᵀAp ≤ 0 to rounding; "diverged": the terms of a series grew; "non-finite":
        NaN or infinity; "singular": the smallest eigenvalue is a rounding error.
        """
        return np.asarray(STATUS)[np.asarray(self.status)].tolist()


def default_tol(dtype: np.dtype) -> float:
    """The relative residual that counts as converged: 1e-5 in float32, 1e-10 in float64."""
    return 1e-10 if jnp.finfo(dtype).eps < 1e-12 else 1e-5


def _certificate(
    x, residual_norm, status, num_steps=0, smallest=np.inf, scale=np.nan, *, size, xp=jnp
):
    """From x for b / size the solution for b, NaN where that has broken down, and its certificate.

    What overflows is no solution. ``xp`` is NumPy on the host, where nothing is compiled.
    """
    x, residual_norm = x * size[..., None], residual_norm * size
    finite = xp.isfinite(residual_norm) & xp.all(xp.isfinite(x), axis=-1)
    status = xp.where(finite | (status == DIVERGED), status, NON_FINITE).astype(np.int32)
    fill = lambda value, dtype: xp.broadcast_to(xp.asarray(value, dtype), status.shape)
    info = SolveInfo(
        converged=status == CONVERGED,
        num_steps=fill(num_steps, np.int32),
        residual_norm=residual_norm,
        min_curvature=fill(smallest, x.dtype),
        scale=fill(scale, x.dtype),
        status=status,
    )
    return xp.where((status < DIVERGED)[..., None], x, xp.asarray(np.nan, x.dtype)), info


def _length(x):
    return jnp.sqrt(jnp.sum(x * x, axis=-1))


def _power_of_two(largest, xp=jnp):
    """The power of two at or below the largest entry of each row; 1 where there is none."""
    usable = xp.isfinite(largest) & (largest > 0)
    exponent = xp.frexp(xp.where(usable, largest, 1))[1] - 1
    return xp.ldexp(xp.ones_like(largest), exponent)


def _near_one(b):
    """b over a power of two, which rounds nothing, and that number: no square of it overflows."""
    size = _power_of_two(jnp.max(jnp.abs(b), initial=0))
    return b / size, size


def _unit_size(b):
    """b over its norm, and that norm: no square of what a solver works with over- or underflows."""
    largest = jnp.max(jnp.abs(b), axis=-1, initial=0, keepdims=True)
    b = b / jnp.where(largest > 0, largest, 1)
    length = _length(b)[..., None]
    b = b / jnp.where(length > 0, length, 1)
    return b, jnp.where(largest > 0, (largest * length), 1)[..., 0]


def residual_and_curvature(matvec: Matvec, x: jax.Array, b: jax.Array) -> tuple:
    """‖b − A x‖ and xᵀAx / xᵀx, infinite where x is 0, of each row of x and b: (s,) both."""
    image = jax.vmap(matvec)(x)
    unit, length = _unit_size(x)
    along = jnp.sum(unit * (image / length[:, None]), axis=1)
    return _length(b - image), jnp.where(jnp.any(x != 0, axis=1), along, jnp.inf)


def growth(matvec: Matvec, start: jax.Array, num_steps: int) -> jax.Array:
    """How much a product lengthens a vector in the end: |largest eigenvalue|, from below."""

    def step(_, state):
        length = trees.norm(state[0])
        image = matvec(state[0] / jnp.where(length > 0, length, 1))
        return image, trees.norm(image)

    return jax.lax.fori_loop(0, num_steps, step, (start, jnp.zeros((), start.dtype)))[1]


# --------------------------------------------------------------------------------------
# Conjugate gradients
# --------------------------------------------------------------------------------------


@configured
def cg(
    matvec: Matvec | jax.Array,
    b: PyTree,
    x0: PyTree | None = None,
    *,
    tol: float | jax.Array = 1e-5,
    atol: float | jax.Array = 0.0,
    maxiter: int | jax.Array | None = None,
    M: Matvec | jax.Array | None = None,
) -> tuple[PyTree, SolveInfo]:
    r"""Solve $A x = b$ for a symmetric positive definite $A$ from products, by conjugate gradients.

    The arguments are those of ``jax.scipy.sparse.linalg.cg``; unlike it, this one says how it
    went. It stops where $\lVert b - A x\rVert$ is at most tol · ‖b‖ or atol, and then recomputes
    the residual: where rounding had made the carried one too small, it goes on from x. A direction
    with $p^\top A p \le 0$, to rounding, proves that A is not positive definite: the iterate so far
    is returned with the status "indefinite" and must not be used as a solution. After k steps the
    error in the norm of A is at most $2\,((\sqrt\kappa-1)/(\sqrt\kappa+1))^k$ of the first one,
    $\kappa$ being the condition number.

    Args:
        matvec: $v \mapsto A v$ on pytrees like ``b``, symmetric positive definite; or A itself,
            (p, p).
        b: pytree of floating-point arrays, p entries in all.
        x0: where to start, like ``b``; zero if ``None``.
        tol: relative tolerance.
        atol: absolute tolerance, in the units of ``b``.
        maxiter: the largest number of steps; ``None`` is 10 p.
        M: a symmetric positive definite approximation of $A^{-1}$, as products or as a matrix;
            none if ``None``.

    Returns:
        ``(x, SolveInfo)``; x like ``b`` (in float32 where that is half precision), all NaN if the
        status is "non-finite". It can be transformed by ``jit`` and ``vmap``. ``grad`` passes
        through A and b by the implicit function theorem (another solve, whatever the number of
        steps), not through ``x0``, ``M`` or the tolerances. Outside ``jit`` every call compiles
        anew.

    Raises:
        ValueError: if ``b`` is not floating-point, or ``x0`` or a product does not match it.

    Source:
        Nocedal and Wright, "Numerical Optimization", 2nd ed., chapter 5; Hestenes and Stiefel,
        1952.
    """
    b, A = _flat_system("matvec", matvec, b)
    M = (lambda r: r) if M is None else _flat_system("M", M, b)[1]
    if x0 is not None:
        x0 = trees.promote(x0)
        trees.check_like("x0", x0, "b", b)
        x0 = trees.ravel(x0)
    flat = trees.ravel(b)
    maxiter = 10 * flat.size if maxiter is None else maxiter

    def solve(A, b):
        unit, size = _near_one(b)  # a solve is linear in b
        start = None if x0 is None else x0 / size
        found = _cg(A, unit, start, tol, atol / size, maxiter, M, trees.epsilon(tree))
        return _certificate(*found, size=size)

    tree = b
    x, info = jax.lax.custom_linear_solve(A, flat, solve, symmetric=True, has_aux=True)
    return trees.unravel(x, b), info


def _flat_system(name, matvec, b, *key):
    """b on the device, and products with A as a function of vectors (p,); refused unless alike."""
    trees.check_floating("b", b)
    b = trees.promote(b)
    if not callable(matvec):
        matrix = trees.promote(matvec)
        matvec = lambda v, *_: matrix @ v
    trees.check_like(f"{name}(b)", jax.eval_shape(matvec, b, *key), "b", b)
    return b, lambda v, *key: trees.ravel(matvec(trees.unravel(v, b), *key)).astype(v.dtype)


class _Search(NamedTuple):
    """The state of conjugate gradients: A-conjugate directions p from residuals r."""

    x: jax.Array
    r: jax.Array
    p: jax.Array
    r_z: jax.Array  # r . z with z = M r
    r_norm: jax.Array
    num_steps: jax.Array
    smallest: jax.Array  # curvature p.Ap / p.p
    largest: jax.Array
    status: jax.Array


def _cg(A, b, x0, tol, atol, maxiter, M, eps):
    def direction(x, r, num_steps, smallest, largest, status):
        z = M(r)
        return _Search(x, r, z, r @ z, _length(r), num_steps, smallest, largest, status)

    def step(s):
        Ap = A(s.p)
        p_A_p, p_p = s.p @ Ap, s.p @ s.p
        curvature = p_A_p / p_p
        finite = jnp.isfinite(p_A_p) & jnp.isfinite(s.r_z)
        # A curvature below the rounding of A p counts as none, unless the residual is rounding too:
        # then it proves nothing about A.
        positive = (p_A_p > 0) & (curvature > eps * s.largest) & (s.r_z > 0)
        rounding = s.r_norm <= 10 * eps * s.largest * _length(s.x)
        go = finite & positive
        alpha = jnp.where(go, s.r_z / jnp.where(go, p_A_p, 1), 0)
        x, r = s.x + alpha * s.p, s.r - alpha * Ap
        z = M(r)
        r_z = r @ z
        p = z + jnp.where(go, r_z / s.r_z, 0) * s.p
        failure = jnp.where(rounding, _PAUSED, INDEFINITE)
        status = jnp.where(finite, jnp.where(positive, s.status, failure), NON_FINITE)
        keep = finite & (positive | ~rounding)
        smallest = jnp.where(keep, jnp.minimum(s.smallest, curvature), s.smallest)
        largest = jnp.where(keep, jnp.maximum(s.largest, curvature), s.largest)
        return _Search(x, r, p, r_z, _length(r), s.num_steps + 1, smallest, largest, status)

    b_norm = _length(b)
    target = jnp.maximum(tol * b_norm, atol).astype(b.dtype)

    def cycle(s):
        # Half the tolerance, so that rounding seldom makes the true residual miss it; and never
        # more digits in one cycle than the dtype has.
        goal = jnp.maximum(target / 2, eps * s.r_norm)
        running = lambda s: (s.status == _RUNNING) & (s.r_norm > goal) & (s.num_steps < maxiter)
        end = jax.lax.while_loop(running, step, s)
        r = b - A(end.x)
        r_norm = _length(r)
        better = (s.num_steps == 0) | (r_norm < s.r_norm)  # a repeated cycle never makes x worse
        x, r = jnp.where(better, end.x, s.x), jnp.where(better, r, s.r)
        status = jnp.where(r_norm > s.r_norm / 2, STALLED, _RUNNING)
        status = jnp.where(end.num_steps >= maxiter, MAXITER, status)
        status = jnp.where(r_norm <= target, CONVERGED, status)
        status = jnp.where(end.status == INDEFINITE, INDEFINITE, status)
        broken = (end.status == NON_FINITE) | ~jnp.isfinite(r_norm)
        status = jnp.where(broken, NON_FINITE, status).astype(jnp.int32)
        return direction(x, r, end.num_steps, end.smallest, end.largest, status)

    zero = jnp.zeros((), b.dtype)
    x0, r0 = (jnp.zeros_like(b), b) if x0 is None else (x0, b - A(x0))
    start = direction(x0, r0, jnp.int32(0), zero + jnp.inf, zero, jnp.int32(_RUNNING))
    s = jax.lax.while_loop(lambda s: s.status == _RUNNING, cycle, start)
    return s.x, s.r_norm, s.status, s.num_steps, s.smallest


class _BlockSearch(NamedTuple):
    """The state of block conjugate gradients on s right-hand sides of p numbers, as rows.

    The residuals are $K Q$ with orthonormal rows of Q, so that the rows of K have their norms: none
    fades into rounding beside a larger one.
    """

    x: jax.Array  # (s, p)
    Q: jax.Array  # (s, p)
    K: jax.Array  # (s, s)
    P: jax.Array  # directions, A-conjugate to all before, (s, p)
    pause: jax.Array  # norms of the residual at which x is looked at, (s,)
    seen: jax.Array  # norms of b - A x when they were last computed, (s,)
    looking: jax.Array  # whether the next product is A x, ()
    status: jax.Array  # of rows that have not converged, ()
    num_steps: jax.Array  # (s,)
    smallest: jax.Array  # curvature p.Ap / p.p, ()
    largest: jax.Array


def _block_cg(A, b, tol, maxiter):
    """``cg`` for the s <= p rows of b, which share one Krylov space.

    All x are sought in the span of $A^k b_j$ over all j, so that the error falls at least as fast
    as that of each alone, and much faster where there are many. With one product of each row, a
    step costs some $6 s^2 p$ operations more. Where all residuals carried along are below half of
    the tolerance, b - A x is computed anew: rows below the tolerance have converged; where others
    have halved since the last look, a new cycle starts from them, else they have stalled. A
    direction of that span without positive curvature ends the search for all. A maps the rows of a
    matrix. Its product stands here once, for the directions and for the look at the residual of x
    in turn, since it is what takes the time to compile.
    """
    eps, s, norms = jnp.finfo(b.dtype).eps, len(b), _length(b)
    target = tol * norms
    # As in ``cg``: half the tolerance, and never more digits in one cycle than the dtype has.
    pause = lambda r_norms: jnp.maximum(target / 2, eps * r_norms)

    def search(state, AP):
        """All x to the minimum over the directions P, unless one has no positive curvature.

        And, in the place of Q, what is left of it: with K the residuals that are carried along.
        """
        D = state.P @ AP.T  # positive definite where A is
        L = jnp.linalg.cholesky(D)
        solved = jax.scipy.linalg.cho_solve((L, True), jnp.concatenate([state.K.T, AP], axis=1))
        lengths = jnp.sum(state.P * state.P, axis=1)
        curvatures = jnp.diagonal(D) / lengths
        largest = jnp.maximum(state.largest, jnp.max(curvatures))
        positive = jnp.min(jnp.diagonal(L) ** 2 / lengths) > 10 * eps * largest  # false for NaN
        num_steps = state.num_steps + (_length(state.K) > state.pause)
        spent = jnp.max(num_steps) >= maxiter
        return state._replace(
            x=jnp.where(positive, state.x + solved[:, :s].T @ state.P, state.x),
            Q=state.Q - solved[:, s:],
            status=jnp.where(positive, jnp.where(spent, MAXITER, _RUNNING), INDEFINITE),
            num_steps=num_steps,
            smallest=jnp.minimum(state.smallest, jnp.min(curvatures)),
            largest=largest,
        )

    def look(state, Ax):
        """The verdict on each x by its residual, from which a new cycle starts where that helps."""
        r = b - Ax
        r_norms = _length(r)
        better = jnp.any((r_norms > target) & (r_norms < state.seen / 2))  # false for NaN
        stays = jnp.where(state.status == _RUNNING, STALLED, state.status)
        status = jnp.where(better & (state.status == _RUNNING), _RUNNING, stays)
        return state._replace(Q=r, pause=pause(r_norms), seen=r_norms, status=status)

    def step(state):
        image = A(jnp.where(state.looking, state.x, state.P))
        either = lambda looked, searched: jnp.where(state.looking, looked, searched)
        new = jax.tree.map(either, look(state, image), search(state, image))
        Q, M = _orthonormal(new.Q)
        K, P = either(M, state.K @ M), Q + either(0, M.T) @ state.P
        pauses = jnp.all(_length(K) <= new.pause) | (new.status != _RUNNING)
        ended = state.looking & (new.status != _RUNNING)
        status = new.status.astype(jnp.int32)
        return new._replace(Q=Q, K=K, P=P, looking=pauses & ~ended, status=status)

    zero = jnp.zeros((), b.dtype)
    Q, K = _orthonormal(b)
    start = _BlockSearch(
        *(jnp.zeros_like(b), Q, K, Q, pause(norms), norms),
        *(jnp.all(norms == 0), jnp.int32(_RUNNING), jnp.zeros(s, jnp.int32)),
        *(zero + jnp.inf, zero),
    )
    running = lambda state: state.looking | (state.status == _RUNNING)
    end = jax.lax.while_loop(running, step, start)
    status = jnp.where(end.seen <= target, CONVERGED, end.status)
    return end.x, end.seen, status, end.num_steps, end.smallest


def _orthonormal(rows):
    """Q with orthonormal rows, (s, p), and K, (s, s), with K Q = ``rows``."""
    Q, R = jnp.linalg.qr(rows.T)
    return Q.T, R.T


# --------------------------------------------------------------------------------------
# A matrix that is at hand
# --------------------------------------------------------------------------------------


@configured
def direct(matrix: jax.Array, b: PyTree) -> tuple[PyTree, SolveInfo]:
    r"""Solve $A x = b$ for a symmetric positive definite matrix that is at hand, by Cholesky.

    The reference for every other solver: p³/3 operations for the factor and p² for each b, with one
    step of iterative refinement. Under ``vmap`` over ``b`` alone the factor is computed once.

    Args:
        matrix: A, shape (p, p), symmetric positive definite.
        b: pytree of floating-point arrays, p entries in all, in the order of ``trees.ravel``.

    Returns:
        ``(x, SolveInfo)``; x like ``b`` (in float32 where that is half precision), all NaN where A
        is not positive definite. ``converged`` compares the residual with 1e-5 in float32 and 1e-10
        in float64, like everywhere; "stalled" where the matrix is too ill-conditioned for that.
        ``min_curvature`` is the smallest eigenvalue by a few steps of inverse iteration (exact
        where A is indefinite). It can be transformed by ``jit``, ``vmap`` and ``grad`` (with
        respect to both).

    Raises:
        ValueError: if the shapes do not match, or ``b`` is not floating-point. Where values are
            known (not under ``jit``, ``vmap`` or ``grad``, where the status says it): if A is not
            symmetric, has NaN, is indefinite, or is singular at the precision of its dtype, with
            the smallest eigenvalue.
    """
    trees.check_floating("b", b)
    b, p = trees.promote(b), trees.size(b)
    if jnp.shape(matrix) != (p, p):
        raise ValueError(f"matrix must match b: got shape {jnp.shape(matrix)}, expected {(p, p)}")
    matrix = jnp.asarray(matrix, jnp.result_type(matrix, trees.dtype(b)))
    factored = factorise(matrix)
    x, info = _solve_factored(factored, trees.ravel(b).astype(matrix.dtype))
    if not isinstance(info.status, jax.core.Tracer):
        gap, largest = jnp.max(jnp.abs(matrix - matrix.T)), jnp.max(jnp.abs(matrix))
        if gap > jnp.finfo(matrix.dtype).eps ** 0.5 * largest:
            raise ValueError(f"matrix is not symmetric: entries differ by up to {gap:.3g}")
        factored.check()
        if info.status == NON_FINITE:
            raise ValueError("NaN or infinity in matrix or b")
    return trees.unravel(x, b), info


class Factored(NamedTuple):
    """A matrix with what ``direct`` knows about it before any right-hand side comes."""

    matrix: jax.Array
    factor: jax.Array  # lower triangular, factor @ factor.T = matrix
    smallest: jax.Array  # the smallest eigenvalue; an estimate where it is positive
    status: jax.Array

    def check(self) -> None:
        """Raise ``ValueError``, with the smallest eigenvalue, unless A is positive definite."""
        least = np.asarray(self.smallest)
        if self.status == INDEFINITE:
            raise ValueError(
                f"matrix is indefinite: its smallest eigenvalue is {least:.3g}; raising damping by "
                f"{_arguments.round_up(-float(least))} cures it"
            )
        if self.status == SINGULAR:
            raise ValueError(
                f"matrix is singular: its smallest eigenvalue is {least:.3g}, a rounding error in "
                f"{least.dtype}; l2 or damping cures it, and CG needs none where every gradient is "
                "free of that direction"
            )
        if self.status == NON_FINITE:
            raise ValueError("NaN or infinity in matrix or b")


def _refined(factor, A, B):
    """x for the rows of B by a Cholesky factor, refined once; residual norms; statuses."""
    inverse = lambda R: jax.scipy.linalg.cho_solve((factor, True), R.T).T
    x = inverse(B)
    x = x + inverse(B - A(x))
    residual_norm = _length(B - A(x))
    met = residual_norm <= default_tol(B.dtype) * _length(B)
    return x, residual_norm, jnp.where(met, CONVERGED, STALLED)


def _solve_factored(factored, b):
    """x for one b, and its certificate; derivatives pass through matrix and b."""
    matrix, factor, smallest, status = factored

    def solve(A, b):
        b, size = _near_one(b)
        x, residual_norm, met = _refined(factor, jax.vmap(A), b[None])
        x, info = _certificate(x[0], residual_norm[0], met[0], 0, smallest, size=size)
        failed = status != CONVERGED  # of the matrix, whatever b is
        verdict = jnp.where(failed, status, info.status).astype(jnp.int32)
        info = info._replace(converged=info.converged & ~failed, status=verdict)
        return jnp.where(failed, jnp.nan, x), info

    return jax.lax.custom_linear_solve(lambda v: matrix @ v, b, solve, symmetric=True, has_aux=True)


@jax.jit
def factorise(matrix: jax.Array) -> Factored:
    """The Cholesky factor of a symmetric matrix, shape (p, p), and whether it can be used."""
    constant = jax.lax.stop_gradient(matrix)  # gradients pass through the solve instead
    factor = jnp.linalg.cholesky(constant)
    finite = jnp.all(jnp.isfinite(constant))
    positive = jnp.all(jnp.isfinite(factor))
    start = jax.random.normal(jax.random.key(0), matrix.shape[:1], matrix.dtype)

    largest = growth(lambda v: jnp.matmul(constant, v, precision="highest"), start, 5)
    inverse = lambda v: jax.scipy.linalg.cho_solve((factor, True), v)
    estimate = lambda: 1 / growth(inverse, start, 5)
    exact = lambda: jnp.linalg.eigvalsh(constant)[0]
    smallest = jax.lax.cond(positive, estimate, exact)
    # Rounding leaves an eigenvalue of exactly zero at up to about eps / 2 times the largest one.
    singular = jnp.abs(smallest) <= 4 * jnp.finfo(matrix.dtype).eps * largest
    status = jnp.where(singular, SINGULAR, jnp.where(positive, CONVERGED, INDEFINITE))
    return Factored(matrix, factor, smallest, jnp.where(finite, status, NON_FINITE))


# --------------------------------------------------------------------------------------
# Series: of Neumann, and LiSSA, which sums it from samples
# --------------------------------------------------------------------------------------


@configured
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
    _arguments.count("num_terms", num_terms)
    _arguments.number("scale", scale, above=True)
    if tol is not None:
        _arguments.number("tol", tol)
    b, A = _flat_system("matvec", matvec, b)
    settings = jax.random.key(0), scale, num_terms - 1, 1, 1, tol
    x, info = _series(lambda v, key: A(v), trees.ravel(b), *settings, A)
    return trees.unravel(x, b), info


@configured
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
    _check_series(scale, recursion_depth, num_samples, average, tol)
    _arguments.number("damping", damping)
    if key is not None and not callable(matvec):
        raise TypeError("with a key, matvec must be a function (v, key) -> product")
    if key is None and num_samples > 1:
        raise TypeError("num_samples above 1 needs a key: without one all runs are the same")
    damped = lambda A: lambda v, *key: A(v, *key) + damping * v
    if key is None and certify is None:
        certify = matvec
    if certify is not None:
        certify = damped(_flat_system("certify", certify, b)[1])
    b, A = _flat_system("matvec", matvec, b, *(() if key is None else (key,)))
    flat, A = trees.ravel(b), damped(A)
    if scale is None:
        scale = _sufficient_scale(A, flat, key)
    averaged = _num_averaged(average, recursion_depth)
    sampled = A if key is not None else lambda v, key: A(v)
    key = jax.random.key(0) if key is None else key
    x, info = _series(
        *(sampled, flat, key, scale, recursion_depth, num_samples, averaged, tol, certify)
    )
    return trees.unravel(x, b), info


def _series(sampled, b, *settings):
    """``_lissa`` for one b of any size, with its certificate."""
    b, size = _near_one(b)
    x, residual_norm, *rest, _ = _lissa(sampled, b[None], *settings)
    unknown = jnp.isnan(residual_norm)  # which is no failure
    x, info = _certificate(x, jnp.where(unknown, 0, residual_norm), *rest, size=size[None])
    info = info._replace(residual_norm=jnp.where(unknown, jnp.nan, info.residual_norm))
    return x[0], trees.take_rows(info, 0)


def _num_averaged(average, depth):
    return max(1, round(average * depth))


COLUMNS_AT_ONCE = 128  # of a matrix that is written out
_STEPS_UNCHECKED = 64  # how many steps may pass before growth is looked at


def _lissa(sampled, b, key, scale, depth, num_samples, num_averaged, tol, certify):
    """``lissa`` for the rows of b, which share their samples: x, its certificate, x of each run.

    ``sampled(v, key)`` and ``certify(v)`` map vectors. Without ``certify`` residuals are NaN.
    """
    keys, norms = jax.random.split(key, num_samples), _length(b)

    def of_run(k, key, h):  # one step of one run, on all rows with one sample
        A_k = lambda v: sampled(v, jax.random.fold_in(key, k))
        return b + h - jax.vmap(A_k)(h) / scale

    def step(k, state):
        h, mean = state
        h = jax.vmap(lambda key, h: of_run(k, key, h))(keys, h)
        number = k + 1 - (depth - num_averaged)  # among those that are averaged, from 1
        share = 1 / jnp.maximum(number, 1).astype(b.dtype)
        return h, mean + jnp.where(number > 0, share, 0) * (h - mean)

    def some_steps(state):
        k, h, mean, growing = state
        end = jnp.minimum(k + _STEPS_UNCHECKED, depth)
        h, mean = jax.lax.fori_loop(k, end, step, (h, mean))
        fits = _length(h) <= 100 * (end + 1) * norms  # NaN does not
        return end, h, mean, growing | jnp.any(~fits, axis=0)

    running = lambda state: (state[0] < depth) & ~jnp.all(state[3])
    start = jnp.broadcast_to(b, (num_samples, *b.shape))
    state = jnp.int32(0), start, jnp.zeros_like(start), jnp.zeros(len(b), bool)
    k, h, mean, growing = jax.lax.while_loop(running, some_steps, state)
    runs = (jnp.where(jnp.asarray(depth) > 0, mean, h) / scale).astype(b.dtype)
    x = jnp.mean(runs, axis=0)

    failed = growing | ~jnp.all(jnp.isfinite(x), axis=1)
    broken = ~(jnp.isfinite(norms) & jnp.isfinite(scale))
    residual_norm, curvature = jnp.full_like(norms, jnp.nan), jnp.full_like(norms, jnp.inf)
    if certify is not None:
        probe = jnp.where(failed[:, None], b, x)  # a matrix with NaN is told from growth
        gap, along = residual_and_curvature(certify, probe, b)
        broken = broken | ~jnp.isfinite(gap)
        residual_norm = jnp.where(failed, jnp.nan, gap)
        curvature = jnp.where(failed, jnp.inf, along)
    target = (default_tol(b.dtype) if tol is None else tol) * norms
    status = jnp.where(residual_norm <= target, CONVERGED, MAXITER)
    negative = curvature < -10 * jnp.finfo(b.dtype).eps * scale
    status = jnp.where(negative, INDEFINITE, status)
    status = jnp.where(failed, DIVERGED, status)
    status = jnp.where(broken, NON_FINITE, status)
    return x, residual_norm, status, k, curvature, scale, runs


_BATCHES_TRIED = 64


def _sufficient_scale(A, like, key):
    """1.1 times the largest curvature of the matrix, or of any of 64 sampled ones."""
    start = jax.random.normal(jax.random.key(0), like.shape, like.dtype)
    if key is None:
        largest = growth(A, start, 50)
    else:
        of_batch = lambda key: growth(lambda v: A(v, key), start, 20)
        keys = jax.random.split(jax.random.fold_in(key, 1), _BATCHES_TRIED)
        largest = jnp.max(jax.lax.map(of_batch, keys))
    return jnp.where(largest == 0, 1, 1.1 * largest)  # NaN stays


def _check_series(scale, recursion_depth, num_samples, average, tol):
    if scale is not None:
        _arguments.number("scale", scale, above=True)
    _arguments.count("recursion_depth", recursion_depth)
    _arguments.count("num_samples", num_samples)
    _arguments.number("average", average)
    if average > 1:
        raise ValueError(f"average must lie between 0 and 1, got {average!r}")
    _arguments.number("tol", tol)


# --------------------------------------------------------------------------------------
# The same methods as settings, for many right-hand sides
# --------------------------------------------------------------------------------------


class System(NamedTuple):
    """A matrix as products with vectors (p,): of all examples, or of a random mini-batch."""

    matvec: Matvec
    minibatch: Callable[[int], Callable[..., jax.Array]]  # batch_size -> (v, key) -> product
    shift: Any = None  # l2 + damping of each param, which is part of it: (p,)
    as_params: Any = None  # a function from (..., p) to params; None for leaves held fixed


class Solution(NamedTuple):
    """What solves have left, on the host."""

    x: np.ndarray  # (s, p); NaN where a solve has broken down
    info: SolveInfo  # of each row
    runs: np.ndarray | None = None  # of LiSSA with several, each run's x: (s, num_samples, p)


def solve_rescaled(solve: Callable, B: np.ndarray) -> Solution:
    """Solve for rows of any size: ``solve`` sees them divided by powers of two, which is exact.

    Args:
        solve: a compiled ``setting.solve`` as a function of right-hand sides, (s, p).
        B: right-hand sides, (s, p).
    """
    if len(B) == 0:
        nothing = np.zeros(0, B.dtype)
        return Solution(*_certificate(B, nothing, nothing, size=nothing, xp=np))
    size = _power_of_two(np.abs(B).max(axis=1, initial=0), xp=np)
    *found, runs = jax.device_get(solve((B / size[:, None]).astype(B.dtype)))
    x, info = _certificate(*found, size=size, xp=np)
    return Solution(x, info, None if runs is None else runs * size[:, None, None])


class Setting:
    """A setting is checked where it is made; within a compiled function its numbers are traced."""

    def __post_init__(self):
        traced = lambda value: isinstance(value, jax.core.Tracer) or type(value) is object
        for name, value in vars(self).items():
            if isinstance(value, jax.Array | np.ndarray) and not traced(value) and value.ndim == 0:
                object.__setattr__(self, name, value.item())  # which can be hashed
        if not any(map(traced, vars(self).values())):
            self.check()

    def check(self) -> None:
        """Raise ``ValueError`` for numbers out of range; there may be none."""


def static(default):
    """A field that a compiled solve is compiled for, unlike numbers, which it is called with."""
    return field(default=default, metadata=dict(static=True))


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class CG(Setting):
    """Conjugate gradients: from products alone, so p may be large; for positive definite matrices.

    Several right-hand sides share one Krylov space, so that each needs far fewer steps than alone.
    Those that rounding keeps above the tolerance are solved again one by one.

    Attributes:
        tol: relative residual at which a solve counts as converged; ``None`` is 1e-5 in float32
            and 1e-10 in float64.
        maxiter: the largest number of steps of one solve; ``None`` is 10 p, and at most 1,000.
        block: whether right-hand sides share their Krylov space.

    Source:
        O'Leary, "The block conjugate gradient algorithm", Linear Algebra and its Applications 29,
        1980, in the stable form of Dubrulle, "Retooling the method of block conjugate gradients",
        ETNA 12, 2001.
    """

    tol: float | None = None
    maxiter: int | None = None
    block: bool = static(True)

    def check(self) -> None:
        """Raise ``ValueError`` or ``TypeError`` for settings out of range."""
        if self.tol is not None:
            _arguments.number("tol", self.tol)
            if self.tol >= 1:
                raise ValueError(f"tol must be None or in [0, 1), got {self.tol}")
        if self.maxiter is not None:
            _arguments.count("maxiter", self.maxiter)

    def solves_at_once(self, p: int) -> int:
        """How many right-hand sides to batch; alone on a CPU, few enough to stay in its cache."""
        if self.block:
            return min(p, 512)
        return 16 if jax.default_backend() == "cpu" else 128

    def prepare(self, system: System, like: jax.Array) -> None:
        """Nothing can be done before a right-hand side is known."""

    def solve(self, system: System, prepared: None, B: jax.Array) -> tuple:
        """``cg`` for every row of B, or its block form for all of them.

        Like each ``solve`` of a setting: what ``_certificate`` takes, and LiSSA's runs. That is x,
        residual_norm, status, num_steps, min_curvature, scale, runs.
        """
        tol = default_tol(B.dtype) if self.tol is None else self.tol
        maxiter = min(10 * B.shape[1], 1000) if self.maxiter is None else self.maxiter
        if self.block and 1 < len(B) <= B.shape[1]:
            return *_block_cg(jax.vmap(system.matvec), B, tol, maxiter), np.nan, None
        eps, same = float(jnp.finfo(B.dtype).eps), lambda r: r
        alone = lambda b: _cg(system.matvec, b, None, tol, 0.0, maxiter, same, eps)
        return *jax.vmap(alone)(B), np.nan, None


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Exact(Setting):
    """The matrix written out and factorised: p² numbers, p³/3 operations, nothing to choose.

    The factor is kept with the fitted model, for every later call.
    """

    def solves_at_once(self, p: int) -> int:
        """How many right-hand sides to batch: many, as each is a column of one product."""
        return 1024

    def prepare(self, system: System, like: jax.Array) -> Factored:
        """The matrix of ``system`` and its factor, once for all right-hand sides."""
        return factorise(trees.dense(system.matvec, like, batch_size=COLUMNS_AT_ONCE))

    def solve(self, system: System, prepared: Factored, B: jax.Array) -> tuple:
        """``direct`` with the factor at hand."""
        x, residual_norm, status = _refined(prepared.factor, lambda X: X @ prepared.matrix, B)
        verdict = jnp.where(prepared.status == NON_FINITE, NON_FINITE, INDEFINITE)
        failed = prepared.status != CONVERGED  # of the matrix, whatever b is
        x, status = jnp.where(failed, 0, x), jnp.where(failed, verdict, status)
        residual_norm = jnp.where(failed, _length(B), residual_norm)
        return x, residual_norm, status, 0, prepared.smallest, np.nan, None


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class LiSSA(Setting):
    """Stochastic Neumann series: each step sees a mini-batch alone, so n may be large.

    Noisy, and biased where the depth is short: see ``lissa``. Right-hand sides share their
    mini-batches, so errors of two test points are correlated.

    Attributes:
        scale: divisor of the curvature; ``None`` is 1.1 times the largest mini-batch curvature of
            64 sampled ones, found by power iteration and reported in ``info.scale``.
        recursion_depth: steps of one run. Against bias 4.3 scale / (l2 + damping) suffice at the
            default ``average`` and ``tol``; for others a warning names the number.
        num_samples: independent runs that are averaged; with two or more the scores have a
            standard error.
        batch_size: examples drawn at each step, with replacement.
        average: part of the iterates, from the end, that are averaged; 0 returns the last one.
        seed: of the draws.
        tol: relative residual above which a warning says "not converged".
    """

    scale: float | None = None
    recursion_depth: int = 1000
    num_samples: int = static(1)
    batch_size: int = static(1)
    average: float = 0.5
    seed: int = 0
    tol: float = 0.1

    def check(self) -> None:
        """Raise ``ValueError`` for settings out of range."""
        _check_series(self.scale, self.recursion_depth, self.num_samples, self.average, self.tol)
        _arguments.count("batch_size", self.batch_size)
        _arguments.count("seed", self.seed, least=0)

    def solves_at_once(self, p: int) -> int:
        """How many right-hand sides to batch: many, as they share their samples."""
        return 128

    def prepare(self, system: System, like: jax.Array) -> jax.Array:
        """The scale: as given, or what suffices, from the data."""
        if self.scale is not None:
            return jnp.asarray(self.scale, like.dtype)
        sampled = system.minibatch(self.batch_size)
        return _sufficient_scale(sampled, like, jax.random.key(0)).astype(like.dtype)

    def solve(self, system: System, prepared: jax.Array, B: jax.Array) -> tuple:
        """``lissa`` for every row of B, certified by products with all data."""
        averaged = jnp.maximum(1, jnp.round(self.average * self.recursion_depth)).astype(int)
        sampled, key = system.minibatch(self.batch_size), jax.random.key(self.seed)
        depth, num_runs = self.recursion_depth, self.num_samples
        *found, runs = _lissa(
            *(sampled, B, key, prepared, depth, num_runs, averaged, self.tol, system.matvec)
        )
        return *found, None if num_runs == 1 else jnp.swapaxes(runs, 0, 1)


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Arnoldi(Setting):
    r"""The steepest directions alone: $H_d^{-1}$ on the span of a few eigenvectors, 0 elsewhere.

    $$x = \sum_{i=1}^r \frac{q_i^\top b}{h_i}\, q_i,$$

    with the ``rank`` eigenvalues that are largest in size, found once by ``lanczos`` (Arnoldi's
    iteration, for a symmetric matrix). Then any number of right-hand sides costs no product with
    the matrix. What lies in the flat directions is lost, and $H_d^{-1}$ is largest there: look at
    the residual. The rank must reach into the eigenvalues that are no larger than the damping.

    Attributes:
        rank: r, at least 1 and at most p.
        num_steps: products, and vectors of p numbers kept; ``None`` is 3 r + 10, at most p.
        tol: relative residual above which a warning says "not converged".
        seed: of the random start.

    Source:
        Schioppa, Zablotskaia, Vilar and Sokolov, "Scaling up influence functions", AAAI 2022.
    """

    rank: int = field(metadata=dict(static=True))
    num_steps: int | None = static(None)
    tol: float = 0.1
    seed: int = 0

    def check(self) -> None:
        """Raise ``ValueError`` for settings out of range."""
        _arguments.count("rank", self.rank)
        _arguments.count("seed", self.seed, least=0)
        _arguments.number("tol", self.tol)
        if self.num_steps is not None:
            _arguments.count("num_steps", self.num_steps, least=self.rank)

    def solves_at_once(self, p: int) -> int:
        """How many right-hand sides to batch: many, as each is a column of one product."""
        return 1024

    def prepare(self, system: System, like: jax.Array) -> tuple[jax.Array, jax.Array]:
        """The eigenvalues that are largest in size, (r,), and their vectors, (r, p).

        Raises:
            ValueError: if the rank exceeds p.
        """
        if self.rank > like.size:
            raise ValueError(f"rank must be at most the {like.size} params, got {self.rank}")
        steps = min(like.size, self.num_steps or 3 * self.rank + 10)
        found = lanczos(system.matvec, like, steps, key=jax.random.key(self.seed))
        largest = jnp.argsort(-jnp.abs(found.eigenvalues))[: self.rank]
        return found.eigenvalues[largest], found.eigenvectors[largest]

    def solve(self, system: System, prepared: tuple, B: jax.Array) -> tuple:
        """The projected inverse times every row, with the residual in the whole space."""
        values, vectors = prepared
        x = (B @ vectors.T / values) @ vectors
        residual_norm = _length(B - jax.vmap(system.matvec)(x))
        lowest, eps = jnp.min(values), jnp.finfo(B.dtype).eps
        status = jnp.where(residual_norm <= self.tol * _length(B), CONVERGED, MAXITER)
        definite = lowest > 10 * eps * jnp.max(jnp.abs(values))
        return x, residual_norm, jnp.where(definite, status, INDEFINITE), 0, lowest, np.nan, None
