"""Cells of CSV files that a spreadsheet must neither compute nor change."""

from __future__ import annotations

import re
import unicodedata

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
