"""Features on disk, one file for each batch, found again by what they were computed from."""

from __future__ import annotations

import hashlib
import inspect
import os
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save

from .._files import as_path, write_whole
from ._backbones import bytes_of

_FORMAT = "1"
_NAME = "features"


class FeatureCache:
    """Files of features in a folder.

    The name of a file is a hash of the network with its weights, of the transform, the precision,
    and the samples of the batch. A file is written under another name, flushed to the disk and
    renamed: it is there whole or not at all, also where several processes write the same.

    Parameters
    ----------
    folder : path
        The folder; it is made.
    *parts : str
        What features depend on, beside the samples.
    """

    def __init__(self, folder: str | os.PathLike[str], *parts: str):
        self.folder = as_path(folder, "cache").expanduser()
        self.folder.mkdir(parents=True, exist_ok=True)
        self._prefix = hashlib.sha256("\0".join([_FORMAT, *parts]).encode())

    def file_of(self, batch: Any) -> Path:
        """File of a batch, whether it is there or not.

        Parameters
        ----------
        batch : tensor, list of tensors or list of str
            The samples, as they were read.

        Returns
        -------
        Path
            The file.
        """
        digest = self._prefix.copy()
        for item in [batch] if isinstance(batch, torch.Tensor) else batch:
            if isinstance(item, str):
                text = item.encode("utf-8", "surrogatepass")
                digest.update(f"text {len(text)} ".encode())
                digest.update(text)
            else:
                digest.update(f"{item.dtype} {tuple(item.shape)} ".encode())
                digest.update(bytes_of(item))
        name = digest.hexdigest()
        return self.folder / name[:2] / f"{name[2:]}.safetensors"

    def get(self, batch: Any, compute: Callable[[Any], NDArray[np.float32]]) -> NDArray[np.float32]:
        """Features of a batch: those of its file, or else computed and kept.

        Parameters
        ----------
        batch : tensor, list of tensors or list of str
            The samples, as they were read.
        compute : callable
            Computes the features of a batch.

        Returns
        -------
        ndarray of float32 of shape (n_samples, n_features)
            The same bits either way.
        """
        file = self.file_of(batch)
        if file.is_file():
            try:
                return load(file.read_bytes())[_NAME]
            except (SafetensorError, KeyError) as error:
                warnings.warn(
                    f"The cache's file {file} is damaged ({error}); its features are computed "
                    "again.",
                    UserWarning,
                    stacklevel=2,
                )
        features = compute(batch)
        file.parent.mkdir(exist_ok=True)
        write_whole(file, save({_NAME: features}), overwrite=True)
        return features


def describe_transform(transform: Any) -> str:
    """A text that tells a transform from another.

    Parameters
    ----------
    transform : callable or None
        The transform.

    Returns
    -------
    str
        What a function is called and its source; the repr of anything else.

    Raises
    ------
    ValueError
        If nothing tells what it does.
    """
    if inspect.isfunction(transform):
        if transform.__name__ == "<lambda>" or transform.__closure__ is not None:
            raise ValueError(
                "cache needs a transform that it can tell from others, not a lambda or a function "
                "made inside another: pass an nn.Module or a function with a name."
            )
        try:
            source = inspect.getsource(transform)
        except OSError:
            source = ""
        return f"{transform.__module__}.{transform.__qualname__} {source}"
    text = repr(transform)
    if " at 0x" in text:
        raise ValueError(
            f"cache needs a transform that it can tell from others, got {text}: give its class a "
            "__repr__ that shows its parameters."
        )
    return f"{type(transform).__module__}.{text}"
