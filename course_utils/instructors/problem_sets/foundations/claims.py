"""Exercise F.8: which of four claims about a run of gradient descent is false."""

import math

from course_utils.instructors.problem_sets.drawing import Draw, well_posed
from course_utils.instructors.problem_sets.templates import exercise

CLAIMS = ("limit", "last", "share", "sign", "time", "twice", "targets")
# Step size times steepest curvature: no direction swings, one does, or it is the slowest, too
STEPS = {"small": (0.35, 0.7), "swinging": (1.25, 1.55), "near the limit": (1.93, 1.97)}


def make(seed):
    draw = Draw(seed, "F.8")
    wrong, step, mean = draw.choice(CLAIMS), draw.choice(STEPS), draw.choice([True, False])
    true = draw.shuffled([claim for claim in CLAIMS if claim != wrong])[:3]
    claims = draw.shuffled([wrong, *true])
    run = well_posed(lambda: _run(draw, *STEPS[step]))
    return exercise(
        "F.8",
        "foundations/claims.j2",
        variant=dict(wrong=wrong, step=step, mean=mean, place=claims.index(wrong)),
        values=dict(run, claims=claims),
    )


def _run(draw, low, high):
    """Curvatures, first errors and step size, and what follows; None where a claim is in doubt."""
    steep = draw.number(4, 9)
    h = [steep, draw.number(1.2, 2.5), draw.number(0.3, 0.9)]
    e = [draw.signed(1, 3), draw.signed(1, 4), draw.signed(2, 6)]
    eta = round(draw.number(low, high, 3) / steep, 3)
    times = draw.choice([1.3, 1.5, 2, 3, 4])
    factors = [1 - eta * x for x in h]
    costs = [x * y * y / 2 for x, y in zip(h, e)]
    sizes = [abs(x) for x in factors]
    slow, middle = sorted(sizes)[-1], sorted(sizes)[-2]
    first, second = sorted(costs)[-1], sorted(costs)[-2]
    far = max(e, key=abs)
    tenth = math.log(10) / (-2 * math.log(slow))
    if (
        tenth < 8
        or slow - middle < 0.03
        or sizes[1] == slow
        or (sizes[0] == slow) != (low > 1.9)
        or first < 1.2 * second
        or sorted(map(abs, e))[-2] > 0.9 * abs(far)
        or e.index(far) == costs.index(first)
        or times * eta * h[0] < 1.1
        or 1.75 < times * eta * h[0] < 2.3
    ):
        return None
    return dict(
        h=h,
        e=e,
        eta=eta,
        times=times,
        factors=factors,
        costs=costs,
        slowest=sizes.index(slow),
        costliest=costs.index(first),
        farthest=e.index(far),
        tenth=tenth,
        scale=draw.integer(2, 5),
    )
