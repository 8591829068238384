"""BALD, against draws made by hand."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from skorch import NeuralNetClassifier
from torch import nn

from noisyactive import CoTeachingClassifier
from noisyactive.query import _bald, bald_sampling, bald_scores


class Net(nn.Module):
    def __init__(self, p=0.5, in_features=4, num_classes=3):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(in_features, 16), nn.BatchNorm1d(16), nn.ReLU())
        self.drop = nn.Dropout(p)
        self.head = nn.Linear(16, num_classes)

    def forward(self, X):
        return self.head(self.drop(self.body(X)))


def pair(iris, module=Net, **parameters):
    net = CoTeachingClassifier(
        module, forget_rate=0.1, max_epochs=5, batch_size=10, random_state=0, **parameters
    )
    return learner(net.fit(iris.X, iris.y))


def stock(iris, **parameters):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = NeuralNetClassifier(
            Net, criterion=nn.CrossEntropyLoss, train_split=None, verbose=0, **parameters
        )
        codes = np.unique(iris.y, return_inverse=True)[1]
        return learner(net.fit(iris.X.astype(np.float32), codes))


def learner(net):
    return SimpleNamespace(estimator=net, predict_proba=net.predict_proba)


@pytest.fixture
def scores(monkeypatch):
    """The scores that the last call ranked by."""
    seen = []
    original = _bald.bald_scores
    monkeypatch.setattr(
        _bald, "bald_scores", lambda draws: seen.append(original(draws)) or seen[-1]
    )
    return seen


def test_scores_by_hand():
    rng = np.random.RandomState(0)
    draws = rng.dirichlet(np.ones(4), size=(5, 7))
    draws[0, 0] = [1, 0, 0, 0]

    def entropy(p):
        return -sum(x * np.log(x) for x in p if x > 0)

    expected = [
        entropy(draws[:, i].mean(axis=0)) - np.mean([entropy(draws[t, i]) for t in range(5)])
        for i in range(7)
    ]
    assert_allclose(bald_scores(draws), expected, atol=1e-14)
    assert_allclose(bald_scores(iter(draws)), expected, atol=1e-14)
    assert_array_equal(bald_scores([draws[0]]), np.zeros(7))


@pytest.mark.parametrize("make", [pair, stock])
def test_draws_by_hand(iris, scores, make):
    learner = make(iris)
    X = iris.X_pool.astype(np.float32)
    indices = bald_sampling(learner, X, 120, n_draws=400, random_state=0)

    torch.manual_seed(0)
    module = learner.estimator.module_.eval()
    for part in module.modules():
        if isinstance(part, nn.Dropout):
            part.train()
    with torch.no_grad():
        draws = [module(torch.from_numpy(X)).softmax(dim=1).numpy() for _ in range(400)]
    # 400 draws each: two estimates of the same numbers.
    assert_allclose(scores[0], bald_scores(draws), atol=0.06)
    assert np.corrcoef(scores[0], bald_scores(draws))[0, 1] > 0.97
    assert scores[0].max() > 0.05
    assert_array_equal(indices, np.argsort(-scores[0], kind="stable"))


@pytest.mark.parametrize("make", [pair, stock])
def test_nothing_to_learn_where_nothing_drops_out(iris, scores, make):
    bald_sampling(make(iris, module__p=0.0), iris.X_pool.astype(np.float32), random_state=0)
    assert_allclose(scores[0], 0, atol=1e-12)


@pytest.mark.parametrize("make", [pair, stock])
def test_leaves_the_network_and_the_generators_as_they_were(iris, make):
    learner = make(iris)
    module = learner.estimator.module_
    module.train()
    list(module.modules())[-1].eval()  # modes of every kind
    X = iris.X_pool.astype(np.float32)
    modes = [part.training for part in module.modules()]
    state = {name: value.clone() for name, value in module.state_dict().items()}
    generators = torch.get_rng_state(), np.random.get_state()[1].copy()

    bald_sampling(learner, X, random_state=None)

    assert [part.training for part in module.modules()] == modes
    assert all(torch.equal(value, state[name]) for name, value in module.state_dict().items())
    assert any(name.endswith("running_mean") for name in state)
    assert torch.equal(torch.get_rng_state(), generators[0])
    assert_array_equal(np.random.get_state()[1], generators[1])
    first, second = learner.predict_proba(X), learner.predict_proba(X)  # dropout is off again
    assert_array_equal(first, second)


def test_restores_modes_after_an_error(iris):
    learner = pair(iris)
    module = learner.estimator.module_
    modes = [part.training for part in module.modules()]
    during = []

    def fail(layer, inputs):
        during.append([part.training for part in module.modules()])
        raise RuntimeError("out of memory")

    with (
        module.networks[1].head.register_forward_pre_hook(fail),
        pytest.raises(RuntimeError, match="out of memory"),
    ):
        bald_sampling(learner, iris.X_pool)
    assert during and modes != during[0]  # it failed while dropout was on
    assert [part.training for part in module.modules()] == modes
    first, second = learner.predict_proba(iris.X_pool), learner.predict_proba(iris.X_pool)
    assert_array_equal(first, second)
    assert learner.predict_proba(iris.X_pool).shape == (120, 3)


def test_dropout_inside_a_transformer_layer(iris, scores):
    def network(in_features, num_classes):
        layer = nn.TransformerEncoderLayer(in_features, 2, 8, dropout=0.5, batch_first=True)
        unflatten, flatten = nn.Unflatten(1, (1, in_features)), nn.Flatten()
        return nn.Sequential(unflatten, layer, flatten, nn.Linear(in_features, num_classes))

    bald_sampling(pair(iris, network), iris.X_pool, random_state=0)
    assert scores[0].min() > 1e-4  # not skipped by the fast path of evaluation mode


def test_refused_without_dropout(iris, learn):
    message = "needs a fitted neural network with dropout layers"
    with pytest.raises(ValueError, match=message):
        bald_sampling(pair(iris, None), iris.X_pool)
    with pytest.raises(ValueError, match=message + ".* in LogisticRegression"):
        learn(bald_sampling).query(iris.X_pool)


@pytest.mark.parametrize("n_draws", [1, 2.5, True, "many"])
def test_bad_number_of_draws(iris, n_draws):
    with pytest.raises(ValueError, match="n_draws must be an int of at least 2"):
        bald_sampling(pair(iris), iris.X_pool, n_draws=n_draws)


@pytest.mark.parametrize(
    "draws, message",
    [
        ([], "no class probabilities"),
        ([[[0.5, 0.5]], [[0.5, 0.5], [1, 0]]], "same shape"),
        ([[[0.5, 0.6]]], "row 0"),
        ([[0.5, 0.5]], "shape"),
    ],
)
def test_bad_draws(draws, message):
    with pytest.raises(ValueError, match=message):
        bald_scores(draws)


@pytest.mark.parametrize("shape", [(6,), (1, 8, 8)], ids=["rows", "images"])
def test_default_networks_take_dropout(shape):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(60, *shape)).astype(np.float32), np.arange(60) % 3
    net = CoTeachingClassifier(max_epochs=1, forget_rate=0.2, random_state=0, module__dropout=0.5)
    learner = SimpleNamespace(estimator=net.fit(X, y), predict_proba=net.predict_proba)
    assert len(bald_sampling(learner, X, n_instances=5, random_state=0)) == 5
    net.set_params(module__dropout=0.0)
    with pytest.raises(ValueError, match="dropout layers"):
        bald_sampling(SimpleNamespace(estimator=net.fit(X, y)), X, random_state=0)
