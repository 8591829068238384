"""Which rows a query strategy chooses."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..query import (
    bald_sampling,
    coreset_sampling,
    entropy_sampling,
    label_disagreement_sampling,
    least_confidence_sampling,
    margin_sampling,
    random_sampling,
    rare_entropy_sampling,
)
from ._learner import Learner

Strategy = Callable[..., Any]

STRATEGIES: dict[str, Strategy] = {
    "bald": bald_sampling,
    "coreset": coreset_sampling,
    "entropy": entropy_sampling,
    "label_disagreement": label_disagreement_sampling,
    "least_confidence": least_confidence_sampling,
    "margin": margin_sampling,
    "random": random_sampling,
    "rare_entropy": rare_entropy_sampling,
}


def choose(
    strategy: str | Strategy,
    learner: Learner,
    X: Any,
    y: NDArray[Any],
    n_instances: int,
    rng: np.random.RandomState,
    posterior: NDArray[np.float64] | None = None,
) -> NDArray[np.intp]:
    """Let a strategy choose, and check its answer.

    Parameters
    ----------
    strategy : str or callable
        One of `STRATEGIES`, or a function with modAL's signature. It is offered the keywords `y`,
        `posterior` and `random_state`.
    learner : Learner
        What the strategy sees of the run.
    X : object of length n_samples
        Samples that may be chosen.
    y : ndarray of shape (n_samples,)
        Their labels as they are now.
    n_instances : int
        How many are wanted.
    rng : RandomState
        Generator for strategies that take one.
    posterior : ndarray of shape (n_samples, n_classes), default=None
        Probability of each class to be the true one, where that is known.

    Returns
    -------
    ndarray of int
        Indices into X, from 1 to `n_instances` of them.

    Raises
    ------
    ValueError
        If a strategy of somebody else's returns anything but such indices.
    """
    if isinstance(strategy, str):
        strategy = STRATEGIES[strategy]
    name = getattr(strategy, "__name__", repr(strategy))
    offers = {"y": y, "posterior": posterior, "random_state": rng}
    accepted = inspect.signature(strategy).parameters
    extras = {keyword: value for keyword, value in offers.items() if keyword in accepted}
    answer = strategy(learner, X, n_instances=n_instances, **extras)
    # modAL 0.4.2 and later: indices and their metrics.
    chosen = np.asarray(answer[0] if isinstance(answer, tuple) else answer)
    if chosen.ndim != 1 or chosen.dtype.kind not in "iu" or not 1 <= len(chosen) <= n_instances:
        raise ValueError(
            f"query_strategy {name} must return 1 to {n_instances} row numbers, got {answer!r}."
        )
    if chosen.min() < 0 or chosen.max() >= len(y):
        raise ValueError(
            f"query_strategy {name} returned rows outside the pool of {len(y)}: "
            f"{chosen[(chosen < 0) | (chosen >= len(y))].tolist()}."
        )
    if len(np.unique(chosen)) < len(chosen):
        raise ValueError(f"query_strategy {name} returned rows twice.")
    return chosen


def strategy_names():
    return tuple(STRATEGIES)


def get_strategy(strategy):
    from types import SimpleNamespace

    if strategy in ("bald", bald_sampling):
        return SimpleNamespace(name="bald", single_network=True)
    return None
