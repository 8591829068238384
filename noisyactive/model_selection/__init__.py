"""Choosing hyper-parameters when few labels, or none, are known to be right."""

from noisyactive.model_selection._confusion import correct_confusion_matrix
from noisyactive.model_selection._consensus import consensus_scores
from noisyactive.model_selection._corrected import noise_corrected_scorer
from noisyactive.model_selection._matrix import uniform_transition_matrix
from noisyactive.model_selection._verified import hold_out_verified, verified_scorer

__all__ = [
    "consensus_scores",
    "correct_confusion_matrix",
    "hold_out_verified",
    "noise_corrected_scorer",
    "uniform_transition_matrix",
    "verified_scorer",
]
