"""Simulated experts, for studies."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.validation import _num_samples

from .._arrays import as_list
from .._labels import find_classes
from .._numbers import check_share
from .._random import private_random_state
from .._samples import check_samples
from .._typing import Oracle, Samples
from ..journal import check_rows


class GroundTruthOracle:
    """A simulated expert who knows the true labels, and errs or skips at given rates.

    Parameters
    ----------
    y_clean : array-like of shape (n_samples,)
        True labels of all rows of the data set.
    error_rate : float in [0, 1), default=0.0
        Probability that an answer is wrong: one of the other classes, each equally likely.
    skip_rate : float in [0, 1), default=0.0
        Probability that there is no answer, but None.
    random_state : int, RandomState or None, default=None
        Decides which answers are wrong or None. An expert asked about a row again answers the
        same.

    Examples
    --------
    >>> from noisyactive.cleaning import GroundTruthOracle
    >>> GroundTruthOracle(["a", "b", "a"])([1, 2])
    ['b', 'a']
    """

    def __init__(
        self,
        y_clean: ArrayLike,
        error_rate: float = 0.0,
        *,
        skip_rate: float = 0.0,
        random_state: int | np.random.RandomState | None = None,
    ):
        error_rate = check_share(error_rate, "error_rate")
        skip_rate = check_share(skip_rate, "skip_rate")
        classes, codes = find_classes(y_clean, name="y_clean")
        if error_rate > 0 and len(classes) < 2:
            raise ValueError("error_rate needs at least two classes in y_clean.")
        rng = private_random_state(random_state, type(self).__name__)
        errs = rng.random_sample(len(codes)) < error_rate
        shift = rng.randint(1, max(2, len(classes)), size=len(codes))
        self._answers: NDArray[Any] = classes[np.where(errs, codes + shift, codes) % len(classes)]
        self._skips = rng.random_sample(len(codes)) < skip_rate

    def __len__(self) -> int:
        return len(self._answers)

    def __call__(self, indices: ArrayLike, X: Any = None) -> list[Any]:
        """Answer for some rows.

        Parameters
        ----------
        indices : array-like of int of shape (n,)
            Rows of the data set.
        X : object, default=None
            Samples of these rows; ignored.

        Returns
        -------
        list of length n
            A label for each row, or None.
        """
        rows = check_rows(as_list(indices, "indices", "row numbers"), len(self), name="indices")
        answers, skips = self._answers[rows].tolist(), self._skips[rows].tolist()
        return [None if skip else label for label, skip in zip(answers, skips, strict=True)]


def oracle_of(oracle: Oracle | None, y_clean: ArrayLike | None, X: Samples) -> Oracle | None:
    """Who answers in `ActiveLabelCleaner.fit`.

    Parameters
    ----------
    oracle, y_clean, X
        As given there.

    Returns
    -------
    callable or None
        The oracle, or one that knows `y_clean`; None without either.

    Raises
    ------
    ValueError, TypeError
        If they are not as described there.
    """
    if oracle is not None and y_clean is not None:
        raise ValueError("Pass oracle or y_clean, not both.")
    if oracle is not None and not callable(oracle):
        raise TypeError(f"oracle must be callable, got {oracle!r}.")
    check_samples(X)
    if y_clean is None:
        return oracle
    known = GroundTruthOracle(y_clean)
    if len(known) != _num_samples(X):
        raise ValueError(f"y_clean must be as long as X, got {len(known)} labels.")
    return known
