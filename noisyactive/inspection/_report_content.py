"""What the report says of the run as a whole, and of its classes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from .._html import NOTHING, Entry
from . import _numbers_in_words as words
from ._changes import class_audit
from ._cleaning_curve import score_name_of
from ._cleaning_report import rounds_of
from ._intervals import Interval, wilson
from ._record import RunRecord
from ._remaining import RemainingErrors
from ._scores import Scores

_PARTS = {
    "confirmed": "verified and confirmed",
    "corrected": "verified and corrected",
    "unverified": "not verified",
    "right": "not verified, probably right",
    "wrong": "not verified, probably wrong",
}
_MATRIX_CLASSES = 12  # a wider table does not fit a page


def summary(record: RunRecord, left: RemainingErrors, scores: Scores) -> list[Entry]:
    """The most important numbers of a run."""
    state = record.state
    changed = int((state.codes != state.given_codes).sum())
    verified, skipped = int(state.verified.sum()), int(state.skipped.sum())
    budget = None if state.budget_left is None else state.cost + state.budget_left
    of_all = wilson(verified, len(state.codes))
    n_others = f"{left.n_unverified:,}"
    entries = [
        Entry("Samples", f"{len(state.codes):,}", f"{len(record.classes):,} classes"),
        Entry("Answers", f"{state.cost:,}", f"of a budget of {budget:,}" if budget else ""),
        Entry("Labels verified", f"{verified:,}", f"{words.share(of_all)} of all"),
        Entry(
            "Labels changed",
            f"{changed:,}",
            f"{words.share(wilson(changed, verified))} of those verified" if verified else "",
        ),
        Entry(
            "Probably still wrong",
            NOTHING if math.isnan(left.expected) else f"{round(left.expected):,}",
            "not known"
            if math.isnan(left.expected)
            else f"{_between(left.low, left.high)} of the other {n_others}",
        ),
    ]
    if skipped:
        entries.append(Entry("Could not be told", f"{skipped:,}"))
    if known := _known(scores):
        name = f"{score_name_of(record.scoring)} on validation data"
        first, last = known[0], known[-1]
        entries.append(Entry("Score", words.score(last), f"{words.score(first)} at first; {name}"))
    return [*entries, _progress(record)]


def remaining(record: RunRecord, left: RemainingErrors) -> list[str]:
    """Sentences on the labels that are probably still wrong."""
    state = record.state
    n, n_changed = len(state.codes), int((state.codes != state.given_codes).sum())
    others = f"Nobody verified {words.count(left.n_unverified, 'label')}."
    if math.isnan(left.expected):
        return [
            f"{others} How many of them are wrong cannot be said: no model judged them, and no "
            "sample was picked by chance and answered. Answers to some hundred such samples tell.",
        ]
    now, before = (
        Interval(*((value + found) / n for value in (left.expected, left.low, left.high)))
        for found in (0, n_changed)
    )
    found = [
        f"{others} Of these, about {round(left.expected):,} are probably still wrong, and with a "
        f"probability of 95% between {round(left.low):,} and {round(left.high):,}.",
        f"So about {words.share(before)} of all labels were wrong at first "
        f"({words.share_limits(before)}), and about {words.share(now)} are now "
        f"({words.share_limits(now)}), if the answers are right.",
    ]
    checks = (
        f"{words.count(left.n_checked, 'sample')} that chance picked, of which "
        f"{words.count(left.n_wrong, 'was wrong', 'were wrong')}"
    )
    if left.evidence == "random check":
        found.append(f"This comes from the answers to {checks}, less the wrong labels found since.")
    elif left.n_checked:
        found.append(
            "This comes from how doubtful each label is to models that did not learn it, adjusted "
            f"by the answers to {checks}."
        )
    else:
        found.append(
            "This comes from how doubtful each label is to models that did not learn it. No answer "
            "on samples that chance picked could correct it."
        )
    return found


def rounds(record: RunRecord, scores: Scores) -> list[list[str]]:
    """The cells of the table of rounds."""
    table = rounds_of(record.history, record.events)
    rows = zip(table.index.tolist(), table.itertuples(), scores.rounds, strict=True)
    found = []
    for number, row, score in rows:
        hits = wilson(int(row.changed), int(row.answered))
        found.append(
            [
                str(number) if number else "at first",
                f"{row.asked:,}",
                f"{row.answers:,}",
                f"{row.answered:,}",
                f"{row.changed:,}",
                *words.share_with_limits(hits),
                f"{row.cost:,}",
                words.score(score),
                words.score_limits(score),
            ]
        )
    return found


def cost(record: RunRecord, scores: Scores) -> list[str]:
    """Sentences on time, and on what a gain of the score has cost."""
    seconds = record.answers["seconds"].dropna()
    n_answers = len(record.answers)
    found = []
    if len(seconds):
        timed = "all" if len(seconds) == n_answers else f"{len(seconds):,} of {n_answers:,}"
        found.append(
            f"The time of {timed} answers was recorded: {words.duration(seconds.sum())} together, "
            f"and {words.duration(seconds.median())} for an answer (the median)."
        )
    elif n_answers:
        found.append("The time that answers took was not recorded.")
    known = _known(scores)
    if len(known) < 2:
        if not known:
            found.append("There is no score: the run had no validation data.")
        return found
    name = score_name_of(record.scoring)
    gain, per_point = scores.gain, scores.answers_per_point
    points = f"{words.signed(100 * gain.value)} points"
    if not math.isnan(gain.low):
        ends = (words.signed(100 * end) for end in (gain.low, gain.high))
        points += f" (95% interval {words.between(*ends)})"
    found.append(
        f"The {name} on validation data went from {known[0].value:.4f} to "
        f"{known[-1].value:.4f}: {points}, where a point is 0.01."
    )
    if math.isnan(per_point.value):
        found.append("So there is no gain that the answers could be set against.")
        return found
    text = f"So a point has cost about {words.rounded(per_point.value)} answers"
    if math.isinf(per_point.high):
        text += f" (at least {words.rounded(per_point.low)}; there may be no gain at all)"
    elif not math.isnan(per_point.low):
        ends = (words.rounded(end) for end in (per_point.low, per_point.high))
        text += f" (95% interval {words.between(*ends)})"
    if len(seconds):
        text += f", or about {words.duration(per_point.value * seconds.mean())} of work"
    return [*found, f"{text}."]


def parts(record: RunRecord, left: RemainingErrors) -> list[dict[str, Any]]:
    """The parts of the bar of all labels."""
    state = record.state
    n_changed = int((state.codes != state.given_codes).sum())
    found = [("confirmed", int(state.verified.sum()) - n_changed), ("corrected", n_changed)]
    if math.isnan(left.expected):
        found.append(("unverified", left.n_unverified))
    else:
        wrong = round(left.expected)
        found += [("right", left.n_unverified - wrong), ("wrong", wrong)]
    return [{"kind": kind, "name": _PARTS[kind], "n": n} for kind, n in found]


def matrix(record: RunRecord, names: Sequence[str]) -> dict[str, Any]:
    """Verified labels by given label and answer: a table, or of many classes the changes alone."""
    state = record.state
    n_classes = len(names)
    pairs = state.given_codes[state.verified] * n_classes + state.codes[state.verified]
    kinds, numbers = np.unique(pairs, return_counts=True)
    old, new = np.divmod(kinds, n_classes)
    used = np.union1d(old, new)
    total = np.bincount(old, numbers, minlength=n_classes).astype(int)
    if len(used) <= _MATRIX_CLASSES:
        table = np.zeros((len(used), len(used)), dtype=int)
        table[np.searchsorted(used, old), np.searchsorted(used, new)] = numbers
        rows = [
            {
                "name": names[code],
                "cells": [_cell(n, total[code], place == at) for at, n in enumerate(counts)],
                "total": f"{total[code]:,}",
            }
            for place, (code, counts) in enumerate(zip(used, table.tolist(), strict=True))
        ]
        return {"columns": [names[code] for code in used], "rows": rows, "changes": []}
    order = np.lexsort((new, old, -numbers))
    changes = [
        [names[old[at]], names[new[at]], f"{numbers[at]:,}", f"{total[old[at]]:,}"]
        for at in order[(old != new)[order]]
    ]
    return {"columns": [], "rows": [], "changes": changes}


def classes(record: RunRecord, left: RemainingErrors, names: Sequence[str]) -> list[list[str]]:
    """The cells of the table of classes, with a last row for all of them."""
    table = class_audit(record)
    wrong = [(NOTHING, "")] * len(table)
    if not np.isnan(left.by_class).any():
        # As whole numbers that do not contradict their total.
        numbers = words.adding_up(left.by_class[:, 0], left.expected)
        wrong = [
            (f"{n:,}", _between(*limits))
            for n, limits in zip(numbers, left.by_class[:, 1:].tolist(), strict=True)
        ]
    total = (NOTHING, "")
    if not math.isnan(left.expected):
        total = f"{round(left.expected):,}", _between(left.low, left.high)
    rows = [
        (names[code], numbers, wrong[code])
        for code, numbers in zip(table.index, table.to_numpy().tolist(), strict=True)
    ]
    rows.append(("All classes", table.sum().tolist(), total))
    return [
        [
            name,
            *(f"{n:,}" for n in numbers),
            *words.share_with_limits(wilson(numbers[4], numbers[2])),
            *still_wrong,
        ]
        for name, numbers, still_wrong in rows
    ]


def has_scores(scores: Scores) -> bool:
    """Whether there is a score at all."""
    return bool(_known(scores))


def class_scores(scores: Scores, names: Sequence[str]) -> list[list[str]]:
    """The cells of the table of validation samples by class."""
    return [
        [
            names[one.code],
            f"{one.n_samples:,}",
            *words.share_with_limits(one.first_recall),
            *words.share_with_limits(one.recall),
            *words.share_with_limits(one.precision),
        ]
        for one in scores.classes
    ]


def _cell(number: int, total: int, confirmed: bool) -> dict[str, Any]:
    share = round(float(number / max(total, 1)), 3)
    return {"text": f"{number:,}" if number else "", "share": share, "same": confirmed}


def _between(low: float, high: float) -> str:
    return words.between(f"{round(low):,}", f"{round(high):,}")


def _known(scores: Scores) -> list[Interval]:
    return [score for score in scores.rounds if not math.isnan(score.value)]


def _progress(record: RunRecord) -> Entry:
    """Progress of a run."""
    state = record.state
    of_all = "" if record.n_rounds is None else f" of {record.n_rounds}"
    if n_open := len(state.open_rows):
        return Entry(
            "Round", f"{state.round}{of_all}", f"labels that wait for an answer: {n_open:,}"
        )
    note = "finished" if state.ended else "the run can go on"
    return Entry("Rounds", f"{state.round}{of_all}", note)
