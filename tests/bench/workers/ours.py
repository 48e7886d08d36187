"""course_utils through its public functions, and what JAX alone does in the same place."""

import tempfile
import time
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import products
import protocol
from jax.flatten_util import ravel_pytree

from course_utils import (
    CG,
    Exact,
    FittedModel,
    compose,
    ggnvp,
    hessian_mvp,
    hvp,
    influence,
    influence_on_disk,
    models,
    tracin,
)
from course_utils import s_test as solved_for_tests


def prepare(arrays, settings, method):
    """The computation that ``method`` names, on arrays that JAX holds."""
    if method == "machine":
        return machine
    if method.startswith(products.KINDS):
        kind, what = method.split(", ")
        return product(products.task(kind, settings["tiny"], np.float32), what)
    names = ("X", "y", "X_test", "y_test")
    X, y, X_test, y_test = (jax.block_until_ready(jnp.asarray(arrays.pop(k))) for k in names)
    weights = {name: jnp.asarray(a) for name, a in arrays.items()}
    if settings["model"] == "softmax regression":
        params, predict = weights, models.linear
    else:
        params, predict = products.layers_of(weights, settings["layers"]), products.predict
    loss, train, test = compose(predict, models.cross_entropy), (X, y), (X_test, y_test)
    options = dict(l2=settings["l2"], curvature=settings.get("curvature", "hessian"))
    posed = lambda: FittedModel(loss, params, train, **options)  # part of every call that is timed
    solver = CG(tol=settings["tol"])
    if method in ("exact", "CG"):
        solver = Exact() if method == "exact" else solver
        return lambda: influence(posed(), test, solver=solver).scores
    if method == "verdict":
        refused = lambda scores: np.array([np.isnan(scores).all()], float)
        return lambda: refused(influence(posed(), test, solver=solver).scores)
    if method == "plain JAX":
        return lambda: np.asarray(plain(predict, params, train, test, **options))
    if method == "to disk":
        return lambda: to_disk(settings["shown"], posed(), test, solver)
    if method.startswith("30 "):
        return thirty(method, posed, (X_test[:1], y_test[:1]), options)
    path, count = method.rsplit(", ", 1)
    test = X_test[: int(count)], y_test[: int(count)]
    return inner_products(path, loss, params, train, test)


@partial(jax.jit, static_argnames=("predict", "curvature"))
def plain(predict, params, train, test, l2, curvature):
    """The scores as twenty lines of JAX without checks: what a reader might write."""
    theta, unravel = ravel_pytree(params)
    loss = lambda theta, x, y: models.cross_entropy(predict(unravel(theta), x), y)
    slopes = jax.vmap(jax.grad(loss), in_axes=(None, 0, 0))(theta, *test)
    X, y = train
    losses = lambda theta: jax.vmap(loss, in_axes=(None, 0, 0))(theta, X, y)
    if curvature == "hessian":
        H = jax.linearize(jax.grad(lambda theta: jnp.mean(losses(theta))), theta)[1]
    else:
        outputs = lambda theta: jax.vmap(lambda x: predict(unravel(theta), x))(X)
        mean = lambda z: jnp.mean(jax.vmap(models.cross_entropy)(z, y))
        z, push = jax.linearize(outputs, theta)
        pull = jax.linear_transpose(push, theta)
        H = lambda v: pull(jax.jvp(jax.grad(mean), (z,), (push(v),))[1])[0]
    solve = lambda b: jax.scipy.sparse.linalg.cg(lambda v: H(v) + l2 * v, b, tol=1e-5)[0]
    along = jax.linearize(losses, theta)[1]
    return jax.vmap(along)(jax.vmap(solve)(slopes)) / len(X)


def to_disk(shown, fit, test, solver):
    """All scores in a file, the 100 most helpful and harmful of each test point; a few scores."""
    with tempfile.TemporaryDirectory() as folder:
        result = influence_on_disk(folder, fit, test, solver=solver)
        result.helpful(100), result.harmful(100)
        return np.array(result.scores[:shown])


def thirty(method, posed, test, options):
    """Thirty steps of CG for one test point, or thirty products with the same matrix."""
    fit = posed()
    if method == "30 steps":
        solver = CG(tol=0.0, maxiter=30)
        return lambda: products.flat(solved_for_tests(posed(), test, solver=solver)[0])
    params, train = fit.params(fit.theta), fit.train
    once = jax.jit(lambda params, train, v: hessian_mvp(fit.loss_fn, params, train, **options)(v))

    def work():
        for _ in range(30):
            product = once(params, train, params)
        return products.flat(jax.block_until_ready(product))

    return work


def inner_products(path, loss, params, train, test):
    """(1/n) ∇ℓ_t · ∇ℓ_i for each test and training point: `tracin` at one checkpoint."""
    if path == "tracin":
        checkpoints = jax.tree.map(lambda a: a[None], params)
        return lambda: tracin(loss, checkpoints, train, test, [1.0])
    losses = jax.vmap(loss, in_axes=(None, 0))
    if path == "forward pass":
        function = jax.jit(lambda params, train, test: losses(params, train))
    elif path == "vmap(grad)":
        slopes = jax.vmap(jax.grad(loss), in_axes=(None, 0))
        rows = lambda tree: jnp.concatenate([a.reshape(len(a), -1) for a in jax.tree.leaves(tree)])
        function = jax.jit(
            lambda params, train, test: (
                rows(slopes(params, test)) @ rows(slopes(params, train)).T / len(train[0])
            )
        )
    return lambda: np.asarray(function(params, train, test))


def product(task, what):
    """A product with H or G, or a gradient."""

    def work(task):
        outputs = lambda params: task.predict(params, task.x)
        risk = lambda params: task.loss(outputs(params))
        if what == "gradient":
            return jax.grad(risk)(task.params)
        if what == "HVP":
            return hvp(risk, task.params, task.v)
        return ggnvp(outputs, task.loss, task.params, task.v)

    return products.compiled(work, task)


def machine():
    """What the machine does: float32 operations per second, and bytes read per second."""
    rng = np.random.default_rng(0)
    A, B = rng.normal(size=(2, 2048, 2048)).astype(np.float32)
    big, v = np.ones((60_000, 784), np.float32), np.ones(784, np.float32)
    return np.array([2 * 2048**3 / _best(lambda: A @ B), big.nbytes / _best(lambda: big @ v)])


def _best(work):
    times = []
    for _ in range(8):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)


if __name__ == "__main__":
    seconds = []  # of each program
    jax.monitoring.register_event_duration_secs_listener(
        lambda event, duration, **_: (
            seconds.append(duration) if event.endswith("backend_compile_duration") else None
        )
    )
    protocol.serve(prepare, "jax", seconds)
