"""What problem sets are drawn and written with: numbers from a seed, and text with gaps."""

import hashlib
import random
import re
import textwrap

from course_utils.instructors.problem_sets.templates import Exercise  # noqa: F401

_GAP = re.compile("«([a-z_0-9]+)»")


class Draw:
    """Numbers from a seed and a name; other names give numbers that have nothing to do with these.

    Only ``random.Random.random`` is used, whose sequence Python promises to keep, so that a seed
    draws the same set in every release and on every machine.

    Args:
        seed: bytes.
        *name: strings, such as ``"F.1", "hidden"``.
    """

    def __init__(self, seed, *name):
        parts = [hashlib.sha256(seed).hexdigest(), *name]
        key = hashlib.sha256("\n".join(parts).encode()).digest()
        self._next = random.Random(int.from_bytes(key, "big")).random

    def choice(self, options):
        """One of ``options``, a list or a dict's keys."""
        options = list(options)
        return options[int(self._next() * len(options))]

    def number(self, low, high, digits=1):
        """A number from ``low`` to ``high`` with that many digits after the point."""
        return round(low + (high - low) * self._next(), digits)

    def numbers(self, count, low, high, digits=1):
        """A list of ``count`` such numbers."""
        return [self.number(low, high, digits) for _ in range(count)]

    def signed(self, low, high, digits=1):
        """A number whose size lies from ``low`` to ``high``, of either sign."""
        return self.choice([-1, 1]) * self.number(low, high, digits)

    def integer(self, low, high):
        """A whole number, ``low`` and ``high`` included."""
        return low + int(self._next() * (high - low + 1))

    def stream(self):
        """A seed for ``np.random.default_rng`` in a cell: nine digits."""
        return self.integer(10**8, 10**9 - 1)


def fill(template, **values):
    """``template`` with each «name» replaced by its value.

    Raises:
        KeyError: if a gap has no value.
    """
    return _GAP.sub(lambda gap: str(values[gap[1]]), template)


def filled(values, **templates):
    """The ``templates`` by their names, filled with the same ``values``, a dictionary."""
    return {name: fill(template, **values) for name, template in templates.items()}


def shown(value):
    """A number, or a list of them, as source code with six significant digits."""
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(shown, value)) + "]"
    return repr(float(f"{value:.6g}"))


def far_apart(one, other):
    """Whether two lists of numbers differ somewhere by more than a fiftieth of their size."""
    size = max(map(abs, [*one, *other]))
    return max(abs(a - b) for a, b in zip(one, other)) > 0.02 * size


def telling(right, slips):
    """The slips that a check can tell from the right answer, and from the slips before them.

    Args:
        right: list of numbers.
        slips: pairs of a list of numbers, as long, and a hint.
    """
    kept = []
    for value, hint in slips:
        if all(far_apart(value, other) for other in [right, *(v for v, _ in kept)]):
            kept.append((value, hint))
    return kept


def drawn_until(make, least, tries=200):
    """What ``make`` draws as soon as at least ``least`` of its slips can be told apart.

    Args:
        make: no arguments; returns a dict with the keys ``right`` and ``slips``, see ``telling``.

    Raises:
        RuntimeError: if that does not happen.
    """
    for _ in range(tries):
        found = make()
        found["slips"] = telling(found["right"], found["slips"])
        if len(found["slips"]) >= least:
            return found
    raise RuntimeError("no well-posed numbers were drawn; please report this with the exercise")


def slip_list(slips):
    """The entries of a check's list ``slips``: each the wrong value, and what it tells."""
    lines = []
    for value, hint in slips:
        value = shown(value if len(value) > 1 else value[0])
        words = [f'"{piece} "' for piece in textwrap.wrap(hint, 62)]
        words[-1] = words[-1].removesuffix(' "') + '",'
        inside = [*textwrap.wrap(f"{value},", 66), *words]
        lines += ["        (", *("            " + line for line in inside), "        ),"]
    return "\n".join(lines)


def row_list(rows):
    """A list of tuples as source code, one in a line, that begins at a line's left edge."""
    return "[\n" + "".join(f"    {row!r},\n" for row in rows) + "]"
