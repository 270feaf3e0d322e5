"""Writes on their way to the log: in order, without waiting, and without anybody hearing of a fault."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from functools import partial

from heliostat.errors import Conflict
from heliostat.ports import RunLog
from heliostat.registry import shared_log
from heliostat.writes import Reply, Write
from heliostat_trackers.adapters import leaving

logger = logging.getLogger("heliostat")

Then = Callable[[Reply], None]


class Outbox:
    """A queue in front of a log; safe for use by many threads.

    Args:
        log: Where to, or ``None`` for this process's log of `url`.
        url: Of the log.
        about: What is written about, for warnings.

    Attributes:
        failures: Writes that were refused or could not be made, Conflicts left out: those were made before.
    """

    def __init__(self, log: RunLog | None, url: str, about: str) -> None:
        self._log = log
        self._url = url
        self._about = about
        self._lock = threading.Lock()
        self._answer = threading.Condition(self._lock)
        self._queue: deque[tuple[Write, Then | None]] = deque()
        self._is_posting = False
        self._unanswered = 0
        self.failures = 0

    def put(self, write: Write, then: Then | None = None) -> None:
        """Queue a write; `then` gets its reply. It goes out with the next :meth:`post`."""
        with self._lock:
            self._queue.append((write, then))
            self._unanswered += 1

    def post(self) -> None:
        """Submit what is queued, without holding a lock: a log may answer while it takes a write."""
        while True:
            with self._lock:
                if self._is_posting or not self._queue:
                    return
                self._is_posting = True
                write, then = self._queue.popleft()
            try:
                if self._log is None:
                    self._log = shared_log(self._url)
                    leaving.go_first()
                self._log.submit(write).add_done_callback(partial(self._answered, then))
            except BaseException as error:
                self._settle()
                if not isinstance(error, Exception):
                    raise
                self.fault(error)
            finally:
                with self._lock:
                    self._is_posting = False

    def flush(self, timeout: float) -> bool:
        """Wait until all is durable or refused; ``False`` if that takes longer than so many seconds."""
        with self._answer:
            return self._answer.wait_for(lambda: self._unanswered <= 0, timeout)

    def fault(self, error: Exception) -> None:
        """Take note of a fault: the first one is told."""
        with self._lock:
            self.failures += 1
            is_first = self.failures == 1
        if is_first:
            text = "something about %s was not recorded (%s); it goes on, further faults are counted"
            logger.warning(text, self._about, error)

    @contextmanager
    def shield(self) -> Iterator[None]:
        """Keep our exceptions from the code that called us."""
        try:
            yield
        except Exception as error:
            self.fault(error)

    def _answered(self, then: Then | None, future: Future[Reply]) -> None:
        try:
            reply = future.result()
            if then is not None:
                then(reply)
        except Conflict as said_before:  # by another process, or before a re-scan; the first one counts
            logger.debug("%s: %s", self._about, said_before)
        except Exception as error:
            self.fault(error)
        finally:
            self._settle()

    def _settle(self) -> None:
        with self._answer:
            self._unanswered -= 1
            self._answer.notify_all()
