r"""A fitted model as a linear problem: options checked, products made, systems solved in blocks.

The machinery behind ``influence_functions``, whose head explains every symbol. Bad input is refused
and failures are warned of on the host; everything else runs in functions that are compiled once for
each setting and shape.
"""

import os
import sys
import warnings
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh

from course_utils import _compiled, _cost, sharding, trees
from course_utils import curvature as curvatures
from course_utils._certificates import (
    DIVERGED,
    INDEFINITE,
    MAXITER,
    STATUS,
    check_nonnegative,
    round_up,
)
from course_utils.solvers import CG, Arnoldi, Exact, LiSSA, SolveInfo, Solver

PyTree = Any

_COLUMNS_AT_ONCE = 64  # of a matrix that is written out


class Problem(NamedTuple):
    """Everything that a solve needs, checked."""

    setting: _compiled.Setting
    point: _compiled.Point
    solver: Solver
    shift: PyTree  # what refit-mean adds to each gradient: l2 * params, or zero
    n: int


def pose(
    loss_fn,
    params,
    train,
    solver,
    l2,
    damping,
    removal,
    curvature,
    select,
    batch_size,
    mesh=None,
    survey=True,
):
    """Check everything that can be checked before a solve, and warn of params off the optimum."""
    check_name("removal", removal, ("fixed-weight", "refit-mean"))
    curvatures.check_curvature(loss_fn, curvature)
    curvatures.check_batch_size(batch_size)
    if not isinstance(solver, Solver):
        words = "CG(...), LiSSA(...), Arnoldi(...) or Exact()"
        raise TypeError(f"solver must be {words}, got {solver!r}")
    check_nonnegative("damping", damping)
    trees.check_floating("params", params)
    n = trees.num_rows(train, "train")
    if n < 1 + (removal == "refit-mean"):
        least = "two training examples" if removal == "refit-mean" else "a training example"
        raise ValueError(f"removal={removal!r} needs at least {least}, got {n}")
    if not isinstance(mesh, Mesh | None):
        raise TypeError(f"mesh must be a jax.sharding.Mesh or None, got {mesh!r}")
    mesh, weights = sharding.automatic(mesh), None
    if mesh is not None:
        (train, weights), params = sharding.place(mesh, train), sharding.replicate(mesh, params)
    params, train = trees.promote(params), trees.promote(train)
    l2 = trees.broadcast_prefix(l2, params, "l2")
    l2 = trees.nonnegative_floats("l2", l2)
    counts = _counting(params, select)
    setting = _compiled.Setting(loss_fn, curvature, batch_size, counts, mesh)
    free, _ = trees.partition(params, counts)
    l2, _ = trees.partition(l2, counts)
    point = _compiled.Point(params, train, l2, float(damping), weights)
    shift = trees.multiply(l2, free) if removal == "refit-mean" else _nothing(free)
    if not survey:
        check_finite("params", params)
        check_finite("train", train)
    else:
        finite, slope, typical = jax.device_get(_compiled.survey(setting, point))
        for name, flags in zip(("params", "train", "the gradient of loss_fn in params"), finite):
            trees.check_flags(name, flags)
        if slope > 1e-3 * typical:
            _warn(
                f"params are not at an optimum: the gradient of R has norm {slope:.3g}, above 1e-3 "
                f"of {typical:.3g}, the mean norm for one example"
            )
    return Problem(setting, point, solver, shift, n)


def _nothing(like):
    return jax.tree.map(lambda leaf: np.zeros(leaf.shape, leaf.dtype), like)


def check_name(argument, value, allowed):
    """Raise ``TypeError``, naming the argument, unless ``value`` is one of the allowed words."""
    if value not in allowed:
        names = ", ".join(map(repr, allowed[:-1])) + f" or {allowed[-1]!r}"
        raise TypeError(f"{argument} must be {names}, got {value!r}")


def check_composed(loss_fn):
    """Raise ``TypeError`` unless the loss was made by ``compose``."""
    if not isinstance(loss_fn, curvatures.Composition):
        raise TypeError("corrected=True needs a loss_fn made by compose(predict, criterion)")


def check_finite(name, tree):
    """Raise ``ValueError`` naming the leaves of ``tree`` that hold NaN or infinity."""
    trees.check_flags(name, _compiled.finite_flags(tree))


def _counting(params, select):
    paths = trees.paths(params)
    if select is None:
        return (True,) * len(paths)
    counts = tuple(bool(select(path)) for path in paths)
    if not any(counts):
        raise ValueError(f"select must choose at least one of {', '.join(paths)}")
    return counts


def _warn(message):
    """Warn on the line that called the package."""
    level, frame = 1, sys._getframe()
    here = os.path.dirname(__file__)
    while frame.f_back is not None and os.path.dirname(frame.f_code.co_filename) == here:
        level, frame = level + 1, frame.f_back
    warnings.warn(message, RuntimeWarning, stacklevel=level)


# --------------------------------------------------------------------------------------
# Solves, in blocks of right-hand sides
# --------------------------------------------------------------------------------------


def checked_gradients(problem, measure, data, name, shift=None):
    """∇m(z) + shift for each row z of the data, refused where that or z is not finite."""
    shift = _nothing(problem.shift) if shift is None else shift
    rows, finite = _compiled.gradients(problem.setting, measure, problem.point.params, data, shift)
    for part, flags in zip(("test", f"the gradient of {name} in params"), finite):
        trees.check_flags(part, flags)
    return rows


class Solved(NamedTuple):
    """What solves have left, row by row."""

    kept: PyTree  # what ``keep`` made of each solution
    info: SolveInfo  # of each row; of the worst solve where a row took several
    norms: np.ndarray  # of the right-hand sides that ``info`` speaks of


def prepared(problem):
    """What the solver can find before a right-hand side is known, if anything."""
    solver = problem.solver
    if not solver.needs_preparation():
        return None
    setting = _in_blocks(problem, _COLUMNS_AT_ONCE)
    return _compiled.prepare(solver.static(), setting, problem.point)


def solve_in_blocks(problem, rows_of, keep, n, advance, per=1, found=None):
    """Solve for n rows of ``per`` right-hand sides, and keep ``keep(indices, rows, x)`` of a block.

    ``rows_of(indices)`` are right-hand sides, those of one row together. All blocks have one shape,
    compiled once; where the last would be shorter it repeats the last row, and the repetitions are
    dropped. ``advance(block, number of rows)`` is called with each finished block. ``found`` is
    what ``prepared`` returned, if it was called before.
    """
    arguments = problem.solver.arguments(prepared(problem) if found is None else found)
    at_once = max(1, _solved_at_once(problem) // per)
    size = max(1, -(-n // -(-n // at_once))) if n else 1
    results = []
    for start in range(0, max(n, 1), size):
        block = np.minimum(np.arange(start, start + size), n - 1)
        rows = rows_of(block) if n else trees.zero_rows(problem.shift, per)
        x, info, norms = _solved(problem, arguments, rows)
        results.append(Solved(keep(block, rows, x), *_worst(info, norms, per)))
        advance(results[-1], min(size, n - start))
    solved = results[0] if size == n else _compiled.stack_blocks(results, n)
    return solved._replace(info=jax.device_get(solved.info), norms=jax.device_get(solved.norms))


def some_rows(rows, block):
    """The rows numbered ``block``."""
    whole = len(block) == trees.num_rows(rows) and np.array_equal(block, np.arange(len(block)))
    return rows if whole else _compiled.take_rows(rows, block)


def keeps(problem, gradients, n_test):
    """Whether the gradients of training examples are formed, for inner products with n_test s."""
    return gradients == "kept" or (
        gradients == "auto" and n_test >= _cost_of(problem).gradients_kept_from
    )


def _cost_of(problem):
    return _cost.of_loss(problem.setting.loss_fn, problem.point.params, problem.point.train)


def _in_blocks(problem, num_rows):
    """The setting, with examples in blocks of a good size for products with so many vectors."""
    setting, n = problem.setting, -(-problem.n // problem.setting.shards)
    if setting.batch_size is not None:
        return setting
    size = _cost_of(problem).examples_at_once(num_rows, n)
    return setting if size == n else replace(setting, batch_size=size)


def _solved_at_once(problem):
    """How many right-hand sides to solve for together."""
    solver = problem.solver
    wanted = solver.solved_at_once(trees.size(problem.shift))
    if isinstance(solver, Exact):  # its solves take no products
        return wanted
    n = -(-problem.n // problem.setting.shards)
    examples = _in_blocks(problem, wanted).batch_size or n
    return min(wanted, _cost_of(problem).rows_at_once(examples))


def _solved(problem, arguments, rows):
    """x with H_d x = row for every row, their SolveInfo, and the norms of the rows."""
    point, solver, num_rows = problem.point, problem.solver.static(), trees.num_rows(rows)
    setting = problem.setting if isinstance(solver, Exact) else _in_blocks(problem, num_rows)
    together = isinstance(solver, CG) and solver.block and num_rows <= trees.size(problem.shift)
    by_hand = together and jax.default_backend() == "cpu" and _cost_of(problem).convolves
    solve = _solve_step_by_step if by_hand else partial(_compiled.solve, solver)
    x, info, norms = solve(setting, point, arguments, rows)
    if not (by_hand or (together and num_rows > 1)):  # each has been solved for itself
        return x, info, norms
    left = ~np.asarray(info.converged | (info.status == MAXITER))
    if left.any():
        alone = _compiled.solve(replace(solver, block=False), setting, point, arguments, rows)
        x, info = _compiled.where_rows(left, alone[:2], (x, info))
    return x, info, norms


def _solve_step_by_step(setting, point, arguments, rows):
    """The same by block conjugate gradients, with Python's loop in place of XLA's."""
    goal, search = _compiled.begin(arguments, rows)
    while search.looking or search.ending < 0:
        search = _compiled.step(setting, point, goal, search)
    return _compiled.finish(goal, search, rows)


def _worst(info, norms, per):
    """Of each ``per`` consecutive solves the one with the worst status, then residual."""
    if per == 1:
        return info, norms
    relative = info.residual_norm / jnp.where(norms > 0, norms, 1)
    rank = info.status + relative / (1 + relative)
    worst = jnp.argmax(rank.reshape(-1, per), axis=1) + per * jnp.arange(len(rank) // per)
    return trees.take_rows((info, norms), worst)


@contextmanager
def bar(n, noun, progress):
    """A function to call with a finished block and its number of rows; it moves a bar if wanted."""
    if not progress:
        yield lambda block, rows: None
        return
    from tqdm.auto import tqdm

    with tqdm(total=n, desc=f"{noun} solved") as shown:
        yield lambda block, rows: (jax.block_until_ready(block), shown.update(rows))


def failed(info):
    """Which rows hold no solution, shape (n,)."""
    return np.asarray(info.status) >= INDEFINITE


def failures(problem, solved, noun, names=None):
    """Warn of solves that failed or fell short; which rows failed, shape (n,).

    Warnings call row k by ``names[k]``, or k.
    """
    info, norms = solved.info, solved.norms
    names = np.arange(len(norms)) if names is None else names
    indefinite = info.status == INDEFINITE
    broken = info.status > INDEFINITE
    short = ~(info.converged | indefinite | broken)
    if indefinite.any():
        lowest = float(info.min_curvature[indefinite].min())
        _, missing = _compiled.missing_curvature(problem.setting, problem.point)
        cure = round_up(float(missing))
        _warn(
            f"{_some(noun, names[indefinite])}: the matrix is not positive definite (curvature "
            f"{lowest:.3g} met), and their rows are NaN; raising damping by {cure} cures it"
        )
    if broken.any():
        words = " and ".join(sorted(set(np.asarray(STATUS)[info.status[broken]])))
        cure = _cure_of_divergence(problem, info) if (info.status == DIVERGED).any() else ""
        _warn(f"{_some(noun, names[broken])}: the solve is {words}, and their rows are NaN{cure}")
    if short.any():
        words = " and ".join(sorted(set(np.asarray(STATUS)[info.status[short]])))
        worst = (info.residual_norm[short] / norms[short]).max()
        steps = info.num_steps[short].max()
        cure = ""
        if isinstance(problem.solver, LiSSA):
            cure = "; raise recursion_depth against bias, and num_samples, batch_size or scale"
            cure += " against noise"
        if isinstance(problem.solver, Arnoldi):
            cure = "; raise rank, or damping to the size of the eigenvalues that are left out"
        _warn(
            f"{_some(noun, names[short])}: not converged ({words}) after {steps} steps, with a "
            f"relative residual of up to {worst:.2g}; their rows are kept{cure}"
        )
    return failed(info)


def warn_of_undetermined_refits(moves, failed, names):
    """Warn of rows of NaN whose solves did not fail: refits that nothing determines."""
    lost = ~np.isfinite(trees.ravel_rows(moves)).all(axis=1) & ~failed
    if lost.any():
        _warn(
            f"{_some('training points', names[lost])}: without them the fit is not determined "
            "(leverage 1), and their rows are NaN"
        )


def _cure_of_divergence(problem, info):
    setting, point = problem.setting, problem.point
    lowest, missing = map(float, _compiled.missing_curvature(setting, point))
    sufficient = 1.1 * float(_compiled.largest_example_curvature(setting, point))
    cures = []
    if lowest < 0:
        cures.append(
            f"the matrix is not positive definite (curvature {lowest:.3g}): raise damping by "
            f"{round_up(missing)}"
        )
    if info.scale[0] < sufficient:
        cures.append(
            f"raise scale above {sufficient:.3g}, 1.1 times the largest curvature of one training "
            f"example (it is {info.scale[0]:.3g})"
        )
    return "; " + ", and ".join(cures or ["raise scale or batch_size"])


def _some(noun, names):
    """``test points 0, 3, 4 and 12 more``."""
    shown = ", ".join(map(str, names[:5]))
    return f"{noun} {shown}" + (f" and {len(names) - 5} more" if len(names) > 5 else "")


# --------------------------------------------------------------------------------------
# Groups of training points
# --------------------------------------------------------------------------------------


class Groups(NamedTuple):
    """Groups of training points, as rows."""

    members: np.ndarray  # 1 for a member, 0 for the others, (n_groups, n)
    shares: np.ndarray  # of the l2 term that leaves with the group, (n_groups,)


def members_of(groups, problem, removal):
    """``groups`` as ``Groups``, refused where an index is out of range or twice in one of them."""
    members = np.zeros((len(groups), problem.n), trees.dtype(problem.shift))
    for row, group in zip(members, groups, strict=True):
        indices = trees.row_indices(group, problem.n)
        row[indices] = 1
        if row.sum() < len(indices):
            raise ValueError("an index stands twice in one group")
        if removal == "refit-mean" and len(indices) == problem.n:
            raise ValueError("a group of all training points leaves nothing to fit (refit-mean)")
    return Groups(members, members.mean(axis=1) * (removal == "refit-mean"))


def moves_of_groups(problem, groups, order, advance):
    """H_d⁻¹ g_U, and for order 2 with H_d⁻¹ H_U H_d⁻¹ g_U added, as rows; and which failed."""
    setting, point, number = problem.setting, problem.point, len(groups.members)
    of_block = lambda block: trees.take_rows(groups, block)
    whole = lambda block, rows, x: x
    found = prepared(problem)
    gradients = lambda block: _compiled.group_gradients(
        setting, point, of_block(block), problem.shift
    )
    silent = lambda block, rows: None
    first = silent if order == 2 else advance
    first = solve_in_blocks(problem, gradients, whole, number, first, found=found)
    if order == 1:
        return first.kept, failures(problem, first, "groups")
    moves = trees.where_rows(failed(first.info), trees.zeros_like(first.kept), first.kept)
    bent = lambda block: _compiled.group_products(
        setting, point, of_block(block), trees.take_rows(moves, block)
    )
    second = solve_in_blocks(problem, bent, whole, number, advance, found=found)
    pick = lambda one, two: np.where(first.info.converged, two, one)
    info, norms = jax.tree.map(pick, (first.info, first.norms), (second.info, second.norms))
    both = Solved(trees.add(moves, second.kept), info, norms)
    return both.kept, failures(problem, both, "groups")


def newton_moves(problem, groups, advance):
    """(H_d - H_U)⁻¹ g_U as rows, group by group, and which failed."""
    setting, point, solver = problem.setting, problem.point, problem.solver
    arguments = solver.arguments(None) if isinstance(solver, CG) else None
    results = []
    for i in range(len(groups.members)):
        one = trees.take_rows(groups, slice(i, i + 1))
        rows = _compiled.group_gradients(setting, point, one, problem.shift)
        solved = _compiled.solve_rest(solver.static(), setting, point, arguments, one, rows)
        results.append(Solved(*solved))
        advance(results[-1], 1)
    solved = jax.device_get(trees.stack_blocks(results, len(results)))
    worst = trees.take_rows(groups, int(solved.info.min_curvature.argmin()))
    # whose curvature a warning speaks of
    problem = problem._replace(point=_compiled.rest(point, worst))
    return solved.kept, failures(problem, solved, "groups")
