"""The nearest rows of numbers: exact where that is quick, else by an index if faiss is there."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn.neighbors import NearestNeighbors

# Up to as many rows, comparing all with all takes less than half a minute of one core.
MAX_EXACT_ROWS = 50_000


def nearest(
    features: Any, queries: Any, n: int, *, max_exact_rows: int = MAX_EXACT_ROWS
) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """Find the rows that are nearest to others, by Euclidean distance.

    Parameters
    ----------
    features : ndarray or CSR matrix of shape (n_samples, n_features)
        Rows to find; finite numbers.
    queries : ndarray or CSR matrix of shape (n_queries, n_features), or None
        What they shall be near to. None: each of `features`, which is no neighbour of its own.
    n : int
        Neighbours of each; fewer where there are not as many.
    max_exact_rows : int, default=50,000
        All pairs are compared if there are at most the square of this many.

    Returns
    -------
    distances : ndarray of shape (n_queries, n)
        Ascending.
    indices : ndarray of int of shape (n_queries, n)
        Rows of `features`.

    Notes
    -----
    More pairs of dense rows go through an HNSW graph [1]_ of faiss [2]_ if it can be imported (the
    extra ``neighbours``). Without it, and for sparse rows, all pairs are compared in blocks,
    however long that takes.

    References
    ----------
    .. [1] Y. A. Malkov, D. A. Yashunin, "Efficient and Robust Approximate Nearest Neighbor Search
       Using Hierarchical Navigable Small World Graphs", IEEE Transactions on Pattern Analysis and
       Machine Intelligence, 2020, https://doi.org/10.1109/TPAMI.2018.2889473
    .. [2] M. Douze et al., "The Faiss Library", 2024, https://doi.org/10.48550/arXiv.2401.08281
    """
    own = queries is None
    queries = features if own else queries
    n = min(n, features.shape[0] - own)
    if n < 1:
        empty = (queries.shape[0], 0)
        return np.empty(empty), np.empty(empty, dtype=np.intp)
    many = features.shape[0] * queries.shape[0] > max_exact_rows**2
    if many and not sparse.issparse(features) and find_spec("faiss") is not None:
        distances, indices = _by_graph(features, queries, n + own)
    else:
        distances, indices = _by_all_pairs(features, queries, n + own)
    if own:
        # Not always the first: others may be equal. It goes last, and the last is left out.
        order = np.argsort(indices == np.arange(len(indices))[:, None], axis=1, kind="stable")
        distances = np.take_along_axis(distances, order, axis=1)[:, :n]
        indices = np.take_along_axis(indices, order, axis=1)[:, :n]
    return distances, indices


def _by_all_pairs(features: Any, queries: Any, n: int) -> tuple[Any, Any]:
    search = NearestNeighbors(n_neighbors=n, algorithm="brute").fit(features)
    distances, indices = search.kneighbors(queries)
    # The order of equally near ones must not depend on the number of threads.
    order = np.lexsort((indices, distances), axis=1)
    distances = np.take_along_axis(distances, order, axis=1).astype(np.float64)
    return distances, np.take_along_axis(indices, order, axis=1).astype(np.intp)


def _by_graph(features: Any, queries: Any, n: int) -> tuple[Any, Any]:
    import faiss

    index = faiss.IndexHNSWFlat(features.shape[1], 32)
    index.hnsw.efConstruction = 100
    index.hnsw.efSearch = max(128, 2 * n)
    index.add(np.ascontiguousarray(features, dtype=np.float32))
    squared, indices = index.search(np.ascontiguousarray(queries, dtype=np.float32), n)
    return np.sqrt(np.maximum(squared, 0).astype(np.float64)), indices.astype(np.intp)
