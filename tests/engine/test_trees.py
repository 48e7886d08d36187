from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from course_utils import trees

PARAMS = {"w": jnp.arange(6.0).reshape(2, 3), "b": (jnp.array([7.0, -8.0]), jnp.array(9.0))}
FLAT = np.array([7.0, -8.0, 9.0, 0, 1, 2, 3, 4, 5])  # dict keys in order: b before w


class Point(NamedTuple):
    x: np.ndarray
    y: np.ndarray


def random_trees():
    """Nested dicts, lists and tuples of arrays with 0 to 2 axes."""
    leaf = st.builds(
        lambda shape, seed: np.random.default_rng(seed).normal(size=shape),
        st.sampled_from([(), (1,), (3,), (2, 2), (2, 0)]),
        st.integers(0, 99),
    )
    several = lambda child: st.one_of(
        st.lists(child, min_size=1, max_size=3),
        st.tuples(child, child),
        st.dictionaries(st.sampled_from("abc"), child, min_size=1),
    )
    return st.recursive(leaf, several, max_leaves=5)


@settings(deadline=None, max_examples=25)
@given(random_trees())
def test_unravel_undoes_ravel_on_any_tree(x):
    flat = trees.ravel(x)
    assert flat.shape == (trees.size(x),)
    back = trees.unravel(flat, x)
    assert jax.tree.structure(back) == jax.tree.structure(x)
    jax.tree.map(np.testing.assert_array_equal, back, x)


@settings(deadline=None, max_examples=25)
@given(random_trees(), st.floats(-3, 3))
def test_the_vector_operations_are_those_of_the_flat_vectors(x, a):
    y = trees.random_like(jax.random.key(1), x)
    flat, other = np.asarray(trees.ravel(x)), np.asarray(trees.ravel(y))
    close = lambda got, want: np.testing.assert_allclose(got, want, rtol=1e-12, atol=1e-14)
    close(trees.ravel(trees.add(x, y)), flat + other)
    close(trees.ravel(trees.subtract(x, y)), flat - other)
    close(trees.ravel(trees.multiply(x, y)), flat * other)
    close(trees.ravel(trees.scale(a, x)), a * flat)
    close(trees.ravel(trees.add_scaled(x, a, y)), flat + a * other)
    close(trees.vdot(x, y), flat @ other)
    close(trees.norm(x), np.linalg.norm(flat))
    close(trees.ravel(trees.zeros_like(x)), 0 * flat)
    close(trees.ravel(trees.where(a > 0, x, y)), flat if a > 0 else other)


def test_entries_are_ordered_by_sorted_key_and_then_row_by_row():
    np.testing.assert_array_equal(trees.ravel(PARAMS), FLAT)


def test_a_norm_survives_where_its_square_underflows_or_overflows():
    for tiny in (1e-30, 1e30):
        x = {"a": jnp.array([3 * tiny], jnp.float32), "b": jnp.array([4 * tiny], jnp.float32)}
        assert trees.vdot(x, x) in (0, jnp.inf)  # the premise: the square is lost
        np.testing.assert_allclose(trees.norm(x), 5 * tiny, rtol=1e-6)
    assert trees.norm({"a": jnp.zeros(3)}) == 0
    assert jnp.isnan(trees.norm({"a": jnp.array([1.0, jnp.nan])}))


def test_scaling_by_a_wider_number_keeps_the_dtype_of_each_leaf():
    x = {"half": jnp.ones(2, jnp.float32), "full": jnp.ones(2, jnp.float64)}
    for y in (trees.scale(jnp.float64(2), x), trees.add_scaled(x, jnp.float64(2), x)):
        assert y["half"].dtype == jnp.float32 and y["full"].dtype == jnp.float64


@pytest.mark.parametrize("batch_size", [None, 1, 4, 9, 20])
def test_dense_writes_down_the_matrix_of_a_map_on_trees(batch_size):
    rng = np.random.default_rng(0)
    matrix = rng.normal(size=(9, 9))
    matvec = lambda v: trees.unravel(matrix @ trees.ravel(v), PARAMS)
    got = trees.dense(matvec, PARAMS, batch_size=batch_size)
    np.testing.assert_allclose(got, matrix, rtol=1e-12)


def test_dense_writes_down_a_rectangular_map():
    x = jnp.arange(8.0).reshape(4, 2)
    got = trees.dense(lambda v: x @ v["w"], {"w": jnp.zeros(2)})
    np.testing.assert_array_equal(got, x)


def test_dense_refuses_integers_by_name():
    with pytest.raises(ValueError, match=r"like\['n'\] is int64\[3\], expected a floating-point"):
        trees.dense(lambda v: v, {"n": jnp.arange(3)})


@pytest.mark.parametrize("batch_size", [None, 1, 2, 3, 5, 7, 8])
def test_a_sum_over_blocks_is_the_sum_for_every_block_size(batch_size):
    data = (jnp.arange(7.0), {"x": jnp.arange(14).reshape(7, 2)})
    largest = []

    def f(block):
        largest.append(len(block[0]))
        return jnp.sum(block[0] ** 2), jnp.sum(block[1]["x"], axis=0)

    squares, columns = trees.sum_over_blocks(f, data, batch_size)
    assert squares == 91
    np.testing.assert_array_equal(columns, [42, 49])
    assert max(largest) <= (batch_size or 7)


def test_rows_that_disagree_are_refused_with_both_lengths():
    assert trees.num_rows(({"x": np.zeros((4, 2))}, np.zeros(4))) == 4
    with pytest.raises(ValueError, match=r"train\[0\] has 4 examples, but train\[1\] has 5"):
        trees.num_rows((np.zeros((4, 2)), np.zeros(5)), "train")
    with pytest.raises(ValueError, match="train has no arrays"):
        trees.num_rows((), "train")
    with pytest.raises(
        ValueError, match=r"train\[1\] is a scalar, expected .*; a single example x is x\[None\]$"
    ):
        trees.num_rows((np.zeros((4, 2)), 1.0), "train")
    for listed in ([[1.0, 2.0], [3.0, 4.0]], (np.zeros(2), [0, 1]), {"x": [[1.0], [2.0]]}):
        with pytest.raises(ValueError, match="a list is read as a tree: stack it into an array"):
            trees.num_rows(listed, "train")


def test_arrays_of_the_other_byte_order_are_turned_and_what_is_no_number_is_refused_by_name():
    swapped = np.dtype(float).newbyteorder(">" if np.dtype(float).isnative else "<")
    data = {"x": np.arange(3.0).astype(">f4"), "y": np.arange(3.0).astype(swapped), "z": True}
    got = trees.as_arrays("train", data)
    assert all(leaf.dtype.isnative for leaf in got.values()) and got["x"].dtype == np.float32
    np.testing.assert_array_equal(got["x"], np.arange(3))
    np.testing.assert_array_equal(got["y"], np.arange(3))
    for bad in (np.array(["a", "b"]), np.array([{}, 1], object), np.array(["2026"], "M8[s]")):
        with pytest.raises(ValueError, match=r"train\[1\] has dtype .*, expected numbers or truth"):
            trees.as_arrays("train", (np.zeros(2), bad))


def test_indices_are_numbers_one_of_them_or_a_mask():
    for indices in ([3, 0, 3], np.array([3, 0, 3], np.uint8), jnp.array([3, 0, 3])):
        assert trees.row_indices(indices, 4).tolist() == [3, 0, 3]
    assert trees.row_indices(2, 4).tolist() == [2] and trees.row_indices([], 4).size == 0
    assert trees.row_indices([True, False, False, True], 4).tolist() == [0, 3]
    for bad, got in (([0.5], "float64"), ([True, False], "bool"), (np.zeros((2, 2), int), "int64")):
        words = rf"whole numbers, \(k,\), or a mask, \(4,\): got {got} of shape"
        with pytest.raises(ValueError, match=words):
            trees.row_indices(bad, 4)
    for bad in ([4], [-1]):
        with pytest.raises(ValueError, match=r"indices must lie in 0 to 3, got"):
            trees.row_indices(bad, 4)


def test_rows_of_a_kin_are_cast_and_others_refused():
    train = jnp.zeros((5, 2), jnp.float32), jnp.zeros(5, jnp.int32)
    test = Point(jnp.ones((3, 2)), jnp.ones(3, jnp.int64))
    x, y = trees.cast_rows_like("test", test, "train", train)
    assert (x.dtype, y.dtype, x.shape) == (jnp.float32, jnp.int32, (3, 2))
    named = trees.cast_rows_like("test", (x, y), "train", Point(*train))
    assert isinstance(named, Point)
    with pytest.raises(ValueError, match=r"test\[1\] is float64\[\] per example, expected int32"):
        trees.cast_rows_like("test", (x, jnp.ones(3)), "train", train)
    with pytest.raises(ValueError, match=r"test\[1\] is bool\[\] per example, expected int32"):
        trees.cast_rows_like("test", (x, jnp.ones(3, bool)), "train", train)
    with pytest.raises(ValueError, match="test must match train: got PyTreeDef"):
        trees.cast_rows_like("test", {"x": x, "y": y}, "train", train)


def test_unravel_rows_undoes_ravel_rows():
    rows = jax.tree.map(lambda x: jnp.stack([x, 2 * x, -x]), PARAMS)
    matrix = trees.ravel_rows(rows)
    np.testing.assert_array_equal(matrix, [FLAT, 2 * FLAT, -FLAT])
    jax.tree.map(np.testing.assert_array_equal, trees.unravel_rows(matrix, PARAMS), rows)
    for got, factor in zip(trees.rows(rows), (1, 2, -1), strict=True):
        np.testing.assert_array_equal(trees.ravel(got), factor * FLAT)


@pytest.mark.parametrize("shards", [1, 2])
@pytest.mark.parametrize("batch_size", [None, 1, 2, 3, 4, 6])
def test_a_map_over_rows_keeps_their_order_for_every_block_size(batch_size, shards):
    data = {"x": jnp.arange(20.0).reshape(10, 2), "y": jnp.arange(10)}
    f = lambda row: (row["y"], jnp.sum(row["x"]))
    number, total = trees.map_rows(f, data, batch_size, shards)
    np.testing.assert_array_equal(number, np.arange(10))
    np.testing.assert_array_equal(total, 4 * np.arange(10) + 1)
    (one,) = trees.map_rows(lambda x: 2 * x, data["x"][:1], batch_size)
    np.testing.assert_array_equal(one, [0, 2])


def test_blocks_take_rows_of_every_shard_and_repeat_the_last():
    (blocks,) = trees.in_blocks((jnp.arange(10),), 3, shards=2)  # shards 0 … 4 and 5 … 9
    np.testing.assert_array_equal(blocks, [[0, 1, 2, 5, 6, 7], [3, 4, 4, 8, 9, 9]])


def test_partition_parts_by_path():
    assert trees.paths(PARAMS) == ("b/0", "b/1", "w")
    weights, others = trees.partition(PARAMS, (False, False, True))
    assert weights["b"] == (None, None) and others["w"] is None
    assert trees.size(weights) == 6 and trees.size(others) == 3


def test_a_prefix_gives_every_leaf_its_number():
    assert trees.broadcast_prefix(0.5, PARAMS) == {"w": 0.5, "b": (0.5, 0.5)}
    assert trees.broadcast_prefix({"w": 1.0, "b": 0.0}, PARAMS) == {"w": 1.0, "b": (0.0, 0.0)}
    with pytest.raises(ValueError, match="l2 must be a number or a tree prefix: got .* expected"):
        trees.broadcast_prefix({"v": 1.0}, PARAMS, "l2")
    with pytest.raises(ValueError, match=r"l2\['w'\] has shape \(2,\), expected one number"):
        trees.broadcast_prefix({"w": np.ones(2), "b": 0.0}, PARAMS, "l2")


def test_a_tree_that_does_not_match_is_refused_with_both():
    wrong_shape = {**PARAMS, "w": jnp.zeros((3, 2))}
    wrong_dtype = {**PARAMS, "w": jnp.zeros((2, 3), jnp.float32)}
    trees.check_like("v", PARAMS, "params", PARAMS)
    with pytest.raises(ValueError, match="v must match params: got PyTreeDef.*expected PyTreeDef"):
        trees.check_like("v", {"w": PARAMS["w"]}, "params", PARAMS)
    with pytest.raises(ValueError, match=r"v\['w'\] is float64\[3,2\], expected float64\[2,3\]"):
        trees.check_like("v", wrong_shape, "params", PARAMS)
    with pytest.raises(ValueError, match=r"v\['w'\] is float32\[2,3\], expected float64\[2,3\]"):
        trees.check_like("v", wrong_dtype, "params", PARAMS)
    x = np.zeros((5, 3))
    trees.check_like("test", x, "train", x[:2], skip_axes=1)
    with pytest.raises(
        ValueError, match=r"test is float64\[2\] per example, expected float64\[3\]"
    ):
        trees.check_like("test", x[:, :2], "train", x, skip_axes=1)


def test_a_leaf_that_is_not_finite_is_named():
    bad = {"w": jnp.array([1.0, jnp.nan]), "b": jnp.arange(3), "c": (jnp.array(jnp.inf),)}
    with pytest.raises(ValueError, match=r"NaN or infinity in params\['c'\]\[0\], params\['w'\]$"):
        trees.check_flags("params", trees.finite_flags(bad))
    trees.check_flags("params", trees.finite_flags(PARAMS))


def test_half_precision_is_promoted_and_nothing_else():
    x = {
        "a": jnp.ones(2, jnp.float16),
        "b": jnp.ones(2, jnp.bfloat16),
        "c": np.arange(2, dtype="i1"),
    }
    got = {name: str(leaf.dtype) for name, leaf in trees.promote({**x, "d": np.ones(1)}).items()}
    assert got == {"a": "float32", "b": "float32", "c": "int8", "d": "float64"}


def test_random_draws_are_independent_across_leaves():
    like = {"a": jnp.zeros(1000), "b": jnp.zeros(1000)}
    draw = trees.random_like(jax.random.key(0), like)
    assert abs(np.corrcoef(draw["a"], draw["b"])[0, 1]) < 0.15  # about 5 / sqrt(1000)
