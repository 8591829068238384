"""A page read as a browser reads it; run by `runpy` in tests of reports."""

import os
import shutil
from html.parser import HTMLParser
from pathlib import Path

import pytest

CHROMIUM = os.environ.get("NOISYACTIVE_CHROMIUM") or next(
    filter(None, map(shutil.which, ["chromium", "chromium-browser", "google-chrome"])), None
)
needs_chromium = pytest.mark.skipif(
    CHROMIUM is None, reason="no chromium on the PATH, nor in NOISYACTIVE_CHROMIUM"
)
VOID = {"meta", "img", "br", "link", "input", "source"}


class Page(HTMLParser):
    """Elements, texts and the cells of tables of a page."""

    def __init__(self, path):
        super().__init__()
        self.in_cells = []
        self.elements, self.text, self.tables, self.open = [], "", [], []
        self.source = Path(path).read_text(encoding="utf-8")
        self.feed(self.source)
        assert not self.open  # every element was closed

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        if tag == "img" and {"td", "th"} & set(self.open):
            self.in_cells.append(dict(attributes)["src"])
        if tag not in VOID:
            self.open.append(tag)
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in ("td", "th"):
            self.tables[-1][-1].append("")

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "style" in self.open:
            return
        self.text += data
        if "td" in self.open or "th" in self.open:
            self.tables[-1][-1][-1] += data

    def table(self, heading):
        """Rows of the table whose first row holds a heading, each a dict."""
        (table,) = (table for table in self.tables if heading in table[0])
        head, *rows = table
        return [dict(zip(head, row, strict=True)) for row in rows]

    def images(self):
        """Sources of the images in table cells."""
        return self.in_cells


def check_in_browser(path, width, color_scheme="light"):
    """The page is no wider than the screen, shows all images, and asks for nothing else.

    Nor does axe find anything in it that keeps people out.
    """
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as tool:
        browser = tool.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": width, "height": 800}, color_scheme=color_scheme)
        asked, complaints = [], []
        page.on("request", lambda request: asked.append(request.url))
        page.on("console", lambda message: complaints.append(message.text))
        page.goto(path.as_uri())
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        broken = (
            "[...document.images].filter(image => !image.complete || !image.naturalWidth).length"
        )
        assert page.evaluate(broken) == 0
        ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert not complaints and all(url.startswith(("data:", path.as_uri())) for url in asked)
        assert violations(page) == []
        browser.close()
    return ground


def violations(page):
    """What axe finds on a page: rules, and the elements that break them."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="needs axe")
    found = axe.Axe().run(page).response["violations"]
    return [(rule["id"], [node["html"][:200] for node in rule["nodes"]]) for rule in found]
