"""Small images in data URLs."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable
from typing import Any, NamedTuple

from ._not_shown import NotShown
from ._render import render

SIDE = 96  # longest side, in pixels
_TINY = 48  # up to this size, pixels are shown as squares


class Thumbnail(NamedTuple):
    """A small image, or the reason why there is none.

    Parameters
    ----------
    url : str
        Data URL of the image; empty if there is none.
    tiny : bool
        Whether its sides have at most 48 pixels.
    reason : str
        The reason; empty if there is an image.
    """

    url: str
    tiny: bool
    reason: str


def thumbnail(find: Callable[[int, str], Any], row: int, item: str) -> Thumbnail:
    """Make a copy of an image of at most 96 by 96 pixels.

    Parameters
    ----------
    find : callable
        ``find(row, item)``, as `image_finder` returns it.
    row : int
        Row of the data set.
    item : str
        Its id.

    Returns
    -------
    Thumbnail
        The copy, or the reason why there is none.
    """
    from PIL import Image

    try:
        picture = render(find(row, item))
    except (NotShown, OSError, ValueError) as error:
        return Thumbnail("", False, str(error))
    with Image.open(io.BytesIO(picture.data)) as image:
        image.thumbnail((SIDE, SIDE))
        tiny = max(image.size) <= _TINY
        kind = "PNG" if tiny else "JPEG"
        file = io.BytesIO()
        image.save(file, kind, **({} if tiny else {"quality": 85}))
    return Thumbnail(data_url(file.getvalue(), f"image/{kind.lower()}"), tiny, "")


def data_url(data: bytes, media_type: str) -> str:
    """A file as a data URL."""
    return f"data:{media_type};base64,{base64.b64encode(data).decode('ascii')}"
