import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
import sklearn
import torch
from joblib import parallel_config
from scipy import sparse
from sklearn.datasets import load_iris
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score, get_scorer, make_scorer
from sklearn.model_selection import (
    GridSearchCV,
    HalvingGridSearchCV,
    KFold,
    StratifiedKFold,
    cross_validate,
)
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch.utils.data import TensorDataset

from noisyactive import ActiveLabelCleaner, CoTeachingVOGClassifier, UniformLabelNoise
from noisyactive.model_selection import hold_out_verified, verified_scorer

GRID = {"n_neighbors": [1, 25]}
QUICK = {
    "max_epochs": 4, "forget_rate": 0.4, "ramp_epochs": 1, "warmup_epochs": 1, "vog_window": 2,
    "random_state": 0,
}  # fmt: skip


@pytest.fixture
def data():
    X, y = load_iris(return_X_y=True)
    return X, y, UniformLabelNoise(0.4, random_state=0).fit_transform(y)


@pytest.fixture
def routing():
    with sklearn.config_context(enable_metadata_routing=True):
        yield


def some(y, step=3):
    """Every `step`-th label, None elsewhere."""
    return [label if i % step == 0 else None for i, label in enumerate(y.tolist())]


@pytest.mark.parametrize("scoring", ["f1_macro", "neg_log_loss", "roc_auc_ovr", "accuracy"])
@pytest.mark.parametrize("step", [1, 3])
def test_it_scores_clean_labels_while_fitting_takes_noisy_ones(data, routing, scoring, step):
    """A grid search in one call, against a loop by hand."""
    X, y, y_noisy = data
    cv = StratifiedKFold(3, shuffle=True, random_state=0)
    search = GridSearchCV(
        KNeighborsClassifier(), GRID, scoring=verified_scorer(scoring), cv=cv, error_score="raise"
    ).fit(X, y_noisy, y_clean=some(y, step))
    by_hand = np.empty((2, 3))
    for fold, (train, test) in enumerate(cv.split(X, y_noisy)):
        rows = test[test % step == 0]
        for i, n_neighbors in enumerate(GRID["n_neighbors"]):
            knn = KNeighborsClassifier(n_neighbors).fit(X[train], y_noisy[train])
            by_hand[i, fold] = get_scorer(scoring)(knn, X[rows], y[rows])
    scores = [search.cv_results_[f"split{fold}_test_score"] for fold in range(3)]
    np.testing.assert_allclose(np.transpose(scores), by_hand)
    assert search.best_params_ == {"n_neighbors": 25}
    np.testing.assert_array_equal(  # refitted to the noisy labels
        search.predict(X), KNeighborsClassifier(25).fit(X, y_noisy).predict(X)
    )
    assert search.score(X, y_noisy, y_clean=y) == get_scorer(scoring)(search, X, y)


def missing(kind, y):
    strings = [None if label is None else f"class {label}" for label in some(y)]
    return {
        "list": some(y),
        "floats": np.array([np.nan if label is None else label for label in some(y)]),
        "objects": np.array(some(y), dtype=object),
        "Int64": pd.Series(some(y), dtype="Int64"),
        "strings": pd.Series(strings, dtype="string"),
        "categories": pd.Series(strings, dtype="category"),
        "shifted index": pd.Series(some(y), index=np.arange(len(y)) + 1000, dtype=object),
    }[kind]


@pytest.mark.parametrize(
    "kind", ["list", "floats", "objects", "Int64", "strings", "categories", "shifted index"]
)
def test_every_way_to_say_not_verified(data, routing, kind):
    X, y, y_noisy = data
    labels = missing(kind, y)
    expected = cross_validate(
        KNeighborsClassifier(9), X, y_noisy, scoring=verified_scorer(), params={"y_clean": some(y)}
    )
    if kind in ("strings", "categories"):
        y_noisy = np.char.add("class ", y_noisy.astype(str))
    result = cross_validate(
        KNeighborsClassifier(9), X, y_noisy, scoring=verified_scorer(), params={"y_clean": labels},
        error_score="raise",
    )  # fmt: skip
    np.testing.assert_array_equal(result["test_score"], expected["test_score"])
    assert len(list(hold_out_verified(labels).split())[0][1]) == 50


@pytest.mark.parametrize(
    "convert",
    [np.asarray, pd.DataFrame, sparse.csr_array, np.ndarray.tolist],
    ids=["array", "frame", "sparse", "list"],
)
def test_samples_of_any_kind(data, convert):
    X, y, y_noisy = data
    knn = KNeighborsClassifier(9, algorithm="brute").fit(convert(X), y_noisy)
    expected = f1_score(y[::3], knn.predict(convert(X[::3])), average="macro")
    assert verified_scorer()(knn, convert(X), y_noisy, y_clean=some(y)) == expected


def test_torch_datasets_and_networks(data):
    X, y, y_noisy = data
    net = CoTeachingVOGClassifier(**QUICK)
    net.fit(X, y_noisy)
    dataset = TensorDataset(torch.from_numpy(X).float(), torch.from_numpy(y_noisy))
    scorer = verified_scorer("neg_log_loss")
    expected = get_scorer("neg_log_loss")(net, X[::3], y[::3])
    assert scorer(net, dataset, y_noisy, y_clean=some(y)) == pytest.approx(expected, abs=1e-6)
    assert scorer(net, X, y_noisy, y_clean=some(y)) == pytest.approx(expected, abs=1e-6)


def test_networks_in_a_grid_search_in_one_call(data, routing):
    X, y, y_noisy = data
    net = CoTeachingVOGClassifier(**QUICK)
    search = GridSearchCV(
        net, {"mix_ratio": [0, 1]}, scoring=verified_scorer(), cv=2, error_score="raise"
    )
    search.fit(X.astype(np.float32), y_noisy, y_clean=some(y))
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


def test_a_cleaner_gets_its_answers_and_the_scorer_its_own(data, routing):
    """Two kinds of clean labels in one search, under two names."""
    X, y, y_noisy = data
    cleaner = ActiveLabelCleaner(
        LogisticRegression(max_iter=500), n_rounds=1, round_budget=10, pool="unverified",
        random_state=0,
    )  # fmt: skip
    scorer = verified_scorer("accuracy", metadata="y_audited")
    result = cross_validate(
        cleaner.set_fit_request(y_clean=True), X, y_noisy, scoring=scorer, cv=3,
        params={"y_clean": y, "y_audited": some(y)}, return_estimator=True, return_indices=True,
        error_score="raise",
    )  # fmt: skip
    for score, fitted, test in zip(
        result["test_score"], result["estimator"], result["indices"]["test"], strict=True
    ):
        assert (fitted.relabelled_round_ >= 0).sum() == 10
        rows = test[test % 3 == 0]
        assert score == fitted.score(X[rows], y[rows])


def test_several_scorers_pipelines_jobs_and_halving(data, routing):
    X, y, y_noisy = data
    scoring = {
        "noisy": "accuracy",
        "verified": verified_scorer("accuracy"),
        "all": verified_scorer("accuracy", metadata="every"),
    }
    knn = make_pipeline(StandardScaler(), KNeighborsClassifier())
    grid = {"kneighborsclassifier__n_neighbors": [1, 25]}
    results = []
    for n_jobs in (None, 2):
        search = GridSearchCV(knn, grid, scoring=scoring, refit="verified", n_jobs=n_jobs)
        with parallel_config(backend="threading"):
            search.fit(X, y_noisy, y_clean=some(y), every=y)
        assert search.best_index_ == 1
        results.append(search.cv_results_["mean_test_all"])
    np.testing.assert_array_equal(*results)
    assert (search.cv_results_["mean_test_noisy"] < search.cv_results_["mean_test_all"]).all()
    halving = HalvingGridSearchCV(
        knn, grid, scoring=verified_scorer(), min_resources=120, cv=3, random_state=0
    )
    halving.fit(X, y_noisy, y_clean=y)
    assert halving.best_params_ == {"kneighborsclassifier__n_neighbors": 25}


def test_custom_scorers(data):
    X, y, y_noisy = data
    knn = KNeighborsClassifier(9).fit(X, y_noisy)
    scorer = make_scorer(f1_score, average="micro")
    assert verified_scorer(scorer)(knn, X, y_noisy, y_clean=y) == scorer(knn, X, y)
    seen = verified_scorer(lambda estimator, X, y: len(y))
    assert seen(knn, X, y_noisy, y_clean=some(y)) == 50


def test_repr_and_pickling(data):
    X, y, y_noisy = data
    knn = KNeighborsClassifier(9).fit(X, y_noisy)
    scorer = verified_scorer("accuracy", metadata="y_audited")
    again = pickle.loads(pickle.dumps(scorer))
    assert repr(again) == "verified_scorer('accuracy', metadata='y_audited')"
    assert repr(verified_scorer()) == "verified_scorer('f1_macro')"
    assert again(knn, X, y_noisy, y_clean=some(y)) == scorer(knn, X, y_noisy, y_clean=some(y))


def test_without_clean_labels(data, routing):
    X, _, y_noisy = data
    search = GridSearchCV(
        KNeighborsClassifier(), GRID, scoring=verified_scorer(), error_score="raise"
    )
    with pytest.raises(ValueError, match=r"got no y_clean: pass it to fit.*y_clean=labels"):
        search.fit(X, y_noisy)
    with sklearn.config_context(enable_metadata_routing=False):
        with pytest.raises(ValueError, match="enable_metadata_routing=True"):
            search.fit(X, y_noisy)


def test_a_fold_without_verified_rows(data, routing):
    X, y, y_noisy = data
    clean = some(y)
    clean[:50] = [None] * 50
    search = GridSearchCV(KNeighborsClassifier(), GRID, scoring=verified_scorer(), cv=KFold(3))
    message = "None of the 50 rows to be scored is verified in y_clean"
    with pytest.raises(ValueError, match=message):
        search.set_params(error_score="raise").fit(X, y_noisy, y_clean=clean)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        search.set_params(error_score=np.nan).fit(X, y_noisy, y_clean=clean)
    assert any(message in str(warning.message) for warning in caught)
    assert np.isnan(search.cv_results_["split0_test_score"]).all()


@pytest.mark.parametrize(
    ("clean", "message"),
    [
        ([None] * 150, "None of the 150 rows"),
        ([0] * 149, "y_clean must have one entry for each of the 150 samples"),
    ],
)
def test_bad_clean_labels(data, clean, message):
    X, _, y_noisy = data
    knn = KNeighborsClassifier().fit(X, y_noisy)
    with pytest.raises(ValueError, match=message):
        verified_scorer()(knn, X, y_noisy, y_clean=clean)


@pytest.mark.parametrize("scoring", ["no such score", f1_score])
def test_bad_scoring(scoring):
    with pytest.raises(ValueError, match="scor"):
        verified_scorer(scoring)


@pytest.mark.parametrize("metadata", ["not a name", "", 3])
def test_bad_metadata(metadata):
    with pytest.raises(ValueError, match="metadata must be the name of a parameter"):
        verified_scorer(metadata=metadata)


def test_holding_out(data, routing):
    """One fit of each candidate, to all rows that are not verified."""
    X, y, y_noisy = data
    clean = some(y, 10)
    search = GridSearchCV(
        KNeighborsClassifier(),
        GRID,
        scoring=verified_scorer("accuracy"),
        cv=hold_out_verified(clean),
        error_score="raise",
    ).fit(X, y_noisy, y_clean=clean)
    train = np.arange(150) % 10 > 0
    by_hand = [
        KNeighborsClassifier(n).fit(X[train], y_noisy[train]).score(X[~train], y[~train])
        for n in GRID["n_neighbors"]
    ]
    np.testing.assert_array_equal(search.cv_results_["mean_test_score"], by_hand)
    assert search.n_splits_ == 1


@pytest.mark.parametrize("clean", [[None, None], [1, 0], []])
def test_nothing_to_hold_out(clean):
    with pytest.raises(ValueError, match="y_clean must be verified in some rows and not in others"):
        hold_out_verified(clean)


@pytest.mark.parametrize("single", [1, "cat", None, {"a": 1, "b": None}, {1, 2}])
def test_holding_out_needs_a_sequence(single):
    with pytest.raises(ValueError, match="y_clean must be a sequence of labels and None"):
        hold_out_verified(single)
