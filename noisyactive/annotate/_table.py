"""A CSV file that shows the items of a run."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Collection, Sequence

from .._files import as_path
from ._look import Look
from ._spreadsheet import read_records

ID = "id"


def table_look(
    path: str | os.PathLike[str], items: Sequence[str], *, text: Collection[str] = ()
) -> Look:
    """Make a function that shows the line of a CSV file that belongs to an item.

    Parameters
    ----------
    path : path
        The file, in UTF-8, UTF-16 or Windows code page 1252; its first line names the columns. Its
        column ``id`` holds ids of items; without one, there is a line for each item, in the order
        of the run's rows.
    items : sequence of str of length n_samples
        Ids of the run, by row.
    text : collection of str, default=()
        Columns to show as text, and no others. Empty shows all columns as a table, but not ``id``.

    Returns
    -------
    callable
        ``look(row, item)`` returns the text, or names and cells; None for an item without a line.

    Raises
    ------
    ValueError
        If it is no such file, an id is there twice, no item is in it, or a column is missing.
    OSError
        If it cannot be read.
    """
    names, lines = read_records(as_path(path, "table"))
    if unknown := [name for name in text if name not in names]:
        raise ValueError(f"{path} has no column {unknown[0]!r}; it has {', '.join(names)}.")
    if ID in names:
        place = names.index(ID)
        line_of = {line[place]: line for line in lines}
        if len(line_of) < len(lines):
            [(twice, _)] = Counter(line[place] for line in lines).most_common(1)
            raise ValueError(f"{path} has the id {twice!r} twice.")
        if not line_of.keys() & set(items):
            raise ValueError(f"{path} has no line whose {ID} is that of an item, as {items[0]!r}.")
    elif len(lines) == len(items):
        line_of = dict(zip(items, lines, strict=True))
    else:
        raise ValueError(
            f"{path} has {len(lines)} lines for {len(items)} items, and no column {ID!r} that says "
            "which is which."
        )
    shown = [name for name in names if (name in text if text else name != ID)]
    places = [names.index(name) for name in shown]

    def look(row: int, item: str) -> dict[str, str] | list[str] | None:
        if item not in line_of:
            return None
        cells = [line_of[item][place] for place in places]
        if len(text) == 1:
            return cells
        return dict(zip(shown, cells, strict=True))

    return look
