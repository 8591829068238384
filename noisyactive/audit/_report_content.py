"""The numbers, texts and pictures of the report of an audit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .._html import Entry
from .._images import Thumbnail, thumbnail
from .._text import label_text, visible
from ._duplicates import Duplicates, differ
from ._label_audit import LabelAudit
from ._outliers import OUTLIER

if TYPE_CHECKING:
    import pandas as pd

# Samples of a set of duplicates that are shown; others are counted.
_MAX_SHOWN = 4
_DIFFERENT = {"label": "different labels", "split": "across the split", "groups": "across groups"}
_PARTS = {"split": "{}", "groups": "group {}"}
_LONGEST = 160  # characters of a text


class Table(NamedTuple):
    """The rows of a table that are listed, and how many there are in all."""

    rows: list[dict[str, Any]]
    total: int


class Samples:
    """What is shown of samples, by their row numbers.

    Parameters
    ----------
    audit : LabelAudit
        Fitted.
    parts : dict of str to tuple (values, codes)
        Under "split" and "groups", if they are known, what each sample belongs to.
    find : callable or None
        ``find(row, item)`` returns its image.
    texts : sequence of str or None
        The samples, if they are texts.

    Attributes
    ----------
    order : ndarray of int of shape (n_samples,)
        Row numbers, in the order of ``audit.issues_``.
    codes : ndarray of int of shape (n_samples,)
        Labels, encoded.
    different : dict of str to ndarray of int of shape (n_samples,)
        What may differ within a set of duplicates: "label", "split", "groups".
    """

    def __init__(
        self,
        audit: LabelAudit,
        parts: dict[str, tuple[NDArray[Any], NDArray[np.intp]]],
        find: Callable[[int, str], Any] | None,
        texts: Sequence[str] | None,
    ):
        issues = audit.issues_
        self.order = np.argsort(audit.label_quality_, kind="stable")
        self.codes = np.empty(len(issues), dtype=np.intp)
        self.codes[self.order] = issues["given"].cat.codes
        self.different = {
            "label": self.codes,
            **{name: codes for name, (_, codes) in parts.items()},
        }
        self._place = np.argsort(self.order)
        self._names = issues.index
        self._classes = class_names(audit)
        self._parts = parts
        self._find, self._texts = find, texts
        self._pictures: dict[int, Thumbnail] = {}

    def shown(self, row: int) -> dict[str, Any]:
        """Name, label, group and part of the split, and picture or text of a sample."""
        item = label_text(self._names[self._place[[row]]].tolist()[0])  # no numbers of NumPy
        if self._find is not None and row not in self._pictures:
            self._pictures[row] = thumbnail(self._find, row, item)
        return {
            "name": visible(item),
            "label": self._classes[self.codes[row]],
            "parts": [
                _PARTS[name].format(_text(values[codes[row]]))
                for name, (values, codes) in self._parts.items()
            ],
            "picture": self._pictures.get(row),
            "text": "" if self._texts is None else _excerpt(self._texts[row]),
        }


def class_names(audit: LabelAudit) -> list[str]:
    """Classes as texts."""
    return [_text(label) for label in audit.classes_.tolist()]


def summary(
    audit: LabelAudit, sets: Table | None, outliers: Table | None, small: Table
) -> list[Entry]:
    """The most important numbers."""
    n, n_doubtful = len(audit.issues_), int(audit.issues_["is_issue"].sum())
    low, high = audit.noise_rate_interval_
    entries = [
        Entry("Labels", f"{n:,}", f"{len(audit.classes_):,} classes"),
        Entry("Doubtful labels", f"{n_doubtful:,}", f"{n_doubtful / n:.1%} of all"),
        Entry(
            "Wrong, by estimate", f"{audit.noise_rate_:.0%}", f"between {low:.0%} and {high:.0%}"
        ),
    ]
    if sets is not None:
        entries.append(Entry("Sets of duplicates", f"{sets.total:,}"))
    if outliers is not None:
        entries.append(Entry("Outliers", f"{outliers.total:,}"))
    return [*entries, Entry("Classes too small", f"{small.total:,}")]


def classes(audit: LabelAudit, max_rows: int) -> Table:
    """Labels and doubtful ones of each class that has some; of many classes, the most doubted."""
    issues, n_classes = audit.issues_, len(audit.classes_)
    codes = issues["given"].cat.codes.to_numpy()
    n = np.bincount(codes, minlength=n_classes)
    doubtful = np.bincount(codes[issues["is_issue"].to_numpy()], minlength=n_classes)
    present = np.flatnonzero(n)
    listed = np.sort(present[np.argsort(-doubtful[present], kind="stable")][:max_rows])
    names = class_names(audit)
    rows = [
        {
            "name": names[code],
            "n": f"{n[code]:,}",
            "doubtful": f"{doubtful[code]:,}",
            "share": f"{doubtful[code] / n[code]:.0%}",
        }
        for code in listed
    ]
    return Table(rows, len(present))


def small(table: pd.DataFrame, max_rows: int) -> Table:
    """Classes too small to judge, of what `small_classes` returns."""
    table = table[~table["can_be_judged"]]
    rows = [
        {"name": _text(name), "reason": reason}
        for name, reason in zip(table.index[:max_rows].tolist(), table["reason"], strict=False)
    ]
    return Table(rows, len(table))


def doubtful(
    audit: LabelAudit, samples: Samples, similar: dict[int, list[int]], max_rows: int
) -> Table:
    """Doubtful labels, the worst first.

    Parameters
    ----------
    audit : LabelAudit
        Fitted.
    samples : Samples
        Its samples.
    similar : dict of int to list of int
        By row number, the most similar samples that have other labels.
    max_rows : int
        Labels that are listed.

    Returns
    -------
    Table
        Rows for the template.
    """
    flagged = audit.issues_["is_issue"].to_numpy()
    columns = (audit.issues_[name] for name in ("suggested", "quality", "why"))
    rows = [
        {
            **samples.shown(row),
            "suggested": _text(suggested),
            "quality": f"{quality:.0%}",
            "why": visible(why),
            "similar": [samples.shown(other) for other in similar.get(row, ())],
        }
        for row, suggested, quality, why in zip(
            samples.order[flagged][:max_rows].tolist(),
            *(column[flagged].head(max_rows).tolist() for column in columns),
            strict=True,
        )
    ]
    return Table(rows, int(flagged.sum()))


def sets_of(samples: Samples, found: Duplicates, max_rows: int) -> Table:
    """Sets of duplicates: those with different labels, parts of the split or groups come first."""
    begin = np.flatnonzero(np.diff(found.number, prepend=-1))
    members = np.split(found.rows, begin[1:]) if len(begin) else []
    marks = {
        name: differ(codes[found.rows], found.number)[begin]
        for name, codes in samples.different.items()
    }
    order = np.lexsort([~marks[name] for name in reversed(marks)])
    rows = []
    for number in order[:max_rows].tolist():
        of_set = found.number == number
        exact = found.is_exact[of_set]
        rows.append(
            {
                "kind": "exact" if exact.all() else "exact and near" if exact.any() else "near",
                "distance": f"{found.distance[of_set].max():.2g}",
                "marks": [_DIFFERENT[name] for name, mark in marks.items() if mark[number]],
                "n": len(members[number]),
                "shown": [
                    samples.shown(row)
                    for row in _most_different(samples, members[number])[:_MAX_SHOWN]
                ],
                "n_more": max(len(members[number]) - _MAX_SHOWN, 0),
            }
        )
    return Table(rows, len(members))


def outliers(
    audit: LabelAudit, samples: Samples, scores: NDArray[np.float64], max_rows: int
) -> Table:
    """Outliers, the oddest first."""
    order = np.argsort(-scores, kind="stable")
    found = order[scores[order] > OUTLIER]
    is_doubtful = np.empty(len(scores), dtype=bool)
    is_doubtful[samples.order] = audit.issues_["is_issue"]
    rows = [
        {**samples.shown(row), "score": f"{scores[row]:.2f}", "is_doubtful": is_doubtful[row]}
        for row in found[:max_rows].tolist()
    ]
    return Table(rows, len(found))


def _most_different(samples: Samples, rows: NDArray[np.intp]) -> list[int]:
    """Samples of a set, first one of each label, part of the split and group."""
    kinds = np.column_stack([codes[rows] for codes in samples.different.values()])
    _, first = np.unique(kinds, axis=0, return_index=True)
    is_first = np.zeros(len(rows), dtype=bool)
    is_first[first] = True
    chosen: list[int] = rows[np.argsort(~is_first, kind="stable")].tolist()
    return chosen


def _text(value: Any) -> str:
    return visible(label_text(value))


def _excerpt(text: str) -> str:
    return visible(text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…")
