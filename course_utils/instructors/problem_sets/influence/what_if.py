"""Exercise I.3: influence of another change than leaving an example without weight."""

from course_utils.instructors.problem_sets.drawing import Draw
from course_utils.instructors.problem_sets.templates import exercise

LOSSES = ("logistic", "counts", "log cosh")
CHANGES = ("left out", "counted twice", "relabelled", "moved")  # of one example
ASKED = ("gap", "spread", "loss")  # what may change with it


def make(seed):
    draw, secret = Draw(seed, "I.3"), Draw(seed, "I.3", "hidden")
    variant = dict(
        loss=draw.choice(LOSSES),
        change=draw.choice(CHANGES),
        asked=draw.choice(ASKED),
        bias=draw.choice([True, False]),  # whether the first weight has no penalty
    )
    values = dict(
        l2=draw.number(0.1, 0.6),
        stream=draw.stream(),
        cases=[(secret.stream(), secret.integer(7, 12), secret.integer(2, 5)) for _ in range(2)],
    )
    return exercise("I.3", "influence/what_if.j2", variant, values)
