"""Runs whose first round waits for answers, and the labelling page served for them."""

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
