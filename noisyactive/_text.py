"""Labels and other data as text that people read."""

from __future__ import annotations

from typing import Any
from unicodedata import category

_JOINERS = {"\u200c", "\u200d"}  # invisible, but some scripts and emoji need them


def label_text(label: Any) -> str:
    """Write a class label as text: 1.0 is "1"."""
    return str(label).removesuffix(".0") if isinstance(label, float) else str(label)


def is_visible(character: str) -> bool:
    """Whether a character is seen as it is, and does not change how others are shown."""
    return character.isprintable() or character in _JOINERS or category(character) == "Zs"


def visible(text: str) -> str:
    """A text whose invisible and control characters are written as escape sequences."""
    return "".join(c if c == "\n" or is_visible(c) else _spelled(c) for c in text)


def _spelled(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")
