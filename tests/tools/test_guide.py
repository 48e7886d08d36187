"""The instructor's guide names what the lessons have, and its hours are sums of their minutes."""

import re
from functools import cache
from types import SimpleNamespace

import notebook_rules as rules
import pytest
from nbconvert import HTMLExporter
from nbformat import v4

from course_utils.cli import links, notebooks
from course_utils.cli.setup_venv import ROOT
from course_utils.instructors import problem_sets

GUIDE = (ROOT / "notebooks/INSTRUCTORS.md").read_text(encoding="utf-8")
README = (ROOT / "README.md").read_text(encoding="utf-8")
CAPSTONE = (ROOT / "notebooks/capstone.md").read_text(encoding="utf-8")
LESSONS = {int(path.name[:2]): rules.Lesson(path, ROOT) for path in notebooks.solved()}
PLANS = ("Twelve weeks", "Six weeks")
WORK_IN_A_LAB = 75  # of its 90
LECTURE, LAB, READING = 90, 90, 60  # minutes
PROJECT = 30  # hours
HANDED_OUT = "handed out after the lab"
SEEDS = [b"a seed for the guide %d" % k for k in range(4)]


def section(title):
    return GUIDE.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def table(text):
    """The rows of the only table in ``text``, each as ``{head: cell}``."""
    lines = [line.strip("|") for line in text.splitlines() if line.startswith("|")]
    heads, _, *rows = [[cell.strip() for cell in line.split("|")] for line in lines]
    assert all(len(row) == len(heads) for row in rows)
    return [dict(zip(heads, row)) for row in rows]


def numbers(text):
    """The sections or exercises that ``text`` names, such as ``"3.10"``."""
    return re.findall(r"\d+\.\d+", text)


ROWS = {
    int(re.match(r"\[(\d+) ", row["lesson"])[1]): row
    for row in table(section("A week for each lesson"))
}


def core_minutes(lesson):
    return int(re.search(r"\*\*Time\*\* (\d+) minutes", rules.opening(lesson))[1])


def parts(lesson, cells=None):
    """The cells of each section, of the core or of all, with positions: ``{"3.10": ...}``."""
    found, name = {}, None
    for i, cell in cells or rules.core(lesson):
        if cell.cell_type == "markdown":
            for heading in re.findall(r"^#{2,3} (.*)", cell.source, re.M):
                name = next(iter(numbers(heading)[:1]), None)
        found.setdefault(name, []).append((i, cell))
    return found


def in_words(lesson):
    """Section and minutes of the answer in words."""
    for name, cells in parts(lesson).items():
        for _, cell in cells:
            asked = re.search(r"^#### In words.*\(core, (\d+) minutes\)$", cell.source, re.M)
            if asked and cell.cell_type == "markdown":
                return name, int(asked[1])


def extras(lesson):
    """Minutes of the exercises under Extra: ``{"3.3": 10}``."""
    text = "\n".join(cell.source for _, cell in lesson.prose)
    found = re.findall(r"^#### Exercise (\d+\.\d+).*\(extra, (\d+) minutes\)$", text, re.M)
    return {name: int(minutes) for name, minutes in found}


def test_every_lesson_has_its_row_by_its_title_in_the_contents():
    titles = dict(re.findall(r"^\| (\d+) \| ([^<]*)<br>", README, flags=re.M))
    assert list(ROWS) == list(LESSONS) == [int(number) for number in titles]
    for number, row in ROWS.items():
        name = LESSONS[number].path.name
        assert row["lesson"] == f"[{number} {titles[str(number)]}]({name})"


@pytest.mark.parametrize("number", ROWS)
def test_what_is_read_stands_among_the_sources_of_its_lesson(number):
    (target,) = links.targets(ROWS[number]["reading"])
    (sources,) = [c.source for _, c in LESSONS[number].prose if "**Sources" in c.source]
    assert target in links.targets(sources.partition("**Sources")[2])


@pytest.mark.parametrize("number", ROWS)
def test_what_the_lecture_shows_is_a_figure_of_its_section(number):
    shown = numbers(ROWS[number]["lecture"].partition("Show ")[2])
    assert shown
    for name in shown:
        cells = parts(LESSONS[number])[name]
        assert any(any(rules.pictures(c)) for _, c in cells if c.cell_type == "code"), name


@pytest.mark.parametrize("number", ROWS)
def test_what_is_left_out_of_a_lab_leaves_time_and_no_exercise_in_code(number):
    lesson, names = LESSONS[number], numbers(ROWS[number]["sections left out of the lab"])
    cells = [cell for name in names for cell in parts(lesson)[name]]
    assert not [c.id for _, c in cells if c.cell_type == "code" and c.metadata.get("nbgrader")]
    where, words = in_words(lesson)
    spared = rules.minutes_of_core(SimpleNamespace(cells=cells)) + words * (where not in names)
    assert core_minutes(lesson) - spared <= WORK_IN_A_LAB


@pytest.mark.parametrize("number", ROWS)
def test_homework_is_what_the_lesson_has_under_extra(number):
    asked = numbers(ROWS[number]["exercises under Extra"])
    assert asked and set(asked) <= set(extras(LESSONS[number]))


def weeks(plan):
    return table(section(plan))


def lessons_of(week):
    """The lessons of a week, and of those the ones that are done at home."""
    alone = {int(n) for n in re.findall(r"(\d+) at home", week["lessons"])}
    return [int(n) for n in re.findall(r"\d+", week["lessons"])], alone


def sets_of(plan):
    """Each problem set of a plan: the rows where it is handed out and due, what is left out."""
    given, due = {}, {}
    for i, week in enumerate(weeks(plan)):
        for name, out in re.findall(r"\*(\w+)\*((?: without [^*|]*)?)", week[HANDED_OUT]):
            given[name] = i, set(re.findall(r"[A-Z]\.\d+", out))
        for name in re.findall(r"\*(\w+)\*", week["due"]):
            due[name] = i
    assert given.keys() == due.keys()
    return {name: (given[name][0], due[name], given[name][1]) for name in given}


@cache
def exercises(name):
    """The minutes of each exercise of a problem set, and the lessons that its task names."""
    module, found = problem_sets.module_of(name), {}
    for seed in SEEDS:
        for one in module.exercises(seed):
            named = re.findall(r"[Nn]otebook (\d+)|[Ss]ections? (\d+)\.\d", one.task)
            minutes, lessons = found.setdefault(one.name, (one.minutes, set()))
            assert minutes == one.minutes
            lessons |= {int(a or b) for a, b in named}
    return found


def minutes_of(plan):
    """What a student spends in each week, from the minutes that the lessons state."""
    found = []
    for week in weeks(plan):
        lessons, alone = lessons_of(week)
        in_class = [n for n in lessons if n not in alone]
        assert len(in_class) == week["week"].isdigit()  # none before the first week and after
        minutes = sum(core_minutes(LESSONS[n]) for n in alone)
        for number in in_class:
            asked = numbers(ROWS[number]["exercises under Extra"])
            minutes += LECTURE + LAB + READING + core_minutes(LESSONS[number]) - WORK_IN_A_LAB
            minutes += 2 * sum(extras(LESSONS[number])[name] for name in asked)
        found.append(minutes)
    for name, (given, due, out) in sets_of(plan).items():
        spent = sum(m for one, (m, _) in exercises(name).items() if one not in out)
        for i in range(given + 1, due + 1):
            found[i] += spent / (due - given)
    return found


@pytest.mark.parametrize("plan", PLANS)
def test_hours_are_sums_of_the_lessons_minutes(plan):
    minutes = minutes_of(plan)
    told = [float(week["hours"]) for week in weeks(plan)]
    assert told == [round(2 * m / 60) / 2 for m in minutes]
    (total,) = re.findall(r"Together (\d+) hours", section(plan))
    assert int(total) == round(sum(minutes) / 60)
    project = re.findall(r"; some (\d+) with the \[project\]", section(plan))
    assert project in ([], [str(round(sum(minutes[:-1]) / 60) + PROJECT)])


@pytest.mark.parametrize("plan", PLANS)
def test_a_set_is_handed_out_after_its_lessons_and_due_two_weeks_later(plan):
    taught = [set(lessons_of(week)[0]) for week in weeks(plan)]
    for name, (given, due, out) in sets_of(plan).items():
        covered = {int(lesson[:2]) for lesson in problem_sets.module_of(name).LESSONS}
        assert due == min(given + 2, len(taught) - 1)
        assert covered & taught[given] and not covered & set().union(*taught[given + 1 :])
        never = covered - set().union(*taught)
        assert out == {one for one, (_, lessons) in exercises(name).items() if lessons & never}


def test_the_plans_hold_what_the_readme_says_and_no_lesson_is_forgotten():
    words = README.partition("**Three paths through the whole course.**")[2].partition("\n\n")[0]
    of_readme = dict(re.findall(r"\*(\w+ weeks)[^*]*:\*(.*?)\.(?=\s|$)", words, flags=re.S))
    for plan in PLANS:
        held = [n for week in weeks(plan) for n in lessons_of(week)[0]]
        named = [int(n) for n in re.findall(r"\d+", of_readme[plan].partition("electives")[0])]
        assert sorted(held) == sorted(named) == sorted(set(held))
    (electives,) = re.findall(r"Electives, for .*?: ([\d,\s]+)\.", section(PLANS[0]), flags=re.S)
    twelve = [n for week in weeks(PLANS[0]) for n in lessons_of(week)[0]]
    assert sorted(twelve + [int(n) for n in re.findall(r"\d+", electives)]) == list(LESSONS)
    (out,) = re.findall(r"Not in this plan: lessons (.*)\.", section(PLANS[1]))
    out = re.sub(
        r"(\d+) to (\d+)", lambda m: " ".join(map(str, range(int(m[1]), int(m[2]) + 1))), out
    )
    six = [n for week in weeks(PLANS[1]) for n in lessons_of(week)[0]]
    assert sorted(six + [int(n) for n in re.findall(r"\d+", out)]) == list(LESSONS)


def test_no_lesson_is_taught_before_one_that_it_needs():
    needs = {
        int(number): {int(n) for n in re.findall(r"\d+", words)}
        for number, words in re.findall(r"^\| (\d+) \|.*\| ([^|]*) \|$", README, flags=re.M)
    }
    for plan in PLANS:
        taught = set()
        for week in weeks(plan):
            for number in lessons_of(week)[0]:
                taught.add(number)
                assert needs[number] <= taught, f"{plan}: {number}"


def points(lesson):
    return sum(
        cell.metadata["nbgrader"]["points"]
        for cell in lesson.nb.cells
        if cell.metadata.get("nbgrader", {}).get("grade")
    )


def test_numbers_in_its_sentences_are_those_of_the_lessons():
    assert rules.number_problems(GUIDE, ROOT) == []
    longest = max(core_minutes(lesson) for lesson in LESSONS.values())
    assert f"twenty-one lessons of at most {longest} minutes" in GUIDE and len(LESSONS) == 21
    each = [points(lesson) for lesson in LESSONS.values()]
    assert f"A lesson has {min(each)} to {max(each)} points, two of them" in GUIDE
    for lesson in LESSONS.values():
        (written,) = [
            cell.metadata["nbgrader"]["points"]
            for _, cell in lesson.prose
            if cell.metadata.get("nbgrader", {}).get("grade")
        ]
        assert written == 2
    assert "some thirty hours are meant" in CAPSTONE.replace("\n", " ") and PROJECT == 30


def test_what_it_says_of_the_problem_sets_is_what_is_drawn():
    sums = []
    for name in problem_sets.SETS:
        drawn = problem_sets.module_of(name).exercises(SEEDS[0])
        assert sum(bool(one.rubric) for one in drawn) == 2, name
        sums.append(sum(one.points for one in drawn))
    assert len(sums) == 3 and "with two answers in words each" in GUIDE
    assert f"three problem sets of {min(sums)} to {max(sums)} points" in GUIDE


def test_what_it_says_of_colab_is_what_is_tested_for_it():
    pins = (ROOT / "tests/tools/colab-constraints.txt").read_text(encoding="utf-8")
    version = re.search(r"^jax==(\S+)", pins, re.M)[1]
    python = re.search(r"Python (\d+\.\d+)", pins)[1]
    assert f"JAX {version} on Python {python}" in GUIDE


def test_pictures_that_show_a_sign_by_colour_alone_are_those_named():
    signed = re.compile(r"RdBu_r|LinearSegmentedColormap")
    found = [
        name
        for lesson in LESSONS.values()
        for name, cells in parts(lesson, lesson.cells).items()
        if any(signed.search(cell.source) for _, cell in cells if cell.cell_type == "code")
    ]
    (told,) = re.findall(r"Pictures of signed .*?, in sections (.*?),? show the sign", GUIDE, re.S)
    assert numbers(told) == found


@pytest.mark.parametrize("template, kept", [("lab", False), ("classic", True)])
def test_nbconvert_keeps_alternative_texts_in_the_template_that_is_named(template, kept):
    shown = v4.new_output(
        "display_data", data={"image/png": "AAAA"}, metadata={"image/png": {"alt": "A line."}}
    )
    nb = v4.new_notebook(cells=[v4.new_code_cell("", outputs=[shown])])
    page, _ = HTMLExporter(template_name=template).from_notebook_node(nb)
    assert ('alt="A line."' in page) == kept


def test_the_guide_is_linked_from_the_readme_and_from_no_student_copy():
    assert README.count("(notebooks/INSTRUCTORS.md)") >= 2
    for path in (ROOT / "notebooks/student").glob("*.ipynb"):
        assert "INSTRUCTORS" not in path.read_text(encoding="utf-8"), path
