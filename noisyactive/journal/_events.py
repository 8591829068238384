"""Events of a run of label cleaning."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

FLAGS = ("", "unusable", "not shown")


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
    suggested : tuple, default=()
        What the model took each row for; empty without a model.
    probability : tuple of float, default=()
        Its probability of that.
    budget_left : int, default=0
        Answers that might still be bought, those to this round included.
    reason : str, default=""
        How the rows were picked.
    runner_up : tuple, default=()
        The class that the model held next probable for each row; empty if it is not known.
    runner_up_probability : tuple of float, default=()
        Its probability of that.
    n_by_chance : int, default=0
        Rows at the end that chance picked.
    """

    rows: tuple[int, ...]
    suggested: tuple[Any, ...] = ()
    probability: tuple[float, ...] = ()
    budget_left: int = 0
    reason: str = ""
    runner_up: tuple[Any, ...] = ()
    runner_up_probability: tuple[float, ...] = ()
    n_by_chance: int = 0


@dataclass(frozen=True)
class Answered:
    """Answers of one person came in, for rows that were asked about or not.

    Parameters
    ----------
    rows : tuple of int
        Rows of the data set, each once.
    labels : tuple
        A class label for each row, or None where the answer is "no answer".
    annotator : str or None, default=None
        Who answered.
    seconds : tuple, default=()
        Time spent on each row, in seconds, or None; empty if it was not measured.
    comments : tuple, default=()
        Remark on each row, or None; empty if there is none.
    time : str, default=""
        When, in UTC as ISO 8601.
    charged : bool, default=True
        Whether they count against the budget; not if they replace answers that their annotator
        took back at once, or say that an item is unusable.
    flag : {"", "unusable", "not shown"}, default=""
        "unusable": what there is to look at is missing or no use, so that there is no label.
        "not shown": answered although it could not be shown.
    decides : bool, default=False
        Whether the annotator adjudicates: the answer is the row's label, whatever others say.
    """

    rows: tuple[int, ...]
    labels: tuple[Any, ...]
    annotator: str | None = None
    seconds: tuple[float | None, ...] = ()
    comments: tuple[str | None, ...] = ()
    time: str = field(default="", compare=False)
    charged: bool = True
    flag: str = ""
    decides: bool = False


@dataclass(frozen=True)
class Settled:
    """The answers of several annotators to some rows were aggregated.

    Parameters
    ----------
    rows : tuple of int
        Rows of the data set.
    labels : tuple
        The outcome for each, or None for a tie, which asks for one more answer.
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


@dataclass(frozen=True)
class Ended:
    """Nothing was left to ask: rounds, budget or pool had run out."""


#: What a journal holds: one of these.
Event = Started | Asked | Answered | Settled | Closed | Refitted | Ended
