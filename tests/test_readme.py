"""What the README shows is executed, and what it pictures is what the notebook stores."""

import base64
import json
import pathlib
import re
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parent.parent
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
    assert {"lab", "test", "release", "stamp"} <= set(jobs)
    for job in set(jobs):
        ran = subprocess.run(
            [sys.executable, "-m", "course_utils", job, "--help"], capture_output=True, cwd=ROOT
        )
        assert ran.returncode == 0 and ran.stdout, job


def test_the_figure_is_the_one_that_the_notebook_stores():
    notebook = json.loads((ROOT / "notebooks/01_linear_regression.ipynb").read_text("utf-8"))
    (cell,) = (c for c in notebook["cells"] if c["id"] == "diabetes-plot")
    (figure,) = (o["data"]["image/png"] for o in cell["outputs"] if "image/png" in o["data"])
    assert base64.b64decode(figure) == (ROOT / ".github/diabetes.png").read_bytes()


@pytest.mark.parametrize("path", sorted(ROOT.glob("notebooks/[0-9][0-9]_*.ipynb")))
def test_every_notebook_has_its_row_student_copy_first(path):
    rows = [line for line in README.splitlines() if line.startswith("|") and path.name in line]
    assert len(rows) == 1
    links = re.findall(r"\]\((notebooks/[^)]*)\)", rows[0])
    assert links[:2] == [f"notebooks/student/{path.name}", f"notebooks/{path.name}"]


def test_no_row_is_without_its_notebook():
    for link in re.findall(r"\]\((notebooks/[^)]*)\)", README):
        assert (ROOT / link).exists(), link
