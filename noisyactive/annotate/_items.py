"""The items of a run as the page shows them."""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from typing import Any

from .._images import NotShown, Picture, render
from ._look import Look, Part, as_json, parts_of

_N_KEPT = 4  # items whose parts are kept, since each of their images is asked for by itself

_log = logging.getLogger(__name__)


class Items:
    """Find what there is to look at for a row, and remember what could not be shown.

    Parameters
    ----------
    images : callable or None
        ``images(row, item)`` returns what `render` takes.
    look : callable or None
        ``look(row, item)`` returns what `parts_of` takes.

    Attributes
    ----------
    kind : {"nothing", "image", "parts"}
        Whether each item is one image, or is made of parts.
    failed : dict of int
        Row, and why it could not be shown the last time.
    """

    def __init__(self, images: Look | None, look: Look | None):
        self._images = images
        self._look = look
        self.kind = "parts" if look else "image" if images else "nothing"
        self.failed: dict[int, str] = {}
        self._kept: OrderedDict[int, list[Part]] = OrderedDict()
        self._keeping = threading.Lock()

    def describe(self, row: int, item: str) -> list[dict[str, Any]]:
        """The parts of an item, for JSON.

        Raises
        ------
        NotShown
            If there is nothing to look at.
        """
        with self._keeping:
            self._kept.pop(row, None)
        parts = self._parts(row, item)
        if any(part.kind == "missing" for part in parts):
            self.failed[row] = "A part of it is missing."
        else:
            self.failed.pop(row, None)
        return [as_json(part) for part in parts]

    def picture(self, row: int, item: str, number: int) -> Picture:
        """The image that is a part of an item.

        Parameters
        ----------
        row : int
            Row of the data set.
        item : str
            Its id.
        number : int
            Which part it is, from 0.

        Returns
        -------
        Picture
            The image.

        Raises
        ------
        LookupError
            If there is no such part.
        NotShown
            If it cannot be shown.
        """
        try:
            if self.kind == "nothing":
                raise NotShown("There are no images here.")
            if self.kind == "image":
                if number:
                    raise LookupError(number)
                picture = render(self._found(self._images, row, item))
                self.failed.pop(row, None)
                return picture
            parts = self._parts(row, item)
            if number >= len(parts) or parts[number].kind != "image":
                raise LookupError(number)
            return render(parts[number].content)
        except NotShown as error:
            if self.kind != "nothing":
                self.failed[row] = str(error)
                _log.warning("Item %r cannot be shown: %s (%r)", item, error, error.__cause__)
            raise

    def _parts(self, row: int, item: str) -> list[Part]:
        with self._keeping:
            if row in self._kept:
                return self._kept[row]
        shown = self._found(self._look, row, item)
        if self._images is not None:
            shown = [self._found(self._images, row, item), shown]
        try:
            parts = parts_of(shown)
        except NotShown as error:
            self.failed[row] = str(error)
            raise
        with self._keeping:
            self._kept[row] = parts
            while len(self._kept) > _N_KEPT:
                self._kept.popitem(last=False)
        return parts

    def _found(self, find: Look | None, row: int, item: str) -> Any:
        assert find is not None
        try:
            return find(row, item)
        except Exception as error:  # of the user's function, or two files that fit the id
            _log.warning("Item %r cannot be shown.", item, exc_info=True)
            what = "image" if find is self._images else "content"
            reason = str(error) if isinstance(error, ValueError) else f"Its {what} cannot be read."
            self.failed[row] = reason
            raise NotShown(reason) from error
