"""Intervals of shares, scores and agreement, against scikit-learn and by simulation."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score, get_scorer

from noisyactive.inspection._intervals import SCORES, UNKNOWN, Resampled, kappa, limits_of, wilson

codes = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=40)


def score(name, true, predicted):
    return get_scorer(name)._score_func(true, predicted, **get_scorer(name)._kwargs)


@given(codes)
def test_scores_are_those_of_scikit_learn(pairs):
    true, predicted = np.array(pairs).T
    counts, _ = Resampled(true, 4).counts(predicted)
    for name, scorer in SCORES.items():
        if name == "balanced_accuracy" and (set(predicted) - set(true) or len(set(true)) < 2):
            continue  # scikit-learn warns
        assert scorer(counts)[0] == pytest.approx(score(name, true, predicted))


def test_every_draw_is_a_sample_of_the_data_with_replacement():
    rng = np.random.RandomState(0)
    true, predicted = rng.randint(3, size=(2, 50))
    _, drawn = Resampled(true, 3).counts(predicted)
    assert drawn.true.shape == (1000, 3) and (drawn.true.sum(axis=1) == 50).all()
    # Bootstrapped once more, the plain way: the same distribution.
    plain = []
    for _ in range(1000):
        rows = rng.randint(50, size=50)
        plain.append(score("f1_macro", true[rows], predicted[rows]))
    ours = SCORES["f1_macro"](drawn)
    np.testing.assert_allclose(
        np.percentile(ours, [2.5, 50, 97.5]), np.percentile(plain, [2.5, 50, 97.5]), atol=0.02
    )


def test_two_models_are_compared_on_the_same_draws():
    rng = np.random.RandomState(0)
    true = rng.randint(3, size=200)
    sample = Resampled(true, 3)
    one = np.where(rng.rand(200) < 0.6, true, 0)
    other = one.copy()
    other[:4] = true[:4]
    first, second = (sample.counts(x)[1].accuracy for x in (one, other))
    assert (second >= first).all()


def test_blocks_of_draws_make_no_difference(monkeypatch):
    true, predicted = np.random.RandomState(0).randint(3, size=(2, 50))
    whole = Resampled(true, 3).counts(predicted)[1]
    monkeypatch.setattr("noisyactive.inspection._intervals._BLOCK", 700)
    for one, other in zip(Resampled(true, 3).counts(predicted)[1], whole, strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_score_of_validation_data_lies_in_its_interval_as_often_as_it_says():
    """The truth: the score of a million samples."""
    rng = np.random.RandomState(0)
    confusion = np.array([[0.5, 0.1, 0.0], [0.05, 0.2, 0.05], [0.02, 0.02, 0.06]])
    true, predicted = np.divmod(np.arange(9), 3)
    precision, recall = confusion / confusion.sum(0), (confusion.T / confusion.sum(1)).T
    f1 = np.mean(2 * precision.diagonal() * recall.diagonal()
                 / (precision.diagonal() + recall.diagonal()))  # fmt: skip
    held = 0
    for _ in range(100):
        pairs = rng.choice(9, size=300, p=confusion.ravel())
        counts, drawn = Resampled(true[pairs], 3).counts(predicted[pairs])
        found = limits_of(SCORES["f1_macro"](counts)[0], SCORES["f1_macro"](drawn))
        held += found.low <= f1 <= found.high
    assert held >= 90


@given(codes)
def test_kappa_is_that_of_scikit_learn(pairs):
    one, other = np.array(pairs).T
    found = kappa(one, other)
    if len(set(one) | set(other)) < 2:
        assert found is UNKNOWN
    else:
        assert found.value == pytest.approx(cohen_kappa_score(one, other))
        assert found.low <= found.value <= found.high


@pytest.mark.parametrize("part", [0, 3, 10])
def test_shares_have_the_limits_of_wilson(part):
    z2 = 1.959964**2
    p, n = part / 10, 10
    middle = (p + z2 / (2 * n)) / (1 + z2 / n)
    half = np.sqrt(z2) / (1 + z2 / n) * np.sqrt(p * (1 - p) / n + z2 / (4 * n * n))
    found = wilson(part, 10)
    np.testing.assert_allclose(found, [p, middle - half, middle + half], atol=1e-6)
    assert wilson(0, 0) is UNKNOWN
