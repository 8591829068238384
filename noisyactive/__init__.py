"""Learning from noisy labels on imbalanced data."""

from importlib.metadata import version

from noisyactive.cleaning import ActiveLabelCleaner, GroundTruthOracle
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
from noisyactive.query import rank_suspects

__all__ = [
    "ActiveLabelCleaner",
    "CoTeachingClassifier",
    "CoTeachingVOGClassifier",
    "GroundTruthOracle",
    "InstanceDependentLabelNoise",
    "LabelNoiseSampler",
    "LongTailSampler",
    "NoisyLabelsClassifier",
    "PairLabelNoise",
    "TransitionLabelNoise",
    "UniformLabelNoise",
    "rank_suspects",
]

__version__ = version("noisyactive")
