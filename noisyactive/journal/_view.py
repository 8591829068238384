"""The state of a journal's run, kept up to date with its file."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from . import _sqlite as file
from . import _tables as tables
from ._events import Answered
from ._run import Run
from ._state import CleaningState

_N_SECONDS = 50  # answers of which the time is kept: enough to say how quick somebody is


class JournalView:
    """The events of a file, folded once; later calls fold only what was written since.

    The process that runs the rounds gives answers their position when it reads them, and may put
    an event of its own before them. Then, and if another file has taken this one's place, all
    events are folded anew. One thread at a time uses the state.

    Parameters
    ----------
    path : Path
        The journal.
    run : Run
        What the journal is of.

    Attributes
    ----------
    latest : dict of dict
        Annotator, row, and the event of the latest answer; rows answered last come last.
    seconds : dict of deque
        Annotator, and the time that each of the last answers took, in seconds.
    """

    def __init__(self, path: Path, run: Run):
        self._path = path
        self._run = run
        self._lock = threading.RLock()
        self._process = os.getpid()
        self._forget()

    def _forget(self) -> None:
        # Labels without an answer are not read: their codes are 0, and never looked at.
        given = np.zeros(self._run.n_samples, dtype=np.intp)
        self._state = CleaningState(self._run.class_array, given, self._run.answers_per_item)
        self.latest: dict[str | None, dict[int, int]] = {}
        self.seconds: dict[str | None, deque[float]] = {}
        self._last_id = 0  # of the events that are folded
        self._last: tuple[str, str, str] | None = None  # kind, payload and time of that one
        self._n_placed = 0  # folded events that have a position
        self._waiting: list[int] = []  # ids of folded events that had none, in their order

    @contextmanager
    def reading(self) -> Iterator[tuple[sqlite3.Connection, CleaningState]]:
        """A transaction that reads, and the state of the run in it. Not to be changed."""
        self._belong()
        with self._lock, file.transaction(self._path) as connection:
            self._update(connection)
            yield connection, self._state

    @contextmanager
    def writing(self) -> Iterator[tuple[sqlite3.Connection, CleaningState]]:
        """A transaction that writes, and the state of the run before it. Not to be changed."""
        self._belong()
        # Other threads go on reading while this one waits for its turn to write, or for the disk:
        # the state holds only what is committed, and the one who may write reads the newest.
        with file.transaction(self._path, write=True) as connection, self._lock:
            self._update(connection)
            yield connection, self._state

    def _belong(self) -> None:
        """Begin anew in a forked child, whose parent may have been reading in another thread."""
        if self._process != os.getpid():
            self.__setstate__(self.__getstate__())

    def _update(self, connection: sqlite3.Connection) -> None:
        """Fold the events that were written since the last call."""
        last = connection.execute(
            "SELECT kind, payload, time FROM events WHERE id = ?", (self._last_id,)
        ).fetchone()
        try:
            records = self._news(connection) if last == self._last else None
            if records is None:
                self._forget()
                records = tables.read_placed(connection, self._run, 0)
                records += tables.read_waiting(connection, self._run, 0)
            for record in records:
                self._fold(record)
        except BaseException:
            self._forget()
            raise
        if records:
            self._last = connection.execute(
                "SELECT kind, payload, time FROM events WHERE id = ?", (self._last_id,)
            ).fetchone()

    def _news(self, connection: sqlite3.Connection) -> list[tables.Record] | None:
        """Events to fold; None if those that are folded are others, or in another order."""
        placed = connection.execute(
            "SELECT id FROM events WHERE position >= ? ORDER BY position", (self._n_placed,)
        ).fetchall()
        ids = [number for (number,) in placed]
        n_same = min(len(ids), len(self._waiting))
        if ids[:n_same] != self._waiting[:n_same]:
            return None
        if n_same:
            del self._waiting[:n_same]
            self._n_placed += n_same
        new = tables.read_placed(connection, self._run, self._n_placed) if ids else []
        return new + tables.read_waiting(connection, self._run, self._last_id)

    def _fold(self, record: tables.Record) -> None:
        self._state.apply(record.event)
        self._last_id = max(self._last_id, record.id)
        if record.position is None:
            self._waiting.append(record.id)
        else:
            self._n_placed += 1
        if isinstance(record.event, Answered):
            latest = self.latest.setdefault(record.event.annotator, {})
            for row in record.event.rows:
                latest.pop(row, None)
                latest[row] = record.id
            spent = self.seconds.setdefault(record.event.annotator, deque(maxlen=_N_SECONDS))
            spent.extend(value for value in record.event.seconds if value is not None)

    def __getstate__(self) -> dict[str, Any]:
        return {"_path": self._path, "_run": self._run}  # a copy reads the file by itself

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._process = os.getpid()
        self._lock = threading.RLock()
        self._forget()
