import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import binomtest, chisquare
from sklearn.base import clone
from sklearn.metrics import confusion_matrix

from noisyactive.noise import TransitionLabelNoise

MATRIX = np.array([[0.7, 0.1, 0.2], [0, 1, 0], [0.25, 0.75, 0]])


@pytest.fixture
def y():
    return np.random.RandomState(0).choice(["a", "b", "c"], p=[0.6, 0.3, 0.1], size=5000)


def test_realised_matrix_is_the_one_given(y):
    noise = TransitionLabelNoise(MATRIX, random_state=0)
    y_noisy = noise.fit_transform(y)
    realised = confusion_matrix(y, y_noisy, normalize="true")
    assert_allclose(noise.transition_matrix_, realised)
    for i, label in enumerate("abc"):
        n = (y == label).sum()
        possible = MATRIX[i] > 0
        assert (realised[i][~possible] == 0).all()
        if possible.sum() > 1:
            counts = realised[i][possible] * n
            assert chisquare(counts, MATRIX[i][possible] * n).pvalue > 0.001
    assert noise.noise_rate_ == np.mean(y != y_noisy)


@pytest.mark.parametrize("make", [list, pd.DataFrame, np.asarray])
def test_matrix_in_any_container(y, make):
    given = TransitionLabelNoise(make(MATRIX.tolist()), random_state=0)
    expected = TransitionLabelNoise(MATRIX, random_state=0)
    assert_array_equal(given.fit_transform(y), expected.fit_transform(y))


def test_matrix_is_not_written_to(y):
    matrix = MATRIX.copy()
    matrix.setflags(write=False)
    TransitionLabelNoise(matrix).fit_transform(y)
    assert_array_equal(matrix, MATRIX)


def test_exact_counts_per_class(y):
    noise = TransitionLabelNoise(MATRIX, exact=True, random_state=0)
    y_noisy = noise.fit_transform(y)
    for i, label in enumerate("abc"):
        n = (y == label).sum()
        assert (y_noisy[y == label] != label).sum() == round((1 - MATRIX[i, i]) * n)


def test_candidates_by_class(y):
    noise = TransitionLabelNoise({"a": ["c"], "c": ["b", "a"]}, noise_rate=0.4, random_state=0)
    y_noisy = noise.fit_transform(y)
    assert_array_equal(y_noisy[y == "b"], "b")
    assert set(y_noisy[y == "a"]) == {"a", "c"}
    wrong = y_noisy[y == "a"] == "c"
    assert binomtest(int(wrong.sum()), len(wrong), 0.4).pvalue > 0.001
    counts = [(y_noisy[y == "c"] == label).sum() for label in "cba"]
    assert chisquare(counts, np.array([0.6, 0.2, 0.2]) * (y == "c").sum()).pvalue > 0.001


def test_candidates_are_a_matrix_in_short(y):
    short = TransitionLabelNoise({"a": {"b", "c"}}, noise_rate=0.5, random_state=3)
    long = TransitionLabelNoise([[0.5, 0.25, 0.25], [0, 1, 0], [0, 0, 1]], random_state=3)
    assert_array_equal(short.fit_transform(y), long.fit_transform(y))


def test_lower_rates_replace_a_subset(y):
    low, high = (
        TransitionLabelNoise({"a": ["b", "c"]}, noise_rate=rate, random_state=0)
        for rate in (0.1, 0.6)
    )
    y_low, y_high = low.fit_transform(y), high.fit_transform(y)
    assert (low.flip_mask_ <= high.flip_mask_).all()
    assert_array_equal(y_low[low.flip_mask_], y_high[low.flip_mask_])


def test_integers_are_classes_not_places():
    y = np.repeat([10, 20, 30], 4)
    noise = TransitionLabelNoise({30: [10]}, noise_rate=0.5, exact=True, random_state=0)
    y_noisy = noise.fit_transform(y)
    assert_array_equal(y_noisy[:8], y[:8])
    assert sorted(y_noisy[8:]) == [10, 10, 30, 30]
    assert y_noisy.dtype == y.dtype


def test_parameters_are_clonable(y):
    noise = TransitionLabelNoise({"a": ["b"]}, noise_rate=0.2, random_state=0)
    copy = clone(noise).set_params(noise_rate=0.5)
    assert copy.fit(y).transform(y).tolist() != noise.fit_transform(y).tolist()


@given(
    labels=st.lists(st.integers(0, 2)).map(lambda y: [0, 1, 2, *y]),
    weights=arrays(float, (3, 3), elements=st.sampled_from([0, 1e-9, 0.2, 1])),
    exact=st.booleans(),
    seed=st.integers(0, 2**32 - 1),
)
def test_properties(labels, weights, exact, seed):
    weights[weights.sum(axis=1) == 0] = 1
    matrix = weights / weights.sum(axis=1, keepdims=True)
    y = np.array(labels)
    y.setflags(write=False)
    noise = TransitionLabelNoise(matrix, exact=exact, random_state=seed)
    y_noisy = noise.fit_transform(y)
    assert (matrix[y, y_noisy] > 0).all()
    assert_array_equal(noise.flip_mask_, y_noisy != y)


@pytest.mark.parametrize(
    "matrix, message",
    [
        ([[0.5, 0.5]], r"must be square, .*; its shape is \(1, 2\)"),
        ([1, 0, 0], r"must be of shape \(n_classes, n_classes\), got .* shape \(3,\)"),
        (np.eye(2), r"for each of the 3 classes \['a', 'b', 'c'\]; its shape is \(2, 2\)"),
        (np.eye(4), "for each of the 3 classes"),
        ([[1.5, -0.5, 0], [0, 1, 0], [0, 0, 1]], "negative or not a number"),
        ([[np.nan, 0.5, 0.5], [0, 1, 0], [0, 0, 1]], "negative or not a number"),
        ([[0.5, 0.4, 0], [0, 1, 0], [0, 0, 1]], r"row must sum to 1; the sums are \[0.9, 1"),
        ([[0.8, 0, 0], [0.1, 1, 0], [0.1, 0, 1]], "row must sum to 1"),  # the transpose
        ([[np.inf, 0, 0], [0, 1, 0], [0, 0, 1]], "row must sum to 1"),
        ("uniform", "transition_matrix"),
        ({"a": ["b"]}, "needs a noise_rate"),
    ],
)
def test_bad_matrix(y, matrix, message):
    rng = np.random.RandomState(0)
    with pytest.raises(ValueError, match=message):
        TransitionLabelNoise(matrix, random_state=rng).fit_transform(y)
    assert rng.random_sample() == np.random.RandomState(0).random_sample()  # nothing was drawn


@pytest.mark.parametrize(
    "candidates, message",
    [
        ({"z": ["a"]}, r"transition_matrix has labels that are not among .*: \['z'\]"),
        ({"a": ["z"]}, r"transition_matrix\['a'\] has labels that are not among .*: \['z'\]"),
        ({"a": []}, r"\['a'\] must hold at least one class, .* got \[\]"),
        ({"a": ["a", "b"]}, "other than its own"),
        ({"a": ["b", "b"]}, "each once"),
        ({"a": "b"}, r"\['a'\] must be a list of classes; got 'b'"),
        ({"a": 1}, r"\['a'\] must be a list of classes; got 1"),
    ],
)
def test_bad_candidates(y, candidates, message):
    with pytest.raises(ValueError, match=message):
        TransitionLabelNoise(candidates, noise_rate=0.2).fit(y)


def test_noise_rate_beside_a_matrix_is_refused(y):
    with pytest.raises(ValueError, match="noise_rate is for a dict"):
        TransitionLabelNoise(MATRIX, noise_rate=0.2).fit(y)
    with pytest.raises(ValueError, match=r"'noise_rate' .* in the range \[0.0, 1.0\)"):
        TransitionLabelNoise({"a": ["b"]}, noise_rate=1).fit(y)
