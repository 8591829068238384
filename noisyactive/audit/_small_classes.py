"""Classes that have too few samples."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from .._labels import find_classes
from .._numbers import check_int

if TYPE_CHECKING:
    import pandas as pd


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
