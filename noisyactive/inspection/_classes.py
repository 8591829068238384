"""Names and order of classes in tables and figures, and checks of labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .._arrays import as_array, as_list
from .._codes import find_codes
from .._labels import find_classes, merge_classes

ClassNames = Mapping[Any, str] | Sequence[str] | None


def common_codes(
    first: ArrayLike, second: ArrayLike, names: tuple[str, str]
) -> tuple[NDArray[Any], NDArray[np.intp], NDArray[np.intp]]:
    """Encode two lists of labels of the same samples with common classes.

    Parameters
    ----------
    first, second : array-like of shape (n_samples,)
        Labels.
    names : tuple of str
        What errors call them.

    Returns
    -------
    classes : ndarray of shape (n_classes,)
        All labels of both lists, sorted.
    first_codes, second_codes : ndarray of int of shape (n_samples,)
        Indices into `classes`.

    Raises
    ------
    ValueError
        If one of them is not a list of labels, or lengths or kinds of labels differ.
    """
    (one, one_codes), (two, two_codes) = (
        find_classes(labels, name=name) for labels, name in zip((first, second), names, strict=True)
    )
    both = " and ".join(names)
    if len(one_codes) != len(two_codes):
        raise ValueError(
            f"{both} must be of the same length, got {len(one_codes)} and {len(two_codes)}."
        )
    classes = merge_classes(one, two, name=both)
    return (
        classes,
        find_codes(one.tolist(), classes, name=names[0])[one_codes],
        find_codes(two.tolist(), classes, name=names[1])[two_codes],
    )


def check_mask(mask: ArrayLike, n_samples: int, name: str = "clean_mask") -> NDArray[np.bool_]:
    """Check that a mask has a boolean for each sample.

    Parameters
    ----------
    mask : array-like of bool of shape (n_samples,)
        The mask.
    n_samples : int
        Number of samples.
    name : str, default="clean_mask"
        What errors call it.

    Returns
    -------
    ndarray of bool of shape (n_samples,)
        The mask as an array.

    Raises
    ------
    ValueError
        If it has another type or shape.
    """
    array = as_array(mask, name)
    if array.shape != (n_samples,) or array.dtype.kind != "b":
        raise ValueError(
            f"{name} must hold a boolean for each of the {n_samples} samples, got "
            f"{array.dtype} of shape {array.shape}."
        )
    return array


def class_keys(classes: NDArray[Any], class_names: ClassNames) -> list[Any]:
    """Return what stands for each class in a table: its name or, without names, its label.

    Parameters
    ----------
    classes : ndarray of shape (n_classes,)
        Sorted labels.
    class_names : mapping of label to str, sequence of str of length n_classes, or None
        Names; a sequence is in the order of `classes`.

    Returns
    -------
    list of length n_classes
        Names, or labels without `class_names`.

    Raises
    ------
    ValueError, TypeError
        If a class has no name, the number of names differs, or two names are equal.
    """
    labels = classes.tolist()
    if class_names is None:
        return labels
    if isinstance(class_names, Mapping):
        if missing := [label for label in labels if label not in class_names]:
            raise ValueError(f"class_names must have a name for each class; none for {missing}.")
        keys = [str(class_names[label]) for label in labels]
    else:
        names = as_list(class_names, "class_names", "names, or a mapping of label to name")
        if len(names) != len(labels):
            raise ValueError(
                f"class_names must hold a name for each of the {len(labels)} classes {labels}, got "
                f"{len(names)}."
            )
        keys = [str(name) for name in names]
    if twice := {key for key in keys if keys.count(key) > 1}:
        raise ValueError(f"class_names must differ, got {sorted(twice)} more than once.")
    return keys


def by_size(counts: ArrayLike) -> NDArray[np.intp]:
    """Order of classes by size, the largest first; stable."""
    return np.argsort(-np.asarray(counts), kind="stable")


def ratio(part: ArrayLike, whole: ArrayLike) -> NDArray[np.float64]:
    """Element-wise share of a whole; NaN where the whole is 0."""
    part, whole = np.asarray(part, dtype=float), np.asarray(whole, dtype=float)
    return np.divide(part, whole, out=np.full(np.shape(whole), np.nan), where=whole > 0)
