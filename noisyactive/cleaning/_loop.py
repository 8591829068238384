"""The cleaning loop: ask about labels, record answers, bring the model up to date, repeat."""

from __future__ import annotations

import copy
import time
import warnings
from collections import Counter
from contextlib import AbstractContextManager, nullcontext
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .._interrupts import interrupts_deferred
from .._issues import issue_table
from .._numbers import check_seconds
from .._pipeline import after, last_step, transform_once
from .._proba import aligned_proba, predicted_proba
from .._random import child_seed, draw_seed, isolated_rng
from .._rows import take_rows, view_rows
from .._samples import asking
from .._templates import draws_globally, seeded_clone
from ..journal import (
    Answered,
    Asked,
    CleaningState,
    Closed,
    Ended,
    Event,
    JournalWriter,
    OpenItem,
    Refitted,
    Started,
    check_ids,
    describe,
    describe_data,
    first_answers,
    open_items,
    open_rows,
    rows_of,
)
from ..query import Learner, choose, get_strategy
from . import _checkpoint as checkpoint
from ._annotators import answers_of, settle
from ._checkpoint import can_keep, keys_of
from ._checks import RunData, check_round_budget, count_of
from ._ensemble import CrossFitEnsemble
from ._policies import make_policy
from ._policy import LabelSnapshot, TrustPolicy
from ._training import Training

if TYPE_CHECKING:
    import pandas as pd


class CleaningLoop:
    """A run of label cleaning: its events, the state they add up to, and its model.

    What happened is a list of events; the state (labels, budget, open questions) is a fold of them.
    With a journal, each event is on disk before it counts, and a run is resumed by replaying them.

    Parameters
    ----------
    params : namespace
        The cleaner's parameters. Those of rounds may be replaced between two calls.
    data : RunData
        Checked samples and labels.

    Attributes
    ----------
    events : list of Event
        What happened, in order.
    state : CleaningState
        Labels and accounts.
    seed : int
        Seed of the run; round r draws from the child seed (seed, r).
    before : pipeline or None
        Leading steps of the estimator that learn nothing, applied once; what is trained comes after
        them.
    training : Training
        Fits models.
    policy : TrustPolicy
        Which labels are trained on, and the model.
    trust : str
        The parameter that chose the policy, as it was at first.
    """

    def __init__(self, params: Any, data: RunData):
        self.params = params
        self.data = data
        self.trust = repr(params.trust)  # of all parameters the one that cannot change
        self.events: list[Event] = []
        self._predictions: list[NDArray[np.intp] | None] = []
        self.state = CleaningState(data.classes, data.codes.copy(), params.answers_per_item)
        self._round_budget = count_of(params.round_budget, len(data.codes))
        check_round_budget(params, self._round_budget)
        self._writer: JournalWriter | None = None

    # --- the first phase ------------------------------------------------------------------------

    def start(self) -> None:
        """Run the first phase, or go on with the run of the journal."""
        try:
            past = self._open_journal()
            self.seed = draw_seed(self.params.random_state, "ActiveLabelCleaner")
            if past and isinstance(past[0], Started):
                self.seed = past[0].seed
            rng = self._rng(0)
            data = self.data
            template = seeded_clone(self.params.estimator, data.classes, rng)
            with self._isolated_for(template, 0, 1):
                self.before, template, X = transform_once(template, data.X, data.fit_params)
            self.training = Training(
                template=template,
                X=X,
                classes=data.classes,
                annotations=data.annotations,
                groups=data.groups,
                fit_params=data.fit_params,
                validation_data=self._validation_data(),
                scoring=self.params.scoring,
                n_jobs=self.params.n_jobs,
            )
            self.policy = make_policy(self.params.trust, self.training)
            if past:
                self._replay(past, rng)
            else:
                self._begin(rng)
        except BaseException:
            self.close()
            raise

    def _validation_data(self) -> tuple[Any, Any] | None:
        """The validation data as it reaches what is trained."""
        if self.data.validation_data is None or self.before is None:
            return self.data.validation_data
        X_val, y_val = self.data.validation_data
        with asking("X_val"):
            return self.before.transform(X_val), y_val

    def _open_journal(self) -> list[Event]:
        """Events of the journal, if there is one already; it has to agree with what was given."""
        params, data = self.params, self.data
        if params.journal is None:
            return []
        if odd := [x for x in data.classes.tolist() if not isinstance(x, (str, int, float))]:
            raise ValueError(
                "A journal can keep labels that are strings, numbers or booleans; y holds "
                f"{odd[0]!r}."
            )
        parameters: dict[str, str] = {}
        for name, value in vars(params).items():
            parameters.update(describe(name, value))
        others = {
            "labels of annotators": data.annotations,
            "groups": data.groups,
            "validation data": data.validation_data,
        }
        described = describe_data(
            data.X, data.classes, data.codes, self.ids, others, data.fit_params
        )
        self._writer = JournalWriter(params.journal, parameters, described)
        past = self._writer.past()
        if not past:
            self._writer.draft(data.classes, data.codes, self.ids, params.answers_per_item)
        return past

    def _begin(self, rng: np.random.RandomState) -> None:
        with self._isolated(0):
            self.policy.start(self.state.codes, self.params, rng)
        first: list[Event] = [Started(self.seed), Refitted(self._score(self.policy))]
        if self._writer is not None:
            self._writer.publish(first)
        for event in first:
            self._apply(event)
        self._predictions = [self._predicted(self.policy)]
        self._save_checkpoint()

    def _replay(self, events: list[Event], rng: np.random.RandomState) -> None:
        """Apply the journal's events, and fit the models that they mention again.

        Answers and questions are taken from the journal, never computed. Models that a later one
        does not depend on are left out, and so are those that the checkpoint has.
        """
        n_known = self._load_checkpoint(events)
        if not n_known:
            with self._isolated(0):
                self.policy.start(self.state.codes, self.params, rng)
        due, is_first = None, True
        for number, event in enumerate(events):
            if isinstance(event, Refitted) and not is_first and number >= n_known:
                due = self._due_labels() or due
                if self.policy.depends_on_past(self.params):
                    self.policy = self._updated(due)
                    due = None
            is_first &= not isinstance(event, Refitted)  # the first one was the first phase
            self._apply(event)
        self.policy = self._updated(due)
        # A journal has scores, and not what they were computed from.
        self._predictions = [None] * len(self.state.history["round"])
        if self._predictions:
            self._predictions[-1] = self._predicted(self.policy)

    # --- rounds ---------------------------------------------------------------------------------

    def refit(self) -> None:
        """Bring the model up to date with the labels; if that breaks off, it stays as it was."""
        policy = self._updated(self._due_labels())
        refitted, predicted = Refitted(self._score(policy)), self._predicted(policy)
        with interrupts_deferred():
            self._record(refitted)
            self.policy = policy
            self._predictions.append(predicted)
        self._save_checkpoint()

    def ask(self) -> None:
        """Begin the next round, if rounds, budget and pool allow one."""
        pool = np.flatnonzero(self._pool())
        n_answers = min(self._round_budget, self._budget_left())
        n_rows = min(n_answers // self.state.answers_per_item, len(pool))
        if n_rows > 0 and self.state.round < self.params.n_rounds:
            rows = self._choose(pool, n_rows)
            first, second = self._suggestions(rows)
            left, reason = self._budget_left(), self._reason(rows)
            n_by_chance = self._n_by_chance(len(rows))
            self._record(Asked(tuple(rows.tolist()), *first, left, reason, *second, n_by_chance))
        elif not self.state.ended:
            self._record(Ended())

    def answer(self, answered: Answered, only_open: bool) -> None:
        """Record answers; with `only_open`, those alone that a row waits for."""
        with interrupts_deferred():
            if self._writer is not None:
                for new in self._writer.write(answered, len(self.events), only_open=only_open):
                    self._apply(new)
            elif first := first_answers(self.state, answered) if only_open else answered:
                self._apply(first)

    def catch_up(self) -> None:
        """Read answers that others wrote to the journal; aggregate those of several annotators."""
        if self._writer is not None:
            with interrupts_deferred():
                for event in self._writer.news(len(self.events)):
                    self._apply(event)
        settled = settle(self.state, self.params.aggregate, self.policy.prior)
        if settled is not None:
            self._record(settled)
        if self.state.open_rows and self._budget_left() <= 0:
            answers, needed = self.state.answers, self.state.answers_per_item
            if all(len(answers.get(row, ())) >= needed for row in self.state.open_rows):
                self._record(Closed())  # ties are asked about again within the budget

    def wait(self, timeout: float | None, poll: float) -> bool:
        """Wait until no row is open; whether that came true."""
        for name, seconds in (("timeout", timeout), ("poll", poll)):
            if seconds is not None:
                check_seconds(seconds, name)
        end = None if timeout is None else time.monotonic() + timeout
        while True:
            self.catch_up()
            if not self.state.open_rows:
                return True
            if self._writer is None:
                raise ValueError("wait needs a journal; without one, answers come from teach.")
            left = poll if end is None else min(poll, end - time.monotonic())
            if left <= 0:
                return False
            time.sleep(left)

    def close_round(self) -> None:
        """End the round although answers are missing."""
        self.catch_up()
        if self.state.open_rows:
            self._record(Closed())

    def close(self) -> None:
        """Leave the journal to another process."""
        if self._writer is not None:
            self._writer.close()

    # --- what is known --------------------------------------------------------------------------

    @cached_property
    def ids(self) -> NDArray[np.str_]:
        """Names of the rows, of shape (n_samples,)."""
        return check_ids(None, len(self.data.codes)) if self.data.ids is None else self.data.ids

    @property
    def index(self) -> Any:
        """A pandas Index of the rows: that of the data, ids, or row numbers."""
        import pandas as pd

        if self.data.index is not None:
            return self.data.index
        if self.data.ids is not None:
            return pd.Index(self.data.ids, name="id")
        return pd.RangeIndex(len(self.data.codes), name="row")

    def rows_of(self, rows: Any) -> Any:
        """Row numbers, where rows are given by their ids."""
        return rows_of(rows, lambda ids: [self._row_of.get(name) for name in ids], "among ids_")

    @cached_property
    def _row_of(self) -> dict[str, int]:
        return {name: row for row, name in enumerate(self.ids.tolist())}

    @property
    def model(self) -> Any:
        """The model for samples as users have them; None if there is none yet."""
        model = self.policy.model
        if self.before is None or model is None:
            return model
        if isinstance(model, CrossFitEnsemble):
            return model.behind(self.before)
        return after(self.before, model)

    def open_items(self, annotator: str | None) -> list[OpenItem]:
        """Open rows as people are shown them."""
        rows = list(open_rows(self.state, annotator))
        labels = self.data.classes[self.state.codes[rows]].tolist()
        names = dict(zip(rows, self.ids[rows].tolist(), strict=True))
        return open_items(self.state, rows, names, dict(zip(rows, labels, strict=True)))

    def trusted(self) -> NDArray[np.bool_]:
        """Which labels are trained on, of shape (n_samples,)."""
        return self.policy.trusted(self.state.verified)

    def posterior(self) -> NDArray[np.float64] | None:
        """Probability of each class to be the true one by all answers so far, if it is known."""
        known = self.policy.posterior
        if known is None or not self.state.has_news:
            return known
        labels = self._due_labels()  # with answers that the model was not trained on yet
        return known if labels is None else self.policy.posterior_with(labels)

    def issues(self, posterior: NDArray[np.float64], index: Any = None) -> pd.DataFrame:
        """What the posterior says against the labels as they are now, the worst first."""
        held_out = self.policy.held_out_proba
        assert held_out is not None  # where there is a posterior
        return issue_table(
            self.data.classes,
            self.state.codes,
            held_out.__getitem__,
            posterior.__getitem__,
            index,
        )

    def predictions(self) -> list[NDArray[np.intp] | None]:
        """What was predicted for the validation data, for each entry of the history."""
        return list(self._predictions)

    def progress(self) -> dict[str, Any]:
        """What a progress bar shows."""
        latest = {key: column[-1] for key, column in self.state.history.items() if column}
        shown = {"round": latest["round"], "answers": latest["cost"]}
        return shown if np.isnan(latest["score"]) else {**shown, "score": latest["score"]}

    def warn_of_large_budget(self) -> None:
        """Warn if more answers may be bought than there are rows to ask about."""
        pool = int(self._pool().sum())
        if self._budget_left() // self.state.answers_per_item > pool:
            warnings.warn(
                f"The budget of {self._budget_left()} answers is larger than the pool of {pool} "
                "rows that may be queried; the rounds will end when it is empty.",
                UserWarning,
                stacklevel=3,
            )

    # --- events ---------------------------------------------------------------------------------

    def _apply(self, event: Event) -> None:
        self.state.apply(event)  # first: an event that it refuses is not recorded
        self.events.append(event)

    def _record(self, event: Event) -> None:
        """Apply an event; with a journal, write it first."""
        known = len(self.events)
        with interrupts_deferred():  # what is in the journal is known here
            for new in [event] if self._writer is None else self._writer.write(event, known):
                self._apply(new)

    # --- the model ------------------------------------------------------------------------------

    def _rng(self, part: int) -> np.random.RandomState:
        return np.random.RandomState(child_seed(self.seed, part))

    def _isolated(self, part: int) -> AbstractContextManager[None]:
        """Seed the global generators and restore them, if others' code may draw from them."""
        strategy = get_strategy(self.params.query_strategy)
        if strategy is not None and not draws_globally(self.training.template):
            return nullcontext()
        return self._isolated_for(None, part, 0)

    def _isolated_for(self, template: Any, *part: int) -> AbstractContextManager[None]:
        """The same, if an estimator may draw from them; None: in any case."""
        if template is not None and not draws_globally(template):
            return nullcontext()
        device = getattr(last_step(self.params.estimator), "device", "cpu")
        return isolated_rng(child_seed(self.seed, *part), device)

    def _due_labels(self) -> LabelSnapshot | None:
        """Labels to bring the model up to date with; None if they are not enough to train on."""
        state = self.state
        labels = LabelSnapshot(
            given=state.given_codes,
            codes=state.codes.copy(),
            verified=state.verified.copy(),
            answers=answers_of(state, np.flatnonzero(state.verified), self._drawn()),
            round=state.round,
            n_answers=state.cost,
        )
        return labels if self.policy.can_update(labels) else None

    def _updated(self, labels: LabelSnapshot | None) -> TrustPolicy:
        """The policy, brought up to date with labels; what there is stays as it was."""
        if labels is None:
            return self.policy
        policy = copy.copy(self.policy)
        with self._isolated(labels.round):
            policy.update(labels, self.params)
        return policy

    def _score(self, policy: TrustPolicy) -> float:
        with self._isolated(self.state.round):
            return self.training.score(policy.model)

    def _predicted(self, policy: TrustPolicy) -> NDArray[np.intp] | None:
        with self._isolated(self.state.round):
            return self.training.predictions(policy.model)

    def _save_checkpoint(self) -> None:
        """Save the model beside the journal, if it is of a kind that can be."""
        models, arrays = self.policy.get_state()
        if self._writer is None or not models:
            return
        if not all(can_keep(model, self.params.refit) for model in models):
            return
        key = list(keys_of(self._writer.description, self.events))[-1]
        try:
            checkpoint.save(self._writer.checkpoint, key, models, arrays)
        except OSError as error:
            warnings.warn(
                f"The model could not be saved beside the journal ({error}); a run that is resumed "
                "from here will train it again. The journal is whole.",
                UserWarning,
                stacklevel=4,
            )

    def _load_checkpoint(self, events: list[Event]) -> int:
        """Take the model that was saved beside the journal: events that it knows, or 0."""
        if self._writer is None or not can_keep(self.training.template, self.params.refit):
            return 0
        keys = keys_of(self._writer.description, events)
        kept = checkpoint.load(self._writer.checkpoint, keys, self.training.template)
        if kept is None:
            return 0
        n_known, models, arrays = kept
        try:
            self.policy.set_state(models, arrays)
        except (KeyError, ValueError):
            return 0  # it does not fit this run: trained again
        return n_known

    # --- the choice of rows ---------------------------------------------------------------------

    def _budget_left(self) -> int:
        return self.params.n_rounds * self._round_budget - self.state.cost

    def _pool(self) -> NDArray[np.bool_]:
        """Samples that may be queried."""
        state = self.state
        pool = ~(state.verified | state.skipped)
        if self.params.pool == "untrusted":
            pool &= self.policy.untrusted(state.verified)
        # A second answer is worth more than a new question where the first one is probably wrong.
        people = {
            name
            for said in state.answers.values()
            for name, label in said.items()
            if name is not None and label is not None
        }
        asked = Counter(row for e in self.events if isinstance(e, Asked) for row in e.rows)
        for row in self.policy.doubted():
            others = people - state.answers[row].keys()
            pool[row] |= state.verified[row] and bool(others) and asked[row] < len(people)
        return pool

    def _n_random(self, n_rows: int) -> int:
        """How many of the first round's rows chance picks: none where it may not pick any row."""
        share = self.policy.random_share if self.params.pool == "unverified" else 0
        return int(share * n_rows)

    def _drawn(self) -> NDArray[np.bool_]:
        """Rows that chance picked: the last ones of the first round."""
        drawn = np.zeros(len(self.state.codes), dtype=bool)
        asked = next((event.rows for event in self.events if isinstance(event, Asked)), ())
        drawn[list(asked[len(asked) - self._n_random(len(asked)) :])] = True
        return drawn

    def _choose(self, pool: NDArray[np.intp], n_rows: int) -> NDArray[np.intp]:
        """Rows to ask about: those that the query strategy chooses, then those chance picks."""
        rng = self._rng(self.state.round + 1)
        if self.policy.model is None:
            return rng.choice(pool, size=n_rows, replace=False)
        n_random = 0 if self.state.round else self._n_random(n_rows)
        chosen = pool[:0]
        if n_rows > n_random:
            chosen = self._ask_strategy(pool, n_rows - n_random, rng)
        # A strategy may choose fewer rows than asked for; `_drawn` counts on the same share.
        while n_random and self._n_random(len(chosen) + n_random) != n_random:
            n_random -= 1
        rest = np.setdiff1d(pool, chosen)
        return np.append(chosen, rng.choice(rest, size=n_random, replace=False))

    def _ask_strategy(
        self, pool: NDArray[np.intp], n_rows: int, rng: np.random.RandomState
    ) -> NDArray[np.intp]:
        """Rows of the pool that the query strategy chooses."""
        model, X = self.policy.model, self.training.X
        labels = self.data.classes[self.state.codes]
        trusted = np.flatnonzero(self.trusted())
        # Strategies of others may do with the pool what one does with an array.
        rows_of = view_rows if isinstance(self.params.query_strategy, str) else take_rows
        X_pool = rows_of(X, pool)
        held_out, posterior = self.policy.held_out_proba, self.policy.posterior
        predictor = None if held_out is None else HeldOut(model, X_pool, held_out[pool])
        learner = Learner(
            model, self.data.classes, rows_of(X, trusted), labels[trusted], predictor=predictor
        )
        with self._isolated(self.state.round + 1):
            chosen = choose(
                self.params.query_strategy,
                learner,
                X_pool,
                labels[pool],
                n_rows,
                rng,
                None if posterior is None else posterior[pool],
            )
        return pool[chosen]

    def _suggestions(
        self, rows: NDArray[np.intp]
    ) -> list[tuple[tuple[Any, ...], tuple[float, ...]]]:
        """The two most probable classes of each row, with their probabilities; for people.

        By models that did not learn its label, where there are such.
        """
        if self.policy.model is None:
            return [((), ()), ((), ())]
        classes = self.data.classes
        if self.policy.prior is not None:
            proba = self.policy.prior[rows]
        else:
            with self._isolated(self.state.round + 1):
                proba = aligned_proba(self.policy.model, take_rows(self.training.X, rows), classes)
        best = proba.argmax(axis=1)
        others = proba.astype(float)
        others[np.arange(len(rows)), best] = -np.inf
        found = []
        for codes in (best, others.argmax(axis=1)):
            probability = np.nan_to_num(proba[np.arange(len(rows)), codes].astype(float))
            found.append((tuple(classes[codes].tolist()), tuple(probability.tolist())))
        return found

    def _n_by_chance(self, n_rows: int) -> int:
        """How many of this round's rows chance picked: the last ones."""
        if self.policy.model is None or self.params.query_strategy == "random":
            return n_rows
        return 0 if self.state.round else self._n_random(n_rows)

    def _reason(self, rows: NDArray[np.intp]) -> str:
        """How the rows of this round were chosen."""
        strategy = self.params.query_strategy
        if self.policy.model is None:
            strategy = "chance"
        elif not isinstance(strategy, str):
            strategy = getattr(strategy, "__name__", type(strategy).__name__)
        among = "not trusted" if self.params.pool == "untrusted" else "not verified"
        if not self.state.round and self._n_random(len(rows)):
            strategy = f"{strategy} and by chance"
        return f"by {strategy.replace('_', ' ')} among the labels {among}"


class HeldOut:
    """Predicts the pool as models do that did not learn its labels, anything else as the ensemble.

    Parameters
    ----------
    model : CrossFitEnsemble
        The ensemble.
    X_pool : object of length n_pool
        The pool, recognised by identity.
    proba : ndarray of shape (n_pool, n_classes)
        Its held-out class probabilities.
    """

    reads_rows = True  # in chunks, the pool would not be recognised

    def __init__(self, model: Any, X_pool: Any, proba: NDArray[np.float64]):
        self._model = model
        self._X_pool = X_pool
        self._proba = proba
        self.classes_ = model.classes_

    def predict_proba(self, X: Any) -> NDArray[Any]:
        """Class probabilities, of shape (n_samples, n_classes)."""
        return self._proba if X is self._X_pool else predicted_proba(self._model, X)

    def predict(self, X: Any) -> NDArray[Any]:
        """Most probable class of each sample, of shape (n_samples,)."""
        classes: NDArray[Any] = self.classes_[self.predict_proba(X).argmax(axis=1)]
        return classes
