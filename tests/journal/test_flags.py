"""Unusable items, uncharged answers and adjudication, in files of both versions."""

import sqlite3
from contextlib import closing

import pytest
from sklearn.linear_model import LogisticRegression

from noisyactive import ActiveLabelCleaner
from noisyactive.cleaning import Journal


@pytest.fixture
def path(tmp_path):
    return tmp_path / "run.db"


def start(path, data, **settings):
    settings = {
        "n_rounds": 3,
        "round_budget": 6,
        "pool": "unverified",
        "trust": "all",
        "random_state": 0,
        **settings,
    }
    X, _, y_noisy = data
    cleaner = ActiveLabelCleaner(LogisticRegression(max_iter=1000), journal=path, **settings)
    return cleaner.start(X, y_noisy)


def version(path):
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute("PRAGMA user_version").fetchone()[0]


def test_unusable_is_not_charged_nor_asked_again(path, data):
    cleaner = start(path, data)
    rows = cleaner.query().tolist()
    journal = Journal(path)
    before = journal.progress()
    assert journal.answer(rows[:1], [None], flag="unusable", comments=["no file"]) == rows[:1]
    after = journal.progress()
    assert after.cost == before.cost and after.budget_left == before.budget_left
    assert after.answered == before.answered + 1
    assert rows[0] not in [item.row for item in journal.open_items()]
    [answer] = journal.answers()
    assert (answer["flag"], answer["charged"], answer["new_label"]) == ("unusable", False, None)
    cleaner.teach(rows[1:], [0] * 5)
    later = cleaner.query().tolist()
    assert rows[0] not in later
    assert cleaner.state_.cost == 5 and cleaner.state_.skipped[rows[0]]
    assert cleaner.state_.flags == {rows[0]: {None: "unusable"}}
    # It is found after all: the answer is charged, and the flag is gone.
    journal.answer(rows[:1], [1])
    cleaner.query()
    assert cleaner.state_.cost == 6 and cleaner.labels_[rows[0]] == 1
    assert not any(cleaner.state_.flags[rows[0]].values())


def test_the_run_ends_although_nothing_can_be_used(path, data):
    cleaner = start(path, data, n_rounds=2)
    journal = Journal(path)
    for _ in range(2):
        rows = cleaner.query().tolist()
        journal.answer(rows, [None] * len(rows), flag="unusable")
    assert cleaner.query().tolist() == []
    assert journal.progress().finished and journal.progress().cost == 0


def test_old_files_stay_old_until_they_cannot(path, data):
    cleaner = start(path, data)
    rows = cleaner.query().tolist()
    journal = Journal(path)
    journal.answer(rows[:1], [0], annotator="Ada")
    [answer] = journal.answers()
    assert (answer["flag"], answer["charged"], answer["decides"]) == ("", True, False)
    journal.answer(rows[1:2], [0], annotator="Ada", flag="not shown")
    assert version(path) == 2
    assert [a["flag"] for a in Journal(path).answers()] == ["", "not shown"]
    cleaner.close()
    again = start(path, data)  # it goes on
    assert again.state_.cost == 2 and again.state_.flags == {rows[1]: {"Ada": "not shown"}}
    again.close()


@pytest.mark.parametrize(
    "payload", ['{"flag": "lost"}', '{"charged": 1}', '{"decides": null}', '{"other": 1}', "[]"]
)
def test_unknown_facts_are_damage(path, data, payload):
    cleaner = start(path, data)
    Journal(path).answer(cleaner.query()[:1], [0])
    cleaner.close()
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE events SET payload = ? WHERE kind = 'answered'", (payload,))
    with pytest.raises(ValueError, match="damaged"):
        Journal(path)


def test_an_adjudicator_decides(path, data):
    cleaner = start(path, data, answers_per_item=2, round_budget=6)
    a, b, c = cleaner.query().tolist()
    journal = Journal(path)
    journal.answer([a, b, c], [0, 1, 2], annotator="Ada", comments=["edge", None, None])
    assert journal.disputed_items() == []
    journal.answer([a, b, c], [1, 1, 0], annotator="Ben")
    assert [item.row for item in journal.disputed_items()] == [a, c]
    cleaner.wait(timeout=0)  # ties wait for a third annotator, or for the adjudicator alone
    assert [item.row for item in journal.open_items("Cleo")] == [a, c]
    assert journal.open_items("Cleo", disputed=False) == []
    assert journal.n_open("Cleo") == 2 and journal.n_open("Cleo", disputed=False) == 0
    said = journal.answers_to(a)
    assert [(s["annotator"], s["new_label"], s["comment"]) for s in said] == [
        ("Ada", 0, "edge"),
        ("Ben", 1, None),
    ]
    journal.answer([a], [2], annotator="Dora", decides=True)  # as neither of them said
    journal.answer([c], [None], annotator="Dora", decides=True)
    assert journal.n_disputed() == 0 and journal.n_open() == 0
    cleaner.wait(timeout=0)
    state = cleaner.state_
    assert cleaner.labels_[a] == 2 and state.verified[a] and state.decided == {a: "Dora", c: "Dora"}
    assert not state.verified[c] and state.skipped[c]
    assert state.cost == 8
    # What others say later changes nothing; what the adjudicator says does.
    journal.answer([a], [1], annotator="Ada")
    assert journal.labels()[str(a)] == 2 and journal.n_disputed() == 0
    journal.answer([a], [1], annotator="Dora")
    cleaner.wait(timeout=0)
    assert journal.labels()[str(a)] == 1 and cleaner.labels_[a] == 1


def test_the_table_says_so(path, data):
    cleaner = start(path, data, answers_per_item=2)
    a, b, c = cleaner.query().tolist()
    journal = Journal(path)
    journal.answer([a], [None], annotator="Ada", flag="unusable")
    journal.answer([a], [None], annotator="Ben", flag="unusable")
    journal.answer([b], [0], annotator="Ada", flag="not shown")
    for who, label in {"Ada": 1, "Ben": 2}.items():
        journal.answer([c], [label], annotator=who)
    journal.answer([c], [1], annotator="Dora", decides=True)
    cleaner.wait(timeout=0)
    table = cleaner.to_frame().loc[[a, b, c]]
    assert table["answers"].tolist() == [
        "Ada: unusable; Ben: unusable",
        "Ada: 0 (not shown)",
        "Ada: 1; Ben: 2; Dora: 1",
    ]
    why = table["why"].tolist()
    assert why[0].startswith("unusable, by Ada and Ben") and why[2].startswith("decided by Dora")


def test_ones_own_answers_and_people(path, data):
    cleaner = start(path, data)
    rows = cleaner.query().tolist()
    journal = Journal(path)
    for row in rows[:3]:
        journal.answer([row], [0], annotator="Ada")
    journal.answer(rows[3:5], [1, 1], annotator="Ben")
    found, n = journal.answers_of("Ada", skip=1, limit=1)
    assert n == 3 and [answer["row"] for answer in found] == [rows[1]]
    assert journal.people() == {"Ada": 3, "Ben": 2}


@pytest.mark.parametrize(
    "options, sentence",
    [
        ({"flag": "lost"}, "flag must be one of"),
        ({"flag": "unusable"}, "answers must be None"),
        ({"decides": 1}, "decides must be"),
        ({"decides": True}, "decides needs the name"),
        ({"charged": False}, "charged must be True"),
    ],
)
def test_bad_options(path, data, options, sentence):
    rows = start(path, data).query()
    with pytest.raises((TypeError, ValueError), match=sentence):
        Journal(path).answer(rows[:1], [0], **options)
    assert Journal(path).answers() == []
