"""The time that a trial may take."""

from __future__ import annotations

import contextlib
import faulthandler
import signal
import threading
import time
from collections.abc import Iterator
from types import FrameType
from typing import Any

from heliostat.failures import TimedOut

AGAIN = 1.0
"""Seconds until the exception is raised anew, should the user's code have caught it."""

GRACE = 15.0
"""Seconds after the limit until the process ends itself: then not even the interpreter came to its turn."""

_SOON = 1e-3


class TimeLimit:
    """Raises :class:`~heliostat.failures.TimedOut` in the middle of what takes too long.

    The clock runs from the start on, also while Ray Tune keeps the trial waiting. An alarm interrupts the
    process's main thread, in which Ray calls a trainable; where it cannot (the code holds the interpreter in
    a library), a thread outside of the interpreter ends the process after some grace.

    Args:
        seconds: How long; ``None`` for ever.
    """

    def __init__(self, seconds: float | None) -> None:
        self._seconds = seconds
        self._is_armed = False
        self._ends = None if seconds is None else time.monotonic() + seconds

    @contextlib.contextmanager
    def enforced(self) -> Iterator[None]:
        """Within this block, in the main thread."""
        if self._ends is None or threading.current_thread() is not threading.main_thread():
            yield
            return
        left = max(_SOON, self._ends - time.monotonic())
        before = signal.signal(signal.SIGALRM, self._ring)
        faulthandler.dump_traceback_later(left + GRACE, exit=True)
        signal.setitimer(signal.ITIMER_REAL, left, AGAIN)
        self._is_armed = True
        try:
            try:
                yield
            finally:
                self._is_armed = False  # an alarm that comes before this line still finds the outer block
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)
            faulthandler.cancel_dump_traceback_later()

    def see_to_the_end(self) -> None:
        """Have the process end itself after the grace, if the limit has passed: a thread may hang in it."""
        if self._ends is not None and time.monotonic() >= self._ends:
            faulthandler.dump_traceback_later(GRACE, exit=True)

    def _ring(self, number: int, frame: FrameType | None) -> Any:
        if self._is_armed:
            raise TimedOut(f"took longer than {self._seconds:g} s")
