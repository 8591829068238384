"""Class labels of any kind as integer codes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import assert_all_finite, column_or_1d


def find_classes(y: ArrayLike, *, name: str = "y") -> tuple[NDArray[Any], NDArray[np.intp]]:
    """Check the labels `y`; find the classes and the class of every sample.

    Parameters
    ----------
    y : array-like of shape (n_samples,)
        Class labels: integers, whole floats, booleans, strings, or objects that can be sorted.
    name : str, default="y"
        What errors call `y`.

    Returns
    -------
    classes : ndarray of shape (n_classes,)
        The sorted distinct labels, with the dtype of `y`.
    codes : ndarray of shape (n_samples,)
        Index of every sample's label in `classes`.

    Raises
    ------
    ValueError
        If `y` is None, is empty, is not one-dimensional, has missing values, mixes strings with
        other kinds, or holds continuous numbers.
    """
    if y is None:
        raise ValueError(f"{name} is required: requires y to be passed, but the target y is None.")
    labels = np.asarray(y)
    if labels.dtype.kind == "U" and isinstance(y, (list, tuple)):
        if not all(isinstance(label, str) for label in y):
            labels = np.asarray(y, dtype=object)  # where nan is not the string "nan"
    if labels.ndim == 2 and labels.shape[1] > 1:
        raise ValueError(
            f"{name} should be a 1d array with one label per sample, got an array of shape "
            f"{labels.shape}: multi-label and one-hot labels are not supported."
        )
    labels = column_or_1d(labels, warn=True)
    if not len(labels):
        raise ValueError(f"{name} holds no labels.")
    if labels.dtype.kind == "O" and any(is_missing(label) for label in labels):
        raise ValueError(f"{name} must have no missing values (None, NaN) among its labels.")
    try:
        assert_all_finite(labels, input_name=name)
        classes, codes = np.unique(labels, return_inverse=True)
    except TypeError as error:
        kinds = sorted({type(label).__name__ for label in labels})
        raise ValueError(
            f"{name} must hold labels of one kind, without missing values; "
            f"it mixes {', '.join(kinds)}, which cannot be sorted."
        ) from error
    if classes.dtype.kind == "f" and (classes != np.trunc(classes)).any():
        raise ValueError(
            f"Unknown label type: {name} must hold class labels; it holds continuous numbers."
        )
    return classes, codes


def find_codes(labels: Iterable[Any], classes: NDArray[Any], *, name: str) -> NDArray[np.intp]:
    """Find the index in `classes` of each of a few labels.

    Parameters
    ----------
    labels : iterable
        Labels to look up, in a Python loop: classes, not samples.
    classes : ndarray of shape (n_classes,)
        The known classes.
    name : str
        What the error calls `labels`.

    Returns
    -------
    codes : ndarray of shape (n_labels,)
        Index of each label in `classes`.

    Raises
    ------
    ValueError
        If a label is not among the classes; the message names it.
    """
    code_of = {label: code for code, label in enumerate(classes.tolist())}
    labels = list(labels)
    unknown = [label for label in labels if label not in code_of]
    if unknown:
        raise ValueError(
            f"{name} has labels that are not among the classes "
            f"{classes.tolist()}: {np.array(unknown).tolist()}."
        )
    return np.array([code_of[label] for label in labels], dtype=np.intp)


def rank_within_class(codes: NDArray[np.intp], scores: NDArray[Any]) -> NDArray[np.intp]:
    """Rank every sample among those of its own class, the lowest score first.

    Parameters
    ----------
    codes : ndarray of shape (n_samples,)
        Class code of every sample.
    scores : ndarray of shape (n_samples,)
        What to rank by; equal scores keep their order.

    Returns
    -------
    ranks : ndarray of shape (n_samples,)
        Number of samples of the same class that come before, from 0.
    """
    order = np.lexsort((scores, codes))
    counts = np.bincount(codes)
    first = np.cumsum(counts) - counts
    ranks = np.empty_like(codes)
    ranks[order] = np.arange(len(codes)) - first[codes[order]]
    return ranks


def is_missing(label: Any) -> bool:
    """Whether a label is None, NaN or ``pandas.NA``."""
    differs = label != label  # so does NaN; comparing pandas.NA says neither yes nor no
    return label is None or not isinstance(differs, (bool, np.bool_)) or bool(differs)
