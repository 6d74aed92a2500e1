"""Every page of the built documentation looks right in a browser: ``python scripts/check_pages.py docs/_build/html``.

Chromium opens each page without a window and without a network, once for all widths. The script exits with 1, and with
a line for each fault, if

* a page is wider than the window, so that the whole page scrolls sideways;
* a block of code is cut off in a window of 1280 pixels;
* the text has a raw hash of a reference, the address of an object, raw TeX or raw reStructuredText;
* a formula is not drawn, a picture does not load, or a page asks for a file of another site;
* a link leads nowhere, or the header has more than one row in a window of 1024 or 1280 pixels.

``--pictures FOLDER`` also writes a picture of each page and width. Without Chromium the script says so, and exits with
0.
"""

import argparse
import base64
import fcntl
import json
import os
import select
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
WIDTHS = (1280, 1024, 400)
HEIGHT = 900
# A browser that says nothing for this number of seconds is broken.
PATIENCE = 120

# Runs in the page after the last file has arrived. Blocks of code and the header depend on the width of the window.
FAULTS = r"""
async (width) => {
  const faults = [];
  const short = (text) => text.trim().replace(/\s+/g, " ").slice(0, 70);
  const root = document.documentElement;
  if (root.scrollWidth > innerWidth) {
    const elements = [...document.querySelectorAll("main *")];
    const wide = elements.filter((e) => e.getBoundingClientRect().right > innerWidth + 1);
    const last = wide.length ? wide[wide.length - 1] : document.body;
    faults.push(`the page is ${root.scrollWidth} px wide: <${last.tagName.toLowerCase()}> ${short(last.textContent)}`);
  }
  if (width >= 1280) {
    for (const block of document.querySelectorAll("main pre")) {
      const excess = block.scrollWidth - block.clientWidth;
      const lines = block.textContent.split("\n");
      const longest = lines.reduce((a, b) => (a.length > b.length ? a : b));
      if (excess > 1) faults.push(`code is cut off by ${excess} px, ${longest.length} columns: ${short(longest)}`);
    }
  }
  const items = [...document.querySelectorAll("header .navbar-brand, header .nav-item, header .navbar-item")];
  const shown = items.map((e) => e.getBoundingClientRect()).filter((box) => box.width && box.height);
  const middles = shown.map((box) => (box.top + box.bottom) / 2);
  if (width >= 1024 && Math.max(...middles) - Math.min(...middles) > 12) faults.push("the header has several rows");
  if (width !== WIDTHS_FIRST) return faults;

  // Text outside of code and formulas, one text node at a time.
  const patterns = {
    "raw hash of a reference": /\[?R[0-9a-f]{10,}-\d+\]?/,
    "raw TeX": /\\[([]|\\(frac|sum|sqrt|mathrm)\b/,
    "raw reStructuredText": /:[a-z]+:`|``|\.\. [a-z-]+::/,
  };
  const walker = document.createTreeWalker(document.querySelector("main") || document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const text = walker.currentNode.data;
    const inside = (selector) => walker.currentNode.parentElement.closest(selector);
    if (/<[\w.]+ object at 0x/.test(text)) faults.push(`address of an object: ${short(text)}`);
    if (inside("pre, code, script, style, annotation, mjx-container")) continue;
    for (const [name, pattern] of Object.entries(patterns)) {
      const found = text.match(pattern);
      if (found) faults.push(`${name}: ${short(text.slice(found.index))}`);
    }
  }
  for (const formula of document.querySelectorAll("main .math")) {
    if (!formula.querySelector("math, mjx-container, svg")) faults.push(`formula: ${short(formula.textContent)}`);
  }
  for (const picture of document.images) {
    picture.loading = "eager";
    await picture.decode().catch(() => faults.push(`picture: ${picture.getAttribute("src")}`));
  }
  for (const file of document.querySelectorAll("script[src], link[rel=stylesheet], img[src], iframe[src]")) {
    const address = file.getAttribute("src") || file.getAttribute("href");
    if (/^(https?:)?\/\//.test(address)) faults.push(`file of another site: ${address}`);
  }
  const targetless = "main a:not([href]), main a[href=''], code.download:not(a code), .problematic, .system-message";
  for (const link of document.querySelectorAll(targetless)) {
    if (!link.id) faults.push(`link without a target: ${short(link.textContent)}`);
  }
  return faults;
}
""".replace("WIDTHS_FIRST", str(WIDTHS[0]))


class Browser:
    """Chromium under the DevTools protocol, which it speaks over two pipes: JSON texts that end with a zero byte."""

    _session = None  # of the one page, once it is there

    def __init__(self, program, profile):
        # Chromium reads the pipe with the number 3 and writes the one with the number 4. Ours get numbers beyond these.
        ends, (self._in, self._out) = self._pipes()
        options = ["--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--remote-debugging-pipe"]
        offline = ["--host-resolver-rules=MAP * ~NOTFOUND", "--allow-file-access-from-files"]
        self._process = subprocess.Popen(
            [program, *options, *offline, f"--user-data-dir={profile}", "about:blank"],
            preexec_fn=lambda: [os.dup2(end, number) for number, end in enumerate(ends, start=3)],
            close_fds=False,
            stderr=subprocess.DEVNULL,
        )
        for end in ends:
            os.close(end)
        self._number, self._rest, self._events = 0, b"", []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self.call("Page.enable")

    @staticmethod
    def _pipes():
        """The ends of two pipes: what Chromium reads and writes, and what we read and write."""
        pipes = [*os.pipe(), *os.pipe()]
        read, out, into, write = (fcntl.fcntl(pipe, fcntl.F_DUPFD_CLOEXEC, 10) for pipe in pipes)
        for pipe in pipes:
            os.close(pipe)
        return (read, write), (into, out)

    def call(self, method, **parameters):
        """The result of one command."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        try:
            os.write(self._out, json.dumps(message).encode() + b"\0")
        except BrokenPipeError:
            raise RuntimeError("Chromium ended") from None
        while (answer := self._next()).get("id") != self._number:
            self._events.append(answer.get("method"))
        if "error" in answer:
            raise RuntimeError(f"{method}: {answer['error']['message']}")
        return answer["result"]

    def open(self, address):
        """Go to a page, and wait until its files are there."""
        self._events.clear()
        self.call("Page.navigate", url=address)
        while "Page.loadEventFired" not in self._events:
            self._events.append(self._next().get("method"))

    def resize(self, width):
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=HEIGHT, deviceScaleFactor=1, mobile=False)

    def run(self, function, argument):
        """The value of a function of JavaScript."""
        expression = f"({function})({json.dumps(argument)})"
        found = self.call("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in found:
            raise RuntimeError(found["exceptionDetails"]["exception"]["description"])
        return found["result"].get("value")

    def picture(self):
        """The whole page as PNG."""
        return base64.b64decode(self.call("Page.captureScreenshot", captureBeyondViewport=True)["data"])

    def close(self):
        self._process.terminate()
        self._process.wait()
        for pipe in (self._out, self._in):
            os.close(pipe)

    def _next(self):
        while b"\0" not in self._rest:
            ready, _, _ = select.select([self._in], [], [], PATIENCE)
            part = os.read(self._in, 1 << 20) if ready else b""
            if not part:
                raise RuntimeError("Chromium ended" if ready else f"Chromium said nothing for {PATIENCE} seconds")
            self._rest += part
        message, _, self._rest = self._rest.partition(b"\0")
        return json.loads(message)


def faults_of(browser, page, root, pictures):
    """The faults of one page, each with the width of the window."""
    browser.resize(WIDTHS[0])
    browser.open(page.as_uri())
    # Formulas are drawn by a script after the page has loaded.
    browser.run("() => window.MathJax?.startup?.promise?.then(() => 0)", None)
    for width in WIDTHS:
        browser.resize(width)
        yield from ((width, fault) for fault in browser.run(FAULTS, width))
        if pictures:
            name = "-".join(page.relative_to(root).with_suffix("").parts)
            (pictures / f"{name}-{width}.png").write_bytes(browser.picture())


def count_faults(program, pages, root, pictures):
    """Print the faults of some pages, and return their number."""
    found = 0
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        browser = Browser(program, profile)
        try:
            for page in pages:
                for width, fault in faults_of(browser, page, root, pictures):
                    print(f"{page.relative_to(root)}, {width} px: {fault}", flush=True)
                    found += 1
        finally:
            browser.close()
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("root", type=Path, help="folder of the built pages")
    parser.add_argument("--pictures", type=Path, help="folder for pictures of the pages")
    parser.add_argument("--only", default="", help="only pages with this in their path")
    parser.add_argument("--jobs", type=int, default=2, help="number of browsers")
    options = parser.parse_args()
    program = next(filter(None, map(shutil.which, BROWSERS)), None)
    if program is None:
        print(f"skipped: none of {', '.join(BROWSERS)} is installed")
        return 0
    root = options.root.resolve()
    pages = [page for page in sorted(root.rglob("*.html")) if "_static" not in page.parts and options.only in str(page)]
    if not pages:
        raise SystemExit(f"{root}: no pages")
    if options.pictures:
        options.pictures.mkdir(parents=True, exist_ok=True)
    start = time.monotonic()
    with ThreadPoolExecutor(options.jobs) as pool:
        shares = [pages[number :: options.jobs] for number in range(options.jobs)]
        found = sum(pool.map(lambda share: count_faults(program, share, root, options.pictures), shares))
    print(f"{len(pages)} pages, {found} faults, {time.monotonic() - start:.0f} s")
    return int(found > 0)


if __name__ == "__main__":
    sys.exit(main())
