"""The cleaning loop: ask an expert about doubtful labels, correct them, tune the model, repeat."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn import get_config
from sklearn.base import BaseEstimator, ClassifierMixin, MetaEstimatorMixin
from sklearn.metrics import get_scorer_names
from sklearn.utils import get_tags, indexable
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions
from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping, process_routing
from sklearn.utils.validation import check_is_fitted
from torch.utils.data import Dataset

from .._labels import find_classes
from .._pipeline import last_step
from .._random import child_seed, draw_seed, isolated_rng
from ._checks import check_answers, check_groups, check_labels, check_validation_data
from ._choice import STRATEGIES, choose
from ._events import Answered, Asked, CleaningState, Closed, Event, Refitted, Started
from ._learner import Learner, aligned_proba, take_rows
from ._oracles import GroundTruthOracle
from ._refit import seeded_clone
from ._trainer import Trainer

if TYPE_CHECKING:
    from typing_extensions import Self


class ActiveLabelCleaner(ClassifierMixin, MetaEstimatorMixin, BaseEstimator):
    """Correct the labels that matter most, round after round, within a budget of answers.

    A classifier is fitted to the labels as they are. In each round a query strategy picks rows
    whose labels are doubtful, an expert answers, labels are corrected, and the model is brought
    up to date [1]_. A label that nobody answered for never changes, and every answer is charged.

    Parameters
    ----------
    estimator : classifier
        Cloned. With `clean_mask_` after `fit` (as `CoTeachingVOGClassifier` has it, also as the
        last step of a Pipeline) it says itself which labels it trusts; for any other one,
        confident learning on out-of-fold probabilities does, where `pool` or `trust` asks for it.
    query_strategy : str or callable, default="entropy"
        "bald", "coreset", "entropy", "label_disagreement", "least_confidence", "margin", "random",
        or ``strategy(learner, X, n_instances, **kwargs) -> indices into X`` as modAL has them;
        those with a parameter `y` get the current labels of the rows, those with `random_state` a
        generator.
    n_rounds : int, default=8
        Rounds of questions.
    round_budget : int or float, default=0.02
        Answers per round: a count, or as a float below 1 a share of the samples.
    initial_fit : {"noisy", "none"}, default="noisy"
        "noisy": the first phase fits the estimator to the labels as they are. "none": there is no
        model until labels of two classes have been verified, and rounds ask at random until then.
    pool : {"noisy", "unverified"}, default="noisy"
        Who may be asked about: rows whose labels the first phase did not trust, or all. Rows that
        were answered, with a label or without, are not asked about again.
    trust : {"selected", "verified", "all"}, default="selected"
        Whose labels are trained on: those that the first phase trusted and those verified, only
        those verified, or all.
    refit : {"tune", "continue", "scratch"}, default="tune"
        How the model is brought up to date: plain cross-entropy on the fitted model (its
        `refine`, else `partial_fit`, else as "scratch"), its own objective going on
        (`partial_fit`), or a clone fitted anew. Of a Pipeline, the first two train the last step.
    tune_epochs : int, default=25
        Epochs a round of "tune" and "continue".
    tune_lr : float, default=0.01
        Learning rate of "tune".
    scoring : str or callable, default="f1_macro"
        Scores the model on validation data, and chooses the best epoch of each round of "tune"
        and "continue" there: the name of a scikit-learn scorer or ``scorer(estimator, X, y)``.
    random_state : int, RandomState or None, default=None
        Seeds the strategies and those parts of the estimator that have no seed of their own.
        Round r draws from the child seed (random_state, r). The global random state is left alone.

    Attributes
    ----------
    labels_ : ndarray of shape (n_samples,)
        The labels as they are now.
    estimator_ : classifier
        The model as it is now.
    clean_mask_ : ndarray of bool of shape (n_samples,)
        Labels that are trusted: by the first phase (none with ``trust="verified"``, all with
        "all"), or verified.
    relabelled_round_ : ndarray of int of shape (n_samples,)
        Round, from 1, of the latest answer with a label; 0 for one before the first round, -1 for
        never.
    history_ : dict of ndarray
        One entry for the first phase and one for each round: ``round``, ``asked``, ``changed``
        (labels), ``cost`` (answers so far), ``score`` (NaN without validation data).
    events_ : list
        What happened, in order; the state of a run is a fold of it.
    classes_ : ndarray of shape (n_classes,)
        Class labels, sorted.
    seed_ : int
        The seed in use, drawn from `random_state`.
    n_features_in_ : int
        Number of features, where `estimator_` says so.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the features, where `estimator_` says so.

    See Also
    --------
    noisyactive.query.rank_suspects : A ranked list of doubtful labels, without any loop.

    References
    ----------
    .. [1] Khanal et al., "Active Label Refinement for Robust Training of Imbalanced Medical Image
       Classification Tasks in the Presence of High Label Noise", MICCAI 2024,
       https://doi.org/10.1007/978-3-031-72120-5_4
    .. [2] Bernhardt et al., "Active label cleaning for improved dataset quality under resource
       constraints", Nature Communications, 2022, https://doi.org/10.1038/s41467-022-28818-3

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> from noisyactive import ActiveLabelCleaner, UniformLabelNoise
    >>> X, y = load_iris(return_X_y=True)
    >>> y_noisy = UniformLabelNoise(0.3, random_state=0).fit_transform(y)
    >>> model = LogisticRegression(max_iter=1000)
    >>> cleaner = ActiveLabelCleaner(model, n_rounds=4, round_budget=5)
    >>> cleaner = cleaner.fit(X, y_noisy, y_clean=y)
    >>> cleaner.history_["cost"].tolist()
    [0, 5, 10, 15, 20]

    With real people, ask and teach:

    >>> cleaner = ActiveLabelCleaner(model, n_rounds=2, round_budget=3)
    >>> cleaner = cleaner.start(X, y_noisy)
    >>> while len(rows := cleaner.query()):
    ...     answers = [y[row] for row in rows]
    ...     cleaner = cleaner.teach(rows, answers)
    >>> int((cleaner.relabelled_round_ > 0).sum())
    6
    """

    _parameter_constraints: dict[str, list[Any]] = {
        "estimator": [HasMethods(["fit", "predict_proba"])],
        "query_strategy": [StrOptions(set(STRATEGIES)), callable],
        "n_rounds": [Interval(Integral, 0, None, closed="left")],
        "round_budget": [
            Interval(Integral, 1, None, closed="left"),
            Interval(Real, 0, 1, closed="neither"),
        ],
        "initial_fit": [StrOptions({"noisy", "none"})],
        "pool": [StrOptions({"noisy", "unverified"})],
        "trust": [StrOptions({"selected", "verified", "all"})],
        "refit": [StrOptions({"tune", "continue", "scratch"})],
        "tune_epochs": [Interval(Integral, 1, None, closed="left")],
        "tune_lr": [Interval(Real, 0, None, closed="neither")],
        "scoring": [StrOptions(set(get_scorer_names())), callable],
        "random_state": ["random_state"],
    }

    events_: list[Event]
    estimator_: Any
    classes_: NDArray[Any]
    seed_: int

    def __init__(
        self,
        estimator: Any,
        query_strategy: str | Callable[..., Any] = "entropy",
        *,
        n_rounds: int = 8,
        round_budget: int | float = 0.02,
        initial_fit: str = "noisy",
        pool: str = "noisy",
        trust: str = "selected",
        refit: str = "tune",
        tune_epochs: int = 25,
        tune_lr: float = 0.01,
        scoring: str | Callable[..., float] = "f1_macro",
        random_state: int | np.random.RandomState | None = None,
    ):
        self.estimator = estimator
        self.query_strategy = query_strategy
        self.n_rounds = n_rounds
        self.round_budget = round_budget
        self.initial_fit = initial_fit
        self.pool = pool
        self.trust = trust
        self.refit = refit
        self.tune_epochs = tune_epochs
        self.tune_lr = tune_lr
        self.scoring = scoring
        self.random_state = random_state

    # --- the loop -------------------------------------------------------------------------------

    def fit(
        self,
        X: Any,
        y: ArrayLike,
        *,
        oracle: Callable[[NDArray[np.intp], Any], Sequence[Any]] | None = None,
        y_clean: ArrayLike | None = None,
        groups: ArrayLike | None = None,
        validation_data: tuple[Any, Any] | None = None,
        **fit_params: Any,
    ) -> Self:
        """Run all rounds with an answering machine; without one, the first phase alone.

        Parameters
        ----------
        X : object of length n_samples
            Samples, of any kind that the estimator takes.
        y : array-like of shape (n_samples,)
            Labels, some of them wrong. Not written to.
        oracle : callable, default=None
            ``oracle(rows, X_rows) -> answers``: a label or None for each row.
        y_clean : array-like of shape (n_samples,), default=None
            True labels, for studies: the same as ``oracle=GroundTruthOracle(y_clean)``, and sliced
            as `y` is by cross-validation.
        groups : array-like of shape (n_samples,), default=None
            Samples that belong together (images of one patient): out-of-fold probabilities keep
            them together. Estimators that say themselves which labels to trust do not need it.
        validation_data : tuple (X_val, y_val), default=None
            Scored after every round, where it also chooses the best epoch.
        **fit_params : dict
            Parameters of the estimator's `fit`, as `sample_weight`, or ``step__sample_weight`` of
            a Pipeline; with scikit-learn's metadata routing enabled, by what it requests. Those
            of length n_samples are sliced along with the rows.

        Returns
        -------
        self
            The cleaner. If the oracle raises, what was answered before stays, and `query` goes on.

        Raises
        ------
        ValueError, TypeError
            If a parameter or the data is not as described, before training starts.
        """
        if oracle is not None and y_clean is not None:
            raise ValueError("Pass oracle or y_clean, not both.")
        if oracle is not None and not callable(oracle):
            raise TypeError(f"oracle must be callable, got {oracle!r}.")
        if y_clean is not None:
            oracle = GroundTruthOracle(y_clean)
            if len(oracle) != len(find_classes(y)[1]):
                raise ValueError(f"y_clean must be as long as y, got {len(oracle)} labels.")
        self._start(X, y, y_clean, groups, validation_data, fit_params)
        if oracle is not None:
            self._warn_of_large_budget()
            while len(rows := self.query()):
                self.teach(rows, oracle(rows, take_rows(self._trainer.X, rows)))
        return self

    def start(
        self,
        X: Any,
        y: ArrayLike,
        *,
        groups: ArrayLike | None = None,
        validation_data: tuple[Any, Any] | None = None,
        **fit_params: Any,
    ) -> Self:
        """Run the first phase; after it, `query` and `teach` take turns.

        Parameters
        ----------
        X : object of length n_samples
            Samples, of any kind that the estimator takes.
        y : array-like of shape (n_samples,)
            Labels, some of them wrong. Not written to.
        groups : array-like of shape (n_samples,), default=None
            As for `fit`.
        validation_data : tuple (X_val, y_val), default=None
            Scored after every round, where it also chooses the best epoch.
        **fit_params : dict
            As for `fit`.

        Returns
        -------
        self
            The cleaner.
        """
        self._start(X, y, None, groups, validation_data, fit_params)
        self._warn_of_large_budget()
        return self

    def _start(
        self,
        X: Any,
        y: ArrayLike,
        y_clean: Any,
        groups: Any,
        validation_data: Any,
        fit_params: dict[str, Any],
    ) -> Self:
        before = dict(vars(self))
        try:
            self._begin(X, y, y_clean, groups, validation_data, fit_params)
        except BaseException:  # an earlier run goes on as if nothing had been
            self.__dict__.clear()
            self.__dict__.update(before)
            raise
        return self

    def _begin(
        self,
        X: Any,
        y: ArrayLike,
        y_clean: Any,
        groups: Any,
        validation_data: Any,
        fit_params: dict[str, Any],
    ) -> None:
        self._validate_params()
        self._check_switches()
        X = X if isinstance(X, Dataset) else indexable(X)[0]
        known = getattr(last_step(self.estimator), "classes", None)
        classes, codes = check_labels(X, y, known, y_clean)
        groups = check_groups(groups, len(codes))
        check_validation_data(validation_data, classes)
        fit_params = self._routed(groups, fit_params)
        self.classes_ = classes
        self._state = CleaningState(classes, codes)
        self.events_ = []
        self._round_budget = self._count(self.round_budget, len(codes))
        self.seed_ = draw_seed(self.random_state, type(self).__name__)
        self._record(Started(self.seed_))
        rng = self._rng(0)
        self._trainer = Trainer(
            template=seeded_clone(self.estimator, classes, rng),
            X=X,
            classes=classes,
            groups=groups,
            fit_params=fit_params,
            validation_data=validation_data,
            scoring=self.scoring,
        )
        self._first_phase(rng)

    def query(self) -> NDArray[np.intp]:
        """Rows to ask an expert about.

        While a round is under way, those of its rows that wait for an answer. Otherwise the model
        is brought up to date and the next round begins.

        Returns
        -------
        ndarray of int of shape (n_rows,)
            Rows, the most wanted first; none once the rounds, the budget or the pool have run out.
        """
        check_is_fitted(self, "events_")
        if not self._state.open_rows:
            if not self._state.up_to_date:
                self._bring_up_to_date()
            pool = np.flatnonzero(self._pool_mask())
            n_rows = min(self._round_budget, self._budget_left(), len(pool))
            if n_rows > 0 and self._state.round < self.n_rounds:
                self._record(Asked(tuple(self._pick(pool, n_rows).tolist())))
        return np.array(self._state.open_rows, dtype=np.intp)

    def teach(self, rows: ArrayLike, answers: Sequence[Any] | NDArray[Any]) -> Self:
        """Record an expert's answers; the model learns of them at the next `query`.

        Rows that were not asked about are welcome: a volunteer's correction, charged like any
        answer. For a row answered before, the later answer counts.

        Parameters
        ----------
        rows : array-like of int of shape (n_rows,)
            Rows of the data set, each once.
        answers : sequence of length n_rows
            A class label for each row, or None: charged, and not asked about again.

        Returns
        -------
        self
            The cleaner.

        Raises
        ------
        ValueError
            If lengths differ, a row is not of the data set or there twice, or a label is not among
            `classes_`; nothing is recorded then.
        """
        check_is_fitted(self, "events_")
        index, labels = check_answers(rows, answers, len(self._state.codes), self.classes_)
        self._record(Answered(index, labels))
        return self

    def close_round(self) -> Self:
        """End the round although answers are missing; their rows may be asked about again.

        Returns
        -------
        self
            The cleaner.
        """
        check_is_fitted(self, "events_")
        if self._state.open_rows:
            self._record(Closed())
        return self

    # --- the outcome ----------------------------------------------------------------------------

    @property
    def labels_(self) -> NDArray[Any]:
        """The labels as they are now, of shape (n_samples,)."""
        return self.classes_[self._state.codes]

    @property
    def clean_mask_(self) -> NDArray[np.bool_]:
        """Labels that are trusted, of shape (n_samples,)."""
        return self._trusted_at_first | self._state.verified

    @property
    def relabelled_round_(self) -> NDArray[np.intp]:
        """Round of the latest answer with a label, -1 for never; of shape (n_samples,)."""
        return self._state.relabelled_round.copy()

    @property
    def history_(self) -> dict[str, NDArray[Any]]:
        """One entry for the first phase and one for each round."""
        return {key: np.array(column) for key, column in self._state.history.items()}

    def predict(self, X: Any) -> NDArray[Any]:
        """Most probable class of each sample, of shape (n_samples,)."""
        check_is_fitted(self, "estimator_")
        return self.estimator_.predict(X)

    def predict_proba(self, X: Any) -> NDArray[Any]:
        """Class probabilities of shape (n_samples, n_classes), in the order of `classes_`."""
        check_is_fitted(self, "estimator_")
        return aligned_proba(self.estimator_, X, self.classes_)

    # --- inside ---------------------------------------------------------------------------------

    def _check_switches(self) -> None:
        if self.initial_fit == "none" and (self.pool, self.trust) != ("unverified", "verified"):
            raise ValueError(
                'initial_fit="none" has no first phase that could trust labels: it needs '
                f'pool="unverified" and trust="verified", got pool={self.pool!r} and '
                f"trust={self.trust!r}."
            )
        last = last_step(self.estimator)
        if self.refit == "continue" and not hasattr(last, "partial_fit"):
            raise ValueError(
                'refit="continue" needs an estimator with partial_fit; '
                f"{type(last).__name__} has none."
            )

    def _routed(self, groups: Any, fit_params: dict[str, Any]) -> dict[str, Any]:
        """Parameters of the estimator's `fit`."""
        if not get_config()["enable_metadata_routing"]:
            return fit_params
        offered = fit_params if groups is None else {**fit_params, "groups": groups}
        return dict(process_routing(self, "fit", **offered).estimator.fit)

    def get_metadata_routing(self) -> MetadataRouter:
        """Where `fit` sends what it is given; see scikit-learn's guide to metadata routing.

        Returns
        -------
        MetadataRouter
            The cleaner's own requests (`oracle`, `y_clean`, `groups`, `validation_data`) and those
            of the estimator.
        """
        mapping = MethodMapping().add(caller="fit", callee="fit")
        router = MetadataRouter(owner=self).add_self_request(self)
        return router.add(estimator=self.estimator, method_mapping=mapping)

    @staticmethod
    def _count(budget: int | float, n_samples: int) -> int:
        return int(budget) if budget >= 1 else max(1, round(budget * n_samples))

    def _record(self, event: Event) -> None:
        self._state.apply(event)  # first: what it refuses has not happened
        self.events_.append(event)

    def _rng(self, part: int) -> np.random.RandomState:
        return np.random.RandomState(child_seed(self.seed_, part))

    def _isolated(self, part: int) -> AbstractContextManager[None]:
        """Where estimators and strategies draw from global generators, seeded and put back."""
        device = getattr(last_step(self.estimator), "device", "cpu")
        return isolated_rng(child_seed(self.seed_, part, 0), device)

    def _first_phase(self, rng: np.random.RandomState) -> None:
        codes = self._state.codes
        self.__dict__.pop("estimator_", None)
        self._trusted_at_first = np.full(len(codes), self.trust == "all")
        self._doubted = np.ones(len(codes), dtype=bool)
        if self.initial_fit == "none":
            self._record(Refitted(np.nan))
            return
        with self._isolated(0):
            self.estimator_ = self._trainer.fit(np.arange(len(codes)), codes)
            if self.pool == "noisy" or self.trust == "selected":
                trusted = self._trainer.trusted(self.estimator_, codes, rng)
                if self.pool == "noisy":
                    self._doubted = ~trusted
                if self.trust == "selected":
                    self._trusted_at_first = trusted
        self._record(Refitted(self._trainer.score(self.estimator_)))

    def _pool_mask(self) -> NDArray[np.bool_]:
        return self._doubted & ~self._state.verified & ~self._state.skipped

    def _budget_left(self) -> int:
        return self.n_rounds * self._round_budget - self._state.cost

    def _warn_of_large_budget(self) -> None:
        budget, pool = self._budget_left(), int(self._pool_mask().sum())
        if budget > pool:
            warnings.warn(
                f"The budget of {budget} answers is larger than the pool of {pool} rows that may "
                "be asked about; the rounds will end when it is empty.",
                UserWarning,
                stacklevel=3,
            )

    def _bring_up_to_date(self) -> None:
        model, codes = getattr(self, "estimator_", None), self._state.codes
        rows = np.flatnonzero(self.clean_mask_)
        if len(np.unique(codes[rows])) >= 2:
            with self._isolated(self._state.round):
                model = self.estimator_ = self._trainer.update(
                    model, rows, codes, refit=self.refit, epochs=self.tune_epochs, lr=self.tune_lr
                )
        self._record(Refitted(self._trainer.score(model)))

    def _pick(self, pool: NDArray[np.intp], n_rows: int) -> NDArray[np.intp]:
        rng = self._rng(self._state.round + 1)
        if not hasattr(self, "estimator_"):
            return rng.choice(pool, size=n_rows, replace=False)
        labels = self.labels_
        trusted = np.flatnonzero(self.clean_mask_)
        learner = Learner(
            self.estimator_, self.classes_, take_rows(self._trainer.X, trusted), labels[trusted]
        )
        with self._isolated(self._state.round + 1):
            chosen = choose(
                self.query_strategy,
                learner,
                take_rows(self._trainer.X, pool),
                labels[pool],
                n_rows,
                rng,
            )
        return pool[chosen]

    @property
    def n_features_in_(self) -> int:
        """Number of features that the estimator was fitted to."""
        return self._of_estimator("n_features_in_")

    @property
    def feature_names_in_(self) -> NDArray[Any]:
        """Names of the features that the estimator was fitted to."""
        return self._of_estimator("feature_names_in_")

    def _of_estimator(self, name: str) -> Any:
        if "estimator_" not in vars(self):
            raise AttributeError(f"{type(self).__name__} has no {name} before its first fit.")
        return getattr(self.estimator_, name)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        of_estimator = get_tags(self.estimator)
        tags.input_tags = of_estimator.input_tags
        tags.classifier_tags = of_estimator.classifier_tags
        tags.non_deterministic = of_estimator.non_deterministic
        return tags
