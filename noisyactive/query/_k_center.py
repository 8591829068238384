"""Greedy k-center: the picks of the plain algorithm, without its matrix of distances."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_array, issparse

from .._random import private_random_state
from .._samples import as_numeric
from .._sparse import projected
from ._request import check_request

_BLOCK = 2048  # samples and points of one block of distances
_N_CANDIDATES = 8192  # samples whose distances are kept up to date
_N_SCOUTS = 1024  # centres that give every distance its first upper bound


def k_center_greedy(
    features: ArrayLike,
    centres: ArrayLike | None,
    n_instances: int,
    *,
    random_tie_break: bool = False,
    random_state: int | np.random.RandomState | None = None,
) -> NDArray[np.intp]:
    """Pick, again and again, the sample that is farthest from all centres and earlier picks.

    The farthest-first traversal by which Sener and Savarese [1]_ choose a core-set.

    Parameters
    ----------
    features : array-like or sparse matrix of shape (n_samples, n_features)
        The samples to pick from. Not written to. Of sparse rows with more than 512 columns, random
        projections to 512 dimensions are compared.
    centres : array-like or sparse matrix of shape (n_centres, n_features) or None
        What is covered already. None, or no rows: the first pick is the sample farthest from the
        mean of `features`.
    n_instances : int
        Number of picks, at least 1; more than there are samples picks all of them.
    random_tie_break : bool, default=False
        Which of several samples at exactly the same largest distance is picked: any of them, each
        equally likely, or the one of lowest index.
    random_state : int, RandomState instance or None, default=None
        Determines how ties are broken at random. None draws fresh entropy from the operating
        system; NumPy's global random state is neither read nor changed.

    Returns
    -------
    picks : ndarray of shape (min(n_instances, n_samples),)
        Indices into `features`, in the order of picking.

    Raises
    ------
    ValueError
        If an array is not a matrix of finite numbers, if their numbers of features differ, if
        there are no samples, or if another parameter is out of range.

    Notes
    -----
    The distance to the nearest centre or pick only ever shrinks, so an old one is an upper bound.
    Every sample gets one from a few of the centres, and only samples whose bound comes to the top
    are compared with the others; most never are. Time is at most that of the plain algorithm, in
    proportion to ``n_samples * (n_centres + n_instances) * n_features``. Memory beside the input
    is some numbers per sample, two copies of the centres and the picks, and blocks of fixed size
    (where more samples than fit a block are equally far, a copy of those).

    The nearest centre is searched in float32, about the middle of the data, so that an offset
    costs no digits. The distance to it is then computed from the difference and in the precision
    of the input: copies of a centre are at distance 0.

    References
    ----------
    .. [1] O. Sener, S. Savarese, "Active Learning for Convolutional Neural Networks: A Core-Set
           Approach", ICLR 2018, :doi:`10.48550/arXiv.1708.00489`.

    Examples
    --------
    >>> from noisyactive.query import k_center_greedy
    >>> features = [[0.0], [1.0], [4.0], [10.0]]
    >>> k_center_greedy(features, centres=[[0.0]], n_instances=3).tolist()
    [3, 2, 1]
    """
    n_instances = check_request(features, n_instances, random_tie_break, name="features")
    features, centres = _as_matrices(features, centres)
    rng = private_random_state(random_state, "k_center_greedy") if random_tie_break else None
    picks: list[int] = []
    if not len(centres):
        mean = features.mean(axis=0, keepdims=True)
        from_mean = np.empty(len(features), dtype=features.dtype)
        for start in range(0, len(features), _BLOCK):
            some = slice(start, start + _BLOCK)
            from_mean[some] = _squared_distances(features[some], mean)
        picks.append(_farthest(from_mean, rng))
        centres = features[picks]
    cover = _Cover(features, centres, n_instances)
    cover.bounds[picks] = -1

    while len(picks) < n_instances:
        if cover.bounds.max() == 0:  # the rest are copies of centres and picks
            rest = np.flatnonzero(cover.bounds == 0)
            rest = rest if rng is None else rng.permutation(rest)
            picks.extend(rest[: n_instances - len(picks)].tolist())
            break
        candidates, farthest_other = cover.refresh_farthest()
        rows, distances = features[candidates], cover.bounds[candidates]
        while len(picks) < n_instances and distances.max() > max(farthest_other, 0):
            position = _farthest(distances, rng)
            picks.append(int(candidates[position]))
            cover.add_point(rows[position])
            distances = np.minimum(distances, _squared_distances(rows, rows[[position]]))
            distances[position] = -1
        cover.bounds[candidates] = distances
        cover.n_seen[candidates] = cover.n_points
    return np.array(picks, dtype=np.intp)


class _Cover:
    """Upper bounds of each sample's squared distance to its nearest point: a centre or a pick.

    Parameters
    ----------
    features : ndarray of shape (n_samples, n_features)
        The samples.
    centres : ndarray of shape (n_centres, n_features)
        The first points, at least one.
    n_picks : int
        Number of picks that memory is reserved for.

    Attributes
    ----------
    bounds : ndarray of shape (n_samples,)
        The bounds; -1 for a sample that is a point itself.
    n_seen : ndarray of shape (n_samples,)
        How many of the points, from the first on, each sample has been compared with. Once it
        has been compared with all, its bound is its distance.
    n_points : int
        Number of points.
    """

    def __init__(self, features: NDArray[Any], centres: NDArray[Any], n_picks: int) -> None:
        low, high = features.min(axis=0), features.max(axis=0)
        self._middle = low + (high - low) / 2
        self._scale = ((high - low) / 2).max() or 1  # so that squares fit into float32
        self._features = features
        self._block = np.empty((_BLOCK, _BLOCK), dtype=np.float32)

        n_centres, n_features = centres.shape
        self.n_points = n_centres
        self._points = np.empty((n_centres + n_picks, n_features), dtype=features.dtype)
        self._points[:n_centres] = centres
        self._lifted = np.empty((n_centres + n_picks, n_features + 1), dtype=np.float32)
        self._lifted[:n_centres] = self._lift_points(centres)

        self.bounds = np.full(len(features), np.inf, dtype=features.dtype)
        self.n_seen = np.zeros(len(features), dtype=np.intp)
        step = max(1, n_centres // _N_SCOUTS)
        self._lower_bounds(np.arange(len(features)), slice(0, n_centres, step))
        if step == 1:
            self.n_seen[:] = n_centres

    def add_point(self, point: NDArray[Any]) -> None:
        """Add a pick to the points."""
        self._points[self.n_points] = point
        self._lifted[self.n_points] = self._lift_points(point[np.newaxis])
        self.n_points += 1

    def refresh_farthest(self) -> tuple[NDArray[np.intp], float]:
        """Turn the highest bounds into distances.

        Returns
        -------
        candidates : ndarray of shape (n_candidates,)
            The samples concerned, ascending; with those that tie for the last place.
        farthest_other : float
            Highest bound of the others.
        """
        last = max(0, len(self.bounds) - _N_CANDIDATES)
        among = self.bounds >= max(0, np.partition(self.bounds, last)[last])
        candidates = np.flatnonzero(among)
        n_seen = self.n_seen[candidates]
        for stale in (n_seen == 0, (n_seen > 0) & (n_seen < self.n_points)):
            if stale.any():
                unseen = slice(int(n_seen[stale].min()), self.n_points)
                self._lower_bounds(candidates[stale], unseen)
        return candidates, float(self.bounds.max(where=~among, initial=-1))

    def _lower_bounds(self, samples: NDArray[np.intp], which: slice) -> None:
        """Compare samples with points."""
        points, lifted = self._points[which], self._lifted[which]
        for start in range(0, len(samples), _BLOCK):
            some = samples[start : start + _BLOCK]
            rows = self._features[some]
            nearest = self._find_nearest(rows, lifted)
            distances = _squared_distances(rows, points[nearest])
            self.bounds[some] = np.minimum(self.bounds[some], distances)

    def _find_nearest(self, rows: NDArray[Any], lifted: NDArray[np.float32]) -> NDArray[np.intp]:
        """Index of the nearest point of each of up to _BLOCK samples."""
        rows = np.append(self._centre(rows), np.ones((len(rows), 1), dtype=np.float32), axis=1)
        nearest = np.zeros(len(rows), dtype=np.intp)
        highest = np.full(len(rows), -np.inf, dtype=np.float32)
        for start in range(0, len(lifted), _BLOCK):
            some = lifted[start : start + _BLOCK]
            product = np.matmul(rows, some.T, out=self._block[: len(rows), : len(some)])
            best = product.argmax(axis=1)
            value = product[np.arange(len(rows)), best]
            better = value > highest
            highest[better] = value[better]
            nearest[better] = best[better] + start
        return nearest

    def _lift_points(self, points: NDArray[Any]) -> NDArray[np.float32]:
        """Points p as (p, -|p|^2 / 2): the nearest to x has the largest product with (x, 1)."""
        points = self._centre(points)
        norms = np.einsum("ij,ij->i", points, points)
        return np.append(points, -norms[:, np.newaxis] / 2, axis=1)

    def _centre(self, x: NDArray[Any]) -> NDArray[np.float32]:
        return ((x - self._middle) / self._scale).astype(np.float32, copy=False)


def _as_matrices(features: Any, centres: Any) -> tuple[NDArray[Any], NDArray[Any]]:
    """Both arrays as matrices of the same floating-point type, float32 or float64."""
    if issparse(features):
        return _of_sparse(features, centres)
    features = as_numeric(features, "features", allow_nd=False)
    if centres is None or _has_no_rows(centres):
        centres = np.empty((0, features.shape[1]), dtype=features.dtype)
    centres = as_numeric(centres, "centres", allow_nd=False, ensure_min_samples=0)
    _check_widths(features, centres)
    dtype = np.result_type(features, centres, np.float32)
    return features.astype(dtype, copy=False), centres.astype(dtype, copy=False)


def _of_sparse(features: Any, centres: Any) -> tuple[NDArray[Any], NDArray[Any]]:
    """Sparse features, and sparse or dense centres beside them, as matrices of few columns."""
    if centres is None or _has_no_rows(centres):
        centres = csr_array((0, features.shape[1]))
    elif not issparse(centres):
        centres = csr_array(as_numeric(centres, "centres", allow_nd=False))
    _check_widths(features, centres)
    return _as_matrices(projected(features, "features"), projected(centres, "centres"))


def _check_widths(features: Any, centres: Any) -> None:
    if centres.shape[1] != features.shape[1]:
        raise ValueError(
            f"features and centres must have as many features each, got {features.shape[1]} and "
            f"{centres.shape[1]}."
        )


def _has_no_rows(centres: Any) -> bool:
    if isinstance(centres, (list, tuple)):
        return not centres
    return getattr(centres, "size", None) == 0


def _squared_distances(rows: NDArray[Any], points: NDArray[Any]) -> NDArray[Any]:
    """Squared distance of each row to its point, or to the only one."""
    difference = rows - points
    return np.einsum("ij,ij->i", difference, difference)


def _farthest(distances: NDArray[Any], rng: np.random.RandomState | None) -> int:
    """Index of the largest distance: the lowest index, or one at random."""
    if rng is None:
        return int(distances.argmax())
    return int(rng.choice(np.flatnonzero(distances == distances.max())))
