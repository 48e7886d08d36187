"""Student copies hold no answer, lead somewhere, and come back gradable."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
import sample_lesson as sample

from course_utils.cli import links, notebooks, release, run, stamp

ROOT = stamp.ROOT


def copy_of(nb, folder="notebooks/student", beside=(sample.NAME,), address=sample.ADDRESS):
    return release.student_copy(nb, folder, beside, address)


def text_of(nb):
    return "\n".join(cell.source for cell in nb.cells)


def test_a_copy_holds_no_solution_no_hidden_test_no_worked_solution_and_no_output():
    solved = sample.lesson()
    for secret in ("return x + 2", "assert add_2(40)", "The secret of 2", "BEGIN"):
        assert secret in text_of(solved)
        assert secret not in notebooks.dumps(copy_of(solved))
    assert all(not cell.outputs for _, cell in notebooks.code_cells(copy_of(solved)))


def test_the_copy_of_an_exercise_keeps_its_task_signature_and_visible_check():
    copied = copy_of(sample.lesson())
    assert sample.cell(copied, "ex-1-2").source == (
        '# Exercise 1.2\ndef add_2(x):\n    """The number x and 2 more."""\n'
        "    # YOUR CODE HERE\n    raise NotImplementedError"
    )
    assert sample.cell(copied, "ex-1-2-check").source.endswith('\ncheck("1.2", add_2, adds)')
    assert sample.cell(copied, "task-2").source == sample.EXERCISE.format(m=2)
    assert sample.cell(copied, "reflect-2").source == sample.REFLECT.format(m=2).split("\n\n")[0]


def test_a_cell_that_held_only_a_worked_solution_is_gone():
    nb = sample.lesson()
    worked = sample.REFLECT.format(m=2).split("\n\n", 1)[1]
    sample.cell(nb, "reflect-2").source = worked
    assert len(copy_of(nb).cells) == len(nb.cells) - 1
    assert all(cell.id != "reflect-2" for cell in copy_of(nb).cells)


def test_releasing_leaves_the_solved_notebook_as_it_was():
    nb, untouched = sample.lesson(), sample.lesson()
    copy_of(nb)
    assert nb == untouched


def test_a_copy_is_valid_in_stored_form_and_counts_no_run():
    copied = copy_of(sample.lesson())
    nbformat.validate(copied)
    text = notebooks.dumps(copied)
    assert notebooks.dumps(notebooks.tidy(notebooks.reads(text))) == text
    assert all(cell.execution_count is None for _, cell in notebooks.code_cells(copied))


def test_the_header_of_a_copy_leads_to_the_solved_notebook_and_to_its_own_colab():
    assert text_of(copy_of(sample.lesson())).splitlines()[1] == (
        "*This copy, without answers: [in Colab]"
        f"({sample.ADDRESS.colab('notebooks/student/01_small_lesson.ipynb')}) · "
        "Solved: [solved notebook](../01_small_lesson.ipynb), [in Colab]"
        f"({sample.ADDRESS.colab('notebooks/01_small_lesson.ipynb')}) · "
        "Next: 2 · A large lesson (in preparation) · All: [contents](../../README.md#contents)*"
    )


@pytest.mark.parametrize("to", ["for-students", "../elsewhere"])
def test_what_is_handed_out_to_a_class_links_no_solution(to, clone):
    assert release.main(["01", "--to", str(clone / to)], clone) == 0
    (path,) = (clone / to).iterdir()
    text = text_of(notebooks.read(path))
    assert "Solved" not in text and "solved" not in text
    assert not re.search(r"notebooks/\d\d_", text) and "student/01_small_lesson" in text


LINKS = {
    "[b](02_b.ipynb#1.3-A-title)": "[b](02_b.ipynb#1.3-A-title)",
    "[c](03_c.ipynb)": "[c](03_c.ipynb)",
    "[b](student/02_b.ipynb)": "[b](02_b.ipynb)",
    "[up](../README.md#contents)": "[up](../../README.md#contents)",
    "![dot](figures/dot.png)": "![dot](../figures/dot.png)",
    '[titled](../LICENSE "the licence")': '[titled](../../LICENSE "the licence")',
    "[![badge](a.svg)](../LICENSE)": "[![badge](../a.svg)](../../LICENSE)",
    '<img src="a.svg">': '<img src="../a.svg">',
    "[here below](#part)": "[here below](#part)",
    "[web](https://example.org/a_(b).html)": "[web](https://example.org/a_(b).html)",
    "`[code](a.md)` and $[f](x)$": "`[code](a.md)` and $[f](x)$",
    "```\n[code](a.md)\n```": "```\n[code](a.md)\n```",
    "[ref]: ../LICENSE": "[ref]: ../../LICENSE",
}


@pytest.mark.parametrize("link, wanted", LINKS.items())
def test_links_are_written_for_the_folder_of_the_copy(link, wanted):
    nb = sample.lesson()
    sample.cell(nb, "read").source = f"**Read it.**\n{link}\n"
    copied = copy_of(nb, beside=("02_b.ipynb", sample.NAME))
    assert sample.cell(copied, "read").source == f"**Read it.**\n{wanted}\n"


def test_a_copy_outside_of_the_repository_leads_to_github():
    nb = sample.lesson()
    sample.cell(nb, "read").source = "[c](03_c.ipynb) [b](02_b.ipynb) [up](../README.md#contents)"
    copied = copy_of(nb, folder=None, beside=("02_b.ipynb",), address=stamp.Address("a/b", "v1"))
    page = "https://github.com/a/b/blob/v1"
    assert sample.cell(copied, "read").source == (
        f"[c]({page}/notebooks/student/03_c.ipynb) [b](02_b.ipynb) [up]({page}/README.md#contents)"
    )
    assert "Solved" not in copied.cells[0].source
    assert not [t for t in links.targets(copied.cells[0].source) if links.is_relative(t)]


def marker(id, old, new):
    def change(nb):
        found = sample.cell(nb, id)
        assert old in found.source
        found.source = found.source.replace(old, new)

    return change


def drop(id):
    return lambda nb: nb.cells.remove(sample.cell(nb, id))


def told(id, **more):
    return lambda nb: sample.cell(nb, id).metadata.nbgrader.update(more)


REFUSED = {
    "an answer without an end": (
        marker("ex-1-2", "    ### END SOLUTION", ""),
        "(ex-1-2: # Exercise 1.2): ### BEGIN SOLUTION has no ### END SOLUTION",
    ),
    "an answer without a beginning": (
        marker("ex-1-2", "    ### BEGIN SOLUTION\n", ""),
        "### END SOLUTION has no ### BEGIN SOLUTION",
    ),
    "an answer in an answer": (
        marker("ex-1-2", "    return", "    ### BEGIN SOLUTION\n    return"),
        "### BEGIN SOLUTION stands inside another one",
    ),
    "an answer without markers": (
        marker("ex-1-2", sample.ANSWER.format(m=2), "# Exercise 1.2\ndef add_2(x):\n    return x"),
        "an answer without ### BEGIN SOLUTION would be blanked as a whole",
    ),
    "an answer outside of an answer cell": (
        marker("slope", "print", "### BEGIN SOLUTION\n### END SOLUTION\nprint"),
        "(slope: ### BEGIN SOLUTION): SOLUTION markers in a cell",
    ),
    "an answer in prose": (
        marker("read", "It rises.", "### BEGIN SOLUTION"),
        "(read: **Read it.** ### BEGIN SOLUTION): ### BEGIN SOLUTION has no",
    ),
    "an answer outside of a function": (
        marker("ex-1-2", sample.ANSWER.format(m=2), "### BEGIN SOLUTION\nx = 1\n### END SOLUTION"),
        "its solution stands outside a function, so a copy would stop there",
    ),
    "an answer in a branch outside of a function": (
        marker("ex-1-2", "def add_2(x):", "if True:"),
        "its solution stands outside a function, so a copy would stop there",
    ),
    "an answer that leaves no Python": (
        marker("ex-1-2", "    ### BEGIN SOLUTION", "  ### BEGIN SOLUTION"),
        "without its solution it is no Python",
    ),
    "a hidden test without an end": (
        marker("ex-1-2-check", "### END HIDDEN TESTS", ""),
        "Start from not): ### BEGIN HIDDEN TESTS has no",
    ),
    "a hidden test outside of a check": (
        marker("slope", "print", "### BEGIN HIDDEN TESTS\n### END HIDDEN TESTS\nprint"),
        "HIDDEN TESTS markers in a cell whose nbgrader metadata is not `grade`",
    ),
    "no check": (
        drop("ex-1-2-check"),
        "an exercise without a check: no graded cell ex-1-2-check",
    ),
    "a check without a grade": (
        lambda nb: sample.cell(nb, "ex-1-2-check").update(source="1", metadata={}),
        "an exercise without a check: no graded cell ex-1-2-check",
    ),
    "a check before its exercise": (
        lambda nb: nb.cells.insert(
            1, nb.cells.pop(nb.cells.index(sample.cell(nb, "ex-1-2-check")))
        ),
        "its check ex-1-2-check stands before it",
    ),
    "a grade_id twice": (told("ex-1-3", grade_id="ex-1-2"), "the grade_id ex-1-2 is there twice"),
    "a grade_id that is not the cell's": (
        told("ex-1-3", grade_id="ex-1-4"),
        "its grade_id is ex-1-4; it should be the cell's id",
    ),
    "a worked solution left open": (
        marker("reflect-2", "</details>", ""),
        "(reflect-2: **Reflect.** Does the order of the numbers matte): its <details> are not",
    ),
    "no header": (
        marker("title", "*Exercises without answers", "*Exercises"),
        "cell 1: no line *Exercises without answers",
    ),
}


@pytest.mark.parametrize("spoil, said", REFUSED.values(), ids=REFUSED)
def test_a_notebook_that_cannot_be_released_is_refused_with_its_cell(spoil, said):
    nb = sample.lesson()
    assert release.problems(nb) == []
    spoil(nb)
    assert any(said in line for line in release.problems(nb)), release.problems(nb)
    with pytest.raises(release.ReleaseError):
        copy_of(nb)


@pytest.fixture
def clone(tmp_path):
    sample.clone(tmp_path)
    return tmp_path


def test_release_writes_every_copy_and_says_what_changed(clone, capfd):
    path = clone / "notebooks" / "student" / sample.NAME
    path.unlink()
    assert release.main([], clone) == 0
    assert release.main(["1"], clone) == 0
    out, err = capfd.readouterr()
    assert out == f"{path}: written\n{path}: as it was\n"
    assert err == "", "nbgrader's loggers are silent"
    assert notebooks.read(path) == copy_of(sample.lesson())


def test_release_to_another_folder_leaves_the_students_folder_alone(clone, tmp_path_factory):
    before = (clone / "notebooks" / "student" / sample.NAME).stat()
    there = tmp_path_factory.mktemp("elsewhere") / "week 1"
    assert release.main(["01", "--to", str(there)], clone) == 0
    text = (there / sample.NAME).read_text(encoding="utf-8")
    assert "https://github.com/OWNER/REPO/blob/main/README.md#contents" in text
    assert release.main(["01", "--to", str(clone / "course" / "release")], clone) == 0
    text = (clone / "course" / "release" / sample.NAME).read_text(encoding="utf-8")
    assert "(../../README.md#contents)" in text
    assert (clone / "notebooks" / "student" / sample.NAME).stat() == before


@pytest.mark.parametrize(
    "argv, said",
    [(["07"], "no notebook 07; there is 01"), (["--to", "notebooks"], "would replace them")],
)
def test_release_refuses_what_it_must_not_do(argv, said, clone, capsys, monkeypatch):
    monkeypatch.chdir(clone)
    solved = (clone / "notebooks" / sample.NAME).read_bytes()
    assert release.main(argv, clone) == 1
    assert said in capsys.readouterr().err
    assert (clone / "notebooks" / sample.NAME).read_bytes() == solved


def test_where_one_notebook_is_refused_none_is_written(clone, capsys):
    bad = sample.lesson()
    sample.cell(bad, "ex-1-2").source += "\n### BEGIN SOLUTION"
    sample.cell(bad, "title").source = sample.HEADER.replace(sample.NAME, "02_bad.ipynb")
    notebooks.write(clone / "notebooks" / "02_bad.ipynb", notebooks.dumps(bad))
    (clone / "notebooks" / "student" / sample.NAME).unlink()
    assert release.main([], clone) == 1
    assert "02_bad.ipynb is not released:\n  cell 13 (ex-1-2" in capsys.readouterr().err
    assert not list((clone / "notebooks" / "student").iterdir())


def answered(body):
    stub = release.CODE_STUB.replace("\n", "\n    ")
    return marker("ex-1-2", stub, body)


def was_run(nb):
    sample.cell(nb, "slope").execution_count = 1


def printed(nb):
    sample.cell(nb, "slope").outputs = [sample.printed("slope 1.00\n")]


def added(cell):
    return lambda nb: nb.cells.insert(3, cell)


STUB = "# YOUR CODE HERE\n    raise NotImplementedError"
ANSWERS = {
    "an answer": (answered("return x + 2"), "(ex-1-2: # Exercise 1.2) is answered"),
    "a wrong answer": (answered("pass"), "(ex-1-2: # Exercise 1.2) is answered"),
    "no more than a removed stub": (answered(""), "is answered"),
    "half an answer before the stub": (answered("y = x + 1\n    " + STUB), "is answered"),
    "an answer behind the stub": (answered(STUB + "\n    return x + 2"), "is answered"),
    "a helper": (marker("ex-1-2", "def", "import math\ndef"), "is answered"),
    "an answer that is no Python": (answered("return x +\n    " + STUB), "is answered"),
    "a cell that was run": (was_run, "(slope: print(f'slope {1:.2f}')) was run"),
    "a cell with an output": (printed, "was run"),
    "a cell of one's own": (added(sample.code("x", "0a1b2c3d")), "was run"),
    "a note": (
        added(sample.markdown("Ask!", "5b2f6a80-3c4d-4e5f-8a9b-0c1d2e3f4a5b")),
        "cell 4 (5b2f6a80-3c4d-4e5f-8a9b-0c1d2e3f4a5b: Ask!) was added",
    ),
}
OLDER = {
    "another signature": marker("ex-1-2", "add_2(x)", "add_2(x, y=2, *, z: int = 3)"),
    "another name and docstring": marker(
        "ex-1-2", 'add_2(x):\n    """The number x and 2 more."""', 'two(x):\n    """Twice."""'
    ),
    "another comment": marker("ex-1-2", "# Exercise 1.2", "# Exercise 1.2: add"),
    "another text": marker("read", "It rises.", "It falls."),
    "other code": marker("slope", "slope", "the slope"),
    "an exercise that is gone": lambda nb: told("ex-1-3", grade_id="ex-1-4")(nb),
    "a cell that is gone": added(nbformat.v4.new_code_cell("x", id="gone")),
    "an empty cell": added(nbformat.v4.new_code_cell("", id="0a1b2c3d")),
    "what JupyterLab stores": lambda nb: nb.metadata.kernelspec.update(display_name="Python 3.12"),
}


@pytest.mark.parametrize("to", [None, "hand-outs"])
@pytest.mark.parametrize("change, said", ANSWERS.values(), ids=ANSWERS)
def test_release_never_overwrites_answers(change, said, to, clone, capsys):
    folder = clone / (to or "notebooks/student")
    argv = ["--to", str(folder)] if to else []
    assert release.main(argv, clone) == 0
    path = folder / sample.NAME
    nb = notebooks.read(path)
    change(nb)
    path.write_text(notebooks.dumps(nb), encoding="utf-8")
    before = path.read_bytes()
    second = clone / "notebooks" / "02_more.ipynb"
    second.write_text(
        notebooks.dumps(sample.lesson()).replace(sample.NAME, second.name), encoding="utf-8"
    )
    capsys.readouterr()
    assert release.main(argv, clone) == 1
    err = capsys.readouterr().err
    assert f"{path}: cell" in err and said in err and "Move these files away" in err
    assert path.read_bytes() == before
    assert not (folder / second.name).exists(), "then nothing at all is written"


@pytest.mark.parametrize("change", OLDER.values(), ids=OLDER)
def test_an_older_release_is_replaced(change, clone):
    path = clone / "notebooks" / "student" / sample.NAME
    fresh, nb = path.read_bytes(), notebooks.read(path)
    change(nb)
    path.write_text(notebooks.dumps(nb), encoding="utf-8")
    assert path.read_bytes() != fresh
    assert release.main([], clone) == 0
    assert path.read_bytes() == fresh


def test_what_is_no_notebook_is_not_overwritten_either(clone, capsys):
    path = clone / "notebooks" / "student" / sample.NAME
    path.write_text("<<<<<<< HEAD\n")
    assert release.main([], clone) == 1
    assert f"{path}: it is no notebook" in capsys.readouterr().err
    assert path.read_text() == "<<<<<<< HEAD\n"


def nbgrader(folder, *argv):
    done = subprocess.run(
        [sys.executable, "-m", "nbgrader", *argv],
        cwd=folder,
        capture_output=True,
        text=True,
        # nbgrader calls alembic by name, as it finds it in an activated environment
        env={
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
        },
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_configuration_of_nbgrader_leaves_the_environment_alone(monkeypatch):
    """JupyterLab reads it as well, and checks that raise would stop every student's Run all."""
    from traitlets.config import PyFileConfigLoader

    monkeypatch.delenv("NBGRADER_EXECUTION", raising=False)
    before = dict(os.environ)
    config = PyFileConfigLoader("nbgrader_config.py", path=str(ROOT)).load_config()
    assert config.ClearSolutions.code_stub["python"] == release.CODE_STUB
    assert dict(os.environ) == before


def test_formgrader_opens_what_grade_has_written(tmp_path):
    from traitlets.config import PyFileConfigLoader

    shutil.copy(ROOT / "nbgrader_config.py", tmp_path)
    load = lambda: PyFileConfigLoader("nbgrader_config.py", path=str(tmp_path)).load_config()
    assert "root" not in load().CourseDirectory, "then it is the folder that nbgrader is called in"
    (tmp_path / "grades").mkdir()
    (tmp_path / "grades" / "gradebook.db").touch()
    assert load().CourseDirectory.root == str(tmp_path / "grades")


@pytest.mark.slow
def test_nbgrader_grades_a_good_a_wrong_and_an_unsolved_copy(clone):
    """nbgrader's own commands, with the configuration that the repository holds."""
    shutil.copy(ROOT / "nbgrader_config.py", clone)
    source = clone / "source" / "week1"
    source.mkdir(parents=True)
    shutil.copy(clone / "notebooks" / sample.NAME, source)
    nbgrader(clone, "generate_assignment", "week1", "--create")
    handed_out = (clone / "release" / "week1" / sample.NAME).read_text(encoding="utf-8")
    assert release.CODE_STUB.splitlines()[-1] in handed_out
    assert "The secret of" not in handed_out and "return x + 2" not in handed_out

    def hand_in(student, change):
        nb = notebooks.read(clone / "notebooks" / "student" / sample.NAME)
        change(nb)
        notebooks.write(clone / "submitted" / student / "week1" / sample.NAME, notebooks.dumps(nb))

    def answers(*bodies):
        def change(nb):
            for m, body in enumerate(bodies, 1):
                answer = sample.cell(nb, f"ex-1-{m}")
                answer.source = answer.source.replace(
                    release.CODE_STUB.replace("\n", "\n    "), body
                )

        return change

    good = answers("return x + 1", "return x + 2", "return x + 3")

    def good_without_a_check(nb):
        good(nb)
        nb.cells.remove(sample.cell(nb, "ex-1-1-check"))

    hand_in("good", good)
    hand_in("good-without-a-check", good_without_a_check)
    # the second fails in the hidden tests alone, the third in the visible check alone
    hand_in("wrong", answers("return x + 1", "return 2", "return x + 3 * bool(np.any(x))"))
    hand_in("unsolved", lambda nb: None)
    nbgrader(clone, "autograde", "week1")

    from nbgrader.api import Gradebook

    with Gradebook(f"sqlite:///{clone / 'gradebook.db'}") as book:
        scores = {s.student.id: s.score for s in book.assignment_submissions("week1")}
    assert scores == {"good": 9, "good-without-a-check": 9, "wrong": 3, "unsolved": 0}


def test_the_samples_solutions_pass_their_checks_when_executed():
    """Otherwise the tests above would grade answers that were never right."""
    nb = sample.lesson()
    run.execute(nb, ROOT)
    assert sample.cell(nb, "summary").outputs[0].text == "3 of 3 exercises pass.\n"
