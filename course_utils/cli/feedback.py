"""A page for each student: what every exercise earned, and the code and the outputs behind it.

The page is one file that fetches nothing, and a browser runs no script in it. Hidden tests are
not in it, and an output that repeats a line of them is left out.
"""

import collections
import functools
import hashlib
import html
import re

_LONGEST = 10_000  # characters of one text
_SIZES = range(1, 2_000_000)  # characters of one picture
_PICTURES = ("image/png", "image/jpeg")
_COLOURS = re.compile("\x1b\\[[0-9;]*m")
_PAGE = """\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy"
 content="default-src 'none'; style-src 'unsafe-inline'; img-src data:">
<title>{title}</title>
<style>
body {{ font: 16px/1.5 sans-serif; max-width: 56rem; margin: 2rem auto; padding: 0 1rem; }}
table {{ border-collapse: collapse; }}
th, td {{ border-bottom: 1px solid #999; padding: .3rem .8rem; text-align: left; }}
td.number {{ text-align: right; }}
pre {{ overflow-x: auto; background: #f6f6f6; padding: .6rem; margin: .4rem 0; }}
.jp-OutputArea pre {{ background: none; border-left: 3px solid #999; }}
.jp-InputPrompt, .jp-OutputPrompt, .anchor-link, .prompt {{ display: none; }}
img {{ max-width: 100%; }}
{styles}
</style>
</head>
<body>
<h1>{title}</h1>
{table}
{sections}
</body>
</html>
"""


def page(student, assignment, scores, shown=(), hidden=(), notes=()):
    """The page as text.

    Args:
        student, assignment: how they are called; anything.
        scores: a list of ``scoring.Score``.
        shown: what ran, a list of ``scoring.Shown``.
        hidden: sources of hidden tests.
        notes: sentences to put below the table.
    """
    secrets = _secrets(hidden)
    scores = [one._replace(why=_kept(one.why, secrets)) for one in scores]
    total, of = sum(s.points for s in scores), sum(s.of for s in scores)
    rows = "\n".join(
        f'<tr><th scope="row">{_text(s.exercise)}</th><td class="number">{s.points:g}</td>'
        f'<td class="number">{s.of:g}</td><td>{_text(s.why)}</td></tr>'
        for s in scores
    )
    table = (
        f"<p>{total:g} of {of:g} points.</p>\n<table>\n<thead><tr><th>Exercise</th><th>Points</th>"
        f"<th>of</th><th>Why</th></tr></thead>\n<tbody>\n{rows}\n</tbody>\n</table>\n"
    )
    table += "".join(f"<p>{_text(note)}</p>\n" for note in notes)
    sections = []
    for one in scores:
        mine = [piece for piece in shown if piece.exercise == one.exercise]
        if mine:
            title = f"Exercise {one.exercise}: {one.points:g} of {one.of:g}, {one.why}"
            sections.append(f"<h2>{_text(title)}</h2>\n{_cells(mine, secrets)}")
    rest = [piece for piece in shown if not piece.exercise and _is_of_interest(piece)]
    if rest:
        sections.append(f"<h2>Other cells of your own, or that stop</h2>\n{_cells(rest, secrets)}")
    title = _text(f"{assignment}: {student}")
    return _PAGE.format(title=title, table=table, sections="\n".join(sections), styles=_styles())


def file_names(students):
    """A dictionary of file names for students; no two differ by upper and lower case alone."""
    plain = {student: file_name(student) for student in students}
    often = collections.Counter(name.lower() for name in plain.values())
    return {s: file_name(s, often[name.lower()] > 1) for s, name in plain.items()}


def file_name(student, marked=False):
    """A file name for a student's page on any system, another one for each student.

    It ends in a hash where the name cannot be kept as it is, or if it is to be ``marked``.
    """
    plain = re.sub(r"[^\w .-]", "_", student)[:80].strip(" .") or "_"
    taken = re.fullmatch("(con|prn|aux|nul|com[0-9]|lpt[0-9])(\\..*)?", plain, re.I)
    if plain == student and not taken and not marked:
        return f"{plain}.html"
    return f"{plain}-{hashlib.sha256(student.encode()).hexdigest()[:8]}.html"


def _text(text):
    return html.escape(str(text))


def _is_of_interest(piece):
    return not piece.lesson or any(output.output_type == "error" for output in piece.outputs)


def _secrets(hidden):
    """The lines of hidden tests that are long enough to be told from chance."""
    lines = {line.strip() for source in hidden for line in source.splitlines()}
    return {line for line in lines if len(line) >= 16}


def _kept(text, secrets):
    """The text, or what stands for it where it repeats a hidden test."""
    return "(left out: it repeats a hidden test)" if any(s in text for s in secrets) else text


def _cells(pieces, secrets):
    from nbformat import v4

    cells = []
    for piece in pieces:
        outputs = [_shortened(output, secrets) for output in piece.outputs]
        cells.append(v4.new_code_cell(_cut(piece.source), outputs=outputs))
    body, _ = _exporter().from_notebook_node(v4.new_notebook(cells=cells))
    return body


def _cut(text):
    return text if len(text) <= _LONGEST else text[:_LONGEST] + "\n… (cut)"


def _shortened(output, secrets):
    """An output with its texts cut, without what a page does not show."""
    from nbformat import v4

    if output.output_type == "stream":
        text = _COLOURS.sub("", output.text)
        kept = v4.new_output("stream", name=output.name, text=_cut(text))
    elif output.output_type == "error":
        text = "\n".join(map(str, output.get("traceback", [])))
        trace = _cut(_COLOURS.sub("", text)).splitlines()
        kept = v4.new_output("error", ename=output.ename, evalue=output.evalue, traceback=trace)
    else:
        data = output.get("data", {})
        text = str(data.get("text/plain", ""))
        pictures = {kind: data[kind] for kind in _PICTURES if len(data.get(kind, "")) in _SIZES}
        kept = v4.new_output("display_data", {"text/plain": _cut(text), **pictures})
    if _kept(text, secrets) != text:
        return v4.new_output("stream", name="stdout", text=f"{_kept(text, secrets)}\n")
    return kept


@functools.cache
def _exporter():
    """What turns a notebook's cells to HTML."""
    from nbconvert import HTMLExporter

    exporter = HTMLExporter(template_name="basic", sanitize_html=True)
    exporter.exclude_input_prompt = exporter.exclude_output_prompt = True
    return exporter


def _styles():
    """The style sheet of the colours of code."""
    from pygments.formatters import HtmlFormatter

    return HtmlFormatter(style="default").get_style_defs(".highlight")
