"""What each annotator did, how far they agree, and what none of them could tell."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import NamedTuple

import numpy as np
import pandas as pd

from ._intervals import Interval, kappa, wilson
from ._record import RunRecord

_FLAGS = {"unusable": "missing or unusable", "not shown": "could not be shown"}


class Person(NamedTuple):
    """What an annotator did.

    Parameters
    ----------
    name : str
        "" for answers without a name.
    n_answers : int
        Answers that were charged, corrections of one's own included.
    n_labels, n_not_told : int
        Samples for which the last answer is a label, and for which it is "cannot tell".
    changed : Interval
        Share of these labels that is another one than the given label.
    n_timed : int
        Answers whose time was recorded.
    seconds, median : float
        Their time in all, and the median of an answer; NaN without any.
    """

    name: str
    n_answers: int
    n_labels: int
    n_not_told: int
    changed: Interval
    n_timed: int
    seconds: float
    median: float


class Agreement(NamedTuple):
    """How far two annotators agree on samples that both gave a label for.

    Parameters
    ----------
    names : tuple of str
        The two.
    n_items : int
        Samples.
    same : Interval
        Share of equal labels.
    kappa : Interval
        Cohen's kappa.
    """

    names: tuple[str, str]
    n_items: int
    same: Interval
    kappa: Interval


@dataclass(frozen=True)
class NotTold:
    """A sample that nobody who looked at it could tell.

    Parameters
    ----------
    row : int
        Row of the data set.
    item : str
        Its id.
    code : int
        Its label, encoded.
    annotators : list of str
        Who looked at it.
    reasons : list of tuple (str, str)
        Annotators and what they said of it: that it is unusable, or a comment.
    time : str
        When it was looked at last; "" if it is not known.
    """

    row: int
    item: str
    code: int
    annotators: list[str]
    reasons: list[tuple[str, str]]
    time: str


def people_of(record: RunRecord) -> list[Person]:
    """What each annotator did, by name."""
    given = record.state.given_codes
    found = []
    for name, table in record.answers.groupby("annotator", sort=True):
        last = table[table["latest"]]
        told = last[last["code"] >= 0]
        n_changed = int((told["code"] != given[told["row"].astype(int)]).sum())
        timed = table["seconds"].dropna()
        found.append(
            Person(
                str(name),
                n_answers=record.state.n_answers[name or None],
                n_labels=len(told),
                n_not_told=len(last) - len(told),
                changed=wilson(n_changed, len(told)),
                n_timed=len(timed),
                seconds=float(timed.sum()) if len(timed) else np.nan,
                median=float(timed.median()),
            )
        )
    return found


def agreements_of(record: RunRecord) -> list[Agreement]:
    """Agreement of every two annotators who have answered for the same samples with a label."""
    told = record.answers[record.answers["latest"] & (record.answers["code"] >= 0)]
    of = {
        str(name): pd.Series(table["code"].to_numpy(), index=table["row"])
        for name, table in told.groupby("annotator", sort=True)
    }
    found = []
    for one, two in combinations(of, 2):
        both = pd.concat([of[one], of[two]], axis=1, join="inner").to_numpy()
        if len(both):
            first, second = both.T
            same = wilson(int((first == second).sum()), len(both))
            found.append(Agreement((one, two), len(both), same, kappa(first, second)))
    return found


def not_told(record: RunRecord) -> list[NotTold]:
    """Samples whose label could not be told, in the order of rows."""
    rows = np.flatnonzero(record.state.skipped).tolist()
    last = record.answers[record.answers["latest"] & record.answers["row"].isin(rows)]
    found = []
    for row, said in last.groupby("row", sort=True):
        columns = (said[name].tolist() for name in ("annotator", "flag", "comment"))
        found.append(
            NotTold(
                int(row),
                str(record.ids[row]),
                int(record.state.given_codes[row]),
                annotators=said["annotator"].tolist(),
                reasons=[
                    (name, ": ".join(filter(None, (_FLAGS.get(flag, flag), comment))))
                    for name, flag, comment in zip(*columns, strict=True)
                    if flag or comment
                ],
                time=max(said["time"].tolist(), default=""),
            )
        )
    return found
