"""Run a submitted notebook beside the instructor's checks, and say what each exercise earned."""

import contextlib
import inspect
import json
import re
import secrets
import time
from typing import NamedTuple

from course_utils.cli import assembly, probe, reach
from course_utils.cli.kernel import Kernel, Stopped

LESSON_TIMES = 5  # as long as other cells: a lesson's own may train a model
PASSED = "passed"
NOT_ATTEMPTED = "not attempted"

# What a student may well use and the lesson does not: it hangs something into the shell
_COMMON = """\
%matplotlib inline
%load_ext autoreload
import matplotlib.pyplot as plt
plt.close(plt.figure())"""
_COLOURS = re.compile("\x1b\\[[0-9;]*m")
_CHECK = """\
import linecache as _lines
__import__("os").environ["NBGRADER_EXECUTION"] = "autograde"
_lines.cache[{file!r}] = len({visible!r}), None, {visible!r}.splitlines(True), {file!r}
exec(compile({visible!r}, {file!r}, "exec"), globals())
print({seen!r})
exec(compile({hidden!r}, "<hidden tests>", "exec"), globals())
print({done!r})
"""
# Whatever a student named like one of Python's own functions stays outside
_APART = """\
import builtins as _grade
_grade.exec({code!r}, {{
    **{{k: v for k, v in _grade.globals().items() if not _grade.hasattr(_grade, k)}},
    "__name__": "__main__",
}})"""
_FORGET = """\
import builtins as _grade
[_grade.globals().pop(_name, None) for _name in {names!r}]"""


class Score(NamedTuple):
    """What one exercise earned."""

    exercise: str
    points: float
    of: float
    why: str


class Shown(NamedTuple):
    """A piece of code that ran, and what it said, for the feedback page."""

    exercise: str  # empty where it is none's
    kind: str  # as of ``assembly.Step``
    source: str
    outputs: list
    lesson: bool


class Outcome(NamedTuple):
    """What came of a submission."""

    scores: list
    shown: list
    changed: list  # library functions that are not what they were; all scores are then 0
    prints: dict  # fingerprints of the library functions


class _Attempt(NamedTuple):
    """How far one kernel came."""

    words: dict  # exercise: why it has its points
    shown: list
    prints: dict
    stopped: object  # the place of the step that ended the kernel; None if none did
    reason: str


def score(solved, submitted, limits, sandboxed, hidden=(), clean=None):
    """Execute a submitted notebook, and grade it.

    A cell that ends the kernel, or has to be ended, costs its own exercise alone: the others run
    again without it.

    Args:
        solved: the solved notebook.
        submitted: the student's notebook.
        limits: a ``sandbox.Limits``.
        sandboxed: whether to run it in a sandbox.
        hidden: folders to keep out of its sight.
        clean: fingerprints from the solved notebook's own run; None to compare nothing.

    Returns:
        An ``Outcome``.

    Raises:
        Stopped: if no kernel starts, which is not the student's doing.
    """
    every = {one.name: one for one in assembly.exercises(solved)}
    steps, missing = assembly.plan(solved, submitted)
    if clean is None:
        steps.append(assembly.Step("cell", _COMMON, "", True))
    deadline = time.monotonic() + limits.total
    fatal = {}  # what must not run again: exercises by name, other cells by place, and why
    while True:
        left = deadline - time.monotonic()
        attempt = _attempt(steps, every, fatal, limits._replace(total=left), sandboxed, hidden)
        if attempt.stopped is None:
            break
        if attempt.stopped == len(steps) or time.monotonic() >= deadline:
            break  # all steps are done, or there is no time to do them again
        fatal[steps[attempt.stopped].exercise or attempt.stopped] = attempt.reason
    words = dict(attempt.words)
    words.update({name: reason for name, reason in fatal.items() if isinstance(name, str)})
    words.update(dict.fromkeys(missing, "its answer cell is missing"))
    changed = probe.differences(clean, attempt.prints) if clean is not None else []
    doubt = f"library changed ({changed[0]})" if changed else ""
    if clean is not None:
        if not attempt.prints:
            doubt = "the libraries could not be compared at the end"
        reached = reach.found([step.source for step in steps if not step.lesson])
        if reached and not doubt:
            doubt = f"the code holds {reached[0]}, which no answer needs"
    scores = [
        _scored(one, words.get(one.name, _unseen(attempt, limits)), doubt) for one in every.values()
    ]
    return Outcome(scores, attempt.shown, changed, attempt.prints)


def _unseen(attempt, limits):
    if attempt.reason:
        return f"not reached: the notebook {attempt.reason}"
    return f"not reached within {limits.total:g} s for the whole notebook"


def _scored(exercise, why, doubt):
    points = exercise.points if why == PASSED else 0.0
    if exercise.written:
        points, why = 0.0, "a written answer, grade by hand"
    elif doubt and points:
        points, why = 0.0, f"{doubt}, grade by hand"
    return Score(exercise.name, points, exercise.points, why)


def _attempt(steps, every, fatal, limits, sandboxed, hidden):
    """Run all steps but the fatal ones on one kernel, as far as it lives."""
    words, shown, prints = {}, [], {}
    broken = {}  # exercise: what became of its answer's cell
    place, began = 0, time.monotonic()
    kernel = Kernel(limits, sandboxed, hidden)
    try:
        with kernel:
            for place, step in enumerate(steps):
                if place in fatal or step.exercise in fatal:
                    reason = fatal.get(place) or fatal[step.exercise]
                    shown.append(_shown(step, every, [_note(f"Not run: it {reason}.")]))
                    continue
                left = began + limits.total - time.monotonic()
                seconds = min(left, limits.seconds * (LESSON_TIMES if step.lesson else 1))
                if left <= 0:
                    return _Attempt(words, shown, prints, None, "")
                one = every.get(step.exercise)
                if step.kind == "check":
                    words[one.name], outputs = _check(kernel, one, seconds, broken.get(one.name))
                else:
                    if step.kind == "answer":
                        kernel.run(_FORGET.format(names=one.defines), seconds)
                    ran = kernel.run(step.source, seconds, history=True)
                    outputs = ran.outputs
                    if step.kind == "answer" and ran.error:
                        late = f"took longer than {seconds:g} s"
                        broken[one.name] = late if ran.late else f"stops with {_reason(ran)}"
                shown.append(_shown(step, every, outputs))
            place = len(steps)
            prints = _prints(kernel, limits.seconds)
    except Stopped as stopped:
        return _Attempt(words, shown, prints, place, str(stopped))
    return _Attempt(words, shown, prints, None, "")


def _shown(step, every, outputs):
    source = every[step.exercise].visible if step.kind == "check" else step.source
    return Shown(step.exercise, step.kind, source, outputs, step.lesson)


def _note(text):
    from nbformat.v4 import new_output

    return new_output("stream", name="stdout", text=text + "\n")


def _check(kernel, exercise, seconds, broken):
    """Run the instructor's check; return the reason for its points, and what students may see."""
    seen, done = secrets.token_hex(16), secrets.token_hex(16)
    visible = exercise.restore + "\n" + exercise.visible
    file = f"<check of exercise {exercise.name}>"
    code = _CHECK.format(file=file, visible=visible, hidden=exercise.hidden, seen=seen, done=done)
    ran = kernel.run(_APART.format(code=code), seconds)
    printed = "".join(o.get("text", "") for o in ran.outputs if o.output_type == "stream")
    outputs = _visible(ran.outputs, seen)
    if done in printed and not ran.error:
        return PASSED, outputs
    if ran.late:
        return f"took longer than {seconds:g} s", outputs
    if seen in printed:
        message = _first_line(ran.message) if ran.error == "AssertionError" else _reason(ran)
        outputs.append(_note("✗ A hidden test failed."))
        return "a hidden test failed" + (f": {message}" if message else ""), outputs
    if broken:
        return f"its cell {broken}", outputs
    said = re.search(rf"^[○✗] Exercise {re.escape(exercise.name)}: (.+)$", printed, re.M)
    if said:
        return said[1], outputs
    if not ran.error:
        return "its check did not report that it came to its end, grade by hand", outputs
    return f"it stops with {_reason(ran)}", outputs


def _visible(outputs, seen):
    """What a check showed before its hidden tests began, without tracebacks."""
    kept = []
    for output in outputs:
        if output.output_type == "error":
            continue
        if output.output_type == "stream":
            output.text, found, _ = output.text.partition(seen)
            if output.text.strip():
                kept.append(output)
            if found:
                break
        else:
            kept.append(output)
    return kept


def _reason(ran):
    message = _first_line(ran.message)
    return f"{ran.error}: {message}" if message else ran.error


def _first_line(text):
    lines = [line.strip() for line in _COLOURS.sub("", text).splitlines() if line.strip()]
    return lines[0][:300] if lines else ""


def _prints(kernel, seconds):
    """The fingerprints of the kernel's library functions; empty if they cannot be had."""
    mark = secrets.token_hex(16)
    code = inspect.getsource(probe) + (
        f"\nimport json\nprint({mark!r} + json.dumps(fingerprints(get_ipython())) + {mark!r})\n"
    )
    ran = kernel.run(_APART.format(code=code), seconds)
    printed = "".join(o.get("text", "") for o in ran.outputs if o.output_type == "stream")
    with contextlib.suppress(ValueError, IndexError):
        found = json.loads(printed.split(mark)[1])
        if isinstance(found, dict) and all(isinstance(names, dict) for names in found.values()):
            return found
    return {}
