"""Several annotators for a row."""

import warnings

import numpy as np
import pytest
from sklearn.datasets import make_blobs
from sklearn.metrics import cohen_kappa_score

from noisyactive import ActiveLabelCleaner, GroundTruthOracle, UniformLabelNoise
from noisyactive.cleaning import Journal
from noisyactive.cleaning._annotators import settle
from noisyactive.journal import Answered, Asked, CleaningState


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
    assert report["n_shared"].tolist() == [2, 2]  # of the others, nobody else said anything
    np.testing.assert_allclose(report["agreement"], [1, 0])


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


def mistaken(y, rate, n_classes, seed):
    """Labels by somebody who errs at a rate, and then names any other class."""
    rng = np.random.default_rng(seed)
    other = (y + rng.integers(1, n_classes, size=len(y))) % n_classes
    return np.where(rng.random(len(y)) < rate, other, y)


def many(n, n_classes, spread=2.0):
    """Samples, true labels and noisy labels of classes of one size that overlap."""
    centers = 4 * np.eye(n_classes)
    X, y = make_blobs(n, centers=centers, cluster_std=spread, random_state=0)
    return X, y, UniformLabelNoise(0.3, random_state=0).fit_transform(y)


def answered_by(labels, given, n_classes):
    """State of a run that everybody answered all rows of."""
    state = CleaningState(np.arange(n_classes), given.copy(), len(labels))
    rows = tuple(range(len(given)))
    state.apply(Asked(rows))
    for n, said in enumerate(labels):
        state.apply(Answered(rows, tuple(said.tolist()), f"expert {n}"))
    return state


def settled(state, aggregate, prior=None):
    """Labels that the answers become, -1 for a tie."""
    outcome = settle(state, aggregate, prior)
    assert outcome.rows == tuple(range(len(state.codes)))
    return np.array([-1 if label is None else label for label in outcome.labels])


@pytest.mark.parametrize("trust", ["all", "once", "crossfit"])
def test_the_model_knows_who_errs_and_the_majority_does_not(model, trust):
    data = many(600, 3)
    X, y, y_noisy = data
    rates = {"Ada": 0.04, "Ben": 0.15, "Guesser": 2 / 3}
    said = {name: mistaken(y, rate, 3, seed) for seed, (name, rate) in enumerate(rates.items())}
    right = {}
    for aggregate in ("majority", "model"):
        cleaner = start(data, model, trust=trust, aggregate=aggregate, answers_per_item=3,
                        n_rounds=1, round_budget=1200)  # fmt: skip
        rows = cleaner.query()
        assert len(rows) == 400
        for name, labels in said.items():
            cleaner.teach(rows, labels[rows], annotator=name)
        assert not len(cleaner.query())
        right[aggregate] = (cleaner.labels_[rows] == y[rows]).mean()
    agree = said["Ada"][rows] == said["Ben"][rows]
    follows = cleaner.labels_[rows] == said["Ada"][rows]
    assert follows[agree].mean() > 0.98
    assert right["model"] > right["majority"] + 0.03
    assert right["model"] > 0.92


def test_the_model_follows_the_better_one_where_the_majority_is_wrong():
    _, y, given = many(1000, 3)
    labels = [mistaken(y, rate, 3, n) for n, rate in enumerate([0.02, 0.5, 0.6])]
    state = answered_by(labels, given, 3)
    by_count, by_model = settled(state, "majority"), settled(state, "model")
    outvoted = (labels[1] == labels[2]) & (labels[0] != labels[1])
    tied = by_count == -1
    assert outvoted.sum() > 100
    assert tied.sum() > 100
    assert (by_model == labels[0])[outvoted | tied].mean() > 0.9
    assert (by_model == y).mean() > max((by_count == y).mean() + 0.2, 0.95)


def test_what_the_model_believed_before_settles_what_annotators_leave_open():
    _, y, given = many(400, 3)
    labels = [mistaken(y, 0.2, 3, n) for n in range(2)]
    state = answered_by(labels, given, 3)
    prior = np.full((400, 3), 0.1)
    prior[np.arange(400), y] = 0.8
    differ = labels[0] != labels[1]
    alone, helped = settled(state, "model"), settled(state, "model", prior)
    assert (helped == y)[differ].mean() > (alone == y)[differ].mean() + 0.1
    assert (helped == y).mean() > 0.9


def test_labels_by_an_independent_expectation_maximisation():
    """Dawid and Skene's with one error rate each; given labels are one more annotator's."""
    n, n_classes = 800, 4
    for seed in range(3):
        y = np.random.default_rng(seed).integers(n_classes, size=n)
        rates = [0.1, 0.2, 0.3, 0.5]
        labels = [mistaken(y, rate, n_classes, 10 * seed + k) for k, rate in enumerate(rates)]
        given = mistaken(y, 0.5, n_classes, 10 * seed + 9)
        voters = np.array([*labels, given])
        frequency = np.bincount(given, minlength=n_classes) / n
        posterior = np.eye(n_classes)[voters].mean(axis=0)
        for _ in range(200):
            wrong = np.array([1 - posterior[np.arange(n), said].mean() for said in voters])
            posterior = np.tile(frequency, (n, 1))
            for said, e in zip(voters, wrong, strict=True):
                is_said = np.arange(n_classes) == said[:, None]
                posterior *= np.where(is_said, 1 - e, e / (n_classes - 1))
            posterior /= posterior.sum(axis=1, keepdims=True)
        found = settled(answered_by(labels, given, n_classes), "model")
        assert (found == posterior.argmax(axis=1)).mean() > 0.97
        assert (found == y).mean() > (
            settled(answered_by(labels, given, n_classes), "majority") == y
        ).mean()


def test_where_nobody_has_more_than_half_one_more_annotator_is_asked(model):
    data = many(200, 4)
    y_noisy = data[2]
    cleaner = start(
        data, model, trust="all", aggregate="model", answers_per_item=3, round_budget=30
    )
    rows = cleaner.query()
    for n, name in enumerate(["Ada", "Ben", "Eve"], start=1):
        said = y_noisy[rows].copy()  # of the first row, none of them says what it was
        said[0] = (said[0] + n) % 4
        cleaner.teach(rows, said, annotator=name)
    np.testing.assert_array_equal(cleaner.query(), rows[:1])
    assert cleaner.labels_[rows[0]] == y_noisy[rows[0]]
    assert [item.row for item in cleaner.open_items("Max")] == rows[:1].tolist()
    assert not cleaner.open_items("Ada")
    cleaner.teach(rows[:1], [(y_noisy[rows[0]] + 2) % 4], annotator="Max")
    assert not set(cleaner.query()) & set(rows)
    assert cleaner.labels_[rows[0]] == (y_noisy[rows[0]] + 2) % 4


def test_ties_of_the_model_are_none():
    given = np.arange(40) % 4
    labels = [np.where(np.arange(40) < 36, given, (given + n) % 4) for n in (1, 2, 3)]
    outcome = settled(answered_by(labels, given, 4), "model")
    assert outcome[36:].tolist() == [-1] * 4
    np.testing.assert_array_equal(outcome[:36], given[:36])


def test_nothing_to_settle():
    state = CleaningState(np.arange(3), np.arange(3), 2)
    assert settle(state, "model", None) is None
    state.apply(Answered((0,), (1,), "Ada"))
    assert settle(state, "model", None) is None  # one answer is not enough


def test_error_rates_are_known_with_crossfit_alone(model):
    data = many(300, 3)
    y = data[1]
    for trust in ("all", "once", "verified", "crossfit"):
        cleaner = start(data, model, trust=trust, aggregate="model", round_budget=400, n_rounds=1)
        assert cleaner.agreement_["error_rate"].shape == (0,)
        rows = cleaner.query()
        for name, rate in [("Zoe", 0.3), ("Ada", 0.0)]:
            cleaner.teach(rows, mistaken(y, rate, 3, 5)[rows], annotator=name)
        assert np.isnan(cleaner.agreement_["error_rate"]).all()
        cleaner.query()
        report = cleaner.agreement_
        assert report["annotator"].tolist() == ["Ada", "Zoe"]
        if trust == "crossfit":
            np.testing.assert_allclose(report["error_rate"], [0, 0.3], atol=0.08)
        else:
            assert np.isnan(report["error_rate"]).all()
        cleaner.teach(rows[:1], [0], annotator="Max")
        assert np.isnan(cleaner.agreement_["error_rate"][1])  # of Max, nothing is known yet


def careless(data, model, names):
    """A run whose first round one annotator answered with many errors, and another without."""
    X, y, _ = data
    settings = {"trust": "crossfit", "answers_per_item": 1, "round_budget": 250}
    cleaner = start(data, model, **settings)
    rows = cleaner.query()
    said = mistaken(y, 0.2, 5, 1)
    cleaner.teach(rows[:150], said[rows[:150]], annotator=names[0])
    cleaner.teach(rows[150:], y[rows[150:]], annotator=names[-1])
    return cleaner, rows


@pytest.mark.filterwarnings("ignore:The budget of .* answers is larger")
def test_doubted_answers_are_asked_about_again_but_not_the_same_annotator(model):
    data = many(300, 5, spread=1.5)
    y = data[1]
    cleaner, rows = careless(data, model, ["Ada", "Ben"])
    again = np.intersect1d(cleaner.query(), rows)  # the second round has room for all
    assert len(again) > 10
    np.testing.assert_array_equal(again, np.flatnonzero(cleaner.estimator_.doubted_answers_))
    assert (cleaner.labels_[again] != y[again]).mean() > 0.7
    assert not cleaner.clean_mask_[again].any()
    for name, own in [("Ada", rows[:150]), ("Ben", rows[150:])]:
        offered = [item.row for item in cleaner.open_items(name)]
        assert not set(offered) & set(own)
        assert set(again) - set(own) <= set(offered)
    for name, own in [("Ada", rows[150:]), ("Ben", rows[:150])]:
        asked = np.intersect1d(again, own)
        cleaner.teach(asked, y[asked], annotator=name)
    np.testing.assert_array_equal(cleaner.labels_[again], y[again])
    left = cleaner.query()
    cleaner.teach(left, y[left], annotator="Ben")
    assert not set(cleaner.query()) & set(again)  # there is nobody else to ask


@pytest.mark.filterwarnings("ignore:The budget of .* answers is larger")
@pytest.mark.parametrize("name", ["Ada", None])
def test_a_single_annotator_is_never_asked_again(model, name):
    data = many(300, 5, spread=1.5)
    cleaner, rows = careless(data, model, [name])
    following = cleaner.query()
    assert cleaner.estimator_.doubted_answers_[rows].sum() > 10
    assert len(following) == 50
    assert not set(following) & set(rows)
