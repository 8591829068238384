"""Which images, labels and groups a folder or a CSV file lists."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .._arrays import described
from .._files import as_path
from .._images import SUFFIXES

if TYPE_CHECKING:
    from os import PathLike


def list_class_folders(root: str | PathLike[str]) -> tuple[list[Path], list[str]]:
    """Find the images of a folder that has one subfolder for each class.

    Parameters
    ----------
    root : path
        The folder. Files and folders whose name starts with a dot are passed over, and so are
        files that have no suffix of an image.

    Returns
    -------
    paths : list of Path
        The images at any depth, sorted.
    labels : list of str
        For each, the name of the subfolder of `root` that it is in.

    Raises
    ------
    ValueError
        If `root` is no folder, has no subfolders or an empty one, or holds images beside them.
    """
    root = as_path(root, "root")
    if not root.is_dir():
        raise ValueError(f"root must be a folder of class folders; {root} is no folder.")
    if stray := _images(root, "*"):
        raise ValueError(
            f"root must hold images in class folders only; {stray[0].name} lies beside them."
        )
    paths: list[Path] = []
    labels: list[str] = []
    for folder in sorted(path for path in root.iterdir() if path.is_dir()):
        if folder.name.startswith("."):
            continue
        found = _images(folder, "**/*")
        if not found:
            raise ValueError(f"The class folder {folder} holds no images.")
        paths += found
        labels += [folder.name] * len(found)
    if not paths:
        raise ValueError(f"root must be a folder of class folders; {root} has none.")
    return paths, labels


def _images(folder: Path, pattern: str) -> list[Path]:
    """Images below a folder, sorted, without what is hidden (copies that notebooks keep)."""
    return sorted(
        path
        for path in folder.glob(pattern)
        if path.suffix.lower() in SUFFIXES
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    )


def read_table(csv: Any, columns: dict[str, str | None]) -> Any:
    """Read a CSV file, of which an empty cell alone is a missing value.

    Parameters
    ----------
    csv : path or DataFrame
        The file, or a table that has been read.
    columns : dict of str to str or None
        Parameters of the caller that name a column; a path or a group is text. None names none.

    Returns
    -------
    DataFrame
        Every row.

    Raises
    ------
    ValueError
        If a column is not there, or it is no such file.
    """
    import pandas as pd

    for role, name in columns.items():
        if not (name is None or isinstance(name, str)):
            raise TypeError(f"{role} must be the name of a column, got {described(name)}.")
    if isinstance(csv, pd.DataFrame):
        table = csv
    else:
        text = {name: str for role, name in columns.items() if name and role != "label_column"}
        file = as_path(csv, "csv")
        try:
            table = pd.read_csv(file, dtype=text, keep_default_na=False, na_values=[""])
        except ValueError as error:
            raise ValueError(f"csv must be a CSV file in UTF-8; {file}: {error}") from error
    for role, name in columns.items():
        if name is not None and name not in list(table.columns):
            raise ValueError(
                f"{role} must be one of the columns {list(table.columns)}, got {name!r}."
            )
    return table


def column_without_gaps(table: Any, name: str) -> NDArray[Any]:
    """One column as an array; a ValueError names the first rows where it is missing."""
    if len(missing := np.flatnonzero(table[name].isna())):
        raise ValueError(
            f"The column {name!r} must not have missing values; it has {len(missing)}, "
            f"in rows {missing[:5].tolist()} (counted from 0)."
        )
    return table[name].to_numpy()


def unique_text(table: Any, name: str) -> list[str]:
    """One column as text; a ValueError names the first value that comes twice."""
    values = [str(value) for value in column_without_gaps(table, name)]
    if len(set(values)) < len(values):
        seen: set[str] = set()
        twice = next(value for value in values if value in seen or seen.add(value))  # type: ignore[func-returns-value]
        raise ValueError(f"The column {name!r} must name each image once; {twice!r} comes again.")
    return values


def groups_of(table: Any, name: str, ids: list[str]) -> NDArray[Any]:
    """One column as groups, where a row without a group is a group of its own."""
    return np.array(
        [
            f"no {name}: {own}" if missing else str(group)
            for group, missing, own in zip(table[name], table[name].isna(), ids, strict=True)
        ]
    )
