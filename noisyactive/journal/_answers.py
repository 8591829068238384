"""Checks of ids, answers, and what comes with answers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from numbers import Integral, Real
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._arrays import as_list, described
from .._codes import find_codes
from ._events import FLAGS


def check_ids(ids: Any, n_samples: int) -> NDArray[np.str_]:
    """Check the names of rows.

    Parameters
    ----------
    ids : array-like of str of shape (n_samples,) or None
        Non-empty strings that differ; None for row numbers as text.
    n_samples : int
        Rows of the data set.

    Returns
    -------
    ndarray of str of shape (n_samples,)
        The names.

    Raises
    ------
    ValueError
        If they are not as described.
    """
    if ids is None:
        return np.arange(n_samples).astype(np.str_)
    names = as_list(ids, "ids", "strings")
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


def rows_of(rows: Any, find: Callable[[list[str]], list[int | None]], known: str) -> Any:
    """Row numbers, where rows are given by their ids.

    Parameters
    ----------
    rows : array-like of int or str of shape (n_rows,)
        Rows, or their ids.
    find : callable
        ``find(ids)`` returns the row of each id, None for an unknown one.
    known : str
        Where ids are listed, for the error.

    Returns
    -------
    array-like of shape (n_rows,)
        Row numbers.

    Raises
    ------
    ValueError
        If an id is unknown.
    """
    names = as_list(rows, "rows", "row numbers or ids")
    if not any(isinstance(name, str) for name in names):
        return names
    found = find(names)
    if unknown := [name for name, row in zip(names, found, strict=True) if row is None]:
        raise ValueError(f"rows must be row numbers, or ids {known}, got {unknown[:5]}.")
    return found


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
    check_annotator(annotator)
    if annotator is None and answers_per_item > 1:
        raise ValueError(
            f"annotator must be named, since answers_per_item={answers_per_item} asks several."
        )
    seconds = None if seconds is None else as_list(seconds, "seconds")
    comments = None if comments is None else as_list(comments, "comments")
    for name, values in (("seconds", seconds), ("comments", comments)):
        if values is not None and len(values) != n_rows:
            raise ValueError(f"{name} must have one entry for each of the {n_rows} rows.")
    texts = comments or []
    if wrong := [text for text in texts if text is not None and not isinstance(text, str)]:
        raise ValueError(f"comments must be strings or None, got {wrong[0]!r}.")
    _check_text("annotator and comments", [annotator or "", *(text or "" for text in texts)])
    times: list[float | None] = []
    for value in seconds or []:
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


def check_flag(flag: Any, labels: Sequence[Any]) -> None:
    """Raise a ValueError unless it is a flag that answers with such labels may have."""
    if not isinstance(flag, str) or flag not in FLAGS:
        raise ValueError(f"flag must be one of {list(FLAGS)}, got {described(flag)}.")
    if flag == "unusable" and any(label is not None for label in labels):
        raise ValueError("answers must be None for what is unusable.")


def check_annotator(annotator: Any) -> None:
    """Raise a ValueError unless it is the name of an annotator, or None."""
    if annotator is not None and (not isinstance(annotator, str) or not annotator):
        raise ValueError(
            f"annotator must be a non-empty string or None, got {described(annotator)}."
        )


def _check_text(name: str, texts: list[str]) -> None:
    try:
        "".join(texts).encode()
    except UnicodeEncodeError as error:
        raise ValueError(f"{name} must be valid Unicode text: {error}.") from error


def check_rows(rows: Any, n_samples: int, *, name: str = "rows") -> NDArray[np.intp]:
    """Check row numbers.

    Parameters
    ----------
    rows : array-like of int of shape (n_rows,)
        Rows.
    n_samples : int
        Rows there are.
    name : str, default="rows"
        What errors call them.

    Returns
    -------
    ndarray of int of shape (n_rows,)
        The rows.
    """
    listed = as_list(rows, name, "row numbers")
    whole = (isinstance(row, Integral) and not isinstance(row, bool) for row in listed)
    if not all(whole):
        raise ValueError(f"{name} must be a list of row numbers, got {rows!r}.")
    if outside := [row for row in listed if not 0 <= row < n_samples]:
        raise ValueError(f"{name} must be from 0 to {n_samples - 1}, got {outside}.")
    return np.array(listed, dtype=np.intp)


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
    labels = as_list(answers, "answers", "labels and None")
    if unhashable := [label for label in labels if not isinstance(label, Hashable)]:
        raise ValueError(f"answers must be labels or None, got {unhashable[0]!r}.")
    index = check_rows(rows, n_samples)
    if len(index) != len(labels):
        raise ValueError(f"Got {len(labels)} answers for {len(index)} rows.")
    if len(np.unique(index)) < len(index):
        raise ValueError("rows must hold each row once; a row answered twice is ambiguous.")
    codes = find_codes([label for label in labels if label is not None], classes, name="answers")
    known = iter(classes[codes].tolist())
    return tuple(index.tolist()), tuple(None if x is None else next(known) for x in labels)
