"""What somebody has done in one sitting."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

BREAK = timedelta(minutes=30)  # a longer time without an answer ends a sitting


def last_sitting(answers: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The answers since the last long break.

    Parameters
    ----------
    answers : sequence of dict
        Answers of one annotator in order, as `Journal.answers` returns them.

    Returns
    -------
    list of dict
        The last of them, between which there are never more than 30 minutes.
    """
    times = [datetime.fromisoformat(answer["time"]) for answer in answers]
    start = len(answers)
    while start and (start == len(answers) or times[start] - times[start - 1] <= BREAK):
        start -= 1
    return list(answers[start:])


def summary(answers: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Count what was said in a sitting.

    Parameters
    ----------
    answers : sequence of dict
        Answers of one annotator in order, as `Journal.answers` returns them.

    Returns
    -------
    dict
        ``items`` answered; of these, by the latest answer: ``kept`` (it is the label from before),
        ``changed``, ``skipped`` (could not be told); ``corrections``: answers beyond one an item;
        ``seconds`` spent in all, ``median_seconds`` of an answer (None if no time was recorded).
    """
    before: dict[int, Any] = {}
    latest: dict[int, Any] = {}
    for answer in answers:
        before.setdefault(answer["row"], answer["old_label"])
        latest[answer["row"]] = answer["new_label"]
    told = [row for row, label in latest.items() if label is not None]
    kept = sum(latest[row] == before[row] for row in told)
    seconds = [answer["seconds"] for answer in answers if answer["seconds"] is not None]
    return {
        "items": len(latest),
        "kept": kept,
        "changed": len(told) - kept,
        "skipped": len(latest) - len(told),
        "corrections": len(answers) - len(latest),
        "seconds": sum(seconds),
        "median_seconds": statistics.median(seconds) if seconds else None,
    }
