"""Put the repository's address, and the version to fetch, wherever a reader or Colab needs them.

The address lives in pyproject.toml, as project.urls.Repository. From there it goes into the Colab
links and the first cells of the notebooks and of the student copies, and into README.md,
CONTRIBUTING.md and CITATION.cff.
"""

import argparse
import re
import sys
from typing import NamedTuple

from course_utils.cli import notebooks
from course_utils.cli.setup_venv import ROOT

_OWNER = r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?"
_NAME = r"[A-Za-z0-9._-]*?[A-Za-z0-9_-]"  # with a full stop at its end, no text could name it
_SPELLINGS = re.compile(
    # As git, pip and a browser write it. OWNER/NAME alone is none: it might be a path
    r"(?i:(?:git\+)?(?:(?:https?|git)://(?:[a-z0-9-]+@)?)?(?:www\.)?github\.com/"
    r"|(?:git\+)?(?:ssh://)?git@(?:ssh\.)?github\.com(?::[0-9]+)?[:/])"
    rf"(?P<owner>{_OWNER})/(?P<name>{_NAME})(?:\.git)?"
    r"(?:(?:/(?:tree|blob|raw|commits|releases/tag)/|@)(?P<ref>[^/\s?#]+)(?:[/?#]\S*)?|[/?#]\S*)?"
)
_PAGES = {"apps", "orgs", "search", "settings", "sponsors", "topics", "users"}  # nobody's names
# What git calls a branch or tag, less a slash; and it has to be found again, in a sentence too
_REF = re.compile(r"(?!.*\.\.)[A-Za-z0-9][\w.-]*(?<=\w)(?<!\.lock)", re.ASCII)
_LINE = re.compile(r'^(Repository\s*=\s*")([^"]*)(")', re.MULTILINE)

# Of the course, whatever address they hold; groups: before, owner/name, between, version
_COLAB = re.compile(
    r"(colab\.research\.google\.com/github/)([\w.-]+/[\w.-]+)(/blob/)([\w.-]*\w)(?=/notebooks/)"
)
_FETCH = re.compile(r"(git\+https://github\.com/)([\w.-]+/[\w.-]+)(@)([\w.-]*\w)")


class Address(NamedTuple):
    """A repository on GitHub as ``owner/name``, and the branch or tag to read."""

    slug: str
    ref: str = "main"

    @property
    def url(self):
        """The repository's page."""
        return f"https://github.com/{self.slug}"

    def page(self, path):
        """Where GitHub shows the file or folder ``path``."""
        return f"{self.url}/blob/{self.ref}/{path}"

    def colab(self, path):
        """Where Colab opens the notebook ``path``."""
        return f"https://colab.research.google.com/github/{self.slug}/blob/{self.ref}/{path}"


def slug_of(url, ref=None):
    """``owner/name`` from any usual spelling of a GitHub address.

    Args:
        url: the address, as one copies it from a browser, from git, or from pip.
        ref: the branch or tag that is meant unless the address names another, which is refused.

    Raises:
        ValueError: if it is not such an address.
    """
    match = _SPELLINGS.fullmatch(url.strip())
    if not match or match["owner"].lower() in _PAGES or match["name"].endswith((".git", ".wiki")):
        shown = re.sub("//[^/@]*@", "//", url)  # without a password
        raise ValueError(
            f"{shown}: not an address on GitHub. Write it as https://github.com/OWNER/REPO "
            "or git@github.com:OWNER/REPO.git"
        )
    if ref and match["ref"] not in (None, ref):
        raise ValueError(f"{url} shows {match['ref']}, not {ref}: say which one with --ref")
    return f"{match['owner']}/{match['name']}"


def recorded(root=ROOT):
    """``owner/name`` as pyproject.toml has it.

    Raises:
        ValueError: if it has none, or not one on GitHub.
    """
    match = _LINE.search((root / "pyproject.toml").read_text(encoding="utf-8"))
    if not match:
        raise ValueError("pyproject.toml: project.urls has no Repository")
    return slug_of(match[2])


def refs(text):
    """The branches and tags that the badges and first cells in ``text`` name."""
    return {match[4] for pattern in (_COLAB, _FETCH) for match in pattern.finditer(text)}


def stamped(text, old, new):
    """``text`` with the address ``new`` in Colab links and first cells, and where ``old`` was."""
    for pattern in (_COLAB, _FETCH):
        text = pattern.sub(rf"\g<1>{new.slug}\g<3>{new.ref}", text)
    pages = re.compile(rf"(github\.com[/:]){re.escape(old)}(?![\w-]|\.(?!git\b)\w)")
    text = pages.sub(rf"\g<1>{new.slug}", text)
    shown = re.compile(
        rf"(https://github\.com/{re.escape(new.slug)}/(?:blob|tree|raw)/)[\w.-]+(?=/|\b)"
    )
    return shown.sub(rf"\g<1>{new.ref}", text)


def places(root=ROOT):
    """The files that may name the address, pyproject.toml apart."""
    single = [root / name for name in ("README.md", "CONTRIBUTING.md", "CITATION.cff")]
    copies = sorted((root / "notebooks" / "student").glob("*.ipynb"))
    return [path for path in [*single, *notebooks.solved(root), *copies] if path.exists()]


def plan(new, root=ROOT):
    """What each file that does not name the address ``new`` should contain: path to text."""
    old = recorded(root)
    found = {}
    for path in [root / "pyproject.toml", *places(root)]:
        text = path.read_text(encoding="utf-8")
        if path.name == "pyproject.toml":
            wanted = _LINE.sub(rf"\g<1>{new.url}\g<3>", text)
        elif path.suffix == ".ipynb":
            wanted = _stamped_notebook(text, old, new)
        else:
            wanted = stamped(text, old, new)
        if wanted != text:
            found[path] = wanted
    return found


def _stamped_notebook(text, old, new):
    nb = notebooks.reads(text)
    fresh = notebooks.stored_hash(nb) == notebooks.code_hash(nb)
    changed = False
    for cell in nb.cells:
        wanted = stamped(cell.source, old, new)
        changed |= wanted != cell.source
        cell.source = wanted
    if not changed:
        return text
    if fresh:  # the address has no part in what the cells print; a stale hash stays stale
        nb.metadata["course"]["code"] = notebooks.code_hash(nb)
    return notebooks.dumps(nb)


def present(root=ROOT):
    """The address in force: the one recorded, with the branch or tag that the notebooks name.

    Raises:
        ValueError: if they name several, or pyproject.toml has no address.
    """
    found = {ref: path for path in places(root) for ref in refs(path.read_text(encoding="utf-8"))}
    if len(found) > 1:
        named = ", ".join(f"{ref} in {path.name}" for ref, path in sorted(found.items()))
        raise ValueError(f"several versions are named: {named}; `stamp --ref TAG` makes them one")
    return Address(recorded(root), *found)


def main(argv, root=ROOT):
    """``stamp [URL] [--ref TAG] [--check]``; return the exit status."""
    parser = argparse.ArgumentParser(
        prog="python3 -m course_utils stamp", description=__doc__.splitlines()[0]
    )
    parser.add_argument("url", nargs="?", help="default: the one in pyproject.toml")
    parser.add_argument("--ref", help="the branch or tag that Colab reads; default: main")
    parser.add_argument("--check", action="store_true", help="change nothing; fail where one would")
    args = parser.parse_args(argv)
    try:
        if args.ref is not None and not _REF.fullmatch(args.ref):
            raise ValueError(
                f"{args.ref}: a version is a branch or tag of letters, digits and . _ - alone that "
                "begins with a letter or digit, ends with one or with _, and not with .lock"
            )
        ref = args.ref or (present(root).ref if args.check else "main")
        slug = slug_of(args.url, None if args.ref else ref) if args.url else recorded(root)
        new = Address(slug, ref)
        changes = plan(new, root)
    except ValueError as error:
        print(error, file=sys.stderr)
        return 1
    if not args.check:
        for path, text in changes.items():
            notebooks.write(path, text)
    for path in changes:
        print(f"{path.relative_to(root).as_posix()}: {'differs' if args.check else 'stamped'}")
    print(f"{new.url} at {new.ref}: {len(changes)} files {'differ' if args.check else 'changed'}")
    return 1 if args.check and changes else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
