"""Exercise O.3, in words: which changes of a problem a method does not notice."""

from course_utils.instructors.problem_sets.drawing import Draw
from course_utils.instructors.problem_sets.templates import exercise

# Which changes a method notices; the others leave its predictions as they were
NOTICES = {
    "momentum": {"loss", "unit"},
    "Adam": {"unit", "rotation"},
    "AdamW": {"unit", "rotation"},
    "natural gradient": {"loss"},
    "damped Newton": {"loss", "unit"},
}
CHANGES = ["loss", "unit", "rotation", "flip"]


def make(seed):
    draw = Draw(seed, "O.3")
    method = draw.choice(NOTICES)
    least = sorted(NOTICES[method], key=CHANGES.index)
    one = draw.choice(least)  # of the three at least this one is noticed
    others = draw.shuffled([change for change in CHANGES if change != one])[:2]
    changes = draw.shuffled([one, *others])
    noticed = [change for change in changes if change in NOTICES[method]]
    return exercise(
        "O.3",
        "optimization/unnoticed.j2",
        variant=dict(method=method, changes=sorted(changes)),
        values=dict(order=changes, noticed=noticed, c=draw.integer(3, 60)),
    )
