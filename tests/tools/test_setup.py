"""Set-up of ``.venv`` and the command line, in a small clone with make-believe installers."""

import ast
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from importlib import metadata
from pathlib import Path

import pytest

from course_utils.cli import compilation_cache, installers, main, setup_venv
from course_utils.cli.setup_venv import ROOT, SetupError, ensure

PYPROJECT = """\
[build-system]
requires = ["setuptools"]
[project]
dependencies = ["alpha>=1"]
[project.optional-dependencies]
lab = ["beta>=2"]
test = ["gamma>=3"]
browser = ["delta>=4"]
cuda = ["alpha[cuda]>=1"]
"""
# Stands for venv, pip and uv: notes the call, runs what the test wants, then does as they would
TOOL = """\
import os, pathlib, shutil, signal, sys, sysconfig, time
who, *said = sys.argv
who = 'venv' if who == 'venv' else pathlib.Path(who).parent.name
with open('calls.txt', 'a') as file:
    print(who, *said, file=file)
number = len(open('calls.txt').readlines())
exec(open('installer.py', encoding='utf-8').read())
if who == 'venv':
    import venv
    venv.create('.venv', symlinks=os.name != 'nt')
    (library,) = {*pathlib.Path('.venv').glob('**/site-packages')}
    tools = ['pip']
else:
    library = pathlib.Path(sysconfig.get_path('purelib'))
    tools = ['uv'] if said[-1] == 'uv' else []
    if '-e' in said:
        (library / 'course_utils.py').touch()
for name in tools:
    (library / name).mkdir()
    shutil.copy('tool.py', library / name / '__main__.py')
    (library / name / '__init__.py').touch()
"""
STEPS = ["venv", "pip config list", "pip install --only-binary=:all: uv", "uv pip install"]
posix = pytest.mark.skipif(os.name == "nt", reason="signals and locks as POSIX has them")


@pytest.fixture
def clone(tmp_path, monkeypatch):
    """A clone under a name with a space and an accent."""
    root = tmp_path.resolve() / "un clône"
    root.mkdir()
    for name, text in [("pyproject.toml", PYPROJECT), ("constraints.txt", "alpha==1.5\n")]:
        (root / name).write_text(text)
    (root / "tool.py").write_text(TOOL)
    make_believe(root)
    monkeypatch.setattr(installers, "_venv_command", make_believe_venv)
    for name in ("VIRTUAL_ENV", "CONDA_PREFIX"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))  # no uv
    return root


def make_believe(root, code=""):
    """Let every installer run ``code`` first. It knows ``who`` it is, what is ``said`` to it, and
    the ``number`` of its call."""
    (root / "installer.py").write_text(code, encoding="utf-8")
    (root / "calls.txt").unlink(missing_ok=True)


venv_command = installers._venv_command


def make_believe_venv(venv):
    code = "import sys; sys.argv = ['venv']; exec(open('tool.py').read())"
    return [sys.executable, "-I", "-c", code]


def calls(root):
    return (root / "calls.txt").read_text().splitlines() if (root / "calls.txt").exists() else []


def stamp(root):
    return setup_venv._read_stamp(root / ".venv")


def left(root):
    return sorted(path.name for path in root.glob(".venv*"))


def in_another_process(root, extras=("lab",), **options):
    """``ensure`` as another process would call it, with the same make-believe installers."""
    code = (
        "import signal, sys\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)  # whoever started the tests\n"
        f"sys.path[:0] = [{str(ROOT)!r}, {str(Path(__file__).parent)!r}]\n"
        "import test_setup as t\n"
        "t.installers._venv_command = t.make_believe_venv\n"
        f"t.main._dispatch = lambda argv: t.ensure({list(extras)!r}, t.Path({str(root)!r})) and 0\n"
        "sys.exit(t.main.main([]))\n"
    )
    command = [sys.executable, "-c", code]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    return subprocess.Popen(command, **pipes, **options)


# What an old Python meets


def old_pythons():
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    for version in ["3.8", "3.9", "3.10"]:
        for python in [f"/usr/bin/python{version}", *pyenv.glob(f"{version}.*/bin/python")]:
            if os.access(python, os.X_OK):
                yield str(python)


def test_an_old_python_is_told_so_in_words():
    for path in [ROOT / "course_utils/__init__.py", *(ROOT / "course_utils/cli").glob("*.py")]:
        ast.parse(path.read_text(encoding="utf-8"), feature_version=(3, 8))
    setup_venv.check_python((3, 11, 0))
    with pytest.raises(SetupError, match=r"3\.11 or newer; this is Python 3\.10\.13 "):
        setup_venv.check_python((3, 10, 13, "final", 0))
    for python in old_pythons():
        command = [python, "-m", "course_utils", "lab"]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
        assert done.returncode == 1 and done.stdout == ""
        assert done.stderr.startswith("The course needs Python 3.11 or newer; this is Python 3.")


def test_the_commands_import_nothing_but_the_standard_library():
    code = f"import sys; sys.path.insert(0, {str(ROOT)!r})\nimport course_utils.cli.main\n"
    code += "".join(f"import {main._module(job)}\n" for job in main.JOBS if job != "test")
    isolated = [sys.executable, "-I", "-S"]  # without site-packages
    assert subprocess.run([*isolated, "-c", "import pytest"], capture_output=True).returncode != 0
    assert subprocess.run([*isolated, "-c", code]).returncode == 0


# A first call, a second one, and what makes a third one work again


@pytest.mark.parametrize("told, compiled", [("1", True), ("", False)])
def test_where_python_keeps_no_bytecode_the_set_up_makes_it(told, compiled, clone, monkeypatch):
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", told)
    ensure(["lab"], clone)
    assert ("--compile-bytecode" in calls(clone)[-1]) == compiled


def test_the_first_call_sets_up_and_the_second_one_finds_it_done(clone, capsys):
    python = ensure(["lab"], clone)
    assert [call[: len(step)] for call, step in zip(calls(clone), STEPS, strict=True)] == STEPS
    assert calls(clone)[-1].endswith(f" --python {python} -c constraints.txt -e .[lab]")
    assert "Ready after" in capsys.readouterr().out
    before = (clone / ".venv/course-stamp.json").stat()
    make_believe(clone, "sys.exit('called again')")
    assert ensure(["lab"], clone) == python and not calls(clone)
    assert capsys.readouterr().out == "" and left(clone) == [".venv"]
    assert (clone / ".venv/course-stamp.json").stat() == before, "a second call writes nothing"


def edit(name, old, new):
    def change(root):
        assert old in (root / name).read_text()
        (root / name).write_text((root / name).read_text().replace(old, new))

    return change


def write_stamp(**stamp):
    return lambda root: setup_venv._write_stamp(root / ".venv", stamp)


CHANGES = {  # what happens to a finished environment: is nothing done, is it completed or made anew
    "a requirement": (edit("pyproject.toml", "alpha>=1", "alpha>=1.1"), "completed"),
    "another extra's requirement": (edit("pyproject.toml", "gamma>=3", "gamma>=4"), "completed"),
    "a pin": (edit("constraints.txt", "1.5", "1.6"), "completed"),
    "another tool's table": (edit("pyproject.toml", "[project]", "[tool.x]\n[project]"), "nothing"),
    "no stamp": (lambda root: (root / ".venv/course-stamp.json").unlink(), "completed"),
    "no Python": (lambda root: setup_venv.interpreter(root / ".venv").unlink(), "anew"),
    "half a stamp": (edit(".venv/course-stamp.json", "{", ""), "completed"),
    "a killed set-up": (write_stamp(unfinished="token", extras=["lab"]), "anew"),
    "another folder": (edit(".venv/course-stamp.json", "un cl", "mon cl"), "anew"),
}


@pytest.mark.parametrize("change, then", CHANGES.values(), ids=CHANGES)
def test_a_set_up_does_no_more_than_it_must(clone, change, then):
    ensure(["lab"], clone)
    (clone / ".venv/mine.txt").touch()
    make_believe(clone)
    change(clone)
    python = ensure(["lab"], clone)
    assert bool(calls(clone)) == (then != "nothing")
    assert (clone / ".venv/mine.txt").exists() == (then != "anew")
    assert setup_venv._is_current(clone / ".venv", setup_venv._wanted(clone), {"lab"})
    assert subprocess.run([python, "-I", "-c", "import course_utils"]).returncode == 0
    assert left(clone) == [".venv"]


def test_an_environment_of_another_python_is_made_anew(clone, monkeypatch):
    ensure(["lab"], clone)
    (clone / ".venv/mine.txt").touch()
    monkeypatch.setattr(setup_venv, "_version_of", lambda python: "3.9")
    ensure(["lab"], clone)
    assert not (clone / ".venv/mine.txt").exists()


def test_extras_add_up_without_starting_anew(clone):
    ensure(["lab"], clone)
    (clone / ".venv/mine.txt").touch()
    ensure(["test", "browser"], clone)
    ensure(["lab"], clone)
    installs = [call.split()[-1] for call in calls(clone) if "-e" in call.split()]
    assert installs == [".[lab]", ".[browser,lab,test]"]
    assert (clone / ".venv/mine.txt").exists()


# Killed, interrupted, twice at once

KILL = """\
if number == {number}:
    if who != 'venv':
        (pathlib.Path(sysconfig.get_path('purelib')) / 'half').touch()
    os.kill(os.getppid(), signal.SIGKILL)
    time.sleep(0.2)
    open('outlived', 'w').close()
"""


@posix
@pytest.mark.parametrize("finished", [False, True], ids=["a first set-up", "an addition"])
def test_after_a_kill_at_any_step_the_next_call_repairs(clone, finished):
    number = 0
    while True:
        number += 1
        shutil.rmtree(clone / ".venv", ignore_errors=True)
        make_believe(clone)
        if finished:
            ensure(["lab"], clone)
        make_believe(clone, KILL.format(number=number))
        job = in_another_process(clone, ["test"])
        said, _ = job.communicate(timeout=60)
        if job.returncode == 0:
            break
        assert job.returncode == -signal.SIGKILL, said
        assert len(calls(clone)) == number and "unfinished" in stamp(clone)
        make_believe(clone, "assert os.path.exists('outlived'), 'it was not waited for'")
        python = ensure(["lab"], clone)
        assert calls(clone)[0] == "venv" and "unfinished" not in stamp(clone), "started afresh"
        check = "import course_utils, importlib.util as u; assert not u.find_spec('half')"
        assert subprocess.run([python, "-I", "-c", check]).returncode == 0
        assert left(clone) == [".venv"]
        (clone / "outlived").unlink()
    assert number == 1 + (3 if finished else len(STEPS)), "every step has been killed once"


@posix
def test_ctrl_c_ends_the_installer_and_leaves_nothing(clone):
    make_believe(
        clone,
        "if who == 'uv':\n"
        "    open('pid', 'w').write(str(os.getpid()))\n"
        "    os.kill(os.getppid(), signal.SIGINT)\n"
        "    time.sleep(60)",
    )
    job = in_another_process(clone)
    said, _ = job.communicate(timeout=30)
    assert job.returncode == 130 and "Traceback" not in said
    assert left(clone) == []
    with pytest.raises(ProcessLookupError):
        os.kill(int((clone / "pid").read_text()), 0)


@posix
def test_of_two_set_ups_at_once_one_works_and_the_other_waits(clone):
    make_believe(clone, "time.sleep(0.1)")
    jobs = [in_another_process(clone) for _ in range(2)]
    said = [job.communicate(timeout=60)[0] for job in jobs]
    assert [job.returncode for job in jobs] == [0, 0], said
    assert len(calls(clone)) == len(STEPS) and left(clone) == [".venv"]


def test_where_there_are_no_locks_a_set_up_that_was_taken_over_writes_no_stamp(clone):
    taken = '{"unfinished": "another"}'
    make_believe(
        clone, f"if who == 'uv': pathlib.Path('.venv/course-stamp.json').write_text({taken!r})"
    )
    with pytest.raises(SetupError, match="Another set-up took over"):
        ensure(["lab"], clone)
    assert stamp(clone) == json.loads(taken), "and what the other one makes stays"


# What fails says so

OFFLINE = (
    "Retrying after connection broken by 'NewConnectionError: Temporary failure in name resolution'"
)
FAILURES = {
    "no network": (OFFLINE, r"did not answer:\n.*name resolution.*\nCheck the network .* call the"),
    "no room": ("ERROR: [Errno 28] No space left on device", r"no room .*\nMake room, then call"),
    "a SOCKS proxy": (
        "ERROR: Could not install: an OSError: Missing dependencies for SOCKS support.",
        r"for a SOCKS proxy pip needs PySocks.*\nName an HTTP proxy(?!.*delete)",
    ),
    "a colon": (
        "Error: Refusing to create a venv in a:b because it contains the PATH separator :.",
        r"No environment can be made in .*\nMove the clone(?!.*delete)",
    ),
    "anything else": (
        "ERROR: the moon is wrong",
        r"failed:\n    ERROR: the moon is wrong\nCall the same command again.*delete",
    ),
}


@pytest.mark.parametrize("printed, words", FAILURES.values(), ids=FAILURES)
def test_a_set_up_that_fails_leaves_nothing_and_says_what_to_do(clone, printed, words, capsys):
    step = "venv" if "venv" in printed else "pip"
    fail = f"if who == {step!r} and 'config' not in said:\n    print({printed!r})\n    sys.exit(1)"
    make_believe(clone, fail)
    with pytest.raises(SetupError, match=f"(?s){words}"):
        ensure(["lab"], clone)
    assert left(clone) == []


def test_an_addition_that_fails_before_it_changed_anything_leaves_the_environment_valid(clone):
    ensure(["lab"], clone)
    make_believe(clone, f"if 'config' not in said:\n    print({OFFLINE!r})\n    sys.exit(1)")
    with pytest.raises(SetupError, match="did not answer"):
        ensure(["test"], clone)
    make_believe(clone)
    ensure(["lab"], clone)
    assert not calls(clone)


def test_what_can_be_known_beforehand_is_refused_in_words(clone, tmp_path, monkeypatch):
    def refused(words, extras=("lab",), root=clone):
        with pytest.raises(SetupError, match=words):
            ensure(extras, root)

    refused("is no clone of the course", root=tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(main.lab, "fill", lambda: (tmp_path / "no/work").mkdir())
        with pytest.raises(SetupError, match="could not be set up: .*no/work"):
            main._fill_work()
    with monkeypatch.context() as patch:
        patch.setattr(sys, "platform", "darwin")
        refused("exists for Linux alone", ["lab", "cuda"])
    with monkeypatch.context() as patch:
        patch.setattr(installers, "_venv_command", venv_command)
        patch.setattr(installers, "find_spec", lambda name: None)
        refused(r"no ensurepip.*\n.*apt install python3\.\d+-venv")
    with monkeypatch.context() as patch:

        def fail(*args):
            raise PermissionError(13, "Permission denied", str(clone / ".venv"))

        patch.setattr(Path, "mkdir", fail)
        refused(r"\.venv cannot be written \(Permission denied\)\.\n.*a folder of your own")
    (clone / "pyproject.toml").write_text("<<<<<<< HEAD\n")
    refused(r"pyproject\.toml cannot be read")


# pip's and uv's settings


@posix
def test_pip_takes_over_where_uv_fails_or_goes_astray(clone, capsys):
    (clone.parent / "bin").mkdir()
    uv = clone.parent / "bin/uv"
    for code in ["print('error: no such index'); sys.exit(2)", "sys.exit()"]:
        uv.write_text(f"#!{sys.executable}\nimport sys\n{code}\n")
        uv.chmod(0o755)
        shutil.rmtree(clone / ".venv", ignore_errors=True)
        make_believe(clone)
        ensure(["lab"], clone)
        assert calls(clone)[-1] == "pip install -c constraints.txt -e .[lab]"
        assert len(calls(clone)) == 3, "where the machine has a uv, none is fetched"
        assert "pip takes over" in capsys.readouterr().out


CONFIGURATION = """\
[global]
index-url = https://one.example/simple
extra-index-url =
    https://two.example/simple
    https://three.example/simple
trusted-host = two.example
cert = /certificates.pem
user = true
quiet = 2
target = /tmp/y
constraint = /tmp/other.txt
require-virtualenv = true
[install]
find-links = /wheels /more
prefix = /usr/local
root = /mnt
no-deps = true
timeout = 9
"""
DROPPED = ["PIP_USER", "PIP_TARGET", "PIP_PREFIX", "PIP_ROOT", "PIP_NO_DEPS", "PIP_CONSTRAINT"]
DROPPED += ["PIP_REQUIRE_VIRTUALENV", "PIP_PYTHON", "PIP_DRY_RUN", "PIP_NO_BINARY", "PIP_LOG"]
DROPPED += [
    "UV_TARGET",
    "UV_PREFIX",
    "UV_SYSTEM_PYTHON",
    "UV_PYTHON",
    "UV_NO_DEPS",
    "UV_CONSTRAINT",
]
DROPPED += ["UV_REQUIRE_HASHES", "UV_EXCLUDE_NEWER", "PYTHONPATH", "PYTHONHOME"]
KEPT = {
    "PIP_INDEX_URL": "https://mine.example/simple",
    "PIP_PROXY": "http://proxy.example:3128",
    "PIP_CLIENT_CERT": "/client.pem",
    "PIP_NO_INDEX": "0",
    "HTTPS_PROXY": "http://proxy.example:8080",
    "UV_INDEX_CORP_PASSWORD": "x",
    "UV_CACHE_DIR": "/cache",
}


def test_of_the_users_settings_those_hold_that_say_where_packages_come_from(tmp_path, monkeypatch):
    for name in [
        name for name in os.environ if re.match("PIP_|UV_|PYTHON(PATH|HOME)|.*_CERT", name)
    ]:
        monkeypatch.delenv(name)
    pip_conf = tmp_path / "pip.conf"
    pip_conf.write_text(CONFIGURATION)
    monkeypatch.setenv("PIP_CONFIG_FILE", str(pip_conf))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_DIRS", str(tmp_path))
    for name in DROPPED:
        monkeypatch.setenv(name, "1")
    for name, value in KEPT.items():
        monkeypatch.setenv(name, value)
    command, env = [sys.executable, "-I", "-m", "pip", "config", "list"], installers.settings()
    listed = subprocess.run(command, env=env, capture_output=True, text=True, check=True).stdout
    env = installers.settings(listed)
    found = {n: v for n, v in env.items() if re.match("PIP_|UV_|PYTHON(P|H)|.*(_PROXY|_CERT)", n)}
    assert found == KEPT | {
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_USER": "0",
        "PIP_QUIET": "0",
        "PIP_EXTRA_INDEX_URL": "https://two.example/simple https://three.example/simple",
        "PIP_FIND_LINKS": "/wheels /more",
        "PIP_TRUSTED_HOST": "two.example",
        "PIP_CERT": "/certificates.pem",
        "PIP_TIMEOUT": "9",
        "UV_DEFAULT_INDEX": "https://mine.example/simple",
        "UV_INDEX": "https://two.example/simple https://three.example/simple",
        "UV_FIND_LINKS": "/wheels,/more",
        "UV_INSECURE_HOST": "two.example",
        "UV_INDEX_STRATEGY": "unsafe-best-match",
        "SSL_CERT_FILE": "/certificates.pem",
        "ALL_PROXY": "http://proxy.example:3128",
    }


# An activated environment of the user's own


def test_what_an_environment_lacks_is_named(clone, monkeypatch):
    def version(name):
        have = {"alpha": "1.0.post1", "beta": "1.9.1", "gamma": "3.10"}
        if name not in have:
            raise metadata.PackageNotFoundError(name)
        return have[name]

    class Editable:
        def read_text(self, name):
            return json.dumps({"url": clone.as_uri(), "dir_info": {"editable": True}})

    monkeypatch.setattr(metadata, "version", version)
    monkeypatch.setattr(metadata, "distributions", lambda name: [Editable()])
    assert setup_venv.unmet(clone, ["test"]) == []
    assert setup_venv.unmet(clone, ["lab", "test", "browser"]) == ["delta>=4", "beta>=2"]
    assert setup_venv.unmet(clone, ["cuda"]) == ["alpha[cuda]>=1"]
    monkeypatch.setattr(metadata, "distributions", lambda name: [])
    assert setup_venv.unmet(clone, []) == [f"course_utils from {clone}"]
    numbers = ["0.9", "0.10.2", "1", "1.0.1", "2.0rc1", "10", "26.3"]
    assert sorted(numbers[::-1], key=setup_venv._release) == numbers
    assert setup_venv._release("3.0.0") == setup_venv._release("3")


@pytest.mark.parametrize("variable", ["VIRTUAL_ENV", "CONDA_PREFIX"])
def test_an_activated_environment_that_has_everything_is_used(clone, monkeypatch, variable):
    monkeypatch.setattr(setup_venv, "unmet", lambda root, extras: [])
    assert ensure(["lab"], clone) == setup_venv.interpreter(clone / ".venv"), "none is active"
    monkeypatch.setenv(variable, sys.prefix)
    assert ensure(["lab"], clone) == Path(sys.executable)
    monkeypatch.setattr(setup_venv, "unmet", lambda root, extras: ["beta>=2"])
    assert ensure(["lab"], clone) == setup_venv.interpreter(clone / ".venv")


# The command line


@pytest.fixture
def handed_over(monkeypatch):
    """What ``main`` would run, with which extras and variables."""
    seen = {}

    def become(python, command, variables):
        seen.update(command=[str(python), *command], variables=variables)
        return 7

    monkeypatch.setattr(setup_venv, "ensure", lambda extras: seen.update(extras=extras) or "python")
    monkeypatch.setattr(main, "_become", become)
    monkeypatch.setattr(main, "_fill_work", lambda: None)
    monkeypatch.setattr(main, "_workers", lambda: 2)
    monkeypatch.delenv("JAX_COMPILATION_CACHE_DIR", raising=False)
    monkeypatch.chdir(ROOT)
    return seen


PARALLEL = ["-n", "2", "--no-loadscope-reorder"]
JUPYTER = ["jupyterlab", f"--ServerApp.root_dir={ROOT}"]
JUPYTER_WORK = [*JUPYTER, "--LabApp.default_url=/lab/tree/work"]
JUPYTER_03 = [*JUPYTER, "--LabApp.default_url=/lab/tree/work/03_taylor_approximations.ipynb"]
JOBS = {
    "test": (["pytest", *PARALLEL], {"lab", "test"}),
    "test --all": (["pytest", "-m", "", *PARALLEL], {"lab", "test", "browser", "site"}),
    "test -k cg -x": (["pytest", *PARALLEL, "-k", "cg", "-x"], {"lab", "test"}),
    "test -n 0": (["pytest", "-n", "0"], {"lab", "test"}),
    "test --gpu --pdb": (["pytest", "--pdb"], {"lab", "test", "cuda"}),
    "lab --no-browser": ([*JUPYTER_WORK, "--no-browser"], {"lab"}),
    "lab --gpu 3": (JUPYTER_03, {"lab", "cuda"}),
    "run --check a.ipynb": (["course_utils.cli.run", "--check", "a.ipynb"], {"lab"}),
    "release": (["course_utils.cli.release"], {"lab", "test"}),
    "grade 01 a.ipynb": (["course_utils.instructors.grade", "01", "a.ipynb"], {"lab", "test"}),
    "site --still": (["course_utils.site.build", "--still"], {"lab", "site"}),
    "stamp URL --ref v1": (["course_utils.cli.stamp", "URL", "--ref", "v1"], {"lab"}),
}


@pytest.mark.parametrize("line", JOBS)
def test_each_job_becomes_its_command_in_an_environment_with_what_it_needs(
    line, handed_over, monkeypatch
):
    monkeypatch.setattr(os, "geteuid", lambda: 1000, raising=False)
    command, extras = JOBS[line]
    assert main.main(line.split()) == 7
    assert handed_over["command"] == ["python", "-m", *command]
    assert handed_over["extras"] == extras
    cached = line.startswith("lab")  # the tests' plugin sees to it by itself
    assert handed_over["variables"] == (compilation_cache.settings(ROOT) if cached else {})


@posix
@pytest.mark.parametrize("user, allowed", [(0, True), (1000, False)])
def test_lab_runs_as_root_only_where_the_user_is_root(monkeypatch, user, allowed):
    monkeypatch.setattr(os, "geteuid", lambda: user)
    assert ("--allow-root" in main._lab_command("work", [])) == allowed


def test_the_jobs_are_listed_and_each_explains_itself_before_anything_is_set_up(
    monkeypatch, capsys
):
    monkeypatch.setattr(setup_venv, "ensure", None)
    for argv in ([], ["--help"], ["-h"]):
        assert main.main(argv) == 0
        out = capsys.readouterr().out
        assert all(re.search(rf"^  {job} ", out, re.M) for job in main.JOBS)
    for job in main.JOBS:
        try:
            status = main.main([job, "--help"])
        except SystemExit as end:  # argparse
            status = end.code
        assert not status
        assert f"usage: python3 -m course_utils {job}" in capsys.readouterr().out


def test_what_cannot_be_done_is_said_in_a_sentence(monkeypatch, capsys):
    assert main.main(["dance"]) == 2
    assert "There is no job 'dance'" in capsys.readouterr().err
    assert main.main(["lab", "99"]) == 1
    assert "There is no lesson 99; there are 00, 01, " in capsys.readouterr().err

    def fail(extras):
        raise SetupError("no room")

    monkeypatch.setattr(setup_venv, "ensure", fail)
    assert main.main(["lab"]) == 1
    assert capsys.readouterr() == ("", "no room\n")


@posix
def test_a_job_runs_as_if_its_environment_were_activated(monkeypatch):
    seen = {}

    def execve(path, args, env):
        seen.update(env)
        raise SystemExit

    monkeypatch.setattr(os, "execve", execve)
    for name, value in [("PATH", "/usr/bin"), ("PYTHONPATH", "/evil"), ("PYTHONHOME", "/evil")]:
        monkeypatch.setenv(name, value)
    python = setup_venv.interpreter(ROOT / ".venv")
    with pytest.raises(SystemExit):
        main._become(python, ["-c", "pass"], {"JAX_X": "1"})
    assert seen["VIRTUAL_ENV"] == str(ROOT / ".venv") and seen["JAX_X"] == "1"
    assert seen["PATH"] == os.pathsep.join([str(python.parent), "/usr/bin"])
    assert not {"PYTHONPATH", "PYTHONHOME"} & set(seen)
    with pytest.raises(SystemExit):
        main._become(Path("/of/the/users/own/python"), [], {})
    assert seen["PYTHONPATH"] == "/evil", "an environment of the user's own keeps its variables"


def test_the_exit_status_of_a_job_is_that_of_the_command():
    code = (
        f"import sys; sys.path.insert(0, {str(ROOT)!r})\n"
        "from course_utils.cli import main; from pathlib import Path\n"
        "sys.exit(main._become(Path(sys.executable), ['-c', 'import sys; sys.exit(41)'], {}))"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 41


# The repository


def test_the_top_level_holds_nothing_that_is_not_spoken_for():
    if not (ROOT / ".git").exists() or not shutil.which("git"):
        pytest.skip("not in a git checkout")
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True)
    top = {name.split("/")[0] for name in listed.stdout.decode().split("\0") if name}
    folders = {"notebooks", "course_utils", "tests"}
    files = {"README.md", "LICENSE", "CONTRIBUTING.md", "CITATION.cff", "environment.yml"}
    files |= {"pyproject.toml", "constraints.txt", "conftest.py", "nbgrader_config.py"}
    assert {name for name in top if not name.startswith(".")} <= folders | files


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_fresh_clone_sets_itself_up_once_whatever_the_users_settings(tmp_path):
    """A stranger's two calls, with settings that send packages elsewhere and a broken NumPy."""
    clone, astray, evil = (tmp_path / name for name in ("fresh clone", "astray", "evil"))
    if subprocess.run(["git", "clone", "-q", str(ROOT), str(clone)]).returncode:
        pytest.skip("not in a git checkout")
    shutil.copytree(ROOT / "course_utils", clone / "course_utils", dirs_exist_ok=True)
    for name in ("pyproject.toml", "constraints.txt"):  # as they are now, committed or not
        shutil.copy(ROOT / name, clone)
    evil.mkdir()
    (evil / "numpy.py").write_text("raise ImportError('of another Python')")
    alone = re.compile("VIRTUAL_ENV|CONDA_PREFIX|PYTHON.*")
    environ = {name: value for name, value in os.environ.items() if not alone.fullmatch(name)}
    environ |= {"PIP_USER": "1", "PIP_TARGET": str(astray), "UV_PREFIX": str(astray)}
    environ |= {"PYTHONPATH": str(evil)}
    base = getattr(sys, "_base_executable", None) or sys.executable
    command = [base, "-m", "course_utils", "run", "--check", "notebooks/none.ipynb"]

    def call():
        start = time.monotonic()
        done = subprocess.run(command, cwd=clone, env=environ, capture_output=True, text=True)
        if "did not answer" in done.stderr:
            pytest.skip("no package index answers")
        assert "No such file" in done.stdout, done.stdout + done.stderr
        return done.stdout, time.monotonic() - start

    assert "Ready after" in call()[0]
    said, seconds = call()
    assert "Setting up" not in said and seconds < 5
    assert not astray.exists()
    python = setup_venv.interpreter(clone / ".venv")
    code = "import course_utils, jupyterlab, numpy; print(course_utils.__file__)"
    found = subprocess.run([python, "-I", "-c", code], capture_output=True, text=True)
    assert Path(found.stdout.strip()) == clone / "course_utils/__init__.py", found.stderr
