"""Replace the first and the last layer of a network."""

from typing import cast

import torch
from torch import nn


def _replace_layer(network: nn.Module, name: str, layer: nn.Module) -> None:
    parent, _, child = name.rpartition(".")
    setattr(network.get_submodule(parent), child, layer)


def first_convolution(network: nn.Module) -> tuple[str, nn.Conv2d]:
    """Name and layer of the convolution that sees the image.

    Parameters
    ----------
    network : nn.Module
        A network of torchvision; their layers are registered in the order of their use.

    Returns
    -------
    str, nn.Conv2d
        Dotted name and layer.
    """
    return next(
        (name, layer) for name, layer in network.named_modules() if isinstance(layer, nn.Conv2d)
    )


def output_layer(network: nn.Module) -> str:
    """Name of the layer with one output per class.

    Parameters
    ----------
    network : nn.Module
        A network of torchvision without auxiliary outputs.

    Returns
    -------
    str
        Dotted name of an ``nn.Linear``; of an ``nn.Conv2d`` in SqueezeNet.
    """
    return [
        name for name, layer in network.named_modules() if isinstance(layer, nn.Linear | nn.Conv2d)
    ][-1]


def replace_head(network: nn.Module, num_classes: int) -> None:
    """Give a network a new linear head, in place.

    It is initialised as PyTorch initialises any linear layer, from torch's global generator. Some
    architectures start with a head of zeros, with which two copies of pretrained weights would stay
    the same network for ever.

    Parameters
    ----------
    network : nn.Module
        A network of torchvision.
    num_classes : int
        Outputs of the new head.
    """
    name = output_layer(network)
    old = network.get_submodule(name)
    if isinstance(old, nn.Linear):
        head = nn.Linear(old.in_features, num_classes, bias=old.bias is not None)
        _replace_layer(network, name, head)
        return
    # SqueezeNet classifies every position and averages then; a head of its own comes after that.
    convolution = cast(nn.Conv2d, old)
    dropout = cast(nn.Sequential, network.classifier)[0]
    network.classifier = nn.Sequential(
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        dropout,
        nn.Linear(convolution.in_channels, num_classes),
    )


def drop_head(network: nn.Module) -> None:
    """Let a network return the input of its head, in place.

    Parameters
    ----------
    network : nn.Module
        A network of torchvision whose head `replace_head` has made.
    """
    _replace_layer(network, output_layer(network), nn.Identity())


def set_in_channels(network: nn.Module, in_channels: int, *, keep_weights: bool) -> None:
    """Let a network see images with another number of channels, in place.

    Parameters
    ----------
    network : nn.Module
        A network of torchvision.
    in_channels : int
        Channels of an image.
    keep_weights : bool
        True spreads the filters of the first convolution evenly: every new channel gets their sum
        over the old channels, divided by `in_channels`. So an image whose channels are all alike
        gives what it gave before. False draws new filters.
    """
    name, old = first_convolution(network)
    if old.in_channels == in_channels:
        return
    new = nn.Conv2d(
        in_channels,
        old.out_channels,
        cast(tuple[int, int], old.kernel_size),
        stride=cast(tuple[int, int], old.stride),
        padding=cast(tuple[int, int], old.padding),
        dilation=cast(tuple[int, int], old.dilation),
        bias=old.bias is not None,
    )
    if keep_weights:
        with torch.no_grad():
            new.weight.copy_(old.weight.sum(dim=1, keepdim=True) / in_channels)
            if new.bias is not None and old.bias is not None:
                new.bias.copy_(old.bias)
    _replace_layer(network, name, new)
