"""What happens between questions and answers: the cleaner's inside."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn import get_config
from sklearn.base import BaseEstimator
from sklearn.utils import get_tags, indexable
from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping, process_routing
from torch.utils.data import Dataset

from .._pipeline import last_step
from .._random import child_seed, draw_seed, isolated_rng
from .._rows import take_rows
from ..query import bald_sampling
from . import _checkpoint as checkpoint
from ._annotators import Aggregate, settle
from ._checkpoint import can_keep, keys_of
from ._checks import check_groups, check_ids, check_labels, check_validation_data
from ._choice import choose
from ._cross_fit import CrossFitEnsemble, cross_fit, put_together, taken_apart, update
from ._events import Answered, Asked, CleaningState, Closed, Ended, Event, Refitted, Started
from ._fingerprint import describe, describe_data
from ._items import first_answers
from ._learner import Learner, aligned_proba
from ._refit import can_go_on, seeded_clone
from ._runner import Runner
from ._trainer import Trainer


class _Due(NamedTuple):
    """What a model is brought up to date with."""

    round: int
    rows: NDArray[np.intp]
    codes: NDArray[np.intp]
    true: NDArray[np.intp]
    answers: int
    forget_rate: float | None


class Rounds(BaseEstimator):
    """Base of the cleaner: events, models and the journal; nothing here is for direct use."""

    estimator: Any
    query_strategy: str | Callable[..., Any]
    n_rounds: int
    round_budget: int | float
    initial_fit: str
    pool: str
    trust: str
    refit: str
    fine_tune_epochs: int
    fine_tune_lr: float
    lower_forget_rate: bool
    scoring: str | Callable[..., float]
    answers_per_item: int
    aggregate: str | Aggregate
    journal: str | os.PathLike[str] | None
    random_state: int | np.random.RandomState | None

    events_: list[Event]
    estimator_: Any
    classes_: NDArray[Any]
    seed_: int
    _ids: NDArray[np.str_] | None
    _runner: Runner | None
    _state: CleaningState
    _trainer: Trainer

    # --- the beginning --------------------------------------------------------------------------

    def _start(self, X: Any, y: ArrayLike, y_clean: Any, **others: Any) -> None:
        """Begin a run, or go on with that of the journal."""
        before = dict(vars(self))
        earlier = before.get("_runner")
        self._runner = None
        try:
            self._begin(X, y, y_clean, **others)
        except BaseException:  # an earlier run goes on as if nothing had been
            if self._runner is not None:
                self._runner.close()
            self.__dict__.clear()
            self.__dict__.update(before)
            raise
        if earlier is not None:
            earlier.close()

    def _begin(
        self,
        X: Any,
        y: ArrayLike,
        y_clean: Any,
        *,
        ids: Any,
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
        self._ids = None if ids is None else check_ids(ids, len(codes))
        self._row_of: dict[str, int] = {}
        fit_params = self._routed(groups, fit_params)
        self.classes_ = classes
        self._state = CleaningState(classes, codes, self.answers_per_item)
        self.events_ = []
        self._round_budget = self._count(self.round_budget, len(codes))
        self._check_budget()
        past: list[Event] = []
        if self.journal is not None:
            others = {"groups": groups, "validation data": validation_data}
            past = self._open_journal(X, classes, codes, others, fit_params)
        self.seed_ = draw_seed(self.random_state, type(self).__name__)
        if past and isinstance(past[0], Started):
            self.seed_ = past[0].seed
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
        if past:
            self._replay(past, rng)
            return
        self._first_phase(rng)
        model = getattr(self, "estimator_", None)
        first: list[Event] = [Started(self.seed_), Refitted(self._trainer.score(model))]
        if self._runner is not None:
            self._runner.publish(first)
        for event in first:
            self._apply(event)
        self._keep_model()

    def _open_journal(
        self,
        X: Any,
        classes: NDArray[Any],
        codes: NDArray[np.intp],
        others: dict[str, Any],
        fit_params: dict[str, Any],
    ) -> list[Event]:
        """Events of the journal, if there is one already; it has to agree with what was given."""
        assert self.journal is not None
        if odd := [x for x in classes.tolist() if not isinstance(x, (str, int, float))]:
            raise ValueError(
                "A journal can keep labels that are strings, numbers or booleans; y holds "
                f"{odd[0]!r}."
            )
        parameters: dict[str, str] = {}
        for name, value in self.get_params(deep=False).items():
            parameters.update(describe(name, value))
        data = describe_data(X, classes, codes, self.ids_, others, fit_params)
        self._runner = Runner(self.journal, parameters, data)
        past = self._runner.past()
        if not past:
            self._runner.draft(classes, codes, self.ids_, self.answers_per_item)
        return past

    def _replay(self, events: list[Event], rng: np.random.RandomState) -> None:
        """Do again what the journal says was done: facts are the journal's, models are computed.

        A model that is fitted from scratch owes nothing to the ones before it, of which all but
        the last are left out; and nothing is computed that was kept beside the journal.
        """
        n_known = self._kept_model(events)
        if not n_known:
            self._first_phase(rng)
        scratch = self.refit == "scratch" or not can_go_on(self._trainer.template)
        scratch &= self.trust != "crossfit"  # what is trusted next depends on each model
        due, first = None, True
        for number, event in enumerate(events):
            if isinstance(event, Refitted) and not first and number >= n_known:
                due = self._due() or due
                if not scratch:
                    self._update_model(due)
                    due = None
            first &= not isinstance(event, Refitted)  # the first one was the first phase
            self._apply(event)
        self._update_model(due)

    def _check_switches(self) -> None:
        if self.initial_fit == "none" and (self.pool, self.trust) != ("unverified", "verified"):
            raise ValueError(
                'initial_fit="none" has no first phase that could trust labels: it needs '
                f'pool="unverified" and trust="verified", got pool={self.pool!r} and '
                f"trust={self.trust!r}."
            )
        if self.trust == "crossfit" and (self.refit == "continue" or self.lower_forget_rate):
            raise ValueError(
                'trust="crossfit" chooses anew what it trains on: it needs refit="fine_tune" or '
                f'"scratch" and no lower_forget_rate, got refit={self.refit!r} and '
                f'lower_forget_rate={self.lower_forget_rate!r}; see trust="once".'
            )
        if self.trust == "crossfit" and self.query_strategy in ("bald", bald_sampling):
            raise ValueError(
                'query_strategy="bald" needs one network; trust="crossfit" has three, '
                'trust="once" one.'
            )
        last = last_step(self.estimator)
        if self.refit == "continue" and not hasattr(last, "partial_fit"):
            raise ValueError(
                'refit="continue" needs an estimator with partial_fit; '
                f"{type(last).__name__} has none."
            )
        if self.lower_forget_rate and (
            self.refit == "fine_tune"
            or self.initial_fit == "none"
            or not hasattr(last, "forget_rate")
        ):
            raise ValueError(
                'lower_forget_rate needs refit="continue" or "scratch", initial_fit="noisy", and '
                f"an estimator with forget_rate; got {type(last).__name__}, refit={self.refit!r} "
                f"and initial_fit={self.initial_fit!r}."
            )

    def _check_budget(self) -> None:
        if self._round_budget < self.answers_per_item:
            raise ValueError(
                f"round_budget={self.round_budget!r} is {self._round_budget} answers a round, "
                f"fewer than answers_per_item={self.answers_per_item}."
            )

    def _routed(self, groups: Any, fit_params: dict[str, Any]) -> dict[str, Any]:
        """Parameters of the estimator's `fit`."""
        if not get_config()["enable_metadata_routing"]:
            return fit_params
        offered = fit_params if groups is None else {**fit_params, "groups": groups}
        return dict(process_routing(self, "fit", **offered).estimator.fit)

    @staticmethod
    def _count(budget: int | float, n_samples: int) -> int:
        return int(budget) if budget >= 1 else max(1, round(budget * n_samples))

    # --- events ---------------------------------------------------------------------------------

    def _apply(self, event: Event) -> None:
        self._state.apply(event)  # first: what it refuses has not happened
        self.events_.append(event)

    def _record(self, event: Event) -> None:
        """Let an event happen; with a journal, on disk first."""
        known = len(self.events_)
        for new in [event] if self._runner is None else self._runner.write(event, known):
            self._apply(new)

    def _record_answers(self, answered: Answered, only_open: bool) -> None:
        """The same for answers, of which some may be left out."""
        if self._runner is not None:
            for new in self._runner.write(answered, len(self.events_), only_open=only_open):
                self._apply(new)
        elif first := first_answers(self._state, answered) if only_open else answered:
            self._apply(first)

    def _catch_up(self) -> None:
        """Take up what other processes answered, and settle what several annotators said."""
        if self._runner is not None:
            for event in self._runner.news(len(self.events_)):
                self._apply(event)
        settled = settle(self._state, self.aggregate)
        if settled is not None:
            self._record(settled)
        answers, needed = self._state.answers, self._state.answers_per_item
        ties = [len(answers.get(row, ())) >= needed for row in self._state.open_rows]
        if ties and all(ties) and self._budget_left() <= 0:
            self._record(Closed())  # a tie is asked about again within the budget

    @property
    def ids_(self) -> NDArray[np.str_]:
        """Names of the rows, of shape (n_samples,)."""
        return check_ids(None, len(self._state.codes)) if self._ids is None else self._ids

    def _rows(self, rows: Any) -> Any:
        """Row numbers, where rows are given by their ids."""
        names = list(rows) if np.ndim(rows) == 1 else []
        if not any(isinstance(name, str) for name in names):
            return rows
        if not self._row_of:
            self._row_of = {name: row for row, name in enumerate(self.ids_.tolist())}
        if unknown := [name for name in names if name not in self._row_of]:
            raise ValueError(f"rows must be row numbers, or ids among ids_, got {unknown[:5]}.")
        return [self._row_of[name] for name in names]

    # --- models ---------------------------------------------------------------------------------

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
        self._first_forget_rate = 0.0
        if self.initial_fit == "none":
            return
        with self._isolated(0):
            if self.trust == "crossfit":
                self.estimator_ = cross_fit(self._trainer, codes, rng)
                return
            self.estimator_ = self._trainer.fit(np.arange(len(codes)), codes)
            if self.lower_forget_rate:
                self._first_forget_rate = last_step(self.estimator_).forget_rate_
            if self.pool == "untrusted" or self.trust == "once":
                trusted = self._trainer.trusted(self.estimator_, codes, rng)
                self._doubted = ~trusted
                if self.trust == "once":
                    self._trusted_at_first = trusted

    def _due(self) -> _Due | None:
        """What the model is to be brought up to date with; None with fewer than two classes."""
        rows, codes = np.flatnonzero(self._trusted()), self._state.codes
        if self.trust != "crossfit" and len(np.unique(codes[rows])) < 2:
            return None
        rate = None
        if self.lower_forget_rate:
            rate = max(0.0, self._first_forget_rate - self._state.share_corrected)
        true = np.where(self._state.verified, codes, -1)
        return _Due(self._state.round, rows, codes.copy(), true, self._state.cost, rate)

    def _update_model(self, due: _Due | None) -> None:
        if due is None:
            return
        how: dict[str, Any] = {
            "forget_rate": due.forget_rate,
            "facts": {"round": due.round, "answers": due.answers},
            "refit": self.refit,
            "epochs": self.fine_tune_epochs,
            "lr": self.fine_tune_lr,
            "balance": self.class_balance,
        }
        model = getattr(self, "estimator_", None)
        with self._isolated(due.round):
            if isinstance(model, CrossFitEnsemble):
                given = self._state.first_codes
                self.estimator_ = update(self._trainer, model, given, due.true, how)
            else:
                self.estimator_ = self._trainer.update(model, due.rows, due.codes, **how)

    def _keep_model(self) -> None:
        """Save the model beside the journal, if it is of a kind that can be."""
        if self._runner is None or not hasattr(self, "estimator_"):
            return
        models, arrays = taken_apart(self.estimator_)
        if not all(can_keep(model, self.refit) for model in models):
            return
        key = list(keys_of(self._runner.description, self.events_))[-1]
        arrays |= {"doubted": self._doubted, "trusted": self._trusted_at_first}
        arrays["forget_rate"] = np.array(self._first_forget_rate)
        try:
            checkpoint.save(self._runner.checkpoint, key, models, arrays)
        except OSError as error:
            warnings.warn(
                f"The model could not be saved beside the journal ({error}); a run that is resumed "
                "from here will train it again. The journal is whole.",
                UserWarning,
                stacklevel=3,
            )

    def _kept_model(self, events: list[Event]) -> int:
        """Take the model that was saved beside the journal: events that it knows, or 0."""
        self.__dict__.pop("estimator_", None)
        if self._runner is None or not can_keep(self._trainer.template, self.refit):
            return 0
        keys = keys_of(self._runner.description, events)
        kept = checkpoint.load(self._runner.checkpoint, keys, self._trainer.template)
        if kept is None:
            return 0
        n_known, models, arrays = kept
        self._doubted, self._trusted_at_first = arrays.pop("doubted"), arrays.pop("trusted")
        self._first_forget_rate = float(arrays.pop("forget_rate"))
        self.estimator_ = put_together(models, arrays, self.classes_)
        return n_known

    # --- the choice -----------------------------------------------------------------------------

    def _trusted(self) -> NDArray[np.bool_]:
        crossfitted = self.trust == "crossfit"
        trusted = self.estimator_.clean_mask_ if crossfitted else self._trusted_at_first
        return trusted | self._state.verified

    def _pool_mask(self) -> NDArray[np.bool_]:
        asked = self._state.verified | self._state.skipped
        if self.pool == "unverified":
            return ~asked
        doubted = ~self._trusted() if self.trust == "crossfit" else self._doubted
        return doubted & ~asked

    def _budget_left(self) -> int:
        return self.n_rounds * self._round_budget - self._state.cost

    def _warn_of_large_budget(self) -> None:
        pool = int(self._pool_mask().sum())
        if self._budget_left() // self.answers_per_item > pool:
            warnings.warn(
                f"The budget of {self._budget_left()} answers is larger than the pool of {pool} "
                "rows that may be asked about; the rounds will end when it is empty.",
                UserWarning,
                stacklevel=3,
            )

    def _ask(self) -> None:
        """Begin the next round, if there is to be one."""
        pool = np.flatnonzero(self._pool_mask())
        n_answers = min(self._round_budget, self._budget_left())
        n_rows = min(n_answers // self._state.answers_per_item, len(pool))
        if n_rows > 0 and self._state.round < self.n_rounds:
            rows = self._pick(pool, n_rows)
            left, reason = self._budget_left(), self._reason()
            self._record(Asked(tuple(rows.tolist()), *self._suggestions(rows), left, reason))
        elif not self._state.ended:
            self._record(Ended())

    def _pick(self, pool: NDArray[np.intp], n_rows: int) -> NDArray[np.intp]:
        rng = self._rng(self._state.round + 1)
        if not hasattr(self, "estimator_"):
            return rng.choice(pool, size=n_rows, replace=False)
        labels = self.classes_[self._state.codes]
        trusted = np.flatnonzero(self._trusted())
        learner = Learner(
            self.estimator_, self.classes_, take_rows(self._trainer.X, trusted), labels[trusted]
        )
        judged = isinstance(self.estimator_, CrossFitEnsemble)
        posterior = self.estimator_.label_posterior_[pool] if judged else None
        with self._isolated(self._state.round + 1):
            chosen = choose(
                self.query_strategy,
                learner,
                take_rows(self._trainer.X, pool),
                labels[pool],
                n_rows,
                rng,
                posterior,
            )
        return pool[chosen]

    def _suggestions(self, rows: NDArray[np.intp]) -> tuple[tuple[Any, ...], tuple[float, ...]]:
        """What the model takes rows for, and how surely; for people."""
        if not hasattr(self, "estimator_"):
            return (), ()
        with self._isolated(self._state.round + 1):
            proba = aligned_proba(self.estimator_, take_rows(self._trainer.X, rows), self.classes_)
        best = proba.argmax(axis=1)
        sure = np.nan_to_num(proba[np.arange(len(rows)), best].astype(float))
        return tuple(self.classes_[best].tolist()), tuple(sure.tolist())

    def _reason(self) -> str:
        """How the rows of this round were picked, for people."""
        strategy = self.query_strategy
        if not hasattr(self, "estimator_"):
            strategy = "chance"
        elif not isinstance(strategy, str):
            strategy = getattr(strategy, "__name__", type(strategy).__name__)
        whom = "not trusted" if self.pool == "untrusted" else "not verified"
        return f"by {strategy.replace('_', ' ')} among the labels {whom}"

    # --- what scikit-learn asks ------------------------------------------------------------------

    def get_metadata_routing(self) -> MetadataRouter:
        """Where `fit` sends what it is given; see scikit-learn's guide to metadata routing.

        Returns
        -------
        MetadataRouter
            The cleaner's own requests (`oracle`, `y_clean`, `ids`, `groups`, `validation_data`)
            and those of the estimator.
        """
        mapping = MethodMapping().add(caller="fit", callee="fit")
        router = MetadataRouter(owner=self).add_self_request(self)
        return router.add(estimator=self.estimator, method_mapping=mapping)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        of_estimator = get_tags(self.estimator)
        tags.input_tags = of_estimator.input_tags
        tags.classifier_tags = of_estimator.classifier_tags
        tags.non_deterministic = of_estimator.non_deterministic
        return tags
