"""The problem set on notebooks 1 to 4: seven functions to write, in many variants.

Each exercise draws its numbers, the structure of its problem and its hidden tests. What the
visible cells show and what the hidden tests use come from separate draws. Hidden tests have an
oracle of their own, in NumPy: another formula, a dense matrix or a refit, not the solution.
"""

from course_utils.cli.problem_sets.foundations import (
    curvatures,
    error,
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

OPENING = """\
Seven functions on notebooks 1 to 4. The solutions of the lessons are public, and none of them is an
answer here: the costs, algorithms and numbers were drawn for your class. What helps is the way in
which the lessons got theirs: gradient to zero, eigenvectors, one direction at a time.

**You need** «lessons». **Time** two to three hours, «count» exercises.

**How it works.** Write each function in the cell that begins with its number, between the line
`def` and the end of the cell; keep its name and its arguments, and leave the other cells as they
are. NumPy and JAX are both welcome. Below each answer stands a check: ✓ means that the answer has
passed the cases you see. Those who grade try others, of other sizes. An untouched answer is
reported as not attempted and stops nothing.

**Read each cost to the letter.** A mean or a sum, a ½ or none: here they differ from one exercise
to the next, and from the lessons. The cell before each answer has the formula as code."""

LETTERS = """\
Letters are those of the lessons: $N$ examples in the rows of $\\Phi$, shape (N, D), targets $t$,
shape (N,), weights $w$, shape (D,), step size $\\eta$, penalty $\\lambda$ (`l2`), noise $\\tau$,
curvatures $h_i$. A sum over $n$ runs over the examples. Everything is in 64 bits."""

SETUP = """\
import jax
import jax.numpy as jnp
import numpy as np

from course_utils import curvature, training
from course_utils.exercises import check, summary

jax.config.update("jax_enable_x64", True)  # 64 bits: little rounding
jax.config.update("jax_default_matmul_precision", "highest")  # on GPUs too"""

ENDING = """\
## The end

The line below counts what passes here. Before you hand in: *Restart* and *Run all*, and look once
more at every line that does not begin with ✓."""


def exercises(seed):
    """The exercises that ``seed``, bytes, draws, in order."""
    return [part.make(seed) for part in (fit, step, units, error, curvatures, gradients, knob)]
