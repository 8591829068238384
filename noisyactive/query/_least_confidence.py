"""Doubt about the most probable class."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ._request import best_first, check_proba, check_request


def least_confidence_scores(proba: ArrayLike) -> NDArray[np.float64]:
    """Probability that the most probable class of each sample is wrong.

    ``1 - max_c p_c`` [1]_.

    Parameters
    ----------
    proba : array-like of shape (n_samples, n_classes)
        Class probabilities; zeros are fine.

    Returns
    -------
    scores : ndarray of shape (n_samples,)
        Scores from 0 (certain) to 1 - 1 / n_classes.

    Raises
    ------
    ValueError
        If a row of `proba` is not a probability distribution.

    References
    ----------
    .. [1] D. D. Lewis, W. A. Gale, "A Sequential Algorithm for Training Text Classifiers", SIGIR
           1994, :doi:`10.1007/978-1-4471-2099-5_1`.

    Examples
    --------
    >>> from noisyactive.query import least_confidence_scores
    >>> least_confidence_scores([[0.9, 0.1], [0.5, 0.5]]).round(2).tolist()
    [0.1, 0.5]
    """
    return 1 - check_proba(proba).max(axis=1)


def least_confidence_sampling(
    classifier: Any,
    X: Any,
    n_instances: int = 1,
    random_tie_break: bool = False,
    *,
    random_state: int | np.random.RandomState | None = None,
) -> NDArray[np.intp]:
    """Choose the samples whose most probable class is least probable.

    Parameters
    ----------
    classifier : modAL.models.ActiveLearner or alike
        A learner whose `estimator` is fitted; here its `predict_proba` is called.
    X : array-like, tensor, DataFrame or Dataset of shape (n_samples, ...)
        The pool, of whatever kind the estimator takes.
    n_instances : int, default=1
        Number of samples to choose, at least 1; more than there are chooses all.
    random_tie_break : bool, default=False
        Whether samples of exactly the same score come in random order, instead of that of their
        indices.
    random_state : int, RandomState instance or None, default=None
        Determines that random order. None draws fresh entropy from the operating system; NumPy's
        global random state is neither read nor changed.

    Returns
    -------
    indices : ndarray of shape (min(n_instances, n_samples),)
        Indices into `X`, highest `least_confidence_scores` first.

    Raises
    ------
    ValueError
        If `X` is empty, `predict_proba` returns something else than probabilities, or a parameter
        is not as described.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> from noisyactive.query import least_confidence_sampling
    >>> X, y = load_iris(return_X_y=True)
    >>> model = LogisticRegression(max_iter=1000).fit(X, y)
    >>> learner = SimpleNamespace(estimator=model, predict_proba=model.predict_proba)
    >>> chosen = least_confidence_sampling(learner, X, n_instances=5)
    >>> bool(model.predict_proba(X)[chosen].max(axis=1).max() < 0.6)
    True
    """
    n_instances = check_request(X, n_instances, random_tie_break)
    scores = least_confidence_scores(classifier.predict_proba(X))
    return best_first(
        scores, n_instances, random_tie_break, random_state, "least_confidence_sampling"
    )
