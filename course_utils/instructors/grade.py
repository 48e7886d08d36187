"""Grade the notebooks that students handed in, and write a page of feedback for each of them.

An answer earns its points when the instructor's check of it, hidden tests included, runs to its
end. Students' code runs in a sandbox without network, under limits. What is written is a course
folder of nbgrader's, one for all lessons: its formgrader grades answers in words, comments and
changes points, and the same command again carries that into tables and feedback. Interrupted, it
goes on where it stopped; a submission or a lesson that changed is graded again. To grade everything
afresh, delete the folder ``autograded``.
"""

import argparse
import contextlib
import hashlib
import json
import logging
import os
import signal
import sys
import threading
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

from course_utils.cli import notebooks, stamp
from course_utils.cli.setup_venv import ROOT
from course_utils.instructors import assemble, collect, problem_sets, sandbox

SOME_BY_HAND = 3  # the exit status

_choosing = threading.Lock()


class GradeError(Exception):
    """Nothing can be graded; the text says why, and what to do."""


class Assignment(NamedTuple):
    """What is graded, and how."""

    name: str  # such as "01_linear_regression"
    solved: object  # the solved notebook
    seconds: float = 60.0
    memory: float = 4.0
    sandboxed: bool = True
    due: object = None  # a time without a zone, in UTC
    jobs: int = 1

    def step(self, hidden=(), trusted=False):
        """The execution of its notebooks, a preprocessor of nbgrader's."""
        from course_utils.instructors.execute import ExecuteInSandbox

        step = ExecuteInSandbox(log=assemble.SILENT)
        step.seconds, step.memory, step.sandboxed = self.seconds, self.memory, self.sandboxed
        step.hidden, step.trusted = [str(path) for path in hidden], trusted
        return step


class Lesson(NamedTuple):
    """A solved notebook, and the same as nbgrader's gradebook has it."""

    solved: object
    nb: object


def lesson(number, root=ROOT):
    """The solved notebook of that number, and its name.

    Raises:
        GradeError: if there is none.
    """
    known = {path.name[:2]: path for path in notebooks.solved(root)}
    path = known.get(number.zfill(2))
    if path is None:
        raise GradeError(
            f"no notebook {number}; there is {', '.join([*known, *problem_sets.SETS])}"
        )
    return path.stem, notebooks.read(path)


def problem_set(name, seed_file, root=ROOT):
    """The solved notebook of a problem set, and its name.

    Raises:
        GradeError: if its seed is missing or no seed.
    """
    if seed_file is None:
        raise GradeError(
            f"{name} is a problem set, made from a seed: --seed FILE is missing, the one that it "
            "was released with"
        )
    try:
        seed = problem_sets.read_seed(seed_file)
        return name, problem_sets.solved(name, seed, stamp.present(root))
    except problem_sets.ProblemSetError as error:
        raise GradeError(str(error)) from error


def grade(assignment, paths, to, say=print, roster=()):
    """Grade submissions, and keep ``to`` up to date after each.

    Args:
        assignment: an ``Assignment``.
        paths: files and folders as ``collect.collect`` takes them; none of them is changed.
        to: nbgrader's course folder, for tables, feedback and what is needed to go on.
        say: what to do with a line about progress.
        roster: rows of ``collect.read_roster``.

    Returns:
        The gradebook, a ``gradebook.Book``.

    Raises:
        GradeError: if there are no submissions, or the solved notebook fails its own checks.
    """
    from course_utils.instructors import gradebook, kernel

    name, solved = assignment[:2]
    try:
        paths = [collect.unzipped(path, to / "unzipped") for path in paths]
        found, left = collect.collect(paths, name)
        found, strangers = collect.by_roster(found, roster) if roster else (found, [])
        both = Lesson(solved, assemble.prepared(solved))
        assemble.exercises(both.nb)
    except (OSError, ValueError) as error:
        raise GradeError(str(error)) from error
    if not found:
        raise GradeError(f"no submissions in {', '.join(map(str, paths))}")
    if left:
        say(f"left out, as they are no notebooks: {_listed([path.name for path in left])}")
    if strangers:
        say(f"no pattern of the roster fits {_listed(strangers)}")
    book = gradebook.Book(to, roster)
    others = [line for one in found.items() if (line := _graded_before(book, name, *one))]
    if others:
        raise GradeError(
            "graded before from a file that is still there, and is another:\n  "
            + "\n  ".join(others)
            + "\nIf they are two students, rename one, or use another --to; if it is one, delete "
            "the file that does not count"
        )
    hidden = [to.resolve(), *{file.parent.resolve() for files in found.values() for file in files}]
    kernel.stopping.clear()
    pool = ThreadPoolExecutor(assignment.jobs)
    try:
        key = pool.submit(_pass_itself, assignment, both, to, hidden, say).result()
        try:
            book.add_lesson(name, solved, both.nb, assignment.due)
        except RuntimeError as error:
            raise GradeError(
                f"{to} has grades of {name} with other exercises than it has now: grade it into "
                "another folder, with --to"
            ) from error
        book.read_all()
        before = [who for lesson, who in book.rows if lesson == name and who not in found]
        if before:
            say(f"graded before, and not among these, {_listed(before)}")
        works = [
            pool.submit(_work, assignment, both, book, student, files, hidden, key)
            for student, files in found.items()
        ]
        for place, student in enumerate(found, 1):
            work = works.pop(0).result()
            book.add_student(name, student, work.seconds)
            if work.nb is not None:
                _save(book, assignment, student, work)
            book.set_state(name, student, work.state)
            book.read(name, student)
            rows = book.rows[name, student]
            _write_feedback(book, name, student, rows)
            book.write_grades()
            points, of = sum(row.points for row in rows), sum(row.of for row in rows)
            spent = "as before" if work.nb is None else f"{work.spent:.0f} s"
            say(f"{place} of {len(found)}  {student}: {points:g} of {of:g} ({spent})")
    except BaseException:
        kernel.end_all()
        raise
    finally:
        pool.shutdown(cancel_futures=True)
    book.write_totals()
    book.write_class_page(name)
    missing = [row["id"] for row in roster if (name, row["id"]) not in book.rows]
    if missing:
        say(f"nothing from {_listed(missing)}")
    return book


def _graded_before(book, name, student, files):
    """The file that a student was graded from, where that is elsewhere and another than these."""
    before = Path(book.state(name, student).get("path", ""))
    if before in map(collect.place, files) or not before.is_file():
        return ""
    with contextlib.suppress(OSError, ValueError):
        if collect.content(before) in map(collect.content, files):
            return ""
    return f"{student}: {before}, and now {files[-1]}"


def _listed(names):
    first = ", ".join(list(map(str, names))[:10])
    return f"{len(names)}: {first}" + (", ..." if len(names) > 10 else "")


def _pass_itself(assignment, both, to, hidden, say):
    """Run the lesson as a submission; return a key of what grades hang on but the student."""
    about = [notebooks.dumps(both.solved), repr(assignment[2:5]), sys.version]
    about += [metadata.version("jax"), metadata.version("numpy")]
    modules = sorted(Path(__file__).parent.parent.glob("exercises/*.py"))
    told = "\0".join(about).encode() + b"".join(module.read_bytes() for module in modules)
    key = hashlib.sha256(told).hexdigest()
    path = to / ".passed" / assignment.name
    with contextlib.suppress(OSError):
        if path.read_text(encoding="utf-8") == key:
            return key
    say("running the solved notebook first: it must pass its own checks")
    nb = assemble.assemble(both.nb, both.solved)
    try:
        nb, _ = assignment.step(hidden, trusted=True).preprocess(nb, {})
    except Exception as error:
        raise GradeError(str(error)) from error
    told = [cell.metadata.get("course", {}) for cell in nb.cells if cell.cell_type == "code"]
    failed = [one for one in told if one.get("why", "passed") != "passed"]
    if failed:
        why = "; ".join(f"exercise {one['checks']}: {one['why']}" for one in failed)
        raise GradeError(
            f"the solved notebook of {assignment.name} does not pass ({why}).\n"
            "Mend it, or give it more room with --seconds and --memory; no submission was graded."
        )
    notebooks.write(path, key)
    return key


class _Work(NamedTuple):
    """What came of a submission."""

    state: dict  # what ``Book.state`` is to have: of what, and from which file
    seconds: float  # when it was handed in
    assembled: object = None
    nb: object = None  # after its execution; None where it is as before
    spent: float = 0.0


def _work(assignment, both, book, student, files, hidden, key):
    """Choose a student's file, assemble and run it, unless that is done; whatever it holds."""
    from nbformat import v4

    from course_utils.instructors import kernel

    start, name = time.monotonic(), assignment.name
    files = collect.candidates(files, name)
    told = hashlib.sha256(json.dumps([key, student]).encode())
    for file in files:
        told.update(file.name.encode("utf-8", "backslashreplace") + b"\0")
        with contextlib.suppress(OSError, ValueError):
            told.update(collect.content(file))
    mine, kept = told.hexdigest(), book.state(name, student)
    if kept.get("key") == mine:
        path = files[kept["place"]]  # the folder may have another name
        return _Work({**kept, "path": str(collect.place(path))}, collect.time_of(path))
    path, aside = files[-1], ()
    try:
        with _choosing:  # nbformat's warnings are caught for all threads
            path, nb, aside = collect.choose(files, name, both, lambda n: _label(both.solved, n))
    except Exception as error:  # whatever a file holds
        nb = assemble.refused(both.nb, f"{collect.unread(error)}, grade by hand")
    try:
        done, _ = assignment.step(hidden).preprocess(nb, {})
    except Exception as error:  # one submission must not keep the others from being graded
        if kernel.stopping.is_set():
            raise
        mine = ""  # it may go well another time
        why = f"grading it failed ({type(error).__name__}: {error}), grade by hand"
        nb = assemble.refused(both.nb, why)
        done, _ = assignment.step(hidden).preprocess(nb, {})
    if aside:
        text = f"Other files of yours do not count: {', '.join(aside)}."
        done.cells.insert(0, v4.new_markdown_cell(text, id=assemble.NOTES[1]))
    state = {"key": mine, "place": files.index(path), "path": str(collect.place(path))}
    state["aside"] = aside
    return _Work(state, collect.time_of(path), nb, done, time.monotonic() - start)


def _label(solved, submitted):
    """Refuse a copy of a problem set that was made from another seed."""
    ours, theirs = problem_sets.label_in(solved), problem_sets.label_in(submitted)
    if ours and theirs and ours != theirs:
        raise ValueError(
            f"set {theirs} of the problem set, and the seed of this class makes set {ours}: was "
            "another class's copy handed in, or is it another seed?"
        )


def _save(book, assignment, student, work):
    """Write a graded submission into nbgrader's folders and its gradebook."""
    from course_utils.instructors import execute

    name, about = assignment.name, book.about(assignment.name, student)
    folder, nb = book.to / "autograded" / student / name, work.nb
    settled, before = book.settled(name, student), {}
    with contextlib.suppress(OSError, ValueError):
        before = execute.asked(notebooks.read(folder / f"{name}.ipynb"))
    for step in execute.AUTOGRADE[1:]:
        nb, _ = step(log=assemble.SILENT).preprocess(nb, about)
    same = [key for key, what in execute.asked(nb).items() if before.get(key) == what]
    book.settle(name, student, settled.intersection(same))
    text = collect.spelt(notebooks.dumps(work.assembled))
    notebooks.write(book.to / "submitted" / student / name / f"{name}.ipynb", text)
    notebooks.write(folder / f"{name}.ipynb", collect.spelt(notebooks.dumps(nb)))


def _write_feedback(book, name, student, rows):
    """Write a student's page, unless it says all this already."""
    from course_utils.instructors import feedback

    told = hashlib.sha256(repr(rows).encode("utf-8", "backslashreplace")).hexdigest()
    path = book.to / "feedback" / student / name / f"{name}.html"
    with contextlib.suppress(OSError):
        if feedback.mark(told) in path.read_text(encoding="utf-8"):
            return
    nb = notebooks.read(book.to / "autograded" / student / name / f"{name}.ipynb")
    notebooks.write(path, collect.spelt(feedback.page(nb, book.about(name, student), rows, told)))


def main(argv, root=ROOT):
    """``grade NN SUBMISSION ... [--to DIR]``, or a problem set; return the exit status."""
    args = _parser().parse_args(argv)
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)  # of tasks of kernels that died
    warnings.filterwarnings("ignore", module="nbgrader")  # of its way with its database
    try:
        if sys.platform not in ("linux", "darwin"):
            raise GradeError("grading needs Linux or macOS: on Windows call it in WSL 2")
        problem = None if args.no_sandbox else sandbox.problem()
        if problem:
            raise GradeError(
                f"{problem}: install it (Debian, Ubuntu: apt install bubblewrap), or pass "
                "--no-sandbox if you trust every submission with your files"
            )
        if args.number in problem_sets.SETS:
            name, solved = problem_set(args.number, args.seed, root)
        elif args.seed:
            raise GradeError(
                "--seed belongs to a problem set, such as foundations, not to a lesson"
            )
        else:
            name, solved = lesson(args.number, root)
        jobs = 1 if args.no_sandbox else min(args.jobs or os.cpu_count() or 1, 8)
        assignment = Assignment(
            name, solved, args.seconds, args.memory, not args.no_sandbox, _due(args.due), jobs
        )
        roster = collect.read_roster(args.roster) if args.roster else ()
        book = grade(assignment, args.submissions, args.to, _say, roster)
        if args.export:
            waiting = book.export(args.export)
            _say(
                f"{args.to / args.export}.csv is for {args.export.title()}; cells that wait for "
                f"you to grade by hand are empty: {waiting}"
            )
    except (GradeError, OSError, ValueError) as error:
        print(_plain(str(error)), file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nInterrupted. The same command goes on from here.", file=sys.stderr)
        return 130
    by_hand = book.by_hand(name)
    _say(f"{args.to / 'grades.csv'} has the points, {args.to / 'feedback'} a page for each student")
    if by_hand:
        _say(f"{len(by_hand)} to grade by hand: {', '.join(by_hand)}")
    return SOME_BY_HAND if by_hand else 0


def _due(text):
    """A time of this machine's zone, as nbgrader keeps it.

    Raises:
        GradeError: if it is none.
    """
    if text is None:
        return None
    try:
        return datetime.fromisoformat(text).astimezone(UTC).replace(tzinfo=None)
    except ValueError as error:
        raise GradeError(f'--due "{text}" is no time; one is --due "2026-10-05 23:59"') from error


def _say(line):
    print(_plain(line), flush=True)


def _plain(text):
    """The text without what would steer a terminal, such as from a file's name."""
    return "".join(c if c.isprintable() or c == "\n" else "\N{REPLACEMENT CHARACTER}" for c in text)


def _parser():
    parser = argparse.ArgumentParser(
        prog="python3 -m course_utils grade",
        description=__doc__.splitlines()[0],
        epilog="Exit status: 0 when all is graded, 3 when something is left to grade by hand, "
        "1 when nothing could be graded.",
    )
    add = parser.add_argument
    add("number", metavar="NN", help="the notebook's number, such as 01; or a problem set's name")
    add(
        "submissions",
        nargs="+",
        type=Path,
        metavar="SUBMISSION",
        help="a notebook, called as its student; a folder of those; one of students' folders; or a "
        "ZIP file of either",
    )
    add("--to", type=Path, metavar="DIR", default=Path("grades"), help="default: grades")
    add("--roster", type=Path, metavar="FILE", help="a table: pattern of names, id, and more")
    add("--due", metavar="TIME", help='count days late from then, such as "2026-10-05 23:59"')
    add("--export", choices=("canvas", "moodle"), help="also write a table that it imports")
    add("--seed", type=Path, metavar="FILE", help="a problem set's: what it was released with")
    add(
        "--seconds",
        type=float,
        default=60.0,
        help="for one cell, 60 if not said; 5 times as long for the lesson's own, 30 times for a "
        "whole notebook",
    )
    add("--memory", type=float, default=4.0, help="in GB; 4 if not said")
    add("--jobs", type=int, help="how many to run at once; default: one for each core")
    add(
        "--no-sandbox",
        action="store_true",
        help="run students' code with your rights to your files and network, within limits",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
