"""scikit-activeml's strategies in the cleaning loop and in modAL."""

import copy
import pickle

import numpy as np
import pandas as pd
import pytest
import torch
from modAL.disagreement import vote_entropy
from scipy.spatial.distance import cdist
from scipy.special import rel_entr
from sklearn.base import clone
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from noisyactive import ActiveLabelCleaner, CoTeachingClassifier, UniformLabelNoise
from noisyactive.compat import ActiveLearner, Committee, from_skactiveml
from noisyactive.journal import Asked

pytest.importorskip("skactiveml", reason="needs scikit-activeml, the extra skactiveml")

from skactiveml import pool  # noqa: E402
from skactiveml.classifier import (  # noqa: E402
    MixtureModelClassifier,
    ParzenWindowClassifier,
    SklearnClassifier,
)

CLASSES = ["ant", "bee", "fly"]
LINEAR = SklearnClassifier(LogisticRegression(max_iter=1000))
STRATEGIES = {
    "Badge": from_skactiveml(pool.Badge()),
    "BatchBALD": from_skactiveml(
        pool.BatchBALD(), ensemble=[ParzenWindowClassifier(classes=CLASSES), LINEAR]
    ),
    "Clue": from_skactiveml(pool.Clue()),
    "ContrastiveAL": from_skactiveml(pool.ContrastiveAL()),
    "CoreSet": from_skactiveml(pool.CoreSet()),
    "CostEmbeddingAL": from_skactiveml(pool.CostEmbeddingAL(CLASSES)),
    "DiscriminativeAL": from_skactiveml(pool.DiscriminativeAL(), discriminator=LINEAR),
    "DropQuery": from_skactiveml(pool.DropQuery(), clf=LINEAR),
    "Falcun": from_skactiveml(pool.Falcun()),
    "FourDs": from_skactiveml(pool.FourDs(), clf=MixtureModelClassifier(classes=CLASSES)),
    "GreedySamplingX": from_skactiveml(pool.GreedySamplingX()),
    "MaxHerding": from_skactiveml(pool.MaxHerding()),
    "MonteCarloEER": from_skactiveml(pool.MonteCarloEER(), clf=ParzenWindowClassifier()),
    "ProbabilisticAL": from_skactiveml(pool.ProbabilisticAL(), clf=ParzenWindowClassifier()),
    "ProbCover": from_skactiveml(pool.ProbCover()),
    "QueryByCommittee": from_skactiveml(
        pool.QueryByCommittee(), ensemble=[ParzenWindowClassifier(), LINEAR]
    ),
    "Quire": from_skactiveml(pool.Quire(CLASSES)),
    "RandomSampling": from_skactiveml(pool.RandomSampling()),
    "SubSamplingWrapper": from_skactiveml(
        pool.SubSamplingWrapper(pool.MaxHerding(), 20, exclude_non_subsample=True)
    ),
    "TypiClust": from_skactiveml(pool.TypiClust()),
    "UncertaintySampling": from_skactiveml(pool.UncertaintySampling()),
}


@pytest.fixture
def noisy(blobs):
    X, y = blobs
    return X, y, UniformLabelNoise(0.3, random_state=0).fit_transform(y)


class Pool:
    """What a strategy is to see of the first round, worked out by hand."""

    def __init__(self, X, y_noisy, model, strategy, n_instances=6, **params):
        params = {
            "n_rounds": 1, "random_state": 0, "pool": "untrusted", "trust": "once", **params
        }  # fmt: skip
        cleaner = ActiveLabelCleaner(model, strategy, round_budget=n_instances, **params)
        self.rows = cleaner.start(X, y_noisy).query()
        self.trusted = cleaner.clean_mask_
        self.model = clone(model).fit(X, y_noisy)
        codes = np.searchsorted(CLASSES, y_noisy)
        self.y_hidden = np.where(self.trusted, codes, np.nan)

    def assert_best(self, scores):
        """That the choice has the highest scores of the pool, whatever the order of ties."""
        candidates = np.sort(scores[~self.trusted])
        assert not self.trusted[self.rows].any()
        np.testing.assert_allclose(
            np.sort(scores[self.rows]), candidates[-len(self.rows) :], rtol=1e-9
        )


class TestChoices:
    """Against computations that know nothing of scikit-activeml, or its own answers."""

    @pytest.mark.parametrize(
        ("method", "measure"),
        [
            ("least_confident", lambda p: -p.max(axis=1)),
            ("margin_sampling", lambda p: np.sort(p)[:, -2] - np.sort(p)[:, -1]),
            ("entropy", lambda p: -(p * np.log(p)).sum(axis=1)),
        ],
    )
    def test_uncertainty_is_that_of_the_fitted_estimator(self, noisy, model, method, measure):
        X, _, y_noisy = noisy
        strategy = from_skactiveml(pool.UncertaintySampling(method))
        seen = Pool(X, y_noisy, model, strategy)
        seen.assert_best(measure(seen.model.predict_proba(X)))

    def test_core_set_is_greedy_k_center(self, noisy, model):
        X, _, y_noisy = noisy
        seen = Pool(X, y_noisy, model, from_skactiveml(pool.CoreSet()))
        centres = list(np.flatnonzero(seen.trusted))
        for row in seen.rows:
            distances = cdist(X, X[centres]).min(axis=1)
            assert distances[row] == pytest.approx(distances[~seen.trusted].max())
            centres.append(row)

    def test_badge_begins_with_the_largest_gradient(self, noisy, model):
        X, _, y_noisy = noisy
        seen = Pool(X, y_noisy, model, from_skactiveml(pool.Badge()), n_instances=1)
        proba = seen.model.predict_proba(X)
        error = proba - np.eye(3)[proba.argmax(axis=1)]
        seen.assert_best(np.linalg.norm(error, axis=1) * np.linalg.norm(X, axis=1))

    def test_contrastive_compares_with_trusted_neighbours(self, noisy, model):
        X, _, y_noisy = noisy
        seen = Pool(X, y_noisy, model, from_skactiveml(pool.ContrastiveAL()))
        proba = seen.model.predict_proba(X)
        trusted = np.flatnonzero(seen.trusted)
        nearest = trusted[np.argsort(cdist(X, X[trusted]))[:, :5]]
        divergence = rel_entr(proba[nearest], proba[:, None]).sum(axis=2).mean(axis=1)
        np.testing.assert_allclose(
            np.sort(divergence[seen.rows]), np.sort(divergence[~seen.trusted])[-6:], rtol=1e-4
        )

    @pytest.mark.parametrize(
        "query_strategy",
        [pool.Quire([0, 1, 2]), pool.ProbCover(random_state=0), pool.MaxHerding()],
        ids=lambda strategy: type(strategy).__name__,
    )
    def test_as_scikit_activeml_itself_with_labels_hidden(self, noisy, model, query_strategy):
        X, _, y_noisy = noisy
        given = pool.Quire(CLASSES) if isinstance(query_strategy, pool.Quire) else query_strategy
        seen = Pool(X, y_noisy, model, from_skactiveml(given), n_instances=1)
        # The adapter shows trusted samples first, which the k-means of ProbCover may notice.
        order = np.argsort(~seen.trusted, kind="stable")
        utilities = query_strategy.query(X[order], seen.y_hidden[order], return_utilities=True)[1]
        (position,) = np.flatnonzero(order == seen.rows[0])
        assert utilities[0, position] == pytest.approx(np.nanmax(utilities[0]))

    def test_random_is_uniform_over_the_pool_and_reproducible(self, noisy, model):
        X, _, y_noisy = noisy
        strategy = from_skactiveml(pool.RandomSampling())
        learner = ActiveLearner(model, strategy, X[:60], y_noisy[:60])
        counts = np.zeros(30)
        for seed in range(200):
            chosen = learner.query(X[60:], n_instances=3, random_state=seed)[0]
            assert len(set(chosen.tolist())) == 3
            counts[chosen] += 1
        assert counts.min() > 5 and counts.max() < 45  # 20 each, standard deviation 4.2
        first, again = (learner.query(X[60:], n_instances=9, random_state=1)[0] for _ in "12")
        np.testing.assert_array_equal(first, again)

    def test_members_of_a_committee_are_the_ensemble(self, blobs):
        X, y = blobs
        members = [
            ActiveLearner(estimator, X_training=X[rows], y_training=y[rows])
            for estimator, rows in [
                (LogisticRegression(max_iter=1000), slice(0, 30)),
                (GaussianNB(), slice(30, 60)),
                (LogisticRegression(C=1e-3), np.flatnonzero(y != "fly")[:20]),
            ]
        ]
        strategy = from_skactiveml(pool.QueryByCommittee("vote_entropy"))
        committee = Committee(members, strategy)
        indices, _ = committee.query(X, n_instances=8)
        scores = vote_entropy(committee, X)
        np.testing.assert_allclose(np.sort(scores[indices]), np.sort(scores)[-8:])

    def test_wrappers(self, noisy, model):
        X, _, y_noisy = noisy
        parallel = pool.ParallelUtilityEstimationWrapper(pool.UncertaintySampling(), n_jobs=1)
        seen = Pool(X, y_noisy, model, from_skactiveml(parallel), n_instances=1)
        seen.assert_best(-seen.model.predict_proba(X).max(axis=1))

        few = pool.SubSamplingWrapper(pool.UncertaintySampling(), max_candidates=5)
        seen = Pool(X, y_noisy, model, from_skactiveml(few), n_instances=5)
        assert not seen.trusted[seen.rows].any() and len(set(seen.rows.tolist())) == 5


# FourDs fits a mixture of Gaussians that needs more than its 100 iterations on some of the rounds.
@pytest.mark.filterwarnings("ignore:Best performing initialization did not converge")
@pytest.mark.parametrize("name", STRATEGIES)
def test_whole_loop_twice(noisy, model, name):
    """String labels, all is charged, other labels stay, the same seed asks the same questions."""
    X, y, y_noisy = noisy
    before = np.random.get_state()[1].copy(), torch.get_rng_state()
    runs = []
    for _ in range(2):
        cleaner = ActiveLabelCleaner(
            model, STRATEGIES[name], n_rounds=2, round_budget=4, trust="once", random_state=3
        )
        cleaner.fit(X, y_noisy, y_clean=y)
        runs.append([event.rows for event in cleaner.events_ if isinstance(event, Asked)])
    assert runs[0] == runs[1]
    asked = cleaner.relabelled_round_ > 0
    assert cleaner.history_["cost"].tolist() == [0, 4, 8] and asked.sum() == 8
    np.testing.assert_array_equal(cleaner.labels_, np.where(asked, y, y_noisy))
    np.testing.assert_array_equal(np.random.get_state()[1], before[0])
    assert torch.equal(torch.get_rng_state(), before[1])


class TestWhatStrategiesSee:
    def test_features_of_the_network_for_images(self):
        rng = np.random.default_rng(0)
        X, y = rng.normal(size=(60, 1, 6, 6)).astype(np.float32), np.repeat(["no", "yes"], 30)
        X[30:] += 0.7
        net = CoTeachingClassifier(forget_rate=0.2, max_epochs=4, batch_size=20, random_state=0)
        learner = ActiveLearner(net, from_skactiveml(pool.CoreSet()), X[::2], y[::2])
        features, centres = net.extract_features(X[1::2]), net.extract_features(X[::2])
        (index,), _ = learner.query(X[1::2])
        distances = cdist(features, centres).min(axis=1)
        assert distances[index] == pytest.approx(distances.max())

        for query_strategy in (pool.UncertaintySampling(), pool.Badge(), pool.Clue()):
            learner.query_strategy = from_skactiveml(query_strategy)
            indices, samples = learner.query(X[1::2], n_instances=3, random_state=0)
            np.testing.assert_array_equal(samples, X[1::2][indices])
        learner.query_strategy = from_skactiveml(pool.UncertaintySampling())
        as_dataset = torch.utils.data.TensorDataset(torch.from_numpy(X[1::2]))
        confidence = net.predict_proba(X[1::2]).max(axis=1)
        index = learner.query_strategy(learner, as_dataset)[0]
        assert confidence[index] == pytest.approx(confidence.min(), abs=1e-6)

    def test_what_reaches_the_last_step_of_a_pipeline(self, noisy):
        X, _, y_noisy = noisy
        frame = pd.DataFrame(X, columns=list("abcd")).assign(colour=np.repeat(["red", "blue"], 45))
        steps = make_column_transformer(
            (OneHotEncoder(sparse_output=False), ["colour"]), (StandardScaler(), list("abcd"))
        )
        model = make_pipeline(steps, LogisticRegression(max_iter=1000))
        learner = ActiveLearner(model, X_training=frame[:50], y_training=y_noisy[:50])
        rest, confidence = frame[50:], model.predict_proba(frame[50:]).max(axis=1)
        (index,) = from_skactiveml(pool.UncertaintySampling())(learner, rest)
        assert confidence[index] == confidence.min()
        centres, features = (steps.transform(part) for part in (frame[:50], rest))
        distances = cdist(features, centres).min(axis=1)
        (index,) = from_skactiveml(pool.CoreSet())(learner, rest)
        assert distances[index] == pytest.approx(distances.max())

    def test_nothing_is_refitted_to_the_few_trusted(self, noisy, model):
        X, _, y_noisy = noisy
        model.fit(X, y_noisy)
        learner = ActiveLearner(model, from_skactiveml(pool.UncertaintySampling()))
        confidence = model.predict_proba(X).max(axis=1)
        for learner.X_training, learner.y_training in [
            (X[:1], y_noisy[:1]),  # one class, which no classifier could be fitted to
            (None, None),
        ]:
            indices, _ = learner.query(X, n_instances=5)
            np.testing.assert_allclose(np.sort(confidence[indices]), np.sort(confidence)[:5])

    def test_estimator_that_knows_fewer_classes_than_were_taught(self, blobs, model):
        X, y = blobs
        learner = ActiveLearner(model, X_training=X[:40], y_training=y[:40])
        two = np.flatnonzero(y != "bee")
        learner.teach(X[two], y[two], only_new=True)
        for query_strategy in (pool.UncertaintySampling(), pool.ContrastiveAL()):
            learner.query_strategy = from_skactiveml(query_strategy)
            assert len(learner.query(X, n_instances=4)[0]) == 4

    def test_missing_label_and_classes_are_adapted(self, noisy, model):
        X, _, y_noisy = noisy
        learner = ActiveLearner(model, X_training=X[:50], y_training=y_noisy[:50])

        class Asks(pool.RandomSampling):
            def query(self, X, y, clf, batch_size):
                assert clf.classes == [2, 0, 1] and np.isnan(clf.missing_label)
                np.testing.assert_array_equal(clf.cost_matrix, costs)
                codes = np.searchsorted(CLASSES, y_noisy[:50])
                np.testing.assert_array_equal(y, np.append(codes, np.full(40, np.nan)))
                return super().query(X, y, batch_size=batch_size)

        costs = np.array([[0, 1, 5], [1, 0, 1], [9, 1, 0]])
        clf = ParzenWindowClassifier(
            classes=["fly", "ant", "bee"], cost_matrix=costs, missing_label=None
        )
        assert len(from_skactiveml(Asks(missing_label="?"), clf=clf)(learner, X[50:], 5)) == 5
        assert clf.missing_label is None  # what was given stays as it was
        with pytest.raises(ValueError, match="classes has labels.*zebra"):
            from_skactiveml(pool.Quire(["ant", "zebra"]))(learner, X[50:])

    def test_seed_reaches_what_draws_from_global_generators(self, noisy, model):
        X, _, y_noisy = noisy
        learner = ActiveLearner(model, X_training=X[:20], y_training=y_noisy[:20])
        algorithm = {"n_init": 1, "init": "random", "max_iter": 1}  # k-means, without a seed
        strategy = from_skactiveml(pool.Clue(cluster_algo_dict=algorithm))
        np.random.seed(1)
        before = np.random.get_state()[1].copy()
        first = strategy(learner, X[20:], 9, random_state=0)
        np.testing.assert_array_equal(np.random.get_state()[1], before)
        np.random.seed(2)
        np.testing.assert_array_equal(strategy(learner, X[20:], 9, random_state=0), first)
        assert strategy(learner, X[20:], 9, random_state=1).tolist() != first.tolist()

    def test_own_seed_counts(self, noisy, model):
        X, _, y_noisy = noisy
        learner = ActiveLearner(model, X_training=X[:50], y_training=y_noisy[:50])
        seeded = from_skactiveml(pool.RandomSampling(random_state=5))
        first, second = (seeded(learner, X[50:], 9, random_state=seed) for seed in (0, 1))
        np.testing.assert_array_equal(first, second)


class AlwaysRefits(pool.UncertaintySampling):
    def query(self, X, y, clf, **kwargs):
        return super().query(X, y, clone(clf).fit(X, y), fit_clf=False, **kwargs)


class TestObject:
    @pytest.mark.parametrize(
        "duplicate", [clone, copy.deepcopy, lambda strategy: pickle.loads(pickle.dumps(strategy))]
    )
    def test_copies(self, noisy, model, duplicate):
        X, _, y_noisy = noisy
        learner = ActiveLearner(model, X_training=X[:50], y_training=y_noisy[:50])
        strategy = from_skactiveml(pool.DiscriminativeAL(), discriminator=LINEAR)
        twin = duplicate(strategy)
        np.testing.assert_array_equal(
            twin(learner, X[50:], 7, random_state=0), strategy(learner, X[50:], 7, random_state=0)
        )
        assert "DiscriminativeAL" in repr(twin) and twin.__name__ == "DiscriminativeAL"

    def test_parameters_of_the_strategy_can_be_searched(self, model):
        cleaner = ActiveLabelCleaner(model, from_skactiveml(pool.UncertaintySampling()))
        twin = clone(cleaner).set_params(query_strategy__query_strategy__method="entropy")
        assert twin.query_strategy.query_strategy.method == "entropy"
        assert cleaner.query_strategy.query_strategy.method == "least_confident"

    def test_more_than_there_are_chooses_all(self, noisy, model):
        X, _, y_noisy = noisy
        learner = ActiveLearner(model, X_training=X[:80], y_training=y_noisy[:80])
        chosen = from_skactiveml(pool.CoreSet())(learner, X[80:], n_instances=99)
        assert sorted(chosen.tolist()) == list(range(10))

    def test_bad_input_is_refused_at_once(self):
        with pytest.raises(TypeError, match="SingleAnnotatorPoolQueryStrategy"):
            from_skactiveml(pool.UncertaintySampling)
        with pytest.raises(TypeError, match="SingleAnnotatorPoolQueryStrategy"):
            from_skactiveml("entropy")
        with pytest.raises(ValueError, match="DiscriminativeAL needs discriminator"):
            from_skactiveml(pool.DiscriminativeAL())
        with pytest.raises(ValueError, match="MonteCarloEER needs clf"):
            from_skactiveml(pool.MonteCarloEER())
        with pytest.raises(ValueError, match="regression"):
            from_skactiveml(pool.GreedySamplingTarget())
        with pytest.raises(ValueError, match="passes batch_size to the query of CoreSet itself"):
            from_skactiveml(pool.CoreSet(), batch_size=3)
        with pytest.raises(ValueError, match="query of CoreSet has no parameter clf"):
            from_skactiveml(pool.CoreSet(), clf=LINEAR)

    @pytest.mark.parametrize(
        ("query_strategy", "error", "message"),
        [
            (pool.DropQuery(), ValueError, "not in the data.*clf="),
            (AlwaysRefits(), TypeError, "fits classifiers of its own.*clf="),
            (pool.QueryByCommittee(), ValueError, "needs ensemble"),
        ],
    )
    def test_strategies_that_need_a_classifier_of_their_own(
        self, noisy, model, query_strategy, error, message
    ):
        X, _, y_noisy = noisy
        learner = ActiveLearner(model, X_training=X[:50], y_training=y_noisy[:50])
        with pytest.raises(error, match=message):
            from_skactiveml(query_strategy)(learner, X[50:])

    @pytest.mark.parametrize(("n_instances", "message"), [(0, "n_instances"), (1.5, "n_instances")])
    def test_bad_requests(self, noisy, model, n_instances, message):
        X, _, y_noisy = noisy
        learner = ActiveLearner(model, X_training=X[:50], y_training=y_noisy[:50])
        with pytest.raises(ValueError, match=message):
            from_skactiveml(pool.CoreSet())(learner, X[50:], n_instances)
