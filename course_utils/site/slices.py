"""The part of a notebook that its figures with sliders need: a program slice (Weiser, 1981).

A lesson spends most of its time on other things than its sliders show. A statement belongs to the
slice if it shows an Explorer, imports something, or gives or changes a value that the slice uses.
What a call does behind the scenes cannot be read off a program's text, so a slice is not trusted:
``frames.run`` compares what it shows with what is stored.
"""

import ast
import copy
import symtable

from course_utils.cli import notebooks

_WHOLE = ("bootstrap", "setup")  # cells that make ready what all others use
_AT_ONCE = ("genexpr", "listcomp", "setcomp", "dictcomp")  # scopes that run where they stand


def slice_of(nb):
    """A copy of ``nb`` whose code cells hold the statements that its Explorers need."""
    from IPython.core.inputtransformer2 import TransformerManager

    sliced = copy.deepcopy(nb)
    shown, statements, kept = notebooks.explorers(nb), [], set()
    cells = [cell for _, cell in notebooks.code_cells(sliced)]
    for cell in cells:
        for node in ast.parse(TransformerManager().transform_cell(cell.source)).body:
            statements.append(_Statement(node, cell.id))
            if cell.id in (*shown, *_WHOLE) or statements[-1].imports:
                kept.add(len(statements) - 1)
    modules = set().union(*(statement.imports for statement in statements))
    for statement in statements:  # a call such as plotting.show(fig) leaves a module as it was
        statement.changes -= modules
    drawn = {i for i in kept if statements[i].cell in shown}
    kept = _needed(statements, kept, drawn)
    for cell in cells:
        nodes = [s.node for i, s in enumerate(statements) if i in kept and s.cell == cell.id]
        cell.source = ast.unparse(ast.Module(nodes, type_ignores=[]))
    return sliced


def _needed(statements, kept, drawn):
    """The statements in ``kept``, and all that they need.

    Args:
        statements: of the whole notebook, in order.
        kept: positions of some of them.
        drawn: those among them that draw again after the last statement.
    """
    wanted = []  # a name, and the position before which its value is asked for

    def keep(position, called):
        """Keep a statement whose functions are called before the statement ``called``."""
        statement = statements[position]
        wanted.extend((name, position) for name in statement.uses)
        wanted.extend((name, called) for name in statement.uses_when_called)

    for position in kept:
        keep(position, position + 1)
    for position in drawn:
        keep(position, len(statements))
    kept, answered = set(kept), set()
    while wanted:
        wish = name, before = wanted.pop()
        if wish in answered:
            continue
        answered.add(wish)
        for position in reversed(range(before)):
            statement = statements[position]
            if name in statement.gives or name in statement.changes:
                kept.add(position)
                keep(position, before)
            if name in statement.gives - statement.changes and statement.is_certain:
                break
    return kept


class _Statement:
    """A statement at the top level of a cell, and the names that it has to do with."""

    def __init__(self, node, cell):
        self.node, self.cell = node, cell
        self.uses, self.uses_when_called, self.gives = set(), set(), set()
        self.imports, self.changes = set(_imported(node)), set(_changed(node))
        self._read(symtable.symtable(ast.unparse(node), cell, "exec"), at_once=True)
        self.is_certain = not isinstance(node, (ast.If, ast.While, ast.Try))
        if self.is_certain:  # what a loop first gives and then uses is its own
            first = dict(reversed(list(_in_order(node))))
            self.uses -= {name for name in first if first[name]} - self.changes

    def _read(self, table, at_once):
        """Take up the names of a scope and of those within."""
        is_top = table.get_type() == "module"
        for symbol in table.get_symbols():
            if is_top and (symbol.is_assigned() or symbol.is_imported()):
                self.gives.add(symbol.get_name())
            if symbol.is_global() and (symbol.is_referenced() or symbol.get_name() in self.changes):
                (self.uses if at_once else self.uses_when_called).add(symbol.get_name())
        for inner in table.get_children():
            runs = inner.get_type() == "class" or inner.get_name() in _AT_ONCE
            self._read(inner, at_once and runs)


def _imported(node):
    """Names that a statement imports."""
    for part in ast.walk(node):
        if isinstance(part, (ast.Import, ast.ImportFrom)):
            yield from ((alias.asname or alias.name).partition(".")[0] for alias in part.names)


def _in_order(node):
    """The names that a statement has to do with as it runs, and whether it gives or uses each."""
    if isinstance(node, ast.Name):
        yield node.id, isinstance(node.ctx, ast.Store)
    if isinstance(node, (ast.FunctionDef, ast.Lambda)):
        return
    first = [getattr(node, part, None) for part in ("value", "iter")]  # before what takes it up
    parts = [part for part in first if isinstance(part, ast.AST)]
    for part in [*parts, *(part for part in ast.iter_child_nodes(node) if part not in parts)]:
        yield from _in_order(part)


def _changed(node):
    """Names whose values a statement changes, as ``x += 1``, ``x[0] = 1``, ``x.add(1)`` do."""
    for part in ast.walk(node):
        if isinstance(part, ast.AugAssign):
            target = part.target
        elif isinstance(part, ast.Expr) and isinstance(part.value, ast.Call):
            target = part.value.func
            if isinstance(target, ast.Name):
                continue
        elif isinstance(part, (ast.Attribute, ast.Subscript)) and not isinstance(
            part.ctx, ast.Load
        ):
            target = part
        else:
            continue
        while isinstance(target, (ast.Attribute, ast.Subscript)):
            target = target.value
        if isinstance(target, ast.Name):
            yield target.id
