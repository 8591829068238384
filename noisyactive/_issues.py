"""Tables of labels that are probably wrong."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ._codes import unique_in_blocks
from ._text import label_text

if TYPE_CHECKING:
    import pandas as pd

# Rows that are looked at together: only the table is as large as the data.
BLOCK = 1 << 16

# Why a label is doubted, if it is.
_NO, _FEATURES, _CONFUSED, _NONE_FITS = range(4)


def issue_table(
    classes: NDArray[Any],
    codes: NDArray[np.integer],
    proba_of: Callable[[slice], NDArray[np.float64]],
    posterior_of: Callable[[slice], NDArray[np.float64]],
    index: Any = None,
) -> pd.DataFrame:
    """Every label with the probability that it is right, the worst first.

    Parameters
    ----------
    classes : ndarray of shape (n_classes,)
        Classes.
    codes : ndarray of int of shape (n_samples,)
        Labels, encoded.
    proba_of, posterior_of : callable
        ``f(rows) -> ndarray of shape (n_rows, n_classes)``: held-out class probabilities of a slice
        of the samples, and probabilities of the true classes by these and by the given labels.
    index : pandas Index of length n_samples, default=None
        Names of the rows. None numbers them.

    Returns
    -------
    DataFrame
        As `noisyactive.audit.find_label_issues` describes it.
    """
    import pandas as pd

    n, small = len(codes), np.min_scalar_type(len(classes))
    quality, suggested = np.empty(n), np.empty(n, dtype=small)
    reason = np.empty(n, dtype=np.uint8)
    for start in range(0, n, BLOCK):
        rows = slice(start, start + BLOCK)
        posterior, given = posterior_of(rows), codes[rows]
        every = np.arange(len(given))
        quality[rows] = posterior[every, given]
        best = posterior.argmax(axis=1)
        suggested[rows] = best
        # Of equal probabilities, the label's own counts: nothing speaks against it.
        proba = proba_of(rows)
        by_features = proba[every, given] < proba.max(axis=1)
        why = np.where(by_features, _FEATURES, _CONFUSED)
        why[best == given] = _NONE_FITS
        why[quality[rows] > 0.5] = _NO
        reason[rows] = why
    order = np.argsort(quality, kind="stable")
    quality.sort()  # in place: it is, with the index, the largest column
    given, suggested, reason = codes[order].astype(small), suggested[order], reason[order]
    categories = pd.Index(classes)
    return pd.DataFrame(
        {
            "given": pd.Categorical.from_codes(_signed(given), categories),
            "suggested": pd.Categorical.from_codes(_signed(suggested), categories),
            "quality": quality,
            "is_issue": reason != _NO,
            "why": _reasons(classes, given, suggested, reason),
        },
        index=order if index is None else index[order],
        copy=False,
    )


def _signed(codes: NDArray[Any]) -> NDArray[Any]:
    """The smallest type that pandas keeps as it is."""
    return codes.astype(np.min_scalar_type(-int(codes.max(initial=0)) - 1), copy=False)


def _reasons(
    classes: NDArray[Any], given: NDArray[Any], suggested: NDArray[Any], reason: NDArray[np.uint8]
) -> Any:
    """A sentence for each issue, and an empty one for each label that is none."""
    import pandas as pd

    issues = np.flatnonzero(reason != _NO)
    triples = (reason[issues].astype(np.int64) * len(classes) + suggested[issues]) * len(classes)
    found, place = unique_in_blocks(triples + given[issues])
    texts = [""]
    for triple in found.tolist():
        pair, label = divmod(triple, len(classes))
        kind, other = divmod(pair, len(classes))
        old, new = label_text(classes[label]), label_text(classes[other])
        if kind == _FEATURES:
            texts.append(f"looks like {new}, not like {old}")
        elif kind == _CONFUSED:
            texts.append(f"{new} is often labelled {old} in these data")
        else:
            texts.append(f"looks like no class in particular, not like {old} either")
    different = list(dict.fromkeys(texts))  # classes may have the same text
    position = {text: n for n, text in enumerate(different)}
    number = np.array([position[text] for text in texts], dtype=np.min_scalar_type(-len(different)))
    codes = np.zeros(len(reason), dtype=number.dtype)
    codes[issues] = number[place + 1]
    return pd.Categorical.from_codes(codes, different)
