"""The environment of the course, ``.venv``: made on first use, then completed or repaired.

Standard library only, and a grammar that Python 3.8 reads, because this runs before anything is
installed: too old a Python must get as far as the sentence that says so.

``.venv/course-stamp.json`` says for which requirements, extras, Python and folder the environment
was made. It is written last; while a set-up is at work it says "unfinished", so that the call after
a killed one starts afresh. A ``.venv`` without it was made by hand, and is completed.
"""

import contextlib
import hashlib
import json
import os
import re
import secrets
import shutil
import subprocess
import sys
import time
from pathlib import Path

from course_utils.cli import installers, setup_messages
from course_utils.cli.setup_messages import SetupError

ROOT = Path(__file__).resolve().parent.parent.parent
OLDEST = (3, 11)


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
    if not (root / "pyproject.toml").is_file() or not (root / "constraints.txt").is_file():
        raise SetupError(setup_messages.no_clone(root))
    if "cuda" in extras and not sys.platform.startswith("linux"):
        raise SetupError(setup_messages.no_cuda())
    if _in_own_environment(root) and not unmet(root, extras):
        return Path(sys.executable)
    venv, wanted = root / ".venv", _wanted(root)
    if not _is_current(venv, wanted, extras):
        start = time.monotonic()
        print(
            f"Setting up {venv}, in a minute or two, after any set-up now under way ...", flush=True
        )
        try:
            with _locked(root) as lock:
                if not _is_current(venv, wanted, extras):  # or another set-up has done it meanwhile
                    _set_up(root, venv, wanted, extras, lock)
        except OSError as error:
            raise SetupError(setup_messages.os_error(error, root)) from error
        print(f"Ready after {time.monotonic() - start:.0f} s.", flush=True)
    return interpreter(venv)


def check_python(version=None):
    """Refuse a Python older than 3.11.

    Raises:
        SetupError: naming the version found and what to do.
    """
    version = tuple(version or sys.version_info)[:3]
    if version < OLDEST:
        raise SetupError(setup_messages.old_python(version))


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


# The stamp


def _wanted(root):
    text = json.dumps(requirements(root), sort_keys=True).encode()
    text += (root / "constraints.txt").read_bytes()
    return {
        "requirements": hashlib.sha256(text).hexdigest(),
        "python": "{}.{}".format(*sys.version_info),
        "root": str(root),  # scripts in an environment hold its path: it cannot be moved
    }


def _read_stamp(venv):
    try:
        return json.loads((venv / "course-stamp.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}


def _write_stamp(venv, stamp):
    draft = venv / "course-stamp.tmp"
    draft.write_text(json.dumps(stamp, indent=1) + "\n", encoding="utf-8")
    os.replace(str(draft), str(venv / "course-stamp.json"))


def _is_current(venv, wanted, extras):
    stamp = _read_stamp(venv)
    return (
        extras <= set(stamp.get("extras", ()))
        and wanted.items() <= stamp.items()
        and _version_of(interpreter(venv)) == wanted["python"]
    )


def _version_of(python):
    """``"3.11"`` for a Python that runs, else ``None``."""
    code = "import sys; print('%d.%d' % sys.version_info[:2])"
    command = [str(python), "-I", "-S", "-c", code]
    try:
        return subprocess.check_output(command, stdin=subprocess.DEVNULL, text=True).strip()
    except (OSError, subprocess.SubprocessError):
        return None


# Set-up


def _locked(root):
    """A file, open and locked once no other set-up, nor an installer that outlived one, is at work.

    The system frees the lock when its last holder ends. Where there is none, as on Windows, a
    set-up learns from the stamp that another took over.
    """
    file = open(str(root / "constraints.txt"), "r+b")
    with contextlib.suppress(ImportError, OSError):
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX)
    return file


def _set_up(root, venv, wanted, extras, lock):
    """Make or complete ``.venv``. What fails before anything changed in it leaves it as it was."""
    stamp = _read_stamp(venv)
    extras = sorted(extras | set(stamp.get("extras", ())) & set(requirements(root)["extras"]))
    afresh = (
        "unfinished" in stamp
        or stamp.get("root", wanted["root"]) != wanted["root"]
        or _version_of(interpreter(venv)) != wanted["python"]
    )
    mine = {"unfinished": secrets.token_hex(8), "extras": extras}
    try:
        if afresh:
            _discard(venv)
            venv.mkdir()
        before = _packages(venv)
        _write_stamp(venv, mine)
        installers.install(root, str(interpreter(venv)), extras, lock, afresh)
        if _read_stamp(venv) != mine:
            raise SetupError("Another set-up took over here. Once it has ended, call again.")
        _write_stamp(venv, dict(wanted, extras=extras))
    except BaseException:
        if _read_stamp(venv) == mine and afresh:
            _discard(venv)
        elif _read_stamp(venv) == mine and _packages(venv) == before:
            _write_stamp(venv, stamp)
        raise


def _packages(venv):
    found = [*venv.glob("lib/python*/site-packages/*"), *venv.glob("Lib/site-packages/*")]
    return sorted(path.name for path in found)


def _discard(venv):
    """Remove ``.venv`` in one step as others see it: half of an environment would pass for one."""
    if venv.is_symlink() or venv.exists():
        os.rename(str(venv), str(venv) + ".trash-" + secrets.token_hex(8))
    for trash in venv.parent.glob(venv.name + ".trash-*"):
        if trash.is_symlink() or trash.is_file():
            trash.unlink()
        shutil.rmtree(str(trash), ignore_errors=True)


# An environment of the user's own


def _in_own_environment(root):
    active = os.environ.get("VIRTUAL_ENV") or os.environ.get("CONDA_PREFIX") or os.devnull
    here = os.path.realpath(sys.prefix)
    return os.path.realpath(active) == here != os.path.realpath(str(root / ".venv"))


def unmet(root, extras):
    """The requirements that this interpreter's environment does not meet, as they are written.

    Understands ``>=`` and ``<`` on release numbers, all that ``pyproject.toml`` uses, and counts a
    requirement with extras of its own as unmet. The course itself must be installed from ``root``,
    so that a notebook's kernel imports this clone.
    """
    from importlib import metadata

    def is_met(text):
        name, bounds = re.match(r"([\w.-]+)(.*)", text).groups()
        try:
            have = _release(metadata.version(name))
        except metadata.PackageNotFoundError:
            return False
        found = re.findall(r"(>=|<)\s*([\d.]+)", bounds)
        return not bounds.startswith("[") and all(
            (have >= _release(bound)) == (sign == ">=") for sign, bound in found
        )

    table = requirements(root)
    wanted = table["dependencies"] + [r for name in sorted(extras) for r in table["extras"][name]]
    missing = [text for text in wanted if not is_met(text)]
    if not any(_source(d) == root for d in metadata.distributions(name="course_utils")):
        missing.append(f"course_utils from {root}")
    return missing


def _release(version):
    numbers = re.match(r"\d+(\.\d+)*", version).group()
    return [int(n) for n in re.sub(r"(\.0+)+$", "", numbers).split(".")]


def _source(distribution):
    """The folder that a distribution was installed from, if it was a folder."""
    from urllib.parse import urlparse
    from urllib.request import url2pathname

    url = json.loads(distribution.read_text("direct_url.json") or "{}").get("url", "")
    return Path(url2pathname(urlparse(url).path)).resolve() if url.startswith("file:") else None
