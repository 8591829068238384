"""Read image files as tensors of bytes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

MODES = ("RGB", "L")


def read_image(
    path: str,
    *,
    mode: str = "RGB",
    size: tuple[int, int] | None = None,
    loader: Callable[[str], Any] | None = None,
) -> torch.Tensor:
    """Read an image file upright, in one colour mode and one size.

    Parameters
    ----------
    path : str
        The file.
    mode : {"RGB", "L"}, default="RGB"
        Three colour channels, or one of grey. Transparency is dropped; 16-bit grey keeps its upper
        8 bits.
    size : tuple of int (height, width), default=None
        Scale until the image covers this size, then cut off what sticks out, evenly on both
        sides. None keeps the size of the file.
    loader : callable, default=None
        ``loader(path)`` returns a PIL image. None opens the file with PIL.

    Returns
    -------
    tensor of uint8 of shape (channels, height, width)
        The image.

    Raises
    ------
    Exception
        Whatever the decoder says of a file that it cannot read.
    """
    from PIL import Image

    with Image.open(path) if loader is None else loader(path) as image:
        if size is not None and image.format == "JPEG":
            # A photograph is decoded at a fraction of its size, if that leaves twice what we need.
            image.draft(None, (2 * size[1], 2 * size[0]))
        return pixels_of(image, mode=mode, size=size)


def pixels_of(
    image: Any, *, mode: str = "RGB", size: tuple[int, int] | None = None
) -> torch.Tensor:
    """Pixels of a PIL image, upright, in one colour mode and one size.

    Parameters
    ----------
    image : PIL.Image.Image
        The image.
    mode, size
        As for `read_image`.

    Returns
    -------
    tensor of uint8 of shape (channels, height, width)
        The pixels.
    """
    from PIL import Image, ImageOps

    image.load()
    image = _in_mode(ImageOps.exif_transpose(image), mode)
    if size is not None:
        image = ImageOps.fit(image, (size[1], size[0]), Image.Resampling.BILINEAR)
    pixels = torch.from_numpy(np.array(image))
    return pixels[None] if pixels.ndim == 2 else pixels.permute(2, 0, 1).contiguous()


def _in_mode(image: Any, mode: str) -> Any:
    """An image in 8 bits a channel; PIL alone would clip 16-bit grey to white."""
    from PIL import Image

    if image.mode.startswith("I;16"):
        image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    elif image.mode in ("I", "F"):
        raise ValueError(
            f"32-bit pixels (PIL mode {image.mode}) have no fixed range; pass a loader that scales "
            "them to 8 bits"
        )
    elif image.mode in ("P", "PA"):
        image = image.convert("RGBA")  # its palette may hold transparent colours
    return image.convert(mode)
