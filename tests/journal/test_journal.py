"""The journal: answers on disk, and runs that go on where they were."""

import json
import pickle
import shutil
import sqlite3
import threading
from contextlib import closing

import numpy as np
import pandas as pd
import pytest
from sklearn import config_context
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from noisyactive import ActiveLabelCleaner, CoTeachingVOGClassifier
from noisyactive.cleaning import Journal
from noisyactive.journal import Answered, Asked, Refitted, Started

NET = CoTeachingVOGClassifier(
    max_epochs=4, forget_rate=0.3, ramp_epochs=2, warmup_epochs=2, vog_window=2, batch_size=32
)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "run.db"


def start(path, data, model=None, **settings):
    model = LogisticRegression(max_iter=1000) if model is None else model
    quick = {"n_rounds": 3, "round_budget": 4, "pool": "unverified", "trust": "all"}
    X, _, y_noisy = data
    return ActiveLabelCleaner(model, journal=path, **{**quick, **settings}).start(X, y_noisy)


def finish(cleaner, y):
    while len(rows := cleaner.query()):
        cleaner.teach(rows, y[rows])
    return cleaner


def sql(path, statement, *values):
    with closing(sqlite3.connect(path)) as connection, connection:
        return connection.execute(statement, values).fetchall()


def assert_same(ours, theirs, X):
    np.testing.assert_array_equal(ours.labels_, theirs.labels_)
    np.testing.assert_array_equal(ours.clean_mask_, theirs.clean_mask_)
    np.testing.assert_array_equal(ours.relabelled_round_, theirs.relabelled_round_)
    np.testing.assert_array_equal(ours.predict_proba(X), theirs.predict_proba(X))
    assert ours.seed_ == theirs.seed_
    for key, column in theirs.history_.items():
        np.testing.assert_array_equal(ours.history_[key], column)


class TestResuming:
    @pytest.mark.parametrize(
        ("model", "settings"),
        [
            (LogisticRegression(max_iter=1000), {"trust": "crossfit", "n_rounds": 2}),
            # trained on, round after round
            (GaussianNB(), {"trust": "crossfit", "n_rounds": 2, "fine_tune_epochs": 2}),
            (
                GaussianNB(),
                {
                    "trust": "once",
                    "pool": "untrusted",
                    "refit": "scratch",
                    "query_strategy": "coreset",
                },
            ),
            (
                make_pipeline(StandardScaler(), LogisticRegression()),
                {"initial_fit": "none", "trust": "verified", "query_strategy": "random"},
            ),
            (
                NET,
                {
                    "trust": "crossfit",
                    "fine_tune_epochs": 2,
                    "pool": "untrusted",
                    "query_strategy": "coreset",
                },
            ),
        ],  # fmt: skip
        ids=["scratch", "fine_tune", "refit", "none", "vog"],
    )
    def test_a_run_interrupted_everywhere_is_the_uninterrupted_one(
        self, data, path, model, settings
    ):
        X, y, _ = data
        settings = {"random_state": 3, **settings}
        whole = finish(start(None, data, model, **settings), y)
        while True:
            cleaner = start(path, data, model, **settings)
            rows = cleaner.query()
            if not len(rows):
                break
            cleaner = start(path, data, model, **settings)
            np.testing.assert_array_equal(cleaner.query(), rows)
            few = rows[::-1][:3]  # not all, in another order
            cleaner.teach(few, y[few])
        assert_same(cleaner, whole, X)
        n_refits = sum(isinstance(event, Refitted) for event in cleaner.events_)
        assert n_refits == sum(isinstance(event, Refitted) for event in whole.events_)
        assert_same(start(path, data, model, **settings), whole, X)  # the end is the end

    def test_validation_data_choose_the_same_epochs(self, data, path):
        X, y, y_noisy = data
        settings = {"n_rounds": 2, "round_budget": 4, "pool": "unverified", "fine_tune_epochs": 3}
        extras = {"validation_data": (X, y), "groups": np.arange(len(y)) // 2}
        whole = ActiveLabelCleaner(NET, random_state=0, **settings)
        whole.fit(X, y_noisy, y_clean=y, **extras)
        half = ActiveLabelCleaner(NET, random_state=0, journal=path, **settings)
        half.start(X, y_noisy, **extras)
        rows = half.query()
        half.teach(rows, y[rows]).query()
        resumed = clone(half).fit(X, y_noisy, y_clean=y, **extras)
        assert_same(resumed, whole, X)
        assert np.isfinite(resumed.history_["score"]).all()
        with pytest.raises(ValueError, match="other data: validation data"):
            clone(half).start(X, y_noisy, **{**extras, "validation_data": (X, y_noisy)})
        with pytest.raises(ValueError, match="other data: groups"):
            clone(half).start(X, y_noisy, **{**extras, "groups": np.arange(len(y))})

    def test_a_seed_that_nobody_chose_is_in_the_journal(self, data, path):
        X, y, _ = data
        cleaner = start(path, data, NET, fine_tune_epochs=1)
        seed, rows = cleaner.seed_, cleaner.query()
        cleaner.teach(rows, y[rows])
        proba = cleaner.predict_proba(X)
        cleaner = start(path, data, NET, fine_tune_epochs=1)
        assert cleaner.seed_ == seed
        np.testing.assert_array_equal(cleaner.predict_proba(X), proba)
        whole = finish(start(None, data, NET, fine_tune_epochs=1, random_state=None), y)
        assert whole.seed_ != seed

    def test_a_model_from_scratch_skips_the_rounds_before_but_not_the_one_that_counts(
        self, data, path
    ):
        # The last refit finds one class only, so that the model is that of the round before.
        settings = {"trust": "verified", "n_rounds": 3, "round_budget": 2, "random_state": 0}
        cleaners = []
        for journal in (None, path):
            cleaner = start(journal, data, **settings)
            first = cleaner.query()
            cleaner.teach(first, [0, 1])
            cleaner.query()
            cleaner.teach(first[1:], [0]).close_round().query()
            cleaners.append(cleaner)
        resumed = start(path, data, **settings)
        for cleaner in (cleaners[1], resumed):
            assert_same(cleaner, cleaners[0], data[0])

    def test_a_run_may_be_given_more_rounds(self, data, path):
        X, y, _ = data
        finish(start(path, data, n_rounds=1, random_state=0), y)
        longer = finish(start(path, data, n_rounds=3, random_state=0), y)
        assert_same(longer, finish(start(None, data, n_rounds=3, random_state=0), y), X)

    def test_fit_goes_on_too(self, data, path):
        X, y, y_noisy = data

        def oracle(rows, X_rows):
            if cleaner.history_["cost"][-1] >= 4:
                raise ConnectionError
            return y[rows]

        settings = {"n_rounds": 2, "round_budget": 4, "pool": "unverified", "random_state": 0}
        cleaner = ActiveLabelCleaner(LogisticRegression(max_iter=1000), journal=path, **settings)
        with pytest.raises(ConnectionError):
            cleaner.fit(X, y_noisy, oracle=oracle)
        cleaner = clone(cleaner).fit(X, y_noisy, y_clean=y)
        whole = clone(cleaner).set_params(journal=None).fit(X, y_noisy, y_clean=y)
        assert_same(cleaner, whole, X)

    def test_skips_corrections_and_volunteers(self, data, path):
        X, y, _ = data
        cleaners = []
        for journal in (None, path):
            cleaner = start(journal, data, random_state=0)
            rows = cleaner.query()
            cleaner.teach(rows[:2], [None, 0])
            cleaner.teach(rows[1:2], [1], comments=["a slip"]).teach([100], [2])
            cleaner.teach(rows[2:], y[rows[2:]]).query()
            cleaners.append(cleaner)
        in_memory, on_disk = cleaners
        resumed = start(path, data, random_state=0)
        for cleaner in (on_disk, resumed):
            assert_same(cleaner, in_memory, X)
            np.testing.assert_array_equal(cleaner.state_.skipped, in_memory.state_.skipped)
        np.testing.assert_array_equal(resumed.query(), in_memory.query())

    @pytest.mark.parametrize(
        "names", [["x", "yy", "z'\"é\n"], [10, 3, 7], [1.0, 2.0, 4.0], [True, False, None]]
    )
    def test_labels_of_any_kind_survive(self, data, path, names):
        X, y, y_noisy = data
        if None in names:
            names, y, y_noisy = [True, False], y > 0, y_noisy > 0
        names = np.array(names)
        y, y_noisy = names[y.astype(int)], names[y_noisy.astype(int)]
        cleaner = finish(start(path, (X, y, y_noisy), n_rounds=2), y)
        resumed = start(path, (X, y, y_noisy), n_rounds=2)
        assert resumed.labels_.dtype == y.dtype
        np.testing.assert_array_equal(resumed.labels_, cleaner.labels_)
        stored = [answer["new_label"] for answer in Journal(path).answers()]
        assert {type(label) for label in stored} == {type(names.tolist()[0])}
        assert list(Journal(path).labels().values()) == cleaner.labels_.tolist()

    @pytest.mark.parametrize("convert", [pd.DataFrame, lambda X: X.tolist(), "tensor", "sparse"])
    def test_kinds_of_X_are_recognised_again(self, data, path, convert):
        import torch
        from scipy.sparse import csr_array

        X, y, y_noisy = data
        known = {"tensor": lambda X: torch.from_numpy(np.array(X)), "sparse": csr_array}
        convert = known.get(convert, convert)
        finish(start(path, (convert(X), y, y_noisy), n_rounds=1), y)
        start(path, (convert(X), y, y_noisy), n_rounds=1)
        other = X.copy()
        other[7, 1] += 1
        with pytest.raises(ValueError, match="other data: samples"):
            start(path, (convert(other), y, y_noisy), n_rounds=1)


class Counting(CoTeachingVOGClassifier):
    """Counts its trainings."""

    trainings = []

    def _train(self, *args, **kwargs):
        self.trainings.append(1)
        return super()._train(*args, **kwargs)


def without_clocks(net):
    return [{k: v for k, v in row.items() if k != "dur"} for row in net.history]


class TestCheckpoint:
    """The model beside the journal is a cache: what comes out does not depend on it."""

    SETTINGS = {
        "fine_tune_epochs": 2, "pool": "untrusted", "trust": "once", "query_strategy": "coreset",
        "random_state": 1,
    }  # fmt: skip

    @pytest.mark.parametrize("trust", ["once", "crossfit"])
    @pytest.mark.parametrize("names", [[0, 1, 2], ["x", "yy", "zzz"]])
    def test_nothing_is_trained_again(self, data, path, names, trust):
        settings = {**self.SETTINGS, "trust": trust}
        X, y, y_noisy = data
        y, y_noisy = np.array(names)[y], np.array(names)[y_noisy]
        data = pd.DataFrame(X, columns=list("abcd")), y, y_noisy
        net = Counting(**NET.get_params())
        whole = finish(start(None, data, net, **settings), y)
        Counting.trainings.clear()
        while True:
            cleaner = start(path, data, net, **settings)
            rows = cleaner.query()
            if not len(rows):
                break
            cleaner.teach(rows, y[rows])
        # An ensemble learns from the labels that it trusts before the first answer.
        assert len(Counting.trainings) == ((2 + 3) * 3 if trust == "crossfit" else 1 + 3)
        assert_same(cleaner, whole, data[0])
        ours, expected = cleaner.estimator_, whole.estimator_
        np.testing.assert_array_equal(
            ours.extract_features(data[0]), expected.extract_features(data[0])
        )
        pairs = [(ours, expected)]
        if trust == "crossfit":
            pairs += zip(ours.models, expected.models, strict=True)
        for ours, expected in pairs:
            assert vars(ours).keys() >= {key for key in vars(expected) if key.endswith("_")}
            for name, value in vars(expected).items():
                if name in ("forget_rate_interval_", "schedule_"):
                    assert getattr(ours, name) == value
                if isinstance(value, (np.ndarray, bool, int, float, str)):
                    np.testing.assert_array_equal(
                        getattr(ours, name), value, err_msg=name, strict=True
                    )
                    assert getattr(getattr(ours, name), "dtype", 0) == getattr(value, "dtype", 0)
            if hasattr(expected, "history"):
                assert without_clocks(ours) == without_clocks(expected)
        assert {f.suffix for f in path.with_name("run.db.checkpoint").iterdir()} == {
            ".json", ".weights", ".history", ".attributes", ".arrays",
        }  # fmt: skip

    @pytest.mark.parametrize("harm", ["deleted", "gone", "broken", "stale", "nonsense", "file"])
    def test_it_may_be_deleted_or_broken(self, data, path, harm):
        X, y, _ = data
        net = Counting(**NET.get_params())
        whole = finish(start(None, data, net, **self.SETTINGS), y)
        folder = path.with_name("run.db.checkpoint")
        cleaner = start(path, data, net, **self.SETTINGS)
        rows = cleaner.query()
        shutil.copytree(folder, path.with_name("old"))
        cleaner.teach(rows, y[rows]).query()
        n_trainings = 2
        if harm == "deleted":
            shutil.rmtree(folder)
        elif harm == "gone":
            next(folder.glob("*.weights")).unlink()
        elif harm == "broken":
            weights = next(folder.glob("*.weights"))
            weights.write_bytes(weights.read_bytes()[:-1] + b"!")
        elif harm == "stale":  # that of the first phase
            shutil.rmtree(folder)
            shutil.move(path.with_name("old"), folder)
            n_trainings = 1
        elif harm == "nonsense":
            (folder / "index.json").write_text("[]")
        else:
            shutil.rmtree(folder)
            folder.touch()
        Counting.trainings.clear()
        resumed = start(path, data, net, **self.SETTINGS)
        assert len(Counting.trainings) == n_trainings
        if harm == "file":
            with pytest.warns(UserWarning, match="could not be saved beside the journal"):
                finish(resumed, y)
        assert_same(finish(resumed, y), whole, X)

    def test_the_first_forget_rate_is_kept_too(self, data, path):
        _, y, _ = data
        settings = {**self.SETTINGS, "pool": "unverified", "trust": "all", "refit": "scratch"}
        settings["lower_forget_rate"] = True
        whole = finish(start(None, data, NET, **settings), y)
        cleaner = start(path, data, NET, **settings)
        rows = cleaner.query()
        cleaner.teach(rows, y[rows]).query()
        cleaner.close()
        assert_same(finish(start(path, data, NET, **settings), y), whole, data[0])

    def test_that_of_another_story_is_not_taken(self, data, path):
        X, y, _ = data
        net = Counting(**NET.get_params())
        runs = []
        for name, answers in [("a.db", y), ("b.db", (y + 1) % 3)]:
            journal = path.with_name(name)
            cleaner = start(journal, data, net, **self.SETTINGS)
            rows = cleaner.query()
            cleaner.teach(rows, answers[rows]).query()
            cleaner.close()
            runs.append(cleaner)
        shutil.rmtree(path.with_name("a.db.checkpoint"))
        shutil.move(path.with_name("b.db.checkpoint"), path.with_name("a.db.checkpoint"))
        Counting.trainings.clear()
        resumed = start(path.with_name("a.db"), data, net, **self.SETTINGS)
        assert len(Counting.trainings) == 2
        assert_same(resumed, runs[0], X)


class TestWhatIsWritten:
    def test_the_tables_are_what_they_are_said_to_be(self, data, path):
        X, y, y_noisy = data
        ids = [f"scan {row}.png" for row in range(len(y))]
        cleaner = ActiveLabelCleaner(
            LogisticRegression(max_iter=1000), n_rounds=1, round_budget=3, pool="unverified",
            journal=path,
        ).start(X, y_noisy, ids=ids)  # fmt: skip
        rows = cleaner.query()
        believed = cleaner.estimator_.label_prior_[rows]  # by models that did not learn the labels
        suggested = cleaner.classes_[believed.argmax(axis=1)].tolist()
        items = Journal(path).open_items()
        assert [item.row for item in items] == rows.tolist()
        assert [item.item for item in items] == [ids[row] for row in rows]
        assert [item.label for item in items] == y_noisy[rows].tolist()
        assert [item.suggested for item in items] == suggested
        np.testing.assert_allclose([item.probability for item in items], believed.max(axis=1))
        cleaner.teach(
            [ids[rows[0]], ids[rows[1]]],
            [1, None],
            annotator="Ada",
            seconds=[2.5, None],
            comments=[None, "blurred; \"see\" 'above'"],
        )
        cleaner.teach(rows[:1], [2])
        columns = "row, item, old_label, new_label, annotator, seconds, comment"
        assert sql(path, f"SELECT {columns} FROM answers ORDER BY event, rowid") == [
            (rows[0], ids[rows[0]], str(y_noisy[rows[0]]), "1", "Ada", 2.5, None),
            (rows[1], ids[rows[1]], str(y_noisy[rows[1]]), None, "Ada", None,
             "blurred; \"see\" 'above'"),
            (rows[0], ids[rows[0]], "1", "2", None, None, None),
        ]  # fmt: skip
        times = [pd.Timestamp(t) for (t,) in sql(path, "SELECT time FROM answers")]
        assert all(abs(pd.Timestamp.now("UTC") - t) < pd.Timedelta("5min") for t in times)
        assert [kind for (kind,) in sql(path, "SELECT kind FROM events ORDER BY id")] == [
            "started", "refitted", "asked", "answered", "answered",
        ]  # fmt: skip
        assert [item.row for item in Journal(path).open_items()] == rows[2:].tolist()
        kinds = [type(event) for event in Journal(path).events()]
        assert kinds == [Started, Refitted, Asked, Answered, Answered]
        assert repr(Journal(path).events()) == repr(cleaner.events_)

    def test_opening_a_journal_executes_nothing(self, data, path):
        finish(start(path, data, n_rounds=1), data[1])
        columns = [
            (table, column[1])
            for table in ("run", "items", "events", "answers")
            for column in sql(path, f"PRAGMA table_info({table})")
        ]
        for table, column in columns:
            for (value,) in sql(path, f"SELECT {column} FROM {table}"):
                assert not isinstance(value, bytes)  # no pickle hides in text
                if column in {"payload", "value", "label", "old_label"}:
                    json.loads(value)

    def test_no_model_is_needed_beside_it(self, data, path):
        finish(start(path, data, n_rounds=1), data[1]).close()
        beside = sorted(file.name for file in path.parent.iterdir())
        assert beside == ["run.db", "run.db.lock"]


class TestRefusals:
    def test_other_data_or_parameters_are_named(self, data, path):
        X, y, y_noisy = data
        rows = start(path, data, random_state=0).query()
        for changes, message in [
            ({"round_budget": 5}, r"other parameters: round_budget \(4 there, 5 here\)"),
            ({"random_state": 1}, r"random_state \(0 there, 1 here\)"),
            ({"random_state": np.random.RandomState(0)}, r"random_state"),
            ({"query_strategy": "margin"}, "query_strategy .'rare_entropy' there, 'margin' here"),
            ({"trust": "once", "refit": "scratch"}, "refit .* trust"),
            ({"model": LogisticRegression(C=3, max_iter=1000)}, r"estimator__C \(1.0 there, 3 h"),
            ({"model": GaussianNB()}, r"estimator \(LogisticRegression there, GaussianNB here\)"),
            ({"answers_per_item": 2}, "answers_per_item"),
        ]:
            model = changes.pop("model", None)
            with pytest.raises(ValueError, match=message):
                start(path, data, model, **{"random_state": 0, **changes})
        other_y = y_noisy.copy()
        other_y[3] = (other_y[3] + 1) % 3
        for other, message in [
            ((X + 1, y, y_noisy), "other data: samples"),
            ((X, y, other_y), "other data: labels"),
            ((X[:-1], y, y_noisy[:-1]), r"number of samples \(115 there, 114 here\)"),
            ((X, y, y_noisy.astype(str)), "classes"),
        ]:
            with pytest.raises(ValueError, match=message):
                start(path, other, random_state=0)
        np.testing.assert_array_equal(start(path, data, random_state=0).query(), rows)

    def test_what_makes_no_difference_may_differ(self, data, path):
        model = LogisticRegression(max_iter=1000)
        start(path, data, model, random_state=np.random.RandomState(7)).close()
        model = LogisticRegression(max_iter=1000, verbose=0)
        start(path, data, model, random_state=np.random.RandomState(7), n_rounds=9).close()
        X, y, y_noisy = data
        start(path, (X, y, y_noisy.astype(np.int8)), random_state=np.random.RandomState(7))

    def test_fit_parameters_and_groups_are_data(self, data, path):
        X, _, y_noisy = data
        groups, weights = np.arange(len(X)) // 2, np.ones(len(X))
        cleaner = ActiveLabelCleaner(LogisticRegression(max_iter=1000), journal=path)
        cleaner.start(X, y_noisy, groups=groups, sample_weight=weights)
        clone(cleaner).start(X, y_noisy, groups=groups, sample_weight=weights)
        with pytest.raises(ValueError, match="other data: fit parameter__sample_weight"):
            clone(cleaner).start(X, y_noisy, groups=groups, sample_weight=2 * weights)
        with pytest.raises(ValueError, match="other data: fit parameter__sample_weight"):
            clone(cleaner).start(X, y_noisy, groups=groups, sample_weight=(2 * weights).tolist())
        with pytest.raises(ValueError, match="other data: groups, fit parameter__sample_weight"):
            clone(cleaner).start(X, y_noisy)

    def test_groups_that_are_routed_to_the_estimator(self, data, path):
        class Grouped(LogisticRegression):
            def fit(self, X, y, groups=None):
                return super().fit(X, y)

        X, y, y_noisy = data
        with config_context(enable_metadata_routing=True):
            model = Grouped(max_iter=1000).set_fit_request(groups=True)
            cleaner = ActiveLabelCleaner(model, n_rounds=1, round_budget=2, journal=path)
            cleaner.start(X, y_noisy, groups=np.arange(len(X)) // 2)
            rows = cleaner.query()
            resumed = clone(cleaner).start(X, y_noisy, groups=np.arange(len(X)) // 2)
            np.testing.assert_array_equal(resumed.query(), rows)

    def test_rows_in_another_order(self, data, path):
        X, _, y_noisy = data
        ids = np.array([f"case {row}" for row in range(len(X))])
        cleaner = ActiveLabelCleaner(LogisticRegression(max_iter=1000), journal=path)
        cleaner.start(X, y_noisy, ids=ids)
        with pytest.raises(ValueError, match="order of the ids, samples"):
            clone(cleaner).start(X[::-1], y_noisy[::-1], ids=ids[::-1])
        with pytest.raises(ValueError, match="data: ids, order of the ids"):
            clone(cleaner).start(X, y_noisy)

    @pytest.mark.parametrize("harm", ["truncated", "short", "empty", "foreign", "text", "newer",
                                      "scrambled", "nonsense"])  # fmt: skip
    def test_files_that_are_no_whole_journals(self, data, path, harm):
        finish(start(path, data), data[1]).close()
        whole = path.read_bytes()
        message = "damaged, or no journal"
        if harm == "truncated":
            path.write_bytes(whole[: len(whole) // 2])
        elif harm == "short":
            path.write_bytes(whole[:50])
        elif harm == "empty":
            path.write_bytes(b"")
            message = "is empty"
        elif harm == "foreign":
            path.unlink()
            sql(path, "CREATE TABLE t (x)")
            message = "no journal of noisyactive"
        elif harm == "text":
            path.write_text("row;answer\n" * 1000)
        elif harm == "newer":
            sql(path, "PRAGMA user_version = 3")
            message = "journal of version 3; this noisyactive knows version 2"
        elif harm == "scrambled":
            path.write_bytes(whole[:8192] + bytes(reversed(whole[8192:])))
        else:
            sql(path, "UPDATE events SET payload = '{\"rows\": 7}' WHERE kind = 'asked'")
        before = path.read_bytes()
        for call in (
            lambda: start(path, data),
            lambda: Journal(path).open_items(),
            lambda: Journal(path).answer([0], [1]),
        ):
            with pytest.raises(ValueError, match=message):
                call()
        assert path.read_bytes() == before
        path.write_bytes(whole)  # a copy is put back
        assert not len(start(path, data).query())

    @pytest.mark.parametrize(
        "statement",
        [
            "UPDATE events SET kind = 'closed', payload = '{}' WHERE position = 0",
            "UPDATE events SET payload = '{\"seed\": -1}' WHERE position = 0",
            "UPDATE events SET payload = replace(payload, '[', '[1000000, ') WHERE kind = 'asked'",
            "UPDATE events SET position = position + 1 WHERE position > 1",
            "UPDATE events SET position = -1 WHERE position = 0",
            "DELETE FROM events",
            "DELETE FROM items WHERE row > 50",
            "UPDATE items SET label = '2' WHERE row = 5",
            "UPDATE run SET value = 100000000000 WHERE key = 'n_samples'",
            "UPDATE run SET value = '[2, 1, 0]' WHERE key = 'classes'",
            "UPDATE run SET value = 2 WHERE key = 'answers_per_item'",
            "UPDATE answers SET new_label = '1.0', annotator = 'Ada'",
        ],
    )
    def test_contents_that_no_run_has(self, data, path, statement):
        cleaner = start(path, data, random_state=0)
        rows = cleaner.query()
        cleaner.teach(rows[:2], [0, 1]).close()
        sql(path, "PRAGMA journal_mode = DELETE")
        content = path.read_bytes()
        with closing(sqlite3.connect(path)) as connection, connection:
            try:
                connection.execute(statement)
            except sqlite3.IntegrityError:  # on the way: positions that differ, the last first
                connection.execute("UPDATE events SET position = 99 WHERE position = 2")
        damaged = path.read_bytes()
        for call in (lambda: Journal(path), lambda: start(path, data, random_state=0)):
            with pytest.raises(ValueError, match="damaged, or no journal"):
                call()
        assert path.read_bytes() == damaged
        path.write_bytes(content)
        np.testing.assert_array_equal(start(path, data, random_state=0).query(), rows[2:])

    def test_a_refusal_that_is_kept_locks_nothing(self, data, path):
        """The error holds the frames that read the file, and what they had not read to the end."""
        cleaner = start(path, data, random_state=0)
        cleaner.teach(cleaner.query()[:2], [0, 1]).close()
        sql(path, "PRAGMA journal_mode = DELETE")
        sql(path, "UPDATE events SET payload = '{\"seed\": -1}' WHERE position = 0")
        with pytest.raises(ValueError, match="event 1 cannot be understood") as refusal:
            Journal(path)
        sql(path, "UPDATE events SET time = '' WHERE position = 0")
        assert refusal.tb is not None

    def test_no_file_no_folder(self, data, path):
        with pytest.raises(FileNotFoundError, match="no journal"):
            Journal(path)
        with pytest.raises(FileNotFoundError, match="no folder"):
            start(path.parent / "not there" / "run.db", data)
        with pytest.raises(ValueError, match="journal"):
            start(7, data)
        assert not path.exists()

    def test_labels_that_no_journal_can_keep(self, data, path):
        X, y, y_noisy = data
        days = np.array(["2020-01-01", "2020-01-02", "2020-01-03"], dtype="M8[D]").astype(object)
        with pytest.raises(ValueError, match="journal can keep labels"):
            start(path, (X, days[y], days[y_noisy]))

    def test_a_first_phase_that_fails_leaves_no_journal(self, data, path):
        X, y, y_noisy = data
        with pytest.raises(ValueError, match="NaN"):
            start(path, (np.full_like(X, np.nan), y, y_noisy))
        assert not path.exists()
        start(path, data)


class TestIds:
    def test_rows_by_their_ids(self, data, model):
        X, y, y_noisy = data
        ids = pd.Series([f"img_{row}" for row in range(len(y))])
        settings = {"n_rounds": 2, "round_budget": 3, "random_state": 0}
        by_id = ActiveLabelCleaner(model, **settings).start(X, y_noisy, ids=ids)
        by_row = ActiveLabelCleaner(model, **settings).start(X, y_noisy)
        while len(rows := by_row.query()):
            names = by_id.ids_[by_id.query()]
            assert names.tolist() == [f"img_{row}" for row in rows]
            by_row.teach(rows, y[rows])
            by_id.teach(names, y[rows])
        np.testing.assert_array_equal(by_id.labels_, by_row.labels_)
        assert by_row.ids_.tolist() == [str(row) for row in range(len(y))]
        by_row.teach(["7"], [2])
        assert by_row.labels_[7] == 2
        with pytest.raises(ValueError, match="row numbers, or ids among ids_, got .'img_999'"):
            by_id.teach(["img_1", "img_999"], [0, 0])
        with pytest.raises(ValueError, match="row numbers, or ids among ids_"):
            by_id.teach([1, "img_2"], [0, 0])
        with pytest.raises(ValueError, match="each row once"):
            by_id.teach(["img_1", "img_1"], [0, 0])

    def test_ids_are_checked_before_anything_starts(self, data, model):
        X, _, y_noisy = data
        cleaner = ActiveLabelCleaner(model)
        for ids, message in [
            (range(len(X)), "non-empty strings"),
            (["a"] * len(X), "'a' is there twice"),
            (["a", "b"], "each of the 115 samples, got 2"),
            (["\ud800", *map(str, range(1, len(X)))], "valid Unicode"),
        ]:
            with pytest.raises(ValueError, match=message):
                cleaner.start(X, y_noisy, ids=ids)


class TestAnswering:
    def test_bad_answers_leave_no_trace(self, data, path):
        cleaner = start(path, data)
        rows = cleaner.query()
        journal = Journal(path)
        before = journal.events()
        for call in (journal.answer, cleaner.teach):
            for arguments, remarks, message in [
                ((rows[:1], [9]), {}, "not among the classes"),
                ((rows[:1], [0, 1]), {}, "2 answers for 1 rows"),
                (([200], [0]), {}, "rows must be from 0 to 114"),
                ((["x"], [0]), {}, "row numbers, or ids"),
                ((rows[:1], [0]), {"seconds": [-1]}, "seconds"),
                ((rows[:1], [0]), {"seconds": ["long"]}, "seconds"),
                ((rows[:1], [0]), {"seconds": 3.0}, "seconds"),
                ((rows[:1], [0]), {"comments": [3]}, "comments"),
                ((rows[:1], [0]), {"comments": ["\ud800"]}, "valid Unicode"),
                ((rows[:1], [0]), {"annotator": 3}, "annotator"),
            ]:
                with pytest.raises(ValueError, match=message):
                    call(*arguments, **remarks)
        assert repr(journal.events()) == repr(before)
        assert journal.answers() == []

    def test_answers_written_elsewhere_count_in_the_order_of_the_file(self, data, path):
        cleaner = start(path, data)
        rows = cleaner.query()
        journal = Journal(path)
        journal.answer(rows[:1], [0])
        journal.answer(rows[:1], [1])
        cleaner.teach(rows[:1], [2])  # the later one, though the others were not yet read
        assert cleaner.labels_[rows[0]] == 2
        journal.answer(rows[:1], [1])
        np.testing.assert_array_equal(cleaner.query(), rows[1:])
        assert cleaner.labels_[rows[0]] == 1
        assert cleaner.state_.cost == 4
        assert [a["old_label"] for a in journal.answers()[1:]] == [0, 1, 2]

    def test_an_answer_that_comes_while_the_model_is_fitted_is_for_the_next_round(self, data, path):
        X, y, _ = data

        class Busy(LogisticRegression):
            def fit(self, X, y):
                if path.exists() and len(Journal(path).answers()) == 4:
                    Journal(path).answer([late], [2])
                return super().fit(X, y)

        settings = {"n_rounds": 2, "random_state": 0}
        cleaner = start(path, data, Busy(max_iter=1000), **settings)
        rows = cleaner.query()
        late = np.setdiff1d(np.arange(len(X)), rows)[-1]
        cleaner.teach(rows, y[rows])
        second = cleaner.query()
        assert len(Journal(path).answers()) == 5
        assert cleaner.history_["cost"].tolist() == [0, 4]
        cleaner.query()
        assert cleaner.labels_[late] == 2
        cleaner.teach(second, y[second]).query()
        assert cleaner.history_["cost"].tolist() == [0, 4, 9]
        resumed = start(path, data, Busy(max_iter=1000), **settings)
        assert_same(resumed, cleaner, X)

    def test_waiting(self, data, path, model):
        X, y, y_noisy = data
        cleaner = start(path, data)
        assert cleaner.wait(timeout=0)  # nothing was asked
        rows = cleaner.query()
        assert not cleaner.wait(timeout=0.05, poll=0.01)

        def answer():
            for row in rows:
                Journal(path).answer([row], [y[row]])

        thread = threading.Thread(target=answer)
        thread.start()
        assert cleaner.wait(timeout=60, poll=0.01)
        thread.join()
        np.testing.assert_array_equal(cleaner.labels_[rows], y[rows])
        without = ActiveLabelCleaner(model, n_rounds=1, round_budget=2).start(X, y_noisy)
        without.query()
        with pytest.raises(ValueError, match="needs a journal"):
            without.wait()


class TestOneRunner:
    def test_in_one_process_the_latest_cleaner_runs(self, data, path):
        first = start(path, data)
        second = start(path, data)
        for call in (first.query, lambda: first.teach([0], [0]), first.close_round):
            with pytest.raises(RuntimeError, match="another one has gone on"):
                call()
        assert first.predict(data[0]).shape == data[1].shape
        rows = second.query()
        with pytest.raises(ValueError, match="other parameters"):
            start(path, data, round_budget=7)
        np.testing.assert_array_equal(second.query(), rows)  # still the one
        second.close()
        with pytest.raises(RuntimeError, match="call start"):
            second.query()
        finish(start(path, data), data[1])

    def test_the_same_cleaner_may_start_again(self, data, path):
        X, _, y_noisy = data
        cleaner = start(path, data)
        rows = cleaner.query()
        np.testing.assert_array_equal(cleaner.start(X, y_noisy).query(), rows)

    def test_copies_predict_but_do_not_write(self, data, path):
        X, y, _ = data
        cleaner = start(path, data)
        rows = cleaner.query()
        copy = pickle.loads(pickle.dumps(cleaner))
        np.testing.assert_array_equal(copy.predict_proba(X), cleaner.predict_proba(X))
        with pytest.raises(RuntimeError, match="copy"):
            copy.teach(rows, y[rows])
        del copy
        finish(cleaner, y)

    def test_a_journal_that_was_moved_goes_on(self, data, path, tmp_path):
        X, y, _ = data
        whole = finish(start(None, data, random_state=0), y)
        cleaner = start(path, data, random_state=0)
        rows = cleaner.query()
        cleaner.teach(rows, y[rows]).close()
        elsewhere = tmp_path / "ä folder #1?" / "50%.db"
        elsewhere.parent.mkdir()
        shutil.move(path, elsewhere)
        assert_same(finish(start(elsewhere, data, random_state=0), y), whole, X)
