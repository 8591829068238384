"""Cross-fitted ensemble: each classifier scores its held-out fold."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.metaestimators import available_if

from .._crowd_model import crowd_posterior, fit_crowd
from .._noise_model import fit_noise
from .._noise_posterior import NoiseModel
from .._pipeline import features_of, last_step
from .._proba import aligned_proba, predicted_proba
from .._rows import RowsOf, gathered, large_as_rows, view_rows
from .._samples import asking, for_estimator
from .._typing import Samples
from ._answer_model import Answers, Learn, learn_from_answers, with_answers

# Of the labels of a class that are expected to be right, so many are trusted in any case.
_AT_LEAST = 5
# Share of wrong answers that the noise model reckons with at least.
_LEAST_ERRORS = 0.05
# What a class without samples has of right labels in the transition matrix.
_LEAST_COUNT = 1e-9


class CrossFitEnsemble(ClassifierMixin, BaseEstimator):
    """Cross-fitted classifiers that say which labels are right, and predict together.

    What `ActiveLabelCleaner` has as `estimator_` with ``trust="crossfit"``. Each classifier is
    trained without one fold of the samples and predicts the classes of that fold. A noise model is
    fitted to all given labels by these held-out probabilities; Bayes' rule then gives the
    probability that a label is the true one [1]_ [2]_. Answers say how far that, the held-out
    probabilities themselves and the labels of similar samples are to be believed, and how often
    each annotator errs. Labels that are more probably right than wrong are trained on, given ones
    and answers, and a least number of each class, so that none is lost; answers weigh as much as
    their probability, where the classifier takes weights and has no `class_weight` of its own.
    Predictions are the mean over the classifiers of the last two trainings, which is steadier than
    the last one alone.

    Parameters
    ----------
    models : list of classifiers
        Fitted: one for each fold, of one or several trainings. The last ones are those that the
        next training goes on from: the latest, or before any answer those of the first phase.
    folds : ndarray of int of shape (n_samples,)
        Fold of each training sample: of each training, the classifier that did not see it.
    classes : ndarray of shape (n_classes,)
        Sorted classes.
    annotations : ndarray of int of shape (n_samples, n_annotators), default=None
        Given labels of several annotators, encoded; -1 where there is none. None: each sample has
        one label.
    before : transformer, default=None
        Leading steps of a pipeline that learn nothing, fitted: `predict`, `predict_proba` and
        `extract_features` apply them once, and the `models` take what comes out of them. None: the
        models take samples as they are.

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
        Given labels that are `probably_right`, whatever an annotator said of them.
    doubted_answers_ : ndarray of bool of shape (n_samples,)
        Rows whose label an annotator gave, and that is more probably wrong.
    answer_error_rates_ : ndarray of shape (n_annotators,)
        Share of wrong answers of each annotator, in the order of ``state_.n_answers``, as far as
        they are known.
    transition_matrix_ : ndarray of shape (n_classes, n_classes)
        Estimate of ``T[i, j] = P(given=j | true=i)``.
    annotator_confusion_ : ndarray of shape (n_annotators, n_classes, n_classes)
        ``annotator_confusion_[a, i, j] = P(a said j | true=i)`` of the annotators whose labels were
        given; none if each sample had one label.
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
    .. [3] V. C. Raykar et al., "Learning From Crowds", Journal of Machine Learning Research, 2010,
       https://doi.org/10.5555/1756006.1859894
    """

    held_out_proba_: NDArray[np.float64]
    label_prior_: NDArray[np.float64]
    label_posterior_: NDArray[np.float64]
    clean_mask_: NDArray[np.bool_]
    doubted_answers_: NDArray[np.bool_]
    answer_error_rates_: NDArray[np.float64]
    transition_matrix_: NDArray[np.float64]
    annotator_confusion_: NDArray[np.float64]
    noise_rate_: float
    inverse_temperature_: float
    class_shift_: NDArray[np.float64]

    def __init__(
        self,
        models: list[Any],
        folds: NDArray[np.intp],
        classes: NDArray[Any],
        annotations: NDArray[np.intp] | None = None,
        before: Any = None,
    ):
        self.models = models
        self.folds = folds
        self.classes = classes
        self.annotations = annotations
        self.before = before
        self.classes_ = classes

    @property
    def n_folds(self) -> int:
        """Number of folds."""
        return int(self.folds.max()) + 1

    @property
    def latest(self) -> list[Any]:
        """The last classifiers, one for each fold: those that the next training goes on from."""
        return self.models[-self.n_folds :]

    def predict_proba(self, X: Samples) -> NDArray[Any]:
        """Mean of the classifiers' probabilities, of shape (n_samples, n_classes)."""
        X = large_as_rows(self._prepared(X))
        if isinstance(X, RowsOf):  # read once, not by each model
            return gathered(map(self._mean_proba, X.chunks()), len(X))
        return self._mean_proba(X)

    def _mean_proba(self, X: Any) -> NDArray[Any]:
        return np.mean([aligned_proba(model, X, self.classes) for model in self.models], axis=0)

    def predict(self, X: Samples) -> NDArray[Any]:
        """Most probable class of each sample, of shape (n_samples,)."""
        return self.classes[predicted_proba(self, X).argmax(axis=1)]

    @available_if(lambda self: all(hasattr(last_step(m), "extract_features") for m in self.models))
    def extract_features(self, X: Samples) -> NDArray[Any]:
        """Features of the `latest` classifiers side by side, of shape (n_samples, n_features)."""
        X = self._prepared(X)
        return np.concatenate([features_of(model, X) for model in self.latest], axis=1)

    def behind(self, before: Any) -> CrossFitEnsemble:
        """The same ensemble, for samples that go through a fitted transformer before.

        Parameters
        ----------
        before : transformer
            What becomes of `before`.

        Returns
        -------
        CrossFitEnsemble
            A copy with the same models and arrays.
        """
        twin = copy.copy(self)
        twin.before = before
        return twin

    def _prepared(self, X: Any) -> Any:
        if self.before is None:
            return X
        with asking():
            return self.before.transform(for_estimator(X))

    def predict_held_out(self, X: Samples, models: list[Any] | None = None) -> CrossFitEnsemble:
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
            samples = view_rows(X, rows)
            for model in models[fold :: self.n_folds]:
                self.held_out_proba_[rows] += aligned_proba(model, samples, self.classes)
        self.held_out_proba_ *= self.n_folds / len(models)
        return self

    def judge_labels(
        self,
        given: NDArray[np.intp],
        current: NDArray[np.intp],
        answers: Answers,
        neighbours: NDArray[np.float64] | None = None,
        before: CrossFitEnsemble | None = None,
        learn: Learn = learn_from_answers,
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
        neighbours : ndarray of shape (n_samples, n_classes), default=None
            Class probabilities from the labels of similar samples: evidence once there are answers.
        before : CrossFitEnsemble, default=None
            Ensemble whose noise rate, temperature and rates of wrong answers the fit of the noise
            model starts from.
        learn : callable, default=learn_from_answers
            How answers correct the posterior of the noise model.

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
        if self.annotations is not None:
            self._fit_annotators(self.annotations, given, (rows, likelihood.numpy()))
        else:
            answered = torch.from_numpy(rows), likelihood.exp()
            place = None if before is None else before._place
            held_out, codes = torch.from_numpy(self.held_out_proba_), torch.from_numpy(given)
            self._noise = fit_noise(held_out, codes, answered, place)
        return self.hear(given, current, answers, neighbours, learn)

    def hear(
        self,
        given: NDArray[np.intp],
        current: NDArray[np.intp],
        answers: Answers,
        neighbours: NDArray[np.float64] | None = None,
        learn: Learn = learn_from_answers,
    ) -> CrossFitEnsemble:
        """Set the attributes that describe the labels, by the noise model that there is.

        Parameters
        ----------
        given, current, answers, neighbours, learn
            As for `judge_labels`.

        Returns
        -------
        self
            The ensemble.
        """
        every = np.arange(len(given))
        answered = np.zeros(len(given), dtype=bool)
        answered[answers.rows] = True
        evidence = [self.held_out_proba_, *([] if neighbours is None else [neighbours])]
        prior, rates = learn(self._posterior_of_given(given), evidence, given, answers)
        posterior = with_answers(prior, rates, answers)
        self.label_prior_, self.label_posterior_ = prior, posterior
        self.clean_mask_ = probably_right(prior[every, given], given)
        self.doubted_answers_ = answered & (posterior[every, current] <= 0.5)
        self.answer_error_rates_ = rates
        self.noise_rate_ = float(1 - posterior[every, given].mean())
        return self

    def _fit_annotators(
        self,
        annotations: NDArray[np.intp],
        given: NDArray[np.intp],
        answered: tuple[NDArray[np.intp], NDArray[np.float64]],
    ) -> None:
        """In the place of one noise model, that of each annotator."""
        n_classes = len(self.classes)
        crowd = fit_crowd(annotations, n_classes, self.held_out_proba_, answered)
        self.annotator_confusion_ = crowd.confusion
        self.inverse_temperature_, self.class_shift_ = crowd.scale, crowd.shift
        counts = crowd.posterior.T @ np.eye(n_classes)[given] + _LEAST_COUNT * np.eye(n_classes)
        self.transition_matrix_ = counts / counts.sum(axis=1, keepdims=True)

    def _posterior_of_given(self, given: NDArray[np.intp]) -> NDArray[np.float64]:
        """Probability of each class to be the true one, by given labels and held-out models."""
        held_out = self.held_out_proba_
        if self.annotations is not None:
            believed = self.inverse_temperature_, self.class_shift_
            return crowd_posterior(self.annotations, held_out, self.annotator_confusion_, *believed)
        posterior: NDArray[np.float64] = self._noise.posterior(
            torch.from_numpy(held_out), torch.from_numpy(given)
        ).numpy()
        return posterior

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
        self.annotator_confusion_ = np.empty((0, *self.transition_matrix_.shape))

    @property
    def _place(self) -> tuple[float, float]:
        """Where the noise model is, for the next fit to start from."""
        return 1 - float(self.transition_matrix_[0, 0]), self.inverse_temperature_

    @property
    def _first(self) -> Any:
        """What samples come to first."""
        return self.models[0] if self.before is None else self.before

    @property
    def n_features_in_(self) -> int:
        """Number of features, where the classifiers say so."""
        return self._first.n_features_in_

    @property
    def feature_names_in_(self) -> NDArray[Any]:
        """Names of the features, where the classifiers say so."""
        return self._first.feature_names_in_


def probably_right(right: NDArray[np.float64], codes: NDArray[np.intp]) -> NDArray[np.bool_]:
    """Labels that are more probably right than wrong, and a least number of each class.

    Where classes overlap and many labels are wrong, no label of a class may be more probably right
    than wrong, and training without them would lose the class. So the most probable ones of each
    class are trusted in any case: of as many as are expected to be right, five and half of the
    others. All of that number would be too many: with pair noise, HAM10000 features end .035 of
    macro F1 lower (three draws); and without the five, a class of 12 samples was lost.

    Parameters
    ----------
    right : ndarray of float of shape (n_samples,)
        Probability that the label is right.
    codes : ndarray of int of shape (n_samples,)
        Labels, encoded.

    Returns
    -------
    ndarray of bool of shape (n_samples,)
        Trusted labels; of equally probable ones of a class, the first are preferred.
    """
    order = np.lexsort((-right, codes))
    sizes = np.bincount(codes)
    rank = np.empty(len(codes), dtype=np.intp)
    rank[order] = np.arange(len(codes)) - np.repeat(sizes.cumsum() - sizes, sizes)
    expected = np.bincount(codes, right)
    least = np.ceil(np.minimum(expected, (expected + _AT_LEAST) / 2))
    trusted: NDArray[np.bool_] = (right > 0.5) | (rank < least[codes])
    return trusted
