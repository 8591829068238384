"""Disagreement between a label and the posterior."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .._proba import check_proba, codes_of_proba, predicted_proba, proba_table, warn_of_memory
from .._rows import large_as_rows
from .._typing import Samples
from ._request import best_first, check_request, scores_in_blocks
from ._uncertainty import entropies


def label_disagreement_scores(
    y: ArrayLike, proba: ArrayLike, *, classes: ArrayLike | None = None
) -> NDArray[np.float64]:
    """How strongly the posterior contradicts each label.

    ``-log p_y - H(p)``, cross-entropy of posterior and label minus entropy of the posterior [1]_:
    high where a confident posterior disagrees with the label, low where it agrees, and about 0
    where the posterior is uniform.

    Parameters
    ----------
    y : array-like of shape (n_samples,)
        Current labels.
    proba : array-like of shape (n_samples, n_classes)
        Class probabilities. A label of probability 0 is scored as if it had the smallest positive
        float64, a finite number.
    classes : array-like of shape (n_classes,), default=None
        The class of each column of `proba`. None means what a DataFrame calls them, or else the
        sorted distinct labels of `y`, of which there must be as many as columns.

    Returns
    -------
    scores : ndarray of shape (n_samples,)
        Scores in nats; the higher, the more suspicious the label.

    Raises
    ------
    ValueError
        If a row of `proba` is not a probability distribution, the lengths differ, the classes are
        not as many as columns or hold one twice, or a label is not among them.

    References
    ----------
    .. [1] M. Bernhardt et al., "Active label cleaning for improved dataset quality under resource
           constraints", Nature Communications 13, 2022, :doi:`10.1038/s41467-022-28818-3`.

    Examples
    --------
    >>> from noisyactive.query import label_disagreement_scores
    >>> proba = [[0.9, 0.1], [0.5, 0.5], [0.9, 0.1]]
    >>> label_disagreement_scores(["cat", "cat", "dog"], proba).round(2).tolist()
    [-0.22, 0.0, 1.98]
    """
    return _scores_and_agreement(y, proba, classes)[0]


def _scores_and_agreement(
    y: ArrayLike, proba: ArrayLike, classes: ArrayLike | None
) -> tuple[NDArray[np.float64], int]:
    """Scores, and how many labels are the most probable class."""
    array = proba_table(proba)
    check_proba(array[:1] if array.ndim else array)  # before anything is said about y
    _, codes = codes_of_proba(y, proba, classes)
    n_agreeing = 0

    def score(block: NDArray[np.float64], rows: slice) -> NDArray[np.float64]:
        nonlocal n_agreeing
        n_agreeing += int((block.argmax(axis=1) == codes[rows]).sum())
        p_label = block[np.arange(len(block)), codes[rows]]
        return -np.log(np.maximum(p_label, np.finfo(np.float64).tiny)) - entropies(block)

    return scores_in_blocks(proba, score), n_agreeing


def rank_suspects(
    y: ArrayLike, proba: ArrayLike, *, classes: ArrayLike | None = None
) -> NDArray[np.intp]:
    """Rank all labels, the most suspicious one first.

    Labels are ranked by `label_disagreement_scores`, without queries or answers. The probabilities
    should come from a model that has not memorised these labels: one that is robust to label
    noise, or out-of-fold predictions (``cross_val_predict(..., method="predict_proba")``).
    `noisyactive.find_label_issues` sees to that, and ranks better: it knows of the label noise.

    Parameters
    ----------
    y : array-like of shape (n_samples,)
        Current labels.
    proba : array-like of shape (n_samples, n_classes)
        Class probabilities.
    classes : array-like of shape (n_classes,), default=None
        The class of each column of `proba`. None means what a DataFrame calls them, or else the
        sorted distinct labels of `y`, of which there must be as many as columns.

    Returns
    -------
    indices : ndarray of shape (n_samples,)
        Every sample once; equally suspicious ones in the order of their indices.

    Raises
    ------
    ValueError
        As `label_disagreement_scores`.

    Examples
    --------
    >>> from noisyactive.query import rank_suspects
    >>> rank_suspects(["cat", "cat", "dog"], [[0.9, 0.1], [0.5, 0.5], [0.9, 0.1]]).tolist()
    [2, 1, 0]
    """
    scores, n_agreeing = _scores_and_agreement(y, proba, classes)
    warn_of_memory(n_agreeing, len(scores))
    return best_first(scores, len(scores), False, None, "rank_suspects")


def label_disagreement_sampling(
    classifier: Any,
    X: Samples,
    n_instances: int = 1,
    random_tie_break: bool = False,
    *,
    y: ArrayLike | None = None,
    random_state: int | np.random.RandomState | None = None,
) -> NDArray[np.intp]:
    """Choose the samples whose current label the classifier contradicts most strongly.

    Parameters
    ----------
    classifier : modAL.models.ActiveLearner or alike
        A learner whose `estimator` is fitted; here its `predict_proba` is called. Columns follow
        the ``classes_`` of the learner, or else those of the estimator.
    X : array-like, tensor, DataFrame or Dataset of shape (n_samples, ...)
        The pool, of whatever kind the estimator takes.
    n_instances, random_tie_break, random_state
        As for `entropy_sampling`.
    y : array-like of shape (n_samples,)
        Current labels of the rows of `X`; required.

    Returns
    -------
    indices : ndarray of shape (min(n_instances, n_samples),)
        Indices into `X`, highest `label_disagreement_scores` first.

    Raises
    ------
    ValueError
        If `X` is empty, `y` is missing, has another length or an unknown label, `predict_proba`
        does not return probabilities, or a parameter is not as described.

    References
    ----------
    .. [1] M. Bernhardt et al., "Active label cleaning for improved dataset quality under resource
           constraints", Nature Communications 13, 2022, :doi:`10.1038/s41467-022-28818-3`.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> from noisyactive.query import label_disagreement_sampling
    >>> X, y = load_iris(return_X_y=True)
    >>> model = LogisticRegression(max_iter=1000).fit(X, y)
    >>> learner = SimpleNamespace(estimator=model, predict_proba=model.predict_proba)
    >>> y[7] = 2  # a wrong label
    >>> label_disagreement_sampling(learner, X, y=y).tolist()
    [7]
    """
    n_instances = check_request(X, n_instances, random_tie_break)
    if y is None:
        raise ValueError("label_disagreement_sampling needs y, the current labels of the pool X.")
    owner = classifier if hasattr(classifier, "classes_") else classifier.estimator
    proba = predicted_proba(classifier, large_as_rows(X))
    scores = label_disagreement_scores(y, proba, classes=owner.classes_)
    stream = "label_disagreement_sampling"
    return best_first(scores, n_instances, random_tie_break, random_state, stream)
