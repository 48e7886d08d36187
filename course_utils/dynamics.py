r"""Closed forms of gradient descent and least squares.

For descent, the cost is $J(w) = \tfrac12 w^\top A w + b^\top w$ with $A$ symmetric and positive
semi-definite, so that $\nabla J(w) = A w + b$. Along a unit eigenvector $q_i$ of $A$ with
curvature $h_i$ one step of size $\eta$ multiplies the distance to the minimum by $1 - \eta h_i$.
Source for descent: Goh, "Why Momentum Really Works", Distill 2017; Hastie, Tibshirani and
Friedman, "The Elements of Statistical Learning", section 3.4, for the shrinkage factors of ridge.
"""

import jax
import jax.numpy as jnp
import numpy as np

_FLAT = 1e-12  # a curvature below this part of the largest one counts as zero (float64)


def least_squares(Phi: jax.Array, t: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
    r"""The quadratic of a least-squares fit, $\frac{1}{2N}\|\Phi w - t\|^2$.

    Args:
        Phi: features, one row per example, shape (N, D).
        t: targets, shape (N,).

    Returns:
        ``A`` (D, D), ``b`` (D,) and ``c`` () with mean cost $\tfrac12 w^\top A w + b^\top w + c$:
        $A = \Phi^\top\Phi/N$, $b = -\Phi^\top t/N$, $c = t^\top t/(2N)$.
    """
    N = len(t)
    return Phi.T @ Phi / N, -Phi.T @ t / N, t @ t / (2 * N)


def gd_iterates(
    A: jax.Array, b: jax.Array, w0: jax.Array, step_size: float, steps: jax.Array
) -> jax.Array:
    r"""The iterates of gradient descent, without iterating.

    With $\tilde w = Q^\top w$, $\tilde b = Q^\top b$ and $A = Q\,\mathrm{diag}(h)\,Q^\top$, after k
    steps $\tilde w_i = \tilde w_i^\star + (1-\eta h_i)^k(\tilde w_{0,i} - \tilde w_i^\star)$ with
    $\tilde w_i^\star = -\tilde b_i/h_i$ where $h_i > 0$, and $\tilde w_{0,i} - \eta k\,\tilde b_i$
    where $h_i = 0$: a drift, or no motion where $\tilde b_i = 0$ too. A curvature counts as zero
    below a rounding error's worth of the largest one.

    Args:
        A: shape (D, D), symmetric positive semi-definite.
        b: shape (D,).
        w0: the start, shape (D,).
        step_size: $\eta$, in units of 1 / curvature.
        steps: the step numbers k that are wanted, non-negative, shape (K,).

    Returns:
        The iterates, shape (K, D).
    """
    h, Q, flat = _modes(A)
    steps = jnp.asarray(steps)[:, None]  # (K, 1)
    w0, b = Q.T @ w0, Q.T @ b
    limit = jnp.where(flat, 0.0, -b / jnp.where(flat, 1.0, h))
    decaying = limit + (1 - step_size * h) ** steps * (w0 - limit)
    drifting = w0 - step_size * steps * b
    return jnp.where(flat, drifting, decaying) @ Q.T


def excess_loss(h: jax.Array, error: jax.Array, step_size: float, steps: jax.Array) -> jax.Array:
    r"""The cost above its minimum during gradient descent, as a sum over modes.

    $J(w_k) - J^\star = \sum_i \tfrac12 h_i (1-\eta h_i)^{2k} \tilde e_i^2$, where $\tilde e$ is the
    first error $w_0 - w^\star$ in the eigenbasis.

    Args:
        h: curvatures, shape (D,).
        error: $\tilde e$, shape (D,).
        step_size: $\eta$.
        steps: step numbers, shape (K,).

    Returns:
        Shape (K,), in units of the cost.
    """
    powers = (1 - step_size * h) ** (2 * jnp.asarray(steps)[:, None])  # (K, D)
    return powers @ (0.5 * h * error**2)


def largest_stable_step(A: jax.Array) -> jax.Array:
    r"""$2/h_{\max}$: below it no mode grows, above it the steepest one does."""
    return 2.0 / jnp.linalg.eigvalsh(A)[-1]


def steps_to_tolerance(
    h: jax.Array, error: jax.Array, step_size: float, tol: float, *, limit: int = 10**9
) -> int:
    r"""The first step k at which the excess cost is at most ``tol`` times the excess at step 0.

    Found from the closed form by bisection, in a few dozen evaluations however large k is, on the
    host: not to be called under ``jit``, ``vmap`` or ``grad``.

    Args:
        h: curvatures, shape (D,).
        error: the first error in the eigenbasis, shape (D,).
        step_size: below ``2 / max(h)``, so that the excess cost falls at every step.
        tol: between 0 and 1, relative to the excess cost at step 0.
        limit: give up beyond this many steps.

    Raises:
        ValueError: if the step size is not stable, ``tol`` is outside (0, 1), or ``limit`` is
            passed.
    """
    if not 0 < tol < 1:
        raise ValueError(f"tol must lie between 0 and 1: got {tol}")
    # all of it in NumPy: JAX would compile the power anew for every k
    curvatures, first = np.asarray(h, dtype=float), np.asarray(error, dtype=float)
    step_size = float(step_size)
    if not 0 < step_size * curvatures.max() < 2:
        largest = 2 / curvatures.max()
        raise ValueError(f"step_size must lie between 0 and {largest:.6g}: got {step_size}")

    def excess(k: int) -> float:
        powers = (1 - step_size * curvatures) ** (2 * k)
        return float(np.sum(0.5 * curvatures * powers * first**2))

    if excess(0) == 0:
        return 0
    goal = tol * excess(0)
    low, high = 0, 1  # excess(low) > goal
    while excess(high) > goal:
        low, high = high, 2 * high
        if low > limit:
            raise ValueError(f"more than {limit} steps are needed")
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if excess(middle) <= goal else (middle, high)
    return high


def min_cost_projection(A: jax.Array, b: jax.Array, w0: jax.Array) -> jax.Array:
    r"""Where gradient descent from ``w0`` ends: the minimum of least cost that is nearest to it.

    $w_\infty = w_0 - A^+(A w_0 + b)$, for any stable step size, when the cost is bounded below
    ($b$ in the range of $A$). Components of ``w0`` along flat directions stay as they are.

    Args:
        A: shape (D, D), symmetric positive semi-definite, of any rank.
        b: shape (D,).
        w0: the start, shape (D,).

    Returns:
        Shape (D,).
    """
    h, Q, flat = _modes(A)
    inverse = jnp.where(flat, 0.0, 1.0 / jnp.where(flat, 1.0, h))
    return w0 - Q @ (inverse * (Q.T @ (A @ w0 + b)))


def ridge(Phi: jax.Array, t: jax.Array, l2: float) -> jax.Array:
    r"""The minimiser of the mean cost $\frac{1}{2N}\|\Phi w - t\|^2 + \frac{\lambda}{2}\|w\|^2$.

    $w = (\Phi^\top\Phi + N\lambda I)^{-1}\Phi^\top t$. The N stands there because the squared
    errors are averaged and the penalty is not.

    Args:
        Phi: shape (N, D).
        t: shape (N,).
        l2: $\lambda > 0$, in the units of curvature, $\Phi^\top\Phi/N$.

    Returns:
        Shape (D,).
    """
    N, D = Phi.shape
    return jnp.linalg.solve(Phi.T @ Phi + N * l2 * jnp.eye(D), Phi.T @ t)


def min_norm_risk(
    num_examples: int | np.ndarray,
    num_weights: int | np.ndarray,
    *,
    noise: float,
    norm_w: float,
) -> np.ndarray:
    r"""Expected excess test error of the shortest least-squares fit to Gaussian features.

    The rows of $\Phi$ are independent standard normal vectors, $t = \Phi w^\star + \tau\varepsilon$
    with standard normal $\varepsilon$, and the fit is $\hat w = \Phi^+ t$ (NumPy: not to be called
    under ``jit``, ``vmap`` or ``grad``). With N examples and D weights

    $$E\,\|\hat w - w^\star\|^2 = \max(0,\, 1 - N/D)\,\|w^\star\|^2
      + \tau^2\,\frac{\min(N, D)}{|N - D| - 1},$$

    signal that the data did not show and noise that the fit has learnt. Because the features are
    isotropic it is the mean of $(x^\top\hat w - x^\top w^\star)^2$ over a new $x$ as well. The
    second term is the mean trace of an inverse Wishart matrix; it is infinite for
    $|N - D| \le 1$, unless there is no noise.

    Args:
        num_examples: N, a number or an array.
        num_weights: D, a number or an array.
        noise: $\tau$, the standard deviation of the noise, in units of the targets.
        norm_w: $\|w^\star\|$, in units of targets per feature.

    Returns:
        In units of targets squared, without the $\tau^2$ of a new target's own noise; of the shape
        that N and D broadcast to.

    Raises:
        ValueError: if a size is below 1, or ``noise`` or ``norm_w`` is negative or not finite.

    Source:
        Belkin, Hsu and Xu, "Two models of double descent for weak features", 2020; Hastie,
        Montanari, Rosset and Tibshirani, "Surprises in high-dimensional ridgeless least squares
        interpolation", 2022, for the limit of large N and D.
    """
    N, D = np.broadcast_arrays(np.asarray(num_examples, float), np.asarray(num_weights, float))
    if not (np.all(N >= 1) and np.all(D >= 1)):
        raise ValueError(f"sizes must be at least 1: got {num_examples} and {num_weights}")
    for name, value in [("noise", noise), ("norm_w", norm_w)]:
        if not 0 <= value < np.inf:
            raise ValueError(f"{name} must be a non-negative number: got {value}")
    unseen = norm_w**2 * np.maximum(0.0, 1 - N / D)
    if noise == 0:
        return unseen[()]
    room = np.abs(N - D) - 1
    gain = np.divide(np.minimum(N, D), room, out=np.full(N.shape, np.inf), where=room > 0)
    return (unseen + noise**2 * gain)[()]


def early_stopping_factors(h: jax.Array, step_size: float, steps: int) -> jax.Array:
    r"""What part of each mode gradient descent from 0 has fitted: $1 - (1-\eta h_i)^k$."""
    return 1 - (1 - step_size * h) ** steps


def ridge_factors(h: jax.Array, l2: float) -> jax.Array:
    r"""What part of each mode ridge regression fits: $h_i/(h_i+\lambda)$."""
    return h / (h + l2)


def _modes(A: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Curvatures ascending (D,), eigenvectors in columns (D, D), and which curvatures are flat."""
    h, Q = jnp.linalg.eigh(A)
    rounding = max(_FLAT, 10 * len(h) * float(jnp.finfo(h.dtype).eps))
    return h, Q, h <= rounding * jnp.max(jnp.abs(h))
