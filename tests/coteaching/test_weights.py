"""Sample weights of the networks."""

import numpy as np
import pytest
import torch
from sklearn.utils.validation import has_fit_parameter
from skorch.dataset import ValidSplit
from torch.utils.data import TensorDataset

from noisyactive import CoTeachingClassifier, CoTeachingVOGClassifier

QUICK = {"max_epochs": 4, "forget_rate": 0.3, "ramp_epochs": 2, "random_state": 0}
LINEAR = {"optimizer__momentum": 0, "optimizer__weight_decay": 0, "batch_size": -1}


def weights_of(net):
    return torch.cat([p.detach().flatten() for p in net.module_.parameters()]).numpy()


@pytest.fixture
def three(blobs):
    X, y, _ = blobs
    return X, y, np.random.RandomState(0).uniform(0.1, 2, len(y))


def linear(in_features, num_classes):
    return torch.nn.Linear(in_features, num_classes)


def test_gradient_step_is_that_of_the_weighted_mean(three):
    """One full-batch step of plain cross-entropy, against autograd by hand."""
    X, y, weight = three
    net = CoTeachingClassifier(
        linear, forget_rate=0, max_epochs=1, lr=0.5, random_state=0, **LINEAR
    ).fit(X, y, weight)
    start = CoTeachingClassifier(
        linear, forget_rate=0, max_epochs=1, lr=0, random_state=0, **LINEAR
    ).fit(X, y)
    codes = torch.from_numpy(np.searchsorted(net.classes_, y))
    w = torch.from_numpy(weight / weight.sum()).float()
    for before, after in zip(start.module_.networks, net.module_.networks, strict=True):
        logits = before(torch.from_numpy(X).float())
        loss = (w * torch.nn.functional.cross_entropy(logits, codes, reduction="none")).sum()
        gradients = torch.autograd.grad(loss, list(before.parameters()))
        for p, q, g in zip(before.parameters(), after.parameters(), gradients, strict=True):
            torch.testing.assert_close(q, p - 0.5 * g, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("cls", [CoTeachingClassifier, CoTeachingVOGClassifier])
def test_equal_weights_are_no_weights_whatever_their_scale(cls, blobs):
    X, y, _ = blobs
    more = {} if cls is CoTeachingClassifier else {"warmup_epochs": 1, "vog_window": 2}
    plain = cls(**QUICK, **more).fit(X, y)
    for scale in (1, 8):
        weighted = cls(**QUICK, **more).fit(X, y, sample_weight=np.full(len(y), scale))
        np.testing.assert_array_equal(weights_of(weighted), weights_of(plain))


def test_choice_looks_at_plain_losses(three):
    X, y, weight = three
    once = {**QUICK, "max_epochs": 1, "lr": 0}  # nothing is learned: the losses are the same
    plain = CoTeachingClassifier(**{**once, "ramp_epochs": 0}).fit(X, y)
    weighted = CoTeachingClassifier(**{**once, "ramp_epochs": 0}).fit(X, y, weight)
    assert not plain.clean_mask_.all()
    np.testing.assert_array_equal(weighted.selected_, plain.selected_)
    np.testing.assert_array_equal(weighted.sample_loss_, plain.sample_loss_)


def test_a_weight_of_zero_teaches_nothing(blobs):
    X, y, _ = blobs
    wrong = y.copy()
    half = np.arange(len(y)) % 2 == 0
    wrong[half] = np.roll(y[half], 1)
    weight = np.where(half, 0, 1)
    settings = {**QUICK, "forget_rate": 0}
    first = CoTeachingClassifier(**settings).fit(X, y, sample_weight=weight)
    second = CoTeachingClassifier(**settings).fit(X, wrong, sample_weight=weight)
    np.testing.assert_array_equal(weights_of(first), weights_of(second))


@pytest.mark.parametrize("method", ["partial_fit", "refine"])
def test_later_trainings_take_weights_and_do_not_remember_them(three, method):
    X, y, weight = three
    models = {}
    for name, given in {"plain": None, "weighted": weight, "ones": np.ones(len(y))}.items():
        net = CoTeachingClassifier(**QUICK).fit(X, y, sample_weight=weight)
        models[name] = weights_of(getattr(net, method)(X, y, sample_weight=given, epochs=1))
    np.testing.assert_array_equal(models["plain"], models["ones"])
    assert (models["plain"] != models["weighted"]).any()


@pytest.mark.parametrize("kind", ["array", "dataset"])
@pytest.mark.parametrize("split", [None, ValidSplit(3)])
def test_weights_follow_their_rows(three, kind, split):
    """Whatever the labels of rows of weight zero: only so if each row has its own weight."""
    X, y, weight = three
    weight = np.where(np.arange(len(y)) % 3 == 1, 0, weight)
    wrong = np.where(weight == 0, (y + 1) % 3, y)
    data = X if kind == "array" else TensorDataset(torch.from_numpy(X))
    net = CoTeachingClassifier(**{**QUICK, "forget_rate": 0}, train_split=split)
    models = [
        weights_of(net.fit(data, labels, sample_weight=given))
        for labels, given in [(y, weight), (wrong, weight), (wrong, weight[::-1])]
    ]
    np.testing.assert_array_equal(models[0], models[1])
    assert (models[1] != models[2]).any()


@pytest.mark.parametrize(
    ("weight", "message"),
    [
        (lambda n: np.ones(n - 1), "sample_weight.shape"),
        (lambda n: np.ones((n, 2)), "sample_weight must be of shape"),
        (lambda n: -np.ones(n), "negative"),
        (lambda n: np.zeros(n), "zero"),
        (lambda n: np.full(n, np.nan), "finite"),
    ],
)
def test_bad_weights_leave_the_classifier_as_it_was(blobs, weight, message):
    X, y, _ = blobs
    net = CoTeachingClassifier(**QUICK).fit(X, y)
    before = net.predict_proba(X)
    for method in (net.fit, net.partial_fit, net.refine):
        with pytest.raises(ValueError, match=message):
            method(X, y, sample_weight=weight(len(y)))
    np.testing.assert_array_equal(net.predict_proba(X), before)


def test_scikit_learn_sees_that_weights_are_taken():
    assert has_fit_parameter(CoTeachingVOGClassifier(), "sample_weight")
