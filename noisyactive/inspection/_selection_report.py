"""How well the trusted labels were chosen, class by class."""

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

    The class of a row is the given label, `y`: what is known of every sample. So precision is a
    share of the trusted samples that are labelled as this class. Recall is a share of the samples
    that are rightly labelled as this class, of which given and true class are the same.

    Parameters
    ----------
    y : array-like of shape (n_samples,)
        Given labels, some of them wrong.
    clean_mask : array-like of bool of shape (n_samples,)
        Which of them are trusted, as the ``clean_mask_`` of a fitted classifier.
    y_clean : array-like of shape (n_samples,), default=None
        True labels.
    class_names : mapping or sequence of str, default=None
        Names of the classes: by label, or in the order of the sorted labels of `y` and `y_clean`.
        None shows the labels.

    Returns
    -------
    pandas.DataFrame
        One row for each class, the one with most given labels first, and a last one, "total". The
        columns are ``samples`` and ``trusted`` (counts) and ``share`` (of the samples that is
        trusted); with `y_clean` also

        * ``correct``: samples whose label is right;
        * ``found``: those of them that are trusted;
        * ``precision``: share of the trusted labels that is right;
        * ``recall``: share of the right labels that is trusted;
        * ``guess_percent``: the same in percent, which is what Table 1 of [1]_ calls "Guess (%)"
          in the authors' own computation; "Recall" there is the classifier's on test images;
        * ``f1``: harmonic mean of precision and recall.

        A share of nothing is NaN.

    Raises
    ------
    ValueError, TypeError
        If labels, mask or names are not as described.

    See Also
    --------
    SelectionDisplay : The same as a figure.

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
