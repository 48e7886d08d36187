"""Variables for the processes that tests start."""

import os


def variables(*prefixes, **more):
    """This process's variables, but for those that begin with one of ``prefixes``, and ``more``.

    JAX's compilation cache stays in any case: its entries are for one version and setting each.
    """
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(prefixes) or (name.startswith("JAX_") and "_CACHE" in name)
    }
    return kept | more
