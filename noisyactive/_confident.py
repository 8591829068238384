"""Which labels to doubt, by confident learning on out-of-fold probabilities, and when not to."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.stats import mannwhitneyu

#: From fewer labels, chance is not told from a classifier that learns something.
FEW_ROWS = 200

_MOST_TESTED = 30


def confident_mask(proba: NDArray[np.float64], codes: NDArray[np.intp]) -> NDArray[np.bool_]:
    """Labels that confident learning has no objection to.

    A class is confidently predicted where its probability reaches the average that it has on
    the samples labelled with it; a label is doubted where the most probable of the confidently
    predicted classes is another one [1]_.

    Parameters
    ----------
    proba : ndarray of shape (n_samples, n_classes)
        Out-of-sample probabilities.
    codes : ndarray of int of shape (n_samples,)
        Given labels.

    Returns
    -------
    ndarray of bool of shape (n_samples,)
        True where the label is trusted.

    References
    ----------
    .. [1] C. Northcutt, L. Jiang, I. Chuang, "Confident Learning: Estimating Uncertainty in Dataset
           Labels", Journal of Artificial Intelligence Research, 2021,
           :doi:`10.1613/jair.1.12125`.
    """
    own = proba[np.arange(len(codes)), codes]
    counts = np.bincount(codes, minlength=proba.shape[1])
    sums = np.bincount(codes, weights=own, minlength=proba.shape[1])
    # A class that no sample is labelled with cannot be predicted confidently.
    thresholds = np.where(counts > 0, sums / np.maximum(counts, 1), np.inf)
    confident = np.where(proba >= thresholds, proba, -np.inf)
    best = confident.argmax(axis=1)
    return (best == codes) | np.isneginf(confident.max(axis=1))


def tells_labels(proba: NDArray[np.float64], codes: NDArray[np.intp]) -> bool:
    """Whether held-out probabilities say anything about the given labels.

    For some class, they are higher where the label is given than where it is not, beyond chance
    (Mann-Whitney, 5% over the thirty most frequent classes [1]_).

    Parameters
    ----------
    proba : ndarray of shape (n_samples, n_classes)
        Class probabilities from models that did not learn the labels.
    codes : ndarray of int of shape (n_samples,)
        Given labels, encoded.

    Returns
    -------
    bool
        False if nothing speaks for it.

    References
    ----------
    .. [1] H. B. Mann, D. R. Whitney, "On a Test of Whether one of Two Random Variables is
       Stochastically Larger than the Other", Annals of Mathematical Statistics, 1947,
       https://doi.org/10.1214/aoms/1177730491
    """
    sizes = np.bincount(codes, minlength=proba.shape[1])
    classes = np.argsort(-sizes, kind="stable")[:_MOST_TESTED]
    classes = classes[(sizes[classes] > 0) & (sizes[classes] < len(codes))]
    p_values = [
        mannwhitneyu(proba[codes == k, k], proba[codes != k, k], alternative="greater").pvalue
        for k in classes
    ]
    return min(p_values, default=0) * len(classes) < 0.05
