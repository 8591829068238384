"""Find, check and convert images for display. Imports no torch."""

from ._finder import image_finder
from ._folder import SUFFIXES, ImageFolder
from ._render import NotShown, Picture, images_of, render, to_image

__all__ = [
    "SUFFIXES",
    "ImageFolder",
    "NotShown",
    "Picture",
    "image_finder",
    "images_of",
    "render",
    "to_image",
]
