r"""The same computation over several devices or hosts: rows of data spread, everything else copied.

Compiled functions follow their arguments: where the rows of the data lie on many devices, each
device works on its own, and sums over examples become sums over devices. So ``influence(...,
mesh=mesh)`` places the training data and the params, and nothing else changes.
"""

from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from course_utils import trees

PyTree = Any


def automatic(mesh: Mesh | None) -> Mesh | None:
    """The same devices, with the compiler left to say where what is computed from them lies."""
    return None if mesh is None else _automatic(mesh)


def _automatic(mesh: Mesh) -> Mesh:
    return Mesh(mesh.devices, mesh.axis_names)


def place(mesh: Mesh, data: PyTree) -> tuple[PyTree, jax.Array]:
    r"""Spread the rows of ``data`` over the devices of a mesh, and give each row its weight.

    The n rows are padded to a multiple N of the number of devices by repeating the last. Real rows
    have the weight $N/n$ and repetitions 0, so that a weighted mean over the N rows,
    $\frac1N\sum w_i a_i$, is the mean over the n.

    Args:
        mesh: of devices, such as ``jax.make_mesh((8,), ("data",))``; with several axes, rows are
            spread over all of them.
        data: pytree whose leaves share a leading axis of n examples, the same in every process.

    Returns:
        ``(rows, weights)``, arrays with a leading axis of N; weights of JAX's default float type.

    Raises:
        ValueError: if there is no row, or leading axes differ.
    """
    n = trees.num_rows(data)
    if n == 0:
        raise ValueError("there are no rows to place")
    total = -(-n // mesh.size) * mesh.size
    rows = NamedSharding(_automatic(mesh), PartitionSpec(mesh.axis_names))
    number = np.arange(total)

    def spread(leaf):
        part = lambda index: leaf[np.minimum(number[index[0]], n - 1)]
        return jax.make_array_from_callback((total, *leaf.shape[1:]), rows, part)

    share = np.where(number < n, total / n, 0.0).astype(jax.dtypes.canonicalize_dtype(float))
    weights = jax.make_array_from_callback((total,), rows, lambda index: share[index])
    return _of_numbers(spread, data), weights


def replicate(mesh: Mesh | None, tree: PyTree) -> PyTree:
    """Copy arrays, the same in every process, to all devices of a mesh; for ``None`` as is."""
    if mesh is None:
        return tree
    everywhere = NamedSharding(_automatic(mesh), PartitionSpec())

    def copy(leaf):
        return jax.make_array_from_callback(leaf.shape, everywhere, lambda index: leaf[index])

    return _of_numbers(copy, tree)


def _of_numbers(place, tree):
    """``place`` of every leaf as a NumPy array; of PRNG keys, the numbers inside."""

    def one(leaf):
        if not jax.dtypes.issubdtype(jax.numpy.result_type(leaf), jax.dtypes.prng_key):
            return place(np.asarray(leaf))
        numbers = place(np.asarray(jax.random.key_data(leaf)))
        return jax.random.wrap_key_data(numbers, impl=jax.random.key_impl(leaf))

    return jax.tree.map(one, tree)


def gathered(mesh: Mesh | None, tree: PyTree) -> PyTree:
    """Inside a compiled function: the arrays, whole on every device (as they are for ``None``)."""
    if mesh is None:
        return tree
    return jax.lax.with_sharding_constraint(tree, NamedSharding(mesh, PartitionSpec()))
