"""What waits for an answer, how far a run is, and answers that are sent twice."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from noisyactive import ActiveLabelCleaner
from noisyactive.cleaning import Journal, Progress


@pytest.fixture
def path(tmp_path):
    return tmp_path / "run.db"


def start(path, data, ids=None, **settings):
    settings = {"n_rounds": 3, "round_budget": 4, "pool": "unverified", **settings}
    model = LogisticRegression(max_iter=1000)
    X, _, y_noisy = data
    return ActiveLabelCleaner(model, journal=path, **settings).start(X, y_noisy, ids=ids)


class TestOpenItems:
    def test_with_and_without_a_journal(self, data, path):
        X, y, _ = data
        found = []
        for journal in (None, path):
            cleaner = start(journal, data, random_state=0, ids=[f"scan {n}" for n in range(len(y))])
            rows = cleaner.query()
            cleaner.teach(rows[1:2], y[rows[1:2]])
            found.append(cleaner.open_items())
        assert found[0] == found[1] == Journal(path).open_items()
        assert [item.row for item in found[0]] == [rows[0], *rows[2:]]
        chance = [item.reason == "a random check" for item in found[0]]
        n_chance = sum(chance)
        assert 0 < n_chance < len(rows) - 1 and all(chance[-n_chance:])  # they come last
        chosen = found[0][:-n_chance]
        assert all(item.reason.startswith(("the model", "a check")) for item in chosen)

    def test_of_one_annotator(self, data, path):
        cleaner = start(path, data, random_state=0, answers_per_item=2, round_budget=6)
        rows = cleaner.query().tolist()
        cleaner.teach(rows[:1], [0], annotator="Ada").teach(rows[1:2], [1], annotator="Ben")
        for source in (cleaner, Journal(path)):
            assert [item.row for item in source.open_items("Ada")] == rows[1:]
            assert [item.row for item in source.open_items("Ben")] == [rows[0], rows[2]]
            assert [item.annotators for item in source.open_items()] == [("Ada",), ("Ben",), ()]

    def test_a_tie_says_so(self, data, path):
        cleaner = start(path, data, random_state=0, answers_per_item=2, round_budget=2)
        rows = cleaner.query()
        cleaner.teach(rows, [0], annotator="Ada").teach(rows, [1], annotator="Ben")
        cleaner.query()
        [item] = cleaner.open_items()
        assert item.reason == "its annotators disagree"
        assert item.annotators == ("Ada", "Ben")


class TestOnlyOpen:
    def test_what_is_sent_twice_counts_once(self, data, path):
        X, y, _ = data
        cleaner = start(path, data, random_state=0, round_budget=4)
        rows = cleaner.query().tolist()
        journal = Journal(path)
        sent = {"rows": [*rows[:3], 100], "answers": [0, None, 2, 1], "annotator": "Ada"}
        assert journal.answer(**sent, only_open=True) == rows[:3]
        assert journal.answer(**sent, only_open=True) == []
        cleaner.teach(**sent, only_open=True)
        assert [answer["row"] for answer in journal.answers()] == rows[:3]
        cleaner.teach(rows, [1, 1, 1, 1], only_open=True)
        assert cleaner.history_["cost"][-1] == 0
        cleaner.query()
        assert cleaner.history_["cost"][-1] == 4
        assert journal.answer(rows[:1], [1]) == rows[:1]  # a correction, on purpose

    def test_without_a_journal(self, data):
        cleaner = start(None, data, random_state=0, round_budget=4)
        rows = cleaner.query()
        for _ in range(2):
            cleaner.teach([*rows[:3], 100], [0, None, 2, 1], only_open=True)
        np.testing.assert_array_equal(cleaner.query(), rows[3:])
        assert cleaner.state_.cost == 3

    def test_two_processes_at_once(self, data, path):
        """Each writer looks and writes in one transaction, so that exactly one is the first."""
        cleaner = start(path, data, random_state=0, round_budget=8)
        rows = cleaner.query().tolist()
        journals = [Journal(path) for _ in range(4)]
        with ThreadPoolExecutor(4) as pool:
            futures = [
                pool.submit(journal.answer, [row], [code], only_open=True)
                for row in rows
                for code, journal in enumerate(journals[:3])
            ]
            recorded = [row for future in futures for row in future.result()]
        assert sorted(recorded) == sorted(rows)
        assert len(Journal(path).answers()) == len(rows)


def test_progress_up_to_the_end(data, path):
    X, y, _ = data
    cleaner = start(path, data, random_state=0, n_rounds=2, round_budget=3)
    journal = Journal(path)
    assert journal.progress() == Progress(0, 0, 0, 0, None, False)
    rows = cleaner.query()
    assert journal.progress() == Progress(1, 3, 0, 0, 6, False)
    journal.answer(rows[:2], y[rows[:2]])
    assert journal.progress() == Progress(1, 3, 2, 2, 4, False)
    journal.answer(rows[2:], y[rows[2:]])
    assert journal.progress() == Progress(1, 3, 3, 3, 3, False)  # the next one is being computed
    cleaner.teach(rows := cleaner.query(), y[rows])
    assert not journal.progress().finished
    assert len(cleaner.query()) == 0
    assert journal.progress() == Progress(2, 3, 3, 6, 0, True)
    n_events = len(journal.events())
    assert len(cleaner.query()) == 0
    assert len(journal.events()) == n_events
    more = start(path, data, random_state=0, n_rounds=3, round_budget=3)
    assert len(more.query()) == 3
    assert journal.progress() == Progress(3, 3, 0, 6, 3, False)


def test_a_pool_that_ran_empty_is_an_end(data, path):
    X, y, _ = data
    with pytest.warns(UserWarning, match="larger than the pool"):
        cleaner = start(path, data, random_state=0, n_rounds=9, round_budget=100)
    while len(rows := cleaner.query()):
        cleaner.teach(rows, [None] * len(rows))
    assert Journal(path).progress().finished
    assert Journal(path).progress().budget_left > 0
