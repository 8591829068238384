"""Active label cleaning: whom to ask about, within a budget, and what to make of the answers."""

from ._audit import NoiseEstimate, audit_sample, estimate_noise
from ._cleaner import ActiveLabelCleaner
from ._cross_fit import CrossFitEnsemble
from ._items import OpenItem, Progress
from ._journal import Journal
from ._oracles import GroundTruthOracle

__all__ = [
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
