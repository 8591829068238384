"""The file of a journal: one SQLite database, whose tables anybody may read.

Version 1. ``PRAGMA application_id`` is 0x6e616a6c ("najl"), ``PRAGMA user_version`` the version of
the schema. Labels and payloads are JSON; nothing in the file is ever executed.

=========== ====================================================================================
``run``     key and value (JSON): ``classes``, ``n_samples``, ``answers_per_item``, ``parameters``
            and ``data`` (name and text of what must not differ), ``written_by``
``items``   row, item (its id), label (the one given to the run)
``events``  id, position (its place in the run, from 0; empty until the runner has read it), kind,
            payload, time (UTC, ISO 8601):

            ============ ========================================================================
            ``started``  seed
            ``asked``    rows, suggested (labels), probability, budget_left, reason
            ``answered`` nothing: see the table ``answers``
            ``settled``  rows, labels (null for a tie): answers of several annotators, aggregated
            ``closed``   nothing: a round ended before all answers were in
            ``refitted`` score (null for NaN)
            ``ended``    nothing: there was nothing left to ask
            ============ ========================================================================
``answers`` event, row, item, old_label (before the answer), new_label (empty: skipped), annotator,
            time, seconds, comment; rows of one event were written in one transaction
=========== ====================================================================================

Every access is a connection of its own, so that threads and forked processes share nothing. While
there are connections, parts of the data lie in ``-wal`` and ``-shm`` files beside the database; the
last one to close merges them. Copy a journal only when no process uses it, or with SQLite's backup;
keep it on a disk of the machine itself, since network drives do not lock reliably.
"""

from __future__ import annotations

import json
import math
import os
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from datetime import datetime, timezone
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any, NamedTuple

from ._events import Answered, Asked, Closed, Ended, Event, Refitted, Settled, Started

APPLICATION_ID = 0x6E616A6C
VERSION = 1

_BUSY_SECONDS = 30

_SCHEMA = (
    "CREATE TABLE run (key TEXT PRIMARY KEY, value TEXT NOT NULL)",
    "CREATE TABLE items (row INTEGER PRIMARY KEY, item TEXT NOT NULL UNIQUE, label TEXT NOT NULL)",
    "CREATE TABLE events (id INTEGER PRIMARY KEY, position INTEGER UNIQUE, kind TEXT NOT NULL, "
    "payload TEXT NOT NULL, time TEXT NOT NULL)",
    "CREATE TABLE answers (event INTEGER NOT NULL REFERENCES events (id), row INTEGER NOT NULL "
    "REFERENCES items (row), item TEXT NOT NULL, old_label TEXT NOT NULL, new_label TEXT, "
    "annotator TEXT, time TEXT NOT NULL, seconds REAL, comment TEXT, PRIMARY KEY (event, row))",
)


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
        If the file is damaged, no journal, or of a newer version. It is left as it is.
    OSError
        If it cannot be read or written: no rights, a full disk, or a process that keeps it locked.
    """
    if not path.exists():
        raise FileNotFoundError(f"There is no journal {path}.")
    if not path.stat().st_size:
        raise ValueError(f"{path} is empty: no journal, or what is left of one. Delete it, or put "
                         "a copy back.")  # fmt: skip
    with _explained(path, write), closing(_connect(path, "rw")) as connection:
        connection.execute("BEGIN IMMEDIATE" if write else "BEGIN")
        try:
            _check_version(connection, path)
            yield connection
            connection.execute("COMMIT")
        except BaseException:
            with suppress(sqlite3.Error):  # a full disk has rolled it back by itself
                connection.execute("ROLLBACK")
            raise


def draft(path: Path, run: dict[str, Any], ids: Iterable[str], labels: Iterable[Any]) -> None:
    """Write a new journal under another name, without events; `publish` makes it what it is.

    Parameters
    ----------
    path : Path
        The journal to be.
    run : dict
        The table ``run``.
    ids : iterable of str
        Names of the rows.
    labels : iterable
        Their labels.
    """
    discard_draft(path)
    with _explained(path, True), closing(_connect(_draft_of(path), "rwc")) as connection:
        connection.execute("BEGIN IMMEDIATE")
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {VERSION}")
        for statement in _SCHEMA:
            connection.execute(statement)
        rows = ((key, json.dumps(value)) for key, value in run.items())
        connection.executemany("INSERT INTO run VALUES (?, ?)", rows)
        pairs = zip(ids, labels, strict=True)
        items = ((row, item, json.dumps(label)) for row, (item, label) in enumerate(pairs))
        connection.executemany("INSERT INTO items VALUES (?, ?, ?)", items)
        connection.execute("COMMIT")


def publish(path: Path, first: list[Event]) -> None:
    """Give a draft its first events and its name: a journal appears when it is whole."""
    with _explained(path, True):
        with closing(_connect(_draft_of(path), "rw")) as connection:
            connection.execute("BEGIN IMMEDIATE")
            for position, event in enumerate(first):
                insert(connection, event, position)
            connection.execute("COMMIT")
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


def check(path: Path) -> None:
    """Look through the whole file for damage; raises as `transaction` does."""
    with transaction(path) as connection:
        result = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
        if result != "ok":
            raise sqlite3.DatabaseError(result)


def insert(connection: sqlite3.Connection, event: Event, position: int | None) -> int:
    """Write an event, apart from the answers of an `Answered`.

    Parameters
    ----------
    connection : Connection
        In a transaction.
    event : Event
        What happened.
    position : int or None
        Its place in the run, if that is known.

    Returns
    -------
    int
        Its id.
    """
    payload: dict[str, Any] = {}
    match event:
        case Started(seed):
            payload = {"seed": seed}
        case Asked():
            payload = vars(event)
        case Settled(rows, labels):
            payload = {"rows": rows, "labels": labels}
        case Refitted(score):
            payload = {"score": None if math.isnan(score) else score}
    cursor = connection.execute(
        "INSERT INTO events (position, kind, payload, time) VALUES (?, ?, ?, ?)",
        (position, type(event).__name__.lower(), json.dumps(payload), now()),
    )
    assert cursor.lastrowid is not None
    return cursor.lastrowid


def insert_answers(
    connection: sqlite3.Connection, event: int, answered: Answered, old_labels: dict[int, Any]
) -> None:
    """Write the answers of an event.

    Parameters
    ----------
    connection : Connection
        In a transaction.
    event : int
        Id of the event.
    answered : Answered
        The answers.
    old_labels : dict of int
        Label of each row before.
    """
    n_rows = len(answered.rows)
    items = item_of(connection, answered.rows)
    columns = zip(
        answered.rows,
        answered.labels,
        answered.seconds or [None] * n_rows,
        answered.comments or [None] * n_rows,
        strict=True,
    )
    connection.executemany(
        "INSERT INTO answers VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            (
                event,
                row,
                items[row],
                json.dumps(old_labels[row]),
                None if label is None else json.dumps(label),
                answered.annotator,
                answered.time,
                seconds,
                comment,
            )
            for row, label, seconds, comment in columns
        ],
    )


class Record(NamedTuple):
    """An event with its place in the file.

    Parameters
    ----------
    id : int
        Its id; ids grow with time.
    position : int or None
        Its place in the run; None until the process that runs the rounds has read it.
    event : Event
        The event.
    """

    id: int
    position: int | None
    event: Event


def read_events(connection: sqlite3.Connection, where: str, *values: Any) -> list[Record]:
    """Events in the order of the run, those without a position last.

    Parameters
    ----------
    connection : Connection
        In a transaction.
    where : str
        Which of them, in SQL, with the columns ``e.id`` and ``e.position``; never from outside.
    *values : object
        What its question marks stand for.

    Returns
    -------
    list of Record
        The events.
    """
    cursor = connection.execute(
        "SELECT e.id, e.position, e.kind, e.payload, a.row, a.new_label, a.seconds, a.comment, "
        "a.annotator, a.time FROM events e LEFT JOIN answers a ON a.event = e.id "
        f"WHERE {where} ORDER BY e.position IS NULL, e.position, e.id, a.rowid",
        values,
    )
    label_of: dict[str | None, Any] = {None: None}  # each text is parsed once
    found = []
    for (number, position, kind, payload), rows in groupby(cursor, itemgetter(0, 1, 2, 3)):
        answers = [row[4:] for row in rows if row[4] is not None]
        found.append(Record(number, position, _decode(number, kind, payload, answers, label_of)))
    return found


def _decode(
    number: int, kind: str, payload: str, answers: list[Any], label_of: dict[str | None, Any]
) -> Event:
    try:
        if kind == "answered":
            return _answered(answers, label_of)
        content = json.loads(payload)
        match kind:
            case "started":
                return Started(int(content["seed"]))
            case "asked":
                return Asked(
                    rows=tuple(content["rows"]),
                    suggested=tuple(content["suggested"]),
                    probability=tuple(content["probability"]),
                    budget_left=int(content["budget_left"]),
                    reason=str(content["reason"]),
                )
            case "settled":
                return Settled(tuple(content["rows"]), tuple(content["labels"]))
            case "closed":
                return Closed()
            case "refitted":
                score = content["score"]
                return Refitted(math.nan if score is None else float(score))
            case "ended":
                return Ended()
        raise ValueError(f"unknown kind {kind!r}")
    except (KeyError, TypeError, ValueError) as error:
        raise sqlite3.DatabaseError(f"event {number} cannot be understood: {error!r}") from error


def _answered(answers: list[Any], label_of: dict[str | None, Any]) -> Answered:
    if not answers:
        return Answered((), ())
    rows, texts, seconds, comments, annotators, times = zip(*answers, strict=True)
    for text in set(texts) - label_of.keys():
        label_of[text] = json.loads(text)
    return Answered(
        rows,
        tuple(label_of[text] for text in texts),
        annotators[0],
        seconds if any(value is not None for value in seconds) else (),
        comments if any(value is not None for value in comments) else (),
        times[0],
    )


_ANSWER = "row item old_label new_label annotator time seconds comment".split()


def read_answers(connection: sqlite3.Connection) -> list[dict[str, Any]]:
    """The table ``answers``, without the numbers of events."""
    columns = ", ".join(_ANSWER)
    records = connection.execute(f"SELECT {columns} FROM answers ORDER BY event, rowid")
    return [_answer(record) for record in records]


def read_answer(connection: sqlite3.Connection, event: int, row: int) -> dict[str, Any]:
    """One answer, by the id of its event and its row."""
    columns = ", ".join(_ANSWER)
    return _answer(
        connection.execute(
            f"SELECT {columns} FROM answers WHERE event = ? AND row = ?", (event, row)
        ).fetchone()
    )


def _answer(record: tuple[Any, ...]) -> dict[str, Any]:
    answer = dict(zip(_ANSWER, record, strict=True))
    for key in ("old_label", "new_label"):
        answer[key] = None if answer[key] is None else json.loads(answer[key])
    return answer


def read_run(connection: sqlite3.Connection) -> dict[str, Any]:
    """The table ``run``."""
    try:
        run = {key: json.loads(value) for key, value in connection.execute("SELECT * FROM run")}
    except ValueError as error:
        raise sqlite3.DatabaseError(f"the table run cannot be understood: {error}") from error
    needed = {"classes", "n_samples", "answers_per_item", "parameters", "data"}
    if missing := sorted(needed - run.keys()):
        raise sqlite3.DatabaseError(f"the table run lacks {', '.join(missing)}")
    return run


def read_items(connection: sqlite3.Connection) -> list[tuple[int, str, Any]]:
    """Row, name and label at the start of all items."""
    found = connection.execute("SELECT row, item, label FROM items ORDER BY row")
    return [(row, item, json.loads(label)) for row, item, label in found]


def item_of(connection: sqlite3.Connection, rows: Iterable[int]) -> dict[int, str]:
    """Name of each of some rows."""
    return {row: _item(connection, "item", row) for row in rows}


def row_of(connection: sqlite3.Connection, item: str) -> int | None:
    """Row of a name, or None."""
    found = connection.execute("SELECT row FROM items WHERE item = ?", (str(item),)).fetchone()
    return None if found is None else found[0]


def given_label_of(connection: sqlite3.Connection, rows: Iterable[int]) -> dict[int, Any]:
    """Label that each of some rows had at the start."""
    return {row: json.loads(_item(connection, "label", row)) for row in rows}


def _item(connection: sqlite3.Connection, column: str, row: int) -> str:
    return connection.execute(f"SELECT {column} FROM items WHERE row = ?", (row,)).fetchone()[0]


def now() -> str:
    """Return the time in UTC.

    Returns
    -------
    str
        As ISO 8601, with milliseconds.
    """
    return datetime.now(timezone.utc).isoformat(timespec="milliseconds")


def _connect(path: Path, mode: str) -> sqlite3.Connection:
    uri = f"{path.absolute().as_uri()}?mode={mode}"
    connection = sqlite3.connect(uri, uri=True, timeout=_BUSY_SECONDS, isolation_level=None)
    for pragma in ("synchronous = FULL", "foreign_keys = ON", "trusted_schema = OFF"):
        connection.execute(f"PRAGMA {pragma}")
    return connection


def _check_version(connection: sqlite3.Connection, path: Path) -> None:
    if connection.execute("PRAGMA application_id").fetchone()[0] != APPLICATION_ID:
        raise ValueError(f"{path} is an SQLite database, but no journal of noisyactive.")
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version != VERSION:
        raise ValueError(
            f"{path} is a journal of version {version}; this noisyactive knows version {VERSION}. "
            "A newer one will open it."
        )


@contextmanager
def _explained(path: Path, write: bool) -> Iterator[None]:
    """Say what SQLite's errors mean for the journal."""
    try:
        yield
    except sqlite3.OperationalError as error:
        done = "written; nothing of this call was recorded" if write else "read"
        raise OSError(f"The journal {path} could not be {done}: {error}.") from error
    except sqlite3.DatabaseError as error:
        raise ValueError(
            f"{path} is damaged, or no journal: {error}. It was left as it is; put a copy back, or "
            "see what `sqlite3 FILE .recover` can read."
        ) from error


def _sync_folder(folder: Path) -> None:
    """Make a renaming last through a power cut, where the system can."""
    if os.name != "nt":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
