"""One process runs the rounds of a journal: a lock that dies with it."""

from __future__ import annotations

import errno
import os
import struct
import sys
import threading
from pathlib import Path
from typing import IO

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

#: Locks that this process holds: path -> process, file, and the holders, the latest last.
_held: dict[Path, tuple[int, IO[bytes], list[object]]] = {}

#: Closing any file of a path gives up this process's locks on it: not while another thread takes
#: one.
_changing = threading.RLock()


def _renew() -> None:
    """A forked child has no other thread that could let go of it."""
    global _changing
    _changing = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew)


def lock_of(journal: Path) -> Path:
    """The file beside a journal that whoever runs its rounds locks."""
    return journal.with_name(f"{journal.name}.lock")


def is_held(path: Path) -> bool:
    """Whether any process, this one included, holds a lock. It is not taken to find out.

    Parameters
    ----------
    path : Path
        File that is locked.

    Returns
    -------
    bool
        False also if there is no such file, or it cannot be opened.
    """
    path = path.resolve()
    with _changing:
        process, _, holders = _held.get(path, (None, None, []))
        if process == os.getpid() and holders:
            return True
        try:
            with open(path, "rb") as file:
                return _is_locked(file)
        except OSError:  # nobody has run rounds here, or nobody may
            return False


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
        with _changing:
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
                        f"Another process is running rounds (it holds {path}). Any number may "
                        "write answers, one runs rounds: end it first."
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
        with _changing:
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


def _is_locked(file: IO[bytes]) -> bool:
    if sys.platform == "win32":
        try:
            _lock(file)
        except OSError:
            return True
        msvcrt.locking(file.fileno(), msvcrt.LK_UNLCK, 1)
        return False
    linux = sys.platform == "linux"
    layout = "hhqqi" if linux else "qqihhi"  # struct flock: BSD, too, has the range first
    wanted = (fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0) if linux else (0, 0, 0, fcntl.F_WRLCK, 0, 0)
    found = fcntl.fcntl(file, fcntl.F_GETLK, struct.pack(layout, *wanted))
    return struct.unpack(layout, found)[0 if linux else 3] != fcntl.F_UNLCK
