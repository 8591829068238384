"""Pair label noise."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._rate import BaseRateLabelNoise


class PairLabelNoise(BaseRateLabelNoise):
    """Replace labels by the next class.

    A label is replaced with probability `noise_rate`, by the class that follows its own in
    sorted order; the first class follows the last [1]_. It is the noise of labellers who confuse
    each class with one other; from a rate of 0.5 on, wrong labels outnumber right ones.

    Parameters
    ----------
    noise_rate : float
        Probability that a label is replaced, in [0, 1).
    exact : bool, default=False
        Replace exactly ``round(noise_rate * n_c)`` labels of each class, `n_c` being the number
        of its samples in the `y` transformed (halves round to even), instead of each label
        independently.
    keep_classes : array-like of shape (n_kept_classes,), default=None
        Classes that take no part: their labels are not replaced, and the next class is the next
        that is not kept. At least two other classes must remain, unless `noise_rate` is 0.
    random_state : int, RandomState instance or None, default=None
        Determines which labels are replaced. With an int, every `transform` of the same labels
        returns the same, and the noise does not depend on what else is drawn with that int.
        None draws fresh entropy from the operating system; NumPy's global random state is
        neither read nor changed.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The classes seen in `fit`, sorted.
    flip_mask_ : ndarray of shape (n_samples,), dtype bool
        Which labels the last `transform` replaced.
    noise_rate_ : float
        Share of all samples whose label the last `transform` replaced.
    transition_matrix_ : ndarray of shape (n_classes, n_classes)
        Realised transition matrix of the last `transform`: ``T[i, j] = P(noisy=j | true=i)``,
        rows and columns in the order of `classes_`, each row summing to 1. A class without
        samples in the `y` transformed has the row of the identity matrix.

    See Also
    --------
    TransitionLabelNoise : Noise with any choice of classes that are confused.

    Notes
    -----
    For one int as `random_state`, the labels replaced at a lower `noise_rate` are a subset of
    those replaced at a higher one.

    References
    ----------
    .. [1] B. Han, Q. Yao, X. Yu, G. Niu, M. Xu, W. Hu, I. Tsang, M. Sugiyama, "Co-teaching:
           Robust Training of Deep Neural Networks with Extremely Noisy Labels", NeurIPS 2018,
           :doi:`10.48550/arXiv.1804.06872`, section 4.

    Examples
    --------
    >>> from noisyactive.noise import PairLabelNoise
    >>> y = ["cat", "dog", "horse", "cat", "dog", "horse"]
    >>> noise = PairLabelNoise(0.5, exact=True, random_state=0)
    >>> noise.fit_transform(y).tolist()
    ['dog', 'horse', 'cat', 'cat', 'dog', 'horse']
    >>> noise.transition_matrix_
    array([[0.5, 0.5, 0. ],
           [0. , 0.5, 0.5],
           [0.5, 0. , 0.5]])
    """

    def _propose(
        self, codes: NDArray[np.intp], X: Any, rng: np.random.RandomState
    ) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
        return self._class_probabilities[codes], self._shifted(codes, 1)
