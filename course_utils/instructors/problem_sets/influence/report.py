"""Exercise I.8: what a report's numbers support, and what they do not."""

from course_utils.instructors.problem_sets.drawing import Draw, well_posed
from course_utils.instructors.problem_sets.templates import exercise

CLAIMS = ("size", "starts", "curvature", "similar", "random")
SETTINGS = ("recipes", "digits", "birds")
METHODS = (
    "influence with EK-FAC",
    "influence in the 50 directions of largest curvature",
    "influence with damped conjugate gradients",
    "influence with K-FAC",
)


def make(seed):
    draw = Draw(seed, "I.8")
    setting, method = draw.choice(SETTINGS), draw.choice(METHODS)
    claims = draw.shuffled(CLAIMS)[:3]
    true = draw.shuffled(claims)[: draw.integer(1, 2)]  # neither none nor all
    holds = {
        name: name in true or (name not in claims and draw.choice([True, False])) for name in CLAIMS
    }
    said = {f"{name} is": "unsaid" if name not in claims else holds[name] for name in CLAIMS}
    return exercise(
        "I.8",
        "influence/report.j2",
        variant=dict(setting=setting, method=method, **said),
        values=dict(well_posed(lambda: _numbers(draw, holds)), claims=claims, holds=holds),
    )


def _numbers(draw, holds):
    """Both tables, such that each claim holds or clearly does not; else None."""
    same = draw.number(0.55, 0.8, 2)
    ceiling = draw.number(0.45, 0.7, 2)
    other = round(
        ceiling - (draw.number(0, 0.03, 2) if holds["starts"] else draw.number(0.25, 0.4, 2)), 2
    )
    loss = draw.number(0.25, 0.4, 2) if holds["curvature"] else draw.number(0, 0.02, 2)
    control = [round(same - loss, 2), round(min(other, other - loss / 2), 2)]
    slope = (
        draw.number(0.9, 1.1, 2) if holds["size"] else draw.choice([0.05, 0.08, 0.1, 0.15, 2.5, 4])
    )
    top = draw.number(0.6, 1.8, 2)
    chance = (
        draw.number(0.01, 0.08, 2) if holds["random"] else round(top * draw.number(0.85, 1.1, 2), 2)
    )
    near = round(
        top * (draw.number(0.1, 0.35, 2) if holds["similar"] else draw.number(0.9, 1.15, 2)), 2
    )
    if other > same - 0.05 or control[1] < 0.02 or ceiling < other:
        return None
    rises = [top, chance, near]
    predicted = [round(slope * rise * draw.number(0.92, 1.08, 2), 3) for rise in rises]
    if predicted[0] < 1.1 * max(predicted[1:]):  # the largest scores predict the largest rise
        return None
    factor, constant = draw.choice([2, 5, 10]), draw.choice([0.001, 0.002, 0.005, 0.01])
    return dict(
        lds=[same, other],
        control=control,
        control_slope=draw.choice([0.002, 0.03, 12, 40]),
        ceiling=ceiling,
        slope=slope,
        rises=rises,
        predicted=predicted,
        factor=factor,
        constant=constant,
        new_slope=round(factor * slope, 3),
        new_rise=round(factor * predicted[0] + 20 * constant, 3),
    )
