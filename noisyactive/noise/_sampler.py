"""Label noise as a step of an imbalanced-learn pipeline."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.utils._param_validation import HasMethods

from .._params import CheckedParams, fit_context
from .._samplers import BaseSampler
from .._samples import check_samples
from .._typing import Labels, Noise, Samples

if TYPE_CHECKING:
    from typing_extensions import Self


class LabelNoiseSampler(CheckedParams, BaseSampler):
    """Put noise into the training labels of an imbalanced-learn pipeline.

    A pipeline of imbalanced-learn runs its samplers in `fit` alone: the steps that follow learn
    from noisy labels, while `score` and cross-validation compare with the labels they are given.
    (A scikit-learn pipeline never changes labels; there, `NoisyLabelsClassifier` does.)

    Parameters
    ----------
    noise : label-noise transformer
        What puts noise into the labels; it is cloned. Its parameters are those of the sampler
        with the prefix ``noise__``.

    Attributes
    ----------
    noise_ : label-noise transformer
        The fitted clone; its attributes describe the noise of the last `fit_resample`.

    See Also
    --------
    NoisyLabelsClassifier : A classifier that learns from noisy labels, for any other place.

    Notes
    -----
    The number of samples and their order do not change. imbalanced-learn is not needed.

    With an int as `random_state` of the noise, the random numbers belong to the places in `y`:
    each fold of a cross-validation has wrong labels of its own, the same in every run, for any
    number of jobs and for every candidate of a search. Samples that two folds share are
    corrupted independently where folds are shuffled; folds of consecutive samples have the same
    noise up to the first place where they differ.

    Examples
    --------
    >>> from imblearn.pipeline import make_pipeline
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> from noisyactive.noise import LabelNoiseSampler, UniformLabelNoise
    >>> X, y = load_iris(return_X_y=True)
    >>> sampler = LabelNoiseSampler(UniformLabelNoise(0.2, exact=True, random_state=0))
    >>> pipeline = make_pipeline(sampler, LogisticRegression(max_iter=1000)).fit(X, y)
    >>> pipeline[0].noise_.noise_rate_
    0.2
    """

    _parameter_constraints: dict[str, list[Any]] = {"noise": [HasMethods(["fit", "transform"])]}

    noise_: Any

    def __init__(self, noise: Noise) -> None:
        self.noise = noise

    @fit_context(prefer_skip_nested_validation=False)
    def fit(self, X: Samples, y: Labels) -> Self:
        """Fit the noise to the labels, which stay as they are.

        Parameters
        ----------
        X : object of length n_samples
            Samples, as for `fit_resample`.
        y : array-like of shape (n_samples,)
            True labels, as for `fit_resample`.

        Returns
        -------
        self
            The sampler, with `noise_`.

        Raises
        ------
        ValueError
            As `fit_resample`.
        """
        check_samples(X)
        self.noise_ = clone(self.noise).fit(y, X)
        return self

    def fit_resample(self, X: Samples, y: Labels) -> tuple[Any, NDArray[Any]]:
        """Put noise into the labels.

        Parameters
        ----------
        X : object of length n_samples
            Samples of any kind: an array of any number of axes, a DataFrame, a tensor, a sparse
            matrix, a torch Dataset.
        y : array-like of shape (n_samples,)
            True labels: integers, strings, booleans or sortable objects, of at least two
            classes. Not written to.

        Returns
        -------
        X : object of length n_samples
            The very object given.
        y_noisy : ndarray of shape (n_samples,)
            Noisy labels.

        Raises
        ------
        ValueError
            If the noise refuses the labels or the samples, or if a parameter is out of range.
        """
        return X, self.fit(X, y).noise_.transform(y, X)
