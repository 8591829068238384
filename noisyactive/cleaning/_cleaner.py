"""The cleaning loop: ask an expert about doubtful labels, correct them, tune the model, repeat."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable, Hashable, Iterable, Sequence
from contextlib import AbstractContextManager
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, MetaEstimatorMixin, clone
from sklearn.metrics import get_scorer, get_scorer_names
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions
from sklearn.utils.validation import _num_samples, check_is_fitted

from .._labels import find_classes, find_codes
from .._random import child_seed, draw_seed, isolated_rng
from ..query import (
    bald_sampling,
    coreset_sampling,
    entropy_sampling,
    label_disagreement_sampling,
    least_confidence_sampling,
    margin_sampling,
    random_sampling,
)
from ._confident import confident_mask, out_of_fold_proba
from ._events import Answered, Asked, CleaningState, Closed, Event, Refitted, Started
from ._learner import Learner, aligned_proba, take_rows
from ._oracles import GroundTruthOracle
from ._refit import copy_of, go_on, refit_from_scratch, tune

if TYPE_CHECKING:
    from typing_extensions import Self

STRATEGIES: dict[str, Callable[..., Any]] = {
    "bald": bald_sampling,
    "coreset": coreset_sampling,
    "entropy": entropy_sampling,
    "label_disagreement": label_disagreement_sampling,
    "least_confidence": least_confidence_sampling,
    "margin": margin_sampling,
    "random": random_sampling,
}

_N_FOLDS = 5


class ActiveLabelCleaner(ClassifierMixin, MetaEstimatorMixin, BaseEstimator):
    """Correct the labels that matter most, round after round, within a budget of answers.

    A classifier is fitted to the labels as they are. In each round a query strategy picks rows
    whose labels are doubtful, an expert answers, labels are corrected, and the model is brought
    up to date [1]_. A label that nobody answered for never changes, and every answer is charged.

    Parameters
    ----------
    estimator : classifier
        Cloned. With `clean_mask_` after `fit` (as `CoTeachingVOGClassifier` has it) it says itself
        which labels it trusts; for any other one, confident learning on out-of-fold probabilities
        does, where `pool` or `trust` asks for it.
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
        (`partial_fit`), or a clone fitted anew.
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
        validation_data: tuple[Any, Any] | None = None,
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
        validation_data : tuple (X_val, y_val), default=None
            Scored after every round, where it also chooses the best epoch.

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
        self._start(X, y, validation_data, y_clean)
        while oracle is not None and len(rows := self.query()):
            self.teach(rows, oracle(rows, take_rows(self._X, rows)))
        return self

    def start(
        self, X: Any, y: ArrayLike, *, validation_data: tuple[Any, Any] | None = None
    ) -> Self:
        """Run the first phase; after it, `query` and `teach` take turns.

        Parameters
        ----------
        X : object of length n_samples
            Samples, of any kind that the estimator takes.
        y : array-like of shape (n_samples,)
            Labels, some of them wrong. Not written to.
        validation_data : tuple (X_val, y_val), default=None
            Scored after every round, where it also chooses the best epoch.

        Returns
        -------
        self
            The cleaner.
        """
        return self._start(X, y, validation_data, None)

    def _start(self, X: Any, y: ArrayLike, validation_data: Any, y_clean: Any) -> Self:
        before = dict(vars(self))
        try:
            self._begin(X, y, validation_data, y_clean)
        except BaseException:  # an earlier run goes on as if nothing had been
            self.__dict__.clear()
            self.__dict__.update(before)
            raise
        self._warn_of_large_budget()
        return self

    def _begin(self, X: Any, y: ArrayLike, validation_data: Any, y_clean: Any) -> None:
        self._validate_params()
        self._check_switches()
        present, codes = find_classes(y)
        n_samples = _num_samples(X)
        if n_samples != len(codes):
            raise ValueError(
                f"X and y have inconsistent lengths: {n_samples} samples, {len(codes)} labels."
            )
        classes = present
        known = getattr(self.estimator, "classes", None)
        if known is not None:  # a rare class may be missing from y
            classes = find_classes(known, name="estimator.classes")[0]
        elif y_clean is not None:
            classes = find_classes(np.concatenate([present, find_classes(y_clean)[0]]))[0]
        codes = find_codes(present.tolist(), classes, name="y")[codes]
        if len(classes) < 2:
            raise ValueError(f"y must hold at least 2 classes, got one class: {classes.tolist()}.")
        if validation_data is not None:
            if not isinstance(validation_data, tuple) or len(validation_data) != 2:
                raise TypeError("validation_data must be a tuple (X_val, y_val).")
            present, positions = find_classes(validation_data[1], name="y_val")
            find_codes(present.tolist(), classes, name="y_val")
            if _num_samples(validation_data[0]) != len(positions):
                raise ValueError(
                    f"X_val and y_val have inconsistent lengths: "
                    f"{_num_samples(validation_data[0])} samples, {len(positions)} labels."
                )
        self._X = X
        self._validation_data = validation_data
        self.classes_ = classes
        self._state = CleaningState(classes, codes.astype(np.intp, copy=True))
        self.events_ = []
        self._round_budget = self._count(self.round_budget, len(codes))
        self.seed_ = draw_seed(self.random_state, type(self).__name__)
        self._record(Started(self.seed_))
        self._first_phase()

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
        index = np.asarray(rows)
        if not isinstance(answers, Iterable) or isinstance(answers, str):
            raise ValueError(f"answers must be a sequence of labels and None, got {answers!r}.")
        labels = answers.tolist() if isinstance(answers, np.ndarray) else list(answers)
        if unhashable := [label for label in labels if not isinstance(label, Hashable)]:
            raise ValueError(f"answers must be labels or None, got {unhashable[0]!r}.")
        if index.ndim != 1 or (len(index) and index.dtype.kind not in "iu"):
            raise ValueError(f"rows must be a list of row numbers, got {rows!r}.")
        if len(index) != len(labels):
            raise ValueError(f"Got {len(labels)} answers for {len(index)} rows.")
        n_samples = len(self._state.codes)
        if len(outside := index[(index < 0) | (index >= n_samples)]):
            raise ValueError(f"rows must be from 0 to {n_samples - 1}, got {outside.tolist()}.")
        if len(np.unique(index)) < len(index):
            raise ValueError("rows must hold each row once; a row answered twice is ambiguous.")
        given = [label for label in labels if label is not None]
        codes = find_codes(given, self.classes_, name="answers")
        known = iter(self.classes_[codes].tolist())
        labels = [None if label is None else next(known) for label in labels]
        self._record(Answered(tuple(index.tolist()), tuple(labels)))
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
        if self.refit == "continue" and not hasattr(self.estimator, "partial_fit"):
            raise ValueError(
                'refit="continue" needs an estimator with partial_fit; '
                f"{type(self.estimator).__name__} has none."
            )

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
        device = getattr(self.estimator, "device", "cpu")
        return isolated_rng(child_seed(self.seed_, part, 0), device)

    def _first_phase(self) -> None:
        n_samples = len(self._state.codes)
        self._trusted_at_first = np.full(n_samples, self.trust == "all")
        self._doubted = np.ones(n_samples, dtype=bool)
        self.__dict__.pop("estimator_", None)
        rng = self._rng(0)
        estimator = clone(self.estimator)
        seeds = [
            name
            for name, value in sorted(estimator.get_params(deep=True).items())
            if name.split("__")[-1] == "random_state" and value is None
        ]
        estimator.set_params(**{name: int(rng.randint(2**31 - 1)) for name in seeds})
        if "classes" in (own := estimator.get_params(deep=False)) and own["classes"] is None:
            estimator.set_params(classes=self.classes_)
        self._template = estimator
        if self.initial_fit == "none":
            self._record(Refitted(np.nan))
            return
        with self._isolated(0):
            self.estimator_ = clone(estimator).fit(self._X, self.labels_)
            self._judge_labels(rng)
        self._record(Refitted(self._score(self.estimator_)))

    def _judge_labels(self, rng: np.random.RandomState) -> None:
        """Let the first phase say which labels it trusts, where that is asked for."""
        if self.pool == "noisy" or self.trust == "selected":
            mask = getattr(self.estimator_, "clean_mask_", None)
            if mask is None:
                proba = out_of_fold_proba(
                    self._template,
                    self._X,
                    self.classes_,
                    self._state.codes,
                    n_folds=_N_FOLDS,
                    rng=rng,
                )
                mask = confident_mask(proba, self._state.codes)
            if self.pool == "noisy":
                self._doubted = ~mask
            if self.trust == "selected":
                self._trusted_at_first = mask.copy()

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

    def _score(self, estimator: Any) -> float:
        if self._validation_data is None:
            return float("nan")
        scorer = get_scorer(self.scoring) if isinstance(self.scoring, str) else self.scoring
        return float(scorer(estimator, *self._validation_data))

    def _bring_up_to_date(self) -> None:
        rows = np.flatnonzero(self.clean_mask_)
        labels = self.labels_[rows]
        if len(np.unique(labels)) >= 2:
            with self._isolated(self._state.round):
                self._learn(take_rows(self._X, rows), labels)
        fitted = hasattr(self, "estimator_")
        self._record(Refitted(self._score(self.estimator_) if fitted else np.nan))

    def _learn(self, X: Any, y: NDArray[Any]) -> None:
        score = None if self._validation_data is None else self._score
        fitted = getattr(self, "estimator_", None)
        new_class = fitted is not None and not np.isin(y, fitted.classes_).all()
        if self.refit == "scratch" or fitted is None or new_class:
            self.estimator_ = refit_from_scratch(self._template, X, y)
            return
        # A copy: a refit that breaks off leaves the model as it was.
        fitted = copy_of(fitted)
        if self.refit == "continue":
            self.estimator_ = go_on(fitted, X, y, epochs=self.tune_epochs, score=score)
        else:
            self.estimator_ = tune(
                fitted, X, y, epochs=self.tune_epochs, lr=self.tune_lr, score=score
            )

    def _pick(self, pool: NDArray[np.intp], n_rows: int) -> NDArray[np.intp]:
        rng = self._rng(self._state.round + 1)
        if not hasattr(self, "estimator_"):
            return rng.choice(pool, size=n_rows, replace=False)
        strategy = (
            STRATEGIES[self.query_strategy]
            if isinstance(self.query_strategy, str)
            else self.query_strategy
        )
        labels = self.labels_
        trusted = np.flatnonzero(self.clean_mask_)
        learner = Learner(
            self.estimator_, self.classes_, take_rows(self._X, trusted), labels[trusted]
        )
        offers = {"y": labels[pool], "random_state": rng}
        accepted = inspect.signature(strategy).parameters
        extras = {name: value for name, value in offers.items() if name in accepted}
        with self._isolated(self._state.round + 1):
            answer = strategy(learner, take_rows(self._X, pool), n_instances=n_rows, **extras)
        if isinstance(answer, tuple):  # modAL 0.4.2 and later: indices and their metrics
            answer = answer[0]
        chosen = np.asarray(answer)
        name = getattr(strategy, "__name__", repr(strategy))
        if chosen.ndim != 1 or chosen.dtype.kind not in "iu" or not 1 <= len(chosen) <= n_rows:
            raise ValueError(
                f"query_strategy {name} must return 1 to {n_rows} row numbers, got {answer!r}."
            )
        if chosen.min() < 0 or chosen.max() >= len(pool):
            raise ValueError(
                f"query_strategy {name} returned rows outside the pool of {len(pool)}: "
                f"{chosen[(chosen < 0) | (chosen >= len(pool))].tolist()}."
            )
        if len(np.unique(chosen)) < len(chosen):
            raise ValueError(f"query_strategy {name} returned rows twice.")
        return pool[chosen]
