import numpy as np
import pytest
from sklearn.datasets import make_blobs
from sklearn.linear_model import LogisticRegression


@pytest.fixture
def blobs():
    """Samples of three classes that overlap, and string labels."""
    X, codes = make_blobs(90, n_features=4, centers=3, cluster_std=4.0, random_state=0)
    return X, np.array(["ant", "bee", "fly"])[codes]


@pytest.fixture
def model():
    return LogisticRegression(max_iter=1000)
