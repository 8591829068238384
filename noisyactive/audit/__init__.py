"""Which labels are wrong, and how many, by models and by experts; what else is wrong with data."""

from ._annotations import pivot_annotations
from ._annotators import AnnotatorConsensus
from ._contradictions import contradicting_rows
from ._duplicates import find_duplicates
from ._find_issues import find_label_issues, issues_from_proba
from ._label_audit import LabelAudit
from ._noise_rate import NoiseEstimate, audit_sample, estimate_noise
from ._outliers import find_outliers
from ._report import write_report
from ._small_classes import small_classes

__all__ = [
    "AnnotatorConsensus",
    "LabelAudit",
    "NoiseEstimate",
    "audit_sample",
    "contradicting_rows",
    "estimate_noise",
    "find_duplicates",
    "find_label_issues",
    "find_outliers",
    "issues_from_proba",
    "pivot_annotations",
    "small_classes",
    "write_report",
]
