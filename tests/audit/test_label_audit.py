"""Which labels are wrong: any classifier, any kind of samples."""

import pickle

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import sparse
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import (
    GroupKFold,
    KFold,
    ShuffleSplit,
    StratifiedKFold,
    cross_val_predict,
)
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

from noisyactive import CoTeachingVOGClassifier, UniformLabelNoise, find_label_issues
from noisyactive._noise_model import AUDIT_PRIOR, fit_noise
from noisyactive.audit import LabelAudit, issues_from_proba
from noisyactive.query import rank_suspects

LINEAR = make_pipeline(StandardScaler(), LogisticRegression(C=0.05, max_iter=200))
SOUNDS = {"cow": "moo field milk grass", "cat": "meow mouse fur sofa", "dog": "bark bone ball walk"}


@pytest.fixture(scope="module")
def digits():
    X, y = load_digits(return_X_y=True)
    X, y = X[:900], y[:900]
    return X, y, UniformLabelNoise(0.3, random_state=0).fit_transform(y)


@pytest.fixture(scope="module")
def texts():
    rng = np.random.default_rng(0)
    y = rng.choice(list(SOUNDS), 400)
    words = {name: words.split() for name, words in SOUNDS.items()}
    X = [" ".join(rng.choice([*words[label], "the", "a", "old", "at"], 8)) for label in y]
    return X, y, UniformLabelNoise(0.3, random_state=0).fit_transform(y)


def auroc(issues, y, y_noisy):
    return roc_auc_score(y_noisy != y, 1 - issues.sort_index()["quality"])


@pytest.mark.parametrize(
    "estimator",
    [
        LINEAR,
        RandomForestClassifier(50, random_state=0),
        HistGradientBoostingClassifier(max_iter=15, random_state=0),
        CoTeachingVOGClassifier(max_epochs=15, lr=0.05, random_state=0),
        None,
    ],
    ids=["linear", "forest", "boosting", "network", "none"],
)
def test_wrong_labels_come_first(digits, estimator):
    X, y, y_noisy = digits
    X = X.astype(np.float32)
    issues = find_label_issues(estimator, X, y_noisy, cv=3, random_state=0)
    assert auroc(issues, y, y_noisy) > 0.9
    assert (y_noisy != y)[issues.index[:50]].mean() > 0.8  # 0.3 by chance
    found = issues.index[issues["is_issue"]]
    assert (issues["suggested"].astype(int)[found] == y[found]).mean() > 0.7


@pytest.mark.parametrize("as_matrix", [False, True])
def test_texts_and_sparse_matrices(texts, as_matrix):
    X, y, y_noisy = texts
    last = LogisticRegression()
    if as_matrix:
        X = TfidfVectorizer().fit_transform(X)
        assert sparse.issparse(X)
    estimator = last if as_matrix else make_pipeline(TfidfVectorizer(), last)
    issues = find_label_issues(estimator, X, y_noisy, random_state=0)
    assert auroc(issues, y, y_noisy) > 0.9


def test_frames_with_categories_and_gaps():
    rng = np.random.default_rng(0)
    y = pd.Series(rng.choice(["a", "b"], 500), index=[f"p{i}" for i in range(500)], name="kind")
    X = pd.DataFrame(
        {
            "number": (y == "a") + rng.normal(0, 0.3, 500),
            "word": pd.Categorical(np.where(rng.random(500) < 0.9, y.str.upper(), "C")),
        },
        index=y.index,
    )
    X.loc[X.index[::7], "number"] = np.nan
    noisy = y.where(rng.random(500) > 0.2, y.map({"a": "b", "b": "a"}))
    estimator = HistGradientBoostingClassifier(
        categorical_features="from_dtype", max_iter=20, random_state=0
    )
    issues = find_label_issues(estimator, X, noisy, random_state=0)
    assert set(issues.index) == set(y.index)
    assert roc_auc_score(noisy != y, 1 - issues["quality"].reindex(y.index)) > 0.9
    worst = issues.iloc[0]
    assert worst["why"] == f"looks like {worst['suggested']}, not like {worst['given']}"


def test_quality_is_the_posterior_of_the_given_label(digits):
    X, _, y_noisy = digits
    audit = LabelAudit(LINEAR, random_state=0).fit(X, y_noisy)
    rows = np.arange(len(y_noisy))
    quality = audit.label_posterior_[rows, y_noisy]
    np.testing.assert_array_equal(audit.label_quality_, quality)
    table = audit.issues_.sort_index()
    np.testing.assert_array_equal(table["quality"], quality)
    np.testing.assert_array_equal(table["is_issue"], quality <= 0.5)
    np.testing.assert_array_equal(
        table["suggested"].astype(int), audit.label_posterior_.argmax(axis=1)
    )
    assert (np.diff(audit.issues_["quality"]) >= 0).all()
    assert (table["why"] == "").equals(~table["is_issue"])
    noise = fit_noise(
        torch.from_numpy(audit.held_out_proba_), torch.from_numpy(y_noisy), prior=AUDIT_PRIOR
    )
    np.testing.assert_allclose(audit.transition_matrix_, noise.transition, atol=0.005)
    expected = noise.posterior(
        torch.from_numpy(audit.held_out_proba_), torch.from_numpy(y_noisy)
    ).numpy()
    np.testing.assert_allclose(audit.label_posterior_, expected, atol=0.02)
    np.testing.assert_allclose(audit.transition_matrix_.sum(axis=1), 1)
    low, high = audit.noise_rate_interval_
    assert low < audit.noise_rate_ < high
    assert low < 0.3 < high


@pytest.mark.parametrize("cv", [KFold(4, shuffle=True, random_state=0), StratifiedKFold(4)])
def test_folds_of_the_user(digits, cv):
    X, _, y_noisy = digits
    audit = LabelAudit(LINEAR, cv=cv).fit(X, y_noisy)
    expected = cross_val_predict(LINEAR, X, y_noisy, cv=cv, method="predict_proba")
    np.testing.assert_allclose(audit.held_out_proba_, expected)
    listed = LabelAudit(LINEAR, cv=list(cv.split(X, y_noisy))).fit(X, y_noisy)
    np.testing.assert_array_equal(listed.held_out_proba_, audit.held_out_proba_)


def test_no_model_judges_a_group_that_it_knows(digits):
    X, _, y_noisy = digits
    groups = np.arange(len(y_noisy)) // 3
    seen = []

    class Spy(GaussianNB):
        def fit(self, X, y):
            seen.append({tuple(x) for x in X})
            return super().fit(X, y)

        def predict_proba(self, X):
            of = {tuple(x): group for x, group in zip(digits[0], groups, strict=True)}
            known = {of[x] for x in seen[-1]}
            assert known.isdisjoint(of[tuple(x)] for x in X)
            return super().predict_proba(X)

    for cv in (3, GroupKFold(3)):
        LabelAudit(Spy(), cv=cv).fit(X, y_noisy, groups=groups)


def test_same_bits_for_any_number_of_jobs(digits, workers):
    X, _, y_noisy = digits
    estimator = RandomForestClassifier(10)  # without a seed
    one, two = (
        find_label_issues(estimator, X, y_noisy, n_jobs=n_jobs, random_state=0) for n_jobs in (1, 2)
    )
    pd.testing.assert_frame_equal(one, two)


def test_probabilities_from_anywhere(digits, tmp_path):
    X, _, y_noisy = digits
    audit = LabelAudit(LINEAR, random_state=0).fit(X, y_noisy)
    proba = audit.held_out_proba_
    np.save(tmp_path / "proba.npy", proba)
    on_disk = np.load(tmp_path / "proba.npy", mmap_mode="r")
    for given in (proba, on_disk, proba.tolist(), pd.DataFrame(proba)):
        pd.testing.assert_frame_equal(issues_from_proba(y_noisy, given), audit.issues_)
    names = np.array([f"digit {k}" for k in range(10)])
    other = pd.DataFrame(proba[:, ::-1], columns=names[::-1])
    pd.testing.assert_series_equal(
        issues_from_proba(names[y_noisy], other)["quality"].sort_index(),
        audit.issues_["quality"].sort_index(),
        rtol=1e-3,
    )


def test_blocks_make_no_difference(digits, monkeypatch):
    X, _, y_noisy = digits
    proba = LabelAudit(LINEAR, random_state=0).fit(X, y_noisy).held_out_proba_
    whole = issues_from_proba(y_noisy, proba)
    for block in ("_issues.BLOCK", "_codes._BLOCK"):
        monkeypatch.setattr(f"noisyactive.{block}", 100)
    pd.testing.assert_frame_equal(issues_from_proba(y_noisy, proba), whole)


def test_clean_labels_are_left_alone(digits):
    X, y, _ = digits
    assert find_label_issues(LINEAR, X, y, random_state=0)["is_issue"].mean() < 0.03


def test_a_class_that_is_mostly_hidden():
    """Half of the sick are labelled healthy, and hardly any healthy one sick."""
    rng = np.random.default_rng(0)
    y = (rng.random(2000) < 0.3).astype(int)
    X = rng.normal(size=(2000, 2)) + 2.5 * y[:, None]
    y_noisy = np.where((y == 1) & (rng.random(2000) < 0.5), 0, y)
    issues = find_label_issues(LogisticRegression(), X, y_noisy, random_state=0)
    flagged = issues.index[issues["is_issue"]]
    assert (y_noisy != y)[flagged].mean() > 0.75
    assert np.isin(np.flatnonzero(y_noisy != y), flagged).mean() > 0.5


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda X, y: LabelAudit(LINEAR, cv=1).fit(X, y), "'cv' parameter"),
        (lambda X, y: LabelAudit(LINEAR, cv=ShuffleSplit(3)).fit(X, y), "every sample"),
        (lambda X, y: LabelAudit("forest").fit(X, y), "'estimator' parameter"),
        (lambda X, y: LabelAudit(LINEAR).fit(X[:9], y), "inconsistent lengths"),
        (lambda X, y: LabelAudit(LINEAR).fit(X, y, groups=y[:5]), "groups"),
        (lambda X, y: LabelAudit(LINEAR).fit(X, np.zeros(len(X))), "at least 2 classes"),
        (lambda X, y: LabelAudit("precomputed").fit(X, y), "columns"),
        (lambda X, y: issues_from_proba(y, np.full((len(y), 10), 0.2)), "sum to 1"),
        (lambda X, y: issues_from_proba(y[:4], np.full((len(y), 10), 0.1)), "columns"),
        (
            lambda X, y: LabelAudit("precomputed").fit(np.full((len(y), 10), 0.1), y, groups=y),
            "groups",
        ),
    ],
)
def test_what_cannot_be_is_refused(digits, make, match):
    X, y, _ = digits
    with pytest.raises(ValueError, match=match):
        make(X, y)


def test_similar_texts_vote_without_a_classifier(texts):
    X, y, y_noisy = texts
    assert auroc(find_label_issues(None, X, y_noisy, random_state=0), y, y_noisy) > 0.9


def test_features_of_samples_vote_in_their_place(digits):
    """Pixels at random, and features that tell the digits apart."""
    X, y, y_noisy = digits
    features = PCA(10, random_state=0).fit_transform(X)
    images = np.random.default_rng(0).permutation(X.ravel()).reshape(-1, 8, 8)
    assert auroc(find_label_issues(None, features, y_noisy, random_state=0), y, y_noisy) > 0.9
    with pytest.warns(UserWarning, match="tell nothing of the labels"):
        issues = find_label_issues(None, images, y_noisy, random_state=0)
    assert auroc(issues, y, y_noisy) < 0.7


def test_samples_that_cannot_be_compared_need_features_or_a_classifier(digits):
    X, y, _ = digits
    words = pd.DataFrame({"word": np.array(["a", "b"])[y % 2], "number": X[:, 20]})
    with pytest.raises(TypeError, match="Pass features of the samples as X, or a classifier"):
        find_label_issues(None, words, y)


def test_is_cloned_pickled_and_fitted_again_as_other_estimators(digits):
    X, _, y_noisy = digits
    audit = LabelAudit(cv=list(KFold(4).split(X)))
    first = audit.fit(X, y_noisy).issues_
    for other in (audit, clone(audit), pickle.loads(pickle.dumps(audit))):
        pd.testing.assert_frame_equal(other.fit(X, y_noisy).issues_, first)
    assert audit.n_folds_ == 4
    with pytest.raises(TypeError, match=r"cv must not be an iterator.*list\(cv\)"):
        LabelAudit(cv=KFold(4).split(X)).fit(X, y_noisy)


def test_probabilities_that_know_the_labels_are_told(digits):
    X, y, y_noisy = digits
    learned = DecisionTreeClassifier(random_state=0).fit(X, y_noisy).predict_proba(X)
    with pytest.warns(UserWarning, match="agrees with every label"):
        issues_from_proba(y_noisy, learned)
    with pytest.warns(UserWarning, match="agrees with every label"):
        rank_suspects(y_noisy, learned)


@pytest.mark.parametrize("kind", ["classifier", "neighbours", "probabilities"])
def test_probabilities_that_tell_nothing_are_told(digits, kind):
    X, _, y_noisy = digits
    X, y_noisy = X[:300], y_noisy[:300]
    shuffled = np.random.default_rng(0).permutation(y_noisy)
    audit = LabelAudit(
        {"classifier": LINEAR, "neighbours": None, "probabilities": "precomputed"}[kind],
        random_state=0,
    )
    if kind == "probabilities":
        X = cross_val_predict(LINEAR, X, y_noisy, method="predict_proba")
    audit.fit(X, y_noisy)
    with pytest.warns(UserWarning, match="tell nothing of the labels"):
        audit.fit(X, shuffled)


def test_folds_may_not_split_groups(digits):
    X, _, y_noisy = digits
    with pytest.raises(ValueError, match="must not split groups"):
        LabelAudit(LINEAR, cv=list(KFold(3).split(X))).fit(X, y_noisy, groups=y_noisy)
    with pytest.raises(ValueError, match="at least 2 columns"):
        issues_from_proba([0] * 5, np.ones((5, 1)))


def test_classes_that_no_other_fold_has_are_told(digits):
    X, y, _ = digits
    order = np.argsort(y, kind="stable")
    with pytest.warns(UserWarning, match="cannot be judged"):
        LabelAudit(None, cv=KFold(10)).fit(X[order], y[order])
