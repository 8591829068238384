"""Events and answers as a journal's tables hold them: JSON, and columns that are checked."""

from __future__ import annotations

import json
import math
import sys
from dataclasses import fields
from typing import Any

from ._events import Answered, Asked, Closed, Ended, Event, Refitted, Settled, Started
from ._run import Run, listed, number, parsed, text, whole
from ._schema import Damaged

#: Fields that events lack while they are as by default: journals of before had none of them.
_OPTIONAL: dict[str, dict[str, Any]] = {
    "asked": {"runner_up": [], "runner_up_probability": [], "n_by_chance": 0},
    "answered": {"charged": True},
}
_FIELDS = {
    kind.__name__.lower(): {field.name for field in fields(kind)}
    for kind in (Started, Asked, Settled, Closed, Refitted, Ended)
} | {"answered": {"charged"}}  # for the rest, see the table ``answers``
_LARGEST = sys.float_info.max


def encode(event: Event) -> tuple[str, str]:
    """Kind and payload of an event."""
    kind = type(event).__name__.lower()
    usual = _OPTIONAL.get(kind, {})
    payload = {name: getattr(event, name) for name in sorted(_FIELDS[kind])}
    for name, value in usual.items():
        if payload[name] == (tuple(value) if isinstance(value, list) else value):
            del payload[name]
    if isinstance(event, Refitted) and math.isnan(event.score):
        payload["score"] = None
    return kind, json.dumps(payload)


def decode(run: Run, kind: Any, payload: Any, answers: list[tuple[Any, ...]]) -> Event:
    """An event of a run, from its kind, its payload and the columns of its answers.

    Raises
    ------
    Damaged
        If no event of this run is written so.
    """
    content = parsed(payload, "its payload")
    usual = _OPTIONAL.get(kind, {}) if isinstance(kind, str) else {}
    if not isinstance(content, dict) or (usual | content).keys() != _FIELDS.get(kind):
        raise Damaged("it has an unknown kind or payload")
    content = usual | content
    if kind == "answered":
        if not isinstance(content["charged"], bool):
            raise Damaged("whether it was charged is no truth value")
        return _answered(run, answers, content["charged"])
    if answers:
        raise Damaged("it has answers")
    match kind:
        case "started":
            return Started(whole(content["seed"], "its seed", 0))
        case "asked":
            rows = run.rows(content["rows"])
            return Asked(
                rows,
                *_classes(run, content, "suggested", "probability", len(rows)),
                whole(content["budget_left"], "its budget", 0),
                text(content["reason"], "its reason"),
                *_classes(run, content, "runner_up", "runner_up_probability", len(rows)),
                whole(content["n_by_chance"], "its number of rows by chance", 0),
            )
        case "settled":
            rows = run.rows(content["rows"])
            return Settled(rows, run.labels(content["labels"], len(rows), ties=True))
        case "refitted":
            score = content["score"]
            return Refitted(math.nan if score is None else number(score, "its score"))
        case "closed":
            return Closed()
    return Ended()


def _classes(
    run: Run, content: dict[str, Any], name: str, probability: str, n_rows: int
) -> tuple[tuple[Any, ...], tuple[float, ...]]:
    """A class for each row and its probability, or nothing."""
    numbers = listed(content[probability], "the list of probabilities")
    n_known = n_rows if numbers else 0
    if len(numbers) != n_known:
        raise Damaged(f"there are {len(numbers)} probabilities of {n_rows} rows")
    return run.labels(content[name], n_known), tuple(
        number(value, "a probability", -_LARGEST, _LARGEST) for value in numbers
    )


def _answered(run: Run, answers: list[tuple[Any, ...]], charged: bool) -> Answered:
    if not answers:
        return Answered((), (), charged=charged)
    rows, labels, annotators, times, seconds, comments = zip(
        *(answer_columns(run, *answer) for answer in answers), strict=True
    )
    if len({*zip(annotators, times, strict=True)}) > 1:
        raise Damaged("its answers are of several people or times")
    return Answered(
        rows,
        labels,
        annotators[0],
        seconds if any(value is not None for value in seconds) else (),
        comments if any(value is not None for value in comments) else (),
        times[0],
        charged,
    )


def answer_columns(
    run: Run, row: Any, label: Any, annotator: Any, time: Any, seconds: Any, comment: Any
) -> tuple[int, Any, str | None, str, float | None, str | None]:
    """The columns of an answer, as they may be."""
    if annotator == "" or annotator is None and run.answers_per_item > 1:
        raise Damaged("an answer is of nobody")
    return (
        run.row(row),
        None if label is None else run.label(label),
        None if annotator is None else text(annotator, "an annotator"),
        text(time, "a time"),
        None if seconds is None else number(seconds, "a number of seconds", 0, _LARGEST),
        None if comment is None else text(comment, "a comment"),
    )
