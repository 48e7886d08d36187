"""Exercises written from templates: files of Jinja2 in which «name» stands for what was drawn.

The template of an exercise sets ``title`` and ``minutes`` and has these blocks:

- to write a function: ``task``, ``given`` (code that the task refers to), ``answer`` (the function,
  its solution between nbgrader's markers), ``check`` (visible cases, and the call of ``check``) and
  ``hidden`` (statements with plain asserts; they become the body of a function). It sets ``points``
  too. Where the check names slips, ``hints`` has a line ``name: what the check says`` for each, and
  «slips» in ``check`` becomes the entries of a list, each a wrong value and its hint;
- to answer in words: ``task``, ``answer`` (a model answer) and ``rubric``, which has a line
  ``points: what they are for`` for each part. The exercise has as many points as these add up to.

A template writes a drawn number by itself, «cost» or «cost | shown» with six significant digits,
and a list of tuples as «cases | rows», one in a line.
"""

import functools
import re
import textwrap
from pathlib import Path
from typing import NamedTuple

CODE = ("task", "given", "answer", "check", "hidden")
WORDS = ("task", "answer", "rubric")

_FOLDER = Path(__file__).parent


class Exercise(NamedTuple):
    """One exercise of a problem set, as the text of its cells."""

    name: str  # such as "F.1"
    title: str
    minutes: int
    points: int
    variant: dict  # what was drawn of its structure, for those who test the set
    task: str  # Markdown: intuition, formula, what to return, hint
    answer: str  # the solved function, or a model answer
    given: str = ""
    check: str = ""
    hidden: str = ""
    rubric: str = ""  # what each point is given for; only of an answer in words

    @property
    def written(self):
        """Whether the answer is one in words."""
        return bool(self.rubric)


def exercise(name, template, variant, values):
    """The exercise that ``template`` makes of what was drawn.

    Args:
        name: such as ``"F.1"``.
        template: path of its template from this folder, such as ``"foundations/fit.j2"``.
        variant: what was drawn of its structure; the template may ask for each by its name.
        values: the other things that the template asks for. Its ``slips``, names and wrong values
            as ``drawing.telling`` leaves them, get the template's hints.

    Raises:
        jinja2.UndefinedError: if the template asks for something that is not there.
        ValueError: if a slip has no hint, or the blocks are not those of an exercise.
    """
    told, blocks = _rendered(template, {**variant, **values})
    if "hints" in blocks:
        slips = values["slips"]
        hints = dict(_lines(blocks.pop("hints")()))
        unknown = [slip for slip in slips if slip not in hints]
        if unknown:
            raise ValueError(f"{template}: no hint for {', '.join(unknown)}")
        told["slips"] = _slip_list([(value, hints[slip]) for slip, value in slips.items()])
    texts = {block: render() for block, render in blocks.items()}
    points = told.get("points", 0)
    if set(texts) == set(WORDS):
        rubric = _lines(texts["rubric"])
        points = sum(int(number) for number, _ in rubric)
        texts["rubric"] = "\n".join(f"- {number} for {text}" for number, text in rubric)
    elif set(texts) != set(CODE):
        raise ValueError(f"{template} has the blocks {', '.join(texts)}")
    return Exercise(name, told["title"], told["minutes"], points, variant, **texts)


def frame(template, values):
    """The blocks of a template that is no exercise, as a dict."""
    _, blocks = _rendered(template, values)
    return {block: render() for block, render in blocks.items()}


def shown(value):
    """A number, or a list of them, as source code with six significant digits."""
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(shown, value)) + "]"
    return repr(float(f"{float(value):.6g}"))


def rows(values):
    """A list of tuples as source code, one in a line, that begins at a line's left edge."""
    return "[\n" + "".join(f"    {row!r},\n" for row in values) + "]"


@functools.cache
def _environment():
    import jinja2

    made = jinja2.Environment(
        variable_start_string="«",
        variable_end_string="»",
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
        loader=jinja2.FileSystemLoader(_FOLDER),
    )
    made.filters.update(shown=shown, rows=rows)
    return made


def _rendered(template, values):
    """What a template has set, as a dict that its blocks see, and how to render each of them."""
    template = _environment().get_template(template)
    context = template.new_context(dict(values))
    context.blocks = {name: [lambda context: ()] for name in template.blocks}
    for _ in template.root_render_func(context):
        pass  # what stands outside of the blocks
    return context.vars, {
        name: functools.partial(_block, render, context) for name, render in template.blocks.items()
    }


def _block(render, context):
    return "".join(render(context)).strip("\n")


def _lines(text):
    """Pairs of what stands before and after the first colon; an indented line continues one."""
    found = []
    for line in re.sub(r"\n +", " ", text).split("\n"):
        before, colon, after = line.partition(": ")
        if line and not colon:
            raise ValueError(f"no ': ' in the line {line!r}")
        if line:
            found.append((before, after))
    return found


def _slip_list(slips):
    """The entries of a check's list ``slips``: each the wrong value, and what it tells."""
    lines = []
    for value, hint in slips:
        value = shown(value if len(value) > 1 else value[0])
        words = [f'"{piece} "' for piece in textwrap.wrap(hint, 62)]
        words[-1] = words[-1].removesuffix(' "') + '",'
        inside = [*textwrap.wrap(f"{value},", 66), *words]
        lines += ["        (", *("            " + line for line in inside), "        ),"]
    return "\n".join(lines)
