"""The cleaner begins with labels of several annotators."""

import pickle

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.datasets import make_classification
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss

from noisyactive import ActiveLabelCleaner, CoTeachingClassifier
from noisyactive.audit import AnnotatorConsensus
from noisyactive.cleaning import CrossFit
from noisyactive.inspection import to_html

K, ACCURACY = 4, [0.9, 0.75, 0.6, 0.5]
NAMES = np.array(["ant", "bee", "cat", "dog"])
ROUNDS = {"n_rounds": 2, "round_budget": 15, "random_state": 0}


@pytest.fixture(scope="module")
def planted():
    """Samples, true classes, and what four annotators said, each with errors of their own."""
    X, true = make_classification(
        400, n_informative=8, n_classes=K, n_clusters_per_class=1, class_sep=1.2, random_state=0
    )
    rng = np.random.default_rng(0)
    said = np.full((len(X), len(ACCURACY)), np.nan)
    for a, accuracy in enumerate(ACCURACY):
        wrong = rng.dirichlet(np.full(K - 1, 0.5), size=K)
        for i, j in enumerate(true):
            of_class = np.insert((1 - accuracy) * wrong[j], j, accuracy)
            said[i, a] = rng.choice(K, p=of_class) if rng.random() < 0.6 else np.nan
    silent = np.isnan(said).all(axis=1)
    said[silent, 1] = true[silent]
    return X, true, said


def cleaner(**settings):
    return ActiveLabelCleaner(LogisticRegression(max_iter=500), **{**ROUNDS, **settings})


def consensus_of(said):
    return AnnotatorConsensus().fit(said).consensus_


def answer_all(run, true):
    while len(rows := run.query()):
        run.teach(rows, true[rows])
    return run


@pytest.fixture(scope="module")
def cleaned(planted):
    X, true, said = planted
    return cleaner().fit(X, said, y_clean=true)


def test_whoever_erred_how_is_evidence(planted):
    X, true, said = planted
    ours = cleaner().start(X, said)
    plain = cleaner().start(X, consensus_of(said))
    assert_array_equal(ours.given_labels_, plain.given_labels_)
    found, by_consensus = (run.estimator_.label_posterior_ for run in (ours, plain))
    assert log_loss(true, found) < 0.8 * log_loss(true, by_consensus)
    assert (found.argmax(axis=1) == true).mean() > (by_consensus.argmax(axis=1) == true).mean()
    for run in (ours, plain):
        answer_all(run, true)
    found, by_consensus = (run.estimator_.label_posterior_ for run in (ours, plain))
    assert log_loss(true, found) < 0.8 * log_loss(true, by_consensus)


def test_the_posterior_without_answers_is_that_of_the_consensus_with_a_classifier(planted):
    X, _, said = planted
    ensemble = cleaner().start(X, said).estimator_
    expected = AnnotatorConsensus().fit(said, ensemble.held_out_proba_)
    assert_allclose(ensemble.label_posterior_, expected.posterior_, atol=1e-3)
    assert_allclose(ensemble.annotator_confusion_, expected.confusion_)
    counts = np.array([expected.posterior_[consensus_of(said) == k].sum(axis=0) for k in range(K)])
    assert_allclose(ensemble.transition_matrix_, (counts / counts.sum(axis=0)).T, atol=1e-6)


def test_what_comes_out(planted, cleaned, tmp_path):
    _, true, said = planted
    given = consensus_of(said)
    assert cleaned.labels_.shape == true.shape
    asked = cleaned.relabelled_round_ > 0
    assert asked.sum() == 30
    assert_array_equal(cleaned.labels_[~asked], given[~asked])
    assert_array_equal(cleaned.labels_[asked], true[asked])
    assert (given != true)[asked].mean() > 2 * (given != true).mean()
    errors = [(said[:, a] == true)[~np.isnan(said[:, a])].mean() for a in range(len(ACCURACY))]
    rates = cleaned.estimator_.annotator_confusion_.diagonal(axis1=1, axis2=2).mean(axis=1)
    assert_allclose(rates, errors, atol=0.1)
    assert len(cleaned.agreement_["annotator"]) == 1  # the expert: annotators are not experts
    table = cleaned.to_frame()
    assert_array_equal(table["given"], given)
    assert_array_equal(table["changed"], cleaned.labels_ != given)
    assert_allclose(cleaned.issues_.sort_index()["quality"], cleaned.label_quality_)
    to_html(cleaned, tmp_path / "report.html")
    assert_array_equal(clone(cleaned).fit(*planted[::2], y_clean=true).labels_, cleaned.labels_)
    again = pickle.loads(pickle.dumps(cleaned))
    assert_array_equal(again.label_quality_, cleaned.label_quality_)
    assert_array_equal(again.predict(planted[0]), cleaned.predict(planted[0]))


def test_names_of_a_frame(planted, cleaned):
    X, true, said = planted
    texts = np.where(np.isnan(said), None, NAMES[np.nan_to_num(said).astype(int)].astype(object))
    index = [f"{i}.png" for i in range(len(X))]
    labels = pd.DataFrame(texts, index=index, columns=["Ann", "Bob", "Cyd", "Dan"])
    before = labels.copy()
    run = cleaner().fit(X, labels, y_clean=NAMES[true])
    assert isinstance(run.labels_, pd.Series)
    for table in (run.labels_, run.given_labels_, run.to_frame()):
        assert table.index.tolist() == index
    assert_array_equal(run.labels_, NAMES[cleaned.labels_.astype(int)])
    assert set(run.issues_.index) == set(index)
    pd.testing.assert_frame_equal(labels, before)


def test_an_interrupted_run_goes_on(planted, tmp_path):
    X, true, said = planted
    whole = cleaner().fit(X, said, y_clean=true)
    half = cleaner(journal=tmp_path / "run.db").start(X, said)
    rows = half.query()
    half.teach(rows[:7], true[rows[:7]]).close()
    resumed = answer_all(cleaner(journal=tmp_path / "run.db").start(X, said), true)
    assert_array_equal(resumed.labels_, whole.labels_)
    assert_array_equal(resumed.label_quality_, whole.label_quality_)
    assert_array_equal(resumed.predict_proba(X), whole.predict_proba(X))
    resumed.close()
    other = said.copy()  # with the same consensus
    row, a = np.argwhere((np.isnan(said).sum(axis=1) == 1)[:, None] & np.isnan(said))[0]
    other[row, a] = consensus_of(said)[row]
    assert_array_equal(consensus_of(other), consensus_of(said))
    for y in (other, consensus_of(said)):
        with pytest.raises(ValueError, match="labels of annotators"):
            cleaner(journal=tmp_path / "run.db").start(X, y)


def test_networks_and_their_checkpoint(planted, tmp_path):
    X, true, said = planted[0][:90], planted[1][:90], planted[2][:90]
    net = CoTeachingClassifier(max_epochs=3, forget_rate=0.2, ramp_epochs=2)
    run = ActiveLabelCleaner(
        net, n_rounds=1, round_budget=6, fine_tune_epochs=2, random_state=0,
        journal=tmp_path / "run.db",
    ).fit(X, said, y_clean=true)  # fmt: skip
    run.close()
    assert (tmp_path / "run.db.checkpoint").is_dir()
    resumed = clone(run).start(X, said)
    for name in ("label_posterior_", "annotator_confusion_", "transition_matrix_"):
        assert_array_equal(getattr(resumed.estimator_, name), getattr(run.estimator_, name))
    assert_array_equal(resumed.label_quality_, run.label_quality_)


@pytest.mark.parametrize("trust", ["once", "all", "verified", CrossFit(learn_from_answers=False)])
def test_other_policies_begin_with_the_consensus(planted, trust):
    X, true, said = planted
    run = cleaner(trust=trust).fit(X, said, y_clean=true)
    assert_array_equal(run.given_labels_, consensus_of(said))
    assert run.history_["cost"].tolist() == [0, 15, 30]
    plain = cleaner(trust=trust).fit(X, consensus_of(said), y_clean=true)
    same = np.array_equal(run.predict_proba(X), plain.predict_proba(X))
    assert same == isinstance(trust, str)  # they know nothing of the annotators


def test_a_label_that_is_no_samples_consensus_is_a_class(planted):
    X, true, said = planted
    said = said.copy()
    row = int(np.flatnonzero((~np.isnan(said)).all(axis=1))[0])
    said[row] = [true[row], true[row], true[row], 9]
    run = cleaner(n_rounds=1).fit(X, said, y_clean=true)
    assert run.classes_.tolist() == [0, 1, 2, 3, 9]
    assert 9 not in run.labels_
    assert_allclose(run.estimator_.transition_matrix_.sum(axis=1), 1)
    assert run.predict_proba(X).shape == (len(X), 5)
