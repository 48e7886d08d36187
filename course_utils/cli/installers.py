"""The set-up's calls of venv, pip and uv, whatever the caller's own settings are.

Standard library only, for the reason that ``setup_venv`` gives.
"""

import ast
import os
import re
import shutil
import subprocess
import sys
from importlib.util import find_spec

from course_utils.cli import setup_messages
from course_utils.cli.setup_messages import SetupError

# Settings that say where packages come from, and how they are fetched, hold for the set-up too. No
# others do, be it PIP_USER, UV_TARGET or PIP_NO_DEPS: what is installed, and into which folder, is
# the course's affair. Nor does PYTHONPATH: packages found there would pass for installed ones.
_OBEYED = re.compile(
    r"PIP_((EXTRA_)?INDEX_URL|NO_INDEX|FIND_LINKS|TRUSTED_HOST|PROXY|(CLIENT_)?CERT|USE_FEATURE"
    r"|KEYRING_PROVIDER|(DEFAULT_)?TIMEOUT|RETRIES|(NO_)?CACHE_DIR|CONFIG_FILE)"
    r"|UV_\w*(INDEX|FIND_LINKS|INSECURE|CERT|TLS|KEYRING|HTTP|CACHE|OFFLINE|CONCURRENT|LINK_MODE"
    r"|CONFIG)\w*"
    r"|(?!PIP_|UV_|PYTHONPATH$|PYTHONHOME$).*"
)
_FOR_UV = {  # which reads none of pip's settings
    "PIP_INDEX_URL": "UV_DEFAULT_INDEX",
    "PIP_EXTRA_INDEX_URL": "UV_INDEX",
    "PIP_FIND_LINKS": "UV_FIND_LINKS",
    "PIP_TRUSTED_HOST": "UV_INSECURE_HOST",
    "PIP_PROXY": "ALL_PROXY",
    "PIP_CERT": "SSL_CERT_FILE",
}


def settings(configured=""):
    """The environment variables for a call of pip or uv, once ``pip config list`` has printed."""
    env = {name: value for name, value in os.environ.items() if _OBEYED.fullmatch(name) and value}
    env.update(PIP_USER="0", PIP_QUIET="0")  # in a file, these would bend `pip config list` itself
    if not configured:
        return env
    for section in ("install", "global"):  # the stronger one first; variables beat both
        for option, value in re.findall(rf"^{section}\.([a-z-]+)=(.+)$", configured, re.M):
            name = "PIP_" + option.upper().replace("-", "_")
            if _OBEYED.fullmatch(name):
                env.setdefault(name, " ".join(ast.literal_eval(value).split()))
    env["PIP_CONFIG_FILE"] = os.devnull
    for name in _FOR_UV.keys() & env.keys():
        between = "," if name == "PIP_FIND_LINKS" else " "
        env.setdefault(_FOR_UV[name], env[name].replace(" ", between))
    env.setdefault("UV_INDEX_STRATEGY", "unsafe-best-match")  # pip's: any index may have the pin
    return env


def install(root, python, extras, lock, afresh):
    """Make the environment of ``python`` hold the course and ``extras``, in the pinned versions.

    uv installs, in seconds where pip takes minutes; pip fetches it where the machine has none, and
    takes over where it fails, or where a configuration of its own led it elsewhere.

    Args:
        root: the clone.
        python: the interpreter in ``.venv``, as a string.
        extras: a sorted list of names.
        lock: a locked file, for the installers to hold as long as they run.
        afresh: whether ``.venv`` is an empty folder.

    Raises:
        SetupError: if an installer fails.
    """
    env = settings()
    pip = [python, "-I", "-m", "pip"]

    def call(*command):
        return _call(command, root, env, lock)

    def must(what, *command):
        status, lines = call(*command)
        if status:
            raise SetupError(setup_messages.failed(what, lines, root))
        return lines

    if afresh or call(python, "-I", "-c", "import pip")[0]:
        must("Making an environment", *_venv_command(root / ".venv"))
    configured = must("Reading pip's configuration", *pip, "config", "list")
    env = settings("\n".join(["", *configured]))
    course = ["-c", "constraints.txt", "-e", f".[{','.join(extras)}]"]
    if re.fullmatch("1|t|true|y|yes|on", env.get("PIP_NO_INDEX", ""), re.I):
        course.append("--no-index")  # for uv, which has no variable for it
    present = [python, "-I", "-c", "import course_utils"]
    uv = ["uv"] if shutil.which("uv") else [python, "-I", "-m", "uv"]
    if len(uv) > 1:
        status, lines = call(*pip, "install", "--only-binary=:all:", "uv")
        if status and setup_messages.stops_pip(lines):
            raise SetupError(setup_messages.failed("Installing the packages", lines, root))
    compiled = []
    if os.environ.get("PYTHONDONTWRITEBYTECODE"):  # or each process would compile what it imports
        compiled = ["--compile-bytecode"]
    status, lines = call(*uv, "pip", "install", *compiled, "--python", python, *course)
    if status or call(*present)[0]:
        why = setup_messages.gist(lines) if status else "they went elsewhere"
        print(f"uv could not install the packages ({why}); pip takes over.", flush=True)
        must("Installing the packages", *pip, "install", *course)
        must("Finding the course in .venv", *present)


def _venv_command(venv):
    """How to make an environment with pip in it, so that ``%pip`` works in a notebook."""
    python = getattr(sys, "_base_executable", None) or sys.executable  # not that of a virtual one
    if find_spec("ensurepip"):
        return [python, "-I", "-m", "venv", str(venv)]
    if shutil.which("uv"):
        return ["uv", "venv", "--seed", "--allow-existing", "--python", python, str(venv)]
    raise SetupError(setup_messages.no_ensurepip())


def _call(command, root, env, lock):
    """Run one step in ``root``; return its exit status and the lines it printed.

    A terminal shows the latest line meanwhile. Whatever ends the set-up, Ctrl-C say, ends the step.
    """
    pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    held = [lock.fileno()] if os.name == "posix" else []
    try:
        step = subprocess.Popen(command, cwd=str(root), env=env, pass_fds=held, **pipes)
    except OSError as error:
        return 127, [f"{command[0]}: {error}"]
    lines = []
    with step:
        try:
            for line in step.stdout:
                lines.append(line.decode("utf-8", "replace").rstrip())
                _show("  " + lines[-1].strip())
        except BaseException:
            step.kill()
            raise
        finally:
            _show("")
    return step.returncode, lines


def _show(line):
    if sys.stdout.isatty():
        print("\r\033[K" + line[: shutil.get_terminal_size().columns - 2], end="", flush=True)
