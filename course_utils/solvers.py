r"""Solve $A x = b$ and say whether to believe the answer.

Every solver returns ``(x, SolveInfo)``. The certificate is made of arrays, so that ``jit`` and
``vmap`` keep it; its residual is recomputed from the returned ``x``, not carried along. Solvers
never warn and never print: what to do about a failure is the caller's decision.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from course_utils import trees

PyTree = Any
Matvec = Callable[[PyTree], PyTree]

# The words of SolveInfo.status, and their numbers.
STATUS = ("converged", "maxiter", "stalled", "indefinite", "diverged", "non-finite", "singular")
CONVERGED, MAXITER, STALLED, INDEFINITE, DIVERGED, NON_FINITE, SINGULAR = range(len(STATUS))
_RUNNING, _PAUSED = -1, -2


class SolveInfo(NamedTuple):
    """What a solver met on its way: arrays, with one entry per right-hand side under ``vmap``.

    Attributes:
        converged: whether the residual is within the tolerance.
        num_steps: products with the matrix that were needed (0 for ``direct``).
        residual_norm: ‖b − A x‖ of the returned x, recomputed; in the units of b.
        min_curvature: the smallest pᵀAp / pᵀp met, an upper bound of the smallest eigenvalue
            (infinite if no step was taken).
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

        "converged"; "maxiter": steps ran out; "stalled": rounding stopped all progress above the
        tolerance; "indefinite": a direction with pᵀAp ≤ 0 to rounding; "diverged"; "non-finite":
        NaN or infinity; "singular": the smallest eigenvalue is a rounding error.
        """
        return np.asarray(STATUS)[np.asarray(self.status)].tolist()


def cg(
    matvec: Matvec,
    b: PyTree,
    x0: PyTree | None = None,
    *,
    tol: float = 1e-5,
    atol: float = 0.0,
    maxiter: int | None = None,
    M: Matvec | None = None,
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
        ``(x, SolveInfo)``; x like ``b``, all NaN if the status is "non-finite". It can be
        transformed by ``jit`` and ``vmap``. ``grad`` passes through A and b by the implicit
        function theorem (another solve, whatever the number of steps), not through ``x0``, ``M``
        or the tolerances. Outside ``jit`` every call compiles anew.

    Raises:
        ValueError: if ``b`` is not floating-point, or ``x0`` or a product does not match it.

    Source:
        Nocedal and Wright, "Numerical Optimization", 2nd ed., chapter 5; Hestenes and Stiefel,
        1952.
    """
    matvec, M = _as_matvec(matvec), (lambda r: r) if M is None else _as_matvec(M)
    trees.check_floating("b", b)
    b = jax.tree.map(jnp.asarray, b)
    if x0 is not None:
        x0 = jax.tree.map(jnp.asarray, x0)
        trees.check_like("x0", x0, "b", b)
    trees.check_like("matvec(b)", jax.eval_shape(matvec, b), "b", b)
    maxiter = 10 * trees.size(b) if maxiter is None else maxiter

    def solve(matvec, b):
        # A solve is linear in b. Divided by a power of two near max|b|, an exact operation, its
        # squares neither under- nor overflow.
        size = trees.max_abs(b)
        size = jnp.ldexp(jnp.full((), 0.5, size.dtype), jnp.frexp(size)[1])
        size = jnp.where(jnp.isfinite(size) & (size > 0), size, 1)
        divide = lambda v: jax.tree.map(lambda leaf: leaf / size.astype(leaf.dtype), v)
        start = None if x0 is None else divide(x0)
        x, info = _cg(matvec, divide(b), start, tol, atol / size, maxiter, M)
        x = trees.scale(size, x)
        finite = jnp.isfinite(trees.max_abs(x))  # the product with size may overflow
        status = jnp.where(finite, info.status, NON_FINITE).astype(jnp.int32)
        return x, info._replace(
            converged=info.converged & finite,
            residual_norm=info.residual_norm * size,
            status=status,
        )

    with jax.default_matmul_precision("highest"):
        return jax.lax.custom_linear_solve(matvec, b, solve, symmetric=True, has_aux=True)


def _as_matvec(A):
    if callable(A):
        return A
    matrix = jnp.asarray(A)
    return lambda v: matrix @ v


class _Search(NamedTuple):
    """The state of conjugate gradients: A-conjugate directions p from residuals r."""

    x: PyTree
    r: PyTree
    p: PyTree
    r_z: jax.Array  # r . z with z = M r
    r_norm: jax.Array
    num_steps: jax.Array
    smallest: jax.Array  # curvature p.Ap / p.p
    largest: jax.Array
    status: jax.Array


def _cg(matvec, b, x0, tol, atol, maxiter, M):
    eps = trees.epsilon(b)
    length = lambda v: jnp.sqrt(trees.vdot(v, v))
    residual = lambda x: trees.subtract(b, matvec(x))

    def direction(x, r, num_steps, smallest, largest, status):
        z = M(r)
        return _Search(x, r, z, trees.vdot(r, z), length(r), num_steps, smallest, largest, status)

    def step(s):
        Ap = matvec(s.p)
        p_A_p, p_p = trees.vdot(s.p, Ap), trees.vdot(s.p, s.p)
        curvature = p_A_p / p_p
        finite = jnp.isfinite(p_A_p) & jnp.isfinite(s.r_z)
        # A curvature below the rounding of A p counts as none, unless the residual is rounding too:
        # then it proves nothing about A.
        positive = (p_A_p > 0) & (curvature > eps * s.largest) & (s.r_z > 0)
        rounding = s.r_norm <= 10 * eps * s.largest * length(s.x)
        go = finite & positive
        alpha = jnp.where(go, s.r_z / jnp.where(go, p_A_p, 1), 0)
        x = trees.add_scaled(s.x, alpha, s.p)
        r = trees.add_scaled(s.r, -alpha, Ap)
        z = M(r)
        r_z = trees.vdot(r, z)
        p = trees.add_scaled(z, jnp.where(go, r_z / s.r_z, 0), s.p)
        failure = jnp.where(rounding, _PAUSED, INDEFINITE)
        status = jnp.where(finite, jnp.where(positive, s.status, failure), NON_FINITE)
        keep = finite & (positive | ~rounding)
        smallest = jnp.where(keep, jnp.minimum(s.smallest, curvature), s.smallest)
        largest = jnp.where(keep, jnp.maximum(s.largest, curvature), s.largest)
        return _Search(x, r, p, r_z, length(r), s.num_steps + 1, smallest, largest, status)

    b_norm = length(b)
    target = jnp.maximum(tol * b_norm, atol).astype(b_norm.dtype)

    def cycle(s):
        # Half the tolerance, so that rounding seldom makes the true residual miss it; and never
        # more digits in one cycle than the dtype has.
        goal = jnp.maximum(target / 2, eps * s.r_norm)
        running = lambda s: (s.status == _RUNNING) & (s.r_norm > goal) & (s.num_steps < maxiter)
        end = jax.lax.while_loop(running, step, s)
        r = residual(end.x)
        r_norm = length(r)
        better = (s.num_steps == 0) | (r_norm < s.r_norm)  # a repeated cycle never makes x worse
        x, r = trees.where(better, end.x, s.x), trees.where(better, r, s.r)
        status = jnp.where(r_norm > s.r_norm / 2, STALLED, _RUNNING)
        status = jnp.where(end.num_steps >= maxiter, MAXITER, status)
        status = jnp.where(r_norm <= target, CONVERGED, status)
        status = jnp.where(end.status == INDEFINITE, INDEFINITE, status)
        broken = (end.status == NON_FINITE) | ~jnp.isfinite(r_norm)
        status = jnp.where(broken, NON_FINITE, status).astype(jnp.int32)
        return direction(x, r, end.num_steps, end.smallest, end.largest, status)

    zero, status = jnp.zeros((), b_norm.dtype), jnp.int32(_RUNNING)
    x0, r0 = (trees.zeros_like(b), b) if x0 is None else (x0, residual(x0))
    start = direction(x0, r0, jnp.int32(0), zero + jnp.inf, zero, status)
    s = jax.lax.while_loop(lambda s: s.status == _RUNNING, cycle, start)
    x = jax.tree.map(lambda leaf: jnp.where(s.status == NON_FINITE, jnp.nan, leaf), s.x)
    info = SolveInfo(
        s.status == CONVERGED, s.num_steps, s.r_norm, s.smallest, zero + jnp.nan, s.status
    )
    return x, info


def direct(matrix: jax.Array, b: PyTree) -> tuple[PyTree, SolveInfo]:
    r"""Solve $A x = b$ for a symmetric positive definite matrix that is at hand, by Cholesky.

    The reference for every other solver: (p³/3) operations for the factor and p² for each b. Under
    ``vmap`` over ``b`` alone the factor is computed once.

    Args:
        matrix: A, shape (p, p), symmetric positive definite.
        b: pytree of floating-point arrays, p entries in all, in the order of ``trees.ravel``.

    Returns:
        ``(x, SolveInfo)``; x like ``b``, all NaN where A is not positive definite.
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
    p = trees.size(b)
    if jnp.shape(matrix) != (p, p):
        raise ValueError(f"matrix must match b: got shape {jnp.shape(matrix)}, expected {(p, p)}")
    matrix = jnp.asarray(matrix, jnp.result_type(matrix, trees.dtype(b)))
    x, info = _solve_factored(factorise(matrix), b)
    if not isinstance(info.status, jax.core.Tracer):
        gap, largest = jnp.max(jnp.abs(matrix - matrix.T)), jnp.max(jnp.abs(matrix))
        if gap > jnp.finfo(matrix.dtype).eps ** 0.5 * largest:
            raise ValueError(f"matrix is not symmetric: entries differ by up to {gap:.3g}")
        check_definite(info.status, info.min_curvature)
    return x, info


class Factored(NamedTuple):
    """A matrix with what ``direct`` knows about it before any right-hand side comes."""

    matrix: jax.Array
    factor: jax.Array  # lower triangular, factor @ factor.T = matrix
    smallest: jax.Array  # the smallest eigenvalue; an estimate where it is positive
    status: jax.Array


def _solve_factored(factored, b):
    matrix, factor, smallest, status = factored

    def solve(matvec, b):
        x = jax.scipy.linalg.cho_solve((factor, True), b)
        x = jnp.where(status == CONVERGED, x, jnp.nan)
        return x, trees.norm(b - matvec(x))

    flat = trees.ravel(b).astype(matrix.dtype)
    with jax.default_matmul_precision("highest"):
        x, residual_norm = jax.lax.custom_linear_solve(
            lambda v: matrix @ v, flat, solve, symmetric=True, has_aux=True
        )
    finite = jnp.isfinite(residual_norm) | (status != CONVERGED)
    status = jnp.where(finite, status, NON_FINITE).astype(jnp.int32)
    none = jnp.full((), jnp.nan, matrix.dtype)
    info = SolveInfo(status == CONVERGED, jnp.int32(0), residual_norm, smallest, none, status)
    return trees.unravel(x, b), info


@jax.jit
def factorise(matrix: jax.Array) -> Factored:
    """The Cholesky factor of a symmetric matrix, shape (p, p), and whether it can be used."""
    constant = jax.lax.stop_gradient(matrix)  # gradients pass through the solve instead
    factor = jnp.linalg.cholesky(constant)
    finite = jnp.all(jnp.isfinite(constant))
    positive = jnp.all(jnp.isfinite(factor))
    start = jax.random.normal(jax.random.key(0), matrix.shape[:1], matrix.dtype)

    def iterate(apply):
        def step(_, state):
            length = trees.norm(state[0])
            image = apply(state[0] / jnp.where(length > 0, length, 1))
            return image, trees.norm(image)

        return jax.lax.fori_loop(0, 5, step, (start, jnp.zeros((), matrix.dtype)))[1]

    largest = iterate(lambda v: jnp.matmul(constant, v, precision="highest"))
    estimate = lambda: 1 / iterate(lambda v: jax.scipy.linalg.cho_solve((factor, True), v))
    exact = lambda: jnp.linalg.eigvalsh(constant)[0]
    smallest = jax.lax.cond(positive, estimate, exact)
    # Rounding leaves an eigenvalue of exactly zero at up to about eps / 2 times the largest one.
    singular = jnp.abs(smallest) <= 4 * jnp.finfo(matrix.dtype).eps * largest
    status = jnp.where(singular, SINGULAR, jnp.where(positive, CONVERGED, INDEFINITE))
    return Factored(matrix, factor, smallest, jnp.where(finite, status, NON_FINITE))


def check_definite(status: jax.Array, smallest: jax.Array) -> None:
    """Raise ``ValueError`` where a matrix is not positive definite, with its smallest eigenvalue.

    Args:
        status: of the matrix, shape ().
        smallest: its smallest eigenvalue, shape ().
    """
    smallest = np.asarray(smallest)
    if status == INDEFINITE:
        raise ValueError(
            f"matrix is indefinite: its smallest eigenvalue is {smallest:.3g}; "
            f"raising damping by {round_up(-smallest)} cures it"
        )
    if status == SINGULAR:
        raise ValueError(
            f"matrix is singular: its smallest eigenvalue is {smallest:.3g}, a rounding error in "
            f"{smallest.dtype}; l2 or damping cures it"
        )
    if status == NON_FINITE:
        raise ValueError("NaN or infinity in matrix or b")


def round_up(x: float) -> str:
    """A positive number in two digits, 1 to 11 percent above ``x``: advice that suffices."""
    return f"{1.06 * x:.2g}"


# --------------------------------------------------------------------------------------
# The same solvers as settings
# --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class CG:
    """Conjugate gradients: from products alone, so p may be large; for positive definite matrices.

    Attributes:
        tol: relative residual at which a solve counts as converged; ``None`` is 1e-5 in float32
            and 1e-10 in float64.
        maxiter: the largest number of steps of one solve; ``None`` is 10 p.
    """

    tol: float | None = None
    maxiter: int | None = None

    def __post_init__(self):
        if self.tol is not None and not 0 <= self.tol < 1:
            raise ValueError(f"tol must be None or in [0, 1), got {self.tol}")
        if self.maxiter is not None and self.maxiter < 1:
            raise ValueError(f"maxiter must be None or at least 1, got {self.maxiter}")

    def prepare(self, matvec: Matvec, like: PyTree) -> None:
        """What can be done before a right-hand side is known: nothing."""

    def solved_at_once(self) -> int:
        """How many right-hand sides to batch: on a CPU, few enough to stay in its cache."""
        return 16 if jax.default_backend() == "cpu" else 128

    def check(self, prepared: None) -> None:
        """Raise where the matrix is known to be useless: only products can tell."""

    def solve(self, prepared: None, matvec: Matvec, b: PyTree) -> tuple[PyTree, SolveInfo]:
        """``cg`` with these settings."""
        tol = default_tol(b) if self.tol is None else self.tol
        return cg(matvec, b, tol=tol, maxiter=self.maxiter)


@dataclass(frozen=True)
class Exact:
    """The matrix written out and factorised: p² numbers, p³/3 operations, nothing to choose."""

    def prepare(self, matvec: Matvec, like: PyTree) -> Factored:
        """The matrix of ``matvec`` and its factor, once for all right-hand sides."""
        return factorise(trees.dense(matvec, like, batch_size=64))

    def solved_at_once(self) -> int:
        """How many right-hand sides to batch: many, as each is a column of one product."""
        return 1024

    def check(self, prepared: Factored) -> None:
        """Raise ``ValueError``, with the smallest eigenvalue, unless the matrix is definite."""
        check_definite(prepared.status, prepared.smallest)

    def solve(self, prepared: Factored, matvec: Matvec, b: PyTree) -> tuple[PyTree, SolveInfo]:
        """``direct`` with the factor at hand; a matrix not definite shows in the status."""
        return _solve_factored(prepared, b)


def default_tol(b: PyTree) -> float:
    """The relative residual that counts as converged in the dtype of ``b``: 1e-5 or 1e-10."""
    return 1e-10 if trees.epsilon(b) < 1e-12 else 1e-5
