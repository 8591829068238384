"""Sample weights by which classes count alike."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from inspect import signature
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._pipeline import last_step, with_last_step

# Smallest class size that is told apart, as a share of the mean size: two samples that weigh as
# much as a class of thousands drown their mini-batch.
_MIN_SIZE = 1 / 32


def class_weights(y: NDArray[Any], class_balance: float) -> NDArray[np.float64]:
    """Weight each sample by the size of its class.

    Parameters
    ----------
    y : ndarray of shape (n_samples,)
        Labels.
    class_balance : float in [0, 1]
        0 weights all samples alike, 1 all classes.

    Returns
    -------
    ndarray of shape (n_samples,)
        ``n ** -class_balance`` for a sample of a class with n samples, scaled to mean 1. Classes
        under 1/32 of the mean size count as that large.
    """
    _, codes, sizes = np.unique(y, return_inverse=True, return_counts=True)
    weights = (np.maximum(sizes, _MIN_SIZE * sizes.mean()) ** -class_balance)[codes]
    return weights / weights.mean()


def takes_weights(estimator: Any, method: Callable[..., Any]) -> bool:
    """Whether a method takes weights of a classifier that does not weigh classes by itself.

    Meta-estimators do not count: the `estimator` that they pass weights on to may not take them.
    """
    if "sample_weight" not in signature(method).parameters:
        return False
    params = estimator.get_params(deep=False)
    return "estimator" not in params and params.get("class_weight") is None


def fit_balanced(
    estimator: Any, X: Any, y: NDArray[Any], fit_params: Mapping[str, Any], class_balance: float
) -> Any:
    """Fit a classifier, or a pipeline, with class weights for its last step if it `takes_weights`.

    Parameters
    ----------
    estimator : classifier
        Fitted in place.
    X : object of length n_samples
        Samples.
    y : ndarray of shape (n_samples,)
        Their labels.
    fit_params : mapping of str to object
        Parameters of its `fit`.
    class_balance : float
        As for `class_weights`.

    Returns
    -------
    classifier
        Fitted.
    """
    last = last_step(estimator)
    if not class_balance or not takes_weights(last, last.fit):
        return estimator.fit(X, y, **fit_params)
    weighted = with_last_step(estimator, WithClassWeights(last, class_balance))
    return with_last_step(weighted.fit(X, y, **fit_params), last)


class WithClassWeights:
    """A classifier whose `fit` adds class weights, computed from the labels that reach it.

    The last step of a pipeline gets labels that other steps may have changed, and each pipeline
    decides which metadata reaches it. Everything but `fit` is the classifier's own.

    Parameters
    ----------
    estimator : classifier
        Fitted in place, not cloned.
    class_balance : float
        As for `class_weights`.
    """

    def __init__(self, estimator: Any, class_balance: float):
        vars(self).update(estimator=estimator, class_balance=class_balance)

    def fit(
        self, X: Any, y: NDArray[Any], sample_weight: Any = None, **params: Any
    ) -> WithClassWeights:
        """Fit the classifier; class weights are multiplied with `sample_weight`."""
        weight = class_weights(y, self.class_balance)
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
