"""Exercise I.5: influence where weights stand on a corner of the penalty."""

from course_utils.instructors.problem_sets.drawing import Draw, drawn_until
from course_utils.instructors.problem_sets.templates import exercise

CORNERS = ("absolute", "non-negative", "box")
# The data term, and what stands before X' X in its Hessian for N examples
DATA = {"half mean": lambda N: 1 / N, "mean": lambda N: 2 / N, "half sum": lambda N: 1.0}
CUTS = ("corner ignored", "move, then cut", "inverse, then cut")  # other ways to solve
ASKED = ("speed", "removal", "prediction")


def make(seed):
    draw, secret = Draw(seed, "I.5"), Draw(seed, "I.5", "hidden")
    corner, data, asked = draw.choice(CORNERS), draw.choice(DATA), draw.choice(ASKED)
    hand = drawn_until(lambda: _by_hand(draw, corner, data, asked), least=10)
    values = dict(
        hand,
        l2_run=_strength(draw, data, 0.1, 0.4),
        setting_run=_setting(draw, corner, data),
        stream=draw.stream(),
        cases=[
            (
                secret.stream(),
                secret.integer(8, 11),
                size,
                _strength(secret, data, 0.1, 0.4),
                _setting(secret, corner, data),
            )
            for size in (3, 5)
        ],
    )
    variant = dict(corner=corner, data=data, asked=asked)
    return exercise("I.5", "influence/corner.j2", variant, values)


def _strength(draw, data, low, high):
    """A penalty that suits the size of the data term."""
    return round(draw.number(low, high) * (8 if data == "half sum" else 1), 1)


def _setting(draw, corner, data):
    """What the fit takes for its corner: alpha, the lowest weight, or the bound."""
    if corner == "absolute":
        return _strength(draw, data, 0.2, 0.5)
    return 0.0 if corner == "non-negative" else draw.number(0.8, 1.2)


def _by_hand(draw, corner, data, asked):
    """Three examples, two weights, one on the corner: numbers, the answer, and slips."""
    bound = draw.number(0.8, 1.5)
    stuck = draw.integer(0, 1)
    w = [0.0, 0.0]
    w[stuck] = draw.choice([-1, 1]) * bound if corner == "box" else 0.0
    w[1 - stuck] = draw.number(0.2, 0.7) if corner != "absolute" else draw.signed(0.5, 1.5)
    X = [[draw.signed(0.5, 2), draw.signed(0.5, 2)] for _ in range(3)]
    y, l2 = [draw.signed(1, 3) for _ in X], draw.number(0.3, 1)
    predicted = [x[0] * w[0] + x[1] * w[1] for x in X]
    residuals = [p - target for p, target in zip(predicted, y)]

    def solved(c, strength, mode):
        """The rows H^-1 x_n of the free weight, or with the other one, too."""
        a, b, d = (
            c * sum(x[i] * x[j] for x in X) + strength * (i == j)
            for i, j in ((0, 0), (0, 1), (1, 1))
        )
        det = a * d - b * b
        full = [[(d * x[0] - b * x[1]) / det, (a * x[1] - b * x[0]) / det] for x in X]
        if mode == "corner ignored":
            return full
        if mode == "move, then cut":
            return [[x * (j != stuck) for j, x in enumerate(row)] for row in full]
        rows = [[0.0, 0.0] for _ in X]
        for row, x in zip(rows, X):
            free = 1 - stuck
            inverse = [d, a][free] / det
            row[free] = {
                "inverse, then cut": inverse * x[free],
                "penalty alone": x[free] / strength,
            }.get(mode, x[free] / [a, d][free])
        return rows

    factor = DATA[data](3)

    def answer(c=factor, strength=l2, mode="", sign=1, taken=True, other=None, pull=True):
        """All numbers, row by row; ``taken``: with the leverage, ``other``: whose it is."""
        rows = solved(c, strength, mode)
        found = []
        for x, row, r, at in zip(X, rows, residuals, predicted):
            of = rows if other is None else solved(c, strength, other)
            own = of[X.index(x)]
            h = c * (x[0] * own[0] + x[1] * own[1]) * taken
            r = r if pull else 1.0
            if asked == "prediction":
                first = c * (x[0] * row[0] + x[1] * row[1])
                found.append(at + sign * first * r / (1 - h))
            else:
                size = sign * c * r / (1 - h)
                found += [size * row[0], size * row[1]]
        return [x + 0.0 for x in found]  # no -0.0

    if asked == "speed":
        ask = lambda sign=-1, taken=False, **changed: answer(sign=sign, taken=taken, **changed)
    else:
        ask = answer
    right = ask()
    slips = {name: ask(mode=name) for name in CUTS}
    slips["sign"] = ask(sign=1 if asked == "speed" else -1)
    slips |= {name: ask(c=times(3)) for name, times in DATA.items() if name != data}
    slips |= {
        "no penalty": ask(strength=1e-9),
        "no residual": ask(pull=False),
    }
    if asked == "speed":
        slips |= {"leverage": ask(taken=True), "penalty alone": ask(mode="penalty alone")}
    else:
        slips["no leverage"] = ask(taken=False)
        slips["leverage of all"] = ask(other="corner ignored")
    if asked == "prediction":
        slips["with the example"] = predicted
    return dict(setting_value=bound, w=w, X=X, y=y, l2=l2, right=right, slips=slips)
