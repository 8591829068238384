"""The site keeps its word: its code runs, its links lead somewhere, nothing public is left out."""

import ast
import os
import re
import runpy
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from pkgutil import iter_modules
from urllib.parse import unquote, urldefrag

import pytest

import noisyactive

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
HTML = runpy.run_path(str(ROOT / "tests" / "html_page.py"))
PAGES = sorted(
    page
    for page in DOCS.rglob("*.md")
    if not {"api", "gallery"} & set(page.relative_to(DOCS).parts)
    and page != DOCS / "recipes.md"  # whose blocks need files: test_recipes.py
    and "```python" in page.read_text(encoding="utf-8")
)
NEEDS = {"cleanlab": "cleanlab", "skactiveml": "skactiveml"}
BUILD = ["sphinx", "pydata_sphinx_theme", "myst_parser", "sphinx_gallery", "sphinx_copybutton"]


def blocks(page):
    text = page.read_text(encoding="utf-8")
    return re.findall(r"^```python\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(DOCS)))
def test_code_runs(page, tmp_path, monkeypatch):
    if page.stem in NEEDS:
        pytest.importorskip(NEEDS[page.stem])
    monkeypatch.chdir(tmp_path)
    exec(compile("\n".join(blocks(page)), page.name, "exec"), {"__name__": "__main__"})


def test_every_page_of_the_guide_has_code_or_says_what_cannot_be_run():
    guide = {page.stem for page in (DOCS / "guide").glob("*.md")}
    shown = {page.stem for page in PAGES if page.parent.name == "guide"}
    # Servers, clusters and tables of times are shown as text.
    assert guide - shown == {"index", "limits", "people", "scale", "time_and_memory", "works_with"}


def test_names_exist_also_in_blocks_that_are_not_run():
    found = set()
    for page in [*DOCS.rglob("*.md"), ROOT / "README.md"]:
        text = page.read_text(encoding="utf-8")
        for module, names in re.findall(r"^from (noisyactive[\w.]*) import ([\w, ]+)", text, re.M):
            found |= {(module, name.strip()) for name in names.split(",") if name.strip()}
        for path in re.findall(r"`(noisyactive(?:\.\w+)+)", text):
            found.add(tuple(path.rsplit(".", 1)))
    missing = [
        (module, name)
        for module, name in sorted(found)
        if find_spec(module) is None
        or not (hasattr(import_module(module), name) or find_spec(f"{module}.{name}"))
    ]
    assert len(found) > 40
    assert missing == []


def strings_of_the_code():
    """Every string of the package, with "..." for what is filled in."""
    found = []
    for path in (ROOT / "noisyactive").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.JoinedStr):
                parts = [n.value if isinstance(n, ast.Constant) else "..." for n in node.values]
                found.append("".join(map(str, parts)))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.append(node.value)
    return found


def test_quoted_errors_are_those_of_the_code():
    text = (DOCS / "errors.md").read_text(encoding="utf-8")
    quoted = re.findall(r"^> (.+)$", text, flags=re.MULTILINE)
    strings = strings_of_the_code()
    unknown = [quote for quote in quoted if not any(quote in string for string in strings)]
    assert len(quoted) >= 25
    assert unknown == []


def test_tests_that_hold_promises_exist():
    named = re.findall(r"`(tests/[^`]+)`", (DOCS / "how" / "promises.md").read_text("utf-8"))
    assert len(named) > 10
    assert [path for path in named if not (ROOT / path).exists()] == []


def load(name):
    """A module of docs/_ext."""
    from importlib.util import module_from_spec, spec_from_file_location

    spec = spec_from_file_location(name, DOCS / "_ext" / f"{name}.py")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_names_in_the_stub_inventories_exist():
    for project, (address, names) in load("stub_inventories").PROJECTS.items():
        assert address.startswith("https://") and address.endswith("/")
        for name, (role, _) in names.items():
            if not role.startswith("py:"):
                continue
            if project == "python":
                eval(name)
                continue
            module, _, attribute = name.rpartition(".")
            value = getattr(import_module(module), attribute)
            assert isinstance(value, type) == (role == "py:class"), name


class Links(HTMLParser):
    """Anchors of a page, and the addresses it leads to or loads from."""

    def __init__(self, path):
        super().__init__()
        self.anchors, self.links, self.loaded = set(), set(), set()
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        if attributes.get("id"):
            self.anchors.add(attributes["id"])
        if tag == "a" and attributes.get("href"):
            self.links.add(attributes["href"])
        if tag in {"img", "script"} and attributes.get("src"):
            self.loaded.add(attributes["src"])
        if tag == "link" and attributes.get("rel") == "stylesheet":
            self.loaded.add(attributes["href"])


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The site, built in a copy of what it needs, without running the gallery."""
    for needed in BUILD:
        if find_spec(needed) is None:
            pytest.skip(f"{needed} is not installed; the extra 'docs' has it")
    root = tmp_path_factory.mktemp("site")
    made = shutil.ignore_patterns("api", "gallery", "__pycache__", "*.png.tmp")
    shutil.copytree(DOCS, root / "docs", ignore=made)
    shutil.copytree(ROOT / "examples", root / "examples", ignore=made)
    for name in ("CHANGELOG.md", "CONTRIBUTING.md", "README.md"):
        shutil.copyfile(ROOT / name, root / name)
    result = subprocess.run(
        [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "docs", "build/docs"],
        cwd=root,
        env={**os.environ, "NOISYACTIVE_GALLERY": "none"},
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr[-5000:]
    return root / "build" / "docs"


@pytest.fixture(scope="module")
def pages(site):
    return {
        path.resolve(): Links(path) for path in site.rglob("*.html") if "_static" not in str(path)
    }


@pytest.mark.slow
def test_internal_links_lead_somewhere(site, pages):
    broken = []
    for path, page in pages.items():
        for link in page.links | page.loaded:
            address, anchor = urldefrag(link)
            if re.match(r"[a-z]+:", address):
                continue
            target = (path.parent / unquote(address.split("?")[0])).resolve() if address else path
            if not target.is_file():
                broken.append((path.name, link))
            elif anchor and target in pages and anchor not in pages[target].anchors:
                broken.append((path.name, link))
    assert len(pages) > 100
    assert broken == []


@pytest.mark.slow
def test_nothing_is_loaded_from_a_network(pages):
    loaded = {address for page in pages.values() for address in page.loaded}
    assert [address for address in loaded if re.match(r"(https?:)?//", address)] == []


@pytest.mark.slow
@HTML["needs_chromium"]
@pytest.mark.parametrize("width", [1300, 360])
def test_pages_fit_the_screen_and_ask_for_nothing_else(site, width):
    playwright = pytest.importorskip("playwright.sync_api")
    names = ["index", "guide/fix_labels", "how/design", "how/method", "gallery/index", "errors"]
    names += ["api/noisyactive.audit", "api/generated/noisyactive.CoTeachingVOGClassifier"]
    names += ["changes", "start", "coming_from/cleanlab"]
    too_wide = """[...document.querySelectorAll("p code, main li code, main a, td")]
        .filter((part) => part.getBoundingClientRect().right > innerWidth)
        .map((part) => part.textContent)"""
    tables = {"guide/fix_labels"}  # of numbers, which scroll
    asked = []
    with playwright.sync_playwright() as tool:
        browser = tool.chromium.launch(executable_path=HTML["CHROMIUM"], args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": width, "height": 800})
        page.on("request", lambda request: asked.append(request.url))
        for name in names:
            page.goto((site / f"{name}.html").as_uri())
            assert page.evaluate("document.documentElement.scrollWidth") <= width, name
            assert name in tables or page.evaluate(too_wide) == [], name
        browser.close()
    assert [url for url in asked if not url.startswith(("file:", "data:"))] == []


@pytest.mark.slow
def test_every_public_name_has_a_place(site, pages):
    anchors = set().union(*(page.anchors for page in pages.values()))
    public = [
        f"noisyactive.{module.name}"
        for module in iter_modules(noisyactive.__path__)
        if module.ispkg and not module.name.startswith("_")
    ]
    for package in ["noisyactive", *public]:
        for name in import_module(package).__all__:
            assert f"{package}.{name}" in anchors


@pytest.mark.slow
def test_every_example_has_a_page_and_a_notebook(site):
    examples = {path.stem for path in (ROOT / "examples").glob("plot_*.py")}
    assert {path.stem for path in (site / "gallery").glob("plot_*.html")} == examples
    assert {path.stem for path in (site / "_downloads").rglob("plot_*.ipynb")} == examples
