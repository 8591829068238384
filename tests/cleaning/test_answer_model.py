"""What answers say about the labels that nobody was asked about."""

import numpy as np
import pytest
from scipy.optimize import minimize

from noisyactive.cleaning._answer_model import learn_from_answers


def softmax(scores):
    return np.exp(scores - np.logaddexp.reduce(scores, axis=1, keepdims=True))


def case(n, seed=0, n_classes=3):
    """Probabilities that are right for the true classes, and labels wrong where in doubt."""
    rng = np.random.default_rng(seed)
    proba = softmax(rng.normal(scale=1.5, size=(n, n_classes)))
    true = (proba.cumsum(axis=1) > rng.random(n)[:, None]).argmax(axis=1)
    second = np.argsort(proba, axis=1)[:, -2]
    doubt = 1 - (np.sort(proba, axis=1)[:, -1] - np.sort(proba, axis=1)[:, -2])
    wrong = rng.random(n) < doubt
    given = np.where(wrong & (second != true), second, true)
    overconfident = np.full((n, n_classes), 0.02)
    overconfident[np.arange(n), given] = 1 - 0.02 * (n_classes - 1)
    return proba, true, given, overconfident


def loss(posterior, true):
    return -np.log(posterior[np.arange(len(true)), true]).mean()


def test_without_answers_nothing_changes():
    proba, _, given, posterior = case(50)
    nobody = np.full(50, -1)
    np.testing.assert_array_equal(learn_from_answers(posterior, [proba], given, nobody), posterior)


@pytest.mark.parametrize("n_sources", [0, 1, 2])
def test_it_is_the_mode_of_the_stated_model(n_sources):
    """Found again by another optimiser, from the formula."""
    proba, true, given, posterior = case(200)
    evidence = [proba, softmax(np.random.default_rng(1).normal(size=(200, 3)))][:n_sources]
    answered = np.where(np.arange(200) % 4 == 0, true, -1)
    rows = np.flatnonzero(answered >= 0)
    logs = np.log(np.maximum([posterior, *evidence], 1e-6))
    expected = np.eye(1 + n_sources)[0]

    def scores(parameters, rows):
        own = np.eye(3)[given[rows]]
        return np.einsum("m,mnj->nj", parameters[:-1], logs[:, rows]) + parameters[-1] * own

    def negative_log_density(parameters):
        fit = np.log(softmax(scores(parameters, rows)))[np.arange(len(rows)), true[rows]].sum()
        weights, belief = parameters[:-1], parameters[-1]
        return -fit + ((weights - expected) ** 2).sum() / (2 * 0.5**2) + belief**2 / 2

    found = minimize(negative_log_density, np.append(expected, 0), method="Nelder-Mead",
                     options={"xatol": 1e-8, "fatol": 1e-10, "maxiter": 10_000})  # fmt: skip
    np.testing.assert_allclose(
        learn_from_answers(posterior, evidence, given, answered),
        softmax(scores(found.x, np.arange(200))),
        atol=1e-4,
    )


def test_answers_show_noise_that_looked_like_doubt():
    proba, true, given, posterior = case(3000)
    answered = np.where(np.arange(3000) < 300, true, -1)
    rest = answered < 0
    corrected = learn_from_answers(posterior, [proba], given, answered)
    assert loss(corrected[rest], true[rest]) < 0.5 * loss(posterior[rest], true[rest])
    trusted = corrected[np.arange(3000), given] > 0.5
    right = given == true
    assert right[rest & trusted].mean() > right[rest].mean() + 0.05


def test_answers_chosen_by_their_evidence_do_no_harm():
    proba, true, given, posterior = case(3000)
    doubtful = np.argsort(proba.max(axis=1))[:300]
    answered = np.full(3000, -1)
    answered[doubtful] = true[doubtful]
    rest = answered < 0
    corrected = learn_from_answers(posterior, [proba], given, answered)
    assert loss(corrected[rest], true[rest]) < 0.7 * loss(posterior[rest], true[rest])


def test_few_answers_change_little():
    proba, true, given, _ = case(500)
    answered = np.full(500, -1)
    answered[:2] = true[:2]
    corrected = learn_from_answers(proba, [], given, answered)
    assert np.abs(corrected - proba).max() < 0.25


def test_a_right_posterior_stays():
    proba, true, _, _ = case(5000)
    given = np.random.default_rng(2).integers(3, size=5000)  # says nothing
    answered = np.where(np.arange(5000) < 2000, true, -1)
    corrected = learn_from_answers(proba, [proba], given, answered)
    assert np.abs(corrected - proba).max() < 0.06


def test_probabilities_of_zero_and_of_many_classes():
    rng = np.random.default_rng(0)
    posterior = np.eye(1000)[rng.integers(1000, size=300)]
    given = rng.integers(1000, size=300)
    true = np.where(np.arange(300) < 100, rng.integers(1000, size=300), -1)
    corrected = learn_from_answers(posterior, [posterior], given, true)
    np.testing.assert_allclose(corrected.sum(axis=1), 1)
    assert np.isfinite(corrected).all()
