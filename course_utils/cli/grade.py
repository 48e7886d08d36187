"""Grade the notebooks that students handed in, and write a page of feedback for each of them.

An answer earns its points when the instructor's check of it, hidden tests included, runs to its
end. Students' code runs in a sandbox without network, under limits, one notebook after another.
Interrupted, the same command goes on where it stopped; a submission or a lesson that changed is
graded again. To grade everything afresh, delete the folder ``state``.
"""

import argparse
import contextlib
import csv
import hashlib
import io
import json
import platform
import re
import signal
import sys
import time
from pathlib import Path
from typing import NamedTuple

from course_utils.cli import (
    assembly,
    feedback,
    notebooks,
    problem_sets,
    sandbox,
    scoring,
    stamp,
    submissions,
)
from course_utils.cli.setup_venv import ROOT

COLUMNS = ("student", "exercise", "points", "of", "why", "file")
BY_HAND = "grade by hand"
SOME_BY_HAND = 3  # the exit status

_FAILED = "grading it failed"
_FORMULA = re.compile(r"((?:^|;)[\s\"]*)(?=[=+@＝＋－＠-])")  # the wide ones count in Japanese


class GradeError(Exception):
    """Nothing can be graded; the text says why, and what to do."""


class Assignment(NamedTuple):
    """What is graded."""

    name: str  # such as "01_linear_regression"
    solved: object  # the solved notebook
    limits: sandbox.Limits = sandbox.Limits()
    sandboxed: bool = True


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


def grade(assignment, paths, to, say=print):
    """Grade submissions, one after the other, and keep ``to`` up to date after each.

    Args:
        assignment: an ``Assignment``.
        paths: files and folders as ``submissions.collect`` takes them; none of them is changed.
        to: the folder for ``grades.csv``, ``feedback/`` and what is needed to go on.
        say: what to do with a line about progress.

    Returns:
        The names of the students of whom something has to be graded by hand.

    Raises:
        GradeError: if there are no submissions, or the solved notebook fails its own checks.
    """
    try:
        found = submissions.collect(paths, assignment.name)
        every = assembly.exercises(assignment.solved)
    except (OSError, ValueError) as error:
        raise GradeError(str(error)) from error
    if not found:
        raise GradeError(f"no submissions in {', '.join(map(str, paths))}")
    hidden = [to.resolve(), *{one.path.parent.resolve() for one in found}]
    clean, key = _clean(assignment, to, hidden, say)
    pages = feedback.file_names([one.student for one in found])
    records = []
    for place, submission in enumerate(found, 1):
        start = time.monotonic()
        page = pages[submission.student]
        record, old = _graded(assignment, every, submission, page, to, hidden, clean, key)
        records.append(record)
        _write_table(to / "grades.csv", records)
        points = sum(row["points"] for row in record["rows"])
        of = sum(row["of"] for row in record["rows"])
        spent = "as before" if old else f"{time.monotonic() - start:.0f} s"
        say(f"{place} of {len(found)}  {submission.student}: {points:g} of {of:g} ({spent})")
    return [r["student"] for r in records if any(BY_HAND in row["why"] for row in r["rows"])]


def _clean(assignment, to, hidden, say):
    """Fingerprints of a clean process, and a key of what the grades hang on but the student."""
    text = notebooks.dumps(assignment.solved) + repr(assignment[2:])
    key = hashlib.sha256(text.encode() + _modules("exercises/*.py")).hexdigest()
    path = to / "state" / "solved.json"
    around = _surroundings()
    with contextlib.suppress(OSError, ValueError, KeyError):
        kept = json.loads(path.read_text(encoding="utf-8"))
        if kept["key"] == [key, around]:
            return kept["prints"], key
    say("running the solved notebook first: it must pass its own checks")
    solved, limits, sandboxed = assignment[1:]
    try:
        outcome = scoring.score(solved, solved, limits, sandboxed, hidden)
    except scoring.Stopped as error:
        raise GradeError(f"no kernel runs here: it {error}. Is ipykernel installed?") from error
    failed = [s for s in outcome.scores if s.points < s.of and BY_HAND not in s.why]
    if failed or not outcome.prints:
        why = "; ".join(f"exercise {s.exercise}: {s.why}" for s in failed) or "it did not end"
        raise GradeError(
            f"the solved notebook of {assignment.name} does not pass ({why}).\n"
            "Mend it, or give it more room with --seconds and --memory; no submission was graded."
        )
    notebooks.write(path, json.dumps({"key": [key, around], "prints": outcome.prints}))
    return outcome.prints, key


def _surroundings():
    """A digest of what runs beside a student's code: interpreter, libraries, package."""
    from importlib import metadata

    names = ("numpy", "jax", "jaxlib", "ipykernel", "ipython")
    text = " ".join([platform.platform(), sys.version, *map(metadata.version, names)])
    return hashlib.sha256(text.encode() + _modules("*.py")).hexdigest()


def _modules(pattern):
    """The text of the package's modules, end to end."""
    found = sorted(Path(__file__).parent.parent.glob(pattern))
    return b"".join(module.read_bytes() for module in found)


def _graded(assignment, every, submission, page, to, hidden, clean, key):
    """The record of one submission, and whether it was there already."""
    try:
        data, refused = submissions.content(submission.path), ""
    except (OSError, ValueError) as error:
        data, refused = b"", str(error)
    told = json.dumps([key, submission.student, submission.aside, refused])
    mine = hashlib.sha256(told.encode() + data).hexdigest()
    path = to / "state" / f"{page}.json"
    scores, old = None, False
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        kept = json.loads(path.read_text(encoding="utf-8"))
        if kept["key"] == mine and (to / "feedback" / page).is_file():
            scores, old = [scoring.Score(*score) for score in kept["scores"]], True
    if not old:
        scores, shown = _scores(assignment, every, data, refused, hidden, clean)
        text = _page(assignment, every, submission, scores, shown)
        notebooks.write(to / "feedback" / page, submissions.spelt(text))
        if not any(_FAILED in score.why for score in scores):  # that may go well another time
            notebooks.write(path, json.dumps({"key": mine, "scores": scores}))
    file = str(submission.path)
    if submission.aside:
        file += f" (newer than {', '.join(submission.aside)})"
    rows = [dict(score._asdict(), file=file) for score in scores]
    return {"student": submission.student, "rows": rows}, old


def _page(assignment, every, submission, scores, shown):
    notes = [f"Older files of yours do not count: {', '.join(submission.aside)}."]
    notes = notes if submission.aside else []
    about = submission.student, assignment.name, scores
    try:
        return feedback.page(*about, shown, [one.hidden for one in every], notes)
    except Exception as error:  # outputs that no page can hold must not keep the scores back
        notes.append(f"The cells could not be shown ({type(error).__name__}).")
        return feedback.page(*about, notes=notes)


def _scores(assignment, every, data, refused, hidden, clean):
    """Scores, and what to show, of a submission's bytes; whatever they hold."""
    solved, limits, sandboxed = assignment[1:]
    try:
        nb = None if refused else submissions.parse(data)
        if nb is not None:
            _check_label(solved, nb)
    except ValueError as error:
        nb, refused = None, str(error)
    if nb is not None:
        try:
            outcome = scoring.score(solved, nb, limits, sandboxed, hidden, clean)
            return outcome.scores, outcome.shown
        except Exception as error:  # one submission must not keep the others from being graded
            refused = f"{_FAILED} ({type(error).__name__}: {error}), {BY_HAND}"
    return [scoring.Score(one.name, 0.0, one.points, refused) for one in every], ()


def _check_label(solved, submitted):
    """Refuse a copy of a problem set that was made from another seed."""
    ours, theirs = problem_sets.label_in(solved), problem_sets.label_in(submitted)
    if ours and theirs and ours != theirs:
        raise ValueError(
            f"set {theirs} of the problem set, and the seed of this class makes set {ours}: was "
            f"another class's copy handed in, or is it another seed? {BY_HAND}"
        )


def _write_table(path, records):
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(COLUMNS)
    for record in records:
        for row in record["rows"]:
            points = [f"{row[key]:g}" for key in ("points", "of")]
            words = [
                _cell(t) for t in (record["student"], row["exercise"], row["why"], row["file"])
            ]
            table.writerow([*words[:2], *points, *words[2:]])
    notebooks.write(path, text.getvalue())


def _cell(text):
    """Text that a spreadsheet takes for text, on one line, also where it splits at semicolons."""
    text = submissions.spelt(str(text)).replace("\0", " ")
    return _FORMULA.sub(r"\1'", " ".join(text.split()))


def main(argv, root=ROOT):
    """``grade NN SUBMISSION ... [--to DIR]``, or a problem set; return the exit status."""
    args = _parser().parse_args(argv)
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
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
        limits = sandbox.Limits(
            seconds=args.seconds, total=30 * args.seconds, memory=int(args.memory * sandbox.GIB)
        )
        to = args.to or Path("grades") / name
        assignment = Assignment(name, solved, limits, not args.no_sandbox)
        by_hand = grade(assignment, args.submissions, to, _say)
    except (GradeError, OSError) as error:
        print(_plain(str(error)), file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nInterrupted. The same command goes on from here.", file=sys.stderr)
        return 130
    print(f"{to / 'grades.csv'} has the points, {to / 'feedback'} a page for each student.")
    if by_hand:
        _say(f"{len(by_hand)} to grade by hand: {', '.join(by_hand)}")
    return SOME_BY_HAND if by_hand else 0


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
    parser.add_argument(
        "number", metavar="NN", help="the notebook's number, such as 01; or foundations"
    )
    parser.add_argument(
        "submissions",
        nargs="+",
        type=Path,
        metavar="SUBMISSION",
        help="a notebook, called as its student; a folder of those; or one of students' folders",
    )
    parser.add_argument("--to", type=Path, metavar="DIR", help="default: grades/NN_name")
    parser.add_argument(
        "--seed", type=Path, metavar="FILE", help="of a problem set: what it was released with"
    )
    parser.add_argument(
        "--seconds",
        type=float,
        default=60.0,
        help="for one cell, 60 if not said; 5 times as long "
        "for the lesson's own, 30 times for a whole notebook",
    )
    parser.add_argument("--memory", type=float, default=4.0, help="in GB; 4 if not said")
    parser.add_argument(
        "--no-sandbox",
        action="store_true",
        help="run students' code with your rights to your files and network, within limits",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
