"""Exercise F.4: the expected error of an estimator."""

from course_utils.instructors.problem_sets.drawing import Draw, drawn_until
from course_utils.instructors.problem_sets.templates import exercise

# The part of each direction that an estimator fits, from curvatures and its arguments
ESTIMATORS = {
    "ridge": lambda h, l2: [x / (x + l2) for x in h],
    "twice": lambda h, l2: [1 - (l2 / (x + l2)) ** 2 for x in h],
    "decayed descent": lambda h, eta, l2, k: [
        x / (x + l2) * (1 - (1 - eta * (x + l2)) ** k) for x in h
    ],
    "steepest only": lambda h, r: [float(x >= sorted(h)[-r]) for x in h],
}
# What is measured, from curvatures, the signal and error of each direction, and tau squared
MEASURES = {
    "weights": lambda h, signal, error, tau2: sum(signal) + sum(error),
    "predictions": lambda h, signal, error, tau2: sum(
        x * (s + e) for x, s, e in zip(h, signal, error)
    ),
    "new targets": lambda h, signal, error, tau2: (
        tau2 + sum(x * (s + e) for x, s, e in zip(h, signal, error))
    ),
    "training error": None,  # has no error per direction: see _by_hand
}


def make(seed):
    draw, secret = Draw(seed, "F.4"), Draw(seed, "F.4", "hidden")
    estimator, measure = draw.choice(ESTIMATORS), draw.choice(MEASURES)
    least = 7 if measure == "training error" else 9  # all slips, but those that change nothing:
    if estimator == "steepest only":  # where a part is 0 or 1 its square is no slip
        least -= 1 if measure == "training error" else 2
    hand = drawn_until(lambda: _by_hand(draw, estimator, measure), least=least)

    def drawn(draw):  # for three directions and more
        return [2] if estimator == "steepest only" else _arguments(draw, estimator)

    return exercise(
        "F.4",
        "foundations/error.j2",
        variant=dict(estimator=estimator, measure=measure),
        values=dict(
            hand,
            measures=list(MEASURES),
            stream=draw.stream(),
            w_run=draw.numbers(3, -2, 2),
            noise_run=draw.number(0.5, 2),
            drawn_run=drawn(draw),
            cases=[
                (
                    secret.stream(),
                    secret.integer(9, 16),
                    secret.integer(3, 5),
                    secret.number(0.3, 2, 2),
                    tuple(drawn(secret)),
                )
                for _ in range(3)
            ],
        ),
    )


def _arguments(draw, estimator):
    """Arguments for a check with curvatures of about 1 to 4."""
    if estimator == "decayed descent":
        return [draw.number(0.08, 0.2, 2), draw.number(0.2, 0.8), draw.integer(3, 6)]
    if estimator == "steepest only":
        return [1]
    return [draw.number(0.3, 1.5) if estimator == "ridge" else draw.number(0.6, 2.5)]


def _by_hand(draw, estimator, measure):
    """Four examples, two directions at right angles: numbers, the error, and slips."""
    a, b = draw.number(2, 2.8), draw.number(1, 1.7)
    phi = [[a, 0.0], [0.0, b], [a, 0.0], [0.0, b]]
    h, N = [a * a / 2, b * b / 2], 4
    w, noise = [draw.signed(0.5, 2), draw.signed(0.5, 2)], draw.number(1.3, 2.5)
    drawn = _arguments(draw, estimator)
    part = ESTIMATORS[estimator](h, *drawn)

    def total(part=part, tau2=noise**2, N=N, missing=2, passed=2, measure=measure):
        signal = [abs(1 - f) ** missing * x * x for f, x in zip(part, w)]
        if measure == "training error":
            rest = [abs(1 - f) ** missing * tau2 / N for f in part]
            return [sum(x * s + r for x, s, r in zip(h, signal, rest)) + tau2 * (N - 2) / N]
        error = [f**passed * tau2 / (N * x) for f, x in zip(part, h)]
        return [MEASURES[measure](h, signal, error, tau2)]

    slips = {
        "noise not squared": total(tau2=noise),
        "no noise": total(tau2=0.0),
        "least squares": total(part=[1.0, 1.0]),
        "missing not squared": total(missing=1),
        "passed not squared": total(passed=1),
    }
    if measure != "training error":
        slips["no N"] = total(N=1)
    slips |= {other: total(measure=other) for other in MEASURES if other != measure}
    return dict(phi=phi, w=w, noise=noise, drawn=drawn, h=h, right=total(), slips=slips)
