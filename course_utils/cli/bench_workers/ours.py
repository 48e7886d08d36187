"""course_utils through its public functions, and what JAX alone does in the same place."""

import tempfile
import time

import jax
import jax.numpy as jnp
import numpy as np
import products
import protocol

from course_utils import CG, Exact, compose, ggnvp, hessian_mvp, hvp, influence, models, tracin
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
        params, loss = weights, compose(models.linear, models.cross_entropy)
    else:
        params = products.layers_of(weights, settings["layers"])
        loss = compose(products.predict, models.cross_entropy)
    train, test = (X, y), (X_test, y_test)
    options = dict(l2=settings["l2"], curvature=settings.get("curvature", "hessian"))
    if method in ("exact", "CG"):
        options["solver"] = Exact() if method == "exact" else CG(tol=settings["tol"])
        return lambda: influence(loss, params, train, test, **options).scores
    if method == "to disk":
        options["solver"] = CG(tol=settings["tol"])
        return lambda: to_disk(settings["shown"], loss, params, train, test, options)
    if method.startswith("30 "):
        return thirty(method, loss, params, train, (X_test[:1], y_test[:1]), options)
    path, count = method.rsplit(", ", 1)
    test = X_test[: int(count)], y_test[: int(count)]
    return inner_products(path, loss, params, train, test)


def to_disk(shown, loss, params, train, test, options):
    """All scores in a file, the 100 most helpful and harmful of each test point; a few scores."""
    with tempfile.TemporaryDirectory() as folder:
        result = influence(loss, params, train, test, cache_dir=folder, **options)
        result.helpful(100), result.harmful(100)
        return np.array(result.scores[:shown])


def thirty(method, loss, params, train, test, options):
    """Thirty steps of CG for one test point, or thirty products with the same matrix."""
    if method == "30 steps":
        solver = CG(tol=0.0, maxiter=30)
        solve = lambda: solved_for_tests(loss, params, train, test, solver=solver, **options)
        return lambda: products.flat(solve()[0])
    once = jax.jit(lambda params, train, v: hessian_mvp(loss, params, train, **options)(v))

    def work():
        for _ in range(30):
            product = once(params, train, params)
        return products.flat(jax.block_until_ready(product))

    return work


def inner_products(path, loss, params, train, test):
    """(1/n) ∇ℓ_t · ∇ℓ_i for each test and training point: `tracin` at one checkpoint."""
    if path in ("auto", "on-the-fly", "kept"):
        checkpoints = jax.tree.map(lambda a: a[None], params)
        return lambda: tracin(loss, checkpoints, train, test, [1.0], gradients=path)
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
    protocol.serve(prepare, "jax")
