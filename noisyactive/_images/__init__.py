"""Find, check and convert images for display. Imports no torch."""

from ._finder import image_finder
from ._folder import SUFFIXES, ImageFolder
from ._render import NotShown, Picture, images_of, render, to_image
from ._thumbnails import SIDE, Thumbnail, data_url, thumbnail

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
]
