"""How many labels are still wrong: coverage of the intervals, by simulation with known truth."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit, logit
from sklearn.datasets import load_iris, load_wine
from sklearn.naive_bayes import GaussianNB

from noisyactive import ActiveLabelCleaner, PairLabelNoise, UniformLabelNoise
from noisyactive.cleaning import CrossFit
from noisyactive.inspection import remaining_errors
from noisyactive.inspection._record import record_of
from noisyactive.inspection._remaining import (
    draw_calibrations,
    predict_errors,
    predict_from_sample,
)
from noisyactive.journal import Journal


def one_class(doubt, draws):
    return predict_errors(doubt, np.zeros(len(doubt), dtype=int), 1, draws)[-1]


@pytest.mark.parametrize("shift", [-1.5, 0, 1.5])
@pytest.mark.parametrize("n_checked", [0, 60])
def test_the_truth_lies_in_the_interval_though_the_model_is_off(shift, n_checked):
    """Labels are wrong as often as the model says, but for a shift that is not known."""
    rng = np.random.RandomState(0)
    held, widths = [], []
    for _ in range(40):
        doubt = rng.beta(0.4, 2.0, size=800)
        wrong = rng.rand(800) < expit(logit(np.clip(doubt, 1e-6, 1 - 1e-6)) + shift)
        draws = draw_calibrations(doubt[:n_checked], wrong[:n_checked])
        expected, low, high = one_class(doubt[n_checked:], draws)
        assert low <= expected <= high
        held.append(low <= wrong[n_checked:].sum() <= high)
        widths.append(high - low)
    assert np.mean(held) >= 0.9
    assert np.mean(widths) < (200 if n_checked else 500)


def test_no_chance_answers_leave_more_doubt_than_many():
    doubt = np.full(500, 0.2)
    none = one_class(doubt, draw_calibrations(doubt[:0], np.zeros(0, dtype=bool)))
    wrong = np.arange(400) < 80
    many = one_class(doubt, draw_calibrations(np.full(400, 0.2), wrong))
    assert many[2] - many[1] < (none[2] - none[1]) / 2
    # 20% of 400 were wrong, as the model had it.
    assert many[0] == pytest.approx(100, abs=5)


def test_what_chance_found_corrects_a_model_that_is_sure_and_wrong():
    doubt = np.full(1000, 1e-6)
    wrong = np.arange(100) < 30
    expected, low, high = one_class(doubt, draw_calibrations(doubt[:100], wrong))
    told = one_class(doubt, draw_calibrations(doubt[:0], wrong[:0]))
    assert low > told[2] and expected > 5 * told[0]


@given(
    st.lists(st.tuples(st.floats(0, 1), st.integers(0, 3)), max_size=60),
    st.lists(st.tuples(st.floats(0, 1), st.booleans()), max_size=20),
)
def test_classes_add_up_and_limits_are_in_order(labels, checks):
    doubt = np.array([d for d, _ in labels])
    codes = np.array([c for _, c in labels], dtype=int)
    wrong = np.array([w for _, w in checks], dtype=bool)
    draws = draw_calibrations(np.array([d for d, _ in checks]), wrong)
    found = predict_errors(doubt, codes, 4, draws)
    np.testing.assert_allclose(found[:-1, 0].sum(), found[-1, 0], atol=1e-9)
    assert (found[:, 1] <= found[:, 2]).all() and (found >= 0).all()
    assert (found[:-1, 2] <= np.bincount(codes, minlength=4)).all()


@pytest.mark.parametrize("rate", [0.05, 0.3])
def test_a_random_sample_alone_covers_what_a_strategy_has_left(rate):
    """The strategy finds wrong labels three times as often as chance does."""
    rng = np.random.RandomState(1)
    held = []
    for _ in range(300):
        wrong = rng.rand(400) < rate
        rows = rng.permutation(400)
        checked, rest = rows[:50], rows[50:]
        found = rng.choice(rest, size=60, replace=False, p=(w := 1 + 2.0 * wrong[rest]) / w.sum())
        expected, low, high = predict_from_sample(
            50, wrong[checked].sum(), len(rest), wrong[found].sum(), len(found)
        )
        assert low <= high and 0 <= expected <= 290
        held.append(low <= wrong[rest].sum() - wrong[found].sum() <= high)
    assert np.mean(held) >= 0.93


@given(st.integers(1, 30), st.integers(0, 30), st.integers(0, 40), st.integers(0, 40), st.data())
def test_a_random_sample_says_no_more_than_there_are_labels(n, wrong, rest, verified, data):
    wrong, verified = min(wrong, n), min(verified, rest)
    found = data.draw(st.integers(0, verified))
    expected, low, high = predict_from_sample(n, wrong, rest, found, verified)
    assert 0 <= low <= high <= rest - verified and 0 <= expected <= rest - verified


@pytest.mark.parametrize("trust", ["crossfit", CrossFit(random_share=0.25)])
def test_of_runs_with_known_labels(trust):
    """Real data, real models: of the 95% intervals, one at most does not hold the truth."""
    held = []
    for load in (load_wine, load_iris) if trust == "crossfit" else (load_wine,):
        X, y = load(return_X_y=True)
        for seed, noise in enumerate(
            [UniformLabelNoise(0.2, random_state=7), UniformLabelNoise(0.4, random_state=8),
             PairLabelNoise(0.25, random_state=9)]
        ):  # fmt: skip
            cleaner = ActiveLabelCleaner(
                GaussianNB(), n_rounds=2, round_budget=16, trust=trust, random_state=seed
            ).fit(X, noise.fit_transform(y), y_clean=y)
            found = remaining_errors(cleaner)
            truth = (cleaner.labels_ != y).sum()
            held.append(found.low <= truth <= found.high)
            assert found.evidence == "model"
            assert found.n_checked == (8 if trust == "crossfit" else 4)
            assert found.n_unverified == len(y) - 32
            np.testing.assert_allclose(found.by_class[:, 0].sum(), found.expected)
    assert sum(held) >= len(held) - 1


class TestRandomCheck:
    """Which rows chance picked."""

    def run(self, blobs, journal=None, **parameters):
        X, y, y_noisy = blobs
        parameters = {"n_rounds": 2, "round_budget": 9, "random_state": 0, **parameters}
        cleaner = ActiveLabelCleaner(GaussianNB(), journal=journal, **parameters)
        return cleaner.fit(X, y_noisy, y_clean=y)

    def test_the_last_half_of_the_first_round(self, blobs):
        record = record_of(self.run(blobs))
        picked, among = record.random_check
        first = [event for event in record.events if hasattr(event, "suggested")][0].rows
        assert picked.tolist() == list(first[5:])
        assert len(among) == len(blobs[1]) - 5 and not set(among) & set(first[:5])

    @pytest.mark.parametrize(
        "parameters",
        [
            {"query_strategy": "random"},
            {"query_strategy": "random", "trust": "all"},
        ],
    )
    def test_every_row_of_a_strategy_that_is_chance(self, blobs, parameters):
        record = record_of(self.run(blobs, **parameters))
        picked, among = record.random_check
        assert set(picked) == set(np.flatnonzero(record.state.verified)) and len(picked) == 18
        assert len(among) == len(blobs[1])

    def test_rounds_before_there_is_a_model(self, blobs):
        parameters = {"initial_fit": "none", "trust": "verified", "query_strategy": "entropy"}
        record = record_of(self.run(blobs, **parameters))
        first = [event for event in record.events if hasattr(event, "suggested")][0].rows
        assert record.random_check[0].tolist() == list(first)

    @pytest.mark.parametrize(
        "parameters",
        [
            {"query_strategy": "random", "pool": "untrusted"},  # they stand for these alone
            {"trust": "all"},
            {"trust": CrossFit(random_share=0)},
        ],
    )
    def test_none(self, blobs, parameters):
        assert not len(record_of(self.run(blobs, **parameters)).random_check[0])

    def test_a_journal_tells_the_same_rows(self, blobs, tmp_path):
        for number, parameters in enumerate(
            [{}, {"trust": CrossFit(random_share=0.3)}, {"query_strategy": "random"}]
        ):
            path = tmp_path / f"{number}.db"
            cleaner = self.run(blobs, journal=path, **parameters)
            ours = record_of(cleaner).random_check
            cleaner.close()
            theirs = record_of(Journal(path)).random_check
            assert len(ours[0])
            for one, other in zip(ours, theirs, strict=True):
                np.testing.assert_array_equal(one, other)


def test_from_a_journal_alone_chance_speaks(blobs, tmp_path):
    X, y, y_noisy = blobs
    path = tmp_path / "run.db"
    cleaner = ActiveLabelCleaner(
        GaussianNB(),
        "random",
        n_rounds=2,
        round_budget=40,
        trust="all",
        journal=path,
        random_state=0,  # one interval of twenty misses
    ).fit(X, y_noisy, y_clean=y)
    ours = remaining_errors(cleaner)
    truth = int((cleaner.labels_ != y).sum())
    cleaner.close()
    found = remaining_errors(Journal(path))
    np.testing.assert_equal(vars(found), vars(ours))
    assert (found.evidence, found.n_checked) == ("random check", 80)
    assert found.low <= truth <= found.high
    # The rate of the sample, in the rows that are left.
    assert found.expected == pytest.approx(found.n_wrong / 80 * (len(y) - 80), rel=0.05)


def test_without_any_evidence_nothing_is_said(make_cleaner, blobs):
    X, _, y_noisy = blobs
    found = remaining_errors(make_cleaner().start(X, y_noisy))
    assert found.evidence == "none" and np.isnan(found.expected)
    assert (found.low, found.high) == (0, len(y_noisy)) and np.isnan(found.by_class).all()


def test_bad_input_is_named():
    with pytest.raises(TypeError, match="cleaner must be an ActiveLabelCleaner or a Journal"):
        remaining_errors("run.db")
