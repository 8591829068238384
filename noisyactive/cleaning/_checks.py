"""What the cleaner demands of its data and of people's answers."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.validation import _num_samples

from .._labels import find_classes, find_codes


def check_labels(
    X: Any, y: ArrayLike, known: Any, y_clean: Any
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
        kinds = {present.dtype.kind, clean.dtype.kind}
        if len(kinds) > 1 and not kinds <= set("biuf"):  # numbers must not become strings
            present, clean = present.astype(object), clean.astype(object)
        classes = find_classes(np.concatenate([present, clean]), name="y and y_clean")[0]
    if len(classes) < 2:
        raise ValueError(f"y must hold at least 2 classes, got one class: {classes.tolist()}.")
    codes = find_codes(present.tolist(), classes, name="y")[codes]
    return classes, codes.astype(np.intp, copy=True)


def check_groups(groups: Any, n_samples: int) -> NDArray[Any] | None:
    """Group of each sample, of shape (n_samples,), or None."""
    if groups is None:
        return None
    groups = np.asarray(groups)
    if groups.shape != (n_samples,):
        raise ValueError(
            f"groups must be of shape ({n_samples},), one for each sample, got {groups.shape}."
        )
    return groups


def check_validation_data(validation_data: Any, classes: NDArray[Any]) -> None:
    """Check that it is None or a tuple (X_val, y_val) with labels that are known."""
    if validation_data is None:
        return
    if not isinstance(validation_data, tuple) or len(validation_data) != 2:
        raise TypeError("validation_data must be a tuple (X_val, y_val).")
    present, codes = find_classes(validation_data[1], name="y_val")
    find_codes(present.tolist(), classes, name="y_val")
    if (n_samples := _num_samples(validation_data[0])) != len(codes):
        raise ValueError(
            f"X_val and y_val have inconsistent lengths: {n_samples} samples, {len(codes)} labels."
        )


def check_answers(
    rows: Any, answers: Any, n_samples: int, classes: NDArray[Any]
) -> tuple[tuple[int, ...], tuple[Any, ...]]:
    """Check the answers to some rows.

    Parameters
    ----------
    rows : array-like of int of shape (n_rows,)
        Rows, each once.
    answers : sequence of length n_rows
        A label or None for each.
    n_samples : int
        Rows there are.
    classes : ndarray of shape (n_classes,)
        Labels there are.

    Returns
    -------
    rows : tuple of int
        The rows.
    answers : tuple
        For each, one of the classes, as a Python object, or None.
    """
    index = np.asarray(rows)
    if not isinstance(answers, Iterable) or isinstance(answers, str):
        raise ValueError(f"answers must be a sequence of labels and None, got {answers!r}.")
    labels = answers.tolist() if isinstance(answers, np.ndarray) else list(answers)
    if unhashable := [label for label in labels if not isinstance(label, Hashable)]:
        raise ValueError(f"answers must be labels or None, got {unhashable[0]!r}.")
    if index.ndim != 1 or (len(index) and index.dtype.kind not in "iu"):
        raise ValueError(f"rows must be a list of row numbers, got {rows!r}.")
    if len(index) != len(labels):
        raise ValueError(f"Got {len(labels)} answers for {len(index)} rows.")
    if len(outside := index[(index < 0) | (index >= n_samples)]):
        raise ValueError(f"rows must be from 0 to {n_samples - 1}, got {outside.tolist()}.")
    if len(np.unique(index)) < len(index):
        raise ValueError("rows must hold each row once; a row answered twice is ambiguous.")
    codes = find_codes([label for label in labels if label is not None], classes, name="answers")
    known = iter(classes[codes].tolist())
    return tuple(index.tolist()), tuple(None if x is None else next(known) for x in labels)
