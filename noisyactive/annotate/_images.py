"""Images of a data set, for the page."""

from .._images import images_of

__all__ = ["images_of"]
