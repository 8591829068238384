"""What tables about samples have in common."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._labels import find_classes
from .._like import row_index


def names_of(values: Any, name: str, n_samples: int) -> tuple[NDArray[Any], NDArray[np.intp]]:
    """Distinct values and their codes, one for each sample."""
    classes, codes = find_classes(values, name=name)
    if len(codes) != n_samples:
        raise ValueError(f"{name} must be of shape ({n_samples},), one for each sample of X, got "
                         f"{len(codes)}.")  # fmt: skip
    return classes, codes


def length_of(X: Any) -> int:
    """Number of samples, of which there must be some."""
    n_samples = int(X.shape[0]) if hasattr(X, "shape") else len(X)
    if not n_samples:
        raise ValueError("X holds no samples.")
    return n_samples


def index_of(X: Any, y: Any, n_samples: int) -> Any:
    """The index of `y`, or of `X`, or row numbers."""
    import pandas as pd

    index = row_index(y, X)
    return pd.RangeIndex(n_samples) if index is None else index


def labels_of(classes: NDArray[Any], codes: NDArray[np.intp], rows: Any = slice(None)) -> Any:
    """Labels of rows as a categorical column."""
    import pandas as pd

    return pd.Categorical.from_codes(codes[rows], pd.Index(classes))
