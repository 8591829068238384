"""Pretrained weights: which are meant, where their file is, and how it gets into a network."""

import os
import re
from collections import OrderedDict
from collections.abc import Mapping
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import torch
from torch import nn

from ._surgery import first_convolution, output_layer, set_in_channels

_SUFFIXES = (".pth", ".pt", ".safetensors")
_AUXILIARY = ("aux1.", "aux2.", "AuxLogits.")


def resolve_weights(name: str, weights: Any) -> str | Path | None:
    """Resolve weights to their name or file, which can be compared and pickled.

    Parameters
    ----------
    name : str
        A classification model of torchvision.
    weights : str, path, torchvision weights or None
        As for `torchvision_classifier`.

    Returns
    -------
    str, Path or None
        Name among the model's weights, file, or None for no weights.

    Raises
    ------
    ValueError, TypeError, FileNotFoundError
        If there are no such weights for this model.
    """
    from torchvision.models import WeightsEnum, get_model_weights

    if weights is None:
        return None
    known = get_model_weights(name)
    wanted = (
        f"weights of {name} must be None, 'DEFAULT', one of {[member.name for member in known]}, "
        f"or the path of a file of type {', '.join(_SUFFIXES)}"
    )
    if isinstance(weights, WeightsEnum):
        if not isinstance(weights, known):
            raise ValueError(f"{wanted}; got {weights!r}, which belong to another model.")
        weights = weights.name
    if isinstance(weights, str):
        weights = weights.removeprefix(f"{known.__name__}.")
        if weights in known.__members__:
            return _complete(known[weights])
    if not isinstance(weights, str | os.PathLike):
        raise TypeError(f"{wanted}; got {weights!r}.")
    path = Path(weights).expanduser()
    if path.suffix not in _SUFFIXES:
        raise ValueError(f"{wanted}; got {str(weights)!r}.")
    if not path.is_file():
        raise FileNotFoundError(f"weights: there is no file {path}.")
    return path


def _complete(member: Any) -> str:
    """Name of the weights, unless some are missing from them."""
    if member.meta.get("categories") is None:
        raise ValueError(
            f"weights {member!r} are those of the convolutions alone; the linear layers that come "
            "after them hold NaN."
        )
    return member.name


def file_of_weights(name: str, weights: str) -> Path:
    """File of torchvision's weights, downloaded if it is not there.

    Parameters
    ----------
    name : str
        A classification model of torchvision.
    weights : str
        Name among its weights.

    Returns
    -------
    Path
        The file, in torch.hub's folder of checkpoints.

    Raises
    ------
    FileNotFoundError
        If the file is not there and cannot be downloaded. The folder then holds no part of it.
    """
    from torchvision.models import get_model_weights

    member = get_model_weights(name)[weights]
    file = Path(torch.hub.get_dir()) / "checkpoints" / Path(urlparse(member.url).path).name
    if file.is_file():
        return file
    digest = re.search(r"-([0-9a-f]{8,})\.", file.name)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        torch.hub.download_url_to_file(member.url, str(file), digest and digest[1])
    except (OSError, HTTPException, RuntimeError) as error:  # RuntimeError: another checksum
        raise FileNotFoundError(
            f"The weights {member!r} are not on this machine and could not be downloaded "
            f"({error}). Fetch {member.url} by other means and put it at {file}, or pass "
            "weights=None to start from random weights."
        ) from error
    return file


def read_state_dict(file: Path) -> Mapping[str, torch.Tensor]:
    """Tensors of a file by name, on the CPU.

    Parameters
    ----------
    file : Path
        Written by ``torch.save`` or by safetensors; nothing but tensors is unpickled.

    Returns
    -------
    mapping of str to tensor
        The ``state_dict``.

    Raises
    ------
    ValueError
        If the file is something else, or broken.
    """
    try:
        if file.suffix == ".safetensors":
            from safetensors.torch import load_file

            return load_file(file)
        state = torch.load(file, map_location="cpu", weights_only=True)
    except OSError:
        raise
    except Exception as error:  # broken files raise errors of many kinds
        raise ValueError(
            f"weights: {file} cannot be read; it may be broken, or no file of weights ({error})."
        ) from error
    if not isinstance(state, Mapping) or not all(
        isinstance(value, torch.Tensor) for value in state.values()
    ):
        raise ValueError(f"weights: {file} must hold a state_dict, a dict of tensors by name.")
    return state


def load_body(network: nn.Module, state: Mapping[str, torch.Tensor], source: str) -> None:
    """Fill a network from a ``state_dict``, all but its head, in place.

    The file's head may have any number of outputs, or be missing; auxiliary outputs are skipped.
    The first convolution takes the number of channels that the file has.

    Parameters
    ----------
    network : nn.Module
        A network of torchvision without auxiliary outputs.
    state : mapping of str to tensor
        The tensors.
    source : str
        What to call them in an error.

    Raises
    ------
    ValueError
        If a tensor is missing, is of another shape, or has no place in the network.
    """
    head = f"{output_layer(network)}."
    convolution = f"{first_convolution(network)[0]}.weight"
    if convolution in state and state[convolution].ndim == 4:
        set_in_channels(network, state[convolution].shape[1], keep_weights=False)
    own = network.state_dict()
    body = OrderedDict(
        # Older files of DenseNet say norm.1 where the network now says norm1.
        (key if key in own else re.sub(r"\.(norm|conv)\.([12])\.", r".\1\2.", key), value)
        for key, value in state.items()
        if not key.startswith((head, *_AUXILIARY))
    )
    # Versions of the layers, by which old files are read; a safetensors file has none.
    body._metadata = getattr(state, "_metadata", own._metadata)  # type: ignore[attr-defined]
    faults = {
        "missing": [
            key
            for key in own.keys() - body.keys()
            if not key.startswith(head) and not key.endswith("num_batches_tracked")
        ],
        "of no use": [key for key in body if key not in own],
        "of another shape": [
            key for key in body if key in own and body[key].shape != own[key].shape
        ],
    }
    if any(faults.values()):
        raise ValueError(
            f"weights: {source} do not fit the network: "
            + ", ".join(
                f"{len(keys)} tensors are {fault} ({sorted(keys)[0]})"
                for fault, keys in faults.items()
                if keys
            )
            + "."
        )
    network.load_state_dict(body, strict=False)
