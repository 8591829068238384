"""The labelling page in a real browser, in front of a real server and a real journal."""

import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from noisyactive.annotate import images_of
from noisyactive.cleaning import Journal

sync_api = pytest.importorskip("playwright.sync_api", reason="needs playwright")
expect = sync_api.expect
NO_DOUBLE_TAP = 450  # milliseconds between two taps at the same place

MEASURE_CONTRAST = Path(__file__).with_name("contrast.js").read_text(encoding="utf-8")


@pytest.fixture
def command():
    """Start the page as people do; kill it at the end."""
    started = []

    def start(*arguments, token=None):
        process = subprocess.Popen(
            [sys.executable, "-m", "noisyactive.annotate", *map(str, arguments), "--no-browser"],
            env={**os.environ, "NOISYACTIVE_TOKEN": token or ""},
            stdout=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process, process.stdout.readline().split()[-1]

    yield start
    for process in started:
        process.kill()
        process.communicate()


def item_of(tab):
    return tab.locator("#item").inner_text()


def ready(tab, item):
    """Wait until an item can be answered."""
    expect(tab.locator("#item")).to_have_text(item)
    expect(tab.locator("#panel")).to_have_attribute("aria-busy", "false")


def try_again(tab):
    """Press the button, whether or not the page has tried by itself meanwhile."""
    tab.locator("#again").dispatch_event("click")


def answers(run):
    return [(a["item"], a["new_label"]) for a in Journal(run.journal).answers()]


@pytest.mark.slow
def test_a_run_by_keyboard(start_run, command, open_tab, tmp_path):
    folder = tmp_path / "images"
    folder.mkdir()
    run = start_run()
    for name, pixels in zip(run.ids, run.X, strict=True):
        Image.fromarray((pixels[0] * 255).astype(np.uint8)).save(folder / f"{name}.png")
    _, url = command(run.journal, "--images", folder, "--port", 0)
    tab = open_tab("about:blank")
    tab.clock.install()
    tab.goto(url)
    asked = [run.ids[row] for row in run.rows]

    expect(tab.locator("#name")).to_be_focused()
    tab.keyboard.type("Ada Byron")
    tab.keyboard.press("Enter")
    ready(tab, asked[0])
    assert "token" not in tab.url  # nor in the history
    assert tab.locator("#image").evaluate("image => image.naturalWidth") == 8
    expect(tab.locator("#place")).to_have_text("1 of 4")
    expect(tab.locator("#budget")).to_have_text("8 answers left")

    tab.clock.fast_forward("01:00:00")
    tab.keyboard.press("2")
    ready(tab, asked[1])
    assert answers(run) == [(asked[0], "melanoma")]  # on disk before the next one shows
    tab.keyboard.press("c")
    tab.keyboard.type("Blurred 123?")
    tab.keyboard.press("Escape")
    tab.keyboard.press("s")
    ready(tab, asked[2])
    first, second = Journal(run.journal).answers()
    assert (second["new_label"], second["comment"]) == (None, "Blurred 123?")
    assert first["annotator"] == second["annotator"] == "Ada Byron"
    assert 3600 <= first["seconds"] < 7200

    tab.reload()  # it remembers the name, and where it was
    ready(tab, asked[2])
    tab.keyboard.press("u")
    ready(tab, asked[1])
    expect(tab.locator("#skip")).to_have_class("class skip answered")
    expect(tab.locator("#comment")).to_have_value("Blurred 123?")
    tab.keyboard.press("u")
    ready(tab, asked[0])
    expect(tab.locator("#correcting")).to_contain_text("A change is")
    # It is on a quick machine, where the server has seen the answer a moment ago.
    is_free = "free" in tab.locator("#correcting").inner_text()
    expect(tab.locator(".class.answered")).to_contain_text("melanoma")
    tab.keyboard.press("3")
    ready(tab, asked[2])
    expect(tab.locator("#budget")).to_have_text(f"{6 if is_free else 5} answers left")
    assert answers(run)[-1] == (asked[0], "nevus")
    tab.keyboard.press("u")
    ready(tab, asked[0])
    tab.keyboard.press("Escape")  # never mind
    ready(tab, asked[2])
    assert len(answers(run)) == 3

    tab.keyboard.press("1")
    ready(tab, asked[3])
    tab.keyboard.press("1")
    expect(tab.locator("#pause-title")).to_have_text("The next round is being computed")
    second_round = [run.ids[row] for row in run.cleaner.query()]  # what is left in the budget
    ready(tab, second_round[0])
    for item in second_round:
        ready(tab, item)
        tab.keyboard.press("1")
    expect(tab.locator("#pause-title")).to_have_text("The budget is spent")
    assert not len(run.cleaner.query())
    expect(tab.locator("#pause-title")).to_have_text("All questions are answered")
    expect(tab.locator("#pause-text")).to_contain_text("8 answers")


@pytest.mark.slow
def test_a_server_that_is_killed_and_started_again(start_run, command, open_tab, free_port):
    run = start_run()
    asked = [run.ids[row] for row in run.rows]
    arguments = (run.journal, "--port", free_port(), "--annotator", "Ada")
    process, url = command(*arguments, token="a-token-of-our-own")
    tab = open_tab(url)
    ready(tab, asked[0])
    tab.keyboard.press("1")
    ready(tab, asked[1])

    process.send_signal(signal.SIGKILL)
    process.wait()
    tab.keyboard.press("2")
    expect(tab.locator("#trouble")).to_contain_text("The server does not answer. Start it again")
    expect(tab.locator("#trouble")).to_contain_text("Your answer is kept here")
    expect(tab.locator(".class.unsaved")).to_contain_text("melanoma")
    tab.keyboard.press("3")  # no second answer while the first is not on disk
    process, _ = command(*arguments, token="a-token-of-our-own")
    ready(tab, asked[2])  # by itself
    expect(tab.locator("#trouble")).to_be_hidden()
    assert answers(run) == [(asked[0], "benign"), (asked[1], "melanoma")]

    process.send_signal(signal.SIGKILL)
    process.wait()
    tab.keyboard.press("3")
    expect(tab.locator("#trouble")).to_be_visible()
    _, url = command(*arguments)  # with another token
    tab.locator("#again").click()
    expect(tab.locator("#trouble")).to_contain_text("Open the address that it printed")
    other = open_tab(url, like=tab)
    tab.close()
    ready(other, asked[3])
    expect(other.locator("#status")).to_contain_text("kept here is saved now")
    assert answers(run)[2:] == [(asked[2], "nevus")]


def test_a_reply_that_gets_lost(start_run, serving, open_line):
    run = start_run()
    asked = [run.ids[row] for row in run.rows]
    tab, line = open_line(serving(run.journal, annotator="Ada").url)
    ready(tab, asked[0])
    line.lets_through, line.loses_replies = False, True
    tab.keyboard.press("1")
    expect(tab.locator("#trouble")).to_be_visible()
    assert len(answers(run)) == 1  # it arrived, but the page cannot know
    line.lets_through = True
    try_again(tab)
    ready(tab, asked[1])

    tab.keyboard.press("u")
    ready(tab, asked[0])
    line.lets_through = False
    tab.keyboard.press("2")
    expect(tab.locator("#trouble")).to_be_visible()
    line.lets_through = True
    try_again(tab)
    ready(tab, asked[1])
    assert answers(run) == [(asked[0], "benign"), (asked[0], "melanoma")]


def test_an_answer_that_was_kept_too_long(start_run, serving, open_line):
    run = start_run()
    asked = [run.ids[row] for row in run.rows]
    tab, line = open_line(serving(run.journal, annotator="Ada").url)
    ready(tab, asked[0])
    line.lets_through = False
    tab.keyboard.press("1")
    expect(tab.locator("#trouble")).to_be_visible()
    Journal(run.journal).answer([asked[0]], ["nevus"], annotator="Bob")
    tab.reload()
    expect(tab.locator("#trouble")).to_contain_text("Your answer is kept here")
    line.lets_through = True
    try_again(tab)
    ready(tab, asked[1])
    expect(tab.locator("#status")).to_contain_text("not counted: the item was answered elsewhere")
    assert answers(run) == [(asked[0], "nevus")]


def test_a_program_that_ends(start_run, serving, open_tab):
    run = start_run(n_rounds=1)
    page = serving(run.journal, annotator="Ada")
    tab = open_tab(page.url)
    for row in run.rows:
        ready(tab, run.ids[row])
        tab.keyboard.press("1")
    expect(tab.locator("#pause-title")).to_have_text("The budget is spent")
    page.close()
    expect(tab.locator("#pause-title")).to_have_text("The run has ended")
    expect(tab.locator("#pause-text")).to_contain_text("All your answers are saved")
    expect(tab.locator("#trouble")).to_be_hidden()


def test_a_full_disk(start_run, serving, open_tab):
    run = start_run()
    asked = [run.ids[row] for row in run.rows]
    tab = open_tab(serving(run.journal, annotator="Ada").url)
    ready(tab, asked[0])
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, before[1]))
    try:
        tab.keyboard.press("1")
        expect(tab.locator("#trouble")).to_contain_text("The journal")
        expect(tab.locator("#trouble")).to_contain_text("Your answer is kept here")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    try_again(tab)
    ready(tab, asked[1])
    assert answers(run) == [(asked[0], "benign")]


def test_two_tabs(start_run, serving, open_tab):
    run = start_run()
    asked = [run.ids[row] for row in run.rows]
    url = serving(run.journal, annotator="Ada").url
    first = open_tab(url)
    ready(first, asked[0])
    second = open_tab(url, like=first)
    ready(second, asked[1])  # not what the other one shows
    first.reload()
    ready(first, asked[0])
    first.keyboard.press("1")
    ready(first, asked[2])
    second.keyboard.press("2")
    ready(second, asked[3])
    second.keyboard.press("2")
    ready(second, asked[2])  # there is nothing else
    first.keyboard.press("3")
    expect(first.locator("#pause")).to_be_visible()
    second.keyboard.press("2")
    expect(second.locator("#pause")).to_be_visible()
    expect(second.locator("#status")).not_to_contain_text("Saved")
    assert answers(run) == list(
        zip(
            [asked[n] for n in (0, 1, 3, 2)],
            ["benign", "melanoma", "melanoma", "nevus"],
            strict=True,
        )
    )


def test_an_item_that_somebody_else_answers_meanwhile(start_run, serving, open_tab):
    run = start_run()
    asked = [run.ids[row] for row in run.rows]
    tab = open_tab(serving(run.journal, annotator="Ada").url)
    ready(tab, asked[0])
    Journal(run.journal).answer([asked[0]], ["nevus"], annotator="Bob")
    tab.keyboard.press("2")
    ready(tab, asked[1])
    expect(tab.locator("#status")).to_contain_text(f"Not counted: {asked[0]} was answered")
    assert answers(run) == [(asked[0], "nevus")]


def test_several_annotators(start_run, serving, open_tab):
    run = start_run(answers_per_item=2, round_budget=4)
    url = serving(run.journal).url
    for name in ("Ada", "Bob"):
        tab = open_tab(url)
        expect(tab.locator("#no-name")).to_be_hidden()
        tab.keyboard.press("Escape")
        tab.keyboard.press("Escape")
        tab.keyboard.press("1")  # into the field; nothing is answered
        expect(tab.locator("#name-dialog")).to_be_visible()
        tab.locator("#name").fill(name)
        tab.keyboard.press("Enter")
        for row in run.rows:
            ready(tab, run.ids[row])
            tab.keyboard.press("1")
        title = "You are done with this round" if name == "Ada" else "The next round is being"
        expect(tab.locator("#pause-title")).to_contain_text(title)
    assert [a["annotator"] for a in Journal(run.journal).answers()] == ["Ada"] * 2 + ["Bob"] * 2


HOSTILE = (
    "<script>window.hacked = 1</script>",
    "<img src=x onerror='window.hacked = 1'>",
    "\"'><svg onload=window.hacked=1>&lt;b&gt; ${1} {{1}} \u202egnp.exe",
)


def test_hostile_names_are_text(start_run, serving, open_tab):
    ids = [f"<b>{row}</b><script>window.hacked=1</script>\u202e\u2066" for row in range(108)]
    run = start_run(classes=HOSTILE, ids=ids)
    tab = open_tab(serving(run.journal, annotator="<i>Ada</i>", images=images_of(run.X)).url)
    shown = ids[run.rows[0]].replace("\u202e", "⟨202E⟩").replace("\u2066", "⟨2066⟩")
    ready(tab, shown)
    names = [name.replace("\u202e", "⟨202E⟩") for name in sorted(HOSTILE)]
    assert tab.locator("#classes bdi").all_text_contents() == names
    expect(tab.locator("#who")).to_have_text("<i>Ada</i>")
    assert tab.locator("#image").get_attribute("alt") == shown
    tab.keyboard.press("1")
    expect(tab.locator("#status")).to_contain_text(f"Saved: {shown}, {names[0]}")
    assert tab.evaluate("window.hacked") is None
    assert tab.locator("main script, main b, main i, main .class img").count() == 0
    assert answers(run) == [(ids[run.rows[0]], sorted(HOSTILE)[0])]


def test_blind(start_run, serving, open_tab):
    run = start_run()
    heard = []
    tab = open_tab(serving(run.journal, annotator="Ada", blind=True).url)
    tab.on("response", lambda response: heard.append(response.text()))
    tab.reload()
    ready(tab, run.ids[run.rows[0]])
    tab.keyboard.press("1")
    ready(tab, run.ids[run.rows[1]])
    tab.keyboard.press("u")
    ready(tab, run.ids[run.rows[0]])
    expect(tab.locator("#labels")).to_be_hidden()
    assert tab.locator(".class small").all_text_contents() == ["your answer", "", ""]
    told = [text for text in heard if text.startswith("{")]
    assert len(told) >= 3
    assert not any(word in text for text in told for word in ('"label"', "suggested", "probab"))


def test_many_classes_are_found_by_typing(start_run, serving, open_tab):
    classes = ["Lentigo", "Ménière", "Melanoma"]
    run = start_run(classes=classes)
    run.cleaner.close()
    run.journal.unlink()
    names = [f"class {number:02}" for number in range(11)]
    run.noisy = run.noisy.astype("U20")
    run.noisy[:11] = names
    run.start()
    tab = open_tab(serving(run.journal, annotator="Ada").url)
    ready(tab, run.ids[run.rows[0]])
    assert tab.locator("#classes .class").count() == 14
    tab.keyboard.press("/")
    tab.keyboard.type("meniere")
    assert tab.locator("#classes .class:visible").count() == 1
    tab.keyboard.press("Enter")
    ready(tab, run.ids[run.rows[1]])
    tab.keyboard.press("/")
    tab.keyboard.type("no such thing")
    tab.keyboard.press("Enter")
    expect(tab.locator("#matches")).to_have_text("0 of 14 classes")
    tab.keyboard.press("Escape")
    expect(tab.locator("#classes .class:visible")).to_have_count(14)
    names = tab.locator("#classes bdi").all_text_contents()
    assert names == [f"class {number:02}" for number in range(11)] + [
        "Lentigo", "Melanoma", "Ménière"
    ]  # fmt: skip
    tab.locator("#classes .class").nth(10).click()
    ready(tab, run.ids[run.rows[2]])
    assert [label for _, label in answers(run)] == ["Ménière", "class 10"]


def test_an_image_that_cannot_be_shown(start_run, serving, open_tab, tmp_path):
    run = start_run()
    asked = [run.ids[row] for row in run.rows]
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / f"{asked[0]}.png").write_text("no image")
    tab = open_tab(serving(run.journal, tmp_path / "images", annotator="Ada").url)
    ready(tab, asked[0])
    expect(tab.locator("#no-image")).to_contain_text("This image cannot be shown. The file")
    tab.keyboard.press("s")
    ready(tab, asked[1])
    expect(tab.locator("#no-image")).to_contain_text("There is no image of this item.")
    assert answers(run) == [(asked[0], None)]


def test_without_images_the_name_is_large(start_run, serving, open_tab):
    run = start_run()
    tab = open_tab(serving(run.journal, annotator="Ada").url)
    ready(tab, run.ids[run.rows[0]])
    expect(tab.locator("#no-image span")).to_have_text(run.ids[run.rows[0]])
    size = tab.locator("#no-image span").evaluate("e => parseFloat(getComputedStyle(e).fontSize)")
    assert size >= 40


def test_no_answer_before_the_image_is_seen(start_run, serving, open_line):
    run = start_run()
    asked = [run.ids[row] for row in run.rows]
    url = serving(run.journal, images_of(run.X), annotator="Ada").url
    tab, line = open_line(url, "**/api/images/*")
    ready(tab, asked[0])
    line.holds = True
    tab.reload()
    expect(tab.locator("#item")).to_have_text(asked[0])
    image = line.wait()
    tab.keyboard.press("1")
    tab.locator("#classes .class").first.click(force=True)
    line.holds = False
    image.continue_()
    ready(tab, asked[0])  # an answer would have brought the next one
    assert answers(run) == []
    tab.keyboard.press("1")
    expect(tab.locator("#item")).to_have_text(asked[1])
    assert len(answers(run)) == 1


def test_the_image_can_be_looked_at_closely(start_run, serving, open_tab):
    run = start_run()
    tab = open_tab(serving(run.journal, images_of(run.X), annotator="Ada").url)
    ready(tab, run.ids[run.rows[0]])
    image = tab.locator("#image")

    def style(name):
        return image.evaluate(f"image => getComputedStyle(image).{name}")

    assert style("imageRendering") == "pixelated"
    whole = image.bounding_box()
    stage = tab.locator("#stage").bounding_box()
    assert whole["height"] == pytest.approx(stage["height"], abs=1)
    tab.keyboard.press("+")
    assert image.bounding_box()["width"] == pytest.approx(1.4 * whole["width"], rel=0.01)
    tab.keyboard.press("+")
    before = image.bounding_box()
    tab.keyboard.press("ArrowDown")
    assert image.bounding_box()["y"] == pytest.approx(before["y"] - 60, abs=1)
    tab.mouse.move(stage["x"] + stage["width"] / 2, stage["y"] + 200)
    tab.mouse.down()
    tab.mouse.move(stage["x"] + stage["width"] / 2, stage["y"] + 230)
    tab.mouse.up()
    assert image.bounding_box()["y"] == pytest.approx(before["y"] - 30, abs=1)
    tab.mouse.wheel(0, -200)
    tab.wait_for_function(f"document.getElementById('image').width > {before['width'] + 10}")
    tab.keyboard.press("]")
    tab.keyboard.press("}")
    assert style("filter") == "brightness(1.1) contrast(1.1)"
    tab.locator("#contrast").fill("150")
    assert style("filter") == "brightness(1.1) contrast(1.5)"
    tab.keyboard.press("0")
    assert style("filter") == "none" and image.bounding_box() == whole


def test_nothing_is_fetched_from_elsewhere(start_run, serving, open_tab):
    run = start_run()
    page = serving(run.journal, images_of(run.X), annotator="Ada")
    tab = open_tab("about:blank")
    urls = []
    tab.on("request", lambda request: urls.append(request.url))
    tab.goto(page.url)
    ready(tab, run.ids[run.rows[0]])
    origin = page.url.split("/?")[0]
    assert len(urls) >= 6
    assert all(url.startswith((f"{origin}/", f"blob:{origin}/")) for url in urls)


class TestForEverybody:
    def test_by_tab_and_enter_without_shortcuts(self, start_run, serving, open_tab):
        run = start_run()
        asked = [run.ids[row] for row in run.rows]
        tab = open_tab(serving(run.journal, images_of(run.X), annotator="Ada").url)
        ready(tab, asked[0])
        tab.keyboard.press("?")
        tab.locator("#shortcuts").uncheck()
        tab.keyboard.press("Escape")
        tab.keyboard.press("1")  # an answer would be in the journal at the end
        reached = []
        tab.locator("body").press("Tab")
        for _ in range(30):
            focus = tab.evaluate(
                "() => { const e = document.activeElement, s = getComputedStyle(e);"
                "return [e.id || e.className, s.outlineStyle, parseFloat(s.outlineWidth)]; }"
            )
            reached.append(focus[0])
            assert focus[0] == "" or (focus[1] == "solid" and focus[2] >= 2), focus
            tab.keyboard.press("Tab")
        wanted = {"stage", "zoom-in", "zoom-out", "brightness", "contrast", "reset", "class",
                  "skip", "comment", "undo", "help-button"}  # fmt: skip
        assert wanted <= set(reached)
        tab.locator("#classes").get_by_role("button", name="melanoma").focus()
        tab.keyboard.press("Enter")
        ready(tab, asked[1])
        assert answers(run) == [(asked[0], "melanoma")]
        focused = tab.evaluate("document.activeElement.innerText")
        assert "melanoma" in focused  # it stays where it was

    def test_what_a_screen_reader_is_told(self, start_run, serving, open_tab):
        run = start_run()
        asked = [run.ids[row] for row in run.rows]
        tab = open_tab(serving(run.journal, images_of(run.X), annotator="Ada").url)
        ready(tab, asked[0])
        expect(tab.get_by_role("heading", name=asked[0], level=1)).to_be_visible()
        expect(tab.get_by_role("group", name="Which is it?")).to_be_visible()
        expect(tab.get_by_role("img", name=asked[0])).to_be_visible()
        expect(tab.get_by_role("slider", name="Contrast in per cent")).to_be_visible()
        expect(tab.get_by_role("textbox", name="Comment")).to_be_visible()
        bar = tab.get_by_role("progressbar", name="Answered in this round")
        expect(bar).to_have_attribute("aria-valuenow", "0")
        tab.get_by_role("button", name="Cannot tell").click()
        expect(tab.get_by_role("status")).to_have_text(f"Saved: {asked[0]}, cannot tell.")
        expect(tab.locator("[aria-live=polite]#now")).to_have_text(f"2 of 4: {asked[1]}")
        expect(bar).to_have_attribute("aria-valuenow", "1")
        unnamed = tab.locator("button, input, textarea").evaluate_all(
            "all => all.filter(e => e.checkVisibility() && !e.innerText.trim() && !e.ariaLabel"
            " && !e.labels?.length).map(e => e.outerHTML)"
        )
        assert unnamed == []

    @pytest.mark.parametrize("scheme", ["light", "dark"])
    def test_contrast(self, start_run, serving, open_tab, scheme):
        run = start_run()
        page = serving(run.journal, images_of(run.X))
        tab = open_tab(page.url, color_scheme=scheme)
        asked = [run.ids[row] for row in run.rows]
        measured = {}

        def measure(state):
            measured[state] = tab.evaluate(MEASURE_CONTRAST)

        expect(tab.locator("#name-dialog")).to_be_visible()
        tab.keyboard.press("Enter")
        measure("name")
        tab.locator("#no-name").click()
        ready(tab, asked[0])
        measure("item")
        tab.keyboard.press("?")
        measure("help")
        tab.keyboard.press("Escape")
        tab.keyboard.press("2")
        ready(tab, asked[1])
        tab.keyboard.press("u")
        ready(tab, asked[0])
        tab.locator(".class").nth(2).hover()
        measure("correcting")
        tab.keyboard.press("Escape")
        for item in asked[1:]:
            ready(tab, item)
            tab.keyboard.press("1")
        expect(tab.locator("#pause")).to_be_visible()
        measure("pause")
        ready(tab, run.ids[run.cleaner.query()[0]])
        page.close()
        tab.keyboard.press("1")
        expect(tab.locator("#trouble")).to_be_visible()
        measure("trouble")
        assert all(len(texts) >= 4 for texts in measured.values())
        poor = {
            state: [(text, ratio) for text, ratio in texts if ratio < 4.5]
            for state, texts in measured.items()
        }
        assert not any(poor.values()), poor

    @pytest.mark.parametrize("width", [320, 360])
    def test_on_a_phone(self, start_run, serving, open_tab, width):
        long = "Pneumonoultramicroscopicsilicovolcanoconiosis_without_a_break_and_without_an_end"
        run = start_run(classes=("benign", long, "melanoma in situ, of the lentigo maligna type"))
        ids = [run.ids[row] for row in run.rows]
        page = serving(run.journal, images_of(run.X))
        tab = open_tab(
            page.url, viewport={"width": width, "height": 740}, is_mobile=True, has_touch=True
        )

        def check():
            wide = tab.evaluate("[document.documentElement.scrollWidth, innerWidth]")
            assert wide == [width, width]
            small = tab.locator("button:visible").evaluate_all(
                "all => all.map(e => [e.id || e.className, e.getBoundingClientRect()])"
                ".filter(([name, box]) => box.height < 44 || box.width < 44 || box.left < 0"
                " || box.right > innerWidth).map(([name]) => name)"
            )
            assert small == []

        expect(tab.locator("#name-dialog")).to_be_visible()
        check()
        tab.locator("#name").fill("Dr. Ada Augusta Byron King, Countess of Lovelace")
        tab.locator("#name-form button[type=submit]").tap()
        ready(tab, ids[0])
        check()
        tab.locator("#classes .class").nth(1).tap()
        ready(tab, ids[1])
        check()
        tab.locator("#undo").tap()
        ready(tab, ids[0])
        check()
        tab.locator("#help-button").tap()
        check()
        tab.locator("#help-close").tap()
        for item in ids[1:]:
            tab.locator("#skip").tap()
            ready(tab, item)
            tab.wait_for_timeout(NO_DOUBLE_TAP)
        tab.locator("#skip").tap()
        expect(tab.locator("#pause")).to_be_visible()
        check()

    def test_nothing_moves_for_those_who_do_not_want_it(self, start_run, serving, open_tab):
        run = start_run()
        journal = Journal(run.journal)
        journal.answer(run.rows, [None] * 4)
        tab = open_tab(serving(run.journal, annotator="Ada").url, reduced_motion="reduce")
        expect(tab.locator("#pause")).to_be_visible()
        moving = tab.evaluate(
            "[...document.querySelectorAll('*')].filter(e => getComputedStyle(e).animationName"
            " !== 'none' || getComputedStyle(e).transitionDuration !== '0s').length"
        )
        assert moving == 0
