"""Checks of the cleaner's parameters and data, and of answers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import indexable
from sklearn.utils.validation import _num_samples
from torch.utils.data import Dataset

from .._labels import find_classes, find_codes
from .._pipeline import last_step
from ..query import get_strategy
from ._policies import POLICIES

_RENAMED = {
    "trust": {"selected": "once", "reselect": "crossfit"},
    "pool": {"noisy": "untrusted"},
    "refit": {"tune": "fine_tune"},
}


def check_renamed(params: Any) -> None:
    """Refuse values from before a renaming, with their new names."""
    for name, renamed in _RENAMED.items():
        value = getattr(params, name)
        if isinstance(value, str) and value in renamed:
            raise ValueError(f'{name}="{value}" is called {name}="{renamed[value]}" now.')


def check_combinations(params: Any) -> None:
    """Raise a ValueError if parameters of the cleaner cannot be combined.

    Parameters
    ----------
    params : namespace
        The cleaner's parameters, each valid by itself.
    """
    policy = POLICIES[params.trust]
    if params.initial_fit == "none" and (params.pool == "untrusted" or policy.needs_first_fit):
        raise ValueError(
            'initial_fit="none" has no first phase that could trust labels: it needs '
            f'pool="unverified" and trust="verified", got pool={params.pool!r} and '
            f"trust={params.trust!r}."
        )
    policy.check(params)
    strategy = get_strategy(params.query_strategy)
    if strategy is not None and strategy.single_network and not policy.single_model:
        raise ValueError(
            f'query_strategy="{strategy.name}" needs one network; trust={params.trust!r} has '
            'several, trust="once" one.'
        )
    last = last_step(params.estimator)
    if params.refit == "continue" and not hasattr(last, "partial_fit"):
        raise ValueError(
            f'refit="continue" needs an estimator with partial_fit; {type(last).__name__} has none.'
        )
    if params.lower_forget_rate and (
        params.refit == "fine_tune"
        or params.initial_fit == "none"
        or not hasattr(last, "forget_rate")
    ):
        raise ValueError(
            'lower_forget_rate needs refit="continue" or "scratch", initial_fit="noisy", and '
            f"an estimator with forget_rate; got {type(last).__name__}, refit={params.refit!r} "
            f"and initial_fit={params.initial_fit!r}."
        )


def count_of(round_budget: int | float, n_samples: int) -> int:
    """Answers in a round: a count, or a share of the samples."""
    return int(round_budget) if round_budget >= 1 else max(1, round(round_budget * n_samples))


def check_round_budget(params: Any, n_answers: int) -> None:
    """Raise a ValueError if the answers of a round are not enough for one row."""
    if n_answers < params.answers_per_item:
        raise ValueError(
            f"round_budget={params.round_budget!r} is {n_answers} answers a round, fewer than "
            f"answers_per_item={params.answers_per_item}."
        )


@dataclass(frozen=True, eq=False)
class RunData:
    """Checked data of a run.

    Parameters
    ----------
    X : object of length n_samples
        Samples.
    classes : ndarray of shape (n_classes,)
        Sorted classes.
    codes : ndarray of int of shape (n_samples,)
        Given labels, as indices into `classes`.
    ids : ndarray of str of shape (n_samples,) or None
        Names of the rows; None for row numbers.
    groups : ndarray of shape (n_samples,) or None
        Samples that belong together.
    validation_data : tuple (X_val, y_val) or None
        What models are scored on.
    fit_params : mapping of str to object
        Parameters of the estimator's `fit`.
    """

    X: Any
    classes: NDArray[Any]
    codes: NDArray[np.intp]
    ids: NDArray[np.str_] | None
    groups: NDArray[Any] | None
    validation_data: tuple[Any, Any] | None
    fit_params: Mapping[str, Any]


def check_data(
    estimator: Any,
    X: Any,
    y: ArrayLike,
    y_clean: Any,
    *,
    ids: Any,
    groups: Any,
    validation_data: Any,
    fit_params: Mapping[str, Any],
) -> RunData:
    """Check everything that `ActiveLabelCleaner.fit` and `start` are given.

    Parameters
    ----------
    estimator : classifier
        Its parameter `classes`, or that of a pipeline's last step, names every possible label.
    X, y, y_clean, ids, groups, validation_data, fit_params
        As for `ActiveLabelCleaner.fit`.

    Returns
    -------
    RunData
        The same, checked.

    Raises
    ------
    ValueError, TypeError
        If something is not as described.
    """
    X = X if isinstance(X, Dataset) else indexable(X)[0]
    known = getattr(last_step(estimator), "classes", None)
    classes, codes = check_labels(X, y, known, y_clean)
    check_validation_data(validation_data, classes)
    return RunData(
        X=X,
        classes=classes,
        codes=codes,
        ids=None if ids is None else check_ids(ids, len(codes)),
        groups=check_groups(groups, len(codes)),
        validation_data=validation_data,
        fit_params=fit_params,
    )


def check_labels(
    X: Any, y: ArrayLike, known: Any, y_clean: Any
) -> tuple[NDArray[Any], NDArray[np.intp]]:
    """Check that there is a label for each sample, and find all classes.

    Parameters
    ----------
    X : object of length n_samples
        Samples.
    y : array-like of shape (n_samples,)
        Labels.
    known : array-like of shape (n_classes,) or None
        Every possible label; None takes those in `y` and `y_clean`.
    y_clean : array-like of shape (n_samples,) or None
        True labels.

    Returns
    -------
    classes : ndarray of shape (n_classes,)
        Sorted classes.
    codes : ndarray of int of shape (n_samples,)
        Labels as indices into `classes`; memory of their own.
    """
    present, codes = find_classes(y)
    if (n_samples := _num_samples(X)) != len(codes):
        raise ValueError(
            f"X and y have inconsistent lengths: {n_samples} samples, {len(codes)} labels."
        )
    classes = present
    if known is not None:  # a rare class may be missing from y
        classes = find_classes(known, name="estimator.classes")[0]
    elif y_clean is not None:
        clean = find_classes(y_clean, name="y_clean")[0]
        kinds = {present.dtype.kind, clean.dtype.kind}
        if len(kinds) > 1 and not kinds <= set("biuf"):  # numbers must not become strings
            present, clean = present.astype(object), clean.astype(object)
        classes = find_classes(np.concatenate([present, clean]), name="y and y_clean")[0]
    if len(classes) < 2:
        raise ValueError(f"y must hold at least 2 classes, got one class: {classes.tolist()}.")
    codes = find_codes(present.tolist(), classes, name="y")[codes]
    return classes, codes.astype(np.intp, copy=True)


def check_groups(groups: Any, n_samples: int) -> NDArray[Any] | None:
    """Group of each sample, of shape (n_samples,), or None."""
    if groups is None:
        return None
    groups = np.asarray(groups)
    if groups.shape != (n_samples,):
        raise ValueError(
            f"groups must be of shape ({n_samples},), one for each sample, got {groups.shape}."
        )
    return groups


def check_validation_data(validation_data: Any, classes: NDArray[Any]) -> None:
    """Check that it is None or a tuple (X_val, y_val) with labels that are known."""
    if validation_data is None:
        return
    if not isinstance(validation_data, tuple) or len(validation_data) != 2:
        raise TypeError("validation_data must be a tuple (X_val, y_val).")
    present, codes = find_classes(validation_data[1], name="y_val")
    find_codes(present.tolist(), classes, name="y_val")
    if (n_samples := _num_samples(validation_data[0])) != len(codes):
        raise ValueError(
            f"X_val and y_val have inconsistent lengths: {n_samples} samples, {len(codes)} labels."
        )


def check_ids(ids: Any, n_samples: int) -> NDArray[np.str_]:
    """Name of each row, of shape (n_samples,); row numbers as text if `ids` is None."""
    if ids is None:
        return np.arange(n_samples).astype(np.str_)
    names = ids.tolist() if isinstance(ids, np.ndarray) else list(ids)
    if wrong := [name for name in names if not isinstance(name, str) or not name]:
        raise ValueError(
            "ids must be non-empty strings, since an int would be taken for a row number; got "
            f"{wrong[0]!r}."
        )
    if len(names) != n_samples:
        raise ValueError(f"ids must name each of the {n_samples} samples, got {len(names)}.")
    if len(set(names)) < n_samples:
        twice = next(name for name, n in Counter(names).items() if n > 1)
        raise ValueError(f"ids must differ; {twice!r} is there twice.")
    array = np.array(names, dtype=np.str_)
    _check_text("ids", names)
    if array.tolist() != names:
        raise ValueError("ids must not end with NUL characters.")
    return array


def check_remarks(
    n_rows: int, answers_per_item: int, annotator: Any, seconds: Any, comments: Any
) -> tuple[str | None, tuple[float | None, ...], tuple[str | None, ...]]:
    """Check what comes with answers.

    Parameters
    ----------
    n_rows : int
        Rows that are answered for.
    answers_per_item : int
        Annotators who have to answer for a row.
    annotator : str or None
        Who answers.
    seconds : sequence of float of length n_rows or None
        Time spent on each row; None or NaN where it is not known.
    comments : sequence of str of length n_rows or None
        Remark on each row, or None.

    Returns
    -------
    annotator : str or None
        Who answers.
    seconds : tuple of float or None
        Empty if nothing was given.
    comments : tuple of str or None
        Empty if nothing was given.
    """
    if annotator is not None and (not isinstance(annotator, str) or not annotator):
        raise ValueError(f"annotator must be a non-empty string or None, got {annotator!r}.")
    if annotator is None and answers_per_item > 1:
        raise ValueError(
            f"annotator must be named, since answers_per_item={answers_per_item} asks several."
        )
    for name, values in (("seconds", seconds), ("comments", comments)):
        if values is not None and (np.ndim(values) != 1 or len(values) != n_rows):
            raise ValueError(f"{name} must have one entry for each of the {n_rows} rows.")
    texts = [] if comments is None else list(comments)
    if wrong := [text for text in texts if text is not None and not isinstance(text, str)]:
        raise ValueError(f"comments must be strings or None, got {wrong[0]!r}.")
    _check_text("annotator and comments", [annotator or "", *(text or "" for text in texts)])
    times: list[float | None] = []
    for value in [] if seconds is None else seconds:
        known = value is not None and value == value
        if known and (not isinstance(value, Real) or not 0 <= float(value) < np.inf):
            raise ValueError(f"seconds must be finite numbers from 0 on, or None, got {value!r}.")
        times.append(float(value) if known else None)
    given = [None if text is None else str(text) for text in texts]
    return (
        annotator,
        tuple(times) if any(value is not None for value in times) else (),
        tuple(given) if any(text is not None for text in given) else (),
    )


def _check_text(name: str, texts: list[str]) -> None:
    try:
        "".join(texts).encode()
    except UnicodeEncodeError as error:
        raise ValueError(f"{name} must be valid Unicode text: {error}.") from error


def check_answers(
    rows: Any, answers: Any, n_samples: int, classes: NDArray[Any]
) -> tuple[tuple[int, ...], tuple[Any, ...]]:
    """Check the answers to some rows.

    Parameters
    ----------
    rows : array-like of int of shape (n_rows,)
        Rows, each once.
    answers : sequence of length n_rows
        A label or None for each.
    n_samples : int
        Rows there are.
    classes : ndarray of shape (n_classes,)
        Labels there are.

    Returns
    -------
    rows : tuple of int
        The rows.
    answers : tuple
        For each, one of the classes, as a Python object, or None.
    """
    index = np.asarray(rows)
    if not isinstance(answers, Iterable) or isinstance(answers, str):
        raise ValueError(f"answers must be a sequence of labels and None, got {answers!r}.")
    labels = answers.tolist() if isinstance(answers, np.ndarray) else list(answers)
    if unhashable := [label for label in labels if not isinstance(label, Hashable)]:
        raise ValueError(f"answers must be labels or None, got {unhashable[0]!r}.")
    if index.ndim != 1 or (len(index) and index.dtype.kind not in "iu"):
        raise ValueError(f"rows must be a list of row numbers, got {rows!r}.")
    if len(index) != len(labels):
        raise ValueError(f"Got {len(labels)} answers for {len(index)} rows.")
    if len(outside := index[(index < 0) | (index >= n_samples)]):
        raise ValueError(f"rows must be from 0 to {n_samples - 1}, got {outside.tolist()}.")
    if len(np.unique(index)) < len(index):
        raise ValueError("rows must hold each row once; a row answered twice is ambiguous.")
    codes = find_codes([label for label in labels if label is not None], classes, name="answers")
    known = iter(classes[codes].tolist())
    return tuple(index.tolist()), tuple(None if x is None else next(known) for x in labels)
