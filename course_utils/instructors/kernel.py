"""A kernel for nbgrader whose process is limited and watched, in a sandbox unless told otherwise.

It is spoken to through files alone. nbclient drives it as it drives any other, and finds it dead
where it passed a limit; ``reason`` then says which.
"""

import shutil
import tempfile
import threading
import time
from pathlib import Path

import zmq.asyncio
from jupyter_client.manager import AsyncKernelManager

from course_utils.instructors import sandbox

STOPPED = "stopped its process"

_WATCH_SECONDS = 0.15
_running: set = set()  # every kernel of this process
stopping = threading.Event()  # set where the whole program ends


class SandboxedKernelManager(AsyncKernelManager):
    """nbclient's idea of a kernel, over ``sandbox.start``."""

    def __init__(self, limits, sandboxed, hidden=(), trusted=False, **kw):
        # a socket's path has to stay under 108 bytes
        short = "/tmp" if len(tempfile.gettempdir().encode()) > 60 else None
        self.folder = Path(tempfile.mkdtemp(prefix="grade-", dir=short))
        context = zmq.asyncio.Context()
        context.setsockopt(zmq.MAXMSGSIZE, limits.output + sandbox.MIB)
        context.setsockopt(zmq.LINGER, 0)
        super().__init__(
            transport="ipc",
            ip=str(self.folder / "s"),
            connection_file=str(self.folder / "kernel.json"),
            context=context,
            **kw,
        )
        self.limits, self.sandboxed, self.hidden = limits, sandboxed, hidden
        self.trusted = trusted
        self.process, self.reason, self._before = None, "", None

    @property
    def has_kernel(self):
        return self.process is not None

    async def start_kernel(self, **kw):
        import psutil

        self.write_connection_file()
        argv = [sandbox.PYTHON, "-m", "ipykernel_launcher", "-f", self.connection_file]
        argv.append("--HistoryManager.hist_file=:memory:")
        if not self.sandboxed:
            self._before = {child.pid for child in psutil.Process().children(recursive=True)}
        self.process = sandbox.start(
            argv, self.folder, self.limits, self.sandboxed, self.hidden, self.trusted
        )
        _running.add(self)
        threading.Thread(target=self._watch, daemon=True).start()

    def _watch(self):
        """See that the process keeps its limits, as long as it runs."""
        while self.process.poll() is None:
            try:
                reason = sandbox.trouble(self.process, self.folder, self.limits)
            except Exception as error:  # what is not watched must not run
                reason = f"could not be watched ({type(error).__name__}), grade by hand"
            if reason:
                self.end(reason)
            time.sleep(_WATCH_SECONDS)

    def end(self, reason=STOPPED):
        """End the process and all that it started; the first reason is the one that counts."""
        self.reason = self.reason or reason
        if self.process is not None:
            sandbox.end(self.process, self._before)

    async def is_alive(self):
        return self.process is not None and self.process.poll() is None

    _async_is_alive = is_alive  # what a client of it asks for

    async def interrupt_kernel(self):
        """Ask it to stop what it is doing: no signal reaches into a sandbox."""
        self._connect_control_socket()
        self.session.send(self._control_socket, self.session.msg("interrupt_request", {}))

    async def shutdown_kernel(self, now=False, restart=False):
        self.end()

    async def cleanup_resources(self, restart=False):
        self.end()
        _running.discard(self)
        self._close_control_socket()
        shutil.rmtree(self.folder, ignore_errors=True)


def end_all():
    """End the kernels of all threads, for good, such as after Ctrl-C."""
    stopping.set()
    for kernel in list(_running):
        kernel.end()
