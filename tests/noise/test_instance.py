import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy.optimize import brentq
from scipy.stats import mannwhitneyu
from sklearn.datasets import load_digits
from sklearn.dummy import DummyClassifier
from sklearn.metrics import confusion_matrix
from sklearn.model_selection import cross_val_predict
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.tree import DecisionTreeClassifier

from noisyactive.noise import InstanceDependentLabelNoise, UniformLabelNoise


@pytest.fixture(scope="module")
def digits():
    """Long-tailed digits: from 178 zeros down to about 30 nines."""
    X, y = load_digits(return_X_y=True)
    rows = np.concatenate([np.flatnonzero(y == c)[: 178 - 16 * c] for c in range(10)])
    return X[rows], y[rows]


@pytest.fixture
def blobs():
    rng = np.random.RandomState(0)
    y = rng.choice(["a", "b", "c"], p=[0.6, 0.3, 0.1], size=3000)
    centre = {"a": (0, 0), "b": (2, 0), "c": (0, 2)}
    return np.array([centre[label] for label in y]) + rng.randn(3000, 2), y


@pytest.mark.parametrize("noise_rate", [0.1, 0.4, 0.7])
def test_every_class_has_the_noise_rate(blobs, noise_rate):
    X, y = blobs
    noise = InstanceDependentLabelNoise(noise_rate, random_state=0)
    y_noisy = noise.fit(y, X).transform(y, X)
    assert ((noise.flip_probability_ >= 0) & (noise.flip_probability_ <= 1)).all()
    for label in np.unique(y):
        of_class = y == label
        assert noise.flip_probability_[of_class].mean() == pytest.approx(noise_rate)
        # A sum of unequal coins varies less than one of equal coins.
        deviation = np.sqrt(noise_rate * (1 - noise_rate) / of_class.sum())
        wrong = (y_noisy[of_class] != label).mean()
        assert wrong == pytest.approx(noise_rate, abs=3 * deviation)
    assert_allclose(noise.transition_matrix_, confusion_matrix(y, y_noisy, normalize="true"))


@pytest.mark.parametrize("noise_rate", [0, 0.1, 0.25, 0.9])
def test_exact_flips_a_fixed_number_of_each_class(digits, noise_rate):
    X, y = digits
    noise = InstanceDependentLabelNoise(noise_rate, exact=True, random_state=0).fit(y, X)
    y_noisy = noise.transform(y, X)
    for label in np.unique(y):
        of_class = y == label
        assert (y_noisy[of_class] != label).sum() == round(noise_rate * of_class.sum())


@pytest.mark.parametrize("exact", [False, True])
@pytest.mark.parametrize("make", ["instance", "uniform"])
def test_harder_samples_are_replaced_more_often(digits, make, exact):
    X, y = digits
    # Hardness by another kind of model, on samples that it has not seen.
    proba = cross_val_predict(KNeighborsClassifier(15), X, y, method="predict_proba")
    hardness = 1 - proba[np.arange(len(y)), y]
    Noise = {"instance": InstanceDependentLabelNoise, "uniform": UniformLabelNoise}[make]
    noise = Noise(0.3, exact=exact, random_state=0).fit(y, X)
    noise.transform(y, X)
    wrong = noise.flip_mask_
    p = mannwhitneyu(hardness[wrong], hardness[~wrong], alternative="greater").pvalue
    assert (p < 1e-6) == (make == "instance")
    assert (p > 0.01) == (make == "uniform")


def test_frequency_of_flips_is_the_probability_stated(blobs):
    X, y = blobs[0][:100], blobs[1][:100]
    noise = InstanceDependentLabelNoise(0.3, random_state=np.random.RandomState(0)).fit(y, X)
    n_draws = 1000
    n_flips = sum((noise.transform(y, X) != y).astype(int) for _ in range(n_draws))
    p = noise.flip_probability_
    assert (np.abs(n_flips - n_draws * p) <= 5 * np.sqrt(n_draws * p * (1 - p)) + 1e-6).all()


@pytest.mark.parametrize("noise_rate", [0.2, 0.8])
def test_formula_by_another_way(blobs, noise_rate):
    X, y = blobs
    noise = InstanceDependentLabelNoise(noise_rate, estimator=GaussianNB(), random_state=0)
    y_noisy = noise.fit(y, X).transform(y, X)
    model = GaussianNB().fit(X, y)
    weights, rivals = [], []
    for label, posterior in zip(y, model.predict_proba(X), strict=True):
        own = posterior[model.classes_ == label][0]
        others = [(p, c) for p, c in zip(posterior, model.classes_, strict=True) if c != label]
        weights.append(1 - max(own - max(others)[0], 0) ** 2)
        rivals.append(max(others)[1])
    weights = np.array(weights)
    for label in "abc":
        w = weights[y == label]
        factor = brentq(lambda s, w=w: np.minimum(s * w, 1).mean() - noise_rate, 0, 1e9)
        expected = np.minimum(factor * w, 1)
        assert_allclose(noise.flip_probability_[y == label], expected, rtol=1e-6, atol=1e-9)
    assert_array_equal(y_noisy, np.where(noise.flip_mask_, rivals, y))


@pytest.mark.parametrize("exact", [False, True])
def test_kept_classes_are_neither_corrupted_nor_targets(blobs, exact):
    X, y = blobs
    noise = InstanceDependentLabelNoise(0.5, exact=exact, keep_classes=["b"], random_state=0)
    y_noisy = noise.fit(y, X).transform(y, X)
    assert_array_equal(y_noisy == "b", y == "b")
    assert noise.transition_matrix_[0, 2] == pytest.approx(0.5, abs=0.05)


def test_lower_rates_replace_a_subset(blobs):
    X, y = blobs
    previous = np.zeros(len(y), dtype=bool)
    for noise_rate in (0.1, 0.3, 0.6, 0.95):
        noise = InstanceDependentLabelNoise(noise_rate, random_state=0).fit(y, X)
        noise.transform(y, X)
        assert (previous <= noise.flip_mask_).all()
        previous = noise.flip_mask_


@pytest.mark.parametrize(
    "make",
    [
        lambda X: X.reshape(-1, 1, 8, 8),
        lambda X: torch.as_tensor(X).reshape(-1, 1, 8, 8),
        lambda X: pd.DataFrame(X),
        lambda X: X.tolist(),
        lambda X: X.astype(np.uint8),
    ],
    ids=["images", "tensor", "DataFrame", "list", "uint8"],
)
def test_samples_of_any_kind(digits, make):
    X, y = digits[0][::4], digits[1][::4]
    noise = InstanceDependentLabelNoise(0.3, random_state=0)
    expected = noise.fit(y, X).transform(y, X)
    assert_array_equal(noise.fit_transform(y, make(X)), expected)


def test_one_axis_is_one_feature():
    X = np.linspace(0, 1, 40)
    y = np.repeat([0, 1], 20)
    noise = InstanceDependentLabelNoise(0.2, exact=True, random_state=0)
    assert_array_equal(noise.fit_transform(y, X), noise.fit_transform(y, X.reshape(-1, 1)))


@pytest.mark.parametrize(
    "estimator",
    [DecisionTreeClassifier(random_state=0), DummyClassifier(strategy="prior")],
    ids=["knows all by heart", "knows nothing"],
)
def test_classifiers_that_tell_no_sample_from_another(blobs, estimator):
    X, y = blobs
    noise = InstanceDependentLabelNoise(0.3, estimator=estimator, random_state=0).fit(y, X)
    noise.transform(y, X)
    assert_allclose(noise.flip_probability_, 0.3)
    assert not hasattr(estimator, "classes_")  # a clone was fitted


@given(
    labels=st.lists(st.integers(0, 3), min_size=2, max_size=40).filter(lambda y: len(set(y)) > 1),
    noise_rate=st.floats(0, 1, exclude_max=True),
    exact=st.booleans(),
    seed=st.integers(0, 2**32 - 1),
)
def test_properties(labels, noise_rate, exact, seed):
    y = np.array(labels)
    X = np.random.RandomState(seed).randn(len(y), 2) + y[:, None]
    y.setflags(write=False)
    X.setflags(write=False)
    noise = InstanceDependentLabelNoise(
        noise_rate, estimator=GaussianNB(var_smoothing=0.1), exact=exact, random_state=seed
    )
    y_noisy = noise.fit_transform(y, X)
    assert_array_equal(noise.flip_mask_, y_noisy != y)
    assert set(y_noisy) <= set(labels)
    for label in set(labels):
        of_class = y == label
        expected = noise_rate * of_class.sum()
        assert noise.flip_probability_[of_class].sum() == pytest.approx(expected)
        if exact:
            assert noise.flip_mask_[of_class].sum() == pytest.approx(expected, abs=0.501)


def test_samples_are_needed():
    noise = InstanceDependentLabelNoise(0.2)
    with pytest.raises(ValueError, match="needs the samples: pass X beside y"):
        noise.fit([0, 1])
    noise.fit([0, 1], [[0], [1]])
    with pytest.raises(ValueError, match="needs the samples: pass X beside y"):
        noise.transform([0, 1])


@pytest.mark.parametrize(
    "X, message",
    [
        ([[1.0], [np.nan]], "NaN"),
        ([["red"], ["blue"]], "X holds text.*TfidfVectorizer"),
        (sp.csr_array([[np.inf], [1]]), "X.* infinity"),
        ([[0]], "inconsistent numbers of samples"),
    ],
)
def test_bad_samples(X, message):
    with pytest.raises((ValueError, TypeError), match=message):
        InstanceDependentLabelNoise(0.2).fit([0, 1], X)


@pytest.mark.parametrize("convert", [sp.csr_array, sp.coo_matrix])
def test_sparse_samples_are_as_dense_ones(convert):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 30)) * (rng.random((200, 30)) < 0.2)
    y = (X[:, :15].sum(axis=1) > 0).astype(int)
    noise = InstanceDependentLabelNoise(0.3, exact=True, random_state=0)
    expected = noise.fit_transform(y, X)
    probability = noise.flip_probability_
    np.testing.assert_array_equal(noise.fit_transform(y, convert(X)), expected)
    np.testing.assert_allclose(noise.flip_probability_, probability, atol=1e-2)


def test_estimator_must_predict_probabilities():
    with pytest.raises(ValueError, match="'estimator' .* 'predict_proba'"):
        InstanceDependentLabelNoise(0.2, estimator=object()).fit([0, 1], [[0], [1]])
    with pytest.raises(ValueError, match="'var_smoothing'"):
        InstanceDependentLabelNoise(0.2, estimator=GaussianNB(var_smoothing=-1)).fit(
            [0, 1], [[0], [1]]
        )
