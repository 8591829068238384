"""Labels and accounts of a run: a fold of its events."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._codes import find_codes
from ._events import Answered, Asked, Closed, Ended, Event, Refitted, Settled, Started
from ._open_rows import OpenRows


@dataclass
class CleaningState:
    """Labels and accounts, as a run's events have left them.

    Parameters
    ----------
    classes : ndarray of shape (n_classes,)
        Sorted class labels.
    codes : ndarray of int of shape (n_samples,)
        Current labels, as indices into `classes`; taken over, not copied.
    answers_per_item : int, default=1
        Annotators who have to answer for a row. With 1, an answer is the row's label at once; with
        more, they wait in `unsettled` for a `Settled` event.

    Attributes
    ----------
    given_codes : ndarray of int of shape (n_samples,)
        Labels at the start.
    verified : ndarray of bool of shape (n_samples,)
        Rows that were answered with a label, and settled.
    skipped : ndarray of bool of shape (n_samples,)
        Rows that as many annotators as are needed answered for, all of them with None last.
    relabelled_round : ndarray of int of shape (n_samples,)
        Round of the latest answer with a label; -1 without one.
    round : int
        Rounds begun so far.
    asked : Asked or None
        The latest round's question.
    open_rows : OpenRows
        Rows that wait for an answer, in the order in which they are asked about.
    answers : dict of dict
        Row, annotator, and the annotator's latest answer; whoever answered last comes last.
    n_answers : dict of int
        Charged answers of each annotator, also None and corrections.
    unsettled : set of int
        Rows with enough answers, and a new one since they were settled last.
    cost : int
        Charged answers so far.
    n_recorded : int
        Answers so far, charged or not.
    up_to_date : bool
        Whether the model knows of everything that was answered.
    ended : bool
        Whether nothing is left to ask.
    history : dict of list
        One entry per refit: round, rows asked about and labels changed since the refit before,
        cost so far, score.
    """

    classes: NDArray[Any]
    codes: NDArray[np.intp]
    answers_per_item: int = 1

    def __post_init__(self) -> None:
        n_samples = len(self.codes)
        self.round = 0
        self.asked: Asked | None = None
        self.open_rows = OpenRows()
        self.answers: dict[int, dict[str | None, Any]] = {}
        self.n_answers: dict[str | None, int] = {}
        self.unsettled: set[int] = set()
        self.cost = self.n_recorded = 0
        self.up_to_date = self.ended = False
        columns = ("round", "asked", "changed", "cost", "score")
        self.history: dict[str, list[Any]] = {column: [] for column in columns}
        self.verified = np.zeros(n_samples, dtype=bool)
        self.skipped = np.zeros(n_samples, dtype=bool)
        self.relabelled_round = np.full(n_samples, -1)
        self.given_codes = self.codes.copy()
        self._asked = self._changed = self._cost_before = self._n_learned = 0

    @property
    def budget_left(self) -> int | None:
        """Answers that may still be bought, as the latest question has it; None before any."""
        spent = self.cost - self._cost_before
        return None if self.asked is None else max(0, self.asked.budget_left - spent)

    @property
    def has_news(self) -> bool:
        """Whether an answer came in since the model was brought up to date."""
        return self.n_recorded > self._n_learned

    def apply(self, event: Event) -> None:
        """Bring the state up to date with one more event."""
        match event:
            case Started():
                pass
            case Asked(rows):
                self.round += 1
                self.asked = event
                self.open_rows = OpenRows(rows, self.answers)
                self._asked += len(rows)
                self._cost_before = self.cost
                self.up_to_date = self.ended = False
            case Answered(rows, labels, annotator, charged=charged):
                self._answer(rows, labels, annotator, charged)
            case Settled(rows, labels):
                self._settle(rows, labels)
            case Closed():
                waiting = (len(self.answers.get(row, ())) for row in self.open_rows)
                self._asked -= sum(n < self.answers_per_item for n in waiting)
                self.open_rows.close(list(self.open_rows))
            case Refitted(score):
                entry = (self.round, self._asked, self._changed, self.cost, score)
                for column, value in zip(self.history.values(), entry, strict=True):
                    column.append(value)
                self._asked = self._changed = 0
                self._n_learned = self.n_recorded
                self.up_to_date = True
            case Ended():
                self.ended = True

    def _answer(
        self, rows: tuple[int, ...], labels: tuple[Any, ...], annotator: str | None, charged: bool
    ) -> None:
        find_codes(_given(labels), self.classes, name="answers")  # first: it may refuse
        n_charged = len(rows) if charged else 0
        self.n_answers[annotator] = self.n_answers.get(annotator, 0) + n_charged
        self.cost += n_charged
        self.n_recorded += len(rows)
        self.up_to_date = self.ended = False
        complete = []
        for row, label in zip(rows, labels, strict=True):
            said = self.answers.setdefault(row, {})
            said.pop(annotator, None)
            said[annotator] = label
            if len(said) >= self.answers_per_item:
                complete.append(row)
        self.open_rows.close(complete)
        for row in rows:
            self.open_rows.answered(row, annotator)
        useful = tuple(row for row in complete if _given(self.answers[row].values()))
        kept = set(useful)
        useless = tuple(row for row in complete if row not in kept)
        self.unsettled.difference_update(useless)
        self._take_back(useless)
        if self.answers_per_item > 1:
            self.unsettled.update(useful)
        else:
            latest = {row: _given(self.answers[row].values())[-1] for row in useful}
            given = {row for row, label in zip(rows, labels, strict=True) if label is not None}
            due = [r for r in useful if r in given or latest[r] != self.classes[self.codes[r]]]
            self._relabel(tuple(due), tuple(latest[row] for row in due))

    def _settle(self, rows: tuple[int, ...], labels: tuple[Any, ...]) -> None:
        self.unsettled.difference_update(rows)
        ties = [row for row, label in zip(rows, labels, strict=True) if label is None]
        place = self.open_rows.place
        ties.sort(key=lambda row: place.get(row, len(place)))  # the most doubtful first, as before
        self.open_rows.reopen(ties, self.answers)
        self._relabel(rows, labels)

    def _relabel(self, rows: tuple[int, ...], labels: tuple[Any, ...]) -> None:
        codes = find_codes(_given(labels), self.classes, name="answers")
        pairs = zip(rows, labels, strict=True)
        index = np.array([row for row, label in pairs if label is not None], dtype=np.intp)
        self._changed += int((self.codes[index] != codes).sum())
        self.codes[index] = codes
        self.verified[index] = True
        self.skipped[index] = False
        self.relabelled_round[index] = self.round
        self.up_to_date = False

    def _take_back(self, rows: tuple[int, ...]) -> None:
        """Restore the given labels of rows for which no annotator has a label any more."""
        index = np.array(rows, dtype=np.intp)
        self._changed += int((self.codes[index] != self.given_codes[index]).sum())
        self.codes[index] = self.given_codes[index]
        self.verified[index] = False
        self.skipped[index] = True
        self.relabelled_round[index] = -1


def _given(labels: Iterable[Any]) -> list[Any]:
    return [label for label in labels if label is not None]


def fold(
    events: Iterable[Event],
    classes: NDArray[Any],
    codes: NDArray[np.intp],
    answers_per_item: int = 1,
) -> CleaningState:
    """State after a list of events.

    Parameters
    ----------
    events : iterable of Event
        What happened, in order; any prefix of a run's events is valid.
    classes : ndarray of shape (n_classes,)
        Sorted class labels.
    codes : ndarray of int of shape (n_samples,)
        Labels at the start, as indices into `classes`. Not written to.
    answers_per_item : int, default=1
        Annotators who have to answer for a row.

    Returns
    -------
    CleaningState
        A new state.
    """
    state = CleaningState(classes, codes.copy(), answers_per_item)
    for event in events:
        state.apply(event)
    return state
