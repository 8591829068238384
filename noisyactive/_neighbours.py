"""Class probabilities from the labels of similar samples, cross-fitted like the classifiers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn import config_context
from sklearn.neighbors import NearestNeighbors
from sklearn.preprocessing import StandardScaler, normalize
from threadpoolctl import threadpool_info, threadpool_limits

from ._rows import RowsOf, as_rows
from ._samples import for_estimator

# Votes of this many say little more than those of half or twice as many.
_N_NEIGHBOURS = 30
# Of more rows, so many evenly spaced ones vote: time is linear in the rows from there on. On two
# sets of image features, half as many tell wrong labels from right ones worse, by about .01 of
# the area under the curve. Cells by k-means lose 30% of the neighbours for two thirds of the time.
_MAX_VOTERS = 30_000
# Beyond these, the search would take longer than training does, and a copy of X too much memory.
_MAX_FEATURES = 5000
_MAX_VALUES = 2**27
# Neighbours, and megabytes of distances and of rows, that are in memory at a time.
_BLOCK = 2**20
_MEGABYTES = 128


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
        if sparse.issparse(features):
            features = normalize(features)  # compared by the angle between them
        self.folds = folds
        votes = _voters(folds)
        n_folds, sizes = int(folds.max()) + 1, np.bincount(folds).tolist()
        #: For each fold, its samples and then the voters outside it, ...
        self.rows = [
            np.append(np.flatnonzero(folds == fold), np.flatnonzero(votes & (folds != fold)))
            for fold in range(n_folds)
        ]
        #: ... and for each of these, the nearest voters outside the fold, never the sample itself.
        self.indices = [
            np.empty((len(rows), min(_N_NEIGHBOURS, max(len(rows) - size - 1, 1))), dtype=np.int32)
            for rows, size in zip(self.rows, sizes, strict=True)
        ]
        places = np.empty((n_folds, len(folds)), dtype=np.int32)
        for place, rows in zip(places, self.rows, strict=True):
            place[rows] = np.arange(len(rows))
        for fold, rows, nearest in _nearest_voters(features, folds, votes):
            indices = self.indices[fold]
            indices[places[fold, rows]] = nearest[:, : indices.shape[1]]

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
        for fold, (rows, indices) in enumerate(zip(self.rows, self.indices, strict=True)):
            outside = self.folds != fold
            frequency = np.bincount(codes[outside], minlength=n_classes) / outside.sum()
            n_inside = int((~outside).sum())
            inside, voters = rows[:n_inside], rows[n_inside:]
            weight = np.ones(len(codes))
            agreeing = (codes[indices[n_inside:]] == codes[voters, None]).sum(axis=1)
            weight[voters] = (agreeing + frequency[codes[voters]]) / (indices.shape[1] + 1)
            weight[verified] = 1
            proba[inside] = _shares(indices[:n_inside], codes, weight, frequency)
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
    # By blocks of rows: only the result is as large as the samples.
    step = max(1, _BLOCK // n_features)
    blocks = [slice(start, start + step) for start in range(0, len(array), step)]
    scaler = StandardScaler()
    for rows in blocks:
        block = _flat(array[rows])
        if np.isinf(block).any():
            return None
        scaler.partial_fit(block)
    scaled = np.empty((len(array), n_features), dtype=np.float32)
    for rows in blocks:
        scaled[rows] = scaler.transform(_flat(array[rows]))
    return np.nan_to_num(scaled, copy=False)  # missing values are average


def _flat(array: NDArray[Any]) -> NDArray[np.float64]:
    return array.reshape(len(array), -1).astype(np.float64)


def _voters(folds: NDArray[np.intp]) -> NDArray[np.bool_]:
    """Rows whose labels are votes: all, or evenly spaced ones of each fold if they are too many."""
    share = _MAX_VOTERS / len(folds)
    if share >= 1:
        return np.ones(len(folds), dtype=bool)
    votes = np.zeros(len(folds), dtype=bool)
    for fold in range(folds.max() + 1):
        members = np.flatnonzero(folds == fold)
        n_kept = int(np.ceil(share * len(members)))
        votes[members[np.arange(n_kept) * len(members) // n_kept]] = True
    return votes


def _nearest_voters(
    features: Any, folds: NDArray[np.intp], votes: NDArray[np.bool_]
) -> Iterator[tuple[int, NDArray[np.intp], NDArray[np.intp]]]:
    """For each fold, the nearest voters outside it of its rows, and of the voters outside it.

    Each fold is searched once, and what was found in several is merged.

    Yields
    ------
    fold : int
        A fold.
    rows : ndarray of int of shape (n_rows,)
        Some of the rows.
    nearest : ndarray of int of shape (n_rows, n_neighbours)
        Voters outside the fold, the nearest first. The row itself comes last, where it is one.
    """
    every = np.arange(folds.max() + 1)
    voters = [np.flatnonzero(votes & (folds == fold)) for fold in every]
    step = max(256, _BLOCK // (len(every) * _N_NEIGHBOURS))
    searches = [
        NearestNeighbors(n_neighbors=min(_N_NEIGHBOURS + 1, len(one))).fit(features[one])
        for one in voters
    ]
    others = [(np.flatnonzero(~votes & (folds == fold)), every == fold) for fold in every]
    for rows, judged in [(np.flatnonzero(votes), every >= 0), *others]:
        # Of voters each fold is asked, of others all but their own.
        asked = every if judged.sum() > 1 else every[~judged]
        for start in range(0, len(rows), step):
            part = rows[start : start + step]
            with _same_with_any_threads(len(part)):
                found = [searches[fold].kneighbors(features[part]) for fold in asked]
            far = np.concatenate([distances for distances, _ in found], axis=1)
            near = np.concatenate(
                [voters[fold][places] for fold, (_, places) in zip(asked, found, strict=True)],
                axis=1,
            )
            far[near == part[:, None]] = np.inf
            of_fold = folds[near[0]]
            for fold in every[judged]:
                outside = of_fold != fold
                order = far[:, outside].argsort(axis=1, kind="stable")[:, :_N_NEIGHBOURS]
                yield fold, part, np.take_along_axis(near[:, outside], order, axis=1)


@contextmanager
def _same_with_any_threads(n_queries: int) -> Iterator[None]:
    """Searches in which the order of equally near ones does not depend on the number of threads.

    scikit-learn's quick search is such a one if it shares out the queries among threads and not the
    candidates: for more than 1,024 queries a thread.
    """
    threads = [one["num_threads"] for one in threadpool_info() if one["user_api"] == "openmp"]
    limit = min([*threads, max(1, (n_queries - 1) // 1024)])
    options = {"enable_cython_pairwise_dist": True, "working_memory": _MEGABYTES}
    with threadpool_limits(limit, user_api="openmp"), config_context(**options):
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
