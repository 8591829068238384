"""The state that a `Journal` keeps goes on with what others write."""

import contextlib
import copy
import os
import pickle
import shutil
import signal
import threading
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from noisyactive.journal import (
    Answered,
    Asked,
    Closed,
    Journal,
    JournalWriter,
    Refitted,
    Started,
    _sqlite,
)

CLASSES = np.array(["a", "b", "c"])
N = 6


def new_run(path, answers_per_item=1):
    writer = JournalWriter(path, {}, {})
    ids = np.array([f"item {row}" for row in range(N)])
    writer.draft(CLASSES, np.arange(N) % 3, ids, answers_per_item)
    first = [Started(0), Refitted(0.0)]
    writer.publish(first)
    return writer, len(first)


def seen_by(journal):
    """All that it says which depends on the order of events."""
    return {
        "items": journal.open_items("Ada"),
        "n_open": journal.n_open("Ada"),
        "progress": journal.progress(),
        "labels": journal.labels(),
        "latest": [journal.latest_answer(who, back=k) for who in ("Ada", "Ben") for k in (1, 2, 9)],
        "of row": [journal.latest_answer("Ada", row=row) for row in range(N)],
        "known": [journal.item(row) for row in range(N)],
    }


rows = st.lists(st.integers(0, N - 1), unique=True, min_size=1, max_size=3)
answers = st.tuples(rows, st.sampled_from([None, "a", "b"]), st.sampled_from(["Ada", "Ben"]))
steps = st.lists(
    st.tuples(st.just("page"), answers)  # another process, whose answers get a position later
    | st.tuples(st.just("teach"), answers)
    | st.tuples(st.just("ask"), rows)
    | st.sampled_from([("news", None), ("close", None), ("look", None), ("refit", None)]),
    max_size=14,
)


@settings(max_examples=60)
@given(steps, st.sampled_from([1, 2]))
def test_it_sees_what_a_journal_that_is_opened_anew_sees(tmp_path_factory, story, needed):
    path = tmp_path_factory.mktemp("run") / "run.db"
    writer, known = new_run(path, needed)
    page, other = Journal(path), Journal(path)
    for kind, what in story:
        new = []
        if kind in ("page", "teach"):
            index, label, who = what
        if kind == "page":
            page.answer(index, [label] * len(index), annotator=who)
        elif kind == "teach":
            answered = Answered(tuple(index), (label,) * len(index), who)
            new = writer.write(answered, known, only_open=True)
        elif kind == "ask":
            new = writer.write(Asked(tuple(what), reason="by chance"), known)
        elif kind == "news":
            new = writer.news(known)
        elif kind == "close":
            new = writer.write(Closed(), known)
        elif kind == "refit":
            new = writer.write(Refitted(0.5), known)
        else:
            assert seen_by(other) == seen_by(Journal(path))
        known += len(new)
    for journal in (page, other, copy.deepcopy(page), pickle.loads(pickle.dumps(other))):
        assert seen_by(journal) == seen_by(Journal(path))
    writer.close()


def test_an_event_that_comes_before_answers_that_were_read(tmp_path):
    path = tmp_path / "run.db"
    writer, known = new_run(path)
    page = Journal(path)
    page.answer([4], ["b"], annotator="Ada")
    assert page.progress().round == 0 and page.latest_answer("Ada")[1] == 1
    writer.write(Asked((4, 1)), known)  # it takes its position before the answer does
    assert [item.row for item in page.open_items()] == [1]
    assert page.labels()["item 4"] == "b"
    writer.close()


def test_another_file_in_its_place(tmp_path):
    path, copied = tmp_path / "run.db", tmp_path / "copy.db"
    writer, known = new_run(path)
    writer.write(Asked((4, 1)), known)
    writer.close()
    shutil.copy(path, copied)
    page = Journal(path)
    page.answer([4], ["b"])
    assert page.n_open() == 1
    for end in ("-wal", "-shm"):
        path.with_name(path.name + end).unlink(missing_ok=True)
    copied.replace(path)
    assert page.n_open() == 2 and page.answers() == []


def test_a_write_that_fails_leaves_what_is_seen(tmp_path, monkeypatch):
    path = tmp_path / "run.db"
    writer, known = new_run(path)
    writer.write(Asked((4, 1)), known)
    page = Journal(path)
    before = seen_by(page)

    def fail(*arguments):
        raise OSError("the disk is gone")

    with monkeypatch.context() as patch:
        patch.setattr("noisyactive.journal._tables.insert_answers", fail)
        with pytest.raises(OSError, match="the disk is gone"):
            page.answer([4], ["b"])
    assert seen_by(page) == before == seen_by(Journal(path))
    page.answer([4], ["b"])
    assert seen_by(page) == seen_by(Journal(path)) != before
    writer.close()


def test_threads_share_one_journal(tmp_path):
    path = tmp_path / "run.db"
    writer, known = new_run(path, answers_per_item=8)
    writer.write(Asked(tuple(range(N))), known)
    page, trouble = Journal(path), []

    def work(name):
        try:
            while items := page.open_items(name, limit=1):
                page.answer([items[0].row], ["a"], annotator=name, only_open=True)
        except Exception as error:  # re-raised by the test below
            trouble.append(error)

    threads = [threading.Thread(target=work, args=(f"reader {k}",)) for k in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not trouble
    said = [(answer["row"], answer["annotator"]) for answer in page.answers()]
    assert len(said) == len(set(said)) == 8 * N
    writer.close()


def test_a_copy_put_back_in_the_same_file(tmp_path):
    """The file keeps its number on the disk, and has as many events again."""
    path, copied = tmp_path / "run.db", tmp_path / "copy.db"
    writer, known = new_run(path)
    writer.write(Asked((4, 1)), known)
    writer.close()
    shutil.copy(path, copied)
    page = Journal(path)
    page.answer([4], ["b"], annotator="Ada")
    assert [item.row for item in page.open_items()] == [1]
    time.sleep(0.002)  # events carry their time in milliseconds
    shutil.copy(copied, path)  # writes into the file that is there
    Journal(path).answer([1], ["a"], annotator="Ada")
    assert seen_by(page) == seen_by(Journal(path))
    assert [item.row for item in page.open_items()] == [4]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs processes that are forked")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_forked_child_while_a_thread_reads(tmp_path):
    path = tmp_path / "run.db"
    writer, known = new_run(path)
    writer.write(Asked((4, 1)), known)
    page = Journal(path)
    reading, forked = threading.Event(), threading.Event()

    def read():
        with page.writing():
            reading.set()
            forked.wait()

    thread = threading.Thread(target=read)
    thread.start()
    reading.wait()
    child = os.fork()
    if not child:
        signal.alarm(60)  # kills the child if it waits for a thread that it does not have
        os._exit(0 if page.n_open() == 2 else 1)
    forked.set()
    thread.join()
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    writer.close()


def test_readers_do_not_wait_for_the_disk(tmp_path, monkeypatch):
    """While an answer is committed, other threads read what was there before."""
    path = tmp_path / "run.db"
    writer, known = new_run(path)
    writer.write(Asked((4, 1)), known)
    page = Journal(path)
    read = []
    transaction = _sqlite.transaction

    @contextlib.contextmanager
    def slow(path, *, write=False):
        with transaction(path, write=write) as connection:
            yield connection
            if write:  # where the disk would be waited for
                thread = threading.Thread(target=lambda: read.append(page.n_open()))
                thread.start()
                thread.join(60)

    monkeypatch.setattr(_sqlite, "transaction", slow)
    page.answer([4], ["b"])
    assert read == [2] and page.n_open() == 1
    writer.close()
