"""Which labels to trust, for any classifier: confident learning on out-of-fold probabilities."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import mannwhitneyu
from sklearn.base import clone
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.utils.validation import _check_method_params

from .._codes import rank_within_class
from .._interrupts import interrupts_raised
from .._proba import aligned_proba
from .._rows import take_rows

_MOST_TESTED = 30


def out_of_fold_proba(
    estimator: Any,
    X: Any,
    classes: NDArray[Any],
    codes: NDArray[np.intp],
    *,
    n_folds: int,
    rng: np.random.RandomState,
    groups: NDArray[Any] | None = None,
    fit_params: Mapping[str, Any] | None = None,
) -> NDArray[np.float64]:
    """Probabilities for every sample from a clone that was fitted without it.

    Classes are spread evenly over the folds, with groups as far as these allow. A class with
    fewer samples than folds is missing from some folds, and one with a single sample from the
    training part of its own: its probability is 0 there.

    Parameters
    ----------
    estimator : classifier
        Cloned and fitted once a fold.
    X : object of length n_samples
        Samples.
    classes : ndarray of shape (n_classes,)
        Sorted classes.
    codes : ndarray of int of shape (n_samples,)
        Labels, as indices into `classes`.
    n_folds : int
        Folds, at least 2.
    rng : RandomState
        Assigns samples to folds.
    groups : ndarray of shape (n_samples,), default=None
        Samples of a group are in one fold: no clone predicts samples of a group it was fitted to.
    fit_params : mapping of str to object, default=None
        Parameters of the estimator's `fit`; those of length n_samples are sliced.

    Returns
    -------
    ndarray of shape (n_samples, n_classes)
        Out-of-fold probabilities.
    """
    folds = (
        assign_folds(codes, n_folds, rng)
        if groups is None
        else assign_group_folds(codes, groups, n_folds, rng)
    )
    proba = np.zeros((len(codes), len(classes)))
    for fold in np.unique(folds):
        train, test = np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)
        known = np.unique(codes[train])
        if len(known) < 2:
            proba[np.ix_(test, known)] = 1
            continue
        params = _check_method_params(X, fit_params or {}, train)
        with interrupts_raised():
            fitted = clone(estimator).fit(take_rows(X, train), classes[codes[train]], **params)
        proba[test] = aligned_proba(fitted, take_rows(X, test), classes)
    return proba


def assign_folds(
    codes: NDArray[np.intp], n_folds: int, rng: np.random.RandomState
) -> NDArray[np.intp]:
    """Fold of each sample, of shape (n_samples,): every class is spread evenly."""
    ranks = rank_within_class(codes, rng.random_sample(len(codes)))
    # Every class starts in another fold, or the rarest would all meet in the first.
    return (ranks + codes) % n_folds


def assign_group_folds(
    codes: NDArray[np.intp], groups: NDArray[Any], n_folds: int, rng: np.random.RandomState
) -> NDArray[np.intp]:
    """Fold of each sample, of shape (n_samples,): whole groups, classes as evenly as they allow."""
    n_folds = min(n_folds, len(np.unique(groups)))
    if n_folds < 2:
        raise ValueError("groups must hold at least 2 groups, got one.")
    folds = np.empty(len(codes), dtype=np.intp)
    splitter = StratifiedGroupKFold(n_folds, shuffle=True, random_state=rng)
    with warnings.catch_warnings():  # rare classes cannot be in every fold, as documented
        warnings.filterwarnings("ignore", "The least populated class", UserWarning)
        for fold, (_, rows) in enumerate(splitter.split(codes, codes, groups)):
            folds[rows] = fold
    return folds


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
