"""What comes late, twice or out of order: no answer is lost, and each is its author's."""

import numpy as np
import pytest
from PIL import Image

from noisyactive.journal import Journal

sync_api = pytest.importorskip("playwright.sync_api", reason="needs playwright")
expect = sync_api.expect


@pytest.fixture
def same(free_port):
    """Where a server is started again."""
    return {"token": "a-token-of-our-own", "port": free_port()}


def answers(run):
    return [(a["annotator"], a["item"], a["new_label"]) for a in Journal(run.journal).answers()]


def items_of(run):
    return [run.ids[row] for row in run.rows]


def try_again(tab):
    """Press the button, whether or not the page has tried by itself meanwhile."""
    tab.locator("#again").dispatch_event("click")


def let_through(tab, request):
    """Let a request that was held go on, and wait until the page has dealt with the reply."""
    with tab.expect_response(lambda response: response.request == request.request) as late:
        request.continue_()
    late.value.finished()
    tab.evaluate("new Promise(requestAnimationFrame)")


def enter_name(tab, name):
    tab.locator("#name").fill(name)
    tab.keyboard.press("Enter")


def test_a_late_look_at_the_server_changes_nothing(start_run, serving, open_line, ready):
    run = start_run()
    asked = items_of(run)
    tab, line = open_line(serving(run.journal, annotator="Ada").url, "**/api/state?*")
    ready(tab, asked[0])
    tab.keyboard.press("1")
    ready(tab, asked[1])
    line.holds = True
    try_again(tab)
    look = line.wait()
    line.holds = False
    tab.keyboard.press("u")
    ready(tab, asked[0])
    let_through(tab, look)
    expect(tab.locator("#correcting")).to_be_visible()
    tab.keyboard.press("2")
    ready(tab, asked[1])
    assert answers(run) == [("Ada", asked[0], "benign"), ("Ada", asked[0], "melanoma")]


def test_nothing_is_looked_up_while_an_answer_is_on_its_way(start_run, serving, open_line, ready):
    run = start_run()
    asked = items_of(run)
    tab, line = open_line(serving(run.journal, annotator="Ada").url)
    ready(tab, asked[0])
    line.holds = True
    tab.keyboard.press("1")
    answer = line.wait()
    Journal(run.journal).answer([asked[0]], ["nevus"], annotator="Bob")  # so another one is next
    looks = []
    tab.on("request", lambda request: looks.append(request.url))
    try_again(tab)
    tab.evaluate("new Promise(requestAnimationFrame)")
    line.holds = False
    let_through(tab, answer)
    ready(tab, asked[1])
    expect(tab.locator("#status")).to_contain_text(f"Not counted: {asked[0]} was answered")
    assert not any("/api/state" in url for url in looks)


def test_an_undo_is_free_from_the_answer_on_not_from_the_reply(
    start_run, serving, open_line, ready
):
    run = start_run()
    tab, line = open_line("about:blank")
    tab.clock.install()
    tab.goto(serving(run.journal, annotator="Ada").url)
    ready(tab, run.ids[run.rows[0]])
    line.holds = True
    tab.keyboard.press("1")
    answer = line.wait()
    tab.clock.fast_forward("00:10")
    let_through(tab, answer)
    ready(tab, run.ids[run.rows[1]])
    assert "charged" in tab.locator("#undo").inner_text()


class TestNames:
    def test_another_tab_answers_under_another_one(self, start_run, serving, open_tab, ready):
        run = start_run()
        url = serving(run.journal).url
        ada = open_tab(url)
        enter_name(ada, "Ada")
        ready(ada, run.ids[run.rows[0]])
        bob = open_tab(url, like=ada)
        ready(bob, run.ids[run.rows[1]])
        bob.locator("#who").click()
        enter_name(bob, "Bob")
        expect(bob.locator("#who")).to_have_text("Bob")
        ready(bob, run.ids[run.rows[1]])
        bob.keyboard.press("2")
        ready(bob, run.ids[run.rows[2]])
        expect(ada.locator("#who")).to_have_text("Ada")
        ada.keyboard.press("1")
        ready(ada, run.ids[run.rows[3]])
        assert answers(run) == [
            ("Bob", run.ids[run.rows[1]], "melanoma"),
            ("Ada", run.ids[run.rows[0]], "benign"),
        ]

    def test_stays_until_the_answer_is_saved(self, start_run, serving, open_line, ready):
        run = start_run(answers_per_item=2, round_budget=4)
        tab, line = open_line(serving(run.journal).url)
        enter_name(tab, "Ada")
        asked = items_of(run)
        ready(tab, asked[0])
        line.holds = True
        tab.keyboard.press("1")
        answer = line.wait()
        tab.locator("#who").click()
        expect(tab.locator("#name-dialog")).to_be_hidden()
        line.holds, line.lets_through = False, False
        answer.abort()
        expect(tab.locator("#trouble")).to_be_visible()
        tab.locator("#who").click()
        expect(tab.locator("#name-dialog")).to_be_hidden()
        line.lets_through = True
        try_again(tab)
        ready(tab, asked[1])
        tab.locator("#who").click()
        enter_name(tab, "Bob")
        ready(tab, asked[0])
        assert answers(run) == [("Ada", asked[0], "benign")]


class TestKeptAnswers:
    def keep_one(self, tab, line):
        line.lets_through = False
        tab.keyboard.press("1")
        expect(tab.locator("#trouble")).to_contain_text("Your answer is kept here")

    def test_of_two_people_to_one_item(self, start_run, serving, open_line, ready):
        run = start_run(answers_per_item=2, round_budget=4)
        page = serving(run.journal, annotators=["Ada", "Ben"])
        asked = items_of(run)
        tab, line = open_line(page.urls["Ada"])
        ready(tab, asked[0])
        self.keep_one(tab, line)
        tab.goto("about:blank")
        line.lets_through = True
        tab.goto(page.urls["Ben"])
        ready(tab, asked[0])
        tab.keyboard.press("2")
        ready(tab, asked[1])
        tab.goto(page.urls["Ada"])
        expect(tab.locator("#status")).to_have_text("An answer that was kept here is saved now.")
        assert answers(run) == [("Ben", asked[0], "melanoma"), ("Ada", asked[0], "benign")]

    def test_is_not_sent_where_another_one_answers(
        self, start_run, serving, open_line, ready, same
    ):
        run = start_run()
        asked = items_of(run)
        page = serving(run.journal, annotator="Ada", **same)
        tab, line = open_line(page.url)
        ready(tab, asked[0])
        self.keep_one(tab, line)
        page.close()
        line.lets_through = True
        page = serving(run.journal, annotator="Bob", **same)
        tab.reload()
        ready(tab, asked[0])
        assert answers(run) == []
        page.close()
        serving(run.journal, annotator="Ada", **same)
        tab.reload()
        ready(tab, asked[1])
        assert answers(run) == [("Ada", asked[0], "benign")]

    def test_of_an_open_page_whose_server_is_another_ones_now(
        self, start_run, serving, open_tab, ready, same
    ):
        run = start_run()
        asked = items_of(run)
        page = serving(run.journal, annotator="Ada", **same)
        tab = open_tab(page.url)
        ready(tab, asked[0])
        page.close()
        page = serving(run.journal, annotator="Bob", **same)
        tab.keyboard.press("1")
        expect(tab.locator("#trouble")).to_contain_text("answers for Bob now. Reload the page.")
        assert answers(run) == []
        page.close()
        serving(run.journal, annotator="Ada", **same)
        try_again(tab)
        ready(tab, asked[1])
        assert answers(run) == [("Ada", asked[0], "benign")]

    def test_another_tab_forgets_only_what_it_has_sent(self, start_run, serving, open_line, ready):
        run = start_run()
        asked = items_of(run)
        url = serving(run.journal, annotator="Ada").url
        tab, line = open_line(url)
        ready(tab, asked[0])
        self.keep_one(tab, line)
        other, its_line = open_line("about:blank", like=tab)
        its_line.holds = True
        other.goto(url)
        first = its_line.wait()
        line.lets_through = True
        try_again(tab)
        ready(tab, asked[2])  # the other one has the second
        tab.keyboard.press("u")
        ready(tab, asked[0])
        line.lets_through = False
        tab.keyboard.press("2")
        expect(tab.locator("#trouble")).to_contain_text("Your answer is kept here")
        let_through(other, first)
        tab.goto("about:blank")
        line.lets_through = True
        tab.goto(url)
        ready(tab, asked[2])
        assert [label for *_, label in answers(run)] == ["benign", "melanoma"]


def test_another_run_under_the_same_address(start_run, serving, open_line, ready, same, tmp_path):
    run = start_run()
    page = serving(run.journal, annotator="Ada", **same)
    tab, line = open_line(page.url, "**/api/previous?*")
    ready(tab, run.ids[run.rows[0]])
    page.close()
    run.cleaner.close()
    run.ids = [f"other {row}" for row in range(len(run.ids))]
    run.journal = tmp_path / "other.db"
    run.cleaner.set_params(journal=run.journal)
    run.start()
    serving(run.journal, annotator="Ada", **same)
    line.lets_through = False
    tab.keyboard.press("u")
    expect(tab.locator("#trouble")).to_be_visible()
    try_again(tab)
    ready(tab, run.ids[run.rows[0]])
    tab.keyboard.press("1")
    ready(tab, run.ids[run.rows[1]])
    assert answers(run) == [("Ada", run.ids[run.rows[0]], "benign")]


def test_an_image_that_does_not_arrive_is_asked_for_again(start_run, serving, open_line, ready):
    run = start_run()
    photo = Image.fromarray(np.full((8, 8), 100, dtype=np.uint8))
    url = serving(run.journal, lambda row: photo, annotator="Ada").url
    tab, line = open_line(url, "**/api/images/*")
    ready(tab, run.ids[run.rows[0]])
    line.lets_through = False
    tab.reload()
    expect(tab.locator("#trouble")).to_be_visible()
    tab.keyboard.press("x")  # nothing was seen that could be called unusable
    tab.locator("#unusable").dispatch_event("click")
    line.lets_through = True
    try_again(tab)
    ready(tab, run.ids[run.rows[0]])
    assert tab.locator("#image").evaluate("image => image.naturalWidth") == 8
    assert answers(run) == []


def test_the_list_of_answers_is_not_the_latest(start_run, serving, open_tab, ready):
    run = start_run()
    asked = items_of(run)
    tab = open_tab(serving(run.journal, annotator="Ada").url)
    ready(tab, asked[0])
    tab.keyboard.press("1")
    ready(tab, asked[1])
    tab.keyboard.press("m")
    change = tab.get_by_role("button", name=f"Change {asked[0]}")
    expect(change).to_be_visible()
    Journal(run.journal).answer([asked[2]], ["nevus"], annotator="Ada")  # in another browser
    change.click()
    expect(tab.locator("#status")).to_contain_text("Open the list again")
    ready(tab, asked[1])
    tab.keyboard.press("m")
    change.click()
    ready(tab, asked[0])
