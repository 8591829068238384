"""The labelling page by keyboard, and what a browser keeps of it."""

import numpy as np
import pytest

from noisyactive.annotate import _service, images_of, serve
from noisyactive.journal import Asked, Journal, JournalWriter, Refitted, Started

sync_api = pytest.importorskip("playwright.sync_api", reason="needs playwright")
expect = sync_api.expect


class Round:
    """A served round about all rows, and how the journal sees it."""

    def __init__(self, path, names, n_rows=12):
        self.names = np.array(sorted(names))
        codes = np.arange(n_rows) % len(names)
        self.labels = self.names[codes]
        self.suggested = self.names[(codes + 1) % len(names)]
        self.writer = JournalWriter(path, {}, {})
        ids = np.array([f"item {row}" for row in range(n_rows)])
        self.writer.draft(self.names, codes, ids, 1)
        self.writer.publish([Started(0), Refitted(0.0)])
        suggested, probability = tuple(self.suggested.tolist()), (0.75,) * n_rows
        self.writer.write(Asked(tuple(range(n_rows)), suggested, probability, 40), 2)
        images = np.random.default_rng(0).random((n_rows, 1, 8, 8))
        self.page = serve(path, images_of(images), annotator="Ada")
        self.journal = Journal(path)

    def said(self):
        return [(a["row"], a["new_label"]) for a in self.journal.answers()]


@pytest.fixture
def start(tmp_path):
    """Serve a round with classes of these names."""
    rounds = []

    def start(names):
        rounds.append(Round(tmp_path / "run.db", names))
        return rounds[-1]

    yield start
    for one in rounds:
        one.page.close()
        one.writer.close()


def press(tab, *keys):
    for key in keys:
        tab.keyboard.press(key)


def test_enter_accepts_and_k_keeps(start, open_tab, ready):
    run = start(["a", "b", "c"])
    tab = open_tab(run.page.url)
    ready(tab, "item 0")
    press(tab, "Enter")
    ready(tab, "item 1")
    press(tab, "k")
    ready(tab, "item 2")
    tab.locator("#classes .class").first.click()  # which has the focus now
    ready(tab, "item 3")
    press(tab, "Enter")
    ready(tab, "item 4")
    assert run.said() == [
        (0, run.suggested[0]), (1, run.labels[1]), (2, "a"), (3, run.suggested[3])
    ]  # fmt: skip


def test_label_and_suggestion_are_the_first_answers(start, open_tab, ready):
    run = start([f"type {k}" for k in range(1, 41)])
    tab = open_tab(run.page.url)
    ready(tab, "item 0")
    first = tab.locator("#panel button:visible").evaluate_all("all => all.map(e => e.id)")[:2]
    assert first == ["keep", "accept"]
    expect(tab.locator("#keep")).to_contain_text(run.labels[0])
    expect(tab.locator("#accept")).to_contain_text(run.suggested[0])
    expect(tab.locator("#accept")).to_contain_text("75%")
    expect(tab.locator("#reason")).to_have_text(
        f"the model disagrees with the label: 75% {run.suggested[0]}"
    )
    tab.locator("#keep").click()
    ready(tab, "item 1")
    assert run.said() == [(0, run.labels[0])]


def test_two_comes_before_ten(start, open_tab, ready):
    run = start(["10", "9", "2", "-1", "0.5"])
    tab = open_tab(run.page.url)
    ready(tab, "item 0")
    assert tab.locator("#classes bdi").all_text_contents() == ["-1", "0.5", "2", "9", "10"]
    press(tab, "5")
    ready(tab, "item 1")
    assert run.said() == [(0, "10")]


class TestManyClasses:
    def test_letters_and_digits_search(self, start, open_tab, ready):
        run = start([f"type {k}" for k in range(1, 31)])
        tab = open_tab(run.page.url)
        ready(tab, "item 0")
        names = tab.locator("#classes bdi").all_text_contents()
        assert names == [f"type {k}" for k in range(1, 31)]
        press(tab, "1", "2")  # no answer yet
        expect(tab.locator("#classes .class:visible")).to_have_count(1)
        press(tab, "Enter")
        ready(tab, "item 1")
        press(tab, "2", "Enter")  # 2, 12, 20: the first of those that fit equally well
        ready(tab, "item 2")
        press(tab, "Enter")  # nothing is typed
        ready(tab, "item 3")
        press(tab, "s", "k")  # "sk" is no class
        press(tab, "Escape")
        press(tab, "Space")
        ready(tab, "item 4")
        press(tab, ".")
        ready(tab, "item 5")
        assert run.said() == [
            (0, "type 12"), (1, "type 2"), (2, run.suggested[2]), (3, run.labels[3]), (4, None)
        ]  # fmt: skip

    def test_the_name_itself_comes_first(self, start, open_tab, ready):
        run = start([str(k) for k in range(1, 31)])
        tab = open_tab(run.page.url)
        ready(tab, "item 0")
        for number, name in enumerate(["2", "21", "1"]):
            press(tab, *name, "Enter")
            ready(tab, f"item {number + 1}")
        assert run.said() == [(0, "2"), (1, "21"), (2, "1")]


class TestAssignedKeys:
    def assign(self, tab, action, key):
        press(tab, "?")
        tab.locator("#keys-button").click()
        tab.locator(f'#key-rows button[data-action="{action}"]').click()
        press(tab, key)
        told = tab.locator("#key-told").inner_text()
        tab.locator("#keys-close").click()
        return told

    def test_are_kept_and_lose_their_former_use(self, start, open_tab, ready):
        run = start(["a", "b", "c"])
        tab = open_tab(run.page.url)
        ready(tab, "item 0")
        assert "had another use" in self.assign(tab, "class 2", "s")
        tab.reload()
        ready(tab, "item 0")
        expect(tab.locator("#classes kbd").last).to_have_text("S")
        expect(tab.locator("#skip kbd")).to_be_hidden()
        press(tab, "3")  # which means nothing now
        press(tab, "s")
        ready(tab, "item 1")
        press(tab, "?")
        tab.locator("#keys-button").click()
        tab.locator("#keys-usual").click()
        tab.locator("#keys-close").click()
        press(tab, "s")
        ready(tab, "item 2")
        assert run.said() == [(0, "c"), (1, None)]

    def test_the_view_keeps_its_keys(self, start, open_tab, ready):
        run = start(["a", "b"])
        tab = open_tab(run.page.url)
        ready(tab, "item 0")
        assert "cannot be assigned" in self.assign(tab, "skip", "+")
        assert self.assign(tab, "skip", "Escape") == ""
        press(tab, "s")
        ready(tab, "item 1")
        assert run.said() == [(0, None)]

    def test_what_a_browser_keeps_may_be_damaged(self, start, open_tab, ready):
        run = start(["a", "b"])
        tab = open_tab(run.page.url)
        ready(tab, "item 0")
        press(tab, "?")
        tab.locator("#keys-button").click()
        tab.locator('#key-rows button[data-action="skip"]').click()
        press(tab, "x")
        tab.evaluate(
            "Object.keys(localStorage).filter((key) => key.includes('keys'))"
            ".forEach((key) => localStorage.setItem(key, '{'))"
        )
        tab.reload()
        ready(tab, "item 0")
        press(tab, "s")
        ready(tab, "item 1")
        assert run.said() == [(0, None)]


class TestUndo:
    def test_is_free_for_some_seconds(self, start, open_tab, ready, monkeypatch):
        monkeypatch.setattr(_service, "UNDO_SECONDS", 600.0)  # however slow the machine is
        run = start(["a", "b", "c"])
        tab = open_tab(run.page.url)
        ready(tab, "item 0")
        press(tab, "1")
        ready(tab, "item 1")
        expect(tab.locator("#undo")).to_contain_text("free for")
        press(tab, "u")
        ready(tab, "item 0")
        expect(tab.locator("#correcting")).to_contain_text("A change is free now")
        press(tab, "2")
        ready(tab, "item 1")
        assert run.said() == [(0, "a"), (0, "b")]
        expect(tab.locator("#budget")).to_have_text("39 answers left")

    def test_costs_later(self, start, open_tab, ready, monkeypatch):
        monkeypatch.setattr(_service, "UNDO_SECONDS", -1.0)
        run = start(["a", "b", "c"])
        tab = open_tab(run.page.url)
        ready(tab, "item 0")
        press(tab, "1")
        ready(tab, "item 1")
        expect(tab.locator("#undo")).to_contain_text("charged")
        press(tab, "u")
        ready(tab, "item 0")
        expect(tab.locator("#correcting")).to_contain_text("charged as another answer")
        press(tab, "2")
        ready(tab, "item 1")
        expect(tab.locator("#budget")).to_have_text("38 answers left")


class TestASitting:
    def test_is_summed_up_and_goes_on(self, start, open_tab, ready):
        run = start(["a", "b", "c"])
        tab = open_tab(run.page.url)
        ready(tab, "item 0")
        press(tab, "k")
        ready(tab, "item 1")
        press(tab, "Enter")
        ready(tab, "item 2")
        press(tab, "s")
        ready(tab, "item 3")
        expect(tab.locator("#left")).to_have_text("under 1 min left")
        tab.locator("#finish").click()
        text = "you answered 3 items"
        expect(tab.locator("#sitting")).to_contain_text(text)
        expect(tab.locator("#sitting")).to_contain_text(
            "1 kept the label, 1 changed it, 1 could not be told"
        )
        expect(tab.locator("#pause-text")).to_contain_text("9 items wait for you")
        press(tab, "k")  # nothing is shown that could be answered
        tab.locator("#go-on").click()
        ready(tab, "item 3")
        assert len(run.said()) == 3

    def test_who_runs_the_rounds_is_told(self, start, open_tab, ready):
        run = start(["a", "b", "c"])
        run.journal.answer(list(range(12)), ["a"] * 12, annotator="Ada")
        tab = open_tab(run.page.url)
        expect(tab.locator("#pause-title")).to_have_text("The next round is being computed")
        run.writer.close()
        expect(tab.locator("#pause-title")).to_have_text("This round is answered")
        expect(tab.locator("#pause-text")).to_contain_text("No program runs the rounds")


def test_one_request_an_answer_and_images_ahead(start, open_tab, ready, wait_until):
    run = start(["a", "b", "c"])
    tab = open_tab("about:blank")
    asked = []
    tab.on("request", lambda request: asked.append(request.url.split("/", 3)[-1].split("?")[0]))
    tab.goto(run.page.url)

    def all_asked(last):
        """Wait until the last one is asked for, and a while for any that would be too many."""
        wait_until(tab, lambda: last in asked)
        tab.wait_for_timeout(300)

    ready(tab, "item 0")
    all_asked("api/images/2")
    assert [url for url in asked if "images" in url] == [f"api/images/{k}" for k in range(3)]
    asked.clear()
    press(tab, "k")
    ready(tab, "item 1")
    all_asked("api/images/3")
    assert [url for url in asked if url.startswith("api")] == ["api/answers", "api/images/3"]
