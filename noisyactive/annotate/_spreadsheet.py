"""Read CSV files that a spreadsheet wrote: encodings, separators and changed cells."""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Collection, Iterator
from pathlib import Path

from .._cells import unguarded

DELIMITERS = (",", ";", "\t")


def read_table(
    path: Path, needed: Collection[str], optional: Collection[str]
) -> Iterator[tuple[int, dict[str, str]]]:
    """Read the lines of a CSV file with any of some encodings and separators.

    Parameters
    ----------
    path : Path
        The file, in UTF-8, UTF-16 or, if it is neither, Windows code page 1252.
    needed : collection of str
        Required columns.
    optional : collection of str
        Optional columns; others are ignored.

    Yields
    ------
    number : int
        Number of the line, as a spreadsheet counts them.
    cells : dict of str
        Cells by the names of their columns, without the apostrophe of `guarded` and without spaces
        around them; "" for a missing cell.

    Raises
    ------
    ValueError
        If it is not a CSV file, or a required column is missing or there twice.
    OSError
        If it cannot be read.
    """
    text = _decoded(path)
    delimiter = _find_delimiter(text, needed)
    if marked := re.match(r"sep=(.)(\r\n|\r|\n)", text, flags=re.IGNORECASE):  # written by Excel
        delimiter, text = marked[1], text[marked.end() :]
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        names = _names(next(reader, []))
        if missing := [name for name in needed if name not in names]:
            raise ValueError(
                f"{path} has no column {missing[0]!r}; its first line has "
                f"{', '.join(name for name in names if name)!r}."
            )
        wanted = [*needed, *optional]
        if twice := [name for name in wanted if names.count(name) > 1]:
            raise ValueError(f"{path} has the column {twice[0]!r} twice.")
        place = {name: names.index(name) if name in names else len(names) for name in wanted}
        for number, line in enumerate(reader, 2):
            cells = dict(enumerate(line[: len(names)]))
            found = {name: cells.get(i, "").strip() for name, i in place.items()}
            yield number, {name: unguarded(cell).strip() for name, cell in found.items()}
    except csv.Error as error:
        raise ValueError(f"{path} is not a CSV file, line {reader.line_num}: {error}.") from error


def read_records(path: Path) -> tuple[list[str], list[list[str]]]:
    """Read all columns of a CSV file with any of some encodings and separators.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    names : list of str
        Names of the columns.
    lines : list of list of str
        Cells of each line, as many as there are columns, without the apostrophe of `guarded`.

    Raises
    ------
    ValueError
        If it is not a CSV file, or a column has no name or that of another.
    OSError
        If it cannot be read.
    """
    text = _decoded(path)
    first = re.split(r"[\r\n]", text, maxsplit=1)[0]
    delimiter = max(DELIMITERS, key=lambda one: len(next(csv.reader([first], delimiter=one), [])))
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        names = [name.strip() for name in next(reader, [])]
        if not names or "" in names or len(set(names)) < len(names):
            raise ValueError(f"{path} must name each column in its first line, and each once.")
        pad = [""] * len(names)
        return names, [
            [unguarded(cell) for cell in [*line, *pad][: len(names)]] for line in reader if line
        ]
    except csv.Error as error:
        raise ValueError(f"{path} is not a CSV file, line {reader.line_num}: {error}.") from error


def _names(header: list[str]) -> list[str]:
    return [name.strip().casefold() for name in header]


def _find_delimiter(text: str, needed: Collection[str]) -> str:
    first = re.split(r"[\r\n]", text, maxsplit=1)[0]
    for delimiter in DELIMITERS:
        if set(needed) <= set(_names(next(csv.reader([first], delimiter=delimiter), []))):
            return delimiter
    return DELIMITERS[0]


def _decoded(path: Path) -> str:
    data = path.read_bytes()
    if data.startswith(b"PK\x03\x04"):
        raise ValueError(f"{path} is in a spreadsheet's own format; save it as CSV.")
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return data.decode("utf-16", errors="replace")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("cp1252", errors="replace")  # Excel's default
