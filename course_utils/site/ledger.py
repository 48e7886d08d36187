"""The page of the ledger: each claim of the course beside what would fail if it were false."""

import html
import itertools
import json
import re

from course_utils.cli import claims, notebooks
from course_utils.site import lessons, pages


def page(paths, moved, reproduced, at_scale):
    """The ledger as Markdown.

    Args:
        paths: the solved notebooks.
        moved: rewrites the links of a text of ``notebooks/``.
        reproduced: the Markdown table of papers' numbers beside ours, its links as on the site.
        at_scale: what the job ``paper`` has stored: the name of an experiment to its results.

    Raises:
        ValueError: if a mark is wrong.
    """
    parts, count = [], 0
    for path in paths:
        nb = notebooks.read(path)
        marked = claims.claims(nb)
        if marked:
            count += len(marked)
            parts += _lesson(nb, path, marked, moved)
    head = (
        f"# Ledger\n\n{count} claims of the lessons. Folded under each, or under the last of "
        "several, are the cells that hold it: each run of the tests executes their assertions, "
        "and compares their outputs with those stored.\n"
    )
    papers = f"## Numbers of papers, beside ours\n\n{reproduced}\n\n{_at_scale(at_scale)}"
    return "\n".join([head, *parts, papers])


def _lesson(nb, path, marked, moved):
    """The part of one lesson: claims of one section that the same cells hold share a fold."""
    wrong = claims.problems(nb)
    if wrong:
        raise ValueError("\n".join(f"{path.name}: {line}" for line in wrong))
    cells, sections = {cell.id: cell for cell in nb.cells}, lessons.sections(nb)
    yield f"## {lessons.title(nb)}\n"
    for section, said in itertools.groupby(marked, lambda claim: sections[claim[0]]):
        said = list(said)
        yield f"**{pages.link(path, said[0][0], section)}**\n"
        for holders, alike in itertools.groupby(said, lambda claim: claim[2]):
            for _, text, _ in alike:
                yield f"{moved(text)}\n"
            held = []
            for name in holders:
                asserted, outputs = claims.evidence(cells[name])
                held.append(pages.link(path, name, f"<code>{name}</code>"))
                held += [_verbatim(text) for text in ["\n".join(asserted), *outputs] if text]
            yield _fold(", ".join(f"<code>{name}</code>" for name in holders), held)


def _at_scale(results):
    head = "### At the sizes of the papers\n\n"
    if not results:
        return head + "Nothing has been run at these sizes yet.\n"
    return head + "\n".join(
        _fold(f"<code>{html.escape(name)}</code>", [_verbatim(json.dumps(result, indent=1))])
        for name, result in results.items()
    )


def _fold(summary, lines):
    return "\n".join([f"<details><summary>{summary}</summary>", *lines, "</details>\n"])


def _verbatim(text):
    # a blank line would end Markdown's block of HTML
    text = re.sub(r"\n(?=[ \t]*(?:\n|$))", "&#10;", html.escape(text))
    return f"<pre>{text}</pre>"
