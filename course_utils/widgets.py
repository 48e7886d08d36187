"""``Explorer``: an interactive figure made by the function that also draws the static one.

The picture is one PNG inside an ``ipywidgets.Image``, redrawn when a control moves. Where no kernel
runs (GitHub, a page of stored outputs) the first picture stands in its place. ``ipywidgets.Output``
is not used: front ends and test runners record what it holds in different ways.
"""

import base64
import html
import sys
from collections.abc import Callable, Sequence
from numbers import Integral

import ipywidgets
from IPython.display import display

from course_utils import plotting

_WIDE = {"description_width": "initial"}


def slider(low: float, high: float, *, start: float, label: str, step: float | None = None):
    """A slider from ``low`` to ``high``: over integers if all numbers given are integers.

    Args:
        low, high: the ends, both included.
        start: where the slider stands first.
        label: the quantity and its symbol, as a reader would say it.
        step: the distance between two positions; 1 for integers, else a hundredth of the range.

    Raises:
        ValueError: unless ``low <= start <= high``, ``low < high`` and ``step > 0``.
    """
    if not (low < high and low <= start <= high):
        raise ValueError(f"need low < high and low <= start <= high: got {low}, {start}, {high}")
    whole = all(isinstance(v, Integral) for v in (low, high, start, 1 if step is None else step))
    if step is None:
        step = 1 if whole else (high - low) / 100
    if step <= 0:
        raise ValueError(f"step must be positive: got {step}")
    kind, digits = ipywidgets.IntSlider, "d"
    if not whole:
        kind, digits = ipywidgets.FloatSlider, ".2f" if step >= 0.005 else ".2e"
    return kind(
        readout_format=digits,
        value=start,
        min=low,
        max=high,
        step=step,
        description=label,
        continuous_update=False,
        style=_WIDE,
        layout=ipywidgets.Layout(width="440px", max_width="100%"),
    )


def choice(options: Sequence[str], *, start: str | None = None, label: str):
    """Buttons of which one is pressed; ``start`` is the first option unless given.

    Raises:
        ValueError: if ``start`` is not among ``options``.
    """
    start = options[0] if start is None else start
    if start not in options:
        raise ValueError(f"start is {start!r}, which is not one of {list(options)}")
    return ipywidgets.ToggleButtons(
        options=list(options), value=start, description=label, style=_WIDE
    )


class Explorer(ipywidgets.VBox):
    """A figure with controls under which it is redrawn.

    Args:
        drawing: ``drawing(fig, **values)`` draws on an empty figure; a redraw should take less
            than 150 ms.
        alt: what the figure shows and what the controls change, in a sentence.
        says: ``says(**values) -> str``, a line of text under the figure that follows the controls;
            it reaches those who cannot see the picture.
        figsize: inches.
        **controls: one ``slider`` or ``choice`` for each value that ``drawing`` takes.

    Raises:
        ValueError: if ``alt`` is empty or no control is given.
    """

    def __init__(
        self,
        drawing: Callable,
        *,
        alt: str,
        says: Callable | None = None,
        figsize: tuple[float, float] = (6.0, 3.5),
        **controls: ipywidgets.Widget,
    ):
        if not alt.strip():
            raise ValueError("alt must say what the figure shows; it is empty")
        if not controls:
            raise ValueError("an Explorer needs at least one control, such as slider(...)")
        self._drawing, self._says, self._figsize = drawing, says, figsize
        self.alt, self.controls = alt, controls
        self.image = ipywidgets.Image(
            format="png",
            layout=ipywidgets.Layout(width=f"{figsize[0] * plotting.DPI:.0f}px", max_width="100%"),
        )
        self.text = ipywidgets.HTML()
        self._redraw()
        for control in controls.values():
            control.observe(self._moved, "value")
        super().__init__(children=[*controls.values(), self.image, self.text])

    @property
    def values(self) -> dict:
        """The controls' present values, by name."""
        return {name: control.value for name, control in self.controls.items()}

    @property
    def said(self) -> str:
        """The line of text under the figure, for the present values."""
        return "" if self._says is None else self._says(**self.values)

    def _redraw(self) -> None:
        figure = plotting.draw(self._drawing, figsize=self._figsize, **self.values)
        self.image.value = plotting.png(figure)
        self.text.value = html.escape(self.said)

    def _moved(self, change) -> None:
        try:
            self._redraw()
        except Exception as error:  # front ends hide what a callback raises: say it here
            self.text.value = html.escape(f"{type(error).__name__}: {error}")

    def __repr__(self) -> str:
        values = ", ".join(f"{name}={value!r}" for name, value in self.values.items())
        return f"Explorer({values})" + (f": {self.said}" if self.said else "")

    def _repr_mimebundle_(self, **kwargs):  # ipywidgets 8 displays through this
        data = {"text/plain": repr(self)}
        if "google.colab" not in sys.modules:  # there the live view alone is shown
            data["image/png"] = base64.b64encode(self.image.value).decode()
        if getattr(self, "_view_name", None) is not None:
            data["application/vnd.jupyter.widget-view+json"] = {
                "version_major": 2,
                "version_minor": 0,
                "model_id": self.model_id,
            }
        return data, {"image/png": {"alt": self.alt}}

    def _ipython_display_(self, **kwargs):  # ipywidgets 7, as in Colab, displays through this
        data, metadata = self._repr_mimebundle_()
        display(data, raw=True, metadata=metadata)
        getattr(self, "_handle_displayed", lambda **_: None)(**kwargs)
