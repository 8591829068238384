"""Rows of any kind of X: those of large arrays and of files are read when they are needed."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from mmap import mmap
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import _safe_indexing

from ._arrays import native_type
from ._kinds import is_dataset
from ._stored import as_stored

# Rows of arrays of at least so many bytes are not copied before they are needed.
_LARGE = 2**26
_CHUNK = 2**24
# Networks predict so many rows at a time; chunks of as many make the same batches.
_BATCH = 256


class RowsOf:
    """Rows of an array that are read when they are needed, a batch at a time.

    Networks of this package learn and predict from them without a copy of all; for any other
    estimator they become an array through ``__array__``.

    Parameters
    ----------
    array : ndarray of shape (n_all, ...), or what `as_stored` returns
        The array, possibly mapped into memory, or in a file.
    rows : ndarray of int of shape (n_samples,), default=None
        Rows of it; None for all.
    checked : bool, default=False
        Whether it is known that all are finite numbers, in float32 too.
    check : callable, default=None
        Called with each part that is read, to check it: with an array of shape (n_read, ...), for
        the array to use.
    """

    def __init__(
        self,
        array: Any,
        rows: NDArray[np.intp] | None = None,
        *,
        checked: bool = False,
        check: Callable[[NDArray[Any]], NDArray[Any]] | None = None,
    ):
        self.array = array
        self.rows = rows
        self.checked = checked
        self.check = check

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the rows together."""
        n_all, *others = self.array.shape
        return (n_all if self.rows is None else len(self.rows), *others)

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.array.shape)

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type in which rows are read: that of the array, or the nearest that libraries have."""
        return native_type(np.dtype(self.array.dtype))

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, key: Any) -> NDArray[Any]:
        if isinstance(key, (int, np.integer)):
            return self[np.array([key])][0]
        part = self._read(self._rows_at(key))
        return part if self.check is None else self.check(part)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        if copy is False:
            raise ValueError("Rows of an array do not become an array without a copy.")
        whole = self[:]
        is_view = self.rows is None and isinstance(self.array, np.ndarray)
        return whole.astype(whole.dtype if dtype is None else dtype, copy=is_view)

    def of(self, rows: NDArray[np.intp]) -> RowsOf:
        """Some of these rows, likewise."""
        return RowsOf(self.array, self._rows_at(rows), checked=self.checked, check=self.check)

    def chunks(self) -> Iterator[NDArray[Any]]:
        """All rows in their order, some megabytes at a time; one without rows if there are none."""
        n_bytes = self.dtype.itemsize * int(np.prod(self.shape[1:]))
        step = max(2, _CHUNK // max(1, n_bytes))
        step -= step % _BATCH if step > _BATCH else 0
        for start in range(0, max(1, len(self)), step):
            yield self[start : start + step]

    def _rows_at(self, key: Any) -> Any:
        """Row numbers of the array, or a slice of it."""
        if self.rows is not None:
            return self.rows[key]
        if isinstance(key, slice):
            start, stop, step = key.indices(len(self))
            return slice(start, max(start, stop)) if step == 1 else np.arange(start, stop, step)
        numbers = np.asarray(key)
        if numbers.dtype == bool:
            return np.flatnonzero(numbers)
        numbers = numbers.astype(np.intp, copy=False)
        return np.where(numbers < 0, numbers + len(self), numbers)

    def _read(self, rows: Any) -> NDArray[Any]:
        if isinstance(self.array, np.ndarray):
            return np.asarray(self.array[rows]).astype(self.dtype, copy=False)
        if isinstance(rows, slice):
            return self._of_file(rows)
        # Files are read in their order, each row once.
        ascending, places = np.unique(rows, return_inverse=True)
        if not len(ascending):
            return np.empty((0, *self.shape[1:]), dtype=self.dtype)
        first, last = int(ascending[0]), int(ascending[-1])
        n_all = self.array.shape[0]
        if first < 0 or last >= n_all:
            raise IndexError(f"Rows from {first} to {last} are not all among {n_all}.")
        dense = last - first + 1 == len(ascending)
        part = self._of_file(slice(first, last + 1) if dense else ascending)
        return part if len(rows) == len(ascending) and (np.diff(rows) > 0).all() else part[places]

    def _of_file(self, rows: Any) -> NDArray[Any]:
        return np.require(self.array[rows], dtype=self.dtype, requirements="W")


def as_rows(X: Any, name: str = "X") -> Any:
    """Samples in a file as `RowsOf` it; anything else as it is.

    Parameters
    ----------
    X : object
        Samples.
    name : str, default="X"
        What errors call them.

    Returns
    -------
    object
        `RowsOf`, or X.

    Raises
    ------
    TypeError, ValueError
        As `as_stored`.
    """
    if isinstance(X, (np.ndarray, RowsOf)) or is_dataset(X):
        return X
    stored = as_stored(X, name)
    return X if stored is None else RowsOf(stored)


def take_rows(X: Any, rows: NDArray[np.intp]) -> Any:
    """Rows of an array, DataFrame, list, tensor or torch Dataset, in their order."""
    X = as_rows(X)
    if isinstance(X, RowsOf):
        return X[rows]
    if not is_dataset(X):
        return _safe_indexing(X, rows)
    from torch.utils.data import Subset

    return Subset(X, rows.tolist())


def view_rows(X: Any, rows: NDArray[np.intp]) -> Any:
    """Rows for an estimator: of files and large arrays `RowsOf` them, else as `take_rows` does."""
    X = large_as_rows(X)
    return X.of(rows) if isinstance(X, RowsOf) else take_rows(X, rows)


def large_as_rows(X: Any) -> Any:
    """Samples in a file, or a large array, as `RowsOf` it; anything else as it is."""
    if isinstance(X, np.ndarray) and X.ndim > 1 and X.nbytes >= _LARGE:
        return RowsOf(X)
    return as_rows(X)


def for_processes(values: Any) -> Any:
    """Samples, or what belongs to them, as joblib's processes can read them.

    joblib has them map the file of an array into memory again. What was changed in memory alone
    (mode "c") is not in the file, and joblib mistakes arrays that are transposed or reversed for
    others: of these, a copy, and of those whose file is gone.

    Parameters
    ----------
    values : object
        An array, `RowsOf` one, or anything else.

    Returns
    -------
    object
        The same, if it needs no copy.
    """
    if isinstance(values, RowsOf):
        array = for_processes(values.array)
        if array is values.array:
            return values
        return RowsOf(array, values.rows, checked=values.checked, check=values.check)
    if not isinstance(values, np.ndarray):
        return values
    mapped: Any = values
    while isinstance(mapped.base, np.ndarray):
        mapped = mapped.base
    if not isinstance(mapped, np.memmap) or not isinstance(mapped.base, mmap):
        return values
    in_order = values.flags["F" if mapped.ndim > 1 and mapped.flags["F"] else "C"]
    strided = not values.flags.forc and min(values.strides) >= 0
    there = mapped.filename is not None and os.path.exists(mapped.filename)
    if (in_order or strided) and mapped.mode != "c" and there:
        return values
    return np.array(values)


def gathered(parts: Iterable[NDArray[Any]], n_rows: int) -> NDArray[Any]:
    """What is computed for batches of rows, one after the other in one array.

    It is written where it belongs as it comes. Small arrays that are kept in a list lie between
    the large ones of later batches, and memory that those free is in pieces too small to be used
    again: predicting 2 GB of images took 1.6 GB so.

    Parameters
    ----------
    parts : iterable of ndarray of shape (n_part, ...)
        At least one, all of the same type and shape but for their lengths.
    n_rows : int
        Rows of all of them, at most.

    Returns
    -------
    ndarray of shape (n_rows, ...)
        All rows.
    """
    whole, end = np.empty(0), 0
    for part in parts:
        if not end:
            whole = np.empty((n_rows, *part.shape[1:]), dtype=part.dtype)
        whole[end : end + len(part)] = part
        end += len(part)
    return whole[:end]
