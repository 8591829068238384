"""The gate for samples: kinds of X that would be misread, and what to pass instead."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Set
from contextlib import contextmanager
from os import PathLike
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import check_array

from ._arrays import described, naming, native_type, refuse_masked
from ._kinds import is_dataset, is_iterable_dataset, is_loader, is_tensor
from ._rows import RowsOf, as_rows, large_as_rows

if TYPE_CHECKING:
    import torch
    from torch.utils.data import Dataset


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
    as_rows(X, name)  # what cannot be read from a file is said here
    if isinstance(X, np.matrix):
        raise TypeError(f"{name} is a np.matrix: pass np.asarray({name}).")
    if is_loader(X):
        raise TypeError(f"{name} is a DataLoader: pass its dataset, {name}.dataset.")
    if is_iterable_dataset(X):
        raise TypeError(
            f"{name} is an IterableDataset, whose samples have no row numbers: pass a Dataset with "
            "__getitem__ and __len__."
        )
    if is_dataset(X) and not hasattr(X, "__len__"):
        raise TypeError(f"{name} is a Dataset without __len__: give its class one.")
    odd = isinstance(X, (str, bytes, Mapping, Set, type)) and not hasattr(X, "toarray")
    several = any(hasattr(X, one) for one in ("shape", "__len__", "__array__"))
    if odd or getattr(X, "shape", None) == () or not several:
        raise TypeError(
            f"{name} must hold samples along its first axis, got {described(X)}: pass an array, a "
            "DataFrame, a tensor or a Dataset."
        )
    if is_tensor(X) and (remedy := _remedy_for_tensor(X)):
        raise TypeError(f"{name} is a {remedy}.")
    columns = getattr(X, "columns", None)
    if columns is not None and hasattr(X, "iloc") and not columns.is_unique:
        twice = columns[columns.duplicated()][0]
        raise ValueError(f"{name} has several columns named {twice!r}: rename them.")


def _remedy_for_tensor(X: torch.Tensor) -> str | None:
    import torch

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
    """Numbers in a type that torch has, and within the range of float32.

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
    if X.dtype.kind == "O":  # a categorical column of pandas makes an array one of objects
        X = X.astype(np.float64)
    if X.dtype.kind in "mM":
        raise ValueError(
            f"{name} holds dates or durations: pass numbers, as days since the first one, "
            f"({name} - {name}.min()) / np.timedelta64(1, 'D')."
        )
    if X.dtype.kind in "cUSV":
        raise ValueError(f"{name} must hold numbers, got the type {X.dtype}.")
    if X.dtype.kind == "f" and X.dtype.itemsize > 4 and X.size:
        largest = max(abs(float(X.min())), abs(float(X.max())))
        if largest > float(np.finfo(np.float32).max):
            raise ValueError(
                f"{name} has values up to {largest:.3g}, which are infinite in float32: scale them."
            )
    return _native(X)


def _native(X: NDArray[Any]) -> NDArray[Any]:
    """Numbers in a type that every library has, the same if they are in one."""
    return X.astype(native_type(X.dtype), copy=False)


def in_memory(X: Any, name: str = "X") -> Any:
    """Check samples that lie in memory; turn a tensor into an array of NumPy.

    Parameters
    ----------
    X : object
        Samples.
    name : str, default="X"
        What errors call them.

    Returns
    -------
    object
        What scikit-learn's checks take; `RowsOf` a file.

    Raises
    ------
    TypeError, ValueError
        As `check_samples`, and of a Dataset or its items.
    """
    X = as_rows(X, name)
    check_samples(X, name)
    if is_dataset(X):
        raise TypeError(
            f"{name} is a Dataset, whose samples are read one by one: pass an array of all of them."
        )
    first = X[0] if isinstance(X, list) and X else None
    if isinstance(first, tuple) and first and hasattr(first[0], "shape"):
        raise TypeError(
            f"{name} is a list of items of a torch Dataset; scikit-learn takes a Dataset apart "
            "unless it is wrapped: skorch.helper.SliceDataset(dataset)."
        )
    return _detached(X).numpy() if is_tensor(X) else X


@contextmanager
def reading(X: Any, name: str = "X") -> Iterator[None]:
    """Let errors in the block say that they are about samples, and what to do where these are text.

    Parameters
    ----------
    X : object
        Samples in memory.
    name : str, default="X"
        What errors call them.
    """
    try:
        with naming(name):
            yield
    except (TypeError, ValueError) as error:
        if not _holds_text(X):
            raise
        raise TypeError(
            f"{name} holds text. If these are paths of images, pass "
            "noisyactive.datasets.ImageTable(paths, labels), which reads them; of other texts, a "
            "Pipeline that begins with TfidfVectorizer makes numbers."
        ) from error


def _holds_text(X: Any) -> bool:
    """Whether samples are one text each."""
    if not (isinstance(X, (list, tuple, np.ndarray)) or hasattr(X, "iloc")):
        return False
    first = np.asarray(X[:1], dtype=object).ravel()
    return first.size == 1 and isinstance(first[0], (str, bytes, PathLike))


def as_numeric(X: Any, name: str = "X", **options: Any) -> NDArray[Any]:
    """Samples as an array of finite numbers.

    Parameters
    ----------
    X : array-like, tensor or DataFrame of shape (n_samples, ...)
        Samples.
    name : str, default="X"
        What errors call them.
    **options : dict
        Of scikit-learn's ``check_array``.

    Returns
    -------
    ndarray of shape (n_samples, ...)
        The same numbers, where possible without a copy.

    Raises
    ------
    TypeError, ValueError
        With a sentence that says what to pass instead.
    """
    X = in_memory(X, name)
    with reading(X, name):
        return as_native(check_array(X, input_name=name, **{"allow_nd": True, **options}), name)


def checked_rows(X: Any, name: str = "X") -> Any:
    """Check the numbers of a file or a large array in one pass, before many models read them.

    Parameters
    ----------
    X : object
        Samples for networks.
    name : str, default="X"
        What errors call them.

    Returns
    -------
    object
        `RowsOf` the file or array, which networks do not check again; X if it is anything else.

    Raises
    ------
    TypeError, ValueError
        As `as_numeric`.
    """
    rows = large_as_rows(X)
    if isinstance(rows, RowsOf) and not rows.checked:
        for part in rows.chunks():
            as_numeric(part, name)
        rows = RowsOf(rows.array, rows.rows, checked=True)
    return rows


def _detached(X: torch.Tensor) -> torch.Tensor:
    """A tensor that NumPy can read."""
    import torch

    X = X.detach().cpu() if X.requires_grad or X.device.type != "cpu" else X
    return X.float() if X.dtype == torch.bfloat16 else X


@contextmanager
def asking(name: str = "X") -> Iterator[None]:
    """Let errors of a user's estimator in the block say that they are about what it was given.

    Those about something else pass as they are.

    Parameters
    ----------
    name : str, default="X"
        What it was given.
    """
    others = ("X", "y", "sample_weight", "parameter")
    with naming(name, *others, kinds=(TypeError, ValueError)):
        yield


def for_estimator(X: Any, name: str = "X") -> Any:
    """Check samples and let any estimator be able to read them.

    Parameters
    ----------
    X : object
        Samples.
    name : str, default="X"
        What errors call them.

    Returns
    -------
    object
        X; numbers in a type that libraries have, a tensor without gradient; `RowsOf` a file; a
        `Subset` of all of a Dataset that would not raise IndexError behind its last sample.

    Raises
    ------
    TypeError, ValueError
        As `check_samples`.
    """
    X = as_rows(X, name)
    check_samples(X, name)
    if is_tensor(X):
        return _detached(X)
    if type(X) is np.ndarray and X.dtype.kind in "iuf":
        return _native(X)
    if not is_dataset(X):
        return X
    try:
        X[len(X)]  # type: ignore[arg-type]
    except IndexError:
        return X
    except Exception:  # noqa: BLE001  # a Dataset's own code may raise anything else: no end then
        pass
    from torch.utils.data import Subset

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
    with naming("y"):
        return np.asarray([np.asarray(dataset[i][1]).item() for i in range(len(dataset))])  # type: ignore[arg-type]
