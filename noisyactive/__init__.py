"""Learning from noisy labels on imbalanced data."""

from importlib.metadata import version

from noisyactive.coteaching import CoTeachingClassifier, CoTeachingVOGClassifier
from noisyactive.imbalance import LongTailSampler
from noisyactive.noise import UniformLabelNoise

__all__ = [
    "CoTeachingClassifier",
    "CoTeachingVOGClassifier",
    "LongTailSampler",
    "UniformLabelNoise",
]

__version__ = version("noisyactive")
