"""What ``lab`` opens: ``work/``, a folder of the reader's own, ignored by git.

Every student copy is copied there once, and nothing that is there is ever written again: answers
survive a `git pull`, and never stand in its way. Standard library only, as for the set-up.
"""

import hashlib
import json
import os
import posixpath
import re
from pathlib import Path

from course_utils.cli import links, notebooks
from course_utils.cli.setup_messages import SetupError
from course_utils.cli.setup_venv import ROOT

STUDENT = "notebooks/student"


def page(arguments, root=ROOT):
    """The folder or notebook that JupyterLab is to open, as a path in the clone.

    A lesson is named by its number or by the path of any of its files but the solved one, which
    opens itself. What names it is taken out of ``arguments``; all others are JupyterLab's.

    Raises:
        SetupError: if there is no lesson of that number.
    """
    names = [path.name for path in _copies(root)]
    for k, argument in enumerate(arguments):
        if re.fullmatch("[0-9]{1,2}", argument) and arguments[:k][-1:] != ["--log-level"]:
            found = [name for name in names if name[:2] == argument.zfill(2)]
            if not found:
                there = ", ".join(name[:2] for name in names)
                raise SetupError(f"There is no lesson {argument}; there are {there}.")
            found = "work/" + found[0]
        elif argument.endswith(".ipynb") and argument[0] != "-":
            found = _notebook(argument, names, root)
        else:
            continue
        if found:
            del arguments[k]
            return found
    return "work"


def _notebook(argument, names, root):
    for folder in (Path.cwd(), root):
        path = (folder / argument).resolve()
        if path.is_file() and root in path.parents and path.parent != root / STUDENT:
            return path.relative_to(root).as_posix()
    name = Path(argument).name
    return "work/" + name if name in names else None


def fill(root=ROOT):
    """Copy to ``work/`` the student copies that are not there yet.

    Returns:
        Sentences for the reader: on copies that are newer than those in ``work/``, and on files
        that are no notebooks.
    """
    newer, unread = [], []
    copies = _copies(root)
    names = [path.name for path in copies]
    for path in copies:
        text, target = path.read_bytes(), root / "work" / path.name
        version = hashlib.sha256(text).hexdigest()[:16]
        if target.is_file():
            # in the file itself, so that it cannot be lost, and goes along when the file is moved
            known = re.findall('"copied": "([0-9a-f]{16})"', target.read_text("utf-8", "replace"))
            newer += [path.name] if known and known[-1] != version else []
        elif not os.path.lexists(str(target)):
            try:
                notebooks.write(target, _for_work(text, names, version))
            except (ValueError, KeyError, TypeError, AttributeError):
                unread.append(path.name)
    said = []
    if newer:
        said.append(
            f"Newer in {STUDENT}/ than in work/: {', '.join(newer)}. Yours stay as they are; "
            "rename one, and the next `lab` copies the newer version."
        )
    if unread:
        said.append(f"No notebooks, so not copied: {', '.join(unread)} in {STUDENT}/.")
    return said


def _copies(root):
    return [p for p in sorted((root / STUDENT).glob("*.ipynb")) if notebooks.NAME.fullmatch(p.name)]


def _for_work(text, names, version):
    """A student copy as it lies in ``work/``: the same cells, with links that lead somewhere."""

    def moved(target):
        path, mark, anchor = target.partition("#")
        if path in names:  # the other lessons are copied too
            return target
        return posixpath.relpath(posixpath.join(STUDENT, path), "work") + mark + anchor

    nb = json.loads(text)
    for cell in nb["cells"]:
        if cell["cell_type"] == "markdown":
            cell["source"] = links.moved("".join(cell["source"]), moved).splitlines(keepends=True)
    nb["metadata"]["course"] = {"copied": version}
    return json.dumps(nb, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
