"""Uncertainty sampling: entropy, margin, least confidence."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .._typing import HasProba, Samples
from ._request import best_first, check_request, pool_scores, scores_in_blocks


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
    return scores_in_blocks(proba, lambda block, rows: entropies(block))


def entropies(proba: NDArray[np.float64]) -> NDArray[np.float64]:
    """Entropy of each row of class probabilities that are checked, of shape (n_samples,)."""
    logarithm = np.log(proba, out=np.zeros_like(proba), where=proba > 0)
    return np.maximum(0 - np.einsum("ij,ij->i", proba, logarithm), 0)


def entropy_sampling(
    classifier: HasProba,
    X: Samples,
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
        If `X` is empty, `predict_proba` does not return probabilities, or a parameter is not as
        described.

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
    scores = pool_scores(classifier, X, entropy_scores)
    return best_first(scores, n_instances, random_tie_break, random_state, "entropy_sampling")


def margin_scores(proba: ArrayLike) -> NDArray[np.float64]:
    """How close the two most probable classes of each sample are.

    ``1 - (p_first - p_second)``, one minus the margin of [1]_, so that samples with a higher
    score are queried first.

    Parameters
    ----------
    proba : array-like of shape (n_samples, n_classes)
        Class probabilities; zeros are fine.

    Returns
    -------
    scores : ndarray of shape (n_samples,)
        Scores from 0 (certain) to 1 (two classes equally probable).

    Raises
    ------
    ValueError
        If a row of `proba` is not a probability distribution.

    References
    ----------
    .. [1] T. Scheffer, C. Decomain, S. Wrobel, "Active Hidden Markov Models for Information
           Extraction", IDA 2001, :doi:`10.1007/3-540-44816-0_31`.

    Examples
    --------
    >>> from noisyactive.query import margin_scores
    >>> margin_scores([[0.9, 0.1, 0.0], [0.4, 0.35, 0.25]]).round(2).tolist()
    [0.2, 0.95]
    """
    return scores_in_blocks(proba, lambda block, rows: _closeness(block))


def _closeness(proba: NDArray[np.float64]) -> NDArray[np.float64]:
    if proba.shape[1] == 1:
        return np.zeros(len(proba))
    top = np.partition(proba, -2, axis=1)
    return 1 - (top[:, -1] - top[:, -2])


def margin_sampling(
    classifier: HasProba,
    X: Samples,
    n_instances: int = 1,
    random_tie_break: bool = False,
    *,
    random_state: int | np.random.RandomState | None = None,
) -> NDArray[np.intp]:
    """Choose the samples whose two most probable classes are closest.

    Parameters
    ----------
    classifier, X, n_instances, random_tie_break, random_state
        As for `entropy_sampling`.

    Returns
    -------
    indices : ndarray of shape (min(n_instances, n_samples),)
        Indices into `X`, highest `margin_scores` first.

    Raises
    ------
    ValueError
        As `entropy_sampling`.
    """
    n_instances = check_request(X, n_instances, random_tie_break)
    scores = pool_scores(classifier, X, margin_scores)
    return best_first(scores, n_instances, random_tie_break, random_state, "margin_sampling")


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
    return scores_in_blocks(proba, lambda block, rows: 1 - block.max(axis=1))


def least_confidence_sampling(
    classifier: HasProba,
    X: Samples,
    n_instances: int = 1,
    random_tie_break: bool = False,
    *,
    random_state: int | np.random.RandomState | None = None,
) -> NDArray[np.intp]:
    """Choose the samples whose most probable class is least probable.

    Parameters
    ----------
    classifier, X, n_instances, random_tie_break, random_state
        As for `entropy_sampling`.

    Returns
    -------
    indices : ndarray of shape (min(n_instances, n_samples),)
        Indices into `X`, highest `least_confidence_scores` first.

    Raises
    ------
    ValueError
        As `entropy_sampling`.
    """
    n_instances = check_request(X, n_instances, random_tie_break)
    scores = pool_scores(classifier, X, least_confidence_scores)
    return best_first(
        scores, n_instances, random_tie_break, random_state, "least_confidence_sampling"
    )
