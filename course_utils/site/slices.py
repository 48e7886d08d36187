"""The part of a notebook that its figures with sliders need: a program slice (Weiser, 1981).

A lesson spends most of its time on other things than its sliders show. A statement belongs to the
slice if it shows an Explorer, stands in the set-up, imports something, or gives or changes a value
that the slice uses. What a call does behind the scenes cannot be read off a program's text:
``run_lessons.run`` compares what a slice shows where the controls start with what is stored, and a
slow test all that it draws with what the whole notebook draws.
"""

import ast
import copy
import symtable

from course_utils.cli import notebooks

_WHOLE = ("bootstrap", "setup")  # cells that make ready what all others use
_MAY_LEAVE = (ast.If, ast.For, ast.While, ast.Try, ast.TryStar, ast.With, ast.Match)


def slice_of(nb):
    """A copy of ``nb`` whose code cells hold the statements that its Explorers need."""
    from IPython.core.inputtransformer2 import TransformerManager

    sliced, shown = copy.deepcopy(nb), notebooks.explorers(nb)
    cells = [cell for _, cell in notebooks.code_cells(sliced)]
    python = TransformerManager().transform_cell
    statements = [_Statement(n, c.id) for c in cells for n in ast.parse(python(c.source)).body]
    modules = set().union(*(s.imports for s in statements))
    modules -= set().union(*(s.gives - s.imports for s in statements))
    generators = set().union(*(_generators(s.node) for s in statements))
    for statement in statements:
        statement.changes -= modules  # a call such as plotting.show(fig) leaves a module as it was
        statement.changes |= statement.uses & generators  # each draw moves a generator on
    kept = {i for i, s in enumerate(statements) if s.cell in (*shown, *_WHOLE) or s.imports}
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
    wanted = []  # a name, the position before which it is asked for, and that before which called

    def keep(position, before, called):
        """Keep a statement whose functions are called before ``before`` and before ``called``."""
        statement = statements[position]
        wanted.extend((name, position, called) for name in statement.uses)
        for name in statement.uses_when_called:
            wanted.extend([(name, before, called), (name, called, called)])

    for position in kept:
        called = len(statements) if position in drawn else position + 1
        keep(position, position + 1, called)
    kept, answered = set(kept), set()
    while wanted:
        wish = name, before, called = wanted.pop()
        if wish in answered:
            continue
        answered.add(wish)
        for position in reversed(range(before)):
            statement = statements[position]
            if name in statement.gives or name in statement.changes:
                kept.add(position)
                keep(position, before, called)
            if name in statement.gives - statement.changes and statement.is_certain:
                break
    return kept


class _Statement:
    """A statement at the top level of a cell, and the names that it has to do with."""

    def __init__(self, node, cell):
        self.node, self.cell = node, cell
        self.uses, self.uses_when_called, self.gives = set(), set(), set()
        self.imports, self.changes = set(_imported(node)), set(_changed(node))
        text = ast.unparse(_OwnScopes().visit(copy.deepcopy(node)))
        self._read(symtable.symtable(text, cell, "exec"), at_once=True)
        self.is_certain = not isinstance(node, _MAY_LEAVE)
        if self.is_certain or isinstance(node, ast.For):
            # what a loop first gives and then uses is its own
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
            runs = inner.get_type() == "class" or inner.get_name() == "genexpr"
            self._read(inner, at_once and runs)


class _OwnScopes(ast.NodeTransformer):
    """Comprehensions as generator expressions, whose names are their own in every Python."""

    def visit_ListComp(self, node):
        self.generic_visit(node)
        return ast.GeneratorExp(node.elt, node.generators)

    visit_SetComp = visit_ListComp

    def visit_DictComp(self, node):
        self.generic_visit(node)
        return ast.GeneratorExp(ast.Tuple([node.key, node.value], ast.Load()), node.generators)


def _generators(node):
    """Names that a statement gives to NumPy's random generators."""
    for part in ast.walk(node):
        if isinstance(part, ast.Assign):
            sides = (getattr(side, "elts", [side]) for side in (part.targets[0], part.value))
            for name, value in zip(*sides):
                if isinstance(value, ast.Call) and ast.unparse(value.func).endswith("default_rng"):
                    yield name.id


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
