r"""Training: a risk, one loop over an optimiser, and minimisation to a true optimum.

``descend`` is training as it is practised: a number of steps, full-batch or in mini-batches.
``minimize`` is what influence functions ask for: a point where the gradient is zero, with a
certificate that says how nearly.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from course_utils import trees
from course_utils.trees import PyTree


def empirical_risk(
    loss_fn: Callable[[PyTree, PyTree], jax.Array],
    data: PyTree,
    *,
    l2: PyTree = 0.0,
    weights: jax.Array | None = None,
) -> Callable[[PyTree], jax.Array]:
    r"""The mean loss over a data set plus a penalty, as a function of the parameters alone.

    $$R(\theta) = \frac1n \sum_{i=1}^n w_i\,\ell(z_i, \theta) + \frac{\lambda}{2}\|\theta\|^2$$

    The mean is over all n examples whatever the weights are: $w_i = 0$ takes example i out and
    leaves 1/n and $\lambda$ where they were.

    Args:
        loss_fn: ``(params, example) -> scalar``, the loss of one example; an example has the
            structure of ``data`` without the leading axis.
        data: pytree whose leaves share a leading axis of n examples, such as ``(X, y)``.
        l2: $\lambda$, a number, or a tree prefix of ``params`` with numbers as leaves, e.g.
            ``{"w": 1e-2, "b": 0.0}`` to leave the bias free.
        weights: $w$, shape (n,); None is all ones.

    Returns:
        ``params -> R``, in units of the loss, for jit, vmap and as many derivatives as ``loss_fn``
        has.

    Raises:
        ValueError: if ``data`` is empty, holds NaN or infinity, or has leaves of different lengths,
            or ``weights`` has another shape; on use, if ``l2`` is no prefix of ``params``.
    """
    n = trees.num_rows(data)
    if n == 0:
        raise ValueError("data has no examples")
    _check_finite("data", data)
    if weights is not None and jnp.shape(weights) != (n,):
        raise ValueError(f"weights must have shape ({n},): got {jnp.shape(weights)}")
    data = jax.tree.map(jnp.asarray, data)

    def risk(params: PyTree) -> jax.Array:
        losses = jax.vmap(loss_fn, in_axes=(None, 0))(params, data)  # (n,)
        if losses.shape != (n,):
            raise ValueError(f"loss_fn must return a scalar: got shape {losses.shape[1:]}")
        mean = jnp.mean(losses if weights is None else weights * losses)
        return mean + _penalty(l2, params)

    return risk


class Descent(NamedTuple):
    """What ``descend`` returns.

    Attributes:
        params: after the last step.
        losses: the objective before each step, on the examples of that step; shape (num_steps,).
        records: what ``record`` returned before each step, with a leading axis of num_steps;
            None without ``record``.
    """

    params: PyTree
    losses: jax.Array
    records: PyTree


def descend(
    loss_fn: Callable,
    params: PyTree,
    optimizer: optax.GradientTransformation,
    num_steps: int,
    *,
    data: PyTree = None,
    l2: PyTree = 0.0,
    batch_size: int | None = None,
    record: Callable[[PyTree], PyTree] | None = None,
    remat: bool = False,
    key: jax.Array | None = None,
) -> Descent:
    r"""Take ``num_steps`` steps of an optax optimiser, in one ``lax.scan``.

    Step t lowers the mean loss of its batch $B_t$,
    $\frac{1}{|B_t|}\sum_{i \in B_t} \ell(z_i, \theta) + \frac\lambda2\|\theta\|^2$. A run that
    diverges is no error: its losses grow, up to infinity and NaN, and can be looked at.

    It works under jit and vmap (over keys, starts, or step sizes, as in
    ``jax.vmap(lambda s: descend(f, params, optax.sgd(s), 100).losses)(step_sizes)``), and
    derivatives pass through all its steps.

    Args:
        loss_fn: with ``data``, ``(params, example) -> scalar``, the loss of one example.
            Without, ``params -> scalar``, which takes the place of the mean.
        params: where to start, a pytree of floating-point arrays.
        optimizer: e.g. ``optax.sgd(0.1)``, ``optax.adam(1e-3)``.
        num_steps: at least 0.
        data: pytree whose leaves share a leading axis of n examples.
        l2: $\lambda$, a number, or a tree prefix of ``params``.
        batch_size: None takes all examples at each step. A number takes that many: each epoch goes
            once through a fresh random order of the data, without the last n mod batch_size.
        record: ``params -> pytree``, called before each step; for instance
            ``lambda params: params`` keeps the trajectory.
        remat: a reverse-mode derivative of the run keeps the params and the optimiser's state of
            each step alone, and computes what it needs of a step anew: less memory, for one more
            evaluation of each step. No number changes but by rounding.
        key: a PRNG key for the batches, needed with ``batch_size`` alone.

    Raises:
        ValueError: if ``num_steps`` or ``batch_size`` is out of range, ``data`` is empty or ragged,
            ``params`` is not floating-point, or either holds NaN or infinity.
        TypeError: for ``batch_size`` without ``data``, or one of ``batch_size`` and ``key`` without
            the other.
    """
    trees.check_floating("params", params)
    _check_finite("params", params)
    if num_steps < 0:
        raise ValueError(f"num_steps must not be negative: got {num_steps}")
    if batch_size is not None and data is None:
        raise TypeError("batch_size needs data to take the batches from")
    if (batch_size is None) != (key is None):
        raise TypeError("batch_size and key go together: the key draws the batches")

    batches = None  # the rows of each step, (num_steps, batch_size)
    if data is None:
        objective = lambda params, rows: loss_fn(params) + _penalty(l2, params)
    elif batch_size is None or key is None:  # then both are
        risk = empirical_risk(loss_fn, data, l2=l2)
        objective = lambda params, rows: risk(params)
    else:
        n = trees.num_rows(data)
        _check_finite("data", data)
        batches = _shuffled_batches(n, batch_size, num_steps, key=key)
        data = jax.tree.map(jnp.asarray, data)
        objective = lambda params, rows: empirical_risk(
            loss_fn, trees.take_rows(data, rows), l2=l2
        )(params)

    optimizer = optax.with_extra_args_support(optimizer)

    def step(carry, rows):
        params, state = carry
        of_params = lambda params: objective(params, rows)
        value, grad = jax.value_and_grad(of_params)(params)
        kept = None if record is None else record(params)
        # Line searches ask for the last three; other optimisers ignore them.
        updates, state = optimizer.update(
            grad, state, params, value=value, grad=grad, value_fn=of_params
        )
        return (optax.apply_updates(params, updates), state), (value, kept)

    if remat:
        step = jax.checkpoint(step, prevent_cse=False)  # in a scan nothing can be merged
    params = jax.tree.map(jnp.asarray, params)
    with jax.default_matmul_precision("highest"):
        (params, _), (losses, records) = jax.lax.scan(
            step, (params, optimizer.init(params)), batches, length=num_steps
        )
    return Descent(params, losses, records)


class MinimizeInfo(NamedTuple):
    r"""How nearly ``minimize`` has reached an optimum.

    Attributes:
        gradient_norm: $\|\nabla f\|$ at the returned parameters, shape ().
        num_steps: iterations, those included whose step was refused; shape ().
        converged: whether ``gradient_norm`` is at most ``tol``; shape ().
    """

    gradient_norm: jax.Array
    num_steps: jax.Array
    converged: jax.Array


def minimize(
    loss: Callable[[PyTree], jax.Array],
    params: PyTree,
    *,
    method: str = "newton",
    tol: float | None = None,
    maxiter: int | None = None,
) -> tuple[PyTree, MinimizeInfo]:
    r"""Minimise a smooth function until its gradient vanishes.

    ``"newton"`` solves $(\nabla^2 f + \delta I)\,\Delta = -\nabla f$ with the dense Hessian: exact
    near the optimum, where $\delta = 0$ and the number of right digits doubles with each step.
    $\delta$ is raised where a step would not lower f enough (Armijo) or the Hessian is not positive
    definite, and falls again after good steps (Levenberg-Marquardt). It costs p Hessian-vector
    products and a Cholesky factorisation per step: for p up to a few thousand. ``"lbfgs"`` needs
    gradients alone and keeps ten of them; it takes more steps, and in the end gains less than
    Newton's method does.

    What is found is a point of zero gradient: *the* minimum if f is convex, for other functions a
    stationary point below the start. It works under jit and vmap: retraining without each point in
    turn is a vmap over the ``weights`` of ``empirical_risk``. JAX refuses reverse derivatives
    through it; differentiate the condition $\nabla f = 0$ instead.

    Args:
        loss: ``params -> scalar``, a mean or a sum, for instance from ``empirical_risk``.
        params: where to start, a pytree of floating-point arrays.
        method: ``"newton"`` or ``"lbfgs"``.
        tol: stop when $\|\nabla f\|$ is at most this, in units of loss / param. None is 1e-10 in
            float64 and 1e-5 in float32.
        maxiter: None is 100 for Newton's method and 1,000 for L-BFGS. Newton's method also stops
            where rounding leaves nothing to gain.

    Returns:
        The parameters, and a ``MinimizeInfo`` to trust them by. It never warns.

    Raises:
        ValueError: if ``method`` is unknown, ``tol`` or ``maxiter`` is negative, ``params`` is not
            floating-point or not finite, or has more than 10,000 entries for Newton's method.

    Source:
        Nocedal & Wright, "Numerical optimization", 2006, chapters 3, 6 and 10.
    """
    methods = {"newton": (_newton, 100), "lbfgs": (_lbfgs, 1000)}
    if method not in methods:
        raise ValueError(f"unknown method {method!r}: choose 'newton' or 'lbfgs'")
    trees.check_floating("params", params)
    _check_finite("params", params)
    if method == "newton" and trees.size(params) > 10_000:
        raise ValueError(f"{trees.size(params)} parameters are too many for 'newton': take 'lbfgs'")
    if tol is None:
        tol = 1e-10 if trees.dtype(params) == jnp.float64 else 1e-5
    run, default = methods[method]
    maxiter = default if maxiter is None else maxiter
    if not tol >= 0 or maxiter < 0:
        raise ValueError(f"tol and maxiter must not be negative: got {tol} and {maxiter}")
    params = jax.tree.map(jnp.asarray, params)
    with jax.default_matmul_precision("highest"):
        params, gradient, num_steps = jax.jit(lambda start: run(loss, start, tol, maxiter))(params)
    gradient_norm = trees.norm(gradient)
    return params, MinimizeInfo(gradient_norm, num_steps, gradient_norm <= tol)


class _NewtonState(NamedTuple):
    x: jax.Array  # (p,)
    value: jax.Array  # ()
    gradient: jax.Array  # (p,)
    hessian: jax.Array  # (p, p), where x was before the last accepted step
    moved: jax.Array  # (), whether there has been one since, so that the Hessian is out of date
    damping: jax.Array  # (), in units of curvature
    num_steps: jax.Array  # ()


def _newton(loss, params, tol, maxiter):
    f = lambda x: loss(trees.unravel(x, params))
    value_and_grad, hessian_at = jax.value_and_grad(f), jax.hessian(f)
    x = trees.ravel(params)
    eps, tiny = jnp.finfo(x.dtype).eps, jnp.finfo(x.dtype).tiny

    def mean_curvature(hessian):
        return jnp.mean(jnp.abs(jnp.diag(hessian))) + tiny

    def unfinished(s):
        stuck = s.damping > mean_curvature(s.hessian) / eps  # a step would be a rounding error
        return (s.num_steps < maxiter) & (trees.norm(s.gradient) > tol) & ~stuck

    def step(s):
        hessian = jax.lax.cond(s.moved, hessian_at, lambda _: s.hessian, s.x)
        damped = hessian + s.damping * jnp.eye(x.size, dtype=x.dtype)
        direction = -jax.scipy.linalg.cho_solve(jax.scipy.linalg.cho_factor(damped), s.gradient)
        ahead = s.x + direction
        value, gradient = value_and_grad(ahead)
        # Armijo; or half the gradient, where the decrease of f drowns in rounding. NaN is neither.
        rounding = 8 * eps * jnp.abs(s.value)
        lower = value < s.value + 1e-4 * s.gradient @ direction - rounding
        flatter = trees.norm(gradient) < trees.norm(s.gradient) / 2
        accept = lower | (flatter & (value <= s.value + rounding))
        unit = mean_curvature(hessian)
        less = jnp.where(s.damping > 1e-6 * unit, s.damping / 10, 0.0)
        more = jnp.maximum(10 * s.damping, 1e-3 * unit)
        return _NewtonState(
            x=jnp.where(accept, ahead, s.x),
            value=jnp.where(accept, value, s.value),
            gradient=jnp.where(accept, gradient, s.gradient),
            hessian=hessian,
            moved=accept,
            damping=jnp.where(accept, less, more),
            num_steps=s.num_steps + 1,
        )

    none_yet, zero = jnp.zeros((x.size, x.size), x.dtype), jnp.zeros((), x.dtype)
    start = _NewtonState(x, *value_and_grad(x), none_yet, jnp.array(True), zero, jnp.zeros((), int))
    end = jax.lax.while_loop(unfinished, step, start)
    return trees.unravel(end.x, params), end.gradient, end.num_steps


def _lbfgs(loss, params, tol, maxiter):
    solver = optax.lbfgs()
    value_and_grad = optax.value_and_grad_from_state(loss)  # the line search has them already

    def unfinished(carry):
        _, _, _, gradient, num_steps = carry
        return (num_steps < maxiter) & (trees.norm(gradient) > tol)

    def step(carry):
        params, state, value, gradient, num_steps = carry
        updates, state = solver.update(
            gradient, state, params, value=value, grad=gradient, value_fn=loss
        )
        params = optax.apply_updates(params, updates)
        value, gradient = value_and_grad(params, state=state)
        return params, state, value, gradient, num_steps + 1

    value, gradient = jax.value_and_grad(loss)(params)
    start = (params, solver.init(params), value, gradient, jnp.zeros((), int))
    params, _, _, gradient, num_steps = jax.lax.while_loop(unfinished, step, start)
    return params, gradient, num_steps


def _penalty(l2: PyTree, params: PyTree) -> jax.Array:
    """Half of l2 times the squared norm, leaf by leaf. Shape ()."""
    l2 = trees.broadcast_prefix(l2, params, "l2")
    return 0.5 * trees.vdot(params, trees.multiply(l2, params))


def _shuffled_batches(n: int, batch_size: int, num_steps: int, *, key: jax.Array) -> jax.Array:
    """Row numbers for each step, (num_steps, batch_size): one permutation per epoch."""
    if not 0 < batch_size <= n:
        raise ValueError(f"batch_size must be between 1 and {n}: got {batch_size}")
    per_epoch = n // batch_size
    keys = jax.random.split(key, max(-(-num_steps // per_epoch), 1))
    orders = jax.vmap(lambda k: jax.random.permutation(k, n))(keys)  # (epochs, n)
    return orders[:, : per_epoch * batch_size].reshape(-1, batch_size)[:num_steps]


def _check_finite(name: str, x: PyTree) -> None:
    """Refuse NaN and infinity by name, where the numbers are known: not inside jit or vmap."""
    if not any(isinstance(leaf, jax.core.Tracer) for leaf in jax.tree.leaves(x)):
        with jax.ensure_compile_time_eval():  # constants of a function that is being traced
            trees.check_flags(name, trees.finite_flags(x))
