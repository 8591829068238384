"""Transforms of a batch of images before a network sees it."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import nn

from .._image_batches import IMAGENET_MEAN, IMAGENET_STD, check_image_batch
from .._numbers import check_int


class PerImage(nn.Module):
    """Apply a random transform to every image of a batch by itself.

    A transform of torchvision draws once for all that it is given at once: applied to a batch, it
    would flip all images or none.

    Parameters
    ----------
    transform : callable
        Maps an image (channels, height, width) to a tensor, one shape for all images.

    Notes
    -----
    torchvision draws from torch's global generator on the CPU, wherever the images are; our
    classifiers seed it, so that a `random_state` also fixes the augmentation.

    Examples
    --------
    >>> import torch
    >>> from torchvision.transforms import v2
    >>> from noisyactive.datasets import PerImage
    >>> batch = torch.arange(2.0).repeat(100, 1, 1, 1)  # 100 images with the pixels 0, 1
    >>> flip = v2.RandomHorizontalFlip()
    >>> len(flip(batch).unique(dim=0)), len(PerImage(flip)(batch).unique(dim=0))
    (1, 2)
    """

    def __init__(self, transform: Callable[[torch.Tensor], torch.Tensor]):
        super().__init__()
        if not callable(transform):
            raise TypeError(f"transform must be callable, got {transform!r}.")
        self.transform = transform

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Transform a batch.

        Parameters
        ----------
        images : tensor of shape (n, channels, height, width)
            The batch.

        Returns
        -------
        tensor of shape (n, ...)
            The transformed images, stacked.
        """
        return torch.stack([self.transform(image) for image in images])


class AsUnitRGB(nn.Module):
    """Images as float32 from 0 to 1 with three channels."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Convert a batch.

        Parameters
        ----------
        images : tensor of shape (n, 1 or 3, height, width)
            Bytes, or floats from 0 to 1.

        Returns
        -------
        tensor of float32 of shape (n, 3, height, width)
            Grey is repeated.

        Raises
        ------
        ValueError
            If the images have another type, range or number of channels.
        """
        check_image_batch(images)
        if images.shape[1] not in (1, 3):
            raise ValueError(f"images must have 1 or 3 channels, got {tuple(images.shape)}.")
        if images.dtype == torch.uint8:
            images = images.float() / 255
        return images.float().expand(-1, 3, -1, -1)


def paper_transforms(size: int = 224) -> tuple[nn.Module, nn.Module]:
    """The paper's augmentation and preparation of images for networks trained on ImageNet [1]_.

    Both scale the shorter side to 256 pixels where `size` is 224, and in this proportion
    otherwise (32 for 28), and normalise the channels by ImageNet's means and deviations. To
    train, images are cropped and flipped (left to right) at random, half of them blurred, and
    changed in brightness, contrast, saturation and hue, every image differently. To evaluate,
    they are cropped in the middle. The paper names the kinds of change but not their strengths,
    which are ours: factors within 20%, hue within 5% of the circle, blur with a deviation of up to
    2 pixels of 224.

    Parameters
    ----------
    size : int, default=224
        Side of the images that come out, in pixels; at least 8.

    Returns
    -------
    train_transform, eval_transform : torch.nn.Module
        For a classifier's parameters of these names. Each maps a batch (n, channels, height, width)
        of bytes, or of floats from 0 to 1, with 1 or 3 channels to float32 (n, 3, size, size), on
        the device of the batch. They can be pickled.

    Raises
    ------
    ValueError
        If `size` is not an int of at least 8; from the transforms, if a batch is not as described.

    References
    ----------
    .. [1] Khanal et al., "Active Label Refinement for Robust Training of Imbalanced Medical Image
       Classification Tasks in the Presence of High Label Noise", MICCAI 2024, section 3.3,
       :doi:`10.1007/978-3-031-72120-5_4`.

    Examples
    --------
    >>> import torch
    >>> from noisyactive.datasets import paper_transforms
    >>> train_transform, eval_transform = paper_transforms(size=28)
    >>> batch = torch.zeros(4, 3, 40, 30, dtype=torch.uint8)
    >>> tuple(train_transform(batch).shape), tuple(eval_transform(batch).shape)
    ((4, 3, 28, 28), (4, 3, 28, 28))
    """
    from torchvision.transforms import v2

    size = check_int(size, "size", 8)
    before = [AsUnitRGB(), v2.Resize(round(size * 256 / 224), antialias=True)]
    after = v2.Normalize(IMAGENET_MEAN, IMAGENET_STD)
    blur = max(2 * size / 224, 0.2)
    change = v2.Compose(
        [
            v2.RandomCrop(size),
            v2.RandomHorizontalFlip(),
            v2.RandomApply([v2.GaussianBlur(2 * math.ceil(2 * blur) + 1, (0.1, blur))], p=0.5),
            v2.ColorJitter(brightness=0.2, contrast=0.2, saturation=0.2, hue=0.05),
        ]
    )
    return (
        nn.Sequential(*before, PerImage(change), after),
        nn.Sequential(*before, v2.CenterCrop(size), after),
    )
