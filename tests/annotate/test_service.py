"""What tabs of the labelling page are offered, where the round is longer than what they show.

And what is said of a journal that was damaged while it is served.
"""

import sqlite3
import threading
from contextlib import closing

import numpy as np
import pytest

from noisyactive.annotate import _service
from noisyactive.journal import Asked, JournalWriter, Refitted, Started


@pytest.fixture
def desk(tmp_path):
    """A desk for a round of 30 rows."""
    path = tmp_path / "run.db"
    writer = JournalWriter(path, {}, {})
    ids = np.array([f"item {row}" for row in range(30)])
    writer.draft(np.array(["a", "b"]), np.zeros(30, dtype=int), ids, 1)
    writer.publish([Started(0), Refitted(0.0)])
    writer.write(Asked(tuple(range(30))), 2)
    yield _service.LabellingService(path, None, None, False)
    writer.close()


def offered(desk, tab):
    return desk.state(None, tab)["items"][0]["row"]


def test_a_tab_keeps_its_item_after_those_before_it_were_given_up(desk, monkeypatch):
    now = 0.0
    monkeypatch.setattr(_service.time, "monotonic", lambda: now)
    assert [offered(desk, f"closed {k}") for k in range(8)] == list(range(8))
    now = 200.0
    assert offered(desk, "still there") == 8
    now = 310.0  # the others have not been heard of for 5 minutes
    assert [offered(desk, f"new {k}") for k in range(9)] == [0, 1, 2, 3, 4, 5, 6, 7, 9]


def test_tabs_that_ask_at_once_get_different_items(desk):
    together, rows = threading.Barrier(8), []

    def ask(tab):
        together.wait()
        rows.append(offered(desk, tab))

    threads = [threading.Thread(target=ask, args=(f"tab {k}",)) for k in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(rows) == list(range(8))


def test_an_item_that_was_answered_is_held_no_more(desk):
    row = offered(desk, "one")
    answer = {"annotator": None, "seconds": None, "comment": "", "corrects": None}
    assert desk.answer(row, 1, **answer) == "recorded"
    assert offered(desk, "two") == 1 and offered(desk, "one") == 2
    assert set(desk._held) == {1, 2}


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE items SET label = '\"z\"'",
        "UPDATE items SET label = '['",
        "UPDATE items SET item = CAST(row AS BLOB)",
        "DELETE FROM items WHERE row = 2",
        "UPDATE answers SET row = 10000000000",
        "UPDATE answers SET new_label = '[[', old_label = 7",
        "UPDATE answers SET seconds = 'long', annotator = x'ff'",
        "UPDATE events SET kind = 'other' WHERE kind = 'answered'",
        "UPDATE events SET payload = '{\"rows\": [1e99]}' WHERE kind = 'asked'",
        "UPDATE events SET position = NULL, id = id + 100",
        "CREATE TRIGGER evil AFTER INSERT ON events BEGIN DELETE FROM answers; END",
        "DROP TABLE answers",
    ],
)
def test_damage_while_it_is_served_is_explained(desk, statement):
    answer = {"annotator": None, "seconds": None, "comment": "", "corrects": None}
    assert desk.answer(offered(desk, "one"), 1, **answer) == "recorded"
    with closing(sqlite3.connect(desk._journal.path)) as connection, connection:
        connection.execute(statement)
    refused = []
    for call in (
        lambda: desk.state(None, "one"),
        lambda: desk.previous(None, 1),
        lambda: desk.answer(2, 1, **answer),
        lambda: desk.state(None, "one"),
    ):
        try:
            call()
        except _service.JournalError as error:
            refused.append(str(error))
    assert refused or "kind" in statement  # of an event that was read already
    assert all("damaged, or no journal" in message for message in refused)
