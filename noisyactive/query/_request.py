"""Checks that all strategies share, and the choice of the highest scores."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.validation import _num_samples

from .._issues import BLOCK
from .._numbers import check_int, check_switch
from .._proba import check_proba, predicted_proba, proba_table
from .._random import private_random_state
from .._rows import RowsOf, gathered, large_as_rows
from .._samples import check_samples


def check_request(X: Any, n_instances: int, random_tie_break: bool, *, name: str = "X") -> int:
    """Check the arguments common to all strategies.

    Parameters
    ----------
    X : array-like, tensor, DataFrame or Dataset of shape (n_samples, ...)
        The pool.
    n_instances : int
        Number of samples asked for.
    random_tie_break : bool
        Whether ties are broken at random.
    name : str, default="X"
        What errors call `X`.

    Returns
    -------
    n_instances : int
        Number of samples to choose, at most as many as there are.

    Raises
    ------
    ValueError
        If the pool is empty, or a parameter is not as described.
    """
    n_instances = check_int(n_instances, "n_instances", 1)
    check_switch(random_tie_break, "random_tie_break")
    check_samples(X, name)
    n_samples = _num_samples(X)
    if n_samples == 0:
        raise ValueError(f"{name} holds no samples to choose from.")
    return min(n_instances, n_samples)


def best_first(
    scores: NDArray[Any],
    n_instances: int,
    random_tie_break: bool,
    random_state: int | np.random.RandomState | None,
    stream: str,
) -> NDArray[np.intp]:
    """Indices of the highest scores, highest first.

    Parameters
    ----------
    scores : ndarray of shape (n_samples,)
        Scores.
    n_instances : int
        Number of indices wanted.
    random_tie_break : bool
        Whether equal scores come in random order, instead of that of their indices.
    random_state : int, RandomState instance or None
        Determines that order.
    stream : str
        Name of the random numbers that belong to an int.

    Returns
    -------
    indices : ndarray of shape (min(n_instances, n_samples),)
        Indices into `scores`.
    """
    if not random_tie_break:
        return _highest(scores, n_instances)
    shuffled = private_random_state(random_state, stream).permutation(len(scores))
    return shuffled[_highest(scores[shuffled], n_instances)]


def _highest(scores: NDArray[Any], n_instances: int) -> NDArray[np.intp]:
    """Indices of the highest scores, of equal ones the first; only these are sorted."""
    if n_instances < len(scores):
        last = len(scores) - n_instances
        least = np.partition(scores, last)[last]
        certain = np.flatnonzero(scores > least)
        tied = np.flatnonzero(scores == least)[: n_instances - len(certain)]
        chosen = np.sort(np.append(certain, tied))
    else:
        chosen = np.arange(len(scores))
    return chosen[np.argsort(-scores[chosen], kind="stable")]


def scores_in_blocks(
    proba: ArrayLike, score: Callable[[NDArray[np.float64], slice], NDArray[np.float64]]
) -> NDArray[np.float64]:
    """Scores that need only some rows of class probabilities at a time.

    Parameters
    ----------
    proba : array-like of shape (n_samples, n_classes)
        Class probabilities, of any type, or mapped into memory.
    score : callable
        ``score(proba, rows) -> scores`` of a slice of the rows, whose probabilities are checked.

    Returns
    -------
    ndarray of shape (n_samples,)
        Scores.

    Raises
    ------
    ValueError
        As `check_proba`.
    """
    table = proba_table(proba)
    n_samples = len(table) if table.ndim else 0
    scores = np.empty(n_samples)
    for start in range(0, max(1, n_samples), BLOCK):
        rows = slice(start, min(start + BLOCK, n_samples))
        block = check_proba(table[rows] if table.ndim else table, start)
        scores[rows] = score(np.ascontiguousarray(block), rows)
    return scores


def pool_scores(
    classifier: Any, X: Any, score: Callable[[ArrayLike], NDArray[np.float64]]
) -> NDArray[np.float64]:
    """Scores of a pool by predictions; of a file or a large array, some megabytes at a time.

    Parameters
    ----------
    classifier : learner
        With `predict_proba`.
    X : object of length n_samples
        The pool.
    score : callable
        ``score(proba) -> scores``, of each sample by itself.

    Returns
    -------
    ndarray of shape (n_samples,)
        Scores.
    """
    X = large_as_rows(X)
    if not isinstance(X, RowsOf) or getattr(classifier, "reads_rows", False):
        return score(predicted_proba(classifier, X))
    return gathered((score(predicted_proba(classifier, part)) for part in X.chunks()), len(X))
