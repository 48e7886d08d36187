"""A page for each student by nbgrader's own template, with why each exercise has its points.

The page is one file that fetches nothing, and a browser runs no script in it.
"""

import copy
import functools
import html
import re

from nbconvert import HTMLExporter
from nbformat import v4
from nbgrader.converters import GenerateFeedback
from nbgrader.coursedir import CourseDirectory

from course_utils.instructors import assemble, execute

_SCRIPT = re.compile(r"<script\b.*?</script>|<link\b[^>]*>", re.S)
_LIST = re.compile(r'<div id="toc">.*?</div>', re.S)  # of cells, with points that the table has
_POLICY = (
    '<meta http-equiv="Content-Security-Policy" '
    "content=\"default-src 'none'; style-src 'unsafe-inline'; img-src data:\">"
)


def mark(told):
    """What a page bears that says what ``told`` is a digest of."""
    return f"<!-- {told} -->"


def page(nb, about, rows, told=""):
    """The page as text.

    Args:
        nb: the graded notebook.
        about: what nbgrader's steps are told of it.
        rows: the student's rows of the gradebook, in the lesson's order.
        told: a digest of the rows, for ``mark``.
    """
    known = execute.reasons(nb)
    try:
        text, _ = _exporter().from_notebook_node(nb, resources=copy.deepcopy(about))
    except Exception as error:  # outputs that no page can hold must not keep the scores back
        words = f"The cells could not be shown ({type(error).__name__})."
        nb = v4.new_notebook(cells=[v4.new_markdown_cell(words, id=assemble.NOTES[1])])
        text, _ = _exporter().from_notebook_node(nb, resources=copy.deepcopy(about))
    text = _SCRIPT.sub("", text)  # the template's own: what students wrote is escaped
    points, of = sum(row.points for row in rows), sum(row.of for row in rows)
    lines = "".join(
        f"<tr><th>{html.escape(r.exercise)}</th><td>{r.points:g}</td><td>{r.of:g}</td>"
        f"<td>{html.escape(_for_students(r.why, known.get(r.exercise, {})))}</td></tr>\n"
        for r in rows
    )
    table = (
        f"<p>{points:g} of {of:g} points.</p>\n<table class=table>\n<tr><th>Exercise</th>"
        f"<th>Points</th><th>of</th><th>Why</th></tr>\n{lines}</table>\n"
    )
    text = text.replace("<head>", f"<head>{_POLICY}{mark(told)}", 1)
    return _LIST.sub(lambda match: table, text, count=1)


def _for_students(why, known):
    said = why.removesuffix(execute.BY_HAND)
    return known.get(said, said) + "; a person will look at it" * (said != why)


@functools.cache
def _exporter():
    """nbgrader's exporter, with our steps."""
    config = GenerateFeedback(coursedir=CourseDirectory(), log=assemble.SILENT).config
    exporter = HTMLExporter(config=config, log=assemble.SILENT)
    for step in execute.FEEDBACK:
        exporter.register_preprocessor(step(parent=exporter), enabled=True)
    return exporter
