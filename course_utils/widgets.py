"""Widgets: ``Explorer``, a figure that follows its controls, and ``Prediction``, a guess kept.

The picture is one PNG, redrawn when a control moves, by the function that also draws the static
figure. Where no kernel runs (GitHub, a page of stored outputs) the first picture stands in its
place. ``ipywidgets.Output`` is not used: front ends and test runners record what it holds in
different ways.
"""

import asyncio
import base64
import html
import math
import sys
from collections.abc import Callable, Sequence
from decimal import Decimal
from numbers import Integral

import ipywidgets
import numpy as np
from IPython.display import display
from matplotlib.figure import Figure

from course_utils import plotting

_WIDE = {"description_width": "initial"}
_PAUSE = 0.02  # seconds in which further moves of a control are gathered before a redraw


def slider(low: float, high: float, *, start: float, label: str, step: float | None = None):
    """A slider from ``low`` to ``high``: over integers if all numbers given are integers.

    Args:
        low, high: the ends, both included.
        start: where the slider stands first.
        label: the quantity and its symbol, as a reader would say it.
        step: the distance between two positions; 1 for integers, else a hundredth of the range.

    Raises:
        ValueError: unless ``low <= start <= high``, ``low < high`` and ``step > 0``, all finite.
    """
    if not all(map(math.isfinite, (low, high, start, 1 if step is None else step))):
        raise ValueError(f"a slider needs finite numbers: got {low}, {high}, {start}, {step}")
    if not (low < high and low <= start <= high):
        raise ValueError(f"need low < high and low <= start <= high: got {low}, {start}, {high}")
    whole = all(isinstance(v, Integral) for v in (low, high, start, 1 if step is None else step))
    if step is None:
        step = 1 if whole else (high - low) / 100
    if step <= 0:
        raise ValueError(f"step must be positive: got {step}")
    kind = ipywidgets.IntSlider if whole else ipywidgets.FloatSlider
    return kind(
        readout_format="d" if whole else _readout(low, high, step),
        value=start,
        min=low,
        max=high,
        step=step,
        description=label,
        continuous_update=True,
        style=_WIDE,
        layout=ipywidgets.Layout(width="440px", max_width="100%"),
    )


def _readout(low: float, high: float, step: float) -> str:
    """A format with as many digits as tell two neighbouring positions apart."""
    size = math.floor(math.log10(step))  # step = 0.025: -2
    largest = math.floor(math.log10(max(abs(low), abs(high))))
    if size < -4 or largest > 5:
        return f".{max(0, largest - size)}e"
    # all decimals of 0.025, three digits of 1/3; positions that begin at 0.005 keep its three
    decimals = max(min(_decimals(number), 2 - size) for number in (step, low))
    return f".{max(0, decimals)}f"


def _decimals(number: float) -> int:
    """How many digits stand behind the point in the shortest spelling of ``number``."""
    return max(0, -int(Decimal(repr(float(number))).normalize().as_tuple().exponent))


def choice(options: Sequence[str], *, start: str | None = None, label: str):
    """Buttons of which one is pressed; ``start`` is the first option unless given.

    Raises:
        ValueError: if there is no option, or ``start`` is not among ``options``.
    """
    if not options:
        raise ValueError("a choice needs one option or more; options is empty")
    start = options[0] if start is None else start
    if start not in options:
        raise ValueError(f"start is {start!r}, which is not one of {list(options)}")
    return ipywidgets.ToggleButtons(
        options=list(options), value=start, description=label, style=_WIDE
    )


class _Shown(ipywidgets.VBox):
    """A box of widgets that stands for itself as text, and as a picture, where no kernel runs."""

    def _stored(self) -> tuple[dict, dict]:
        return {"text/plain": repr(self)}, {}

    def _repr_mimebundle_(self, **kwargs):  # ipywidgets 8 displays through this
        data, about = self._stored()
        if "google.colab" in sys.modules:  # there the live view alone is shown
            data.pop("image/png", None)
        if getattr(self, "_view_name", None) is not None:
            data["application/vnd.jupyter.widget-view+json"] = {
                "version_major": 2,
                "version_minor": 0,
                "model_id": self.model_id,
            }
        return data, about

    def _ipython_display_(self, **kwargs):  # ipywidgets 7, as in Colab, displays through this
        data, metadata = self._repr_mimebundle_()
        display(data, raw=True, metadata=metadata)
        getattr(self, "_handle_displayed", lambda **_: None)(**kwargs)


class Explorer(_Shown):
    """A figure with controls under which it is redrawn.

    The picture follows the hand: while a control moves, the newest values are drawn, and those that
    came and went in the meantime are not.

    Args:
        drawing: ``drawing(fig, **values)`` draws on an empty figure; a redraw should take less
            than 150 ms.
        alt: what the figure shows and what the controls change, in a sentence.
        says: ``says(**values) -> str``, a line of text under the figure that follows the controls;
            it reaches those who cannot see the picture.
        figsize: inches.
        **controls: one ``slider`` or ``choice`` for each value that ``drawing`` takes.

    Raises:
        ValueError: if ``alt`` is empty, no control is given, or one has the name ``fig``.
        TypeError: if a control is no widget with a value.
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
        if "fig" in controls:
            raise ValueError("a control cannot be named fig: drawing(fig, ...) takes the figure so")
        for name, control in controls.items():
            if not (isinstance(control, ipywidgets.Widget) and hasattr(control, "value")):
                raise TypeError(f"{name} must be slider(...) or choice(...): got {control!r}")
        self._drawing, self._says, self._figsize = drawing, says, figsize
        self._due = False  # whether a control moved since the last redraw
        self.alt, self.controls = alt, controls
        self.image, self.text = ipywidgets.HTML(), ipywidgets.HTML()
        self._redraw(quick=False)
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
        return self._line(self.values)

    def drawn(self, **values) -> tuple[np.ndarray, str]:
        """The pixels and the line of text that readers meet when they set ``values``."""
        return plotting.pixels(self._figure(values)), self._line(values)

    def settle(self) -> None:
        """Draw now what a control has asked for, if anything."""
        if self._due:
            self._due = False
            try:
                self._redraw(quick=True)
            except Exception as error:  # front ends hide what a callback raises: say it here
                self._tell(f"{type(error).__name__}: {error}")

    def _redraw(self, quick: bool) -> None:
        self.picture, said = plotting.png(self._figure(self.values), quick=quick), self.said
        width, height = (round(inches * plotting.SHOWN) for inches in self._figsize)
        self.image.value = (  # decoded at once, or the page would be white for a moment
            f'<img src="data:image/png;base64,{base64.b64encode(self.picture).decode()}" '
            f'alt="{html.escape(self.alt)}" width="{width}" height="{height}" decoding="sync" '
            'style="max-width: 100%; height: auto">'
        )
        self._tell(said)

    def _figure(self, values: dict) -> Figure:
        return plotting.draw(self._drawing, figsize=self._figsize, **values)

    def _line(self, values: dict) -> str:
        return "" if self._says is None else str(self._says(**values))

    def _tell(self, words: str) -> None:
        self.text.value = (
            f'<div role="status" aria-live="polite">{html.escape(words)}</div>' if words else ""
        )

    def _moved(self, change) -> None:
        """Redraw soon, once for all moves until then: later ones make earlier ones stale."""
        waiting, self._due = self._due, True
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:  # no kernel: nothing else would call
            self.settle()
            return
        if not waiting:
            loop.call_later(_PAUSE, self.settle)

    def __repr__(self) -> str:
        values = ", ".join(f"{name}={value!r}" for name, value in self.values.items())
        return f"Explorer({values})" + (f": {self.said}" if self.said else "")

    def _stored(self):
        width = self._figsize[0]
        return plotting.as_output(self.picture, alt=self.alt, width=width, text=repr(self))


class Prediction(_Shown):
    """Buttons, or a line to write on, for a reader's prediction; see ``exercises.predict``.

    Args:
        about: what is predicted, in a few words.
        choices: two or more; none for a line to write on.
        keep: called with what was chosen or written, each time that changes.
        said: what was said before, which stands there again.

    Raises:
        ValueError: if ``about`` is empty, or there is one choice only, or one that is there twice.
    """

    def __init__(self, about: str, choices: Sequence[str], *, keep: Callable, said: str = ""):
        if not about.strip():
            raise ValueError("about must say what is predicted; it is empty")
        if len(choices) == 1 or len(set(choices)) < len(choices):
            raise ValueError(f"give two different choices or more, or none: got {list(choices)}")
        self.about, self.choices, self._keep = about, list(choices), keep
        label = f"{about}:"
        if choices:
            self.control: ipywidgets.Widget = ipywidgets.ToggleButtons(
                options=self.choices,
                value=said if said in choices else None,
                description=label,
                style={"description_width": "initial", "button_width": "auto"},
            )
        else:
            self.control = ipywidgets.Text(
                value=said,
                description=label,
                placeholder="one line, then Enter",
                continuous_update=False,
                style=_WIDE,
                layout=ipywidgets.Layout(width="600px", max_width="100%"),
            )
        self.control.observe(lambda change: self._kept(change["new"]), "value")
        super().__init__(children=[self.control])

    def _kept(self, said: str | None) -> None:
        self._keep((said or "").strip())

    def __repr__(self) -> str:
        return f"Your prediction, {self.about}: {' / '.join(self.choices) or '____'}"
