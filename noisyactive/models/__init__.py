"""Well-known architectures, with or without pretrained weights, as modules of our classifiers."""

from ._torchvision import torchvision_classifier

__all__ = ["torchvision_classifier"]
