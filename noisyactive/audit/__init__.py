"""Which labels are wrong, and how many: judged by models, and estimated by an expert's answers."""

from ._annotators import AnnotatorConsensus, pivot_annotations
from ._label_audit import LabelAudit, find_label_issues, issues_from_proba
from ._noise_rate import NoiseEstimate, audit_sample, estimate_noise

__all__ = [
    "AnnotatorConsensus",
    "LabelAudit",
    "NoiseEstimate",
    "audit_sample",
    "estimate_noise",
    "find_label_issues",
    "issues_from_proba",
    "pivot_annotations",
]
