"""Conjugate gradients on several right-hand sides that share one Krylov space."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from course_utils import trees
from course_utils._certificates import (
    CONVERGED,
    INDEFINITE,
    MAXITER,
    NON_FINITE,
    STALLED,
    SolveInfo,
)

PyTree = Any
Matvec = Callable[[PyTree], PyTree]

_RUNNING = -1  # a state of the search, which no certificate shows


class Goal(NamedTuple):
    """What is to be solved: right-hand sides of length 1, as rows, and when to stop."""

    b: jax.Array  # (s, p), s at most p
    size: jax.Array  # what each was divided by, (s,)
    target: jax.Array  # norms of the residual that count as converged, (s,)
    maxiter: jax.Array


class BlockSearch(NamedTuple):
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
    ending: jax.Array  # the status of rows that have not converged, ()
    num_steps: jax.Array  # (s,)
    smallest: jax.Array  # curvature p.Ap / p.p, ()
    largest: jax.Array


def solve(
    matvec: Matvec, rows: PyTree, tol: jax.Array, maxiter: jax.Array
) -> tuple[PyTree, SolveInfo]:
    r"""Solve $A x = b$ for several b at once: ``cg`` with blocks of vectors in place of vectors.

    All x are sought in the span of $A^k b_j$ over all j, so that the error falls at least as fast
    as that of each alone, and much faster where there are many. With one product of each row, a
    step costs some $6 s^2 p$ operations more. A direction of that span without positive curvature
    ends the search for all.

    Args:
        matvec: products with a symmetric positive definite A.
        rows: s right-hand sides, a pytree with a leading axis of s, at most p.
        tol: relative residual that counts as converged.
        maxiter: the largest number of steps.

    Returns:
        ``(x, SolveInfo)``, rows; ``num_steps`` says when each row was converged.
    """
    like = trees.take_rows(rows, 0)
    with jax.default_matmul_precision("highest"):
        goal, start = begin(rows, tol, maxiter)
        search = jax.lax.while_loop(running, lambda s: step(matvec, like, goal, s), start)
        return finish(goal, search, like)


def begin(rows: PyTree, tol: jax.Array, maxiter: jax.Array) -> tuple[Goal, BlockSearch]:
    """The goal, and the search from x = 0."""
    b = trees.ravel_rows(rows)
    norms = jax.vmap(trees.norm)(b)
    size = jnp.where(norms > 0, norms, 1)
    b, norms = b / size[:, None], (norms > 0).astype(b.dtype)
    goal = Goal(b, size, (tol * norms).astype(b.dtype), jnp.asarray(maxiter))
    x, nothing = jnp.zeros_like(b), jnp.zeros((), b.dtype)
    search = BlockSearch(
        *(x, x, jnp.zeros((len(b), len(b)), b.dtype), x, norms, norms),
        *(jnp.bool(False), jnp.int32(_RUNNING), jnp.zeros(len(b), jnp.int32)),
        *(nothing + jnp.inf, nothing),
    )
    return goal, _restarted(search, goal, b, norms)


def running(search: BlockSearch) -> jax.Array:
    """Whether a step is to follow. Shape ()."""
    return search.looking | (search.ending == _RUNNING)


def step(matvec: Matvec, like: PyTree, goal: Goal, search: BlockSearch) -> BlockSearch:
    """One product with every row: of the directions, or of x where it is time to look."""
    row = lambda v: trees.ravel(matvec(trees.unravel(v, like)))
    image = jax.vmap(row)(jnp.where(search.looking, search.x, search.P))
    look, advance = lambda: _look(search, goal, image), lambda: _advance(search, goal, image)
    return jax.lax.cond(search.looking, look, advance)


def _advance(s, goal, AP):
    eps = jnp.finfo(AP.dtype).eps
    D = s.P @ AP.T  # (s, s), positive definite where A is
    L = jnp.linalg.cholesky((D + D.T) / 2)
    lengths = jnp.sum(s.P**2, axis=1)
    curvatures = jnp.diagonal(D) / lengths
    smallest = jnp.minimum(s.smallest, jnp.min(curvatures))
    largest = jnp.maximum(s.largest, jnp.max(curvatures))
    positive = jnp.min(jnp.diagonal(L) ** 2 / lengths) > 10 * eps * largest  # false for NaN
    inverse_D = lambda rows: jax.scipy.linalg.cho_solve((L, True), rows)
    x = s.x + inverse_D(s.K.T).T @ s.P
    Q, M = _orthonormal(s.Q - inverse_D(AP))
    K = s.K @ M
    active = _lengths(s.K) > s.pause
    num_steps = s.num_steps + active
    done = jnp.all(_lengths(K) <= s.pause)
    spent = jnp.max(num_steps) >= goal.maxiter
    ending = jnp.where(positive, jnp.where(spent, MAXITER, s.ending), INDEFINITE)
    after = s._replace(x=x, Q=Q, K=K, P=Q + M.T @ s.P)
    after = trees.where(positive, after, s)
    return after._replace(
        looking=done | (ending != _RUNNING),
        ending=ending.astype(jnp.int32),
        num_steps=num_steps,
        smallest=smallest,
        largest=largest,
    )


def _look(s, goal, Ax):
    r = goal.b - Ax
    norms = _lengths(r)
    short = ~(norms <= goal.target)
    improved = jnp.any(short & (norms < s.seen / 2)) & jnp.all(jnp.isfinite(norms))
    goes_on = (s.ending == _RUNNING) & jnp.any(short) & improved
    ending = jnp.where(s.ending == _RUNNING, STALLED, s.ending).astype(jnp.int32)
    over = s._replace(seen=norms, looking=jnp.bool(False), ending=ending)
    return jax.lax.cond(goes_on, lambda: _restarted(s, goal, r, norms), lambda: over)


def _restarted(s, goal, r, norms):
    # As in ``cg``: half the tolerance, and never more digits in one cycle than the dtype has.
    pause = jnp.maximum(goal.target / 2, jnp.finfo(r.dtype).eps * norms)
    Q, K = _orthonormal(r)
    looking = jnp.all(norms <= pause)
    return s._replace(Q=Q, K=K, P=Q, pause=pause, seen=norms, looking=looking)


def finish(goal: Goal, search: BlockSearch, like: PyTree) -> tuple[PyTree, SolveInfo]:
    """The rows of x, NaN where one is not finite, and their certificates."""
    norms, none = search.seen, jnp.full_like(search.seen, jnp.nan)
    x, norms = search.x * goal.size[:, None], norms * goal.size
    status = jnp.where(search.seen <= goal.target, CONVERGED, search.ending)
    finite = jnp.isfinite(norms) & jnp.all(jnp.isfinite(x), axis=1)
    status = jnp.where(finite, status, NON_FINITE).astype(jnp.int32)
    x = trees.unravel_rows(trees.blank_rows(x, status == NON_FINITE), like)
    smallest = jnp.full_like(none, search.smallest)
    return x, SolveInfo(status == CONVERGED, search.num_steps, norms, smallest, none, status)


def _lengths(rows):
    return jnp.sqrt(jnp.sum(rows**2, axis=1))


def _orthonormal(rows):
    """Q with orthonormal rows, (s, p), and K, (s, s), with K Q = ``rows``."""
    Q, R = jnp.linalg.qr(rows.T)
    return Q.T, R.T
