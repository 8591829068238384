"""Interrupts of the user that other people's code keeps to itself."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def interrupts_raised() -> Iterator[None]:
    """Raise an interrupt (Ctrl-C) at the end of the block if code inside swallowed it.

    skorch's `fit` takes it for the end of the training, and returns a network that looks finished.
    A callback that raises KeyboardInterrupt itself, as skorch's ``EarlyStopping`` does, is no
    interrupt. Only the main thread gets any.
    """
    before = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(before):
        yield
        return
    interrupts: list[KeyboardInterrupt] = []

    def note(number: int, frame: FrameType | None) -> None:
        try:
            before(number, frame)
        except KeyboardInterrupt as interrupt:
            interrupts.append(interrupt)
            raise

    signal.signal(signal.SIGINT, note)
    try:
        yield
    finally:
        if signal.getsignal(signal.SIGINT) is note:  # nobody has replaced it meanwhile
            signal.signal(signal.SIGINT, before)
    if interrupts:
        raise interrupts[0]
