"""Class probabilities in a known order of classes."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import accuracy_score

from ._arrays import as_array, naming
from ._labels import find_classes, merge_classes
from ._samples import asking, for_estimator


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
    proba = predicted_proba(estimator, X)
    if proba.shape[1] == len(classes):
        return proba
    known = estimator.classes_
    aligned = np.zeros((len(proba), len(classes)), dtype=proba.dtype)
    aligned[:, np.searchsorted(classes, known)] = proba
    return aligned


def predicted_proba(estimator: Any, X: Any) -> Any:
    """What any estimator predicts for any samples; never NaN.

    Parameters
    ----------
    estimator : classifier
        Fitted, with `predict_proba`.
    X : object of length n_samples
        Samples.

    Returns
    -------
    array-like of shape (n_samples, n_classes)
        What `predict_proba` returns.

    Raises
    ------
    TypeError, ValueError
        About X, if the estimator cannot read it, or predicts NaN.
    """
    with asking():
        proba = estimator.predict_proba(for_estimator(X))
    if getattr(proba, "dtype", None) in (np.float32, np.float64) and np.isnan(proba).any():
        raise ValueError(
            f"X has values for which {type(estimator).__name__} predicts NaN: check that they are "
            "of the size that it was fitted to."
        )
    return proba


def classes_of_columns(proba: Any, present: NDArray[Any], classes: Any = None) -> NDArray[Any]:
    """The class of each column of class probabilities.

    Parameters
    ----------
    proba : array-like or DataFrame of shape (n_samples, n_classes)
        Class probabilities.
    present : ndarray of shape (n_classes,)
        Classes of the labels, sorted.
    classes : array-like of shape (n_classes,), default=None
        The class of each column, where it is told.

    Returns
    -------
    ndarray of shape (n_classes,)
        What was told, or else what a DataFrame calls its columns, unless these are just numbered,
        or else `present`.
    """
    if classes is not None:
        return as_array(classes, "classes")
    names = getattr(proba, "columns", None)
    if names is None or list(names) == list(range(len(names))):
        return present
    return np.array(list(names), dtype=present.dtype if present.dtype.kind == "O" else None)


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
    merge_classes(classes, np.unique(predicted), name="y and the predictions")  # of one kind
    with naming("y", "sample_weight"):
        return float(accuracy_score(classes[codes], predicted, sample_weight=sample_weight))
