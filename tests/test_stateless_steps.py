"""Leading steps of a pipeline that learn nothing run once, not once a fold and a round."""

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.testing import assert_array_equal
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.datasets import load_digits
from sklearn.feature_extraction.text import HashingVectorizer
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.model_selection import train_test_split
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, Normalizer, StandardScaler
from torch import nn

from noisyactive import (
    ActiveLabelCleaner,
    CoTeachingVOGClassifier,
    UniformLabelNoise,
    find_label_issues,
)
from noisyactive._pipeline import after, transform_once
from noisyactive.models import FrozenFeatures

NET = CoTeachingVOGClassifier(
    max_epochs=6, warmup_epochs=2, ramp_epochs=2, vog_window=2, random_state=0
)
LOOP = {"n_rounds": 2, "round_budget": 5, "random_state": 0, "fine_tune_epochs": 2}


class Rows(nn.Module):
    """The pixels of 8 x 8 images in rows; counts the images that pass. Copies share the count."""

    seen = 0

    def forward(self, images):
        type(self).seen += len(images)
        return images.flatten(1)


@pytest.fixture
def digits():
    X, y = load_digits(n_class=3, return_X_y=True)
    X, X_test, y, y_test = train_test_split(
        X.reshape(-1, 1, 8, 8), y, train_size=120, test_size=40, random_state=0, stratify=y
    )
    noisy = UniformLabelNoise(0.2, exact=True, random_state=0).fit_transform(y)
    Rows.seen = 0
    return X, noisy, y, X_test, y_test


MODELS = [
    (GaussianNB(), {}),
    (SGDClassifier(loss="log_loss", alpha=0.1, random_state=0), {}),  # sure ones: NaN before 1.8
    (GaussianNB(), {"refit": "scratch"}),
    (NET, {}),
    (NET, {"trust": "once", "query_strategy": "coreset"}),
    (LogisticRegression(), {"trust": "all", "query_strategy": "entropy"}),
    (GaussianNB(), {"pool": "untrusted", "trust": "once"}),
]


@pytest.mark.parametrize(("model", "switches"), MODELS, ids=str)
def test_the_cleaner_computes_features_once(digits, model, switches):
    X, noisy, y, X_test, y_test = digits
    pipeline = make_pipeline(FrozenFeatures(Rows(), batch_size=50), StandardScaler(), model)
    cleaner = ActiveLabelCleaner(pipeline, **LOOP, **switches)
    cleaner.fit(X, noisy, y_clean=y, validation_data=(X_test, y_test))
    assert Rows.seen == len(X) + len(X_test)
    assert cleaner.X_train_ is X
    proba = cleaner.predict_proba(X_test)
    assert Rows.seen == len(X) + 2 * len(X_test)  # once, for all models of the ensemble
    assert_array_equal(cleaner.estimator_.predict_proba(X_test), proba)

    by_hand = ActiveLabelCleaner(make_pipeline(StandardScaler(), model), **LOOP, **switches)
    rows, rows_test = (part.reshape(len(part), -1).astype(np.float32) for part in (X, X_test))
    by_hand.fit(rows, noisy, y_clean=y, validation_data=(rows_test, y_test))
    assert cleaner.events_ == by_hand.events_ or _same(cleaner, by_hand)
    assert_array_equal(by_hand.predict_proba(rows_test), proba)


def _same(one, two):
    """Whether the same was asked and answered; answers bear the time."""
    return all(
        getattr(a, "rows", None) == getattr(b, "rows", None)
        and getattr(a, "answers", None) == getattr(b, "answers", None)
        for a, b in zip(one.events_, two.events_, strict=True)
    )


def test_the_audit_computes_features_once(digits):
    X, noisy, _, _, _ = digits
    pipeline = make_pipeline(FrozenFeatures(Rows()), StandardScaler(), GaussianNB())
    issues = find_label_issues(pipeline, X, noisy, random_state=0)
    assert Rows.seen == len(X)
    by_hand = make_pipeline(StandardScaler(), GaussianNB())
    rows = X.reshape(len(X), -1).astype(np.float32)
    pd.testing.assert_frame_equal(issues, find_label_issues(by_hand, rows, noisy, random_state=0))


def test_an_expert_is_asked_about_samples_as_they_are(digits):
    X, noisy, y, _, _ = digits
    shown = []

    def expert(rows, samples):
        assert_array_equal(samples, X[rows])
        shown.extend(rows)
        return y[rows]

    pipeline = make_pipeline(FrozenFeatures(Rows()), GaussianNB())
    ActiveLabelCleaner(pipeline, **LOOP).fit(X, noisy, oracle=expert)
    assert len(shown) == 10
    assert Rows.seen == len(X)


def test_a_run_is_resumed(digits, tmp_path):
    X, noisy, y, X_test, _ = digits

    def cleaner(**cache):
        pipeline = make_pipeline(FrozenFeatures(Rows(), **cache), StandardScaler(), NET)
        return ActiveLabelCleaner(pipeline, journal=tmp_path / "run.db", **LOOP)

    first = cleaner().start(X, noisy)
    rows = first.query()
    first.teach(rows, y[rows]).close()
    second = cleaner(cache=tmp_path / "cache").fit(X, noisy, y_clean=y)
    whole = ActiveLabelCleaner(first.estimator, **LOOP).fit(X, noisy, y_clean=y)
    assert_array_equal(second.predict_proba(X_test), whole.predict_proba(X_test))


def test_texts():
    texts = ["red green blue", "green blue", "blue red", "one two three", "two three", "one"] * 8
    y = np.repeat([[0, 0, 0, 1, 1, 1]], 8, axis=0).ravel()
    noisy = y.copy()
    noisy[[0, 9]] = 1 - noisy[[0, 9]]
    pipeline = make_pipeline(HashingVectorizer(n_features=64), LogisticRegression(C=10))
    cleaner = ActiveLabelCleaner(pipeline, **LOOP).fit(texts, noisy, y_clean=y)
    assert cleaner.predict(["green", "three"]).tolist() == [0, 1]
    assert (cleaner.labels_ == y).all()
    issues = find_label_issues(pipeline, texts, noisy, random_state=0)
    assert set(issues.index[:2]) == {0, 9}


class Learns(TransformerMixin, BaseEstimator):
    def fit(self, X, y=None):
        return self

    def transform(self, X):
        return X


class Draws(Learns):
    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        tags.non_deterministic = True
        return tags


STATELESS = FunctionTransformer(np.sqrt)


@pytest.mark.parametrize(
    ("steps", "params", "n_leading"),
    [
        ([STATELESS, Normalizer(), StandardScaler()], {}, 2),
        (["passthrough", STATELESS, "passthrough", StandardScaler()], {}, 2),
        (["passthrough", StandardScaler()], {}, 0),
        ([StandardScaler(), STATELESS], {}, 0),
        ([Learns(), STATELESS], {}, 0),
        ([Draws(), STATELESS], {}, 0),
        ([STATELESS, StandardScaler()], {"functiontransformer__a": 1}, 0),
        ([make_pipeline(STATELESS), StandardScaler()], {}, 0),
    ],
    ids=str,
)
def test_which_steps_learn_nothing(steps, params, n_leading):
    X, y = np.random.RandomState(0).rand(20, 3), np.arange(20) % 2
    pipeline = make_pipeline(*steps, GaussianNB())
    before, rest, seen = transform_once(pipeline, X, params)
    if not n_leading:
        assert before is None
        assert rest is pipeline
        assert seen is X
        return
    names = [name for name, _ in pipeline.steps]
    assert [name for name, _ in before.steps] == names[:n_leading]
    assert [name for name, _ in rest.steps] == names[n_leading:]
    whole = after(before, rest.fit(seen, y))
    assert_array_equal(whole.predict_proba(X), pipeline.fit(X, y).predict_proba(X))
    assert [name for name, _ in whole.steps] == names


def test_what_is_no_pipeline_stays_as_it_is():
    model, X = GaussianNB(), np.zeros((3, 2))
    assert transform_once(model, X, {}) == (None, model, X)


def test_a_step_that_drops_samples_is_refused(digits):
    X, noisy, _, _, _ = digits
    pipeline = make_pipeline(FunctionTransformer(lambda X: X[1:]), GaussianNB())
    with pytest.raises(ValueError, match="first steps of the pipeline make 119 samples of 120"):
        ActiveLabelCleaner(pipeline).fit(X.reshape(len(X), -1), noisy)


def test_random_numbers_of_a_step_leave_the_global_state_alone(digits):
    X, noisy, y, _, _ = digits

    def jitter(X):
        return X.reshape(len(X), -1) + np.random.rand(len(X), 64)

    pipeline = make_pipeline(FunctionTransformer(jitter), GaussianNB())
    before = np.random.get_state()[1].copy(), torch.get_rng_state()
    one = ActiveLabelCleaner(pipeline, **LOOP).fit(X, noisy, y_clean=y)
    two = ActiveLabelCleaner(pipeline, **LOOP).fit(X, noisy, y_clean=y)
    assert_array_equal(one.labels_, two.labels_)
    assert_array_equal(one.label_quality_, two.label_quality_)
    assert_array_equal(np.random.get_state()[1], before[0])
    assert torch.equal(torch.get_rng_state(), before[1])
