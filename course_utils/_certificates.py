"""What a solver says of its answer, and small things that all solvers use."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from course_utils import trees

PyTree = Any

# The words of SolveInfo.status, and their numbers.
STATUS = ("converged", "maxiter", "stalled", "indefinite", "diverged", "non-finite", "singular")
CONVERGED, MAXITER, STALLED, INDEFINITE, DIVERGED, NON_FINITE, SINGULAR = range(len(STATUS))


class SolveInfo(NamedTuple):
    """What a solver met on its way: arrays, with one entry per right-hand side under ``vmap``.

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

        "converged"; "maxiter": steps ran out; "stalled": rounding stopped all progress above the
        tolerance; "indefinite": a direction with pᵀAp ≤ 0 to rounding; "diverged": the terms of a
        series grew; "non-finite": NaN or infinity; "singular": the smallest eigenvalue is a
        rounding error.
        """
        return np.asarray(STATUS)[np.asarray(self.status)].tolist()


def default_tol(b: PyTree) -> float:
    """The relative residual that counts as converged in the dtype of ``b``: 1e-5 or 1e-10."""
    return 1e-10 if trees.epsilon(b) < 1e-12 else 1e-5


def as_matvec(A):
    """Products with A, which may be given as a function or as a matrix."""
    if callable(A):
        return A
    matrix = trees.promote(A)
    return lambda v: matrix @ v


def power_of_two(b):
    """A power of two near max|b|; 1 where that is zero or not finite. Shape ()."""
    size = trees.max_abs(b)
    size = jnp.ldexp(jnp.full((), 0.5, size.dtype), jnp.frexp(size)[1])
    return jnp.where(jnp.isfinite(size) & (size > 0), size, 1)


def stretch(matvec, start, num_steps):
    """How much products lengthen a vector in the end: power iteration, from below."""

    def step(_, state):
        length = trees.norm(state[0])
        image = matvec(trees.scale(1 / jnp.where(length > 0, length, 1), state[0]))
        return image, trees.norm(image)

    zero = jnp.zeros((), trees.dtype(start))
    return jax.lax.fori_loop(0, num_steps, step, (start, zero))[1]


def check_count(name, value, least):
    whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
    if not whole or not least <= value < 2**31:
        raise ValueError(f"{name} must be a whole number of at least {least}, got {value!r}")


def check_positive(name, value):
    if not isinstance(value, jax.core.Tracer) and not (is_number(value) and 0 < value < np.inf):
        raise ValueError(f"{name} must be finite and positive, got {value!r}")


def check_nonnegative(name, value):
    if not isinstance(value, jax.core.Tracer) and not (is_number(value) and 0 <= value < np.inf):
        raise ValueError(f"{name} must be finite and at least 0, got {value!r}")


def is_number(value):
    return not isinstance(value, str | bytes | bool | None) and np.ndim(value) == 0


def check_definite(status: jax.Array, smallest: jax.Array) -> None:
    """Raise ``ValueError`` where a matrix is not positive definite, with its smallest eigenvalue.

    Args:
        status: of the matrix, shape ().
        smallest: its smallest eigenvalue, shape ().
    """
    least = np.asarray(smallest)
    if status == INDEFINITE:
        raise ValueError(
            f"matrix is indefinite: its smallest eigenvalue is {least:.3g}; "
            f"raising damping by {round_up(-float(least))} cures it"
        )
    if status == SINGULAR:
        raise ValueError(
            f"matrix is singular: its smallest eigenvalue is {least:.3g}, a rounding error in "
            f"{least.dtype}; l2 or damping cures it"
        )
    if status == NON_FINITE:
        raise ValueError("NaN or infinity in matrix or b")


def round_up(x: float) -> str:
    """A positive number in two digits, about 1 to 11 percent above ``x``: advice that suffices."""
    return f"{1.06 * x:.2g}"
