"""Networks inside scikit-learn's searches, curves and meta-estimators."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import uniform
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import make_blobs
from sklearn.ensemble import BaggingClassifier, StackingClassifier, VotingClassifier
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.frozen import FrozenEstimator
from sklearn.inspection import permutation_importance
from sklearn.metrics import (
    accuracy_score,
    balanced_accuracy_score,
    f1_score,
    log_loss,
    make_scorer,
    roc_auc_score,
)
from sklearn.model_selection import (
    FixedThresholdClassifier,
    GridSearchCV,
    HalvingGridSearchCV,
    PredefinedSplit,
    RandomizedSearchCV,
    StratifiedKFold,
    TunedThresholdClassifierCV,
    cross_val_predict,
    cross_validate,
    learning_curve,
)
from sklearn.multiclass import OneVsRestClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.semi_supervised import SelfTrainingClassifier

from noisyactive import (
    ActiveLabelCleaner,
    CoTeachingVOGClassifier,
    NoisyLabelsClassifier,
    UniformLabelNoise,
)

NET = CoTeachingVOGClassifier(
    max_epochs=6,
    warmup_epochs=2,
    ramp_epochs=2,
    vog_window=2,
    batch_size=20,
    lr=0.05,
    random_state=0,
)
SCALED = Pipeline([("scale", StandardScaler()), ("net", NET)])
NOISE = UniformLabelNoise(0.3, exact=True, random_state=0)
CLEANER = ActiveLabelCleaner(
    NET, n_rounds=2, round_budget=6, pool="unverified", trust="once", fine_tune_epochs=2,
    random_state=1,
)  # fmt: skip
CROSSFIT = clone(CLEANER).set_params(trust="crossfit")
MIX_RATIOS = [0.0, 1.0]
FOLDS = StratifiedKFold(2)
NAMES = np.array(["ill", "well", "worse"])


@pytest.fixture
def blobs():
    """Classes that overlap, so that candidates differ."""
    X, y = make_blobs([40, 30, 20], n_features=4, cluster_std=3, random_state=0)
    return X, NAMES[y]


def without_times(results):
    """What a search found out, apart from how long it took; compared as text where NaN may be."""
    return {name: np.asarray(v).tolist() for name, v in results.items() if "_time" not in name}


def temperature_scaled(net, **params):
    pytest.importorskip("sklearn", minversion="1.8")  # the first that has it
    return CalibratedClassifierCV(net, method="temperature", **params)


class TestGridSearch:
    @pytest.mark.parametrize(
        ("model", "grid", "names"),
        [
            (NET, {"mix_ratio": MIX_RATIOS}, ()),
            (SCALED, {"net__mix_ratio": MIX_RATIOS}, ()),
            (
                NoisyLabelsClassifier(NET, NOISE),
                {"estimator__mix_ratio": [1.0], "noise__noise_rate": [0, 0.4]},
                (),
            ),
            (NoisyLabelsClassifier(SCALED, NOISE), {"estimator__net__mix_ratio": MIX_RATIOS}, ()),
            (CLEANER, {"estimator__mix_ratio": MIX_RATIOS}, ("y_clean",)),
        ],
        ids=["bare", "pipeline", "noisy", "noisy pipeline", "cleaner"],
    )
    def test_scores_are_those_by_hand(self, blobs, model, grid, names):
        """Every score of every fold, and the best candidate refitted."""
        X, y_clean = blobs
        y = clone(NOISE).fit_transform(y_clean) if names else y_clean
        extra = dict.fromkeys(names, y_clean)
        search = GridSearchCV(
            model,
            grid,
            scoring=["f1_macro", "roc_auc_ovr"],
            refit="f1_macro",
            cv=FOLDS,
            error_score="raise",
        ).fit(X, y, **extra)
        results = search.cv_results_
        for i, params in enumerate(results["params"]):
            candidate = clone(model).set_params(**params)
            for k, (train, test) in enumerate(FOLDS.split(X, y)):
                part = {name: value[train] for name, value in extra.items()}
                fitted = clone(candidate).fit(X[train], y[train], **part)
                f1 = f1_score(y[test], fitted.predict(X[test]), average="macro")
                auc = roc_auc_score(y[test], fitted.predict_proba(X[test]), multi_class="ovr")
                assert results[f"split{k}_test_f1_macro"][i] == f1
                assert results[f"split{k}_test_roc_auc_ovr"][i] == auc
        scores = results["mean_test_f1_macro"]
        assert len(set(scores)) == 2  # the parameter does something
        assert search.best_index_ == scores.argmax()
        best = clone(model).set_params(**search.best_params_).fit(X, y, **extra)
        assert_array_equal(search.predict_proba(X), best.predict_proba(X))
        assert_array_equal(search.predict(X), best.predict(X))
        assert_array_equal(search.classes_, NAMES)


class TestMissingClasses:
    """The rarest class is in the second half alone."""

    @pytest.fixture(params=["net", "noisy", "cleaner"])
    def search(self, request):
        """A search that knows all classes."""
        net = clone(NET).set_params(classes=NAMES)
        model, name = {
            "net": (net, "mix_ratio"),
            "noisy": (NoisyLabelsClassifier(net, NOISE), "estimator__mix_ratio"),
            "cleaner": (clone(CLEANER).set_params(estimator=net), "estimator__mix_ratio"),
        }[request.param]
        return GridSearchCV(model, {name: MIX_RATIOS}, refit=False, error_score="raise")

    def halves(self, y):
        rows = np.arange(len(y))
        second = (y == "worse") | (rows % 2 == 1)
        return rows[~second], rows[second]

    def test_from_training_data(self, blobs, search):
        X, y = blobs
        first, second = self.halves(y)
        search.set_params(cv=[(first, second)], scoring=["f1_macro", "roc_auc_ovr", "neg_log_loss"])
        for name, scores in search.fit(X, y).cv_results_.items():
            if "mean_test" in name:
                assert np.isfinite(scores).all()
        # Without its column, probabilities and classes do not match, as for any classifier.
        search.set_params(
            estimator=NET, param_grid={"mix_ratio": MIX_RATIOS}, scoring="roc_auc_ovr"
        )
        # scikit-learn 1.6 leaves it to numpy to find out.
        with pytest.raises(ValueError, match="y_score|out of bounds"):
            search.fit(X, y)
        assert np.isfinite(search.set_params(scoring="f1_macro").fit(X, y).best_score_)

    def test_from_training_data_when_predicting(self, blobs):
        """Every sample has a probability of every class, with names known by their codes."""
        X, y = blobs
        net = clone(NET).set_params(classes=[0, 1, 2])
        folds = PredefinedSplit(np.where(y == "worse", 1, np.arange(len(y)) % 2))
        proba = cross_val_predict(net, X, y, cv=folds, method="predict_proba")
        for train, test in folds.split():
            fitted = clone(NET).set_params(classes=NAMES).fit(X[train], y[train])
            assert_array_equal(proba[test], fitted.predict_proba(X[test]))
        with pytest.raises(ValueError, match=r"not among the classes \['ill', 'well', 'worse'\]"):
            cross_val_predict(net.set_params(classes=NAMES), X, y, cv=folds, method="predict_proba")

    def test_from_validation_data(self, blobs, search):
        X, y = blobs
        first, second = self.halves(y)
        log_loss_of_all = make_scorer(
            log_loss, greater_is_better=False, response_method="predict_proba", labels=NAMES
        )
        search.set_params(
            cv=[(second, first)], scoring={"f1": "f1_macro", "log_loss": log_loss_of_all}
        ).fit(X, y)
        assert np.isfinite(search.cv_results_["mean_test_f1"]).all()
        assert np.isfinite(search.cv_results_["mean_test_log_loss"]).all()
        # A class without a single example has no AUC: scikit-learn says so of its own models too.
        for model, grid in ((search.estimator, search.param_grid), (GaussianNB(), {})):
            search.set_params(estimator=model, param_grid=grid, scoring="roc_auc_ovr")
            with pytest.raises(ValueError, match="Number of classes in y_true"):
                search.fit(X, y)


class TestOtherSearches:
    def test_random_search(self, blobs):
        X, y = blobs
        distributions = {"net__mix_ratio": uniform(), "net__forget_rate": ["auto", 0.3]}
        search = RandomizedSearchCV(
            SCALED, distributions, n_iter=3, cv=FOLDS, scoring="f1_macro", random_state=0,
            error_score="raise",
        ).fit(X, y)  # fmt: skip
        again = clone(search).fit(X, y)
        assert without_times(search.cv_results_) == without_times(again.cv_results_)
        best = clone(SCALED).set_params(**search.best_params_).fit(X, y)
        assert_array_equal(search.predict_proba(X), best.predict_proba(X))

    def test_halving_over_samples(self, blobs):
        X, y = blobs
        search = HalvingGridSearchCV(
            NET, {"mix_ratio": [0.0, 0.5, 1.0]}, factor=2, cv=FOLDS, min_resources=45,
            scoring="f1_macro", random_state=0, error_score="raise",
        ).fit(X, y)  # fmt: skip
        assert search.n_resources_ == [45, 90]
        assert search.n_candidates_ == [3, 2]
        assert search.best_estimator_.clean_mask_.shape == (90,)
        assert_array_equal(search.best_estimator_.classes_, NAMES)

    def test_halving_over_epochs(self, blobs):
        X, y = blobs
        search = HalvingGridSearchCV(
            NET, {"mix_ratio": [0.0, 0.5, 1.0]}, factor=2, cv=FOLDS, resource="max_epochs",
            min_resources=5, max_resources=10, scoring="f1_macro", random_state=0,
            error_score="raise",
        ).fit(X, y)  # fmt: skip
        assert search.n_resources_ == [5, 10]
        assert len(search.best_estimator_.history) == 10


class TestModelSelection:
    @pytest.mark.parametrize("model", [NET, SCALED, CROSSFIT], ids=["net", "pipeline", "cleaner"])
    def test_cross_val_predict(self, blobs, model):
        # With method="predict_proba", scikit-learn itself replaces names by codes, but only in y.
        X, y = blobs[0], np.searchsorted(NAMES, blobs[1])
        params = {"y_clean": y} if model is CROSSFIT else {}
        labels = cross_val_predict(model, X, y, cv=FOLDS, params=params)
        proba = cross_val_predict(model, X, y, cv=FOLDS, params=params, method="predict_proba")
        for train, test in FOLDS.split(X, y):
            part = {name: value[train] for name, value in params.items()}
            fitted = clone(model).fit(X[train], y[train], **part)
            assert_array_equal(labels[test], fitted.predict(X[test]))
            assert_array_equal(proba[test], fitted.predict_proba(X[test]))

    def test_cross_validate_returns_fitted_networks(self, blobs):
        X, y = blobs
        result = cross_validate(
            NoisyLabelsClassifier(SCALED, NOISE), X, y, cv=3, return_estimator=True,
            return_indices=True, return_train_score=True, error_score="raise",
        )  # fmt: skip
        for k, fitted in enumerate(result["estimator"]):
            train, test = result["indices"]["train"][k], result["indices"]["test"][k]
            assert fitted.estimator_["net"].clean_mask_.shape == train.shape
            assert_array_equal(fitted.y_noisy_ != y[train], fitted.noise_.flip_mask_)
            for part, rows in (("test", test), ("train", train)):  # both on labels as given
                expected = accuracy_score(y[rows], fitted.predict(X[rows]))
                assert result[f"{part}_score"][k] == expected

    def test_learning_curve(self, blobs):
        X, y = blobs
        sizes, train_scores, test_scores = learning_curve(
            SCALED, X, y, train_sizes=[0.5, 1.0], cv=FOLDS, shuffle=True, random_state=0,
            error_score="raise",
        )  # fmt: skip
        assert sizes.tolist() == [22, 45]
        rng = np.random.RandomState(0)
        for k, (train, test) in enumerate(FOLDS.split(X, y)):
            rows = rng.permutation(train)
            for i, size in enumerate(sizes):
                fitted = clone(SCALED).fit(X[rows[:size]], y[rows[:size]])
                assert test_scores[i, k] == fitted.score(X[test], y[test])
                assert train_scores[i, k] == fitted.score(X[rows[:size]], y[rows[:size]])


class TestMetaEstimators:
    @pytest.fixture
    def three(self):
        X, y = make_blobs([40, 30, 20], n_features=4, cluster_std=2, random_state=0)
        return X, NAMES[y]

    @pytest.fixture
    def two(self):
        X, y = make_blobs([50, 30], n_features=4, cluster_std=4, random_state=0)
        return X, NAMES[y]

    @pytest.mark.parametrize(
        "around",
        [
            lambda net: CalibratedClassifierCV(net, cv=2),
            lambda net: temperature_scaled(net, cv=2, ensemble=False),
            lambda net: StackingClassifier([("net", net), ("nb", GaussianNB())], cv=2),
            lambda net: StackingClassifier([("net", net)], GaussianNB(), cv=2, passthrough=True),
            lambda net: VotingClassifier([("net", net), ("nb", GaussianNB())], voting="soft"),
            lambda net: BaggingClassifier(net, n_estimators=2, random_state=0),
            lambda net: OneVsRestClassifier(net),
        ],
        ids=["calibrated", "temperature", "stack", "stack on", "vote", "bag", "ovr"],
    )
    @pytest.mark.parametrize(
        "net", [NET, NoisyLabelsClassifier(SCALED, NOISE)], ids=["net", "noisy"]
    )
    def test_learn_with_networks_inside(self, three, around, net):
        X, y = three
        model = around(net)
        proba = clone(model).fit(X, y).predict_proba(X)
        assert_allclose(proba.sum(axis=1), 1, rtol=1e-5)
        model.fit(X, y)
        assert_array_equal(model.predict_proba(X), proba)
        assert_array_equal(model.classes_, NAMES)
        assert_array_equal(model.predict(X), NAMES[proba.argmax(axis=1)])
        assert model.score(X, y) > 0.8

    def test_votes_are_means_of_probabilities(self, three):
        X, y = three
        vote = VotingClassifier([("net", NET), ("nb", GaussianNB())], voting="soft", weights=[2, 1])
        net, nb = clone(NET).fit(X, y), GaussianNB().fit(X, y)
        expected = (2 * net.predict_proba(X) + nb.predict_proba(X)) / 3
        assert_allclose(vote.fit(X, y).predict_proba(X), expected, rtol=1e-6)

    def test_calibration_of_a_fitted_network_leaves_it_alone(self, three):
        X, y = three
        net = clone(NET).fit(X[::2], y[::2])
        before, seed = net.predict_proba(X), net.seed_
        calibrated = temperature_scaled(FrozenEstimator(net))
        calibrated.fit(X[1::2], y[1::2])
        assert_array_equal(net.predict_proba(X), before)
        assert len(net.history) == 6 and net.seed_ == seed
        assert_array_equal(calibrated.predict(X), net.predict(X))  # a temperature keeps the order
        nll = [log_loss(y[1::2], model.predict_proba(X[1::2])) for model in (calibrated, net)]
        assert nll[0] <= nll[1]

    def test_self_training(self, three):
        X, y = three
        codes = np.searchsorted(NAMES, y)
        known = np.arange(len(y)) % 3 == 0
        model = SelfTrainingClassifier(NET, threshold=0.8, max_iter=2)
        model.fit(X, np.where(known, codes, -1))
        assert_array_equal(model.labeled_iter_ == 0, known)
        assert (model.labeled_iter_ > 0).any()
        assert_array_equal(model.transduction_[known], codes[known])
        assert model.estimator_.clean_mask_.shape == ((model.labeled_iter_ >= 0).sum(),)
        assert (model.predict(X) == codes).mean() > 0.8

    def test_permutation_importance(self, three):
        X, y = three
        noise = np.random.RandomState(0).randn(len(y), 2)
        model = clone(SCALED).fit(np.hstack([X, noise]), y)
        result = permutation_importance(model, np.hstack([X, noise]), y, random_state=0)
        assert result.importances_mean[:4].sum() > 5 * abs(result.importances_mean[4:]).sum()

    def test_fixed_threshold(self, two):
        X, y = two
        model = FixedThresholdClassifier(NET, threshold=0.7, pos_label="ill").fit(X, y)
        proba = clone(NET).fit(X, y).predict_proba(X)[:, 0]
        assert_array_equal(model.predict(X), np.where(proba >= 0.7, "ill", "well"))
        assert 0 < (proba >= 0.7).mean() < (proba >= 0.5).mean() < 1

    def test_tuned_threshold(self, two):
        X, y = two
        train, test = next(StratifiedKFold(3).split(X, y))
        model = TunedThresholdClassifierCV(
            NET, scoring="balanced_accuracy", cv=[(train, test)], thresholds=20, refit=False
        ).fit(X, y)
        proba = clone(NET).fit(X[train], y[train]).predict_proba(X)[:, 1]
        scores = [
            balanced_accuracy_score(y[test], np.where(proba[test] >= t, "well", "ill"))
            for t in np.linspace(proba[test].min(), proba[test].max(), 20)
        ]
        assert model.best_score_ == pytest.approx(max(scores))
        assert_array_equal(
            model.predict(X), np.where(proba >= model.best_threshold_, "well", "ill")
        )


@pytest.mark.slow
def test_same_bits_in_one_process_and_in_two(blobs, workers):
    """The parent has one torch thread, as tests/conftest.py says; loky's workers have one each."""
    X, y = blobs
    for model, name in (
        (NoisyLabelsClassifier(SCALED, NOISE), "estimator__net__mix_ratio"),
        (CLEANER, "estimator__mix_ratio"),
    ):
        search = GridSearchCV(
            model, {name: MIX_RATIOS}, scoring=["f1_macro", "neg_log_loss"], refit="f1_macro",
            cv=FOLDS, error_score="raise",
        )  # fmt: skip
        alone = clone(search).set_params(n_jobs=1).fit(X, y)
        shared = clone(search).set_params(n_jobs=2).fit(X, y)
        assert without_times(alone.cv_results_) == without_times(shared.cv_results_)
        assert_array_equal(alone.predict_proba(X), shared.predict_proba(X))
        predictions = [
            cross_val_predict(model, X, y, cv=FOLDS, method="predict_proba", n_jobs=n)
            for n in (1, 2)
        ]
        assert_array_equal(*predictions)
