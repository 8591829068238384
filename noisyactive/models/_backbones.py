"""Find the network that computes features, freeze it, and say what goes into it."""

from __future__ import annotations

import copy
import difflib
import hashlib
import math
import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import urlparse
from urllib.request import url2pathname

import torch
from torch import nn

from .._arrays import described
from .._random import isolated_rng
from ._surgery import drop_head
from ._torchvision import torchvision_classifier
from ._transform import EvalTransform
from ._weights import read_state_dict

_TIMM_PREFIXES = ("timm/", "hf-hub:", "hf_hub:", "local-dir:")
_RANDOM = "random"


@dataclass(frozen=True, eq=False)
class Backbone:
    """A frozen network, and what it reads.

    Parameters
    ----------
    network : nn.Module
        In evaluation mode, without gradients, on its device.
    transform : callable or None
        Maps a batch of samples (a tensor) to what the network takes; None where nothing is known.
    reads : {"images", "texts", "any"}
        What samples are: images, texts, or whatever a network of the user takes.
    """

    network: nn.Module
    transform: Callable[[torch.Tensor], torch.Tensor] | None
    reads: str

    @cached_property
    def digest(self) -> str:
        """Hash of the network: how it is built, as its repr says, and all of its weights."""
        found = hashlib.sha256(f"{type(self.network).__qualname__} {self.network!r}".encode())
        found.update(repr(getattr(self.network, "prompts", None)).encode())
        for name, value in self.network.state_dict().items():
            if isinstance(value, torch.Tensor):
                found.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
                found.update(bytes_of(value))
        return found.hexdigest()


def bytes_of(tensor: torch.Tensor) -> memoryview:
    """The numbers of a tensor as bytes; NumPy has no bfloat16."""
    flat = tensor.detach().cpu().contiguous().reshape(-1)
    return flat.view(torch.uint8).numpy().data


def build_backbone(backbone: Any, weights: Any, device: Any) -> Backbone:
    """Build a frozen network.

    Parameters
    ----------
    backbone : str, path, nn.Module or callable
        As for `FrozenFeatures`.
    weights : str, path, torchvision weights or None
        As for `FrozenFeatures`.
    device : str or torch.device
        Where it computes.

    Returns
    -------
    Backbone
        The network; of a module that was passed, a copy.

    Raises
    ------
    ValueError, TypeError, ImportError, FileNotFoundError
        If there is no such network, or its weights are not there.
    """
    found = _found(backbone, _as_local(weights), device)
    network = found.network.to(device).eval().requires_grad_(False)
    return Backbone(network, found.transform, found.reads)


def _as_local(weights: Any) -> Any:
    """Weights, with the path in the place of a file:// URL."""
    if not isinstance(weights, str) or "://" not in weights:
        return weights
    url = urlparse(weights)
    if url.scheme != "file":
        raise ValueError(
            f"weights must be a name, a path or a file:// URL, got {weights!r}: fetch the file and "
            "pass its path."
        )
    return Path(url2pathname(url.path))


def _found(backbone: Any, weights: Any, device: Any) -> Backbone:
    if isinstance(backbone, nn.Module):
        if _is_text_encoder(backbone) and weights is None:
            return Backbone(copy.deepcopy(backbone), None, "texts")
        return Backbone(_with_weights(copy.deepcopy(backbone), weights), None, "any")
    if isinstance(backbone, (str, os.PathLike)):
        return _by_name(os.fspath(backbone), weights, device)
    if not callable(backbone):
        raise TypeError(
            "backbone must be the name of a network, an nn.Module, or a callable that returns one, "
            f"got {described(backbone)}."
        )
    with isolated_rng(0):
        network = backbone()
    if not isinstance(network, nn.Module):
        raise TypeError(f"backbone must return an nn.Module, it returned {described(network)}.")
    return _found(network, weights, device)


def _with_weights(network: nn.Module, weights: Any) -> nn.Module:
    """A network of the user's, filled from a file."""
    if weights is None:
        return network
    if not isinstance(weights, (str, os.PathLike)):
        raise TypeError(
            "weights of an nn.Module must be None, for those that it has, or the path of a "
            f"state_dict; got {described(weights)}."
        )
    file = _existing(weights)
    try:
        network.load_state_dict(read_state_dict(file))
    except RuntimeError as error:
        raise ValueError(f"weights: those of {file} do not fit the backbone: {error}") from error
    return network


def _existing(path: str | os.PathLike[str]) -> Path:
    file = Path(path).expanduser()
    if not file.is_file():
        raise FileNotFoundError(f"weights: there is no file {file}.")
    return file


def _by_name(name: str, weights: Any, device: Any) -> Backbone:
    import torchvision

    known = torchvision.models.list_models(module=torchvision.models)
    if name in known:
        return _of_torchvision(name, weights)
    if name.startswith(_TIMM_PREFIXES):
        return _of_timm(name.removeprefix("timm/"), weights)
    if "/" in name or os.sep in name or (name and Path(name).is_dir()):
        return _of_sentence_transformers(name, weights, device)
    if find_spec("timm") is not None:
        import timm

        if timm.is_model(name):
            return _of_timm(name, weights)
        known = [*known, *timm.list_models()]
    close = difflib.get_close_matches(name.lower(), known)
    hint = f"; did you mean {' or '.join(map(repr, close))}?" if close else "."
    raise ValueError(
        f"backbone {name!r} is no model of torchvision, nor of timm (the extra timm), nor the "
        f"folder or repository (with a slash) of a text encoder{hint}"
    )


def _of_torchvision(name: str, weights: Any) -> Backbone:
    if weights is None:
        weights = "DEFAULT"
    elif isinstance(weights, str) and weights == _RANDOM:
        weights = None
    factory = torchvision_classifier(name, weights)
    with isolated_rng(0):
        network = factory(num_classes=1)
    drop_head(network)
    return Backbone(network, _Colour(factory.eval_transform), "images")


def _of_timm(name: str, weights: Any) -> Backbone:
    timm = _imported("timm", "timm")
    from timm.data import resolve_model_data_config
    from torchvision.transforms import InterpolationMode

    random = isinstance(weights, str) and weights == _RANDOM
    options: dict[str, Any] = {"pretrained": not random}
    if weights is not None and not random:
        if not isinstance(weights, (str, os.PathLike)):
            raise TypeError(
                f"weights of {name} must be None, 'random' or a path, got {described(weights)}."
            )
        options["pretrained_cfg_overlay"] = {"file": str(_existing(weights))}
    try:
        with isolated_rng(0):
            network = timm.create_model(name, num_classes=0, **options)
    except OSError as error:
        raise FileNotFoundError(
            f"The weights of {name} are not on this machine and could not be downloaded ({error}). "
            "Fetch the file model.safetensors of the model's page "
            f"({_page_of(name)}) by other means, put it anywhere on this machine, and pass its "
            "path as weights; weights='random' starts from random ones."
        ) from error
    except RuntimeError as error:  # how timm says that it has no such model, or no such weights
        raise ValueError(f"backbone: {error}") from error
    config = resolve_model_data_config(network)
    height, width = config["input_size"][1:]
    resize: tuple[int, int] | int = (height, width)
    if config["crop_mode"] != "squash":
        resize = math.floor(min(height, width) / config["crop_pct"])
    transform = EvalTransform(
        resize,
        (height, width),
        config["mean"],
        config["std"],
        InterpolationMode(config["interpolation"]),
    )
    return Backbone(network, _Colour(transform), "images")


def _page_of(name: str) -> str:
    """Where the weights of timm's model are published."""
    import timm

    if ":" in name:
        return f"https://huggingface.co/{name.partition(':')[2]}"
    config = timm.get_pretrained_cfg(name)
    published = getattr(config, "hf_hub_id", None) or f"timm/{name}"
    return f"https://huggingface.co/{published}"


def _of_sentence_transformers(name: str, weights: Any, device: Any) -> Backbone:
    if weights is not None:
        raise ValueError(
            f"weights must be None for the text encoder {name!r}, whose folder has them; got "
            f"{weights!r}."
        )
    library = _imported("sentence_transformers", "text")
    local = Path(name).expanduser()
    try:
        network = library.SentenceTransformer(
            str(local) if local.is_dir() else name, device=str(device)
        )
    except OSError as error:
        raise FileNotFoundError(
            f"The text encoder {name!r} is not on this machine and could not be downloaded "
            f"({error}). Fetch all files of https://huggingface.co/{name} by other means (as "
            "config.json, model.safetensors, tokenizer.json), put them into a folder, and pass "
            "the path of the folder as backbone."
        ) from error
    return Backbone(network, None, "texts")


def _is_text_encoder(network: nn.Module) -> bool:
    """Whether a module is a SentenceTransformer, without importing what that is."""
    return any(
        one.__name__ == "SentenceTransformer" and one.__module__.startswith("sentence_transformers")
        for one in type(network).__mro__
    )


def _imported(module: str, extra: str) -> Any:
    if find_spec(module) is None:
        raise ModuleNotFoundError(
            f'This backbone needs {module}: pip install "noisyactive[{extra}]".'
        )
    return __import__(module)


class _Colour(nn.Module):
    """Repeat the channel of grey images, then transform.

    Parameters
    ----------
    transform : nn.Module
        For images with three channels.
    """

    def __init__(self, transform: nn.Module):
        super().__init__()
        self.transform = transform

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        if images.ndim != 4 or images.shape[1] not in (1, 3):
            raise ValueError(
                "X must hold images of shape (n, 1 or 3, height, width) for this backbone, got "
                f"{tuple(images.shape)}."
            )
        result: torch.Tensor = self.transform(images.expand(-1, 3, -1, -1))
        return result
