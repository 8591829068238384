"""The report of an audit, read as a browser reads it."""

import base64
import io
import os
import runpy
import sys
from operator import itemgetter
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from sklearn.datasets import load_digits
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression

from noisyactive.audit import (
    LabelAudit,
    contradicting_rows,
    find_duplicates,
    find_outliers,
    write_report,
)

Page, check_in_browser, needs_chromium = itemgetter("Page", "check_in_browser", "needs_chromium")(
    runpy.run_path(str(Path(__file__).parents[1] / "html_page.py"))
)
SCRIPT = "<script>alert(1)</script>"


@pytest.fixture(scope="module")
def planted():
    """Digits, and what is wrong with them: labels, duplicates, outliers, a small class."""
    digits = load_digits()
    X, y = digits.images[:600].copy(), digits.target[:600]
    keep = (y != 7) | (np.cumsum(y == 7) <= 4)
    X, y = X[keep], y[keep]
    rng = np.random.default_rng(0)
    n = len(y)
    outliers = [30, 60]
    for row in outliers:
        X[row] = 16 * (rng.random((8, 8)) < 0.5)
    exact, near = np.arange(5), np.arange(10, 14)
    X = np.concatenate([X, X[exact], X[near] + rng.normal(0, 0.1, (4, 8, 8))])
    y = np.concatenate([y, (y[exact] + 1) % 7, y[near]])
    wrong = np.arange(100, 160, 3)
    y[wrong] = (y[wrong] + 1) % 7
    names = pd.Index([f"file-{row}.png" for row in range(len(y))])
    return {
        "X": X,
        "y": pd.Series(y, index=names),
        "wrong": names[wrong],
        "outliers": names[outliers],
        "sets": [{names[a], names[n + i]} for i, a in enumerate([*exact, *near])],
        "split": np.where(np.arange(len(y)) < n, "train", "test"),
        "groups": np.arange(len(y)) % n,  # exact copies are in the groups of the first ones
    }


@pytest.fixture(scope="module")
def audit(planted):
    return LabelAudit(random_state=0).fit(planted["X"], planted["y"])


@pytest.fixture(scope="module")
def page(planted, audit, tmp_path_factory):
    path = tmp_path_factory.mktemp("report") / "report.html"
    parts = {name: planted[name] for name in ("X", "split", "groups")}
    return Page(write_report(audit, path, **parts))


def number(page, name):
    """A number of the summary."""
    after = page.text.index(name) + len(name)
    return int("".join(c for c in page.text[after : after + 12].splitlines()[0] if c.isdigit()))


def test_doubtful_labels_are_those_of_the_table(page, planted, audit):
    listed = page.table("Suggested")
    expected = audit.issues_.query("is_issue").head(100)
    assert [row["Sample"] for row in listed] == list(expected.index)
    assert [row["Label"] for row in listed] == [str(label) for label in expected["given"]]
    assert [row["Suggested"] for row in listed] == [str(one) for one in expected["suggested"]]
    assert [row["Why"] for row in listed] == list(expected["why"])
    found = set(expected.index)
    assert len(found & set(planted["wrong"])) >= 0.8 * len(planted["wrong"])


def test_beside_each_are_the_nearest_contradicting_rows(page, planted):
    listed = page.table("Suggested")
    rows = [row["Sample"] for row in listed]
    table = contradicting_rows(planted["X"], planted["y"], rows, n_neighbours=3)
    for row in listed:
        of_row = table[table["row"] == row["Sample"]]
        shown = row["Similar, with other labels"].split()
        assert shown[1::2] == list(of_row["neighbour"])
        assert shown[0::2] == [str(label) for label in of_row["neighbour_label"]]


def test_sets_of_duplicates_the_contrary_ones_first(page, planted):
    listed = page.table("Distance")
    found = [set(row["Samples"].split()) & set(planted["y"].index) for row in listed]
    assert all(one in found for one in planted["sets"])
    table = find_duplicates(**{name: planted[name] for name in ("X", "y", "groups", "split")})
    assert len(found) == table["set"].nunique()
    marks = {
        "different labels": "other_labels",
        "across the split": "across_split",
        "across groups": "across_groups",
    }
    for row, members in zip(listed, found, strict=True):
        of_set = table.loc[sorted(members)]
        assert of_set["set"].nunique() == 1
        for words, column in marks.items():
            assert (words in row["Set"]) == of_set[column].all()
        assert row["Set"].startswith(of_set["kind"].iloc[0])
    assert ["different labels" in row["Set"] for row in listed[:6]] == [True] * 5 + [False]


def test_outliers_and_small_classes(page, planted):
    outliers = find_outliers(planted["X"]).query("is_outlier").index
    listed = [row["Sample"] for row in page.table("Score")]
    assert listed == list(planted["y"].index[outliers])
    assert set(planted["outliers"]) <= set(listed[:4])
    (small,) = page.table("Reason")
    assert small["Class"] == "7" and small["Reason"].startswith("4 samples for 5 folds")
    classes = {row["Class"]: row for row in page.table("Share")}
    sizes = planted["y"].value_counts()
    assert {name: int(row["Labels"]) for name, row in classes.items()} == {
        str(label): n for label, n in sizes.items()
    }


def test_pictures_are_those_of_the_samples(page, planted):
    images = iter(page.images())
    place = {name: row for row, name in enumerate(planted["y"].index)}
    X = planted["X"]
    for row in page.table("Suggested"):
        neighbours = row["Similar, with other labels"].split()[1::2]
        for name in (row["Sample"], *neighbours):
            data = next(images).partition(";base64,")[2]
            shown = np.asarray(Image.open(io.BytesIO(base64.b64decode(data))))
            # A thousandth of the pixels at each end is black or white.
            low, high = np.quantile(X, [0.001, 0.999], method="inverted_cdf")
            expected = ((X[place[name]] - low) / (high - low) * 255).clip(0, 255)
            np.testing.assert_allclose(shown, expected, atol=2)


def test_tables_and_pictures_are_bounded(planted, audit, tmp_path):
    page = Page(write_report(audit, tmp_path / "r.html", planted["X"], max_rows=2))
    for heading in ("Suggested", "Distance", "Score", "Share"):
        assert len(page.table(heading)) == 2
    assert len(page.images()) <= 2 * (4 + 4 + 1)
    n = int(audit.issues_["is_issue"].sum())
    assert f"The first 2 of {n} are listed." in page.text
    # However large a set is, the label that differs is shown.
    X, y = np.concatenate([planted["X"][:40], planted["X"][:1].repeat(30, 0)]), [0, 1] * 20
    one = LabelAudit(random_state=0).fit(X, [*y, *[0] * 29, 1])
    page = Page(write_report(one, tmp_path / "r.html", X))
    (row,) = page.table("Distance")
    assert row["Samples"].split()[:8:2] == ["0", "1", "0", "0"]
    assert "and 27 more" in row["Samples"]


def test_large_pictures_become_small(planted, audit, tmp_path):
    asked = []

    def image(row):
        asked.append(row)
        return Image.new("RGB", (1000, 500), (row % 256, 0, 0))

    page = Page(write_report(audit, tmp_path / "r.html", images=image, max_rows=3))
    assert len(page.images()) == 3
    for url in page.images():
        picture = Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2])))
        assert picture.size == (96, 48)
    names = planted["y"].index[asked]
    assert list(names) == [row["Sample"] for row in page.table("Suggested")]
    assert "Duplicates" not in page.text  # nothing was compared


def test_images_in_a_folder_are_found_by_name(audit, tmp_path):
    first, second = audit.issues_.index[:2]
    Image.new("L", (20, 20), 200).save(tmp_path / first)
    page = Page(write_report(audit, tmp_path / "r.html", images=tmp_path, max_rows=2))
    assert len(page.images()) == 1
    one, other = page.table("Suggested")
    assert (one["Sample"], other["Sample"]) == (first, second)
    assert one["Image"] == "" and "no image of this item" in other["Image"]


def test_what_comes_from_the_data_is_text(planted, tmp_path):
    kinds = np.array([SCRIPT, '"><img src=x onerror=alert(2)>', "{{ 7 * 7 }}&lt;", "\u202egnp"])
    X, labels = planted["X"], kinds[planted["y"].to_numpy() % 4]
    y = pd.Series(labels, index=[f"</td><b>{row}</b>" for row in range(len(X))])
    audit = LabelAudit(random_state=0).fit(X, y)
    path = write_report(
        audit, tmp_path / "r.html", X, groups=[f"<i>{row}" for row in range(len(X))], title=SCRIPT
    )
    page = Page(path)
    tags = {tag for tag, _ in page.elements}
    assert not tags & {"script", "b", "i"}
    assert all(set(a) <= {"src", "alt", "class"} for tag, a in page.elements if tag == "img")
    for text in (SCRIPT, kinds[1], kinds[2], r"\u202egnp", "</td><b>", "<i>"):
        assert text in page.text
    assert "\u202e" not in page.text


def test_nothing_comes_from_elsewhere(page):
    for tag, attributes in page.elements:
        assert tag not in ("script", "link", "iframe", "object", "base", "form")
        assert not [name for name in attributes if name.startswith("on")]
        assert attributes.get("src", "data:").startswith("data:")
        assert attributes.get("href", "#").startswith("#")
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    links = [attributes["href"][1:] for tag, attributes in page.elements if tag == "a"]
    assert set(links) == set(ids) and len(links) > 3
    assert "url(" not in page.source and "@import" not in page.source


def test_texts_are_quoted_in_part(tmp_path):
    rng = np.random.default_rng(0)
    words = {"cow": "moo field milk grass", "cat": "meow mouse fur sofa"}
    y = rng.choice(list(words), 100)
    X = [f"<b>{' '.join(rng.choice(words[label].split(), 60))}" for label in y]
    y[7] = "cow" if y[7] == "cat" else "cat"
    audit = LabelAudit(random_state=0).fit(X, y)
    page = Page(write_report(audit, tmp_path / "r.html", X))
    worst = page.table("Suggested")[0]
    assert worst["Sample"] == f"7{X[7][:160]}…"
    assert max(map(len, page.text.splitlines())) < 4 * 250


def test_samples_without_distances_are_only_equal_or_not(tmp_path):
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"word": rng.permutation([f"w{i}" for i in range(40)]), "n": np.arange(40)})
    X.iloc[8] = X.iloc[5]
    proba = np.tile([0.7, 0.3], (40, 1))
    audit = LabelAudit("precomputed").fit(proba, np.arange(40) % 2)
    page = Page(write_report(audit, tmp_path / "r.html", X))
    (row,) = page.table("Distance")
    assert row["Samples"].split() == ["1", "5", "0", "8"]
    assert "cannot be compared" in page.text and "Similar" not in page.text


def test_nothing_to_tell(tmp_path):
    rng = np.random.default_rng(0)
    y = np.arange(200) % 2
    X = rng.normal(size=(200, 6)) + 8 * y[:, None]
    audit = LabelAudit(LogisticRegression(), random_state=0).fit(X, y)
    page = Page(write_report(audit, tmp_path / "r.html", X))
    assert "No label is more probably wrong than right." in page.text
    assert "No sample is there twice." in page.text
    assert "No sample is unlike all others." in page.text
    assert "too small to judge" not in page.text


def test_consensus_of_annotators_is_what_is_judged(planted, tmp_path):
    X, y = planted["X"], planted["y"]
    rng = np.random.default_rng(0)
    votes = pd.DataFrame(
        {name: y.where(rng.random(len(y)) < 0.6, rng.integers(7, size=len(y))) for name in "abc"}
    )
    audit = LabelAudit(random_state=0).fit(X, votes)
    page = Page(write_report(audit, tmp_path / "r.html", X))
    expected = audit.issues_.query("is_issue").head(100)
    assert len(expected) > 10
    assert [row["Sample"] for row in page.table("Suggested")] == list(expected.index)
    assert [row["Label"] for row in page.table("Suggested")] == [str(k) for k in expected["given"]]


@pytest.mark.parametrize(
    "index",
    [
        pd.Index([0] * 30, name="same"),
        pd.MultiIndex.from_product([range(15), ["left", "right"]]),
        pd.date_range("2020-01-01", periods=30),
    ],
    ids=["same", "pairs", "days"],
)
def test_any_index_names_the_rows(tmp_path, index):
    rng = np.random.default_rng(0)
    proba = rng.dirichlet([1, 1], 30)
    audit = LabelAudit("precomputed").fit(proba, pd.Series([0, 1] * 15, index=index))
    page = Page(write_report(audit, tmp_path / "r.html", rng.normal(size=(30, 4))))
    expected = audit.issues_.query("is_issue").index
    assert len(expected) > 3
    assert [row["Sample"] for row in page.table("Suggested")] == [str(one) for one in expected]


def test_nothing_contradicts_labels_that_are_all_the_same(tmp_path):
    rng = np.random.default_rng(0)
    audit = LabelAudit("precomputed", classes=["x", "y"])
    audit.fit(rng.dirichlet([1, 1], 30), ["x"] * 30)
    page = Page(write_report(audit, tmp_path / "r.html", rng.normal(size=(30, 4))))
    assert page.table("Suggested") and "Similar" not in page.text


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"audit": "audit"}, TypeError, "audit must be a LabelAudit"),
        ({"audit": LabelAudit()}, NotFittedError, "not fitted"),
        ({"path": 3}, TypeError, "path must be a path"),
        ({"X": np.zeros((3, 2))}, ValueError, "X must hold the .* samples of audit, got 3"),
        ({"groups": [1, 2], "X": True}, ValueError, "groups must be of shape"),
        ({"split": [1, 2]}, ValueError, "pass X, too"),
        ({"images": 3}, TypeError, "images must be a folder, a callable or None"),
        ({"images": "no/such/folder"}, FileNotFoundError, "no/such/folder"),
        ({"title": 3}, TypeError, "title must be text"),
        ({"max_rows": 0}, ValueError, "max_rows must be an int of at least 1"),
    ],
)
def test_bad_input_is_named_and_nothing_written(planted, audit, tmp_path, options, error, message):
    if options.get("X") is True:
        options = {**options, "X": planted["X"]}
    with pytest.raises(error, match=message):
        write_report(**{"audit": audit, "path": tmp_path / "r.html", **options})
    assert not os.listdir(tmp_path)


def test_says_how_to_get_what_it_needs(audit, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "jinja2", None)
    with pytest.raises(ImportError, match=r"write_report needs Jinja2.*noisyactive\[plot\]"):
        write_report(audit, tmp_path / "r.html")


@pytest.mark.slow
@needs_chromium
@pytest.mark.parametrize("width", [360, 1280])
def test_fits_the_screen_by_day_and_by_night(planted, tmp_path, width):
    X, long = planted["X"], "a" * 60
    y = pd.Series([f"{long}{k}" for k in planted["y"]], index=planted["y"].index + long)
    audit = LabelAudit(random_state=0).fit(X, y)
    path = write_report(audit, tmp_path / "r.html", X, groups=y, split=planted["split"])
    grounds = {check_in_browser(path, width, scheme) for scheme in ("light", "dark")}
    assert len(grounds) == 2
