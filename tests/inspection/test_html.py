"""The HTML report, read as a browser reads it."""

import base64
import io
import os
import runpy
import sys
from operator import itemgetter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression

from noisyactive import ActiveLabelCleaner, UniformLabelNoise
from noisyactive.inspection import to_html

SCRIPT = "<script>alert(1)</script>"
Page, check_in_browser, needs_chromium = itemgetter("Page", "check_in_browser", "needs_chromium")(
    runpy.run_path(str(Path(__file__).parents[1] / "html_page.py"))
)


def decoded(url):
    kind, data = url.split(",")
    assert kind.startswith("data:image/") and kind.endswith(";base64")
    return Image.open(io.BytesIO(base64.b64decode(data)))


@pytest.fixture(scope="module")
def pictures():
    """Small pictures whose brightness is the class, true labels, and noisy ones."""
    rng = np.random.RandomState(0)
    y = np.repeat([0, 1, 2], [70, 35, 15])
    X = (y[:, None, None, None] * 80 + rng.randint(60, size=(len(y), 1, 6, 6))).astype(np.uint8)
    return X, y, UniformLabelNoise(0.4, random_state=0).fit_transform(y)


class Flat(LogisticRegression):
    """A classifier of pictures."""

    def fit(self, X, y):
        return super().fit(np.reshape(X, (len(X), -1)) / 255, y)

    def predict_proba(self, X):
        return super().predict_proba(np.reshape(X, (len(X), -1)) / 255)

    def predict(self, X):
        return super().predict(np.reshape(X, (len(X), -1)) / 255)


def make(**parameters):
    parameters = {"n_rounds": 2, "round_budget": 10, "random_state": 0, **parameters}
    return ActiveLabelCleaner(
        Flat(max_iter=1000), "label_disagreement", pool="unverified", trust="all", **parameters
    )


@pytest.fixture
def cleaned(pictures):
    """A cleaner that was run to its end on pictures, with scores."""
    X, y, y_noisy = pictures
    ids = [f"lesion-{row:03}" for row in range(len(y))]
    return make().fit(X, y_noisy, y_clean=y, ids=ids, validation_data=(X, y))


def test_summary_rounds_and_classes_are_those_of_the_run(cleaned, pictures, tmp_path):
    _, _, y_noisy = pictures
    page = Page(to_html(cleaned, tmp_path / "report.html"))
    changed = cleaned.labels_ != y_noisy
    for value in ("120", "20", str(changed.sum()), f"{cleaned.history_['score'][-1]:.3f}"):
        assert value in page.text
    rounds = page.table("Labels changed")
    assert [row["Round"] for row in rounds] == ["at first", "1", "2"]
    assert [int(row["Labels changed"]) for row in rounds] == cleaned.history_["changed"].tolist()
    scores = [row["Score"].split()[0] for row in rounds]
    assert scores == [f"{score:.3f}" for score in cleaned.history_["score"]]
    classes = page.table("Labels before")
    assert [row["Class"] for row in classes] == ["0", "1", "2", "All classes"]
    verified = cleaned.relabelled_round_ > 0
    for code, row in enumerate(classes[:-1]):
        given = y_noisy == code
        expected = {
            "Labels before": given.sum(),
            "Labels now": (cleaned.labels_ == code).sum(),
            "Verified": (given & verified).sum(),
            "Confirmed": (given & verified & ~changed).sum(),
            "Corrected to another": (given & changed).sum(),
            "Corrected to this": ((cleaned.labels_ == code) & changed).sum(),
        }
        assert {name: int(row[name]) for name in expected} == expected


def test_every_changed_label_is_listed(cleaned, pictures, tmp_path):
    _, _, y_noisy = pictures
    page = Page(to_html(cleaned, tmp_path / "report.html", class_names=["low", "mid", "high"]))
    names = np.array(["low", "mid", "high"])
    found = {row["Sample"]: row for row in page.table("Sample")}
    rows = np.flatnonzero(cleaned.labels_ != y_noisy)
    assert len(rows) > 5 and set(found) == set(cleaned.ids_[rows])
    for row in rows:
        line = found[cleaned.ids_[row]]
        assert line["Label before"] == names[y_noisy[row]]
        assert line["Label now"] == names[cleaned.labels_[row]]
        assert line["Round"] == str(cleaned.relabelled_round_[row])
        assert line["When"].endswith("UTC") and line["When"][:2] == "20"
    assert [row["Round"] for row in page.table("Sample")] == sorted(
        row["Round"] for row in page.table("Sample")
    )


def test_parameters_and_versions_are_there(cleaned, tmp_path):
    import torch

    page = Page(to_html(cleaned, tmp_path / "report.html"))
    for text in (torch.__version__, np.__version__, "estimator__max_iter", "round_budget"):
        assert text in page.text
    assert f"seed in use{cleaned.seed_}" in page.text
    assert "0x" not in page.text  # no address in memory


def test_nothing_comes_from_elsewhere(cleaned, tmp_path):
    page = Page(to_html(cleaned, tmp_path / "report.html"))
    for tag, attributes in page.elements:
        assert tag not in ("script", "link", "iframe", "object", "base", "form")
        assert not [name for name in attributes if name.startswith("on")]
        assert attributes.get("src", "data:").startswith("data:")
        assert attributes.get("srcset", "data:").startswith("data:")
        assert attributes.get("href", "#").startswith("#")
    assert "url(" not in page.source and "@import" not in page.source
    figures = [a for tag, a in page.elements if tag == "img" and a["alt"]]
    assert len(figures) == 2
    for figure in figures:
        assert figure["src"].startswith("data:image/svg+xml;base64,")
        assert b"</svg>" in base64.b64decode(figure["src"].partition(",")[2])


@pytest.mark.parametrize("name_of_class", ["label", "class_names"])
def test_what_comes_from_the_data_is_text(pictures, tmp_path, name_of_class):
    X, y, y_noisy = pictures
    names = [SCRIPT, '"><img src=x onerror=alert(2)>', "{{ 7 * 7 }}&lt;"]
    ids = [f"</td><b>{row}</b>&amp;" for row in range(len(y))]
    annotator, comment = "'\"><svg onload=alert(3)>", "--></style><script>alert(4)</script>\nline"
    if name_of_class == "label":
        y, y_noisy, options = np.array(names)[y], np.array(names)[y_noisy], {}
    else:
        options = {"class_names": names}
    cleaner = make(n_rounds=1).start(X, y_noisy, ids=ids)
    rows = cleaner.query()
    cleaner.teach(rows, y[rows], annotator=annotator, comments=[comment] * len(rows)).query()
    page = Page(to_html(cleaner, tmp_path / "report.html", title=f"{SCRIPT}!", **options))
    tags = {tag for tag, _ in page.elements}
    assert not tags & {"script", "b", "svg"}
    assert all(set(a) <= {"src", "alt", "class"} for tag, a in page.elements if tag == "img")
    for text in (*names, annotator, comment, f"{SCRIPT}!"):
        assert text in page.text
    listed = page.table("Sample")
    assert {row["By"] for row in listed} == {annotator}
    assert {row["Comment"] for row in listed} == {comment}
    changed = y_noisy != cleaner.labels_
    assert {row["Sample"] for row in listed} == set(np.array(ids)[changed])
    assert "49" not in {row["Label now"] for row in listed}


def test_characters_that_hide_or_turn_text_are_spelled(pictures, tmp_path):
    X, y, y_noisy = pictures
    cleaner = make(n_rounds=1).start(
        X, y_noisy, ids=[f"{row}\u202egnp.\x07" for row in range(len(y))]
    )
    rows = cleaner.query()
    cleaner.teach(rows, y[rows], annotator="Zoë \u200dÅ\U0001f600")
    page = Page(to_html(cleaner, tmp_path / "report.html"))
    listed = page.table("Sample")
    assert all(row["Sample"].endswith(r"\u202egnp.\x07") for row in listed)
    assert {row["By"] for row in listed} == {"Zoë \u200dÅ\U0001f600"}


def test_thumbnails_are_small_and_few(cleaned, pictures, tmp_path):
    X, _, y_noisy = pictures
    page = Page(to_html(cleaned, tmp_path / "report.html", max_images=3))
    listed = page.table("Sample")
    images = page.images()
    assert len(images) == 3 < len(listed)
    assert f"Images are shown for the first 3; those of the other {len(listed) - 3}" in page.text
    for url, row in zip(images, listed, strict=False):
        shown = np.asarray(decoded(url))
        np.testing.assert_array_equal(shown, X[int(row["Sample"][-3:]), 0])


def test_images_from_a_function_or_a_folder(cleaned, tmp_path):
    def image(row):
        return Image.new("RGB", (400, 200), (row, 0, 0))

    page = Page(to_html(cleaned, tmp_path / "report.html", images=image))
    assert len(page.images()) == len(page.table("Sample"))
    assert "Images are shown for" not in page.text
    assert decoded(page.images()[0]).size == (96, 48)

    folder = tmp_path / "images"
    folder.mkdir()
    first, second, *_ = (row["Sample"] for row in page.table("Sample"))
    image(200).save(folder / f"{first}.png")
    (folder / f"{second}.png").write_bytes(b"not an image")
    page = Page(to_html(cleaned, tmp_path / "report.html", images=folder))
    (url,) = page.images()
    assert decoded(url).getpixel((0, 0))[0] == pytest.approx(200, abs=3)
    cells = [row["Image"] for row in page.table("Sample")]
    assert cells[0] == "" and "not an image" in cells[1] and "no image of this item" in cells[2]


def test_without_images_answers_or_scores(make_cleaner, blobs, tmp_path):
    X, _, y_noisy = blobs
    page = Page(to_html(make_cleaner().start(X, y_noisy), tmp_path / "report.html"))
    assert "No label has been changed." in page.text
    assert not [tag for tag, _ in page.elements if tag == "img"]


def test_who_said_what_where_several_answer(make_cleaner, blobs, tmp_path):
    X, y, y_noisy = blobs
    cleaner = make_cleaner(answers_per_item=3, round_budget=3, n_rounds=1).start(X, y_noisy)
    (row,) = cleaner.query()
    new, other = np.setdiff1d([0, 1, 2], y_noisy[row])
    cleaner.teach([row], [new], annotator="Ada", comments=["sure"])
    cleaner.teach([row], [other], annotator="Bob", comments=["hm"])
    cleaner.teach([row], [new], annotator="Cyd").query()
    page = Page(to_html(cleaner, tmp_path / "report.html"))
    (line,) = page.table("Sample")
    assert line["Label now"] == str(new)
    assert line["By"] == f"AdaCydBob said: {other}"  # each in a block of its own
    assert line["Comment"] == "Ada: sure\nBob: hm"
    assert [row["Annotator"] for row in page.table("Annotator")] == ["Ada", "Bob", "Cyd"]


def test_what_was_taken_back_is_no_change(make_cleaner, blobs, tmp_path):
    X, y, y_noisy = blobs
    cleaner = make_cleaner(n_rounds=1).start(X, y_noisy)
    rows = cleaner.query()
    others = (y_noisy[rows] + 1) % 3
    cleaner.teach(rows, others, annotator="Ada")
    cleaner.teach(rows[:2], y_noisy[rows[:2]], annotator="Bob")
    page = Page(to_html(cleaner, tmp_path / "report.html"))
    assert {row["Sample"] for row in page.table("Sample")} == set(map(str, rows[2:]))
    cleaner.teach(rows[2:3], [(y_noisy[rows[2]] + 2) % 3], annotator="Bob")
    page = Page(to_html(cleaner, tmp_path / "report.html"))
    (line,) = (row for row in page.table("Sample") if row["Sample"] == str(rows[2]))
    assert line["By"].startswith("Bob") and "Ada said" in line["By"]


def test_a_journal_tells_the_same_after_a_restart(pictures, tmp_path):
    X, y, y_noisy = pictures
    journal = tmp_path / "run.db"
    cleaner = make(n_rounds=1, journal=journal).start(X, y_noisy)
    rows = cleaner.query()
    cleaner.teach(
        rows, y[rows], annotator="Ada", comments=["why"] + [None] * (len(rows) - 1)
    ).query()
    before = Page(to_html(cleaner, tmp_path / "before.html"))
    cleaner.close()
    again = make(n_rounds=1, journal=journal).start(X, y_noisy)
    after = Page(to_html(again, tmp_path / "after.html"))
    again.close()
    assert after.tables == before.tables and len(before.table("Sample")) > 3


def test_a_report_appears_whole_or_not_at_all(cleaned, tmp_path):
    path = to_html(cleaned, tmp_path / "report.html")
    before = path.read_bytes()

    def fail(row):
        raise RuntimeError("no such row")

    with pytest.raises(RuntimeError, match="no such row"):
        to_html(cleaned, path, images=fail)
    with pytest.raises(OSError):
        to_html(cleaned, tmp_path / "missing" / "report.html")
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["report.html"]


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"class_names": ["a"]}, ValueError, "class_names must hold a name for each of the 3"),
        ({"images": 3}, TypeError, "images must be a folder, a callable or None"),
        ({"images": "no/such/folder"}, FileNotFoundError, "no/such/folder"),
        ({"max_images": -1}, ValueError, "max_images must be an int of at least 0"),
        ({"path": 3}, TypeError, "path must be a path"),
    ],
)
def test_bad_input_is_named_and_nothing_written(cleaned, tmp_path, options, error, message):
    with pytest.raises(error, match=message):
        to_html(cleaned, **{"path": tmp_path / "report.html", **options})
    assert not os.listdir(tmp_path)


def test_other_objects_are_refused(tmp_path):
    with pytest.raises(TypeError, match="cleaner must be an ActiveLabelCleaner"):
        to_html("cleaner", tmp_path / "report.html")
    with pytest.raises(NotFittedError):
        to_html(make(), tmp_path / "report.html")


@pytest.mark.parametrize("missing", ["jinja2", "matplotlib"])
def test_says_how_to_get_what_it_needs(cleaned, tmp_path, monkeypatch, missing):
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(ImportError, match=rf"(?i)to_html needs {missing}.*noisyactive\[plot\]"):
        to_html(cleaned, tmp_path / "report.html")


@pytest.mark.slow
@needs_chromium
@pytest.mark.parametrize("width", [360, 1280])
def test_fits_the_screen_and_asks_for_nothing(cleaned, tmp_path, width):
    path = to_html(cleaned, tmp_path / "report.html", class_names=["a" * 60, "b", "c c c"])
    check_in_browser(path, width)
