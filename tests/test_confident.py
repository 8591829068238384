"""Which labels to trust, by confident learning on out-of-fold probabilities."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import PredefinedSplit, cross_val_predict

from noisyactive import ActiveLabelCleaner
from noisyactive._confident import confident_mask, tells_labels
from noisyactive._held_out import make_folds, out_of_fold_proba


def mask_by_the_book(proba, codes):
    """Confident learning, sample by sample."""
    thresholds = {c: proba[codes == c, c].mean() for c in np.unique(codes)}
    mask = []
    for p, given_class in zip(proba, codes, strict=True):
        confident = [c for c in thresholds if p[c] >= thresholds[c]]
        best = max(confident, key=lambda c: (p[c], -c)) if confident else given_class
        mask.append(best == given_class)
    return mask


@given(st.integers(0, 10_000), st.integers(5, 30), st.integers(2, 4))
def test_mask_is_that_of_the_book(seed, n, n_classes):
    rng = np.random.default_rng(seed)
    proba = rng.dirichlet(np.ones(n_classes), n)
    codes = rng.integers(0, n_classes, n)
    assert confident_mask(proba, codes).tolist() == mask_by_the_book(proba, codes)


def test_out_of_fold_means_what_it_says(data, model):
    X, _, y = data
    folds_of = []

    class Spy(LogisticRegression):
        def fit(self, X, y):
            folds_of.append(X)
            return super().fit(X, y)

    rng = np.random.RandomState(0)
    proba = out_of_fold_proba(Spy(max_iter=1000), X, np.unique(y), y, make_folds(y, None, 5, rng))
    fold = np.array([[not (rows == x).all(axis=1).any() for rows in folds_of] for x in X])
    assert (fold.sum(axis=1) == 1).all()  # left out exactly once
    folds = fold.argmax(axis=1)
    expected = cross_val_predict(model, X, y, cv=PredefinedSplit(folds), method="predict_proba")
    np.testing.assert_allclose(proba, expected)
    for label in range(3):
        counts = np.bincount(folds[y == label], minlength=5)
        assert counts.max() - counts.min() <= 1


@pytest.mark.parametrize("n_rare", [1, 2, 3])
def test_a_class_rarer_than_the_folds(data, model, n_rare):
    X, _, y = data
    rare = np.flatnonzero(y == 2)[n_rare:]
    X, y = np.delete(X, rare, axis=0), np.delete(y, rare)
    rng = np.random.RandomState(0)
    proba = out_of_fold_proba(model, X, np.arange(3), y, make_folds(y, None, 5, rng))
    np.testing.assert_allclose(proba.sum(axis=1), 1, rtol=1e-5)
    if n_rare == 1:
        assert (proba[y == 2, 2] == 0).all()
    cleaner = ActiveLabelCleaner(model, n_rounds=2, round_budget=3).fit(X, y, y_clean=y)
    assert cleaner.predict_proba(X).shape[1] == 3


def test_one_sample_against_all_others(model):
    X = np.arange(12.0).reshape(-1, 1)
    y = np.array([0] * 11 + [1])
    rng = np.random.RandomState(0)
    proba = out_of_fold_proba(model, X, np.arange(2), y, make_folds(y, None, 3, rng))
    assert proba[-1].tolist() == [1, 0]


def test_wrong_labels_are_doubted_more_than_right_ones(data, model):
    X, y, y_noisy = data
    cleaner = ActiveLabelCleaner(model, random_state=0).fit(X, y_noisy)
    right = y == y_noisy
    assert cleaner.clean_mask_[right].mean() > cleaner.clean_mask_[~right].mean() + 0.3


@pytest.mark.parametrize("n_classes", [2, 5, 60])
def test_whether_predictions_tell_labels(n_classes):
    rng = np.random.default_rng(0)
    told = []
    for _ in range(200):
        proba = rng.dirichlet(np.ones(n_classes), 200)
        told.append(tells_labels(proba, rng.integers(n_classes, size=200)))
    assert np.mean(told) < 0.11  # 5%, and four standard errors
    proba = rng.dirichlet(np.ones(n_classes), 1000)
    codes = (proba.cumsum(axis=1) > rng.random((1000, 1))).argmax(axis=1)
    assert tells_labels(proba, codes)
    assert not tells_labels(1 - proba, codes)
