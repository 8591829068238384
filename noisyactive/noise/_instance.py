"""Label noise that depends on the sample."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, issparse
from sklearn.base import BaseEstimator, clone
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.utils import check_array
from sklearn.utils._param_validation import HasMethods

from .._arrays import naming
from .._samples import as_native, as_numeric, asking
from ._rate import BaseRateLabelNoise


class InstanceDependentLabelNoise(BaseRateLabelNoise):
    """Replace labels of hard samples more often than those of easy ones.

    A simple classifier is fitted to the true labels. Where it hesitates between the label and
    another class, the label is the more likely to be replaced, and by that class: polynomial
    margin diminishing noise [1]_. In every class, a share of `noise_rate` is replaced.

    Parameters
    ----------
    noise_rate : float
        Share of the labels of each class that are replaced, in [0, 1).
    estimator : classifier, default=None
        What tells hard samples from easy ones: a clone of it is fitted to the samples and the
        integers 0 to n_classes - 1 that stand for the classes, and its `predict_proba` used. It
        should be too simple to learn every sample by heart. None is a strongly regularised
        logistic regression, with balanced class weights, on the standardised features: `X` may
        then be any array of numbers, of which all axes but the first are flattened, or sparse.
    exact : bool, default=False
        Replace exactly ``round(noise_rate * n_c)`` labels of each class, `n_c` being the number
        of its samples in the `y` transformed (halves round to even), instead of each label
        independently. Hard samples remain more likely to be chosen.
    keep_classes : array-like of shape (n_kept_classes,), default=None
        Classes that take no part: their labels are not replaced, and no label becomes one of
        them. At least two other classes must remain, unless `noise_rate` is 0.
    random_state : int, RandomState instance or None, default=None
        Determines which labels are replaced. With an int, every `transform` of the same labels
        and samples returns the same, and the noise does not depend on what else is drawn with
        that int. None draws fresh entropy from the operating system; NumPy's global random
        state is neither read nor changed. `estimator` has a `random_state` of its own.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The classes seen in `fit`, sorted.
    estimator_ : classifier
        The fitted classifier.
    flip_probability_ : ndarray of shape (n_samples,)
        How likely each label was to be replaced in the last `transform`.
    flip_mask_ : ndarray of shape (n_samples,), dtype bool
        Which labels the last `transform` replaced.
    noise_rate_ : float
        Share of all samples whose label the last `transform` replaced.
    transition_matrix_ : ndarray of shape (n_classes, n_classes)
        Realised transition matrix of the last `transform`: ``T[i, j] = P(noisy=j | true=i)``,
        rows and columns in the order of `classes_`, each row summing to 1. A class without
        samples in the `y` transformed has the row of the identity matrix.

    Notes
    -----
    `fit` and `transform` need the samples `X` beside the labels.

    Let m be the posterior of the label less that of the most likely other class that takes part,
    or 0 where it is less than that. The label is replaced with probability
    ``min(s * (1 - m**2), 1)``, type I in [1]_, and becomes that other class. The factor s is
    such that the mean over each class is `noise_rate`. In [1]_ one factor serves all classes,
    which on imbalanced data would leave hardly a right label in a rare class; and it is the
    classifier's first choice that is replaced, not the label.

    The widespread generator of [2]_ draws the rate of each sample at random, so that only the
    class that a label becomes depends on the sample: its hard samples are replaced no more often
    than others.

    For one int as `random_state`, and unless `exact`, the labels replaced at a lower
    `noise_rate` are a subset of those replaced at a higher one, and are replaced by the same.

    References
    ----------
    .. [1] Y. Zhang, S. Zheng, P. Wu, M. Goswami, C. Chen, "Learning with Feature-Dependent Label
           Noise: A Progressive Approach", ICLR 2021, :doi:`10.48550/arXiv.2103.07756`,
           section 4.
    .. [2] X. Xia, T. Liu, B. Han, N. Wang, M. Gong, H. Liu, G. Niu, D. Tao, M. Sugiyama,
           "Part-dependent Label Noise: Towards Instance-dependent Label Noise", NeurIPS 2020,
           :doi:`10.48550/arXiv.2006.07836`, algorithm 2.

    Examples
    --------
    >>> import numpy as np
    >>> from noisyactive.noise import InstanceDependentLabelNoise
    >>> X = np.linspace(-1, 1, 100).reshape(-1, 1)
    >>> y = np.where(X.ravel() < 0, "left", "right")
    >>> noise = InstanceDependentLabelNoise(0.2, exact=True, random_state=0)
    >>> y_noisy = noise.fit(y, X).transform(y, X)
    >>> noise.noise_rate_
    0.2
    >>> at_edge, in_middle = noise.flip_probability_[[0, 49]]
    >>> bool(at_edge < 0.2 < in_middle)
    True
    """

    _parameter_constraints: dict[str, list[Any]] = {
        **BaseRateLabelNoise._parameter_constraints,
        "estimator": [HasMethods(["fit", "predict_proba"]), None],
    }

    estimator_: Any
    flip_probability_: NDArray[np.float64]

    def __init__(
        self,
        noise_rate: float,
        *,
        estimator: BaseEstimator | None = None,
        exact: bool = False,
        keep_classes: Iterable[Any] | None = None,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        super().__init__(
            noise_rate, exact=exact, keep_classes=keep_classes, random_state=random_state
        )
        self.estimator = estimator

    def _fit_noise(self, codes: NDArray[np.intp], X: Any) -> None:
        super()._fit_noise(codes, X)
        _check_samples(X)
        own = self.estimator is None
        estimator = _simple_classifier(issparse(X)) if own else clone(self.estimator)
        with asking("X or y"):
            self.estimator_ = estimator.fit(X, codes)

    def _propose(
        self, codes: NDArray[np.intp], X: Any, rng: np.random.RandomState
    ) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
        _check_samples(X)
        with asking():
            posterior = self.estimator_.predict_proba(X)
        rows = np.arange(len(codes))
        rivals = np.full(posterior.shape, -1.0)
        rivals[:, self._free_codes] = posterior[:, self._free_codes]
        rivals[rows, codes] = -1
        targets = rivals.argmax(axis=1)
        margin = np.maximum(posterior[rows, codes] - rivals[rows, targets], 0)
        weights = 1 - margin**2 + np.finfo(float).eps  # even a margin of 1 has a chance
        probabilities = np.empty(len(codes))
        for code in np.unique(codes):
            members = codes == code
            probabilities[members] = _scaled_to_mean(
                weights[members], self._class_probabilities[code]
            )
        self.flip_probability_ = probabilities
        return probabilities, targets

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        tags.input_tags.sparse = True
        return tags


def _check_samples(X: Any) -> None:
    if X is None:
        raise ValueError("InstanceDependentLabelNoise needs the samples: pass X beside y.")


def _simple_classifier(sparse: bool) -> Any:
    """Logistic regression, to which it makes no difference that sparse columns keep their means."""
    return make_pipeline(
        FunctionTransformer(_as_sparse_rows if sparse else _flatten, accept_sparse=True),
        StandardScaler(with_mean=not sparse),
        LogisticRegression(C=0.01, class_weight="balanced", max_iter=1000),
    )


def _flatten(X: Any) -> NDArray[Any]:
    array = as_numeric(X, ensure_2d=False)
    return array.reshape(len(array), -1)


def _as_sparse_rows(X: Any) -> Any:
    with naming("X"):
        rows = check_array(X, accept_sparse="csr")
    rows = rows if issparse(rows) else csr_array(rows)
    as_native(rows.data)
    return rows


def _scaled_to_mean(weights: NDArray[np.float64], mean: float) -> NDArray[np.float64]:
    """Scale positive weights by a common factor, cut off at 1, so that they have a given mean."""
    n = len(weights)
    ascending = np.sort(weights)
    # The factor if only the first i + 1 weights stayed below 1: of the factors for which weight i
    # does stay below 1, the last one is right.
    factors = (mean * n - np.arange(n)[::-1]) / np.cumsum(ascending)
    factor = factors[factors * ascending <= 1][-1]
    return np.minimum(factor * weights, 1)
