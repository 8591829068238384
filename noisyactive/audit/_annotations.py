"""Labels of several annotators as a table: read, checked and encoded."""

from __future__ import annotations

from collections.abc import Hashable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .._arrays import as_array, described
from .._labels import find_classes, plain_numbers

if TYPE_CHECKING:
    import pandas as pd


def pivot_annotations(
    table: pd.DataFrame, *, item: str = "item", annotator: str = "annotator", label: str = "label"
) -> pd.DataFrame:
    """Make the table of labels that `AnnotatorConsensus` takes from one with a row for each label.

    Parameters
    ----------
    table : DataFrame of n_labels rows
        Labels of items by annotators.
    item, annotator, label : str, default="item", "annotator" and "label"
        What its columns are called. Rows without a label are left out.

    Returns
    -------
    DataFrame of shape (n_items, n_annotators)
        Labels as objects, None where an annotator did not label an item. Items and annotators are
        in the order of their first labels.

    Raises
    ------
    TypeError
        If `table` is no DataFrame.
    ValueError
        If a column is missing, an item or annotator has no name, or an annotator labelled an item
        twice.

    Examples
    --------
    >>> import pandas as pd
    >>> from noisyactive.audit import pivot_annotations
    >>> rows = [("a.png", "Ann", "cat"), ("a.png", "Bob", "dog"), ("b.png", "Ann", "cat")]
    >>> pivot_annotations(pd.DataFrame(rows, columns=["item", "annotator", "label"]))
    ... # doctest: +NORMALIZE_WHITESPACE
    annotator  Ann   Bob
    item
    a.png      cat   dog
    b.png      cat  None
    """
    import pandas as pd

    if not isinstance(table, pd.DataFrame):
        raise TypeError(f"table must be a DataFrame, got {described(table)}.")
    for name, column in (("item", item), ("annotator", annotator), ("label", label)):
        if not isinstance(column, Hashable) or column not in table.columns:
            raise ValueError(
                f"{name} must be a column of table, which has {list(table.columns)}, got "
                f"{described(column)}."
            )
    table = table[[item, annotator, label]]
    if table.shape[1] != 3:
        raise ValueError(f"table must have its columns once, got {list(table.columns)}.")
    table = table[table[label].notna()]
    if table[[item, annotator]].isna().any(axis=None):
        raise ValueError(f"Every label in table must have {item!r} and {annotator!r}.")
    if (twice := table.duplicated([item, annotator])).any():
        one, other = table.loc[twice, [item, annotator]].iloc[0]
        raise ValueError(
            f"table must hold one label of each item by each annotator; {annotator} {other!r} "
            f"labelled {item} {one!r} twice."
        )
    rows, items = pd.factorize(table[item])
    columns, annotators = pd.factorize(table[annotator])
    values = np.full((len(items), len(annotators)), None, dtype=object)
    values[rows, columns] = table[label].astype(object).to_numpy()
    return pd.DataFrame(
        values,
        index=pd.Index(items, name=item),
        columns=pd.Index(annotators, name=annotator),
        dtype=object,
    )


def has_annotators(y: Any) -> bool:
    """Whether labels are those of several annotators: of shape (n_samples, at least 2)."""
    shape = getattr(y, "shape", None)
    if shape is None and isinstance(y, (list, tuple)) and y:
        first = y[0]
        several = isinstance(first, (list, tuple)) or getattr(first, "shape", ()) != ()
        shape = (len(y), len(first)) if several else None
    return shape is not None and len(shape) == 2 and shape[1] >= 2


def not_one_hot(labels: Any, name: str) -> Any:
    """The same labels of several annotators; raise if they look like one-hot labels of one."""
    classes, codes, _, _ = encode_annotations(labels, name=name)
    if classes.tolist() == [0, 1] and ((codes >= 0).all() and (codes.sum(axis=1) == 1).all()):
        raise ValueError(
            f"{name} has a single 1 in every row, as one-hot labels, which are not supported: pass "
            f"{name}.argmax(axis=1) for labels of shape (n_samples,). Two columns and more are "
            "labels of several annotators."
        )
    return labels


def encode_annotations(
    labels: Any, *, name: str = "labels"
) -> tuple[NDArray[Any], NDArray[np.intp], NDArray[Any], Any]:
    """Check the labels of several annotators, and encode them.

    Parameters
    ----------
    labels : array-like or DataFrame of shape (n_samples, n_annotators)
        Labels, some of which are missing.
    name : str, default="labels"
        What errors call them.

    Returns
    -------
    classes : ndarray of shape (n_classes,)
        The sorted distinct labels.
    codes : ndarray of int of shape (n_samples, n_annotators)
        Index of each label in `classes`; -1 where there is none.
    names : ndarray of shape (n_annotators,)
        Names of the annotators.
    index : pandas Index or None
        Names of the samples, if they have some.

    Raises
    ------
    ValueError, TypeError
        If they are not such labels.
    """
    import pandas as pd

    names, index = None, None
    if isinstance(labels, pd.DataFrame):
        index, names = labels.index, labels.columns
        if not names.is_unique:
            twice = names[names.duplicated()][0]
            raise ValueError(f"{name} must have a column for each annotator; {twice!r} has two.")
        values = labels.to_numpy()
    elif isinstance(labels, (list, tuple)):
        # Of objects: NumPy would make the text "nan" of a NaN among texts.
        values = as_array(labels, name) if not labels else _of_objects(labels, name)
    else:
        values = as_array(labels, name)
    if values.ndim != 2 or not values.shape[1]:
        raise ValueError(
            f"{name} must be of shape (n_samples, n_annotators), got an array of shape "
            f"{values.shape}. pivot_annotations makes such a table from one row for each label."
        )
    given = ~pd.isna(values)
    if not given.any():
        raise ValueError(f"{name} holds no labels.")
    classes, present = find_classes(plain_numbers(values[given], name=name), name=name)
    codes = np.full(values.shape, -1, dtype=np.intp)
    codes[given] = present
    annotators = np.arange(values.shape[1]) if names is None else names.to_numpy()
    return classes, codes, annotators, index


def _of_objects(labels: Any, name: str) -> NDArray[Any]:
    """Rows of a sequence as an array of objects."""
    rows = [np.asarray(row, dtype=object) for row in labels]
    if len({row.shape for row in rows}) > 1:
        raise ValueError(f"{name} must have rows of the same length, one label per annotator.")
    return np.array(rows, dtype=object)
