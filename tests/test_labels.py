"""The gate for labels, at every entry point that takes some."""

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB

from noisyactive import (
    ActiveLabelCleaner,
    CoTeachingClassifier,
    LongTailSampler,
    NoisyLabelsClassifier,
    UniformLabelNoise,
    find_label_issues,
    rank_suspects,
)
from noisyactive._codes import unique_in_blocks
from noisyactive._labels import find_classes
from noisyactive.audit import LabelAudit, estimate_noise
from noisyactive.cleaning import GroundTruthOracle
from noisyactive.inspection import noise_report

X = np.random.RandomState(0).rand(6, 2)
NOISE = UniformLabelNoise(0.2, random_state=0)
DATES = np.array(["2024-01-01", "2024-01-02", "NaT"] * 2, dtype="datetime64[D]")
REFUSED = {
    "masked": (np.ma.array([0, 1] * 3, mask=[1, 0, 0, 0, 0, 0]), "masked entries: fill them with"),
    "list of masked": ([np.ma.masked, 1] * 3, "masked|missing"),
    "NaT": (DATES, "missing values"),
    "NaN": ([0.0, np.nan] * 3, "NaN"),
    "NA": (pd.Series([0, 1, pd.NA] * 2, dtype="Int64"), "missing values|NaN"),
    "None": (["a", None] * 3, "missing values"),
    "infinity": ([0.0, np.inf] * 3, "infinity"),
    "continuous": (np.linspace(0, 1, 6), "continuous"),
    "complex": (np.array([1j, 2] * 3), "Complex data not supported"),
    "one-hot": (np.eye(2)[[0, 1] * 3], "one-hot labels are not supported"),
    "mixed": ([1, "a"] * 3, "one kind"),
    "mapping": (dict(enumerate([0, 1] * 3)), "array or a sequence"),
    "one number": (1, "got a single int"),
    "empty": ([], "holds no labels"),
}
ENTRIES = {
    "network": lambda y: CoTeachingClassifier().fit(X, y),
    "cleaner": lambda y: ActiveLabelCleaner(GaussianNB()).start(X, y),
    "noise": lambda y: UniformLabelNoise(0.2).fit_transform(y),
    "sampler": lambda y: LongTailSampler(2).fit_resample(X, y),
    "suspects": lambda y: rank_suspects(y, np.full((6, 2), 0.5)),
    "oracle": lambda y: GroundTruthOracle(y),
    "audit": lambda y: estimate_noise(y, [0, 1] * 3),
    "report": lambda y: noise_report(y, [0, 1] * 3),
}


@pytest.mark.parametrize("entry", ENTRIES)
@pytest.mark.parametrize("kind", REFUSED)
def test_refused_everywhere(kind, entry):
    y, message = REFUSED[kind]
    with pytest.raises((TypeError, ValueError), match=message):
        ENTRIES[entry](y)


@pytest.mark.parametrize("dtype", [">i4", ">f8", ">U1"])
def test_labels_of_another_byte_order(dtype):
    X, y = np.arange(20.0)[:, None], np.repeat([0, 1], 10).astype(dtype)
    audit = LabelAudit(LogisticRegression(), random_state=0).fit(X, y)
    assert_array_equal(audit.issues_["given"].sort_index().astype(y.dtype.newbyteorder("=")), y)
    assert ActiveLabelCleaner(LogisticRegression()).fit(X, y).labels_.dtype == dtype


def test_text_that_ends_with_nul_stays_apart():
    y = ["a", "a\0"] * 3
    noise = UniformLabelNoise(0, random_state=0)
    assert noise.fit_transform(y).tolist() == y
    assert noise.classes_.tolist() == ["a", "a\0"]
    net = CoTeachingClassifier(max_epochs=1, warmup_epochs=1, forget_rate=0.1).fit(X, y)
    assert net.classes_.tolist() == ["a", "a\0"]


def test_text_that_ends_with_nul_in_other_estimators():
    y = ["a", "a\0"] * 3
    for make in (ActiveLabelCleaner, lambda model: NoisyLabelsClassifier(model, NOISE)):
        assert make(LogisticRegression()).fit(X, y).classes_.tolist() == ["a", "a\0"]
        with pytest.raises(ValueError, match=r"'a\\x00'\] in y do not exist"):  # it merges them
            make(GaussianNB()).fit(X, y)


def test_ints_that_numpy_has_no_type_for():
    for model in (ActiveLabelCleaner(GaussianNB()), NoisyLabelsClassifier(GaussianNB(), NOISE)):
        with pytest.raises(ValueError, match="ints of at most 64 bits, or text: pass y as text"):
            model.fit(X, [10**30, 1] * 3)


def test_objects_that_are_numbers_serve_as_labels_of_any_estimator():
    y = np.array([0, 1] * 3, dtype=object)
    cleaner = ActiveLabelCleaner(GaussianNB(), random_state=0)
    for model in (cleaner, NoisyLabelsClassifier(GaussianNB(), NOISE)):
        assert_array_equal(model.fit(X, y).predict(X), model.fit(X, y.astype(int)).predict(X))


@pytest.mark.parametrize(
    "same",
    [
        [0, 1] * 3,
        (0, 1) * 3,
        np.array([0, 1] * 3, dtype=">i4"),
        np.array([0, 1] * 3, dtype=object),
        np.array([-0.0, 1.0] * 3),
        [np.int8(0), np.int64(1)] * 3,
        pd.Series([0, 1] * 3, index=range(6, 0, -1)),
        pd.Series([0, 1] * 3, dtype="Int64"),
        torch.tensor([0, 1] * 3),
        np.ma.array([0, 1] * 3),
    ],
)
def test_the_same_labels_in_other_containers(same):
    expected = UniformLabelNoise(0.4, random_state=0).fit_transform(np.array([0, 1] * 3))
    assert_array_equal(UniformLabelNoise(0.4, random_state=0).fit_transform(same), expected)


class TestNamesOfColumns:
    Y = ["cat", "cat", "dog", "dog"]
    PROBA = np.array([[0.9, 0.1], [0.2, 0.8], [0.3, 0.7], [0.6, 0.4]])  # of cat, dog

    def test_are_the_classes_in_any_order(self):
        frame = pd.DataFrame(self.PROBA, columns=["cat", "dog"])
        expected = rank_suspects(self.Y, self.PROBA)
        assert expected[0] == 1
        assert_array_equal(rank_suspects(self.Y, frame), expected)
        assert_array_equal(rank_suspects(self.Y, frame[["dog", "cat"]]), expected)

    def test_of_numbers_too(self):
        y = [0, 0, 1, 1]
        frame = pd.DataFrame(self.PROBA)
        assert_array_equal(rank_suspects(y, frame[[1, 0]]), rank_suspects(y, self.PROBA))

    def test_are_not_used_where_they_only_count(self):
        frame = pd.DataFrame(self.PROBA)
        assert_array_equal(rank_suspects(self.Y, frame), rank_suspects(self.Y, self.PROBA))

    @pytest.mark.parametrize("columns", [["cat", "cow"], ["cat", "cat"], ["p_cat", "p_dog"]])
    def test_are_refused_if_they_are_others(self, columns):
        with pytest.raises(ValueError, match="classes"):
            rank_suspects(self.Y, pd.DataFrame(self.PROBA, columns=columns))


@given(
    st.one_of(
        st.lists(st.integers(-3, 3)),
        st.lists(st.floats(allow_nan=False), max_size=20),
        st.lists(st.sampled_from(["a", "b", "\u00e9", ""])),
        st.lists(st.sampled_from(["a", "b", "ab"])).map(lambda y: np.array(y, dtype=object)),
    ),
    st.integers(1, 8),
)
def test_distinct_values_of_blocks_are_those_of_the_whole(values, block):
    values = np.array(values)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("noisyactive._codes._BLOCK", block)
        ours = unique_in_blocks(values)
    for found, expected in zip(ours, np.unique(values, return_inverse=True), strict=True):
        assert_array_equal(found, expected, strict=True)


def test_kinds_that_differ_between_blocks_are_refused(monkeypatch):
    monkeypatch.setattr("noisyactive._codes._BLOCK", 3)
    with pytest.raises(ValueError, match="it mixes int, str"):
        find_classes(np.array(["a", "b", "a", 1, 2, 1], dtype=object))


NAMES = pd.Index([f"sample {row}" for row in range(24)])
TABLE = pd.DataFrame({"a": np.arange(24.0), "b": [0.0, 1.0] * 12}, NAMES)
GIVEN = pd.Series(["no", "yes"] * 12, NAMES)
NET = CoTeachingClassifier(max_epochs=1, warmup_epochs=1, forget_rate=0, random_state=0)
TAKE_BOTH = {
    "audit": lambda X, y: LabelAudit(GaussianNB(), cv=2).fit(X, y),
    "issues": lambda X, y: find_label_issues(GaussianNB(), X, y, cv=2),
    "cleaner": lambda X, y: ActiveLabelCleaner(
        GaussianNB(), trust="all", n_rounds=1, round_budget=1
    ).start(X, y),
    "network": lambda X, y: clone(NET).fit(X, y),
}


@pytest.mark.parametrize("take", TAKE_BOTH.values(), ids=TAKE_BOTH)
def test_the_same_index_in_another_order_is_told(take):
    with pytest.warns(
        UserWarning, match=r"same index in another order.*y\.loc\[X\.index\]"
    ) as told:
        take(TABLE, GIVEN[::-1])
    assert sum("another order" in str(one.message) for one in told) == 1
    # Warnings are errors: these bring none.
    take(TABLE, GIVEN[::-1].loc[TABLE.index])
    take(TABLE, GIVEN[::-1].to_numpy())


@pytest.mark.parametrize(
    "index",
    [
        NAMES,
        range(24),
        [*NAMES[1:], "another"],
        [*NAMES[:22][::-1], "sample 0", "sample 0"],
        pd.MultiIndex.from_product([NAMES, [0]]),
    ],
    ids=["the same", "of its own", "one differs", "an entry twice", "two levels"],
)
def test_another_index_is_no_other_order(index):
    TAKE_BOTH["audit"](TABLE, GIVEN.set_axis(index))


def test_an_index_of_two_levels_in_another_order_is_told():
    levels = pd.MultiIndex.from_product([range(12), ["left", "right"]])
    with pytest.warns(UserWarning, match="another order"):
        TAKE_BOTH["audit"](TABLE.set_axis(levels), GIVEN.set_axis(levels)[::-1])
    TAKE_BOTH["audit"](TABLE.set_axis(levels), GIVEN)
