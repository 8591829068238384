"""One progress bar for a long call, and for everything that it calls."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from tqdm.auto import tqdm

_FORMAT = "{desc} {percentage:3.0f}%|{bar}| {elapsed}<{remaining}{postfix}"


class Task:
    """A stretch of a bar that is covered in equal steps.

    Parameters
    ----------
    bar : tqdm
        A bar from 0 to 1.
    start, width : float
        The stretch.
    n_steps : int
        Steps.
    """

    def __init__(self, bar: Any, start: float, width: float, n_steps: int):
        self._bar, self._start, self._width = bar, start, width
        self._n_steps, self._n_done = max(1, n_steps), 0

    def step(self, **facts: float | int | str) -> None:
        """One more step is done.

        Parameters
        ----------
        **facts : float, int or str
            What is known by now, shown beside the bar.
        """
        self._n_done = min(self._n_done + 1, self._n_steps)
        self._move(facts)

    def finish(self) -> None:
        """The rest is done too, or need not be."""
        self._n_done = self._n_steps
        self._move({})

    def part(self, n_steps: int) -> Task:
        """The next step, as a task of its own."""
        width = self._width / self._n_steps
        return Task(self._bar, self._start + width * self._n_done, width, n_steps)

    def _move(self, facts: dict[str, Any]) -> None:
        if facts:
            texts = (
                f"{k} {v:.3g}" if isinstance(v, float) else f"{k} {v}" for k, v in facts.items()
            )
            self._bar.set_postfix_str(", ".join(texts), refresh=False)
        reached = self._start + self._width * self._n_done / self._n_steps
        self._bar.update(max(0.0, reached - self._bar.n))  # never backwards


_current: ContextVar[Task | None] = ContextVar("task", default=None)


def report(**facts: float | int | str) -> None:
    """One more step of what is under way is done; see `Task.step`."""
    task = _current.get()
    if task is not None:
        task.step(**facts)


@contextmanager
def progress(title: str, n_steps: int, *, verbose: int) -> Iterator[None]:
    """Show how far the block is, unless a call around it does.

    Parameters
    ----------
    title : str
        What is being done.
    n_steps : int
        Steps, each of which the block is to `report`.
    verbose : int
        0 shows nothing, unless a call around it does.
    """
    outer = _current.get()
    if outer is None and not verbose:
        yield
        return
    if outer is not None:
        bar, task = None, outer.part(n_steps)
    else:
        bar = tqdm(total=1.0, desc=title, bar_format=_FORMAT, miniters=0)
        task = Task(bar, 0.0, 1.0, n_steps)
    token = _current.set(task)
    try:
        yield
        task.finish()
    finally:
        _current.reset(token)
        if bar is not None:
            bar.close()
