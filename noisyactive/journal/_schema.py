"""The tables of a journal, and the check that a file has these and nothing else.

Version 1. ``PRAGMA application_id`` is 0x6e616a6c ("najl"), ``PRAGMA user_version`` the version of
the schema. Labels and payloads are JSON; nothing in the file is ever executed.

=========== ====================================================================================
``run``     key and value (JSON): ``classes``, ``n_samples``, ``answers_per_item``, ``parameters``
            and ``data`` (name and text of what must not differ), ``written_by``
``items``   row (from 0), item (its id), label (the one given to the run)
``events``  id (from 1), position (its place in the run, from 0; empty until the runner has read
            it), kind, payload, time (UTC, ISO 8601):

            ============ ========================================================================
            ``started``  seed; the first event, and no other
            ``asked``    rows, suggested (labels), probability, budget_left, reason; where they
                         are known runner_up (labels), runner_up_probability, n_by_chance
            ``answered`` charged (false) if it was not; for the rest, see the table ``answers``
            ``settled``  rows, labels (null for a tie): answers of several annotators, aggregated
            ``closed``   nothing: a round ended before all answers were in
            ``refitted`` score (null for NaN)
            ``ended``    nothing: there was nothing left to ask
            ============ ========================================================================
``answers`` event, row, item, old_label (before the answer), new_label (empty: skipped), annotator,
            time, seconds, comment; rows of one event were written in one transaction
=========== ====================================================================================
"""

from __future__ import annotations

import reprlib
import sqlite3
from pathlib import Path

APPLICATION_ID = 0x6E616A6C
VERSION = 1

_TABLES = {
    "run": "CREATE TABLE run (key TEXT PRIMARY KEY, value TEXT NOT NULL)",
    "items": "CREATE TABLE items (row INTEGER PRIMARY KEY, item TEXT NOT NULL UNIQUE, label TEXT "
    "NOT NULL)",
    "events": "CREATE TABLE events (id INTEGER PRIMARY KEY, position INTEGER UNIQUE, kind TEXT NOT "
    "NULL, payload TEXT NOT NULL, time TEXT NOT NULL)",
    "answers": "CREATE TABLE answers (event INTEGER NOT NULL REFERENCES events (id), row INTEGER "
    "NOT NULL REFERENCES items (row), item TEXT NOT NULL, old_label TEXT NOT NULL, new_label TEXT, "
    "annotator TEXT, time TEXT NOT NULL, seconds REAL, comment TEXT, PRIMARY KEY (event, row))",
}

#: What SQLite lists of a journal: each table, and the index that keeps its key unique.
_OBJECTS = {("table", name, sql) for name, sql in _TABLES.items()} | {
    ("index", f"sqlite_autoindex_{name}_1", None) for name in _TABLES
}

#: Queries that find nothing in a whole journal, and what it means if they do.
_CONTRADICTIONS = {
    "items are missing or too many": "SELECT 1 FROM (SELECT count(*) AS n, min(row) AS low, "
    "max(row) AS high FROM items) WHERE n IS NOT ? OR low IS NOT 0 OR high IS NOT n - 1",
    "an item has no id": "SELECT 1 FROM items WHERE typeof(item) IS NOT 'text' OR item = ''",
    "events are missing": "SELECT 1 FROM (SELECT count(*) AS n, min(id) AS low, max(id) AS high "
    "FROM events) WHERE low IS NOT 1 OR high IS NOT n",
    "the order of events has gaps": "SELECT 1 FROM (SELECT count(position) AS n, min(position) AS "
    "low, max(position) AS high FROM events) WHERE low IS NOT 0 OR high IS NOT n - 1",
    "an answer is for another item than its row": "SELECT 1 FROM answers JOIN items USING (row) "
    "WHERE answers.item IS NOT items.item",
    "an answer has no event or no item": "PRAGMA foreign_key_check",
}


class Damaged(sqlite3.DatabaseError):
    """What the file holds is not what a journal holds."""


def create(connection: sqlite3.Connection) -> None:
    """Make the tables."""
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version = {VERSION}")
    for statement in _TABLES.values():
        connection.execute(statement)


def check_schema(connection: sqlite3.Connection, path: Path) -> None:
    """See that a file is a journal of this version, and that nothing was defined in it since.

    Within the transaction that reads or writes: then no trigger can run, and no view, default or
    generated column stands in for what was written. The cost does not grow with the file.

    Parameters
    ----------
    connection : Connection
        In a transaction.
    path : Path
        Its file.

    Raises
    ------
    ValueError
        If it is no journal, or of a newer version.
    Damaged
        If it holds anything that `create` does not make, or lacks something.
    """
    if connection.execute("PRAGMA application_id").fetchone()[0] != APPLICATION_ID:
        raise ValueError(f"{path} is an SQLite database, but no journal of noisyactive.")
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version != VERSION:
        raise ValueError(
            f"{path} is a journal of version {version}; this noisyactive knows version {VERSION}. "
            "A newer one will open it."
        )
    found = connection.execute("SELECT type, name, sql FROM sqlite_master").fetchall()
    for kind, name, sql in found:
        if (kind, name, sql) not in _OBJECTS:
            what = "was changed" if name in _TABLES else "is not of noisyactive"
            raise Damaged(f"it was altered, the {kind} {reprlib.repr(name)} in it {what}")
    if missing := _OBJECTS - set(found):
        raise Damaged(f"it lacks the {' '.join(min(missing)[:2])}")


def check_content(connection: sqlite3.Connection, n_samples: int) -> None:
    """Look through the whole file for damage, and for tables that contradict each other.

    Parameters
    ----------
    connection : Connection
        In a transaction.
    n_samples : int
        Rows of the data set.

    Raises
    ------
    Damaged
        If there is any.
    """
    result = connection.execute("PRAGMA integrity_check(1)").fetchone()[0]
    if result != "ok":
        raise Damaged(result)
    for meaning, query in _CONTRADICTIONS.items():
        values = (n_samples,) if "?" in query else ()
        if connection.execute(query, values).fetchone() is not None:
            raise Damaged(meaning)
