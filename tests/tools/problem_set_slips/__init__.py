"""Wrong answers to the exercises of problem sets: one module for each set, of the set's name.

Each module has

- ``EXECUTED``, the numbers of two seeds whose sets are executed whenever the tests run, so chosen
  that they differ in every exercise, and ``MORE``, which the slow tests take by turns: together all
  have every choice that a set can draw;
- ``WRONG``: for each function, by what is wrong, how the solution is spoiled, and a word of the
  message that names it; None where the check says that it is wrong, but not why;
- ``RIGHT``: for each function, what makes of its exercise an answer in NumPy alone, which has to
  pass: ``in_numpy``, or a function of the exercise that returns the answer cell's source;
- ``CHECK_ALONE``: names of wrong answers that only the visible check can refuse;
- ``ANSWERS``: for a written exercise, a function of it that works the answer out from the text of
  its task alone, by other means, and asserts that the model answer says the same.

A way to spoil a solution takes the answer cell's source and returns another, or None where the
variant that was drawn does not allow it.
"""

import re
import textwrap


def swap(pattern, new, count=0):
    """Replace in a solution; None where there is nothing to replace, or nothing changes."""

    def change(source):
        changed = re.sub(pattern, new, source, count=count)
        return None if changed == source else changed

    return change


def returned(new):
    """Replace the last returned value."""
    return swap(r"return (?!.*return )(.*)(?=\n    ### END)", new)


def before(line, new):
    return swap(rf"( *){re.escape(line)}", rf"\1{new}\n\1{line}", 1)


def in_numpy(exercise):
    """The solution with NumPy's functions for JAX's of the same names."""
    return re.sub(r"\bjnp\.", "np.", exercise.answer)


def solved_by(body, exercise):
    """The answer with ``body``, lines of code, in place of the solution."""
    lines = textwrap.indent(textwrap.dedent(body).strip() + "\n", "    ")
    solution = re.compile(r"(?<=BEGIN SOLUTION\n).*?(?= +### END)", re.S)
    return solution.sub(lambda _: lines, exercise.answer)
