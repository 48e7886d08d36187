r"""Four experiments at the sizes of their papers: minutes on one large GPU, days on a laptop.

``report("leave_one_out_linear")`` is what a lesson calls. It runs the experiment where the variable
``COURSE_SCALE`` is ``paper``, ``COURSE_DATA`` names a folder with MNIST's IDX files, and JAX has a
GPU. Elsewhere it says what is missing, and shows the stored run where there is one.

Every size is a keyword, and its default the paper's unless the docstring says otherwise. Convex
fits are in float64: leaving one of 55,000 points out changes a loss by some 1e-5, of which float32
would leave two digits. Networks are in float32: their refits differ by more than its rounding, and
have no optimum to be close to.
"""

import datetime
import json
import math
import os
import textwrap
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from course_utils import _files, data, models, plotting, trees
from course_utils.curvature import compose
from course_utils.data import Data
from course_utils.fitted_model import FittedModel
from course_utils.influence_functions import influence
from course_utils.retraining import check_influence, leave_one_out
from course_utils.solvers import LiSSA, cg
from course_utils.training import descend, empirical_risk, minimize

STORED = Path(__file__).with_name("paper_scale.json")


@contextmanager
def _in_64_bits() -> Iterator[None]:
    """float64 where it is asked for, products in full precision, and no warnings: see results."""
    before = jax.config.values["jax_enable_x64"]
    jax.config.update("jax_enable_x64", True)
    try:
        with jax.default_matmul_precision("highest"), warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)
            yield
    finally:
        jax.config.update("jax_enable_x64", before)


class Images(NamedTuple):
    """What the experiments read: images in rows, and in words which they are."""

    train: Data
    test: Data
    source: str


def mnist_images() -> Images:
    """MNIST from ``COURSE_DATA``: all of it or, without the training files, the test images.

    Of the 10,000 test images, in a random order, nine tenths are then the training set.
    """
    if data.mnist_files("train"):
        return Images(data.mnist("train"), data.mnist("test"), "training and test images of MNIST")
    X, y = data.mnist("test")
    order = np.random.default_rng(0).permutation(len(y))
    parts = data.split(X[order], y[order], len(y) * 9 // 10)
    return Images(*parts, "test images of MNIST alone, nine tenths to train on")


# --------------------------------------------------------------------------------------
# The experiments
# --------------------------------------------------------------------------------------


@_in_64_bits()
def leave_one_out_linear(
    images: Images | None = None,
    *,
    n: int = 55_000,
    l2: float = 0.01,
    top: int = 500,
    scale: float = 25.0,
    depth: int = 5_000,
    num_samples: int = 10,
) -> dict[str, Any]:
    """Koh and Liang 2017, Fig. 2 left and middle: softmax regression, scores against refits.

    The first test image that the model misreads; the ``top`` training images of the largest score
    by CG, each left out in turn (mean loss of the others, same l2); LiSSA with the paper's scale,
    depth and repeats of single images, last states averaged.
    """
    train, test, source = images or mnist_images()
    X, y = jnp.asarray(train.X[-n:], float), jnp.asarray(train.y[-n:])
    loss = compose(lambda W, x: x @ W, models.cross_entropy)
    start = jnp.zeros((X.shape[1], 10))
    risk = empirical_risk(loss, (X, y), l2=l2)
    W, info = minimize(risk, start, method="lbfgs", tol=1e-9, maxiter=5_000)
    fit = FittedModel(loss, W, (X, y), l2=l2, removal="refit-mean")

    t = _first_misread(test.X @ np.asarray(W), test.y)
    asked = jnp.asarray(test.X[[t]], float), jnp.asarray(test.y[[t]])
    by_cg = influence(fit, asked)
    lissa = LiSSA(scale=scale, recursion_depth=depth, num_samples=num_samples, average=0.0)
    by_lissa = influence(fit, asked, solver=lissa)
    chosen = np.argsort(-abs(by_cg.scores[0]), kind="stable")[:top]
    measure = jax.jit(lambda W: jax.vmap(loss, (None, 0))(W, asked))
    real = leave_one_out(fit, measure, indices=chosen)[0]
    error = np.linalg.norm(by_lissa.s_test - by_cg.s_test) / np.linalg.norm(by_cg.s_test)
    return {
        "n": len(y),
        "parameters": W.size,
        "test image": t,
        "points left out": len(chosen),
        **_agreement("CG", by_cg.scores[0, chosen], real),
        **_agreement("LiSSA", by_lissa.scores[0, chosen], real),
        "error of LiSSA's solution": error,
        "gradient of the fit": info.gradient_norm,
        "images": source,
    }


@_in_64_bits()
def leave_one_out_cnn(
    images: Images | None = None,
    *,
    n: int = 5_500,
    channels: Sequence[int] = (1, 8, 8, 8, 8, 8),
    l2: float = 0.001,
    damping: float = 0.01,
    top: int = 100,
    batch_size: int = 500,
    num_steps: int = 500_000,
    refit_steps: int = 30_000,
    step_size: float = 1e-4,
    faster: int = 10,
    at_once: int = 101,
    seed: int = 0,
) -> dict[str, Any]:
    """Koh and Liang 2017, Fig. 2 right: a network that has not converged, trained on from there.

    Adam, whose step size falls to a tenth after 22 % and again after 44 % of the steps; then the
    ``top`` points of the largest damped score are left out in turn, for ``refit_steps`` more at the
    last step size, all runs with the same batches. A real change is the difference of the test loss
    from the same run with all points. Scores are by the Hessian, as in the paper, or where that is
    not positive definite by the Gauss-Newton matrix.

    Not the paper's: ``faster`` divides the numbers of steps and multiplies the step sizes (1 is the
    paper's), and ``models.cnn`` has five convolutions and 2,506 parameters in place of seven and
    2,616.
    """
    train, test, source = images or mnist_images()
    X, y = _pictures(train.X[-n:]), jnp.asarray(train.y[-n:])
    loss = compose(models.cnn, models.cross_entropy)
    num_steps, refit_steps = num_steps // faster, refit_steps // faster
    drops = {num_steps * 22 // 100: 0.1, num_steps * 44 // 100: 0.1}
    adam = optax.adam(optax.piecewise_constant_schedule(step_size * faster, drops))
    keys = jax.random.split(jax.random.key(seed), 3)
    start = _small_cnn(channels, keys[0])
    options: dict[str, Any] = dict(l2=l2, batch_size=batch_size)

    def trained(data):
        return descend(loss, start, adam, num_steps, data=data, key=keys[1], **options).params

    params = jax.jit(trained)((X, y))
    gradient = jax.jit(lambda data: jax.grad(empirical_risk(loss, data, l2=l2))(params))((X, y))
    logits = jax.jit(models.cnn)(params, _pictures(test.X))
    t = _first_misread(logits, test.y)
    asked = _pictures(test.X[[t]]), jnp.asarray(test.y[[t]])

    scores, least, definite = damped_scores(loss, params, (X, y), asked, l2, damping)
    chosen = np.argsort(-abs(scores), kind="stable")[:top]
    weights = np.ones((len(chosen) + 1, len(y)), np.float32)
    weights[1 + np.arange(len(chosen)), chosen] = 0
    weighted = lambda params, z: z[2] * loss(params, z[:2])
    slow = optax.adam(step_size * faster / 100)

    def loss_after(weights, data):
        data = *data, weights
        again = descend(weighted, params, slow, refit_steps, data=data, key=keys[2], **options)
        return loss(again.params, jax.tree.map(lambda a: a[0], asked))

    of_rows = lambda rows, data: trees.map_rows(lambda w: loss_after(w, data), rows, at_once)
    losses = np.asarray(jax.jit(of_rows)(weights, (X, y)), float)
    return {
        "n": len(y),
        "parameters": trees.size(params),
        "test image": t,
        "points left out": len(chosen),
        "steps": num_steps,
        "steps of a refit": refit_steps,
        **_agreement("", scores[chosen], losses[1:] - losses[0]),
        "scores by Gauss-Newton": int(not definite),
        "least curvature met": least,
        "gradient of the fit": trees.norm(gradient),
        "share of test images misread": np.mean(np.argmax(logits, 1) != test.y),
        "images": source,
    }


def damped_scores(loss, params, train, asked, l2, damping):
    """Scores, the least curvature of the Hessian that CG met, and whether that was definite.

    By the damped Hessian, or where that is not definite by the damped Gauss-Newton matrix.
    """
    options = dict(l2=l2, damping=damping)
    found = influence(FittedModel.at(loss, params, train, **options), asked)
    least, definite = found.info.min_curvature[0] - damping, np.isfinite(found.scores).all()
    if not definite:
        found = influence(FittedModel.at(loss, params, train, curvature="ggn", **options), asked)
    return found.scores[0], least, definite


@_in_64_bits()
def training_set_attack(
    images: Images | None = None,
    *,
    cnn_images: int = 5_000,
    n: int = 1_000,
    num_tests: int = 591,
    channels: Sequence[int] = (1, 16, 32, 64),
    cnn_steps: int = 3_000,
    l2: float = 0.001,
    counts: Sequence[int] = (1, 2, 10),
    levels: Sequence[float] = (2, 4, 8, 16),
    rounds: int = 10,
    seed: int = 0,
) -> dict[str, Any]:
    """Koh and Liang 2017, Fig. 5: change training images a little, and a test image is misread.

    For each of ``num_tests`` test images that are read rightly, the 1, 2 or 10 training images of
    the largest slope (see ``attacked``) are changed by at most so many levels of 255.

    Not the paper's: ten digits in place of dogs and fish, and the features of a network trained on
    other images of the same kind in place of Inception's.
    """
    train, test, source = images or mnist_images()
    size = min(500, cnn_images)
    keys = jax.random.split(jax.random.key(seed))
    loss = compose(models.cnn, models.cross_entropy)
    first = _pictures(train.X[:cnn_images]), jnp.asarray(train.y[:cnn_images])
    begin = _small_cnn(channels, keys[0])
    fit = lambda data: descend(
        loss, begin, optax.adam(3e-3), cnn_steps, data=data, batch_size=size, key=keys[1]
    )
    cnn = jax.jit(fit)(first).params
    features = features_of(cnn)
    rows = slice(cnn_images, cnn_images + n)
    X, y, asked = _pictures(train.X[rows]), jnp.asarray(train.y[rows]), _pictures(test.X)
    top = compose(lambda W, f: f @ W, models.cross_entropy)
    risk = empirical_risk(top, (features(X), y), l2=l2)
    W, info = minimize(risk, jnp.zeros((channels[-1] + 1, 10), jnp.float32), tol=1e-6)
    right = np.argmax(features(asked) @ W, 1) == test.y
    chosen = np.flatnonzero(right)[:num_tests]
    asked, labels = asked[chosen], jnp.asarray(test.y[chosen])

    steepest = jax.jit(lambda X, y, x, label: order_by_slope(features, W, (X, y), (x, label), l2))
    most = max(counts)
    order = jnp.stack([steepest(X, y, x, label)[:most] for x, label in zip(asked, labels)])
    attack = lambda x, label, i, *how: attacked(
        features, W, (X, y), (x, label), i, *how, l2=l2, rounds=rounds
    )
    attack_all = jax.jit(jax.vmap(attack, (0, 0, 0, None, None)))
    spread = features(X) - features(X).mean(axis=0)
    found = {
        "n": len(y),
        "test images attacked": len(chosen),
        "share of test images misread": 1 - right.mean(),
        "mean distance of features from their centre": jnp.linalg.norm(spread, axis=1).mean(),
    }
    left = info.gradient_norm
    for level in levels:
        for count in counts:
            end = attack_all(asked, labels, order, count, level / 255)
            name = f"{count} images by {level:g} levels" if count > 1 else f"1 by {level:g} levels"
            found[f"share misread, {name}"] = end.misread.mean()
            left = jnp.maximum(left, end.gradient_left.max())
            if count == min(counts):
                moved = features(end.images[:, 0]) - features(X[order[:, 0]])
                moved = jnp.linalg.norm(moved, axis=1).mean()
                found[f"mean move of features, {level:g} levels"] = moved
    return {**found, "largest gradient of a fit": left, "images": source}


class Attacked(NamedTuple):
    """What ``attacked`` returns: the changed training images, the refit, and how it ends."""

    images: jax.Array
    params: jax.Array
    misread: jax.Array  # after any of the rounds
    loss_rise: jax.Array  # after the last one
    gradient_left: jax.Array


def attacked(
    features: Callable,
    W: jax.Array,
    train: tuple[jax.Array, jax.Array],
    asked: tuple[jax.Array, jax.Array],
    i: jax.Array,
    count: jax.Array | int,
    size: jax.Array | float,
    *,
    l2: float,
    rounds: int = 10,
    newton_steps: int = 6,
    cg_steps: int = 50,
) -> Attacked:
    r"""Move the first ``count`` training images of ``i`` so that one test image is misread.

    Each round takes a step of a quarter of ``size`` along the sign of $\partial m/\partial x_i$,
    stays within ``size`` of the clean image and within [0, 1], and fits ``W`` (softmax regression
    on the features) again, from where it was.
    """
    (X, y), (x, label) = train, asked
    F, f, clean = features(X), features(x), X[i]
    reach = jnp.where(jnp.arange(len(i)) < count, size, 0.0).astype(X.dtype)
    reach = reach.reshape(-1, *[1] * (X.ndim - 1))
    test_loss = lambda W: models.cross_entropy(f @ W, label)
    products = lambda W, F: jax.linearize(lambda W: _slope(W, F, y, l2), W)

    def refit(F, W):
        def step(_, W):
            slope, hessian = products(W, F)
            return W - cg(hessian, slope, tol=1e-6, maxiter=cg_steps)[0]

        return jax.lax.fori_loop(0, newton_steps, step, W)

    def one_round(_, state):
        images, W, F, misread = state
        slope = _input_slope(features, W, F, (images, y[i]), y, jax.grad(test_loss)(W), l2)
        images = images + reach / 4 * jnp.sign(slope)
        images = jnp.clip(jnp.clip(images, clean - reach, clean + reach), 0, 1)
        F = F.at[i].set(features(images))
        W = refit(F, W)
        return images, W, F, misread | (jnp.argmax(f @ W) != label)

    start = clean, W, F, jnp.argmax(f @ W) != label
    images, after, F, misread = jax.lax.fori_loop(0, rounds, one_round, start)
    left = jnp.linalg.norm(_slope(after, F, y, l2))
    return Attacked(images, after, misread, test_loss(after) - test_loss(W), left)


def order_by_slope(features, W, train, asked, l2):
    r"""Training images by the sum of $|\partial m/\partial x_i|$ over pixels, largest first."""
    (X, y), (x, label) = train, asked
    pull = jax.grad(lambda W: models.cross_entropy(features(x) @ W, label))(W)
    slope = _input_slope(features, W, features(X), (X, y), y, pull, l2)
    return jnp.argsort(-jnp.abs(slope).sum(axis=range(1, X.ndim)))


def _input_slope(features, W, F, data, y, pull, l2):
    """-(1/n) of the derivative of s . (gradient of a loss) by its image, s = H^-1 pull."""
    _, hessian = jax.linearize(lambda W: _slope(W, F, y, l2), W)
    s = cg(hessian, pull, tol=1e-5, maxiter=200)[0]
    images, labels = data

    def along(images):
        f = features(images)
        return jnp.sum((f @ s) * _residual(f @ W, labels))

    return jax.grad(along)(images) / -len(y)


def features_of(cnn: dict) -> Callable[[jax.Array], jax.Array]:
    """What the last layer of a ``models.cnn`` reads of images, and a one for its bias."""
    width = cnn["out"]["w"].shape[0]
    body = {**cnn, "out": {"w": jnp.eye(width, dtype=cnn["out"]["w"].dtype)}}

    @jax.jit
    def features(x):
        f = models.cnn(body, x)
        return jnp.concatenate([f, jnp.ones_like(f[..., :1])], axis=-1)

    return features


def _residual(logits, y):
    return jax.nn.softmax(logits) - jax.nn.one_hot(y, logits.shape[-1], dtype=logits.dtype)


def _slope(W, F, y, l2):
    return F.T @ _residual(F @ W, y) / len(y) + l2 * W


RANKINGS = ("loss", "self-influence", "leave-one-out loss")


@_in_64_bits()
def wrong_labels(
    images: Images | None = None,
    *,
    classes: tuple[int, int] = (3, 8),
    n: int = 8_000,
    flipped: float = 0.1,
    checked: float = 0.1,
    num_seeds: int = 40,
    l2s: Sequence[float] = (1e-1, 1e-2, 1e-3, 1e-4, 1e-5),
    at_once: int = 8,
) -> dict[str, Any]:
    """Koh and Liang 2017, Fig. 6, on images: which ranking finds wrong labels?

    A tenth of the labels of 3 against 8 is flipped, 40 times; logistic regression is fitted, and
    the first tenth of each ranking checked: what share of the flips is among it? Means with their
    standard errors; the lead, in pairs of the same flips, changes sign where the curves cross.

    Not the paper's: images in place of 4,147 mails.
    """
    train, _, source = images or mnist_images()
    rows = np.flatnonzero(np.isin(train.y, classes))[:n]
    X, y = jnp.asarray(train.X[rows], float), train.y[rows] == classes[1]
    flips = np.zeros((num_seeds, len(y)), bool)
    for seed, row in enumerate(flips):
        number = round(flipped * len(y))
        row[np.random.default_rng(seed).choice(len(y), number, replace=False)] = True
    of_rows = jax.jit(
        lambda X, y, flips, l2: trees.map_rows(
            lambda flip: shares_found(X, y, flip, l2, checked), flips, at_once
        )
    )
    found: dict[str, Any] = {"n": len(y), "draws of the flips": num_seeds}
    for l2 in l2s:
        shares, gradients = map(np.asarray, of_rows(X, jnp.asarray(y), flips, l2))
        lead = {"lead of self-influence over loss": shares[:, 1] - shares[:, 0]}
        for name, values in (dict(zip(RANKINGS, shares.T)) | lead).items():
            found[f"{name}, l2 {l2:g}"] = values.mean()
            error = np.std(values, ddof=1) / num_seeds**0.5
            found[f"{name}, l2 {l2:g}, standard error"] = error
        found[f"largest gradient, l2 {l2:g}"] = gradients.max()
    return {**found, "images": source}


def shares_found(X, y, flip, l2, checked):
    """The share of the flips among the first of each of RANKINGS, (3,), and the gradient left."""
    labels = jnp.where(flip, ~y, y).astype(X.dtype)
    loss = lambda w, z: models.logistic_loss(z[0] @ w, z[1])
    risk = empirical_risk(loss, (X, labels), l2=l2)
    w, info = minimize(risk, jnp.zeros(X.shape[1], X.dtype), method="newton", tol=1e-9)
    z, n = X @ w, len(labels)
    miss = jax.nn.sigmoid(z) - labels
    curvature = jax.nn.sigmoid(z) * jax.nn.sigmoid(-z)
    H = (X.T * curvature) @ X / n + l2 * jnp.eye(X.shape[1], dtype=X.dtype)
    factor = jax.scipy.linalg.cho_factor(H)
    q = jnp.sum(X * jax.scipy.linalg.cho_solve(factor, X.T).T, axis=1) / n
    without = z + miss * q / (1 - curvature * q)
    losses = jax.vmap(models.logistic_loss)
    scores = losses(z, labels), miss**2 * q, losses(without, labels)
    count = math.ceil(round(checked * n, 9))
    share = lambda score: flip[jnp.argsort(-score)[:count]].sum() / flip.sum()
    return jnp.stack([share(score) for score in scores]), info.gradient_norm


def _agreement(name, predicted, real):
    agreed, of = check_influence(predicted, real), f", {name}" if name else ""
    return {f"r{of}": agreed.pearson, f"slope{of}": agreed.slope}


def _first_misread(logits, y):
    (wrong,) = np.nonzero(np.argmax(np.asarray(logits), axis=1) != np.asarray(y))
    return int(wrong[0])


def _pictures(X):
    side = math.isqrt(X.shape[1])
    return jnp.asarray(X, jnp.float32).reshape(-1, side, side, 1)


def _small_cnn(channels, key):
    start = models.init_cnn(channels, 10, key=key)
    return jax.tree.map(lambda a: a.astype(jnp.float32), start)


# --------------------------------------------------------------------------------------
# Running, storing and showing them
# --------------------------------------------------------------------------------------


class Experiment(NamedTuple):
    """A function of this module, minutes that it is estimated to take, and the paper's numbers."""

    function: Callable[..., dict[str, Any]]
    minutes: int
    paper: dict[str, float | str]


EXPERIMENTS = {
    "leave_one_out_linear": Experiment(
        leave_one_out_linear, 3, dict.fromkeys(["r, CG", "r, LiSSA"], "close to the diagonal")
    ),
    "leave_one_out_cnn": Experiment(leave_one_out_cnn, 3, {"r": 0.86, "parameters": 2_616}),
    "training_set_attack": Experiment(
        training_set_attack,
        3,
        {
            "share misread, 1 by 2 levels": "0.57 (at half a level)",
            "share misread, 2 images by 2 levels": "0.77 (at half a level)",
            "share misread, 10 images by 2 levels": "0.998 (at half a level)",
            "mean move of features, 2 levels": "11.13 (at half a level)",
            "mean distance of features from their centre": 12.86,
        },
    ),
    "wrong_labels": Experiment(wrong_labels, 2, {}),
}


def run(name: str, **sizes: Any) -> dict[str, Any]:
    """Run an experiment by its name; what it found, with the machine, the date and the seconds."""
    began = time.perf_counter()
    found = EXPERIMENTS[name].function(**sizes)
    device = jax.devices()[0]
    return {key: _plain(value) for key, value in found.items()} | {
        "seconds": round(time.perf_counter() - began, 1),
        "machine": f"{device.device_kind} ({device.platform})",
        "jax": jax.__version__,
        "date": datetime.date.today().isoformat(),
    }


def _plain(value):
    """A number as JSON has it: NaN, which it has not, becomes None."""
    if isinstance(value, str):
        return value
    value = np.asarray(value).item()
    return value if math.isfinite(value) else None


def missing(*, asked: bool = False) -> list[str]:
    """What a run at the paper's size lacks here; ``asked``: it need not be by ``COURSE_SCALE``.

    Raises:
        ValueError: if ``COURSE_SCALE`` is set to anything but ``paper``.
    """
    scale = os.environ.get("COURSE_SCALE", "")
    if scale not in ("", "paper"):
        raise ValueError(f"COURSE_SCALE must be 'paper' or not set at all: it is {scale!r}")
    if not (asked or scale):
        return ["COURSE_SCALE=paper"]
    found = {
        "a GPU that JAX sees": jax.default_backend() == "gpu",
        "COURSE_DATA, a folder with MNIST's IDX files": data.mnist_files("test") is not None,
    }
    return [name for name, is_there in found.items() if not is_there]


def stored() -> dict[str, dict[str, Any]]:
    """The results that ``python3 -m course_utils paper --store`` has written, by name."""
    return json.loads(STORED.read_text(encoding="utf-8")) if STORED.exists() else {}


def store(name: str, result: dict[str, Any]) -> None:
    """Write a result beside this module, in place of an older one."""
    text = json.dumps(stored() | {name: result}, indent=1) + "\n"
    _files.write_whole(STORED, lambda file: file.write(text.encode()))


def report(name: str) -> None:
    """Run an experiment and show its numbers beside the paper's, or say why not.

    Where it cannot run here, or ``COURSE_SCALE`` does not ask for it, the stored run is shown.
    """
    lacking = missing()
    if not lacking:
        show(name, run(name))
        return
    said = (
        f"Not run at the paper's size, for want of {' and of '.join(lacking)}: this cell, or "
        f"python3 -m course_utils paper {name}, takes an estimated {EXPERIMENTS[name].minutes} "
        "minutes on one large GPU (H200) with COURSE_SCALE=paper and COURSE_DATA, a folder with "
        "MNIST's IDX files, and "
    )
    result = stored().get(name)
    said += "a stored run gave what follows." if result else "no such run has been stored yet."
    print(textwrap.fill(said, 80, break_on_hyphens=False))
    if result:
        show(name, result)


def show(name: str, result: dict[str, Any]) -> None:
    """A table of the numbers of a run, beside the paper's where it has them."""
    paper = EXPERIMENTS[name].paper
    numbers = {key: value for key, value in result.items() if not isinstance(value, str)}
    rows = [[key, value, paper.get(key)] for key, value in numbers.items()]
    caption = "{machine}, jax {jax}, {date}; {images}".format(**result)
    plotting.table(rows, ["", "here", "paper"], formats=".3g", caption=caption)
