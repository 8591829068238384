"""Clean labels, oracles, groups and weights on their way through scikit-learn's machinery."""

import numpy as np
import pytest
import sklearn
from imblearn.pipeline import Pipeline as ImbalancedPipeline
from sklearn.exceptions import UnsetMetadataPassedError
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score, get_scorer, make_scorer
from sklearn.model_selection import GridSearchCV, GroupKFold, StratifiedKFold, cross_validate
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from noisyactive import (
    ActiveLabelCleaner,
    CoTeachingClassifier,
    CoTeachingVOGClassifier,
    LabelNoiseSampler,
    NoisyLabelsClassifier,
    UniformLabelNoise,
)

N_SAMPLES = 120
QUICK = {"max_epochs": 3, "forget_rate": 0.2, "ramp_epochs": 1, "batch_size": 32, "random_state": 0}


@pytest.fixture(autouse=True)
def routing():
    with sklearn.config_context(enable_metadata_routing=True):
        yield


@pytest.fixture
def data():
    """Row numbers in the first column, so that everyone can tell which rows they got."""
    rng = np.random.RandomState(0)
    y = rng.permutation(np.repeat([0, 1, 2], N_SAMPLES // 3))
    X = np.column_stack([np.arange(N_SAMPLES), y + 0.3 * rng.randn(N_SAMPLES)])
    return X, y, UniformLabelNoise(0.2, random_state=0).fit_transform(y)


class Recording(LogisticRegression):
    """Insists on the weights (and groups) of its rows."""

    def fit(self, X, y, sample_weight=None, groups=None):
        for given in (sample_weight, groups):
            if given is not None:
                np.testing.assert_array_equal(given, X[:, 0] % 40)
        self.got_ = {"sample_weight": sample_weight is not None, "groups": groups is not None}
        return super().fit(X, y, sample_weight=sample_weight)


class Weighted(CoTeachingClassifier):
    """A net that insists on the weights of its rows."""

    def _check(self, X, sample_weight):
        assert sample_weight is not None
        np.testing.assert_array_equal(sample_weight, X[:, 0] % 40)

    def fit(self, X, y=None, sample_weight=None, **kwargs):
        self._check(X, sample_weight)
        return super().fit(X, y, sample_weight, **kwargs)

    def refine(self, X, y=None, sample_weight=None, **kwargs):
        self._check(X, sample_weight)
        return super().refine(X, y, sample_weight, **kwargs)


def recording(**requests):
    return Recording(max_iter=2000).set_fit_request(**requests)


def weighted():
    return Weighted(**QUICK).set_fit_request(sample_weight=True)


# Weights reach the classifier without those of classes.
AS_THEY_ARE = {"n_rounds": 0, "class_balance": 0}


@pytest.mark.parametrize(
    "around",
    [
        lambda model: model,
        lambda model: make_pipeline("passthrough", model),
        lambda model: NoisyLabelsClassifier(model, UniformLabelNoise(0.1, random_state=0)),
        lambda model: ImbalancedPipeline(
            [("noise", LabelNoiseSampler(UniformLabelNoise(0.1, random_state=0))), ("net", model)]
        ),
        lambda model: ActiveLabelCleaner(model, **AS_THEY_ARE),
        lambda model: ActiveLabelCleaner(make_pipeline("passthrough", model), **AS_THEY_ARE),
        lambda model: make_pipeline("passthrough", ActiveLabelCleaner(model, **AS_THEY_ARE)),
    ],
    ids=[
        "bare",
        "pipeline",
        "noisy",
        "imblearn",
        "cleaner",
        "cleaner-pipeline",
        "pipeline-cleaner",
    ],
)
@pytest.mark.parametrize("make", [lambda: recording(sample_weight=True), weighted])
def test_sample_weight_is_sliced_with_its_rows(data, around, make):
    X, y, _ = data
    model = around(make())
    scorer = get_scorer("accuracy").set_score_request(sample_weight=False)
    search = GridSearchCV(model, {}, scoring=scorer, cv=StratifiedKFold(3), error_score="raise")
    search.fit(X, y, sample_weight=X[:, 0] % 40)
    with pytest.raises(AssertionError):  # the models do look
        search.fit(X, y, sample_weight=X[::-1, 0] % 40)


def test_nets_take_weights_and_validation_data_by_request(data):
    X, y, _ = data
    net = CoTeachingVOGClassifier(**QUICK, mix_ratio=0)
    net.set_fit_request(sample_weight=True, validation_data=True)
    scaler = StandardScaler().set_fit_request(sample_weight=False)
    pipeline = make_pipeline(scaler, net)
    scaled = StandardScaler().fit_transform(X)
    pipeline.fit(X, y, sample_weight=np.ones(len(y)), validation_data=(scaled, y))
    assert len(pipeline[-1].history[:, "valid_loss"]) == 3
    with pytest.raises(UnsetMetadataPassedError):
        make_pipeline(scaler, CoTeachingVOGClassifier(**QUICK)).fit(
            X, y, sample_weight=np.ones(len(y))
        )


@pytest.mark.parametrize("piped", [False, True])
def test_y_clean_reaches_the_cleaner_and_the_scorer(data, piped):
    """Fitting on noisy labels, answers and scores from clean ones, in one call."""
    X, y, y_noisy = data
    asked = []

    def clean_f1(y_true, y_pred, y_clean):
        assert (y_true != y_clean).any()
        asked.append(len(y_clean))
        return f1_score(y_clean, y_pred, average="macro")

    cleaner = ActiveLabelCleaner(
        LogisticRegression(max_iter=2000), n_rounds=2, round_budget=10, pool="unverified",
        random_state=0,
    ).set_fit_request(y_clean=True)  # fmt: skip
    model = Pipeline([("scale", StandardScaler()), ("clean", cleaner)]) if piped else cleaner
    scorer = make_scorer(clean_f1).set_score_request(y_clean=True)
    prefix = "clean__" if piped else ""
    search = GridSearchCV(
        model, {f"{prefix}estimator__C": [0.1, 1]}, scoring=scorer, cv=3, error_score="raise"
    )
    search.fit(X, y_noisy, y_clean=y)
    assert asked == [N_SAMPLES // 3] * 6
    best = search.best_estimator_[-1] if piped else search.best_estimator_
    bought = best.relabelled_round_ >= 0
    assert bought.sum() == 20
    np.testing.assert_array_equal(best.labels_[bought], y[bought])
    np.testing.assert_array_equal(best.labels_[~bought], y_noisy[~bought])


def test_an_oracle_that_looks_at_samples_is_right_in_every_fold(data):
    X, y, y_noisy = data

    def oracle(rows, X_rows):
        return y[X_rows[:, 0].astype(int)]

    cleaner = ActiveLabelCleaner(
        LogisticRegression(max_iter=2000), n_rounds=1, round_budget=15, random_state=0,
        pool="unverified",
    ).set_fit_request(oracle=True)  # fmt: skip
    result = cross_validate(
        cleaner, X, y_noisy, cv=3, params={"oracle": oracle}, return_estimator=True,
        return_indices=True,
    )  # fmt: skip
    for fitted, train in zip(result["estimator"], result["indices"]["train"], strict=True):
        bought = fitted.relabelled_round_ >= 0
        assert bought.sum() == 15
        np.testing.assert_array_equal(fitted.labels_[bought], y[train][bought])


def test_groups_reach_splitter_cleaner_and_estimator(data):
    """40 groups of three: no fold of the search, and no fold of the cleaner's own, splits one."""
    X, _, y_noisy = data
    groups = (X[:, 0] % 40).astype(int)
    seen = []

    class Watching(Recording):
        def predict_proba(self, X):
            seen.append((set(self.groups_), set(X[:, 0] % 40)))
            return super().predict_proba(X)

        def fit(self, X, y, sample_weight=None, groups=None):
            self.groups_ = X[:, 0] % 40
            return super().fit(X, y, sample_weight, groups)

    model = Watching(max_iter=2000).set_fit_request(groups=True)
    cleaner = ActiveLabelCleaner(model, n_rounds=0, pool="untrusted", trust="once")
    cleaner.set_fit_request(groups=True)
    search = GridSearchCV(cleaner, {}, cv=GroupKFold(3), error_score="raise", refit=False)
    search.fit(X, y_noisy, groups=groups)
    assert len(seen) == 3 * 5  # out-of-fold probabilities in each of three fits
    assert all(not (known & new) for known, new in seen)


def test_groups_keep_together_without_routing_too(data):
    X, _, y_noisy = data
    groups = X[:, 0] % 40
    with sklearn.config_context(enable_metadata_routing=False):
        cleaner = ActiveLabelCleaner(LogisticRegression(max_iter=2000), n_rounds=0)
        grouped = cleaner.fit(X, y_noisy, groups=groups).clean_mask_
        assert grouped.shape == (N_SAMPLES,)
        with pytest.raises(ValueError, match="groups must be of shape"):
            cleaner.fit(X, y_noisy, groups=groups[:-1])
        with pytest.raises(ValueError, match="at least 2 groups"):
            cleaner.fit(X, y_noisy, groups=np.zeros(N_SAMPLES))


def test_prefixed_parameters_without_routing(data):
    X, y, y_noisy = data
    with sklearn.config_context(enable_metadata_routing=False):
        pipeline = Pipeline([("same", "passthrough"), ("net", Weighted(**QUICK))])
        cleaner = ActiveLabelCleaner(
            pipeline,
            n_rounds=2,
            round_budget=5,
            fine_tune_epochs=1,
            class_balance=0,
            random_state=0,
        )
        weight = X[:, 0] % 40
        cleaner.fit(X, y_noisy, y_clean=y, net__sample_weight=weight)
        assert cleaner.history_["cost"].tolist() == [0, 5, 10]
        with pytest.raises(AssertionError):
            cleaner.fit(X, y_noisy, y_clean=y, net__sample_weight=weight[::-1])


def test_weights_reach_every_refit_by_routing(data):
    X, y, y_noisy = data
    for model in (weighted(), make_pipeline("passthrough", weighted())):
        cleaner = ActiveLabelCleaner(
            model, n_rounds=2, round_budget=5, fine_tune_epochs=1, class_balance=0
        )
        cleaner.fit(X, y_noisy, y_clean=y, sample_weight=X[:, 0] % 40)
        assert cleaner.history_["cost"].tolist() == [0, 5, 10]
