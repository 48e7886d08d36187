"""One visual vocabulary for the course: what a line means is the same in every figure.

Theory is a black line, a simulation blue circles, an approximation a dashed vermilion line, a
reference a dotted grey one. The hues are those of Okabe and Ito, and each comes with its own line
or marker, so that colour is never the only cue.
"""

import base64
import io
from collections.abc import Callable
from typing import Any

import matplotlib.pyplot as plt
from IPython.display import display
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

DPI = 100
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
    data = {"image/png": base64.b64encode(png(fig)).decode(), "text/plain": f"Figure: {alt}"}
    display(data, raw=True, metadata={"image/png": {"alt": alt}})
    plt.close(fig)


def draw(drawing: Callable, *, figsize: tuple[float, float] | None = None, **values) -> Figure:
    """Return a new figure on which ``drawing(fig, **values)`` has drawn.

    The same ``drawing`` makes the printed figure and, inside ``widgets.Explorer``, the moving one,
    so the two cannot disagree. Margins are fixed: fitting them would double the time of a redraw.
    """
    # None would ask for the course's style; the hints of matplotlib do not know the word "none"
    fig = Figure(figsize=figsize, layout="none")  # type: ignore[arg-type]
    drawing(fig, **values)
    return fig


def png(fig: Figure, dpi: int = DPI) -> bytes:
    """The figure as PNG bytes, in a palette, without the version stamp that would change them."""
    drawn, packed = io.BytesIO(), io.BytesIO()
    fig.savefig(drawn, format="png", dpi=dpi, pil_kwargs={"compress_level": 0})
    picture = Image.open(drawn).convert("RGB")
    picture = picture.quantize(COLOURS, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    picture.save(packed, format="png")
    return packed.getvalue()
