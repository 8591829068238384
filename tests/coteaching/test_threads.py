"""Several trainings at once in one process: the same bits as one after the other."""

import random
import sys
import warnings
from concurrent.futures import ThreadPoolExecutor

import joblib
import numpy as np
import pytest
import torch
from sklearn.datasets import make_blobs
from sklearn.ensemble import RandomForestClassifier, VotingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from skorch import NeuralNetClassifier
from skorch.callbacks import Callback
from skorch.dataset import ValidSplit
from torch.utils.data import WeightedRandomSampler

from noisyactive import ActiveLabelCleaner, CoTeachingVOGClassifier
from noisyactive._templates import draws_globally
from noisyactive.coteaching._process_state import torch_settings

X, Y = make_blobs([60, 40], n_features=3, cluster_std=3.0, random_state=0)
X = X.astype(np.float32)
SETTINGS = {
    "max_epochs": 6,
    "warmup_epochs": 2,
    "vog_window": 2,
    "ramp_epochs": 2,
    "batch_size": 20,
}


def jitter(batch):
    return batch + 0.1 * torch.randn_like(batch)


def user_sampler():
    return WeightedRandomSampler(torch.ones(len(X)), len(X))


class Draws(Callback):
    def on_epoch_begin(self, net, **kwargs):
        net.history.record("drawn", [np.random.rand(), random.random()])


NETS = {
    "default": {},
    "dropout": {"module__dropout": 0.3},
    "transform": {"train_transform": jitter},
    "callback": {"callbacks": [Draws()]},
    "split": {"train_split": ValidSplit(0.2)},
    "sampler": {"iterator_train__sampler": user_sampler()},
}


def make_net(seed, **options):
    return CoTeachingVOGClassifier(random_state=seed, **SETTINGS, **options)


def fit(seed, options):
    return results(make_net(seed, **options).fit(X, Y))


def results(net):
    drawn = [row.get("drawn") for row in net.history]
    return net.predict_proba(X).tobytes(), net.clean_mask_.tobytes(), drawn


class Plain(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = torch.nn.Sequential(
            torch.nn.Linear(3, 8), torch.nn.Dropout(0.2), torch.nn.Linear(8, 2)
        )

    def forward(self, X):
        return self.layers(X)


def plain_net():
    return NeuralNetClassifier(
        Plain, criterion=torch.nn.CrossEntropyLoss, max_epochs=2, train_split=None, verbose=0
    )


def at_once(function, jobs):
    with ThreadPoolExecutor(len(jobs)) as pool:
        return [future.result() for future in [pool.submit(function, *job) for job in jobs]]


def global_state():
    return (
        torch.get_rng_state().tolist(),
        np.random.get_state()[1].tolist(),
        random.getstate(),
        torch.get_num_threads(),
    )


@pytest.mark.parametrize("options", NETS.values(), ids=NETS)
def test_four_threads_give_what_four_fits_in_a_row_give(options):
    jobs = [(seed, options) for seed in range(4)]
    in_a_row, before = [fit(*job) for job in jobs], global_state()
    assert len({result[0] for result in in_a_row}) == 4
    assert at_once(fit, jobs) == in_a_row
    assert global_state() == before


@pytest.mark.slow
def test_joblib_backends_agree(workers):
    jobs = [(seed, NETS["dropout"]) for seed in (0, 1)]
    expected = [fit(*job) for job in jobs]
    for backend in ("threading", "loky"):
        # Methods of our own class: a worker need not find this module.
        tasks = (joblib.delayed(make_net(seed, **options).fit)(X, Y) for seed, options in jobs)
        nets = joblib.Parallel(n_jobs=2, backend=backend)(tasks)
        assert [results(net) for net in nets] == expected, backend


def test_one_network_predicts_in_several_threads():
    """Dropout stays off, and no thread gets features of another one's samples."""
    net = make_net(0, module__dropout=0.3).fit(X, Y)
    parts = [(X[start::4],) for start in range(4)]

    def predict(part):
        results = [(net.extract_features(part), net.predict_proba(part)) for _ in range(20)]
        return [(features.tobytes(), proba.tobytes()) for features, proba in results]

    expected, before = [predict(*part) for part in parts], global_state()
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        assert at_once(predict, parts) == expected
    finally:
        sys.setswitchinterval(interval)
    assert global_state() == before


def test_predictions_while_training_leave_its_threads_of_torch_alone():
    seen = []

    class Predicts(Callback):
        def on_epoch_end(self, net, **kwargs):
            net.predict(X)
            seen.append(torch.get_num_threads())

    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        make_net(0, callbacks=[Predicts()]).fit(X, Y)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
    assert set(seen) == {1}


def test_large_batches_of_rows_have_the_same_bits_on_any_number_of_threads_of_torch():
    """As trainings in joblib's processes, which have one, and in this one, which may have more."""
    rng = np.random.RandomState(0)
    rows, labels = rng.normal(size=(5_000, 50)).astype(np.float32), rng.randint(2, size=5_000)
    params = {"max_epochs": 3, "batch_size": 2_500, "forget_rate": 0.2, "mix_ratio": 0}
    before, found = torch.get_num_threads(), []
    try:
        for n_threads in (1, 2):
            torch.set_num_threads(n_threads)
            net = CoTeachingVOGClassifier(random_state=0, **params).fit(rows, labels)
            found.append(net.predict_proba(rows).tobytes())
    finally:
        torch.set_num_threads(before)
    assert found[0] == found[1]


def test_a_thread_beside_a_small_network_computes_as_it_would_alone():
    """torch hands the number that one thread sets to all that compute for the first time later."""
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        with torch_settings(True):
            ((number,),) = [at_once(number_of_threads, [()])]
    finally:
        torch.set_num_threads(before)
    assert number == 3


def number_of_threads():
    with torch_settings(False):
        return torch.get_num_threads()


def test_filters_of_warnings_are_left_alone():
    """They belong to the process: what one thread puts back, another has set."""
    calls = []

    class Criterion(torch.nn.CrossEntropyLoss):
        def forward(self, *args):
            calls.append(list(warnings.filters) == before)
            return super().forward(*args)

    before = list(warnings.filters)
    make_net(0, criterion=Criterion).fit(X, Y)
    assert all(calls)


def test_the_number_of_cores_does_not_change_a_small_network():
    before, results = torch.get_num_threads(), []
    try:
        for n_threads in (1, 2, 3):
            torch.set_num_threads(n_threads)
            results.append(fit(0, {}))
            assert torch.get_num_threads() == n_threads
    finally:
        torch.set_num_threads(before)
    assert results[0] == results[1] == results[2]


def clean(model, strategy):
    settings = {"n_rounds": 1, "round_budget": 4, "fine_tune_epochs": 2, "random_state": 0}
    cleaner = ActiveLabelCleaner(model, query_strategy=strategy, **settings)
    y_noisy = np.where(np.arange(len(Y)) % 4, Y, 1 - Y)
    return cleaner.fit(X, y_noisy, oracle=lambda rows, X: Y[rows], validation_data=(X, Y))


def outcome(cleaner):
    scores = cleaner.history_["score"].tobytes()
    return cleaner.labels_.tobytes(), scores, cleaner.predict_proba(X).tobytes()


def users_own(learner, pool, n_instances=1, **kwargs):
    rows = np.random.choice(len(pool), n_instances, replace=False)
    return rows, pool[rows]


@pytest.mark.parametrize(
    ("make_model", "strategy"),
    [
        (lambda: make_net(None), "rare_entropy"),
        (lambda: make_net(None, module__dropout=0.2), "entropy"),
        (lambda: LogisticRegression(), users_own),
        (plain_net, "entropy"),
    ],
    ids=["default", "dropout", "strategy", "skorch"],
)
def test_cleaners_in_threads(make_model, strategy):
    expected, before = outcome(clean(make_model(), strategy)), global_state()
    cleaners = at_once(clean, [(make_model(), strategy)] * 3)
    assert global_state() == before
    assert [outcome(cleaner) for cleaner in cleaners] == [expected] * 3


def test_threads_inside_a_cleaner():
    both = VotingClassifier([("a", make_net(0)), ("b", make_net(1))], voting="soft")
    expected = outcome(clean(both, "entropy"))
    with joblib.parallel_config("threading", n_jobs=2):
        assert outcome(clean(both.set_params(n_jobs=2), "entropy")) == expected


@pytest.mark.parametrize(
    ("estimator", "expected"),
    [
        (LogisticRegression(), False),
        (make_pipeline(FunctionTransformer(), RandomForestClassifier()), False),
        (make_pipeline(FunctionTransformer(np.log1p), RandomForestClassifier()), True),
        (VotingClassifier([("a", make_net(0))]), False),
        (plain_net(), True),
        (VotingClassifier([("a", make_net(0)), ("b", plain_net())]), True),
    ],
    ids=["deterministic", "pipeline", "function", "network", "skorch", "within"],
)
def test_who_may_draw_from_global_generators(estimator, expected):
    assert draws_globally(estimator) is expected
