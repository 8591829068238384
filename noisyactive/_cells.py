"""Cells of CSV files that a spreadsheet must neither compute nor change."""

from __future__ import annotations

import io
import re
import unicodedata
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

_FORMULA = re.compile(r"[=+\-@\t\r\n]")
_CHANGED = re.compile(r"(?!(0|[1-9][0-9]{0,14})$)(?=.*\d)[\d.,:/eE+\-\s%]+")  # as numbers or dates


def guarded(text: str) -> str:
    """Protect a cell from a spreadsheet that would compute or change it; see `unguarded`."""
    return f"'{text}" if _is_risky(text.lstrip("'")) else text


def unguarded(text: str) -> str:
    """Undo `guarded`."""
    return text[1:] if text.startswith("'") and _is_risky(text.lstrip("'")) else text


def _is_risky(text: str) -> bool:
    # Spaces do not hide a formula, and a tab can start one; full-width marks count, too.
    starts = text[:1], unicodedata.normalize("NFKC", text.lstrip()[:1])
    return any(map(_FORMULA.match, starts)) or bool(_CHANGED.fullmatch(text))


def table_as_csv(table: pd.DataFrame) -> bytes:
    """A table as a CSV file in UTF-8, whose cells no spreadsheet takes for formulas.

    Parameters
    ----------
    table : DataFrame
        Text cells, names and index are guarded, numbers left as they are.

    Returns
    -------
    bytes
        One line of names, one for each row.
    """
    table = table.copy(deep=False)
    for name, column in table.select_dtypes(exclude=["number", "bool", "datetime"]).items():
        table[name] = column.astype(object).map(_guarded)
    names = [_guarded(name) for name in table.index.names]
    table.index = table.index.map(
        lambda key: tuple(map(_guarded, key)) if isinstance(key, tuple) else _guarded(key)
    )
    text = io.StringIO(newline="")
    # Only with this terminator does every version of Python quote a cell with "\r" in it.
    table.to_csv(text, index_label=names, lineterminator="\r\n")
    return text.getvalue().encode("utf-8", errors="backslashreplace")


def _guarded(cell: Any) -> Any:
    return guarded(cell) if isinstance(cell, str) else cell
