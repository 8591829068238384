"""Transformers that put noise into class labels."""

from noisyactive.noise._uniform import UniformLabelNoise

__all__ = ["UniformLabelNoise"]
