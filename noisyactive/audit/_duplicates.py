"""Samples that are there more than once, exactly or nearly."""

from __future__ import annotations

import math
from numbers import Real
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from scipy.special import betaincinv

from .._arrays import described
from .._nearest import nearest
from .._samples import check_samples
from .._typing import Samples
from ._contents import Contents, contents_of
from ._tables import index_of, labels_of, length_of, names_of

if TYPE_CHECKING:
    import pandas as pd

# The density around a sample is told from so many neighbours; a few copies of it do not hide it.
_N_NEIGHBOURS = 20
# Chance neighbours that are expected nearer than a near duplicate; in some ten dimensions and more,
# the share of the typical distance is the limit.
_CHANCE = 2e-3
_FAR_BELOW = 0.5


def find_duplicates(
    X: Samples,
    y: ArrayLike | None = None,
    *,
    groups: ArrayLike | None = None,
    split: ArrayLike | None = None,
    threshold: float | None = None,
) -> pd.DataFrame:
    """Find samples that are there more than once, exactly or nearly.

    Parameters
    ----------
    X : object of length n_samples
        Samples of any kind: arrays of rows or images, DataFrames, sparse matrices, texts, Datasets
        (read one by one, so that they must not change samples at random). Images keep their axes:
        as rows, their nearly constant pixels count as much as others, and noise in them hides near
        duplicates.
    y : array-like of shape (n_samples,), default=None
        Labels.
    groups : array-like of shape (n_samples,), default=None
        Samples that belong together, as images of one patient.
    split : array-like of shape (n_samples,), default=None
        Part of the data that each sample is in, as "train" and "test".
    threshold : float, default=None
        Distance below which samples are near duplicates, in the units of the column ``distance``.
        0 finds exact ones only. None: as the Notes say.

    Returns
    -------
    DataFrame
        A row for each sample that has a duplicate, set by set, with the index of `y`, or of `X`,
        or row numbers. ``set``: number of the set of duplicates, from 0; ``kind``: "exact" for
        samples that equal another one, else "near"; ``distance``: to the nearest other one of the
        set. Where `y` is given, ``label`` (categorical) and ``other_labels``: whether the set has
        different labels. Where `groups` or `split` is given, ``across_groups`` and
        ``across_split``: whether it has different ones of these.

    Raises
    ------
    ValueError, TypeError
        If a parameter is not as described; of a threshold, if X is of a kind without distances.

    See Also
    --------
    contradicting_rows : Similar samples with other labels.

    Notes
    -----
    Distances are Euclidean: between standardised columns, or between images averaged to at most
    16 x 16 pixels in units of the standard deviation of all of them. Sparse rows have cosine
    distances, and so have texts, as logarithmic counts of their pieces of 2 to 4 characters.
    DataFrames with text or categories, rows of more than 5,000 numbers and images of different
    sizes have none: only exact duplicates are found.

    Let r be the distance to the twentieth nearest sample that is not equal. If samples lie as
    densely nearby as within r, in d dimensions, 20 (s / r)^d of them are expected nearer than s. A
    pair is near if that is less than 0.002 for both, and s less than half of r. The dimension d is
    that in which r and the distance to the tenth are, typically, as they are [1]_: for all samples,
    or for those around where that is less. So no unit matters, and sets of up to five near
    duplicates do not hide themselves; in few dimensions chance makes close pairs, and only closer
    ones are found. Larger sets, and those of data that are nearly all near duplicates, need a
    `threshold`.

    References
    ----------
    .. [1] E. Facco, M. d'Errico, A. Rodriguez, A. Laio, "Estimating the Intrinsic Dimension of
       Datasets by a Minimal Neighborhood Information", Scientific Reports, 2017,
       https://doi.org/10.1038/s41598-017-11873-y

    Examples
    --------
    >>> from noisyactive.audit import find_duplicates
    >>> find_duplicates([[1, 2], [3, 4], [1, 2], [5, 7]], ["a", "a", "b", "b"])
       set   kind  distance label  other_labels
    0    0  exact       0.0     a          True
    2    0  exact       0.0     b          True
    """
    import pandas as pd

    if threshold is not None:
        _check_threshold(threshold)
    check_samples(X)
    n_samples = length_of(X)
    named = {"y": y, "groups": groups, "split": split}
    known = {
        name: names_of(values, name, n_samples)
        for name, values in named.items()
        if values is not None
    }
    contents = contents_of(X)
    if threshold and contents.features is None:
        raise TypeError("threshold needs an X that has distances: an array of numbers or images, "
                        "a sparse matrix or texts.")  # fmt: skip
    found = duplicate_sets(contents, threshold)
    rows = found.rows
    table = {
        "set": found.number,
        "kind": np.where(found.is_exact, "exact", "near").astype(object),
        "distance": found.distance,
    }
    if "y" in known:
        table["label"] = labels_of(*known["y"], rows)
    for name, column in {
        "y": "other_labels", "groups": "across_groups", "split": "across_split"
    }.items():  # fmt: skip
        if name in known:
            table[column] = differ(known[name][1][rows], found.number)
    return pd.DataFrame(table, index=index_of(X, y, n_samples)[rows])


class Duplicates(NamedTuple):
    """Samples that have duplicates, set by set.

    Attributes
    ----------
    rows : ndarray of int of shape (n_found,)
        The samples.
    number : ndarray of int of shape (n_found,)
        Number of the set of each, ascending from 0.
    is_exact : ndarray of bool of shape (n_found,)
        Whether another one is equal.
    distance : ndarray of shape (n_found,)
        To the nearest other one of the set.
    """

    rows: NDArray[np.intp]
    number: NDArray[np.intp]
    is_exact: NDArray[np.bool_]
    distance: NDArray[np.float64]


def duplicate_sets(contents: Contents, threshold: float | None = None) -> Duplicates:
    """Find sets of samples that are equal or nearly so, as `find_duplicates` describes."""
    copies = np.bincount(contents.keys)[contents.keys] > 1
    first, second, lengths = _near_pairs(contents, threshold)
    sets, distance = _sets(contents.keys, first, second, contents.shown(lengths))
    distance[copies] = 0
    # Sets of one are none; the others are numbered by their first samples.
    rows = np.flatnonzero(np.bincount(sets)[sets] > 1)
    _, begin, place = np.unique(sets[rows], return_index=True, return_inverse=True)
    number = np.argsort(np.argsort(begin))[place]
    order = np.argsort(number, kind="stable")
    rows = rows[order]
    return Duplicates(rows, number[order], copies[rows], distance[rows])


def differ(codes: NDArray[np.integer], sets: NDArray[np.intp]) -> NDArray[np.bool_]:
    """For each sample, whether its set has different codes."""
    n_sets = int(sets.max(initial=-1)) + 1
    most, least = np.full(n_sets, -1), np.full(n_sets, np.iinfo(np.int64).max)
    np.maximum.at(most, sets, codes)
    np.minimum.at(least, sets, codes)
    return (most != least)[sets]


def _near_pairs(
    contents: Contents, threshold: float | None
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float64]]:
    """Pairs of different contents that are near duplicates, as first samples, and distances."""
    _, distinct = np.unique(contents.keys, return_index=True)
    nothing = np.empty(0, dtype=np.intp)
    if contents.features is None or threshold == 0 or len(distinct) < 2:
        return nothing, nothing, np.empty(0)
    distances, places = nearest(contents.features[distinct], None, _N_NEIGHBOURS)
    if threshold is None:
        is_near = _far_below_typical(distances, places)
    else:
        is_near = contents.shown(distances) < threshold
    first, rank = np.nonzero(is_near)
    return distinct[first], distinct[places[first, rank]], distances[first, rank]


def _far_below_typical(
    distances: NDArray[np.float64], places: NDArray[np.intp]
) -> NDArray[np.bool_]:
    """Whether neighbours are nearer than chance has it, as `find_duplicates` describes."""
    n = distances.shape[1]
    half = n // 2
    if half < 2:  # nothing is typical of four samples
        return np.zeros(distances.shape, dtype=bool)
    radius = distances[:, -1]
    inner = np.ones(len(distances))
    np.divide(distances[:, half - 1], radius, out=inner, where=radius > 0)
    # One ratio is little to go by, and a flat part of the data brings samples closer by chance than
    # its other parts do: those of the neighbours and of their neighbours count, too.
    nearby = inner
    for _ in range(2):
        nearby = np.median(np.c_[nearby, nearby[places]], axis=1)
    grows = np.minimum(np.median(inner), nearby)
    # The share of the volume that holds the inner half is Beta(half, n - half); none is 0 or 1.
    share = betaincinv(half, n - half, 0.5)
    dimension = math.log(share) / np.log(np.clip(grows, 1e-12, 1 - 1e-12))
    limit = radius * np.minimum(_FAR_BELOW, (_CHANCE / n) ** (1 / dimension))
    return distances < np.minimum(limit[:, None], limit[places])


def _sets(
    keys: NDArray[np.intp],
    first: NDArray[np.intp],
    second: NDArray[np.intp],
    lengths: NDArray[np.float64],
) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Set of each sample, and its distance to the nearest sample of other contents in it."""
    n_keys = int(keys.max()) + 1
    pairs = (np.ones(len(first)), (keys[first], keys[second]))
    _, of_key = connected_components(coo_matrix(pairs, shape=(n_keys, n_keys)), directed=False)
    nearest_of = np.full(n_keys, np.inf)
    np.minimum.at(nearest_of, keys[first], lengths)
    np.minimum.at(nearest_of, keys[second], lengths)
    return of_key[keys].astype(np.intp), nearest_of[keys]


def _check_threshold(threshold: Any) -> None:
    number = isinstance(threshold, Real) and not isinstance(threshold, bool)
    if not number or not 0 <= float(threshold) < math.inf:
        raise ValueError(
            f"threshold must be a finite number from 0 on, or None, got {described(threshold)}."
        )
