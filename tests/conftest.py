"""Tests run in float64, so that a tolerance of 1e-12 can say "the same arithmetic".

It is switched on here alone: an environment variable would reach the notebooks' kernels.
"""

import jax

jax.config.update("jax_enable_x64", True)
