"""The pages that are no lessons: the first one, set-up, terms, letters, results, the package."""

import base64
import html
import itertools
import re
import string
import tomllib
from importlib import import_module
from pathlib import Path

from course_utils.cli import notebooks
from course_utils.site import lessons

HERE = Path(__file__).parent
# Of three lessons: the cell whose picture the front page shows, and what it surprises with
PICTURES = [
    (
        "02",
        "descent-plot",
        "More examples can predict worse",
        "The test error rises to a peak dozens of times as high where there are as many examples "
        "as weights, and falls again.",
    ),
    (
        "12",
        "film-draw",
        "Training that never arrives",
        "A picture learns from a critic who learns from it: right by step 16, a negative of itself "
        "by step 63.",
    ),
    (
        "16",
        "gallery-show",
        "Which images made it say 9",
        "A 3 that the model reads as a 9, with the training images that help it most and those "
        "that harm it most. Some that harm are threes.",
    ),
]
# The modules that lessons import, beside the public names of the package itself
TEACHING = ["data", "models", "training", "dynamics", "trees", "sharding"]
TEACHING += ["plotting", "widgets", "exercises"]
_ROW = re.compile(r"^\|(.+)\|$", re.MULTILINE)
_GREEK = "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi omicron pi rho"
_GREEK += " sigma tau upsilon phi chi psi omega"
_SIGNS = dict(zip(_GREEK.split(), "αβγδεζηθικλμνξοπρστυφχψω", strict=True))
_NAMES = {sign: name for name, sign in _SIGNS.items()}


class PageError(Exception):
    """A page cannot be written; the text says what in which file keeps it from that."""


def link(path, cell_id, words):
    """A link to a cell of the lesson in ``path``: HTML, around words that are Markdown."""
    return f'<a href="{path.stem}.html#cell-{cell_id}">{words}</a>'


def _section(text, heading, path):
    """What stands under ``## heading``, without the heading."""
    found = re.search(rf"^## {re.escape(heading)}\n(.*?)(?=^## |\Z)", text, re.M | re.S)
    if not found:
        raise PageError(f"{path} has no section {heading!r}")
    return found[1].strip("\n")


def _cells(row):
    return [cell.strip() for cell in re.split(r"(?<!\\)\|", row)]


def table_rows(text):
    """The rows of the Markdown table in ``text``, without its head: lists of cells."""
    rows = [_cells(match[1]) for match in _ROW.finditer(text)]
    return rows[2:]


def table(text):
    """The first Markdown table in ``text``, whole."""
    return re.search(r"(?:^\|.+\|\n)+", text, re.MULTILINE)[0]


def repository_pages(root, address):
    """The pages that are files of the repository: name to text."""
    pages = {}
    for path in sorted((root / "notebooks").glob("*.md")):
        pages[path.name] = lessons.moved_links(path.read_text(encoding="utf-8"), address)
    for path, name in lessons.FILES.items():
        text = (root / path).read_text(encoding="utf-8")
        pages[name] = lessons.moved_links(text, address, path.rpartition("/")[0])
    return pages


def readme_pages(root, address):
    """The pages made of sections of README.md: name to text."""
    text = (root / "README.md").read_text(encoding="utf-8")

    def taken(heading):
        return lessons.moved_links(_section(text, heading, "README.md"), address, "")

    start, teach = taken("Start"), taken("For instructors")
    return {
        "start.md": f"# Start\n\n{start}\n",
        "teach.md": f"# For instructors\n\n{_raised(teach)}\n",
        "lessons.md": _contents(_section(text, "Contents", "README.md"), address),
        "package.md": _package(taken("The package in ten lines")),
    }


def _raised(text):
    """``text`` with headings one level up."""
    return re.sub(r"^##(#+ )", r"#\1", text, flags=re.MULTILINE)


def _contents(text, address):
    """The table of the lessons, each with its page in place of its files."""
    rest = text[[m.end() for m in _ROW.finditer(text)][-1] :]
    rest = re.sub(r"^Each row links .*?(?=As nineteen weeks)", "", rest.strip("\n"), flags=re.S)
    rest = re.sub(r"^The badges work once.*?\n\n", "", rest, flags=re.S | re.M)
    lines = [
        "| | lesson | the question it answers | minutes | needs |",
        "| --- | --- | --- | --- | --- |",
    ]
    for number, cell, question, minutes, needs in table_rows(text):
        solved = re.search(r"\[solved\]\(notebooks/([^)]+)\)", cell)
        if not solved:
            raise PageError(f"README.md: row {number} of the contents links no solved notebook")
        name = cell.split("<br>")[0]
        lines.append(f"| {number} | [{name}]({solved[1]}) | {question} | {minutes} | {needs} |")
    table, rest = "\n".join(lines), lessons.moved_links(rest, address, "")
    return f"# Lessons\n\n{table}\n\n{rest}\n"


def front(paths, address, root, further):
    """The first page: for whom, how long, what surprises, three links. Text, and its pictures.

    ``further`` are the names of the pages that are files of the repository.
    """
    text = (root / "README.md").read_text(encoding="utf-8")
    rows = table_rows(_section(text, "Contents", "README.md"))
    hours = round(sum(int(row[3]) for row in rows) / 60)
    exercises = sum(
        bool(re.fullmatch(r"ex-.*-check", cell.id))
        for path in paths
        for cell in notebooks.read(path).cells
    )
    pictures, shown = {}, []
    by_number = {path.name[:2]: path for path in paths}
    for number, cell_id, head, words in PICTURES:
        if number not in by_number:
            continue
        png, alt = _picture(by_number[number], cell_id)
        pictures[f"{number}-{cell_id}.png"] = png
        page = by_number[number].stem
        shown.append(
            f'<li><a href="{page}.html#cell-{cell_id}">'
            f'<img src="_static/front/{number}-{cell_id}.png" alt="{html.escape(alt)}">'
            f"<strong>{html.escape(head)}</strong></a>"
            f"<span>{html.escape(words)}</span></li>"
        )
    shown_above = {"capstone.md", "reproduced.md"}
    more = "\n".join(name.removesuffix(".md") for name in further if name not in shown_above)
    first = paths[0].stem
    best = next((path.stem for path in paths if path.name.startswith("15")), first)
    values = {
        "lessons": str(len(paths)),
        "exercises": str(exercises),
        "hours": str(hours),
        "read": f"{best}.html",
        "colab": address.colab(f"notebooks/student/{first}.ipynb"),
        "pictures": "\n".join(shown),
        "tree": "\n".join(path.stem for path in paths),
        "more": more,
    }
    template = (HERE / "source" / "front.md").read_text(encoding="utf-8")
    return string.Template(template).substitute(values), pictures


def _picture(path, cell_id):
    for cell in notebooks.read(path).cells:
        if cell.id == cell_id:
            for output in cell.outputs:
                if "image/png" in output.get("data", {}):
                    png = base64.b64decode(output.data["image/png"])
                    return png, output.metadata["image/png"]["alt"]
    raise PageError(f"{path.name} has no picture in a cell {cell_id}")


def section_texts(nb):
    """``"4.7"`` to the heading, the anchor and the text of each numbered section of a lesson."""
    found, current = {}, None
    for cell in nb.cells:
        if cell.cell_type == "markdown":
            for line in cell.source.split("\n"):
                heading = re.match(r"(#+) (.*)", line)
                if heading and len(heading[1]) <= 3:
                    numbered = re.match(r"(\d+\.\d+) (.*)", heading[2])
                    current = numbered[1] if numbered else None
                    if numbered:
                        found[current] = [numbered[2], cell.id, ""]
                if current:
                    found[current][2] += line + "\n"
        elif current:
            found[current][2] += cell.source + "\n"
    return found


def terms(paths):
    """The index of terms: each with the section that derives it, and others that use it.

    Raises:
        PageError: if ``terms.toml`` names a section that is not there, or where the term does not
            occur.
    """
    table = tomllib.loads((HERE / "terms.toml").read_text(encoding="utf-8"))
    places, problems = {}, []
    for path in paths:
        for number, told in section_texts(notebooks.read(path)).items():
            places[number] = (path, *told)
    lines, letter = [], ""
    for term, told in sorted(table.items(), key=lambda item: item[0].lower()):
        first = term[0].upper()
        if first != letter:
            letter = first
            lines.append(f"\n## {letter}\n")
        where = []
        for number in told["in"]:
            if number not in places:
                problems.append(f"{term}: there is no section {number}")
                continue
            path, heading, cell_id, text = places[number]
            spelt = told.get("as", term).lower()
            if spelt not in " ".join(text.lower().split()):
                problems.append(f"{term}: section {number} does not name it ({spelt!r})")
            where.append(link(path, cell_id, f"{number} {heading}"))
        if where:
            also = f"; also {', '.join(where[1:])}" if where[1:] else ""
            lines.append(f"**{term}**\n: {told['is']}: {where[0]}{also}.\n")
    if problems:
        raise PageError("course_utils/site/terms.toml:\n  " + "\n  ".join(problems))
    head = "# Terms\n\nEach term, and the section that derives it.\n"
    return head + "\n".join(lines) + "\n"


def letters(paths):
    """The page of letters: every letter of every lesson, in the order of the alphabet.

    Raises:
        PageError: if no lesson has a table of letters.
    """
    rows = []
    for path in paths:
        for cell in notebooks.read(path).cells:
            if cell.cell_type == "markdown" and "| letter | meaning |" in cell.source:
                text = cell.source[cell.source.index("| letter | meaning |") :]
                text = text.split("\n\n")[0]
                place = link(path, cell.id, int(path.name[:2]))
                for row, meaning, *code in table_rows(text):
                    told = f", in code {code[0]}" if code and "`" in code[0] else ""
                    line = f"- {row}: {meaning}{told}. Lesson {place}"
                    rows += [(letter, row, line) for letter in _letters_of(row)]
    if not rows:
        raise PageError("no lesson has a table | letter | meaning | in code |")
    parts = [
        "# Letters\n\nWhat a letter means depends on the lesson. Greek letters follow the Latin "
        "ones; a row of several letters stands under each.\n"
    ]
    for letter, told in itertools.groupby(sorted(rows), key=lambda row: row[0]):
        sign = letter.lower()  # a Greek capital looks like a Latin one
        head = f"{sign} ({_NAMES[sign]})" if sign in _NAMES else letter
        parts += [f"## {head}\n", *(line for *_, line in told), ""]
    return "\n".join(parts) + "\n"


def _letters_of(row):
    """The letters that a row of the table is about: ``H`` of ``$g_i$, $\\hat H(w)$``, say."""
    text = re.sub(r"(?<=[\w}])\([^()]*\)|[_^](\{[^{}]*\}|\\?\w+)", "", row)
    text = re.sub(r"\\(hat|tilde|lVert|rVert|nabla|partial)\b", "", text).replace(r"\ell", "l")
    text = re.sub(r"\\(?:var)?([a-zA-Z]+)", lambda name: _SIGNS.get(name[1].lower(), ""), text)
    return sorted({letter.upper() for letter in re.findall(r"\w", text)})


def _modules():
    import course_utils

    return list(dict.fromkeys([*course_utils._HOMES, *TEACHING]))


def _package(example):
    """The page of the package: the ten lines, and a table of its modules."""
    table = "\n".join(f"| [{name}](api-{name}.md) | {_first_line(name)} |" for name in _modules())
    tree = "\n".join(f"api-{name}" for name in _modules())
    return (
        f"# The package\n\n{example}\n\n## Its modules\n\nPublic names are imported from "
        f"`course_utils` itself; modules of the second part are imported as such.\n\n"
        f"| module | |\n| --- | --- |\n{table}\n\n```{{toctree}}\n:hidden:\n\n{tree}\n```\n"
    )


def _first_line(name):
    text = import_module(f"course_utils.{name}").__doc__ or ""
    return " ".join(text.strip().split("\n\n")[0].split()).replace("|", r"\|")


def api_pages():
    """A page for each module of the package, its docstrings read by Sphinx: name to text."""
    import course_utils

    pages = {}
    for name in _modules():
        module = import_module(f"course_utils.{name}")
        own = [
            key
            for key, value in vars(module).items()
            if not key.startswith("_")
            and callable(value)
            and getattr(value, "__module__", "") == module.__name__
        ]
        public = list(course_utils._HOMES.get(name, ()))
        rest = [key for key in own if key not in public] if name in TEACHING else []
        blocks = [f".. automodule:: course_utils.{name}\n   :no-members:\n"]
        for home, names in (("course_utils", public), (f"course_utils.{name}", rest)):
            if names:
                blocks.append(f".. py:currentmodule:: {home}\n")
            for key in names:
                kind = "class" if isinstance(getattr(module, key), type) else "function"
                options = "   :members:\n" if kind == "class" else ""
                blocks.append(f".. auto{kind}:: {home}.{key}\n{options}")
        body = "\n".join(blocks)
        pages[f"api-{name}.md"] = f"# {name}\n\n```{{eval-rst}}\n{body}\n```\n"
    return pages
