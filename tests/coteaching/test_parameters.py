"""Parameters are checked before training, those that go to skorch too."""

import pickle

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from noisyactive import CoTeachingClassifier, CoTeachingVOGClassifier

X, Y = np.random.RandomState(0).rand(40, 3), np.arange(40) % 2
WRONG = {
    "accelerator": ["gpu", True],
    "callbacks": [1, "all", [1], [("a", 1)]],
    "train_split": [-1, 5, "valid"],
    "iterator_train": [None, 1],
    "iterator_valid": [None, "DataLoader"],
    "device": [True, 1, "gpu", "cuda:99", "meta"],
    "verbose": [None, "much", -1],
    "batch_size": [True, 0, -2, 1.5, "all", np.inf, 10**30],
    "max_epochs": [0, -1, True, 1.0, None],
    "warmup_epochs": [-1, 0, False, "x"],
    "ramp_epochs": [-1, None],
    "lr": ["x", -0.1, np.nan, np.inf, True, None, 1j],
    "forget_rate": [1, -0.1, "none", np.nan, True],
    "exponent": [0, np.nan],
    "mix_ratio": [2, -1, None, True],
    "vog_window": [1, True],
    "optimizer": [None, "SGD", lambda parameters, lr: None],
    "criterion": [None, torch.nn.CrossEntropyLoss(), torch.nn.NLLLoss, dict],
    "compile": [1, "yes", None],
    "use_caching": [None, 1],
    "warm_start": [None, 2],
    "predict_nonlinearity": ["softmax", 1],
    "torch_load_kwargs": [[1], "x"],
    "random_state": [-1, "x", 0.5, 2**32],
    "module": [1, torch.nn.Linear(3, 2), lambda: None],
    "autocast": ["float8", True],
    "classes": [1, [0, 1, None], {"a": 1}],
    "train_transform": [1, lambda batch: None],
    "eval_transform": ["flip", lambda batch: 1],
}


@pytest.mark.parametrize(("name", "value"), [(k, v) for k, vs in WRONG.items() for v in vs])
def test_a_wrong_value_is_refused_by_its_name_before_training(name, value):
    net = CoTeachingVOGClassifier(max_epochs=2, warmup_epochs=1)
    with pytest.raises((TypeError, ValueError), match=rf"\b{name}\b"):
        net.set_params(**{name: value}).fit(X, Y)
    assert not getattr(net, "history_", [])


@pytest.mark.parametrize(
    ("method", "arguments", "name"),
    [
        ("refine", {"lr": "x"}, "lr"),
        ("refine", {"lr": -1}, "lr"),
        ("refine", {"epochs": -1}, "epochs"),
        ("refine", {"epochs": True}, "epochs"),
        ("fit", {"epochs": 0}, "epochs"),
        ("partial_fit", {"epochs": "all"}, "epochs"),
        ("fit", {"sample_weight": np.full(40, np.inf)}, "sample_weight"),
        ("fit", {"sample_weight": np.zeros(40)}, "sample_weight"),
        ("fit", {"sample_weight": 1}, "sample_weight"),
        ("fit", {"sample_weight": np.ma.array(np.ones(40), mask=X[:, 0] > 0.5)}, "masked"),
        ("fit", {"validation_data": X}, "validation_data"),
        ("fit", {"validation_data": (X, Y[:3])}, "X_val and y_val"),
        ("fit", {"validation_data": (X, Y + 5)}, "y_val"),
        ("fit", {"validation_data": (X * np.nan, Y)}, "X_val"),
    ],
)
def test_arguments_of_training(method, arguments, name):
    net = CoTeachingClassifier(max_epochs=1, warmup_epochs=1, forget_rate=0.1).fit(X, Y)
    epochs = len(net.history_)
    with pytest.raises((TypeError, ValueError), match=rf"\b{name}\b"):
        getattr(net, method)(X, Y, **arguments)
    assert len(net.history_) == epochs


def test_batches_of_one_cannot_be_normalised():
    with pytest.raises(ValueError, match="batch_size must be at least 2 with batch normalisation"):
        CoTeachingClassifier(batch_size=1).fit(X, Y)


def test_an_iterator_that_builds_no_batches():
    with pytest.raises(TypeError, match="iterator_train must build an iterable of batches"):
        CoTeachingClassifier(iterator_train=lambda dataset, **options: None).fit(X, Y)
    with pytest.raises(TypeError, match="iterator_train"):
        CoTeachingClassifier(iterator_train=lambda: DataLoader([])).fit(X, Y)


def test_options_of_iterators_can_be_set_after_fit():
    net = CoTeachingClassifier(forget_rate=0.2, max_epochs=1, random_state=0).fit(X, Y)
    weights = net.module_.state_dict()
    net.set_params(iterator_train__drop_last=True)
    assert net.get_params()["iterator_train__drop_last"] is True
    assert net.module_.state_dict().keys() == weights.keys()
    net.set_params(batch_size=25).fit(X, Y)
    assert np.isnan(net.sample_loss_).sum() == 15


def test_the_device_of_a_fitted_net_is_set():
    net = CoTeachingVOGClassifier(max_epochs=2, forget_rate=0.2, mix_ratio=0, random_state=0)
    expected = net.fit(X, Y).predict_proba(X)
    net.set_params(device=torch.device("cpu", 0))  # as an accelerator calls it
    np.testing.assert_array_equal(net.predict_proba(X), expected)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(net)).predict_proba(X), expected)
    with pytest.raises(ValueError, match="device must be one that torch finds here"):
        net.set_params(device="cuda:99")
    np.testing.assert_array_equal(net.predict_proba(X), expected)
