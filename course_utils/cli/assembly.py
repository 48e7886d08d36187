"""What is executed to grade a notebook: the student's cells, and the instructor's checks.

A check cell is never the student's: the instructor's takes its place, with its hidden tests, after
the answer that it belongs to. It runs in names of its own, where whatever it takes from the lesson
is bound as the lesson binds it, so that an answer cannot bring its own ``check`` or ``np`` along.
"""

import ast
import re
import symtable
from typing import NamedTuple

_NUMBER = re.compile(r"\s*#\s*Exercise\s+([0-9A-Za-z]+(?:\.[0-9A-Za-z]+)*)", re.I)
_HIDDEN = re.compile(r"^### BEGIN HIDDEN TESTS\n(.*?)^### END HIDDEN TESTS[^\n]*\n?", re.M | re.S)


class Exercise(NamedTuple):
    """One graded cell of a solved notebook, and the answer that it is about."""

    name: str  # such as "1.2"
    answer: str  # the grade_id of its answer cell; empty where it has none
    check: str  # the grade_id of its graded cell
    points: float
    defines: tuple  # the names that the answer gives to functions and classes
    restore: str  # code that binds what the check takes from the lesson
    visible: str  # the check that students have
    hidden: str
    written: bool  # an answer in words, which only a person can grade


class Step(NamedTuple):
    """One piece of code to execute."""

    kind: str  # "cell", "answer" or "check"
    source: str  # empty for a check
    exercise: str  # its name; empty for other cells
    lesson: bool  # whether the code is the lesson's own, to the letter


def exercises(solved):
    """The exercises of a solved notebook, in order.

    Raises:
        ValueError: if it has none.
    """
    found, answer, lesson = [], None, []
    for cell in solved.cells:
        told = _told(cell)
        if told.get("grade"):
            taken = {one.name for one in found}
            found.append(_exercise(cell, told, answer, lesson, taken))
        elif told.get("solution"):
            answer = cell
        elif cell.cell_type == "code":
            lesson.append(cell.source)
    if not found:
        raise ValueError("it has no exercises: no cell is marked as graded for nbgrader")
    return found


def _exercise(cell, told, answer, lesson, taken):
    written = bool(told.get("solution")) or cell.cell_type != "code"
    if written or answer is None:
        name, answer_id, defines = told["grade_id"], "", ()
    else:
        number = _NUMBER.match(answer.source)
        name = number[1] if number and number[1] not in taken else told["grade_id"]
        answer_id = _told(answer)["grade_id"]
        defines = tuple(n for node in _statements(answer.source) for n in _bound_by(node))
    visible, hidden = split(cell.source)
    return Exercise(
        name=name,
        answer=answer_id,
        check=told["grade_id"],
        points=float(told.get("points", 0)),
        defines=defines,
        restore="" if written else restoring(lesson, cell.source, defines),
        visible=visible,
        hidden=hidden,
        written=written,
    )


def _told(cell):
    """What nbgrader's metadata say of a cell; a student's may say anything."""
    told = cell.metadata.get("nbgrader", {})
    return told if isinstance(told, dict) else {}


def split(source):
    """The visible part of a check cell, and its hidden tests, both without the markers."""
    hidden = "".join(match[1] for match in _HIDDEN.finditer(source))
    return _HIDDEN.sub("", source).rstrip("\n"), hidden.rstrip("\n")


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
        for name in _globals_of(todo.pop()) - wanted - set(answer):
            if name in bound:
                wanted.add(name)
                todo.append(ast.unparse(bound[name]))
    kept = {id(node): node for name, node in bound.items() if name in wanted}
    return "\n".join(ast.unparse(node) for node in kept.values())


def _statements(source):
    try:
        return ast.parse(source).body
    except SyntaxError:  # IPython's magic; or a student's
        return []


def _bound_by(node):
    """The names that an import, a definition or an assigned lambda binds."""
    if isinstance(node, (ast.Import, ast.ImportFrom)):
        return [(alias.asname or alias.name).partition(".")[0] for alias in node.names]
    if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
        return [node.name]
    if isinstance(node, ast.Assign) and isinstance(node.value, ast.Lambda):
        return [target.id for target in node.targets if isinstance(target, ast.Name)]
    return []


def _globals_of(source):
    """The names that code takes from its surroundings, in whatever function."""
    top = symtable.symtable(source, "cell", "exec")
    used, tables = set(), [top]
    while tables:
        table = tables.pop()
        tables += table.get_children()
        for symbol in table.get_symbols():
            if symbol.is_referenced() and (table is top or symbol.is_global()):
                used.add(symbol.get_name())
    return used - {s.get_name() for s in top.get_symbols() if s.is_assigned() or s.is_imported()}


def plan(solved, submitted):
    """What to execute of a submitted notebook, and which answers it lacks.

    The student's code cells keep their order. An answer is known by its grade_id, or else by its
    first line, ``# Exercise N.M``, or else by what it defines, also within another answer's cell;
    a lesson's cell by its id, or else by its text. A lesson's cell that is gone is put back after
    the one that it followed, because a check may need it.

    Returns:
        A list of ``Step``, and the names of the exercises whose answer cell is missing.
    """
    every = exercises(solved)
    lesson = {cell.id: cell for cell in _code(solved) if not _told(cell).get("grade")}
    sources = {cell.source.strip(): cell.id for cell in lesson.values()}
    names = {one.name.lower(): one.answer for one in every if one.answer}
    answers, checks = {one.answer for one in every}, {one.check for one in every}
    entries = []  # pairs: the lesson's id of a cell, its source
    for cell in _code(submitted):
        told, number = _told(cell), _NUMBER.match(cell.source)
        key = told.get("grade_id")
        if key in checks:
            continue
        if key not in answers and any(_is_check(cell.source, one) for one in every):
            continue
        if key not in answers:
            key = names.get(number[1].lower()) if number else None
        if key is None:
            known = cell.id if cell.id in lesson and cell.id not in answers else None
            key = known or sources.get(cell.source.strip())
        entries.append((key, cell.source))
    _put_back(entries, lesson, answers)
    given = {(key, cell.source) for key, cell in lesson.items() if key not in answers}
    guests = _found_by_name(entries, every, given)
    steps = []
    due = []  # exercises whose answer has been, and whose check has not
    last = {key: place for place, (key, _) in enumerate(entries)}
    for place, (key, source) in enumerate(entries):
        if key is not None:  # own cells that follow an answer still belong to it
            steps += due
            due = []
        mine = [one for one in every if one.answer and one.answer == key]
        kind = "answer" if mine else "cell"
        same = key in lesson and source == lesson[key].source and not mine
        steps.append(Step(kind, source, mine[0].name if mine else "", same))
        if last[key] == place:
            due += [Step("check", "", one.name, False) for one in mine]
        due += [Step("check", "", one.name, False) for one in guests.get(place, ())]
    steps += due
    present = {key for key, _ in entries} | {one.answer for some in guests.values() for one in some}
    return steps, [one.name for one in every if one.answer and one.answer not in present]


def _found_by_name(entries, every, given):
    """Give a cell that defines what an exercise lacks to it; return those found in others' cells.

    Args:
        entries: pairs of a key and a source, changed in place.
        every: all exercises.
        given: the entries that are the lesson's own, which answer nothing.

    Returns:
        The exercises whose answer is in the cell of another one, by the place of that cell.
    """
    guests = {}
    for one in every:
        if not one.defines or any(key == one.answer for key, _ in entries):
            continue
        places = [
            place
            for place, entry in enumerate(entries)
            if entry not in given and _defines(entry[1], one)
        ]
        if places:
            key, source = entries[places[-1]]
            if key is None:
                entries[places[-1]] = one.answer, source
            else:
                guests.setdefault(places[-1], []).append(one)
    return guests


def _defines(source, exercise):
    bound = {name for node in _statements(source) for name in _bound_by(node)}
    return bound.issuperset(exercise.defines)


def _code(nb):
    return [cell for cell in nb.cells if cell.cell_type == "code"]


def _is_check(source, exercise):
    """Whether a cell is a copy of an exercise's check, whatever became of its metadata."""
    if exercise.written or (exercise.defines and _defines(source, exercise)):
        return False
    called = re.search(r"^check\(.+?\)$", exercise.visible, re.M | re.S)
    return source.strip() == exercise.visible.strip() or bool(called and called[0] in source)


def _put_back(entries, lesson, answers):
    """Insert, in place, the lesson's cells that are missing from a student's cells."""
    present = {key for key, _ in entries}
    before = None
    for key, cell in lesson.items():
        if key not in present and key not in answers:
            places = [place for place, (other, _) in enumerate(entries) if other == before]
            entries.insert(
                places[-1] + 1 if before is not None and places else 0, (key, cell.source)
            )
            present.add(key)
        if key in present:
            before = key
