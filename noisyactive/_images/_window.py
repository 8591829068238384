"""Which values of an image to show as black and white."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_N_BINS = 1024
_N_VALUES = 1_000_000  # evenly spaced, of larger images
_SHARES = (0.001, 0.999)  # of pixels: what lies outside is shown as black or white
_MAX_CUT = 0.15  # of pixels: more is no mark in the image
_MIN_GAP = 0.4  # of the range: less is no sign that something is apart from the image
_STRAY = 1e-5  # of pixels: as many in a bin may be of a mark's smooth edges
_N_GREYS = 16  # fewer are a drawing, not an image with a mark


def window_of(values: NDArray[np.generic]) -> tuple[float, float]:
    """Find the values to show as black and as white.

    A few pixels far from all others, such as a letter burnt into a radiograph or a defective
    pixel, would leave the rest without contrast. The widest empty part of the histogram is looked
    for; if it spans at least 40% of all values and one of its sides holds less than 15% of the
    pixels, that side is left out, unless fewer than
    16 values remain. Of the rest, a thousandth at each end is saturated.

    Parameters
    ----------
    values : ndarray of any shape
        Numbers; those that are not finite are left out.

    Returns
    -------
    low, high : float
        The window. (0, 1) without any finite value.

    Examples
    --------
    >>> import numpy as np
    >>> from noisyactive._images import window_of
    >>> pixels = np.linspace(100, 900, 10_000)
    >>> pixels[:500] = 65535  # burnt in
    >>> low, high = window_of(pixels)
    >>> 100 <= low < 150 and 850 < high <= 900
    True
    """
    some = values.reshape(-1)[:: max(1, values.size // _N_VALUES)]
    finite = np.sort(some[np.isfinite(some)])
    for _ in range(2):  # there may be marks on both sides
        finite = _without_mark(finite)
    if not finite.size:
        return 0.0, 1.0
    last = finite.size - 1
    low, high = finite[int(last * _SHARES[0])], finite[-1 - int(last * (1 - _SHARES[1]))]
    return float(low), float(high)


def _without_mark(ordered: NDArray[np.generic]) -> NDArray[np.generic]:
    """Sorted values without the smaller side of a wide gap among them."""
    n = ordered.size
    if not n or ordered[0] == ordered[-1]:
        return ordered
    low, high = float(ordered[0]), float(ordered[-1])
    # Of sorted values, the edges of bins are looked up.
    share = np.arange(_N_BINS + 1) / _N_BINS
    bounds = np.searchsorted(ordered, low * (1 - share) + high * share)
    bounds[-1] = n
    sparse = np.diff(bounds) <= max(_STRAY * n, n >= 10_000)
    padded = np.concatenate([[False], sparse, [False]])
    starts, stops = np.flatnonzero(np.diff(padded.astype(np.int8))).reshape(-1, 2).T
    if not starts.size:
        return ordered
    widest = int((stops - starts).argmax())
    start, stop = int(starts[widest]), int(stops[widest])
    parts = [ordered[: int(bounds[start])], ordered[int(bounds[stop]) :]]
    mark, rest = sorted(parts, key=len)
    between = n - len(mark) - len(rest)
    if (
        stop - start < _MIN_GAP * _N_BINS
        or not between <= len(mark) < _MAX_CUT * n  # else it is the tail of the image's own values
        or 1 + int((rest[1:] != rest[:-1]).sum()) < _N_GREYS
    ):
        return ordered
    return rest
