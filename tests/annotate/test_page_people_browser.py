"""Kinds of items, people and the guideline in a real browser."""

import runpy
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from noisyactive.journal import Journal

sync_api = pytest.importorskip("playwright.sync_api", reason="needs playwright")
expect = sync_api.expect

pytestmark = pytest.mark.slow
violations = runpy.run_path(str(Path(__file__).parents[1] / "html_page.py"))["violations"]
MEASURE_CONTRAST = Path(__file__).with_name("contrast.js").read_text(encoding="utf-8")
MARKUP = "<img src=x onerror=\"document.title='taken'\"><b>bold</b>"
PHOTO = Image.new("RGB", (300, 200), (180, 120, 90))
SIZES = [(1280, 800), (390, 844), (320, 640)]


def ready(tab):
    expect(tab.locator("#panel")).to_have_attribute("aria-busy", "false")


def too_faint(tab):
    return [(text, ratio) for text, ratio in tab.evaluate(MEASURE_CONTRAST) if ratio < 4.5]


def test_each_kind_of_item_is_drawn_and_nothing_is_markup(start_run, serving, open_tab):
    pulse = np.sin(np.arange(4000) / 50)
    pulse[7] = np.nan
    run = start_run()
    shows = {
        run.rows[0]: f"שלום\nA line {MARKUP}",
        run.rows[1]: {MARKUP: MARKUP, "age": 51, "empty": None, "pulse": pulse},
        run.rows[2]: {"before": PHOTO, "after": PHOTO, "last year": Path("none.png")},
        run.rows[3]: None,
    }
    page = serving(run.journal, annotator="Ada", show=lambda row: shows[row])
    tab = open_tab(page.url)
    parts = tab.locator("#parts")

    ready(tab)
    lines = parts.locator(".text p")
    expect(lines.nth(1)).to_have_text(f"A line {MARKUP}")
    directions = [line.evaluate("(p) => getComputedStyle(p).direction") for line in lines.all()]
    assert directions == ["rtl", "ltr"]
    expect(tab.locator("#stage")).to_be_hidden()
    tab.keyboard.press("1")

    expect(parts.locator("th").first).to_have_text(MARKUP)
    ready(tab)
    assert parts.locator("th").all_inner_texts() == [MARKUP, "age", "empty"]
    assert parts.locator("td").all_inner_texts() == [MARKUP, "51", "–"]
    plot = parts.locator("svg")
    assert plot.get_attribute("aria-label") == "4000 values from -1 to 1"
    assert plot.locator(".curve").evaluate("(path) => path.getBBox().width") > 990
    assert parts.locator("b, img").count() == 0
    tab.keyboard.press("1")

    expect(parts.locator(".tile")).to_have_count(2)
    ready(tab)
    expect(parts).to_contain_text("This image cannot be shown. There is no such image file.")
    parts.locator(".tile").nth(1).click()
    expect(tab.locator("#image")).to_be_visible()
    tab.keyboard.press("+")
    expect(tab.locator("#stage")).to_have_class("stage zoomed")
    tab.locator("#all-parts").click()
    expect(tab.locator("#stage")).to_be_hidden()
    tab.keyboard.press("1")

    expect(tab.locator("#no-image")).to_contain_text("There is nothing to look at for this item.")
    ready(tab)
    tab.keyboard.press("x")
    expect(tab.locator("#pause")).to_be_visible()
    flags = [(a["row"], a["flag"], a["charged"]) for a in Journal(run.journal).answers()]
    assert flags == list(
        zip(run.rows, ["", "", "not shown", "unusable"], [True, True, True, False], strict=True)
    )
    tab.keyboard.press("u")
    ready(tab)
    expect(tab.locator("#correcting")).to_contain_text("You answered “missing or unusable”")
    expect(tab.locator("#unusable")).to_have_class("class skip answered")
    assert tab.title() != "taken"


@pytest.mark.parametrize("width, height", SIZES)
def test_nothing_is_wider_than_the_page(start_run, serving, open_tab, width, height):
    run = start_run()
    long = "endless" * 80
    kinds = [
        long,
        {long: long, "n": 1.5},
        [PHOTO, PHOTO, long],
        {"x": np.arange(9), "photo": PHOTO},
    ]
    shows = dict(zip(run.rows, kinds, strict=True))
    page = serving(run.journal, annotator="Ada", show=lambda row: shows[row])
    tab = open_tab(page.url, viewport={"width": width, "height": height})
    for row in run.rows:
        expect(tab.locator("#item")).to_have_text(run.ids[row])
        ready(tab)
        wide = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"
        assert tab.evaluate(wide) <= 0
        tab.keyboard.press("1")


def test_who_decides_sees_what_was_said(start_run, serving, open_tab):
    run = start_run(answers_per_item=2, round_budget=6)
    journal, row = Journal(run.journal), run.rows[0]
    journal.answer([row], ["nevus"], annotator="Ada", comments=[MARKUP])
    journal.answer([row], ["benign"], annotator="Ben")
    page = serving(run.journal, lambda row: PHOTO, annotators=["Ada", "Ben"], adjudicator="Dora")
    tab = open_tab(page.urls["Dora"])
    ready(tab)
    said = tab.locator("#said li")
    lines = [line.inner_text().replace("\n\n", "\n") for line in said.all()]
    assert lines == [f"Ada\nnevus\n{MARKUP}", "Ben\nbenign"]
    assert too_faint(tab) == []
    tab.keyboard.press("2")
    expect(tab.locator("#pause-title")).to_have_text("Nothing to decide now")
    assert journal.labels()[run.ids[row]] == "melanoma"

    ada = open_tab(page.urls["Ada"])
    ready(ada)
    expect(ada.locator("#said")).to_be_hidden()
    expect(ada.locator("#who")).to_be_disabled()
    ada.keyboard.press("m")
    mine = ada.locator("#mine")
    expect(mine.locator(".scroller tbody tr")).to_have_count(1)
    expect(mine.locator(".scroller")).to_contain_text(MARKUP)
    assert [line.inner_text().split() for line in mine.locator(".everybody tr").all()] == [
        ["Ada", "1"],
        ["Ben", "1"],
        ["Dora", "1"],
    ]
    assert too_faint(ada) == []
    mine.get_by_role("button", name="Change").click()
    expect(ada.locator("#correcting")).to_contain_text("You answered “nevus”")


def test_guideline_and_examples_are_one_key_away(start_run, serving, open_tab, tmp_path):
    pytest.importorskip("markdown_it")
    (tmp_path / "guide.md").write_text(
        f"# Rules\n\nLook *closely*: {MARKUP}\n\n[more](https://example.org/)", encoding="utf-8"
    )
    run = start_run()
    Journal(run.journal).answer(run.rows[:1], ["nevus"], annotator="Ada")
    page = serving(run.journal, lambda row: PHOTO, annotator="Ada", guideline=tmp_path / "guide.md")
    for scheme in ("light", "dark"):
        tab = open_tab(page.url, color_scheme=scheme)
        ready(tab)
        tab.keyboard.press("g")
        panel = tab.locator("#reference")
        expect(panel.locator(".guideline h3")).to_have_text("Rules")
        expect(panel.locator(".guideline p").first).to_have_text(f"Look closely: {MARKUP}")
        assert panel.locator(".guideline img, .guideline b").count() == 0
        assert panel.locator("a").get_attribute("rel") == "noopener noreferrer"
        expect(panel.locator(".examples img")).to_have_count(1)
        expect(panel.locator("section h4")).to_have_text("nevus")
        assert too_faint(tab) == []
        tab.keyboard.press("1")  # no answer while it is open
        tab.keyboard.press("g")
        expect(panel).to_be_hidden()
    assert len(Journal(run.journal).answers()) == 1


def test_a_kept_answer_is_sent_by_its_author_alone(start_run, serving, open_line):
    run = start_run()
    page = serving(run.journal, lambda row: PHOTO, annotators=["Ada", "Ben"])
    tab, line = open_line(page.urls["Ada"])
    ready(tab)
    line.lets_through = False
    tab.keyboard.press("1")
    expect(tab.locator("#trouble")).to_be_visible()
    line.lets_through = True
    tab.goto(page.urls["Ben"])  # the same browser, and the same storage
    ready(tab)
    expect(tab.locator("#who")).to_contain_text("Ben")
    assert Journal(run.journal).answers() == []
    tab.goto(page.urls["Ada"])
    expect(tab.locator("#status")).to_have_text("An answer that was kept here is saved now.")
    assert [a["annotator"] for a in Journal(run.journal).answers()] == ["Ada"]


@pytest.mark.parametrize("size", [(390, 844), (1280, 800)], ids=str)
def test_axe_finds_nothing(start_run, serving, open_tab, tmp_path, size):
    pytest.importorskip("markdown_it")
    (tmp_path / "guide.md").write_text("# Rules\n\n| a | b |\n|---|---|\n| 1 | [x](http://x.y) |")
    run = start_run(answers_per_item=2, round_budget=8)
    journal = Journal(run.journal)
    for who, label in {"Ada": "nevus", "Ben": "benign"}.items():
        journal.answer(run.rows[:1], [label], annotator=who, comments=["a remark"])
    kinds = {
        run.rows[0]: {"before": PHOTO, "after": PHOTO, "age": 3},
        run.rows[1]: ["text " * 400, {"age": 3, "none": None}],
        run.rows[2]: {"photo": PHOTO, "pulse": np.arange(9.0)},
    }
    page = serving(
        run.journal,
        show=lambda row: kinds.get(row),
        annotators=["Ada", "Ben"],
        adjudicator="Dora",
        guideline=tmp_path / "guide.md",
    )
    viewport = {"width": size[0], "height": size[1]}
    found = {}
    dora = open_tab(page.urls["Dora"], viewport=viewport)
    ready(dora)
    found["said"] = violations(dora)
    dora.keyboard.press("1")
    expect(dora.locator("#pause-title")).to_have_text("Nothing to decide now")
    tab = open_tab(page.urls["Ada"], viewport=viewport)
    for row in run.rows[1:]:
        expect(tab.locator("#item")).to_have_text(run.ids[row])
        ready(tab)
        found[row] = violations(tab)
        tab.keyboard.press("1")
    expect(tab.locator("#pause")).to_be_visible()
    tab.keyboard.press("m")
    expect(tab.locator("#mine .scroller")).to_be_visible()
    found["mine"] = violations(tab)
    tab.keyboard.press("Escape")
    tab.keyboard.press("g")
    expect(tab.locator("#reference figure").first).to_be_visible()
    found["reference"] = violations(tab)
    assert not any(found.values()), found
