"""Samples of any kind: which are the same, and as rows of numbers that can be compared."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.preprocessing import normalize

from .._arrays import naming
from .._codes import is_missing
from .._kinds import is_dataset, is_tensor
from .._neighbours import comparable
from .._rows import RowsOf
from .._samples import as_native, check_samples, in_memory

# Images are compared by their averages over as many rows and columns: a few hundred numbers each,
# which slight noise, compression and another size hardly change.
_SIDE = 16
_BLOCK = 1024


class Contents(NamedTuple):
    """What samples hold.

    Attributes
    ----------
    keys : ndarray of int of shape (n_samples,)
        The same number for samples that are equal.
    features : ndarray or CSR matrix of shape (n_samples, n_features), or None
        Rows between which Euclidean distances mean something; None for what has none.
    is_cosine : bool
        Whether `features` have the length 1, so that distances are those between directions.
    texts : list of str or None
        The samples, if they are texts; missing ones are empty.
    """

    keys: NDArray[np.intp]
    features: Any
    is_cosine: bool = False
    texts: list[str] | None = None

    def shown(self, distances: NDArray[np.float64]) -> NDArray[np.float64]:
        """Distances as they are called: cosine distances of directions, else Euclidean ones."""
        return distances**2 / 2 if self.is_cosine else distances


def contents_of(X: Any) -> Contents:
    """Read samples.

    Parameters
    ----------
    X : object of length n_samples
        An array or tensor, of rows or of images; a DataFrame; a sparse matrix; texts; a Dataset or
        a list of images, which are read one by one.

    Returns
    -------
    Contents
        Rows of numbers are standardised, sparse rows and texts are directions. Images are scaled
        by one number for all pixels: one that is nearly always black must not count most.

    Raises
    ------
    TypeError, ValueError
        If X is of a kind that cannot be read.
    """
    check_samples(X)
    if sparse.issparse(X):
        return _of_sparse(X)
    if hasattr(X, "iloc") and hasattr(X, "columns"):
        return Contents(_keys_of_columns(X), comparable(X))
    if is_dataset(X) or (isinstance(X, Sequence) and _holds_items(X)):
        return _of_items(X)
    X = in_memory(X)
    with naming("X"):
        array: Any = X if isinstance(X, RowsOf) else np.asarray(X)
    if array.dtype.kind in "OUS" and array.size == len(array):
        return _of_texts(array.ravel().tolist() if isinstance(X, np.ndarray) else list(X))
    if array.dtype.kind in "OUS" and array.ndim == 2:
        return Contents(_keys_of_columns(_frame(array)), None)
    if array.dtype.kind not in "biuf" or array.ndim < 2:
        raise TypeError(
            "X must hold rows of numbers, images or texts, or be a DataFrame or Dataset; got an "
            f"array of the type {array.dtype} and shape {array.shape}."
        )
    digests, small = [], []
    for start in range(0, len(array), _BLOCK):
        block = array[start : start + _BLOCK]
        digests += [_digest(row) for row in block]
        if array.ndim > 2:
            small.append(_small(block))
    features = comparable(array) if array.ndim == 2 else _scaled(np.concatenate(small))
    return Contents(_numbered(digests), features)


def compared(
    X: Any, *, standardise: bool = False, remedy: str = "features of the samples as X"
) -> Contents:
    """Read samples that are to be compared.

    Parameters
    ----------
    X : object of length n_samples
        As `contents_of` takes it.
    standardise : bool, default=False
        Whether each pixel of images is standardised, as the features of other samples are.
    remedy : str, default="features of the samples as X"
        What the error says to pass instead.

    Returns
    -------
    Contents
        With features; keys are empty if they were not needed.

    Raises
    ------
    TypeError
        If there are no distances between such samples.
    """
    features = standardised(X) if standardise else None
    contents = contents_of(X) if features is None else Contents(np.empty(0, np.intp), features)
    if contents.features is None:
        raise TypeError(
            "X cannot be compared: it must hold at most 5,000 finite numbers for each sample, "
            f"images of one size, texts, or be sparse. Pass {remedy}."
        )
    return contents


def standardised(X: Any) -> Any:
    """Rows of standardised features, also of images in memory; None for all else."""
    return None if sparse.issparse(X) else comparable(X)


def _of_sparse(X: Any) -> Contents:
    rows = sparse.csr_matrix(X, copy=True)
    rows.sum_duplicates()
    rows.eliminate_zeros()  # a zero that is stored is one that is not
    parts = [slice(*rows.indptr[i : i + 2]) for i in range(rows.shape[0])]
    keys = _numbered([_digest(rows.indices[one], rows.data[one]) for one in parts])
    if rows.dtype.kind not in "biuf" or not np.isfinite(rows.data).all():
        raise ValueError("X must hold finite numbers where it is sparse.")
    return Contents(keys, normalize(rows.astype(np.float64)), is_cosine=True)


def _of_texts(texts: list[Any]) -> Contents:
    missing = [is_missing(one) for one in texts]
    if odd := [x for x, no in zip(texts, missing, strict=True) if not (no or _is_text(x))]:
        raise TypeError(f"X must hold texts, or samples of several values each; got {odd[0]!r}.")
    plain = ["" if no else _decoded(one) for one, no in zip(texts, missing, strict=True)]
    keys = _numbered([None if no else one for one, no in zip(plain, missing, strict=True)])
    try:
        # Rare pieces count like others: those of a typing error are the rarest of all.
        vectorizer = TfidfVectorizer(
            analyzer="char", ngram_range=(2, 4), use_idf=False, sublinear_tf=True
        )
        return Contents(keys, vectorizer.fit_transform(plain), is_cosine=True, texts=plain)
    except ValueError:  # no text has any
        return Contents(keys, None, texts=plain)


def _of_items(X: Any) -> Contents:
    """Read one sample after the other, so that only small copies of images are in memory."""
    digests, small = [], []
    for row in range(len(X)):
        item = X[row]
        item = item[0] if isinstance(item, (tuple, list)) else item
        if is_tensor(item):
            item = item.detach().cpu()
        array = np.asarray(item)
        if array.dtype.kind not in "biuf":
            raise TypeError(
                f"X must hold arrays of numbers or images, or pairs of them and labels; its sample "
                f"{row} is a {type(item).__name__}."
            )
        digests.append(_digest(np.array(array.shape), array))
        small.append(_small(array[None])[0] if array.ndim > 1 else array)
    shapes = {one.shape for one in small}
    if len(shapes) > 1 or shapes == {()}:
        return Contents(_numbered(digests), None)
    rows = np.stack(small)
    is_image = array.ndim > 1
    return Contents(_numbered(digests), _scaled(rows) if is_image else comparable(rows))


def _holds_items(X: Sequence[Any]) -> bool:
    """Whether samples are arrays or images each, perhaps with a label, and not rows of a table."""
    if not len(X) or isinstance(X, (str, bytes)):
        return False
    first = X[0]
    first = first[0] if isinstance(first, tuple) and first else first
    return hasattr(first, "__array_interface__") or is_tensor(first)


def _keys_of_columns(frame: Any) -> NDArray[np.intp]:
    """Equal rows of a DataFrame; missing values are equal."""
    import pandas as pd

    with naming("X"):
        columns = [pd.factorize(frame.iloc[:, i])[0] for i in range(frame.shape[1])]
    codes = np.column_stack([np.zeros(len(frame), dtype=np.int64), *columns])
    return _numbered([_digest(row) for row in codes])


def _frame(array: NDArray[Any]) -> Any:
    import pandas as pd

    return pd.DataFrame(array)


def _digest(*parts: NDArray[Any]) -> bytes:
    """16 bytes that differ for different values; -0 is 0, and NaN is NaN."""
    found = hashlib.blake2b(digest_size=16)
    for part in parts:
        if part.dtype.kind == "f":
            part = np.where(np.isnan(part), np.nan, part) + 0.0
        found.update(np.ascontiguousarray(part).data)
    return found.digest()


def _numbered(values: list[Any]) -> NDArray[np.intp]:
    """Equal values by the same number, in the order of their first rows."""
    number: dict[Any, int] = {}
    return np.array([number.setdefault(one, len(number)) for one in values], dtype=np.intp)


def _small(images: NDArray[Any]) -> NDArray[np.float32]:
    """Images as rows of averages, of shape (n, channels * height * width)."""
    import torch

    pixels = torch.from_numpy(as_native(images).astype(np.float32))
    if pixels.ndim == 3:
        pixels = pixels[:, None]
    elif pixels.ndim == 4 and pixels.shape[-1] in (1, 3, 4) and pixels.shape[1] not in (1, 3, 4):
        pixels = pixels.permute(0, 3, 1, 2)
    pixels = pixels.reshape(len(pixels), -1, *pixels.shape[-2:])
    height, width = (min(n, _SIDE) for n in pixels.shape[-2:])
    return torch.nn.functional.adaptive_avg_pool2d(pixels, (height, width)).flatten(1).numpy()


def _scaled(rows: NDArray[np.float32]) -> NDArray[np.float32] | None:
    """Rows in units of the standard deviation of all their numbers."""
    if np.isinf(rows).any():
        return None
    known = rows[~np.isnan(rows)].astype(np.float64)
    centre, unit = (known.mean(), known.std() or 1.0) if known.size else (0.0, 1.0)
    return np.nan_to_num((rows - np.float32(centre)) / np.float32(unit), copy=False)


def _is_text(value: Any) -> bool:
    return isinstance(value, (str, bytes))


def _decoded(text: str | bytes) -> str:
    return text if isinstance(text, str) else text.decode("utf-8", "backslashreplace")
