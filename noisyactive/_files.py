"""Paths, and files that are written atomically."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Any

from ._arrays import described


def as_path(value: Any, name: str) -> Path:
    """A path as users pass it.

    Parameters
    ----------
    value : str or path
        What was passed.
    name : str
        What the error calls it.

    Returns
    -------
    Path
        The path.

    Raises
    ------
    TypeError, ValueError
        If it is none.
    """
    if not isinstance(value, (str, os.PathLike)):
        raise TypeError(f"{name} must be a path, got {described(value)}.")
    text = os.fspath(value)
    if not isinstance(text, str) or not text or "\0" in text:
        raise ValueError(f"{name} must be the path of a file or folder, got {text!r}.")
    return Path(text)


def check_folder(path: Path) -> None:
    """Raise a FileNotFoundError if the folder that a file is to be written to is not there."""
    if not path.parent.is_dir():
        raise FileNotFoundError(f"{path} cannot be written: there is no folder {path.parent}.")


def write_whole(path: Path, data: bytes, *, overwrite: bool) -> None:
    """Write a file completely or not at all: under another name, then rename it.

    Parameters
    ----------
    path : Path
        The file.
    data : bytes
        Its content.
    overwrite : bool
        Whether to replace an existing file.

    Raises
    ------
    FileExistsError
        If it exists and `overwrite` is False.
    OSError
        If it cannot be written.
    """
    check_folder(path)
    if path.exists() and not overwrite:
        raise FileExistsError(
            f"{path} exists already and may contain answers: read it first, choose another name, "
            "or pass overwrite=True."
        )
    draft = path.with_name(f"{path.name}.{os.getpid()}.{threading.get_ident()}.part")
    try:
        with draft.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())  # before renaming, or a power cut could leave it empty
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
