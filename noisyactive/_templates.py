"""What classifiers are cloned from: with seeds, and known to keep to themselves."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone


def seeded_clone(estimator: Any, classes: NDArray[Any], rng: np.random.RandomState) -> Any:
    """Clone an estimator, with every unset seed drawn and every unset `classes` filled in.

    Parameters
    ----------
    estimator : classifier
        Cloned.
    classes : ndarray of shape (n_classes,)
        What each parameter `classes` that is None becomes.
    rng : RandomState
        Draws what each parameter `random_state` that is None becomes.

    Returns
    -------
    classifier
        The clone.
    """
    twin = clone(estimator)
    unset = [name for name, value in sorted(twin.get_params().items()) if value is None]
    seeds = [name for name in unset if name.split("__")[-1] == "random_state"]
    knows = [name for name in unset if name.split("__")[-1] == "classes"]
    twin.set_params(
        **{name: int(rng.randint(2**31 - 1)) for name in seeds}, **dict.fromkeys(knows, classes)
    )
    return twin


def draws_globally(estimator: Any) -> bool:
    """Whether an estimator may draw random numbers from global generators.

    Parameters
    ----------
    estimator : estimator
        With its seeds set, as `seeded_clone` returns it.

    Returns
    -------
    bool
        False if it and all parts of it are known not to: they have a `random_state`, or are
        scikit-learn's own and call no function of the user.
    """
    params = estimator.get_params(deep=False)
    values = list(_flatten(params.values()))
    parts = [v for v in values if hasattr(v, "get_params") and not isinstance(v, type)]
    known = "random_state" in params or (
        type(estimator).__module__.startswith("sklearn.")
        and not any(callable(value) for value in values if not hasattr(value, "get_params"))
    )
    return not known or any(draws_globally(part) for part in parts)


def _flatten(values: Iterable[Any]) -> Iterator[Any]:
    """Values, and those in lists and tuples among them, as the steps of a pipeline are."""
    for value in values:
        if isinstance(value, (list, tuple)):
            yield from _flatten(value)
        else:
            yield value
