"""Find the linear head of a network and capture what goes into it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn


@contextmanager
def evaluating(module: nn.Module) -> Iterator[None]:
    """Evaluation mode without gradients; every submodule's own mode is put back afterwards."""
    training = {part: part.training for part in module.modules()}
    module.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        for part, mode in training.items():
            part.training = mode


def find_head(network: nn.Module, X: torch.Tensor) -> str | None:
    """Name of the linear layer whose output is the network's output.

    Parameters
    ----------
    network : nn.Module
        Maps a batch to logits.
    X : tensor of shape (batch_size, ...)
        A batch to try it on; two samples do.

    Returns
    -------
    str or None
        Dotted name as in ``network.get_submodule(name)``; None when the logits do not come straight
        from one ``nn.Linear`` on a flat input.
    """
    outputs: dict[str, tuple[torch.Tensor, int]] = {}

    def remember(name: str) -> Callable[..., None]:
        def hook(layer: nn.Module, inputs: tuple[torch.Tensor, ...], output: torch.Tensor) -> None:
            if inputs[0].ndim == 2:
                outputs[name] = output, output._version

        return hook

    handles = [
        layer.register_forward_hook(remember(name))
        for name, layer in network.named_modules()
        if isinstance(layer, nn.Linear)
    ]
    try:
        with evaluating(network), torch.compiler.set_stance("force_eager"):
            logits = network(X)
    finally:
        for handle in handles:
            handle.remove()
    # The address, not `is`: a view or a reshape of the layer's output is still its output.
    same = [
        name
        for name, (output, version) in outputs.items()
        if output.data_ptr() == logits.data_ptr()
        and output.numel() == logits.numel()
        and output._version == version  # nothing has worked on it in place
    ]
    return same[-1] if same else None


class HeadInput:
    """Keeps what goes into a head from a forward pass until it is taken.

    A hook that stays on, so that a compiled network is traced with it.

    Parameters
    ----------
    head : nn.Linear
        The layer whose input is kept.
    """

    def __init__(self, head: nn.Linear):
        self._value: torch.Tensor | None = None
        head.register_forward_pre_hook(self)

    def __call__(self, layer: nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
        self._value = inputs[0]

    def take(self) -> torch.Tensor | None:
        """Input of the head in the latest forward pass, if it came there."""
        value, self._value = self._value, None
        return value

    def __getstate__(self) -> dict[str, Any]:
        return {"_value": None}  # a batch is no part of a network


def forget_head_inputs(network: nn.Module) -> None:
    """Take the hooks of `HeadInput` off a network."""
    for layer in network.modules():
        hooks = layer._forward_pre_hooks
        for key in [key for key, hook in hooks.items() if isinstance(hook, HeadInput)]:
            del hooks[key]
