"""The registry of query strategies; `choose` calls one and checks its choice."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import _num_samples

from .._arrays import naming
from .._typing import Samples, Strategy
from ._bald import bald_sampling, bald_utilities
from ._coreset import coreset_sampling, coreset_utilities
from ._label_disagreement import label_disagreement_sampling, label_disagreement_scores
from ._learner import Learner
from ._random import random_sampling
from ._rare_entropy import rare_entropy_sampling, rare_entropy_scores
from ._uncertainty import (
    entropy_sampling,
    entropy_scores,
    least_confidence_sampling,
    least_confidence_scores,
    margin_sampling,
    margin_scores,
)


@dataclass(frozen=True)
class QueryStrategy:
    """A registered strategy.

    Parameters
    ----------
    name : str
        Its name in ``ActiveLabelCleaner(query_strategy=...)``.
    function : callable
        The strategy:
        ``function(learner, X, n_instances, random_tie_break, **keywords) -> indices``.
    utilities : callable
        Its scores: ``utilities(learner, X, picks, **keywords)``, of shape (n_samples,), or of
        shape (n_picks, n_samples) where they depend on earlier picks.
    single_network : bool, default=False
        Whether the learner's estimator must be, or end in, one neural network.
    """

    name: str
    function: Strategy
    utilities: Callable[..., NDArray[np.float64]]
    single_network: bool = False


def _of_proba(scores: Callable[..., NDArray[np.float64]]) -> Callable[..., NDArray[np.float64]]:
    def utilities(learner: Any, X: Any, picks: Any) -> NDArray[np.float64]:
        return scores(learner.predict_proba(X))

    return utilities


def _rare_entropy(learner: Any, X: Any, picks: Any, posterior: Any = None) -> NDArray[np.float64]:
    return rare_entropy_scores(learner.predict_proba(X) if posterior is None else posterior)


def _label_disagreement(learner: Any, X: Any, picks: Any, y: Any) -> NDArray[np.float64]:
    return label_disagreement_scores(y, learner.predict_proba(X), classes=learner.classes_)


def _random(learner: Any, X: Any, picks: NDArray[np.intp]) -> NDArray[np.float64]:
    return np.ones(_num_samples(X))


_STRATEGIES = {
    strategy.name: strategy
    for strategy in (
        QueryStrategy("bald", bald_sampling, bald_utilities, single_network=True),
        QueryStrategy("coreset", coreset_sampling, coreset_utilities),
        QueryStrategy("entropy", entropy_sampling, _of_proba(entropy_scores)),
        QueryStrategy("label_disagreement", label_disagreement_sampling, _label_disagreement),
        QueryStrategy(
            "least_confidence", least_confidence_sampling, _of_proba(least_confidence_scores)
        ),
        QueryStrategy("margin", margin_sampling, _of_proba(margin_scores)),
        QueryStrategy("random", random_sampling, _random),
        QueryStrategy("rare_entropy", rare_entropy_sampling, _rare_entropy),
    )
}


def strategy_names() -> list[str]:
    """Names of the registered strategies, sorted.

    Returns
    -------
    list of str
        Names that `get_strategy`, `choose` and ``ActiveLabelCleaner(query_strategy=...)`` accept.

    Examples
    --------
    >>> from noisyactive.query import strategy_names
    >>> strategy_names()[:3]
    ['bald', 'coreset', 'entropy']
    """
    return sorted(_STRATEGIES)


def get_strategy(strategy: str | Strategy) -> QueryStrategy | None:
    """Look a strategy up in the registry.

    Parameters
    ----------
    strategy : str or callable
        A name, a registered function, or a ``functools.partial`` of one.

    Returns
    -------
    QueryStrategy or None
        None for any other function.

    Raises
    ------
    ValueError
        If it is neither callable nor a known name.

    Examples
    --------
    >>> from noisyactive.query import get_strategy
    >>> get_strategy("bald").single_network
    True
    """
    if callable(strategy):
        while isinstance(strategy, partial):
            strategy = strategy.func
        known = (one for one in _STRATEGIES.values() if one.function is strategy)
        return next(known, None)
    if not isinstance(strategy, str) or strategy not in _STRATEGIES:
        raise ValueError(
            f"strategy must be callable or one of {strategy_names()}, got {strategy!r}."
        )
    return _STRATEGIES[strategy]


def choose(
    strategy: str | Strategy,
    learner: Learner,
    X: Samples,
    y: NDArray[Any] | None,
    n_instances: int,
    rng: np.random.RandomState,
    posterior: NDArray[np.float64] | None = None,
) -> NDArray[np.intp]:
    """Call a strategy, and check the rows that it returns.

    Parameters
    ----------
    strategy : str or callable
        A registered name, or a function with modAL's signature. `y`, `posterior` and
        `random_state` are passed to it where it has a parameter of that name.
    learner : Learner
        The learner that it is called with.
    X : object of length n_samples
        The pool.
    y : ndarray of shape (n_samples,) or None
        Their current labels.
    n_instances : int
        Number of samples to choose.
    rng : RandomState
        Generator for strategies that take one.
    posterior : ndarray of shape (n_samples, n_classes), default=None
        Probability of each class given the current labels too, where it is known.

    Returns
    -------
    ndarray of int
        Indices into X, from 1 to `n_instances` of them.

    Raises
    ------
    ValueError
        If the strategy is not a known name, or returns anything but such indices.
    """
    registered = get_strategy(strategy)
    if isinstance(strategy, str):
        assert registered is not None
        strategy = registered.function
    name = getattr(strategy, "__name__", repr(strategy))
    with naming("query_strategy", "X", kinds=(TypeError, ValueError)):
        keywords = _accepted(strategy, {"y": y, "posterior": posterior, "random_state": rng})
    with naming("query_strategy", "X", kinds=(TypeError,)):
        answer = strategy(learner, X, n_instances=n_instances, **keywords)
    # modAL 0.4.2 and later: indices and their metrics.
    chosen = np.asarray(answer[0] if isinstance(answer, tuple) else answer)
    if chosen.ndim != 1 or chosen.dtype.kind not in "iu" or not 1 <= len(chosen) <= n_instances:
        raise ValueError(
            f"query_strategy {name} must return 1 to {n_instances} row numbers, got {answer!r}."
        )
    n_samples = _num_samples(X)
    if chosen.min() < 0 or chosen.max() >= n_samples:
        raise ValueError(
            f"query_strategy {name} returned rows outside the pool of {n_samples}: "
            f"{chosen[(chosen < 0) | (chosen >= n_samples)].tolist()}."
        )
    if len(np.unique(chosen)) < len(chosen):
        raise ValueError(f"query_strategy {name} returned rows twice.")
    return chosen


def utilities_of(
    strategy: Strategy,
    learner: Learner,
    X: Samples,
    picks: NDArray[np.intp],
    *,
    y: NDArray[Any] | None = None,
    posterior: NDArray[np.float64] | None = None,
    random_state: np.random.RandomState | None = None,
) -> NDArray[np.float64] | None:
    """Utilities by which a registered strategy made its picks.

    Parameters
    ----------
    strategy : callable
        The strategy.
    learner : Learner
        The learner that it was called with.
    X : array-like of shape (n_samples, ...)
        The pool.
    picks : ndarray of int of shape (n_picks,)
        What it chose.
    y, posterior, random_state
        As they were passed to the strategy; the generator in its state before that call.

    Returns
    -------
    ndarray of shape (n_picks, n_samples) or None
        Utility of each sample before each pick; None if the strategy is not registered.
    """
    registered = get_strategy(strategy)
    if registered is None:
        return None
    keywords: dict[str, Any] = {"y": y, "posterior": posterior, "random_state": random_state}
    while isinstance(strategy, partial):
        keywords = {**strategy.keywords, **keywords}
        strategy = strategy.func
    utilities = registered.utilities
    found = np.asarray(utilities(learner, X, picks, **_accepted(utilities, keywords)))
    return np.tile(found, (len(picks), 1)) if found.ndim == 1 else found


def _accepted(function: Callable[..., Any], keywords: dict[str, Any]) -> dict[str, Any]:
    """Those keywords that the function has a parameter for."""
    parameters = inspect.signature(function).parameters
    return {keyword: value for keyword, value in keywords.items() if keyword in parameters}
