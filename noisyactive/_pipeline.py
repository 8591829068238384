"""The last step of a pipeline, which is where the model is."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from numpy.typing import NDArray
from scipy.sparse import issparse
from sklearn import get_config
from sklearn.pipeline import Pipeline
from sklearn.utils.metadata_routing import process_routing

from ._samples import as_numeric
from ._sparse import projected


def last_step(estimator: Any) -> Any:
    """Last step of a pipeline, also of one in another; anything else is its own last step."""
    while isinstance(estimator, Pipeline):
        estimator = estimator.steps[-1][1]
    return estimator


def at_last_step(estimator: Any, X: Any) -> tuple[Any, Any]:
    """Last step of a fitted pipeline, and samples as they reach it.

    Parameters
    ----------
    estimator : estimator
        Fitted.
    X : object of length n_samples
        Samples, as they are passed to the estimator.

    Returns
    -------
    last : estimator
        The last step.
    X : object of length n_samples
        Samples, transformed by the steps before it.
    """
    while isinstance(estimator, Pipeline):
        *before, (name, last) = estimator.steps
        X = type(estimator)([*before, (name, "passthrough")]).transform(X)
        estimator = last
    return estimator, X


def features_of(estimator: Any, X: Any) -> NDArray[Any]:
    """What strategies measure distances between.

    Parameters
    ----------
    estimator : estimator
        Fitted.
    X : object of length n_samples
        Samples, as they are passed to the estimator.

    Returns
    -------
    ndarray of shape (n_samples, n_features)
        The last step's ``extract_features``, or else the samples that reach it, one row each;
        sparse ones `projected`.
    """
    estimator, X = at_last_step(estimator, X)
    if hasattr(estimator, "extract_features"):
        features: NDArray[Any] = estimator.extract_features(X)
        return features
    if issparse(X):
        return projected(X)
    X = as_numeric(X)
    return X.reshape(len(X), -1)


def with_last_step(estimator: Any, last: Any) -> Any:
    """Pipeline with another last step; the steps before it are the same objects."""
    if not isinstance(estimator, Pipeline):
        return last
    twin = copy.copy(estimator)
    *before, (name, old) = estimator.steps
    twin.steps = [*before, (name, with_last_step(old, last))]
    return twin


def fit_params_of_last_step(estimator: Any, params: Mapping[str, Any]) -> dict[str, Any]:
    """Those of a pipeline's fit parameters that are meant for its last step.

    Parameters
    ----------
    estimator : estimator
        A pipeline or anything else.
    params : mapping of str to object
        Parameters of its `fit`: routed by what the steps request where metadata routing is
        enabled, else by the prefix ``step__``.

    Returns
    -------
    dict of str to object
        Parameters of the last step's `fit`.
    """
    params = dict(params)
    while isinstance(estimator, Pipeline):
        name, last = estimator.steps[-1]
        if not params:
            break
        if get_config()["enable_metadata_routing"]:
            params = dict(process_routing(estimator, "fit", **params)[name].fit)
        else:
            prefix = f"{name}__"
            params = {k.removeprefix(prefix): v for k, v in params.items() if k.startswith(prefix)}
        estimator = last
    return params


def changes_labels(estimator: Any) -> bool:
    """Whether a step resamples, so that the last one sees other rows or labels than were given."""
    if not isinstance(estimator, Pipeline):
        return False
    return any(hasattr(step, "fit_resample") or changes_labels(step) for _, step in estimator.steps)
