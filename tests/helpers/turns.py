"""Samples by turns: tests that are too slow for all take others each day."""

import os
from datetime import date


def today():
    """What decides whose turn it is: ``COURSE_TURN``, a day's number or "all"; else the date."""
    return os.environ.get("COURSE_TURN") or str(date.today().toordinal())


def turn(things, count):
    """``count`` of ``things``, which move on by ``count`` each day, so that none is left out."""
    things, day = list(things), today()
    if day == "all" or count >= len(things):
        return things
    return [things[(int(day) * count + k) % len(things)] for k in range(count)]
