"""Find the image of a sample."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from .._arrays import described
from ._folder import ImageFolder
from ._render import images_of


def image_finder(images: Any, X: Any) -> Callable[[int, str], Any] | None:
    """Make a function that finds the image of a sample.

    Parameters
    ----------
    images : path, callable or None
        A folder with files named as the ids, or ``images(row)``.
    X : object of length n_samples
        Samples; they are shown if they are images and `images` is None.

    Returns
    -------
    callable or None
        ``find(row, item)`` returns an image, an array or a path; None if there are no images.

    Raises
    ------
    TypeError
        If `images` is neither a path, nor callable, nor None.
    FileNotFoundError, NotADirectoryError
        If there is no such folder.
    """
    if images is None:
        image_of = images_of(X)
        return None if image_of is None else lambda row, item: image_of(row)
    if callable(images):
        return lambda row, item: images(row)
    if not isinstance(images, (str, os.PathLike)):
        raise TypeError(f"images must be a folder, a callable or None, got {described(images)}.")
    folder = ImageFolder(images, "images")
    # Of a file that cannot be shown, `render` says so.
    return lambda row, item: folder.path_of(item) or folder.other_file_of(item)
