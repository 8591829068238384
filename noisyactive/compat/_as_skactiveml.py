"""A strategy with modAL's signature as one of scikit-activeml's."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import partial
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
from sklearn.metrics import pairwise_distances_argmin_min
from sklearn.utils.validation import check_is_fitted

from .._random import private_random_state
from ..cleaning._choice import STRATEGIES, choose
from ..query import (
    coreset_sampling,
    entropy_sampling,
    entropy_scores,
    label_disagreement_sampling,
    label_disagreement_scores,
    least_confidence_sampling,
    least_confidence_scores,
    margin_sampling,
    margin_scores,
    random_sampling,
)
from ..query._coreset import features_of

_SCORES_OF_PROBA = {
    entropy_sampling: entropy_scores,
    least_confidence_sampling: least_confidence_scores,
    margin_sampling: margin_scores,
}


class StrategyForSkactiveml(SingleAnnotatorPoolQueryStrategy):
    """What `noisyactive.compat.as_skactiveml` returns; its parameters are explained there.

    Parameters
    ----------
    strategy : str or callable
        A strategy with modAL's signature.
    scores : callable, default=None
        Its utilities.
    missing_label : scalar, str, NaN or None, default=NaN
        What stands for a missing label.
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
            What the strategy takes probabilities, features and the like from.
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
            Before each choice; NaN for what cannot be chosen, or was before.
        """
        X, y, candidates, batch_size, return_utilities = self._validate_data(
            X, y, candidates, batch_size, return_utilities, reset=True
        )
        X_pool, mapping = self._transform_candidates(candidates, X, y)
        if clf is not None:
            check_type(clf, "clf", SkactivemlClassifier)
            check_equal_missing_label(clf.missing_label, self.missing_label_)
            if fit_clf:
                weights = {} if sample_weight is None else {"sample_weight": sample_weight}
                clf = clone(clf).fit(X, y, **weights)
            check_is_fitted(clf)
        strategy = STRATEGIES[self.strategy] if isinstance(self.strategy, str) else self.strategy
        y_pool = np.full(len(X_pool), self.missing_label) if mapping is None else y[mapping]
        known = is_labeled(y_pool, self.missing_label_).all()
        if not known and "y" in inspect.signature(strategy).parameters:
            raise ValueError(
                "The strategy looks at the labels that candidates have now: candidates must be "
                "indices of labelled samples."
            )
        trusted = is_labeled(y, self.missing_label_)
        if mapping is not None:
            trusted[mapping] = False
        learner = _Learner(clf, X[trusted], y[trusted])
        random_state = None if self.random_state is None else self.random_state_
        rng = private_random_state(random_state, "as_skactiveml")
        picks = choose(strategy, learner, X_pool, y_pool, batch_size, rng)  # type: ignore[arg-type]
        if not return_utilities:
            return picks if mapping is None else mapping[picks]
        utilities = self._utilities(strategy, learner, X_pool, y_pool, picks)
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
        learner: _Learner,
        X: NDArray[Any],
        y: NDArray[Any],
        picks: NDArray[np.intp],
    ) -> NDArray[np.float64]:
        """Utilities before each pick, of shape (n_picks, n_candidates)."""
        while isinstance(strategy, partial):
            strategy = strategy.func
        if self.scores is not None:
            scores = np.asarray(self.scores(learner, X), dtype=np.float64)
            if scores.shape != (len(X),):
                raise ValueError(f"scores must return {len(X)} numbers, got shape {scores.shape}.")
        elif strategy in _SCORES_OF_PROBA:
            scores = _SCORES_OF_PROBA[strategy](learner.predict_proba(X))
        elif strategy is label_disagreement_sampling:
            proba = learner.predict_proba(X)
            scores = label_disagreement_scores(y, proba, classes=learner.classes_)
        elif strategy is random_sampling:
            scores = np.ones(len(X))
        elif strategy is coreset_sampling:
            return _distances_to_centres(learner, X, picks)
        else:
            chosen = np.zeros((len(picks), len(X)))
            chosen[np.arange(len(picks)), picks] = 1
            return chosen
        return np.tile(scores, (len(picks), 1))


class _Learner:
    """A `SkactivemlClassifier` as strategies expect a learner."""

    on_transformed = False

    def __init__(
        self, clf: SkactivemlClassifier | None, X_training: NDArray[Any], y_training: NDArray[Any]
    ):
        self._clf = clf
        self.X_training = X_training
        self.y_training = y_training
        # The model inside has the features and the network that strategies may ask for.
        self.estimator: Any = clf
        if isinstance(clf, SklearnClassifier) and getattr(clf, "is_fitted_", False):
            self.estimator = clf.estimator_

    @property
    def classes_(self) -> NDArray[Any]:
        return self._fitted().classes_

    def predict(self, X: Any) -> NDArray[Any]:
        return self._fitted().predict(X)

    def predict_proba(self, X: Any) -> NDArray[Any]:
        return self._fitted().predict_proba(X)

    def _fitted(self) -> SkactivemlClassifier:
        if self._clf is None:
            raise ValueError("The strategy asks for predictions: pass clf to query.")
        return self._clf


def _distances_to_centres(
    learner: _Learner, X: NDArray[Any], picks: NDArray[np.intp]
) -> NDArray[np.float64]:
    """Of each candidate to the nearest centre or pick, before each pick."""
    features = features_of(learner.estimator, X).astype(np.float64)
    distances = np.empty((len(picks), len(X)))
    if len(learner.X_training):
        centres = features_of(learner.estimator, learner.X_training).astype(np.float64)
        distances[0] = pairwise_distances_argmin_min(features, centres)[1]
    else:  # the first pick is then the sample farthest from the mean, which is no centre
        distances[0] = np.linalg.norm(features - features.mean(axis=0), axis=1)
    nearest = distances[0] if len(learner.X_training) else np.full(len(X), np.inf)
    for step, pick in enumerate(picks[:-1], start=1):
        nearest = np.minimum(nearest, np.linalg.norm(features - features[pick], axis=1))
        distances[step] = nearest
    return distances
