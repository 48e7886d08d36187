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

from course_utils import _block_cg, trees
from course_utils import curvature as curvatures
from course_utils._certificates import (
    CONVERGED,
    INDEFINITE,
    MAXITER,
    NON_FINITE,
    SINGULAR,
    STALLED,
    SolveInfo,
    as_matvec,
    check_count,
    check_definite,
    check_nonnegative,
    default_tol,
    power_of_two,
    stretch,
)
from course_utils._series import (  # noqa: F401
    check_lissa,
    lissa,
    lissa_rows,
    neumann,
    num_averaged,
    sufficient_scale,
)

PyTree = Any
Matvec = Callable[[PyTree], PyTree]

_RUNNING, _PAUSED = -1, -2  # states of the search, which no certificate shows


def cg(
    matvec: Matvec,
    b: PyTree,
    x0: PyTree | None = None,
    *,
    tol: float | jax.Array = 1e-5,
    atol: float | jax.Array = 0.0,
    maxiter: int | jax.Array | None = None,
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
        ``(x, SolveInfo)``; x like ``b`` (in float32 where that is half precision), all NaN if the
        status is "non-finite". It can be
        transformed by ``jit`` and ``vmap``. ``grad`` passes through A and b by the implicit
        function theorem (another solve, whatever the number of steps), not through ``x0``, ``M``
        or the tolerances. Outside ``jit`` every call compiles anew.

    Raises:
        ValueError: if ``b`` is not floating-point, or ``x0`` or a product does not match it.

    Source:
        Nocedal and Wright, "Numerical Optimization", 2nd ed., chapter 5; Hestenes and Stiefel,
        1952.
    """
    matvec, M = as_matvec(matvec), (lambda r: r) if M is None else as_matvec(M)
    trees.check_floating("b", b)
    b = trees.promote(b)
    if x0 is not None:
        x0 = trees.promote(x0)
        trees.check_like("x0", x0, "b", b)
    trees.check_like("matvec(b)", jax.eval_shape(matvec, b), "b", b)
    maxiter = 10 * trees.size(b) if maxiter is None else maxiter

    def solve(matvec, b):
        # A solve is linear in b. Divided by a power of two near max|b|, an exact operation, its
        # squares neither under- nor overflow.
        size = power_of_two(b)
        divide = lambda v: jax.tree.map(lambda leaf: leaf / size.astype(leaf.dtype), v)
        start = None if x0 is None else divide(x0)
        x, info = _cg(matvec, divide(b), start, tol, atol / size, maxiter, M)
        x = trees.scale(size, x)
        finite = jnp.isfinite(trees.max_abs(x))  # the product with size may overflow
        x = jax.tree.map(lambda leaf: jnp.where(finite, leaf, jnp.nan), x)
        status = jnp.where(finite, info.status, NON_FINITE).astype(jnp.int32)
        return x, info._replace(
            converged=info.converged & finite,
            residual_norm=info.residual_norm * size,
            status=status,
        )

    with jax.default_matmul_precision("highest"):
        return jax.lax.custom_linear_solve(matvec, b, solve, symmetric=True, has_aux=True)


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
        ``(x, SolveInfo)``; x like ``b`` (in float32 where that is half precision), all NaN where A
        is not positive definite.
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

    largest = stretch(lambda v: jnp.matmul(constant, v, precision="highest"), start, 5)
    inverse = lambda v: jax.scipy.linalg.cho_solve((factor, True), v)
    estimate = lambda: 1 / stretch(inverse, start, 5)
    exact = lambda: jnp.linalg.eigvalsh(constant)[0]
    smallest = jax.lax.cond(positive, estimate, exact)
    # Rounding leaves an eigenvalue of exactly zero at up to about eps / 2 times the largest one.
    singular = jnp.abs(smallest) <= 4 * jnp.finfo(matrix.dtype).eps * largest
    status = jnp.where(singular, SINGULAR, jnp.where(positive, CONVERGED, INDEFINITE))
    return Factored(matrix, factor, smallest, jnp.where(finite, status, NON_FINITE))


# --------------------------------------------------------------------------------------
# The same solvers as settings
# --------------------------------------------------------------------------------------


Solution = tuple[PyTree, SolveInfo]


class System(NamedTuple):
    """The matrix of a problem, as products: all of it, or of a random mini-batch."""

    matvec: Matvec
    sampled: Callable[[int], Callable[..., PyTree]]  # batch_size -> (v, key) -> product


@dataclass(frozen=True)
class CG:
    """Conjugate gradients: from products alone, so p may be large; for positive definite matrices.

    Several right-hand sides share one Krylov space, so that each needs far fewer steps than alone.
    Those that rounding, or a matrix that is not definite, keeps above the tolerance are solved
    again one by one.

    Attributes:
        tol: relative residual at which a solve counts as converged; ``None`` is 1e-5 in float32
            and 1e-10 in float64.
        maxiter: the largest number of steps of one solve; ``None`` is 10 p.
        block: whether right-hand sides share their Krylov space.
        preconditioner: ``"jacobi"`` divides residuals by the diagonal of the matrix, and solves one
            by one: for params in very different units. The diagonal takes p products, once.

    Source:
        O'Leary, "The block conjugate gradient algorithm", Linear Algebra and its Applications 29,
        1980, in the stable form of Dubrulle, "Retooling the method of block conjugate gradients",
        ETNA 12, 2001.
    """

    tol: float | None = None
    maxiter: int | None = None
    block: bool = True
    preconditioner: str | None = None

    def __post_init__(self):
        if self.tol is not None and not 0 <= self.tol < 1:
            raise ValueError(f"tol must be None or in [0, 1), got {self.tol}")
        if self.maxiter is not None and self.maxiter < 1:
            raise ValueError(f"maxiter must be None or at least 1, got {self.maxiter}")
        if self.preconditioner not in (None, "jacobi"):
            raise TypeError(f"preconditioner must be None or 'jacobi', got {self.preconditioner!r}")

    def static(self) -> "CG":
        """What a compiled solve depends on: none of the numbers."""
        block = self.block and self.preconditioner is None
        return CG(block=block, preconditioner=self.preconditioner)

    def needs_preparation(self) -> bool:
        """Whether anything can be done before a right-hand side is known."""
        return self.preconditioner is not None

    def prepare(self, system: System, like: PyTree) -> PyTree:
        """The diagonal of the matrix, like the params; 1 where it is not positive."""
        diagonal = trees.diagonal(system.matvec, like, batch_size=64)
        return jax.tree.map(lambda d: jnp.where(d > 0, d, 1), diagonal)

    def arguments(self, found: PyTree | None) -> tuple:
        """The tolerance and the largest number of steps, NaN and −1 for ``None``; the diagonal."""
        return (
            np.nan if self.tol is None else float(self.tol),
            -1 if self.maxiter is None else self.maxiter,
            found,
        )

    def solved_at_once(self, p: int) -> int:
        """How many right-hand sides to batch; alone on a CPU, few enough to stay in its cache."""
        if self.static().block:
            return min(p, 512)
        return 16 if jax.default_backend() == "cpu" else 128

    def limits(self, arguments: tuple, rows: PyTree) -> tuple[jax.Array, jax.Array]:
        """The tolerance and the largest number of steps, with what ``None`` stands for."""
        tol, maxiter, _ = arguments
        p = trees.size(trees.take_rows(rows, 0))
        tol = jnp.where(jnp.isnan(tol), default_tol(rows), tol)
        return tol, jnp.where(maxiter < 0, 10 * p, maxiter)

    def solve(self, arguments: tuple, system: System, rows: PyTree) -> Solution:
        """``cg`` with these numbers, for every row; or its block form for all of them."""
        (tol, maxiter), diagonal = self.limits(arguments, rows), arguments[-1]
        if self.block and 1 < trees.num_rows(rows) <= trees.size(trees.take_rows(rows, 0)):
            return _block_cg.solve(system.matvec, rows, tol, maxiter)
        M = None if diagonal is None else lambda r: jax.tree.map(jnp.divide, r, diagonal)
        return jax.vmap(lambda b: cg(system.matvec, b, tol=tol, maxiter=maxiter, M=M))(rows)


@dataclass(frozen=True)
class Exact:
    """The matrix written out and factorised: p² numbers, p³/3 operations, nothing to choose."""

    def static(self) -> "Exact":
        """What a compiled solve depends on."""
        return self

    def needs_preparation(self) -> bool:
        """Whether ``prepare`` has anything to do."""
        return True

    def arguments(self, found: Factored) -> Factored:
        """What a solve takes: the factor.

        Raises:
            ValueError: with the smallest eigenvalue, unless the matrix is positive definite.
        """
        check_definite(found.status, found.smallest)
        return found

    def prepare(self, system: System, like: PyTree) -> Factored:
        """The matrix of ``system`` and its factor, once for all right-hand sides."""
        return factorise(trees.dense(system.matvec, like, batch_size=64))

    def solved_at_once(self, p: int) -> int:
        """How many right-hand sides to batch: many, as each is a column of one product."""
        return 1024

    def solve(self, arguments: Factored, system: System, rows: PyTree) -> Solution:
        """``direct`` with the factor at hand; a matrix not definite shows in the status."""
        return jax.vmap(lambda b: _solve_factored(arguments, b))(rows)


@dataclass(frozen=True)
class LiSSA:
    """Stochastic Neumann series: each step sees a mini-batch alone, so n may be large.

    Noisy, and biased where the depth is short: see ``lissa``. Right-hand sides share their
    mini-batches, so errors of two test points are correlated.

    Attributes:
        scale: divisor of the curvature; ``None`` is 1.1 times the largest mini-batch curvature of
            64 sampled ones, found by power iteration and reported in ``info.scale``.
        recursion_depth: steps of one run.
        num_samples: independent runs that are averaged.
        batch_size: examples drawn at each step, with replacement.
        average: part of the iterates, from the end, that are averaged; 0 returns the last one.
        seed: of the draws.
        tol: relative residual above which a warning says "not converged".
    """

    scale: float | None = None
    recursion_depth: int = 1000
    num_samples: int = 1
    batch_size: int = 1
    average: float = 0.5
    seed: int = 0
    tol: float = 0.1

    def __post_init__(self):
        check_lissa(self.scale, self.recursion_depth, self.num_samples, self.average, self.tol)
        check_count("batch_size", self.batch_size, least=1)
        check_count("seed", self.seed, least=0)
        if self.scale is not None:  # a number, though it may have come as an array
            object.__setattr__(self, "scale", float(self.scale))

    def static(self) -> "LiSSA":
        """What a compiled solve depends on: shapes alone."""
        return LiSSA(num_samples=self.num_samples, batch_size=self.batch_size)

    def needs_preparation(self) -> bool:
        """Whether the scale is to be found."""
        return self.scale is None

    def arguments(self, found: jax.Array | None) -> tuple:
        """Scale, depth, number of iterates averaged, seed and tolerance."""
        scale = self.scale if found is None else float(found)
        averaged = num_averaged(self.average, self.recursion_depth)
        return scale, self.recursion_depth, averaged, self.seed, float(self.tol)

    def prepare(self, system: System, like: PyTree) -> jax.Array:
        """The scale that suffices, from the data."""
        with jax.default_matmul_precision("highest"):
            batch = system.sampled(self.batch_size)
            return sufficient_scale(batch, like, jax.random.key(0)).astype(trees.dtype(like))

    def solved_at_once(self, p: int) -> int:
        """How many right-hand sides to batch: many, as they share their samples."""
        return 128

    def solve(self, arguments: tuple, system: System, rows: PyTree) -> Solution:
        """``lissa`` with these numbers, for every row, certified by products with all data."""
        scale, depth, num_averaged, seed, tol = arguments
        scale = jnp.asarray(scale, trees.dtype(rows))
        key, sampled = jax.random.key(seed), system.sampled(self.batch_size)
        return lissa_rows(
            *(sampled, rows, key, scale, depth, self.num_samples, num_averaged, tol, system.matvec)
        )


@dataclass(frozen=True)
class Arnoldi:
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

    rank: int
    num_steps: int | None = None
    tol: float = 0.1
    seed: int = 0

    def __post_init__(self):
        check_count("rank", self.rank, least=1)
        check_count("seed", self.seed, least=0)
        check_nonnegative("tol", self.tol)
        if self.num_steps is not None:
            check_count("num_steps", self.num_steps, least=self.rank)

    def static(self) -> "Arnoldi":
        """What a compiled solve depends on: shapes, and the start."""
        return Arnoldi(self.rank, self.num_steps, seed=self.seed)

    def needs_preparation(self) -> bool:
        """Whether ``prepare`` has anything to do."""
        return True

    def arguments(self, found: tuple) -> tuple:
        """What a solve takes: eigenvalues, eigenvectors as rows, and the tolerance."""
        return *found, float(self.tol)

    def prepare(self, system: System, like: PyTree) -> tuple[jax.Array, jax.Array]:
        """The eigenvalues that are largest in size, (r,), and their vectors, (r, p).

        Raises:
            ValueError: if the rank exceeds p.
        """
        p = trees.size(like)
        if self.rank > p:
            raise ValueError(f"rank must be at most the {p} params, got {self.rank}")
        steps = min(p, self.num_steps or 3 * self.rank + 10)
        found = curvatures.lanczos(system.matvec, like, steps, key=jax.random.key(self.seed))
        largest = jnp.argsort(-jnp.abs(found.eigenvalues))[: self.rank]
        rows = trees.take_rows(found.eigenvectors, largest)
        return found.eigenvalues[largest], trees.ravel_rows(rows)

    def solved_at_once(self, p: int) -> int:
        """How many right-hand sides to batch: many, as each is a column of one product."""
        return 1024

    def solve(self, arguments: tuple, system: System, rows: PyTree) -> Solution:
        """The projected inverse times every row, with the residual in the whole space."""
        values, vectors, tol = arguments
        flat = trees.ravel_rows(rows)
        with jax.default_matmul_precision("highest"):
            x = trees.unravel_rows((flat @ vectors.T / values) @ vectors, trees.take_rows(rows, 0))
            gap = trees.subtract(rows, jax.vmap(system.matvec)(x))
        residual_norm = jax.vmap(trees.norm)(gap)
        lowest, none = jnp.min(values), jnp.full_like(residual_norm, jnp.nan)
        status = jnp.where(residual_norm <= tol * jax.vmap(trees.norm)(rows), CONVERGED, MAXITER)
        status = jnp.where(jnp.isfinite(residual_norm), status, NON_FINITE)
        definite = lowest > 10 * trees.epsilon(rows) * jnp.max(jnp.abs(values))
        status = jnp.where(definite | (status == NON_FINITE), status, INDEFINITE).astype(jnp.int32)
        steps = jnp.full(none.shape, 0, jnp.int32)
        lowest = jnp.full_like(none, lowest)
        info = SolveInfo(status == CONVERGED, steps, residual_norm, lowest, none, status)
        return trees.blank_rows(x, status >= INDEFINITE), info


Solver = CG | Exact | LiSSA | Arnoldi
