"""One visual vocabulary for the course: what a line means is the same in every figure.

Theory is a black line, a simulation blue circles, an approximation a dashed vermilion line, a
reference a dotted grey one. The hues are those of Okabe and Ito, and each comes with its own line
or marker, so that colour is never the only cue.
"""

import base64
import functools
import html
import io
from collections.abc import Callable, Sequence
from numbers import Integral, Real
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from IPython.display import display
from matplotlib.backends.backend_agg import FigureCanvasAgg, RendererAgg
from matplotlib.figure import Figure
from PIL import Image

ROLES = {
    "exact": dict(color="#000000", linestyle="-"),
    "simulated": dict(
        color="#0072B2", linestyle="none", marker="o", fillstyle="none", markersize=4
    ),
    "approx": dict(color="#D55E00", linestyle="--"),
    "reference": dict(color="#767676", linestyle=":"),
}

DPI = 200  # of the stored pixels: sharp on a screen of high density, and when projected
SHOWN = 100  # pixels of the page per inch, so that a figure of 6 inches is shown 600 wide
COLOURS = 128  # a palette keeps a picture at a third of its size, with no visible change

_STYLE: dict[Any, Any] = {
    "figure.figsize": (6.0, 3.5),
    "figure.dpi": DPI,
    "figure.constrained_layout.use": True,
    "figure.subplot.left": 0.14,  # these four for ``draw``, which has no time to fit the margins
    "figure.subplot.right": 0.97,
    "figure.subplot.bottom": 0.16,
    "figure.subplot.top": 0.91,
    "font.size": 11,
    "axes.titlesize": 11,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
    "image.cmap": "cividis",
}


def use_course_style() -> None:
    """Set the course's figure style for this session: size, type size, no top or right spine."""
    plt.rcParams.update(_STYLE)


def show(fig: Figure, *, alt: str) -> None:
    """Display ``fig`` once, as a PNG that carries ``alt`` as its text alternative.

    Args:
        fig: a figure made by ``plt.subplots``, ``plt.figure`` or ``draw``; it is closed.
        alt: what the figure shows, in a sentence or two, for those who cannot see it.

    Raises:
        ValueError: if ``alt`` is empty.
    """
    if not alt.strip():
        raise ValueError("alt must say what the figure shows; it is empty")
    data, about = as_output(png(fig), alt=alt, width=fig.get_figwidth(), text=f"Figure: {alt}")
    display(data, raw=True, metadata=about)
    plt.close(fig)


def as_output(picture: bytes, *, alt: str, width: float, text: str) -> tuple[dict, dict]:
    """A PNG, shown ``width`` inches wide, as a cell stores it: its formats, and their metadata."""
    data = {"image/png": base64.b64encode(picture).decode(), "text/plain": text}
    return data, {"image/png": {"alt": alt, "width": round(width * SHOWN)}}


def draw(drawing: Callable, *, figsize: tuple[float, float] | None = None, **values) -> Figure:
    """Return a new figure on which ``drawing(fig, **values)`` has drawn.

    The same ``drawing`` makes the printed figure and, inside ``widgets.Explorer``, the moving one,
    so the two cannot disagree. Margins are fixed, and titles do not give way to what stands above
    the axes: the one would double the time of a redraw, the other would add a tenth.
    """
    # None would ask for the course's style; the hints of matplotlib do not know the word "none"
    fig = Figure(figsize=figsize, layout="none")  # type: ignore[arg-type]
    with plt.rc_context({"axes.titley": 1.0}):
        drawing(fig, **values)
    return fig


def pixels(fig: Figure, dpi: int = DPI) -> np.ndarray:
    """The figure's pixels, red, green, blue and 255: bytes, of shape (height, width, 4)."""
    fig.set_dpi(dpi)
    canvas = FigureCanvasAgg(fig)
    canvas.get_renderer().mathtext_parser = _mathtext_parser()
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())


@functools.cache
def _mathtext_parser():
    """One for all figures, which knows what it has set: 10⁻³ beside an axis, say.

    matplotlib gives each figure one of its own, and would set such labels anew at each redraw.
    """
    return RendererAgg(1, 1, DPI).mathtext_parser


def png(fig: Figure, dpi: int = DPI, *, quick: bool = False) -> bytes:
    """The figure as PNG bytes, in a palette, without the version stamp that would change them.

    ``quick`` takes a third less time and four times the bytes, for a picture that the next one soon
    replaces: it has no palette, and is packed less tightly.
    """
    picture = Image.fromarray(pixels(fig, dpi)).convert("RGB")
    if not quick:
        method, dither = Image.Quantize.MEDIANCUT, Image.Dither.NONE
        picture = picture.quantize(COLOURS, method=method, dither=dither)
    packed = io.BytesIO()
    picture.save(packed, format="png", compress_level=1 if quick else 9)
    return packed.getvalue()


def table(
    rows: Sequence[Sequence],
    heads: Sequence[str],
    *,
    formats: str | Sequence[str] = ".3g",
    caption: str = "",
) -> None:
    """Display a table, with a plain-text twin for consoles and for the tests.

    ``table([["CG", 43, 1e-9], ["LiSSA", 5000, 0.21]], ["solver", "steps", "residual"])`` shows two
    rows. The first column names its row. Numbers stand right, words left.

    Args:
        rows: one sequence of cells per row; a cell is a word, a number, an array of one number, or
            None for an empty one.
        heads: what each column holds, with its unit. Plain text, Greek letters included: "λ", "δ".
        formats: how a number that is not whole is written (``".3g"``, ``".2f"``, ``".1%"``): one
            for all columns or one for each; ``""`` is Python's own. Whole numbers get commas.
        caption: what the rows have in common, in a line above them.

    Raises:
        ValueError: if there is no row, a row has more or fewer cells than there are heads, or the
            formats do not match the heads.
    """
    rows, heads = [list(row) for row in rows], [str(head) for head in heads]
    if not rows or not heads:
        raise ValueError(f"a table needs rows and heads: got {len(rows)} and {len(heads)}")
    for number, row in enumerate(rows):
        if len(row) != len(heads):
            raise ValueError(f"row {number} has {len(row)} cells for {len(heads)} heads: {row}")
    each = [formats] * len(heads) if isinstance(formats, str) else list(formats)
    if len(each) != len(heads):
        raise ValueError(f"{len(each)} formats for {len(heads)} heads: give one, or one for each")
    cells = [[_written(cell, how) for cell, how in zip(row, each)] for row in rows]
    right = [any(_is_number(row[j]) for row in rows) for j in range(len(heads))]
    display(
        {
            "text/html": _html(cells, heads, right, caption),
            "text/plain": _text(cells, heads, right, caption),
        },
        raw=True,
    )


def _is_number(cell) -> bool:
    if getattr(cell, "shape", None) == ():  # of NumPy or JAX
        cell = cell.item()
    return isinstance(cell, Real) and not isinstance(cell, bool)


def _written(cell, how: str) -> str:
    """A cell as text, with a real minus sign."""
    if cell is None:
        return ""
    if getattr(cell, "shape", None) == ():
        cell = cell.item()
    if not _is_number(cell):
        return str(cell)
    if isinstance(cell, Integral):
        text = f"{cell:,}"
    else:
        text = format(cell, how)
        mantissa, e, exponent = text.partition("e")
        text = f"{mantissa}e{int(exponent)}" if e else text  # 1e-9, not 1e-09
    return "\u2212" + text[1:] if text.startswith("-") else text


def _html(cells, heads, right, caption) -> str:
    sides = ["right" if j else "left" for j in right]

    def row(kinds, texts):
        ends = zip(kinds, texts, sides)
        return (
            "<tr>"
            + "".join(
                f'<{kind} style="text-align: {side}">{html.escape(text)}</{kind[:2]}>'
                for kind, text, side in ends
            )
            + "</tr>"
        )

    above = f'<caption style="text-align: left">{html.escape(caption)}</caption>' if caption else ""
    first = row(['th scope="col"'] * len(heads), heads)
    kinds = ['th scope="row"'] + ["td"] * (len(heads) - 1)
    body = "\n".join(row(kinds, texts) for texts in cells)
    return f"<table>{above}<thead>{first}</thead><tbody>\n{body}\n</tbody></table>"


def _text(cells, heads, right, caption) -> str:
    widths = [max(map(len, column)) for column in zip(heads, *cells)]
    lines = [
        "  ".join(text.rjust(w) if j else text.ljust(w) for text, w, j in zip(line, widths, right))
        for line in [heads, ["-" * w for w in widths], *cells]
    ]
    return "\n".join([caption] * bool(caption) + [line.rstrip() for line in lines])
