"""A Jupyter kernel in a process that is limited and watched, spoken to through files alone.

The kernel is not trusted: how much it sends is counted before it is read, nothing waits for it
longer than its time, and what it sends is at worst wrong.
"""

import contextlib
import json
import secrets
import shutil
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from course_utils.cli import sandbox

_CHANNELS = ("shell", "iopub", "stdin", "control", "hb")
_START_SECONDS = 120.0
_GRACE_SECONDS = 5.0  # from an interrupt to a kill
_WATCH_SECONDS = 0.15


class Stopped(Exception):
    """The kernel is gone; the text says why, after "its cell" or the like."""


class Ran(NamedTuple):
    """What came of one cell: outputs as a notebook stores them, and why it stopped, if it did."""

    outputs: list
    error: str  # the exception's name; empty where it ran to its end
    message: str  # the exception's text
    late: bool  # whether it had to be interrupted


class Kernel:
    """A kernel under ``limits``; a context manager, which ends it and all that it started."""

    def __init__(self, limits, sandboxed, hidden=()):
        """Start it and wait until it answers.

        Raises:
            Stopped: if it does not.
        """
        import psutil
        import zmq
        from jupyter_client.session import Session

        self.limits = limits
        self._before = {child.pid for child in psutil.Process().children()}
        self._folder = Path(tempfile.mkdtemp(prefix="grade-", dir=_short_folder()))
        self._session = Session(key=secrets.token_hex(16).encode())
        self._context = zmq.Context()
        self._context.setsockopt(zmq.MAXMSGSIZE, limits.output + sandbox.MIB)
        self._context.setsockopt(zmq.LINGER, 0)
        self._received = 0
        self._watched = 0.0
        self._process = None
        try:
            path = self._write_connection_file()
            argv = [sandbox.PYTHON, "-m", "ipykernel_launcher", "-f", str(path)]
            argv.append("--HistoryManager.hist_file=:memory:")
            self._process = sandbox.start(argv, self._folder, limits, sandboxed, hidden)
            self._shell = self._connected(zmq.DEALER, "shell")
            self._control = self._connected(zmq.DEALER, "control")
            self._iopub = self._connected(zmq.SUB, "iopub")
            self._iopub.subscribe(b"")
            self._wait_for_answer()
        except BaseException:
            self.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        """End the process, and forget what it wrote."""
        if self._process is not None:
            sandbox.end(self._process, self._before)
        self._context.destroy(linger=0)
        shutil.rmtree(str(self._folder), ignore_errors=True)

    def run(self, source, seconds, history=False):
        """Execute one cell.

        Args:
            source: its code.
            seconds: how long it may take. Then it is interrupted, and killed if it goes on.
            history: whether the kernel numbers and remembers it as a cell.

        Returns:
            A ``Ran``.

        Raises:
            Stopped: if the process ended, passed a limit, or would not be interrupted.
        """
        request = {
            "code": source,
            "silent": False,
            "store_history": history,
            "user_expressions": {},
            "allow_stdin": False,
            "stop_on_error": False,
        }
        asked = self._session.send(self._shell, "execute_request", request)["header"]["msg_id"]
        deadline = time.monotonic() + seconds
        outputs, reply, idle, late = [], None, None, False
        while reply is None or idle is None:
            self._watch()
            for channel, message in self._messages():
                if message["parent_header"].get("msg_id") != asked:
                    continue
                content = message["content"]
                if channel is self._shell:
                    reply = content
                    deadline = time.monotonic() + _GRACE_SECONDS  # for outputs under way
                elif message["msg_type"] == "status":
                    idle = True if content.get("execution_state") == "idle" else idle
                else:
                    _keep(outputs, message)
            if time.monotonic() > deadline and (reply is None or idle is None):
                if reply is not None:
                    raise Stopped(self._too_much())
                if late:
                    raise Stopped(_too_long(seconds))
                late, deadline = True, time.monotonic() + _GRACE_SECONDS
                self._session.send(self._control, "interrupt_request", {})
        if _asks_to_exit(reply):  # the process would end a moment later, within another cell
            raise Stopped("stopped its process")
        if reply.get("status") == "ok":
            return Ran(outputs, "", "", late)
        return Ran(outputs, str(reply.get("ename", "error")), str(reply.get("evalue", "")), late)

    def _write_connection_file(self):
        path = self._folder / "kernel.json"
        told = {f"{name}_port": number for number, name in enumerate(_CHANNELS, 1)}
        told.update(transport="ipc", ip=str(self._folder / "s"), kernel_name="python3")
        told.update(key=self._session.key.decode(), signature_scheme="hmac-sha256")
        path.write_text(json.dumps(told), encoding="utf-8")
        return path

    def _connected(self, kind, name):
        socket = self._context.socket(kind)
        socket.connect(f"ipc://{self._folder / 's'}-{_CHANNELS.index(name) + 1}")
        return socket

    def _wait_for_answer(self):
        deadline = time.monotonic() + _START_SECONDS
        heard, asked = set(), 0.0
        while len(heard) < 2:  # a reply, and the first word of the channel that outputs come by
            if time.monotonic() > deadline:
                raise Stopped("did not start")
            if time.monotonic() > asked + 0.5:
                asked = time.monotonic()
                self._session.send(self._shell, "kernel_info_request", {})
            self._watch()
            heard |= {channel for channel, _ in self._messages()}

    def _messages(self):
        """What has come, as pairs of channel and message, after at most 50 ms."""
        import zmq

        poller = zmq.Poller()
        poller.register(self._iopub, zmq.POLLIN)
        poller.register(self._shell, zmq.POLLIN)
        for socket, _ in poller.poll(50):
            parts = socket.recv_multipart()
            self._received += sum(map(len, parts))
            if self._received > self.limits.output:
                raise Stopped(self._too_much())
            try:
                _, parts = self._session.feed_identities(parts)
                yield socket, self._session.deserialize(parts)
            except Exception as error:  # whatever a forged message brings about
                raise Stopped(f"sent a message that is none ({type(error).__name__})") from error

    def _watch(self):
        """See that the process is there and within its limits, if it is time to look."""
        if time.monotonic() < self._watched + _WATCH_SECONDS:
            return
        if self._process.poll() is not None:
            raise Stopped("stopped its process")
        reason = sandbox.trouble(self._process, self._folder, self.limits)
        if reason:
            raise Stopped(reason)
        self._watched = time.monotonic()

    def _too_much(self):
        return f"printed more than {self.limits.output / sandbox.MIB:.3g} MB"


def _short_folder():
    """Where to make a folder whose sockets' paths stay under 108 bytes; None for the usual."""
    return "/tmp" if len(tempfile.gettempdir().encode()) > 60 else None


def _asks_to_exit(reply):
    """Whether a cell called ``exit`` or ``quit``."""
    payload = reply.get("payload")
    payload = payload if isinstance(payload, list) else []
    return any(isinstance(one, dict) and one.get("source") == "ask_exit" for one in payload)


def _too_long(seconds):
    return f"took longer than {seconds:g} s"


def _keep(outputs, message):
    """Append a message to a cell's outputs, where it is one; printed text joins the text before."""
    from nbformat.v4 import output_from_msg

    if message["msg_type"] == "clear_output":
        outputs.clear()
        return
    with contextlib.suppress(Exception):  # other messages, and malformed ones
        output = output_from_msg(message)
        before = outputs[-1] if outputs else None
        if output.output_type == "stream" and before and before.get("name") == output.name:
            before.text += output.text
        else:
            outputs.append(output)
