"""The package's docstrings, whose mathematics stands between dollars, as Sphinx reads them."""

import re

_PIECES = re.compile(
    r"(?P<literal>``.+?``)|\$\$(?P<display>.+?)\$\$|\$(?P<inline>[^$]+?)\$"
    r"|(?P<role>:\w+:`[^`]+`)",
    re.DOTALL,
)
# What reStructuredText would take for its own. The extension for Google's style escapes the stars
# of an argument, such as **values:, itself
_SIGN = re.compile(
    r"(?P<stars>^ *\*{1,2}(?=\w[\w, *]*:))|[*|`\\]|(?<=[^\W_])_(?![^\W_])", re.MULTILINE
)


def to_rst(text):
    """``text`` with dollars as reStructuredText's mathematics, and its special signs escaped."""
    pieces, end = [], 0
    for match in _PIECES.finditer(text):
        pieces.append(_escaped(text[end : match.start()]))
        end = match.end()
        if match["display"]:
            pieces.append(_display(match["display"], _indent(text, match.start()), text[end:]))
        elif match["inline"]:
            formula = " ".join(match["inline"].split())
            before = "\\ " if text[: match.start()][-1:].isalnum() else ""
            after = "\\ " if text[end : end + 1].isalnum() else ""
            pieces.append(f"{before}:math:`{formula}`{after}")
        else:
            pieces.append(match[0])
    return "".join([*pieces, _escaped(text[end:])])


def _indent(text, position):
    line = text[text.rfind("\n", 0, position) + 1 :]
    return " " * (len(line) - len(line.lstrip(" ")))


def _display(formula, indent, following):
    lines = [f"{indent}   {line.strip()}" for line in formula.strip().split("\n")]
    closing = "\n" if following.startswith("\n\n") or not following.strip() else f"\n\n{indent}"
    return f"\n\n{indent}.. math::\n\n" + "\n".join(lines) + closing


def _escaped(text):
    return _SIGN.sub(lambda match: match["stars"] or "\\" + match[0], text)
