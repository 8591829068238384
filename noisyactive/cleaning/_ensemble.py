"""Cross-fitted ensemble: each classifier scores its held-out fold."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.dummy import DummyClassifier
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import _num_samples

from .._noise_model import fit_noise
from .._noise_posterior import NoiseModel
from .._pipeline import features_of, last_step
from .._proba import aligned_proba
from .._rows import take_rows
from ._answer_model import Answers, learn_from_answers, with_answers
from ._confident import assign_folds, assign_group_folds, tells_labels
from ._neighbours import Neighbours, comparable
from ._policy import LabelSnapshot, TrustPolicy

# A round trains on (N - 1) times the samples, and each model lacks 1 / N of them.
_N_FOLDS = 3
# Share of wrong answers that the noise model reckons with at least.
_LEAST_ERRORS = 0.05
# From fewer, chance is not told from a classifier that learns something.
_FEW_ROWS = 200
_SAVED = (
    "held_out_proba_", "label_prior_", "label_posterior_", "clean_mask_", "doubted_answers_",
    "answer_error_rates_", "transition_matrix_", "noise_rate_", "inverse_temperature_",
    "class_shift_",
)  # fmt: skip


class CrossFitEnsemble(ClassifierMixin, BaseEstimator):
    """Cross-fitted classifiers that say which labels are right, and predict together.

    What `ActiveLabelCleaner` has as `estimator_` with ``trust="crossfit"``. Each classifier is
    trained without one fold of the samples and predicts the classes of that fold. A noise model is
    fitted to all given labels by these held-out probabilities; Bayes' rule then gives the
    probability that a label is the true one [1]_ [2]_. Answers say how far that, the held-out
    probabilities themselves and the labels of similar samples are to be believed, and how often
    each annotator errs. Labels that are more probably right than wrong are trained on, given ones
    and answers; answers weigh as much as their probability, where the classifier takes weights and
    has no `class_weight` of its own. Predictions are the mean over the
    classifiers of the last two trainings, which is steadier than the last one alone.

    Parameters
    ----------
    models : list of classifiers
        Fitted: one for each fold, of one or several trainings. The last ones are those that the
        next training goes on from: the latest, or before any answer those of the first phase.
    folds : ndarray of int of shape (n_samples,)
        Fold of each training sample: of each training, the classifier that did not see it.
    classes : ndarray of shape (n_classes,)
        Sorted classes.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Class labels, sorted.
    held_out_proba_ : ndarray of shape (n_samples, n_classes)
        What classifiers that were trained without it predict for each training sample: the
        `latest`, and before any answer the mean of both trainings.
    label_prior_ : ndarray of shape (n_samples, n_classes)
        Probability of each class to be the true one of each training sample, by its given label,
        the models and its neighbours, whatever an annotator said of it.
    label_posterior_ : ndarray of shape (n_samples, n_classes)
        The same, and by what annotators said of it.
    clean_mask_ : ndarray of bool of shape (n_samples,)
        Given labels that are more probably right than wrong, whatever an annotator said of them.
    doubted_answers_ : ndarray of bool of shape (n_samples,)
        Rows whose label an annotator gave, and that is more probably wrong.
    answer_error_rates_ : ndarray of shape (n_annotators,)
        Share of wrong answers of each annotator, in the order of ``state_.n_answers``, as far as
        they are known.
    transition_matrix_ : ndarray of shape (n_classes, n_classes)
        Estimate of ``T[i, j] = P(given=j | true=i)``.
    noise_rate_ : float
        Expected share of the given labels that are wrong, by the posterior.
    inverse_temperature_ : float
        What the log-probabilities were multiplied by so that they fit the given labels best.
    class_shift_ : ndarray of shape (n_classes,)
        What was then added to those of each class.

    References
    ----------
    .. [1] A. P. Dawid, A. M. Skene, "Maximum Likelihood Estimation of Observer Error-Rates Using
       the EM Algorithm", Applied Statistics, 1979, https://doi.org/10.2307/2346806
    .. [2] C. Northcutt, L. Jiang, I. Chuang, "Confident Learning: Estimating Uncertainty in Dataset
       Labels", Journal of Artificial Intelligence Research, 2021,
       https://doi.org/10.1613/jair.1.12125
    """

    held_out_proba_: NDArray[np.float64]
    label_prior_: NDArray[np.float64]
    label_posterior_: NDArray[np.float64]
    clean_mask_: NDArray[np.bool_]
    doubted_answers_: NDArray[np.bool_]
    answer_error_rates_: NDArray[np.float64]
    transition_matrix_: NDArray[np.float64]
    noise_rate_: float
    inverse_temperature_: float
    class_shift_: NDArray[np.float64]

    def __init__(self, models: list[Any], folds: NDArray[np.intp], classes: NDArray[Any]):
        self.models = models
        self.folds = folds
        self.classes = classes
        self.classes_ = classes

    @property
    def n_folds(self) -> int:
        """Number of folds."""
        return int(self.folds.max()) + 1

    @property
    def latest(self) -> list[Any]:
        """The last classifiers, one for each fold: those that the next training goes on from."""
        return self.models[-self.n_folds :]

    def predict_proba(self, X: Any) -> NDArray[Any]:
        """Mean of the classifiers' probabilities, of shape (n_samples, n_classes)."""
        return np.mean([aligned_proba(model, X, self.classes) for model in self.models], axis=0)

    def predict(self, X: Any) -> NDArray[Any]:
        """Most probable class of each sample, of shape (n_samples,)."""
        return self.classes[self.predict_proba(X).argmax(axis=1)]

    @available_if(lambda self: all(hasattr(last_step(m), "extract_features") for m in self.models))
    def extract_features(self, X: Any) -> NDArray[Any]:
        """Features of the `latest` classifiers side by side, of shape (n_samples, n_features)."""
        return np.concatenate([features_of(model, X) for model in self.latest], axis=1)

    def predict_held_out(self, X: Any, models: list[Any] | None = None) -> CrossFitEnsemble:
        """Set `held_out_proba_`.

        Parameters
        ----------
        X : object of length n_samples
            Training samples.
        models : list of classifiers, default=None
            Those to ask, one for each fold, of one or several trainings. None: the `latest`.

        Returns
        -------
        self
            The ensemble.
        """
        models = self.latest if models is None else models
        self.held_out_proba_ = np.zeros((len(self.folds), len(self.classes)))
        for fold in range(self.n_folds):
            rows = np.flatnonzero(self.folds == fold)
            samples = take_rows(X, rows)
            for model in models[fold :: self.n_folds]:
                self.held_out_proba_[rows] += aligned_proba(model, samples, self.classes)
        self.held_out_proba_ *= self.n_folds / len(models)
        return self

    def judge_labels(
        self,
        given: NDArray[np.intp],
        current: NDArray[np.intp],
        answers: Answers,
        neighbours: Neighbours | None = None,
        before: CrossFitEnsemble | None = None,
    ) -> CrossFitEnsemble:
        """Set the attributes that describe the labels of the training samples.

        Parameters
        ----------
        given : ndarray of int of shape (n_samples,)
            Given labels, encoded.
        current : ndarray of int of shape (n_samples,)
            Labels as they are now: the annotators' where there are answers.
        answers : Answers
            What annotators said.
        neighbours : Neighbours, default=None
            Similar samples, whose labels count as evidence once there are answers.
        before : CrossFitEnsemble, default=None
            Ensemble whose noise rate, temperature and rates of wrong answers the fit of the noise
            model starts from.

        Returns
        -------
        self
            The ensemble.
        """
        # What was said wrongly must not bend the noise model before it is known to be wrong.
        rates = np.full(answers.n_annotators, _LEAST_ERRORS)
        if before is not None:
            known = before.answer_error_rates_[: len(rates)]
            rates[: len(known)] = np.maximum(known, _LEAST_ERRORS)
        rows, likelihood = answers.log_likelihood(torch.from_numpy(rates), len(self.classes))
        answered = torch.from_numpy(rows), likelihood.exp()
        place = None if before is None else before._place
        held_out, codes = torch.from_numpy(self.held_out_proba_), torch.from_numpy(given)
        self._noise = fit_noise(held_out, codes, answered, place)
        return self.hear(given, current, answers, neighbours)

    def hear(
        self,
        given: NDArray[np.intp],
        current: NDArray[np.intp],
        answers: Answers,
        neighbours: Neighbours | None = None,
    ) -> CrossFitEnsemble:
        """Set the attributes that describe the labels, by the noise model that there is.

        Parameters
        ----------
        given, current, answers, neighbours
            As for `judge_labels`.

        Returns
        -------
        self
            The ensemble.
        """
        n_classes, every = len(self.classes), np.arange(len(given))
        answered = np.zeros(len(given), dtype=bool)
        answered[answers.rows] = True
        evidence = [self.held_out_proba_]
        if neighbours is not None and answered.any():
            evidence.append(neighbours.proba(current, answered, n_classes))
        held_out, codes = torch.from_numpy(self.held_out_proba_), torch.from_numpy(given)
        prior, rates = learn_from_answers(
            self._noise.posterior(held_out, codes).numpy(), evidence, given, answers
        )
        posterior = with_answers(prior, rates, answers)
        self.label_prior_, self.label_posterior_ = prior, posterior
        self.clean_mask_ = prior[every, given] > 0.5
        self.doubted_answers_ = answered & (posterior[every, current] <= 0.5)
        self.answer_error_rates_ = rates
        self.noise_rate_ = float(1 - posterior[every, given].mean())
        return self

    @property
    def _noise(self) -> NoiseModel:
        """The noise model."""
        transition = torch.from_numpy(self.transition_matrix_)
        shift = torch.from_numpy(self.class_shift_)
        return NoiseModel(1 - float(transition[0, 0]), transition, self.inverse_temperature_, shift)

    @_noise.setter
    def _noise(self, noise: NoiseModel) -> None:
        self.transition_matrix_ = noise.transition.numpy()
        self.inverse_temperature_ = noise.scale
        self.class_shift_ = noise.shift.numpy()

    @property
    def _place(self) -> tuple[float, float]:
        """Where the noise model is, for the next fit to start from."""
        return 1 - float(self.transition_matrix_[0, 0]), self.inverse_temperature_

    @property
    def n_features_in_(self) -> int:
        """Number of features, where the classifiers say so."""
        return self.models[0].n_features_in_

    @property
    def feature_names_in_(self) -> NDArray[Any]:
        """Names of the features, where the classifiers say so."""
        return self.models[0].feature_names_in_


class CrossFitted(TrustPolicy):
    """``trust="crossfit"``: labels that a `CrossFitEnsemble` holds for right, answers included.

    Which labels these are is decided again after every round.
    """

    single_model = False
    random_share = 0.5
    model: CrossFitEnsemble
    _neighbours: Neighbours | None

    @classmethod
    def check(cls, params: Any) -> None:
        """Refuse training that goes on with the labels of the first phase."""
        if params.refit == "continue" or params.lower_forget_rate:
            raise ValueError(
                'trust="crossfit" chooses the labels to train on after each round: it needs '
                'refit="fine_tune" or "scratch" and no lower_forget_rate, got '
                f"refit={params.refit!r} and lower_forget_rate={params.lower_forget_rate!r}; see "
                'trust="once".'
            )

    def start(self, codes: NDArray[np.intp], params: Any, rng: np.random.RandomState) -> None:
        """Fit a clone of the template without each of the folds; judge, learn, judge again."""
        training = self.training
        folds = (
            assign_folds(codes, _N_FOLDS, rng)
            if training.groups is None
            else assign_group_folds(codes, training.groups, _N_FOLDS, rng)
        )
        folds = np.unique(folds, return_inverse=True)[1]  # few groups make fewer folds
        models = []
        for fold in range(folds.max() + 1):
            rows = np.flatnonzero(folds != fold)
            if _has_two_classes(codes[rows]):
                models.append(training.fit(rows, codes))
            else:
                X, y = take_rows(training.X, rows), training.classes[codes[rows]]
                models.append(DummyClassifier(strategy="prior").fit(X, y))
        first = CrossFitEnsemble(models, folds, training.classes).predict_held_out(training.X)
        first.judge_labels(codes, codes, Answers.none())
        if len(codes) >= _FEW_ROWS and not tells_labels(first.held_out_proba_, codes):
            warnings.warn(
                "The classifier's predictions for samples that it was not trained on tell nothing "
                "of their labels. It cannot judge which labels are wrong, nor whom to ask about, "
                "and answers will correct the labels asked about and little else. Do samples and "
                "labels belong together, and does the classifier suit them (scale, features)?",
                UserWarning,
                stacklevel=2,
            )
        self._find_neighbours(folds)
        tuned = self._train(
            first, codes, first.clean_mask_, params, None, {"round": 0, "answers": 0}
        )
        # Rounds go on from the first ones: answers may tell that others learned wrong labels.
        both = [*tuned, *models]
        ensemble = CrossFitEnsemble(both, folds, first.classes).predict_held_out(training.X, both)
        self.model = ensemble.judge_labels(codes, codes, Answers.none(), before=first)

    def update(self, labels: LabelSnapshot, params: Any) -> None:
        """Judge the labels by new answers; train on those trusted; judge the labels again."""
        said = labels.given, labels.codes, labels.answers
        before = copy.copy(self.model).hear(*said, self._neighbours)
        right = before.label_posterior_[np.arange(len(labels.codes)), labels.codes]
        certain = right[labels.verified].min(initial=1) > 0.999
        weight = None if certain else np.where(labels.verified, right, 1)
        models = self._train(before, labels.codes, right > 0.5, params, weight, labels.notes)
        ensemble = CrossFitEnsemble([*before.latest, *models], before.folds, before.classes)
        ensemble.predict_held_out(self.training.X)
        self.model = ensemble.judge_labels(*said, self._neighbours, before)

    def _train(
        self,
        before: CrossFitEnsemble,
        codes: NDArray[np.intp],
        trusted: NDArray[np.bool_],
        params: Any,
        weight: NDArray[np.float64] | None,
        notes: Mapping[str, int],
    ) -> list[Any]:
        """Train each of the latest classifiers on the trusted labels outside its fold.

        For two thirds of the epochs: a round then costs about twice as much as with one classifier.
        """
        how = self.refit_of(params)
        how = replace(how, epochs=max(1, how.epochs * 2 // 3))
        models = []
        for fold, model in enumerate(before.latest):
            rows = np.flatnonzero(trusted & (before.folds != fold))
            if _has_two_classes(codes[rows]):
                model = self.training.update(model, rows, codes, how, weight=weight, notes=notes)
            models.append(model)
        return models

    def trusted(self, verified: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Labels that the ensemble holds for right, and those verified that it does not doubt."""
        return np.where(verified, ~self.model.doubted_answers_, self.model.clean_mask_)

    def untrusted(self, verified: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """All others."""
        return ~self.trusted(verified)

    @property
    def held_out_proba(self) -> NDArray[np.float64]:
        """The ensemble's `held_out_proba_`."""
        return self.model.held_out_proba_

    @property
    def posterior(self) -> NDArray[np.float64]:
        """The ensemble's `label_posterior_`."""
        return self.model.label_posterior_

    @property
    def prior(self) -> NDArray[np.float64]:
        """The ensemble's `label_prior_`."""
        return self.model.label_prior_

    @property
    def error_rates(self) -> NDArray[np.float64]:
        """The ensemble's `answer_error_rates_`."""
        return self.model.answer_error_rates_

    def doubted(self) -> NDArray[np.intp]:
        """The ensemble's `doubted_answers_`."""
        return np.flatnonzero(self.model.doubted_answers_)

    def can_update(self, labels: LabelSnapshot) -> bool:
        """Always: a classifier without two classes to train on stays as it is."""
        return True

    def depends_on_past(self, params: Any) -> bool:
        """Always: which labels are trusted depends on the ensemble before."""
        return True

    def get_state(self) -> tuple[list[Any], dict[str, NDArray[Any]]]:
        """The classifiers, their folds, and the attributes that describe the labels."""
        arrays = {name: np.asarray(getattr(self.model, name)) for name in _SAVED}
        return self.model.models, {"folds": self.model.folds, **arrays}

    def set_state(self, models: list[Any], arrays: Mapping[str, NDArray[Any]]) -> None:
        """Restore what `get_state` returned."""
        n, k = _num_samples(self.training.X), len(self.training.classes)
        folds = self._fitting(arrays["folds"], "i", n)
        n_folds = len(np.unique(folds))
        if folds.max(initial=-1) != n_folds - 1 or len(models) % n_folds:
            raise ValueError("The folds that were saved are not those of the models.")
        ensemble = CrossFitEnsemble(models, folds, self.training.classes)
        ensemble.held_out_proba_ = self._fitting(arrays["held_out_proba_"], "f", n, k)
        ensemble.label_prior_ = self._fitting(arrays["label_prior_"], "f", n, k)
        ensemble.answer_error_rates_ = self._fitting(
            arrays["answer_error_rates_"], "f", arrays["answer_error_rates_"].size
        )
        ensemble.label_posterior_ = self._fitting(arrays["label_posterior_"], "f", n, k)
        ensemble.clean_mask_ = self._fitting(arrays["clean_mask_"], "b", n)
        ensemble.doubted_answers_ = self._fitting(arrays["doubted_answers_"], "b", n)
        ensemble.transition_matrix_ = self._fitting(arrays["transition_matrix_"], "f", k, k)
        ensemble.class_shift_ = self._fitting(arrays["class_shift_"], "f", k)
        ensemble.noise_rate_ = float(self._fitting(arrays["noise_rate_"], "f"))
        ensemble.inverse_temperature_ = float(self._fitting(arrays["inverse_temperature_"], "f"))
        self.model = ensemble
        self._find_neighbours(folds)

    def _find_neighbours(self, folds: NDArray[np.intp]) -> None:
        features = comparable(self.training.X)
        self._neighbours = None if features is None else Neighbours(features, folds)


def _has_two_classes(codes: NDArray[np.intp]) -> bool:
    return len(np.unique(codes)) > 1
