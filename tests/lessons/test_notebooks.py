"""Every notebook keeps every rule, and every rule catches what it is there for."""

import re
import subprocess
import sys

import nbformat
import notebook_rules as rules
import pytest
import sample_lesson as sample

from course_utils.cli import notebooks, release
from course_utils.cli.setup_venv import ROOT

SOLVED = notebooks.solved()
MARKDOWN = [path for path in (ROOT / "README.md", ROOT / "CONTRIBUTING.md") if path.exists()]


def test_there_is_a_notebook():
    assert SOLVED, "a pattern that finds nothing would let every test below pass"


def test_every_file_among_the_notebooks_has_a_name_that_tests_find():
    strays = {p.name for p in (ROOT / "notebooks").glob("*.ipynb")} - {p.name for p in SOLVED}
    assert not strays
    assert [p.name for p in SOLVED if not notebooks.NAME.fullmatch(p.name)] == []
    numbers = [p.name[:2] for p in SOLVED]
    assert len(set(numbers)) == len(numbers), "a number names one notebook"


@pytest.mark.parametrize("rule", rules.RULES.values(), ids=rules.RULES)
@pytest.mark.parametrize("path", SOLVED, ids=lambda path: path.stem)
def test_a_notebook(path, rule):
    found = rule(rules.Lesson(path, ROOT))
    assert not found, "\n".join(["", *found])


@pytest.mark.parametrize("path", MARKDOWN, ids=lambda path: path.name)
def test_links_lead_somewhere_in(path):
    found = rules.link_problems(path.read_text(encoding="utf-8"), path, ROOT)
    assert not found, "\n".join(["", *found])


@pytest.mark.parametrize("path", SOLVED, ids=lambda path: path.stem)
def test_links_lead_somewhere_in_the_student_copy_of(path):
    path = path.parent / "student" / path.name
    found = [
        rules.says(i, cell, problem)
        for i, cell in enumerate(notebooks.read(path).cells, 1)
        if cell.cell_type == "markdown"
        for problem in rules.link_problems(cell.source, path, ROOT)
    ]
    assert not found, "\n".join(["", *found])


SETS = sorted((ROOT / "course_utils/instructors/problem_sets").glob("*/*.j2"))


@pytest.mark.parametrize("path", SETS, ids=lambda path: path.stem)
def test_a_problem_set_names_numbers_that_exist(path):
    text = path.read_text(encoding="utf-8")
    assert rules.number_problems(text, ROOT) == [], path.name


def test_there_are_problem_sets_to_test():
    assert any("(4.7) of notebook 4" in path.read_text(encoding="utf-8") for path in SETS)


def test_every_student_copy_has_its_solved_notebook():
    copies = {path.name for path in (ROOT / "notebooks" / "student").glob("*.ipynb")}
    assert copies - {path.name for path in SOLVED} == set()


@pytest.mark.parametrize("job", [["check"], ["format", "--check"]], ids=lambda job: job[0])
def test_ruff_finds_nothing_in_code_tests_and_notebooks(job):
    done = subprocess.run(
        [sys.executable, "-m", "ruff", *job, "--no-cache", "--quiet", str(ROOT)],
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    assert done.returncode == 0, "\n" + done.stdout + done.stderr


# --- the rules themselves -------------------------------------------------------------------------


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A repository with one good lesson."""
    root = tmp_path_factory.mktemp("clone")
    sample.clone(root, complete=True)
    return root


@pytest.mark.parametrize("rule", rules.RULES.values(), ids=rules.RULES)
def test_the_sample_lesson_keeps_the_rule_that_it(rule, home):
    assert rule(rules.Lesson(home / "notebooks" / sample.NAME, home)) == []


def put(id, old, new, count=-1):
    """Replace text in a cell."""

    def spoil(nb):
        cell = sample.cell(nb, id)
        assert old in cell.source, "otherwise nothing would be spoilt"
        cell.source = cell.source.replace(old, new, count)

    return spoil


def drop(id):
    return lambda nb: nb.cells.remove(sample.cell(nb, id))


def tag(id, *tags):
    return lambda nb: sample.cell(nb, id).metadata.update(tags=list(tags))


def told(id, **more):
    return lambda nb: sample.cell(nb, id).metadata.nbgrader.update(more)


def outputs(id, *new):
    return lambda nb: sample.cell(nb, id).update(outputs=list(new))


def insert(cell, before):
    return lambda nb: nb.cells.insert(nb.cells.index(sample.cell(nb, before)), cell)


def move(id, before):
    def spoil(nb):
        cell = sample.cell(nb, id)
        nb.cells.remove(cell)
        nb.cells.insert(nb.cells.index(sample.cell(nb, before)), cell)

    return spoil


def many_exercises_less(nb):
    for m in (2, 3):
        for id in (f"task-{m}", f"ex-1-{m}", f"ex-1-{m}-check", f"reflect-{m}"):
            drop(id)(nb)


def last_part_first(nb):
    cell = sample.cell(nb, "ending")
    body, sources = cell.source.split("**Sources.**")
    cell.source = "**Sources.**" + sources + "\n\n" + body


error = nbformat.v4.new_output("error", ename="ValueError", evalue="no", traceback=[])
warning = nbformat.v4.new_output("stream", name="stderr", text="a warning")
more_code = [sample.code(f"x = {k}", f"more-{k}") for k in range(2)]
three_figures = [sample.code(sample.FIGURE, f"figure-{k}") for k in range(2)]
LONG = 9 * "x = 1\n"
SPOILT = {
    "is_a_valid_notebook": [
        (lambda nb: sample.cell(nb, "read").update(outputs=[]), "nbformat: Additional properties"),
        (lambda nb: sample.cell(nb, "read").update(id="slope"), "several cells have the id slope"),
    ],
    "is_in_stored_form": [
        (lambda nb: nb.metadata.kernelspec.update(name="mine"), "it is not in stored form, first"),
        (lambda nb: nb.metadata.update(widgets={}), "it is not in stored form"),
        (lambda nb: sample.cell(nb, "slope").update(execution_count=99), "not in stored form"),
        (lambda nb: sample.cell(nb, "slope").metadata.update(execution={"a": 1}), "stored form"),
    ],
    "has_outputs_of_its_present_code": [
        (put("slope", "{1:.2f}", "{2:.2f}"), "its code changed since its outputs were stored"),
        (lambda nb: nb.metadata.pop("course"), "its outputs were never stored"),
    ],
    "is_small": [
        (outputs("slope", sample.printed("a long story " * 70_000)), "800,000 are the limit")
    ],
    "has_little_code": [
        (put("slope", "print", 700 * "x = 1\n" + "print"), "lines of code; 700 are the limit"),
        (
            lambda nb: [
                sample.cell(nb, id).update(source=LONG)
                for id in ("slope", "figure", "more", "summary", *(f"predict-{k}" for k in "123"))
            ],
            "lines; 8 is the limit",
        ),
        (
            lambda nb: [
                sample.cell(nb, id).update(source=3 * LONG)
                for id in ("slope", "figure", "more", "setup")
            ],
            "4 code cells have more than 20 lines; 3 may: setup (27)",
        ),
    ],
    "has_every_code_cell_executed": [
        (lambda nb: sample.cell(nb, "slope").update(execution_count=None), "(slope: print(f'slope"),
        (put("slope", "print(f'slope {1:.2f}')", " \n"), "is empty"),
    ],
    "stores_neither_errors_nor_stderr": [
        (outputs("slope", error), "(slope: print(f'slope {1:.2f}')) stores ValueError"),
        (outputs("slope", warning), "stores stderr"),
    ],
    "stores_no_path_of_a_machine": [
        (
            outputs("slope", sample.printed("saved to /home/jane/x.npz")),
            "the path /home/jane/x.npz",
        ),
    ],
    "has_a_text_alternative_for_every_picture": [
        (
            outputs("figure", sample.figure("")),
            "(figure: fig, ax = plt.subplots()) shows a picture",
        ),
        (outputs("figure", sample.figure("A line.")), "whose alt text is 'A line.'"),
        (put("read", "It rises.", "![](../README.md)"), "without text between its brackets"),
        (put("read", "It rises.", '<img src="a.png">'), "without text between its brackets"),
    ],
    "has_known_tags": [
        (tag("slope", "nbval-skip"), "has an unknown tag 'nbval-skip'"),
        (tag("slope", "raises-exception"), "has an unknown tag 'raises-exception'"),
        (tag("slope", "rtol=x"), "'x' is not a number"),
        (put("slope", "print", "# NBVAL_SKIP\nprint"), "turns its own test off in a comment"),
        (put("slope", "print", "#NBVAL_IGNORE_OUTPUT\nprint"), "turns its own test off"),
    ],
    "has_short_lines_of_code": [
        (put("slope", "print", "x = 1  # " + 80 * "x" + "\nprint"), "has a line of 89 characters"),
    ],
    "has_prose_between_its_code": [
        (
            lambda nb: [insert(cell, "ex-1-1")(nb) for cell in more_code],
            "(predict-1: predict('1 more than nothing', '1', '0')) begins 5 code cells in a row",
        ),
    ],
    "has_headings_that_descend_one_level_at_a_time": [
        (put("lines", "### 1.1", "##### 1.1"), "skips a level at the heading '1.1 A line'"),
        (put("lines", "## Lines\n\n", ""), "skips a level at the heading '1.1 A line'"),
        (put("lines", "## Lines", "# Lines"), "has a second title, 'Lines'"),
    ],
    "has_a_title_with_its_number": [
        (put("title", "# 1 · ", "# "), "should begin with # 1 · Title"),
        (put("title", "# 1 · ", "# 2 · "), "has the number 2; the file's is 1"),
        (put("title", "# 1 · A", "# 1 · $A$"), "has a formula or code in its title"),
    ],
    "shows_figures_through_the_course_alone": [
        (put("figure", "plotting.show(fig", "plt.show(fig"), "calls plt.show(); plotting.show"),
        (put("figure", "plotting.show(fig", "fig.show(fig"), "calls fig.show()"),
        (put("figure", "plotting.show(fig", "display(fig"), "calls display()"),
        (put("slope", "print", "interact(print)\nprint"), "calls interact()"),
        (put("figure", "plotting.show(fig", "str(fig"), "without plotting.show or"),
        (put("slope", "print(", "print(("), "is no Python"),
    ],
    "reads_its_figures_aloud": [
        (drop("read"), "no **Read it.** follows the last figures, 1 in number"),
        (
            lambda nb: [insert(cell, "read")(nb) for cell in three_figures],
            "(figure-1: fig, ax = plt.subplots()) is the third figure since the last",
        ),
    ],
    "prints_no_answer_under_a_slider": [
        (
            put("figure", "plotting.show(fig", "widgets.Explorer(draw"),
            "slope {1:.2f}')) prints before the next heading what figure is to show",
        ),
    ],
    "folds_the_code_that_would_spoil_a_prediction": [
        (
            put("lines", "We draw one.", "**Predict** which way it goes."),
            "(figure: fig, ax = plt.subplots()) shows its alt text below a **Predict**",
        ),
    ],
    "asks_where_it_says_predict": [
        (drop("predict-1"), "(task-1: #### Exercise 1.1 · Add 1  (core, 2 minutes)) asks for a"),
        (drop("predict-start"), "(title: # 1 · A small lesson) asks for a prediction, and no"),
        (
            put("lines", "We draw one.", "**Predict** which way it goes."),
            "asks for a prediction, and no predict(…) follows",
        ),
        (put("read", "It rises.", "**Predict** the next."), "asks for a prediction, and no"),
    ],
    "has_a_header_that_leads_on": [
        (put("title", "(student/01_small", "(student/02_small"), "no link to the student copy:"),
        (put("title", "blob/main/notebooks/01", "blob/main/01"), "no link to itself in Colab"),
        (
            put("title", "notebooks/student/01_small_lesson.ipynb) ·", "x) ·"),
            "no link to the student copy in Colab",
        ),
        (put("title", "Next: ", "Then: "), "no link to the next notebook"),
        (put("title", "#contents", ""), "no link to the contents"),
        (put("title", "lesson\n*Ex", "lesson\n\n*Ex"), "the header is not the line below"),
    ],
    "opens_with_what_a_student_asks_first": [
        (put("title", "**By the end you can** (1)", "You can"), "no **By the end you can** (1)"),
        (put("title", "**You need**", "Needs"), "no **You need**"),
        (put("title", "> **Before you run anything:**", "> What?"), "no > **Before you run"),
        (put("title", "**Time** 15 minutes", "**Time** some"), "no line **Time** 45 minutes"),
        (put("title", "3 exercises", "4 exercises"), "promises 4 exercises; there are 3"),
        (move("bootstrap", "title"), "no **By the end you can**"),
    ],
    "begins_with_the_bootstrap_and_the_setup": [
        (
            drop("bootstrap"),
            "(setup: import matplotlib.pyplot as plt) should be the bootstrap cell",
        ),
        (put("bootstrap", "--no-deps ", ""), "has no --no-deps"),
        (put("setup", "plotting.use_course_style()", ""), "has no plotting.use_course_style()"),
        (
            put("setup", "check, expect, predict, summary", "check"),
            "does not import check and summary",
        ),
        (
            put("setup", "import numpy as np", "import numpy as np\n" + 9 * "x = 1\n"),
            "has 14 lines",
        ),
        (put("slope", "print", "%pip install -q x\nprint"), "installs something"),
        (put("slope", "print", "!apt-get install x\nprint"), "installs something"),
    ],
    "ends_with_what_was_found": [
        (put("ending", "## What we found", "## Found"), "there is no ## What we found"),
        (put("ending", "**Where it breaks.**", "Breaks."), "there is no **Where it breaks.**"),
        (put("ending", "**Check yourself, without code.**", "Q."), "no **Check yourself, without"),
        (put("ending", "**Sources.**", "Books."), "there is no **Sources.**"),
        (put("ending", "**Was that your guess?**", ""), "does not come back to the guess"),
        (last_part_first, "its last parts should come in this order"),
        (put("summary", "summary()", "print()"), "and should be summary()"),
        (drop("summary"), "and should be summary()"),
        (move("summary", "more"), "is the core's last code cell, and should be summary()"),
        (drop("nav"), "should end in a line *Previous: … · Next: …*"),
        (put("extra", "Optional: no", "No"), "(extra: ## Extra) should begin with ## Extra, and"),
    ],
    "links_its_sources": [
        (put("ending", "- Peano", "Peano"), "**Sources.** should be a list"),
        (put("ending", "](https://archive.org", "] (archive.org"), "a source has no link: - Peano"),
    ],
    "states_honest_minutes": [
        (put("title", "**Time** 15 minutes", "**Time** some"), "the opening states no minutes"),
        (put("title", "**Time** 15", "**Time** 95"), "its core takes 95 minutes; 90 are the limit"),
        (
            put("lines", "We draw one.", 360 * "word "),
            "it states 15 minutes; a student needs some 1",
        ),
        (put("slope", "print", 45 * "x = 1\n" + "print"), "it states 15 minutes; a student needs"),
        (put("task-2", "2 minutes", "7 minutes"), "it states 15 minutes; a student needs some"),
    ],
    "asks_for_an_answer_in_words": [
        (drop("words"), "no #### In words · Title  (core, 5 minutes)"),
        (put("words", "(core,", "(extra,"), "no #### In words · Title  (core, 5 minutes)"),
        (drop("words-1"), "has no model answer, graded by hand, in the next cell"),
        (told("words-1", grade=False), "has no model answer, graded by hand"),
        (told("words-1", points=0), "words-1: points should be a whole number above 0"),
        (told("words-1", grade_id="x"), "words-1: nbgrader's grade_id should be 'words-1'"),
    ],
    "has_three_exercises_or_more_counted_from_one": [
        (many_exercises_less, "it has 1 exercises; 3 are the least"),
        (put("task-2", "Exercise 1.2 ·", "Exercise 1.4 ·"), "its exercises are 1.1, 1.4, 1.3"),
        (put("task-2", "Exercise 1.2 ·", "Exercise 2.2 ·"), "its exercises are 1.1, 2.2, 1.3"),
        (put("task-2", "(core, 2 minutes)", ""), "should read #### Exercise N.M · Title"),
        (put("task-2", "core", "easy"), "should read #### Exercise N.M · Title"),
        (put("task-2", "Add 2  (", "("), "should read #### Exercise N.M · Title"),
    ],
    "has_exercises_with_task_hints_answer_check_and_solution": [
        (drop("ex-1-2"), "exercise 1.2: no cell ex-1-2 before the next heading"),
        (drop("ex-1-2-check"), "exercise 1.2: no cell ex-1-2-check before"),
        (move("ex-1-2-check", "ex-1-2"), "ex-1-2-check stands before ex-1-2"),
        (move("ex-1-2-check", "ex-1-1"), "exercise 1.2: no cell ex-1-2-check before"),
        (put("task-2", "**Predict.**", "Guess."), "exercise 1.2: no **Predict… in the task"),
        (put("task-2", "**Write**", "Do"), "exercise 1.2: no **Write**… in the task"),
        (put("task-2", "<summary>Hint 2", "<summary>Aid 2"), "fewer than three <details>"),
        (put("task-2", "</details>", "", 1), "a hint's <details> is not closed"),
        (put("reflect-2", "**Reflect.**", "Think."), "no **Reflect.** after the check"),
        (put("reflect-2", "Worked solution", "Answer"), "no <details><summary>Worked solution"),
        (put("reflect-2", "Your prediction", "Answer"), "no <details><summary>Your prediction"),
        (put("reflect-2", "The reflection", "Answer"), "no <details><summary>The reflection"),
        (put("ex-1-2", "# Exercise 1.2\n", ""), "the first line should be # Exercise 1.2"),
        (put("ex-1-2", sample.ANSWER.format(m=2), "# Exercise 1.2\nx = 2"), "none is defined"),
        (put("ex-1-2", '"""The number x and 2 more."""', "pass"), "add_2 has no docstring"),
        (told("ex-1-2", solution=False), "nbgrader's solution should be True, and is False"),
        (told("ex-1-2", schema_version=2), "nbgrader's schema_version should be 3, and is 2"),
        (told("ex-1-2-check", grade=False), "nbgrader's grade should be True"),
        (told("ex-1-2-check", locked=False), "nbgrader's locked should be True"),
        (told("ex-1-2-check", grade_id="x"), "nbgrader's grade_id should be 'ex-1-2-check'"),
        (told("ex-1-2-check", points=0), "points should be a whole number above 0"),
        (put("ex-1-2-check", "check(", "x = 1\ncheck("), "7 lines; 6 are the limit of a check"),
        (put("ex-1-2-check", "### END HIDDEN TESTS", ""), "no hidden tests between their markers"),
        (
            put("ex-1-2-check", "### END HIDDEN TESTS", "### END HIDDEN TESTS\n1"),
            "something follows",
        ),
        (put("ex-1-2-check", 'check("1.2"', 'check("1.3"'), 'no visible check("1.2", …)'),
        (
            put("ex-1-2-check", 'check("1.2", add_2, adds)\n', ""),
            'ex-1-2-check: no visible check("1.2", …)',
        ),
        (
            put(
                "ex-1-2-check",
                sample.CHECK.format(m=2).split("TESTS\n")[1].split("###")[0],
                "x = add_2(1)\n",
            ),
            "the hidden tests assert nothing",
        ),
        (
            put("ex-1-2-check", "### END", 'check("1.2", add_2)\n### END'),
            "that use check pass where",
        ),
        (put("ex-1-2-check", "### END", "add_2(3)\n### END"), "it ends in a value"),
        (
            outputs("ex-1-2-check", sample.printed("✗ Exercise 1.2: not yet. Start\n")),
            "the solution does not pass its check: ✗ Exercise 1.2",
        ),
        (outputs("ex-1-2-check"), "the solution does not pass its check: no output"),
        (
            lambda nb: sample.cell(nb, "slope").metadata.update(sample.nbgrader("slope")),
            "(slope: print(f'slope {1:.2f}')) has nbgrader metadata and belongs to no exercise",
        ),
    ],
    "can_be_released": [
        (put("ex-1-2", "    ### END SOLUTION", ""), "### BEGIN SOLUTION has no ### END SOLUTION"),
        (told("ex-1-3", grade_id="ex-1-2"), "the grade_id ex-1-2 is there twice"),
    ],
    "has_a_student_copy_in_step": [
        (put("read", "It rises.", "It falls."), "(read: **Read it.** It falls.) is another one"),
        (put("task-2", "Add 2", "Add two"), "is another one in the student copy"),
        (put("ex-1-2-check", "Start from nothing", "Start"), "is another one in the student copy"),
        (drop("slope"), "is another one in the student copy: run release"),
    ],
    "names_numbers_that_exist": [
        (put("read", "It rises.", "See section 1.7."), "names section 1.7, which 01_small_lesson"),
        (put("read", "It rises.", "By (1.9) it rises."), "names equation 1.9, which 01_small"),
        (put("read", "It rises.", "See exercise 1.4."), "names exercise 1.4, which 01_small_le"),
    ],
    "has_the_repositorys_address": [
        (put("title", "github/OWNER/REPO", "github/else/where"), "names another address than"),
        (put("bootstrap", "OWNER/REPO", "else/where"), "(bootstrap: try:) names another address"),
        (put("bootstrap", "@main", "@v1"), "it names several versions: main, v1"),
    ],
    "has_links_that_lead_somewhere": [
        (put("read", "It rises.", "[a](02_gone.ipynb)"), "link to 02_gone.ipynb: there is no such"),
        (put("read", "It rises.", "![a dot](dot.png)"), "link to dot.png: there is no such file"),
        (put("read", "It rises.", "[a][b]\n\n[b]: gone.md"), "link to gone.md: there is no such"),
        (put("read", "It rises.", '<a href="gone.md">a</a>'), "link to gone.md: there is no such"),
        (put("read", "It rises.", "[a](#1.9-Gone)"), "has no heading of that name"),
        (
            put("read", "It rises.", "[a](../README.md#gone)"),
            "README.md has no heading of that name",
        ),
        (put("read", "It rises.", "[a](../../elsewhere.md)"), "it leads out of the repository"),
        (put("read", "It rises.", "[a](/etc/hosts)"), "it leads to the root of a disk"),
        (put("read", "It rises.", "[here](../README.md)"), "a link with the words 'here'"),
        (
            put("read", "It rises.", "[a](https://github.com/OWNER/REPO/blob/main/GONE.md)"),
            "there is no such file",
        ),
        (
            put("title", "2 · A large lesson (", "1 · A small lesson ("),
            "is in preparation, and 01_",
        ),
        (
            put("title", "2 · A large lesson (", "A large lesson ("),
            "names no notebook as N · Title",
        ),
    ],
}
CASES = [
    pytest.param(
        name, spoil, said, id=f"{name}-{re.sub('[^a-zA-Z0-9.-]+', ' ', said)[:40].strip()}"
    )
    for name, spoilt in SPOILT.items()
    for spoil, said in spoilt
]


def test_every_rule_has_something_to_catch():
    assert set(SPOILT) == set(rules.RULES)


@pytest.mark.parametrize("name, spoil, said", CASES)
def test_a_planted_defect_is_caught_by_the_rule_that_a_notebook(name, spoil, said, home, tmp_path):
    sample.clone(tmp_path, complete=True)
    path = tmp_path / "notebooks" / sample.NAME
    nb = sample.lesson(complete=True)
    spoil(nb)
    path.write_text(nbformat.v4.writes(nb) + "\n", encoding="utf-8")  # unlike dumps, mends nothing
    found = rules.RULES[name](rules.Lesson(path, tmp_path))
    assert any(said in problem for problem in found), found


def test_a_missing_student_copy_is_caught(tmp_path):
    path = sample.clone(tmp_path)
    (tmp_path / "notebooks" / "student" / sample.NAME).unlink()
    (found,) = rules.RULES["has_a_student_copy_in_step"](rules.Lesson(path, tmp_path))
    assert "python3 -m course_utils release writes it" in found


def test_links_in_code_and_in_formulas_are_no_links(home):
    path = home / "notebooks" / sample.NAME
    text = "`[a](gone.md)`, $[a](gone.md)$ and\n```\n[a](gone.md)\n```\n"
    assert rules.link_problems(text, path, home) == []
    assert rules.link_problems("[a](gone.md)", path, home)


def test_the_samples_copy_is_what_release_writes(home):
    assert release.write([home / "notebooks" / sample.NAME], root=home)[0][1] is False
