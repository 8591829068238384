"""Sequences and matrices as users pass them; nothing of them is dropped in silence."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from typing import Any

import numpy as np
from numpy.typing import NDArray


def refuse_masked(values: Any, name: str) -> None:
    """Raise a ValueError if entries are masked: NumPy reads what lies under the mask.

    Parameters
    ----------
    values : object
        What was passed.
    name : str
        What the error calls it.
    """
    parts = values if isinstance(values, (list, tuple)) else [values]
    if any(np.ma.isMaskedArray(part) and np.ma.getmaskarray(part).any() for part in parts):
        raise ValueError(
            f"{name} has masked entries: fill them with {name}.filled(value), or leave them out."
        )


def as_list(values: Any, name: str, what: str = "entries", *, ordered: bool = True) -> list[Any]:
    """A one-dimensional sequence as a list of Python objects.

    Parameters
    ----------
    values : iterable
        Array-like of shape (n,), or any other iterable whose order means something.
    name : str
        What errors call it.
    what : str, default="entries"
        What it holds, for errors.
    ordered : bool, default=True
        Whether their order means something, so that sets are refused.

    Returns
    -------
    list
        Its entries; those of an array as Python objects.

    Raises
    ------
    ValueError
        If it is a single value, a mapping, a set, of other dimensions, or masked.
    """
    refuse_masked(values, name)
    refused = (str, bytes, Mapping, Set) if ordered else (str, bytes, Mapping)
    if (
        isinstance(values, refused)
        or not isinstance(values, Iterable)
        or getattr(values, "ndim", 1) != 1
    ):
        raise ValueError(f"{name} must be a sequence of {what}, got {_described(values)}.")
    if isinstance(values, np.ndarray) and values.dtype.kind not in "mM":
        return values.tolist()
    if hasattr(values, "detach"):  # a tensor of torch, which is not imported here
        return values.detach().cpu().tolist()
    return list(values)


def as_numbers(values: Any, name: str, *, shape: str, n_dims: int) -> NDArray[np.float64]:
    """An array of float64.

    Parameters
    ----------
    values : array-like
        Numbers.
    name : str
        What errors call them.
    shape : str
        Their shape, for errors.
    n_dims : int
        Number of their dimensions.

    Returns
    -------
    ndarray of float64
        The same numbers.

    Raises
    ------
    ValueError
        If they are of another shape, masked, or not real numbers.
    """
    refuse_masked(values, name)
    if hasattr(values, "toarray"):
        raise ValueError(f"{name} must be a dense array of shape {shape}: pass {name}.toarray().")
    try:
        array = np.asarray(values.detach().cpu() if hasattr(values, "detach") else values)
        if array.dtype.kind in "cmMSUV":
            raise TypeError(f"it is of dtype {array.dtype}")
        numbers = array.astype(np.float64)
    except (TypeError, ValueError, RuntimeError, OverflowError) as error:
        raise ValueError(f"{name} must be numbers of shape {shape}: {error}.") from error
    if numbers.ndim != n_dims:
        raise ValueError(f"{name} must be of shape {shape}, got an array of shape {numbers.shape}.")
    return numbers


def _described(value: Any) -> str:
    shape = getattr(value, "shape", None)
    if shape is not None:
        return f"{type(value).__name__} of shape {tuple(shape)}"
    text = repr(value)
    return text if len(text) <= 80 else f"a {type(value).__name__}"
