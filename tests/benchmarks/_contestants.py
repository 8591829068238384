"""What is compared: our classifiers, and hand-written PyTorch loops without checks or history."""

import multiprocessing
import resource
import time

import numpy as np
import torch
from torch import nn

from noisyactive import CoTeachingVOGClassifier


class WideMLP(nn.Sequential):
    def __init__(self, num_classes=10):
        super().__init__(
            nn.Linear(64, 256), nn.ReLU(), nn.Linear(256, 256), nn.ReLU(),
            nn.Linear(256, num_classes),
        )  # fmt: skip


def coteaching_loop(make_network, X, y, *, epochs, batch_size, forget_rate=0.2, seed=0):
    """Co-teaching as one would write it in a script; seconds of the last epoch."""
    torch.manual_seed(seed)
    networks = [make_network(), make_network()]
    parameters = [p for network in networks for p in network.parameters()]
    optimizer = torch.optim.SGD(parameters, lr=0.01, momentum=0.9, weight_decay=1e-4)
    X, y = torch.from_numpy(X), torch.from_numpy(y)
    for _ in range(epochs):
        start = time.perf_counter()
        for rows in torch.randperm(len(X)).split(batch_size):
            x, target = X[rows], y[rows]
            logits = [network(x) for network in networks]
            losses = [nn.functional.cross_entropy(z, target, reduction="none") for z in logits]
            n_selected = int((1 - forget_rate) * len(rows))
            picks = [loss.detach().argsort()[:n_selected] for loss in losses]
            total = losses[0][picks[1]].mean() + losses[1][picks[0]].mean()
            optimizer.zero_grad()
            total.backward()
            optimizer.step()
            total.item()
        seconds = time.perf_counter() - start
    return seconds


def ours(network, X, y, mix_ratio, window=2, epochs=3):
    net = CoTeachingVOGClassifier(
        network,
        mix_ratio=mix_ratio,
        forget_rate=0.2,
        ramp_epochs=0,
        warmup_epochs=0,
        vog_window=window,
        batch_size=256,
        max_epochs=epochs,
        random_state=0,
    ).fit(X, y)
    assert mix_ratio == 0 or net.history[-1, "vog_used"]
    return net.history[-1, "dur"]


def peak_of(function, *args):
    """Bytes of memory that a function needs at its peak beyond what the process held before."""
    context = multiprocessing.get_context("spawn")
    with context.Pool(1) as pool:
        return pool.apply(_peak, (function, args))


def _peak(function, args):
    torch.set_num_threads(1)
    small = np.zeros((512, 64), dtype=np.float32), np.arange(512) % 10
    function(*small, *args)  # what libraries allocate at first use
    data = np.zeros((400_000, 64), dtype=np.float32), np.arange(400_000) % 10
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    function(*data, *args)
    return 1024 * (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)


def fit(X, y, mix_ratio):
    ours(WideMLP, X, y, mix_ratio, window=2, epochs=3)


def by_hand(X, y):
    coteaching_loop(WideMLP, X, y, epochs=1, batch_size=256)
