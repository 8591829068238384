"""Fold models in other threads, processes and clusters: the same bits as one after the other."""

import pickle
import sys
from functools import partial
from multiprocessing.reduction import ForkingPickler
from operator import attrgetter

import joblib
import numpy as np
import pytest
import torch
from sklearn.datasets import make_blobs
from sklearn.linear_model import LogisticRegression

from noisyactive import ActiveLabelCleaner, CoTeachingVOGClassifier, UniformLabelNoise
from noisyactive._held_out import out_of_fold_proba
from noisyactive._rows import RowsOf
from noisyactive.cleaning._training import Training

NET = CoTeachingVOGClassifier(max_epochs=4, warmup_epochs=2, vog_window=2, batch_size=64)


@pytest.fixture(scope="module")
def data():
    X, y = make_blobs(300, centers=4, n_features=6, cluster_std=2, random_state=0)
    return X.astype(np.float32), y, UniformLabelNoise(0.3, random_state=0).fit_transform(y)


def cleaned(data, n_jobs, estimator=NET, **params):
    X, y, y_noisy = data
    cleaner = ActiveLabelCleaner(
        estimator, n_rounds=2, round_budget=12, n_jobs=n_jobs, random_state=0, **params
    )
    return cleaner.fit(X, y_noisy, y_clean=y)


def assert_same(one, other, X):
    for name in ("label_posterior_", "held_out_proba_", "clean_mask_"):
        np.testing.assert_array_equal(
            getattr(one.estimator_, name), getattr(other.estimator_, name), err_msg=name
        )
    np.testing.assert_array_equal(one.predict_proba(X), other.predict_proba(X))
    np.testing.assert_array_equal(one.labels_, other.labels_)
    np.testing.assert_array_equal(one.history_["asked"], other.history_["asked"])


@pytest.fixture(scope="module")
def expected(data):
    return cleaned(data, None)


def test_threads(data, expected):
    with joblib.parallel_config("threading"):
        assert_same(cleaned(data, 2), expected, data[0])


def test_processes(data, expected, workers):
    assert_same(cleaned(data, 2), expected, data[0])


def test_as_many_as_a_context_says(data, monkeypatch):
    numbers = []
    fit = LogisticRegression.fit

    def counting(self, *args, **kwargs):
        numbers.append(joblib.effective_n_jobs(None))
        return fit(self, *args, **kwargs)

    monkeypatch.setattr(LogisticRegression, "fit", counting)
    with joblib.parallel_config("threading", n_jobs=2):
        ours = cleaned(data, None, LogisticRegression(max_iter=1000))
    assert numbers
    assert_same(ours, cleaned(data, 1, LogisticRegression(max_iter=1000)), data[0])


def test_large_arrays_are_mapped_and_not_copied(workers):
    X = np.zeros((1000, 1000))  # 8 MB
    codes = np.zeros(len(X), dtype=int)
    training = Training(LogisticRegression(), X, codes[:1], None, None, {}, None, "accuracy", 2)
    kind = partial(attrgetter("X.__class__.__name__"), training)  # what any process can import
    assert training.at_a_time([kind] * 2) == ["memmap", "memmap"]


class Copied(torch.nn.Linear):
    def __init__(self, in_features, num_classes):
        super().__init__(in_features, num_classes)


def through_joblib(net):
    return pickle.loads(pickle.dumps(joblib.wrap_non_picklable_objects(net, keep_wrapper=False)))


def through_multiprocessing(net):
    return pickle.loads(ForkingPickler.dumps(net))


@pytest.mark.parametrize("through", [through_joblib, through_multiprocessing])
@pytest.mark.parametrize("of", ["module", "notebook"])
def test_networks_reach_other_processes(of, through, data, monkeypatch):
    if of == "notebook":
        monkeypatch.setattr(Copied, "__module__", "__main__")
        if through is through_multiprocessing:
            monkeypatch.setattr(sys.modules["__main__"], "Copied", Copied, raising=False)
    net = CoTeachingVOGClassifier(Copied, forget_rate=0, mix_ratio=0, batch_size=100)
    net.fit(data[0], data[2], epochs=1)
    before = net.predict_proba(data[0])
    twin = through(net)
    np.testing.assert_array_equal(twin.predict_proba(data[0]), before)
    twin.partial_fit(data[0], data[2], epochs=1)
    np.testing.assert_array_equal(net.predict_proba(data[0]), before)
    net.partial_fit(data[0], data[2], epochs=1)
    np.testing.assert_array_equal(twin.predict_proba(data[0]), net.predict_proba(data[0]))


@pytest.mark.parametrize("kind", ["transposed", "reversed", "changed", "deleted"])
def test_arrays_that_joblib_reads_wrongly_from_their_file(kind, workers, tmp_path):
    values = np.random.default_rng(0).normal(size=(12, 60))
    np.save(tmp_path / "X.npy", values if kind == "transposed" else values.T)
    X = np.load(tmp_path / "X.npy", mmap_mode="c" if kind == "changed" else "r")
    X = {"transposed": X.T, "reversed": X[::-1]}.get(kind, X)
    if kind == "changed":
        X *= np.arange(60)[:, None]
    if kind == "deleted":
        (tmp_path / "X.npy").unlink()
    y = (np.array(X)[:, 0] > 0).astype(int)
    weights = {"sample_weight": X[:, 1]}
    training = Training(None, X, y[:1], None, None, weights, (RowsOf(X), y), "accuracy", 2)
    got = training.at_a_time([partial(attrgetter("X", "fit_params", "validation_data"), training)])
    for one in (got[0][0], got[0][2][0]):
        np.testing.assert_array_equal(one, X)
    np.testing.assert_array_equal(got[0][1]["sample_weight"], X[:, 1])
    folds, model = np.arange(60) % 3, LogisticRegression()
    proba = [
        out_of_fold_proba(model, X, np.arange(2), y, folds, n_jobs=n_jobs) for n_jobs in (1, 2)
    ]
    np.testing.assert_array_equal(*proba)


def test_an_error_in_another_process_is_raised(data, workers):
    # joblib ends its processes after an error, so that the next test has to wait for others.
    with pytest.raises(ValueError, match="C' parameter"):
        cleaned(data, 2, LogisticRegression(C=-1))


@pytest.mark.slow
def test_a_dask_cluster(data, expected):
    distributed = pytest.importorskip("distributed")
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address=None
        ) as cluster,
        distributed.Client(cluster),
        joblib.parallel_config("dask"),
    ):
        assert_same(cleaned(data, 2), expected, data[0])


@pytest.mark.slow
def test_ray(data, expected):
    ray = pytest.importorskip("ray")
    from ray.util.joblib import register_ray

    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    try:
        register_ray()
        with joblib.parallel_config("ray"):
            assert_same(cleaned(data, 2), expected, data[0])
    finally:
        ray.shutdown()
