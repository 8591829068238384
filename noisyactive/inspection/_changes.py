"""The labels that a cleaner changed, one by one and class by class."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ._classes import by_size
from ._record import RunRecord


@dataclass(frozen=True)
class Change:
    """A label that differs from the given one.

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
        Those who gave the new label; "" for an annotator without a name.
    others : list of tuple (str, int or None)
        Those who gave another answer, and that answer; None for "cannot tell".
    time : str
        Time of the latest answer with the new label, in UTC as ISO 8601; "" if it is unknown.
    comments : list of tuple (str, str)
        Annotators and their comments.
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


def changes_of(record: RunRecord) -> list[Change]:
    """List every label that differs from the given one, in the order of rounds and rows.

    Parameters
    ----------
    record : RunRecord
        The run.

    Returns
    -------
    list of Change
        Without labels that were changed and later changed back.
    """
    state = record.state
    first = state.given_codes
    code_of = {label: code for code, label in enumerate(record.classes.tolist())}
    said = record.answers[record.answers["latest"]]
    keys = zip(said["row"].tolist(), said["annotator"].tolist(), strict=True)
    remarks_of = dict(
        zip(keys, zip(said["time"].tolist(), said["comment"].tolist(), strict=True), strict=True)
    )
    rows = np.flatnonzero(state.codes != first)
    rows = rows[np.argsort(state.relabelled_round[rows], kind="stable")]
    found = []
    for row, item in zip(rows.tolist(), record.ids[rows].tolist(), strict=True):
        new, answers = int(state.codes[row]), state.answers[row]
        codes = {who: None if label is None else code_of[label] for who, label in answers.items()}
        agreeing = [who for who in codes if codes[who] == new]
        remarks = [(who, *remarks_of[row, who or ""]) for who in codes]
        found.append(
            Change(
                row=row,
                item=item,
                old=int(first[row]),
                new=new,
                round=int(state.relabelled_round[row]),
                annotators=[who or "" for who in agreeing],
                others=[(who or "", code) for who, code in codes.items() if code != new],
                time=max((time for who, time, _ in remarks if who in agreeing), default=""),
                comments=[(who or "", comment) for who, _, comment in remarks if comment],
            )
        )
    return found


def class_audit(record: RunRecord) -> pd.DataFrame:
    """Count the given, verified and changed labels of each class.

    Parameters
    ----------
    record : RunRecord
        The run.

    Returns
    -------
    pandas.DataFrame
        One row for each class, by its code, the one with most given labels first. ``before`` and
        ``after``: samples with this label at the start and now; ``verified``, ``confirmed`` and
        ``corrected``: samples with this label at the start whose label was verified, found right
        and found wrong; ``gained``: samples whose label was changed to this class.
    """
    state = record.state
    first = state.given_codes
    changed = state.codes != first

    def count(codes: NDArray[np.intp]) -> NDArray[np.intp]:
        return np.bincount(codes, minlength=len(record.classes))

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
