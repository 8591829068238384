"""The journal of a run: read it and write answers, from any process."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from . import _sqlite as file
from ._answers import check_answers, check_remarks
from ._events import Answered, Event
from ._queue import OpenItem, Progress, first_answers, open_items, open_rows, progress
from ._state import CleaningState


class Journal:
    """A journal that `ActiveLabelCleaner(..., journal=path)` keeps, opened to read or to answer.

    Any number of processes and threads may do so while the cleaner waits, or while it is not
    running at all; it takes up what they wrote at its next `query` or `wait`. Opening executes
    nothing from the file, and every call reads the file as it is then.

    Parameters
    ----------
    path : str or path
        The journal.

    Attributes
    ----------
    path : Path
        The file.
    classes : list
        Class labels, sorted.
    n_samples : int
        Rows of the data set.
    answers_per_item : int
        Annotators who have to answer for a row.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is damaged, no journal, or of a newer version. It is left as it is.
    OSError
        If it cannot be read.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> from noisyactive import ActiveLabelCleaner
    >>> from noisyactive.cleaning import Journal
    >>> X, y = load_iris(return_X_y=True)
    >>> folder = tempfile.TemporaryDirectory()
    >>> path = Path(folder.name) / "iris.db"
    >>> names = [f"flower-{row}" for row in range(len(y))]
    >>> model = LogisticRegression(max_iter=1000)
    >>> cleaner = ActiveLabelCleaner(
    ...     model, n_rounds=2, round_budget=1, pool="unverified", journal=path
    ... )
    >>> rows = cleaner.start(X, y, ids=names).query()

    In another process, or another room:

    >>> journal = Journal(path)
    >>> [item] = journal.open_items()
    >>> written = journal.answer([item.item], [2], annotator="Ada", comments=["petals"])

    And the run goes on:

    >>> cleaner.wait(timeout=10)
    True
    >>> cleaner.labels_[rows].tolist()
    [2]
    >>> cleaner.close(); folder.cleanup()
    """

    def __init__(self, path: str | os.PathLike[str]):
        self.path = Path(path)
        file.check(self.path)
        with file.transaction(self.path) as connection:
            run = file.read_run(connection)
            self.classes: list[Any] = run["classes"]
            self.n_samples: int = run["n_samples"]
            self.answers_per_item: int = run["answers_per_item"]
            self._fold(file.read_events(connection, "true"))  # see that it can be done

    def open_items(self, annotator: str | None = None) -> list[OpenItem]:
        """Rows of the current round that wait for an answer, the most wanted first.

        Parameters
        ----------
        annotator : str, default=None
            Leave out what he or she has answered already, which matters where several annotators
            answer for each row.

        Returns
        -------
        list of OpenItem
            None while no round is under way.
        """
        with file.transaction(self.path) as connection:
            state = self._fold(file.read_events(connection, "true"))
            rows = open_rows(state, annotator)
            labels = self._labels(connection, state, rows)
            return open_items(state, rows, file.item_of(connection, rows), labels)

    def progress(self) -> Progress:
        """How far the run is, answers included that the cleaner has not yet taken up."""
        with file.transaction(self.path) as connection:
            return progress(self._fold(file.read_events(connection, "true")))

    def answer(
        self,
        rows: ArrayLike,
        answers: Sequence[Any] | NDArray[Any],
        *,
        annotator: str | None = None,
        seconds: Any = None,
        comments: Any = None,
        only_open: bool = False,
    ) -> list[int]:
        """Write answers, all of them or, if it raises, none.

        Parameters
        ----------
        rows : array-like of shape (n_rows,)
            Rows of the data set, or their ids, each once; also such as nobody asked about.
        answers : sequence of length n_rows
            A class label for each, or None: charged, and not asked about again. A later answer
            corrects an earlier one; None takes back one's own label.
        annotator : str, default=None
            Who answers; needed where several annotators answer for each row.
        seconds : sequence of float of length n_rows, default=None
            Time spent on each, in seconds; None where it is not known.
        comments : sequence of str of length n_rows, default=None
            A remark on each, or None.
        only_open : bool, default=False
            Leave out rows that do not wait for an answer (of this annotator), instead of taking
            it for a correction. So what is sent twice is counted once.

        Returns
        -------
        list of int
            Rows whose answers were written.

        Raises
        ------
        ValueError
            If a row, an answer or a remark is not as described.
        OSError
            If the file cannot be written.
        """
        rows = self._rows(rows)
        index, labels = check_answers(rows, answers, self.n_samples, np.array(self.classes))
        remarks = check_remarks(len(index), self.answers_per_item, annotator, seconds, comments)
        answered = Answered(index, labels, *remarks, file.now())
        with file.transaction(self.path, write=True) as connection:
            first = self._first_answers(connection, answered) if only_open else answered
            if first is None:
                return []
            self._insert(connection, first, None)
        return list(first.rows)

    def labels(self) -> dict[str, Any]:
        """The label of each item as it is now, by its id."""
        with file.transaction(self.path) as connection:
            state = self._fold(file.read_events(connection, "true"))
            given = file.read_items(connection)
        return {
            item: self.classes[state.codes[row]] if state.verified[row] else label
            for row, item, label in given
        }

    def answers(self) -> list[dict[str, Any]]:
        """Every answer, in the order in which they came in.

        Returns
        -------
        list of dict
            With the keys row, item, old_label (when it was written), new_label (None: skipped),
            annotator, time (UTC, ISO 8601), seconds, comment.
        """
        with file.transaction(self.path) as connection:
            return file.read_answers(connection)

    def events(self) -> list[Event]:
        """What happened, in order; answers that the cleaner has not yet taken up are the last."""
        with file.transaction(self.path) as connection:
            return file.read_events(connection, "true")

    def _fold(self, events: list[Event]) -> CleaningState:
        """The state but for labels that nobody answered for, which are not read."""
        nothing = np.zeros(self.n_samples, dtype=np.intp)
        state = CleaningState(np.array(self.classes), nothing, self.answers_per_item)
        try:
            for event in events:
                state.apply(event)
        except (IndexError, TypeError, ValueError) as error:
            raise ValueError(f"{self.path} is damaged, or no journal: {error}.") from error
        return state

    def _labels(
        self, connection: sqlite3.Connection, state: CleaningState, rows: Sequence[int]
    ) -> dict[int, Any]:
        given = file.given_label_of(connection, rows)
        return {
            row: self.classes[state.codes[row]] if state.verified[row] else given[row]
            for row in rows
        }

    def _first_answers(self, connection: sqlite3.Connection, answered: Answered) -> Answered | None:
        return first_answers(self._fold(file.read_events(connection, "true")), answered)

    def _insert(self, connection: sqlite3.Connection, event: Event, position: int | None) -> None:
        number = file.insert(connection, event, position)
        if isinstance(event, Answered):
            before = f"id != {number}"
            state = self._fold(file.read_events(connection, before))
            labels = self._labels(connection, state, event.rows)
            file.insert_answers(connection, number, event, labels)

    def _rows(self, rows: Any) -> Any:
        names = list(rows) if np.ndim(rows) == 1 else []
        if not any(isinstance(name, str) for name in names):
            return rows
        with file.transaction(self.path) as connection:
            found = [file.row_of(connection, name) for name in names]
        if unknown := [name for name, row in zip(names, found, strict=True) if row is None]:
            raise ValueError(f"rows must be row numbers, or ids of the journal, got {unknown[:5]}.")
        return found
