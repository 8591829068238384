"""Class labels as integer codes."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

_BLOCK = 1 << 16  # values that are sorted together


def unique_in_blocks(values: NDArray[Any]) -> tuple[NDArray[Any], NDArray[np.intp]]:
    """Find the distinct values, as `numpy.unique`, in less time and memory if these are few.

    Parameters
    ----------
    values : ndarray of shape (n_values,)
        Values that can be sorted.

    Returns
    -------
    distinct : ndarray of shape (n_distinct,)
        Sorted.
    codes : ndarray of shape (n_values,)
        Index of every value among them.
    """
    codes = np.empty(len(values), dtype=np.intp)
    blocks = [slice(start, start + _BLOCK) for start in range(0, max(len(values), 1), _BLOCK)]
    of_blocks = []
    for rows in blocks:
        present, codes[rows] = np.unique(values[rows], return_inverse=True)
        of_blocks.append(present)
    if len(blocks) == 1:
        return of_blocks[0], codes
    distinct = np.unique(np.concatenate(of_blocks))
    for rows, present in zip(blocks, of_blocks, strict=True):
        codes[rows] = np.searchsorted(distinct, present)[codes[rows]]
    return distinct, codes


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
    if odd := [label for label in labels if not isinstance(label, Hashable)]:
        raise ValueError(f"{name} must hold labels, got {odd[0]!r}.")
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
