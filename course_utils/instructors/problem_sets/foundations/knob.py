"""Exercise F.7: how the validation error follows a change of the training."""

from course_utils.instructors.problem_sets.drawing import Draw
from course_utils.instructors.problem_sets.templates import exercise

FITS = ("half mean of squares", "mean of squares", "half sum of squares", "logistic")
KNOBS = ("penalty", "log penalty", "example weights")
QUANTITIES = ("error", "logarithm", "root")  # of the validation error


def make(seed):
    draw, secret = Draw(seed, "F.7"), Draw(seed, "F.7", "hidden")
    fit, knob = draw.choice(FITS), draw.choice(KNOBS)
    validation = fit if fit == "logistic" else draw.choice(FITS[:2])
    quantity = draw.choice(QUANTITIES[:2] if fit == "logistic" else QUANTITIES)
    fixed = draw.number(0.2, 0.9)  # the penalty where the weights are turned
    at = _value(draw, knob)
    return exercise(
        "F.7",
        "foundations/knob.j2",
        variant=dict(fit=fit, validation=validation, knob=knob, quantity=quantity),
        values=dict(
            fixed=fixed,
            at=at,
            stream=draw.stream(),
            cases=[
                (
                    secret.stream(),
                    secret.integer(7, 12),
                    secret.integer(4, 9),
                    secret.integer(2, 5),
                    fixed if knob == "example weights" else _value(secret, knob),
                )
                for _ in range(2)
            ],
        ),
    )


def _value(draw, knob):
    """Where the knob stands; by example weights the penalty."""
    return draw.number(-1.6, -0.2) if knob == "log penalty" else draw.number(0.2, 0.9)
