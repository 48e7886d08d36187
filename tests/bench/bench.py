"""Time the package against other libraries, on the same arrays and in the same minutes.

Each method runs in a process of its own, a peer's in the peer's interpreter, and the rounds
alternate: ours, one peer, another; then back. All are bound to the same two cores. A time is the
median of the warm rounds; "cold" is the call before them, without imports: its time, its CPU time,
and where JAX computes the programs that it compiled and the time that took. MB is the most memory
beyond the loaded data. Agreement is max|difference| / max|score| against float64. The floor is what
the workload needs, whatever the method, at the speed of a large matrix product and of reading.
"""

import argparse
import json
import os
import platform
import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from workloads import HERE, PEERS, WORKLOADS

ROOT = Path(__file__).resolve().parents[2]
WORKERS = Path(__file__).resolve().parent / "workers"
OURS = WORKERS / "ours.py"
SCRIPTS = {name: WORKERS / f"with_{name}.py" for name in PEERS}
THREADS = 2
SECONDS = 1800  # that one answer may take
PAUSE = 0.3  # seconds before each call: idle threads of the one before may still be spinning


# Workers


class WorkerError(Exception):
    """A worker cannot go on; the text says why, in one line."""


class Worker:
    """A process that does one computation each time it is told to.

    Attributes:
        method: what it computes.
        label: that, after the library's name and version.
        times: seconds of each call so far, the cold one first.
        cold: what else is known of the cold one: its CPU seconds as ``cpu`` and, of JAX, the number
            of ``programs`` that it compiled and the seconds of ``compiling``.
        megabytes: the most memory beyond the loaded data, after each call.
        error: why it does not work any more, or ``None``.
        result: the file that holds the value of the first call.
    """

    def __init__(self, name, method, python, script, folder):
        self.method, self.label = method, f"{name} {method}"
        self.times, self.megabytes, self.cold, self.error = [], [], {}, None
        self.result = Path(folder) / (re.sub(r"\W+", "-", f"{name} {method}") + ".npy")
        self._process, self._errors = None, tempfile.TemporaryFile()
        command = [str(python), str(script), str(folder), method, str(self.result)]
        try:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._errors,
                env=_environment(),
                text=True,
                encoding="utf-8",
            )
            version = self._answer()["version"]  # it is ready
            self.label = method if name == HERE else f"{name} {version} {method}"
        except OSError as error:
            self.error = f"{python}: {error.strerror}"
        except WorkerError as error:
            self.error = str(error)

    def go(self):
        """Let it compute once, and note what that took."""
        if self.error is not None:
            return
        try:
            print("go", file=self._process.stdin, flush=True)
        except OSError:
            pass  # it has ended, and its last words say why
        try:
            answer = self._answer()
        except WorkerError as error:
            self.error = str(error)
        else:
            self.times.append(answer.pop("seconds"))
            self.megabytes.append(answer.pop("megabytes"))
            self.cold = self.cold or answer

    def _answer(self):
        late = threading.Event()
        limit = threading.Timer(SECONDS, lambda: (late.set(), self._process.kill()))
        limit.start()
        line = self._process.stdout.readline()
        limit.cancel()
        if late.is_set():
            raise WorkerError(f"no answer within {SECONDS:g} s")
        try:
            answer = json.loads(line)
        except ValueError:
            raise WorkerError(self._last_words()) from None
        if "error" in answer:
            raise WorkerError(answer["error"])
        return answer

    def _last_words(self):
        self._process.kill()  # if it still runs, what it says is not for us
        status = self._process.wait()
        self._errors.seek(0)
        said = self._errors.read().decode("utf-8", "replace").strip().splitlines()
        return said[-1] if said and status > 0 else f"it ended with status {status}"

    def close(self):
        """End the process."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            for pipe in (self._process.stdin, self._process.stdout):
                try:
                    pipe.close()
                except OSError:
                    pass
        self._errors.close()


def _environment():
    """The same threads for everybody, no accelerator, and nothing compiled before."""
    env = dict(os.environ, JAX_PLATFORMS="cpu", CUDA_VISIBLE_DEVICES="")
    for name in ("OMP", "MKL", "OPENBLAS", "VECLIB_MAXIMUM"):
        env[f"{name}_NUM_THREADS"] = str(THREADS)
    env.pop("JAX_COMPILATION_CACHE_DIR", None)
    env["PYTHONPATH"] = str(ROOT)  # where the package is
    return env


# Measuring


def measure(workload, peers, folder, rounds=None, tiny=False, say=lambda text: None):
    """Yield the rows of one workload as they come, cells of text as in ``HEAD``.

    Args:
        workload: a key of ``WORKLOADS``.
        peers: name -> interpreter.
        folder: where arrays and results may lie.
        rounds: warm rounds; ``None`` is the workload's own number.
        tiny: whether to take small arrays, which show that everything works and nothing else.
        say: called with what is being done.
    """
    about, usual, several = WORKLOADS[workload]
    for series in several:
        place = Path(folder) / series.recipe.replace(" ", "-")
        if not place.exists():
            say(f"{workload}: arrays of {series.recipe}, and their result in float64")
            place.mkdir()
            command = [sys.executable, str(WORKERS / "arrays.py"), series.recipe, str(place)]
            subprocess.run(command + ["tiny"] * tiny, env=_environment())
        if not (place / "settings.json").exists():  # written last
            yield [f"{workload} {series.title}", "", "failed: no arrays", "", "", ""]
            continue
        say(f"{workload}: {series.title}")
        yield from _measured(workload, series, peers, place, rounds or usual)


def _measured(workload, series, peers, folder, rounds):
    wanted = [("ours", series.ours, sys.executable, OURS)]
    for name, methods in series.peers.items():
        if name == HERE:
            wanted += [(name, method, sys.executable, OURS) for method in methods]
        elif name in peers:
            wanted += [(name, method, peers[name], SCRIPTS[name]) for method in methods]
    wanted += [(HERE, method, sys.executable, OURS) for method in series.yardsticks]
    workers = [Worker("ours", "machine", sys.executable, OURS, folder)]
    try:
        machine = workers[0]
        machine.go()
        workers += [Worker(*who, folder) for who in wanted]
        for r in range(1 + rounds):  # there and back, so that nobody has always the same before it
            for worker in workers[1:] if r % 2 == 0 else workers[:0:-1]:
                time.sleep(PAUSE)
                worker.go()
        floor = _floor(folder, series, machine)
        return _rows(workload, series, workers[1:], floor, _reference(folder, series))
    finally:
        for worker in workers:
            worker.close()


def _reference(folder, series):
    import numpy as np

    with np.load(folder / "reference.npz") as stored:
        return stored[series.reference]


def _floor(folder, series, machine):
    """The least time for what is necessary, on this machine, in seconds; ``None`` if unknown."""
    import numpy as np

    settings = json.loads((folder / "settings.json").read_text(encoding="utf-8"))
    necessary = settings.get(series.reference)
    if necessary is None or machine.error is not None:
        return None
    speeds = dict(zip(("operations", "bytes"), np.load(machine.result)))  # per second
    return max(amount / speeds[what] for what, amount in necessary.items())


def agreement(scores, reference):
    """max|difference| / max|score|; infinite where a score is not finite or shapes differ."""
    import numpy as np

    if scores.shape != reference.shape or not np.isfinite(scores).all():
        return float("inf")
    return float(np.abs(scores - reference).max() / np.abs(reference).max())


# The table

HEAD = ["workload", "floor", "ours", "peer", "ours is", "agreement: ours; peer"]


def _rows(workload, series, workers, floor, reference):
    """One row for each of the others; or one with ours alone."""
    ours, *others = workers
    start = [f"{workload} {series.title}", "" if floor is None else _time(floor), _cost(ours)]
    agree = _agreement(ours, reference)
    if not others:
        return [[*start, "", "", agree]]
    rows = []
    for other in others:
        ratio, same = "", True
        if ours.error is None and other.error is None:
            same = other.method not in series.yardsticks
            mine, its = _warm(ours), _warm(other)
            ratio = f"{its / mine:.2f} × as fast" if same else f"{mine / its:.2f} × its time"
        both = [agree, _agreement(other, reference)] if same else [agree]
        peer = f"{other.label}: {_cost(other)}"
        rows.append([*start, peer, ratio, "; ".join(filter(None, both))])
    return rows


def _agreement(worker, reference):
    import numpy as np

    return "" if worker.error else f"{agreement(np.load(worker.result), reference):.1e}"


def _warm(worker):
    return statistics.median(worker.times[1:])


def _cost(worker):
    if worker.error is not None:
        return f"failed: {worker.error}"
    about = [f"cold {_time(worker.times[0])}", f"CPU {_time(worker.cold['cpu'])}"]
    if programs := worker.cold.get("programs"):
        about.append(f"{programs} compiled in {_time(worker.cold['compiling'])}")
    return f"{_time(_warm(worker))} ({', '.join(about)}, {max(worker.megabytes):.0f} MB)"


def _time(seconds):
    return f"{seconds:.2f} s" if seconds >= 1 else f"{1e3 * seconds:.3g} ms"


def line(cells):
    """One row of a Markdown table."""
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def machine_in_words(cores):
    """``2 of 8 cores of an AMD EPYC, Linux, Python 3.11.7, jax 0.10.2; load before: 0.1``."""
    from importlib import metadata

    try:
        model = re.search("model name\\s*: (.*)", Path("/proc/cpuinfo").read_text()).group(1)
    except (OSError, AttributeError):
        model = platform.processor() or platform.machine()
    versions = ", ".join(f"{name} {metadata.version(name)}" for name in ("jax", "numpy"))
    return (
        f"{cores} of {os.cpu_count()} cores of {model.strip()}, {platform.system()}, "
        f"Python {platform.python_version()}, {versions}; load before: {_load()}"
    )


def _load():
    """How many programs wanted a core in the last minute; above 0.5, times are worth little."""
    try:
        return f"{os.getloadavg()[0]:.1f}"
    except (OSError, AttributeError):
        return "unknown"


def bind():
    """Keep this process and its children to a few cores, where the system can; how many."""
    try:
        cores = sorted(os.sched_getaffinity(0))[:THREADS]
        os.sched_setaffinity(0, cores)
    except AttributeError:  # JAX then takes all cores, and the others two threads
        return os.cpu_count()
    return len(cores)


# The command


def _peer(text):
    name, _, python = text.partition("=")
    if name not in SCRIPTS or not python:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not NAME=PYTHON with NAME one of {', '.join(SCRIPTS)}"
        )
    return name, python


def main(argv):
    """``[W1 ...] [--peer NAME=PYTHON ...]``; return the exit status."""
    choices = "\n".join(f"  {name}  {w.about}" for name, w in WORKLOADS.items())
    parser = argparse.ArgumentParser(
        prog="python3 tests/bench/bench.py",
        description=f"{__doc__}\n{choices}",
        epilog="Make each peer's environment outside the course with `python3 -m venv`: first\n"
        '`pip install torch`, then "pydvl[influence]", curvlinops-for-pytorch or dattri.',
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("workloads", nargs="*", metavar="W", help="default: all but W6")
    parser.add_argument(
        "--peer",
        action="append",
        default=[],
        type=_peer,
        metavar="NAME=PYTHON",
        help=f"{', '.join(SCRIPTS)}, and the interpreter that has it",
    )
    parser.add_argument("--rounds", type=int, help="timed rounds; default: 3 to 15")
    parser.add_argument("--tiny", action="store_true", help="small arrays: does everything work?")
    args = parser.parse_args(argv)
    unknown = [name for name in args.workloads if name not in WORKLOADS]
    if unknown:
        parser.error(f"there is no workload {unknown[0]}: choose from {', '.join(WORKLOADS)}")
    if args.rounds is not None and args.rounds < 1:
        parser.error("--rounds must be at least 1")
    say = lambda text: print(text, file=sys.stderr, flush=True)
    print(f"On {machine_in_words(bind())}.\n")
    print(line(HEAD), line(["---"] * len(HEAD)), sep="\n", flush=True)
    for workload in args.workloads or sorted(set(WORKLOADS) - {"W6"}):
        with tempfile.TemporaryDirectory() as folder:
            for row in measure(workload, dict(args.peer), folder, args.rounds, args.tiny, say):
                print(line(row), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
