"""Fingerprints of the library functions that grading relies on.

The text of this module is also executed within the process that ran a student's code: it needs the
standard library alone, and takes nothing from the rest of the package.
"""

import builtins
import hashlib
import marshal
import sys
import types

_ROOMS = {"builtins", "math", "os", "numpy", "jax", "jaxlib", "course_utils", "IPython"}
_ROOMS |= {"ipykernel", "traceback", "functools", "linecache"}
_WRAPPED = ("__wrapped__", "__func__", "fun", "func", "jvp", "fget", "fset")
_DEPTH = 4
_FUNCTIONS = types.FunctionType, types.MethodType, types.BuiltinFunctionType
_CODE = (*_FUNCTIONS, staticmethod, classmethod, property)
HOOKS = "IPython's hooks"


def fingerprints(shell=None):
    """What the functions and classes of every loaded library module are made of.

    Args:
        shell: the running IPython shell, whose hooks and replaced methods are then a module
            ``HOOKS`` of their own.

    Returns:
        ``{module: {name: digest}}``. Data are left out, as libraries keep notes in them.
    """
    known = {}
    found = {}
    for name, module in sorted(sys.modules.items()):
        if name.partition(".")[0] in _ROOMS and isinstance(module, types.ModuleType):
            found[name] = {
                key: _named(key, value, known)
                for key, value in list(vars(module).items())
                if callable(value) or isinstance(value, types.ModuleType)
            }
    if shell is not None:
        found[HOOKS] = {f"{kind} {digest}": digest for kind, digest in _hooks(shell, known)}
    return found


def _named(key, value, known):
    """The digest of what a module calls ``key``; loops over types leave one behind, any of them."""
    alias = isinstance(value, type) and value.__name__ != key
    return "another name" if alias else _digest(value, known)


def _hooks(shell, known):
    """What has been hung into a shell, as pairs of the kind and the digest."""
    for kind in ("ast_transformers", "input_transformers_post", "input_transformers_cleanup"):
        for hook in getattr(shell, kind, ()):
            yield kind, _digest(type(hook), known) + _digest(hook, known)
    for kind in ("gettrace", "getprofile"):
        tracer = getattr(sys, kind)()
        if tracer is not None:
            yield kind, _digest(tracer, known)
    for event, callbacks in shell.events.callbacks.items():
        for callback in callbacks:
            yield event, _digest(callback, known)
    for owner in (shell, shell.kernel, shell.display_pub, shell.compile):
        for key, value in list(vars(owner).items()):
            if isinstance(value, (types.FunctionType, types.MethodType)):
                if hasattr(type(owner), key):
                    yield f"{type(owner).__name__}.{key}", _digest(value, known)


def _digest(thing, known, depth=_DEPTH):
    """A short text that says what ``thing`` is made of, ``depth`` layers of wrappers included.

    It depends on nothing but the thing; ``known`` only spares doing the same twice.
    """
    key = id(thing), depth
    if key not in known:
        text = "|".join(_parts(thing, known, depth))
        digest = hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:12]
        known[key] = digest, thing  # kept alive, or another may take its id
    return known[key][0]


def _parts(thing, known, depth):
    kind = type(thing)
    yield f"{kind.__module__}.{kind.__qualname__}"
    if isinstance(thing, types.ModuleType):
        yield f"{thing.__name__} {sys.modules.get(thing.__name__) is thing}"
        return
    if isinstance(thing, types.FunctionType):
        yield hashlib.sha256(marshal.dumps(thing.__code__, 2)).hexdigest()
        for value in (thing.__defaults__ or ()) + tuple((thing.__kwdefaults__ or {}).values()):
            plain = isinstance(value, (bool, int, float, str, type(None)))
            yield repr(value) if plain else type(value).__qualname__
    else:  # libraries may move an object to another __module__ when they load more of themselves
        yield str(getattr(thing, "__name__", ""))
    if depth > 0:
        for name, inner in _inside(thing):
            if isinstance(inner, _CODE):
                yield f"{name}={_digest(inner, known, depth - 1)}"


def _inside(thing):
    """What a class or a wrapper consists of, as pairs of a name and whatever is there."""
    if isinstance(thing, type):
        if thing.__module__.partition(".")[0] in _ROOMS - {"builtins"}:
            yield from sorted(vars(thing).items())
        return
    for name in _WRAPPED:
        yield name, getattr(thing, name, None)
    for cell in getattr(thing, "__closure__", None) or ():
        if cell != types.CellType():
            yield "cell", cell.cell_contents


def differences(clean, seen):
    """Which functions are others than in a clean process, as a list of full names.

    A function that is missing is none of them, because libraries load some on first use; a check
    that needs it fails. Nor is one that is new, unless it stands before one of Python's own.
    """
    found = []
    for module, names in seen.items():
        if module not in clean:
            continue
        for name, digest in names.items():
            known = clean[module].get(name)
            if known is None:
                changed = module == HOOKS or (module != "builtins" and hasattr(builtins, name))
            else:
                changed = known != digest
            if changed:
                found.append(module if module == HOOKS else f"{module}.{name}")
    return sorted(set(found), key=lambda name: (name.count("._"), len(name), name))
