"""Samples and labels in the containers that people have them in."""

from functools import cache

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.datasets import make_blobs
from sklearn.linear_model import LogisticRegression

from noisyactive import (
    ActiveLabelCleaner,
    CoTeachingVOGClassifier,
    InstanceDependentLabelNoise,
    LabelNoiseSampler,
    LongTailSampler,
    NoisyLabelsClassifier,
    PairLabelNoise,
    TransitionLabelNoise,
    UniformLabelNoise,
    find_label_issues,
)
from noisyactive.query import strategy_names

NET = CoTeachingVOGClassifier(
    max_epochs=6,
    warmup_epochs=2,
    ramp_epochs=2,
    vog_window=2,
    batch_size=20,
    lr=0.05,
    random_state=0,
)
NOISE = UniformLabelNoise(0.3, exact=True, random_state=0)
NAMES = np.array(["ill", "well", "worse"])
X, CODES = make_blobs([30, 20, 10], n_features=4, random_state=0)
X = X.astype(np.float32)
FRAME = pd.DataFrame(X, columns=["age", "dose", "iron", "zinc"])

# What is passed as y, and the classes that come back, sorted, with their dtype. Labels of a cleaner
# come back as they were, see tests/cleaning/test_out_again.py.
LABELS = {
    "objects": (NAMES[CODES].astype(object), NAMES.astype(object)),
    "list": (NAMES[CODES].tolist(), NAMES),
    "Series": (pd.Series(NAMES[CODES], index=range(60, 0, -1)), NAMES.astype(object)),
    "string": (pd.Series(NAMES[CODES], dtype="string"), NAMES.astype(object)),
    "categorical": (pd.Series(NAMES[CODES], dtype="category"), NAMES.astype(object)),
    "ordered": (
        pd.Categorical(NAMES[CODES], categories=["well", "ill", "worse"], ordered=True),
        NAMES.astype(object),
    ),
    "categorical numbers": (pd.Series(CODES + 3, dtype="category"), np.array([3, 4, 5])),
    "Int64": (pd.Series(CODES + 3, dtype="Int64"), np.array([3, 4, 5])),
    "boolean": (pd.Series(CODES > 0, dtype="boolean"), np.array([False, True])),
    "tensor": (torch.from_numpy(CODES + 3), np.array([3, 4, 5])),
    "int8": ((CODES + 3).astype(np.int8), np.array([3, 4, 5], dtype=np.int8)),
}


@pytest.fixture(params=LABELS)
def labels(request):
    """Labels in a container, the classes, and the codes of the labels."""
    y, classes = LABELS[request.param]
    return y, classes, CODES if len(classes) == 3 else (CODES > 0).astype(int)


def make_cleaner(model=NET):
    return ActiveLabelCleaner(
        model, n_rounds=1, round_budget=6, pool="unverified", fine_tune_epochs=1, random_state=0
    )


CLEANERS = {
    "net": make_cleaner().set_params(trust="once"),
    "any": make_cleaner(LogisticRegression()),
}


@cache
def cleaner_by_code(name, n_classes):
    codes = CODES if n_classes == 3 else (CODES > 0).astype(int)
    return clone(CLEANERS[name]).fit(X, clone(NOISE).fit_transform(codes), y_clean=codes)


class TestLabels:
    @pytest.mark.parametrize(
        "model", [NET, NoisyLabelsClassifier(NET, NOISE)], ids=["net", "noisy"]
    )
    def test_same_as_codes(self, labels, model):
        y, classes, codes = labels
        by_code = clone(model).fit(X, codes)
        model = clone(model).fit(X, y)
        assert_array_equal(model.classes_, classes)
        assert_array_equal(model.predict_proba(X), by_code.predict_proba(X))
        predicted = model.predict(X)
        assert model.classes_.dtype == predicted.dtype == classes.dtype
        assert_array_equal(predicted, classes[by_code.predict(X)])
        assert model.score(X, y) == by_code.score(X, codes)

    @pytest.mark.parametrize("name", CLEANERS)
    def test_same_as_codes_in_the_cleaner(self, labels, name):
        y, classes, codes = labels
        noisy = clone(NOISE).fit_transform(y)
        by_code = cleaner_by_code(name, len(classes))
        cleaner = clone(CLEANERS[name]).fit(X, noisy, y_clean=y)
        assert_array_equal(cleaner.classes_, classes)
        assert_array_equal(cleaner.labels_, classes[by_code.labels_])
        assert_array_equal(cleaner.predict(X), classes[by_code.predict(X)])
        wrapped = clone(CLEANERS[name]).set_params(trust="all").start(X, y)
        assert_array_equal(wrapped.labels_, classes[codes])

    @pytest.mark.parametrize(
        "noise",
        [
            PairLabelNoise(0.3, exact=True, random_state=0),
            InstanceDependentLabelNoise(0.3, exact=True, random_state=0),
            UniformLabelNoise(0.3, exact=True, random_state=0),
        ],
        ids=lambda noise: type(noise).__name__,
    )
    def test_noise_in_any_container(self, labels, noise):
        y, classes, codes = labels
        for samples in (X, FRAME, torch.from_numpy(X)):
            y_noisy = clone(noise).fit_transform(y, samples)
            assert type(y_noisy) is np.ndarray
            assert y_noisy.dtype == classes.dtype
            assert_array_equal(y_noisy, classes[clone(noise).fit_transform(codes, X)])
            _, resampled = LabelNoiseSampler(noise).fit_resample(samples, y)
            assert_array_equal(resampled, y_noisy)

    def test_a_long_tail_keeps_the_container(self, labels):
        y, _, codes = labels
        sampler = LongTailSampler(imbalance_factor=5, random_state=0)
        X_tail, y_tail = sampler.fit_resample(FRAME, y)
        kept = clone(sampler).fit(X, codes).sample_indices_
        assert type(y_tail) is type(y)
        assert getattr(y_tail, "dtype", None) == getattr(y, "dtype", None)
        assert_array_equal(np.asarray(y_tail), np.asarray(y)[kept])
        pd.testing.assert_frame_equal(X_tail, FRAME.iloc[kept])


def with_a_hole(labels, missing):
    labels = list(labels)
    labels[7] = missing
    return labels


class TestMissingLabels:
    @pytest.fixture(
        params={
            "float": lambda: np.array(with_a_hole(CODES, np.nan)),
            "None": lambda: with_a_hole(NAMES[CODES].tolist(), None),
            "object NA": lambda: np.array(with_a_hole(NAMES[CODES], pd.NA), dtype=object),
            "Int64": lambda: pd.Series(with_a_hole(CODES, pd.NA), dtype="Int64"),
            "boolean": lambda: pd.Series(with_a_hole(CODES > 0, pd.NA), dtype="boolean"),
            "string": lambda: pd.Series(with_a_hole(NAMES[CODES], pd.NA), dtype="string"),
            "category of numbers": lambda: pd.Series(with_a_hole(CODES, None), dtype="category"),
            "tensor": lambda: torch.tensor(with_a_hole(CODES.tolist(), float("nan"))),
            "object nan": lambda: np.array(with_a_hole(NAMES[CODES], np.nan), dtype=object),
            "str": lambda: pd.Series(with_a_hole(NAMES[CODES], np.nan), dtype="str"),
            "category": lambda: pd.Series(with_a_hole(NAMES[CODES], None), dtype="category"),
        }.items(),
        ids=lambda item: item[0],
    )
    def holes(self, request):
        return request.param[1]()

    @pytest.mark.parametrize(
        ("name", "fit"),
        [
            ("y", lambda y: NET.fit(X, y)),
            ("y", lambda y: make_cleaner().fit(X, y)),
            ("y_clean", lambda y: make_cleaner().fit(X, CODES, y_clean=y)),
            ("y", lambda y: NoisyLabelsClassifier(NET, NOISE).fit(X, y)),
            ("y", lambda y: NOISE.fit(y)),
            ("y", lambda y: LongTailSampler().fit_resample(X, y)),
            ("y_val", lambda y: NET.fit(X, NAMES[CODES], validation_data=(X, y))),
        ],
        ids=["net", "cleaner", "y_clean", "noisy", "noise", "tail", "validation"],
    )
    def test_are_refused_by_name(self, holes, name, fit):
        with pytest.raises(ValueError, match=rf"\b{name}\b .*(NaN|missing values)"):
            fit(holes)


def test_clean_labels_of_another_kind_are_refused_by_name():
    with pytest.raises(ValueError, match="y_clean"):
        make_cleaner().fit(X, CODES, y_clean=NAMES[CODES])


class TestFrames:
    MODELS = {
        "net": NET,
        "cleaner": ActiveLabelCleaner(NET, n_rounds=0, random_state=0),
        "noisy": NoisyLabelsClassifier(NET, NOISE),
    }

    @pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
    def test_names_are_remembered_and_compared(self, model):
        model = clone(model).fit(FRAME, CODES)
        theirs = LogisticRegression().fit(FRAME, CODES)
        assert_array_equal(model.feature_names_in_, theirs.feature_names_in_)
        assert model.n_features_in_ == 4
        for change in (
            lambda frame: frame.rename(columns={"iron": "Fe"}),
            lambda frame: frame[["dose", "age", "iron", "zinc"]],
            lambda frame: frame.drop(columns="zinc"),
        ):
            for method in ("predict", "predict_proba"):
                with pytest.raises(ValueError) as expected:
                    getattr(theirs, method)(change(FRAME))
                with pytest.raises(ValueError) as error:
                    getattr(model, method)(change(FRAME))
                assert str(expected.value) in str(error.value)
        with pytest.warns(UserWarning, match="does not have valid feature names"):
            model.predict(X)

    @pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
    def test_names_are_forgotten_by_a_fit_without(self, model):
        model = clone(model).fit(FRAME, CODES)
        assert not hasattr(model.fit(X, CODES), "feature_names_in_")

    def test_rows_are_found_by_place_and_not_by_index(self):
        """Of X and y with indexes that contradict each other, the i-th belong together."""
        y_noisy = clone(NOISE).fit_transform(NAMES[CODES])
        expected = make_cleaner().fit(X, y_noisy, y_clean=NAMES[CODES])
        cleaner = make_cleaner().fit(
            FRAME.set_axis(np.roll(range(60), 5)),
            pd.Series(y_noisy, index=range(60, 0, -1)),
            y_clean=pd.Series(NAMES[CODES], index=np.roll(range(60), 9)),
        )
        assert_array_equal(cleaner.labels_, expected.labels_)
        assert_array_equal(cleaner.clean_mask_, expected.clean_mask_)
        assert_array_equal(cleaner.predict_proba(FRAME), expected.predict_proba(X))

    @pytest.mark.parametrize(
        "convert",
        [
            lambda frame: frame.astype("Float64"),
            lambda frame: frame.astype({"age": "Float32", "dose": "float64"}),
            lambda frame: frame.astype(object),
            lambda frame: frame.assign(age=frame["age"].astype("category")),
        ],
        ids=["nullable", "mixed", "objects", "category"],
    )
    def test_columns_of_numbers_of_any_dtype(self, convert):
        rounded = FRAME.round()
        expected = clone(NET).fit(rounded, CODES).predict_proba(rounded)
        assert_array_equal(LogisticRegression().fit(convert(rounded), CODES).classes_, [0, 1, 2])
        net = clone(NET).fit(convert(rounded), CODES)
        assert_array_equal(net.predict_proba(convert(rounded)), expected)

    @pytest.mark.parametrize("name", ["str", "category"])
    def test_columns_of_words_are_refused(self, name):
        words = FRAME.assign(site=pd.Series(NAMES[CODES], dtype=name))
        with pytest.raises(ValueError, match="could not convert string to float") as theirs:
            LogisticRegression().fit(words, CODES)
        with pytest.raises(ValueError) as ours:
            NET.fit(words, CODES)
        assert str(ours.value) == f"X: {theirs.value}"


class TestSparse:
    @pytest.mark.parametrize("make", [sp.csr_matrix, sp.coo_array], ids=["matrix", "array"])
    def test_few_columns_are_as_dense(self, make):
        """Up to rounding: BLAS may sum in another order where memory is aligned otherwise."""
        y_noisy = clone(NOISE).fit_transform(CODES)
        S = make(X)
        for model in (NET, NoisyLabelsClassifier(NET, NOISE)):
            dense = clone(model).fit(X, CODES).predict_proba(X)
            assert_allclose(clone(model).fit(S, CODES).predict_proba(S), dense, atol=1e-4)
        scored, dense = (
            clone(NET).fit(pool, y_noisy, validation_data=(pool, CODES)) for pool in (S, X)
        )
        assert_allclose(scored.history[:, "valid_acc"], dense.history[:, "valid_acc"], atol=0.02)
        cleaner, dense = (make_cleaner().set_params(trust="once") for _ in range(2))
        cleaner.fit(S, y_noisy, y_clean=CODES)
        dense.fit(X, y_noisy, y_clean=CODES)
        assert (cleaner.labels_ == dense.labels_).mean() > 0.98
        assert_allclose(cleaner.predict_proba(S), dense.predict_proba(X), atol=1e-3)

    @pytest.mark.parametrize("strategy", sorted({*strategy_names()} - {"bald"}))
    @pytest.mark.parametrize("model", [NET, LogisticRegression()], ids=["net", "any"])
    def test_strategies_choose_the_same(self, strategy, model):
        y_noisy = clone(NOISE).fit_transform(CODES)
        cleaners = [
            make_cleaner(model)
            .set_params(query_strategy=strategy, trust="all")
            .start(pool, y_noisy)
            for pool in (sp.csr_matrix(X), X)
        ]
        assert_array_equal(cleaners[0].query(), cleaners[1].query())

    def test_dropout_on_sparse_rows(self):
        net = clone(NET).set_params(module__dropout=0.5)
        cleaner = make_cleaner(net).set_params(query_strategy="bald", trust="once")
        assert len(cleaner.start(sp.csr_matrix(X), CODES).query()) == 6

    def test_wide_rows_are_audited_and_cleaned(self):
        y = np.arange(90) % 3
        noise = sp.random(90, 3000, density=0.002, random_state=0)
        signal = np.random.default_rng(0).poisson(3 * np.eye(3)[y].repeat(5, axis=1))
        S = sp.hstack([noise, signal], format="csr")
        y_noisy = clone(NOISE).fit_transform(y)
        found, expected = (
            find_label_issues(NET, X, y_noisy, random_state=0) for X in (S, S.toarray())
        )
        np.testing.assert_allclose(
            found["quality"].sort_index(), expected["quality"].sort_index(), atol=0.01
        )
        cleaner = make_cleaner().set_params(query_strategy="coreset", trust="once")
        cleaner.fit(S, y_noisy, y_clean=y)
        assert (cleaner.relabelled_round_ >= 0).sum() == 6
        assert cleaner.score(S, y) > 0.8

    def test_is_welcome_where_the_estimator_takes_it(self):
        y_noisy = clone(NOISE).fit_transform(CODES)
        for S in (sp.csr_matrix(X), sp.coo_array(X)):
            cleaner = make_cleaner(LogisticRegression()).fit(S, y_noisy, y_clean=CODES)
            dense = make_cleaner(LogisticRegression()).fit(X, y_noisy, y_clean=CODES)
            assert_array_equal(cleaner.labels_, dense.labels_)
            assert_array_equal(cleaner.predict(S), dense.predict(X))


class TestTensors:
    def test_everything_takes_tensors(self):
        T, y = torch.from_numpy(X), torch.from_numpy(CODES)
        y_noisy = clone(NOISE).fit_transform(CODES)
        expected = make_cleaner().fit(X, y_noisy, y_clean=CODES)
        cleaner = make_cleaner().fit(
            T, torch.from_numpy(y_noisy), y_clean=y, validation_data=(T, y)
        )
        scored = make_cleaner().fit(X, y_noisy, y_clean=CODES, validation_data=(X, CODES))
        assert_array_equal(cleaner.labels_, expected.labels_)
        assert_array_equal(cleaner.predict_proba(T), scored.predict_proba(X))
        assert cleaner.score(T, y) == scored.score(X, CODES)
        noisy = NoisyLabelsClassifier(NET, NOISE)
        by_tensor = clone(noisy).fit(T, y).predict_proba(T)
        assert_array_equal(by_tensor, noisy.fit(X, CODES).predict_proba(X))

    def test_tensors_that_want_gradients_are_left_as_they_are(self):
        T = torch.from_numpy(X).requires_grad_()
        net = clone(NET).fit(T, CODES)
        assert_array_equal(net.predict_proba(T), clone(NET).fit(X, CODES).predict_proba(X))
        assert T.requires_grad and T.grad is None

    def test_a_transition_matrix_may_be_a_tensor(self):
        matrix = torch.tensor([[0.8, 0.2, 0.0], [0.0, 1.0, 0.0], [0.5, 0.0, 0.5]])
        noise = TransitionLabelNoise(matrix, exact=True, random_state=0)
        y_noisy = noise.fit_transform(torch.from_numpy(CODES))
        by_list = TransitionLabelNoise(matrix.tolist(), exact=True, random_state=0)
        assert_array_equal(y_noisy, by_list.fit_transform(CODES))
        assert (y_noisy != CODES).sum() == 6 + 0 + 5
