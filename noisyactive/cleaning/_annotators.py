"""Aggregate the answers of several annotators, and measure their agreement."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from itertools import count
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import cohen_kappa_score

from .._codes import find_codes
from ..journal import CleaningState, Settled
from ._answer_model import Answers

Aggregate = Callable[[list[Any]], Any]


def majority(labels: Sequence[Any]) -> Any:
    """Most frequent label, or None for a tie.

    Parameters
    ----------
    labels : sequence
        Labels of one row, at least one.

    Returns
    -------
    object
        One of the labels, or None.
    """
    ranked = Counter(labels).most_common(2)
    tied = len(ranked) == 2 and ranked[0][1] == ranked[1][1]
    return None if tied else ranked[0][0]


def settle(state: CleaningState, aggregate: str | Aggregate) -> Settled | None:
    """Aggregate the answers to rows that enough annotators have answered for.

    Parameters
    ----------
    state : CleaningState
        The run's state. Not changed.
    aggregate : "majority" or callable
        Called with the labels of one row, in the order of the annotators' names.

    Returns
    -------
    Settled or None
        The aggregated labels; None if there is nothing to aggregate.

    Raises
    ------
    ValueError
        If a callable returns anything but one of the classes or None.
    """
    if not state.unsettled:
        return None
    decide = majority if isinstance(aggregate, str) else aggregate
    rows = tuple(sorted(state.unsettled))
    outcomes = []
    for row in rows:
        said = sorted(state.answers[row].items(), key=lambda item: item[0] or "")
        outcomes.append(decide([label for _, label in said if label is not None]))
    given = [label for label in outcomes if label is not None]
    known = iter(state.classes[find_codes(given, state.classes, name="aggregate")].tolist())
    return Settled(rows, tuple(None if label is None else next(known) for label in outcomes))


def answers_of(state: CleaningState) -> Answers:
    """What annotators said of the rows that are verified.

    Parameters
    ----------
    state : CleaningState
        The run's state.

    Returns
    -------
    Answers
        One entry for each annotator's label of each row; annotators in the order of `n_answers`.
    """
    number = {name: n for n, name in enumerate(state.n_answers)}
    said = [
        (row, number[name], label)
        for row in np.flatnonzero(state.verified).tolist()
        for name, label in state.answers[row].items()
        if label is not None
    ]
    rows, annotators, labels = zip(*said, strict=True) if said else ((), (), ())
    codes = find_codes(labels, state.classes, name="answers")
    return Answers(np.array(rows, dtype=np.intp), np.array(annotators, dtype=np.intp), codes)


def unused_name(state: CleaningState, rows: Iterable[int]) -> str:
    """A name under which none of the rows was answered."""
    taken = {name for row in rows for name in state.answers.get(row, ())}
    return next(name for n in count(1) if (name := f"oracle {n}") not in taken)


def agreement(state: CleaningState) -> dict[str, NDArray[Any]]:
    """How far each annotator agrees with the aggregated labels.

    Parameters
    ----------
    state : CleaningState
        The run's state.

    Returns
    -------
    dict of ndarray of shape (n_annotators,)
        ``annotator`` (sorted; "" for answers without a name), ``n_answers`` (charged), ``n_labels``
        (verified rows that the annotator gave a label for), ``agreement`` (share of these where it
        is the row's label now) and ``kappa`` (Cohen's, of the two; NaN where there are fewer than
        two classes).
    """
    names = sorted(state.n_answers, key=lambda name: name or "")
    own = {name: _labels_of(state, name) for name in names}
    columns: dict[str, list[Any]] = {"n_labels": [], "agreement": [], "kappa": []}
    for name in names:
        rows = np.array([row for row in own[name] if state.verified[row]], dtype=np.intp)
        given = find_codes([own[name][row] for row in rows], state.classes, name="answers")
        same = given == state.codes[rows]
        columns["n_labels"].append(len(rows))
        columns["agreement"].append(float(same.mean()) if len(rows) else np.nan)
        columns["kappa"].append(_kappa(given, state.codes[rows]))
    table = {key: np.array(column) for key, column in columns.items()}
    who = {"annotator": np.array([name or "" for name in names], dtype=np.str_)}
    return {**who, "n_answers": np.array([state.n_answers[name] for name in names]), **table}


def pairwise_kappa(state: CleaningState) -> NDArray[np.float64]:
    """Cohen's kappa of every two annotators, over the rows that both gave a label for.

    Parameters
    ----------
    state : CleaningState
        The run's state.

    Returns
    -------
    ndarray of shape (n_annotators, n_annotators)
        In the order of `agreement`; NaN where both together used fewer than two classes.
    """
    names = sorted(state.n_answers, key=lambda name: name or "")
    own = [_labels_of(state, name) for name in names]
    table = np.full((len(names), len(names)), np.nan)
    for i, left in enumerate(own):
        for j, right in enumerate(own[: i + 1]):
            both = sorted(left.keys() & right.keys())
            a, b = (find_codes([s[r] for r in both], state.classes, name="") for s in (left, right))
            table[i, j] = table[j, i] = _kappa(a, b)
    return table


def _labels_of(state: CleaningState, name: str | None) -> dict[int, Any]:
    return {row: said[name] for row, said in state.answers.items() if said.get(name) is not None}


def _kappa(left: NDArray[np.intp], right: NDArray[np.intp]) -> float:
    if len(np.union1d(left, right)) < 2:
        return float("nan")
    return float(cohen_kappa_score(left, right))
