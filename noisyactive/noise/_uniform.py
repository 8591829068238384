"""Uniform label noise."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._rate import BaseRateLabelNoise


class UniformLabelNoise(BaseRateLabelNoise):
    """Replace labels by one of the other classes, each equally likely.

    A label is replaced with probability `noise_rate`, whatever its class and its sample. The
    own class is never drawn, so `noise_rate` is the expected share of wrong labels.

    Parameters
    ----------
    noise_rate : float
        Probability that a label is replaced, in [0, 1).
    exact : bool, default=False
        Replace exactly ``round(noise_rate * n_c)`` labels of each class, `n_c` being the number
        of its samples in the `y` transformed (halves round to even), instead of each label
        independently.
    keep_classes : array-like of shape (n_kept_classes,), default=None
        Classes that take no part: their labels are not replaced, and no label becomes one of
        them. At least two other classes must remain, unless `noise_rate` is 0.
    random_state : int, RandomState instance or None, default=None
        Determines which labels are replaced, and by what. With an int, every `transform` of the
        same labels returns the same, and the noise does not depend on what else is drawn with
        that int. None draws fresh entropy from the operating system; NumPy's global random
        state is neither read nor changed.

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

    Notes
    -----
    For one int as `random_state`, the labels replaced at a lower `noise_rate` are a subset of
    those replaced at a higher one, and are replaced by the same: a study over noise rates
    compares like with like.

    References
    ----------
    .. [1] B. Khanal, T. Dai, B. Bhattarai, C. Linte, "Active Label Refinement for Robust
           Training of Imbalanced Medical Image Classification Tasks in the Presence of High
           Label Noise", MICCAI 2024, :doi:`10.1007/978-3-031-72120-5_4`, section 3.1.

    Examples
    --------
    >>> from noisyactive.noise import UniformLabelNoise
    >>> y = ["cat", "dog", "horse", "cat", "dog", "horse"]
    >>> noise = UniformLabelNoise(0.5, exact=True, random_state=0)
    >>> noise.fit_transform(y).tolist()
    ['cat', 'cat', 'horse', 'horse', 'dog', 'dog']
    >>> noise.flip_mask_
    array([False,  True, False,  True, False,  True])
    >>> noise.noise_rate_
    0.5
    >>> noise.transition_matrix_
    array([[0.5, 0. , 0.5],
           [0.5, 0.5, 0. ],
           [0. , 0.5, 0.5]])
    """

    def _propose(
        self, codes: NDArray[np.intp], X: Any, rng: np.random.RandomState
    ) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
        shift = rng.randint(1, len(self._free_codes), size=len(codes))
        return self._class_probabilities[codes], self._shifted(codes, shift)
