"""The nearest rows of numbers: all are compared where that is quick, else faiss is asked."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn.neighbors import NearestNeighbors

# Rows up to which comparing all with all takes about 20 seconds of one core, with scikit-learn, ...
MAX_EXACT_ROWS = 50_000
# ... and with faiss two to three minutes.
MAX_EXACT_ROWS_FAISS = 200_000
_BLOCK = 1 << 12


def nearest(
    features: Any,
    queries: Any,
    n: int,
    *,
    max_exact_rows: int = MAX_EXACT_ROWS,
    max_exact_rows_faiss: int = MAX_EXACT_ROWS_FAISS,
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
        Up to the square of so many pairs, scikit-learn compares all.
    max_exact_rows_faiss : int, default=200,000
        Up to the square of so many, faiss does if it is there; beyond, its graph is searched.

    Returns
    -------
    distances : ndarray of shape (n_queries, n)
        Ascending.
    indices : ndarray of int of shape (n_queries, n)
        Rows of `features`.

    Notes
    -----
    Many dense rows are searched by faiss [2]_ if it can be imported (the extra ``neighbours``),
    most of all in an HNSW graph [1]_. Without it, and for sparse rows, scikit-learn compares all
    pairs in blocks, however long that takes.

    Ten neighbours of each of 100,000 rows of 64 numbers, on one core: clusters of 12 dimensions
    took 79 s with scikit-learn, 27 s with faiss, and 24 s with the graph, which found 99.98% of
    them. Normal data of 64 dimensions, the worst case, took 72 s, 38 s and 57 s; the graph found
    70%. What has no structure needs all comparisons.

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
    n_pairs = features.shape[0] * queries.shape[0]
    if n_pairs <= max_exact_rows**2 or sparse.issparse(features) or find_spec("faiss") is None:
        distances, indices = _by_scikit_learn(features, queries, n + own)
    else:
        as_graph = n_pairs > max_exact_rows_faiss**2
        distances, indices = _by_faiss(features, queries, n + own, as_graph=as_graph)
    if own:
        # Not always the first: others may be equal. It goes last, and the last is left out.
        order = np.argsort(indices == np.arange(len(indices))[:, None], axis=1, kind="stable")
        distances = np.take_along_axis(distances, order, axis=1)[:, :n]
        indices = np.take_along_axis(indices, order, axis=1)[:, :n]
    return distances, indices


def quick_rows() -> int:
    """So many rows are all compared with all in a few minutes at most."""
    return MAX_EXACT_ROWS if find_spec("faiss") is None else MAX_EXACT_ROWS_FAISS


def _by_scikit_learn(features: Any, queries: Any, n: int) -> tuple[Any, Any]:
    search = NearestNeighbors(n_neighbors=n, algorithm="brute").fit(features)
    return _in_order(*search.kneighbors(queries))


def _by_faiss(features: Any, queries: Any, n: int, *, as_graph: bool) -> tuple[Any, Any]:
    import faiss

    n_features = features.shape[1]
    index: Any = faiss.IndexFlatL2(n_features)
    if as_graph:
        index = faiss.IndexHNSWFlat(n_features, 16)
        index.hnsw.efConstruction = 80
        index.hnsw.efSearch = max(64, 2 * n)
    features = np.ascontiguousarray(features, dtype=np.float32)
    queries = np.ascontiguousarray(queries, dtype=np.float32)
    index.add(features)
    _, indices = index.search(queries, n)
    # A graph may find fewer than n, and says -1.
    if (lost := (indices < 0).any(axis=1)).any():
        indices[lost] = _by_scikit_learn(features, queries[lost], n)[1]
    distances = np.empty(indices.shape)
    # Its own distances are differences of large numbers, too rough for what is very near.
    for start in range(0, len(queries), _BLOCK):
        rows = slice(start, start + _BLOCK)
        for rank in range(n):
            apart = queries[rows] - features[indices[rows, rank]]
            distances[rows, rank] = np.linalg.norm(apart, axis=1)
    return _in_order(distances, indices)


def _in_order(distances: NDArray[Any], indices: NDArray[Any]) -> tuple[Any, Any]:
    """The nearest first, and of equally near ones that of the lowest number, with any threads."""
    order = np.lexsort((indices, distances), axis=1)
    distances = np.take_along_axis(distances, order, axis=1).astype(np.float64)
    return distances, np.take_along_axis(indices, order, axis=1).astype(np.intp)
