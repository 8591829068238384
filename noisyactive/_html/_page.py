"""Templates of pages that share one frame, style and macros."""

from __future__ import annotations

from datetime import datetime, timezone
from importlib.resources import files
from typing import Any, NamedTuple

NOTHING = "–"


class Entry(NamedTuple):
    """A name, its value and a note."""

    name: str
    value: str
    note: str = ""


def when(time: str) -> str:
    """A time in UTC, to the minute."""
    return f"{time[:10]} {time[11:16]} UTC" if time else NOTHING


def now() -> str:
    """The time of writing."""
    return when(datetime.now(timezone.utc).isoformat())


def page_template(package: str | None, name: str, caller: str) -> Any:
    """Read the template of a page, which shows values as text, never as markup.

    Parameters
    ----------
    package : str
        Package that holds the template.
    name : str
        Its file, which extends "page.html" and may import from "parts.html".
    caller : str
        Name of what needs it, for the error.

    Returns
    -------
    jinja2.Template
        All variables that it uses must be passed to its `render`.

    Raises
    ------
    ImportError
        If Jinja2 is not installed.
    """
    try:
        from jinja2 import DictLoader, Environment, StrictUndefined
    except ImportError as error:
        raise ImportError(
            f'{caller} needs Jinja2, which is not installed: pip install "noisyactive[plot]".'
        ) from error
    sources = {"page.html": __package__, "parts.html": __package__, name: package}
    texts = {
        file: files(where or "").joinpath(file).read_text(encoding="utf-8")
        for file, where in sources.items()
    }
    environment = Environment(
        loader=DictLoader(texts),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(name)
