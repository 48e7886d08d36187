"""What an estimate of influence is worth: refit without the point, and compare."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

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


class Agreement(NamedTuple):
    """How an estimate of influence compares with what refitting did: what ``check_influence`` says.

    Floats, or arrays with one entry per test point.

    Attributes:
        pearson: linear correlation; a few large values can make it, and no factor shows in it.
        spearman: the same of the ranks: is the order right?
        slope: of the least-squares line of predicted on real: below 1, changes are underestimated.
        intercept: of that line, in the units of what was measured: an error that all points share,
            such as that of the wrong ``removal``.
    """

    pearson: np.ndarray
    spearman: np.ndarray
    slope: np.ndarray
    intercept: np.ndarray


def check_influence(predicted: np.ndarray, real: np.ndarray) -> Agreement:
    r"""Compare predicted changes with real ones: correlation, rank, slope and intercept.

    $$\text{predicted}_i \approx \text{intercept} + \text{slope} \cdot \text{real}_i$$

    by least squares over the training points i. The four numbers answer different questions: the
    two correlations are blind to a factor and to a constant, which is what the 1/n, the damping and
    the two removals differ by. So a solver that is 3 percent wrong, or the wrong removal, can show
    a correlation of 0.99. Over points that were chosen because their influence is large,
    correlations look better than over all: take all where refits are cheap.

    Args:
        predicted: such as ``influence(...).scores[:, indices]``, shape (..., k).
        real: such as ``leave_one_out(..., indices, removal=...)`` of the same removal, the same
            shape.

    Returns:
        ``Agreement(pearson, spearman, slope, intercept)``, each of shape (...): one per test point.
        NaN where the predictions of a row have NaN; correlations are NaN, too, where predictions
        are all equal. Equal values share their mean rank.

    Raises:
        ValueError: if the shapes differ, there are fewer than two points, ``real`` is not finite,
            or real changes are all equal, so that nothing can be compared with them.
    """
    predicted, real = np.asarray(predicted, float), np.asarray(real, float)
    if predicted.shape != real.shape or predicted.ndim == 0:
        raise ValueError(f"predicted must match real: got {predicted.shape} and {real.shape}")
    if real.shape[-1] < 2:
        raise ValueError(f"a comparison needs two points or more, got {real.shape[-1]}")
    if not np.isfinite(real).all():
        raise ValueError("NaN or infinity in real")
    if (np.ptp(real, axis=-1) == 0).any():
        raise ValueError("the real changes are all equal: there is nothing to compare with")

    from scipy.stats import rankdata  # jax and scikit-learn stand on SciPy

    ranks = lambda x: rankdata(x, axis=-1, nan_policy="propagate")
    x, y = _deviations(real), _deviations(predicted)
    with np.errstate(invalid="ignore"):
        pearson = _cosine(x.unit, y.unit)
        spearman = _cosine(_deviations(ranks(real)).unit, _deviations(ranks(predicted)).unit)
        slope = np.sum(x.unit * y.unit, axis=-1) / np.sum(x.unit**2, axis=-1) * (y.size / x.size)
        return Agreement(pearson, spearman, slope, y.mean - slope * x.mean)


class _Deviations(NamedTuple):
    """x = mean + size * unit along the last axis: no square of ``unit`` overflows or vanishes."""

    mean: np.ndarray
    size: np.ndarray
    unit: np.ndarray


def _deviations(x):
    mean = x.mean(axis=-1)
    unit = x - mean[..., None]
    size = np.where(np.ptp(x, axis=-1) > 0, np.abs(unit).max(axis=-1), np.ptp(x, axis=-1))
    unit = np.where((size == 0)[..., None], 0, unit)  # equal values, whatever their mean rounds to
    return _Deviations(mean, size, unit / np.where(size > 0, size, 1)[..., None])


def _cosine(x, y):
    return np.sum(x * y, axis=-1) / np.sqrt(np.sum(x**2, axis=-1) * np.sum(y**2, axis=-1))
