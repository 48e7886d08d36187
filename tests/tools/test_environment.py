"""The files that say what to install agree, and so do those that say how to test and to cite."""

import os
import re
import shutil
import subprocess
import tomllib

import pytest
import yaml
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from course_utils.cli import main
from course_utils.cli.setup_venv import OLDEST, ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]
CORE = PROJECT["dependencies"]
ALL = [*CORE, *(text for extra in EXTRAS.values() for text in extra)]
PYTHONS = ["3.11", "3.12", "3.13"]


def pins(path):
    """The lines of a constraints file, as requirements."""
    lines = (line.partition("#")[0].strip() for line in path.read_text("utf-8").splitlines())
    return [Requirement(line) for line in lines if line]


CONSTRAINTS = pins(ROOT / "constraints.txt")


def machines():
    """Marker environments of the machines that continuous integration uses."""
    for python in PYTHONS:
        for system, platform, name, cpu in [
            ("Linux", "linux", "posix", "x86_64"),
            ("Darwin", "darwin", "posix", "arm64"),
            ("Windows", "win32", "nt", "AMD64"),
        ]:
            yield default_environment() | {
                "python_version": python,
                "python_full_version": f"{python}.9",
                "platform_system": system,
                "sys_platform": platform,
                "os_name": name,
                "platform_machine": cpu,
                "extra": "",
            }


def version_of(pin):
    (clause,) = pin.specifier
    assert clause.operator == "=="
    return Version(clause.version)


# Requirements


def test_environment_yml_asks_for_what_pyproject_asks_for():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))
    assert environment["channels"] == ["conda-forge", "nodefaults"]
    python, pip, section = environment["dependencies"]
    assert pip == "pip" and set(section) == {"pip"}
    assert python.split() == ["python", PROJECT["requires-python"]]
    *listed, course = section["pip"]
    assert course == "-e ."
    wanted = [*CORE, *EXTRAS["lab"], *EXTRAS["test"]]
    assert [str(Requirement(x)) for x in listed] == [str(Requirement(x)) for x in wanted]


def test_on_each_machine_every_requirement_has_one_pin_that_meets_it():
    for machine in machines():
        found = {}
        for pin in CONSTRAINTS:
            if pin.marker is None or pin.marker.evaluate(machine):
                assert found.setdefault(canonicalize_name(pin.name), pin) is pin, "pinned twice"
        for requirement in map(Requirement, ALL):
            pin = found[canonicalize_name(requirement.name)]
            assert requirement.specifier.contains(version_of(pin)), f"{pin}, not {requirement}"
    for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines():
        assert re.fullmatch(r"[a-z0-9.-]+==[\w.]+( ; [\w .*'<>=!()-]+)?", line), "names no host"
    names = [pin.name for pin in CONSTRAINTS]
    assert names == sorted(names)


def test_requirements_are_such_that_colab_and_the_set_up_understand_them():
    colab = {pin.name: version_of(pin) for pin in pins(ROOT / "tests/tools/colab-constraints.txt")}
    for requirement in map(Requirement, CORE):
        assert [clause.operator for clause in requirement.specifier] == [">="]
        if requirement.name != "tqdm":  # always there, and never a matter of version
            assert requirement.specifier.contains(colab[requirement.name])
    for requirement in map(Requirement, ALL):
        assert {clause.operator for clause in requirement.specifier} <= {">=", "<"}
        assert requirement.marker is None
    assert (
        set(EXTRAS)
        == {"lab", "test", "browser", "site", "cuda"}
        >= set().union(*main.JOBS.values())
    )
    assert PROJECT["requires-python"] == ">=" + ".".join(map(str, OLDEST))
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    (command,) = re.findall(r"^ {4}(uv pip compile .*)$", text, re.MULTILINE)
    assert "--universal" in command and "--all-extras" in command
    assert command.endswith("pyproject.toml -o constraints.txt")


# Continuous integration


WORKFLOW = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text(encoding="utf-8"))
JOB_KEYS = {"name", "runs-on", "timeout-minutes", "strategy", "env", "steps", "needs", "if"}
STEP_KEYS = {"name", "uses", "with", "run", "shell", "env", "if"}


@pytest.mark.parametrize("name", WORKFLOW["jobs"])
def test_each_job_of_the_workflow_is_well_formed(name):
    job = WORKFLOW["jobs"][name]
    assert set(job) <= JOB_KEYS and {"runs-on", "timeout-minutes", "steps"} <= set(job)
    for step in job["steps"]:
        assert set(step) <= STEP_KEYS and ("uses" in step) != ("run" in step), step
        if "uses" in step:
            assert re.fullmatch(r"[\w-]+/[\w-]+@v\d+", step["uses"]), "a major version, no branch"
            assert "shell" not in step
        else:
            assert "with" not in step and "${{" not in step["run"]
    used = [step["uses"].partition("@")[0] for step in job["steps"] if "uses" in step]
    assert used == ["actions/checkout", "actions/setup-python"]
    matrix = job.get("strategy", {}).get("matrix", {})
    text = yaml.safe_dump(job)
    assert set(re.findall(r"\$\{\{ *matrix\.([\w-]+) *\}\}", text)) == set(matrix)
    assert text.count("${{") == len(re.findall(r"\$\{\{ [\w.-]+ \}\}", text))


def test_the_workflow_may_only_read_and_covers_every_system_python_and_colab():
    triggers = WORKFLOW[True]  # YAML 1.1 reads the key `on` so
    assert {"push", "pull_request"} <= set(triggers)
    assert WORKFLOW["permissions"] == {"contents": "read"}
    assert set(WORKFLOW) == {"name", True, "permissions", "concurrency", "jobs"}
    everything, colab = WORKFLOW["jobs"]["all"], WORKFLOW["jobs"]["colab"]
    matrix = everything["strategy"]["matrix"]
    assert matrix == {"os": ["ubuntu-latest", "macos-latest", "windows-latest"], "python": PYTHONS}
    assert everything["steps"][-1]["run"] == ".ci/run"
    assert "tests/tools/test_colab.py" in colab["steps"][-1]["run"]
    assert colab["steps"][1]["with"]["python-version"] == "3.13"
    script = ROOT / ".ci/run"
    lines = script.read_text(encoding="utf-8").splitlines()
    assert lines[0] == "#!/usr/bin/env bash" and "set -eu" in lines
    assert "-m course_utils test --all" in lines[-2] and "-m course_utils site" in lines[-1]
    if os.name == "posix":
        assert os.access(script, os.X_OK)
    if bash := shutil.which("bash"):
        assert subprocess.run([bash, "-n", script]).returncode == 0


# Citation


def test_the_citation_is_complete_and_of_this_version():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["cff-version"] == "1.2.0" and citation["type"] == "software"
    assert {"message", "title", "authors"} <= set(citation)
    assert all(
        set(author) in ({"name"}, {"family-names", "given-names"}) for author in citation["authors"]
    )
    assert citation["version"] == PROJECT["version"]
    assert citation["license"] in PROJECT["license"].split(" AND ")
    assert citation["repository-code"] == PROJECT["urls"]["Repository"]
