"""Read samples of any kind in batches: arrays, image files, Datasets, texts."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import DataLoader, Dataset

from .._arrays import described
from .._decode import pixels_of, read_image
from .._samples import as_native, check_samples, in_memory, reading

Batch = torch.Tensor | list[torch.Tensor] | list[str]


class Samples:
    """Samples that are read batch by batch, in their order.

    Parameters
    ----------
    n_samples : int
        Their number.
    read : callable
        ``read(batch_size, num_workers)`` iterates over batches: a tensor, a list of tensors of
        different shapes, or a list of texts.
    """

    def __init__(self, n_samples: int, read: Callable[[int, int], Iterator[Batch]]):
        self.n_samples = n_samples
        self.batches = read


def read_samples(
    X: Any, reads: str, column: Any, check_array: Callable[[Any], NDArray[Any]]
) -> Samples:
    """Find out what samples are, and how to read them.

    Parameters
    ----------
    X : object of length n_samples
        As for `FrozenFeatures.transform`.
    reads : {"images", "texts", "any"}
        What the network takes.
    column : str or None
        Column of a DataFrame or a Hugging Face Dataset.
    check_array : callable
        Checks numbers that lie in memory, and returns them as an array.

    Returns
    -------
    Samples
        The samples, of which none has been read but what lies in memory.

    Raises
    ------
    TypeError, ValueError
        If they are nothing that the network takes.
    """
    check_samples(X)
    if is_hugging_face(X):
        X = _hugging_face_column(X, reads, column)
    elif hasattr(X, "columns") and hasattr(X, "iloc"):
        X = _frame_column(X, column)
    elif column is not None:
        raise ValueError(f"column={column!r} is for a DataFrame or a Dataset of Hugging Face.")
    if isinstance(X, Dataset):
        if reads == "texts":
            raise TypeError("X is a torch Dataset, but this backbone takes texts: pass a list.")
        return _of_dataset(X)
    items = _as_items(X, reads)
    if items is not None:
        if not len(items):
            raise ValueError("X holds no samples: at least 1 is required.")
        return _of_items(items, reads)
    if reads == "texts":
        raise TypeError(f"X must hold texts for this backbone, got {described(X)}.")
    if _is_lazy_array(X):
        return _of_array(X, checked=False)
    return _of_array(_checked(X, check_array), checked=True)


def is_hugging_face(X: Any) -> bool:
    """Whether X is a Dataset of Hugging Face, without importing what that is."""
    return type(X).__module__.startswith("datasets.") and hasattr(X, "column_names")


def _hugging_face_column(X: Any, reads: str, column: Any) -> Any:
    """A column as texts, images or numbers."""
    kinds = {name: getattr(kind, "_type", "List") for name, kind in X.features.items()}
    if column is None:
        wanted = {"texts": ("Value",), "images": ("Image",), "any": ("Image",)}[reads]
        fitting = [
            name
            for name, kind in kinds.items()
            if kind in wanted and (kind != "Value" or "string" in X.features[name].dtype)
        ]
        if len(fitting) != 1:
            raise ValueError(
                f"X has {len(fitting)} columns that could be the {reads} ({list(kinds)}): pass "
                "column."
            )
        (column,) = fitting
    if column not in kinds:
        raise ValueError(f"column must be one of {list(kinds)}, got {column!r}.")
    if kinds[column] == "Image":
        return _Images(X.with_format(None).select_columns([column]), column)
    if kinds[column] == "Value":
        return list(X.with_format(None)[column])
    return _Numbers(X.with_format("numpy"), column)


class _Images(Dataset[torch.Tensor]):
    """Images of a sequence as tensors: PIL images, arrays, tensors or paths.

    Parameters
    ----------
    items : sequence
        The images.
    key : str, default=None
        Where an item has its image; None: an item is an image.
    """

    def __init__(self, items: Any, key: str | None = None):
        self.items = items
        self.key = key

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, row: int) -> torch.Tensor:
        if row >= len(self.items):
            raise IndexError(row)
        item = self.items[row]
        item = item if self.key is None else item[self.key]
        try:
            if isinstance(item, (str, PathLike)):
                return read_image(str(item))
            if hasattr(item, "getbands"):
                return pixels_of(item)
            return _as_tensor(item)
        except Exception as error:  # decoders raise errors of any kind
            named = f", {item}," if isinstance(item, (str, PathLike)) else ""
            raise OSError(f"X[{row}]{named} cannot be read as an image: {error}") from error


class _Numbers:
    """A column of arrays that is read batch by batch.

    Parameters
    ----------
    table : datasets.Dataset
        In NumPy's format.
    column : str
        Its name.
    """

    def __init__(self, table: Any, column: str):
        self.table, self.column = table, column
        first = np.asarray(table[:1][column])
        self.shape, self.dtype = (len(table), *first.shape[1:]), first.dtype

    def __len__(self) -> int:
        return len(self.table)

    def __getitem__(self, rows: slice) -> NDArray[Any]:
        return np.asarray(self.table[rows][self.column])


def _frame_column(X: Any, column: Any) -> Any:
    """The column of a DataFrame that was asked for, or the only one, where it holds no numbers."""
    if column is not None:
        if column not in X.columns:
            raise ValueError(f"column must be one of {list(X.columns)}, got {column!r}.")
        return X[column]
    only = X.iloc[:, 0] if X.shape[1] == 1 else None
    return X if only is None or _as_items(only) is None else only


def _as_items(X: Any, reads: str = "any") -> Sequence[Any] | None:
    """Texts, paths, PIL images or arrays of several sizes as a list; None for other samples."""
    if isinstance(X, np.ndarray) and X.dtype.kind in "OUT" and X.shape[1:] in ((), (1,)):
        X = X.ravel().tolist()
    elif hasattr(X, "iloc") and getattr(X, "ndim", 0) == 1:
        X = X.tolist()
    if not isinstance(X, (list, tuple)):
        return None
    first = X[0] if X else None
    if reads == "texts" or isinstance(first, (str, PathLike)) or hasattr(first, "getbands"):
        return X
    shape = getattr(first, "shape", ())
    return X if len(shape) == 3 and any(one.shape != shape for one in X) else None


def _of_items(items: Sequence[Any], reads: str) -> Samples:
    kinds = (str,) if reads == "texts" else (str, PathLike)
    as_text = reads == "texts" or isinstance(items[0], (str, PathLike))
    for row, item in enumerate(items if as_text else ()):
        if not isinstance(item, kinds):
            what = "texts" if reads == "texts" else "paths of images"
            raise TypeError(f"X must hold {what}, got {described(item)} at position {row}.")
    if reads != "texts":
        missing = [row for row, item in enumerate(items) if as_text and not Path(item).is_file()]
        if missing:
            raise ValueError(
                "X must hold paths of images for this backbone, but there is no file "
                f"{items[missing[0]]} (position {missing[0]}; {len(missing)} are missing). Texts "
                "need a text encoder."
            )
        return _of_dataset(_Images(items))

    def read(batch_size: int, num_workers: int) -> Iterator[Batch]:
        for start in range(0, len(items), batch_size):
            yield [str(text) for text in items[start : start + batch_size]]

    return Samples(len(items), read)


def _of_dataset(X: Any) -> Samples:
    def read(batch_size: int, num_workers: int) -> Iterator[Batch]:
        own = torch.Generator()  # or it would draw a seed from the global one
        loader = DataLoader(
            X, batch_size, num_workers=num_workers, collate_fn=_collate, generator=own
        )
        return iter(loader)

    return Samples(len(X), read)


def _collate(items: list[Any]) -> Batch:
    """Samples without their labels, in one tensor where their shapes allow."""
    tensors = [_as_tensor(item[0] if isinstance(item, (tuple, list)) else item) for item in items]
    if any(x.shape != tensors[0].shape for x in tensors):
        return tensors
    return torch.stack(tensors)


def _as_tensor(item: Any) -> torch.Tensor:
    if hasattr(item, "getbands"):  # a PIL image
        return pixels_of(item)
    if isinstance(item, torch.Tensor):
        return item.detach()
    return torch.from_numpy(as_native(np.array(item)))


def _is_lazy_array(X: Any) -> bool:
    """Whether rows of an array are read when they are needed, as those of an HDF5 file."""
    known = isinstance(X, (np.ndarray, torch.Tensor)) or hasattr(X, "iloc")
    numbers = getattr(getattr(X, "dtype", None), "kind", "O") in "biuf"
    return numbers and not known and not hasattr(X, "toarray")


def _checked(X: Any, check_array: Callable[[Any], NDArray[Any]]) -> NDArray[Any]:
    X = in_memory(X)
    with reading(X):
        return as_native(check_array(X))


def _of_array(X: Any, *, checked: bool) -> Samples:
    def read(batch_size: int, num_workers: int) -> Iterator[Batch]:
        for start in range(0, len(X), batch_size):
            part = np.array(X[start : start + batch_size])
            if not checked:
                part = as_native(part)
                if part.dtype.kind == "f" and not np.isfinite(part).all():
                    raise ValueError(f"X has NaN or infinity in rows from {start} on.")
            yield torch.from_numpy(part)

    return Samples(len(X), read)


def first_of(samples: Samples, num_workers: int = 0) -> Batch:
    """The first sample, as a batch."""
    return next(itertools.islice(samples.batches(1, num_workers), 1))
