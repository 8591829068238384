"""Transformers that put noise into class labels."""

from noisyactive.noise._classifier import NoisyLabelsClassifier
from noisyactive.noise._instance import InstanceDependentLabelNoise
from noisyactive.noise._pair import PairLabelNoise
from noisyactive.noise._sampler import LabelNoiseSampler
from noisyactive.noise._transition import TransitionLabelNoise
from noisyactive.noise._uniform import UniformLabelNoise

__all__ = [
    "InstanceDependentLabelNoise",
    "LabelNoiseSampler",
    "NoisyLabelsClassifier",
    "PairLabelNoise",
    "TransitionLabelNoise",
    "UniformLabelNoise",
]
