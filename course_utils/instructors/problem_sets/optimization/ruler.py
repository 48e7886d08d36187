"""Exercise O.1: a natural gradient step, by the Fisher matrix of another model."""

import math

from course_utils.instructors.problem_sets.drawing import Draw, drawn_until
from course_utils.instructors.problem_sets.templates import exercise

# Models of a target t with one positive parameter r: first and second derivative of -log p by r,
# the Fisher information about r, the variance of t, a target for a check
MODELS = {
    "counts": dict(
        derivatives=lambda r, t: (1 - t / r, t / r**2),
        information=lambda r: 1 / r,
        variance=lambda r: r,
        target=lambda draw: float(draw.integer(0, 7)),
    ),
    "failures": dict(
        derivatives=lambda r, t: (
            (t + 1) / (1 + r) - t / r,
            t / r**2 - (t + 1) / (1 + r) ** 2,
        ),
        information=lambda r: 1 / (r * (1 + r)),
        variance=lambda r: r * (1 + r),
        target=lambda draw: float(draw.integer(0, 7)),
    ),
    "waiting": dict(
        derivatives=lambda r, t: (1 / r - t / r**2, 2 * t / r**3 - 1 / r**2),
        information=lambda r: 1 / r**2,
        variance=lambda r: r**2,
        target=lambda draw: draw.number(0.2, 5),
    ),
    "spread": dict(
        derivatives=lambda r, t: (1 / r - t * t / r**3, 3 * t * t / r**4 - 1 / r**2),
        information=lambda r: 2 / r**2,
        variance=lambda r: r**2,
        target=lambda draw: draw.signed(0.5, 4),
    ),
}

# What makes a positive number of any: its value, first and second derivative
LINKS = {
    "exponential": lambda a: (math.exp(a), math.exp(a), math.exp(a)),
    "softplus": lambda a: (
        math.log1p(math.exp(a)),
        1 / (1 + math.exp(-a)),
        1 / (1 + math.exp(-a)) / (1 + math.exp(a)),
    ),
    "hyperbola": lambda a: (
        a + math.hypot(1, a),
        1 + a / math.hypot(1, a),
        1 / math.hypot(1, a) ** 3,
    ),
}
DAMPINGS = ["plain", "diagonal"]


def make(seed):
    draw, secret = Draw(seed, "O.1"), Draw(seed, "O.1", "hidden")
    model = draw.choice(MODELS)
    # counts with an exponential have a Hessian that is the Fisher matrix: nothing would be learnt
    link = draw.choice([name for name in LINKS if (model, name) != ("counts", "exponential")])
    mean, damped = draw.choice([True, False]), draw.choice(DAMPINGS)
    hand = drawn_until(lambda: _by_hand(draw, model, link, mean, damped), least=9)
    cases = [
        (secret.stream(), secret.integer(6, 12), secret.integer(2, 4), secret.number(0.1, 0.9))
        for _ in range(3)
    ]
    return exercise(
        "O.1",
        "optimization/ruler.j2",
        variant=dict(model=model, link=link, mean=mean, damped=damped),
        values=dict(hand, stream=draw.stream(), step_size=draw.number(0.3, 0.9), cases=cases),
    )


def _by_hand(draw, model, link, mean, damped):
    """Two examples, a weight each: numbers, the weights after a step, and slips."""
    x = [draw.signed(0.6, 1.6), draw.signed(0.6, 1.6)]
    w = [draw.signed(0.2, 1), draw.signed(0.2, 1)]
    t = [MODELS[model]["target"](draw), MODELS[model]["target"](draw)]
    eta, delta = draw.number(0.3, 0.9), draw.number(0.2, 0.8)
    parts = MODELS[model]
    slopes = []  # of each example: dr/da, slope and bend of -log p by a, information, variance
    for xj, wj, tj in zip(x, w, t):
        r, dr, ddr = LINKS[link](xj * wj)
        first, second = parts["derivatives"](r, tj)
        bend = second * dr**2 + first * ddr
        slopes.append((dr, first * dr, bend, parts["information"](r), parts["variance"](r)))

    def after(
        information=lambda dr, g, bend, info, variance: info * dr**2,
        share=0.5 if mean else 1.0,
        metric_share=None,
        damped=damped,
        delta=delta,
        eta=eta,
    ):
        new = []
        for xj, wj, known in zip(x, w, slopes):
            F = (metric_share or share) * information(*known) * xj**2
            damping = delta * (F if damped == "diagonal" else 1)
            new.append(wj - eta * share * known[1] * xj / (F + damping))
        return new

    share = 0.5 if mean else 1.0
    other, other_damping = 1.5 - share, [kind for kind in DAMPINGS if kind != damped][0]
    slips = {
        "uphill": after(eta=-eta),
        "empirical": after(lambda dr, g, bend, info, variance: g**2),
        "Hessian": after(lambda dr, g, bend, info, variance: bend),
        "no link": after(lambda dr, g, bend, info, variance: info),
        "link once": after(lambda dr, g, bend, info, variance: info * dr),
        "variance": after(lambda dr, g, bend, info, variance: variance * dr**2),
        "no damping": after(delta=0.0),
        "other damping": after(damped=other_damping),
        "other average": after(share=other),
        "metric alone": after(metric_share=other),
        "descent": [wj - eta * share * k[1] * xj for xj, wj, k in zip(x, w, slopes)],
    }
    right = after()
    # of a gradient that is nearly 0 all slips are alike; a step that is long is no step
    moved = [abs(a - b) for a, b in zip(right, w)]
    if min(moved) < 0.05 or max(moved) > 4:
        slips = {}
    return dict(x=x, w=w, t=t, eta=eta, delta=delta, right=right, slips=slips)
