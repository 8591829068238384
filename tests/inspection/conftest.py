"""Small runs to look at, and figures that are drawn without a window."""

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest
from sklearn.datasets import make_blobs
from sklearn.linear_model import LogisticRegression

from noisyactive import ActiveLabelCleaner, CoTeachingVOGClassifier, UniformLabelNoise

matplotlib.use("Agg")


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def labels():
    """True and noisy labels of three classes, not in the order of their sizes, and a selection."""
    rng = np.random.RandomState(0)
    y_clean = np.repeat(["rare", "big", "middle"], [20, 120, 60])
    y_noisy = UniformLabelNoise(0.3, random_state=0).fit_transform(y_clean)
    return y_clean, y_noisy, rng.rand(len(y_clean)) < np.where(y_noisy == y_clean, 0.8, 0.2)


@pytest.fixture(scope="module")
def blobs():
    """Samples, true labels and noisy labels."""
    X, y = make_blobs([160, 60, 20], n_features=4, cluster_std=2.0, random_state=0)
    return X.astype(np.float32), y, UniformLabelNoise(0.3, random_state=0).fit_transform(y)


@pytest.fixture(scope="module")
def net(blobs):
    """A fitted network with VOG and validation scores."""
    X, y, y_noisy = blobs
    net = CoTeachingVOGClassifier(
        mix_ratio=0.5, max_epochs=14, warmup_epochs=6, vog_window=3, random_state=0
    )
    return net.fit(X, y_noisy, validation_data=(X[::3], y[::3]))


@pytest.fixture
def make_cleaner():
    """A cleaner of a quick model, which may ask about any label."""

    def make(**parameters):
        parameters = {"n_rounds": 3, "round_budget": 6, "random_state": 0, **parameters}
        model = LogisticRegression(max_iter=1000)
        return ActiveLabelCleaner(model, pool="unverified", trust="all", **parameters)

    return make
