"""Active label cleaning: query doubtful labels within a budget, correct them, train on."""

from ..journal import Journal, OpenItem, Progress
from ._audit import NoiseEstimate, audit_sample, estimate_noise
from ._cleaner import PAPER_PARAMS, ActiveLabelCleaner
from ._ensemble import CrossFitEnsemble
from ._oracles import GroundTruthOracle

__all__ = [
    "PAPER_PARAMS",
    "ActiveLabelCleaner",
    "CrossFitEnsemble",
    "GroundTruthOracle",
    "Journal",
    "NoiseEstimate",
    "OpenItem",
    "Progress",
    "audit_sample",
    "estimate_noise",
]
