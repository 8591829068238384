import numpy as np
import pandas as pd
import pytest
import torch
from numpy.testing import assert_array_equal
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.neighbors import KNeighborsClassifier
from sklearn.svm import LinearSVC
from torch.utils.data import TensorDataset

from noisyactive import CoTeachingClassifier, CoTeachingVOGClassifier
from noisyactive.noise import (
    InstanceDependentLabelNoise,
    NoisyLabelsClassifier,
    PairLabelNoise,
    TransitionLabelNoise,
    UniformLabelNoise,
)


@pytest.fixture
def iris():
    X, y = load_iris(return_X_y=True)
    return X, np.array(["setosa", "versicolor", "virginica"])[y]


@pytest.mark.parametrize(
    "noise",
    [UniformLabelNoise(0.4, random_state=0), InstanceDependentLabelNoise(0.4, random_state=0)],
    ids=["uniform", "instance"],
)
def test_learns_from_noisy_labels_and_scores_on_those_given(iris, noise):
    X, y = iris
    y.setflags(write=False)
    noisy = NoisyLabelsClassifier(LogisticRegression(max_iter=1000), noise).fit(X, y)
    y_noisy = clone(noise).fit_transform(y, X)
    expected = LogisticRegression(max_iter=1000).fit(X, y_noisy)
    assert_array_equal(noisy.y_noisy_, y_noisy)
    assert_array_equal(noisy.noise_.flip_mask_, y_noisy != y)
    assert_array_equal(noisy.classes_, expected.classes_)
    assert_array_equal(noisy.predict(X), expected.predict(X))
    assert_array_equal(noisy.predict_proba(X), expected.predict_proba(X))
    assert_array_equal(noisy.decision_function(X), expected.decision_function(X))
    assert noisy.score(X, y) == accuracy_score(y, expected.predict(X))
    assert not hasattr(noisy.noise, "classes_") and not hasattr(noisy.estimator, "classes_")


def test_methods_are_those_of_the_estimator(iris):
    noise = PairLabelNoise(0.1, random_state=0)
    for estimator in (LinearSVC(), KNeighborsClassifier(), LogisticRegression(max_iter=1000)):
        noisy = NoisyLabelsClassifier(estimator, noise)
        for fitted in (noisy, clone(noisy).fit(*iris)):
            for method in ("predict_proba", "decision_function"):
                assert hasattr(fitted, method) == hasattr(estimator, method)


def test_names_of_features(iris):
    X = pd.DataFrame(iris[0], columns=list("abcd"))
    noisy = NoisyLabelsClassifier(LogisticRegression(max_iter=1000), UniformLabelNoise(0))
    noisy.fit(X, iris[1])
    assert noisy.n_features_in_ == 4
    assert noisy.feature_names_in_.tolist() == list("abcd")


def test_fit_parameters_are_handed_on(iris):
    X, y = iris
    weight = np.linspace(0, 1, len(y))
    noise = UniformLabelNoise(0.2, random_state=0)
    noisy = NoisyLabelsClassifier(LogisticRegression(max_iter=1000), noise)
    noisy.fit(X, y, sample_weight=weight)
    expected = LogisticRegression(max_iter=1000).fit(X, noisy.y_noisy_, sample_weight=weight)
    assert_array_equal(noisy.estimator_.coef_, expected.coef_)


def test_grid_search_over_the_noise_rate(iris):
    X, y = iris
    noisy = NoisyLabelsClassifier(
        KNeighborsClassifier(1), UniformLabelNoise(0.4, exact=True, random_state=0)
    )
    grid = {"noise__noise_rate": [0, 0.4], "estimator__n_neighbors": [1, 25]}
    search = GridSearchCV(noisy, grid).fit(X, y)
    mean = {
        (p["noise__noise_rate"], p["estimator__n_neighbors"]): score
        for p, score in zip(
            search.cv_results_["params"], search.cv_results_["mean_test_score"], strict=True
        )
    }
    # One neighbour repeats the noise; were the validation labels noisy too, 25 could not do well.
    assert mean[0, 1] > 0.93
    assert mean[0.4, 1] < 0.75
    assert mean[0.4, 25] > 0.85


def test_noise_before_the_split_would_spoil_the_scores(iris):
    X, y = iris
    noise = UniformLabelNoise(0.4, exact=True, random_state=0)
    knn = KNeighborsClassifier(25)
    spoilt = cross_val_score(knn, X, noise.fit_transform(y)).mean()
    assert cross_val_score(NoisyLabelsClassifier(knn, noise), X, y).mean() > spoilt + 0.2


def test_class_of_which_no_label_is_left():
    X, y = np.arange(12).reshape(-1, 1), np.repeat([0, 1, 2], [5, 6, 1])
    noise = TransitionLabelNoise({2: [0]}, noise_rate=0.6, exact=True)
    noisy = NoisyLabelsClassifier(KNeighborsClassifier(1), noise).fit(X, y)
    assert noisy.classes_.tolist() == [0, 1]
    assert noisy.noise_.classes_.tolist() == [0, 1, 2]
    assert noisy.predict_proba(X).shape == (12, 2)
    assert noisy.score(X, y) == 11 / 12


@pytest.mark.parametrize("kind", ["images", "Dataset"])
def test_samples_are_handed_on_as_they_are(kind):
    rng = np.random.RandomState(0)
    y = np.array(["a", "b"] * 30)
    images = (rng.randn(60, 1, 8, 8) + (y == "b")[:, None, None, None]).astype(np.float32)
    X = images if kind == "images" else TensorDataset(torch.from_numpy(images))
    noisy = NoisyLabelsClassifier(
        CoTeachingClassifier(max_epochs=2, warmup_epochs=1, random_state=0),
        UniformLabelNoise(0.2, exact=True, random_state=0),
    )
    noisy.fit(X, y, validation_data=(images[:20], y[:20]))
    expected = clone(noisy.estimator).fit(X, noisy.y_noisy_, validation_data=(images[:20], y[:20]))
    assert (noisy.y_noisy_ != y).sum() == 12
    assert_array_equal(noisy.predict_proba(X), expected.predict_proba(X))


def test_parameters_of_networks_are_grid_keys():
    noisy = NoisyLabelsClassifier(CoTeachingVOGClassifier(), UniformLabelNoise(0.4))
    noisy.set_params(estimator__mix_ratio=1, noise__noise_rate=0.2)
    assert noisy.estimator.mix_ratio == 1
    assert noisy.noise.noise_rate == 0.2


@pytest.mark.parametrize(
    "estimator, noise, message",
    [
        (LogisticRegression(), "uniform", "'noise' parameter"),
        ("logistic", UniformLabelNoise(0.2), "'estimator' parameter"),
        (LogisticRegression(), UniformLabelNoise(1), "'noise_rate' parameter"),
        (LogisticRegression(C=-1), UniformLabelNoise(0.1), "'C' parameter"),
    ],
)
def test_bad_parameters(iris, estimator, noise, message):
    with pytest.raises(ValueError, match=message):
        NoisyLabelsClassifier(estimator, noise).fit(*iris)


def test_labels_are_required(iris):
    noisy = NoisyLabelsClassifier(LogisticRegression(), UniformLabelNoise(0.2))
    with pytest.raises(ValueError, match="requires y to be passed"):
        noisy.fit(iris[0], None)
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        noisy.fit(iris[0], iris[1][:-1])
