"""The problem set on notebooks 1 to 4: seven functions to write and two answers in words.

Each exercise draws its numbers, the structure of its problem and its hidden tests. What the
visible cells show and what the hidden tests use come from separate draws. Hidden tests have an
oracle of their own, in NumPy: another formula, a dense matrix or a refit, not the solution.
"""

from course_utils.instructors.problem_sets.foundations import (
    claims,
    curvatures,
    error,
    examples,
    fit,
    gradients,
    knob,
    step,
    units,
)

TITLE = "Foundations"
LESSONS = (
    "01_linear_regression",
    "02_conditioning_double_descent",
    "03_taylor_approximations",
    "04_solving_with_curvature",
)

ORDER = (fit, step, units, error, curvatures, gradients, knob, claims, examples)


def exercises(seed):
    """The exercises that ``seed``, bytes, draws, in order."""
    return [part.make(seed) for part in ORDER]
