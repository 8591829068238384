"""Small noisy data and quick settings."""

import numpy as np
import pytest
from sklearn.datasets import make_blobs

from noisyactive import UniformLabelNoise


@pytest.fixture
def blobs():
    """Samples, true labels and noisy labels of an easy problem with a rare class."""
    X, y = make_blobs([60, 40, 15], n_features=4, cluster_std=1.5, random_state=0)
    y_noisy = UniformLabelNoise(0.3, random_state=0).fit_transform(y)
    return X.astype(np.float32), y, y_noisy
