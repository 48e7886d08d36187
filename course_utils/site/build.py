"""Build the course as a static site, from the notebooks and the outputs stored in them."""

import argparse
import functools
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from importlib import metadata
from pathlib import Path

from course_utils.cli import compilation_cache, notebooks, stamp
from course_utils.cli.setup_venv import ROOT
from course_utils.site import ledger, lessons, links, pages
from course_utils.site.frames import folder_of_frames, read_frames
from course_utils.site.print_lessons import PrintError, find_browser, print_lessons

HERE = Path(__file__).parent
_OURS = b"\n# Project: From gradient descent to influence functions\n"  # in a site's inventory
# Pages that repeat the lessons, or answer them
_UNSEARCHED = ("ledger.md", "INSTRUCTORS-answers.md")
# What the theme leaves unsaid to screen readers
_UNSAID = {
    '<p class="caption" role="heading">': '<p class="caption" role="heading" aria-level="2">',
    '<aside class="sidebar-drawer">': '<aside class="sidebar-drawer" aria-label="The site">',
    '<th class="head"><p></p></th>': '<td class="head"></td>',
    '<th scope="col" style="text-align: left"></th>': '<td style="text-align: left"></td>',
    '<summary aria-label="Toggle hidden content">': "<summary>",  # its words are its name
    '<aside class="toc-drawer">': '<aside class="toc-drawer" aria-label="On this page">',
}


class SiteError(Exception):
    """The site cannot be built; the text says why."""


def draw_frames(root):
    """Run the lessons whose frames are missing, two at a time.

    Raises:
        SiteError: if a notebook cannot be run.
    """
    missing = [
        path
        for path in notebooks.solved(root)
        if notebooks.explorers(notebooks.read(path)) and read_frames(path, root) is None
    ]
    if not missing:
        return
    print(
        f"Running what the sliders of {len(missing)} lessons need, two at a time, 20 s each; later "
        "builds find it done, and --still leaves it out.",
        flush=True,
    )
    env = dict(os.environ, PYTHONUTF8="1", **compilation_cache.settings(root))
    command = [sys.executable, "-m", "course_utils.site.run_lessons", str(root), *map(str, missing)]
    done = subprocess.run(command, env=env, stderr=subprocess.PIPE, encoding="utf-8")
    if done.returncode:
        raise SiteError(done.stderr.strip()[-2000:])


def write_source(root, source, static, address, *, pdf=False, still=False):
    """Write what Sphinx reads into ``source``, and the pictures of pages into ``static``."""
    paths = notebooks.solved(root)
    for path in paths:
        drawn = None if still else read_frames(path, root)
        if drawn:
            kept = folder_of_frames(path, root)
            for cell in drawn:
                shutil.copytree(kept / cell, static / "frames" / path.name[:2] / cell)
        nb = lessons.page(path, address, drawn, pdf)
        (source / path.name).write_text(notebooks.dumps(nb), encoding="utf-8")
    repository = pages.repository_pages(root, address)
    text, pictures = pages.front(paths, address, root, repository)
    written = {
        "index.md": text,
        **repository,
        **pages.readme_pages(root, address),
        "terms.md": pages.terms(paths),
        "letters.md": pages.letters(paths),
        "ledger.md": ledger.page(
            paths,
            functools.partial(lessons.moved_links, address=address),
            pages.table(repository["reproduced.md"]),
            json.loads((HERE.parent / "paper_scale.json").read_text(encoding="utf-8")),
        ),
        **pages.api_pages(),
    }
    for name, page in written.items():
        head = "---\nnosearch: true\n---\n\n" if name in _UNSEARCHED else ""
        (source / name).write_text(head + page, encoding="utf-8")
    (static / "front").mkdir(parents=True)
    for name, png in pictures.items():
        (static / "front" / name).write_bytes(png)


def copy_mathjax(static):
    """Copy what the pages need of MathJax, from the package in the environment."""
    distribution = metadata.distribution("sphinx-mathjax-offline")
    (first,) = (p for p in distribution.files if p.name == "tex-chtml.js")
    home = Path(first.locate()).parent
    wanted = ["tex-chtml.js", "output/chtml/fonts/woff-v2"]
    for name in wanted:
        to = static / "mathjax" / name
        to.parent.mkdir(parents=True, exist_ok=True)
        copier = shutil.copytree if (home / name).is_dir() else shutil.copyfile
        copier(home / name, to)


def run_sphinx(source, static, out):
    """Call Sphinx; a warning is an error.

    Raises:
        SiteError: with what Sphinx says.
    """
    command = [sys.executable, "-m", "sphinx", "-b", "html", "-q", "-W", "--keep-going", "-j", "2"]
    command += ["-c", str(HERE / "source"), "-d", str(source.parent / "doctrees")]
    command += [str(source), str(out)]
    env = dict(os.environ, PYTHONUTF8="1", COURSE_STATIC=str(static))
    done = subprocess.run(command, env=env, capture_output=True, encoding="utf-8")
    if done.returncode:
        lines = [
            line.replace(f"{source}{os.sep}", "")
            for line in done.stderr.splitlines()
            if line.strip()
        ]
        raise SiteError("Sphinx is not content:\n" + "\n".join(lines))


def say_to_screen_readers(folder):
    """Add to the pages in ``folder`` what the theme leaves unsaid."""
    for path in folder.rglob("*.html"):
        text = path.read_text(encoding="utf-8")
        for said, wanted in _UNSAID.items():
            text = text.replace(said, wanted)
        path.write_text(text, encoding="utf-8")


def build(out, root=ROOT, *, pdf=False, still=False, draw=True):
    """Build the site of the clone ``root`` in the folder ``out``, whose content it replaces.

    Args:
        out: the folder.
        root: the clone.
        pdf: whether each lesson is printed too; needs playwright and Chromium.
        still: whether sliders are left out, and with them every execution.
        draw: whether notebooks are run whose sliders' pictures are missing; else these stand still.

    Raises:
        SiteError: if Sphinx warns, a link of a page leads nowhere, or ``out`` holds something else.
        pages.PageError: if a page cannot be written.
        PrintError: if lessons cannot be printed.
    """
    check_place(out)
    if pdf:
        find_browser()
    address = stamp.present(root)
    if draw and not still:
        draw_frames(root)
    with tempfile.TemporaryDirectory(prefix="course-site-") as folder:
        source, static, fresh = (Path(folder) / name for name in ("pages", "static", "html"))
        for part in (source, static):
            part.mkdir()
        write_source(root, source, static, address, pdf=pdf, still=still)
        copy_mathjax(static)
        run_sphinx(source, static, fresh)
        say_to_screen_readers(fresh)
        shutil.copytree(root / "notebooks" / "student", fresh / "downloads")
        if pdf:
            print_lessons(fresh, [path.stem for path in notebooks.solved(root)])
        found = links.problems(fresh)
        if found:
            raise SiteError("Links that lead nowhere:\n  " + "\n  ".join(found))
        (fresh / ".nojekyll").touch()  # GitHub would leave out folders that begin with _
        _replace(fresh, out)


def check_place(out):
    """Refuse to replace another thing than a site of this course.

    Raises:
        SiteError: if ``out`` holds one.
    """
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return
    inventory = out / "objects.inv"
    if not (inventory.is_file() and _OURS in inventory.read_bytes()):
        raise SiteError(f"{out} holds something else than a site; name an empty folder")


def _replace(fresh, out):
    """Put the folder ``fresh`` in the place of ``out``, which is whole at any time, or absent."""
    check_place(out)
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.name}-") as aside:
        shutil.move(fresh, Path(aside) / "new")  # perhaps from another disk
        if out.exists():
            out.rename(Path(aside) / "old")
        (Path(aside) / "new").rename(out)


def main(argv):
    """``site [--to FOLDER] [--still] [--pdf]``; return the exit status."""
    parser = argparse.ArgumentParser(
        prog="python3 -m course_utils site", description=__doc__.splitlines()[0]
    )
    parser.add_argument("--to", type=Path, default=ROOT / "build" / "site", metavar="FOLDER")
    parser.add_argument(
        "--still", action="store_true", help="leave the sliders out: no notebook is executed"
    )
    parser.add_argument(
        "--pdf", action="store_true", help="print each lesson too; needs playwright and Chromium"
    )
    args = parser.parse_args(argv)
    start = time.monotonic()
    try:
        build(args.to, pdf=args.pdf, still=args.still)
    except (SiteError, pages.PageError, PrintError, OSError, ValueError) as error:
        print(error, file=sys.stderr)
        return 1
    print(f"{args.to / 'index.html'} ({time.monotonic() - start:.0f} s)")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
