"""Exercise F.5: two kinds of curvature, example by example."""

import math

from course_utils.instructors.problem_sets.drawing import Draw, drawn_until
from course_utils.instructors.problem_sets.templates import exercise

# An output and its first two derivatives
OUTPUTS = {
    "tanh": lambda a: (
        math.tanh(a),
        1 - math.tanh(a) ** 2,
        -2 * math.tanh(a) * (1 - math.tanh(a) ** 2),
    ),
    "softplus": lambda a: (
        math.log(1 + math.exp(a)),
        1 / (1 + math.exp(-a)),
        1 / (1 + math.exp(-a)) / (1 + math.exp(a)),
    ),
    "sine": lambda a: (math.sin(a), math.cos(a), -math.sin(a)),
    "parabola": lambda a: (a + a * a / 2, 1 + a, 1.0),
}
# The first two derivatives of a loss by the output
LOSSES = {
    "quartic": lambda z, t: ((z - t) ** 3, 3 * (z - t) ** 2),
    "log cosh": lambda z, t: (math.tanh(z - t), 1 - math.tanh(z - t) ** 2),
    "logistic": lambda z, t: (
        -t / (1 + math.exp(t * z)),
        1 / (1 + math.exp(z)) / (1 + math.exp(-z)),
    ),
    "counts": lambda z, t: (math.exp(z) - t, math.exp(z)),
}
TARGETS = {
    "quartic": lambda draw: draw.signed(1, 2.5),
    "log cosh": lambda draw: draw.signed(0.5, 1.5),
    "logistic": lambda draw: draw.choice([-1.0, 1.0]),
    "counts": lambda draw: float(draw.integer(0, 4)),
}
# What is asked for, in this order: the curvature of the loss, of the model, or the whole
PAIRS = [("loss", "model"), ("whole", "loss"), ("model", "whole"), ("whole", "model")]


def make(seed):
    draw, secret = Draw(seed, "F.5"), Draw(seed, "F.5", "hidden")
    output, loss, mean = draw.choice(OUTPUTS), draw.choice(LOSSES), draw.choice([True, False])
    pair = draw.choice(PAIRS)
    hand = drawn_until(lambda: _by_hand(draw, output, loss, mean, pair), least=9)
    return exercise(
        "F.5",
        "foundations/curvatures.j2",
        variant=dict(output=output, loss=loss, mean=mean, pair=pair),
        values=dict(
            hand,
            pairs=PAIRS,
            stream=draw.stream(),
            cases=[(secret.stream(), secret.integer(3, 9), secret.integer(2, 5)) for _ in range(2)],
        ),
    )


def _by_hand(draw, output, loss, mean, pair):
    """Two examples, one weight: numbers, both parts of each example, and slips."""
    phi = [draw.signed(0.5, 1.5), draw.signed(0.5, 1.5)]
    w, v = draw.signed(0.4, 1), draw.signed(1.5, 3)
    t = [TARGETS[loss](draw) for _ in phi]
    rows = []  # of each example: g', g'', slope and bend of the loss, phi v
    for x, target in zip(phi, t):
        z, g1, g2 = OUTPUTS[output](x * w)
        rows.append((g1, g2, *LOSSES[loss](z, target), x * v))

    bent = lambda g1, g2, slope, bend, s: bend * (g1 * s) ** 2
    rest = lambda g1, g2, slope, bend, s: slope * g2 * s**2

    def parts(bent=bent, rest=rest, over=2 if mean else 1, pair=pair):
        both = {
            "loss": [bent(*row) / over for row in rows],
            "model": [rest(*row) / over for row in rows],
        }
        both["whole"] = [sum(two) for two in zip(both["loss"], both["model"])]
        return both[pair[0]] + both[pair[1]]

    slips = {
        "exchanged": parts(pair=pair[::-1]),
        "mean or sum": parts(over=1 if mean else 2),
        "no curvature of the loss": parts(lambda g1, g2, slope, bend, s: (g1 * s) ** 2),
        "slope once": parts(lambda g1, g2, slope, bend, s: bend * g1 * s * s),
        "no slope of the loss": parts(rest=lambda g1, g2, slope, bend, s: g2 * s * s),
        "sign": parts(rest=lambda *r: -rest(*r)),
        "v once": parts(lambda *r: bent(*r) / r[4], lambda *r: rest(*r) / r[4]),
        "v at length 1": parts(lambda *r: bent(*r) / v**2, lambda *r: rest(*r) / v**2),
    }
    slips |= {" and ".join(other): parts(pair=other) for other in PAIRS if set(other) != set(pair)}
    if any(abs(x) < 0.02 for x in [*parts(pair=("loss", "model")), *parts()]):
        slips = {}  # a part that is nearly 0 tells nothing: draw again
    return dict(phi=[[x] for x in phi], w=w, v=v, t=t, right=parts(), slips=slips)
