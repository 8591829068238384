"""Time of the noise model: `pytest tests/benchmarks/test_noise_model.py`."""

import time

import torch

from noisyactive._noise_model import fit_noise


def seconds(n_classes):
    """Of one fit to 20,000 samples, a fifth of which are labelled at random."""
    generator = torch.Generator().manual_seed(0)
    true = torch.randint(n_classes, (20_000,), generator=generator)
    logits = torch.randn((20_000, n_classes), generator=generator)
    logits[torch.arange(20_000), true] += 5
    anything = torch.randint(n_classes, (20_000,), generator=generator)
    codes = torch.where(torch.rand(20_000, generator=generator) < 0.2, anything, true)
    proba = torch.softmax(2 * logits, dim=1)
    start = time.perf_counter()
    fit_noise(proba, codes, start=(0.1, 1.0))
    return time.perf_counter() - start


def test_fit_among_many_classes(compare):
    torch.set_num_threads(1)
    compare(
        "noise model, 1,000 classes / 10",
        lambda: seconds(1000),
        lambda: seconds(10),
        "<= 30",
        repeats=2,
    )
    torch.set_num_threads(2)
