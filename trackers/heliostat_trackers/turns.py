"""Turns among the processes that write one file.

SQLite lets a process that finds the file locked sleep and look again, ever more rarely: whoever has slept
long misses many chances, and with eight writing processes waits of seconds are the rule. Here the waiting
ones sleep in the kernel, which wakes them when the file is free. This lock is a courtesy: what keeps the file
whole is SQLite's own, so where this one does not work (some network file systems) only fairness is lost.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]


class Turns:
    """A lock between processes, used by one thread of each at a time.

    Args:
        path: A file that is made for this, and goes when nobody uses it.
        patience: Seconds after which to go on without a turn; the database's own lock then says what is
            wrong.
    """

    def __init__(self, path: Path, patience: float) -> None:
        self._path = path
        self._patience = patience
        self._file: int | None = None
        self._queue: _Queue | None = None

    @contextlib.contextmanager
    def turn(self) -> Iterator[None]:
        """Wait for this process's turn, and pass it on at the end."""
        is_mine = self._is_mine()
        try:
            yield
        finally:
            if is_mine and self._file is not None:
                fcntl.flock(self._file, fcntl.LOCK_UN)

    def close(self) -> None:
        """Release the file, and delete it unless another process is at work."""
        if self._file is None:
            return
        with contextlib.suppress(OSError):
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is_there(self._file):
                self._path.unlink()
        self._leave()

    def _is_mine(self) -> bool:
        while fcntl is not None:
            try:
                if self._file is None:
                    self._file = os.open(self._path, os.O_RDONLY | os.O_CREAT, 0o666)
                if not self._has_lock(self._file):
                    return False
                if _is_there(self._file):
                    return True
            except OSError:
                return False
            self._leave()
        return False

    def _leave(self) -> None:
        if self._file is None or (self._queue is not None and not self._queue.is_left()):
            return  # a thread that still waits needs the file; the end of the process closes it
        os.close(self._file)
        self._file = self._queue = None

    def _has_lock(self, file: int) -> bool:
        if self._queue is None or self._queue.is_idle:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                pass
            else:
                return True
        if self._queue is None:
            self._queue = _Queue(file)
        return self._queue.is_won_within(self._patience)


class _Queue(threading.Thread):
    """Waits for a lock on a file, in a thread of its own because the kernel's wait knows no time limit."""

    def __init__(self, file: int) -> None:
        super().__init__(name="heliostat-turns", daemon=True)
        self._file = file
        self._guard = threading.Lock()
        self._wanted = threading.Semaphore(0)
        self._end = threading.Event()
        self._end.set()
        self._is_needed = True
        self._is_won = False
        self._is_over = False
        self.start()

    @property
    def is_idle(self) -> bool:
        """Whether it is not waiting."""
        return self._end.is_set()

    def run(self) -> None:
        """Each time it is wanted: take the lock, and release it at once if nobody needs it any more."""
        while True:
            self._wanted.acquire()
            if self._is_over:
                return
            with contextlib.suppress(OSError):
                fcntl.flock(self._file, fcntl.LOCK_EX)
                with self._guard:
                    self._is_won = self._is_needed
                    if not self._is_won:
                        fcntl.flock(self._file, fcntl.LOCK_UN)
            self._end.set()

    def is_won_within(self, seconds: float) -> bool:
        """Whether the lock came in time; if not, its wait goes on, for whoever asks here again."""
        with self._guard:
            self._is_needed = True
            if self._end.is_set():
                self._is_won = False
                self._end.clear()
                self._wanted.release()
        self._end.wait(seconds)
        with self._guard:
            self._is_needed = False
            is_won, self._is_won = self._is_won, False
            return is_won

    def is_left(self) -> bool:
        """End the thread, unless it is waiting."""
        if self.is_idle:
            self._is_over = True
            self._wanted.release()
        return self._is_over


def _is_there(file: int) -> bool:
    """Whether nobody has deleted the open file."""
    return os.fstat(file).st_nlink > 0
