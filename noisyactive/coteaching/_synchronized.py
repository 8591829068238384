"""Passes of a pair of networks whose gradients and batch statistics are those of all processes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import nn
from torch.nn.modules.batchnorm import SyncBatchNorm, _BatchNorm

from ._default_modules import Standardize, WideLinear
from ._pair import NetworkPair
from ._shard import Shard


class _EachNetwork(nn.Module):
    """A pair whose `forward` is `forward_each`: what data-parallel training has to go through."""

    def __init__(self, pair: NetworkPair):
        super().__init__()
        self.pair = pair

    def forward(self, X: torch.Tensor) -> Any:
        return self.pair.forward_each(X)


@contextmanager
def synchronized(
    pair: NetworkPair, shard: Shard, device: str | torch.device | None
) -> Iterator[Callable[[torch.Tensor], Any]]:
    """Passes of a pair whose gradients and batch statistics are those of all processes together.

    Parameters
    ----------
    pair : NetworkPair
        As it is built; it stays an ordinary module, with every process's weights the same at the
        end.
    shard : Shard
        Of this process.
    device : str, torch.device or None
        Where the pair computes.

    Yields
    ------
    callable
        `NetworkPair.forward_each`, to be used for training. Gradients are means over processes.
    """
    processes = shard.processes
    if processes.count == 1:
        yield pair.forward_each
        return
    instead: list[tuple[nn.Module, str, Any]] = []
    for layer in pair.modules():
        if isinstance(layer, _BatchNorm) and not isinstance(layer, SyncBatchNorm):
            instead.append((layer, "forward", partial(_normalise_by_all, layer)))
        elif isinstance(layer, Standardize):
            instead.append((layer, "learn", partial(_learn_from_all, layer, shard)))
    # Buffers of these are constant or come out the same on every process.
    known = _BatchNorm, Standardize, WideLinear
    others = any(
        list(layer.buffers(recurse=False))
        for layer in pair.modules()
        if not isinstance(layer, known)
    )
    handler = getattr(processes._accelerator, "ddp_handler", None)
    options = {"broadcast_buffers": others, **({} if handler is None else handler.to_kwargs())}
    on_gpu = torch.device("cpu" if device is None else device).type != "cpu"
    parallel = nn.parallel.DistributedDataParallel(
        _EachNetwork(pair),
        device_ids=[next(pair.parameters()).device] if on_gpu else None,
        **options,
    )
    try:
        for layer, name, method in instead:
            setattr(layer, name, method)
        yield parallel
        for values in pair.buffers():
            torch.distributed.broadcast(values, src=0)
    finally:
        for layer, name, _ in instead:
            delattr(layer, name)


def _learn_from_all(layer: Standardize, shard: Shard, X: torch.Tensor) -> None:
    """`Standardize.learn` of the rows of all processes."""
    dense = X.detach().to_dense() if X.is_sparse else X.detach()
    rows, _ = shard.processes.gather(dense.reshape(len(X), -1), shard.most)
    type(layer).learn(layer, rows.reshape(-1, *X.shape[1:]))


def _normalise_by_all(layer: _BatchNorm, X: torch.Tensor) -> torch.Tensor:
    """Batch normalisation with the statistics of all processes' samples.

    torch's ``SyncBatchNorm`` does so on GPUs only.
    """
    if not layer.training:
        return type(layer).forward(layer, X)
    values = X.float()
    dims = [dim for dim in range(X.ndim) if dim != 1]
    shape = [1, -1, *(1 for _ in range(X.ndim - 2))]
    count = values.new_full((1,), X.numel() // X.shape[1])
    sums = _SumOverProcesses.apply(torch.cat([values.sum(dims), count]))
    n_values, mean = sums[-1].detach(), sums[:-1] / sums[-1].detach()
    centred = values - mean.reshape(shape)
    variance = _SumOverProcesses.apply(centred.square().sum(dims)) / n_values
    if layer.track_running_stats and layer.running_mean is not None:
        assert layer.running_var is not None and layer.num_batches_tracked is not None
        with torch.no_grad():
            layer.num_batches_tracked.add_(1)
            share = layer.momentum
            if share is None:
                share = 1 / float(layer.num_batches_tracked)
            layer.running_mean.lerp_(mean.to(layer.running_mean.dtype), share)
            unbiased = variance * n_values / (n_values - 1)
            layer.running_var.lerp_(unbiased.to(layer.running_var.dtype), share)
    scaled = centred * (variance + layer.eps).rsqrt().reshape(shape)
    if layer.affine:
        scaled = scaled * layer.weight.reshape(shape) + layer.bias.reshape(shape)
    return scaled.to(X.dtype)


class _SumOverProcesses(torch.autograd.Function):
    """Sum over all processes; the gradient of each one's part is the sum of all gradients."""

    @staticmethod
    def forward(ctx: Any, values: torch.Tensor) -> torch.Tensor:  # noqa: D102
        return _summed(values)

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> torch.Tensor:  # noqa: D102
        return _summed(gradient)


def _summed(values: torch.Tensor) -> torch.Tensor:
    values = values.detach().clone(memory_format=torch.contiguous_format)
    torch.distributed.all_reduce(values)
    return values
