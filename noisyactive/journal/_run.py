"""What a journal is of, and the check that its values belong to that."""

from __future__ import annotations

import json
import math
import reprlib
from collections.abc import Iterable
from dataclasses import dataclass, fields
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._fingerprint import describe_items
from ._schema import Damaged


@dataclass(frozen=True)
class Run:
    """The table ``run``; its methods refuse values that no journal of this run holds.

    Parameters
    ----------
    classes : list
        Class labels, sorted.
    n_samples : int
        Rows of the data set.
    answers_per_item : int
        Annotators who have to answer for a row.
    parameters, data : dict of str
        Name and text of what must not differ when the run is resumed.
    written_by : str
        Program and version.

    Raises
    ------
    Damaged
        If a value is not as described; so do all methods.
    """

    classes: list[Any]
    n_samples: int
    answers_per_item: int
    parameters: dict[str, str]
    data: dict[str, str]
    written_by: str

    def __post_init__(self) -> None:
        whole(self.n_samples, "n_samples", 1)
        whole(self.answers_per_item, "answers_per_item", 1)
        text(self.written_by, "written_by")
        known = self.classes if isinstance(self.classes, list) and self.classes else [None]
        names = all(isinstance(label, str) for label in known)
        numbers = all(isinstance(label, (bool, int, float)) for label in known)
        if not (names or numbers) or not all(a < b for a, b in pairwise(known)):
            raise _wrong("classes", self.classes)
        for name in ("parameters", "data"):
            texts = getattr(self, name)
            if not isinstance(texts, dict) or not all(isinstance(x, str) for x in texts.values()):
                raise _wrong(name, texts)
        several = str(self.answers_per_item)
        if self.parameters.get("answers_per_item", several) != several:
            raise Damaged("the table run contradicts itself on answers_per_item")

    @classmethod
    def of(cls, pairs: Iterable[tuple[Any, Any]]) -> Run:
        """Read the table."""
        table = {key: parsed(value, f"the run's {reprlib.repr(key)}") for key, value in pairs}
        names = {field.name for field in fields(cls)}
        if table.keys() != names:
            raise Damaged(f"the table run lacks or adds {reprlib.repr(names ^ table.keys())}")
        return cls(**table)

    @cached_property
    def class_array(self) -> NDArray[Any]:
        """The classes as they are: NumPy would cut NUL characters off strings."""
        return np.array(self.classes, dtype=object)

    @cached_property
    def _label_of(self) -> dict[Any, Any]:
        return {json.dumps(label): label for label in self.classes}

    def check_items(self, items: Iterable[tuple[int, str, Any]]) -> None:
        """See that rows, ids and labels at the start are those that `data` describes."""
        _, names, labels = zip(*items, strict=True)
        code_of = {label: code for code, label in enumerate(self.classes)}
        codes = np.array([code_of[label] for label in labels], dtype=np.intp)
        found = describe_items(self.class_array, codes, list(names))
        if wrong := [name for name, value in found.items() if self.data.get(name, value) != value]:
            raise Damaged(f"its items are not those of the run, which has other {wrong[0]}")

    def row(self, value: Any) -> int:
        """A row of the data set."""
        return whole(value, "a row", 0, self.n_samples - 1)

    def rows(self, values: Any) -> tuple[int, ...]:
        """Rows of the data set, each once."""
        rows = tuple(self.row(value) for value in listed(values, "the list of rows"))
        if len(set(rows)) < len(rows):
            raise Damaged("a row is there twice")
        return rows

    def label(self, text: Any) -> Any:
        """The class label that a JSON text means."""
        if text not in self._label_of:
            raise _wrong("a label", text)
        return self._label_of[text]

    def labels(self, values: Any, n_rows: int, *, ties: bool = False) -> tuple[Any, ...]:
        """Class labels of an event, one for each row; None for a tie."""
        values = listed(values, "the list of labels")
        if len(values) != n_rows:
            raise Damaged(f"there are {len(values)} labels of {n_rows} rows")
        return tuple(None if ties and value is None else self._class(value) for value in values)

    def _class(self, value: Any) -> Any:
        # As text, since True, 1 and 1.0 are equal but not the same label.
        if not isinstance(value, (str, int, float)):
            raise _wrong("a label", value)
        return self.label(json.dumps(value))


def parsed(value: Any, what: str) -> Any:
    """What a JSON text holds."""
    try:
        return json.loads(text(value, what))
    except (RecursionError, ValueError) as error:
        raise Damaged(f"{what} is no JSON: {error}") from error


def text(value: Any, what: str) -> str:
    """A text."""
    if not isinstance(value, str):
        raise _wrong(what, value)
    return value


def whole(value: Any, what: str, low: int, high: int = 2**63 - 1) -> int:
    """A whole number of a range."""
    if type(value) is not int or not low <= value <= high:
        raise _wrong(what, value)
    return value


def number(value: Any, what: str, low: float = -math.inf, high: float = math.inf) -> float:
    """A number of a range, not NaN."""
    if type(value) not in (int, float) or abs(value) >= 2**63 and type(value) is int:
        raise _wrong(what, value)
    if not low <= value <= high:
        raise _wrong(what, value)
    return float(value)


def listed(value: Any, what: str) -> list[Any]:
    """A list."""
    if not isinstance(value, list):
        raise _wrong(what, value)
    return value


def _wrong(what: str, value: Any) -> Damaged:
    return Damaged(f"{what} is {reprlib.repr(value)}")
