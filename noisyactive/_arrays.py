"""Sequences and matrices as users pass them; nothing of them is dropped in silence."""

from __future__ import annotations

import re
from collections.abc import Iterator, KeysView, Sequence, Set, ValuesView
from contextlib import contextmanager
from numbers import Number
from typing import Any

import numpy as np
from numpy.typing import NDArray

_OF_LIBRARIES = (TypeError, ValueError, RuntimeError, OverflowError, LookupError)


@contextmanager
def naming(
    name: str, *others: str, kinds: tuple[type[Exception], ...] = _OF_LIBRARIES
) -> Iterator[None]:
    """Let errors of libraries in the block say what they are about.

    Parameters
    ----------
    name : str
        What was passed. A ValueError or TypeError that has it already is left alone.
    *others : str
        Words that say just as well what an error is about.
    kinds : tuple of type, default=those that libraries raise of what they are given
        Errors that may be about it.
    """
    try:
        yield
    except kinds as error:
        kind = TypeError if isinstance(error, TypeError) else ValueError
        words = "|".join(re.escape(word) for word in (name, *others))
        named = re.search(rf"(?<!\w)({words})(?!\w)", str(error))
        if isinstance(error, AttributeError) or (isinstance(error, kind) and named):
            raise  # scikit-learn's NotFittedError is an AttributeError, too
        raise kind(f"{name}: {error}") from error


def as_array(values: Any, name: str) -> NDArray[Any]:
    """An array of what is like one.

    Parameters
    ----------
    values : array-like
        A sequence, a number, or anything that NumPy can read at once. Iterating is no way to read:
        a Dataset of torch may never end.
    name : str
        What errors call it.

    Returns
    -------
    ndarray
        The same, of any type and shape.

    Raises
    ------
    ValueError, TypeError
        If it is not like an array, or has masked entries.
    """
    refuse_masked(values, name)
    if hasattr(values, "toarray"):
        raise TypeError(f"{name} must be dense, got a sparse matrix: pass {name}.toarray().")
    if not (values is None or isinstance(values, (Number, Sequence)) or _has_array(values)):
        raise TypeError(f"{name} must be an array or a sequence, got {described(values)}.")
    with naming(name):
        if hasattr(values, "detach"):  # a tensor of torch, which is not imported here
            values = values.detach().cpu()
            values = values.float() if str(values.dtype) == "torch.bfloat16" else values
        return np.asarray(values)


def _has_array(values: Any) -> bool:
    return any(hasattr(values, one) for one in ("__array__", "__array_interface__"))


def native_type(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """The type of numbers that every library has and that holds those of another type."""
    if dtype.kind == "f" and dtype.itemsize not in (4, 8):
        return np.dtype(np.float32 if dtype.itemsize == 2 else np.float64)
    return dtype.newbyteorder("=")


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
    kinds = (Sequence, Iterator, KeysView, ValuesView, *([] if ordered else [Set]))
    readable = _has_array(values) or isinstance(values, kinds)
    single = isinstance(values, (str, bytes, type)) or getattr(values, "ndim", 1) != 1
    if not readable or single:
        raise ValueError(f"{name} must be a sequence of {what}, got {described(values)}.")
    if isinstance(values, np.ndarray) and values.dtype.kind not in "mM":
        return values.tolist()
    if hasattr(values, "detach"):
        return as_array(values, name).tolist()
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
    array = as_array(values, name)
    with naming(name):
        if array.dtype.kind in "cmMSUV":
            raise ValueError(f"{name} must be real numbers, got the type {array.dtype}.")
        numbers = array.astype(np.float64)
    if numbers.ndim != n_dims:
        raise ValueError(f"{name} must be of shape {shape}, got an array of shape {numbers.shape}.")
    return numbers


def described(value: Any) -> str:
    """What a value is, for errors: its type and shape, or itself where that is short."""
    shape = getattr(value, "shape", None)
    if shape is not None:
        return f"{type(value).__name__} of shape {tuple(shape)}"
    text = repr(value)
    return text if len(text) <= 80 else f"a {type(value).__name__}"
