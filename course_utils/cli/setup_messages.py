"""What the set-up says when it cannot go on: what happened, and what to do about it."""

import errno
import re
import shutil
import sys

# What pip and uv print when there is no room, for a SOCKS proxy, and when no index answers
_NO_ROOM = re.compile("No space left|os error 28\\b|quota exceeded|not enough space", re.I)
_NO_SOCKS = re.compile("dependencies for SOCKS", re.I)
_NO_NETWORK = re.compile(
    "name resolution|name or service not known|getaddrinfo|dns error|nodename nor servname"
    "|connection (refused|reset|broken|aborted|timed out)|connection error|NewConnectionError"
    "|network is unreachable|no route to host|error sending request|timed out|proxyerror|sslerror",
    re.I,
)


class SetupError(Exception):
    """The environment cannot be set up; the text says what happened and what to do."""


def old_python(version):
    """For a Python that is older than the course."""
    found = ".".join(map(str, version))
    return (
        f"The course needs Python 3.11 or newer; this is Python {found} ({sys.executable}).\n"
        "Install a newer one (https://www.python.org/downloads/) and call it by its name:\n"
        "    python3.12 -m course_utils lab"
    )


def no_clone(root):
    """For a folder without ``pyproject.toml``."""
    return (
        f"{root} is no clone of the course.\n"
        "Get one with `git clone` and call `python3 -m course_utils` in its folder."
    )


def no_cuda():
    """For --gpu where there is no JAX for it."""
    return (
        "JAX's CUDA build exists for Linux alone (WSL 2 included); without --gpu the course "
        "runs on the CPU."
    )


def no_ensurepip():
    """For Debian's Python without python3-venv."""
    python = "python{}.{}".format(*sys.version_info)
    return (
        f"This Python ({sys.executable}) has no ensurepip, so it cannot make an environment.\n"
        f"On Debian or Ubuntu: sudo apt install {python}-venv\n"
        "Elsewhere: install Python from https://www.python.org/downloads/, or uv, which needs none."
    )


def os_error(error, root):
    """For a file or folder that could not be made."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return _no_room(root)
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return (
            f"{error.filename or root} cannot be written ({error.strerror}).\n"
            "The course works inside its clone: clone it to a folder of your own, and on Windows "
            "close what runs from .venv."
        )
    return f"The course could not be set up: {error}"


def failed(what, lines, root):
    """For an installer that failed, from the lines that it printed."""
    if _said(_NO_ROOM, lines):
        return _no_room(root)
    if _said(_NO_SOCKS, lines):
        return (
            f"{what} failed: for a SOCKS proxy pip needs PySocks, which no new environment has.\n"
            "Name an HTTP proxy in HTTPS_PROXY, or install uv (https://docs.astral.sh/uv/), which "
            "needs neither; then call the same command again."
        )
    if _said(_NO_NETWORK, lines):
        return (
            f"{what} failed, because the package index did not answer:\n"
            f"    {gist(lines, _NO_NETWORK)}\n"
            "Check the network (behind a proxy, HTTPS_PROXY; with an index of your own, pip's "
            "configuration), then call the same command again."
        )
    if _said("PATH separator", lines):
        return (
            f"No environment can be made in {root}: its path holds the character that separates "
            "the folders of PATH.\nMove the clone elsewhere, then call the same command again."
        )
    return (
        f"{what} failed:\n"
        + "".join(f"    {line}\n" for line in lines[-12:])
        + f"Call the same command again. If it fails again, delete {root / '.venv'} first."
    )


def stops_pip(lines):
    """Whether pip failed for a reason that would stop its next call too."""
    return any(_said(cause, lines) for cause in (_NO_ROOM, _NO_SOCKS, _NO_NETWORK))


def gist(lines, trouble=re.compile("error|caused by", re.I)):
    """The last line of an installer's output that names its trouble."""
    lines = [line.strip() for line in lines if line.strip()]
    return ([s for s in lines if trouble.search(s)] or lines or ["it said nothing"])[-1][-160:]


def _said(cause, lines):
    return re.search(cause, "\n".join(lines))


def _no_room(root):
    free = shutil.disk_usage(str(root)).free // 10**6
    return (
        "There is no room on the disk: the environment and its downloads need about 1500 MB (with "
        f"--gpu 6500 MB), and {root} has {free} MB.\nMake room, then call the same command again. "
        "(TMPDIR, PIP_CACHE_DIR and UV_CACHE_DIR name other folders for what is downloaded.)"
    )
