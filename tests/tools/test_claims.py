"""Marks of claims: each names a cell that holds it, and no student copy bears one."""

import nbformat
import pytest
from small_notebooks import code, markdown, notebook

from course_utils.cli import claims, notebooks

SOLVED = notebooks.solved()


MARKED = notebook(
    markdown("## What we found\n1. It is 2. <!-- holds: sum -->\n2. Said, *not* shown.\n\nNo. 3"),
    markdown(
        "A first claim. <!-- holds: sum, told -->\nA second one. <!-- holds: told -->\n\n"
        "- **So.** A third. <!-- holds: sum -->",
        "more",
    ),
    code("assert 1 + 1 == 2", "sum"),
    code("print(2)", "told", "2\n"),
)  # fmt: skip


def test_a_claim_begins_with_its_paragraph_or_item_or_after_another_mark():
    assert claims.claims(MARKED) == [
        ("text", "It is 2.", ["sum"]),
        ("more", "A first claim.", ["sum", "told"]),
        ("more", "A second one.", ["told"]),
        ("more", "**So.** A third.", ["sum"]),
    ]
    assert claims.problems(MARKED) == ["text: finding 2 has no mark"]
    assert claims.without_marks("It is 2. <!-- holds: a, b -->\nNo.") == "It is 2.\nNo."


HOLDERS = {
    "no such cell": (code("assert True", "other"), "held by x, which is no code cell"),
    "a text": (markdown("assert True", "x"), "held by x, which is no code cell"),
    "nothing asserted": (code("y = 1", "x"), "cell x has no assertion and no compared output"),
    "the word alone": (code("# assert y\n'assert z'", "x"), "no assertion and no compared output"),
    "blank output": (code("print()", "x", "\n"), "no assertion and no compared output"),
}


@pytest.mark.parametrize("name", HOLDERS)
def test_a_claim_that_nothing_holds_is_named(name):
    cell, says = HOLDERS[name]
    found = claims.problems(notebook(markdown("It is 2. <!-- holds: x -->"), cell))
    assert len(found) == 1 and says in found[0] and "It is 2." in found[0]


def test_a_figure_a_prediction_and_an_output_not_compared_hold_nothing():
    for text in ("Figure: a line", "Your prediction, a: b / c"):
        cell = code("draw()", "x")
        cell.outputs = [nbformat.v4.new_output("display_data", {"text/plain": text})]
        assert claims.evidence(cell) == ([], [])
    cell = code("print(1)", "x", "1\n")
    assert claims.evidence(cell) == ([], ["1"])
    cell.outputs[0].name = "stderr"
    assert claims.evidence(cell) == ([], [])
    cell.outputs[0].name = "stdout"
    cell.metadata["tags"] = ["nbval-ignore-output"]
    assert claims.evidence(cell) == ([], [])


def test_assertions_are_shown_as_they_are_written():
    source = "%pip list\nif x:\n    assert a < b, 'c'\nnp.testing.assert_allclose(\n    a, b\n)\n"
    source += "x.assert_(1)"
    asserted, _ = claims.evidence(code(source, "x"))
    assert asserted == [
        "assert a < b, 'c'",
        "np.testing.assert_allclose(\n    a, b\n)",
        "x.assert_(1)",
    ]


@pytest.mark.parametrize("path", SOLVED, ids=lambda path: path.stem)
def test_every_claim_that_is_marked_is_held_and_so_is_all_that_was_found(path):
    nb = notebooks.read(path)
    assert claims.claims(nb) and claims.problems(nb) == []
