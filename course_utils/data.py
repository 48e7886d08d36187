r"""Data: small real sets of scikit-learn, MNIST and Unicode, seeded synthetic ones, all of MNIST.

Everything is NumPy, and ``X, y = digits()`` unpacks it. Rows of a real set come in the order of
``np.random.default_rng(seed).permutation(n)``, so that the first rows can be the training set
(``split``); one seed is one split of the course, and a claim about splits is run for several.
"""

import gzip
import http.client
import math
import os
import struct
import sys
import unicodedata
import zlib
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import NamedTuple

import numpy as np


class Data(NamedTuple):
    """Examples in rows: ``X`` has shape (n, d), ``y`` shape (n,)."""

    X: np.ndarray
    y: np.ndarray


# Real data, from scikit-learn


def digits(*, classes: Sequence[int] | None = None, seed: int | None = 0) -> Data:
    """1,797 handwritten digits of 8 x 8 pixels; ``X.reshape(-1, 8, 8)`` shows them.

    Args:
        classes: keep these digits alone, e.g. ``(1, 7)``: first they are selected, then permuted.
        seed: of the permutation of the rows; None keeps scikit-learn's order.

    Returns:
        ``X`` (n, 64): pixels / 16, between 0 and 1. ``y`` (n,): the position of the digit in
        ``classes``, integers 0..k-1, so that of ``(1, 7)`` a 1 has label 0 and a 7 has label 1.
        Without ``classes`` that is the digit itself.

    Raises:
        ValueError: if ``classes`` is empty, repeats a digit, or names one that is not there.

    Source:
        Alpaydin & Kaynak, "Optical recognition of handwritten digits", UCI repository, 1998.
    """
    from sklearn.datasets import load_digits

    X, y = load_digits(return_X_y=True)
    return _permuted(*_select(X / 16.0, y, classes), seed)


def mnist_small(
    *, classes: Sequence[int] | None = None, per_class: int = 200, seed: int | None = 0
) -> Data:
    """2,000 handwritten digits of 28 x 28 pixels, 200 of each, from a file of this package.

    They are the first ``per_class`` of each digit among the 10,000 *test* images of MNIST, in the
    published order; the file holds 500 each of 3 and 8 and 200 of every other digit. So whoever
    trains on them cannot test on ``mnist("test")``: keep some of these rows instead (``split``).

    Args:
        classes: keep these digits alone, as in ``digits``.
        per_class: images of each digit, at most 200; 500 with ``classes=(3, 8)``, or one of them.
        seed: of the permutation of the rows; None keeps the published order.

    Returns:
        ``X`` (n, 784): pixels / 255 in float32, between 0 and 1. ``y`` (n,): labels as in
        ``digits``. ``X.reshape(-1, 28, 28)`` shows them.

    Raises:
        ValueError: if ``classes`` is as ``digits`` refuses it, or ``per_class`` is no whole number
            between 1 and what the file has of each digit asked for.

    Source:
        LeCun, Bottou, Bengio & Haffner, "Gradient-based learning applied to document
        recognition", 1998. Yann LeCun and Corinna Cortes hold the copyright of MNIST and make it
        available under CC BY-SA 3.0 (https://creativecommons.org/licenses/by-sa/3.0/); the file is
        a selection of their images, unchanged, under the same licence.
    """
    file = resources.files(__package__) / "mnist_small.npz"
    with file.open("rb") as stream, np.load(stream, allow_pickle=False) as stored:
        images, labels = stored["images"], stored["labels"].astype(int)
    wanted = range(10) if classes is None else list(classes)
    fewest = min((int((labels == c).sum()) for c in wanted if c in labels), default=0)
    X, y = _select(images.reshape(len(images), -1), labels, classes)
    if isinstance(per_class, bool) or per_class not in range(1, fewest + 1):
        raise ValueError(
            f"per_class must be a whole number from 1 to {fewest} for these digits: got {per_class}"
        )
    first = np.sort(np.concatenate([np.flatnonzero(y == c)[:per_class] for c in np.unique(y)]))
    return _permuted(X[first].astype(np.float32) / np.float32(255), y[first], seed)


def breast_cancer(*, raw: bool = False, seed: int | None = 0) -> Data:
    """569 tumours, 30 measurements of cell nuclei each; malignant (0) or benign (1).

    Args:
        raw: keep the measured units, whose scales differ by more than a factor of 100,000.
        seed: of the permutation of the rows; None keeps scikit-learn's order.

    Returns:
        ``X`` (569, 30): every column with mean 0 and population standard deviation 1 over all
        rows, unless ``raw``. ``y`` (569,): integers. ``feature_names("breast_cancer")`` has the
        names of the columns.

    Source:
        Street, Wolberg & Mangasarian, "Nuclear feature extraction for breast tumor diagnosis",
        1993.
    """
    from sklearn.datasets import load_breast_cancer

    X, y = load_breast_cancer(return_X_y=True)
    return _permuted(X if raw else _standardised(X), y, seed)


def diabetes(*, raw: bool = False, seed: int | None = 0) -> Data:
    """442 patients: 10 measurements, and how far the disease had progressed a year later.

    Args:
        raw: keep the measured units, targets too (25 to 346, mean 152).
        seed: of the permutation of the rows; None keeps scikit-learn's order.

    Returns:
        ``X`` (442, 10) and ``y`` (442,): every column of ``X``, and ``y``, with mean 0 and
        population standard deviation 1 over all rows, unless ``raw``. A linear model then needs no
        bias, and a mean loss of ``squared_error`` below 1/2 is a fit better than none.
        ``feature_names("diabetes")`` has the names of the columns.

    Source:
        Efron, Hastie, Johnstone & Tibshirani, "Least angle regression", 2004.
    """
    from sklearn.datasets import load_diabetes

    X, y = load_diabetes(return_X_y=True, scaled=False)
    if not raw:
        X, y = _standardised(X), _standardised(y)
    return _permuted(X, y, seed)


def feature_names(name: str) -> list[str]:
    """The names of the columns of ``X`` in ``"breast_cancer"``, ``"diabetes"`` or ``"digits"``.

    Raises:
        ValueError: if there is no such data set.
    """
    from sklearn import datasets

    loaders = {
        "breast_cancer": datasets.load_breast_cancer,
        "diabetes": datasets.load_diabetes,
        "digits": datasets.load_digits,
    }
    if name not in loaders:
        raise ValueError(f"no data set {name!r}: choose one of {', '.join(loaders)}")
    return [str(feature) for feature in loaders[name]().feature_names]


def emoji_names(
    word: str = "FACE", *, start: int = 0x1F600, stop: int = 0x1F650
) -> list[tuple[str, str]]:
    """Characters of Unicode and their names: ``[("😀", "GRINNING FACE"), ...]``, in their order.

    They come with Python. Unicode never changes a name that it has given, and the block Emoticons,
    which is the default, has no free place left: 72 of its 80 names have the word FACE, in every
    version of Python that the course runs on.

    Args:
        word: keep the names that have this word, whole and in capitals; ``""`` keeps all.
        start, stop: code points, the last one excluded. In other blocks a newer Python may know
            more characters.

    Raises:
        ValueError: if ``word`` is not capitals (no name is), the code points are not an interval
            of those of Unicode, or no name is left.

    Source:
        The Unicode Standard, chapter 4.8 "Name"; the Unicode character encoding stability policy.
    """
    if word != word.upper():
        raise ValueError(f"names are in capitals: write {word.upper()!r}, not {word!r}")
    if not 0 <= start < stop <= sys.maxunicode + 1:
        raise ValueError(f"0 <= start < stop <= {sys.maxunicode + 1:#x}: got {start:#x}, {stop:#x}")
    names = [(chr(code), unicodedata.name(chr(code), "")) for code in range(start, stop)]
    kept = [(char, name) for char, name in names if name and (not word or word in name.split())]
    if not kept:
        raise ValueError(f"no name from {start:#x} to {stop:#x} has the word {word!r}")
    return kept


def split(X: np.ndarray, y: np.ndarray, num_train: int) -> tuple[Data, Data]:
    """The first ``num_train`` rows to train on, the others to test: ``split(*digits(), 1437)``.

    Raises:
        ValueError: if ``X`` and ``y`` differ in length or hold NaN or infinity, or if either part
            would be empty.
    """
    X, y = np.asarray(X), np.asarray(y)
    if X.ndim == 0 or y.ndim == 0 or len(X) != len(y):
        raise ValueError(f"X and y must share their rows: got shapes {X.shape} and {y.shape}")
    _finite(X=X, y=y)
    if not 0 < num_train < len(X):
        raise ValueError(f"num_train must be between 1 and {len(X) - 1}: got {num_train}")
    return Data(X[:num_train], y[:num_train]), Data(X[num_train:], y[num_train:])


# Synthetic data, from a seed


def linear_regression(
    num_examples: int,
    num_features: int,
    *,
    weights: np.ndarray | None = None,
    noise: float = 0.0,
    seed: int = 0,
) -> Data:
    r"""Isotropic Gaussian features and a linear target: $y = Xw^\star + \sigma\varepsilon$.

    All entries of $X$ and $\varepsilon$ are independent standard normals. With fewer examples than
    features $X^\top X$ is singular, and gradient descent has directions in which nothing happens.

    Args:
        num_examples: n.
        num_features: d.
        weights: $w^\star$, shape (d,). None is $(1, \dots, 1)/\sqrt d$, of length 1; since the
            features prefer no direction, nothing depends on which unit vector it is.
        noise: $\sigma$, in units of ``y``.
        seed: draws features first, then noise: the same seed with another ``noise`` has the same X.

    Raises:
        ValueError: if a size is not positive, ``noise`` is negative or not finite, or ``weights``
            has another shape or is not finite.
    """
    _positive(num_examples=num_examples, num_features=num_features)
    if weights is None:
        weights = np.full(num_features, num_features**-0.5)
    weights = np.asarray(weights, dtype=float)
    if weights.shape != (num_features,):
        raise ValueError(f"weights must have shape ({num_features},): got {weights.shape}")
    _finite(weights=weights)
    if not 0 <= noise < np.inf:
        raise ValueError(f"noise must be a non-negative number: got {noise}")
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((num_examples, num_features))
    return Data(X, X @ weights + noise * rng.standard_normal(num_examples))


def gaussian_blobs(
    num_examples: int, num_features: int = 2, *, distance: float = 2.0, seed: int = 0
) -> Data:
    r"""Two classes: unit-variance Gaussians whose means lie ``distance`` apart on the first axis.

    The means are $\mp\tfrac12\,\mathrm{distance}\cdot e_1$ for labels 0 and 1, so the true log-odds
    of label 1 are $\mathrm{distance}\cdot x_1$ (a logistic regression without bias is the right
    model) and the best possible error is $\Phi(-\mathrm{distance}/2)$.

    Args:
        num_examples: n; the classes have n/2 rows each (label 0 the odd one), in random order.
        num_features: d.
        distance: in standard deviations of a class.
        seed: of the draws.

    Returns:
        ``X`` (n, d) and labels ``y`` (n,), integers 0 and 1.

    Raises:
        ValueError: if a size is not positive, or ``distance`` is negative or not finite.
    """
    _positive(num_examples=num_examples, num_features=num_features)
    if not 0 <= distance < np.inf:
        raise ValueError(f"distance must be a non-negative number: got {distance}")
    rng = np.random.default_rng(seed)
    y = rng.permutation(np.arange(num_examples) % 2)
    X = rng.standard_normal((num_examples, num_features))
    X[:, 0] += distance * (y - 0.5)
    return Data(X, y)


def matrix_with_spectrum(eigenvalues: np.ndarray, *, seed: int = 0) -> np.ndarray:
    r"""A symmetric matrix $Q\,\mathrm{diag}(h)\,Q^\top$ with the given eigenvalues.

    It makes a quadratic $\tfrac12 w^\top A w$ with the curvatures that one asks for. The
    eigenvectors prefer no direction: the $Q$ of a Gaussian matrix's QR decomposition is uniform
    (Haar) but for the signs of its columns, and these cancel in the product.

    Args:
        eigenvalues: h, shape (d,), of any sign.
        seed: of Q.

    Returns:
        Shape (d, d), symmetric to the last bit.

    Raises:
        ValueError: if ``eigenvalues`` is not a vector of one or more finite numbers.

    Source:
        Mezzadri, "How to generate random matrices from the classical compact groups", 2007.
    """
    eigenvalues = np.asarray(eigenvalues, dtype=float)
    if eigenvalues.ndim != 1 or not len(eigenvalues):
        raise ValueError(f"eigenvalues must be a vector: got shape {eigenvalues.shape}")
    _finite(eigenvalues=eigenvalues)
    d = len(eigenvalues)
    Q, _ = np.linalg.qr(np.random.default_rng(seed).standard_normal((d, d)))
    matrix = Q * eigenvalues @ Q.T
    return (matrix + matrix.T) / 2


# MNIST, from a folder or from OpenML

_MNIST_SIZE = {"train": 60_000, "test": 10_000}
_MNIST_STEM = {"train": "train", "test": "t10k"}


def mnist(split: str = "train", *, classes: Sequence[int] | None = None) -> Data:
    """70,000 handwritten digits of 28 x 28 pixels, in their published order.

    They are read from the folder named by the environment variable ``COURSE_DATA``, if it holds the
    two IDX files of the split (``train-images-idx3-ubyte`` and ``train-labels-idx1-ubyte``, or
    ``t10k-...`` for the test set; compressed by gzip or not; ``train-images.idx3-ubyte`` will do).
    Else scikit-learn fetches them from OpenML, 15 MB once, and keeps them in its own cache.

    Args:
        split: ``"train"``, 60,000 rows, or ``"test"``, 10,000 rows.
        classes: keep these digits alone, as in ``digits``.

    Returns:
        ``X`` (n, 784): pixels / 255 in float32 (188 MB for the training set; float64 would take
        twice that). ``y`` (n,): labels as in ``digits``.

    Raises:
        ValueError: if ``split`` or ``classes`` is unknown, or a file is damaged.
        RuntimeError: if there are no files and no network, saying what to do.

    Source:
        LeCun, Bottou, Bengio & Haffner, "Gradient-based learning applied to document
        recognition", 1998.
    """
    if split not in _MNIST_SIZE:
        raise ValueError(f"split must be 'train' or 'test': got {split!r}")
    folder = os.environ.get("COURSE_DATA")
    files = mnist_files(split)
    if files:
        images, labels = map(read_idx, files)
        if images.shape != (len(labels), 28, 28) or labels.ndim != 1:
            raise ValueError(
                f"{files[0]} of shape {images.shape} and {files[1]} of shape {labels.shape} "
                "are not images of 28 x 28 pixels with a label each"
            )
        if labels.max(initial=0) > 9:
            raise ValueError(f"{files[1]} has the label {labels.max()}: expected digits")
    else:
        images, labels = _mnist_from_openml(split, folder)
    X, y = _select(images.reshape(len(images), -1), labels.astype(int), classes)
    return Data(X.astype(np.float32) / np.float32(255), y)


def read_idx(path: str | os.PathLike) -> np.ndarray:
    """An array of bytes from a file in the IDX format of MNIST, compressed by gzip or not.

    The format: two zero bytes, the type (8: unsigned bytes), the number of axes; the length of
    each axis as a big-endian 32-bit integer; the entries in C order.

    Raises:
        ValueError: if the file is of another kind or type, truncated, or longer than it says.
    """
    content = Path(path).read_bytes()
    if content[:2] == b"\x1f\x8b":  # the first bytes of a gzip file, whatever its name
        try:
            content = gzip.decompress(content)
        except (EOFError, OSError, zlib.error) as error:
            raise ValueError(f"{path} is damaged or truncated: {error}") from error
    if len(content) < 4 or content[:2] != b"\0\0":
        raise ValueError(f"{path} is not an IDX file: it starts with {content[:4].hex(' ')!r}")
    kind, num_axes = content[2], content[3]
    if kind != 8:
        raise ValueError(f"{path} holds IDX type {kind:#04x}: only unsigned bytes (0x08) are read")
    start, got = 4 + 4 * num_axes, len(content)
    if got < start:
        raise ValueError(f"{path} should have {start} bytes before its entries, but has {got}")
    shape = struct.unpack(f">{num_axes}I", content[4:start])
    expected = start + math.prod(shape)
    if got != expected:
        raise ValueError(f"{path} should have {expected} bytes for shape {shape}, but has {got}")
    return np.frombuffer(content, dtype=np.uint8, offset=start).reshape(shape)


def mnist_files(split: str) -> tuple[Path, Path] | None:
    """The image file and the label file in ``COURSE_DATA``, or None unless both are there."""
    stem, found = _MNIST_STEM[split], []
    if not os.environ.get("COURSE_DATA"):
        return None
    folder = Path(os.environ["COURSE_DATA"])
    for kind in ("images{}idx3-ubyte", "labels{}idx1-ubyte"):
        names = [f"{stem}-{kind.format(dot)}{end}" for dot in "-." for end in ("", ".gz")]
        found += [folder / name for name in names if (folder / name).is_file()][:1]
    return (found[0], found[1]) if len(found) == 2 else None


def _mnist_from_openml(split: str, folder: str | None) -> tuple[np.ndarray, np.ndarray]:
    from sklearn.datasets import fetch_openml

    try:
        X, y = fetch_openml(
            "mnist_784", version=1, return_X_y=True, as_frame=False, parser="liac-arff", n_retries=1
        )
    except (OSError, ValueError, http.client.HTTPException) as error:
        stem = _MNIST_STEM[split]
        raise RuntimeError(
            f"MNIST could not be fetched from OpenML ({type(error).__name__}: {error}). Connect to "
            f"the internet once, or put {stem}-images-idx3-ubyte.gz and "
            f"{stem}-labels-idx1-ubyte.gz into a folder and set COURSE_DATA to its name "
            f"(it is {repr(folder) if folder else 'not set'} now)."
        ) from error
    size = _MNIST_SIZE["train"]
    rows = slice(None, size) if split == "train" else slice(size, None)
    return X[rows], y[rows]


# What they share


def _select(
    X: np.ndarray, y: np.ndarray, classes: Sequence[int] | None
) -> tuple[np.ndarray, np.ndarray]:
    """The rows of these classes, labelled by their position in ``classes``."""
    if classes is None:
        return X, y
    classes, known = list(classes), np.unique(y)
    if not classes:
        raise ValueError("classes is empty: name at least one, or pass None for all")
    unknown = [c for c in classes if c not in known]
    if unknown:
        raise ValueError(f"unknown class {unknown[0]!r}: choose from {known.tolist()}")
    if len(set(classes)) != len(classes):
        raise ValueError(f"classes repeats a class: {classes}")
    kept = np.isin(y, classes)
    position = {c: i for i, c in enumerate(classes)}
    return X[kept], np.array([position[c] for c in y[kept]])


def _permuted(X: np.ndarray, y: np.ndarray, seed: int | None) -> Data:
    if seed is None:
        return Data(X, y)
    order = np.random.default_rng(seed).permutation(len(X))
    return Data(X[order], y[order])


def _standardised(X: np.ndarray) -> np.ndarray:
    return (X - X.mean(axis=0)) / X.std(axis=0)


def _finite(**arrays: np.ndarray) -> None:
    for name, array in arrays.items():
        if not np.all(np.isfinite(array)):
            raise ValueError(f"NaN or infinity in {name}")


def _positive(**numbers: int) -> None:
    for name, number in numbers.items():
        if number < 1:
            raise ValueError(f"{name} must be positive: got {number}")
