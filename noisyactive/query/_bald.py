"""BALD: disagreement between the predictions of one network under dropout."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Set
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .._arrays import as_array, described
from .._interrupts import shielded
from .._kinds import is_dataset, is_loader, is_module
from .._numbers import check_int
from .._pipeline import last_step
from .._proba import predicted_proba
from .._random import isolated_rng, private_random_state
from .._typing import Samples
from ._request import best_first, check_request, scores_in_blocks
from ._uncertainty import entropies, entropy_scores

if TYPE_CHECKING:
    from torch import nn


def bald_scores(draws: Iterable[ArrayLike]) -> NDArray[np.float64]:
    """Mutual information between each sample's class and the network that predicts it.

    ``H(mean of p) - mean of H(p)`` over the draws [1]_: high where each draw is confident, but
    in different classes; 0 where all draws agree.

    Parameters
    ----------
    draws : iterable of array-like of shape (n_samples, n_classes)
        Class probabilities predicted by each network in turn, or an array of shape
        (n_draws, n_samples, n_classes). A generator is consumed one draw at a time.

    Returns
    -------
    scores : ndarray of shape (n_samples,)
        Mutual information in nats, from 0 to log(n_classes).

    Raises
    ------
    ValueError
        If there are no draws, their shapes differ, or a row is not a probability distribution.

    References
    ----------
    .. [1] N. Houlsby et al., "Bayesian Active Learning for Classification and Preference Learning",
           2011, :doi:`10.48550/arXiv.1112.5745`.

    Examples
    --------
    >>> from noisyactive.query import bald_scores
    >>> agree, disagree = [[0.5, 0.5], [1.0, 0.0]], [[0.5, 0.5], [0.0, 1.0]]
    >>> bald_scores([agree, disagree]).round(3).tolist()
    [0.0, 0.693]
    """
    total: Any = 0
    total_entropy: Any = 0
    n_draws = 0
    odd = isinstance(draws, (str, bytes, Mapping, Set)) or is_dataset(draws) or is_loader(draws)
    if odd or not isinstance(draws, Iterable) or getattr(draws, "ndim", 1) == 0:
        raise TypeError(f"draws must be arrays of class probabilities, got {described(draws)}.")
    for draw in draws:
        proba = as_array(draw, "proba")
        if not n_draws:
            total = np.zeros(proba.shape)
        elif proba.shape != total.shape:
            raise ValueError(
                f"All draws must have the same shape, got {total.shape} and {proba.shape}."
            )
        total_entropy = total_entropy + scores_in_blocks(proba, partial(_entropy_added, total))
        n_draws += 1
    if not n_draws:
        raise ValueError("draws holds no class probabilities.")
    total /= n_draws
    return np.maximum(entropy_scores(total) - total_entropy / n_draws, 0)


def _entropy_added(
    total: NDArray[np.float64], proba: NDArray[np.float64], rows: slice
) -> NDArray[np.float64]:
    """Entropy of a block of a draw, which is added to the total."""
    total[rows] += proba
    return entropies(proba)


def bald_sampling(
    classifier: Any,
    X: Samples,
    n_instances: int = 1,
    random_tie_break: bool = False,
    *,
    n_draws: int = 20,
    random_state: int | np.random.RandomState | None = None,
) -> NDArray[np.intp]:
    """Choose the samples whose predicted class varies most under dropout [1]_ [2]_.

    `bald_scores` of probabilities predicted with dropout switched on. Other layers stay in
    evaluation mode: BatchNorm uses its running statistics and does not update them. A classifier
    of `noisyactive.coteaching` averages the logits of its two networks in every draw, as always.

    Parameters
    ----------
    classifier : modAL.models.ActiveLearner or alike
        A learner whose `estimator` is a fitted skorch classifier, or a Pipeline that ends in one,
        with dropout layers in its network: ``torch.nn.Dropout`` or one of its variants. Dropout
        by ``torch.nn.functional``, or within another layer (``nn.LSTM``,
        ``nn.MultiheadAttention``), is not detected and stays off.
    X : array-like, tensor, DataFrame or Dataset of shape (n_samples, ...)
        The pool, of whatever kind the estimator takes.
    n_instances : int, default=1
        Number of samples to choose, at least 1; more than there are chooses all.
    random_tie_break : bool, default=False
        Whether samples of exactly the same score come in random order, instead of that of their
        indices.
    n_draws : int, default=20
        Number of predictions with dropout, at least 2.
    random_state : int, RandomState instance or None, default=None
        Determines dropout and the order of ties. None draws fresh entropy from the operating
        system; the global random states of NumPy, torch and Python are left as they were.

    Returns
    -------
    indices : ndarray of shape (min(n_instances, n_samples),)
        Indices into `X`, highest `bald_scores` first.

    Raises
    ------
    ValueError
        If `X` is empty, the estimator is not a network with dropout layers, or a parameter is not
        as described.

    References
    ----------
    .. [1] N. Houlsby et al., "Bayesian Active Learning for Classification and Preference Learning",
           2011, :doi:`10.48550/arXiv.1112.5745`.
    .. [2] Y. Gal, R. Islam, Z. Ghahramani, "Deep Bayesian Active Learning with Image Data", ICML
           2017, :doi:`10.48550/arXiv.1703.02910`.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> from sklearn.datasets import make_blobs
    >>> from torch import nn
    >>> from noisyactive import CoTeachingClassifier
    >>> from noisyactive.query import bald_sampling
    >>> def network(in_features, num_classes):
    ...     hidden = nn.Linear(in_features, 32)
    ...     return nn.Sequential(hidden, nn.ReLU(), nn.Dropout(), nn.Linear(32, num_classes))
    >>> X, y = make_blobs(100, random_state=0)
    >>> net = CoTeachingClassifier(network, forget_rate=0.1, random_state=0).fit(X, y)
    >>> learner = SimpleNamespace(estimator=net, predict_proba=net.predict_proba)
    >>> bald_sampling(learner, X, n_instances=5, random_state=0).shape
    (5,)
    """
    n_instances = check_request(X, n_instances, random_tie_break)
    rng = private_random_state(random_state, "bald_sampling")
    scores = _scores_with_dropout(classifier, X, n_draws, rng)
    return best_first(scores, n_instances, random_tie_break, rng, "bald_sampling")


def bald_utilities(
    learner: Any,
    X: Any,
    picks: NDArray[np.intp],
    *,
    n_draws: int = 20,
    random_state: int | np.random.RandomState | None = None,
) -> NDArray[np.float64]:
    """Scores that `bald_sampling` chose by, from the same random state, of shape (n_samples,)."""
    rng = private_random_state(random_state, "bald_sampling")
    return _scores_with_dropout(learner, X, n_draws, rng)


def _scores_with_dropout(
    classifier: Any, X: Any, n_draws: int, rng: np.random.RandomState
) -> NDArray[np.float64]:
    n_draws = check_int(n_draws, "n_draws", 2)
    net = last_step(classifier.estimator)
    module: Any = getattr(net, "module_", None)
    layers = _dropout_layers(module) if is_module(module) else []
    if not layers:
        raise ValueError(
            "bald_sampling needs a fitted neural network with dropout layers (torch.nn.Dropout or "
            f"one of its variants), and finds none in {type(net).__name__}."
        )
    seed = int(rng.randint(np.iinfo(np.int32).max))
    with isolated_rng(seed, net.device), _dropout_on(module, layers):
        return bald_scores(predicted_proba(classifier, X) for _ in range(n_draws))


def _dropout_layers(module: nn.Module) -> list[nn.Module]:
    from torch.nn.modules.dropout import _DropoutNd

    return [part for part in module.modules() if isinstance(part, _DropoutNd)]


@shielded
def _dropout_on(module: nn.Module, layers: list[nn.Module]) -> Iterator[None]:
    """Predict with dropout; every mode is put back afterwards.

    To predict, skorch puts the whole module into evaluation mode, batch by batch; so each layer
    is switched on right before its turn.
    """
    training = {part: part.training for part in module.modules()}
    handles = [layer.register_forward_pre_hook(_switch_on) for layer in layers]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
        for part, mode in training.items():
            part.training = mode


def _switch_on(layer: nn.Module, inputs: Any) -> None:
    layer.training = True
