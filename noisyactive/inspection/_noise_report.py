"""Label noise of each class, if the true labels are known."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from sklearn.metrics import confusion_matrix

from ._classes import ClassNames, by_size, class_keys, common_codes, ratio


def noise_report(
    y_noisy: ArrayLike, y_clean: ArrayLike, class_names: ClassNames = None
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Tabulate the realised label noise of each class, and between classes.

    Parameters
    ----------
    y_noisy : array-like of shape (n_samples,)
        Given labels, some of them wrong.
    y_clean : array-like of shape (n_samples,)
        True labels.
    class_names : mapping or sequence of str, default=None
        Names of the classes: by label, or in the order of the sorted labels of both. None shows the
        labels.

    Returns
    -------
    rates : pandas.DataFrame
        One row for each class, the one with most samples first, and a last row "total". By true
        class: ``samples``, ``wrong`` (samples with another label) and ``noise_rate``, their share.
        By given label: ``given`` (samples with this label), ``given_wrong`` (those of another true
        class) and ``given_noise_rate``, their share, which is high for rare classes. A share of 0
        samples is NaN.
    transition_matrix : pandas.DataFrame of shape (n_classes, n_classes)
        ``T[i, j] = P(noisy = j | true = i)``, the share of the samples of class i with the given
        label j, in the same order; rows are true classes and sum to 1. (cleanlab uses the
        transpose.) The row of a class that is not among the true labels is NaN.

    Raises
    ------
    ValueError, TypeError
        If labels or names are not as described.

    See Also
    --------
    TransitionMatrixDisplay : The matrix as a figure.

    Examples
    --------
    >>> from noisyactive.inspection import noise_report
    >>> y_clean = ["mole"] * 8 + ["cancer"] * 2
    >>> y_noisy = ["mole"] * 6 + ["cancer"] * 4
    >>> rates, transition_matrix = noise_report(y_noisy, y_clean)
    >>> rates.loc["cancer", ["noise_rate", "given_noise_rate"]].tolist()
    [0.0, 0.5]
    >>> transition_matrix.loc["mole", "cancer"].item()
    0.25
    """
    classes, noisy, clean = common_codes(y_noisy, y_clean, ("y_noisy", "y_clean"))
    keys = class_keys(classes, class_names)
    counts = confusion_matrix(clean, noisy, labels=np.arange(len(classes)))
    order = by_size(counts.sum(axis=1))
    counts = counts[np.ix_(order, order)]
    ordered = [keys[code] for code in order]

    samples, given, right = counts.sum(axis=1), counts.sum(axis=0), counts.diagonal()
    columns = {
        "samples": samples,
        "wrong": samples - right,
        "given": given,
        "given_wrong": given - right,
    }
    index = pd.Index([*ordered, "total"], name="class", dtype=object)
    rates = pd.DataFrame({key: np.append(n, n.sum()) for key, n in columns.items()}, index=index)
    rates.insert(2, "noise_rate", ratio(rates["wrong"], rates["samples"]))
    rates["given_noise_rate"] = ratio(rates["given_wrong"], rates["given"])

    matrix = ratio(counts, np.broadcast_to(samples[:, None], counts.shape))
    true = pd.Index(ordered, name="true", dtype=object)
    return rates, pd.DataFrame(matrix, index=true, columns=true.rename("given"))
