"""Vector-space operations on pytrees: the only module that looks at leaves.

Parameters are pytrees, and mathematically they are vectors of p numbers. Here they are added,
scaled, measured, flattened and checked. Data are pytrees whose leaves share a leading axis of n
examples.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree
from jax.typing import ArrayLike

from course_utils._arguments import configured

PyTree = Any

# --------------------------------------------------------------------------------------
# A pytree as one vector
# --------------------------------------------------------------------------------------


def add(x: PyTree, y: PyTree) -> PyTree:
    """$x + y$."""
    return jax.tree.map(jnp.add, x, y)


def subtract(x: PyTree, y: PyTree) -> PyTree:
    """$x - y$."""
    return jax.tree.map(jnp.subtract, x, y)


def multiply(x: PyTree, y: PyTree) -> PyTree:
    """Entries of ``x`` (or one number per leaf) times those of ``y``, in the dtypes of ``y``."""
    return jax.tree.map(lambda x, y: (x * y).astype(jnp.result_type(y)), x, y)


def scale(a: jax.Array | float, x: PyTree) -> PyTree:
    """$a x$ for a scalar ``a``; every leaf keeps its dtype."""
    return jax.tree.map(lambda x: jnp.multiply(a, x).astype(jnp.result_type(x)), x)


def add_scaled(x: PyTree, a: jax.Array | float, y: PyTree) -> PyTree:
    """$x + a y$ for a scalar ``a``; every leaf keeps the dtype that it has in ``x``."""
    return jax.tree.map(lambda x, y: (x + a * y).astype(jnp.result_type(x)), x, y)


def zeros_like(x: PyTree) -> PyTree:
    """The zero of the space that ``x`` lives in."""
    return jax.tree.map(jnp.zeros_like, x)


def where(condition: jax.Array | bool, x: PyTree, y: PyTree) -> PyTree:
    """``x`` where the scalar ``condition`` holds, else ``y``."""
    return jax.tree.map(lambda x, y: jnp.where(condition, x, y), x, y)


def vdot(x: PyTree, y: PyTree) -> jax.Array:
    r"""$x^\top y = \sum_j x_j y_j$ over all leaves, at the highest matmul precision. Shape ()."""
    products = jax.tree.map(lambda x, y: jnp.vdot(x, y, precision="highest"), x, y)
    total: Any = sum(jax.tree.leaves(products))  # the number 0 where there is no leaf
    return total


def max_abs(x: PyTree) -> jax.Array:
    r"""$\max_j |x_j|$, NaN if any entry is. Shape ()."""
    leaves = [jnp.max(jnp.abs(leaf), initial=0) for leaf in jax.tree.leaves(x)]
    return jnp.max(jnp.stack(leaves))


def norm(x: PyTree) -> jax.Array:
    r"""$\lVert x\rVert_2$. Shape (). Divided by $\max_j|x_j|$ first: no square overflows."""
    largest = max_abs(x)
    safe = jnp.where(largest > 0, largest, 1)
    scaled = jax.tree.map(lambda x: x / safe, x)
    return largest * jnp.sqrt(vdot(scaled, scaled))


def size(x: PyTree) -> int:
    """The number p of entries of ``x``."""
    return sum(int(np.prod(jnp.shape(leaf))) for leaf in jax.tree.leaves(x))


def dtype(x: PyTree) -> np.dtype:
    """The dtype of $x^\top x$: the widest one among the leaves."""
    return jnp.result_type(*jax.tree.leaves(x))


def epsilon(x: PyTree) -> float:
    """The rounding unit of the narrowest dtype among the leaves."""
    return max(float(jnp.finfo(jnp.result_type(leaf)).eps) for leaf in jax.tree.leaves(x))


def random_like(key: jax.Array, x: PyTree, sampler: Callable = jax.random.normal) -> PyTree:
    """Independent draws ``sampler(key, shape, dtype)`` in the shape of ``x``."""
    leaves, structure = jax.tree.flatten(x)
    keys = jax.random.split(key, len(leaves))
    draws = [sampler(k, jnp.shape(leaf), jnp.result_type(leaf)) for k, leaf in zip(keys, leaves)]
    return jax.tree.unflatten(structure, draws)


def ravel(x: PyTree) -> jax.Array:
    """The p entries of ``x`` in one array, leaf after leaf, each in C order. Shape (p,)."""
    return ravel_pytree(x)[0]


def unravel(vector: jax.Array, like: PyTree) -> PyTree:
    """The inverse of ``ravel``: ``vector``, shape (p,), in the structure and dtypes of ``like``."""
    leaves, structure = jax.tree.flatten(like)
    ends = np.cumsum([np.prod(jnp.shape(leaf), dtype=int) for leaf in leaves])
    parts = jnp.split(vector, ends[:-1])
    shaped = [
        part.reshape(jnp.shape(leaf)).astype(jnp.result_type(leaf))
        for part, leaf in zip(parts, leaves)
    ]
    return jax.tree.unflatten(structure, shaped)


@configured
def dense(
    matvec: Callable[[PyTree], PyTree], like: PyTree, *, batch_size: int | None = None
) -> jax.Array:
    r"""Write a linear map as a matrix: column j is the image of the j-th unit vector.

    The oracle of every test, and the matrix of the exact solver. It costs p products.

    Args:
        matvec: a linear map of pytrees like ``like``, such as ``hvp_operator(f, params)``.
        like: a pytree of floating-point arrays, p entries in all; only shapes and dtypes count.
        batch_size: how many columns are computed at a time; ``None`` computes all p at once.

    Returns:
        Shape (q, p) where an image has q entries; entries are ordered as by ``ravel``. It can be
        transformed by ``jit``, ``vmap`` and ``grad``.

    Raises:
        ValueError: if a leaf of ``like`` is not floating-point.
    """
    image = _image_of_unit(matvec, like)
    return _map_numbers(lambda j: ravel(image(j)), size(like), batch_size).T


@configured
def diagonal(
    matvec: Callable[[PyTree], PyTree], like: PyTree, *, batch_size: int | None = None
) -> PyTree:
    """The diagonal of a square linear map, a pytree like ``like``: p products, and no matrix.

    Arguments and errors are those of ``dense``.
    """
    image = _image_of_unit(matvec, like)
    return unravel(_map_numbers(lambda j: ravel(image(j))[j], size(like), batch_size), like)


def _image_of_unit(matvec, like):
    """j -> the product with the j-th unit vector."""
    check_floating("like", like)
    unit = lambda j: (jnp.arange(size(like)) == j).astype(dtype(like))
    return lambda j: matvec(unravel(unit(j), like))


def _map_numbers(f, n, batch_size):
    """``f`` of 0 … n - 1, in blocks of one size; where they do not fit, n - 1 is repeated."""
    num_blocks = max(1, -(-n // (batch_size or n)))
    numbers = np.minimum(np.arange(num_blocks * -(-n // num_blocks)), n - 1)
    if num_blocks == 1:
        return jax.vmap(f)(numbers)
    of_blocks = jax.lax.map(jax.vmap(f), numbers.reshape(num_blocks, -1))
    return of_blocks.reshape(-1, *of_blocks.shape[2:])[:n]


# --------------------------------------------------------------------------------------
# Rows: pytrees whose leaves share a leading axis
# --------------------------------------------------------------------------------------


def num_rows(data: PyTree, name: str = "data") -> int:
    """The length n of the leading axis that all leaves share.

    Raises:
        ValueError: if there is no leaf, a leaf without an axis, or two lengths (both are named).
    """
    paths = jax.tree_util.tree_leaves_with_path(data)
    if not paths:
        raise ValueError(f"{name} has no arrays")
    first, n = "", -1
    for path, leaf in paths:
        here = name + jax.tree_util.keystr(path)
        if np.ndim(leaf) == 0:
            hint = "; a list is read as a tree: stack it into an array"
            hint = hint if _has_list(data) else _SINGLE
            raise ValueError(f"{here} is a scalar, expected a leading axis of examples{hint}")
        if n < 0:
            first, n = here, len(leaf)
        if len(leaf) != n:
            raise ValueError(f"{first} has {n} examples, but {here} has {len(leaf)}")
    return n


def _has_list(data):
    if isinstance(data, dict):
        data = list(data.values())
        return any(map(_has_list, data))
    return isinstance(data, list) or (isinstance(data, tuple) and any(map(_has_list, data)))


def as_arrays(name: str, x: PyTree) -> PyTree:
    """``x`` with every leaf an array that JAX can hold; numbers of the other byte order are turned.

    Raises:
        ValueError: naming the leaf and its dtype, where it holds neither numbers nor truth values.
    """

    def convert(path, leaf):
        if isinstance(leaf, jax.Array):
            return leaf
        leaf = np.asarray(leaf)
        if not jax.dtypes.issubdtype(leaf.dtype, np.number) and leaf.dtype != bool:
            here = name + jax.tree_util.keystr(path)
            raise ValueError(f"{here} has dtype {leaf.dtype}, expected numbers or truth values")
        return leaf if leaf.dtype.isnative else leaf.astype(leaf.dtype.newbyteorder("="))

    return jax.tree_util.tree_map_with_path(convert, x)


def row_indices(indices: Any, n: int) -> np.ndarray:
    """``indices`` as an integer array of shape (k,): numbers, one number, or a mask of n rows.

    Raises:
        ValueError: if they are neither, or one is not among the rows 0 … n − 1.
    """
    indices = np.atleast_1d(np.asarray(indices))
    if indices.dtype == bool and indices.shape == (n,):
        return np.flatnonzero(indices)
    whole = np.issubdtype(indices.dtype, np.integer) or indices.size == 0
    if indices.ndim != 1 or not whole:
        got = f"{indices.dtype} of shape {indices.shape}"
        raise ValueError(f"indices must be whole numbers, (k,), or a mask, ({n},): got {got}")
    if indices.size and not 0 <= indices.min() <= indices.max() < n:
        got = f"{indices.min()} to {indices.max()}"
        raise ValueError(f"indices must lie in 0 to {n - 1}, got {got}")
    return indices.astype(int)


def take_rows(data: PyTree, indices: jax.Array | np.ndarray | slice | int) -> PyTree:
    """``data[indices]`` along the leading axis."""
    return jax.tree.map(lambda leaf: leaf[indices], data)


def ravel_rows(rows: PyTree) -> jax.Array:
    """Every row as one vector: shape (n, p)."""
    return jax.vmap(ravel)(rows)


def unravel_rows(matrix: jax.Array, like: PyTree) -> PyTree:
    """The inverse of ``ravel_rows``: each row of ``matrix``, shape (n, p), as a tree."""
    return jax.vmap(lambda row: unravel(row, like))(matrix)


def rows(x: PyTree) -> list[PyTree]:
    """The rows of ``x``, one by one."""
    return [take_rows(x, i) for i in range(num_rows(x))]


def map_rows(
    f: Callable[[PyTree], PyTree],
    data: PyTree,
    batch_size: int | None = None,
    shards: int = 1,
) -> PyTree:
    """``f`` of every row, stacked; at most ``batch_size`` rows of a shard are worked on at a time.

    ``shards`` is the number of devices that the rows are spread over, equally: see ``sharding``.
    """
    n = num_rows(data)
    if n == 1:  # without an axis of length 1 inside, which slows products on a CPU
        return jax.tree.map(lambda leaf: leaf[None], f(take_rows(data, 0)))
    if batch_size is None or batch_size * shards >= n:
        return jax.vmap(f)(data)
    blocks = in_blocks(data, batch_size, shards)
    of_blocks = jax.lax.map(jax.vmap(f), blocks)
    return jax.tree.map(lambda leaf: _out_of_blocks(leaf, n, shards), of_blocks)


def in_blocks(data: PyTree, size: int, shards: int = 1) -> PyTree:
    """The rows in blocks of ``size`` of each shard: leaves (num_blocks, shards * size, ...).

    The last block is filled up with its last row, so that all have one shape.
    """

    def cut(leaf):
        leaf = leaf.reshape(shards, -1, *leaf.shape[1:])
        missing = -leaf.shape[1] % size
        leaf = jnp.concatenate([leaf, jnp.repeat(leaf[:, -1:], missing, axis=1)], axis=1)
        leaf = jnp.swapaxes(leaf.reshape(shards, -1, size, *leaf.shape[2:]), 0, 1)
        return leaf.reshape(leaf.shape[0], -1, *leaf.shape[3:])

    return jax.tree.map(cut, data)


def _out_of_blocks(leaf, n, shards):
    """The inverse of ``in_blocks``, without what filled up the last one."""
    leaf = jnp.swapaxes(leaf.reshape(leaf.shape[0], shards, -1, *leaf.shape[2:]), 0, 1)
    leaf = leaf.reshape(shards, -1, *leaf.shape[3:])[:, : n // shards]
    return leaf.reshape(n, *leaf.shape[2:])


def weighted_sum(values: jax.Array, weights: jax.Array | None) -> jax.Array:
    """The sum of ``weights * values``; of the values alone for ``None``. Shape ()."""
    return jnp.sum(values if weights is None else weights * values)


def sum_over_blocks(
    f: Callable[[PyTree], PyTree],
    data: PyTree,
    batch_size: int | None = None,
    shards: int = 1,
) -> PyTree:
    """``f(data)`` for an ``f`` that is a sum over examples, ``batch_size`` of a shard at a time.

    The full blocks run in one loop; the remaining examples are added as a smaller block of their
    own, so nothing is padded and the sum is exact for every n. ``shards`` is the number of devices
    that the rows are spread over, equally; a block takes ``batch_size`` rows from each.
    """
    n = num_rows(data)
    if batch_size is None or batch_size * shards >= n:
        return f(data)
    per = n // shards
    num_full = per // batch_size
    parts = jax.tree.map(lambda leaf: leaf.reshape(shards, per, *leaf.shape[1:]), data)

    def block(start, size):
        cut = lambda leaf: jax.lax.dynamic_slice_in_dim(leaf, start, size, axis=1)
        join = lambda leaf: cut(leaf).reshape(shards * size, *leaf.shape[2:])
        return jax.tree.map(join, parts)

    step = lambda k, total: add(total, f(block(k * batch_size, batch_size)))
    zero = zeros_like(jax.eval_shape(f, block(0, batch_size)))
    total = jax.lax.fori_loop(0, num_full, step, zero)
    rest = per - num_full * batch_size
    return add(total, f(block(num_full * batch_size, rest))) if rest else total


# --------------------------------------------------------------------------------------
# Parts of a pytree
# --------------------------------------------------------------------------------------


def paths(x: PyTree) -> tuple[str, ...]:
    """The path of every leaf in order, such as ``"dense/kernel"`` or ``"0/bias"``."""
    keys = [path for path, _ in jax.tree_util.tree_leaves_with_path(x)]
    return tuple(jax.tree_util.keystr(path, simple=True, separator="/") for path in keys)


def partition(x: PyTree, chosen: tuple[bool, ...]) -> tuple[PyTree, PyTree]:
    """Two trees like ``x``: one with the chosen leaves, one with the others; ``None`` elsewhere."""
    leaves, structure = jax.tree.flatten(x)
    inside = [leaf if c else None for leaf, c in zip(leaves, chosen, strict=True)]
    outside = [None if c else leaf for leaf, c in zip(leaves, chosen, strict=True)]
    return jax.tree.unflatten(structure, inside), jax.tree.unflatten(structure, outside)


def broadcast_prefix(prefix: PyTree, x: PyTree, name: str = "prefix") -> PyTree:
    """A pytree like ``x`` with one number per leaf, from a number or a tree prefix of ``x``.

    Raises:
        ValueError: if ``prefix`` is no prefix of ``x``, or one of its leaves is not a scalar.
    """
    spread = lambda a, part: jax.tree.map(lambda _: a, part)
    try:
        full = jax.tree.map(spread, prefix, x)
    except ValueError as error:
        got, expected = jax.tree.structure(prefix), jax.tree.structure(x)
        raise ValueError(
            f"{name} must be a number or a tree prefix: got {got}, expected a prefix of {expected}"
        ) from error
    for path, leaf in jax.tree_util.tree_leaves_with_path(prefix):
        if jnp.ndim(leaf) != 0:
            here = name + jax.tree_util.keystr(path)
            raise ValueError(f"{here} has shape {jnp.shape(leaf)}, expected one number")
    return full


# --------------------------------------------------------------------------------------
# Checks, and conversions on the way in and out
# --------------------------------------------------------------------------------------


def describe_leaf(leaf: ArrayLike | jax.ShapeDtypeStruct) -> str:
    """Dtype and shape in a few characters: ``float32[3,4]``."""
    return f"{jnp.result_type(leaf)}[{','.join(map(str, jnp.shape(leaf)))}]"


_SINGLE = "; a single example x is x[None]"


def _described(tree):
    """Structure and type in a few characters: ``PyTreeDef([*, *]), a list``."""
    structure = str(jax.tree.structure(tree))
    if len(structure) > 80:
        structure = structure[:75] + " ...)"
    return f"{structure}, {'an array' if hasattr(tree, 'shape') else f'a {type(tree).__name__}'}"


def check_floating(name: str, x: PyTree) -> None:
    """Raise ``ValueError``, naming the leaf, unless all leaves of ``x`` are real floating-point."""
    leaves = jax.tree_util.tree_leaves_with_path(x)
    if not leaves:
        raise ValueError(f"{name} has no arrays")
    for path, leaf in leaves:
        if not jnp.issubdtype(jnp.result_type(leaf), jnp.floating):
            here = name + jax.tree_util.keystr(path)
            raise ValueError(f"{here} is {describe_leaf(leaf)}, expected a floating-point dtype")


def check_like(name: str, x: PyTree, like_name: str, like: PyTree, *, skip_axes: int = 0) -> None:
    """Raise ``ValueError``, with both, unless structure, shapes and dtypes are those of ``like``.

    The first ``skip_axes`` axes of every leaf are left out of the comparison.
    """
    got: Any = jax.tree.structure(x)
    expected: Any = jax.tree.structure(like)
    if got != expected:
        raise ValueError(
            f"{name} must match {like_name}: got {_described(x)}, expected {_described(like)}: "
            f"arrange its arrays as those of {like_name}"
        )
    spec = lambda leaf: jax.ShapeDtypeStruct(jnp.shape(leaf)[skip_axes:], jnp.result_type(leaf))
    pairs = zip(jax.tree_util.tree_leaves_with_path(x), jax.tree.leaves(like))
    for (path, leaf), other in pairs:
        got, expected = describe_leaf(spec(leaf)), describe_leaf(spec(other))
        if got != expected:
            here = jax.tree_util.keystr(path)
            per = " per example" if skip_axes else ""
            hint = _SINGLE if skip_axes and describe_leaf(leaf) == expected else ""
            raise ValueError(
                f"{name} must match {like_name}: {name}{here} is {got}{per}, expected "
                f"{expected}{hint}"
            )


def nonnegative_floats(name: str, numbers: PyTree) -> PyTree:
    """``numbers`` as Python floats.

    Raises:
        ValueError: naming the leaf, unless every leaf is a finite number of at least 0.
    """
    for path, number in jax.tree_util.tree_leaves_with_path(numbers):
        words = isinstance(number, str | bytes)
        if words or not 0 <= number < np.inf:
            here = name + jax.tree_util.keystr(path)
            raise ValueError(f"{here} must be finite and at least 0, got {number!r}")
    return jax.tree.map(float, numbers)


def finite_flags(x: PyTree) -> PyTree:
    """For every leaf, whether all its entries are finite (integers are). Shape () each.

    0 times a finite number is 0, times any other it is NaN; XLA adds four times as fast on a CPU
    as it reduces by "and".
    """
    return jax.tree.map(lambda leaf: jnp.sum(jnp.multiply(0, leaf)) == 0, x)


def check_flags(name: str, flags: PyTree) -> None:
    """Raise ``ValueError`` naming the leaves where ``flags``, from ``finite_flags``, is false."""
    leaves = jax.tree_util.tree_leaves_with_path(jax.device_get(flags))
    bad = [name + jax.tree_util.keystr(path) for path, finite in leaves if not finite]
    if bad:
        raise ValueError(f"NaN or infinity in {', '.join(bad)}")


def promote(x: PyTree) -> PyTree:
    """Arrays on the device; float16 and bfloat16 become float32, every other dtype stays."""

    def convert(leaf):
        dtype = jnp.result_type(leaf)
        half = jnp.issubdtype(dtype, jnp.floating) and dtype.itemsize < 4
        return jnp.asarray(leaf, jnp.float32 if half else dtype)

    return jax.tree.map(convert, x)


def cast_rows_like(name: str, x: PyTree, like_name: str, like: PyTree) -> PyTree:
    """Rows ``x`` in the structure and dtypes of the rows ``like``, or a refusal that names both.

    Integers of one width pass for those of another, floats likewise, and a named tuple for a tuple.
    """
    structure: Any = jax.tree.structure(like)
    plain: Callable[[PyTree], Any] = lambda tree: jax.tree.structure(_without_names(tree))
    if plain(x) == plain(like):
        x = jax.tree.unflatten(structure, jax.tree.leaves(x))
    kind = lambda leaf: (
        jax.dtypes.issubdtype(leaf.dtype, np.integer)
        + 2 * jax.dtypes.issubdtype(leaf.dtype, np.floating)
    )

    def cast(a, b):
        return a.astype(b.dtype) if a.dtype != b.dtype and kind(a) == kind(b) > 0 else a

    if structure == jax.tree.structure(x):
        x = jax.tree.map(cast, x, like)
    check_like(name, x, like_name, like, skip_axes=1)
    return x


def _without_names(tree):
    """The tree with plain tuples in place of named ones."""
    if isinstance(tree, tuple):
        return tuple(map(_without_names, tree))
    if isinstance(tree, list):
        return list(map(_without_names, tree))
    return {k: _without_names(v) for k, v in tree.items()} if isinstance(tree, dict) else tree
