import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import torch
from imblearn.over_sampling import RandomOverSampler
from imblearn.pipeline import Pipeline, make_pipeline
from numpy.testing import assert_array_equal
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, StratifiedKFold, cross_validate
from sklearn.preprocessing import StandardScaler
from torch.utils.data import TensorDataset

from noisyactive.noise import InstanceDependentLabelNoise, LabelNoiseSampler, UniformLabelNoise


class Recorder(ClassifierMixin, BaseEstimator):
    """Keeps what it was given; predicts the commonest class."""

    def fit(self, X, y):
        self.X_, self.y_ = X, y
        self.classes_, counts = np.unique(y, return_counts=True)
        self.commonest_ = self.classes_[counts.argmax()]
        return self

    def predict(self, X):
        return np.full(len(X), self.commonest_)


@pytest.mark.parametrize(
    "make",
    [
        lambda n: np.zeros((n, 3, 4, 4)),
        lambda n: torch.zeros(n, 1, 2, 2),
        lambda n: pd.DataFrame({"x": range(n), "name": ["z"] * n}),
        lambda n: sp.csr_array((n, 2)),
        lambda n: TensorDataset(torch.zeros(n, 2)),
        lambda n: [[0]] * n,
    ],
    ids=["images", "tensor", "DataFrame", "sparse", "Dataset", "list"],
)
def test_samples_pass_through_untouched(make):
    y = np.array(["a", "b"] * 10)
    y.setflags(write=False)
    X = make(len(y))
    noise = UniformLabelNoise(0.3, exact=True, random_state=0)
    X_same, y_noisy = LabelNoiseSampler(noise).fit_resample(X, y)
    assert X_same is X
    assert_array_equal(y_noisy, clone(noise).fit_transform(y))
    assert (y_noisy != y).sum() == 6


def test_noise_is_cloned_and_reported():
    y = [0, 1] * 10
    sampler = LabelNoiseSampler(UniformLabelNoise(0.3, exact=True, random_state=0))
    _, y_noisy = sampler.fit_resample(range(20), y)
    assert sampler.noise_ is not sampler.noise
    assert not hasattr(sampler.noise, "classes_")
    assert_array_equal(sampler.noise_.flip_mask_, y_noisy != y)


def test_noise_sees_the_samples():
    X, y = load_iris(return_X_y=True)
    noise = InstanceDependentLabelNoise(0.3, random_state=0)
    _, y_noisy = LabelNoiseSampler(noise).fit_resample(X, y)
    assert_array_equal(y_noisy, clone(noise).fit_transform(y, X))


def test_step_of_an_imbalanced_learn_pipeline():
    X, y = load_iris(return_X_y=True)
    noise = UniformLabelNoise(0.3, random_state=0)
    pipeline = make_pipeline(
        StandardScaler(),
        LabelNoiseSampler(noise),
        RandomOverSampler(random_state=0),
        LogisticRegression(),
    ).fit(X, y)
    y_noisy = clone(noise).fit_transform(y)
    X_more, y_more = RandomOverSampler(random_state=0).fit_resample(
        StandardScaler().fit_transform(X), y_noisy
    )
    expected = LogisticRegression().fit(X_more, y_more)
    assert_array_equal(pipeline[-1].coef_, expected.coef_)


def test_images_in_an_imbalanced_learn_pipeline():
    X, y = np.zeros((20, 3, 4, 4)), [0, 1] * 10
    sampler = LabelNoiseSampler(UniformLabelNoise(0.3, exact=True, random_state=0))
    pipeline = Pipeline([("noise", sampler), ("net", Recorder())]).fit(X, y)
    assert pipeline["net"].X_ is X
    assert (pipeline["net"].y_ != y).sum() == 6


def test_validation_folds_keep_every_label():
    X, y = load_iris(return_X_y=True)
    X = np.column_stack([X, np.arange(len(y))])
    seen = []

    def score(estimator, X_val, y_val):
        seen.append((X_val[:, -1].astype(int), np.array(y_val)))
        return 0.0

    sampler = LabelNoiseSampler(UniformLabelNoise(0.4, exact=True, random_state=0))
    scores = cross_validate(
        make_pipeline(sampler, Recorder()), X, y, scoring=score, return_estimator=True
    )
    for rows, y_val in seen:
        assert_array_equal(y_val, y[rows])
    assert_array_equal(np.sort(np.concatenate([rows for rows, _ in seen])), np.arange(len(y)))
    for pipeline in scores["estimator"]:
        rows = pipeline[-1].X_[:, -1].astype(int)
        assert np.mean(pipeline[-1].y_ != y[rows]) == pytest.approx(0.4)


def test_noise_of_shuffled_folds_differs_and_is_reproducible():
    X, y = load_iris(return_X_y=True)
    X = np.column_stack([X, np.arange(len(y))])
    pipeline = make_pipeline(
        LabelNoiseSampler(UniformLabelNoise(0.4, exact=True, random_state=0)), Recorder()
    )
    folds = StratifiedKFold(shuffle=True, random_state=0)

    def wrong_of_each_fold():
        scores = cross_validate(pipeline, X, y, cv=folds, return_estimator=True)
        wrong = np.full((5, len(y)), np.nan)
        for fold, fitted in zip(wrong, scores["estimator"], strict=True):
            rows = fitted[-1].X_[:, -1].astype(int)
            fold[rows] = fitted[-1].y_ != y[rows]
        return wrong

    wrong = wrong_of_each_fold()
    assert_array_equal(wrong, wrong_of_each_fold())
    for i in range(5):
        for j in range(i):
            shared = ~np.isnan(wrong[i] + wrong[j])
            both = (wrong[i] * wrong[j])[shared].mean()
            assert both < 0.3  # 0.16 if independent, 0.4 if the same


def test_nested_parameters():
    X, y = load_iris(return_X_y=True)
    pipeline = Pipeline(
        [
            ("noise", LabelNoiseSampler(UniformLabelNoise(0.1, exact=True, random_state=0))),
            ("net", LogisticRegression(max_iter=1000)),
        ]
    )
    search = GridSearchCV(pipeline, {"noise__noise__noise_rate": [0, 0.6]}, cv=3).fit(X, y)
    assert search.best_params_ == {"noise__noise__noise_rate": 0}
    assert search.best_score_ > 0.9


@pytest.mark.parametrize(
    "noise, X, y, message",
    [
        ("uniform", [1, 2], [0, 1], "'noise' parameter"),
        (UniformLabelNoise(2), [1, 2], [0, 1], "'noise_rate' parameter"),
        (UniformLabelNoise(0.2), [1, 2, 3], [0, 1], "inconsistent numbers of samples"),
        (UniformLabelNoise(0.2), [1, 2], [1, 1], "at least two classes"),
    ],
)
def test_bad_input(noise, X, y, message):
    with pytest.raises(ValueError, match=message):
        LabelNoiseSampler(noise).fit_resample(X, y)
