"""Runs whose first round waits for answers, and the labelling page served for them."""

import os
import shutil
import time
from urllib.parse import urlsplit

import httpx
import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression

from noisyactive import ActiveLabelCleaner, UniformLabelNoise
from noisyactive.annotate import serve

DIGITS = load_digits(n_class=3, return_X_y=True)
CLASSES = ("benign", "melanoma", "nevus")


class Run:
    """A cleaner on small digits with a journal, and the labels that are right."""

    def __init__(self, path, classes=CLASSES, **parameters):
        X, y = DIGITS
        rows = np.arange(0, len(y), 5)
        self.X = (X[rows] / 16).reshape(-1, 1, 8, 8)
        self.y = np.array(classes)[y[rows]]
        noisy = UniformLabelNoise(0.3, random_state=0).fit_transform(y[rows])
        self.ids = [f"image-{row:03}" for row in range(len(rows))]
        self.journal = path
        # The page does not depend on who is trusted; where nobody is judged, a run starts soonest.
        parameters = {"n_rounds": 2, "round_budget": 4, "trust": "all", **parameters}
        model = LogisticRegression(max_iter=1000)
        self.cleaner = ActiveLabelCleaner(
            model, pool="unverified", journal=path, random_state=0, **parameters
        )
        self.noisy = np.array(classes)[noisy]

    def start(self, **others):
        flat = self.X.reshape(len(self.X), -1)
        self.cleaner.start(flat, self.noisy, **{"ids": self.ids, **others})
        self.rows = self.cleaner.query().tolist()
        return self


@pytest.fixture
def start_run(tmp_path):
    """Start a run; a round of four of its rows waits for answers."""
    runs = []

    def start(ids=None, **parameters):
        run = Run(tmp_path / "lesions.db", **parameters)
        runs.append(run)
        return run.start(**({} if ids is None else {"ids": ids}))

    yield start
    for run in runs:
        run.cleaner.close()


@pytest.fixture
def serving():
    """Serve a page until the end of the test."""
    pages = []

    def start(*args, **options):
        pages.append(serve(*args, **options))
        return pages[-1]

    yield start
    for page in pages:
        page.close()


PATIENCE = 300  # seconds for what takes none on a machine that is not busy


class Visitor:
    """A browser without a screen: it has opened the address, and says where it comes from."""

    def __init__(self, url):
        parts = urlsplit(url)
        self.url = url
        self.origin = f"{parts.scheme}://{parts.netloc}"
        self.http = httpx.Client(
            base_url=self.origin,
            headers={"Origin": self.origin},
            timeout=PATIENCE,
            # The server closes what it has not heard of for 5 seconds: perhaps at the moment at
            # which a request is sent.
            limits=httpx.Limits(keepalive_expiry=1.0),
            verify=False,  # there is no TLS: reading certificates takes longer than a request
        )
        assert self.http.get(url).status_code == 200
        self.run = self.state()["run"]

    def state(self, annotator=None):
        response = self.http.get("/api/state", params={"annotator": annotator} if annotator else {})
        assert response.status_code == 200, response.text
        return response.json()

    def post(self, **facts):
        answer = {"run": self.run, "seconds": 1.5, "comment": "", "annotator": None}
        return self.http.post("/api/answers", json={**answer, **facts})

    def answer(self, row, answer, **facts):
        response = self.post(row=row, answer=answer, **facts)
        assert response.status_code == 200, response.text
        return response.json()["outcome"]

    def previous(self, back=1, **parameters):
        response = self.http.get("/api/previous", params={"back": back, **parameters})
        assert response.status_code == 200, response.text
        return response.json()["item"]


@pytest.fixture
def visit():
    """Visit a page, or an address."""
    visitors = []

    def go(page):
        visitors.append(Visitor(getattr(page, "url", page)))
        return visitors[-1]

    yield go
    for visitor in visitors:
        visitor.http.close()


CHROMIUM = os.environ.get("NOISYACTIVE_CHROMIUM") or next(
    filter(None, map(shutil.which, ["chromium", "chromium-browser", "google-chrome"])), None
)


@pytest.fixture(scope="module")
def browser():
    """Chromium, without a window."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="needs playwright")
    if CHROMIUM is None:
        pytest.skip("no chromium on the PATH, nor in NOISYACTIVE_CHROMIUM")
    sync_api.expect.set_options(timeout=1000 * PATIENCE)
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def open_tab(browser):
    """Open an address in a browser that nobody has used, or in that of another tab."""
    faults, contexts = [], []

    def heed(message):
        text = message.text
        if message.type == "error" and "Failed to load resource" not in text:
            faults.append(text)

    def open_(url, like=None, **options):
        if like is None:
            contexts.append(browser.new_context(**options))
        context = contexts[-1] if like is None else like.context
        tab = context.new_page()
        tab.set_default_timeout(1000 * PATIENCE)
        tab.on("pageerror", lambda error: faults.append(str(error)))
        tab.on("console", heed)  # what the content security policy forbids is told here
        tab.on("dialog", lambda dialog: faults.append(dialog.message))
        tab.goto(url)
        return tab

    yield open_
    for context in contexts:
        context.close()
    assert faults == []


def wait_in(tab, condition):
    """Wait until a condition holds, while what happens in a tab is heard of."""
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end
        tab.wait_for_timeout(10)


@pytest.fixture
def wait_until():
    """Wait until a condition holds, while what happens in a tab is heard of."""
    return wait_in


class Line:
    """What becomes of some requests of a tab on their way: held, lost, or their replies lost."""

    def __init__(self, tab, requests):
        self.lets_through, self.loses_replies, self.holds = True, False, False
        self.held = []
        self._tab = tab
        tab.route(requests, self._carry)

    def _carry(self, route):
        if self.holds:
            self.held.append(route)
        elif self.lets_through:
            route.continue_()
        else:
            if self.loses_replies:
                route.fetch()
            route.abort()

    def wait(self):
        """Wait until a request is held, and return it."""
        wait_in(self._tab, lambda: self.held)
        return self.held.pop(0)


@pytest.fixture
def open_line(open_tab):
    """Open an address; return the tab, and the line on which its answers go, or other requests.

    The route is there before the page is: what a page asks just after a route was set, or was
    taken away and set again, may still get through.
    """

    def open_(url, requests="**/api/answers", **options):
        tab = open_tab("about:blank", **options)
        line = Line(tab, requests)
        tab.goto(url)
        return tab, line

    return open_


@pytest.fixture
def ready():
    """Wait until an item can be answered."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="needs playwright")

    def wait(tab, item):
        sync_api.expect(tab.locator("#item")).to_have_text(item)
        sync_api.expect(tab.locator("#panel")).to_have_attribute("aria-busy", "false")

    return wait
