"""Check class labels and find the classes."""

from __future__ import annotations

from collections.abc import Hashable
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import assert_all_finite, column_or_1d
from sklearn.utils.validation import _num_samples

from ._arrays import as_array, naming
from ._codes import find_codes, is_missing, unique_in_blocks


def find_classes(y: ArrayLike | None, *, name: str = "y") -> tuple[NDArray[Any], NDArray[np.intp]]:
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
        The sorted distinct labels, with the dtype of `y` in the machine's byte order.
    codes : ndarray of shape (n_samples,)
        Index of every sample's label in `classes`.

    Raises
    ------
    ValueError
        If `y` is None, is empty, is not one-dimensional, has missing or masked values, mixes
        strings with other kinds, or holds continuous numbers.
    """
    if y is None:
        raise ValueError(  # in brackets what scikit-learn's checks look for
            f"{name} is required: pass the labels. (requires y to be passed, but the target y is "
            "None)"
        )
    labels = as_array(y, name)
    if labels.ndim == 0:
        raise ValueError(
            f"{name} should be a 1d array with one label per sample, got a single "
            f"{type(y).__name__}."
        )
    if labels.dtype.kind in "US" and isinstance(y, (list, tuple)):
        if not all(isinstance(label, (str, bytes)) for label in y):
            labels = np.asarray(y, dtype=object)  # where nan is not the string "nan"
        if any(label[-1:] in ("\0", b"\0") for label in y if isinstance(label, (str, bytes))):
            labels = np.asarray(y, dtype=object)  # NumPy's text drops NUL characters at the end
    if labels.ndim == 2 and labels.shape[1] > 1:
        raise ValueError(
            f"{name} should be a 1d array with one label per sample, got an array of shape "
            f"{labels.shape}: multi-label and one-hot labels are not supported."
        )
    if labels.dtype.kind == "c":
        raise ValueError(f"Complex data not supported: {name} must hold labels.")
    if labels.dtype.kind == "V":
        raise ValueError(f"Unknown label type: {name} holds values of the type {labels.dtype}.")
    with naming(name):
        labels = column_or_1d(labels, warn=True)
    labels = labels.astype(labels.dtype.newbyteorder("="), copy=False)  # pandas reads no other
    if not len(labels):
        raise ValueError(f"{name} holds no labels.")
    missing = labels.dtype.kind == "O" and any(is_missing(label) for label in labels)
    if missing or (labels.dtype.kind in "mM" and np.isnat(labels).any()):
        raise ValueError(f"{name} must have no missing values (None, NaN, NaT) among its labels.")
    try:
        assert_all_finite(labels, input_name=name)
        classes, codes = unique_in_blocks(labels)
    except TypeError as error:
        kinds = sorted({type(label).__name__ for label in labels})
        raise ValueError(
            f"{name} must hold labels of one kind, without missing values; "
            f"it mixes {', '.join(kinds)}, which cannot be sorted."
        ) from error
    if classes.dtype.kind == "O" and not all(isinstance(one, Hashable) for one in classes):
        raise ValueError(f"{name} must hold labels, got {type(classes[0]).__name__} objects.")
    if classes.dtype.kind == "f" and (classes != np.trunc(classes)).any():
        raise ValueError(
            f"Unknown label type: {name} must hold class labels; it holds continuous numbers."
        )
    return classes, codes


def plain_numbers(labels: NDArray[Any], *, name: str = "y") -> NDArray[Any]:
    """Labels as any estimator takes them: objects that are all numbers in a type of NumPy's.

    Parameters
    ----------
    labels : ndarray of shape (n_labels,)
        Labels.
    name : str, default="y"
        What the error calls them.

    Returns
    -------
    ndarray of shape (n_labels,)
        The same.

    Raises
    ------
    ValueError
        If NumPy has no type for them.
    """
    if labels.dtype.kind != "O" or not all(isinstance(one, (Real, np.bool_)) for one in labels):
        return labels
    numbers = np.array(labels.tolist())
    if numbers.dtype.kind == "O":
        raise ValueError(f"{name} must hold ints of at most 64 bits, or text: pass {name} as text.")
    return numbers


def merge_classes(first: NDArray[Any], second: NDArray[Any], *, name: str) -> NDArray[Any]:
    """All of two sets of classes.

    Parameters
    ----------
    first, second : ndarray
        Classes.
    name : str
        What errors call them both.

    Returns
    -------
    ndarray of shape (n_classes,)
        Sorted.

    Raises
    ------
    ValueError
        If they are of different kinds: numbers must not become strings.
    """
    kinds = {first.dtype.kind, second.dtype.kind}
    if len(kinds) > 1 and not kinds <= set("biuf"):
        first, second = first.astype(object), second.astype(object)
    classes, _ = find_classes(np.concatenate([first, second]), name=name)
    return plain_numbers(classes, name=name)


def check_labels(
    X: Any, y: ArrayLike | None, known: Any, y_clean: Any
) -> tuple[NDArray[Any], NDArray[np.intp]]:
    """Check that there is a label for each sample, and find all classes.

    Parameters
    ----------
    X : object of length n_samples
        Samples.
    y : array-like of shape (n_samples,)
        Labels.
    known : array-like of shape (n_classes,) or None
        Every possible label; None takes those in `y` and `y_clean`.
    y_clean : array-like of shape (n_samples,) or None
        True labels.

    Returns
    -------
    classes : ndarray of shape (n_classes,)
        Sorted classes.
    codes : ndarray of int of shape (n_samples,)
        Labels as indices into `classes`; memory of their own.
    """
    present, codes = find_classes(y)
    if (n_samples := _num_samples(X)) != len(codes):
        raise ValueError(
            f"X and y have inconsistent lengths: {n_samples} samples, {len(codes)} labels."
        )
    classes = present
    if known is not None:  # a rare class may be missing from y
        classes = find_classes(known, name="estimator.classes")[0]
    elif y_clean is not None:
        clean = find_classes(y_clean, name="y_clean")[0]
        classes = merge_classes(present, clean, name="y and y_clean")
    if len(classes) < 2:
        raise ValueError(f"y must hold at least 2 classes, got one class: {classes.tolist()}.")
    codes = find_codes(present.tolist(), classes, name="y")[codes]
    return classes, codes.astype(np.intp, copy=True)


def check_groups(groups: Any, n_samples: int) -> NDArray[Any] | None:
    """Group of each sample, of shape (n_samples,), or None."""
    if groups is None:
        return None
    members, codes = find_classes(groups, name="groups")
    groups = members[codes]
    if groups.shape != (n_samples,):
        raise ValueError(
            f"groups must be of shape ({n_samples},), one for each sample, got {groups.shape}."
        )
    return groups
