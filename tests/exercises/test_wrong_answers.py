"""Typical wrong answers are stored for every exercise; test_students.py tries them."""

import ast
import textwrap

import pytest
import wrong_answers
from wrong_answers import Exercise, Told, Wrong

from course_utils.cli import notebooks

SOLVED = notebooks.solved()

each_notebook = pytest.mark.parametrize("path", SOLVED, ids=lambda path: path.stem)


def answers_to(path):
    return wrong_answers.exercises_of(path).items()


@each_notebook
def test_every_exercise_has_wrong_answers_of_its_own(path):
    cells = {cell.id: cell for cell in notebooks.read(path).cells}
    asked = {
        name
        for name, cell in cells.items()
        if cell.cell_type == "code" and cell.metadata.get("nbgrader", {}).get("solution")
    }
    assert {wrong_answers.cell_name(number) for number, _ in answers_to(path)} == asked != set()
    for number, exercise in answers_to(path):
        (function,) = ast.parse(exercise.source("pass")).body
        solution = ast.parse(cells[wrong_answers.cell_name(number)].source).body[-1]
        assert function.name == solution.name
        assert ast.unparse(function.args) == ast.unparse(solution.args)


@each_notebook
def test_there_are_six_kinds_of_mistakes_or_more(path):
    for number, exercise in answers_to(path):
        mistakes = [wrong.mistake for wrong in exercise.wrong]
        bodies = [textwrap.dedent(wrong.body).strip() for wrong in exercise.wrong]
        assert len(set(mistakes)) == len(mistakes) >= 6, number
        assert len(set(bodies)) == len(bodies), number
        assert any(wrong.hidden for wrong in exercise.wrong), f"{number}: all are seen at once"
        assert any(mistake.startswith("shape: ") for mistake in mistakes), number
        for body in [*bodies, *exercise.right]:
            ast.parse(exercise.source(body))


@each_notebook
def test_most_messages_name_the_mistake(path):
    wrong = [wrong for _, exercise in answers_to(path) for wrong in exercise.wrong]
    named = [one for one in wrong if one.says is not None]
    assert len(named) >= 2 / 3 * len(wrong)
    assert all(len(one.says) >= 3 for one in named), "a letter or two say nothing"


def double(*wrong):
    return {"1.1": Exercise("def double(x):", list(wrong), ["return x + x"])}


SIGN = Wrong("sign", "return -2 * x", "The sign")
BY_HEART = Wrong("right on the visible case alone", "return 6", hidden=True)
NO, LATER = (
    Told("✗ Exercise 1.1: not yet. The sign.\n", "AssertionError: The sign."),
    "✓ 1.1: passed",
)


@pytest.mark.parametrize(
    "wrong, told, complaint",
    [
        (SIGN, NO, None),
        (BY_HEART, Told(LATER, "AssertionError: "), None),
        (SIGN, Told(LATER, None), "exercise 1.1, sign: accepted"),
        (SIGN, Told("✗ not yet. Wrong.", "AssertionError: The sign."), "no 'The sign' in the mess"),
        (SIGN, Told(LATER, "AssertionError: The sign."), "refused by the hidden tests"),
        (BY_HEART, NO, "refused by the visible cases"),
    ],
)
def test_a_wrong_answer_must_be_refused_in_the_promised_words(wrong, told, complaint):
    fine = Told(LATER, None)
    found = wrong_answers.problems(double(wrong), {"1.1": [fine, told, fine]})
    assert [complaint in line for line in found] == ([] if complaint is None else [True])


@pytest.mark.parametrize("place, which", [(0, "the solution"), (2, "right answer 1")])
def test_a_right_answer_must_pass(place, which):
    told = [Told(LATER, None), NO, Told(LATER, None)]
    told[place] = NO
    (line,) = wrong_answers.problems(double(SIGN), {"1.1": told})
    assert line.startswith(f"exercise 1.1: {which} is refused: ✗")
