"""Convert images of any source to PNG or JPEG, for a browser or a report."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from os import PathLike
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .._typing import Samples
from ._dicom import is_dicom, read_dicom
from ._not_shown import NotShown
from ._window import window_of

# Formats that hold only pixels: Pillow would run Ghostscript on an EPS file.
FORMATS = ("BMP", "GIF", "JPEG", "PNG", "TIFF", "WEBP")
MAX_PIXELS = 80_000_000  # an RGB image of this size needs 240 MB
MAX_SIDE = 2048  # of a rendered image

_CHUNK = 1024
_N_PIXELS = 4_000_000  # of a data set, evenly spaced, tell the scale of all


class Picture(NamedTuple):
    """A rendered image.

    Parameters
    ----------
    data : bytes
        The file.
    media_type : str
        MIME type of the file.
    size : tuple of int (width, height)
        Size of the original, in pixels; the rendered image has sides of at most 2048.
    """

    data: bytes
    media_type: str
    size: tuple[int, int]


def render(source: Any) -> Picture:
    """Render an image as PNG, or a JPEG file as JPEG, without its metadata.

    Parameters
    ----------
    source : path, PIL image, or array of shape (height, width), or with channels first or last
        The image. Arrays of other numbers than bytes, and 16-bit and 32-bit grey files, are scaled
        by `window_of` their own values; DICOM files by the window that they name, if they do.

    Returns
    -------
    Picture
        The image, upright by its EXIF orientation, scaled down if it is large.

    Raises
    ------
    NotShown
        If it is damaged, not an image, of another format, or has more than 80 million pixels.
    """
    from PIL import Image

    if source is None:
        raise NotShown("There is no image of this item.")
    with _explained(source):
        if _is_path(source):
            path = Path(source)
            if not path.is_file():  # opening a pipe would wait forever
                raise NotShown("There is no such image file.")
            if is_dicom(path):
                return _encode(read_dicom(path, MAX_PIXELS))
            with Image.open(path, formats=FORMATS) as image:
                return _encode(image)
        if isinstance(source, Image.Image):
            return _encode(source.copy())  # the caller's is left as it is
        return _encode(to_image(source))


def _is_path(source: Any) -> bool:
    return isinstance(source, (str, PathLike))


@contextmanager
def _explained(source: Any) -> Iterator[None]:
    """Turn the errors of decoders, which may be of any kind, into `NotShown`."""
    from PIL import Image, UnidentifiedImageError

    try:
        yield
    except NotShown:
        raise
    except UnidentifiedImageError as error:
        named = f"The file {Path(source).name} exists, but it" if _is_path(source) else "It"
        raise NotShown(f"{named} is not an image of a supported format.") from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise NotShown("The image has too many pixels.") from error
    except MemoryError as error:
        raise NotShown("There is not enough memory for this image.") from error
    except Exception as error:
        named = f"The file {Path(source).name} exists, but the" if _is_path(source) else "The"
        raise NotShown(f"{named} image is damaged or cannot be read.") from error


def _encode(image: Any) -> Picture:
    from PIL import ImageOps

    width, height = size = image.size
    if width * height > MAX_PIXELS:
        raise NotShown(f"The image has {width} × {height} pixels, too many to be shown.")
    kind = "JPEG" if image.format == "JPEG" else "PNG"
    image.draft(None, (MAX_SIDE, MAX_SIDE))  # decodes a large photograph at a fraction
    image.load()
    upright = ImageOps.exif_transpose(image)
    if upright.size != image.size:  # it was turned by 90 degrees
        size = (height, width)
    image = _in_colour(upright)
    image.thumbnail((MAX_SIDE, MAX_SIDE))
    image.info.clear()  # metadata may name patients and places
    options = {"quality": 95, "subsampling": 0} if kind == "JPEG" else {"compress_level": 1}
    file = io.BytesIO()
    image.save(file, kind, **options)
    return Picture(file.getvalue(), f"image/{kind.lower()}", size)


def _in_colour(image: Any) -> Any:
    """A copy with 8 bits, grey or RGB; transparency is dropped."""
    if image.mode.startswith("I") or image.mode == "F":
        return to_image(np.asarray(image, dtype=np.float64))
    if image.mode in ("P", "PA"):
        image = image.convert("RGBA")  # its palette may hold transparent colours
    return image.convert("L" if image.mode in ("1", "L", "LA") else "RGB")


def to_image(pixels: Any, limits: tuple[float, float] | None = None) -> Any:
    """Convert an array to a PIL image.

    Parameters
    ----------
    pixels : array-like of shape (height, width), or with channels first or last
        Three channels are red, green and blue; with another number, the first is shown as grey.
        Channels are last if there are 1, 3 or 4 along the last axis, but not along the first; the
        fourth is left out.
    limits : tuple of float (low, high), default=None
        Values that become black and white. None takes `window_of` the array, and keeps bytes
        unchanged.

    Returns
    -------
    PIL.Image.Image
        With 8 bits per channel.

    Raises
    ------
    ValueError
        If it has another shape or no pixels.
    """
    from PIL import Image

    array = _as_array(pixels)
    if array.ndim not in (2, 3) or 0 in array.shape:
        raise ValueError(
            f"An image must be of shape (height, width) or (channels, height, width), got "
            f"{array.shape}."
        )
    if array.ndim == 3 and array.shape[-1] in (1, 3, 4) and len(array) not in (1, 3, 4):
        array = array.transpose(2, 0, 1)[:3]
    if array.ndim == 3:
        array = array.transpose(1, 2, 0) if len(array) == 3 else array[0]
    if array.dtype != np.uint8:
        low, high = window_of(array) if limits is None else limits
        with np.errstate(all="ignore"):
            scaled = (array.astype(np.float64) - low) / ((high - low) or 1.0) * 255
        array = np.nan_to_num(scaled, posinf=255, neginf=0).clip(0, 255).round().astype(np.uint8)
    return Image.fromarray(np.ascontiguousarray(array))


def images_of(X: Samples) -> Callable[[int], Any] | None:
    """Make a function that returns the image of each sample of a data set.

    Parameters
    ----------
    X : array, tensor or ImageTable of length n_samples
        The samples. Arrays have the shape (n_samples, channels, height, width), (n_samples, height,
        width, channels) or (n_samples, height, width); numbers other than bytes are scaled alike
        for all samples, by a window that a few extreme values do not widen. The files of an
        `ImageTable` are shown whole, not cropped.

    Returns
    -------
    callable or None
        ``images(row)`` returns the path of a file or a PIL image. None if `X` has no images.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from noisyactive.annotate import images_of
    >>> images_of(load_digits().images)(0).size
    (8, 8)
    >>> images_of(load_digits().data) is None
    True
    """
    if hasattr(X, "paths") and hasattr(X, "loader"):  # an ImageTable, which needs torch
        loader = X.loader or Path
        return lambda row: loader(str(X.paths[row]))
    array: Any = X
    if len(getattr(array, "shape", ())) not in (3, 4) or not hasattr(array, "dtype"):
        return None

    @cache
    def limits() -> tuple[float, float]:  # one pass over all data, for the first image only
        share = max(1, int(np.prod(array.shape)) // _N_PIXELS)
        parts = (_as_array(array[start : start + _CHUNK]) for start in range(0, len(array), _CHUNK))
        return window_of(np.concatenate([part.reshape(-1)[::share] for part in parts]))

    is_bytes = str(array.dtype) in ("uint8", "torch.uint8")
    return lambda row: to_image(array[row], None if is_bytes else limits())


def _as_array(pixels: Any) -> NDArray[Any]:
    if hasattr(pixels, "detach"):  # a tensor, perhaps on a GPU
        pixels = pixels.detach().cpu()
        pixels = pixels.float() if pixels.is_floating_point() else pixels  # NumPy has no bfloat16
    array = np.asarray(pixels)
    if array.dtype.kind not in "biuf":
        raise ValueError(f"An image must hold numbers, got {array.dtype}.")
    return array
