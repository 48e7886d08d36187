"""Friendly checks for exercises: they print one line and never stop "Run all".

``check`` prints whether an answer passes, has not been attempted, or what is wrong with it. With
``COURSE_GRADE=1`` in the environment, as when an instructor grades, it also raises what it caught.
"""

import functools
import linecache
import os
import traceback
from collections.abc import Callable

PASSED = "passed"
NOT_ATTEMPTED = "not attempted"

_results: dict[str, str] = {}  # exercise name -> what check said of it last


def check(name: str, answer: Callable, *cases: Callable) -> None:
    """Try ``answer`` on every case and print one line about the outcome.

    Args:
        name: the exercise's number, such as ``"1.2"``.
        answer: the student's function. ``raise NotImplementedError`` means "not attempted".
        *cases: functions of one argument, the answer; each asserts something about it, and the
            assertion's message is the hint that a student reads.

    Raises:
        Exception: whatever a case raised, but only where ``COURSE_GRADE`` is ``1``.
    """
    returned = []  # what the answer gave back, so that a forgotten return can be named

    @functools.wraps(answer)
    def watched(*args, **kwargs):
        value = answer(*args, **kwargs)
        returned.append(value)
        return value

    word = PASSED
    caught: Exception | None = None
    try:
        for case in cases:
            case(watched)
    except NotImplementedError as error:
        caught = error  # with a message it is not the untouched answer's: JAX raises such
        word = f"it stops with {_first_line(error)}" if error.args else NOT_ATTEMPTED
    except AssertionError as error:
        word, caught = f"not yet. {_hint(error)}", error
    except Exception as error:
        word, caught = f"it stops with {type(error).__name__}: {_first_line(error)}", error
    if caught is not None and returned and returned[-1] is None:
        word = "not yet. The function gives back None: does it end with return?"
    _results[name] = word
    mark = {PASSED: "✓", NOT_ATTEMPTED: "○"}.get(word, "✗")
    print(f"{mark} Exercise {name}: {word}")
    if caught is not None and os.environ.get("COURSE_GRADE") == "1":
        raise caught


def summary() -> None:
    """Print how many of the exercises checked so far pass, and what the others lack."""
    passed = sum(word == PASSED for word in _results.values())
    print(f"{passed} of {len(_results)} exercises pass.")
    for name, word in _results.items():
        if word != PASSED:
            print(f"  Exercise {name}: {word}")


def _first_line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else "(no message)"


def _hint(error: AssertionError) -> str:
    """The assertion's own message, or the line that failed where it has none."""
    if str(error).strip():
        return _first_line(error)
    *_, (frame, number) = traceback.walk_tb(error.__traceback__)
    line = linecache.getline(frame.f_code.co_filename, number).strip()
    return f"This should hold: {line.removeprefix('assert ')}" if line else "An assertion failed."
