"""JAX's cache of compiled programs, for kernels and tests: a second run compiles next to nothing.

Standard library only: the variables must be set before a process imports JAX.
"""

import os


def settings(root, environ=os.environ):
    """The variables that make JAX keep every program it compiles, under ``.cache/jax`` of ``root``.

    JAX's own thresholds would keep none of the course's, which compile in less than a second each.
    XLA's further caches, which are for GPUs, stay off.

    Args:
        root: the clone.
        environ: the caller's variables. Where they name a folder, even an empty one, which means no
            cache, nothing is added; otherwise what they say of the rest stays.
    """
    if "JAX_COMPILATION_CACHE_DIR" in environ:
        return {}
    wanted = {
        "JAX_COMPILATION_CACHE_DIR": str(root / ".cache" / "jax"),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
        "JAX_PERSISTENT_CACHE_ENABLE_XLA_CACHES": "none",
    }
    return {name: value for name, value in wanted.items() if name not in environ}
