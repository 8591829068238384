"""Entropy of the predicted class."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ._request import best_first, check_proba, check_request


def entropy_scores(proba: ArrayLike) -> NDArray[np.float64]:
    """Entropy of each sample's class probabilities.

    ``-sum_c p_c log p_c`` [1]_, the uncertainty over all classes.

    Parameters
    ----------
    proba : array-like of shape (n_samples, n_classes)
        Class probabilities; zeros are fine.

    Returns
    -------
    scores : ndarray of shape (n_samples,)
        Entropy in nats, from 0 (certain) to log(n_classes).

    Raises
    ------
    ValueError
        If a row of `proba` is not a probability distribution.

    References
    ----------
    .. [1] C. E. Shannon, "A Mathematical Theory of Communication", Bell System Technical Journal
           27(3), 1948, :doi:`10.1002/j.1538-7305.1948.tb01338.x`.

    Examples
    --------
    >>> from noisyactive.query import entropy_scores
    >>> entropy_scores([[1.0, 0.0], [0.5, 0.5]]).round(3).tolist()
    [0.0, 0.693]
    """
    proba = check_proba(proba)
    logarithm = np.log(proba, out=np.zeros_like(proba), where=proba > 0)
    return np.maximum(0 - np.einsum("ij,ij->i", proba, logarithm), 0)


def entropy_sampling(
    classifier: Any,
    X: Any,
    n_instances: int = 1,
    random_tie_break: bool = False,
    *,
    random_state: int | np.random.RandomState | None = None,
) -> NDArray[np.intp]:
    """Choose the samples whose predicted class has the highest entropy.

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
        Indices into `X`, highest `entropy_scores` first.

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
    >>> from noisyactive.query import entropy_sampling
    >>> X, y = load_iris(return_X_y=True)
    >>> model = LogisticRegression(max_iter=1000).fit(X, y)
    >>> learner = SimpleNamespace(estimator=model, predict_proba=model.predict_proba)
    >>> chosen = entropy_sampling(learner, X, n_instances=5)
    >>> bool(model.predict_proba(X)[chosen].max(axis=1).max() < 0.6)
    True
    """
    n_instances = check_request(X, n_instances, random_tie_break)
    scores = entropy_scores(classifier.predict_proba(X))
    return best_first(scores, n_instances, random_tie_break, random_state, "entropy_sampling")
