"""The site: what its sliders show, what its pages link, and what its ledger lists."""

import base64
import functools
import io
import json
import re
import shutil
import subprocess
import sys
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import ipywidgets
import nbformat
import numpy as np
import pytest
from PIL import Image
from small_notebooks import code, markdown, notebook

from course_utils import widgets
from course_utils.cli import notebooks, release, stamp
from course_utils.cli.setup_venv import ROOT
from course_utils.site import (
    build,
    docstrings,
    frames,
    ledger,
    lessons,
    links,
    pages,
    print_lessons,
)

SOLVED = notebooks.solved()
ADDRESS = stamp.Address("OWNER/REPO")


# What a slider shows


def draw_wave(fig, k, kind="sin"):
    ax, x = fig.subplots(), np.linspace(0, 6, 200)
    ax.plot(x, getattr(np, kind)(k * x), color="#ff0000")  # as red as white is
    ax.set(title=f"{kind}, k = {k:.2f}")


def wave(**controls):
    return widgets.Explorer(
        draw_wave,
        alt="A wave; the controls set its kind and its frequency.",
        says=lambda k, kind="sin": f"{kind} {k:.3f}",
        figsize=(3, 2),
        **controls,
    )


def shown(folder, number):
    """What a browser shows: one picture painted on the other."""
    base = Image.open(folder / "base.webp").convert("RGBA")
    base.alpha_composite(Image.open(folder / f"{number}.webp").convert("RGBA"))
    return np.asarray(base.convert("RGB"))


def test_a_frame_equals_what_the_live_explorer_draws(tmp_path):
    explorer = wave(
        k=widgets.slider(0.5, 3.0, start=1.0, step=0.25, label="frequency k"),
        kind=widgets.choice(["sin", "cos"], start="cos", label="kind"),
    )
    frames.draw({3: explorer, 1: "no explorer"}, {"wave": []}, tmp_path / "99-now")
    told = json.loads((tmp_path / "99-now/frames.json").read_text(encoding="utf-8"))["wave"]
    k, kind = told["controls"]
    assert k["shown"] == ["0.50", "0.75", "1.00"] + [f"{v:.2f}" for v in np.arange(1.25, 3.1, 0.25)]
    assert (k["start"], k["of"], kind["shown"], kind["start"]) == (2, 11, ["sin", "cos"], 1)
    assert len(told["frames"]) == 22 and told["width"] == 300 and told["pixels"] == [600, 400]
    different = set()
    for at, (number, said) in told["frames"].items():
        i, j = map(int, at.split(","))
        explorer.controls["k"].value = float(k["shown"][i])
        explorer.controls["kind"].value = kind["shown"][j]
        explorer.settle()
        live = np.asarray(Image.open(io.BytesIO(explorer.picture)).convert("RGB"))
        np.testing.assert_array_equal(shown(tmp_path / "99-now/wave", number), live)
        assert said == explorer.said
        different.add(live.tobytes())
    assert len(different) == 22


def test_another_number_of_explorers_is_refused(tmp_path):
    with pytest.raises(ValueError, match="1 cells show an Explorer, but the notebook gave 0"):
        frames.draw({}, {"wave": []}, tmp_path / "01-now")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("count, start, most", [(101, 37, 60), (250, 1, 7), (8, 0, 3), (5, 4, 9)])
def test_thinning_keeps_both_ends_and_the_start(count, start, most):
    kept = frames.thinned(list(range(count)), [start], most)
    assert {0, start, count - 1} <= set(kept) and kept == sorted(set(kept))
    assert len(kept) == min(count, most)
    assert np.diff(kept).max() <= 2 * np.ceil((count - 1) / (min(count, most) - 1))


WANTED = {  # how many are kept, what is wanted, and what is kept
    "in place of neighbours": (6, [55, 21, 7], [0, 7, 21, 55, 80, 100]),
    "no more than there is room for": (4, [50, 51, 52, 53], [0, 50, 51, 100]),
    "not all": (10, range(1, 90), [0, 1, 2, 3, 4, 5, 6, 78, 89, 100]),
    "what is there already": (3, [0, 100, 50, 100, 60], [0, 50, 100]),
    "what is nowhere": (3, [300], [0, 50, 100]),
}


@pytest.mark.parametrize("name", WANTED)
def test_thinning_keeps_what_is_wanted(name):
    count, wanted, kept = WANTED[name]
    assert frames.thinned(list(range(101)), wanted, count) == kept


def test_positions_that_the_text_names_are_drawn():
    section = (
        "### 1.10 Runs of 2024\n\nSet x to 0.95, or to −3, with $y=4$; two are 2 %. "
        "<!-- holds: 77 -->\n\n$$z = 8$$\n\n[As 7](https://a.org/1810.10082) in 10^{-5}."
    )
    nb = notebook(
        markdown("At 12.", "other"),
        markdown(section, "task"),
        code("x = 66", "work"),
        code("widgets.Explorer(f)", "explore"),
        markdown("<details><summary>Found</summary>\n\nAt 1.5.\n</details>", "fold"),
        code("widgets.Explorer(f)", "again"),
        markdown("At 13.", "close"),
    )
    named = frames.numbers_named(nb)
    assert named == {"explore": [0.95, -3, 4, 0.02, 7, 10, 1.5], "again": [1.5]}
    control = frames._Control("x", widgets.slider(0, 1, start=0.5, step=0.01, label="x"), [0.95, 7])
    control.thin(5)
    assert [control.values[i] for i in control.kept] == [0, 0.25, 0.5, 0.95, 1]


SLIDERS = {  # positions of each slider and options of each choice: how many are drawn
    "one slider keeps thirty": ([101], [], 30),
    "a short one keeps all": ([9], [], 9),
    "two make a grid": ([101, 50], [], 5 * 6),
    "what a short one leaves is the other's": ([3, 101], [], 3 * 10),
    "a choice keeps all its options": ([101], [3], 3 * 10),
    "choices alone": ([], [3, 4], 3 * 4),
    "a third moves alone": ([101, 101, 101], [], 4 * 6 + 6),
    "a short third leaves more to the grid": ([101, 101, 4], [], 5 * 5 + 3),
    "three, for each option": ([50, 50, 50], [2], 2 * (3 * 4 + 2)),
    "a third and a fourth": ([50, 50, 50, 50], [], 4 * 4 + 6 + 6),
}


@pytest.mark.parametrize("name", SLIDERS)
def test_positions_are_at_most_thirty(name):
    counts, options, expected = SLIDERS[name]
    made = [
        frames._Control(f"s{i}", widgets.slider(1, n, start=2, label="s"))
        for i, n in enumerate(counts)
    ]
    made += [
        frames._Control(f"c{i}", widgets.choice([str(j) for j in range(n)], label="c"))
        for i, n in enumerate(options)
    ]
    at = frames.combinations(made)
    assert len(at) == len(set(at)) == expected <= frames.MOST
    assert tuple(control.start for control in made) in at
    moved = {tuple(k for k in range(len(counts)) if p[k] != made[k].start) for p in at}
    assert {m for m in moved if len(m) > 1} == ({(0, 1)} if len(counts) > 1 else set())
    assert {m for m in moved if len(m) == 1} == {(k,) for k in range(len(counts))}


def test_frames_too_large_for_a_page_are_thinned(tmp_path, monkeypatch):
    explorer = wave(k=widgets.slider(0.5, 3.0, start=1.0, step=0.05, label="k"))
    frames.draw({1: explorer}, {"wave": []}, tmp_path / "01-all")
    size = sum(path.stat().st_size for path in (tmp_path / "01-all/wave").iterdir())
    monkeypatch.setattr(frames, "BUDGET", size // 2)
    frames.draw({1: explorer}, {"wave": []}, tmp_path / "01-half")
    kept = [path.stat().st_size for path in (tmp_path / "01-half/wave").iterdir()]
    assert sum(kept) <= size // 2 and 10 < len(kept) < 20
    told = json.loads((tmp_path / "01-half/frames.json").read_text(encoding="utf-8"))["wave"]
    (told,) = told["controls"]
    assert told["shown"][told["start"]] == "1.00" and told["shown"][-1] == "3.00"
    monkeypatch.setattr(frames, "BUDGET", 100)
    with pytest.raises(ValueError, match="pictures of wave are too large for a page"):
        frames.draw({1: explorer}, {"wave": []}, tmp_path / "01-none")


def test_the_commonest_colour_of_a_pixel_wins():
    red, blue = 0xFF0000FF, 0xFFFF0000
    pictures = [np.array([[c, red]], np.uint32) for c in (red, blue, blue, red, blue)]
    np.testing.assert_array_equal(frames.commonest(pictures), [[blue, red]])


def test_a_slider_of_floats_stands_where_the_widget_can_stand():
    control = frames._Control("x", widgets.slider(0.1, 0.7, start=0.3, step=0.1, label="x"))
    assert control.values == [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7] and control.start == 2
    odd = ipywidgets.FloatSlider(value=0.5, min=0, max=1, step=0.3, readout_format=".1f")
    assert frames._Control("x", odd).shown == ["0.0", "0.3", "0.5", "0.9"]


# The ledger


def test_the_ledger_shows_claim_cell_assertion_and_output(tmp_path):
    path = tmp_path / "01_small.ipynb"
    text = "It is [2](02_b.ipynb). <!-- holds: sum -->\nNot 3. <!-- holds: sum -->"
    nb = notebook(
        markdown(f"# 1 · Small\n\n### 1.1 A sum\n\n{text}"),
        code("x = 1\nassert x < 2\nprint(x)", "sum", "1\n \n<b>"),
    )
    path.write_text(nbformat.writes(nb), encoding="utf-8")
    moved = functools.partial(lessons.moved_links, address=ADDRESS)
    page = ledger.page([path], moved, "| a |\n| --- |\n", {})
    assert "2 claims" in page and "## 1 · Small\n" in page and "| a |" in page
    assert '**<a href="01_small.html#cell-text">1.1 A sum</a>**\n' in page
    one_fold = "It is [2](02_b.ipynb).\n\nNot 3.\n\n<details><summary><code>sum</code></summary>\n"
    assert one_fold in page and '<a href="01_small.html#cell-sum"><code>sum</code></a>' in page
    assert "<pre>assert x &lt; 2</pre>\n<pre>1&#10; \n&lt;b&gt;</pre>\n</details>\n" in page
    assert "Nothing has been run at these sizes yet." in page
    page = ledger.page([path], moved, "", {"fig2": {"r": 0.9}})
    assert "<code>fig2</code>" in page and "&quot;r&quot;: 0.9" in page and "Nothing" not in page
    nb.cells[1].source, nb.cells[1].outputs = "x = 1", []
    path.write_text(nbformat.writes(nb), encoding="utf-8")
    with pytest.raises(ValueError, match="01_small.ipynb: .*cell sum has no assertion"):
        ledger.page([path], moved, "", {})


def test_students_copies_have_no_marks():
    assert any("<!-- holds:" in path.read_text(encoding="utf-8") for path in SOLVED)
    for path in SOLVED:
        copy = release.student_copy(notebooks.read(path), "notebooks/student", set(), ADDRESS)
        assert not any("holds:" in cell.source for cell in copy.cells)


# Pages


DOCSTRINGS = {
    "the product $H\nv$, of $n$th": "the product :math:`H v`, of :math:`n`\\ th",
    "``$x$`` stays, |x| and a* do not": "``$x$`` stays, \\|x\\| and a\\* do not",
    "Args:\n    *parts: n_ of them, `a`": "Args:\n    *parts: n\\_ of them, \\`a\\`",
    "It is\n\n$$a\n  = b,$$\n\nwhere": "It is\n\n\n\n.. math::\n\n   a\n   = b,\n\n\nwhere",
}


@pytest.mark.parametrize("text", DOCSTRINGS)
def test_a_docstring_becomes_what_sphinx_reads(text):
    assert docstrings.to_rst(text) == DOCSTRINGS[text]


def test_a_term_must_stand_where_the_index_says(tmp_path, monkeypatch):
    path = tmp_path / "01_small.ipynb"
    text = "# 1 · Small\n\n### 1.1 Sums\n\nA *sum*.\n\n### 1.2 Products\n\nMore."
    path.write_text(nbformat.writes(notebook(markdown(text))), encoding="utf-8")
    (tmp_path / "terms.toml").write_text('["sum"]\nis = "what + gives"\nin = ["1.1"]\n')
    monkeypatch.setattr(pages, "HERE", tmp_path)
    page = pages.terms([path])
    assert '**sum**\n: what + gives: <a href="01_small.html#cell-text">1.1 Sums</a>.' in page
    (tmp_path / "terms.toml").write_text('["sum"]\nis = "what + gives"\nin = ["1.2", "1.3"]\n')
    with pytest.raises(pages.PageError, match="1.2 does not name it .*\n.*no section 1.3"):
        pages.terms([path])


LETTERS = {
    r"$g_i$, $\hat H$": "GH",
    r"$J(w, \theta)$": "J",
    r"$(x_i, y_i)$": "XY",
    r"$\lVert e\rVert_A$": "E",
    r"$\lambda$, $\varepsilon$; γ": "ΓΕΛ",
    r"$w^\star(\theta)$, $\ell_i$": "LW",
    r"$\tau^2$, $\Sigma$": "ΣΤ",
    "$m$": "M",
}


@pytest.mark.parametrize("row", LETTERS)
def test_a_row_stands_under_each_of_its_letters(row):
    assert "".join(pages._letters_of(row)) == LETTERS[row]


def test_letters_have_headings_in_the_order_of_the_alphabet():
    text = pages.letters(SOLVED)
    heads = re.findall("^## (.+)$", text, re.MULTILINE)
    assert heads == sorted(heads) and {"H", "η (eta)", "λ (lambda)"} <= set(heads)
    (hessian,) = re.findall("^## H\n(.*?)^## ", text, re.MULTILINE | re.DOTALL)
    assert len(re.findall(r"^- \$H\$: .* Lesson <a href", hessian, re.MULTILINE)) >= 1


def test_solutions_are_folded_and_hidden_tests_left_out():
    (path,) = (path for path in SOLVED if path.name.startswith("15"))
    cells = {
        cell.metadata.get("cell_id", cell.id): cell for cell in lessons.page(path, ADDRESS).cells
    }
    answer, check = cells["ex-15-1"], cells["ex-15-1-check"]
    assert answer.metadata["tags"] == ["hide-input"] and "SOLUTION" not in answer.source
    assert "s = np.linalg.solve" in answer.source
    assert check.source == 'check("15.1", influence_on_loss)'
    assert "<details><summary>A model answer" in cells["words-1"].source
    title = cells["title"].source
    assert (
        "Exercises without answers" not in title and "mybinder.org/v2/gh/OWNER/REPO/main" in title
    )


def test_choices_and_what_they_are_about_may_hold_a_slash_or_a_colon():
    source = 'choices = "1 / 2", "a: b"\npredict("1.1: x", *choices)'
    shown = lessons._prediction(source, "Your prediction, 1.1: x: 1 / 2 / a: b")
    assert "1.1: x:</p><ul><li>1 / 2</li><li>a: b</li></ul>" in shown
    shown = lessons._prediction("predict(*those)", "Your prediction, x: 1 / <2>")
    assert "x:</p><ul><li>1</li><li>&lt;2&gt;</li></ul>" in shown


def test_a_picture_without_text_alternative_is_refused(tmp_path):
    path = tmp_path / "01_small.ipynb"
    nb = notebook(markdown("# 1 · Small"), code("plt.show()", "plot"))
    picture = {"image/png": "", "text/plain": "<Figure>"}
    nb.cells[1].outputs = [nbformat.v4.new_output("display_data", picture)]
    path.write_text(nbformat.writes(nb), encoding="utf-8")
    with pytest.raises(ValueError, match="lesson 01, cell plot: a picture without .*alt="):
        lessons.page(path, ADDRESS)


BROKEN = {
    '<a href="b.html">': "b.html leads nowhere",
    '<a href="#there">': "#there leads to no place of that page",
    '<a href="/a.html">': "/a.html would not work under a subpath",
    '<img src="https://elsewhere.org/a.png" alt="a">': "fetches https://elsewhere.org/a.png",
    '<script src="//elsewhere.org/a.js"></script>': "fetches //elsewhere.org/a.js",
    '<img src="data:,">': "a picture without alt",
    '<p id="b"></p><p id="b"></p>': "two places are called b",
    "<details>": "a fold is not closed",
    "</details>": "</details> closes nothing",
}


@pytest.mark.parametrize("html", BROKEN)
def test_what_is_broken_in_a_page_is_named(html, tmp_path):
    page = tmp_path / "a.html"
    page.write_text('<p id="here"><a href="#here">a</a><a href="a.html#here">b</a></p>')
    assert links.problems(tmp_path) == []
    page.write_text(html)
    (found,) = links.problems(tmp_path)
    assert found.startswith("a.html: ") and BROKEN[html] in found


def test_only_a_site_or_an_empty_folder_is_replaced(tmp_path, monkeypatch):
    fresh, out = tmp_path / "fresh", tmp_path / "out"
    for folder in (fresh, out):
        folder.mkdir()
        (folder / "mine.txt").write_text(folder.name)
    (out / "objects.inv").write_bytes(b"# Sphinx\n# Project: another\n# Version: 1\n")
    monkeypatch.setattr(build, "draw_frames", None)  # it is refused before anything is done
    with pytest.raises(build.SiteError, match="holds something else than a site"):
        build.build(out)
    assert (out / "mine.txt").read_text() == "out"
    (out / "objects.inv").write_bytes(b"# Sphinx\n" + build._OURS + b"# Version: 1\n")
    build._replace(fresh, out)
    assert [path.name for path in out.iterdir()] == ["mine.txt"]
    assert (out / "mine.txt").read_text() == "fresh"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out"]
    (tmp_path / "empty").mkdir()
    build.check_place(tmp_path / "empty")


def test_a_missing_printer_is_told_before_the_build(tmp_path, monkeypatch):
    monkeypatch.setattr(build, "draw_frames", None)
    monkeypatch.setitem(sys.modules, "playwright.sync_api", None)
    with pytest.raises(print_lessons.PrintError, match="--pdf needs playwright: .* pip install"):
        build.build(tmp_path / "out", pdf=True)


# In a browser


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The site with all its pages, and sliders in lesson 15 at least."""
    for name in ("sphinx", "myst_nb", "furo"):
        pytest.importorskip(name, reason="python3 -m course_utils site installs what a build needs")
    (path,) = (path for path in SOLVED if path.name.startswith("15"))
    if frames.read_frames(path, ROOT) is None:
        command = [sys.executable, "-m", "course_utils.site.run_lessons", str(ROOT), str(path)]
        subprocess.run(command, check=True)
    folder = tmp_path_factory.mktemp("site")
    build.build(folder / "some/where", draw=False)
    return folder


@pytest.fixture(scope="module")
def address(site):
    """Where the site is served, under a subpath."""

    class Silent(SimpleHTTPRequestHandler):
        def log_message(self, format, *args):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Silent, directory=str(site)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/some/where/"
    server.shutdown()


@pytest.fixture(scope="module")
def browser():
    """Chromium."""
    api = pytest.importorskip("playwright.sync_api", reason="needs playwright")
    found = [shutil.which(name) for name in ("chromium", "chromium-browser", "google-chrome")]
    if not any(found):
        pytest.skip("needs Chromium or Google Chrome")
    with api.sync_playwright() as playwright:
        started = playwright.chromium.launch(
            executable_path=next(filter(None, found)), args=["--disable-gpu", "--no-sandbox"]
        )
        yield started
        started.close()


@pytest.fixture(scope="module")
def context(browser):
    """What the pages share, so that MathJax is fetched once; so wide that no menu is folded."""
    with browser.new_context(viewport={"width": 1400, "height": 900}) as made:
        yield made


def opened(context, address, name):
    """A page, with what went wrong while it loaded: errors, other hosts, files not found."""
    page = context.new_page()
    page.wrong = []
    page.on("pageerror", lambda error: page.wrong.append(f"error: {error}"))
    page.on("console", lambda m: page.wrong.append(m.text) if m.type == "error" else None)
    page.on("response", lambda r: page.wrong.append(r.url) if r.status >= 400 else None)
    page.on("requestfailed", lambda request: page.wrong.append(f"failed: {request.url}"))
    host = address.split("/some/")[0]

    def watch(request):
        if not request.url.startswith((host, "data:")):
            page.wrong.append(f"elsewhere: {request.url}")

    page.on("request", watch)
    page.goto(address + name)
    page.evaluate("() => window.MathJax?.startup?.promise")
    return page


AXE = ["15_influence_functions.html", "index.html", "lessons.html", "terms.html", "letters.html"]
AXE += ["ledger.html", "api-solvers.html", "search.html"]
# Sliders are built, and fetch their frames, when they come into view.
SEE_ALL = """async () => {
    for (const fold of document.querySelectorAll("details")) fold.open = true;
    for (const seen of document.querySelectorAll(".explorer, footer")) {
        seen.scrollIntoView();
        await new Promise((drawn) => requestAnimationFrame(() => setTimeout(drawn)));
    }
    window.scrollTo(0, 0);
    await document.fonts.ready;
}"""
# axe would take minutes over words of one colour, over formulas, which have the text's colour, and
# over the ledger of every lesson.
SHORTEN = """() => {
    const more = "#ledger > section:nth-of-type(n + 4):not(:last-of-type), mjx-math";
    for (const part of document.querySelectorAll(more)) part.remove();
    const seen = new Set();
    for (const word of document.querySelectorAll("pre span")) {
        const block = word.closest("pre").parentElement.parentElement;
        const kind = `${block.className} ${word.className}`;
        if (seen.has(kind)) word.replaceWith(word.textContent);
        seen.add(kind);
    }
}"""
SIDEWAYS = (
    "() => { const c = document.querySelector('.content'); return c.scrollWidth > c.clientWidth }"
)


def found_by_axe(axe, page):
    """What axe finds wrong in the light scheme, and of colours in the dark one."""
    page.evaluate(SHORTEN)
    for scheme, rules in [
        ("light", {}),
        ("dark", {"runOnly": ["color-contrast", "link-in-text-block"]}),
    ]:
        page.emulate_media(color_scheme=scheme)
        told = axe.Axe().run(page, options={"resultTypes": ["violations"], **rules})
        for v in told.response["violations"]:
            yield (
                f"{scheme}: {v['id']} ({v['impact']}): {v['help']}; {len(v['nodes'])} times, "
                f"such as {v['nodes'][0]['html'][:200]}"
            )


def pages_of(site):
    return sorted(path.name for path in (site / "some/where").glob("*.html"))


@pytest.mark.browser
def test_no_page_errs_asks_another_host_or_shuts_a_reader_out(site, address, context):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="needs axe-core")
    names = pages_of(site)
    assert len(names) > 40 and set(AXE) <= set(names)
    wrong = []
    for name in names:
        page = opened(context, address, name)
        page.evaluate(SEE_ALL)
        if page.locator(".explorer[data-folder]").count():
            page.wait_for_load_state("networkidle")
        page.set_viewport_size({"width": 320, "height": 900})  # as at 400 %
        found = page.wrong
        if page.evaluate(SIDEWAYS):
            found.append("at 320 pixels it scrolls sideways")
        if name in AXE:
            page.set_viewport_size({"width": 1400, "height": 900})
            found += found_by_axe(axe, page)
        wrong += [f"{name}: {what}" for what in found]
        page.close()
    assert not wrong, "\n".join(wrong)


@pytest.mark.browser
def test_on_a_narrow_screen_the_keyboard_opens_the_menu_and_passes_no_hidden_link(address, context):
    page = opened(context, address, "index.html")
    page.set_viewport_size({"width": 360, "height": 900})
    link = page.locator(".sidebar-tree a").first
    focused = "() => document.activeElement.closest('.sidebar-drawer') !== null"
    page.keyboard.press("Tab")
    box = page.get_by_role("checkbox", name="Toggle site navigation sidebar")
    assert box.evaluate("box => box === document.activeElement") and not link.is_visible()
    page.keyboard.press("Space")
    assert link.is_visible()
    page.keyboard.press("Space")
    for _ in range(10):
        page.keyboard.press("Tab")
        assert not page.evaluate(focused)
    page.close()


@pytest.mark.browser
def test_a_link_to_a_cell_ends_there(address, context):
    page = opened(context, address, "15_influence_functions.html#cell-location-explore")
    page.locator("#cell-location-explore canvas").wait_for()
    top = page.locator("#cell-location-explore").bounding_box()["y"]
    assert 0 <= top < 100 and page.wrong == []
    page.close()


PNG = "canvas => canvas.toDataURL().split(',')[1]"


@pytest.mark.browser
def test_the_keyboard_alone_moves_a_slider_to_what_the_live_explorer_draws(site, address, context):
    page = opened(context, address, "15_influence_functions.html#cell-location-explore")
    cell = page.locator("#cell-location-explore")
    cell.scroll_into_view_if_needed()
    canvas = cell.locator("canvas")
    canvas.wait_for()
    told = json.loads(cell.locator("script").text_content())
    (control,) = told["controls"]
    slider = cell.get_by_role("slider", name="clipped at c")
    for _ in range(200):  # from the top of the page, as somebody without a mouse
        page.keyboard.press("Tab")
        if slider.evaluate("input => input === document.activeElement"):
            break
    else:
        pytest.fail("the tab key does not reach the slider")
    page.keyboard.press("ArrowRight")
    at = str(control["start"] + 1)
    number, said = told["frames"][at]
    page.wait_for_function(
        f"document.querySelector('#cell-location-explore canvas').dataset.frame == {number}"
    )
    line = cell.get_by_role("status")
    assert line.text_content() == said and line.get_attribute("aria-live") == "polite"
    assert slider.get_attribute("aria-valuetext") == control["shown"][int(at)]
    assert canvas.get_attribute("aria-label") == told["alt"]
    folder = site / "some/where" / cell.locator(".explorer").get_attribute("data-folder")
    rgba = np.asarray(Image.open(io.BytesIO(base64.b64decode(canvas.evaluate(PNG)))))
    assert rgba.shape == (*told["pixels"][::-1], 4)
    np.testing.assert_array_equal(rgba[..., :3], shown(folder, number))
    assert (rgba[..., 3] == 255).all() and page.wrong == []
    page.close()


@pytest.mark.browser
def test_without_javascript_the_stored_picture_stands(address, browser):
    page = browser.new_page(java_script_enabled=False)
    page.goto(address + "15_influence_functions.html")
    image = page.locator("#cell-location-explore img")
    assert image.get_attribute("alt").startswith("Influence on a location estimate")
    assert page.locator("input[type=range]").count() == 0
    page.close()


@pytest.mark.browser
def test_the_search_finds_a_word(address, context):
    page = opened(context, address, "search.html?q=LiSSA")
    page.locator("ul.search li", has_text="Solving with curvature").first.wait_for()
    first = page.locator("ul.search li a").first.get_attribute("href")
    assert re.match(r"\d\d_", first), "lessons come before the package"
    page.close()


@pytest.mark.browser
def test_a_printed_lesson_has_all_folds_open(site, browser, tmp_path):
    def printed():  # in a process of its own: here another browser is at work
        code = "import pathlib, sys; from course_utils.site.print_lessons import print_lessons\n"
        code += "print_lessons(pathlib.Path(sys.argv[1]), sys.argv[2:])"
        subprocess.run([sys.executable, "-c", code, str(folder), name], check=True)
        return (folder / f"downloads/{name}.pdf").read_bytes()

    name = "15_influence_functions"
    folder = shutil.copytree(site / "some/where", tmp_path / "site")
    with_folds = printed()
    page = folder / f"{name}.html"
    text = re.sub(r"<details.*?</details>", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    page.write_text(text, encoding="utf-8")
    counts = [len(re.findall(rb"/Type\s*/Page\b", pdf)) for pdf in (with_folds, printed())]
    assert counts[0] > counts[1] + 5 and counts[1] > 10


def test_the_job_says_how_it_is_called():
    done = subprocess.run(
        [sys.executable, "-m", "course_utils", "site", "--help"],
        cwd=ROOT, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0 and "--still" in done.stdout and "--pdf" in done.stdout
