import os

# As many processes as cores run tests: what counts on threads is slower with them.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np  # noqa: E402
import pytest  # noqa: E402
import torch  # noqa: E402
from hypothesis import HealthCheck, settings  # noqa: E402
from sklearn.datasets import make_blobs  # noqa: E402
from sklearn.linear_model import LogisticRegression  # noqa: E402

from noisyactive import UniformLabelNoise  # noqa: E402

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
