"""What is compiled of a problem, once for each setting and shape: products, solves, checks."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh

from course_utils import _block_cg, sharding, trees
from course_utils import curvature as curvatures
from course_utils._certificates import stretch
from course_utils.solvers import CG, System

PyTree = Any
Loss = Callable[[PyTree, PyTree], jax.Array]

_NORMS_SAMPLED = 128  # examples whose gradient norms are averaged for the check of the optimum
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


finite_flags = jax.jit(trees.finite_flags)
take_rows = jax.jit(trees.take_rows)
stack_blocks = jax.jit(trees.stack_blocks, static_argnums=1)
where_rows = jax.jit(trees.where_rows)


def free_part(setting, params, loss_fn):
    """The leaves that count, and the loss as a function of them."""
    free, fixed = trees.partition(params, setting.counts)
    if isinstance(loss_fn, curvatures.Composition):
        predict = lambda free, x: loss_fn.predict(trees.merge(free, fixed), x)
        return free, curvatures.compose(predict, loss_fn.criterion)
    return free, lambda free, example: loss_fn(trees.merge(free, fixed), example)


def system_of(setting, point):
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
    """How many per-example gradients to hold at a time: 16 MB in float32, more where it pays."""
    numbers = 2**22 if jax.default_backend() == "cpu" else 2**26
    return setting.batch_size or max(1, numbers // trees.size(free))


@partial(jax.jit, static_argnums=0)
def survey(setting, point):
    """Which leaves of params, train and ∇R are finite; the norm of ∇R and the mean one of ∇ℓ_i."""
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
    finite = [trees.finite_flags(x) for x in (point.params, point.train, gradient)]
    return sharding.gathered(setting.mesh, (finite, trees.norm(gradient), typical))


@partial(jax.jit, static_argnums=(0, 1))
def gradients(setting, measure, params, data, shift):
    """∇m(z) + shift for each row z of the data; and which leaves of z and of that are finite."""
    free, loss = free_part(setting, params, measure)
    slope = jax.grad(curvatures.as_scalar(loss))
    with jax.default_matmul_precision("highest"):
        rows = trees.map_rows(lambda z: slope(free, z), data, rows_at_once(setting, free))
    rows = sharding.gathered(setting.mesh, rows)
    return trees.add(rows, shift), (trees.finite_flags(data), trees.finite_flags(rows))


@partial(jax.jit, static_argnums=(0, 1))
def prepare(solver, setting, point):
    return sharding.gathered(setting.mesh, solver.prepare(*system_of(setting, point)))


@partial(jax.jit, static_argnums=(0, 1))
def solve(solver, setting, point, arguments, rows):
    """x with H_d x = row for every row, their SolveInfo, and the norms of the rows."""
    system, _ = system_of(setting, point)
    x, info = solver.solve(arguments, system, rows)
    return sharding.gathered(setting.mesh, (x, info, jax.vmap(trees.norm)(rows)))


@jax.jit
def begin(arguments, rows):
    return _block_cg.begin(rows, *CG().limits(arguments, rows))


@partial(jax.jit, static_argnums=0)
def step(setting, point, goal, search):
    system, like = system_of(setting, point)
    with jax.default_matmul_precision("highest"):
        return _block_cg.step(system.matvec, like, goal, search)


@jax.jit
def finish(goal, search, rows):
    x, info = _block_cg.finish(goal, search, trees.take_rows(rows, 0))
    return x, info, jax.vmap(trees.norm)(rows)


@partial(jax.jit, static_argnums=0)
def largest_example_curvature(setting, point):
    """Of H_d for one example alone: the largest among 4096 of them, by power iteration.

    The curvature of a mini-batch is a mean of these and cannot be larger.
    """
    n = trees.num_rows(point.train)
    spread = np.unique(np.linspace(0, n - 1, min(n, _EXAMPLES_TRIED)).astype(int))
    rows = lambda i: trees.take_rows(point.train, i[None])

    def of_example(i):
        (matvec, _), like = system_of(setting, point._replace(train=rows(i), weights=None))
        return stretch(matvec, trees.random_like(jax.random.key(0), like), 20)

    free, _ = free_part(setting, point.params, setting.loss_fn)
    at_once = min(rows_at_once(setting, free), len(spread))
    with jax.default_matmul_precision("highest"):
        largest = jnp.max(trees.map_rows(of_example, jnp.asarray(spread), at_once))
    return sharding.gathered(setting.mesh, largest)


@partial(jax.jit, static_argnums=0)
def missing_curvature(setting, point):
    """The lowest curvature of H_d that Lanczos finds, and how much H_d lacks to be definite.

    The second is at least a rounding error.
    """
    (matvec, _), like = system_of(setting, point)
    steps = min(trees.size(like), 64)
    ritz = curvatures.lanczos(matvec, like, steps, key=jax.random.key(0))
    below = jnp.min(ritz.eigenvalues - ritz.residual_norms)
    rounding = 10 * trees.epsilon(like) * jnp.max(jnp.abs(ritz.eigenvalues))
    found = ritz.eigenvalues[0], jnp.maximum(-below, rounding)
    return sharding.gathered(setting.mesh, found)


def rest(point, group):
    """What is left without a group: the point whose H_d is H_d - H_U."""
    return point._replace(weights=1 - group.members, l2=trees.scale(1 - group.shares, point.l2))


@partial(jax.jit, static_argnums=0)
def group_gradients(setting, point, groups, shift):
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
def group_products(setting, point, groups, rows):
    """H_U x_U for each group, as rows."""

    def of_group(row):
        group, x = row
        l2 = trees.scale(group.shares, point.l2)
        own = point._replace(weights=group.members, l2=l2, damping=0.0)
        return system_of(setting, own)[0].matvec(x)

    return jax.lax.map(of_group, (jax.tree.map(jnp.asarray, groups), rows))


@partial(jax.jit, static_argnums=(0, 1))
def solve_rest(solver, setting, point, arguments, groups, rows):
    """Solutions with H_d - H_U for one group, their SolveInfo, and the norms of the rows."""
    system, like = system_of(setting, rest(point, trees.take_rows(groups, 0)))
    found = solver.prepare(system, like) if solver.needs_preparation() else None
    found = found if arguments is None else (*arguments[:2], found)  # of CG
    return *solver.solve(found, system, rows), jax.vmap(trees.norm)(rows)
