"""An easy problem with wrong labels, and classifiers that are quick."""

import numpy as np
import pytest
from sklearn.datasets import make_blobs
from sklearn.linear_model import LogisticRegression

from noisyactive import UniformLabelNoise


@pytest.fixture
def data():
    """Samples, true labels and noisy labels."""
    X, y = make_blobs([60, 40, 15], n_features=4, cluster_std=2.0, random_state=0)
    y_noisy = UniformLabelNoise(0.3, random_state=0).fit_transform(y)
    return X.astype(np.float32), y, y_noisy


@pytest.fixture
def model():
    return LogisticRegression(max_iter=1000)
