"""The noise model, fitted to posteriors whose noise is known."""

import numpy as np
import pytest
import torch
from hypothesis import given as for_all
from hypothesis import settings
from hypothesis import strategies as st
from scipy.optimize import minimize
from scipy.special import expit, log_softmax, logit, softmax

from noisyactive import _noise_posterior
from noisyactive._noise_model import RATE_PRIOR, estimate_rate, fit_noise
from noisyactive._noise_posterior import NoiseModel


def posteriors(rng, n, n_classes, sharpness, weights=None):
    """True-class posteriors and labels drawn from them: as good as a classifier can get."""
    logits = rng.normal(size=(n, n_classes)) * sharpness + np.log(
        np.full(n_classes, 1 / n_classes) if weights is None else weights
    )
    q = np.exp(logits - logits.max(axis=1, keepdims=True))
    q /= q.sum(axis=1, keepdims=True)
    y = (q.cumsum(axis=1) > rng.random((n, 1))).argmax(axis=1)
    return q, y


def flatten(q):
    """What a network that has not learned for long, and from noisy labels, says: doubt."""
    flat = q**0.3
    return flat / flat.sum(axis=1, keepdims=True)


def corrupt(rng, y, T):
    return (T[y].cumsum(axis=1) > rng.random((len(y), 1))).argmax(axis=1)


def uniform(n_classes, rate):
    T = np.full((n_classes, n_classes), rate / (n_classes - 1))
    np.fill_diagonal(T, 1 - rate)
    return T


def pair(n_classes, rate):
    return (1 - rate) * np.eye(n_classes) + rate * np.roll(np.eye(n_classes), 1, axis=1)


def answers_of(true, n_classes):
    """Answers of an expert who never errs, from true labels; -1 where there is none."""
    rows = np.flatnonzero(true >= 0)
    return torch.from_numpy(rows), torch.eye(n_classes).double()[true[rows]]


@pytest.mark.parametrize("rate", [0.0, 0.1, 0.3, 0.5])
@pytest.mark.parametrize("matrix", [uniform, pair])
def test_known_noise_is_recovered_from_a_flattened_posterior(rate, matrix):
    if matrix is pair and rate == 0.5:
        pytest.skip("half of a class moved to one other: which half is wrong cannot be told")
    rng = np.random.default_rng(0)
    long_tail = 10.0 ** -np.linspace(0, 1, 5)
    q, y = posteriors(rng, 4000, 5, 6, long_tail / long_tail.sum())
    T = matrix(5, rate)
    given = corrupt(rng, y, T)
    estimate = fit_noise(torch.from_numpy(flatten(q)), torch.from_numpy(given)).rate
    assert estimate == pytest.approx((given != y).mean(), abs=0.05)


def test_two_classes_will_do():
    rng = np.random.default_rng(1)
    q, y = posteriors(rng, 4000, 2, 8)
    given = corrupt(rng, y, uniform(2, 0.25))
    estimate = fit_noise(torch.from_numpy(flatten(q)), torch.from_numpy(given)).rate
    assert estimate == pytest.approx(0.25, abs=0.05)


@pytest.mark.parametrize(
    ("proba", "highest"),
    [
        (np.full((60, 3), 1 / 3), 2 / 3),
        (np.eye(3)[np.arange(60) % 3], 1e-4),
        (np.eye(3)[np.arange(60) // 20], 2 / 3),
    ],
    ids=["says nothing", "certain and right", "certain and mostly wrong"],
)
def test_extreme_predictions_give_a_rate_that_can_be_used(proba, highest):
    model = fit_noise(torch.from_numpy(proba), torch.arange(60) % 3)
    assert 0 <= model.rate <= highest
    assert torch.isfinite(model.transition).all()
    torch.testing.assert_close(model.transition.sum(dim=1), torch.ones(3).double())


def test_many_rows_are_thinned_out_without_changing_the_answer():
    rng = np.random.default_rng(2)
    q, y = posteriors(rng, 50_000, 3, 6)
    given = corrupt(rng, y, uniform(3, 0.2))
    with torch.random.fork_rng():
        torch.manual_seed(0)
        estimate = fit_noise(torch.from_numpy(flatten(q)), torch.from_numpy(given)).rate
    assert estimate == pytest.approx(0.2, abs=0.03)


def test_posterior_is_bayes_rule_on_the_calibrated_probabilities():
    rng = np.random.default_rng(3)
    proba = rng.dirichlet(np.ones(3), 1100)
    codes = rng.integers(3, size=1100)
    T = rng.dirichlet(np.ones(3), 3)
    shift = rng.normal(size=3)
    model = NoiseModel(0.3, torch.from_numpy(T), 1.7, torch.from_numpy(shift))
    found = model.posterior(torch.from_numpy(proba), torch.from_numpy(codes)).numpy()
    for row in range(1100):
        joint = [proba[row, j] ** 1.7 * np.exp(shift[j]) * T[j, codes[row]] for j in range(3)]
        np.testing.assert_allclose(found[row], np.array(joint) / np.sum(joint))


def test_posterior_of_the_fitted_model_is_nearly_that_of_the_true_one():
    rng = np.random.default_rng(4)
    q, y = posteriors(rng, 4000, 4, 6)
    T = uniform(4, 0.4)
    given = corrupt(rng, y, T)
    truth = q * T[:, given].T
    truth /= truth.sum(axis=1, keepdims=True)
    proba, codes = torch.from_numpy(flatten(q)), torch.from_numpy(given)
    model = fit_noise(proba, codes)
    assert abs(model.posterior(proba, codes).numpy() - truth).mean() < 0.01
    assert abs(model.transition.numpy() - T).max() < 0.03
    # Nearly all of the confusion was in the scale, which flatten() took to the power 0.3.
    assert model.scale == pytest.approx(1 / 0.3, rel=0.1)


def test_known_true_labels_tell_what_held_out_predictions_cannot():
    rng = np.random.default_rng(5)
    y = rng.integers(3, size=3000)
    T = pair(3, 0.4)
    given = corrupt(rng, y, T)
    says_nothing = torch.full((3000, 3), 1 / 3), torch.from_numpy(given)
    looked = np.where(np.arange(3000) < 600, y, -1)
    without, with_them = (
        fit_noise(*says_nothing),
        fit_noise(*says_nothing, answers_of(looked, 3)),
    )
    assert abs(without.transition.numpy() - T).max() > 0.2
    assert abs(with_them.transition.numpy() - T).max() < 0.05


def test_known_true_labels_are_not_thinned_out():
    rng = np.random.default_rng(6)
    y = rng.integers(3, size=60_000)
    T = pair(3, 0.4)
    says_nothing = torch.full((60_000, 3), 1 / 3), torch.from_numpy(corrupt(rng, y, T))
    looked = np.where(np.arange(60_000) < 600, y, -1)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = fit_noise(*says_nothing, answers_of(looked, 3))
    whole = [part[:600] for part in says_nothing]
    only = fit_noise(*whole, answers_of(y[:600], 3))
    # The rest says how often labels are given, and nothing of where they come from.
    assert abs(model.transition - only.transition).max() < 0.05


@pytest.mark.parametrize("start", [(0.0, 1.0), (0.75, 3.0), (0.2, 0.3)])
def test_another_start_finds_the_same_noise(start):
    rng = np.random.default_rng(0)
    q, y = posteriors(rng, 4000, 4, 3.0)
    codes = torch.from_numpy(corrupt(rng, y, uniform(4, 0.3)))
    proba = torch.from_numpy(flatten(q))
    ours, expected = fit_noise(proba, codes, start=start), fit_noise(proba, codes)
    assert ours.rate == pytest.approx(expected.rate, abs=0.005)
    assert ours.scale == pytest.approx(expected.scale, rel=0.02)
    torch.testing.assert_close(ours.transition, expected.transition, atol=0.01, rtol=0)


def negative_density(parameters, proba, given, answer):
    """Of the model, by the formulas of its docstring: dense, and with a loop over true classes."""
    n_classes = proba.shape[1]
    log_scale, share, shift, logits = np.split(parameters, [1, 2, 2 + n_classes])
    rate = expit(share[0]) * (n_classes - 1) / n_classes
    q = softmax(np.log(np.clip(proba, 1e-6, None)) * np.exp(log_scale) + shift, axis=1)
    likelihood, log_prior = np.zeros(len(given)), -(log_scale**2).sum() / 2 - (shift**2).sum() / 2
    for true, row in enumerate(logits.reshape(n_classes, n_classes - 1)):
        targets = np.insert(np.exp(log_softmax(row)), true, 0)
        to_given = rate * targets[given] + (1 - rate) * (given == true)
        likelihood += q[:, true] * to_given * answer[:, true]
        log_prior += log_softmax(row).mean()
    return -np.log(likelihood).sum() - log_prior


def parameters_of(model):
    n_classes = len(model.shift)
    W = model.transition.numpy()[~np.eye(n_classes, dtype=bool)].reshape(n_classes, -1)
    share = logit(model.rate * n_classes / (n_classes - 1))
    log_targets = np.log(W / W.sum(axis=1, keepdims=True)).ravel()
    return np.r_[np.log(model.scale), share, model.shift.numpy(), log_targets]


@for_all(
    n_classes=st.integers(2, 5),
    seed=st.integers(0, 1000),
    unused=st.booleans(),
    kind=st.sampled_from(["nobody asked", "never errs", "soft"]),
)
@settings(max_examples=12, deadline=None, derandomize=True)
def test_a_plain_search_finds_nothing_better_nearby(n_classes, seed, unused, kind):
    rng = np.random.default_rng(seed)
    q, y = posteriors(rng, 300, n_classes, 5)
    given = corrupt(rng, y, uniform(n_classes, 0.3))
    if unused:  # a class that is nowhere given
        given = np.minimum(given, n_classes - 2)
    proba, answer = flatten(q), np.ones((300, n_classes))
    rows = np.flatnonzero(rng.random(300) < 0.3)
    if kind != "nobody asked":
        soft = rng.dirichlet(np.ones(n_classes), len(rows))
        answer[rows] = np.eye(n_classes)[y[rows]] if kind == "never errs" else soft
    answered = torch.from_numpy(rows), torch.from_numpy(answer[rows])
    model = fit_noise(torch.from_numpy(proba), torch.from_numpy(given), answered)
    start = parameters_of(model)
    found = minimize(negative_density, start, (proba, given, answer), method="L-BFGS-B")
    assert negative_density(start, proba, given, answer) < found.fun + 0.01
    rate = expit(found.x[1]) * (n_classes - 1) / n_classes
    assert model.rate == pytest.approx(rate, abs=0.005)


@pytest.mark.parametrize("n_classes", [4, 40])
def test_answers_that_say_nothing_change_nothing(n_classes):
    rng = np.random.default_rng(7)
    q, y = posteriors(rng, 1000, n_classes, 6)
    codes = torch.from_numpy(corrupt(rng, y, uniform(n_classes, 0.3)))
    proba, start = torch.from_numpy(flatten(q)), (0.2, 2.0)
    likelihood = torch.full((500, n_classes), 0.3, dtype=torch.float64)
    said_nothing = fit_noise(proba, codes, (torch.arange(0, 1000, 2), likelihood), start)
    expected = fit_noise(proba, codes, start=start)
    assert said_nothing.rate == pytest.approx(expected.rate, abs=1e-3)
    torch.testing.assert_close(said_nothing.transition, expected.transition, atol=0.01, rtol=0)


def test_the_answered_class_is_a_candidate_however_improbable_it_is():
    rng = np.random.default_rng(8)
    y = np.arange(4000) % 40
    given = corrupt(rng, y, pair(40, 0.4))
    proba = np.where(np.eye(40, dtype=bool)[y], 0.0, 1 / 39)
    model = fit_noise(*map(torch.from_numpy, (proba, given)), answers_of(y, 40), start=(0.2, 1.0))
    assert model.rate == pytest.approx((given != y).mean(), abs=0.02)
    assert abs(model.transition.numpy() - pair(40, 0.4)).max() < 0.03


@pytest.mark.parametrize("matrix", [uniform, pair])
def test_noise_among_many_classes_is_recovered(matrix):
    rng = np.random.default_rng(9)
    q, y = posteriors(rng, 6000, 300, 12)
    given = corrupt(rng, y, matrix(300, 0.3))
    proba, codes = torch.from_numpy(flatten(q)), torch.from_numpy(given)
    model = fit_noise(proba, codes, start=(0.2, 2.0))
    assert model.rate == pytest.approx((given != y).mean(), abs=0.05)
    torch.testing.assert_close(model.transition.sum(dim=1), torch.ones(300).double())
    right = model.posterior(proba, codes)[torch.arange(6000), codes].numpy() > 0.5
    assert (right == (given == y)).mean() > 0.9


@pytest.mark.parametrize("n_classes", [31, 60])
def test_all_other_classes_may_count_as_one(n_classes, monkeypatch):
    rng = np.random.default_rng(10)
    q, y = posteriors(rng, 3000, n_classes, 6)
    given = corrupt(rng, y, uniform(n_classes, 0.3))
    looked = np.where(np.arange(3000) < 200, y, -1)
    known = *map(torch.from_numpy, (flatten(q), given)), answers_of(looked, n_classes)
    start = (0.2, 2.0)
    ours = fit_noise(*known, start)
    monkeypatch.setattr(_noise_posterior, "_MAX_CANDIDATES", n_classes)
    exact = fit_noise(*known, start)
    assert ours.rate == pytest.approx(exact.rate, abs=0.003)
    assert ours.scale == pytest.approx(exact.scale, rel=0.02)


def profile_by_plain_search(proba, codes, rates):
    """Log density of rates for two classes, where wrong labels go to the other one."""
    log_proba = np.log(np.clip(proba, 1e-6, None))

    def negative(parameters, rate):
        q = softmax(log_proba * np.exp(parameters[0]) + parameters[1:], axis=1)
        of_given = q[np.arange(len(codes)), codes]
        likelihood = of_given * (1 - rate) + (1 - of_given) * rate
        log_prior = -((parameters[0] / RATE_PRIOR.log_scale) ** 2 + (parameters[1:] ** 2).sum()) / 2
        return -np.log(likelihood).sum() - log_prior + RATE_PRIOR.rate * rate

    starts = [(scale, 0, 0) for scale in (-1, 0, 1, 2)]
    return [-min(minimize(negative, x, (rate,)).fun for x in starts) for rate in rates]


@pytest.mark.parametrize(("n", "sharpness", "rate"), [(60, 3, 0.2), (60, 1, 0), (400, 5, 0.3)])
def test_estimate_is_the_median_of_a_plain_grid(n, sharpness, rate):
    rng = np.random.default_rng(1)
    q, y = posteriors(rng, n, 2, sharpness)
    proba, given = flatten(q), corrupt(rng, y, uniform(2, rate))
    rates = np.linspace(0, 0.5, 101)
    log_density = np.array(profile_by_plain_search(proba, given, rates))
    density = np.exp(log_density - log_density.max())
    mass = density / density.sum()
    found = estimate_rate(torch.from_numpy(proba), torch.from_numpy(given))
    assert found.rate == pytest.approx(rates[mass.cumsum().searchsorted(0.5)], abs=0.012)
    order = np.argsort(-density)
    held = rates[order[: mass[order].cumsum().searchsorted(0.95) + 1]]
    assert found.interval == pytest.approx((held.min(), held.max()), abs=0.012)


@pytest.mark.slow
@pytest.mark.parametrize("rate", [0.0, 0.3])
def test_interval_holds_the_rate_of_labels_drawn_from_the_model(rate):
    rng = np.random.default_rng(2)
    held = []
    for _ in range(60):
        q, y = posteriors(rng, 150, 4, 4)
        given = corrupt(rng, y, uniform(4, rate))
        low, high = estimate_rate(torch.from_numpy(flatten(q)), torch.from_numpy(given)).interval
        held.append(low <= (given != y).mean() <= high)
    assert np.mean(held) >= 0.87  # 95%, less three standard errors of the count


@pytest.mark.parametrize("n", [30, 300, 3000])
def test_without_evidence_the_rate_is_low_and_the_interval_wide(n):
    says_nothing = torch.full((n, 5), 0.2), torch.arange(n) % 5
    found = estimate_rate(*says_nothing)
    assert found.rate < 0.3
    low, high = found.interval
    assert low == 0
    assert high > 0.5


def test_intervals_of_many_samples_are_narrow_and_lie_around_the_mode():
    rng = np.random.default_rng(3)
    q, y = posteriors(rng, 4000, 5, 6)
    given = corrupt(rng, y, uniform(5, 0.3))
    proba, codes = torch.from_numpy(flatten(q)), torch.from_numpy(given)
    low, high = estimate_rate(proba, codes).interval
    assert low < fit_noise(proba, codes).rate < high
    assert high - low < 0.05


def test_estimate_of_a_rate_needs_samples():
    with pytest.raises(ValueError, match="without held-out predictions"):
        estimate_rate(torch.ones(0, 3), torch.ones(0, dtype=torch.int64))
