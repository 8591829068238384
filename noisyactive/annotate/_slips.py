"""Answers that somebody put into another column than the one that is read."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from ..journal import Answered, Settled
from ._cleaner_or_journal import is_started_cleaner
from ._wording import Wording

if TYPE_CHECKING:
    from ..cleaning import ActiveLabelCleaner
    from ..journal import Journal

_N_NAMED = 5


def refuse_slips(
    lines: Iterable[tuple[int, Mapping[str, str]]],
    run: ActiveLabelCleaner | Journal,
    wording: Wording,
) -> None:
    """Refuse lines in which an answer stands in a column that is not read.

    That is a line whose ``label`` is none that its item has or had and is not repeated in
    ``answer``, or whose ``comment`` or ``choices`` is a choice while ``answer`` is empty.

    Parameters
    ----------
    lines : iterable of (int, dict of str)
        Numbers and cells of lines with an id of the run.
    run : ActiveLabelCleaner or Journal
        The run.
    wording : Wording
        Its ids and labels as text.

    Raises
    ------
    ValueError
        If there are any; the message names them.
    """
    slips: list[tuple[str, int, str, str]] = []  # column, line, id, cell
    doubtful: list[tuple[int, str, str, Any]] = []
    for number, cells in lines:
        item = wording.find_item(cells["id"])
        if item is None:
            continue
        if not cells["answer"]:
            slips += [
                (column, number, cells["id"], cells[column])
                for column in ("comment", "choices")
                if cells[column] and _meant(wording, cells[column])
            ]
        if cells["label"] and not _repeated(wording, cells):
            doubtful.append((number, item, cells["id"], cells["label"]))
    known = _labels_of({item for _, item, *_ in doubtful}, run)
    slips += [
        ("label", number, name, cell)
        for number, item, name, cell in doubtful
        if not set(_meant(wording, cell)) - {None} & known[item]
    ]
    if slips:
        column, number, _, cell = slips[0]
        names = [repr(name) for other, _, name, _ in slips if other == column]
        more = f" and {len(names) - _N_NAMED} more" if len(names) > _N_NAMED else ""
        raise ValueError(
            f"line {number}: {cell!r} stands in the column {column!r}, which is not read as an "
            f"answer; so for {', '.join(names[:_N_NAMED])}{more}. Put answers into the column "
            f"'answer' and leave {column!r} as it was. Nothing was read"
        )


def _meant(wording: Wording, text: str) -> list[Any]:
    """The label that a cell means, or None for "cannot tell", in a list; empty if neither."""
    with suppress(ValueError):
        return [wording.label_of(text)]
    return []


def _repeated(wording: Wording, cells: Mapping[str, str]) -> bool:
    """Whether the answer is what stands as the label, or the label cannot be understood."""
    label = _meant(wording, cells["label"])
    return bool(cells["answer"]) and (not label or label == _meant(wording, cells["answer"]))


def _labels_of(items: Collection[str], run: ActiveLabelCleaner | Journal) -> dict[str, set[Any]]:
    """Labels that items have or had: a file may be read after it, or another, was taken up."""
    if not items:
        return {}
    if not is_started_cleaner(run, "cleaner must be an ActiveLabelCleaner or a Journal"):
        known = {item: {label} for item, label in run.labels().items() if item in items}
        for answer in run.answers():
            if answer["item"] in known:
                known[answer["item"]] |= {answer["old_label"], answer["new_label"]}
        return known
    names, classes, state = run.ids_.tolist(), run.classes_.tolist(), run.state_
    known = {
        names[row]: {classes[state.given_codes[row]], classes[state.codes[row]]}
        for row in range(len(names))
        if names[row] in items
    }
    for event in run.events_:
        if isinstance(event, (Answered, Settled)):
            for row, label in zip(event.rows, event.labels, strict=True):
                if names[row] in items:
                    known[names[row]].add(label)
    return known
