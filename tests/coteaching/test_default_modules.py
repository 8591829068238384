"""The default network for rows, and what it does to its input."""

import numpy as np
import pytest
import torch
from sklearn.datasets import make_classification
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

from noisyactive import CoTeachingClassifier
from noisyactive.coteaching._default_modules import SmallMLP, Standardize


def after_training_on(X, batch_size=37):
    layer = Standardize(X.shape[1])
    for batch in X.split(batch_size):
        layer(batch)
    return layer.eval()


def rows(*columns, n=500):
    """Normal columns of the given standard deviations."""
    return torch.from_numpy(np.random.default_rng(0).normal(size=(n, len(columns))) * columns)


@pytest.mark.parametrize("batch_size", [1, 37, 499, 500])
def test_equal_spreads_become_one_as_with_scikit_learn(batch_size):
    X = (rows(7, 7, 7) + torch.tensor([0, -30, 2000.0])).float()
    X = (X - X.mean(dim=0)) / X.std(dim=0) * 7 + torch.tensor([0, -30, 2000.0])
    found = after_training_on(X, batch_size)(X)
    np.testing.assert_allclose(found, StandardScaler().fit_transform(X.double()), atol=2e-3)


def test_spreads_keep_their_proportion_up_to_a_limit():
    X = rows(1, 3, 0.5, 1, 1e5, 1e-6, 1).float()
    spread = after_training_on(X)(X).std(dim=0)
    expected = torch.tensor([1, 3, 0.5, 1, 10, 0.1, 1])
    torch.testing.assert_close(spread / spread[0], expected, rtol=0.1, atol=0)


@pytest.mark.parametrize("value", [0, 1e-30, 0.1, -1e8, 1e30])
def test_a_constant_column_changes_nothing(value):
    torch.manual_seed(0)
    X = rows(1, 2, 3).float()
    more = torch.cat([X, torch.full((len(X), 1), value)], dim=1)
    without, with_it = SmallMLP(3, 2), SmallMLP(4, 2)
    with_it.load_state_dict(
        {
            name: torch.cat([weights, torch.ones(len(weights), 1)], dim=1)
            if name == "body.1.weight"
            else torch.cat([weights, torch.ones(1)])
            if name in ("body.0.mean", "body.0.variance")
            else weights
            for name, weights in without.state_dict().items()
        }
    )
    for batch in range(0, 500, 50):
        expected = without(X[batch : batch + 50])
        torch.testing.assert_close(with_it(more[batch : batch + 50]), expected)
    torch.testing.assert_close(with_it.eval()(more), without.eval()(X))


def test_a_large_mean_costs_no_more_than_float32_does():
    X = rows(1, 1, 1) + torch.tensor([0, 1e8, 1e5])
    single = X.float()
    found = after_training_on(single)(single)
    assert torch.isfinite(found).all()
    assert abs(found).max() < 60
    assert np.corrcoef(found[:, 2], X[:, 2])[0, 1] > 0.9999
    assert abs(found[:, 2].mean()) < 0.1


def test_an_outlier_spoils_its_own_column_alone():
    X = rows(1, 1, 1).float()
    clean = after_training_on(X)(X)
    X[7, 1] = 1e6
    found = after_training_on(X)(X)
    torch.testing.assert_close(found[:, [0, 2]], clean[:, [0, 2]], rtol=0.2, atol=0.01)
    assert abs(found).max() < 10 * len(X) ** 0.5


def test_only_training_is_learned_from():
    X = rows(1, 2).float()
    layer = after_training_on(X)
    before = {name: value.clone() for name, value in layer.state_dict().items()}
    layer(X + 5)
    assert all(torch.equal(value, before[name]) for name, value in layer.state_dict().items())
    torch.testing.assert_close(layer(X[:1]), layer(X)[:1])


def test_before_training_rows_are_as_they_are():
    X = rows(1, 2).float()
    torch.testing.assert_close(Standardize(2).eval()(X), X)


def test_a_column_in_other_units_is_learned_from_as_well():
    X, y = make_classification(
        800, 10, n_informative=6, n_classes=3, n_clusters_per_class=1, random_state=0
    )
    scores = []
    for scale in (1, 1e5, 1e-5):
        data = train_test_split(X * ([scale] + [1] * 9), y, test_size=0.5, random_state=0)
        net = CoTeachingClassifier(forget_rate=0, max_epochs=10, random_state=0)
        scores.append(net.fit(data[0], data[2]).score(data[1], data[3]))
    assert scores[0] > 0.85
    assert scores[1:] == pytest.approx([scores[0]] * 2, abs=0.02)
