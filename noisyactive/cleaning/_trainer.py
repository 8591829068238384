"""The models of a run: fitted, asked which labels they trust, brought up to date, scored."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.metrics import get_scorer
from sklearn.utils.validation import _check_method_params

from .._pipeline import changes_labels, last_step
from .._rows import take_rows
from ._confident import confident_mask, out_of_fold_proba
from ._refit import can_go_on, fitted_anew, trained_on

_N_FOLDS = 5


@dataclass(frozen=True)
class Trainer:
    """What models of a run are made from, apart from the labels, which change.

    Parameters
    ----------
    template : classifier
        Cloned wherever a model is fitted from scratch.
    X : object of length n_samples
        Samples.
    classes : ndarray of shape (n_classes,)
        Sorted classes; labels are passed to the methods as indices into them.
    groups : ndarray of shape (n_samples,) or None
        What out-of-fold probabilities keep together.
    fit_params : mapping of str to object
        Parameters of the template's `fit`; those of length n_samples are sliced.
    validation_data : tuple (X_val, y_val) or None
        What models are scored on.
    scoring : str or callable
        Name of a scikit-learn scorer, or ``scorer(estimator, X, y)``.
    """

    template: Any
    X: Any
    classes: NDArray[Any]
    groups: NDArray[Any] | None
    fit_params: Mapping[str, Any]
    validation_data: tuple[Any, Any] | None
    scoring: str | Callable[..., float]

    def fit(self, rows: NDArray[np.intp], codes: NDArray[np.intp]) -> Any:
        """A clone of the template, fitted to some rows with the labels `codes` of all."""
        X, y, params = self._training_data(rows, codes)
        return clone(self.template).fit(X, y, **params)

    def trusted(
        self, fitted: Any, codes: NDArray[np.intp], rng: np.random.RandomState
    ) -> NDArray[np.bool_]:
        """Labels that a model trusts, of shape (n_samples,).

        By its own verdict `clean_mask_` on the rows it was fitted to, which are all; without one,
        by confident learning on out-of-fold probabilities.
        """
        verdict = getattr(last_step(fitted), "clean_mask_", None)
        if verdict is not None and not changes_labels(fitted):
            return verdict.copy()
        proba = out_of_fold_proba(
            self.template,
            self.X,
            self.classes,
            codes,
            n_folds=_N_FOLDS,
            rng=rng,
            groups=self.groups,
            fit_params=self.fit_params,
        )
        return confident_mask(proba, codes)

    def update(
        self,
        fitted: Any,
        rows: NDArray[np.intp],
        codes: NDArray[np.intp],
        *,
        refit: str,
        epochs: int,
        lr: float,
        balance: float,
        forget_rate: float | None,
        facts: Mapping[str, int],
    ) -> Any:
        """A model brought up to date with the labels of some rows; `fitted` may be None.

        It takes another `forget_rate`, if there is one; a network's history notes the `facts`.
        """
        X, y, params = self._training_data(rows, codes)
        changed = {} if forget_rate is None else {"forget_rate": forget_rate}
        if (
            fitted is None
            or refit == "scratch"
            or not can_go_on(fitted)
            or not np.isin(y, fitted.classes_).all()  # a class that it does not know
        ):
            fresh = clone(self.template)
            last_step(fresh).set_params(**changed)
            return fitted_anew(fresh, X, y, params, 0 if refit == "continue" else balance)
        return trained_on(
            fitted,
            X,
            y,
            params,
            changed,
            tune=refit == "fine_tune",
            epochs=epochs,
            lr=lr,
            balance=balance,
            score=None if self.validation_data is None else self.score,
            facts=facts,
        )

    def score(self, fitted: Any) -> float:
        """Score on the validation data; NaN without a model or such data."""
        if fitted is None or self.validation_data is None:
            return float("nan")
        scorer = get_scorer(self.scoring) if isinstance(self.scoring, str) else self.scoring
        return float(scorer(fitted, *self.validation_data))

    def _training_data(
        self, rows: NDArray[np.intp], codes: NDArray[np.intp]
    ) -> tuple[Any, NDArray[Any], dict[str, Any]]:
        X = self.X if len(rows) == len(codes) else take_rows(self.X, rows)
        params = _check_method_params(self.X, self.fit_params, rows)
        return X, self.classes[codes[rows]], params
