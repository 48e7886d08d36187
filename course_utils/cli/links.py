"""Links in Markdown: find them, and write them anew for another folder."""

import re

# Code and formulas may hold what looks like a link
_NOT_PROSE = re.compile(
    r"```.*?(?:```|\Z)|~~~.*?(?:~~~|\Z)|(?<!`)(`+)(?!`).*?(?<!`)\1(?!`)|\$\$.*?\$\$|\$[^$\n]+\$",
    re.DOTALL,
)
_TARGET = re.compile(
    r"""
    \]\( \s* <? (?P<inline> (?:[^()\s<>]|\([^()\s]*\))+ ) >? (?:\s+"[^"]*")? \s* \)
  | ^\[[^\]]+\]: \s* <? (?P<reference> [^\s>]+ ) >?
  | \b(?:href|src)="(?P<html> [^"]+ )"
    """,
    re.VERBOSE | re.MULTILINE,
)
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:|//")


def prose(text):
    """``text`` with code and formulas blanked out, every other character in its place."""
    return _NOT_PROSE.sub(lambda match: re.sub(r"[^\n]", " ", match[0]), text)


def targets(text):
    """Where the links and pictures in ``text`` lead, in order."""
    return [match[match.lastgroup] for match in _TARGET.finditer(prose(text))]


def is_relative(target):
    """Whether a link leads to a file beside the one it stands in."""
    return not _SCHEME.match(target) and not target.startswith(("#", "/"))


def moved(text, rewrite):
    """``text`` with every relative link's target replaced by ``rewrite(target)``."""
    pieces, end = [], 0
    for match in _TARGET.finditer(prose(text)):
        kind = match.lastgroup
        if is_relative(match[kind]):
            pieces += [text[end : match.start(kind)], rewrite(match[kind])]
            end = match.end(kind)
    return "".join([*pieces, text[end:]])
