"""What the report says in words and tables, against the run that it is of."""

import base64
import re
import runpy
from dataclasses import dataclass, replace
from operator import itemgetter
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score, confusion_matrix, f1_score
from sklearn.naive_bayes import GaussianNB

from noisyactive import ActiveLabelCleaner
from noisyactive.inspection import remaining_errors, to_html
from noisyactive.inspection._people import not_told
from noisyactive.inspection._record import record_of
from noisyactive.journal import Answered, Journal

Page, check_in_browser, needs_chromium, CHROMIUM = itemgetter(
    "Page", "check_in_browser", "needs_chromium", "CHROMIUM"
)(runpy.run_path(str(Path(__file__).parents[1] / "html_page.py")))


def number(text):
    return int(text.replace(",", ""))


@pytest.fixture(scope="module")
def run(blobs, tmp_path_factory):
    """A journal of three people, one of whom answers what another has answered."""
    X, y, y_noisy = blobs
    X = X.copy()
    X[5] = X[200]  # in the last class, and in the first
    journal = tmp_path_factory.mktemp("run") / "run.db"
    cleaner = ActiveLabelCleaner(
        GaussianNB(), n_rounds=3, round_budget=20, random_state=0, journal=journal
    ).start(X, y_noisy, validation_data=(X[::2], y[::2]))
    while len(rows := cleaner.query()):
        for who, part in (("Ada", rows[::2]), ("Bob", rows[1::2])):
            said = [None if row % 10 == 3 else y[row] for row in part]
            why = ["blurred" if row % 10 == 3 else None for row in part]
            cleaner.teach(part, said, annotator=who, seconds=[3.0] * len(part), comments=why)
    adas = [row for row, said in cleaner.state_.answers.items() if said.get("Ada") is not None]
    cleaner.teach(adas[:12], [(y[row] + (row % 4 == 0)) % 3 for row in adas[:12]], annotator="Eve")
    cleaner.close()
    return cleaner, y


@pytest.fixture(scope="module")
def page(run, tmp_path_factory):
    return Page(to_html(run[0], tmp_path_factory.mktemp("page") / "report.html"))


@pytest.fixture(scope="module")
def journal_page(run, tmp_path_factory):
    path = tmp_path_factory.mktemp("page") / "report.html"
    return Page(to_html(Journal(run[0].journal), path))


def test_how_many_are_still_wrong(run, page):
    cleaner, y = run
    left = remaining_errors(cleaner)
    said = f"Of these, about {round(left.expected)} are probably still wrong"
    assert said in page.text and f"Nobody verified {left.n_unverified} labels" in page.text
    assert f"between {round(left.low)} and {round(left.high)}" in page.text
    classes = page.table("Labels before")
    cells = [row["Probably still wrong"].split() for row in classes]
    # Nothing contradicts: the classes add up to the total, which the summary and the bar have too.
    assert sum(number(cell[0]) for cell in cells[:-1]) == number(cells[-1][0])
    assert number(cells[-1][0]) == round(left.expected)
    for code, cell in enumerate(cells[:-1]):
        place = int(classes[code]["Class"])
        assert number(cell[1]) == round(left.by_class[place, 1])
        assert number(cell[3]) == round(left.by_class[place, 2])
    (bar,) = (a["aria-label"] for _, a in page.elements if a.get("class") == "bar")
    parts = [number(n) for n in re.findall(r": ([\d,]+)", bar)]
    assert sum(parts) == len(y) and parts[-1] == round(left.expected)


def test_changes_are_a_matrix(run, page, journal_page):
    cleaner, _ = run
    verified = cleaner.state_.verified
    expected = confusion_matrix(
        cleaner.given_labels_[verified], cleaner.labels_[verified], labels=[0, 1, 2]
    )
    for each in (page, journal_page):
        rows = each.table("From, to")
        found = [[number(row[name] or "0") for name in "012"] for row in rows]
        assert found == expected.tolist()
        assert [number(row["Verified"]) for row in rows] == expected.sum(axis=1).tolist()


def test_many_classes_are_a_list_of_changes(tmp_path):
    rng = np.random.RandomState(0)
    y = np.repeat(np.arange(20), 10)
    X = rng.normal(size=(200, 3)) + y[:, None]
    y_noisy = y.copy()
    y_noisy[::5] = 19 - y[::5]
    cleaner = ActiveLabelCleaner(GaussianNB(), n_rounds=1, round_budget=3, trust="all")
    cleaner.start(X, y_noisy).teach(np.arange(0, 200, 5), y[::5])
    page = Page(to_html(cleaner, tmp_path / "report.html"))
    changed = {(row["From"], row["To"]): number(row["Changed"]) for row in page.table("From")}
    assert changed == {(str(19 - c), str(c)): 2 for c in range(20)}


def test_what_could_not_be_told_and_why(run, page, journal_page):
    cleaner, _ = run
    rows = np.flatnonzero(cleaner.state_.skipped)
    assert len(rows) > 2
    for each in (page, journal_page):
        found = each.table("Reason")
        assert [row["Sample"] for row in found] == cleaner.ids_[rows].tolist()
        assert {row["Reason"] for row in found} == {"blurred"}
        assert {row["Asked"] for row in found} <= {"Ada", "Bob"}


@dataclass(frozen=True)
class Flagged(Answered):
    """An answer with a flag, as newer journals have them."""

    flag: str = ""


def test_what_is_unusable_is_said_to_be(blobs):
    X, _, y_noisy = blobs
    cleaner = ActiveLabelCleaner(GaussianNB(), trust="all", n_rounds=1).start(X, y_noisy)
    record = record_of(cleaner.teach([3, 4], [None, None], comments=["empty file", None]))
    flagged = [
        Flagged(**{**vars(event), "flag": "unusable"}) if isinstance(event, Answered) else event
        for event in record.events
    ]
    found = not_told(replace(record, events=flagged))
    reasons = [one.reasons for one in found]
    assert reasons == [[("", "missing or unusable: empty file")], [("", "missing or unusable")]]
    assert [one.reasons for one in not_told(record)] == [[("", "empty file")], []]


def test_people_and_pairs(run, page, journal_page):
    cleaner, _ = run
    answers = cleaner.state_.answers
    for each in (page, journal_page):
        people = {row["Annotator"]: row for row in each.table("Could not tell")}
        assert set(people) == {"Ada", "Bob", "Eve"}
        for name, row in people.items():
            said = {r: a[name] for r, a in answers.items() if name in a}
            told = [r for r, label in said.items() if label is not None]
            assert number(row["Answers"]) == len(said) and number(row["Labels"]) == len(told)
            assert number(row["Could not tell"]) == len(said) - len(told)
            changed = np.mean([said[r] != cleaner.given_labels_[r] for r in told])
            assert row["Given label changed"].split()[0] == f"{changed:.0%}"
        assert people["Ada"]["Recorded time"] == f"{3 * len(answers_of(answers, 'Ada'))} s"
        assert people["Eve"]["Recorded time"] == "–"
        (pair,) = each.table("Kappa")  # Bob shares no sample with anybody
        assert pair["Annotators"] == "Ada and Eve" and pair["Samples"] == "12"
        both = [r for r, a in answers.items() if "Eve" in a]
        one, other = ([answers[r][name] for r in both] for name in ("Ada", "Eve"))
        assert pair["Kappa"].split()[0] == f"{cohen_kappa_score(one, other):.2f}"
        assert pair["Same label"].split()[0] == f"{np.mean(np.equal(one, other)):.0%}"


def answers_of(answers, name):
    return [row for row, said in answers.items() if name in said]


def test_no_agreement_is_printed_where_nothing_overlaps(blobs, tmp_path):
    X, y, y_noisy = blobs
    cleaner = ActiveLabelCleaner(GaussianNB(), n_rounds=1, round_budget=8).start(X, y_noisy)
    rows = cleaner.query()
    cleaner.teach(rows[:4], y[rows[:4]], annotator="Ada")
    cleaner.teach(rows[4:], y[rows[4:]], annotator="Bob")
    page = Page(to_html(cleaner, tmp_path / "report.html"))
    assert "nothing can be said of their agreement" in page.text
    assert "Kappa" not in page.text


def test_scores_have_intervals_and_a_gain_its_cost(run, page, blobs):
    cleaner, y = run
    rounds = page.table("Score")
    true = cleaner.validation_codes_
    for score, predicted, row in zip(
        cleaner.history_["score"], cleaner.validation_predictions_, rounds, strict=True
    ):
        assert f1_score(true, predicted, average="macro") == pytest.approx(score)
        value, low, _, high = row["Score"].split()
        assert value == f"{score:.3f}" and float(low) <= float(value) <= float(high)
    first, last = cleaner.history_["score"][[0, -1]]
    assert f"went from {first:.4f} to {last:.4f}" in page.text
    assert "3.0 s for an answer" in page.text
    classes = page.table("Validation samples")
    recall = confusion_matrix(true, cleaner.validation_predictions_[-1], normalize="true")
    found = [row["Recognised now"].split()[0] for row in classes]
    assert found == [f"{share:.0%}" for share in recall.diagonal()]


def test_after_a_restart_only_the_last_score_has_an_interval(run, blobs, tmp_path):
    cleaner, y = run
    X = cleaner.X_train_
    again = ActiveLabelCleaner(**cleaner.get_params(deep=False))
    again.start(X, cleaner.given_labels_, validation_data=(X[::2], y[::2]))
    known = again.validation_predictions_
    assert [one is None for one in known] == [True] * 3 + [False]
    np.testing.assert_array_equal(known[-1], cleaner.validation_predictions_[-1])
    page = Page(to_html(again, tmp_path / "report.html"))
    again.close()
    assert [len(row["Score"].split()) for row in page.table("Score")] == [1, 1, 1, 4]


def test_a_score_without_validation_data_is_not_there(blobs, tmp_path):
    X, y, y_noisy = blobs
    cleaner = ActiveLabelCleaner(GaussianNB(), n_rounds=1, round_budget=8)
    page = Page(to_html(cleaner.fit(X, y_noisy, y_clean=y), tmp_path / "report.html"))
    assert cleaner.validation_codes_ is None and cleaner.validation_predictions_ == [None, None]
    assert "There is no score" in page.text and {r["Score"] for r in page.table("Score")} == {"–"}


def test_duplicates_and_outliers(run, page, tmp_path):
    assert "1 set of samples that are there more than once" in page.text
    sets = re.findall(r"the same, <span class=\"mark\">different labels", page.source)
    assert len(sets) == (run[0].labels_[5] != run[0].labels_[200])
    without = Page(to_html(run[0], tmp_path / "report.html", compare_samples=False))
    assert "Duplicates" not in without.text


def test_more_samples_than_are_compared_quickly(run, tmp_path, monkeypatch):
    monkeypatch.setattr("noisyactive.inspection._data_problems.quick_rows", lambda: 100)
    monkeypatch.delattr("noisyactive.audit._duplicates.nearest")
    monkeypatch.delattr("noisyactive.audit._outliers.nearest")
    page = Page(to_html(run[0], tmp_path / "report.html"))
    assert "1 set of samples that are there more than once" in page.text
    assert "there are more than 100" in page.text


def test_samples_that_cannot_be_compared_are_said_to_be(tmp_path):
    import pandas as pd
    from sklearn.dummy import DummyClassifier

    X = pd.DataFrame({"colour": ["red", "blue", "red"] * 4})
    cleaner = ActiveLabelCleaner(DummyClassifier(), n_rounds=1, round_budget=2, trust="all")
    cleaner.start(X, ["a", "b", "c"] * 4)
    page = Page(to_html(cleaner, tmp_path / "report.html"))
    assert "samples could not be compared" in page.text
    assert "2 sets of samples" in page.text


def test_a_journal_alone_says_what_it_knows(run, page, journal_page):
    for heading in ("From, to", "Reason", "Kappa", "Label before"):
        assert journal_page.table(heading) == page.table(heading)
    for text in ("Nobody verified", "samples that chance picked", "Fingerprint"):
        assert text in journal_page.text
    assert "Duplicates" not in journal_page.text
    scores = [row["Score"].split()[0] for row in page.table("Score")]
    assert [row["Score"] for row in journal_page.table("Score")] == scores
    why = "Scores have none: what was predicted is not in a journal."
    assert why in journal_page.text and why not in page.text


def test_people_are_spared_jargon(page, journal_page):
    for each in (page, journal_page):
        for_people = each.text.partition("For programmers")[0]
        for word in ("entropy", "crossfit", "posterior", "query", "pool", "bootstrap", "nan"):
            assert word not in for_people.lower()


def test_figures_are_told_in_words_and_have_a_dark_form(page):
    figures = [
        a for tag, a in page.elements if tag == "img" and a["src"].startswith("data:image/svg")
    ]
    dark = [a["srcset"] for tag, a in page.elements if tag == "source"]
    assert len(figures) == len(dark) == 2
    for figure, other in zip(figures, dark, strict=True):
        assert len(figure["alt"]) > 20 and figure["src"] != other
        assert b"</svg>" in base64.b64decode(other.partition(",")[2])


@pytest.mark.slow
@needs_chromium
@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_stands_in_the_way_of_anybody(run, tmp_path, width, scheme):
    """As far as axe-core can tell, by the rules of WCAG and its own."""
    playwright = pytest.importorskip("playwright.sync_api")
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    path = to_html(run[0], tmp_path / "report.html")
    with playwright.sync_playwright() as tool:
        browser = tool.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        # The page's policy lets no script in; that is not what is tested here.
        view = {"width": width, "height": 844}
        page = browser.new_page(viewport=view, color_scheme=scheme, bypass_csp=True)
        page.goto(path.as_uri())
        found = axe.Axe().run(page)
        browser.close()
    violations = found.response["violations"]
    assert not violations, [(each["id"], each["nodes"][0]["html"]) for each in violations]
    assert len(found.response["passes"]) > 10


@pytest.mark.slow
@needs_chromium
@pytest.mark.parametrize("width", [320, 390, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_fits_the_screen_in_both_schemes(run, tmp_path, width, scheme):
    ground = check_in_browser(to_html(run[0], tmp_path / "report.html"), width, scheme)
    red, green, blue = (int(part) for part in re.findall(r"\d+", ground)[:3])
    assert (max(red, green, blue) < 60) == (scheme == "dark")
