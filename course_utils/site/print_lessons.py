"""Each lesson as a PDF: its page, printed by Chromium with all folds open."""

import shutil
import sys

_BROWSERS = ("chromium", "chromium-browser", "google-chrome")
_FOOT = '<span style="font-size: 8px; margin: auto" class="pageNumber"></span>'
_OPEN = """async () => {
    for (const fold of document.querySelectorAll("details")) fold.open = true;
    for (const link of [...document.links]) {  // to other files of this machine
        const here = link.pathname === location.pathname;
        if (link.protocol === "file:" && !here) link.removeAttribute("href");
    }
    for (const image of document.images) image.loading = "eager";
    await MathJax.startup.promise;
    await Promise.all([...document.images].map((image) => image.decode().catch(() => {})));
    await document.fonts.ready;
}"""


class PrintError(Exception):
    """The lessons cannot be printed; the text says what is missing."""


def find_browser():
    """How playwright starts Chromium here.

    Raises:
        PrintError: if playwright is missing.
    """
    try:
        import playwright.sync_api  # noqa: F401
    except ImportError as error:
        install = f"{sys.executable} -m pip install playwright"
        raise PrintError(f"--pdf needs playwright: {install}") from error
    found = next(filter(None, map(shutil.which, _BROWSERS)), None)
    # macOS and Windows have no command for Chrome, but playwright knows its place
    return {"executable_path": found} if found else {"channel": "chrome"}


def print_lessons(folder, names):
    """Print the pages ``names`` of the site in ``folder`` into its ``downloads``.

    Args:
        folder: a finished site.
        names: such as ``"15_influence_functions"``.

    Raises:
        PrintError: if playwright or Chromium is missing.
    """
    which = find_browser()
    from playwright.sync_api import Error, sync_playwright

    with sync_playwright() as playwright:
        try:
            browser = playwright.chromium.launch(**which, args=["--disable-gpu", "--no-sandbox"])
        except Error as error:
            raise PrintError(f"--pdf needs Chromium or Google Chrome: {error}") from error
        for name in names:
            page = browser.new_page(color_scheme="light")
            page.goto((folder / f"{name}.html").resolve().as_uri(), timeout=120_000)
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
