"""Find the linear head of a network and capture what goes into it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

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
        with evaluating(network):
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


def forward_with_features(
    network: nn.Module, head: str, X: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Logits of a batch and, from the same forward pass, the input of the head.

    Parameters
    ----------
    network : nn.Module
        Maps a batch to logits.
    head : str
        Dotted name of its linear head.
    X : tensor of shape (batch_size, ...)
        The batch.

    Returns
    -------
    logits : tensor of shape (batch_size, n_classes)
        Output of the network.
    features : tensor of shape (batch_size, n_features)
        Input of the head, attached to the graph.
    """
    captured: list[torch.Tensor] = []
    handle = network.get_submodule(head).register_forward_pre_hook(
        lambda layer, inputs: captured.append(inputs[0])
    )
    try:
        logits = network(X)
    finally:
        handle.remove()
    return logits, captured[-1]
