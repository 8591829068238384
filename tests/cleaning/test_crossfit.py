"""``trust="crossfit"`` part by part: `CrossFit`."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import make_classification
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV

from noisyactive import ActiveLabelCleaner, UniformLabelNoise
from noisyactive.cleaning import CrossFit, GroundTruthOracle

SMALL = {"n_rounds": 3, "round_budget": 10, "random_state": 0}


@pytest.fixture(scope="module")
def data():
    X, y = make_classification(
        300, n_informative=6, n_classes=3, weights=[0.6, 0.3], random_state=0
    )
    return X, y, UniformLabelNoise(0.3, random_state=0).fit_transform(y)


def clean(data, trust, *, oracle=None, **settings):
    X, y, y_noisy = data
    cleaner = ActiveLabelCleaner(LogisticRegression(), trust=trust, **{**SMALL, **settings})
    return cleaner.fit(X, y_noisy, oracle=GroundTruthOracle(y) if oracle is None else oracle)


def same_run(one, other):
    return np.array_equal(one.labels_, other.labels_) and np.array_equal(
        one.estimator_.label_posterior_, other.estimator_.label_posterior_
    )


def test_the_word_is_short_for_the_defaults(data):
    assert same_run(clean(data, "crossfit"), clean(data, CrossFit()))


@pytest.mark.parametrize(
    "switch",
    [
        {"n_folds": 4},
        {"random_share": 0},
        {"tune_first": False},
        {"n_averaged": 1},
        {"neighbours": False},
        {"learn_from_answers": False},
        {"fallible": False},
    ],
    ids=lambda switch: next(iter(switch)),
)
def test_each_part_makes_a_difference(data, switch):
    def oracle(rows, _):  # wrong about every third row
        return [(data[1][row] + (row % 3 == 0)) % 3 for row in rows]

    assert not same_run(
        clean(data, "crossfit", oracle=oracle), clean(data, CrossFit(**switch), oracle=oracle)
    )


def test_number_of_folds_and_of_trainings(data):
    for n_averaged in (1, 2):
        ensemble = clean(data, CrossFit(4, n_averaged=n_averaged)).estimator_
        assert ensemble.n_folds == 4
        assert len(ensemble.models) == 4 * n_averaged
        assert len(ensemble.latest) == 4
    first = ActiveLabelCleaner(LogisticRegression(), trust=CrossFit(tune_first=False), **SMALL)
    assert len(first.start(data[0], data[2]).estimator_.models) == 3


def test_without_chance_the_strategy_picks_all_rows(data):
    def first_half(learner, X, n_instances):
        return np.arange(n_instances)

    X, _, y_noisy = data
    for share, chosen in ((0, 10), (0.5, 5), (1, 0)):
        cleaner = ActiveLabelCleaner(
            LogisticRegression(), first_half, trust=CrossFit(random_share=share), **SMALL
        )
        rows = cleaner.start(X, y_noisy).query()
        assert rows[:chosen].tolist() == list(range(chosen))
        assert len(set(rows.tolist())) == 10


@pytest.mark.parametrize("switch", [{"fallible": False}, {"learn_from_answers": False}])
def test_answers_that_are_not_doubted_are_the_truth(data, switch):
    X, y, y_noisy = data
    cleaner = ActiveLabelCleaner(
        LogisticRegression(), trust=CrossFit(**switch), answers_per_item=3, **{**SMALL}
    ).start(X, y_noisy)
    rng = np.random.default_rng(0)
    while len(rows := cleaner.query()):
        for name in ("ana", "ben", "eva"):
            said = np.where(rng.random(len(rows)) < 0.4, rng.integers(3, size=len(rows)), y[rows])
            cleaner.teach(rows, said, annotator=name)
    ensemble, verified = cleaner.estimator_, cleaner.relabelled_round_ > 0
    assert verified.any()
    assert not ensemble.doubted_answers_.any()
    np.testing.assert_array_equal(
        ensemble.classes_[ensemble.label_posterior_[verified].argmax(axis=1)],
        cleaner.labels_[verified].astype(int),
    )
    assert np.isnan(cleaner.agreement_["error_rate"]).all()


def test_is_searched_and_cloned_as_other_parameters(data):
    X, y, y_noisy = data
    cleaner = ActiveLabelCleaner(LogisticRegression(), trust=CrossFit(), **SMALL)
    assert clone(cleaner).trust is not cleaner.trust
    grid = GridSearchCV(cleaner, {"trust__random_share": [0, 0.5]}, cv=2, refit=False)
    grid.fit(X, y_noisy, y_clean=y)
    assert np.isfinite(grid.cv_results_["mean_test_score"]).all()


@pytest.mark.parametrize(
    ("switch", "match"),
    [
        ({"n_folds": 1}, "n_folds"),
        ({"random_share": 1.5}, "random_share"),
        ({"n_averaged": 3}, "n_averaged"),
        ({"neighbours": 3}, "neighbours"),
    ],
)
def test_what_cannot_be_is_refused(data, switch, match):
    with pytest.raises(ValueError, match=f"'{match}' parameter of CrossFit"):
        clean(data, CrossFit(**switch))
    with pytest.raises(ValueError, match="cannot change"):
        cleaner = clean(data, CrossFit())
        cleaner.trust.random_share = 0
        cleaner.query()


def test_a_run_of_other_parts_is_another_run(data, tmp_path):
    X, y, y_noisy = data
    options = {**SMALL, "journal": tmp_path / "run.journal"}
    ActiveLabelCleaner(LogisticRegression(), trust=CrossFit(), **options).fit(X, y_noisy, y_clean=y)
    other = ActiveLabelCleaner(LogisticRegression(), trust=CrossFit(random_share=0), **options)
    with pytest.raises(ValueError, match="trust__random_share"):
        other.start(X, y_noisy)
