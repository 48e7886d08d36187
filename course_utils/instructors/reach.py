"""Words of a student's code that an answer to an exercise never needs.

Answers share a process with their checks, and what code changes there and puts back leaves no
trace. These words are no proof, and code that hides them is not found: a person has to look.
"""

import ast
import re
import tokenize

from course_utils.cli import notebooks

_LIBRARIES = {"builtins", "functools", "math", "os", "numpy", "jax", "course_utils", "IPython"}
_SHELL = "get_ipython()"  # what runs the cells
_WORDS = (
    "_getframe|_current_frames|currentframe|f_back|f_globals|f_locals|tb_frame|co_consts"
    "|settrace|setprofile|addaudithook|get_referrers|get_referents|get_objects|ctypes"
    "|__globals__|__code__|__closure__|execute_reply|unittest\\.mock|MagicMock"
    "|__eq__|__array_function__|__array_ufunc__|__jax_array__"
    "|ast_transformers|input_transformers?_\\w+"
    "|run_cell(?:_async)?|run_code|run_ast_nodes|raw_cell|(?:pre|post)_(?:run_cell|execute)"
    "|set_custom_exc|_?showtraceback|do_execute|execute_request|shell_handlers"
)
_WORD = re.compile(rf"(?<!\w)({_WORDS})(?!\w)")
_MAGIC = re.compile(r"^[ \t]*[%!].*", re.M)


def found(sources):
    """The words in a student's cells, in order: of Python's machinery, or a replaced function's.

    Args:
        sources: a list of code cells; what one imports is known in all of them.
    """
    trees = [tree for source in sources if (tree := parsed(source)) is not None]
    shells = {_SHELL, *(name for tree in trees for name in _shells(tree))}
    libraries = {name for tree in trees for name in _imported(tree)} | shells
    words = [word for source in sources for word in _WORD.findall(_without_comments(source))]
    words += [name for tree in trees for name in _replaced(tree, libraries)]
    return words + [call for tree in trees for call in _put_together(tree, shells)]


def _without_comments(source):
    """A cell without Python's comments; as it is where they cannot be told for certain."""
    lines = source.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    try:
        for token in tokenize.generate_tokens(iter([f"{line}\n" for line in lines]).__next__):
            row, start = token.start
            if token.type == tokenize.COMMENT and not _MAGIC.match(lines[row - 1]):
                if len(token.string.splitlines()) > 1:  # IPython knows more ends of lines
                    return source
                lines[row - 1] = lines[row - 1][:start]
    except (tokenize.TokenError, SyntaxError, ValueError, RecursionError, MemoryError):
        return source
    return "\n".join(lines)


def parsed(source):
    """The syntax tree of a cell, IPython's magic left out; None where it is no Python."""
    try:
        return notebooks.syntax_tree(_MAGIC.sub("", source))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _imported(tree):
    """The names by which code knows the libraries that checks rely on."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            of = {alias.asname or alias.name.partition(".")[0]: alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            of = {alias.asname or alias.name: node.module or "" for alias in node.names}
        else:
            continue
        yield from (name for name, module in of.items() if module.partition(".")[0] in _LIBRARIES)


def _is_shell(node):
    """Whether a node is a call of ``get_ipython``, by whatever way it was imported."""
    func = node.func if isinstance(node, ast.Call) else None
    return "get_ipython" in (getattr(func, "id", ""), getattr(func, "attr", ""))


def _shells(tree):
    """The names that code gives to the shell."""
    for node in ast.walk(tree):
        if isinstance(node, (ast.Assign, ast.NamedExpr)) and _is_shell(node.value):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            yield from (target.id for target in targets if isinstance(target, ast.Name))


def _put_together(tree, shells):
    """The calls that take from the shell what they do not name in one word."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "getattr":
            of, name = [*node.args, None, None][:2]
            ours = _is_shell(of) or getattr(of, "id", "") in shells
            if ours and not isinstance(name, ast.Constant):
                yield ast.unparse(node)


def _replaced(tree, libraries):
    """The attributes of libraries that code sets or deletes, settings apart."""
    for node in ast.walk(tree):
        target = None
        if isinstance(node, ast.Attribute) and not isinstance(node.ctx, ast.Load):
            target = node
        elif isinstance(node, ast.Call) and getattr(node.func, "id", "") in ("setattr", "delattr"):
            target = node.args[0] if node.args else None
        named = isinstance(target, (ast.Attribute, ast.Name)) or _is_shell(target)
        name = ast.unparse(target) if named else ""
        if name.partition(".")[0] in libraries and ".config" not in name:
            yield name
