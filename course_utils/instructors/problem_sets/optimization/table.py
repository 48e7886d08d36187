"""Exercise O.2: a table of weights whose Hessian is a Kronecker sum."""

from course_utils.instructors.problem_sets.drawing import Draw, drawn_until
from course_utils.instructors.problem_sets.templates import exercise

# What stands before Phi'Phi in the Hessian of the data term, for N examples
AVERAGES = {
    "half mean": lambda N: 1 / N,
    "mean": lambda N: 2 / N,
    "half sum": lambda N: 1.0,
    "sum": lambda N: 2.0,
}

# Which columns are tied to which, for k of them: pairs
TIES = {
    "neighbours": lambda k: [(j, j + 1) for j in range(k - 1)],
    "ring": lambda k: [(j, (j + 1) % k) for j in range(k)],
    "first": lambda k: [(0, j) for j in range(1, k)],
    "all": lambda k: [(i, j) for j in range(k) for i in range(j)],
}
WANTED = ["minimum", "step"]


def make(seed):
    draw, secret = Draw(seed, "O.2"), Draw(seed, "O.2", "hidden")
    average, ties, wanted = draw.choice(AVERAGES), draw.choice(TIES), draw.choice(WANTED)
    least = 8 if wanted == "minimum" else 11  # all, but for a change of the ties that is one of J
    hand = drawn_until(lambda: _by_hand(draw, average, ties, wanted), least=least)
    cases = [
        (secret.stream(), secret.integer(7, 12), secret.integer(3, 5), secret.integer(4, 7))
        for _ in range(3)
    ]
    return exercise(
        "O.2",
        "optimization/table.j2",
        variant=dict(average=average, ties=ties, wanted=wanted),
        values=dict(hand, stream=draw.stream(), another=draw.stream(), cases=cases),
    )


def _by_hand(draw, average, ties, wanted):
    """Three examples, one feature, four columns: numbers, the row of weights, and slips."""
    phi, k = [draw.signed(0.6, 1.8) for _ in range(3)], 4
    T = [[draw.signed(1, 4) for _ in range(k)] for _ in phi]
    W = [draw.signed(0.5, 2) for _ in range(k)]
    tie, delta = draw.number(0.4, 1.5), draw.number(0.3, 1.2)

    right_factor = AVERAGES[average](len(phi))

    def row(factor=right_factor, tie=tie, ties=ties, delta=delta, downhill=1):
        A = factor * sum(p * p for p in phi)
        right = [factor * sum(p * t[j] for p, t in zip(phi, T)) for j in range(k)]
        L = [[0.0] * k for _ in range(k)]
        for i, j in TIES[ties](k):
            for a, b, sign in [(i, i, 1), (j, j, 1), (i, j, -1), (j, i, -1)]:
                L[a][b] += sign * tie
        H = [[L[a][b] + (A if a == b else 0.0) for b in range(k)] for a in range(k)]
        if wanted == "minimum":
            return _solved(H, right)
        g = [sum(H[a][b] * W[b] for b in range(k)) - right[a] for a in range(k)]
        d = _solved([[H[a][b] + delta * (a == b) for b in range(k)] for a in range(k)], g)
        return [w - downhill * change for w, change in zip(W, d)]

    slips = {name: row(factor=AVERAGES[name](len(phi))) for name in AVERAGES if name != average}
    slips |= {"tie twice": row(tie=2 * tie), "tie half": row(tie=tie / 2), "no tie": row(tie=0.0)}
    slips |= {name: row(ties=name) for name in TIES if name != ties}
    if wanted == "step":
        slips |= {"no damping": row(delta=0.0), "uphill": row(downhill=-1)}
    return dict(phi=phi, T=T, W=W, tie=tie, delta=delta, right=row(), slips=slips)


def _solved(A, b):
    """The x with A x = b, for a positive definite A, as lists."""
    rows = [[*row, value] for row, value in zip(A, b)]
    for i, pivot in enumerate(rows):
        for row in rows[i + 1 :]:
            part = row[i] / pivot[i]
            row[:] = [x - part * p for x, p in zip(row, pivot)]
    x = []
    for i in reversed(range(len(rows))):
        known = sum(a * value for a, value in zip(rows[i][i + 1 :], x))
        x.insert(0, (rows[i][-1] - known) / rows[i][i])
    return x
