"""The files that students handed in: whose they are, which one counts, and whether it can be read.

Files come as they are named by hand, by nbgrader, or by Canvas, Moodle, Blackboard, Gradescope and
GitHub Classroom when they hand out a class's work.
"""

import contextlib
import csv
import fnmatch
import hashlib
import logging
import os
import re
import shutil
import struct
import unicodedata
import warnings
import zipfile
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from course_utils.cli import notebooks
from course_utils.instructors import assemble

LARGEST = 20 * 10**6  # bytes of a submission
MOST = 200_000  # lists and dictionaries of a notebook: each takes many times its bytes of memory

_LARGEST_CLASS = 4 * 10**9, 20_000  # bytes and files that are taken out of a ZIP file
_LONGEST_NAME = 120  # bytes
_STRING = re.compile(rb'"(?:[^"\\]|\\.)*+"?', re.S)  # also one without an end
_NOBODYS = "__MACOSX", "Thumbs.db", "desktop.ini"  # what systems leave behind
_BESIDE = {".yml", ".yaml", ".txt", ".csv", ".json", ".md", ".html", ".xml", ".log"}
_PEOPLE = (
    re.compile(r"(?P<who>[^_]+_)(?:LATE_)?(?P<id>\d+)_\d+_(?P<rest>.+)"),  # Canvas
    re.compile(r"(?P<who>.+_)(?P<id>\d+)_assignsubmission_.*"),  # Moodle
    re.compile(r".+_(?P<who>[^_]+)(?P<id>)_attempt_\d{4}(?:-\d\d){5}.*"),  # Blackboard
)
_COPY_OF = re.compile(r"copy[ _+]?of[ _+]", re.I)


class Choice(NamedTuple):
    """The file of a student that counts, as a notebook to grade."""

    path: Path
    nb: object  # what ``assemble.assemble`` gave
    aside: tuple = ()  # the student's further files with answers, as paths


def collect(paths, name):
    """Every student's files.

    Args:
        paths: notebooks, whose students are called as the files are; and folders of notebooks, or
            of one folder for each student, as nbgrader's ``submitted``. A folder that holds nothing
            but folders with notebooks is a class's and stepped into. What is called as the lesson
            itself belongs to the student whose folder it is in.
        name: the lesson's file name, or how it begins.

    Returns:
        ``{student: [file, ...]}`` in the order of names, and the files in folders of notebooks that
        are left out, because their kind is never handed in.

    Raises:
        FileNotFoundError: if a path is not there.
        ValueError: if two students are called the same but for upper and lower case, or their
            folder.
    """
    found, left, homes = {}, [], {}
    for path in paths:
        for entry, file in _files(path, name, left):
            student, named = _owner(entry, name)
            home = homes.setdefault(student, named)
            if home.parent.resolve() != named.parent.resolve():
                raise ValueError(
                    f"several are called {student}: {home} and {named}. If they are two, rename "
                    "one; if they are one, put both into one folder"
                )
            found.setdefault(student, {})[place(file)] = file
    students = sorted(found, key=str.casefold)
    for one, other in zip(students, students[1:]):
        if one.casefold() == other.casefold():
            raise ValueError(f"{one} and {other} differ by upper case alone: rename one of them")
    return {student: list(found[student].values()) for student in students}, left


def place(file):
    """Where a file is; a link to it is no second name of it."""
    return file.parent.resolve() / file.name


def unzipped(path, to):
    """Write the files of a ZIP file, with their times in it, into a folder of its own in ``to``.

    A link in it becomes a file, a file that is too large is cut to a byte more than is allowed, and
    no path leads out of the folder.

    Returns:
        The folder; ``path`` where that is no ZIP file.

    Raises:
        ValueError: if that cannot be done; the text says why.
    """
    if path.suffix.lower() != ".zip" or not path.is_file():
        return path
    digest = hashlib.sha256(os.fsencode(path.resolve())).hexdigest()[:8]
    folder = to / f"{path.stem}-{digest}"  # several sections' may be called the same
    shutil.rmtree(folder, ignore_errors=True)
    try:
        with zipfile.ZipFile(path) as file:
            entries = [entry for entry in file.infolist() if not entry.is_dir()]
            size = sum(min(entry.file_size, LARGEST + 1) for entry in entries)
            if size > _LARGEST_CLASS[0] or len(entries) > _LARGEST_CLASS[1]:
                raise ValueError("it holds too much for a class's work")
            for entry in entries:
                name = entry.filename
                if not entry.flag_bits & 0x800:  # Info-ZIP's are in UTF-8 without saying so
                    with contextlib.suppress(UnicodeError):
                        name = name.encode("cp437").decode()
                parts = PurePosixPath(name.replace("\\", "/")).parts
                target = folder.joinpath(*(part for part in parts if part not in ("/", "..")))
                target.parent.mkdir(parents=True, exist_ok=True)
                with file.open(entry) as source:
                    target.write_bytes(source.read(LARGEST + 1))
                time = _time_in(entry)
                os.utime(target, (time, time))
    except Exception as error:  # whatever a file that is none brings about
        raise ValueError(f"{path} cannot be unzipped ({error}): unzip it yourself") from error
    return folder


def _time_in(entry):
    """When a file in a ZIP file was written to; without a zone it is this machine's."""
    extra = entry.extra
    while len(extra) >= 4:
        kind, size = struct.unpack("<HH", extra[:4])
        if kind == 0x5455 and size >= 5 and extra[4] & 1:  # as Info-ZIP keeps it
            return struct.unpack("<i", extra[5:9])[0]
        extra = extra[4 + size :]
    year, month, day, *rest = entry.date_time
    return datetime(year, max(month, 1), max(day, 1), *rest).timestamp()


def spelt(text):
    """The text with escapes for what UTF-8 cannot hold, such as names from an older system."""
    return text.encode("utf-8", "backslashreplace").decode()


def _owner(entry, name):
    """The student whose file or folder ``entry`` is, and the path that is called so.

    It is ``entry`` itself, or what it is in where that is called after the lesson.
    """
    place = Path(os.path.abspath(entry))
    called = [(place.name if entry.is_dir() and not entry.is_symlink() else place.stem, place)]
    called += [(folder.name, folder) for folder in place.parents]
    of_lesson = name, name.partition("_")[0]  # the latter is nbgrader's folder
    student, named = next((word, path) for word, path in called if word not in of_lesson)
    for pattern in _PEOPLE:
        match = pattern.fullmatch(student)
        if match:
            student = match["who"] + match["id"]
            break
    student = spelt(unicodedata.normalize("NFC", student))
    shown = student.lstrip(".")  # a name with dots before is hidden, or a folder above
    return _short_enough("_" * (len(student) - len(shown)) + shown), named


def _short_enough(student):
    """A name that folders can bear; a digest keeps those apart that would be cut to the same."""
    whole = student.encode()
    if len(whole) <= _LONGEST_NAME:
        return student
    return (
        f"{whole[:_LONGEST_NAME].decode(errors='ignore')}-{hashlib.sha256(whole).hexdigest()[:8]}"
    )


def _files(path, name, left):
    """Pairs of what is a student's, a file or a folder, and a file that it holds."""
    if not (path.exists() or path.is_symlink()):
        raise FileNotFoundError(f"{path} is not there")
    if not path.is_dir():
        return [(path, path)]
    entries, found = _entries(path), []
    for entry in entries:
        if entry.is_dir() and not entry.is_symlink():
            if _is_class(entry, name, alone=len(entries) == 1):
                found += _files(entry, name, left)
            else:
                inside = [file for file in entry.rglob("*") if _counts(file.relative_to(entry))]
                inside = [file for file in inside if file.is_symlink() or not file.is_dir()]
                found += [(entry, file) for file in inside] or [(entry, entry)]
        elif entry.suffix.lower() in _BESIDE:
            left.append(entry)
        else:
            found.append((entry, entry))
    return found


def _entries(folder):
    return [entry for entry in sorted(folder.iterdir()) if _counts(entry.relative_to(folder))]


def _is_class(folder, name, alone):
    """Whether a folder is one of students' folders, or, where it is ``alone``, of their files."""
    inside = [entry for entry in _entries(folder) if entry.suffix.lower() not in _BESIDE]
    if any(entry.name.startswith(name) or entry.is_symlink() for entry in inside):
        return False
    if all(entry.is_dir() for entry in inside):
        lessons = re.compile(r"\d\d(_\w*)?|notebooks|student|work")
        with_notebooks = all(any(entry.rglob("*.ipynb")) for entry in inside)
        return (
            len(inside) > 1
            and with_notebooks
            and not any(lessons.fullmatch(one.name) for one in inside)
        )
    return alone and len(inside) > 1 and all(entry.suffix == ".ipynb" for entry in inside)


def _counts(relative):
    return not any(part.startswith(".") or part in _NOBODYS for part in relative.parts)


def _rank(file, name):
    """A key to sort files by, the one that is likelier to count later."""
    own = file.is_file() and not file.is_symlink()
    return own, file.suffix == ".ipynb", time_of(file), name in file.name, file.name


def time_of(file):
    """When a file was last written to, in seconds; 0 if it cannot be said."""
    try:
        return file.lstat().st_mtime
    except OSError:
        return 0.0


def candidates(files, name):
    """The files of a student that may be this lesson's, the likeliest last."""
    other = re.compile(r"\d\d_[a-z0-9_]+\.ipynb")  # such as a lesson in a clone of the course
    files = sorted(files, key=lambda file: _rank(file, name))
    own = [f for f in files if name in f.name or not other.fullmatch(f.name)] or files
    return [file for file in own if file.suffix == ".ipynb" and file.is_file()] or own


def choose(files, name, lesson, check=lambda nb: None):
    """The file that counts: the newest that answers something, else the newest.

    The course's own solved notebook is nobody's. Where another file answers what this one does not,
    or nothing says that two are of one student, a person has to look.

    Args:
        files: what ``candidates`` gave.
        name: the lesson's file name.
        lesson: what ``assemble.prepared`` gave, with the solved notebook's text as ``solved``.
        check: raises a ``ValueError`` for a notebook that is another one's.

    Raises:
        ValueError: if none can be graded; the text says why.
    """
    read, refused, torn = [], [], []
    for file in files:
        try:
            nb = parse(content(file))
            check(nb)
            if _code(nb) == _code(lesson.solved):
                refused.append("it is the course's own solved notebook")
            else:
                read.append((bool(name in file.name), file, assemble.assemble(lesson.nb, nb)))
        except Exception as error:  # one file must not keep the others from being graded
            refused.append(unread(error))
            torn += [f"{file.name}: {refused[-1]}"] if file.suffix == ".ipynb" else []
    if not read:
        raise ValueError(refused[-1])
    worked = [one for one in read if one[2].metadata.course.answered]
    if torn and not worked:
        raise ValueError(torn[-1])
    named, file, nb = (worked or read)[-1]
    others = [one for one in worked if one[1] != file and _answers(one[2]) != _answers(nb)]
    course = nb.metadata.course
    more = [other for _, other, that in others if set(_names(that)) - set(_names(nb))]
    unnamed = [
        other
        for called, other, _ in others
        if not (named or called) or _before(other, name) != _before(file, name)
    ]
    if unnamed:  # several students'?
        course.doubt = course.doubt or f"{unnamed[0].name} has answers, too"
    if more:
        course.unsure = f"{more[0].name} answers more"
    aside = [one[1] for one in read if one[1] != file]
    return Choice(file, nb, tuple(map(str, _short(aside, file))))


def _before(file, name):
    """What stands before the lesson's name in what is called as Canvas does: a person's name?

    A file called by hand may look so, such as ``hw_1_2_ann_01_linear_regression``.
    """
    match = _PEOPLE[0].fullmatch(file.stem)
    return _COPY_OF.sub("", match["rest"]).partition(name)[0] if match else ""


def unread(error):
    """Why a file is no submission, without the path that it has here."""
    if isinstance(error, ValueError):
        return str(error)
    reason = getattr(error, "strerror", None) or str(error).partition("\n")[0][:120]
    return f"the file cannot be read as a submission ({type(error).__name__}: {reason})"


def _names(nb):
    return nb.metadata.course.answered


def _answers(nb):
    return [c.source for c in nb.cells if "answers" in c.metadata.get("course", {})]


def _code(nb):
    return [cell.source.strip() for _, cell in notebooks.code_cells(nb)]


def _short(files, beside):
    """Names of files, with their folders where one is called as ``beside`` is."""
    same = any(file.name == beside.name for file in files)
    return [Path(*file.parts[-3:]) if same else Path(file.name) for file in files]


def content(path):
    """The bytes of a submission.

    Raises:
        ValueError: if it is no file, empty, or too large; the text says so.
    """
    if path.is_symlink():
        raise ValueError("it is a link to another file")
    if path.is_dir():
        raise ValueError("the folder holds no file")
    if not path.is_file():
        raise ValueError("it is no file")
    size = path.stat().st_size
    if size == 0:
        raise ValueError("the file is empty")
    if size > LARGEST:
        raise ValueError(f"the file is larger than {LARGEST // 10**6} MB")
    return path.read_bytes()


def parse(data):
    """The notebook in ``data``, in the newest form that nbformat knows.

    Raises:
        ValueError: if it holds none; the text says why.
    """
    import nbformat

    bare = _STRING.sub(b"", data)
    if bare.count(b"{") + bare.count(b"[") > MOST:
        raise ValueError(f"the file is no notebook (it holds more than {MOST} lists)")
    # nbformat may have a line about every cell
    logging.getLogger("traitlets").setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            nb = nbformat.from_dict(notebooks.reads(data.decode("utf-8-sig")))
        for cell in nb.cells:
            if not (isinstance(cell.source, str) and isinstance(cell.metadata, dict)):
                raise TypeError("a cell is not one")
            cell.source = spelt(cell.source)
        nbformat.v4.upgrade(nb)
    except Exception as error:  # whatever a file that is none brings about
        reason = re.sub("^not a notebook: ", "", str(error).strip()) or type(error).__name__
        raise ValueError(f"the file is no notebook ({reason.splitlines()[0][:120]})") from error
    return nb


def read_roster(path):
    """The rows of a roster: a table with the columns ``pattern`` and ``id``, and any others.

    Raises:
        ValueError: if it is no such table.
    """
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"{path}: no roster is read: {error}") from error
    for number, row in enumerate(rows, 2):
        if not (row.get("pattern") or "").strip() or not (row.get("id") or "").strip():
            raise ValueError(
                f"{path}, line {number}: a roster has the columns pattern and id, both filled, "
                "such as\n  pattern,id\n  doejane_*,s1234567"
            )
        if "/" in row["id"] or row["id"].strip().startswith("."):
            raise ValueError(f"{path}, line {number}: {row['id']} is no name for a folder")
    return [{key: (value or "").strip() for key, value in row.items() if key} for row in rows]


def by_roster(found, roster):
    """The students' files by the roster's ids, and the names of those whom no pattern fits.

    Raises:
        ValueError: if a name fits patterns of several ids, or several names those of one id.
    """
    known, strangers, names = {}, [], {}
    for student, files in found.items():
        ids = {
            row["id"] for row in roster if fnmatch.fnmatch(student.lower(), row["pattern"].lower())
        }
        if len(ids) > 1:
            raise ValueError(f"{student} fits the roster's patterns of {' and '.join(sorted(ids))}")
        strangers += [] if ids else [student]
        one = ids.pop() if ids else student
        if one in known:
            raise ValueError(
                f"{names[one]} and {student} both fit the roster's patterns of {one}: write them "
                "so that each fits one student, or put one student's files into one folder"
            )
        known[one], names[one] = files, student
    return known, strangers
