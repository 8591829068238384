"""What all strategies promise."""

from functools import partial

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from modAL.uncertainty import classifier_entropy, classifier_margin, classifier_uncertainty
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn

from noisyactive import CoTeachingClassifier
from noisyactive.query import (
    bald_sampling,
    coreset_sampling,
    entropy_sampling,
    entropy_scores,
    get_strategy,
    label_disagreement_sampling,
    least_confidence_sampling,
    least_confidence_scores,
    margin_sampling,
    margin_scores,
    random_sampling,
    rare_entropy_sampling,
    rare_entropy_scores,
    strategy_names,
)


def dropout_net(in_features, num_classes):
    hidden = nn.Linear(in_features, 16)
    return nn.Sequential(hidden, nn.ReLU(), nn.Dropout(), nn.Linear(16, num_classes))


def make_net():
    return CoTeachingClassifier(dropout_net, forget_rate=0.1, max_epochs=10, random_state=0)


STRATEGIES = [get_strategy(name).function for name in strategy_names()]
all_strategies = pytest.mark.parametrize("strategy", STRATEGIES, ids=lambda s: s.__name__)


@pytest.fixture
def ask(iris, learn):
    """Query a modAL learner, with the arguments that a strategy needs."""

    def query(strategy, X=None, **arguments):
        needs_y = strategy is label_disagreement_sampling
        X = iris.X_pool if X is None else X
        arguments = {"y": iris.y_pool, **arguments} if needs_y else arguments
        if strategy in (bald_sampling, random_sampling):
            arguments.setdefault("random_state", 0)
        estimator = make_net() if strategy is bald_sampling else None
        return learn(strategy, estimator).query(X, **arguments)

    return query


@all_strategies
def test_inside_a_modal_learner(ask, iris, strategy):
    indices, samples = ask(strategy, n_instances=7)
    assert indices.shape == (7,)
    assert indices.dtype == np.intp
    assert len(set(indices)) == 7
    assert_array_equal(samples, iris.X_pool[indices])
    assert ask(strategy)[0].shape == (1,)


@all_strategies
def test_asking_for_more_than_there_are_returns_all_best_first(ask, strategy):
    everything, _ = ask(strategy, n_instances=1000)
    assert_array_equal(np.sort(everything), np.arange(120))
    assert_array_equal(ask(strategy, n_instances=5)[0], everything[:5])


@all_strategies
def test_random_state(ask, strategy):
    numpy_state, torch_state = np.random.get_state()[1].copy(), torch.get_rng_state()
    all_the_same = {"X": np.zeros((120, 4)), "n_instances": 120, "random_tie_break": True}
    if strategy is label_disagreement_sampling:
        all_the_same["y"] = ["setosa"] * 120

    def indices(random_state):
        return ask(strategy, **all_the_same, random_state=random_state)[0].tolist()

    assert indices(0) == indices(0)
    assert indices(0) != indices(1)
    assert indices(np.random.RandomState(0)) == indices(np.random.RandomState(0))
    assert indices(None) != indices(None)
    assert_array_equal(np.random.get_state()[1], numpy_state)
    assert torch.equal(torch.get_rng_state(), torch_state)


@all_strategies
@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"n_instances": 0}, "n_instances must be an int of at least 1, got 0"),
        ({"n_instances": 2.0}, "n_instances must be an int"),
        ({"n_instances": True}, "n_instances must be an int"),
        ({"random_tie_break": "yes"}, "random_tie_break must be True or False"),
        ({"X": np.empty((0, 4))}, "X holds no samples"),
    ],
)
def test_bad_requests(ask, strategy, arguments, message):
    with pytest.raises(ValueError, match=message):
        ask(strategy, **arguments)


SCORES = {
    entropy_sampling: (entropy_scores, classifier_entropy),
    margin_sampling: (margin_scores, lambda *args: 1 - classifier_margin(*args)),
    least_confidence_sampling: (least_confidence_scores, classifier_uncertainty),
}
uncertainties = pytest.mark.parametrize("strategy", SCORES, ids=lambda s: s.__name__)


@uncertainties
def test_scores_are_those_of_modal(iris, learn, strategy):
    ours, theirs = SCORES[strategy]
    learner = learn(strategy)
    scores = ours(learner.predict_proba(iris.X_pool))
    assert_allclose(scores, theirs(learner, iris.X_pool), rtol=1e-12)
    indices, _ = learner.query(iris.X_pool, n_instances=50)
    assert (np.diff(scores[indices]) <= 0).all()
    assert scores[indices].min() >= np.delete(scores, indices).max()


@uncertainties
def test_scores_of_certain_and_uniform_probabilities(strategy):
    scores, _ = SCORES[strategy]
    proba = np.array([[1, 0, 0], [1 / 3, 1 / 3, 1 / 3], [0.5, 0.5, 0]], dtype=np.float32)
    expected = {
        entropy_scores: [0, np.log(3), np.log(2)],
        margin_scores: [0, 1, 1],
        least_confidence_scores: [0, 2 / 3, 0.5],
    }
    assert_allclose(scores(proba), expected[scores], atol=1e-6)
    assert_array_equal(scores(np.ones((2, 1))), [0, 0])
    assert scores(proba).dtype == np.float64


@pytest.mark.parametrize(
    "proba, message",
    [
        ([0.5, 0.5], "shape"),
        (np.empty((3, 0)), "shape"),
        ([[0.5, np.nan]], "finite"),
        ([[0.5, 0.5], [0.5, 0.6]], r"row 1 is \[0.5, 0.6\]"),
        ([[1.5, -0.5]], "row 0"),
    ],
)
@uncertainties
def test_what_is_no_probability_is_refused(strategy, proba, message):
    with pytest.raises(ValueError, match=message):
        SCORES[strategy][0](proba)


class Fixed:
    """A learner that predicts what it is told; 4 of 6 samples tie for the first place."""

    proba = np.array([[0.5, 0.5], [0.9, 0.1], [0.5, 0.5], [0.5, 0.5], [0.1, 0.9], [0.5, 0.5]])

    def predict_proba(self, X):
        return self.proba


@uncertainties
def test_ties_go_to_the_lowest_index(strategy):
    assert_array_equal(strategy(Fixed(), np.zeros(6), n_instances=3), [0, 2, 3])


@uncertainties
def test_ties_at_random_are_equally_likely(strategy):
    rng = np.random.RandomState(0)
    n_draws = 4000
    counts = np.zeros((2, 6))
    for _ in range(n_draws):
        counts[[0, 1], strategy(Fixed(), np.zeros(6), 2, True, random_state=rng)] += 1
    assert_array_equal(counts[:, [1, 4]], 0)
    # Each of four with probability 1/4: five standard deviations.
    assert np.abs(counts[:, [0, 2, 3, 5]] - n_draws / 4).max() < 5 * np.sqrt(n_draws * 3 / 16)


def test_random_is_uniform():
    rng = np.random.RandomState(0)
    counts = np.zeros(6)
    for _ in range(3000):
        counts[random_sampling(None, range(6), 2, random_state=rng)] += 1
    assert np.abs(counts - 1000).max() < 5 * np.sqrt(3000 * 2 / 9)


@pytest.mark.parametrize("make", [list, pd.DataFrame, torch.from_numpy])
def test_kinds_of_pool(iris, learn, make):
    model = learn(entropy_sampling).estimator

    class Learner:
        estimator = model
        X_training = make(iris.X)

        def predict_proba(self, X):
            return model.predict_proba(np.asarray(X))

    for strategy in (entropy_sampling, coreset_sampling, random_sampling):
        strategy = partial(strategy, random_state=0, n_instances=9)
        expected = strategy(learn(strategy), iris.X_pool)
        assert_array_equal(strategy(Learner(), make(iris.X_pool)), expected)


def test_through_a_pipeline(iris, learn):
    learner = learn(bald_sampling, make_pipeline(StandardScaler(), make_net()))
    pool, trusted = (learner.estimator[0].transform(X) for X in (iris.X_pool, iris.X))
    of_last_step = learn(bald_sampling)
    of_last_step.estimator, of_last_step.X_training = learner.estimator[-1], trusted
    for strategy in (bald_sampling, coreset_sampling):
        arguments = {"n_instances": 20, "random_state": 0}
        expected = strategy(of_last_step, pool, **arguments)
        assert_array_equal(strategy(learner, iris.X_pool, **arguments), expected)


@given(
    proba=arrays(
        np.float64, st.tuples(st.integers(1, 8), st.just(4)), elements=st.floats(0, 1)
    ).map(lambda a: (a + 1e-9) / (a + 1e-9).sum(axis=1, keepdims=True))
)
def test_rare_entropy_is_what_its_formula_says(proba):
    expected = []
    for row in proba:
        rarity = sum(p / max(proba[:, c].sum(), 1) for c, p in enumerate(row))
        expected.append(rarity * -sum(p * np.log(p) for p in row))
    assert_allclose(rare_entropy_scores(proba), expected, rtol=1e-6, atol=1e-9)


def test_rare_entropy_prefers_the_rarer_of_two_equal_doubts():
    common, rare = [0.5, 0.5, 0.0], [0.5, 0.0, 0.5]
    proba = np.array([[1.0, 0, 0]] * 100 + [[0, 1.0, 0]] * 100 + [common, rare])
    assert rare_entropy_scores(proba).argmax() == 201
    assert_array_equal(rare_entropy_scores([[1.0, 0.0]]), [0])  # no sample can be of class 1


@pytest.mark.parametrize("hardly", [1e-24, 5e-324])
def test_rare_entropy_cares_little_for_a_class_of_almost_no_samples(hardly):
    proba = np.array([[1 - hardly, 0.0, hardly], [0.5, 0.5, 0.0], [0.9, 0.1, 0.0]])
    scores = rare_entropy_scores(proba)
    assert np.isfinite(scores).all() and scores.argsort().tolist() == [0, 2, 1]


def test_rare_entropy_takes_a_posterior_instead_of_predictions(learn, iris):
    learner = learn(rare_entropy_sampling)
    posterior = np.random.default_rng(0).dirichlet(np.ones(3), 120)
    indices, _ = learner.query(iris.X_pool, n_instances=9, posterior=posterior)
    assert_array_equal(indices, np.argsort(-rare_entropy_scores(posterior))[:9])
    with pytest.raises(ValueError, match="posterior must have 120 rows, as X; got 60"):
        learner.query(iris.X_pool, posterior=posterior[:60])
