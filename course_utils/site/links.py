"""Whether every link of a finished site leads somewhere, and nothing is fetched from elsewhere."""

from html.parser import HTMLParser
from urllib.parse import unquote, urlsplit

_FETCHED = {("img", "src"), ("script", "src"), ("source", "src"), ("iframe", "src")}


class _Page(HTMLParser):
    def __init__(self):
        super().__init__()
        self.ids, self.links, self.fetched, self.open = set(), [], [], []
        self.problems = []

    def handle_starttag(self, tag, attributes):
        about = dict(attributes)
        if "id" in about:
            if about["id"] in self.ids:
                self.problems.append(f"two places are called {about['id']}")
            self.ids.add(about["id"])
        if tag == "a" and "href" in about:
            self.links.append(about["href"])
        if tag == "link" and {"stylesheet", "icon"} & set((about.get("rel") or "").split()):
            self.fetched.append(about["href"])
        self.fetched += [about[key] for name, key in _FETCHED if name == tag and key in about]
        if tag == "img" and "alt" not in about:
            self.problems.append(f"a picture without alt: {about.get('src')}")
        if tag == "details":
            self.open.append(self.getpos()[0])

    def handle_endtag(self, tag):
        if tag == "details":
            if self.open:
                self.open.pop()
            else:
                self.problems.append(f"line {self.getpos()[0]}: </details> closes nothing")


def problems(folder):
    """What is wrong with links, pictures and folds of the pages in ``folder``, a line for each."""
    pages, found = {}, []
    for path in sorted(folder.rglob("*.html")):
        page = _Page()
        page.feed(path.read_text(encoding="utf-8"))
        page.problems += [f"line {line}: a fold is not closed" for line in page.open]
        pages[path.resolve()] = page
    for path, page in pages.items():
        name = path.relative_to(folder.resolve())
        found += [f"{name}: {problem}" for problem in page.problems]
        for link in page.fetched:
            if urlsplit(link).scheme not in ("", "data") or link.startswith("//"):
                found.append(f"{name}: fetches {link}")
        for link in dict.fromkeys([*page.links, *page.fetched]):
            parts = urlsplit(link)
            if parts.scheme or link.startswith("//"):
                continue
            if parts.path.startswith("/"):
                found.append(f"{name}: {link} would not work under a subpath")
                continue
            to = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            if not to.is_file():
                found.append(f"{name}: {link} leads nowhere")
            elif parts.fragment and to in pages and unquote(parts.fragment) not in pages[to].ids:
                found.append(f"{name}: {link} leads to no place of that page")
    return found
