"""Write events and answers to a journal's tables, and read what the tables hold."""

from __future__ import annotations

import json
import math
import sqlite3
from collections.abc import Iterable
from dataclasses import fields
from datetime import datetime, timezone
from itertools import groupby
from operator import itemgetter
from typing import Any, NamedTuple

from ._events import Answered, Asked, Closed, Ended, Event, Refitted, Settled, Started
from ._run import Run, listed, number, parsed, text, whole
from ._schema import Damaged

_FIELDS = {
    kind.__name__.lower(): {field.name for field in fields(kind)}
    for kind in (Started, Asked, Settled, Closed, Refitted, Ended)
} | {"answered": set[str]()}  # see the table ``answers``
_LARGEST = 1.7e308  # as a float


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
    kind = type(event).__name__.lower()
    payload = {name: getattr(event, name) for name in sorted(_FIELDS[kind])}
    if isinstance(event, Refitted) and math.isnan(event.score):
        payload["score"] = None
    cursor = connection.execute(
        "INSERT INTO events (position, kind, payload, time) VALUES (?, ?, ?, ?)",
        (position, kind, json.dumps(payload), now()),
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
            found.append(Record(key, position, _event(run, kind, payload, answers)))
        except Damaged as error:
            raise Damaged(f"event {key} cannot be understood: {error}") from error
    return found


def _event(run: Run, kind: Any, payload: Any, answers: list[tuple[Any, ...]]) -> Event:
    content = parsed(payload, "its payload")
    if not isinstance(content, dict) or content.keys() != _FIELDS.get(kind):
        raise Damaged("it has an unknown kind or payload")
    if kind == "answered":
        return _answered(run, answers)
    if answers:
        raise Damaged("it has answers")
    match kind:
        case "started":
            return Started(whole(content["seed"], "its seed", 0))
        case "asked":
            rows = run.rows(content["rows"])
            probability = listed(content["probability"], "the list of probabilities")
            n_suggested = len(rows) if probability else 0
            if len(probability) != n_suggested:
                raise Damaged(f"there are {len(probability)} probabilities of {len(rows)} rows")
            return Asked(
                rows,
                run.labels(content["suggested"], n_suggested),
                tuple(number(p, "a probability", -_LARGEST, _LARGEST) for p in probability),
                whole(content["budget_left"], "its budget", 0),
                text(content["reason"], "its reason"),
            )
        case "settled":
            rows = run.rows(content["rows"])
            return Settled(rows, run.labels(content["labels"], len(rows), ties=True))
        case "refitted":
            score = content["score"]
            return Refitted(math.nan if score is None else number(score, "its score"))
        case "closed":
            return Closed()
    return Ended()


def _answered(run: Run, answers: list[tuple[Any, ...]]) -> Answered:
    if not answers:
        return Answered((), ())
    rows, labels, annotators, times, seconds, comments = zip(
        *(_checked(run, *answer) for answer in answers), strict=True
    )
    if len({*zip(annotators, times, strict=True)}) > 1:
        raise Damaged("its answers are of several people or times")
    return Answered(
        rows,
        labels,
        annotators[0],
        seconds if any(value is not None for value in seconds) else (),
        comments if any(value is not None for value in comments) else (),
        times[0],
    )


def _checked(
    run: Run, row: Any, label: Any, annotator: Any, time: Any, seconds: Any, comment: Any
) -> tuple[int, Any, str | None, str, float | None, str | None]:
    """The columns of an answer, as they may be."""
    if annotator == "" or annotator is None and run.answers_per_item > 1:
        raise Damaged("an answer is of nobody")
    return (
        run.row(row),
        None if label is None else run.label(label),
        None if annotator is None else text(annotator, "an annotator"),
        text(time, "a time"),
        None if seconds is None else number(seconds, "a number of seconds", 0, _LARGEST),
        None if comment is None else text(comment, "a comment"),
    )


def read_answers(connection: sqlite3.Connection, run: Run) -> list[dict[str, Any]]:
    """The table ``answers``, without the numbers of events."""
    return _answers(connection, run, "true")


def read_answer(connection: sqlite3.Connection, run: Run, event: int, row: int) -> dict[str, Any]:
    """One answer, by the id of its event and its row."""
    found = _answers(connection, run, "event = ? AND row = ?", event, row)
    if not found:
        raise Damaged(f"the answer of event {event} for row {row} is gone")
    return found[0]


def _answers(
    connection: sqlite3.Connection, run: Run, which: str, *values: int
) -> list[dict[str, Any]]:
    cursor = connection.execute(
        "SELECT item, old_label, row, new_label, annotator, time, seconds, comment FROM answers "
        f"WHERE {which} ORDER BY event, rowid",
        values,
    )
    found = []
    for item, old_label, *columns in cursor:
        row, new_label, annotator, time, seconds, comment = _checked(run, *columns)
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
            }
        )
    return found


def read_run(connection: sqlite3.Connection) -> Run:
    """The table ``run``."""
    return Run.of(connection.execute("SELECT key, value FROM run"))


def read_items(connection: sqlite3.Connection, run: Run) -> list[tuple[int, str, Any]]:
    """Row, name and label at the start of all items."""
    found = connection.execute("SELECT row, item, label FROM items ORDER BY row")
    return [(run.row(row), text(item, "an id"), run.label(label)) for row, item, label in found]


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
