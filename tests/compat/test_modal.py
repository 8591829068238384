"""modAL's learner and committee, every method of them."""

import copy
import pickle
from functools import partial

import numpy as np
import pandas as pd
import pytest
import torch
from modAL.batch import uncertainty_batch_sampling
from modAL.disagreement import (
    KL_max_disagreement,
    consensus_entropy,
    consensus_entropy_sampling,
    max_disagreement_sampling,
    vote_entropy,
    vote_entropy_sampling,
)
from modAL.models import ActiveLearner as ModALLearner
from modAL.models import Committee as ModALCommittee
from modAL.uncertainty import (
    classifier_entropy,
    classifier_margin,
    classifier_uncertainty,
    uncertainty_sampling,
)
from scipy import sparse
from scipy.stats import entropy
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier
from torch import nn

from noisyactive import CoTeachingClassifier, CoTeachingVOGClassifier
from noisyactive.compat import ActiveLearner, Committee
from noisyactive.query import (
    bald_sampling,
    coreset_sampling,
    entropy_sampling,
    label_disagreement_sampling,
    label_disagreement_scores,
    least_confidence_sampling,
    margin_sampling,
    random_sampling,
)

KINDS = {
    "array": np.asarray,
    "frame": lambda X: pd.DataFrame(X, columns=list("abcd")),
    "list": lambda X: X.tolist(),
    "sparse": sparse.csr_matrix,
    "tensor": torch.as_tensor,
}


@pytest.mark.parametrize("kind", KINDS)
class TestKindsOfX:
    def test_learns_what_the_estimator_learns_by_itself(self, blobs, model, kind):
        X, y = blobs
        convert = KINDS[kind]
        learner = ActiveLearner(clone(model)).fit(convert(X[:30]), y[:30])
        learner.teach(convert(X[30:50]), y[30:50])
        learner.teach(convert(X[50:60]), y[50:60])
        expected = clone(model).fit(convert(X[:60]), y[:60])
        np.testing.assert_allclose(
            learner.predict_proba(convert(X)), expected.predict_proba(convert(X)), atol=1e-6
        )
        np.testing.assert_array_equal(learner.predict(convert(X)), expected.predict(convert(X)))
        assert learner.score(convert(X), y) == expected.score(convert(X), y)
        assert type(learner.X_training) is type(convert(X))

    def test_query_returns_the_samples_it_names(self, blobs, model, kind):
        X, y = blobs
        pool = KINDS[kind](X)
        learner = ActiveLearner(model, X_training=KINDS[kind](X[:30]), y_training=y[:30])
        indices, samples = learner.query(pool, n_instances=4)
        confidence = model.predict_proba(pool).max(axis=1)
        np.testing.assert_allclose(np.sort(confidence[indices]), np.sort(confidence)[:4])
        dense = samples.toarray() if sparse.issparse(samples) else np.asarray(samples)
        np.testing.assert_array_equal(dense, X[indices])
        assert type(samples) is type(pool)

    def test_bootstrap_draws_what_modal_draws(self, blobs, model, kind):
        X, y = blobs
        convert = KINDS[kind]
        np.random.seed(7)
        drawn = np.random.choice(range(40), 40, replace=True)
        expected = clone(model).fit(convert(X[drawn]), y[drawn]).predict_proba(convert(X))

        np.random.seed(7)
        start = {"X_training": convert(X[:40]), "y_training": y[:40], "bootstrap_init": True}
        at_first = ActiveLearner(clone(model), **start)
        np.random.seed(7)
        at_fit = ActiveLearner(clone(model)).fit(convert(X[:40]), y[:40], bootstrap=True)
        np.random.seed(7)
        on_new = ActiveLearner(clone(model)).fit(convert(X[40:]), y[40:])
        on_new.teach(convert(X[:40]), y[:40], bootstrap=True, only_new=True)
        for learner in (at_first, at_fit, on_new):
            np.testing.assert_allclose(learner.predict_proba(convert(X)), expected, atol=1e-6)


class TestActiveLearner:
    def test_is_modals(self, model):
        assert isinstance(ActiveLearner(model), ModALLearner)

    def test_chooses_what_modals_own_class_chooses(self, blobs, model):
        X, y = blobs
        own = ModALLearner(clone(model), X_training=X[:30], y_training=y[:30])
        ours = ActiveLearner(clone(model), X_training=X[:30], y_training=y[:30])
        for row in (0, 1):
            np.testing.assert_array_equal(
                ours.query(X, n_instances=5)[row], own.query(X, n_instances=5)[row]
            )

    def test_teach_only_new_fits_to_it_and_remembers_all(self, blobs, model):
        X, y = blobs
        learner = ActiveLearner(clone(model), X_training=X[:30], y_training=y[:30])
        learner.teach(X[30:60], y[30:60], only_new=True)
        expected = clone(model).fit(X[30:60], y[30:60])
        np.testing.assert_array_equal(learner.predict_proba(X), expected.predict_proba(X))
        assert len(learner.X_training) == len(learner.y_training) == 60

    @pytest.mark.parametrize("y_kind", [list, pd.Series, lambda y: np.asarray(y, dtype=object)])
    def test_kinds_of_y(self, blobs, model, y_kind):
        X, y = blobs
        learner = ActiveLearner(model, X_training=X[:30], y_training=y_kind(y[:30]))
        learner.teach(X[30:60], y_kind(y[30:60]))
        assert list(learner.y_training) == list(y[:60])
        assert learner.score(X, y) == clone(model).fit(X[:60], y[:60]).score(X, y)

    def test_frame_takes_rows_of_an_array(self, blobs, model):
        X, y = blobs
        frame = pd.DataFrame(X, columns=list("abcd"))
        learner = ActiveLearner(model, X_training=frame[:30], y_training=y[:30])
        learner.teach(X[30:60], y[30:60])
        np.testing.assert_array_equal(learner.X_training.to_numpy(), X[:60])

    def test_repr_names_what_was_set(self, model):
        text = repr(ActiveLearner(model, bootstrap_init=True))
        assert "LogisticRegression(max_iter=1000)" in text and "bootstrap_init=True" in text
        assert ActiveLearner(model)._repr_html_()

    @pytest.mark.parametrize(
        "duplicate", [clone, copy.deepcopy, lambda learner: pickle.loads(pickle.dumps(learner))]
    )
    def test_copies_predict_the_same(self, blobs, model, duplicate):
        X, y = blobs
        weights = np.arange(1.0, 31.0)
        learner = ActiveLearner(
            model, margin_sampling, X[:30], y[:30], on_transformed=True, sample_weight=weights
        )
        twin = duplicate(learner)
        assert twin.estimator is not learner.estimator
        assert twin.query_strategy is margin_sampling and twin.on_transformed
        np.testing.assert_array_equal(twin.predict_proba(X), learner.predict_proba(X))
        twin.teach(X[30:40], y[30:40])
        assert len(learner.X_training) == 30

    @pytest.mark.parametrize(
        "answer",
        [
            lambda X: np.array([3, 1]),
            lambda X: [3, 1],
            lambda X: (np.array([3, 1]), np.array([0.9, 0.8])),  # modAL 0.4.2
            lambda X: (np.array([3, 1]), X[[3, 1]]),  # before 0.4
        ],
        ids=["indices", "list", "metrics", "instances"],
    )
    def test_query_takes_every_convention_of_strategies(self, blobs, model, answer):
        X, _ = blobs
        indices, samples = ActiveLearner(model, lambda learner, X: answer(X)).query(X)
        assert np.asarray(indices).tolist() == [3, 1]
        np.testing.assert_array_equal(samples, X[[3, 1]])

    def test_query_of_one_index_and_of_a_made_up_sample(self, blobs, model):
        X, _ = blobs
        index, sample = ActiveLearner(model, lambda learner, X: np.argmax(X[:, 0])).query(X)
        np.testing.assert_array_equal(sample, X[index])
        made_up = ActiveLearner(model, lambda learner, X: (None, X.mean(axis=0))).query(X)
        assert made_up[0] is None
        np.testing.assert_array_equal(made_up[1], X.mean(axis=0))

    def test_on_transformed_uses_the_steps_of_the_pipeline(self, blobs):
        pytest.importorskip("numpy", minversion="2.0", reason="modAL's batches need np.bool")
        X, y = blobs
        X = X * [1, 1, 1, 1e6]  # the last feature alone decides raw distances
        pipe = make_pipeline(StandardScaler(), GaussianNB())
        kwargs = {"X_training": X[:30], "y_training": y[:30], "on_transformed": True}
        learner = ActiveLearner(pipe, uncertainty_batch_sampling, **kwargs)
        by_hand = ActiveLearner(GaussianNB(), uncertainty_batch_sampling)
        scaler = pipe[0]
        by_hand.fit(scaler.transform(X[:30]), y[:30])
        expected = by_hand.query(scaler.transform(X), n_instances=5)[0]
        np.testing.assert_array_equal(learner.query(X, n_instances=5)[0], expected)

    def test_bad_input_is_refused_and_changes_nothing(self, blobs, model):
        X, y = blobs
        with pytest.raises(TypeError, match="query_strategy must be callable"):
            ActiveLearner(model, "entropy")
        with pytest.raises(ValueError, match="X_training and y_training"):
            ActiveLearner(model, X_training=X)
        learner = ActiveLearner(model, X_training=X[:30], y_training=y[:30])
        with pytest.raises(ValueError, match="X does not go with"):
            learner.teach(X[30:40, :2], y[30:40])
        with pytest.raises(ValueError, match="inconsistent numbers of samples"):
            learner.teach(X[30:40], y[30:45])
        with pytest.raises(ValueError, match="NaN"):
            learner.teach(np.full((2, 4), np.nan), y[:2])
        assert len(learner.X_training) == len(learner.y_training) == 30
        frame = pd.DataFrame(X, columns=list("abcd"))
        learner.fit(frame, y)
        with pytest.raises(ValueError, match="X does not go with.*columns"):
            learner.teach(frame.rename(columns={"a": "z"}), y)

    def test_nan_where_it_is_allowed(self, blobs):
        X, y = blobs
        X = np.where(np.arange(4) == 0, np.nan, X)
        learner = ActiveLearner(DecisionTreeClassifier(), force_all_finite=False).fit(X, y)
        assert not clone(learner).force_all_finite
        assert learner.score(X, y) == 1


def disagreeing_committee(X, y, **params):
    """Members that were taught different samples, one of them without the first class."""
    without = np.flatnonzero(y != "ant")[:20]
    models = [LogisticRegression(max_iter=1000), GaussianNB(), DecisionTreeClassifier(max_depth=2)]
    rows = [np.arange(30), without, np.arange(30, 70)]
    members = [
        ActiveLearner(estimator, X_training=X[index], y_training=y[index])
        for estimator, index in zip(models, rows, strict=True)
    ]
    return Committee(members, **params)


class TestCommittee:
    def test_votes_are_those_of_the_members(self, blobs):
        X, y = blobs
        committee = disagreeing_committee(X, y)
        assert isinstance(committee, ModALCommittee)
        assert committee.classes_.tolist() == ["ant", "bee", "fly"]
        votes, proba = committee.vote(X), committee.vote_proba(X)
        assert proba.shape == (90, 3, 3)
        for member, learner in enumerate(committee):
            np.testing.assert_array_equal(votes[:, member], learner.predict(X))
            known = np.isin(committee.classes_, learner.estimator.classes_)
            np.testing.assert_array_equal(proba[:, member, known], learner.predict_proba(X))
            assert (proba[:, member, ~known] == 0).all()
        np.testing.assert_allclose(committee.predict_proba(X), proba.mean(axis=1))
        expected = committee.classes_[proba.mean(axis=1).argmax(axis=1)]
        np.testing.assert_array_equal(committee.predict(X), expected)
        assert committee.score(X, y) == (expected == y).mean()

    @pytest.mark.parametrize("convert", [np.asarray, np.ndarray.tolist])
    @pytest.mark.parametrize(
        ("strategy", "measure"),
        [
            (vote_entropy_sampling, vote_entropy),
            (consensus_entropy_sampling, consensus_entropy),
            (max_disagreement_sampling, KL_max_disagreement),
        ],
    )
    def test_strategies_of_committees(self, blobs, strategy, measure, convert):
        X, y = blobs
        committee = disagreeing_committee(X, y, query_strategy=strategy)
        # Counted here, from the members' own answers.
        proba = committee.vote_proba(X)
        if measure is vote_entropy:
            votes = np.stack([learner.predict(X) for learner in committee])
            shares = [(votes == label).mean(axis=0) for label in ("ant", "bee", "fly")]
            scores = entropy(shares, axis=0)
        elif measure is consensus_entropy:
            scores = entropy(proba.mean(axis=1), axis=1)
        else:
            consensus = proba.mean(axis=1)
            scores = np.max([entropy(p, consensus, axis=1) for p in proba.swapaxes(0, 1)], axis=0)
        indices, samples = committee.query(convert(X), n_instances=6)
        np.testing.assert_allclose(np.sort(scores[indices]), np.sort(scores)[-6:], atol=1e-12)
        np.testing.assert_allclose(measure(committee, X), scores, atol=1e-12)
        assert type(samples) is type(convert(X))

    def test_teach_reaches_every_member(self, blobs):
        X, y = blobs
        committee = disagreeing_committee(X, y)
        before = [learner.X_training for learner in committee]
        committee.teach(X[70:], y[70:])
        for known, learner in zip(before, committee, strict=True):
            assert len(learner.X_training) == len(known) + 20
            assert learner.estimator.classes_.tolist() == ["ant", "bee", "fly"]

    def test_fit_from_nothing_and_rebag(self, blobs):
        X, y = blobs
        members = [ActiveLearner(DecisionTreeClassifier(random_state=0)) for _ in range(3)]
        committee = Committee(members)
        with pytest.raises(NotFittedError):
            committee.vote_proba(X)
        assert committee.fit(X, y) is committee
        assert len({learner.estimator.tree_.node_count for learner in committee}) == 1

        np.random.seed(3)
        draws = [np.random.choice(range(90), 90, replace=True) for _ in range(3)]
        np.random.seed(3)
        committee.rebag()
        for rows, learner in zip(draws, committee, strict=True):
            expected = DecisionTreeClassifier(random_state=0).fit(X[rows], y[rows])
            np.testing.assert_array_equal(learner.predict(X), expected.predict(X))

    def test_labels_that_are_objects(self, blobs):
        X, y = blobs
        committee = disagreeing_committee(X, y.astype(object))
        assert committee.classes_.tolist() == ["ant", "bee", "fly"]
        assert committee.score(X, y.astype(object)) > 0.5

    @pytest.mark.parametrize(
        "duplicate", [clone, copy.deepcopy, lambda learner: pickle.loads(pickle.dumps(learner))]
    )
    def test_copies_predict_the_same(self, blobs, duplicate):
        X, y = blobs
        committee = disagreeing_committee(X, y)
        committee.learner_list.pop()  # a tree without seed, which a clone grows anew
        twin = duplicate(committee)
        np.testing.assert_array_equal(twin.predict_proba(X), committee.predict_proba(X))
        assert "GaussianNB()" in repr(twin)

    def test_members_must_be_of_this_package(self, model):
        with pytest.raises(TypeError, match="learner_list"):
            Committee([ModALLearner(model)])
        with pytest.raises(TypeError, match="learner_list"):
            Committee((ActiveLearner(model),))
        with pytest.raises(TypeError, match="query_strategy"):
            Committee([ActiveLearner(model)], "vote")


def network(in_channels, num_classes):
    return nn.Sequential(
        nn.Conv2d(in_channels, 6, 2),
        nn.ReLU(),
        nn.Flatten(),
        nn.Dropout(0.5),
        nn.Linear(54, num_classes),
    )


@pytest.fixture
def images():
    rng = np.random.default_rng(0)
    labels = np.repeat(["cat", "dog", "owl"], 20)
    X = rng.normal(size=(60, 1, 4, 4)).astype(np.float32)
    X[:20, :, :2] += 1
    X[20:40, :, 2:] += 1
    shuffled = rng.permutation(60)
    return X[shuffled], labels[shuffled]


QUICK = {"max_epochs": 5, "forget_rate": 0.2, "batch_size": 20, "random_state": 0}
NETS = {
    "coteaching": CoTeachingClassifier(network, **QUICK),
    "vog": CoTeachingVOGClassifier(network, warmup_epochs=1, vog_window=2, **QUICK),
}


# A handful of epochs: that VOG has hardly begun is not what is looked at.
@pytest.mark.filterwarnings("ignore:VOG was never used:UserWarning")
@pytest.mark.parametrize("net", NETS.values(), ids=NETS.keys())
class TestNetworksWithOurStrategies:
    def test_learner(self, images, net):
        X, y = images
        learner = ActiveLearner(clone(net), X_training=X[:30], y_training=y[:30])
        learner.teach(X[30:40], y[30:40])
        expected = clone(net).fit(X[:40], y[:40])
        np.testing.assert_array_equal(learner.predict_proba(X), expected.predict_proba(X))

        best_six = {
            uncertainty_sampling: classifier_uncertainty(learner, X),
            least_confidence_sampling: classifier_uncertainty(learner, X),
            margin_sampling: -classifier_margin(learner, X),
            entropy_sampling: classifier_entropy(learner, X),
        }
        for strategy, scores in best_six.items():
            learner.query_strategy = strategy
            indices, samples = learner.query(X, n_instances=6)
            np.testing.assert_allclose(
                np.sort(scores[indices]), np.sort(scores)[-6:], atol=1e-6, err_msg=str(strategy)
            )
            np.testing.assert_array_equal(samples, X[indices])

        learner.query_strategy = label_disagreement_sampling
        scores = label_disagreement_scores(y, learner.predict_proba(X))
        (index,), _ = learner.query(X, y=y)
        assert scores[index] == scores.max()

        learner.query_strategy = coreset_sampling
        features, centres = (learner.estimator.extract_features(part) for part in (X[40:], X[:40]))
        distances = np.linalg.norm(features[:, None] - centres, axis=2).min(axis=1)
        (index,), _ = learner.query(X[40:])
        assert distances[index] == pytest.approx(distances.max(), rel=1e-5)

        for strategy in (random_sampling, bald_sampling):
            learner.query_strategy = partial(strategy, random_state=0)
            first, again = (learner.query(X, n_instances=6)[0] for _ in range(2))
            assert len(set(first)) == 6
            np.testing.assert_array_equal(first, again)

    def test_committee(self, images, net):
        X, y = images
        members = [
            ActiveLearner(clone(net).set_params(random_state=seed), X_training=X, y_training=y)
            for seed in (0, 1)
        ]
        committee = Committee(members, entropy_sampling)
        indices, _ = committee.query(X, n_instances=6)
        scores = entropy(np.mean([member.predict_proba(X) for member in members], axis=0), axis=1)
        np.testing.assert_allclose(np.sort(scores[indices]), np.sort(scores)[-6:], atol=1e-6)
        assert committee.vote(X).shape == (60, 2)
        committee.teach(X[:10], y[:10])
        assert [len(member.X_training) for member in committee] == [70, 70]
