import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import binomtest, chisquare
from sklearn.base import clone
from sklearn.exceptions import DataConversionWarning, NotFittedError
from sklearn.metrics import confusion_matrix

from noisyactive.noise import UniformLabelNoise

LABELS = {
    "int": np.array([5, 15, -2, 5, 15, -2, 5, 15]),
    "float": np.array([0.0, 1.0, 2.0, 0.0, 1.0, 2.0, 0.0]),
    "bool": np.array([True, False, True, True, False]),
    "str": np.array(["a", "a longer name", "bb", "a", "a"]),
    "object": np.array(["a", "a longer name", "bb", "a", "a"], dtype=object),
    "object ints": np.array([5, 15, 5, 5, 15], dtype=object),
    "int8": np.array([1, 2, 3, 1, 2, 3], dtype=np.int8),
}


@pytest.fixture
def y():
    # Drawn with the seed that the noise is given too: they must be independent all the same.
    return np.random.RandomState(0).choice(
        ["a", "b", "c", "d"], p=[0.6, 0.2, 0.15, 0.05], size=4000
    )


@pytest.mark.parametrize("noise_rate", [0.1, 0.45, 0.9])
def test_noise_rate_is_the_probability_of_a_wrong_label(y, noise_rate):
    y_noisy = UniformLabelNoise(noise_rate, random_state=0).fit_transform(y)
    for label in np.unique(y):
        wrong = y_noisy[y == label] != label
        assert binomtest(int(wrong.sum()), len(wrong), noise_rate).pvalue > 0.001


def test_the_other_classes_are_equally_likely(y):
    y_noisy = UniformLabelNoise(0.5, random_state=0).fit_transform(y)
    for label in np.unique(y):
        flipped = y_noisy[(y == label) & (y_noisy != label)]
        targets, counts = np.unique(flipped, return_counts=True)
        assert len(targets) == 3
        assert chisquare(counts).pvalue > 0.001


@pytest.mark.parametrize("noise_rate", [0, 0.1, 0.25, 0.5, 0.99])
def test_exact_flips_a_fixed_number_of_each_class(y, noise_rate):
    y_noisy = UniformLabelNoise(noise_rate, exact=True, random_state=0).fit_transform(y)
    for label in np.unique(y):
        of_class = y == label
        assert (y_noisy[of_class] != label).sum() == round(noise_rate * of_class.sum())


def test_exact_chooses_samples_and_targets_at_random():
    y = np.repeat([0, 1, 2], 10)
    noise = UniformLabelNoise(0.3, exact=True, random_state=np.random.RandomState(0)).fit(y)
    n_draws = 2000
    flips, targets = np.zeros(30), np.zeros((3, 3))
    for _ in range(n_draws):
        y_noisy = noise.transform(y)
        flips += y_noisy != y
        np.add.at(targets, (y, y_noisy), 1)
    # Three standard deviations of a binomial count, and five for the extreme of thirty.
    assert np.abs(flips - 0.3 * n_draws).max() < 5 * np.sqrt(n_draws * 0.3 * 0.7)
    off_diagonal = targets[~np.eye(3, dtype=bool)]
    assert_allclose(off_diagonal, 3 * n_draws / 2, atol=5 * np.sqrt(3 * n_draws / 4))


@pytest.mark.parametrize("exact", [False, True])
def test_kept_classes_are_neither_corrupted_nor_targets(y, exact):
    noise = UniformLabelNoise(0.5, exact=exact, keep_classes=["b", "d"], random_state=0)
    y_noisy = noise.fit_transform(y)
    for kept in "bd":
        assert_array_equal(y_noisy == kept, y == kept)
    assert noise.transition_matrix_[0, 2] == pytest.approx(0.5, abs=0.04)
    assert noise.transition_matrix_[2, 0] == pytest.approx(0.5, abs=0.08)


@pytest.mark.parametrize("keep_classes", [(), [], {"b"}, np.array(["b"]), pd.Series(["b"])])
def test_keep_classes_may_be_any_collection(y, keep_classes):
    y_noisy = UniformLabelNoise(0.5, keep_classes=keep_classes, random_state=0).fit_transform(y)
    assert np.array_equal(y_noisy == "b", y == "b") == bool(len(keep_classes))


@pytest.mark.parametrize("exact", [False, True])
def test_realised_noise_is_reported(y, exact):
    noise = UniformLabelNoise(0.4, exact=exact, keep_classes=["c"], random_state=0)
    y_noisy = noise.fit_transform(y)
    assert noise.flip_mask_.dtype == bool
    assert_array_equal(noise.flip_mask_, y_noisy != y)
    assert isinstance(noise.noise_rate_, float)
    assert noise.noise_rate_ == pytest.approx(np.mean(y_noisy != y))
    assert_array_equal(noise.classes_, ["a", "b", "c", "d"])
    assert_allclose(noise.transition_matrix_, confusion_matrix(y, y_noisy, normalize="true"))


def test_class_without_samples_has_an_identity_row():
    noise = UniformLabelNoise(0.5, exact=True, random_state=0).fit(["a", "b", "c"])
    y = ["a", "a", "c", "c"]
    expected = confusion_matrix(y, noise.transform(y), normalize="true", labels=["a", "b", "c"])
    expected[1] = [0, 1, 0]
    assert_allclose(noise.transition_matrix_, expected)


@given(
    labels=st.lists(st.sampled_from("abcde"), min_size=2).filter(lambda y: len(set(y)) > 1),
    rates=st.tuples(st.floats(0, 1, exclude_max=True), st.floats(0, 1, exclude_max=True)).map(
        sorted
    ),
    exact=st.booleans(),
    seed=st.integers(0, 2**32 - 1),
)
def test_properties(labels, rates, exact, seed):
    y = np.array(labels)
    low, high = (UniformLabelNoise(r, exact=exact, random_state=seed) for r in rates)
    y_low, y_high = low.fit_transform(y), high.fit_transform(y)
    assert set(y_low) <= set(labels)
    assert_array_equal(low.flip_mask_, y_low != y)
    assert_allclose(low.transition_matrix_.sum(axis=1), 1)
    assert (low.flip_mask_ <= high.flip_mask_).all()
    assert_array_equal(y_low[low.flip_mask_], y_high[low.flip_mask_])


@pytest.mark.parametrize("kind", LABELS)
def test_labels_of_any_kind_keep_their_dtype(kind):
    y = LABELS[kind]
    y_noisy = UniformLabelNoise(0.9, random_state=0).fit_transform(y)
    assert y_noisy.dtype == y.dtype
    assert set(y_noisy.tolist()) <= set(y.tolist())
    assert (y_noisy != y).any()


def test_long_class_names_are_not_truncated():
    noise = UniformLabelNoise(0.9, exact=True, random_state=0).fit(["a", "a longer name"])
    assert noise.transform(["a"]).tolist() == ["a longer name"]


def test_classes_that_overflow_the_dtype_of_y():
    noise = UniformLabelNoise(0.9, exact=True, random_state=0).fit([1, 1000])
    assert noise.transform(np.array([1], dtype=np.int8)).tolist() == [1000]


@pytest.mark.parametrize(
    "make",
    [list, tuple, pd.Series, torch.as_tensor, lambda y: pd.Series(y, dtype="Int64")],
    ids=["list", "tuple", "Series", "tensor", "nullable"],
)
def test_containers_come_back_as_arrays(make):
    y = np.array([3, 1, 2] * 5)
    noise = UniformLabelNoise(0.5, random_state=0)
    y_noisy = noise.fit_transform(make(y.tolist()))
    assert type(y_noisy) is np.ndarray
    assert y_noisy.dtype == y.dtype
    assert_array_equal(y_noisy, noise.fit_transform(y))


def test_column_vector_warns_as_in_scikit_learn():
    with pytest.warns(DataConversionWarning, match="column-vector"):
        y_noisy = UniformLabelNoise(0).fit_transform([[0], [1]])
    assert_array_equal(y_noisy, [0, 1])


@pytest.mark.parametrize("noise_rate", [0, 0.5])
def test_input_is_not_written_to_nor_shared(noise_rate):
    y = np.array([0, 1] * 10)
    y.setflags(write=False)
    y_noisy = UniformLabelNoise(noise_rate, random_state=0).fit_transform(y)
    assert not np.shares_memory(y_noisy, y)
    assert y_noisy.flags.writeable


def test_zero_noise_is_the_identity():
    y = ["a", "b", "b"]
    noise = UniformLabelNoise(0, keep_classes=["a", "b"])
    assert_array_equal(noise.fit_transform(y), y)
    assert noise.noise_rate_ == 0
    assert_array_equal(noise.transition_matrix_, np.eye(2))


def test_samples_do_not_matter(y):
    noise = UniformLabelNoise(0.5, random_state=0)
    X = np.full((len(y), 2), np.nan)
    assert_array_equal(noise.fit(y, X).transform(y, X), clone(noise).fit_transform(y))
    assert_array_equal(noise.fit_transform(y, X), noise.transform(y))


def test_random_state(y):
    noise = UniformLabelNoise(0.5, random_state=0).fit(y)
    assert_array_equal(noise.transform(y), noise.transform(y))
    other = UniformLabelNoise(0.5, random_state=1).fit(y)
    assert (noise.transform(y) != other.transform(y)).any()
    first, second = (
        UniformLabelNoise(0.5, random_state=np.random.RandomState(0)).fit(y) for _ in range(2)
    )
    assert_array_equal(first.transform(y), second.transform(y))
    assert (first.transform(y) != first.fit_transform(y)).any()


def test_global_random_state_is_left_alone(y):
    np.random.seed(0)
    before = np.random.get_state()[1].copy()
    noise = UniformLabelNoise(0.5).fit(y)
    first = noise.transform(y)
    assert_array_equal(before, np.random.get_state()[1])
    np.random.seed(0)
    assert (noise.transform(y) != first).any()


def test_tags():
    tags = UniformLabelNoise(0.2).__sklearn_tags__()
    assert tags.target_tags.one_d_labels and tags.target_tags.required
    assert not tags.input_tags.two_d_array


@pytest.mark.parametrize("noise_rate", [-0.1, 1, 1.5, np.nan])
def test_noise_rate_out_of_range(noise_rate):
    with pytest.raises(
        ValueError, match=r"'noise_rate' .* must be a float in the range \[0.0, 1.0\)"
    ):
        UniformLabelNoise(noise_rate).fit([0, 1])


@pytest.mark.parametrize("noise_rate", ["high", None, [0.1]])
def test_noise_rate_of_a_wrong_type(noise_rate):
    with pytest.raises(TypeError, match="'noise_rate' .* must be a float"):
        UniformLabelNoise(noise_rate).fit([0, 1])


@pytest.mark.parametrize(
    "y, message",
    [
        ([1, 1], r"at least two classes; y has only one class: \[1\]"),
        ([[0, 1], [1, 0]], r"1d array with one label per sample, got an array of shape \(2, 2\)"),
        ([0, 1, np.nan], "y contains NaN"),
        ([0.0, 1.0, np.inf], "y contains infinity"),
        (["a", "b", np.nan], "NaN"),
        (pd.Series(["a", "b", None]), "NaN"),
        (["a", "b", None], "no missing values"),
        (
            pd.Series(["a", "b", pd.NA], dtype=object),
            "no missing values",
        ),
        (["a", 1], "labels of one kind, .*; it mixes int, str"),
        ([0.5, 1.5], "continuous"),
        ([], "no labels"),
        (None, "requires y to be passed"),
    ],
)
def test_bad_labels(y, message):
    with pytest.raises(ValueError, match=message):
        UniformLabelNoise(0.2).fit(y)
    with pytest.raises(ValueError, match=message if "two classes" not in message else "among"):
        UniformLabelNoise(0.2).fit([0, 2]).transform(y)


@pytest.mark.parametrize("y", [["a", "z"], ["z"]])
def test_label_not_seen_in_fit(y):
    noise = UniformLabelNoise(0.2).fit(["a", "b"])
    with pytest.raises(ValueError, match=r"not among the classes \['a', 'b'\]: \['z'\]"):
        noise.transform(y)


def test_numbers_are_not_strings():
    with pytest.raises(ValueError, match=r"not among the classes \[1, 2\]: \['1'\]"):
        UniformLabelNoise(0.2).fit([1, 2]).transform(["1"])


def test_unknown_class_to_keep():
    with pytest.raises(ValueError, match=r"keep_classes .* \['a', 'b', 'c'\]: \['z'\]"):
        UniformLabelNoise(0.2, keep_classes=["a", "z"]).fit(["a", "b", "c"])


@pytest.mark.parametrize("keep_classes, left", [(["a"], r"\['b'\]"), (["a", "b"], r"\[\]")])
def test_too_few_classes_left(keep_classes, left):
    with pytest.raises(ValueError, match=f"at least two classes .* leaves {left}"):
        UniformLabelNoise(0.2, keep_classes=keep_classes).fit(["a", "b"])


@pytest.mark.parametrize("method", ["fit", "transform", "fit_transform"])
def test_samples_of_another_length(method):
    noise = UniformLabelNoise(0.2).fit([0, 1])
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        getattr(noise, method)([0, 1, 1], [[1], [2]])


def test_transform_before_fit():
    with pytest.raises(NotFittedError):
        UniformLabelNoise(0.2).transform([0, 1])
