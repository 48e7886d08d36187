"""An Explorer's picture follows its controls, and its first picture outlives the kernel."""

import base64

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


def test_the_first_picture_is_the_static_one():
    want = plotting.png(plotting.draw(line, figsize=(6.0, 3.5), slope=1.0))
    assert explorer().image.value == want


def test_moving_a_control_redraws_the_picture_and_its_text():
    ex = explorer()
    before = ex.image.value
    ex.controls["slope"].value = 2.0
    assert ex.image.value == plotting.png(plotting.draw(line, figsize=(6.0, 3.5), slope=2.0))
    assert ex.image.value != before
    assert ex.text.value == "slope 2.0 &lt; 9"


def test_an_error_while_drawing_is_told_under_the_figure_which_stays():
    ex = explorer()
    before = ex.image.value
    ex.controls["slope"].value = 9.0
    assert ex.text.value == "RuntimeError: too steep" and ex.image.value == before
    ex.controls["slope"].value = 2.0
    assert ex.text.value == "slope 2.0 &lt; 9"


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
    assert base64.b64decode(data["image/png"]) == ex.image.value
    assert data["text/plain"] == "Explorer(slope=1.0): slope 1.0 < 9"
    assert kwargs == {"raw": True, "metadata": {"image/png": {"alt": "A line."}}}
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


def test_a_slider_of_integers_gives_integers_and_others_give_floats():
    assert type(widgets.slider(0, 9, start=1, label="n").value) is int
    assert type(widgets.slider(0.0, 9, start=1, label="n").value) is float


def test_a_slider_waits_for_the_hand_to_rest():
    assert widgets.slider(0, 9, start=1, label="n").continuous_update is False


@pytest.mark.parametrize("low, high, start", [(1, 0, 1), (0, 0, 0), (0, 1, 2)])
def test_a_slider_refuses_a_start_outside_its_ends(low, high, start):
    with pytest.raises(ValueError, match="need low < high and low <= start <= high"):
        widgets.slider(low, high, start=start, label="n")


def test_a_choice_starts_at_its_first_option_and_refuses_an_unknown_one():
    assert widgets.choice(["raw", "eigen"], label="basis").value == "raw"
    with pytest.raises(ValueError, match="start is 'other'"):
        widgets.choice(["raw", "eigen"], start="other", label="basis")


def test_a_slider_over_small_numbers_shows_their_digits():
    assert widgets.slider(1e-6, 1e-4, start=5e-5, label="l2").readout_format == ".2e"
    assert widgets.slider(0.0, 1.0, start=0.5, label="x").readout_format == ".2f"


def test_a_slider_takes_the_integers_of_numpy():
    ends = np.array([0, 9, 1])
    assert type(widgets.slider(ends[0], ends[1], start=ends[2], label="n").value) is int


@pytest.mark.parametrize("step", [0, -1])
def test_a_slider_refuses_a_step_that_leads_nowhere(step):
    with pytest.raises(ValueError, match="step must be positive"):
        widgets.slider(0, 9, start=1, step=step, label="n")
