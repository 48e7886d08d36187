"""One way to refuse an argument, and the settings of JAX that the package computes under."""

import functools
import inspect
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from typing import Any, TypeVar, cast

import jax
import numpy as np

Function = TypeVar("Function", bound=Callable)

_OF_THE_MODEL = frozenset(
    ("l2", "damping", "relative_damping", "removal", "curvature", "select", "batch_size", "mesh")
)


def configured(function: Function) -> Function:
    """``function`` under the settings that it was written for, whatever the caller has chosen.

    Products of matrices have the highest precision. NaN marks a solve that failed and is no bug,
    so ``jax_debug_nans`` and ``jax_debug_infs`` stay out; promotion of dtypes and ranks is NumPy's.
    A question to which an option of the fitted model is given says where that belongs.
    """

    names = inspect.signature(function).parameters
    elsewhere = _OF_THE_MODEL.difference(names) if "fit" in names else frozenset()

    @functools.wraps(function)
    def call(*args, **options):
        if lost := elsewhere.intersection(options):
            raise TypeError(
                f"{function.__name__}() got an unexpected keyword argument {min(lost)!r}: it is "
                f"an option of the fit, FittedModel(loss_fn, params, train, {min(lost)}=...)"
            )
        with ExitStack() as stack:
            for setting in (
                jax.default_matmul_precision("highest"),
                jax.debug_nans(False),
                jax.debug_infs(False),
                jax.numpy_dtype_promotion("standard"),
                jax.numpy_rank_promotion("allow"),
            ):
                stack.enter_context(setting)
            return function(*args, **options)

    return cast(Function, call)


def one_of(name: str, value: Any, allowed: tuple) -> None:
    """Raise ``TypeError``, naming the argument, unless ``value`` is one of the allowed words."""
    if not any(type(value) is type(word) and value == word for word in allowed):
        names = ", ".join(map(repr, allowed[:-1])) + f" or {allowed[-1]!r}"
        raise TypeError(f"{name} must be {names}, got {value!r}")


def count(name: str, value: Any, least: int = 1) -> None:
    """Raise ``ValueError`` unless ``value`` is a whole number of at least ``least``."""
    whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
    if not whole or not least <= value < 2**31:
        raise ValueError(f"{name} must be a whole number of at least {least}, got {value!r}")


def number(name: str, value: Any, least: float = 0.0, *, above: bool = False) -> None:
    """Raise ``ValueError`` unless ``value`` is a finite number of at least (above) ``least``.

    A traced number is not looked at.
    """
    if isinstance(value, jax.core.Tracer):
        return
    one = not isinstance(value, str | bytes | bool | None) and np.ndim(value) == 0
    if not (one and least <= value < np.inf and not (above and value == least)):
        words = ("positive" if least == 0 else f"above {least}") if above else f"at least {least:g}"
        raise ValueError(f"{name} must be finite and {words}, got {value!r}")


def no_loader(name: str, data: Any) -> None:
    """Raise ``TypeError`` where ``data`` is something to go through, and no tree of arrays."""
    fits = isinstance(data, list | tuple | Mapping | str | bytes) or hasattr(data, "__array__")
    if isinstance(data, Iterable) and not fits:
        kind = type(data).__name__
        raise TypeError(f"{name} is a {kind}, expected arrays: stack what it gives into arrays")


def known(name: str, tree: Any) -> None:
    """Raise ``TypeError`` where a leaf of ``tree`` is traced: its values are not known yet."""
    if any(isinstance(leaf, jax.core.Tracer) for leaf in jax.tree.leaves(tree)):
        raise TypeError(
            f"{name} are traced: influence looks at values, so it cannot be asked for under jit, "
            "vmap or grad; take cg of hessian_mvp there"
        )


def round_up(x: float) -> str:
    """A positive number in two digits, about 1 to 11 percent above ``x``: advice that suffices."""
    return f"{1.06 * x:.2g}"
