"""Writes that nobody waits for: the first error of them is kept for whoever asks."""

from __future__ import annotations

from concurrent.futures import Future

from heliostat.ports import RunLog
from heliostat.writes import Reply, Write


class Sending:
    """Sends writes to a log and goes on.

    Args:
        log: Where to.
    """

    def __init__(self, log: RunLog) -> None:
        self._log = log
        self._error: Exception | None = None

    def send(self, write: Write) -> Future[Reply]:
        """Submit a write; its error is kept, though nobody looks at the future."""
        future = self._log.submit(write)
        self.watch(future)
        return future

    def watch(self, future: Future[Reply]) -> None:
        """Keep the error of a write that was submitted elsewhere."""
        future.add_done_callback(self._note)

    def flush(self) -> None:
        """Wait until all is durable.

        Raises:
            HeliostatError: The first error since the last time.
        """
        self._log.flush()
        if self._error is not None:
            error, self._error = self._error, None
            raise error

    def _note(self, future: Future[Reply]) -> None:
        error = future.exception()
        if isinstance(error, Exception) and self._error is None:
            self._error = error
