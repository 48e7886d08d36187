"""Each lesson as a PDF: its page, printed by Chromium with all folds open."""

import functools
import shutil
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

_BROWSERS = ("chromium", "chromium-browser", "google-chrome")
_FOOT = '<span style="font-size: 8px; margin: auto" class="pageNumber"></span>'
_OPEN = """async () => {
    for (const fold of document.querySelectorAll("details")) fold.open = true;
    for (const link of [...document.links]) {  // to other pages of the server that prints
        const here = link.pathname === location.pathname;
        if (link.host === location.host && !here) link.removeAttribute("href");
    }
    for (const image of document.images) image.loading = "eager";
    await MathJax.startup.promise;
    await MathJax.startup.document.lazyTypesetAll?.();
    await Promise.all([...document.images].map((image) => image.decode().catch(() => {})));
    await document.fonts.ready;
}"""


class PrintError(Exception):
    """The lessons cannot be printed; the text says what is missing."""


class _Silent(SimpleHTTPRequestHandler):
    def log_message(self, format, *args):
        pass


def print_lessons(folder, names):
    """Print the pages ``names`` of the site in ``folder`` into its ``downloads``.

    Args:
        folder: a finished site.
        names: such as ``"15_influence_functions"``.

    Raises:
        PrintError: if playwright or Chromium is missing.
    """
    try:
        from playwright.sync_api import sync_playwright
    except ImportError as error:
        raise PrintError("--pdf needs playwright: pip install playwright") from error
    browsers = [path for path in map(shutil.which, _BROWSERS) if path]
    if not browsers:
        raise PrintError("--pdf needs Chromium or Google Chrome, such as apt install chromium")
    server = ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(_Silent, directory=str(folder))
    )
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path=browsers[0], args=["--disable-gpu", "--no-sandbox"]
            )
            for name in names:
                page = browser.new_page(color_scheme="light")
                page.goto(f"http://127.0.0.1:{server.server_port}/{name}.html")
                page.evaluate(_OPEN)
                page.pdf(
                    path=folder / "downloads" / f"{name}.pdf",
                    format="A4",
                    print_background=True,
                    margin={side: "18mm" for side in ("top", "bottom", "left", "right")},
                    display_header_footer=True,
                    header_template="<span></span>",
                    footer_template=_FOOT,
                    tagged=True,  # for screen readers, in the page's language
                    outline=True,
                )
                page.close()
            browser.close()
    finally:
        server.shutdown()
