"""Learning from noisy labels on imbalanced data."""

from importlib.metadata import version

from noisyactive.coteaching import CoTeachingClassifier, CoTeachingVOGClassifier
from noisyactive.imbalance import LongTailSampler
from noisyactive.noise import (
    InstanceDependentLabelNoise,
    LabelNoiseSampler,
    NoisyLabelsClassifier,
    PairLabelNoise,
    TransitionLabelNoise,
    UniformLabelNoise,
)

__all__ = [
    "CoTeachingClassifier",
    "CoTeachingVOGClassifier",
    "InstanceDependentLabelNoise",
    "LabelNoiseSampler",
    "LongTailSampler",
    "NoisyLabelsClassifier",
    "PairLabelNoise",
    "TransitionLabelNoise",
    "UniformLabelNoise",
]

__version__ = version("noisyactive")
