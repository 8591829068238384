"""Entropy, weighted by how rare the classes are that a sample may belong to."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.validation import _num_samples

from .._issues import BLOCK
from .._proba import predicted_proba, proba_table
from .._rows import large_as_rows
from .._typing import HasProba, Samples
from ._request import best_first, check_request, scores_in_blocks
from ._uncertainty import entropies


def rare_entropy_scores(proba: ArrayLike) -> NDArray[np.float64]:
    """Entropy of each sample's class probabilities, higher where rare classes are possible.

    The entropy times ``sum_c p_c / max(n_c, 1)``, with ``n_c = sum_i p_ic`` the expected number of
    samples of class c. Weighting by the inverse class size gives all classes the same total
    weight [1]_, except those with less than one expected sample.

    Parameters
    ----------
    proba : array-like of shape (n_samples, n_classes)
        Class probabilities; zeros are fine.

    Returns
    -------
    scores : ndarray of shape (n_samples,)
        Scores of at least 0; comparable within one call only.

    Raises
    ------
    ValueError
        If a row of `proba` is not a probability distribution.

    References
    ----------
    .. [1] G. King, L. Zeng, "Logistic Regression in Rare Events Data", Political Analysis, 2001,
           :doi:`10.1093/oxfordjournals.pan.a004868`.

    Examples
    --------
    >>> from noisyactive.query import rare_entropy_scores
    >>> proba = [[0.5, 0.5, 0.0], [0.5, 0.0, 0.5], [0.9, 0.0, 0.1], [1.0, 0.0, 0.0]]
    >>> rare_entropy_scores(proba).round(3).tolist()
    [0.466, 0.466, 0.133, 0.0]
    """
    sizes: list[NDArray[np.float64]] = []

    def entropy(block: NDArray[np.float64], rows: slice) -> NDArray[np.float64]:
        # After the sum of the blocks before, as if all rows were added one after the other.
        sizes[:] = [np.concatenate([*(size[None] for size in sizes), block]).sum(axis=0)]
        return entropies(block)

    scores = scores_in_blocks(proba, entropy)
    weights = 1 / np.maximum(sizes[0], 1)
    table = proba_table(proba)
    for start in range(0, len(scores), BLOCK):
        rows = slice(start, start + BLOCK)
        scores[rows] *= np.ascontiguousarray(table[rows], dtype=np.float64) @ weights
    return scores


def rare_entropy_sampling(
    classifier: HasProba,
    X: Samples,
    n_instances: int = 1,
    random_tie_break: bool = False,
    *,
    posterior: ArrayLike | None = None,
    random_state: int | np.random.RandomState | None = None,
) -> NDArray[np.intp]:
    """Choose the samples of highest entropy, preferring those that may belong to a rare class.

    Parameters
    ----------
    classifier, X, n_instances, random_tie_break, random_state
        As for `entropy_sampling`.
    posterior : array-like of shape (n_samples, n_classes), default=None
        Class probabilities given the current labels too, used in place of `predict_proba`.
        `ActiveLabelCleaner` passes them with ``trust="crossfit"``.

    Returns
    -------
    indices : ndarray of shape (min(n_instances, n_samples),)
        Indices into `X`, highest `rare_entropy_scores` first.

    Raises
    ------
    ValueError
        If `X` is empty, the probabilities are not valid or have another number of rows than `X`,
        or a parameter is not as described.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> from noisyactive.query import rare_entropy_sampling
    >>> X, y = load_iris(return_X_y=True)
    >>> model = LogisticRegression(max_iter=1000).fit(X, y)
    >>> learner = SimpleNamespace(estimator=model, predict_proba=model.predict_proba)
    >>> chosen = rare_entropy_sampling(learner, X, n_instances=5)
    >>> bool(model.predict_proba(X)[chosen].max(axis=1).max() < 0.6)
    True
    """
    n_wanted = check_request(X, n_instances, random_tie_break)
    proba = predicted_proba(classifier, large_as_rows(X)) if posterior is None else posterior
    scores = rare_entropy_scores(proba)
    if len(scores) != (n_samples := _num_samples(X)):
        raise ValueError(f"posterior must have {n_samples} rows, as X; got {len(scores)}.")
    return best_first(scores, n_wanted, random_tie_break, random_state, "rare_entropy_sampling")
