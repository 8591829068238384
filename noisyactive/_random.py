"""Random numbers that depend on nothing else that is drawn."""

from __future__ import annotations

import numpy as np


def private_random_state(
    random_state: int | np.random.RandomState | None, stream: str
) -> np.random.RandomState:
    """Turn `random_state` into a generator whose numbers nobody else draws.

    Labels drawn from ``RandomState(0)`` and noise drawn from ``RandomState(0)`` would depend on
    each other: where the first number of a sample made it a rare class, it would decide about
    its noise too. So every user of an int has a stream of its own.

    Parameters
    ----------
    random_state : int, RandomState instance or None
        As in scikit-learn, except that None means fresh entropy from the operating system
        instead of NumPy's global random state.
    stream : str
        Name of the stream that belongs to an int.

    Returns
    -------
    rng : RandomState instance
        A new generator, or the instance that was given.
    """
    if isinstance(random_state, np.random.RandomState):
        return random_state
    if random_state is None:
        return np.random.RandomState()
    return np.random.RandomState([random_state, *stream.encode()])
