"""nbgrader's gradebook, and the tables and the page that are read from it."""

import collections
import csv
import html
import io
import json
import math
import os
import re
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from nbgrader.api import Gradebook
from nbgrader.preprocessors import SaveCells

from course_utils.cli import notebooks
from course_utils.instructors import assemble, collect, sandbox
from course_utils.instructors.execute import BY_HAND, PASSED

COURSE = "influence"  # as in nbgrader_config.py
COLUMNS = ("student", "lesson", "exercise", "points", "of", "why", "file")
EXPORTS = {
    "canvas": ("Student", "ID", "SIS User ID", "SIS Login ID", "Section"),
    "moodle": ("Identifier", "Full name", "ID number", "Email address"),
}

_FORMULA = re.compile(r"((?:^|;)[\s\"]*)(?=[=+@＝＋－＠-])")  # the wide ones count in Japanese


class Row(NamedTuple):
    """What one exercise of one student earned."""

    student: str
    lesson: str
    exercise: str
    points: float
    of: float
    why: str  # ends in BY_HAND where a person has to look
    file: str
    late: int  # days


class Book:
    """The gradebook of a course folder ``to``, and what was read from it."""

    def __init__(self, to, roster=()):
        self.to, self.roster = to, {row["id"]: row for row in roster}
        self.url = f"sqlite:///{to.resolve() / 'gradebook.db'}"
        self.lessons = {}  # name: exercises
        if shutil.which("alembic") is None:  # nbgrader calls it by name, as if it were activated
            folder = str(Path(sandbox.PYTHON).parent)
            os.environ["PATH"] = os.pathsep.join([folder, os.environ.get("PATH", os.defpath)])
        self.rows = {}  # (lesson, student): list of Row

    def open(self):
        self.to.mkdir(parents=True, exist_ok=True)
        return Gradebook(self.url, COURSE)

    def about(self, name, student="."):
        """What nbgrader's steps are told of a notebook."""
        return {
            "unique_key": name,
            "output_files_dir": f"{name}_files",
            "nbgrader": {
                "student": student,
                "assignment": name,
                "notebook": name,
                "db_url": self.url,
            },
        }

    def add_lesson(self, name, solved, lesson, due):
        """Write a lesson into the gradebook and into ``source``.

        Raises:
            RuntimeError: if it was graded with other exercises before.
        """
        with self.open() as book:
            book.update_or_create_assignment(name, **({"duedate": due} if due else {}))
        SaveCells(log=assemble.SILENT).preprocess(lesson, self.about(name))
        path = self.to / "source" / name / f"{name}.ipynb"
        notebooks.write(path, notebooks.dumps(solved))

    def add_student(self, name, student, seconds):
        """Enter a submission of a lesson, last written to at ``seconds``."""
        told = self.roster.get(student, {})
        known = {key: told[key] for key in ("first_name", "last_name", "email") if told.get(key)}
        time = datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None, microsecond=0)
        with self.open() as book:
            book.update_or_create_student(student, **known)
            book.update_or_create_submission(name, student, timestamp=time)
        notebooks.write(self.to / "submitted" / student / name / "timestamp.txt", f"{time} UTC\n")

    def settled(self, name, student):
        """The graded cells of a submission that have a person's points and wait for nobody."""
        with self.open() as book:
            (notebook,) = book.find_submission(name, student).notebooks
            return {
                grade.name
                for grade in notebook.grades
                if grade.manual_score is not None and not grade.needs_manual_grade
            }

    def settle(self, name, student, cells):
        """Keep from asking a person again, as nbgrader does wherever one gave points."""
        with self.open() as book:
            for cell in cells:
                book.find_grade(cell, name, name, student).needs_manual_grade = False
            book.db.commit()

    def state(self, name, student):
        """What ``grade`` keeps of a graded submission; empty where there is none."""
        try:
            return json.loads(self._state(name, student).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}

    def set_state(self, name, student, state):
        """Keep it: what is written last says that the submission is graded."""
        notebooks.write(self._state(name, student), json.dumps(state))

    def _state(self, name, student):
        return self.to / "autograded" / student / name / "graded.json"

    def read(self, name, student=None):
        """Read a lesson's grades, of one student or of all, from the gradebook."""
        source = self.to / "source" / name / f"{name}.ipynb"
        if name not in self.lessons:
            self.lessons[name] = assemble.exercises(notebooks.read(source))
        with self.open() as book:
            for submission in book.assignment_submissions(name):
                if student in (None, submission.student.id):
                    key = name, submission.student.id
                    self.rows[key] = self._rows(submission, *key)

    def read_all(self):
        with self.open() as book:
            names = [assignment.name for assignment in book.assignments]
        for name in names:
            if (self.to / "source" / name / f"{name}.ipynb").exists():
                self.read(name)

    def _rows(self, submission, name, student):
        state = self.state(name, student)
        file, aside = state.get("path", ""), state.get("aside", ())
        file += f" (rather than {', '.join(aside)})" if aside else ""
        (notebook,) = submission.notebooks
        grades = {grade.name: grade for grade in notebook.grades}
        comments = {comment.name: comment.comment for comment in notebook.comments}
        late = math.ceil(submission.total_seconds_late / 86400)
        found = []
        for one in self.lessons[name]:
            grade = grades[one.check]
            why = (comments.get(one.answer) or "") + BY_HAND * grade.needs_manual_grade
            score = float(grade.score or 0)
            found.append(Row(student, name, one.name, score, one.points, why, file, late))
        return found

    def by_hand(self, name):
        """The students of whom something of a lesson is to be graded by hand."""
        rows = [row for (lesson, _), some in self.rows.items() if lesson == name for row in some]
        return sorted({row.student for row in rows if row.why.endswith(BY_HAND)}, key=str.casefold)

    def write_grades(self):
        """Write ``grades.csv``, a row for each exercise."""
        keys = sorted(self.rows, key=lambda key: (key[0], key[1].casefold()))
        rows = [row._asdict() for key in keys for row in self.rows[key]]
        _write_table(self.to / "grades.csv", COLUMNS, [[r[key] for key in COLUMNS] for r in rows])

    def write_totals(self):
        """Write ``totals.csv``, a row for each student, those who handed in nothing included."""
        names = sorted({lesson for lesson, _ in self.rows})
        heads = [head for name in names for head in (name, f"{name}, days late")]
        table = []
        for student in self._students():
            mine = [self.rows.get((name, student), ()) for name in names]
            cells = [x for rows in mine for x in (_sum(rows), rows[0].late if rows else "")]
            every = [row for rows in mine for row in rows]
            hand = sum(row.why.endswith(BY_HAND) for row in every)
            table.append([student, *cells, _sum(every), sum(row.of for row in every), hand])
        columns = ["student", *heads, "points", "of", "to grade by hand"]
        _write_table(self.to / "totals.csv", columns, table)

    def _students(self):
        known = {student for _, student in self.rows} | set(self.roster)
        return sorted(known, key=str.casefold)

    def export(self, kind):
        """Write ``canvas.csv`` or ``moodle.csv``; return how many cells wait for a person."""
        names, waiting, table = sorted({lesson for lesson, _ in self.rows}), 0, []
        for student in self._students():
            told = self.roster.get(student, {})
            name = " ".join(filter(None, [told.get("first_name"), told.get("last_name")]))
            number = re.search(r"_(\d+)$", student)
            known = {"Student": name or student, "Full name": name or student}
            known |= {"ID": number[1] if number else "", "ID number": student if told else ""}
            known |= {"Identifier": f"Participant {number[1]}" if number else ""}
            known |= {"Email address": told.get("email", "")}
            known |= {key: value for key, value in told.items() if value}
            cells = [known.get(column, "") for column in EXPORTS[kind]]
            for lesson in names:
                rows = self.rows.get((lesson, student), ())
                open_ = any(row.why.endswith(BY_HAND) for row in rows)
                waiting += open_
                cells.append("" if open_ else _sum(rows))
            table.append(cells)
        if kind == "canvas":  # its second line
            points = [sum(one.points for one in self.lessons[lesson]) for lesson in names]
            table.insert(0, ["Points Possible", "", "", "", "", *points])
        _write_table(self.to / f"{kind}.csv", [*EXPORTS[kind], *names], table)
        return waiting

    def write_class_page(self, name):
        """Write a page on how the class did in a lesson: which exercise, which slip, how many."""
        parts = []
        for one in self.lessons[name]:
            rows = [r for (lesson, _), some in self.rows.items() if lesson == name for r in some]
            rows = [row for row in rows if row.exercise == one.name]
            words = collections.Counter(row.why for row in rows)
            passed = sum(row.points == row.of for row in rows)
            mean = sum(row.points for row in rows) / max(1, len(rows))
            parts.append(
                f"<h2>Exercise {html.escape(one.name)}</h2>\n<p>{passed} of {len(rows)} with all "
                f"{one.points:g} points, {mean:.2g} on average.</p>\n<table>\n"
                "<tr><th>how many</th><th>what was said</th></tr>\n"
            )
            parts += [
                f"<tr><td>{count}</td><td>{html.escape(why)}</td></tr>\n"
                for why, count in words.most_common()
                if why != PASSED
            ]
            parts.append("</table>\n")
        path = self.to / f"class-{name}.html"
        notebooks.write(path, _PAGE.format(title=html.escape(name), body="".join(parts)))
        return path


_PAGE = """\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>{title}: the class</title>
<style>
body {{ font: 16px/1.5 sans-serif; max-width: 56rem; margin: 2rem auto; padding: 0 1rem; }}
th, td {{ padding: .2rem 1rem .2rem 0; text-align: left; vertical-align: top; }}
</style>
</head>
<body>
<h1>{title}: the class</h1>
{body}
</body>
</html>
"""


def _sum(rows):
    return sum(row.points for row in rows) if rows else ""


def _write_table(path, columns, rows):
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(columns)
    for row in rows:
        table.writerow([f"{x:g}" if isinstance(x, float) else _cell(x) for x in row])
    notebooks.write(path, text.getvalue())


def _cell(text):
    """Text that a spreadsheet takes for text, on one line, also where it splits at semicolons."""
    text = collect.spelt(str(text)).replace("\0", " ")
    return _FORMULA.sub(r"\1'", " ".join(text.split()))
