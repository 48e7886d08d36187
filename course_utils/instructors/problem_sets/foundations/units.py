"""Exercise F.3: weights of prepared data, in the units of the raw ones."""

import math

from course_utils.instructors.problem_sets.drawing import Draw, drawn_until
from course_utils.instructors.problem_sets.templates import exercise

PREPARATIONS = ("standardised", "from 0 to 1", "from -1 to 1", "largest deviation")
TARGETS = ("standardised", "in halves of the range", "from 0 to 1")


def make(seed):
    draw, secret = Draw(seed, "F.3"), Draw(seed, "F.3", "hidden")
    features, targets = draw.choice(PREPARATIONS), draw.choice(TARGETS)
    hand = drawn_until(lambda: _by_hand(draw, features, targets), least=11)
    return exercise(
        "F.3",
        "foundations/units.j2",
        variant=dict(features=features, targets=targets),
        values=dict(
            hand,
            preparations=PREPARATIONS,
            stream=draw.stream(),
            constant=draw.signed(1, 5),
            cases=[
                (secret.stream(), secret.integer(6, 15), secret.integer(2, 5)) for _ in range(3)
            ],
        ),
    )


def _statistics(column):
    """Shift and scale of each preparation, by its name."""
    mean, low, high = sum(column) / len(column), min(column), max(column)
    deviation = math.sqrt(sum((x - mean) ** 2 for x in column) / len(column))
    return {
        "standardised": (mean, deviation),
        "from 0 to 1": (low, high - low),
        "from -1 to 1": ((high + low) / 2, (high - low) / 2),
        "largest deviation": (mean, max(abs(x - mean) for x in column)),
        "in halves of the range": (mean, (high - low) / 2),
    }


def _by_hand(draw, features, targets):
    """Four examples of one feature: numbers, (w, b), and what slips make of it."""
    x = draw.numbers(4, 1, 9)
    t = draw.numbers(4, 10, 30)
    v, c = draw.signed(1, 4), draw.signed(0.5, 2)
    if max(x) - min(x) < 2 or max(t) - min(t) < 5:
        return dict(right=[1.0, 1.0], slips={})  # nearly constant: draw again
    of_x, of_t = _statistics(x), _statistics(t)
    shift, scale = of_x[features]
    t_shift, t_scale = of_t[targets]

    def raw(shift=shift, scale=scale, t_shift=t_shift, t_scale=t_scale):
        return [t_scale * v / scale, t_shift + t_scale * (c - shift * v / scale)]

    w, b = raw()
    slips = {
        "multiplied": [t_scale * v * scale, b],
        "no shift": raw(shift=0.0),
        "targets not scaled": raw(t_scale=1.0),
        "targets not shifted": raw(t_shift=0.0),
        "sign of the shift": raw(shift=-shift),
        "targets divided": [v / t_scale / scale, b],
        "c not scaled": [w, t_shift + c - shift * w],
        "c for b": [w, c],
        "as they came": [v, c],
    }
    slips |= {name: raw(*of_x[name]) for name in PREPARATIONS if name != features}
    return dict(x=x, t=t, v=v, c=c, right=[w, b], slips=slips)
