import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import binomtest
from sklearn.metrics import confusion_matrix

from noisyactive.noise import PairLabelNoise, TransitionLabelNoise, UniformLabelNoise


@pytest.fixture
def y():
    return np.random.RandomState(0).choice(["a", "b", "c"], p=[0.6, 0.3, 0.1], size=3000)


def test_next_class_in_sorted_order(y):
    noise = PairLabelNoise(0.3, random_state=0)
    y_noisy = noise.fit_transform(y)
    following = {"a": "b", "b": "c", "c": "a"}
    expected = [following[label] for label in y[noise.flip_mask_]]
    assert_array_equal(y_noisy[noise.flip_mask_], expected)
    for label in following:
        wrong = noise.flip_mask_[y == label]
        assert binomtest(int(wrong.sum()), len(wrong), 0.3).pvalue > 0.001
    assert_allclose(noise.transition_matrix_, confusion_matrix(y, y_noisy, normalize="true"))


@pytest.mark.parametrize(
    "labels", [[10, 9, 100], [True, False], np.array(["b", "a", "ab"], dtype=object)]
)
def test_labels_of_any_kind(labels):
    y = np.repeat(labels, 10)
    y_noisy = PairLabelNoise(0.9, exact=True, random_state=0).fit_transform(y)
    assert y_noisy.dtype == y.dtype
    classes = sorted(set(labels))
    following = dict(zip(classes, np.roll(classes, -1), strict=True))
    for label in classes:
        of_class = y_noisy[y == label]
        assert sorted(of_class) == sorted([label] + [following[label]] * 9)


def test_kept_classes_are_passed_over():
    y = np.repeat([0, 1, 2, 3], 10)
    noise = PairLabelNoise(0.5, exact=True, keep_classes=[1, 3], random_state=0)
    noise.fit(y).transform(y)
    expected = [[0.5, 0, 0.5, 0], [0, 1, 0, 0], [0.5, 0, 0.5, 0], [0, 0, 0, 1]]
    assert_allclose(noise.transition_matrix_, expected)


def test_no_noise_where_no_class_takes_part():
    y = ["a", "b"]
    assert PairLabelNoise(0, keep_classes=y).fit_transform(y).tolist() == y
    with pytest.raises(ValueError, match="at least two classes"):
        PairLabelNoise(0.1, keep_classes=["a"]).fit(y)


def test_of_two_classes_the_next_is_the_other(y):
    labels = np.where(y == "a", "a", "b")
    pair, *others = (
        PairLabelNoise(0.4, exact=True),
        UniformLabelNoise(0.4, exact=True),
        TransitionLabelNoise([[0.6, 0.4], [0.4, 0.6]], exact=True),
    )
    pair.fit_transform(labels)
    for other in others:
        other.fit_transform(labels)
        assert_allclose(pair.transition_matrix_, other.transition_matrix_)


@given(
    labels=st.lists(st.integers(0, 5), min_size=2).filter(lambda y: len(set(y)) > 1),
    rates=st.tuples(st.floats(0, 1, exclude_max=True), st.floats(0, 1, exclude_max=True)).map(
        sorted
    ),
    exact=st.booleans(),
    seed=st.integers(0, 2**32 - 1),
)
def test_properties(labels, rates, exact, seed):
    y = np.array(labels)
    y.setflags(write=False)
    low, high = (PairLabelNoise(rate, exact=exact, random_state=seed) for rate in rates)
    y_low = low.fit_transform(y)
    high.fit_transform(y)
    classes = np.unique(y)
    following = np.roll(classes, -1)[np.searchsorted(classes, y)]
    assert_array_equal(y_low, np.where(low.flip_mask_, following, y))
    assert (low.flip_mask_ <= high.flip_mask_).all()
    if exact:
        for label in classes:
            n = (y == label).sum()
            assert low.flip_mask_[y == label].sum() == pytest.approx(rates[0] * n, abs=0.501)
