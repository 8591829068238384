"""Time of a choice, and memory: `pytest tests/benchmarks/test_selection.py`."""

import statistics
import time

import torch
from _contestants import by_hand, fit, peak_of

from noisyactive.coteaching._selection import select_clean
from noisyactive.coteaching._vog import VarianceOfGradients


def test_choice_from_a_batch(figure):
    torch.set_num_threads(1)
    generator = torch.Generator().manual_seed(0)
    vog = torch.rand(20_000, generator=generator)
    seconds = []
    for _ in range(2_000):
        loss = torch.rand(1_024, generator=generator)
        index = torch.randint(20_000, (1_024,), generator=generator)
        start = time.perf_counter()
        select_clean(loss, 819, vog[index], 0.5)
        seconds.append(time.perf_counter() - start)
    torch.set_num_threads(2)
    figure("choice from 1,024 with VOG, ms", f"{1e3 * statistics.median(seconds):.3f}", "<= 0.1")


def test_half_precision_changes_few_choices(figure):
    """The same gradients, kept in float32 and in float16."""
    generator = torch.Generator().manual_seed(0)
    rings = [VarianceOfGradients(20_000, 129, 5, dtype=d) for d in (torch.float32, torch.float16)]
    level = torch.rand((20_000, 1), generator=generator)
    for _ in range(5):
        gradient = -level * torch.rand((20_000, 129), generator=generator)
        for ring in rings:
            ring.begin_epoch()
            ring.record(torch.arange(20_000), gradient)
    loss = torch.rand(20_000, generator=generator)
    changed = total = 0
    scores = [ring.scores() for ring in rings]
    for rows in torch.arange(20_000).split(256):
        picks = [set(select_clean(loss[rows], 153, s[rows], 0.5).tolist()) for s in scores]
        changed += len(picks[0] - picks[1])
        total += 153
    figure("choices changed by float16, %", f"{100 * changed / total:.2f}", "< 1")


def test_peak_memory(figure):
    data = 400_000 * 64 * 4
    loop, plain, vog = peak_of(by_hand), peak_of(fit, 0), peak_of(fit, 0.5)
    ratio = (data + plain) / (data + loop)
    figure("peak of data and fit, m = 0 / loop by hand", f"{ratio:.2f}", "<= 1.10")
    ring = 2 * 2 * 400_000 * 257 * 4
    figure("memory of VOG / size of its history", f"{(vog - plain) / ring:.2f}", "about 1")
