"""``jax.jit`` for a package whose functions mostly run once or twice: compiled in less time."""

import functools
from collections.abc import Callable

import jax

# XLA's fusion emitters on a CPU double the time to compile these programs (measured: 2.9 s and
# 1.7 s for a solve). Large products run as fast without, loops over small operations half as fast.
_SHORT = {"xla_cpu_use_fusion_emitters": False}
# For what runs once, optimising takes longer than running.
_ONCE = {"xla_backend_optimization_level": 0, "xla_llvm_disable_expensive_passes": True}


def compiled(function: Callable, *, once: bool = False, **options) -> Callable:
    """``jax.jit(function, **options)``, on a CPU with less optimisation; ``once``: with hardly any.

    To be called at the top level, not inside of another ``jit``. For thousands of small steps take
    ``jax.jit`` itself.
    """
    wanted = _SHORT | (_ONCE if once else {})

    @functools.cache
    def on(backend):
        known = known_options(backend)
        chosen = {name: value for name, value in wanted.items() if name in known}
        return jax.jit(function, compiler_options=chosen or None, **options)

    @functools.wraps(function)
    def call(*args, **keywords):
        return on(jax.default_backend())(*args, **keywords)

    return call


@functools.cache
def known_options(backend):
    """Those options that this release of XLA has; none where the device is no CPU."""
    known = []
    for name, value in (_SHORT | _ONCE).items() if backend == "cpu" else ():
        try:
            jax.jit(lambda: 0, compiler_options={name: value}).lower().compile()
        except Exception:  # an option of another release; its error has no type of its own
            continue
        known.append(name)
    return known
