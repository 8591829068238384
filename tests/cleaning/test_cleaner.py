"""The cleaning loop."""

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.datasets import make_blobs
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.metrics import f1_score
from sklearn.model_selection import cross_val_score
from sklearn.naive_bayes import GaussianNB
from skorch import NeuralNetClassifier
from torch import nn

from noisyactive import (
    ActiveLabelCleaner,
    CoTeachingClassifier,
    CoTeachingVOGClassifier,
    GroundTruthOracle,
    UniformLabelNoise,
)
from noisyactive.cleaning import PAPER_PARAMS, CrossFit
from noisyactive.journal import Answered, Asked, fold
from noisyactive.query import strategy_names

QUICK = {"max_epochs": 4, "forget_rate": 0.3, "ramp_epochs": 2, "batch_size": 32, "random_state": 0}
PAPER = {name: value for name, value in PAPER_PARAMS.items() if name != "query_strategy"}


def cleaner_state(cleaner):
    return {
        key: value.tolist() if isinstance(value, np.ndarray) else value
        for key, value in vars(cleaner.state_).items()
    }


class TestLoop:
    def test_fit_is_the_loop_of_query_and_teach(self, data, model):
        X, y, y_noisy = data
        settings_ = {"n_rounds": 3, "round_budget": 4, "random_state": 0}
        at_once = ActiveLabelCleaner(model, **settings_).fit(X, y_noisy, y_clean=y)
        by_oracle = ActiveLabelCleaner(model, **settings_)
        by_oracle.fit(X, y_noisy, oracle=lambda rows, X_rows: y[rows])
        by_hand = ActiveLabelCleaner(model, **settings_).start(X, y_noisy)
        while len(rows := by_hand.query()):
            for row in rows[::-1]:  # one by one, in another order
                by_hand.teach([row], [y[row]])
        for cleaner in (by_oracle, by_hand):
            np.testing.assert_array_equal(cleaner.labels_, at_once.labels_)
            np.testing.assert_array_equal(cleaner.relabelled_round_, at_once.relabelled_round_)
            np.testing.assert_array_equal(cleaner.predict_proba(X), at_once.predict_proba(X))
            np.testing.assert_array_equal(cleaner.history_["cost"], [0, 4, 8, 12])

    def test_without_an_oracle_it_is_the_first_phase(self, data, model):
        X, _, y_noisy = data
        cleaner = ActiveLabelCleaner(model, **PAPER).fit(X, y_noisy)
        expected = clone(model).fit(X, y_noisy).predict_proba(X)
        np.testing.assert_array_equal(cleaner.predict_proba(X), expected)
        np.testing.assert_array_equal(cleaner.labels_, y_noisy)
        assert cleaner.history_["cost"].tolist() == [0]

    def test_oracle_gets_the_samples_of_its_rows(self, data, model):
        X, y, y_noisy = data

        asked, seen = [], []

        def oracle(rows, X_rows):
            asked.extend(rows)
            seen.extend(X_rows)
            return y[rows]

        ActiveLabelCleaner(model, n_rounds=2, round_budget=3).fit(X, y_noisy, oracle=oracle)
        assert len(set(asked)) == 6
        np.testing.assert_array_equal(seen, X[asked])

    def test_the_pool_may_grow_between_rounds(self, data, model):
        X, _, y_noisy = data
        cleaner = ActiveLabelCleaner(model, "random", n_rounds=2, round_budget=10, **PAPER)
        rows = cleaner.set_params(random_state=0).start(X, y_noisy).query()
        assert not cleaner.clean_mask_[rows].any()
        trusted = cleaner.clean_mask_.copy()
        cleaner.teach(rows, y_noisy[rows]).set_params(pool="unverified")
        assert trusted[cleaner.query()].any()

    def test_the_budget_of_a_round_may_change_between_rounds(self, data, model):
        X, y, y_noisy = data
        cleaner = ActiveLabelCleaner(model, n_rounds=2, round_budget=4).start(X, y_noisy)
        rows = cleaner.query()
        cleaner.teach(rows, y[rows]).set_params(round_budget=10)
        assert len(cleaner.query()) == 10  # of the 2 x 10 answers, 4 were bought
        cleaner.close_round()
        with pytest.raises(ValueError, match="round_budget"):
            cleaner.set_params(round_budget=-1).query()

    def test_before_a_run_begins_it_is_said_how(self, model):
        with pytest.raises(NotFittedError, match=r"call start\(X, y\) before query and teach"):
            ActiveLabelCleaner(model).query()

    def test_open_rows_are_asked_for_again_until_answered(self, data, model):
        X, y, y_noisy = data
        cleaner = ActiveLabelCleaner(model, n_rounds=2, round_budget=4).start(X, y_noisy)
        rows = cleaner.query()
        np.testing.assert_array_equal(cleaner.query(), rows)
        cleaner.teach(rows[1:3], y[rows[1:3]])
        np.testing.assert_array_equal(cleaner.query(), rows[[0, 3]])
        assert len(cleaner.history_["cost"]) == 1  # no refit within a round
        cleaner.close_round()
        following = cleaner.query()
        assert cleaner.history_["asked"].tolist() == [0, 2]
        assert not set(following) & set(rows[1:3])

    def test_budget_is_a_count_or_a_share_and_never_exceeded(self, data, model):
        X, y, y_noisy = data
        for budget, expected in [(3, 6), (0.05, 12), (0.001, 2)]:
            cleaner = ActiveLabelCleaner(model, n_rounds=2, round_budget=budget)
            assert cleaner.fit(X, y_noisy, y_clean=y).history_["cost"][-1] == expected
        cleaner = ActiveLabelCleaner(model, n_rounds=2, round_budget=5).start(X, y_noisy)
        cleaner.teach([0, 1, 2], y[:3])  # volunteers' corrections are charged
        asked = 0
        while len(rows := cleaner.query()):
            asked += len(rows)
            cleaner.teach(rows, y[rows])
        assert asked == 7
        assert cleaner.history_["cost"][-1] == 10

    def test_a_budget_larger_than_the_pool_warns_and_stops_when_it_is_empty(self, data, model):
        X, y, y_noisy = data
        cleaner = ActiveLabelCleaner(model, n_rounds=3, round_budget=60, pool="unverified")
        with pytest.warns(UserWarning, match="180 answers is larger than the pool of 115"):
            cleaner.fit(X, y_noisy, y_clean=y)
        assert cleaner.history_["cost"].tolist() == [0, 60, 115]
        np.testing.assert_array_equal(cleaner.labels_, y)
        assert cleaner.clean_mask_.all()

    def test_a_skipped_row_is_charged_and_not_asked_about_again(self, data, model):
        X, y, y_noisy = data
        asked = []

        def oracle(rows, X_rows):
            asked.extend(rows)
            return [None if row % 2 else y[row] for row in rows]

        cleaner = ActiveLabelCleaner(model, n_rounds=4, round_budget=5)
        cleaner.fit(X, y_noisy, oracle=oracle)
        assert len(asked) == len(set(asked)) == cleaner.history_["cost"][-1] == 20
        skipped = [row for row in asked if row % 2]
        assert (cleaner.relabelled_round_[skipped] == -1).all()
        np.testing.assert_array_equal(cleaner.labels_[skipped], y_noisy[skipped])

    def test_a_correction_counts_and_is_charged(self, data, model):
        X, y, y_noisy = data
        cleaner = ActiveLabelCleaner(model, n_rounds=1, round_budget=2).start(X, y_noisy)
        rows = cleaner.query()
        cleaner.teach(rows, [(y[row] + 1) % 3 for row in rows]).teach(rows, y[rows])
        cleaner.query()
        np.testing.assert_array_equal(cleaner.labels_[rows], y[rows])
        assert cleaner.history_["cost"][-1] == 4

    def test_an_oracle_that_raises_loses_nothing(self, data, model):
        X, y, y_noisy = data

        def oracle(rows, X_rows):
            if len(answered) == 2:
                raise ConnectionError("gone to lunch")
            answered.append(rows)
            return y[rows]

        answered = []
        cleaner = ActiveLabelCleaner(model, n_rounds=4, round_budget=3, random_state=0)
        with pytest.raises(ConnectionError, match="lunch"):
            cleaner.fit(X, y_noisy, oracle=oracle)
        np.testing.assert_array_equal(
            np.flatnonzero(cleaner.relabelled_round_ > 0), np.sort(np.concatenate(answered))
        )
        while len(rows := cleaner.query()):  # and on it goes
            cleaner.teach(rows, y[rows])
        whole = clone(cleaner).fit(X, y_noisy, y_clean=y)
        np.testing.assert_array_equal(cleaner.labels_, whole.labels_)

    def test_events_fold_into_the_live_state(self, data, model):
        X, y, y_noisy = data
        cleaner = ActiveLabelCleaner(model, n_rounds=3, round_budget=4).fit(X, y_noisy, y_clean=y)
        cleaner.teach([3], [1])
        codes = np.searchsorted(cleaner.classes_, y_noisy)
        folded = fold(cleaner.events_, cleaner.classes_, codes)
        ours = {
            key: value.tolist() if isinstance(value, np.ndarray) else value
            for key, value in vars(folded).items()
        }
        # repr, since a score that is not there is NaN
        assert repr(ours) == repr(cleaner_state(cleaner))

    def test_same_seed_same_bits_and_global_state_left_alone(self, data):
        X, y, y_noisy = data
        before = np.random.get_state()[1].copy(), torch.get_rng_state()
        runs = []
        for _ in range(2):
            net = CoTeachingClassifier(max_epochs=3, forget_rate=0.3)  # without a seed of its own
            cleaner = ActiveLabelCleaner(
                net, "random", n_rounds=2, round_budget=4, fine_tune_epochs=2, random_state=5
            )
            runs.append(cleaner.fit(X, y_noisy, y_clean=y))
        np.testing.assert_array_equal(runs[0].labels_, runs[1].labels_)
        np.testing.assert_array_equal(runs[0].predict_proba(X), runs[1].predict_proba(X))
        np.testing.assert_array_equal(np.random.get_state()[1], before[0])
        assert torch.equal(torch.get_rng_state(), before[1])


@pytest.mark.filterwarnings("ignore:The budget of .* answers is larger")  # a few doubted labels
@settings(max_examples=40)
@given(
    strategy=st.sampled_from(sorted(set(strategy_names()) - {"bald"})),
    pool=st.sampled_from(["untrusted", "unverified"]),
    trust=st.sampled_from(["once", "crossfit", "verified", "all"]),
    refit=st.sampled_from(["fine_tune", "scratch"]),
    with_journal=st.booleans(),
    seed=st.integers(0, 2**16),
)
def test_a_label_that_nobody_answered_for_never_changes(
    tmp_path_factory, strategy, pool, trust, refit, with_journal, seed
):
    X, y = make_blobs([40, 30, 10], cluster_std=2.0, random_state=seed)
    y_noisy = UniformLabelNoise(0.3, random_state=seed).fit_transform(y)
    rng = np.random.RandomState(seed)
    given, expected, answered, n_charged = y_noisy.copy(), y_noisy.copy(), [], 0

    def teach(rows):
        """Give labels, right or wrong, or None: for a row answered before, this takes it back."""
        nonlocal n_charged
        answers = [(0, 1, 2, None, y[row])[rng.randint(5)] for row in rows]
        cleaner.teach(rows, answers)
        for row, answer in zip(rows, answers, strict=True):
            expected[row] = given[row] if answer is None else answer
        answered.extend(rows)
        n_charged += len(rows)
        np.testing.assert_array_equal(cleaner.labels_, expected)

    with TemporaryDirectory(dir=tmp_path_factory.getbasetemp()) as folder:
        cleaner = ActiveLabelCleaner(
            GaussianNB(), strategy, n_rounds=3, round_budget=3, pool=pool, trust=trust, refit=refit
        ).set_params(fine_tune_epochs=1, random_state=seed)
        cleaner.set_params(journal=Path(folder, "run.db") if with_journal else None)
        cleaner.start(X, y_noisy)
        while len(rows := cleaner.query()):
            np.testing.assert_array_equal(cleaner.labels_, expected)  # learning changes none
            assert not set(rows) & set(answered)
            if rng.rand() < 0.3:  # a volunteer
                teach(rng.choice(np.setdiff1d(np.arange(len(y)), [*rows, *answered]), 1))
            teach(rows)
            if rng.rand() < 0.5:  # corrections
                teach(rng.choice(np.unique(answered), rng.randint(1, 3), replace=False))
        assert n_charged >= 3
        assert cleaner.history_["cost"][-1] == n_charged
        np.testing.assert_array_equal(cleaner.labels_, expected)
        if with_journal:
            cleaner.close()
            resumed = clone(cleaner).start(X, y_noisy)
            np.testing.assert_array_equal(resumed.labels_, expected)
            resumed.close()
    np.testing.assert_array_equal(y_noisy, given)


class TestMethods:
    """Every row of the table of methods."""

    @pytest.mark.parametrize("strategy", ["random", "entropy", "coreset"])
    @pytest.mark.parametrize("mix_ratio", [0.0, 0.5])
    def test_the_papers(self, data, strategy, mix_ratio):
        X, y, y_noisy = data
        net = CoTeachingVOGClassifier(**{**QUICK, "max_epochs": 8}, mix_ratio=mix_ratio)
        net.set_params(warmup_epochs=2, vog_window=2)
        cleaner = ActiveLabelCleaner(
            net, strategy, n_rounds=2, round_budget=5, fine_tune_epochs=3, **PAPER
        )
        cleaner.fit(X, y_noisy, y_clean=y)
        first = clone(net).fit(X, y_noisy).clean_mask_
        asked = cleaner.relabelled_round_ > 0
        assert not (asked & first).any()  # only the noisy set is asked about
        np.testing.assert_array_equal(cleaner.clean_mask_, first | asked)
        assert len(cleaner.estimator_.history) == 8 + 2 * 3

    @pytest.mark.parametrize("strategy", ["random", "entropy"])
    def test_cross_entropy_and_active_learning(self, data, strategy):
        X, y, y_noisy = data
        cleaner = ActiveLabelCleaner(
            CoTeachingClassifier(**{**QUICK, "forget_rate": 0}),
            strategy,
            n_rounds=3,
            round_budget=8,
            pool="unverified",
            trust="verified",
            fine_tune_epochs=2,
        ).fit(X, y_noisy, y_clean=y)
        assert cleaner.clean_mask_.sum() == 24
        assert cleaner.history_["cost"][-1] == 24

    @pytest.mark.parametrize("model", ["net", "any"])
    def test_active_learning_only(self, data, model):
        X, y, y_noisy = data
        estimator = CoTeachingClassifier(**{**QUICK, "forget_rate": 0}) if model == "net" else None
        cleaner = ActiveLabelCleaner(
            estimator or LogisticRegression(max_iter=1000),
            n_rounds=3,
            round_budget=10,
            initial_fit="none",
            pool="unverified",
            trust="verified",
            fine_tune_epochs=2,
        )
        cleaner.start(X, y_noisy)
        with pytest.raises(NotFittedError):
            cleaner.predict(X)
        while len(rows := cleaner.query()):
            cleaner.teach(rows, y[rows])
        assert cleaner.predict_proba(X).shape == (len(X), 3)
        assert cleaner.history_["cost"].tolist() == [0, 10, 20, 30]

    def test_no_model_until_two_classes_are_verified(self, data, model):
        X, y, y_noisy = data
        cleaner = ActiveLabelCleaner(
            model, n_rounds=3, round_budget=2, initial_fit="none", pool="unverified",
            trust="verified", random_state=0,
        )  # fmt: skip
        cleaner.start(X, y_noisy)
        cleaner.teach(cleaner.query(), [0, 0])
        rows = cleaner.query()
        assert not hasattr(cleaner, "estimator_")
        cleaner.teach(rows, [1, 1]).query()
        assert cleaner.predict(X).shape == y.shape

    @pytest.mark.parametrize(
        "estimator",
        [
            CoTeachingClassifier(**QUICK),
            SGDClassifier(loss="log_loss", alpha=0.1),  # sure ones: NaN before scikit-learn 1.8
            GaussianNB(),
            NeuralNetClassifier(
                nn.Linear,
                module__in_features=4,
                module__out_features=3,
                criterion=nn.CrossEntropyLoss,
                train_split=None,
                verbose=0,
            ),
        ],
        ids=lambda e: type(e).__name__,
    )
    def test_a_class_that_is_verified_only_in_a_later_round(self, data, estimator):
        X, y, y_noisy = data
        cleaner = ActiveLabelCleaner(
            estimator, n_rounds=2, round_budget=6, initial_fit="none", pool="unverified",
            trust="verified", fine_tune_epochs=2, random_state=0,
        ).start(X, y_noisy)  # fmt: skip
        cleaner.teach(cleaner.query(), [0, 0, 0, 1, 1, 1])
        cleaner.teach(cleaner.query(), [2] * 6).query()
        assert cleaner.predict_proba(X).shape == (len(X), 3)
        assert len(cleaner.history_["cost"]) == 3

    def test_alc_with_co_teaching(self, data):
        X, y, y_noisy = data
        cleaner = ActiveLabelCleaner(
            CoTeachingClassifier(**QUICK),
            "label_disagreement",
            n_rounds=2,
            round_budget=5,
            pool="unverified",
            trust="all",
            refit="continue",
            fine_tune_epochs=3,
        ).fit(X, y_noisy, y_clean=y)
        assert cleaner.clean_mask_.all()
        tau = cleaner.estimator_.history[:, "forget_rate"]
        assert tau[-6:] == [0.3] * 6  # co-teaching went on

    @pytest.mark.parametrize("refit", ["continue", "scratch"])
    def test_the_forget_rate_may_follow_the_corrections(self, data, refit):
        X, y, y_noisy = data
        cleaner = ActiveLabelCleaner(
            CoTeachingClassifier(**QUICK),
            n_rounds=3,
            round_budget=20,
            pool="unverified",
            trust="all",
            refit=refit,
            fine_tune_epochs=2,
            lower_forget_rate=True,
            random_state=0,
        ).start(X, y_noisy)
        corrected, rates = [], []
        while len(rows := cleaner.query()):
            cleaner.teach(rows, y[rows])
            corrected.append((cleaner.labels_ != y_noisy).mean())
            rates.append(cleaner.estimator_.forget_rate_)
        rates = [*rates[1:], cleaner.estimator_.forget_rate_]
        assert corrected[0] > 0.05
        np.testing.assert_allclose(rates, np.maximum(0, 0.3 - np.array(corrected)))
        assert cleaner.estimator_.history[-1, "forget_rate"] == rates[-1]
        assert cleaner.estimator.forget_rate == 0.3  # the user's is left alone

    def test_an_estimated_forget_rate_is_lowered_too(self, data):
        X, y, y_noisy = data
        cleaner = ActiveLabelCleaner(
            CoTeachingClassifier(**{**QUICK, "forget_rate": "auto", "warmup_epochs": 2}),
            n_rounds=1, round_budget=20, pool="unverified", trust="all", refit="continue",
            fine_tune_epochs=1, lower_forget_rate=True, random_state=0,
        ).start(X, y_noisy)  # fmt: skip
        estimated = cleaner.estimator_.forget_rate_
        cleaner.teach(rows := cleaner.query(), y[rows]).query()
        expected = max(0, estimated - (cleaner.labels_ != y_noisy).mean())
        assert cleaner.estimator_.forget_rate_ == pytest.approx(expected)
        assert expected != estimated

    @pytest.mark.parametrize(
        "estimator",
        [
            LogisticRegression(max_iter=1000),
            HistGradientBoostingClassifier(max_iter=10, min_samples_leaf=2),
            SGDClassifier(loss="log_loss", alpha=0.1),  # sure ones: NaN before scikit-learn 1.8
            NeuralNetClassifier(
                nn.Linear,
                module__in_features=4,
                module__out_features=3,
                criterion=nn.CrossEntropyLoss,
                train_split=None,
                verbose=0,
            ),
        ],
        ids=lambda e: type(e).__name__,
    )
    def test_any_classifier(self, data, estimator):
        X, y, y_noisy = data
        cleaner = ActiveLabelCleaner(
            estimator, "margin", n_rounds=3, round_budget=6, fine_tune_epochs=2, random_state=0
        )
        before = torch.get_rng_state()
        cleaner.fit(X, y_noisy, y_clean=y)
        assert torch.equal(torch.get_rng_state(), before)
        assert (cleaner.labels_ != y).sum() < (y_noisy != y).sum()
        assert cleaner.score(X, y) > 0.6

    def test_bald(self, data):
        X, y, y_noisy = data

        class Net(nn.Sequential):
            def __init__(self, in_features, num_classes):
                super().__init__(
                    nn.Linear(in_features, 16),
                    nn.ReLU(),
                    nn.Dropout(0.5),
                    nn.Linear(16, num_classes),
                )

        cleaner = ActiveLabelCleaner(
            CoTeachingClassifier(Net, **QUICK),
            "bald",
            n_rounds=2,
            round_budget=3,
            fine_tune_epochs=1,
            trust="once",
        )
        assert cleaner.fit(X, y_noisy, y_clean=y).history_["cost"][-1] == 6

    def test_no_answers_is_the_control_at_equal_epochs(self, data):
        X, _, y_noisy = data
        net = CoTeachingClassifier(**QUICK)
        cleaner = ActiveLabelCleaner(net, n_rounds=2, round_budget=3, fine_tune_epochs=4, **PAPER)
        cleaner.fit(X, y_noisy, oracle=lambda rows, X_rows: [None] * len(rows))
        np.testing.assert_array_equal(cleaner.labels_, y_noisy)
        by_hand = clone(net).fit(X, y_noisy)
        trusted = by_hand.clean_mask_
        for _ in range(2):
            by_hand.refine(X[trusted], y_noisy[trusted], epochs=4, lr=0.01)
        np.testing.assert_array_equal(cleaner.predict_proba(X), by_hand.predict_proba(X))


class TestValidation:
    @pytest.mark.parametrize(
        "estimator",
        [
            CoTeachingClassifier(**QUICK),
            SGDClassifier(loss="log_loss", alpha=0.1, random_state=0),
        ],
    )
    def test_the_best_epoch_of_each_round_is_kept(self, data, estimator):
        X, y, y_noisy = data
        scores = []

        def scorer(estimator, X, y):
            scores.append(f1_score(y, estimator.predict(X), average="macro"))
            return scores[-1]

        cleaner = ActiveLabelCleaner(
            estimator, n_rounds=2, round_budget=5, fine_tune_epochs=6, scoring=scorer, **PAPER
        )
        cleaner.fit(X, y_noisy, y_clean=y, validation_data=(X, y))
        first, *rounds = cleaner.history_["score"]
        assert scores[0] == first
        # Six epochs each, then the round's own score: that of its best epoch.
        for r, score in enumerate(rounds):
            epochs = scores[1 + 7 * r : 7 + 7 * r]
            assert len(epochs) == 6
            assert score == max(epochs) == scores[7 + 7 * r]
        assert len(scores) == 15

    def test_without_validation_data_scores_are_nan(self, data, model):
        X, y, y_noisy = data
        cleaner = ActiveLabelCleaner(model, n_rounds=2, round_budget=2).fit(X, y_noisy, y_clean=y)
        assert np.isnan(cleaner.history_["score"]).all()

    def test_scores_rise_when_labels_are_cleaned(self, data, model):
        X, y, y_noisy = data
        cleaner = ActiveLabelCleaner(model, "label_disagreement", n_rounds=6, round_budget=6)
        cleaner.set_params(pool="unverified", trust="all", class_balance=0)
        cleaner.fit(X, y_noisy, y_clean=y, validation_data=(X, y))
        assert cleaner.history_["score"][-1] > cleaner.history_["score"][0]
        hit_rate = cleaner.history_["changed"].sum() / cleaner.history_["cost"][-1]
        assert hit_rate > 2 * (y != y_noisy).mean()


class TestData:
    @pytest.mark.parametrize(
        "convert", [pd.DataFrame, torch.from_numpy, lambda X: X.tolist()], ids=["df", "t", "list"]
    )
    def test_kinds_of_X(self, data, model, convert):
        X, y, y_noisy = data
        X = X.astype(float)
        expected = ActiveLabelCleaner(model, n_rounds=1, round_budget=4, random_state=0)
        expected.fit(X, y_noisy, y_clean=y)
        cleaner = clone(expected).fit(convert(X), y_noisy, y_clean=y)
        np.testing.assert_array_equal(cleaner.labels_, expected.labels_)

    def test_images_and_datasets(self, data):
        from torch.utils.data import TensorDataset

        _, y, y_noisy = data
        X = np.random.default_rng(0).normal(size=(len(y), 1, 6, 6)).astype(np.float32)
        X[:, 0, :2] += y[:, None, None]
        net = CoTeachingClassifier(**QUICK)
        # Similar samples are sought in arrays alone.
        settings_ = {"trust": CrossFit(neighbours=False), "n_rounds": 2, "round_budget": 3,
                     "fine_tune_epochs": 1, "random_state": 0}  # fmt: skip
        arrays = ActiveLabelCleaner(net, "coreset", **settings_).fit(X, y_noisy, y_clean=y)
        dataset = TensorDataset(torch.from_numpy(X), torch.from_numpy(y_noisy))
        ours = ActiveLabelCleaner(net, "coreset", **settings_).fit(dataset, y_noisy, y_clean=y)
        np.testing.assert_array_equal(ours.labels_, arrays.labels_)

    @pytest.mark.parametrize("names", [["x", "yy", "zzz"], [True, False, None], [10, 3, 7]])
    def test_labels_of_any_kind(self, data, model, names):
        X, y, y_noisy = data
        if None in names:
            names, y, y_noisy = [True, False], y > 0, y_noisy > 0
        names = np.array(names)
        y, y_noisy = names[y.astype(int)], names[y_noisy.astype(int)]
        cleaner = ActiveLabelCleaner(model, n_rounds=3, round_budget=4).fit(X, y_noisy, y_clean=y)
        assert cleaner.labels_.dtype == y.dtype
        np.testing.assert_array_equal(cleaner.classes_, np.unique(names))
        assert set(cleaner.predict(X)) <= set(names)

    def test_a_class_that_only_the_estimator_knows_of_can_be_answered(self, data):
        X, _, y_noisy = data
        net = CoTeachingClassifier(**QUICK, classes=[0, 1, 2, 3])
        cleaner = ActiveLabelCleaner(net, n_rounds=1, round_budget=2, fine_tune_epochs=1)
        cleaner.start(X, y_noisy)
        rows = cleaner.query()
        cleaner.teach(rows, [3, 3]).query()
        assert (cleaner.labels_[rows] == 3).all()
        assert cleaner.predict_proba(X).shape[1] == 4

    def test_in_cross_validation_y_clean_is_sliced(self, data, model):
        X, y, y_noisy = data
        cleaner = ActiveLabelCleaner(model, n_rounds=2, round_budget=4)
        scores = cross_val_score(cleaner, X, y_noisy, params={"y_clean": y}, cv=3)
        assert np.isfinite(scores).all()


class TestBadInput:
    @pytest.mark.parametrize(
        ("parameters", "message"),
        [
            ({"query_strategy": "guess"}, "query_strategy"),
            ({"n_rounds": -1}, "n_rounds"),
            ({"round_budget": 0}, "round_budget"),
            ({"round_budget": 1.5}, "round_budget"),
            ({"initial_fit": "some"}, "initial_fit"),
            ({"pool": "all"}, "pool"),
            ({"trust": "none"}, "trust"),
            ({"refit": "again"}, "refit"),
            ({"fine_tune_epochs": 0}, "fine_tune_epochs"),
            ({"fine_tune_lr": 0}, "fine_tune_lr"),
            ({"class_balance": -0.1}, "class_balance"),
            ({"class_balance": 1.1}, "class_balance"),
            ({"scoring": "beauty"}, "scoring"),
            ({"initial_fit": "none"}, "no first phase"),
            ({"refit": "continue"}, 'refit="fine_tune" or'),
            ({"refit": "continue", "trust": "all"}, "partial_fit; LogisticRegression has none"),
            ({"lower_forget_rate": True}, "no lower_forget_rate, got .*see trust"),
            (
                {"lower_forget_rate": True, "trust": "all"},
                "lower_forget_rate needs .* got LogisticRegression",
            ),
            ({"lower_forget_rate": "yes"}, "lower_forget_rate"),
        ],
    )
    def test_parameters(self, data, model, parameters, message):
        X, _, y_noisy = data
        with pytest.raises(ValueError, match=message):
            ActiveLabelCleaner(model, **parameters).start(X, y_noisy)

    def test_data(self, data, model):
        X, y, y_noisy = data
        cleaner = ActiveLabelCleaner(model)
        for call, message in [
            (lambda: cleaner.fit(X, y_noisy[:-1]), "115 samples, 114 labels"),
            (lambda: cleaner.fit(X, y_noisy, y_clean=y[:-1]), "y_clean"),
            (lambda: cleaner.fit(X, y_noisy, y_clean=y, oracle=lambda *a: []), "not both"),
            (lambda: cleaner.fit(X, np.zeros(len(X))), "one class"),
            (lambda: cleaner.fit(X, y, validation_data=(X, y + 7)), "y_val"),
            (lambda: cleaner.fit(X, y, validation_data=(X, y[:-1])), "115 samples, 114 labels"),
            (lambda: cleaner.fit(X, y_noisy, oracle=lambda *a: None), "sequence of labels"),
        ]:
            with pytest.raises(ValueError, match=message):
                call()
        with pytest.raises(TypeError, match="tuple"):
            cleaner.fit(X, y, validation_data=[X, y])

    def test_before_start(self, data, model):
        cleaner = ActiveLabelCleaner(model)
        for call in (
            cleaner.query,
            cleaner.close_round,
            lambda: cleaner.teach([0], [1]),
            lambda: cleaner.predict(data[0]),
        ):
            with pytest.raises(NotFittedError):
                call()

    @pytest.mark.parametrize(
        ("rows", "answers", "message"),
        [
            ([0, 1], [0], "1 answers for 2 rows"),
            ([0, 1], [0, 9], r"not among the classes.*9"),
            ([0, 0], [1, 1], "each row once"),
            ([0, 115], [1, 1], r"0 to 114, got \[115\]"),
            ([-1], [1], r"got \[-1\]"),
            ([0.5], [1], "row numbers"),
            (["a"], [1], "row numbers"),
            ([[0]], [1], "row numbers"),
        ],
    )
    def test_answers_that_are_refused_leave_no_trace(self, data, model, rows, answers, message):
        X, y, y_noisy = data
        cleaner = ActiveLabelCleaner(model, n_rounds=2, round_budget=3).start(X, y_noisy)
        asked = cleaner.query()
        cleaner.teach(asked[:1], y[asked[:1]])
        before, n_events = repr(cleaner_state(cleaner)), len(cleaner.events_)
        with pytest.raises(ValueError, match=message):
            cleaner.teach(rows, answers)
        assert repr(cleaner_state(cleaner)) == before
        assert len(cleaner.events_) == n_events

    @pytest.mark.parametrize(
        ("strategy", "message"),
        [
            (lambda learner, X, n_instances: [0, 0], "twice"),
            (lambda learner, X, n_instances: [len(X)], "outside the pool"),
            (lambda learner, X, n_instances: [-1], "outside the pool"),
            (lambda learner, X, n_instances: np.arange(n_instances + 1), "1 to 2"),
            (lambda learner, X, n_instances: [], "1 to 2"),
            (lambda learner, X, n_instances: [0.5], "row numbers"),
        ],
    )
    def test_a_strategy_that_returns_nonsense(self, data, model, strategy, message):
        X, y, y_noisy = data
        cleaner = ActiveLabelCleaner(model, strategy, n_rounds=2, round_budget=3)
        with pytest.raises(ValueError, match=message):
            cleaner.fit(X, y_noisy, y_clean=y)
        assert not any(isinstance(event, (Asked, Answered)) for event in cleaner.events_)

    def test_a_start_that_fails_leaves_the_run_before_it(self, data, model):
        X, y, y_noisy = data
        cleaner = ActiveLabelCleaner(model, n_rounds=2, round_budget=3).fit(X, y_noisy, y_clean=y)
        labels, proba = cleaner.labels_, cleaner.predict_proba(X)
        with pytest.raises(ValueError, match="NaN"):
            cleaner.fit(np.full_like(X, np.nan), y_noisy)
        np.testing.assert_array_equal(cleaner.labels_, labels)
        np.testing.assert_array_equal(cleaner.predict_proba(X), proba)

    def test_a_refit_that_breaks_off_changes_nothing(self, data):
        X, y, y_noisy = data
        fail = [False]

        def scorer(estimator, X, y):
            if fail and fail[0] and len(estimator.history) > 6:
                fail.clear()
                raise RuntimeError("no disk")
            return estimator.score(X, y)

        def run():
            cleaner = ActiveLabelCleaner(
                CoTeachingClassifier(**QUICK),
                n_rounds=2,
                round_budget=3,
                fine_tune_epochs=4,
                **PAPER,
            ).set_params(scoring=scorer, random_state=0)
            cleaner.start(X, y_noisy, validation_data=(X, y))
            while True:
                try:
                    rows = cleaner.query()
                except RuntimeError:
                    continue
                if not len(rows):
                    return cleaner
                cleaner.teach(rows, y[rows])

        whole = run().predict_proba(X)
        fail[:] = [True]
        np.testing.assert_array_equal(run().predict_proba(X), whole)
        assert not fail  # it did break off

    def test_a_strategy_that_draws_from_global_generators_is_reproducible(self, data, model):
        def strategy(learner, X, n_instances):
            return np.random.choice(len(X), n_instances, replace=False)

        X, y, y_noisy = data
        before = np.random.get_state()[1].copy()
        runs = [
            ActiveLabelCleaner(model, strategy, n_rounds=2, round_budget=3, random_state=0).fit(
                X, y_noisy, y_clean=y
            )
            for _ in range(2)
        ]
        np.testing.assert_array_equal(runs[0].relabelled_round_, runs[1].relabelled_round_)
        np.testing.assert_array_equal(np.random.get_state()[1], before)

    def test_strategies_of_modal_and_their_newer_convention(self, data, model):
        from modAL.uncertainty import entropy_sampling

        X, y, y_noisy = data

        def newer(learner, X, n_instances=1):
            return np.arange(n_instances), np.ones(n_instances)

        for strategy in (entropy_sampling, newer):
            cleaner = ActiveLabelCleaner(model, strategy, n_rounds=2, round_budget=3)
            assert cleaner.fit(X, y_noisy, y_clean=y).history_["cost"][-1] == 6


class TestOracle:
    def test_errs_at_its_rate_and_stays_with_its_word(self):
        y = np.arange(3000) % 3
        oracle = GroundTruthOracle(y, error_rate=0.2, random_state=0)
        answers = np.array(oracle(np.arange(3000)))
        assert (answers != y).mean() == pytest.approx(0.2, abs=0.025)
        assert set(answers) == {0, 1, 2}
        assert oracle([5, 3]) == answers[[5, 3]].tolist()

    def test_bad_input(self):
        with pytest.raises(ValueError, match="error_rate"):
            GroundTruthOracle([0, 1], error_rate=1.0)

    def test_an_expert_who_skips(self):
        y = np.arange(3000) % 3
        plain = GroundTruthOracle(y, error_rate=0.2, random_state=0)
        oracle = GroundTruthOracle(y, error_rate=0.2, skip_rate=0.3, random_state=0)
        answers = oracle(np.arange(len(y)))
        assert answers == oracle(np.arange(len(y)))
        skipped = np.array([answer is None for answer in answers])
        assert abs(skipped.mean() - 0.3) < 0.03
        given = [answer for answer in answers if answer is not None]
        np.testing.assert_array_equal(given, np.array(plain(np.arange(len(y))))[~skipped])
        with pytest.raises(ValueError, match="skip_rate"):
            GroundTruthOracle([0, 1], skip_rate=1.0)


class TestGate:
    """What `fit`, `start` and `teach` are given is checked before anything is trained."""

    X, Y = np.random.RandomState(0).rand(30, 2), np.arange(30) % 2

    def cleaner(self, **params):
        return ActiveLabelCleaner(GaussianNB(), **{"n_rounds": 1, "round_budget": 2, **params})

    @pytest.mark.parametrize("answers", [{0: 0, 1: 1}, {0, 1}, 0, "01", np.array(1)])
    def test_answers_are_a_sequence(self, answers):
        cleaner = self.cleaner().start(self.X, self.Y)
        with pytest.raises(ValueError, match="answers must be a sequence of labels and None"):
            cleaner.teach(cleaner.query(), answers)
        assert cleaner.state_.cost == 0

    def test_a_generator_is_read_once(self):
        cleaner = self.cleaner().start(self.X, self.Y)
        cleaner.teach(iter([3, 4]), iter([0, 1]), seconds=iter([1.0, 2.0]), comments=iter("ab"))
        assert cleaner.events_[-1].rows == (3, 4)
        assert cleaner.events_[-1].seconds == (1.0, 2.0)
        assert cleaner.events_[-1].comments == ("a", "b")

    @pytest.mark.parametrize("ids", [1, "a", {"a": 1}, {"a", "b"}, [1] * 30, ["a"] * 30, ["a\0"]])
    def test_ids_are_a_sequence_of_strings(self, ids):
        with pytest.raises(ValueError, match="ids"):
            self.cleaner().start(self.X, self.Y, ids=ids)

    @pytest.mark.parametrize(
        ("name", "value"),
        [("n_rounds", object()), ("n_rounds", True), ("n_rounds", -1), ("round_budget", np.nan)]
        + [("round_budget", "x"), ("fine_tune_lr", np.inf), ("class_balance", True)]
        + [("scoring", "no score"), ("verbose", None), ("random_state", "x")],
    )
    def test_parameters(self, name, value):
        with pytest.raises((TypeError, ValueError), match=name):
            self.cleaner(**{name: value}).start(self.X, self.Y)

    def test_the_oracle_takes_rows(self):
        with pytest.raises(ValueError, match="indices must be a sequence of row numbers"):
            GroundTruthOracle(self.Y)(3)
        with pytest.raises(ValueError, match="y_clean"):
            GroundTruthOracle(3)
        with pytest.raises(TypeError, match="oracle"):
            self.cleaner().fit(self.X, self.Y, oracle=lambda: [0])

    @pytest.mark.parametrize("seconds", ["1", -1, np.nan, np.inf, True])
    def test_how_long_to_wait(self, seconds, tmp_path):
        cleaner = self.cleaner(journal=tmp_path / "run.db").start(self.X, self.Y)
        cleaner.query()
        for name in ("timeout", "poll"):
            with pytest.raises(ValueError, match=f"{name} must be a finite number from 0 on"):
                cleaner.wait(**{"timeout": 0, name: seconds})
        assert not cleaner.wait(0)
        cleaner.close()
