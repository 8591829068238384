"""The file of a journal: one SQLite database, whose tables (`_schema`) anybody may read.

Every access is a connection of its own, so that threads and forked processes share nothing. While
there are connections, parts of the data lie in ``-wal`` and ``-shm`` files beside the database; the
last one to close merges them. Copy a journal only when no process uses it, or with SQLite's backup;
keep it on a disk of the machine itself, since network drives do not lock reliably.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any
from weakref import WeakSet

from ._events import Event
from ._run import Run
from ._schema import check_content, check_schema, create
from ._tables import insert, read_items, read_run

_BUSY_SECONDS = 30

#: What SQLite says of the system, not of the file, and what it means. (Python 3.10 has no codes.)
_SYSTEM = {
    "readonly database": "it may only be read",
    "unable to open": "it cannot be opened",
    "is full": "the disk is full",
    "disk I/O error": "the disk is full or fails",
    "is locked": "another process keeps it locked",
    "locking protocol": "another process keeps it locked",
    "interrupted": "it was interrupted",
}


@contextmanager
def transaction(path: Path, *, write: bool = False) -> Iterator[sqlite3.Connection]:
    """All or nothing: what is written in the block is in the file after it, or none of it is.

    Parameters
    ----------
    path : Path
        An existing journal.
    write : bool, default=False
        Whether to write; one process at a time does, others wait.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file is damaged, was altered, is no journal, or of a newer version. It is left as it
        is.
    OSError
        If it cannot be read or written: no rights, a full disk, or a process that keeps it locked.
    """
    if not path.exists():
        raise FileNotFoundError(f"There is no journal {path}.")
    if not path.stat().st_size:
        raise ValueError(f"{path} is empty: no journal, or what is left of one. Delete it, or put "
                         "a copy back.")  # fmt: skip
    mode = "mode=rw" if write else _mode_to_read(path)
    with _explained(path, write), _connected(path, mode) as connection:
        with _begun(connection, path, write):
            yield connection


@contextmanager
def _begun(connection: sqlite3.Connection, path: Path, write: bool) -> Iterator[None]:
    connection.execute("BEGIN IMMEDIATE" if write else "BEGIN")
    try:
        check_schema(connection, path)
        yield
        connection.execute("COMMIT")
    except BaseException:
        with suppress(sqlite3.Error):  # a full disk has rolled it back by itself
            connection.execute("ROLLBACK")
        raise


def draft(path: Path, run: Run, ids: Iterable[str], labels: Iterable[Any]) -> None:
    """Write a new journal under another name, without events; `publish` makes it what it is.

    Parameters
    ----------
    path : Path
        The journal to be.
    run : Run
        What it is of.
    ids : iterable of str
        Names of the rows.
    labels : iterable
        Their labels.
    """
    discard_draft(path)
    with _explained(path, True), _connected(_draft_of(path), "mode=rwc") as connection:
        connection.execute("BEGIN IMMEDIATE")
        create(connection)
        rows = ((key, json.dumps(value)) for key, value in asdict(run).items())
        connection.executemany("INSERT INTO run VALUES (?, ?)", rows)
        pairs = zip(ids, labels, strict=True)
        items = ((row, item, json.dumps(label)) for row, (item, label) in enumerate(pairs))
        connection.executemany("INSERT INTO items VALUES (?, ?, ?)", items)
        connection.execute("COMMIT")


def publish(path: Path, first: list[Event]) -> None:
    """Give a draft its first events and its name: a journal appears when it is whole."""
    with _explained(path, True):
        with _connected(_draft_of(path), "mode=rw") as connection:
            with _begun(connection, path, write=True):
                for position, event in enumerate(first):
                    insert(connection, event, position)
            connection.execute("PRAGMA journal_mode = WAL")  # which the file remembers
        os.replace(_draft_of(path), path)
        _sync_folder(path.parent)


def discard_draft(path: Path) -> None:
    """Delete what is left of a draft that was not published."""
    for end in ("", "-journal", "-wal", "-shm"):
        name = _draft_of(path)
        name.with_name(name.name + end).unlink(missing_ok=True)


def _draft_of(path: Path) -> Path:
    return path.with_name(f"{path.name}.new")


def check(path: Path) -> Run:
    """Look through the whole file for damage; raises as `transaction` does.

    Returns
    -------
    Run
        What the journal is of.
    """
    with transaction(path) as connection:
        run = read_run(connection)
        check_content(connection, run.n_samples)
        run.check_items(read_items(connection, run))
        return run


class _Connection(sqlite3.Connection):
    """Closes its cursors with it.

    Else SQLite keeps a file locked for as long as something holds a cursor that was not read to its
    end; the traceback of an error that a reader raised does.
    """

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self._cursors: WeakSet[sqlite3.Cursor] = WeakSet()

    def execute(self, *args: Any) -> sqlite3.Cursor:
        cursor = super().execute(*args)
        self._cursors.add(cursor)
        return cursor

    def close(self) -> None:
        for cursor in self._cursors:
            cursor.close()
        super().close()


@contextmanager
def _connected(path: Path, mode: str) -> Iterator[sqlite3.Connection]:
    uri = f"{path.absolute().as_uri()}?{mode}"
    opened = sqlite3.connect(
        uri, uri=True, timeout=_BUSY_SECONDS, isolation_level=None, factory=_Connection
    )
    with closing(opened) as connection:
        for setting in (
            "synchronous = FULL", "foreign_keys = ON", "trusted_schema = OFF",
            "cell_size_check = ON",
        ):  # fmt: skip
            connection.execute(f"PRAGMA {setting}")
        yield connection


def _mode_to_read(path: Path) -> str:
    """How to open a file for reading: SQLite writes beside it, unless nobody is to write at all."""
    path = path.resolve()
    if os.access(path, os.W_OK) and os.access(path.parent, os.W_OK):
        return "mode=rw"
    beside = path.with_name(f"{path.name}-wal")  # what others have written, and not yet merged
    return "mode=ro" if beside.exists() and beside.stat().st_size else "mode=ro&immutable=1"


@contextmanager
def _explained(path: Path, write: bool) -> Iterator[None]:
    """Say what SQLite's errors mean for the journal."""
    try:
        yield
    except (sqlite3.DatabaseError, UnicodeDecodeError) as error:  # of a message about the file
        causes = [cause for words, cause in _SYSTEM.items() if words in str(error)]
        if causes and isinstance(error, sqlite3.OperationalError):
            done = "read"
            if write:
                done = (
                    "written; nothing of this call was recorded, and nothing that was recorded "
                    "before is lost"
                )
            raise OSError(
                f"The journal {path} could not be {done}: {causes[0]}{_rights(path, write)} "
                f"({error})."
            ) from error
        raise ValueError(
            f"{path} is damaged, or no journal: {error}. It was left as it is; put a copy back, or "
            "see what `sqlite3 FILE .recover` can read."
        ) from error


def _rights(path: Path, write: bool) -> str:
    """Which rights are missing, for a message; "" if none are."""
    path = path.resolve()
    if not os.access(path, os.R_OK):
        return "; this user may not read it"
    if write and not os.access(path, os.W_OK):
        return "; this user may not write to the file"
    if not os.access(path.parent, os.W_OK):
        return f"; this user may not write to its folder {path.parent}, where SQLite keeps a log"
    return ""


def _sync_folder(folder: Path) -> None:
    """Make a renaming last through a power cut, where the system can."""
    if os.name != "nt":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
