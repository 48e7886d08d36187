"""Write student copies: without solutions, hidden tests, worked solutions and outputs.

nbgrader's own preprocessors do the clearing, so a copy is what nbgrader itself would hand out, and
it can grade what comes back. What is added: links lead somewhere from where the copy lies.
"""

import argparse
import ast
import copy
import logging
import posixpath
import re
import sys
from importlib import import_module
from pathlib import Path

from course_utils.cli import claims, links, notebooks, stamp
from course_utils.cli.setup_venv import ROOT

CODE_STUB = "# YOUR CODE HERE\nraise NotImplementedError"
TEXT_STUB = "YOUR ANSWER HERE"  # nbgrader's, for an answer in words
_HOME = "notebooks/student"  # these copies are for everybody; others are handed out to a class
_RANDOM_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9a-f]{8}")

_MARKERS = {"SOLUTION": "solution", "HIDDEN TESTS": "grade"}  # marker: the cells it may stand in
_WORKED = re.compile(
    r"\n*<details>\s*<summary>\s*Worked solution.*?</details>", re.DOTALL | re.IGNORECASE
)
_HEADER = re.compile(
    r"^\*Exercises without answers: \[student copy\]\(student/(?P<name>[^)]+)\), (?P<copy>.+?)"
    r" · This, solved: (?P<solved>.+?) · (?P<rest>.+)\*$",
    re.MULTILINE,
)


class ReleaseError(Exception):
    """A notebook cannot be released; the text says which cell keeps it from that, and why."""


def problems(nb):
    """What keeps a solved lesson from being released, one line per cell and reason."""
    found = cell_problems(nb)
    if not any(_HEADER.search(cell.source) for cell in nb.cells[:1]):
        found.append(
            "cell 1: no line *Exercises without answers: [student copy](student/NAME), "
            "[in Colab](…) · This, solved: [in Colab](…) · …*"
        )
    return found


def cell_problems(nb):
    """What keeps the cells of any solved notebook from being released, its header apart."""
    found = []
    cells = list(enumerate(nb.cells, 1))
    where = {cell.get("id"): position for position, cell in cells}
    ids = set()
    for position, cell in cells:
        told = cell.metadata.get("nbgrader", {})
        reasons = _marker_problems(cell, told)
        if told and not reasons:
            name = told.get("grade_id")
            if name in ids:
                reasons.append(f"the grade_id {name} is there twice")
            if name != cell.get("id"):
                reasons.append(f"its grade_id is {name}; it should be the cell's id")
            ids.add(name)
            if told.get("solution") and cell.cell_type == "code":
                reasons += _answer_problems(nb, where, position, name)
        if cell.cell_type == "markdown":
            rest = _WORKED.sub("", cell.source)
            if re.search(r"<summary>[^<]*worked solution", rest, re.IGNORECASE) or (
                rest.count("<details") != rest.count("</details>")
            ):
                reasons.append("its <details> are not closed one by one")
        found += [f"{notebooks.label(position, cell)}: {reason}" for reason in reasons]
    return found


def _marker_problems(cell, told):
    found = []
    for marker, kind in _MARKERS.items():
        is_open = seen = False
        for line in cell.source.splitlines():
            if f"BEGIN {marker}" in line:
                if is_open:
                    found.append(f"### BEGIN {marker} stands inside another one")
                is_open = seen = True
            elif f"END {marker}" in line:
                if not is_open:
                    found.append(f"### END {marker} has no ### BEGIN {marker}")
                is_open, seen = False, True
        if is_open:
            found.append(f"### BEGIN {marker} has no ### END {marker}")
        if seen and not told.get(kind):
            found.append(f"{marker} markers in a cell whose nbgrader metadata is not `{kind}`")
        if marker == "SOLUTION" and not seen and told.get(kind) and cell.cell_type == "code":
            found.append("an answer without ### BEGIN SOLUTION would be blanked as a whole")
    return found


def _answer_problems(nb, where, position, name):
    found = []
    check = nb.cells[where[f"{name}-check"] - 1] if f"{name}-check" in where else None
    if check is None or not check.metadata.get("nbgrader", {}).get("grade"):
        found.append(f"an exercise without a check: no graded cell {name}-check")
    elif where[f"{name}-check"] < position:
        found.append(f"its check {name}-check stands before it")
    stub = _without_solution(nb.cells[position - 1].source)
    try:
        body = notebooks.syntax_tree(stub).body
    except SyntaxError as error:
        return [*found, f"without its solution it is no Python: {error.msg}"]
    if any(isinstance(part, ast.Raise) for node in body for part in _outside_functions(node)):
        found.append("its solution stands outside a function, so a copy would stop there")
    return found


def _outside_functions(node):
    yield node
    if not isinstance(node, (ast.FunctionDef, ast.ClassDef)):
        for child in ast.iter_child_nodes(node):
            yield from _outside_functions(child)


def _without_solution(source):
    def stub(match):
        return "\n".join(match[1] + line for line in CODE_STUB.split("\n"))

    return re.sub(
        r"^([ \t]*)[^\n]*BEGIN SOLUTION.*?END SOLUTION[^\n]*$", stub, source, flags=re.M | re.S
    )


def student_copy(nb, folder, beside, address):
    """The student copy of a solved notebook, in stored form.

    Args:
        nb: the solved notebook; it is not changed.
        folder: the repository's folder that the copy will lie in; None where it leaves the
            repository, and its links lead to GitHub. In ``notebooks/student`` alone it links the
            solved notebook.
        beside: the names of the copies that lie in the same folder.
        address: a ``stamp.Address``.

    Raises:
        ReleaseError: if the notebook has problems.
    """
    found = problems(nb)
    if found:
        raise ReleaseError("\n  ".join(found))
    nb = cleared(without_worked_solutions(copy.deepcopy(nb)))

    def moved(text):
        return links.moved(text, lambda target: _moved(target, folder, beside, address))

    for position, cell in enumerate(nb.cells):
        if cell.cell_type == "markdown":
            text = claims.without_marks(cell.source)
            header = _HEADER.search(text) if position == 0 else None
            if header:
                path = _from(folder, f"notebooks/{header['name']}", address)
                solved = f"Solved: [solved notebook]({path}), {moved(header['solved'])} · "
                line = (
                    f"*This copy, without answers: {moved(header['copy'])} · "
                    f"{solved if folder == _HOME else ''}{moved(header['rest'])}*"
                )
                text = moved(text[: header.start()]) + line + moved(text[header.end() :])
            else:
                text = moved(text)
            cell.source = text
    nb.metadata.pop("course", None)  # a fingerprint speaks of outputs, and here are none
    return notebooks.tidy(nb)


def without_worked_solutions(nb):
    """``nb``, in place, without worked solutions, and without the cells of nothing else."""
    kept = []
    for cell in nb.cells:
        if cell.cell_type == "markdown" and _WORKED.search(cell.source):
            cell.source = _WORKED.sub("", cell.source).lstrip("\n")
            if not cell.source.strip():
                continue
        kept.append(cell)
    nb.cells = kept
    return nb


def cleared(nb):
    """``nb`` after nbgrader's preprocessors; they log nothing."""
    from nbgrader.preprocessors import ClearHiddenTests, ClearOutput, ClearSolutions

    silent = logging.Logger("course_utils.release", level=logging.CRITICAL + 1)
    for step in (
        ClearSolutions(log=silent, code_stub={"python": CODE_STUB}),
        ClearHiddenTests(log=silent),
        ClearOutput(log=silent),
    ):
        nb, _ = step.preprocess(nb, {})
    return nb


def _moved(target, folder, beside, address):
    """Where a link that starts in ``notebooks/`` must lead to from a copy in ``folder``.

    Lessons link to each other as ``NN_name.ipynb``, and so do their copies. A lesson whose copy is
    not ``beside`` is linked in ``notebooks/student``.
    """
    path, mark, anchor = target.partition("#")
    lesson = notebooks.NAME.fullmatch(posixpath.basename(path))
    if lesson and posixpath.dirname(path) in ("", "student"):
        if lesson[0] in beside:
            return lesson[0] + mark + anchor
        path = f"student/{lesson[0]}"
    return _from(folder, posixpath.normpath(f"notebooks/{path}"), address) + mark + anchor


def _from(folder, path, address):
    """How a file of the repository is reached from a folder of it, or from outside."""
    return address.page(path) if folder is None else posixpath.relpath(path, folder)


def holds_answers(nb, copied):
    """What a file holds that no release has ever written, one line per cell.

    Args:
        nb: the notebook in the way.
        copied: the student copy that would replace it.

    An answer is a cell that was run; an answer cell without the stub, or with a statement before it
    that the copy's has not; and a cell of somebody's own, which JupyterLab names at random. An
    older release is none of these, though its stubs, texts and other cells may differ.
    """
    stubs = {
        cell.metadata.nbgrader.grade_id: cell.source
        for cell in copied.cells
        if cell.metadata.get("nbgrader", {}).get("solution")
    }
    ids = {cell.id for cell in copied.cells}
    found = []
    for position, cell in enumerate(nb.cells, 1):
        told = cell.metadata.get("nbgrader", {})
        if cell.get("execution_count") or cell.get("outputs"):
            what = "was run"
        elif told.get("solution") and not _is_stub(cell, stubs.get(told.get("grade_id"), "")):
            what = "is answered"
        elif _RANDOM_ID.fullmatch(cell.get("id", "")) and cell.source and cell.id not in ids:
            what = "was added"
        else:
            continue
        found.append(f"{notebooks.label(position, cell)} {what}")
    return found


def _is_stub(cell, stub):
    if cell.cell_type == "markdown":
        return cell.source.strip() == stub.strip() or TEXT_STUB in cell.source
    if not all(line in cell.source for line in CODE_STUB.split("\n")):
        return False
    try:
        return statements(cell.source) <= statements(stub)
    except SyntaxError:
        return False


def statements(source):
    """What a cell does, less names, arguments and docstrings, which change between releases."""
    told = (ast.FunctionDef, ast.ClassDef, ast.Raise)
    return {
        ast.unparse(node)
        for node in ast.walk(notebooks.syntax_tree(source))
        if isinstance(node, ast.stmt) and not isinstance(node, told)
        if not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))
    }


def refuse_to_overwrite_answers(copies):
    """Keep a release from replacing somebody's work.

    Args:
        copies: path to student copy, as a notebook.

    Raises:
        ReleaseError: if a file at one of the paths holds answers, or is no notebook.
    """
    found = []
    for path, copied in copies.items():
        if path.exists():
            try:
                held = holds_answers(notebooks.read(path), copied)
            except ValueError:
                held = ["it is no notebook"]
            found += [f"{path}: {reason}" for reason in held[:3]]
    if found:
        raise ReleaseError(
            "Nothing is written, since answers would be lost:\n  "
            + "\n  ".join(found)
            + "\nMove these files away, to work/ say, where nothing is ever overwritten, then call "
            "the same command again."
        )


def write(paths, to=None, root=ROOT):
    """Write the student copies of the solved notebooks ``paths``.

    Args:
        paths: the solved notebooks.
        to: the folder to write to; default ``notebooks/student``.
        root: the repository.

    Returns:
        Each copy's path, and whether it changed.

    Raises:
        ReleaseError: if a notebook has problems, if ``to`` holds the solved ones, or if a file that
            would be replaced holds answers; then nothing at all is written.
    """
    to = (to or root / "notebooks" / "student").resolve()
    root = root.resolve()
    if to == root / "notebooks":
        raise ReleaseError("notebooks/ holds the solved notebooks, and a copy would replace them")
    home = to == root / "notebooks" / "student"
    beside = {path.name for path in (notebooks.solved(root) if home else paths)}
    folder = to.relative_to(root).as_posix() if to == root or root in to.parents else None
    address = stamp.present(root)
    copies = {}
    for path in paths:
        try:
            nb = student_copy(notebooks.read(path), folder, beside, address)
        except (ReleaseError, ValueError) as error:
            raise ReleaseError(f"{path.name} is not released:\n  {error}") from error
        copies[to / path.name] = nb
    refuse_to_overwrite_answers(copies)
    return [(path, notebooks.write(path, notebooks.dumps(nb))) for path, nb in copies.items()]


def main(argv, root=ROOT):
    """``release [NN ...] [--to DIR]``, or a problem set; return the exit status."""
    args = _arguments().parse_args(argv)
    if args.problem_set or args.seed or args.solved:
        return _main_of_problem_sets(args, root)
    known = {path.name[:2]: path for path in notebooks.solved(root)}
    numbers = [number.zfill(2) for number in args.numbers] or sorted(known)
    unknown = [number for number in numbers if number not in known]
    if unknown:
        print(f"no notebook {', '.join(unknown)}; there is {', '.join(known)}", file=sys.stderr)
        return 1
    try:
        written = write([known[number] for number in numbers], args.to, root)
    except (ReleaseError, ValueError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    return _told(written)


def _arguments():
    parser = argparse.ArgumentParser(
        prog="python3 -m course_utils release",
        description=__doc__.splitlines()[0],
        epilog="A problem set is drawn from a private seed: other numbers, other functions to "
        "write and other hidden tests for each seed. The program that draws them is public, so the "
        "seed has to be long, random and known to you alone: whoever has it has the hidden tests. "
        "Keep it until all is graded; the same seed makes the same set.",
    )
    parser.add_argument("numbers", nargs="*", metavar="NN", help="default: every notebook")
    parser.add_argument("--to", type=Path, metavar="DIR", help="default: notebooks/student")
    parser.add_argument(
        "--problem-set",
        metavar="NAME",
        help="write a problem set for one class in place of lessons: foundations (on 01 to 04), "
        "optimization (05 to 12) or influence (13 to 20); needs --seed and --to",
    )
    parser.add_argument(
        "--seed",
        type=Path,
        metavar="FILE",
        help="the private seed of a problem set: at least 16 bytes that nobody can guess, outside "
        "of the student folder",
    )
    parser.add_argument(
        "--solved",
        type=Path,
        metavar="DIR",
        help="also write the problem set with its solutions, hidden tests, model answers and what "
        "their points are for, for you alone",
    )
    return parser


def _main_of_problem_sets(args, root):
    # by its name, as main.py reaches grade: instructors stands on cli, not cli on it
    problem_sets = import_module("course_utils.instructors.problem_sets")

    needed = {"--problem-set": args.problem_set, "--seed": args.seed, "--to": args.to}
    missing = [option for option, value in needed.items() if not value]
    if missing or args.numbers:
        lacks = f"{' and '.join(missing)} missing" if missing else "no notebook's number goes here"
        print(
            f"{lacks}. A problem set is released by\n"
            "  release --problem-set foundations --seed FILE --to DIR [--solved DIR]",
            file=sys.stderr,
        )
        return 2
    try:
        written = problem_sets.write(args.problem_set, args.seed, args.to, args.solved, root)
    except (problem_sets.ProblemSetError, ReleaseError, ValueError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    return _told(written)


def _told(written):
    for path, changed in written:
        print(f"{path}: {'written' if changed else 'as it was'}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
