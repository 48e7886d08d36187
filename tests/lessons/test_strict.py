"""Negative controls: what pytest says of notebooks whose stored outputs are right, or wrong.

One notebook, whose cells are the cases, run once by pytest in a folder of its own with this
repository's conftest.
"""

import os
import shutil
import subprocess
import sys
from xml.etree import ElementTree

import nbformat
import pytest
import sample_lesson as sample

from course_utils.cli import notebooks, pytest_plugin
from course_utils.cli.setup_venv import ROOT

ARRAY = "array([[0., 0., 0.],\n       [0., 0., 0.]])"
SHOW = """\
data = {"image/png": %r, "text/plain": "Figure"}
display(data, raw=True, metadata={"image/png": {"alt": %r}})"""


def shown(text):
    return nbformat.v4.new_output("execute_result", {"text/plain": text}, execution_count=1)


def figure(alt, pixels=sample.PNG):
    return nbformat.v4.new_output(
        "display_data",
        {"image/png": pixels, "text/plain": "Figure"},
        metadata={"image/png": {"alt": alt}},
    )


def case(source, *stored, tags=()):
    return source, stored, list(tags)


PASSES = {
    "the same number": case("print('loss', 0.1234)", sample.printed("loss 0.1234\n")),
    "a wobble in the last digit": case("print('loss', 0.1235)", sample.printed("loss 0.1234\n")),
    "an array, printed wider": case(
        "np.zeros((2, 3)) + 1e-17", shown(ARRAY.replace("0.", "1.e-17"))
    ),
    "a number within its rtol": case(
        "print(0.1252)", sample.printed("0.1241\n"), tags=["rtol=1e-2"]
    ),
    "a residual within its atol": case(
        "print(-2.5e-17)", sample.printed("9.1e-16\n"), tags=["atol=1e-12"]
    ),
    "a count within its itol": case(
        "print('took', 32)", sample.printed("took 31\n"), tags=["itol=1"]
    ),
    "an output that is not compared": case(
        "print('today')", sample.printed("yesterday\n"), tags=["nbval-ignore-output"]
    ),
    "a driver's remark on stderr": case("import sys\nprint('remark', file=sys.stderr)"),
    "a figure with other pixels": case(SHOW % ("iVBORw0KGgo=", "A line."), figure("A line.")),
    "a deliberate error, caught": case(
        "try:\n    1 / 0\nexcept ZeroDivisionError as e:\n    print(e)",
        sample.printed("division by zero\n"),
    ),
    "a value held back by a semicolon": case("0.5;"),
    "kernels that leave room on a GPU": case(
        "print(os.environ['XLA_PYTHON_CLIENT_PREALLOCATE'])", sample.printed("false\n")
    ),
}

FAILS = {
    "a changed number": (
        case("print('loss', 0.1334)", sample.printed("loss 0.1234\n")),
        "printed text: stored loss »0.1234«, now loss »0.1334«",
    ),
    "a number off by two in its last digit": (
        case("print('loss', 0.1236)", sample.printed("loss 0.1234\n")),
        "stored loss »0.1234«, now loss »0.1236«",
    ),
    "a number beyond its rtol": (
        case("print(0.1269)", sample.printed("0.1241\n"), tags=["rtol=1e-2"]),
        "stored »0.1241«, now »0.1269«",
    ),
    "a changed integer": (
        case("print('took', 32)", sample.printed("took 31\n")),
        "stored took »31«, now took »32«",
    ),
    "a changed word": (
        case("print('diverged')", sample.printed("converged\n")),
        "stored »converged«, now »diverged«",
    ),
    "a changed shape": (
        case("np.zeros((3, 2))", shown(ARRAY)),
        "shown value 1, text/plain: stored",
    ),
    "a changed dtype": (
        case("np.zeros(2, np.float32)", shown("array([0., 0.])")),
        "text/plain: stored",
    ),
    "a raised error": (
        case("raise ValueError('no')"),
        "Cell execution caused an exception",
    ),
    "an error where a number was": (
        case("print(1 / 0)", sample.printed("0.5\n")),
        "ZeroDivisionError",
    ),
    "a missing output": (
        case("0.5;", sample.printed("0.5\n")),
        "printed text: stored »0.5«, now »(ends here)«",
    ),
    "an output more": (
        case("print(0.5)"),
        "printed text: stored »(ends here)«, now »0.5«",
    ),
    "a missing figure": (
        case("0;", figure("A line.")),
        "shown values: stored 1, now 0",
    ),
    "a figure that is described otherwise": (
        case(SHOW % (sample.PNG, "A circle."), figure("A line.")),
        "shown value 1, image/png: stored A »line« ., now A »circle« .",
    ),
    "a figure that became text": (
        case("'Figure'", figure("A line.")),
        "shown value 1: stored as ['image/png', 'text/plain'], now as ['text/plain']",
    ),
    "a cell that was never run": (
        (None, (), []),
        "Never run: python3 -m course_utils run stores what it says",
    ),
    "an unknown tag": (
        case("1;", tags=["nbval-skip-me"]),
        "unknown tag 'nbval-skip-me'",
    ),
    "a malformed tag": (
        case("1;", tags=["rtol=wide"]),
        "tag 'rtol=wide': 'wide' is not a number",
    ),
}


EXPLORERS = [
    """\
from course_utils import widgets
def line(fig, k=1, word="a"):
    if k == 9:
        raise RuntimeError("too far")
    fig.subplots().plot([0, k])""",
    "widgets.Explorer(line, alt='A line.', k=widgets.slider(0, 8, start=1, label='k'))",
    "widgets.Explorer(line, alt='A line.', k=widgets.slider(0, 9, start=1, label='k'))",
    "widgets.Explorer(line, alt='A line.', word=widgets.choice(['a', 'b'], label='word'))",
]


def cell(number, source, stored, tags):
    made = sample.code(source or "print('new')", f"case-{number}", *stored, tags=tags)
    if source is None:
        made.execution_count = None
    return made


@pytest.fixture(scope="module")
def verdicts(tmp_path_factory):
    """What pytest says: its output, and the message of each failed cell, None where it passed."""
    folder = tmp_path_factory.mktemp("strict")
    shutil.copy(ROOT / "conftest.py", folder)
    cases = {**PASSES, **{name: told for name, (told, _) in FAILS.items()}}
    first = sample.code(
        "import os\nimport numpy as np\nfrom IPython.display import display", "first"
    )
    nb = nbformat.v4.new_notebook(cells=[first])
    nb.cells += [cell(k, *told) for k, told in enumerate(cases.values())]
    notebooks.write(folder / "cases.ipynb", notebooks.dumps(notebooks.tidy(nb)))
    notebooks.write(folder / "lesson.ipynb", notebooks.dumps(sample.lesson()))
    sliders = [
        sample.code(source, f"cell-{k}", tags=["nbval-ignore-output"])
        for k, source in enumerate(EXPLORERS)
    ]
    sliders = nbformat.v4.new_notebook(cells=sliders)
    notebooks.write(folder / "sliders.ipynb", notebooks.dumps(notebooks.tidy(sliders)))
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "--nbval", "--nbval-cell-timeout=100", "--junitxml=r.xml"]
        + ["-p", "no:cacheprovider", "--color=no", "."],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert (folder / "r.xml").exists(), done.stdout + done.stderr
    said = {}
    for item in ElementTree.parse(folder / "r.xml").iter("testcase"):
        bad = item.find("failure") if item.find("failure") is not None else item.find("error")
        kind = item.get("classname").removesuffix(".ipynb")
        said[kind, item.get("name").removeprefix("Cell ")] = None if bad is None else bad.text
    cells = {name: said["cases", str(k)] for k, name in enumerate(cases, 1)}
    lesson = [message for (kind, _), message in said.items() if kind == "lesson"]
    found = {"cells": cells, "lesson": lesson, "explorers": said["sliders", "Explorers"]}
    return {"output": done.stdout, "status": done.returncode, **found}


@pytest.mark.parametrize("name", PASSES)
def test_strict_nbval_accepts(name, verdicts):
    assert verdicts["cells"][name] is None


@pytest.mark.parametrize("name", FAILS)
def test_strict_nbval_refuses(name, verdicts):
    assert FAILS[name][1] in (verdicts["cells"][name] or "accepted")
    assert verdicts["status"] == 1


def test_an_explorer_that_fails_at_an_end_or_does_not_follow_is_found(verdicts):
    assert "k = 9: RuntimeError: too far" in verdicts["explorers"]
    assert "word leaves the picture as it was" in verdicts["explorers"]
    assert "k leaves" not in verdicts["explorers"]


def test_a_good_lesson_passes_cell_by_cell(verdicts):
    assert len(verdicts["lesson"]) == len(notebooks.code_cells(sample.lesson()))
    assert set(verdicts["lesson"]) == {None}


def test_the_header_names_the_backend_and_the_versions(verdicts):
    import jax

    assert f"jax {jax.__version__}, jaxlib" in verdicts["output"]
    assert f"JAX runs on {jax.default_backend()}: {jax.device_count()} x" in verdicts["output"]


def test_the_header_says_so_where_jax_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "jax", None)
    assert "JAX runs on nothing: ModuleNotFoundError" in pytest_plugin.pytest_report_header(None)[1]
    assert pytest_plugin._version("no-such-package") == "missing"


@pytest.mark.parametrize("worker, threads", [("gw0", "1"), (None, "5")])
def test_kernels_that_run_beside_others_have_one_thread_for_blas(worker, threads):
    code = "import course_utils.cli.pytest_plugin, os; print(os.environ['OMP_NUM_THREADS'])"
    environ = dict(os.environ, OMP_NUM_THREADS="5", PYTEST_XDIST_WORKER=worker or "")
    if not worker:
        del environ["PYTEST_XDIST_WORKER"]
    told = subprocess.run([sys.executable, "-c", code], env=environ, stdout=-1, text=True).stdout
    assert told == f"{threads}\n"
