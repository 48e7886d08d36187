"""Samples by turns: tests that are too slow for every notebook take others each day."""

import os
from datetime import date


def turn(things, count, day=None):
    """``count`` of ``things``, which move on by ``count`` each day, so that none is left out.

    ``COURSE_TURN=all`` takes all of them; ``COURSE_TURN=3`` those of day 3, as a failed run names
    them in its first lines.
    """
    things = list(things)
    said = os.environ.get("COURSE_TURN", "")
    if said == "all" or count >= len(things):
        return things
    day = today() if day is None else day
    return [things[(day * count + k) % len(things)] for k in range(count)]


def today():
    """The day that decides whose turn it is."""
    return int(os.environ.get("COURSE_TURN") or date.today().toordinal())
