"""Exercise F.2: the largest stable step of a method with memory."""

import math

from course_utils.instructors.problem_sets.drawing import Draw, drawn_until
from course_utils.instructors.problem_sets.foundations.costs import SQUARES
from course_utils.instructors.problem_sets.templates import exercise

# The limit of the step size, from the largest curvature h, beta and l2
METHODS = {
    "heavy ball": lambda h, b, l2: 2 * (1 + b) / h,
    "averaged gradient": lambda h, b, l2: 2 * (1 + b) / ((1 - b) * h),
    "look ahead": lambda h, b, l2: 2 * (1 + b) / ((1 + 2 * b) * h),
    "weight decay": lambda h, b, l2: 2 * (1 + b) / (h + l2 * (1 + b)),
    "extrapolated gradient": lambda h, b, l2: 2 / ((1 + 2 * b) * h),
}


def make(seed):
    draw, secret = Draw(seed, "F.2"), Draw(seed, "F.2", "hidden")
    method, squares = draw.choice(METHODS), draw.choice(SQUARES)
    hand = drawn_until(lambda: _by_hand(draw, method, squares), least=9)
    stream, another_beta = draw.stream(), draw.number(0.2, 0.8)
    betas = [0.0, secret.number(0.1, 0.5, 2), secret.number(0.5, 0.9, 2)]
    cases = [
        (
            secret.stream(),
            secret.integer(7, 12),
            secret.integer(3, 5),
            beta,
            secret.number(0.1, 2) if method == "weight decay" else 0.0,
        )
        for beta in betas
    ]
    return exercise(
        "F.2",
        "foundations/step.j2",
        variant=dict(method=method, squares=squares),
        values=dict(
            hand, stream=stream, another_beta=another_beta, cases=cases, methods=list(METHODS)
        ),
    )


def _by_hand(draw, method, squares):
    """Three examples at right angles: numbers, the limit, and what slips make of it."""
    a, b = draw.number(1.5, 3), draw.number(0.5, 1.3)
    beta, l2 = draw.number(0.2, 0.7), draw.number(0.3, 1.5)
    steep, shallow = 2 * a * a, b * b
    factors = {name: factor(3) for name, factor in SQUARES.items()}
    limit = METHODS[method]
    h = factors[squares] * steep
    slips = {
        "no memory": 2 / h,
        "shallow": limit(factors[squares] * shallow, beta, l2),
        "singular value": limit(math.sqrt(h), beta, l2),
    }
    slips |= {
        name: limit(factor * steep, beta, l2) for name, factor in factors.items() if name != squares
    }
    slips |= {
        name: other(h, beta, l2)
        for name, other in METHODS.items()
        if name != method and (name != "weight decay" or method == "weight decay")
    }
    if method == "weight decay":
        slips["decay in the velocity"] = 2 * (1 + beta) / (h + l2)
    return dict(
        phi=[[a, 0.0], [0.0, b], [a, 0.0]],
        beta=beta,
        l2=l2,
        steep=steep,
        shallow=shallow,
        right=[limit(h, beta, l2)],
        slips={name: [value] for name, value in slips.items()},
    )
