"""Which labels are wrong, by any classifier that did not learn them."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from functools import cached_property
from numbers import Integral
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from .._annotations import Annotations, given_annotations
from .._confident import FEW_ROWS, tells_labels
from .._held_out import folds_of, make_folds, out_of_fold_proba
from .._issues import BLOCK, issue_table
from .._labels import check_groups, check_labels, find_classes, plain_numbers
from .._like import row_index, warn_of_order
from .._neighbours import Neighbours
from .._params import CheckedParams, check_processes
from .._pipeline import last_step
from .._proba import check_proba, classes_of_columns, codes_of_proba, proba_table, warn_of_memory
from .._random import draw_seed
from .._samples import checked_rows, for_estimator
from .._templates import seeded_clone
from .._typing import Classifier, Folds, Labels, Samples
from ._annotators import AnnotatorConsensus
from ._contents import compared

if TYPE_CHECKING:
    import torch
    from typing_extensions import Self

    from .._noise_model import RateEstimate
    from .._noise_posterior import NoiseModel

_PRECOMPUTED = "precomputed"
# What the noise model is fitted to; more rows make it no better.
_MAX_FITTED = 20_000


def _fit_noise(proba: torch.Tensor, codes: torch.Tensor) -> NoiseModel:
    from .._noise_model import AUDIT_PRIOR, fit_noise

    # With this prior, the density has one mode wherever probabilities tell anything of the classes,
    # so one start finds it.
    return fit_noise(proba, codes, start=(0.3, 2.0), prior=AUDIT_PRIOR)


def _tell_labels(proba: torch.Tensor, codes: torch.Tensor) -> bool:
    return tells_labels(proba.numpy(), codes.numpy())


class LabelAudit(CheckedParams, BaseEstimator):
    """Judge the labels of a data set: which are probably wrong, and how many.

    Each part of the samples is predicted by a clone of a classifier that was fitted to the other
    parts. A model of the label noise is fitted to all labels by these held-out probabilities, and
    Bayes' rule gives the probability that each label is right [1]_ [2]_. It is the judge that
    `ActiveLabelCleaner` begins with.

    Parameters
    ----------
    estimator : classifier, "precomputed" or None, default=None
        Cloned for each fold; any with `predict_proba`, as a Pipeline, whose leading steps that need
        not be fitted, as `FrozenFeatures`, are applied once. "precomputed": `X` holds
        class probabilities, of models that did not learn the labels that they are about. None:
        no training; similar samples of other folds vote, each as far as its own neighbours agree
        with its label. What `X` holds is compared as in `contradicting_rows`.
    cv : int, cross-validation generator or list of splits, default=5
        Folds, of which every sample is in one test part. An int spreads classes evenly, and keeps
        groups together.
    classes : array-like of shape (n_classes,), default=None
        Every possible label; of probabilities, the class of each column. None means those in `y`,
        or what a DataFrame of probabilities calls its columns.
    n_jobs : int, default=None
        Folds that are fitted at a time, as in joblib.
    random_state : int, RandomState or None, default=None
        Draws the folds, and seeds those parts of the estimator that have no seed of their own.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Class labels, sorted; of probabilities, in the order of their columns.
    n_folds_ : int or None
        Folds that were made; None of probabilities.
    held_out_proba_ : array-like of shape (n_samples, n_classes)
        Class probabilities from classifiers that did not learn the sample; those given, if they
        were.
    label_posterior_ : ndarray of shape (n_samples, n_classes)
        Probability of each class to be the true one. Computed when it is asked for.
    label_quality_ : ndarray of shape (n_samples,)
        Probability that the given label is right.
    issues_ : DataFrame of n_samples rows
        As `find_label_issues` returns it.
    noise_rate_ : float
        Share of labels that are wrong: the median of its posterior, by a model with one rate for
        all classes. It need not agree with `issues_` and `transition_matrix_`, see the Notes.
    noise_rate_interval_ : tuple (low, high)
        Where it lies with a probability of 95%, if the noise model is right. A few hundred random
        rows that an expert checks tell better, see `audit_sample`.
    transition_matrix_ : ndarray of shape (n_classes, n_classes)
        Estimate of ``T[i, j] = P(given=j | true=i)``, of the model behind `issues_`.
    annotators_ : AnnotatorConsensus
        How good each annotator is, and what all say together with the classifier; only of labels
        of several annotators.

    See Also
    --------
    find_label_issues : The same as one call.
    issues_from_proba : The same, from class probabilities.
    AnnotatorConsensus : The same of several annotators' labels, without samples.
    noisyactive.ActiveLabelCleaner : Asks an expert about labels, and learns from the answers.

    Notes
    -----
    Samples vote by their pixels, words or columns. Where a pretrained network gives features, these
    say more: ``LabelAudit().fit(features, y)``. No other parameter is needed for them.

    Two models are fitted to the same probabilities. `noise_rate_` is that of a model with one rate
    for all classes. It hardly sees wrong labels where there are none, nor where classes overlap;
    but labels of one class that are wrong, or that mostly become one other class, may look like
    doubt to it: then it is far too low, and so is its interval. `label_quality_`, `issues_` and
    `transition_matrix_` are of a model in which each class has its own rate, and which expects some
    wrong labels. ``1 - label_quality_.mean()``, the share that it expects, was within some points
    of the truth for any kind of noise where classes are told apart well; where they overlap, it was
    some ten points too high, also of clean labels. Where the two differ, ask an expert.

    Labels that are wrong more often for difficult samples look like doubt to a model of the labels
    alone; answers to a few questions tell them apart, see `ActiveLabelCleaner`.

    Of several annotators' labels, the consensus of the annotators alone is what counts as given,
    and what the classifier learns; the noise rate and the transition matrix are about it. The
    probability that it is right is that of an `AnnotatorConsensus` that knows the held-out
    probabilities, too.

    References
    ----------
    .. [1] A. P. Dawid, A. M. Skene, "Maximum Likelihood Estimation of Observer Error-Rates Using
       the EM Algorithm", Applied Statistics, 1979, https://doi.org/10.2307/2346806
    .. [2] C. Northcutt, L. Jiang, I. Chuang, "Confident Learning: Estimating Uncertainty in Dataset
       Labels", Journal of Artificial Intelligence Research, 2021,
       https://doi.org/10.1613/jair.1.12125

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> from noisyactive import UniformLabelNoise
    >>> from noisyactive.audit import LabelAudit
    >>> X, y = load_iris(return_X_y=True)
    >>> y_noisy = UniformLabelNoise(0.2, random_state=0).fit_transform(y)
    >>> audit = LabelAudit(LogisticRegression(max_iter=1000), random_state=0).fit(X, y_noisy)
    >>> found = audit.issues_.query("is_issue").index
    >>> float((y_noisy != y)[found].mean()) > 0.8
    True
    """

    classes_: NDArray[Any]
    n_folds_: int | None
    held_out_proba_: Any
    transition_matrix_: NDArray[np.float64]
    annotators_: AnnotatorConsensus

    _parameter_constraints: dict[str, list[Any]] = {
        "estimator": [HasMethods(["fit", "predict_proba"]), StrOptions({_PRECOMPUTED}), None],
        "cv": [
            Interval(Integral, 2, None, closed="left"),
            HasMethods(["split", "get_n_splits"]),
            list,
            tuple,
        ],
        "classes": ["array-like", None],
        "n_jobs": [
            Interval(Integral, 1, None, closed="left"),
            Interval(Integral, None, -1, closed="right"),
            None,
        ],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        estimator: Classifier | str | None = None,
        *,
        cv: Folds = 5,
        classes: ArrayLike | None = None,
        n_jobs: int | None = None,
        random_state: int | np.random.RandomState | None = None,
    ):
        self.estimator = estimator
        self.cv = cv
        self.classes = classes
        self.n_jobs = n_jobs
        self.random_state = random_state

    def fit(
        self, X: Samples, y: Labels, *, groups: ArrayLike | None = None, **fit_params: Any
    ) -> Self:
        """Judge the labels.

        Parameters
        ----------
        X : object of length n_samples
            Samples, of any kind that the estimator takes: arrays, DataFrames, sparse matrices,
            texts, Datasets. With "precomputed", class probabilities of shape (n_samples,
            n_classes), which may be a memory map or a file: they are read in blocks.
        y : array-like of shape (n_samples,) or (n_samples, n_annotators)
            Labels. The index of a Series becomes that of `issues_`, else that of a DataFrame `X`.
            With at least two columns, what each annotator said, missing where nothing; see
            `AnnotatorConsensus`. Every sample needs a label.
        groups : array-like of shape (n_samples,), default=None
            Samples that belong together, as images of one patient: no model judges a group that it
            learned from.
        **fit_params : dict
            Parameters of the estimator's `fit`; those of length n_samples are sliced.

        Returns
        -------
        self
            The audit.

        Raises
        ------
        ValueError, TypeError
            If a parameter or the data is not as described, before any training.

        Warns
        -----
        UserWarning
            If no other fold has the class of a label; if probabilities agree with every label, or
            tell nothing of the labels.
        """
        if isinstance(self.cv, Iterator):
            raise TypeError("cv must not be an iterator, which serves only once: pass list(cv).")
        self._validate_params()
        check_processes(self.get_params(deep=False), last_step(self.estimator))
        for name in ("_rate", "annotators_"):
            self.__dict__.pop(name, None)
        index = row_index(y, X)
        warn_of_order(X, y)
        labels, annotations = y, given_annotations(y)
        known = self._known_classes(X, annotations)
        if annotations is not None:
            y = annotations.consensus()
        if isinstance(self.estimator, str):
            if groups is not None or fit_params:
                raise ValueError('estimator="precomputed" fits nothing: groups and fit parameters '
                                 "have no use.")  # fmt: skip
            self.n_folds_ = None
            self.classes_, codes = codes_of_proba(y, X, known)
            if len(self.classes_) < 2:
                raise ValueError(f"proba must have at least 2 columns, got {len(self.classes_)}.")
            proba = proba_table(X)
            n_agreeing = 0
            for start in range(0, len(proba), BLOCK):
                block = check_proba(proba[start : start + BLOCK], start)
                n_agreeing += int((block.argmax(axis=1) == codes[start : start + BLOCK]).sum())
            warn_of_memory(n_agreeing, len(codes))
        else:
            self.classes_, codes, proba = self._held_out(X, y, known, groups, fit_params)
        self.held_out_proba_ = proba
        self._codes = codes.astype(np.min_scalar_type(-len(self.classes_)))
        del codes
        if len(self._codes) >= FEW_ROWS and not self._fitted(_tell_labels):
            warnings.warn(
                "The held-out class probabilities tell nothing of the labels, so that nothing is "
                "known of which are wrong. Are samples and labels in the same order, and columns "
                "of probabilities in that of the classes? Does the classifier suit the data "
                "(scale, features)?",
                UserWarning,
                stacklevel=2,
            )
        self._noise = self._fitted(_fit_noise)
        self.transition_matrix_ = self._noise.transition.numpy()
        if annotations is not None:
            consensus = AnnotatorConsensus(classes=self.classes_)
            self.annotators_ = consensus.fit(labels, self._proba_of(slice(None)))
        self.issues_ = issue_table(
            self.classes_, self._codes, self._proba_of, self._posterior_of, index
        )
        return self

    def _known_classes(self, X: Samples, annotations: Annotations | None) -> Any:
        """Every possible label, if that is known: also those that are no sample's consensus."""
        precomputed = isinstance(self.estimator, str)
        known = self.classes
        if known is None and not precomputed:
            known = getattr(last_step(self.estimator), "classes", None)
        if annotations is None:
            return known
        if known is not None:
            annotations.among(find_classes(known, name="classes")[0])  # an unknown one is told now
            return known
        return classes_of_columns(X, annotations.classes) if precomputed else annotations.classes

    def _held_out(
        self,
        X: Samples,
        y: ArrayLike,
        known: Any,
        groups: ArrayLike | None,
        fit_params: dict[str, Any],
    ) -> tuple[NDArray[Any], NDArray[np.intp], NDArray[np.float64]]:
        """Classes, encoded labels, and class probabilities from models that did not learn them."""
        X = for_estimator(X)
        classes, codes = check_labels(X, y, known, None)
        groups = check_groups(groups, len(codes))
        if getattr(self.estimator, "reads_rows", False):
            X = checked_rows(X)
        if self.estimator is None:
            remedy = "features of the samples as X, or a classifier as the estimator"
            features = compared(X, standardise=True, remedy=remedy).features
        rng = np.random.RandomState(draw_seed(self.random_state, "LabelAudit"))
        if isinstance(self.cv, Integral):
            folds = make_folds(codes, groups, int(self.cv), rng)
        else:
            folds = folds_of(self.cv, X, classes[codes], groups)
        self.n_folds_ = int(folds.max()) + 1
        learned = np.zeros((self.n_folds_, len(classes)), dtype=bool)
        for fold in range(len(learned)):
            learned[fold, codes[folds != fold]] = True
        if not (judged := learned[folds, codes]).all():
            lost = classes[np.unique(codes[~judged])].tolist()
            warnings.warn(
                f"{int((~judged).sum())} labels cannot be judged, since no other fold has their "
                f"class: {lost[:10]}. Their quality is 0 whatever they are. See small_classes; "
                "fewer folds, or folds and groups that spread classes, help.",
                UserWarning,
                stacklevel=3,
            )
        if self.estimator is None:
            similar = Neighbours(features, folds)
            nobody = np.zeros(len(codes), dtype=bool)
            return classes, codes, similar.proba(codes, nobody, len(classes))
        classes = plain_numbers(classes)
        template = seeded_clone(self.estimator, classes, rng)
        proba = out_of_fold_proba(
            template, X, classes, codes, folds, fit_params=fit_params, n_jobs=self.n_jobs
        )
        return classes, codes, proba

    def _fitted(self, fit: Callable[[torch.Tensor, torch.Tensor], Any]) -> Any:
        """What is fitted to the held-out probabilities, or to so many of them as are enough."""
        import torch

        rows: Any = slice(None)
        if len(self._codes) > _MAX_FITTED:
            chosen = np.random.default_rng(0).choice(len(self._codes), _MAX_FITTED, replace=False)
            rows = np.sort(chosen)
        proba = np.array(self.held_out_proba_[rows], dtype=np.float64)  # torch wants to own it
        return fit(torch.from_numpy(proba), torch.from_numpy(self._codes[rows].astype(np.int64)))

    def _proba_of(self, rows: slice) -> NDArray[np.float64]:
        return np.array(self.held_out_proba_[rows], dtype=np.float64)

    def _posterior_of(self, rows: slice) -> NDArray[np.float64]:
        if hasattr(self, "annotators_"):
            return self.annotators_.posterior_[rows]
        import torch

        codes = torch.from_numpy(self._codes[rows].astype(np.int64))
        noise: NoiseModel = self._noise
        return noise.posterior(torch.from_numpy(self._proba_of(rows)), codes).numpy()

    @property
    def label_posterior_(self) -> NDArray[np.float64]:
        """Probability of each class to be the true one, of shape (n_samples, n_classes)."""
        check_is_fitted(self)
        return self._posterior_of(slice(None))

    @property
    def label_quality_(self) -> NDArray[np.float64]:
        """Probability that the given label is right, of shape (n_samples,)."""
        check_is_fitted(self)
        quality = np.empty(len(self._codes))
        for start in range(0, len(quality), BLOCK):
            rows = slice(start, start + BLOCK)
            quality[rows] = np.take_along_axis(
                self._posterior_of(rows), self._codes[rows, None].astype(np.intp), axis=1
            )[:, 0]
        return quality

    @property
    def noise_rate_(self) -> float:
        """Share of labels that are wrong."""
        check_is_fitted(self)
        return self._rate.rate

    @property
    def noise_rate_interval_(self) -> tuple[float, float]:
        """Where it lies with a probability of 95%, if the noise model is right."""
        check_is_fitted(self)
        return self._rate.interval

    @cached_property
    def _rate(self) -> RateEstimate:
        from .._noise_model import estimate_rate

        return self._fitted(estimate_rate)
