"""Set-up of ``.venv`` and the command line, against a small clone with a make-believe installer."""

import ast
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import venv as standard_venv
from pathlib import Path

import pytest

from course_utils.cli import main, setup_venv
from course_utils.cli.setup_venv import SetupError, ensure

ROOT = Path(__file__).resolve().parents[2]
BEFORE_CHECK = [ROOT / "course_utils/__init__.py", ROOT / "course_utils/__main__.py"]
BEFORE_CHECK += sorted((ROOT / "course_utils/cli").glob("*.py"))
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
posix = pytest.mark.skipif(os.name == "nt", reason="signals and scripts as POSIX has them")


def create_without_pip(root, venv, held):
    """Stands for ``setup_venv._create``: half a second sooner, with a ``pip`` that runs a file."""
    standard_venv.create(str(venv), symlinks=os.name != "nt", clear=False)
    (library,) = [*venv.glob("lib/python*/site-packages"), *venv.glob("Lib/site-packages")]
    (library / "pip").mkdir()
    (library / "pip/__init__.py").touch()
    (library / "pip/__main__.py").write_text("who = 'pip'\nexec(open('installer.py').read())\n")


@pytest.fixture
def clone(tmp_path, monkeypatch):
    """A clone under a name with a space and an accent; installers run its ``installer.py``."""
    root = tmp_path.resolve() / "un clône"
    root.mkdir()
    (root / "pyproject.toml").write_text(PYPROJECT)
    (root / "constraints.txt").write_text("alpha==1.5\n")
    installer(root, "")
    monkeypatch.setattr(setup_venv, "_create", create_without_pip)
    monkeypatch.setattr(setup_venv, "SPACE_MB", 1)
    monkeypatch.delenv("VIRTUAL_ENV", raising=False)
    monkeypatch.delenv("CONDA_PREFIX", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))  # no uv
    return root


def installer(root, code):
    """Make pip, and uv where there is one, note the call and run ``code``."""
    note = "import sys, time\nprint(who, *sys.argv[1:], file=open('calls.txt', 'a'))\n"
    (root / "installer.py").write_text(note + code)


def calls(root):
    return (root / "calls.txt").read_text().splitlines() if (root / "calls.txt").exists() else []


def put_uv_on_path(root):
    script = root.parent / "bin/uv"
    script.parent.mkdir()
    script.write_text(f"#!{sys.executable}\nwho = 'uv'\nexec(open('installer.py').read())\n")
    script.chmod(0o755)


def stamp(root):
    return json.loads((root / ".venv/course-stamp.json").read_text())


def left(root):
    return sorted(p.name for p in root.glob(".venv*"))


def in_another_process(root, **options):
    """``ensure`` as another process would call it, with the same make-believe installer."""
    code = (
        f"import sys; sys.path[:0] = [{str(ROOT)!r}, {str(Path(__file__).parent)!r}]\n"
        "import test_setup as t\n"
        "t.setup_venv._create, t.setup_venv.SPACE_MB = t.create_without_pip, 1\n"
        "t.main._become = lambda python, command: 0\n"
        f"t.setup_venv.ensure.__defaults__ = (t.Path({str(root)!r}),)\n"
        f"t.setup_venv.ROOT = t.Path({str(root)!r})\n"
        "sys.exit(t.main.main(['lab']))\n"
    )
    return subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        **options,
    )


def wait_for_call(root, count=1):
    for _ in range(2400):
        if len(calls(root)) >= count:
            return
        time.sleep(0.05)
    raise AssertionError(f"the installer was not called {count} times in 2 minutes")


# What an old Python meets


@pytest.mark.parametrize("path", BEFORE_CHECK, ids=lambda p: p.name)
def test_what_runs_before_the_version_is_known_parses_on_python_3_8(path):
    ast.parse(path.read_text(encoding="utf-8"), feature_version=(3, 8))


def old_pythons():
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    for version in ["3.8", "3.9", "3.10"]:
        for python in [f"/usr/bin/python{version}", *pyenv.glob(f"{version}.*/bin/python")]:
            if os.access(python, os.X_OK):
                yield str(python)


def test_an_old_python_is_told_so_in_words():
    found = list(old_pythons())
    if not found:
        pytest.skip("no Python 3.8, 3.9 or 3.10 on this machine")
    for python in found:
        for job in ["lab", "test", "run"]:
            done = subprocess.run(
                [python, "-m", "course_utils", job], cwd=ROOT, capture_output=True, text=True
            )
            assert done.returncode == 1 and done.stdout == ""
            assert "needs Python 3.11 or newer; this is Python 3." in done.stderr
            assert "Traceback" not in done.stderr


def test_the_version_check_names_what_it_found():
    setup_venv.check_python((3, 11, 0))
    with pytest.raises(SetupError, match=r"3\.11 or newer; this is Python 3\.10\.13 "):
        setup_venv.check_python((3, 10, 13, "final", 0))


def test_the_commands_import_nothing_but_the_standard_library():
    names = ["__main__", "cli.main", "cli.setup_venv", "cli.run", "cli.release", "cli.stamp"]
    names += ["cli.grade"]
    code = f"import sys; sys.path.insert(0, {str(ROOT)!r})\n"
    code += "".join(f"import course_utils.{name}\n" for name in names)
    isolated = [sys.executable, "-I", "-S"]  # without site-packages
    assert subprocess.run([*isolated, "-c", "import pytest"], capture_output=True).returncode != 0
    assert subprocess.run([*isolated, "-c", code]).returncode == 0


# A first call, a second one, and what makes a third one work again


def test_the_first_call_installs_what_the_second_one_finds(clone, capsys):
    python = ensure(["lab", "test"], clone)
    assert subprocess.run([python, "-c", "import pip"]).returncode == 0
    (call,) = calls(clone)
    assert call.endswith(" -c constraints.txt -e .[lab,test]") and call.startswith("pip install")
    assert "Ready after" in capsys.readouterr().out
    assert "unfinished" not in stamp(clone)
    assert left(clone) == [".venv", ".venv.lock"]

    (clone / ".venv.lock").unlink()
    assert ensure(["test"], clone) == python
    assert len(calls(clone)) == 1 and capsys.readouterr().out == ""
    assert left(clone) == [".venv"]  # a second call writes nothing


def test_extras_add_up(clone):
    ensure(["lab"], clone)
    ensure(["test", "browser"], clone)
    ensure(["lab"], clone)
    assert [c.split()[-1] for c in calls(clone)] == [".[lab]", ".[browser,lab,test]"]


@pytest.mark.parametrize(
    "file, old, new, again",
    [
        ("pyproject.toml", "alpha>=1", "alpha>=1.1", True),
        ("pyproject.toml", "gamma>=3", "gamma>=3.1", True),
        ("constraints.txt", "1.5", "1.6", True),
        ("pyproject.toml", "[project]", "[tool.ruff]\nline-length = 90\n[project]", False),
    ],
)
def test_only_a_changed_requirement_installs_again(clone, file, old, new, again):
    ensure(["lab"], clone)
    text = (clone / file).read_text()
    assert old in text
    (clone / file).write_text(text.replace(old, new))
    ensure(["lab"], clone)
    assert len(calls(clone)) == 1 + again


def breaks_python(root):
    setup_venv.interpreter(root / ".venv").unlink()


def breaks_stamp(root):
    (root / ".venv/course-stamp.json").write_text("{")


def leaves_it_unfinished(root):
    setup_venv._write_stamp(root / ".venv", {"unfinished": True, "extras": ["lab"]})


def comes_from_another_python(root):
    setup_venv._write_stamp(root / ".venv", dict(stamp(root), python="3.9"))


def comes_from_another_folder(root):
    setup_venv._write_stamp(root / ".venv", dict(stamp(root), root="/elsewhere"))


@pytest.mark.parametrize(
    "damage, anew",
    [
        (breaks_python, True),
        (breaks_stamp, True),
        (leaves_it_unfinished, True),
        (comes_from_another_folder, True),
        (comes_from_another_python, False),  # the stamp is wrong, the Python in place is right
    ],
)
def test_a_damaged_environment_is_repaired(clone, damage, anew):
    python = ensure(["lab"], clone)
    (clone / ".venv/mine.txt").touch()
    damage(clone)
    assert ensure(["lab"], clone) == python
    assert setup_venv._version_of(python) == setup_venv._minor()
    assert len(calls(clone)) == 2
    assert (clone / ".venv/mine.txt").exists() != anew
    assert stamp(clone)["root"] == str(clone) and left(clone) == [".venv", ".venv.lock"]


def test_an_environment_of_another_python_is_made_anew(clone, monkeypatch, capsys):
    ensure(["lab"], clone)
    monkeypatch.setattr(setup_venv, "_minor", lambda: "3.99")
    ensure(["lab"], clone)
    assert "it was made by Python 3." in capsys.readouterr().out


def test_an_environment_made_by_hand_is_completed(clone):
    create_without_pip(clone, clone / ".venv", None)
    (clone / ".venv/mine.txt").touch()
    ensure(["lab"], clone)
    assert (clone / ".venv/mine.txt").exists() and stamp(clone)["extras"] == ["lab"]


# What fails says so, and leaves nothing behind

OFFLINE = (
    "print('ERROR: <pip._vendor.urllib3.connection.HTTPSConnection object at 0x7f>: Failed to "
    "establish a new connection: [Errno -3] Temporary failure in name resolution')\nsys.exit(1)"
)
FULL = "print('ERROR: [Errno 28] No space left on device')\nsys.exit(1)"
ODD = "print('ERROR: the moon is wrong')\nsys.exit(2)"


@pytest.mark.parametrize(
    "code, words",
    [
        (
            OFFLINE,
            r"did not answer:\n.*name resolution\nCheck the network .* call the same command",
        ),
        (FULL, r"no room on the disk.*\nMake room, then call the same command again"),
        (ODD, r"failed:\n    ERROR: the moon is wrong\nCall the same command again"),
    ],
)
def test_a_failed_set_up_leaves_nothing_and_says_what_to_do(clone, code, words):
    installer(clone, code)
    with pytest.raises(SetupError, match=words):
        ensure(["lab"], clone)
    assert left(clone) == [".venv.lock"]
    installer(clone, "")
    ensure(["lab"], clone)
    assert stamp(clone)["extras"] == ["lab"]


def test_a_failed_addition_leaves_what_was_there(clone):
    ensure(["lab"], clone)
    installer(clone, OFFLINE)
    with pytest.raises(SetupError, match="did not answer"):
        ensure(["browser"], clone)
    count = len(calls(clone))
    ensure(["lab"], clone)
    assert len(calls(clone)) == count


def test_an_addition_that_fails_half_way_is_mended_next_time(clone, capsys):
    ensure(["lab"], clone)
    installer(clone, "print('Installing collected packages: delta')\n" + FULL)
    with pytest.raises(SetupError, match="no room"):
        ensure(["browser"], clone)
    installer(clone, "")
    capsys.readouterr()
    ensure(["lab"], clone)
    assert "set-up was interrupted" in capsys.readouterr().out


def test_a_failed_renewal_keeps_the_old_environment(clone):
    ensure(["lab"], clone)
    (clone / ".venv/mine.txt").touch()
    comes_from_another_folder(clone)
    installer(clone, OFFLINE)
    with pytest.raises(SetupError, match="did not answer"):
        ensure(["lab"], clone)
    assert (clone / ".venv/mine.txt").exists() and stamp(clone)["root"] == "/elsewhere"


def test_a_disk_with_too_little_room_is_refused_before_anything_is_made(clone, monkeypatch):
    monkeypatch.setattr(setup_venv, "SPACE_MB", 10**12)
    with pytest.raises(SetupError, match=r"needs about 1000000000000 MB, and .* has \d+ MB"):
        ensure(["lab"], clone)
    assert left(clone) == [".venv.lock"] and not calls(clone)


def test_a_folder_that_cannot_be_written_is_named(clone, monkeypatch):
    def refuse(root):
        raise PermissionError(13, "Permission denied", str(root / ".venv.lock"))

    monkeypatch.setattr(setup_venv, "_lock", refuse)
    with pytest.raises(SetupError, match=r"\.venv\.lock cannot be written \(Permission denied\)"):
        ensure(["lab"], clone)


def test_a_python_without_ensurepip_names_the_package_to_install(clone, monkeypatch):
    monkeypatch.setattr(setup_venv, "find_spec", lambda name: None)
    with pytest.raises(SetupError, match=r"no ensurepip.*\n.*sudo apt install python3\.\d+-venv"):
        ensure(["lab"], clone)
    assert left(clone) == [".venv.lock"]


def test_cuda_is_refused_where_jax_has_none(clone, monkeypatch):
    monkeypatch.setattr(sys, "platform", "darwin")
    with pytest.raises(SetupError, match="exists for Linux alone"):
        ensure(["lab", "cuda"], clone)


def test_a_folder_without_pyproject_is_no_clone(tmp_path):
    with pytest.raises(SetupError, match="is no clone of the course"):
        ensure(["lab"], tmp_path)


def test_an_unreadable_pyproject_is_named(clone):
    (clone / "pyproject.toml").write_text("<<<<<<< HEAD\n")
    with pytest.raises(SetupError, match=r"pyproject\.toml cannot be read"):
        ensure(["lab"], clone)


# uv where it is, pip where it is not or fails


@posix
def test_uv_installs_where_it_is_found(clone):
    put_uv_on_path(clone)
    python = ensure(["lab"], clone)
    assert calls(clone) == [f"uv pip install --python {python} -c constraints.txt -e .[lab]"]


@posix
def test_pip_takes_over_where_uv_fails(clone, capsys):
    put_uv_on_path(clone)
    installer(clone, "if who == 'uv':\n    print('error: no such index')\n    sys.exit(2)")
    ensure(["lab"], clone)
    assert [c.split()[0] for c in calls(clone)] == ["uv", "pip"]
    assert "(error: no such index); pip takes over" in capsys.readouterr().out


@posix
def test_uv_makes_the_environment_where_ensurepip_is_missing(clone, monkeypatch):
    monkeypatch.undo()
    monkeypatch.setenv("PATH", str(clone.parent / "bin"))
    monkeypatch.setattr(setup_venv, "find_spec", lambda name: None)
    put_uv_on_path(clone)
    installer(
        clone,
        "import venv\nif sys.argv[1] == 'venv':\n"
        "    assert '--seed' in sys.argv\n    venv.create(sys.argv[-1], symlinks=True)",
    )
    monkeypatch.setattr(setup_venv, "SPACE_MB", 1)
    ensure(["lab"], clone)
    assert [c.split()[1] for c in calls(clone)] == ["venv", "pip"]


# Interrupted, killed, twice at once

ENDLESS = """\
import os, signal

def told_to_end(number, frame):
    open('told', 'w').close()
    sys.exit(1)

signal.signal(signal.SIGTERM, told_to_end)
print(os.getpid(), file=open('calls.txt', 'a'))
time.sleep(120)
"""


@posix
@pytest.mark.parametrize("number, status", [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupted_set_up_ends_its_installer_and_leaves_nothing(clone, number, status):
    installer(clone, ENDLESS)
    job = in_another_process(clone)
    wait_for_call(clone, count=2)
    job.send_signal(number)
    said, _ = job.communicate(timeout=60)
    assert job.returncode == status and "Traceback" not in said
    assert left(clone) == [".venv.lock"] and (clone / "told").exists()
    with pytest.raises(ProcessLookupError):
        os.kill(int(calls(clone)[1]), 0)


UNTIL_TOLD = """\
import os
for _ in range(1200):
    if os.path.exists('go'):
        break
    time.sleep(0.05)
open('outlived', 'w').close()
"""


def says_that_it_waits(job):
    """Read what a second call prints first; it prints it once it waits."""
    assert "Another set-up is under way here" in job.stdout.readline()


@posix
def test_the_call_after_a_killed_set_up_waits_for_its_installer_and_starts_afresh(clone):
    installer(clone, UNTIL_TOLD)
    first = in_another_process(clone)
    wait_for_call(clone)
    first.kill()
    first.wait()
    assert stamp(clone)["unfinished"]
    second = in_another_process(clone)
    says_that_it_waits(second)
    assert len(calls(clone)) == 1 and not (clone / "outlived").exists()
    installer(clone, "import os\nassert os.path.exists('outlived')")
    (clone / "go").touch()
    said, _ = second.communicate(timeout=60)
    assert second.returncode == 0, said
    assert "its set-up was interrupted" in said and "unfinished" not in stamp(clone)
    first.stdout.close()


@posix
def test_of_two_calls_at_once_one_sets_up_and_the_other_waits(clone):
    installer(clone, UNTIL_TOLD)
    first = in_another_process(clone)
    wait_for_call(clone)
    second = in_another_process(clone)
    says_that_it_waits(second)
    (clone / "go").touch()
    said = [job.communicate(timeout=60)[0] for job in (first, second)]
    assert (first.returncode, second.returncode) == (0, 0), said
    assert "Ready after" in said[0] and "Setting up" not in said[1]
    assert len(calls(clone)) == 1


# An activated environment of the user's own


def test_what_an_environment_lacks_is_named(clone, monkeypatch):
    from importlib import metadata

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


def test_versions_are_compared_by_number():
    numbers = ["0.9", "0.10.2", "1", "1.0.1", "2.0rc1", "26.3"]
    assert sorted(numbers[::-1], key=setup_venv._release) == numbers
    assert setup_venv._release("3.0.0") == setup_venv._release("3")


@pytest.mark.parametrize("variable", ["VIRTUAL_ENV", "CONDA_PREFIX"])
def test_an_activated_environment_that_has_everything_is_used(clone, monkeypatch, variable):
    monkeypatch.setenv(variable, sys.prefix)
    monkeypatch.setattr(setup_venv, "unmet", lambda root, extras: [])
    assert ensure(["lab"], clone) == Path(sys.executable)
    assert left(clone) == []
    monkeypatch.setattr(setup_venv, "unmet", lambda root, extras: ["beta>=2"])
    assert ensure(["lab"], clone) == setup_venv.interpreter(clone / ".venv")


# The command line


@pytest.fixture
def handed_over(monkeypatch):
    """What ``main`` would run, and with which extras."""
    seen = {}

    def fake_ensure(extras):
        seen["extras"] = sorted(extras)
        return Path("python")

    def fake_become(python, command):
        seen["command"] = [str(python), *command]
        return 7

    monkeypatch.setattr(setup_venv, "ensure", fake_ensure)
    monkeypatch.setattr(main, "_become", fake_become)
    monkeypatch.setattr(main, "_workers", lambda: 2)
    monkeypatch.chdir(ROOT)
    return seen


PARALLEL = ["-n", "2", "--dist", "loadscope", "--no-loadscope-reorder"]


@pytest.mark.parametrize(
    "argv, command, extras",
    [
        (["test"], ["pytest", *PARALLEL], ["lab", "test"]),
        (["test", "--all"], ["pytest", "-m", "", *PARALLEL], ["browser", "lab", "test"]),
        (["test", "-k", "cg", "-x"], ["pytest", *PARALLEL, "-k", "cg", "-x"], ["lab", "test"]),
        (["test", "-n", "0"], ["pytest", "-n", "0"], ["lab", "test"]),
        (["test", "--pdb"], ["pytest", "--pdb"], ["lab", "test"]),
        (["test", "--gpu"], ["pytest", *PARALLEL], ["cuda", "lab", "test"]),
        (["run", "--check", "a.ipynb"], ["course_utils.cli.run", "--check", "a.ipynb"], None),
        (["release"], ["course_utils.cli.release"], None),
        (["grade", "01", "a.ipynb"], ["course_utils.cli.grade", "01", "a.ipynb"], None),
        (["stamp", "URL", "--ref", "v1"], ["course_utils.cli.stamp", "URL", "--ref", "v1"], None),
    ],
)
def test_each_job_becomes_its_command_and_passes_its_exit_status_on(
    handed_over, argv, command, extras
):
    assert main.main(argv) == 7
    assert handed_over["command"] == ["python", "-m", *command]
    assert handed_over["extras"] == (extras or ["lab", "test"])


def test_lab_opens_on_the_notebooks_and_passes_options_on(handed_over):
    assert main.main(["lab", "--no-browser"]) == 7
    command = handed_over["command"]
    assert command[:3] == ["python", "-m", "jupyterlab"] and command[-1] == "--no-browser"
    assert "--LabApp.default_url=/lab/tree/notebooks" in command
    assert f"--ServerApp.root_dir={ROOT}" in command


@posix
@pytest.mark.parametrize("user, root", [(0, True), (1000, False)])
def test_lab_runs_as_root_only_where_the_user_is_root(monkeypatch, user, root):
    monkeypatch.setattr(os, "geteuid", lambda: user)
    assert ("--allow-root" in main._lab_command([])) == root


@pytest.mark.parametrize("argv", [[], ["--help"], ["-h"]])
def test_without_a_job_the_jobs_are_listed(argv, capsys):
    assert main.main(argv) == 0
    out = capsys.readouterr().out
    assert all(re.search(rf"^  {job} ", out, re.M) for job in main.JOBS)


@pytest.mark.parametrize("job", main.JOBS)
def test_each_job_explains_itself_before_anything_is_set_up(job, monkeypatch, capsys):
    monkeypatch.setattr(setup_venv, "ensure", None)
    try:
        status = main.main([job, "--help"])
    except SystemExit as end:  # argparse
        status = end.code
    assert not status
    assert f"usage: python3 -m course_utils {job}" in capsys.readouterr().out


def test_an_unknown_job_is_refused(capsys):
    assert main.main(["dance"]) == 2
    assert "There is no job 'dance'" in capsys.readouterr().err


def test_a_set_up_that_fails_prints_its_sentence_and_exits_with_1(monkeypatch, capsys):
    def fail(extras):
        raise SetupError("no room")

    monkeypatch.setattr(setup_venv, "ensure", fail)
    assert main.main(["lab"]) == 1
    assert capsys.readouterr() == ("", "no room\n")


def test_the_exit_status_of_a_job_is_that_of_the_command():
    code = (
        f"import sys; sys.path.insert(0, {str(ROOT)!r})\n"
        "from course_utils.cli import main; from pathlib import Path\n"
        "sys.exit(main._become(Path(sys.executable), ['-c', 'import sys; sys.exit(41)']))"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 41


@posix
def test_a_job_runs_as_if_its_environment_were_activated(monkeypatch):
    seen = {}

    def execve(path, args, env):
        seen.update(env)
        raise SystemExit

    monkeypatch.setattr(os, "execve", execve)
    monkeypatch.setenv("PATH", "/usr/bin")
    python = setup_venv.interpreter(ROOT / ".venv")
    with pytest.raises(SystemExit):
        main._become(python, ["-c", "pass"])
    assert seen["VIRTUAL_ENV"] == str(ROOT / ".venv")
    assert seen["PATH"] == os.pathsep.join([str(python.parent), "/usr/bin"])


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
def test_a_fresh_clone_sets_itself_up_once(tmp_path):
    """The README's second command, typed by a stranger into an empty environment."""
    clone = tmp_path / "fresh clone"
    copy = subprocess.run(["git", "clone", "-q", str(ROOT), str(clone)])
    if copy.returncode:
        pytest.skip("not in a git checkout")
    shutil.copytree(
        ROOT / "course_utils", clone / "course_utils", dirs_exist_ok=True
    )  # as it is now, committed or not
    environ = {key: os.environ[key] for key in ("PATH", "HOME", "SYSTEMROOT") if key in os.environ}
    base = getattr(sys, "_base_executable", None) or sys.executable
    command = [base, "-m", "course_utils", "test", "-q", "tests/test_trees.py"]

    def call():
        start = time.monotonic()
        done = subprocess.run(command, cwd=clone, env=environ, capture_output=True, text=True)
        if "did not answer" in done.stderr:
            pytest.skip("no package index answers")
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout, time.monotonic() - start

    assert "Ready after" in call()[0]
    said, seconds = call()
    assert "Ready after" not in said and " passed" in said
    assert seconds < 60
