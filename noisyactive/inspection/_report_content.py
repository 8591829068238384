"""The numbers and texts of the HTML report."""

from __future__ import annotations

import math
import platform
from collections.abc import Callable, Sequence
from importlib.metadata import version
from typing import Any

import numpy as np
import torch

from .._html import NOTHING, Entry, when
from .._images import Thumbnail
from .._text import visible
from ..journal import fingerprint
from . import _numbers_in_words as words
from ._changes import Change, class_audit
from ._cleaning_curve import score_name_of
from ._cleaning_report import rounds_of
from ._data_problems import DataProblems
from ._intervals import Interval, wilson
from ._people import Agreement, NotTold, Person
from ._record import RunRecord
from ._remaining import RemainingErrors
from ._scores import Scores

_PACKAGES = ("noisyactive", "scikit-learn", "skorch", "numpy", "scipy", "pandas")
_LONGEST = 300  # characters of a parameter
_UNNAMED = "an unnamed annotator"
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
                *_shown(hits),
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
            *_shown(wilson(numbers[4], numbers[2])),
            *still_wrong,
        ]
        for name, numbers, still_wrong in rows
    ]


def class_scores(scores: Scores, names: Sequence[str]) -> list[list[str]]:
    """The cells of the table of validation samples by class."""
    return [
        [
            names[one.code],
            f"{one.n_samples:,}",
            *_shown(one.first_recall),
            *_shown(one.recall),
            *_shown(one.precision),
        ]
        for one in scores.classes
    ]


def people(found: list[Person]) -> list[list[str]]:
    """The cells of the table of annotators; empty if none of them has a name."""
    if not any(person.name for person in found):
        return []
    return [
        [
            named(person.name),
            f"{person.n_answers:,}",
            f"{person.n_labels:,}",
            f"{person.n_not_told:,}",
            *_shown(person.changed),
            words.duration(person.seconds),
            words.duration(person.median),
        ]
        for person in found
    ]


def agreements(found: list[Agreement]) -> list[list[str]]:
    """The cells of the table of pairs of annotators."""
    return [
        [
            " and ".join(named(name) for name in pair.names),
            f"{pair.n_items:,}",
            *_shown(pair.same),
            NOTHING if math.isnan(pair.kappa.value) else f"{pair.kappa.value:.2f}",
            ""
            if math.isnan(pair.kappa.low)
            else words.between(f"{pair.kappa.low:.2f}", f"{pair.kappa.high:.2f}"),
        ]
        for pair in found
    ]


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


def parameters(record: RunRecord) -> list[Entry]:
    """The parameters of the cleaner and, after "__", those of its estimator."""
    found = dict(record.parameters)
    if record.seed is not None:
        found["seed in use"] = str(record.seed)
    return [
        Entry(visible(name), visible(text if len(text) < _LONGEST else f"{text[:_LONGEST]}…"))
        for name, text in sorted(found.items())
    ]


def provenance(record: RunRecord) -> list[Entry]:
    """Fingerprints of the data, times of answers, and versions."""
    state = record.state
    times = sorted(filter(None, record.answers["time"].tolist()))
    entries = [
        Entry("Fingerprint of the given labels", fingerprint(state.given_codes.astype(np.int64))),
        Entry("Fingerprint of the labels now", fingerprint(state.codes.astype(np.int64))),
    ]
    if times:
        entries += [Entry("First answer", when(times[0])), Entry("Last answer", when(times[-1]))]
    entries += [Entry(name, version(name)) for name in _PACKAGES]
    entries.append(Entry("torch", torch.__version__))  # with the device that it was built for
    return [
        *entries,
        Entry("Python", platform.python_version()),
        Entry("Platform", visible(platform.platform())),
        Entry("Threads of torch", str(torch.get_num_threads())),
    ]


def named(name: str) -> str:
    """The name of an annotator."""
    return visible(name) or _UNNAMED


def _remarks(said: list[tuple[str, str]]) -> str:
    """Comments, with names where there are several."""
    alone = len(said) == 1
    return "\n".join(
        visible(text if alone or not name else f"{name}: {text}") for name, text in said
    )


def _cell(number: int, total: int, confirmed: bool) -> dict[str, Any]:
    share = round(float(number / max(total, 1)), 3)
    return {"text": f"{number:,}" if number else "", "share": share, "same": confirmed}


def _shown(found: Interval) -> tuple[str, str]:
    """A share in per cent, and its limits."""
    return words.share(found), words.share_limits(found)


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
