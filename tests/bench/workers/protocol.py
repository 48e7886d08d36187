"""How a worker talks to `bench`: one line in, one line of JSON out.

A worker is called as ``PYTHON worker.py FOLDER METHOD RESULT``. It loads the arrays in FOLDER, says
that it is ready, and then does its computation once for each line ``go``; the value of the first
goes to the file RESULT. The library's own output goes to stderr, so that it cannot mix in.
"""

import json
import os
import sys
import time
from importlib import metadata
from pathlib import Path


def serve(prepare, distribution, compiled=None):
    """Answer `bench` until it hangs up.

    Args:
        prepare: ``(arrays, settings, method) -> work`` puts the data where the library wants them;
            ``work()`` is the computation, and its value a NumPy array.
        distribution: the name under which the library is installed.
        compiled: the seconds that each program took to compile, a list that grows; ``None`` where
            nothing is compiled or nobody counts.
    """
    import numpy as np

    folder, method, result = sys.argv[1:]
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)

    def answer(**what):
        print(json.dumps(what), file=answers, flush=True)

    try:
        with np.load(Path(folder) / "arrays.npz") as stored:
            arrays = dict(stored)
        settings = json.loads((Path(folder) / "settings.json").read_text(encoding="utf-8"))
        work = prepare(arrays, settings, method)
        del arrays
        before = _megabytes("VmRSS")
        _forget_peak()
        answer(version=metadata.version(distribution))
        first = True
        for _ in sys.stdin:
            known = 0 if compiled is None else len(compiled)
            start, cpu = time.perf_counter(), time.process_time()
            value = work()
            took = {"seconds": time.perf_counter() - start, "cpu": time.process_time() - cpu}
            if compiled is not None:
                took |= {"programs": len(compiled[known:]), "compiling": sum(compiled[known:])}
            answer(**took, megabytes=_megabytes("VmHWM") - before)
            if first:
                np.save(result, value)
                first = False
            del value
    except Exception as error:  # whatever it is, it becomes a row of the table
        answer(error=f"{type(error).__name__}: {error}".splitlines()[0])
        raise


def _forget_peak():
    """Let the peak of memory count from here (Linux)."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        pass


def _megabytes(field):
    try:
        status = Path("/proc/self/status").read_text()
        return int(status.partition(field + ":")[2].split()[0]) / 1e3
    except (OSError, IndexError):
        import resource  # not on Windows

        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak / (1e6 if sys.platform == "darwin" else 1e3)
