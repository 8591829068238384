"""What a fitted estimator has to show."""

from __future__ import annotations

from typing import Any

from sklearn.exceptions import NotFittedError

from .._pipeline import last_step
from ..cleaning import ActiveLabelCleaner


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
    NotFittedError
        If there is no such attribute.
    """
    if isinstance(estimator, ActiveLabelCleaner):
        estimator = getattr(estimator, "estimator_", estimator.estimator)
    last = last_step(estimator)
    if getattr(last, needed, None) is None:
        raise NotFittedError(
            f"estimator must be fitted and have {needed}, as CoTeachingVOGClassifier has; "
            f"{type(last).__name__} has none."
        )
    return last
