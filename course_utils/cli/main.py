"""The command line of the course."""

import os
import subprocess
import sys
from importlib import import_module
from urllib.parse import quote

from course_utils.cli import compilation_cache, lab, setup_messages, setup_venv

USAGE = """\
usage: python3 -m course_utils JOB [options]          in a clone of the course

  lab      open JupyterLab on work/, your own copies of the lessons
  test     run the tests, the notebooks among them; --all adds the slow ones
  run      execute notebooks and store their outputs; --check only looks
  release  write the students' copies of the notebooks, or a problem set
  grade    grade what students handed in: points and a page of feedback for each
  paper    run the lessons' experiments at the sizes of their papers, on a machine with a GPU
  site     build the course as web pages, with sliders that need no kernel
  stamp    put the repository's address into badges and first cells

The first call makes the environment .venv, and later calls use it; an activated environment that
has all the packages is used instead. --gpu adds JAX's CUDA build (Linux, NVIDIA) to .venv.
`python3 -m course_utils JOB --help` says more."""
HELP = {
    "lab": """\
usage: python3 -m course_utils lab [NN | NOTEBOOK] [--gpu] [JupyterLab's options]

Open JupyterLab on work/, after making the environment .venv if this is the first call. There every
lesson is yours to write in: it is copied from notebooks/student once, and nothing overwrites it.
Ctrl-C, twice or confirmed by y, ends JupyterLab.

  NN        open this lesson: lab 03
  NOTEBOOK  open this notebook: lab notebooks/03_taylor_approximations.ipynb is the solved one
  --gpu     add JAX's CUDA build (Linux, NVIDIA) to the environment
  others    go to JupyterLab: --no-browser, --port 8890, ...""",
    "test": """\
usage: python3 -m course_utils test [--all] [--gpu] [pytest's options]

Run the tests: the package's, and every notebook from top to bottom against its stored outputs.

  --all    add the slow ones: student copies, Colab's package versions, a real browser
  --gpu    add JAX's CUDA build (Linux, NVIDIA) to the environment
  others   go to pytest: -k cg, -x, tests/engine, -n 0 (no parallel workers), ...""",
}
# The extras that each job needs: nbclient and nbformat come with `lab`, nbgrader with `test`
JOBS = {
    "lab": {"lab"},
    "test": {"lab", "test"},
    "run": {"lab"},
    "release": {"lab", "test"},
    "grade": {"lab", "test"},
    "paper": {"lab"},
    "site": {"lab", "site"},
    "stamp": {"lab"},
}
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
        return import_module(_module(job)).main(rest)
    extras = JOBS[job] | ({"cuda"} if gpu else set())
    if job == "site" and "--pdf" in rest:
        extras = extras | {"browser"}
    variables = {}
    if job == "test":
        command = _test_command(rest, extras)
    elif job == "lab":
        command = _lab_command(lab.page(rest), rest)
        variables = compilation_cache.settings(setup_venv.ROOT)  # a second "Run all" takes half
    else:
        command = [_module(job)] + rest
    python = setup_venv.ensure(extras)
    if job == "lab":
        _fill_work()
    if job in HELP:  # the others take paths, which start where the caller stands
        os.chdir(str(setup_venv.ROOT))
    return _become(python, ["-m"] + command, variables)


def _module(job):
    homes = {"grade": "instructors.grade", "site": "site.build"}
    return f"course_utils.{homes.get(job, f'cli.{job}')}"


def _take(argv, option):
    found = option in argv
    argv[:] = [a for a in argv if a != option]
    return found


def _test_command(rest, extras):
    command = ["pytest"]
    if _take(rest, "--all"):
        extras |= {"browser", "site"}
        command += ["-m", ""]
    if not any(arg.startswith(ALONE) for arg in rest):
        # pytest_plugin says what one worker takes as a whole, and in which order
        command += ["-n", str(_workers()), "--no-loadscope-reorder"]
    return command + rest


def _workers():
    try:
        cores = len(os.sched_getaffinity(0))
    except AttributeError:
        cores = os.cpu_count() or 1
    return max(1, min(cores, 4))


def _lab_command(page, rest):
    # The clone is the root: links to README.md open, a terminal starts where the jobs are called
    command = [
        "jupyterlab",
        "--ServerApp.root_dir=" + str(setup_venv.ROOT),
        "--LabApp.default_url=/lab/tree/" + quote(page),
    ]
    if hasattr(os, "geteuid") and os.geteuid() == 0 and "--allow-root" not in rest:
        command.append("--allow-root")  # a container's usual user, whom Jupyter refuses otherwise
    return command + rest


def _fill_work():
    try:
        for sentence in lab.fill():
            print(sentence)
    except OSError as error:
        raise setup_venv.SetupError(setup_messages.os_error(error, setup_venv.ROOT)) from error


def _become(python, command, variables):
    """Hand over to ``python command`` as if its environment were activated."""
    env = dict(os.environ, **variables)
    if python == setup_venv.interpreter(setup_venv.ROOT / ".venv"):
        env["VIRTUAL_ENV"] = str(python.parent.parent)
        env["PATH"] = os.pathsep.join([str(python.parent), env.get("PATH", os.defpath)])
        for name in ("PYTHONHOME", "PYTHONPATH"):  # another Python's packages
            env.pop(name, None)
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
