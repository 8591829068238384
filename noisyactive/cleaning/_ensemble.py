"""Cross-fitted ensemble: each classifier scores its held-out fold."""

from __future__ import annotations

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
from .._pipeline import features_of, last_step
from .._proba import aligned_proba
from .._rows import take_rows
from ._answer_model import learn_from_answers
from ._confident import assign_folds, assign_group_folds
from ._neighbours import Neighbours, comparable
from ._policy import LabelSnapshot, TrustPolicy

# A round trains on (N - 1) times the samples, and each model lacks 1 / N of them.
_N_FOLDS = 3
_SAVED = (
    "held_out_proba_", "label_posterior_", "clean_mask_", "transition_matrix_", "noise_rate_",
    "inverse_temperature_",
)  # fmt: skip


class CrossFitEnsemble(ClassifierMixin, BaseEstimator):
    """Cross-fitted classifiers that say which labels are right, and predict together.

    What `ActiveLabelCleaner` has as `estimator_` with ``trust="crossfit"``. Each classifier is
    trained without one fold of the samples and predicts the classes of that fold. A noise model is
    fitted to all given labels by these held-out probabilities; Bayes' rule then gives the
    probability that a label is the true one [1]_ [2]_. The expert's answers say how far that, the
    held-out probabilities themselves and the labels of similar samples are to be believed. Given
    labels that are more probably right than wrong are trained on, and the answers.

    Parameters
    ----------
    models : list of classifiers
        Fitted.
    folds : ndarray of int of shape (n_samples,)
        For each training sample, the classifier that was trained without it.
    classes : ndarray of shape (n_classes,)
        Sorted classes.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Class labels, sorted.
    held_out_proba_ : ndarray of shape (n_samples, n_classes)
        What the classifier that was trained without it predicts for each training sample.
    label_posterior_ : ndarray of shape (n_samples, n_classes)
        Probability of each class to be the true one of each training sample.
    clean_mask_ : ndarray of bool of shape (n_samples,)
        Given labels that are more probably right than wrong, whatever an expert answered.
    transition_matrix_ : ndarray of shape (n_classes, n_classes)
        Estimate of ``T[i, j] = P(given=j | true=i)``.
    noise_rate_ : float
        Expected share of the given labels that are wrong, by the posterior.
    inverse_temperature_ : float
        What the log-probabilities were multiplied by so that they fit the given labels best.

    References
    ----------
    .. [1] A. P. Dawid, A. M. Skene, "Maximum Likelihood Estimation of Observer Error-Rates Using
       the EM Algorithm", Applied Statistics, 1979, https://doi.org/10.2307/2346806
    .. [2] C. Northcutt, L. Jiang, I. Chuang, "Confident Learning: Estimating Uncertainty in Dataset
       Labels", Journal of Artificial Intelligence Research, 2021,
       https://doi.org/10.1613/jair.1.12125
    """

    held_out_proba_: NDArray[np.float64]
    label_posterior_: NDArray[np.float64]
    clean_mask_: NDArray[np.bool_]
    transition_matrix_: NDArray[np.float64]
    noise_rate_: float
    inverse_temperature_: float

    def __init__(self, models: list[Any], folds: NDArray[np.intp], classes: NDArray[Any]):
        self.models = models
        self.folds = folds
        self.classes = classes
        self.classes_ = classes

    def predict_proba(self, X: Any) -> NDArray[Any]:
        """Mean of the classifiers' probabilities, of shape (n_samples, n_classes)."""
        return np.mean([aligned_proba(model, X, self.classes) for model in self.models], axis=0)

    def predict(self, X: Any) -> NDArray[Any]:
        """Most probable class of each sample, of shape (n_samples,)."""
        return self.classes[self.predict_proba(X).argmax(axis=1)]

    @available_if(lambda self: all(hasattr(last_step(m), "extract_features") for m in self.models))
    def extract_features(self, X: Any) -> NDArray[Any]:
        """Features of all classifiers side by side, of shape (n_samples, n_features)."""
        return np.concatenate([features_of(model, X) for model in self.models], axis=1)

    def judge_labels(
        self,
        X: Any,
        given: NDArray[np.intp],
        true: NDArray[np.intp],
        neighbours: Neighbours | None = None,
        before: CrossFitEnsemble | None = None,
    ) -> CrossFitEnsemble:
        """Set the attributes that describe the labels of the training samples.

        Parameters
        ----------
        X : object of length n_samples
            Training samples.
        given : ndarray of int of shape (n_samples,)
            Their given labels, encoded.
        true : ndarray of int of shape (n_samples,)
            The expert's labels, encoded; -1 where there is none.
        neighbours : Neighbours, default=None
            Similar samples, whose labels count as evidence once there are answers.
        before : CrossFitEnsemble, default=None
            Ensemble whose noise rate and temperature the fit of the noise model starts from.

        Returns
        -------
        self
            The ensemble.
        """
        n_classes = len(self.classes)
        proba = np.zeros((len(given), n_classes))
        for fold, model in enumerate(self.models):
            rows = np.flatnonzero(self.folds == fold)
            proba[rows] = aligned_proba(model, take_rows(X, rows), self.classes)
        held_out, codes = torch.from_numpy(proba), torch.from_numpy(given)
        start = None if before is None else before._place
        noise = fit_noise(held_out, codes, _answers(true, n_classes), start)
        posterior = noise.posterior(held_out, codes).numpy()
        verified = true >= 0
        if verified.any():
            evidence = [proba]
            if neighbours is not None:
                labels = np.where(verified, true, given)
                evidence.append(neighbours.proba(labels, verified, n_classes))
            posterior = learn_from_answers(posterior, evidence, given, true)
        self.clean_mask_ = posterior[np.arange(len(given)), given] > 0.5
        posterior[verified] = np.eye(n_classes)[true[verified]]
        self.held_out_proba_ = proba
        self.label_posterior_ = posterior
        self.transition_matrix_ = noise.transition.numpy()
        self.noise_rate_ = float(1 - posterior[np.arange(len(given)), given].mean())
        self.inverse_temperature_ = noise.scale
        return self

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
    """``trust="crossfit"``: labels that a `CrossFitEnsemble` holds for right, and those verified.

    Which labels these are is decided again after every round.
    """

    single_model = False
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
        """Fit a clone of the template without each of the folds; judge the labels."""
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
        ensemble = CrossFitEnsemble(models, folds, training.classes)
        self.model = ensemble.judge_labels(training.X, codes, np.full(len(codes), -1))
        self._find_neighbours()

    def update(self, labels: LabelSnapshot, params: Any) -> None:
        """Train each classifier on the trusted labels outside its fold; judge the labels again.

        For two thirds of the epochs: a round then costs about twice as much as with one classifier.
        """
        before = self.model
        trusted, how = self.trusted(labels.verified), self.refit_of(params)
        how = replace(how, epochs=max(1, how.epochs * 2 // 3))
        codes = np.where(labels.verified, labels.codes, labels.given)
        models = []
        for fold, model in enumerate(before.models):
            rows = np.flatnonzero(trusted & (before.folds != fold))
            if _has_two_classes(codes[rows]):
                model = self.training.update(model, rows, codes, how, notes=labels.notes)
            models.append(model)
        true = np.where(labels.verified, labels.codes, -1)
        ensemble = CrossFitEnsemble(models, before.folds, before.classes)
        self.model = ensemble.judge_labels(
            self.training.X, labels.given, true, self._neighbours, before
        )

    def trusted(self, verified: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Labels that the ensemble holds for right, and those verified."""
        return self.model.clean_mask_ | verified

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
        if np.unique(folds).tolist() != list(range(len(models))):
            raise ValueError("The folds that were saved are not those of the models.")
        ensemble = CrossFitEnsemble(models, folds, self.training.classes)
        ensemble.held_out_proba_ = self._fitting(arrays["held_out_proba_"], "f", n, k)
        ensemble.label_posterior_ = self._fitting(arrays["label_posterior_"], "f", n, k)
        ensemble.clean_mask_ = self._fitting(arrays["clean_mask_"], "b", n)
        ensemble.transition_matrix_ = self._fitting(arrays["transition_matrix_"], "f", k, k)
        ensemble.noise_rate_ = float(self._fitting(arrays["noise_rate_"], "f"))
        ensemble.inverse_temperature_ = float(self._fitting(arrays["inverse_temperature_"], "f"))
        self.model = ensemble
        self._find_neighbours()

    def _find_neighbours(self) -> None:
        features = comparable(self.training.X)
        self._neighbours = None if features is None else Neighbours(features, self.model.folds)


def _has_two_classes(codes: NDArray[np.intp]) -> bool:
    return len(np.unique(codes)) > 1


def _answers(true: NDArray[np.intp], n_classes: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Rows with an answer and its likelihood by true class, of an expert who never errs."""
    rows = np.flatnonzero(true >= 0)
    return torch.from_numpy(rows), torch.from_numpy(np.eye(n_classes)[true[rows]])
