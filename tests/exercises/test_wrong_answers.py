"""Typical wrong answers to every exercise are refused, and right ones of other kinds accepted."""

import ast
import textwrap

import pytest
import wrong_answers
from wrong_answers import Exercise, Wrong

from course_utils import exercises
from course_utils.cli import notebooks, release
from course_utils.exercises import expect

SOLVED = {path: notebooks.read(path) for path in notebooks.solved()}
EVERY = [
    pytest.param(path, number, exercise, id=number)
    for path in SOLVED
    for number, exercise in wrong_answers.exercises_of(path).items()
]
CHECK = """\
check("{number}", {function})
### BEGIN HIDDEN TESTS
from course_utils.exercises import hidden_tests

hidden_tests("{number}", {function})
### END HIDDEN TESTS"""

each_notebook = pytest.mark.parametrize("path", SOLVED, ids=lambda path: path.stem)
each_exercise = pytest.mark.parametrize("path, number, exercise", EVERY)


def cells_of(path):
    return {cell.id: cell for cell in SOLVED[path].cells}


@each_notebook
def test_every_exercise_has_answers_and_every_answer_an_exercise(path):
    asked = {
        name
        for name, cell in cells_of(path).items()
        if cell.cell_type == "code" and cell.metadata.get("nbgrader", {}).get("solution")
    }
    stored = wrong_answers.exercises_of(path)
    assert {wrong_answers.cell_name(number) for number in stored} == asked != set()


@each_exercise
def test_answers_are_of_the_form_that_is_asked_for(path, number, exercise):
    (function,) = ast.parse(exercise.source("pass")).body
    solution = ast.parse(cells_of(path)[wrong_answers.cell_name(number)].source).body[-1]
    assert function.name == solution.name
    assert ast.unparse(function.args) == ast.unparse(solution.args)


@each_exercise
def test_there_are_six_kinds_of_mistakes_and_three_right_ways_or_more(path, number, exercise):
    mistakes = [wrong.mistake for wrong in exercise.wrong]
    bodies = [textwrap.dedent(body).strip() for body in wrong_answers.bodies(exercise)]
    assert len(set(mistakes)) == len(mistakes) >= 6
    assert len(set(bodies)) == len(bodies)
    assert len(exercise.right) >= 3
    assert any(wrong.hidden for wrong in exercise.wrong), "all are seen at once"
    assert any(mistake.startswith("shape: ") for mistake in mistakes)


@each_notebook
def test_most_messages_name_the_mistake(path):
    stored = wrong_answers.exercises_of(path).values()
    wrong = [wrong for exercise in stored for wrong in exercise.wrong]
    named = [one for one in wrong if one.says is not None]
    assert len(named) >= 2 / 3 * len(wrong)
    assert all(len(one.says) >= 3 for one in named), "a letter or two say nothing"


@each_exercise
def test_a_check_cell_calls_the_package_and_no_more(path, number, exercise):
    cell = cells_of(path)[wrong_answers.cell_name(number) + "-check"]
    function = exercise.signature.removeprefix("def ").partition("(")[0]
    assert cell.source == CHECK.format(number=number, function=function)


@each_exercise
def test_wrong_answers_are_refused_and_right_ones_accepted(path, number, exercise):
    solution = cells_of(path)[wrong_answers.cell_name(number)].source
    given = wrong_answers.given(SOLVED[path], number, exercise)
    found = wrong_answers.problems(number, exercise, solution, given)
    assert not found, "\n".join(["", *found])


@each_exercise
def test_an_untouched_answer_is_not_attempted(path, number, exercise):
    given = wrong_answers.given(SOLVED[path], number, exercise)
    function = exercise.signature.removeprefix("def ").partition("(")[0]
    told = wrong_answers.tried(number, function, exercise.source(release.CODE_STUB), given)
    assert told.printed == f"○ Exercise {number}: not attempted\n"


# --- the judge itself -----------------------------------------------------------------------------


SOLUTION = "def double(x):\n    return 2 * x\n"
SIGN = Wrong("sign", "return -2 * x", "The sign")
BY_HEART = Wrong("right on the visible case alone", "return 6", hidden=True)


def problems(monkeypatch, *wrong, right=("return x + x",), solution=SOLUTION):
    def cases_of(name, *, hidden=False):
        x = 10 if hidden else 3
        return [lambda f: expect(f(x), 2 * x, "Twice.", {"The sign.": -2 * x})]

    monkeypatch.setattr(exercises, "cases_of", cases_of)
    exercise = Exercise("def double(x):", list(wrong), list(right))
    return wrong_answers.problems("1.1", exercise, solution, "")


def test_wrong_answers_that_are_refused_as_promised_leave_nothing_to_say(monkeypatch):
    assert problems(monkeypatch, SIGN, BY_HEART) == []


@pytest.mark.parametrize(
    "wrong, complaint",
    [
        (Wrong("none", "return 2 * x", "The sign"), "exercise 1.1, none: accepted"),
        (SIGN._replace(says="Half"), "exercise 1.1, sign: no 'Half' in the message"),
        (SIGN._replace(hidden=True), "exercise 1.1, sign: refused by the visible cases"),
        (BY_HEART._replace(hidden=False), "alone: refused by the hidden tests"),
    ],
)
def test_a_wrong_answer_must_be_refused_in_the_promised_words(monkeypatch, wrong, complaint):
    (found,) = problems(monkeypatch, wrong)
    assert complaint in found


@pytest.mark.parametrize(
    "options, which",
    [
        ({"solution": SOLUTION.replace("2", "3")}, "the solution is refused: ✗"),
        ({"right": ["return x + x", "return x"]}, "right answer 2 is refused: ✗"),
        ({"right": ["return x + 3"]}, "right answer 1 is refused: ✓"),
    ],
)
def test_a_right_answer_must_pass_both_kinds_of_cases(monkeypatch, options, which):
    (found,) = problems(monkeypatch, SIGN, **options)
    assert found.startswith(f"exercise 1.1: {which}")
