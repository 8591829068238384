"""A learner of modAL on flower data, whose last class is rare in the pool."""

from types import SimpleNamespace

import numpy as np
import pytest
from modAL.models import ActiveLearner
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits


@pytest.fixture(autouse=True)
def one_thread():
    with threadpool_limits(1):
        yield


@pytest.fixture(scope="session")
def iris():
    X, y = load_iris(return_X_y=True)
    y = np.array(["setosa", "versicolor", "virginica"])[y]
    order = np.random.RandomState(0).permutation(150)
    first, pool = order[:30], order[30:]
    return SimpleNamespace(X=X[first], y=y[first], X_pool=X[pool], y_pool=y[pool])


@pytest.fixture
def learn(iris):
    def make(query_strategy, estimator=None):
        estimator = LogisticRegression(max_iter=1000) if estimator is None else estimator
        return ActiveLearner(estimator, query_strategy, X_training=iris.X, y_training=iris.y)

    return make
