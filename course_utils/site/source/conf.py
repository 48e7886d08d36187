"""Sphinx's settings. ``build`` calls Sphinx with this folder; the pages lie elsewhere."""

import os
import re
from pathlib import Path

from docutils import nodes

import course_utils
from course_utils.site import docstrings

HERE = Path(__file__).resolve().parent.parent

project = "From gradient descent to influence functions"
author = copyright = "the course_utils authors"
version = release = course_utils.__version__
language = "en"
citation = (HERE.parent.parent / "CITATION.cff").read_text(encoding="utf-8")
(released,) = re.findall(r"^date-released: (\S+)", citation, re.MULTILINE)
html_context = {"released": released}

extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.mathjax"]
root_doc = "index"
exclude_patterns = ["downloads"]
nb_execution_mode = "off"
nb_merge_streams = True
nb_render_markdown_format = "myst"
nb_number_source_lines = False
nb_mime_priority_overrides = [("html", "image/png", 0)]
myst_enable_extensions = ["dollarmath", "deflist"]
myst_dmath_double_inline = True
myst_heading_anchors = 4
suppress_warnings = ["mystnb.mime_priority", "myst.xref_missing_anchor"]
pygments_style, pygments_dark_style = "a11y-high-contrast-light", "a11y-high-contrast-dark"

html_theme = "furo"
html_title = project
html_static_path = [os.environ["COURSE_STATIC"], str(HERE / "static")]
templates_path = [str(HERE / "templates")]
html_favicon = str(HERE / "static" / "icon.svg")
html_css_files = ["course.css"]
html_js_files = [("course.js", {"defer": "defer"})]
html_search_scorer = str(HERE / "source" / "scorer.js")
html_show_sourcelink = html_copy_source = False
html_theme_options = {"top_of_page_buttons": [], "navigation_with_keys": True}
mathjax_path = "mathjax/tex-chtml.js"
mathjax3_config = {
    "tex": {"inlineMath": [["\\(", "\\)"]], "displayMath": [["\\[", "\\]"]]},
    "options": {"enableMenu": False},  # or the tab key would stop at each formula
}

autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
autodoc_typehints = "none"
napoleon_numpy_docstring = False
napoleon_use_rtype = False
napoleon_use_ivar = True
napoleon_custom_sections = ["Source", "Sources"]
add_module_names = False


def mathematics_and_escapes(app, what, name, obj, options, lines):
    """Docstrings are written for readers of code: dollars, single stars, bars."""
    lines[:] = docstrings.to_rst("\n".join(lines)).split("\n")


def leave_out_fields(app, what, name, obj, skip, options):
    """The fields of a class stand in its docstring; properties and methods have their own."""
    is_field = what == "class" and not callable(obj) and not isinstance(obj, property)
    return True if is_field else None


def keep_together(formula):
    """Keep a bracket or a comma on the line of the formula that it touches."""
    line, place = formula.parent, formula.parent.index(formula)
    before, after = "", ""
    if place > 0 and isinstance(line[place - 1], nodes.Text):
        text = line[place - 1].astext()
        before = re.search(r"[(\[“]*$", text)[0]
    if place + 1 < len(line) and isinstance(line[place + 1], nodes.Text):
        text = line[place + 1].astext()
        after = re.match(r"[)\].,;:!?”’]*", text)[0]
        line[place + 1] = nodes.Text(text[len(after) :])
    if before:
        text = line[place - 1].astext()
        line[place - 1] = nodes.Text(text[: len(text) - len(before)])
    if before or after:
        together = nodes.inline(classes=["together"])
        line[place] = together
        together += [nodes.Text(before), formula, nodes.Text(after)]


def finish_page(app, doctree):
    """Anchors and text alternatives of cells; formulas that keep their own number."""
    for cell in doctree.findall(nodes.container):
        if cell.get("nb_element") == "cell_code":
            told = cell["cell_metadata"]
            if "cell_id" in told:
                cell["ids"].append(f"cell-{told['cell_id']}")
            for image, alt in zip(cell.findall(nodes.image), told.get("alts", [])):
                image["alt"] = alt
    for formula in list(doctree.findall(nodes.math)):
        keep_together(formula)
    for block in doctree.findall(nodes.math_block):
        if not block.get("no-wrap"):
            formula = re.sub(r"\n\s*\n", "\n", block.astext().strip())
            block["no-wrap"] = block["nowrap"] = True
            block[:] = [nodes.Text(f"\\[{formula}\\]")]


def setup(app):
    """Called by Sphinx."""
    app.connect("autodoc-process-docstring", mathematics_and_escapes, priority=400)
    app.connect("autodoc-skip-member", leave_out_fields)
    app.connect("doctree-read", finish_page)
