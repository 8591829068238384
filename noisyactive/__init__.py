"""Learning from noisy labels on imbalanced data."""

from importlib.metadata import version

from noisyactive.imbalance import LongTailSampler
from noisyactive.noise import UniformLabelNoise

__all__ = ["LongTailSampler", "UniformLabelNoise"]

__version__ = version("noisyactive")
