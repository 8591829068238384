"""Select rows of any kind of X."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import _safe_indexing

from ._kinds import is_dataset

# Rows of arrays of at least so many bytes are not copied before they are needed.
_LARGE = 2**26
_CHUNK = 2**24


class RowsOf:
    """Rows of an array that are read when they are needed, a batch at a time.

    Networks of this package learn and predict from them without a copy of all; for any other
    estimator they become an array through ``__array__``.

    Parameters
    ----------
    array : ndarray of shape (n_all, ...)
        The array, possibly mapped into memory.
    rows : ndarray of int of shape (n_samples,)
        Rows of it.
    """

    def __init__(self, array: NDArray[Any], rows: NDArray[np.intp]):
        self.array = array
        self.rows = rows

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the rows together."""
        return (len(self.rows), *self.array.shape[1:])

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return self.array.ndim

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the array."""
        return self.array.dtype

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, key: Any) -> NDArray[Any]:
        return self.array[self.rows[key]]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        if copy is False:
            raise ValueError("Rows of an array do not become an array without a copy.")
        whole = self[:]
        return whole if dtype is None else whole.astype(dtype, copy=False)

    def chunks(self) -> Iterator[NDArray[Any]]:
        """All rows in their order, some megabytes at a time."""
        row_bytes = max(1, self.array[:1].nbytes)
        step = max(2, _CHUNK // row_bytes)
        for start in range(0, len(self), step):
            yield self[start : start + step]


def take_rows(X: Any, rows: NDArray[np.intp]) -> Any:
    """Rows of an array, DataFrame, list, tensor or torch Dataset, in their order."""
    if not is_dataset(X):
        return _safe_indexing(X, rows)
    from torch.utils.data import Subset

    return Subset(X, rows.tolist())


def view_rows(X: Any, rows: NDArray[np.intp]) -> Any:
    """Rows for an estimator: of large arrays `RowsOf` them, else as `take_rows` gives them."""
    if isinstance(X, np.ndarray) and X.ndim > 1 and X.nbytes >= _LARGE:
        return RowsOf(X, rows)
    return take_rows(X, rows)
