"""The ledger's marks: which cell holds which claim of a lesson.

A claim ends in a mark, an HTML comment that no reader sees: ``<!-- holds: CELL -->``, with the ids
of one code cell or several. It begins with its paragraph or item of a list, or after the mark
before it. A cell holds a claim by an assertion, or by an output that the tests compare.
"""

import ast
import functools
import re

_MARK = re.compile(r"\s*<!--[ \t]*holds:[ \t]*(.*?)[ \t]*-->", re.DOTALL)
_ITEM = re.compile(r"^\d+\. ", re.MULTILINE)
_START = re.compile(r"\n[ \t]*\n|^(?:[-*]|\d+\.) ", re.MULTILINE)  # of a paragraph or an item
_FOUND = "## What we found\n"
_NO_EVIDENCE = ("Figure: ", "Your prediction, ")  # these outputs say what the cell's source says


def without_marks(text):
    """``text`` as a reader meets it."""
    return _MARK.sub("", text)


def claims(nb):
    """The marked claims of a notebook: each with its cell's id, its text and its cells' ids."""
    found = []
    for cell in nb.cells:
        if cell.cell_type == "markdown":
            found += [(cell.id, text, holders) for text, holders in _claims_of(cell.source)]
    return found


def _claims_of(text):
    end = 0
    for match in _MARK.finditer(text):
        before = text[end : match.start()]
        begins = [start.end() for start in _START.finditer(before)]
        claim = before[begins[-1] if begins else 0 :]
        yield (
            " ".join(claim.split()).removeprefix("**Read it.** "),
            [name.strip() for name in match[1].split(",")],
        )
        end = match.end()


def evidence(cell):
    """What in a code cell holds a claim: the source of its assertions, and its compared outputs."""
    outputs = []
    if "nbval-ignore-output" not in cell.metadata.get("tags", []):
        for output in cell.get("outputs", []):
            text = output.get("text") or output.get("data", {}).get("text/plain", "")
            compared = output.get("name") != "stderr" and not text.startswith(_NO_EVIDENCE)
            if text.strip() and compared:
                outputs.append(text.strip("\n"))
    return _assertions(cell.source), outputs


@functools.cache
def _assertions(source):
    try:
        tree = ast.parse(re.sub(r"^([ \t]*)[%!]", r"\1# ", source, flags=re.MULTILINE))
    except SyntaxError:
        return []
    found = [
        (node.lineno, ast.get_source_segment(source, node))
        for node in ast.walk(tree)
        if isinstance(node, ast.Assert) or _is_call_of_an_assertion(node)
    ]
    return [text for _, text in sorted(found)]


def _is_call_of_an_assertion(node):
    if not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)):
        return False
    called = node.value.func
    name = getattr(called, "attr", getattr(called, "id", ""))
    return name.startswith("assert_")


def problems(nb):
    """What is wrong with the marks of a notebook, a line for each."""
    code = {cell.id: cell for cell in nb.cells if cell.cell_type == "code"}
    found = []
    for place, text, holders in claims(nb):
        claim = f"{place}: {text[:60]!r}"
        if not text:
            found.append(f"{place}: a mark without a claim before it")
        for name in holders:
            if name not in code:
                found.append(f"{claim} is held by {name or 'nothing'}, which is no code cell")
            elif not any(evidence(code[name])):
                found.append(f"{claim}: cell {name} has no assertion and no compared output")
    for cell in nb.cells:
        if cell.cell_type == "markdown" and _FOUND in cell.source:
            items = _findings(cell.source)
            found += [
                f"{cell.id}: finding {number} has no mark"
                for number, item in enumerate(items, 1)
                if not _MARK.search(item)
            ]
    return found


def _findings(text):
    """The numbered items under "What we found"."""
    text = text[text.index(_FOUND) + len(_FOUND) :].lstrip("\n")
    parts = re.split(r"\n[ \t]*\n(?!\d+\. |[ \t])", text)[0]  # up to the first paragraph after them
    return [item for item in _ITEM.split(parts) if item.strip()]
