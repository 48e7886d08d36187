"""Compare two outputs of a notebook cell by what they say, not by how they are spelled.

The same notebook on another release of JAX, or on a GPU, differs in its last digits. So text is
cut into tokens, and token meets token:

- words, punctuation and integers must be equal;
- decimals may differ by 1e-4 of themselves, or by one unit in the last digit that either of them
  shows: ``0.12`` and ``0.13`` agree. ``1.`` and ``1e-05`` show no digit after the point, so they
  have no such unit;
- an integer is never equal to a decimal, ``nan`` only to ``nan``, an ``inf`` only to its like;
- spaces and line breaks are layout and do not count; nor do memory addresses.

A cell's tags widen this: ``rtol=1e-2``, ``atol=1e-8`` for decimals, ``itol=2`` for integers.
"""

import re
from decimal import Decimal, InvalidOperation
from typing import NamedTuple

RTOL = Decimal("1e-4")

IGNORE_OUTPUT = "nbval-ignore-output"
TOLERANCE_TAGS = ("rtol", "atol", "itol")

# Live views differ between versions of ipywidgets, and carry the ids of one session.
WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"

_TOKEN = re.compile(
    r"""
    (?P<address> 0x[0-9a-fA-F]{6,} | \S*ipykernel_[0-9]+/[0-9]+\.py )
  | (?P<word>
        Exercise\ [0-9]+\.[0-9]+ |                     # the name of an exercise is no decimal
        [^\W0-9]\w* (?:(?<=[0-9])(?:\.[0-9]+)+)?      # a word or a name: float32, v1.2
      | [0-9]+(?:\.[0-9]+){2,}                        # a version: 0.10.2
    )
  | (?P<number>
        (?: (?<![\w.)\]])[-+\u2212]                   # a sign, where nothing stands before it,
          | [-+](?=[0-9.]+(?:[eE][-+]?[0-9]+)?j\b) )? # or inside a complex number: 1.5-0.2j
        (?: [0-9]{1,3}(?:[,_][0-9]{3})+(?![0-9]) (?:\.[0-9]+)?   # 12,345.6
          | [0-9]+\.[0-9]* | (?<![\w)\]])\.[0-9]+ | [0-9]+ )
        (?: [eE][-+]?[0-9]+ )?
    )
  | (?P<mark> \S )
    """,
    re.VERBOSE,
)


class Tolerance(NamedTuple):
    """How far two numbers may lie apart: relative, absolute, and, for integers, absolute."""

    rtol: Decimal = RTOL
    atol: Decimal = Decimal(0)
    itol: int = 0


class _Number(NamedTuple):
    text: str
    value: Decimal
    unit: object  # one unit in the last digit shown after the point; None where there is none
    integer: bool
    whole: bool  # written without a digit after the point: 12, and numpy's 12.

    def __str__(self):
        return self.text


def tolerance(tags):
    """The tolerance that a cell's tags ask for.

    Raises:
        ValueError: for a tag that is unknown, malformed, or narrower than the tolerance without it.
    """
    found = {}
    for tag in tags:
        if tag == IGNORE_OUTPUT:
            continue
        name, equals, value = tag.partition("=")
        if name not in TOLERANCE_TAGS or not equals:
            raise ValueError(
                f"unknown tag {tag!r}: a code cell may have {IGNORE_OUTPUT}, rtol=, atol= and itol="
            )
        if name in found:
            raise ValueError(f"tag {tag!r}: {name} is given twice")
        try:
            number = Decimal(value)
        except InvalidOperation:
            raise ValueError(f"tag {tag!r}: {value!r} is not a number") from None
        if not number.is_finite() or number <= 0:
            raise ValueError(f"tag {tag!r}: a tolerance is a positive number")
        if name == "rtol" and not RTOL < number < 1:
            raise ValueError(f"tag {tag!r}: rtol must lie between {RTOL}, which is free, and 1")
        if name == "itol":
            if number != int(number):
                raise ValueError(f"tag {tag!r}: itol is a whole number")
            number = int(number)
        found[name] = number
    return Tolerance(**found)


def tokens(text):
    """Cut text into words (strings) and numbers; layout and addresses fall away."""
    found, depth = [], 0
    for match in _TOKEN.finditer(text):
        spelled, kind = match[0], match.lastgroup
        if kind == "address":
            found.append("ADDRESS")
        elif kind == "number":
            # "1." is numpy's 1.0 inside brackets; elsewhere it is an integer that ends a sentence
            stop = depth == 0 and spelled.endswith(".")
            found.append(_number(spelled[:-1] if stop else spelled))
            if stop:
                found.append(".")
        else:
            depth = max(0, depth + (spelled in ("[", "(")) - (spelled in ("]", ")")))
            found.append(spelled)
    return found


def _number(spelled):
    plain = re.sub("[,_]", "", spelled.replace("\u2212", "-")).lower()
    mantissa, _, exponent = plain.partition("e")
    digits = mantissa.partition(".")[2]
    unit = Decimal(1).scaleb(int(exponent or 0) - len(digits)) if digits else None
    integer = "." not in plain and "e" not in plain
    return _Number(spelled, Decimal(plain), unit, integer, not digits and not exponent)


def _close(stored, fresh, allowed):
    if stored.text == fresh.text:
        return True
    gap = abs(stored.value - fresh.value)
    if stored.whole and fresh.whole and gap <= allowed.itol:
        return stored.integer == fresh.integer
    if stored.integer or fresh.integer:
        return stored.integer and fresh.integer and gap == 0
    units = [n.unit for n in (stored, fresh) if n.unit is not None]
    size = max(abs(stored.value), abs(fresh.value))
    return gap <= max(allowed.atol, allowed.rtol * size, min(units, default=Decimal(0)))


def text_difference(stored, fresh, allowed=Tolerance()):  # noqa: B008 (a NamedTuple never changes)
    """None where both texts say the same, else a line about the first place where they do not."""
    old, new = tokens(stored), tokens(fresh)
    for place, (a, b) in enumerate(zip(old, new)):
        if isinstance(a, _Number) and isinstance(b, _Number):
            if _close(a, b, allowed):
                continue
        elif a == b:
            continue
        return f"stored {_around(old, place)}, now {_around(new, place)}"
    if len(old) != len(new):
        place = min(len(old), len(new))
        return f"stored {_around(old, place)}, now {_around(new, place)}"
    return None


def _around(found, place):
    """The token at ``place`` between guillemets, with its neighbours."""
    if place >= len(found):
        return f"{' '.join(map(str, found[max(0, place - 4) : place]))} »(ends here)«".strip()
    before = " ".join(map(str, found[max(0, place - 4) : place]))
    after = " ".join(map(str, found[place + 1 : place + 4]))
    return f"{before} »{found[place]}« {after}".strip()


def same_layout(stored, fresh):
    """Whether two texts differ in nothing but the values of their digits."""
    return re.sub("[0-9]", "0", stored) == re.sub("[0-9]", "0", fresh)


def output_differences(stored, fresh, allowed=Tolerance()):  # noqa: B008 (a NamedTuple never changes)
    """What two lists of a cell's outputs say differently, as lines of text; none when they agree.

    Outputs are in nbformat's shape. Printed text is compared as one piece, then the shown values
    in their order: which formats each comes in, every text format, a picture's text alternative.
    Left out are pixels, live widget views, and stderr, where drivers write as they please.
    """
    found = []
    difference = text_difference(_printed(stored), _printed(fresh), allowed)
    if difference:
        found.append(f"printed text: {difference}")
    old, new = _shown(stored), _shown(fresh)
    if len(old) != len(new):
        found.append(f"shown values: stored {len(old)}, now {len(new)}")
    for place, (a, b) in enumerate(zip(old, new), 1):
        if set(a) != set(b):
            found.append(f"shown value {place}: stored as {sorted(a)}, now as {sorted(b)}")
            continue
        for kind in sorted(a):
            difference = text_difference(a[kind], b[kind], allowed)
            if difference:
                found.append(f"shown value {place}, {kind}: {difference}")
    return found


def _printed(outputs):
    return "".join(
        out["text"] for out in outputs if out["output_type"] == "stream" and out["name"] == "stdout"
    )


def _shown(outputs):
    """One mapping from format to text per shown value; a picture's text is its alternative."""
    found = []
    for out in outputs:
        if out["output_type"] == "error":
            found.append({"error": f"{out['ename']}: {out['evalue']}"})
        elif "data" in out:
            said = {}
            for kind, value in out["data"].items():
                if kind.startswith("image/"):
                    about = out.get("metadata", {}).get(kind, {})
                    said[kind] = about.get("alt", "") if isinstance(about, dict) else ""
                elif kind != WIDGET_VIEW:
                    said[kind] = value if isinstance(value, str) else repr(value)
            if said:
                found.append(said)
    return found
