"""Student copies are in step with the solved notebooks, and an untouched one runs to its end.

A copy differs in answers, hidden tests and worked solutions alone, and no other cell needs those:
it is enough to execute the solved notebooks, and one copy by turns.
"""

import ast
import re

import pytest
from notebook_rules import parsed
from turns import turn

from course_utils.cli import claims, links, notebooks, release, run

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


def is_in_words(cell):
    return cell.cell_type == "markdown" and cell.metadata.get("nbgrader", {}).get("solution")


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
            source = without_targets(claims.without_marks(source))
        if cell.id not in copied:
            assert not SECRET.sub("", source).strip(), f"{cell.id} is missing"
            continue
        twin = copied.pop(cell.id)
        given = without_targets(twin.source) if twin.cell_type == "markdown" else twin.source
        if is_in_words(cell):  # the model answer is a secret as a whole
            assert given == "YOUR ANSWER HERE" != source
        else:
            assert put_back(given, source) == source, cell.id
        assert (twin.cell_type, twin.metadata) == (cell.cell_type, cell.metadata), cell.id
        secrets += len(SECRET.findall(source))
    assert not copied, "the copy has cells of its own"
    answers = [cell for cell in solved.cells if cell.metadata.get("nbgrader", {}).get("solution")]
    answers = [cell for cell in answers if not is_in_words(cell)]
    assert secrets >= 3 * len(answers) > 0, "an answer, a hidden test, a worked solution each"


@each_notebook
def test_a_copy_holds_no_secret(path):
    for cell in copy_of(path).cells:
        assert not SECRET.search(cell.source), cell.id
        assert not re.search("(BEGIN|END) (SOLUTION|HIDDEN)|Worked solution", cell.source), cell.id


@each_notebook
def test_no_cell_but_its_check_needs_an_answer(path):
    """So a copy runs as the solved notebook does, whatever a student wrote or did not write."""
    code = [cell for _, cell in notebooks.code_cells(notebooks.read(path))]
    answers = [cell for cell in code if cell.metadata.get("nbgrader", {}).get("solution")]
    assert len(answers) >= 3
    for answer in answers:
        asked = {node.name for node in ast.parse(answer.source).body if hasattr(node, "name")}
        for cell in code:
            if cell.id not in (answer.id, f"{answer.id}-check"):
                named = {node.id for node in ast.walk(parsed(cell)) if isinstance(node, ast.Name)}
                assert not asked & named, f"{cell.id} uses {asked & named}"


@pytest.mark.slow
@pytest.mark.parametrize("path", turn(SOLVED, 1), ids=lambda path: path.stem)
def test_an_untouched_copy_runs_to_its_end_and_says_what_is_not_attempted(path):
    nb = copy_of(path)
    run.execute(nb, path.parent / "student")
    notebooks.tidy(nb)  # a kernel may hand over one cell's text in several pieces
    ids = [
        cell.id
        for cell in nb.cells
        if cell.id == "summary"
        or (cell.metadata.get("nbgrader", {}).get("grade") and cell.cell_type == "code")
    ]
    numbers = [id.removeprefix("ex-").removesuffix("-check").replace("-", ".") for id in ids]
    text = "".join(o.get("text", "") for _, cell in notebooks.code_cells(nb) for o in cell.outputs)
    for number in set(numbers) - {"summary"}:
        assert f"Exercise {number}: not attempted" in text
    count = numbers.index("summary")  # what is extra stands behind it
    (summary,) = [cell.outputs[0].text for cell in nb.cells if cell.id == "summary"]
    assert summary.startswith(f"0 of {count} exercises pass.")
    assert summary.count("not attempted") == count >= 2
