"""What happened while labels were cleaned, and the state that it adds up to."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._labels import find_codes


@dataclass(frozen=True)
class Started:
    """A run began.

    Parameters
    ----------
    seed : int
        Seed of the run; round r draws from the child seed (seed, r).
    """

    seed: int


@dataclass(frozen=True)
class Asked:
    """A round began: labels of rows were asked for.

    Parameters
    ----------
    rows : tuple of int
        Rows of the data set, the most wanted first.
    """

    rows: tuple[int, ...]


@dataclass(frozen=True)
class Answered:
    """Answers came in, for rows that were asked about or not.

    Parameters
    ----------
    rows : tuple of int
        Rows of the data set, each once.
    labels : tuple
        A class label for each row, or None where the answer is "no answer".
    """

    rows: tuple[int, ...]
    labels: tuple[Any, ...]


@dataclass(frozen=True)
class Closed:
    """The round was closed before all answers were in."""


@dataclass(frozen=True)
class Refitted:
    """The model was brought up to date with the labels.

    Parameters
    ----------
    score : float
        Its score on the validation data; NaN without any.
    """

    score: float


Event = Started | Asked | Answered | Closed | Refitted


@dataclass
class CleaningState:
    """Labels and accounts, as a run's events have left them.

    Parameters
    ----------
    classes : ndarray of shape (n_classes,)
        Sorted class labels.
    codes : ndarray of int of shape (n_samples,)
        Current labels, as indices into `classes`; taken over, not copied.

    Attributes
    ----------
    verified : ndarray of bool of shape (n_samples,)
        Rows that were answered with a label.
    skipped : ndarray of bool of shape (n_samples,)
        Rows that were only ever answered with None.
    relabelled_round : ndarray of int of shape (n_samples,)
        Round of the latest answer with a label; -1 without one.
    round : int
        Rounds begun so far.
    open_rows : tuple of int
        Rows of the current round that wait for an answer.
    cost : int
        Answers so far; each is charged, also None and corrections.
    up_to_date : bool
        Whether the model knows of everything that was answered.
    history : dict of list
        One entry per refit: round, rows asked about and labels changed since the refit before,
        cost so far, score.
    """

    classes: NDArray[Any]
    codes: NDArray[np.intp]
    round: int = 0
    open_rows: tuple[int, ...] = ()
    cost: int = 0
    up_to_date: bool = False
    history: dict[str, list[Any]] = field(
        default_factory=lambda: {key: [] for key in ("round", "asked", "changed", "cost", "score")}
    )

    def __post_init__(self) -> None:
        n_samples = len(self.codes)
        self.verified = np.zeros(n_samples, dtype=bool)
        self.skipped = np.zeros(n_samples, dtype=bool)
        self.relabelled_round = np.full(n_samples, -1)
        self._asked = self._changed = 0

    def apply(self, event: Event) -> None:
        """Bring the state up to date with one more event."""
        match event:
            case Started():
                pass
            case Asked(rows):
                self.round += 1
                self.open_rows = rows
                self._asked += len(rows)
                self.up_to_date = False
            case Answered(rows, labels):
                self._answer(rows, labels)
            case Closed():
                self._asked -= len(self.open_rows)
                self.open_rows = ()
            case Refitted(score):
                entry = (self.round, self._asked, self._changed, self.cost, score)
                for column, value in zip(self.history.values(), entry, strict=True):
                    column.append(value)
                self._asked = self._changed = 0
                self.up_to_date = True

    def _answer(self, rows: tuple[int, ...], labels: tuple[Any, ...]) -> None:
        known = [label for label in labels if label is not None]
        codes = find_codes(known, self.classes, name="answers")  # first: it may refuse
        answered = set(rows)
        self.open_rows = tuple(row for row in self.open_rows if row not in answered)
        self.cost += len(rows)
        given = np.array([label is not None for label in labels], dtype=bool)
        index = np.array(rows, dtype=np.intp)
        self.skipped[index[~given]] = ~self.verified[index[~given]]
        index = index[given]
        self._changed += int((self.codes[index] != codes).sum())
        self.codes[index] = codes
        self.verified[index] = True
        self.skipped[index] = False
        self.relabelled_round[index] = self.round
        self.up_to_date = False


def fold(events: Iterable[Event], classes: NDArray[Any], codes: NDArray[np.intp]) -> CleaningState:
    """State after a list of events.

    Parameters
    ----------
    events : iterable of Event
        What happened, in order; any prefix of a run's events is valid.
    classes : ndarray of shape (n_classes,)
        Sorted class labels.
    codes : ndarray of int of shape (n_samples,)
        Labels at the start, as indices into `classes`. Not written to.

    Returns
    -------
    CleaningState
        A new state.
    """
    state = CleaningState(classes, codes.copy())
    for event in events:
        state.apply(event)
    return state
