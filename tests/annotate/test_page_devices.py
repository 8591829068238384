"""The labelling page on phones, tablets and desks: what is in view, and what keeps people out."""

import runpy
from pathlib import Path

import numpy as np
import pytest

from noisyactive.annotate import images_of, serve
from noisyactive.journal import Asked, Journal, JournalWriter, Refitted, Started

sync_api = pytest.importorskip("playwright.sync_api", reason="needs playwright")
expect = sync_api.expect
violations = runpy.run_path(str(Path(__file__).parents[1] / "html_page.py"))["violations"]

SIZES = [(320, 568), (390, 844), (844, 390), (568, 320), (820, 1180), (1180, 820), (1440, 900)]

#: In every frame: whenever an answer is possible, the whole image is in view and nothing hides it.
WATCH = """
window.blind = [];
const look = () => {
  requestAnimationFrame(look);
  const panel = document.getElementById("panel");
  if (!panel || panel.hidden || panel.getAttribute("aria-busy") !== "false") return;
  const box = document.getElementById("image").getBoundingClientRect();
  const middle = document.elementFromPoint((box.left + box.right) / 2, (box.top + box.bottom) / 2);
  const inside = box.left >= -1 && box.top >= -1 && box.right <= innerWidth + 1 && box.bottom <= innerHeight + 1;
  if (!inside || box.width < 80 || box.height < 80 || !middle?.closest("#stage")) {
    window.blind.push([document.getElementById("item").innerText, JSON.stringify(box)]);
  }
};
requestAnimationFrame(look);
"""  # noqa: E501

SMALL = """all => all.map((e) => [e.id || e.className, e.getBoundingClientRect()])
    .filter(([, box]) => box.height < 43.9 || box.width < 43.9).map(([name]) => name)"""

IN_VIEW = """e => { const box = e.getBoundingClientRect();
    return box.top >= 0 && box.bottom <= innerHeight && box.left >= 0 && box.right <= innerWidth
      && e.contains(document.elementFromPoint((box.left + box.right) / 2, (box.top + box.bottom) / 2)) }"""  # noqa: E501


@pytest.fixture
def serve_classes(tmp_path):
    """Serve a round of 12 items of so many classes, with suggestions."""
    opened = []

    def start(n_classes, **options):
        path = tmp_path / "run.db"
        names = np.array(sorted(f"type {k}" for k in range(1, n_classes + 1)))
        codes = np.arange(30) % n_classes
        ids = np.array([f"item {row}" for row in range(30)])
        writer = JournalWriter(path, {}, {})
        writer.draft(names, codes, ids, 1)
        writer.publish([Started(0), Refitted(0.0)])
        suggested = tuple(names[(codes[:12] + 1) % n_classes].tolist())
        writer.write(Asked(tuple(range(12)), suggested, (0.51, 0.9) * 6, 40, "", n_by_chance=2), 2)
        images = np.random.default_rng(0).random((30, 1, 45, 60))
        page = serve(path, images_of(images), **{"annotator": "Ada", **options})
        opened.extend([page, writer])
        return page, Journal(path)

    yield start
    for one in opened:
        one.close()


@pytest.mark.parametrize("n_classes", [2, 20, 200])
@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def test_the_image_is_in_view_whenever_an_answer_is_possible(
    serve_classes, open_tab, ready, size, n_classes
):
    page, journal = serve_classes(n_classes)
    touch = {"is_mobile": True, "has_touch": True} if size[0] < 1440 else {}
    tab = open_tab("about:blank", viewport={"width": size[0], "height": size[1]}, **touch)
    tab.add_init_script(WATCH)
    tab.goto(page.url)
    press = "tap" if touch else "click"
    ready(tab, "item 0")
    for selector in ("#undo", "#skip", "#keep", "#accept"):
        assert tab.locator(selector).evaluate(IN_VIEW), selector
    buttons = tab.locator("#classes .class")
    assert buttons.count() == n_classes
    for number, button in enumerate([buttons.last, buttons.first, buttons.last]):
        getattr(button, press)()
        ready(tab, f"item {number + 1}")
        # Some frames; of two buttons side by side, longer than what counts as a double tap.
        tab.wait_for_timeout(400 if n_classes == 2 else 60)
    getattr(tab.locator("#accept"), press)()
    ready(tab, "item 4")
    tab.evaluate("window.scrollTo(0, 500)")
    getattr(tab.locator("#undo"), press)()
    ready(tab, "item 3")
    getattr(tab.locator("#back"), press)()
    ready(tab, "item 4")
    assert tab.evaluate("window.blind") == []
    wide = tab.evaluate("[document.documentElement.scrollWidth, scrollX, scrollY]")
    assert wide == [size[0], 0, 0]
    if touch:
        assert tab.locator("button:visible, input:visible").evaluate_all(SMALL) == []
        tab.locator("#tools-toggle:visible").evaluate_all("all => all.forEach(e => e.click())")
        assert tab.locator("#tools button:visible").evaluate_all(SMALL) == []
    assert len(journal.answers()) == 4


DOUBLE_TAP = """() => new Promise((done) => {
  const tap = (detail) =>
    document.querySelector("#classes .class").dispatchEvent(new MouseEvent("click", { detail }));
  const panel = document.getElementById("panel");
  // At once when the next item is ready, however slow the machine is.
  new MutationObserver((_, observer) => {
    if (document.getElementById("item").textContent !== "item 1") return;
    if (panel.getAttribute("aria-busy") !== "false") return;
    observer.disconnect();
    tap(2);
    done();
  }).observe(document.body, { attributes: true, childList: true, subtree: true });
  tap(1);
})"""


def test_a_double_tap_is_one_answer(serve_classes, open_tab, ready):
    page, journal = serve_classes(20)
    tab = open_tab(page.url)
    ready(tab, "item 0")
    tab.evaluate(DOUBLE_TAP)
    tab.wait_for_timeout(200)
    assert len(journal.answers()) == 1
    tab.wait_for_timeout(400)
    button = tab.locator("#classes .class").first
    button.dispatch_event("click", {"detail": 3})  # somebody who is just quick
    ready(tab, "item 2")


@pytest.mark.parametrize("size", [(390, 844), (844, 390), (1280, 800)])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(serve_classes, open_tab, ready, size, scheme):
    page, _ = serve_classes(20, annotator=None)
    options = {"viewport": {"width": size[0], "height": size[1]}, "color_scheme": scheme}
    tab = open_tab(page.url, **options)
    found = {}

    def look(state):
        found[state] = violations(tab)

    expect(tab.locator("#name-dialog")).to_be_visible()
    look("name")
    tab.locator("#name").fill("Ada")
    tab.keyboard.press("Enter")
    ready(tab, "item 0")
    look("item")
    tab.keyboard.press("?")
    look("help")
    tab.locator("#keys-button").click()
    look("keys")
    tab.locator("#keys-close").click()
    tab.keyboard.press("Enter")
    ready(tab, "item 1")
    tab.locator("#undo").click()
    ready(tab, "item 0")
    look("correcting")
    tab.locator("#back").click()
    ready(tab, "item 1")
    tab.locator("#finish").click()
    expect(tab.locator("#sitting")).to_contain_text("you answered 1 item")
    look("rest")
    tab.locator("#go-on").click()
    ready(tab, "item 1")
    page.close()
    tab.keyboard.press("Enter")
    expect(tab.locator("#trouble")).to_be_visible()
    look("trouble")
    assert not any(found.values()), found


def test_axe_would_find_something(serve_classes, open_tab, ready):
    page, _ = serve_classes(2)
    tab = open_tab(page.url)
    ready(tab, "item 0")
    tab.evaluate("document.getElementById('zoom-in').removeAttribute('aria-label')")
    tab.evaluate("document.getElementById('reason').style.color = '#ddd'")
    assert {"button-name", "color-contrast"} <= {rule for rule, _ in violations(tab)}
