"""modAL's committee, working with current scikit-learn and pandas."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from modAL.disagreement import vote_entropy_sampling
from modAL.models import Committee as _ModALCommittee
from numpy.typing import NDArray
from sklearn.exceptions import NotFittedError
from sklearn.utils.validation import _num_samples

from .._typing import Labels, Samples, Strategy
from ._modal import ActiveLearner, Queries

if TYPE_CHECKING:
    from typing_extensions import Self


class Committee(Queries, _ModALCommittee):
    """modAL's ``Committee`` [1]_ with all methods working on current libraries.

    A subclass with the same parameters, methods and results: see `ActiveLearner`. Beyond them,
    members may be fitted to string labels, and pools may be lists.

    Parameters
    ----------
    learner_list : list of ActiveLearner
        The members, of this package's class.
    query_strategy : callable, default=modAL.disagreement.vote_entropy_sampling
        As for `ActiveLearner`; modAL's disagreement strategies are made for committees.
    on_transformed : bool, default=False
        Whether strategies of modAL work on what the steps of a Pipeline make of the samples.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        All classes that a member knows, sorted; None before all are fitted.
    n_classes_ : int
        Their number.

    Raises
    ------
    TypeError
        If `learner_list` is not such a list, or `query_strategy` is not callable.

    References
    ----------
    .. [1] T. Danka, P. Horvath, "modAL: A modular active learning framework for Python", 2018,
           :doi:`10.48550/arXiv.1805.00979`.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.neighbors import KNeighborsClassifier
    >>> from sklearn.tree import DecisionTreeClassifier
    >>> from noisyactive.compat import ActiveLearner, Committee
    >>> X, y = load_iris(return_X_y=True)
    >>> models = KNeighborsClassifier(3), DecisionTreeClassifier(random_state=0)
    >>> members = [ActiveLearner(model, X_training=X[::10], y_training=y[::10]) for model in models]
    >>> committee = Committee(members)
    >>> indices, samples = committee.query(X, n_instances=5)
    >>> committee.teach(samples, y[indices])
    >>> committee.vote(X).shape
    (150, 2)
    """

    def __init__(
        self,
        learner_list: list[ActiveLearner],
        query_strategy: Strategy = vote_entropy_sampling,
        on_transformed: bool = False,
    ):
        if (
            not isinstance(learner_list, list)
            or not learner_list
            or not all(isinstance(learner, ActiveLearner) for learner in learner_list)
        ):
            raise TypeError(
                "learner_list must be a list of learners, each a noisyactive.compat.ActiveLearner "
                "(modAL's own cannot be taught any more)."
            )
        if not callable(query_strategy):
            raise TypeError(f"query_strategy must be callable, got {query_strategy!r}.")
        super().__init__(learner_list, query_strategy, on_transformed)

    def fit(self, X: Samples, y: Labels, **fit_kwargs: Any) -> Self:
        """Fit every member, and forget what was taught before.

        Parameters
        ----------
        X : array, sparse matrix, DataFrame, list or tensor of shape (n_samples, ...)
            Samples.
        y : array-like of shape (n_samples,)
            Labels.
        **fit_kwargs : dict
            Parameters of the members' `fit`; ``bootstrap=True`` for bagging.

        Returns
        -------
        self
            The committee.
        """
        super().fit(X, y, **fit_kwargs)
        return self

    def rebag(self, **fit_kwargs: Any) -> None:
        """Fit every member to a bootstrap sample of what it was taught.

        Parameters
        ----------
        **fit_kwargs : dict
            Parameters of the estimators' `fit`.
        """
        super().rebag(**fit_kwargs)
        self._set_classes()

    def vote(self, X: Samples, **predict_kwargs: Any) -> NDArray[Any]:
        """The class that each member predicts for each sample.

        Parameters
        ----------
        X : array, sparse matrix, DataFrame, list or tensor of shape (n_samples, ...)
            Samples.
        **predict_kwargs : dict
            Parameters of the members' `predict`.

        Returns
        -------
        ndarray of shape (n_samples, n_learners)
            Labels as they were taught.
        """
        return np.stack([learner.predict(X, **predict_kwargs) for learner in self], axis=1)

    def vote_proba(self, X: Samples, **predict_proba_kwargs: Any) -> NDArray[np.float64]:
        """The class probabilities that each member predicts for each sample.

        Parameters
        ----------
        X : array, sparse matrix, DataFrame, list or tensor of shape (n_samples, ...)
            Samples.
        **predict_proba_kwargs : dict
            Parameters of the members' `predict_proba`.

        Returns
        -------
        ndarray of shape (n_samples, n_learners, n_classes)
            Probabilities in the order of `classes_`; 0 for a class that a member does not know.
        """
        if self.classes_ is None:
            raise NotFittedError("Not all members of the committee are fitted.")
        votes = np.zeros((_num_samples(X), len(self), self.n_classes_))
        for member, learner in enumerate(self):
            columns = np.searchsorted(self.classes_, learner.estimator.classes_)
            votes[:, member, columns] = learner.predict_proba(X, **predict_proba_kwargs)
        return votes

    def _set_classes(self) -> None:
        try:
            known = [learner.estimator.classes_ for learner in self]
        except AttributeError:
            self.classes_, self.n_classes_ = None, 0
            return
        self.classes_ = np.unique(np.concatenate(known))  # NumPy 1 refuses objects with axis=0
        self.n_classes_ = len(self.classes_)
