"""Networks that learn from noisy labels."""

from ._classifier import CoTeachingClassifier
from ._vog_classifier import PAPER_PARAMS, CoTeachingVOGClassifier

__all__ = ["PAPER_PARAMS", "CoTeachingClassifier", "CoTeachingVOGClassifier"]
