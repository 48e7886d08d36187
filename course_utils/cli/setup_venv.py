"""The environment of the course: ``.venv``, made on first use, kept in step, repaired when broken.

Standard library only, and a grammar that Python 3.8 reads, because this runs before anything is
installed: too old a Python must get as far as the sentence that says so.

``.venv`` is in one of three states, told apart by ``.venv/course-stamp.json``:

- finished: the stamp names the requirements, extras, Python and folder it was made for;
- unfinished: the stamp says so; a set-up was killed half-way, and the next one starts afresh;
- foreign: no stamp; somebody made it by hand, and it is completed, not replaced.
"""

import contextlib
import errno
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
OLDEST = (3, 11)
SPACE_MB = 1500  # lab, test and browser, with room for downloads
SPACE_CUDA_MB = 5000

# what pip and uv print, in this order: when they run out of room; when no index answers; and once
# the environment may no longer be as it was
_NO_SPACE = re.compile("No space left|os error 28\\b|quota exceeded|not enough space", re.I)
_NO_NETWORK = re.compile(
    "name resolution|name or service not known|getaddrinfo|dns error|nodename nor servname"
    "|connection (refused|reset|broken|aborted|timed out)|connection error|NewConnectionError"
    "|network is unreachable|no route to host|error sending request|timed out|proxyerror|sslerror"
    "|from versions: none",
    re.I,
)
_TOUCHED = re.compile("^(Installing collected packages|Resolved |Uninstalled |Installed )", re.M)


class SetupError(Exception):
    """The environment cannot be set up; the text says what happened and what to do."""


def ensure(extras, root=ROOT):
    """Return the Python of an environment that holds the course and ``extras``.

    An activated environment of the user's own serves if it meets every requirement. Otherwise
    ``.venv`` does, and is set up first if need be; a finished one costs no network and no write.
    Extras add up: what an earlier call installed stays.

    Args:
        extras: names from ``[project.optional-dependencies]``.
        root: the clone, with ``pyproject.toml`` and ``constraints.txt``.

    Raises:
        SetupError: Python too old, no clone, no ensurepip, no network, no room, no permission, or
            an installer that failed.
    """
    check_python()
    extras = set(extras)
    if not (root / "pyproject.toml").is_file():
        raise SetupError(
            f"{root} is no clone of the course.\n"
            "Get one with `git clone` and call `python3 -m course_utils` in its folder."
        )
    if "cuda" in extras and not sys.platform.startswith("linux"):
        raise SetupError(
            "JAX's CUDA build exists for Linux alone (WSL 2 included); without --gpu the course "
            "runs on the CPU."
        )
    if _in_own_environment(root) and not unmet(root, extras):
        return Path(sys.executable)
    venv = root / ".venv"
    if not _is_current(root, venv, extras):
        try:
            with _lock(root) as held, _terminable():
                if not _is_current(root, venv, extras):  # or another set-up finished meanwhile
                    _build(root, venv, extras, held)
        except OSError as error:
            raise SetupError(_explain_os_error(error, root)) from error
    return interpreter(venv)


def check_python(version=None):
    """Refuse a Python older than 3.11.

    Raises:
        SetupError: naming the version found and what to do.
    """
    version = tuple(version or sys.version_info)[:3]
    if version < OLDEST:
        found = ".".join(map(str, version))
        raise SetupError(
            f"The course needs Python 3.11 or newer; this is Python {found} ({sys.executable}).\n"
            "Install a newer one (https://www.python.org/downloads/) and call it by its name:\n"
            "    python3.12 -m course_utils lab"
        )


def interpreter(venv):
    """The path of an environment's Python."""
    return venv / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def requirements(root):
    """The part of ``pyproject.toml`` that decides what is installed: a dict of three lists."""
    import tomllib  # new in Python 3.11

    try:
        table = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
        return {
            "build": table["build-system"]["requires"],
            "dependencies": table["project"]["dependencies"],
            "extras": table["project"]["optional-dependencies"],
        }
    except (ValueError, KeyError) as error:
        raise SetupError(f"{root / 'pyproject.toml'} cannot be read: {error}") from error


# The state of .venv


def _minor(version_info=sys.version_info):
    return f"{version_info[0]}.{version_info[1]}"


def _wanted(root):
    text = json.dumps(requirements(root), sort_keys=True).encode()
    text += (root / "constraints.txt").read_bytes()
    return {
        "requirements": hashlib.sha256(text).hexdigest(),
        "python": _minor(),
        "root": str(root),  # scripts in an environment hold its path: it cannot be moved
    }


def _read_stamp(venv):
    """What the environment was made for; ``None`` without a stamp, "unfinished" if unreadable."""
    try:
        stamp = json.loads((venv / "course-stamp.json").read_text(encoding="utf-8"))
        return stamp if isinstance(stamp, dict) else {"unfinished": True}
    except FileNotFoundError:
        return None
    except (OSError, ValueError):
        return {"unfinished": True}


def _write_stamp(venv, stamp):
    draft = venv / "course-stamp.tmp"
    draft.write_text(json.dumps(stamp, indent=1) + "\n", encoding="utf-8")
    os.replace(str(draft), str(venv / "course-stamp.json"))


def _version_of(python):
    """``"3.11"`` for a Python that runs, else ``None``."""
    code = "import sys; print('%d.%d' % sys.version_info[:2])"
    command = [str(python), "-I", "-S", "-c", code]
    try:
        said = subprocess.check_output(command, stdin=subprocess.DEVNULL, timeout=60)
    except (OSError, subprocess.SubprocessError):
        return None
    return said.decode().strip()


def _is_current(root, venv, extras):
    stamp = _read_stamp(venv) or {}
    return (
        extras <= set(stamp.get("extras", ()))
        and all(stamp.get(key) == value for key, value in _wanted(root).items())
        and _version_of(interpreter(venv)) is not None
    )


_BROKEN, _INTERRUPTED = "its Python does not run", "its set-up was interrupted"


def _fault(root, venv):
    """Why ``.venv`` has to be made anew; empty if it can be completed in place."""
    if not venv.exists() and not venv.is_symlink():
        return "there is none yet"
    stamp = _read_stamp(venv)
    version = _version_of(interpreter(venv))
    if version is None:
        return _BROKEN
    if stamp is not None and stamp.get("unfinished"):
        return _INTERRUPTED
    if version != _minor():
        return f"it was made by Python {version}"
    if stamp is not None and stamp.get("root") != str(root):
        return "its folder has moved"
    return ""


# An environment of the user's own


def _in_own_environment(root):
    active = os.environ.get("VIRTUAL_ENV") or os.environ.get("CONDA_PREFIX")
    here = os.path.realpath(sys.prefix)
    return (
        bool(active)
        and os.path.realpath(active) == here
        and here != os.path.realpath(str(root / ".venv"))
    )


def unmet(root, extras):
    """The requirements that this interpreter's environment does not meet, as they are written.

    Understands ``>=`` and ``<`` on release numbers, all that ``pyproject.toml`` uses, and counts a
    requirement with extras of its own as unmet. The course itself must be installed from ``root``,
    so that a notebook's kernel imports this clone.
    """
    from importlib import metadata

    table = requirements(root)
    wanted = table["dependencies"] + [r for e in sorted(extras) for r in table["extras"][e]]
    missing = []
    for text in wanted:
        name, bounds = re.match(r"([\w.-]+)(.*)", text).groups()
        try:
            have = _release(metadata.version(name))
        except metadata.PackageNotFoundError:
            have = []
        wrong = [
            bound
            for sign, bound in re.findall(r"(>=|<)\s*([\d.]+)", bounds)
            if (have >= _release(bound)) != (sign == ">=")
        ]
        if not have or wrong or bounds.startswith("["):
            missing.append(text)
    if not any(_source(d) == root for d in metadata.distributions(name="course_utils")):
        missing.append(f"course_utils from {root}")
    return missing


def _release(version):
    numbers = [int(n) for n in re.match(r"\d+(\.\d+)*", version).group().split(".")]
    while numbers and numbers[-1] == 0:
        numbers.pop()
    return numbers


def _source(distribution):
    """The folder that a distribution was installed from, if it was a folder."""
    from urllib.parse import urlparse
    from urllib.request import url2pathname

    url = json.loads(distribution.read_text("direct_url.json") or "{}").get("url", "")
    return Path(url2pathname(urlparse(url).path)).resolve() if url.startswith("file:") else None


# Set-up


@contextlib.contextmanager
def _lock(root):
    """Hold ``.venv.lock``, waiting for a set-up that another process has under way.

    The system frees it when its last holder ends. Installers inherit it (not on Windows), so that
    one which outlives a killed set-up is waited for.
    """
    with open(str(root / ".venv.lock"), "a+") as handle:
        said = False
        while not _try_lock(handle):
            if not said:
                said = True
                _say("Another set-up is under way here; waiting for it (Ctrl-C gives up) ...")
            time.sleep(0.2)
        yield handle


def _try_lock(handle):
    if os.name == "nt":
        import msvcrt

        try:
            handle.seek(0)
            msvcrt.locking(handle.fileno(), msvcrt.LK_NBLCK, 1)
            return True
        except OSError:
            return False
    import fcntl

    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    except OSError as error:
        return error.errno not in (errno.EAGAIN, errno.EACCES)  # else: no locks on this disk


@contextlib.contextmanager
def _terminable():
    """Make SIGTERM an exception, so that a terminated set-up ends its installer and tidies up."""

    def leave(number, frame):
        raise SystemExit(128 + number)

    before = signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _build(root, venv, extras, held):
    start = time.monotonic()
    had = set((_read_stamp(venv) or {}).get("extras", ())) & set(requirements(root)["extras"])
    room = SPACE_CUDA_MB * ("cuda" in extras - had)
    extras = sorted(extras | had)
    fault = _fault(root, venv)
    if fault:
        if find_spec("ensurepip") is None and not shutil.which("uv"):
            raise SetupError(_explain_ensurepip())
        if fault in (_BROKEN, _INTERRUPTED):
            _discard(venv)  # worth nothing, and it takes room
        _check_room(root, SPACE_MB + SPACE_CUDA_MB * ("cuda" in extras))
        _say(f"Setting up {venv}: {fault}. This takes a minute or two, and about 1 GB ...")
        _make_anew(root, venv, extras, held)
    else:
        _check_room(root, room)
        _say(f"Bringing {venv} up to date ...")
        _complete(root, venv, extras, held)
    _write_stamp(venv, dict(_wanted(root), extras=extras))
    _say(f"Ready after {time.monotonic() - start:.0f} s.")


def _make_anew(root, venv, extras, held):
    """Make ``.venv`` from nothing; if that fails, leave what was there before."""
    old = root / ".venv.old"
    _discard(old)
    if venv.exists():
        os.rename(str(venv), str(old))
    try:
        venv.mkdir()
        _write_stamp(venv, {"unfinished": True, "extras": extras})
        _create(root, venv, held)
        _install(root, venv, extras, held, [])
    except BaseException:
        _discard(venv)
        if old.exists():
            os.rename(str(old), str(venv))
        raise
    _discard(old)


def _complete(root, venv, extras, held):
    """Install what ``.venv`` lacks; a failure before anything changed leaves it as it was."""
    stamp = _read_stamp(venv)
    log = []
    _write_stamp(venv, {"unfinished": True, "extras": (stamp or {}).get("extras", [])})
    try:
        _install(root, venv, extras, held, log)
    except BaseException:
        if not _TOUCHED.search("\n".join(log)):
            if stamp is None:
                (venv / "course-stamp.json").unlink()
            else:
                _write_stamp(venv, stamp)
        raise


def _discard(folder):
    """Remove a folder in one step as others see it: half of an environment would pass for one."""
    trash = folder.with_name(folder.name + ".trash")
    shutil.rmtree(str(trash), ignore_errors=True)
    if folder.is_symlink():
        folder.unlink()
    elif folder.exists():
        os.rename(str(folder), str(trash))
        shutil.rmtree(str(trash), ignore_errors=True)


def _create(root, venv, held):
    """Make an empty environment in ``venv``, with pip, so that ``%pip`` works in a notebook."""
    python = getattr(sys, "_base_executable", None) or sys.executable  # not that of a virtual one
    if find_spec("ensurepip") is not None:
        command = [python, "-m", "venv", str(venv)]
    else:
        command = ["uv", "venv", "--seed", "--allow-existing", "--python", python, str(venv)]
    log = []
    if _call(command, root, held, log):
        raise SetupError(_explain(root, "Making an environment", log))


def _install(root, venv, extras, held, log):
    """Install the course and its extras in the versions of ``constraints.txt``: uv, or else pip."""
    python = str(interpreter(venv))
    what = ["-c", "constraints.txt", "-e", f".[{','.join(extras)}]"]
    if shutil.which("uv"):
        if _call(["uv", "pip", "install", "--python", python] + what, root, held, log) == 0:
            return
        if _NO_SPACE.search("\n".join(log)):
            raise SetupError(_explain_room(root, SPACE_MB))
        _say(f"uv could not install the packages ({_gist(log)}); pip takes over.")
    if _call([python, "-I", "-c", "import pip"], root, held, []):
        _call([python, "-I", "-m", "ensurepip"], root, held, log)  # made by hand, without pip
    pip = [python, "-I", "-m", "pip", "install", "--disable-pip-version-check", "--no-input"]
    if _call(pip + what, root, held, log):
        raise SetupError(_explain(root, "Installing the packages", log))


def _call(command, root, held, log):
    """Run one step of the set-up in ``root``; append the lines it prints to ``log``.

    A terminal shows the latest line meanwhile. An exception here, Ctrl-C or SIGTERM, ends the step
    before it goes on. Returns the exit status.
    """
    inherit = {} if os.name == "nt" else {"pass_fds": (held.fileno(),)}
    try:
        step = subprocess.Popen(
            command,
            cwd=str(root),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            **inherit,
        )
    except OSError as error:
        log.append(f"{command[0]}: {error}")
        return 127
    show = sys.stdout.isatty()
    try:
        for raw in step.stdout:
            log.append(raw.decode("utf-8", "replace").rstrip())
            if show:
                width = shutil.get_terminal_size().columns - 4
                print(f"\r\033[K  {log[-1].strip()[:width]}", end="", flush=True)
        return step.wait()
    except BaseException:
        step.terminate()
        try:
            step.wait(10)
        except subprocess.TimeoutExpired:
            step.kill()
            step.wait()
        raise
    finally:
        step.stdout.close()
        if show:
            print("\r\033[K", end="", flush=True)


def _check_room(root, needed):
    if _free_mb(root) < needed:
        raise SetupError(_explain_room(root, needed))


def _free_mb(root):
    return shutil.disk_usage(str(root)).free // 10**6


# What to say


def _say(text):
    print(text, flush=True)


def _gist(log, trouble=re.compile("error|caused by", re.I)):
    """The last line of an installer's output that names its trouble."""
    lines = [line.strip() for line in log if line.strip()]
    return ([s for s in lines if trouble.search(s)] or lines or ["it said nothing"])[-1][:200]


def _explain(root, what, log):
    text = "\n".join(log)
    if _NO_SPACE.search(text):
        return _explain_room(root, SPACE_MB)
    if _NO_NETWORK.search(text):
        return (
            f"{what} failed, because the package index did not answer:\n"
            f"    {_gist(log, _NO_NETWORK)}\n"
            "Check the network (behind a proxy, HTTPS_PROXY; with an index of your own, pip's "
            "configuration), then call the same command again."
        )
    return (
        f"{what} failed:\n"
        + "".join(f"    {line}\n" for line in log[-12:])
        + f"Call the same command again. If it fails again, delete {root / '.venv'} first."
    )


def _explain_room(root, needed):
    return (
        f"There is no room on the disk: the environment needs about {needed} MB, and {root} has "
        f"{_free_mb(root)} MB.\nMake room, then call the same command again. (TMPDIR and "
        "PIP_CACHE_DIR name other folders for temporary files and for downloads.)"
    )


def _explain_ensurepip():
    return (
        f"This Python ({sys.executable}) has no ensurepip, so it cannot make an environment.\n"
        f"On Debian or Ubuntu: sudo apt install python{_minor()}-venv\n"
        "Elsewhere: install Python from https://www.python.org/downloads/, or uv, which needs none."
    )


def _explain_os_error(error, root):
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return _explain_room(root, SPACE_MB)
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return (
            f"{error.filename or root} cannot be written ({error.strerror}).\n"
            "The environment is made in the clone: clone it to a folder of your own, and on "
            "Windows close what runs from .venv."
        )
    return f"The environment could not be set up: {error}"
