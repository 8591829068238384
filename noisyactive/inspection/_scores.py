"""Scores of the rounds with intervals, and what a gain has cost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ._intervals import SCORES, UNKNOWN, ClassCounts, Interval, Resampled, limits_of, wilson
from ._record import RunRecord


class ClassScore(NamedTuple):
    """How well a class is recognised in validation data.

    Parameters
    ----------
    code : int
        The class, encoded.
    n_samples : int
        Its validation samples.
    first_recall, recall, precision : Interval
        Share of them that were predicted as it, at first and last; share of the predictions of the
        class that were right, last.
    """

    code: int
    n_samples: int
    first_recall: Interval
    recall: Interval
    precision: Interval


@dataclass(frozen=True)
class Scores:
    """Scores on validation data.

    Parameters
    ----------
    rounds : list of Interval
        Score of each entry of the history; without limits where predictions are not known, or the
        score is none of `SCORES`.
    n_samples : int or None
        Validation samples.
    gain : Interval
        Difference of the last score and the first one.
    answers_per_point : Interval
        Answers between these for each gain of 0.01; without an upper limit (infinite) if the gain
        may be none, and `UNKNOWN` without a gain.
    classes : list of ClassScore
        Empty where first or last predictions are not known.
    """

    rounds: list[Interval]
    n_samples: int | None
    gain: Interval
    answers_per_point: Interval
    classes: list[ClassScore]


def scores_of(record: RunRecord) -> Scores:
    """Scores of a run, with intervals by a bootstrap of the validation samples."""
    history, true = record.history, record.validation_codes
    score, cost = history["score"], history["cost"]
    rounds = [Interval(value, np.nan, np.nan) for value in score.tolist()]
    scorer = SCORES.get(record.scoring) if isinstance(record.scoring, str) else None
    sample = None if true is None else Resampled(true, len(record.classes))
    counted: dict[int, ClassCounts] = {}
    drawn: dict[int, NDArray[np.float64]] = {}
    for number, predicted in enumerate(record.predictions):
        if sample is None or predicted is None:
            continue
        counted[number], of_draws = sample.counts(predicted)
        if scorer is not None and np.isfinite(score[number]):
            drawn[number] = scorer(of_draws)
            rounds[number] = limits_of(float(score[number]), drawn[number])
    known = np.flatnonzero(np.isfinite(score)).tolist()
    gain = per_point = UNKNOWN
    if len(known) > 1:
        first, last = known[0], known[-1]
        gain = Interval(float(score[last] - score[first]), np.nan, np.nan)
        if first in drawn and last in drawn:
            gain = limits_of(gain.value, drawn[last] - drawn[first])
        per_point = _per_point(gain, int(cost[last] - cost[first]))
    return Scores(
        rounds=rounds,
        n_samples=None if true is None else len(true),
        gain=gain,
        answers_per_point=per_point,
        classes=_by_class(counted, len(rounds) - 1),
    )


def _per_point(gain: Interval, n_answers: int) -> Interval:
    """Answers for a gain of 0.01."""

    def cost(points: float) -> float:
        return n_answers / (100 * points) if points > 0 else float("inf")

    if not gain.value > 0 or not n_answers:
        return UNKNOWN
    if np.isnan(gain.low):
        return Interval(cost(gain.value), np.nan, np.nan)
    return Interval(cost(gain.value), cost(gain.high), cost(gain.low))


def _by_class(counted: dict[int, ClassCounts], last: int) -> list[ClassScore]:
    """Each class that is there or predicted, at first and last."""
    if 0 not in counted or last not in counted:
        return []
    first_hit = counted[0].hit[0].astype(int).tolist()
    hit, true, predicted = (part[0].astype(int).tolist() for part in counted[last])
    return [
        ClassScore(
            code,
            n,
            first_recall=wilson(first_hit[code], n),
            recall=wilson(hit[code], n),
            precision=wilson(hit[code], predicted[code]),
        )
        for code, n in enumerate(true)
        if n or predicted[code]
    ]
