"""Sample weights: classes count alike, doubtful labels less."""

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


def weights_of(
    y: NDArray[Any], class_balance: float, label_weight: Any, sample_weight: Any
) -> NDArray[np.float64] | None:
    """Weights to train with: those of classes, labels and samples, multiplied.

    Parameters
    ----------
    y : ndarray of shape (n_samples,)
        Labels.
    class_balance : float in [0, 1]
        As for `class_weights`.
    label_weight, sample_weight : array-like of shape (n_samples,) or None
        What each label counts, by what is known of it, and each sample, by the user's wish.

    Returns
    -------
    ndarray of shape (n_samples,) or None
        None if all of them are alike.
    """
    parts = [part for part in (label_weight, sample_weight) if part is not None]
    if class_balance:
        parts.append(class_weights(y, class_balance))
    return np.prod([np.asarray(part, dtype=float) for part in parts], axis=0) if parts else None


def takes_weights(estimator: Any, method: Callable[..., Any]) -> bool:
    """Whether a method takes weights of a classifier that does not weigh classes by itself.

    Meta-estimators do not count: the `estimator` that they pass weights on to may not take them.
    """
    if "sample_weight" not in signature(method).parameters:
        return False
    params = estimator.get_params(deep=False)
    return "estimator" not in params and params.get("class_weight") is None


def fit_balanced(
    estimator: Any,
    X: Any,
    y: NDArray[Any],
    fit_params: Mapping[str, Any],
    class_balance: float,
    label_weight: NDArray[np.float64] | None = None,
) -> Any:
    """Fit a classifier, or a pipeline, with weights for its last step if that `takes_weights`.

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
    label_weight : ndarray of shape (n_samples,), default=None
        As for `weights_of`; not for pipelines that resample.

    Returns
    -------
    classifier
        Fitted.
    """
    last = last_step(estimator)
    none = not class_balance and label_weight is None
    if none or not takes_weights(last, last.fit):
        return estimator.fit(X, y, **fit_params)
    weighted = with_last_step(estimator, WithWeights(last, class_balance, label_weight))
    return with_last_step(weighted.fit(X, y, **fit_params), last)


class WithWeights:
    """A classifier whose `fit` adds weights, those of classes by the labels that reach it.

    The last step of a pipeline gets labels that other steps may have changed, and each pipeline
    decides which metadata reaches it. Everything but `fit` is the classifier's own.

    Parameters
    ----------
    estimator : classifier
        Fitted in place, not cloned.
    class_balance : float
        As for `class_weights`.
    label_weight : ndarray of shape (n_samples,), default=None
        As for `weights_of`.
    """

    def __init__(
        self,
        estimator: Any,
        class_balance: float,
        label_weight: NDArray[np.float64] | None = None,
    ):
        vars(self).update(
            estimator=estimator, class_balance=class_balance, label_weight=label_weight
        )

    def fit(self, X: Any, y: NDArray[Any], sample_weight: Any = None, **params: Any) -> WithWeights:
        """Fit the classifier; weights are multiplied with `sample_weight`."""
        weight = weights_of(y, self.class_balance, self.label_weight, sample_weight)
        self.estimator.fit(X, y, sample_weight=weight, **params)
        return self

    def __getattr__(self, name: str) -> Any:
        if "estimator" not in vars(self):  # while it is being copied
            raise AttributeError(name)
        return getattr(self.estimator, name)

    def __getstate__(self) -> dict[str, Any]:  # an object has none of its own on Python 3.10
        return vars(self).copy()

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self.estimator, name, value)

    def __delattr__(self, name: str) -> None:
        delattr(self.estimator, name)
