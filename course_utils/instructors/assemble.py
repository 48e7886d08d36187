"""Make of a submitted notebook one that nbgrader can grade, whatever became of its cells.

The student's cells keep their order, and are theirs: a check is always the instructor's, with its
hidden tests, after the answer that it belongs to. It runs in names of its own, where whatever it
takes from the lesson is bound as the lesson binds it, so that an answer cannot bring its own
``check`` or ``np`` along. What an execution has to know of a cell stands in ``metadata.course``.
"""

import ast
import copy
import logging
import re
from typing import NamedTuple

from course_utils.cli import notebooks, release
from course_utils.instructors import reach

SILENT = logging.Logger("course_utils.instructors", level=logging.CRITICAL + 1)

NOTES = "why", "note"  # ids of cells with a text for the student

_LONGEST_WORD = 60
_NUMBER = re.compile(r"\s*#\s*Exercise\s+([0-9A-Za-z]+(?:\.[0-9A-Za-z]+)*)", re.I)
# Where a browser looks for a tag's name, and Markdown for a link's target
_TAG = re.compile(r"(?<=<)(?!/?(?:details|summary|br)>)(?=[a-z/!?])", re.I)
_LINK = re.compile(r"(?<=\])(?=[(:])")


class Exercise(NamedTuple):
    """One graded cell of a solved notebook, and the answer that it is about."""

    name: str  # such as "1.2"
    answer: str  # the grade_id of its answer cell
    check: str  # the grade_id of its graded cell; the same for an answer in words
    points: float
    defines: tuple  # the names that the answer gives to functions and classes
    restore: str  # code that binds what the check takes from the lesson
    visible: str  # the check that students have

    @property
    def written(self):
        """Whether it is an answer in words, which only a person can grade."""
        return self.answer == self.check


def exercises(solved):
    """The exercises of a solved notebook, in order.

    Raises:
        ValueError: if it has none, or a check without an answer.
    """
    found, answer, lesson = [], None, []
    for cell in solved.cells:
        told = _told(cell)
        if told.get("grade"):
            found.append(_exercise(cell, told, answer, lesson, {one.name for one in found}))
        elif told.get("solution"):
            answer = cell
        elif cell.cell_type == "code":
            lesson.append(cell.source)
    if not found:
        raise ValueError("it has no exercises: no cell is marked as graded for nbgrader")
    return found


def _exercise(cell, told, answer, lesson, taken):
    key, points = told["grade_id"], float(told.get("points", 0))
    if told.get("solution"):
        return Exercise(key, key, key, points, (), "", "")
    if answer is None:
        raise ValueError(f"the check {key} has no answer before it")
    number = _NUMBER.match(answer.source)
    defines = [n for node in _statements(answer.source) for n in _bound_by(node, imports=False)]
    return Exercise(
        name=number[1] if number and number[1] not in taken else key,
        answer=_told(answer)["grade_id"],
        check=key,
        points=points,
        defines=tuple(defines),
        restore=restoring(lesson, cell.source, defines),
        visible=split(cell.source)[0],
    )


def _told(cell):
    """What nbgrader's metadata say of a cell; a student's may say anything."""
    told = cell.metadata.get("nbgrader", {})
    return told if isinstance(told, dict) else {}


def split(source):
    """The visible part of a check cell, and its hidden tests, as nbgrader finds their markers."""
    parts, hidden = {False: [], True: []}, False
    for line in source.split("\n"):
        if "BEGIN HIDDEN TESTS" in line:
            hidden = True
        elif "END HIDDEN TESTS" in line:
            hidden = False
        else:
            parts[hidden].append(line)
    return "\n".join(parts[False]).rstrip("\n"), "\n".join(parts[True])


def restoring(lesson, check, answer):
    """Code that binds what a check takes from a lesson, as the lesson binds it.

    Args:
        lesson: the sources of the lesson's cells before the check.
        check: the source of the check cell.
        answer: names that the answer defines, which stay what they are.

    Returns:
        The lesson's imports and definitions of the functions and classes that the check uses, and
        of those that these use, in the lesson's order.
    """
    bound = {}  # name: the statement that binds it last
    for source in lesson:
        for node in _statements(source):
            for name in _bound_by(node):
                bound.pop(name, None)
                bound[name] = node
    wanted, todo = set(), [check]
    while todo:
        nodes = ast.walk(notebooks.syntax_tree(todo.pop()))
        used = {node.id for node in nodes if isinstance(node, ast.Name)}
        for name in used - wanted - set(answer):
            if name in bound:
                wanted.add(name)
                todo.append(ast.unparse(bound[name]))
    kept = {id(node): node for name, node in bound.items() if name in wanted}
    return "\n".join(ast.unparse(node) for node in kept.values())


def _statements(source):
    tree = reach.parsed(source)
    return tree.body if tree else []


def _bound_by(node, imports=True, values=False):
    """The names that an import, a definition or an assigned lambda, or any value, binds."""
    if isinstance(node, (ast.Import, ast.ImportFrom)):
        return [(a.asname or a.name).partition(".")[0] for a in node.names if imports]
    if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
        return [node.name]
    if isinstance(node, ast.Assign) and (values or isinstance(node.value, ast.Lambda)):
        return [target.id for target in node.targets if isinstance(target, ast.Name)]
    return []


def prepared(solved):
    """The lesson with solutions cleared and its checks whole, as nbgrader's gradebook has it."""
    from nbgrader.preprocessors import ClearOutput, ClearSolutions, ComputeChecksums

    nb = copy.deepcopy(solved)
    stub = {"python": release.CODE_STUB}
    clear = ClearSolutions(code_stub=stub, text_stub=release.TEXT_STUB, log=SILENT)
    for step in (clear, ClearOutput(log=SILENT), ComputeChecksums(log=SILENT)):
        nb, _ = step.preprocess(nb, {})
    return nb


class _Entry:
    """A cell on its way, and the lesson's name for it: None for one of the student's own."""

    def __init__(self, key, cell, given=False):
        self.key, self.cell, self.given = key, cell, given
        self.bound = {
            name for node in _statements(cell.source) for name in _bound_by(node, values=True)
        }

    def binds(self, exercise):
        """Whether it binds all that an exercise asks for."""
        return bool(exercise.defines) and self.bound.issuperset(exercise.defines)

    def answers(self, exercise, stubs):
        """Whether it does so as the student's, with more to it than the stub."""
        stub = _is_stub(self.cell, stubs[exercise.answer])
        return self.binds(exercise) and not self.given and not stub


def _is_stub(cell, stub):
    """Whether an answer is untouched: it does nothing that the stub does not do."""
    if cell.cell_type == "markdown":
        return cell.source.strip() in ("", stub.strip(), release.TEXT_STUB)
    try:
        return bool(cell.source.strip()) and release.statements(cell.source) <= (
            release.statements(stub)
        )
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False


def assemble(lesson, submitted):
    """The notebook to grade.

    A cell belongs to the exercise whose names it binds; where it binds none, and no other cell does
    so, to that of its grade_id, of its first line, ``# Exercise N.M``, or of its id. An untouched
    answer gives way to a worked one. A lesson's cell is known by its id, or else by its text; one
    that is gone is put back after the one that it followed, because a check may need it.

    Args:
        lesson: what ``prepared`` gave.
        submitted: the student's notebook; it is not changed.

    Returns:
        A notebook whose ``metadata.course`` has ``answered``, the names of the exercises with more
        than a stub, and ``doubt``, why a person should look at it; empty if nobody need.
    """
    every = exercises(lesson)
    stubs = {cell.id: cell.source for cell in lesson.cells}
    entries = _entries(lesson, submitted, every)
    own_text = any(e.key is None and e.cell.cell_type == "markdown" for e in entries)
    chosen, answered = {}, []
    for one in every:
        mine = [entry for entry in entries if entry.key == one.answer]
        if one.written:
            text = "\n\n".join(entry.cell.source for entry in mine)
            entries = [entry for entry in entries if entry not in mine[1:]]
            mine = mine[:1]
            if mine:
                mine[0].cell.source = text
        else:  # the content counts before the name
            worked = [entry for entry in mine if entry.answers(one, stubs)]
            worked = worked or [e for e in entries if e.answers(one, stubs)][-1:]
            taken = [e for e in mine if any(e.answers(other, stubs) for other in every)]
            if worked:
                idle = [e for e in mine if e not in worked and _is_stub(e.cell, stubs[e.key])]
                entries = [entry for entry in entries if entry not in idle]
                for entry in mine:
                    entry.key = entry.key if entry in worked else None
            mine = worked or [entry for entry in mine if entry not in taken]
        chosen[one] = mine
        if any(not _is_stub(entry.cell, stubs[one.answer]) for entry in mine):
            answered.append(one.name)
    given = {cell.id: cell for cell in lesson.cells}
    cells = _in_order(entries, chosen, given, own_text)
    words = reach.found(
        [e.cell.source for e in entries if e.cell.cell_type == "code" and not e.given]
    )
    word = words[0] if words else ""
    word = word if len(word) <= _LONGEST_WORD else f"{word[:_LONGEST_WORD]}…"
    doubt = f"the code holds {word}, which no answer needs" if word else ""
    return _notebook(cells, lesson, answered=answered, doubt=doubt)


def _entries(lesson, submitted, every):
    """The student's cells but for copies of checks, and the lesson's own that are missing."""
    from nbformat import v4

    answers = {one.answer: one for one in every}
    names = {one.name.lower(): one.answer for one in every if not one.written}
    checks = {one.visible.strip() for one in every if not one.written}
    ours = {c.id: c for c in lesson.cells if not _told(c).get("grade") and c.id not in answers}
    texts = {cell.source.strip(): cell.id for cell in ours.values()}
    entries = []
    for cell in submitted.cells:
        source, kind = cell.source, cell.cell_type
        if split(source)[0].strip() in checks:
            continue
        key = _told(cell).get("grade_id")
        key = key if isinstance(key, str) and key in answers else None
        number = _NUMBER.match(source)
        if key is None and number and kind != "markdown":  # there it is a heading
            key = names.get(number[1].lower())
        if key is None:
            key = cell.get("id") if cell.get("id") in {**ours, **answers} else None
            key = key or texts.get(source.strip())
        same = key in ours and ours[key].source.strip() == source.strip()
        if key in answers:  # some editors change a cell's kind at a touch
            kind = "markdown" if answers[key].written else "code"
        if kind == "code":
            new = v4.new_code_cell(source)
        else:
            new = v4.new_markdown_cell(source if same else inert(source))
        entries.append(_Entry(key, new, given=same))
    code = {c.id: c for c in lesson.cells if c.cell_type == "code" and not _told(c).get("grade")}
    _put_back(entries, code, answers)
    return entries


def inert(text):
    """Markdown without what a browser might act on, as formgrader shows it with all rights.

    A link may lead to a program however it is spelt, and a picture tells that it is looked at: a
    blank keeps each from its target, and a tag from its name. An entity would show as such in code
    and in mathematics.
    """
    return _LINK.sub(" ", _TAG.sub(" ", text))


def _put_back(entries, ours, answers):
    """Insert, in place, the lesson's cells of code that are missing from a student's cells."""
    present = {entry.key for entry in entries if entry.cell.cell_type == "code"}
    before = None
    for key, cell in ours.items():
        if key not in present and key not in answers:
            places = [place for place, entry in enumerate(entries) if entry.key == before]
            place = places[-1] + 1 if before is not None and places else 0
            entries.insert(place, _Entry(key, copy.deepcopy(cell), given=True))
        if key in present or key not in answers:
            before = key


def _in_order(entries, chosen, given, own_text):
    """The cells with what nbgrader and an execution have to know of each."""
    cells, due = [], []  # due: exercises whose answer has been, and whose check has not
    last = {one: mine[-1] for one, mine in chosen.items() if mine}
    begun = set()
    for place, entry in enumerate(entries):
        cell, mine = entry.cell, [one for one, those in chosen.items() if entry in those]
        if entry.key is not None or mine:  # own cells that follow an answer still belong to it
            behind = entries[place:]
            cells += [_check(one, given, chosen[one], behind) for one in due]
            due = []
        if mine:
            forgotten = [n for one in mine if one not in begun for n in one.defines]
            begun.update(mine)
            cell.metadata["course"] = {
                "answers": [one.name for one in mine],
                "forgets": forgotten,
            }
            final = [one for one in mine if last[one] is entry]
            if final:
                cell.metadata["nbgrader"] = dict(given[final[0].answer].metadata["nbgrader"])
            due += [one for one in final if not one.written]
            for one in final[1:]:
                cells.append(_pointer(one, given, "its answer stands in another cell"))
        elif entry.given or (entry.key and cell.cell_type == "markdown"):
            cell.metadata["course"] = {"lesson": True}
        elif entry.key in given and not _told(given[entry.key]):
            cell.metadata["course"] = {"own": given[entry.key].source}
        cells.append(cell)
    cells += [_check(one, given, chosen[one]) for one in due]
    for one, mine in chosen.items():
        if one.written:
            _look_for_words(one, mine, cells, given, own_text)
        elif not mine:
            others = any(e.key is None and e.cell.cell_type == "code" for e in entries)
            why = "its answer cell is missing"
            cells.append(_pointer(one, given, why))
            cells.append(_check(one, given, why=why + (", grade by hand" if others else "")))
    return cells


def _check(one, given, mine=(), behind=(), **told):
    """The instructor's check of an exercise.

    Args:
        one: the exercise.
        given: the lesson's cells by id.
        mine: the entries that answer it. A failure is unsure where they bind other names.
        behind: the entries behind it. A failure is unsure where one of them answers it again.
        **told: what else to know of it.
    """
    cell = copy.deepcopy(given[one.check])
    again = any(set(one.defines) & e.bound for e in behind if e.key is None)
    renamed = any(e.bound for e in mine) and not any(e.binds(one) for e in mine)
    course = {"checks": one.name, "answer": one.answer, "restore": one.restore}
    course["unsure"] = again or renamed
    cell.metadata["course"] = {**course, **told}
    return cell


def _pointer(one, given, says):
    """A cell that carries the comment on an answer that has no cell of its own."""
    cell = copy.deepcopy(given[one.answer])
    cell.source = f"# Exercise {one.name}: {says}"
    return cell


def _look_for_words(one, mine, cells, given, own_text):
    """Say of an answer in words who has to look at it, and put it back where it is gone."""
    if not mine:
        cells.append(copy.deepcopy(given[one.answer]))
    (cell,) = [c for c in cells if _told(c).get("grade_id") == one.answer]
    empty = _is_stub(cell, given[one.answer].source)
    if empty:
        cell.source = given[one.answer].source  # nbgrader knows it by its checksum
    why = "not attempted" if empty else "a written answer, grade by hand"
    if empty and own_text:
        why = "not where it should be, but there are texts of the student's own, grade by hand"
    cell.metadata["course"] = {"checks": one.name, "answer": one.answer, "why": why}


def _notebook(cells, lesson, **course):
    from nbformat import v4

    kept = {key: lesson.metadata[key] for key in ("kernelspec",) if key in lesson.metadata}
    nb = v4.new_notebook(cells=cells, metadata={**kept, "course": course})
    for number, cell in enumerate(nb.cells):
        cell.id = f"cell-{number}"
    return nb


def refused(lesson, why):
    """A notebook for a submission that cannot be graded: no answers, and why at each check."""
    from nbformat import v4

    nb = assemble(lesson, v4.new_notebook())
    for cell in nb.cells:
        if "checks" in cell.metadata.get("course", {}):
            cell.metadata.course["why"] = why
    nb.cells = [v4.new_markdown_cell(inert(why), id=NOTES[0]), *nb.cells]
    nb.metadata.course["refused"] = True
    return nb
