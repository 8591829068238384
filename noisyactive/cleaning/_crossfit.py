"""``trust="crossfit"``: cross-fitted classifiers judge labels and learn from those they trust."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property, partial
from numbers import Integral, Real
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.dummy import DummyClassifier
from sklearn.utils._param_validation import Interval
from sklearn.utils.validation import _num_samples

from .._confident import FEW_ROWS, tells_labels
from .._held_out import make_folds
from .._neighbours import Neighbours, comparable
from .._params import CheckedParams
from .._rows import take_rows
from ._answer_model import Answers, Learn, learn_from_answers, learn_nothing
from ._ensemble import CrossFitEnsemble, probably_right
from ._policy import LabelSnapshot, TrustPolicy
from ._training import Training

_SAVED = (
    "held_out_proba_", "label_prior_", "label_posterior_", "clean_mask_", "doubted_answers_",
    "answer_error_rates_", "transition_matrix_", "noise_rate_", "inverse_temperature_",
    "class_shift_", "annotator_confusion_",
)  # fmt: skip


class CrossFit(CheckedParams, BaseEstimator):
    """``trust="crossfit"`` of `ActiveLabelCleaner`, part by part.

    The defaults are what the word stands for. What each part brings is measured in
    ``examples/paper``.

    Parameters
    ----------
    n_folds : int, default=3
        Classifiers; each lacks one of as many parts of the samples.
    random_share : float in [0, 1], default=0.5
        Share of the first round's rows that chance picks, and not the query strategy; rounded down.
        Only where any row may be asked about.
    tune_first : bool, default=True
        Whether the classifiers learn from the labels that they trust before the first answer.
    n_averaged : {1, 2}, default=2
        Trainings whose classifiers predict together: the latest, or the last two.
    neighbours : bool, default=True
        Whether the labels of similar samples are evidence, where `X` is an array of numbers or
        sparse.
    learn_from_answers : bool, default=True
        Whether answers say how far the evidence and the given labels are to be believed. Without,
        `neighbours` has no use.
    fallible : bool, default=True
        Whether annotators are taken to err at a rate that is estimated. Without, every answer is
        the truth; several for one row become one as the cleaner's `aggregate` says.

    See Also
    --------
    CrossFitEnsemble : What the cleaner then has as `estimator_`.

    Examples
    --------
    >>> from noisyactive import ActiveLabelCleaner
    >>> from noisyactive.cleaning import CrossFit
    >>> from sklearn.linear_model import LogisticRegression
    >>> cleaner = ActiveLabelCleaner(LogisticRegression(), trust=CrossFit(random_share=0))
    >>> cleaner.set_params(trust__neighbours=False).trust
    CrossFit(neighbours=False, random_share=0)
    """

    _parameter_constraints: dict[str, list[Any]] = {
        "n_folds": [Interval(Integral, 2, None, closed="left")],
        "random_share": [Interval(Real, 0, 1, closed="both")],
        "tune_first": ["boolean"],
        "n_averaged": [Interval(Integral, 1, 2, closed="both")],
        "neighbours": ["boolean"],
        "learn_from_answers": ["boolean"],
        "fallible": ["boolean"],
    }

    def __init__(
        self,
        n_folds: int = 3,
        *,
        random_share: float = 0.5,
        tune_first: bool = True,
        n_averaged: int = 2,
        neighbours: bool = True,
        learn_from_answers: bool = True,
        fallible: bool = True,
    ):
        self.n_folds = n_folds
        self.random_share = random_share
        self.tune_first = tune_first
        self.n_averaged = n_averaged
        self.neighbours = neighbours
        self.learn_from_answers = learn_from_answers
        self.fallible = fallible


class CrossFitted(TrustPolicy):
    """``trust="crossfit"``: labels that a `CrossFitEnsemble` holds for right, answers included.

    Which labels these are is decided again after every round.

    Parameters
    ----------
    training : Training
        Fits and updates models.
    how : CrossFit
        Which parts are switched on.
    """

    single_model = False
    model: CrossFitEnsemble

    def __init__(self, training: Training, how: CrossFit):
        super().__init__(training)
        self.how = how
        self.random_share = how.random_share

    @classmethod
    def check(cls, params: Any) -> None:
        """Refuse training that goes on with the labels of the first phase."""
        if isinstance(params.trust, CrossFit):
            params.trust._validate_params()
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
        folds = make_folds(codes, training.groups, self.how.n_folds, rng)
        learned = [np.flatnonzero(folds != fold) for fold in range(folds.max() + 1)]
        models = training.at_a_time(partial(_fit, training, rows, codes) for rows in learned)
        first = self._ensemble(models, folds).predict_held_out(training.X)
        first.judge_labels(codes, codes, Answers.none())
        if len(codes) >= FEW_ROWS and not tells_labels(first.held_out_proba_, codes):
            warnings.warn(
                "The classifier's predictions for samples that it was not trained on tell nothing "
                "of their labels. It cannot judge which labels are wrong, nor whom to ask about, "
                "and answers will correct the labels asked about and little else. Do samples and "
                "labels belong together, and does the classifier suit them (scale, features)?",
                UserWarning,
                stacklevel=2,
            )
        self._neighbours = self._find_neighbours(folds)
        if not self.how.tune_first:
            self.model = first
            return
        tuned = self._train(
            first, codes, first.clean_mask_, params, None, {"round": 0, "answers": 0}
        )
        # Rounds go on from the first ones: answers may tell that others learned wrong labels.
        both = [*tuned, *models] if self.how.n_averaged == 2 else tuned
        ensemble = self._ensemble(both, folds).predict_held_out(training.X, both)
        self.model = ensemble.judge_labels(codes, codes, Answers.none(), before=first)

    def update(self, labels: LabelSnapshot, params: Any) -> None:
        """Judge the labels by new answers; train on those trusted; judge the labels again."""
        said, neighbours = self._said(labels), self._votes(labels)
        before = copy.copy(self.model).hear(*said, neighbours, self._learn)
        right = before.label_posterior_[np.arange(len(labels.codes)), labels.codes]
        certain = right[labels.verified].min(initial=1) > 0.999
        weight = None if certain else np.where(labels.verified, right, 1)
        trusted = np.where(labels.verified, right > 0.5, probably_right(right, labels.codes))
        models = self._train(before, labels.codes, trusted, params, weight, labels.notes)
        kept = before.latest if self.how.n_averaged == 2 else []
        ensemble = self._ensemble([*kept, *models], before.folds)
        ensemble.predict_held_out(self.training.X)
        self.model = ensemble.judge_labels(*said, neighbours, before, self._learn)

    def posterior_with(self, labels: LabelSnapshot) -> NDArray[np.float64]:
        """What the ensemble's `label_posterior_` is once it has heard new answers."""
        heard = copy.copy(self.model)
        heard.hear(*self._said(labels), self._votes(labels), self._learn)
        return heard.label_posterior_

    def _said(self, labels: LabelSnapshot) -> tuple[NDArray[np.intp], NDArray[np.intp], Answers]:
        """Given and present labels, and the answers as far as they are to be believed."""
        answers = labels.answers if self._estimates_errors else labels.answers.settled(labels.codes)
        return labels.given, labels.codes, answers

    def _votes(self, labels: LabelSnapshot) -> NDArray[np.float64] | None:
        """Class probabilities from the labels of similar samples, as they are now."""
        answered = np.zeros(len(labels.codes), dtype=bool)
        answered[labels.answers.rows] = True
        if not answered.any() or self._neighbours is None:
            return None
        return self._neighbours.proba(labels.codes, answered, len(self.training.classes))

    @property
    def _estimates_errors(self) -> bool:
        return self.how.fallible and self.how.learn_from_answers

    @property
    def _learn(self) -> Learn:
        """How answers correct the noise model's posterior."""
        if not self.how.learn_from_answers:
            return learn_nothing
        return partial(learn_from_answers, fallible=self.how.fallible)

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
        models = before.latest
        learned = [np.flatnonzero(trusted & (before.folds != fold)) for fold in range(len(models))]
        trained = [fold for fold, rows in enumerate(learned) if _has_two_classes(codes[rows])]
        update = partial(self.training.update, codes=codes, how=how, weight=weight, notes=notes)
        updated = self.training.at_a_time(
            partial(update, models[fold], learned[fold]) for fold in trained
        )
        for fold, model in zip(trained, updated, strict=True):
            models[fold] = model
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
        return self.model.answer_error_rates_ if self._estimates_errors else np.zeros(0)

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
        ensemble = self._ensemble(models, folds)
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
        n_annotators = 0 if ensemble.annotations is None else ensemble.annotations.shape[1]
        confusion = self._fitting(arrays["annotator_confusion_"], "f", n_annotators, k, k)
        ensemble.annotator_confusion_ = confusion
        ensemble.noise_rate_ = float(self._fitting(arrays["noise_rate_"], "f"))
        ensemble.inverse_temperature_ = float(self._fitting(arrays["inverse_temperature_"], "f"))
        self.model = ensemble

    def _ensemble(self, models: list[Any], folds: NDArray[np.intp]) -> CrossFitEnsemble:
        return CrossFitEnsemble(models, folds, self.training.classes, self.training.annotations)

    @cached_property
    def _neighbours(self) -> Neighbours | None:
        """Similar samples. A run that is resumed finds them when the next answers come."""
        return self._find_neighbours(self.model.folds)

    def _find_neighbours(self, folds: NDArray[np.intp]) -> Neighbours | None:
        features = comparable(self.training.X) if self.how.neighbours else None
        return None if features is None else Neighbours(features, folds)


def _fit(training: Training, rows: NDArray[np.intp], codes: NDArray[np.intp]) -> Any:
    """A classifier for some rows; of one class alone, a constant."""
    if _has_two_classes(codes[rows]):
        return training.fit(rows, codes)
    X, y = take_rows(training.X, rows), training.classes[codes[rows]]
    return DummyClassifier(strategy="prior").fit(X, y)


def _has_two_classes(codes: NDArray[np.intp]) -> bool:
    return len(np.unique(codes)) > 1
