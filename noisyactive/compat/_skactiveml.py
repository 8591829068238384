"""Query strategies for scikit-activeml, and from it."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np

from .._random import private_random_state
from .._typing import Strategy
from ..query import get_strategy

if TYPE_CHECKING:
    from ._as_skactiveml import StrategyForSkactiveml
    from ._from_skactiveml import StrategyOfSkactiveml

# Parameters of `query` that `from_skactiveml` fills in: always, or unless they are given.
_DATA = {"X", "y", "candidates", "batch_size", "return_utilities"}
_MODELS = {"clf", "estimator", "ensemble"}


def as_skactiveml(
    strategy: str | Strategy,
    *,
    scores: Callable[..., Any] | None = None,
    missing_label: Any = np.nan,
    random_state: int | np.random.RandomState | None = None,
) -> StrategyForSkactiveml:
    """Turn a strategy with modAL's signature into one of scikit-activeml's [1]_.

    The object is a ``SingleAnnotatorPoolQueryStrategy``, so it works in the loops and wrappers of
    scikit-activeml. It is called by ``query(X, y, clf, candidates=None, batch_size=1,
    return_utilities=False)`` with its conventions: `y` has missing labels, and `clf`, a
    ``SkactivemlClassifier``, is cloned and fitted first unless ``fit_clf=False``. Strategies that
    use no probabilities (core-set, random) need no `clf`.

    Parameters
    ----------
    strategy : str or callable
        A name that `noisyactive.query.strategy_names` lists, or a function with modAL's signature
        ``strategy(learner, X, n_instances, **kwargs) -> indices into X``. The learner's
        `X_training` are the labelled samples that are not candidates.
        A strategy with a parameter `y` gets the labels of the candidates, which must be given then
        as indices of labelled samples: a loop that checks labels instead of adding them.
    scores : callable, default=None
        ``scores(learner, X) -> ndarray of shape (n_candidates,)``: the utilities that belong to a
        strategy of your own; for ``modAL.uncertainty.uncertainty_sampling`` it is
        ``modAL.uncertainty.classifier_uncertainty``.
    missing_label : scalar, str, NaN or None, default=NaN
        Marker of a missing label in `y`; as everywhere in scikit-activeml, None or a str
        where labels are strings.
    random_state : int, RandomState instance or None, default=None
        Passed on to strategies that take one, by scikit-activeml's rule: derived from the number
        of missing labels, so that every round differs. None draws fresh entropy.

    Returns
    -------
    StrategyForSkactiveml
        The query strategy; the parameters above are its own.

    Raises
    ------
    ImportError
        If scikit-activeml is not installed.
    ValueError
        If `strategy` is neither a known name nor callable.

    Notes
    -----
    Utilities are the scores that the strategy ranks by, the same in each step; for "coreset" the
    distance to the nearest centre or earlier pick; for "random" 1. A function that is not
    registered has no known scores: without `scores`, its pick has utility 1 and other candidates
    0. Such utilities cannot be compared between calls: ``ParallelUtilityEstimationWrapper``, which
    compares parts of the pool, would choose among the best of each part at random.

    References
    ----------
    .. [1] D. Kottke et al., "scikit-activeml: A Library and Toolbox for Active Learning
           Algorithms", Preprints 2021, :doi:`10.20944/preprints202103.0194.v1`.

    Examples
    --------
    >>> import numpy as np
    >>> from skactiveml.classifier import SklearnClassifier
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> from noisyactive.compat import as_skactiveml
    >>> X, y = load_iris(return_X_y=True)
    >>> y_known = np.where(np.arange(150) % 10 == 0, y, np.nan)
    >>> clf = SklearnClassifier(LogisticRegression(max_iter=1000), classes=[0, 1, 2])
    >>> strategy = as_skactiveml("entropy", random_state=0)
    >>> strategy.query(X, y_known, clf, batch_size=3).shape
    (3,)
    """
    get_strategy(strategy)  # raises ValueError for anything else
    if scores is not None and not callable(scores):
        raise TypeError(f"scores must be callable or None, got {scores!r}.")
    private_random_state(random_state, "as_skactiveml")  # raises ValueError, too
    adapter = _import("_as_skactiveml", "as_skactiveml").StrategyForSkactiveml
    return adapter(strategy, scores=scores, missing_label=missing_label, random_state=random_state)


def from_skactiveml(query_strategy: Any, **query_params: Any) -> StrategyOfSkactiveml:
    """Make a pool strategy of scikit-activeml [1]_ usable for label cleaning and in modAL.

    The result is called like every strategy here: give it to ``ActiveLabelCleaner(estimator,
    query_strategy=...)`` or to a learner of modAL. Strategies of scikit-activeml choose among
    samples whose label is missing, while in label cleaning every row has one. So the strategy is
    given the trusted samples with their labels, and the pool with all labels missing.

    Where the strategy asks for a classifier (`clf`, `estimator`), it gets the learner's, as it is
    fitted: nothing is refitted to the few labels that are trusted. Samples are passed as
    the features that `noisyactive.query.coreset_sampling` uses: the estimator's
    ``extract_features``, else what reaches the last step of a Pipeline, one row of numbers each.

    Parameters
    ----------
    query_strategy : skactiveml.base.SingleAnnotatorPoolQueryStrategy
        Any strategy for classification, or a wrapper of one. It is cloned for every query. Labels
        are encoded as 0 to n_classes - 1, with NaN for missing: `missing_label`, and the labels in
        `classes`, are adapted on the clone.
    **query_params : dict
        Further arguments of its `query`. Strategies that have to fit a model of their own are given
        one here, as ``clf=MixtureModelClassifier()`` for ``FourDs``, or as `discriminator`
        for ``DiscriminativeAL``; it is cloned, adapted in the same way, and fitted to features and
        trusted labels. Without `ensemble`, the members of a modAL committee are one.

    Returns
    -------
    StrategyOfSkactiveml
        A query strategy ``strategy(classifier, X, n_instances=1, random_tie_break=False, *,
        random_state=None)`` that can be pickled and cloned. `random_state` seeds those parts that
        have no seed of their own. Ties are always broken at random, as in scikit-activeml.

    Raises
    ------
    ImportError
        If scikit-activeml is not installed.
    TypeError
        If `query_strategy` is not such an object.
    ValueError
        If an argument of its `query` is missing or unknown.

    Notes
    -----
    Some of these strategies allocate a matrix of n_samples x n_samples (``ProbCover``, ``Quire``,
    ``MaxHerding``); scikit-activeml's ``SubSamplingWrapper`` with ``exclude_non_subsample=True``
    makes n smaller. Predictions are known for the samples of the pool and the trusted ones, by
    their features; a strategy that asks for those of made-up samples (``DropQuery``), or that
    refits the classifier again and again (``MonteCarloEER``), needs one of its own as `clf`.

    References
    ----------
    .. [1] D. Kottke et al., "scikit-activeml: A Library and Toolbox for Active Learning
           Algorithms", Preprints 2021, :doi:`10.20944/preprints202103.0194.v1`.

    Examples
    --------
    >>> from skactiveml.pool import Badge
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> from noisyactive import ActiveLabelCleaner, UniformLabelNoise
    >>> from noisyactive.compat import from_skactiveml
    >>> X, y = load_iris(return_X_y=True)
    >>> y_noisy = UniformLabelNoise(0.3, random_state=0).fit_transform(y)
    >>> model = LogisticRegression(max_iter=1000)
    >>> cleaner = ActiveLabelCleaner(model, from_skactiveml(Badge()), n_rounds=2, round_budget=5)
    >>> cleaner.fit(X, y_noisy, y_clean=y).history_["cost"].tolist()
    [0, 5, 10]
    """
    module = _import("_from_skactiveml", "from_skactiveml")
    if not isinstance(query_strategy, module.SingleAnnotatorPoolQueryStrategy):
        raise TypeError(
            "query_strategy must be a SingleAnnotatorPoolQueryStrategy of scikit-activeml, "
            f"got {query_strategy!r}."
        )
    name = type(query_strategy).__name__
    accepted = inspect.signature(query_strategy.query).parameters.values()
    open_ended = any(param.kind is param.VAR_KEYWORD for param in accepted)
    unknown = set(query_params) - {param.name for param in accepted} if not open_ended else set()
    if filled_in := sorted(set(query_params) & _DATA):
        raise ValueError(f"from_skactiveml passes {filled_in[0]} to the query of {name} itself.")
    if unknown:
        raise ValueError(f"The query of {name} has no parameter {min(unknown)}.")
    required = {
        param.name
        for param in accepted
        if param.default is param.empty and param.kind is param.POSITIONAL_OR_KEYWORD
    } - _MODELS
    if any(param.name == "ignore_partial_fit" for param in accepted):
        required.add("clf")  # it is refitted for each candidate
    if "reg" in required:
        raise ValueError(f"{name} is a strategy for regression; label cleaning needs classifiers.")
    if missing := sorted(required - _DATA - set(query_params)):
        raise ValueError(f"{name} needs {missing[0]}: from_skactiveml(..., {missing[0]}=...).")
    return module.StrategyOfSkactiveml(query_strategy, query_params)


def _import(module: str, function: str) -> Any:
    try:
        return import_module(f"{__package__}.{module}")
    except ImportError as error:
        raise ImportError(
            f"noisyactive.compat.{function} needs scikit-activeml: "
            f'pip install "noisyactive[skactiveml]" ({error}).'
        ) from error
