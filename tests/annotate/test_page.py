"""What the labelling page's server says and writes, over real connections to real journals."""

import json
import resource
import sqlite3
import threading
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from noisyactive.annotate import _service, images_of
from noisyactive.journal import Journal, _sqlite


def test_what_the_page_is_told(start_run, serving, visit):
    run = start_run()
    state = visit(serving(run.journal)).state()
    item = run.cleaner.open_items()[0]
    assert state["classes"] == ["benign", "melanoma", "nevus"]
    assert state["name"] == "lesions.db"
    assert state["progress"] == {
        "round": 1, "asked": 4, "answered": 0, "cost": 0, "budget_left": 8, "finished": False,
    }  # fmt: skip
    assert state["waiting"] == 4
    first = state["items"][0]
    assert (first["row"], first["item"], first["reason"]) == (item.row, item.item, item.reason)
    assert state["classes"][first["label"]] == item.label
    assert state["classes"][first["suggested"]] == item.suggested
    assert first["probability"] == pytest.approx(item.probability)


def test_an_answer_is_on_disk_when_it_is_acknowledged(start_run, serving, visit):
    run = start_run()
    visitor = visit(serving(run.journal, annotator="Ada"))
    row = run.rows[0]
    assert visitor.answer(row, 1, seconds=2.5, comment=" blurred ") == "recorded"
    [answer] = Journal(run.journal).answers()
    assert (answer["row"], answer["new_label"], answer["seconds"]) == (row, "melanoma", 2.5)
    assert (answer["annotator"], answer["comment"]) == ("Ada", "blurred")
    state = visitor.state()
    assert state["items"][0]["row"] == run.rows[1]
    assert (state["progress"]["answered"], state["progress"]["budget_left"]) == (1, 7)


def test_another_run_in_the_same_place_is_told_apart(start_run, serving, visit):
    run = start_run()
    before = visit(serving(run.journal)).run
    run.cleaner.close()
    run.journal.unlink()
    run.ids = [f"other {row}" for row in range(len(run.ids))]
    run.start()
    assert visit(serving(run.journal)).run != before


@pytest.mark.parametrize("classes", [(0, 1, 2), (-1.0, 0.0, 2.0), ("", "1", "<b>&\"'\u202e")])
def test_labels_keep_their_kind(start_run, serving, visit, classes):
    run = start_run(classes=classes)
    visitor = visit(serving(run.journal))
    assert visitor.state()["classes"] == [str(label) for label in classes]
    for code, row in enumerate(run.rows[:3]):
        visitor.answer(row, code)
    assert [answer["new_label"] for answer in Journal(run.journal).answers()] == list(classes)
    assert run.cleaner.wait(timeout=0) is False
    assert run.cleaner.labels_[run.rows[:3]].tolist() == list(classes)


def test_booleans_are_labels(start_run, serving, visit, tmp_path):
    run = start_run(classes=(False, True, True))
    visitor = visit(serving(run.journal))
    assert visitor.state()["classes"] == ["False", "True"]
    visitor.answer(run.rows[0], 1)
    assert Journal(run.journal).answers()[0]["new_label"] is True


def test_cannot_tell_is_charged_and_not_asked_again(start_run, serving, visit):
    run = start_run()
    visitor = visit(serving(run.journal))
    assert visitor.answer(run.rows[0], None) == "recorded"
    state = visitor.state()
    assert (state["waiting"], state["progress"]["cost"]) == (3, 1)
    run.cleaner.wait(timeout=0)
    assert (run.cleaner.labels_ == run.noisy).all()


def test_sent_twice_counted_once(start_run, serving, visit):
    run = start_run()
    visitor = visit(serving(run.journal))
    assert visitor.answer(run.rows[0], 2) == "recorded"
    assert visitor.answer(run.rows[0], 2) == "already"
    assert visitor.answer(run.rows[0], 0) == "elsewhere"  # another tab, where it still showed
    assert [answer["new_label"] for answer in Journal(run.journal).answers()] == ["nevus"]


def test_sent_by_many_at_once_counted_once(start_run, serving, visit):
    run = start_run()
    page = serving(run.journal)
    visitors = [visit(page) for _ in range(6)]
    outcomes = []

    def send(visitor, code):
        outcomes.append(visitor.answer(run.rows[0], code))

    threads = [
        threading.Thread(target=send, args=(visitor, number % 3))
        for number, visitor in enumerate(visitors)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outcomes.count("recorded") == 1 and len(outcomes) == 6
    assert len(Journal(run.journal).answers()) == 1


def test_eight_browsers_share_a_round_and_lose_nothing(start_run, serving, visit):
    run = start_run(round_budget=40, n_rounds=1)
    page, outcomes = serving(run.journal), []

    def answer_what_is_shown(tab):
        visitor = visit(page)
        while items := visitor.http.get("/api/state", params={"tab": tab}).json()["items"]:
            outcomes.append((items[0]["row"], visitor.answer(items[0]["row"], 1)))

    threads = [threading.Thread(target=answer_what_is_shown, args=(f"tab {k}",)) for k in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    written = [answer["row"] for answer in Journal(run.journal).answers()]
    assert sorted(written) == sorted(run.rows)  # none lost, none double
    assert sorted(row for row, outcome in outcomes if outcome == "recorded") == sorted(written)


def test_two_browsers_get_different_items_until_one_is_left(start_run, serving, visit):
    run = start_run()
    page = serving(run.journal)
    first, second = visit(page), visit(page)

    def offered(visitor, tab):
        return [i["row"] for i in visitor.http.get(f"/api/state?tab={tab}").json()["items"]]

    assert offered(first, "a")[0] == run.rows[0]
    assert offered(second, "b")[0] == run.rows[1]
    assert offered(first, "a")[0] == run.rows[0]  # as before
    for row in run.rows[1:]:
        second.answer(row, 0)
    assert offered(second, "b") == [run.rows[0]]  # better twice than never


def test_an_answer_brings_what_comes_next(start_run, serving, visit):
    run = start_run()
    visitor = visit(serving(run.journal, annotator="Ada"))
    told = visitor.post(row=run.rows[0], answer=0, tab="one").json()
    assert told["outcome"] == "recorded"
    assert told["state"] == visitor.http.get("/api/state", params={"tab": "one"}).json()
    assert [item["row"] for item in told["state"]["items"]] == run.rows[1:4]


def test_the_time_that_answers_take_is_told(start_run, serving, visit):
    run = start_run()
    visitor = visit(serving(run.journal))
    assert visitor.state("Ada")["seconds_per_item"] is None
    for row, seconds in zip(run.rows[:3], [2.0, 400.0, 4.0], strict=True):
        visitor.answer(row, 0, annotator="Ada", seconds=seconds)
    assert visitor.state("Ada")["seconds_per_item"] == 4.0
    assert visitor.state("Bob")["seconds_per_item"] is None


def test_whether_rounds_are_run_is_told(start_run, serving, visit):
    run = start_run()
    visitor = visit(serving(run.journal))
    assert visitor.state()["running"] is True
    run.cleaner.close()
    assert visitor.state()["running"] is False


@pytest.mark.parametrize("blind", [False, True])
def test_a_sitting(start_run, serving, visit, blind):
    run = start_run()
    visitor = visit(serving(run.journal, blind=blind))
    same = sorted(set(run.noisy)).index(run.noisy[run.rows[0]])
    visitor.answer(run.rows[0], same, annotator="Ada", seconds=2)
    visitor.answer(run.rows[1], None, annotator="Ada", seconds=5)
    visitor.answer(run.rows[2], 0, annotator="Bob")
    found = visitor.http.get("/api/sitting", params={"annotator": "Ada"}).json()
    labels = {} if blind else {"kept": 1, "changed": 0}
    assert found == {
        "items": 2, "skipped": 1, "corrections": 0, "seconds": 7, "median_seconds": 3.5, **labels
    }  # fmt: skip


class TestUndo:
    def test_steps_back_through_ones_own_answers(self, start_run, serving, visit):
        run = start_run()
        visitor = visit(serving(run.journal))
        assert visitor.previous() is None
        for row, code in zip(run.rows[:3], [0, None, 2], strict=True):
            visitor.answer(row, code, annotator="Ada", comment=f"on {row}")
        visitor.answer(run.rows[3], 1, annotator="Bob")
        back = [visitor.previous(n, annotator="Ada") for n in (1, 2, 3)]
        assert [item["row"] for item in back] == run.rows[2::-1]
        assert [item["answer"] for item in back] == [2, None, 0]
        assert [item["comment"] for item in back] == [f"on {row}" for row in run.rows[2::-1]]
        assert back[0]["item"] == run.ids[run.rows[2]]
        assert visitor.state()["classes"][back[0]["label"]] == run.noisy[run.rows[2]]
        assert visitor.previous(4, annotator="Ada") is None

    def test_a_correction_is_charged_and_counts(self, start_run, serving, visit, monkeypatch):
        monkeypatch.setattr(_service, "UNDO_SECONDS", -1.0)  # no answer is as fresh as that
        run = start_run()
        visitor = visit(serving(run.journal))
        visitor.answer(run.rows[0], 0)
        time = visitor.previous()["time"]
        assert visitor.answer(run.rows[0], 1, corrects=time) == "recorded"
        assert visitor.state()["progress"]["cost"] == 2
        assert visitor.previous()["answer"] == 1
        run.cleaner.wait(timeout=0)
        assert run.cleaner.labels_[run.rows[0]] == "melanoma"

    def test_what_is_taken_back_at_once_is_not_charged(self, start_run, serving, visit):
        run = start_run()
        visitor = visit(serving(run.journal))
        visitor.answer(run.rows[0], 0)
        before = visitor.previous()
        assert before["free"]
        assert visitor.answer(run.rows[0], 1, corrects=before["time"]) == "recorded"
        assert visitor.state()["progress"]["cost"] == 1
        assert [a["new_label"] for a in Journal(run.journal).answers()] == ["benign", "melanoma"]
        run.cleaner.wait(timeout=0)
        assert run.cleaner.labels_[run.rows[0]] == "melanoma"
        assert run.cleaner.state_.cost == 1

    def test_it_stays_free_once_it_was_taken_back_in_time(
        self, start_run, serving, visit, monkeypatch
    ):
        run = start_run()
        visitor = visit(serving(run.journal))
        visitor.answer(run.rows[0], 0)
        time = visitor.previous()["time"]
        monkeypatch.setattr(_service, "UNDO_SECONDS", -1.0)  # while somebody thinks
        assert visitor.previous()["free"]
        visitor.answer(run.rows[0], 1, corrects=time)
        assert not visitor.previous()["free"]
        assert visitor.state()["progress"]["cost"] == 1

    def test_a_page_cannot_declare_a_change_free(self, start_run, serving, visit):
        run = start_run()
        visitor = visit(serving(run.journal))
        visitor.answer(run.rows[0], 0)
        time = Journal(run.journal).answers()[0]["time"]  # without having taken it back
        visitor.answer(run.rows[0], 1, corrects=time, free=True, charged=False)
        assert visitor.state()["progress"]["cost"] == 2

    def test_cannot_tell_takes_the_label_back(self, start_run, serving, visit):
        run = start_run()
        visitor = visit(serving(run.journal))
        row = next(row for row in run.rows if run.noisy[row] != "benign")
        visitor.answer(row, 0)
        visitor.answer(row, None, corrects=visitor.previous()["time"])
        run.cleaner.wait(timeout=0)
        assert run.cleaner.labels_[row] == run.noisy[row]

    def test_choosing_the_same_again_is_free(self, start_run, serving, visit):
        run = start_run()
        visitor = visit(serving(run.journal))
        visitor.answer(run.rows[0], 0)
        time = visitor.previous()["time"]
        assert visitor.answer(run.rows[0], 0, corrects=time) == "already"
        assert visitor.answer(run.rows[0], 0, corrects=time, comment="sure") == "recorded"

    def test_a_correction_sent_twice_or_late_is_counted_once(self, start_run, serving, visit):
        run = start_run()
        visitor = visit(serving(run.journal))
        visitor.answer(run.rows[0], 0)
        first = visitor.previous()["time"]
        assert visitor.answer(run.rows[0], 1, corrects=first) == "recorded"
        assert visitor.answer(run.rows[0], 1, corrects=first) == "already"
        second = visitor.previous()["time"]
        assert visitor.answer(run.rows[0], 2, corrects=second) == "recorded"
        assert visitor.answer(run.rows[0], 1, corrects=first) == "elsewhere"  # from another tab
        labels = [answer["new_label"] for answer in Journal(run.journal).answers()]
        assert labels == ["benign", "melanoma", "nevus"]


class TestSeveralAnnotators:
    def test_a_name_is_needed(self, start_run, serving, visit):
        run = start_run(answers_per_item=2, round_budget=4)
        visitor = visit(serving(run.journal))
        assert visitor.state()["needs_name"] and visitor.state()["items"] == []
        response = visitor.post(row=run.rows[0], answer=0)
        assert response.status_code == 400 and "annotator" in response.json()["error"]

    def test_each_is_asked_once(self, start_run, serving, visit):
        run = start_run(answers_per_item=2, round_budget=4)
        visitor = visit(serving(run.journal))
        for name in ("Ada", "Bob"):
            assert [item["row"] for item in visitor.state(name)["items"]] == run.rows
            for row in run.rows:
                assert visitor.answer(row, 0, annotator=name) == "recorded"
                assert visitor.answer(row, 0, annotator=name) == "already"
            assert visitor.state(name)["waiting"] == 0
        assert visitor.state("Ada")["progress"]["answered"] == 2
        assert Journal(run.journal).progress().cost == 4

    def test_the_server_knows_better_who_it_is(self, start_run, serving, visit):
        run = start_run(answers_per_item=2, round_budget=4)
        visitor = visit(serving(run.journal, annotator="Ada"))
        assert len(visitor.state()["items"]) == 2
        refused = visitor.post(row=run.rows[0], answer=0, annotator="Bob")  # of an older page
        assert refused.status_code == 409 and "answers for Ada now" in refused.json()["error"]
        assert visitor.answer(run.rows[0], 0) == "recorded"
        assert [a["annotator"] for a in Journal(run.journal).answers()] == ["Ada"]


def test_blind_keeps_labels_and_suggestions_back(start_run, serving, visit):
    run = start_run()
    visitor = visit(serving(run.journal, blind=True))
    before = visitor.state()
    assert all(set(item) == {"row", "item", "reason"} for item in before["items"])
    assert all(item["reason"] == "" for item in before["items"])
    visitor.answer(run.rows[0], 0)
    assert "label" not in visitor.previous()


def test_the_rounds_go_on(start_run, serving, visit):
    run = start_run()
    visitor = visit(serving(run.journal))
    for row in run.rows:
        visitor.answer(row, 1)
    state = visitor.state()
    assert state["items"] == [] and state["progress"]["answered"] == 4
    assert not state["progress"]["finished"]
    second = run.cleaner.query().tolist()
    state = visitor.state()
    assert state["progress"]["round"] == 2
    assert [item["row"] for item in state["items"]] == second[:3]
    for row in second:
        visitor.answer(row, None)
    assert not len(run.cleaner.query())
    state = visitor.state()
    assert state["progress"]["finished"] and state["progress"]["budget_left"] == 0


def test_images_are_those_of_the_rows(start_run, serving, visit):
    run = start_run()
    visitor = visit(serving(run.journal, images_of(run.X)))
    for row in run.rows:
        response = visitor.http.get(f"/api/images/{row}")
        assert response.headers["content-type"] == "image/png"
        assert response.headers["x-original-size"] == "8x8"
        pixels = np.asarray(Image.open(BytesIO(response.content)))
        np.testing.assert_allclose(pixels, run.X[row, 0] * 255, atol=0.51)


def test_an_answered_image_can_be_seen_again_after_a_restart(start_run, serving, visit):
    run = start_run()
    first = serving(run.journal, images_of(run.X))
    visit(first).answer(run.rows[0], 0)
    first.close()
    again = visit(serving(run.journal, images_of(run.X)))
    assert again.http.get(f"/api/images/{again.previous()['row']}").status_code == 200


BAD_ANSWERS = {
    "a row that is text": {"row": "1"},
    "a row below 0": {"row": -1},
    "a row that is true": {"row": True},
    "a class that is not there": {"answer": 3},
    "a class below 0": {"answer": -1},
    "a class by name": {"answer": "nevus"},
    "a class that is true": {"answer": True},
    "endless seconds": {"seconds": 1e999},
    "seconds that are no number": {"seconds": float("nan")},
    "seconds below 0": {"seconds": -0.1},
    "a comment too long": {"comment": "x" * 2001},
    "a comment that is a list": {"comment": ["x"]},
    "a comment of half a character": {"comment": "\ud800"},
    "a comment with NUL": {"comment": "a\0b"},
    "a name too long": {"annotator": "x" * 101},
    "a name with a line break": {"annotator": "Ada\nBob"},
    "a time that is a number": {"corrects": 5},
    "a tab that is a number": {"tab": 5},
}


@pytest.mark.parametrize("name", BAD_ANSWERS)
def test_a_bad_answer_is_refused_in_a_sentence(start_run, serving, visit, name):
    wrong = BAD_ANSWERS[name]
    run = start_run()
    visitor = visit(serving(run.journal))
    facts = {"run": visitor.run, "row": run.rows[0], "answer": 0, "seconds": 1, **wrong}
    response = visitor.http.post(
        "/api/answers",
        content=json.dumps(facts),
        headers={"Content-Type": "application/json"},
    )
    assert response.status_code == 400
    assert next(iter(wrong)) in response.json()["error"]
    assert Journal(run.journal).answers() == []


@pytest.mark.parametrize("body", [b"", b"{", b"[1]", b"\xff", b"[" * 30_000, b"1" * 30_000])
def test_a_body_that_is_no_answer_is_refused(start_run, serving, visit, body):
    visitor = visit(serving(start_run().journal))
    headers = {"Content-Type": "application/json"}
    response = visitor.http.post("/api/answers", content=body, headers=headers)
    assert response.status_code == 400 and "JSON" in response.json()["error"]


def test_an_answer_must_say_what_it_is(start_run, serving, visit):
    run = start_run()
    assert visit(serving(run.journal)).post(row=run.rows[0]).status_code == 400


def test_a_page_of_another_run_cannot_answer(start_run, serving, visit):
    run = start_run()
    response = visit(serving(run.journal)).post(run="another", row=run.rows[0], answer=0)
    assert response.status_code == 409
    assert Journal(run.journal).answers() == []


class TestTrouble:
    """What goes wrong with the journal is said, and the answer can be sent again."""

    def test_somebody_keeps_it_locked(self, start_run, serving, visit, monkeypatch):
        monkeypatch.setattr(_sqlite, "_BUSY_SECONDS", 0.2)
        run = start_run()
        visitor = visit(serving(run.journal))
        with sqlite3.connect(run.journal, isolation_level=None) as other:
            other.execute("BEGIN IMMEDIATE")
            response = visitor.post(row=run.rows[0], answer=0)
            assert response.status_code == 503 and "locked" in response.json()["error"]
            assert visitor.state()["waiting"] == 4
            other.execute("ROLLBACK")
        other.close()
        assert visitor.answer(run.rows[0], 0) == "recorded"

    def test_it_is_gone(self, start_run, serving, visit, tmp_path):
        run = start_run()
        visitor = visit(serving(run.journal))
        moved = run.journal.rename(tmp_path / "moved.db")
        response = visitor.post(row=run.rows[0], answer=0)
        assert response.status_code == 503 and "no journal" in response.json()["error"]
        assert visitor.http.get("/api/state").status_code == 503
        moved.rename(run.journal)
        assert visitor.answer(run.rows[0], 0) == "recorded"

    def test_the_disk_is_full(self, start_run, serving, visit):
        run = start_run()
        visitor = visit(serving(run.journal))
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, before[1]))
        try:
            response = visitor.post(row=run.rows[0], answer=0)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
        assert response.status_code == 503
        assert "could not be" in response.json()["error"]
        assert visitor.state()["waiting"] == 4
        assert visitor.answer(run.rows[0], 0) == "recorded"
        assert Journal(run.journal).progress().cost == 1

    def test_it_is_damaged(self, start_run, serving, visit):
        run = start_run()
        visitor = visit(serving(run.journal))
        run.cleaner.close()
        with sqlite3.connect(run.journal) as other:
            other.execute(
                "INSERT INTO events (kind, payload, time) VALUES ('asked', 'nonsense', '')"
            )
        other.close()
        response = visitor.post(row=run.rows[0], answer=0)
        assert response.status_code == 503 and "damaged" in response.json()["error"]
        with pytest.raises(ValueError, match="damaged"):
            serving(run.journal)
