"""Figures are shown once, with their text alternative, as the same bytes each time."""

import base64
import io

import matplotlib

matplotlib.use("agg")

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.image import imread

from course_utils import plotting


@pytest.fixture
def displayed(monkeypatch):
    calls = []
    monkeypatch.setattr(plotting, "display", lambda data, **kwargs: calls.append((data, kwargs)))
    return calls


def line(fig, slope=1.0):
    fig.subplots().plot([0, 1], [0, slope])


def test_show_displays_one_png_with_its_alt_text(displayed):
    plotting.show(plotting.draw(line), alt="A rising line.")
    ((data, kwargs),) = displayed
    assert kwargs == {"raw": True, "metadata": {"image/png": {"alt": "A rising line."}}}
    assert data["text/plain"] == "Figure: A rising line."
    assert imread(io.BytesIO(base64.b64decode(data["image/png"]))).ndim == 3


def test_show_closes_the_figure_so_that_the_front_end_does_not_show_it_again(displayed):
    fig, _ = plt.subplots()
    assert fig.number in plt.get_fignums()
    plotting.show(fig, alt="Empty axes.")
    assert fig.number not in plt.get_fignums()


def test_show_refuses_an_empty_alt_text(displayed):
    with pytest.raises(ValueError, match="alt must say what the figure shows"):
        plotting.show(plotting.draw(line), alt=" ")
    assert not displayed


def test_a_drawing_gives_the_same_bytes_twice_and_others_for_other_values():
    first, again, other = (plotting.png(plotting.draw(line, slope=s)) for s in (1.0, 1.0, 2.0))
    assert first == again != other


def test_every_role_differs_from_every_other_without_its_colour():
    cues = [{k: v for k, v in role.items() if k != "color"} for role in plotting.ROLES.values()]
    assert all(a != b for i, a in enumerate(cues) for b in cues[:i])


def test_every_role_stands_out_from_white():
    for role in plotting.ROLES.values():
        rgb = np.array(matplotlib.colors.to_rgb(role["color"]))
        linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
        contrast = 1.05 / (linear @ [0.2126, 0.7152, 0.0722] + 0.05)
        assert contrast > 3, "WCAG 2.2 asks 3 to 1 of graphical objects"


def test_the_course_style_is_what_new_figures_take():
    with matplotlib.rc_context():
        plotting.use_course_style()
        fig, ax = plt.subplots()
        assert tuple(fig.get_size_inches()) == (6.0, 3.5)
        assert not ax.spines["top"].get_visible()
        plt.close(fig)
