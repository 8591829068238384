"""torch Datasets in scikit-learn's cross-validation, through skorch's SliceDataset."""

import numpy as np
import pytest
import torch
from sklearn.model_selection import GridSearchCV, cross_val_predict
from skorch.helper import SliceDataset
from torch.utils.data import Dataset

from noisyactive import ActiveLabelCleaner, CoTeachingVOGClassifier, NoisyLabelsClassifier
from noisyactive.noise import UniformLabelNoise

QUICK = {"max_epochs": 2, "warmup_epochs": 0, "forget_rate": 0.2, "mix_ratio": 0, "random_state": 0}


class Counted(Dataset):
    """Items are read one by one, and counted."""

    def __init__(self, X, y):
        self.X, self.y = torch.from_numpy(X), y
        self.n_read = 0

    def __len__(self):
        return len(self.X)

    def __getitem__(self, i):
        self.n_read += 1
        return self.X[i], self.y[i]


def test_grid_search_reads_samples_when_their_batch_comes(blobs):
    X, y, y_noisy = blobs
    data = Counted(X, y)
    net = CoTeachingVOGClassifier(**QUICK)
    grid = {"mix_ratio": [0.0, 0.5], "vog_window": [2], "max_epochs": [4]}
    search = GridSearchCV(net, grid, cv=3, refit=False, error_score="raise")
    search.fit(SliceDataset(data), y_noisy)
    by_array = GridSearchCV(net, grid, cv=3, refit=False, error_score="raise").fit(X, y_noisy)
    np.testing.assert_array_equal(
        search.cv_results_["mean_test_score"], by_array.cv_results_["mean_test_score"]
    )
    # Six fits of four epochs on two thirds, and predictions on one third; shapes are looked up.
    once = len(y) * (4 * 2 / 3 + 1 / 3)
    assert 6 * once <= data.n_read <= 6 * once + 6 * 6


def test_slices_give_what_arrays_give(blobs):
    X, y, y_noisy = blobs
    lazy = SliceDataset(Counted(X, y))
    net = CoTeachingVOGClassifier(**QUICK)
    np.testing.assert_array_equal(
        cross_val_predict(net, lazy, y_noisy, cv=3, method="predict_proba"),
        cross_val_predict(net, X, y_noisy, cv=3, method="predict_proba"),
    )
    noisy = NoisyLabelsClassifier(net, UniformLabelNoise(0.2, random_state=0))
    np.testing.assert_array_equal(
        noisy.fit(lazy, y).predict_proba(lazy), noisy.fit(X, y).predict_proba(X)
    )
    labels = SliceDataset(Counted(X, y), idx=1)
    np.testing.assert_array_equal(
        net.fit(lazy, labels).predict_proba(lazy), net.fit(X, y).predict_proba(X)
    )


@pytest.mark.parametrize("strategy", ["entropy", "coreset"])
def test_in_the_cleaner(blobs, strategy):
    X, y, y_noisy = blobs
    cleaner = ActiveLabelCleaner(
        CoTeachingVOGClassifier(**QUICK),
        strategy,
        n_rounds=2,
        round_budget=5,
        fine_tune_epochs=1,
        random_state=0,
    )
    lazy = SliceDataset(Counted(X, y))
    from_lazy = cleaner.fit(lazy, y_noisy, y_clean=y).labels_
    np.testing.assert_array_equal(from_lazy, cleaner.fit(X, y_noisy, y_clean=y).labels_)


def test_a_bare_dataset_in_cross_validation_is_told_what_to_do(blobs):
    X, y, y_noisy = blobs
    with pytest.raises(TypeError, match=r"SliceDataset\(dataset\)"):
        cross_val_predict(CoTeachingVOGClassifier(**QUICK), Counted(X, y), y_noisy, cv=3)
