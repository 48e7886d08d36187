"""The answers' page for instructors is complete, and says what the lessons and the checks say."""

import re
from typing import NamedTuple

import jax
import pytest
import wrong_answers

from course_utils.cli import notebooks
from course_utils.cli.setup_venv import ROOT

PAGE = ROOT / "notebooks/INSTRUCTORS-answers.md"
SOLVED = {path: notebooks.read(path) for path in notebooks.solved()}
TITLE = re.compile(r"^# (\d+ · .+?)(?::.*)?$", re.M)
TASK = re.compile(r"^#### (In words|For the fast) · (.+?)  \(", re.M)
QUESTIONS = re.compile(r"^\*\*Check yourself, without code\.\*\*(.*?)(?:\n\n|\Z)", re.M | re.S)
ROW = re.compile(r"^\| (\d+\.\d+) \| \*(.+?)\*.* \| (.+) \| (.+) \|$", re.M)
BULLET = re.compile(r"^- (\([a-z]\) )?\*(.+?\?)\* .+\.\)?$", re.M)
RUBRIC = re.compile(r"^- (\d+) points?: .+$", re.M)


@pytest.fixture(autouse=True)
def stored_answers(monkeypatch, quick_compilation):
    """Modules of wrong answers can be imported; what these run compiles fast."""
    monkeypatch.syspath_prepend(ROOT / "tests/exercises")
    with jax.default_matmul_precision("highest"):  # as a lesson's set-up asks
        yield


each_lesson = pytest.mark.parametrize("path", SOLVED, ids=lambda path: path.stem)


class Row(NamedTuple):
    """A line of a table of common wrong answers."""

    number: str
    mistake: str
    reason: str
    check: str


def sections():
    """The page's sections, by the titles of the lessons."""
    parts = re.split(r"^## (.+)$", PAGE.read_text(encoding="utf-8"), flags=re.M)
    assert len(set(parts[1::2])) == len(parts[1::2]), "a section is there twice"
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def title(path):
    (found,) = TITLE.findall(SOLVED[path].cells[0].source)
    return found


def section(path):
    return sections()[title(path)]


def part(path, label):
    """What stands in a lesson's section from the line with ``label`` to the next such line."""
    parts = re.split(r"^\*\*(.+?)\*\*", section(path), flags=re.M)
    (found,) = [text for name, text in zip(parts[1::2], parts[2::2], strict=True) if name == label]
    return found


def tasks(path, kind):
    """The titles of a lesson's tasks ``In words`` or ``For the fast``, each with its cell."""
    return [
        (name, i)
        for i, cell in enumerate(SOLVED[path].cells)
        if cell.cell_type == "markdown"
        for which, name in TASK.findall(cell.source)
        if which == kind
    ]


def graded_in_words(path):
    """What a person grades in a lesson: ``(title, points)`` of each task."""
    found = []
    for i, cell in enumerate(SOLVED[path].cells):
        told = cell.metadata.get("nbgrader", {})
        if cell.cell_type == "markdown" and told.get("grade"):
            name = [name for name, at in tasks(path, "In words") if at < i][-1]
            found.append((name, told["points"]))
    return found


def rows(path):
    return [Row(*found) for found in ROW.findall(part(path, "Common wrong answers"))]


def stored(path, row):
    """The exercise of a row, and the stored wrong answer that the row names."""
    exercise = wrong_answers.exercises_of(path)[row.number]
    found = [
        wrong for wrong in exercise.wrong if wrong.mistake.removeprefix("shape: ") == row.mistake
    ]
    assert len(found) == 1, f"{row.number}: no stored wrong answer is called {row.mistake!r}"
    return exercise, found[0]


def test_every_lesson_has_a_section_and_every_section_a_lesson():
    assert list(sections()) == [title(path) for path in SOLVED]


@each_lesson
def test_every_row_names_a_stored_wrong_answer_and_why_it_is_wrong(path):
    table = part(path, "Common wrong answers").strip().splitlines()
    assert len(rows(path)) == len(table) - 2 >= 3, "a row that cannot be read, or too few"
    assert len({(row.number, row.mistake) for row in rows(path)}) == len(rows(path))
    for row in rows(path):
        stored(path, row)
        assert len(row.reason.split()) >= 5, row


@each_lesson
def test_the_check_says_what_the_page_quotes(path):
    for row in rows(path):
        exercise, wrong = stored(path, row)
        quoted = re.findall(r'"(.+?)"', row.check)
        assert quoted, row
        assert ("(hidden)" in row.check) == wrong.hidden, row
        function = exercise.signature.removeprefix("def ").partition("(")[0]
        given = wrong_answers.given(SOLVED[path], row.number, exercise)
        told = wrong_answers.tried(row.number, function, exercise.source(wrong.body), given)
        message = " ".join(told.message.split())
        assert told.error is not None, row
        for words in quoted:
            assert words in message, f"{row.number}, {row.mistake}: {words!r} is not in {message!r}"


@each_lesson
def test_every_question_of_check_yourself_has_an_answer(path):
    (asked,) = [found for cell in SOLVED[path].cells for found in QUESTIONS.findall(cell.source)]
    letters = re.findall(r"\(([a-z])\) ", asked)
    answered = BULLET.findall(part(path, "Check yourself"))
    if letters:
        assert [letter.strip() for letter, _ in answered] == [f"({one})" for one in letters]
    else:
        assert [letter for letter, _ in answered] == [""] * asked.count("?")


@each_lesson
def test_students_have_a_fold_with_answers_as_the_page_says(path):
    copy = notebooks.read(path.parent / "student" / path.name)
    (cell,) = [cell for cell in copy.cells if QUESTIONS.search(cell.source)]
    assert re.search(r"<details><summary>Answers?</summary>", cell.source)


@each_lesson
def test_every_answer_in_words_has_a_model_and_a_rubric_of_its_points(path):
    assert graded_in_words(path)
    for name, points in graded_in_words(path):
        text = part(path, f"In words · {name}")
        assert text.startswith(f" ({points} point{'s' * (points != 1)})\n")
        (model,) = re.findall(r"^> (.+)$", text, re.M)
        assert len(re.findall(r"[.?!)](?: |$)", model)) >= 3, "a model answer of three sentences"
        assert sum(map(int, RUBRIC.findall(text))) == points
        assert "\n*Half-answers.* " in text


@each_lesson
def test_every_task_for_the_fast_is_spoken_of(path):
    assert tasks(path, "For the fast")
    for name, _ in tasks(path, "For the fast"):
        end = "" if name.endswith("?") else "."
        assert len(part(path, f"For the fast · {name}{end}").split()) >= 10


def test_no_copy_for_students_leads_to_the_answers():
    copies = sorted((ROOT / "notebooks/student").glob("*.ipynb"))
    assert copies
    for path in copies:
        assert PAGE.stem not in path.read_text(encoding="utf-8"), path.name
