"""Exercises: what a right answer does, and what a student is told of a wrong one.

A notebook calls ``check("1.2", answer)``, which prints one line and never stops "Run all". What it
tries stands in one module for each notebook, ``nb01.py`` for 1: cases, which are functions of one
argument, the student's function. Each asserts something about it, and the message of the assertion
is the hint that the student reads. Hidden cases are tried where answers are graded.

Where nbgrader validates or grades (it sets ``NBGRADER_EXECUTION``), ``check`` also raises.
"""

import contextlib
import functools
import inspect
import linecache
import os
import re
import traceback
from collections.abc import Callable
from importlib import import_module, metadata
from importlib.util import find_spec

import numpy as np

Case = Callable[[Callable], None]

PASSED = "passed"
NOT_ATTEMPTED = "not attempted"

_results: dict[str, str] = {}  # exercise: what check said of it last
_predictions: dict[str, str] = {}  # what it is about: what the reader chose or wrote


class NoSuchExercise(LookupError):
    """This version of the package has no cases of an exercise; the text says what to do."""


# --- for notebooks --------------------------------------------------------------------------------


def check(name: str, answer: Callable, *cases: Case) -> None:
    """Try ``answer`` on every visible case and print one line about the outcome.

    Args:
        name: the exercise's number, such as ``"1.2"``.
        answer: the student's function. ``raise NotImplementedError`` means "not attempted".
        *cases: what to try instead of the package's own cases of the exercise, as a problem set
            does, whose cases are drawn for one class.

    Raises:
        Exception: whatever a case raised, but only where nbgrader validates or grades.
    """
    call = _Watched(answer)
    caught: Exception | None = None
    try:
        for case in cases or cases_of(name):
            case(call)
    except Exception as error:
        caught = error
    word = PASSED if caught is None else _word(caught, call)
    _results[name] = word
    mark = {PASSED: "✓", NOT_ATTEMPTED: "○"}.get(word, "✗")
    print(f"{mark} Exercise {name}: {word}")
    if caught is not None and os.environ.get("NBGRADER_EXECUTION"):
        raise caught


def hidden_tests(name: str, answer: Callable) -> None:
    """Try ``answer`` on every hidden case; silent where all hold.

    Raises:
        Exception: whatever the first case that does not hold raises.
    """
    for case in cases_of(name, hidden=True):
        case(answer)


def predict(about: str, *choices: str):
    """Ask for a prediction: buttons, or a line to write on; ``summary`` repeats what was said.

    It is the reader's own: no answer is stored with it, and nothing is graded. Where no kernel
    runs, the choices are shown as text.

    Args:
        about: what is predicted, in a few words: ``summary`` names it so.
        *choices: two or more, of which one is chosen; none for a line to write on.

    Returns:
        A widget to display: let the call be the last line of its cell.

    Raises:
        ValueError: if ``about`` is empty, or there is one choice only, or one that is there twice.
    """
    from course_utils.widgets import Prediction

    def keep(said: str) -> None:
        _predictions.pop(about, None)
        if said:
            _predictions[about] = said

    return Prediction(about, choices, keep=keep, said=_predictions.get(about, ""))


def summary() -> None:
    """Print how many of the exercises checked so far pass, what the others lack, and predictions.

    Predictions are those of the reader, from ``predict``; without any, none are mentioned.
    """
    passed = sum(word == PASSED for word in _results.values())
    print(f"{passed} of {len(_results)} exercises pass.")
    for name, word in _results.items():
        if word != PASSED:
            print(f"  Exercise {name}: {word}")
    if _predictions:
        print("You predicted:")
    for about, said in _predictions.items():
        print(f"  {about}: {said}")


# --- for modules of cases -------------------------------------------------------------------------


def case(name: str, *, hidden: bool = False) -> Callable[[Case], Case]:
    """Mark a function of a module ``nbNN`` as a case of the exercise ``name``."""

    def mark(function: Case) -> Case:
        function.case_of = name, hidden  # type: ignore[attr-defined]
        return function

    return mark


def cases_of(name: str, *, hidden: bool = False) -> list[Case]:
    """The cases of the exercise ``name``, in the order of their definitions.

    Raises:
        NoSuchExercise: if this version of the package has none.
    """
    module = f"{__name__}.nb{name.partition('.')[0]:0>2}"
    functions = vars(import_module(module)).values() if find_spec(module) else ()
    found = [one for one in functions if getattr(one, "case_of", None) == (name, hidden)]
    if not found:
        raise NoSuchExercise(
            f"course_utils {_version()} has no exercise {name}; it is older or newer than this "
            "notebook. In Colab: Runtime > Disconnect and delete runtime, then run from the top. "
            "In a clone: git pull."
        )
    return found


def expect(
    got, right, says: str, slips: dict | None = None, *, form: str = "", rtol=1e-6, atol=1e-9
) -> None:
    """Assert that ``got`` is ``right``: its kind, its shape and, up to rounding, its numbers.

    Args:
        got: what the answer gave.
        right: a number, an array, or a dict, list or tuple of such.
        says: the message where it is neither right nor a known slip.
        slips: hint: the value that the slip leads to, which may have another shape. The first one
            that ``got`` equals is told.
        form: what the answer consists of, in words, told after a message about kind or shape:
            "One number per example."
        rtol, atol: as of ``numpy.allclose``.

    Raises:
        AssertionError: with the hint of the slip, else with what is wrong about kind or shape,
            else with ``says``.
    """
    if _same(got, right, rtol, atol):
        return
    for hint, wrong in (slips or {}).items():
        if _same(got, wrong, rtol, atol):
            raise AssertionError(hint)
    wrong = _wrong_form(got, right)
    raise AssertionError(f"{wrong} {form}".strip() if wrong else says)


def expect_all_digits(
    got,
    right,
    says: str,
    slips: dict | None = None,
    *,
    form: str = "",
    few: str = "Stay in 64 bits: is a part of it float32?",
    near=1e-4,
    rtol=1e-9,
    atol=1e-12,
) -> None:
    """Assert as ``expect``, and tell what is right to a few digits only from what is wrong.

    Args:
        got, right, says, slips, form: as of ``expect``.
        few: what may be the reason where a few digits are right.
        near: the tolerance, relative and absolute, for a few digits.
        rtol, atol: the tolerances for all of them.

    Raises:
        AssertionError: as ``expect``.
    """
    expect(got, right, says, slips, form=form, rtol=near, atol=near)
    expect(got, right, f"Right to a few digits only. {few}", form=form, rtol=rtol, atol=atol)


# what a library's message says where shapes do not fit
SHAPES = "shape|dimension|broadcast|mismatch|did not match|incompatible|out of bounds"


def called(f: Callable, *args, advice: dict, **kwargs):
    """What ``f`` gives; where it stops with an error that is known, what to do about it.

    Args:
        f: the answer.
        *args, **kwargs: what it is given.
        advice: pattern of the first line of an error: what is said before that line.

    Raises:
        AssertionError: with the first advice whose pattern is found, and the line.
    """
    try:
        return f(*args, **kwargs)
    except (TypeError, ValueError, IndexError, AttributeError) as error:
        line = re.sub(
            r",? (with gufunc signature \S+|on vectorized function.*)", "", _first_line(error)
        )
        line = re.sub(r"\S*<lambda>(\(\))?", "the function", line)
        for pattern, wanted in advice.items():
            if re.search(pattern, line):
                raise AssertionError(f"{wanted} The error: {line}") from error
        raise


@contextlib.contextmanager
def untouched(says: str, *arrays):
    """Refuse, with ``says``, an answer that writes into what it is given, in this block."""
    before = [np.array(array) for array in arrays]
    yield
    assert all(map(np.array_equal, before, arrays)), says


def _same(a, b, rtol, atol) -> bool:
    if _wrong_form(a, b):
        return False
    if isinstance(b, dict):
        return all(_same(a[key], b[key], rtol, atol) for key in b)
    if _is_nested(b):
        return all(_same(x, y, rtol, atol) for x, y in zip(a, b))
    a, b = np.asarray(a), np.asarray(b)
    if not all(np.issubdtype(x.dtype, np.number) or x.dtype == bool for x in (a, b)):
        return bool(np.all(a == b))
    return bool(np.allclose(a, b, rtol=rtol, atol=atol, equal_nan=True))


def _is_nested(value) -> bool:
    """Whether a list or tuple holds parts of its own: those that make no array of numbers."""
    if not isinstance(value, (list, tuple)):
        return False
    try:
        return np.asarray(value).dtype == object
    except ValueError:  # of unequal lengths
        return True


def _wrong_form(got, right) -> str:
    """What is wrong with ``got`` whatever its numbers; empty if it has the form of ``right``."""
    if isinstance(right, dict):
        if not isinstance(got, dict):
            return f"The answer should be a dict; this is {_kind(got)}."
        if set(got) != set(right):
            return f"The keys should be {_listed(right)}; these are {_listed(got)}."
        parts = [_wrong_form(got[key], right[key]) for key in right]
        return next((f"{key}: {part}" for key, part in zip(right, parts) if part), "")
    if _is_nested(right):
        if not isinstance(got, (list, tuple)) or len(got) != len(right):
            return f"The answer should have {len(right)} parts; this is {_kind(got)}."
        return next(filter(None, map(_wrong_form, got, right)), "")
    try:
        found, wanted = np.asarray(got), np.asarray(right)
    except Exception:  # of unequal lengths, or a traced value
        return f"The answer should be an array of shape {np.shape(right)}; this is {_kind(got)}."
    thing = "number" if wanted.ndim == 0 else "array of numbers"
    if np.issubdtype(wanted.dtype, np.number) and not (
        np.issubdtype(found.dtype, np.number) or found.dtype == bool
    ):
        what = f"holds {found.dtype}" if hasattr(got, "dtype") else f"is {_kind(got)}"
        return f"The answer should be {_article(thing)}; this {what}."
    if np.iscomplexobj(found) and not np.iscomplexobj(wanted):
        return f"The answer should be a real {thing}; this is complex."
    if found.shape != wanted.shape:
        if wanted.ndim == 0:
            return f"The answer should be a single number; this has shape {found.shape}."
        if found.ndim == 0:
            return f"The answer should have shape {wanted.shape}; this is a single number."
        return f"The answer should have shape {wanted.shape}; this has {found.shape}."
    return ""


def _article(thing) -> str:
    return f"an {thing}" if thing[0] in "aeiou" else f"a {thing}"


def _listed(keys) -> str:
    return ", ".join(map(repr, sorted(keys, key=str)))


def _kind(value) -> str:
    """How a message names a value: by its shape, its length or its type."""
    if value is None:
        return "None"
    if isinstance(value, (list, tuple)):
        return f"a {type(value).__name__} of {len(value)}"
    shape = getattr(value, "shape", None)
    if isinstance(shape, tuple):
        return f"an array of shape {shape}" if shape else "a single number"
    return f"of type {type(value).__name__}"


# --- what a student reads -------------------------------------------------------------------------


class _Watched:
    """The answer, which remembers its last call: what it was given, gave back, and raised."""

    def __init__(self, answer: Callable):
        functools.update_wrapper(self, answer)
        self.answer = answer
        self.given, self.raised, self.gave_none = "", None, False

    def __call__(self, *args, **kwargs):
        try:
            value = self.answer(*args, **kwargs)
        except Exception as error:
            self.raised, self.given = error, _given(self.answer, args, kwargs)
            raise
        self.gave_none = value is None
        return value


def _word(error: Exception, call: _Watched) -> str:
    """What is said of an answer that is not right."""
    if call.gave_none:
        return "not yet. The function gives back None: does it end with return?"
    if isinstance(error, NotImplementedError) and not error.args:
        return NOT_ATTEMPTED  # with a message it is not the untouched answer's: JAX raises such
    if isinstance(error, AssertionError):
        return f"not yet. {_hint(error)}"
    if isinstance(error, NoSuchExercise):
        return f"it cannot be checked: {error}"
    kind = "" if isinstance(error, NotImplementedError) else f"{type(error).__name__}: "
    if error is call.raised:
        return f"it stops with {kind}{_first_line(error)}{call.given}"
    return f"not yet. What it gives back is not what the check can use ({kind}{_first_line(error)})"


def _given(answer: Callable, args, kwargs) -> str:
    """The shapes and numbers that a call was given, by the names of the parameters."""
    try:
        bound = inspect.signature(answer).bind(*args, **kwargs).arguments
    except (TypeError, ValueError):  # it takes other arguments, and the error says so
        return ""
    told = [f"{name} {shape}" for name, value in bound.items() if (shape := _shape(value))]
    return f" (called with {', '.join(told)})" if told else ""


def _shape(value) -> str:
    shape = getattr(value, "shape", None)
    if isinstance(shape, tuple) and shape:
        return f"of shape {shape}"
    if isinstance(value, (bool, int, float)):
        return f"= {value}"
    return ""


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


def _version() -> str:
    try:
        return metadata.version("course_utils")
    except metadata.PackageNotFoundError:
        return "(not installed)"
