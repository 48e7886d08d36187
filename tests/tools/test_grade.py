"""Grading: a table of submissions of every kind, each with the score that it earned and why."""

import csv
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
from pathlib import Path

import nbformat
import pytest
import sample_lesson as sample

from course_utils.cli import (
    assembly,
    feedback,
    grade,
    notebooks,
    probe,
    reach,
    release,
    sandbox,
    scoring,
    submissions,
)
from course_utils.cli.setup_venv import ROOT

NUMBERS = ("1.1", "1.2", "1.3")
GOOD = tuple(f"return x + {m}" for m in (1, 2, 3))
SETUP = """\
import jax.numpy as jnp
import numpy as np

from course_utils.exercises import check, expect, summary"""

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
print("beside the package:", *sorted(set(os.listdir(course)) - {".venv"}))
print("commands:", *os.listdir(course + "/course_utils/cli"))
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
    "traces": (with_cell(TRACES, 3), all_three(0, "library changed .*, grade by hand")),
    "patches and puts back": (
        with_cell(PUTS_BACK, 3),
        all_three(0, r"the code holds npt\.assert_allclose, which no answer needs, grade by hand"),
    ),
    "draws": (with_cell(DRAWS, 3), all_three(3, "passed")),
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
    assert rows[0]["file"].endswith("new.ipynb (newer than old.ipynb)")
    page = (week[0] / "feedback" / "two files.html").read_text(encoding="utf-8")
    assert "Older files of yours do not count: old.ipynb." in page


@needs_sandbox
@pytest.mark.slow
def test_every_student_has_a_page_that_shows_no_hidden_test_and_fetches_nothing(week):
    pages = {path.name: path.read_text(encoding="utf-8") for path in week[0].glob("feedback/*")}
    assert len(pages) == len(TABLE) + 1
    assert "José Núñez 李.html" in pages
    for name, page in pages.items():
        assert "assert add_" not in page and "assert_allclose(add_" not in page, name
        assert not re.search(r"<script|<link|src=[\"'](?!data:)|@import|url\(", page), name
    assert "it repeats a hidden test" in pages["snoops.html"]
    assert "✗ A hidden test failed." in pages["wrong.html"]
    assert "Start from nothing: what is left of the sum?" in pages["wrong.html"]


@needs_sandbox
@pytest.mark.slow
def test_those_to_grade_by_hand_are_counted_and_the_rest_is_said_line_by_line(week):
    _, status, said = week
    assert status == grade.SOME_BY_HAND
    assert said.splitlines()[-1] == (
        "5 to grade by hand: patches and puts back, patches jax.numpy, patches numpy.testing, "
        "patches the shell, traces"
    )
    assert re.search(r"^\d+ of \d+  half done: 3 of 9 \(\d+ s\)$", said, re.M)


@needs_sandbox
@pytest.mark.slow
def test_a_submission_sees_the_package_and_nothing_beside_it(week):
    page = (week[0] / "feedback" / "snoops.html").read_text(encoding="utf-8")
    assert "NBGRADER_EXECUTION" in page, "it printed its environment"
    assert "COURSE_SECRET" not in page and "a secret of the instructor" not in page
    assert not re.search(r"^could write to", page, re.M)
    assert re.search(r"^beside the package: course_utils$", page, re.M)
    assert re.search(r"commands: *$", page, re.M)
    mine = {ROOT.parts[2][:6]} if ROOT.parts[1] == "tmp" else set()
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

FEW = {name: TABLE[name] for name in ("good", "half done", "wrong")}


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
        wait_for(process, line)
        time.sleep(1.0)  # within the next one
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
    inside = sandbox.ROOT / "course_utils" / "cli"
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
        (["7", "."], "no notebook 7; there is 01, foundations"),
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
    """Grade within this process, where a test may replace parts; the table."""
    hand_in(folder, {student: TABLE[student] for student in students})
    assignment = grade.Assignment("01", lesson(), sandboxed=False)
    files = [folder / f"{student}.ipynb" for student in students]
    return grade.grade(assignment, files, folder / "out", lambda line: None)


@pytest.fixture
def scores_without_kernel(monkeypatch):
    """Every exercise of every notebook passes, at once."""

    def score(solved, submitted, limits, sandboxed, hidden=(), clean=None):
        every = assembly.exercises(solved)
        passed = [scoring.Score(one.name, one.points, one.points, "passed") for one in every]
        return scoring.Outcome(passed, [], [], {"numpy": {"sum": "1"}})

    monkeypatch.setattr(scoring, "score", score)


def test_a_submission_that_breaks_the_grader_is_left_to_a_person_and_tried_again(
    scores_without_kernel, monkeypatch, tmp_path
):
    passes = scoring.score

    def breaks(solved, submitted, *rest):
        if submitted.cells[-1].source == "breaks":
            raise ValueError("not foreseen")
        return passes(solved, submitted, *rest)

    monkeypatch.setattr(scoring, "score", breaks)
    monkeypatch.setitem(TABLE, "breaks", (with_cell("breaks", 99), None))
    assert small_grade(tmp_path, "good", "breaks") == ["breaks"]
    rows = {(r["student"], r["exercise"]): r for r in table_of(tmp_path / "out")}
    assert rows["good", "1.1"]["why"] == "passed"
    why = "grading it failed (ValueError: not foreseen), grade by hand"
    assert rows["breaks", "1.1"]["why"] == why and rows["breaks", "1.1"]["points"] == "0"
    monkeypatch.setattr(scoring, "score", passes)
    assert small_grade(tmp_path, "good", "breaks") == []


def test_outputs_that_no_page_can_hold_do_not_keep_the_scores_back(
    scores_without_kernel, monkeypatch, tmp_path
):
    monkeypatch.setattr(feedback, "_cells", lambda pieces, secrets: 1 / 0)
    passes = scoring.score
    shown = [scoring.Shown("1.1", "answer", "x", [], False)]
    monkeypatch.setattr(scoring, "score", lambda *a, **k: passes(*a, **k)._replace(shown=shown))
    assert small_grade(tmp_path, "good") == []
    page = (tmp_path / "out" / "feedback" / "good.html").read_text(encoding="utf-8")
    assert "9 of 9 points" in page and "could not be shown (ZeroDivisionError)" in page


# Whose file it is


def names(*paths):
    found = submissions.collect(paths, "01_small")
    return {one.student: (one.path.name, one.aside) for one in found}


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
        "ada": ("ada.ipynb", ()),
        "bo": ("01_small_lesson.ipynb", ()),
        "cy": ("01_small_lesson.ipynb", ()),
        "dee": ("dee", ()),
        "notes": ("notes.pdf", ()),
    }
    assert names(tmp_path / "ada.ipynb", tmp_path / "ada.ipynb") == {"ada": ("ada.ipynb", ())}


def test_two_spellings_of_an_accent_are_one_student(tmp_path):
    for folder, name in (("a", "Jose\u0301"), ("b", "Jos\u00e9")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / f"{name}.ipynb").write_text("{}")
    assert list(names(tmp_path / "a", tmp_path / "b")) == ["Jos\u00e9"]


def hand_in_empty(folder, *paths):
    for path in paths:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text("{}")


def test_what_is_called_as_the_lesson_is_the_students_whose_folder_it_is_in(tmp_path):
    hand_in_empty(tmp_path, "ada/01_small.ipynb", "bo/01/01_small.ipynb", "cy.ipynb")
    folders = sorted(path for path in tmp_path.iterdir() if path.is_dir())  # as a shell's * gives
    files = sorted(tmp_path.rglob("*.ipynb"))
    for paths in (folders, files, [tmp_path / "ada", tmp_path / "bo" / "01"]):
        found = names(*paths)
        found.pop("cy", None)
        assert found == {"ada": ("01_small.ipynb", ()), "bo": ("01_small.ipynb", ())}


def test_what_a_system_left_in_a_students_folder_and_links_do_not_take_the_files_place(tmp_path):
    hand_in_empty(tmp_path, "ada/01_small.ipynb", "ada/__MACOSX/01_small.ipynb")
    (tmp_path / "ada" / "01_small_z.ipynb").symlink_to("01_small.ipynb")
    assert names(tmp_path) == {"ada": ("01_small.ipynb", ())}


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
        link = "it is a link to another file"
        assert why.pop("Jos\\udce9", "passed" if old is None else "") == "passed"
        assert why == {"good": "passed", "loop0": link, "loop1": link, "pipe": "it is no file"}


def test_lists_that_would_fill_the_memory_are_refused_and_brackets_in_text_are_not():
    nb = answered(*GOOD)
    sample.cell(nb, "setup").source += "\n# " + "[{" * submissions.MOST + '"'
    assert submissions.parse(notebooks.dumps(nb).encode()).cells
    nb.metadata["bomb"] = [[] for _ in range(submissions.MOST)]
    with pytest.raises(ValueError, match="no notebook .it holds more than 200000 lists"):
        submissions.parse(notebooks.dumps(nb).encode())
    start = time.monotonic()
    with pytest.raises(ValueError, match="no notebook"):
        submissions.parse(b'\\"' * 10**6)
    assert time.monotonic() - start < 10, "the time grows as the file does, not as its square"


def test_a_cell_that_was_copied_with_its_id_is_no_warning(recwarn, capfd):
    nb = answered(*GOOD)
    nb.cells[-1].id = nb.cells[0].id
    with pytest.warns(
        nbformat.warnings.DuplicateCellId
    ):  # otherwise the next lines would show nothing
        notebooks.reads(json.dumps(nb))
    recwarn.clear()
    submissions.parse(json.dumps(nb).encode())
    assert not recwarn and capfd.readouterr() == ("", "")


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
    assert "'\\ud800'" in sample.cell(submissions.parse(text.encode()), "ex-1-1").source


def test_a_link_and_a_folder_without_files_are_no_submissions(tmp_path):
    (tmp_path / "real.ipynb").write_text("{}")
    (tmp_path / "link.ipynb").symlink_to(tmp_path / "real.ipynb")
    with pytest.raises(ValueError, match="a link to another file"):
        submissions.content(tmp_path / "link.ipynb")
    with pytest.raises(ValueError, match="the folder holds no file"):
        submissions.content(tmp_path)


@pytest.mark.parametrize(
    "text", ["", "{}", "null", '{"cells": 5}', '{"nbformat": 4, "cells": [1]}', "[" * 10**5, "é"]
)
def test_what_is_no_notebook_is_refused_in_words(text):
    with pytest.raises(ValueError, match="the file is no notebook"):
        submissions.parse(text.encode("latin-1"))


# What is executed


def plan(nb):
    """Kinds and exercises of the steps, other cells as the beginning of their code."""
    steps, missing = assembly.plan(lesson(), nb)
    return [f"{s.kind} {s.exercise}" if s.exercise else s.source[:12] for s in steps], missing


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


def test_two_answers_in_one_cell_are_both_checked():
    steps, missing = plan(merged("ex-1-1", "ex-1-2"))
    expected = [step for step in STEPS if step not in ("answer 1.2", "check 1.2")]
    expected.insert(expected.index("check 1.1") + 1, "check 1.2")
    assert (steps, missing) == (expected, [])


def test_an_answer_without_its_mark_is_known_by_what_it_defines():
    assert plan(without_marks()) == (STEPS, [])
    assert plan(without("ex-1-2"))[1] == ["1.2"]


def test_what_the_lesson_defines_is_nobodys_answer():
    solved = lesson()
    sample.cell(solved, "summary").source += "\ndef add_2(x):\n    return x + 2"
    nb = notebooks.reads(notebooks.dumps(solved))
    nb.cells.remove(sample.cell(nb, "ex-1-2"))
    assert assembly.plan(solved, nb)[1] == ["1.2"]


def test_a_cell_of_the_students_own_after_an_answer_comes_before_its_check():
    nb = answered(*GOOD)
    place = nb.cells.index(sample.cell(nb, "ex-1-2-check"))
    steps, _ = plan(with_cell("helper = 1", place, nb))
    assert steps[4:7] == ["answer 1.2", "helper = 1", "check 1.2"]


def test_a_check_is_split_at_its_hidden_tests():
    visible, hidden = assembly.split(sample.CHECK.format(m=2))
    assert visible.endswith('check("1.2", add_2, adds)') and "HIDDEN" not in visible
    assert hidden.startswith("assert add_2(40)") and "HIDDEN" not in hidden


def test_a_check_gets_the_lessons_definitions_that_it_uses_and_no_others():
    cells = [
        "import numpy as np\nimport os\nfrom a import check",
        "def inner(x):\n    return np.sum(x)\ndef outer(x):\n    return inner(x)",
        "def unused(x):\n    return os.getcwd()\nx = 3",
        "inner = lambda x: np.max(x)",
    ]
    got = assembly.restoring(
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


def test_no_cell_of_the_course_holds_words_that_no_answer_needs():
    for path in notebooks.solved(ROOT):
        sources = [cell.source for _, cell in notebooks.code_cells(notebooks.read(path))]
        assert reach.found(sources) == [], path.name


# Fingerprints


def test_a_replaced_function_is_found_wherever_a_module_keeps_it(monkeypatch):
    import numpy.testing as npt

    clean = probe.fingerprints()
    assert probe.differences(clean, probe.fingerprints()) == []
    monkeypatch.setattr(npt._private.utils, "assert_array_compare", lambda *a, **k: None)
    assert probe.differences(clean, probe.fingerprints()) == [
        "numpy.testing._private.utils.assert_array_compare"
    ]


def test_other_code_in_the_same_function_is_found(monkeypatch):
    from course_utils import exercises

    clean = probe.fingerprints()
    monkeypatch.setattr(exercises.summary, "__code__", (lambda: None).__code__)
    assert probe.differences(clean, probe.fingerprints()) == ["course_utils.exercises.summary"]


def test_a_name_that_hides_one_of_pythons_own_is_found_and_a_new_one_is_not(monkeypatch):
    from course_utils import exercises

    clean = probe.fingerprints()
    monkeypatch.setattr(exercises, "helper", len, raising=False)
    assert probe.differences(clean, probe.fingerprints()) == []
    monkeypatch.setattr(exercises, "isinstance", len, raising=False)
    assert probe.differences(clean, probe.fingerprints()) == ["course_utils.exercises.isinstance"]


# What is written


def test_a_spreadsheet_takes_no_cell_for_a_formula():
    cells = {"=1+1": "'=1+1", "+1": "'+1", "-1": "'-1", "@x": "'@x", " =1": "'=1", "a\nb": "a b"}
    cells |= {"1.1": "1.1", "a = -1; b": "a = -1; b", "\t\r=1": "'=1", "＝1": "'＝1"}
    cells |= {"a;=1": "a;'=1", 'a; "=1"': 'a; "\'=1"', "a\0b": "a b", "\udce9": "\\udce9"}
    assert {text: grade._cell(text) for text in cells} == cells


def test_pages_have_names_that_any_system_takes_and_no_two_share_one():
    students = ["Ada", "a/b", "a_b", "a:b", "..", "con", "x" * 300, "Zoë"]
    files = [feedback.file_name(student) for student in students]
    assert len({name.lower() for name in files}) == len(students)
    assert all(re.fullmatch(r"\w[\w .-]{0,100}\.html", name) for name in files)
    assert files[0] == "Ada.html" and files[-1] == "Zoë.html"
    two = feedback.file_names(["Ada", "ada", "bo"])
    assert two["bo"] == "bo.html" and len({name.lower() for name in two.values()}) == 3


def test_whatever_a_student_writes_is_text_on_the_page():
    evil = "<script>alert(1)</script>"
    scores = [scoring.Score("1.1", 0.0, 3.0, evil)]
    output = nbformat.v4.new_output("display_data", {"text/html": evil, "text/plain": evil})
    shown = [scoring.Shown("1.1", "answer", evil, [output], False)]
    page = feedback.page(evil, "01", scores, shown)
    assert "<script" not in page and page.count("&lt;script&gt;") >= 3
    assert '<th scope="row">1.1</th><td class="number">0</td>' in page


def test_a_reason_that_repeats_a_hidden_test_is_left_out():
    scores = [scoring.Score("1.1", 0.0, 3.0, "it stops with ValueError: assert add_2(40) == 42")]
    shown = [scoring.Shown("1.1", "answer", "x", [], False)]
    assert "add_2(40)" in feedback.page("a", "01", scores, shown)
    page = feedback.page("a", "01", scores, shown, hidden=["assert add_2(40) == 42"])
    assert "add_2(40)" not in page and page.count("it repeats a hidden test") == 2


def test_an_output_that_repeats_a_hidden_test_is_left_out():
    said = [nbformat.v4.new_output("stream", name="stdout", text="  assert add_2(40) == 42\n")]
    shown = [scoring.Shown("", "cell", "print(In)", said, False)]
    scores = [scoring.Score("1.1", 3.0, 3.0, "passed")]
    assert "add_2(40)" in feedback.page("a", "01", scores, shown)
    page = feedback.page("a", "01", scores, shown, hidden=["x = 1\nassert add_2(40) == 42"])
    assert "add_2(40)" not in page and "it repeats a hidden test" in page
