"""Find the image of an item in a folder."""

from __future__ import annotations

import os
import unicodedata
from collections import defaultdict
from pathlib import Path, PurePosixPath

from .._files import as_path

SUFFIXES = (".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")


class ImageFolder:
    """The images in a folder, found by the ids of items.

    The folder and its sub-folders are listed once, without hidden files. Ids are looked up in that
    list and never become part of a path, so that neither an id nor a symbolic link leads out of the
    folder.

    Parameters
    ----------
    folder : path
        The folder.
    name : str, default="folder"
        What errors call it.

    Raises
    ------
    TypeError
        If it is not a path.
    FileNotFoundError
        If it does not exist.
    NotADirectoryError
        If it is not a folder.
    OSError
        If it or a sub-folder cannot be listed.
    """

    def __init__(self, folder: str | os.PathLike[str], name: str = "folder"):
        given = as_path(folder, name)
        if not given.exists():
            raise FileNotFoundError(f"There is no folder {given}.")
        if not given.is_dir():
            raise NotADirectoryError(f"{given} is not a folder.")
        self._root = given.resolve()
        self._exact: dict[str, Path] = {}
        self._loose: dict[str, set[str]] = defaultdict(set)  # by shorter forms of their names
        self._others: dict[str, list[Path]] = defaultdict(list)  # files without an image's suffix
        for path in _files(self._root):
            name = path.relative_to(self._root).as_posix()
            where = PurePosixPath(name)
            shorter = {_normal(short) for short in
                       (name, str(where.with_suffix("")), where.name, where.stem)}  # fmt: skip
            is_image = path.suffix.lower() in SUFFIXES
            if is_image:
                self._exact[name] = path
            for short in shorter:
                if is_image:
                    self._loose[short].add(name)
                else:
                    self._others[short].append(path)

    def path_of(self, item: str) -> Path | None:
        """Return the file of an item.

        Parameters
        ----------
        item : str
            Its id: the path of the file relative to the folder, with forward slashes, or the name
            of the file in any sub-folder; both with or without the suffix.

        Returns
        -------
        Path or None
            Absolute path of the file; None if the folder has no such file.

        Raises
        ------
        ValueError
            If the id fits several files and is not the full name of one of them.
        """
        names = [item] if item in self._exact else sorted(self._loose.get(_normal(item), ()))
        if len(names) > 1:
            raise ValueError(
                f"The item {item!r} may be {names[0]!r} or {names[1]!r}; name it with its folder "
                "and suffix, or rename one of them."
            )
        if not names:
            return None
        path = self._exact[names[0]]
        return path if self._is_inside(path) else None

    def other_file_of(self, item: str) -> Path | None:
        """Return a file of an item that has no suffix of an image, as many DICOM files.

        Parameters
        ----------
        item : str
            Its id, as in `path_of`.

        Returns
        -------
        Path or None
            Absolute path of the first such file; None if there is none.
        """
        found = (path for path in self._others.get(_normal(item), ()) if self._is_inside(path))
        return next(found, None)

    def _is_inside(self, path: Path) -> bool:
        """Whether it is still a file of the folder, not a link that leads out of it."""
        try:
            target = path.resolve(strict=True)
        except (OSError, RuntimeError):  # deleted, or a circle of links
            return False
        return target.is_file() and target.is_relative_to(self._root)


def _files(root: Path) -> list[Path]:
    def refuse(error: OSError) -> None:
        raise error

    found = []
    for folder, folders, files in os.walk(root, onerror=refuse):  # does not follow links
        folders[:] = [name for name in folders if not name.startswith(".")]
        found += [Path(folder, name) for name in files if not name.startswith(".")]
    return sorted(found)


def _normal(name: str) -> str:
    """One form for names that look the same: macOS stores accents apart from their letters."""
    return unicodedata.normalize("NFC", name)
