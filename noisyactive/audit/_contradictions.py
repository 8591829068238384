"""Similar samples that have other labels."""

from __future__ import annotations

from collections.abc import Hashable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .._arrays import as_list
from .._labels import check_labels
from .._nearest import nearest
from .._numbers import check_int
from .._samples import check_samples
from .._typing import Samples
from ._contents import compared
from ._tables import index_of, labels_of

if TYPE_CHECKING:
    import pandas as pd


def contradicting_rows(
    X: Samples, y: ArrayLike, rows: ArrayLike | None = None, *, n_neighbours: int = 5
) -> pd.DataFrame:
    """Show the most similar samples that have another label.

    Parameters
    ----------
    X : object of length n_samples
        Samples: rows of numbers or images, flattened and standardised; a sparse matrix or texts,
        compared by the cosine distance; a Dataset of images.
    y : array-like of shape (n_samples,)
        Labels.
    rows : array-like of shape (n_rows,), default=None
        Which samples: entries of the index of `y`, or of `X`, or row numbers, as the index of what
        `find_label_issues` returns; or a boolean mask. None means all.
    n_neighbours : int, default=5
        How many for each.

    Returns
    -------
    DataFrame of n_rows * n_neighbours rows
        In the order of `rows`, the nearest first. ``row`` and ``neighbour``: entries of the index;
        ``label`` and ``neighbour_label`` (categorical); ``distance``: Euclidean between
        standardised features, or cosine; ``rank``: from 1. Fewer neighbours if no more samples
        have other labels.

    Raises
    ------
    ValueError, TypeError
        If a parameter is not as described, or samples cannot be compared.

    Examples
    --------
    >>> from noisyactive.audit import contradicting_rows
    >>> X, y = [[0.0], [0.1], [5.0], [5.2]], ["a", "b", "b", "b"]
    >>> contradicting_rows(X, y, rows=[0], n_neighbours=1)[["row", "label", "neighbour"]]
       row label  neighbour
    0    0     a          1
    """
    import pandas as pd

    n_neighbours = check_int(n_neighbours, "n_neighbours", 1)
    check_samples(X)
    classes, codes = check_labels(X, y, None, None)
    names = index_of(X, y, len(codes))
    chosen = _positions(rows, names)
    contents = compared(X, standardise=True)
    asked, rank, there, distances = nearest_others(contents.features, codes, chosen, n_neighbours)
    here = chosen[asked]
    return pd.DataFrame(
        {
            "row": names[here],
            "label": labels_of(classes, codes[here]),
            "neighbour": names[there],
            "neighbour_label": labels_of(classes, codes[there]),
            "distance": contents.shown(distances),
            "rank": rank,
        }
    )


def nearest_others(
    features: Any, codes: NDArray[np.integer], chosen: NDArray[np.intp], n_neighbours: int
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp], NDArray[np.float64]]:
    """Find the most similar rows with other labels.

    Parameters
    ----------
    features : ndarray or CSR matrix of shape (n_samples, n_features)
        Rows that Euclidean distances are measured between.
    codes : ndarray of int of shape (n_samples,)
        Labels, encoded.
    chosen : ndarray of int of shape (n_chosen,)
        Rows whose neighbours are wanted.
    n_neighbours : int
        How many for each; fewer where there are not as many.

    Returns
    -------
    asked, rank, neighbours, distances : ndarray of shape (n_pairs,)
        Place in `chosen`, in order; from 1, the nearest; its row; and how far it is.
    """
    found = []
    for code in np.unique(codes[chosen]):
        asked, others = np.flatnonzero(codes[chosen] == code), np.flatnonzero(codes != code)
        distances, places = nearest(features[others], features[chosen[asked]], n_neighbours)
        rank = np.broadcast_to(np.arange(1, places.shape[1] + 1), places.shape)
        found.append([np.repeat(asked, places.shape[1]), rank, others[places], distances])
    parts = zip(*found, strict=True) if found else [[np.empty(0, dtype=np.intp)]] * 4
    asked, rank, neighbours, distances = (np.concatenate([p.ravel() for p in x]) for x in parts)
    order = np.lexsort((rank, asked))
    return (
        asked[order],
        rank[order],
        neighbours[order].astype(np.intp),
        distances[order].astype(np.float64),
    )


def _positions(rows: Any, names: Any) -> NDArray[np.intp]:
    """Row numbers of entries of an index, or of a mask."""
    if rows is None:
        return np.arange(len(names))
    wanted = as_list(rows, "rows", "entries of the index, or a boolean mask")
    if not all(isinstance(one, Hashable) for one in wanted):
        raise TypeError("rows must hold entries of the index, or a boolean mask; it holds lists.")
    if wanted and all(isinstance(one, (bool, np.bool_)) for one in wanted):
        if len(wanted) != len(names):
            raise ValueError(f"rows is a mask of {len(wanted)} values for {len(names)} samples.")
        return np.flatnonzero(wanted)
    if not wanted:
        return np.empty(0, dtype=np.intp)
    found = names.get_indexer_for(wanted)
    if (found < 0).any():
        raise ValueError(
            "rows must hold entries of the index of y or X, or row numbers from 0 to "
            f"{len(names) - 1} where there is none; at least one is not among them."
        )
    return np.asarray(found, dtype=np.intp)
