"""Samples that are unlike all others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .._nearest import nearest
from .._numbers import check_int
from .._samples import check_samples
from .._typing import Samples
from ._contents import compared
from ._tables import index_of, labels_of, length_of, names_of

if TYPE_CHECKING:
    import pandas as pd

# Robust standard deviations from the typical log ratio; of normal data, few samples lie beyond.
_ODD = 4.5
# The score of those.
OUTLIER = 0.5
# Where distances are all alike, as on a grid or between copies, one a quarter longer is not odd.
_LEAST_SPREAD = 0.05
# An outlier is measured against so many times its neighbours: a few that resemble it hide nothing.
_WIDER = 10


def find_outliers(
    X: Samples, y: ArrayLike | None = None, *, n_neighbours: int = 10
) -> pd.DataFrame:
    """Find samples that are unlike all others.

    The mean distance to a sample's nearest neighbours is compared with that of the samples around,
    as the local outlier factor does [1]_. What it is compared with are ten times as many
    neighbours: a few outliers that resemble each other are found, too.

    Parameters
    ----------
    X : object of length n_samples
        Samples: rows of numbers, images, a sparse matrix, texts, or a Dataset of images.
    y : array-like of shape (n_samples,), default=None
        Labels, shown in the table; nothing is learned from them.
    n_neighbours : int, default=10
        Neighbours to which the distance is measured.

    Returns
    -------
    DataFrame of n_samples rows
        The oddest first, with the index of `y`, or of `X`, or row numbers. ``score``: from 0
        (typical) to 1 (infinitely far); it is z / (z + 4.5), of the number z of robust standard
        deviations from the median of the logarithmic ratio of distances. ``is_outlier``: whether
        it is above 0.5. ``label`` (categorical), where `y` is given.

    Raises
    ------
    ValueError, TypeError
        If a parameter is not as described, or samples cannot be compared.

    References
    ----------
    .. [1] M. M. Breunig, H.-P. Kriegel, R. T. Ng, J. Sander, "LOF: Identifying Density-Based Local
       Outliers", ACM SIGMOD Record, 2000, https://doi.org/10.1145/335191.335388

    Examples
    --------
    >>> import numpy as np
    >>> from noisyactive.audit import find_outliers
    >>> X = np.random.default_rng(0).normal(size=(200, 5))
    >>> X[7] = 9
    >>> find_outliers(X).query("is_outlier").index.tolist()
    [7]
    """
    import pandas as pd

    n_neighbours = check_int(n_neighbours, "n_neighbours", 1)
    check_samples(X)
    n_samples = length_of(X)
    if n_samples < 3:
        raise ValueError(f"X must hold at least 3 samples, got {n_samples}.")
    known = None if y is None else names_of(y, "y", n_samples)
    score = outlier_scores(compared(X).features, n_neighbours)
    order = np.argsort(-score, kind="stable")
    table = {"score": score[order], "is_outlier": score[order] > OUTLIER}
    if known is not None:
        table["label"] = labels_of(*known, order)
    return pd.DataFrame(table, index=index_of(X, y, n_samples)[order])


def outlier_scores(features: Any, n_neighbours: int = 10) -> NDArray[np.float64]:
    """Score how far rows are from others, as `find_outliers` describes.

    Parameters
    ----------
    features : ndarray or CSR matrix of shape (n_samples, n_features)
        At least 3 rows that Euclidean distances are measured between.
    n_neighbours : int, default=10
        Neighbours to which the distance is measured.

    Returns
    -------
    ndarray of shape (n_samples,)
        From 0 to 1; outliers are above `OUTLIER`.
    """
    distances, around = nearest(features, None, n_neighbours * _WIDER)
    far = distances[:, :n_neighbours].mean(axis=1)
    # Copies of a sample have no distance: a thousandth of the usual one has a logarithm.
    far = np.maximum(far, 1e-3 * np.median(far[far > 0])) if far.any() else np.ones(len(far))
    ratio = np.log(far / np.median(far[around], axis=1))
    above = ratio - np.median(ratio)
    # Deviations above only: samples inside dense places say nothing about the odd ones.
    spread = max(1.4826 * float(np.median(above[above >= 0])), _LEAST_SPREAD)
    deviations = np.maximum(above / spread, 0)
    return deviations / (deviations + _ODD)
