"""Exercise I.6: what a damping stands for, with another optimiser."""

from course_utils.instructors.problem_sets.drawing import Draw, well_posed
from course_utils.instructors.problem_sets.templates import exercise

METHODS = ("plain", "heavy ball", "averaged gradient", "look ahead")
# Step sizes, and the mean of their factors
SCHEDULES = {"constant": 1.0, "linear": 0.5, "dropped": 0.55}


def make(seed):
    draw = Draw(seed, "I.6")
    method, schedule = draw.choice(METHODS), draw.choice(SCHEDULES)
    low = draw.choice([True, False])  # whether the colleague's damping is too small
    values = well_posed(lambda: _training(draw, method, schedule, low))
    return exercise(
        "I.6", "influence/damping.j2", dict(method=method, schedule=schedule, low=low), values
    )


def _training(draw, method, schedule, low):
    """The numbers of a training, and two dampings; None where these are too near each other."""
    eta, beta = draw.number(0.02, 0.3, 2), draw.choice([0.8, 0.9, 0.95])
    K, popular = 100 * draw.integer(6, 40), draw.choice([0.001, 0.003, 0.01, 0.03, 0.1])
    gain = 1 / (1 - beta) if method in ("heavy ball", "look ahead") else 1
    delta = 1 / (K * eta * gain * SCHEDULES[schedule])
    ratio = popular / delta
    early = K / ratio < 30 / (1 - beta)  # then the velocity would still be building up
    if not (2 < ratio < 40 or 2 < 1 / ratio < 40) or (ratio < 1) != low or early:
        return None
    return dict(eta=eta, beta=beta, K=K, popular=popular, delta=delta)
