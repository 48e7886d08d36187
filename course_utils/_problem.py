r"""A fitted model as a linear problem: options checked, products made, systems solved in blocks.

The machinery behind ``influence_functions``, whose head explains every symbol. Bad input is refused
and failures are warned of on the host; everything else runs in functions that are compiled once for
each setting and shape.
"""

import os
import sys
import warnings
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh

from course_utils import curvature as curvatures
from course_utils import sharding, trees
from course_utils._certificates import (
    DIVERGED,
    INDEFINITE,
    STATUS,
    check_nonnegative,
    round_up,
    stretch,
)
from course_utils.solvers import Arnoldi, LiSSA, SolveInfo, Solver, System

PyTree = Any
Loss = Callable[[PyTree, PyTree], jax.Array]

_NUMBERS_AT_ONCE = 2**25  # per-example gradients in memory at a time, where no batch_size is given
_NORMS_SAMPLED = 1024  # examples whose gradient norms are averaged for the check of the optimum
_EXAMPLES_TRIED = 4096  # examples whose curvatures are looked at where LiSSA has diverged


@dataclass(frozen=True)
class Setting:
    """What a compiled function is compiled for, besides a solver."""

    loss_fn: Loss
    curvature: str
    batch_size: int | None
    counts: tuple[bool, ...]  # which leaves of the params
    mesh: Mesh | None = None  # of devices that the training data are spread over
    stamp: str = ""  # of the losses as they are now, where scores are kept on disk

    @property
    def shards(self) -> int:
        return 1 if self.mesh is None else self.mesh.size


class Point(NamedTuple):
    """The numbers that a compiled function is called with."""

    params: PyTree  # all leaves, also those that do not count
    train: PyTree
    l2: PyTree  # one number per leaf that counts
    damping: float
    weights: jax.Array | None = None  # of the examples in H; all 1 if None


class Problem(NamedTuple):
    """Everything that a solve needs, checked."""

    setting: Setting
    point: Point
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
    mesh, weights = sharding.automatic(mesh), None
    if mesh is not None:
        (train, weights), params = sharding.place(mesh, train), sharding.replicate(mesh, params)
    params, train = trees.promote(params), trees.promote(train)
    check_finite("params", params)
    check_finite("train", train)
    l2 = trees.broadcast_prefix(l2, params, "l2")
    l2 = trees.nonnegative_floats("l2", l2)
    counts = _counting(params, select)
    setting = Setting(loss_fn, curvature, batch_size, counts, mesh)
    free, _ = trees.partition(params, counts)
    l2, _ = trees.partition(l2, counts)
    point = Point(params, train, l2, float(damping), weights)
    shift = trees.multiply(l2, free) if removal == "refit-mean" else trees.zeros_like(free)
    if survey:
        flags, slope, typical = jax.device_get(_survey(setting, point))
        trees.check_flags("the gradient of loss_fn in params", flags)
        if slope > 1e-3 * typical:
            _warn(
                f"params are not at an optimum: the gradient of R has norm {slope:.3g}, above 1e-3 "
                f"of {typical:.3g}, the mean norm for one example"
            )
    return Problem(setting, point, solver, shift, n)


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
    trees.check_flags(name, _finite_flags(tree))


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
    """∇m(z) (+ shift) for each row z of the data, refused where it is not finite."""
    rows = gradients(problem.setting, measure, problem.point.params, data)
    trees.check_flags(f"the gradient of {name} in params", _finite_flags(rows))
    return rows if shift is None else trees.add(rows, shift)


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
    return _prepare(solver.static(), problem.setting, problem.point)


def solve_in_blocks(problem, rows_of, keep, n, advance, per=1, found=None):
    """Solve for n rows of ``per`` right-hand sides, and keep ``keep(indices, rows, x)`` of a block.

    ``rows_of(indices)`` are right-hand sides, those of one row together. All blocks have one shape,
    compiled once; where the last would be shorter it repeats the last row, and the repetitions are
    dropped. ``advance(block, number of rows)`` is called with each finished block. ``found`` is
    what ``prepared`` returned, if it was called before.
    """
    setting, point, solver = problem.setting, problem.point, problem.solver
    arguments = solver.arguments(prepared(problem) if found is None else found)
    num_blocks = max(1, -(-n * per // solver.solved_at_once()))
    size = max(1, -(-n // num_blocks))
    results = []
    for start in range(0, max(n, 1), size):
        block = np.minimum(np.arange(start, start + size), n - 1)
        rows = rows_of(block) if n else trees.zero_rows(problem.shift, per)
        x, info, norms = _solve(solver.static(), setting, point, arguments, rows)
        results.append(Solved(keep(block, rows, x), *_worst(info, norms, per)))
        advance(results[-1], min(size, n - start))
    solved = trees.stack_blocks(results, n)
    return solved._replace(info=jax.device_get(solved.info), norms=jax.device_get(solved.norms))


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
        _, missing = _missing_curvature(problem.setting, problem.point)
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
    return indefinite | broken


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
    lowest, missing = map(float, _missing_curvature(setting, point))
    sufficient = 1.1 * float(_largest_example_curvature(setting, point))
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
    gradients = lambda block: _group_gradients(setting, point, of_block(block), problem.shift)
    silent = lambda block, rows: None
    first = silent if order == 2 else advance
    solved = solve_in_blocks(problem, gradients, whole, number, first, found=found)
    failed = failures(problem, solved, "groups")
    if order == 1:
        return solved.kept, failed
    moves = trees.where_rows(failed, trees.zeros_like(solved.kept), solved.kept)
    bent = lambda block: _group_products(
        setting, point, of_block(block), trees.take_rows(moves, block)
    )
    solved = solve_in_blocks(problem, bent, whole, number, advance, found=found)
    return trees.add(moves, solved.kept), failed | failures(problem, solved, "groups")


def newton_moves(problem, groups, advance):
    """(H_d - H_U)⁻¹ g_U as rows, group by group, and which failed."""
    setting, point, solver = problem.setting, problem.point, problem.solver
    arguments = None if solver.needs_preparation() else solver.arguments(None)
    results = []
    for i in range(len(groups.members)):
        one = trees.take_rows(groups, slice(i, i + 1))
        rows = _group_gradients(setting, point, one, problem.shift)
        results.append(Solved(*_solve_rest(solver.static(), setting, point, arguments, one, rows)))
        advance(results[-1], 1)
    solved = jax.device_get(trees.stack_blocks(results, len(results)))
    worst = trees.take_rows(groups, int(solved.info.min_curvature.argmin()))
    problem = problem._replace(point=_rest(point, worst))  # whose curvature a warning speaks of
    return solved.kept, failures(problem, solved, "groups")


def _rest(point, group):
    """What is left without a group: the point whose H_d is H_d - H_U."""
    return point._replace(weights=1 - group.members, l2=trees.scale(1 - group.shares, point.l2))


# --------------------------------------------------------------------------------------
# Compiled once for each setting and shape
# --------------------------------------------------------------------------------------

_finite_flags = jax.jit(trees.finite_flags)


def free_part(setting, params, loss_fn):
    """The leaves that count, and the loss as a function of them."""
    free, fixed = trees.partition(params, setting.counts)
    if isinstance(loss_fn, curvatures.Composition):
        predict = lambda free, x: loss_fn.predict(trees.merge(free, fixed), x)
        return free, curvatures.compose(predict, loss_fn.criterion)
    return free, lambda free, example: loss_fn(trees.merge(free, fixed), example)


def _system(setting, point):
    """Products with H_d, of all examples or of mini-batches, and something like their argument."""
    free, loss = free_part(setting, point.params, setting.loss_fn)
    shared = dict(l2=point.l2, weights=point.weights, curvature=setting.curvature)
    damped = lambda product, v: trees.add_scaled(product, point.damping, v)
    blocks = dict(batch_size=setting.batch_size, shards=setting.shards)
    H = curvatures.hessian_mvp(loss, free, point.train, **shared, **blocks)

    def sampled(batch_size):
        H_b = curvatures.hessian_sampler(loss, free, point.train, batch_size=batch_size, **shared)
        return lambda v, key: damped(H_b(v, key), v)

    return System(lambda v: damped(H(v), v), sampled), free


def rows_at_once(setting, free):
    """How many per-example gradients to hold at a time."""
    return setting.batch_size or max(1, _NUMBERS_AT_ONCE // trees.size(free))


@partial(jax.jit, static_argnums=0)
def _survey(setting, point):
    """Of ∇R: which leaves are finite, and the norm; and the mean norm of ∇ℓ_i."""
    free, loss = free_part(setting, point.params, setting.loss_fn)
    slope = jax.grad(curvatures.as_scalar(loss))
    n = trees.num_rows(point.train)
    with jax.default_matmul_precision("highest"):
        losses = jax.vmap(curvatures.as_scalar(loss), in_axes=(None, 0))
        total = jax.grad(lambda free, block: trees.weighted_sum(losses(free, block[0]), block[1]))
        whole = point.train, point.weights
        summed = trees.sum_over_blocks(
            partial(total, free), whole, setting.batch_size, setting.shards
        )
        gradient = trees.add(trees.scale(1 / n, summed), trees.multiply(point.l2, free))
        spread = np.unique(np.linspace(0, n - 1, min(n, _NORMS_SAMPLED)).astype(int))
        sample, weights = trees.take_rows(whole, spread)
        at_once = min(rows_at_once(setting, free), len(spread))
        norms = trees.map_rows(lambda z: trees.norm(slope(free, z)), sample, at_once)
        typical = jnp.average(norms, weights=weights)
    found = trees.finite_flags(gradient), trees.norm(gradient), typical
    return sharding.gathered(setting.mesh, found)


@partial(jax.jit, static_argnums=(0, 1))
def gradients(setting, measure, params, data):
    """∇m(z) for each row z of the data, a pytree of rows."""
    free, loss = free_part(setting, params, measure)
    slope = jax.grad(curvatures.as_scalar(loss))
    with jax.default_matmul_precision("highest"):
        rows = trees.map_rows(lambda z: slope(free, z), data, rows_at_once(setting, free))
    return sharding.gathered(setting.mesh, rows)


@partial(jax.jit, static_argnums=(0, 1))
def _prepare(solver, setting, point):
    return sharding.gathered(setting.mesh, solver.prepare(*_system(setting, point)))


@partial(jax.jit, static_argnums=(0, 1))
def _solve(solver, setting, point, arguments, rows):
    """x with H_d x = row for every row, their SolveInfo, and the norms of the rows."""
    system, _ = _system(setting, point)
    x, info = solver.solve(arguments, system, rows)
    return sharding.gathered(setting.mesh, (x, info, jax.vmap(trees.norm)(rows)))


@partial(jax.jit, static_argnums=0)
def _largest_example_curvature(setting, point):
    """Of H_d for one example alone: the largest among 4096 of them, by power iteration.

    The curvature of a mini-batch is a mean of these and cannot be larger.
    """
    n = trees.num_rows(point.train)
    spread = np.unique(np.linspace(0, n - 1, min(n, _EXAMPLES_TRIED)).astype(int))
    rows = lambda i: trees.take_rows(point.train, i[None])

    def of_example(i):
        (matvec, _), like = _system(setting, point._replace(train=rows(i), weights=None))
        return stretch(matvec, trees.random_like(jax.random.key(0), like), 20)

    free, _ = free_part(setting, point.params, setting.loss_fn)
    at_once = min(rows_at_once(setting, free), len(spread))
    with jax.default_matmul_precision("highest"):
        largest = jnp.max(trees.map_rows(of_example, jnp.asarray(spread), at_once))
    return sharding.gathered(setting.mesh, largest)


@partial(jax.jit, static_argnums=0)
def _missing_curvature(setting, point):
    """The lowest curvature of H_d that Lanczos finds, and how much H_d lacks to be definite.

    The second is at least a rounding error.
    """
    (matvec, _), like = _system(setting, point)
    steps = min(trees.size(like), 64)
    ritz = curvatures.lanczos(matvec, like, steps, key=jax.random.key(0))
    below = jnp.min(ritz.eigenvalues - ritz.residual_norms)
    rounding = 10 * trees.epsilon(like) * jnp.max(jnp.abs(ritz.eigenvalues))
    found = ritz.eigenvalues[0], jnp.maximum(-below, rounding)
    return sharding.gathered(setting.mesh, found)


@partial(jax.jit, static_argnums=0)
def _group_gradients(setting, point, groups, shift):
    """g_U = (1/n) Σ_U (∇ℓ_i + shift) for each group, as rows."""
    free, loss = free_part(setting, point.params, setting.loss_fn)
    losses, n = jax.vmap(loss, in_axes=(None, 0)), trees.num_rows(point.train)
    total = jax.grad(lambda free, block: losses(free, block[0]) @ block[1])

    def of_group(member):
        whole = point.train, member
        summed = trees.sum_over_blocks(partial(total, free), whole, setting.batch_size)
        return trees.scale(1 / n, trees.add_scaled(summed, jnp.sum(member), shift))

    with jax.default_matmul_precision("highest"):
        return jax.lax.map(of_group, jnp.asarray(groups.members))


@partial(jax.jit, static_argnums=0)
def _group_products(setting, point, groups, rows):
    """H_U x_U for each group, as rows."""

    def of_group(row):
        group, x = row
        l2 = trees.scale(group.shares, point.l2)
        own = point._replace(weights=group.members, l2=l2, damping=0.0)
        return _system(setting, own)[0].matvec(x)

    return jax.lax.map(of_group, (jax.tree.map(jnp.asarray, groups), rows))


@partial(jax.jit, static_argnums=(0, 1))
def _solve_rest(solver, setting, point, arguments, groups, rows):
    """Solutions with H_d - H_U for one group, their SolveInfo, and the norms of the rows."""
    system, like = _system(setting, _rest(point, trees.take_rows(groups, 0)))
    found = solver.prepare(system, like) if arguments is None else arguments
    return *solver.solve(found, system, rows), jax.vmap(trees.norm)(rows)
