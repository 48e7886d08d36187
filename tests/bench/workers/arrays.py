"""The arrays of a workload, always the same ones, and the scores in float64 by other means.

    PYTHON arrays.py WORKLOAD FOLDER [tiny]

writes ``arrays.npz`` (float32: data, and weights fitted in float64), ``settings.json`` and
``reference.npz`` (float64), all by NumPy and SciPy; the networks' derivatives alone are JAX's.
"""

import json
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import products
import scipy.linalg
import scipy.optimize
import scipy.special
from jax.flatten_util import ravel_pytree

from course_utils import data

L2 = 0.01
L2_OF_MIXTURE = 0.001  # with which conjugate gradients take about 30 steps
SHOWN = 10  # test points whose scores are compared, where there are many
TOL = 1e-5  # the relative residual at which every conjugate gradient method stops


def digits(n_train, n_test):
    """Digits, standardised: a pixel that never changes in training is 0."""
    train, test = data.split(*data.digits(), 1437)
    mean, std = train.X.mean(axis=0), train.X.std(axis=0)
    scaled = [(part.X - mean) / np.where(std > 0, std, 1) for part in (train, test)]
    y, y_test = train.y[:n_train], test.y[:n_test]
    return scaled[0][:n_train], y, scaled[1][:n_test], y_test


def mixture(n_train, n_test, d):
    """Ten Gaussian classes of unit variance, the means about four standard deviations apart."""
    rng = np.random.default_rng(0)
    means = rng.normal(size=(10, d)) * np.sqrt(8 / d)
    y = rng.integers(10, size=n_train + n_test)
    X = means[y] + rng.normal(size=(n_train + n_test, d))
    return X[:n_train], y[:n_train], X[n_train:], y[n_train:]


# Softmax regression, by hand. Weights W (d, k); with a bias X has a column of ones.


class SoftmaxRegression:
    """R(W), its gradient and its Hessian as a product, of the mean loss + l2/2 ||W||²."""

    def __init__(self, X, y, W, l2):
        self.X, self.W, self.l2 = X, W, l2
        self.probabilities = scipy.special.softmax(X @ W, axis=1)  # (n, k)
        self.residuals = residuals(self.probabilities, y)
        losses = -np.log(self.probabilities[np.arange(len(y)), y])
        self.value = losses.mean() + l2 / 2 * np.sum(W**2)
        self.gradient = X.T @ self.residuals / len(X) + l2 * W

    def product(self, V):
        """H V, shape (d, k)."""
        P, Z = self.probabilities, self.X @ V
        return self.X.T @ (P * (Z - np.sum(P * Z, axis=1, keepdims=True))) / len(P) + self.l2 * V

    def dense(self):
        """H, shape (d k, d k), block by block."""
        (d, k), P, X = self.W.shape, self.probabilities, self.X
        H = np.empty((d, k, d, k))
        for a in range(k):
            for b in range(k):
                weights = P[:, a] * ((a == b) - P[:, b])
                H[:, a, :, b] = X.T @ (weights[:, None] * X) / len(X)
        return H.reshape(d * k, d * k) + self.l2 * np.eye(d * k)


def residuals(probabilities, y):
    """The derivative of each loss by its logits, (n, k)."""
    return probabilities - np.eye(probabilities.shape[1])[y]


def conjugate_gradients(product, b, tol, maxiter=np.inf):
    """x with ||b - A x|| <= tol ||b||, unless the steps run out; and their number."""
    x, r = np.zeros_like(b), b.copy()
    p, rr, steps = r.copy(), np.sum(r * r), 0
    stop = tol**2 * rr
    while rr > stop and steps < maxiter:
        Ap = product(p)
        step = rr / np.sum(p * Ap)
        x, r = x + step * p, r - step * Ap
        rr, before = np.sum(r * r), rr
        p, steps = r + rr / before * p, steps + 1
    return x, steps


def fit(X, y, l2, k=10):
    """W by Newton's method; steps are halved until they lower R."""
    W = np.zeros((X.shape[1], k))
    model = SoftmaxRegression(X, y, W, l2)
    while np.linalg.norm(model.gradient) > 1e-9:
        step, _ = conjugate_gradients(model.product, -model.gradient, 1e-3)
        size = 1.0
        while True:
            trial = SoftmaxRegression(X, y, W + size * step, l2)
            if trial.value <= model.value + 1e-14:
                break
            size /= 2
        W, model = trial.W, trial
    return model


def regression(X, y, X_test, y_test, l2, bias, exactly):
    """Weights, scores, and the steps that CG needs for one test point."""
    ones = lambda X: np.c_[X, np.ones(len(X))] if bias else X
    X, X_test = ones(X), ones(X_test)
    model = fit(X, y, l2)
    to_test = residuals(scipy.special.softmax(X_test @ model.W, axis=1), y_test)  # (t, k)
    slopes = X_test[:, :, None] * to_test[:, None, :]  # (t, d, k)
    _, steps = conjugate_gradients(model.product, slopes[0], TOL)
    if exactly:
        flat = slopes.reshape(len(slopes), -1)
        S = scipy.linalg.solve(model.dense(), flat.T, assume_a="pos").T.reshape(slopes.shape)
    else:
        S = np.stack([conjugate_gradients(model.product, s, 1e-11)[0] for s in slopes])
    scores = np.stack([np.sum((X @ s) * model.residuals, axis=1) for s in S]) / len(X)
    W = model.W
    weights = {"w": W[:-1], "b": W[-1]} if bias else {"w": W}
    return weights, scores, steps


# Networks: J (n, k, p) by JAX in float64, the rest by hand.


def network(kind, X, y, X_test, y_test):
    """Layers, GGN scores, the first 30 steps of CG, and how many it needs, in the mean of ten."""
    start, unravel = ravel_pytree(products.network(kind))
    predict = jax.vmap(products.predict, in_axes=(None, 0))

    @jax.jit
    def risk(flat):
        z = predict(unravel(flat), X)
        losses = jax.nn.logsumexp(z, axis=1) - z[jnp.arange(len(y)), y]
        return jnp.mean(losses) + L2 / 2 * flat @ flat

    options = dict(maxiter=20_000, maxfun=20_000, maxcor=30, ftol=0, gtol=1e-8)
    found = scipy.optimize.minimize(
        jax.jit(jax.value_and_grad(risk)), start, jac=True, method="L-BFGS-B", options=options
    )
    flat = jnp.asarray(found.x)

    def slopes(X, y):
        of_one = jax.jacrev(lambda flat, x: products.predict(unravel(flat), x))
        of_some = jax.jit(jax.vmap(of_one, in_axes=(None, 0)))
        J = np.concatenate([of_some(flat, X[i : i + 64]) for i in range(0, len(X), 64)])
        P = scipy.special.softmax(np.asarray(predict(unravel(flat), X)), axis=1)
        return J, P, np.einsum("nkp,nk->np", J, residuals(P, y))

    J, P, gradients = slopes(X, y)
    root = np.sqrt(P)  # diag(P) - P Pᵀ = Lᵀ L with L = diag(√P) - √P Pᵀ
    J = root[:, :, None] * (J - np.einsum("nkp,nk->np", J, P)[:, None, :])
    J = J.reshape(-1, len(flat))
    G = J.T @ J / len(X)
    G[np.diag_indices_from(G)] += L2
    _, _, test_gradients = slopes(X_test, y_test)
    S = scipy.linalg.solve(G, test_gradients.T, assume_a="pos").T
    tried = test_gradients[:10]
    steps = np.mean([conjugate_gradients(lambda v: G @ v, b, TOL)[1] for b in tried])
    first, _ = conjugate_gradients(lambda v: G @ v, test_gradients[0], 0.0, maxiter=30)
    references = {"scores": S @ gradients.T / len(X), "30 steps": first}
    return unravel(flat), references, float(steps)


# The workloads: data, weights, scores, facts. Among the facts, "operations" and "bytes" are what
# must be computed or read whatever the method; `bench` turns them into seconds.


def w1(tiny):
    """Digits: all scores of softmax regression with bias."""
    arrays = digits(*((100, 20) if tiny else (1437, 360)))
    weights, scores, _ = regression(*arrays, L2, bias=True, exactly=True)
    n, d, t, k = len(arrays[0]), arrays[0].shape[1] + 1, len(scores), 10
    p = d * k
    # H: k (k + 1) / 2 blocks X'DX, symmetric, n d² each; its factor: p³/3; solves: 2 p² t;
    # scores: X s and its product with the residuals, 2 n p t
    operations = k * (k + 1) / 2 * n * d**2 + p**3 / 3 + 2 * p**2 * t + 2 * n * p * t
    facts = dict(model="softmax regression", curvature="hessian")
    return arrays, weights, {"scores": scores}, facts | {"scores": {"operations": operations}}


def w2(tiny):
    """A Gaussian mixture: the scores of one test point."""
    arrays = mixture(*((500, 1, 20) if tiny else (60_000, 1, 784)))
    weights, scores, steps = regression(*arrays, L2_OF_MIXTURE, bias=False, exactly=False)
    # each step of CG reads X (float32) twice, forwards and backwards, and the scores once more
    necessary = {"bytes": (2 * steps + 1) * 4 * arrays[0].size}
    facts = dict(l2=L2_OF_MIXTURE, model="softmax regression", curvature="hessian")
    facts["scores"] = necessary
    return arrays, weights, {"scores": scores}, facts


def w3(kind, tiny):
    """Digits: a network, GGN + 0.01 I, 100 test points."""
    X, y, X_test, y_test = digits(*((60, 5) if tiny else (1437, 100)))
    if kind == "cnn":
        X, X_test = X.reshape(-1, 8, 8, 1), X_test.reshape(-1, 8, 8, 1)
    layers, references, steps = network(kind, X, y, X_test, y_test)
    # a product is four passes through the layers: two for the tangents, two back
    passes = 4 * steps * len(X) * len(X_test)
    necessary = {"operations": 2 * passes * products.multiplications(layers, 8)}
    facts = dict(model=kind, curvature="ggn", layers=len(layers), scores=necessary)
    return (X, y, X_test, y_test), products.named(layers), references, facts


def w4(tiny):
    """Four models, which make their own data: one product with H and one with G for each."""
    references = {}
    for kind in products.KINDS:
        task = products.task(kind, tiny, np.float64)
        references |= {f"{kind}, {what}": value for what, value in products.by_hand(task).items()}
    return [np.zeros(0)] * 4, {}, references, {}


def w5(tiny):
    """A Gaussian mixture: ∇ℓ_i · s for s = ∇ℓ of 1, 10 and 100 test points."""
    arrays = mixture(*((500, 100, 20) if tiny else (60_000, 100, 784)))
    X, y, X_test, y_test = arrays
    W = 0.1 * np.random.default_rng(1).normal(size=(X.shape[1], 10))
    slopes = lambda X, y: residuals(scipy.special.softmax(X @ W, axis=1), y)
    scores = (X_test @ X.T) * (slopes(X_test, y_test) @ slopes(X, y).T) / len(X)  # ∇ℓ = x ⊗ slope
    references = {f"scores, {t}": scores[:t] for t in (1, 10, 100)}
    # the logits and then one product with X for each test point; X is read at least once
    necessary = lambda t: {"bytes": 4 * X.size, "operations": 2 * len(X) * W.size * (1 + t)}
    facts = {f"scores, {t}": necessary(t) for t in (1, 10, 100)}
    return arrays, {"w": W}, references, facts | {"model": "softmax regression"}


def w6(tiny):
    """A Gaussian mixture: a thousand test points, of which the reference has ten."""
    X, y, X_test, y_test = mixture(*((500, 20, 20) if tiny else (55_000, 1_000, 784)))
    few = X_test[:SHOWN], y_test[:SHOWN]
    weights, scores, _ = regression(X, y, *few, L2_OF_MIXTURE, bias=False, exactly=False)
    facts = dict(l2=L2_OF_MIXTURE, model="softmax regression", curvature="hessian", shown=SHOWN)
    return (X, y, X_test, y_test), weights, {"scores": scores}, facts


def w7_fitted(tiny):
    """Digits: a small network at its optimum, GGN + 0.01 I, 8 test points."""
    X, y, X_test, y_test = digits(*((60, 5) if tiny else (200, 8)))
    layers, references, _ = network("small mlp", X, y, X_test, y_test)
    facts = dict(model="small mlp", curvature="ggn", layers=len(layers))
    return (X, y, X_test, y_test), products.named(layers), references, facts


def w7_random(tiny):
    """The same network with random weights: is the Hessian + 0.01 I indefinite (1) or not (0)?"""
    X, y, X_test, y_test = digits(*((60, 5) if tiny else (200, 8)))
    flat, unravel = ravel_pytree(products.network("small mlp"))
    predict = jax.vmap(products.predict, in_axes=(None, 0))

    @jax.jit
    def mean_loss(flat):
        z = predict(unravel(flat), X)
        return jnp.mean(jax.nn.logsumexp(z, axis=1) - z[jnp.arange(len(y)), y])

    lowest = np.linalg.eigvalsh(jax.jit(jax.hessian(mean_loss))(flat))[0] + L2
    layers = unravel(flat)
    facts = dict(model="small mlp", curvature="hessian", layers=len(layers))
    verdict = np.array([lowest < 0], float)
    return (X, y, X_test, y_test), products.named(layers), {"verdict": verdict}, facts


RECIPES = {
    "W1": w1,
    "W2": w2,
    "W3 MLP": lambda tiny: w3("mlp", tiny),
    "W3 CNN": lambda tiny: w3("cnn", tiny),
    "W4": w4,
    "W5": w5,
    "W6": w6,
    "W7 GGN": w7_fitted,
    "W7 Hessian": w7_random,
}


def main(workload, folder, tiny):
    """Write the three files."""
    jax.config.update("jax_enable_x64", True)
    (X, y, X_test, y_test), weights, references, facts = RECIPES[workload](tiny)
    floats = {"X": X, "X_test": X_test} | weights
    arrays = {name: np.asarray(a, np.float32) for name, a in floats.items()}
    arrays |= {"y": np.asarray(y, np.int32), "y_test": np.asarray(y_test, np.int32)}
    settings = {"l2": L2, "tol": TOL, "tiny": tiny} | facts
    folder = Path(folder)
    np.savez(folder / "arrays.npz", **arrays)
    np.savez(folder / "reference.npz", **references)
    (folder / "settings.json").write_text(json.dumps(settings), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], "tiny" in sys.argv[3:])
