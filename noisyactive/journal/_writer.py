"""What the process that runs the rounds writes to the journal."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import _sqlite as file
from . import _tables as tables
from ._events import Answered, Event
from ._fingerprint import differences
from ._journal import Journal
from ._lock import RunnerLock, lock_of
from ._queue import first_answers
from ._run import Run


class JournalWriter:
    """The one process that runs rounds, and its journal.

    A journal comes into being after the first phase, when there is something to lose; whether it
    can be written is known before.

    Parameters
    ----------
    path : str or path
        The journal, there already or not.
    parameters, data : dict of str
        What the journal has to agree with, see `_fingerprint`.

    Raises
    ------
    ValueError
        If the journal is of other data or parameters, or the file cannot be understood.
    OSError
        If another process runs the rounds, or the folder cannot be written to.
    """

    def __init__(
        self, path: str | os.PathLike[str], parameters: dict[str, str], data: dict[str, str]
    ):
        self.path = Path(path)
        self._described = {"parameters": parameters, "data": data}
        if not self.path.parent.is_dir():
            raise FileNotFoundError(f"journal: there is no folder {self.path.parent}.")
        try:
            self._lock: RunnerLock | None = RunnerLock(lock_of(self.path))
        except BlockingIOError:
            raise
        except OSError as error:
            raise OSError(f"journal: no file can be made in {self.path.parent}: {error}") from error
        self._journal: Journal | None = None
        try:
            if self.path.exists():
                self._journal = self._opened()
        except BaseException:
            self._lock.release()
            raise

    def _opened(self) -> Journal:
        """The journal that is there: of this run, and such that it can be written to."""
        journal = Journal(self.path)
        found = [
            f"other {kind}: {', '.join(phrases)}"
            for kind, ours in self._described.items()
            if (phrases := differences(getattr(journal.run, kind), ours))
        ]
        if found:
            raise ValueError(
                f"The journal {self.path} is that of another run, with {'; and '.join(found)}. "
                "Name another file, or give the run what it was started with."
            )
        with journal.writing():
            pass
        return journal

    @property
    def checkpoint(self) -> Path:
        """Folder of the model beside the journal."""
        return self.path.with_name(f"{self.path.name}.checkpoint")

    @property
    def description(self) -> str:
        """Data and parameters of the run, as one text."""
        return json.dumps(self._described, sort_keys=True)

    def past(self) -> list[Event]:
        """Events of the run so far, apart from answers that it has not taken up; none if new."""
        return self.news(since=0) if self._journal else []

    def draft(
        self,
        classes: NDArray[Any],
        codes: NDArray[np.intp],
        ids: NDArray[np.str_],
        answers_per_item: int,
    ) -> None:
        """Write a new journal without events, under another name until `publish`."""
        from .. import __version__

        self._own().check()
        run = Run(
            classes=classes.tolist(),
            n_samples=len(codes),
            answers_per_item=answers_per_item,
            written_by=f"noisyactive {__version__}",
            **self._described,
        )
        file.draft(self.path, run, ids.tolist(), classes[codes].tolist())

    def publish(self, first: list[Event]) -> None:
        """Make the draft the journal, with the run's first events."""
        self._own().check()
        file.publish(self.path, first)
        self._journal = Journal(self.path)

    def news(self, since: int) -> list[Event]:
        """Take up answers that others wrote.

        Parameters
        ----------
        since : int
            Number of events that the run knows.

        Returns
        -------
        list of Event
            Those that come after, in order.
        """
        self._own().check()
        journal = self._published()
        with file.transaction(self.path) as connection:
            waiting = connection.execute(
                "SELECT 1 FROM events WHERE position IS NULL LIMIT 1"
            ).fetchone()
            if waiting is None:
                return _events(tables.read_placed(connection, journal.run, since))
        return self._write(None, since)

    def write(self, event: Event, since: int, *, only_open: bool = False) -> list[Event]:
        """Write an event of the run; answers take up those that others wrote before.

        Parameters
        ----------
        event : Event
            What happened.
        since : int
            Number of events that the run knows.
        only_open : bool, default=False
            Write only those answers that an open row waits for.

        Returns
        -------
        list of Event
            Those that come after, `event` the last, if anything of it was written.
        """
        self._own().check()
        return self._write(event, since, only_open)

    def _write(self, event: Event | None, since: int, only_open: bool = False) -> list[Event]:
        journal = self._published()
        with journal.writing() as (connection, state):
            (position,) = connection.execute(
                "SELECT coalesce(max(position) + 1, 0) FROM events"
            ).fetchone()
            if event is None or isinstance(event, Answered):
                waiting = connection.execute(
                    "SELECT id FROM events WHERE position IS NULL ORDER BY id"
                ).fetchall()
                connection.executemany(
                    "UPDATE events SET position = ? WHERE id = ?",
                    [(position + place, number) for place, (number,) in enumerate(waiting)],
                )
                position += len(waiting)
            if only_open and isinstance(event, Answered):
                event = first_answers(state, event)
            if event is not None:
                journal.insert(connection, state, event, position)
            return _events(tables.read_placed(connection, journal.run, since))

    def close(self) -> None:
        """Let another process run the rounds."""
        if self._lock is None:
            return
        if self._journal is None:
            file.discard_draft(self.path)
        self._lock.release()

    def _published(self) -> Journal:
        if self._journal is None:
            raise RuntimeError("The journal was not written yet.")
        return self._journal

    def _own(self) -> RunnerLock:
        if self._lock is None:
            raise RuntimeError("A copy of a cleaner does not write to its journal: call start.")
        return self._lock

    def __getstate__(self) -> dict[str, Any]:
        # A lock belongs to a process, and is not copied.
        return {**vars(self), "_lock": None}


def _events(records: list[tables.Record]) -> list[Event]:
    return [record.event for record in records]
