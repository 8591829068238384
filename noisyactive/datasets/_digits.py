"""scikit-learn's digits, made long-tailed: small images for quick trials."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.utils import Bunch

from .._numbers import check_share
from ..imbalance import LongTailSampler


def load_long_tailed_digits(
    imbalance_factor: float = 10,
    *,
    validation_size: float = 0.1,
    test_size: float = 0.2,
    order: Iterable[Any] | None = None,
    random_state: int | np.random.RandomState | None = None,
) -> Bunch:
    """scikit-learn's 8x8 digits with a long-tailed training part.

    The validation and test parts keep the balance of the data. All labels are right; noise for a
    study goes into ``y_train`` afterwards.

    Parameters
    ----------
    imbalance_factor : float, default=10
        Size of the most frequent class of the training part divided by that of the rarest one.
    validation_size, test_size : float, default=0.1 and 0.2
        Shares of all 1,797 images; 0 leaves `X_val`, `y_val` out. The rest, made long-tailed, is
        the training part, which depends on their sum only.
    order : array-like of shape (10,), default=None
        The digits from the most to the least frequent; None means 0 to 9.
    random_state : int, RandomState instance or None, default=None
        Determines which images are in which part. None draws fresh entropy from the operating
        system; NumPy's global random state is neither read nor changed.

    Returns
    -------
    sklearn.utils.Bunch
        ``X_train``, ``X_val``, ``X_test``: ndarray of float32 of shape (n_samples, 1, 8, 8) from 0
        to 1; ``y_train``, ``y_val``, ``y_test``: ndarray of int of shape (n_samples,).

    Raises
    ------
    ValueError
        If a parameter is out of range.

    See Also
    --------
    noisyactive.imbalance.LongTailSampler : Makes any data long-tailed.

    Examples
    --------
    >>> import numpy as np
    >>> from noisyactive.datasets import load_long_tailed_digits
    >>> digits = load_long_tailed_digits(random_state=0)
    >>> digits.X_train.shape, digits.X_val.shape, digits.X_test.shape
    ((494, 1, 8, 8), (180, 1, 8, 8), (360, 1, 8, 8))
    >>> np.bincount(digits.y_train).tolist()
    [122, 94, 73, 56, 43, 33, 26, 20, 15, 12]
    """
    validation_size = check_share(validation_size, "validation_size")
    test_size = check_share(test_size, "test_size")
    if test_size == 0 or validation_size + test_size >= 1:
        raise ValueError(
            "test_size must be above 0 and leave something to train on beside validation_size, got "
            f"test_size={test_size}, validation_size={validation_size}."
        )
    if random_state is None:
        random_state = np.random.RandomState()
    X, y = load_digits(return_X_y=True)
    X = (X / 16).reshape(-1, 1, 8, 8).astype(np.float32)  # sixteenths: exact in float32
    X, X_test, y, y_test = train_test_split(
        X, y, test_size=validation_size + test_size, stratify=y, random_state=random_state
    )
    sampler = LongTailSampler(imbalance_factor, order=order, random_state=random_state)
    X_train, y_train = sampler.fit_resample(X, y)
    parts = {"X_train": X_train, "y_train": y_train}
    if validation_size > 0:
        parts["X_val"], X_test, parts["y_val"], y_test = train_test_split(
            X_test,
            y_test,
            test_size=test_size / (validation_size + test_size),
            stratify=y_test,
            random_state=random_state,
        )
    return Bunch(**parts, X_test=X_test, y_test=y_test)
