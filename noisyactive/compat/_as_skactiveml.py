"""A strategy with modAL's signature as one of scikit-activeml's."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from copy import deepcopy
from typing import Any

import numpy as np
from numpy.typing import NDArray
from skactiveml.base import (
    SingleAnnotatorPoolQueryStrategy,
    SkactivemlClassifier,
)
from skactiveml.classifier import SklearnClassifier
from skactiveml.utils import (
    MISSING_LABEL,
    check_equal_missing_label,
    check_type,
    is_labeled,
)
from sklearn.base import clone
from sklearn.utils.validation import check_is_fitted

from .._arrays import as_array, naming
from .._interrupts import interrupts_raised
from .._random import private_random_state
from .._samples import for_estimator
from ..query import Learner, choose, get_strategy, utilities_of


class StrategyForSkactiveml(SingleAnnotatorPoolQueryStrategy):
    """What `noisyactive.compat.as_skactiveml` returns; its parameters are explained there.

    Parameters
    ----------
    strategy : str or callable
        A strategy with modAL's signature.
    scores : callable, default=None
        Its utilities.
    missing_label : scalar, str, NaN or None, default=NaN
        Marker of a missing label.
    random_state : int, RandomState instance or None, default=None
        For strategies that take one.
    """

    def __init__(
        self,
        strategy: str | Callable[..., Any],
        scores: Callable[..., Any] | None = None,
        missing_label: Any = MISSING_LABEL,
        random_state: int | np.random.RandomState | None = None,
    ):
        super().__init__(missing_label=missing_label, random_state=random_state)
        self.strategy = strategy
        self.scores = scores

    def query(
        self,
        X: Any,
        y: Any,
        clf: SkactivemlClassifier | None = None,
        fit_clf: bool = True,
        sample_weight: Any = None,
        candidates: Any = None,
        batch_size: int = 1,
        return_utilities: bool = False,
    ) -> Any:
        """Choose candidates, by scikit-activeml's conventions.

        Parameters
        ----------
        X : array-like of shape (n_samples, ...)
            Samples.
        y : array-like of shape (n_samples,)
            Labels, some of them missing.
        clf : SkactivemlClassifier, default=None
            Classifier whose probabilities, features and network the strategy uses.
        fit_clf : bool, default=True
            Whether a clone of `clf` is fitted to the labelled samples, or `clf` is fitted already.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights for that fit.
        candidates : array-like of int of shape (n_candidates,) or of shape (n_candidates, ...)
            Indices into `X`, or samples; None, the default, takes the samples without a label.
        batch_size : int, default=1
            Number of candidates to choose.
        return_utilities : bool, default=False
            Whether utilities are returned too.

        Returns
        -------
        indices : ndarray of int of shape (batch_size,)
            Indices into `X`, or into `candidates` where those are samples; the first choice first.
        utilities : ndarray of shape (batch_size, n_samples) or (batch_size, n_candidates)
            Utilities before each choice; NaN for samples that cannot be chosen, or were chosen
            before.
        """
        X, y = for_estimator(as_array(X, "X")), as_array(y, "y")
        with naming("X or y", "X", "y"):
            X, y, candidates, batch_size, return_utilities = self._validate_data(
                X, y, candidates, batch_size, return_utilities, reset=True
            )
        if batch_size == 0:
            raise ValueError(
                f"y has no label that is missing_label={self.missing_label!r}, and candidates are "
                "None: nothing to choose among."
            )
        X_pool, mapping = self._transform_candidates(candidates, X, y)
        if clf is not None:
            check_type(clf, "clf", SkactivemlClassifier)
            check_equal_missing_label(clf.missing_label, self.missing_label_)
            if fit_clf:
                weights = {} if sample_weight is None else {"sample_weight": sample_weight}
                with interrupts_raised():
                    clf = clone(clf).fit(X, y, **weights)
            check_is_fitted(clf)
        strategy = self.strategy
        if isinstance(strategy, str):
            strategy = get_strategy(strategy).function  # type: ignore[union-attr]
        y_pool = np.full(len(X_pool), self.missing_label) if mapping is None else y[mapping]
        known = is_labeled(y_pool, self.missing_label_).all()
        if not known and "y" in inspect.signature(strategy).parameters:
            raise ValueError(
                "The strategy uses the current labels of candidates: candidates must be indices of "
                "labelled samples."
            )
        trusted = is_labeled(y, self.missing_label_)
        if mapping is not None:
            trusted[mapping] = False
        learner = _learner(clf, X[trusted], y[trusted])
        random_state = None if self.random_state is None else self.random_state_
        rng = private_random_state(random_state, "as_skactiveml")
        before = deepcopy(rng)
        picks = choose(strategy, learner, X_pool, y_pool, batch_size, rng)
        if not return_utilities:
            return picks if mapping is None else mapping[picks]
        utilities = self._utilities(strategy, learner, X_pool, y_pool, picks, before)
        for step in range(len(picks)):
            utilities[step, picks[:step]] = np.nan
        if mapping is None:
            return picks, utilities
        of_samples = np.full((len(picks), len(X)), np.nan)
        of_samples[:, mapping] = utilities
        return mapping[picks], of_samples

    def _utilities(
        self,
        strategy: Callable[..., Any],
        learner: Learner,
        X: NDArray[Any],
        y: NDArray[Any],
        picks: NDArray[np.intp],
        rng: np.random.RandomState,
    ) -> NDArray[np.float64]:
        """Utilities before each pick, of shape (n_picks, n_candidates)."""
        if self.scores is not None:
            scores = np.asarray(self.scores(learner, X), dtype=np.float64)
            if scores.shape != (len(X),):
                raise ValueError(f"scores must return {len(X)} numbers, got shape {scores.shape}.")
            return np.tile(scores, (len(picks), 1))
        utilities = utilities_of(strategy, learner, X, picks, y=y, random_state=rng)
        if utilities is None:
            utilities = np.zeros((len(picks), len(X)))
            utilities[np.arange(len(picks)), picks] = 1
        return utilities


class _NoClassifier:
    """Stands in for a classifier that was not passed."""

    def predict_proba(self, X: Any) -> NDArray[Any]:
        raise ValueError("The strategy needs predictions: pass clf to query.")

    predict = predict_proba


def _learner(
    clf: SkactivemlClassifier | None, X_training: NDArray[Any], y_training: NDArray[Any]
) -> Learner:
    """A `SkactivemlClassifier` as strategies expect a learner."""
    if clf is None:
        return Learner(None, None, X_training, y_training, predictor=_NoClassifier())
    # The wrapped model has the features and the network that strategies may use.
    inner = isinstance(clf, SklearnClassifier) and getattr(clf, "is_fitted_", False)
    estimator = clf.estimator_ if inner else clf
    return Learner(estimator, clf.classes_, X_training, y_training, predictor=clf)
