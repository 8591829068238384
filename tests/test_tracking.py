"""What trackers see of epochs and rounds, read back from the files that they write."""

import copy
import runpy
import sys
from pathlib import Path

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import make_blobs
from skorch.callbacks import EpochScoring, TensorBoard
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch.utils.tensorboard import SummaryWriter

from noisyactive import ActiveLabelCleaner, CoTeachingClassifier

EXAMPLE = Path(__file__).resolve().parents[1] / "examples" / "tensorboard_digits.py"
SETTINGS = {"max_epochs": 4, "forget_rate": 0.2, "ramp_epochs": 2, "random_state": 0}


def scalars(folder):
    """Steps and values of each tag."""
    events = EventAccumulator(str(folder)).Reload()
    return {
        tag: tuple(zip(*((event.step, event.value) for event in events.Scalars(tag)), strict=True))
        for tag in events.Tags()["scalars"]
    }


@pytest.fixture
def data():
    X, y = make_blobs(60, random_state=0)
    return X.astype(np.float32), y


def test_epochs_and_rounds_reach_tensorboard(data, tmp_path):
    X, y = data
    with SummaryWriter(tmp_path) as writer:
        net = CoTeachingClassifier(
            callbacks=[TensorBoard(writer, close_after_train=False)], **SETTINGS
        )
        cleaner = ActiveLabelCleaner(
            net, n_rounds=2, round_budget=5, trust="once", fine_tune_epochs=3
        ).fit(X, y, y_clean=y, validation_data=(X, y))
    found = scalars(tmp_path)
    history = cleaner.estimator_.history
    assert found["Loss/train_loss"][0] == tuple(range(1, 11))
    np.testing.assert_allclose(found["Loss/train_loss"][1], history[:, "train_loss"], rtol=1e-6)
    np.testing.assert_allclose(found["forget_rate"][1], history[:, "forget_rate"], rtol=1e-6)
    assert found["round"] == ((5, 6, 7, 8, 9, 10), (1, 1, 1, 2, 2, 2))
    assert found["answers"][1] == (5, 5, 5, 10, 10, 10)
    best = [max(found["score"][1][start : start + 3]) for start in (0, 3)]
    np.testing.assert_allclose(cleaner.history_["score"][1:], best, rtol=1e-6)


class TestCopies:
    def test_share_a_logger_and_nothing_else(self, tmp_path):
        with SummaryWriter(tmp_path) as writer:
            logger, scoring = TensorBoard(writer), EpochScoring("accuracy")
            net = CoTeachingClassifier(callbacks=[logger, ("other", scoring)], **SETTINGS)
            twin = clone(net)
            assert twin.callbacks[0] is logger
            assert twin.callbacks[1][1] is not scoring
            assert net.callbacks == [logger, ("other", scoring)]
            left, right = net.get_params(deep=False), twin.get_params(deep=False)
            del left["callbacks"], right["callbacks"]
            assert left == right

    def test_without_a_logger_a_clone_is_as_always(self, data):
        X, y = data
        net = CoTeachingClassifier(callbacks=[EpochScoring("accuracy")], **SETTINGS).fit(X, y)
        twin = clone(net)
        assert not twin.initialized_
        assert twin.callbacks[0] is not net.callbacks[0]
        assert copy.deepcopy(net).callbacks[0] is not net.callbacks[0]


@pytest.mark.slow
def test_the_example(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", [str(EXAMPLE), "--quick", "--logdir", str(tmp_path)])
    runpy.run_path(str(EXAMPLE), run_name="__main__")
    printed = [float(line.split()[-1]) for line in capsys.readouterr().out.splitlines()]
    found = scalars(tmp_path)
    rounds, scores = np.array(found["round"][1]), np.array(found["score"][1])
    assert sorted(set(rounds)) == [1, 2, 3]
    best = [scores[rounds == number].max() for number in (1, 2, 3)]
    np.testing.assert_allclose(printed[1:], best, atol=5e-4)
    assert max(found["answers"][1]) == 30
