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
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

from course_utils.cli.setup_venv import ROOT

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
COLAB = pins(ROOT / "tests/tools/colab-constraints.txt")


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


def pinned(machine):
    found = {}
    for pin in CONSTRAINTS:
        if pin.marker is None or pin.marker.evaluate(machine):
            found.setdefault(canonicalize_name(pin.name), []).append(pin)
    return found


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


def test_each_requirement_has_one_pin_that_meets_it_on_each_machine():
    for machine in machines():
        found = pinned(machine)
        for text in ALL:
            requirement = Requirement(text)
            (pin,) = found[canonicalize_name(requirement.name)]
            assert requirement.specifier.contains(version_of(pin)), f"{pin} is outside {text}"


def test_no_package_is_pinned_twice_on_one_machine():
    for machine in machines():
        assert {name: p for name, p in pinned(machine).items() if len(p) > 1} == {}


def test_constraints_are_names_and_versions_and_nothing_else():
    for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines():
        assert re.fullmatch(r"[a-z0-9.-]+==[\w.]+( ; [\w .'<>=!()-]+)?", line), line
    names = [pin.name for pin in CONSTRAINTS]
    assert names == sorted(names)


def test_the_package_asks_for_lower_bounds_that_colab_meets():
    have = {pin.name: version_of(pin) for pin in COLAB}
    for text in CORE:
        requirement = Requirement(text)
        assert [clause.operator for clause in requirement.specifier] == [">="], text
        if requirement.name != "tqdm":  # always there, and never a matter of version
            assert requirement.specifier.contains(have[requirement.name]), text


def test_only_operators_that_the_set_up_understands_are_used():
    for text in ALL:
        requirement = Requirement(text)
        assert {clause.operator for clause in requirement.specifier} <= {">=", "<"}, text
        assert requirement.marker is None, text


def test_the_extras_are_those_that_the_commands_install():
    assert set(EXTRAS) == {"lab", "test", "browser", "cuda"}
    assert SpecifierSet(PROJECT["requires-python"]) == SpecifierSet(">=3.11")


def test_contributing_tells_how_the_constraints_are_made():
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    (command,) = re.findall(r"^ {4}(uv pip compile .*)$", text, re.MULTILINE)
    assert "--universal" in command and "--all-extras" in command
    assert command.endswith("pyproject.toml -o constraints.txt")


# Continuous integration


WORKFLOW = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text(encoding="utf-8"))
JOB_KEYS = {"name", "runs-on", "timeout-minutes", "strategy", "env", "steps", "needs", "if"}
STEP_KEYS = {"name", "uses", "with", "run", "shell", "env", "if"}


def test_the_workflow_runs_on_pushes_and_requests_and_may_only_read():
    triggers = WORKFLOW[True]  # YAML 1.1 reads the key `on` so
    assert {"push", "pull_request"} <= set(triggers)
    assert WORKFLOW["permissions"] == {"contents": "read"}
    assert set(WORKFLOW) == {"name", True, "permissions", "concurrency", "jobs"}


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


def test_the_workflow_covers_three_systems_and_every_python():
    matrix = WORKFLOW["jobs"]["all"]["strategy"]["matrix"]
    assert matrix == {"os": ["ubuntu-latest", "macos-latest", "windows-latest"], "python": PYTHONS}
    assert WORKFLOW["jobs"]["all"]["steps"][-1]["run"] == ".ci/run"


def test_the_workflow_tries_colabs_versions_on_colabs_python():
    checkout, python, job = WORKFLOW["jobs"]["colab"]["steps"]
    assert python["with"]["python-version"] == "3.13"
    assert "tests/tools/test_colab.py" in job["run"]


def test_ci_run_can_be_called_and_runs_everything():
    script = ROOT / ".ci/run"
    lines = script.read_text(encoding="utf-8").splitlines()
    assert lines[0] == "#!/usr/bin/env bash" and "set -eu" in lines
    assert "-m course_utils test --all" in lines[-1]
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
