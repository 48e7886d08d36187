"""The files that students handed in: whose they are, and whether they can be graded at all."""

import contextlib
import logging
import os
import re
import unicodedata
import warnings
from pathlib import Path
from typing import NamedTuple

from course_utils.cli import notebooks

LARGEST = 20 * 10**6  # bytes of a submission
MOST = 200_000  # lists and dictionaries of a notebook: each takes many times its bytes of memory

_STRING = re.compile(rb'"(?:[^"\\]|\\.)*+"?', re.S)  # also one without an end
_NOBODYS = "__MACOSX", "Thumbs.db", "desktop.ini"  # what systems leave behind


class Submission(NamedTuple):
    """One student's file."""

    student: str
    path: Path
    aside: tuple = ()  # names of further files of the same student, which do not count


def collect(paths, name):
    """Every student's submission, in the order of their names.

    Args:
        paths: notebooks, whose students are called as the files are; and folders of notebooks, or
            of one folder for each student, as nbgrader's ``submitted``. What is called as the
            lesson itself belongs to the student whose folder it is in.
        name: the lesson's file name, or how it begins. Of the files in a student's folder, those
            with that name come first, then other notebooks, then other files, and links last; the
            newest of the first kind that there is counts.

    Raises:
        FileNotFoundError: if a path is not there.
    """
    found = {}
    for path in paths:
        for entry, file in _files(path):
            place = file.parent.resolve() / file.name  # a link is no second name of a file
            found.setdefault(_owner(entry, name), {})[place] = file
    chosen = []
    for student in sorted(found, key=str.casefold):
        files = sorted(found[student].values(), key=lambda file: _rank(file, name))
        kind = _rank(files[-1], name)[:3]
        aside = [spelt(file.name) for file in files[:-1] if _rank(file, name)[:3] == kind]
        chosen.append(Submission(student, files[-1], tuple(aside)))
    return chosen


def spelt(text):
    """The text with escapes for what UTF-8 cannot hold, such as names from an older system."""
    return text.encode("utf-8", "backslashreplace").decode()


def _owner(entry, name):
    """The student whose file or folder ``entry`` is: as it is called, unless after the lesson."""
    place = Path(os.path.abspath(entry))
    called = [place.name if entry.is_dir() and not entry.is_symlink() else place.stem]
    called += [folder.name for folder in place.parents]
    of_lesson = name, name.partition("_")[0]  # the latter is nbgrader's folder
    student = next(word for word in called if word not in of_lesson)
    return spelt(unicodedata.normalize("NFC", student))


def _files(path):
    """Pairs of what is a student's, a file or a folder, and a file that it holds."""
    if not (path.exists() or path.is_symlink()):
        raise FileNotFoundError(f"{path} is not there")
    if not path.is_dir():
        return [(path, path)]
    found = []
    for entry in sorted(path.iterdir()):
        if not _counts(entry.relative_to(path)):
            continue
        if entry.is_dir() and not entry.is_symlink():
            inside = [file for file in entry.rglob("*") if _counts(file.relative_to(entry))]
            inside = [file for file in inside if file.is_symlink() or not file.is_dir()]
            found += [(entry, file) for file in inside] or [(entry, entry)]
        else:
            found.append((entry, entry))
    return found


def _counts(relative):
    return not any(part.startswith(".") or part in _NOBODYS for part in relative.parts)


def _rank(file, name):
    """A key to sort files by, the one that counts last."""
    try:
        age = file.lstat().st_mtime
    except OSError:
        age = 0.0
    own = file.is_file() and not file.is_symlink()
    return own, file.name.startswith(name), file.suffix == ".ipynb", age, file.name


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


@contextlib.contextmanager
def _silent(log):
    before, log.disabled = log.disabled, True
    try:
        yield
    finally:
        log.disabled = before


def parse(data):
    """The notebook in ``data``, in the newest form that nbformat knows.

    Raises:
        ValueError: if it holds none; the text says why.
    """
    import nbformat

    bare = _STRING.sub(b"", data)
    if bare.count(b"{") + bare.count(b"[") > MOST:
        raise ValueError(f"the file is no notebook (it holds more than {MOST} lists)")
    log = logging.getLogger("traitlets")  # nbformat's: it may have a line about every cell
    try:
        with warnings.catch_warnings(), _silent(log):
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
