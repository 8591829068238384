"""What a confusion matrix with noisy labels says about the true ones."""

from __future__ import annotations

from collections.abc import Callable
from inspect import signature
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn import config_context
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.metrics import check_scoring

from .._arrays import as_numbers, described, naming
from .._transition_matrix import check_invertible, check_transition_matrix

_ROUND_OFF = 1e-12


def correct_confusion_matrix(
    confusion: ArrayLike, transition_matrix: ArrayLike
) -> NDArray[np.float64]:
    """Estimate the confusion matrix with true labels from the one with noisy labels.

    Where noise depends on the true class alone, the expected confusion matrix N of noisy labels
    and predictions follows from the matrix C of true labels: ``N = T.T @ C``. Solving for C, the
    backward correction of [1]_ and [2]_, is right on average, but where samples are few some
    counts come out negative. So, in the column of each predicted class:

    1. right predictions are as many as the solution says, but at least none, and at most as many
       as there are predictions;
    2. the other predictions are shared among the other classes as the solution says, where a
       negative count is taken as 0.

    Where the solution is not negative, it is the result. (Limiting the counts of wrong
    predictions alone would turn chance into errors that were not made.)

    Parameters
    ----------
    confusion : array-like of shape (n_classes, n_classes)
        Number of samples, or any other weight that is not negative, of each noisy label (rows)
        and each prediction (columns), as from ``sklearn.metrics.confusion_matrix(y_noisy,
        y_pred)``. The predictions are of samples that the classifier was not fitted to.
    transition_matrix : array-like of shape (n_classes, n_classes)
        ``T[i, j] = P(noisy=j | true=i)``, invertible, each row summing to 1, classes in the order
        of `confusion`. (Some libraries use the transpose.)

    Returns
    -------
    ndarray of shape (n_classes, n_classes)
        Estimated number of samples of each true class (rows) and each prediction (columns), not
        negative. Columns sum to what they sum to in `confusion`.

    Raises
    ------
    ValueError
        If `confusion` or `transition_matrix` is not such a matrix, or their shapes differ.

    References
    ----------
    .. [1] N. Natarajan, I. S. Dhillon, P. Ravikumar, A. Tewari, "Learning with Noisy Labels",
           NIPS 2013, https://papers.nips.cc/paper/5073-learning-with-noisy-labels.
    .. [2] G. Patrini, A. Rozza, A. K. Menon, R. Nock, L. Qu, "Making Deep Neural Networks Robust
           to Label Noise: a Loss Correction Approach", CVPR 2017,
           :doi:`10.1109/CVPR.2017.240`.

    Examples
    --------
    A perfect classifier of 100 cats and 20 dogs, half of the cats being labelled dogs:

    >>> from noisyactive.model_selection import correct_confusion_matrix
    >>> correct_confusion_matrix([[50, 0], [50, 20]], [[0.5, 0.5], [0, 1]])
    array([[100.,   0.],
           [  0.,  20.]])
    """
    matrix = check_invertible(check_transition_matrix(transition_matrix))
    counts = as_numbers(confusion, "confusion", shape="(n_classes, n_classes)", n_dims=2)
    if counts.shape != matrix.shape:
        raise ValueError(
            "confusion and transition_matrix must be of the same shape; got "
            f"{counts.shape} and {matrix.shape}."
        )
    if not ((counts >= 0) & np.isfinite(counts)).all():
        raise ValueError(
            f"confusion must hold counts that are finite and not negative; got {counts.tolist()}."
        )
    totals = counts.sum(axis=0)
    solution = np.linalg.solve(matrix.T, counts)
    right = np.clip(solution.diagonal(), 0, totals)
    wrong = np.clip(solution, 0, None)
    np.fill_diagonal(wrong, 0)
    shares = wrong.sum(axis=0)
    right = np.where(shares > 0, right, totals)
    wrong *= np.divide(totals - right, shares, out=np.zeros_like(totals), where=shares > 0)
    corrected = wrong + np.diag(right)
    # Rounding errors would count as predictions of a class that has none.
    return np.where(corrected > _ROUND_OFF * totals, corrected, 0)


def check_scorer(scoring: str | Callable[..., float]) -> Callable[..., float]:
    """Turn `scoring` into a scorer, or say why not."""
    if not (isinstance(scoring, str) or callable(scoring)):
        raise TypeError(
            "scoring must be the name of a scikit-learn scorer, or a callable, got "
            f"{described(scoring)}."
        )
    with naming("scoring"):
        return check_scoring(scoring=scoring)


def check_label_scoring(scoring: str | Callable[..., float]) -> Callable[..., float]:
    """Turn `scoring` into a scorer of predicted labels that takes `sample_weight`, or say why not.

    What scikit-learn's scorers use and take is read from their private attributes; of other
    callables, only the signature is known.
    """
    scorer = check_scorer(scoring)
    looks_at = getattr(scorer, "_response_method", "predict")
    if looks_at != "predict":
        raise ValueError(
            f"scoring must be a score of predicted labels; got {scoring!r}, which looks at "
            f"{looks_at!r}."
        )
    metric = getattr(scorer, "_score_func", None)
    with naming("scoring"):  # built-in types have no signature
        parameters = signature(metric or scorer).parameters.values()
    if not any(
        p.name == "sample_weight" or (metric is None and p.kind is p.VAR_KEYWORD)
        for p in parameters
    ):
        raise ValueError(f"scoring must take sample_weight; {scoring!r} does not.")
    return scorer


def score_confusion_matrix(
    scorer: Callable[..., float], confusion: NDArray[np.float64], classes: NDArray[Any]
) -> float:
    """Let a scorer of predicted labels score a confusion matrix.

    Parameters
    ----------
    scorer : callable
        A scikit-learn scorer of predicted labels whose metric takes `sample_weight`.
    confusion : ndarray of shape (n_classes, n_classes)
        Weight, not negative, of each true class (rows) and each prediction (columns).
    classes : ndarray of shape (n_classes,)
        Labels.

    Returns
    -------
    float
        The score of one sample for each entry that is not 0, weighted with it.
    """
    true, predicted = np.nonzero(confusion)
    with config_context(enable_metadata_routing=True):  # where scorers always take weights
        with naming("scoring"):
            return scorer(
                _Predictions(classes),
                predicted,
                classes[true],
                sample_weight=confusion[true, predicted],
            )


class _Predictions(ClassifierMixin, BaseEstimator):
    """A classifier that predicts the class whose code it gets."""

    def __init__(self, classes: NDArray[Any]) -> None:
        self.classes_ = classes

    def predict(self, X: NDArray[np.intp]) -> NDArray[Any]:
        return self.classes_[X]
