"""Class probabilities in a known order of classes."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.metrics import accuracy_score

from ._arrays import as_array, as_numbers, naming
from ._codes import find_codes
from ._kinds import is_net
from ._labels import find_classes, merge_classes
from ._rows import RowsOf, as_rows, gathered
from ._samples import asking, for_estimator

_SUM_TOLERANCE = 1e-3  # wide enough for probabilities in half precision

# From fewer labels, a good classifier may agree with all.
_ENOUGH_TO_TELL = 100


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
        proba = in_chunks(estimator, "predict_proba", for_estimator(X))
    if getattr(proba, "dtype", None) in (np.float32, np.float64) and np.isnan(proba).any():
        raise ValueError(
            f"X has values for which {type(estimator).__name__} predicts NaN: check that they are "
            "of the size that it was fitted to."
        )
    return proba


def in_chunks(estimator: Any, method: str, X: Any) -> Any:
    """What a method returns for samples; `RowsOf` come in chunks unless it reads them itself.

    Networks do, and what has an attribute `reads_rows`.

    Parameters
    ----------
    estimator : classifier
        Fitted.
    method : str
        Name of one that treats each sample by itself, as ``"predict"``.
    X : object of length n_samples
        Samples, as `for_estimator` returns them.

    Returns
    -------
    array-like of length n_samples
        What it returns.
    """
    ask = getattr(estimator, method)
    reads = is_net(estimator) or getattr(estimator, "reads_rows", False)
    if reads or not isinstance(X, RowsOf):
        return ask(X)
    return gathered((np.asarray(ask(part)) for part in X.chunks()), len(X))


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


def warn_of_memory(n_agreeing: int, n_samples: int) -> None:
    """Warn if class probabilities agree with every label, as those of a model that learned them do.

    Parameters
    ----------
    n_agreeing : int
        Labels that are the most probable class.
    n_samples : int
        Labels.
    """
    if n_agreeing == n_samples >= _ENOUGH_TO_TELL:
        warnings.warn(
            "proba agrees with every label in y: a model that was fitted to these labels says so "
            "of wrong ones, too. Pass probabilities of models that did not learn them, as "
            "noisyactive.find_label_issues does.",
            UserWarning,
            stacklevel=4,
        )


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


def check_proba(proba: ArrayLike, first_row: int = 0) -> NDArray[np.float64]:
    """Check class probabilities.

    Parameters
    ----------
    proba : array-like of shape (n_samples, n_classes)
        Class probabilities.
    first_row : int, default=0
        Number of its first row, for errors.

    Returns
    -------
    proba : ndarray of float64 of shape (n_samples, n_classes)
        The same numbers.

    Raises
    ------
    ValueError
        If it is not such a matrix, or a row is not finite, not in [0, 1] or does not sum to 1.
    """
    proba = as_numbers(proba, "proba", shape="(n_samples, n_classes)", n_dims=2)
    if proba.shape[1] == 0:
        raise ValueError(
            f"proba must be of shape (n_samples, n_classes), got an array of shape {proba.shape}."
        )
    if not np.isfinite(proba).all():
        raise ValueError("proba must hold finite numbers; it has NaN or infinity.")
    in_range = ((proba >= 0) & (proba <= 1 + _SUM_TOLERANCE)).all(axis=1)
    valid = in_range & (np.abs(proba.sum(axis=1) - 1) <= _SUM_TOLERANCE)
    if not valid.all():
        row = int(np.argmin(valid))
        raise ValueError(
            "Every row of proba must hold probabilities that sum to 1; "
            f"row {first_row + row} is {proba[row].tolist()}."
        )
    return proba


def proba_table(proba: Any) -> Any:
    """Class probabilities that are read by slices of rows.

    Parameters
    ----------
    proba : array-like
        Class probabilities, also of a file.

    Returns
    -------
    ndarray or RowsOf
        An array, or the rows of the file. Nothing is checked.
    """
    rows = as_rows(proba, "proba")
    return rows if isinstance(rows, RowsOf) else as_array(proba, "proba")


def codes_of_proba(
    y: ArrayLike, proba: Any, classes: ArrayLike | None = None
) -> tuple[NDArray[Any], NDArray[np.intp]]:
    """Which class each column of class probabilities is, and which column each label.

    Parameters
    ----------
    y : array-like of shape (n_samples,)
        Labels.
    proba : array-like of shape (n_samples, n_classes)
        Class probabilities. Only the shape is checked.
    classes : array-like of shape (n_classes,), default=None
        The class of each column. None means what a DataFrame calls them, or else the sorted
        distinct labels of `y`.

    Returns
    -------
    classes : ndarray of shape (n_classes,)
        The class of each column.
    codes : ndarray of int of shape (n_samples,)
        Column of each label.

    Raises
    ------
    ValueError
        If the lengths differ, the classes are not as many as columns or hold one twice, or a label
        is not among them.
    """
    present, positions = find_classes(y)
    known = classes_of_columns(proba, present, classes)
    shape = proba_table(proba).shape
    if len(shape) != 2:
        raise ValueError(
            f"proba must be of shape (n_samples, n_classes), got an array of shape {shape}."
        )
    if known.shape != shape[1:] or len(set(known.tolist())) < len(known):
        raise ValueError(
            f"proba has {shape[1]} columns, which must be as many different classes; "
            f"{'y' if classes is None else 'classes'} holds {known.tolist()}."
        )
    if len(positions) != shape[0]:
        raise ValueError(
            f"y and proba must have the same length, got {len(positions)} labels and "
            f"{shape[0]} rows."
        )
    if classes is None and not set(present.tolist()) <= set(known.tolist()):
        raise ValueError(
            f"proba has columns for the classes {known.tolist()}; y has others: {present.tolist()}."
        )
    return known, find_codes(present.tolist(), known, name="y")[positions]
