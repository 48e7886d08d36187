"""A lesson as a page: its solved notebook, made ready for Sphinx."""

import copy
import html
import json
import posixpath
import re
from urllib.parse import quote

from course_utils.cli import claims, links, notebooks

_HEADER = re.compile(r"^\*Exercises without answers:.*\*$", re.MULTILINE)
_SECTION = re.compile(r"^#{1,3} +(.*)$", re.MULTILINE)
_MARKER = re.compile(r"^ *### (BEGIN|END) SOLUTION\n?", re.MULTILINE)
_HIDDEN_TESTS = re.compile(r"^ *### BEGIN HIDDEN TESTS$.*?^ *### END HIDDEN TESTS$\n?", re.M | re.S)
_EXPLORER = re.compile(r"Explorer\((.*?)\)(?:: (.*))?", re.DOTALL)
_PREDICTION = "Your prediction, "
# What README.md says in a section has a page of its own here
README_PAGES = {
    "contents": "lessons.md",
    "start": "start.md",
    "for-instructors": "teach.md",
    "an-address-of-your-own": "teach.md#an-address-of-your-own",
}
# Files of the repository that have a page: where they are, and what the page is called
FILES = {
    ".github/REPRODUCED.md": "reproduced.md",
    ".github/SPEED.md": "speed.md",
    "CONTRIBUTING.md": "contributing.md",
    ".github/CHANGELOG.md": "changelog.md",
}


def title(nb):
    """The heading of a notebook."""
    return next(cell.source for cell in nb.cells if cell.cell_type == "markdown").split("\n")[0][2:]


def sections(nb):
    """For each cell's id, the heading that stands last in it, or last before it, without its #."""
    found, heading = {}, ""
    for cell in nb.cells:
        if cell.cell_type == "markdown":
            for match in _SECTION.finditer(links.prose(cell.source)):  # a # in code is none
                heading = cell.source[match.start(1) : match.end(1)]
        found[cell.id] = heading
    return found


def moved_links(text, address, folder="notebooks"):
    """``text`` of a page of the repository, its links as they are on the site, or to GitHub.

    Args:
        text: Markdown.
        address: of the repository.
        folder: where the page stands in it; "" for the top.
    """

    def rewrite(target):
        path, _, fragment = target.partition("#")
        path = posixpath.normpath(f"{folder}/{path}".lstrip("/"))
        name, place = path.rpartition("/")[2], "#" + fragment if fragment else ""
        if path == "README.md":
            return README_PAGES.get(fragment, "index.md")
        if path in FILES:
            return FILES[path] + place
        if path.startswith("notebooks/student/"):
            return f"downloads/{name}"
        if re.fullmatch(r"notebooks/[^/]+\.(ipynb|md)", path):
            return name + place
        return address.page(path)

    return links.moved(text, rewrite)


def launch(name, address, pdf):
    """The line of links under a lesson's title: HTML."""
    student, solved = f"notebooks/student/{name}", f"notebooks/{name}"
    binder = f"https://mybinder.org/v2/gh/{address.slug}/{address.ref}?labpath={quote(student, '')}"
    shown = [
        ("Exercises in Colab", address.colab(student)),
        ("Exercises in Binder", binder),
        ("Download the exercises", f"downloads/{name}"),
        ("Solved, in Colab", address.colab(solved)),
    ]
    if pdf:
        shown.append(("PDF", f"downloads/{name.removesuffix('.ipynb')}.pdf"))
    items = "\n".join(f'<li><a href="{html.escape(to)}">{words}</a></li>' for words, to in shown)
    return f'<nav class="launch" aria-label="Work on this lesson"><ul>\n{items}\n</ul></nav>\n'


def page(path, address, drawn=None, pdf=False):
    """The notebook in ``path`` as Sphinx is to read it.

    Args:
        path: a solved notebook.
        address: of the repository, for the links that open the lesson elsewhere.
        drawn: what ``frames.read_frames`` says of the lesson's Explorers; without it the stored
            pictures stand alone.
        pdf: whether the lesson will have one to link.
    """
    nb = copy.deepcopy(notebooks.read(path))
    nb.metadata.language_info = {"name": "python", "pygments_lexer": "ipython3"}
    shown = notebooks.explorers(nb)
    for cell in nb.cells:
        if cell.cell_type == "markdown":
            _text(cell, launch(path.name, address, pdf), address)
        else:
            _code(cell, path.name[:2], cell.id in shown, (drawn or {}).get(cell.id))
    return nb


def _text(cell, launched, address):
    text = moved_links(claims.without_marks(cell.source), address)
    text = _HEADER.sub(lambda _: launched, text)  # its links are the page's own
    if cell.metadata.get("nbgrader", {}).get("solution") and not text.startswith("<details>"):
        text = f"<details><summary>A model answer</summary>\n\n{text}\n</details>"
    cell.source = f'<span id="cell-{cell.id}"></span>\n\n{text}'


def _code(cell, number, shows_explorer, drawn):
    tags, prompts = [], {}
    about = cell.metadata.get("nbgrader", {})
    if about.get("solution"):
        tags, prompts = ["hide-input"], {"code_prompt_show": "Show a solution"}
    elif notebooks.is_folded(cell) or cell.id == "bootstrap":
        tags, prompts = ["hide-input"], {"code_prompt_show": "Show the code"}
    if prompts:
        prompts["code_prompt_hide"] = prompts["code_prompt_show"].replace("Show", "Hide")
    cell.source = _MARKER.sub("", _HIDDEN_TESTS.sub("", cell.source)).rstrip("\n")
    alts, outputs = [], []
    for output in cell.outputs:
        data = output.get("data", {})
        text = data.get("text/plain", "")
        pictures = [kind for kind in data if kind.startswith("image/")]
        if pictures:
            alt = output.metadata.get(pictures[0], {}).get("alt")
            if not alt:
                raise ValueError(
                    f"lesson {number}, cell {cell.id}: a picture without a text alternative; show "
                    "it by plotting.show(fig, alt=...)"
                )
            alts.append(alt)
            explored = _EXPLORER.fullmatch(text)
            outputs.append(output)
            if explored and shows_explorer:
                outputs.append(_html(_explorer(cell.id, number, explored[2] or "", drawn)))
            continue
        if text.startswith(_PREDICTION):
            output = _html(_prediction(cell.source, text))
        outputs.append(output)
    cell.outputs = outputs
    cell.metadata.clear()
    cell.metadata.update({"tags": tags, "alts": alts, "cell_id": cell.id, "mystnb": prompts})


def _html(text):
    import nbformat

    return nbformat.v4.new_output("display_data", {"text/html": text, "text/plain": ""})


def _prediction(source, text):
    strings = re.findall(r'"([^"\n]*)"', source)  # they tell a choice's slash from one between two
    about = next((s for s in strings if text.startswith(f"{_PREDICTION}{s}: ")), None)
    about = about or text.removeprefix(_PREDICTION).partition(": ")[0]
    offered = text.removeprefix(f"{_PREDICTION}{about}: ")
    choices = [s for s in strings if s != about]
    if " / ".join(choices) != offered:
        choices = offered.split(" / ")
    buttons = "".join(f"<li>{html.escape(choice)}</li>" for choice in choices)
    return (
        f'<div class="prediction"><p>{_PREDICTION}{html.escape(about)}:</p><ul>{buttons}</ul></div>'
    )


def _explorer(cell, number, said, drawn):
    told = f'<p class="said">{html.escape(said)}</p>' if said else ""
    if not drawn:
        return f'<div class="explorer still">{told}</div>'
    data = json.dumps(drawn, ensure_ascii=False, separators=(",", ":"))
    data = data.replace("<", "\\u003c")  # no "</script>" can end the block before its time
    folder = f"_static/frames/{number}/{cell}/"
    return (
        f'<div class="explorer" data-folder="{folder}">{told}'
        f'<script type="application/json">{data}</script></div>'
    )
