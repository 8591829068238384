"""What may happen to a journal: kills, full disks, locked folders, two at once."""

import contextlib
import multiprocessing
import os
import random
import runpy
import shutil
import signal
import tempfile
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from noisyactive.cleaning import Journal

if "forkserver" not in multiprocessing.get_all_start_methods():
    pytest.skip("needs processes that are forked", allow_module_level=True)
resource = pytest.importorskip("resource")

SCRIPT = str(Path(__file__).with_name("rounds_process.py"))
HELPER = runpy.run_path(SCRIPT)
N_KILLS = int(os.environ.get("NOISYACTIVE_KILLS", "20"))


@pytest.fixture(scope="module")
def context():
    context = multiprocessing.get_context("forkserver")
    # All that a job imports, which takes a child seconds; torch imports _dynamo with the first
    # optimizer. Packages of `noisyactive` import their modules when they are used.
    ours = ("cleaning._cleaner", "coteaching._vog_classifier", "noise", "query")
    theirs = ("safetensors.torch", "skorch", "sklearn.datasets", "sklearn.linear_model")
    packages = [*(f"noisyactive.{name}" for name in ours), *theirs, "torch._dynamo"]
    context.set_forkserver_preload(packages)
    return context


@pytest.fixture
def launch(context):
    """Start another process on a job of the script; what still runs at the end is killed."""
    children = []

    def start(do, **job):
        child = context.Process(
            target=runpy.run_path,
            args=(SCRIPT,),
            kwargs={"init_globals": {"JOB": {"do": do, **job}}, "run_name": "__main__"},
        )
        child.start()
        children.append(child)
        return child

    yield start
    for child in children:
        if child.is_alive():
            child.kill()
        child.join()
        child.close()


def start(path, **changes):
    X, _, y_noisy, ids = HELPER["data"]()
    return HELPER["make_cleaner"](path, **changes).start(X, y_noisy, ids=ids)


def finish(cleaner):
    y = HELPER["data"]()[1]
    while len(rows := cleaner.query()):
        cleaner.teach(rows, y[rows])
    return HELPER["outcome"](cleaner)


@pytest.fixture(scope="module")
def uninterrupted():
    return finish(start(None))


def assert_same(ours, expected):
    assert set(ours) == set(expected)
    for key, value in expected.items():
        np.testing.assert_array_equal(ours[key], value, err_msg=key)


def join(child):
    child.join(600)
    assert child.exitcode == 0, child.exitcode


def answers_of(path):
    return [(a["row"], a["new_label"]) for a in Journal(path).answers()] if path.exists() else []


def assert_nothing_lost(path, log):
    """Everything that `teach` returned for is there, nothing is there twice."""
    told = [tuple(map(int, line.split())) for line in log.read_text().splitlines()]
    written = answers_of(path)
    assert not Counter(told) - Counter(written)
    assert len({row for row, _ in written}) == len(written)
    return len(told)


class TestKills:
    @pytest.mark.slow
    @pytest.mark.parametrize(
        ("how", "model", "n_ends"),
        [
            ("kill", "sgd", N_KILLS),
            ("kill", "net", N_KILLS // 4),
            ("interrupt", "sgd", N_KILLS // 2),
            ("interrupt", "net", N_KILLS // 2),
            ("interrupt", "skorch", N_KILLS // 2),
        ],
    )
    def test_at_random_moments(self, launch, tmp_path, how, model, n_ends):
        expected = finish(start(None, model=model))
        chance, n_ended, n_finished, n_told = random.Random(0), 0, 0, set()
        code = {"kill": -signal.SIGALRM, "interrupt": 1}[how]
        while n_ended < n_ends or n_finished < 2:
            folder = tmp_path / str(n_finished)
            folder.mkdir(exist_ok=True)
            files = {name: folder / name for name in ("journal", "log", "result.npz")}
            files["log"].touch()
            job = {name.split(".")[0]: str(file) for name, file in files.items()}
            done = files["log"].read_text().count("\n")
            if n_ended < n_ends and done < 12:  # two answers at once: lines come in pairs
                n_lines = 2 * chance.randrange((12 - done) // 2)
                job["ends"] = (how, n_lines, chance.random() / 2)
            child = launch("run_rounds", model=model, **job)
            child.join(600)
            if child.exitcode == code:
                n_ended += 1
            else:
                assert child.exitcode == 0
                assert_same(np.load(files["result.npz"]), expected)
                assert len(answers_of(files["journal"])) == 12
                n_finished += 1
            n_told.add(assert_nothing_lost(files["journal"], files["log"]))
        assert any(0 < n < 12 for n in n_told), (n_told, n_finished)

    @pytest.mark.slow
    @pytest.mark.parametrize("model", ["sgd", "net", "skorch"])
    def test_interrupts_without_a_journal(self, launch, tmp_path, model):
        expected = finish(start(None, model=model))
        child = launch("run_on", result=str(tmp_path / "run"), n_interrupts=N_KILLS, model=model)
        join(child)
        runs = sorted(tmp_path.iterdir())
        assert 4 <= len(runs)
        for run in runs:
            assert_same(np.load(run), expected)

    @pytest.mark.slow
    def test_at_every_statement_that_writes(self, launch, tmp_path, uninterrupted):
        number, told = 0, set()
        while True:
            number += 1
            folder = tmp_path / str(number)
            folder.mkdir()
            path, log = folder / "run.db", folder / "log"
            log.touch()
            child = launch("run_rounds", journal=path, log=str(log), n_at_once=4, die_at=number)
            child.join(600)
            told.add(assert_nothing_lost(path, log))
            assert child.exitcode in (0, -9)
            if child.exitcode == 0:
                break
            # All or nothing: no part of a batch of four.
            assert len(answers_of(path)) in (0, 4, 8, 12)
            cleaner = start(path)
            assert_same(finish(cleaner), uninterrupted)
            cleaner.close()
            assert len(answers_of(path)) == 12
        assert told == {0, 4, 8, 12}
        assert number > 40

    @pytest.mark.slow
    def test_a_writer_of_answers_at_every_statement(self, launch, tmp_path, uninterrupted):
        cleaner = start(tmp_path / "asked.db")
        cleaner.query()
        cleaner.close()
        number, counts = 0, set()
        while True:
            number += 1
            path = tmp_path / f"{number}.db"
            shutil.copy(tmp_path / "asked.db", path)
            child = launch("answer", journal=path, n_at_once=2, die_at=number)
            child.join(600)
            counts.add(len(answers_of(path)))
            assert child.exitcode in (0, -9)
            cleaner = start(path)
            assert_same(finish(cleaner), uninterrupted)
            cleaner.close()
            if child.exitcode == 0:
                break
        assert counts == {0, 2, 4}
        assert number > 8


class TestSeveralProcesses:
    def test_answers_from_another_process_while_it_waits(self, launch, tmp_path, uninterrupted):
        path = tmp_path / "run.db"
        cleaner = start(path)
        while len(cleaner.query()):
            child = launch("answer", journal=path)
            assert cleaner.wait(timeout=120, poll=0.02)
            join(child)
        assert_same(HELPER["outcome"](cleaner), uninterrupted)

    def test_several_annotators_at_once(self, launch, tmp_path):
        path = tmp_path / "run.db"
        cleaner = start(path, answers_per_item=3, n_rounds=2, round_budget=12)
        n_asked = 0
        while len(rows := cleaner.query()):
            n_asked += len(rows)
            children = [launch("answer", journal=path, annotator=name) for name in "abc"]
            assert cleaner.wait(timeout=120, poll=0.02)
            for child in children:
                join(child)
        written = Journal(path).answers()
        assert len(written) == 3 * n_asked == 24
        assert len({(a["row"], a["annotator"]) for a in written}) == 24
        assert cleaner.history_["cost"].tolist() == [0, 12, 24]
        np.testing.assert_array_equal(cleaner.agreement_["kappa"], 1)

    def test_a_second_process_that_would_run_rounds(self, launch, tmp_path):
        path = tmp_path / "run.db"
        cleaner = start(path)
        rows = cleaner.query()
        join(launch("run_into", journal=path, message="Another process is running rounds"))
        np.testing.assert_array_equal(cleaner.query(), rows)
        cleaner.close()
        join(launch("run_rounds", journal=path))
        assert not len(start(path).query())


@contextlib.contextmanager
def files_no_larger_than(n_bytes):
    """A disk that is full: writing beyond fails."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


class TestDisk:
    def test_full_at_any_size(self, tmp_path, uninterrupted):
        y = HELPER["data"]()[1]
        path, n_failures = tmp_path / "run.db", 0
        with files_no_larger_than(5000), pytest.raises(OSError, match="nothing of this call"):
            start(path)
        assert not path.exists()
        cleaner = start(path)
        rows = cleaner.query()
        for size in range(0, 40_000, 1500):
            before, seen = answers_of(path), repr(cleaner.events_)
            try:
                with files_no_larger_than(size):
                    cleaner.teach(rows[:1], y[rows[:1]], comments=["x" * 2000])
            except OSError as error:
                assert "could not be written; nothing of this call was recorded" in str(error)
                assert answers_of(path) == before
                assert repr(cleaner.events_) == seen
                n_failures += 1
            else:
                break
        assert n_failures > 3
        assert answers_of(path) == [(rows[0], y[rows[0]])]
        assert_same(finish(cleaner), uninterrupted)
        assert_same(finish(start(path)), uninterrupted)

    def test_full_while_another_writes(self, tmp_path):
        path = tmp_path / "run.db"
        cleaner = start(path)
        rows = cleaner.query()
        journal = Journal(path)
        with files_no_larger_than(1000), pytest.raises(OSError, match="nothing of this call"):
            journal.answer(rows[:1], [0])
        assert answers_of(path) == []
        Journal(path).answer(rows[:1], [0])
        np.testing.assert_array_equal(cleaner.query(), rows[1:])

    def test_a_folder_that_may_only_be_read(self, launch, uninterrupted):
        folder = Path(tempfile.mkdtemp())
        path = folder / "run.db"
        try:
            cleaner = start(path)
            cleaner.query()
            cleaner.close()
            folder.chmod(0o555)
            job = {"journal": path, "message": "no file can be made"}
            join(launch("run_without_rights" if os.getuid() == 0 else "run_into", **job))
            folder.chmod(0o755)
            assert_same(finish(start(path)), uninterrupted)
        finally:
            folder.chmod(0o755)
            shutil.rmtree(folder)
