"""Base class of the label-noise transformers."""

from __future__ import annotations

from abc import ABCMeta, abstractmethod
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils import check_consistent_length
from sklearn.utils.validation import check_is_fitted

from .._arrays import naming
from .._codes import find_codes, rank_within_class
from .._labels import find_classes
from .._params import CheckedParams, fit_context
from .._random import private_random_state
from .._samples import for_estimator
from .._typing import Labels, Samples

if TYPE_CHECKING:
    from typing_extensions import Self


class BaseLabelNoise(  # type: ignore[call-arg]  # scikit-learn is untyped
    CheckedParams, TransformerMixin, BaseEstimator, metaclass=ABCMeta, auto_wrap_output_keys=None
):
    """Base class of transformers that replace some labels by wrong ones.

    A subclass stores its parameters, `exact` and `random_state` among them, and implements
    `_propose`, which says how likely each label is to be replaced, and by what. It may implement
    `_fit_noise`, which checks or learns what depends on the classes. Validation, encoding, the
    choice of the labels replaced and the fitted attributes that describe the noise are common
    to all.
    """

    exact: bool
    random_state: int | np.random.RandomState | None
    classes_: NDArray[Any]
    flip_mask_: NDArray[np.bool_]
    noise_rate_: float
    transition_matrix_: NDArray[np.float64]

    @abstractmethod
    def _propose(
        self, codes: NDArray[np.intp], X: Any, rng: np.random.RandomState
    ) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
        """Say how likely each label is to be replaced, and by what.

        Parameters
        ----------
        codes : ndarray of shape (n_samples,)
            True classes, as indices into `classes_`; not to be written to.
        X : array-like of shape (n_samples, ...) or None
            Samples, as given to `transform`.
        rng : RandomState instance
            The only source of randomness.

        Returns
        -------
        probabilities : ndarray of shape (n_samples,)
            Probability that the label is replaced.
        targets : ndarray of shape (n_samples,)
            What replaces it: another class, as index into `classes_`. Ignored where the probability
            is 0.
        """

    def _fit_noise(self, codes: NDArray[np.intp], X: Any) -> None:  # noqa: B027
        """Check the parameters against `classes_` and learn what `_propose` needs.

        Parameters
        ----------
        codes : ndarray of shape (n_samples,)
            True classes, as indices into `classes_`.
        X : array-like of shape (n_samples, ...) or None
            Samples, as given to `fit`.
        """

    # Noise may hold an estimator of the user's, whose parameters are to be checked too.
    @fit_context(prefer_skip_nested_validation=False)
    def fit(self, y: Labels, X: Samples | None = None) -> Self:
        """Learn the classes.

        Parameters
        ----------
        y : array-like of shape (n_samples,)
            True labels: integers, strings, booleans or sortable objects, of at least two classes.
        X : array-like of shape (n_samples, ...), default=None
            Samples. Only noise that depends on the samples looks at them.

        Returns
        -------
        self : object
            The fitted transformer.

        Raises
        ------
        ValueError
            If `y` is not a list of class labels without missing values, has fewer than two
            classes or another length than `X`, or if a parameter is out of range.
        """
        classes, codes, X = _checked(y, X)
        if len(classes) < 2:
            raise ValueError(
                f"Label noise needs at least two classes; y has only one class: {classes.tolist()}."
            )
        self.classes_ = classes
        self._fit_noise(codes, X)
        return self

    def transform(self, y: Labels, X: Samples | None = None) -> NDArray[Any]:
        """Put noise into labels, and record what was done.

        Parameters
        ----------
        y : array-like of shape (n_samples,)
            True labels, of the classes seen in `fit`. Not written to.
        X : array-like of shape (n_samples, ...), default=None
            Samples. Only noise that depends on the samples looks at them.

        Returns
        -------
        y_noisy : ndarray of shape (n_samples,)
            Noisy labels, a new array also for a list or a pandas Series, with the dtype of `y`
            (as wide as the classes need).

        Raises
        ------
        ValueError
            If `y` is not a list of class labels without missing values, has a label that was
            not seen in `fit`, or has another length than `X`.
        """
        check_is_fitted(self)
        seen, positions, X = _checked(y, X)
        codes = find_codes(seen.tolist(), self.classes_, name="y")[positions]
        rng = private_random_state(self.random_state, type(self).__name__)
        score = rng.random_sample(len(codes))
        probabilities, targets = self._propose(codes, X, rng)
        if self.exact:
            counts = np.bincount(codes)
            means = np.bincount(codes, weights=probabilities) / np.maximum(counts, 1)
            # Rounding first: the mean of many 0.35 is 0.35 but for floating point.
            n_flips = np.rint(means.round(12) * counts)
            with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
                # Sequential Poisson sampling: a fixed number, by unequal probabilities.
                ranks = rank_within_class(codes, score / probabilities)
            flip = ranks < n_flips[codes]
        else:
            flip = score < probabilities
        noisy_codes = np.where(flip, targets, codes)

        self.flip_mask_ = flip
        self.noise_rate_ = float(self.flip_mask_.mean())
        self.transition_matrix_ = _transition_matrix(codes, noisy_codes, len(self.classes_))
        return self.classes_.astype(np.result_type(seen, self.classes_))[noisy_codes]

    def fit_transform(self, y: Labels, X: Samples | None = None) -> NDArray[Any]:
        """Learn the classes of labels and put noise into the same labels.

        Parameters
        ----------
        y : array-like of shape (n_samples,)
            True labels: integers, strings, booleans or sortable objects, of at least two
            classes. Not written to.
        X : array-like of shape (n_samples, ...), default=None
            Samples. Only noise that depends on the samples looks at them.

        Returns
        -------
        y_noisy : ndarray of shape (n_samples,)
            Noisy labels, as from `transform`.

        Raises
        ------
        ValueError
            As in `fit`.
        """
        return self.fit(y, X).transform(y, X)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        tags.target_tags.required = True
        tags.target_tags.one_d_labels = True
        return tags


def _checked(y: ArrayLike, X: Any) -> tuple[NDArray[Any], NDArray[np.intp], Any]:
    classes, codes = find_classes(y)
    if X is not None:
        X = for_estimator(X)
        with naming("X and y"):
            check_consistent_length(codes, X)
    return classes, codes, X


def _transition_matrix(
    codes: NDArray[np.intp], noisy_codes: NDArray[np.intp], n_classes: int
) -> NDArray[np.float64]:
    """Count T[i, j] = P(noisy=j | true=i); a class without samples gets its identity row."""
    pairs = np.bincount(codes * n_classes + noisy_codes, minlength=n_classes**2)
    counts = pairs.reshape(n_classes, n_classes)
    totals = counts.sum(axis=1, keepdims=True)
    return np.where(totals > 0, counts / np.maximum(totals, 1), np.eye(n_classes))
