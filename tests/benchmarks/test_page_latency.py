"""How long people wait for the labelling page: `pytest tests/benchmarks/test_page_latency.py`.

From a key to the next image on the screen, in Chromium, in milliseconds; beside it what the answer
alone takes over HTTP, and how both grow with the answers and with others who answer meanwhile.
"""

import os
import shutil
import statistics
import threading
import time
from contextlib import closing
from urllib.parse import urlsplit

import httpx
import numpy as np
import pytest
from PIL import Image

from noisyactive.annotate import serve
from noisyactive.journal import Asked, Journal, JournalWriter, Refitted, Started

CHROMIUM = os.environ.get("NOISYACTIVE_CHROMIUM") or next(
    filter(None, map(shutil.which, ["chromium", "chromium-browser", "google-chrome"])), None
)
CLASSES = np.array([f"class {k}" for k in range(7)])
N_ROWS, N_MEASURED, N_BETWEEN = 2_600, 80, 2_000

#: Notes the time from each key to the frame after the image was exchanged.
WATCH = """
window.waits = [];
let pressed = 0;
addEventListener("keydown", (event) => (pressed = event.timeStamp), true);
addEventListener("DOMContentLoaded", () => {
  new MutationObserver(() => {
    const since = pressed;
    if (!since) return;
    pressed = 0;
    requestAnimationFrame(() => setTimeout(() => waits.push(performance.now() - since)));
  }).observe(document.getElementById("stage"), { childList: true });
});
"""


@pytest.fixture(scope="module")
def pictures():
    """Ten images of the size that a camera's are shown in."""
    rng = np.random.default_rng(0)
    small = [rng.integers(0, 255, (45, 60, 3), dtype=np.uint8) for _ in range(10)]
    return [
        Image.fromarray(pixels).resize((600, 450), Image.Resampling.BICUBIC) for pixels in small
    ]


@pytest.fixture
def page(tmp_path, pictures):
    path = tmp_path / "run.db"
    writer = JournalWriter(path, {}, {})
    ids = np.array([f"item {row}" for row in range(N_ROWS)])
    writer.draft(CLASSES, np.arange(N_ROWS) % 7, ids, 1)
    writer.publish([Started(0), Refitted(0.0)])
    suggested = tuple(CLASSES[(np.arange(N_ROWS) + 1) % 7].tolist())
    rows = tuple(range(N_ROWS))
    writer.write(Asked(rows, suggested, (0.75,) * N_ROWS, N_ROWS), 2)
    with serve(path, lambda row: pictures[row % 10], annotator="Ada") as served:
        yield served, Journal(path)
    writer.close()


class Client:
    """Answers over HTTP what is shown in a tab of its own, as the page does."""

    def __init__(self, url, tab):
        parts = urlsplit(url)
        origin = f"{parts.scheme}://{parts.netloc}"
        self.tab = tab
        self.http = httpx.Client(base_url=origin, headers={"Origin": origin}, timeout=300)
        self.http.get(url)
        self.state = self.http.get("/api/state", params={"tab": tab}).json()

    def answer(self):
        """Seconds that the next answer takes."""
        row = self.state["items"][0]["row"]
        answer = {"run": self.state["run"], "row": row, "answer": 1, "tab": self.tab}
        begin = time.perf_counter()
        self.state = self.http.post("/api/answers", json=answer).json()["state"]
        return time.perf_counter() - begin

    def close(self):
        self.http.close()


def test_from_a_key_to_the_next_image(page, figure):
    sync_api = pytest.importorskip("playwright.sync_api", reason="needs playwright")
    if CHROMIUM is None:
        pytest.skip("no chromium on the PATH, nor in NOISYACTIVE_CHROMIUM")
    served, journal = page
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        tab = browser.new_page(viewport={"width": 1280, "height": 800})
        tab.add_init_script(WATCH)
        tab.goto(served.url)

        def waits():
            tab.evaluate("waits.length = 0")
            for number in range(N_MEASURED):
                tab.wait_for_selector("#panel[aria-busy=false]")
                tab.wait_for_timeout(120)  # nobody looks at an image for less
                tab.keyboard.press("Enter" if number % 2 else "1")
            tab.wait_for_timeout(300)
            return sorted(tab.evaluate("waits"))

        early = waits()
        others = [item.row for item in journal.open_items()][-N_BETWEEN:]
        for row in others:
            journal.answer([row], ["class 1"], annotator="Ada", seconds=[1.0])
        late = waits()
        browser.close()
    with closing(Client(served.url, "bare")) as client:
        bare = statistics.median(client.answer() for _ in range(N_MEASURED)) * 1000
    assert len(early) >= N_MEASURED - 2
    for name, found in (("first answers", early), (f"after {N_BETWEEN} more", late)):
        figure(f"key to next image, {name}, median ms", f"{statistics.median(found):.0f}", "<= 50")
        share = found[int(0.95 * len(found))]
        figure(f"key to next image, {name}, 95th percentile ms", f"{share:.0f}", "<= 100")
    ratio = statistics.median(late) / statistics.median(early)
    figure(f"key to next image, after {N_BETWEEN} answers / first ones", f"{ratio:.2f}", "<= 1.2")
    ratio = statistics.median(late) / bare
    figure("key to next image / the answer alone over HTTP", f"{ratio:.1f}", "<= 10")


@pytest.mark.parametrize("n_others", [4, 8])
def test_an_answer_while_others_answer(page, figure, n_others):
    served, _ = page
    stop = threading.Event()
    counts = []

    def work(tab):
        count = 0
        with closing(Client(served.url, tab)) as client:
            while not stop.is_set():
                client.answer()
                count += 1
                stop.wait(0.5)  # twice a second: nobody is quicker
        counts.append(count)

    threads = [threading.Thread(target=work, args=(f"tab {k}",)) for k in range(n_others)]
    with closing(Client(served.url, "one")) as one:
        alone = statistics.median(one.answer() for _ in range(N_MEASURED))
        for thread in threads:
            thread.start()
        together = statistics.median(one.answer() for _ in range(N_MEASURED))
    stop.set()
    for thread in threads:
        thread.join()
    assert len(counts) == n_others
    what = f"an answer beside {n_others} who answer twice a second / alone"
    figure(what, f"{together / alone:.2f}", "<= 2")
