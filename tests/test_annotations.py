"""Labels of several annotators as one for each sample, wherever training takes `y`."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.naive_bayes import GaussianNB

from noisyactive import ActiveLabelCleaner, CoTeachingClassifier
from noisyactive._annotations import given_annotations, one_label_each
from noisyactive._crowd_model import crowd_posterior, fit_crowd
from noisyactive.audit import AnnotatorConsensus, LabelAudit

X = np.random.RandomState(0).rand(12, 2)
TWO = np.array([[0, 1], [1, None], [0, 0]] * 4, dtype=object)
ENTRIES = {
    "network": lambda y: CoTeachingClassifier().fit(X, y),
    "partial_fit": lambda y: CoTeachingClassifier().partial_fit(X, y),
    "cleaner": lambda y: ActiveLabelCleaner(GaussianNB()).start(X, y),
    "audit": lambda y: LabelAudit(GaussianNB()).fit(X, y),
}
REFUSED = {
    "one-hot": (np.eye(3)[[0, 1, 2] * 4], "one-hot labels are not supported"),
    "one-hot frame": (pd.DataFrame(np.eye(3, dtype=bool)[[0, 1, 2] * 4]), "one-hot labels"),
    "silent row": (
        np.where(np.isin(np.arange(12), [7, 9])[:, None], None, TWO),
        r"of row 7 no annotator gave one \(such rows: 2\).*y.notna\(\).any\(axis=1\)",
    ),
    "too few rows": (TWO[:9], "inconsistent lengths: 12 samples, 9 labels"),
    "one class": (np.ones((12, 2)), "at least 2 classes"),
    "continuous": (np.linspace(0, 1, 24).reshape(12, 2), "continuous"),
    "mixed": (np.array([[0, "a"]] * 12, dtype=object), "one kind"),
    "nothing": (np.full((12, 2), np.nan), "y holds no labels"),
    "same name": (pd.DataFrame(TWO, columns=["Ann", "Ann"]), "'Ann' has two"),
    "three axes": (np.zeros((12, 2, 2), dtype=int), "dim 3"),
}


@pytest.mark.parametrize("entry", ENTRIES)
@pytest.mark.parametrize("kind", REFUSED)
def test_what_are_no_labels_of_annotators_is_refused(kind, entry):
    y, message = REFUSED[kind]
    with pytest.raises(ValueError, match=message):
        ENTRIES[entry](y)


def test_one_label_each_is_left_alone():
    for y in ([0, 1], np.array([[0], [1]]), pd.Series([0, 1]), pd.DataFrame({"y": [0, 1]}), None):
        assert one_label_each(y) is y
        assert given_annotations(y) is None


codes = st.lists(
    st.lists(st.integers(-1, 2), min_size=3, max_size=3).filter(lambda row: max(row) >= 0),
    min_size=2,
    max_size=20,
)


@settings(max_examples=30)
@given(codes)
def test_consensus_is_that_of_the_estimator(rows):
    labels = np.array([None, "a", "b", "c"], dtype=object)[np.array(rows) + 1]
    found = one_label_each(labels)
    named = {label for label in labels.ravel() if label is not None}
    assert set(found) <= named
    if len(named) > 1:
        assert_array_equal(found, AnnotatorConsensus().fit(labels).consensus_)
    frame = pd.DataFrame(labels, index=[f"row {i}" for i in range(len(labels))])
    pd.testing.assert_series_equal(one_label_each(frame), pd.Series(found, index=frame.index))


@settings(max_examples=30)
@given(st.lists(st.integers(0, 3), min_size=2, max_size=20), st.integers(2, 4))
def test_annotators_who_agree_are_believed(true, n_annotators):
    labels = np.repeat(np.array(true)[:, None], n_annotators, axis=1)
    assert_array_equal(one_label_each(labels + 5), np.array(true) + 5)


@pytest.fixture
def crowd():
    """What three annotators say of 200 samples, a classifier's probabilities, and the truth."""
    rng = np.random.default_rng(0)
    true = rng.integers(3, size=200)
    right = rng.random((200, 3)) < [0.9, 0.7, 0.5]
    said = np.where(right, true[:, None], rng.integers(3, size=(200, 3)))
    said[rng.random((200, 3)) < 0.3] = -1
    proba = np.exp(rng.normal(size=(200, 3)) + 1.5 * np.eye(3)[true])
    return said, proba / proba.sum(axis=1, keepdims=True), true


def test_posterior_is_that_of_the_fit(crowd):
    said, proba, _ = crowd
    fit = fit_crowd(said, 3, proba, tol=1e-10)
    found = crowd_posterior(said, proba, fit.confusion, fit.scale, fit.shift)
    assert_allclose(found, fit.posterior, atol=1e-8)


def test_posterior_by_hand(crowd):
    said, proba, _ = crowd
    fit = fit_crowd(said, 3, proba)
    found = crowd_posterior(said, proba, fit.confusion, fit.scale, fit.shift)
    for row in (0, 1, 2):
        mixed = 0.999 * proba[row] + 0.001 / 3
        scores = mixed**fit.scale * np.exp(fit.shift)
        for a, code in enumerate(said[row]):
            if code >= 0:
                scores = scores * fit.confusion[a, :, code]
        assert_allclose(found[row], scores / scores.sum())


def test_answers_tell_who_is_right():
    """Of two annotators who always say something different, labels alone cannot tell."""
    true = np.random.default_rng(0).integers(3, size=200)
    rows, rest = np.arange(60), np.arange(60, 200)
    answers = rows, np.log(np.where(np.eye(3)[true[rows]] == 1, 0.99, 0.005))
    nothing = np.full((200, 3), 1 / 3)

    def share_right(said, answered):
        fit = fit_crowd(said, 3, nothing, answered)
        found = crowd_posterior(said, nothing, fit.confusion, fit.scale, fit.shift)
        return (found.argmax(axis=1) == true)[rest].mean()

    tables = [(true[:, None] + shifts) % 3 for shifts in ([0, 1], [1, 0])]
    assert min(share_right(said, None) for said in tables) < 0.1
    assert min(share_right(said, answers) for said in tables) == 1
