"""What the labelling page reads from the journal and writes to it."""

from __future__ import annotations

import hashlib
import os
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from .._images import Picture
from ..journal import Journal, OpenItem, percent
from ._examples import Examples
from ._items import Items
from ._sitting import last_sitting, summary

MAX_COMMENT = 2000
MAX_SECONDS = 86_400.0  # of one answer: a day

UNDO_SECONDS = 10.0  # after an answer, in which taking it back is free

_N_AHEAD = 3  # items sent at a time, so that the page can fetch the next two images early
_N_LISTED = 50  # answers on one page of the list of one's own
_HELD_SECONDS = 300.0  # how long an item that one tab shows is kept from other tabs


class JournalError(Exception):
    """The journal cannot be read or written now; the message gives the reason."""


class LabellingService:
    """Read a journal and the images of its items for the page, and write answers.

    Parameters
    ----------
    path : Path
        The journal.
    items : Items or None
        What the items look like; None if only their names are known.
    annotator : str or None
        Who answers. None asks on the page.
    blind : bool
        Whether to keep labels and suggestions from the page.
    adjudicator : str, default=None
        Who is asked about the items on which others disagree, and only about these.
    people : sequence of str, default=()
        Annotators who have tokens of their own; empty for names that are typed.
    reference : path, default=None
        A folder with examples of each class; None chooses among verified items.

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
        items: Items | None,
        annotator: str | None,
        blind: bool,
        adjudicator: str | None = None,
        people: Sequence[str] = (),
        reference: str | os.PathLike[str] | None = None,
    ):
        self._journal = Journal(path)
        self._looks = items or Items(None, None)
        self.annotator = annotator
        self.blind = blind
        self.adjudicator = adjudicator
        self.people = people
        self._items: dict[int, str] = {}  # ids of rows whose images may be shown
        self._held: dict[int, tuple[str, float]] = {}  # by row: tab and time
        self._taken_back: dict[tuple[str | None, int], str] = {}  # and the time of the answer
        self._holding = threading.Lock()
        self._writing = threading.Lock()
        self.n_classes = len(self._journal.classes)
        self.needs_name = self._journal.answers_per_item > 1
        self._examples = Examples(self._journal, reference)
        first = self._journal.events()[:1]  # it holds the seed
        about = self._journal.run
        self.run = _digest(path.resolve(), first, about.n_samples, about.classes, about.data)

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
        adjudicates = self._decides(annotator)
        with _explained():
            n_waiting = self._n_waiting(annotator, adjudicates)
            next_items = self._next_items(annotator, tab, adjudicates)
            progress = asdict(self._journal.progress())
            answered = self._journal.people()
            said = {item.row: self._said(item.row) for item in next_items if adjudicates}
            seconds_per_item = self._journal.seconds_per_item(annotator)
            is_running = self._journal.is_running()
        if adjudicates:
            progress["answered"] = answered.get(annotator, 0)
            progress["asked"] = progress["answered"] + n_waiting
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
            if adjudicates:
                shown["answers"] = said[item.row]
            items.append(shown)
        return {
            "run": self.run,
            "name": self._journal.path.name,
            "classes": [str(label) for label in self._journal.classes],
            "annotator": annotator if self.people else self.annotator,
            "personal": bool(self.people),
            "adjudicates": adjudicates,
            "people": [
                {"name": name, "answered": answered.get(name, 0)}
                for name in self.people or [name for name in answered if name is not None]
            ],
            "needs_name": self.needs_name,
            "blind": self.blind,
            "images": self._looks.kind != "nothing",
            "shows": self._looks.kind,
            "progress": progress,
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
            is_free = self._take_back(annotator, answer) and answer["flag"] != "unusable"
        shown = {
            "row": answer["row"],
            "item": answer["item"],
            "back": back,
            "free": is_free,
            "n_answered": n_answered,
            **self._told(answer),
        }
        if self._decides(annotator):
            with _explained():
                said = self._said(answer["row"])
            shown["answers"] = [one for one in said if one["annotator"] != annotator]
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
        unusable: bool = False,
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
        unusable : bool, default=False
            Whether what there is to look at is missing or no use; then there is no label, and the
            answer is not charged.

        Returns
        -------
        {"recorded", "already", "elsewhere"}
            "already" if the same answer is in the journal. "elsewhere" if the item no longer waits
            for an answer or, for a correction, if another correction came first. Only "recorded"
            writes.
        """
        label = None if code is None else self._journal.classes[code]
        flag = "unusable" if unusable else "not shown" if row in self._looks.failed else ""
        with self._writing:
            with _explained():
                last, _ = self._journal.latest_answer(annotator, row=row)
            if last is not None and (label, comment, unusable) == (
                last["new_label"],
                last["comment"] or "",
                last["flag"] == "unusable",
            ):
                return "already"
            if corrects is not None and (last is None or last["time"] != corrects):
                return "elsewhere"
            if corrects is None and self._decides(annotator):
                with _explained():
                    if not self._journal.is_disputed(row):
                        return "elsewhere"
            with _explained():
                written = self._journal.answer(
                    [row],
                    [label],
                    annotator=annotator,
                    seconds=[seconds],
                    comments=[comment or None],
                    only_open=corrects is None and not self._decides(annotator),
                    charged=not self._is_free(annotator, last, corrects),
                    flag=flag,
                    decides=self._decides(annotator),
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

    def look(self, row: int) -> list[dict[str, Any]]:
        """Return the parts of an item that waits for an answer or has one, for JSON.

        Raises
        ------
        LookupError
            If the row was never asked about.
        NotShown
            If there is nothing to look at.
        """
        return self._looks.describe(row, self._known(row))

    def picture(self, row: int, number: int = 0) -> Picture:
        """Return an image of an item that waits for an answer or has one.

        Parameters
        ----------
        row : int
            Row of the data set.
        number : int, default=0
            Which part of the item it is.

        Returns
        -------
        Picture
            The image.

        Raises
        ------
        LookupError
            If the row was never asked about, or the part is no image.
        NotShown
            If it cannot be shown.
        """
        return self._looks.picture(row, self._known(row), number)

    def _known(self, row: int) -> str:
        """The id of a row that may be shown."""
        if row not in self._items:
            with _explained():
                found = self._journal.item(row)
            if found is None:
                raise LookupError(row)
            self._items[row] = found
        return self._items[row]

    def answers(self, annotator: str | None, skip: int) -> dict[str, Any]:
        """Return what an annotator has answered, the latest first.

        Parameters
        ----------
        annotator : str or None
            Who asks.
        skip : int
            How many of the latest to leave out.

        Returns
        -------
        dict
            For JSON: a page of ``answers``, each with the `back` of `previous`, and their number.
        """
        with _explained():
            found, n = self._journal.answers_of(annotator, skip=skip, limit=_N_LISTED)
        listed = [
            {"item": answer["item"], "back": skip + place, **self._told(answer)}
            for place, answer in enumerate(found, 1)
        ]
        return {"answers": listed, "n_answered": n}

    def examples(self) -> list[dict[str, Any]]:
        """Return typical examples of each class, for JSON; see `Examples`.

        Without what the model thought of them if the service is blind.
        """
        with _explained():
            found = self._examples.describe()
        if self.blind:
            for one in found:
                one["examples"] = [{**e, "probability": None} for e in one["examples"]]
        return found

    def example(self, code: int, number: int) -> Picture:
        """Return an example's image from the folder; see `Examples`."""
        return self._examples.picture(code, number)

    def _decides(self, annotator: str | None) -> bool:
        return annotator is not None and annotator == self.adjudicator

    def _n_waiting(self, annotator: str | None, adjudicates: bool) -> int:
        if adjudicates:
            return self._journal.n_disputed()
        return self._journal.n_open(annotator, disputed=self.adjudicator is None)

    def _said(self, row: int) -> list[dict[str, Any]]:
        """What the annotators of a row have said, for an adjudicator."""
        return [
            {"annotator": answer["annotator"], **self._told(answer)}
            for answer in self._journal.answers_to(row)
        ]

    def _told(self, answer: dict[str, Any]) -> dict[str, Any]:
        return {
            "answer": self._code(answer["new_label"]),
            "unusable": answer["flag"] == "unusable",
            "not_shown": answer["flag"] == "not shown",
            "comment": answer["comment"] or "",
            "time": answer["time"],
        }

    def _is_free(
        self, annotator: str | None, last: dict[str, Any] | None, corrects: str | None
    ) -> bool:
        """Whether an answer replaces one that was charged, and that was taken back at once."""
        if last is None or corrects is None or last["flag"] == "unusable":
            return False
        return self._taken_back.get((annotator, last["row"])) == corrects

    def _take_back(self, annotator: str | None, answer: dict[str, Any]) -> bool:
        """Whether an answer that is shown again may be changed for free; this is remembered."""
        key = (annotator, answer["row"])
        if self._taken_back.get(key) == answer["time"]:
            return True
        if not answer["time"]:  # another program's, which did not say when
            return False
        age = datetime.now(timezone.utc) - datetime.fromisoformat(answer["time"])
        is_fresh = age.total_seconds() <= UNDO_SECONDS
        if is_fresh:
            self._taken_back[key] = answer["time"]
        return is_fresh

    def _next_items(self, annotator: str | None, tab: str, adjudicates: bool) -> list[OpenItem]:
        """What a tab shows next: first what no other tab shows, unless each annotator answers."""
        if adjudicates:
            return self._journal.disputed_items(limit=_N_AHEAD)
        if self.needs_name and annotator is None:
            return []
        if self.needs_name or not tab:
            return self._journal.open_items(
                annotator, limit=_N_AHEAD, disputed=self.adjudicator is None
            )
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
