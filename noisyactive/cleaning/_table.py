"""The cleaned data set as a table: what each label was, is, and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .._cells import table_as_csv
from .._like import LabelForm, labels_like
from .._text import label_text
from ..journal import Answered, Asked, CleaningState, Event

if TYPE_CHECKING:
    import pandas as pd

_CANNOT_TELL = "cannot tell"


@dataclass
class _Latest:
    """What came with the answers for a row: of the latest, and of the latest of each annotator."""

    round: int = 0
    time: str = ""
    comments: dict[str | None, str | None] = field(default_factory=dict)


def label_table(
    state: CleaningState,
    events: Sequence[Event],
    form: LabelForm,
    trusted: NDArray[np.bool_],
    issues: pd.DataFrame | None,
    index: pd.Index,
    ids: NDArray[np.str_] | None = None,
) -> pd.DataFrame:
    """One row for each sample: its labels, and who answered what, when and why.

    Parameters
    ----------
    state : CleaningState
        Labels and accounts.
    events : sequence of Event
        The events that led to it.
    form : LabelForm
        The form in which labels were given.
    trusted : ndarray of bool of shape (n_samples,)
        Labels that are trained on.
    issues : DataFrame of n_samples rows or None
        What `issue_table` returns of the labels as they are now, by row number; None without a
        posterior.
    index : pandas Index of length n_samples
        That of the table.
    ids : ndarray of str of shape (n_samples,), default=None
        Names of the rows that the index does not have; None for no such column.

    Returns
    -------
    DataFrame of n_samples rows
        As `ActiveLabelCleaner.to_frame` describes it.
    """
    import pandas as pd

    n, classes = len(state.codes), state.classes
    if issues is None:
        quality, why = np.full(n, np.nan), _texts(n)
        suggested: Any = pd.Categorical.from_codes(np.full(n, -1), pd.Index(classes))
    else:
        issues = issues.sort_index()
        quality, why = issues["quality"].to_numpy(), issues["why"].to_numpy(dtype=object)
        suggested = issues["suggested"].array
    asked = {row for event in events if isinstance(event, Asked) for row in event.rows}
    for row in asked.difference(state.answers):
        why[row] = why[row] or "asked, not answered"
    rounds = pd.array([None] * n, dtype="Int64")
    annotators, answers, comments, times = (_texts(n) for _ in range(4))
    latest, labels = _latest(events), classes.tolist()
    for row, said in state.answers.items():
        last = latest[row]
        rounds[row], times[row] = last.round, last.time
        annotators[row] = ", ".join(who for who in said if who is not None)
        flags = state.flags.get(row, {})
        answers[row] = "; ".join(
            _by(who, _text(label, flags.get(who, ""))) for who, label in said.items()
        )
        remarks = [(who, remark) for who in said if (remark := last.comments[who])]
        comments[row] = "; ".join(_by(who, remark) for who, remark in remarks)
        verdict = _verdict(said, labels[state.codes[row]], bool(state.verified[row]))
        if row in state.decided:
            verdict = f"decided by {state.decided[row]}"
        elif "unusable" in flags.values() and not state.verified[row]:
            verdict = f"unusable, by {_listed([who for who in said if flags.get(who)])}"
        why[row] = f"{verdict}; {why[row]}" if why[row] else verdict
    why[why == ""] = "no one was asked"
    columns = {
        "id": ids,
        "given": _values(labels_like(form, classes, state.given_codes)),
        "label": _values(labels_like(form, classes, state.codes)),
        "changed": state.codes != state.given_codes,
        "verified": state.verified.copy(),
        "round": rounds,
        "annotators": annotators,
        "answers": answers,
        "time": pd.to_datetime(times, utc=True, format="ISO8601", errors="coerce"),
        "comment": comments,
        "quality": quality,
        "suggested": suggested,
        "why": why,
        "trusted": trusted,
    }
    if ids is None:
        del columns["id"]
    return pd.DataFrame(columns, index=index)


def csv_of(table: pd.DataFrame) -> bytes:
    """A table as a CSV file in UTF-8, whose cells no spreadsheet takes for formulas.

    Parameters
    ----------
    table : DataFrame
        With a column ``time`` in UTC.

    Returns
    -------
    bytes
        One line of names, one for each row.
    """
    table = table.copy(deep=False)
    table["time"] = table["time"].dt.strftime("%Y-%m-%dT%H:%M:%S.%fZ")  # all of one length
    return table_as_csv(table)


def _latest(events: Sequence[Event]) -> dict[int, _Latest]:
    """What came with the answers for each row that has any."""
    found: dict[int, _Latest] = {}
    n_rounds = 0
    for event in events:
        if isinstance(event, Asked):
            n_rounds += 1
        elif isinstance(event, Answered):
            comments = event.comments or (None,) * len(event.rows)
            for row, comment in zip(event.rows, comments, strict=True):
                latest = found.setdefault(row, _Latest())
                latest.round, latest.time = n_rounds, event.time
                latest.comments[event.annotator] = comment
    return found


def _verdict(said: Mapping[str | None, Any], label: Any, verified: bool) -> str:
    """What the answers for a row came to, in words."""
    given = [who for who, one in said.items() if one is not None]
    if verified:  # a callable may settle on a label that nobody said
        agreeing = [who for who in given if said[who] == label]
        return f"answered by {_listed(agreeing or given)}"
    if not given:
        return f"{_listed(list(said))} cannot tell"
    return f"answered by {_listed(given)}, not decided"


def _listed(annotators: Sequence[str | None]) -> str:
    names = [name or "an expert" for name in annotators]
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def _by(annotator: str | None, text: str) -> str:
    return text if annotator is None else f"{annotator}: {text}"


def _text(label: Any, flag: str) -> str:
    if flag == "unusable":
        return flag
    text = _CANNOT_TELL if label is None else label_text(label)
    return f"{text} ({flag})" if flag else text


def _texts(n: int) -> NDArray[np.object_]:
    return np.full(n, "", dtype=object)


def _values(labels: Any) -> Any:
    """Labels without an index, which a table would look rows up by."""
    return getattr(labels, "array", labels)
