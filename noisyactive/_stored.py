"""Samples in files that libraries read by rows: HDF5 and its like, tables of Hugging Face."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray


def as_stored(X: Any, name: str = "X") -> Any:
    """Samples in a file as something with a shape, a dtype, and rows that are read by slices.

    Parameters
    ----------
    X : object
        Anything.
    name : str, default="X"
        What errors call it.

    Returns
    -------
    object or None
        For a ``h5py.Dataset`` or another array that is not in memory, and for a map-style
        ``datasets.Dataset``, an object with ``shape`` and ``dtype``, whose ``[rows]`` takes a slice
        or ascending row numbers and gives an array; it pickles if the file can be opened again.
        None for anything else.

    Raises
    ------
    TypeError, ValueError
        If the file is closed, or does not hold numbers.
    """
    if hasattr(X, "with_format") and hasattr(X, "features"):
        if not hasattr(X, "__len__"):
            raise TypeError(
                f"{name} is a streamed Dataset, whose samples have no row numbers: load it with "
                "streaming=False."
            )
        return TableRows(X, name)
    if not _is_array_elsewhere(X):
        return None
    try:
        shape, dtype, file = X.shape, np.dtype(X.dtype), getattr(X, "file", None)
    except TypeError:  # a type that NumPy does not have
        return None
    except (ValueError, RuntimeError) as error:
        raise ValueError(f"{name} is a {type(X).__name__} of a file that is closed.") from error
    if dtype.kind not in "biuf" or not shape:
        raise TypeError(
            f"{name} is a {type(X).__name__} of the type {dtype} and shape {shape}; from a file, "
            f"pass numbers with samples along the first axis. Others fit into memory: {name}[:]."
        )
    return HDF5Rows(X) if hasattr(file, "filename") else X


def _is_array_elsewhere(X: Any) -> bool:
    """Whether X has a shape, a type and rows, but is no array in memory, nor of a lazy kind."""
    kind = type(X)
    wanted = all(hasattr(kind, one) for one in ("shape", "dtype", "__getitem__"))
    others = "__dlpack__", "__array_interface__", "iloc", "isna", "toarray", "todense", "compute"
    return wanted and not any(hasattr(kind, one) for one in others)


class HDF5Rows:
    """Rows of a dataset in an HDF5 file, which another process opens again.

    Parameters
    ----------
    dataset : h5py.Dataset
        The dataset.
    """

    def __init__(self, dataset: Any):
        self._dataset = dataset

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the dataset."""
        return self._dataset.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of its numbers."""
        return self._dataset.dtype

    def __getitem__(self, rows: Any) -> NDArray[Any]:
        return self._dataset[rows]

    def __getstate__(self) -> tuple[str, str]:
        file, path = self._dataset.file, self._dataset.name
        if file.mode != "r":
            raise TypeError(
                f"Other processes cannot read an HDF5 file that is open for writing: open "
                f"{file.filename} with the mode 'r'."
            )
        return file.filename, path

    def __setstate__(self, state: tuple[str, str]) -> None:
        import h5py

        file, path = state
        self._dataset = h5py.File(file, "r")[path]


class TableRows:
    """Samples in columns of a map-style ``datasets.Dataset``.

    Columns of class labels are no part of them. The others are either one column of arrays or
    images, or any number of columns of single numbers. Images become arrays of shape (channels,
    height, width), as networks take them. A transform that the table has (``set_transform``) is
    applied.

    Parameters
    ----------
    table : datasets.Dataset
        The table.
    name : str, default="X"
        What errors call it.
    """

    def __init__(self, table: Any, name: str = "X"):
        self._name = name
        if not len(table):
            raise ValueError(f"{name} holds no samples.")
        transformed = table.format["type"] == "custom"
        first = table[:1] if transformed else table.format["columns"]
        labels = [c for c, kind in table.features.items() if type(kind).__name__ == "ClassLabel"]
        self._columns = [column for column in first if column not in labels]
        if not self._columns:
            raise ValueError(f"{name} has no columns but class labels: {labels}.")
        self._is_image = {
            c for c in self._columns if not transformed and _kind(table.features[c]) == "Image"
        }
        if transformed:
            self._table = table
        else:
            types = [self._type_of(c, table.features[c]) for c in self._columns]
            dtype = np.result_type(*types)
            options = {"dtype": dtype} if dtype.kind == "f" else {}  # else it reads float32
            self._table = table.with_format("numpy", columns=self._columns, **options)
        row = self._read(self._table[:1], None)
        self.dtype: np.dtype[Any] = row.dtype if transformed else dtype
        self.shape = (len(table), *row.shape[1:])

    def __getitem__(self, rows: Any) -> NDArray[Any]:
        if isinstance(rows, slice) and rows.start >= rows.stop:
            return np.empty((0, *self.shape[1:]), dtype=self.dtype)
        part = self._read(self._table[rows], self.shape[1:])
        if part.dtype.kind not in "biu" and self.dtype.kind in "biu":
            raise ValueError(f"{self._name} has missing values in {self._columns}: fill them.")
        return part.astype(self.dtype, copy=False)

    def _read(self, batch: Any, shape: tuple[int, ...] | None) -> NDArray[Any]:
        """Columns of some rows as one array, whose samples must be of the shape, if it is told."""
        parts = [self._column(column, batch[column]) for column in self._columns]
        if len(parts) == 1 and (parts[0].ndim > 1):
            found = parts[0]
        elif all(part.ndim == 1 for part in parts):
            found = np.stack(parts, axis=1)
        else:
            raise self._error(
                f"one column of arrays or images, or columns of single numbers, got {self._columns}"
            )
        if shape is not None and found.shape[1:] != shape:
            raise self._ragged({found.shape[1:], shape})
        return found

    def _column(self, column: str, values: Any) -> NDArray[Any]:
        array = values
        if not isinstance(values, np.ndarray) or values.dtype == object:
            items = [np.asarray(value) for value in values]
            if len(shapes := {item.shape for item in items}) > 1:
                raise self._ragged(shapes)
            array = np.array(items)
        if array.dtype.kind not in "biuf":
            raise self._error(f"numbers in the column {column!r}, got the type {array.dtype}")
        if column in self._is_image:
            array = array[..., None] if array.ndim == 3 else array
            array = array.transpose(0, 3, 1, 2)
        return array

    def _type_of(self, column: str, kind: Any) -> np.dtype[Any]:
        """Type of the numbers in a column."""
        if _kind(kind) == "Image":
            return np.dtype(np.uint8)
        while hasattr(kind, "feature"):  # a list of something
            kind = kind.feature
        try:
            dtype = np.dtype(getattr(kind, "dtype", None) or "O")
        except TypeError:
            dtype = np.dtype("O")
        if dtype.kind not in "biuf":
            raise self._error(f"numbers in the column {column!r}, got {kind!r}")
        return dtype

    def _error(self, wanted: str) -> TypeError:
        return TypeError(
            f"{self._name} must have {wanted}: choose with {self._name}.select_columns([...])."
        )

    def _ragged(self, shapes: Iterable[tuple[int, ...]]) -> ValueError:
        several = " and ".join(map(str, sorted(shapes)[:2]))
        return ValueError(
            f"{self._name} must have samples of one shape, got {several} in {self._columns}: bring "
            f"them to one with {self._name}.map or set_transform; images of several modes with "
            "cast_column(column, datasets.Image(mode='RGB'))."
        )


def _kind(feature: Any) -> str:
    return type(feature).__name__
