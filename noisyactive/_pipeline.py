"""The last step of a pipeline, which is where the model is."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from numpy.typing import NDArray
from scipy.sparse import issparse
from sklearn import get_config
from sklearn.base import BaseEstimator, clone
from sklearn.pipeline import Pipeline
from sklearn.utils import get_tags
from sklearn.utils.metadata_routing import process_routing
from sklearn.utils.validation import _num_samples

from ._samples import as_numeric, asking
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


def transform_once(estimator: Any, X: Any, fit_params: Mapping[str, Any]) -> tuple[Any, Any, Any]:
    """Apply the leading steps of a pipeline that learn nothing, so that folds need not repeat it.

    Those are transformers whose scikit-learn tag ``requires_fit`` is False, as `FrozenFeatures`, a
    HashingVectorizer or a FunctionTransformer. Steps that draw random numbers, or that a fit
    parameter is meant for, are left where they are.

    Parameters
    ----------
    estimator : estimator
        A pipeline or anything else. Not changed.
    X : object of length n_samples
        Samples, as they are passed to the estimator.
    fit_params : mapping of str to object
        Parameters of its `fit`.

    Returns
    -------
    before : pipeline or None
        Clones of the leading steps, fitted; None if there are none.
    rest : estimator
        What comes after them, a pipeline with the same names of steps; else the estimator.
    X : object of length n_samples
        Samples, as they reach `rest`.

    Raises
    ------
    ValueError
        If the steps change the number of samples.
    """
    n_leading = 0 if not isinstance(estimator, Pipeline) else _n_stateless(estimator, fit_params)
    if n_leading == 0:
        return None, estimator, X
    before, rest = _slice(estimator, 0, n_leading), _slice(estimator, n_leading, None)
    before = clone(before)
    n_samples = _num_samples(X)
    with asking("X"):
        X = before.fit_transform(X)
    if _num_samples(X) != n_samples:
        raise ValueError(
            f"The first steps of the pipeline make {_num_samples(X)} samples of {n_samples}."
        )
    return before, rest, X


def after(before: Any, rest: Any) -> Any:
    """What `transform_once` took apart, together again: the same objects in one pipeline."""
    twin = copy.copy(rest)
    twin.steps = [*before.steps, *rest.steps]
    return twin


def _n_stateless(pipeline: Pipeline, fit_params: Mapping[str, Any]) -> int:
    """Number of leading steps that learn nothing; 0 if none of them does anything."""
    number = 0
    for place, (name, step) in enumerate(pipeline.steps[:-1], start=1):
        if step is None or (isinstance(step, str) and step == "passthrough"):
            continue
        if not isinstance(step, BaseEstimator) or not hasattr(step, "transform"):
            break
        tags = get_tags(step)
        meant = any(param.startswith(f"{name}__") for param in fit_params)
        if tags.requires_fit or tags.non_deterministic or meant:
            break
        number = place
    return number


def _slice(pipeline: Pipeline, start: int, stop: int | None) -> Pipeline:
    twin = copy.copy(pipeline)
    twin.steps = pipeline.steps[start:stop]
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
