"""Exercise F.6: conjugate gradients from products with Phi."""

import math

from course_utils.instructors.problem_sets.drawing import Draw, drawn_until
from course_utils.instructors.problem_sets.foundations.costs import SQUARES
from course_utils.instructors.problem_sets.templates import exercise

PENALTIES = ("half, to zero", "whole, to zero", "half, to start", "whole, to start")
SECONDS = ("slope", "cost", "moved")  # the number beside the weights


def make(seed):
    draw, secret = Draw(seed, "F.6"), Draw(seed, "F.6", "hidden")
    squares, penalty, second = (draw.choice(d) for d in (SQUARES, PENALTIES, SECONDS))
    hand = drawn_until(lambda: _by_hand(draw, squares, penalty, second), least=9)
    return exercise(
        "F.6",
        "foundations/gradients.j2",
        variant=dict(squares=squares, penalty=penalty, second=second),
        values=dict(
            hand,
            stream=draw.stream(),
            l2_run=draw.number(0.2, 0.9),
            cases=[
                (
                    secret.stream(),
                    secret.integer(8, 12),
                    secret.integer(5, 7),
                    k,
                    secret.number(0.2, 1.5, 2),
                )
                for k in (2, 4)
            ],
        ),
    )


def _by_hand(draw, squares, penalty, second):
    """Three examples at right angles: numbers, w after a step, the second number, and slips."""
    a, b = draw.number(0.6, 1.4), draw.number(1.6, 2.6)
    phi, N = [[a, 0.0], [0.0, b], [0.0, 0.0]], 3
    t = [draw.signed(1, 4), draw.signed(1, 4), draw.signed(0.5, 1.5)]
    w0, l2 = [draw.signed(0.5, 2.5), draw.signed(0.5, 2.5)], draw.number(0.4, 1.5)
    data, weight = SQUARES[squares](N), 1 if penalty.startswith("half") else 2
    to_start = penalty.endswith("start")
    size = [a, b]

    def slope(w, data, weight, to_start):
        return [
            data * s * (s * x - y) + weight * l2 * (x - (x0 if to_start else 0))
            for s, x, y, x0 in zip(size, w, t, w0)
        ]

    def step(data=data, weight=weight, to_start=to_start, start=w0, sign=1, full=False):
        r = [-sign * g for g in slope(start, data, weight, to_start)]
        bent = [(data * s * s + weight * l2) * x for s, x in zip(size, r)]
        alpha = 1 if full else sum(x * x for x in r) / sum(x * y for x, y in zip(r, bent))
        return [x + alpha * y for x, y in zip(start, r)]

    w = step()
    moved = math.sqrt(sum((x - y) ** 2 for x, y in zip(w, w0)))
    errors = sum((s * x - y) ** 2 for s, x, y in zip([*size, 0], [*w, 0], t))
    away = sum((x - (x0 if to_start else 0)) ** 2 for x, x0 in zip(w, w0))
    numbers = {
        "slope": math.sqrt(sum(g * g for g in slope(w, data, weight, to_start))),
        "cost": data * errors / 2 + weight * l2 * away / 2,
        "moved": moved,
    }
    slips = {
        "from 0": step(start=[0.0, 0.0]),
        "uphill": step(sign=-1),
        "full step": step(full=True),
        "another center": step(to_start=not to_start),
        "penalty's factor": step(weight=3 - weight),
        "no penalty": step(weight=0),
        "no step": list(w0),
    }
    slips |= {name: step(data=factor(N)) for name, factor in SQUARES.items() if factor(N) != data}
    return dict(phi=phi, t=t, w0=w0, l2=l2, right=w, second_value=numbers[second], slips=slips)
