"""Logistic regression, fitted and differentiated by NumPy alone: what scores are compared with."""

import functools

import jax
import jax.numpy as jnp
import numpy as np

from course_utils import FittedModel, compose


def predict(params, x):
    return x @ params["w"] + params["b"]


def criterion(z, y):
    return jax.nn.softplus(-y * z)


def loss_fn(params, example):
    x, y = example
    return criterion(predict(params, x), y)


COMPOSED = compose(predict, criterion)


def with_bias(X):
    return np.c_[np.ones(len(X)), X]  # the order of the leaves: b before w


def as_params(theta):
    return {"w": jnp.asarray(theta[1:]), "b": jnp.asarray(theta[0])}


def newton(X, y, l2, weights=None):
    """The exact minimiser of (1/n) sum w_i softplus(-y_i x_i.theta) + l2/2 |theta|^2."""
    X, n = with_bias(X), len(X)
    weights = np.ones(n) if weights is None else weights
    theta = np.zeros(X.shape[1])
    for _ in range(50):
        q = 1 / (1 + np.exp(y * (X @ theta)))  # probability of the other class
        gradient = -X.T @ (weights * y * q) / n + l2 * theta
        H = (X * (weights * q * (1 - q))[:, None]).T @ X / n + l2 * np.eye(X.shape[1])
        theta = theta - np.linalg.solve(H, gradient)
        if np.linalg.norm(gradient) < 1e-14:
            break
    return theta


def losses(X, y, theta):
    return np.logaddexp(0, -y * (with_bias(X) @ theta))


def gradients(X, y, theta):
    q = 1 / (1 + np.exp(y * (with_bias(X) @ theta)))
    return -(y * q)[:, None] * with_bias(X)


def hessian(X, y, theta, l2):
    q = 1 / (1 + np.exp(y * (with_bias(X) @ theta)))
    A = (with_bias(X) * (q * (1 - q))[:, None]).T @ with_bias(X) / len(X)
    return A + l2 * np.eye(len(theta))


def sample(n, d, seed, mean=0.0):
    rng = np.random.default_rng(seed)
    X = mean + rng.normal(size=(n, d))
    return X, np.where(X.sum(axis=1) + rng.normal(size=n) > 0, 1.0, -1.0)


L2 = 0.05
X, Y = sample(40, 3, 0)
XT, YT = sample(6, 3, 1)
THETA = newton(X, Y, L2)
PARAMS = as_params(THETA)
H, G, G_TEST = hessian(X, Y, THETA, L2), gradients(X, Y, THETA), gradients(XT, YT, THETA)
DENSE = G_TEST @ np.linalg.solve(H, G.T) / len(X)


@functools.cache
def fitted(loss=loss_fn, **options):
    """The fit to 40 points, at its optimum; one for each set of options."""
    return FittedModel(loss, PARAMS, (X, Y), **{"l2": L2, **options})


def assert_agree(got, expected, eps):
    """Two score matrices agree to eps when the largest difference is eps of the largest score."""
    got, expected = np.asarray(got), np.asarray(expected)
    assert got.shape == expected.shape
    assert np.abs(got - expected).max() <= eps * np.abs(expected).max()


def only_warning(call, file):
    """The result of ``call`` and the one warning that it must give, aimed at ``file``."""
    from strict import every_warning  # here, since processes that tests start do not find it

    with every_warning("always", record=True) as caught:
        result = call()
    assert [w.category for w in caught] == [RuntimeWarning], list(map(str, caught))
    assert caught[0].filename == file
    return result, str(caught[0].message)


# Curvature +1 along a and -0.5 along b; the pulls of the four points have the mean zero.
SADDLE = {"a": jnp.zeros(()), "b": jnp.zeros(())}
PULLS = np.array([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]])


def saddle(params, pull):
    a, b = params["a"], params["b"]
    return 0.5 * a**2 - 0.25 * b**2 + pull @ jnp.stack([a, b])
