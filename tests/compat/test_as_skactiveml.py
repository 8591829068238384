"""Our strategies, and modAL's, in scikit-activeml's loops and wrappers."""

import copy
import pickle
from functools import partial

import numpy as np
import pytest
import torch
from modAL.uncertainty import classifier_uncertainty, uncertainty_sampling
from scipy.spatial.distance import cdist
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn

from noisyactive import CoTeachingClassifier
from noisyactive.compat import as_skactiveml
from noisyactive.query import (
    bald_sampling,
    entropy_sampling,
    entropy_scores,
    label_disagreement_scores,
    least_confidence_sampling,
    margin_sampling,
    strategy_names,
)

pytest.importorskip("skactiveml", reason="needs scikit-activeml, the extra skactiveml")

from skactiveml.base import SingleAnnotatorPoolQueryStrategy  # noqa: E402
from skactiveml.classifier import ParzenWindowClassifier, SklearnClassifier  # noqa: E402
from skactiveml.pool import (  # noqa: E402
    CoreSet,
    ParallelUtilityEstimationWrapper,
    SubSamplingWrapper,
    UncertaintySampling,
)
from skactiveml.pool.multiannotator import SingleAnnotatorWrapper  # noqa: E402

# Those that need neither dropout layers nor labels of the pool.
PLAIN = sorted(set(strategy_names()) - {"bald", "label_disagreement"})


@pytest.fixture
def partly(blobs):
    """Samples, codes of the classes, and the same with NaN for most of them."""
    X, y = blobs
    codes = np.unique(y, return_inverse=True)[1]
    return X, codes, np.where(np.arange(90) < 30, codes, np.nan)


@pytest.fixture
def clf(model):
    return SklearnClassifier(model, classes=[0, 1, 2], random_state=0)


@pytest.mark.parametrize("name", PLAIN)
class TestConventions:
    def test_loop(self, partly, clf, name):
        X, codes, y = partly
        strategy = as_skactiveml(name, random_state=0)
        assert isinstance(strategy, SingleAnnotatorPoolQueryStrategy)
        for n_known in (30, 34, 38):
            indices = strategy.query(X, y, clf, batch_size=4)
            assert np.isnan(y[indices]).all() and len(set(indices.tolist())) == 4
            assert np.isnan(y).sum() == 90 - n_known
            y[indices] = codes[indices]

    def test_utilities(self, partly, clf, name):
        X, _, y = partly
        strategy = as_skactiveml(name, random_state=0)
        indices, utilities = strategy.query(X, y, clf, batch_size=5, return_utilities=True)
        np.testing.assert_array_equal(indices, strategy.query(X, y, clf, batch_size=5))
        assert utilities.shape == (5, 90)
        for step, index in enumerate(indices):
            assert np.isnan(utilities[step, ~np.isnan(y)]).all()
            assert np.isnan(utilities[step, indices[:step]]).all()
            assert np.isnan(utilities[step]).sum() == 30 + step
            assert utilities[step, index] == pytest.approx(np.nanmax(utilities[step]))

    def test_candidates(self, partly, clf, name):
        X, _, y = partly
        strategy = as_skactiveml(name, random_state=0)
        some = np.arange(40, 70)
        by_index, wide = strategy.query(X, y, clf, True, None, some, 5, return_utilities=True)
        by_sample, narrow = strategy.query(X, y, clf, True, None, X[some], 5, return_utilities=True)
        np.testing.assert_array_equal(by_index, some[by_sample])
        np.testing.assert_array_equal(wide[:, some], narrow)
        assert np.isnan(np.delete(wide, some, axis=1)).all()

    def test_fitted_classifier_and_fitted_estimator_choose_alike(self, partly, model, name):
        X, codes, y = partly
        clf = SklearnClassifier(model, classes=[0, 1, 2], random_state=0).fit(X, codes)
        indices = as_skactiveml(name, random_state=0).query(X, y, clf, fit_clf=False, batch_size=5)
        model.fit(X, codes)
        prefitted = SklearnClassifier(model, random_state=0)
        again = as_skactiveml(name, random_state=0).query(
            X, y, prefitted, fit_clf=False, batch_size=5
        )
        np.testing.assert_array_equal(indices, again)

    @pytest.mark.parametrize(
        "duplicate", [clone, copy.deepcopy, lambda strategy: pickle.loads(pickle.dumps(strategy))]
    )
    def test_copies(self, partly, clf, name, duplicate):
        X, _, y = partly
        strategy = as_skactiveml(name, random_state=0)
        twin = duplicate(strategy)
        assert twin is not strategy and twin.strategy == name and twin.random_state == 0
        np.testing.assert_array_equal(twin.query(X, y, clf), strategy.query(X, y, clf))


@pytest.mark.parametrize("name", strategy_names())
def test_every_registered_strategy_has_its_own_utilities(partly, name):
    """A strategy that is missing here would have utility 1 for its pick and 0 for the rest."""
    X, codes, _ = partly
    noisy = np.where(np.arange(90) % 4 == 0, (codes + 1) % 3, codes).astype(float)

    def network(in_features, num_classes):
        return nn.Sequential(nn.Linear(in_features, 16), nn.Dropout(), nn.Linear(16, num_classes))

    net = CoTeachingClassifier(network, forget_rate=0.2, max_epochs=3, random_state=0)
    clf = SklearnClassifier(net, classes=[0, 1, 2], random_state=0)
    pool = np.arange(20, 90)
    strategy = as_skactiveml(name, random_state=0)
    picks, utilities = strategy.query(
        X, noisy, clf, candidates=pool, batch_size=4, return_utilities=True
    )
    for step, pick in enumerate(picks):
        assert utilities[step, pick] == pytest.approx(np.nanmax(utilities[step]))
    n_levels = len(np.unique(utilities[0, pool].round(9)))
    assert n_levels == 1 if name == "random" else n_levels > 10


class TestUtilities:
    def test_a_fitted_classifier_is_used_as_it_is(self, partly, clf, model):
        X, codes, y = partly
        strategy, clf = as_skactiveml("entropy"), clf.fit(X, codes)
        options = {"batch_size": 3, "return_utilities": True}
        _, as_it_is = strategy.query(X, y, clf, fit_clf=False, **options)
        _, refitted = strategy.query(X, y, clf, **options)
        of_all = entropy_scores(clone(model).fit(X, codes).predict_proba(X[30:]))
        of_labelled = entropy_scores(clone(model).fit(X[:30], codes[:30]).predict_proba(X[30:]))
        np.testing.assert_allclose(as_it_is[0, 30:], of_all, atol=1e-12)
        np.testing.assert_allclose(refitted[0, 30:], of_labelled, atol=1e-12)
        assert not np.allclose(of_all, of_labelled)

    def test_the_classifier_is_fitted_with_weights(self, partly, clf, model):
        X, codes, y = partly
        weights = np.random.RandomState(0).uniform(0.1, 5, size=90)
        _, utilities = as_skactiveml("entropy").query(
            X, y, clf, sample_weight=weights, return_utilities=True
        )
        model.fit(X[:30], codes[:30], sample_weight=weights[:30])
        np.testing.assert_allclose(
            utilities[0, 30:], entropy_scores(model.predict_proba(X[30:])), atol=1e-12
        )

    @pytest.mark.parametrize(
        ("strategy", "method"),
        [
            (entropy_sampling, "entropy"),
            (least_confidence_sampling, "least_confident"),
            (margin_sampling, "margin_sampling"),
            (partial(margin_sampling, random_tie_break=True), "margin_sampling"),
        ],
    )
    def test_those_of_scikit_activeml(self, partly, clf, strategy, method):
        X, _, y = partly
        _, ours = as_skactiveml(strategy).query(X, y, clf, batch_size=1, return_utilities=True)
        _, theirs = UncertaintySampling(method).query(X, y, clf, return_utilities=True)
        np.testing.assert_allclose(ours, theirs, atol=1e-12)

    def test_core_set_has_distances(self, partly):
        X, _, y = partly
        indices, ours = as_skactiveml("coreset").query(X, y, batch_size=4, return_utilities=True)
        expected, theirs = CoreSet().query(X, y, batch_size=4, return_utilities=True)
        np.testing.assert_array_equal(indices, expected)
        np.testing.assert_allclose(ours, theirs)

    def test_core_set_without_labels_begins_far_from_the_mean(self, partly):
        X, _, _ = partly
        nothing = np.full(90, np.nan)
        indices, utilities = as_skactiveml("coreset").query(
            X, nothing, batch_size=3, return_utilities=True
        )
        from_mean = np.linalg.norm(X - X.mean(axis=0), axis=1)
        np.testing.assert_allclose(utilities[0], from_mean)
        picked = cdist(X, X[indices])
        np.testing.assert_allclose(utilities[2, indices[2]], picked[indices[2], :2].min())
        assert indices[0] == from_mean.argmax() and indices[1] == picked[:, 0].argmax()

    def test_function_of_modal(self, partly, clf):
        X, _, y = partly
        scored = as_skactiveml(uncertainty_sampling, scores=classifier_uncertainty)
        indices, utilities = scored.query(X, y, clf, batch_size=3, return_utilities=True)
        confidence = clone(clf).fit(X, y).predict_proba(X).max(axis=1)
        np.testing.assert_allclose(
            utilities[0], np.where(np.isnan(y), 1 - confidence, np.nan), atol=1e-12
        )
        np.testing.assert_allclose(
            np.sort(confidence[indices]), np.sort(confidence[np.isnan(y)])[:3]
        )

    def test_function_of_which_nothing_is_known(self, partly, clf):
        X, _, y = partly
        strategy = as_skactiveml(lambda learner, X, n_instances: np.arange(n_instances) * 2)
        indices, utilities = strategy.query(X, y, clf, batch_size=3, return_utilities=True)
        assert indices.tolist() == [30, 32, 34]
        assert np.nansum(utilities, axis=1).tolist() == [1, 1, 1]
        assert utilities[[0, 1, 2], indices].tolist() == [1, 1, 1]
        assert np.isnan(utilities[2, [30, 32]]).all()


class TestWrappers:
    def test_sub_sampling(self, partly, clf):
        X, _, y = partly
        wrapper = SubSamplingWrapper(as_skactiveml("entropy"), max_candidates=10, random_state=0)
        indices, utilities = wrapper.query(X, y, clf=clf, batch_size=2, return_utilities=True)
        shown = np.flatnonzero(np.isfinite(utilities[0]))
        scores = entropy_scores(clone(clf).fit(X, y).predict_proba(X))
        assert len(shown) == 10
        assert scores[indices[0]] == pytest.approx(scores[shown].max())

    @pytest.mark.parametrize("name", ["coreset", "entropy", "least_confidence", "margin"])
    def test_parallel(self, partly, clf, name):
        X, _, y = partly
        strategy = as_skactiveml(name)
        threads = {"backend": "threading"}
        wrapper = ParallelUtilityEstimationWrapper(strategy, n_jobs=3, parallel_dict=threads)
        index, utilities = wrapper.query(X, y, clf=clf, return_utilities=True)
        _, at_once = strategy.query(X, y, clf, return_utilities=True)
        np.testing.assert_allclose(utilities, at_once, atol=1e-12)
        assert at_once[0, index[0]] == pytest.approx(np.nanmax(at_once))

    def test_several_annotators(self, partly, clf):
        X, _, y = partly
        by_two = np.column_stack([y, y])
        wrapper = SingleAnnotatorWrapper(as_skactiveml("entropy"), random_state=0)
        pairs = wrapper.query(X, by_two, batch_size=2, n_annotators_per_sample=2, clf=clf)
        (index,) = as_skactiveml("entropy").query(X, y, clf)
        assert sorted(pairs.tolist()) == [[index, 0], [index, 1]]


class TestLabels:
    def test_label_disagreement_checks_labels_that_are_there(self, blobs, clf):
        X, y = blobs
        clf = clone(clf).set_params(classes=["ant", "bee", "fly"], missing_label=None)
        strategy = as_skactiveml("label_disagreement", missing_label=None)
        candidates = np.arange(20, 60)
        indices, utilities = strategy.query(
            X, y, clf, candidates=candidates, batch_size=3, return_utilities=True
        )
        proba = clone(clf).fit(X, y).predict_proba(X)
        scores = label_disagreement_scores(y, proba, classes=["ant", "bee", "fly"])[candidates]
        assert indices.tolist() == candidates[np.argsort(-scores)[:3]].tolist()
        np.testing.assert_allclose(utilities[0, candidates], scores)
        with pytest.raises(ValueError, match="candidates must be indices of labelled"):
            strategy.query(X, np.where(np.arange(90) < 30, y.astype(object), None), clf)

    def test_strings(self, blobs, model):
        X, y = blobs
        y_known = np.where(np.arange(90) < 30, y.astype(object), None)
        clf = SklearnClassifier(model, classes=["ant", "bee", "fly"], missing_label=None)
        strategy = as_skactiveml("entropy", missing_label=None)
        (index,) = strategy.query(X, y_known, clf)
        scores = entropy_scores(clone(model).fit(X[:30], y[:30]).predict_proba(X[30:]))
        assert scores[index - 30] == pytest.approx(scores.max())

    def test_labelled_candidates_are_no_centres(self, partly):
        X, codes, _ = partly
        candidates = np.arange(60, 90)
        (index,) = as_skactiveml("coreset").query(X, codes.astype(float), candidates=candidates)
        assert index - 60 == cdist(X[60:], X[:60]).min(axis=1).argmax()


def network(in_channels, num_classes):
    return nn.Sequential(
        nn.Conv2d(in_channels, 6, 3),
        nn.ReLU(),
        nn.Flatten(),
        nn.Dropout(0.5),
        nn.Linear(96, num_classes),
    )


class TestNetworks:
    def test_images(self):
        rng = np.random.default_rng(0)
        X, codes = rng.normal(size=(60, 1, 6, 6)).astype(np.float32), np.arange(60) % 2
        X[codes == 1] += 0.7
        y = np.where(np.arange(60) < 40, codes, np.nan)
        net = CoTeachingClassifier(
            network, forget_rate=0.2, max_epochs=4, batch_size=20, random_state=0
        )
        clf = SklearnClassifier(net, classes=[0, 1])
        net = clone(net).fit(X[:40], codes[:40])
        before = torch.get_rng_state()

        (index,) = as_skactiveml("entropy").query(X, y, clf)
        scores = entropy_scores(net.predict_proba(X[40:]))
        assert scores[index - 40] == pytest.approx(scores.max(), rel=1e-5)

        (index,) = as_skactiveml("coreset").query(X, y, clf)
        features, centres = net.extract_features(X[40:]), net.extract_features(X[:40])
        distances = cdist(features, centres).min(axis=1)
        assert distances[index - 40] == pytest.approx(distances.max(), rel=1e-5)

        strategy = as_skactiveml("bald", random_state=0)
        first, utilities = strategy.query(X, y, clf, batch_size=4, return_utilities=True)
        np.testing.assert_array_equal(first, strategy.query(X, y, clf, batch_size=4))
        for step, index in enumerate(first):
            assert utilities[step, index] == np.nanmax(utilities[step]) > 0
        assert len(np.unique(utilities[0, 40:])) > 10  # scores, and not 0 and 1 alone
        # Two draws have other scores than the default of 20: the partial's keyword counts.
        two_draws = as_skactiveml(partial(bald_sampling, n_draws=2), random_state=0)
        picks, by_two = two_draws.query(X, y, clf, batch_size=4, return_utilities=True)
        for step, index in enumerate(picks):
            assert by_two[step, index] == np.nanmax(by_two[step])
        assert not np.allclose(by_two[0, 40:], utilities[0, 40:])
        assert torch.equal(torch.get_rng_state(), before)

    def test_features_are_those_of_the_last_step_of_a_pipeline(self, partly):
        X, _, y = partly
        X = X * [1, 1, 1, 1e4]
        clf = SklearnClassifier(make_pipeline(StandardScaler(), LogisticRegression()))
        scaled = StandardScaler().fit(X[:30]).transform(X)
        expected = cdist(scaled[30:], scaled[:30]).min(axis=1).argmax()
        (index,) = as_skactiveml("coreset").query(X, y, clf)
        clf.estimator.fit(X[:30], y[:30])
        (of_fitted,) = as_skactiveml("coreset").query(X, y, clf, fit_clf=False)
        assert index - 30 == of_fitted - 30 == expected


class TestBadInput:
    def test_when_it_is_made(self):
        with pytest.raises(ValueError, match="strategy must be callable or one of"):
            as_skactiveml("entropie")
        with pytest.raises(ValueError, match="strategy must be callable or one of"):
            as_skactiveml(None)
        with pytest.raises(TypeError, match="scores must be callable"):
            as_skactiveml("entropy", scores=[1, 2])

    def test_when_it_is_asked(self, partly, clf, model):
        X, codes, y = partly
        entropy = as_skactiveml("entropy")
        with pytest.raises(ValueError, match="pass clf"):
            entropy.query(X, y)
        with pytest.raises(TypeError, match="clf"):
            entropy.query(X, y, model)
        with pytest.raises(TypeError, match="missing"):
            entropy.query(X, y, ParzenWindowClassifier(missing_label=None))
        with pytest.raises(ValueError, match="scores must return 60 numbers"):
            as_skactiveml("entropy", scores=lambda learner, X: X).query(
                X, y, clf, return_utilities=True
            )
        with pytest.raises(ValueError, match="must return 1 to 2"):
            as_skactiveml(lambda learner, X, n_instances: np.arange(9)).query(
                X, y, clf, batch_size=2
            )

    def test_random_state_differs_by_round(self, partly):
        X, codes, y = partly
        strategy = as_skactiveml("random", random_state=0)
        first = strategy.query(X, y, batch_size=9)
        np.testing.assert_array_equal(strategy.query(X, y, batch_size=9), first)
        later = y.copy()
        later[89] = codes[89]
        assert strategy.query(X, later, batch_size=9).tolist() != first.tolist()
