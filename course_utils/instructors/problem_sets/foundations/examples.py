"""Exercise F.9: what a table of errors of the shortest fit tells, and which data it asks for."""

import math

from course_utils.instructors.problem_sets.drawing import Draw, well_posed
from course_utils.instructors.problem_sets.templates import exercise

REPORTS = ("weights", "new targets")  # what the table's errors are of
PLANS = ("keep", "collect", "penalty")  # what the lab thinks about


def make(seed):
    draw = Draw(seed, "F.9")
    report, plan = draw.choice(REPORTS), draw.choice(PLANS)
    enough, worse = draw.choice([True, False]), draw.choice([True, False])
    numbers = well_posed(lambda: _table(draw, report, plan, enough, worse))
    return exercise(
        "F.9",
        "foundations/examples.j2",
        variant=dict(report=report, plan=plan, enough=enough, worse=worse),
        values=numbers,
    )


def error(N, D, signal, noise):
    """The expected squared distance of the shortest fit to the true weights, ``|N - D| > 1``."""
    if N > D:
        return noise * D / (N - D - 1)
    return signal * (1 - N / D) + noise * N / (D - N - 1)


def _table(draw, report, plan, enough, worse):
    """Numbers of examples and their errors; None where they leave a question open.

    Args:
        enough: whether the lab has more examples than weights.
        worse: whether its error is larger than that of no fit at all.
    """
    D = 10 * draw.integer(3, 8)
    signal = draw.number(1, 6)
    noise = round(draw.number(0.15, 0.7, 2) * signal, 2)
    few, more = round(draw.number(0.2, 0.4, 2) * D), round(draw.number(0.8, 0.9, 2) * D)
    many, most = round(draw.number(1.5, 1.9, 2) * D), round(draw.number(2.5, 4) * D)
    has = round((draw.number(1.1, 1.45, 2) if enough else draw.number(0.5, 0.95, 2)) * D)
    if abs(has - D) < 3 or abs(has - more) < 2 or has < few + 4:
        return None
    errors = [error(N, D, signal, noise) for N in (few, more, many, most)]
    at = error(has, D, signal, noise)
    best = round(D - 1 - math.sqrt(noise * D * (D - 1) / signal))
    needed = math.ceil(D + 1 + 2 * noise * D / errors[0])  # for half the error of few
    if errors[1] < 1.3 * errors[0] or not (at > 1.15 * signal if worse else at < 0.87 * signal):
        return None
    if plan == "keep" and (best < 3 or has < best + 4 or abs(best - few) < 2):
        return None
    if plan == "keep" and 0.9 < at / error(best, D, signal, noise) < 1.1:
        return None
    if plan == "collect" and needed < has + 4:
        return None
    return dict(
        D=D,
        signal=signal,
        noise=noise,
        counts=[few, more, many, most],
        errors=errors,
        told=[x + noise if report == "new targets" else x for x in errors],
        has=has,
        at=at,
        best=best,
        at_best=error(best, D, signal, noise) if best > 0 else None,
        needed=needed,
        l2=noise * D / (has * signal),
    )
