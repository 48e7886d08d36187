"""What an estimate of influence is worth: refit without the point, and compare."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from course_utils import trees

PyTree = Any


def leave_one_out(
    fit: Callable[[np.ndarray], PyTree],
    measure: Callable[[PyTree], np.ndarray],
    n: int,
    indices: Sequence[int] | np.ndarray,
    *,
    removal: str,
) -> np.ndarray:
    r"""The real change of what is measured when the model is fitted again without one point.

    For each index i, $m(\hat\theta_{-i}) - m(\hat\theta)$: what ``influence(...).scores[:,
    indices]`` estimates. ``fit(weights)`` must minimise

    $$\frac1n \sum_{i=1}^n w_i\,\ell(z_i, \theta) + \frac{\lambda}{2}\lVert\theta\rVert^2,$$

    with the same $\lambda$ and the division by n whatever the weights are. "fixed-weight" sets
    $w_i = 0$ and leaves the other weights at 1; "refit-mean" also sets those to n / (n − 1), so
    that the mean loss of the n − 1 other points is fitted. The first fit has all weights 1. Fits
    must reach the optimum closely: the changes are of order 1/n, and what an unfinished fit leaves
    is not.

    Args:
        fit: ``weights -> params``, weights being a NumPy array of floats, shape (n,). It is called
            k + 1 times: with ``jax.jit`` around it, it compiles once.
        measure: ``params -> array``, such as the losses of all test points, shape (n_test,).
        n: number of training examples.
        indices: which points to leave out, each in its turn: whole numbers in 0 … n − 1, shape
            (k,).
        removal: ``"fixed-weight"`` or ``"refit-mean"``; there is no default, because they differ.

    Returns:
        Shape (*measured shape, k), such as (n_test, k).

    Raises:
        TypeError: if ``removal`` is unknown.
        ValueError: if an index is out of range, n is below 2 with "refit-mean" (1 with the other),
            or a measured value is not finite.
    """
    if removal not in ("fixed-weight", "refit-mean"):
        raise TypeError(f"removal must be 'fixed-weight' or 'refit-mean', got {removal!r}")
    if n < 1 + (removal == "refit-mean"):
        raise ValueError(f"{removal!r} needs more training examples, got n = {n}")
    indices = trees.row_indices(indices, n)

    def measured(weights, what):
        values = np.asarray(measure(fit(weights)))
        if not np.issubdtype(values.dtype, np.floating):
            values = values.astype(float)  # so that counts and truth values can be subtracted
        if not np.isfinite(values).all():
            raise ValueError(f"the measured values of {what} are not finite")
        return values

    before = measured(np.ones(n), "the fit with all points")
    changes = np.zeros((*before.shape, len(indices)), before.dtype)
    for column, i in enumerate(indices):
        weights = np.full(n, n / (n - 1) if removal == "refit-mean" else 1.0)
        weights[i] = 0.0
        changes[..., column] = measured(weights, f"the fit without point {i}") - before
    return changes
