import pickle

import numpy as np
import pytest
from joblib import parallel_config
from sklearn.datasets import make_blobs, make_classification
from sklearn.dummy import DummyClassifier
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import cohen_kappa_score, fbeta_score, get_scorer, make_scorer
from sklearn.model_selection import (
    GridSearchCV,
    HalvingGridSearchCV,
    cross_val_score,
    cross_validate,
)
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from noisyactive import TransitionLabelNoise, UniformLabelNoise
from noisyactive.model_selection import noise_corrected_scorer, uniform_transition_matrix

NAMES = ["accuracy", "balanced_accuracy", "f1_macro", "f1_weighted", "recall_macro"]
ANIMALS = np.array(["cat", "dog", "fox", "hen"])


@pytest.fixture(scope="module")
def data():
    """Skewed string labels, and a classifier that is neither perfect nor poor."""
    X, codes = make_classification(
        1200,
        n_informative=6,
        n_classes=4,
        weights=[0.55, 0.25, 0.12, 0.08],
        class_sep=1.5,
        random_state=0,
    )
    y = ANIMALS[codes]
    return X, y, LogisticRegression().fit(X[:300], y[:300])


@pytest.fixture(scope="module")
def blobs():
    X, y = make_blobs(600, centers=3, cluster_std=1.5, random_state=0)
    return X, UniformLabelNoise(0.4, random_state=0).fit_transform(y)


@pytest.mark.parametrize(
    "scoring",
    [
        *NAMES,
        "neg_log_loss",
        "matthews_corrcoef",
        "precision_macro",
        # Not the default pos_label, 1: scikit-learn 1.6 looks for it among the classes.
        make_scorer(fbeta_score, beta=2, average="macro", pos_label=None),
        make_scorer(cohen_kappa_score, greater_is_better=False),
    ],
    ids=str,
)
@pytest.mark.parametrize("noise", [{"noise_rate": 0}, {"transition_matrix": np.eye(4)}], ids=str)
def test_without_noise_it_is_the_scorer_itself(data, scoring, noise):
    X, y, model = data
    expected = get_scorer(scoring)(model, X, y)
    assert noise_corrected_scorer(scoring, **noise)(model, X, y) == pytest.approx(expected)


def test_binary_scores_of_a_positive_string():
    X, codes = make_classification(400, random_state=0)
    y = np.array(["no", "yes"])[codes]
    model = KNeighborsClassifier().fit(X[:100], y[:100])
    scorer = make_scorer(fbeta_score, beta=2, pos_label="yes")
    corrected = noise_corrected_scorer(scorer, noise_rate=0)
    assert corrected(model, X, y) == pytest.approx(scorer(model, X, y))


@pytest.mark.parametrize("scoring", NAMES)
@pytest.mark.parametrize(
    "matrix",
    [
        uniform_transition_matrix(0.4, 4),
        [[0.6, 0.4, 0, 0], [0, 0.7, 0.3, 0], [0, 0, 0.9, 0.1], [0.2, 0, 0, 0.8]],
    ],
    ids=["uniform", "pairs"],
)
def test_the_score_on_true_labels_comes_back(data, scoring, matrix):
    X, y, model = data
    X, y = np.tile(X[300:], (10, 1)), np.tile(y[300:], 10)
    y_noisy = TransitionLabelNoise(matrix, random_state=0).fit_transform(y)
    truth = get_scorer(scoring)(model, X, y)
    assert get_scorer(scoring)(model, X, y_noisy) < truth - 0.1
    corrected = noise_corrected_scorer(scoring, transition_matrix=matrix)(model, X, y_noisy)
    assert corrected == pytest.approx(truth, abs=0.04)


def test_it_chooses_rightly_where_noise_misleads():
    """Every second fox is labelled a hen: a classifier that says so looks better than one right."""
    y = np.repeat(["fox", "hen"], [300, 100])
    matrix = [[0.4, 0.6], [0, 1]]
    y_noisy = TransitionLabelNoise(matrix, exact=True, random_state=0).fit_transform(y)
    X = np.zeros((400, 1))
    foxes, hens = (DummyClassifier(strategy="constant", constant=c) for c in ("fox", "hen"))
    foxes.fit(X, y)
    hens.fit(X, y)
    corrected = noise_corrected_scorer("accuracy", transition_matrix=matrix)
    assert hens.score(X, y_noisy) > foxes.score(X, y_noisy)
    assert corrected(foxes, X, y_noisy) == pytest.approx(0.75)
    assert corrected(hens, X, y_noisy) == pytest.approx(0.25)


def test_log_loss_is_best_at_the_true_probabilities():
    """Not at those of the noisy labels; the expected counts of noisy labels by hand."""
    y, y_noisy = np.repeat(ANIMALS[:3], [120, 60, 20]), np.repeat(ANIMALS[:3], [96, 63, 41])
    X = np.zeros((200, 1))
    of_true, of_noisy = (
        DummyClassifier(strategy="prior").fit(X, labels) for labels in (y, y_noisy)
    )
    corrected = noise_corrected_scorer("neg_log_loss", noise_rate=0.3)
    plain = get_scorer("neg_log_loss")
    assert plain(of_noisy, X, y_noisy) > plain(of_true, X, y_noisy)
    assert corrected(of_true, X, y_noisy) > corrected(of_noisy, X, y_noisy)
    shares = np.array([96, 63, 41]) / 200
    assert corrected(of_true, X, y_noisy) == pytest.approx((shares * np.log(shares)).sum())


def test_probabilities_of_zero_cost_much_but_not_everything():
    X = np.zeros((4, 1))
    sure = DummyClassifier(strategy="constant", constant=0).fit(X, [0, 0, 0, 1])
    score = noise_corrected_scorer("neg_log_loss", noise_rate=0)(sure, X, [0, 0, 0, 1])
    assert score == pytest.approx(np.log(np.finfo(float).eps) / 4)


@pytest.mark.parametrize("scoring", ["f1_macro", "neg_log_loss"])
def test_a_fold_may_lack_a_class(data, scoring):
    X, y, model = data
    some = y != "hen"
    corrected = noise_corrected_scorer(scoring, noise_rate=0.3)
    named = noise_corrected_scorer(scoring, noise_rate=0.3, classes=ANIMALS)
    assert np.isfinite(corrected(model, X[some], y[some]))
    assert corrected(model, X[some], y[some]) == named(model, X[some], y[some])


@pytest.mark.parametrize("scoring", ["f1_macro", "neg_log_loss"])
def test_an_estimator_may_lack_a_class(data, scoring):
    X, y, _ = data
    some = y != "dog"
    model = LogisticRegression().fit(X[some], y[some])
    matrix = uniform_transition_matrix(0.3, 4)
    by_labels = noise_corrected_scorer(scoring, transition_matrix=matrix)
    named = noise_corrected_scorer(scoring, transition_matrix=matrix, classes=ANIMALS)
    assert np.isfinite(by_labels(model, X, y))
    assert by_labels(model, X, y) == named(model, X, y)
    with pytest.raises(ValueError, match="transition_matrix has 4 rows, but there are 3 classes"):
        by_labels(model, X[some], y[some])
    assert np.isfinite(named(model, X[some], y[some]))
    with pytest.raises(ValueError, match="y has labels that are not among the classes"):
        noise_corrected_scorer(scoring, noise_rate=0.3, classes=["cat", "fox"])(model, X, y)


def test_a_class_without_labels_and_predictions_does_not_count():
    """As in scikit-learn: macro F1 is the mean over classes in the labels or the predictions."""
    y = np.repeat([0, 1], 50)
    X = y[:, None]
    model = KNeighborsClassifier(1).fit(X, y)
    named = noise_corrected_scorer("f1_macro", noise_rate=0, classes=[0, 1, 2])
    assert named(model, X, y) == 1


@pytest.mark.parametrize("scoring", ["f1_macro", "neg_log_loss"])
def test_searches_take_it(blobs, scoring):
    X, y_noisy = blobs
    scorer = noise_corrected_scorer(scoring, noise_rate=0.4)
    model = make_pipeline(StandardScaler(), KNeighborsClassifier())
    grid = {"kneighborsclassifier__n_neighbors": [1, 30]}
    best = {}
    for n_jobs in (None, 2):
        search = GridSearchCV(model, grid, scoring=scorer, cv=3, error_score="raise", n_jobs=n_jobs)
        with parallel_config(backend="threading"):
            search.fit(X, y_noisy)
        best[n_jobs] = search.cv_results_["mean_test_score"]
        assert search.best_index_ == 1
        assert search.score(X, y_noisy) == scorer(search, X, y_noisy)
    np.testing.assert_array_equal(best[None], best[2])
    halving = HalvingGridSearchCV(
        model, grid, scoring=scorer, cv=3, error_score="raise", min_resources=200, random_state=0
    )
    assert halving.fit(X, y_noisy).best_params_ == {"kneighborsclassifier__n_neighbors": 30}


def test_several_at_once(blobs):
    X, y_noisy = blobs
    corrected = noise_corrected_scorer("accuracy", noise_rate=0.4)
    scoring = {"noisy": "accuracy", "corrected": corrected}
    X = X + 4 * np.random.RandomState(0).randn(*X.shape)  # so that no count comes out negative
    result = cross_validate(KNeighborsClassifier(30), X, y_noisy, scoring=scoring, cv=3)
    # With uniform noise of rate p and K classes, noisy = corrected * (1 - p - p/(K-1)) + p/(K-1).
    np.testing.assert_allclose(result["test_noisy"], 0.4 * result["test_corrected"] + 0.2)
    alone = cross_val_score(KNeighborsClassifier(30), X, y_noisy, scoring=corrected, cv=3)
    np.testing.assert_array_equal(alone, result["test_corrected"])


def test_it_survives_pickling(data):
    X, y, model = data
    for scoring in ("f1_macro", make_scorer(cohen_kappa_score), "neg_log_loss"):
        scorer = noise_corrected_scorer(
            scoring, transition_matrix=uniform_transition_matrix(0.2, 4), classes=ANIMALS
        )
        again = pickle.loads(pickle.dumps(scorer))
        assert again(model, X, y) == scorer(model, X, y)
        assert repr(again) == repr(scorer)


def test_its_repr_is_the_call():
    assert repr(noise_corrected_scorer("accuracy", noise_rate=0.25, classes=["a", "b"])) == (
        "noise_corrected_scorer('accuracy', noise_rate=0.25, classes=['a', 'b'])"
    )
    assert repr(noise_corrected_scorer(transition_matrix=np.eye(3))) == (
        "noise_corrected_scorer('f1_macro', transition_matrix=<3 x 3>)"
    )


def test_nothing_given_is_kept_or_written_to(data):
    X, y, model = data
    matrix = uniform_transition_matrix(0.2, 4)
    scorer = noise_corrected_scorer(transition_matrix=matrix)
    before = scorer(model, X, y)
    matrix[:] = 0
    assert scorer(model, X, y) == before


def without_weights(y_true, y_pred):
    return 0.0


def no_scorer(estimator, X, y):
    return 0.0


@pytest.mark.parametrize(
    ("scoring", "noise", "error", "message"),
    [
        ("f1_macro", {}, TypeError, "either transition_matrix or noise_rate"),
        (
            "f1_macro",
            {"noise_rate": 0.1, "transition_matrix": np.eye(2)},
            TypeError,
            "either transition_matrix or noise_rate",
        ),
        ("f1_macro", {"noise_rate": 1.0}, ValueError, "noise_rate must be"),
        ("f1_macro", {"noise_rate": 0.5, "classes": [0, 1]}, ValueError, "must be invertible"),
        ("f1_macro", {"transition_matrix": [[1, 1], [0, 1]]}, ValueError, "must sum to 1"),
        (
            "f1_macro",
            {"transition_matrix": np.eye(2), "classes": [0, 1, 2]},
            ValueError,
            "transition_matrix has 2 rows",
        ),
        (
            "f1_macro",
            {"noise_rate": 0.1, "classes": [1, 0]},
            ValueError,
            "classes must be .*sorted",
        ),
        ("f1_macro", {"noise_rate": 0.1, "classes": [1, 1]}, ValueError, "classes must be .*once"),
        ("f1_macro", {"noise_rate": 0.1, "classes": [1]}, ValueError, "at least two labels"),
        ("roc_auc", {"noise_rate": 0.1}, ValueError, "scoring must be a score of predicted labels"),
        ("no such", {"noise_rate": 0.1}, ValueError, "no such"),
        (fbeta_score, {"noise_rate": 0.1}, ValueError, "scor"),
        (make_scorer(without_weights), {"noise_rate": 0.1}, ValueError, "take sample_weight"),
        (no_scorer, {"noise_rate": 0.1}, ValueError, "take sample_weight"),
    ],
)
def test_bad_parameters(scoring, noise, error, message):
    with pytest.raises(error, match=message):
        noise_corrected_scorer(scoring, **noise)


def test_bad_data(data):
    X, y, model = data
    scorer = noise_corrected_scorer(noise_rate=0.75)  # with four classes: labels say nothing
    with pytest.raises(ValueError, match="must be invertible"):
        scorer(model, X, y)
    with pytest.raises(ValueError, match="SVC has no classes_"):
        noise_corrected_scorer(noise_rate=0.1)(SVC(), X, y)
