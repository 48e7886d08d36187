"""Exercise I.7: a Newton step for a group, from a system of the group's size."""

import math

from course_utils.instructors.problem_sets.drawing import Draw, drawn_until, well_posed
from course_utils.instructors.problem_sets.templates import exercise

# Slope and second derivative of a loss by the output z, for the target y; how a target is drawn
LOSSES = {
    "logistic": (
        lambda z, y: -y / (1 + math.exp(y * z)),
        lambda z, y: 1 / (1 + math.exp(z)) / (1 + math.exp(-z)),
        lambda draw: draw.choice([-1.0, 1.0]),
    ),
    "counts": (
        lambda z, y: math.exp(z) - y,
        lambda z, y: math.exp(z),
        lambda draw: float(draw.integer(0, 4)),
    ),
    "log cosh": (
        lambda z, y: math.tanh(z - y),
        lambda z, y: 1 - math.tanh(z - y) ** 2,
        lambda draw: draw.signed(0.5, 1.5),
    ),
    "squares": (
        lambda z, y: 2 * (z - y),
        lambda z, y: 2.0,
        lambda draw: draw.signed(0.5, 1.5),
    ),
}
CHANGES = {"leaves": -1.0, "twice": 1.0, "half": -0.5}  # what is added of the group
ASKED = ("test outputs", "own outputs", "move")
OTHERS = ((1.0, -1.0), (0.5, 1.0), (2.0, 0.0))  # the other inputs by hand


def make(seed):
    draw, secret = Draw(seed, "I.7"), Draw(seed, "I.7", "hidden")
    loss, change, asked = draw.choice(LOSSES), draw.choice(CHANGES), draw.choice(ASKED)
    hand = drawn_until(lambda: _by_hand(draw, loss, change, asked), least=10 + (loss != "squares"))
    values = dict(
        hand,
        stream=draw.stream(),
        cases=[
            (secret.stream(), secret.integer(12, 20), secret.integer(15, 30), size)
            for size in (1, 4)
        ],
    )
    return exercise(
        "I.7", "influence/group.j2", dict(loss=loss, change=change, asked=asked), values
    )


def _members(draw, loss):
    """A diagonal Hessian and a group of two that has a good part of it, not all; else None."""
    slope, bend, target = LOSSES[loss]
    h, n = [draw.number(0.4, 0.8), draw.number(0.8, 1.4)], draw.integer(3, 20)
    X = [[draw.signed(0.5, 1.5), draw.signed(0.5, 1.5)] for _ in range(2)]
    z, y = [draw.signed(0.2, 1.8), draw.signed(0.2, 1.8)], [target(draw) for _ in range(2)]
    B = [bend(*pair) for pair in zip(z, y)]
    K = [[sum(a * b / c for a, b, c in zip(one, two, h)) / n for two in X] for one in X]
    shares = B[0] * K[0][0], B[1] * K[1][1]  # of the curvature, each by itself
    if min(shares) < 0.05 or sum(shares) > 0.8 or abs(B[0] / B[1] - 1) < 0.2 * (loss != "squares"):
        return None
    return dict(h=h, n=n, X=X, z=z, y=y, B=B, K=K, slopes=[slope(*pair) for pair in zip(z, y)])


def _by_hand(draw, loss, change, asked):
    """Two members, two weights: numbers, the answer, and what slips make of it."""
    found = well_posed(lambda: _members(draw, loss))
    h, n, X, B, K = (found[name] for name in "hnXBK")
    c, slopes = CHANGES[change], found["slopes"]

    def answer(a=None, c=c, share=1 / n):
        """The numbers that are asked for, from the two unknowns."""
        if a is None:
            a = solved(c=c)
        move = [-c * share * sum(x[j] * v for x, v in zip(X, a)) / h[j] for j in (0, 1)]
        if asked == "move":
            return move
        rows = X if asked == "own outputs" else OTHERS
        return [x[0] * move[0] + x[1] * move[1] for x in rows]

    def solved(c=c, left=B, right=(1.0, 1.0), off=1.0, times=1.0):
        """The solution of (I + c diag(left) K diag(right)) a = slopes."""
        M = [
            [
                (i == j) + c * times * left[i] * K[i][j] * right[j] * (1 if i == j else off)
                for j in (0, 1)
            ]
            for i in (0, 1)
        ]
        (p, q), (r, s) = M
        det = p * s - q * r or 1e-9  # 0 for a slip only
        return [(s * slopes[0] - q * slopes[1]) / det, (p * slopes[1] - r * slopes[0]) / det]

    KB = [[c * B[i] * K[i][j] for j in (0, 1)] for i in (0, 1)]
    second = [slopes[i] - sum(KB[i][j] * slopes[j] for j in (0, 1)) for i in (0, 1)]
    slips = {
        "first order": answer(slopes),
        "second order": answer(second),
        "own curvature alone": answer(solved(off=0.0)),
        "wrong side": answer(solved(left=(1.0, 1.0), right=B)),
        "sign": [-x for x in answer()],
        "sign of the curvature": answer(solved(c=-c)),
        "curvature left out": answer(solved(left=(1.0, 1.0))),
        "no share in the system": answer(solved(times=n)),
        "no share": answer(solved(times=n), share=1.0),
    }
    slips |= {name: answer(c=other) for name, other in CHANGES.items() if name != change}
    if loss == "squares":
        slips["half twice"] = answer(solved(left=(1.0, 1.0)))
        del slips["wrong side"], slips["curvature left out"]
    return dict(found, right=answer(), slips=slips)
