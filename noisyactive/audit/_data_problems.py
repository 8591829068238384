"""What else is wrong with data: duplicates, outliers, contradictions, small classes."""

from __future__ import annotations

import math
from collections.abc import Hashable
from numbers import Real
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import coo_matrix, issparse
from scipy.sparse.csgraph import connected_components
from scipy.special import betaincinv

from .._arrays import as_list, described
from .._labels import check_labels, find_classes
from .._nearest import nearest
from .._neighbours import comparable
from .._numbers import check_int
from .._samples import check_samples
from ._contents import Contents, contents_of

if TYPE_CHECKING:
    import pandas as pd

# The density around a sample is told from so many neighbours; a few copies of it do not hide it.
_N_NEIGHBOURS = 20
# Chance neighbours that are expected nearer than a near duplicate; in some ten dimensions and more,
# the share of the typical distance is the limit.
_CHANCE = 2e-3
_FAR_BELOW = 0.5
# Robust standard deviations from the typical log ratio; of normal data, few samples lie beyond.
_ODD = 4.5
# Where distances are all alike, as on a grid or between copies, one a quarter longer is not odd.
_LEAST_SPREAD = 0.05
# An outlier is measured against so many times its neighbours: a few that resemble it hide nothing.
_WIDER = 10


def contradicting_rows(
    X: Any, y: ArrayLike, rows: ArrayLike | None = None, *, n_neighbours: int = 5
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
    names = _index_of(X, y, len(codes))
    chosen = _positions(rows, names)
    contents = _compared(X, standardise=True)
    features = contents.features
    found = []
    for code in np.unique(codes[chosen]):
        asked, others = np.flatnonzero(codes[chosen] == code), np.flatnonzero(codes != code)
        distances, places = nearest(features[others], features[chosen[asked]], n_neighbours)
        rank = np.broadcast_to(np.arange(1, places.shape[1] + 1), places.shape)
        found.append([np.repeat(asked, places.shape[1]), rank, others[places], distances])
    parts = zip(*found, strict=True) if found else [[np.empty(0, dtype=np.intp)]] * 4
    asked, rank, neighbours, distances = (np.concatenate([p.ravel() for p in x]) for x in parts)
    order = np.lexsort((rank, asked))
    here, there = chosen[asked[order]], neighbours[order].astype(np.intp)
    return pd.DataFrame(
        {
            "row": names[here],
            "label": _labels(classes, codes[here]),
            "neighbour": names[there],
            "neighbour_label": _labels(classes, codes[there]),
            "distance": contents.shown(distances[order].astype(np.float64)),
            "rank": rank[order],
        }
    )


def find_duplicates(
    X: Any,
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
    n_samples = _length(X)
    named = {"y": y, "groups": groups, "split": split}
    known = {
        name: _names_of(values, name, n_samples)
        for name, values in named.items()
        if values is not None
    }
    contents = contents_of(X)
    if threshold and contents.features is None:
        raise TypeError("threshold needs an X that has distances: an array of numbers or images, "
                        "a sparse matrix or texts.")  # fmt: skip
    copies = np.bincount(contents.keys)[contents.keys] > 1
    first, second, lengths = _near_pairs(contents, threshold)
    sets, distance = _sets(contents.keys, first, second, contents.shown(lengths))
    distance[copies] = 0
    # Sets of one are none; the others are numbered by their first samples.
    rows = np.flatnonzero(np.bincount(sets)[sets] > 1)
    _, begin, place = np.unique(sets[rows], return_index=True, return_inverse=True)
    number = np.argsort(np.argsort(begin))[place]
    order = np.argsort(number, kind="stable")
    rows, number = rows[order], number[order]
    table = {
        "set": number,
        "kind": np.where(copies[rows], "exact", "near").astype(object),
        "distance": distance[rows],
    }
    if "y" in known:
        table["label"] = _labels(*known["y"], rows)
    for name, column in {
        "y": "other_labels", "groups": "across_groups", "split": "across_split"
    }.items():  # fmt: skip
        if name in known:
            table[column] = _differ(known[name][1][rows], number)
    return pd.DataFrame(table, index=_index_of(X, y, n_samples)[rows])


def find_outliers(X: Any, y: ArrayLike | None = None, *, n_neighbours: int = 10) -> pd.DataFrame:
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
    n_samples = _length(X)
    if n_samples < 3:
        raise ValueError(f"X must hold at least 3 samples, got {n_samples}.")
    known = None if y is None else _names_of(y, "y", n_samples)
    features = _compared(X).features
    distances, around = nearest(features, None, n_neighbours * _WIDER)
    far = distances[:, :n_neighbours].mean(axis=1)
    # Copies of a sample have no distance: a thousandth of the usual one has a logarithm.
    far = np.maximum(far, 1e-3 * np.median(far[far > 0])) if far.any() else np.ones(n_samples)
    ratio = np.log(far / np.median(far[around], axis=1))
    above = ratio - np.median(ratio)
    # Deviations above only: samples inside dense places say nothing about the odd ones.
    spread = max(1.4826 * float(np.median(above[above >= 0])), _LEAST_SPREAD)
    deviations = np.maximum(above / spread, 0)
    score = deviations / (deviations + _ODD)
    order = np.argsort(-score, kind="stable")
    table = {"score": score[order], "is_outlier": score[order] > 0.5}
    if known is not None:
        table["label"] = _labels(*known, order)
    return pd.DataFrame(table, index=_index_of(X, y, n_samples)[order])


def small_classes(y: ArrayLike, *, cv: int = 5) -> pd.DataFrame:
    """Find classes that have too few samples for their labels to be judged.

    Parameters
    ----------
    y : array-like of shape (n_samples,)
        Labels.
    cv : int, default=5
        Folds of the cross-validation that judges them, as in `LabelAudit`.

    Returns
    -------
    DataFrame of n_classes rows
        The smallest class first; the index are the classes. ``n``: its samples;
        ``can_be_judged``: whether these are at least ``2 * cv``, so that every fold can have two
        of them; ``reason``: why not, else empty.

    Raises
    ------
    ValueError
        If a parameter is not as described.

    Notes
    -----
    With one sample in a fold, or none, an error in one label changes all that is known of the class
    there. Twice `cv` is the least at which a class is seen at all, and no proof that it is learned.

    Examples
    --------
    >>> from noisyactive.audit import small_classes
    >>> table = small_classes(["cat"] * 40 + ["dog"] * 7)
    >>> table.loc["dog", "reason"]
    '7 samples for 5 folds: fewer than 2 in some'
    """
    import pandas as pd

    cv = check_int(cv, "cv", 2)
    classes, codes = find_classes(y)
    n = np.bincount(codes, minlength=len(classes))
    order = np.argsort(n, kind="stable")
    return pd.DataFrame(
        {
            "n": n[order],
            "can_be_judged": n[order] >= 2 * cv,
            "reason": [_why_small(int(one), cv) for one in n[order]],
        },
        index=pd.Index(classes[order], name="class"),
    )


def _why_small(n: int, cv: int) -> str:
    samples = "1 sample" if n == 1 else f"{n} samples"
    if n < cv:
        return f"{samples} for {cv} folds: some are without any"
    return f"{samples} for {cv} folds: fewer than 2 in some" if n < 2 * cv else ""


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


def _differ(codes: NDArray[np.intp], sets: NDArray[np.intp]) -> NDArray[np.bool_]:
    """For each sample, whether its set has different codes."""
    n_sets = int(sets.max(initial=-1)) + 1
    most, least = np.full(n_sets, -1), np.full(n_sets, np.iinfo(np.int64).max)
    np.maximum.at(most, sets, codes)
    np.minimum.at(least, sets, codes)
    return (most != least)[sets]


def _compared(X: Any, *, standardise: bool = False) -> Contents:
    """Samples as rows that can be compared; standardise the pixels of images, or scale them all."""
    features = comparable(X) if standardise and not issparse(X) else None
    contents = contents_of(X) if features is None else Contents(np.empty(0, np.intp), features)
    if contents.features is None:
        raise TypeError(
            "X cannot be compared: it must hold at most 5,000 finite numbers for each sample, "
            "images of one size, texts, or be sparse. Pass features of the samples as X."
        )
    return contents


def _check_threshold(threshold: Any) -> None:
    number = isinstance(threshold, Real) and not isinstance(threshold, bool)
    if not number or not 0 <= float(threshold) < math.inf:
        raise ValueError(
            f"threshold must be a finite number from 0 on, or None, got {described(threshold)}."
        )


def _names_of(values: Any, name: str, n_samples: int) -> tuple[NDArray[Any], NDArray[np.intp]]:
    """Distinct values and their codes, one for each sample."""
    classes, codes = find_classes(values, name=name)
    if len(codes) != n_samples:
        raise ValueError(f"{name} must be of shape ({n_samples},), one for each sample of X, got "
                         f"{len(codes)}.")  # fmt: skip
    return classes, codes


def _length(X: Any) -> int:
    n_samples = int(X.shape[0]) if hasattr(X, "shape") else len(X)
    if not n_samples:
        raise ValueError("X holds no samples.")
    return n_samples


def _index_of(X: Any, y: Any, n_samples: int) -> Any:
    """The index of `y`, or of `X`, or row numbers."""
    import pandas as pd

    for values in (y, X):
        if hasattr(values, "iloc") and hasattr(values, "index"):
            return values.index
    return pd.RangeIndex(n_samples)


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


def _labels(classes: NDArray[Any], codes: NDArray[np.intp], rows: Any = slice(None)) -> Any:
    """Labels of rows as a categorical column."""
    import pandas as pd

    return pd.Categorical.from_codes(codes[rows], pd.Index(classes))
