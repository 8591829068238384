"""A copy of the latest models beside the journal: a cache, which may be deleted at any time."""

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

from ..coteaching._net import PairClassifier
from ._events import Event, Refitted

_INDEX = "index.json"
_FORMAT = 3  # what another version wrote is not taken
_KINDS = ("weights", "history", "attributes")


def keys_of(description: str, events: Iterable[Event]) -> dict[str, int]:
    """What a checkpoint after each refit is known by.

    Parameters
    ----------
    description : str
        Of the run's data and parameters.
    events : iterable of Event
        What happened. A key depends on all that came before the refit.

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
    """Whether a model can be kept so that its copy goes on to the same bits, fitted or not.

    That is so for our own networks, which begin each tuning with a fresh optimizer; callbacks may
    have a memory of their own.
    """
    return isinstance(model, PairClassifier) and refit != "continue" and not model.callbacks


def save(folder: Path, key: str, models: Sequence[Any], arrays: Mapping[str, NDArray[Any]]) -> None:
    """Keep models, instead of those kept before.

    Parameters
    ----------
    folder : Path
        Where; made if need be.
    key : str
        From `keys_of`.
    models : list of PairClassifier
        Fitted, and such that their kind `can_keep`.
    arrays : mapping of str to ndarray
        What there is beside them; of numbers.

    Raises
    ------
    OSError
        If it cannot be written. What was kept before is then kept still.
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
        draft.write_text(json.dumps(index))
    except SafetensorError as error:
        raise OSError(str(error)) from error
    os.replace(draft, folder / _INDEX)
    for file in folder.iterdir():
        if file.name != _INDEX and file not in written:
            file.unlink()


def load(
    folder: Path, keys: dict[str, int], template: Any
) -> tuple[int, list[Any], dict[str, NDArray[Any]]] | None:
    """Get the models that were kept; nothing in the files is executed.

    Parameters
    ----------
    folder : Path
        Where they may be.
    keys : dict of int
        From `keys_of`: those that this run knows.
    template : PairClassifier
        What the models are fitted clones of.

    Returns
    -------
    tuple or None
        Number of events that the models have seen, models, arrays; None if there is nothing, or it
        is of another run, or not whole.
    """
    try:
        index = json.loads((folder / _INDEX).read_text())
        key, hashes = index["key"], index["files"]
        if key not in keys or any(_hash(folder / name) != h for name, h in hashes.items()):
            return None
        arrays = load_file(_file(folder, key, "arrays"))
        models = [
            _load_model(template, facts, *(_file(folder, key, kind, number) for kind in _KINDS))
            for number, facts in enumerate(index["models"])
        ]
    except (OSError, KeyError, TypeError, ValueError, RuntimeError, SafetensorError):
        return None  # it is but a cache; the network's code may have changed, too
    return keys[key], models, arrays


def _file(folder: Path, key: str, kind: str, number: int | None = None) -> Path:
    return folder / f"{key}{'' if number is None else f'.{number}'}.{kind}"


def _save_arrays(arrays: Mapping[str, NDArray[Any]], file: Path) -> None:
    # Not ascontiguousarray, which gives numbers a dimension.
    save_file({name: np.asarray(array, order="C") for name, array in arrays.items()}, file)


def _save_model(model: Any, weights: Path, history: Path, attributes: Path) -> dict[str, Any]:
    """Write a model, but for what fits into an index, which is returned."""
    model.save_params(f_params=str(weights), f_history=str(history), use_safetensors=True)
    arrays: dict[str, NDArray[Any]] = {}
    facts: dict[str, Any] = {}
    parameters = model.get_params(deep=False)
    for name, value in vars(model).items():
        if isinstance(value, np.generic):
            value = value.item()
        if name in parameters:
            continue
        if isinstance(value, np.ndarray) and value.dtype.hasobject:
            facts[name] = {"strings": value.tolist()}
        elif isinstance(value, np.ndarray):
            arrays[name] = value
        elif value is None or isinstance(value, (bool, int, float, str)):
            facts[name] = value
    _save_arrays(arrays, attributes)
    # skorch's own remember the best loss so far, which the history mentions.
    best = {k: float(c.best_score_) for k, c in model.callbacks_ if hasattr(c, "best_score_")}
    return {"facts": facts, "best": best}


def _load_model(
    template: Any, index: Mapping[str, Any], weights: Path, history: Path, attributes: Path
) -> Any:
    model = clone(template)
    model.load_params(f_params=str(weights), f_history=str(history), use_safetensors=True)
    for name, value in index["facts"].items():
        strings = isinstance(value, dict)
        setattr(model, name, np.array(value["strings"], dtype=object) if strings else value)
    for name, array in load_file(attributes).items():
        setattr(model, name, array)
    for name, callback in model.callbacks_:
        if name in index["best"]:
            callback.best_score_ = index["best"][name]
    return model


def _hash(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.sha256(opened.read()).hexdigest()
