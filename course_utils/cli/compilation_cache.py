"""JAX's cache of compiled programs, for kernels and tests: a second run compiles next to nothing.

Standard library only: the variables must be set before a process imports JAX.
"""

import hashlib
import os
import platform
from pathlib import Path

# How JAX's warning of an entry that it cannot read begins. A process may find one that another has
# opened and not yet written; it then compiles, as without a cache. What a killed process left there
# stays so until .cache/jax is deleted.
HALF_WRITTEN = "Error reading persistent compilation cache entry"


def settings(root, environ=os.environ):
    """The variables that make JAX keep every program it compiles, under ``.cache/jax`` of ``root``.

    JAX's own thresholds would keep none of the course's, which compile in less than a second each.
    XLA's further caches, which are for GPUs, stay off. Of an entry that is not written yet no
    warning comes.

    Args:
        root: the clone.
        environ: the caller's variables. Where they name a folder, even an empty one, which means no
            cache, nothing is added; otherwise what they say of the rest stays.
    """
    if "JAX_COMPILATION_CACHE_DIR" in environ:
        return {}
    wanted = {
        "JAX_COMPILATION_CACHE_DIR": str(root / ".cache" / "jax" / _processor()),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
        "JAX_PERSISTENT_CACHE_ENABLE_XLA_CACHES": "none",
    }
    wanted = {name: value for name, value in wanted.items() if name not in environ}
    filters = [environ.get("PYTHONWARNINGS"), f"ignore:{HALF_WRITTEN}:UserWarning"]
    return wanted | {"PYTHONWARNINGS": ",".join(filter(None, filters))}


def _processor():
    """A name for this processor's instructions: programs for another one may not run here."""
    told = platform.machine() + platform.processor()
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        told += next(line for line in lines if line.startswith(("flags", "Features")))
    except (OSError, StopIteration):  # not Linux: a folder seldom moves to another machine there
        pass
    return hashlib.sha256(told.encode()).hexdigest()[:8]
