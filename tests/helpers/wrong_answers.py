"""Wrong answers that students give, what is said of them, and how both are tried in a notebook.

One module for each notebook, ``nb00`` for the first, holds ``EXERCISES``: an ``Exercise`` for each
number. ``put_into`` lets a notebook try them all while it runs, at the place where a student would;
``taken_out`` has what was printed and raised, and ``problems`` judges it.
"""

import importlib
import inspect
import json
import textwrap
from typing import NamedTuple

import nbformat


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
    """The ``def`` line of an exercise's function, wrong bodies for it, and right ones."""

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
    return importlib.import_module(f"wrong_answers.nb{path.name[:2]}").EXERCISES


def cell_name(number):
    return "ex-" + number.replace(".", "-")


def put_into(nb, solved, exercises):
    """Put before each answer cell of ``nb`` one that tries all answers to it, and its solution.

    Each is held against the whole check of the ``solved`` notebook, hidden tests included.
    """
    cells = {cell.id: cell.source for cell in solved.cells}
    trials = {}
    for number, exercise in exercises.items():
        name = cell_name(number)
        bodies = [*(wrong.body for wrong in exercise.wrong), *exercise.right]
        answers = [cells[name], *map(exercise.source, bodies)]
        trials[name] = "\n".join(
            [
                inspect.getsource(try_answers),
                f"try_answers({answers!r}, {cells[name + '-check']!r}, globals())",
            ]
        )
    nb.cells = [
        part
        for cell in nb.cells
        for part in (
            [nbformat.v4.new_code_cell(trials[cell.id], id=f"{cell.id}-trials")]
            if cell.id in trials
            else []
        )
        + [cell]
    ]


def try_answers(answers, check_cell, names):
    """Run each answer and then its check in the namespace ``names``, which is left as it was.

    Prints a list with a pair for each answer: what was printed, and the error or None. It runs in
    a notebook's kernel, from its source alone.
    """
    import contextlib
    import io
    import json
    import os
    import warnings

    from course_utils import checks

    def run(source):
        file = get_ipython().compile.cache(source)  # noqa: F821  (so that messages quote lines)
        exec(compile(source, file, "exec"), names)

    told, before, results = [], dict(names), dict(checks._results)
    os.environ["COURSE_GRADE"] = "1"
    for answer in answers:
        printed, error = io.StringIO(), None
        with (
            contextlib.redirect_stdout(printed),
            contextlib.redirect_stderr(io.StringIO()),
            warnings.catch_warnings(),
        ):
            warnings.simplefilter("ignore")
            try:
                run(answer)
                run(check_cell)
            except Exception as caught:
                error = f"{type(caught).__name__}: {caught}"
        names.clear()
        names.update(before)
        told.append((printed.getvalue(), error))
    del os.environ["COURSE_GRADE"]
    checks._results.clear()
    checks._results.update(results)
    print(json.dumps(told))


def taken_out(nb, exercises):
    """Remove the cells that ``put_into`` put; give, by number, a ``Told`` for each answer."""
    told = {}
    for number in exercises:
        name = f"{cell_name(number)}-trials"
        (cell,) = [cell for cell in nb.cells if cell.id == name]
        text = "".join(output.text for output in cell.outputs)
        told[number] = [Told(*pair) for pair in json.loads(text)]
        nb.cells.remove(cell)
    return told


def problems(exercises, told):
    """One line for each answer that was judged wrongly, or whose message lacks its words."""
    found = []
    for number, exercise in exercises.items():
        solution, *others = told[number]
        count = len(exercise.wrong)
        for i, one in enumerate([solution, *others[count:]]):
            if one.error is not None:
                which = f"right answer {i}" if i else "the solution"
                found.append(f"exercise {number}: {which} is refused: {one.printed}{one.error}")
        for wrong, one in zip(exercise.wrong, others[:count]):
            said = " ".join(one.message.split())
            where = f"exercise {number}, {wrong.mistake}"
            if one.error is None:
                found.append(f"{where}: accepted")
            elif wrong.says is not None and wrong.says not in said:
                found.append(f"{where}: no {wrong.says!r} in the message: {said}")
            elif wrong.hidden != one.passed_the_visible_cases:
                stage = "hidden tests" if one.passed_the_visible_cases else "visible cases"
                found.append(f"{where}: refused by the {stage}: {said}")
    return found
