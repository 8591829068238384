"""Class probabilities in a known order of classes."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import accuracy_score

from ._arrays import naming
from ._labels import find_classes


def aligned_proba(estimator: Any, X: Any, classes: NDArray[Any]) -> NDArray[Any]:
    """Class probabilities with a column for each of `classes`, 0 for those never seen.

    Parameters
    ----------
    estimator : classifier
        Fitted, with `predict_proba`.
    X : object of length n_samples
        Samples.
    classes : ndarray of shape (n_classes,)
        Sorted classes, all of the estimator's among them.

    Returns
    -------
    ndarray of shape (n_samples, n_classes)
        Class probabilities, with the dtype of ``predict_proba``.
    """
    proba = estimator.predict_proba(X)
    if proba.shape[1] == len(classes):
        return proba
    known = estimator.classes_
    aligned = np.zeros((len(proba), len(classes)), dtype=proba.dtype)
    aligned[:, np.searchsorted(classes, known)] = proba
    return aligned


def accuracy(predicted: NDArray[Any], y: Any, sample_weight: Any = None) -> float:
    """Share of samples whose class is predicted right, of labels that are checked.

    Parameters
    ----------
    predicted : ndarray of shape (n_samples,)
        Predictions.
    y : array-like of shape (n_samples,)
        True labels.
    sample_weight : array-like of shape (n_samples,), default=None
        How much each sample counts.

    Returns
    -------
    float
        Accuracy.
    """
    classes, codes = find_classes(y)
    with naming("y"):
        return float(accuracy_score(classes[codes], predicted, sample_weight=sample_weight))
