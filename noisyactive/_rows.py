"""Select rows of any kind of X."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import _safe_indexing
from torch.utils.data import Dataset, Subset


def take_rows(X: Any, rows: NDArray[np.intp]) -> Any:
    """Rows of an array, DataFrame, list, tensor or torch Dataset, in their order."""
    return Subset(X, rows.tolist()) if isinstance(X, Dataset) else _safe_indexing(X, rows)
