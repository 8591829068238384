"""What people are shown of a cleaner, through its own methods."""

import httpx
import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from noisyactive import ActiveLabelCleaner, UniformLabelNoise


@pytest.fixture
def run(tmp_path, model):
    """A cleaner on images that waits for answers."""
    X, y = load_digits(n_class=3, return_X_y=True)
    X, y = X[::5].reshape(-1, 1, 8, 8) / 16, y[::5]
    flat = FunctionTransformer(lambda images: images.reshape(len(images), -1))
    cleaner = ActiveLabelCleaner(
        make_pipeline(flat, model),
        n_rounds=1,
        round_budget=3,
        pool="unverified",
        refit="scratch",
        journal=tmp_path / "run.db",
    )
    y_noisy = UniformLabelNoise(0.3, random_state=0).fit_transform(y)
    yield cleaner.start(X, y_noisy), y
    cleaner.close()


def test_the_page_shows_x_and_its_answers_complete_the_round(run):
    cleaner, y = run
    rows = cleaner.query()
    with cleaner.annotate(annotator="Ada") as page, httpx.Client(timeout=300) as client:
        assert client.get(page.url).status_code == 200
        base = page.url.split("?")[0]
        image = client.get(f"{base}api/images/{rows[0]}")
        assert image.headers["content-type"] == "image/png", image.text
        cleaner.teach(rows, y[rows], annotator="Ada")
        assert cleaner.wait(timeout=300)
    with pytest.raises(httpx.ConnectError):
        httpx.get(page.url)


def test_the_page_needs_a_journal(run):
    cleaner, _ = run
    cleaner.journal = None
    with pytest.raises(ValueError, match="needs a journal"):
        cleaner.annotate()


def test_the_report_is_that_of_inspection(run, tmp_path):
    pytest.importorskip("matplotlib")
    cleaner, y = run
    rows = cleaner.query()
    answers = y[rows]
    answers[0] = (cleaner.given_labels_[rows[0]] + 1) % 3  # one label is certain to change
    cleaner.teach(rows, answers).query()
    file = cleaner.to_html(tmp_path / "report.html", class_names=["zero", "one", "two"])
    text = file.read_text(encoding="utf-8")
    assert (cleaner.given_labels_ != cleaner.labels_).sum() == cleaner.history_["changed"].sum()
    assert text.count("data:image/png") >= int(np.sum(cleaner.history_["changed"])) > 0
    assert "zero" in text
