import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, settings
from sklearn.datasets import make_blobs
from sklearn.linear_model import LogisticRegression

from noisyactive import UniformLabelNoise

# Networks this small are no quicker on several threads, and results depend on their number.
torch.set_num_threads(1)

# The same examples in every run, however slow the machine; `pytest
# --hypothesis-profile=default` looks for new ones.
settings.register_profile(
    "deterministic",
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("deterministic")


@pytest.fixture
def data():
    """Samples, true labels and noisy labels of an easy problem."""
    X, y = make_blobs([60, 40, 15], n_features=4, cluster_std=2.0, random_state=0)
    y_noisy = UniformLabelNoise(0.3, random_state=0).fit_transform(y)
    return X.astype(np.float32), y, y_noisy


@pytest.fixture
def model():
    return LogisticRegression(max_iter=1000)
