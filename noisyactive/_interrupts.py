"""Interrupts of the user (Ctrl-C): raised where other code keeps them, put off where they harm."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import (
    AbstractContextManager,
    ContextDecorator,
    ExitStack,
    contextmanager,
)
from functools import partial, wraps
from types import FrameType
from typing import Any, ParamSpec

Handler = Callable[[int, FrameType | None], Any]
P = ParamSpec("P")


def shielded(block: Callable[P, Iterator[None]], *, lock: Any = None) -> Callable[P, ShieldedBlock]:
    """Make a context manager, as `contextmanager` does, that an interrupt leaves whole.

    An interrupt on the way into a block or out of it would leave half of what the block is to set
    or to put back. Here, it is put off until all of it is done; one in the block is raised at once.

    Parameters
    ----------
    block : generator function
        As for `contextmanager`.
    lock : RLock, default=None
        Held from before the way in until after the way out. An interrupt ends the waiting for it.

    Returns
    -------
    callable
        Returns a context manager, which is a decorator too.
    """

    @wraps(block)
    def manager(*args: P.args, **kwargs: P.kwargs) -> ShieldedBlock:
        return ShieldedBlock(partial(contextmanager(block), *args, **kwargs), lock)

    return manager


class ShieldedBlock(ContextDecorator):
    """What `shielded` functions return.

    Parameters
    ----------
    block : callable
        Returns the context manager that is shielded.
    lock : RLock or None
        As for `shielded`.
    """

    def __init__(self, block: Callable[[], AbstractContextManager[None]], lock: Any):
        self._block = block
        self._lock = lock

    def _recreate_cm(self) -> ShieldedBlock:  # each call of a decorated function has its own
        return ShieldedBlock(self._block, self._lock)

    def __enter__(self) -> None:
        self._missed: Callable[..., Any] | None = None
        with ExitStack() as stack:
            stack.enter_context(_handling(self._handle))
            if self._acquire(stack):
                stack.enter_context(self._block())
            self._undo = stack.pop_all()
        # After this test nothing is called any more, so the next interrupt is raised in the block.
        if self._missed is not None:
            self.__exit__(None, None, None)

    def __exit__(self, *error: Any) -> bool | None:
        try:
            return self._undo.__exit__(*error)
        finally:
            if self._missed is not None:
                self._missed(sys._getframe())

    def _acquire(self, stack: ExitStack) -> bool:
        """Wait for the lock, unless an interrupt comes; whether it did not."""
        if self._lock is None:
            return True
        while not self._lock.acquire(timeout=0.1):
            if self._missed is not None:
                return False
        stack.callback(self._lock.release)
        return True

    def _handle(self, before: Handler, number: int, frame: FrameType | None) -> None:
        # A flag would not do: the first instruction of `__exit__` may be too late to set it.
        own = (ShieldedBlock.__enter__.__code__, ShieldedBlock.__exit__.__code__)
        place = frame
        while place is not None:
            if place.f_code in own and place.f_locals.get("self") is self:
                self._missed = partial(before, number)
                return
            place = place.f_back
        before(number, frame)


@shielded
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
