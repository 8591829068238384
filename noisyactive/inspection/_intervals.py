"""95% intervals of shares, scores and agreement."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest

_N_RESAMPLES = 1000
_TAILS = (2.5, 97.5)  # per cent
_BLOCK = 1 << 22  # counts of samples that are held at once


class Interval(NamedTuple):
    """An estimate and the limits of its 95% interval."""

    value: float
    low: float
    high: float


UNKNOWN = Interval(float("nan"), float("nan"), float("nan"))


def wilson(part: int, whole: int) -> Interval:
    """A share with Wilson's score interval [1]_; `UNKNOWN` of nothing.

    References
    ----------
    .. [1] E. B. Wilson, "Probable Inference, the Law of Succession, and Statistical Inference",
       Journal of the American Statistical Association, 1927,
       https://doi.org/10.1080/01621459.1927.10502953
    """
    if not whole:
        return UNKNOWN
    limits = binomtest(part, whole).proportion_ci(method="wilson")
    return Interval(part / whole, float(limits.low), float(limits.high))


class ClassCounts(NamedTuple):
    """Weighted counts of each class, of shape (..., n_classes).

    Attributes
    ----------
    hit, true, predicted : ndarray
        Samples of the class that were predicted as it; samples of it; predictions of it.
    """

    hit: NDArray[np.float64]
    true: NDArray[np.float64]
    predicted: NDArray[np.float64]

    @property
    def f1(self) -> NDArray[np.float64]:
        """F1 of each class; NaN of one that is neither there nor predicted."""
        both = self.true + self.predicted
        return np.divide(2 * self.hit, both, out=np.full(both.shape, np.nan), where=both > 0)

    @property
    def recall(self) -> NDArray[np.float64]:
        """Recall of each class; NaN of one that is not there."""
        return np.divide(
            self.hit, self.true, out=np.full(self.true.shape, np.nan), where=self.true > 0
        )

    @property
    def accuracy(self) -> NDArray[np.float64]:
        """Share of samples that were predicted right."""
        share: NDArray[np.float64] = self.hit.sum(axis=-1) / self.true.sum(axis=-1)
        return share

    @property
    def weighted_f1(self) -> NDArray[np.float64]:
        """Mean F1 of the classes, by their samples."""
        total: NDArray[np.float64] = np.nansum(self.f1 * self.true, axis=-1)
        return total / self.true.sum(axis=-1)


#: Scores of predicted labels, by scikit-learn's names of their scorers.
SCORES: dict[str, Callable[[ClassCounts], NDArray[np.float64]]] = {
    "accuracy": lambda counts: counts.accuracy,
    "balanced_accuracy": lambda counts: np.nanmean(counts.recall, axis=-1),
    "f1_macro": lambda counts: np.nanmean(counts.f1, axis=-1),
    "f1_micro": lambda counts: counts.accuracy,
    "f1_weighted": lambda counts: counts.weighted_f1,
}


class Resampled:
    """Validation data, drawn again and again with replacement: a bootstrap [1]_.

    Models that are compared are scored on the same draws, so that what they have in common
    cancels in differences.

    Parameters
    ----------
    true : ndarray of int of shape (n_samples,)
        Labels, encoded.
    n_classes : int
        Classes.

    References
    ----------
    .. [1] B. Efron, R. J. Tibshirani, "An Introduction to the Bootstrap", Chapman & Hall, 1993,
       https://doi.org/10.1201/9780429246593
    """

    def __init__(self, true: NDArray[np.intp], n_classes: int):
        self.true, self.n_classes = true, n_classes

    def counts(self, predicted: NDArray[np.intp]) -> tuple[ClassCounts, ClassCounts]:
        """Counts of the data as they are, and of every draw."""
        # What matters of a sample is its label and what was predicted: few kinds, summed first.
        kinds, place = np.unique(self.true * self.n_classes + predicted, return_inverse=True)
        order = np.argsort(place, kind="stable")
        begin = np.searchsorted(place[order], np.arange(len(kinds)))
        drawn = [np.add.reduceat(weights[:, order], begin, axis=1) for weights in self._weights()]
        once = np.bincount(place)[None]
        return self._of(kinds, once), self._of(kinds, np.concatenate(drawn))

    def _weights(self) -> Iterator[NDArray[np.intp]]:
        """How often each sample is in each draw, in blocks of draws, the same at every call."""
        n = len(self.true)
        rng = np.random.RandomState(0)
        at_once = max(1, min(_N_RESAMPLES, _BLOCK // n))
        for first in range(0, _N_RESAMPLES, at_once):
            n_draws = min(at_once, _N_RESAMPLES - first)
            yield np.stack([np.bincount(rng.randint(n, size=n), minlength=n)
                            for _ in range(n_draws)])  # fmt: skip

    def _of(self, kinds: NDArray[np.intp], times: NDArray[np.intp]) -> ClassCounts:
        true, predicted = np.divmod(kinds, self.n_classes)
        hit = np.where(true == predicted, times, 0)
        sums = ((hit, true), (times, true), (times, predicted))
        return ClassCounts(*(_summed(counts, codes, self.n_classes) for counts, codes in sums))


def _summed(
    counts: NDArray[np.intp], codes: NDArray[np.intp], n_classes: int
) -> NDArray[np.float64]:
    """Sums of columns by class, of shape (n_draws, n_classes)."""
    total = np.zeros((n_classes, len(counts)))
    np.add.at(total, codes, counts.T)
    return total.T


def limits_of(value: float, drawn: NDArray[np.float64]) -> Interval:
    """The interval that holds 95% of what was drawn; it includes the value."""
    low, high = np.nanpercentile(drawn, _TAILS)
    return Interval(value, min(float(low), value), max(float(high), value))


def kappa(first: NDArray[np.intp], second: NDArray[np.intp]) -> Interval:
    """Cohen's kappa of two annotators, with a bootstrap interval; `UNKNOWN` with one class alone.

    Parameters
    ----------
    first, second : ndarray of int of shape (n_items,)
        Their labels of the same items, encoded.

    Returns
    -------
    Interval
        Of draws in which there is one class alone, none counts.
    """
    if len(np.union1d(first, second)) < 2:
        return UNKNOWN
    sample = Resampled(first, int(max(first.max(), second.max())) + 1)
    value, drawn = (_kappa(counts) for counts in sample.counts(second))
    return limits_of(float(value[0]), drawn)


def _kappa(counts: ClassCounts) -> NDArray[np.float64]:
    n = counts.true.sum(axis=-1)
    by_chance = (counts.true * counts.predicted).sum(axis=-1) / n**2
    above = counts.hit.sum(axis=-1) / n - by_chance
    return np.divide(above, 1 - by_chance, out=np.full(len(n), np.nan), where=by_chance < 1)
