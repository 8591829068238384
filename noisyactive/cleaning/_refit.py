"""Bring a model up to date with corrected labels."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone
from skorch import NeuralNet
from skorch.callbacks import Callback

Score = Callable[[Any], float]


class BestEpoch(Callback):
    """Ends a training with the weights of its best epoch.

    Parameters
    ----------
    score : callable
        Score of the net, the higher the better.
    """

    def __init__(self, score: Score):
        self.score = score

    def on_train_begin(self, net: Any, **kwargs: Any) -> None:
        """Forget earlier trainings."""
        self.best_ = -np.inf

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        """Keep the weights if they are the best so far."""
        score = self.score(net)
        if score > self.best_:
            self.best_ = score
            self.weights_ = copy.deepcopy(net.module_.state_dict())

    def on_train_end(self, net: Any, **kwargs: Any) -> None:
        """Put the best weights back."""
        if np.isfinite(self.best_):
            net.module_.load_state_dict(self.weights_)
            del self.weights_


@contextmanager
def _watched(net: Any, score: Score | None) -> Iterator[None]:
    """A fitted skorch net that ends its next training with its best epoch."""
    callbacks = net.callbacks_
    if score is not None:
        net.callbacks_ = [*callbacks, ("best_epoch", BestEpoch(score).initialize())]
    try:
        yield
    finally:
        net.callbacks_ = callbacks


def copy_of(estimator: Any) -> Any:
    """Deep copy of a fitted classifier.

    Parameters
    ----------
    estimator : classifier
        Fitted.

    Returns
    -------
    classifier
        The copy.
    """
    if not isinstance(estimator, NeuralNet):
        return copy.deepcopy(estimator)
    # skorch copies by pickling, which refuses networks whose class was defined in a function.
    twin = object.__new__(type(estimator))
    twin.__dict__.update(copy.deepcopy(vars(estimator)))
    return twin


def refit_from_scratch(estimator: Any, X: Any, y: NDArray[Any]) -> Any:
    """Fit a clone.

    Parameters
    ----------
    estimator : classifier
        Not changed.
    X : object of length n_samples
        Samples.
    y : ndarray of shape (n_samples,)
        Labels that are trusted.

    Returns
    -------
    classifier
        The fitted clone.
    """
    return clone(estimator).fit(X, y)


def tune(
    estimator: Any, X: Any, y: NDArray[Any], *, epochs: int, lr: float, score: Score | None
) -> Any:
    """Tune a fitted classifier with its plain criterion on labels that are trusted.

    By its `refine`, else by its `partial_fit`, else a clone is fitted from scratch.

    Parameters
    ----------
    estimator : classifier
        Fitted; it is changed.
    X : object of length n_samples
        Samples.
    y : ndarray of shape (n_samples,)
        Labels that are trusted.
    epochs : int
        Epochs.
    lr : float
        Learning rate of networks.
    score : callable or None
        Chooses the best epoch; None takes the last one.

    Returns
    -------
    classifier
        The tuned classifier.
    """
    if hasattr(estimator, "refine"):
        with _watched(estimator, score):
            return estimator.refine(X, y, epochs=epochs, lr=lr)
    if not isinstance(estimator, NeuralNet):
        return go_on(estimator, X, y, epochs=epochs, score=score)
    own_lr = estimator.lr
    estimator._initialize_optimizer()
    estimator.set_params(lr=lr)
    tuned = go_on(estimator, X, y, epochs=epochs, score=score)
    return tuned.set_params(lr=own_lr)


def go_on(estimator: Any, X: Any, y: NDArray[Any], *, epochs: int, score: Score | None) -> Any:
    """Go on training a fitted classifier by its own objective.

    Parameters
    ----------
    estimator : classifier
        Fitted; it is changed, if it has `partial_fit`. Otherwise a clone is fitted.
    X : object of length n_samples
        Samples.
    y : ndarray of shape (n_samples,)
        Labels.
    epochs : int
        Epochs; each is one call of `partial_fit` where the estimator is no network.
    score : callable or None
        Chooses the best epoch; None takes the last one.

    Returns
    -------
    classifier
        The classifier, trained on.
    """
    if not hasattr(estimator, "partial_fit"):
        return refit_from_scratch(estimator, X, y)
    if isinstance(estimator, NeuralNet):
        with _watched(estimator, score):
            return estimator.partial_fit(X, y, epochs=epochs)
    best, best_score = estimator, -np.inf
    for _ in range(epochs):
        estimator.partial_fit(X, y)
        if score is not None and (current := score(estimator)) > best_score:
            best, best_score = copy.deepcopy(estimator), current
    return estimator if score is None else best
