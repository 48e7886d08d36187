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
    holds = well_posed(lambda: _verdicts(draw, claims))
    said = {f"{name} is": "unsaid" if name not in claims else holds[name] for name in CLAIMS}
    return exercise(
        "I.8",
        "influence/report.j2",
        variant=dict(setting=setting, method=method, **said),
        values=dict(well_posed(lambda: _numbers(draw, holds)), claims=claims, holds=holds),
    )


def _verdicts(draw, claims):
    """Which claims hold, of the three said neither none nor all; None if no table could say so."""
    true = draw.shuffled(claims)[: draw.integer(1, 2)]
    holds = {
        name: name in true or (name not in claims and draw.choice([True, False])) for name in CLAIMS
    }
    # The nearest matter at least as much as any; and the largest scores predict the largest rise,
    # so that predictions of the right size cannot go with a control that raises the loss as much.
    better_than_similar_alone = holds["similar"] and not holds["random"]
    sizes_but_no_order = holds["size"] and not (holds["similar"] and holds["random"])
    return None if better_than_similar_alone or sizes_but_no_order else holds


def _numbers(draw, holds):
    """Both tables, such that each claim holds or clearly does not; else None."""
    same = draw.number(0.55, 0.8, 2)
    ceiling = draw.number(0.45, 0.7, 2)
    other = round(
        ceiling - (draw.number(0, 0.03, 2) if holds["starts"] else draw.number(0.25, 0.4, 2)), 2
    )
    loss = draw.number(0.25, 0.4, 2) if holds["curvature"] else draw.number(-0.03, 0, 2)
    control = [round(same - loss, 2), round(min(ceiling, other - loss / 2), 2)]
    slope = (
        draw.number(0.9, 1.1, 2) if holds["size"] else draw.choice([0.05, 0.08, 0.1, 0.15, 2.5, 4])
    )
    if other > same - 0.05 or control[1] < 0.02:
        return None
    top = draw.number(0.6, 1.8, 2)
    # A control that refutes a claim raises the loss by no less than the largest scores do.
    chance = draw.number(0.02, 0.08, 2) if holds["random"] else _times(top, draw, 1.02, 1.15)
    near = _times(top, draw, 0.15, 0.35)
    if not holds["similar"]:
        near = _times(max(top, chance), draw, 1.02, 1.15)
    rises = [top, chance, near]
    promised = slope * top * draw.number(0.92, 1.08, 2)
    predicted = [
        promised,
        slope * chance * draw.number(0.92, 1.08, 2)
        if holds["random"]
        else promised * draw.number(0.1, 0.3, 2),
        slope * near * draw.number(0.92, 1.08, 2)
        if holds["similar"]
        else promised * draw.number(0.4, 0.8, 2),
    ]
    predicted = [round(rise, 3) for rise in predicted]
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


def _times(number, draw, low, high):
    """The number times one from ``low`` to ``high``, with two digits."""
    return round(number * draw.number(low, high, 2), 2)
