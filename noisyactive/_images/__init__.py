"""Find, check and convert images for display. Imports no torch."""

from ._finder import image_finder
from ._folder import SUFFIXES, ImageFolder
from ._not_shown import NotShown
from ._render import Picture, images_of, render, to_image
from ._thumbnails import SIDE, Thumbnail, data_url, thumbnail
from ._window import window_of

__all__ = [
    "SIDE",
    "SUFFIXES",
    "ImageFolder",
    "NotShown",
    "Picture",
    "Thumbnail",
    "data_url",
    "image_finder",
    "images_of",
    "render",
    "thumbnail",
    "to_image",
    "window_of",
]
