"""Warnings under test."""

import contextlib
import warnings

from course_utils.cli.compilation_cache import HALF_WRITTEN


@contextlib.contextmanager
def every_warning(action, record=False):
    """Let every warning be an "error", or come "always"; but none of a cache that others share."""
    with warnings.catch_warnings(record=record) as caught:
        warnings.simplefilter(action)
        warnings.filterwarnings("ignore", HALF_WRITTEN)
        yield caught
