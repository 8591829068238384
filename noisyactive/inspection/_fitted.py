"""What a fitted estimator has to show."""

from __future__ import annotations

from typing import Any

from sklearn.exceptions import NotFittedError

from .._pipeline import last_step
from ..cleaning import ActiveLabelCleaner, CrossFitEnsemble


def fitted_network(estimator: Any, needed: str) -> Any:
    """The classifier inside a cleaner or pipeline.

    Parameters
    ----------
    estimator : estimator
        A fitted classifier, or a pipeline or cleaner with one in it.
    needed : str
        Attribute that it has once it is fitted.

    Returns
    -------
    estimator
        The classifier that has it.

    Raises
    ------
    ValueError
        If a cleaner has several.
    NotFittedError
        If there is no such attribute.
    """
    if isinstance(estimator, ActiveLabelCleaner):
        estimator = getattr(estimator, "estimator_", estimator.estimator)
    if isinstance(estimator, CrossFitEnsemble) and not hasattr(estimator, needed):
        raise ValueError(
            f"{needed} is that of one network, and there are {len(estimator.models)}: give the "
            "k-th of estimator_.models, with the labels of the samples whose estimator_.folds is "
            'not k, or clean with trust="once".'
        )
    last = last_step(estimator)
    if getattr(last, needed, None) is None:
        raise NotFittedError(
            f"estimator must be fitted and have {needed}, as CoTeachingVOGClassifier has; "
            f"{type(last).__name__} has none."
        )
    return last
