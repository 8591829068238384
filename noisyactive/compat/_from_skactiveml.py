"""A pool strategy of scikit-activeml as one with modAL's signature."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
from numpy.typing import NDArray
from skactiveml.base import (
    SingleAnnotatorPoolQueryStrategy,
    SkactivemlClassifier,
)
from sklearn.base import BaseEstimator, clone
from sklearn.utils.validation import _num_samples

from .._arrays import naming
from .._codes import find_codes
from .._labels import find_classes
from .._pipeline import features_of
from .._proba import aligned_proba
from .._random import isolated_rng, private_random_state
from ..query import check_request


class StrategyOfSkactiveml(BaseEstimator):
    """What `noisyactive.compat.from_skactiveml` returns; it is explained there.

    Parameters
    ----------
    query_strategy : SingleAnnotatorPoolQueryStrategy
        The strategy.
    query_params : dict, default=None
        Further arguments of its `query`.
    """

    def __init__(
        self,
        query_strategy: SingleAnnotatorPoolQueryStrategy,
        query_params: dict[str, Any] | None = None,
    ):
        self.query_strategy = query_strategy
        self.query_params = query_params

    @property
    def __name__(self) -> str:
        return type(self.query_strategy).__name__

    def __call__(
        self,
        classifier: Any,
        X: Any,
        n_instances: int = 1,
        random_tie_break: bool = False,
        *,
        random_state: int | np.random.RandomState | None = None,
    ) -> NDArray[np.intp]:
        """Choose samples of the pool.

        Parameters
        ----------
        classifier : modAL.models.ActiveLearner or alike
            A learner with a fitted `estimator`, and with `X_training` and `y_training`, the samples
            whose labels are trusted; or a committee.
        X : array-like, tensor, DataFrame or Dataset of shape (n_samples, ...)
            The pool, of whatever kind the estimator takes.
        n_instances : int, default=1
            Number of samples to choose, at least 1; more than there are chooses all.
        random_tie_break : bool, default=False
            Without effect: ties are always broken at random.
        random_state : int, RandomState instance or None, default=None
            Seeds the parts of the strategy that have no seed of their own. None draws fresh
            entropy; global random states are left as they were.

        Returns
        -------
        ndarray of int of shape (min(n_instances, n_samples),)
            Indices into `X`, in the order of choice.
        """
        n_instances = check_request(X, n_instances, random_tie_break)
        rng = private_random_state(random_state, "from_skactiveml")
        owner = classifier if hasattr(classifier, "classes_") else classifier.estimator
        X_trusted, classes, codes = _trusted(classifier, getattr(owner, "classes_", None))
        parts = [X] if X_trusted is None else [X_trusted, X]
        estimator = getattr(classifier, "estimator", None)
        with naming("X"):
            rows = np.concatenate([features_of(estimator, part) for part in parts])
        rows = rows.astype(np.float64)
        y = np.append(codes, np.full(len(rows) - len(codes), np.nan))

        def model(owner: Any) -> LearnersClassifier:
            proba = np.concatenate([aligned_proba(owner, part, classes) for part in parts])
            return LearnersClassifier(rows, proba.astype(np.float64))

        strategy = _adapted(self.query_strategy, classes, rng)
        accepted = inspect.signature(strategy.query).parameters
        given = self.query_params or {}
        params = {key: _adapted(value, classes, rng) for key, value in given.items()}
        for name in {"clf", "estimator"} & (set(accepted) - set(params)):
            params[name] = model(owner)
            if f"fit_{name}" in accepted:
                params[f"fit_{name}"] = False
        if "ensemble" in accepted and "ensemble" not in params:
            if not hasattr(classifier, "learner_list"):
                raise ValueError(
                    f"{self.__name__} needs ensemble: from_skactiveml(..., ensemble=...), "
                    "unless it is called with a committee."
                )
            members = [model(member.estimator) for member in classifier.learner_list]
            params |= {"ensemble": members, "fit_ensemble": False}
        with isolated_rng(int(rng.randint(np.iinfo(np.int32).max))):
            chosen = strategy.query(X=rows, y=y, batch_size=n_instances, **params)
        return np.asarray(chosen, dtype=np.intp) - len(codes)


class LearnersClassifier(SkactivemlClassifier):
    """The learner's predictions for known samples, as a classifier of scikit-activeml.

    Parameters
    ----------
    rows : ndarray of float64 of shape (n_samples, n_features)
        Features of the samples.
    proba : ndarray of float64 of shape (n_samples, n_classes)
        Their class probabilities.
    """

    def __init__(self, rows: NDArray[np.float64], proba: NDArray[np.float64]):
        super().__init__()
        self.rows = rows
        self.proba = proba
        self.classes_ = np.arange(proba.shape[1])
        self._row_of = {row.tobytes(): index for index, row in enumerate(rows)}

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> LearnersClassifier:
        """Refuse: the learner's model is used as it is."""
        raise TypeError(
            "This strategy fits classifiers of its own; give it one: from_skactiveml(..., clf=...)."
        )

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """Probabilities of known samples, of shape (n_samples, n_classes)."""
        try:
            index = [self._row_of[row.tobytes()] for row in np.asarray(X, dtype=np.float64)]
        except KeyError:
            raise ValueError(
                "This strategy asks for predictions for samples that are not in the data; give it "
                "a classifier of its own: from_skactiveml(..., clf=...)."
            ) from None
        return self.proba[index]

    def predict(self, X: Any) -> NDArray[np.intp]:
        """Most probable class codes of known samples, of shape (n_samples,)."""
        return self.predict_proba(X).argmax(axis=1)


def _trusted(classifier: Any, known: Any) -> tuple[Any, NDArray[Any], NDArray[np.intp]]:
    """Trusted samples or None, all classes, and the trusted samples' codes."""
    X = getattr(classifier, "X_training", None)
    if X is None or _num_samples(X) == 0:
        return None, np.asarray([] if known is None else known), np.empty(0, dtype=np.intp)
    present, codes = find_classes(classifier.y_training, name="y_training")
    # A learner may have been fitted to fewer labels than it was taught.
    classes = present if known is None else np.unique(np.concatenate([known, present]))
    return X, classes, find_codes(present.tolist(), classes, name="y_training")[codes]


def _adapted(value: Any, classes: NDArray[Any], rng: np.random.RandomState) -> Any:
    """Copy of a strategy or classifier, or a list of them, for encoded labels, with seeds."""
    if isinstance(value, (list, tuple)):
        return [_adapted(item, classes, rng) for item in value]
    if not isinstance(value, BaseEstimator):
        return value
    value = clone(value)
    changes: dict[str, Any] = {}
    for key, param in sorted(value.get_params().items()):
        match key.rsplit("__", 1)[-1]:
            case "missing_label":
                changes[key] = np.nan
            case "random_state" if param is None:
                changes[key] = int(rng.randint(np.iinfo(np.int32).max))
            case "classes" if param is not None:
                changes[key] = find_codes(param, classes, name=key).tolist()
    return value.set_params(**changes)
