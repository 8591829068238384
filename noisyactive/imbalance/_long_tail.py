"""Long-tailed subsets."""

from __future__ import annotations

from collections.abc import Iterable
from numbers import Real
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import _safe_indexing, check_consistent_length, indexable
from sklearn.utils._param_validation import Interval

from .._arrays import as_list, naming
from .._codes import find_codes, rank_within_class
from .._labels import find_classes
from .._params import CheckedParams, fit_context
from .._random import private_random_state
from .._rows import RowsOf, as_rows
from .._samplers import BaseSampler
from .._samples import check_samples
from .._typing import Labels, Samples

if TYPE_CHECKING:
    from typing_extensions import Self


class LongTailSampler(CheckedParams, BaseSampler):
    """Keep a long-tailed subset of the samples.

    The class sizes fall off exponentially (a Pareto profile): of `n_classes` classes, the one at
    place `c` of `order` (from 0) keeps ``n_0 * imbalance_factor ** (-c / (n_classes - 1))``
    samples, `n_0` being the size of the smallest class given. The sizes given do not matter
    otherwise.

    Parameters
    ----------
    imbalance_factor : float, default=100
        Size of the most frequent class divided by that of the least frequent one, at least 1.
    order : array-like of shape (n_classes,), default=None
        Every class once, from the most to the least frequent. None means `classes_`, which is
        sorted.
    random_state : int, RandomState instance or None, default=None
        Determines which samples of a class are kept. None draws fresh entropy from the
        operating system; NumPy's global random state is neither read nor changed. The samples
        do not depend on what else is drawn with the same int.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The classes, sorted.
    class_counts_ : ndarray of shape (n_classes,)
        Number of samples kept of each class, in the order of `classes_`.
    sample_indices_ : ndarray of shape (n_samples_kept,)
        Which of the samples given were kept, ascending.

    Notes
    -----
    Sizes are rounded down, which gives the paper's 19,906 samples of NCT-CRC-HE-100K, but never
    below 1: where `imbalance_factor` exceeds `n_0`, the realised imbalance is `n_0`.

    It is a sampler in the sense of imbalanced-learn, and a step of its pipelines. For one int as
    `random_state`, and one `order`, the samples kept with a higher `imbalance_factor` are a
    subset of those kept with a lower one.

    References
    ----------
    .. [1] B. Khanal, T. Dai, B. Bhattarai, C. Linte, "Active Label Refinement for Robust
           Training of Imbalanced Medical Image Classification Tasks in the Presence of High
           Label Noise", MICCAI 2024, :doi:`10.1007/978-3-031-72120-5_4`, section 3.1.

    Examples
    --------
    >>> import numpy as np
    >>> from noisyactive.imbalance import LongTailSampler
    >>> X = np.arange(300).reshape(-1, 1)
    >>> y = np.repeat(["common", "rare", "scarce"], 100)
    >>> sampler = LongTailSampler(imbalance_factor=25, random_state=0)
    >>> X_res, y_res = sampler.fit_resample(X, y)
    >>> X_res.shape
    (124, 1)
    >>> sampler.class_counts_
    array([100,  20,   4])
    """

    _parameter_constraints: dict[str, list[Any]] = {
        "imbalance_factor": [Interval(Real, 1, None, closed="left")],
        "order": ["array-like", None],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        imbalance_factor: float = 100,
        *,
        order: Iterable[Any] | None = None,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.imbalance_factor = imbalance_factor
        self.order = order
        self.random_state = random_state

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Samples, y: Labels) -> Self:
        """Choose the samples to keep.

        Parameters
        ----------
        X : array-like, DataFrame, tensor or sparse matrix of shape (n_samples, ...)
            Samples, as for `fit_resample`.
        y : array-like of shape (n_samples,)
            Labels, as for `fit_resample`.

        Returns
        -------
        self
            The sampler, with `sample_indices_`.

        Raises
        ------
        ValueError
            As `fit_resample`.
        """
        check_samples(X)
        classes, codes = find_classes(y)
        with naming("X and y"):
            check_consistent_length(X, codes)
        n_classes = len(classes)
        if n_classes < 2:
            raise ValueError(
                f"A long tail needs at least two classes; y has only one class: {classes.tolist()}."
            )
        places = self._places(classes)
        profile = np.bincount(codes).min() * self.imbalance_factor ** (-places / (n_classes - 1))
        # Rounding first: a size of 99.9999999 is 100 but for floating point.
        counts = np.maximum(np.floor(profile.round(6)), 1).astype(np.intp)
        rng = private_random_state(self.random_state, type(self).__name__)
        ranks = rank_within_class(codes, rng.random_sample(len(codes)))

        self.classes_ = classes
        self.class_counts_ = counts
        self.sample_indices_ = np.flatnonzero(ranks < counts[codes])
        return self

    def fit_resample(self, X: Samples, y: Labels) -> tuple[Any, Any]:
        """Keep a long-tailed subset of the samples.

        Parameters
        ----------
        X : array-like, DataFrame, tensor or sparse matrix of shape (n_samples, ...)
            Samples, along the first axis. Not written to.
        y : array-like of shape (n_samples,)
            Labels: integers, strings, booleans or sortable objects, of at least two classes.
            Not written to.

        Returns
        -------
        X_res : same type as X, of shape (n_samples_kept, ...)
            The samples kept, in the order of `X`; of a sparse matrix, in CSR format.
        y_res : same type as y, of shape (n_samples_kept,)
            Their labels.

        Raises
        ------
        ValueError
            If `y` is not a list of class labels without missing values, has fewer than two
            classes or another length than `X`, if `order` is not a permutation of the classes,
            or if a parameter is out of range.
        """
        self.fit(X, y)
        X, y = indexable(as_rows(X), y)
        rows = self.sample_indices_
        kept = X.of(rows) if isinstance(X, RowsOf) else _safe_indexing(X, rows)
        return kept, _safe_indexing(y, rows)

    def _places(self, classes: NDArray[Any]) -> NDArray[np.intp]:
        """Find the place of each class in `order`, 0 for the most frequent one."""
        if self.order is None:
            return np.arange(len(classes))
        codes = find_codes(as_list(self.order, "order", "labels"), classes, name="order")
        if not np.array_equal(np.sort(codes), np.arange(len(classes))):
            raise ValueError(
                f"order must hold each of the classes {classes.tolist()} once; "
                f"got {list(self.order)}."
            )
        return np.argsort(codes)
