"""Two networks as one module, with the inputs of their linear heads."""

import copy
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from .._interrupts import shielded
from ._process_state import eager


@dataclass(frozen=True)
class DataSpec:
    """What the networks need to know about the data.

    Parameters
    ----------
    input_shape : tuple of int
        Shape of one sample, as the network takes it.
    classes : ndarray of shape (n_classes,)
        Sorted class labels.
    sample_shape : tuple of int, default=()
        Shape of one sample before it is transformed.
    """

    input_shape: tuple[int, ...]
    classes: NDArray[Any]
    sample_shape: tuple[int, ...] = ()

    def to_tensor(self) -> torch.Tensor:
        """Bytes of a JSON text, a form that every checkpoint format can hold."""
        kind = self.classes.dtype
        text = json.dumps(
            {
                "input_shape": self.input_shape,
                "sample_shape": self.sample_shape,
                "classes": self.classes.tolist(),
                "dtype": "object" if kind.kind == "O" else kind.str,
            }
        )
        return torch.frombuffer(bytearray(text.encode()), dtype=torch.uint8)

    @classmethod
    def from_tensor(cls, tensor: torch.Tensor) -> "DataSpec":
        """Inverse of `to_tensor`."""
        spec = json.loads(tensor.cpu().numpy().tobytes().decode())
        classes = np.array(spec["classes"], dtype=np.dtype(spec["dtype"]))
        return cls(tuple(spec["input_shape"]), classes, tuple(spec["sample_shape"]))


class NetworkPair(nn.Module):
    """Two networks of one architecture with different initial weights.

    Called like any module, it gives the average of both networks' logits. The data spec (shape of a
    sample, class labels) is saved in its ``state_dict``.

    Parameters
    ----------
    build : callable
        Returns a new network at each call.
    spec : DataSpec
        The data both networks are made for.
    """

    #: Key of the data spec in a ``state_dict``.
    SPEC_KEY = "_extra_state"

    def __init__(self, build: Callable[[], nn.Module], spec: DataSpec):
        super().__init__()
        networks = [build(), build()]
        if odd := [one for one in networks if not isinstance(one, nn.Module)]:
            raise TypeError(f"module must build a torch.nn.Module, got {odd[0]!r}.")
        self.networks = nn.ModuleList(networks)
        self.spec = spec
        self.head_name: str | None = None
        self._head_inputs: list[HeadInput] = []
        self._lock = threading.Lock()

    def forward(self, X: torch.Tensor) -> torch.Tensor:
        """Average of both networks' logits."""
        (first, _), (second, _) = self.forward_each(X)
        return (first + second) / 2

    def forward_each(self, X: torch.Tensor) -> list[tuple[torch.Tensor, torch.Tensor | None]]:
        """Logits and features of each network; features are None where no head was found."""
        with self._lock:  # another thread's pass would change what the heads have kept
            logits = [network(X) for network in self.networks]
            if not self._head_inputs:
                return [(output, None) for output in logits]
            features = [head_input.take() for head_input in self._head_inputs]
        return list(zip(logits, features, strict=True))

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
                "extract_features need it. With mix_ratio=0 no head is needed; head='name' names "
                "one that was not found."
            )
        return self.heads()

    def features(self, X: torch.Tensor) -> torch.Tensor:
        """Input of both heads side by side, of shape (n_samples, 2 * n_features)."""
        self.require_head()
        parts = [features for _, features in self.forward_each(X) if features is not None]
        return torch.cat(parts, dim=1)

    def probe(self, X: torch.Tensor, head: str | None = None) -> None:
        """Run the networks on a few samples: check their output and find the heads.

        Parameters
        ----------
        X : tensor of shape (n, ...)
            A few samples.
        head : str, default=None
            Dotted name of the linear head in a network. None looks for it.

        Raises
        ------
        ValueError
            If the output is not one row of ``n_classes`` logits per sample, or `head` is not the
            linear layer that computes it.
        """
        n_classes = len(self.spec.classes)
        first = self.networks[0]
        try:
            with evaluating(self), eager():
                logits = first(X)
        except (AssertionError, IndexError, RuntimeError, TypeError, ValueError) as error:
            raise ValueError(
                f"module {type(first).__name__} does not take batches of shape (n_samples, "
                f"{', '.join(map(str, X.shape[1:]))}): {error}"
            ) from error
        if not isinstance(logits, torch.Tensor) or logits.shape != (len(X), n_classes):
            shape = tuple(getattr(logits, "shape", ())) or type(logits).__name__
            raise ValueError(
                f"module must return logits of shape (n_samples, n_classes) = "
                f"({len(X)}, {n_classes}), got {shape}; set the number of its outputs through its "
                f"constructor, for example module__num_classes={n_classes}."
            )
        found = find_head(first, X) if head is None else head
        if found == self.head_name and self._head_inputs:
            return
        self._watch_heads(found)
        if head is not None:
            with evaluating(self), eager():
                logits, features = self.forward_each(X)[0]
                again = None if features is None else self.heads()[0](features)
            if (
                again is None
                or again.shape != logits.shape
                or not torch.allclose(again, logits, atol=1e-4)
            ):
                self._watch_heads(None)
                raise ValueError(f"head={head!r} is not the layer that computes the logits.")

    def _watch_heads(self, name: str | None) -> None:
        forget_head_inputs(self)
        self.head_name, self._head_inputs = name, []
        if name is None:
            return
        for network in self.networks:
            try:
                layer = network.get_submodule(name)
            except AttributeError as error:
                self.head_name = None
                raise ValueError(f"head={name!r} is no part of the network: {error}.") from error
            if not isinstance(layer, nn.Linear):
                self.head_name = None
                raise ValueError(
                    f"head={name!r} must name a torch.nn.Linear, got a {type(layer).__name__}."
                )
            self._head_inputs.append(HeadInput(layer))

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "_lock"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)  # type: ignore[no-untyped-call]
        self._lock = threading.Lock()

    def get_extra_state(self) -> torch.Tensor:
        """Data spec as part of the ``state_dict``."""
        return self.spec.to_tensor()

    def set_extra_state(self, state: torch.Tensor) -> None:
        """Take the data spec from a ``state_dict``."""
        self.spec = DataSpec.from_tensor(state)


class AverageLogits(nn.Module):
    """Average of the logits of two fitted networks, for deployment.

    Parameters
    ----------
    networks : nn.ModuleList
        The networks, which are copied.
    """

    def __init__(self, networks: nn.ModuleList):
        super().__init__()
        self.networks = copy.deepcopy(networks)
        forget_head_inputs(self.networks)

    def forward(self, X: torch.Tensor) -> torch.Tensor:
        """Logits of shape (n_samples, n_classes)."""
        first, second = self.networks
        return (first(X) + second(X)) / 2


@shielded
def evaluating(module: nn.Module) -> Iterator[None]:
    """Evaluation mode without gradients; the mode of every submodule is restored afterwards."""
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
        with evaluating(network), eager():
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
    """Stores the input of a head in a forward pass until it is taken.

    The hook stays registered, so that a compiled network is traced with it.

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
        """Input of the head in the latest forward pass; None if the pass did not reach it."""
        value, self._value = self._value, None
        return value

    def __getstate__(self) -> dict[str, Any]:
        return {"_value": None}  # a batch is not part of a network


def forget_head_inputs(network: nn.Module) -> None:
    """Remove the hooks of `HeadInput` from a network."""
    for layer in network.modules():
        hooks = layer._forward_pre_hooks
        for key in [key for key, hook in hooks.items() if isinstance(hook, HeadInput)]:
            del hooks[key]
