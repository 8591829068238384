"""What the labelling page reads from the journal and writes to it."""

from __future__ import annotations

import hashlib
import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from .._images import NotShown, Picture, render
from ..journal import Journal, OpenItem, percent
from ._sitting import last_sitting, summary

MAX_COMMENT = 2000
MAX_NAME = 100
MAX_SECONDS = 86_400.0  # of one answer: a day

UNDO_SECONDS = 10.0  # after an answer, in which taking it back is free

_N_AHEAD = 3  # items sent at a time, so that the page can fetch the next two images early
_HELD_SECONDS = 300.0  # how long an item that one tab shows is kept from other tabs

_log = logging.getLogger(__name__)


class JournalError(Exception):
    """The journal cannot be read or written now; the message gives the reason."""


class LabellingService:
    """Read a journal and the images of its items for the page, and write answers.

    Parameters
    ----------
    path : Path
        The journal.
    images : callable or None
        ``images(row, item)`` returns what `render` takes.
    annotator : str or None
        Who answers. None asks on the page.
    blind : bool
        Whether to keep labels and suggestions from the page.

    Attributes
    ----------
    run : str
        Identifies the run, also after the server was started again.
    n_classes : int
        Number of classes.
    needs_name : bool
        Whether answers need the name of an annotator.

    Raises
    ------
    ValueError, OSError
        As `Journal` does.
    """

    def __init__(
        self,
        path: Path,
        images: Callable[[int, str], Any] | None,
        annotator: str | None,
        blind: bool,
    ):
        self._journal = Journal(path)
        self._images = images
        self.annotator = annotator
        self.blind = blind
        self._items: dict[int, str] = {}  # ids of rows whose images may be shown
        self._held: dict[int, tuple[str, float]] = {}  # by row: tab and time
        self._taken_back: dict[tuple[str | None, int], str] = {}  # and the time of the answer
        self._holding = threading.Lock()
        self._writing = threading.Lock()
        self.n_classes = len(self._journal.classes)
        self.needs_name = self._journal.answers_per_item > 1
        first = self._journal.events()[:1]  # it holds the seed
        self.run = _digest(path.resolve(), first, self._journal.n_samples, self._journal.classes)

    def state(self, annotator: str | None, tab: str) -> dict[str, Any]:
        """Return what the page shows to one annotator.

        Parameters
        ----------
        annotator : str or None
            Who asks.
        tab : str
            Identifies the browser's tab. Different tabs get different items while there are
            enough; "" gets any.

        Returns
        -------
        dict
            For JSON. Labels are positions in `classes`. Items have no label, no suggestion and no
            reason if the service is blind.
        """
        with _explained():
            n_waiting = self._journal.n_open(annotator)
            next_items = self._next_items(annotator, tab)
            progress = self._journal.progress()
            seconds_per_item = self._journal.seconds_per_item(annotator)
            is_running = self._journal.is_running()
        self._items.update((item.row, item.item) for item in next_items)
        items = []
        for item in next_items:
            shown: dict[str, Any] = {"row": item.row, "item": item.item, "reason": ""}
            if not self.blind:
                shown["reason"] = item.reason
                shown["label"] = self._code(item.label)
                shown["suggested"] = self._code(item.suggested)
                shown["probability"] = item.probability
                if item.probability is not None:
                    shown["percent"] = percent(item.probability)
            items.append(shown)
        return {
            "run": self.run,
            "name": self._journal.path.name,
            "classes": [str(label) for label in self._journal.classes],
            "annotator": self.annotator,
            "needs_name": self.needs_name,
            "blind": self.blind,
            "images": self._images is not None,
            "progress": asdict(progress),
            "waiting": n_waiting,
            "seconds_per_item": seconds_per_item,
            "running": is_running,
            "undo_seconds": UNDO_SECONDS,
            "items": items,
        }

    def previous(self, annotator: str | None, back: int) -> dict[str, Any] | None:
        """Return an item that this annotator answered, with the answer.

        Parameters
        ----------
        annotator : str or None
            Who asks.
        back : int
            How many items ago; 1 is the latest.

        Returns
        -------
        dict or None
            For JSON; None if there are fewer. Its `time` identifies the answer in a correction,
            which is not charged (`free`) if the answer is only a few seconds old now.
        """
        with _explained():
            answer, n_answered = self._journal.latest_answer(annotator, back=back)
            if answer is None or back < 1:
                return None
            is_free = self._take_back(annotator, answer)
        shown = {
            "row": answer["row"],
            "item": answer["item"],
            "answer": self._code(answer["new_label"]),
            "comment": answer["comment"] or "",
            "time": answer["time"],
            "back": back,
            "free": is_free,
            "n_answered": n_answered,
        }
        if not self.blind:
            shown["label"] = self._code(answer["old_label"])
        return shown

    def answer(
        self,
        row: int,
        code: int | None,
        *,
        annotator: str | None,
        seconds: float | None,
        comment: str,
        corrects: str | None,
    ) -> str:
        """Write an answer to disk. An answer that is sent twice counts once.

        Parameters
        ----------
        row : int
            Row of the data set.
        code : int or None
            Position of the label among the classes; None for "cannot tell".
        annotator : str or None
            Who answers.
        seconds : float or None
            Time spent.
        comment : str
            A remark, or "".
        corrects : str or None
            Time of the annotator's own answer that this one corrects; None for a first answer.

        Returns
        -------
        {"recorded", "already", "elsewhere"}
            "already" if the same answer is in the journal. "elsewhere" if the item no longer waits
            for an answer or, for a correction, if another correction came first. Only "recorded"
            writes.
        """
        label = None if code is None else self._journal.classes[code]
        with self._writing:
            with _explained():
                last, _ = self._journal.latest_answer(annotator, row=row)
            said = None if last is None else (last["new_label"], last["comment"] or "")
            if last is not None and said == (label, comment):
                return "already"
            if corrects is not None and (last is None or last["time"] != corrects):
                return "elsewhere"
            with _explained():
                written = self._journal.answer(
                    [row],
                    [label],
                    annotator=annotator,
                    seconds=[seconds],
                    comments=[comment or None],
                    only_open=corrects is None,
                    charged=corrects is None or self._taken_back.get((annotator, row)) != corrects,
                )
                self._taken_back.pop((annotator, row), None)
        with self._holding:
            self._held.pop(row, None)
        return "recorded" if written else "elsewhere"

    def sitting(self, annotator: str | None) -> dict[str, Any]:
        """Return what one annotator has done since the last long break.

        Parameters
        ----------
        annotator : str or None
            Who asks.

        Returns
        -------
        dict
            For JSON, see `summary`; without what tells of labels if the service is blind.
        """
        with _explained():
            answers = self._journal.answers()
            found = summary(last_sitting([a for a in answers if a["annotator"] == annotator]))
        if self.blind:
            del found["kept"], found["changed"]
        return found

    def picture(self, row: int) -> Picture:
        """Return the image of a row that waits for an answer or has one.

        Raises
        ------
        LookupError
            If the row was never asked about.
        NotShown
            If it cannot be shown.
        """
        if row not in self._items:
            with _explained():
                found = self._journal.item(row)
            if found is None:
                raise LookupError(row)
            self._items[row] = found
        item = self._items[row]
        if self._images is None:
            raise NotShown("There are no images here.")
        try:
            return render(self._images(row, item))
        except NotShown as error:
            _log.warning("Item %r cannot be shown: %s (%r)", item, error, error.__cause__)
            raise
        except Exception as error:  # of the user's function, or two files that fit the id
            _log.warning("Item %r cannot be shown.", item, exc_info=True)
            reason = str(error) if isinstance(error, ValueError) else "Its image cannot be read."
            raise NotShown(reason) from error

    def _take_back(self, annotator: str | None, answer: dict[str, Any]) -> bool:
        """Whether an answer that is shown again may be changed for free; this is remembered."""
        key = (annotator, answer["row"])
        if self._taken_back.get(key) == answer["time"]:
            return True
        age = datetime.now(timezone.utc) - datetime.fromisoformat(answer["time"])
        is_fresh = age.total_seconds() <= UNDO_SECONDS
        if is_fresh:
            self._taken_back[key] = answer["time"]
        return is_fresh

    def _next_items(self, annotator: str | None, tab: str) -> list[OpenItem]:
        """What a tab shows next: first what no other tab shows, unless each annotator answers."""
        if self.needs_name and annotator is None:
            return []
        if self.needs_name or not tab:
            return self._journal.open_items(annotator, limit=_N_AHEAD)
        with self._holding:
            now = time.monotonic()
            self._held = {
                row: (who, since)
                for row, (who, since) in self._held.items()
                if now - since < _HELD_SECONDS and who != tab
            }
            # Behind the items that other tabs show, there are enough for this one.
            waiting = self._journal.open_items(annotator, limit=_N_AHEAD + len(self._held))
            waiting.sort(key=lambda item: item.row in self._held)
            if waiting:
                self._held.setdefault(waiting[0].row, (tab, now))
        return waiting[:_N_AHEAD]

    def _code(self, label: Any) -> int | None:
        return None if label is None else self._journal.classes.index(label)


@contextmanager
def _explained() -> Iterator[None]:
    """Turn errors into `JournalError`: what the page sent was checked before."""
    try:
        yield
    except (OSError, ValueError) as error:
        raise JournalError(str(error)) from error


def _digest(*parts: Any) -> str:
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]
