"""Well-known architectures, with or without pretrained weights, as modules of our classifiers."""

from ._torchvision import TorchvisionFactory, torchvision_classifier

__all__ = ["TorchvisionFactory", "torchvision_classifier"]
