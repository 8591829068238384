"""Query strategies: which samples an expert should look at next."""

from ._bald import bald_sampling, bald_scores
from ._coreset import coreset_sampling
from ._k_center import k_center_greedy
from ._label_disagreement import (
    label_disagreement_sampling,
    label_disagreement_scores,
    rank_suspects,
)
from ._learner import Learner
from ._random import random_sampling
from ._rare_entropy import rare_entropy_sampling, rare_entropy_scores
from ._registry import QueryStrategy, choose, get_strategy, strategy_names, utilities_of
from ._request import check_request
from ._uncertainty import (
    entropy_sampling,
    entropy_scores,
    least_confidence_sampling,
    least_confidence_scores,
    margin_sampling,
    margin_scores,
)

__all__ = [
    "Learner",
    "QueryStrategy",
    "bald_sampling",
    "bald_scores",
    "check_request",
    "choose",
    "coreset_sampling",
    "entropy_sampling",
    "entropy_scores",
    "get_strategy",
    "k_center_greedy",
    "label_disagreement_sampling",
    "label_disagreement_scores",
    "least_confidence_sampling",
    "least_confidence_scores",
    "margin_sampling",
    "margin_scores",
    "random_sampling",
    "rank_suspects",
    "rare_entropy_sampling",
    "rare_entropy_scores",
    "strategy_names",
    "utilities_of",
]
