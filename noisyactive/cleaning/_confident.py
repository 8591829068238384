"""Which labels to trust, for any classifier: confident learning on out-of-fold probabilities."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone

from .._labels import rank_within_class
from ._learner import aligned_proba, take_rows


def out_of_fold_proba(
    estimator: Any,
    X: Any,
    classes: NDArray[Any],
    codes: NDArray[np.intp],
    *,
    n_folds: int,
    rng: np.random.RandomState,
) -> NDArray[np.float64]:
    """Probabilities for every sample from a clone that was fitted without it.

    Each class is dealt out evenly over the folds. A class with fewer samples than folds is missing
    from some folds, and one with a single sample from the training part of its own: its
    probability is 0 there.

    Parameters
    ----------
    estimator : classifier
        Cloned and fitted once a fold.
    X : object of length n_samples
        Samples.
    classes : ndarray of shape (n_classes,)
        Sorted classes.
    codes : ndarray of int of shape (n_samples,)
        Labels, as indices into `classes`.
    n_folds : int
        Folds, at least 2.
    rng : RandomState
        Deals the samples out.

    Returns
    -------
    ndarray of shape (n_samples, n_classes)
        Out-of-fold probabilities.
    """
    ranks = rank_within_class(codes, rng.random_sample(len(codes)))
    # Every class starts in another fold, or the rarest would all meet in the first.
    folds = (ranks + codes) % n_folds
    proba = np.zeros((len(codes), len(classes)))
    for fold in np.unique(folds):
        train, test = np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)
        known = np.unique(codes[train])
        if len(known) < 2:
            proba[np.ix_(test, known)] = 1
            continue
        fitted = clone(estimator).fit(take_rows(X, train), classes[codes[train]])
        proba[test] = aligned_proba(fitted, take_rows(X, test), classes)
    return proba


def confident_mask(proba: NDArray[np.float64], codes: NDArray[np.intp]) -> NDArray[np.bool_]:
    """Labels that confident learning has no objection to.

    A class is confidently predicted where its probability reaches the average that it has on
    the samples labelled with it; a label is doubted where the most probable of the confidently
    predicted classes is another one [1]_.

    Parameters
    ----------
    proba : ndarray of shape (n_samples, n_classes)
        Out-of-sample probabilities.
    codes : ndarray of int of shape (n_samples,)
        Given labels.

    Returns
    -------
    ndarray of bool of shape (n_samples,)
        True where the label is trusted.

    References
    ----------
    .. [1] C. Northcutt, L. Jiang, I. Chuang, "Confident Learning: Estimating Uncertainty in Dataset
           Labels", Journal of Artificial Intelligence Research, 2021,
           :doi:`10.1613/jair.1.12125`.
    """
    own = proba[np.arange(len(codes)), codes]
    counts = np.bincount(codes, minlength=proba.shape[1])
    sums = np.bincount(codes, weights=own, minlength=proba.shape[1])
    # A class nobody is labelled with cannot be predicted confidently.
    thresholds = np.where(counts > 0, sums / np.maximum(counts, 1), np.inf)
    confident = np.where(proba >= thresholds, proba, -np.inf)
    best = confident.argmax(axis=1)
    return (best == codes) | np.isneginf(confident.max(axis=1))
