"""Pipelines inside the cleaner: their last step is what judges labels and is tuned."""

import numpy as np
import pytest
from imblearn.over_sampling import RandomOverSampler
from imblearn.pipeline import make_pipeline as make_imbalanced_pipeline
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.metrics import f1_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from noisyactive import ActiveLabelCleaner, CoTeachingClassifier, CoTeachingVOGClassifier
from noisyactive.cleaning import PAPER_PARAMS

QUICK = {"max_epochs": 4, "forget_rate": 0.3, "ramp_epochs": 2, "batch_size": 32, "random_state": 0}
PAPER = {name: value for name, value in PAPER_PARAMS.items() if name != "query_strategy"}


def no_answers(rows, X_rows):
    return [None] * len(rows)


@pytest.mark.parametrize("nested", [False, True])
def test_same_as_cleaning_with_the_last_step_on_transformed_samples(data, nested):
    X, y, y_noisy = data
    net = CoTeachingClassifier(**QUICK)
    pipeline = make_pipeline(StandardScaler(), make_pipeline("passthrough", net) if nested else net)
    scaled = StandardScaler().fit_transform(X)
    runs = []
    for estimator, samples in ((pipeline, X), (net, scaled)):
        cleaner = ActiveLabelCleaner(
            estimator,
            "coreset",
            n_rounds=3,
            round_budget=5,
            fine_tune_epochs=2,
            random_state=0,
            **PAPER,
        )
        runs.append(cleaner.fit(samples, y_noisy, y_clean=y, validation_data=(samples, y)))
    first, second = runs
    np.testing.assert_array_equal(first.clean_mask_, second.clean_mask_)
    np.testing.assert_array_equal(first.labels_, second.labels_)
    np.testing.assert_array_equal(first.predict_proba(X), second.predict_proba(scaled))
    np.testing.assert_array_equal(first.history_["score"], second.history_["score"])
    assert len(first.estimator_[-1][-1].history if nested else first.estimator_[-1].history) == 10


def test_transformers_stay_as_the_first_phase_fitted_them(data):
    X, y, y_noisy = data
    pipeline = make_pipeline(StandardScaler(), SGDClassifier(loss="log_loss"))
    cleaner = ActiveLabelCleaner(pipeline, n_rounds=2, round_budget=5, fine_tune_epochs=3, **PAPER)
    cleaner.fit(X, y_noisy, y_clean=y)
    np.testing.assert_allclose(cleaner.estimator_[0].mean_, X.mean(axis=0), rtol=1e-5)
    assert cleaner.estimator_[0].n_samples_seen_ == len(X)


def test_a_last_step_that_cannot_go_on_is_fitted_anew_with_its_pipeline(data):
    X, y, y_noisy = data
    pipeline = make_pipeline(StandardScaler(), LogisticRegression())
    cleaner = ActiveLabelCleaner(pipeline, n_rounds=1, round_budget=5, random_state=0, **PAPER)
    cleaner.fit(X, y_noisy, oracle=no_answers)
    trusted = cleaner.clean_mask_
    by_hand = clone(pipeline).fit(X[trusted], y_noisy[trusted])
    np.testing.assert_allclose(cleaner.predict_proba(X), by_hand.predict_proba(X), rtol=1e-6)


def test_a_pipeline_that_resamples_is_judged_from_outside(data):
    """The verdict of its last step is about other rows than were given."""
    X, y, y_noisy = data
    pipeline = make_imbalanced_pipeline(RandomOverSampler(random_state=0), LogisticRegression())
    with_net = make_imbalanced_pipeline(
        RandomOverSampler(random_state=0), CoTeachingVOGClassifier(**QUICK, mix_ratio=0)
    )
    for estimator in (pipeline, with_net):
        cleaner = ActiveLabelCleaner(
            estimator, n_rounds=2, round_budget=4, refit="scratch", random_state=0
        )
        cleaner.fit(X, y_noisy, y_clean=y)
        assert cleaner.clean_mask_.shape == y.shape
        right = y_noisy == y
        assert right[cleaner.clean_mask_].mean() > right.mean()


def test_best_epoch_is_chosen_by_the_whole_pipeline(data):
    X, y, y_noisy = data
    scores = []

    def scorer(estimator, X_val, y_val):
        np.testing.assert_array_equal(X_val, X)  # not transformed yet
        scores.append(f1_score(y_val, estimator.predict(X_val), average="macro"))
        return scores[-1]

    pipeline = make_pipeline(StandardScaler(), CoTeachingClassifier(**QUICK))
    cleaner = ActiveLabelCleaner(
        pipeline,
        n_rounds=1,
        round_budget=5,
        fine_tune_epochs=5,
        scoring=scorer,
        random_state=0,
        **PAPER,
    )
    cleaner.fit(X, y_noisy, y_clean=y, validation_data=(X, y))
    assert len(scores) == 1 + 5 + 1
    assert scores[-1] == max(scores[1:6])


def test_classes_and_seeds_reach_the_last_step(data):
    X, y, y_noisy = data
    pipeline = make_pipeline(
        StandardScaler(), CoTeachingClassifier(**{**QUICK, "random_state": None})
    )
    pipeline.set_params(coteachingclassifier__classes=[0, 1, 2, 3])
    cleaner = ActiveLabelCleaner(pipeline, n_rounds=0, random_state=3).fit(X, y_noisy)
    assert cleaner.classes_.tolist() == [0, 1, 2, 3]
    again = clone(cleaner).fit(X, y_noisy)
    np.testing.assert_array_equal(cleaner.predict_proba(X), again.predict_proba(X))


def test_continue_needs_a_last_step_that_can():
    pipeline = make_pipeline(StandardScaler(), LogisticRegression())
    with pytest.raises(ValueError, match="LogisticRegression has none"):
        ActiveLabelCleaner(pipeline, refit="continue", trust="all").fit([[0], [1]], [0, 1])
