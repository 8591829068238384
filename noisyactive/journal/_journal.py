"""The journal of a run: read it and write answers, from any process."""

from __future__ import annotations

import os
import sqlite3
import statistics
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from itertools import islice
from typing import Any

from numpy.typing import ArrayLike, NDArray

from .._files import as_path
from .._numbers import check_switch
from .._typing import Comments, Seconds
from . import _sqlite as file
from . import _tables as tables
from ._answers import check_answers, check_flag, check_remarks, rows_of
from ._events import Answered, Event
from ._lock import is_held, lock_of
from ._queue import OpenItem, Progress, first_answers, open_items, open_rows, progress
from ._state import CleaningState
from ._view import JournalView


class Journal:
    """A journal that `ActiveLabelCleaner(..., journal=path)` keeps, opened to read or to answer.

    Any number of processes and threads may do so while the cleaner waits, or while it is not
    running at all; it reads what they wrote at its next `query` or `wait`. Opening executes
    nothing from the file, and every call takes up what was written to it since the last one.

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

    In another process:

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
        self.path = as_path(path, "path")
        self.run = file.check(self.path)  # for the process that runs the rounds
        self.classes: list[Any] = self.run.classes
        self.n_samples: int = self.run.n_samples
        self.answers_per_item: int = self.run.answers_per_item
        self._view = JournalView(self.path, self.run)
        with self._view.reading():
            pass  # see that the events can be understood

    def open_items(
        self,
        annotator: str | None = None,
        *,
        limit: int | None = None,
        disputed: bool = True,
    ) -> list[OpenItem]:
        """Rows of the current round that wait for an answer, the most wanted first.

        Parameters
        ----------
        annotator : str, default=None
            Leave out rows that this annotator has answered already, which matters where several
            annotators answer for each row.
        limit : int, default=None
            How many at most; None for all.
        disputed : bool, default=True
            Whether rows may be among them on whose label others disagree; False leaves them to an
            adjudicator.

        Returns
        -------
        list of OpenItem
            Empty while no round is under way.
        """
        with self._view.reading() as (connection, state):
            rows = list(islice(self._open_rows(state, annotator, disputed), limit))
            labels = self._labels(connection, state, rows)
            return open_items(state, rows, tables.item_of(connection, rows), labels)

    def n_open(self, annotator: str | None = None, *, disputed: bool = True) -> int:
        """Number of rows that wait for an answer; see `open_items`."""
        with self._view.reading() as (_, state):
            waiting = open_rows(state, annotator)
            left_out = () if disputed else state.disputed
            return len(waiting) - sum(row in waiting for row in left_out)

    def disputed_items(self, *, limit: int | None = None) -> list[OpenItem]:
        """Rows on whose label their annotators disagree, and that nobody adjudicated.

        Parameters
        ----------
        limit : int, default=None
            How many at most; None for all.

        Returns
        -------
        list of OpenItem
            In the order of their latest answers; also rows of rounds before, and rows on which
            most annotators agree.
        """
        with self._view.reading() as (connection, state):
            rows = list(islice(state.disputed, limit))
            labels = self._labels(connection, state, rows)
            return open_items(state, rows, tables.item_of(connection, rows), labels)

    def n_disputed(self) -> int:
        """Number of rows that wait for an adjudicator; see `disputed_items`."""
        with self._view.reading() as (_, state):
            return len(state.disputed)

    def is_disputed(self, row: int) -> bool:
        """Whether a row waits for an adjudicator; see `disputed_items`."""
        with self._view.reading() as (_, state):
            return row in state.disputed

    def answers_to(self, row: int) -> list[dict[str, Any]]:
        """The latest answer of each annotator to a row, as in `answers`; the latest last."""
        with self._view.reading() as (connection, state):
            said = state.answers.get(row, {})
            return [
                tables.read_answer(connection, self.run, self._view.latest[who][row], row)
                for who in said
            ]

    def answers_of(
        self, annotator: str | None, *, skip: int = 0, limit: int = 100
    ) -> tuple[list[dict[str, Any]], int]:
        """The latest answers of an annotator, one for each row.

        Parameters
        ----------
        annotator : str or None
            Who answered.
        skip : int, default=0
            How many of the latest to leave out.
        limit : int, default=100
            How many at most.

        Returns
        -------
        answers : list of dict
            As in `answers`, the latest first.
        n_rows : int
            Rows that the annotator has answered.
        """
        with self._view.reading() as (connection, _):
            latest = self._view.latest.get(annotator, {})
            found = [
                tables.read_answer(connection, self.run, latest[row], row)
                for row in islice(reversed(latest), skip, skip + limit)
            ]
            return found, len(latest)

    def people(self) -> dict[str | None, int]:
        """Annotators, and the number of rows that each of them has answered."""
        with self._view.reading():
            return {who: len(rows) for who, rows in self._view.latest.items()}

    def progress(self) -> Progress:
        """Progress of the run, answers included that the cleaner has not read yet."""
        with self._view.reading() as (_, state):
            return progress(state)

    def answer(
        self,
        rows: ArrayLike,
        answers: Sequence[Any] | NDArray[Any],
        *,
        annotator: str | None = None,
        seconds: Seconds | None = None,
        comments: Comments | None = None,
        only_open: bool = False,
        charged: bool = True,
        flag: str = "",
        decides: bool = False,
    ) -> list[int]:
        """Write answers, all of them or, if it raises, none.

        Parameters
        ----------
        rows : array-like of shape (n_rows,)
            Rows of the data set, or their ids, each once; also rows that were not asked about.
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
            Ignore answers to rows that do not wait for one (of this annotator); otherwise they
            are corrections. So what is sent twice is counted once.
        charged : bool, default=True
            Whether the answers count against the budget. False is for corrections of what was
            answered a moment ago, as the labelling page's undo makes them, and for "unusable".
        flag : {"", "unusable", "not shown"}, default=""
            "unusable": what there is to look at is missing or no use; answers must be None, and
            are not charged: nobody judged a label. "not shown": answered without seeing it.
        decides : bool, default=False
            Whether the annotator adjudicates: each answer is the row's label at once, whatever
            others said or will say; None leaves the row without an answer.

        Returns
        -------
        list of int
            Rows whose answers were written.

        Raises
        ------
        ValueError
            If a row, an answer or a remark is not as described, or an answer that is not charged
            corrects none of its annotator and is not "unusable".
        OSError
            If the file cannot be written.
        """
        for name, value in (("only_open", only_open), ("charged", charged), ("decides", decides)):
            check_switch(value, name)
        if decides and annotator is None:
            raise ValueError("decides needs the name of the annotator.")
        rows = rows_of(rows, self._find, "of the journal")
        index, labels = check_answers(rows, answers, self.n_samples, self.run.class_array)
        check_flag(flag, labels)
        remarks = check_remarks(len(index), self.answers_per_item, annotator, seconds, comments)
        is_charged = charged and flag != "unusable"
        answered = Answered(index, labels, *remarks, tables.now(), is_charged, flag, decides)
        with self._view.writing() as (connection, state):
            if not charged and flag != "unusable":
                if not set(index) <= self._view.latest.get(annotator, {}).keys():
                    raise ValueError(
                        "charged must be True for rows that the annotator answers first."
                    )
            first = first_answers(state, answered) if only_open else answered
            if first is None:
                return []
            self.insert(connection, state, first, None)
        return list(first.rows)

    def labels(self) -> dict[str, Any]:
        """The label of each item as it is now, by its id."""
        with self._view.reading() as (connection, state):
            given = tables.read_items(connection, self.run)
            return {
                item: self.classes[state.codes[row]] if state.verified[row] else label
                for row, item, label in given
            }

    def given_labels(self) -> dict[str, Any]:
        """The label that each item had at the start, by its id, in the order of the rows."""
        with self._view.reading() as (connection, _):
            return {item: label for _, item, label in tables.read_items(connection, self.run)}

    def item(self, row: int) -> str | None:
        """Id of a row that waits for an answer or was answered; None for any other row.

        Parameters
        ----------
        row : int
            Row of the data set.

        Returns
        -------
        str or None
            Its id.
        """
        with self._view.reading() as (connection, state):
            if row not in state.open_rows and row not in state.answers:
                return None
            return tables.item_of(connection, [row])[row]

    def answers(self) -> list[dict[str, Any]]:
        """Every answer, in the order in which they came in.

        Returns
        -------
        list of dict
            With the keys row, item, old_label (when it was written), new_label (None: skipped),
            annotator, time (UTC, ISO 8601), seconds, comment, charged, flag and decides (as
            `answer` takes them).
        """
        with file.transaction(self.path) as connection:
            return tables.read_answers(connection, self.run)

    def latest_answer(
        self, annotator: str | None, *, row: int | None = None, back: int = 1
    ) -> tuple[dict[str, Any] | None, int]:
        """The latest answer of an annotator, for a row or among those for all rows.

        Parameters
        ----------
        annotator : str or None
            Who answered.
        row : int, default=None
            A row of the data set; None counts `back` instead.
        back : int, default=1
            How many rows ago, from 1, the row that was answered last.

        Returns
        -------
        answer : dict or None
            As in `answers`; None if there is no such answer.
        n_rows : int
            Rows that the annotator has answered.
        """
        with self._view.reading() as (connection, _):
            latest = self._view.latest.get(annotator, {})
            if row is None:
                row = next(islice(reversed(latest), max(back, 1) - 1, None), None)
            if row not in latest:
                return None, len(latest)
            return tables.read_answer(connection, self.run, latest[row], row), len(latest)

    def seconds_per_item(self, annotator: str | None = None) -> float | None:
        """Median time of an annotator's last 50 answers.

        Parameters
        ----------
        annotator : str, default=None
            Who answered; None for answers without a name.

        Returns
        -------
        float or None
            In seconds; None if no time was recorded.
        """
        with self._view.reading():
            spent = self._view.seconds.get(annotator)
            return statistics.median(spent) if spent else None

    def is_running(self) -> bool:
        """Whether a process is there that runs the rounds of this journal."""
        return is_held(lock_of(self.path))

    def events(self) -> list[Event]:
        """Events in order; answers that the cleaner has not read yet are the last."""
        with file.transaction(self.path) as connection:
            records = tables.read_placed(connection, self.run, 0)
            records += tables.read_waiting(connection, self.run, 0)
        return [record.event for record in records]

    # --- for the process that runs the rounds ----------------------------------------------------

    def writing(self) -> AbstractContextManager[tuple[sqlite3.Connection, CleaningState]]:
        """A transaction that may write, and the state before it; see `JournalView`."""
        return self._view.writing()

    def insert(
        self,
        connection: sqlite3.Connection,
        state: CleaningState,
        event: Event,
        position: int | None,
    ) -> None:
        """Write an event in a transaction; of answers, with the labels before them."""
        number = tables.insert(connection, event, position)
        if isinstance(event, Answered):
            labels = self._labels(connection, state, event.rows)
            tables.insert_answers(connection, number, event, labels)

    def _labels(
        self, connection: sqlite3.Connection, state: CleaningState, rows: Sequence[int]
    ) -> dict[int, Any]:
        given = tables.given_label_of(connection, self.run, rows)
        return {
            row: self.classes[state.codes[row]] if state.verified[row] else given[row]
            for row in rows
        }

    def _open_rows(
        self, state: CleaningState, annotator: str | None, disputed: bool
    ) -> Iterator[int]:
        waiting = open_rows(state, annotator)
        return (row for row in waiting if disputed or row not in state.disputed)

    def _find(self, ids: list[str]) -> list[int | None]:
        with file.transaction(self.path) as connection:
            return [tables.row_of(connection, item) for item in ids]
