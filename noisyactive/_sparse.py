"""Sparse rows where distances between dense ones are computed."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn.random_projection import SparseRandomProjection

from ._arrays import naming
from ._samples import as_native

# Squared distances are kept to about sqrt(2 / 512), a sixteenth.
_N_DIMENSIONS = 512


def projected(X: Any, name: str = "X") -> NDArray[Any]:
    """Sparse rows as dense ones of few columns, at about the same distances.

    Rows of up to 512 columns become dense as they are, wider ones are projected at random [1]_,
    always in the same way for the same number of columns.

    Parameters
    ----------
    X : sparse matrix or array of shape (n_samples, n_features)
        Rows.
    name : str, default="X"
        What errors call them.

    Returns
    -------
    ndarray of shape (n_samples, min(n_features, 512))
        Finite numbers.

    Raises
    ------
    ValueError
        If values are not finite, or no numbers.

    References
    ----------
    .. [1] P. Li, T. J. Hastie, K. W. Church, "Very Sparse Random Projections", KDD 2006,
       https://doi.org/10.1145/1150402.1150436
    """
    rows = sparse.csr_array(X)
    if not np.isfinite(as_native(rows.data, name)).all():
        raise ValueError(f"{name} contains NaN or infinity.")
    if rows.shape[1] <= _N_DIMENSIONS or not rows.shape[0]:
        return rows[:, :_N_DIMENSIONS].toarray()
    projection = SparseRandomProjection(_N_DIMENSIONS, dense_output=True, random_state=0)
    with naming(name):
        dense: NDArray[Any] = projection.fit_transform(rows)
    return dense
