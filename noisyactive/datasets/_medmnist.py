"""MedMNIST's files: medical images of one small size."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import Bunch

from .._files import as_path

if TYPE_CHECKING:
    from os import PathLike

_SPLITS = ("train", "val", "test")


def load_medmnist_npz(path: str | PathLike[str]) -> Bunch:
    """Load a file of MedMNIST [1]_, such as ``pneumoniamnist.npz``.

    Parameters
    ----------
    path : path
        The file: arrays ``train_images``, ``train_labels`` and the same of ``val`` and ``test``.

    Returns
    -------
    sklearn.utils.Bunch
        ``X_train``, ``X_val``, ``X_test``: ndarray of uint8 of shape (n_samples, channels, height,
        width), one channel for grey and three for colour, or (n_samples, 1, depth, height, width)
        for volumes; ``y_train``, ``y_val``, ``y_test``: ndarray of int64 of shape (n_samples,).

    Raises
    ------
    ValueError
        If the file is not of this kind, or its images have several labels each (ChestMNIST).
    FileNotFoundError
        If there is no such file.

    References
    ----------
    .. [1] J. Yang et al., "MedMNIST v2 - A large-scale lightweight benchmark for 2D and 3D
       biomedical image classification", Scientific Data 2023, :doi:`10.1038/s41597-022-01721-8`.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import numpy as np
    >>> from noisyactive.datasets import load_medmnist_npz
    >>> arrays = {}
    >>> for split, n in [("train", 6), ("val", 2), ("test", 3)]:
    ...     arrays[f"{split}_images"] = np.zeros((n, 28, 28, 3), dtype=np.uint8)
    ...     arrays[f"{split}_labels"] = np.ones((n, 1), dtype=np.uint8)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "some.npz")
    ...     np.savez(path, **arrays)
    ...     data = load_medmnist_npz(path)
    >>> data.X_train.shape, data.y_train.shape
    ((6, 3, 28, 28), (6,))
    """
    path = as_path(path, "path")
    try:
        with open(path, "rb") as stream, np.load(stream, allow_pickle=False) as file:
            names = [f"{split}_{kind}" for split in _SPLITS for kind in ("images", "labels")]
            if missing := [name for name in names if name not in file]:
                raise ValueError(f"it lacks the arrays {missing}")
            arrays = {name: file[name] for name in names}
    except (AttributeError, BadZipFile, EOFError, TypeError, ValueError) as error:
        raise ValueError(f"path must be an npz file of MedMNIST; {path}: {error}.") from error
    data: dict[str, NDArray[Any]] = {}
    for split in _SPLITS:
        data[f"X_{split}"] = _channels_first(arrays[f"{split}_images"], f"{split}_images")
        data[f"y_{split}"] = _one_label(
            arrays[f"{split}_labels"], len(data[f"X_{split}"]), f"{split}_labels"
        )
    return Bunch(**data)


def fetch_medmnist(name: str, size: int = 28, *, root: str | PathLike[str] | None = None) -> Bunch:
    """Download a data set of MedMNIST, unless it is there already, and load it.

    The download is the ``medmnist`` package's: ``pip install "noisyactive[medmnist]"``.

    Parameters
    ----------
    name : str
        Name of the data set, "dermamnist" for instance, in any case.
    size : int, default=28
        Side of the images in pixels: 28, 64, 128 or 224; of volumes 28 or 64.
    root : path, default=None
        Folder for the file, made if need be. None takes medmnist's own, ``~/.medmnist``.

    Returns
    -------
    sklearn.utils.Bunch
        As `load_medmnist_npz`; ``target_names``: list of str, the meaning of the labels 0, 1, ...

    Raises
    ------
    ImportError
        If the ``medmnist`` package cannot be imported.
    ValueError
        If there is no such data set or size, or its images have several labels each.
    RuntimeError
        If the download fails.
    """
    try:
        medmnist: Any = import_module("medmnist")
    except ImportError as error:
        raise ImportError(
            f'fetch_medmnist needs the medmnist package: pip install "noisyactive[medmnist]" '
            f"({error}). A file that is on disk already is read by load_medmnist_npz without it."
        ) from error
    info = medmnist.INFO.get(str(name).lower())
    if info is None:
        raise ValueError(f"name must be one of {sorted(medmnist.INFO)}, got {name!r}.")
    if info["task"].startswith("multi-label"):
        raise ValueError(f"{name} has several labels an image; multi-label sets are not supported.")
    source = getattr(medmnist, info["python_class"])
    if size not in source.available_sizes:
        raise ValueError(f"size must be one of {source.available_sizes} for {name}, got {size!r}.")
    folder = Path(medmnist.info.DEFAULT_ROOT if root is None else root)
    path = folder / f"{source.flag}{'' if size == 28 else f'_{size}'}.npz"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        source(split="test", download=True, size=size, root=str(folder))
    data = load_medmnist_npz(path)
    data.target_names = [info["label"][str(code)] for code in range(len(info["label"]))]
    return data


def _channels_first(images: NDArray[Any], name: str) -> NDArray[np.uint8]:
    if images.dtype != np.uint8 or images.ndim not in (3, 4) or not len(images):
        raise ValueError(
            f"{name} must be bytes of shape (n, height, width) or (n, height, width, 3), got "
            f"{images.dtype} of shape {images.shape}."
        )
    if images.ndim == 4 and images.shape[3] == 3:
        return np.ascontiguousarray(images.transpose(0, 3, 1, 2))
    return images[:, None]


def _one_label(labels: NDArray[Any], n_images: int, name: str) -> NDArray[np.int64]:
    if labels.ndim == 2 and labels.shape[1] > 1:
        raise ValueError(
            f"{name} holds {labels.shape[1]} labels an image; multi-label sets are not supported."
        )
    if labels.shape not in ((n_images,), (n_images, 1)) or labels.dtype.kind not in "iu":
        raise ValueError(
            f"{name} must be integers of shape ({n_images}, 1), one for each image, got "
            f"{labels.dtype} of shape {labels.shape}."
        )
    return labels.reshape(-1).astype(np.int64)
