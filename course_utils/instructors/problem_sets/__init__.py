"""Problem sets made from an instructor's private seed: the same seed makes the same set.

A set's notebook is assembled here from the exercises that a package such as ``foundations`` draws.
The student copy is cleared by the same steps as that of a lesson. The seed cannot be found from the
copy but by guessing, so it has to be long and random.
"""

import copy
import hashlib
import importlib
import pkgutil
import re
import textwrap

from course_utils.cli import notebooks, release, stamp
from course_utils.cli.setup_venv import ROOT
from course_utils.instructors.problem_sets import templates

# Every package in this folder is a set, of the name that the package has
SETS = sorted(module.name for module in pkgutil.iter_modules(__path__) if module.ispkg)
MIN_SEED_BYTES = 16
MAKE_A_SEED = 'python3 -c "import secrets; print(secrets.token_hex(32))" > seed.txt'

_BOOTSTRAP = """\
try:
    import course_utils  # noqa: F401
except ModuleNotFoundError:  # Colab, or no package here: fetch it once
    %pip install -q --no-deps git+{url}@{ref}"""


class ProblemSetError(Exception):
    """A problem set cannot be made; the text says why, and what to do."""


def checked_seed(seed):
    """``seed``, bytes, without the white space around it.

    Raises:
        ProblemSetError: if it is so short or so uniform that a student could guess it.
    """
    seed = seed.strip()
    advice = f"Make one that nobody can guess, and keep it to yourself:\n  {MAKE_A_SEED}"
    if len(seed) < MIN_SEED_BYTES:
        raise ProblemSetError(
            f"The seed has {len(seed)} bytes; at least {MIN_SEED_BYTES} are needed. {advice}"
        )
    if len(set(seed)) < 6:
        raise ProblemSetError(f"The seed repeats a few bytes over and over. {advice}")
    return seed


def read_seed(path):
    """The seed in the file ``path``.

    Raises:
        ProblemSetError: if there is no such file, or its seed could be guessed.
    """
    try:
        seed = path.read_bytes()
    except OSError as error:
        raise ProblemSetError(f"{path}: no seed is read: {error.strerror}") from error
    try:
        return checked_seed(seed)
    except ProblemSetError as error:
        raise ProblemSetError(f"{path}: {error}") from error


def label(name, seed):
    """Eight letters and digits by which a student copy and its seed recognise each other.

    They are part of a hash, and tell no more about the seed than the copy as a whole does.
    """
    return hashlib.sha256(b"label\n" + name.encode() + b"\n" + checked_seed(seed)).hexdigest()[:8]


def label_in(nb):
    """The label that a copy of a problem set bears, or None."""
    for cell in nb.cells:
        if cell.cell_type == "markdown":
            match = re.search(r"^\*Set ([0-9a-f]{8}) of ", cell.source, re.MULTILINE)
            if match:
                return match[1]
    return None


def module_of(name):
    """The package of a problem set: its ``TITLE``, its ``LESSONS``, and ``exercises(seed)``.

    Raises:
        ProblemSetError: if there is no such set.
    """
    if name not in SETS:
        raise ProblemSetError(f"There is no problem set {name!r}; there is {', '.join(SETS)}.")
    return importlib.import_module(f"{__name__}.{name}")


def solved(name, seed, address=None):
    """The solved notebook of a problem set: solutions, checks and hidden tests; never hand it out.

    Args:
        name: such as ``"foundations"``.
        seed: bytes; white space around them is left out.
        address: the ``stamp.Address`` for links; default: that of this repository.

    Raises:
        ProblemSetError: if there is no such set, or the seed could be guessed.
    """
    import nbformat

    seed, address = checked_seed(seed), address or stamp.present(ROOT)
    exercises = module_of(name).exercises(seed)
    cells = _cells_of_set(name, seed, exercises, address)
    nb = notebooks.tidy(nbformat.v4.new_notebook(cells=cells))
    found = release.cell_problems(nb)
    if found:
        raise ProblemSetError("\n  ".join(found))
    return nb


def student(name, seed, address=None):
    """The student copy of a problem set: no solution, no hidden test, no word of the seed.

    Args and refusals are those of ``solved``.
    """
    return notebooks.tidy(release.cleared(copy.deepcopy(solved(name, seed, address))))


def write(name, seed_file, to, solved_to=None, root=ROOT):
    """Write a problem set's student copy, and its solved notebook where that is asked for.

    Args:
        name: such as ``"foundations"``.
        seed_file: path of the private seed.
        to: the folder for the student copy.
        solved_to: a folder for the solved notebook, or None.
        root: the repository.

    Returns:
        Each path written to, and whether it changed.

    Raises:
        ProblemSetError: if the seed could be guessed or found, or a folder is not fit; then
            nothing is written.
        ReleaseError: if a file that would be replaced holds answers; then nothing is written.
    """
    to, seed_file = to.resolve(), seed_file.resolve()
    lessons = root.resolve() / "notebooks"
    folders = [to] if solved_to is None else [to, solved_to.resolve()]
    for folder in folders:
        if lessons in (folder, *folder.parents):
            raise ProblemSetError(
                f"{folder}: notebooks/ holds the public lessons; choose a folder outside of it."
            )
    if to in seed_file.parents:
        raise ProblemSetError(
            f"{seed_file} lies in the student folder and would be handed out with it; move it."
        )
    if solved_to is not None and to in (folders[1], *folders[1].parents):
        raise ProblemSetError(
            f"{folders[1]} lies in the student folder, and the solutions would be handed out "
            "with it; choose another folder for --solved."
        )
    seed, address = read_seed(seed_file), stamp.present(root)
    copied = student(name, seed, address)
    release.refuse_to_overwrite_answers({to / f"{name}.ipynb": copied})
    texts = {to / f"{name}.ipynb": notebooks.dumps(copied)}
    if solved_to is not None:
        text = notebooks.dumps(solved(name, seed, address))
        texts[folders[1] / f"{name}.ipynb"] = text
    return [(path, notebooks.write(path, text)) for path, text in texts.items()]


def _cells_of_set(name, seed, exercises, address):
    """Title, package, set-up and letters, then the exercises, then the ending."""
    module = module_of(name)
    links = [
        f"[{int(lesson[:2])}]({address.page(f'notebooks/student/{lesson}.ipynb')})"
        for lesson in module.LESSONS
    ]
    written = sum(exercise.written for exercise in exercises)
    frame = templates.frame(
        f"{name}/frame.j2",
        dict(
            lessons="notebooks " + ", ".join(links[:-1]) + " and " + links[-1],
            functions=len(exercises) - written,
            written=written,
        ),
    )
    points = sum(exercise.points for exercise in exercises)
    title = (
        f"# Problem set · {module.TITLE}\n"
        f"*Set {label(name, seed)} of “{name}” · {points} points · made for one class · "
        f"The course: [contents]({address.page('README.md')}#contents)*\n\n"
    )
    return [
        _markdown("title", title + frame["opening"]),
        _code("bootstrap", _BOOTSTRAP.format(url=address.url, ref=address.ref)),
        _code("setup", frame["setup"]),
        _markdown("letters", frame["letters"]),
        *(cell for exercise in exercises for cell in _cells_of(exercise)),
        _markdown("ending", frame["ending"]),
        _code("summary", "summary()"),
    ]


def _cells_of(exercise):
    """The task, the code that it refers to, the answer and its check, with nbgrader's metadata."""
    name = exercise.name.lower().replace(".", "-")
    heading = (
        f"## Exercise {exercise.name} · {exercise.title}  "
        f"({exercise.minutes} minutes, {exercise.points} points)\n"
    )
    task = _markdown(f"ex-{name}-task", heading + exercise.task)
    if exercise.written:
        answer = f"{exercise.answer}\n\n*Points:*\n\n{exercise.rubric}"
        points = dict(grade=True, points=exercise.points)
        return [task, _markdown(f"words-{name}", answer, solution=True, **points)]
    return [
        task,
        _code(f"ex-{name}-given", exercise.given, locked=True),
        _code(f"ex-{name}", exercise.answer, solution=True),
        _code(
            f"ex-{name}-check",
            # in a function, so that nothing of it meets the names that a student has chosen
            f"{exercise.check}\n### BEGIN HIDDEN TESTS\ndef hidden_tests():\n"
            + textwrap.indent(exercise.hidden, "    ")
            + "\n\n\nhidden_tests()\n### END HIDDEN TESTS",
            grade=True,
            locked=True,
            points=exercise.points,
        ),
    ]


def _markdown(name, source, **told):
    import nbformat

    return nbformat.v4.new_markdown_cell(source.strip("\n"), id=name, metadata=_about(name, told))


def _code(name, source, **told):
    import nbformat

    return nbformat.v4.new_code_cell(source, id=name, metadata=_about(name, told))


def _about(name, told):
    """A cell's metadata: with ``told`` it is one that nbgrader knows."""
    kinds = {"grade": False, "locked": False, "solution": False, "task": False}
    return {"nbgrader": {"schema_version": 3, "grade_id": name, **kinds, **told}} if told else {}
