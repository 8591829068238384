"""Write files atomically."""

from __future__ import annotations

import os
from pathlib import Path


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
    if path.exists() and not overwrite:
        raise FileExistsError(
            f"{path} exists already and may contain answers: read it first, choose another name, "
            "or pass overwrite=True."
        )
    draft = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        with draft.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())  # before renaming, or a power cut could leave it empty
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
