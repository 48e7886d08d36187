"""The command line of the course."""

import os
import subprocess
import sys
from importlib import import_module

from course_utils.cli import setup_venv

USAGE = """\
usage: python3 -m course_utils JOB [options]          in a clone of the course

  lab      open JupyterLab on notebooks/
  test     run the tests, the notebooks among them; --all adds the slow ones
  run      execute notebooks and store their outputs; --check only looks
  release  write the students' copies of the notebooks, or a problem set
  grade    grade what students handed in: points and a page of feedback for each
  stamp    put the repository's address into badges and first cells
  bench    time the package against other libraries, each in its own interpreter

The first call makes the environment .venv, and later calls use it; an activated environment that
has all the packages is used instead. --gpu adds JAX's CUDA build (Linux, NVIDIA) to .venv.
`python3 -m course_utils JOB --help` says more."""
HELP = {
    "lab": """\
usage: python3 -m course_utils lab [--gpu] [JupyterLab's options]

Open JupyterLab on notebooks/, after making the environment .venv if this is the first call.
Ctrl-C, twice or confirmed by y, ends it.

  --gpu    add JAX's CUDA build (Linux, NVIDIA) to the environment
  others   go to JupyterLab: --no-browser, --port 8890, notebooks/01_linear_regression.ipynb""",
    "test": """\
usage: python3 -m course_utils test [--all] [--gpu] [pytest's options]

Run the tests: the package's, and every notebook from top to bottom against its stored outputs.

  --all    add the slow ones: student copies, Colab's package versions, a real browser
  --gpu    add JAX's CUDA build (Linux, NVIDIA) to the environment
  others   go to pytest: -k cg, -x, tests/engine, -n 0 (no parallel workers), ...""",
}
JOBS = ("lab", "test", "run", "release", "grade", "stamp", "bench")
# pytest's options that parallel workers would contradict
ALONE = ("-n", "--numprocesses", "--dist", "--pdb", "--trace", "-s", "--capture", "--co", "-h")


def main(argv):
    """Do the job that ``argv`` names; return its exit status."""
    try:
        return _dispatch(list(argv))
    except setup_venv.SetupError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nInterrupted. The same command starts again from here.", file=sys.stderr)
        return 130


def _dispatch(argv):
    gpu = _take(argv, "--gpu")
    if not argv or argv[0] in ("-h", "--help", "help"):
        print(USAGE)
        return 0
    job, rest = argv[0], argv[1:]
    if job not in JOBS:
        print(f"There is no job {job!r}.\n\n{USAGE}", file=sys.stderr)
        return 2
    setup_venv.check_python()
    if {"-h", "--help"} & set(rest):
        if job in HELP:
            print(HELP[job])
            return 0
        return import_module(f"course_utils.cli.{job}").main(rest)
    extras = {"lab", "test"} | ({"cuda"} if gpu else set())
    if job == "test":
        command = _test_command(rest, extras)
    elif job == "lab":
        command = _lab_command(rest)
    else:
        command = [f"course_utils.cli.{job}"] + rest
    python = setup_venv.ensure(extras)
    if job in HELP:  # the others take paths, which start where the caller stands
        os.chdir(str(setup_venv.ROOT))
    return _become(python, ["-m"] + command)


def _take(argv, option):
    found = option in argv
    argv[:] = [a for a in argv if a != option]
    return found


def _test_command(rest, extras):
    command = ["pytest"]
    if _take(rest, "--all"):
        extras.add("browser")
        command += ["-m", ""]
    if not any(arg.startswith(ALONE) for arg in rest):
        # pytest_plugin says what one worker takes as a whole, in which order
        command += ["-n", str(_workers()), "--dist", "loadgroup", "--no-loadscope-reorder"]
    return command + rest


def _workers():
    try:
        cores = len(os.sched_getaffinity(0))
    except AttributeError:
        cores = os.cpu_count() or 1
    return max(1, min(cores, 4))


def _lab_command(rest):
    # The clone is the root: links to README.md open, a terminal starts where the jobs are called
    command = [
        "jupyterlab",
        "--ServerApp.root_dir=" + str(setup_venv.ROOT),
        "--LabApp.default_url=/lab/tree/notebooks",
    ]
    if hasattr(os, "geteuid") and os.geteuid() == 0 and "--allow-root" not in rest:
        command.append("--allow-root")  # a container's usual user, whom Jupyter refuses otherwise
    return command + rest


def _become(python, command):
    """Hand over to ``python command`` as if its environment were activated."""
    env = dict(os.environ)
    if python == setup_venv.interpreter(setup_venv.ROOT / ".venv"):
        env["VIRTUAL_ENV"] = str(python.parent.parent)
        env["PATH"] = os.pathsep.join([str(python.parent), env.get("PATH", os.defpath)])
        env.pop("PYTHONHOME", None)
    sys.stdout.flush()
    if os.name == "posix":
        # signals and the exit status are then the job's own
        os.execve(str(python), [str(python)] + command, env)
    job = subprocess.Popen([str(python)] + command, env=env)
    while True:
        try:
            return job.wait()
        except KeyboardInterrupt:
            pass  # the job has had it too, and decides
