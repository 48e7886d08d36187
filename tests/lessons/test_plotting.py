"""Figures are shown once, with their text alternative, as the same bytes each time."""

import base64
import io
from xml.etree import ElementTree

import matplotlib

matplotlib.use("agg")

import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib._mathtext import Parser as MathtextParser
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.image import imread

from course_utils import plotting


@pytest.fixture
def displayed(monkeypatch):
    calls = []
    monkeypatch.setattr(plotting, "display", lambda data, **kwargs: calls.append((data, kwargs)))
    return calls


def line(fig, slope=1.0):
    fig.subplots().plot([0, 1], [0, slope])


def test_show_displays_one_png_with_its_alt_text_twice_as_fine_as_it_is_shown(displayed):
    plotting.show(plotting.draw(line, figsize=(6.0, 3.5)), alt="A rising line.")
    ((data, kwargs),) = displayed
    about = {"alt": "A rising line.", "width": 600}
    assert kwargs == {"raw": True, "metadata": {"image/png": about}}
    assert data["text/plain"] == "Figure: A rising line."
    picture = imread(io.BytesIO(base64.b64decode(data["image/png"])))
    assert picture.shape[1] == 1200, "two pixels for each that is shown"


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


def powers(fig):
    ax = fig.subplots()
    ax.loglog([1e-9, 1e9], [1e-9, 1e9], label=r"$\lambda^2$")
    ax.set(title=r"a title, $x_0$")
    ax.legend()


def test_what_makes_a_redraw_quick_leaves_its_pixels_as_matplotlib_draws_them():
    fig = Figure(layout="none")
    powers(fig)
    fig.set_dpi(plotting.DPI)
    canvas = FigureCanvasAgg(fig)
    canvas.draw()
    for _ in range(2):
        np.testing.assert_array_equal(plotting.pixels(plotting.draw(powers)), canvas.buffer_rgba())


def test_a_redraw_sets_no_formula_that_an_earlier_one_has_set(monkeypatch):
    plotting.pixels(plotting.draw(powers))
    monkeypatch.setattr(MathtextParser, "parse", lambda *args: pytest.fail("set again"))
    plotting.pixels(plotting.draw(powers))


def test_a_quick_picture_has_the_size_and_almost_the_colours_of_a_careful_one():
    careful, quick = (
        imread(io.BytesIO(plotting.png(plotting.draw(line), quick=quick)))[..., :3]
        for quick in (0, 1)
    )
    assert careful.shape == quick.shape
    assert np.abs(careful - quick).max() < 0.2 and np.abs(careful - quick).mean() < 1e-3


def test_a_table_is_shown_as_html_and_says_the_same_as_text(displayed):
    rows = [["CG", 1437, 1e-9], ["<b>", jnp.int32(-3), jnp.float32(-0.25)], ["λ & δ", None, True]]
    plotting.table(rows, ["solver", "steps", "residual"], caption="Two & more")
    ((data, kwargs),) = displayed
    assert kwargs == {"raw": True}
    assert data["text/plain"].split("\n") == [
        "Two & more",
        "solver  steps  residual",
        "------  -----  --------",
        "CG      1,437      1e-9",
        "<b>        −3     −0.25",
        "λ & δ              True",
    ]
    tree = ElementTree.fromstring(data["text/html"])
    cells = [[cell.text or "" for cell in row] for row in tree.iter("tr")]
    assert cells == [
        ["solver", "steps", "residual"],
        ["CG", "1,437", "1e-9"],
        ["<b>", "−3", "−0.25"],
        ["λ & δ", "", "True"],
    ]
    assert tree.find("caption").text == "Two & more"
    assert [cell.get("scope") for cell in tree.iter("th")] == ["col"] * 3 + ["row"] * 3
    sides = [cell.get("style").split()[-1] for cell in tree.find("tbody")[0]]
    assert sides == ["left", "right", "right"]


def test_each_column_of_a_table_may_have_its_format(displayed):
    plotting.table([[0.123456, 0.5, 2.0]], ["a", "b", "c"], formats=[".2f", ".0%", ""])
    assert displayed[0][0]["text/plain"].split("\n")[-1] == "0.12  50%  2.0"


@pytest.mark.parametrize(
    ("rows", "heads", "formats", "words"),
    [
        ([], ["a"], "", "a table needs rows and heads: got 0 and 1"),
        ([[1, 2], [3]], ["a", "b"], "", r"row 1 has 1 cells for 2 heads: \[3\]"),
        ([[1, 2]], ["a", "b"], [".1f"], "1 formats for 2 heads"),
    ],
)
def test_a_table_that_does_not_fit_is_refused(displayed, rows, heads, formats, words):
    with pytest.raises(ValueError, match=words):
        plotting.table(rows, heads, formats=formats)
    assert not displayed


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
