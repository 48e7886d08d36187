"""Grading: a table of submissions of every kind, each with the score that it earned and why."""

import csv
import gc
import html
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import nbformat
import nbgrader.api
import pytest
import sample_lesson as sample

from course_utils.cli import compilation_cache, notebooks, release
from course_utils.cli.setup_venv import ROOT
from course_utils.instructors import (
    assemble,
    collect,
    execute,
    feedback,
    grade,
    gradebook,
    problem_sets,
    reach,
    sandbox,
)

NUMBERS = ("1.1", "1.2", "1.3")
GOOD = tuple(f"return x + {m}" for m in (1, 2, 3))
SETUP = """\
import jax.numpy as jnp
import numpy as np

from course_utils.exercises import check, expect, summary"""

pytestmark = pytest.mark.skipif(
    sys.platform not in ("linux", "darwin"), reason="grading needs Linux or macOS"
)
CACHE = "JAX_COMPILATION_CACHE_DIR"
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


def split_after(m, rest=""):
    """The answer's cell split in two, which both bear its grade_id."""
    nb = answered(*GOOD)
    return with_copy(f"ex-1-{m}", rest, nb)


def with_copy(id, source, nb=None, before=False):
    """A solved copy with a cell copied, with its grade_id, and edited."""
    nb = nb or answered(*GOOD)
    cell = sample.cell(nb, id)
    copied = nbformat.v4.new_code_cell(source, metadata=cell.metadata)
    nb.cells.insert(nb.cells.index(cell) + (not before), copied)
    return nb


def answered_in_a_copy(above):
    """The copy of 1.1's cell holds the answer of 1.2, whose stub stands ``above`` it or below."""
    nb = answered(GOOD[0], None, GOOD[2])
    answer = sample.cell(answered(*GOOD), "ex-1-2").source
    nb = with_copy("ex-1-1", answer, nb)
    if above:
        copied = nb.cells.pop(nb.cells.index(sample.cell(nb, "ex-1-1")) + 1)
        nb.cells.insert(nb.cells.index(sample.cell(nb, "ex-1-2")) + 1, copied)
    return nb


def scratched():
    """A copied check is scratch paper that holds what an answer uses."""
    nb = answered(GOOD[0], "return half(x) + 1", GOOD[2])
    return with_copy("ex-1-1-check", "def half(x):\n    return x + 1\nprint(half(1))", nb)


def retyped(id):
    """A cell that an editor's shortcut made Markdown."""
    nb = answered(*GOOD)
    cell = sample.cell(nb, id)
    place = nb.cells.index(cell)
    nb.cells[place] = nbformat.v4.new_markdown_cell(cell.source, id=id, metadata=cell.metadata)
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
import os, time
for _ in range(300):  # bounded: where the limit fails, this test must not take the machine along
    if os.fork() == 0:
        time.sleep(20)
        os._exit(0)
time.sleep(20)"""
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
SNOOPS = """\
import os
print(dict(os.environ))
course = os.environ["PYTHONPATH"]
print("beside the package:", *sorted(set(os.listdir(course)) - {".venv", ".cache"}))
print("instructors:", *os.listdir(course + "/course_utils/instructors"))
print("temporary:", *sorted(name[:6] for name in os.listdir("/tmp")))
for place in ("/", "/usr", "/dev", course, course + "/course_utils"):
    try:
        open(place + "/mine", "w")
        print("could write to", place)
    except OSError:
        pass"""
REPEATS = "import linecache\nprint(In, linecache.cache)"
LEAVES = """\
import subprocess
subprocess.Popen(["sleep", "987.5"], start_new_session=True)
return x + 2"""
STRIPS = """\
import ast
class Strip(ast.NodeTransformer):
    def visit_Assert(self, node):
        return ast.Pass()
get_ipython().ast_transformers.append(Strip())"""

TRACES = "import sys\nsys.settrace(lambda *event: None)"
PUTS_BACK = """\
import numpy.testing as npt
genuine = npt.assert_allclose
def friendly(*args, **kwargs):
    npt.assert_allclose = genuine
npt.assert_allclose = friendly
npt.assert_allclose(1, 2)"""
DRAWS = """\
%matplotlib inline
%load_ext autoreload
%autoreload 2
import matplotlib.pyplot as plt
plt.plot([1, 2])
plt.show()"""

NO_LESSON = "{line}\n" + SETUP
WARNS = "import sys, warnings\nwarnings.warn('slow')\nprint('slow', file=sys.stderr)\nreturn x + 2"
SCRIPTS = (
    "from IPython.display import HTML, Javascript, display\ndisplay(HTML({0}), Javascript({0}))"
)
SCRIPTS = SCRIPTS.format("'<script>alert(1)</script>'")
AGAIN = "def add_2(x):\n    return x + 2"


def scripted():
    nb = with_cell(SCRIPTS)
    nb.cells.insert(3, nbformat.v4.new_markdown_cell("<details>So <script>alert(1)</script>"))
    return nb


def telling():
    """What an answer was given in its hidden test is told by itself, by another and by a cell."""
    told = "seen.append(x)\nif len(seen) > 1:\n    raise ValueError(f'I saw {seen}')\nreturn x + 2"
    nb = answered(GOOD[0], told, "raise ValueError(f'I saw {seen}')")
    return with_cell("print('I saw', seen)", nb=with_cell("seen = []", 3, nb))


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
    "calls exit": (with_cell("exit()", 4), all_three(3, "passed")),
    "quits": (answered(GOOD[0], "get_ipython().ask_exit()", GOOD[2]), only(2, "stopped its .*")),
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
        with_cell(REPLACES, 3, answered(GOOD[0], "return 0")),
        [(3, "passed"), (0, "not yet. .*"), (0, "not attempted")],
    ),
    "no notebook": (
        b"PK\x03\x04 a document",
        all_three(0, "the file is no notebook .*, grade by hand"),
    ),
    "a list": (b"[1, 2]", all_three(0, "the file is no notebook .*, grade by hand")),
    "empty": (b"", all_three(0, "the file is empty, grade by hand")),
    "huge": (
        b" " * (collect.LARGEST + 1),
        all_three(0, "the file is larger than 20 MB, grade by hand"),
    ),
    "José Núñez 李": (answered(*GOOD), all_three(3, "passed")),
    "=cmd|' &C'!A0": (answered(*GOOD), all_three(3, "passed")),
    "prints the verdict": (
        answered(GOOD[0], "print('✗ Exercise 1.2: passed')\nreturn 7", GOOD[2]),
        only(2, "not yet. Start from nothing: what is left of the sum."),
    ),
    "tells": (telling(), [(3, "passed"), (0, "a hidden test.*40.*"), (0, "it stops .*40.*")]),
    "patches jax.numpy": (
        with_cell(PATCHES.format(module="jax.numpy", name="allclose"), 3),
        all_three(0, r"the code holds jax\.numpy\.allclose, which no .*, grade by hand"),
    ),
    "patches numpy.testing": (
        with_cell(PATCHES.format(module="numpy.testing", name="assert_allclose"), 3),
        all_three(0, r"the code holds numpy\.testing\.assert_allclose, .*, grade by hand"),
    ),
    "patches the shell": (
        with_cell(STRIPS, 3),
        all_three(0, "the code holds ast_transformers, which no answer needs, grade by hand"),
    ),
    "traces": (with_cell(TRACES, 3), all_three(0, "the code holds settrace, .*, grade by hand")),
    "patches and puts back": (
        with_cell(PUTS_BACK, 3),
        all_three(0, r"the code holds npt\.assert_allclose, which no answer needs, grade by hand"),
    ),
    "draws": (with_cell(DRAWS, 3), all_three(3, "passed")),
    "split": (split_after(1), all_three(3, "passed")),
    "split and prints": (split_after(1, "print(add_1(2))"), all_three(3, "passed")),
    "copied": (split_after(1, "# a copy"), all_three(3, "passed")),
    "copy answers another": (answered_in_a_copy(above=True), all_three(3, "passed")),
    "copy above the stub": (answered_in_a_copy(above=False), all_three(3, "passed")),
    "scratch paper": (scratched(), all_three(3, "passed")),
    "setup stops": (
        changed("setup", NO_LESSON.format(line="import not_here")),
        all_three(3, "passed"),
    ),
    "drive": (
        changed("setup", NO_LESSON.format(line="from google.colab import drive")),
        all_three(3, "passed"),
    ),
    "widget": (changed("setup", "%matplotlib widget\nimport nowhere"), all_three(3, "passed")),
    "answer in Markdown": (retyped("ex-1-2"), all_three(3, "passed")),
    "setup in Markdown": (retyped("setup"), all_three(3, "passed")),
    "warns": (answered(GOOD[0], WARNS, GOOD[2]), all_three(3, "passed")),
    "scripts": (scripted(), all_three(3, "passed")),
    "answers again": (
        with_cell(AGAIN, nb=answered(GOOD[0], "return x", GOOD[2])),
        only(2, "not yet. .*, grade by hand"),
    ),
    "renames": (
        changed("ex-1-2", "# Exercise 1.2\ndef plus_2(x):\n    return x + 2"),
        only(2, "it stops with NameError: .*, grade by hand"),
    ),
    "needs more": (
        answered(GOOD[0], "import not_here\nreturn x + 2", GOOD[2]),
        only(2, "it stops with ModuleNotFoundError: .*, grade by hand"),
    ),
    "answers elsewhere": (
        with_cell("plus_2 = 2", nb=without("ex-1-2")),
        only(2, "its answer cell is missing, grade by hand"),
    ),
    "assigned": (
        changed(
            "ex-1-2",
            "# Exercise 1.2\nimport functools, operator\n"
            "add_2 = functools.partial(operator.add, 2)",
        ),
        all_three(3, "passed"),
    ),
    "timed": (
        changed("ex-1-2", "%%time\n# Exercise 1.2\ndef add_2(x):\n    return x + 2"),
        all_three(3, "passed"),
    ),
    "the solved one": (lesson(), all_three(0, "it is the course's own solved .*, grade by hand")),
    "reads the solution": (
        answered(GOOD[0], READS.format(path="@SOLVED@"), GOOD[2]),
        only(2, "it stops with FileNotFoundError: .*"),
    ),
    "reads another": (
        answered(GOOD[0], READS.format(path="@OTHER@"), GOOD[2]),
        only(2, "it stops with FileNotFoundError: .*"),
    ),
    "snoops": (with_cell(REPEATS, nb=with_cell(SNOOPS)), all_three(3, "passed")),
    "leaves a process": (answered(GOOD[0], LEAVES, GOOD[2]), all_three(3, "passed")),
    "connects": (
        answered(GOOD[0], CONNECTS, GOOD[2]),
        only(2, "it stops with (ConnectionRefused|OS)Error: .*"),
    ),
}


BY_HAND = {s for s, (_, rows) in TABLE.items() if any("by hand" in why for _, why in rows)}
NAME = sample.NAME.removesuffix(".ipynb")


def page_of(folder, student):
    path = folder / "feedback" / student / NAME / f"{NAME}.html"
    return path.read_text(encoding="utf-8")


def printed(folder, student):
    """All that a submission printed, as its instructor sees it."""
    nb = notebooks.read(folder / "autograded" / student / NAME / f"{NAME}.ipynb")
    outputs = [output for _, cell in notebooks.code_cells(nb) for output in cell.outputs]
    return "".join(output.get("text", "") for output in outputs)


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


def hand_in_two(folder):
    """A student's folder with two files; the newer one is good."""
    for age, (name, work) in enumerate([("new", answered(*GOOD)), ("old", answered())]):
        path = folder / f"{name}.ipynb"
        notebooks.write(path, notebooks.dumps(work))
        os.utime(path, (time.time() - 1000 * age,) * 2)


def bytes_of(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    """A repository that holds the lesson alone."""
    root = tmp_path_factory.mktemp("course")
    sample.clone(root)
    notebooks.write(root / "notebooks" / sample.NAME, notebooks.dumps(lesson()))
    return root


def call(root, *argv):
    """The command, in a process of its own, whose other children are none of this one's.

    It heeds interrupts, which what a shell runs in the background ignores.
    """
    code = (
        "import sys, pathlib, signal\nfrom course_utils.instructors import grade\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "sys.exit(grade.main(sys.argv[2:], pathlib.Path(sys.argv[1])))"
    )
    return subprocess.Popen(
        [sys.executable, "-c", code, str(root), *map(str, argv)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT), "COURSE_SECRET": "a secret of the instructor"},
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
        hand_in_two(folder / "two files")
        before = bytes_of(folder)
        status, said = graded(course, "1", folder, "--to", course / "out", *LIMITS)
        server.settimeout(0.1)
        with pytest.raises(TimeoutError):
            server.accept()
    assert bytes_of(folder) == before, "submissions stay as they are"
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


@needs_sandbox
@pytest.mark.slow
def test_of_two_files_of_one_student_the_newer_counts_and_the_other_is_named(week):
    rows = [row for row in table_of(week[0]) if row["student"] == "two files"]
    assert [row["points"] for row in rows] == ["3", "3", "3"]
    assert rows[0]["file"].endswith("new.ipynb (rather than old.ipynb)")
    assert "Other files of yours do not count: old.ipynb." in page_of(week[0], "two files")


@needs_sandbox
@pytest.mark.slow
def test_every_student_has_a_page_that_shows_no_hidden_test_and_fetches_nothing(week):
    students = [path.name for path in week[0].glob("feedback/*")]
    assert len(students) == len(TABLE) + 1 and "José Núñez 李" in students
    for student in students:
        page = page_of(week[0], student)
        assert "assert add_" not in page and "assert_allclose(add_" not in page, student
        assert "I saw [" not in page, student
        assert not re.search(r"<script|<link|src=[\"'](?!data:)|@import", page), student
        assert "default-src 'none'; style-src 'unsafe-inline'; img-src data:" in page, student
    assert "I saw [0, 40]" in printed(week[0], "tells"), "otherwise this shows nothing"
    assert "a hidden test failed" in page_of(week[0], "wrong")
    assert "Start from nothing: what is left of the sum?" in page_of(week[0], "wrong")


@needs_sandbox
@pytest.mark.slow
def test_what_formgrader_shows_holds_nothing_that_a_browser_acts_on(week):
    """It shows what the autograded notebooks hold, with the instructor's rights."""
    shown = notebooks.read(week[0] / "autograded" / "scripts" / NAME / f"{NAME}.ipynb")
    outputs = [output for _, cell in notebooks.code_cells(shown) for output in cell.outputs]
    assert {kind for output in outputs for kind in output.get("data", {})} == {"text/plain"}
    texts = [cell.source for cell in shown.cells if cell.cell_type == "markdown"]
    assert any("<details>" in text for text in texts) and not any("<script" in t for t in texts)


@needs_sandbox
@pytest.mark.slow
def test_the_gradebook_is_nbgraders_and_says_what_the_table_says(week):
    with nbgrader.api.Gradebook(f"sqlite:///{week[0] / 'gradebook.db'}") as book:
        scores = {s.student.id: s.score for s in book.assignment_submissions(NAME)}
        waiting = {s.student.id for s in book.assignment_submissions(NAME) if s.needs_manual_grade}
    assert scores == {
        **{student: sum(points for points, _ in rows) for student, (_, rows) in TABLE.items()},
        "two files": 9,
    }
    assert waiting == BY_HAND


@needs_sandbox
@pytest.mark.slow
def test_the_totals_and_the_page_on_the_class_count_all(week):
    with open(week[0] / "totals.csv", encoding="utf-8", newline="") as file:
        totals = {row["student"]: row for row in csv.DictReader(file)}
    assert len(totals) == len(TABLE) + 1
    assert totals["half done"][NAME] == totals["half done"]["points"] == "3"
    assert totals["answers again"]["to grade by hand"] == "1"
    page = (week[0] / f"class-{NAME}.html").read_text(encoding="utf-8")
    full = sum(rows[1][0] == 3 for _, rows in TABLE.values()) + 1
    assert f"{full} of {len(totals)} with all 3 points" in page
    assert "<td>2</td><td>stopped its process</td>" in page, "of exercise 1.2: exits and quits"


@needs_sandbox
@pytest.mark.slow
def test_those_to_grade_by_hand_are_counted_and_the_rest_is_said_line_by_line(week):
    _, status, said = week
    assert status == grade.SOME_BY_HAND
    names = ", ".join(sorted(BY_HAND, key=str.casefold))
    assert said.splitlines()[-1] == f"{len(BY_HAND)} to grade by hand: {names}"
    assert re.search(r"^\d+ of \d+  half done: 3 of 9 \(\d+ s\)$", said, re.M)


@needs_sandbox
@pytest.mark.slow
def test_a_submission_sees_the_package_and_nothing_beside_it(week):
    page = printed(week[0], "snoops")
    assert "NBGRADER_EXECUTION" in page, "it printed its environment"
    assert "COURSE_SECRET" not in page and "a secret of the instructor" not in page
    assert not re.search(r"^could write to", page, re.M)
    assert re.search(r"^beside the package: course_utils$", page, re.M)
    assert re.search(r"instructors: *$", page, re.M)
    cache = Path({**compilation_cache.settings(ROOT), **os.environ}[CACHE]).resolve()
    mine = {path.parts[2][:6] for path in (ROOT, cache) if path.parts[1] == "tmp"}
    assert f"temporary: {' '.join(sorted({'grade-', 'home'} | mine))}\n" in page


def processes(words):
    """The command lines on this machine that contain ``words``."""
    psutil = pytest.importorskip("psutil")
    lines = [" ".join(p.info["cmdline"] or []) for p in psutil.process_iter(["cmdline"])]
    return [line for line in lines if words in line]


@needs_sandbox
@pytest.mark.slow
def test_no_process_outlives_its_submission(week):
    assert not processes("sleep 987.5")


# Going on after an interruption

FEW = {name: TABLE[name] for name in ("good", "half done", "loops")}  # the last takes longer


def wait_for(process, words):
    for line in process.stdout:
        if words in line:
            return
    raise AssertionError(f"{words!r} was never said")


@needs_sandbox
@pytest.mark.slow
def test_interrupted_or_killed_it_goes_on_and_ends_with_the_same_grades(course, tmp_path):
    folder = course / "few"
    folder.mkdir()
    hand_in(folder, FEW)
    argv = ("01", folder, "--to", tmp_path / "out", *LIMITS)
    for end, status, line in [(signal.SIGKILL, -9, "1 of 3"), (signal.SIGINT, 130, "2 of 3")]:
        process = call(course, *argv)
        wait_for(process, line)  # then it is within the next one
        process.send_signal(end)
        rest, _ = process.communicate(timeout=60)
        assert process.returncode == status, rest
        assert len(table_of(tmp_path / "out")) == 3 * int(line[0])
    assert "The same command goes on from here." in rest
    status, said = graded(course, *argv)
    assert status == 0 and said.count("(as before)") == 2
    status, said = graded(course, *argv[:3], tmp_path / "afresh", *LIMITS)
    assert status == 0 and "as before" not in said
    assert table_of(tmp_path / "out") == table_of(tmp_path / "afresh")

    notebooks.write(folder / "half done.ipynb", notebooks.dumps(answered(*GOOD)))
    status, said = graded(course, *argv)
    assert status == 0 and said.count("(as before)") == 2 and "half done: 9 of 9" in said


BOUNDED = """\
import os, sys, time
count = 0
try:
    for _ in range(900):
        if os.fork() == 0:
            time.sleep(5)
            os._exit(0)
        count += 1
except OSError:
    pass
open(sys.argv[1] + "/count", "w").write(str(count))"""


@needs_sandbox
def test_the_system_refuses_processes_beyond_the_limit_also_when_nobody_watches():
    """A look now and then comes too late on a busy machine; root would have no limit at all."""
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        folder = Path(name)
        argv = [sandbox.PYTHON, "-I", "-S", "-c", BOUNDED, name]
        process = sandbox.start(argv, folder, sandbox.Limits(), sandboxed=True)
        assert process.wait(60) == 0
        assert 50 < int((folder / "count").read_text()) < 400


@needs_sandbox
def test_the_empty_folders_of_a_sandbox_take_no_files():
    """Also not from their owner, who an instructor without root's rights is."""
    inside = sandbox.ROOT / "course_utils" / "instructors"
    argv = sandbox._bubble(Path("/tmp"), sandbox.Limits(), (), None)
    code = "import os, sys\nprint(os.listdir(sys.argv[1]))\nopen(sys.argv[1] + '/x', 'w')"
    argv += [sandbox.PYTHON, "-I", "-S", "-c", code, str(inside)]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60)
    assert done.stdout == "[]\n" and "Read-only file system" in done.stderr


@pytest.mark.parametrize(
    "place, said",
    [
        ("deep/er", "wrote to a folder that is not for it"),
        ("home/er", "wrote more than 1 MB or 10000 files"),
    ],
)
def test_files_are_counted_at_whatever_depth(place, said, tmp_path):
    limits = sandbox.Limits(scratch=sandbox.MIB)
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        (tmp_path / place).mkdir(parents=True)
        (tmp_path / place / "few").write_bytes(bytes(1000))
        assert sandbox.trouble(process, tmp_path, limits) is None
        (tmp_path / place / "many").write_bytes(bytes(2 * sandbox.MIB))
        assert sandbox.trouble(process, tmp_path, limits) == said
    finally:
        process.communicate(b"\n", timeout=60)


# Without a sandbox


@pytest.mark.slow
def test_without_a_sandbox_the_limits_hold_and_files_are_in_reach(course, tmp_path):
    names = ("exits", "leaves a process", "loops and swallows", "reads the solution")
    hand_in(tmp_path, {name: TABLE[name] for name in names})
    shutil.copytree(course / "notebooks", tmp_path.parent / "notebooks", dirs_exist_ok=True)
    status, said = graded(course, "1", tmp_path, "--to", course / "open", "--no-sandbox", *LIMITS)
    assert status == 0, said
    why = {(row["student"], row["exercise"]): row["why"] for row in table_of(course / "open")}
    assert why["exits", "1.2"] == "stopped its process"
    assert why["loops and swallows", "1.2"] == "took longer than 4 s"
    # what the sandbox keeps from: otherwise the same submission above would show nothing
    assert why["reads the solution", "1.2"] == "passed"
    assert why["leaves a process", "1.2"] == "passed" and not processes("sleep 987.5")
    assert all(why[name, number] == "passed" for name in names for number in ("1.1", "1.3"))


def test_where_there_is_no_bubblewrap_one_line_says_so_and_what_to_do(course, monkeypatch, capsys):
    monkeypatch.setenv("PATH", str(course))
    assert grade.main(["1", str(course)], course) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("bubblewrap is not installed: ") and "--no-sandbox" in line


def test_a_bubblewrap_that_makes_no_sandbox_is_told_from_none(tmp_path, monkeypatch):
    fake = tmp_path / "bwrap"
    fake.write_text("#!/bin/sh\necho 'No permissions to create new namespace' >&2\nexit 1\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    assert sandbox.problem() == (
        "bubblewrap makes no sandbox here (No permissions to create new namespace)"
    )


# What is refused


@pytest.mark.parametrize(
    "argv, said",
    [
        (["7", "."], f"no notebook 7; there is {', '.join(['01', *problem_sets.SETS])}"),
        (["1", "nowhere"], "nowhere is not there"),
        (["1", "empty"], "no submissions in empty"),
    ],
)
def test_it_says_why_nothing_can_be_graded(argv, said, course, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    assert grade.main([*argv, "--no-sandbox"], course) == 1
    assert capsys.readouterr().err.strip() == said
    assert [path.name for path in tmp_path.iterdir()] == ["empty"], "nothing is written"


@pytest.mark.slow
def test_a_solved_notebook_that_fails_its_own_check_grades_nobody(tmp_path):
    sample.clone(tmp_path)
    wrong = lesson()
    answer = sample.cell(wrong, "ex-1-2")
    answer.source = answer.source.replace("x + 2", "x + 3")
    notebooks.write(tmp_path / "notebooks" / sample.NAME, notebooks.dumps(wrong))
    hand_in(tmp_path, {"good": TABLE["good"]})
    file = tmp_path / "good.ipynb"
    status, said = graded(tmp_path, "1", file, "--to", tmp_path / "out", "--no-sandbox")
    assert status == 1 and not (tmp_path / "out" / "grades.csv").exists()
    assert "the solved notebook of 01_small_lesson does not pass (exercise 1.2: not yet." in said


def small_grade(folder, *students):
    """Grade within this process, where a test may replace parts; those to grade by hand."""
    hand_in(folder, {student: TABLE[student] for student in students})
    assignment = grade.Assignment("01", lesson(), sandboxed=False)
    files = [folder / f"{student}.ipynb" for student in students]
    return grade.grade(assignment, files, folder / "out", lambda line: None).by_hand("01")


@pytest.fixture
def scores_without_kernel(monkeypatch):
    """Every exercise of every notebook passes, at once."""

    def passes(self, nb, resources, km=None):
        for cell in nb.cells:
            if "checks" in cell.metadata.get("course", {}):
                cell.metadata.course.setdefault("why", "passed")
        return self._finished(nb), resources

    monkeypatch.setattr(execute.ExecuteInSandbox, "preprocess", passes)


def test_a_submission_that_breaks_the_grader_is_left_to_a_person_and_tried_again(
    scores_without_kernel, monkeypatch, tmp_path
):
    passes = execute.ExecuteInSandbox.preprocess

    def breaks(self, nb, resources, km=None):
        if any(cell.source == "breaks" for cell in nb.cells):
            raise ValueError("not foreseen")
        return passes(self, nb, resources)

    monkeypatch.setattr(execute.ExecuteInSandbox, "preprocess", breaks)
    monkeypatch.setitem(TABLE, "breaks", (with_cell("breaks", 99), None))
    assert small_grade(tmp_path, "good", "breaks") == ["breaks"]
    rows = {(r["student"], r["exercise"]): r for r in table_of(tmp_path / "out")}
    assert rows["good", "1.1"]["why"] == "passed"
    why = "grading it failed (ValueError: not foreseen), grade by hand"
    assert rows["breaks", "1.1"]["why"] == why and rows["breaks", "1.1"]["points"] == "0"
    monkeypatch.setattr(execute.ExecuteInSandbox, "preprocess", passes)
    assert small_grade(tmp_path, "good", "breaks") == []


def test_outputs_that_no_page_can_hold_do_not_keep_the_scores_back(
    scores_without_kernel, monkeypatch, tmp_path
):
    exporter = feedback._exporter()
    whole = exporter.from_notebook_node

    def fails(nb, resources):
        return 1 / 0 if len(nb.cells) > 1 else whole(nb, resources=resources)

    monkeypatch.setattr(exporter, "from_notebook_node", fails)
    assert small_grade(tmp_path, "good") == []
    page = (tmp_path / "out/feedback/good/01/01.html").read_text(encoding="utf-8")
    assert "9 of 9 points" in page and "could not be shown (ZeroDivisionError)" in page


def test_points_and_a_comment_that_a_person_gave_reach_tables_and_feedback(
    scores_without_kernel, tmp_path
):
    assert small_grade(tmp_path, "good", "empty") == ["empty"]
    with nbgrader.api.Gradebook(f"sqlite:///{tmp_path / 'out' / 'gradebook.db'}") as book:
        for m in (1, 2, 3):
            given = book.find_grade(f"ex-1-{m}-check", "01", "01", "empty")
            given.manual_score, given.needs_manual_grade = 2, False
        book.find_comment("ex-1-2", "01", "01", "empty").manual_comment = "By mail: <good>."
        book.db.commit()
    assert small_grade(tmp_path, "good", "empty") == []
    rows = [row for row in table_of(tmp_path / "out") if row["student"] == "empty"]
    assert [row["points"] for row in rows] == ["2", "2", "2"]
    assert rows[1]["why"] == "By mail: <good>."
    page = (tmp_path / "out/feedback/empty/01/01.html").read_text(encoding="utf-8")
    assert "6 of 9 points" in page and "By mail: &lt;good&gt;." in page


def test_days_late_follow_the_time_of_the_file(scores_without_kernel, course, tmp_path):
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    hand_in(folder, {"good": TABLE["good"]})
    argv = ["1", str(folder), "--to", str(out), "--no-sandbox", "--due", "2001-09-08T12:00+00:00"]
    for seconds, days in [(1e9, "1"), (1e9 - 86400, "0"), (1e9 + 86400, "2")]:
        os.utime(folder / "good.ipynb", (seconds, seconds))  # as if unzipped once more
        assert grade.main(argv, course) == 0
        with open(out / "totals.csv", encoding="utf-8", newline="") as file:
            (row,) = csv.DictReader(file)
        assert row[f"{NAME}, days late"] == days


def test_what_a_person_graded_is_asked_for_again_only_where_the_work_is_another(
    scores_without_kernel, monkeypatch, tmp_path
):
    solved = sample.lesson(complete=True)
    path = tmp_path / "in" / "ann.ipynb"

    def hands_in(words, folder=path.parent, seconds=60.0):
        notebooks.write(path, notebooks.dumps(in_words(words)))
        assignment = grade.Assignment("01", solved, seconds=seconds, sandboxed=False)
        said = []
        return grade.grade(assignment, [folder], tmp_path / "out", said.append), said

    assert hands_in("It is so.")[0].by_hand("01") == ["ann"]
    with nbgrader.api.Gradebook(f"sqlite:///{tmp_path / 'out' / 'gradebook.db'}") as book:
        given = book.find_grade("words-1", "01", "01", "ann")
        given.manual_score, given.needs_manual_grade = 2, False
        book.db.commit()
    monkeypatch.chdir(tmp_path)
    book, said = hands_in("It is so.", Path("in"))
    assert book.by_hand("01") == [] and "as before" in said[-1], "only the path is another"
    book, said = hands_in("It is so.", seconds=50.0)
    assert book.by_hand("01") == [] and "as before" not in said[-1]
    assert [row.points for row in book.rows["01", "ann"] if row.exercise == "words-1"] == [2]
    assert hands_in("It is not so.", seconds=50.0)[0].by_hand("01") == ["ann"]


def test_a_roster_names_students_and_the_tables_for_canvas_and_moodle_fit(
    scores_without_kernel, course, tmp_path, capsys
):
    folder = tmp_path / "in"
    folder.mkdir()
    hand_in(folder, {f"{who}_01_small_lesson": TABLE["good"] for who in ("doejane_11_2", "x_33_4")})
    hand_in(folder, {"Zoe_55_assignsubmission_file_01_small_lesson": (b"not one", None)})
    os.utime(folder / "doejane_11_2_01_small_lesson.ipynb", (1e9, 1e9))  # in September 2001
    roster = tmp_path / "roster.csv"
    roster.write_text(
        "pattern,id,first_name,last_name,SIS User ID\n"
        "doejane_*,s1,Jane,Doe,77\nzoe_*,s2,Zoe,Zed,88\nbo_*,s3,Bo,Bo,99\n"
    )
    out = tmp_path / "out"
    argv = ["1", str(folder), "--to", str(out), "--no-sandbox", "--roster", str(roster)]
    for kind in ("canvas", "moodle"):
        status = grade.main([*argv, "--due", "2001-09-08T12:00+00:00", "--export", kind], course)
        assert status == grade.SOME_BY_HAND
    said = capsys.readouterr().out
    assert "no pattern of the roster fits 1: x_33" in said and "nothing from 1: s3" in said
    assert "graded before" not in said
    tables = {}
    for kind in ("totals", "canvas", "moodle"):
        with open(out / f"{kind}.csv", encoding="utf-8", newline="") as file:
            tables[kind] = list(csv.reader(file))
    assert tables["totals"][1] == ["s1", "9", "1", "9", "9", "0"]
    assert tables["totals"][3][:3] == ["s3", "", ""]
    assert tables["canvas"][1] == ["Points Possible", "", "", "", "", "9"]
    assert tables["canvas"][2:] == [
        ["Jane Doe", "", "77", "", "", "9"],
        ["Zoe Zed", "", "88", "", "", ""],
        ["Bo Bo", "", "99", "", "", ""],
        ["x_33", "33", "", "", "", "9"],
    ]
    assert tables["moodle"][1] == ["", "Jane Doe", "s1", "", "9"]
    assert tables["moodle"][4] == ["Participant 33", "x_33", "", "", "9"]
    grade.main(argv[:5], course)  # without the roster they are others
    assert "graded before, and not among these, 2: s1, s2" in capsys.readouterr().out


@pytest.mark.parametrize(
    "text, said",
    [
        ("name,id\na,b\n", "line 2: a roster has the columns pattern and id"),
        ("pattern,id\na*,../b\n", "line 2: ../b is no name for a folder"),
        ("pattern,id\ng*,a\n*d,b\n", "good fits the roster's patterns of a and b"),
    ],
)
def test_a_roster_that_cannot_be_right_is_refused(text, said, course, tmp_path, capsys):
    (tmp_path / "roster.csv").write_text(text)
    (tmp_path / "good.ipynb").write_text("{}")
    argv = ["1", str(tmp_path / "good.ipynb"), "--no-sandbox", "--to", str(tmp_path / "out")]
    assert grade.main([*argv, "--roster", str(tmp_path / "roster.csv")], course) == 1
    assert said in capsys.readouterr().err
    assert grade.main([*argv, "--due", "soon"], course) == 1
    assert '--due "soon" is no time' in capsys.readouterr().err


# Whose file it is


def names(*paths):
    found, _ = collect.collect(paths, "01_small")
    ranked = {student: collect.candidates(files, "01_small") for student, files in found.items()}
    return {student: files[-1].name for student, files in ranked.items()}


def test_files_and_folders_are_taken_for_the_students_whose_they_are(tmp_path):
    for path in (
        "ada.ipynb",
        "notes.pdf",
        "bo/01_small_lesson.ipynb",
        "bo/02_other.ipynb",
        "cy/01/01_small_lesson.ipynb",  # as nbgrader collects
        "cy/01/timestamp.txt",
        "dee/.ipynb_checkpoints/x.ipynb",
        ".DS_Store",
    ):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text("{}")
    assert names(tmp_path) == {
        "ada": "ada.ipynb",
        "bo": "01_small_lesson.ipynb",
        "cy": "01_small_lesson.ipynb",
        "dee": "dee",
        "notes": "notes.pdf",
    }
    assert names(tmp_path / "ada.ipynb", tmp_path / "ada.ipynb") == {"ada": "ada.ipynb"}


# what systems for teaching hand out, and the students that it is of
SHAPES = {
    "Canvas": (
        ["doejane_12_34_01_small_lesson.ipynb", "liwei_LATE_56_78_01_small_lesson-1.ipynb"],
        {"doejane_12", "liwei_56"},
    ),
    "Moodle, folders": (
        ["Jane Doe_12_assignsubmission_file_/01_small_lesson.ipynb"]
        + ["Li Wei_34_assignsubmission_file/lesson.ipynb"],
        {"Jane Doe_12", "Li Wei_34"},
    ),
    "Moodle, files": (
        ["Jane Doe_12_assignsubmission_file_01_small_lesson.ipynb"]
        + ["Jane Doe_12_assignsubmission_onlinetext_onlinetext.html"],
        {"Jane Doe_12"},
    ),
    "Blackboard": (
        ["Lesson 1_jdoe_attempt_2026-10-05-12-30-00_01_small_lesson.ipynb"]
        + ["Lesson 1_jdoe_attempt_2026-10-05-12-30-00.txt"],
        {"jdoe"},
    ),
    "Gradescope": (
        ["submission_12/01_small_lesson.ipynb", "submission_34/x.ipynb", "submission_metadata.yml"],
        {"submission_12", "submission_34"},
    ),
    "GitHub Classroom": (
        ["hw-submissions/hw-ada/README.md", "hw-submissions/hw-ada/notebooks/01_small_lesson.ipynb"]
        + ["hw-submissions/hw-bo/01_small_lesson.ipynb", "hw-submissions/hw-bo/roster.txt"],
        {"hw-ada", "hw-bo"},
    ),
    "a class's folder": (["class/ada/01_small_lesson.ipynb", "class/bo/x.ipynb"], {"ada", "bo"}),
    "a class's files": (["class/ada.ipynb", "class/bo.ipynb"], {"ada", "bo"}),
    "two groups": (
        [f"{group}/{student}/x.ipynb" for group, student in ("1a", "1b", "2c", "2d")],
        {"a", "b", "c", "d"},
    ),
    "nbgrader": (
        ["ada/01/01_small.ipynb", "ada/02/02_big.ipynb", "bo/02/02_big.ipynb"],
        {"ada", "bo"},
    ),
    "beside": (["ada.ipynb", "a.yml", "b.txt", "c.csv"], {"ada"}),
}


def test_two_people_of_one_name_in_two_folders_are_not_made_one(tmp_path):
    paths = [tmp_path / "a" / "ann", tmp_path / "b" / "ann"]
    hand_in_empty(tmp_path, *(f"{one}/01_small.ipynb" for one in ("a/ann", "b/ann")))
    hand_in_empty(tmp_path, *(f"{one}/01_small.ipynb" for one in ("a/bo", "b/cy")))
    files = [path / "01_small.ipynb" for path in paths]
    for given in ([tmp_path], [tmp_path / "a", tmp_path / "b"], paths, files):
        with pytest.raises(ValueError, match="several are called ann: .*a/ann and .*b/ann"):
            collect.collect(given, "01_small")
    assert set(names(tmp_path / "a", tmp_path / "a" / "ann")) == {"ann", "bo"}


def test_a_pattern_of_the_roster_that_two_people_fit_is_refused():
    roster = [{"pattern": "doe*", "id": "s1"}, {"pattern": "roe*", "id": "s2"}]
    found = {"doejane_11": [1], "roe": [3]}
    assert collect.by_roster(found, roster) == ({"s1": [1], "s2": [3]}, [])
    with pytest.raises(ValueError, match="doejane_11 and doejohn_12 both fit .* s1"):
        collect.by_roster({**found, "doejohn_12": [2]}, roster)
    with pytest.raises(ValueError, match="doejane_11 and s1 both"):
        collect.by_roster({**found, "s1": [2]}, roster)


def test_what_looks_like_one_student_of_canvas_and_bears_two_names_is_a_persons_matter(tmp_path):
    one, two, new, copied = (
        f"hw_1_2_ann_{FIRST}",
        f"hw_1_3_bob_{FIRST}",
        f"hw_1_4_ann_{NAME}-1.ipynb",
        f"hw_1_5_Copy of ann_{FIRST}",
    )
    save(tmp_path, **{one: answered(*GOOD), two: answered("return 1", *GOOD[1:])})
    assert chosen(tmp_path, one, two)[1].doubt == f"{one} has answers, too"
    save(tmp_path, **{name: answered("return 1", *GOOD[1:]) for name in (new, copied)})
    for resubmitted in (new, copied):
        assert not chosen(tmp_path, one, resubmitted)[1].doubt


@pytest.mark.parametrize("shape", SHAPES)
def test_what_systems_for_teaching_hand_out_is_taken_for_the_students_whose_it_is(shape, tmp_path):
    paths, students = SHAPES[shape]
    hand_in_empty(tmp_path, *paths)
    found, left = collect.collect([tmp_path], "01_small")
    assert set(found) == students
    assert {path.name for path in left} == {
        path for path in paths if "/" not in path and not path.endswith(".ipynb")
    }


def chosen(folder, *names):
    """Of files of one student, oldest first, the one that counts, and what is said of it."""
    for age, name in enumerate(reversed(names)):
        os.utime(folder / name, (time.time() - 1000 * age,) * 2)
    both = grade.Lesson(lesson(), assemble.prepared(lesson()))
    files = collect.candidates([folder / name for name in names], NAME)
    path, nb, aside = collect.choose(files, NAME, both)
    return str(path.relative_to(folder)), nb.metadata.course, aside


FIRST = f"{NAME}.ipynb"


def save(folder, **works):
    for path, nb in works.items():
        notebooks.write(folder / path, notebooks.dumps(nb))


def test_the_file_that_was_worked_on_counts_whatever_its_name(tmp_path):
    save(tmp_path, **{FIRST: answered(), f"Copy of {FIRST}": answered(*GOOD)})
    assert chosen(tmp_path, FIRST, f"Copy of {FIRST}")[0] == f"Copy of {FIRST}"
    assert chosen(tmp_path, f"Copy of {FIRST}", FIRST)[0] == f"Copy of {FIRST}"


def test_an_older_file_that_answers_more_is_a_persons_matter(tmp_path):
    save(tmp_path, **{FIRST: answered(*GOOD), f"new_{FIRST}": answered(GOOD[0])})
    path, course, aside = chosen(tmp_path, FIRST, f"new_{FIRST}")
    assert (path, aside) == (f"new_{FIRST}", (FIRST,))
    assert course.unsure == f"{FIRST} answers more" and not course.doubt
    save(tmp_path, **{f"new_{FIRST}": answered("return 1", *GOOD[1:])})
    assert "unsure" not in chosen(tmp_path, FIRST, f"new_{FIRST}")[1]


def test_two_worked_files_with_names_of_their_own_may_be_two_students(tmp_path):
    save(tmp_path, **{"ana.ipynb": answered(*GOOD), "ben.ipynb": answered(GOOD[0], "return 3")})
    assert chosen(tmp_path, "ben.ipynb", "ana.ipynb")[1].doubt == "ben.ipynb has answers, too"


def test_the_solved_lesson_in_a_clone_is_nobodys(tmp_path):
    student = f"notebooks/student/{FIRST}"
    save(tmp_path, **{f"notebooks/{FIRST}": lesson(), student: answered(*GOOD)})
    assert chosen(tmp_path, student, f"notebooks/{FIRST}")[0] == student
    save(tmp_path, **{f"notebooks/{FIRST}": answered(), student: answered(*GOOD)})
    path, _, aside = chosen(tmp_path, f"notebooks/{FIRST}", student)
    assert path == student and aside[0].endswith(f"notebooks/{FIRST}")


def test_an_untouched_file_beside_one_that_cannot_be_read_is_a_persons_matter(tmp_path):
    save(tmp_path, **{FIRST: answered()})
    (tmp_path / "mine.ipynb").write_text("<<<<<<< HEAD")
    with pytest.raises(ValueError, match="mine.ipynb: the file is no notebook"):
        chosen(tmp_path, FIRST, "mine.ipynb")


def test_names_that_differ_by_upper_case_alone_are_refused(tmp_path):
    hand_in_empty(tmp_path, "a/Ada.ipynb", "b/ada.ipynb")
    with pytest.raises(ValueError, match="Ada and ada differ by upper case alone"):
        collect.collect([tmp_path / "a", tmp_path / "b"], "01_small")


def test_two_spellings_of_an_accent_are_one_student(tmp_path):
    hand_in_empty(tmp_path, "Jose\u0301.ipynb", "Jos\u00e9.ipynb")
    assert list(names(tmp_path)) == ["Jos\u00e9"]


def hand_in_empty(folder, *paths):
    for path in paths:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text("{}")


def test_no_student_is_called_as_a_folder_that_systems_hide_or_that_is_above(tmp_path):
    hand_in_empty(tmp_path, "01_.._attempt_2026-10-05-23-59-59_x.ipynb", "...ipynb", "b/.c.ipynb")
    found, _ = collect.collect([tmp_path], "01_small")
    assert set(found) == {"__", "b"}
    direct = [tmp_path / "...ipynb", tmp_path / "b" / ".c.ipynb"]
    assert set(collect.collect(direct, "01_small")[0]) == {"__", "_c"}


def test_what_is_called_as_the_lesson_is_the_students_whose_folder_it_is_in(tmp_path):
    hand_in_empty(tmp_path, "ada/01_small.ipynb", "bo/01/01_small.ipynb", "cy.ipynb")
    folders = sorted(path for path in tmp_path.iterdir() if path.is_dir())  # as a shell's * gives
    files = sorted(tmp_path.rglob("*.ipynb"))
    for paths in (folders, files, [tmp_path / "ada", tmp_path / "bo" / "01"]):
        found = names(*paths)
        found.pop("cy", None)
        assert found == {"ada": "01_small.ipynb", "bo": "01_small.ipynb"}


def test_what_a_system_left_in_a_students_folder_and_links_do_not_take_the_files_place(tmp_path):
    hand_in_empty(tmp_path, "ada/01_small.ipynb", "ada/__MACOSX/01_small.ipynb")
    (tmp_path / "ada" / "01_small_z.ipynb").symlink_to("01_small.ipynb")
    assert names(tmp_path) == {"ada": "01_small.ipynb"}


def test_files_of_every_kind_are_rows_and_the_rest_is_graded(scores_without_kernel, tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    hand_in(folder, {"good": TABLE["good"]})
    for number in range(2):
        (folder / f"loop{number}.ipynb").symlink_to(folder / f"loop{1 - number}.ipynb")
    os.mkfifo(folder / "pipe.ipynb")
    old = os.fsencode(folder) + b"/Jos\xe9.ipynb"  # a name in Latin-1
    try:
        Path(os.fsdecode(old)).write_bytes((folder / "good.ipynb").read_bytes())
    except OSError:  # macOS takes no such name
        old = None
    assignment = grade.Assignment("01", lesson(), sandboxed=False)
    paths = sorted(folder.iterdir())
    for given in ([folder], paths):
        grade.grade(assignment, given, tmp_path / "out", lambda line: None)
        why = {row["student"]: row["why"] for row in table_of(tmp_path / "out")}
        link = "it is a link to another file, grade by hand"
        no_file = "it is no file, grade by hand"
        assert why.pop("Jos\\udce9", "passed" if old is None else "") == "passed"
        assert why == {"good": "passed", "loop0": link, "loop1": link, "pipe": no_file}


def odd(**changes):
    """A solved copy as text, one of whose cells has other entries; None takes one away."""
    nb = json.loads(notebooks.dumps(answered(*GOOD)))
    cell = next(cell for cell in nb["cells"] if cell["id"] == "ex-1-2")
    cell.update(changes)
    for key in [key for key, value in changes.items() if value is None]:
        del cell[key]
    return json.dumps(nb).encode()


ODD = {
    "an id that is a list": odd(metadata={"nbgrader": {"grade_id": [1]}}),
    "no kind": odd(cell_type=None),
    "a long chain": notebooks.dumps(with_cell(f"np{'.a' * 1500} = 1")).encode(),
    "not to be read": b"@",
}


@pytest.fixture
def unreadable(monkeypatch):
    """No process may read a file that holds "@"; root may read whatever its mode is."""
    content = collect.content

    def refuses(path):
        if content(path) == b"@":
            raise PermissionError(13, "Permission denied", str(path))
        return content(path)

    monkeypatch.setattr(collect, "content", refuses)


def test_a_file_that_nobody_foresaw_costs_no_other_student_anything(
    scores_without_kernel, unreadable, monkeypatch, tmp_path
):
    for name, work in ODD.items():
        monkeypatch.setitem(TABLE, name, (work, None))
    hand = small_grade(tmp_path, *ODD, "good")
    why = {row["student"]: row["why"] for row in table_of(tmp_path / "out")}
    assert why.pop("good") == "passed" and set(why) == set(ODD)
    assert "not to be read" in hand and all(why[name].endswith(", grade by hand") for name in hand)
    assert all(why[name] == "passed" for name in set(ODD) - set(hand))
    assert str(tmp_path) not in why["not to be read"]


@pytest.mark.parametrize("name", ODD)
def test_a_file_that_nobody_foresaw_hides_no_other_file_of_its_student(name, unreadable, tmp_path):
    save(tmp_path, **{FIRST: answered(*GOOD)})
    (tmp_path / "odd.ipynb").write_bytes(ODD[name])
    _, course, _ = chosen(tmp_path, "odd.ipynb", FIRST)
    assert len(course.answered) == 3


@pytest.mark.skipif(sys.platform == "darwin", reason="macOS takes no such names")
def test_a_name_too_long_for_a_folder_is_cut_and_stays_its_own(scores_without_kernel, tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    hand_in(folder, {"good": TABLE["good"]})
    for last in (b"\xfe", b"\xff"):
        long = os.fsencode(folder) + b"/" + b"\xff" * 99 + last + b".ipynb"
        Path(os.fsdecode(long)).write_bytes((folder / "good.ipynb").read_bytes())
    assignment = grade.Assignment("01", lesson(), sandboxed=False)
    book = grade.grade(assignment, [folder], tmp_path / "out", lambda line: None)
    students = [student for _, student in book.rows]
    assert len(students) == 3 and max(len(student.encode()) for student in students) <= 140
    assert all(row.why == "passed" for rows in book.rows.values() for row in rows)


def test_lists_that_would_fill_the_memory_are_refused_and_brackets_in_text_are_not():
    nb = answered(*GOOD)
    sample.cell(nb, "setup").source += "\n# " + "[{" * collect.MOST + '"'
    assert collect.parse(notebooks.dumps(nb).encode()).cells
    nb.metadata["bomb"] = [[] for _ in range(collect.MOST)]
    with pytest.raises(ValueError, match="no notebook .it holds more than 200000 lists"):
        collect.parse(notebooks.dumps(nb).encode())
    start = time.monotonic()
    with pytest.raises(ValueError, match="no notebook"):
        collect.parse(b'\\"' * 10**6)
    assert time.monotonic() - start < 10, "the time grows as the file does, not as its square"


def test_a_cell_that_was_copied_with_its_id_is_no_warning(recwarn, capfd):
    nb = answered(*GOOD)
    nb.cells[-1].id = nb.cells[0].id
    with pytest.warns(
        nbformat.warnings.DuplicateCellId
    ):  # otherwise the next lines would show nothing
        notebooks.reads(json.dumps(nb))
    recwarn.clear()
    collect.parse(json.dumps(nb).encode())
    assert not recwarn and capfd.readouterr() == ("", "")


def zipped(path, **files):
    """A ZIP file of these names and contents, whose files are of the year 2001."""
    with zipfile.ZipFile(path, "w") as file:
        for name, work in files.items():
            entry = zipfile.ZipInfo(name, (2001, 9, 9, 12, 0, 0))
            entry.external_attr = (0o120777 if name == "link.ipynb" else 0o100644) << 16
            file.writestr(entry, work)
    return path


def test_a_zip_file_is_read_with_its_times(scores_without_kernel, course, tmp_path):
    good = notebooks.dumps(answered(*GOOD))
    names = [f"doejane_11_2_{FIRST}", f"Li\\{FIRST}", f"José/{FIRST}", "notes.csv", "Núñez.ipynb"]
    path = zipped(tmp_path / "handed-in.ZIP", **dict.fromkeys(names, good))
    told = path.read_bytes()  # Info-ZIP does not say that a name is in UTF-8
    for place in [m.start() for m in re.finditer(b"PK\x01\x02|PK\x03\x04", told)]:
        flags = place + (8 if told[place + 2] == 1 else 6)
        if "Núñez".encode() in told[place : place + 60]:
            told = told[: flags + 1] + b"\0" + told[flags + 2 :]
    path.write_bytes(told)
    argv = ["1", str(path), "--to", str(tmp_path / "out"), "--no-sandbox"]
    assert grade.main([*argv, "--due", "2001-09-08 12:00"], course) == 0
    with open(tmp_path / "out" / "totals.csv", encoding="utf-8", newline="") as file:
        rows = [(r["student"], r[NAME], r[f"{NAME}, days late"]) for r in csv.DictReader(file)]
    assert rows == [(name, "9", "1") for name in ("doejane_11", "José", "Li", "Núñez")]
    for row in table_of(tmp_path / "out"):
        assert notebooks.read(Path(row["file"])).cells, "an instructor can open it"


def test_the_time_that_info_zip_keeps_has_a_zone():
    entry = zipfile.ZipInfo("x", (2020, 1, 1, 0, 0, 0))
    entry.extra = b"ux\x01\x00\x00UT\x05\x00\x03" + (10**9).to_bytes(4, "little")
    assert collect._time_in(entry) == 1e9


def test_a_zip_file_writes_nowhere_else_and_no_more_than_is_read(monkeypatch, tmp_path):
    monkeypatch.setattr(collect, "LARGEST", 10**4)
    path = tmp_path / "in" / "a.zip"
    path.parent.mkdir()
    outside = f"{tmp_path}/b.ipynb"
    zipped(
        path, **{"../a.ipynb": "a", outside: "b", "link.ipynb": "/etc", "big.ipynb": "x" * 10**6}
    )
    folder = collect.unzipped(path, tmp_path / "to")
    found = {str(file.relative_to(folder)): file for file in folder.rglob("*") if file.is_file()}
    assert set(found) == {"a.ipynb", outside[1:], "link.ipynb", "big.ipynb"}
    assert not found["link.ipynb"].is_symlink()
    with pytest.raises(ValueError, match="the file is larger than"):
        collect.content(found["big.ipynb"])
    assert {file.name for file in tmp_path.iterdir()} == {"in", "to"}
    monkeypatch.setattr(collect, "_LARGEST_CLASS", (10**4, 10))
    with pytest.raises(ValueError, match="a.zip cannot be unzipped .it holds too much"):
        collect.unzipped(path, tmp_path / "to")
    path.write_bytes(b"PK")
    with pytest.raises(ValueError, match="a.zip cannot be unzipped .File is not a zip file"):
        collect.unzipped(path, tmp_path / "to")


def test_a_student_of_another_section_who_is_called_the_same_takes_no_place(
    scores_without_kernel, course, tmp_path, capsys
):
    works = {"a": answered(*GOOD), "b": answered("return 1")}
    for section, work in works.items():
        save(tmp_path, **{f"{section}/ann.ipynb": work, f"{section}/{section}.ipynb": work})
    argv = ["1", "--to", str(tmp_path / "out"), "--no-sandbox"]
    assert grade.main([*argv, str(tmp_path / "a")], course) == 0
    before = bytes_of(tmp_path / "out")
    assert grade.main([*argv, str(tmp_path / "b")], course) == 1
    said = capsys.readouterr().err
    assert f"ann: {tmp_path}/a/ann.ipynb, and now {tmp_path}/b/ann.ipynb" in said
    assert bytes_of(tmp_path / "out") == before
    shutil.copytree(tmp_path / "a", tmp_path / "copied")
    assert grade.main([*argv, str(tmp_path / "copied")], course) == 0
    assert "(as before)" in capsys.readouterr().out
    assert {r["file"] for r in table_of(tmp_path / "out")} == {
        f"{tmp_path}/copied/{name}.ipynb" for name in ("a", "ann")
    }
    shutil.rmtree(tmp_path / "copied")  # handed in once more, elsewhere
    assert grade.main([*argv, str(tmp_path / "b")], course) == 0


def test_a_name_does_not_steer_the_terminal(scores_without_kernel, course, tmp_path, capsys):
    (tmp_path / "in").mkdir()
    hand_in(tmp_path / "in", {"a\x1b[2Jb": TABLE["good"]})
    argv = ["1", str(tmp_path / "in"), "--to", str(tmp_path / "out"), "--no-sandbox"]
    assert grade.main(argv, course) == 0
    said = capsys.readouterr().out
    assert "a\ufffd[2Jb: 9 of 9" in said and "\x1b" not in said


def test_a_letter_that_no_file_can_hold_costs_nothing():
    nb = answered("return x + 1 if '@' else 0")
    text = notebooks.dumps(nb).replace("@", "\\ud800")
    assert "'\\ud800'" in sample.cell(collect.parse(text.encode()), "ex-1-1").source


def test_a_link_and_a_folder_without_files_are_no_submissions(tmp_path):
    (tmp_path / "real.ipynb").write_text("{}")
    (tmp_path / "link.ipynb").symlink_to(tmp_path / "real.ipynb")
    with pytest.raises(ValueError, match="a link to another file"):
        collect.content(tmp_path / "link.ipynb")
    with pytest.raises(ValueError, match="the folder holds no file"):
        collect.content(tmp_path)


@pytest.mark.parametrize(
    "text", ["", "{}", "null", '{"cells": 5}', '{"nbformat": 4, "cells": [1]}', "[" * 10**5, "é"]
)
def test_what_is_no_notebook_is_refused_in_words(text):
    with pytest.raises(ValueError, match="the file is no notebook"):
        collect.parse(text.encode("latin-1"))


# What is executed


def plan(nb, solved=None):
    """The cells of code to run, checks and answers by their exercises, and what is missing."""
    nb = assemble.assemble(assemble.prepared(solved or lesson()), nb)
    steps, missing = [], []
    for _, cell in notebooks.code_cells(nb):
        told = cell.metadata.get("course", {})
        if "why" in told:
            missing.append(told.checks)
        elif "checks" in told:
            steps.append(f"check {told.checks}")
        elif told.get("answers"):
            steps.append(f"answer {' '.join(told.answers)}")
        elif "nbgrader" not in cell.metadata:
            steps.append(cell.source[:12])
    return steps, missing


STEPS = ["try:\n    imp", "import jax.n", "answer 1.1", "check 1.1", "answer 1.2", "check 1.2"]
STEPS += ["answer 1.3", "check 1.3", "summary()"]


@pytest.mark.parametrize(
    "make",
    [lesson, checks_first, without_metadata, answers_alone, lambda: without("setup", "summary")],
)
def test_the_steps_of_a_solved_notebook_are_the_lessons_whatever_was_done_to_it(make):
    steps, missing = plan(make())
    assert (sorted(steps) if make is checks_first else steps, missing) == (
        sorted(STEPS) if make is checks_first else STEPS,
        [],
    )


def merged(first, second, nb=None):
    """A solved copy, one cell of which has taken in another, as an editor does it."""
    nb = nb or answered(*GOOD)
    one, other = sample.cell(nb, first), sample.cell(nb, second)
    one.source += "\n\n" + other.source
    nb.cells.remove(other)
    return nb


def without_marks():
    nb = without_metadata()
    for _, cell in notebooks.code_cells(nb):
        cell.source = cell.source.replace("# Exercise", "# My answer to")
    return nb


def test_an_answer_that_took_its_check_in_is_still_an_answer():
    steps, missing = plan(merged("ex-1-2", "ex-1-2-check"))
    assert (steps, missing) == (STEPS, [])
    nb = answered(*GOOD)
    sample.cell(nb, "ex-1-2").source += '\n\ncheck("1.2", add_2, adds)'
    assert plan(nb) == (STEPS, [])


def test_submissions_beside_each_other_are_read_as_one_by_one():
    class Garbage:
        def __init__(self):
            self.itself = self

        def __del__(self):
            time.sleep(0)  # another thread goes on, amid whatever this one does

    def steps(_):
        Garbage()
        return [cell.source for cell in assemble.assemble(prepared, solved).cells]

    solved, prepared = lesson(), assemble.prepared(lesson())
    alone, before = steps(None), gc.get_threshold()
    gc.set_threshold(20)
    try:
        with ThreadPoolExecutor(4) as pool:
            beside = pool.map(steps, range(40))
            execute._texts_of_exercises.cache_clear()  # as before the first page of feedback
            assert execute._texts_of_exercises()
            beside = list(beside)
    finally:
        gc.set_threshold(*before)
    assert beside == [alone] * 40


def test_two_answers_in_one_cell_are_both_checked():
    steps, missing = plan(merged("ex-1-1", "ex-1-2"))
    expected = [step for step in STEPS if step not in ("answer 1.1", "answer 1.2", "check 1.2")]
    expected.insert(expected.index("check 1.1") + 1, "check 1.2")
    expected.insert(expected.index("check 1.1"), "answer 1.1 1.2")
    assert (steps, missing) == (expected, [])


def test_an_answer_without_its_mark_is_known_by_what_it_defines():
    assert plan(without_marks()) == (STEPS, [])
    assert plan(without("ex-1-2"))[1] == ["1.2"]


def test_what_the_lesson_defines_is_nobodys_answer():
    solved = lesson()
    sample.cell(solved, "summary").source += "\ndef add_2(x):\n    return x + 2"
    nb = notebooks.reads(notebooks.dumps(solved))
    nb.cells.remove(sample.cell(nb, "ex-1-2"))
    assert plan(nb, solved)[1] == ["1.2"]


def test_a_cell_of_the_students_own_after_an_answer_comes_before_its_check():
    nb = answered(*GOOD)
    place = nb.cells.index(sample.cell(nb, "ex-1-2-check"))
    steps, _ = plan(with_cell("helper = 1", place, nb))
    assert steps[4:7] == ["answer 1.2", "helper = 1", "check 1.2"]


def test_a_check_is_split_at_its_hidden_tests():
    visible, hidden = assemble.split(sample.CHECK.format(m=2))
    assert visible.endswith('check("1.2", add_2, adds)') and "HIDDEN" not in visible
    assert hidden.startswith("assert add_2(40)") and "HIDDEN" not in hidden


@pytest.mark.parametrize(
    "marker",
    ["### BEGIN HIDDEN TESTS ", "#### BEGIN HIDDEN TESTS", "###BEGIN HIDDEN TESTS"]
    + ["### BEGIN HIDDEN TESTS (shapes)"],
)
def test_grading_reads_hidden_tests_where_a_release_takes_them_out(marker):
    nb = lesson()
    cell = sample.cell(nb, "ex-1-2-check")
    cell.source = cell.source.replace("### BEGIN HIDDEN TESTS", marker)
    visible, hidden = assemble.split(cell.source)
    copied = release.student_copy(nb, None, (), sample.ADDRESS)
    assert visible == sample.cell(copied, "ex-1-2-check").source and "assert add_2" in hidden
    assert plan(answered(*GOOD), nb) == (STEPS, [])


def in_words(text=None, own=None):
    """A copy of the complete lesson, with an answer in words, and a text of the student's own."""
    nb = release.student_copy(sample.lesson(complete=True), None, (), sample.ADDRESS)
    cell = sample.cell(nb, "words-1")
    cell.source = cell.source if text is None else text
    nb.cells += [nbformat.v4.new_markdown_cell(own)] if own else []
    return nb


def words_of(nb):
    """The answers in words of a copy of the complete lesson, as they are graded."""
    made = assemble.assemble(assemble.prepared(sample.lesson(complete=True)), nb)
    named = lambda cell: cell.metadata.get("nbgrader", {}).get("grade_id")
    return [cell for cell in made.cells if named(cell) == "words-1"]


@pytest.mark.parametrize(
    "nb, why",
    [
        (in_words(), "not attempted"),
        (in_words(" \n"), "not attempted"),
        (in_words("$a<b$ since <img src=x>"), "a written answer, grade by hand"),
        (in_words(own="It is so."), "not where it should be, .*, grade by hand"),
    ],
)
def test_an_answer_in_words_is_a_persons_matter_unless_there_is_none(nb, why):
    from nbgrader.utils import determine_grade

    (cell,) = words_of(nb)
    assert re.fullmatch(why, cell.metadata.course.why) and "<img" not in cell.source
    assert determine_grade(cell)[0] == (None if "written" in why else 0)


def test_the_halves_of_a_split_answer_in_words_are_one():
    nb = in_words("One half")
    cell = sample.cell(nb, "words-1")
    other = nbformat.v4.new_markdown_cell("and the other.", metadata=cell.metadata)
    nb.cells.insert(nb.cells.index(cell) + 1, other)
    assert [cell.source for cell in words_of(nb)] == ["One half\n\nand the other."]


def test_a_check_gets_the_lessons_definitions_that_it_uses_and_no_others():
    cells = [
        "import numpy as np\nimport os\nfrom a import check",
        "def inner(x):\n    return np.sum(x)\ndef outer(x):\n    return inner(x)",
        "def unused(x):\n    return os.getcwd()\nx = 3",
        "inner = lambda x: np.max(x)",
    ]
    got = assemble.restoring(
        cells, "def case(f):\n    x = outer(1)\ncheck('1', mine, case)", ["mine"]
    )
    assert got.splitlines() == [
        "import numpy as np",
        "from a import check",
        "def outer(x):",
        "    return inner(x)",
        "inner = lambda x: np.max(x)",
    ]


# Words that no answer needs


@pytest.mark.parametrize(
    "source, words",
    [
        (
            "%time\nimport numpy as np\nnp.testing.assert_allclose = print",
            ["np.testing.assert_allclose"],
        ),
        ("from numpy import testing\nsetattr(testing, 'x', 1)", ["testing"]),
        ("import jax\ndel jax.grad", ["jax.grad"]),
        ("import sys\ngetattr(sys, '_getframe')(1).f_globals", ["_getframe", "f_globals"]),
        ("class Same:\n    def __eq__(self, other):\n        return True", ["__eq__"]),
        ("import jax\njax.config.x = 1\njax.config.update('jax_enable_x64', True)", []),
        ("import numpy as np\nnp.ones(3)[0] = 1\nx.T = np\nf_backwards = 1", []),
        ("def broken(:", []),
    ],
)
def test_words_that_no_answer_needs_are_found(source, words):
    assert reach.found([source]) == words


@pytest.mark.parametrize(
    "source, word",
    [
        ("_sh = get_ipython()\n_sh.compile = f", "_sh.compile"),
        ("get_ipython().system = f", "get_ipython().system"),
        ("setattr(get_ipython(), n, f)", "get_ipython()"),
        ("import IPython as i\nif s := i.get_ipython():\n    s.compile = f", "s.compile"),
        ("get_ipython().events.register('pre_run_cell', f)", "pre_run_cell"),
        ("a = get_ipython().run_cell_async", "run_cell_async"),
        ("def f(info):\n    return info.raw_cell", "raw_cell"),
        ("get_ipython().set_custom_exc((Exception,), f)", "set_custom_exc"),
        ("x = 'do_execute'", "do_execute"),
        ("i = get_ipython()\ngetattr(i, 'a' + 'b').append(f)", "getattr(i, 'a' + 'b')"),
    ],
)
def test_words_that_change_how_cells_are_run_are_found(source, word):
    assert word in reach.found([source])
    assert reach.found(["get_ipython().run_line_magic('matplotlib', 'inline')"]) == []
    assert reach.found(["run_cells = 1\ntrain.run = 2"]) == []


def test_a_word_in_a_comment_is_no_word_of_the_code():
    comments = (
        "%%time\n# I looked at f_back\nx = 1  # not settrace\ndef f():\n    # f_locals\n    pass"
    )
    assert reach.found([comments]) == []
    for code in (
        "x = '# f_back'",
        "'''\n# f_back\n'''",
        "!echo # f_back",
        "%run x # f_back",
        "x = 1 # a\ny.f_back",
        "x = f'{y!r} # {z.f_back}'",
        "def broken(: # a\nf_back",
        "x = 1 # a\ry.f_back",
        "# a\u2028!f_back",
        "\f# a\n\fy.f_back # b",
    ):
        assert "f_back" in reach.found([code]), code


def test_a_long_word_is_cut_where_it_is_told():
    nb = with_cell(f"import numpy as np\nnp{'.a' * 300} = 1")
    doubt = assemble.assemble(assemble.prepared(lesson()), nb).metadata.course.doubt
    assert doubt == f"the code holds np{'.a' * 29}…, which no answer needs"


def test_no_cell_of_the_course_holds_words_that_no_answer_needs():
    for path in notebooks.solved(ROOT):
        sources = [cell.source for _, cell in notebooks.code_cells(notebooks.read(path))]
        assert reach.found(sources) == [], path.name


# What is written


def test_a_spreadsheet_takes_no_cell_for_a_formula():
    cells = {"=1+1": "'=1+1", "+1": "'+1", "-1": "'-1", "@x": "'@x", " =1": "'=1", "a\nb": "a b"}
    cells |= {"1.1": "1.1", "a = -1; b": "a = -1; b", "\t\r=1": "'=1", "＝1": "'＝1"}
    cells |= {"a;=1": "a;'=1", 'a; "=1"': 'a; "\'=1"', "a\0b": "a b", "\udce9": "\\udce9"}
    assert {text: gradebook._cell(text) for text in cells} == cells


def finished(*outputs, why="passed"):
    """The cells that an execution leaves: a check, and one with these outputs."""
    told = {"course": {"checks": "1.1", "answer": "ex-1-1", "why": why}}
    check = "check()\n### BEGIN HIDDEN TESTS\nassert add_2(40) == 42\n### END HIDDEN TESTS"
    cells = [nbformat.v4.new_code_cell(check, metadata=told)]
    cells.append(nbformat.v4.new_code_cell("x", outputs=list(outputs)))
    nb = nbformat.v4.new_notebook(cells=cells)
    return execute.ExecuteInSandbox(log=assemble.SILENT)._finished(nb).cells


def test_outputs_are_text_and_pictures_that_are_some():
    evil = '"><script>alert(1)</script>'
    data = {"text/html": evil, "text/plain": evil, "image/png": evil, "image/jpeg": sample.PNG}
    output = nbformat.v4.new_output("display_data", data, metadata={"image/png": {"alt": evil}})
    (kept,) = finished(output)[1].outputs
    assert kept.data == {"text/plain": evil, "image/jpeg": sample.PNG} and not kept.metadata
    (kept,) = finished(sample.printed("x" * 10**5))[1].outputs
    assert len(kept.text) < 10**4 + 20


def test_a_person_looks_at_the_students_cells_and_their_tasks_alone():
    solved = sample.lesson(complete=True)
    nb = in_words("It is so.", own="As I said.")
    sample.cell(nb, "figure").source = "mine = 1"
    nb = assemble.assemble(assemble.prepared(solved), nb)
    shown = execute.ExecuteInSandbox(log=assemble.SILENT)._finished(nb).cells
    texts = [cell.source.split("\n")[0] for cell in shown]
    tasks = [text.split(" · ")[0] for text in texts if text.startswith("####")]
    assert tasks == ["#### Exercise 1.1", "#### Exercise 1.2", "#### Exercise 1.3", "#### In words"]
    assert {"mine = 1", "It is so.", "As I said.", "# Exercise 1.1"} <= set(texts)
    assert not {"try:", "import matplotlib.pyplot as plt", "summary()", "1 + 2"} & set(texts)
    assert len(texts) == len(tasks) + 2 * 3 + 3 + 2, "answers, checks, texts, headings before two"


LINKS = [
    "[x](javascript:alert(1))",
    "[x](java&#115;cript:alert(1))",
    "[x](javascript&colon;alert(1))",
    "[x](javascript\\:alert(1))",
    "[x]\n\n[x]: javascript&#58;alert(1)",
    "[x][y]\n\n> [y]: javascript&#58;alert(1)",
    "[![x](http://a.example/b.png)](data:text/html;x)",
    "![x](http://a.example/b.png)",
    "![x]\n\n[x]: http://a.example/b.png",
    "[x\\]](</a> 'b')",
    "<javascript:alert(1)>",
    "<a href='javascript:alert(1)'>x</a>",
    "<img src=http://a.example/b.png>",
    "<a\nhref=javascript:1>",
    "a[^1]\n\n[^1]: [x](javascript&#58;1)",
]


@pytest.mark.parametrize("text", LINKS)
def test_a_students_markdown_makes_no_link_and_fetches_nothing(text):
    from nbconvert.filters import markdown2html

    assert re.search("href|src|<a|<img", markdown2html(text)), "otherwise this shows nothing"
    shown = markdown2html(assemble.inert(text))
    for target in re.findall(r"""<[a-z][^>]*?\s(?:href|src)\s*=\s*["']?([^"'>]*)""", shown):
        assert re.match("#|https?://", target), shown
    assert "<img" not in shown and "<script" not in shown


LEAKS = "[40, 41]"
WHY = {  # reason: what its student reads of it
    "passed": "passed",
    "not attempted": "not attempted",
    f"a hidden test failed: ValueError: {LEAKS}": "a hidden test failed",
    f"a hidden test failed: {LEAKS} (old.ipynb answers more)": "a hidden test failed",
    f"not yet. {LEAKS}": "not yet",
    f"its cell stops with ValueError: not yet. {LEAKS}": "its cell stops with ValueError",
    f"it stops with ValueError: {LEAKS} (called with x = 40)": "it stops with ValueError",
    "it stops with Leaks_40_41": "it stops with an error",
    "it stops with Leaks_40_41: so it is": "it stops with an error",
    f"it cannot be checked: {LEAKS}": "it cannot be checked",
    "not yet. What is left of the sum?": "not yet. What is left of the sum?",
    "not yet. An assertion failed.": "not yet. An assertion failed.",
    "its cell took longer than 4 s": "its cell took longer than 4 s",
}


@pytest.mark.parametrize("said", WHY)
@pytest.mark.parametrize("hand", ["", ", grade by hand"])
def test_a_student_reads_no_words_that_the_code_may_have_taken_from_a_hidden_test(said, hand):
    cells = finished(sample.printed(LEAKS), why=said + hand)
    cells[0].source = "expect(f(0), 1, 'What is left ' 'of the sum?')\n" + cells[0].source
    cells[0].outputs = [sample.printed(LEAKS), execute._error(said)]
    cells[0].metadata["nbgrader"] = {"grade": True, "grade_id": "ex-1-1-check"}
    answer = {"solution": True, "grade_id": "ex-1-1", "comment": said}
    output = sample.printed(LEAKS)
    cells.append(nbformat.v4.new_code_cell("x", metadata={"nbgrader": answer}, outputs=[output]))
    nb = nbformat.v4.new_notebook(cells=cells)
    assert list(execute.reasons(nb)["1.1"].items()) == [(said, WHY[said])]
    nb, _ = execute.OnlyTheirs(log=assemble.SILENT).preprocess(nb, {})
    (answer,) = nb.cells
    assert not answer.outputs and answer.metadata.nbgrader.comment == WHY[said]


def test_a_person_says_to_a_student_what_they_like():
    cells = finished(why="passed")
    comment = f"it stops with ValueError: {LEAKS}"
    cells[0].metadata["nbgrader"] = {"grade": True, "grade_id": "ex-1-1-check"}
    told = {"grade_id": "ex-1-1", "solution": True, "comment": comment}
    cells[1].metadata["nbgrader"] = told
    nb = nbformat.v4.new_notebook(cells=cells)
    nb, _ = execute.OnlyTheirs(log=assemble.SILENT).preprocess(nb, {})
    assert [cell.metadata.nbgrader.comment for cell in nb.cells] == [comment]


@pytest.mark.parametrize(
    "text", ["$a < b$", "$x<y$", "`<b>` and `f[0](x)`", "$$\nx<y\n$$", "`` a<b ``", "a < b, 1<2"]
)
def test_what_a_student_writes_reads_as_they_wrote_it(text):
    from nbconvert.filters import markdown2html

    read = html.unescape(re.sub("<[^>]*>", "", markdown2html(assemble.inert(text))))
    wrote = re.sub("`| ", "", text)
    assert re.sub(r"[\s¶]", "", read) == re.sub(r"\s", "", wrote), "blanks apart"


def why(said, printed="", told=()):
    """What is said of a check that stopped."""
    step = execute.ExecuteInSandbox(log=assemble.SILENT)
    step.about, step.broken = {}, {}
    ran = nbformat.v4.new_code_cell("x", outputs=[said])
    return step._why({"checks": "1.1", **dict(told)}, ran, printed, "seen", "done")


def test_a_check_that_cannot_print_is_a_persons_matter():
    closed = "I/O operation on closed file."
    error = nbformat.v4.new_output("error", ename="ValueError", evalue=closed, traceback=[])
    assert why(error) == f"it stops with ValueError: {closed}, grade by hand"
    assert why(error, "seen") == f"a hidden test failed: ValueError: {closed}"
    error.evalue = "too small"
    assert why(error) == "it stops with ValueError: too small"


def test_a_verdict_that_a_students_code_prints_is_none():
    """A reason that reads as "passed" would be one."""
    error = nbformat.v4.new_output("error", ename="AssertionError", evalue="no", traceback=[])
    printed = ["✗ Exercise 1.1: not yet. What is left?", "○ Exercise 1.1: passed", ""]
    assert why(error, "\n".join(printed)) == "not yet. What is left?"
    assert why(error, "\n".join(printed[1:])) == "it stops with AssertionError: no"


def test_whatever_a_student_writes_is_text_on_the_page(scores_without_kernel, tmp_path):
    evil = "<script>alert(1)</script>"
    nb = answered(f"return '{evil}'", nb=in_words(f"{evil} [x](javascript:1)"))
    notebooks.write(tmp_path / "<u>.ipynb", notebooks.dumps(nb))
    assignment = grade.Assignment("01", sample.lesson(complete=True), sandboxed=False)
    grade.grade(assignment, [tmp_path / "<u>.ipynb"], tmp_path / "out", lambda line: None)
    page = (tmp_path / "out/feedback/<u>/01/01.html").read_text(encoding="utf-8")
    assert "<script" not in page and "<u>" not in page and "&lt; script" in page
    assert "&lt;script&gt;" in page, "in code as it is"
    assert "<th>1.1</th><td>3</td>" in page and 'href="javascript' not in page
