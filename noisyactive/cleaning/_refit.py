"""Bring a model up to date with corrected labels."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from inspect import signature
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone
from skorch import NeuralNet
from skorch.callbacks import Callback

from .._pipeline import at_last_step, fit_params_of_last_step, last_step, with_last_step
from ..coteaching._loggers import copy_with_loggers

Score = Callable[[Any], float]

# Smallest class that balance knows, as a share of the mean class: two samples that weigh as much as
# a class of thousands drown their mini-batch.
_MIN_SIZE = 1 / 32


class Facts(Callback):
    """Notes in a net's history what its epochs belong to, for those who read it while it grows.

    Parameters
    ----------
    facts : mapping of str to int
        Keys and values.
    """

    def __init__(self, facts: Mapping[str, int]):
        self.facts = facts

    def on_epoch_begin(self, net: Any, **kwargs: Any) -> None:
        """Record them."""
        for key, value in self.facts.items():
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


def seeded_clone(estimator: Any, classes: NDArray[Any], rng: np.random.RandomState) -> Any:
    """Clone in which every seed is set, and which knows all classes where it can be told.

    Parameters
    ----------
    estimator : classifier
        Cloned.
    classes : ndarray of shape (n_classes,)
        What each parameter `classes` that is None becomes.
    rng : RandomState
        Draws what each parameter `random_state` that is None becomes.

    Returns
    -------
    classifier
        The clone.
    """
    twin = clone(estimator)
    unset = [name for name, value in sorted(twin.get_params().items()) if value is None]
    seeds = [name for name in unset if name.split("__")[-1] == "random_state"]
    knows = [name for name in unset if name.split("__")[-1] == "classes"]
    twin.set_params(
        **{name: int(rng.randint(2**31 - 1)) for name in seeds}, **dict.fromkeys(knows, classes)
    )
    return twin


def can_go_on(estimator: Any) -> bool:
    """Whether a fitted classifier, or the last step of a pipeline, can be trained on."""
    last = last_step(estimator)
    return hasattr(last, "refine") or hasattr(last, "partial_fit")


class _Balanced:
    """Stands in for a classifier whose `fit` gives classes weights, made from the labels it gets.

    The last step of a pipeline gets labels that other steps may have changed, and what metadata
    they let through is for each pipeline to say. All but `fit` is the classifier's own.

    Parameters
    ----------
    estimator : classifier
        Fitted as it is, no clone.
    balance : float
        As for `class_weights`.
    """

    def __init__(self, estimator: Any, balance: float):
        vars(self).update(estimator=estimator, balance=balance)

    def fit(self, X: Any, y: NDArray[Any], sample_weight: Any = None, **params: Any) -> _Balanced:
        """Fit it; samples may have weights of their own."""
        weight = class_weights(y, self.balance)
        weight *= 1 if sample_weight is None else np.asarray(sample_weight)
        self.estimator.fit(X, y, sample_weight=weight, **params)
        return self

    def __getattr__(self, name: str) -> Any:
        if "estimator" not in vars(self):  # while it is being copied
            raise AttributeError(name)
        return getattr(self.estimator, name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self.estimator, name, value)

    def __delattr__(self, name: str) -> None:
        delattr(self.estimator, name)


def fitted_anew(
    estimator: Any, X: Any, y: NDArray[Any], fit_params: Mapping[str, Any], balance: float
) -> Any:
    """Fit a classifier, or a pipeline, with class weights for its last step if it `takes_weights`.

    Parameters
    ----------
    estimator : classifier
        A clone, which is fitted.
    X : object of length n_samples
        Samples whose labels are trusted.
    y : ndarray of shape (n_samples,)
        Their labels.
    fit_params : mapping of str to object
        Parameters of its `fit`.
    balance : float
        As for `class_weights`.

    Returns
    -------
    classifier
        Fitted.
    """
    last = last_step(estimator)
    if not balance or not takes_weights(last, last.fit):
        return estimator.fit(X, y, **fit_params)
    fitted = with_last_step(estimator, _Balanced(last, balance)).fit(X, y, **fit_params)
    return with_last_step(fitted, last)


def takes_weights(estimator: Any, method: Callable[..., Any]) -> bool:
    """Whether a method takes weights of a classifier that does not weigh classes by itself.

    Not those that pass weights on to another `estimator`, which may not take them.
    """
    if "sample_weight" not in signature(method).parameters:
        return False
    params = estimator.get_params(deep=False)
    return "estimator" not in params and params.get("class_weight") is None


def trained_on(
    fitted: Any,
    X: Any,
    y: NDArray[Any],
    fit_params: Mapping[str, Any],
    changed: Mapping[str, Any],
    *,
    tune: bool,
    epochs: int,
    lr: float,
    balance: float,
    score: Score | None,
    facts: Mapping[str, int],
) -> Any:
    """Train a fitted classifier on; of a pipeline, the last step, while the others stay.

    Parameters
    ----------
    fitted : classifier
        Fitted, and one that `can_go_on`. Not changed: a training that breaks off leaves it whole.
    X : object of length n_samples
        Samples whose labels are trusted.
    y : ndarray of shape (n_samples,)
        Their labels.
    fit_params : mapping of str to object
        Parameters of its `fit`, of which `sample_weight` is of use here.
    changed : mapping of str to object
        Parameters that the last step takes from now on.
    tune : bool
        Whether to tune by the plain criterion (`refine`; a network's `partial_fit` with a fresh
        optimizer and `lr`), or to go on by the classifier's own objective (`partial_fit`).
    epochs : int
        Epochs; each is one call of `partial_fit` where the last step is no network.
    lr : float
        Learning rate of networks that are tuned.
    balance : float
        As for `class_weights`, when it is tuned and takes weights.
    score : callable or None
        Chooses the best epoch; None takes the last one.
    facts : mapping of str to int
        What a network's history says of these epochs.

    Returns
    -------
    classifier
        A trained copy.
    """
    last, X = at_last_step(fitted, X)
    last = _copy_of(last).set_params(**changed)
    weight = fit_params_of_last_step(fitted, fit_params).get("sample_weight")
    method = last.refine if hasattr(last, "refine") else last.partial_fit
    if tune and balance and takes_weights(last, method):
        weight = class_weights(y, balance) * (1 if weight is None else np.asarray(weight))
    extras = {} if weight is None else {"sample_weight": weight}
    score_last = None if score is None else lambda model: score(with_last_step(fitted, model))
    is_net = isinstance(last, NeuralNet)
    with _watched(last, score_last, facts) if is_net else nullcontext():
        if tune and hasattr(last, "refine"):
            last.refine(X, y, epochs=epochs, lr=lr, **extras)
        elif not is_net:
            last = _train_on(last, X, y, extras, epochs, score_last)
        elif tune:
            own_lr = last.lr
            last._initialize_optimizer()
            last.set_params(lr=lr)
            last.partial_fit(X, y, epochs=epochs, **extras).set_params(lr=own_lr)
        else:
            last.partial_fit(X, y, epochs=epochs, **extras)
    return with_last_step(fitted, last)


def class_weights(y: NDArray[Any], balance: float) -> NDArray[np.float64]:
    """Weight ``n ** -balance`` of each sample of a class with n samples; their mean is 1.

    Classes far below the mean size count as larger ones, see `_MIN_SIZE`.
    """
    _, codes, sizes = np.unique(y, return_inverse=True, return_counts=True)
    weights = (np.maximum(sizes, _MIN_SIZE * sizes.mean()) ** -balance)[codes]
    return weights / weights.mean()


def _train_on(
    model: Any,
    X: Any,
    y: NDArray[Any],
    extras: dict[str, Any],
    epochs: int,
    score: Score | None,
) -> Any:
    """Call `partial_fit` once an epoch."""
    best, best_score = model, -np.inf
    for _ in range(epochs):
        model.partial_fit(X, y, **extras)
        if score is not None and (current := score(model)) > best_score:
            best, best_score = copy.deepcopy(model), current
    return model if score is None else best


@contextmanager
def _watched(net: Any, score: Score | None, facts: Mapping[str, int]) -> Iterator[None]:
    """A fitted skorch net that ends its next training with its best epoch."""
    callbacks = net.callbacks_
    own: list[Callback] = [Facts(facts)] if score is None else [Facts(facts), BestEpoch(score)]
    # First, so that loggers find what they note.
    net.callbacks_ = [(type(one).__name__, one.initialize()) for one in own] + callbacks
    try:
        yield
    finally:
        net.callbacks_ = callbacks


def _copy_of(estimator: Any) -> Any:
    """Deep copy of a fitted classifier."""
    if not isinstance(estimator, NeuralNet):
        return copy.deepcopy(estimator)
    # skorch copies by pickling, which refuses networks whose class was defined in a function.
    twin = object.__new__(type(estimator))
    twin.__dict__.update(copy_with_loggers(vars(estimator), estimator.callbacks_))
    return twin
