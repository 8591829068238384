"""What there is to look at for a sample: images, text, tables and series, as JSON for the page."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from datetime import date
from os import PathLike
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .._arrays import described
from .._images import NotShown

MAX_TEXT = 200_000  # characters of a text
MAX_CELL = 2_000  # of a cell of a table
MAX_ROWS = 1_000  # of a table
MAX_PARTS = 24
N_POINTS = 1_200  # of a plot: more than it has pixels
MAX_COLUMNS = 60  # of an array that is shown as a table; more are plotted

Look = Callable[[int, str], Any]


class Part(NamedTuple):
    """One thing to look at.

    Parameters
    ----------
    kind : {"image", "text", "table", "series", "missing"}
        How it is shown.
    title : str
        What it is; "" if it has no name.
    content : object
        What `render` takes, a str, a list of (name, text), an array of shape (n_points,), or None.
    """

    kind: str
    title: str
    content: Any


def parts_of(shown: Any) -> list[Part]:
    """Take apart what a function ``show(row)`` returned.

    Parameters
    ----------
    shown : object
        See `serve`.

    Returns
    -------
    list of Part
        At most 24.

    Raises
    ------
    NotShown
        If it is None, empty, or nothing that can be shown.
    """
    found = list(_parts("", shown))
    if all(part.kind == "missing" for part in found):
        raise NotShown("There is nothing to look at for this item.")
    if len(found) > MAX_PARTS:
        raise NotShown(f"There are {len(found)} things to look at; at most {MAX_PARTS} are shown.")
    return found


def as_json(part: Part) -> dict[str, Any]:
    """A part for the page; images are fetched by their number among the parts."""
    shown = {"kind": part.kind, "title": part.title}
    match part.kind:
        case "text":
            return shown | {"text": part.content[:MAX_TEXT], "cut": len(part.content) > MAX_TEXT}
        case "table":
            rows = [[name[:MAX_CELL], text[:MAX_CELL]] for name, text in part.content]
            return shown | {"rows": rows[:MAX_ROWS], "cut": max(0, len(rows) - MAX_ROWS)}
        case "series":
            return shown | _plot(part.content)
    return shown


def samples_of(X: Any) -> Look | None:
    """Make a function that shows each sample of a data set that holds no images.

    Parameters
    ----------
    X : DataFrame, Series, list of str, or array of length n_samples
        The samples. Texts are shown as such, and the columns of a table with their names; arrays of
        more than 60 columns are plotted.

    Returns
    -------
    callable or None
        ``look(row, item)``; None if they cannot be shown.
    """
    if hasattr(X, "iloc") and hasattr(X, "columns"):
        names = [str(name) for name in X.columns]
        return lambda row, item: {name: X.iloc[row, column] for column, name in enumerate(names)}
    if hasattr(X, "iloc"):
        return lambda row, item: X.iloc[row]
    if isinstance(X, (list, tuple)):
        return (lambda row, item: X[row]) if X and isinstance(X[0], str) else None
    kind = getattr(getattr(X, "dtype", None), "kind", "")
    shape: tuple[int, ...] = getattr(X, "shape", ())
    if len(shape) == 1 and kind in "OUT":
        return lambda row, item: X[row]
    if len(shape) != 2 or not hasattr(X, "__array__"):  # sparse, for example
        return None
    if shape[1] > MAX_COLUMNS:
        return lambda row, item: np.asarray(X[row])
    return lambda row, item: {
        f"column {column}": value for column, value in enumerate(np.asarray(X[row]))
    }


def _parts(title: str, shown: Any) -> Iterator[Part]:
    if shown is None:
        yield Part("missing", title, None)
    elif _is_cell(shown) and not isinstance(shown, str):
        yield Part("text", title, _cell(shown))
    elif isinstance(shown, str):
        yield Part("text", title, shown)
    elif isinstance(shown, PathLike) or hasattr(shown, "getbands"):  # of a PIL image
        yield Part("image", title, shown)
    elif isinstance(shown, Mapping) or _is_record(shown):
        yield from _of_record(title, shown)
    elif isinstance(shown, (list, tuple)):
        for one in shown:
            yield from _parts(title, one)
    elif len(getattr(shown, "shape", ())) == 1:
        yield Part("series", title, _numbers(shown))
    elif len(getattr(shown, "shape", ())) in (2, 3):
        yield Part("image", title, shown)
    else:
        raise NotShown(f"The function returned {described(shown)}, which cannot be shown.")


def _of_record(title: str, record: Any) -> Iterator[Part]:
    """Values that follow each other are one table; what is larger comes under its name."""
    cells: list[tuple[str, str]] = []
    for name, value in record.items():
        if _is_cell(value):
            cells.append((str(name), _cell(value)))
            continue
        if cells:
            yield Part("table", title, cells)
            cells = []
        yield from _parts(str(name), value)
    if cells:
        yield Part("table", title, cells)


def _is_record(value: Any) -> bool:
    """Whether it is a row of a DataFrame: a Series with names."""
    return hasattr(value, "iloc") and hasattr(value, "items") and len(value.shape) == 1


def _is_cell(value: Any) -> bool:
    return (
        value is None
        or isinstance(value, (str, bool, int, float, complex, date, np.generic))
        or type(value).__name__ in ("NAType", "NaTType", "Decimal", "Timedelta", "Interval")
        or getattr(value, "shape", None) == ()
    )


def _cell(value: Any) -> str:
    """A value of a table as text; numbers with six digits, "" where it is missing."""
    if getattr(value, "shape", None) == ():
        value = value.item()
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return ""
    if isinstance(value, float):
        return "" if math.isnan(value) else f"{value:.6g}"
    return str(value).removesuffix(" 00:00:00")  # of a day


def _numbers(values: Any) -> NDArray[np.float64]:
    if hasattr(values, "detach"):  # a tensor
        values = values.detach().cpu().float()
    array = np.asarray(values)
    if array.dtype.kind not in "biuf":
        raise NotShown(f"A series must hold numbers, got {array.dtype}.")
    return array.astype(np.float64)


def _plot(values: NDArray[np.float64]) -> dict[str, Any]:
    """Points of a line: of a long series, the lowest and highest of each part, so peaks stay."""
    n = len(values)
    where = np.arange(n)
    if n > N_POINTS:
        bounds = np.linspace(0, n, N_POINTS // 2 + 1).astype(np.intp)
        where = np.unique([
            start + place(np.nan_to_num(values[start:stop], nan=fill))
            for start, stop in zip(bounds[:-1], bounds[1:], strict=True)
            for place, fill in ((np.argmin, np.inf), (np.argmax, -np.inf))
        ])  # fmt: skip
    finite = values[np.isfinite(values)]
    return {
        "n": n,
        "x": where.tolist(),
        "y": [value if math.isfinite(value) else None for value in values[where].tolist()],
        "low": float(finite.min()) if finite.size else None,
        "high": float(finite.max()) if finite.size else None,
    }
