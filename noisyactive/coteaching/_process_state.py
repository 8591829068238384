"""What a training shares with the whole process: global random generators, torch's threads."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from functools import partial
from typing import Any

import torch
from torch import nn
from torch.nn.modules.dropout import _DropoutNd
from torch.nn.parameter import is_lazy
from torch.utils.data import DataLoader

from .._interrupts import shielded

_RANDOM_LAYERS = (_DropoutNd, nn.RReLU, nn.FractionalMaxPool2d, nn.FractionalMaxPool3d)

# Multiplications in a batch that are worth a thread. With twice as many, two threads take 0.7 to
# 0.8 of the time of one, and a third more of the processor; with half as many, they gain nothing.
_WORTH_A_THREAD = 20_000_000

_lock = threading.RLock()
_n_blocks = 0
_n_threads_before = 0
_here = threading.local()  # what the innermost block of this thread has set


def may_draw_globally(net: Any, *, lazy: bool) -> bool:
    """Whether a training may draw random numbers from global generators.

    Parameters
    ----------
    net : PairClassifier
        Initialized.
    lazy : bool
        Whether samples are read by code of the user.

    Returns
    -------
    bool
        False if it is known not to: all that runs is code of torch and of this package, and no
        layer is random.
    """
    named = [net.optimizer, net.criterion]
    layers = [layer for network in net.module_.networks for layer in network.modules()]
    options = net.get_params_for("iterator_train").keys() | net.get_params_for("iterator_valid")
    return (
        lazy
        or net.compile
        or bool(net.callbacks)
        or net.train_split is not None
        or net.train_transform is not None
        or net.eval_transform is not None
        or {net.iterator_train, net.iterator_valid} != {DataLoader}
        or not options <= {"batch_size", "shuffle", "drop_last"}
        or _has_lazy(net.module_)
        or any(not _is_known(part) for part in named)
        or any(not _is_known(type(layer)) or _is_random(layer) for layer in layers)
    )


def _is_known(code: Any) -> bool:
    return getattr(code, "__module__", "").partition(".")[0] in ("torch", "noisyactive")


def _is_random(layer: nn.Module) -> bool:
    return isinstance(layer, _RANDOM_LAYERS) or bool(getattr(layer, "dropout", 0))


def useful_threads(
    networks: nn.Module, n_dims: int, batch_size: int, device: str | torch.device | None
) -> int | None:
    """Threads of torch that have enough to do in each mini-batch.

    More take as long, or longer, and decide about last bits for nothing.

    Parameters
    ----------
    networks : nn.Module
        What is trained.
    n_dims : int
        Dimensions of one sample. Rows have one, and use each weight once.
    batch_size : int
        Samples in a mini-batch.
    device : str, torch.device or None
        Where they compute.

    Returns
    -------
    int or None
        None is as many as torch is set to.
    """
    on_cpu = torch.device("cpu" if device is None else device).type == "cpu"
    if not on_cpu or n_dims != 1 or _has_lazy(networks):
        return None
    n_weights = sum(weights.numel() for weights in networks.parameters())
    return max(1, n_weights * batch_size // _WORTH_A_THREAD)


def _has_lazy(networks: nn.Module) -> bool:
    """Whether weights are drawn in the first forward pass only."""
    return any(is_lazy(weights) for weights in networks.parameters())


@shielded
def torch_settings(n_threads: int | None) -> Iterator[None]:
    """Compute with settings of torch that do not depend on other threads; put them back.

    The number of threads decides about the last bits of a sum, and it differs between a process
    and the workers that joblib starts. torch gives a number that one thread of Python sets to all
    that compute later; several may be in such a block at once. Whether gradients are computed,
    torch itself does not put back if it is interrupted in the wrong moment.

    Parameters
    ----------
    n_threads : int or None
        Threads of torch to compute with, at most; None is as many as outside of all such blocks.
    """
    global _n_blocks, _n_threads_before
    gradients, outer = torch.is_grad_enabled(), getattr(_here, "n_threads", None)
    with _lock:
        if not _n_blocks:
            _n_threads_before = torch.get_num_threads()
        _n_blocks += 1
        _here.n_threads = min(n_threads or _n_threads_before, _n_threads_before)
        torch.set_num_threads(_here.n_threads)
    try:
        yield
    finally:
        torch.set_grad_enabled(gradients)
        with _lock:
            _n_blocks -= 1
            _here.n_threads = outer
            torch.set_num_threads(_n_threads_before if outer is None else outer)


@partial(shielded, lock=_lock)
def eager() -> Iterator[None]:
    """Run compiled networks as they are written; one thread at a time, for it holds for all."""
    with torch.compiler.set_stance("force_eager"):
        yield
