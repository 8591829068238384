"""Models that each do not know a part of the labels, and judge that part."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.dummy import DummyClassifier
from sklearn.utils.metaestimators import available_if

from .._pipeline import last_step
from .._rows import take_rows
from ..coteaching._noise_model import fit_noise
from ..query._coreset import features_of
from ._confident import deal_out, deal_out_groups
from ._learner import aligned_proba
from ._trainer import Trainer

# A round trains on (N - 1) times the samples, and each model lacks 1 / N of them.
_N_FOLDS = 3
_JUDGEMENT = (
    "label_posterior_",
    "clean_mask_",
    "transition_matrix_",
    "noise_rate_",
    "scale_",
)


class CrossFitEnsemble(ClassifierMixin, BaseEstimator):
    """Classifiers that were each trained without one fold of the samples; they predict together.

    What `ActiveLabelCleaner` has as `estimator_` with ``trust="crossfit"``. Of every sample, the
    classifier that does not know its label says how probable the classes are; a model of the noise
    is fitted to all given labels, and by Bayes' rule says which label is the true one [1]_ [2]_.
    Given labels that are more probably right than wrong are learned, and answers of the expert.

    Parameters
    ----------
    models : list of classifiers
        Fitted.
    folds : ndarray of int of shape (n_samples,)
        For each training sample, the classifier that does not know it.
    classes : ndarray of shape (n_classes,)
        Sorted classes.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Class labels, sorted.
    label_posterior_ : ndarray of shape (n_samples, n_classes)
        Probability of each class to be the true one of each training sample.
    clean_mask_ : ndarray of bool of shape (n_samples,)
        Given labels that are more probably right than wrong, whatever an expert said of them.
    transition_matrix_ : ndarray of shape (n_classes, n_classes)
        Estimate of ``T[i, j] = P(given=j | true=i)``.
    noise_rate_ : ndarray of shape ()
        Estimate of the share of wrong labels.
    scale_ : ndarray of shape ()
        What the classifiers' log-probabilities were multiplied with to fit the given labels.

    References
    ----------
    .. [1] A. P. Dawid, A. M. Skene, "Maximum Likelihood Estimation of Observer Error-Rates Using
       the EM Algorithm", Applied Statistics, 1979, https://doi.org/10.2307/2346806
    .. [2] C. Northcutt, L. Jiang, I. Chuang, "Confident Learning: Estimating Uncertainty in Dataset
       Labels", Journal of Artificial Intelligence Research, 2021,
       https://doi.org/10.1613/jair.1.12125
    """

    label_posterior_: NDArray[np.float64]
    clean_mask_: NDArray[np.bool_]
    transition_matrix_: NDArray[np.float64]
    noise_rate_: NDArray[np.float64]
    scale_: NDArray[np.float64]

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

    def judge(
        self,
        X: Any,
        given: NDArray[np.intp],
        true: NDArray[np.intp],
        before: CrossFitEnsemble | None = None,
    ) -> CrossFitEnsemble:
        """Judge the labels of the training samples.

        Parameters
        ----------
        X : object of length n_samples
            Training samples.
        given : ndarray of int of shape (n_samples,)
            Their given labels, encoded.
        true : ndarray of int of shape (n_samples,)
            What an expert said of them, -1 where nobody was asked.
        before : CrossFitEnsemble, default=None
            Whose noise rate and scale the fit of the noise starts from.

        Returns
        -------
        self
            The ensemble.
        """
        proba = np.zeros((len(given), len(self.classes)))
        for fold, model in enumerate(self.models):
            rows = np.flatnonzero(self.folds == fold)
            proba[rows] = aligned_proba(model, take_rows(X, rows), self.classes)
        held_out, codes = torch.from_numpy(proba), torch.from_numpy(given)
        start = None if before is None else (float(before.noise_rate_), float(before.scale_))
        noise = fit_noise(held_out, codes, torch.from_numpy(true), start)
        posterior = noise.posterior(held_out, codes).numpy()
        self.clean_mask_ = posterior[np.arange(len(given)), given] > 0.5
        verified = true >= 0
        posterior[verified] = np.eye(len(self.classes))[true[verified]]
        self.label_posterior_ = posterior
        self.transition_matrix_ = noise.transition.numpy()
        self.noise_rate_, self.scale_ = np.array(noise.rate), np.array(noise.scale)
        return self

    @property
    def n_features_in_(self) -> int:
        """Number of features, where the classifiers say so."""
        return self.models[0].n_features_in_

    @property
    def feature_names_in_(self) -> NDArray[Any]:
        """Names of the features, where the classifiers say so."""
        return self.models[0].feature_names_in_


def cross_fit(
    trainer: Trainer, given: NDArray[np.intp], rng: np.random.RandomState
) -> CrossFitEnsemble:
    """Fit clones of a template, each without one fold, and let them judge the labels.

    Parameters
    ----------
    trainer : Trainer
        Template and samples.
    given : ndarray of int of shape (n_samples,)
        Given labels, encoded.
    rng : RandomState
        Deals the samples out.

    Returns
    -------
    CrossFitEnsemble
        Fitted.
    """
    folds = (
        deal_out(given, _N_FOLDS, rng)
        if trainer.groups is None
        else deal_out_groups(given, trainer.groups, _N_FOLDS, rng)
    )
    folds = np.unique(folds, return_inverse=True)[1]  # few groups make fewer folds
    models = []
    for fold in range(folds.max() + 1):
        rows = np.flatnonzero(folds != fold)
        if _can_be_learned(given[rows]):
            models.append(trainer.fit(rows, given))
        else:
            X, y = take_rows(trainer.X, rows), trainer.classes[given[rows]]
            models.append(DummyClassifier(strategy="prior").fit(X, y))
    ensemble = CrossFitEnsemble(models, folds, trainer.classes)
    return ensemble.judge(trainer.X, given, np.full(len(given), -1))


def update(
    trainer: Trainer,
    ensemble: CrossFitEnsemble,
    given: NDArray[np.intp],
    true: NDArray[np.intp],
    how: Mapping[str, Any],
) -> CrossFitEnsemble:
    """An ensemble brought up to date with answers and with its own judgement.

    Its classifiers are tuned for two thirds of the epochs: so a round costs about twice as much as
    one with a single classifier.

    Parameters
    ----------
    trainer : Trainer
        Template and samples.
    ensemble : CrossFitEnsemble
        Not changed.
    given, true : ndarray of int of shape (n_samples,)
        As for `CrossFitEnsemble.judge`.
    how : mapping of str to object
        Parameters of `Trainer.update`.

    Returns
    -------
    CrossFitEnsemble
        With a judgement of its own.
    """
    verified = true >= 0
    codes, learned = np.where(verified, true, given), verified | ensemble.clean_mask_
    how = {**how, "epochs": max(1, how["epochs"] * 2 // 3)}
    models = []
    for fold, model in enumerate(ensemble.models):
        rows = np.flatnonzero(learned & (ensemble.folds != fold))
        enough = _can_be_learned(codes[rows])
        models.append(trainer.update(model, rows, codes, **how) if enough else model)
    updated = CrossFitEnsemble(models, ensemble.folds, ensemble.classes)
    return updated.judge(trainer.X, given, true, ensemble)


def taken_apart(model: Any) -> tuple[list[Any], dict[str, NDArray[Any]]]:
    """Classifiers that a model consists of, and the arrays that it holds beside them."""
    if not isinstance(model, CrossFitEnsemble):
        return [model], {}
    judgement = {name: getattr(model, name) for name in _JUDGEMENT}
    return model.models, {"folds": model.folds, **judgement}


def put_together(
    models: list[Any], arrays: Mapping[str, NDArray[Any]], classes: NDArray[Any]
) -> Any:
    """The model that was `taken_apart`."""
    if not arrays:
        return models[0]
    ensemble = CrossFitEnsemble(models, arrays["folds"], classes)
    for name in _JUDGEMENT:
        setattr(ensemble, name, arrays[name])
    return ensemble


def _can_be_learned(codes: NDArray[np.intp]) -> bool:
    return len(np.unique(codes)) > 1
