"""Student copies are in step with the solved notebooks, and an untouched one runs to its end.

On its way each tries the stored wrong answers, and every one must be refused.
"""

import re

import pytest
import wrong_answers

from course_utils.cli import links, notebooks, release, run

SOLVED = notebooks.solved()

# What a copy must not hold, and what stands there instead; as text, not as release finds it
SECRET = re.compile(
    r"(?P<indent>[ \t]*)### BEGIN SOLUTION\n.*?### END SOLUTION"
    r"|\n### BEGIN HIDDEN TESTS\n.*?### END HIDDEN TESTS"
    r"|\n*<details><summary>Worked solution.*?</details>",
    re.DOTALL,
)

each_notebook = pytest.mark.parametrize("path", SOLVED, ids=lambda path: path.stem)


def copy_of(path):
    return notebooks.read(path.parent / "student" / path.name)


def without_targets(text):
    """Links lead elsewhere from another folder, and the header is another one: both left out."""
    lines = [line for line in text.split("\n") if "student copy](" not in line]
    lines = [line for line in lines if not line.startswith("*This copy, without answers")]
    return links.moved("\n".join(lines), lambda target: "")


def put_back(source, solved):
    """``source``, from a copy, with every secret of the ``solved`` source in its place again."""
    for match in SECRET.finditer(solved):
        indent = match["indent"]
        stub = "" if indent is None else indent + release.CODE_STUB.replace("\n", "\n" + indent)
        start = match.start()
        assert source[start:].startswith(stub)
        source = source[:start] + match[0] + source[start + len(stub) :]
    return source


def test_there_are_student_copies_to_test():
    assert SOLVED


@each_notebook
def test_with_the_solutions_put_back_a_copy_is_the_solved_notebook(path):
    copied = {cell.id: cell for cell in copy_of(path).cells}
    solved = notebooks.read(path)
    secrets = 0
    for cell in solved.cells:
        source = cell.source
        if cell.cell_type == "markdown":
            source = without_targets(source)
        if cell.id not in copied:
            assert not SECRET.sub("", source).strip(), f"{cell.id} is missing"
            continue
        twin = copied.pop(cell.id)
        given = without_targets(twin.source) if twin.cell_type == "markdown" else twin.source
        assert put_back(given, source) == source, cell.id
        assert (twin.cell_type, twin.metadata) == (cell.cell_type, cell.metadata), cell.id
        secrets += len(SECRET.findall(source))
    assert not copied, "the copy has cells of its own"
    answers = [cell for cell in solved.cells if cell.metadata.get("nbgrader", {}).get("solution")]
    assert secrets >= 3 * len(answers) > 0, "an answer, a hidden test, a worked solution each"


@each_notebook
def test_a_copy_holds_no_secret(path):
    for cell in copy_of(path).cells:
        assert not SECRET.search(cell.source), cell.id
        assert not re.search("(BEGIN|END) (SOLUTION|HIDDEN)|Worked solution", cell.source), cell.id


@pytest.fixture(scope="module", params=SOLVED, ids=lambda path: path.stem)
def executed(request):
    """An untouched copy after its run; its exercises; what was said of the answers tried in it."""
    path = request.param
    nb, exercises = copy_of(path), wrong_answers.exercises_of(path)
    wrong_answers.put_into(nb, notebooks.read(path), exercises)
    run.execute(nb, path.parent / "student")
    notebooks.tidy(nb)  # a kernel may hand over one cell's text in several pieces
    told = wrong_answers.taken_out(nb, exercises)
    return nb, exercises, told


@pytest.mark.slow
def test_an_untouched_copy_runs_to_its_end_and_says_what_is_not_attempted(executed):
    nb, _, _ = executed
    names = [
        cell.id.removeprefix("ex-").removesuffix("-check").replace("-", ".")
        for cell in nb.cells
        if cell.metadata.get("nbgrader", {}).get("grade") and cell.cell_type == "code"
    ]
    text = "".join(o.get("text", "") for _, cell in notebooks.code_cells(nb) for o in cell.outputs)
    for name in names:
        assert f"Exercise {name}: not attempted" in text
    summary = notebooks.code_cells(nb)[-1][1].outputs[0].text
    assert summary.startswith(f"0 of {len(names)} exercises pass.")
    assert summary.count("not attempted") == len(names) >= 3


@pytest.mark.slow
def test_every_wrong_answer_is_refused_and_most_are_told_why(executed):
    _, exercises, told = executed
    assert not wrong_answers.problems(exercises, told)
