"""What the README shows is executed, and what it pictures is what the notebook stores."""

import base64
import csv
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile

import pytest
import sample_lesson as sample

from course_utils.cli import notebooks, sandbox, setup_venv
from course_utils.cli.setup_venv import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```", README, flags=re.M | re.S)


def test_the_example_runs_and_prints_what_stands_below_it():
    (example,), (printed,) = blocks("python"), blocks("text")
    ran = subprocess.run(
        [sys.executable, "-W", "error", "-c", example], capture_output=True, text=True, cwd=ROOT
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout == printed


def test_the_commands_are_jobs_that_the_package_has():
    jobs = re.findall(r"python3 -m course_utils (\w+)", README)
    assert {"lab", "test", "release", "grade", "stamp"} <= set(jobs)
    for job in set(jobs):
        ran = subprocess.run(
            [sys.executable, "-m", "course_utils", job, "--help"], capture_output=True, cwd=ROOT
        )
        assert ran.returncode == 0 and ran.stdout, job


def week(folder):
    """A clone that holds one small lesson, with an environment that has every package."""
    shutil.copytree(ROOT / "course_utils", folder / "course_utils")
    sample.clone(folder)
    for name in ("pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, folder)
    venv.create(folder / ".venv", symlinks=True, with_pip=False)
    (library,) = (folder / ".venv").glob("lib/python*/site-packages")
    (library / "all.pth").write_text(sysconfig.get_path("purelib") + "\n")
    (folder / ".venv" / "share").symlink_to(pathlib.Path(sys.prefix) / "share")
    stamp = dict(setup_venv._wanted(folder), extras=["lab", "test"])
    setup_venv._write_stamp(folder / ".venv", stamp)
    with zipfile.ZipFile(folder / "handed-in.zip", "w") as handed_in:
        handed_in.writestr("Ada.ipynb", notebooks.dumps(sample.lesson()))
        copied = (folder / "notebooks" / "student" / sample.NAME).read_text(encoding="utf-8")
        handed_in.writestr(f"Bo/{sample.NAME}", copied)
        handed_in.writestr("Cy.ipynb", "not yet")


@pytest.mark.slow
@pytest.mark.skipif(
    not sys.platform.startswith("linux") or sandbox.problem() is not None,
    reason="bubblewrap makes no sandbox here: the commands for instructors are not run",
)
def test_the_commands_for_instructors_do_what_they_say(tmp_path):
    section = README.partition("## For instructors")[2].partition("\n## ")[0]
    (commands,) = re.findall(r"^```bash\n(.*?)^```", section, flags=re.M | re.S)
    assert len(commands.splitlines()) == 4
    folder = tmp_path / "a clone"
    folder.mkdir()
    week(folder)
    alone = ("VIRTUAL_ENV", "CONDA_PREFIX", "PYTHONPATH")
    env = {key: value for key, value in os.environ.items() if key not in alone}
    env["PATH"] = os.pathsep.join([str(folder / ".venv" / "bin"), env["PATH"]])
    ran = subprocess.run(
        ["bash", "-e", "-c", commands], cwd=folder, env=env, capture_output=True, text=True
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    handed_out = notebooks.read(folder / "for-students" / sample.NAME)
    assert "raise NotImplementedError" in sample.cell(handed_out, "ex-1-1").source
    with open(folder / "graded" / "grades.csv", encoding="utf-8", newline="") as file:
        rows = [(r["student"], r["exercise"], r["points"]) for r in csv.DictReader(file)]
    points = {"Ada": "3", "Bo": "0", "Cy": "0"}
    assert rows == [(s, f"1.{m}", points[s]) for s in points for m in (1, 2, 3)]
    with zipfile.ZipFile(folder / "give-back.zip") as give_back:
        assert {f"feedback/{s}.html" for s in points} <= set(give_back.namelist())


def stored_cell(path, name):
    """A cell of a notebook by its id."""
    cells = json.loads((ROOT / path).read_text("utf-8"))["cells"]
    return next(cell for cell in cells if cell["id"] == name)


def printed_by(cell):
    return "".join("".join(output.get("text", "")) for output in cell["outputs"])


def test_the_figure_is_the_one_that_the_notebook_stores():
    cell = stored_cell("notebooks/16_computing_influence.ipynb", "gallery-show")
    figure = next(o["data"]["image/png"] for o in cell["outputs"] if "image/png" in o["data"])
    assert base64.b64decode(figure) == (ROOT / ".github/gallery.png").read_bytes()


def test_what_is_said_below_the_figure_was_printed():
    caption = re.search(r"^\*Notebook 16: (.*?)\*$", README, flags=re.M | re.S)[1]
    printed = printed_by(stored_cell("notebooks/16_computing_influence.ipynb", "verdicts"))
    numbers = re.findall(r"\d\.\d+", caption)
    assert len(numbers) == 2 and all(number in printed for number in numbers)


def test_reproduced_numbers_were_printed_by_the_cells_that_are_named():
    section = README.partition("## What is reproduced")[2].partition("\n## ")[0]
    rows = [line.strip("|").split("|") for line in section.splitlines() if line.startswith("| ")]
    assert len(rows) >= 5  # two of them are the head
    for result, _, here, where in rows[2:]:
        path, name = re.search(r"\((notebooks/\S+)\), `(\S+)`", where).groups()
        numbers = re.findall(r"\d+\.\d+|\d+(?= %)", here)
        assert numbers, result
        for number in numbers:
            assert number in printed_by(stored_cell(path, name)), (result, number)


@pytest.mark.parametrize("path", sorted(ROOT.glob("notebooks/[0-9][0-9]_*.ipynb")))
def test_every_notebook_has_its_row_student_copy_first(path):
    contents = README.partition("## Contents")[2].partition("\n## ")[0]
    rows = [line for line in contents.splitlines() if line.startswith("|") and path.name in line]
    assert len(rows) == 1
    links = re.findall(r"\]\((notebooks/[^)]*)\)", rows[0])
    assert links[:2] == [f"notebooks/student/{path.name}", f"notebooks/{path.name}"]


def test_no_row_is_without_its_notebook():
    for link in re.findall(r"\]\((notebooks/[^)]*)\)", README):
        assert (ROOT / link).exists(), link


# --- the map of the course in notebook 00 ---------------------------------------------------------


def numbers_in(text):
    return [int(word) for word in re.findall(r"\d+", text)]


@pytest.fixture(scope="module")
def course_map():
    """What the cell of notebook 00 that holds the course's map defines."""
    known = {}
    exec("".join(stored_cell("notebooks/00_jax_warm_up.ipynb", "needs")["source"]), known)
    return known


def test_the_paths_of_notebook_00_are_the_three_that_are_promised_here(course_map):
    words = README.partition("**Three paths through the course.**")[2].partition("\n\n")[0]
    twelve, electives, six, alone = re.fullmatch(
        r"\s*\*Twelve weeks:\*(.*?); electives(.*?)\."
        r"\s*\*Six weeks to influence functions:\*(.*?)\.\s*\*Alone:\*(.*?)\.\s*",
        words,
        flags=re.S,
    ).groups()
    assert numbers_in(twelve) == course_map["TWELVE_WEEKS"]
    assert numbers_in(six) == course_map["SIX_WEEKS"]
    assert alone.strip() == "in order" and course_map["ALONE"] == sorted(course_map["NEEDS"])
    assert sorted([0, *numbers_in(twelve), *numbers_in(electives)]) == course_map["ALONE"]


def test_the_table_of_notebook_00_says_the_same_as_its_map_and_links_what_there_is(course_map):
    table = "".join(stored_cell("notebooks/00_jax_warm_up.ipynb", "h-map")["source"])
    rows = re.findall(r"^\| (\d+) \| (.+?) \| .+ \| ([\d, –]+) \|$", table, flags=re.M)
    assert {int(number): numbers_in(needs) for number, _, needs in rows} == course_map["NEEDS"]
    for number, title, _ in rows[1:]:  # the first is the notebook itself
        there = [path.name for path in ROOT.glob(f"notebooks/{int(number):02d}_*.ipynb")]
        assert re.findall(r"\]\((.+?)\)", title) == there, title
