"""The gate for samples: kinds of X that would be misread, and what to pass instead."""

from __future__ import annotations

from collections.abc import Mapping, Set
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import DataLoader, Dataset, IterableDataset, Subset

from ._arrays import described, refuse_masked


def check_samples(X: Any, name: str = "X") -> None:
    """Raise if samples are of a kind that no code here reads as its user means it.

    Parameters
    ----------
    X : object
        Samples.
    name : str, default="X"
        What errors call them.

    Raises
    ------
    TypeError, ValueError
        With a sentence that says what to pass instead.
    """
    refuse_masked(X, name)
    if X is None:
        raise ValueError(f"{name} is None: pass the samples.")
    if isinstance(X, np.matrix):
        raise TypeError(f"{name} is a np.matrix: pass np.asarray({name}).")
    if isinstance(X, DataLoader):
        raise TypeError(f"{name} is a DataLoader: pass its dataset, {name}.dataset.")
    if isinstance(X, IterableDataset):
        raise TypeError(
            f"{name} is an IterableDataset, whose samples have no row numbers: pass a Dataset with "
            "__getitem__ and __len__."
        )
    if isinstance(X, Dataset) and not hasattr(X, "__len__"):
        raise TypeError(f"{name} is a Dataset without __len__: give its class one.")
    one = isinstance(X, (str, bytes, Mapping, Set, type)) or getattr(X, "shape", None) == ()
    if one or not (hasattr(X, "shape") or hasattr(X, "__len__")):
        raise TypeError(
            f"{name} must hold samples along its first axis, got {described(X)}: pass an array, a "
            "DataFrame, a tensor or a Dataset."
        )
    if isinstance(X, torch.Tensor) and (remedy := _remedy_for_tensor(X)):
        raise TypeError(f"{name} is a {remedy}.")
    columns = getattr(X, "columns", None)
    if columns is not None and hasattr(X, "iloc") and not columns.is_unique:
        twice = columns[columns.duplicated()][0]
        raise ValueError(f"{name} has several columns named {twice!r}: rename them.")


def _remedy_for_tensor(X: torch.Tensor) -> str | None:
    if X.is_nested:
        return "nested tensor: pad its samples to one shape, X.to_padded_tensor(0)"
    if X.is_quantized:
        return "quantised tensor: pass X.dequantize()"
    if X.is_meta:
        return "tensor on the device 'meta', without data: pass one that has data"
    if X.layout != torch.strided:
        return "sparse tensor: pass X.to_dense()"
    if X.is_complex():
        return "complex tensor: pass torch.view_as_real(X), or X.abs()"
    return None


def as_native(X: NDArray[Any], name: str = "X") -> NDArray[Any]:
    """Numbers in a type that torch has, and within the range of float32, in which networks compute.

    Parameters
    ----------
    X : ndarray of shape (n_samples, ...)
        Numbers of any type and byte order.
    name : str, default="X"
        What errors call them.

    Returns
    -------
    ndarray of shape (n_samples, ...)
        The same, if they need no change without a copy.

    Raises
    ------
    ValueError
        If they are no numbers, or become infinite in float32.
    """
    if X.dtype.kind in "mM":
        raise ValueError(
            f"{name} holds dates or durations: pass numbers, as days since the first one, "
            f"({name} - {name}.min()) / np.timedelta64(1, 'D')."
        )
    if X.dtype.kind in "cUSV":
        raise ValueError(f"{name} must hold numbers, got the type {X.dtype}.")
    if X.dtype.kind == "f" and X.dtype.itemsize > 4 and X.size:
        largest = max(abs(float(X.min())), abs(float(X.max())))
        if largest > np.finfo(np.float32).max:
            raise ValueError(
                f"{name} has values up to {largest:.3g}, which are infinite in float32, in which "
                "networks compute: scale them."
            )
    if X.dtype.kind == "f" and X.dtype.itemsize not in (4, 8):
        return X.astype(np.float32)
    return X.astype(X.dtype.newbyteorder("="), copy=False)


def with_end(X: Any) -> Any:
    """Samples that raise IndexError behind the last one, as code outside of torch relies on.

    Parameters
    ----------
    X : object
        Samples.

    Returns
    -------
    object
        X; a `Subset` of all of a Dataset that has no end.
    """
    if not isinstance(X, Dataset):
        return X
    try:
        X[len(X)]  # type: ignore[arg-type]
    except IndexError:
        return X
    except Exception:  # noqa: BLE001  # whatever it is, it does not end a loop
        pass
    return Subset(X, range(len(X)))  # type: ignore[arg-type]


def labels_of_dataset(dataset: Dataset[Any]) -> NDArray[Any]:
    """Labels that a torch Dataset carries itself.

    Its attribute ``targets``, ``labels`` or ``y`` is taken if it has one of its own length;
    otherwise, or if it has a ``target_transform``, every item is read once.

    Parameters
    ----------
    dataset : torch.utils.data.Dataset
        Items are ``(x, y)``.

    Returns
    -------
    ndarray of shape (n_samples,)
        The labels.
    """
    raw = getattr(dataset, "target_transform", None) is None
    for attribute in ("targets", "labels", "y") if raw else ():
        labels = getattr(dataset, attribute, None)
        if labels is not None and not callable(labels) and len(labels) == len(dataset):  # type: ignore[arg-type]
            return np.asarray(labels)
    first = dataset[0]
    if not isinstance(first, (tuple, list)) or len(first) < 2:
        raise ValueError("y is required, since the items of the Dataset X hold no label.")
    return np.asarray([np.asarray(dataset[i][1]).item() for i in range(len(dataset))])  # type: ignore[arg-type]
