"""Audits of the labels."""

import numpy as np
import pytest
from scipy.stats import norm

from noisyactive import CoTeachingClassifier
from noisyactive.audit import audit_sample, estimate_noise


def test_sample_is_without_replacement_and_uniform():
    counts = np.zeros(20)
    for seed in range(500):
        rows = audit_sample(20, 5, random_state=seed)
        assert len(set(rows.tolist())) == 5
        counts[rows] += 1
    assert abs(counts - 125).max() < 4 * np.sqrt(125 * 0.75)  # four standard deviations
    np.testing.assert_array_equal(audit_sample(20, 20), np.arange(20))


@pytest.mark.parametrize("n_audited", [0, 21, 2.5])
def test_sample_of_an_impossible_size(n_audited):
    with pytest.raises(ValueError, match="n_audited must be"):
        audit_sample(20, n_audited)


def test_limits_are_wilsons():
    given, answered = np.zeros(80, int), np.repeat([0, 1], [60, 20])
    overall, _ = estimate_noise(given, answered, n_samples=1080)
    z, n, p = norm.ppf(0.975), 80, 0.25
    centre = (p + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * np.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    assert (overall.rate, overall.n_wrong, overall.n_audited) == (0.25, 20, 80)
    np.testing.assert_allclose([overall.low, overall.high], [centre - half, centre + half])
    np.testing.assert_allclose(
        overall.expected_errors, [250, 1000 * overall.low, 1000 * overall.high]
    )


def test_the_interval_covers_the_truth_as_often_as_it_says():
    rng = np.random.default_rng(0)
    hits = 0
    for _ in range(400):
        wrong = rng.random(100) < 0.3
        overall, _ = estimate_noise(np.zeros(100, int), wrong.astype(int))
        hits += overall.low <= 0.3 <= overall.high
    assert 0.91 <= hits / 400 <= 0.99


def test_per_class_and_without_an_answer():
    given = ["a", "a", "b", "b", "c"]
    answered = ["a", "b", "b", None, None]
    overall, per_class = estimate_noise(given, answered)
    assert (overall.n_audited, overall.n_wrong) == (3, 1)
    assert per_class["a"].rate == 0.5
    assert (per_class["b"].n_audited, per_class["b"].rate) == (1, 0.0)
    assert np.isnan(per_class["c"].rate)
    assert (per_class["c"].low, per_class["c"].high) == (0, 1)
    with pytest.raises(ValueError, match="pass n_samples"):
        overall.expected_errors  # noqa: B018


def test_bad_input():
    with pytest.raises(ValueError, match="same length, got 2 and 3"):
        estimate_noise([0, 1], [0, 1, 1])
    with pytest.raises(
        ValueError, match="n_samples must be an int, not smaller than the audit of 2 rows; got 1"
    ):
        estimate_noise([0, 1], [0, 1], n_samples=1)


def test_the_rate_may_serve_as_forget_rate():
    overall, _ = estimate_noise([0, 0, 0, 1], [0, 0, 1, 1])
    rng = np.random.default_rng(0)
    y = np.arange(60) % 2
    net = CoTeachingClassifier(forget_rate=overall.rate, max_epochs=2)
    assert net.fit(rng.normal(size=(60, 3)) + y[:, None], y).forget_rate_ == 0.25


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"y_given": 1}, "y_given"),
        ({"y_given": {0: 1, 1: 1}}, "y_given"),
        ({"y_answered": 1}, "y_answered"),
        ({"y_answered": {0: 1, 1: 1}}, "y_answered"),
        ({"y_answered": {0, 1}}, "y_answered"),
        ({"y_answered": np.ma.array([0, 1], mask=[True, False])}, "y_answered has masked entries"),
        ({"confidence_level": 1}, "confidence_level"),
        ({"confidence_level": True}, "confidence_level"),
        ({"confidence_level": float("nan")}, "confidence_level"),
        ({"n_samples": float("inf")}, "n_samples"),
        ({"n_samples": 10**30}, "n_samples"),
        ({"n_samples": True}, "n_samples"),
        ({"n_samples": 1}, "n_samples"),
    ],
)
def test_wrong_arguments_of_an_estimate(change, name):
    with pytest.raises((TypeError, ValueError), match=name):
        estimate_noise(**{"y_given": [0, 1], "y_answered": [0, 1], "n_samples": 9, **change})


@pytest.mark.parametrize("number", ["a", [20], None, True, 20.0, 10**30, float("inf")])
def test_counts_are_ints(number):
    with pytest.raises(ValueError, match="n_samples must be an int"):
        audit_sample(number, 2)
    with pytest.raises(ValueError, match="n_audited must be"):
        audit_sample(20, number if number != [20] else [2])
