"""A small lesson that meets every rule: three exercises, a figure, outputs as if it had run."""

import nbformat

from course_utils.cli import notebooks, release, stamp

ADDRESS = stamp.Address("OWNER/REPO")
NAME = "01_small_lesson.ipynb"

HEADER = f"""\
# 1 · A small lesson
*Exercises without answers: [student copy](student/{NAME}), \
[in Colab]({ADDRESS.colab("notebooks/student/" + NAME)}) · \
This, solved: [in Colab]({ADDRESS.colab("notebooks/" + NAME)}) · \
Next: 2 · A large lesson (in preparation) · All: [contents](../README.md#contents)*

Three functions, each a little harder than the one before.

**By the end you can** (1) add one; (2) add two; (3) add three.

**You need** addition. **Time** 15 minutes, 3 exercises.

> **Before you run anything:** what is one and two? Write down a guess."""

BOOTSTRAP = """\
try:
    import course_utils
except ModuleNotFoundError:  # Colab: fetch the package once
    %pip install -q --no-deps git+https://github.com/OWNER/REPO@main
    import course_utils"""

SETUP = """\
import matplotlib.pyplot as plt
import numpy as np

from course_utils import plotting
from course_utils.exercises import check, expect, predict, summary

plotting.use_course_style()"""

FIGURE = """\
fig, ax = plt.subplots()
ax.plot([0, 1], [1, 2])
plotting.show(fig, alt="A straight line from one to two.")"""

EXERCISE = """\
#### Exercise 1.{m} · Add {m}  (core, 2 minutes)

**Predict.** What is {m} more than nothing?

**Write** `add_{m}`, which adds {m} to a number.

<details><summary>Hint 1: what to look for</summary>

A sum.
</details>
<details><summary>Hint 2: the idea</summary>

One of its parts is given.
</details>
<details><summary>Hint 3: almost there</summary>

It is `x` and something.
</details>"""

ANSWER = '''\
# Exercise 1.{m}
def add_{m}(x):
    """The number x and {m} more."""
    ### BEGIN SOLUTION
    return x + {m}
    ### END SOLUTION'''

CHECK = """\
adds = lambda f: expect(f(0), {m}, "Start from nothing: what is left of the sum?")
check("1.{m}", add_{m}, adds)
### BEGIN HIDDEN TESTS
assert add_{m}(40) == 40 + {m}
np.testing.assert_allclose(add_{m}(np.arange(3)), np.arange(3) + {m})
### END HIDDEN TESTS"""

REFLECT = """\
**Reflect.** Does the order of the numbers matter in 1.{m}? See [the figure](#1.1-A-line).

<details><summary>Worked solution</summary>

The secret of {m} is to add {m}.
</details>"""

FOLDS = """\


<details><summary>Your prediction</summary>

It is a number.
</details>
<details><summary>The reflection</summary>

It does not.
</details>"""

ENDING = """\
## What we found

1. Addition adds. **Was that your guess?**

**Where it breaks.** Infinity has no successor.

**Check yourself, without code.** What is one and one?

**Sources.**

- Peano, ["Arithmetices principia"](https://archive.org/details/arithmeticespri00peangoog), 1889:
  for the axioms."""

IN_WORDS = """\
#### In words · Why it works  (core, 1 minutes)

Why does adding nothing change nothing?"""

EXTRA = """\
## Extra

Optional: no later notebook needs it. One more sum."""

PNG = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJg"
    "gg=="
)


def markdown(source, id, **metadata):
    return nbformat.v4.new_markdown_cell(source, id=id, metadata=metadata)


def code(source, id, *outputs, **metadata):
    return nbformat.v4.new_code_cell(
        source, id=id, outputs=list(outputs), execution_count=1, metadata=metadata
    )


def printed(text):
    return nbformat.v4.new_output("stream", name="stdout", text=text)


def figure(alt):
    data = {"image/png": PNG, "text/plain": f"Figure: {alt}"}
    return nbformat.v4.new_output("display_data", data, metadata={"image/png": {"alt": alt}})


def nbgrader(grade_id, **told):
    kinds = {"grade": False, "locked": False, "solution": False, "task": False}
    return {"nbgrader": {"schema_version": 3, "grade_id": grade_id, **kinds, **told}}


def predicts(m):
    return code(f"predict('{m} more than nothing', '{m}', '0')", f"predict-{m}")


def exercise(m, complete):
    name = f"ex-1-{m}"
    return [
        markdown(EXERCISE.format(m=m), f"task-{m}"),
        *[predicts(m)] * complete,
        code(ANSWER.format(m=m), name, **nbgrader(name, solution=True)),
        code(
            CHECK.format(m=m),
            f"{name}-check",
            printed(f"✓ Exercise 1.{m}: passed\n"),
            **nbgrader(f"{name}-check", grade=True, locked=True, points=3),
        ),
        markdown(REFLECT.format(m=m) + FOLDS * complete, f"reflect-{m}"),
    ]


def lesson(complete=False):
    """The lesson, solved, in stored form.

    It keeps every rule where it is ``complete``: with predictions, an answer in words and an Extra
    part, which most tests of commands have no need for.
    """
    words = nbgrader("words-1", grade=True, solution=True, points=2)
    cells = [
        markdown(HEADER, "title"),
        code(BOOTSTRAP, "bootstrap"),
        code(SETUP, "setup"),
        *[code("predict('one and two', '3', '12')", "predict-start")] * complete,
        markdown("## Lines\n\n### 1.1 A line\n\nWe draw one.", "lines"),
        code(FIGURE, "figure", figure("A straight line from one to two.")),
        markdown("**Read it.** It rises.", "read"),
        code("print(f'slope {1:.2f}')", "slope", printed("slope 1.00\n"), tags=["rtol=1e-2"]),
        *[cell for m in (1, 2, 3) for cell in exercise(m, complete)],
        *[markdown(IN_WORDS, "words"), markdown("Nothing is its number.", "words-1", **words)]
        * complete,
        markdown(ENDING, "ending"),
        code("summary()", "summary", printed("3 of 3 exercises pass.\n")),
        markdown("*Next: 2 · A large lesson (in preparation)*", "nav"),
        *[markdown(EXTRA, "extra"), code("1 + 2", "more")] * complete,
    ]
    nb = nbformat.v4.new_notebook(cells=cells)
    nb.metadata["course"] = {"code": notebooks.code_hash(nb)}
    return notebooks.tidy(nb)


def cell(nb, id):
    """The cell of that name."""
    return next(cell for cell in nb.cells if cell.id == id)


def clone(root, complete=False):
    """A repository that holds the lesson, its student copy, and what they link to."""
    (root / "pyproject.toml").write_text(
        '[project]\nname = "x"\n[project.urls]\nRepository = "https://github.com/OWNER/REPO"\n'
    )
    (root / "README.md").write_text(
        f"# A course\n\n## Contents\n\n[student copy](notebooks/student/{NAME})\n", encoding="utf-8"
    )
    path = root / "notebooks" / NAME
    notebooks.write(path, notebooks.dumps(lesson(complete)))
    release.write([path], root=root)
    return path
