"""modAL's strategies in the cleaning loop."""

from functools import partial

import numpy as np
import pytest
from modAL.batch import uncertainty_batch_sampling
from modAL.density import information_density
from modAL.disagreement import KL_max_disagreement, consensus_entropy, vote_entropy
from modAL.uncertainty import (
    classifier_entropy,
    classifier_margin,
    classifier_uncertainty,
    entropy_sampling,
    margin_sampling,
    uncertainty_sampling,
)
from modAL.utils.combination import make_query_strategy
from modAL.utils.selection import multi_argmax
from scipy.spatial.distance import cdist
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB

from noisyactive import ActiveLabelCleaner, CoTeachingClassifier, UniformLabelNoise
from noisyactive.compat import ActiveLearner, Committee


def dense_and_uncertain(classifier, X):
    """modAL's density weighting, as its documentation has it."""
    return classifier_uncertainty(classifier, X) * information_density(X)


MEASURES = {
    "uncertainty": (uncertainty_sampling, classifier_uncertainty),
    "margin": (margin_sampling, lambda classifier, X: -classifier_margin(classifier, X)),
    "entropy": (entropy_sampling, classifier_entropy),
    "density": (
        lambda classifier, X, n_instances: make_query_strategy(
            dense_and_uncertain, partial(multi_argmax, n_instances=n_instances)
        )(classifier, X),
        dense_and_uncertain,
    ),
}
SETTINGS = {"pool": "unverified", "trust": "once", "random_state": 0}
needs_np_bool = pytest.mark.skipif(
    np.lib.NumpyVersion(np.__version__) < "2.0.0", reason="modAL's ranked batches need np.bool"
)


@pytest.fixture
def noisy(blobs):
    X, y = blobs
    return X, y, UniformLabelNoise(0.3, random_state=0).fit_transform(y)


@pytest.mark.parametrize("name", MEASURES)
def test_first_round_has_the_highest_scores_of_modal(noisy, model, name):
    X, _, y_noisy = noisy
    strategy, measure = MEASURES[name]
    cleaner = ActiveLabelCleaner(model, strategy, round_budget=6, **SETTINGS).start(X, y_noisy)
    rows = cleaner.query()
    scores = measure(clone(model).fit(X, y_noisy), X)
    np.testing.assert_allclose(np.sort(scores[rows]), np.sort(scores)[-6:], rtol=1e-9)


@pytest.mark.parametrize(
    "strategy",
    [
        *(m[0] for m in MEASURES.values()),
        pytest.param(uncertainty_batch_sampling, marks=needs_np_bool),
    ],
)
def test_whole_loop(noisy, model, strategy):
    X, y, y_noisy = noisy
    cleaner = ActiveLabelCleaner(model, strategy, n_rounds=3, round_budget=6, **SETTINGS)
    cleaner.fit(X, y_noisy, y_clean=y)
    asked = cleaner.relabelled_round_ > 0
    assert cleaner.history_["cost"].tolist() == [0, 6, 12, 18]
    assert asked.sum() == 18
    np.testing.assert_array_equal(cleaner.labels_, np.where(asked, y, y_noisy))


@needs_np_bool
def test_ranked_batches_weigh_doubt_and_distance_to_what_is_trusted(noisy, model):
    X, _, y_noisy = noisy
    cleaner = ActiveLabelCleaner(
        model,
        uncertainty_batch_sampling,
        n_rounds=1,
        round_budget=5,
        pool="untrusted",
        trust="once",
    )
    cleaner.start(X, y_noisy)
    rows = cleaner.query()
    # By hand: alpha * (1 - similarity to the nearest trusted or chosen) + (1 - alpha) * doubt.
    trusted = list(np.flatnonzero(cleaner.clean_mask_))
    left = list(np.flatnonzero(~cleaner.clean_mask_))
    doubt = 1 - clone(model).fit(X, y_noisy).predict_proba(X).max(axis=1)
    for row in rows:
        alpha = len(left) / (len(left) + len(trusted))
        similarity = 1 / (1 + cdist(X[left], X[trusted]).min(axis=1))
        scores = alpha * (1 - similarity) + (1 - alpha) * doubt[left]
        assert scores[left.index(row)] == pytest.approx(scores.max())
        trusted.append(row)
        left.remove(row)


@pytest.mark.parametrize(
    "strategy",
    [uncertainty_sampling, pytest.param(uncertainty_batch_sampling, marks=needs_np_bool)],
)
def test_network_on_images(strategy):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(40, 1, 6, 6)).astype(np.float32), np.repeat(["no", "yes"], 20)
    X[20:] += 1
    y_noisy = UniformLabelNoise(0.2, random_state=0).fit_transform(y)
    net = CoTeachingClassifier(forget_rate=0.2, max_epochs=4, batch_size=20, random_state=0)
    cleaner = ActiveLabelCleaner(
        net, strategy, n_rounds=2, round_budget=3, fine_tune_epochs=2, **SETTINGS
    )
    cleaner.fit(X, y_noisy, y_clean=y)
    assert cleaner.history_["cost"].tolist() == [0, 3, 6]


@pytest.mark.parametrize("measure", [vote_entropy, consensus_entropy, KL_max_disagreement])
def test_committee_as_the_estimator(noisy, measure):
    """A committee is cleaned with like any classifier; its strategies ask the estimator."""
    X, y, y_noisy = noisy
    models = LogisticRegression(max_iter=1000), GaussianNB()
    committee = Committee([ActiveLearner(estimator) for estimator in models])

    def disagreement_sampling(learner, X, n_instances):
        return multi_argmax(measure(learner.estimator, X), n_instances)

    cleaner = ActiveLabelCleaner(
        committee, disagreement_sampling, n_rounds=2, round_budget=5, **SETTINGS
    )
    rows = cleaner.start(X, y_noisy).query()
    scores = measure(clone(committee).fit(X, y_noisy), X)
    np.testing.assert_allclose(np.sort(scores[rows]), np.sort(scores)[-5:])
    cleaner.fit(X, y_noisy, y_clean=y)
    assert cleaner.history_["cost"].tolist() == [0, 5, 10]
