"""A copy of the latest model beside the journal: a cache, which may be deleted at any time."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable
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
_MASKS = ("doubted", "trusted")


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
    digest, keys = hashlib.sha256(description.encode()), {}
    for number, event in enumerate(events, start=1):
        digest.update(repr(event).encode())
        if isinstance(event, Refitted):
            keys[digest.hexdigest()[:32]] = number
    return keys


def can_keep(template: Any, refit: str) -> bool:
    """Whether a model can be kept so that it goes on, from the copy, to the same bits.

    That is so for our own networks, which begin each tuning with a fresh optimizer; callbacks may
    have a memory of their own.
    """
    return isinstance(template, PairClassifier) and refit != "continue" and not template.callbacks


def save(
    folder: Path, key: str, model: Any, doubted: NDArray[np.bool_], trusted: NDArray[np.bool_]
) -> None:
    """Keep a model, instead of the one kept before.

    Parameters
    ----------
    folder : Path
        Where; made if need be.
    key : str
        From `keys_of`.
    model : PairClassifier
        Fitted, and such that its kind `can_keep`.
    doubted, trusted : ndarray of bool of shape (n_samples,)
        What the first phase made of the labels.

    Raises
    ------
    OSError
        If it cannot be written. What was kept before is then kept still.
    """
    folder.mkdir(exist_ok=True)
    files = {kind: folder / f"{key}.{kind}" for kind in ("weights", "history", "arrays")}
    try:
        model.save_params(
            f_params=str(files["weights"]), f_history=str(files["history"]), use_safetensors=True
        )
        arrays: dict[str, NDArray[Any]] = {"doubted": doubted, "trusted": trusted}
        facts: dict[str, Any] = {}
        parameters = model.get_params(deep=False)
        for name, value in vars(model).items():
            if isinstance(value, np.generic):
                value = value.item()
            if name in parameters or name in _MASKS:
                continue
            if isinstance(value, np.ndarray) and value.dtype.hasobject:
                facts[name] = {"strings": value.tolist()}
            elif isinstance(value, np.ndarray):
                arrays[name] = value
            elif value is None or isinstance(value, (bool, int, float, str)):
                facts[name] = value
        # skorch's own remember the best loss so far, which the history mentions.
        best = {k: float(c.best_score_) for k, c in model.callbacks_ if hasattr(c, "best_score_")}
        save_file({k: np.ascontiguousarray(v) for k, v in arrays.items()}, files["arrays"])
        hashes = {kind: _hash(file) for kind, file in files.items()}
        index = {"key": key, "facts": facts, "best": best, "files": hashes}
        draft = folder / f"{key}.index"
        draft.write_text(json.dumps(index))
    except SafetensorError as error:
        raise OSError(str(error)) from error
    os.replace(draft, folder / _INDEX)
    for file in folder.iterdir():
        if file.name != _INDEX and file not in files.values():
            file.unlink()


def load(
    folder: Path, keys: dict[str, int], template: Any
) -> tuple[int, Any, NDArray[np.bool_], NDArray[np.bool_]] | None:
    """Get the model that was kept; nothing in the files is executed.

    Parameters
    ----------
    folder : Path
        Where it may be.
    keys : dict of int
        From `keys_of`: those that this run knows.
    template : PairClassifier
        What the model is a fitted clone of.

    Returns
    -------
    tuple or None
        Number of events that the model has seen, model, doubted, trusted; None if there is none,
        or it is of another run, or not whole.
    """
    try:
        index = json.loads((folder / _INDEX).read_text())
        key = index["key"]
        files = {kind: folder / f"{key}.{kind}" for kind in index["files"]}
        if key not in keys or any(_hash(files[k]) != h for k, h in index["files"].items()):
            return None
        arrays, facts, best = load_file(files["arrays"]), index["facts"], index["best"]
        doubted, trusted = (arrays.pop(name) for name in _MASKS)
        model = clone(template)
        model.load_params(
            f_params=str(files["weights"]), f_history=str(files["history"]), use_safetensors=True
        )
    except (OSError, KeyError, TypeError, ValueError, RuntimeError, SafetensorError):
        return None  # it is but a cache; the network's code may have changed, too
    for name, value in facts.items():
        strings = isinstance(value, dict)
        setattr(model, name, np.array(value["strings"], dtype=object) if strings else value)
    for name, array in arrays.items():
        setattr(model, name, array)
    for name, callback in model.callbacks_:
        if name in best:
            callback.best_score_ = best[name]
    return keys[key], model, doubted, trusted


def _hash(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.sha256(opened.read()).hexdigest()
