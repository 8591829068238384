"""Well-known architectures, with or without pretrained weights: trained, or for their features."""

from ._frozen import FrozenFeatures
from ._torchvision import torchvision_classifier

__all__ = ["FrozenFeatures", "torchvision_classifier"]
