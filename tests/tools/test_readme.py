"""What the README shows is executed, and what it pictures and counts is what the lessons store."""

import base64
import csv
import os
import pathlib
import re
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile

import notebook_rules
import numpy as np
import pytest
import sample_lesson as sample

from course_utils.cli import notebooks, setup_venv
from course_utils.cli.setup_venv import ROOT
from course_utils.instructors import sandbox

README = (ROOT / "README.md").read_text(encoding="utf-8")
REPRODUCED = (ROOT / ".github/REPRODUCED.md").read_text(encoding="utf-8")
PAGES = [
    "README.md",
    "CONTRIBUTING.md",
    ".github/SPEED.md",
    ".github/REPRODUCED.md",
    "notebooks/capstone.md",
    "notebooks/INSTRUCTORS.md",
    "notebooks/INSTRUCTORS-answers.md",
]
LESSONS = notebooks.solved()
LESSON_6 = "notebooks/06_second_order_optimization.ipynb"
LESSON_7 = "notebooks/07_adaptive_normalization_decay.ipynb"
LESSON_8 = "notebooks/08_infinite_width.ipynb"
LESSON_15 = "notebooks/15_influence_functions.ipynb"
LESSON_16 = "notebooks/16_computing_influence.ipynb"
LESSON_17 = "notebooks/17_when_influence_breaks.ipynb"
LESSON_18 = "notebooks/18_influence_applications.ipynb"


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
    text = "".join((ROOT / page).read_text(encoding="utf-8") for page in PAGES)
    jobs = set(re.findall(r"python3 -m course_utils (\w+)", text))
    assert {"lab", "test", "run", "release", "grade", "stamp"} <= jobs
    for job in jobs:
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
    alembic = pathlib.Path(sys.executable).with_name("alembic")  # nbgrader calls it by name
    (folder / ".venv" / "bin" / "alembic").symlink_to(alembic)
    stamp = dict(setup_venv._wanted(folder), extras=["lab", "test"])
    setup_venv._write_stamp(folder / ".venv", stamp)
    with zipfile.ZipFile(folder / "handed-in.zip", "w") as handed_in:
        copied = (folder / "notebooks" / "student" / sample.NAME).read_text(encoding="utf-8")
        answers = notebooks.reads(copied)
        for m in (1, 2, 3):
            answer = sample.cell(answers, f"ex-1-{m}")
            answer.source = answer.source.replace("raise NotImplementedError", f"return x + {m}")
        handed_in.writestr("Ada.ipynb", notebooks.dumps(answers))
        handed_in.writestr(f"Bo/{sample.NAME}", copied)
        handed_in.writestr("Cy.ipynb", copied)


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
    with open(folder / "grades" / "grades.csv", encoding="utf-8", newline="") as file:
        rows = [(r["student"], r["exercise"], r["points"]) for r in csv.DictReader(file)]
    points, name = {"Ada": "3", "Bo": "0", "Cy": "0"}, sample.NAME.removesuffix(".ipynb")
    assert rows == [(s, f"1.{m}", points[s]) for s in points for m in (1, 2, 3)]
    for table, column in (("totals", "student"), ("canvas", "Student")):
        with open(folder / "grades" / f"{table}.csv", encoding="utf-8", newline="") as file:
            rows = {row[column]: row[name] for row in csv.DictReader(file)}
        assert rows.pop("Points Possible", "9") == "9"
        assert rows == {"Ada": "9", "Bo": "0", "Cy": "0"}, table
    assert "1 of 3 with all 3 points" in (folder / "grades" / f"class-{name}.html").read_text()
    with zipfile.ZipFile(folder / "give-back.zip") as give_back:
        assert {f"feedback/{s}/{name}/{name}.html" for s in points} <= set(give_back.namelist())


def stored_cell(path, name):
    """A cell of a notebook by its id."""
    return sample.cell(notebooks.read(ROOT / path), name)


def printed_by(cell):
    """What a cell printed, tables and alternative texts included."""
    return "".join(
        output.get("text", output.get("data", {}).get("text/plain", "")) for output in cell.outputs
    )


def table_of(path, name):
    """The rows of the table that a cell shows, each as ``{column: text}``."""
    lines = printed_by(stored_cell(path, name)).splitlines()
    (rule,) = [i for i, line in enumerate(lines) if re.fullmatch("-[- ]+-", line)]
    parts = [slice(*match.span()) for match in re.finditer("-+", lines[rule])]
    split = lambda line: [line[part].strip() for part in parts]
    return [dict(zip(split(lines[rule - 1]), split(line))) for line in lines[rule + 1 :]]


def test_the_figure_is_the_one_that_the_notebook_stores():
    cell = stored_cell(LESSON_16, "gallery-show")
    figure = next(o["data"]["image/png"] for o in cell["outputs"] if "image/png" in o["data"])
    assert base64.b64decode(figure) == (ROOT / ".github/gallery.png").read_bytes()


def test_what_is_said_of_the_figure_is_what_the_notebook_says():
    alt = printed_by(stored_cell(LESSON_16, "gallery-show"))
    label, read_as = re.search(r"a (\d) read as a (\d)", alt).groups()
    helpful, harmful = (re.findall(r"\d", part) for part in re.findall(r"\[(.*?)\]", alt))
    caption = re.search(r"^\*Lesson 16: (.*?)\*$", README, flags=re.M | re.S)[1]
    assert caption.startswith(f"a {label} that the model reads as a {read_as}, and")
    assert helpful == [label] * 5 and harmful.count(label) == 2 and label == "3"
    assert caption.endswith("Of those that harm, two are threes.")
    described = re.search(r"!\[(.*?)\]\(.github/gallery.png\)", README)[1]
    assert described.startswith(f"A handwritten {label} that the model reads as a {read_as}.")
    assert sorted(harmful) == ["3", "3", "7", "7", "8"]
    assert "an 8, two threes and two sevens" in described
    fitted = stored_cell(LESSON_16, "misread-fit").source
    assert "data.split(*data.mnist_small(), 1500)" in fitted and "of 1,500 to learn" in caption


def verdict(way):
    """How well the scores of one solver foretell the refits, as lesson 16 shows it."""
    (row,) = [row for row in table_of(LESSON_16, "verdicts") if row["prediction"] == way]
    return (
        f"r {row['r']}, rank correlation {row['rank corr.']}, slope {row['slope']} "
        f"({row['slopes']}): all 1,437 points, means over five test images"
    )


def percent(cell, score):
    """What is harmful of the test images' own class by a score, mean over all splits."""
    (row,) = [row for row in table_of(LESSON_15, cell) if row["score"] == score]
    return f"{100 * float(row['harmful']):.0f}"


def own_class():
    cells = ("parts-splits-17", "parts-splits-table")
    for cell, digits in zip(cells, ("1s and 7s", "3s and 8s")):
        printed = printed_by(stored_cell(LESSON_15, cell))
        assert printed.startswith(f"{digits}, means over six splits\n")
    a, b = (percent(cell, "whole") for cell in cells)
    c, d = (percent(cell, "no Hessian, centred") for cell in cells)
    assert [percent(cell, "no Hessian") for cell in cells] == ["0", "0"]
    return (
        f"of the test image's own class {a} % (1 against 7) and {b} % (3 against 8), "
        "means over all test images of six splits; "
        "without the Hessian 0 %, since no pixel is negative "
        f"(with centred pixels {c} % and {d} %)"
    )


def press():
    printed = printed_by(stored_cell(LESSON_15, "classics-check"))
    one_fit, refits = re.match(r"PRESS / n ([\d.]+), by 442 refits ([\d.]+)\n", printed).groups()
    return f"{one_fit}, and by 442 refits {refits}"


def race():
    steps = {row["to 17.5 nats"]: row for row in table_of(LESSON_6, "race-table")}
    kfac = steps["K-FAC"]
    return (
        f"to 17.5 nats on digits {kfac['steps']} steps of {kfac['gradients a step']} gradients "
        f"each, where Adam takes {steps['Adam']['steps']}"
    )


def bits():
    return printed_by(stored_cell(LESSON_7, "avogadro")).splitlines()[1]


def labels():
    rows = table_of(LESSON_8, "labels-table")

    def steps(kind, column):
        numbers = [int(row[column]) for row in rows if row["targets"].endswith(kind)]
        assert len(numbers) == 3
        return f"{min(numbers)} to {max(numbers)}"

    said = [
        f"{kind} {steps(word, 'steps taken')}, predicted {steps(word, 'steps predicted')}"
        for kind, word in (("true labels", "true"), ("shuffled", "shuffled"))
    ]
    return f"steps to a mean squared error of 0.1: {said[0]}; {said[1]}"


def corner():
    rows = {row["t"]: row for row in table_of(LESSON_17, "fig3-table")}
    six = {row["estimate"]: row["correlation r"] for row in table_of(LESSON_17, "six-table")}
    r = ", ".join(f"{rows[t]['correlation r']} at t = {t}" for t in ("0", "0.001", "0.1"))
    size = rows["0"]["size, predicted / real"]
    spans = f"{six['(17.3), t = 0']} and {six['(17.3), t = 0.001']}"
    return (
        f"r {r}, where t = 0 foretells {size} times the size (94 removals); "
        f"over six splits {spans} at t = 0 and 0.001"
    )


def unfinished():
    (row,) = [r for r in table_of(LESSON_17, "refits-table") if r["refit"] == "warm, 300 steps"]
    return (
        f"r {row['r of (17.11)']}, slope {row['its slope']} (without the leverage "
        f"{row['slope of (17.7)']}), six seeds: a network of 610 weights trained for 300 further "
        "steps"
    )


def reasons():
    kernel, features = table_of(LESSON_18, "reasons-table")
    rank = next(head for head in kernel if head.startswith("rank correlation"))
    other = "most helpful is of the other class"
    assert kernel[other] == "0.00 to 0.00"
    return (
        f"rank correlation of size and distance {kernel[rank]} with a kernel on pixels, "
        f"{features[rank]} with features of a network; the most helpful image is of the other "
        f"class never, and for {features[other]} of the test images (3 against 8, five splits)"
    )


def attack():
    lines = printed_by(stored_cell(LESSON_18, "flips-white")).splitlines()[1:4]
    counts = np.array(
        [[int(n) for n in line.split("|")[0].split(";")[1].split()] for line in lines]
    )
    at_random = max(int(line.split("random:")[1]) for line in lines)
    plain = re.findall(r"turned: (\d+) of 20", printed_by(stored_cell(LESSON_18, "flips-plain")))
    least, most = counts.min(axis=0), counts.max(axis=0)
    one, two, five = (f"{a} to {b}" for a, b in zip(least, most))
    return (
        f"of 20 test images {one} with one image of 400, {two} with two, {five} with five, by 16 "
        f"levels of 255, through whitened features, three draws; random signs at most {at_random}; "
        f"without whitening {min(plain)} to {max(plain)} with five"
    )


def hospital():
    with_all, without = table_of(LESSON_18, "hospital-table")
    adults, wrong = "2,000 adults: right", "50 well children: wrong"
    printed = printed_by(stored_cell(LESSON_18, "front-common"))
    assert "ranks 1 to 4 are rows [3976, 3977, 3978, 3979] of 3980" in printed
    assert "feature 30: 4 of the four have it" in printed
    return (
        f"adults rightly read {with_all[adults]} and {without[adults]}, children wrongly "
        f"{with_all[wrong]} and {without[wrong]} of 50; the four children are ranks 1 to 4 of 3,980"
    )


def repair():
    rows = {row["labels"]: row["median"] for row in table_of(LESSON_18, "turn-table")}
    return (
        f"accuracy {rows['a tenth wrong']}, mended by the loss {rows['mended by loss']}, by "
        f"self-influence {rows['mended by self-influence']}, at random {rows['mended at random']} "
        "at λ = 0.001, medians of ten; at λ = 0.1 the loss finds more, and "
        f"{rows['a tenth wrong, but λ = 0.1']} comes without any mending"
    )


# How the column "here" of each row reads, with every number from its row and column of the cell.
HERE = {
    "Fig. 1": own_class,
    "Fig. 2, left": lambda: verdict("CG"),
    "Fig. 2, middle": lambda: verdict("LiSSA of the paper"),
    "Fig. 2, right": unfinished,
    "Fig. 3": corner,
    "Fig. 4": reasons,
    "Fig. 5": attack,
    "Fig. 6": repair,
    "Section 5.3": hospital,
    "Allen 1974": press,
    "Martens & Grosse 2015": race,
    "Li & Arora 2020": bits,
    "Arora et al. 2019": labels,
}


def test_reproduced_numbers_are_those_of_their_row_and_column():
    lines = [
        line.strip("|").split("|") for line in REPRODUCED.splitlines() if line.startswith("| ")
    ]
    assert len(lines[2:]) == len(HERE)  # two are the head
    for (result, _, here, where), (name, expected) in zip(lines[2:], HERE.items()):
        assert name in result
        assert here.strip() == expected()
        path, cell = re.search(r"\(\.\./(notebooks/\S+)\), `(\S+)`", where).groups()
        assert stored_cell(path, cell)["outputs"], name


def test_lissa_has_the_settings_that_are_named():
    assert "at scale 25, from the last iterates of ten chains of 5,000 steps" in REPRODUCED
    settings = "scale=25.0, recursion_depth=5000, num_samples=10, average=0.0"
    assert settings in stored_cell(LESSON_16, "ways").source


@pytest.mark.parametrize("page", PAGES[2:])  # of the other two test_notebooks.py does
def test_links_lead_somewhere_in(page):
    path = ROOT / page
    assert notebook_rules.link_problems(path.read_text(encoding="utf-8"), path, ROOT) == []


def opening(path):
    """Minutes of the core and number of exercises, as a lesson's **Time** says them."""
    text = notebook_rules.opening(notebook_rules.Lesson(path, ROOT))
    return [int(n) for n in re.search(r"\*\*Time\*\* (\d+) minutes, (\d+) exer", text).groups()]


def test_the_first_screen_counts_what_there_is():
    minutes, exercises = np.sum([opening(path) for path in LESSONS], axis=0)
    assert len(LESSONS) == 21, "then the words below change, too"
    start = README[: README.index("![")]
    assert f"Twenty-one lessons with {exercises} graded exercises: nineteen weeks" in start
    assert f"about {round(minutes / 60)} hours" in start


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_the_minutes_of_a_row_are_those_that_its_lesson_says(path):
    (row,) = [line for line in README.splitlines() if line.startswith("|") and path.name in line]
    assert int(row.split("|")[4]) == opening(path)[0]


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_every_notebook_has_its_row_student_copy_first(path):
    contents = README.partition("## Contents")[2].partition("\n## ")[0]
    rows = [line for line in contents.splitlines() if line.startswith("|") and path.name in line]
    assert len(rows) == 1
    links = re.findall(r"\]\((notebooks/[^)]*)\)", rows[0])
    assert links[:2] == [f"notebooks/student/{path.name}", f"notebooks/{path.name}"]


def test_no_row_is_without_its_notebook():
    for link in re.findall(r"\]\((notebooks/[^)]*)\)", README):
        assert (ROOT / link).exists(), link


# --- the whole course --------------------------------------------------------


def numbers_in(text):
    return [int(word) for word in re.findall(r"\d+", text)]


def needs():
    """What each lesson needs of the others, from the last column of its row."""
    rows = re.findall(r"^\| (\d+) \|.*\| ([^|]*) \|$", README, flags=re.M)
    return {int(number): numbers_in(words) for number, words in rows}


def test_all_21_lessons_have_a_row_and_need_only_earlier_ones():
    assert sorted(needs()) == list(range(21))
    assert all(earlier < number for number, them in needs().items() for earlier in them)
    assert [int(path.name[:2]) for path in LESSONS] == list(range(21))


def test_a_path_through_the_course_leaves_out_no_lesson_that_it_needs():
    words = README.partition("**Three paths through the whole course.**")[2].partition("\n\n")[0]
    twelve, before, electives, six, alone = re.fullmatch(
        r"\s*\*Twelve weeks:\*(.*?)in one week, and(.*?)before\s+they begin; electives(.*?)\."
        r"\s*\*Six weeks to influence functions:\*(.*?)\."
        r"\s*\*Alone:\*(.*?)\.\s*",
        words,
        flags=re.S,
    ).groups()
    twelve, before, electives, six = map(numbers_in, (twelve, before, electives, six))
    left_out = lambda path: sorted({need for n in path for need in needs()[n]} - set(path))
    assert left_out(twelve) == before and left_out(six) == []
    assert sorted(before + twelve + electives) == list(range(21))
    assert twelve == sorted(twelve) and six == sorted(six) and alone.strip() == "in order"
