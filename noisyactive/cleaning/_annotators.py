"""Aggregate the answers of several annotators, and measure their agreement."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from itertools import count
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import cohen_kappa_score

from .._codes import find_codes
from ..journal import CleaningState, Settled
from ._answer_model import Answers, learn_from_answers, with_answers

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


def settle(
    state: CleaningState, aggregate: str | Aggregate, prior: NDArray[np.float64] | None = None
) -> Settled | None:
    """Aggregate the answers to rows that enough annotators have answered for.

    Parameters
    ----------
    state : CleaningState
        The run's state. Not changed.
    aggregate : {"majority", "model"} or callable
        Called with the labels of one row, in the order of the annotators' names.
    prior : ndarray of shape (n_samples, n_classes), default=None
        What "model" believes of the true classes before any answer; None: as often as each class
        was given.

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
    rows = tuple(sorted(state.unsettled))
    if aggregate == "model":
        return Settled(rows, _by_model(state, rows, prior))
    decide = majority if isinstance(aggregate, str) else aggregate
    outcomes = []
    for row in rows:
        said = sorted(state.answers[row].items(), key=lambda item: item[0] or "")
        outcomes.append(decide([label for _, label in said if label is not None]))
    given = [label for label in outcomes if label is not None]
    known = iter(state.classes[find_codes(given, state.classes, name="aggregate")].tolist())
    return Settled(rows, tuple(None if label is None else next(known) for label in outcomes))


def _by_model(
    state: CleaningState, rows: tuple[int, ...], prior: NDArray[np.float64] | None
) -> tuple[Any, ...]:
    """The most probable label of each row, or None where none has more than half of it."""
    answered = np.union1d(np.flatnonzero(state.verified), rows)
    if prior is None:
        counts = np.bincount(state.given_codes, minlength=len(state.classes)) + 1.0
        believed = np.tile(counts / counts.sum(), (len(answered), 1))
    else:
        believed = prior[answered]
    said = answers_of(state, answered)
    said = replace(said, rows=np.searchsorted(answered, said.rows))
    believed, error_rates = learn_from_answers(believed, [], state.given_codes[answered], said)
    posterior = with_answers(believed, error_rates, said)[np.searchsorted(answered, rows)]
    best = posterior.argmax(axis=1)
    sure = posterior[np.arange(len(rows)), best] > 0.5
    labels = state.classes[best].tolist()
    return tuple(label if yes else None for label, yes in zip(labels, sure, strict=True))


def answers_of(
    state: CleaningState, rows: NDArray[np.intp], drawn: NDArray[np.bool_] | None = None
) -> Answers:
    """What annotators said of some rows.

    Parameters
    ----------
    state : CleaningState
        The run's state.
    rows : ndarray of int of shape (n_rows,)
        Rows that were answered for with a label.
    drawn : ndarray of bool of shape (n_samples,), default=None
        Rows that chance picked. None: no row.

    Returns
    -------
    Answers
        One entry for each annotator's label of each row; annotators in the order of `n_answers`.
    """
    number = {name: n for n, name in enumerate(state.n_answers)}
    said = [
        (row, number[name], label)
        for row in rows.tolist()
        for name, label in state.answers[row].items()
        if label is not None
    ]
    at, who, labels = zip(*said, strict=True) if said else ((), (), ())
    index = np.array(at, dtype=np.intp)
    by_chance = np.zeros(len(index), dtype=bool) if drawn is None else drawn[index]
    codes = find_codes(labels, state.classes, name="answers")
    return Answers(index, np.array(who, dtype=np.intp), codes, by_chance)


def unused_name(state: CleaningState, rows: Iterable[int]) -> str:
    """A name under which none of the rows was answered."""
    taken = {name for row in rows for name in state.answers.get(row, ())}
    return next(name for n in count(1) if (name := f"oracle {n}") not in taken)


def agreement(state: CleaningState, error_rates: NDArray[np.float64]) -> dict[str, NDArray[Any]]:
    """How far each annotator agrees with the aggregated labels.

    Parameters
    ----------
    state : CleaningState
        The run's state.
    error_rates : ndarray of shape (n_known,)
        Estimated share of wrong answers, in the order of ``state.n_answers``, as far as known.

    Returns
    -------
    dict of ndarray of shape (n_annotators,)
        ``annotator`` (sorted; "" for answers without a name), ``n_answers`` (charged), ``n_labels``
        (verified rows that the annotator gave a label for), ``n_shared`` (those of them that
        another annotator gave a label for, too), ``agreement`` (share of the shared ones where it
        is the row's label now; NaN without any), ``kappa`` (Cohen's, of the two; NaN where there
        are fewer than two classes) and ``error_rate`` (the estimate; NaN where there is none).
    """
    names = sorted(state.n_answers, key=lambda name: name or "")
    own = {name: _labels_of(state, name) for name in names}
    columns: dict[str, list[Any]] = {"n_labels": [], "n_shared": [], "agreement": [], "kappa": []}
    n_said = Counter(row for labels in own.values() for row in labels)
    for name in names:
        verified = [row for row in own[name] if state.verified[row]]
        # Of a row that nobody else labelled, the label is this annotator's own.
        rows = np.array([row for row in verified if n_said[row] > 1], dtype=np.intp)
        given = find_codes([own[name][row] for row in rows], state.classes, name="answers")
        same = given == state.codes[rows]
        columns["n_labels"].append(len(verified))
        columns["n_shared"].append(len(rows))
        columns["agreement"].append(float(same.mean()) if len(rows) else np.nan)
        columns["kappa"].append(_kappa(given, state.codes[rows]))
    table = {key: np.array(column) for key, column in columns.items()}
    estimated = dict(zip(state.n_answers, error_rates.tolist(), strict=False))
    table["error_rate"] = np.array(
        [
            estimated.get(name, np.nan) if n_labels else np.nan
            for name, n_labels in zip(names, columns["n_labels"], strict=True)
        ]
    )
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
