"""Which labels are wrong, and how many: judged by models, and estimated by an expert's answers."""

from ._label_audit import LabelAudit, find_label_issues, issues_from_proba
from ._noise_rate import NoiseEstimate, audit_sample, estimate_noise

__all__ = [
    "LabelAudit",
    "NoiseEstimate",
    "audit_sample",
    "estimate_noise",
    "find_label_issues",
    "issues_from_proba",
]
