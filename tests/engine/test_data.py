"""The data: recipes written out a second time, known counts and laws, and damaged files."""

import gzip
import hashlib
import http.client
import os
import shutil
import struct
import subprocess
import sys
import unicodedata
import urllib.error
import urllib.request
from importlib import resources

import numpy as np
import pytest
import scipy.stats
import sklearn.datasets

from course_utils import data
from course_utils.cli.setup_venv import ROOT

NAMED = {"digits": data.digits, "breast_cancer": data.breast_cancer, "diabetes": data.diabetes}
REAL = {**NAMED, "mnist_small": data.mnist_small}


# Real data


def test_digits_follow_the_recipe_of_the_course():
    raw = sklearn.datasets.load_digits()
    order = np.random.default_rng(0).permutation(1797)
    X, y = data.digits()
    np.testing.assert_array_equal(X, raw.data[order] / 16)
    np.testing.assert_array_equal(y, raw.target[order])
    assert X.shape == (1797, 64) and X.min() == 0 and X.max() == 1
    np.testing.assert_array_equal(X[0].reshape(8, 8), raw.images[order[0]] / 16)


def test_a_pair_of_digits_is_selected_first_and_permuted_afterwards():
    raw = sklearn.datasets.load_digits()
    rows = np.flatnonzero((raw.target == 1) | (raw.target == 7))
    rows = rows[np.random.default_rng(0).permutation(len(rows))]
    X, y = data.digits(classes=(1, 7))
    np.testing.assert_array_equal(X, raw.data[rows] / 16)
    np.testing.assert_array_equal(y, raw.target[rows] == 7)
    assert np.issubdtype(y.dtype, np.integer) and set(y) == {0, 1}


def test_a_label_is_the_position_in_classes():
    X, y = data.digits(classes=(7, 1))
    X_, y_ = data.digits(classes=(1, 7))
    np.testing.assert_array_equal(X, X_)
    np.testing.assert_array_equal(y, 1 - y_)
    for a, b in zip(data.digits(classes=range(10)), data.digits()):
        np.testing.assert_array_equal(a, b)
    assert set(data.digits(classes=[4]).y) == {0}


@pytest.mark.parametrize("name", REAL)
def test_a_seed_permutes_the_rows_and_none_leaves_them(name):
    load = REAL[name]
    X, y = load(seed=None)
    order = np.random.default_rng(5).permutation(len(X))
    np.testing.assert_array_equal(load(seed=5).X, X[order])
    np.testing.assert_array_equal(load(seed=5).y, y[order])
    assert not np.array_equal(load(seed=0).y, load(seed=5).y)


def test_the_standardised_columns_have_mean_zero_and_population_deviation_one():
    for load, columns in [(data.breast_cancer, 30), (data.diabetes, 10)]:
        X, y = load()
        assert X.shape == (len(y), columns)
        np.testing.assert_allclose(X.mean(axis=0), 0, atol=1e-12)
        np.testing.assert_allclose((X**2).mean(axis=0), 1, rtol=1e-12)
    np.testing.assert_allclose([y.mean(), (y**2).mean()], [0, 1], atol=1e-12)  # diabetes: targets
    # scikit-learn's own scaling of the diabetes set differs by the factor 1 / sqrt(442) alone.
    # Its stored copy was rounded before it was scaled, hence 1e-4.
    theirs = sklearn.datasets.load_diabetes().data
    np.testing.assert_allclose(data.diabetes(seed=None).X, theirs * np.sqrt(442), atol=1e-4)


def test_raw_data_keep_their_units():
    X, y = data.breast_cancer(raw=True, seed=None)
    theirs = sklearn.datasets.load_breast_cancer()
    np.testing.assert_array_equal(X, theirs.data)
    np.testing.assert_array_equal(y, theirs.target)
    assert list(theirs.target_names) == ["malignant", "benign"]
    assert X.std(axis=0).max() / X.std(axis=0).min() > 1e5
    X, y = data.diabetes(raw=True)
    assert (y.min(), y.max(), round(y.mean())) == (25, 346, 152)
    assert set(X[:, data.feature_names("diabetes").index("sex")]) == {1, 2}


def test_there_is_a_name_for_every_feature():
    for name, load in NAMED.items():
        names = data.feature_names(name)
        assert len(names) == load().X.shape[1]
        assert all(type(feature) is str for feature in names)
    assert data.feature_names("diabetes")[:4] == ["age", "sex", "bmi", "bp"]


def test_the_emoji_with_a_face_are_the_72_of_the_lesson():
    found = data.emoji_names()
    assert len(found) == 72 and sum(len(name) + 1 for _, name in found) == 1636
    assert found[0] == ("\N{GRINNING FACE}", "GRINNING FACE")
    assert found[-1] == ("\N{PERSON WITH POUTING FACE}", "PERSON WITH POUTING FACE")
    assert [ord(char) for char, _ in found] == sorted({ord(char) for char, _ in found})
    # Against the other direction of the standard library, from the name to the character.
    assert all(unicodedata.lookup(name) == char for char, name in found)
    every = {name for _, name in data.emoji_names("")}
    assert len(every) == 80 and {name for name in every if "FACE" in name} == {n for _, n in found}
    text = "\n".join(name for _, name in found)
    assert hashlib.sha256(text.encode()).hexdigest().startswith("0d94abf75ee57ff6")


def test_a_word_of_a_name_is_a_whole_word():
    cats = [name for _, name in data.emoji_names("CAT")]
    assert len(cats) == 9 and all("CAT" in name.split() for name in cats)
    with pytest.raises(ValueError, match="no name from 0x1f600 to 0x1f650 has the word 'FAC'"):
        data.emoji_names("FAC")
    assert ("\u03b1", "GREEK SMALL LETTER ALPHA") in data.emoji_names(
        "ALPHA", start=0x370, stop=0x400
    )
    assert data.emoji_names("", start=0, stop=0x21) == [(" ", "SPACE")]  # controls have no name


def test_split_trains_on_the_first_rows():
    X, y = data.digits()
    train, test = data.split(X, y, 1437)
    np.testing.assert_array_equal(train.X, X[:1437])
    np.testing.assert_array_equal(train.y, y[:1437])
    np.testing.assert_array_equal(test.X, X[1437:])
    np.testing.assert_array_equal(test.y, y[1437:])


# The labels with which the test set of MNIST begins, as many tutorials print them.
FIRST_LABELS = [7, 2, 1, 0, 4, 1, 4, 9, 5, 9, 0, 6, 9, 0, 1, 5, 9, 7, 3, 4]


def test_mnist_small_has_200_images_of_every_digit():
    X, y = data.mnist_small()
    assert X.shape == (2000, 784) and X.dtype == np.float32
    assert X.min() == 0 and X.max() == 1
    assert np.issubdtype(y.dtype, np.integer)
    assert np.bincount(y).tolist() == [200] * 10
    levels = X.astype(float) * 255  # float32 has 24 bits: a level of 255 is right to 2e-5
    np.testing.assert_allclose(levels, np.rint(levels), atol=2e-5)


def test_mnist_small_begins_as_the_published_test_set_does():
    X, y = data.mnist_small(seed=None)
    assert y[: len(FIRST_LABELS)].tolist() == FIRST_LABELS
    # Every published image was scaled to a box of 20 x 20, and its centre of mass moved to the
    # middle of 28 x 28 by whole pixels: it lies within half a pixel of (14, 14).
    images = X.reshape(-1, 28, 28).astype(float)
    mass, at = images.sum(axis=(1, 2)), np.arange(28)
    rows, columns = images.sum(axis=2) @ at / mass, images.sum(axis=1) @ at / mass
    assert np.abs(np.array([rows, columns]) - 14).max() <= 0.5
    for profile in (images.any(axis=2), images.any(axis=1)):
        longest = [np.ptp(np.flatnonzero(inked)) + 1 for inked in profile]
        assert max(longest) == 20


def test_the_file_of_mnist_small_holds_what_was_put_in():
    with resources.files("course_utils").joinpath("mnist_small.npz").open("rb") as stream:
        assert len(stream.read()) < 600_000
        stream.seek(0)
        stored = dict(np.load(stream, allow_pickle=False))
    images, labels = stored["images"], stored["labels"]
    assert images.shape == (2600, 28, 28) and images.dtype == labels.dtype == np.uint8
    assert np.bincount(labels).tolist() == [500 if d in (3, 8) else 200 for d in range(10)]
    assert hashlib.sha256(images.tobytes()).hexdigest()[:16] == "5d0911d0c70bfbcd"
    assert hashlib.sha256(labels.tobytes()).hexdigest()[:16] == "2929557725696bbf"


def test_there_are_500_threes_and_eights_and_fewer_are_the_first_of_them():
    X, y = data.mnist_small(classes=(8, 3), per_class=500, seed=None)
    assert X.shape == (1000, 784) and np.bincount(y).tolist() == [500, 500]
    assert y[0] == 1  # a 3 comes first
    few = data.mnist_small(classes=(8, 3), per_class=7, seed=None)
    for label in (0, 1):
        np.testing.assert_array_equal(few.X[few.y == label], X[y == label][:7])
    every = data.mnist_small(seed=None)
    np.testing.assert_array_equal(every.X[every.y == 3], X[y == 1][:200])


def test_the_wheel_of_the_package_holds_mnist_small(tmp_path):
    pytest.importorskip("setuptools", minversion="77")
    source, wheels = tmp_path / "source", tmp_path / "wheels"
    wheels.mkdir()
    files = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "course_utils", source / "course_utils", ignore=files)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    build = "import sys; from setuptools import build_meta; build_meta.build_wheel(sys.argv[1])"
    subprocess.run([sys.executable, "-c", build, wheels], cwd=source, check=True)
    (wheel,) = wheels.iterdir()
    # from the wheel itself, unpacked by nobody: a package may be imported from a zip file
    code = "from course_utils import data; print(data.__file__); print(data.mnist_small().X.sum())"
    env = dict(os.environ, PYTHONPATH=str(wheel))
    printed = subprocess.check_output([sys.executable, "-c", code], cwd=tmp_path, env=env)
    path, total = printed.decode().split()
    assert str(wheel) in path
    np.testing.assert_allclose(float(total), data.mnist_small().X.sum(), rtol=1e-6)


def test_numpy_is_all_that_importing_the_module_needs():
    code = (
        "import sys, course_utils.data; print([m for m in ('jax', 'sklearn') if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"


# Synthetic data


def test_a_noiseless_target_is_the_linear_one():
    X, y = data.linear_regression(30, 4, weights=[1.0, -2.0, 0.5, 3.0])
    np.testing.assert_allclose(y, X @ [1.0, -2.0, 0.5, 3.0], rtol=1e-12)
    X, y = data.linear_regression(30, 4)
    np.testing.assert_allclose(y, X.sum(axis=1) / 2, rtol=1e-12)  # weights of length 1


def test_features_are_isotropic_and_the_noise_has_the_size_asked_for():
    n = 20_000
    X, y = data.linear_regression(n, 3, noise=0.5, seed=1)
    four_sigma = 4 / np.sqrt(n)
    np.testing.assert_allclose(X.mean(axis=0), 0, atol=four_sigma)
    np.testing.assert_allclose(X.T @ X / n, np.eye(3), atol=1.5 * four_sigma)  # sd of a square: 1.4
    residual = y - X @ np.full(3, 3**-0.5)
    np.testing.assert_allclose([residual.mean(), residual.std()], [0, 0.5], atol=four_sigma)
    np.testing.assert_allclose(X.T @ residual / n, 0, atol=four_sigma)


def test_a_seed_fixes_the_draw_and_the_noise_does_not_move_the_features():
    X, y = data.linear_regression(10, 3, noise=1.0, seed=3)
    same, other = (data.linear_regression(10, 3, noise=1.0, seed=s) for s in (3, 4))
    np.testing.assert_array_equal(y, same.y)
    assert not np.array_equal(X, other.X)
    np.testing.assert_array_equal(X, data.linear_regression(10, 3, noise=0.0, seed=3).X)


def test_fewer_examples_than_features_leave_flat_directions():
    X, _ = data.linear_regression(5, 20)
    assert np.linalg.matrix_rank(X.T @ X) == 5


def test_the_best_classifier_of_the_blobs_errs_as_the_normal_law_says():
    n, distance = 20_000, 3.0
    X, y = data.gaussian_blobs(n, 3, distance=distance, seed=2)
    error = np.mean((X[:, 0] > 0) != y)
    expected = scipy.stats.norm.cdf(-distance / 2)
    np.testing.assert_allclose(error, expected, atol=4 * np.sqrt(expected / n))  # 4 s.e.
    for label in (0, 1):
        center = [(label - 0.5) * distance, 0, 0]
        inside = X[y == label]
        np.testing.assert_allclose(inside.mean(axis=0), center, atol=4 / np.sqrt(n / 2))
        np.testing.assert_allclose(np.cov(inside.T), np.eye(3), atol=6 / np.sqrt(n / 2))


def test_the_blobs_are_balanced_and_in_random_order():
    _, y = data.gaussian_blobs(101, seed=0)
    assert (y == 1).sum() == 50 and np.issubdtype(y.dtype, np.integer)
    assert 20 < np.abs(np.diff(y)).sum() < 80  # neither sorted nor alternating


@pytest.mark.parametrize("h", [[1.0], [3.0, 1.0, 0.1], [2.0, 2.0, 0.0, -1.0], np.arange(1, 11)])
def test_a_matrix_has_the_spectrum_that_was_asked_for(h):
    A = data.matrix_with_spectrum(h, seed=1)
    np.testing.assert_array_equal(A, A.T)
    np.testing.assert_allclose(np.linalg.eigvalsh(A), np.sort(h), atol=1e-12)


def test_the_basis_of_that_matrix_prefers_no_direction():
    # The square of an entry of a Haar vector in d dimensions has mean 1/d and variance below 2/d².
    d, draws = 4, 2000
    h = np.eye(d)[0]  # the matrix is q qᵀ, and its diagonal the squares of q
    squares = np.mean([np.diag(data.matrix_with_spectrum(h, seed=s)) for s in range(draws)], axis=0)
    np.testing.assert_allclose(squares, 1 / d, atol=4 * np.sqrt(2 / draws) / d)
    off = np.mean([data.matrix_with_spectrum(h, seed=s)[0, 1] for s in range(draws)])
    np.testing.assert_allclose(off, 0, atol=4 / d / np.sqrt(draws))


# MNIST


def idx(array):
    """The bytes of an IDX file, from the definition of the format."""
    return (
        bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}i", *array.shape) + bytes(array)
    )


@pytest.fixture
def tiny():
    """Twelve images and their labels, 0..9 and twice more."""
    images = np.random.default_rng(0).integers(0, 256, (12, 28, 28)).astype(np.uint8)
    images[0, 0, :2] = 0, 255
    return images, (np.arange(12) % 10).astype(np.uint8)


@pytest.mark.parametrize("dot", ["-", "."])
@pytest.mark.parametrize("compress", [False, True])
@pytest.mark.parametrize("split, stem", [("train", "train"), ("test", "t10k")])
def test_mnist_is_read_from_idx_files(tmp_path, monkeypatch, tiny, dot, compress, split, stem):
    images, labels = tiny
    pack, end = (gzip.compress, ".gz") if compress else (bytes, "")
    (tmp_path / f"{stem}-images{dot}idx3-ubyte{end}").write_bytes(pack(idx(images)))
    (tmp_path / f"{stem}-labels{dot}idx1-ubyte{end}").write_bytes(pack(idx(labels)))
    monkeypatch.setenv("COURSE_DATA", str(tmp_path))
    X, y = data.mnist(split)
    assert X.dtype == np.float32 and X.shape == (12, 784)
    np.testing.assert_array_equal(X.reshape(12, 28, 28), images / np.float32(255))
    np.testing.assert_array_equal(y, labels)
    assert (X[0, 0], X[0, 1]) == (0, 1)
    X, y = data.mnist(split, classes=(9, 1))
    np.testing.assert_array_equal(y, [1, 0, 1])  # the labels 1, 9, 1
    np.testing.assert_array_equal(X[1], images[9].ravel() / np.float32(255))


DAMAGE = {
    "shorter": (lambda b: b[:-1], "should have 40 bytes for shape (2, 3, 4), but has 39"),
    "longer": (lambda b: b + b"\0", "should have 40 bytes for shape (2, 3, 4), but has 41"),
    "no entries": (lambda b: b[:10], "should have 16 bytes before its entries, but has 10"),
    "empty": (lambda b: b"", "is not an IDX file"),
    "another kind": (lambda b: b"\x89PNG" + b, "is not an IDX file: it starts with '89 50 4e 47'"),
    "floats": (lambda b: b[:2] + b"\x0d" + b[3:], "holds IDX type 0x0d"),
    "truncated gzip": (lambda b: gzip.compress(b)[:-12], "is damaged or truncated"),
    "damaged gzip": (lambda b: gzip.compress(b)[:-5] + b"\1\2\3\4\5", "is damaged or truncated"),
    "garbled gzip": (lambda b: gzip.compress(b)[:10] + b"\xff" * 40, "is damaged or truncated"),
    "no gzip at all": (lambda b: b"\x1f\x8bnothing of the kind", "is damaged or truncated"),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_file_is_refused_in_words(tmp_path, damage):
    change, message = DAMAGE[damage]
    array = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
    path = tmp_path / "some-idx3-ubyte"
    path.write_bytes(idx(array))
    np.testing.assert_array_equal(data.read_idx(path), array)  # sound before the damage
    path.write_bytes(change(idx(array)))
    with pytest.raises(ValueError) as error:
        data.read_idx(path)
    assert str(path) in str(error.value) and message in str(error.value)


def test_images_without_a_label_each_are_refused(tmp_path, monkeypatch, tiny):
    images, labels = tiny
    monkeypatch.setenv("COURSE_DATA", str(tmp_path))
    for wrong_images, wrong_labels, message in [
        (images[:-1], labels, "are not images of 28 x 28 pixels with a label each"),
        (images[:, 1:], labels, "are not images of 28 x 28 pixels with a label each"),
        (labels, images, "are not images of 28 x 28 pixels with a label each"),
        (images, labels + 1, "has the label 10: expected digits"),
    ]:
        (tmp_path / "train-images-idx3-ubyte").write_bytes(idx(wrong_images))
        (tmp_path / "train-labels-idx1-ubyte").write_bytes(idx(wrong_labels))
        with pytest.raises(ValueError, match=message):
            data.mnist("train")


def test_without_files_mnist_comes_from_openml_first_60000_rows_to_train(tmp_path, monkeypatch):
    asked = []

    def fetch_openml(name, **options):
        asked.append((name, options["version"]))
        X = np.zeros((70_000, 2))
        X[:, 0] = np.arange(70_000) % 256
        return X, (np.arange(70_000) % 10).astype(str).astype(object)

    monkeypatch.setattr(sklearn.datasets, "fetch_openml", fetch_openml)
    (tmp_path / "t10k-images-idx3-ubyte").write_bytes(b"")  # images alone are not enough
    for folder in (None, str(tmp_path), str(tmp_path / "nowhere")):
        monkeypatch.delenv("COURSE_DATA", raising=False)
        if folder:
            monkeypatch.setenv("COURSE_DATA", folder)
        train, test = data.mnist("train"), data.mnist("test")
        assert (len(train.X), len(test.X)) == (60_000, 10_000)
        np.testing.assert_array_equal(test.y[:3], [0, 1, 2])
        np.testing.assert_allclose(test.X[1, 0], (60_001 % 256) / 255, rtol=1e-6)  # float32
    assert asked == [("mnist_784", 1)] * 6


@pytest.mark.parametrize("folder", [None, "/nowhere"])
@pytest.mark.filterwarnings("ignore:A network error occurred")
def test_without_files_and_network_one_error_says_what_to_do(tmp_path, monkeypatch, folder):
    def no_network(*args, **options):
        raise urllib.error.URLError("no route")

    monkeypatch.setattr(urllib.request.OpenerDirector, "open", no_network)
    monkeypatch.setenv("SCIKIT_LEARN_DATA", str(tmp_path))  # no copy from an earlier download
    monkeypatch.delenv("COURSE_DATA", raising=False)
    if folder:
        monkeypatch.setenv("COURSE_DATA", folder)
    with pytest.raises(RuntimeError) as error:
        data.mnist("test")
    message = str(error.value)
    for words in ("t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz", "COURSE_DATA"):
        assert words in message
    assert ("'/nowhere'" if folder else "not set") in message
    assert isinstance(error.value.__cause__, urllib.error.URLError)


@pytest.mark.parametrize(
    "failure", [TimeoutError(), ConnectionResetError(), http.client.IncompleteRead(b"")]
)
def test_a_download_that_breaks_off_ends_in_the_same_error(monkeypatch, failure):
    def fetch_openml(*args, **options):
        raise failure

    monkeypatch.setattr(sklearn.datasets, "fetch_openml", fetch_openml)
    monkeypatch.delenv("COURSE_DATA", raising=False)
    with pytest.raises(RuntimeError, match="could not be fetched from OpenML"):
        data.mnist("train")


@pytest.mark.skipif(not os.environ.get("COURSE_DATA"), reason="COURSE_DATA is not set")
@pytest.mark.parametrize("split, size, ones", [("train", 60_000, 6742), ("test", 10_000, 1135)])
def test_the_full_size_files_have_their_published_counts(split, size, ones):
    stem = {"train": "train", "test": "t10k"}[split]
    if not any(name.startswith(stem) for name in os.listdir(os.environ["COURSE_DATA"])):
        pytest.skip(f"COURSE_DATA holds no {stem} files")
    X, y = data.mnist(split)
    assert X.shape == (size, 784) and X.min() == 0 and X.max() == 1
    assert (y == 1).sum() == ones
    if split == "test":
        rows = np.sort(np.concatenate([np.flatnonzero(y == digit)[:200] for digit in range(10)]))
        small = data.mnist_small(seed=None)
        np.testing.assert_array_equal(small.X, X[rows])
        np.testing.assert_array_equal(small.y, y[rows])


# Refusals


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: data.digits(classes=()), "classes is empty"),
        (lambda: data.digits(classes=(1, 12)), "unknown class 12: choose from"),
        (lambda: data.digits(classes=(3, 3)), r"repeats a class: \[3, 3\]"),
        (lambda: data.mnist_small(classes=()), "classes is empty"),
        (lambda: data.mnist_small(classes=(3, 12)), "unknown class 12: choose from"),
        (lambda: data.mnist_small(classes=(8, 8)), r"repeats a class: \[8, 8\]"),
        (lambda: data.mnist_small(per_class=201), "from 1 to 200 for these digits: got 201"),
        (lambda: data.mnist_small(classes=(3, 4), per_class=201), "from 1 to 200 for these"),
        (lambda: data.mnist_small(classes=(3, 8), per_class=501), "from 1 to 500 for these"),
        (lambda: data.mnist_small(per_class=0), "from 1 to 200 for these digits: got 0"),
        (lambda: data.mnist_small(per_class=2.5), "whole number from 1 to 200"),
        (lambda: data.mnist_small(per_class=True), "whole number from 1 to 200"),
        (lambda: data.feature_names("iris"), "no data set 'iris'"),
        (lambda: data.emoji_names("face"), "write 'FACE', not 'face'"),
        (lambda: data.emoji_names(start=9, stop=9), "start < stop"),
        (lambda: data.emoji_names(start=-1), "0 <= start"),
        (lambda: data.emoji_names(stop=0x110001), "stop <= 0x110000: got 0x1f600, 0x110001"),
        (lambda: data.mnist("validation"), "'train' or 'test': got 'validation'"),
        (lambda: data.split(np.ones((4, 2)), np.ones(4), 0), "between 1 and 3: got 0"),
        (lambda: data.split(np.ones((4, 2)), np.ones(4), 4), "between 1 and 3: got 4"),
        (lambda: data.split(np.ones((4, 2)), np.ones(4), -1), "between 1 and 3: got -1"),
        (lambda: data.split(np.ones((4, 2)), np.ones(3), 2), r"got shapes \(4, 2\) and \(3,\)"),
        (lambda: data.split(np.full((4, 2), np.nan), np.ones(4), 2), "NaN or infinity in X"),
        (lambda: data.split(np.ones((4, 2)), np.full(4, np.inf), 2), "NaN or infinity in y"),
        (lambda: data.linear_regression(0, 2), "num_examples must be positive: got 0"),
        (lambda: data.linear_regression(2, 0), "num_features must be positive: got 0"),
        (lambda: data.linear_regression(2, 2, noise=-1.0), "noise must be a non-negative number"),
        (lambda: data.linear_regression(2, 2, noise=np.nan), "noise must be a non-negative number"),
        (lambda: data.linear_regression(2, 2, weights=[1.0]), r"shape \(2,\): got \(1,\)"),
        (lambda: data.linear_regression(2, 1, weights=[np.nan]), "NaN or infinity in weights"),
        (lambda: data.gaussian_blobs(0), "num_examples must be positive: got 0"),
        (lambda: data.gaussian_blobs(4, distance=np.inf), "distance must be a non-negative number"),
        (lambda: data.matrix_with_spectrum([]), "eigenvalues must be a vector"),
        (lambda: data.matrix_with_spectrum(2.0), "eigenvalues must be a vector"),
        (lambda: data.matrix_with_spectrum([np.nan]), "NaN or infinity in eigenvalues"),
    ],
)
def test_what_makes_no_sense_is_refused_in_words(call, message):
    with pytest.raises(ValueError, match=message):
        call()
