"""Folds of samples, and predictions for each sample by a classifier that did not learn it."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
from joblib import effective_n_jobs
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.model_selection import StratifiedGroupKFold, check_cv
from sklearn.utils.parallel import Parallel, delayed
from sklearn.utils.validation import _check_method_params

from ._arrays import naming
from ._codes import rank_within_class
from ._interrupts import interrupts_raised
from ._pipeline import transform_once
from ._proba import aligned_proba
from ._rows import for_processes, view_rows
from ._samples import asking


def out_of_fold_proba(
    estimator: Any,
    X: Any,
    classes: NDArray[Any],
    codes: NDArray[np.intp],
    folds: NDArray[np.intp],
    *,
    fit_params: Mapping[str, Any] | None = None,
    n_jobs: int | None = None,
) -> NDArray[np.float64]:
    """Probabilities for every sample from a clone that was fitted without it.

    The leading steps of a pipeline that learn nothing are applied once, to all samples. A class
    that a clone was not fitted to has a probability of 0 in its fold.

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
    folds : ndarray of int of shape (n_samples,)
        Fold of each sample.
    fit_params : mapping of str to object, default=None
        Parameters of the estimator's `fit`; those of length n_samples are sliced.
    n_jobs : int, default=None
        Folds at a time, as in joblib.

    Returns
    -------
    ndarray of shape (n_samples, n_classes)
        Out-of-fold probabilities.
    """
    _, estimator, X = transform_once(estimator, X, fit_params or {})
    proba = np.zeros((len(codes), len(classes)))
    numbers = np.unique(folds)
    fit_params = dict(fit_params or {})
    if effective_n_jobs(n_jobs) > 1:
        X = for_processes(X)
        fit_params = {name: for_processes(value) for name, value in fit_params.items()}
    found = Parallel(n_jobs=n_jobs)(
        delayed(_of_fold)(estimator, X, classes, codes, folds != fold, fit_params)
        for fold in numbers
    )
    for fold, of_fold in zip(numbers, found, strict=True):
        proba[folds == fold] = of_fold
    return proba


def _of_fold(
    estimator: Any,
    X: Any,
    classes: NDArray[Any],
    codes: NDArray[np.intp],
    learned: NDArray[np.bool_],
    fit_params: Mapping[str, Any],
) -> NDArray[np.float64]:
    """Probabilities for the samples that a clone does not learn."""
    train, test = np.flatnonzero(learned), np.flatnonzero(~learned)
    known = np.unique(codes[train])
    if len(known) < 2:
        proba = np.zeros((len(test), len(classes)))
        proba[:, known] = 1
        return proba
    params = _check_method_params(X, fit_params, train)
    with interrupts_raised(), asking("X or y"):
        fitted = clone(estimator).fit(view_rows(X, train), classes[codes[train]], **params)
    return aligned_proba(fitted, view_rows(X, test), classes)


def make_folds(
    codes: NDArray[np.intp],
    groups: NDArray[Any] | None,
    n_folds: int,
    rng: np.random.RandomState,
) -> NDArray[np.intp]:
    """Fold of each sample, from 0, of shape (n_samples,); none is empty.

    Classes are spread evenly over the folds, with groups, which stay whole, as far as these allow.
    """
    folds = (
        assign_folds(codes, n_folds, rng)
        if groups is None
        else assign_group_folds(codes, groups, n_folds, rng)
    )
    return np.unique(folds, return_inverse=True)[1]  # few groups make fewer folds


def folds_of(cv: Any, X: Any, y: NDArray[Any], groups: NDArray[Any] | None) -> NDArray[np.intp]:
    """Fold of each sample, from 0, by a cross-validation generator or an iterable of splits.

    Parameters
    ----------
    cv : cross-validation generator or iterable
        Splits.
    X : object of length n_samples
        Samples.
    y : ndarray of shape (n_samples,)
        Labels.
    groups : ndarray of shape (n_samples,) or None
        Samples that belong together.

    Returns
    -------
    ndarray of int of shape (n_samples,)
        Number of the split whose test part has the sample.

    Raises
    ------
    ValueError
        If a sample is in no test part or in several, or a split trains on anything but the others.
    """
    folds = np.full(len(y), -1)
    with naming("cv", "groups", kinds=(TypeError, ValueError, IndexError)):
        splits = [tuple(map(np.asarray, split)) for split in check_cv(cv).split(X, y, groups)]
    if any(part.dtype.kind not in "iu" for split in splits for part in split) or any(
        len(split) != 2 for split in splits
    ):
        raise ValueError("cv must give pairs (train, test) of row numbers.")
    for fold, (train, test) in enumerate(splits):
        if (
            (folds[test] >= 0).any()
            or len(np.union1d(train, test)) < len(y)
            or np.intersect1d(train, test).size
        ):
            raise ValueError(
                "cv must put every sample into one test part, and train on all others: KFold and "
                "the like, not ShuffleSplit or TimeSeriesSplit."
            )
        folds[test] = fold
    if (folds < 0).any():
        raise ValueError("cv must put every sample into a test part.")
    if groups is not None:
        members = np.unique(groups, return_inverse=True)[1]
        pairs = np.unique(members * (folds.max() + 1) + folds)
        if len(pairs) > members.max() + 1:
            raise ValueError("cv must not split groups: pass a number, GroupKFold or the like.")
    return folds


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
