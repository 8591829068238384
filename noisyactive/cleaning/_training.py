"""Fit the models of a run, bring them up to date, score them, find the labels they trust."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from joblib import effective_n_jobs
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.metrics import get_scorer
from sklearn.utils.parallel import Parallel, delayed
from sklearn.utils.validation import _check_method_params

from .._codes import find_codes
from .._confident import confident_mask
from .._held_out import make_folds, out_of_fold_proba
from .._interrupts import interrupts_raised
from .._labels import find_classes
from .._pipeline import changes_labels, last_step
from .._rows import for_processes, view_rows
from .._samples import asking, for_estimator
from ._class_balance import fit_balanced
from ._fine_tune import Refit, can_train_further, train_further

_N_FOLDS = 5


@dataclass(frozen=True)
class Training:
    """What models of a run are made from, apart from the labels, which change.

    Parameters
    ----------
    template : classifier
        Cloned wherever a model is fitted from scratch.
    X : object of length n_samples
        Samples.
    classes : ndarray of shape (n_classes,)
        Sorted classes; labels are passed to the methods as indices into them.
    annotations : ndarray of int of shape (n_samples, n_annotators) or None
        What each of several annotators says at the start, encoded, -1 for nothing; None if each
        sample has one label.
    groups : ndarray of shape (n_samples,) or None
        What out-of-fold probabilities keep together.
    fit_params : mapping of str to object
        Parameters of the template's `fit`; those of length n_samples are sliced.
    validation_data : tuple (X_val, y_val) or None
        What models are scored on.
    scoring : str or callable
        Name of a scikit-learn scorer, or ``scorer(estimator, X, y)``.
    n_jobs : int or None
        Models that are trained at a time, as in joblib.
    """

    template: Any
    X: Any
    classes: NDArray[Any]
    annotations: NDArray[np.intp] | None
    groups: NDArray[Any] | None
    fit_params: Mapping[str, Any]
    validation_data: tuple[Any, Any] | None
    scoring: str | Callable[..., float]
    n_jobs: int | None = None

    def __getstate__(self) -> dict[str, Any]:
        """For other processes."""
        state = vars(self) | self._for_processes
        del state["_for_processes"]
        return state

    @cached_property
    def _for_processes(self) -> dict[str, Any]:
        of_fit = {name: for_processes(value) for name, value in self.fit_params.items()}
        held_out = self.validation_data
        if held_out is not None:
            held_out = for_processes(held_out[0]), for_processes(held_out[1])
        return {"X": for_processes(self.X), "fit_params": of_fit, "validation_data": held_out}

    @interrupts_raised()
    def fit(self, rows: NDArray[np.intp], codes: NDArray[np.intp]) -> Any:
        """Fit a clone of the template to some rows, with the labels `codes` of all rows."""
        X, y, params = self._training_data(rows, codes)
        with asking("X or y"):
            return clone(self.template).fit(X, y, **params)

    @interrupts_raised()
    def update(
        self,
        fitted: Any,
        rows: NDArray[np.intp],
        codes: NDArray[np.intp],
        how: Refit,
        *,
        notes: Mapping[str, int],
        weight: NDArray[np.float64] | None = None,
        forget_rate: float | None = None,
    ) -> Any:
        """Bring a model up to date with the labels of some rows.

        Parameters
        ----------
        fitted : classifier or None
            The model; None fits a new one. Not changed.
        rows : ndarray of int of shape (n_rows,)
            Rows that are trained on.
        codes : ndarray of int of shape (n_samples,)
            Labels of all rows.
        how : Refit
            How to train.
        notes : mapping of str to int
            Written into every epoch of a network's history.
        weight : ndarray of shape (n_samples,), default=None
            What each label counts, where the classifier takes weights; None: all alike.
        forget_rate : float, default=None
            What the classifier's `forget_rate` becomes; None leaves it as it is.

        Returns
        -------
        classifier
            The new model.
        """
        X, y, params = self._training_data(rows, codes)
        label_weight = None if weight is None or changes_labels(self.template) else weight[rows]
        changed = {} if forget_rate is None else {"forget_rate": forget_rate}
        if (
            fitted is None
            or how.refit == "scratch"
            or not can_train_further(fitted)
            or not np.isin(y, fitted.classes_).all()  # a class that it does not know
        ):
            fresh = clone(self.template)
            last_step(fresh).set_params(**changed)
            class_balance = 0 if how.refit == "continue" else how.class_balance
            with asking("X or y"):
                return fit_balanced(fresh, X, y, params, class_balance, label_weight)
        score = None if self.validation_data is None else self.score
        return train_further(
            fitted, X, y, params, changed, how, label_weight=label_weight, score=score, notes=notes
        )

    def at_a_time(self, calls: Iterable[Callable[[], Any]]) -> list[Any]:
        """What independent calls return, `n_jobs` of them at a time.

        In other processes a progress bar is not told of their epochs.

        Parameters
        ----------
        calls : iterable of callable
            Without arguments; `functools.partial` where they have to reach other processes.

        Returns
        -------
        list
            In the order of the calls.
        """
        if effective_n_jobs(self.n_jobs) == 1:
            return [call() for call in calls]
        return list(Parallel(n_jobs=self.n_jobs)(delayed(call)() for call in calls))

    def trusted_labels(
        self, fitted: Any, codes: NDArray[np.intp], rng: np.random.RandomState
    ) -> NDArray[np.bool_]:
        """Which labels a fitted model trusts, of shape (n_samples,).

        Its own `clean_mask_`, if it was fitted to all rows as they are; otherwise confident
        learning on out-of-fold probabilities.
        """
        own = getattr(last_step(fitted), "clean_mask_", None)
        if own is not None and not changes_labels(fitted):
            return own.copy()
        proba = out_of_fold_proba(
            self.template,
            self.X,
            self.classes,
            codes,
            make_folds(codes, self.groups, _N_FOLDS, rng),
            fit_params=self.fit_params,
            n_jobs=self.n_jobs,
        )
        return confident_mask(proba, codes)

    def score(self, fitted: Any) -> float:
        """Score on the validation data; NaN without a model or such data."""
        if fitted is None or self.validation_data is None:
            return float("nan")
        scorer = get_scorer(self.scoring) if isinstance(self.scoring, str) else self.scoring
        return float(scorer(fitted, *self.validation_data))

    def predictions(self, fitted: Any) -> NDArray[np.intp] | None:
        """Codes of the classes predicted for the validation data; None as `score` is NaN."""
        if self.validation_data is None or not hasattr(fitted, "predict"):
            return None
        with asking():
            labels = fitted.predict(for_estimator(self.validation_data[0]))
        return np.searchsorted(self.classes, labels)

    @property
    def validation_codes(self) -> NDArray[np.intp] | None:
        """Labels of the validation data, as indices into `classes`; None without such data."""
        if self.validation_data is None:
            return None
        present, codes = find_classes(self.validation_data[1], name="y_val")
        return find_codes(present.tolist(), self.classes, name="y_val")[codes]

    def _training_data(
        self, rows: NDArray[np.intp], codes: NDArray[np.intp]
    ) -> tuple[Any, NDArray[Any], dict[str, Any]]:
        X = self.X if len(rows) == len(codes) else view_rows(self.X, rows)
        params = _check_method_params(self.X, self.fit_params, rows)
        return X, self.classes[codes[rows]], params
