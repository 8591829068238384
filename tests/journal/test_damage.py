"""Journals with hostile content: each works, and says what it said before, or is called damaged."""

import contextlib
import json
import math
import os
import random
import sqlite3
import time
from contextlib import closing

import numpy as np
import pytest

from noisyactive.journal import (
    Answered,
    Asked,
    Closed,
    Ended,
    Journal,
    JournalWriter,
    Refitted,
    Settled,
    Started,
    describe_data,
)

CLASSES = ["a", "b", "c"]
N = 6
TIMES = int(os.environ.get("NOISYACTIVE_DAMAGE", "1"))  # how often to draw; each draw has its seed
DAMAGED = "damaged, or no journal"
NO_JOURNAL = f"{DAMAGED}|no journal of noisyactive|is a journal of version|is empty"

HOSTILE = [
    None, True, -1, 0, 1, 3, 99, 2**31, 10**11, 2**63 - 1, -(2**63), 0.5, -0.0, 1e300, math.inf,
    "", "a", "d", "1", "item 1", "null", "[]", "{}", "[" * 50_000, "x" * 1_000_000, "\0", "é\n",
    b"a", b"\xff\xfe", b"",
]  # fmt: skip
HOSTILE_JSON = [
    None, True, -1, 0, 1, 3, 99, 10**11, 2**63, 10**400, 0.5, 1e300, math.nan, math.inf, "", "a",
    "d", "1", "\ud800", "x" * 100_000, [], [0], [0, 0], ["a"], [[]], [None] * 9, {}, {"rows": [0]},
]  # fmt: skip


def make(path, needed):
    """A run with every kind of event, and an answer that the runner has not read."""
    codes, ids = np.arange(N) % 3, np.array([f"item {row}" for row in range(N)])
    data = describe_data(np.zeros((N, 2)), np.array(CLASSES), codes, ids, {}, {})
    writer = JournalWriter(path, {"answers_per_item": str(needed)}, data)
    writer.draft(np.array(CLASSES), codes, ids, needed)
    writer.publish([Started(7), Refitted(0.25)])
    known = 2

    def write(event):
        nonlocal known
        known += len(writer.write(event, known))

    now = "2026-01-02T03:04:05.678+00:00"
    write(Asked((4, 1), ("b", "c"), (0.5, 0.75), 4 * needed, "by chance"))
    write(Answered((4, 1), ("c", None), "Ada", (1.5, None), (None, "blurred"), now))
    if needed == 2:
        write(Answered((4, 1), ("a", "b"), "Ben", (), (), now))
        write(Settled((4, 1), ("c", None)))
    write(Closed())
    write(Refitted(math.nan))
    write(Asked((0, 2, 5), (), (), 3, ""))
    write(Ended())
    writer.close()
    Journal(path).answer([2], ["a"], annotator="Ben", comments=["sure"])
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode = DELETE")  # all in the one file
    return path.read_bytes(), data


@pytest.fixture(params=[1, 2])
def whole(request, tmp_path):
    """A journal, its bytes, and how to open it to run rounds."""
    path = tmp_path / "run.db"
    content, data = make(path, request.param)
    return path, content, ({"answers_per_item": str(request.param)}, data)


def put(path, content):
    for end in ("-wal", "-shm", "-journal"):
        path.with_name(path.name + end).unlink(missing_ok=True)
    path.write_bytes(content)


def seen_by(journal):
    """All that a journal says."""
    people = [None, "Ada", "Ben", "a"]
    return {
        "run": (journal.classes, journal.n_samples, journal.answers_per_item),
        "events": repr(journal.events()),
        "items": [journal.open_items(who) for who in people],
        "n_open": [journal.n_open(who) for who in people],
        "progress": journal.progress(),
        "labels": journal.labels(),
        "answers": journal.answers(),
        "latest": [journal.latest_answer(who, back=k) for who in people for k in (1, 2)],
        "of row": [journal.latest_answer(who, row=row) for who in people for row in range(N)],
        "ids": [journal.item(row) for row in range(-1, N + 1)],
    }


def assert_consistent(journal, path):
    """What is said agrees with a plain reading of the tables, and is what a run can be."""
    with closing(sqlite3.connect(path)) as connection:
        items = connection.execute("SELECT item, label FROM items ORDER BY row").fetchall()
        told = connection.execute(
            "SELECT a.row, a.item, a.new_label, a.annotator FROM answers a JOIN events e "
            "ON e.id = a.event ORDER BY e.position IS NULL, e.position, e.id, a.rowid"
        ).fetchall()
        questions = connection.execute(
            "SELECT payload FROM events WHERE kind = 'asked' ORDER BY position"
        ).fetchall()
    assert journal.classes == sorted(set(journal.classes)) and journal.n_samples == len(items)
    assert len({item for item, _ in items}) == len(items)
    labels = journal.labels()
    assert list(labels) == [item for item, _ in items]
    assert set(labels.values()) <= set(journal.classes)
    if journal.answers_per_item == 1:
        said = {row: {} for row in range(len(items))}
        for row, _, label, who in told:
            said[row].pop(who, None)
            said[row][who] = label
        for row, (item, label) in enumerate(items):
            latest = [answer for answer in said[row].values() if answer is not None]
            assert labels[item] == json.loads(latest[-1] if latest else label)
    found = [(a["row"], a["item"], a["new_label"], a["annotator"]) for a in journal.answers()]
    assert sorted(map(repr, found)) == sorted(
        repr((row, item, None if label is None else json.loads(label), who))
        for row, item, label, who in told
    )
    assert all(items[row][0] == item for row, item, *_ in told)
    progress = journal.progress()
    assert progress.cost == len(told) and progress.round == len(questions)
    asked = json.loads(questions[-1][0])["rows"] if questions else []
    waiting = [item.row for item in journal.open_items()]
    assert progress.asked == len(asked) >= progress.answered >= 0
    assert journal.n_open() == len(waiting) == len(set(waiting)) and set(waiting) < set(range(N))


def look(path, run):
    """Open, read and resume: what was seen, or None if it is called damaged."""
    try:
        journal = Journal(path)
        seen = seen_by(journal)
        assert_consistent(journal, path)
        writer = JournalWriter(path, *run)
        try:
            past = writer.past()
            seen["past"] = repr(past)
            writer.write(Refitted(0.5), len(past))
        finally:
            writer.close()
    except ValueError as error:
        # Names of parameters and data are compared first: then it is that of another run.
        assert any(words in str(error) for words in (*NO_JOURNAL.split("|"), "another run")), error
        assert len(str(error)) < 1000
        return None
    return seen


def leaves(value, where=()):
    """Places in JSON: the whole, and everything in it."""
    yield where
    parts = enumerate(value) if isinstance(value, list) else ()
    for key, part in value.items() if isinstance(value, dict) else parts:
        yield from leaves(part, (*where, key))


def replaced(value, where, new):
    if not where:
        return new
    value = value.copy()
    value[where[0]] = replaced(value[where[0]], where[1:], new)
    return value


def places(path):
    """Each column of each row, and each place in JSON: the statement that changes it, its name."""
    with closing(sqlite3.connect(path)) as connection:
        for table in ("run", "items", "events", "answers"):
            names = [c[1] for c in connection.execute(f"PRAGMA table_info({table})")]
            for number, *values in connection.execute(f"SELECT rowid, * FROM {table}").fetchall():
                if table == "items" and number not in (0, 2, N - 1):
                    continue
                row = dict(zip(names, values, strict=True))
                for column, value in row.items():
                    sql = f"UPDATE {table} SET {column} = ? WHERE rowid = {number}"
                    yield sql, (table, column), None
                    if column in ("value", "payload", "label", "old_label"):
                        content = json.loads(value)
                        for where in leaves(content):
                            name = (table, column, row.get("key", row.get("kind")), *where)
                            yield sql, name, (content, where)


def is_whole(value):
    return type(value) is int and 0 <= value < 2**63


def change(path, sql, value):
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute(sql, (value,))


def is_real(value):
    return type(value) is float and value == value or type(value) is int and abs(value) < 2**63


def is_legit(name, value):
    """Whether a value may stand in a place: then it is read as any other."""
    _, *where = name
    match where:
        case ["seconds"]:  # SQLite makes a number of the text "1"
            return value in (None, "1") or type(value) in (int, float, bool) and 0 <= value < 1e301
        case ["comment" | "annotator" | "time"]:  # and texts of numbers
            is_text = isinstance(value, str) or type(value) in (int, float, bool)
            filled = where == ["comment"] or value != ""
            return is_text and filled or value is None and where != ["time"]
        case ["new_label"]:
            return value is None
        case [_, "started", "seed"] | [_, "asked", "budget_left"]:
            return type(value) is int and 0 <= value < 2**63
        case [_, "asked", "probability", _]:
            return is_real(value) and abs(value) < math.inf
        case [_, "asked", "probability"]:
            return value == [0, 0]
        case [_, "refitted", "score"]:
            return value is None or is_real(value)
        case [_, "asked", "reason"] | [_, "written_by"]:
            return isinstance(value, str)
        case [_, "settled", "labels", _]:
            return value is None or value in CLASSES
        case [_, "asked", "suggested", _] | ["old_label", None]:
            return value in CLASSES
        case [_, "asked", "rows"]:  # of the question without suggestions
            return value in ([], [0])
        case [_, "asked" | "settled", "rows", _]:
            return type(value) is int and 0 <= value < N
    return False


def test_every_field_replaced(whole):
    path, content, run = whole
    before = look(path, run)
    assert before is not None
    chance, found = random.Random(before["run"][2]), {"same": 0, "legit": 0, "damaged": 0}
    put(path, content)
    for sql, name, inside in list(places(path)):
        values = HOSTILE if inside is None else HOSTILE_JSON
        for value in chance.sample(values, min(len(values), TIMES)):
            put(path, content)
            opened = Journal(path)
            new = value if inside is None else json.dumps(replaced(*inside, value))
            try:
                change(path, sql, new)
            except sqlite3.IntegrityError:
                continue  # SQLite refuses it itself
            with contextlib.suppress(ValueError):  # damage after it was opened
                seen_by(opened)
            put(path, content)
            change(path, sql, new)
            seen = look(path, run)
            if seen is None:
                found["damaged"] += 1
            elif seen == before:
                found["same"] += 1
            else:
                assert is_legit(name, value), (name, value)
                found["legit"] += 1
    assert min(found.values()) > 2 and found["damaged"] > 50, found


def harm(content, chance):
    """Bytes that are not those of the file."""
    data, size = bytearray(content), len(content)
    place, length = chance.randrange(size), chance.choice([1, 1, 2, 16, 300, 5000])
    match chance.randrange(6):
        case 0:
            data[place] ^= 1 << chance.randrange(8)
        case 1:
            data[place : place + length] = chance.randbytes(length)
        case 2:
            del data[place:]
        case 3:
            data[place:place] = chance.randbytes(length)
        case 4:
            data[place : place + length] = bytes(length)
        case 5:  # one page in place of another
            one, other = (4096 * chance.randrange(size // 4096) for _ in range(2))
            data[one : one + 4096] = data[other : other + 4096]
    return bytes(data)


def test_bytes_flipped_cut_and_inserted(whole):
    path, content, run = whole
    chance, n_damaged, longest = random.Random(0), 0, 0.0
    for number in range(80 * TIMES):
        harmed = harm(content, chance)
        put(path, harmed)
        begin = time.process_time()
        try:
            seen = look(path, run)
        except Exception as error:
            raise AssertionError(f"draw {number}") from error
        longest = max(longest, time.process_time() - begin)
        n_damaged += seen is None
    assert n_damaged > 10 * TIMES
    assert longest < 60


class TestSchema:
    """Nothing but our tables may be in the file; each of these did something to answers."""

    @pytest.mark.parametrize(
        ("statement", "named"),
        [
            ("CREATE TRIGGER evil AFTER INSERT ON answers BEGIN UPDATE answers SET new_label = "
             "'\"a\"'; END", "trigger 'evil'"),
            ("CREATE VIEW evil AS SELECT * FROM answers", "view 'evil'"),
            ("CREATE TABLE evil (x)", "table 'evil'"),
            ("CREATE INDEX evil ON answers (annotator)", "index 'evil'"),
            ("CREATE UNIQUE INDEX evil ON answers (row)", "index 'evil'"),
            ("CREATE VIRTUAL TABLE evil USING fts5(x)", "table 'evil'"),
            ("ALTER TABLE answers ADD COLUMN evil DEFAULT 1", "table 'answers' in it was changed"),
            ("ALTER TABLE answers ADD COLUMN evil AS (row + 1)", "table 'answers'"),
            ("ALTER TABLE events ADD COLUMN evil CHECK (id > 0)", "table 'events'"),
            ("ALTER TABLE items RENAME COLUMN label TO labels", "table 'items'"),
            ("DROP TABLE answers", "lacks the index sqlite_autoindex_answers_1"),
            ("ANALYZE", "table 'sqlite_stat"),
        ],
    )  # fmt: skip
    @pytest.mark.parametrize("needed", [1])
    def test_what_we_did_not_make(self, tmp_path, needed, statement, named):
        path = tmp_path / "run.db"
        content, data = make(path, needed)
        opened = Journal(path)
        before = opened.answers()
        writer = JournalWriter(path, {"answers_per_item": "1"}, data)
        known = len(writer.past())
        with closing(sqlite3.connect(path)) as connection, connection:
            try:
                connection.execute(statement)
            except sqlite3.OperationalError as error:
                pytest.skip(f"this SQLite cannot do it: {error}")
        altered = path.read_bytes()
        for call in (
            lambda: Journal(path),
            lambda: opened.answer([0], ["b"]),  # it was opened before
            lambda: seen_by(opened),
            lambda: writer.write(Answered((0,), ("b",)), known),
            lambda: writer.news(known),
        ):
            with pytest.raises(ValueError, match=f"{DAMAGED}.*{named}"):
                call()
        writer.close()
        assert path.read_bytes() == altered
        put(path, content)
        assert Journal(path).answers() == before

    def test_a_draft_that_was_altered_is_not_published(self, tmp_path):
        path = tmp_path / "run.db"
        writer = JournalWriter(path, {}, {})
        ids = np.array([f"item {row}" for row in range(N)])
        writer.draft(np.array(CLASSES), np.arange(N) % 3, ids, 1)
        with closing(sqlite3.connect(path.with_name("run.db.new"))) as connection, connection:
            connection.execute(
                "CREATE TRIGGER evil AFTER INSERT ON events BEGIN DELETE FROM items; END"
            )
        with pytest.raises(ValueError, match="trigger 'evil'"):
            writer.publish([Started(0), Refitted(0.0)])
        assert not path.exists()
        writer.close()
