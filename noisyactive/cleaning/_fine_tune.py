"""Train a fitted classifier further, on other labels than before."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from skorch import NeuralNet
from skorch.callbacks import Callback

from .._loggers import copy_with_loggers
from .._pipeline import at_last_step, fit_params_of_last_step, last_step, with_last_step
from ._class_balance import takes_weights, weights_of

Score = Callable[[Any], float]


@dataclass(frozen=True)
class Refit:
    """How models are brought up to date: the cleaner's parameters of these names.

    Parameters
    ----------
    refit : {"fine_tune", "continue", "scratch"}
        Plain cross-entropy on the fitted model, its own objective going on, or a new fit.
    epochs : int
        Epochs of "fine_tune" and "continue"; of a classifier that is no network, calls of
        `partial_fit`.
    lr : float
        Learning rate of networks that are fine-tuned.
    class_balance : float
        As for `weights_of`; not with "continue".
    """

    refit: str
    epochs: int
    lr: float
    class_balance: float


def can_train_further(estimator: Any) -> bool:
    """Whether a fitted classifier, or the last step of a pipeline, can be trained further."""
    last = last_step(estimator)
    return hasattr(last, "refine") or hasattr(last, "partial_fit")


def train_further(
    fitted: Any,
    X: Any,
    y: NDArray[Any],
    fit_params: Mapping[str, Any],
    changed: Mapping[str, Any],
    how: Refit,
    *,
    label_weight: NDArray[np.float64] | None,
    score: Score | None,
    notes: Mapping[str, int],
) -> Any:
    """Train a copy of a fitted classifier; of a pipeline the last step, the others stay.

    "fine_tune" calls its `refine`, else a network's `partial_fit` with a fresh optimizer, else
    `partial_fit`; "continue" calls `partial_fit`.

    Parameters
    ----------
    fitted : classifier
        One that `can_train_further`. Not changed, so a training that breaks off leaves it whole.
    X : object of length n_samples
        Samples whose labels are trusted.
    y : ndarray of shape (n_samples,)
        Their labels.
    fit_params : mapping of str to object
        Parameters of its `fit`, of which `sample_weight` is used.
    changed : mapping of str to object
        Parameters that the last step takes from now on.
    how : Refit
        "fine_tune" or "continue", with its options.
    label_weight : ndarray of shape (n_samples,) or None
        What each label counts, with "fine_tune"; None: all alike.
    score : callable or None
        Chooses the best epoch; None takes the last one.
    notes : mapping of str to int
        Written into every epoch of a network's history.

    Returns
    -------
    classifier
        The trained copy.
    """
    last, X = at_last_step(fitted, X)
    last = _copy_of(last).set_params(**changed)
    fine_tune = how.refit == "fine_tune"
    weight = fit_params_of_last_step(fitted, fit_params).get("sample_weight")
    method = last.refine if hasattr(last, "refine") else last.partial_fit
    if fine_tune and takes_weights(last, method):
        weight = weights_of(y, how.class_balance, label_weight, weight)
    extras = {} if weight is None else {"sample_weight": weight}
    score_last = None if score is None else lambda model: score(with_last_step(fitted, model))
    is_net = isinstance(last, NeuralNet)
    with _extra_callbacks(last, score_last, notes) if is_net else nullcontext():
        if fine_tune and hasattr(last, "refine"):
            last.refine(X, y, epochs=how.epochs, lr=how.lr, **extras)
        elif not is_net:
            last = _partial_fits(last, X, y, extras, how.epochs, score_last)
        elif fine_tune:
            own_lr = last.lr
            last._initialize_optimizer()
            last.set_params(lr=how.lr)
            last.partial_fit(X, y, epochs=how.epochs, **extras).set_params(lr=own_lr)
        else:
            last.partial_fit(X, y, epochs=how.epochs, **extras)
    return with_last_step(fitted, last)


class HistoryNotes(Callback):
    """Writes the same entries into every epoch of a net's history.

    Parameters
    ----------
    notes : mapping of str to int
        Keys and values.
    """

    def __init__(self, notes: Mapping[str, int]):
        self.notes = notes

    def on_epoch_begin(self, net: Any, **kwargs: Any) -> None:
        """Record them at once, for loggers that read the history while it grows."""
        for key, value in self.notes.items():
            net.history.record(key, value)


class BestEpoch(Callback):
    """Ends a training with the weights of its best epoch; keeps the scores in the history.

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
        net.history.record("score", score)
        if score > self.best_:
            self.best_ = score
            self.weights_ = copy.deepcopy(net.module_.state_dict())

    def on_train_end(self, net: Any, **kwargs: Any) -> None:
        """Put the best weights back."""
        if np.isfinite(self.best_):
            net.module_.load_state_dict(self.weights_)
            del self.weights_


@contextmanager
def _extra_callbacks(net: Any, score: Score | None, notes: Mapping[str, int]) -> Iterator[None]:
    """Add callbacks to a fitted skorch net for one training."""
    callbacks = net.callbacks_
    extra: list[Callback] = [HistoryNotes(notes)]
    if score is not None:
        extra.append(BestEpoch(score))
    # First, so that loggers find what these record.
    net.callbacks_ = [(type(one).__name__, one.initialize()) for one in extra] + callbacks
    try:
        yield
    finally:
        net.callbacks_ = callbacks


def _partial_fits(
    model: Any,
    X: Any,
    y: NDArray[Any],
    extras: dict[str, Any],
    epochs: int,
    score: Score | None,
) -> Any:
    """Call `partial_fit` once an epoch; with a score, return the best model."""
    best, best_score = model, -np.inf
    for _ in range(epochs):
        model.partial_fit(X, y, **extras)
        if score is not None and (current := score(model)) > best_score:
            best, best_score = copy.deepcopy(model), current
    return model if score is None else best


def _copy_of(estimator: Any) -> Any:
    """Deep copy of a fitted classifier."""
    if not isinstance(estimator, NeuralNet):
        return copy.deepcopy(estimator)
    # skorch copies by pickling, which refuses networks whose class was defined in a function.
    twin = object.__new__(type(estimator))
    twin.__dict__.update(copy_with_loggers(vars(estimator), estimator.callbacks_))
    return twin
