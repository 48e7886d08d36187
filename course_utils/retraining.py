"""What an estimate of influence is worth: refit without points, and compare.

On the host, around refits: not to be called under ``jit``, ``vmap`` or ``grad``.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from course_utils import _arguments, sharding, trees
from course_utils._arguments import configured
from course_utils._compiled import compiled
from course_utils.fitted_model import FittedModel
from course_utils.training import MinimizeInfo, minimize

PyTree = Any
Fit = Callable[[np.ndarray], PyTree]

_BOOTSTRAPS = 200  # redraws of the subsets, for a standard error
_NUMBERS_AT_ONCE = 2**24  # of Hessians, in refits that run together


@configured
def retrain(
    fit: FittedModel, weights: np.ndarray, *, maxiter: int | None = None
) -> tuple[PyTree, MinimizeInfo]:
    r"""Fit again with other weights of the training examples, from the fit as it is.

    For each row w of the weights a minimum of
    $\frac1n \sum_i w_i\,\ell(z_i, \theta) + \frac\lambda2\lVert\theta\rVert^2$, with the division
    by n whatever the weights are; many at once, by Newton's method up to p = 1,000 and by L-BFGS
    beyond. The damping of the fit plays no part.

    Args:
        fit: the fitted model.
        weights: at least 0, shape (k, n).
        maxiter: the largest number of steps; as for ``training.minimize``.

    Returns:
        Params with a leading axis of k, all leaves; and a ``MinimizeInfo`` of arrays (k,). It never
        warns: look at ``converged``.

    Raises:
        ValueError: if the weights are not (k, n), finite and at least 0; or the loss computes
            something else than when the model was made.
    """
    fit.check_unchanged()
    weights = np.asarray(weights, fit.theta.dtype)
    if weights.ndim != 2 or weights.shape[1] != fit.n:
        raise ValueError(f"weights must have shape (k, {fit.n}), got {weights.shape}")
    if not (np.isfinite(weights) & (weights >= 0)).all():
        raise ValueError("weights must be finite and at least 0")
    return _on_host(_retrained(fit, weights, maxiter))


@partial(compiled, static_argnames="maxiter")
def _retrained(fit, weights, maxiter):
    rest = len(fit.weights) - fit.n  # fills up the last device of a mesh, with weight 0

    def penalised(w):
        risk = lambda theta: jnp.pad(w, (0, rest)) @ fit.losses(theta, fit.train) / fit.n
        return lambda theta: risk(theta) + 0.5 * jnp.sum(fit.l2 * theta**2)

    return _minima(fit, penalised, weights, maxiter)


def _minima(fit, cost_of, rows, maxiter):
    """All params where ``cost_of(row)``, a function of theta, is least, found from the fit on."""
    method, numbers = ("newton", fit.p**2) if fit.p <= 1000 else ("lbfgs", 20 * fit.p)
    of_row = lambda row: minimize(cost_of(row), fit.theta, method=method, maxiter=maxiter)
    theta, info = trees.map_rows(of_row, rows, max(1, _NUMBERS_AT_ONCE // numbers))
    return sharding.gathered(fit.mesh, (jax.vmap(fit.params)(theta), info))


def _on_host(found):
    """Params, and what is known of their fits as NumPy arrays."""
    params, info = jax.device_get(found)
    return jax.device_put(params), MinimizeInfo(*info)


@configured
def proximal_refit(
    fit: FittedModel, indices: np.ndarray, *, maxiter: int | None = None
) -> tuple[PyTree, MinimizeInfo]:
    r"""What influence with ``curvature="ggn"`` and damping $\delta$ estimates, where no optimum is.

    For each training point j a minimum of the proximal Bregman objective around the params
    $\theta_s$ of the fit, which need not be an optimum,

    $$Q_j(\theta) = \frac1n \sum_i D_i(\theta) - \frac1n \ell_j(\theta) +
      \frac{\lambda + \delta}2 \lVert\theta - \theta_s\rVert^2, \qquad
      D_i = \ell_i(z) - \ell_i(z_s) - \nabla_z\ell_i(z_s)^\top (z - z_s),$$

    with the outputs $z$ at $\theta$ and $z_s$ at $\theta_s$. It takes the point out while all
    outputs stay where they are, as far as they can. To first order the minimum is
    $\theta_s + \frac1n (G + (\lambda + \delta) I)^{-1} \nabla\ell_j$, which is
    ``influence_on_params``.

    Args:
        fit: the fitted model, its loss from ``compose``.
        indices: of the training points, as for ``influence_on_params``.
        maxiter: the largest number of steps; as for ``training.minimize``.

    Returns:
        Params with a leading axis of k, all leaves; and a ``MinimizeInfo`` of arrays (k,).

    Raises:
        TypeError: for a loss that was not composed.
        ValueError: if an index is out of range.

    Source:
        Bae, Ng, Lo, Ghassemi and Grosse, "If influence functions are the answer, then what is the
        question?", NeurIPS 2022.
    """
    fit.check_unchanged()
    if not fit.is_composed:
        raise TypeError("proximal_refit needs a loss_fn made by compose(predict, criterion)")
    chosen = trees.row_indices(indices, fit.n)
    return _on_host(_proximal(fit, chosen, maxiter))


@partial(compiled, static_argnames="maxiter")
def _proximal(fit, indices, maxiter):
    predict, criterion = fit.loss_fn.predict, fit.loss_fn.criterion
    x, y = fit.train
    outputs = lambda theta: jax.vmap(partial(predict, fit.params(theta)))(x)
    z_s = outputs(fit.theta)
    slope_s = jax.vmap(jax.grad(criterion))(z_s, y)
    number = jnp.arange(len(fit.weights))  # from n on they fill up the last device of a mesh

    def around(j):
        def Q(theta):  # but for a constant, so that its size is that of its rounding errors
            z, step = outputs(theta), theta - fit.theta
            losses = jax.vmap(criterion)(z, y)
            D = losses - jnp.sum((slope_s * (z - z_s)).reshape(len(number), -1), axis=1)
            total = jnp.sum(jnp.where(number < fit.n, D, 0) - jnp.where(number == j, losses, 0))
            return total / fit.n + 0.5 * jnp.sum((fit.l2 + fit.damping) * step**2)

        return Q

    return _minima(fit, around, indices, maxiter)


def leave_one_out(
    fit: Fit | FittedModel,
    measure: Callable[[PyTree], np.ndarray],
    n: int | None = None,
    indices: Sequence[int] | np.ndarray = (),
    *,
    removal: str | None = None,
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
        fit: a ``FittedModel``, which is fitted again by ``retrain``, many fits at once; or
            ``weights -> params``, weights being a NumPy array of floats, shape (n,). That is called
            k + 1 times: with ``jax.jit`` around it, it compiles once.
        measure: ``params -> array``, such as the losses of all test points, shape (n_test,).
        n: number of training examples; a ``FittedModel`` knows it.
        indices: which points to leave out, each in its turn: whole numbers in 0 … n − 1, shape
            (k,).
        removal: ``"fixed-weight"`` or ``"refit-mean"``; that of a ``FittedModel``. For a function
            there is no default, because they differ.

    Returns:
        Shape (*measured shape, k), such as (n_test, k).

    Raises:
        TypeError: if ``removal`` is unknown.
        ValueError: if an index is out of range, n is below 2 with "refit-mean" (1 with the other),
            or a measured value is not finite.
    """
    n, removal = _n_and_removal(fit, n, removal)
    indices = trees.row_indices(indices, n)
    weights = np.full((len(indices) + 1, n), n / (n - 1) if removal == "refit-mean" else 1.0)
    weights[0] = 1.0
    weights[1 + np.arange(len(indices)), indices] = 0.0
    names = ["the fit with all points", *(f"the fit without point {i}" for i in indices)]
    before, *without = _fits_measured(fit, measure, weights, names)
    changes = [after - before for after in without]
    return np.stack(changes, axis=-1) if changes else np.zeros((*before.shape, 0), before.dtype)


class SubsetRefits(NamedTuple):
    """Fits on random subsets of the training points: what ``refit_on_subsets`` found.

    Attributes:
        kept: which points each fit had, booleans (num_subsets, n).
        measured: what each fit gave, (num_subsets, n_test).
    """

    kept: np.ndarray
    measured: np.ndarray


def refit_on_subsets(
    fit: Fit | FittedModel,
    measure: Callable[[PyTree], np.ndarray],
    n: int | None = None,
    *,
    removal: str | None = None,
    fraction: float = 0.5,
    num_subsets: int = 64,
    seed: int = 0,
) -> SubsetRefits:
    r"""Fit again on random subsets of the training points, and measure each fit.

    The ground truth of ``linear_datamodeling_score``, kept apart because it takes the time and
    serves every method. Of a subset of $m$ points, "fixed-weight" gives its members the weight 1
    and "refit-mean" $n/m$; the others have 0.

    Args:
        fit, measure, n, removal: as for ``leave_one_out``.
        fraction: of the points in each subset, between 0 and 1; at least one is in, and one out.
        num_subsets: at least 2.
        seed: of the draws.

    Returns:
        ``SubsetRefits(kept, measured)``.

    Raises:
        TypeError: if ``removal`` is unknown.
        ValueError: if a number is out of its range, or a measured value is not finite.
    """
    n, removal = _n_and_removal(fit, n, removal)
    if not 0 < fraction < 1:
        raise ValueError(f"fraction must lie between 0 and 1, got {fraction}")
    if num_subsets < 2 or n < 2:
        raise ValueError(f"a rank needs two subsets of two points: got {num_subsets} of {n}")
    m = min(max(1, round(fraction * n)), n - 1)
    order = np.random.default_rng(seed).random((num_subsets, n)).argsort(axis=1)
    kept = order < m
    weight = n / m if removal == "refit-mean" else 1.0
    names = [f"fit {j}" for j in range(num_subsets)]
    measured = _fits_measured(fit, measure, weight * kept, names)
    return SubsetRefits(kept, np.stack(measured))


class DatamodelingScore(NamedTuple):
    """What ``linear_datamodeling_score`` says of a matrix of scores.

    Attributes:
        mean: over the test points.
        standard_error: of the mean, over other draws of the subsets (bootstrap).
        per_test: the correlation at each test point, (n_test,).
    """

    mean: float
    standard_error: float
    per_test: np.ndarray


def linear_datamodeling_score(scores: np.ndarray, refits: SubsetRefits) -> DatamodelingScore:
    r"""How well sums of scores rank the outcomes of fits on random subsets.

    Without the points outside a subset $S$, the scores predict
    $m(z_t, \hat\theta_S) \approx m(z_t, \hat\theta) + \sum_{i \notin S} \text{scores}[t, i]$.
    The linear datamodeling score is Spearman's rank correlation of that sum with the measured
    values, over the subsets, for each test point; 1 is best. Ranks do not notice a factor: see
    ``check_influence`` for what does.

    Args:
        scores: (n_test, n), positive where a point helps, such as ``influence(...).scores``.
        refits: from ``refit_on_subsets``, of the same n and the same test points.

    Returns:
        ``DatamodelingScore(mean, standard_error, per_test)``. NaN for test points with NaN among
        their scores, and for those whose measured or predicted values are all equal; the mean and
        its error are over the other test points.

    Raises:
        ValueError: if the shapes do not match.

    Source:
        Park, Georgiev, Ilyas, Leclerc and Madry, "TRAK: attributing model behavior at scale", ICML
        2023, section 2.
    """
    scores, (kept, measured) = np.asarray(scores, float), refits
    if scores.shape != (measured.shape[-1], kept.shape[-1]) or measured.ndim != 2:
        raise ValueError(
            f"scores must be (n_test, n) = {(measured.shape[-1], kept.shape[-1])}, "
            f"got {scores.shape}"
        )
    predicted = (~kept) @ scores.T  # (num_subsets, n_test)
    per_test = _rank_correlation(predicted.T, measured.T)
    draw = np.random.default_rng(0).integers(len(kept), size=(_BOOTSTRAPS, len(kept)))
    known = lambda r: r[~np.isnan(r)].mean() if not np.isnan(r).all() else np.nan
    means = [known(_rank_correlation(predicted[j].T, measured[j].T)) for j in draw]
    return DatamodelingScore(float(known(per_test)), float(np.std(means, ddof=1)), per_test)


def select_most_influential(scores: np.ndarray, fraction: float) -> np.ndarray:
    r"""The training points to keep in a smaller training set: those that help the test points most.

    They are ranked by their mean score over the test points, helpful before harmful. What the
    smaller set is worth, a fit on it must show: scores speak of one point at a time, and a cluster
    of points that stand in for each other has small scores and large worth.

    Args:
        scores: (n_test, n), positive where a point helps; rows with NaN are left out.
        fraction: of the points to keep, above 0 and at most 1; at least one is kept.

    Returns:
        Integers, shape (k,) with $k = \lceil \text{fraction} \cdot n \rceil$, most helpful first,
        ties by index.

    Raises:
        ValueError: if ``fraction`` is out of range, ``scores`` is no matrix, or no row is free of
            NaN.
    """
    scores = np.asarray(scores)
    if not 0 < fraction <= 1:
        raise ValueError(f"fraction must lie above 0 and be at most 1, got {fraction}")
    if scores.ndim != 2 or not (whole := ~np.isnan(scores).any(axis=1)).any():
        raise ValueError("scores must be (n_test, n) with a row that has no NaN")
    count = int(np.ceil(round(fraction * scores.shape[1], 9)))
    return np.argsort(-scores[whole].mean(axis=0), kind="stable")[:count]


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
    two correlations are blind to a factor and to a constant, which is what the 1/n and the two
    removals differ by (a damping differs by neither). So a solver that is 3 percent wrong, or the
    wrong removal, can show a correlation of 0.99. Over points that were chosen because their
    influence is large, correlations look better than over all: take all where refits are cheap.

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

    x, y = _deviations(real), _deviations(predicted)
    with np.errstate(invalid="ignore"):
        pearson = _cosine(x.unit, y.unit)
        spearman = _rank_correlation(predicted, real)
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


def _n_and_removal(fit, n, removal):
    """Those of a ``FittedModel`` where it is one; refused where they do not suit."""
    if isinstance(fit, FittedModel):
        n, removal = fit.n, fit.removal if removal is None else removal
    elif not callable(fit) or n is None:
        raise TypeError(f"fit must be a FittedModel, or a function with n: got {fit!r}, n = {n}")
    _arguments.one_of("removal", removal, ("fixed-weight", "refit-mean"))
    if n < 1 + (removal == "refit-mean"):
        raise ValueError(f"{removal!r} needs more training examples, got n = {n}")
    return n, removal


def _fits_measured(fit, measure, weights, names):
    """What is measured of the fit with each row of the weights."""
    if isinstance(fit, FittedModel):
        rows, info = retrain(fit, weights)
        for name, converged in zip(names, info.converged):
            if not converged:
                raise ValueError(f"{name} has not reached an optimum: pass a fit of your own")
        fits = (lambda _, params=params: params for params in trees.rows(rows))
    else:
        fits = (fit for _ in names)
    return [_measured(f, measure, w, name) for f, w, name in zip(fits, weights, names)]


def _measured(fit, measure, weights, what):
    values = np.asarray(measure(fit(weights)))
    if not np.issubdtype(values.dtype, np.floating):
        values = values.astype(float)  # so that counts and truth values can be subtracted
    if not np.isfinite(values).all():
        raise ValueError(f"the measured values of {what} are not finite")
    return values


def _rank_correlation(x, y):
    from scipy.stats import rankdata  # jax and scikit-learn stand on SciPy

    ranks = lambda x: _deviations(rankdata(x, axis=-1, nan_policy="propagate")).unit
    with np.errstate(invalid="ignore"):
        return _cosine(ranks(x), ranks(y))


def _cosine(x, y):
    return np.sum(x * y, axis=-1) / np.sqrt(np.sum(x**2, axis=-1) * np.sum(y**2, axis=-1))
