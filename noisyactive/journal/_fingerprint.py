"""Describe data and parameters by short texts, to see whether a journal belongs to them."""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

#: Parameters of the cleaner, and those at any depth, that may differ when a run is resumed.
FREE = {"journal", "n_rounds"}
FREE_ANYWHERE = {"n_jobs", "verbose", "device", "cache", "num_workers"}

_LONG = 100


def fingerprint(data: Any) -> str:
    """Hash of what an array-like holds; of anything else, its type and length.

    Parameters
    ----------
    data : object
        Array, tensor, sparse matrix, DataFrame, list of numbers or strings, or tuple of those. A
        lazy dataset is not read.

    Returns
    -------
    str
        A text that differs where the data differ.
    """
    digest = hashlib.sha256()
    for part in _parts(data):
        digest.update(part)
    return digest.hexdigest()[:32]


def _parts(data: Any) -> Iterator[bytes]:
    if isinstance(data, tuple):
        for item in data:
            yield from _parts(item)
    elif hasattr(data, "tocoo"):  # a sparse matrix, known without importing scipy
        entries = data.tocoo()
        yield repr(data.shape).encode()
        yield from _parts((entries.row, entries.col, entries.data))
    elif hasattr(data, "columns") and hasattr(data, "iloc"):
        for position, name in enumerate(data.columns):
            yield repr(name).encode()
            yield from _parts(np.asarray(data.iloc[:, position]))
    elif all(hasattr(type(data), one) for one in ("of", "chunks")):  # rows that are read in chunks
        yield f"{data.dtype.str} {data.shape}".encode()
        for piece in data.chunks():
            yield np.ascontiguousarray(piece).tobytes()
    elif isinstance(data, (np.ndarray, list)) or hasattr(data, "__array__"):
        if hasattr(data, "detach"):
            data = data.detach().cpu()
        try:
            array = np.asarray(data)
        except ValueError:  # a list of samples of several sizes
            yield from _parts(tuple(data))
            return
        yield f"{array.dtype.str} {array.shape}".encode()
        if array.dtype.hasobject:
            yield repr(array.tolist()).encode()
        elif array.size:  # in pieces, since it may be a memory map
            for start in range(0, len(array) if array.ndim else 1, 1024):
                piece = array[start : start + 1024] if array.ndim else array
                yield np.ascontiguousarray(piece).tobytes()
    else:
        length = len(data) if hasattr(data, "__len__") else None
        yield f"{type(data).__qualname__} {length}".encode()


def describe(name: str, value: Any) -> dict[str, str]:
    """Describe a parameter, and those inside it.

    Parameters
    ----------
    name : str
        Its name; parameters of an estimator are added as ``name__parameter``.
    value : object
        Its value. Of objects that have no `get_params`, only the class is looked at.

    Returns
    -------
    dict of str
        Name and text of each; those that may differ are left out.
    """
    if name in FREE or name.split("__")[-1] in FREE_ANYWHERE:
        return {}
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, (bool, int, float, str)):
        return {name: repr(value)}
    if isinstance(value, np.random.RandomState):
        _, keys, position, *gauss = value.get_state(legacy=True)
        return {name: f"RandomState {fingerprint((keys, np.array([position, *gauss])))}"}
    if isinstance(value, functools.partial):
        parts = {"func": value.func, "args": value.args, **value.keywords}
        return {name: "partial", **_describe_all(name, parts)}
    if isinstance(value, type) or (callable(value) and hasattr(value, "__qualname__")):
        return {name: value.__qualname__}
    if isinstance(value, Mapping):
        return {name: "mapping", **_describe_all(name, value)}
    if isinstance(value, (list, tuple)) and len(value) > _LONG:
        return {name: f"{len(value)} items {fingerprint(value)}"}
    if isinstance(value, (list, tuple)):
        return {name: f"{len(value)} items", **_describe_all(name, dict(enumerate(value)))}
    if hasattr(value, "__array__") or hasattr(value, "tocoo"):
        return {name: f"array {fingerprint(value)}"}
    inside = value.get_params(deep=False) if hasattr(value, "get_params") else {}
    return {name: type(value).__qualname__, **_describe_all(name, inside)}


def _describe_all(prefix: str, values: Mapping[Any, Any]) -> dict[str, str]:
    found: dict[str, str] = {}
    for key, value in values.items():
        found.update(describe(f"{prefix}__{key}", value))
    return found


def describe_data(
    X: Any,
    classes: NDArray[Any],
    codes: NDArray[np.intp],
    ids: ArrayLike,
    others: Mapping[str, Any],
    fit_params: Mapping[str, Any],
) -> dict[str, str]:
    """Describe the data of a run.

    Parameters
    ----------
    X : object of length n_samples
        Samples.
    classes : ndarray of shape (n_classes,)
        Sorted classes.
    codes : ndarray of int of shape (n_samples,)
        Labels, as indices into `classes`.
    ids : array-like of str of shape (n_samples,)
        Names of the rows.
    others : mapping of str to array-like
        Whatever else the outcome depends on; None is left out.
    fit_params : mapping of str to object
        Parameters of the estimator's `fit`.

    Returns
    -------
    dict of str
        Name and text of each.
    """
    return {
        **describe_items(classes, codes, np.asarray(ids, dtype=np.str_).tolist()),
        "samples": fingerprint(X),
        **{name: fingerprint(value) for name, value in others.items() if value is not None},
        **_describe_all("fit parameter", fit_params),
    }


def describe_items(
    classes: NDArray[Any], codes: NDArray[np.intp], names: list[str]
) -> dict[str, str]:
    """Describe the part of the data that the journal has itself; parameters are as above."""
    return {
        "number of samples": str(len(codes)),
        "classes": json.dumps(classes.tolist()),
        "labels": fingerprint(codes.astype(np.int64)),
        "ids": _hash_of(sorted(names)),
        "order of the ids": _hash_of(names),
    }


def differences(journal: Mapping[str, str], ours: Mapping[str, str]) -> list[str]:
    """Phrases that say in what two descriptions differ."""
    found = []
    for name in dict.fromkeys([*journal, *ours]):
        before, now = journal.get(name, "nothing"), ours.get(name, "nothing")
        if before != now:
            readable = max(len(before), len(now)) < 32
            found.append(f"{name} ({before} there, {now} here)" if readable else name)
    return found


def _hash_of(texts: list[str]) -> str:
    return hashlib.sha256(json.dumps(texts).encode()).hexdigest()[:32]
