"""An Explorer's picture follows its controls, and its first picture outlives the kernel."""

import asyncio
import base64
import re
from html import unescape

import matplotlib

matplotlib.use("agg")

import numpy as np
import pytest

from course_utils import plotting, widgets


def line(fig, slope):
    if slope > 8:
        raise RuntimeError("too steep")
    fig.subplots().plot([0, 1], [0, slope])


def explorer(**kwargs):
    kwargs.setdefault("says", lambda slope: f"slope {slope:.1f} < 9")
    return widgets.Explorer(
        line, alt="A line.", slope=widgets.slider(0.0, 9.0, start=1.0, label="slope"), **kwargs
    )


def drawn(slope, **kwargs):
    return plotting.png(plotting.draw(line, figsize=(6.0, 3.5), slope=slope), **kwargs)


def shown(ex):
    """What the live view shows: the bytes of its picture, its alt text, the words below it."""
    data, alt = re.match(
        r'<img src="data:image/png;base64,(.*?)" alt="(.*?)"', ex.image.value
    ).groups()
    return base64.b64decode(data), unescape(alt), unescape(re.sub("<.*?>", "", ex.text.value))


def test_the_first_picture_is_the_static_one():
    ex = explorer()
    assert shown(ex) == (drawn(1.0), "A line.", "slope 1.0 < 9") and ex.picture == drawn(1.0)


def test_moving_a_control_redraws_the_picture_and_its_text():
    ex = explorer()
    ex.controls["slope"].value = 2.0
    assert shown(ex) == (drawn(2.0, quick=True), "A line.", "slope 2.0 < 9")
    assert drawn(2.0, quick=True) != drawn(1.0, quick=True)


def test_the_live_picture_has_its_size_and_its_words_are_announced():
    ex = explorer(figsize=(5.0, 3.0))
    assert 'width="500" height="300"' in ex.image.value
    assert 'role="status" aria-live="polite"' in ex.text.value


def test_in_a_kernel_moves_that_come_together_are_one_redraw_of_the_newest_values():
    drawings = []

    async def drag():
        ex = widgets.Explorer(
            lambda fig, n: drawings.append(n), alt="n", n=widgets.slider(0, 99, start=0, label="n")
        )
        for n in range(1, 31):
            ex.controls["n"].value = n
        assert drawings == [0], "the kernel is free for the next message"
        await asyncio.sleep(0.3)
        assert drawings == [0, 30]
        ex.controls["n"].value = 7
        ex.settle()
        ex.settle()
        await asyncio.sleep(0.1)
        assert drawings == [0, 30, 7]

    asyncio.run(drag())


def test_says_may_give_a_number():
    ex = explorer(says=lambda slope: slope)
    ex.controls["slope"].value = 3.0
    assert shown(ex)[2] == "3.0"


def test_an_error_while_drawing_is_told_under_the_figure_which_stays():
    ex = explorer()
    before = ex.image.value
    ex.controls["slope"].value = 9.0
    assert shown(ex)[2] == "RuntimeError: too steep" and ex.image.value == before
    ex.controls["slope"].value = 2.0
    assert shown(ex)[2] == "slope 2.0 < 9"


def test_an_error_in_the_first_drawing_is_raised():
    with pytest.raises(RuntimeError, match="too steep"):
        widgets.Explorer(
            line, alt="A line.", slope=widgets.slider(0.0, 9.0, start=9.0, label="slope")
        )


def test_what_is_stored_holds_picture_alt_text_and_words(monkeypatch):
    calls = []
    monkeypatch.setattr(widgets, "display", lambda data, **kwargs: calls.append((data, kwargs)))
    ex = explorer()
    ex._ipython_display_()
    ((data, kwargs),) = calls
    assert base64.b64decode(data["image/png"]) == ex.picture
    assert data["text/plain"] == "Explorer(slope=1.0): slope 1.0 < 9"
    assert kwargs == {"raw": True, "metadata": {"image/png": {"alt": "A line.", "width": 600}}}
    assert data["application/vnd.jupyter.widget-view+json"]["model_id"] == ex.model_id


def test_in_colab_the_live_view_stands_alone(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "google.colab", object())
    data, _ = explorer()._repr_mimebundle_()
    assert "image/png" not in data and "application/vnd.jupyter.widget-view+json" in data


def test_without_says_there_is_no_text():
    assert explorer(says=None).text.value == ""


@pytest.mark.parametrize("alt, controls", [("", True), ("A line.", False)])
def test_an_explorer_needs_an_alt_text_and_a_control(alt, controls):
    slider = {"slope": widgets.slider(0.0, 9.0, start=1.0, label="slope")} if controls else {}
    with pytest.raises(ValueError, match="alt must say|at least one control"):
        widgets.Explorer(line, alt=alt, **slider)


def test_a_control_has_a_value_and_another_name_than_the_figure():
    slider = widgets.slider(0.0, 9.0, start=1.0, label="slope")
    with pytest.raises(ValueError, match="cannot be named fig"):
        widgets.Explorer(line, alt="A line.", fig=slider)
    with pytest.raises(TypeError, match=r"slope must be slider\(...\) or choice\(...\): got 1.0"):
        widgets.Explorer(line, alt="A line.", slope=1.0)


def test_a_slider_of_integers_gives_integers_and_others_give_floats():
    assert type(widgets.slider(0, 9, start=1, label="n").value) is int
    assert type(widgets.slider(0.0, 9, start=1, label="n").value) is float


def test_a_slider_follows_the_hand():
    assert widgets.slider(0, 9, start=1, label="n").continuous_update is True


@pytest.mark.parametrize("ends", [(0.0, float("inf"), 1.0), (float("nan"), 1.0, 1.0)])
def test_a_slider_refuses_what_is_not_finite(ends):
    with pytest.raises(ValueError, match="a slider needs finite numbers"):
        widgets.slider(ends[0], ends[1], start=ends[2], label="x")


@pytest.mark.parametrize("low, high, start", [(1, 0, 1), (0, 0, 0), (0, 1, 2)])
def test_a_slider_refuses_a_start_outside_its_ends(low, high, start):
    with pytest.raises(ValueError, match="need low < high and low <= start <= high"):
        widgets.slider(low, high, start=start, label="n")


def test_a_choice_starts_at_its_first_option_and_refuses_an_unknown_one():
    assert widgets.choice(["raw", "eigen"], label="basis").value == "raw"
    with pytest.raises(ValueError, match="start is 'other'"):
        widgets.choice(["raw", "eigen"], start="other", label="basis")


def test_a_choice_without_options_is_refused():
    with pytest.raises(ValueError, match="options is empty"):
        widgets.choice([], label="k")


@pytest.mark.parametrize(
    ("low", "high", "step"),
    [
        (0.005, 0.05, 0.005),
        (0.005, 1.0, 0.01),
        (0.0, 1.0, 0.025),
        (0.0, 1.0, 1 / 3),
        (1e-6, 1e-4, None),
        (0.05, 2.2, None),
        (0.0, 1000.0, 10.5),
        (1.0, 3e7, 1e5),
        (-1e-7, 1e-7, 1e-9),
    ],
)
def test_a_slider_shows_enough_digits_to_tell_two_positions_apart(low, high, step):
    slider = widgets.slider(low, high, start=low, step=step, label="x")
    near = np.arange(low, high, slider.step)[:50]
    read = [float(format(value, slider.readout_format)) for value in near]
    np.testing.assert_allclose(read, near, rtol=0, atol=slider.step / 8)
    assert len(set(read)) == len(near) and len(format(high, slider.readout_format)) < 10


def test_a_slider_takes_the_integers_of_numpy():
    ends = np.array([0, 9, 1])
    assert type(widgets.slider(ends[0], ends[1], start=ends[2], label="n").value) is int


@pytest.mark.parametrize("step", [0, -1])
def test_a_slider_refuses_a_step_that_leads_nowhere(step):
    with pytest.raises(ValueError, match="step must be positive"):
        widgets.slider(0, 9, start=1, step=step, label="n")


def test_a_prediction_tells_what_was_chosen_and_stands_as_text_where_no_kernel_runs():
    kept = []
    asked = widgets.Prediction("the largest step", ["rings", "explodes"], keep=kept.append)
    assert repr(asked) == "Your prediction, the largest step: rings / explodes"
    assert asked.control.value is None
    asked.control.value = "rings"
    asked.control.value = "explodes"
    assert kept == ["rings", "explodes"]
    data, _ = asked._repr_mimebundle_()
    assert data["text/plain"] == repr(asked)
    assert data["application/vnd.jupyter.widget-view+json"]["model_id"] == asked.model_id


def test_a_prediction_without_choices_is_a_line_to_write():
    kept = []
    asked = widgets.Prediction("the slope", [], keep=kept.append)
    asked.control.value = " about 3 "
    assert kept == ["about 3"] and repr(asked) == "Your prediction, the slope: ____"


@pytest.mark.parametrize("about, choices", [(" ", []), ("x", ["one"]), ("x", ["same", "same"])])
def test_a_prediction_that_cannot_be_made_is_refused(about, choices):
    with pytest.raises(ValueError, match="about must say|two different choices or more"):
        widgets.Prediction(about, choices, keep=print)
