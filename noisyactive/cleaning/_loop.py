"""The cleaning loop: ask about labels, record answers, bring the model up to date, repeat."""

from __future__ import annotations

import copy
import time
import warnings
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .._interrupts import interrupts_deferred
from .._issues import issue_table
from .._numbers import check_seconds
from .._pipeline import after, last_step, transform_once
from .._random import child_seed, draw_seed, isolated_rng
from .._samples import asking
from .._templates import draws_globally, seeded_clone
from ..journal import (
    Answered,
    CleaningState,
    Closed,
    Ended,
    Event,
    JournalWriter,
    OpenItem,
    Refitted,
    Started,
    first_answers,
    open_items,
    open_rows,
)
from ..query import get_strategy
from ._annotators import answers_of, settle
from ._ensemble import CrossFitEnsemble
from ._parameters import answers_in_round
from ._policies import make_policy
from ._policy import LabelSnapshot, TrustPolicy
from ._questions import Questions
from ._resume import load_policy, open_journal, save_policy
from ._run_data import RunData
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
        answers_in_round(params, len(data.codes))  # raises if they are too few
        self._writer: JournalWriter | None = None

    # --- the first phase ------------------------------------------------------------------------

    def start(self) -> None:
        """Run the first phase, or go on with the run of the journal."""
        try:
            self._writer = open_journal(self.params, self.data)
            past = self._past()
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

    def _past(self) -> list[Event]:
        """Events of the journal; of a new one none, and a draft is written."""
        if self._writer is None:
            return []
        past = self._writer.past()
        if not past:
            data = self.data
            self._writer.draft(data.classes, data.codes, data.names, self.state.answers_per_item)
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
        save_policy(self.policy, self.params.refit, self._writer, self.events)

    def _replay(self, events: list[Event], rng: np.random.RandomState) -> None:
        """Apply the journal's events, and fit the models that they mention again.

        Answers and questions are taken from the journal, never computed. Models that a later one
        does not depend on are left out, and so are those that the checkpoint has.
        """
        n_known = load_policy(self.policy, self.params.refit, self._writer, events)
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
        save_policy(self.policy, self.params.refit, self._writer, self.events)

    def ask(self) -> None:
        """Begin the next round, if rounds, budget and pool allow one."""
        asked = None
        if self.state.round < self.params.n_rounds:
            left, part = self._budget_left(), self.state.round + 1
            n_answers = min(self._round_budget, left)
            isolated = partial(self._isolated, part)
            asked = self._questions().next_round(n_answers, left, self._rng(part), isolated)
        if asked is not None:
            self._record(asked)
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
        names = dict(zip(rows, self.data.names[rows].tolist(), strict=True))
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
        pool = int(self._questions().pool().sum())
        if self._budget_left() // self.state.answers_per_item > pool:
            warnings.warn(
                f"The budget of {self._budget_left()} answers is larger than the pool of {pool} "
                "rows that may be queried; the rounds will end when it is empty.",
                UserWarning,
                stacklevel=3,
            )

    # --- questions ------------------------------------------------------------------------------

    @property
    def _round_budget(self) -> int:
        return answers_in_round(self.params, len(self.data.codes))

    def _budget_left(self) -> int:
        return self.params.n_rounds * self._round_budget - self.state.cost

    def _questions(self) -> Questions:
        return Questions(self.params, self.events, self.state, self.policy, self.training)

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
            answers=answers_of(state, np.flatnonzero(state.verified), self._questions().drawn()),
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
