"""The problem set on notebooks 5 to 12: six functions to write and two answers in words.

Each exercise draws its numbers, the structure of its problem and its hidden tests, or for an answer
in words what is asked. What the visible cells show and what the hidden tests use come from separate
draws. Hidden tests have an oracle of their own, in NumPy: a dense matrix, every batch listed,
quadrature, echoes of single noises.
"""

from course_utils.instructors.problem_sets.optimization import (
    average,
    batch,
    kernel,
    players,
    race,
    ruler,
    table,
    unnoticed,
)

TITLE = "Optimization"
LESSONS = (
    "05_metrics_natural_gradient",
    "06_second_order_optimization",
    "07_adaptive_normalization_decay",
    "08_infinite_width",
    "09_stochastic_optimization",
    "10_bayesian_parameter_noise",
    "11_momentum",
    "12_differentiable_games",
)


def exercises(seed):
    """The exercises that ``seed``, bytes, draws, in order."""
    parts = (ruler, table, unnoticed, kernel, batch, race, average, players)
    return [part.make(seed) for part in parts]
