"""A process for code that nobody vouches for: few files, no network, and limits on what it takes.

Where bubblewrap is there (``bwrap``, Linux), the process sees the system's programs, this Python
and its packages, `course_utils`, and empty folders to write to; nothing else of the disk, and no
network. Without it the limits alone hold.
"""

import contextlib
import functools
import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

from course_utils.cli import compilation_cache
from course_utils.cli.setup_venv import ROOT

GIB, MIB = 2**30, 2**20
PYTHON = os.path.abspath(sys.executable)
# to /usr, on systems that merged them
_LINKS = ("bin", "sbin", "lib", "lib32", "lib64", "libx32")
_SETTINGS = ("alternatives", "fonts", "ld.so.cache", "ld.so.conf", "ld.so.conf.d", "localtime")
_MOST_FILES = 10_000  # that a program may keep without a sandbox
_SPARE_ADDRESSES = 16 * GIB  # XLA and threads reserve far more than they touch
_SPARE_TASKS = 250  # for threads, which count as processes do
_users = itertools.count(20_000 + os.getpid() % 20_000)

# Runs before the program takes its place: limits set here are kept by all that it starts
_LAUNCHER = """\
import json, os, resource, sys
limits, user = json.loads(sys.argv[1])
for name, value in limits.items():
    try:
        resource.setrlimit(getattr(resource, "RLIMIT_" + name), (value, value))
    except (AttributeError, ValueError, OSError):
        pass  # another system, or a limit that is lower already
os.nice(5)
if user is not None:
    os.setgroups([])
    os.setgid(user)
    os.setuid(user)
os.execv(sys.argv[2], sys.argv[2:])
"""


class Limits(NamedTuple):
    """What one submission may take."""

    memory: int = 4 * GIB  # bytes, all its processes together
    processes: int = 50
    file: int = 256 * MIB  # bytes of one file
    scratch: int = 512 * MIB  # bytes of all files, in the sandbox
    output: int = 20 * MIB  # bytes of all that it prints and draws


def problem():
    """Why no sandbox can be made here; None where one can."""
    if shutil.which("bwrap") is None:
        return "bubblewrap is not installed"
    done = _tried(None)
    if done.returncode == 0:
        return None
    said = done.stderr.strip().splitlines() or [f"exit status {done.returncode}"]
    return f"bubblewrap makes no sandbox here ({said[-1]})"


def _tried(user):
    """A finished process: an import in a sandbox."""
    trial = [*_bubble(Path("/tmp"), Limits(), (), user), *_launcher({}, user), PYTHON, "-c"]
    return subprocess.run(
        [*trial, "import course_utils"],
        env=_environment("/tmp"),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )


@functools.cache
def _can_change_user():
    return os.geteuid() == 0 and _tried(next(_users)).returncode == 0


def _launcher(rlimits, user):
    return [PYTHON, "-I", "-S", "-c", _LAUNCHER, json.dumps([rlimits, user])]


def start(argv, shared, limits, sandboxed, hidden=(), trusted=False):
    """Start a program under ``limits``; nothing that it prints is kept.

    Args:
        argv: the program's full path and its arguments.
        shared: the one folder that both sides see; the program may write there.
        limits: a ``Limits``. Time, memory and the number of processes are for ``trouble`` to see.
        sandboxed: whether to put it in a sandbox.
        hidden: folders that must be out of sight even where a folder that is needed holds them.
        trusted: whether it may add to the cache of compiled programs, which others then run.

    Returns:
        A ``subprocess.Popen``, at the head of a session of its own.
    """
    home = Path("/tmp/home") if sandboxed else shared / "home"
    # No limit on tasks binds root: in a sandbox a user without rights, one for each program
    user = next(_users) if sandboxed and not trusted and _can_change_user() else None
    argv = [*_launcher(_rlimits(limits, user), user), *argv]
    if sandboxed:
        argv = [*_bubble(shared, limits, hidden, user, trusted), *argv]
    else:
        home.mkdir(exist_ok=True)
        _adopt_orphans()
    if user is not None:
        for path in [shared, *shared.iterdir()]:
            os.chown(str(path), user, user)
    environment = _environment(str(home), trusted)
    if not sandboxed:  # then a kernel ends when this process does, as a sandbox would
        environment["JPY_PARENT_PID"] = str(os.getpid())
    return subprocess.Popen(
        argv,
        cwd="/" if sandboxed else str(home),
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,  # the instructor's Ctrl-C is for the instructor's program
    )


def _rlimits(limits, user):
    import psutil

    wanted = {"CORE": 0, "FSIZE": limits.file, "AS": limits.memory + _SPARE_ADDRESSES}
    user = os.getuid() if user is None else user
    if user != 0:  # root is exempt
        before = 0
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                if process.uids().real == user:
                    before += process.num_threads()
        wanted["NPROC"] = before + _SPARE_TASKS + 8 * (os.cpu_count() or 1)
    return wanted


def _environment(home, trusted=False):
    """All that the process knows of the environment: nothing of the caller's."""
    cache = {}
    if _cache():
        cache = {**compilation_cache.settings(ROOT, {}), "JAX_COMPILATION_CACHE_DIR": str(_cache())}
        if not trusted:  # nothing takes that long: it reads the cache, and never tries to write
            cache["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "1e9"
    return {
        "PATH": os.pathsep.join([str(Path(PYTHON).parent), "/usr/bin", "/bin"]),
        "HOME": home,
        "TMPDIR": home,
        "USER": "student",
        "LOGNAME": "student",
        "LANG": "C.UTF-8",
        "PYTHONPATH": str(ROOT),
        "PYTHONHASHSEED": "0",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONUTF8": "1",
        "JAX_PLATFORMS": "cpu",
        "NBGRADER_EXECUTION": "autograde",  # checks raise
        **cache,
    }


def _cache():
    """The folder of compiled programs, the caller's own where there is one; None for no cache."""
    told = {**compilation_cache.settings(ROOT), **os.environ}["JAX_COMPILATION_CACHE_DIR"]
    return Path(told).resolve() if told else None


def _bubble(shared, limits, hidden, user, trusted=False):
    """The command that puts what follows it in a sandbox.

    For another ``user`` the sandbox keeps the right to become that one, which the launcher does.
    """
    command = [shutil.which("bwrap") or "bwrap", "--unshare-all", "--die-with-parent"]
    command += ["--new-session", "--cap-drop", "ALL"]
    if user is not None:
        command[1:2] = [f"--unshare-{what}" for what in ("ipc", "pid", "net", "uts", "cgroup-try")]
        command += ["--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID"]
    bound = [Path("/usr")]
    command += ["--ro-bind", "/usr", "/usr"]
    for name in _LINKS:
        path = Path("/") / name
        if path.is_symlink():
            command += ["--symlink", os.readlink(str(path)), str(path)]
        elif path.is_dir():
            command += ["--ro-bind", str(path), str(path)]
    for name in _SETTINGS:
        command += ["--ro-bind-try", f"/etc/{name}", f"/etc/{name}"]
    command += ["--proc", "/proc", "--dev", "/dev"]
    for path, size in (("/dev/shm", 64 * MIB), ("/tmp", limits.scratch)):
        command += ["--perms", "1777", "--size", str(size), "--tmpfs", path]
    root = ROOT.resolve()
    python, cache = _python_folders(), _cache()
    for path in [
        *python,
        root / "course_utils",
        *filter(None, [cache]),
        shared,
    ]:  # else these are root's alone
        for folder in [*reversed(path.parents)][1:]:
            if not any(folder == one or one in folder.parents for one in bound):
                command += ["--dir", str(folder)]
    for path in [path for path in python if root not in path.parents]:
        command += ["--ro-bind", str(path), str(path)]
        bound.append(path)
    empty = [root / "course_utils" / "instructors"]  # it writes problem sets
    for path in [root, *(Path(path).resolve() for path in hidden)]:
        if any(folder == path or folder in path.parents for folder in bound):
            command += ["--tmpfs", str(path)]
            empty.append(path)
    for path in [*(path for path in python if root in path.parents), root / "course_utils"]:
        command += ["--ro-bind", str(path), str(path)]
    command += ["--tmpfs", str(empty[0])]
    if cache:
        cache.mkdir(parents=True, exist_ok=True)
        command += ["--bind" if trusted else "--ro-bind", str(cache), str(cache)]
    if shared != Path("/tmp"):
        command += ["--bind", str(shared), str(shared)]
    command += ["--perms", "0777", "--dir", "/tmp/home", "--chdir", "/tmp/home"]
    for path in ["/dev", *empty, "/"]:  # what is written to memory is nobody's, and is not counted
        command += ["--remount-ro", str(path)]
    return [*command, "--"]


def _python_folders():
    """Where this Python and its packages lie, as they are spelt and as links resolve."""
    found = [sys.prefix, sys.base_prefix, sys.exec_prefix, sys.base_exec_prefix]
    found = [*map(os.path.abspath, found), str(Path(PYTHON).resolve().parent.parent)]
    found += [path for path in sys.path if path.endswith(("site-packages", "dist-packages"))]
    paths = []
    for path in [*map(Path, found), *(Path(path).resolve() for path in found)]:
        inside = any(other == path or other in path.parents for other in [Path("/usr"), *paths])
        if path.is_dir() and not inside:
            paths.append(path)
    return paths


def _adopt_orphans():
    """Become the parent of orphaned descendants, so that none gets away (Linux)."""
    if sys.platform.startswith("linux"):
        import ctypes

        ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)  # PR_SET_CHILD_SUBREAPER


def trouble(process, shared, limits):
    """Which limit a running process has passed, in words; None if none."""
    import psutil

    try:
        tree = [psutil.Process(process.pid)]
        tree += tree[0].children(recursive=True)
    except psutil.NoSuchProcess:
        return None
    if len(tree) > limits.processes:
        return f"started more than {limits.processes} processes"
    if _memory(tree, shared=True) > limits.memory and _memory(tree, shared=False) > limits.memory:
        return f"used more than {limits.memory / GIB:.3g} GB of memory"
    files, size = _content(shared, but="home")
    if files > 50 or size > MIB:
        return "wrote to a folder that is not for it"
    files, size = _content(shared / "home")  # there without a sandbox
    if files > _MOST_FILES or size > limits.scratch:
        return f"wrote more than {limits.scratch / MIB:.3g} MB or {_MOST_FILES} files"
    return None


def _content(folder, but=""):
    """How many files and folders one holds at whatever depth, and their bytes, the first ones."""
    count = size = 0
    for place, folders, files in os.walk(str(folder)):
        if place == str(folder) and but in folders:
            folders.remove(but)
        for name in [*folders, *files]:
            count += 1
            with contextlib.suppress(OSError):
                size += os.lstat(os.path.join(place, name)).st_size
        if count > _MOST_FILES:
            break
    return count, size


def _memory(processes, shared):
    """Bytes of memory that processes take; what they share counts for each, or once (slower)."""
    import psutil

    total = 0
    for process in processes:
        with contextlib.suppress(psutil.Error):
            if shared:
                total += process.memory_info().rss
            else:
                told = process.memory_full_info()
                total += getattr(told, "pss", told.uss)
    return total


def end(process, before=None, seconds=30.0):
    """End a process and all that it started.

    Args:
        process: what ``start`` returned.
        before: without a sandbox, process ids of the children that this program had before; all
            others are ended, too. A sandbox takes along all that is in it.
        seconds: how long to try.
    """
    import psutil

    # At once and in one call, before anything is counted: what has started others meanwhile would
    # otherwise go on doing so
    if process.poll() is None:
        with contextlib.suppress(OSError):
            os.killpg(process.pid, signal.SIGKILL)
    if before is None:
        process.wait()
        return
    deadline = time.monotonic() + seconds
    quiet = 0  # looks in a row that found nothing: one may miss what is changing its parent
    while quiet < 3 and time.monotonic() < deadline:
        process.poll()
        found = [one for one in psutil.Process().children(recursive=True) if one.pid not in before]
        alive = [one for one in found if _lives(one)]
        for one in found:
            with contextlib.suppress(psutil.Error, OSError):
                one.kill() if one in alive else os.waitpid(one.pid, os.WNOHANG)
        quiet = 0 if alive else quiet + 1
        time.sleep(0.01)


def _lives(process):
    import psutil

    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False
