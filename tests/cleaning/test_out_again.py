"""What comes out of a cleaner: labels in the user's form, issues, and the table of all labels."""

import copy
import csv
import pickle
from datetime import datetime, timezone

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression

from noisyactive import ActiveLabelCleaner
from noisyactive._cells import guarded, unguarded
from noisyactive._like import form_of, labels_like, row_index
from noisyactive.cleaning import CrossFit, Journal
from noisyactive.journal import Answered, Asked

NAMES = np.array(["cat", "dog", "newt"])
N = 115
INDEX = pd.Index([f"{n}.png" for n in range(N, 0, -1)], name="file")
COLUMNS = [
    "given", "label", "changed", "verified", "round", "annotators", "answers", "time", "comment",
    "quality", "suggested", "why", "trusted",
]  # fmt: skip

# How codes of three classes are made labels.
ARRAYS = {
    "int8": lambda codes: codes.astype(np.int8),
    "int64": lambda codes: codes + 3,
    "float32": lambda codes: codes.astype(np.float32),
    "text": lambda codes: NAMES.astype("<U5")[codes],
    "objects": lambda codes: NAMES.astype(object)[codes],
    "objects that are ints": lambda codes: codes.astype(object),
    "bool": lambda codes: codes > 0,
    "big-endian": lambda codes: codes.astype(">i4"),
}
DTYPES = {
    "category": lambda codes: pd.Categorical(NAMES[codes]),
    "ordered, with an unused one": lambda codes: pd.Categorical(
        NAMES[codes], categories=["newt", "cat", "ox", "dog"], ordered=True
    ),
    "category of ints": lambda codes: pd.Categorical(codes + 3),
    "string": lambda codes: pd.array(NAMES[codes], dtype="string"),
    "str": lambda codes: pd.Series(NAMES[codes]).array,
    "object": lambda codes: pd.Series(NAMES[codes].astype(object), dtype=object).array,
    "Int64": lambda codes: pd.array(codes, dtype="Int64"),
    "UInt8": lambda codes: pd.array(codes, dtype="UInt8"),
    "int16": lambda codes: codes.astype(np.int16),
    "boolean": lambda codes: pd.array(codes > 0, dtype="boolean"),
    "bool": lambda codes: codes > 0,
}


def make(trust="crossfit", **others):
    settings = {"n_rounds": 2, "round_budget": 6, "random_state": 0, **others}
    return ActiveLabelCleaner(LogisticRegression(max_iter=200), trust=trust, **settings)


@pytest.fixture(scope="module")
def blobs():
    """Samples, true codes and noisy codes."""
    rng = np.random.RandomState(0)
    codes = np.repeat([0, 1, 2], [60, 40, 15])
    X = 3 * np.eye(3)[codes] + rng.normal(size=(N, 3))
    noisy = np.where(rng.uniform(size=N) < 0.25, (codes + 1) % 3, codes)
    return X, codes, noisy


class TestForm:
    @pytest.mark.parametrize("convert", ARRAYS.values(), ids=ARRAYS)
    def test_arrays_keep_their_dtype(self, blobs, convert):
        X, codes, noisy = blobs
        y = convert(noisy)
        cleaner = make("all").fit(X, y, y_clean=convert(codes))
        bought = cleaner.relabelled_round_ > 0
        assert bought.sum() == 12
        for labels, expected in [
            (cleaner.given_labels_, y),
            (cleaner.labels_, np.where(bought, convert(codes), y)),
        ]:
            assert type(labels) is np.ndarray and labels.dtype == y.dtype
            np.testing.assert_array_equal(labels, expected)

    @pytest.mark.parametrize("convert", DTYPES.values(), ids=DTYPES)
    def test_a_series_keeps_index_name_and_dtype(self, blobs, convert):
        X, codes, noisy = blobs
        y, clean = (pd.Series(convert(c), index=INDEX, name="animal") for c in (noisy, codes))
        cleaner = make("all").fit(X, y, y_clean=clean)
        bought = cleaner.relabelled_round_ > 0
        pd.testing.assert_series_equal(cleaner.given_labels_, y)
        pd.testing.assert_series_equal(cleaner.labels_, y.where(~bought, clean))
        table = cleaner.to_frame()
        assert table["given"].dtype == table["label"].dtype == y.dtype
        pd.testing.assert_series_equal(table["label"], cleaner.labels_, check_names=False)

    @pytest.mark.parametrize("convert", ARRAYS.values(), ids=ARRAYS)
    def test_lists_become_what_numpy_makes_of_them(self, blobs, convert):
        X, _, noisy = blobs
        y = convert(noisy).tolist()
        labels = make("all").start(X, y).labels_
        assert type(labels) is np.ndarray and labels.dtype == np.array(y).dtype
        assert labels.tolist() == y

    def test_other_containers(self, blobs):
        X, _, noisy = blobs
        labels = make("all").start(X, torch.from_numpy(noisy)).labels_
        assert labels.dtype == noisy.dtype and (labels == noisy).all()
        with pytest.warns(UserWarning, match="column-vector"):
            labels = make("all").start(X, pd.DataFrame({"animal": NAMES[noisy]}, INDEX)).labels_
        pd.testing.assert_series_equal(labels, pd.Series(NAMES[noisy], INDEX, name="animal"))

    def test_a_wider_type_only_where_a_class_needs_it(self):
        codes = np.array([0, 1, 0, 2])
        for y, classes, dtype in [
            (np.array(["cat", "dog"]), np.array(["cat", "dog", "salamander"]), "<U10"),
            (np.array(["cat", "dog"], "<U9"), np.array(["cat", "dog", "newt"]), "<U9"),
            (np.array([1, 2], "int8"), np.array([1, 2, 3]), "int8"),
            (np.array([1, 2], "int8"), np.array([1, 2, 300]), "int64"),
            (np.array([False, True]), np.array([0, 1, 2]), "int64"),
        ]:
            labels = labels_like(form_of(y), classes, codes)
            assert labels.dtype == np.dtype(dtype)
            np.testing.assert_array_equal(labels, classes[codes])
        for y, classes, dtype in [
            (pd.Series([1, 2], dtype="Int8"), np.array([1, 2, 3]), "Int8"),
            (pd.Series([1, 2], dtype="Int8"), np.array([1, 2, 300]), "Int64"),
            (pd.Series([1, 2], dtype="int8"), np.array([1, 2, 300]), "int64"),
            (pd.Series([False, True], dtype="boolean"), np.array([0, 1, 2]), "Int64"),
            (
                pd.Series(["dog", "cat"], dtype="category"),
                np.array(["cat", "dog", "ant"], dtype=object),
                pd.CategoricalDtype(["cat", "dog", "ant"]),
            ),
        ]:
            form = form_of(pd.Series([*y, *y], dtype=y.dtype))
            labels = labels_like(form, classes, codes)
            assert labels.dtype == dtype
            assert labels.tolist() == classes[codes].tolist()

    @pytest.mark.parametrize(
        "make_labels",
        [
            lambda: pd.Series(pd.to_datetime(["2024-01-02", "2025-01-02"]).tz_localize("CET")),
            lambda: pd.Series(pd.to_datetime(["2024-01-02", "2025-01-02"])),
            lambda: pd.Series(pd.to_datetime(["2024-01-02", "2025-01-02"]), dtype="category"),
            lambda: pd.cut(pd.Series([1, 5]), [0, 2, 6]),
            lambda: pd.Series(pd.period_range("2024", periods=2, freq="Y")),
            lambda: pd.Series([3, 7], dtype="Sparse[int]"),
        ],
        ids=["zone", "time", "category of times", "intervals", "periods", "sparse"],
    )
    def test_labels_of_rare_kinds(self, make_labels):
        y = make_labels()
        classes, codes = np.unique(np.asarray(y), return_inverse=True)
        pd.testing.assert_series_equal(labels_like(form_of(y), classes, codes), y)

    def test_labels_are_memory_of_their_own(self, blobs):
        X, _, noisy = blobs
        for y in (noisy.copy(), pd.Series(noisy.copy())):
            cleaner = make("all").start(X, y)
            labels = cleaner.labels_
            labels[:] = 7
            np.testing.assert_array_equal(cleaner.labels_, noisy)
            y[:] = 7  # what was passed may change, too
            np.testing.assert_array_equal(cleaner.given_labels_, noisy)

    def test_copies_have_the_same(self, blobs):
        X, _, noisy = blobs
        cleaner = make().start(X, pd.Series(NAMES[noisy], INDEX, dtype="category"))
        for other in (copy.deepcopy(cleaner), pickle.loads(pickle.dumps(cleaner))):
            pd.testing.assert_series_equal(other.labels_, cleaner.labels_)
            pd.testing.assert_frame_equal(other.to_frame(), cleaner.to_frame())


class TestIssues:
    @pytest.mark.parametrize("trust", ["crossfit", CrossFit(random_share=0)], ids=str)
    def test_are_of_the_labels_as_they_are_now(self, blobs, trust):
        X, codes, noisy = blobs
        y = pd.Series(NAMES[noisy], INDEX)
        cleaner = make(trust).fit(X, y, y_clean=NAMES[codes])
        posterior = cleaner.estimator_.label_posterior_
        now = cleaner.state_.codes
        assert (now != noisy).any()
        quality = cleaner.label_quality_
        assert quality.tolist() == [posterior[row, code] for row, code in enumerate(now)]
        issues = cleaner.issues_
        assert (np.diff(issues["quality"]) >= 0).all()
        issues = issues.reindex(INDEX)
        assert issues["quality"].tolist() == quality.tolist()
        assert issues["given"].tolist() == cleaner.labels_.tolist()
        assert issues["suggested"].tolist() == NAMES[posterior.argmax(axis=1)].tolist()
        assert issues["is_issue"].tolist() == (quality <= 0.5).tolist()
        assert (issues["why"] != "").tolist() == (quality <= 0.5).tolist()

    def test_answers_count_before_any_model_has_learned_them(self, blobs):
        X, codes, noisy = blobs
        cleaner = make().start(X, noisy)
        before = cleaner.label_quality_
        model = cleaner.estimator_
        rows = cleaner.query()
        wrong = rows[noisy[rows] != codes[rows]]
        assert len(wrong) and (before[wrong] < 0.5).all()
        np.testing.assert_array_equal(cleaner.label_quality_, before)  # a question says nothing
        cleaner.teach(rows, codes[rows])
        assert (cleaner.label_quality_[wrong] > 0.9).all()
        assert (cleaner.to_frame()["quality"][wrong] > 0.9).all()
        assert cleaner.issues_["given"][wrong].tolist() == codes[wrong].tolist()
        assert cleaner.estimator_ is model
        assert (model.label_posterior_[wrong, codes[wrong]] < 0.9).any()  # of the model as it was
        cleaner.query()
        expected = cleaner.estimator_.label_posterior_[np.arange(N), cleaner.labels_]
        np.testing.assert_array_equal(cleaner.label_quality_, expected)

    @pytest.mark.parametrize("trust", ["once", "verified", "all"])
    def test_other_policies_have_none_and_say_so(self, blobs, trust):
        X, codes, noisy = blobs
        cleaner = make(trust).fit(X, NAMES[noisy], y_clean=NAMES[codes])
        for name in ("issues_", "label_quality_"):
            assert not hasattr(cleaner, name)
            with pytest.raises(
                AttributeError, match=f'has {name} only with trust="crossfit".*{trust}'
            ):
                getattr(cleaner, name)
        table = cleaner.to_frame()
        assert table["quality"].isna().all() and table["suggested"].isna().all()
        assert table["suggested"].cat.categories.tolist() == NAMES.tolist()
        answered = cleaner.relabelled_round_ > 0
        assert set(table["why"][answered]) == {"answered by an expert"}
        assert set(table["why"][~answered]) == {"no one was asked"}

    def test_before_the_start(self):
        cleaner = make()
        for name in ("issues_", "label_quality_", "labels_", "given_labels_"):
            with pytest.raises(AttributeError, match=f"has no {name} before its first fit"):
                getattr(cleaner, name)
        with pytest.raises(NotFittedError):
            cleaner.to_frame()
        with pytest.raises(NotFittedError):
            cleaner.to_csv("never.csv")


class TestIndex:
    @pytest.mark.parametrize("with_series", [True, False])
    @pytest.mark.parametrize("with_frame", [True, False])
    @pytest.mark.parametrize("with_ids", [True, False])
    def test_of_labels_then_samples_then_ids_then_row_numbers(
        self, blobs, with_series, with_frame, with_ids
    ):
        X, _, noisy = blobs
        ids = [f"id {n}" for n in range(N)] if with_ids else None
        y = pd.Series(noisy, INDEX) if with_series else noisy
        if with_frame:
            X = pd.DataFrame(X, columns=list("abc"), index=range(N, 0, -1))
        cleaner = make().start(X, y, ids=ids)
        table = cleaner.to_frame()
        if with_series:
            expected = INDEX
        elif with_frame:
            expected = X.index
        else:
            expected = pd.Index(ids, name="id") if with_ids else pd.RangeIndex(N, name="row")
        pd.testing.assert_index_equal(table.index, expected)
        of_issues = cleaner.issues_.sort_index().index
        assert of_issues.tolist() == sorted(expected) and of_issues.name == expected.name
        # Ids that are not the index must not be lost.
        named = with_ids and (with_series or with_frame)
        assert table.columns.tolist() == (["id"] if named else []) + COLUMNS
        assert not named or table["id"].tolist() == ids

    def test_what_only_looks_like_a_table_has_none(self):
        class Lazy:
            iloc = index = property(lambda self: 1 / 0)

            def __getattribute__(self, name):
                return object() if name in ("iloc", "index") else super().__getattribute__(name)

        assert row_index(Lazy(), [1, 2]) is None
        assert row_index([0, 1], pd.Series([1, 2], [5, 6])).tolist() == [5, 6]


def run_with_people(blobs, journal=None):
    """Two people for each row; ties, corrections, refusals, and a round that is closed."""
    X, codes, noisy = blobs
    y = pd.Series(NAMES[noisy], INDEX, dtype="category")
    cleaner = make(answers_per_item=2, round_budget=12, n_rounds=3, journal=journal).start(X, y)
    cleaner.teach([7], ["cat"], annotator="bob", comments=["before any round"])
    rows = cleaner.query()
    assert len(rows) == 6
    truth = NAMES[codes[rows]].tolist()
    cleaner.teach(rows, truth, annotator="ana", comments=["sure", *[None] * 5])
    cleaner.teach(
        rows[:4], [*truth[:2], None, "newt"], annotator="bob", comments=["too", "=x", "?", ""]
    )
    cleaner.teach(rows[4:5], [None], annotator="bob")
    cleaner.teach(rows[4:5], [None], annotator="ana", comments=["dark"])
    cleaner.close_round().query()
    cleaner.teach(rows[:1], truth[:1], annotator="ana")  # takes her comment back
    cleaner.query()
    return cleaner, rows


def by_hand(cleaner):
    """The columns on people, by another way: one row of the table after another."""
    for row in range(N):
        n_rounds, round_, time, said, asked = 0, None, None, {}, False
        for event in cleaner.events_:
            if isinstance(event, Asked):
                n_rounds += 1
                asked = asked or row in event.rows
            if isinstance(event, Answered) and row in event.rows:
                place = event.rows.index(row)
                remark = event.comments[place] if event.comments else None
                said.pop(event.annotator, None)
                said[event.annotator] = event.labels[place], remark
                round_, time = n_rounds, pd.Timestamp(event.time)
        yield {
            "round": pd.NA if round_ is None else round_,
            "annotators": ", ".join(said),
            "answers": "; ".join(f"{w}: {a or 'cannot tell'}" for w, (a, _) in said.items()),
            "time": pd.NaT if time is None else time,
            "comment": "; ".join(f"{who}: {remark}" for who, (_, remark) in said.items() if remark),
            "asked": asked,
        }


class TestTable:
    @pytest.mark.parametrize("with_journal", [False, True])
    def test_who_when_and_what(self, blobs, tmp_path, with_journal):
        journal = tmp_path / "run.db" if with_journal else None
        start = datetime.now(timezone.utc)
        cleaner, _ = run_with_people(blobs, journal)
        table = cleaner.to_frame()
        assert table.columns.tolist() == COLUMNS
        expected = pd.DataFrame(by_hand(cleaner), index=INDEX).drop(columns="asked")
        expected["round"] = expected["round"].astype("Int64")
        pd.testing.assert_frame_equal(table[expected.columns], expected, check_dtype=False)
        assert table["round"].dtype == "Int64"
        assert str(table["time"].dtype).endswith("UTC]")
        known = table["time"].dropna()
        assert (
            len(known)
            and known.between(start - pd.Timedelta("1s"), datetime.now(timezone.utc)).all()
        )
        state = cleaner.state_
        assert table["changed"].tolist() == (state.codes != state.given_codes).tolist()
        assert table["verified"].tolist() == state.verified.tolist()
        assert table["trusted"].tolist() == cleaner.clean_mask_.tolist()
        assert table["quality"].tolist() == cleaner.label_quality_.tolist()
        pd.testing.assert_series_equal(table["given"], cleaner.given_labels_, check_names=False)
        pd.testing.assert_series_equal(table["label"], cleaner.labels_, check_names=False)
        if with_journal:
            cleaner.close()
            y = cleaner.given_labels_
            resumed = make(answers_per_item=2, round_budget=12, n_rounds=3, journal=journal).start(
                blobs[0], y
            )
            pd.testing.assert_frame_equal(resumed.to_frame(), table)

    def test_why(self, blobs):
        cleaner, rows = run_with_people(blobs)
        table = cleaner.to_frame()
        issues = cleaner.issues_.reindex(INDEX)["why"].tolist()
        why = table["why"].tolist()
        told = {
            rows[0]: "answered by bob and ana",
            rows[1]: "answered by ana and bob",
            rows[2]: "answered by ana",
            rows[4]: "bob and ana cannot tell",
            rows[5]: "answered by ana, not decided",
            7: "answered by bob, not decided",
        }
        if cleaner.labels_.iloc[rows[3]] != "newt":
            told[rows[3]] = "answered by ana and bob, not decided"
        for row, words in told.items():
            assert why[row] == (f"{words}; {issues[row]}" if issues[row] else words)
        asked = [line["asked"] for line in by_hand(cleaner)]
        for row in set(range(N)) - set(cleaner.state_.answers):
            plain = "asked, not answered" if asked[row] else "no one was asked"
            assert why[row] == (issues[row] or plain)
        assert "no one was asked" in why and any(one.startswith("looks like") for one in why)

    def test_answers_of_nobody_in_particular_and_none_before_the_first(self, blobs):
        X, codes, noisy = blobs
        cleaner = make("all").start(X, noisy)
        table = cleaner.to_frame()
        assert table["round"].isna().all() and table["time"].isna().all()
        assert (table[["annotators", "answers", "comment"]] == "").all(axis=None)
        rows = cleaner.query()
        cleaner.teach(rows[:2], [1, None], comments=["clear", "dark"])
        table = cleaner.to_frame().loc[rows]
        assert table["annotators"].tolist() == [""] * 6
        assert table["answers"].tolist() == ["1", "cannot tell", *[""] * 4]
        assert table["comment"].tolist() == ["clear", "dark", *[""] * 4]
        assert table["why"].tolist() == [
            "answered by an expert", "an expert cannot tell", *["asked, not answered"] * 4,
        ]  # fmt: skip

    def test_the_one_who_gave_the_label_is_named(self, blobs):
        X, _, noisy = blobs
        cleaner = make("all").start(X, NAMES[noisy])
        cleaner.teach([5], ["newt"], annotator="ana").teach([5], ["dog"], annotator="bob")
        row = cleaner.to_frame().loc[5]
        assert (row["label"], row["why"]) == ("dog", "answered by bob")
        assert (row["annotators"], row["answers"]) == ("ana, bob", "ana: newt; bob: dog")
        row = cleaner.teach([5], ["newt"], annotator="cy").to_frame().loc[5]
        assert row["why"] == "answered by ana and cy"

    def test_answers_of_another_process(self, blobs, tmp_path):
        X, _, noisy = blobs
        cleaner = make("all", journal=tmp_path / "run.db").start(X, noisy)
        row = cleaner.query()[0]
        Journal(tmp_path / "run.db").answer([str(row)], [2], annotator="ana", comments=["hm"])
        cleaner.open_items()  # reads the journal
        line = cleaner.to_frame().loc[row]
        assert (line["label"], line["annotators"], line["comment"]) == (2, "ana", "ana: hm")
        assert line["why"] == "answered by ana" and line["round"] == 1


class TestCsv:
    def test_is_the_table(self, blobs, tmp_path):
        cleaner, _ = run_with_people(blobs)
        path = tmp_path / "labels.csv"
        cleaner.to_csv(path)
        table = cleaner.to_frame()
        types = {
            "given": "category",
            "label": "category",
            "suggested": "category",
            "round": "Int64",
        }
        read = pd.read_csv(path, index_col=0, dtype=types, parse_dates=["time"])
        text = ["annotators", "answers", "comment"]
        read[text] = read[text].fillna("")
        pd.testing.assert_frame_equal(read, table, check_dtype=False, check_categorical=False)
        lines = path.read_bytes().split(b"\r\n")
        assert lines[0].decode() == ",".join(["file", *COLUMNS]) and len(lines) == N + 2

    @pytest.mark.parametrize("convert", ARRAYS.values(), ids=ARRAYS)
    def test_labels_of_any_kind(self, blobs, tmp_path, convert):
        X, codes, noisy = blobs
        cleaner = make("all").fit(X, convert(noisy), y_clean=convert(codes))
        cleaner.to_csv(tmp_path / "labels.csv")
        read = pd.read_csv(tmp_path / "labels.csv", index_col="row", dtype={"label": str})
        assert read["label"].tolist() == [str(label) for label in cleaner.labels_.tolist()]
        assert read["quality"].isna().all() and len(read) == N

    def test_negative_numbers_stay_numbers_and_text_becomes_no_formula(self, blobs, tmp_path):
        X, _, noisy = blobs
        path = tmp_path / "labels.csv"
        make("all").start(X, noisy - 1).to_csv(path)
        assert pd.read_csv(path)["label"].tolist() == (noisy - 1).tolist()

        names = np.array(["=1+1", "-dog", 'ñandú, "big"\r\n@home'])
        ids = [f"{'=+-@'[n % 4]}{n}" for n in range(N - 1)] + ["\tid"]
        cleaner = make().start(X, pd.Series(names[noisy], dtype="category").to_numpy(), ids=ids)
        rows = cleaner.query()[:1]
        cleaner.teach(rows, names[:1], annotator="@ana", comments=["=cmd|x"])
        cleaner.to_csv(path)
        with path.open(encoding="utf-8", newline="") as file:
            lines = list(csv.reader(file))
        assert lines[0] == ["id", *COLUMNS]
        table = cleaner.to_frame()
        numbers = {"quality", "time", "round"}
        for line, (name, row) in zip(lines[1:], table.iterrows(), strict=True):
            assert [cell for cell in line if cell.startswith(tuple("=+-@\t"))] == []
            assert unguarded(line[0]) == name
            for cell, column in zip(line[1:], COLUMNS, strict=True):
                if column not in numbers:
                    assert unguarded(cell) == str(row[column])
        assert lines[1 + rows[0]][COLUMNS.index("answers") + 1] == "'@ana: =1+1"

    def test_several_levels_of_an_index(self, blobs, tmp_path):
        X, _, noisy = blobs
        index = pd.MultiIndex.from_arrays([["=a"] * N, range(N)], names=["-site", "n"])
        make("all").start(X, pd.Series(noisy, index)).to_csv(tmp_path / "labels.csv")
        read = pd.read_csv(tmp_path / "labels.csv", index_col=[0, 1])
        assert read.index.names == ["'-site", "n"]
        assert read.index.tolist() == [("'=a", n) for n in range(N)]

    def test_replaces_a_file_whole_or_leaves_it(self, blobs, tmp_path, monkeypatch):
        X, _, noisy = blobs
        path = tmp_path / "labels.csv"
        path.write_text("old")
        cleaner = make("all").start(X, noisy)
        with monkeypatch.context() as patched:

            def full(*_):
                raise OSError("disk full")

            patched.setattr("os.fsync", full)
            with pytest.raises(OSError, match="disk full"):
                cleaner.to_csv(path)
        assert path.read_text() == "old"
        cleaner.to_csv(str(path))
        assert len(pd.read_csv(path)) == N
        assert [one.name for one in tmp_path.iterdir()] == ["labels.csv"]
        with pytest.raises(TypeError, match="path must be a path"):
            cleaner.to_csv(5)
        with pytest.raises(OSError):
            cleaner.to_csv(tmp_path / "nowhere" / "labels.csv")

    @pytest.mark.parametrize(
        "text", ["=1", "\t2", "\tx", " =1", "＝x", "00123", "'=1", "cat", "", "1"]
    )
    def test_guarded_cells_come_back(self, text):
        assert unguarded(guarded(text)) == text
