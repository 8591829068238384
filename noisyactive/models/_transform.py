"""Prepare a batch of images for a network of torchvision."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from .._image_batches import check_image_batch


class EvalTransform(nn.Module):
    """Resize, crop in the middle, scale to floats and normalise: a whole batch at a time.

    On three channels it does what torchvision's presets do, step by step. Images with another
    number of channels keep it: each is normalised by the averages of `mean` and `std`.

    Parameters
    ----------
    resize : int, tuple of int (height, width) or None
        Length of the shorter side after resizing, in pixels, or both sides, whatever the aspect;
        None leaves the images as they are.
    crop : int, tuple of int (height, width) or None
        Side of the square that is cut out of the middle, in pixels, or both sides of a rectangle;
        None leaves the images whole.
    mean, std : sequence of 3 floats
        What is subtracted from red, green and blue, from 0 to 1, and what they are divided by.
    interpolation : torchvision.transforms.InterpolationMode
        How to resize.
    antialias : bool, default=True
        Whether to smooth before shrinking.
    """

    def __init__(
        self,
        resize: int | tuple[int, int] | None,
        crop: int | tuple[int, int] | None,
        mean: Sequence[float],
        std: Sequence[float],
        interpolation: Any,
        antialias: bool = True,
    ):
        super().__init__()
        self.resize = resize
        self.crop = crop
        self.mean = tuple(mean)
        self.std = tuple(std)
        self.interpolation = interpolation
        self.antialias = antialias

    def extra_repr(self) -> str:
        """Parameters that the repr shows."""
        smooth = "" if self.antialias else ", antialias=False"
        return (
            f"resize={self.resize}, crop={self.crop}, mean={self.mean}, std={self.std}, "
            f"interpolation={self.interpolation.value!r}{smooth}"
        )

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Transform a batch.

        Parameters
        ----------
        images : tensor of shape (n, channels, height, width)
            Bytes (uint8), or floats from 0 to 1.

        Returns
        -------
        tensor of float32 of shape (n, channels, crop, crop)
            On the device of `images`; of their own height and width where `crop` is None.

        Raises
        ------
        ValueError
            If `images` are not as described.
        """
        from torchvision.transforms import functional as F

        check_image_batch(images)
        if self.resize is not None:
            images = F.resize(
                images,
                _sides(self.resize),
                interpolation=self.interpolation,
                antialias=self.antialias,
            )
        if self.crop is not None:
            images = F.center_crop(images, _sides(self.crop))
        images = F.convert_image_dtype(images, torch.float32)
        return F.normalize(images, *self._statistics(images.shape[1]))

    def _statistics(self, channels: int) -> tuple[list[float], list[float]]:
        if channels == 3:
            return list(self.mean), list(self.std)
        return [sum(self.mean) / 3] * channels, [sum(self.std) / 3] * channels


def _sides(size: int | tuple[int, int]) -> list[int]:
    return [size] if isinstance(size, int) else list(size)
