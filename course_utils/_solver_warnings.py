"""What a failed solve is told: which rows, why, and what would cure it."""

import os
import sys
import warnings

import jax
import jax.numpy as jnp
import numpy as np

from course_utils import sharding, trees
from course_utils._arguments import round_up
from course_utils._compiled import compiled
from course_utils.curvature import lanczos
from course_utils.solvers import APPROXIMATION, DIVERGED, INDEFINITE, STATUS, Arnoldi, LiSSA, growth

_EXAMPLES_TRIED = 4096  # examples whose curvatures are looked at where LiSSA has diverged


def warn(message: str) -> None:
    """Warn on the line that called the package."""
    level, frame = 1, sys._getframe()
    here = os.path.dirname(__file__)
    while frame.f_back is not None and os.path.dirname(frame.f_code.co_filename) == here:
        level, frame = level + 1, frame.f_back
    warnings.warn(message, RuntimeWarning, stacklevel=level)


def report(fit, solver, info, norms, noun, names=None, where_nan="rows") -> None:
    """Warn of solves that failed or fell short.

    Args:
        fit: the fitted model.
        solver: the setting that was solved with.
        info: certificates of all solves, on the host.
        norms: of the right-hand sides, (m,).
        noun: what is solved for, such as "test points".
        names: what to call them; their numbers if ``None``.
        where_nan: where the NaN of a failed solve stand in what is returned.
    """
    names = np.arange(len(norms)) if names is None else np.asarray(names)
    indefinite, broken = info.status == INDEFINITE, info.status > INDEFINITE
    meant = info.status == APPROXIMATION
    short = ~(info.converged | meant | indefinite | broken)
    words = lambda chosen: " and ".join(sorted(set(np.asarray(STATUS)[info.status[chosen]])))
    if indefinite.any():
        lowest, missing, rounding = _missing_curvature(fit)
        lowest = min(lowest, float(info.min_curvature[indefinite].min()))
        warn(
            f"{some(noun, names[indefinite])}: the matrix is not positive definite (curvature "
            f"{lowest:.3g} met), and their {where_nan} are NaN; raising damping by "
            f"{round_up(missing)} cures it{_or_gauss_newton(fit, lowest < -rounding)}"
        )
    if broken.any():
        cure = _cure_of_divergence(fit, info) if (info.status == DIVERGED).any() else ""
        warn(
            f"{some(noun, names[broken])}: the solve is {words(broken)}, and their {where_nan} are "
            f"NaN{cure}"
        )
    relative = info.residual_norm / np.where(norms > 0, norms, 1)
    far = meant & (relative >= 1)
    if 2 * far.sum() > len(far):
        warn(
            f"{some(noun, names[far])}: the factored matrix is far from that of the fit: the "
            f"relative residual is up to {relative[far].max():.2g}, and zero would leave 1; their "
            f"{where_nan} are kept, for an order at most and not for their sizes; raise damping, "
            "or solve with CG()"
        )
    if short.any():
        worst = (info.residual_norm[short] / norms[short]).max()
        steps = info.num_steps[short].max()
        why = f"({words(short)}) after {steps} steps" if steps else f"({words(short)})"
        if isinstance(solver, Arnoldi):
            why = f"(a rank of {solver.rank} leaves directions out)"
        warn(
            f"{some(noun, names[short])}: not converged {why}, with a relative residual of up to "
            f"{worst:.2g}; their {where_nan} are kept{_cure_of_shortness(fit, solver, info)}"
        )


def report_dampings(fit, dampings, lowest, rounding) -> None:
    """Warn of dampings, (k,), that leave H, of which ``lowest`` is an eigenvalue, indefinite."""
    least = max(rounding - lowest, np.finfo(rounding.dtype).eps)
    warn(
        f"{some('dampings', dampings)}: the matrix is not positive definite (the smallest "
        f"eigenvalue of H is {lowest:.3g}), and their scores are NaN; a damping of "
        f"{round_up(least)} cures it{_or_gauss_newton(fit, lowest < -rounding)}"
    )


def _or_gauss_newton(fit, is_negative):
    """The other cure of a curvature that is negative; one of zero it leaves at zero."""
    cures = is_negative and fit.is_composed and fit.curvature == "hessian"
    return ', and so does curvature="ggn"' if cures else ""


def _cure_of_shortness(fit, solver, info):
    if isinstance(solver, Arnoldi):
        return "; raise rank, or damping to the size of the eigenvalues that are left out"
    if not isinstance(solver, LiSSA):
        return ""
    least, scale = float(jnp.min(fit.l2)) + fit.damping, float(info.scale[0])
    against_noise = "raise num_samples or batch_size against noise"
    if least <= 1e-12 * scale:
        return f"; raise recursion_depth against bias, and {against_noise}"
    kept = 1 - min(least / scale, 1)  # by one step, along the least curvature there can be
    bias = _bias_of_lissa(kept, solver.average, solver.recursion_depth)
    if bias <= solver.tol / 2:
        return f"; its bias is below {solver.tol / 2:.1g}: {against_noise}"
    depths = np.round(1.01 ** np.arange(2000))  # to 440 million
    suffices = depths[_bias_of_lissa(kept, solver.average, depths) <= solver.tol / 2]
    words = f"its bias is up to {bias:.1g} along the least curvature, {least:.2g}"
    if not len(suffices):
        return f"; {words}: raise recursion_depth"
    return f"; {words}: a recursion_depth of {_in_two_digits(suffices[0])} suffices"


def _bias_of_lissa(kept, average, depth):
    """The mean of ``kept**(k + 1)`` over the last iterates h_k, k <= depth, that are averaged."""
    averaged = np.maximum(1, np.round(average * depth))
    total = (1 - kept**averaged) / (1 - kept)  # 1 + kept + ... + kept**(averaged - 1)
    return kept ** (depth - averaged + 2.0) * total / averaged


def _in_two_digits(x):
    """A whole number, rounded up to two digits: ``3,400``."""
    place = 10.0 ** max(np.floor(np.log10(x)) - 1, 0)
    return f"{np.ceil(x / place) * place:,.0f}"


def _cure_of_divergence(fit, info):
    sufficient = 1.1 * float(_largest_example_curvature(fit))
    if info.scale[0] >= sufficient:
        return "; raise scale or batch_size"
    return (
        f"; raise scale above {sufficient:.3g}, 1.1 times the largest curvature of one training "
        f"example (it is {info.scale[0]:.3g})"
    )


def negative_curvature(fit) -> float | None:
    """The lowest curvature of H_d that Lanczos finds, where it proves H_d indefinite."""
    lowest, _, rounding = _missing_curvature(fit)
    return lowest if lowest < -rounding else None


def some(noun: str, names: np.ndarray) -> str:
    """``test points 0, 3, 4 and 12 more``."""
    shown = ", ".join(map(str, names[:5]))
    return f"{noun} {shown}" + (f" and {len(names) - 5} more" if len(names) > 5 else "")


def _missing_curvature(fit):
    """The lowest curvature of H_d that Lanczos finds, how much H_d lacks to be definite; rounding.

    The second is at least a rounding error.
    """
    find = _lowest_curvature_once if fit.is_small else _lowest_curvature
    return tuple(map(float, jax.device_get(find(fit))))


def _lanczos_from_below(fit):
    H_d = fit.hessian_product()
    found = lanczos(H_d, fit.theta, min(fit.p, 64), key=jax.random.key(0))
    below = jnp.min(found.eigenvalues - found.residual_norms)
    rounding = 10 * trees.epsilon(fit.theta) * jnp.max(jnp.abs(found.eigenvalues))
    return sharding.gathered(
        fit.mesh, (found.eigenvalues[0], jnp.maximum(-below, rounding), rounding)
    )


_lowest_curvature = compiled(_lanczos_from_below)
_lowest_curvature_once = compiled(_lanczos_from_below, once=True)


@compiled
def _largest_example_curvature(fit):
    """Of H_d for one example alone: the largest among 4096 of them, by power iteration.

    The curvature of a mini-batch is a mean of these and cannot be larger.
    """
    start = jax.random.normal(jax.random.key(0), fit.theta.shape, fit.theta.dtype)

    def of_example(z):
        one = jax.tree.map(lambda leaf: leaf[None], z)
        H = fit.curvature_of(one, jnp.ones(1, start.dtype))
        return growth(lambda v: H(v) + (fit.l2 + fit.damping) * v, start, 20)

    sample = fit.sample(_EXAMPLES_TRIED)
    at_once = min(fit.gradients_at_once, trees.num_rows(sample))
    return sharding.gathered(fit.mesh, jnp.max(trees.map_rows(of_example, sample, at_once)))
