"""Independent streams of random numbers; the global generators are left as they were."""

from __future__ import annotations

import os
import random
import threading
from collections.abc import Iterator
from functools import partial
from numbers import Integral
from typing import TYPE_CHECKING

import numpy as np

from ._interrupts import shielded

if TYPE_CHECKING:
    import torch


def private_random_state(
    random_state: int | np.random.RandomState | None, stream: str
) -> np.random.RandomState:
    """Turn `random_state` into a generator that is not shared.

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

    Raises
    ------
    ValueError
        If `random_state` is nothing of the kind.
    """
    if isinstance(random_state, np.random.RandomState):
        return random_state
    if random_state is None:
        return np.random.RandomState()
    whole = isinstance(random_state, Integral) and not isinstance(random_state, bool)
    if not whole or not 0 <= random_state < 2**32:
        raise ValueError(
            "random_state must be an int from 0 to 2**32 - 1, a RandomState or None, got "
            f"{random_state!r}."
        )
    return np.random.RandomState([random_state, *stream.encode()])


def draw_seed(random_state: int | np.random.RandomState | None, stream: str) -> int:
    """Draw the seed of a run, from the parameters of `private_random_state`."""
    return int(private_random_state(random_state, stream).randint(np.iinfo(np.int32).max))


def child_seed(seed: int, *keys: int) -> int:
    """Seed of one part of a run, independent of the other parts' seeds."""
    return int(np.random.SeedSequence([seed, *keys]).generate_state(1)[0])


# Held by the thread that has seeded the global generators.
_lock = threading.RLock()

if hasattr(os, "register_at_fork"):  # a child lacks the thread that may have held the lock
    os.register_at_fork(after_in_child=_lock._at_fork_reinit)  # type: ignore[attr-defined]


@partial(shielded, lock=_lock)
def isolated_rng(seed: int, device: str | torch.device | None = "cpu") -> Iterator[None]:
    """Seed the global generators of torch, numpy and Python; restore them afterwards.

    Dropout, weight initialisation and users' augmentations draw from global generators, so these
    are what has to be seeded. On a CUDA device its generator is treated alike. Other threads that
    want the same wait until the block ends: what they draw does not depend on each other.

    Parameters
    ----------
    seed : int
        Seed of the block.
    device : str, torch.device or None, default="cpu"
        Device in use.
    """
    import torch

    computes_on = torch.device("cpu" if device is None else device)
    cuda_devices = [computes_on] if computes_on.type == "cuda" else []
    with torch.random.fork_rng(devices=cuda_devices):
        numpy_state = np.random.get_state()
        python_state = random.getstate()
        try:
            torch.default_generator.manual_seed(seed)
            for cuda_device in cuda_devices:
                with torch.cuda.device(cuda_device):
                    torch.cuda.manual_seed(seed)
            np.random.seed(seed % 2**32)
            random.seed(seed)
            yield
        finally:
            np.random.set_state(numpy_state)
            random.setstate(python_state)
