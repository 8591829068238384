"""Numbers as people read them."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from .._html import NOTHING
from ._intervals import Interval

_MINUTE, _HOUR = 60, 3600


def count(number: float, one: str = "", many: str = "") -> str:
    """A whole number, and what it counts."""
    n = round(number)
    what = one if n == 1 else many or f"{one}s"
    return f"{n:,} {what}" if one else f"{n:,}"


def adding_up(parts: NDArray[np.float64], total: float) -> list[int]:
    """Whole numbers that add up to a rounded total: those with the largest fractions are raised.

    The method of largest remainders, of Hamilton.
    """
    found = np.floor(parts).astype(int)
    n_raised = max(round(total) - int(found.sum()), 0)
    found[np.argsort(found - parts, kind="stable")[:n_raised]] += 1
    return [int(number) for number in found]


def between(low: str, high: str) -> str:
    """An interval."""
    return f"{low} to {high}"


def share(found: Interval) -> str:
    """A share in per cent."""
    return NOTHING if math.isnan(found.value) else f"{found.value:.0%}"


def share_limits(found: Interval) -> str:
    """Limits of a share in per cent; "" if there are none."""
    if math.isnan(found.low):
        return ""
    return between(f"{100 * found.low:.0f}", f"{found.high:.0%}")


def share_with_limits(found: Interval) -> tuple[str, str]:
    """A share in per cent, and its limits."""
    return share(found), share_limits(found)


def score(found: Interval) -> str:
    """A score."""
    return NOTHING if math.isnan(found.value) else f"{found.value:.3f}"


def score_limits(found: Interval) -> str:
    """Limits of a score; "" if there are none."""
    return "" if math.isnan(found.low) else between(f"{found.low:.3f}", f"{found.high:.3f}")


def rounded(number: float) -> str:
    """A number, with a decimal if it is small."""
    return f"{number:.1f}" if number < 10 else f"{number:,.0f}"


def signed(number: float) -> str:
    """A number with its sign."""
    return f"{number:+.1f}".replace("-", "\N{MINUS SIGN}")


def duration(seconds: float) -> str:
    """A time."""
    if math.isnan(seconds):
        return NOTHING
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 2 * _MINUTE:
        return f"{seconds:.0f} s"
    if seconds < 2 * _HOUR:
        return f"{seconds / _MINUTE:.0f} min"
    return f"{seconds / _HOUR:.1f} h"
