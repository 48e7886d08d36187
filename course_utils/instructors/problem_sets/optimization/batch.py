"""Exercise O.5: the noise of a batch that is drawn in another way."""

from course_utils.instructors.problem_sets.drawing import Draw, drawn_until, telling
from course_utils.instructors.problem_sets.templates import exercise

WAYS = ["without", "coins", "chances", "halves"]  # how a batch is drawn
WANTED = ["square", "cost", "step"]  # mean of |g|^2, of the cost after a step; the best step


def make(seed):
    draw, secret = Draw(seed, "O.5"), Draw(seed, "O.5", "hidden")
    way, wanted = draw.choice(WAYS), draw.choice(WANTED)
    anchored, half = draw.choice([True, False]), draw.choice([True, False])
    hand = drawn_until(lambda: _by_hand(draw, way, wanted, anchored, half), least=6, tries=2000)
    sizes = [(4, 2), (6, 2), (6, 4)] if way == "halves" else [(4, 2), (5, 3), (6, 3)]
    cases = [(secret.stream(), N, B, secret.integer(2, 3)) for N, B in sizes]
    return exercise(
        "O.5",
        "optimization/batch.j2",
        variant=dict(way=way, wanted=wanted, anchored=anchored, half=half),
        values=dict(hand, stream=draw.stream(), cases=cases),
    )


def _by_hand(draw, way, wanted, anchored, half):
    """Six examples, one weight, batches of four: numbers, what is expected, and slips."""
    N, B = 6, 4
    phi, t = [draw.signed(0.5, 1.8) for _ in range(N)], [draw.signed(0.5, 3) for _ in range(N)]
    w = draw.signed(0.5, 1.5)
    anchor = round(w + draw.signed(0.7, 1.5), 1)
    curvature = (1 if half else 2) * sum(p * p for p in phi) / N
    eta = round(draw.number(1.1, 1.9) / curvature, 2)  # long, so that noise is seen
    chances = draw.shuffled([0.05, 0.1, 0.15, 0.2, 0.2, 0.3])

    def variance(way, d, B):
        mean = sum(d) / N
        spread = sum((x - mean) ** 2 for x in d) / N
        if way == "without":
            return spread / B * (N - B) / (N - 1)
        if way == "coins":
            return sum(x * x for x in d) * (N - B) / (B * N * N)
        if way == "chances":
            return (sum(x * x / (N * N * q) for x, q in zip(d, chances)) - mean**2) / B
        if way == "halves":
            parts = [(part, sum(part) / 3) for part in (d[:3], d[3:])]
            return sum((x - mean) ** 2 / 3 for part, mean in parts for x in part) / (2 * B)
        return spread / B  # with replacement

    def expected(
        way=way, half=half, anchored=anchored, at=w, B=B, noise=1.0, uphill=1, known=variance
    ):
        factor = 1 if half else 2
        gradients = [factor * (p * at - s) * p for p, s in zip(phi, t)]
        at_anchor = [factor * (p * anchor - s) * p for p, s in zip(phi, t)]
        d = [x - y for x, y in zip(gradients, at_anchor)] if anchored else gradients
        g, H = sum(gradients) / N, factor * sum(p * p for p in phi) / N
        J = sum((p * at - s) ** 2 for p, s in zip(phi, t)) / N * factor / 2
        square = g * g + noise * known(way, d, B)
        if wanted == "square":
            return [square]
        if wanted == "step":
            return [g * g / (H * square) if square else 0.0]
        return [J - uphill * eta * g * g + 0.5 * eta**2 * H * square]

    def centred(way, d, B):
        mean = sum(d) / N
        return variance(way, [x - mean for x in d], B)

    slips = {
        "replacement": expected("replacement"),
        "no noise": expected(noise=0.0),
        "one example": expected(B=1),
        "halves of the loss": expected(half=not half),
    }
    if anchored:
        slips["no anchor"] = expected(anchored=False)
    if anchored and wanted != "step":  # where it is that without noise
        slips["at the anchor"] = expected(at=anchor)
    if way == "coins":
        slips["centred"] = expected(known=centred)
        slips["p alone"] = expected(noise=N / (N - B))
    if way == "without":
        slips["N for N - 1"] = expected(noise=(N - 1) / N)
    else:
        slips["without"] = expected("without")
    if wanted == "cost":
        slips |= {"uphill": expected(uphill=-1), "noise not halved": expected(noise=2.0)}
    right = expected()
    if abs(right[0]) < 0.05 or len(telling(right, slips)) < len(slips):
        slips = {}  # draw again
    others = [name for name in ("coins", "chances", "halves") if slips and name != way]
    slips |= {name: expected(name) for name in others}
    return dict(
        phi=phi, t=t, w=w, anchor=anchor, eta=eta, chances=chances, right=right, slips=slips
    )
