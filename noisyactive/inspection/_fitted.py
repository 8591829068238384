"""Check that estimators are fitted, and find the network in them."""

from __future__ import annotations

from typing import Any

from sklearn.exceptions import NotFittedError
from sklearn.utils.validation import check_is_fitted

from .._pipeline import last_step
from ..cleaning import ActiveLabelCleaner, CrossFitEnsemble


def check_cleaner(cleaner: ActiveLabelCleaner, name: str = "cleaner") -> None:
    """Check that an object is a cleaner that has been started.

    Parameters
    ----------
    cleaner : ActiveLabelCleaner
        The object.
    name : str, default="cleaner"
        What errors call it.

    Raises
    ------
    TypeError
        If it is not a cleaner.
    NotFittedError
        If it was not started.
    """
    if not isinstance(cleaner, ActiveLabelCleaner):
        raise TypeError(f"{name} must be an ActiveLabelCleaner, got {type(cleaner).__name__}.")
    check_is_fitted(cleaner, "events_")


def fitted_network(estimator: Any, needed: str) -> Any:
    """Find the fitted classifier in a pipeline or cleaner.

    Parameters
    ----------
    estimator : estimator
        A fitted classifier, or a pipeline or cleaner with one in it.
    needed : str
        Attribute that the fitted classifier has.

    Returns
    -------
    estimator
        The classifier with this attribute.

    Raises
    ------
    ValueError
        If the cleaner's model is an ensemble of several.
    NotFittedError
        If the classifier lacks the attribute.
    """
    if isinstance(estimator, ActiveLabelCleaner):
        estimator = getattr(estimator, "estimator_", estimator.estimator)
    if isinstance(estimator, CrossFitEnsemble) and not hasattr(estimator, needed):
        raise ValueError(
            f"{needed} belongs to one network, but the cleaner has {len(estimator.latest)}: pass "
            "one of them, estimator_.latest[k], with the labels of the samples whose "
            'estimator_.folds is not k, or clean with trust="once".'
        )
    last = last_step(estimator)
    if getattr(last, needed, None) is None:
        raise NotFittedError(
            f"estimator must be fitted and have {needed}, as CoTeachingVOGClassifier has; "
            f"{type(last).__name__} has none."
        )
    return last
