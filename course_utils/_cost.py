"""What a loss costs to differentiate: read off its traced computation, before it is run."""

from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any, NamedTuple

import jax
import numpy as np
from jax.extend import core

PyTree = Any

_NUMBERS_AT_ONCE = 2**26  # intermediate numbers in memory at a time


class Cost(NamedTuple):
    """Of the loss of one example."""

    largest: int  # the most numbers in one intermediate result
    convolves: bool  # on a CPU, XLA runs convolutions slowly inside its own loops

    def rows_at_once(self, num_examples: int) -> int:
        """How many vectors to multiply with a curvature matrix at a time, for the memory's sake.

        A product of this many examples keeps a few results for each vector and example.
        """
        return max(1, _NUMBERS_AT_ONCE // (3 * self.largest * max(1, num_examples)))


def of_loss(loss_fn: Callable[[PyTree, PyTree], jax.Array], params: PyTree, data: PyTree) -> Cost:
    """The cost of ``loss_fn(params, example)`` for one example of ``data``; traced once."""
    shape = lambda skip: lambda leaf: jax.ShapeDtypeStruct(leaf.shape[skip:], leaf.dtype)
    leaves, structure = jax.tree.flatten(
        (jax.tree.map(shape(0), params), jax.tree.map(shape(1), data))
    )
    return _of_loss(loss_fn, structure, tuple(leaves))


@lru_cache(maxsize=256)
def _of_loss(loss_fn, structure, leaves):
    traced = list(_equations(jax.make_jaxpr(loss_fn)(*jax.tree.unflatten(structure, leaves))))
    sizes = [int(np.prod(out.aval.shape)) for step in traced for out in step.outvars]
    names = {step.primitive.name for step in traced}
    return Cost(max(sizes, default=1), "conv_general_dilated" in names)


def _equations(part: Any) -> Iterator:
    """Every step of a traced computation, also inside the functions that it calls."""
    if isinstance(part, core.ClosedJaxpr):
        part = part.jaxpr
    if isinstance(part, core.Jaxpr):
        for equation in part.eqns:
            yield equation
            yield from _equations(list(equation.params.values()))
    elif isinstance(part, list | tuple):
        for child in part:
            yield from _equations(child)
