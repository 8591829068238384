"""Samplers that make data imbalanced."""

from noisyactive.imbalance._long_tail import LongTailSampler

__all__ = ["LongTailSampler"]
