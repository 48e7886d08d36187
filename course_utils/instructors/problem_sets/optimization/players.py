"""Exercise O.8: how fast two players come to rest by another method."""

import cmath
import math

from course_utils.instructors.problem_sets.drawing import Draw, drawn_until, telling
from course_utils.instructors.problem_sets.templates import exercise

GAMES = ["one cost", "two losses"]
METHODS = ["late", "back", "midpoint", "nesterov", "turns", "twice"]
GRADIENTS = dict(late=1, back=3, midpoint=2, nesterov=1, turns=1, twice=3)  # in a step
WANTED = ["step", "gradient", "steps"]


def make(seed):
    draw, secret = Draw(seed, "O.8"), Draw(seed, "O.8", "hidden")
    game, method = draw.choice(GAMES), draw.choice(METHODS)
    paces = draw.choice([True, False])  # whether y has a step size of its own
    several = GRADIENTS[method] > 1
    wanted = draw.choice([name for name in WANTED if several or name != "gradient"])
    hand = drawn_until(lambda: _by_hand(draw, game, method, paces, wanted), least=5, tries=2000)
    sizes = [(2, 2), (3, 3), (secret.integer(1, 4), secret.integer(2, 4)), (1, 2)]
    cases = [(secret.stream(), *pair) for pair in sizes]
    return exercise(
        "O.8",
        "optimization/players.j2",
        variant=dict(game=game, method=method, paces=paces, wanted=wanted),
        values=dict(hand, stream=draw.stream(), cases=cases),
    )


def _eigenvalues(a, b, c, d):
    """Of the matrix with the rows (a, b) and (c, d)."""
    root = cmath.sqrt((a - d) ** 2 / 4 + b * c)
    return [(a + d) / 2 + root, (a + d) / 2 - root]


def _roots(b, c):
    """Of r^2 + b r + c = 0."""
    root = cmath.sqrt(b * b / 4 - c)
    return [-b / 2 + root, -b / 2 - root]


def _factors(method, M, eta, part, beta):
    """All that a step may multiply by: eigenvalues of its matrix, with complex numbers."""
    (a, b), (c, d) = M
    if method == "turns":  # y sees the new x
        return _eigenvalues(
            1 - eta * a, -eta * b, -eta * c * (1 - eta * a), 1 - eta * d + eta * eta * b * c
        )
    found = []
    for x in (eta * value for value in _eigenvalues(a, b, c, d)):
        if method == "late":
            found += _roots(-1, x)
        elif method == "nesterov":
            found += _roots(-(1 + beta) * (1 - x), beta * (1 - x))
        else:
            found.append(
                {
                    "plain": 1 - x,
                    "back": 1 - part + part * (1 - x) ** 3,
                    "midpoint": 1 - x + x * x / 2,
                    "ahead": 1 - x + x * x,
                    "twice": 1 - x + x * x - x**3,
                }[method]
            )
    return found


def _by_hand(draw, game, method, paces, wanted):
    """Two entries of x, one of which meets y: how fast they come to rest, and slips."""
    p, q = draw.number(0.2, 1), draw.number(0.2, 1)
    b = draw.number(0.8, 2)
    c = -b if game == "one cost" else -draw.number(0.8, 2)
    eta, pace = draw.number(0.2, 0.7, 2), draw.choice([0.5, 1.5, 2.0, 2.5]) if paces else 1.0
    fast = draw.number(0.15, 0.3, 2) if method == "late" else draw.number(0.7, 1.3)
    alone = round(fast / eta, 1)
    part, beta = draw.choice([0.4, 0.6, 0.7]), -draw.number(0.1, 0.6)

    def speed(
        method=method, c=c, x_pace=1.0, pace=pace, pick=max, wanted=wanted, real=False, beta=beta
    ):
        M = (x_pace * p, x_pace * b), (pace * c, pace * q)
        factors = _factors(method, M, eta, part, beta)
        # an entry that meets nobody is a player against one who never moves
        still = (x_pace * alone, 0), (0, x_pace * alone)
        factors = factors + _factors(method, still, eta, part, beta)
        rate = pick(abs(f.real if real else f) for f in map(complex, factors))
        if wanted == "gradient":
            return [rate ** (1 / GRADIENTS.get(method, 1))]
        if wanted == "squared":
            return [rate ** GRADIENTS.get(method, 1)]
        if wanted == "step" or rate == 0 or abs(math.log(rate)) < 0.01:
            return [rate]
        return [math.log(1000) / -math.log(rate)]  # negative where it does not converge

    slips = {"sign": speed(c=-c), "smallest": speed(pick=min), "real part": speed(real=True)}
    if paces:
        slips |= {"no pace": speed(pace=1.0), "pace of x": speed(x_pace=pace, pace=1.0)}
    if method == "nesterov":
        slips["sign of the momentum"] = speed(beta=-beta)
    if wanted == "steps":
        slips |= {"rate": speed(wanted="step")}
    if wanted == "gradient":
        slips |= {"per step": speed(wanted="step"), "squared": speed(wanted="squared")}
    if wanted != "gradient":
        slips |= {"plain": speed("plain"), "ahead": speed("ahead")}
    right, step = speed(), speed(wanted="step")
    low, high = (0.3, 0.97) if wanted == "steps" else (0.3, 1.3)
    if not low < step[0] < high or len(telling(right, slips)) < len(slips):
        slips = {}  # draw again
    others = ("plain", "ahead", "late", "midpoint", "turns", "twice")
    slips |= {name: speed(name) for name in others if slips and name not in (method, *slips)}
    drawn = dict(p=p, q=q, b=b, c=c, alone=alone, eta=eta, pace=pace, part=part, beta=beta)
    return dict(drawn, right=right, slips=slips)
