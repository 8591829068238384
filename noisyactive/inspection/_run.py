"""What a cleaner did, label by label."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..cleaning import ActiveLabelCleaner
from ..journal import Answered, CleaningState
from ._classes import by_size


class Source(NamedTuple):
    """What a cleaner was given, and what it has made of it.

    Parameters
    ----------
    X : object of length n_samples
        Samples.
    codes : ndarray of int of shape (n_samples,)
        Labels as they were given, as indices into ``classes_``.
    state : CleaningState
        The state of the run. Not to be changed.
    """

    X: Any
    codes: NDArray[np.intp]
    state: CleaningState


def source_of(cleaner: ActiveLabelCleaner) -> Source:
    """What a cleaner keeps, but does not show by itself."""
    return Source(cleaner.X_train_, cleaner.state_.given_codes, cleaner.state_)


@dataclass(frozen=True)
class Change:
    """A label that is not the one that was given.

    Parameters
    ----------
    row : int
        Row of the data set.
    item : str
        Its id.
    old, new : int
        Given and present label, as indices into ``classes_``.
    round : int
        Round of the answer that counts; 0 for one before the first round.
    annotators : list of str
        Who said so; "" for somebody without a name.
    others : list of tuple (str, int or None)
        Who said something else, and what.
    time : str
        When it was said last, in UTC as ISO 8601; "" if that is not known.
    comments : list of tuple (str, str)
        Remarks, with the names of their authors.
    """

    row: int
    item: str
    old: int
    new: int
    round: int
    annotators: list[str]
    others: list[tuple[str, int | None]]
    time: str
    comments: list[tuple[str, str]]


def changes_of(cleaner: ActiveLabelCleaner) -> list[Change]:
    """Every label that is not the one that was given, in the order of rounds and rows.

    Parameters
    ----------
    cleaner : ActiveLabelCleaner
        After `start` or `fit`, with a journal or without.

    Returns
    -------
    list of Change
        A change that was taken back later is none.
    """
    _, first, state = source_of(cleaner)
    code_of = {label: code for code, label in enumerate(cleaner.classes_.tolist())}
    remarks: dict[tuple[int, str | None], tuple[str, str | None]] = {}
    for event in cleaner.events_:
        if isinstance(event, Answered):
            comments = event.comments or (None,) * len(event.rows)
            for row, comment in zip(event.rows, comments, strict=True):
                remarks[row, event.annotator] = (event.time, comment)
    rows = np.flatnonzero(state.codes != first)
    rows = rows[np.argsort(state.relabelled_round[rows], kind="stable")]
    found = []
    for row, item in zip(rows.tolist(), cleaner.ids_[rows].tolist(), strict=True):
        new, said = int(state.codes[row]), state.answers[row]
        codes = {who: None if said[who] is None else code_of[said[who]] for who in said}
        same = [who for who in codes if codes[who] == new]
        told = [(who, *remarks[row, who]) for who in codes]
        found.append(
            Change(
                row=row,
                item=item,
                old=int(first[row]),
                new=new,
                round=int(state.relabelled_round[row]),
                annotators=[who or "" for who in same],
                others=[(who or "", code) for who, code in codes.items() if code != new],
                time=max((time for who, time, _ in told if who in same), default=""),
                comments=[(who or "", comment) for who, _, comment in told if comment],
            )
        )
    return found


def class_audit(cleaner: ActiveLabelCleaner) -> pd.DataFrame:
    """What has become of each class.

    Parameters
    ----------
    cleaner : ActiveLabelCleaner
        After `start` or `fit`.

    Returns
    -------
    pandas.DataFrame
        One row for each class, by its code, the one with most given labels first. ``before`` and
        ``after``: samples labelled so; of those before, ``verified``, ``confirmed`` (found right)
        and ``corrected`` (found wrong); ``gained``: corrected into this class.
    """
    _, first, state = source_of(cleaner)
    changed = state.codes != first

    def count(codes: NDArray[np.intp]) -> NDArray[np.intp]:
        return np.bincount(codes, minlength=len(cleaner.classes_))

    table = pd.DataFrame(
        {
            "before": count(first),
            "after": count(state.codes),
            "verified": count(first[state.verified]),
            "confirmed": count(first[state.verified & ~changed]),
            "corrected": count(first[changed]),
            "gained": count(state.codes[changed]),
        }
    )
    return table.iloc[by_size(table["before"])]
