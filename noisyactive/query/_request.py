"""Checks that all strategies share, and the choice of the highest scores."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import _num_samples

from .._numbers import check_int, check_switch
from .._random import private_random_state
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
        return np.argsort(-scores, kind="stable")[:n_instances]
    shuffled = private_random_state(random_state, stream).permutation(len(scores))
    return shuffled[np.argsort(-scores[shuffled], kind="stable")[:n_instances]]
