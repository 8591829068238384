"""One process runs the rounds of a journal: a lock that dies with it."""

from __future__ import annotations

import errno
import os
import sys
from pathlib import Path
from typing import IO

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

#: Locks that this process holds: path -> process, file, and the holders, the latest last.
_held: dict[Path, tuple[int, IO[bytes], list[object]]] = {}


class RunnerLock:
    """The right to run rounds.

    The operating system gives it back when the process ends, however it ends. Within one process
    it passes to whoever took it last (a notebook's cell that is run again makes a second cleaner),
    and back when that one lets go.

    Parameters
    ----------
    path : Path
        File that is locked; made if need be, and left where it is.

    Raises
    ------
    BlockingIOError
        If another process holds the lock.
    OSError
        If the file cannot be made.
    """

    def __init__(self, path: Path):
        self._path = path.resolve()
        self._ticket = object()
        held = _held.get(self._path)
        if held is None or held[0] != os.getpid():  # a forked child has not inherited the lock
            file = open(self._path, "ab")  # noqa: SIM115
            try:
                _lock(file)
            except OSError as error:
                file.close()
                if error.errno not in (errno.EACCES, errno.EAGAIN):
                    raise
                raise BlockingIOError(
                    f"Another process is running rounds (it holds {path}). Any number may write "
                    "answers, one runs rounds: end it first."
                ) from error
            held = _held[self._path] = (os.getpid(), file, [])
        held[2].append(self._ticket)

    def check(self) -> None:
        """Raise RuntimeError unless this is who may run rounds."""
        if self._holders()[-1:] != [self._ticket]:
            raise RuntimeError(
                "This cleaner no longer runs the rounds of its journal: another one has gone on "
                "with it, or this is a copy. Go on with that one, or call start again."
            )

    def release(self) -> None:
        """Let go of it; the second time does nothing."""
        holders = self._holders()
        if self._ticket in holders:
            holders.remove(self._ticket)
            if not holders:
                _held.pop(self._path)[1].close()  # which unlocks it

    def _holders(self) -> list[object]:
        process, _, holders = _held.get(self._path, (None, None, []))
        return holders if process == os.getpid() else []

    def __del__(self) -> None:
        if hasattr(self, "_ticket"):
            self.release()


def _lock(file: IO[bytes]) -> None:
    if sys.platform == "win32":
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
    else:
        # Of the process, not of the open file: children that are forked do not keep it alive.
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
