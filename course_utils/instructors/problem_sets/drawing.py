"""Numbers drawn from a seed, and which mistakes a check can tell apart with them."""

import hashlib
import random


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

    def shuffled(self, options):
        """A list of ``options`` in another order."""
        rest = list(options)
        return [rest.pop(int(self._next() * len(rest))) for _ in range(len(rest))]

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


def far_apart(one, other):
    """Whether two lists of numbers differ somewhere by more than a fiftieth of their size."""
    size = max(map(abs, [*one, *other]))
    return max(abs(a - b) for a, b in zip(one, other)) > 0.02 * size


def telling(right, slips):
    """The slips that a check can tell from the right answer, and from the slips before them.

    Args:
        right: list of numbers.
        slips: the name of each slip, and what it makes of the answer: a list of numbers, as long.
    """
    kept = {}
    for name, value in slips.items():
        if all(far_apart(value, other) for other in [right, *kept.values()]):
            kept[name] = value
    return kept


def drawn_until(make, least, tries=200):
    """What ``make`` draws as soon as at least ``least`` of its slips can be told apart.

    Args:
        make: no arguments; returns a dict with the keys ``right`` and ``slips``, see ``telling``.

    Raises:
        RuntimeError: if that does not happen.
    """

    def telling_apart():
        found = make()
        found["slips"] = telling(found["right"], found["slips"])
        return found if len(found["slips"]) >= least else None

    return well_posed(telling_apart, tries)


def well_posed(make, tries=1000):
    """What ``make`` draws as soon as it is not None, which says that these numbers do not do.

    Raises:
        RuntimeError: if that does not happen.
    """
    for _ in range(tries):
        found = make()
        if found is not None:
            return found
    raise RuntimeError("no well-posed numbers were drawn; please report this with the exercise")
