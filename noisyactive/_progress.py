"""How far a long call is: one progress bar for all that it calls, and scikit-learn's callbacks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import Any, TypeVar

from tqdm.auto import tqdm

from ._interrupts import shielded

try:
    from sklearn.callback import CallbackSupportMixin
    from sklearn.callback import with_callbacks as _with_callbacks
except ModuleNotFoundError:  # scikit-learn before 1.9 has no callbacks

    class CallbackSupportMixin:  # type: ignore[no-redef]
        """Nothing to look after (`object` itself could not stand before other base classes)."""

    def _with_callbacks(method: Any) -> Any:
        """Nothing to look after."""
        return method


__all__ = ["CallbackSupportMixin", "Hooks", "progress", "report", "with_callbacks"]

Method = TypeVar("Method", bound=Callable[..., Any])
_FORMAT = "{desc} {percentage:3.0f}%|{bar}| {elapsed}<{remaining}{postfix}"


def with_callbacks(method: Method) -> Method:
    """scikit-learn's decorator of `fit`, without hiding its signature from type checkers."""
    return _with_callbacks(method)


class Hooks:
    """scikit-learn's callbacks on an estimator, told of each step of its `fit`.

    Parameters
    ----------
    estimator : estimator
        Its `fit` is wrapped in `with_callbacks`.
    X, y : object
        What it is fitted to.
    n_steps : int
        Steps at most.
    name : str
        What a step is called.
    """

    def __init__(self, estimator: Any, X: Any, y: Any, n_steps: int, name: str):
        self._name, self._n_left = name, n_steps
        self._details = {"estimator": estimator, "X": X, "y": y}
        self._root: Any = None
        self._step: Any = None
        if hasattr(estimator, "_skl_callbacks"):
            self._root = estimator._init_callback_context(max_subtasks=n_steps)
            self._root.call_on_fit_task_begin(**self._details)
            self._begin_step()

    def _begin_step(self) -> None:
        if self._n_left:
            self._n_left -= 1
            self._step = self._root.subcontext(task_name=self._name)
            self._step.call_on_fit_task_begin(**self._details)

    def _end(self, context: Any) -> bool:
        return context.call_on_fit_task_end(**self._details, reconstruction_attributes=lambda: {})

    def step(self) -> bool:
        """End a step and begin the next; whether a callback asks to stop."""
        if self._step is None:
            return False
        step, self._step = self._step, None
        stop = self._end(step)
        if not stop:
            self._begin_step()
        return stop

    def finish(self) -> None:
        """No step comes any more."""
        if self._step is not None:
            self._end(self._step)
        if self._root is not None:
            self._end(self._root)


class Task:
    """A stretch of a bar that is covered in equal steps.

    Parameters
    ----------
    bar : tqdm or None
        A bar from 0 to 1; None shows nothing.
    start, width : float
        The stretch.
    n_steps : int
        Steps.
    hooks : Hooks or None
        Told of each step.
    """

    def __init__(self, bar: Any, start: float, width: float, n_steps: int, hooks: Hooks | None):
        self.bar, self._start, self._width = bar, start, width
        self._n_steps, self._n_done, self._hooks = max(1, n_steps), 0, hooks

    def step(self, values: dict[str, Any]) -> bool:
        """One more step is done; whether a callback asks to stop."""
        self._n_done = min(self._n_done + 1, self._n_steps)
        self._move(values)
        return self._hooks is not None and self._hooks.step()

    def finish(self) -> None:
        """The rest is done too, or need not be."""
        self._n_done = self._n_steps
        self._move({})
        if self._hooks is not None:
            self._hooks.finish()

    def part(self, n_steps: int, hooks: Hooks | None) -> Task:
        """The next step, as a task of its own."""
        width = self._width / self._n_steps
        return Task(self.bar, self._start + width * self._n_done, width, n_steps, hooks)

    def _move(self, values: dict[str, Any]) -> None:
        if self.bar is None:
            return
        if values:
            texts = (
                f"{k} {v:.3g}" if isinstance(v, float) else f"{k} {v}" for k, v in values.items()
            )
            self.bar.set_postfix_str(", ".join(texts), refresh=False)
        reached = self._start + self._width * self._n_done / self._n_steps
        self.bar.update(max(0.0, reached - self.bar.n))  # never backwards


_current: ContextVar[Task | None] = ContextVar("task", default=None)


def report(**values: float | int | str) -> bool:
    """One more step of what is under way is done.

    Parameters
    ----------
    **values : float, int or str
        What is known by now, shown beside the bar.

    Returns
    -------
    bool
        Whether a callback asks to stop.
    """
    task = _current.get()
    return task is not None and task.step(values)


@shielded
def progress(
    title: str, n_steps: int, *, verbose: bool | int, hooks: Hooks | None = None
) -> Iterator[None]:
    """Show how far the block is, unless a call around it does.

    Parameters
    ----------
    title : str
        What is being done.
    n_steps : int
        Steps, each of which the block is to `report`.
    verbose : bool or int
        0 shows nothing, unless a call around it does.
    hooks : Hooks, default=None
        Told of each step.
    """
    outer, bar = _current.get(), None
    if outer is not None and outer.bar is not None:
        task = outer.part(n_steps, hooks)
    else:
        if verbose:
            bar = tqdm(total=1.0, desc=title, bar_format=_FORMAT, miniters=0)
        task = Task(bar, 0.0, 1.0, n_steps, hooks)
    token = _current.set(task)
    try:
        yield
        task.finish()
    finally:
        _current.reset(token)
        if bar is not None:
            bar.close()
