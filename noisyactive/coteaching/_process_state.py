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

# Up to here one thread trains rows, so that results do not depend on `n_jobs`. A second one would
# take a fifth to a third off the time of large batches, and nothing off that of small ones.
_FEW_WEIGHTS = 2**18

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


def is_small(networks: nn.Module, n_dims: int, device: str | torch.device | None) -> bool:
    """Whether networks are so small that one thread trains them, for the same bits everywhere.

    Parameters
    ----------
    networks : nn.Module
        What is trained.
    n_dims : int
        Dimensions of one sample. Rows have one, and use each weight once.
    device : str, torch.device or None
        Where they compute.

    Returns
    -------
    bool
        Whether it is so.
    """
    on_cpu = torch.device("cpu" if device is None else device).type == "cpu"
    if not on_cpu or n_dims != 1 or _has_lazy(networks):
        return False
    return sum(weights.numel() for weights in networks.parameters()) <= _FEW_WEIGHTS


def _has_lazy(networks: nn.Module) -> bool:
    """Whether weights are drawn in the first forward pass only."""
    return any(is_lazy(weights) for weights in networks.parameters())


@shielded
def torch_settings(single_thread: bool) -> Iterator[None]:
    """Compute with settings of torch that do not depend on other threads; put them back.

    The number of threads decides about the last bits of a sum, and it differs between a process
    and the workers that joblib starts. torch gives a number that one thread of Python sets to all
    that compute later; several may be in such a block at once. Whether gradients are computed,
    torch itself does not put back if it is interrupted in the wrong moment.

    Parameters
    ----------
    single_thread : bool
        Compute with one thread of torch; otherwise with as many as outside of all such blocks.
    """
    global _n_blocks, _n_threads_before
    gradients, outer = torch.is_grad_enabled(), getattr(_here, "n_threads", None)
    with _lock:
        if not _n_blocks:
            _n_threads_before = torch.get_num_threads()
        _n_blocks += 1
        _here.n_threads = 1 if single_thread else _n_threads_before
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
