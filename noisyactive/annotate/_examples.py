"""Typical examples of each class: from a folder, or among the items that people have verified."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from .._files import as_path
from .._images import SUFFIXES, Picture, render
from .._text import label_text
from ..journal import Asked, Event, Journal, fold

N_EXAMPLES = 3  # of each class


class Example(NamedTuple):
    """An example of a class.

    Parameters
    ----------
    row : int
        Row of the data set.
    probability : float or None
        The model's probability of the class when the row was asked about; None if it took the row
        for another class, or was not asked.
    """

    row: int
    probability: float | None


class Examples:
    """Examples for the page: from a folder or, without one, among the items of a journal.

    Parameters
    ----------
    journal : Journal
        The run.
    folder : path or None
        See `examples_in`, and what it raises.
    """

    def __init__(self, journal: Journal, folder: str | os.PathLike[str] | None):
        self._journal = journal
        self._paths = None if folder is None else examples_in(folder, journal.classes)
        self._chosen: tuple[int, list[list[Example]]] = (-1, [])  # with the cost at that time

    def describe(self) -> list[dict[str, Any]]:
        """The examples.

        Returns
        -------
        list of dict
            For JSON; one for each class: its ``code`` and its ``examples``, each with either
            ``row`` and ``probability``, or ``number``, by which `picture` finds it.
        """
        if self._paths is not None:
            found = [[{"number": n} for n in range(len(paths))] for paths in self._paths]
        else:
            journal, cost = self._journal, self._journal.progress().cost
            if cost != self._chosen[0]:
                shape = (journal.classes, journal.n_samples, journal.answers_per_item)
                self._chosen = (cost, typical(journal.events(), *shape))
            found = [[one._asdict() for one in examples] for examples in self._chosen[1]]
        return [{"code": code, "examples": examples} for code, examples in enumerate(found)]

    def picture(self, code: int, number: int) -> Picture:
        """The image of an example from the folder.

        Raises
        ------
        LookupError
            If there is no such example.
        NotShown
            If it cannot be shown.
        """
        if self._paths is None:
            raise LookupError(code)
        return render(self._paths[code][number])


def typical(
    events: Sequence[Event], classes: Sequence[Any], n_samples: int, answers_per_item: int
) -> list[list[Example]]:
    """Choose the verified rows that are most typical of each class.

    That are those of which the model, when it asked, was surest of the class that people then
    named; after them, other rows that were verified. Rows that wait for an answer are left out.

    Parameters
    ----------
    events : sequence of Event
        What happened in the run.
    classes : sequence
        Sorted class labels.
    n_samples : int
        Rows of the data set.
    answers_per_item : int
        Annotators who have to answer for a row.

    Returns
    -------
    list of list of Example
        For each class, at most three rows.
    """
    labels = np.array(classes, dtype=object)
    state = fold(events, labels, np.zeros(n_samples, dtype=np.intp), answers_per_item)
    taken_for: dict[int, tuple[Any, float]] = {}
    for event in events:
        if isinstance(event, Asked) and event.suggested:
            taken_for.update(
                zip(event.rows, zip(event.suggested, event.probability, strict=True), strict=True)
            )
    found: list[list[Example]] = [[] for _ in classes]
    for row in np.flatnonzero(state.verified).tolist():
        if row in state.open_rows or row in state.disputed or state.flags.get(row):
            continue
        code = int(state.codes[row])
        label, probability = taken_for.get(row, (None, 0.0))
        found[code].append(Example(row, probability if label == classes[code] else None))
    for examples in found:
        examples.sort(key=lambda one: (-(one.probability or 0.0), one.row))
    return [examples[:N_EXAMPLES] for examples in found]


def examples_in(folder: str | os.PathLike[str], classes: Sequence[Any]) -> list[list[Path]]:
    """Find example images in the sub-folders of a folder, which are named as the classes.

    Parameters
    ----------
    folder : path
        The folder.
    classes : sequence
        Class labels.

    Returns
    -------
    list of list of Path
        For each class, its first three images in the order of their names.

    Raises
    ------
    ValueError
        If no class has an image there.
    OSError
        If the folder is missing or cannot be read.
    """
    root = as_path(folder, "reference")
    if not root.is_dir():
        raise FileNotFoundError(f"There is no folder {root}.")
    root = root.resolve()
    # Names of classes are looked up among those of folders, and never become part of a path.
    folders = {path.name: path for path in root.iterdir() if path.is_dir()}
    found = [
        [
            path
            for path in sorted(folders[name].iterdir())
            if path.suffix.lower() in SUFFIXES and path.resolve().is_relative_to(root)
        ][:N_EXAMPLES]
        if (name := label_text(label)) in folders
        else []
        for label in classes
    ]
    if not any(found):
        raise ValueError(
            f"reference {root} has no images in sub-folders that are named as classes, such as "
            f"{label_text(classes[0])!r}."
        )
    return found
