"""Exercise I.4: a sum over all examples from a few solves, by random signs."""

from course_utils.instructors.problem_sets.drawing import Draw, drawn_until
from course_utils.instructors.problem_sets.templates import exercise

TOTALS = ("self-influence", "leverage", "moves", "outputs")
AVERAGES = ("mean", "sum")  # of the losses


def make(seed):
    draw, secret = Draw(seed, "I.4"), Draw(seed, "I.4", "hidden")
    total, average = draw.choice(TOTALS), draw.choice(AVERAGES)
    own = draw.choice([True, False])  # whether each weight has its penalty
    hand = drawn_until(lambda: _by_hand(draw, total, average, own), least=9)
    values = dict(
        hand,
        stream=draw.stream(),
        cases=[
            (secret.stream(), secret.integer(6, 12), secret.integer(3, 8), secret.integer(3, 6)),
            (secret.stream(), secret.integer(6, 12), 20_000, 2),
        ],
    )
    return exercise(
        "I.4", "influence/signs.j2", dict(total=total, average=average, own=own), values
    )


def _by_hand(draw, total, average, own):
    """Three examples, two weights, three tries: numbers, the answer, and what slips make of it."""
    X = [[draw.signed(0.5, 1.5), draw.signed(0.5, 1.5)] for _ in range(3)]
    slope, bend = [draw.signed(0.5, 2) for _ in X], draw.numbers(3, 0.3, 2)
    l2 = draw.numbers(2, 0.3, 1) if own else [draw.number(0.3, 1)] * 2
    weight = 1 / 3 if average == "mean" else 1.0
    factors = slope if total != "leverage" else [c**0.5 for c in bend]
    signs = [(1, 1, 1), (1, -1, 1), (-1, -1, 1)]

    def tries(of_H=weight, share=weight, factors=factors, strength=1.0, inverse=-1, signs=signs):
        """What each try gives; H to the power ``inverse``."""
        h = [[of_H * sum(c * x[i] * x[j] for c, x in zip(bend, X)) for j in (0, 1)] for i in (0, 1)]
        h[0][0] += strength * l2[0]
        h[1][1] += strength * l2[1]
        (a, b), (_, d) = h
        det = a * d - b * b
        matrix = {
            -1: ((d / det, -b / det), (-b / det, a / det)),
            0: ((1.0, 0.0), (0.0, 1.0)),
            1: ((a, b), (b, d)),
        }[inverse]
        found = []
        for pair in signs:
            v = [sum(s * f * x[i] for s, f, x in zip(pair, factors, X)) for i in (0, 1)]
            u = [row[0] * v[0] + row[1] * v[1] for row in matrix]
            move = [share * x for x in u]
            if total in ("self-influence", "leverage"):
                found.append(v[0] * move[0] + v[1] * move[1])
            elif total == "moves":
                found.append(move[0] ** 2 + move[1] ** 2)
            else:
                found.append(sum((x[0] * move[0] + x[1] * move[1]) ** 2 for x in X))
        return found

    def told(found, ddof=1, power=0.5):
        mean = sum(found) / 3
        deviation = (sum((x - mean) ** 2 for x in found) / (3 - ddof)) ** 0.5
        return [mean, deviation / 3**power]

    right = told(tries())
    exact = sum(tries(signs=[(1, 0, 0), (0, 1, 0), (0, 0, 1)]))
    other = 1.0 if average == "mean" else 1 / 3
    slips = {
        "the sum itself": [exact, right[1]],
        "signs left out": [tries(signs=[(1, 1, 1)])[0], 0.0],
        "divides by k": told(tries(), ddof=0),
        "no root of k": told(tries(), power=0),
        "over k": told(tries(), power=1),
        "another vector": told(tries(factors=[1.0, 1.0, 1.0])),
        "H of a mean" if average == "sum" else "H of a sum": told(tries(of_H=other)),
        "no penalty": told(tries(strength=0.0)),
        "H itself": told(tries(inverse=1)),
        "no solve": told(tries(inverse=0)),
    }
    if total == "leverage":
        slips["root left out"] = told(tries(factors=bend))
    if average == "mean":
        slips |= {"no share": told(tries(share=1.0)), "share twice": told(tries(share=1 / 9))}
    else:
        slips["a share"] = told(tries(share=1 / 3))
    if right[1] < 0.15 * right[0]:
        slips = {}  # what is wrong with the standard error alone would not be told
    return dict(X=X, slope=slope, bend=bend, l2=l2, right=right, slips=slips)
