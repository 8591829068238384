"""The registry of strategies, and `choose`, which reads it."""

from functools import partial

import numpy as np
import pytest
from scipy import sparse
from sklearn.linear_model import LogisticRegression

import noisyactive.query
from noisyactive import ActiveLabelCleaner
from noisyactive.query import (
    Learner,
    bald_sampling,
    choose,
    coreset_sampling,
    entropy_scores,
    get_strategy,
    rare_entropy_scores,
    strategy_names,
    utilities_of,
)

ONE_NETWORK = ["bald"]
OTHERS = [name for name in strategy_names() if name not in ONE_NETWORK]


@pytest.fixture
def learner(iris):
    model = LogisticRegression(max_iter=1000).fit(iris.X, iris.y)
    return Learner(model, model.classes_, iris.X, iris.y)


def test_every_public_strategy_is_registered():
    public = {name for name in noisyactive.query.__all__ if name.endswith("_sampling")}
    assert public == {f"{name}_sampling" for name in strategy_names()}
    for name in strategy_names():
        assert get_strategy(name).function is getattr(noisyactive.query, f"{name}_sampling")


def test_functions_and_partials_are_found():
    assert get_strategy(coreset_sampling).name == "coreset"
    twice = partial(partial(bald_sampling, n_draws=5), random_tie_break=True)
    assert get_strategy(twice).single_network
    assert get_strategy(lambda learner, X, n_instances: [0]) is None


@pytest.mark.parametrize("strategy", ["Entropy", None, 3, ["entropy"]])
def test_what_is_no_strategy_is_refused_with_all_names(strategy):
    with pytest.raises(ValueError, match="callable or one of") as refused:
        get_strategy(strategy)
    assert all(repr(name) in str(refused.value) for name in strategy_names())


@pytest.mark.parametrize("name", OTHERS)
def test_choose_is_a_call_of_the_strategy_and_utilities_are_its_own(iris, learner, name):
    function = get_strategy(name).function
    offers = {"y": iris.y_pool} if name == "label_disagreement" else {}
    seed = np.random.RandomState(3)
    picks = choose(name, learner, iris.X_pool, iris.y_pool, 6, seed)
    by_hand = function(learner, iris.X_pool, 6, random_state=np.random.RandomState(3), **offers)
    np.testing.assert_array_equal(picks, by_hand)
    utilities = utilities_of(function, learner, iris.X_pool, picks, y=iris.y_pool)
    assert utilities.shape == (6, 120)
    for step, pick in enumerate(picks):
        left = np.delete(utilities[step], picks[:step])
        assert utilities[step, pick] == pytest.approx(left.max())


def test_a_posterior_takes_the_place_of_predictions(iris, learner):
    posterior = np.random.default_rng(0).dirichlet([1, 1, 1], size=120)
    rng = np.random.RandomState(0)
    picks = choose("rare_entropy", learner, iris.X_pool, iris.y_pool, 5, rng, posterior)
    function = get_strategy("rare_entropy").function
    known = utilities_of(function, learner, iris.X_pool, picks, posterior=posterior)
    np.testing.assert_allclose(known[0], rare_entropy_scores(posterior))
    unknown = utilities_of(function, learner, iris.X_pool, picks)
    np.testing.assert_allclose(unknown[4], rare_entropy_scores(learner.predict_proba(iris.X_pool)))
    assert not np.allclose(known, unknown)


def test_random_has_equal_utilities_for_a_sparse_pool(iris, learner):
    pool = sparse.csr_matrix(iris.X_pool)
    picks = choose("random", learner, pool, None, 3, np.random.RandomState(0))
    utilities = utilities_of(get_strategy("random").function, learner, pool, picks)
    np.testing.assert_array_equal(utilities, np.ones((3, 120)))


def test_a_function_of_ones_own_has_no_known_utilities(iris, learner):
    def own(learner, X, n_instances):
        return entropy_scores(learner.predict_proba(X)).argsort()[-n_instances:]

    picks = choose(own, learner, iris.X_pool, None, 3, np.random.RandomState(0))
    assert utilities_of(own, learner, iris.X_pool, picks) is None


@pytest.mark.parametrize("name", OTHERS)
def test_every_registered_strategy_works_in_the_cleaner(iris, name):
    model = LogisticRegression(max_iter=1000)
    cleaner = ActiveLabelCleaner(model, name, n_rounds=2, round_budget=3, random_state=0)
    cleaner.fit(iris.X_pool, iris.y_pool, y_clean=iris.y_pool)
    assert cleaner.history_["cost"].tolist() == [0, 3, 6]


@pytest.mark.parametrize("name", strategy_names())
def test_the_cleaner_documents_every_registered_strategy(name):
    assert f'"{name}"' in ActiveLabelCleaner.__doc__.split("n_rounds : int")[0]


@pytest.mark.parametrize("name", ONE_NETWORK)
def test_strategies_for_one_network_are_refused_where_there_are_several(iris, name):
    cleaner = ActiveLabelCleaner(LogisticRegression(), name)
    with pytest.raises(ValueError, match=f'"{name}" needs one network'):
        cleaner.fit(iris.X_pool, iris.y_pool)
