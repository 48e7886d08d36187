"""Exercise I.1: the hypergradient where the model itself is tuned."""

from course_utils.instructors.problem_sets.drawing import Draw
from course_utils.instructors.problem_sets.templates import exercise

KINDS = ("width", "steepness", "centres", "frequencies")  # of all features, or of each
FITS = ("half mean of squares", "mean of squares", "half sum of squares", "log cosh")
JUDGES = ("squares", "log cosh", "bias")  # what the validation looks at


def make(seed):
    draw, secret = Draw(seed, "I.1"), Draw(seed, "I.1", "hidden")
    kind, fit, judge = draw.choice(KINDS), draw.choice(FITS), draw.choice(JUDGES)
    fixed = [draw.number(-1.6, -0.8), draw.signed(0.1, 0.4), draw.number(0.8, 1.6)]
    theta = _theta(draw, kind, 3)
    many = isinstance(theta, list)
    values = dict(
        fixed=fixed,
        l2=draw.number(0.1, 0.6),
        stream=draw.stream(),
        theta=theta,
        ways="[*jnp.eye(3)[:2], jnp.ones(3)]" if many else "[1.0]",
        cases=[
            (
                secret.stream(),
                secret.integer(7, 12),
                secret.integer(4, 9),
                _theta(secret, kind, size),
            )
            for size in (2, 4)
        ],
    )
    return exercise("I.1", "influence/features.j2", dict(kind=kind, fit=fit, judge=judge), values)


def _theta(draw, kind, size):
    """A number where all features share it, else a list of so many, apart from each other."""
    if kind in ("width", "steepness"):
        return draw.number(-0.9, 0.5)
    if kind == "centres":
        return [round(draw.number(-0.3, 0.3) + 1.2 * (j - (size - 1) / 2), 1) for j in range(size)]
    return [round(draw.number(-0.2, 0.2) + 0.9 * (j + 1), 1) for j in range(size)]
