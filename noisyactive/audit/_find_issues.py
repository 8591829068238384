"""Which labels are wrong, as one call."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from .._typing import Classifier, Folds, Labels, Samples
from ._label_audit import LabelAudit

if TYPE_CHECKING:
    import pandas as pd


def find_label_issues(
    estimator: Classifier | None,
    X: Samples,
    y: Labels,
    *,
    cv: Folds = 5,
    groups: ArrayLike | None = None,
    n_jobs: int | None = None,
    random_state: int | np.random.RandomState | None = None,
    **fit_params: Any,
) -> pd.DataFrame:
    """Find labels that are probably wrong.

    Parameters
    ----------
    estimator : classifier or None
        Any with `predict_proba`, as a Pipeline; clones of it judge labels that they did not learn.
        None: no training, the labels of similar samples vote; `X` may hold features of images or
        texts, as a pretrained network's, in place of these.
    X : object of length n_samples
        Samples, of any kind that the estimator takes: arrays, DataFrames, sparse matrices, texts,
        Datasets, files (`h5py.Dataset` and its like, map-style `datasets.Dataset`).
    y : array-like of shape (n_samples,) or (n_samples, n_annotators)
        Labels. Of several annotators, ``given`` is their consensus; see `AnnotatorConsensus`.
    cv : int, cross-validation generator or iterable, default=5
        Folds, as `LabelAudit` takes them.
    groups : array-like of shape (n_samples,), default=None
        Samples that belong together, as images of one patient.
    n_jobs : int, default=None
        Folds that are fitted at a time, as in joblib.
    random_state : int, RandomState or None, default=None
        Draws the folds, and seeds those parts of the estimator that have no seed of their own.
    **fit_params : dict
        Parameters of the estimator's `fit`; those of length n_samples are sliced.

    Returns
    -------
    DataFrame of n_samples rows
        The worst label first, with the index of `y`, or of `X`, or row numbers. ``given`` and
        ``suggested`` (categorical): the label, and the class that is most probably true;
        ``quality``: probability that the label is right; ``is_issue``: whether it is more probably
        wrong; ``why`` (categorical): what speaks against it, in words.

    Raises
    ------
    ValueError, TypeError
        If a parameter or the data is not as described, before any training.

    See Also
    --------
    LabelAudit : The same as an estimator, with the noise rate and where wrong labels come from.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> from noisyactive import find_label_issues
    >>> X, y = load_iris(return_X_y=True, as_frame=True)
    >>> y[10] = 2
    >>> issues = find_label_issues(LogisticRegression(max_iter=1000), X, y, random_state=0)
    >>> issues.head(1)[["given", "suggested", "is_issue", "why"]]
       given suggested  is_issue                       why
    10     2         0      True  looks like 0, not like 2
    """
    audit = LabelAudit(estimator, cv=cv, n_jobs=n_jobs, random_state=random_state)
    return audit.fit(X, y, groups=groups, **fit_params).issues_


def issues_from_proba(
    y: Labels, proba: Samples, *, classes: ArrayLike | None = None
) -> pd.DataFrame:
    """Find labels that are probably wrong, by class probabilities computed anywhere.

    Parameters
    ----------
    y : array-like of shape (n_samples,)
        Labels.
    proba : array-like of shape (n_samples, n_classes)
        Class probabilities, from models that did not learn the labels that they are about:
        out-of-fold, as ``cross_val_predict(..., method="predict_proba")`` returns them, or of a
        model that was trained on other samples. Those of a model that was fitted to these labels
        say that all are right. May be a memory map.
    classes : array-like of shape (n_classes,), default=None
        The class of each column. None means what a DataFrame calls them, or else the sorted
        distinct labels of `y`.

    Returns
    -------
    DataFrame of n_samples rows
        As `find_label_issues` returns it.

    Raises
    ------
    ValueError
        If labels, probabilities or classes are not as described.

    Examples
    --------
    >>> from noisyactive.audit import issues_from_proba
    >>> issues = issues_from_proba(["cat", "cat", "dog"], [[0.9, 0.1], [0.5, 0.5], [0.9, 0.1]])
    >>> issues.index.tolist(), issues.given.tolist()
    ([2, 1, 0], ['dog', 'cat', 'cat'])
    """
    return LabelAudit("precomputed", classes=classes).fit(proba, y).issues_
