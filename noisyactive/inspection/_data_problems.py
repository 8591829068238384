"""Samples that are there more than once, and samples unlike all others, for the report."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd

from .._nearest import quick_rows
from ..audit import find_duplicates, find_outliers
from ._record import RunRecord

_LEAST_SAMPLES = 3  # from fewer, nothing is unlike all others


class DuplicateSet(NamedTuple):
    """Samples that are equal or nearly so.

    Parameters
    ----------
    rows : list of int
        Rows of the data set; those with different labels come first.
    exact : bool
        Whether each equals another one.
    different : bool
        Whether they have different labels.
    """

    rows: list[int]
    exact: bool
    different: bool


class DataProblems(NamedTuple):
    """What else may be wrong with the data.

    Parameters
    ----------
    duplicates : list of DuplicateSet
        Those with different labels come first.
    outliers : list of int
        Rows of samples that are unlike all others, the oddest first.
    not_compared : str
        Why samples could not be compared, so that only exact duplicates were looked for; "" if
        they were.
    """

    duplicates: list[DuplicateSet]
    outliers: list[int]
    not_compared: str


def data_problems(record: RunRecord) -> DataProblems:
    """Find duplicates and outliers among the samples of a run; see `noisyactive.audit`."""
    codes = pd.Series(record.state.codes)  # its index: row numbers
    too_many = len(codes) > quick_rows()
    try:
        found = find_duplicates(record.X, codes, threshold=0 if too_many else None)
    except TypeError as error:  # of a kind that cannot be read
        return DataProblems([], [], str(error))
    sets = [_set_of(members) for _, members in found.groupby("set", sort=True)]
    sets.sort(key=lambda one: not one.different)
    if too_many:
        why = (
            f"there are more than {quick_rows():,}, which would take long; "
            "noisyactive.audit.find_duplicates and find_outliers compare them."
        )
        return DataProblems(sets, [], why)
    if len(codes) < _LEAST_SAMPLES:
        return DataProblems(sets, [], "there are too few")
    try:
        odd = find_outliers(record.X, codes)
    except TypeError as error:  # of a kind that has no distances
        return DataProblems(sets, [], str(error))
    return DataProblems(sets, odd.index[odd["is_outlier"]].tolist(), "")


def _set_of(members: pd.DataFrame) -> DuplicateSet:
    first_of_label = ~members["label"].duplicated().to_numpy()
    return DuplicateSet(
        members.index[np.argsort(~first_of_label, kind="stable")].tolist(),
        exact=bool((members["kind"] == "exact").all()),
        different=bool(members["other_labels"].any()),
    )
