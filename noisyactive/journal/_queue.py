"""Rows that wait for an answer, and the progress of a round."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

from ._events import Answered
from ._state import CleaningState
from ._why import why


@dataclass(frozen=True)
class OpenItem:
    """A row that waits for an answer.

    Attributes
    ----------
    row : int
        Row of the data set.
    item : str
        Its id.
    label : object
        Its label as it is now.
    suggested : object or None
        What the model takes it for; None without a model, or where several annotators disagreed
        over a row that the model was not asked about.
    probability : float or None
        The model's probability of that.
    annotators : tuple of str or None
        Who has answered so far.
    reason : str
        Why it is asked about, in words for people: "the model disagrees with the label: 87%
        melanoma". It may tell the label and what the model takes the row for.
    """

    row: int
    item: str
    label: Any
    suggested: Any
    probability: float | None
    annotators: tuple[str | None, ...]
    reason: str


@dataclass(frozen=True)
class Progress:
    """Progress of a run.

    While no row waits (``answered == asked``) and the run has not `finished`, the process that
    runs the rounds computes the next one, or has to be started again to do so.

    Attributes
    ----------
    round : int
        The current round, from 1; 0 before the first.
    asked : int
        Rows of it.
    answered : int
        Those of them that wait no more.
    cost : int
        Charged answers in all.
    budget_left : int or None
        Answers that may still be bought; None before the first round.
    finished : bool
        Whether nothing is left to ask.
    """

    round: int
    asked: int
    answered: int
    cost: int
    budget_left: int | None
    finished: bool


def open_rows(state: CleaningState, annotator: str | None) -> Collection[int]:
    """Rows that wait for an answer, the most wanted first.

    Parameters
    ----------
    state : CleaningState
        The run's state.
    annotator : str or None
        Leave out rows that this annotator has answered already; None leaves out none.

    Returns
    -------
    collection of int
        Rows of the data set; it changes with the state.
    """
    return state.open_rows.left_to(annotator)


def open_items(
    state: CleaningState, rows: list[int], items: Mapping[int, str], labels: Mapping[int, Any]
) -> list[OpenItem]:
    """Describe rows that wait for an answer.

    Parameters
    ----------
    state : CleaningState
        The run's state.
    rows : list of int
        Some of its open rows.
    items : mapping of int to str
        Id of each.
    labels : mapping of int to object
        Label of each.

    Returns
    -------
    list of OpenItem
        One for each row.
    """
    asked = state.asked
    if asked is None:
        return []
    found = []
    for row in rows:
        suggested, probability, runner_up, next_probability = None, None, None, None
        place = state.open_rows.place.get(row)
        if place is not None and asked.suggested:
            suggested, probability = asked.suggested[place], asked.probability[place]
        if place is not None and asked.runner_up:
            runner_up, next_probability = asked.runner_up[place], asked.runner_up_probability[place]
        said = state.answers.get(row, {})
        reason = why(
            labels[row],
            suggested,
            probability,
            runner_up,
            next_probability,
            by_chance=place is not None and place >= len(asked.rows) - asked.n_by_chance,
            is_tie=place is None or len(said) >= state.answers_per_item > 1,
        )
        found.append(
            OpenItem(row, items[row], labels[row], suggested, probability, tuple(said), reason)
        )
    return found


def progress(state: CleaningState) -> Progress:
    """Summarise how far a run is.

    Parameters
    ----------
    state : CleaningState
        The run's state.

    Returns
    -------
    Progress
        Counts of the current round, cost and budget.
    """
    n_rows = 0 if state.asked is None else len(state.asked.rows)
    left = state.budget_left
    n_answered = n_rows - state.open_rows.n_asked
    return Progress(state.round, n_rows, n_answered, state.cost, left, state.ended)


def first_answers(state: CleaningState, answered: Answered) -> Answered | None:
    """Select the answers that a row waits for.

    Parameters
    ----------
    state : CleaningState
        The run's state.
    answered : Answered
        Answers of one annotator.

    Returns
    -------
    Answered or None
        Those to open rows that the annotator has not answered yet; None if there are none.
    """
    waiting = open_rows(state, answered.annotator)
    kept = [number for number, row in enumerate(answered.rows) if row in waiting]
    if not kept:
        return None

    def pick(column: tuple[Any, ...]) -> tuple[Any, ...]:
        return tuple(column[number] for number in kept) if column else ()

    return replace(
        answered,
        rows=pick(answered.rows),
        labels=pick(answered.labels),
        seconds=pick(answered.seconds),
        comments=pick(answered.comments),
    )
