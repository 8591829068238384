"""Save the latest models beside the journal: a cache, which may be deleted at any time."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file
from sklearn.base import clone

from ..coteaching import CoTeachingClassifier
from ..journal import Event, Refitted

_INDEX = "index.json"
_FORMAT = 7  # files of another format are ignored
_PLAIN = (bool, int, float, str, type(None))
_KINDS = ("weights", "history", "attributes")


def keys_of(description: str, events: Iterable[Event]) -> dict[str, int]:
    """Keys that identify a checkpoint after each refit.

    Parameters
    ----------
    description : str
        Of the run's data and parameters.
    events : iterable of Event
        Events of the run. A key depends on all events up to the refit.

    Returns
    -------
    dict of int
        Key, and the number of events up to the refit and with it.
    """
    digest, keys = hashlib.sha256(f"{_FORMAT} {description}".encode()), {}
    for number, event in enumerate(events, start=1):
        digest.update(repr(event).encode())
        if isinstance(event, Refitted):
            keys[digest.hexdigest()[:32]] = number
    return keys


def can_keep(model: Any, refit: str) -> bool:
    """Whether a saved copy of a model trains further to the same bits as the model itself.

    That holds for our own networks, whose fine-tuning begins with a fresh optimizer; callbacks may
    have a state of their own.
    """
    return isinstance(model, CoTeachingClassifier) and refit != "continue" and not model.callbacks


def save(folder: Path, key: str, models: Sequence[Any], arrays: Mapping[str, NDArray[Any]]) -> None:
    """Save models, in place of those saved before.

    Parameters
    ----------
    folder : Path
        Where to; created if need be.
    key : str
        From `keys_of`.
    models : list of CoTeachingClassifier
        Fitted, and such that their kind `can_keep`.
    arrays : mapping of str to ndarray
        Other state; arrays of numbers.

    Raises
    ------
    OSError
        If they cannot be written. Those saved before are kept then.
    """
    folder.mkdir(exist_ok=True)
    try:
        written = [_file(folder, key, "arrays")]
        _save_arrays(arrays, written[0])
        index: dict[str, Any] = {"key": key, "models": []}
        for number, model in enumerate(models):
            files = [_file(folder, key, kind, number) for kind in _KINDS]
            index["models"].append(_save_model(model, *files))
            written += files
        index["files"] = {file.name: _hash(file) for file in written}
        draft = _file(folder, key, "index")
        draft.write_text(json.dumps({"index": index, "hash": _hash_of_index(index)}))
    except SafetensorError as error:
        raise OSError(str(error)) from error
    os.replace(draft, folder / _INDEX)
    for file in folder.iterdir():
        if file.name != _INDEX and file not in written:
            file.unlink()


def load(
    folder: Path, keys: dict[str, int], template: Any
) -> tuple[int, list[Any], dict[str, NDArray[Any]]] | None:
    """Load the saved models; nothing in the files is executed.

    Parameters
    ----------
    folder : Path
        Where `save` wrote to.
    keys : dict of int
        From `keys_of`, for the events of this run.
    template : CoTeachingClassifier
        Classifier that the models are fitted clones of.

    Returns
    -------
    tuple or None
        Number of events up to the save, models, arrays; None if there is no checkpoint, or it is
        of another run or incomplete.
    """
    try:
        content = json.loads((folder / _INDEX).read_text())
        index = content["index"]
        key, hashes = index["key"], index["files"]
        files = {_file(folder, key, "arrays")} | {
            _file(folder, key, kind, n) for n in range(len(index["models"])) for kind in _KINDS
        }
        if key not in keys or content["hash"] != _hash_of_index(index):
            return None
        if hashes != {file.name: _hash(file) for file in files}:
            return None
        arrays = load_file(_file(folder, key, "arrays"))
        models = [
            _load_model(template, described, *(_file(folder, key, kind, number) for kind in _KINDS))
            for number, described in enumerate(index["models"])
        ]
    # A cache may be missing or damaged; the network's code may have changed, too. (Nesting that is
    # too deep is a RuntimeError.)
    except (
        OSError, AttributeError, KeyError, TypeError, ValueError, RuntimeError, SafetensorError
    ):  # fmt: skip
        return None
    return keys[key], models, arrays


def _file(folder: Path, key: str, kind: str, number: int | None = None) -> Path:
    return folder / f"{key}{'' if number is None else f'.{number}'}.{kind}"


def _save_arrays(arrays: Mapping[str, NDArray[Any]], file: Path) -> None:
    # Not ascontiguousarray, which gives numbers a dimension.
    save_file({name: np.asarray(array, order="C") for name, array in arrays.items()}, file)


def _save_model(model: Any, weights: Path, history: Path, attributes: Path) -> dict[str, Any]:
    """Write a model; what fits into the index is returned."""
    model.save_params(f_params=str(weights), f_history=str(history), use_safetensors=True)
    arrays: dict[str, NDArray[Any]] = {}
    scalars: dict[str, Any] = {}
    parameters = model.get_params(deep=False)
    for name, value in vars(model).items():
        if isinstance(value, np.generic):
            value = value.item()
        if name in parameters:
            continue
        if isinstance(value, np.ndarray) and value.dtype.hasobject:
            scalars[name] = {"strings": value.tolist()}
        elif isinstance(value, np.ndarray):
            arrays[name] = value
        elif isinstance(value, _PLAIN):
            scalars[name] = value
        elif name in ("forget_rate_interval_", "schedule_"):
            scalars[name] = {type(value).__name__: value}
    _save_arrays(arrays, attributes)
    # skorch's callbacks keep the best loss so far, which they compare the next epoch with.
    best = {k: float(c.best_score_) for k, c in model.callbacks_ if hasattr(c, "best_score_")}
    return {"scalars": scalars, "best": best}


def _unpacked(value: Mapping[str, Any]) -> Any:
    ((kind, content),) = value.items()
    if kind == "strings":
        return np.array(content, dtype=object)
    return {"tuple": tuple, "dict": dict}[kind](content)


def _load_model(
    template: Any, index: Mapping[str, Any], weights: Path, history: Path, attributes: Path
) -> Any:
    model = clone(template)
    model.load_params(f_params=str(weights), f_history=str(history), use_safetensors=True)
    values = {
        name: _unpacked(value) if isinstance(value, dict) else value
        for name, value in index["scalars"].items()
    } | load_file(attributes)
    for name, value in values.items():
        if name.startswith("__") or callable(getattr(type(model), name, None)):
            raise ValueError(f"{name} is no attribute that is saved.")
        setattr(model, name, value)
    for name, callback in model.callbacks_:
        if name in index["best"]:
            callback.best_score_ = index["best"][name]
    return model


def _hash_of_index(index: Any) -> str:
    return hashlib.sha256(json.dumps(index, sort_keys=True).encode()).hexdigest()


def _hash(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.sha256(opened.read()).hexdigest()
