"""Estimate the share of wrong labels from an expert's answers on random rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import binomtest

from .._arrays import as_list
from .._codes import is_missing
from .._labels import find_classes
from .._numbers import check_int
from .._random import private_random_state


@dataclass(frozen=True)
class NoiseEstimate:
    """Estimated share of wrong labels, with a confidence interval.

    Attributes
    ----------
    n_audited : int
        Rows that an expert labelled.
    n_wrong : int
        How many of their given labels were wrong.
    rate : float
        Share of wrong labels; it may serve as ``forget_rate``. NaN if nothing was audited.
    low, high : float
        Confidence limits of the rate.
    n_remaining : int or None
        Rows that were not audited, if the size of the data set was given.
    """

    n_audited: int
    n_wrong: int
    rate: float
    low: float
    high: float
    n_remaining: int | None = None

    @property
    def expected_errors(self) -> tuple[float, float, float]:
        """Wrong labels expected among the rows not audited: estimate, low, high."""
        if self.n_remaining is None:
            raise ValueError("expected_errors needs the size of the data set: pass n_samples.")
        n = self.n_remaining
        return self.rate * n, self.low * n, self.high * n


def audit_sample(
    n_samples: int,
    n_audited: int,
    *,
    random_state: int | np.random.RandomState | None = None,
) -> NDArray[np.intp]:
    """Draw rows for an audit of the labels, each equally likely.

    Parameters
    ----------
    n_samples : int
        Rows of the data set.
    n_audited : int
        Rows to draw, at most `n_samples`.
    random_state : int, RandomState or None, default=None
        Decides which.

    Returns
    -------
    ndarray of int of shape (n_audited,)
        Rows, each once, ascending.

    Raises
    ------
    ValueError
        If `n_audited` is not between 1 and `n_samples`.

    Examples
    --------
    >>> from noisyactive.audit import audit_sample
    >>> audit_sample(1000, 100, random_state=0).shape
    (100,)
    """
    n_samples = check_int(n_samples, "n_samples", 1)
    n_audited = check_int(n_audited, "n_audited", 1)
    if n_audited > n_samples:
        raise ValueError(f"n_audited must be at most n_samples={n_samples}, got {n_audited}.")
    rng = private_random_state(random_state, "audit_sample")
    return np.sort(rng.choice(n_samples, size=n_audited, replace=False))


def estimate_noise(
    y_given: ArrayLike,
    y_answered: ArrayLike | Sequence[Any],
    *,
    n_samples: int | None = None,
    confidence_level: float = 0.95,
) -> tuple[NoiseEstimate, dict[Any, NoiseEstimate]]:
    """Estimate how many labels are wrong from an expert's answers on random rows.

    Limits are those of Wilson's score interval [1]_.

    Parameters
    ----------
    y_given : array-like of shape (n_audited,)
        Given labels of the rows of an audit, see `audit_sample`. Rows that a strategy picked
        would be wrong more often than others.
    y_answered : sequence of length n_audited
        The expert's labels of the same rows; None where there is no answer (left out).
    n_samples : int, default=None
        Rows of the data set, for ``expected_errors``.
    confidence_level : float in (0, 1), default=0.95
        Confidence level of the limits.

    Returns
    -------
    overall : NoiseEstimate
        For all labels.
    per_class : dict of NoiseEstimate
        For the labels of each given class in the audit; without ``expected_errors``.

    Raises
    ------
    ValueError
        If the lengths differ, or `n_samples` is smaller than the audit.

    References
    ----------
    .. [1] E. B. Wilson, "Probable Inference, the Law of Succession, and Statistical Inference",
           Journal of the American Statistical Association, 1927,
           :doi:`10.1080/01621459.1927.10502953`.

    Examples
    --------
    >>> from noisyactive.audit import estimate_noise
    >>> given, answered = ["a"] * 50 + ["b"] * 50, ["a"] * 80 + ["b"] * 20
    >>> overall, per_class = estimate_noise(given, answered, n_samples=1000)
    >>> overall.rate, round(overall.low, 2), round(overall.high, 2)
    (0.3, 0.22, 0.4)
    >>> per_class["b"].rate
    0.6
    >>> overall.expected_errors[0]
    270.0
    """
    classes, codes = find_classes(y_given, name="y_given")
    # NaN is how a table says None.
    listed = as_list(y_answered, "y_answered", "labels and None")
    answers = [None if is_missing(answer) else answer for answer in listed]
    if len(answers) != len(codes):
        raise ValueError(
            f"y_given and y_answered must be of the same length, got {len(codes)} and "
            f"{len(answers)}."
        )
    if n_samples is not None and check_int(n_samples, "n_samples", 1) < len(codes):
        raise ValueError(
            f"n_samples must be an int, not smaller than the audit of {len(codes)} rows; got "
            f"{n_samples!r}."
        )
    if not isinstance(confidence_level, Real) or not 0 < confidence_level < 1:
        raise ValueError(f"confidence_level must be in (0, 1), got {confidence_level!r}.")
    answered = np.array([answer is not None for answer in answers])
    labels = classes[codes].tolist()
    texts = {isinstance(answer, str) for answer in answers if answer is not None}
    if texts and texts != {isinstance(labels[0], str)}:
        raise ValueError("y_given and y_answered must hold labels of one kind: strings or numbers.")
    wrong = answered & np.array([a != b for a, b in zip(answers, labels, strict=True)])

    def estimate(members: NDArray[np.bool_], n_rows: int | None) -> NoiseEstimate:
        n, k = int((members & answered).sum()), int((members & wrong).sum())
        if n == 0:
            return NoiseEstimate(0, 0, np.nan, 0.0, 1.0, n_rows)
        limits = binomtest(k, n).proportion_ci(confidence_level, method="wilson")
        remaining = None if n_rows is None else n_rows - n
        return NoiseEstimate(n, k, k / n, float(limits.low), float(limits.high), remaining)

    per_class = {
        label: estimate(codes == code, None) for code, label in enumerate(classes.tolist())
    }
    return estimate(np.ones(len(codes), dtype=bool), n_samples), per_class
