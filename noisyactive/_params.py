"""Checks of constructor parameters beyond scikit-learn's own."""

from __future__ import annotations

import math
from collections.abc import Mapping
from numbers import Real
from typing import Any

from sklearn.utils._param_validation import Interval, validate_parameter_constraints


def check_params(params: Mapping[str, Any], constraints: Mapping[str, list[Any]], owner: str) -> None:
    """Raise if a parameter is not as its constraints say; True is no number, nor is infinity.

    Parameters
    ----------
    params : mapping of str to object
        Parameters.
    constraints : mapping of str to list
        scikit-learn's constraints.
    owner : str
        Whose parameters they are, for errors.

    Raises
    ------
    ValueError
        scikit-learn's ``InvalidParameterError``, or one that names the parameter.
    """
    validate_parameter_constraints(dict(constraints), dict(params), caller_name=owner)
    for name, value in params.items():
        if not any(isinstance(one, Interval) for one in constraints.get(name, [])):
            continue
        if isinstance(value, bool):
            raise ValueError(f"The {name!r} parameter of {owner} must be a number, got {value!r}.")
        if isinstance(value, Real) and not math.isfinite(value):
            raise ValueError(f"The {name!r} parameter of {owner} must be finite, got {value!r}.")
