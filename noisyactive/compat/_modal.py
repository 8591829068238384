"""modAL's learner, working with current scikit-learn and pandas."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from modAL.models import ActiveLearner as _ModALLearner
from modAL.uncertainty import uncertainty_sampling
from modAL.utils.data import data_vstack, retrieve_rows
from sklearn.utils import check_X_y
from sklearn.utils.validation import _num_samples

from .._arrays import as_array, described, naming
from .._interrupts import interrupts_raised
from .._numbers import check_switch
from .._rows import take_rows
from .._samples import asking, for_estimator
from .._typing import Classifier, Labels, Samples, Strategy

if TYPE_CHECKING:
    from typing_extensions import Self


class Queries:
    """`query`, for every convention of what a strategy returns."""

    query_strategy: Callable[..., Any]

    def query(self, X_pool: Samples, *query_args: Any, **query_kwargs: Any) -> tuple[Any, Any]:
        """Let the query strategy choose samples.

        Parameters
        ----------
        X_pool : array, sparse matrix, DataFrame, list or tensor of shape (n_samples, ...)
            The pool. modAL's strategies are given a list as an array, which some of them need.
        *query_args, **query_kwargs
            Passed on to the strategy, `n_instances` for one.

        Returns
        -------
        indices : ndarray of int of shape (n_instances,), or int
            Indices into `X_pool`, as the strategy returned them: alone, or as the first of a
            tuple, beside their metrics (as modAL 0.4.2 has it) or the samples themselves.
        samples : of the kind of `X_pool`
            Those samples. Where a strategy makes up samples of its own instead of indices, all
            that it returned comes back as it is.
        """
        pool = as_array(X_pool, "X_pool") if isinstance(X_pool, list) else X_pool
        answer = self.query_strategy(self, pool, *query_args, **query_kwargs)
        indices = answer[0] if isinstance(answer, tuple) else answer
        if np.asarray(indices).dtype.kind not in "iub":
            return answer
        try:
            return indices, retrieve_rows(X_pool, indices)
        except TypeError:  # a kind of samples that modAL does not know
            return indices, take_rows(X_pool, np.atleast_1d(indices))


class ActiveLearner(Queries, _ModALLearner):
    """modAL's ``ActiveLearner`` [1]_ with all methods working on current libraries.

    modAL 0.4.1 relies on what scikit-learn 1.8 and pandas 2 have removed: there, `fit` and `teach`
    raise ``TypeError``, and so do `repr` and `sklearn.base.clone`. This is a subclass with the same
    parameters, methods and results; modAL's own class is not changed.

    Parameters
    ----------
    estimator : estimator
        Fitted in place, not a clone of it.
    query_strategy : callable, default=modAL.uncertainty.uncertainty_sampling
        ``strategy(learner, X_pool, **kwargs) -> indices``: modAL's, those of `noisyactive.query`,
        or one made by `from_skactiveml`.
    X_training : array, sparse matrix, DataFrame, list or tensor of shape (n_samples, ...)
        Samples to begin with, default None. The estimator is fitted to them at once; without them
        it may have been fitted before.
    y_training : array-like of shape (n_samples,) or (n_samples, n_outputs)
        Their labels, of any kind that the estimator takes; default None.
    bootstrap_init : bool, default=False
        Whether that first fit is to a bootstrap sample, drawn from NumPy's global random state as
        everywhere in modAL.
    on_transformed : bool, default=False
        Whether strategies of modAL work on what the steps of a Pipeline make of the samples.
    force_all_finite : bool, default=True
        Whether `fit` and `teach` refuse NaN and infinity.
    **fit_kwargs : dict
        Parameters of the estimator's first `fit`.

    Attributes
    ----------
    X_training, y_training
        What the learner has been taught so far, or None.

    Raises
    ------
    TypeError
        If `query_strategy` is not callable.
    ValueError
        If only one of `X_training` and `y_training` is given.

    Notes
    -----
    As with modAL, a learner that is given data fits its estimator when it is made; so a clone of
    one that has been taught is fitted to all it was taught.

    References
    ----------
    .. [1] T. Danka, P. Horvath, "modAL: A modular active learning framework for Python", 2018,
           :doi:`10.48550/arXiv.1805.00979`.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> from noisyactive.compat import ActiveLearner
    >>> from noisyactive.query import entropy_sampling
    >>> X, y = load_iris(return_X_y=True)
    >>> model = LogisticRegression(max_iter=1000)
    >>> learner = ActiveLearner(model, entropy_sampling, X[::10], y[::10])
    >>> indices, samples = learner.query(X, n_instances=5)
    >>> learner.teach(samples, y[indices])
    >>> len(learner.X_training)
    20
    """

    def __init__(
        self,
        estimator: Classifier,
        query_strategy: Strategy = uncertainty_sampling,
        X_training: Samples | None = None,
        y_training: Labels | None = None,
        bootstrap_init: bool = False,
        on_transformed: bool = False,
        force_all_finite: bool = True,
        **fit_kwargs: Any,
    ):
        if not (hasattr(estimator, "fit") and hasattr(estimator, "predict")):
            raise TypeError(
                f"estimator must have fit and predict, got {described(estimator)}: pass an "
                "estimator of scikit-learn, or one like them."
            )
        switches = {
            "bootstrap_init": bootstrap_init,
            "on_transformed": on_transformed,
            "force_all_finite": force_all_finite,
        }
        for name, value in switches.items():
            check_switch(value, name)
        if not callable(query_strategy):
            raise TypeError(f"query_strategy must be callable, got {query_strategy!r}.")
        if (X_training is None) != (y_training is None):
            raise ValueError("X_training and y_training must be given together.")
        self.bootstrap_init = bootstrap_init
        self.fit_kwargs = fit_kwargs
        super().__init__(
            estimator,
            query_strategy,
            X_training,
            y_training,
            bootstrap_init,
            on_transformed,
            force_all_finite=bool(force_all_finite),
            **fit_kwargs,
        )

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Parameters of this learner, those of the first `fit` among them.

        Parameters
        ----------
        deep : bool, default=True
            Whether to add the estimator's own.

        Returns
        -------
        dict of str to object
            Parameters.
        """
        return {**super().get_params(deep=deep), **self.fit_kwargs}

    def fit(self, X: Samples, y: Labels, bootstrap: bool = False, **fit_kwargs: Any) -> Self:
        """Fit the estimator, and forget what was taught before.

        Parameters
        ----------
        X : array, sparse matrix, DataFrame, list or tensor of shape (n_samples, ...)
            Samples.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Labels.
        bootstrap : bool, default=False
            Whether to fit to a bootstrap sample of them.
        **fit_kwargs : dict
            Parameters of the estimator's `fit`.

        Returns
        -------
        self
            The learner.
        """
        self.X_training, self.y_training = self._checked(X, y)
        return self._fit_to_known(bootstrap=bootstrap, **fit_kwargs)

    def _checked(self, X: Any, y: Any) -> tuple[Any, Any]:
        """Samples and labels, as any estimator can read them."""
        X, y = for_estimator(X), for_estimator(y, "y")
        with naming("X or y", "X", "y"):
            check_X_y(
                X,
                y,
                accept_sparse=True,
                ensure_2d=False,
                allow_nd=True,
                multi_output=True,
                dtype=None,
                ensure_all_finite=self.force_all_finite,
            )
        return X, y

    def _add_training_data(self, X: Any, y: Any) -> None:
        X, y = self._checked(X, y)
        if self.X_training is not None:  # both or neither
            X, y = _stack(self.X_training, X, "X"), _stack(self.y_training, y, "y")
        self.X_training, self.y_training = X, y

    def _fit_to_known(self, bootstrap: bool = False, **fit_kwargs: Any) -> Self:
        return self._fit_estimator(self.X_training, self.y_training, bootstrap, fit_kwargs)

    def _fit_on_new(self, X: Any, y: Any, bootstrap: bool = False, **fit_kwargs: Any) -> Self:
        return self._fit_estimator(X, y, bootstrap, fit_kwargs)

    def _fit_estimator(self, X: Any, y: Any, bootstrap: bool, fit_kwargs: dict[str, Any]) -> Self:
        if bootstrap:
            n_samples = _num_samples(X)
            rows = np.random.choice(range(n_samples), n_samples, replace=True)  # modAL's own draw
            X, y = take_rows(X, rows), take_rows(y, rows)
        X, y = for_estimator(X), for_estimator(y, "y")
        if as_array(y, "y").dtype.kind in "mM":
            raise ValueError("y holds dates or durations: pass labels, or numbers.")
        with asking("X or y"), interrupts_raised():
            self.estimator.fit(X, y, **fit_kwargs)
        return self


def _stack(known: Any, new: Any, name: str) -> Any:
    """Known and new data in one, of the type of the known."""
    try:
        if isinstance(known, torch.Tensor):
            return torch.cat([known, torch.as_tensor(new)])
        if hasattr(known, "iloc"):
            return _stack_pandas(known, new)
        if isinstance(known, list):
            return [*known, *new]
        return data_vstack([known, new])
    except (RuntimeError, TypeError, ValueError) as error:
        raise ValueError(
            f"{name} does not go with what the learner was taught before: {error}"
        ) from error


def _stack_pandas(known: Any, new: Any) -> Any:
    pd = import_module("pandas")  # optional, but installed where a DataFrame is given
    if known.ndim == 1:
        return pd.concat([known, pd.Series(new)])
    if not isinstance(new, pd.DataFrame):
        new = pd.DataFrame(new, columns=known.columns)
    if list(new.columns) != list(known.columns):
        raise ValueError(f"columns {list(new.columns)} instead of {list(known.columns)}.")
    return pd.concat([known, new])
