"""Checks of constructor parameters beyond scikit-learn's own."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from numbers import Integral, Number, Real
from typing import Any, TypeVar

import numpy as np
from sklearn.base import _fit_context
from sklearn.utils._param_validation import Interval, validate_parameter_constraints

Method = TypeVar("Method", bound=Callable[..., Any])


def fit_context(*, prefer_skip_nested_validation: bool) -> Callable[[Method], Method]:
    """scikit-learn's `_fit_context`, without hiding the signature of `fit` from type checkers.

    Parameters
    ----------
    prefer_skip_nested_validation : bool
        As in scikit-learn.

    Returns
    -------
    callable
        The decorator.
    """
    return _fit_context(prefer_skip_nested_validation=prefer_skip_nested_validation)


class CheckedParams:
    """Mix-in of estimators whose ``_parameter_constraints`` `check_params` checks."""

    _parameter_constraints: dict[str, list[Any]]

    def _validate_params(self) -> None:
        params = self.get_params(deep=False)  # type: ignore[attr-defined]
        check_params(params, self._parameter_constraints, type(self).__name__)


def check_params(
    params: Mapping[str, Any], constraints: Mapping[str, list[Any]], owner: str
) -> None:
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
    for name, value in params.items():
        odd = isinstance(value, Number) and not isinstance(value, (int, float, np.number))
        if odd and _is_number(constraints, name):  # a fraction, which scikit-learn trips over
            raise ValueError(f"The {name!r} parameter of {owner} must be an int or a float.")
    validate_parameter_constraints(dict(constraints), dict(params), caller_name=owner)
    for name, value in params.items():
        if not _is_number(constraints, name):
            continue
        if isinstance(value, bool):
            raise ValueError(f"The {name!r} parameter of {owner} must be a number, got {value!r}.")
        if isinstance(value, Integral) and abs(int(value)) > np.iinfo(np.int64).max:
            raise ValueError(f"The {name!r} parameter of {owner} is too large, got {value!r}.")
        if isinstance(value, Real) and not math.isfinite(value):
            raise ValueError(f"The {name!r} parameter of {owner} must be finite, got {value!r}.")


def _is_number(constraints: Mapping[str, list[Any]], name: str) -> bool:
    return any(isinstance(one, Interval) for one in constraints.get(name, []))


def check_processes(params: Mapping[str, Any], model: Any) -> None:
    """Refuse what would let the processes of a launch take different steps, and wait forever.

    Parameters
    ----------
    params : mapping of str to object
        Parameters of what trains models.
    model : estimator
        The model, whose `accelerator` tells of several processes.

    Raises
    ------
    ValueError
        If there are several and a parameter is not as they need it.
    """
    n_processes = getattr(getattr(model, "accelerator", None), "num_processes", 1)
    if n_processes == 1:
        return
    needed: dict[str, tuple[str, Callable[[Any], bool]]] = {
        "random_state": ("an int", lambda value: isinstance(value, Integral)),
        "journal": ("None", lambda value: value is None),
        "n_jobs": ("None or 1", lambda value: value in (None, 1)),
    }
    for name, (what, is_so) in needed.items():
        if name in params and not is_so(params[name]):
            raise ValueError(
                f"{name} must be {what}: the accelerator of {type(model).__name__} has "
                f"{n_processes} processes, and each of them takes all steps; got {params[name]!r}."
            )
