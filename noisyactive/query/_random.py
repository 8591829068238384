"""Random choice, the baseline for every other strategy."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import _num_samples

from .._random import private_random_state
from .._typing import Samples
from ._request import check_request


def random_sampling(
    classifier: Any,
    X: Samples,
    n_instances: int = 1,
    random_tie_break: bool = False,
    *,
    random_state: int | np.random.RandomState | None = None,
) -> NDArray[np.intp]:
    """Choose samples at random, each equally likely.

    Parameters
    ----------
    classifier : object
        Ignored.
    X : array-like, tensor, DataFrame or Dataset of shape (n_samples, ...)
        The pool.
    n_instances : int, default=1
        Number of samples to choose, at least 1; more than there are chooses all.
    random_tie_break : bool, default=False
        Ignored: there are no scores to tie.
    random_state : int, RandomState instance or None, default=None
        Determines the choice. None draws fresh entropy from the operating system; NumPy's global
        random state is neither read nor changed.

    Returns
    -------
    indices : ndarray of shape (min(n_instances, n_samples),)
        Indices into `X`, in random order.

    Raises
    ------
    ValueError
        If `X` is empty, or a parameter is not as described.

    Examples
    --------
    >>> from noisyactive.query import random_sampling
    >>> random_sampling(None, range(10), n_instances=3, random_state=0).shape
    (3,)
    """
    n_instances = check_request(X, n_instances, random_tie_break)
    rng = private_random_state(random_state, "random_sampling")
    return rng.permutation(_num_samples(X))[:n_instances]
