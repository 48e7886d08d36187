"""Exercise O.7: the noise that is left when weights are averaged."""

from course_utils.instructors.problem_sets.drawing import Draw, drawn_until, telling
from course_utils.instructors.problem_sets.templates import exercise

AVERAGES = ["last", "spaced", "fading"]
NOISES = ["batch", "shake", "both"]
WANTED = ["variance", "cost", "worth"]


def make(seed):
    draw, secret = Draw(seed, "O.7"), Draw(seed, "O.7", "hidden")
    average, wanted = draw.choice(AVERAGES), draw.choice(WANTED)
    # what an average is worth does not depend on the noise
    noise = "any" if wanted == "worth" else draw.choice(NOISES)
    hand = drawn_until(lambda: _by_hand(draw, average, noise, wanted), least=5, tries=2000)
    cases = [
        (secret.stream(), secret.integer(2, 4), secret.integer(3, 12), secret.integer(2, 5))
        for _ in range(3)
    ]
    return exercise(
        "O.7",
        "optimization/average.j2",
        variant=dict(average=average, noise=noise, wanted=wanted),
        values=dict(hand, stream=draw.stream(), cases=cases),
    )


def _by_hand(draw, average, noise, wanted):
    """Two modes: numbers, what is wanted of their average, and slips."""
    h = [draw.number(0.3, 1.2), draw.number(1.5, 5)]
    c, T, B = draw.numbers(2, 0.5, 4), draw.number(0.1, 0.6), draw.integer(2, 8)
    eta, K, every = draw.number(0.1, 0.35, 2), draw.integer(3, 5), draw.integer(2, 3)
    keep = draw.number(0.5, 0.9)

    def average_of(
        batch=noise in ("batch", "both", "any"),
        shake=noise in ("shake", "both"),
        B=B,
        eta_noise=eta**2,
        exact=True,
        every=every if average == "spaced" else 1,
        keep=keep,
        power=1,
        pairs=lambda j: 2 * (1 - j / K),
        averaged=True,
        upside_down=False,
        half=0.5,
        weighted=True,
    ):
        values = []
        for hi, ci in zip(h, c):
            r = 1 - eta * hi
            v = batch * eta_noise * ci / B + shake * 2 * eta * T
            v = v / (1 - r * r if exact else 2 * eta * hi)
            q = r ** (every * power)
            if average == "fading":
                part = (1 - keep) / (1 + keep) * (1 + keep * q) / (1 - keep * q)
            else:
                part = (1 + sum(pairs(j) * q**j for j in range(1, K))) / K
            part = part if averaged else 1.0
            if wanted == "worth":
                values.append(part if upside_down else 1 / part)
            else:
                values.append(v * part)
        if wanted == "cost":
            return [half * sum(hi * v if weighted else v for hi, v in zip(h, values))]
        return values

    slips = {"no average": average_of(averaged=False)}
    if average == "fading":
        slips["independent"] = average_of(power=10**6)
        slips["other way round"] = average_of(keep=1 - keep)
    else:
        slips["independent"] = average_of(pairs=lambda j: 0)
        slips["pairs once"] = average_of(pairs=lambda j: 1 - j / K)
        slips["pairs alike"] = average_of(pairs=lambda j: 2)
    slips["squared"] = average_of(power=2)
    if average == "spaced":
        slips["every step"] = average_of(every=1)
    if wanted == "worth":
        slips["upside down"] = average_of(upside_down=True)
    else:
        slips["small steps"] = average_of(exact=False)
        if noise != "shake":
            slips |= {"one example": average_of(B=1), "eta once": average_of(eta_noise=eta)}
        if noise == "both":
            slips |= {"batch alone": average_of(shake=False), "shake alone": average_of(batch=0)}
    if wanted == "cost":
        slips |= {"no half": average_of(half=1.0), "no curvature": average_of(weighted=False)}
    right = average_of()
    if len(telling(right, slips)) < len(slips):
        slips = {}  # draw again
    return dict(h=h, c=c, T=T, B=B, eta=eta, K=K, every=every, keep=keep, right=right, slips=slips)
