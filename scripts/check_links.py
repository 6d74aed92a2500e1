"""Every link inside the built documentation leads somewhere: ``python scripts/check_links.py docs/_build/html``.

Links to other sites are not followed. Exits with 1, and a line for each, where a file or an anchor is not there.
"""

import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit


class Page(HTMLParser):
    """The links and the anchors of one page."""

    def __init__(self, path):
        super().__init__()
        self.links, self.anchors = [], {"", "top"}
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.anchors |= {attributes[name] for name in ("id", "name") if attributes.get(name)}
        self.links += [attributes[name] for name in ("href", "src") if attributes.get(name)]


def dead_links(root):
    """Pairs of a page and a link of it that leads nowhere."""
    pages = {path: Page(path) for path in root.rglob("*.html") if "_static" not in path.parts}
    if not pages:
        raise SystemExit(f"{root}: no pages")
    for path, page in sorted(pages.items()):
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            anchors = pages[target].anchors if target in pages else {parts.fragment}
            if not target.exists() or unquote(parts.fragment) not in anchors:
                yield path.relative_to(root), link


if __name__ == "__main__":
    dead = list(dead_links(Path(sys.argv[1]).resolve()))
    for page, link in dead:
        print(f"{page}: {link}")
    sys.exit(bool(dead))
