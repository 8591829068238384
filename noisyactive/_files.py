"""Write a file whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path


def write_whole(path: Path, data: bytes, *, overwrite: bool) -> None:
    """Write a file under another name and rename it when it is complete.

    Parameters
    ----------
    path : Path
        The file.
    data : bytes
        What is in it.
    overwrite : bool
        Whether to replace one that is there already.

    Raises
    ------
    FileExistsError
        If it exists, and is not to be replaced.
    OSError
        If it cannot be written.
    """
    if path.exists() and not overwrite:
        raise FileExistsError(
            f"{path} is there already, perhaps with answers in it: read it first, take another "
            "name, or pass overwrite=True."
        )
    draft = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        with draft.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())  # before its name is there, also after a power cut
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
