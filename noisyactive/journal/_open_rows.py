"""The rows that wait for an answer, of all annotators and of each."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection, Iterable, Iterator, Mapping

from ._answers import check_annotator

Answers = Mapping[int, Collection[str | None]]


class OpenRows:
    """Rows that wait for an answer, in the order in which they are asked about.

    The first row, the number of rows, and taking one away cost the same however many there are,
    also for one annotator. (A dict would step over each row that was taken from its beginning.)

    Parameters
    ----------
    asked : iterable of int, default=()
        Rows of the question; all of them wait.
    answers : mapping of int to collection of str or None, default={}
        Row and the annotators who have answered it.

    Attributes
    ----------
    place : dict of int
        Row, and its place in the question, from 0.
    n_asked : int
        Rows of the question that wait.
    """

    def __init__(self, asked: Iterable[int] = (), answers: Answers | None = None):
        self._rows: OrderedDict[int, None] = OrderedDict.fromkeys(asked)
        self.place = {row: place for place, row in enumerate(self._rows)}
        self.n_asked = len(self._rows)
        # Of those who have answered an open row: what is left to them.
        self._left: dict[str, OrderedDict[int, None]] = {}
        if answers:
            for row in self._rows:
                for annotator in answers.get(row, ()):
                    self.answered(row, annotator)

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[int]:
        return iter(self._rows)

    def __contains__(self, row: object) -> bool:
        return row in self._rows

    def __repr__(self) -> str:
        left = {annotator: list(rows) for annotator, rows in self._left.items()}
        return f"<OpenRows {list(self)}, left to {left}, asked {list(self.place)}>"

    def left_to(self, annotator: str | None) -> Collection[int]:
        """Rows apart from those that this annotator has answered; None leaves out none."""
        check_annotator(annotator)
        return self._rows if annotator is None else self._left.get(annotator, self._rows)

    def answered(self, row: int, annotator: str | None) -> None:
        """Note that an annotator has answered a row, which may go on waiting for others."""
        if annotator is None or row not in self._rows:
            return
        if annotator not in self._left:
            self._left[annotator] = self._rows.copy()
        self._left[annotator].pop(row, None)

    def close(self, rows: Iterable[int]) -> None:
        """Take away rows; those that do not wait are ignored."""
        for row in rows:
            if row in self._rows:
                for left in (self._rows, *self._left.values()):
                    left.pop(row, None)
                self.n_asked -= row in self.place

    def reopen(self, rows: Iterable[int], answers: Answers) -> None:
        """Put rows at the end, wherever they were, for those who have not answered them."""
        rows = list(rows)
        self.close(rows)
        for row in rows:
            for left in (self._rows, *self._left.values()):
                left[row] = None
            self.n_asked += row in self.place
            for annotator in answers.get(row, ()):
                self.answered(row, annotator)
