"""``trust="crossfit"``: labels judged anew after every round, by models that do not know them."""

import copy
import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.datasets import make_blobs
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from noisyactive import (
    ActiveLabelCleaner,
    CoTeachingClassifier,
    CoTeachingVOGClassifier,
    UniformLabelNoise,
)
from noisyactive._neighbours import Neighbours, comparable
from noisyactive._noise_model import fit_noise
from noisyactive._noise_posterior import NoiseModel
from noisyactive.cleaning import CrossFitEnsemble, _crossfit
from noisyactive.cleaning._answer_model import Answers, learn_from_answers, with_answers
from noisyactive.cleaning._ensemble import probably_right
from noisyactive.query import get_strategy, rare_entropy_scores

NET = CoTeachingVOGClassifier(
    max_epochs=6,
    forget_rate=0.3,
    ramp_epochs=2,
    warmup_epochs=2,
    vog_window=2,
    batch_size=32,
    random_state=1,
)


def start(data, model, strategy="rare_entropy", **settings):
    X, _, y_noisy = data
    settings = {
        "n_rounds": 4,
        "round_budget": 6,
        "random_state": 0,
        "fine_tune_epochs": 3,
        **settings,
    }
    cleaner = ActiveLabelCleaner(model, strategy, trust="crossfit", **settings)
    return cleaner.start(X, y_noisy)


def balanced():
    """What the logistic regression of these tests becomes with classes that count alike."""
    return LogisticRegression(max_iter=1000, class_weight="balanced")


def finish(cleaner, y):
    while len(rows := cleaner.query()):
        cleaner.teach(rows, y[rows])
    return cleaner


def test_no_model_knows_the_labels_that_it_judges():
    """One neighbour says of every sample it knows what its label is."""
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(300, 4)), rng.integers(3, size=300)  # nothing else can be learned
    cleaner = ActiveLabelCleaner(KNeighborsClassifier(1), trust="crossfit", random_state=0)
    with pytest.warns(UserWarning, match="tell nothing of their labels"):
        cleaner.start(X, y)
    ensemble = cleaner.estimator_
    for fold, model in enumerate(ensemble.latest):
        unknown = ensemble.folds == fold
        assert model.score(X[~unknown], y[~unknown]) == 1
        assert model.score(X[unknown], y[unknown]) < 0.6
    assert 0.2 < np.mean(unknown) < 0.5


def held_out(ensemble, X, models):
    """Mean of what those classifiers predict for each sample that were trained without it."""
    proba = np.zeros((len(X), len(ensemble.classes_)))
    for i, fold in enumerate(ensemble.folds):
        of_fold = models[fold :: max(ensemble.folds) + 1]
        proba[i] = np.mean([model.predict_proba(X[[i]])[0] for model in of_fold], axis=0)
    return proba


def trusted_one_by_one(right, codes):
    trusted = right > 0.5
    for code in set(codes.tolist()):
        of_class = [int(i) for i in np.flatnonzero(codes == code)]
        n_right = sum(right[of_class])
        least = math.ceil(n_right if n_right < 5 else 5 + (n_right - 5) / 2)
        trusted[sorted(of_class, key=lambda i: (-right[i], i))[:least]] = True
    return trusted


@given(
    st.lists(st.tuples(st.sampled_from([0, 0.125, 0.25, 0.5, 0.75, 1]), st.integers(0, 4))),
)
def test_of_each_class_some_labels_are_trusted_in_any_case(pairs):
    right = np.array([share for share, _ in pairs], dtype=float)
    codes = np.array([code for _, code in pairs], dtype=int)
    np.testing.assert_array_equal(probably_right(right, codes), trusted_one_by_one(right, codes))


def test_no_class_is_lost():
    codes = np.repeat([0, 1], [60, 40])
    right = np.concatenate([np.full(60, 0.9), np.linspace(0.1, 0.4, 40)])
    trusted = probably_right(right, codes)
    assert trusted[:60].all() and np.flatnonzero(trusted[60:]).tolist() == list(range(32, 40))


def test_the_judgement_is_that_of_the_noise_model(data, model):
    X, _, y_noisy = data
    ensemble = start(data, model).estimator_
    proba = held_out(ensemble, X, ensemble.models)
    np.testing.assert_allclose(ensemble.held_out_proba_, proba, atol=1e-6)
    codes = torch.from_numpy(y_noisy)
    noise = fit_noise(torch.from_numpy(proba), codes)
    posterior = noise.posterior(torch.from_numpy(proba), codes).numpy()
    # Found from another start: near the same mode.
    np.testing.assert_allclose(ensemble.label_posterior_, posterior, atol=0.02)
    np.testing.assert_allclose(ensemble.transition_matrix_, noise.transition, atol=0.01)
    assert type(ensemble.noise_rate_) is type(ensemble.inverse_temperature_) is float
    assert ensemble.inverse_temperature_ == pytest.approx(noise.scale, rel=0.05)
    np.testing.assert_array_equal(ensemble.label_prior_, ensemble.label_posterior_)
    right = ensemble.label_posterior_[np.arange(len(X)), y_noisy]
    assert ensemble.noise_rate_ == pytest.approx(1 - right.mean(), abs=1e-6)
    np.testing.assert_array_equal(ensemble.clean_mask_, trusted_one_by_one(right, y_noisy))
    assert not ensemble.doubted_answers_.any() and not len(ensemble.answer_error_rates_)
    mean = np.mean([m.predict_proba(X) for m in ensemble.models], axis=0)
    np.testing.assert_allclose(ensemble.predict_proba(X), mean)
    np.testing.assert_array_equal(ensemble.predict(X), mean.argmax(axis=1))


def test_it_starts_with_what_was_learned_from_all_labels_and_from_those_trusted(data, model):
    X, _, y_noisy = data
    ensemble = start(data, model).estimator_
    n_folds = max(ensemble.folds) + 1
    tuned, first = ensemble.models[:n_folds], ensemble.models[n_folds:]
    assert ensemble.latest == first  # rounds go on from these
    judged = CrossFitEnsemble(first, ensemble.folds, ensemble.classes_).predict_held_out(X)
    judged.judge_labels(y_noisy, y_noisy, Answers.none())
    assert 0.5 < judged.clean_mask_.mean() < 1
    for fold in range(n_folds):
        rows = ensemble.folds != fold
        again = clone(model).fit(X[rows], y_noisy[rows])
        np.testing.assert_allclose(first[fold].coef_, again.coef_, atol=1e-3)
        rows &= judged.clean_mask_
        again = balanced().fit(X[rows], y_noisy[rows])
        np.testing.assert_allclose(tuned[fold].coef_, again.coef_, atol=1e-3)


def test_answers_are_learned_from(data, model):
    X, y, y_noisy = data
    cleaner = start(data, model, pool="unverified")
    rows = cleaner.query()
    before = cleaner.estimator_
    expected = rare_entropy_scores(before.label_posterior_).argsort(kind="stable")[::-1]
    assert set(rows[:3]) == set(expected[:3])  # the others were picked by chance
    cleaner.teach(rows, y[rows]).query()
    after = cleaner.estimator_
    np.testing.assert_allclose(after.label_posterior_[rows], np.eye(3)[y[rows]], atol=1e-6)
    assert not after.clean_mask_[rows].all() and cleaner.clean_mask_[rows].all()
    np.testing.assert_array_equal(cleaner.labels_[rows], y[rows])
    assert after.models[:3] == before.latest
    # They change what is thought of the other labels before these are learned from.
    said = Answers(rows, np.zeros(6, dtype=int), y[rows], np.arange(6) >= 3)
    current = y_noisy.copy()
    current[rows] = y[rows]
    answered = np.isin(np.arange(len(y)), rows)
    neighbours = Neighbours(comparable(X), after.folds).proba(current, answered, 3)
    judged = copy.copy(before).hear(y_noisy, current, said, neighbours)
    learned = judged.clean_mask_
    learned[rows] = True
    assert learned.any() and not learned.all()
    for fold, fitted in enumerate(after.latest):  # each is one that was fitted to just these rows
        trained_on = learned & (after.folds != fold)
        again = balanced().fit(X[trained_on], current[trained_on])
        np.testing.assert_allclose(fitted.coef_, again.coef_, atol=1e-3)


@pytest.mark.parametrize("wrong", [0, 0.3])
def test_answers_of_an_expert_who_errs_are_doubted_and_weigh_less(wrong):
    rng = np.random.default_rng(0)
    X, y = make_blobs([400, 200, 200, 150, 150], n_features=4, cluster_std=2, random_state=0)
    y_noisy = UniformLabelNoise(0.3, random_state=0).fit_transform(y)
    errs = rng.random(len(y)) < wrong
    said = np.where(errs, (y + rng.integers(1, 5, size=len(y))) % 5, y)
    seen = []

    class Weighted(LogisticRegression):
        def fit(self, X, y, sample_weight=None):
            seen.append(sample_weight)
            return super().fit(X, y, sample_weight)

    cleaner = ActiveLabelCleaner(
        Weighted(max_iter=1000), "random", n_rounds=3, round_budget=100, class_balance=0
    )
    cleaner.set_params(random_state=0).fit(X, y_noisy, oracle=lambda rows, _: said[rows])
    assert cleaner.agreement_["error_rate"] == pytest.approx(wrong, abs=0.08)
    answered, doubted = cleaner.state_.verified, cleaner.estimator_.doubted_answers_
    assert answered.sum() == 300 and not doubted[~answered].any()
    np.testing.assert_array_equal(cleaner.labels_[answered], said[answered])  # as they were given
    assert not cleaner.clean_mask_[doubted].any() and cleaner.clean_mask_[answered & ~doubted].all()
    if wrong:
        assert errs[doubted].mean() > 0.9 and doubted[answered & errs].mean() > 0.6
        assert min(weight.min() for weight in seen if weight is not None) < 0.9
    else:
        assert not doubted.any()
        assert all(weight is None for weight in seen)


@pytest.mark.parametrize("model", [GaussianNB(), NET], ids=["naive Bayes", "network"])
def test_labels_trusted_at_first_may_be_asked_about_and_doubted(model):
    X, y = make_blobs([60, 40, 20], n_features=4, cluster_std=5.0, random_state=0)
    y_noisy = UniformLabelNoise(0.4, random_state=0).fit_transform(y)
    data = X.astype(np.float32), y, y_noisy
    cleaner = start(data, model, pool="unverified", n_rounds=6)
    trusted_at_first = cleaner.clean_mask_.copy()
    finish(cleaner, y)
    asked = cleaner.relabelled_round_ > 0
    assert asked.sum() == 36
    assert (asked & trusted_at_first).any()
    assert (trusted_at_first != cleaner.clean_mask_)[~asked].any()
    np.testing.assert_array_equal(cleaner.labels_[~asked], y_noisy[~asked])
    np.testing.assert_array_equal(cleaner.labels_[asked], y[asked])


def test_only_doubted_labels_are_asked_about_with_the_pool_of_the_noisy(data, model):
    _, y, _ = data
    cleaner = start(data, model, pool="untrusted")
    n_asked = 0
    while len(rows := cleaner.query()):
        assert not cleaner.clean_mask_[rows].any()
        n_asked += len(rows)
        cleaner.teach(rows, y[rows])
    assert n_asked == 24  # while there are such labels


def test_it_finds_more_of_what_is_right_than_it_trusts_by_mistake(data, model):
    _, y, y_noisy = data
    cleaner = finish(start(data, model, pool="unverified"), y)
    right = cleaner.labels_ == y
    assert right[cleaner.clean_mask_].mean() > 0.93 > (y_noisy == y).mean() + 0.15
    assert cleaner.clean_mask_[right].mean() > 0.9


def test_networks_are_tuned_and_their_features_are_side_by_side(data):
    X, y, _ = data
    cleaner = finish(start(data, NET, "coreset", n_rounds=2), y)
    ensemble = cleaner.estimator_
    assert isinstance(ensemble, CrossFitEnsemble)
    # The epochs of the first phase, and two thirds of 3 in each round.
    assert [len(m.history) for m in ensemble.models] == [6 + 2] * 3 + [6 + 2 * 2] * 3
    weights = [model.module_.networks[0].head.weight for model in ensemble.latest]
    assert not any(torch.equal(weights[i], weights[i - 1]) for i in range(3))
    n_features = ensemble.models[0].extract_features(X).shape[1]
    assert ensemble.extract_features(X).shape == (len(X), 3 * n_features)
    assert not hasattr(start(data, GaussianNB()).estimator_, "extract_features")


def test_groups_stay_together(data, model):
    X, _, y_noisy = data
    groups = np.arange(len(X)) // 4
    cleaner = ActiveLabelCleaner(model, trust="crossfit").start(X, y_noisy, groups=groups)
    folds = cleaner.estimator_.folds
    assert all(len(set(folds[groups == group])) == 1 for group in groups)


def test_sample_weights_and_pipelines(data):
    X, _, y_noisy = data
    pipeline = make_pipeline(StandardScaler(), LogisticRegression())
    weight = np.random.default_rng(0).random(len(X))
    cleaner = ActiveLabelCleaner(pipeline, trust="crossfit")
    ensemble = cleaner.fit(X, y_noisy, logisticregression__sample_weight=weight).estimator_
    for fold, model in enumerate(ensemble.latest):
        rows = ensemble.folds != fold
        alone = make_pipeline(StandardScaler(), LogisticRegression())
        alone.fit(X[rows], y_noisy[rows], logisticregression__sample_weight=weight[rows])
        np.testing.assert_allclose(model.predict_proba(X), alone.predict_proba(X), atol=1e-6)


def test_an_answer_that_is_taken_back_leaves_what_was_thought_of_the_given_label(data, model):
    _, y, y_noisy = data
    cleaner = start(data, model, pool="unverified")
    rows = cleaner.query()
    cleaner.teach(rows, y[rows]).query()
    right = cleaner.estimator_.clean_mask_
    wrong = [row for row in rows if not right[row]]
    assert wrong and cleaner.clean_mask_[wrong].all()
    cleaner.close_round().teach(wrong, [None] * len(wrong))
    np.testing.assert_array_equal(cleaner.labels_[wrong], y_noisy[wrong])
    assert not cleaner.clean_mask_[wrong].any()  # nor will it be trained on


@pytest.mark.parametrize("case", ["one of a class", "two groups", "a group of all but three"])
def test_folds_may_be_few_and_lack_classes(data, model, case):
    X, y, y_noisy = data
    groups = None
    if case == "one of a class":
        y = y_noisy = np.eye(1, len(X))[0].astype(int)
    else:
        groups = np.arange(len(X)) % 2 if case == "two groups" else np.r_[[0] * 112, 1, 2, 3]
    cleaner = ActiveLabelCleaner(
        model, trust="crossfit", pool="unverified", n_rounds=2, round_budget=3, random_state=0
    )
    cleaner.fit(X, y_noisy, y_clean=y, groups=groups)
    ensemble = cleaner.estimator_
    assert len(ensemble.models) == 2 * len(set(ensemble.folds))
    assert cleaner.history_["cost"].tolist() == [0, 3, 6]
    assert cleaner.n_features_in_ == 4


@pytest.mark.parametrize("seed", range(2))
def test_rounds_go_on_where_hardly_a_label_is_trusted(seed):
    rng = np.random.default_rng(seed)
    X, y = rng.normal(size=(40, 3)), (rng.random(40) < 0.1).astype(int)
    y[0] = 1
    cleaner = ActiveLabelCleaner(
        LogisticRegression(), "random", trust="crossfit", pool="unverified", round_budget=3
    ).set_params(random_state=seed)
    cleaner.fit(X, y, y_clean=y)
    assert cleaner.history_["cost"][-1] == 24


def test_features_behind_a_pipeline(data):
    X, _, _ = data
    cleaner = start(data, make_pipeline(StandardScaler(), NET), "coreset", n_rounds=2)
    models = cleaner.estimator_.latest
    expected = [m[-1].extract_features(m[0].transform(X)) for m in models]
    found = cleaner.estimator_.extract_features(X)
    np.testing.assert_allclose(found, np.concatenate(expected, axis=1), rtol=1e-6)


@pytest.mark.parametrize("refit", ["fine_tune", "scratch"])
@pytest.mark.parametrize("model", [LogisticRegression(max_iter=1000), NET], ids=["sklearn", "net"])
def test_a_resumed_run_is_the_uninterrupted_one(data, model, refit, tmp_path):
    X, y, _ = data
    settings = {"refit": refit, "n_rounds": 2, "pool": "unverified"}
    whole = finish(start(data, model, **settings), y)
    parts = start(data, model, journal=tmp_path / "run.db", **settings)
    for _ in range(2):
        rows = parts.query()
        parts.teach(rows, y[rows])
        parts.close()
        parts = start(data, model, journal=tmp_path / "run.db", **settings)
    finish(parts, y)
    np.testing.assert_array_equal(parts.predict_proba(X), whole.predict_proba(X))
    np.testing.assert_array_equal(parts.clean_mask_, whole.clean_mask_)
    np.testing.assert_array_equal(parts.relabelled_round_, whole.relabelled_round_)
    parts.close()


def test_a_resumed_run_looks_for_similar_samples_when_answers_come(data, tmp_path, monkeypatch):
    X, y, _ = data
    settings = {"n_rounds": 2, "pool": "unverified", "journal": tmp_path / "run.db"}
    run = start(data, NET, **settings)
    rows = run.query()
    run.close()
    searched = []
    monkeypatch.setattr(_crossfit, "Neighbours", lambda *a: searched.append(a) or Neighbours(*a))
    resumed = start(data, NET, **settings)
    np.testing.assert_array_equal(resumed.query(), rows)
    assert not searched
    resumed.teach(rows, y[rows]).query()
    assert len(searched) == 1
    resumed.close()


def test_an_estimated_forget_rate_will_do(data):
    model = CoTeachingClassifier(forget_rate="auto", max_epochs=6, warmup_epochs=3, ramp_epochs=1)
    rates = [m.forget_rate_ for m in start(data, model).estimator_.models]
    assert all(0 <= rate < 1 for rate in rates) and len(set(rates)) == 3


class Untrainable(CoTeachingClassifier):
    def fit(self, X, y=None, **fit_params):
        raise AssertionError("trained")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"strategy": "bald"}, '"bald" needs one network.*trust="once" one'),
        ({"refit": "continue"}, "chooses the labels to train on.*see trust"),
        ({"refit": "scratch", "lower_forget_rate": True}, "chooses the labels to train on"),
    ],
)
def test_what_it_cannot_do_is_refused_before_training(data, settings, message):
    with pytest.raises(ValueError, match=message):
        start(data, Untrainable(), **settings)


@pytest.mark.parametrize(("fine_tune_epochs", "expected"), [(1, 1), (2, 1), (6, 4)])
def test_clones_are_tuned_for_two_thirds_of_the_epochs(data, fine_tune_epochs, expected):
    _, y, _ = data
    calls = []

    class Counting(SGDClassifier):
        def partial_fit(self, X, y, *args, **kwargs):
            calls.append(id(self))
            return super().partial_fit(X, y, *args, **kwargs)

    model = Counting(loss="log_loss", alpha=0.1, random_state=0)  # sure ones: NaN before 1.8
    cleaner = start(data, model, fine_tune_epochs=fine_tune_epochs, n_rounds=1)
    calls.clear()
    finish(cleaner, y)
    assert len(calls) == 3 * expected


def test_later_rounds_judge_as_stated(data, model):
    """The noise model from where it was, answers, neighbours: put together by hand."""
    X, y, y_noisy = data
    cleaner = start(data, model, pool="unverified")
    rows = cleaner.query()
    before = cleaner.estimator_
    cleaner.teach(rows, y[rows]).query()
    after = cleaner.estimator_
    said = Answers(rows, np.zeros(6, dtype=int), y[rows], np.arange(6) >= 3)
    current = y_noisy.copy()
    current[rows] = y[rows]
    answered = np.isin(np.arange(len(y)), rows)
    votes = Neighbours(comparable(X), after.folds).proba(current, answered, 3)
    codes = torch.from_numpy(y_noisy)
    place = 1 - before.transition_matrix_[0, 0], before.inverse_temperature_
    # First by what the models before predicted, which tells how often the expert errs ...
    noise = NoiseModel(0, torch.from_numpy(before.transition_matrix_), before.inverse_temperature_,
                       torch.from_numpy(before.class_shift_))  # fmt: skip
    proba = before.held_out_proba_
    posterior = noise.posterior(torch.from_numpy(proba), codes).numpy()
    _, rates = learn_from_answers(posterior, [proba, votes], y_noisy, said)
    # ... then by the new ones.
    proba = held_out(after, X, after.latest)
    at, likelihood = said.log_likelihood(torch.from_numpy(np.maximum(rates, 0.05)), 3)
    noise = fit_noise(
        torch.from_numpy(proba), codes, (torch.from_numpy(at), likelihood.exp()), place
    )
    posterior = noise.posterior(torch.from_numpy(proba), codes).numpy()
    prior, rates = learn_from_answers(posterior, [proba, votes], y_noisy, said)
    expected = with_answers(prior, rates, said)
    np.testing.assert_allclose(after.held_out_proba_, proba, atol=1e-6)
    np.testing.assert_allclose(after.transition_matrix_, noise.transition, atol=1e-3)
    assert after.inverse_temperature_ == pytest.approx(noise.scale, abs=1e-3)
    np.testing.assert_allclose(after.label_prior_, prior, atol=2e-3)
    np.testing.assert_allclose(after.label_posterior_, expected, atol=2e-3)
    right = after.label_prior_[np.arange(len(y)), y_noisy]
    np.testing.assert_array_equal(after.clean_mask_, trusted_one_by_one(right, y_noisy))
    assert after.noise_rate_ == pytest.approx(
        1 - expected[np.arange(len(y)), y_noisy].mean(), abs=1e-4
    )


def test_samples_that_cannot_be_compared_are_judged_without_neighbours(data):
    X, y, y_noisy = data
    texts = [" ".join(f"w{i}{'high' if v > 0 else 'low'}" for i, v in enumerate(x)) for x in X]
    model = make_pipeline(CountVectorizer(), LogisticRegression())
    cleaner = finish(start((texts, y, y_noisy), model, n_rounds=2), y)
    posterior = cleaner.estimator_.label_posterior_
    np.testing.assert_allclose(posterior.sum(axis=1), 1)


def test_answers_show_noise_that_looks_like_doubt():
    """Labels near the border are wrong more often than not, which only answers can tell."""
    rng = np.random.default_rng(0)
    X = rng.uniform(-1, 1, size=(1500, 2))
    y = (X[:, 0] > 0).astype(int)
    y_noisy = np.where(np.abs(X[:, 0]) < 0.35, 1 - y, y)
    cleaner = ActiveLabelCleaner(
        RandomForestClassifier(50, min_samples_leaf=5, random_state=0),
        "random",
        n_rounds=1,
        round_budget=150,
        random_state=0,
    ).start(X, y_noisy)
    right = y_noisy == y
    at_first = right[cleaner.clean_mask_].mean()
    finish(cleaner, y)
    trusted = cleaner.estimator_.clean_mask_ & ~cleaner.state_.verified
    assert right[trusted].mean() > at_first + 0.05


@pytest.mark.parametrize("strategy", ["label_disagreement", "entropy"])
def test_strategies_see_probabilities_of_models_that_did_not_learn_the_labels(strategy):
    """Boosted trees know the labels of their own rows by heart: these tell nothing."""
    rng = np.random.default_rng(0)
    y = rng.integers(3, size=400)
    X = rng.normal(size=(400, 5)) + 3 * np.eye(3, 5)[y]
    wrong = rng.random(400) < 0.25
    y_noisy = np.where(wrong, (y + rng.integers(1, 3, size=400)) % 3, y)
    seen = []

    def strategy_that_looks(classifier, X, n_instances=1, **kwargs):
        seen.append((X, classifier.predict_proba(X), classifier.predict(X)))
        return get_strategy(strategy).function(classifier, X, n_instances, **kwargs)

    def spy(classifier, X, n_instances=1, *, y=None):
        own = {"y": y} if strategy == "label_disagreement" else {}
        return strategy_that_looks(classifier, X, n_instances, **own)

    model = HistGradientBoostingClassifier(max_iter=30, min_samples_leaf=2, random_state=0)
    cleaner = ActiveLabelCleaner(model, spy, n_rounds=1, round_budget=40, random_state=0)
    cleaner.start(X, y_noisy)
    rows = cleaner.query()
    ensemble = cleaner.estimator_
    pool, proba, predicted = seen[0]
    np.testing.assert_allclose(proba, held_out(ensemble, X, ensemble.models), atol=1e-6)
    np.testing.assert_array_equal(predicted, proba.argmax(axis=1))
    np.testing.assert_array_equal(pool, X)
    if strategy == "label_disagreement":
        assert wrong[rows[:20]].mean() > 0.7  # the others were picked by chance
