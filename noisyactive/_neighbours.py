"""Class probabilities from the labels of similar samples, cross-fitted like the classifiers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn import config_context
from sklearn.neighbors import NearestNeighbors
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_info, threadpool_limits

from ._rows import RowsOf, as_rows
from ._samples import for_estimator

# Votes of this many say little more than those of half or twice as many.
_N_NEIGHBOURS = 30
# Beyond these, brute force would take longer than training does, and a copy of X too much memory.
_MAX_CANDIDATES = 20_000
_MAX_FEATURES = 5000
_MAX_VALUES = 2**27
# Distances that are in memory at a time.
_MEGABYTES = 128
# Queries from which on the quick search is used, with up to 15 threads.
_MANY = 2**14


class Neighbours:
    """The most similar samples of other folds, for every sample.

    Parameters
    ----------
    features : ndarray or sparse matrix of shape (n_samples, n_features)
        What distances are measured between, as `comparable` returns it.
    folds : ndarray of int of shape (n_samples,)
        Fold of each sample, from 0.
    """

    def __init__(self, features: Any, folds: NDArray[np.intp]):
        self.folds = folds
        #: For each fold, the neighbours outside it of all samples; never the sample itself.
        self.indices = [_nearest_outside(features, folds == fold) for fold in range(max(folds) + 1)]

    def proba(
        self, codes: NDArray[np.intp], verified: NDArray[np.bool_], n_classes: int
    ) -> NDArray[np.float64]:
        """Estimate class probabilities from the neighbours' labels.

        A neighbour's label counts as far as its own neighbours agree with it, and in full where it
        was verified. No label of a sample's fold takes part in its estimate, nor in how far other
        labels count for it.

        Parameters
        ----------
        codes : ndarray of int of shape (n_samples,)
            Labels, encoded.
        verified : ndarray of bool of shape (n_samples,)
            Whether an expert gave the label.
        n_classes : int
            Classes.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            Shares of the votes; the frequencies of the classes count as one vote.
        """
        proba = np.empty((len(codes), n_classes))
        for fold, indices in enumerate(self.indices):
            inside, outside = np.flatnonzero(self.folds == fold), np.flatnonzero(self.folds != fold)
            frequency = np.bincount(codes[outside], minlength=n_classes) / len(outside)
            weight = np.ones(len(codes))
            agreeing = (codes[indices[outside]] == codes[outside, None]).sum(axis=1)
            weight[outside] = (agreeing + frequency[codes[outside]]) / (indices.shape[1] + 1)
            weight[verified] = 1
            proba[inside] = _shares(indices[inside], codes, weight, frequency)
        return proba


def comparable(X: Any) -> Any:
    """Samples as rows of numbers that distances can be measured between.

    Parameters
    ----------
    X : object of length n_samples
        Samples.

    Returns
    -------
    ndarray, sparse matrix or None
        Of shape (n_samples, n_features): an array of numbers, flattened and standardised; a sparse
        matrix as it is. None for anything else, and for more than 5,000 features or 2**27 numbers
        that are not sparse.
    """
    if sparse.issparse(X):
        return sparse.csr_matrix(X)
    X = as_rows(X)
    columns = np.atleast_1d(getattr(X, "dtypes", []))
    if any(getattr(dtype, "kind", "O") not in "biuf" for dtype in columns):
        return None
    if hasattr(X, "detach"):
        X = for_estimator(X)
    if isinstance(X, Sequence) or not hasattr(X, "__array__"):  # skorch's slices read files
        return None
    array = X if isinstance(X, RowsOf) else np.asarray(X)  # which are not read if they are too many
    if array.dtype.kind not in "biuf" or array.ndim < 2:
        return None
    n_features = int(np.prod(array.shape[1:]))
    if n_features > _MAX_FEATURES or n_features * len(array) > _MAX_VALUES:
        return None
    array = np.asarray(array)
    array = array.reshape(len(array), -1).astype(np.float64)
    if np.isinf(array).any():
        return None
    scaled = StandardScaler().fit_transform(array).astype(np.float32)
    return np.nan_to_num(scaled, copy=False)  # missing values are average


def _nearest_outside(features: Any, inside: NDArray[np.bool_]) -> NDArray[np.int32]:
    """Rows outside a fold that are nearest to each sample, of shape (n_samples, n_neighbours)."""
    candidates = np.flatnonzero(~inside)
    step = -(-len(candidates) // _MAX_CANDIDATES)
    candidates = candidates[::step]
    n_wanted = min(_N_NEIGHBOURS, max(len(candidates) - 1, 1))
    search = NearestNeighbors(n_neighbors=min(n_wanted + 1, len(candidates)))
    if sparse.issparse(features):
        search.set_params(metric="cosine")
    search.fit(features[candidates])
    with _same_with_any_threads(features.shape[0]):
        found = search.kneighbors(features, return_distance=False)
    rows = candidates[found]
    # A sample is no neighbour of its own: it goes last, and the last is left out.
    own = np.argsort(rows == np.arange(len(rows))[:, None], axis=1, kind="stable")
    return np.take_along_axis(rows, own, axis=1)[:, :n_wanted].astype(np.int32)


@contextmanager
def _same_with_any_threads(n_queries: int) -> Iterator[None]:
    """Searches in which the order of equally near ones does not depend on the number of threads.

    scikit-learn's quick search is such a one if it shares out the queries among threads and not the
    candidates: for more than 1,024 queries a thread. It takes a sixth of the time of the other.
    """
    quick = n_queries >= _MANY
    with ExitStack() as stack:
        if quick:
            threads = [
                one["num_threads"] for one in threadpool_info() if one["user_api"] == "openmp"
            ]
            limit = min([*threads, (n_queries - 1) // 1024])
            stack.enter_context(threadpool_limits(limit, user_api="openmp"))
        options = {"enable_cython_pairwise_dist": quick, "working_memory": _MEGABYTES}
        stack.enter_context(config_context(**options))
        yield


def _shares(
    indices: NDArray[np.int32],
    codes: NDArray[np.intp],
    weight: NDArray[np.float64],
    frequency: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Each class's share of weighted votes, of shape (len(indices), n_classes)."""
    n_rows, n_classes = len(indices), len(frequency)
    cells = np.arange(n_rows)[:, None] * n_classes + codes[indices]
    counted = np.bincount(cells.ravel(), weight[indices].ravel(), minlength=n_rows * n_classes)
    votes: NDArray[np.float64] = counted.reshape(n_rows, n_classes) + frequency
    return votes / votes.sum(axis=1, keepdims=True)
