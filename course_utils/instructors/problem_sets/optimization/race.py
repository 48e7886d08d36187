"""Exercise O.6, in words: reading a table of steps against batch size."""

from course_utils.instructors.problem_sets.drawing import Draw
from course_utils.instructors.problem_sets.templates import exercise

BATCHES = [1, 4, 16, 64, 256]
POWERS = [2**i for i in range(12)]
LIMITS = ["examples", "steps", "time"]  # what there is little of
CLAIMS = ["rule", "scale", "momentum", "fixed"]  # what a colleague says, and is wrong


def make(seed):
    draw = Draw(seed, "O.6")
    limit, claim = draw.choice(LIMITS), draw.choice(CLAIMS)
    floor, knee = draw.integer(25, 90), draw.integer(10, 60)
    steps = [round(floor * (1 + knee / B) * draw.number(0.97, 1.03, 3)) for B in BATCHES]
    # what the first and the last row say of it
    product = (steps[0] - steps[-1]) / (1 - 1 / BATCHES[-1])
    read_floor = steps[-1] - product / BATCHES[-1]
    ratio, each = draw.choice([1.2, 1.25, 1.5]), draw.choice([1, 2, 4])
    fixed = each * draw.choice([30, 60, 120])  # milliseconds, of a step of any size
    read_knee = product / read_floor
    best = {
        "examples": 1,
        "steps": read_knee / (ratio - 1),
        "time": (fixed / each * read_knee) ** 0.5,
    }
    # the nearest to it, or either where it is about half-way between two
    powers = [
        power for power in POWERS if max(power, best["time"]) < 1.55 * min(power, best["time"])
    ]
    return exercise(
        "O.6",
        "optimization/race.j2",
        variant=dict(limit=limit, claim=claim),
        values=dict(
            table=list(zip(BATCHES, steps)),
            product=product,
            floor=read_floor,
            knee=read_knee,
            ratio=ratio,
            fixed=fixed,
            each=each,
            best=best[limit],
            powers=powers,
            large=draw.choice([512, 1024, 2048]),
        ),
    )
