"""Scorers that see noisy labels and estimate the score against the true ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.metrics import confusion_matrix

from .._codes import find_codes
from .._labels import find_classes, merge_classes
from .._typing import Labels, Samples
from ._confusion import check_label_scoring, correct_confusion_matrix, score_confusion_matrix
from ._matrix import Noise

_LOG_LOSS = "neg_log_loss"


def noise_corrected_scorer(
    scoring: str | Callable[..., float] = "f1_macro",
    *,
    transition_matrix: ArrayLike | None = None,
    noise_rate: float | None = None,
    classes: ArrayLike | None = None,
) -> Callable[..., float]:
    """Make a scorer that sees noisy labels and estimates the score against the true ones.

    For ``scoring=`` of ``GridSearchCV``, ``HalvingGridSearchCV``, ``cross_validate`` and the
    like, where no true label is known but how often labels are wrong is known, or estimated:
    `forget_rate_` of a fitted network, or `noisyactive.audit.estimate_noise` of an audit.

    Any score of predicted labels is computed from an estimate of the confusion matrix with true
    labels, see `correct_confusion_matrix` [1]_. ``"neg_log_loss"`` is the mean log-likelihood of
    the noisy labels under ``predict_proba(X) @ T``, the forward correction of [2]_: its
    expectation is highest for the true class probabilities.

    Parameters
    ----------
    scoring : str or callable, default="f1_macro"
        What to estimate: ``"neg_log_loss"``, or the name of a scikit-learn scorer of predicted
        labels, or such a scorer from ``make_scorer`` whose metric takes `sample_weight`.
    transition_matrix : array-like of shape (n_classes, n_classes), default=None
        ``T[i, j] = P(noisy=j | true=i)``, invertible, each row summing to 1, in the order of
        `classes`. (Some libraries use the transpose.) Give either this or `noise_rate`.
    noise_rate : float, default=None
        In [0, 1): labels are wrong with this probability, each other class being equally likely.
    classes : array-like of shape (n_classes,), default=None
        All classes, sorted. None takes those that the estimator scored knows (`classes_`) and
        those in the labels; name them where a rare class may be missing from both.

    Returns
    -------
    scorer : callable
        To be called as ``scorer(estimator, X, y_noisy)``, on samples that the estimator was not
        fitted to; returns a float, higher being better. It can be pickled.

    Raises
    ------
    TypeError
        If not exactly one of `transition_matrix` and `noise_rate` is given.
    ValueError
        If a parameter is not as described. The scorer raises one if there are labels that are not
        among the classes, or if `transition_matrix` is not of their number.

    See Also
    --------
    verified_scorer : Where some labels are known to be right.

    Notes
    -----
    Correction undoes what noise does to a score on average: the level becomes meaningful, and
    noise that favours some classes does not favour their candidates. It does not undo chance:
    between similar candidates, under uniform noise and with a few hundred rows, a corrected
    score chooses hardly better than the noisy one, see examples/plot_choose_mix_ratio.py. Under
    uniform noise, corrected accuracy is even a straight line of noisy accuracy, as long as no
    count has to be limited.

    References
    ----------
    .. [1] N. Natarajan, I. S. Dhillon, P. Ravikumar, A. Tewari, "Learning with Noisy Labels",
           NIPS 2013, https://papers.nips.cc/paper/5073-learning-with-noisy-labels.
    .. [2] G. Patrini, A. Rozza, A. K. Menon, R. Nock, L. Qu, "Making Deep Neural Networks Robust
           to Label Noise: a Loss Correction Approach", CVPR 2017,
           :doi:`10.1109/CVPR.2017.240`.

    Examples
    --------
    >>> from sklearn.datasets import make_blobs
    >>> from sklearn.model_selection import GridSearchCV
    >>> from sklearn.neighbors import KNeighborsClassifier
    >>> from noisyactive.model_selection import noise_corrected_scorer
    >>> from noisyactive.noise import UniformLabelNoise
    >>> X, y = make_blobs(600, centers=3, random_state=0)
    >>> y_noisy = UniformLabelNoise(0.3, random_state=0).fit_transform(y)
    >>> corrected = noise_corrected_scorer("accuracy", noise_rate=0.3)
    >>> corrected
    noise_corrected_scorer('accuracy', noise_rate=0.3)
    >>> knn = KNeighborsClassifier(30).fit(X[:300], y_noisy[:300])
    >>> round(knn.score(X[300:], y_noisy[300:]), 2), round(knn.score(X[300:], y[300:]), 2)
    (0.68, 0.91)
    >>> round(corrected(knn, X[300:], y_noisy[300:]), 2)
    0.97
    >>> search = GridSearchCV(knn, {"n_neighbors": [1, 30]}, scoring=corrected, cv=2)
    >>> search.fit(X, y_noisy).best_params_
    {'n_neighbors': 30}
    """
    noise = Noise.check(transition_matrix, noise_rate, classes)
    if not (isinstance(scoring, str) and scoring == _LOG_LOSS):
        check_label_scoring(scoring)
    return _NoiseCorrectedScorer(scoring, noise)


class _NoiseCorrectedScorer:
    """What `noise_corrected_scorer` returns."""

    def __init__(self, scoring: str | Callable[..., float], noise: Noise) -> None:
        self._scoring = scoring
        self._noise = noise

    def __repr__(self) -> str:
        return f"noise_corrected_scorer({self._scoring!r}, {self._noise})"

    def __call__(self, estimator: Any, X: Samples, y: Labels) -> float:
        """Score predictions of `X` against the noisy labels `y`."""
        present, codes = find_classes(y)
        classes = self._noise.classes
        if classes is None:
            classes = merge_classes(_classes_of(estimator), present, name="classes_ and y")
        codes = find_codes(present.tolist(), classes, name="y")[codes]
        matrix = self._noise.matrix_of(classes)
        if self._scoring == _LOG_LOSS:
            proba = np.asarray(estimator.predict_proba(X))
            columns = find_codes(_classes_of(estimator).tolist(), classes, name="estimator")
            return forward_log_likelihood(codes, proba, matrix[columns])
        labels, predicted = find_classes(estimator.predict(X), name="predict(X)")
        predicted = find_codes(labels.tolist(), classes, name="predict(X)")[predicted]
        confusion = confusion_matrix(codes, predicted, labels=np.arange(len(classes)))
        corrected = correct_confusion_matrix(confusion, matrix)
        return score_confusion_matrix(check_label_scoring(self._scoring), corrected, classes)


def forward_log_likelihood(
    codes: NDArray[np.intp], proba: NDArray[Any], matrix: NDArray[np.float64]
) -> float:
    """Mean log-likelihood of noisy labels.

    Parameters
    ----------
    codes : ndarray of int of shape (n_samples,)
        Noisy labels, as columns of `matrix`.
    proba : ndarray of shape (n_samples, n_known)
        Predicted probabilities of the true classes.
    matrix : ndarray of shape (n_known, n_classes)
        ``P(noisy=j | true=i)``.

    Returns
    -------
    float
        At most 0. No likelihood counts as less than the resolution of the probabilities, as in
        scikit-learn's log loss.
    """
    likelihood = (proba @ matrix)[np.arange(len(codes)), codes]
    return float(np.log(np.clip(likelihood, np.finfo(proba.dtype).eps, 1)).mean())


def _classes_of(estimator: Any) -> NDArray[Any]:
    try:
        return np.asarray(estimator.classes_)
    except AttributeError as error:
        raise ValueError(
            f"{type(estimator).__name__} has no classes_: it must be a fitted classifier."
        ) from error
