"""The numbers and texts of the HTML report."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from importlib.metadata import version
from typing import Any

import numpy as np
import torch

from .._html import NOTHING, Entry, when
from .._images import Thumbnail
from .._text import visible
from ..cleaning import ActiveLabelCleaner
from ..journal import Answered, describe, fingerprint
from ._changes import Change, class_audit
from ._cleaning_curve import score_name_of
from ._cleaning_report import cleaning_report

_PACKAGES = ("noisyactive", "scikit-learn", "skorch", "numpy", "scipy", "pandas")
_LONGEST = 300  # characters of a parameter
_UNNAMED = "an unnamed annotator"


def summary(cleaner: ActiveLabelCleaner) -> list[Entry]:
    """The most important numbers of a run."""
    state = cleaner.state_
    changed = int((state.codes != state.given_codes).sum())
    verified, skipped = int(state.verified.sum()), int(state.skipped.sum())
    budget = None if state.budget_left is None else state.cost + state.budget_left
    not_told = f"{skipped:,} could not be told" if skipped else ""
    hits = f"{changed / verified:.0%} of those verified" if verified else ""
    entries = [
        Entry("Samples", f"{len(state.codes):,}", f"{len(cleaner.classes_)} classes"),
        Entry("Answers", f"{state.cost:,}", f"of a budget of {budget:,}" if budget else ""),
        Entry("Labels verified", f"{verified:,}", not_told),
        Entry("Labels changed", f"{changed:,}", hits),
    ]
    score = cleaner.history_["score"]
    if len(known := score[np.isfinite(score)]):
        name = f"{score_name_of(cleaner.scoring)} on validation data"
        entries.append(Entry("Score", f"{known[-1]:.3f}", f"{known[0]:.3f} at first; {name}"))
    return [*entries, _progress(cleaner)]


def rounds(cleaner: ActiveLabelCleaner) -> list[list[str]]:
    """The cells of the table of rounds."""
    return [
        [
            str(number) if number else "first phase",
            f"{row.asked:,}",
            f"{row.answers:,}",
            f"{row.answered:,}",
            f"{row.changed:,}",
            NOTHING if np.isnan(row.hit_rate) else f"{row.hit_rate:.0%}",
            f"{row.cost:,}",
            NOTHING if np.isnan(row.score) else f"{row.score:.3f}",
        ]
        for number, row in zip(
            cleaner.history_["round"].tolist(), cleaning_report(cleaner).itertuples(), strict=True
        )
    ]


def classes(cleaner: ActiveLabelCleaner, names: Sequence[str]) -> list[list[str]]:
    """The cells of the table of classes, with a last row for all of them."""
    table = class_audit(cleaner)
    cells = [
        [names[code], *(f"{n:,}" for n in numbers)]
        for code, numbers in zip(table.index, table.to_numpy().tolist(), strict=True)
    ]
    return [*cells, ["All classes", *(f"{n:,}" for n in table.sum().tolist())]]


def people(cleaner: ActiveLabelCleaner) -> list[list[str]]:
    """The cells of the table of annotators; empty if none of them has a name."""
    table = cleaner.agreement_
    if not any(table["annotator"].tolist()):
        return []
    shown = ("annotator", "n_answers", "n_labels", "agreement", "kappa")
    columns = zip(*(table[key].tolist() for key in shown), strict=True)
    return [
        [
            visible(name) or _UNNAMED,
            f"{n_answers:,}",
            f"{n_labels:,}",
            NOTHING if np.isnan(agreement) else f"{agreement:.0%}",
            NOTHING if np.isnan(kappa) else f"{kappa:.2f}",
        ]
        for name, n_answers, n_labels, agreement, kappa in columns
    ]


def described(change: Change, names: Sequence[str], picture: Thumbnail) -> dict[str, Any]:
    """The texts of a changed label."""
    others = [
        f"{visible(name) or _UNNAMED} said: {'cannot tell' if code is None else names[code]}"
        for name, code in change.others
    ]
    alone = len(change.comments) == 1
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
        "comment": "\n".join(
            visible(text if alone or not name else f"{name}: {text}")
            for name, text in change.comments
        ),
    }


def parameters(cleaner: ActiveLabelCleaner) -> list[Entry]:
    """The parameters of the cleaner and, after "__", those of its estimator."""
    found: dict[str, str] = {}
    for name, value in cleaner.get_params(deep=False).items():
        found.update(describe(name, value))
    found["n_rounds"] = repr(cleaner.n_rounds)
    found["seed in use"] = str(cleaner.seed_)
    return [
        Entry(visible(name), visible(text if len(text) < _LONGEST else f"{text[:_LONGEST]}…"))
        for name, text in sorted(found.items())
    ]


def provenance(cleaner: ActiveLabelCleaner) -> list[Entry]:
    """Fingerprints of the data, times of answers, and versions."""
    state = cleaner.state_
    times = sorted(e.time for e in cleaner.events_ if isinstance(e, Answered) and e.time)
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


def _progress(cleaner: ActiveLabelCleaner) -> Entry:
    """Progress of a run."""
    state = cleaner.state_
    rounds_begun = f"{state.round} of {cleaner.n_rounds}"
    if n_open := len(state.open_rows):
        return Entry("Round", rounds_begun, f"labels that wait for an answer: {n_open:,}")
    return Entry("Rounds", rounds_begun, "finished" if state.ended else "the run can go on")
