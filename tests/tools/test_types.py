"""The hints of the package are consistent, and they reach those who install it."""

import re
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

import course_utils
from course_utils.cli.setup_venv import ROOT, interpreter

pytest.importorskip("mypy")

# What mypy says of a line stands at its end; it says nothing of the others.
SCRIPT = """\
import jax.numpy as jnp
import numpy as np
from jax import Array

import course_utils
from course_utils import CG, FittedModel, Influence, cg, influence, influense  # attr-defined
from course_utils.training import descend, empirical_risk
from course_utils.trees import num_rows


def loss(w: Array, example: tuple[Array, Array]) -> Array:
    x, y = example
    return (jnp.dot(w, x) - y) ** 2 / 2


w, data = jnp.ones(2), (np.eye(2), np.ones(2))
fit = FittedModel(loss, w, data, l2=0.1, damping=0.1)
found: Influence = influence(fit, data, solver=CG(tol=1e-8), measure=None)
largest: np.ndarray = found.helpful(1)
x, info = cg(lambda v: 2 * v, w, tol=1e-8, maxiter=jnp.asarray(3))
n: int = num_rows(data) + len(info.status.shape)

FittedModel(loss, w, data, damping="0.1")  # arg-type
FittedModel(2.0, w, data)  # arg-type
influence(fit, data, solver="cg")  # arg-type
influence(loss, data)  # arg-type
CG(tol="small")  # arg-type
text: str = found.scores  # assignment
cg(lambda v: 2 * v, w, maxiter=0.5)  # arg-type
empirical_risk(loss)  # call-arg
"""


@pytest.fixture(scope="module")
def mypy(tmp_path_factory):
    """Run mypy with these arguments in a folder; its status and what it says."""
    cache = tmp_path_factory.mktemp("mypy")

    def run(folder, *arguments):
        command = [sys.executable, "-m", "mypy", "--cache-dir", cache, "--no-error-summary"]
        done = subprocess.run(
            [*command, *arguments], cwd=folder, capture_output=True, encoding="utf-8"
        )
        return done.returncode, done.stdout + done.stderr

    return run


@pytest.fixture
def installed(tmp_path):
    """The interpreter of an environment that has the package from a wheel, and all it needs."""
    pytest.importorskip("setuptools", minversion="77")
    source, wheels, home = (tmp_path / name for name in ("source", "wheels", "home"))
    shutil.copytree(
        ROOT / "course_utils", source / "course_utils", ignore=shutil.ignore_patterns("__pycache__")
    )
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    wheels.mkdir()
    build = "import sys; from setuptools import build_meta; build_meta.build_wheel(sys.argv[1])"
    subprocess.run([sys.executable, "-c", build, wheels], cwd=source, check=True)
    venv.create(home, with_pip=False)
    ask = "import sysconfig; print(sysconfig.get_path('purelib'))"
    python = interpreter(home)
    packages = Path(subprocess.check_output([python, "-c", ask], text=True).strip())
    (wheel,) = wheels.iterdir()
    zipfile.ZipFile(wheel).extractall(packages)
    paths = {sysconfig.get_path(kind) for kind in ("purelib", "platlib")}
    (packages / "needs.pth").write_text("\n".join(sorted(paths)), encoding="utf-8")
    return python


def test_mypy_finds_no_mistake_in_the_package(mypy):
    assert mypy(ROOT) == (0, "")


def test_who_installs_the_package_is_told_of_wrong_types_and_of_nothing_else(
    mypy, installed, tmp_path
):
    """Every public name has its signature: were it lost, anything could be passed."""
    calls = [f"course_utils.{name}(nonsense=1)  # call-arg" for name in course_utils.__all__]
    lines = [*SCRIPT.splitlines(), *calls]
    (tmp_path / "script.py").write_text("\n".join(lines), encoding="utf-8")
    # the settings of the other test, so that what it has learnt of JAX serves again
    options = ["--config-file", ROOT / "pyproject.toml", "--python-executable", installed]
    _, said = mypy(tmp_path, *options, "script.py")
    told = set(re.findall(r"^script\.py:(\d+): error: .*\[([\w-]+)\]$", said, re.M))
    ends = [re.search(r"# ([\w-]+)$", line) for line in lines]
    assert told == {(str(i), end[1]) for i, end in enumerate(ends, 1) if end}, said
