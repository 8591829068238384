"""Write events and answers to a journal's tables, and read what the tables hold."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator
from datetime import datetime, timezone
from itertools import groupby
from operator import itemgetter
from typing import Any, NamedTuple

from ._codec import answer_columns, answer_facts, decode, encode, version_of
from ._events import Answered, Event, Started
from ._run import Run, parsed, text
from ._schema import Damaged, require


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
    kind, payload = encode(event)
    require(connection, version_of(kind, payload))
    cursor = connection.execute(
        "INSERT INTO events (position, kind, payload, time) VALUES (?, ?, ?, ?)",
        (position, kind, payload, now()),
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


def read_placed(connection: sqlite3.Connection, run: Run, since: int) -> list[Record]:
    """Events of the run from a position on, in order."""
    records = _read(connection, run, "e.position >= ? ORDER BY e.position", since)
    for position, record in enumerate(records, since):
        if record.position != position or isinstance(record.event, Started) != (position == 0):
            raise Damaged(f"event {record.id} is not in its place")
    return records


def read_waiting(connection: sqlite3.Connection, run: Run, after: int) -> list[Record]:
    """Answers with a larger id that the process that runs the rounds has not read, in order."""
    records = _read(connection, run, "e.position IS NULL AND e.id > ? ORDER BY e.id", after)
    if wrong := [record for record in records if not isinstance(record.event, Answered)]:
        raise Damaged(f"event {wrong[0].id} has no place in the run")
    return records


def _read(connection: sqlite3.Connection, run: Run, which: str, value: int) -> list[Record]:
    cursor = connection.execute(
        "SELECT e.id, e.position, e.kind, e.payload, a.row, a.new_label, a.annotator, a.time, "
        "a.seconds, a.comment FROM events e LEFT JOIN answers a ON a.event = e.id "
        f"WHERE {which}, a.rowid",
        (value,),
    )
    found = []
    for (key, position, kind, payload), rows in groupby(cursor, itemgetter(0, 1, 2, 3)):
        answers = [row[4:] for row in rows if row[4] is not None]
        try:
            found.append(Record(key, position, decode(run, kind, payload, answers)))
        except Damaged as error:
            raise Damaged(f"event {key} cannot be understood: {error}") from error
    return found


def read_answers(connection: sqlite3.Connection, run: Run) -> list[dict[str, Any]]:
    """The table ``answers``, without the numbers of events."""
    return _answers(connection, run, "true")


def read_answer(connection: sqlite3.Connection, run: Run, event: int, row: int) -> dict[str, Any]:
    """One answer, by the id of its event and its row."""
    found = _answers(connection, run, "a.event = ? AND a.row = ?", event, row)
    if not found:
        raise Damaged(f"the answer of event {event} for row {row} is gone")
    return found[0]


def _answers(
    connection: sqlite3.Connection, run: Run, which: str, *values: int
) -> list[dict[str, Any]]:
    cursor = connection.execute(
        "SELECT e.payload, a.item, a.old_label, a.row, a.new_label, a.annotator, a.time, "
        "a.seconds, a.comment FROM answers a JOIN events e ON e.id = a.event "
        f"WHERE {which} ORDER BY a.event, a.rowid",
        values,
    )
    found = []
    for payload, item, old_label, *columns in cursor:
        row, new_label, annotator, time, seconds, comment = answer_columns(run, *columns)
        charged, flag, decides = answer_facts(parsed(payload, "its payload"))
        found.append(
            {
                "row": row,
                "item": text(item, "an id"),
                "old_label": run.label(old_label),
                "new_label": new_label,
                "annotator": annotator,
                "time": time,
                "seconds": seconds,
                "comment": comment,
                "charged": charged,
                "flag": flag,
                "decides": decides,
            }
        )
    return found


def read_run(connection: sqlite3.Connection) -> Run:
    """The table ``run``."""
    return Run.of(connection.execute("SELECT key, value FROM run"))


def read_items(connection: sqlite3.Connection, run: Run) -> Iterator[tuple[int, str, Any]]:
    """Row, name and label at the start of all items."""
    for row, item, label in connection.execute("SELECT row, item, label FROM items ORDER BY row"):
        yield run.row(row), text(item, "an id"), run.label(label)


def item_of(connection: sqlite3.Connection, rows: Iterable[int]) -> dict[int, str]:
    """Name of each of some rows."""
    return {row: text(_item(connection, "item", row), "an id") for row in rows}


def row_of(connection: sqlite3.Connection, item: str) -> int | None:
    """Row of a name, or None."""
    found = connection.execute("SELECT row FROM items WHERE item = ?", (str(item),)).fetchone()
    return None if found is None else found[0]


def given_label_of(connection: sqlite3.Connection, run: Run, rows: Iterable[int]) -> dict[int, Any]:
    """Label that each of some rows had at the start."""
    return {row: run.label(_item(connection, "label", row)) for row in rows}


def _item(connection: sqlite3.Connection, column: str, row: int) -> Any:
    found = connection.execute(f"SELECT {column} FROM items WHERE row = ?", (row,)).fetchone()
    if found is None:
        raise Damaged(f"row {row} has no item")
    return found[0]


def now() -> str:
    """Return the time in UTC.

    Returns
    -------
    str
        As ISO 8601, with milliseconds.
    """
    return datetime.now(timezone.utc).isoformat(timespec="milliseconds")
