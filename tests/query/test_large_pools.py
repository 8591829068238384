"""Large pools: scores in blocks, the best ones sorted alone; the same bits as all at once."""

import tracemalloc
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression

from noisyactive import _rows
from noisyactive.query import (
    _rare_entropy,
    _request,
    bald_scores,
    entropy_sampling,
    entropy_scores,
    k_center_greedy,
    label_disagreement_sampling,
    label_disagreement_scores,
    least_confidence_sampling,
    least_confidence_scores,
    margin_sampling,
    margin_scores,
    rank_suspects,
    rare_entropy_sampling,
    rare_entropy_scores,
)
from noisyactive.query._request import best_first

N_CLASSES = 5


def some_proba(n, seed=0, dtype=np.float64):
    """With rows twice, certain ones, and uniform ones."""
    rng = np.random.default_rng(seed)
    proba = rng.dirichlet(np.full(N_CLASSES, 0.3), n)
    proba[::7] = proba[n // 2]
    proba[::11] = np.eye(N_CLASSES)[rng.integers(N_CLASSES)]
    proba[5::13] = 1 / N_CLASSES
    return proba.astype(dtype)


@pytest.fixture
def small_blocks(monkeypatch):
    for module in (_request, _rare_entropy):
        monkeypatch.setattr(module, "BLOCK", 8)


@given(st.lists(st.integers(-3, 3), min_size=1, max_size=40), st.integers(1, 45), st.booleans())
def test_best_ones_as_a_full_sort_has_them(scores, n_instances, at_random):
    scores = np.array(scores, dtype=float) / 3
    order = np.arange(len(scores))
    if at_random:
        first = best_first(np.zeros(len(scores)), len(scores), True, 7, "ties")
        order = first  # equal scores come in this order, whatever the scores
    expected = order[np.argsort(-scores[order], kind="stable")[:n_instances]]
    found = best_first(scores, n_instances, at_random, 7, "ties")
    np.testing.assert_array_equal(found, expected)


def plain_entropy(proba):
    logarithm = np.log(proba, out=np.zeros_like(proba), where=proba > 0)
    return np.maximum(0 - np.einsum("ij,ij->i", proba, logarithm), 0)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("n", [1, 8, 83])
def test_scores_are_those_of_all_rows_at_once(small_blocks, dtype, n):
    given = some_proba(n, dtype=dtype)
    proba = given.astype(np.float64)
    y = np.random.default_rng(1).integers(N_CLASSES, size=n)
    top = np.sort(proba, axis=1)
    expected = np.maximum(proba.sum(axis=0), 1)
    right = -np.log(np.maximum(proba[np.arange(n), y], np.finfo(float).tiny))
    classes = range(N_CLASSES)
    for found, wanted in (
        (entropy_scores(given), plain_entropy(proba)),
        (margin_scores(given), 1 - (top[:, -1] - top[:, -2])),
        (least_confidence_scores(given), 1 - top[:, -1]),
        (
            label_disagreement_scores(y, given, classes=classes),
            right - plain_entropy(proba),
        ),
    ):
        np.testing.assert_array_equal(found, wanted)
    # The last rows of a product of a matrix and a vector may differ in their last bit.
    weighted = plain_entropy(proba) * (proba @ (1 / expected))
    np.testing.assert_allclose(rare_entropy_scores(given), weighted, rtol=1e-14)
    draws = [some_proba(n, seed, dtype) for seed in range(4)]
    mean = sum(draw.astype(float) for draw in draws) / 4
    own = sum(plain_entropy(draw.astype(float)) for draw in draws) / 4
    np.testing.assert_array_equal(bald_scores(draws), np.maximum(plain_entropy(mean) - own, 0))


def test_expected_sizes_do_not_depend_on_blocks(monkeypatch):
    proba = some_proba(1000)
    whole = rare_entropy_scores(proba)
    monkeypatch.setattr(_request, "BLOCK", 8)  # those of the sizes alone
    np.testing.assert_array_equal(rare_entropy_scores(proba), whole)
    np.testing.assert_array_equal(rare_entropy_scores(np.asfortranarray(proba)), whole)


def test_rows_that_are_no_probabilities_are_named(small_blocks):
    proba = some_proba(40)
    proba[29] = 0.3
    for scores in (entropy_scores, margin_scores, rare_entropy_scores):
        with pytest.raises(ValueError, match="row 29 is"):
            scores(proba)


def test_ranking_is_that_of_a_full_sort(small_blocks):
    proba, y = some_proba(83), np.random.default_rng(1).integers(N_CLASSES, size=83)
    scores = label_disagreement_scores(y, proba)
    np.testing.assert_array_equal(rank_suspects(y, proba), np.argsort(-scores, kind="stable"))


@pytest.mark.parametrize("random_tie_break", [False, True])
@pytest.mark.parametrize(
    "strategy",
    [
        entropy_sampling,
        margin_sampling,
        least_confidence_sampling,
        rare_entropy_sampling,
        partial(label_disagreement_sampling, y=np.arange(600) % 3),
    ],
)
def test_large_pools_are_predicted_in_chunks(strategy, random_tie_break, monkeypatch):
    rng = np.random.default_rng(0)
    X = rng.integers(4, size=(600, 2)).astype(float)  # of few kinds
    model = LogisticRegression().fit(X, (X.sum(axis=1) + rng.normal(size=600)).clip(0, 5) // 2)
    sizes = []

    def predict_proba(X):
        sizes.append(len(X))
        return model.predict_proba(X)

    learner = SimpleNamespace(estimator=model, predict_proba=predict_proba)
    ask = partial(strategy, learner, X, 40, random_tie_break, random_state=0)
    whole = ask()
    monkeypatch.setattr(_rows, "_LARGE", 0)
    monkeypatch.setattr(_rows, "_CHUNK", 256 * 16)
    np.testing.assert_array_equal(ask(), whole)
    assert sizes == [600, 256, 256, 88]


def peak_of(call):
    tracemalloc.start()
    try:
        call()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_memory_is_that_of_the_scores():
    n = 400_000
    proba = np.tile(some_proba(1000, dtype=np.float32), (n // 1000, 4)) / 4  # 32 MB
    y = np.arange(n) % 20
    learner = SimpleNamespace(predict_proba=lambda X: proba, classes_=np.arange(20))
    X = np.empty((n, 1))
    of_blocks = 6 * (1 << 16) * 20 * 8
    for strategy in (
        entropy_sampling,
        margin_sampling,
        rare_entropy_sampling,
        partial(label_disagreement_sampling, y=y),
    ):
        assert peak_of(lambda ask=strategy: ask(learner, X, 100)) < of_blocks + 40 * n


def test_memory_of_k_center():
    features = np.random.default_rng(0).random((200_000, 32), dtype=np.float32)
    assert peak_of(lambda: k_center_greedy(features, None, 20)) < features.nbytes * 2
