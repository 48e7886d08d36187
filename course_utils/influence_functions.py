r"""What one training point, or a change to it, does to a fitted model and to its predictions.

Everywhere in this module, with n training examples $z_i$ and the loss $\ell$ of ONE example,

$$R(\theta) = \frac1n \sum_i \ell(z_i, \theta) + \frac{\lambda}{2} \lVert\theta\rVert^2, \qquad
  H = \nabla^2 R(\hat\theta), \qquad H_d = H + \text{damping} \cdot I,$$

$$\text{scores}[t, i] = \frac1n \nabla m(z_t)^\top H_d^{-1} \nabla \ell(z_i)
  \;\approx\; m(z_t;\, \hat\theta \text{ fitted without } z_i) - m(z_t;\, \hat\theta).$$

Positive means helpful: without $z_i$ the test loss $m$ rises. The quantity of Koh and Liang,
"Understanding black-box predictions via influence functions", ICML 2017, is
$\mathcal{I}_\text{up,loss} = -n \cdot \text{scores}$. Damping belongs to the solve, not to $R$.

Two refits are meant by "without $z_i$", and the argument ``removal`` chooses: "fixed-weight" drops
one term of the sum while $1/n$ and $\lambda$ stay; "refit-mean" fits the mean of the other n − 1
losses with the same $\lambda$, and has $\nabla\ell(z_i) + \lambda\hat\theta$ in place of
$\nabla\ell(z_i)$.
"""

import time
from collections.abc import Callable, Hashable, Sequence
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh

from course_utils import _cache, _compiled, _kept_scores, _problem, sharding, trees
from course_utils._results import Influence
from course_utils.solvers import CG, Arnoldi, LiSSA, SolveInfo, Solver, default_tol

PyTree = Any
Loss = Callable[[PyTree, PyTree], jax.Array]

_DIRECTIONS_AT_ONCE = 8  # forward-mode derivatives of one example


def influence(
    loss_fn: Loss,
    params: PyTree,
    train: PyTree,
    test: PyTree,
    *,
    solver: Solver = CG(),  # noqa: B008
    l2: PyTree = 0.0,
    damping: float = 0.0,
    removal: str = "fixed-weight",
    curvature: str = "hessian",
    test_loss_fn: Loss | None = None,
    select: Callable[[str], bool] | None = None,
    gradients: str = "auto",
    batch_size: int | None = None,
    mesh: Mesh | None = None,
    cache_dir: str | Path | None = None,
    progress: bool = False,
) -> Influence:
    r"""How much each training point helps or harms the prediction at each test point.

    $\text{scores}[t,i] = \frac1n \nabla m(z_t)^\top H_d^{-1} \nabla\ell(z_i)$, an estimate of the
    change of $m(z_t)$ when the model is fitted without $z_i$: see the head of this module for
    every symbol. One solve per test point, all of them batched, and then one inner product per
    training point.

    It checks values and warns, so it cannot be called under ``jit``, ``vmap`` or ``grad``; take
    ``cg`` of ``hessian_mvp`` there. What it compiles is kept for each loss function and each shape
    of the data: losses must be pure. A changed global or attribute that a loss reads would go
    unnoticed; pass what changes in params or data, or define the function anew.

    Args:
        loss_fn: ``(params, example) -> scalar``, the loss of ONE example, without the l2 term.
            ``example`` has the structure of ``train`` without its leading axis.
        params: the fitted parameters, a pytree of floating-point arrays with p numbers in all.
        train: pytree whose leaves share a leading axis of n examples, such as ``(X, y)``.
        test: the same with n_test examples.
        solver: ``CG(tol=…, maxiter=…)``, ``LiSSA(…)``, ``Arnoldi(rank=…)`` or ``Exact()``.
        l2: $\lambda$ of the fit, a number or a tree prefix of ``params`` with one number per part,
            so that biases can go free.
        damping: added to every curvature in the solve, at least 0; in the units of H.
        removal: ``"fixed-weight"`` or ``"refit-mean"``, which refit is estimated.
        curvature: ``"hessian"``, or ``"ggn"`` for the Gauss-Newton matrix (``loss_fn`` from
            ``compose``).
        test_loss_fn: $m$, ``(params, test example) -> scalar``; ``loss_fn`` if ``None``. With it,
            ``test`` may have a structure of its own.
        select: of a path such as ``"dense/kernel"``, whether that leaf counts; the others are held
            fixed, as constants of the model. ``None``: all count.
        gradients: ``"on-the-fly"`` takes $\nabla\ell_i^\top s$ by forward-mode derivatives,
            keeping no gradient; ``"kept"`` forms each $\nabla\ell_i$ once and uses it for all test
            points; ``"auto"`` is the faster: kept from 128 test points on, or from 16 on where the
            loss convolves.
        batch_size: how many training examples enter at a time, which bounds the memory. ``None``:
            all, in the products with H.
        mesh: of devices, such as ``jax.make_mesh((8,), ("data",))``: the training data are spread
            over them and everything else is copied to each; ``batch_size`` then counts the examples
            of one device. Over several processes each makes the same call and gets the same result.
        cache_dir: a folder for finished scores, in blocks of at most 128 test points. The same call
            again reads them, a call that was killed goes on after its last whole block, and either
            ends with the same bytes; a damaged block is computed anew. Every value that the scores
            depend on is part of the key: params, data, arguments, the computation of the losses
            with the constants that it holds, the release of JAX. ``s_test`` is then ``None``, and
            ``scores`` is a read-only map of a file: one block of them is in memory at a time.
        progress: show a bar of test points solved.

    Returns:
        ``Influence`` with ``scores`` (n_test, n), ``s_test``, ``info``, ``convention`` and
        ``seconds``, in float32 where params were half precision.

    Raises:
        TypeError: an unknown ``removal``, ``curvature``, ``gradients`` or ``solver``, or ``"ggn"``
            for a loss that was not composed.
        ValueError: NaN or infinity in params, data or gradients; params that are not
            floating-point; test that does not match train; a loss that is not a scalar; negative
            l2 or damping; no training example, or one with "refit-mean"; with ``Exact``, a matrix
            that is indefinite or singular.

    Warns:
        RuntimeWarning: once for each of: params not at an optimum (‖∇R‖ above 1e-3 of the mean
            ‖∇ℓ_i‖, a mean over at most 128 of the examples); test points whose solve failed, with
            the damping or the scale that cures it; test points whose solve did not reach the
            tolerance, with the residual.

    Source:
        Koh and Liang, ICML 2017; the inner products as forward-mode derivatives follow from
        linearity.
    """
    _problem.check_name("gradients", gradients, ("on-the-fly", "kept", "auto"))
    problem = _problem.pose(
        loss_fn, params, train, solver, l2, damping, removal, curvature, select, batch_size, mesh
    )
    measure = loss_fn if test_loss_fn is None else test_loss_fn
    test = _checked_test(problem, test, test_loss_fn)
    n_test = trees.num_rows(test)
    kept = _problem.keeps(problem, gradients, n_test)
    convention = _convention(removal, curvature, float(damping), test_loss_fn, select)

    if cache_dir is not None:
        if jax.process_count() > 1:
            raise ValueError("cache_dir works in one process: several would write the same files")
        stamp = _kept_scores.stamp(problem, measure, test)
        key, about = _kept_scores.key(problem, test, kept, convention, stamp)
        problem = problem._replace(setting=replace(problem.setting, stamp=stamp))

    prepared = cache(lambda: _problem.prepared(problem))  # once, and only if a block is missing

    def scored(indices, advance):  # what is known of these test points
        began = time.perf_counter()
        some = _problem.some_rows(test, indices)
        solved = _solve_for_tests(problem, measure, some, advance, prepared())
        point, shift, n = problem.point, problem.shift, problem.n
        scores = _scores(problem.setting, kept, point, solved.kept, shift, n)
        scores = np.asarray(scores)[:, :n]  # without what fills up the last device
        failed = _problem.failed(solved.info)
        if failed.any():
            scores = np.where(failed[:, None], np.nan, scores).astype(scores.dtype)
        return scores, solved, time.perf_counter() - began

    with _problem.bar(n_test, "test points", progress) as advance:
        if n_test == 0:
            solved = _solve_for_tests(problem, measure, test, advance)
            solved = solved if cache_dir is None else solved._replace(kept=None)
            scalar = trees.dtype(problem.shift)
            scores, seconds = np.zeros((0, problem.n), scalar), np.zeros(0)
        elif cache_dir is None:
            scores, solved, elapsed = scored(np.arange(n_test), advance)
            seconds = np.full(n_test, elapsed / n_test)
        else:
            blocks = _cache.Cache(cache_dir, key, about)
            whole = _kept_scores.in_blocks(blocks, scored, problem, n_test, advance)
            scores, solved, seconds = whole
    failed = _problem.failures(problem, solved, "test points")
    s = (
        solved.kept
        if solved.kept is None or not failed.any()
        else trees.blank_rows(solved.kept, failed)
    )
    return Influence(scores, s, solved.info, convention, seconds)


def s_test(
    loss_fn: Loss,
    params: PyTree,
    train: PyTree,
    test: PyTree,
    *,
    solver: Solver = CG(),  # noqa: B008
    l2: PyTree = 0.0,
    damping: float = 0.0,
    curvature: str = "hessian",
    test_loss_fn: Loss | None = None,
    select: Callable[[str], bool] | None = None,
    batch_size: int | None = None,
    progress: bool = False,
) -> tuple[PyTree, SolveInfo]:
    r"""The half of a score that belongs to the test point: $s_t = H_d^{-1} \nabla m(z_t)$.

    ``scores[t, i]`` is the inner product of $s_t$ with row i of ``grad_z``, divided by n. The name
    is that of Koh and Liang's code. Arguments, errors and warnings are those of ``influence``.

    Returns:
        $s_t$ for every test point, a pytree like ``params`` with a leading axis of n_test
        (``None`` for leaves that ``select`` leaves out); and a ``SolveInfo`` of arrays (n_test,).
        Rows whose solve failed are NaN.
    """
    problem = _problem.pose(
        loss_fn, params, train, solver, l2, damping, "fixed-weight", curvature, select, batch_size
    )
    measure = loss_fn if test_loss_fn is None else test_loss_fn
    test = _checked_test(problem, test, test_loss_fn)
    with _problem.bar(trees.num_rows(test), "test points", progress) as advance:
        solved = _solve_for_tests(problem, measure, test, advance)
    failed = _problem.failures(problem, solved, "test points")
    return trees.blank_rows(solved.kept, failed), solved.info


def grad_z(
    loss_fn: Loss,
    params: PyTree,
    train: PyTree,
    *,
    l2: PyTree = 0.0,
    removal: str = "fixed-weight",
    select: Callable[[str], bool] | None = None,
    batch_size: int | None = None,
) -> PyTree:
    r"""The half of a score that belongs to the training point, for all of them: n × p numbers.

    $\nabla\ell(z_i)$ for ``removal="fixed-weight"``, $\nabla\ell(z_i) + \lambda\hat\theta$ for
    ``"refit-mean"``; of the loss of one example, without any 1/n. Arguments and errors are those of
    ``influence``.

    Returns:
        Pytree like ``params`` with a leading axis of n (``None`` for leaves that ``select`` leaves
        out).
    """
    problem = _problem.pose(
        loss_fn, params, train, CG(), l2, 0.0, removal, "hessian", select, batch_size, survey=False
    )
    return _problem.checked_gradients(
        problem, loss_fn, problem.point.train, "loss_fn", problem.shift
    )


def influence_on_params(
    loss_fn: Loss,
    params: PyTree,
    train: PyTree,
    indices: np.ndarray,
    *,
    solver: Solver = CG(),  # noqa: B008
    l2: PyTree = 0.0,
    damping: float = 0.0,
    removal: str = "fixed-weight",
    curvature: str = "hessian",
    corrected: bool = False,
    select: Callable[[str], bool] | None = None,
    batch_size: int | None = None,
    progress: bool = False,
) -> PyTree:
    r"""How the parameters would move without a training point, for each of ``indices``.

    $$\frac1n H_d^{-1} \nabla\ell(z_i) \;\approx\; \hat\theta_{-i} - \hat\theta,$$

    with $\nabla\ell(z_i) + \lambda\hat\theta$ in place of $\nabla\ell(z_i)$ for "refit-mean". For
    least squares the exact change under "fixed-weight" is this, divided by $1 - h_{ii}$ with the
    leverage $h_{ii} = x_i^\top (X^\top X + n \lambda I)^{-1} x_i$.

    First order underestimates the points that bend their own fit: $H$ still contains the removed
    point. ``corrected=True`` takes its curvature $\frac1n J_i^\top H_z J_i$ out ($J_i$: the outputs
    by params, $H_z$: the Hessian of the loss in the outputs): one Newton step of the refit, exact
    for least squares. For "fixed-weight" it is

    $$\Delta\theta_i = \tfrac1n H_d^{-1} J_i^\top
      \bigl(I - \tfrac1n H_z J_i H_d^{-1} J_i^\top\bigr)^{-1} \nabla_z \ell_i,$$

    and for "refit-mean" $\lambda\hat\theta$ joins the gradient, and $\lambda$ in $H$ loses 1/n of
    itself. It takes a solve per output more. Other arguments, errors and warnings are those of
    ``influence``.

    Args:
        indices: whole numbers in 0 … n − 1, shape (k,).
        corrected: take the one-step correction; ``loss_fn`` must come from ``compose``.

    Returns:
        Pytree like ``params`` with a leading axis of k (``None`` for leaves that ``select`` leaves
        out). Rows whose solve failed are NaN; with ``corrected=True`` so are, with a warning, those
        whose refit is not determined (leverage 1: nothing else holds some direction in place).

    Raises:
        TypeError: ``corrected=True`` for a loss that was not composed.
        ValueError: if an index is out of range; and what ``influence`` raises.
    """
    if corrected:
        _problem.check_composed(loss_fn)
    problem = _problem.pose(
        loss_fn, params, train, solver, l2, damping, removal, curvature, select, batch_size
    )
    indices = trees.row_indices(indices, problem.n)
    chosen = _problem.some_rows(problem.point.train, indices)
    rows = _problem.checked_gradients(problem, loss_fn, chosen, "loss_fn", problem.shift)
    per, rows_of = 1, lambda block: _problem.some_rows(rows, block)
    keep = lambda block, rows, x: trees.scale(1 / problem.n, x)
    if corrected and len(indices) > 0:
        if removal == "refit-mean":
            l2 = trees.scale(1 - 1 / problem.n, problem.point.l2)
            problem = problem._replace(point=problem.point._replace(l2=l2))
        J, H_z = _output_curvature(problem.setting, problem.point.params, chosen)
        per = 1 + H_z.shape[-1]
        rows_of = lambda block: _with_jacobian(*_problem.some_rows((rows, J), block))
        keep = lambda block, rows, x: _one_step(rows, x, H_z[block], problem.n)
    with _problem.bar(len(indices), "training points", progress) as advance:
        solved = _problem.solve_in_blocks(problem, rows_of, keep, len(indices), advance, per)
    failed = _problem.failures(problem, solved, "training points", indices)
    if corrected:
        _problem.warn_of_undetermined_refits(solved.kept, failed, indices)
    return trees.blank_rows(solved.kept, failed)


def self_influence(
    loss_fn: Loss,
    params: PyTree,
    train: PyTree,
    *,
    solver: Solver = CG(),  # noqa: B008
    l2: PyTree = 0.0,
    damping: float = 0.0,
    removal: str = "fixed-weight",
    curvature: str = "hessian",
    select: Callable[[str], bool] | None = None,
    batch_size: int | None = None,
    progress: bool = False,
) -> np.ndarray:
    r"""What each training point does to its own loss: the diagonal of ``influence(train, train)``.

    $\frac1n \nabla\ell(z_i)^\top H_d^{-1} \nabla\ell(z_i)$, never negative where $H_d$ is positive
    definite and ``removal`` is "fixed-weight". Large values mark outliers and wrong labels: points
    that the model fits by memory. n solves, in blocks; neither the n × n scores nor all solutions
    are kept. Arguments, errors and warnings are those of ``influence``.

    Returns:
        Shape (n,); NaN where a solve failed.
    """
    problem = _problem.pose(
        loss_fn, params, train, solver, l2, damping, removal, curvature, select, batch_size
    )
    train = problem.point.train
    gradients_of = lambda block: _problem.checked_gradients(
        problem, loss_fn, _problem.some_rows(train, block), "loss_fn"
    )
    products = lambda block, rows, x: _row_products(rows, x, problem.shift, problem.n)
    with _problem.bar(problem.n, "training points", progress) as advance:
        solved = _problem.solve_in_blocks(problem, gradients_of, products, problem.n, advance)
    failed = _problem.failures(problem, solved, "training points")
    return np.where(failed, np.nan, solved.kept).astype(solved.kept.dtype)


def group_influence(
    loss_fn: Loss,
    params: PyTree,
    train: PyTree,
    test: PyTree,
    groups: Sequence[Sequence[int] | np.ndarray],
    *,
    order: int | str = 1,
    solver: Solver = CG(),  # noqa: B008
    l2: PyTree = 0.0,
    damping: float = 0.0,
    removal: str = "fixed-weight",
    curvature: str = "hessian",
    test_loss_fn: Loss | None = None,
    select: Callable[[str], bool] | None = None,
    batch_size: int | None = None,
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
        groups: for each group the indices of its members, in any number and order.
        order: 1, 2 or ``"newton"``.

    Returns:
        Shape (n_test, n_groups), in the units of m, positive where the group helps; NaN in the
        columns of groups whose solve failed.

    Raises:
        TypeError: an unknown ``order``; "newton" with ``LiSSA`` or ``Arnoldi``; and what
            ``influence`` raises.
        ValueError: an index that is out of range or twice in a group; a group of all training
            points with "refit-mean"; and what ``influence`` raises.

    Source:
        Koh, Ang, Teo and Liang, "On the accuracy of influence functions for measuring group
        effects", NeurIPS 2019; Basu, You and Feizi, "On second-order group influence functions for
        black-box predictions", ICML 2020.
    """
    _problem.check_name("order", order, (1, 2, "newton"))
    if order == "newton" and isinstance(solver, LiSSA | Arnoldi):
        raise TypeError('order="newton" takes CG(...) or Exact(), as each group has its own matrix')
    problem = _problem.pose(
        loss_fn, params, train, solver, l2, damping, removal, curvature, select, batch_size
    )
    measure = loss_fn if test_loss_fn is None else test_loss_fn
    slopes = _test_gradients(problem, measure, _checked_test(problem, test, test_loss_fn))
    members = _problem.members_of(groups, problem, removal)
    with _problem.bar(len(groups), "groups", progress) as advance:
        if order == "newton" and len(groups) > 0:
            moves, failed = _problem.newton_moves(problem, members, advance)
        else:
            moves, failed = _problem.moves_of_groups(problem, members, order, advance)
    changes = np.asarray(_products_of_rows(slopes, moves))
    return np.where(failed, np.nan, changes).astype(changes.dtype)


def perturbation_influence(
    loss_fn: Loss,
    params: PyTree,
    train: PyTree,
    test: PyTree,
    indices: np.ndarray,
    *,
    wrt: Hashable = 0,
    solver: Solver = CG(),  # noqa: B008
    l2: PyTree = 0.0,
    damping: float = 0.0,
    curvature: str = "hessian",
    test_loss_fn: Loss | None = None,
    select: Callable[[str], bool] | None = None,
    batch_size: int | None = None,
    progress: bool = False,
) -> np.ndarray:
    r"""How the prediction at each test point changes with the input of a training point.

    $$\frac{\partial\, m(z_t)}{\partial x_i} =
      -\frac1n \nabla m(z_t)^\top H_d^{-1}\, \partial_x \nabla_\theta \ell(z_i),$$

    the model being fitted again after the change: $\frac1n$ of Koh and Liang's
    $\mathcal{I}_\text{pert,loss}$. A small step along it raises the test loss. One solve per test
    point; each entry is a derivative by x of $s_t^\top\nabla_\theta\ell(z_i)$. Other arguments,
    errors and warnings are those of ``influence``.

    Args:
        indices: of the training points, whole numbers in 0 … n − 1, shape (k,).
        wrt: which part of an example is x: ``example[wrt]``, an array of floating-point numbers.

    Returns:
        Shape (n_test, k, \*x.shape); NaN for test points whose solve failed.

    Raises:
        ValueError: if an index is out of range, or that part is not there or not floating-point;
            and what ``influence`` raises.

    Source:
        Koh and Liang, ICML 2017, section 2.2.
    """
    problem = _problem.pose(
        *(loss_fn, params, train, solver, l2, damping),
        *("fixed-weight", curvature, select, batch_size),
    )
    chosen = trees.take_rows(problem.point.train, trees.row_indices(indices, problem.n))
    try:
        part = chosen[wrt]
    except (KeyError, IndexError, TypeError) as error:
        raise ValueError(f"an example has no part {wrt!r}") from error
    trees.check_floating(f"train[{wrt!r}]", part)
    measure = loss_fn if test_loss_fn is None else test_loss_fn
    test = _checked_test(problem, test, test_loss_fn)
    with _problem.bar(trees.num_rows(test), "test points", progress) as advance:
        solved = _solve_for_tests(problem, measure, test, advance)
    failed = _problem.failures(problem, solved, "test points")
    slopes = _input_slopes(problem.setting, wrt, problem.point, solved.kept, chosen)
    return np.asarray(trees.blank_rows(slopes, failed))


def tracin(
    loss_fn: Loss,
    checkpoints: PyTree,
    train: PyTree,
    test: PyTree,
    step_sizes: Sequence[float] | np.ndarray,
    *,
    test_loss_fn: Loss | None = None,
    select: Callable[[str], bool] | None = None,
    gradients: str = "auto",
    batch_size: int | None = None,
) -> np.ndarray:
    r"""How much each training point lowered the test loss on the way, step by step.

    $$\text{scores}[t, i] = \sum_k \frac{\eta_k}{n}\,
      \nabla m(z_t, \theta_k)^\top \nabla\ell(z_i, \theta_k),$$

    so that the sum over i is, to first order, the drop of the test loss under gradient descent on
    the mean training loss, where the checkpoints are the params before each step. Where only every
    c-th is kept, give c times the step size. No matrix is solved with, the params need not be at an
    optimum, and a score is about the path, not about a refit. It checks values, so it cannot be
    called under ``jit``, ``vmap`` or ``grad``.

    Args:
        loss_fn: ``(params, example) -> scalar``, the loss of ONE example.
        checkpoints: like the params, every leaf with a leading axis of K checkpoints.
        step_sizes: $\eta_k$, shape (K,).
        train, test, test_loss_fn, select, gradients, batch_size: as for ``influence``.

    Returns:
        Shape (n_test, n), in the units of m.

    Raises:
        TypeError, ValueError: as ``influence``; and if there are not K step sizes, or one is not
            finite.

    Source:
        Pruthi, Liu, Kale and Sundararajan, "Estimating training data influence by tracing gradient
        descent", NeurIPS 2020.
    """
    _problem.check_name("gradients", gradients, ("on-the-fly", "kept", "auto"))
    step_sizes = np.asarray(step_sizes, float)
    if step_sizes.shape != (trees.num_rows(checkpoints, "checkpoints"),):
        raise ValueError(
            f"step_sizes must be one per checkpoint: got shape {step_sizes.shape} for "
            f"{trees.num_rows(checkpoints)} of them"
        )
    if len(step_sizes) == 0:
        raise ValueError("checkpoints must hold at least one, got none")
    _problem.check_finite("step_sizes", step_sizes)
    measure = loss_fn if test_loss_fn is None else test_loss_fn
    total = np.zeros(())
    for params, step_size in zip(trees.rows(checkpoints), step_sizes, strict=True):
        problem = _problem.pose(
            *(loss_fn, params, train, CG(), 0.0, 0.0, "fixed-weight", "hessian"),
            *(select, batch_size, None, False),
        )
        slopes = _test_gradients(problem, measure, _checked_test(problem, test, test_loss_fn))
        kept = _problem.keeps(problem, gradients, trees.num_rows(test))
        scores = _scores(problem.setting, kept, problem.point, slopes, problem.shift, problem.n)
        total = total + step_size * np.asarray(scores)
    return total.astype(scores.dtype)


def _convention(removal, curvature, damping, test_loss_fn, select):
    refit = {
        "fixed-weight": "its term is dropped from the sum while 1/n and l2 stay (fixed-weight)",
        "refit-mean": "the mean loss of the other n - 1 is fitted with the same l2 (refit-mean)",
    }[removal]
    measured = "loss" if test_loss_fn is None else "value of test_loss_fn"
    damped = f", as the damped (proximal) response with damping {damping:g}" if damping > 0 else ""
    matrix = "" if curvature == "hessian" else ", with the Gauss-Newton matrix for the Hessian"
    part = "" if select is None else ", refitting the selected params alone"
    return (
        f"scores[t, i] estimates how much the {measured} of test point t rises without training "
        f"point i when {refit}{damped}{matrix}{part}; positive means helpful."
    )


def _checked_test(problem, test, test_loss_fn):
    """The test points as arrays on the device, refused where they do not suit."""
    trees.num_rows(test, "test")
    mesh = problem.setting.mesh
    test = trees.promote(test if mesh is None else sharding.replicate(mesh, test))
    if test_loss_fn is None:
        trees.check_like("test", test, "train", problem.point.train, skip_axes=1)
    return test


def _test_gradients(problem, measure, test):
    name = "loss_fn" if measure is problem.setting.loss_fn else "test_loss_fn"
    return _problem.checked_gradients(problem, measure, test, name)


def _solve_for_tests(problem, measure, test, advance, found=None):
    rows = _test_gradients(problem, measure, test)
    return _problem.solve_in_blocks(
        problem,
        lambda block: _problem.some_rows(rows, block),
        lambda block, rows, x: x,
        trees.num_rows(test),
        advance,
        found=found,
    )


@partial(jax.jit, static_argnums=(0, 1))
def _scores(setting, kept, point, s, shift, n):
    """(1/n) s_t . (∇ℓ_i + shift) for all t and i, shape (n_test, n)."""
    free, loss = _compiled.free_part(setting, point.params, setting.loss_fn)
    flat = trees.ravel_rows(s)  # (n_test, p)

    def from_gradient(z):
        return flat @ trees.ravel(jax.grad(loss)(free, z))

    def from_derivatives(z):  # along s_t, without a gradient: ∇ℓ_i is linear in the direction
        _, along = jax.linearize(lambda free: loss(free, z), free)
        return trees.map_rows(along, s, _DIRECTIONS_AT_ONCE)

    with jax.default_matmul_precision("highest"):
        if kept:
            at_once = _compiled.rows_at_once(setting, free)
            products = trees.map_rows(from_gradient, point.train, at_once, setting.shards)
        else:
            of_row, at_once = from_derivatives, setting.batch_size
            products = trees.map_rows(of_row, point.train, at_once, setting.shards)
        constant = flat @ trees.ravel(shift)  # (n_test,)
    scores = ((products + constant).T / n).astype(flat.dtype)
    return sharding.gathered(setting.mesh, scores)


@jax.jit
def _row_products(rows, x, shift, n):
    """(1/n) (row + shift) . x, row by row."""
    return jax.vmap(lambda row, x: trees.vdot(trees.add(row, shift), x) / n)(rows, x)


@jax.jit
def _products_of_rows(x, y):
    """x_t . y_j for all pairs of rows."""
    return jnp.matmul(trees.ravel_rows(x), trees.ravel_rows(y).T, precision="highest")


@partial(jax.jit, static_argnums=(0, 1))
def _input_slopes(setting, wrt, point, s, chosen):
    """-(1/n) of the derivative of s_t . ∇ℓ_i by a part of z_i, for all t and chosen i."""
    free, loss = _compiled.free_part(setting, point.params, setting.loss_fn)

    def of_pair(s, z):
        part = z[wrt]
        changed = lambda x: jax.tree.map(
            lambda leaf: x if leaf is part else leaf, z, is_leaf=lambda leaf: leaf is part
        )
        along = lambda x: jax.jvp(lambda free: loss(free, changed(x)), (free,), (s,))[1]
        return jax.grad(along)(part)

    with jax.default_matmul_precision("highest"):
        of_test = lambda s: jax.vmap(lambda z: of_pair(s, z))(chosen)
        slopes = trees.map_rows(of_test, s, _DIRECTIONS_AT_ONCE)
    return trees.scale(-1 / trees.num_rows(point.train), slopes)


@partial(jax.jit, static_argnums=0)
def _output_curvature(setting, params, chosen):
    """J_i, rows of outputs (n, k, ...) like params, and H_z (n, k, k), for each chosen example."""
    free, loss = _compiled.free_part(setting, params, setting.loss_fn)

    def of_example(example):
        x, y = example
        flat = lambda free: jnp.ravel(loss.predict(free, x))
        shape = jax.eval_shape(loss.predict, free, x).shape
        criterion = lambda z: loss.criterion(z.reshape(shape), y)
        return jax.jacrev(flat)(free), jax.hessian(criterion)(flat(free))

    with jax.default_matmul_precision("highest"):
        return trees.map_rows(of_example, chosen, _compiled.rows_at_once(setting, free))


@jax.jit
def _with_jacobian(rows, J):
    """Each right-hand side in front of the k rows of its J, (n (1 + k), ...)."""
    join = lambda row, J: jnp.concatenate([row[:, None], J], axis=1)
    joined = jax.tree.map(join, rows, J)
    return jax.tree.map(lambda leaf: leaf.reshape(-1, *leaf.shape[2:]), joined)


@jax.jit
def _one_step(rows, x, H_z, n):
    """(A - U^T C U)^-1 g / n with C = H_z / n, by Woodbury from A^-1 g and A^-1 U^T."""
    like, k = trees.take_rows(rows, 0), H_z.shape[-1]
    blocks = lambda rows: trees.ravel_rows(rows).reshape(-1, 1 + k, trees.size(like))

    def step(U, solved, C):
        u, V = solved[0], solved[1:]  # A^-1 g, (p,), and A^-1 U^T, (k, p)
        inner = jnp.eye(k, dtype=C.dtype) - C @ (U @ V.T)
        smallest = jnp.linalg.svd(inner, compute_uv=False)[-1]
        determined = smallest > 10 * default_tol(like)  # else 1 - leverage is a rounding error
        move = (u + jnp.linalg.solve(inner, C @ (U @ u)) @ V) / n
        return jnp.where(determined, move, jnp.nan)

    with jax.default_matmul_precision("highest"):
        return trees.unravel_rows(jax.vmap(step)(blocks(rows)[:, 1:], blocks(x), H_z / n), like)
