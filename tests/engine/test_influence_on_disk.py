"""Scores in blocks on disk: killed, damaged, read again, and never taken for those of another."""

import json
import subprocess
import sys
import tracemalloc
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from logistic import (
    COMPOSED,
    L2,
    PARAMS,
    PULLS,
    SADDLE,
    X,
    Y,
    assert_agree,
    criterion,
    fitted,
    loss_fn,
    only_warning,
    predict,
    saddle,
    sample,
)

from course_utils import (
    CG,
    Exact,
    FittedModel,
    LiSSA,
    compose,
    influence,
    influence_functions,
    influence_on_disk,
)
from course_utils import scores_on_disk as on_disk

MANY = sample(300, 3, 9)  # three blocks of 100 test points


def kept(folder, test=MANY, **options):
    """The scores of the fit to 40 points, from the folder or into it."""
    return influence_on_disk(folder, fitted(), test, **options)


def blocks_of(folder):
    return sorted(folder.glob("*/*.npz"))


def contents(folder):
    return {path.name: path.read_bytes() for path in sorted(folder.glob("*/*"))}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A folder with finished scores, its bytes, and the scores: not to be written to."""
    folder = tmp_path_factory.mktemp("whole")
    result = kept(folder)
    return folder, contents(folder), result


def test_scores_on_disk_are_the_scores_and_are_read_the_second_time(whole, monkeypatch):
    folder, before, first = whole
    plain = influence(fitted(), MANY)
    assert_agree(first.scores, plain.scores, 1e-12)
    assert first.s_test is None and np.isfinite(first.seconds).all()
    assert first.convention == plain.convention and first.measure == "loss"
    assert [path.name for path in blocks_of(folder)] == [f"00000{b}.npz" for b in range(3)]
    monkeypatch.setattr(influence_functions, "solve_all", None)  # nothing can be solved,
    monkeypatch.setattr(on_disk, "write_whole", None)  # and nothing written
    second = kept(folder)
    assert isinstance(second.scores, np.memmap) and not second.scores.flags.writeable
    np.testing.assert_array_equal(first.scores, second.scores)
    jax.tree.map(np.testing.assert_array_equal, first.info, second.info)
    assert np.isnan(second.seconds).all() and contents(folder) == before
    for k in (1, 40):
        np.testing.assert_array_equal(second.helpful(k), plain.helpful(k))
        np.testing.assert_array_equal(second.harmful(k), plain.harmful(k))


def test_a_killed_run_resumes_and_ends_with_the_same_bytes(tmp_path, whole, monkeypatch):
    """T11, with an interrupt between blocks."""
    solve, calls = influence_functions.solve_all, []

    def stops(*args, **options):
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return solve(*args, **options)

    monkeypatch.setattr(influence_functions, "solve_all", stops)
    with pytest.raises(KeyboardInterrupt):
        kept(tmp_path)
    assert len(blocks_of(tmp_path)) == 1
    result = kept(tmp_path)
    assert len(calls) == 4  # one block, the interrupt, and the two that were missing
    np.testing.assert_array_equal(result.scores, whole[2].scores)
    assert contents(tmp_path) == whole[1]
    assert not list(tmp_path.glob("*/.*"))


KILLED = """
import os, sys, jax
from pathlib import Path
jax.config.update("jax_enable_x64", True)
sys.path.insert(0, {tests!r})
import test_influence_on_disk as t
if sys.argv[2] == "kill":
    write = t.on_disk.write_whole
    def dies(path, content):
        if path.name == "000001.npz":  # in the middle of a block
            path.with_name("." + path.name + ".draft").write_bytes(b"half")
            os._exit(9)
        write(path, content)
    t.on_disk.write_whole = dies
t.kept(Path(sys.argv[1]))
"""


def test_a_process_that_dies_while_it_writes_leaves_whole_blocks_and_another_goes_on(tmp_path):
    """In processes of their own: the name of the folder does not depend on the process."""
    code = KILLED.format(tests=str(Path(__file__).parent))
    run = lambda *words: subprocess.run([sys.executable, "-c", code, *words], capture_output=True)
    assert run(tmp_path / "one", "kill").returncode == 9
    assert len(blocks_of(tmp_path / "one")) == 1
    for name in ("one", "two"):
        finished = run(tmp_path / name, "finish")
        assert finished.returncode == 0, finished.stderr.decode()
    seen = contents(tmp_path / "one")
    seen.pop(".000001.npz.draft")  # what the dead process had begun stays, and harms nothing
    assert seen == contents(tmp_path / "two")
    before = np.load(next(tmp_path.glob("two/*/scores.npy")))
    np.testing.assert_array_equal(kept(tmp_path / "two").scores, before)
    assert len(list((tmp_path / "two").iterdir())) == 1


def flip_a_bit_in_the_middle(path):  # of a score
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def test_a_damaged_file_is_made_anew(tmp_path, whole):
    kept(tmp_path)
    damages = [
        lambda path: path.write_bytes(path.read_bytes()[:-100]),
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(b"no zip file and no array"),
        flip_a_bit_in_the_middle,
        lambda path: np.savez(path.open("wb"), scores=np.ones((3, 4))),
        lambda path: np.savez(path.open("wb"), scores=np.array([{}], dtype=object)),
        Path.unlink,
    ]
    (matrix,) = tmp_path.glob("*/scores.npy")
    for path in (blocks_of(tmp_path)[1], matrix):
        for damage in damages:
            damage(path)
            assert contents(tmp_path) != whole[1]
            np.testing.assert_array_equal(kept(tmp_path).scores, whole[2].scores)
            assert contents(tmp_path) == whole[1]


def test_every_byte_of_a_block_may_be_damaged(tmp_path):
    folder = on_disk._Blocks(tmp_path / "name", {})
    arrays, like = {"a": np.arange(4.0)}, {"a": ((4,), np.dtype(float))}
    folder.block(0, lambda: arrays, like)
    path = tmp_path / "name" / "000000.npz"
    content = path.read_bytes()
    for position in range(len(content)):
        broken = bytearray(content)
        broken[position] ^= 0xFF
        path.write_bytes(broken)
        np.testing.assert_array_equal(folder.block(0, lambda: arrays, like)[0]["a"], arrays["a"])
    path.write_bytes(content)
    assert np.isnan(folder.block(0, lambda: 1 / 0, like)[1])  # and it is read


# --------------------------------------------------------------------------------------
# The name of a folder
# --------------------------------------------------------------------------------------


@pytest.fixture
def named(tmp_path, monkeypatch):
    """How many folders there are with that of these arguments; no score is computed."""

    class Named(Exception):
        pass

    def stop(*arguments):
        raise Named

    monkeypatch.setattr(on_disk._Blocks, "block", stop)

    def name(loss=loss_fn, params=PARAMS, train=(X, Y), test=MANY, **options):
        asked = {k: options.pop(k) for k in ("solver", "test_loss_fn") if k in options}
        fit = FittedModel.at(loss, params, train, **{"l2": L2, **options})
        with pytest.raises(Named):
            influence_on_disk(tmp_path, fit, test, **asked)
        return len(list(tmp_path.iterdir()))

    return name


def loss_with(constant):
    inner = jax.jit(lambda params, x: jnp.sum(constant * x) * jnp.sum(params["w"]))
    return lambda params, example: loss_fn(params, example) + inner(params, example[0])


def with_rule(slope):
    """A squared error whose second derivative is a rule of its own."""

    @jax.custom_jvp
    def residual(r):
        return r

    residual.defjvp(lambda at, along: (at[0], slope * along[0]))

    @jax.custom_jvp
    def square(r):
        return 0.5 * r**2

    square.defjvp(lambda at, along: (0.5 * at[0] ** 2, residual(at[0]) * along[0]))
    return lambda params, z: square(predict(params, z[0]) - z[1])


def random_factor(key):
    return lambda p, z: loss_fn(p, z) * jax.random.uniform(key)


HALF = jnp.ones(3, jnp.bfloat16)
ARGUMENTS = [
    {},
    dict(params={**PARAMS, "b": PARAMS["b"] + 1e-9}),
    dict(params=jax.tree.map(lambda leaf: leaf.astype(jnp.float32), PARAMS)),
    dict(train=(X + 1e-9 * (X > 0), Y)),
    dict(train=(X[::-1], Y[::-1])),
    dict(test=(MANY[0][:200], MANY[1][:200])),
    dict(l2=L2 + 1e-9),
    dict(l2={"b": 0.0, "w": L2}),
    dict(damping=0.1),
    dict(removal="refit-mean"),
    dict(solver=Exact()),
    dict(solver=CG(tol=1e-6)),
    dict(solver=LiSSA(recursion_depth=10)),
    dict(solver=LiSSA(recursion_depth=10, seed=1)),
    dict(batch_size=7),
    dict(select=lambda path: path == "w"),
    dict(test_loss_fn=lambda p, z: predict(p, z[0])),
    dict(test_loss_fn=lambda p, z: 2 * predict(p, z[0])),
    dict(loss=lambda p, z: loss_fn(p, z) * 1.0000001),
    dict(loss=COMPOSED, curvature="ggn"),
    dict(loss=compose(predict, lambda z, y: criterion(z, y) + 1e-6 * z**2), curvature="ggn"),
    dict(loss=compose(lambda p, x: predict(p, x) / 2, lambda z, y: criterion(2 * z, y))),
    dict(
        loss=compose(lambda p, x: predict(p, x) / 2, lambda z, y: criterion(2 * z, y)),
        curvature="ggn",
    ),
    dict(loss=loss_with(np.ones(3))),
    dict(loss=loss_with(np.array([1.0, 1.0, 1.0 + 1e-12]))),
    dict(loss=loss_with(jnp.arange(3.0))),
    dict(loss=with_rule(1.0)),
    dict(loss=with_rule(3.0)),
    dict(loss=random_factor(jax.random.key(0))),
    dict(loss=random_factor(jax.random.key(1))),
    dict(loss=lambda p, z: loss_fn(p, z) * HALF.sum().astype(float)),
]


def test_every_argument_changes_the_name_and_the_same_ones_find_it_again(named):
    for number, options in enumerate(ARGUMENTS, 1):
        assert named(**options) == number, options
    for options in ARGUMENTS:
        assert named(**options) == len(ARGUMENTS)
    flag = jax.config.jax_threefry_partitionable
    jax.config.update("jax_threefry_partitionable", not flag)  # put back by a fixture of all tests
    assert named(solver=LiSSA(recursion_depth=10)) == len(ARGUMENTS) + 1


def test_the_name_does_not_depend_on_names(named):
    def renamed(theta, point):
        x, y = point
        return criterion(predict(theta, x), y)

    assert named() == named(loss=renamed) == 1


FACTOR = {"value": 1.0}


def test_a_changed_global_in_the_measure_finds_another_folder(tmp_path):
    measure = lambda params, z: FACTOR["value"] * predict(params, z[0])
    try:
        first = np.array(kept(tmp_path, test_loss_fn=measure).scores)
        FACTOR["value"] = 3.0
        second = kept(tmp_path, test_loss_fn=measure)
    finally:
        FACTOR["value"] = 1.0
    assert second.measure is None
    assert_agree(second.scores, 3 * first, 1e-9)
    assert len(list(tmp_path.iterdir())) == 2


# --------------------------------------------------------------------------------------
# What else is promised
# --------------------------------------------------------------------------------------


def test_writers_of_one_folder_do_not_disturb_each_other(tmp_path, whole):
    with ThreadPoolExecutor(3) as pool:
        results = list(pool.map(lambda _: kept(tmp_path).scores, range(6)))
    for result in results:
        np.testing.assert_array_equal(result, whole[2].scores)
    assert contents(tmp_path) == whole[1] and not list(tmp_path.glob("*/.*"))


def test_failures_are_told_again_when_scores_are_read(tmp_path, monkeypatch):
    """And what the second block proves of the matrix is said of all rows."""
    monkeypatch.setattr(on_disk, "_BLOCK", 2)
    fit = FittedModel(saddle, SADDLE, PULLS)
    call = lambda: influence_on_disk(tmp_path, fit, PULLS[:3], solver=CG(block=False))
    (first, words), (second, again) = (only_warning(call, __file__) for _ in range(2))
    blocks = [np.load(path)["scores"] for path in blocks_of(tmp_path)]
    assert [np.isnan(block).any() for block in blocks] == [False, True]
    assert words == again and "not positive definite" in words
    assert words.startswith("test points 0, 1, 2: ")
    for result in (first, second):
        assert result.info.describe() == ["indefinite"] * 3 and np.isnan(result.scores).all()


def test_no_test_points_narrow_params_and_a_folder_that_cannot_be_made(tmp_path):
    nothing = kept(tmp_path, (MANY[0][:0], MANY[1][:0]))
    assert nothing.scores.shape == (0, 40) and nothing.s_test is None
    assert nothing.info.converged.shape == (0,)
    narrow = jax.tree.map(lambda leaf: np.float32(leaf), PARAMS)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fit = FittedModel(loss_fn, narrow, (X, Y), l2=L2)
    for reads in (False, True):
        result = influence_on_disk(tmp_path, fit, (MANY[0][:6], MANY[1][:6]))
        assert result.scores.dtype == np.float32
        assert np.isnan(result.seconds).all() if reads else np.isfinite(result.seconds).all()
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError):
        kept(tmp_path / "file")


def test_json_without_times_is_the_same_file_from_disk(tmp_path, whole):
    for name in ("first", "second"):
        kept(tmp_path / "scores").to_json(tmp_path / name, time=False, k=3)
    text = (tmp_path / "first").read_text()
    assert text == (tmp_path / "second").read_text()
    kept(tmp_path / "scores").to_json(tmp_path / "third")
    point = json.loads((tmp_path / "third").read_text())["test_points"]["7"]
    assert point["time_calc_influence_s"] is None  # it was read, not computed
    assert point["influence"] == whole[2].scores[7].tolist()


@pytest.mark.slow
def test_one_block_of_scores_is_in_memory(tmp_path, monkeypatch):
    """Of 20 blocks of 8 MB each: what Python's allocator has seen stays below three of them."""
    monkeypatch.setattr(on_disk, "_BLOCK", 15)
    train = np.zeros((70_000, 3)), np.ones(70_000)
    train[0][:40], train[1][:40] = X, Y
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fit = FittedModel(loss_fn, PARAMS, train, l2=L2)
    influence_on_disk(tmp_path, fit, MANY)
    tracemalloc.start()
    influence_on_disk(tmp_path, fit, MANY)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 3 * 15 * 70_000 * 8
