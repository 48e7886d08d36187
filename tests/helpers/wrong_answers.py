"""Wrong answers that students give, what is said of them, and how both are tried.

One module for each notebook, ``nb00`` for the first, holds ``EXERCISES``: an ``Exercise`` for each
number. ``tried`` runs an answer against the package's cases, without a kernel.
"""

import contextlib
import importlib
import io
import linecache
import os
import textwrap
import warnings
from typing import NamedTuple
from unittest import mock

from course_utils import exercises
from course_utils.instructors import assemble


class Wrong(NamedTuple):
    """One wrong answer.

    Attributes:
        mistake: a few words; ``shape: ...`` where the result has another shape or kind.
        body: the function's body, without its ``def`` line.
        says: words that the message must hold, which name the mistake; None where the message only
            says that a value is wrong.
        hidden: whether the answer is right on the visible cases, so that hidden tests must find it.
    """

    mistake: str
    body: str
    says: str | None = None
    hidden: bool = False


class Exercise(NamedTuple):
    """The ``def`` line of an exercise's function, wrong bodies for it, and right ones.

    Bodies may use what the notebook imports or defines before the exercise.
    """

    signature: str
    wrong: list[Wrong]
    right: list[str]  # other ways to the same result, which no check may refuse

    def source(self, body):
        """An answer cell, as a student would leave it."""
        return f"{self.signature}\n{textwrap.indent(textwrap.dedent(body).strip(), '    ')}\n"


class Told(NamedTuple):
    """What became of one answer: the text printed, and the error raised, None where all passed."""

    printed: str
    error: str | None

    @property
    def passed_the_visible_cases(self):
        return ": passed" in self.printed

    @property
    def message(self):
        """What whoever looks for the mistake reads: ``check``'s line, or else the hidden test's."""
        return self.error or "" if self.passed_the_visible_cases else self.printed


def exercises_of(path):
    """The exercises, by number, that are stored for the notebook in ``path``."""
    return importlib.import_module(f"nb{path.name[:2]}").EXERCISES


def cell_name(number):
    return "ex-" + number.replace(".", "-")


def given(solved, number, exercise):
    """Code that binds what answers may use: a notebook's imports and definitions before them."""
    lesson = []
    for cell in solved.cells:
        if cell.id == cell_name(number):
            answers = [cell.source, *map(exercise.source, bodies(exercise))]
            break
        if cell.cell_type == "code":
            lesson.append(cell.source)
    return assemble.restoring(lesson, "\n".join(answers), ())


def bodies(exercise):
    return [*(wrong.body for wrong in exercise.wrong), *exercise.right]


def tried(number, function, source, given):
    """Run the code of an answer, and hold its ``function`` against all cases: a ``Told``.

    Args:
        number: the exercise's.
        function: the name of the function that ``source`` defines.
        source: the answer.
        given: code that runs before it.
    """
    file = f"<answer {number} {hash(source)}>"
    linecache.cache[file] = len(source), None, source.splitlines(True), file
    printed, error, names = io.StringIO(), None, {}
    with (
        contextlib.redirect_stdout(printed),
        contextlib.redirect_stderr(io.StringIO()),
        warnings.catch_warnings(),
        mock.patch.dict(os.environ, NBGRADER_EXECUTION="validate"),
        mock.patch.dict(exercises._results),
    ):
        warnings.simplefilter("ignore")
        exec(given, names)
        try:
            exec(compile(source, file, "exec"), names)
            exercises.check(number, names[function])
            exercises.hidden_tests(number, names[function])
        except Exception as caught:
            error = f"{type(caught).__name__}: {caught}"
    return Told(printed.getvalue(), error)


def problems(number, exercise, solution, given):
    """One line for each answer that is judged wrongly, or whose message lacks its words.

    Args:
        number: the exercise's.
        exercise: its stored answers.
        solution: the source of the notebook's own answer.
        given: code that runs before each.
    """
    function = exercise.signature.removeprefix("def ").partition("(")[0]
    found = []
    rights = [solution, *map(exercise.source, exercise.right)]
    for i, source in enumerate(rights):
        told = tried(number, function, source, given)
        if told.error is not None:
            which = f"right answer {i}" if i else "the solution"
            found.append(f"exercise {number}: {which} is refused: {told.printed}{told.error}")
    for wrong in exercise.wrong:
        told = tried(number, function, exercise.source(wrong.body), given)
        said = " ".join(told.message.split())
        where = f"exercise {number}, {wrong.mistake}"
        if told.error is None:
            found.append(f"{where}: accepted")
        elif wrong.says is not None and wrong.says not in said:
            found.append(f"{where}: no {wrong.says!r} in the message: {said}")
        elif wrong.hidden != told.passed_the_visible_cases:
            stage = "hidden tests" if told.passed_the_visible_cases else "visible cases"
            found.append(f"{where}: refused by the {stage}: {said}")
    return found
