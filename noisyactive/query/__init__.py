"""Query strategies: which samples an expert should look at next."""

from ._bald import bald_sampling, bald_scores
from ._coreset import coreset_sampling
from ._entropy import entropy_sampling, entropy_scores
from ._k_center import k_center_greedy
from ._label_disagreement import (
    label_disagreement_sampling,
    label_disagreement_scores,
    rank_suspects,
)
from ._least_confidence import least_confidence_sampling, least_confidence_scores
from ._margin import margin_sampling, margin_scores
from ._random_sampling import random_sampling
from ._rare_entropy import rare_entropy_sampling, rare_entropy_scores

__all__ = [
    "bald_sampling",
    "bald_scores",
    "coreset_sampling",
    "entropy_sampling",
    "entropy_scores",
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
]
