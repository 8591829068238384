"""`class_balance`: how much the classes count when a model is brought up to date."""

import copy

import numpy as np
import pytest
from imblearn.over_sampling import RandomOverSampler
from imblearn.pipeline import make_pipeline as make_imbalanced_pipeline
from sklearn import config_context
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import AdaBoostClassifier, BaggingClassifier
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MaxAbsScaler
from sklearn.tree import DecisionTreeClassifier

from noisyactive import ActiveLabelCleaner, CoTeachingClassifier
from noisyactive._pipeline import last_step
from noisyactive.cleaning._class_balance import WithWeights, class_weights, fit_balanced


def no_answer(rows, X_rows):
    return [None] * len(rows)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("balance", [0.5, 1])
def test_it_is_tuning_with_weights(data, balance, weighted):
    X, _, y_noisy = data
    net = CoTeachingClassifier(max_epochs=4, forget_rate=0.3, ramp_epochs=2, random_state=0)
    own = np.random.default_rng(0).uniform(0.5, 2, len(X)) if weighted else np.ones(len(X))
    params = {"sample_weight": own} if weighted else {}
    cleaner = ActiveLabelCleaner(
        net,
        trust="once",
        n_rounds=1,
        round_budget=3,
        fine_tune_epochs=4,
        fine_tune_lr=0.01,
        class_balance=balance,
    )
    cleaner.fit(X, y_noisy, oracle=no_answer, **params)
    by_hand = clone(net).fit(X, y_noisy, **params)
    trusted = by_hand.clean_mask_
    sizes = {label: (y_noisy[trusted] == label).sum() for label in range(3)}
    weight = [own[i] / sizes[y_noisy[i]] ** balance for i in np.flatnonzero(trusted)]
    by_hand.refine(X[trusted], y_noisy[trusted], np.array(weight), epochs=4, lr=0.01)
    np.testing.assert_allclose(cleaner.predict_proba(X), by_hand.predict_proba(X), atol=1e-5)


def test_classes_count_alike_at_1():
    y = np.array(list("aaaaab"))
    weights = class_weights(y, 1)
    assert weights[y == "a"].sum() == pytest.approx(weights[y == "b"].sum())
    np.testing.assert_allclose(class_weights(y, 0), 1)
    assert class_weights(y, 0.5).mean() == pytest.approx(1)
    assert class_weights(y, 0.5)[5] / class_weights(y, 0.5)[0] == pytest.approx(5**0.5)


def test_a_handful_of_samples_does_not_drown_the_others():
    y = np.array(["common"] * 998 + ["rare"] * 2)
    weights = class_weights(y, 1)
    assert weights[-1] / weights[0] == pytest.approx(998 / (500 / 32))
    assert class_weights(y, 0.5)[-1] / class_weights(y, 0.5)[0] == pytest.approx(
        (998 / (500 / 32)) ** 0.5
    )


def test_rare_classes_are_predicted_more_often(data):
    X, y, y_noisy = data
    settings_ = {"n_rounds": 1, "round_budget": 3, "fine_tune_epochs": 10, "random_state": 0}
    shares = []
    for balance in (0, 1):
        cleaner = ActiveLabelCleaner(
            SGDClassifier(loss="log_loss", random_state=0),
            trust="all",
            class_balance=balance,
            **settings_,
        ).fit(X, y_noisy, y_clean=y)
        shares.append(cleaner.predict_proba(X)[:, np.bincount(y_noisy).argmin()].mean())
    assert shares[1] > shares[0]


@pytest.mark.parametrize("case", ["alone", "pipeline", "weights", "weights in a pipeline"])
@pytest.mark.parametrize("routing", [False, True])
def test_it_is_a_fit_with_class_weights(data, case, routing):
    X, _, y_noisy = data
    own = np.random.default_rng(0).uniform(0.5, 2, len(X)) if "weights" in case else None
    model, key = LogisticRegression(max_iter=1000), "sample_weight"
    if "pipeline" in case:
        model = make_pipeline(MaxAbsScaler(), model)
        key = key if routing else "logisticregression__sample_weight"
    with config_context(enable_metadata_routing=routing):
        if routing:
            last_step(model).set_fit_request(sample_weight=True)
        cleaner = ActiveLabelCleaner(model, trust="all", n_rounds=1, round_budget=3)
        cleaner.fit(X, y_noisy, oracle=no_answer, **({} if own is None else {key: own}))
        weight = (1 if own is None else own) / np.bincount(y_noisy)[y_noisy]
        by_hand = clone(model).fit(X, y_noisy, **{key: weight * len(X) / 3})
    np.testing.assert_allclose(cleaner.predict_proba(X), by_hand.predict_proba(X), atol=1e-3)
    assert type(last_step(cleaner.estimator_)) is LogisticRegression


def test_labels_that_a_step_has_balanced_weigh_alike(data):
    X, _, y_noisy = data
    model = make_imbalanced_pipeline(RandomOverSampler(random_state=0), LogisticRegression())
    found = [
        ActiveLabelCleaner(
            model, trust="all", n_rounds=1, round_budget=3, class_balance=balance
        ).fit(X, y_noisy, oracle=no_answer)
        for balance in (0, 1)
    ]
    np.testing.assert_allclose(*[one.predict_proba(X) for one in found], atol=1e-6)


@pytest.mark.parametrize(
    "model",
    [
        KNeighborsClassifier(),  # takes no weights
        BaggingClassifier(KNeighborsClassifier(), 3, random_state=0),  # as its members
        CalibratedClassifierCV(KNeighborsClassifier(), cv=2),
        AdaBoostClassifier(n_estimators=3, random_state=0),
    ],
    ids=["neighbours", "bagging", "calibrated", "AdaBoost"],
)
def test_meta_estimators_and_what_takes_no_weights_go_without(data, model):
    X, y, y_noisy = data
    found = [
        ActiveLabelCleaner(model, n_rounds=2, round_budget=3, class_balance=balance, random_state=0)
        .fit(X, y_noisy, y_clean=y)
        .predict_proba(X)
        for balance in (0, 1)
    ]
    np.testing.assert_array_equal(*found)


@pytest.mark.parametrize(
    "model",
    [
        DecisionTreeClassifier(class_weight="balanced", max_depth=3, random_state=0),
        DecisionTreeClassifier(class_weight={0: 1, 1: 1, 2: 9}, max_depth=3, random_state=0),
    ],
)
def test_classifiers_with_class_weights_of_their_own_keep_them(data, model):
    X, _, y_noisy = data
    cleaner = ActiveLabelCleaner(model, trust="all", n_rounds=1, round_budget=3)
    cleaner.fit(X, y_noisy, oracle=no_answer)
    by_hand = clone(model).fit(X, y_noisy)
    np.testing.assert_array_equal(cleaner.predict_proba(X), by_hand.predict_proba(X))


def test_nested_pipelines_and_other_names_of_weights(data):
    X, _, y_noisy = data
    own = np.random.default_rng(0).uniform(0.5, 2, len(X))
    weight = own / np.bincount(y_noisy)[y_noisy]
    by_hand = LogisticRegression(max_iter=1000).fit(X, y_noisy, weight * len(X) / 3)
    with config_context(enable_metadata_routing=True):
        inner = LogisticRegression(max_iter=1000).set_fit_request(sample_weight="trustworthiness")
        model = make_pipeline("passthrough", make_pipeline("passthrough", inner))
        cleaner = ActiveLabelCleaner(model, trust="all", n_rounds=1, round_budget=3)
        cleaner.fit(X, y_noisy, oracle=no_answer, trustworthiness=own)
    np.testing.assert_allclose(cleaner.predict_proba(X), by_hand.predict_proba(X), atol=1e-3)
    assert type(last_step(cleaner.estimator_)) is LogisticRegression


def test_what_goes_on_by_its_own_objective_has_no_weights(data):
    X, y, y_noisy = data
    settings_ = {"trust": "verified", "pool": "unverified", "initial_fit": "none"}
    found = [
        ActiveLabelCleaner(
            GaussianNB(),
            "random",
            refit="continue",
            n_rounds=3,
            round_budget=9,
            class_balance=balance,
            random_state=0,
            **settings_,
        )
        .fit(X, y_noisy, y_clean=y)
        .predict_proba(X)
        for balance in (0, 1)
    ]
    np.testing.assert_array_equal(*found)


def test_a_pipeline_may_be_copied_while_it_is_fitted(data):
    X, _, y_noisy = data
    twin = copy.deepcopy(WithWeights(LogisticRegression(C=0.5), 1)).fit(X, y_noisy)
    by_hand = LogisticRegression(C=0.5, class_weight="balanced").fit(X, y_noisy)
    assert twin.C == 0.5
    np.testing.assert_allclose(twin.predict_proba(X), by_hand.predict_proba(X), atol=1e-3)


class Recorder:
    """Callback of scikit-learn 1.9 that notes what reaches which estimator."""

    max_propagation_depth = None

    def __init__(self):
        self.seen = []

    def setup(self, estimator, context):
        pass

    def on_fit_task_begin(self, estimator, context, **kwargs):
        self.seen.append(type(estimator).__name__)

    def on_fit_task_end(self, estimator, context, **kwargs):
        pass

    def teardown(self, estimator, context):
        pass


def test_callbacks_reach_the_last_step(data):
    pytest.importorskip("sklearn.callback", reason="scikit-learn 1.9 has callbacks")
    X, _, y_noisy = data
    found = []
    for balance in (0, 1):
        recorder = Recorder()
        model = make_pipeline("passthrough", LogisticRegression(max_iter=1000))
        fit_balanced(model.set_callbacks(recorder), X, y_noisy, {}, balance)
        found.append(recorder.seen)
    assert set(found[0]) == set(found[1]) == {"Pipeline", "LogisticRegression"}
