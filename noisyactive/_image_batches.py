"""Batches of images as networks take them: their check, and ImageNet's statistics."""

from __future__ import annotations

import torch

#: Means and standard deviations of red, green and blue over ImageNet, for pixels from 0 to 1.
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


def check_image_batch(images: torch.Tensor) -> None:
    """Raise a ValueError unless these are images whose range of values is known.

    Parameters
    ----------
    images : tensor of shape (n, channels, height, width)
        Bytes (uint8), or floats from 0 to 1.
    """
    if not isinstance(images, torch.Tensor) or images.ndim != 4:
        shape = tuple(getattr(images, "shape", ())) or type(images).__name__
        raise ValueError(
            f"images must be a tensor of shape (n, channels, height, width), got {shape}."
        )
    if images.dtype == torch.uint8:
        return
    if not images.is_floating_point():
        raise ValueError(f"images must be uint8 or floats from 0 to 1, got {images.dtype}.")
    if images.numel() and not (0 <= images.min() and images.max() <= 1):
        raise ValueError(
            "images that are floats must lie between 0 and 1, got values from "
            f"{images.min().item():g} to {images.max().item():g}; pass bytes as uint8."
        )
