"""Notebooks as a reader meets them: JupyterLab in a real browser, keys, mouse and pictures.

One notebook by turns as a reader, one as a student: sliders are moved in every notebook elsewhere,
without a browser. Needs playwright and chromium (``apt-get install chromium fonts-dejavu``, or
Google Chrome), and is skipped where they are missing. Each test prints the folder that its
screenshots are in.
"""

import hashlib
import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest
from turns import turn

from course_utils.cli import notebooks
from course_utils.cli.setup_venv import ROOT

SOLVED = notebooks.solved()
SETTINGS = {
    "@jupyterlab/apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
    "@jupyterlab/notebook-extension/tracker": {
        "windowingMode": "none"
    },  # every cell is in the page
    "@jupyterlab/completer-extension/manager": {"autoCompletion": False},
}
QUIET = ["--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
QUIET += ["--disable-component-update", "--disable-sync"]
ERROR = "[data-mime-type='application/vnd.jupyter.error']"

pytestmark = [pytest.mark.browser, pytest.mark.timeout(900)]


def find_chromium():
    for name in ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable"):
        if found := shutil.which(name, path=os.environ.get("PATH", "") + os.pathsep + "/usr/bin"):
            return found
    return None


@pytest.fixture(scope="module")
def browser():
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    chromium = find_chromium()
    if chromium is None:
        pytest.skip("neither chromium nor Google Chrome is installed")
    sandbox = [] if hasattr(os, "geteuid") and os.geteuid() else ["--no-sandbox"]
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=[*QUIET, *sandbox])
        yield browser
        browser.close()


class Lab(NamedTuple):
    """A running JupyterLab: its address, and the folder that it serves."""

    address: str
    folder: Path


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """A JupyterLab on a copy of the notebooks, with nobody's settings."""
    folder = tmp_path_factory.mktemp("lab")
    ignored = shutil.ignore_patterns(".*")
    shutil.copytree(ROOT / "notebooks", folder / "notebooks", ignore=ignored)
    for plugin, settings in SETTINGS.items():
        path = folder / "settings" / f"{plugin}.jupyterlab-settings"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(settings))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    variables = {
        "JUPYTERLAB_SETTINGS_DIR": "settings",
        "JUPYTERLAB_WORKSPACES_DIR": "workspaces",
        "JUPYTER_CONFIG_DIR": "config",
        "JUPYTER_DATA_DIR": "data",
        "JUPYTER_RUNTIME_DIR": "runtime",
        "IPYTHONDIR": "ipython",
    }
    environ = os.environ | {name: str(folder / where) for name, where in variables.items()}
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root"]
    command += ["--ip=127.0.0.1", f"--port={port}", f"--ServerApp.root_dir={folder / 'notebooks'}"]
    command += ["--IdentityProvider.token=", "--ServerApp.disable_check_xsrf=True"]
    log = folder / "lab.log"
    with log.open("wb") as out:
        server = subprocess.Popen(command, env=environ, stdout=out, stderr=subprocess.STDOUT)
        try:
            for _ in range(600):
                try:
                    urllib.request.urlopen(f"{address}/api/status", timeout=5).close()
                    break
                except OSError:
                    assert server.poll() is None, log.read_text()
                    time.sleep(0.1)
            yield Lab(address, folder / "notebooks")
        finally:
            server.terminate()
            server.wait(30)


@pytest.fixture
def pictures(tmp_path):
    """The folder for screenshots; printed, because they are there to be looked at."""
    print(f"screenshots: {tmp_path}")
    return tmp_path


@contextmanager
def opened(browser, lab, name, pictures):
    """A page that shows the notebook ``name``, its kernel idle and nothing run."""
    page = browser.new_page(viewport={"width": 1300, "height": 1500})
    page.set_default_timeout(60_000)
    page.errors = []
    page.on("pageerror", lambda error: page.errors.append(str(error)))
    try:
        page.goto(f"{lab.address}/lab/tree/{name}?reset")
        page.wait_for_selector(".jp-NotebookPanel .jp-Cell")
        page.wait_for_function(
            """() => !document.querySelector('.jp-Spinner')
                && /Idle/.test(document.querySelector('#jp-main-statusbar')?.textContent)""",
            polling=200,
        )
        yield page
    finally:
        page.screenshot(path=pictures / "last.png")
        page.close()
        for session in json.load(urllib.request.urlopen(f"{lab.address}/api/sessions")):
            end = urllib.request.Request(
                f"{lab.address}/api/sessions/{session['id']}", method="DELETE"
            )
            urllib.request.urlopen(end).close()


def cell_of(page, position):
    """The cell at ``position`` in the file, counted from 0."""
    return page.locator(".jp-Notebook .jp-Cell").nth(position)


def choose(page, menu, item):
    page.locator("#jp-MainMenu").get_by_text(menu, exact=True).click()
    page.get_by_role("menuitem", name=item, exact=True).click()


def run_all(page):
    """Run all cells, their outputs cleared first, and wait until each has run."""
    choose(page, "Edit", "Clear Outputs of All Cells")
    choose(page, "Run", "Run All Cells")
    page.wait_for_function(
        # a folded cell has a second prompt, which stays empty
        """() => [...document.querySelectorAll(
            '.jp-CodeCell .jp-InputPrompt:not(.jp-Placeholder-prompt)'
        )].every(prompt => /\\[\\d+\\]/.test(prompt.textContent))""",
        polling=500,  # milliseconds; every frame would take the kernel's processor time
        timeout=300_000,
    )


def nothing_failed(page):
    assert page.locator(ERROR).count() == 0
    assert page.get_by_text("Error displaying widget").count() == 0
    assert page.errors == []


def picture_of(image):
    """A fingerprint of what an image shows."""
    read = "async e => Array.from(new Uint8Array(await (await fetch(e.src)).arrayBuffer()))"
    return hashlib.sha256(bytes(image.evaluate(read))).hexdigest()


def changes(image, before, seconds=15):
    """Whether the image comes to show something else than ``before``."""
    for _ in range(seconds * 10):
        if picture_of(image) != before:
            return True
        time.sleep(0.1)
    return False


def middle(box):
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def move_by_key(page, slider):
    handle = slider.locator(".noUi-handle")
    low, now, high = (
        float(handle.get_attribute(f"aria-value{which}")) for which in ("min", "now", "max")
    )
    handle.focus()
    for _ in range(5):
        page.keyboard.press("ArrowRight" if now < (low + high) / 2 else "ArrowLeft")


def move_by_drag(page, slider):
    """Drag the handle and hold it: the picture follows before the hand lets go."""
    handle = slider.locator(".noUi-handle").bounding_box()
    track = slider.locator(".noUi-base").bounding_box()
    x, y = middle(handle)
    share = 0.8 if x < middle(track)[0] else 0.2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(track["x"] + share * track["width"], y, steps=8)


def stored_pictures(nb):
    return sum(
        "image/png" in output.get("data", {})
        for _, cell in notebooks.code_cells(nb)
        for output in cell.outputs
    )


@pytest.mark.parametrize("path", turn(SOLVED, 1), ids=lambda path: path.stem)
def test_a_reader_sees_the_figures_runs_all_and_moves_every_control(path, browser, lab, pictures):
    nb = notebooks.read(lab.folder / path.name)
    with opened(browser, lab, path.name, pictures) as page:
        shown = page.locator(".jp-OutputArea-output img")
        assert shown.count() == stored_pictures(nb) > 0, "stored figures, before anything runs"
        assert all(image.evaluate("e => e.decode().then(() => e.width)") for image in shown.all())
        page.screenshot(path=pictures / "opened.png")
        nothing_failed(page)

        run_all(page)
        nothing_failed(page)
        explorers = [i for i, cell in enumerate(nb.cells) if "widgets.Explorer(" in cell.source]
        assert page.locator(".jupyter-widgets img").count() == len(explorers)
        for position in explorers:
            cell = cell_of(page, position)
            image = cell.locator(".jupyter-widgets img")
            stored = nb.cells[position].outputs[-1].metadata["image/png"]["alt"]
            assert image.get_attribute("alt") == stored
            moved = 0
            cell.scroll_into_view_if_needed()
            cell.screenshot(path=pictures / f"{nb.cells[position].id}-0.png")

            def moves(move, *args, image=image, cell=cell, name=nb.cells[position].id):
                before = picture_of(image)
                move(*args)
                assert changes(image, before), (
                    f"{name}: {move.__name__} leaves the picture as it was"
                )
                page.mouse.up()
                cell.screenshot(path=pictures / f"{name}-{moved + 1}.png")
                return 1

            for slider in cell.locator(".widget-slider").all():
                moved += moves(move_by_key, page, slider)
                moved += moves(move_by_drag, page, slider)
            for button in cell.locator(".widget-toggle-buttons button:not(.mod-active)").all():
                moved += moves(button.click)
            assert moved, "an Explorer has a control"
        predicts_something(page, nb)
        nothing_failed(page)


def predicts_something(page, nb):
    """Press a button of the first prediction that has some; the summary repeats it."""
    ids = [cell.id for cell in nb.cells]
    button = page.locator(".jp-Cell:not(:has(img)) .widget-toggle-buttons button").first
    said = button.inner_text()
    button.click()
    cell_of(page, ids.index("summary")).locator(".cm-content").click()
    page.keyboard.press("Shift+Enter")
    page.wait_for_function(
        "([i, words]) => document.querySelectorAll('.jp-Notebook .jp-Cell')[i]"
        ".querySelector('.jp-OutputArea-output')?.innerText.includes(words)",
        arg=[ids.index("summary"), "You predicted:"],
    )
    assert said in output_text(page, ids.index("summary"))


def output_text(page, position):
    return cell_of(page, position).locator(".jp-OutputArea-output").inner_text()


@pytest.mark.parametrize("path", turn(SOLVED, 1), ids=lambda path: path.stem)
def test_a_student_types_the_answers_and_every_check_turns_to_passed(path, browser, lab, pictures):
    answers = {cell.id: cell.source for cell in notebooks.read(lab.folder / path.name).cells}
    copy = notebooks.read(lab.folder / "student" / path.name)
    places = {cell.id: position for position, cell in enumerate(copy.cells)}
    checks = [name for name in places if name.startswith("ex-") and name.endswith("-check")]
    assert len(checks) >= 3
    with opened(browser, lab, f"student/{path.name}", pictures) as page:
        run_all(page)
        nothing_failed(page)
        for name in checks:
            answer, check = places[name.removesuffix("-check")], places[name]
            assert "not attempted" in output_text(page, check)
            cell_of(page, answer).locator(".cm-content").click()
            page.keyboard.press("ControlOrMeta+A")
            page.keyboard.insert_text(answers[copy.cells[answer].id])
            page.keyboard.press("Shift+Enter")
            cell_of(page, check).locator(".cm-content").click()
            page.keyboard.press("Shift+Enter")
            page.wait_for_function(
                "([i, word]) => document.querySelectorAll('.jp-Notebook .jp-Cell')[i]"
                ".querySelector('.jp-OutputArea-output')?.innerText.includes(word)",
                arg=[check, "passed"],
            )
            cell_of(page, check).screenshot(path=pictures / f"{name}.png")
        nothing_failed(page)
