"""Exercise F.1: weighted least squares with a penalty."""

from course_utils.instructors.problem_sets.drawing import Draw, drawn_until
from course_utils.instructors.problem_sets.templates import exercise

AVERAGES = ("mean", "sum", "weighted mean")  # of the data term
PENALTIES = ("guess", "own", "alike")  # pull to a guess, one penalty for each weight, neighbours


def make(seed):
    draw, secret = Draw(seed, "F.1"), Draw(seed, "F.1", "hidden")
    average, kind = draw.choice(AVERAGES), draw.choice(PENALTIES)
    half, penalty_half = draw.choice([0.5, 1.0]), draw.choice([0.5, 1.0])
    least = 9 if kind == "guess" else 7  # all of them
    hand = drawn_until(lambda: _by_hand(draw, average, kind, penalty_half / half), least=least)
    stream = draw.stream()
    another_l2 = None if kind == "own" else draw.number(0.2, 0.9)
    cases = [
        (secret.stream(), secret.integer(8, 14), secret.integer(3, 5), 0),
        (secret.stream(), secret.integer(8, 14), secret.integer(3, 5), 2),
        (secret.stream(), 4, 6 if kind != "alike" else 4, 0),
    ]
    return exercise(
        "F.1",
        "foundations/fit.j2",
        variant=dict(average=average, kind=kind, half=half, penalty_half=penalty_half),
        values=dict(hand, stream=stream, another_l2=another_l2, cases=cases),
    )


def _by_hand(draw, average, kind, ratio):
    """Three examples, two weights: numbers, the minimum, and what slips make of it."""
    t = [draw.signed(1, 5), draw.signed(1, 5), draw.signed(1, 5)]
    alpha = draw.numbers(3, 0.5, 3)
    l2 = draw.numbers(2, 0.4, 1.5) if kind == "own" else [draw.number(0.4, 1.5)] * 2
    guess = [draw.signed(1, 4), draw.signed(1, 4)]
    divisors = {"mean": 3, "sum": 1, "weighted mean": sum(alpha)}

    def solved(n=divisors[average], ratio=ratio, alpha=alpha, center=1.0):
        k = [n * ratio * strength for strength in l2]
        data = [alpha[0], alpha[1] + alpha[2]]
        right = [alpha[0] * t[0], alpha[1] * t[1] + alpha[2] * t[2]]
        if kind == "alike":
            a, d, off = data[0] + k[0], data[1] + k[0], -k[0]
        else:
            a, d, off = data[0] + k[0], data[1] + k[1], 0.0
        if kind == "guess":
            right = [r + s * center * c for r, s, c in zip(right, k, guess)]
        det = a * d - off * off
        return [(d * right[0] - off * right[1]) / det, (a * right[1] - off * right[0]) / det]

    slips = {
        "no weights": solved(alpha=[1.0] * 3),
        "weights squared": solved(alpha=[a * a for a in alpha]),
    }
    slips |= {name: solved(n=n) for name, n in divisors.items() if name != average}
    slips |= {
        "penalty twice": solved(ratio=2 * ratio),
        "half the penalty": solved(ratio=ratio / 2),
        "no penalty": solved(ratio=0),
    }
    if kind == "guess":
        slips |= {"towards 0": solved(center=0), "sign of the guess": solved(center=-1)}
    return dict(t=t, alpha=alpha, l2=l2, guess=guess, right=solved(), slips=slips)
