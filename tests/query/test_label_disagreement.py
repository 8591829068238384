"""Label disagreement and the ranking of suspects, against a plain loop."""

from math import log
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_predict

from noisyactive import ActiveLabelCleaner, UniformLabelNoise
from noisyactive.query import (
    label_disagreement_sampling,
    label_disagreement_scores,
    rank_suspects,
)


@pytest.fixture
def guesses():
    rng = np.random.RandomState(0)
    proba = rng.dirichlet([0.5, 1, 2], size=50)
    return rng.choice(["a", "b", "c"], size=50), proba


def by_hand(y, proba, classes):
    scores = []
    for label, p in zip(y, proba, strict=True):
        cross_entropy = -log(p[classes.index(label)])
        entropy = -sum(x * log(x) for x in p)
        scores.append(cross_entropy - entropy)
    return scores


def test_scores_by_hand(guesses):
    y, proba = guesses
    scores = label_disagreement_scores(y, proba)
    assert_allclose(scores, by_hand(y, proba, ["a", "b", "c"]), rtol=1e-12, atol=1e-12)
    assert_array_equal(rank_suspects(y, proba), np.argsort(-scores, kind="stable"))
    assert_array_equal(rank_suspects(y.tolist(), proba.tolist()), rank_suspects(y, proba))
    assert_array_equal(rank_suspects(pd.Series(y), proba), rank_suspects(y, proba))


def test_classes_name_the_columns(guesses):
    y, proba = guesses
    classes = ["c", "a", "b", "never seen"]
    wider = np.column_stack([proba[:, [2, 0, 1]], np.zeros(50)])
    scores = label_disagreement_scores(y, wider, classes=classes)
    assert_allclose(scores, label_disagreement_scores(y, proba), rtol=1e-12, atol=1e-12)


def test_labels_of_probability_zero_are_ranked_by_confidence():
    proba = [[0.6, 0.4, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]
    scores = label_disagreement_scores([2, 2, 2], proba, classes=[0, 1, 2])
    assert np.isfinite(scores).all()
    assert_array_equal(np.argsort(-scores), [1, 0, 2])
    assert scores[2] == 0


def test_suspects_are_the_flipped_labels(iris):
    noise = UniformLabelNoise(0.2, exact=True, random_state=0)
    y_noisy = noise.fit_transform(iris.y_pool)
    model = LogisticRegression(max_iter=1000)
    proba = cross_val_predict(model, iris.X_pool, y_noisy, method="predict_proba", cv=5)
    n_flipped = noise.flip_mask_.sum()
    found = noise.flip_mask_[rank_suspects(y_noisy, proba)[:n_flipped]].mean()
    assert found > 0.8


def test_strategy_follows_the_columns_of_the_classifier(iris, learn):
    learner = learn(label_disagreement_sampling)
    y = np.where(iris.y_pool == "virginica", "versicolor", iris.y_pool)  # one class is missing
    proba = learner.predict_proba(iris.X_pool)
    scores = np.array(by_hand(y, proba, ["setosa", "versicolor", "virginica"]))
    indices, _ = learner.query(iris.X_pool, n_instances=120, y=y)
    assert len(set(indices)) == 120
    assert_allclose(scores[indices], np.sort(scores)[::-1], rtol=1e-12, atol=1e-12)
    bare = SimpleNamespace(estimator=object(), predict_proba=learner.predict_proba)
    bare.classes_ = learner.estimator.classes_
    assert_array_equal(label_disagreement_sampling(bare, iris.X_pool, 120, y=y), indices)


@pytest.mark.parametrize(
    "y, message",
    [
        (None, "needs y, the current labels"),
        (["setosa"] * 119, "119 labels and 120 rows"),
        (["setosa"] * 119 + ["rose"], r"not among the classes .*\['rose'\]"),
        ([0.5] * 120, "continuous"),
    ],
)
def test_bad_labels(iris, learn, y, message):
    with pytest.raises(ValueError, match=message):
        learn(label_disagreement_sampling).query(iris.X_pool, y=y)


@pytest.mark.parametrize(
    "y, proba, classes, message",
    [
        ([0, 1], [[0.5, 0.6], [0.5, 0.5]], None, "sum to 1"),
        ([0, 1], [[0.5, 0.5], [np.nan, 0.5]], None, "finite"),
        ([0, 1], [0.5, 0.5], None, "shape"),
        ([0, 1], [[0.2, 0.3, 0.5]] * 2, None, r"3 columns.* y holds \[0, 1\]"),
        ([0, 1], [[0.5, 0.5]] * 2, [0, 1, 2], r"2 columns.* classes holds \[0, 1, 2\]"),
        ([0, 0], [[0.5, 0.5]] * 2, [0, 0], "different classes"),
        ([0, 2], [[0.5, 0.5]] * 2, [0, 1], "not among the classes"),
        ([0, 1, 1], [[0.5, 0.5]] * 2, None, "3 labels and 2 rows"),
        ([], np.empty((0, 2)), None, "no labels"),
    ],
)
def test_bad_input(y, proba, classes, message):
    with pytest.raises(ValueError, match=message):
        rank_suspects(y, proba, classes=classes)


def test_columns_are_those_of_a_learner_that_knows_more_classes_than_its_model():
    X, y = load_iris(return_X_y=True)
    y_noisy = UniformLabelNoise(0.3, random_state=0).fit_transform(y)
    cleaner = ActiveLabelCleaner(
        LogisticRegression(max_iter=1000),
        "label_disagreement",
        n_rounds=4,
        round_budget=2,
        initial_fit="none",
        pool="unverified",
        trust="verified",
        refit="scratch",
        random_state=0,
    )
    n_classes = []

    def oracle(rows, X_rows):
        if hasattr(cleaner, "estimator_"):
            n_classes.append(len(cleaner.estimator_.classes_))
        return [y[row] if y[row] < 2 or len(n_classes) > 1 else None for row in rows]

    cleaner.fit(X, y_noisy, oracle=oracle)
    assert 2 in n_classes  # of three
