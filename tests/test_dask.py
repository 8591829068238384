"""A search on a cluster of dask workers finds what it finds at home."""

import os

import joblib
import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal
from sklearn.base import clone
from sklearn.datasets import make_blobs
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from noisyactive import CoTeachingVOGClassifier, NoisyLabelsClassifier, UniformLabelNoise

distributed = pytest.importorskip("distributed", reason="dask is an extra")
psutil = pytest.importorskip("psutil", reason="comes with distributed")

PATIENCE = 300  # seconds for what takes none on a machine that is not busy


@pytest.fixture
def client():
    """Two worker processes, which are gone when the test is over."""
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        workers = [psutil.Process(number) for number in client.run(os.getpid).values()]
        yield client
    assert psutil.wait_procs(workers, timeout=PATIENCE)[1] == []


@pytest.mark.slow
def test_same_bits_on_a_cluster(client):
    X, y = make_blobs([40, 30, 20], n_features=4, cluster_std=3, random_state=0)
    y = np.array(["ill", "well", "worse"])[y]
    net = CoTeachingVOGClassifier(
        max_epochs=6, warmup_epochs=2, ramp_epochs=2, vog_window=2, random_state=0
    )
    model = NoisyLabelsClassifier(
        Pipeline([("scale", StandardScaler()), ("net", net)]),
        UniformLabelNoise(0.3, random_state=0),
    )
    search = GridSearchCV(
        model,
        {"estimator__net__mix_ratio": [0.0, 0.5, 1.0]},
        scoring={"f1": "f1_macro", "loss": "neg_log_loss", "process": lambda *_: os.getpid()},
        refit="f1",
        cv=2,
        error_score="raise",
    )
    at_home = clone(search).fit(X, y)
    with joblib.parallel_config(backend="dask"):
        away = clone(search).set_params(n_jobs=-1).fit(X, y)

    assert at_home.cv_results_.keys() == away.cv_results_.keys()
    for name, values in at_home.cv_results_.items():
        if not ("_time" in name or "_process" in name):
            assert_array_equal(away.cv_results_[name], values)
    assert len(set(at_home.cv_results_["mean_test_loss"])) == 3  # candidates do differ
    assert_array_equal(away.predict_proba(X), at_home.predict_proba(X))
    assert_array_equal(away.predict(X), at_home.predict(X))

    # It was the workers' work. Like tests/conftest.py here, dask gave each a single torch thread.
    processes = {away.cv_results_[f"split{k}_test_process"][i] for k in (0, 1) for i in range(3)}
    assert processes <= set(client.run(os.getpid).values())
    assert set(client.run(torch.get_num_threads).values()) == {1}
