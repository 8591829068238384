"""Two networks as one module."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from ._features import evaluating, find_head, forward_with_features


@dataclass(frozen=True)
class DataFacts:
    """What a network has to know of its data.

    Parameters
    ----------
    input_shape : tuple of int
        Shape of one sample.
    classes : ndarray of shape (n_classes,)
        Sorted class labels.
    """

    input_shape: tuple[int, ...]
    classes: NDArray[Any]

    def to_tensor(self) -> torch.Tensor:
        """Bytes of a JSON text, a form that every checkpoint format can hold."""
        kind = self.classes.dtype
        text = json.dumps(
            {
                "input_shape": self.input_shape,
                "classes": self.classes.tolist(),
                "dtype": "object" if kind.kind == "O" else kind.str,
            }
        )
        return torch.frombuffer(bytearray(text.encode()), dtype=torch.uint8)

    @classmethod
    def from_tensor(cls, tensor: torch.Tensor) -> "DataFacts":
        """Inverse of `to_tensor`."""
        facts = json.loads(tensor.cpu().numpy().tobytes().decode())
        classes = np.array(facts["classes"], dtype=np.dtype(facts["dtype"]))
        return cls(tuple(facts["input_shape"]), classes)


class NetworkPair(nn.Module):
    """Two networks of one architecture with different initial weights.

    Called like any module, it gives the average of both networks' logits. What it knows of the data
    (shape of a sample, class labels) travels in its ``state_dict``.

    Parameters
    ----------
    build : callable
        Returns a new network at each call.
    facts : DataFacts
        The data both networks are made for.
    """

    #: Key of the data facts in a ``state_dict``.
    FACTS_KEY = "_extra_state"

    def __init__(self, build: Callable[[], nn.Module], facts: DataFacts):
        super().__init__()
        self.networks = nn.ModuleList([build(), build()])
        self.facts = facts
        self.head_name: str | None = None

    def forward(self, X: torch.Tensor, index: torch.Tensor | None = None) -> torch.Tensor:
        """Average of both networks' logits; `index` names the rows and is not looked at."""
        first, second = self.networks
        return (first(X) + second(X)) / 2

    def forward_each(self, X: torch.Tensor) -> list[tuple[torch.Tensor, torch.Tensor | None]]:
        """Logits and features of each network; features are None where no head was found."""
        if self.head_name is None:
            return [(network(X), None) for network in self.networks]
        return [forward_with_features(network, self.head_name, X) for network in self.networks]

    def heads(self) -> list[nn.Linear]:
        """Linear head of each network; empty where none was found."""
        if self.head_name is None:
            return []
        name = self.head_name
        return [cast(nn.Linear, network.get_submodule(name)) for network in self.networks]

    def require_head(self) -> list[nn.Linear]:
        """Linear head of each network; a ValueError where none was found."""
        if self.head_name is None:
            raise ValueError(
                f"module {type(self.networks[0]).__name__} has no linear head: its logits must be "
                "the output of one torch.nn.Linear on flat features, as Variance of Gradients and "
                "extract_features need it. With mix_ratio=0 no head is needed."
            )
        return self.heads()

    def features(self, X: torch.Tensor) -> torch.Tensor:
        """Input of both heads side by side, of shape (n_samples, 2 * n_features)."""
        if self.head_name is None:  # loaded from a file, say
            self.probe(X)
        self.require_head()
        parts = [features for _, features in self.forward_each(X) if features is not None]
        return torch.cat(parts, dim=1)

    def probe(self, X: torch.Tensor) -> None:
        """Try the networks on a few samples: check what comes out and find the heads.

        Parameters
        ----------
        X : tensor of shape (n, ...)
            A few samples.

        Raises
        ------
        ValueError
            If the output is not one row of ``n_classes`` logits per sample.
        """
        n_classes = len(self.facts.classes)
        with evaluating(self):
            logits = self.networks[0](X)
        if not isinstance(logits, torch.Tensor) or logits.shape != (len(X), n_classes):
            shape = tuple(getattr(logits, "shape", ())) or type(logits).__name__
            raise ValueError(
                f"module must return logits of shape (n_samples, n_classes) = "
                f"({len(X)}, {n_classes}), got {shape}; set the number of its outputs through its "
                f"constructor, for example module__num_classes={n_classes}."
            )
        self.head_name = find_head(self.networks[0], X)

    def get_extra_state(self) -> torch.Tensor:
        """Data facts as part of the ``state_dict``."""
        return self.facts.to_tensor()

    def set_extra_state(self, state: torch.Tensor) -> None:
        """Take the data facts from a ``state_dict``."""
        self.facts = DataFacts.from_tensor(state)


class AverageLogits(nn.Module):
    """Average of the logits of two fitted networks, for deployment.

    Parameters
    ----------
    networks : nn.ModuleList
        The networks.
    """

    def __init__(self, networks: nn.ModuleList):
        super().__init__()
        self.networks = networks

    def forward(self, X: torch.Tensor) -> torch.Tensor:
        """Logits of shape (n_samples, n_classes)."""
        first, second = self.networks
        return (first(X) + second(X)) / 2
