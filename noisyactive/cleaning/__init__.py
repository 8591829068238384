"""Active label cleaning: whom to ask about, within a budget, and what to make of the answers."""

from ._audit import NoiseEstimate, audit_sample, estimate_noise
from ._cleaner import ActiveLabelCleaner
from ._journal import Journal, OpenItem
from ._oracles import GroundTruthOracle

__all__ = [
    "ActiveLabelCleaner",
    "GroundTruthOracle",
    "Journal",
    "NoiseEstimate",
    "OpenItem",
    "audit_sample",
    "estimate_noise",
]
