"""Scores of candidates against what they and the noisy labels say together."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .._arrays import as_array
from .._codes import find_codes
from .._labels import find_classes, merge_classes
from ._confusion import check_label_scoring, score_confusion_matrix
from ._matrix import Noise


def consensus_scores(
    y_noisy: ArrayLike,
    predictions: ArrayLike,
    scoring: str | Callable[..., float] = "balanced_accuracy",
    *,
    transition_matrix: ArrayLike | None = None,
    noise_rate: float | None = None,
    classes: ArrayLike | None = None,
) -> NDArray[np.float64]:
    """Score candidates against what all of them and the noisy labels say together.

    Every sample's true class is guessed by Bayes' rule: ``P(true=i | noisy=j)`` is proportional
    to ``v_i * T[i, j]``, where ``v_i`` is the share of candidates that predict class i. The score
    of a candidate is that of its predictions against these guesses, each class counting with its
    probability. Guesses vary less than noisy labels do, and pay for it with a bias towards what
    most candidates say.

    Parameters
    ----------
    y_noisy : array-like of shape (n_samples,)
        Noisy labels.
    predictions : array-like of shape (n_candidates, n_samples)
        Labels that each candidate predicts for samples that it was not fitted to:
        ``cross_val_predict(candidate, X, y_noisy)``, the same folds for all.
    scoring : str or callable, default="balanced_accuracy"
        Name of a scikit-learn scorer of predicted labels, or such a scorer from ``make_scorer``
        whose metric takes `sample_weight`.
    transition_matrix : array-like of shape (n_classes, n_classes), default=None
        ``T[i, j] = P(noisy=j | true=i)``, invertible, each row summing to 1, in the order of
        `classes`. (Some libraries use the transpose.) Give either this or `noise_rate`.
    noise_rate : float, default=None
        In [0, 1): labels are wrong with this probability, each other class being equally likely.
    classes : array-like of shape (n_classes,), default=None
        All classes, sorted. None takes those in `y_noisy` and `predictions`.

    Returns
    -------
    ndarray of shape (n_candidates,)
        Scores, higher being better; ``argmax`` chooses. They serve to compare these candidates:
        their level is too high, since the guesses depend on the candidates.

    Raises
    ------
    TypeError
        If not exactly one of `transition_matrix` and `noise_rate` is given.
    ValueError
        If a parameter is not as described, or shapes do not fit each other.

    See Also
    --------
    noise_corrected_scorer : Looks at one candidate at a time, inside a grid search.

    Notes
    -----
    For candidates of similar quality, such as values of `mix_ratio`: what most of them get wrong
    in the same way counts as right, and many poor ones outvote a good one. Where noisy scores
    differ clearly, go by these. With balanced accuracy, a class that only one candidate predicts
    counts for that candidate. In examples/plot_choose_mix_ratio.py this was the only way of
    choosing that cost less than picking at random.

    Examples
    --------
    >>> from sklearn.datasets import make_blobs
    >>> from sklearn.model_selection import cross_val_predict
    >>> from sklearn.neighbors import KNeighborsClassifier
    >>> from noisyactive.model_selection import consensus_scores
    >>> from noisyactive.noise import UniformLabelNoise
    >>> X, y = make_blobs(300, centers=3, random_state=0)
    >>> y_noisy = UniformLabelNoise(0.4, random_state=0).fit_transform(y)
    >>> candidates = [KNeighborsClassifier(k) for k in (1, 5, 25)]
    >>> predictions = [cross_val_predict(knn, X, y_noisy) for knn in candidates]
    >>> candidates[consensus_scores(y_noisy, predictions, noise_rate=0.4).argmax()]
    KNeighborsClassifier(n_neighbors=25)
    """
    noise = Noise.check(transition_matrix, noise_rate, classes)
    scorer = check_label_scoring(scoring)
    present, codes = find_classes(y_noisy, name="y_noisy")
    votes = as_array(predictions, "predictions")
    if votes.ndim != 2 or not len(votes) or votes.shape[1] != len(codes):
        raise ValueError(
            f"predictions must be of shape (n_candidates, n_samples), here (n_candidates, "
            f"{len(codes)}), as long as y_noisy; its shape is {votes.shape}."
        )
    predicted, vote_codes = find_classes(votes.ravel(), name="predictions")
    known = noise.classes
    if known is None:
        known = merge_classes(present, predicted, name="y_noisy and predictions")
    codes = find_codes(present.tolist(), known, name="y_noisy")[codes]
    vote_codes = find_codes(predicted.tolist(), known, name="predictions")[vote_codes]
    vote_codes = vote_codes.reshape(votes.shape)
    guesses = guess_labels(codes, vote_codes, noise.matrix_of(known))
    return np.array(
        [
            score_confusion_matrix(scorer, expected_confusion(guesses, candidate), known)
            for candidate in vote_codes
        ]
    )


def guess_labels(
    codes: NDArray[np.intp], vote_codes: NDArray[np.intp], matrix: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Probabilities of the true classes, given noisy labels and votes.

    Parameters
    ----------
    codes : ndarray of int of shape (n_samples,)
        Noisy labels.
    vote_codes : ndarray of int of shape (n_candidates, n_samples)
        Votes.
    matrix : ndarray of shape (n_classes, n_classes)
        ``T[i, j] = P(noisy=j | true=i)``.

    Returns
    -------
    ndarray of shape (n_samples, n_classes)
        Rows sum to 1. Where the label is impossible given the votes, the votes decide.
    """
    shares = np.zeros((len(codes), len(matrix)))
    for candidate in vote_codes:
        shares[np.arange(len(codes)), candidate] += 1 / len(vote_codes)
    joint = shares * matrix[:, codes].T
    joint = np.where(joint.sum(axis=1, keepdims=True) > 0, joint, shares)
    return joint / joint.sum(axis=1, keepdims=True)


def expected_confusion(guesses: NDArray[np.float64], predicted: NDArray[np.intp]) -> NDArray[Any]:
    """Confusion matrix of predicted codes, each true class counting with its probability."""
    confusion = np.zeros((guesses.shape[1], guesses.shape[1]))
    np.add.at(confusion, predicted, guesses)
    return confusion.T
