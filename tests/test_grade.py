"""Grading: a table of submissions of every kind, each with the score that it earned and why."""

import csv
import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
import sample_lesson as sample

from course_utils.cli import (
    notebooks,
    release,
    sandbox,
    submissions,
)

ROOT = Path(__file__).resolve().parent.parent
NUMBERS = ("1.1", "1.2", "1.3")
GOOD = tuple(f"return x + {m}" for m in (1, 2, 3))
SETUP = """\
import jax.numpy as jnp
import numpy as np

from course_utils.checks import check, summary"""

pytestmark = pytest.mark.skipif(
    sys.platform not in ("linux", "darwin"), reason="grading needs Linux or macOS"
)
needs_sandbox = pytest.mark.skipif(
    not sys.platform.startswith("linux") or sandbox.problem() is not None,
    reason="bubblewrap makes no sandbox here: the submissions are not run",
)


def lesson():
    """Three exercises worth three points each; the last check compares with jax.numpy."""
    nb = sample.lesson()
    nb.cells = [cell for cell in nb.cells if cell.id not in ("figure", "read", "slope")]
    sample.cell(nb, "setup").source = SETUP
    hidden = "assert jnp.allclose(add_3(jnp.ones(2)), 4.0)\n### END"
    check = sample.cell(nb, "ex-1-3-check")
    check.source = check.source.replace("### END", hidden)
    return nb


def answered(*bodies, nb=None):
    """A student copy of the lesson with these bodies of its answers; None leaves one unsolved."""
    nb = nb or release.student_copy(lesson(), None, (), sample.ADDRESS)
    for m, body in enumerate(bodies, 1):
        if body is not None:
            cell = sample.cell(nb, f"ex-1-{m}")
            stub = release.CODE_STUB.replace("\n", "\n    ")
            assert stub in cell.source
            cell.source = cell.source.replace(stub, body.replace("\n", "\n    "))
    return nb


def with_cell(source, place=-1, nb=None):
    """A solved copy with one more cell, before its last or at another place."""
    nb = nb or answered(*GOOD)
    nb.cells.insert(place, nbformat.v4.new_code_cell(source))
    return nb


def without(*ids):
    nb = answered(*GOOD)
    nb.cells = [cell for cell in nb.cells if cell.id not in ids]
    return nb


def changed(id, source):
    nb = answered(*GOOD)
    sample.cell(nb, id).source = source
    return nb


def checks_first():
    nb = answered(*GOOD)
    nb.cells.sort(key=lambda cell: not cell.id.endswith("-check"))
    return nb


def without_metadata():
    """As some editors store it: no nbgrader, and other ids."""
    nb = answered(*GOOD)
    for number, cell in enumerate(nb.cells):
        cell.metadata.pop("nbgrader", None)
        cell.id = f"other-{number}"
    return nb


def answers_alone():
    nb = answered(*GOOD)
    nb.cells = [cell for cell in nb.cells if re.fullmatch("ex-1-.", cell.id)]
    return nb


def all_three(points, why):
    return [(points, why)] * 3


def only(m, why, points=0):
    """Three points for each exercise but the m-th."""
    found = all_three(3, "passed")
    found[m - 1] = (points, why)
    return found


SWALLOWS = """\
while True:
    try:
        while True:
            pass
    except BaseException:
        pass"""
FORKS = """\
import os
while True:
    os.fork()"""
PRINTS = """\
for _ in range(1000):
    print("x" * 1_000_000)"""
HARD_CELL = "import os\nos._exit(0)"
PATCHES = "import {module}\n{module}.{name} = lambda *args, **kwargs: True"
READS = """\
text = open({path!r}).read()
return x + 2"""
CONNECTS = """\
import socket
socket.create_connection(("127.0.0.1", @PORT@), timeout=2)
return x + 2"""
REPLACES = """\
def check(*args):
    print("✓ Exercise 1.2: passed")
np = print = exec = globals = None"""
STRIPS = """\
import ast
class Strip(ast.NodeTransformer):
    def visit_Assert(self, node):
        return ast.Pass()
get_ipython().ast_transformers.append(Strip())"""

# student: what is handed in, what each exercise earns and why (regular expressions)
TABLE = {
    "good": (answered(*GOOD), all_three(3, "passed")),
    "wrong": (
        answered(GOOD[0], "return 2", "return x - 3"),
        [(3, "passed"), (0, "a hidden test failed"), (0, "not yet. Start from nothing: what .*")],
    ),
    "unsolved": (answered(), all_three(0, "not attempted")),
    "half done": (answered(GOOD[0], None, None), [(3, "passed")] + [(0, "not attempted")] * 2),
    "stops": (answered(GOOD[0], "return x / 0", GOOD[2]), only(2, "it stops with ZeroDivision.*")),
    "no python": (
        changed("ex-1-2", "# Exercise 1.2\ndef add_2(x):\nreturn x + 2"),
        only(2, "its cell stops with IndentationError: .*"),
    ),
    "loops": (answered(GOOD[0], "while True: pass", GOOD[2]), only(2, "took longer than 4 s")),
    "loops and swallows": (answered(GOOD[0], SWALLOWS, GOOD[2]), only(2, "took longer than 4 s")),
    "exits": (answered(GOOD[0], "import os\nos._exit(0)", GOOD[2]), only(2, "stopped its process")),
    "exits in a cell of its own": (with_cell(HARD_CELL, 4), all_three(3, "passed")),
    "fills memory": (
        answered(GOOD[0], "data = [bytearray(10**8) for _ in range(100)]\nreturn x + 2", GOOD[2]),
        only(2, "used more than 1 GB of memory"),
    ),
    "forks": (answered(GOOD[0], FORKS, GOOD[2]), only(2, "started more than 50 processes")),
    # the kernel may hold more than its share before it sends any
    "prints 1 GB": (answered(GOOD[0], PRINTS, GOOD[2]), only(2, "printed more than 20 MB|used .*")),
    "check deleted": (without("ex-1-1-check", "ex-1-3-check"), all_three(3, "passed")),
    "check edited": (
        changed("ex-1-2-check", "print('✓ Exercise 1.2: passed')"),
        all_three(3, "passed"),
    ),
    "checks reordered": (checks_first(), all_three(3, "passed")),
    "setup deleted": (without("setup"), all_three(3, "passed")),
    "answers alone": (answers_alone(), all_three(3, "passed")),
    "answer deleted": (without("ex-1-2"), only(2, "its answer cell is missing")),
    "metadata lost": (without_metadata(), all_three(3, "passed")),
    "check replaced": (
        with_cell(REPLACES, 2, answered(GOOD[0], "return 0")),
        [(3, "passed"), (0, "not yet. .*"), (0, "not attempted")],
    ),
    "no notebook": (b"PK\x03\x04 a document", all_three(0, "the file is no notebook .*")),
    "a list": (b"[1, 2]", all_three(0, "the file is no notebook .*")),
    "empty": (b"", all_three(0, "the file is empty")),
    "huge": (b" " * (submissions.LARGEST + 1), all_three(0, "the file is larger than 20 MB")),
    "José Núñez 李": (answered(*GOOD), all_three(3, "passed")),
    "=cmd|' &C'!A0": (answered(*GOOD), all_three(3, "passed")),
    "patches jax.numpy": (
        with_cell(PATCHES.format(module="jax.numpy", name="allclose"), 3),
        all_three(0, r"library changed \(jax\.numpy\.allclose\), grade by hand"),
    ),
    "patches numpy.testing": (
        with_cell(PATCHES.format(module="numpy.testing", name="assert_allclose"), 3),
        all_three(0, r"library changed \(numpy\.testing\.assert_allclose\), grade by hand"),
    ),
    "patches the shell": (
        with_cell(STRIPS, 3),
        all_three(0, r"library changed \(IPython's hooks\), grade by hand"),
    ),
    "reads the solution": (
        answered(GOOD[0], READS.format(path="@SOLVED@"), GOOD[2]),
        only(2, "it stops with FileNotFoundError: .*"),
    ),
    "reads another": (
        answered(GOOD[0], READS.format(path="@OTHER@"), GOOD[2]),
        only(2, "it stops with FileNotFoundError: .*"),
    ),
    "connects": (
        answered(GOOD[0], CONNECTS, GOOD[2]),
        only(2, "it stops with (ConnectionRefused|OS)Error: .*"),
    ),
}


def hand_in(folder, table, port=0):
    """Write the submissions of a table, with the paths and the port that some of them try."""
    places = {
        "@SOLVED@": folder.parent / "notebooks" / sample.NAME,
        "@OTHER@": folder / "good.ipynb",
        "@PORT@": port,
    }
    for student, (work, _) in table.items():
        if not isinstance(work, bytes):
            work = notebooks.dumps(work).encode()
        for mark, place in places.items():
            work = work.replace(mark.encode(), str(place).encode())
        (folder / f"{student}.ipynb").write_bytes(work)


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    """A repository that holds the lesson alone."""
    root = tmp_path_factory.mktemp("course")
    sample.clone(root)
    notebooks.write(root / "notebooks" / sample.NAME, notebooks.dumps(lesson()))
    return root


def call(root, *argv, **options):
    """The command, in a process of its own, whose other children are none of this one's."""
    code = (
        "import sys, pathlib\nfrom course_utils.cli import grade\n"
        "sys.exit(grade.main(sys.argv[2:], pathlib.Path(sys.argv[1])))"
    )
    return subprocess.Popen(
        [sys.executable, "-c", code, str(root), *map(str, argv)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT), "COURSE_SECRET": "a secret of the instructor"},
        **options,
    )


def graded(root, *argv):
    """Grade, and return the exit status and what was printed."""
    process = call(root, *argv)
    said, _ = process.communicate(timeout=600)
    return process.returncode, said


def table_of(folder):
    with open(folder / "grades.csv", encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


LIMITS = ("--seconds", "4", "--memory", "1")


@pytest.fixture(scope="module")
def week(course):
    """The whole table, graded by one call: the folder, the exit status, what was printed."""
    folder = course / "handed in"
    folder.mkdir()
    with socket.create_server(("127.0.0.1", 0)) as server:
        hand_in(folder, TABLE, server.getsockname()[1])
        before = {path.name: path.read_bytes() for path in folder.iterdir()}
        status, said = graded(course, "1", folder, "--to", course / "out", *LIMITS)
        server.settimeout(0.1)
        with pytest.raises(TimeoutError):
            server.accept()
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    return course / "out", status, said


@needs_sandbox
@pytest.mark.slow
@pytest.mark.parametrize("student", TABLE)
def test_each_submission_gets_what_it_earned_and_a_reason(week, student):
    cell = "'" + student if student.startswith("=") else student
    rows = [row for row in table_of(week[0]) if row["student"] == cell]
    assert [row["exercise"] for row in rows] == list(NUMBERS), week[2]
    for row, (points, why) in zip(rows, TABLE[student][1]):
        assert re.fullmatch(why, row["why"]) and row["points"] == str(points), row
        assert row["of"] == "3" and row["file"].endswith(f"{student}.ipynb")
