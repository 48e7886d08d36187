"""The problem set on notebooks 13 to 20: six functions to write and two answers in words.

Each exercise draws its numbers, the structure of its problem and its hidden tests. What the
visible cells show and what the hidden tests use come from separate draws. Hidden tests have an
oracle of their own: refits to either side, a dense matrix, complex steps, or every way in which
weights can stand on a corner.
"""

from course_utils.instructors.problem_sets.influence import (
    corner,
    damping,
    features,
    group,
    report,
    run,
    signs,
    what_if,
)

TITLE = "Influence"
LESSONS = (
    "13_hypergradients",
    "14_unrolling_meta_learning",
    "15_influence_functions",
    "16_computing_influence",
    "17_when_influence_breaks",
    "18_influence_applications",
    "19_group_influence",
    "20_attribution_at_scale",
)

ORDER = (features, run, what_if, signs, corner, damping, group, report)


def exercises(seed):
    """The exercises that ``seed``, bytes, draws, in order."""
    return [part.make(seed) for part in ORDER]
