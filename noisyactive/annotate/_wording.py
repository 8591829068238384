"""Ids, class labels and answers as people read and write them."""

from __future__ import annotations

import json
import re
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterable
from decimal import Decimal
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from .._text import is_visible, label_text
from ._cleaner_or_journal import is_started_cleaner

if TYPE_CHECKING:
    from ..cleaning import ActiveLabelCleaner
    from ..journal import Journal

CANNOT_TELL = "cannot tell"
BETWEEN = " | "  # choices that are listed in one cell

_NUMBER = re.compile(r"[+-]?[0-9]+([.,][0-9]+)?(e[+-]?[0-9]{1,4})?")
_THOUSANDS = re.compile(r"[+-]?[0-9]{1,3}([.,][0-9]{3})+")
_LOOK_ALIKES = str.maketrans("“”„‟″‘’‚‛′‐‑‒–—−", '"""""' + "'''''" + "------")
_N_SHOWN = 30

_T = TypeVar("_T")


class Answer(NamedTuple):
    """An answer of one annotator for one item.

    Parameters
    ----------
    item : str
        Id of the item.
    label : object or None
        A class label; None for "cannot tell".
    annotator : str or None
        Who answered.
    seconds : float or None
        Time spent, in seconds.
    comment : str or None
        The annotator's comment.
    """

    item: str
    label: Any
    annotator: str | None
    seconds: float | None
    comment: str | None


class Wording:
    """The ids and class labels of a run as text: written for people, and read from them.

    A label or id is written as it is. One that could be misread is written as a JSON string, in
    quotation marks: if it is empty, has spaces around it, contains control characters or a bar, is
    "cannot tell" itself, or if a spreadsheet could not distinguish two labels ("1" and "01").

    Parameters
    ----------
    cleaner : ActiveLabelCleaner or Journal
        The run.

    Attributes
    ----------
    choices : list of str
        Possible answers: each class in order, and "cannot tell".
    needs_annotator : bool
        Whether answers need the name of an annotator.

    Raises
    ------
    TypeError
        If it is neither a cleaner nor a journal, or a class is not a string, number or boolean.
    NotFittedError
        If the cleaner was not started.
    """

    def __init__(self, cleaner: ActiveLabelCleaner | Journal):
        self._list_items: Callable[[], Iterable[str]]
        if is_started_cleaner(cleaner, "cleaner must be an ActiveLabelCleaner or a Journal"):
            classes, self._list_items = cleaner.classes_.tolist(), lambda: cleaner.ids_.tolist()
        else:
            classes, self._list_items = cleaner.classes, cleaner.labels
        if strange := [label for label in classes if not isinstance(label, (str, int, float))]:
            raise TypeError(f"Classes must be strings, numbers or booleans, got {strange[0]!r}.")
        self.needs_annotator = cleaner.answers_per_item > 1
        bare = [label_text(label) for label in classes]
        alike = _by_key(bare, _readings)
        texts = []
        for text in bare:
            doubtful = any(len(alike[reading]) > 1 for reading in _readings(text))
            doubtful = doubtful or BETWEEN.strip() in text or _loose(text) == CANNOT_TELL
            plain = written(text)
            texts.append(_quoted(text) if doubtful and plain == text else plain)
        self.choices = [*texts, CANNOT_TELL]
        self._text_of = dict(zip(classes, texts, strict=True))
        self._label_of = dict(zip(self.choices, [*classes, None], strict=True))
        self._by_loose = _by_key(self.choices, lambda text: [_loose(text)])
        self._by_reading = _by_key(zip(texts, bare, strict=True), lambda pair: _readings(pair[1]))

    def text_of(self, label: Any) -> str:
        """Write a class label; None is empty text."""
        return "" if label is None else self._text_of[label]

    def label_of(self, text: str) -> Any:
        """Find the class label that an answer means, or None for "cannot tell".

        Changes by people and spreadsheets are understood if only one class can be meant: upper and
        lower case, typographic marks, 1.0 for 1, 1 for "01".

        Parameters
        ----------
        text : str
            The answer.

        Returns
        -------
        object or None
            A class label.

        Raises
        ------
        ValueError
            If it is not among the choices, or could be several of them.
        """
        if text in self._label_of:
            return self._label_of[text]
        found = self._by_loose.get(_loose(text), [])
        if not found:
            pairs = [pair for key in _readings(text) for pair in self._by_reading.get(key, [])]
            found = sorted({choice for choice, _ in pairs})
        if len(found) == 1:
            return self._label_of[found[0]]
        if found:
            raise ValueError(f"{text!r} may be {_listed(found)}; write it exactly as here")
        raise ValueError(f"{text!r} is not among the choices: {_listed(self.choices)}")

    def find_item(self, text: str) -> str | None:
        """Find the id that is written as this text, or None."""
        return self._item_of.get(text)

    def item_of(self, text: str) -> str:
        """Find the id that is written as this text.

        Raises
        ------
        ValueError
            If no item of the run has this id.
        """
        if text in self._item_of:
            return self._item_of[text]
        wanted = {_loose(text), *_readings(text)}
        near = (item for item in self._item_of if wanted & {_loose(item), *_readings(item)})
        meant = next(near, None)
        hint = "" if meant is None else f"; if a spreadsheet has changed {meant!r}, restore it"
        raise ValueError(f"{text!r} is not the id of an item of this run{hint}")

    def answer(
        self,
        item: str,
        choice: str | None,
        *,
        annotator: str | None,
        seconds: float | None,
        comment: str | None,
    ) -> Answer:
        """Make an answer of what a file holds.

        Parameters
        ----------
        item : str
            Id of the item, as it is written in the file.
        choice : str or None
            The answer, as it is written in the file; None for "cannot tell".
        annotator, seconds, comment
            As in `Answer`; None where they are missing.

        Returns
        -------
        Answer
            With the run's own id and class label.

        Raises
        ------
        ValueError
            If the annotator is needed and missing, or `item` or `choice` is not of this run.
        """
        if annotator is None and self.needs_annotator:
            raise ValueError("the annotator is missing, but each item has several annotators")
        return Answer(
            item=self.item_of(item),
            label=None if choice is None else self.label_of(choice),
            annotator=annotator,
            seconds=seconds,
            comment=comment,
        )

    @cached_property
    def _item_of(self) -> dict[str, str]:
        return {written(item): item for item in self._list_items()}


def written(text: str) -> str:
    """Write a text in one line that cannot be misread: as it is, or as a JSON string.

    Parameters
    ----------
    text : str
        Any text.

    Returns
    -------
    str
        Never empty, without spaces around it and without control characters. Different texts are
        written differently.
    """
    odd = not text or text != text.strip() or _loose(text[0]).startswith('"')
    shown = text.isprintable() or all(map(is_visible, text))  # the first is fast
    return text if shown and not odd else _quoted(text)


def batches(answers: Iterable[Answer]) -> list[dict[str, Any]]:
    """Group answers by annotator, each as keyword arguments of `teach`."""
    of: dict[str | None, list[Answer]] = defaultdict(list)
    for answer in answers:
        of[answer.annotator].append(answer)
    return [
        {
            "rows": [answer.item for answer in said],
            "answers": [answer.label for answer in said],
            "annotator": annotator,
            "seconds": [answer.seconds for answer in said],
            "comments": [answer.comment for answer in said],
        }
        for annotator, said in of.items()
    ]


def _quoted(text: str) -> str:
    """A JSON string in which only invisible characters are escaped."""
    quoted = json.dumps(text, ensure_ascii=False)
    return "".join(c if is_visible(c) else json.dumps(c)[1:-1] for c in quoted)


def _listed(texts: list[str]) -> str:
    """Texts for a message; of very many, the first ones and the last."""
    shown = [*texts[:_N_SHOWN], "...", texts[-1]] if len(texts) > _N_SHOWN + 1 else texts
    return ", ".join(shown)


def _loose(text: str) -> str:
    """The same for texts that look the same to people."""
    folded = unicodedata.normalize("NFKC", text).translate(_LOOK_ALIKES).casefold()
    return " ".join(folded.split())


def _readings(text: str) -> set[Decimal | str]:
    """Values that a spreadsheet may take a text for: numbers, or a truth value."""
    text = _loose(text)
    if text in ("true", "false"):
        return {text}
    found: set[Decimal | str] = set()
    if _NUMBER.fullmatch(text):
        found.add(Decimal(text.replace(",", ".")))
    if _THOUSANDS.fullmatch(text):
        found.add(Decimal(text.replace(",", "").replace(".", "")))
    return found


def _by_key(texts: Iterable[_T], keys: Callable[[_T], Iterable[Any]]) -> dict[Any, list[_T]]:
    found: dict[Any, list[_T]] = defaultdict(list)
    for text in texts:
        for key in keys(text):
            found[key].append(text)
    return dict(found)
