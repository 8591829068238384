"""Single numbers and switches as users pass them; True is no number."""

from __future__ import annotations

import math
from numbers import Integral, Real
from typing import Any

import numpy as np

from ._arrays import described


def check_int(value: Any, name: str, least: int, most: int | None = None) -> int:
    """Check an int.

    Parameters
    ----------
    value : object
        What was passed.
    name : str
        What the error calls it.
    least : int
        Smallest int that is right.
    most : int, default=None
        Largest one; None for what fits an index.

    Returns
    -------
    int
        The int.

    Raises
    ------
    ValueError
        If it is anything else.
    """
    whole = isinstance(value, Integral) and not isinstance(value, bool)
    if not whole or not least <= value <= (2**63 - 1 if most is None else most):
        bounds = f"of at least {least}" if most is None else f"from {least} to {most}"
        raise ValueError(f"{name} must be an int {bounds}, got {described(value)}.")
    return int(value)


def check_switch(value: Any, name: str) -> bool:
    """Check a bool.

    Parameters
    ----------
    value : object
        What was passed.
    name : str
        What the error calls it.

    Returns
    -------
    bool
        The same.

    Raises
    ------
    ValueError
        If it is anything else.
    """
    if not isinstance(value, (bool, np.bool_)):
        raise ValueError(f"{name} must be True or False, got {described(value)}.")
    return bool(value)


def check_seconds(value: Any, name: str) -> float:
    """Check a duration.

    Parameters
    ----------
    value : object
        What was passed.
    name : str
        What the error calls it.

    Returns
    -------
    float
        The number.

    Raises
    ------
    ValueError
        If it is no finite number from 0 on.
    """
    number = isinstance(value, Real) and not isinstance(value, bool)
    if not number or not 0 <= float(value) < math.inf:
        raise ValueError(f"{name} must be a finite number from 0 on, got {described(value)}.")
    return float(value)


def check_share(value: Any, name: str) -> float:
    """Check a share of less than all.

    Parameters
    ----------
    value : object
        What was passed.
    name : str
        What the error calls it.

    Returns
    -------
    float
        The number.

    Raises
    ------
    ValueError
        If it is no number in [0, 1).
    """
    if isinstance(value, bool) or not isinstance(value, Real) or not 0 <= float(value) < 1:
        raise ValueError(f"{name} must be a number in [0, 1), got {described(value)}.")
    return float(value)
