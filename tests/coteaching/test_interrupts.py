"""A training that breaks off: by the user, by a callback that asks for it, by a fault."""

import os
import random
import signal
import sys
import threading
from functools import partial

import numpy as np
import pytest
import torch
from sklearn.datasets import make_blobs
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from skorch.callbacks import Callback, EarlyStopping

from noisyactive import ActiveLabelCleaner, CoTeachingVOGClassifier, UniformLabelNoise
from noisyactive.noise import NoisyLabelsClassifier

N_INTERRUPTS = int(os.environ.get("NOISYACTIVE_KILLS", "20")) // 4
SETTINGS = {"max_epochs": 8, "warmup_epochs": 2, "vog_window": 2, "ramp_epochs": 2}


class AtEpoch(Callback):
    """Does something in one epoch of those that a net trains in all."""

    def __init__(self, epoch, act):
        self.epoch = epoch
        self.act = act

    def on_batch_end(self, net, training=False, **kwargs):
        if training and len(net.history) == self.epoch:
            self.act()


def interrupt():
    signal.raise_signal(signal.SIGINT)


def interrupted(work, line, chance=None):
    """Send SIGINT before the n-th line that runs within `work`, and soon again; how many have run.

    The second one, which may find the first on its way, comes some microseconds later.
    """
    count, under_way = 0, True

    def trace(frame, event, argument):
        nonlocal count
        if event == "line":
            count += 1
            if count == line:
                signal.setitimer(signal.ITIMER_REAL, chance.uniform(1e-6, 1e-3))
                interrupt()
        return trace

    signal.signal(signal.SIGALRM, lambda *_: interrupt() if under_way else None)
    sys.settrace(trace)
    try:
        work()
    finally:
        under_way = False
        sys.settrace(None)
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
    return count


def global_state():
    return (
        torch.get_rng_state().tolist(),
        np.random.get_state()[1].tolist(),
        random.getstate(),
        torch.get_num_threads(),
        torch.is_grad_enabled(),
        signal.getsignal(signal.SIGINT),
    )


def fault():
    raise RuntimeError("a fault in a callback")


@pytest.fixture(autouse=True)
def ctrl_c():
    """Signals as at a terminal: a shell starts background jobs with SIGINT ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def blobs():
    X, y = make_blobs([60, 40], n_features=3, cluster_std=2.0, random_state=0)
    return X.astype(np.float32), y


def make_net(*callbacks, **settings):
    return CoTeachingVOGClassifier(
        callbacks=list(callbacks), random_state=0, **{**SETTINGS, **settings}
    )


def left_of_the_training(net):
    return [vars(net)[name] for name in ("_record", "_crossfit", "_vog", "_weights", "_validation")]


class TestInterrupts:
    def test_fit(self, blobs):
        net = make_net(AtEpoch(5, interrupt))
        with pytest.raises(KeyboardInterrupt):
            net.fit(*blobs)
        assert len(net.history) == 5
        assert not hasattr(net, "clean_mask_")  # it does not look finished
        assert left_of_the_training(net) == [None] * 5 and net._vog_histories == []

    @pytest.mark.parametrize("method", ["partial_fit", "refine"])
    def test_training_goes_on(self, blobs, method):
        net = make_net(AtEpoch(10, interrupt)).fit(*blobs)
        before = net.clean_mask_.copy()
        with pytest.raises(KeyboardInterrupt):
            getattr(net, method)(*blobs, epochs=6)
        np.testing.assert_array_equal(net.clean_mask_, before)
        assert left_of_the_training(net) == [None] * 5

    def test_global_state_and_learning_rate_are_put_back(self, blobs):
        state = torch.get_rng_state(), np.random.get_state()[1].copy()
        net = make_net(AtEpoch(5, interrupt))
        with pytest.raises(KeyboardInterrupt):
            net.fit(*blobs)
        assert torch.equal(torch.get_rng_state(), state[0])
        np.testing.assert_array_equal(np.random.get_state()[1], state[1])
        assert net.optimizer_.param_groups[0]["lr"] == net.schedule_["lr"]

    @pytest.mark.slow
    @pytest.mark.parametrize("how", ["default", "dropout", "validation"])
    def test_at_random_lines(self, blobs, how):
        """Wherever it comes: the process is as before, nothing is left, and `fit` starts anew."""
        X, y = blobs
        net = make_net(max_epochs=4, **{"module__dropout": 0.2} if how == "dropout" else {})
        validation = (X, y) if how == "validation" else None
        expected = net.fit(X, y, validation_data=validation).predict_proba(X).tobytes()
        before = global_state()

        def fit(line):
            work = partial(net.fit, X, y, validation_data=validation)
            return interrupted(work, line, chance)

        chance = random.Random(0)
        n_lines = fit(None)
        for _ in range(N_INTERRUPTS):
            line = chance.randrange(1, n_lines)
            with pytest.raises(KeyboardInterrupt):
                assert fit(line) < line, line  # not swallowed; the number of lines varies a little
                interrupt()
            assert global_state() == before, line
            assert left_of_the_training(net) == [None] * 5 and net._vog_histories == [], line
            assert [group["lr"] for group in net.optimizer_.param_groups] == [
                net.schedule_["lr"]
            ], line
        fit(None)
        assert net.predict_proba(X).tobytes() == expected

    def test_a_network_that_raises_is_no_callback(self, blobs):
        class Net(torch.nn.Linear):
            def forward(self, X):
                if self.training:
                    raise KeyboardInterrupt
                return super().forward(X)

        with pytest.raises(KeyboardInterrupt):
            make_net(module=Net, module__in_features=3, module__out_features=2).fit(*blobs)

    def test_cross_validation(self, blobs):
        with pytest.raises(KeyboardInterrupt):
            cross_val_score(make_net(AtEpoch(5, interrupt)), *blobs, cv=2)

    @pytest.mark.parametrize("trust", ["once", "crossfit"])
    @pytest.mark.parametrize("journal", [False, True])
    def test_a_cleaner_goes_on_to_the_same_bits(self, blobs, tmp_path, trust, journal):
        X, y = blobs
        y_noisy = np.where(np.arange(len(y)) % 5 == 0, 1 - y, y)
        settings = {"n_rounds": 2, "round_budget": 4, "fine_tune_epochs": 6, "random_state": 0}

        def finish(cleaner):
            while len(rows := cleaner.query()):
                cleaner.teach(rows, y[rows])
            return cleaner

        def cleaner(path):
            net = make_net(AtEpoch(10, lambda: interrupt() if armed else None))
            return ActiveLabelCleaner(net, trust=trust, journal=path, **settings)

        armed = False
        whole = finish(cleaner(None).start(X, y_noisy))
        run = cleaner(tmp_path / "run.db" if journal else None).start(X, y_noisy)
        rows = run.query()
        run.teach(rows, y[rows])
        n_events, model, armed = len(run.events_), run.estimator_, True
        with pytest.raises(KeyboardInterrupt):
            run.query()
        assert len(run.events_) == n_events and run.estimator_ is model
        armed = False
        if journal:
            run.close()
            run = cleaner(tmp_path / "run.db").start(X, y_noisy)
        finish(run)
        np.testing.assert_array_equal(run.labels_, whole.labels_)
        np.testing.assert_array_equal(run.predict_proba(X), whole.predict_proba(X))
        run.close()


class TestCallbacks:
    def test_early_stopping_ends_a_training(self, blobs):
        stop = EarlyStopping(monitor="train_loss", patience=5, threshold=1.0)
        net = make_net(stop, max_epochs=30).fit(*blobs)
        assert 5 <= len(net.history) < 30
        assert net.clean_mask_.shape == (100,)

    def test_so_does_a_callback_of_ones_own(self, blobs):
        def stop():
            raise KeyboardInterrupt

        net = make_net(AtEpoch(6, stop)).fit(*blobs)
        assert len(net.history) == 6 and hasattr(net, "clean_mask_")

    def test_a_fault_leaves_nothing_of_the_training(self, blobs):
        net = make_net(AtEpoch(5, fault))
        with pytest.raises(RuntimeError, match="a fault in a callback"):
            net.fit(*blobs)
        assert left_of_the_training(net) == [None] * 5 and net._vog_histories == []

    def test_it_works_in_a_thread(self, blobs):
        nets = []
        stop = EarlyStopping(monitor="train_loss", patience=5, threshold=1.0)
        work = threading.Thread(
            target=lambda: nets.append(make_net(stop, max_epochs=30).fit(*blobs))
        )
        work.start()
        work.join()
        assert len(nets[0].history) < 30


class InterruptedMLP(MLPClassifier):
    """scikit-learn's network takes an interrupt for the end of its training, with a warning."""

    def _update_no_improvement_count(self, *args):
        interrupt()


@pytest.mark.parametrize(
    "model",
    [
        ActiveLabelCleaner,
        partial(ActiveLabelCleaner, trust="once"),
        lambda mlp: NoisyLabelsClassifier(mlp, UniformLabelNoise(0.2, random_state=0)),
        lambda mlp: ActiveLabelCleaner(make_pipeline(StandardScaler(), mlp)),
        lambda mlp: ActiveLabelCleaner(GridSearchCV(mlp, {"alpha": [0.1]}, cv=2)),
    ],
    ids=["crossfit", "once", "noisy", "pipeline", "search"],
)
def test_others_networks_cannot_keep_an_interrupt(model, blobs):
    X, y = blobs
    cleaner = model(InterruptedMLP(max_iter=5))
    train = cleaner.start if hasattr(cleaner, "start") else cleaner.fit
    with pytest.warns(UserWarning, match="Training interrupted by user"):
        with pytest.raises(KeyboardInterrupt):
            train(X, y)


def test_other_classifiers_in_the_cleaner_are_interrupted_too(blobs):
    X, y = blobs

    class Slow(LogisticRegression):
        def fit(self, X, y, **params):
            interrupt()
            return super().fit(X, y, **params)

    with pytest.raises(KeyboardInterrupt):
        ActiveLabelCleaner(Slow()).start(X, y)
