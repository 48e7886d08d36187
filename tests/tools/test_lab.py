"""`lab` gives readers a copy of every lesson, and nothing touches what they write there."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import sample_lesson as sample

from course_utils.cli import compilation_cache, lab, links, notebooks
from course_utils.cli.setup_venv import ROOT, SetupError

WORK = f"work/{sample.NAME}"
STUDENT = f"notebooks/student/{sample.NAME}"
SECOND = sample.NAME.replace("01_", "02_")


@pytest.fixture
def clone(tmp_path):
    """A clone with two lessons."""
    sample.clone(tmp_path)
    shutil.copy(tmp_path / STUDENT, tmp_path / "notebooks/student" / SECOND)
    (tmp_path / "README.md").touch()
    return tmp_path


def edit(path, old, new):
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def test_every_student_copy_is_copied_once_and_never_written_again(clone):
    assert lab.fill(clone) == []
    assert sorted(path.name for path in (clone / "work").iterdir()) == [sample.NAME, SECOND]
    edit(clone / WORK, "raise NotImplementedError", "return x + 1")
    mine = (clone / WORK).read_bytes()
    (clone / "work" / SECOND).unlink()
    assert lab.fill(clone) == []
    assert (clone / WORK).read_bytes() == mine
    assert (clone / "work" / SECOND).exists(), "deleted, it is copied anew"


def test_a_copy_in_work_has_the_cells_of_the_student_copy_and_links_that_lead_somewhere(clone):
    path = clone / STUDENT
    links_there = "[one](01_small_lesson.ipynb#1.1) [solved](../01_small_lesson.ipynb)"
    edit(path, "**Read it.**", f"**Read it.** {links_there} `[code](../a)`")
    lab.fill(clone)
    student, work = notebooks.read(path), notebooks.read(clone / WORK)
    moved = [a.id for a, b in zip(student.cells, work.cells, strict=True) if a != b]
    assert moved == ["title", "read"], "no other cell has a link that had to change"
    assert "[one](01_small_lesson.ipynb#1.1) [solved](../notebooks/01_small_lesson.ipynb)" in (
        sample.cell(work, "read").source
    )
    assert "`[code](../a)`" in sample.cell(work, "read").source
    assert "(../README.md#contents)" in work.cells[0].source
    work.metadata.pop("course")
    assert notebooks.dumps(work) == notebooks.dumps(notebooks.tidy(work)), "in stored form"


def test_in_this_clone_every_link_of_every_copy_in_work_leads_somewhere(tmp_path):
    for name in ("README.md", "LICENSE", "notebooks"):
        (tmp_path / name).symlink_to(ROOT / name)
    assert lab.fill(tmp_path) == []
    copies = sorted((tmp_path / "work").iterdir())
    assert len(copies) == len(list((ROOT / lab.STUDENT).glob("*.ipynb"))) > 0
    for path in copies:
        for cell in notebooks.read(path).cells:
            for target in links.targets(cell.source) if cell.cell_type == "markdown" else ():
                if links.is_relative(target):
                    file = target.partition("#")[0]
                    assert os.path.exists(os.path.join(tmp_path, "work", file)), (path, target)


def test_a_newer_student_copy_is_named_in_one_line_and_leaves_the_readers_file_alone(clone):
    lab.fill(clone)
    mine = (clone / WORK).read_bytes()
    for name in (STUDENT, f"notebooks/student/{SECOND}"):
        edit(clone / name, "It rises.", "It rises, by one.")
    (said,) = lab.fill(clone)
    assert said.startswith(f"Newer in notebooks/student/ than in work/: {sample.NAME}, {SECOND}. ")
    assert (clone / WORK).read_bytes() == mine
    (clone / WORK).rename(clone / "work/old.ipynb")
    (said,) = lab.fill(clone)
    assert sample.NAME not in said
    assert "by one" in (clone / WORK).read_text(encoding="utf-8")


def test_a_file_of_unknown_origin_and_a_file_that_is_no_notebook_are_left_alone(clone):
    (clone / "work").mkdir()
    (clone / WORK).write_text("from Colab")
    (clone / "work" / SECOND).symlink_to("nowhere")
    (clone / "notebooks/student/03_broken.ipynb").write_text("<<<<<<< HEAD\n")
    assert lab.fill(clone) == [
        "No notebooks, so not copied: 03_broken.ipynb in notebooks/student/."
    ]
    assert (clone / WORK).read_text() == "from Colab"
    assert (clone / "work" / SECOND).is_symlink()
    assert sorted(path.name for path in (clone / "work").iterdir()) == [sample.NAME, SECOND]


def git(folder, *argv):
    identity = ["-c", "user.name=A", "-c", "user.email=a@example.org"]
    done = subprocess.run(
        ["git", *identity, *argv], cwd=folder, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.skipif(not shutil.which("git"), reason="there is no git")
def test_a_pull_never_conflicts_with_answers(clone, tmp_path_factory):
    shutil.copy(ROOT / ".gitignore", clone)
    for argv in (["init", "-q"], ["add", "."], ["commit", "-qm", "A course"]):
        git(clone, *argv)
    student = tmp_path_factory.mktemp("student") / "course"
    git(clone, "clone", "-q", str(clone), str(student))
    lab.fill(student)
    edit(student / WORK, "raise NotImplementedError", "return x + 1")
    mine = (student / WORK).read_bytes()
    assert git(student, "status", "--porcelain") == ""

    edit(clone / STUDENT, "The number x and 1 more.", "One more than x.")
    git(clone, "commit", "-qam", "A clearer sentence")
    git(student, "pull", "-q", "--ff-only")
    assert "One more than x." in (student / STUDENT).read_text(encoding="utf-8")
    assert (student / WORK).read_bytes() == mine
    assert git(student, "status", "--porcelain") == ""
    (said,) = lab.fill(student)
    assert sample.NAME in said


@pytest.mark.parametrize(
    "line, opens, rest",
    [
        ("", "work", ""),
        ("1 --no-browser", WORK, "--no-browser"),
        ("--port 8890 01", WORK, "--port 8890"),
        ("--log-level 10", "work", "--log-level 10"),
        (STUDENT, WORK, ""),
        (WORK, WORK, ""),
        (sample.NAME, WORK, ""),
        (f"notebooks/{sample.NAME}", f"notebooks/{sample.NAME}", ""),
        ("work/old.ipynb", "work/old.ipynb", ""),
        ("/elsewhere/a.ipynb --debug", "work", "/elsewhere/a.ipynb --debug"),
    ],
)
def test_a_lesson_is_opened_by_its_number_or_a_path(line, opens, rest, clone, monkeypatch):
    (clone / "work").mkdir()
    (clone / "work/old.ipynb").touch()
    for folder in (clone, clone.parent):
        monkeypatch.chdir(folder)
        arguments = line.split()
        assert lab.page(arguments, clone) == opens
        assert arguments == rest.split()
    with pytest.raises(SetupError, match="There is no lesson 7; there are 01, 02"):
        lab.page(["7"], clone)


def test_a_cache_of_the_users_own_stays():
    wanted = compilation_cache.settings(ROOT, {})
    assert Path(wanted["JAX_COMPILATION_CACHE_DIR"]).parent == ROOT / ".cache/jax"
    assert json.loads(json.dumps(wanted)) == wanted and len(wanted) == 5, "strings all"
    assert compilation_cache.settings(ROOT, {"JAX_COMPILATION_CACHE_DIR": ""}) == {}
    name = "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"
    assert set(compilation_cache.settings(ROOT, {name: "1"})) == set(wanted) - {name}
    filters = compilation_cache.settings(ROOT, {"PYTHONWARNINGS": "error"})["PYTHONWARNINGS"]
    assert filters == f"error,{wanted['PYTHONWARNINGS']}", "the last one counts"


def test_an_entry_of_the_cache_that_is_not_yet_written_costs_nothing_but_its_compilation(tmp_path):
    cached = compilation_cache.settings(tmp_path, {"PYTHONWARNINGS": "error::UserWarning"})
    environ = os.environ | cached
    command = [sys.executable, "-c", "import jax; print(jax.jit(lambda x: x + 1)(1))"]
    for _ in range(2):
        done = subprocess.run(command, env=environ, capture_output=True, text=True)
        assert (done.stdout, done.returncode) == ("2\n", 0), done.stderr
        entries = list(tmp_path.rglob("*-cache"))
        assert entries
        for entry in entries:
            entry.write_bytes(b"")
