"""What a loss costs to differentiate: read off its traced computation, before it is run."""

from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any, NamedTuple

import jax
import numpy as np
from jax.extend import core

PyTree = Any

_IN_MEMORY = 2**26  # numbers of intermediate results at a time
_IN_CACHE = 2**20  # numbers of one result: what a core of a CPU has at hand
_FEW = 8  # vectors


class Cost(NamedTuple):
    """Of the loss of one example."""

    inputs: int  # numbers in an example
    largest: int  # the most numbers in one intermediate result
    convolves: bool  # on a CPU, XLA runs convolutions slowly inside its own loops

    def examples_at_once(self, num_rows: int, n: int) -> int:
        """How many of n examples enter a product with ``num_rows`` vectors at a time.

        On a CPU, many vectors take half the time where what a block makes of them stays in the
        cache. With few, what must be computed anew for each block costs more than that saves, and
        so do convolutions, inside of loops. Elsewhere all examples enter at once.
        """
        if jax.default_backend() != "cpu" or self.convolves or num_rows < _FEW:
            return n
        return min(n, max(32, _IN_CACHE // max(self.inputs, num_rows * self.largest)))

    @property
    def gradients_kept_from(self) -> int:
        """For how many vectors a gradient costs less than a forward-mode derivative along each.

        Measured on a CPU; a convolution of a tangent costs there as much as a whole gradient.
        """
        return 16 if self.convolves else 128

    def rows_at_once(self, num_examples: int) -> int:
        """How many vectors to multiply with a curvature matrix at a time, for the memory's sake.

        A product of this many examples keeps a few results for each vector and example.
        """
        return max(1, _IN_MEMORY // (3 * self.largest * max(1, num_examples)))


def of_loss(loss_fn: Callable[[PyTree, PyTree], jax.Array], params: PyTree, data: PyTree) -> Cost:
    """The cost of ``loss_fn(params, example)`` for one example of ``data``; traced once."""
    shape = lambda skip: lambda leaf: jax.ShapeDtypeStruct(leaf.shape[skip:], leaf.dtype)
    leaves, structure = jax.tree.flatten(
        (jax.tree.map(shape(0), params), jax.tree.map(shape(1), data))
    )
    return _of_loss(loss_fn, structure, tuple(leaves))


@lru_cache(maxsize=256)
def _of_loss(loss_fn, structure, leaves):
    params, example = jax.tree.unflatten(structure, leaves)
    traced = parts(jax.make_jaxpr(loss_fn)(params, example))
    steps = [step for part in traced if isinstance(part, core.Jaxpr) for step in part.eqns]
    number = lambda leaf: int(np.prod(leaf.shape))
    largest = max([number(out.aval) for step in steps for out in step.outvars], default=1)
    names = {step.primitive.name for step in steps}
    inputs = sum(map(number, jax.tree.leaves(example)))
    return Cost(inputs, largest, "conv_general_dilated" in names)


def parts(traced: Any) -> Iterator[core.Jaxpr | core.ClosedJaxpr]:
    """A traced computation, and those of all functions that it calls."""
    if isinstance(traced, core.ClosedJaxpr):
        yield traced
        yield from parts(traced.jaxpr)
    elif isinstance(traced, core.Jaxpr):
        yield traced
        yield from parts([list(step.params.values()) for step in traced.eqns])
    elif isinstance(traced, list | tuple):
        for child in traced:
            yield from parts(child)
