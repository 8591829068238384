"""What an object is to torch and skorch, without importing them.

An object can be of their classes only where they have been imported already; importing them for the
question would take a second or two, for data and models that have nothing to do with them.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, TypeGuard

if TYPE_CHECKING:
    from torch import Tensor, nn
    from torch.utils.data import Dataset


def is_tensor(value: Any) -> TypeGuard[Tensor]:
    """Whether it is a tensor of torch."""
    if "torch" not in sys.modules:
        return False
    from torch import Tensor

    return isinstance(value, Tensor)


def is_module(value: Any) -> TypeGuard[nn.Module]:
    """Whether it is a module of torch."""
    if "torch" not in sys.modules:
        return False
    from torch.nn import Module

    return isinstance(value, Module)


def is_dataset(value: Any) -> TypeGuard[Dataset[Any]]:
    """Whether it is a `Dataset` of torch, perhaps an iterable one."""
    if "torch" not in sys.modules:
        return False
    from torch.utils.data import Dataset

    return isinstance(value, Dataset)


def is_iterable_dataset(value: Any) -> bool:
    """Whether it is an `IterableDataset` of torch."""
    if "torch" not in sys.modules:
        return False
    from torch.utils.data import IterableDataset

    return isinstance(value, IterableDataset)


def is_loader(value: Any) -> bool:
    """Whether it is a `DataLoader` of torch."""
    if "torch" not in sys.modules:
        return False
    from torch.utils.data import DataLoader

    return isinstance(value, DataLoader)


def is_net(value: Any) -> bool:
    """Whether it is a network of skorch, fitted or not."""
    if "skorch" not in sys.modules:
        return False
    from skorch import NeuralNet

    return isinstance(value, NeuralNet)
