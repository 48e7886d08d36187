r"""What one training point, or a change to it, does to a fitted model and to its predictions.

With $R$, $H$ and $H_d$ of a ``FittedModel``, and any function $m$ of params and a test point,

$$\text{scores}[t, i] = \frac1n \nabla m(z_t)^\top H_d^{-1} \nabla \ell(z_i)
  \;\approx\; m(z_t;\, \hat\theta \text{ fitted without } z_i) - m(z_t;\, \hat\theta).$$

Where $m$ is a loss, positive means helpful: without $z_i$ it rises. The quantity of Koh and Liang,
"Understanding black-box predictions via influence functions", ICML 2017, is
$\mathcal{I}_\text{up,loss} = -n \cdot \text{scores}$. Damping belongs to the solve, not to $R$.

"Without $z_i$" means one of two refits, the ``removal`` of the model: "refit-mean" has
$\nabla\ell(z_i) + \lambda\hat\theta$ in place of $\nabla\ell(z_i)$.

The way from a call to a number is listed, function by function, at the end of
``tests/engine/test_influence_functions.py``.

Functions here look at values and warn, so they cannot be called under ``jit``, ``vmap`` or
``grad``; take ``cg`` of ``hessian_mvp`` there.
"""

import time
from collections.abc import Callable, Hashable, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from course_utils import _arguments, _solver_warnings, sharding, trees
from course_utils._arguments import configured
from course_utils._compiled import compiled
from course_utils.fitted_model import DIRECTIONS_AT_ONCE, FittedModel, Solver, take_rows
from course_utils.influence_result import Influence
from course_utils.kronecker import Kronecker
from course_utils.solvers import (
    CG,
    DIVERGED,
    INDEFINITE,
    Arnoldi,
    LiSSA,
    SolveInfo,
    default_tol,
)

PyTree = Any
Loss = Callable[[PyTree, PyTree], jax.Array]


@configured
def influence(
    fit: FittedModel,
    test: PyTree,
    *,
    solver: Solver = CG(),  # noqa: B008
    candidates: PyTree = None,
    corrected: bool = False,
    test_loss_fn: Loss | None = None,
    measure: str | None = None,
    aggregate: str | None = None,
    progress: bool = False,
) -> Influence:
    r"""How much each training point helps or harms the prediction at each test point.

    $\text{scores}[t,i] = \frac1n \nabla m(z_t)^\top H_d^{-1} \nabla\ell(z_i)$: see the head of this
    module. One solve per test point, all of them batched, and then one inner product per training
    point.

    Args:
        fit: the fitted model.
        test: pytree whose leaves share a leading axis of n_test examples, like the training data.
        solver: ``CG(tol=…, maxiter=…)``, ``LiSSA(…)``, ``Arnoldi(rank=…)``, ``Kronecker(factors)``
            or ``Exact()``.
        candidates: the examples to score, like the training data; ``None``: the training data.
            The score of a new point is minus what *adding* it with the weight 1/n would change.
            First order alone: what a new point bends is not what a training point bends.
        corrected: score with the one-step correction of ``influence_on_params`` in place of the
            first order, for the points that bend their own fit; a solve per training point and
            output, and none for the test points. Columns of points whose solve failed, or without
            which the fit is not determined, are NaN.
        test_loss_fn: $m$, ``(params, test example) -> scalar``; the loss of the fit if ``None``.
            With it, ``test`` may have a structure of its own.
        measure: what $m$ is: ``"loss"``, the lower the better, or ``"benefit"``, such as a
            probability or a margin of the right class. Needed for ``helpful`` and ``harmful``
            where there is a ``test_loss_fn``, and only there.
        aggregate: ``"mean"`` or ``"sum"`` of $m$ over all test points takes the place of each:
            one solve, and scores of shape (1, n).
        progress: show a bar of points solved for.

    Returns:
        ``Influence`` with ``scores`` (n_test, n), ``s_test``, ``info``, ``convention``,
        ``standard_error`` and ``seconds``, in float32 where params were half precision.

    Raises:
        TypeError: an unknown ``solver``, ``measure`` or ``aggregate``; ``corrected`` for a loss
            that was not composed, or with ``candidates``.
        ValueError: NaN or infinity in the data, in $m$ or its gradient; test or candidates that do
            not match the training data; with ``Exact``, a matrix that is indefinite or singular.

    Warns:
        RuntimeWarning: once for each of: test points whose solve failed, with the damping or the
            scale that cures it (where the matrix is not positive definite, all rows are NaN: none
            estimates a refit); those whose solve did not reach the tolerance, with the residual;
            those that ``Kronecker`` leaves with a residual of the size of the right-hand side or
            more, where they are most; and a measure whose gradient is zero at all test points, such
            as an accuracy.

    Source:
        Koh and Liang, ICML 2017; the inner products as forward-mode derivatives follow from
        linearity.
    """
    began = time.perf_counter()
    check_arguments(fit, solver, test_loss_fn, measure)
    if corrected:
        _check_composed(fit)
        if candidates is not None:
            raise TypeError("corrected=True scores the training points: leave candidates out")
    if candidates is not None:
        candidates = checked_examples(fit, candidates, "candidates")

    slopes = slopes_of(fit, test, test_loss_fn, aggregate)  # ∇m(z_t), (n_test, p)
    s = spread = None
    if corrected:
        moves, info = _corrected(fit, solver, np.arange(fit.n), progress, where_nan="columns")
        scores = slopes @ moves.T
    else:
        s, info, runs = solve_all(fit, solver, slopes, "test points", progress)  # H_d s_t = ∇m
        scores = fit.inner_products(s, candidates) / fit.n  # s_t · (∇ℓ(z_i) + l2_gradient) / n
        spread = None if runs is None else _standard_error(fit, runs, candidates)
        s = fit.as_params(s)

    seconds = np.full(len(scores), (time.perf_counter() - began) / max(len(scores), 1))
    said = convention(fit, test_loss_fn, measure, aggregate, candidates is not None, corrected)
    kind = "loss" if test_loss_fn is None else measure
    return Influence(scores, s, info, said, seconds, kind, spread)


@configured
def s_test(
    fit: FittedModel,
    test: PyTree,
    *,
    solver: Solver = CG(),  # noqa: B008
    test_loss_fn: Loss | None = None,
    aggregate: str | None = None,
    progress: bool = False,
) -> tuple[PyTree, SolveInfo]:
    r"""The half of a score that belongs to the test point: $s_t = H_d^{-1} \nabla m(z_t)$.

    ``scores[t, i]`` is the inner product of $s_t$ with row i of ``grad_z``, divided by n. The name
    is that of Koh and Liang's code. Arguments, errors and warnings are those of ``influence``.

    Returns:
        $s_t$ for every test point, a pytree like the params with a leading axis of n_test
        (``None`` for leaves held fixed); and a ``SolveInfo`` of arrays (n_test,). Rows whose solve
        failed are NaN.
    """
    check_arguments(fit, solver)
    slopes = slopes_of(fit, test, test_loss_fn, aggregate)
    s, info, _ = solve_all(fit, solver, slopes, "test points", progress)
    return fit.as_params(s), info


@configured
def grad_z(fit: FittedModel, data: PyTree = None) -> PyTree:
    r"""The half of a score that belongs to the training point, for all of them: n × p numbers.

    $\nabla\ell(z_i)$ for ``removal="fixed-weight"``, $\nabla\ell(z_i) + \lambda\hat\theta$ for
    ``"refit-mean"``; of the loss of one example, without any 1/n.

    Args:
        fit: the fitted model.
        data: examples like the training data; ``None``: the training data.

    Returns:
        Pytree like the params with a leading axis of n (``None`` for leaves held fixed).

    Raises:
        ValueError: NaN or infinity in the data, a loss or a gradient; data that do not match.
    """
    check_fit(fit)
    if data is None:
        slopes = fit.training_gradients(np.arange(fit.n))
    else:
        slopes = fit.gradients(checked_examples(fit, data, "data"), name="data")
    return fit.as_params(slopes + np.asarray(fit.l2_gradient))


@configured
def influence_on_params(
    fit: FittedModel,
    indices: np.ndarray,
    *,
    solver: Solver = CG(),  # noqa: B008
    corrected: bool = False,
    progress: bool = False,
) -> PyTree:
    r"""How the parameters would move without a training point, for each of ``indices``.

    $$\frac1n H_d^{-1} \nabla\ell(z_i) \;\approx\; \hat\theta_{-i} - \hat\theta,$$

    with $\nabla\ell(z_i) + \lambda\hat\theta$ in place of $\nabla\ell(z_i)$ for "refit-mean". For
    least squares the exact change under "fixed-weight" is this, divided by $1 - h_{ii}$ with the
    leverage $h_{ii} = x_i^\top (X^\top X + n \lambda I)^{-1} x_i$.

    First order underestimates the points that bend their own fit: $H$ still contains the removed
    point. ``corrected=True`` takes its Gauss-Newton curvature $\frac1n J_i^\top H_z J_i$ out
    ($J_i$: the outputs by params, $H_z$: the Hessian of the loss in the outputs). Where outputs are
    linear in the params this is one Newton step of the refit, exact for least squares; in a network
    it is not Newton's step, whose matrix may be indefinite. For "fixed-weight" it is

    $$\Delta\theta_i = \tfrac1n H_d^{-1} J_i^\top
      \bigl(I - \tfrac1n H_z J_i H_d^{-1} J_i^\top\bigr)^{-1} \nabla_z \ell_i,$$

    and for "refit-mean" $\lambda\hat\theta$ joins the gradient, and $\lambda$ in $H$ loses 1/n of
    itself. It takes a solve per output more. Other arguments, errors and warnings are those of
    ``influence``.

    Args:
        fit: the fitted model.
        indices: whole numbers in 0 … n − 1, shape (k,); one of them; or a mask of n truth values.
        corrected: take the one-step correction; the loss must come from ``compose``.

    Returns:
        Pytree like the params with a leading axis of k (``None`` for leaves held fixed). Rows whose
        solve failed are NaN; with ``corrected=True`` so are, with a warning, those whose refit is
        not determined (leverage 1: nothing else holds some direction in place).

    Raises:
        TypeError: ``corrected=True`` for a loss that was not composed.
        ValueError: if an index is out of range; and what ``influence`` raises.
    """
    check_arguments(fit, solver)
    indices = trees.row_indices(indices, fit.n)
    if corrected:
        _check_composed(fit)
        return fit.as_params(_corrected(fit, solver, indices, progress)[0])
    right = fit.training_gradients(indices) + np.asarray(fit.l2_gradient)
    x, _, _ = solve_all(fit, solver, right, "training points", progress, names=indices)
    return fit.as_params(x / fit.n)


@configured
def self_influence(
    fit: FittedModel,
    *,
    solver: Solver = CG(),  # noqa: B008
    corrected: bool = False,
    progress: bool = False,
) -> np.ndarray:
    r"""What each training point does to its own loss: the diagonal of ``influence(fit, train)``.

    $\frac1n \nabla\ell(z_i)^\top H_d^{-1} \nabla\ell(z_i)$, never negative where $H_d$ is positive
    definite and ``removal`` is "fixed-weight". Large values mark outliers and wrong labels: points
    that the model fits by memory. n solves, in blocks; neither the n × n scores nor all solutions
    are kept. With ``corrected=True`` the move is that of ``influence_on_params``: for least squares
    the score is divided by 1 − leverage. Errors and warnings are those of ``influence``.

    Returns:
        Shape (n,); NaN where a solve failed.
    """
    check_arguments(fit, solver)
    if corrected:
        _check_composed(fit)
        return _corrected(fit, solver, np.arange(fit.n), progress, of_moves=_dots)[0]

    def of_block(block):
        slopes = fit.training_gradients(block)
        x, info, _ = fit.solve(slopes, solver)
        own = _dots(slopes + np.asarray(fit.l2_gradient), x) / fit.n
        return own, info, np.linalg.norm(slopes, axis=1)

    at_once = solver.solves_at_once(fit.p)
    own, info, norms = _in_blocks(of_block, fit.n, at_once, "training points", progress)
    info = indefinite_if_any(fit, info)
    _solver_warnings.report(fit, solver, info, norms, "training points")
    return blanked(own, info)


@configured
def group_influence(
    fit: FittedModel,
    test: PyTree,
    groups: Sequence[Sequence[int] | np.ndarray],
    *,
    order: int | str = 1,
    solver: Solver = CG(),  # noqa: B008
    test_loss_fn: Loss | None = None,
    progress: bool = False,
) -> np.ndarray:
    r"""How the prediction at each test point would change without a whole group of training points.

    $\nabla m(z_t)^\top \Delta\theta_U$ for each group $U$, with one of three moves. With
    $g_U = \frac1n \sum_U \nabla\ell(z_i)$ and $H_U = \frac1n \sum_U \nabla^2\ell(z_i)$,

    $$\Delta\theta_U = H_d^{-1} g_U, \qquad H_d^{-1}\,(I + H_U H_d^{-1})\, g_U, \qquad
      (H_d - H_U)^{-1} g_U$$

    for ``order`` 1, 2 and "newton". The first is the sum of the members' scores. It keeps the
    curvature of the removed points, and falls short where they all bend the fit in one direction;
    the second is the next term of a series in $H_U H_d^{-1}$; the third, one Newton step of the
    refit, is its limit and is exact for least squares. "refit-mean" takes
    $\ell + \frac\lambda2\lVert\theta\rVert^2$ in place of $\ell$ in $g_U$ and $H_U$.

    Order 1 takes a solve per group, order 2 two of them, and "newton" one, each with a matrix of
    its own. Other arguments, errors and warnings are those of ``influence``.

    Args:
        fit: the fitted model.
        test: as for ``influence``.
        groups: for each group the indices of its members, in any number and order.
        order: 1, 2 or ``"newton"``.

    Returns:
        Shape (n_test, n_groups), in the units of m: positive where without the group m rises; NaN
        in the columns of groups whose solve failed.

    Raises:
        TypeError: an unknown ``order``; "newton" with ``LiSSA``, ``Arnoldi`` or ``Kronecker``; and
            what ``influence`` raises.
        ValueError: an index that is out of range or twice in a group; a group of all training
            points with "refit-mean"; and what ``influence`` raises.

    Source:
        Koh, Ang, Teo and Liang, "On the accuracy of influence functions for measuring group
        effects", NeurIPS 2019; Basu, You and Feizi, "On second-order group influence functions for
        black-box predictions", ICML 2020.
    """
    _arguments.one_of("order", order, (1, 2, "newton"))
    check_arguments(fit, solver)
    if order == "newton" and isinstance(solver, LiSSA | Arnoldi | Kronecker):
        raise TypeError('order="newton" takes CG(...) or Exact(), as each group has its own matrix')
    slopes = slopes_of(fit, test, test_loss_fn)
    members = _members(fit, groups)
    g = _group_gradients(fit, members)
    if order == 1:
        moves, _, _ = solve_all(fit, solver, g, "groups", progress, where_nan="columns")
    elif order == 2:
        moves = _second_order_moves(fit, solver, members, g, progress)
    else:
        moves = _newton_moves(fit, solver, members, g, progress)
    return slopes @ moves.T


@configured
def perturbation_influence(
    fit: FittedModel,
    test: PyTree,
    indices: np.ndarray,
    *,
    wrt: Hashable = 0,
    solver: Solver = CG(),  # noqa: B008
    test_loss_fn: Loss | None = None,
    progress: bool = False,
) -> np.ndarray:
    r"""How the prediction at each test point changes with the input of a training point.

    $$\frac{\partial\, m(z_t)}{\partial x_i} =
      -\frac1n \nabla m(z_t)^\top H_d^{-1}\, \partial_x \nabla_\theta \ell(z_i),$$

    the model being fitted again after the change: $\frac1n$ of Koh and Liang's
    $\mathcal{I}_\text{pert,loss}$. A small step along it raises m. One solve per test point; each
    entry is a derivative by x of $s_t^\top\nabla_\theta\ell(z_i)$. The two removals agree. Other
    arguments, errors and warnings are those of ``influence``.

    Args:
        fit: the fitted model.
        test: as for ``influence``.
        indices: of the training points, whole numbers in 0 … n − 1, shape (k,); one of them; or a
            mask of n truth values.
        wrt: which part of an example is x: ``example[wrt]``, an array of floating-point numbers.

    Returns:
        Shape (n_test, k, \*x.shape); NaN for test points whose solve failed.

    Raises:
        TypeError: a loss with a ``custom_vjp``, which has no forward derivative.
        ValueError: if an index is out of range, or that part is not there or not floating-point;
            and what ``influence`` raises.

    Source:
        Koh and Liang, ICML 2017, section 2.2.
    """
    check_arguments(fit, solver)
    slopes = slopes_of(fit, test, test_loss_fn)
    chosen = examples_at(fit.train, trees.row_indices(indices, fit.n))
    try:
        part = chosen[wrt]
    except (KeyError, IndexError, TypeError) as error:
        raise ValueError(f"an example has no part {wrt!r}") from error
    trees.check_floating(f"train[{wrt!r}]", part)
    if not fit.has_jvp:
        raise TypeError("the loss has a custom_vjp and no forward derivative: give it a custom_jvp")
    s, _, _ = solve_all(fit, solver, slopes, "test points", progress)
    return np.asarray(_input_slopes(fit, wrt, s, chosen))


@configured
def tracin(
    loss_fn: Loss,
    checkpoints: PyTree,
    train: PyTree,
    test: PyTree,
    step_sizes: Sequence[float] | np.ndarray,
    *,
    test_loss_fn: Loss | None = None,
    select: Callable[[str], bool] | None = None,
    batch_size: int | None = None,
) -> np.ndarray:
    r"""How much each training point lowered the test loss on the way, step by step.

    $$\text{scores}[t, i] = \sum_k \frac{\eta_k}{n}\,
      \nabla m(z_t, \theta_k)^\top \nabla\ell(z_i, \theta_k),$$

    so that the sum over i is, to first order, the drop of the test loss under gradient descent on
    the mean training loss, where the checkpoints are the params before each step. Where only every
    c-th is kept, give c times the step size. No matrix is solved with, the params need not be at an
    optimum, and a score is about the path, not about a refit.

    Args:
        loss_fn: ``(params, example) -> scalar``, the loss of ONE example.
        checkpoints: like the params, every leaf with a leading axis of K checkpoints.
        train, select, batch_size: as for ``FittedModel``.
        test, test_loss_fn: as for ``influence``.
        step_sizes: $\eta_k$, shape (K,).

    Returns:
        Shape (n_test, n), in the units of m.

    Raises:
        TypeError, ValueError: as ``FittedModel`` and ``influence``; and if there are not K step
            sizes, or one is not finite.

    Source:
        Pruthi, Liu, Kale and Sundararajan, "Estimating training data influence by tracing gradient
        descent", NeurIPS 2020.
    """
    step_sizes = np.asarray(step_sizes, float)
    num_checkpoints = trees.num_rows(checkpoints, "checkpoints")
    if step_sizes.shape != (num_checkpoints,):
        hint = "; stack a list of params leaf by leaf" if isinstance(checkpoints, list) else ""
        raise ValueError(
            f"step_sizes must be one per checkpoint: got shape {step_sizes.shape}, and leaves of "
            f"checkpoints with {num_checkpoints} rows{hint}"
        )
    if num_checkpoints == 0:
        raise ValueError("checkpoints must hold at least one, got none")
    if not np.isfinite(step_sizes).all():
        raise ValueError("NaN or infinity in step_sizes")
    total: Any = 0.0
    for params, step_size in zip(trees.rows(checkpoints), step_sizes, strict=True):
        fit = FittedModel.at(loss_fn, params, train, select=select, batch_size=batch_size)
        slopes = slopes_of(fit, test, test_loss_fn)
        products = fit.inner_products(slopes)
        total = total + step_size / fit.n * products
    return total.astype(products.dtype)


@configured
def damping_sweep(
    fit: FittedModel,
    test: PyTree,
    dampings: Sequence[float] | np.ndarray,
    *,
    test_loss_fn: Loss | None = None,
) -> np.ndarray:
    r"""Scores for many dampings from one eigendecomposition: $H = Q\,\mathrm{diag}(h)\,Q^\top$.

    $$\text{scores}_\delta[t, i] = \frac1n \sum_j
      \frac{(q_j^\top \nabla m(z_t))\,(q_j^\top \nabla\ell(z_i))}{h_j + \delta}.$$

    It writes H out: p² numbers and some 10 p³ operations, once, then an inner product of n × p
    gradients for each damping. The damping of the fit is not used.

    Args:
        fit: the fitted model.
        test, test_loss_fn: as for ``influence``.
        dampings: $\delta$, shape (k,), at least 0.

    Returns:
        Shape (k, n_test, n). NaN where $h_j + \delta$ is not positive for all j, to rounding.

    Raises:
        ValueError: a negative damping; and what ``influence`` raises.

    Warns:
        RuntimeWarning: the dampings whose scores are NaN, with one that suffices.
    """
    check_fit(fit)
    dampings = np.asarray(dampings, float)
    if dampings.ndim != 1:
        raise ValueError(f"dampings must be numbers of shape (k,), got shape {dampings.shape}")
    for damping in dampings:
        _arguments.number("a damping", float(damping))
    slopes = slopes_of(fit, test, test_loss_fn)
    values, vectors = fit.eigenpairs()
    rounding = 10 * np.finfo(values.dtype).eps * np.abs(values).max()
    scores = np.full((len(dampings), len(slopes), fit.n), np.nan, slopes.dtype)
    for k in np.flatnonzero(values[0] + dampings > rounding):
        s = (slopes @ vectors / (values + dampings[k])) @ vectors.T
        scores[k] = fit.inner_products(s.astype(slopes.dtype)) / fit.n
    too_small = dampings[values[0] + dampings <= rounding]
    if len(too_small):
        _solver_warnings.report_dampings(fit, too_small, values[0], rounding)
    return scores


# --------------------------------------------------------------------------------------
# Refusals, and the sentence that says what a score is
# --------------------------------------------------------------------------------------


def check_fit(fit):
    """Raise ``TypeError`` for anything but a fitted model, ``ValueError`` where it has changed."""
    if not isinstance(fit, FittedModel):
        raise TypeError(
            "the first argument is the fitted model, FittedModel(loss_fn, params, train, l2=...): "
            f"got {type(fit).__name__}"
        )
    fit.check_unchanged()


def check_arguments(fit, solver, test_loss_fn=None, measure=None):
    """Raise ``TypeError`` where an argument is of no use; what ``check_fit`` raises."""
    check_fit(fit)
    if not isinstance(solver, Solver):
        raise TypeError(
            "solver must be CG(...), LiSSA(...), Arnoldi(...), Kronecker(...) or Exact(), got "
            f"{solver!r}"
        )
    if measure is not None:
        _arguments.one_of("measure", measure, ("loss", "benefit"))
        if test_loss_fn is None:
            raise TypeError("measure says what test_loss_fn is: without one, m is the loss")


def _check_composed(fit):
    if not fit.is_composed:
        raise TypeError("corrected=True needs a loss_fn made by compose(predict, criterion)")


def checked_examples(fit, data, name, like_train=True):
    """Arrays with a leading axis; like the training data, with their dtypes, where asked."""
    _arguments.no_loader(name, data)
    _arguments.known(f"arrays of {name}", data)
    data = trees.as_arrays(name, data)
    trees.num_rows(data, name)
    data = trees.promote(data)
    data = trees.cast_rows_like(name, data, "train", fit.train) if like_train else data
    return sharding.replicate(fit.mesh, data)


def convention(
    fit, test_loss_fn=None, measure=None, aggregate=None, are_new=False, corrected=False
):
    """One sentence that says what ``scores[t, i]`` estimates."""
    refit = {
        "fixed-weight": "its term is dropped from the sum while 1/n and l2 stay (fixed-weight)",
        "refit-mean": "the mean loss of the other n - 1 is fitted with the same l2 (refit-mean)",
    }[fit.removal]
    measured = "loss" if test_loss_fn is None else "value of test_loss_fn"
    where = "test point t" if aggregate is None else f"the {aggregate} over all test points"
    point = "candidate i, had it been fitted to," if are_new else "training point i"
    damped = f", as the damped (proximal) response with damping {fit.damping:g}" * (fit.damping > 0)
    matrix = "" if fit.curvature == "hessian" else ", with the Gauss-Newton matrix for the Hessian"
    part = ", refitting the selected params alone" * fit.selected
    step = ", with the one-step correction" * corrected
    kind = "loss" if test_loss_fn is None else measure
    sign = {"loss": "positive means helpful", "benefit": "negative means helpful"}
    meaning = sign.get(kind, "positive: without it the value rises")
    return (
        f"scores[t, i] estimates how much the {measured} of {where} rises without {point} when "
        f"{refit}{damped}{matrix}{part}{step}; {meaning}."
    )


# --------------------------------------------------------------------------------------
# Solves, in blocks of right-hand sides
# --------------------------------------------------------------------------------------


def slopes_of(fit, test, test_loss_fn=None, aggregate=None):
    """∇m(z_t), (n_test, p), or its mean or sum over all test points, (1, p)."""
    test = checked_examples(fit, test, "test", like_train=test_loss_fn is None)
    slopes = fit.gradients(test, test_loss_fn)
    if aggregate is not None:
        _arguments.one_of("aggregate", aggregate, ("mean", "sum"))
        total = slopes.sum(axis=0, keepdims=True)
        slopes = total / max(len(slopes), 1) if aggregate == "mean" else total
    if test_loss_fn is not None and len(slopes) and not slopes.any():
        _solver_warnings.warn(
            "the gradient of test_loss_fn is zero at all test points, and so is every score: a "
            "count or an accuracy does not change with small moves; take a loss or a margin"
        )
    return slopes


def examples_at(data, indices):
    """The examples of these numbers; where they are all, in order, the data as they are."""
    all_of_them = np.array_equal(indices, np.arange(trees.num_rows(data)))
    return data if all_of_them else take_rows(data, indices)


@contextmanager
def bar(total, noun, progress):
    """A function to call with the number of rows that are finished; it moves a bar if wanted."""
    if not progress:
        yield lambda rows: None
        return
    from tqdm.auto import tqdm

    with tqdm(total=total, desc=f"{noun} solved") as shown:
        yield lambda rows: shown.update(min(rows, total - shown.n))


def _in_blocks(of_block, m, at_once, noun, progress):
    """What ``of_block`` makes of the numbers 0 … m − 1, block after block, joined: arrays (m, ...).

    The blocks have one size, for which a solve is compiled; the last repeats m − 1 where it is
    short.
    """
    size = -(-m // max(1, -(-m // at_once)))
    parts = []
    with bar(m, noun, progress) as advance:
        for start in range(0, m, size) if m else [0]:
            parts.append(of_block(np.minimum(np.arange(start, start + size), m - 1)))
            advance(size)
    return jax.tree.map(lambda *arrays: np.concatenate(arrays)[:m], *parts)


def indefinite_if_any(fit, info):
    """The certificates, all of them INDEFINITE where one row has met that: then none is a refit.

    A series that diverges on an indefinite matrix proves nothing: then Lanczos looks at it.
    """
    proven, diverged = info.status == INDEFINITE, info.status == DIVERGED
    lowest = info.min_curvature[proven].min() if proven.any() else None
    if lowest is None and diverged.any():
        lowest = _solver_warnings.negative_curvature(fit)
    if lowest is None:
        return info
    return info._replace(
        converged=np.zeros_like(info.converged),
        min_curvature=np.full_like(info.min_curvature, lowest),
        status=np.where(diverged, INDEFINITE, np.maximum(info.status, INDEFINITE)),
    )


def solve_all(fit, solver, B, noun, progress=False, *, names=None, report=True, where_nan="rows"):
    """x with H_d x = b for each row b of B, NaN where it failed; certificates; x of each run."""
    solve = lambda block: fit.solve(B[block], solver)
    x, info, runs = _in_blocks(solve, len(B), solver.solves_at_once(fit.p), noun, progress)
    info = indefinite_if_any(fit, info)
    if report:
        norms = np.linalg.norm(B, axis=1)
        _solver_warnings.report(fit, solver, info, norms, noun, names, where_nan)
    return blanked(x, info), info, runs


def blanked(found, info):
    """What was found, NaN where the solve failed: (m, ...)."""
    # From DIVERGED on, _certificate has put it; here also where one row made all INDEFINITE.
    failed = (info.status >= INDEFINITE).reshape(-1, *[1] * (found.ndim - 1))
    return np.where(failed, np.nan, found).astype(found.dtype)


def _standard_error(fit, runs, candidates):
    """Of the mean of the scores of LiSSA's runs, which are independent, (n_test, m)."""
    n_test, num_runs, p = runs.shape
    of_runs = fit.inner_products(runs.reshape(-1, p).astype(fit.theta.dtype), candidates)
    of_runs = of_runs.reshape(n_test, num_runs, -1) / fit.n
    return of_runs.std(axis=1, ddof=1) / num_runs**0.5


def _dots(a, b):
    """The inner product of each row of a with the same row of b."""
    return np.einsum("ij,ij->i", a, b)


# --------------------------------------------------------------------------------------
# The one-step correction
# --------------------------------------------------------------------------------------


def _corrected(
    fit, solver, indices, progress, *, where_nan="rows", of_moves=lambda g, moves: moves
):
    """Of gradients and corrected moves of training points what is asked, (k, ...); certificates.

    NaN where that failed, after a warning. The certificate of a point is that of its worst solve.
    """
    rest = fit.with_l2_of_refit()

    def of_block(block):
        gradients = fit.training_gradients(indices[block])
        J, H_z = _output_curvature(rest, examples_at(fit.train, indices[block]))
        g, per = gradients + np.asarray(fit.l2_gradient), 1 + H_z.shape[-1]
        right = np.concatenate([g[:, None], np.asarray(J)], axis=1).reshape(-1, fit.p)
        x, info, _ = solve_all(rest, solver, right, "training points", report=False)
        solved = x.reshape(len(block), per, fit.p)
        moves = np.asarray(_without_example(J, solved, H_z / fit.n)) / fit.n
        norms = np.linalg.norm(right, axis=1)
        worst = _worst(info, norms, per)
        return of_moves(gradients, moves), trees.take_rows(info, worst), norms[worst]

    found, info, norms = _in_blocks(
        of_block, len(indices), _POINTS_CORRECTED, "training points", progress
    )
    info = indefinite_if_any(rest, info)
    _solver_warnings.report(rest, solver, info, norms, "training points", indices, where_nan)
    determined = np.isfinite(found).all(axis=tuple(range(1, found.ndim)))
    lost = (info.status < INDEFINITE) & ~determined
    if lost.any():
        some = _solver_warnings.some("training points", indices[lost])
        _solver_warnings.warn(
            f"{some}: without them the fit is not determined (leverage 1), and their {where_nan} "
            "are NaN"
        )
    return blanked(found, info), info


_POINTS_CORRECTED = 1024  # at a time, each with its outputs by params


def _worst(info, norms, per):
    """Of each ``per`` consecutive solves the one with the worst status, then residual."""
    relative = info.residual_norm / np.where(norms > 0, norms, 1)
    rank = info.status + np.nan_to_num(relative / (1 + relative), nan=0.99)
    return rank.reshape(-1, per).argmax(axis=1) + per * np.arange(len(rank) // per)


@compiled
def _output_curvature(fit, chosen):
    """J_i, (k, outputs, p), and H_z, (k, outputs, outputs), of each chosen example."""
    predict, criterion = fit.loss_fn.predict, fit.loss_fn.criterion

    def of_example(example):
        x, y = example
        outputs = lambda theta: jnp.ravel(predict(fit.params(theta), x))
        shape = jax.eval_shape(predict, fit.params(fit.theta), x).shape
        of_outputs = lambda z: criterion(z.reshape(shape), y)
        return jax.jacrev(outputs)(fit.theta), jax.hessian(of_outputs)(outputs(fit.theta))

    return sharding.gathered(fit.mesh, trees.map_rows(of_example, chosen, fit.gradients_at_once))


@compiled
def _without_example(J, solved, C):
    """(A - J^T C J)^-1 g from A^-1 g and A^-1 J^T, for each example (Woodbury)."""

    def one(J, solved, C):
        u, V = solved[0], solved[1:]
        inner = jnp.eye(len(C), dtype=C.dtype) - C @ (J @ V.T)
        smallest = jnp.linalg.svd(inner, compute_uv=False)[-1]
        determined = smallest > 10 * default_tol(C.dtype)  # else 1 - leverage is a rounding error
        return jnp.where(determined, u + jnp.linalg.solve(inner, C @ (J @ u)) @ V, jnp.nan)

    return jax.vmap(one)(J, solved, C)


# --------------------------------------------------------------------------------------
# Groups, and inputs
# --------------------------------------------------------------------------------------


def _members(fit, groups):
    """1 for a member and 0 for the others, (n_groups, n), refused where an index cannot be."""
    members = np.zeros((len(groups), fit.n), fit.theta.dtype)
    for row, group in zip(members, groups, strict=True):
        indices = trees.row_indices(group, fit.n)
        row[indices] = 1
        if row.sum() < len(indices):
            raise ValueError("an index stands twice in one group")
        if fit.removal == "refit-mean" and len(indices) == fit.n:
            raise ValueError("a group of all training points leaves nothing to fit (refit-mean)")
    return members


def _group_gradients(fit, members):
    """g_U = (1/n) Σ_U (∇ℓ_i + l2_gradient), (n_groups, p)."""
    share = members.sum(axis=1, keepdims=True) / fit.n * np.asarray(fit.l2_gradient)
    return fit.sums_of_gradients(members) / fit.n + share.astype(members.dtype)


@compiled
def _group_products(fit, members, x):
    """H_U x_U for each group, (n_groups, p)."""
    of_group = lambda row: fit.of_group(row[0]).hessian_product()(row[1])
    return sharding.gathered(fit.mesh, jax.lax.map(of_group, (members, x)))


def _second_order_moves(fit, solver, members, g, progress):
    """H_d^-1 (g_U + H_U H_d^-1 g_U), (n_groups, p): two solves, of which the worse is told."""
    first, info, _ = solve_all(fit, solver, g, "groups", progress, report=False)
    bent = np.asarray(_group_products(fit, members, np.nan_to_num(first)))
    second, again, _ = solve_all(fit, solver, bent, "groups", progress, report=False)
    worse = lambda a, b: np.where(info.converged, b, a)
    norms = worse(np.linalg.norm(g, axis=1), np.linalg.norm(bent, axis=1))
    told = SolveInfo(*map(worse, info, again))
    _solver_warnings.report(fit, solver, told, norms, "groups", where_nan="columns")
    return first + second


def _newton_moves(fit, solver, members, g, progress):
    """(H_d - H_U)^-1 g_U, group by group, (n_groups, p)."""
    if not len(members):
        return np.zeros((0, fit.p), fit.theta.dtype)
    without = lambda group: fit.without_group(members[group])
    solve = lambda group: without(group[0]).solve(g[group], solver, check=False)
    x, info, _ = _in_blocks(solve, len(members), 1, "groups", progress)
    rest = without(info.min_curvature.argmin())  # of which a warning speaks
    norms = np.linalg.norm(g, axis=1)
    _solver_warnings.report(rest, solver, info, norms, "groups", where_nan="columns")
    return blanked(x, info)


@partial(compiled, static_argnames="wrt")
def _input_slopes(fit, wrt, s, chosen):
    """-(1/n) of the derivative of s_t · ∇ℓ_i by a part of z_i, for all t and chosen i."""

    def of_pair(s, z):
        part = z[wrt]
        changed = lambda x: jax.tree.map(
            lambda leaf: x if leaf is part else leaf, z, is_leaf=lambda leaf: leaf is part
        )
        loss = lambda x: lambda theta: fit.loss(theta, changed(x))
        along = lambda x: jax.jvp(loss(x), (fit.theta,), (s,))[1]
        return jax.grad(along)(part) / -fit.n

    of_test = lambda s: jax.vmap(lambda z: of_pair(s, z))(chosen)
    return sharding.gathered(fit.mesh, trees.map_rows(of_test, s, DIRECTIONS_AT_ONCE))
