"""Seeds of a run, and global generators that are put back."""

import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch

from .._random import private_random_state


def draw_seed(random_state: int | np.random.RandomState | None) -> int:
    """Seed of a run; None draws fresh entropy and leaves numpy's global generator alone."""
    # One stream for all classifiers: with mix_ratio=0, VOG is plain Co-teaching to the bit.
    return int(private_random_state(random_state, "coteaching").randint(np.iinfo(np.int32).max))


def child_seed(seed: int, *keys: int) -> int:
    """Seed of one part of a run, independent of the other parts' seeds."""
    return int(np.random.SeedSequence([seed, *keys]).generate_state(1)[0])


@contextmanager
def isolated_rng(seed: int, device: str | torch.device | None = "cpu") -> Iterator[None]:
    """Seed the global generators of torch, numpy and Python; put them back afterwards.

    Dropout, weight initialisation and people's augmentations draw from global generators, so these
    are what has to be seeded. On a CUDA device its generator is treated alike.

    Parameters
    ----------
    seed : int
        Seed inside the block.
    device : str, torch.device or None, default="cpu"
        Device that is computed on.
    """
    numpy_state = np.random.get_state()
    python_state = random.getstate()
    computes_on = torch.device("cpu" if device is None else device)
    cuda_devices = [computes_on] if computes_on.type == "cuda" else []
    with torch.random.fork_rng(devices=cuda_devices):
        torch.default_generator.manual_seed(seed)
        for cuda_device in cuda_devices:
            with torch.cuda.device(cuda_device):
                torch.cuda.manual_seed(seed)
        np.random.seed(seed % 2**32)
        random.seed(seed)
        try:
            yield
        finally:
            np.random.set_state(numpy_state)
            random.setstate(python_state)
