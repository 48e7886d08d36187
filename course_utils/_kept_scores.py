"""Scores that are kept on disk: what they are called, and how they are made block by block."""

import jax
import numpy as np

from course_utils import _cache, _problem, trees
from course_utils.solvers import SolveInfo

_CACHED_AT_ONCE = 128  # test points in one block of a cache


def stamp(problem, measure, test):
    """The name of what the losses compute now: what was compiled of them before may be stale."""
    setting, point = problem.setting, problem.point
    one = lambda data: jax.tree.map(lambda a: jax.ShapeDtypeStruct(a.shape[1:], a.dtype), data)
    example, params = one(point.train), point.params
    functions = [(_derivatives(setting.loss_fn), (params, example))]
    functions += [(_derivatives(measure), (params, one(test)))]
    if setting.curvature == "ggn":  # the same loss can be cut into two parts in several ways
        predict, criterion = setting.loss_fn.predict, setting.loss_fn.criterion
        z = jax.eval_shape(predict, params, example[0])
        functions += [(_derivatives(lambda p, x: predict(p, x).sum()), (params, example[0]))]
        functions += [(_derivatives(criterion), (z, example[1]))]
    return _cache.fingerprint((), functions, ())


def key(problem, test, kept, convention, stamp):
    """The name of these scores, from everything that they depend on; and what to say of them."""
    setting = problem.setting
    settings = (problem.solver, setting.curvature, setting.batch_size, setting.counts, kept, stamp)
    arrays = problem.point, test, problem.shift
    name = _cache.fingerprint(arrays, [], (convention, *settings))
    about = {"convention": convention, "n_test": trees.num_rows(test), "n_train": problem.n}
    return name, about | {"solver": repr(problem.solver)}


def _derivatives(f):
    """All that is ever taken of f in its first argument: with the rules that f brings for each."""

    def traced(params, example):
        of_params = lambda params: f(params, example)
        forward = lambda g: jax.jvp(g, (params,), (params,))
        return forward(of_params), forward(jax.grad(of_params))

    return traced


def in_blocks(cache, scored, problem, n_test, advance):
    """Scores, certificates and times of all test points, block by block, read where they are.

    One block of scores is in memory at a time; together they lie in one file.
    """
    number = -(-n_test // _CACHED_AT_ONCE)
    size = -(-n_test // number)
    scalar = trees.dtype(problem.shift)
    kinds = dict(converged=bool, num_steps=np.int32, status=np.int32)
    like = {name: ((size,), np.dtype(kinds.get(name, scalar))) for name in SolveInfo._fields}
    like |= {"scores": ((size, problem.n), scalar), "norms": ((size,), scalar)}
    seconds = np.full(n_test, np.nan)

    def block(start):
        end = min(start + size, n_test)

        def make():
            indices = np.minimum(np.arange(start, start + size), n_test - 1)
            scores, solved, elapsed = scored(indices, lambda block, done: None)
            seconds[start:end] = elapsed / (end - start)
            named = solved.info._asdict() | {"scores": scores, "norms": solved.norms}
            return {name: np.asarray(value) for name, value in named.items()}

        return cache.block(start // size, make, like)

    kept, starts = [], range(0, n_test, size)
    for start in starts:
        kept.append(block(start))
        del kept[-1]["scores"]
        advance(kept[-1]["norms"], min(size, n_test - start))
    rows = lambda: (block(start)["scores"] for start in starts)
    scores = cache.matrix("scores", (n_test, problem.n), scalar, rows)
    whole = {name: np.concatenate([block[name] for block in kept])[:n_test] for name in kept[0]}
    info = SolveInfo(*(whole[name] for name in SolveInfo._fields))
    return scores, _problem.Solved(None, info, whole["norms"]), seconds
