"""Interrupts of the user (Ctrl-C): raised where other code keeps them, put off where they harm."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from types import FrameType
from typing import Any

Handler = Callable[[int, FrameType | None], Any]


@contextmanager
def interrupts_raised() -> Iterator[None]:
    """Raise an interrupt (Ctrl-C) at the end of the block if code inside swallowed it.

    skorch's `fit` takes it for the end of the training, and returns a network that looks finished.
    A callback that raises KeyboardInterrupt itself, as skorch's ``EarlyStopping`` does, is no
    interrupt. Only the main thread gets any.
    """
    interrupts: list[KeyboardInterrupt] = []

    def note(before: Handler, number: int, frame: FrameType | None) -> None:
        try:
            before(number, frame)
        except KeyboardInterrupt as interrupt:
            interrupts.append(interrupt)
            raise

    with _handling(note):
        yield
    if interrupts:
        raise interrupts[0]


@contextmanager
def interrupts_deferred() -> Iterator[None]:
    """Put interrupts off to the end of the block, of which either all is to happen or nothing."""
    missed: list[Callable[[], None]] = []
    try:
        with _handling(lambda before, *arrived: missed.append(lambda: before(*arrived))):
            yield
    finally:
        for interrupt in missed[:1]:
            interrupt()


@contextmanager
def _handling(handle: Callable[[Handler, int, FrameType | None], None]) -> Iterator[None]:
    """Handle SIGINT by a function of the handler before; not so in threads, which get none."""
    before = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(before):
        yield
        return
    ours = partial(handle, before)
    signal.signal(signal.SIGINT, ours)
    try:
        yield
    finally:
        if signal.getsignal(signal.SIGINT) is ours:  # nobody has replaced it meanwhile
            signal.signal(signal.SIGINT, before)
