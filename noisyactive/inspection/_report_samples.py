"""The report's texts on single samples: labels that changed, what nobody could tell, problems."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from .._html import NOTHING, when
from .._images import Thumbnail
from .._text import visible
from ._changes import Change
from ._data_problems import DataProblems
from ._people import NotTold
from ._record import RunRecord
from ._report_people import named


def described(change: Change, names: Sequence[str], picture: Thumbnail) -> dict[str, Any]:
    """The texts of a changed label."""
    others = [
        f"{named(name)} said: {'cannot tell' if code is None else names[code]}"
        for name, code in change.others
    ]
    return {
        "row": change.row,
        "item": visible(change.item),
        "picture": picture,
        "old": names[change.old],
        "new": names[change.new],
        "who": [visible(name) or NOTHING for name in change.annotators] or [NOTHING],
        "others": others,
        "when": when(change.time),
        "round": change.round or NOTHING,
        "comment": _remarks(change.comments),
    }


def described_not_told(one: NotTold, names: Sequence[str], picture: Thumbnail) -> dict[str, Any]:
    """The texts of a sample that nobody could tell."""
    return {
        "item": visible(one.item),
        "picture": picture,
        "label": names[one.code],
        "who": [visible(name) or NOTHING for name in one.annotators],
        "when": when(one.time),
        "reason": _remarks(one.reasons) or "no reason given",
    }


def problems(
    record: RunRecord,
    found: DataProblems,
    names: Sequence[str],
    picture_of: Callable[[int], Thumbnail],
    max_rows: int,
    max_of_set: int,
) -> dict[str, Any]:
    """The texts of duplicates and outliers, and how many there are in all."""

    def shown(row: int) -> dict[str, Any]:
        label = names[record.state.codes[row]]
        return {"item": visible(str(record.ids[row])), "label": label, "picture": picture_of(row)}

    sets = [
        {
            "kind": "the same" if one.exact else "nearly the same",
            "different": one.different,
            "shown": [shown(row) for row in one.rows[:max_of_set]],
            "n_more": max(len(one.rows) - max_of_set, 0),
        }
        for one in found.duplicates[:max_rows]
    ]
    return {
        "sets": sets,
        "n_sets": len(found.duplicates),
        "n_different": sum(one.different for one in found.duplicates),
        "outliers": [shown(row) for row in found.outliers[:max_rows]],
        "n_outliers": len(found.outliers),
        "not_compared": visible(found.not_compared),
    }


def _remarks(said: list[tuple[str, str]]) -> str:
    """Comments, with names where there are several."""
    alone = len(said) == 1
    return "\n".join(
        visible(text if alone or not name else f"{name}: {text}") for name, text in said
    )
