"""What every notebook of the course keeps to. A rule takes a lesson and returns its problems."""

import ast
import json
import posixpath
import re
import statistics
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from urllib.parse import unquote

import nbformat

from course_utils.cli import claims, compare, links, notebooks, release, run, stamp

MAX_BYTES = 800_000
MAX_LINE = 80  # a phone, Colab's column, a slide
MAX_SETUP_LINES = 12
MIN_ALT = 20
MAX_CHECK_LINES = 6  # what a check tries stands in course_utils/exercises
MAX_CODE_LINES, MEDIAN_CELL, LONG_CELL, MAX_LONG_CELLS = 700, 8, 20, 3
MAX_MINUTES = 90  # of core
WORDS_A_MINUTE, LINES_A_MINUTE = 120, 15  # of a student who was watched

RULES = {}


@dataclass(frozen=True)
class Lesson:
    """A solved notebook and the repository that it belongs to."""

    path: Path
    root: Path

    @cached_property
    def text(self):
        return self.path.read_text(encoding="utf-8")

    @cached_property
    def nb(self):
        return notebooks.reads(self.text)

    @cached_property
    def cells(self):
        """Position from 1, and cell."""
        return list(enumerate(self.nb.cells, 1))

    @cached_property
    def code(self):
        return notebooks.code_cells(self.nb)

    @cached_property
    def prose(self):
        return [(i, cell) for i, cell in self.cells if cell.cell_type == "markdown"]

    @cached_property
    def address(self):
        """The recorded address, with the version that this notebook names (several: the first)."""
        refs = sorted(stamp.refs("\n".join(cell.source for _, cell in self.cells)))
        return stamp.Address(stamp.recorded(self.root), *refs[:1])

    @property
    def number(self):
        return int(self.path.name[:2])


def rule(function):
    RULES[function.__name__] = function
    return function


def _markdown(cells):
    """All prose of these cells, as one text."""
    return "\n\n".join(cell.source for cell in cells if cell.cell_type == "markdown")


def says(position, cell, reason):
    return f"{notebooks.label(position, cell)} {reason}"


def parsed(cell):
    """The syntax tree of a code cell, magics left out."""
    lines = [
        re.sub(r"\S.*", "pass", line) if line.lstrip().startswith(("%", "!")) else line
        for line in cell.source.split("\n")
    ]
    return ast.parse("\n".join(lines))


def calls(tree):
    """The dotted names of everything called: ``plt.show``, ``display``."""
    return [ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)]


def pictures(cell):
    """Each picture that a cell shows: its format, and its text alternative."""
    for output in cell.outputs:
        for kind in output.get("data", {}):
            if kind.startswith("image/"):
                yield kind, output.metadata.get(kind, {}).get("alt", "")


# --- the file -------------------------------------------------------------------------------------


@rule
def is_a_valid_notebook(lesson):
    raw = json.loads(lesson.text)
    ids = [cell.get("id") for cell in raw["cells"]]
    twice = sorted({str(name) for name in ids if ids.count(name) > 1})
    if twice:  # nbformat would rename them
        return [f"several cells have the id {name}" for name in twice]
    try:
        nbformat.validate(raw)
    except nbformat.ValidationError as error:
        return [f"nbformat: {str(error).splitlines()[0]}"]
    return []


@rule
def is_in_stored_form(lesson):
    return run.form_problems(lesson.text)


@rule
def has_outputs_of_its_present_code(lesson):
    return run.age_problems(lesson.nb)


def lines_of(cell):
    return sum(bool(line.strip()) for line in cell.source.splitlines())


@rule
def has_little_code(lesson):
    sizes = {cell.id: lines_of(cell) for _, cell in lesson.code}
    lesson_cells = [size for name, size in sizes.items() if not name.endswith("-check")]
    found, total = [], sum(sizes.values())
    if total > MAX_CODE_LINES:
        found.append(f"{total} lines of code; {MAX_CODE_LINES} are the limit")
    middle = statistics.median(lesson_cells or [0])
    if middle > MEDIAN_CELL:
        found.append(
            f"the median of its code cells is {middle:g} lines; {MEDIAN_CELL} is the limit"
        )
    long = [f"{name} ({size})" for name, size in sizes.items() if size > LONG_CELL]
    if len(long) > MAX_LONG_CELLS:
        found.append(
            f"{len(long)} code cells have more than {LONG_CELL} lines; {MAX_LONG_CELLS} may: "
            + ", ".join(long)
        )
    return found


@rule
def is_small(lesson):
    size = len(lesson.text.encode())
    return [f"{size:,} bytes; {MAX_BYTES:,} are the limit"] if size >= MAX_BYTES else []


# --- what is stored -------------------------------------------------------------------------------


@rule
def has_every_code_cell_executed(lesson):
    found = [says(i, c, "is empty") for i, c in lesson.cells if not c.source.strip()]
    return found + [
        says(i, c, "was never run")
        for i, c in lesson.code
        if c.source.strip() and c.execution_count is None
    ]


@rule
def stores_neither_errors_nor_stderr(lesson):
    return [
        says(i, c, f"stores {output.get('ename', 'stderr')}")
        for i, c in lesson.code
        for output in c.outputs
        if output.output_type == "error" or output.get("name") == "stderr"
    ]


@rule
def stores_no_path_of_a_machine(lesson):
    found = []
    for i, cell in lesson.code:
        for output in cell.outputs:
            texts = [output.get("text", ""), *map(str, output.get("data", {}).values())]
            for text in texts if output.output_type != "error" else ():
                match = re.search(
                    r"(?:/home|/root|/Users|/tmp|/content|[A-Z]:\\\\?Users)[/\\]\S+", text
                )
                if match:
                    found.append(says(i, cell, f"shows the path {match[0]}"))
    return found


@rule
def has_a_text_alternative_for_every_picture(lesson):
    found = [
        says(i, c, f"shows a picture whose alt text is {alt!r}: say in a sentence what it shows")
        for i, c in lesson.code
        for _, alt in pictures(c)
        if len(alt.strip()) < MIN_ALT
    ]
    return found + [
        says(i, c, "has a picture without text between its brackets, ![…]")
        for i, c in lesson.prose
        if re.search(r"!\[\s*\]\(", links.prose(c.source))
        or re.search(r"<img(?![^>]*alt=\")", c.source)
    ]


@rule
def has_known_tags(lesson):
    found = []
    for i, cell in lesson.cells:
        try:
            compare.tolerance(cell.metadata.get("tags", []))
        except ValueError as error:
            found.append(says(i, cell, f"has an {error}"))
        if cell.cell_type == "code" and re.search(r"#\s*(NBVAL|PYTEST_VALIDATE)_", cell.source):
            found.append(says(i, cell, "turns its own test off in a comment"))
    return found


# --- what it looks like ---------------------------------------------------------------------------


@rule
def has_short_lines_of_code(lesson):
    return [
        says(
            i, c, f"has a line of {len(line)} characters; {MAX_LINE} are the limit: {line.strip()}"
        )
        for i, c in lesson.code
        for line in c.source.splitlines()
        if len(line) > MAX_LINE
    ]


@rule
def has_prose_between_its_code(lesson):
    kinds = "".join("c" if cell.cell_type == "code" else "m" for _, cell in lesson.cells)
    return [
        says(
            *lesson.cells[match.start()],
            f"begins {len(match[0])} code cells in a row; 3 are enough",
        )
        for match in re.finditer("c{4,}", kinds)
    ]


def headings(lesson):
    """Position, cell, level and words of each heading."""
    for i, cell in lesson.prose:
        for match in re.finditer(r"^(#{1,6}) +(.*?)\s*#*$", _without_fences(cell.source), re.M):
            yield i, cell, len(match[1]), match[2]


def _without_fences(text):
    return re.sub(r"^(```|~~~).*?(?:^\1|\Z)", "", text, flags=re.DOTALL | re.MULTILINE)


@rule
def has_headings_that_descend_one_level_at_a_time(lesson):
    found, before = [], 0
    for i, cell, level, words in headings(lesson):
        if level > before + 1:
            found.append(says(i, cell, f"skips a level at the heading {words!r}"))
        if level == 1 and before:
            found.append(says(i, cell, f"has a second title, {words!r}"))
        before = level
    return found


@rule
def has_a_title_with_its_number(lesson):
    i, cell = lesson.cells[0]
    match = re.match(r"# (\d+) · (.+)", cell.source)
    if not match:
        return [says(i, cell, f"should begin with # {lesson.number} · Title")]
    if int(match[1]) != lesson.number:
        return [says(i, cell, f"has the number {match[1]}; the file's is {lesson.number}")]
    if re.search(r"[$`\\]", match[2]):
        return [says(i, cell, "has a formula or code in its title: say it in words")]
    return []


@rule
def shows_figures_through_the_course_alone(lesson):
    found = []
    for i, cell in lesson.code:
        try:
            called = calls(parsed(cell))
        except SyntaxError as error:
            found.append(says(i, cell, f"is no Python: {error.msg}"))
            continue
        for name in called:
            if name in ("display", "interact") or (
                name.endswith(".show") and name != "plotting.show"
            ):
                found.append(
                    says(i, cell, f"calls {name}(); plotting.show(fig, alt=…) shows figures")
                )
        if any(pictures(cell)) and not {"plotting.show", "widgets.Explorer"} & set(called):
            found.append(says(i, cell, "shows a figure without plotting.show or widgets.Explorer"))
    return found


@rule
def reads_its_figures_aloud(lesson):
    found, unread = [], 0
    for i, cell in lesson.cells:
        if cell.cell_type == "code":
            unread += "plotting.show(" in cell.source
            if unread == 3 and "plotting.show(" in cell.source:
                found.append(says(i, cell, "is the third figure since the last **Read it.**"))
        elif "**Read it.**" in cell.source:
            unread = 0
    if unread:
        found.append(f"no **Read it.** follows the last figures, {unread} in number")
    return found


def printed(cell):
    """What a cell prints, as one text."""
    return "".join(output.get("text", "") for output in cell.outputs)


@rule
def prints_no_answer_under_a_slider(lesson):
    """What a slider shows is told in a fold or after the next heading, not by the cell below."""
    found, slider = [], None
    for i, cell in lesson.cells:
        if cell.cell_type == "markdown":
            if re.search(r"^#{1,6} ", _without_fences(cell.source), re.M):
                slider = None
        elif slider and printed(cell).strip():
            found.append(says(i, cell, f"prints before the next heading what {slider} is to show"))
        elif "widgets.Explorer(" in cell.source:
            slider = cell.id
    return found


@rule
def folds_the_code_that_would_spoil_a_prediction(lesson):
    """An alternative text says what the figure shows, so its cell is folded below a prediction."""
    found, asked = [], False
    for i, cell in lesson.cells:
        if cell.cell_type == "markdown":
            asked = "**Predict" in cell.source
        elif asked and "alt=" in cell.source and not notebooks.is_folded(cell):
            found.append(says(i, cell, "shows its alt text below a **Predict**: fold its code"))
    return found


@rule
def asks_where_it_says_predict(lesson):
    """A prediction is kept: buttons or a line to write on follow the text that asks for it."""
    return [
        says(i, cell, "asks for a prediction, and no predict(…) follows: give choices, or a line")
        for i, cell in lesson.prose
        if re.search(r"\*\*(Predict|Before you run anything)", cell.source)
        and not _asks(lesson.nb.cells[i:])
    ]


def _asks(cells):
    """Whether the first code cell, or after the title the one behind the setup, asks."""
    skipped = ("install", "use_course_style")  # the bootstrap and the setup
    for cell in cells:
        if cell.cell_type == "code" and not any(part in cell.source for part in skipped):
            return "predict" in calls(parsed(cell))
        if cell.cell_type == "markdown" and re.search(r"^#", cell.source, re.M):
            return False
    return False


# --- its parts ------------------------------------------------------------------------------------


def opening(lesson):
    """The prose before the first code cell, as one text."""
    first = lesson.code[0][0] if lesson.code else len(lesson.cells) + 1
    return "\n\n".join(cell.source for i, cell in lesson.prose if i < first)


@rule
def has_a_header_that_leads_on(lesson):
    name, address = lesson.path.name, lesson.address
    line = next((s for s in opening(lesson).splitlines() if s.startswith("*Exercises without")), "")
    wanted = [
        (f"[student copy](student/{name})", "to the student copy"),
        (f"({address.colab('notebooks/student/' + name)})", "to the student copy in Colab"),
        (f"({address.colab('notebooks/' + name)})", "to itself in Colab"),
        (" · Next: ", "to the next notebook"),
        ("All: [contents](../README.md#contents)", "to the contents"),
    ]
    missing = [
        f"the header has no link {words}: {part}" for part, words in wanted if part not in line
    ]
    if not missing and not lesson.cells[0][1].source.splitlines()[1:2] == [line]:
        return ["the header is not the line below the title"]
    return missing


@rule
def opens_with_what_a_student_asks_first(lesson):
    text, found = opening(lesson), []
    for part in (
        "**By the end you can** (1)",
        "**You need** ",
        "**Time** ",
        "> **Before you run anything:** ",
    ):
        if part not in text:
            found.append(f"the text before the first code cell has no {part.strip()}")
    match = re.search(r"\*\*Time\*\* (\d+) minutes, (\d+) exercises?", text)
    count = len(list(tasks(lesson)))
    if not match:
        found.append("the opening has no line **Time** 45 minutes, 4 exercises")
    elif int(match[2]) != count:
        found.append(f"the opening promises {match[2]} exercises; there are {count}")
    return found


def core(lesson):
    """The cells before ``## Extra``, with their positions."""
    for i, cell in lesson.cells:
        if cell.cell_type == "markdown" and re.search(r"^## Extra\b", cell.source, re.M):
            return
        yield i, cell


def minutes_of_core(lesson):
    """What the core takes a student, from the rates of one who was watched.

    A formula reads as 3 words, a displayed one as 12; folds are left shut; a figure takes a minute,
    a slider two, a prediction half of one; an exercise takes what its heading says.
    """
    words = lines = 0
    minutes = 0.0
    for _, cell in core(lesson):
        if cell.cell_type == "markdown":
            text = re.sub(
                r"<details>.*?</details>", "", claims.without_marks(cell.source), flags=re.DOTALL
            )
            text = re.sub(r"\$\$.*?\$\$", " x" * 12, text, flags=re.DOTALL)
            words += len(re.sub(r"\$[^$]*\$", " x x x ", text).split())
            asked = re.findall(r"^####.*\(core, (\d+) minutes\)$", cell.source, re.MULTILINE)
            minutes += sum(map(int, asked)) + 0.5 * text.count("**Predict")
        elif not cell.metadata.get("nbgrader") and "%pip" not in cell.source:
            lines += 0 if notebooks.is_folded(cell) else lines_of(cell)
            minutes += ("plotting.show(" in cell.source) + 2 * ("widgets.Explorer(" in cell.source)
    return minutes + words / WORDS_A_MINUTE + lines / LINES_A_MINUTE


@rule
def states_honest_minutes(lesson):
    match = re.search(r"\*\*Time\*\* (\d+) minutes", opening(lesson))
    if not match:
        return ["the opening states no minutes"]
    stated, estimated = int(match[1]), minutes_of_core(lesson)
    found = []
    if stated > MAX_MINUTES:
        found.append(f"its core takes {stated} minutes; {MAX_MINUTES} are the limit")
    if estimated > stated:
        found.append(f"it states {stated} minutes; a student needs some {estimated:.0f}")
    return found


@rule
def begins_with_the_bootstrap_and_the_setup(lesson):
    if len(lesson.code) < 2:
        return ["it has no bootstrap cell and no setup cell"]
    (i, bootstrap), (j, setup), *others = lesson.code
    found = []
    for part in ("import course_utils", "%pip install", "--no-deps", "git+https://github.com/"):
        if part not in bootstrap.source:
            found.append(says(i, bootstrap, f"should be the bootstrap cell, and has no {part}"))
    if "plotting.use_course_style()" not in setup.source:
        found.append(says(j, setup, "should be the setup, and has no plotting.use_course_style()"))
    if not re.search("^from course_utils.exercises import check, .*summary$", setup.source, re.M):
        found.append(says(j, setup, "should be the setup, and does not import check and summary"))
    size = lines_of(setup)
    if size > MAX_SETUP_LINES:
        found.append(says(j, setup, f"has {size} lines; {MAX_SETUP_LINES} are the limit"))
    return found + [
        says(k, c, "installs something; only the bootstrap cell may")
        for k, c in [(j, setup), *others]
        if re.search(r"^\s*[!%](pip|conda|uv|apt)", c.source, re.MULTILINE)
    ]


@rule
def ends_with_what_was_found(lesson):
    text = _markdown(lesson.nb.cells)
    parts = (
        "## What we found",
        "**Where it breaks.**",
        "**Check yourself, without code.**",
        "**Sources.**",
    )
    found = [f"there is no {part}" for part in parts if part not in text]
    places = [text.rfind(part) for part in parts]
    if not found and places != sorted(places):
        found.append(f"its last parts should come in this order: {', '.join(parts)}")
    if not found and "guess" not in text[places[0] :]:
        found.append("the last section does not come back to the guess made before running")
    cells = list(core(lesson))
    code = [(i, cell) for i, cell in cells if cell.cell_type == "code"]
    if code and code[-1][1].source.strip() != "summary()":
        found.append(says(*code[-1], "is the core's last code cell, and should be summary()"))
    i, last = cells[-1]
    if not re.fullmatch(r"\*(Previous|Next): .+\*", last.source.strip().split("\n")[-1]):
        found.append(says(i, last, "should end in a line *Previous: … · Next: …*"))
    for i, cell in lesson.cells[len(cells) : len(cells) + 1]:
        if not re.match(r"## Extra\b.*\n\n.*[Oo]ptional", cell.source):
            found.append(says(i, cell, "should begin with ## Extra, and say that it is optional"))
    return found


@rule
def links_its_sources(lesson):
    text = _markdown(cell for _, cell in core(lesson))
    sources = text.partition("**Sources.**")[2].split("\n\n*")[0]
    entries = re.findall(r"^- .*(?:\n  .*)*", sources, re.M)
    if not entries:
        return ["**Sources.** should be a list, - one entry a line"]
    return [f"a source has no link: {entry[:60]}" for entry in entries if "](https://" not in entry]


# --- exercises ------------------------------------------------------------------------------------

_TASK = re.compile(
    r"^#### Exercise (?P<n>\d+)\.(?P<m>\d+) · .+? +\((?:core|extra), \d+ minutes\)$", re.MULTILINE
)


def tasks(lesson):
    """Each exercise: number, and its cells up to the next heading, with their positions."""
    starts = [
        (place, words)
        for place, (_, cell) in enumerate(lesson.cells)
        if cell.cell_type == "markdown"
        for words in re.findall(r"^#### (Exercise .*)$", _without_fences(cell.source), re.MULTILINE)
    ]
    for place, words in starts:
        end = place + 1
        while end < len(lesson.cells):
            cell = lesson.cells[end][1]
            if cell.cell_type == "markdown" and re.search(
                r"^#{1,4} ", _without_fences(cell.source), re.M
            ):
                break
            end += 1
        yield words, lesson.cells[place:end]


@rule
def has_three_exercises_or_more_counted_from_one(lesson):
    found, numbers = [], []
    for words, ((i, cell), *_) in tasks(lesson):
        match = _TASK.search(f"#### {words}")
        if not match:
            found.append(says(i, cell, "should read #### Exercise N.M · Title  (core, 10 minutes)"))
        else:
            numbers.append((int(match["n"]), int(match["m"])))
    wanted = [(lesson.number, m) for m in range(1, len(numbers) + 1)]
    if not found and numbers != wanted:
        given = ", ".join(f"{n}.{m}" for n, m in numbers)
        found.append(f"its exercises are {given}; they should be counted from {lesson.number}.1")
    if len(numbers) < 3:
        found.append(f"it has {len(numbers)} exercises; 3 are the least")
    return found


@rule
def has_exercises_with_task_hints_answer_check_and_solution(lesson):
    found, known = [], set()
    for words, cells in tasks(lesson):
        match = re.match(r"Exercise (\d+)\.(\d+)", words)
        if match:
            name = f"ex-{match[1]}-{match[2]}"
            known |= {name, f"{name}-check"}
            found += [f"exercise {match[1]}.{match[2]}: {p}" for p in _task_problems(match, cells)]
    for i, cell in lesson.cells:
        told = cell.metadata.get("nbgrader", {})
        by_hand = cell.cell_type == "markdown" and told.get("grade") and told.get("solution")
        if told and cell.id not in known and not by_hand:
            found.append(says(i, cell, "has nbgrader metadata and belongs to no exercise"))
    return found


def _task_problems(match, cells):
    n, m = match.groups()
    name = f"ex-{n}-{m}"
    ids = [cell.id for _, cell in cells]
    for wanted in (name, f"{name}-check"):
        if wanted not in ids:
            return [f"no cell {wanted} before the next heading"]
    at, check_at = ids.index(name), ids.index(f"{name}-check")
    if check_at < at:
        return [f"{name}-check stands before {name}"]
    before = "\n\n".join(cell.source for _, cell in cells[:at])
    after = "\n\n".join(c.source for _, c in cells[check_at:] if c.cell_type == "markdown")
    found = []
    for part in ("**Predict", "**Write**"):
        if part not in before:
            found.append(f"no {part}… in the task")
    if len(re.findall(r"<details><summary>Hint", before)) < 3:
        found.append("fewer than three <details><summary>Hint …")
    if before.count("<details>") != before.count("</details>"):
        found.append("a hint's <details> is not closed")
    if "**Reflect.**" not in after:
        found.append("no **Reflect.** after the check")
    for part in ("Worked solution", "Your prediction", "The reflection"):
        if f"<details><summary>{part}" not in after:
            found.append(f"no <details><summary>{part} after the check")
    return found + _answer_problems(cells[at][1], n, m) + _check_problems(cells[check_at][1], n, m)


def _metadata_problems(cell, **wanted):
    told = cell.metadata.get("nbgrader", {})
    wanted = {"schema_version": 3, "grade_id": cell.id, "task": False, **wanted}
    return [
        f"{cell.id}: nbgrader's {key} should be {value!r}, and is {told.get(key)!r}"
        for key, value in wanted.items()
        if told.get(key) != value
    ]


def _points_problems(cell):
    points = cell.metadata.get("nbgrader", {}).get("points")
    if isinstance(points, int) and points > 0:
        return []
    return [f"{cell.id}: points should be a whole number above 0"]


def _answer_problems(cell, n, m):
    found = _metadata_problems(cell, grade=False, solution=True, locked=False)
    if not cell.source.startswith(f"# Exercise {n}.{m}\n"):
        found.append(f"{cell.id}: the first line should be # Exercise {n}.{m}")
    functions = [node for node in parsed(cell).body if isinstance(node, ast.FunctionDef)]
    if not functions:
        found.append(f"{cell.id}: an exercise is a function, and none is defined")
    found += [
        f"{cell.id}: {node.name} has no docstring to say what is asked"
        for node in functions[-1:]
        if not ast.get_docstring(node)
    ]
    return found


def _check_problems(cell, n, m):
    found = _metadata_problems(cell, grade=True, solution=False, locked=True)
    found += _points_problems(cell)
    visible, begins, rest = cell.source.partition("### BEGIN HIDDEN TESTS")
    hidden, ends, after = rest.partition("### END HIDDEN TESTS")
    if not begins or not ends:
        return [*found, f"{cell.id}: no hidden tests between their markers"]
    if after.strip():
        found.append(f"{cell.id}: something follows the hidden tests")
    size = lines_of(cell)
    if size > MAX_CHECK_LINES:
        found.append(f"{cell.id}: {size} lines; {MAX_CHECK_LINES} are the limit of a check")
    if not re.search(rf'\bcheck\(\s*"{n}\.{m}",', visible):
        found.append(f'{cell.id}: no visible check("{n}.{m}", …)')
    tree = ast.parse(hidden)
    asserts = [node for node in ast.walk(tree) if isinstance(node, ast.Assert)]
    tests = ("np.testing.assert_", "hidden_tests")
    if not asserts and not any(call.startswith(tests) for call in calls(tree)):
        found.append(f"{cell.id}: the hidden tests assert nothing")
    if {"check", "summary"} & set(calls(tree)):
        found.append(f"{cell.id}: hidden tests that use check pass where a copy replaces check")
    last = tree.body[-1] if tree.body else None
    if isinstance(last, ast.Expr) and not ast.unparse(last).startswith(tests):
        found.append(f"{cell.id}: it ends in a value, which nbgrader takes for a score")
    said = printed(cell)
    if f"Exercise {n}.{m}: passed" not in said:
        found.append(
            f"{cell.id}: the solution does not pass its check: {said.strip() or 'no output'}"
        )
    return found


_IN_WORDS = re.compile(r"^#### In words · .+? +\((core|extra), \d+ minutes\)$", re.MULTILINE)


@rule
def asks_for_an_answer_in_words(lesson):
    """A sentence or a derivation, which a person grades, is asked for in the core."""
    found, asked = [], []
    for place, (i, cell) in enumerate(lesson.cells):
        match = cell.cell_type == "markdown" and _IN_WORDS.search(cell.source)
        if match:
            asked.append(match[1])
            _, answer = lesson.cells[min(place + 1, len(lesson.cells) - 1)]
            told = answer.metadata.get("nbgrader", {})
            if answer.cell_type != "markdown" or not (told.get("grade") and told.get("solution")):
                found.append(says(i, cell, "has no model answer, graded by hand, in the next cell"))
            else:
                wanted = dict(grade=True, solution=True, locked=False)
                found += _metadata_problems(answer, **wanted) + _points_problems(answer)
    if "core" not in asked:
        found.append("no #### In words · Title  (core, 5 minutes)")
    return found


@rule
def can_be_released(lesson):
    return release.problems(lesson.nb)


@rule
def has_a_student_copy_in_step(lesson):
    folder = lesson.root / "notebooks" / "student"
    path = folder / lesson.path.name
    if not path.exists():
        return [f"no {path.name} in notebooks/student: python3 -m course_utils release writes it"]
    beside = {solved.name for solved in notebooks.solved(lesson.root)}
    try:
        wanted = release.student_copy(lesson.nb, "notebooks/student", beside, lesson.address)
    except release.ReleaseError as error:
        return [str(error)]
    text = path.read_text(encoding="utf-8")
    if text == notebooks.dumps(wanted):
        return []
    stored = notebooks.reads(text)
    for (i, cell), other in zip(enumerate(wanted.cells, 1), stored.cells):
        if cell != other:
            return [says(i, cell, "is another one in the student copy: run release")]
    return ["the student copy is not what release writes: run release"]


# --- references to numbers ------------------------------------------------------------------------

_NUMBERED = {  # what a text says, and where that stands in the notebook of the same number
    "section": (r"[Ss]ections? (\d{1,2}\.\d{1,2})\b", r"^#{2,4} +(\d+\.\d+) "),
    "exercise": (r"[Ee]xercises? (\d{1,2}\.\d{1,2})\b", r"^#### Exercise (\d+\.\d+)"),
    "equation": (r"\(([1-9]\d?\.\d{1,2})\)", r"\\tag\{(\d+\.\d+)\}"),
}


def number_problems(text, root):
    """Sections, exercises and equations that ``text`` names and no notebook of ``root`` has."""
    found = []
    for kind, (named, stands) in _NUMBERED.items():
        for number in dict.fromkeys(re.findall(named, re.sub(r"`[^`]*`", "", text))):
            for path in (root / "notebooks").glob(f"{int(number.split('.')[0]):02d}_*.ipynb"):
                if number not in re.findall(stands, _prose_of(path), re.MULTILINE):
                    found.append(f"names {kind} {number}, which {path.name} has not")
    return found


@cache
def _prose_of(path):
    return _markdown(notebooks.read(path).cells)


@rule
def names_numbers_that_exist(lesson):
    return [
        says(i, cell, problem)
        for i, cell in lesson.prose
        for problem in number_problems(cell.source, lesson.root)
    ]


# --- links ----------------------------------------------------------------------------------------


@rule
def has_the_repositorys_address(lesson):
    found = []
    old = stamp.recorded(lesson.root)
    refs = stamp.refs("\n".join(cell.source for _, cell in lesson.cells))
    if len(refs) > 1:
        found.append(f"it names several versions: {', '.join(sorted(refs))}")
    return found + [
        says(i, c, f"names another address than pyproject.toml's, {old}: run stamp")
        for i, c in lesson.cells
        if stamp.stamped(c.source, old, lesson.address) != c.source
    ]


@rule
def has_links_that_lead_somewhere(lesson):
    return [
        says(i, c, problem)
        for i, c in lesson.prose
        for problem in link_problems(c.source, lesson.path, lesson.root)
    ]


def link_problems(text, path, root):
    """What is wrong with the links of a Markdown text that stands in the file ``path``."""
    found = []
    for target in links.targets(text):
        problem = _target_problem(target, path, root)
        if problem:
            found.append(f"has a link to {target}: {problem}")
    for match in re.finditer(r"(?<!!)\[([^\[\]]*)\]\(", links.prose(text)):
        words = text[slice(*match.span(1))]
        if words.strip().lower() in ("", "here", "link", "this", "click here", "this link"):
            found.append(f"has a link with the words {words!r}: name what it leads to")
    for number, title in re.findall(r"(\d{1,2}) · ([^\[\]()\n]*?) \(in preparation\)", text):
        ready = sorted((root / "notebooks").glob(f"{int(number):02d}_*.ipynb"))
        if ready:
            found.append(f"says {number} · {title} is in preparation, and {ready[0].name} is there")
    numbered = len(re.findall(r"\d{1,2} · [^\[\]()\n]*? \(in preparation\)", text))
    if text.count("(in preparation)") != numbered:
        found.append("has an (in preparation) that names no notebook as N · Title")
    return found


def _target_problem(target, path, root):
    slug = stamp.recorded(root)
    ours = re.match(
        rf"https://(?:colab\.research\.google\.com/github|github\.com)/{re.escape(slug)}"
        r"/(?:blob|tree)/[^/]+/([^#?]+)",
        target,
    )
    if ours:
        return None if (root / unquote(ours[1])).exists() else "there is no such file"
    if target.startswith("#"):
        return _anchor_problem(target[1:], path)
    if target.startswith("/"):
        return "it leads to the root of a disk"
    if not links.is_relative(target):
        return None
    name, _, anchor = target.partition("#")
    there = path.parent / unquote(name)
    inside = posixpath.normpath((path.parent.relative_to(root) / name).as_posix())
    if inside.startswith(".."):
        return "it leads out of the repository"
    if not there.exists():
        return "there is no such file"
    return _anchor_problem(anchor, there) if anchor else None


def _anchor_problem(anchor, path):
    anchor = unquote(anchor)
    if path.suffix == ".ipynb":
        text = _prose_of(path)
    elif path.suffix == ".md":
        text = path.read_text(encoding="utf-8")
    else:
        return f"{path.name} has no headings to lead to"
    marks = set(re.findall(r'<\w+ (?:id|name)="([^"]+)"', text))
    for words in re.findall(r"^#{1,6} +(.*?)\s*#*$", _without_fences(text), re.MULTILINE):
        if path.suffix == ".ipynb":  # as Jupyter makes them
            marks.add(words.replace(" ", "-"))
        else:  # as GitHub makes them
            plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", words).lower()
            marks.add(re.sub(r"[^\w\- ]", "", plain).replace(" ", "-"))
    return None if anchor in marks else f"{path.name} has no heading of that name"
