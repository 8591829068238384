"""Core-set: cover the pool with trusted samples."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import pairwise_distances_argmin_min
from sklearn.utils.validation import _num_samples

from .._pipeline import features_of
from .._typing import Samples
from ._k_center import k_center_greedy
from ._request import check_request


def coreset_sampling(
    classifier: Any,
    X: Samples,
    n_instances: int = 1,
    random_tie_break: bool = False,
    *,
    random_state: int | np.random.RandomState | None = None,
) -> NDArray[np.intp]:
    """Choose the samples that are farthest from all trusted samples, and from each other.

    Greedy k-center [1]_ with ``classifier.X_training`` as the first centres: see
    `k_center_greedy`, which does the work. Distances are Euclidean, between what the estimator's
    ``extract_features`` returns; without such a method, between the samples themselves, one row
    of numbers each; sparse rows with more than 512 columns are first projected at random. Of a
    Pipeline this holds for the last step, on samples transformed by the steps before it.

    Parameters
    ----------
    classifier : modAL.models.ActiveLearner or alike
        A learner with a fitted `estimator`, and with `X_training`, the samples whose labels are
        trusted. None or no samples: the first choice is the sample farthest from the mean.
    X : array-like, tensor, DataFrame or Dataset of shape (n_samples, ...)
        The pool, of whatever kind the estimator takes.
    n_instances : int, default=1
        Number of samples to choose, at least 1; more than there are chooses all.
    random_tie_break : bool, default=False
        Which of several samples at exactly the same largest distance comes first: any of them,
        each equally likely, or the one of lowest index.
    random_state : int, RandomState instance or None, default=None
        Determines how ties are broken at random. None draws fresh entropy from the operating
        system; NumPy's global random state is neither read nor changed.

    Returns
    -------
    indices : ndarray of shape (min(n_instances, n_samples),)
        Indices into `X`, in the order of choice.

    Raises
    ------
    ValueError
        If `X` is empty, features are not finite numbers, or a parameter is not as described.

    References
    ----------
    .. [1] O. Sener, S. Savarese, "Active Learning for Convolutional Neural Networks: A Core-Set
           Approach", ICLR 2018, :doi:`10.48550/arXiv.1708.00489`.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> import numpy as np
    >>> from sklearn.linear_model import LogisticRegression
    >>> from noisyactive.query import coreset_sampling
    >>> X, y = np.array([[0.0], [1.0]]), [0, 1]
    >>> model = LogisticRegression().fit(X, y)
    >>> learner = SimpleNamespace(estimator=model, X_training=X, y_training=y)
    >>> coreset_sampling(learner, np.array([[2.0], [0.5], [9.0]]), n_instances=2).tolist()
    [2, 0]
    """
    n_instances = check_request(X, n_instances, random_tie_break)
    estimator = getattr(classifier, "estimator", None)  # a committee has several
    return k_center_greedy(
        features_of(estimator, X),
        _centres(estimator, classifier.X_training),
        n_instances,
        random_tie_break=random_tie_break,
        random_state=random_state,
    )


def coreset_utilities(learner: Any, X: Any, picks: NDArray[np.intp]) -> NDArray[np.float64]:
    """Distance of each sample to the nearest centre or pick, before each pick.

    Parameters
    ----------
    learner : Learner
        As for `coreset_sampling`.
    X : array-like of shape (n_samples, ...)
        The pool.
    picks : ndarray of int of shape (n_picks,)
        What `coreset_sampling` chose.

    Returns
    -------
    ndarray of shape (n_picks, n_samples)
        Distances.
    """
    features = features_of(learner.estimator, X).astype(np.float64)
    centres = _centres(learner.estimator, learner.X_training)
    mean = features.mean(axis=0)
    features -= mean  # scikit-learn's distances lose digits far from zero
    distances = np.empty((len(picks), len(features)))
    if centres is not None:
        nearest = distances[0] = pairwise_distances_argmin_min(features, centres - mean)[1]
    else:  # the first pick is the sample farthest from the mean, which is not a centre itself
        distances[0] = np.linalg.norm(features, axis=1)
        nearest = np.full(len(features), np.inf)
    for step, pick in enumerate(picks[:-1], start=1):
        nearest = np.minimum(nearest, np.linalg.norm(features - features[pick], axis=1))
        distances[step] = nearest
    return distances


def _centres(estimator: Any, trusted: Any) -> NDArray[Any] | None:
    """Features of the trusted samples, or None where there are none."""
    if trusted is None or _num_samples(trusted) == 0:
        return None
    return features_of(estimator, trusted)
