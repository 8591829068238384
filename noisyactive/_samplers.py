"""Base class of samplers, which replace X and y together."""

from __future__ import annotations

from typing import Any

from sklearn.base import BaseEstimator


class BaseSampler(BaseEstimator):
    """Base class of estimators with `fit_resample` that pass X on as it is.

    imbalanced-learn's own base class would refuse images and data sets.
    """

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        tags.input_tags.sparse = True
        tags.input_tags.string = True
        tags.input_tags.allow_nan = True
        tags.target_tags.required = True
        tags.target_tags.one_d_labels = True
        tags.no_validation = True  # X is passed on as it is
        return tags
