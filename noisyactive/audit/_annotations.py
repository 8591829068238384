"""Labels of several annotators as a table."""

from __future__ import annotations

from collections.abc import Hashable
from typing import TYPE_CHECKING

import numpy as np

from .._arrays import described

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
        in the order of their first labels: ``X.loc[labels.index]`` are the samples in this order.

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
