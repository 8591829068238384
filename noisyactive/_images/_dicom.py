"""Read the pixels of DICOM files as an image with 8 bits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._not_shown import NotShown
from ._window import window_of

_MAGIC_AT, _MAGIC = 128, b"DICM"


def is_dicom(path: Path) -> bool:
    """Whether a file says that it is DICOM, whatever its name."""
    with path.open("rb") as file:
        return file.read(_MAGIC_AT + len(_MAGIC))[_MAGIC_AT:] == _MAGIC


def read_dicom(path: Path, max_pixels: int) -> Any:
    """Read a DICOM file, the middle one of several frames.

    Greys are shown by the first window that the file names (VOI LUT, or window centre and width)
    and, without one, by `window_of` the pixels that are no padding. What the file says of the
    patient is not read into the image.

    Parameters
    ----------
    path : Path
        The file.
    max_pixels : int
        Largest number of pixels of a frame.

    Returns
    -------
    PIL.Image.Image
        With 8 bits, grey or RGB.

    Raises
    ------
    NotShown
        If pydicom is not installed, or the file has no image or one that cannot be decoded.
    """
    from PIL import Image

    try:
        import pydicom
        from pydicom.pixels import apply_color_lut, apply_rescale, apply_voi_lut, pixel_array
    except ModuleNotFoundError as error:
        raise NotShown(
            f'The file {path.name} exists, but DICOM needs pip install "noisyactive[dicom]".'
        ) from error
    data = pydicom.dcmread(path)
    if not {"Rows", "Columns", "PixelData"} <= set(data.dir()):
        raise NotShown(f"The file {path.name} exists, but it is DICOM without an image.")
    if data.Rows * data.Columns > max_pixels:
        raise NotShown(f"The image has {data.Columns} × {data.Rows} pixels, too many to be shown.")
    n_frames = int(data.get("NumberOfFrames") or 1)
    try:
        pixels = pixel_array(data, index=n_frames // 2)
    # pydicom's, for an element that is missing, a decoder that is, and pixels that do not fit.
    except (AttributeError, NotImplementedError, RuntimeError, ValueError) as error:
        raise NotShown(
            f"The file {path.name} exists, but its DICOM compression or pixel format "
            f"({data.file_meta.TransferSyntaxUID.name}) cannot be read here."
        ) from error
    if data.PhotometricInterpretation == "PALETTE COLOR":
        pixels = apply_color_lut(pixels, data)
        return Image.fromarray(_as_bytes(pixels, 0.0, float(np.iinfo(pixels.dtype).max)))
    if pixels.ndim == 3:  # pixel_array has made it RGB
        return Image.fromarray(_as_bytes(pixels, 0.0, 2.0 ** int(data.BitsStored) - 1))
    padding = data.get("PixelPaddingValue")
    values = np.asarray(apply_rescale(pixels, data))
    if voi := _output_of_window(data):
        grey = _as_bytes(np.asarray(apply_voi_lut(values, data)), *voi)
    else:
        grey = _as_bytes(
            values, *window_of(values if padding is None else values[pixels != padding])
        )
    if data.PhotometricInterpretation == "MONOCHROME1":
        grey = 255 - grey
    return Image.fromarray(grey)


def _output_of_window(data: Any) -> tuple[float, float] | None:
    """Values that the file's own window makes black and white; None if it has none."""
    from pydicom.pixels import apply_windowing

    if data.get("VOILUTSequence"):
        return 0.0, 2.0 ** int(data.VOILUTSequence[0].LUTDescriptor[2]) - 1
    if data.get("WindowCenter") is None or data.get("WindowWidth") is None:
        return None
    centre, width = (
        float(np.ravel(data[name].value)[0]) for name in ("WindowCenter", "WindowWidth")
    )
    low, high = apply_windowing(np.array([centre - 50 * width, centre + 50 * width]), data)
    return float(low), float(high)


def _as_bytes(values: NDArray[Any], low: float, high: float) -> NDArray[np.uint8]:
    scaled = (values.astype(np.float64) - low) / ((high - low) or 1.0) * 255
    return np.nan_to_num(scaled, posinf=255, neginf=0).clip(0, 255).round().astype(np.uint8)
