"""The page of the ledger: each claim of the course beside what would fail if it were false."""

import json

from course_utils.cli import claims, notebooks
from course_utils.site import lessons

_LINES = 12  # of an assertion or an output that are shown


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
        if not marked:
            continue
        wrong = claims.problems(nb)
        if wrong:
            raise ValueError("\n".join(f"{path.name}: {line}" for line in wrong))
        code = {cell.id: cell for cell in nb.cells if cell.cell_type == "code"}
        sections = lessons.sections(nb)
        parts.append(f"## {lessons.title(nb)}\n")
        for place, text, holders in marked:
            count += 1
            where = f'<a href="{path.stem}.html#cell-{place}">{sections[place]}</a>'
            parts.append(f"> {moved(text)}\n>\n> {where}\n")
            for name in holders:
                parts.append(_held(path, code[name]))
    head = (
        "# Ledger\n\nA claim of a lesson, and the assertion or the output that holds it: each run "
        "of the tests executes every assertion, and compares every output with the one stored. "
        f"{count} claims are marked.\n"
    )
    papers = f"## Numbers of papers, beside ours\n\n{reproduced}\n\n{_at_scale(at_scale)}"
    return "\n".join([head, *parts, papers])


def _at_scale(results):
    head = "### At the sizes of the papers\n\n"
    if not results:
        return head + "Nothing has been run at these sizes yet.\n"
    parts = [
        f"`{name}`\n\n" + _block("json", json.dumps(r, indent=1)) for name, r in results.items()
    ]
    return head + "\n".join(parts)


def _held(path, cell):
    asserted, outputs = claims.evidence(cell)
    lines = [f'Held by <a href="{path.stem}.html#cell-{cell.id}">`{cell.id}`</a>:\n']
    if asserted:
        lines.append(_block("python", "\n".join(asserted)))
    lines += [_block("text", text) for text in outputs]
    return "\n".join(lines)


def _block(language, text):
    lines = text.split("\n")
    if len(lines) > _LINES:
        lines = [*lines[:_LINES], "# …" if language == "python" else "…"]
    return f"```{language}\n" + "\n".join(lines) + "\n```\n"
