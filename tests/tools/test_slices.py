"""The frames of a lesson's sliders need a part of its code, and show what the whole shows."""

import os
import re
import shutil
import subprocess
import sys

import nbformat
import pytest
from small_notebooks import code, notebook
from turns import turn

from course_utils.cli import notebooks, run
from course_utils.site import frames, run_lessons, slices

EXPLORER = """\
widgets.Explorer(
    lambda fig, k: fig.text(0.1, 0.5, f"{height(k):.2f}"),
    alt="A number.",
    says=lambda k: f"{height(k):.2f}",
    figsize=(2, 1),
    k=widgets.slider(1, 3, start=2, label="k"),
)"""
SETUP = "import numpy as np\nfrom course_utils import plotting, widgets"

SLICES = {  # a cell before the Explorer's, and what is left of it
    "what nothing uses": ("a = 1\nheight = abs", "height = abs"),
    "the last value wins": ("height = 1\nheight = abs", "height = abs"),
    "what a value is made of": (
        "a = 1\nb = a\na = 3\nheight = b.__add__",
        "a = 1\nb = a\nheight = b.__add__",
    ),
    "what a function uses when it is called": (
        "def height(k):\n    return a * k\nb = 2\na = 2",
        "def height(k):\n    return a * k\na = 2",
    ),
    "a function's own names": (
        "k = q = 5\ndef height(k):\n    q = k\n    return q",
        "def height(k):\n    q = k\n    return q",
    ),
    "a branch may leave the value": ("height = abs\nif 1 > 2:\n    height = len", "all"),
    "a loop's own names": (
        "i = 5\nfor i in range(3):\n    height = i.__add__",
        "for i in range(3):\n    height = i.__add__",
    ),
    "what a loop goes on with": (
        "a = b = 0\nfor i in range(3):\n    a = a + i\n    b += i\nheight = (a + b).__add__",
        "all",
    ),
    "changes in place": ("a = [1]\na.append(2)\na[0] = 3\na += [4]\nheight = a.index", "all"),
    "a comprehension runs at once": ("a = 1\nheight = [a for b in '12'].index\na = 2", "but one"),
    "each draw moves a generator on": (
        "draw = np.random.default_rng(0)\na = draw.normal()\nheight = draw.normal().__mul__",
        "all",
    ),
    "a comprehension's own names": (
        "a = 5\nb = [0 for a in '12']\nheight = a.__add__",
        "a = 5\nheight = a.__add__",
    ),
    "what a function that is passed on uses in the end": (
        "def f(k):\n    return a * k\na = 2\nheight = abs and f\na = 3",
        "all",
    ),
    "modules stay as they are": ("np.ones(3)\nplotting.show(3)\nheight = abs", "height = abs"),
    "imports stay": ("import json\nheight = abs", "all"),
    "magics": ("%matplotlib inline\nheight = abs", "height = abs"),
}


@pytest.mark.parametrize("name", SLICES)
def test_a_slice_holds_what_the_explorer_needs(name):
    source, left = SLICES[name]
    nb = notebook(code(SETUP, "setup"), code(source, "cell"), code(EXPLORER, "explore"))
    setup, cell, explorer = slices.slice_of(nb).cells
    assert setup.source == SETUP and explorer.source.startswith("widgets.Explorer(")
    expected = {"all": source, "but one": source.rpartition("\n")[0]}.get(left, left)
    assert cell.source == expected and nb.cells[1].source == source


def small_lesson(folder, *sources):
    """A lesson of which one figure has a slider, with its outputs stored."""
    path = folder / "01_small.ipynb"
    cells = [code(source, f"cell-{i}") for i, source in enumerate(sources)]
    nb = notebook(code(SETUP, "setup"), *cells, code(EXPLORER, "explore"))
    path.write_text(nbformat.writes(nb))
    run.refresh(path)
    return path


def test_the_part_that_frames_need_is_run_alone(tmp_path):
    path = small_lesson(tmp_path, "open('ran', 'w')\nscale = 2.0\nheight = scale.__mul__")
    (tmp_path / "ran").unlink()
    kept = tmp_path / ".cache/frames"
    for name in ("01-0123456789abcdef", "02-0123456789abcdef"):  # older ones, another lesson's
        (kept / name).mkdir(parents=True)
    assert run_lessons.run(path, tmp_path) == ""
    assert not (tmp_path / "ran").exists()
    told = frames.read_frames(path, tmp_path)["explore"]["frames"]
    assert [said for _, said in told.values()] == ["2.00", "4.00", "6.00"]
    mine = frames.folder_of_frames(path, tmp_path).name
    assert {folder.name for folder in kept.iterdir()} == {mine, "02-0123456789abcdef"}


LACKING = {  # cells before the Explorer's whose slice is not enough, and how it shows
    "it shows something else": (
        [
            "scales = [1.0]",
            "also = scales",
            "also.append(5.0)",
            "height = lambda k: scales[-1] * k",
        ],
        "another picture in explore",
    ),
    "it raises": (
        ["globals()['scale'] = 5.0", "height = lambda k: scale * k"],
        "NameError: name 'scale' is not defined",
    ),
    "it leaves": (
        ["scale = 0", "globals()['scale'] = 5.0", "height = (scale or exit(5)).__mul__"],
        "SystemExit: 5",
    ),
}


@pytest.mark.parametrize("name", LACKING)
def test_where_the_part_is_not_enough_the_whole_is_run(name, tmp_path):
    sources, lacking = LACKING[name]
    path = small_lesson(tmp_path, *sources)
    assert run_lessons.run(path, tmp_path) == lacking
    told = frames.read_frames(path, tmp_path)["explore"]["frames"]
    assert [said for _, said in told.values()] == ["5.00", "10.00", "15.00"]


def test_a_notebook_that_raises_leaves_nothing_behind(tmp_path):
    path = small_lesson(tmp_path, "height = abs")
    path.write_text(path.read_text().replace("height = abs", "height = 1 / 0"))
    with pytest.raises(run.RunError, match="ZeroDivisionError"):
        run_lessons.run(path, tmp_path)
    assert not list((tmp_path / ".cache/frames").iterdir())


def run_apart(*arguments):
    command = [sys.executable, "-m", "course_utils.site.run_lessons", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True)


def test_lessons_are_run_and_named(tmp_path):
    first = small_lesson(tmp_path, "height = abs")
    paths = [first, *(first.with_stem(f"0{number}_small") for number in (2, 3))]
    for path in paths[1:]:
        shutil.copy(first, path)
    done = run_apart(tmp_path, *paths)
    said = [re.sub(r"\d+ s$", "0 s", line) for line in done.stdout.splitlines()]
    assert sorted(said) == [f"  {path.name}: 0 s" for path in paths]
    assert not done.stderr and not done.returncode
    assert all(frames.read_frames(path, tmp_path) for path in paths)


FAILING = {
    "1 / 0": r"01_small.ipynb: cell 2 \(cell-0: .*\): ZeroDivisionError: division by zero",
    "import os; height = os.kill(os.getpid(), 9)": "01_small.ipynb: its process ended with -9",
    "import os; height = os._exit(5)": "01_small.ipynb: its process ended with 5",
}


@pytest.mark.skipif(os.name != "posix", reason="sends a signal")
@pytest.mark.parametrize("source", FAILING)
def test_a_lesson_that_cannot_be_run_is_named_and_others_are_not_begun(source, tmp_path):
    path = small_lesson(tmp_path, "height = abs")
    path.write_text(path.read_text().replace("height = abs", source))
    done = run_apart(tmp_path, *[path] * 6)
    assert done.returncode == 1 and not done.stdout
    lines = done.stderr.splitlines()
    assert 1 <= len(lines) <= 4
    for line in lines:
        assert re.fullmatch(FAILING[source], line)


@pytest.mark.slow
@pytest.mark.parametrize("path", turn(notebooks.solved(), 1), ids=lambda path: path.stem)
def test_a_lessons_frames_are_those_of_the_whole_notebook(path, tmp_path):
    done = run_apart(tmp_path, path)
    assert done.returncode == 0 and ", the whole notebook" not in done.stdout
    part = frames.folder_of_frames(path, tmp_path)
    run_lessons.run_whole(notebooks.read(path), path, tmp_path / "whole")
    files = sorted(file.relative_to(part) for file in part.rglob("*.*"))
    assert len(files) > 4
    for file in files:
        assert (part / file).read_bytes() == (tmp_path / "whole" / file).read_bytes()
