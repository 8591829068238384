"""Consensus of several annotators, and how good each of them is."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import root
from sklearn.base import clone
from sklearn.datasets import make_blobs
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.linear_model import LogisticRegression

from noisyactive import find_label_issues
from noisyactive.audit import AnnotatorConsensus, LabelAudit, pivot_annotations

K = 4
ACCURACY = [0.9, 0.85, 0.8, 0.7, 0.6, 0.5]
SPAMMER, ADVERSARY = 6, 7


def planted_confusions(rng):
    """Six annotators of several qualities, one who guesses, and one who names the next class."""
    confusion = np.empty((8, K, K))
    for a, accuracy in enumerate(ACCURACY):
        wrong = rng.dirichlet(np.ones(K - 1), size=K)
        for j in range(K):
            confusion[a, j] = np.insert((1 - accuracy) * wrong[j], j, accuracy)
    confusion[SPAMMER] = 1 / K
    confusion[ADVERSARY] = 0.8 * np.roll(np.eye(K), 1, axis=1) + 0.2 / K
    return confusion


def annotate(rng, true, confusion, n_each=3):
    """What `n_each` annotators of each sample say, NaN where nothing."""
    n_annotators = len(confusion)
    labels = np.full((len(true), n_annotators), np.nan)
    for i, j in enumerate(true):
        for a in rng.choice(n_annotators, n_each, replace=False):
            labels[i, a] = rng.choice(K, p=confusion[a, j])
    return labels


@pytest.fixture(scope="module")
def crowd():
    rng = np.random.default_rng(0)
    true = rng.choice(K, 1500, p=[0.4, 0.3, 0.2, 0.1])
    confusion = planted_confusions(rng)
    return true, confusion, annotate(rng, true, confusion)


@pytest.fixture(scope="module")
def fitted(crowd):
    return AnnotatorConsensus().fit(crowd[2])


def majority(labels):
    votes = np.array([(labels == k).sum(axis=1) for k in range(K)]).T
    return (votes + np.random.default_rng(0).random(votes.shape) / 2).argmax(axis=1)


def informative(true, strength=2.0, seed=0):
    """Class probabilities of a classifier that is right about two times in three."""
    rng = np.random.default_rng(seed)
    evidence = rng.normal(size=(len(true), K)) + strength * np.eye(K)[true]
    proba = np.exp(strength * evidence)
    return proba / proba.sum(axis=1, keepdims=True)


def test_the_consensus_beats_a_majority_vote(crowd, fitted):
    true, _, labels = crowd
    assert (fitted.consensus_ == true).mean() > (majority(labels) == true).mean() + 0.05
    np.testing.assert_allclose(fitted.posterior_.sum(axis=1), 1)
    np.testing.assert_array_equal(fitted.consensus_, fitted.posterior_.argmax(axis=1))
    np.testing.assert_array_equal(fitted.probability_, fitted.posterior_.max(axis=1))


def test_probabilities_are_as_right_as_they_say(crowd, fitted):
    right = fitted.consensus_ == crowd[0]
    assert abs(fitted.probability_.mean() - right.mean()) < 0.03


def test_planted_confusions_are_found(crowd, fitted):
    true, confusion, labels = crowd
    assert np.abs(fitted.confusion_ - confusion).mean() < 0.04
    np.testing.assert_allclose(fitted.confusion_.sum(axis=2), 1)
    adversary = fitted.confusion_[ADVERSARY]
    np.testing.assert_array_equal(adversary.argmax(axis=1), np.roll(np.arange(K), -1))


def test_quality_of_the_annotators(crowd, fitted):
    true, _, labels = crowd
    table = fitted.annotators_quality_
    assert list(table) == ["annotator", "n_labels", "accuracy", "agreement"]
    np.testing.assert_array_equal(table.n_labels, (~np.isnan(labels)).sum(axis=0))
    actual = [(labels[:, a] == true)[~np.isnan(labels[:, a])].mean() for a in range(8)]
    np.testing.assert_allclose(table.accuracy, actual, atol=0.06)
    assert set(table.sort_values("accuracy").annotator[:2]) == {SPAMMER, ADVERSARY}
    agrees = [(labels[:, a] == fitted.consensus_)[~np.isnan(labels[:, a])].mean() for a in range(8)]
    np.testing.assert_allclose(table.agreement, agrees)


def reference(labels, proba, shrinkage, n_iter=3000):
    """The same model, in loops, with the belief in the classifier found by another method."""
    if proba is not None:
        start, _ = reference(labels, None, shrinkage, n_iter)
    n, n_annotators = labels.shape
    posterior = np.zeros((n, K))
    seen = [int(x) for x in labels.ravel() if not np.isnan(x)]
    for i in range(n):
        for k in range(K):
            posterior[i, k] = sum(labels[i, a] == k for a in range(n_annotators))
            posterior[i, k] += seen.count(k) / len(seen)
        posterior[i] /= posterior[i].sum()
    if proba is not None:
        posterior = start
        mixed = 0.999 * proba + 0.001 / K

    def believed(belief):
        powers = mixed ** np.exp(belief[0]) * np.exp([0, *belief[1:]])
        return powers / powers.sum(axis=1, keepdims=True)

    def gradient(belief):
        difference, slope = posterior - believed(belief), -belief[0]
        for i in range(n):
            for j in range(K):
                slope += difference[i, j] * np.exp(belief[0]) * np.log(mixed[i, j])
        return np.array([slope, *difference.sum(axis=0)[1:]])

    belief = np.zeros(K)
    for _ in range(n_iter):
        counts = np.zeros((n_annotators, K, K))
        for i in range(n):
            for a in range(n_annotators):
                if not np.isnan(labels[i, a]):
                    counts[a, :, int(labels[i, a])] += posterior[i]
        usual = (sum(np.trace(count) for count in counts) + 1.5) / (counts.sum() + 2)
        pooled = np.zeros((K, K))
        for j in range(K):
            weight = 2 + 0.1 * counts[:, j].sum()
            for k in range(K):
                even = usual if j == k else (1 - usual) / (K - 1)
                pooled[j, k] = counts[:, j, k].sum() + weight * even
            pooled[j] /= pooled[j].sum()
        confusion = np.zeros_like(counts)
        for a in range(n_annotators):
            ability = np.trace(counts[a]) + shrinkage * usual
            ability /= counts[a].sum() + shrinkage
            ratio = ability / (1 - ability) / (usual / (1 - usual))
            for j in range(K):
                odds = ratio * pooled[j, j] / (1 - pooled[j, j])
                expected = pooled[j] / (1 - pooled[j, j]) / (1 + odds)
                expected[j] = odds / (1 + odds)
                weight = shrinkage + 0.1 * counts[a, j].sum()
                confusion[a, j] = counts[a, j] + weight * expected
                confusion[a, j] /= confusion[a, j].sum()
        before = posterior.copy()
        if proba is None:
            prior = np.tile((posterior.sum(axis=0) + 1) / (n + K), (n, 1))
        else:
            belief = root(gradient, belief, tol=1e-13).x
            prior = believed(belief)
        for i in range(n):
            for j in range(K):
                posterior[i, j] = prior[i, j]
                for a in range(n_annotators):
                    if not np.isnan(labels[i, a]):
                        posterior[i, j] *= confusion[a, j, int(labels[i, a])]
            posterior[i] /= posterior[i].sum()
        if np.abs(posterior - before).max() < 1e-10:
            return posterior, confusion
    raise AssertionError("the reference did not converge")


@pytest.mark.parametrize("with_proba", [False, True])
def test_an_independent_implementation_in_loops(with_proba):
    rng = np.random.default_rng(1)
    true = np.arange(40) % K
    labels = annotate(rng, true, planted_confusions(rng)[:4])
    labels[0] = labels[1, 1:] = np.nan  # nobody, and at most one
    proba = informative(true, seed=3) if with_proba else None
    posterior, confusion = reference(labels, proba, 5.0)
    ours = AnnotatorConsensus(shrinkage=5.0, tol=1e-10, max_iter=5000).fit(labels, proba)
    np.testing.assert_allclose(ours.posterior_, posterior, atol=1e-6)
    np.testing.assert_allclose(ours.confusion_, confusion, atol=1e-6)


def test_few_labels_of_each_of_many_annotators():
    # Free matrices fit chance: a hardly shrunk model is worse than one that is.
    rng = np.random.default_rng(0)
    true = rng.integers(K, size=600)
    confusion = np.stack(
        [(1 - q) / (K - 1) + (q - (1 - q) / (K - 1)) * np.eye(K) for q in rng.beta(6, 3, size=100)]
    )
    labels = annotate(rng, true, confusion)
    shrunk, free = (
        (AnnotatorConsensus(shrinkage=s, tol=1e-3).fit(labels).consensus_ == true).mean()
        for s in (16.0, 0.01)
    )
    assert shrunk > free + 0.02
    assert shrunk > (majority(labels) == true).mean()


def test_two_labels_of_each_sample_are_better_than_one():
    # They do not determine confusion matrices: frequent classes must not lose samples to rare ones.
    rng = np.random.default_rng(0)
    true = rng.choice(K, 600, p=[0.7, 0.2, 0.07, 0.03])
    confusion = 0.1 + 0.6 * np.eye(K)
    labels = annotate(rng, true, np.stack([confusion, confusion]), n_each=2)
    accuracy = (AnnotatorConsensus().fit(labels).consensus_ == true).mean()
    assert accuracy > (labels == true[:, None]).mean() + 0.1


def test_a_classifier_helps(crowd, fitted):
    true, _, labels = crowd
    proba = informative(true)
    accuracy = (AnnotatorConsensus().fit(labels, proba).consensus_ == true).mean()
    assert accuracy > (fitted.consensus_ == true).mean() + 0.03
    assert accuracy > (proba.argmax(axis=1) == true).mean() + 0.03


def test_a_sure_classifier_that_knows_nothing_is_not_believed(crowd, fitted):
    true, _, labels = crowd
    sure = np.eye(K)[np.random.default_rng(0).integers(K, size=len(true))]
    accuracy = (AnnotatorConsensus().fit(labels, sure).consensus_ == true).mean()
    assert accuracy > (fitted.consensus_ == true).mean() - 0.03


@settings(max_examples=5, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_the_order_of_samples_and_annotators_means_nothing(seed):
    rng = np.random.default_rng(seed)
    labels = pd.DataFrame(annotate(rng, rng.integers(K, size=80), planted_confusions(rng)))
    rows, columns = rng.permutation(80), rng.permutation(8)
    moved = labels.iloc[rows, columns]
    first = AnnotatorConsensus(classes=range(K), tol=1e-9).fit(labels)
    second = AnnotatorConsensus(classes=range(K), tol=1e-9).fit(moved)
    np.testing.assert_allclose(second.posterior_, first.posterior_[rows], atol=1e-6)
    np.testing.assert_allclose(second.confusion_, first.confusion_[columns], atol=1e-6)
    quality = first.quality_of_labels().loc[moved.index, moved.columns]
    pd.testing.assert_frame_equal(second.quality_of_labels(), quality, atol=1e-6)


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([None, float("nan"), pd.NA]))
def test_any_way_to_say_that_a_label_is_missing(seed, missing):
    rng = np.random.default_rng(seed)
    labels = annotate(rng, rng.integers(K, size=30), planted_confusions(rng))
    rows = [[missing if np.isnan(x) else int(x) for x in row] for row in labels]
    expected = AnnotatorConsensus(classes=range(K)).fit(labels).posterior_
    texts = [[missing if one is missing else f"class {one}" for one in row] for row in rows]
    for same in (rows, np.array(rows, dtype=object), pd.DataFrame(rows), texts):
        known = [f"class {k}" for k in range(K)] if same is texts else range(K)
        consensus = AnnotatorConsensus(classes=known).fit(same)
        np.testing.assert_allclose(consensus.posterior_, expected)
    assert consensus.consensus_[0].startswith("class ")


def test_types_of_labels():
    rows = [[0, 1, None], [1, 1, 1], [None, 0, 0]]
    for labels, kind in [
        (rows, "i"),
        (pd.DataFrame(rows).astype("Int64"), "i"),
        (np.array([[0, 1], [1, 1]], dtype=np.uint8), "u"),
        (np.array([[False, True], [True, True]]), "b"),
        (np.array([["a", "b"], ["b", "b"]]), "U"),
        (pd.DataFrame([["a", None], ["b", "b"]]), "O"),
        (pd.DataFrame([["a", None], ["b", "b"]], dtype="category"), "O"),
        (pd.DataFrame(rows), "f"),
    ]:
        assert AnnotatorConsensus().fit(labels).consensus_.dtype.kind == kind


def test_names_of_rows_and_columns_are_kept():
    labels = pd.DataFrame(
        {"Ann": ["x", "y", None], "Bob": ["x", "x", "y"], "Cid": [None, None, None]},
        index=["a", "b", "c"],
    )
    consensus = AnnotatorConsensus().fit(labels)
    quality = consensus.quality_of_labels()
    assert quality.index.tolist() == ["a", "b", "c"]
    assert quality.columns.tolist() == ["Ann", "Bob", "Cid"]
    np.testing.assert_array_equal(quality.isna(), labels.isna())
    row = consensus.annotators_quality_.set_index("annotator").loc["Cid"]  # of no label at all
    assert row.n_labels == 0 and np.isnan(row.accuracy) and np.isnan(row.agreement)
    assert np.diag(consensus.confusion_[2]).min() > 0.5


def test_samples_with_one_label_and_with_none():
    labels = np.full((60, 3), np.nan)
    labels[:50] = (np.arange(50) % 2)[:, None]
    labels[50:55, 0] = 1
    consensus = AnnotatorConsensus().fit(labels)
    assert (consensus.consensus_[50:55] == 1).all()
    assert (consensus.probability_[50:55] > 0.9).all()
    frequency = consensus.posterior_.mean(axis=0)
    np.testing.assert_allclose(consensus.posterior_[55:], np.tile(frequency, (5, 1)), atol=0.02)


def test_one_annotator_alone_is_believed():
    consensus = AnnotatorConsensus().fit([["a"], ["b"], ["b"], ["c"]])
    assert consensus.consensus_.tolist() == ["a", "b", "b", "c"]
    assert np.isnan(consensus.annotators_quality_.agreement[0])


def test_a_class_that_nobody_gave():
    labels = [[0, 0], [1, 1], [0, 1]]
    consensus = AnnotatorConsensus(classes=[2, 1, 0]).fit(labels)
    assert consensus.classes_.tolist() == [0, 1, 2]
    assert consensus.posterior_.shape == (3, 3)
    proba = pd.DataFrame([[0.1, 0.9], [0.8, 0.2], [0.2, 0.8]], columns=[1, 0])
    consensus = AnnotatorConsensus().fit(labels, proba)
    assert consensus.classes_.tolist() == [1, 0]
    assert consensus.consensus_.tolist() == [0, 1, 0]


def brute_force_gain(consensus, row, annotator):
    """Expected decrease of the entropy of a posterior, by Bayes' rule for each answer."""

    def entropy(p):
        return -(p * np.log2(p)).sum()

    before, expected = consensus.posterior_[row], 0.0
    for k in range(len(before)):
        joint = before * consensus.confusion_[annotator][:, k]
        expected += joint.sum() * entropy(joint / joint.sum())
    return entropy(before) - expected


def test_whom_to_ask_about_what(monkeypatch):
    rng = np.random.default_rng(2)
    labels = annotate(rng, rng.integers(K, size=50), planted_confusions(rng), n_each=5)
    labels[0] = 1.0
    consensus = AnnotatorConsensus().fit(labels)
    gains = [
        [brute_force_gain(consensus, i, a) if np.isnan(labels[i, a]) else -np.inf for a in range(8)]
        for i in range(50)
    ]
    order = np.argsort(-np.max(gains, axis=1))
    for numbers in (10_000_000, 10 * 8 * K):  # at once, and in blocks
        monkeypatch.setattr("noisyactive.audit._annotators._MAX_NUMBERS", numbers)
        asked = consensus.ask_again(7)
        assert asked.index.tolist() == order[:7].tolist()
        np.testing.assert_allclose(asked.gain, np.max(gains, axis=1)[order[:7]], atol=1e-9)
        assert asked.annotator.tolist() == np.argmax(gains, axis=1)[order[:7]].tolist()
    assert asked.consensus.tolist() == consensus.consensus_[order[:7]].tolist()
    everything = consensus.ask_again(1000)
    assert len(everything) == 49  # all have labelled one
    some = consensus.ask_again(1000, annotators=[SPAMMER, 3])
    assert set(some.annotator) <= {SPAMMER, 3}
    assert len(some) == np.isnan(labels[:, [3, SPAMMER]]).any(axis=1).sum()
    assert len(consensus.ask_again(3, annotators=[])) == 0


def test_an_answer_is_asked_of_who_knows_the_classes_in_doubt():
    rng = np.random.default_rng(0)
    true = np.arange(400) % K
    knows = np.array([[0.97, 0.01, 0.01, 0.01]] * K)
    first, second = np.full((K, K), 0.25), np.full((K, K), 0.25)
    for j in range(K):
        (first if j < 2 else second)[j] = np.roll(knows[j], j)
    usual = 0.2 / 3 + (0.8 - 0.2 / 3) * np.eye(K)
    labels = annotate(rng, true, np.stack([first, second, usual, usual]), n_each=4)
    labels[:20, :2] = np.nan
    labels[:10, 2:], labels[10:20, 2:] = [0, 1], [2, 3]
    asked = AnnotatorConsensus().fit(labels).ask_again(20)
    assert set(asked.index) == set(range(20))
    assert set(asked.loc[range(10)].annotator) == {0}
    assert set(asked.loc[range(10, 20)].annotator) == {1}


def test_a_long_table():
    table = pd.DataFrame(
        {
            "file": ["b", "a", "b", "a", "c"],
            "who": ["Bob", "Ann", "Ann", "Cid", "Bob"],
            "says": [3, 1, 2, 1, None],
        }
    )
    wide = pivot_annotations(table, item="file", annotator="who", label="says")
    assert wide.index.tolist() == ["b", "a"] and wide.columns.tolist() == ["Bob", "Ann", "Cid"]
    assert wide.loc["b"].tolist() == [3, 2, None] and wide.loc["a"].tolist() == [None, 1, 1]
    assert AnnotatorConsensus().fit(wide).consensus_[1] == 1
    twice = pd.concat([table, table[1:2]])
    with pytest.raises(ValueError, match="who 'Ann' labelled file 'a' twice"):
        pivot_annotations(twice, item="file", annotator="who", label="says")
    with pytest.raises(ValueError, match="item must be a column of table"):
        pivot_annotations(table)
    with pytest.raises(ValueError, match="Every label in table must have 'file' and 'who'"):
        nameless = table.assign(who=table.who.where(table.who != "Cid"))
        pivot_annotations(nameless, item="file", annotator="who", label="says")
    with pytest.raises(TypeError, match="table must be a DataFrame"):
        pivot_annotations(table.to_numpy())


@pytest.mark.parametrize(
    "labels, message",
    [
        ([0, 1, 1], r"labels must be of shape \(n_samples, n_annotators\).*pivot_annotations"),
        (np.zeros((2, 2, 2)), r"labels must be of shape"),
        (np.zeros((0, 3)), "labels holds no labels"),
        ([], "labels must be of shape"),
        ([[0, 1], [1]], "labels must have rows of the same length"),
        ([[None, None]], "labels holds no labels"),
        ([[0, 0], [0, None]], "at least 2 classes"),
        ([[0.5, 1], [1, 0]], "continuous numbers"),
        ([["a", 1], [1, "a"]], "labels of one kind"),
        ([[np.inf, 1.0], [1.0, 0.0]], "infinity"),
        (pd.DataFrame([[0, 1]], columns=["a", "a"]), "'a' has two"),
    ],
)
def test_wrong_labels(labels, message):
    with pytest.raises(ValueError, match=message):
        AnnotatorConsensus().fit(labels)


@pytest.mark.parametrize(
    "params, message",
    [
        ({"shrinkage": 0}, "shrinkage"),
        ({"max_iter": 0}, "max_iter"),
        ({"tol": -1.0}, "tol"),
        ({"classes": [0, 2]}, "labels has labels that are not among the classes"),
    ],
)
def test_wrong_parameters(params, message):
    with pytest.raises(ValueError, match=message):
        AnnotatorConsensus(**params).fit([[0, 1], [1, 1]])


@pytest.mark.parametrize(
    "proba, message",
    [
        (np.full((3, 2), 0.5), r"here \(2, 2\), got \(3, 2\)"),
        (np.full((2, 3), 1 / 3), r"here \(2, 2\), got \(2, 3\)"),
        (np.full((2, 2), 0.7), "sum to 1"),
        ([0.5, 0.5], "proba must be of shape"),
    ],
)
def test_wrong_probabilities(proba, message):
    with pytest.raises(ValueError, match=message):
        AnnotatorConsensus().fit([[0, 1], [1, 1]], proba)


def test_wrong_questions():
    with pytest.raises(NotFittedError):
        AnnotatorConsensus().ask_again(1)
    with pytest.raises(NotFittedError):
        AnnotatorConsensus().quality_of_labels()
    consensus = AnnotatorConsensus().fit([[0, 1], [1, 1]])
    with pytest.raises(ValueError, match="n_rows must be an int"):
        consensus.ask_again(0)
    with pytest.raises(ValueError, match=r"annotators has labels that are not among .*\[5\]"):
        consensus.ask_again(1, annotators=[5])


def test_too_few_iterations_are_told(crowd):
    with pytest.warns(ConvergenceWarning, match="max_iter=2"):
        assert AnnotatorConsensus(max_iter=2).fit(crowd[2]).n_iter_ == 2


@pytest.fixture(scope="module")
def blobs():
    rng = np.random.default_rng(0)
    X, true = make_blobs(600, centers=K, cluster_std=2.0, random_state=1)
    index = [f"row {i}" for i in range(600)]
    labels = pd.DataFrame(annotate(rng, true, planted_confusions(rng), n_each=2), index=index)
    return X, true, labels


def test_an_audit_of_several_annotators(blobs):
    X, true, labels = blobs
    audit = LabelAudit(LogisticRegression(), random_state=0).fit(X, labels)
    plain = AnnotatorConsensus().fit(labels)
    issues = audit.issues_.loc[labels.index]
    np.testing.assert_array_equal(np.asarray(issues.given), plain.consensus_)
    np.testing.assert_array_equal(np.asarray(issues.suggested), audit.annotators_.consensus_)
    of_given = audit.label_posterior_[np.arange(600), plain.consensus_.astype(int)]
    np.testing.assert_allclose(issues.quality, of_given)
    assert (audit.annotators_.consensus_ == true).mean() > (plain.consensus_ == true).mean() + 0.05
    wrong = plain.consensus_ != true
    assert wrong[issues.is_issue.to_numpy()].mean() > 0.7
    table = find_label_issues(LogisticRegression(), X, labels, random_state=0)
    pd.testing.assert_frame_equal(table, audit.issues_)
    proba = audit.held_out_proba_
    given = LabelAudit("precomputed").fit(proba, labels)
    pd.testing.assert_frame_equal(given.issues_, audit.issues_)


def test_an_audit_after_another_one(blobs):
    X, true, labels = blobs
    audit = LabelAudit(LogisticRegression(), random_state=0).fit(X, labels)
    again = audit.fit(X, true)
    assert not hasattr(again, "annotators_")
    fresh = clone(audit).fit(X, true)
    np.testing.assert_array_equal(again.label_posterior_, fresh.label_posterior_)


def test_an_audit_refuses_what_are_no_annotators(blobs):
    X, true, labels = blobs
    with pytest.raises(ValueError, match="one-hot labels are not supported"):
        LabelAudit(LogisticRegression()).fit(X, np.eye(K)[true])
    labels = labels.copy()
    labels.iloc[7] = np.nan
    with pytest.raises(ValueError, match="of row 7 no annotator gave one"):
        LabelAudit(LogisticRegression()).fit(X, labels)
    with pytest.raises(ValueError, match="inconsistent lengths"):
        LabelAudit(LogisticRegression()).fit(X[:10], labels.dropna(how="all"))


def test_an_audit_knows_labels_that_are_no_samples_consensus(blobs):
    X, true, labels = blobs
    labels = labels.copy()
    labels.iloc[0] = [true[0]] * 7 + [K]  # one of eight says what nobody else ever says
    audit = LabelAudit(LogisticRegression(), random_state=0).fit(X, labels)
    assert audit.classes_.tolist() == audit.annotators_.classes_.tolist() == [0, 1, 2, 3, K]
    assert K not in audit.issues_.given.unique()
    given = LabelAudit("precomputed").fit(audit.held_out_proba_, labels)
    pd.testing.assert_frame_equal(given.issues_, audit.issues_)


def test_an_audit_refuses_unknown_labels_before_any_training(blobs):
    X, _, labels = blobs

    class Never(LogisticRegression):
        def fit(self, X, y):
            raise AssertionError("trained")

    labels = labels.copy()
    labels.iloc[0] = [0] * 7 + [K]
    with pytest.raises(ValueError, match=r"y has labels that are not among the classes.*\[4"):
        LabelAudit(Never(), classes=range(K)).fit(X, labels)
