import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import torch
from hypothesis import given
from hypothesis import strategies as st
from imblearn.pipeline import make_pipeline
from numpy.testing import assert_array_equal
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from noisyactive.imbalance import LongTailSampler


def sizes(y):
    return dict(zip(*np.unique(y, return_counts=True), strict=True))


@pytest.fixture
def data():
    y = np.random.RandomState(0).permutation(np.repeat(["a", "b", "c"], [40, 60, 50]))
    return np.arange(len(y)), y


def test_profile_by_hand(data):
    X, y = data
    sampler = LongTailSampler(imbalance_factor=16, random_state=0)
    _, y_res = sampler.fit_resample(X, y)
    assert sizes(y_res) == {"a": 40, "b": 10, "c": 2}  # 40, 40 / 4, 40 / 16 = 2.5
    assert_array_equal(sampler.classes_, ["a", "b", "c"])
    assert_array_equal(sampler.class_counts_, [40, 10, 2])


def test_reproduces_the_size_of_the_paper_s_data_set():
    # Class sizes of NCT-CRC-HE-100K; the paper keeps 15,924 + 3,982 samples.
    y = np.repeat(
        np.arange(9), [10_407, 10_566, 11_512, 11_557, 8_896, 13_536, 8_763, 10_446, 14_317]
    )
    X_res, _ = LongTailSampler(imbalance_factor=100, random_state=0).fit_resample(y, y)
    assert len(X_res) == 15_924 + 3_982


def test_sizes_are_not_one_short_by_floating_point():
    # 64 halved five times: in floating point, 64 * 32 ** (-2 / 5) is a hair below 16.
    y = np.repeat(np.arange(6), 64)
    sampler = LongTailSampler(imbalance_factor=32, random_state=0)
    sampler.fit_resample(y, y)
    assert_array_equal(sampler.class_counts_, [64, 32, 16, 8, 4, 2])


def test_order_runs_from_the_most_to_the_least_frequent(data):
    X, y = data
    sampler = LongTailSampler(imbalance_factor=16, order=["c", "a", "b"], random_state=0)
    _, y_res = sampler.fit_resample(X, y)
    assert sizes(y_res) == {"c": 40, "a": 10, "b": 2}
    assert_array_equal(sampler.class_counts_, [10, 2, 40])


def test_every_class_keeps_at_least_one_sample(data):
    X, y = data
    _, y_res = LongTailSampler(imbalance_factor=1e6, random_state=0).fit_resample(X, y)
    assert sizes(y_res) == {"a": 40, "b": 1, "c": 1}


def test_factor_of_one_balances(data):
    X, y = data
    _, y_res = LongTailSampler(imbalance_factor=1, random_state=0).fit_resample(X, y)
    assert sizes(y_res) == {"a": 40, "b": 40, "c": 40}


def test_samples_are_chosen_at_random():
    y = np.repeat([0, 1], 50)
    n_draws = 2000
    rng = np.random.RandomState(0)
    sampler = LongTailSampler(imbalance_factor=5, random_state=rng)
    kept = np.zeros(100)
    for _ in range(n_draws):
        sampler.fit_resample(y, y)
        kept[sampler.sample_indices_] += 1
    assert_array_equal(kept[:50], n_draws)
    # Each of the others is kept with probability 10 / 50: five standard deviations are 89.
    assert np.abs(kept[50:] - n_draws / 5).max() < 5 * np.sqrt(n_draws * 0.2 * 0.8)


@given(
    labels=st.lists(st.integers(-3, 3), min_size=2, max_size=60).filter(lambda y: len(set(y)) > 1),
    factors=st.tuples(st.floats(1, 1000), st.floats(1, 1000)).map(sorted),
    data=st.data(),
)
def test_properties(labels, factors, data):
    y = np.array(labels)
    X = np.arange(len(y))
    order = data.draw(st.permutations(sorted(set(labels))))
    low, high = (LongTailSampler(f, order=order, random_state=0) for f in factors)
    X_res, y_res = low.fit_resample(X, y)
    kept = low.sample_indices_
    assert_array_equal(X_res, kept)  # X counts the samples
    assert_array_equal(y_res, y[kept])
    assert (np.diff(kept) > 0).all()
    assert_array_equal(low.class_counts_, list(sizes(y_res).values()))
    tail = [sizes(y_res)[label] for label in order]
    assert tail[0] == min(sizes(y).values())
    assert tail == sorted(tail, reverse=True)
    assert tail[-1] == pytest.approx(max(tail[0] / factors[0], 1), abs=1)
    high.fit_resample(X, y)
    assert set(high.sample_indices_) <= set(kept)


@pytest.mark.parametrize(
    "make",
    [
        list,
        np.asarray,
        lambda x: np.asarray(x, dtype=float).reshape(-1, 1, 1, 1) * np.ones((3, 4, 4)),
        lambda x: pd.DataFrame({"x": x, "name": map(str, x)}),
        lambda x: torch.as_tensor(x).reshape(-1, 1, 1),
        lambda x: sp.csr_array(np.reshape(x, (-1, 1))),
    ],
    ids=["list", "ndarray", "images", "DataFrame", "tensor", "sparse"],
)
def test_type_and_content_of_X_are_preserved(data, make):
    numbers, y = data
    X = make(numbers)
    sampler = LongTailSampler(imbalance_factor=16, random_state=0)
    X_res, y_res = sampler.fit_resample(X, y)
    assert type(X_res) is type(X)
    expected = make(numbers[sampler.sample_indices_])
    if isinstance(X, pd.DataFrame):
        pd.testing.assert_frame_equal(X_res.reset_index(drop=True), expected)
    elif sp.issparse(X):
        assert_array_equal(X_res.toarray(), expected.toarray())
    else:
        assert_array_equal(X_res, expected)
        assert getattr(X_res, "dtype", None) == getattr(expected, "dtype", None)
    assert_array_equal(y_res, y[sampler.sample_indices_])


def test_sparse_formats_without_rows_come_back_as_csr(data):
    numbers, y = data
    X = sp.coo_array(np.reshape(numbers, (-1, 1)))
    sampler = LongTailSampler(imbalance_factor=16, random_state=0)
    X_res, _ = sampler.fit_resample(X, y)
    assert X_res.format == "csr"
    assert_array_equal(X_res.toarray().ravel(), sampler.sample_indices_)


@pytest.mark.parametrize("make", [list, pd.Series, torch.as_tensor])
def test_type_of_y_is_preserved(make):
    y = make([0, 1] * 10)
    _, y_res = LongTailSampler(imbalance_factor=5, random_state=0).fit_resample(range(20), y)
    assert type(y_res) is type(y)
    assert sizes(np.asarray(y_res)) == {0: 10, 1: 2}


def test_inputs_are_not_written_to_nor_shared(data):
    X, y = (a.copy() for a in data)
    X.setflags(write=False)
    y.setflags(write=False)
    X_res, y_res = LongTailSampler(imbalance_factor=1, random_state=0).fit_resample(X, y)
    assert not np.shares_memory(X_res, X)
    assert not np.shares_memory(y_res, y)


def test_random_state(data):
    X, y = data

    def kept(random_state):
        sampler = LongTailSampler(random_state=random_state)
        sampler.fit_resample(X, y)
        return sampler.sample_indices_.tolist()

    assert kept(0) == kept(0)
    assert kept(0) != kept(1)
    assert kept(np.random.RandomState(0)) == kept(np.random.RandomState(0))
    shared = np.random.RandomState(0)
    assert kept(shared) != kept(shared)
    before = np.random.get_state()[1].copy()
    assert kept(None) != kept(None)
    assert_array_equal(before, np.random.get_state()[1])


def test_step_of_an_imbalanced_learn_pipeline(data):
    numbers, y = data
    X = numbers.reshape(-1, 1)
    sampler = LongTailSampler(imbalance_factor=16, random_state=0)
    pipeline = make_pipeline(clone(sampler), StandardScaler(), LogisticRegression()).fit(X, y)
    X_res, y_res = sampler.fit_resample(X, y)
    expected = make_pipeline(StandardScaler(), LogisticRegression()).fit(X_res, y_res)
    assert_array_equal(pipeline.predict_proba(X), expected.predict_proba(X))
    assert pipeline[1].n_samples_seen_ == len(X_res)


@pytest.mark.parametrize(
    "parameters, X, y, message",
    [
        ({"imbalance_factor": 0.5}, [1, 2], [0, 1], "imbalance_factor"),
        ({"imbalance_factor": "large"}, [1, 2], [0, 1], "imbalance_factor"),
        ({"imbalance_factor": np.nan}, [1, 2], [0, 1], "imbalance_factor"),
        ({"order": [0]}, [1, 2], [0, 1], r"order must hold each of the classes \[0, 1\] once"),
        ({"order": [0, 1, 1]}, [1, 2], [0, 1], "order must hold each of the classes"),
        ({"order": [0, 7]}, [1, 2], [0, 1], r"order .* not among the classes \[0, 1\]: \[7\]"),
        ({"order": 1}, [1, 2], [0, 1], "order"),
        ({}, [1, 2, 3], [0, 1], "inconsistent numbers of samples"),
        ({}, [1, 2], [3, 3], r"at least two classes; y has only one class: \[3\]"),
        ({}, [1, 2], [[0, 1], [1, 0]], "1d array"),
        ({}, [1, 2, 3], [0, 1, np.nan], "NaN"),
        ({}, [1, 2, 3], ["a", "b", None], "missing values"),
        ({}, [], [], "no labels"),
    ],
)
def test_bad_input(parameters, X, y, message):
    with pytest.raises(ValueError, match=message):
        LongTailSampler(**parameters).fit_resample(X, y)
