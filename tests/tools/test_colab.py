"""Notebooks and package on what Colab has installed: its Python, and its versions.

The package's contract, which calls each of its functions, a student copy that fetches the package,
and one notebook by turns.

Needs Linux, a Python 3.13, git and a package index, and is skipped where one is missing; where the
variable CI is set, as continuous integration does, an installation that fails is a failure.
"""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from processes import variables
from turns import turn

from course_utils.cli import notebooks
from course_utils.cli.setup_venv import ROOT

PINS = ROOT / "tests/tools/colab-constraints.txt"
# what Colab has in whatever version, and what runs the notebooks and the tests here
TOOLS = ["tqdm", "nbclient", "nbformat", "pytest", "pytest-xdist", "hypothesis"]
FIRST = notebooks.solved()[0]
# one student copy stands for all: but for the answers they have the same cells
NOTEBOOKS = [FIRST.parent / "student" / FIRST.name, *turn(notebooks.solved()[1:], 1)]
FETCH = re.compile(r"git\+https://github\.com/[\w.-]+/[\w.-]+@[\w.-]+")

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

EXECUTE = """\
import sys, nbclient, nbformat
nb = nbformat.read(sys.argv[1], as_version=4)
nbclient.NotebookClient(nb, timeout=600, kernel_name="python3").execute()
nbformat.write(nb, sys.argv[1])
"""
VERSIONS = """\
import json, sys
from importlib.metadata import version
print(json.dumps({name: version(name) for name in sys.argv[1:]}))
"""


def python_313():
    """A Python 3.13 that runs, or ``None``."""
    shim = shutil.which("python3.13")
    pyenvs = [os.environ.get("PYENV_ROOT"), Path.home() / ".pyenv"]
    pyenvs += [Path(shim).parent.parent] if shim and Path(shim).parent.name == "shims" else []
    found = [getattr(sys, "_base_executable", sys.executable), shim]
    found += [p for root in pyenvs if root for p in Path(root).glob("versions/3.13*/bin/python")]
    if shutil.which("uv"):
        find = subprocess.run(["uv", "python", "find", "3.13"], capture_output=True, text=True)
        found.append(find.stdout.strip())
    code = "import ensurepip, sys; sys.exit(sys.version_info[:2] != (3, 13))"
    for python in filter(None, found):
        if subprocess.run([python, "-c", code], capture_output=True).returncode == 0:
            return str(python)
    return None


def environ(**more):
    """The variables of this process, but for those that steer Python, Jupyter and JAX."""
    more = {"JUPYTER_PREFER_ENV_PATH": "1", "MPLBACKEND": "agg"} | more
    return variables("PYTHON", "JUPYTER", "JAX", **more)


@pytest.fixture(scope="module")
def colab():
    """The Python of an environment with Colab's pins, kept in ``.cache`` until they change."""
    if not sys.platform.startswith("linux"):
        pytest.skip("Colab is Linux")
    python = python_313()
    if python is None:
        pytest.skip("Colab has Python 3.13, and there is none here")
    key = hashlib.sha256(repr((PINS.read_text("utf-8"), TOOLS, python)).encode()).hexdigest()[:12]
    folder = ROOT / ".cache" / f"colab-{key}"
    if not (folder / "complete").exists():
        shutil.rmtree(folder, ignore_errors=True)
        subprocess.run([python, "-m", "venv", folder], check=True, env=environ())
        install = [folder / "bin/python", "-m", "pip", "install", "-q", "-r", PINS, *TOOLS]
        done = subprocess.run(install, capture_output=True, text=True, env=environ())
        if done.returncode:
            shutil.rmtree(folder, ignore_errors=True)
            give_up = pytest.fail if os.environ.get("CI") else pytest.skip
            give_up(f"Colab's versions cannot be installed: {done.stderr.strip()[-300:]}")
        (folder / "complete").touch()
    return folder / "bin/python"


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """A git repository that holds the working tree as it is now, committed or not."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
    )
    if listed.returncode:
        pytest.skip("not in a git checkout")
    repository = tmp_path_factory.mktemp("published") / "course"
    for name in filter(None, listed.stdout.decode().split("\0")):
        if (ROOT / name).is_file():
            (repository / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, repository / name)
    git = ["git", "-c", "user.name=course", "-c", "user.email=course@localhost"]
    for command in (["init", "-q", "-b", "main"], ["add", "-A"], ["commit", "-q", "-m", "Publish"]):
        subprocess.run([*git, *command], cwd=repository, check=True)
    return repository


def pinned():
    return dict(re.findall(r"^([\w-]+)==(\S+)", PINS.read_text("utf-8"), re.MULTILINE))


def versions(python):
    said = subprocess.check_output([python, "-c", VERSIONS, *pinned()], env=environ())
    return json.loads(said)


def test_the_environment_has_colabs_versions(colab):
    assert versions(colab) == pinned()
    assert len(pinned()) >= 9


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: f"{p.parent.name}-{p.stem}")
def test_a_notebook_alone_fetches_the_package_and_runs_to_its_end(path, colab, published, tmp_path):
    subprocess.run(
        [colab, "-m", "pip", "uninstall", "-q", "-y", "course_utils"], check=True, env=environ()
    )
    nb = notebooks.read(path)
    fetching = [cell for _, cell in notebooks.code_cells(nb) if FETCH.search(cell.source)]
    assert len(fetching) == 1 and "%pip install -q --no-deps " in fetching[0].source
    fetching[0].source = FETCH.sub(lambda _: f"git+{published.as_uri()}@main", fetching[0].source)
    for _, cell in notebooks.code_cells(nb):
        cell.outputs = []
    alone = tmp_path / "notebook.ipynb"
    alone.write_text(notebooks.dumps(nb), encoding="utf-8")

    done = subprocess.run(
        [colab, "-c", EXECUTE, alone.name],
        cwd=tmp_path,
        env=environ(HOME=str(tmp_path)),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    ran = notebooks.read(alone)
    outputs = [(cell, out) for _, cell in notebooks.code_cells(ran) for out in cell.outputs]
    assert not [out for _, out in outputs if out.output_type == "error"]
    views = [cell.id for cell, out in outputs if notebooks.WIDGET_VIEW in out.get("data", {})]
    live = re.compile(r"^(widgets\.Explorer|predict)\(", re.MULTILINE)
    shown = [cell.id for _, cell in notebooks.code_cells(ran) if live.search(cell.source)]
    assert sorted(set(views)) == sorted(shown), "a live view of each widget, by ipywidgets 7"

    assert versions(colab) == pinned(), "nothing of Colab's was replaced"
    where = [colab, "-c", "import course_utils; print(course_utils.__file__)"]
    assert ".cache" in subprocess.check_output(where, cwd=tmp_path, env=environ(), text=True)


def test_the_package_keeps_its_contract_on_colabs_versions(colab, published):
    done = subprocess.run(
        [colab, "-m", "pytest", "-q", "-c", os.devnull, "--rootdir=.", "--confcutdir=tests"]
        + ["-p", "no:cacheprovider", "-n", "2", "tests/engine/test_contract.py"],
        cwd=published,
        env=environ(PYTHONPATH=os.pathsep.join(map(str, [published, published / "tests/helpers"]))),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
