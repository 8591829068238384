"""Several annotators for a row."""

import warnings

import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score

from noisyactive import ActiveLabelCleaner, GroundTruthOracle
from noisyactive.cleaning import Journal


def start(data, model, journal=None, **settings):
    X, _, y_noisy = data
    settings = {"n_rounds": 3, "round_budget": 6, "answers_per_item": 2, **settings}
    settings.setdefault("random_state", 0)  # asks about rows in another order than that of X
    cleaner = ActiveLabelCleaner(model, pool="unverified", journal=journal, **settings)
    return cleaner.start(X, y_noisy)


def test_a_row_is_open_until_as_many_annotators_have_answered(data, model):
    _, y, y_noisy = data
    cleaner = start(data, model)
    rows = cleaner.query()
    assert len(rows) == 3  # of 6 answers
    cleaner.teach(rows, y[rows], annotator="Ada")
    np.testing.assert_array_equal(cleaner.query(), rows)
    cleaner.teach(rows, y[rows], annotator="Ada")  # again the same person
    np.testing.assert_array_equal(cleaner.query(), rows)
    np.testing.assert_array_equal(cleaner.labels_, y_noisy)
    cleaner.teach(rows[1:], y[rows[1:]], annotator="Ben")
    np.testing.assert_array_equal(cleaner.query(), rows[:1])
    np.testing.assert_array_equal(cleaner.labels_[rows[1:]], y[rows[1:]])
    cleaner.teach(rows[:1], [None], annotator="Ben")
    following = cleaner.query()
    assert not set(following) & set(rows)
    np.testing.assert_array_equal(cleaner.labels_[rows], y[rows])
    assert cleaner.history_["cost"].tolist() == [0, 9]
    assert cleaner.history_["asked"].tolist() == [0, 3]


def test_ties_are_asked_about_again_while_the_budget_lasts(data, model):
    _, _, y_noisy = data
    cleaner = start(data, model, n_rounds=1, round_budget=7)
    rows = cleaner.query()
    assert len(rows) == 3
    cleaner.teach(rows, [0, 1, 0], annotator="Ada").teach(rows, [1, 1, 1], annotator="Ben")
    np.testing.assert_array_equal(cleaner.query(), rows[[0, 2]])
    cleaner.teach(rows[:1], [1], annotator="Eve")  # the seventh answer
    assert not len(cleaner.query())
    assert cleaner.labels_[rows].tolist() == [1, 1, y_noisy[rows[2]]]
    assert cleaner.history_["cost"].tolist() == [0, 7]
    assert cleaner.relabelled_round_[rows].tolist() == [1, 1, -1]


def test_a_correction_may_break_a_tie_or_make_one(data, model):
    cleaner = start(data, model)
    rows = cleaner.query()
    cleaner.teach(rows, [0, 1, 2], annotator="Ada").teach(rows, [0, 1, 1], annotator="Ben")
    np.testing.assert_array_equal(cleaner.query(), rows[2:])
    cleaner.teach(rows[1:], [0, 1], annotator="Ada")
    np.testing.assert_array_equal(cleaner.query(), rows[1:2])
    assert cleaner.labels_[rows].tolist() == [0, 1, 1]  # what was settled stays meanwhile
    cleaner.teach(rows[1:2], [0], annotator="Eve").query()
    assert cleaner.labels_[rows[1]] == 0


def test_a_callable_aggregates(data, model, tmp_path):
    seen = []

    def eldest(labels):
        seen.append(labels)
        return labels[0] if len(labels) > 2 or len(set(labels)) == 1 else None

    path = tmp_path / "run.db"
    cleaner = start(data, model, path, aggregate=eldest)
    rows = cleaner.query()
    cleaner.teach(rows, [0, 1, 2], annotator="Zoe").teach(rows, [0, 2, 1], annotator="Ada")
    np.testing.assert_array_equal(cleaner.query(), rows[1:])
    assert sorted(seen) == [[0, 0], [1, 2], [2, 1]]
    cleaner.teach(rows[1:], [0, 0], annotator="Max").query()
    assert cleaner.labels_[rows].tolist() == [0, 2, 1]  # Ada's, whoever came first
    n_calls = len(seen)
    resumed = start(data, model, path, aggregate=eldest)
    assert len(seen) == n_calls  # outcomes are facts in the journal
    np.testing.assert_array_equal(resumed.labels_, cleaner.labels_)
    with pytest.raises(ValueError, match="other parameters: aggregate"):
        start(data, model, path)


def test_an_aggregate_that_invents_labels(data, model):
    cleaner = start(data, model, aggregate=lambda labels: 17)
    rows = cleaner.query()
    cleaner.teach(rows, [0, 1, 2], annotator="Ada").teach(rows, [0, 2, 1], annotator="Ben")
    with pytest.raises(ValueError, match="aggregate has labels that are not among the classes"):
        cleaner.query()
    cleaner.set_params(aggregate="majority")
    np.testing.assert_array_equal(cleaner.query(), rows[1:])  # nothing was lost


def test_agreement_is_scikit_learns_kappa(data, model):
    X, y, y_noisy = data
    rng = np.random.RandomState(0)
    cleaner = start(data, model, answers_per_item=3, round_budget=30, n_rounds=2)
    given = {}
    for rate, name in [(0.0, "Ada"), (0.3, "Ben"), (0.6, "Eve")]:
        wrong = rng.random_sample(len(y)) < rate
        given[name] = np.where(wrong, (y + 1) % 3, y)
    rows = cleaner.query()
    for name, labels in given.items():
        cleaner.teach(rows, labels[rows], annotator=name)
    cleaner.teach([rows[0]], [None], annotator="Max")
    while len(left := cleaner.query()) and not set(left) - set(rows):
        cleaner.teach(left, y[left], annotator="Zoe")
    report = cleaner.agreement_
    assert report["annotator"].tolist()[:4] == ["Ada", "Ben", "Eve", "Max"]
    assert report["n_answers"].tolist()[:4] == [10, 10, 10, 1]
    assert report["n_labels"].tolist()[:4] == [10, 10, 10, 0]
    outcome = cleaner.labels_[rows]
    for i, labels in enumerate(given.values()):
        assert report["agreement"][i] == (labels[rows] == outcome).mean()
        assert report["kappa"][i] == pytest.approx(cohen_kappa_score(labels[rows], outcome))
    assert np.isnan(report["kappa"][3])
    table = cleaner.pairwise_kappa_
    names = list(given)
    for i, left in enumerate(names):
        for j, right in enumerate(names):
            expected = cohen_kappa_score(given[left][rows], given[right][rows])
            assert table[i, j] == pytest.approx(expected)
    assert np.isnan(table[3]).all()


def test_agreement_on_one_class_is_no_number_and_no_warning(data, model):
    cleaner = start(data, model)
    rows = cleaner.query()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert cleaner.agreement_["annotator"].tolist() == []
        assert cleaner.pairwise_kappa_.shape == (0, 0)
        cleaner.teach(rows, [1, 1, 1], annotator="Ada").teach(rows, [1, 1, 1], annotator="Ben")
        cleaner.query()
        assert cleaner.agreement_["agreement"].tolist() == [1, 1]
        assert np.isnan(cleaner.agreement_["kappa"]).all()


def test_without_several_annotators_the_report_knows_who_was_corrected(data, model):
    cleaner = start(data, model, answers_per_item=1)
    rows = cleaner.query()
    cleaner.teach(rows, [0, 1, 2, 0, 1, 2], annotator="Ada").teach(rows[:2], [1, 0])
    report = cleaner.agreement_
    assert report["annotator"].tolist() == ["", "Ada"]
    assert report["n_answers"].tolist() == [2, 6]
    np.testing.assert_allclose(report["agreement"], [1, 4 / 6])


def test_oracles_answer_as_often_as_needed(data, model):
    X, y, y_noisy = data
    rng = np.random.RandomState(1)

    def hasty(rows, X_rows):  # another answer every time
        return np.where(rng.random_sample(len(rows)) < 0.3, (y[rows] + 1) % 3, y[rows])

    cleaner = ActiveLabelCleaner(
        model, n_rounds=3, round_budget=20, answers_per_item=3, pool="unverified"
    )
    cleaner.fit(X, y_noisy, oracle=hasty)
    assert cleaner.history_["cost"][-1] <= 60
    by_name = cleaner.agreement_
    assert by_name["annotator"].tolist()[:3] == ["oracle 1", "oracle 2", "oracle 3"]
    assert by_name["n_answers"].sum() == cleaner.history_["cost"][-1]
    exact = ActiveLabelCleaner(
        model, n_rounds=2, round_budget=9, answers_per_item=3, pool="unverified"
    )
    exact.fit(X, y_noisy, oracle=GroundTruthOracle(y))
    assert exact.history_["asked"].tolist() == [0, 3, 3]
    assert exact.history_["cost"].tolist() == [0, 9, 18]


def test_who_answers_must_be_named_and_affordable(data, model, tmp_path):
    cleaner = start(data, model, tmp_path / "run.db")
    rows = cleaner.query()
    for teach in (cleaner.teach, Journal(tmp_path / "run.db").answer):
        with pytest.raises(ValueError, match="annotator must be named"):
            teach(rows, [0, 1, 2])
    with pytest.raises(ValueError, match="fewer than answers_per_item=7"):
        start(data, model, answers_per_item=7)
    with pytest.raises(ValueError, match="answers_per_item"):
        start(data, model, answers_per_item=0)
    with pytest.raises(ValueError, match="aggregate"):
        start(data, model, aggregate="mean")


def test_what_an_annotator_still_has_to_answer(data, model, tmp_path):
    cleaner = start(data, model, tmp_path / "run.db")
    rows = cleaner.query().tolist()
    journal = Journal(tmp_path / "run.db")
    journal.answer(rows[:2], [0, 1], annotator="Ada")
    assert [item.row for item in journal.open_items("Ada")] == rows[2:]
    assert [item.row for item in journal.open_items("Ben")] == rows
    assert [item.annotators for item in journal.open_items()] == [("Ada",), ("Ada",), ()]
    journal.answer(rows[:1], [2], annotator="Ben")
    assert [item.row for item in journal.open_items()] == rows[1:]  # enough, until it is settled
    assert not cleaner.wait(timeout=0)
    assert [item.row for item in journal.open_items("Eve")] == [*rows[1:], rows[0]]  # a tie
    journal.answer(rows[:1], [2], annotator="Eve")
    assert not cleaner.wait(timeout=0)
    assert journal.labels()[str(rows[0])] == cleaner.labels_[rows[0]] == 2
