"""Precision and recall of the trusted labels of each class."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from .._labels import find_classes
from ._classes import ClassNames, by_size, check_mask, class_keys, common_codes, ratio


def selection_report(
    y: ArrayLike,
    clean_mask: ArrayLike,
    y_clean: ArrayLike | None = None,
    class_names: ClassNames = None,
) -> pd.DataFrame:
    """Tabulate which labels are trusted, class by class.

    The class of a row is the given label `y`, which every sample has. Precision is therefore a
    share of the trusted samples with this given label, and recall a share of the samples whose
    given and true label are this class.

    Parameters
    ----------
    y : array-like of shape (n_samples,)
        Given labels, some of them wrong.
    clean_mask : array-like of bool of shape (n_samples,)
        Which of them are trusted, for example the ``clean_mask_`` of a fitted classifier.
    y_clean : array-like of shape (n_samples,), default=None
        True labels.
    class_names : mapping or sequence of str, default=None
        Names of the classes: by label, or in the order of the sorted labels of `y` and `y_clean`.
        None shows the labels.

    Returns
    -------
    pandas.DataFrame
        One row for each class, the one with most given labels first, and a last row "total". The
        columns are ``samples`` and ``trusted`` (counts) and ``share`` (trusted share of the
        samples); with `y_clean` also

        * ``correct``: samples whose label is right;
        * ``found``: samples whose label is right and trusted;
        * ``precision``: share of the trusted labels that are right;
        * ``recall``: share of the right labels that are trusted;
        * ``guess_percent``: recall in percent, which Table 1 of [1]_ calls "Guess (%)" in the
          authors' own computation; its "Recall" is the classifier's on test images;
        * ``f1``: harmonic mean of precision and recall.

        A share of 0 samples is NaN.

    Raises
    ------
    ValueError, TypeError
        If labels, mask or names are not as described.

    See Also
    --------
    SelectionDisplay : The table as a figure.

    References
    ----------
    .. [1] Khanal et al., "Active Label Refinement for Robust Training of Imbalanced Medical Image
       Classification Tasks in the Presence of High Label Noise", MICCAI 2024,
       https://doi.org/10.1007/978-3-031-72120-5_4

    Examples
    --------
    >>> from noisyactive.inspection import selection_report
    >>> y_noisy = ["mole", "mole", "mole", "mole", "cancer", "cancer"]
    >>> y_clean = ["mole", "mole", "mole", "cancer", "cancer", "mole"]
    >>> trusted = [True, True, False, True, True, False]
    >>> report = selection_report(y_noisy, trusted, y_clean)
    >>> report["found"].to_dict()
    {'mole': 2, 'cancer': 1, 'total': 3}
    >>> report["recall"].round(2).to_dict()
    {'mole': 0.67, 'cancer': 1.0, 'total': 0.75}
    """
    if y_clean is None:
        classes, codes = find_classes(y)
        right = None
    else:
        classes, codes, clean_codes = common_codes(y, y_clean, ("y", "y_clean"))
        right = codes == clean_codes
    trusted = check_mask(clean_mask, len(codes))
    keys = class_keys(classes, class_names)

    def count(members: NDArray[np.bool_]) -> NDArray[np.intp]:
        counts = np.bincount(codes[members], minlength=len(classes))[order]
        return np.append(counts, counts.sum())

    order = by_size(np.bincount(codes, minlength=len(classes)))
    index = pd.Index([*(keys[code] for code in order), "total"], name="class", dtype=object)
    columns: dict[str, NDArray[Any]] = {
        "samples": count(np.ones(len(codes), dtype=bool)),
        "trusted": count(trusted),
    }
    columns["share"] = ratio(columns["trusted"], columns["samples"])
    if right is not None:
        columns["correct"] = count(right)
        columns["found"] = count(right & trusted)
        columns["precision"] = ratio(columns["found"], columns["trusted"])
        columns["recall"] = ratio(columns["found"], columns["correct"])
        columns["guess_percent"] = 100 * columns["recall"]
        columns["f1"] = ratio(2 * columns["found"], columns["trusted"] + columns["correct"])
    return pd.DataFrame(columns, index=index)
