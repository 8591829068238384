"""Labels in the form in which a user passed others: the same type, dtype, index and name."""

from __future__ import annotations

import warnings
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._arrays import as_array


@dataclass(frozen=True, eq=False)
class LabelForm:
    """How labels were passed, without the labels.

    Parameters
    ----------
    dtype : dtype of NumPy or pandas
        Their type.
    index : pandas Index of length n_samples or None, default=None
        Index of a Series; None for an array.
    name : hashable, default=None
        Name of a Series.
    """

    dtype: Any
    index: Any = None
    name: Any = None


def form_of(y: Any) -> LabelForm:
    """Note in which form labels were passed.

    Parameters
    ----------
    y : array-like of shape (n_samples,)
        Valid labels: a Series or a DataFrame of one column, or anything that NumPy reads.

    Returns
    -------
    LabelForm
        That of a Series, or of the array that NumPy makes of them.
    """
    if hasattr(y, "iloc"):
        import pandas as pd

        column = y.iloc[:, 0] if isinstance(y, pd.DataFrame) else y
        if isinstance(column, pd.Series):
            return LabelForm(column.dtype, column.index, column.name)
    return LabelForm(as_array(y, "y").dtype)


def labels_like(form: LabelForm, classes: NDArray[Any], codes: NDArray[np.integer]) -> Any:
    """Decode labels to the form in which others were passed.

    Parameters
    ----------
    form : LabelForm
        The form.
    classes : ndarray of shape (n_classes,)
        Classes; all of them decide on the dtype, so that it does not depend on the codes.
    codes : ndarray of int of shape (n_samples,)
        Labels, as indices into `classes`.

    Returns
    -------
    ndarray or Series of shape (n_samples,)
        Memory of their own. The dtype is that of the form unless it cannot hold a class: then
        categories are added to a categorical one, and others become that of `classes`.
    """
    if form.index is None:
        return _held_by(classes, form.dtype)[codes]
    import pandas as pd

    labels = _series_of(classes, form.dtype)
    values = labels.array.take(codes)
    return pd.Series(values, index=form.index, name=form.name, dtype=labels.dtype, copy=False)


def row_index(*tables: Any) -> Any:
    """Index of the first of some objects that is one of pandas with an index; None without one."""
    if not any(hasattr(one, "iloc") for one in tables):
        return None
    import pandas as pd

    return next((one.index for one in tables if isinstance(one, (pd.Series, pd.DataFrame))), None)


def warn_of_order(X: Any, y: Any) -> None:
    """Warn where X and y are of pandas and have the same index in another order.

    Parameters
    ----------
    X, y : object
        Samples and labels, which are matched by position. An index with an entry twice is left
        alone: it does not tell which label is whose.

    Warns
    -----
    UserWarning
        If so.
    """
    samples, labels = row_index(X), row_index(y)
    if samples is None or labels is None or samples.equals(labels):
        return
    if len(samples) != len(labels) or samples.nlevels != labels.nlevels:
        return
    if samples.is_unique and labels.is_unique and labels.isin(samples).all():
        warnings.warn(
            "X and y have the same index in another order, and are matched by position: pass "
            "y.loc[X.index], or y.to_numpy() if y is in the order of X.",
            UserWarning,
            stacklevel=3,
        )


def _held_by(classes: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Classes in a type of NumPy's, or as they are where it cannot hold them all."""
    with suppress(TypeError, ValueError, OverflowError):
        labels = classes.astype(dtype)
        if np.array_equal(labels.astype(classes.dtype), classes):
            return labels
    return classes


def _series_of(classes: NDArray[Any], dtype: Any) -> Any:
    """Classes as a Series of a dtype, or of a wider one where it cannot hold them all."""
    import pandas as pd

    if isinstance(dtype, pd.CategoricalDtype):
        labels, known = pd.Series(classes).tolist(), dtype.categories.tolist()
        categories = list(dict.fromkeys([*known, *labels]))
        if len(categories) > len(known):
            dtype = pd.CategoricalDtype(categories, dtype.ordered)
        place = {label: code for code, label in enumerate(categories)}
        codes = [place[label] for label in labels]
        return pd.Series(pd.Categorical.from_codes(codes, dtype=dtype))
    with suppress(TypeError, ValueError, OverflowError):
        series = pd.Series(classes, dtype=dtype)
        if np.array_equal(np.asarray(series).astype(classes.dtype), classes):
            return series
    wider = pd.Series(classes)
    return wider if isinstance(dtype, np.dtype) else wider.convert_dtypes()
